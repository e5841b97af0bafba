"""The student's work: one JSON document with the source and result of every exercise.

Nothing else of the student's is kept outside the notebooks, so this document must survive: a tab that is
closed at any moment, two notebooks that save at once, a file that was damaged, a newer release's file.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import errno
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from .expect import bytes_text

SCHEMA = 1
FILE_NAME = "tinytorch-work.json"
REFUSED = "tinytorch-refused.json"  # no file: the page answers with why a file could not be stored
VERIFY_AFTER = 1.5  # seconds; longer than another kernel's read, merge and write take
RETRY_AFTER = 20  # seconds after a save that failed
PATIENCE = 15  # seconds that the page may take to answer a request

Entry = dict[str, Any]
_TYPES: dict[str, tuple[type, ...]] = {
    "module": (str,),
    "status": (str,),
    "source": (str, type(None)),
    "passed_source": (str, type(None)),
    "other_source": (str, type(None)),
    "release": (str,),
    "recheck": (str,),
    "picture": (str,),
    "attempts": (int,),
    "points": (int,),
    "of": (int,),
    "hints": (int,),
    "solution_seen": (bool,),
    "given": (bool,),
    "claims": (list,),
    "updated": (str,),
    "first_passed": (str, type(None)),
    "seconds": (int, float, type(None)),
    "peak_bytes": (int, type(None)),
}


def now() -> str:
    """The time in UTC with milliseconds; such texts sort like the times they name."""
    return _text(datetime.now(UTC))


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def location() -> Path:
    """Where the document is: on the drive in the page, else where the kernel was started."""
    if named := os.environ.get("TINYTORCH_WORK"):
        return Path(named)
    return (Path("/drive") if sys.platform == "emscripten" else Path.cwd()) / FILE_NAME


# Storage: a file that is either the old one or the new one, never something between.


class Store(Protocol):
    """A place for one document."""

    def read(self) -> bytes | None:
        """The content; None when there is no file or an empty one."""

    def change(self, merge: Callable[[bytes | None], bytes]) -> None:
        """Replace the content by `merge(content)` as a whole."""

    def keep_copy(self, name: str, content: bytes) -> None:
        """Write `content` to a sibling file."""


class Disk:
    """A real file system: write a new file, then rename it over the old one, which is atomic."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> bytes | None:
        try:
            return self.path.read_bytes() or None
        except FileNotFoundError:
            return None

    def change(self, merge: Callable[[bytes | None], bytes]) -> None:
        self._replace(self.path, merge(self.read()))

    def keep_copy(self, name: str, content: bytes) -> None:
        self._replace(self.path.with_name(name), content)

    def _replace(self, path: Path, content: bytes) -> None:
        handle, new = tempfile.mkstemp(dir=path.parent, prefix=f"{path.stem}.", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(new)
            raise


Request = Callable[..., Any]  # (method, path, data) -> what the page answers, as plain Python


class Drive:
    """The JupyterLite drive: each operation is a request to the page (10-100 ms), which asks IndexedDB.

    This speaks the drive's own protocol instead of using its file system, for three reasons. A `put` stores the
    whole content in one transaction, where the file system first makes an empty file. When storing fails, the
    file system never hears of it: the kernel waits for ever, or (in an isolated page) goes on as if all were
    well. And it fills a new file where reading an old one failed. So: get, merge, put, and read back.
    """

    def __init__(self, request: Request, name: str = FILE_NAME) -> None:
        self.request, self.name = request, name

    def read(self) -> bytes | None:
        file = self.request("get", self.name)
        if file is not None:
            return _file_bytes(file) or None
        names = self.request("readdir", "")  # a file that cannot be read is answered like one that is not there
        if not isinstance(names, list) or self.name in names:
            raise OSError(errno.EIO, "it is there, and the browser does not hand it out")
        return None

    def change(self, merge: Callable[[bytes | None], bytes]) -> None:
        self._put(self.name, merge(self.read()))

    def keep_copy(self, name: str, content: bytes) -> None:
        self._put(name, content)

    def _put(self, name: str, content: bytes) -> None:
        try:
            data = {"format": "text", "data": content.decode("utf-8")}
        except UnicodeDecodeError:  # the copy of a damaged document
            data = {"format": "base64", "data": base64.b64encode(content).decode("ascii")}
        answer = self.request("put", name, data)
        if isinstance(answer, dict) and answer.get("error"):
            raise NotStored(str(answer["error"]), answer.get("usage"), answer.get("quota"))
        stored = self.request("get", name)
        if stored is None or _file_bytes(stored) != content:
            said = self._refusal(name)
            reason = str(said.get("error") or "the browser did not store it")
            raise NotStored(reason, said.get("usage"), said.get("quota"))

    def _refusal(self, name: str) -> dict[str, Any]:
        """What the page says of its last failure to store this file; empty when it says nothing (site/drive.mjs)."""
        file = self.request("get", REFUSED)
        try:
            said = json.loads(_file_bytes(file)) if isinstance(file, dict) else {}
        except ValueError:
            return {}
        return said if isinstance(said, dict) and said.get("path") == name else {}


class NotStored(OSError):
    """The browser refused to store something; usage and quota in bytes where it told them."""

    def __init__(self, reason: str, usage: int | None = None, quota: int | None = None) -> None:
        super().__init__(errno.ENOSPC if "quota" in reason.lower() else errno.EIO, reason)
        self.usage, self.quota = usage, quota


def _file_bytes(file: Any) -> bytes:
    """Content of a file as the drive hands it out; what is no file of the drive is given as it is, as damaged."""
    content = file.get("content") if isinstance(file, dict) else file
    if not isinstance(content, str):
        return json.dumps(file).encode()
    if isinstance(file, dict) and file.get("format") == "base64":
        try:
            return base64.b64decode(content, validate=True)
        except ValueError:
            return content.encode()
    return content.encode("utf-8", errors="surrogatepass")


class Early:
    """The document as the page read it by itself, before the kernel has a drive. Nothing can be stored yet."""

    def __init__(self, content: bytes | None) -> None:
        self.content = content

    def read(self) -> bytes | None:
        return self.content

    def change(self, merge: Callable[[bytes | None], bytes]) -> None:
        raise Unreachable

    def keep_copy(self, name: str, content: bytes) -> None:
        raise Unreachable


class Nowhere:
    """No storage at all: a page without a service worker, as in some private windows. Says so at every use."""

    def read(self) -> bytes | None:
        raise Unreachable

    def change(self, merge: Callable[[bytes | None], bytes]) -> None:
        raise Unreachable

    def keep_copy(self, name: str, content: bytes) -> None:
        raise Unreachable


class Unreachable(OSError):
    """This page has no drive."""

    def __init__(self) -> None:
        super().__init__(errno.ENODEV, "this page cannot reach the browser's storage")


def store_for(path: Path) -> Store:
    """The storage that suits the platform."""
    if sys.platform != "emscripten" or path.parent != Path("/drive"):
        return Disk(path)
    request = page_request()
    return Drive(request, path.name) if request else Nowhere()


def page_request() -> Request | None:
    """How the kernel in the page asks for files of the drive; None when the page has mounted none.

    The request is our own, for the one that the drive makes waits for ever when the page does not answer.
    """
    import js
    import pyodide_js
    from pyodide.ffi import JsException, jsnull, to_js

    if not os.path.isdir("/drive"):
        return None
    api = pyodide_js.FS.lookupPath("/drive").node.node_ops.fs.API

    def ask(method: str, path: str, data: Any = None) -> Any:
        wanted: dict[str, Any] = {"method": method, "path": path}
        if data is not None:
            wanted["data"] = data
        if js.crossOriginIsolated:  # the worker asks the page directly
            answer = api.request(to_js(wanted, dict_converter=js.Object.fromEntries))
            if answer is jsnull:  # there is no such file
                return None
            return answer.to_py() if hasattr(answer, "to_py") else answer
        number = str(js.crypto.randomUUID())
        asked = {"data": {**wanted, "requestId": number}, "requestId": number}
        http = js.XMLHttpRequest.new()
        http.open("POST", f"{api._baseUrl}api/drive", False)
        http.timeout = 1000 * PATIENCE
        try:
            http.send(json.dumps({**asked, "browsingContextId": api._browsingContextId}))
        except JsException as error:
            raise OSError(errno.EIO, f"the page did not answer: {error.name}") from None
        try:
            return json.loads(http.responseText)
        except ValueError:  # not the page's answer, but the site's
            raise OSError(errno.EIO, f"the page did not answer: status {http.status}") from None

    return ask


# The document: parse, salvage, merge.


class Document:
    """A parsed document: its exercises, its other fields, and what was wrong with it."""

    def __init__(self, content: bytes | None) -> None:
        self.exercises: dict[str, Entry] = {}
        self.others: dict[str, Any] = {}
        self.damaged = False
        self.schema = SCHEMA
        if content is None or not content.strip():
            return
        try:
            data = json.loads(content)
        except ValueError:  # also UnicodeDecodeError
            data = {"exercises": salvage(content.decode("utf-8", errors="replace"))}
            self.damaged = True
        if not isinstance(data, dict):
            data, self.damaged = {}, True
        exercises = data.pop("exercises", None)
        if not isinstance(exercises, dict):
            exercises, self.damaged = {}, True
        schema = data.pop("schema", SCHEMA)
        self.schema = schema if isinstance(schema, int) else SCHEMA
        self.others = data
        for name, entry in exercises.items():
            if isinstance(entry, dict):
                self.exercises[name] = _valid(entry)
                self.damaged |= len(self.exercises[name]) < len(entry)
            else:
                self.damaged = True

    def content(self, release: str) -> bytes:
        """The document as bytes. ASCII only, so that no reader can get its encoding wrong."""
        data = {**self.others, "schema": SCHEMA, "release": release, "updated": now()}
        return (json.dumps({**data, "exercises": self.exercises}, indent=1) + "\n").encode("ascii")


def _valid(entry: Entry) -> Entry:
    """An entry without the fields that have a wrong type; fields of other releases stay."""
    return {key: value for key, value in entry.items() if isinstance(value, _TYPES.get(key, (object,)))}


def salvage(text: str) -> dict[str, Entry]:
    """The entries that can still be read in a damaged document, wherever they are."""
    found: dict[str, Entry] = {}
    decoder = json.JSONDecoder()
    position = 0
    for match in re.finditer(r'"((?:[^"\\\n]|\\.)*)"\s*:\s*(?=\{)', text):
        if match.start() < position:
            continue
        try:
            value, end = decoder.raw_decode(text, match.end())
            name = json.loads(f'"{match[1]}"')
        except ValueError:
            continue
        if name == "exercises":
            continue  # the table itself is whole: its entries follow
        if isinstance(value, dict) and ("source" in value or "status" in value):
            found[name] = value
            position = end
    return found


def merged(one: Entry | None, other: Entry | None) -> Entry:
    """What two kernels know about one exercise: the later entry, and nothing forgotten that only grows.

    An entry whose source is null is a reset (from the landing page) and wins as a whole when it is later.
    """
    if one is None or other is None:
        return dict(one or other or {})
    early, late = sorted((one, other), key=_age)
    if late.get("source", "") is None:
        return dict(late)
    entry = {**early, **late}
    for key in ("attempts", "hints"):
        entry[key] = max(one.get(key, 0), other.get(key, 0))
    entry["solution_seen"] = bool(one.get("solution_seen") or other.get("solution_seen"))
    passes = [e["first_passed"] for e in (one, other) if e.get("first_passed")]
    entry["first_passed"] = min(passes, default=None)
    entry["passed_source"] = late.get("passed_source") or early.get("passed_source")
    if "recheck" not in late:  # the finding of a release is gone when a later check does not have it
        entry.pop("recheck", None)
    return entry


def _age(entry: Entry) -> tuple[str, bool, str]:
    """Sorts older entries first; of the same millisecond a reset counts as later, and all kernels agree on the rest."""
    text = entry.get("source")
    return entry.get("updated", ""), "source" in entry and text is None, str(text)


class Work:
    """The document of one kernel: what it knows, what it has saved, and what to tell the student.

    map_address: where the student can export her work, for messages.
    """

    def __init__(self, store: Store, release: str, map_address: str = "") -> None:
        self.store, self.release, self.map_address = store, release, map_address
        self.entries: dict[str, Entry] = {}
        self.notices: list[str] = []
        self.read_only = False
        self.failing = False  # the last save failed
        self._unverified: dict[str, str] = {}  # exercise -> the `updated` that must be in the document
        self._seen: dict[str, str] = {}  # exercise -> its last `updated` that this kernel read or wrote
        self._own: set[str] = set()  # exercises that were answered in this kernel
        self._copied: bytes | None = None  # the damaged content of which a copy was made

    def load(self) -> None:
        """Read the document; a damaged one is copied aside and what can be read of it is used."""
        try:
            document = self._understood(self.store.read())
        except Unreachable:
            self.notices.append(NOWHERE)
            return
        except OSError as error:
            self.notices.append(f"Your saved work could not be read ({_reason(error)}). It was not changed.")
            return
        self._take(document)

    def _understood(self, content: bytes | None) -> Document:
        """Parse a document; note a newer schema, keep a copy of a damaged one (OSError when that fails)."""
        document = Document(content)
        if document.schema > SCHEMA and not self.read_only:
            self.read_only = True
            self.notices.append(
                f"Your saved work is from a newer release of this course (schema {document.schema}, this one "
                f"knows {SCHEMA}). It will not be overwritten, so nothing you do here is saved. Reload the "
                "page to get the newer release."
            )
        elif document.damaged and content is not None and content != self._copied:
            stamp = re.sub(r"[^0-9]", "", now())
            name = f"{FILE_NAME.removesuffix('.json')}.damaged-{stamp}.json"
            self.store.keep_copy(name, content)
            self._copied = content
            count = len(document.exercises)
            saved = f"{count} exercise was recovered" if count == 1 else f"{count} exercises were recovered"
            self.notices.append(f"{FILE_NAME} was damaged: {saved}, and a copy is in {name}.")
        return document

    def entry(self, name: str) -> Entry:
        """What is known about an exercise; empty when nothing is."""
        return self.entries.get(name, {})

    def save(self, changes: dict[str, Entry]) -> bool:
        """Change fields of exercises and store the document; False (and a notice) when that failed."""
        for name, fields in changes.items():
            old = self.entries.get(name, {})
            # A clock that was set back must not make this entry look older than the one it replaces.
            updated = max(now(), _just_after(old.get("updated", "")))
            self.entries[name] = {**old, **fields, "updated": updated}
            self._unverified[name] = updated
            if fields.get("source"):
                self._own.add(name)
        return self._store(said=True)

    def adopt(self, entries: dict[str, Entry]) -> bool:
        """Store entries as they are, with their own times: they came from elsewhere in the document."""
        self.entries |= entries
        self._unverified |= {name: entry.get("updated", "") for name, entry in entries.items()}
        return self._store(said=True)

    def _store(self, said: bool) -> bool:
        """Merge what this kernel knows into the document; `said`: a failure is worth a notice (again)."""
        if self.read_only:
            return False
        try:
            self.store.change(self._merge)
        except OSError as error:
            if said or not self.failing:
                self.notices.append(self._not_saved(error))
            self.failing = True
            self._verify_later(RETRY_AFTER)
            return False
        if self.failing:
            self.failing = False
            self.notices.append("Your work is saved again, with all that could not be saved before.")
        if not self.read_only:
            self._verify_later(VERIFY_AFTER)
        return not self.read_only

    def _not_saved(self, error: OSError) -> str:
        """What to say when the document could not be stored."""
        if isinstance(error, Unreachable):
            return NOWHERE
        words = [f"Your work could not be saved ({_reason(error)})."]
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            words = [f"Your work could not be saved: the storage of this browser is full ({_reason(error)})."]
        size = len(json.dumps(self.entries, indent=1))
        used = f"Your answers take {bytes_text(size)}"
        if isinstance(error, NotStored) and error.usage and error.quota:
            used += f"; this site uses {bytes_text(error.usage)} of {bytes_text(error.quota)}"
        words.append(f"{used}.")
        words.append(
            "Nothing is lost while this page stays open: your code is still in the notebook, and it is saved with the "
            "next answer, or by itself, as soon as there is room."
        )
        if self.map_address:
            words.append(f"To be safe, export your work on the map of the course: {self.map_address}")
        return " ".join(words)

    def _merge(self, content: bytes | None) -> bytes:
        """The document with our entries in it; unchanged when it turns out to be from a newer release."""
        document = self._understood(content)
        if self.read_only and content is not None:
            return content
        self._take(document)
        document.exercises = dict(sorted(self.entries.items()))
        return document.content(self.release)

    def _take(self, document: Document) -> None:
        """Merge a document's entries into what this kernel knows; what another tab replaced is kept and said."""
        for name in {*document.exercises, *self.entries}:
            mine, theirs = self.entries.get(name), document.exercises.get(name)
            entry = merged(mine, theirs)
            if mine and theirs and theirs.get("updated", "") != self._seen.get(name):
                self._compare(name, mine, theirs, entry)
            self.entries[name] = entry
            self._seen[name] = entry.get("updated", "")

    def _compare(self, name: str, mine: Entry, theirs: Entry, entry: Entry) -> None:
        """Two different answers to one exercise, from two tabs: the later one counts, the other one stays at hand."""
        if name not in self._own or not mine.get("source") or not theirs.get("source"):
            return
        if mine["source"] == theirs["source"]:
            return
        if entry["source"] == mine["source"]:
            entry["other_source"] = theirs["source"]
            self.notices.append(
                f"Another tab had saved a different answer to {name}. Yours is later and is the saved one now; "
                f"`%recall {name} --other` brings back the one from the other tab."
            )
        else:
            entry["other_source"] = mine["source"]
            self._own.discard(name)
            self.notices.append(
                f"Another tab saved a later answer to {name}, which is the saved one now: `%recall {name}` brings it "
                f"here, `%recall {name} --other` brings back yours."
            )

    def _verify_later(self, seconds: float) -> None:
        """Look again soon: another kernel may have read before and written after us, or there was no room."""
        with contextlib.suppress(RuntimeError):  # no event loop runs: plain IPython, or a test
            asyncio.get_running_loop().call_later(seconds, self.verify)

    def verify(self) -> bool:
        """Is everything we saved in the document? If not, save it again. Learns what other tabs saved."""
        if not self._unverified or self.read_only:
            return True
        try:
            content = self.store.read()
        except OSError as error:
            if not self.failing:
                self.notices.append(f"Your saved work could not be read back ({_reason(error)}).")
            self._verify_later(RETRY_AFTER)
            return False
        document = Document(content)
        exercises = document.exercises
        lost = [
            name for name, updated in self._unverified.items() if exercises.get(name, {}).get("updated", "") < updated
        ]
        if lost or document.damaged:
            self._store(said=False)
            return False
        self._unverified.clear()
        self._take(document)
        return True

    def refresh(self) -> None:
        """Learn what another tab or the map of the course changed; says nothing when it cannot be read now."""
        with contextlib.suppress(OSError):
            document = Document(self.store.read())
            if not document.damaged and document.schema == SCHEMA:
                self._take(document)

    def move(self, store: Store) -> None:
        """Keep the document in another store from now on; says so when that is none."""
        self.store = store
        try:
            store.read()
        except Unreachable:
            self.notices.append(NOWHERE)
        except OSError as error:
            self.notices.append(f"Your saved work could not be read ({_reason(error)}). It was not changed.")

    def take_notices(self) -> list[str]:
        """Messages for the student that were not shown yet."""
        notices, self.notices = list(dict.fromkeys(self.notices)), []
        return notices


NOWHERE = (
    "This page cannot reach the browser's storage (a private window, or site data is blocked). Your answers are "
    "checked, but they are gone when this page is closed. Use an ordinary window, or allow this site to store data."
)


def _reason(error: OSError) -> str:
    return error.strerror or str(error)


def _just_after(time: str) -> str:
    """A time one millisecond later; empty for a text that is not a time."""
    try:
        return _text(datetime.fromisoformat(time).astimezone(UTC) + timedelta(milliseconds=1))
    except (ValueError, OverflowError):
        return ""

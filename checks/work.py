"""The student's work: one JSON document with the source and result of every exercise.

Nothing else of the student's is kept outside the notebooks, so this document must survive: a tab that is
closed at any moment, two notebooks that save at once, a file that was damaged, a newer release's file.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

SCHEMA = 1
FILE_NAME = "tinytorch-work.json"
VERIFY_AFTER = 1.5  # seconds; longer than another kernel's read, merge and write take

Entry = dict[str, Any]
_TYPES: dict[str, tuple[type, ...]] = {
    "module": (str,),
    "status": (str,),
    "source": (str, type(None)),
    "passed_source": (str, type(None)),
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


class Drive:
    """The JupyterLite drive, where every operation is a request to the page (10-100 ms).

    What its file system does decides how to write there. Opening reads the whole file into memory; writes
    change that memory; closing stores the whole content with one `put`, a single IndexedDB transaction.
    Opening with O_TRUNC (mode "w") stores an empty file at once, which a closed tab would leave behind, and
    a rename is a copy followed by a deletion. So: open for reading and writing without truncation, read,
    merge, overwrite, close. That is one `get` and one `put`, and the file is the old one until the `put`.
    Truncating the open file would be undone by closing it, so a document that became shorter is filled up
    with spaces, which JSON ignores.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> bytes | None:
        try:
            handle = os.open(self.path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            return _read_all(handle) or None
        finally:
            os.close(handle)

    def change(self, merge: Callable[[bytes | None], bytes]) -> None:
        self._overwrite(self.path, merge)

    def keep_copy(self, name: str, content: bytes) -> None:
        self._overwrite(self.path.with_name(name), lambda _: content)

    def _overwrite(self, path: Path, merge: Callable[[bytes | None], bytes]) -> None:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            old = _read_all(handle)
            new = merge(old or None).ljust(len(old))
            os.lseek(handle, 0, os.SEEK_SET)
            while new:
                new = new[os.write(handle, new) :]
        finally:
            os.close(handle)


def _read_all(handle: int) -> bytes:
    chunks = []
    while chunk := os.read(handle, 1 << 20):
        chunks.append(chunk)
    return b"".join(chunks)


def store_for(path: Path) -> Store:
    """The storage that suits the platform."""
    return Drive(path) if sys.platform == "emscripten" else Disk(path)


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
    late, early = (one, other) if one.get("updated", "") >= other.get("updated", "") else (other, one)
    if late.get("source", "") is None:
        return dict(late)
    entry = {**early, **late}
    for key in ("attempts", "hints"):
        entry[key] = max(one.get(key, 0), other.get(key, 0))
    entry["solution_seen"] = bool(one.get("solution_seen") or other.get("solution_seen"))
    passes = [e["first_passed"] for e in (one, other) if e.get("first_passed")]
    entry["first_passed"] = min(passes, default=None)
    entry["passed_source"] = late.get("passed_source") or early.get("passed_source")
    return entry


class Work:
    """The document of one kernel: what it knows, what it has saved, and what to tell the student."""

    def __init__(self, store: Store, release: str) -> None:
        self.store, self.release = store, release
        self.entries: dict[str, Entry] = {}
        self.notices: list[str] = []
        self.read_only = False
        self._unverified: dict[str, str] = {}  # exercise -> the `updated` that must be in the document
        self._copied: bytes | None = None  # the damaged content of which a copy was made

    def load(self) -> None:
        """Read the document; a damaged one is copied aside and what can be read of it is used."""
        try:
            content = self.store.read()
        except OSError as error:
            self.notices.append(f"Your saved work could not be read ({error}). It was not changed.")
            return
        document = self._understood(content)
        self.entries = document.exercises

    def _understood(self, content: bytes | None) -> Document:
        """Parse a document; note a newer schema, keep a copy of a damaged one."""
        document = Document(content)
        if document.schema > SCHEMA and not self.read_only:
            self.read_only = True
            self.notices.append(
                f"Your saved work is from a newer release of this course (schema {document.schema}, this one "
                f"knows {SCHEMA}). It will not be overwritten, so nothing you do here is saved. Reload the "
                "page to get the newer release."
            )
        elif document.damaged and content is not None and content != self._copied:
            self._copied = content
            stamp = re.sub(r"[^0-9]", "", now())
            name = f"{FILE_NAME.removesuffix('.json')}.damaged-{stamp}.json"
            saved = f"{len(document.exercises)} exercises were recovered"
            try:
                self.store.keep_copy(name, content)
                self.notices.append(f"{FILE_NAME} was damaged: {saved}, and a copy is in {name}.")
            except OSError as error:
                self.notices.append(f"{FILE_NAME} was damaged: {saved}; no copy could be kept ({error}).")
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
        return self._store()

    def _store(self) -> bool:
        if self.read_only:
            return False
        try:
            self.store.change(self._merge)
        except OSError as error:
            self.notices.append(f"Your work could not be saved ({error}). Your code is still in the notebook.")
            return False
        if not self.read_only:
            self._verify_later()
        return not self.read_only

    def _merge(self, content: bytes | None) -> bytes:
        """The document with our entries in it; unchanged when it turns out to be from a newer release."""
        document = self._understood(content)
        if self.read_only and content is not None:
            return content
        for name in {*document.exercises, *self.entries}:
            self.entries[name] = merged(self.entries.get(name), document.exercises.get(name))
        document.exercises = dict(sorted(self.entries.items()))
        return document.content(self.release)

    def _verify_later(self) -> None:
        """Look again soon: another kernel may have read before and written after us."""
        with contextlib.suppress(RuntimeError):  # no event loop runs: plain IPython, or a test
            asyncio.get_running_loop().call_later(VERIFY_AFTER, self.verify)

    def verify(self) -> bool:
        """Is everything we saved in the document? If not, save it again."""
        if not self._unverified:
            return True
        try:
            exercises = Document(self.store.read()).exercises
        except OSError as error:
            self.notices.append(f"Your saved work could not be read back ({error}).")
            return False
        lost = [
            name for name, updated in self._unverified.items() if exercises.get(name, {}).get("updated", "") < updated
        ]
        if not lost:
            self._unverified.clear()
            return True
        self._store()
        return False

    def take_notices(self) -> list[str]:
        """Messages for the student that were not shown yet."""
        notices, self.notices = list(dict.fromkeys(self.notices)), []
        return notices


def _just_after(time: str) -> str:
    """A time one millisecond later; empty for a text that is not a time."""
    try:
        return _text(datetime.fromisoformat(time).astimezone(UTC) + timedelta(milliseconds=1))
    except (ValueError, OverflowError):
        return ""

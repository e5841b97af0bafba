"""Kill the tab at any moment of a save, many times, and look whether an answer was lost.

    .venv/bin/python tests/browser/kills.py                 100 kills of lessons with a kernel (about 40 minutes)
    .venv/bin/python tests/browser/kills.py --app 20 --store 60 --kernel 3     what the tests do

Three kinds of tab, each saving answer after answer into the same document, are killed:

kernel  the lesson with its Python: a cell with `%%exercise` is run again and again, each time with another answer
app     the notebook page without Python: its own file manager reads the document, and stores it with one answer more
store   a light page of the same origin: IndexedDB alone, one `get` and one `put` as JupyterLite's storage does them

A tab is killed by closing it without its farewell, by crashing its page, or by SIGKILL for its process. When: at a
random time, or a random moment after the save began, was read, was being put, or was shown. Afterwards the document
must parse, hold every answer whose card had been shown, and the one in flight whole: the old one or the new one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Error, Page, sync_playwright

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "site"), str(ROOT)]

from conftest import address, open_profile, start_server  # noqa: E402

from builder import lessons  # noqa: E402
from student import SESSION  # noqa: E402

DOCUMENT = "tinytorch-work.json"
KINDS = ("close", "crash", "SIGKILL")
MOMENTS = ("any time", "saving", "get", "got", "put", "stored", "shown")
NAMES = ("contiguous_strides", "broadcast_shapes", "Tensor.__init__")  # of the first lesson
SPREAD = {"kernel": 0.6, "app": 0.06, "store": 0.02}  # seconds over which the moment of a kill is spread

# Says on the console which part of a save the page is in, for the counts and to kill at a moment of each.
WATCH = (
    """(() => {
  for (const [method, before, after] of [["get", "get", "got"], ["put", "put", "stored"]]) {
    const original = IDBObjectStore.prototype[method];
    IDBObjectStore.prototype[method] = function (...args) {
      const request = original.apply(this, args);
      if (args.includes(%r)) {
        console.log(`moment ${before}`);
        request.addEventListener("success", () => console.log(`moment ${after}`));
      }
      return request;
    };
  }
})()"""
    % DOCUMENT
)

SOURCE = """const source = (text, i) =>
  `${text.trimEnd()}\\n    # answer ${i} ${"x".repeat((i * 37) % 900)}\\n`;"""

LOOP = {
    "kernel": f"""([texts, first]) => {{
  {SOURCE}
  const names = Object.keys(texts), kernel = {SESSION}.kernel;
  (async () => {{
    for (let i = first; ; i++) {{
      const name = names[i % names.length];
      const code = `%%exercise ${{name}}\\n${{source(texts[name], i)}}`;
      console.log(`moment saving ${{i}}`);
      const future = kernel.requestExecute({{ code, store_history: false }});
      future.onIOPub = ({{ header, content }}) => {{
        if (header.msg_type === "display_data") console.log(`moment shown ${{i}} ${{content.data["text/plain"]}}`);
      }};
      await future.done;
    }}
  }})();
}}""",
    "app": f"""([texts, first]) => {{
  {SOURCE}
  const names = Object.keys(texts), contents = jupyterapp.serviceManager.contents;
  (async () => {{
    for (let i = first; ; i++) {{
      const name = names[i % names.length];
      console.log(`moment saving ${{i}}`);
      const model = await contents.get("{DOCUMENT}", {{ content: true, format: "text" }}).catch(() => null);
      const work = model?.content ? JSON.parse(model.content) : {{ schema: 1, exercises: {{}} }};
      work.exercises[name] = {{ status: "passed", source: source(texts[name], i), updated: new Date().toISOString() }};
      await contents.save("{DOCUMENT}", {{ content: JSON.stringify(work), type: "file", format: "text" }});
      console.log(`moment shown ${{i}} passed`);
    }}
  }})();
}}""",
    "store": f"""([texts, first]) => {{
  {SOURCE}
  const names = Object.keys(texts);
  const ask = (files, method, ...args) => new Promise((ok, no) => {{
    const request = files[method](...args);
    if (method === "get") request.onsuccess = () => ok(request.result);
    else files.transaction.oncomplete = ok;
    files.transaction.onabort = () => no(files.transaction.error);
  }});
  const opening = indexedDB.open("TinyTorch");
  opening.onsuccess = async () => {{
    for (let i = first; ; i++) {{
      const name = names[i % names.length];
      console.log(`moment saving ${{i}}`);
      const model = await ask(opening.result.transaction("files").objectStore("files"), "get", "{DOCUMENT}");
      const work = model?.content ? JSON.parse(model.content) : {{ schema: 1, exercises: {{}} }};
      work.exercises[name] = {{ status: "passed", source: source(texts[name], i), updated: new Date().toISOString() }};
      const next = {{ ...model, name: "{DOCUMENT}", path: "{DOCUMENT}", type: "file", format: "text",
                      content: JSON.stringify(work), last_modified: new Date().toISOString() }};
      const files = opening.result.transaction("files", "readwrite").objectStore("files");
      await ask(files, "put", next, "{DOCUMENT}");
      console.log(`moment shown ${{i}} passed`);
    }}
  }};
}}""",
}

READ = f"""() => new Promise((resolve, reject) => {{
  const opening = indexedDB.open("TinyTorch");
  opening.onerror = () => reject(opening.error);
  opening.onupgradeneeded = () => opening.transaction.abort();
  opening.onsuccess = () => {{
    const request = opening.result.transaction("files").objectStore("files").get("{DOCUMENT}");
    request.onsuccess = () => {{ resolve(request.result ?? null); opening.result.close(); }};
    request.onerror = () => reject(request.error);
  }};
}})"""

REPLACE = f"""([text, message]) => new Promise((resolve, reject) => {{
  const opening = indexedDB.open("TinyTorch");
  opening.onsuccess = () => {{
    const transaction = opening.result.transaction("files", "readwrite"), files = transaction.objectStore("files");
    const request = files.get("{DOCUMENT}");
    request.onsuccess = () => files.put({{ ...request.result, format: "text", content: text }}, "{DOCUMENT}");
    transaction.oncomplete = () => {{
      opening.result.close();
      if (message) new BroadcastChannel("tinytorch").postMessage(message);
      resolve();
    }};
    transaction.onabort = () => reject(transaction.error);
  }};
}})"""


def answer(text: str, i: int) -> str:
    """The i-th answer to an exercise; `SOURCE` builds the same text in the page."""
    return f"{text.rstrip()}\n    # answer {i} {'x' * (i * 37 % 900)}\n"


def content_of(model: dict[str, Any]) -> str:
    """The text of a file as the database holds it."""
    import base64

    text: str = model["content"]
    return base64.b64decode(text).decode("utf-8") if model.get("format") == "base64" else text


def stored(context: BrowserContext, base: str) -> str | None:
    """The document's text, read from the database by a light page of the origin; None when there is none."""
    page = context.new_page()
    page.goto(f"{base}course.json")
    text = stored_text(page)
    page.close()
    return text


def stored_text(page: Page) -> str | None:
    """The same, read by a page of the origin that is open."""
    model = page.evaluate(READ)
    return content_of(model) if model else None


def replace(context: BrowserContext, base: str, text: str, message: dict[str, Any] | None = None) -> None:
    """Put another text in the document's place, as no kernel does it; tell the open tabs with a message."""
    page = context.new_page()
    page.goto(f"{base}course.json")
    page.evaluate(REPLACE, [text, message])
    page.close()


def processes(profile: Path) -> tuple[int, list[int]]:
    """The process of the browser with this profile, and all below it; from /proc."""
    parents, commands = {}, {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError, IndexError):
            commands[int(entry.name)] = (entry / "cmdline").read_bytes().decode(errors="replace")
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    named = [pid for pid, text in commands.items() if f"--user-data-dir={profile}" in text and "--type=" not in text]
    main = min(named)
    below = [main]
    for pid in below:
        below += [child for child, parent in parents.items() if parent == pid]
    return main, below[1:]


def renderers(profile: Path) -> list[int]:
    """The processes that show the pages of the browser with this profile."""
    found = []
    for pid in processes(profile)[1]:
        with contextlib.suppress(OSError):
            if "--type=renderer" in Path(f"/proc/{pid}/cmdline").read_text():
                found.append(pid)
    return found


def kill(page: Page, kind: str, profile: Path) -> None:
    """End a tab without giving it a moment; a crashed one stays, without a process."""
    if kind == "close":
        page.close(run_before_unload=False)
    elif kind == "crash":
        with contextlib.suppress(Error):  # it does not arrive
            page.goto("chrome://crash")
    else:
        for pid in renderers(profile):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        page.close()


@dataclass
class Counts:
    """What was killed, and what was lost."""

    kinds: Counter[str] = field(default_factory=Counter)
    moments: Counter[str] = field(default_factory=Counter)
    saves: int = 0
    in_flight_new: int = 0
    in_flight_old: int = 0
    losses: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        kinds = ", ".join(f"{kind} {n}" for kind, n in sorted(self.kinds.items()))
        moments = ", ".join(f"{moment} {self.moments[moment]}" for moment in MOMENTS if self.moments[moment])
        lines = [
            f"{sum(self.kinds.values())} kills ({kinds}), {self.saves} answers saved, {len(self.losses)} lost",
            f"the last thing seen before the kill: {moments}",
            f"the answer in flight: {self.in_flight_new} times the new one was there, {self.in_flight_old} the old one",
        ]
        return "\n".join([*lines, *self.losses])


class Killing:
    """One profile on which tabs are killed; the document goes on from kill to kill."""

    def __init__(self, context: BrowserContext, base: str, profile: Path, seed: int) -> None:
        self.context, self.base, self.profile = context, base, profile
        self.random = random.Random(seed)
        module = lessons.written(lessons.course(ROOT))[0]
        self.notebook = module["notebook"]
        texts = lessons.solutions(ROOT, module)
        self.texts = {name: texts[name] for name in NAMES}
        self.next = 0  # number of the next answer
        self.shown: dict[str, int] = {}  # exercise -> the last answer whose card was shown
        self.started: dict[str, int] = {}  # exercise -> the last answer that was run
        self.counts = Counts()
        self.where = ""  # the last kill: which tab, how, when
        context.add_init_script(WATCH)
        page = context.new_page()
        self._open(page, "app")  # the app makes the database
        page.close()

    def name(self, i: int) -> str:
        return NAMES[i % len(NAMES)]

    def _hear(self, text: str, last: list[str]) -> None:
        word, _, rest = text.partition(" ")
        if word != "moment":
            return
        moment, _, rest = rest.partition(" ")
        last[0] = moment
        number, _, card = rest.partition(" ")
        if moment == "saving":
            self.started[self.name(int(number))] = int(number)
            self.next = int(number) + 1
        elif moment == "shown":
            assert card.startswith("passed"), card
            self.shown[self.name(int(number))] = int(number)
            self.counts.saves += 1

    def _open(self, page: Page, what: str) -> None:
        if what == "app":
            page.goto(f"{self.base}notebooks/index.html", wait_until="commit")
            page.wait_for_function("window.jupyterapp?.serviceManager?.contents", timeout=120_000)
            page.evaluate(f"jupyterapp.serviceManager.contents.get('{DOCUMENT}').catch(() => null)")
        elif what == "kernel":
            page.goto(f"{self.base}notebooks/index.html?path={self.notebook}")
            page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=300_000)
            page.wait_for_function(f"{SESSION}?.kernel", timeout=300_000)
            ready = f"{SESSION}.kernel.requestExecute({{code: 'None', silent: true, store_history: false}}).done"
            page.evaluate(ready)

    def tab(self) -> Page:
        """A light tab on the origin; another one where its process was among those that were just killed."""
        for _ in range(3):
            with contextlib.suppress(Error):
                page = self.context.new_page()
                page.goto(f"{self.base}course.json")
                return page
        raise AssertionError("three tabs in a row could not be opened")

    def once(self, what: str, kind: str) -> None:
        """Open a tab, look at what the kill before left, let the tab save, kill it."""
        page, last = self.tab(), [""]
        self.look(page)
        page.on("console", lambda message: self._hear(message.text, last))
        self._open(page, what)
        moment = self.random.choice(MOMENTS)
        spread = SPREAD[what]
        page.evaluate(LOOP[what], [self.texts, self.next])
        page.wait_for_timeout(1000 * spread * self.random.uniform(0.5, 3))
        if moment != "any time":
            said = f"moment {moment}"
            page.wait_for_event("console", lambda message: message.text.startswith(said), timeout=120_000)
        end = time.monotonic() + spread / 4 * self.random.random()
        while time.monotonic() < end:
            pass  # closer than any timer
        kill(page, kind, self.profile)
        self.counts.kinds[f"{what} {kind}"] += 1
        self.counts.moments[last[0] or "any time"] += 1
        self.where = f"{what}, {kind} at {moment}"

    def result(self) -> Counts:
        """Look a last time; return what was killed and lost."""
        page = self.tab()
        self.look(page)
        page.close()
        return self.counts

    def look(self, page: Page) -> None:
        """Is everything there that was shown before the last kill, and whole? The page has not written yet."""
        where, text = self.where, stored_text(page)
        before = self.counts.losses
        try:
            exercises = json.loads(text)["exercises"] if text else {}
        except ValueError:
            before.append(f"{where}: the document does not parse")
            return
        for name in self.started:
            shown, started = self.shown.get(name, -1), self.started[name]
            found = self._number(name, exercises.get(name, {}).get("source"))
            # A tab goes on saving for a moment after the last word the driver had of it, so what is found may be newer.
            if found is None or found < shown:
                before.append(
                    f"{where}: {name} was shown as answer {shown} and is now {found or exercises.get(name)!r}"
                )
            if started != shown:
                self.counts.in_flight_new += found is not None and found >= started
                self.counts.in_flight_old += found is None or found < started
            if found is not None:
                self.shown[name] = self.started[name] = found  # what is there now must stay there
                self.next = max(self.next, found + 1)

    def _number(self, name: str, source: str | None) -> int | None:
        """Which answer to the exercise this is, whole; -1 for none yet, None for what was never an answer."""
        if source is None:
            return -1
        number = re.search(r"# answer (\d+) ", source)
        i = int(number[1]) if number else -1
        return i if number and self.name(i) == name and source == answer(self.texts[name], i) else None


@contextlib.contextmanager
def browser(profile: Path) -> Iterator[tuple[BrowserContext, str]]:
    """A browser on this profile, and the address of the built site."""
    server = start_server(ROOT / "_site")
    with sync_playwright() as driver:
        context = open_profile(driver, profile)
        yield context, address(server)
        context.close()
    server.shutdown()
    server.server_close()


def main() -> int:
    """Kill as often as the command line says; exit code 1 when something was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernel", type=int, default=100)
    parser.add_argument("--app", type=int, default=0)
    parser.add_argument("--store", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=600, help="stop after so many minutes, with what was done")
    wanted = parser.parse_args()
    end = time.monotonic() + 60 * wanted.minutes
    with tempfile.TemporaryDirectory() as folder, browser(Path(folder) / "profile") as (context, base):
        killing = Killing(context, base, Path(folder) / "profile", wanted.seed)
        for what in ("kernel", "app", "store"):
            for i in range(getattr(wanted, what)):
                if time.monotonic() > end:
                    break
                killing.once(what, KINDS[i % len(KINDS)])
                if what == "kernel" or i % 10 == 9:
                    print(f"{what} {i + 1}: {len(killing.counts.losses)} lost", flush=True)
        print(killing.result())
    return 1 if killing.counts.losses else 0


if __name__ == "__main__":
    raise SystemExit(main())

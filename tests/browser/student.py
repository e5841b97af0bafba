"""A student at the keyboard: opens a lesson in a real browser, types into cells, runs them, reads what comes out."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import BrowserContext, Page, Response

CELLS = "jupyterapp.shell.currentWidget.content"
SESSION = "jupyterapp.shell.currentWidget.sessionContext.session"
FIND = f"""line => {CELLS}.widgets.findIndex(
    ({{model}}) => model.sharedModel.getSource().split('\\n', 1)[0].trim() === line)"""
IN_VIEW = f"""index => {{
    if ({CELLS}.activeCellIndex !== index || !{CELLS}.activeCell.node.isConnected) return false;
    const {{top, bottom}} = {CELLS}.activeCell.node.getBoundingClientRect();
    return top > 150 && bottom < innerHeight - 50;
}}"""
STATE = f"""index => {{
    const cell = {CELLS}.widgets[index].model;
    return {{count: cell.executionCount, state: cell.executionState, source: cell.sharedModel.getSource(),
             type: cell.type, outputs: cell.type === 'code' ? cell.outputs.toJSON() : []}};
}}"""
FORGET = (
    f"index => {{ {CELLS}.widgets[index].model.executionCount = null; }}"  # a kernel counts from 1 after each start
)
DONE = f"""index => {{
    const cell = {CELLS}.widgets[index].model;
    return cell.executionCount !== null && cell.executionState === 'idle';
}}"""
NEW_CELL = f"""async () => {{
    {CELLS}.activeCellIndex = {CELLS}.widgets.length - 1;
    await jupyterapp.commands.execute('notebook:insert-cell-below');
    return {CELLS}.widgets.length - 1;
}}"""
# JupyterLite asks for it at the root of the host; its worker answers, except on a first visit, when it is not there yet
HEARTBEAT = "/api/service-worker-heartbeat"
NOISE = (  # messages of JupyterLite itself that no setting removes, each harmless
    "was preloaded using link preload but not used",
    "Menu entry for command",
    "default shortcut because it collides",
    "Uploader widget not found",
    HEARTBEAT,
)


def within(page: Page, seconds: int, promise: str, arg: Any = None) -> Any:
    """The value of a promise of the page; an error when it is not kept in time. Its text may use `arg`."""
    late = f"new Promise((_, reject) => setTimeout(reject, {seconds * 1000}, Error('not kept within {seconds} s')))"
    return page.evaluate(f"arg => Promise.race([{promise}, {late}])", arg)


@dataclass
class Cell:
    """A run cell: its number in the notebook, its text, its outputs (nbformat)."""

    index: int
    source: str
    outputs: list[dict[str, Any]]
    seconds: float

    @property
    def text(self) -> str:
        """All outputs as plain text."""
        parts = []
        for output in self.outputs:
            data = output.get("data", {}).get("text/plain", output.get("text", ""))
            parts.append("".join(data) if isinstance(data, list) else data)
            parts += output.get("traceback", [])
        return "\n".join(parts)

    @property
    def failed(self) -> bool:
        """Whether the cell ended in an error (a traceback, as opposed to a card)."""
        return any(output["output_type"] == "error" for output in self.outputs)


@dataclass
class Student:
    """One browser tab on a lesson served at `base` (which ends in a slash)."""

    context: BrowserContext
    base: str
    page: Page = field(init=False)
    problems: list[str] = field(default_factory=list)
    bytes_received: int = 0

    def __post_init__(self) -> None:
        self.page = self.context.new_page()
        self.page.on("console", lambda message: self._note(message.type, f"{message.text} {message.location['url']}"))
        self.page.on("pageerror", lambda error: self.problems.append(f"page error: {error}"))
        self.page.on("response", self._response)
        dialog = self.page.locator("dialog.jp-Dialog", has_text="has changed on disk")
        keep = dialog.locator("button.jp-mod-warn")  # another tab saved the same notebook: the text of this one stays
        self.page.add_locator_handler(dialog, lambda: keep.first.click())

    def _note(self, kind: str, text: str) -> None:
        if kind == "error" and not any(noise in text for noise in NOISE):
            self.problems.append(f"console {kind}: {text}")

    def _response(self, response: Response) -> None:
        if response.url.startswith(("data:", "blob:")) or HEARTBEAT in response.url:
            return
        if not response.url.startswith(self.base):
            self.problems.append(f"request outside the site: {response.url}")
        if response.status >= 400:
            self.problems.append(f"HTTP {response.status}: {response.url}")

    def open(self, notebook: str, timeout: float = 120) -> float:
        """Open a lesson and wait until its kernel is ready; return the seconds that took."""
        start = time.monotonic()
        self.page.goto(f"{self.base}notebooks/index.html?path={notebook}")
        self.wait_for_page(timeout)
        self.wait_for_kernel()
        return time.monotonic() - start

    def wait_for_page(self, timeout: float = 120) -> None:
        """Wait until the notebook is there and its kernel is being started."""
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=timeout * 1000)
        self.page.wait_for_function(f"{SESSION}?.kernel", timeout=timeout * 1000)

    def wait_for_kernel(self) -> None:
        """Wait until the kernel has run something (its status says idle long before)."""
        request = "{code: 'None', silent: true, store_history: false}"
        within(self.page, 120, f"{SESSION}.kernel.requestExecute({request}).done.then(() => null)")

    def count(self) -> int:
        """Return the number of cells."""
        return int(self.page.evaluate(f"{CELLS}.widgets.length"))

    def find(self, first_line: str) -> int:
        """Return the number of the first cell that starts with this line."""
        index: int = self.page.evaluate(FIND, first_line)
        if index < 0:
            raise AssertionError(f"no cell starts with {first_line!r}")
        return index

    def state(self, index: int) -> dict[str, Any]:
        """Return source, type, outputs and execution state of a cell."""
        state: dict[str, Any] = self.page.evaluate(STATE, index)
        return state

    def select(self, index: int) -> None:
        """Bring the tab to the front, scroll to a cell and make it the active one."""
        self.page.bring_to_front()
        self.page.locator(".jp-Notebook").first.click(trial=True)  # a dialog in the way is answered
        if self.page.evaluate(IN_VIEW, index):
            return
        self.page.evaluate(
            f"index => {{ {CELLS}.activeCellIndex = index; return {CELLS}.scrollToItem(index, 'center'); }}",
            index,
        )
        self.page.wait_for_selector(".jp-Cell.jp-mod-active", state="visible")

    def type(self, index: int, text: str) -> None:
        """Replace the text of a cell from the keyboard."""
        self.select(index)
        self.page.click(".jp-Cell.jp-mod-active .cm-content")
        self.page.keyboard.press("ControlOrMeta+A")
        self.page.keyboard.insert_text(text)
        got = self.state(index)["source"]
        assert got.strip() == text.strip(), f"the page holds {got!r} after typing {text!r}"

    def run(self, index: int, timeout: float = 60) -> Cell:
        """Run a cell with Shift+Enter and wait for its result."""
        self.select(index)
        before = self.state(index)
        if before["type"] != "code":
            self.page.keyboard.press("Shift+Enter")
            return Cell(index, before["source"], [], 0.0)
        self.page.click(".jp-Cell.jp-mod-active .cm-content")
        self.page.evaluate(FORGET, index)
        start = time.monotonic()
        self.page.keyboard.press("Shift+Enter")
        self.page.wait_for_function(DONE, arg=index, timeout=timeout * 1000, polling=10)
        seconds = time.monotonic() - start
        after = self.state(index)
        return Cell(index, after["source"], after["outputs"], seconds)

    def write_and_run(self, index: int, text: str, timeout: float = 60) -> Cell:
        """Type a cell's text and run it."""
        self.type(index, text)
        return self.run(index, timeout)

    def exercise(self, name: str, source: str, timeout: float = 60) -> Cell:
        """Answer an exercise and run its checks."""
        magic = f"%%exercise {name}"
        return self.write_and_run(self.find(magic), f"{magic}\n{source}", timeout)

    def ask(self, code: str, timeout: float = 60) -> Cell:
        """Run code in a new cell below the last one."""
        return self.write_and_run(self.new_cell(), code, timeout)

    def new_cell(self) -> int:
        """Add a cell below the last one and return its number."""
        self.select(self.count() - 1)
        index: int = self.page.evaluate(NEW_CELL)
        return index

    def heap_bytes(self) -> int:
        """Return the size of the kernel's WebAssembly heap."""
        text = self.ask("import pyodide_js\nlen(pyodide_js._module.HEAPU8)").text
        return int(text.strip())


DRIVE = """import os
for i in range(100):
    with open("notes.txt", "w") as file:
        file.write(f"note {i} \N{SNOWMAN}" * i)
    with open("notes.txt") as file:
        assert file.read() == f"note {i} \N{SNOWMAN}" * i
os.remove("notes.txt")
print("100 notes", sorted(os.listdir("."))[0])"""
INPUT = """word = input("A word: ")
print(word.upper(), flush=True)
display({"text/markdown": "**shown**"}, raw=True)"""


def use_the_kernel(student: Student) -> None:
    """The drive, input() and display work."""
    said = student.ask(DRIVE, timeout=120).text
    assert said.startswith("100 notes"), said
    index = student.new_cell()
    student.type(index, INPUT)
    student.page.keyboard.press("Shift+Enter")
    box = student.page.wait_for_selector(".jp-Stdin-input", timeout=60_000)
    assert box is not None
    box.fill("hello")
    box.press("Enter")
    student.page.wait_for_selector(".jp-OutputArea-output:has-text('HELLO')", timeout=60_000)
    student.page.wait_for_selector(".jp-OutputArea-output strong:has-text('shown')", timeout=60_000)
    student.page.wait_for_function(DONE, arg=index, timeout=60_000)

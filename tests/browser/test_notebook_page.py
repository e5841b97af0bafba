"""The notebook page around the notebook: start screen, bar, messages, changed lessons, a full storage, Stop."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kills
import pytest
from conftest import ROOT, Launch, address, start_server
from playwright.sync_api import BrowserContext, Page, expect

from builder import lessons
from student import CELLS, Student

COURSE = lessons.course(ROOT)
MODULE = lessons.written(COURSE)[0]
NOTEBOOK = MODULE["notebook"]
SOLUTION = lessons.solutions(ROOT, MODULE)
NAMES = [item["name"] for item in MODULE["exercises"]]
FIRST, SECOND = NAMES[0], NAMES[1]
ALL = len(NAMES)
WORK = "tinytorch-work.json"
WAIT = 60_000  # milliseconds: the machine may be busy

# A worker that never answers: the page without its Python, which most of this is not about.
NO_PYTHON = """window.Worker = class extends EventTarget { postMessage() {} terminate() {} };"""
# What the script that starts Python reports, told by the test instead.
REPORTER = """Object.defineProperty(window, 'tinytorch', {value: {
  stage: 'Python', fraction: 0, message: '', events: new EventTarget(), interrupt: () => window.interruptible === true,
  tell(stage, fraction, message = '') {
    Object.assign(this, {stage, fraction, message});
    this.events.dispatchEvent(new Event('change'));
  }}});"""
# The browser's storage is full while `window.full` is true.
QUOTA = """const put = IDBObjectStore.prototype.put;
IDBObjectStore.prototype.put = function (...values) {
  if (window.full) throw new DOMException('full', 'QuotaExceededError');
  return put.apply(this, values);
};"""
SAVED = """async path => (await (await import(new URL('../storage.mjs', location.href))).notebooks())[path] ?? null"""


def page_of(context: BrowserContext, *scripts: str) -> Page:
    """A page in which these scripts run before all others."""
    page = context.new_page()
    page.set_default_timeout(WAIT)
    expect.set_options(timeout=WAIT)
    for script in scripts:
        page.add_init_script(script)
    return page


def show(page: Page, base: str, notebook: str = NOTEBOOK) -> None:
    """Open a notebook and wait until it is drawn and its document is there."""
    page.goto(f"{base}notebooks/index.html?path={notebook}")
    drawn(page)


def drawn(page: Page) -> None:
    """Wait until the notebook is drawn."""
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    page.wait_for_function(f"{CELLS}?.model?.cells?.length > 0 && jupyterapp.shell.currentWidget.context.isReady")


def seed(page: Page, base: str, models: dict[str, Any], work: dict[str, Any] | None = None) -> None:
    """Store notebooks (None deletes) and entries of the work document, without any app."""
    page.goto(f"{base}course.json")
    page.evaluate(
        """async ([address, books, entries]) => {
            const storage = await import(address);
            const models = {};
            for (const [path, book] of Object.entries(books)) models[path] = book && storage.notebookModel(path, book);
            await storage.putFiles(models);
            if (entries) await storage.changeWork(document => ({...document, exercises: entries}));
        }""",
        [f"{base}storage.mjs", models, work],
    )


def stored(page: Page, path: str = NOTEBOOK) -> dict[str, Any] | None:
    """Return the stored copy of a notebook, if there is one."""
    model = page.evaluate(SAVED, path)
    return model and dict(model["content"])


def passed(*names: str) -> dict[str, Any]:
    """Return entries of the work document for solved exercises."""
    return {name: {"status": "passed", "source": "", "updated": "2026-01-01T00:00:00.000Z"} for name in names}


def shipped(site: Path) -> dict[str, Any]:
    """Return the lesson as the site ships it."""
    book: dict[str, Any] = json.loads((site / "files" / NOTEBOOK).read_text("utf-8"))
    return book


def text_of(cell: dict[str, Any]) -> str:
    """Return the text of a cell of a notebook file."""
    return "".join(cell["source"])


def cell_of(book: dict[str, Any], exercise: str) -> dict[str, Any]:
    """Return the cell of an exercise."""
    found: dict[str, Any] = next(c for c in book["cells"] if text_of(c).startswith(f"%%exercise {exercise}\n"))
    return found


def message(page: Page, name: str) -> Any:
    """Return the locator of one of the page's messages."""
    return page.locator(f'.tinytorch-message[data-id="{name}"]')


def test_start_screen_is_there_from_the_first_paint(base: str, launch: Launch) -> None:
    """Before any script of the app has come: course, lesson, three stages, a bar that follows what is reported."""
    page = page_of(launch(), NO_PYTHON, REPORTER)
    held: list[Any] = []
    page.route("**/bundle.js*", lambda route: held.append(route))
    page.goto(f"{base}notebooks/index.html?path={NOTEBOOK}", wait_until="commit")
    screen = page.locator("#tinytorch-start")
    expect(screen).to_contain_text(f"Module {MODULE['id']}: {MODULE['title']}")
    for stage in ("Python", "NumPy", "your work"):
        expect(page.locator("#tinytorch-stages")).to_contain_text(stage)
    assert page.locator("#jupyterlite-loading-indicator").count() == 0
    page.wait_for_selector("#tinytorch-bar", state="attached")
    bar = page.locator("#tinytorch-stages")
    for stage, fraction, percent in (("Python", 0.5, "17"), ("NumPy", 0.5, "50"), ("your work", 0.9, "97")):
        page.evaluate("([stage, fraction]) => tinytorch.tell(stage, fraction)", [stage, fraction])
        expect(bar).to_have_attribute("aria-valuenow", percent)
        expect(bar.locator('[data-state="current"]')).to_have_text(stage)
    expect(page.locator("#tinytorch-start-text[role=status]")).to_contain_text("your work")

    page.evaluate("tinytorch.tell('NumPy', 0.25)")
    page.wait_for_timeout(0)
    for route in held:
        route.continue_()
    drawn(page)
    expect(screen).to_have_count(0)
    expect(page.locator("#tinytorch-starting")).to_have_text("Python is starting: NumPy")
    page.evaluate("tinytorch.tell('failed', 0.25, 'start.bin could not be loaded')")
    expect(message(page, "start")).to_contain_text("Python could not start: start.bin could not be loaded.")
    expect(message(page, "start")).to_contain_text("reload the page")
    page.evaluate("tinytorch.tell('ready', 1)")
    expect(page.locator("#tinytorch-starting")).to_be_hidden()
    expect(message(page, "start")).to_have_count(0)
    expect(page).to_have_title(f"Module {MODULE['id']}: {MODULE['title']} - TinyTorch")


def test_a_page_that_does_not_load_says_what_to_do(base: str, launch: Launch) -> None:
    """The app's script is missing: the start screen says so instead of waiting for ever, also when it comes later."""
    page = page_of(launch(width=320, height=640))
    held: list[Any] = []
    page.route("**/notebook.mjs*", lambda route: held.append(route))
    page.route("**/bundle.js*", lambda route: route.abort())
    page.goto(f"{base}notebooks/index.html?path={NOTEBOOK}", wait_until="commit")
    page.wait_for_timeout(2000)
    assert held, "our script has not come yet"
    for route in held:
        route.continue_()
    expect(page.locator("#tinytorch-start-text")).to_contain_text("could not be loaded completely")
    expect(page.locator("#tinytorch-start-text button")).to_have_text("Reload")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_a_part_that_fails_during_a_question_is_said_after_it(base: str, launch: Launch) -> None:
    """The start screen asks what to do with a changed lesson, and the app's script fails meanwhile."""
    page = page_of(launch())
    page.context.route("**/*.bin", lambda route: None)  # Python does not come, and has nothing to report
    held: list[Any] = []
    page.route("**/bundle.js*", lambda route: held.append(route))
    page.goto(f"{base}notebooks/index.html?path={NOTEBOOK}", wait_until="commit")
    page.wait_for_selector("#tinytorch-start-text")
    asked = "import(new URL('../notebook-start.mjs', location)).then(({ask}) => ask(['Keep it?'], [{label: 'Keep'}]))"
    page.evaluate(f"() => {{ {asked}; }}")
    keep = page.get_by_role("button", name="Keep")
    keep.wait_for()
    for route in held:
        route.abort()
    page.wait_for_function("tinytorch.missing")
    expect(page.locator("#tinytorch-start-text")).not_to_contain_text("completely")
    keep.click()
    expect(page.locator("#tinytorch-start-text")).to_contain_text("could not be loaded completely")


def test_bar_shows_the_way_and_the_progress(base: str, launch: Launch) -> None:
    """Back, progress that changes while the page is open, next; a link that leaves saves first; 320 px; milestones."""
    page = page_of(launch(), NO_PYTHON, REPORTER)
    seed(page, base, {}, passed(FIRST, SECOND))
    show(page, base)
    expect(page.locator("#tinytorch-progress")).to_contain_text(f"2 of {ALL}")
    assert page.locator("#tinytorch-progress i").count() == ALL
    assert page.locator('#tinytorch-progress i[data-done="true"]').count() == 2
    following = lessons.written(COURSE)[1]
    expect(page.locator("#tinytorch-next")).to_contain_text(f"Next: {following['id']} {following['title']}")
    page.evaluate(
        """([path, entries]) => jupyterapp.serviceManager.contents.save(path, {type: 'file', format: 'text',
            content: JSON.stringify({schema: 1, exercises: entries})})""",
        [WORK, passed(*NAMES[:5])],
    )
    expect(page.locator("#tinytorch-progress")).to_contain_text(f"5 of {ALL}")

    above, below = page.locator("#tinytorch-top").bounding_box(), page.locator("#main").bounding_box()
    assert above and below and above["y"] + above["height"] == below["y"], "the bar covers nothing"
    page.set_viewport_size({"width": 320, "height": 640})
    expect(page.locator("#tinytorch-progress")).to_be_hidden()  # how the start goes has its place
    page.evaluate("tinytorch.tell('ready', 1)")
    expect(page.locator("#tinytorch-progress")).to_be_visible()
    for part in ("#tinytorch-home", "#tinytorch-where", "#tinytorch-progress", "#tinytorch-next a"):
        box = page.locator(part).bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= 320, (part, box)

    page.evaluate(f"{CELLS}.model.cells.get(0).sharedModel.setSource('typed a moment ago')")
    page.locator("#tinytorch-home").focus()
    for _ in range(3):  # where, progress and the start are no stops
        if page.evaluate("document.activeElement.parentElement.id") == "tinytorch-next":
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**path={following['notebook']}")
    drawn(page)
    book = stored(page)
    assert book and text_of(book["cells"][0]) == "typed a moment ago"

    milestone = lessons.milestones(COURSE)[0]
    show(page, base, milestone["notebook"])
    expect(page.locator("#tinytorch-where")).to_have_text(f"Milestone {milestone['id']} {milestone['title']}")
    expect(page.locator("#tinytorch-progress")).to_contain_text("not passed yet")
    page.click("#tinytorch-home")
    page.wait_for_url(re.compile(re.escape(base) + "(index.html)?$"))


# ---- changed lessons ---------------------------------------------------------------------------


@pytest.fixture
def release(site: Path, tmp_path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The address of a later release, in which the first lesson has changed and one exercise has another name."""
    folder = tmp_path / "site"
    shutil.copytree(site, folder, copy_function=os.link)
    book = shipped(site)
    for cell in book["cells"]:
        cell["source"] = text_of(cell)
    book["cells"][0]["source"] += "\n\nA new sentence."
    cell_of(book, SECOND)["source"] = cell_of(book, SECOND)["source"].replace(SECOND, "common_type")
    book["metadata"]["tinytorch"].update(lesson="feedfeedfeedfeed", release="0.2.0")
    page = folder / "notebooks/index.html"
    html = page.read_text("utf-8").replace(shipped(site)["metadata"]["tinytorch"]["lesson"], "feedfeedfeedfeed")
    html = html.replace('"renamed": {}', json.dumps({"renamed": {SECOND: "common_type"}})[1:-1])
    html = re.sub('"release": "[^"]+"', '"release": "0.2.0"', html)
    for path, text in ((page, html), (folder / "files" / NOTEBOOK, json.dumps(book))):
        path.unlink()  # a link: the site itself must not change
        path.write_text(text, "utf-8")
    server = start_server(folder)
    yield address(server), book
    server.shutdown()
    server.server_close()


COPY = NOTEBOOK.replace(".ipynb", " (before 0.2.0).ipynb")


def test_an_untouched_lesson_is_replaced_silently(
    site: Path, release: tuple[str, dict[str, Any]], launch: Launch
) -> None:
    """A stored copy in which nothing was written gives way to the new lesson; the same lesson is never touched."""
    base, new = release
    page = page_of(launch(), NO_PYTHON)
    seed(page, base, {NOTEBOOK: shipped(site)})
    show(page, base)
    assert page.evaluate(f"{CELLS}.model.cells.get(0).sharedModel.getSource()").endswith("A new sentence.")
    assert page.locator(".tinytorch-message").count() == 0
    new["cells"][2]["source"] = "mine"
    seed(page, base, {NOTEBOOK: new})
    show(page, base)
    assert page.evaluate(f"{CELLS}.model.cells.get(2).sharedModel.getSource()") == "mine"


ANSWER = f"%%exercise {SECOND}\ndef {SECOND}(a, b):\n    return a  # mine"


def worked_on(site: Path) -> dict[str, Any]:
    """Return the lesson with two answers, a changed cell and an added one."""
    book = shipped(site)
    cell_of(book, SECOND)["source"] = ANSWER
    cell_of(book, FIRST)["source"] = f"%%exercise {FIRST}\n{SOLUTION[FIRST]}"
    book["cells"][0]["source"] = "# My title"
    book["cells"].append({"cell_type": "markdown", "id": "added", "metadata": {}, "source": "My note"})
    return book


def test_a_changed_lesson_that_was_worked_on(site: Path, release: tuple[str, dict[str, Any]], launch: Launch) -> None:
    """Keep mine is remembered; the new lesson takes over the answers, also of a renamed exercise; nothing is lost."""
    base, _ = release
    page = page_of(launch(), NO_PYTHON)
    mine = worked_on(site)
    seed(page, base, {NOTEBOOK: mine})
    page.goto(f"{base}notebooks/index.html?path={NOTEBOOK}")
    expect(page.locator("#tinytorch-start-text")).to_contain_text("This lesson has changed since you started it.")
    expect(page.locator("#tinytorch-start-text")).to_contain_text("your 2 answers")
    expect(page.locator("#tinytorch-stages")).to_be_hidden()
    page.get_by_role("button", name="Keep mine").click()
    for _ in range(2):
        drawn(page)
        assert page.evaluate(f"{CELLS}.model.cells.get(0).sharedModel.getSource()") == "# My title"
        page.reload()
    assert stored(page, COPY) is None

    seed(page, base, {NOTEBOOK: mine})
    page.goto(f"{base}notebooks/index.html?path={NOTEBOOK}")
    page.get_by_role("button", name="Take the new lesson").click()
    drawn(page)
    expect(message(page, "lesson")).to_contain_text(COPY)
    book, copy = stored(page), stored(page, COPY)
    assert book and copy
    assert text_of(book["cells"][0]).endswith("A new sentence.")
    assert text_of(cell_of(book, "common_type")) == ANSWER.replace(SECOND, "common_type")
    assert SOLUTION[FIRST] in text_of(cell_of(book, FIRST))
    assert "not written yet" in text_of(cell_of(book, NAMES[2]))
    assert [text_of(cell) for cell in copy["cells"]] == [text_of(cell) for cell in mine["cells"]]
    assert page.evaluate(f"{CELLS}.model.cells.get(0).sharedModel.getSource()").endswith("A new sentence.")

    seed(page, base, {NOTEBOOK: mine})
    page.goto(f"{base}notebooks/index.html?path={NOTEBOOK}")
    with page.context.expect_page() as opened:
        page.get_by_role("button", name="Keep both").click()
    second = COPY.replace("0.2.0)", "0.2.0, 2)")
    expect(message(page, "lesson")).to_contain_text(second)
    other = opened.value
    drawn(other)
    assert other.evaluate(f"{CELLS}.model.cells.get(0).sharedModel.getSource()") == "# My title"
    expect(other.locator("#tinytorch-where")).to_have_text(f"{MODULE['id']} {MODULE['title']} copy")


# ---- storage -----------------------------------------------------------------------------------

NO_STORAGE = """IDBFactory.prototype.open = () => { throw new DOMException('denied', 'SecurityError'); };"""
PRIVATE = """navigator.storage.getDirectory = () => Promise.reject(new DOMException('private', 'SecurityError'));"""


@pytest.mark.parametrize(("script", "words"), [(NO_STORAGE, "stores nothing"), (PRIVATE, "private window")])
def test_storage_that_keeps_nothing_is_said_before_work_starts(
    base: str, launch: Launch, script: str, words: str
) -> None:
    """The message is there with the notebook, offers the export, and can be closed."""
    page = page_of(launch(width=320, height=640), NO_PYTHON, script)
    page.goto(f"{base}notebooks/index.html?path={NOTEBOOK}")
    note = message(page, "storage")
    expect(note).to_contain_text(words)
    expect(note.get_by_role("link")).to_have_attribute("href", base)
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    note.get_by_role("button", name="Close").click()
    expect(note).to_have_count(0)


def test_a_full_storage_is_said_and_the_work_can_be_exported(base: str, launch: Launch) -> None:
    """No save goes through: one message, no dialog, an export from memory; with room again all is saved."""
    page = page_of(launch(), NO_PYTHON, QUOTA)
    seed(page, base, {}, passed(FIRST))
    show(page, base)
    page.evaluate(f"window.full = true; {CELLS}.model.cells.get(0).sharedModel.setSource('in memory only')")
    page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    note = message(page, "full")
    expect(note).to_contain_text("storage of this browser is full")
    page.evaluate(
        """([path, entries]) => jupyterapp.serviceManager.contents.save(path, {type: 'file', format: 'base64',
            content: btoa(JSON.stringify({schema: 1, exercises: entries}))}).catch(() => {})""",
        [WORK, passed(FIRST, SECOND)],
    )
    with page.expect_download() as download:
        note.get_by_role("button", name="Export now").click()
    assert re.fullmatch(r"tinytorch-work-[\d-]{10}\.zip", download.value.suggested_filename)
    with zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes())) as archive:
        assert archive.testzip() is None
        book = json.loads(archive.read(f"notebooks/{NOTEBOOK}"))
        assert text_of(book["cells"][0]) == "in memory only"
        assert set(json.loads(archive.read(WORK))["exercises"]) == {FIRST, SECOND}
    assert page.locator("dialog.jp-Dialog, .jp-Dialog").count() == 0, "the app adds no dialog of its own"
    page.evaluate("window.full = false")
    note.get_by_role("button", name="Try again").click()
    expect(note).to_have_count(0)
    expect(message(page, "room")).to_contain_text("Your work is saved")
    saved = stored(page)
    assert saved and text_of(saved["cells"][0]) == "in memory only"
    expect(page.locator("#tinytorch-progress")).to_contain_text(f"2 of {ALL}")

    page.evaluate(f"window.full = true; {CELLS}.model.cells.get(0).sharedModel.setSource('typed later')")
    expect(note).to_be_visible()  # after the next automatic save
    page.evaluate("window.full = false")
    expect(note).to_have_count(0)  # after the one that follows


def test_a_reset_on_the_map_reloads_the_open_notebook(site: Path, base: str, launch: Launch) -> None:
    """The notebook shows what is stored, keeps what was typed elsewhere and not yet saved, and offers a new Python."""
    page = page_of(launch(), NO_PYTHON)
    mine = shipped(site)
    cell_of(mine, FIRST)["source"] = "%%exercise " + FIRST + "\nmine = 1"
    seed(page, base, {NOTEBOOK: mine})
    show(page, base)
    page.evaluate(f"{CELLS}.model.cells.get(0).sharedModel.setSource('typed and not saved')")
    other = page_of(page.context)
    seed(other, base, {NOTEBOOK: shipped(site)}, passed(SECOND))
    other.evaluate(
        """message => new BroadcastChannel('tinytorch').postMessage(message)""",
        {"type": "reset", "exercises": [FIRST], "notebooks": [NOTEBOOK]},
    )
    expect(message(page, "reset")).to_contain_text("changed on the map")
    expect(page.locator("#tinytorch-progress")).to_contain_text(f"1 of {ALL}")
    sources = page.evaluate(f"[...{CELLS}.model.cells].map(cell => cell.sharedModel.getSource())")
    assert sources[0] == "typed and not saved"
    stub = next(source for source in sources if source.startswith(f"%%exercise {FIRST}\n"))
    assert "not written yet" in stub


# ---- with Python -------------------------------------------------------------------------------


def test_stop_ends_a_cell_or_restarts_python(base: str, launch: Launch) -> None:
    """A cell that ends when told to; one that does not: wait, then restart, and the saved answer is there again.

    What the new Python has to say (the document was damaged meanwhile) is said in the next cell.
    """
    student = Student(launch(), base)
    page = student.page
    page.set_default_timeout(WAIT)
    page.add_init_script(REPORTER.replace("'Python'", "'ready'"))
    student.open(NOTEBOOK)
    expect(page.locator("#tinytorch-progress")).to_contain_text(f"0 of {ALL}")
    assert student.exercise(FIRST, SOLUTION[FIRST]).text.startswith("passed")
    expect(page.locator("#tinytorch-progress")).to_contain_text(f"1 of {ALL}")

    button = page.locator('[data-command="notebook:interrupt-kernel"]')
    expect(button).to_have_text("Stop")
    button.click()
    expect(message(page, "stop")).to_contain_text("No cell is running.")
    student.select(student.count() - 1)
    page.evaluate("jupyterapp.commands.execute('notebook:insert-cell-below')")
    last = student.count() - 1

    student.type(last, "import time\ntime.sleep(2)")
    page.evaluate("window.interruptible = true")
    page.keyboard.press("Shift+Enter")
    busy = f"{CELLS}.widgets[{last}].model.executionState === 'running'"
    page.wait_for_function(busy)
    button.click()
    page.wait_for_function(busy.replace("=== 'running'", "=== 'idle'"))
    assert page.locator("dialog.tinytorch-dialog").count() == 0

    student.type(last, "while True: pass")
    page.keyboard.press("Shift+Enter")
    page.wait_for_function(busy)
    dialog = page.locator("dialog.tinytorch-dialog")
    page.evaluate("window.interruptible = false")
    page.keyboard.press("Escape")
    page.keyboard.press("i")
    page.keyboard.press("i")
    expect(dialog).to_contain_text("This cell does not answer. Restart Python?")
    dialog.get_by_role("button", name="Wait").click()
    expect(dialog).to_have_count(0)
    assert page.evaluate(busy)
    text = kills.stored(student.context, base)
    assert text
    kills.replace(student.context, base, text[:-4])  # its last brackets
    button.click()
    dialog.get_by_role("button", name="Restart").click()
    expect(message(page, "stop")).to_contain_text("is restarting")
    expect(message(page, "stop")).to_contain_text("was restarted", timeout=120_000)
    assert not page.evaluate(busy)
    said = student.ask("import tinytorch as tt\ntt.tensor([1.5]).tolist()", timeout=120).text
    assert "was damaged" in said and said.strip().endswith("[1.5]"), said
    assert student.problems == []

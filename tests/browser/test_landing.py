"""The landing page: map, wall, export and import, reset and undo, storage, keyboard, screen readers, speed."""

from __future__ import annotations

import copy
import io
import json
import os
import statistics
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import landing
import pytest
from axe import axe
from conftest import ROOT, Launch, address, start_server
from landing import WORK, document, drawn, exercises, export, model, opened, reset, said, seed, stored, until
from playwright.sync_api import BrowserContext, Page, Response, Route

from builder import lessons, package_spans
from checks import source, work
from checks.loader import Package
from student import Student

COURSE = lessons.course(ROOT)
OPEN = lessons.written(COURSE)
SOLUTIONS = {name: text for module in OPEN for name, text in lessons.solutions(ROOT, module).items()}
FIRST, SECOND = OPEN[0], OPEN[1]
NAMES = [exercise["name"] for exercise in FIRST["exercises"]]
BOOK = FIRST["notebook"]
HOUR = "2026-11-{:02}T10:00:00.000Z"


def entry(name: str, day: int = 2, **fields: Any) -> dict[str, Any]:
    """An entry of a solved exercise."""
    module = next(m["id"] for m in OPEN if any(e["name"] == name for e in m["exercises"]))
    text = SOLUTIONS[name]
    solved = {"status": "passed", "source": text, "passed_source": text, "attempts": 2, "points": 3, "of": 3}
    times = {"updated": HOUR.format(day), "first_passed": HOUR.format(day)}
    return {"module": module, **solved, **times, **fields}


def milestone(number: int, **fields: Any) -> dict[str, Any]:
    """An entry of a milestone that passed."""
    claims = ["99.2 % of the digits 0 and 1 are recognized"]
    times = {"updated": HOUR.format(9), "first_passed": HOUR.format(9), "seconds": 12.4}
    return {"module": f"M{number}", "status": "passed", "claims": claims, "picture": landing.PICTURE, **times, **fields}


def work_of_a_month() -> dict[str, Any]:
    """Module 01 solved, 02 begun, one exercise filled in, one wrong answer, a milestone."""
    done = {name: entry(name) for name in NAMES}
    names = [exercise["name"] for exercise in SECOND["exercises"]]
    begun = {name: entry(name, 3) for name in names[:4]}
    begun[names[3]]["recheck"] = "softmax(x) of a newer release is asked for one more case"
    begun[names[4]] = entry(names[4], 4, status="not yet", first_passed=None, passed_source=None)
    begun[names[5]] = {"module": SECOND["id"], "status": "given", "given": True, "updated": HOUR.format(4)}
    return {**done, **begun, "milestone 1": milestone(1)}


def notebook(site: Path, name: str = BOOK, answers: tuple[str, ...] = ()) -> dict[str, Any]:
    """A lesson as the site ships it, with answers in the cells of some exercises."""
    book: dict[str, Any] = json.loads((site / "files" / name).read_text("utf-8"))
    for cell in book["cells"]:
        exercise = cell["metadata"].get("tinytorch", {}).get("exercise")
        if exercise in answers:
            cell["source"] = f"%%exercise {exercise}\n{SOLUTIONS[exercise]}"
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "passed"}]
            cell["execution_count"] = 3
    return book


@pytest.fixture
def page(launch: Launch, base: str) -> Page:
    """The landing page on an empty profile, without the service worker."""
    context = launch()
    landing.without_worker(context)
    return opened(context, base)


def with_work(page: Page, files: dict[str, Any], checkpoints: dict[str, Any] | None = None) -> None:
    seed(page, files, checkpoints)
    page.reload()
    drawn(page)


# ---- the package -------------------------------------------------------------------------------

ODD = '''# a comment before it goes

{head}
    r"""A docstring
  whose second line is not indented.
    """
    text = """lines of a string
keep their column
      """ f"""{{len("a")!r:>{{4}}}} and {{{{ braces }}}}
too"""
    def inner():
        'inner'; return (
"in brackets"
        )

    # a comment in the body
    if text: return [text, b"""
bytes""", inner, \'\'\'
{{}}\'\'\']  # at the end
    return None
  # a comment after it goes too
'''


def odd(name: str) -> str:
    """An answer that Python takes, laid out so that careless text handling would break it."""
    header = source.definition(SKELETON[FILE[name]], name).split("\n", 1)[0]
    return ODD.format(head=header) if header.startswith("def ") and header.endswith(":") else SOLUTIONS[name]


SKELETON = lessons.skeleton(ROOT, COURSE)
FILE = {exercise["name"]: exercise["file"] for module in OPEN for exercise in module["exercises"]}
DOCUMENTS: dict[str, Callable[[], dict[str, str]]] = {
    "nothing": dict,
    "all": lambda: dict(SOLUTIONS),
    "half": lambda: {name: SOLUTIONS[name] for name in list(SOLUTIONS)[::2]},
    "odd": lambda: {name: odd(name) for name in SOLUTIONS},
    "carriage returns": lambda: {name: odd(name).replace("\n", "\r\n") for name in list(SOLUTIONS)[::3]},
}


def of_the_kit(folder: Path, answers: dict[str, str]) -> dict[str, str]:
    """The package as the kit writes it at the start of a kernel."""
    by_file: dict[str, dict[str, str]] = {}
    for name, text in answers.items():
        by_file.setdefault(FILE[name], {})[name] = text
    Package(folder, "tinytorch", SKELETON).write(by_file)
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in folder.rglob("*.py")}


ASSEMBLE = """async ([entries, filled, data]) => {
    const {assemble} = await import('./splice.mjs');
    return assemble(data ?? await (await fetch('skeleton.json')).json(), entries, filled ?? {});
}"""


def test_the_package_is_the_one_that_the_kit_writes(page: Page, tmp_path: Path) -> None:
    """File by file, for documents whose answers are laid out in every way Python allows."""
    for label, answers in DOCUMENTS.items():
        entries = {name: {"source": text} for name, text in answers().items()}
        made = page.evaluate(ASSEMBLE, [entries, None, None])
        assert made == {"files": of_the_kit(tmp_path / label, answers()), "leftOut": []}, label
    filled = {NAMES[0]: SOLUTIONS[NAMES[0]]}
    mixed: dict[str, Any] = {
        NAMES[0]: {"given": True, "source": odd(NAMES[0])},
        NAMES[2]: {"source": "def numel(self):\n  return '"},
    }
    made = page.evaluate(ASSEMBLE, [mixed, filled, None])
    assert made == {"files": of_the_kit(tmp_path / "given", filled), "leftOut": [NAMES[2]]}


def test_properties_and_inner_classes_are_spliced_as_in_the_kit(page: Page) -> None:
    """Definitions of several parts, with decorators, in classes in classes."""
    text = "class A:\n    @property\n    def x(self):\n        return 1\n\n    y = 2\n\n    @x.setter\n"
    text += "    def x(self, value):\n        pass\n\n    class B:\n        def f(self):\n            pass\n"
    text += "\n        z = 1\n"
    text += "\n\ndef g(): return 1\n"
    both = '@property\ndef x(self):\n    return """\n1"""\n\n\n@x.setter\ndef x(self, value):\n    self.v = value\n'
    answers = {"A.x": both, "A.B.f": "def f(self):\n    return {\n  1: 2}\n", "g": "async def g():\n    return 2\n"}
    places = {name: package_spans.place(text, "a.py", name) for name in answers}
    data = {"files": {"a.py": text}, "exercises": places}
    made = page.evaluate(ASSEMBLE, [{name: {"source": answer} for name, answer in answers.items()}, None, data])
    assert made["files"]["a.py"] == source.splice_all(text, answers)


# ---- export and import -------------------------------------------------------------------------


def map_of(page: Page) -> str:
    """Everything that the map, the wall and the button say."""
    return "\n".join(page.inner_text(selector) for selector in ("#continue", "#progress", "#map", "#wall"))


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        return {name: file.read(name) for name in file.namelist()}


def test_export_clear_import_elsewhere_and_go_on(site: Path, launch: Launch, base: str, tmp_path: Path) -> None:
    """The same map and the same package on another origin; pip's view of it; a lesson there has the answers."""
    context = launch()
    landing.without_worker(context)
    here = opened(context, base)
    book = model(BOOK, notebook(site, answers=(NAMES[0],)))
    with_work(here, {WORK: document(work_of_a_month()), BOOK: book})
    before = map_of(here)
    assert f"You have solved {len(NAMES) + 4} of" in before and "99.2 % of the digits" in before
    first = contents(export(here, tmp_path))
    assert "92" not in here.inner_text("#said")

    names = {"README.txt", "release.json", WORK, f"notebooks/{BOOK}", "package/pyproject.toml"}
    package = {name: data for name, data in first.items() if name.startswith("package/tinytorch/")}
    assert set(first) == names | set(package)
    answers = {name: e["source"] for name, e in work_of_a_month().items() if e.get("source")}
    given = SECOND["exercises"][5]["name"]
    kit = of_the_kit(tmp_path / "kit", {**answers, given: SOLUTIONS[given]})
    assert {name.removeprefix("package/tinytorch/"): data.decode() for name, data in package.items()} == kit
    project = tomllib.loads(first["package/pyproject.toml"].decode())["project"]
    assert project["name"] == "tinytorch" and project["version"] == COURSE["release"]

    reset(here, "Everything")
    assert "You have solved" not in map_of(here)
    file = next(tmp_path.glob("tinytorch-work-*.zip"))
    with zipfile.ZipFile(file) as archive:
        archive.extractall(tmp_path / "out")
    code = "import tinytorch as torch; print(torch.tensor([1.5, 2.0]).numel(), torch.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "out/package")}
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ran.stdout.startswith(f"2 {tmp_path}/out/package"), ran.stderr

    server = start_server(site)
    there = opened(context, address(server))
    there.set_input_files("#import-file", file)
    told = said(there, "Imported")
    assert told == f"Imported {len(NAMES) + 6} exercises, 1 milestone and 1 notebook.", told
    there.wait_for_selector('[data-module="01"][data-state="done"]')
    assert map_of(there) == before
    (tmp_path / "again").mkdir()
    second = contents(export(there, tmp_path / "again"))
    assert {name: data for name, data in second.items() if name.startswith("package/")} == {
        name: data for name, data in first.items() if name.startswith("package/")
    }
    assert second[f"notebooks/{BOOK}"] == first[f"notebooks/{BOOK}"]
    assert json.loads(second[WORK])["exercises"] == json.loads(first[WORK])["exercises"]
    there.set_input_files("#import-file", file)
    assert "Nothing new" in said(there, "already here")
    there.close()
    here.close()

    student = Student(context, address(server))
    student.open(BOOK)
    cell = student.state(student.find(f"%%exercise {NAMES[0]}"))
    assert cell["source"] == f"%%exercise {NAMES[0]}\n{SOLUTIONS[NAMES[0]]}"
    assert student.ask("import tinytorch as tt\ntt.tensor([[1.5, 2.0]]).numel()").text.strip() == "2"
    card = student.run(student.find(f"%%exercise {NAMES[0]}"))
    assert card.text.startswith("passed"), card.text
    student.page.goto(student.base)
    student.page.wait_for_selector('[data-module="01"][data-state="done"]')
    server.shutdown()
    server.server_close()


def test_import_merges_and_can_be_undone(page: Page, site: Path, tmp_path: Path) -> None:
    """The later answer wins, what only one side has stays, a differing notebook is put beside the student's own."""
    a, b, c, d = NAMES[:4]
    old = {a: entry(a, 3, attempts=5), b: entry(b, 3), d: entry(d, 2), "milestone 1": milestone(1)}
    with_work(page, {WORK: document(old), BOOK: model(BOOK, notebook(site, answers=(a,)))})
    file = export(page, tmp_path)
    newer = {
        a: entry(a, 4, source="# mine\n" + SOLUTIONS[a], attempts=1),
        b: entry(b, 2),
        c: entry(c, 5),
        d: entry(d, 2),
    }
    pristine = model(SECOND["notebook"], notebook(site, SECOND["notebook"]))
    mine = model(BOOK, notebook(site, answers=(a, b)))
    with_work(page, {WORK: document(newer), BOOK: mine, SECOND["notebook"]: pristine})
    before = stored(page)["files"]
    page.set_input_files("#import-file", file)
    told = said(page, "Imported")
    name = BOOK.replace(".ipynb", " (imported).ipynb")
    assert told.startswith("Imported 2 exercises, 1 milestone and 1 notebook; 1 already here."), told
    assert name in told
    now, files = exercises(page), stored(page)["files"]
    assert now[a]["source"].startswith("# mine") and now[a]["attempts"] == 5, "later answer, larger count"
    assert now[b]["updated"] == HOUR.format(3) and now[c] == newer[c] and now[d] == newer[d]
    assert now["milestone 1"]["claims"] == milestone(1)["claims"]
    assert files[BOOK] == mine and files[SECOND["notebook"]] == pristine
    assert files[name]["content"]["cells"][2]["source"] == notebook(site, answers=(a,))["cells"][2]["source"]
    page.click("#undo")
    said(page, "Undone: import.")
    after = stored(page)["files"]
    assert {path: after[path] for path in after if path != WORK} == {p: before[p] for p in before if p != WORK}
    assert without_times(exercises(page)) == without_times({**newer, "milestone 1": {"module": "M1", "source": None}})
    assert page.is_hidden("#undo")


def without_times(entries: dict[str, Any]) -> dict[str, Any]:
    return {name: {k: v for k, v in item.items() if k != "updated"} for name, item in entries.items()}


def packed(files: dict[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_files_that_cannot_be_imported(page: Page, site: Path) -> None:
    """Each is refused with a sentence that says what is wrong, and changes nothing; a folder around it is no harm."""
    with_work(page, {WORK: document({NAMES[0]: entry(NAMES[0])})})
    before = stored(page)
    release = json.dumps({"format": 1, "release": "0.1.0", "date": HOUR.format(1)})
    doc = json.dumps({"schema": 1, "exercises": {NAMES[1]: entry(NAMES[1])}})
    good: dict[str, str | bytes] = {"release.json": release, WORK: doc}
    whole = packed(good)
    place = whole.index(b"release.json") + 20
    refused: list[tuple[bytes, str]] = [
        (b"no zip at all", "not a file that this page exported"),
        (b"", "not a file that this page exported"),
        (packed({"holiday.jpg": b"x"}), "not a file that this page exported"),
        (packed({"release.json": "{}", WORK: doc}), "not a file that this page exported"),
        (packed({"release.json": release}), "not a file that this page exported"),
        (whole[: len(whole) // 2], "damaged"),
        (whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :], "damaged"),
        (packed({**good, WORK: doc[:-9]}), f"{WORK} in the file is damaged"),
        (packed({**good, WORK: "[]"}), "damaged"),
        (packed({**good, f"notebooks/{BOOK}": "{}"}), "is not a notebook"),
        (packed({**good, "release.json": release.replace(": 1", ": 2")}), "newer release"),
        (packed({**good, WORK: doc.replace('"schema": 1', '"schema": 2')}), "newer release"),
        (packed({**good, "notebooks/../evil.ipynb": "{}"}), "lead out of its folder"),
        (packed({**good, "/etc/x.ipynb": "{}"}), "lead out of its folder"),
        (packed({**good, "notebooks/a\\b.ipynb": "{}"}), "lead out of its folder"),
        (packed({**good, "notebooks/big.ipynb": b" " * 201_000_000}), "larger than 200 MB"),
    ]
    for data, words in refused:
        page.set_input_files("#import-file", {"name": "x.zip", "mimeType": "application/zip", "buffer": data})
        said(page, words)
        page.evaluate("document.getElementById('said').textContent = ''")
    assert stored(page) == before
    again = {f"my-work/{name}": data for name, data in good.items()} | {"__MACOSX/my-work/._release.json": "x"}
    drop(page, packed(again))
    said(page, "Imported 1 exercise.")
    assert exercises(page)[NAMES[1]] == entry(NAMES[1])


def drop(page: Page, data: bytes) -> None:
    """Drop a file on the page."""
    page.evaluate(
        """bytes => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([Uint8Array.from(bytes)], 'work.zip', {type: 'application/zip'}));
            document.body.dispatchEvent(new DragEvent('drop', {dataTransfer, bubbles: true, cancelable: true}));
        }""",
        list(data),
    )


# ---- reset and undo ----------------------------------------------------------------------------

LISTEN = """() => {
    globalThis.heard = [];
    new BroadcastChannel('tinytorch').onmessage = ({data}) => heard.push(data);
}"""


def test_every_reset_and_its_undo(page: Page, site: Path) -> None:
    """An exercise, a module, a milestone, everything: what goes, what stays, what comes back, also after a reload."""
    a, b = NAMES[:2]
    work_before = work_of_a_month()
    own = model("notes.ipynb", {**notebook(site), "cells": []})
    files = {WORK: document(work_before), BOOK: model(BOOK, notebook(site, answers=(a, b))), "notes.ipynb": own}
    with_work(page, files, {BOOK: [files[BOOK]]})
    listener = page.context.new_page()
    listener.goto(page.url)
    listener.evaluate(LISTEN)
    page.bring_to_front()  # clicks in a tab behind another one take seconds
    before, map_before = stored(page), map_of(page)

    def undone() -> None:
        page.reload()
        drawn(page)
        page.click("#undo")
        said(page, "Undone")
        after = stored(page)
        for path in (BOOK, "notes.ipynb"):
            assert after["files"][path] == before["files"][path]
        assert after["checkpoints"] == before["checkpoints"]
        assert without_times(exercises(page)) == without_times(work_before)
        until(page, "text => document.getElementById('progress').textContent === text", arg=progress)

    progress = page.inner_text("#progress")

    says = reset(page, "01 Tensor", a)
    assert says == (
        f"This deletes your answer to {a} and its result, and what its cell in {BOOK} holds. "
        "You can undo it until the next reset or import."
    )
    now = exercises(page)
    assert now[a]["source"] is None and now[a]["updated"] > work_before[a]["updated"] and now[b] == work_before[b]
    kernel = work.merged(work_before[a], now[a])
    assert not kernel.get("status") and kernel["source"] is None, "an open kernel takes it for a reset"
    cells = stored(page)["files"][BOOK]["content"]["cells"]
    shipped = notebook(site, answers=(b,))["cells"]
    assert ["".join(cell["source"]) for cell in cells] == ["".join(cell["source"]) for cell in shipped]
    assert all(not cell.get("outputs") for cell in cells if cell["metadata"].get("tinytorch", {}).get("exercise") == a)
    until(listener, "() => heard.length === 1")
    assert listener.evaluate("heard[0]") == {"type": "reset", "exercises": [a], "notebooks": [BOOK]}
    page.wait_for_selector('[data-module="01"][data-state="in-progress"]')
    undone()

    says = reset(page, "01 Tensor")
    assert f"what you did in {len(NAMES)} exercises ({len(NAMES)} passed)" in says and BOOK in says
    after = stored(page)
    assert BOOK not in after["files"] and BOOK not in after["checkpoints"] and "notes.ipynb" in after["files"]
    page.wait_for_selector('[data-module="01"][data-state="not-started"]')
    undone()

    reset(page, "1958 Perceptron")
    until(page, "() => !document.querySelector('#wall').innerText.includes('99.2 %')")
    undone()

    says = reset(page, "Everything")
    assert "your 2 notebooks" in says
    assert set(stored(page)["files"]) == {WORK} and stored(page)["checkpoints"] == {}
    assert page.inner_text("#progress") == "" and page.inner_text("#continue") == "Start: 01 Tensor"
    undone()
    assert map_of(page) == map_before


def test_undo_keeps_what_is_newer(page: Page, site: Path) -> None:
    """An exercise answered again and a lesson begun again after a reset: both stay when it is undone."""
    a, b = NAMES[:2]
    with_work(page, {WORK: document({a: entry(a), b: entry(b)}), BOOK: model(BOOK, notebook(site, answers=(a, b)))})
    reset(page, "01 Tensor")
    later = {**exercises(page), a: entry(a, source="# again\n" + SOLUTIONS[a], updated="2099-01-01T00:00:00.000Z")}
    fresh = notebook(site, answers=(a,))
    with_work(page, {WORK: document(later), BOOK: model(BOOK, fresh, moment="2099-01-01T00:00:00.000Z")})
    page.click("#undo")
    newer = BOOK.replace(".ipynb", " (newer).ipynb")
    told = said(page, "Undone")
    assert "1 newer answer stayed" in told and newer in told, told
    now, files = exercises(page), stored(page)["files"]
    assert now[a]["source"].startswith("# again") and now[b]["source"] == SOLUTIONS[b]
    assert files[newer]["content"] == fresh and files[BOOK]["content"] == notebook(site, answers=(a, b))


def test_a_change_that_a_kernel_overwrites_is_made_again(page: Page) -> None:
    """A kernel read the document before a reset and writes it after: the reset is put back, the kernel's own stays."""
    a, b = NAMES[:2]
    with_work(page, {WORK: document({a: entry(a)})})
    reset(page, "01 Tensor", a)
    late = {a: entry(a), b: entry(b, updated="2099-01-01T00:00:00.000Z")}
    seed(page, {WORK: document(late)})
    until(
        page,
        """name => import('./storage.mjs').then(s => s.readWork()).then(w => w.exercises[name].source === null)""",
        arg=a,
    )
    assert exercises(page)[b] == late[b]
    newer = document({}) | {"content": json.dumps({"schema": 2, "exercises": {a: entry(a)}})}
    seed(page, {WORK: newer})
    page.click("#reset")
    page.select_option("#reset-what", label="Everything")
    page.click("#reset-do:not([disabled])")
    said(page, "newer release")
    assert stored(page)["files"][WORK] == newer, "a document of a newer release is never overwritten"


# ---- storage -----------------------------------------------------------------------------------

BLOCKED = """
IDBFactory.prototype.open = () => { throw new DOMException('denied', 'SecurityError'); };
IDBFactory.prototype.databases = () => Promise.reject(new DOMException('denied', 'SecurityError'));
"""
PRIVATE = "navigator.storage.getDirectory = () => Promise.reject(new DOMException('no', 'SecurityError'));"
FULL = """
const put = IDBObjectStore.prototype.put;
IDBObjectStore.prototype.put = function (...parts) {
    const full = this.transaction.db.name === 'TinyTorch undo' || globalThis.full;
    if (full) throw new DOMException('', 'QuotaExceededError');
    return put.apply(this, parts);
};"""
PROMISE = """
let kept = false;
navigator.storage.persisted = async () => kept;
navigator.storage.persist = async () => (kept = globalThis.answer ?? false);
"""


def with_script(launch: Launch, base: str, script: str) -> Page:
    context = launch()
    context.add_init_script(script)
    landing.without_worker(context)
    return opened(context, base)


def test_storage_says_what_it_promises(launch: Launch, base: str) -> None:
    """How much is saved; the browser asked to keep it, refusing and agreeing."""
    page = with_script(launch, base, PROMISE)
    assert page.inner_text("#kept").startswith("Nothing to save yet")
    with_work(page, {WORK: document({"x": {"source": "y" * 2_100_000, "updated": HOUR.format(1)}})})
    assert page.inner_text("#kept").startswith("Saved on this device, 2.1 MB. The browser keeps it, unless")
    page.click("#persist")
    page.wait_for_selector("#persist-said:has-text('It did not promise')")
    page.evaluate("globalThis.answer = true")
    page.click("#persist")
    page.wait_for_selector("#kept:has-text('The browser promised to keep it.')")
    assert page.is_hidden("#persist")


def test_blocked_private_and_full_storage(launch: Launch, base: str) -> None:
    """Each is said in words before work starts, or when a change fails, and nothing is half done."""
    page = with_script(launch, base, BLOCKED)
    assert "store nothing" in page.inner_text("#trouble")
    assert "no work can be kept" in page.inner_text("#kept") and page.is_hidden("#persist")
    page.click("#reset")
    said(page, "store nothing")
    page.context.close()


def test_private_window_and_full_storage(launch: Launch, base: str) -> None:
    page = with_script(launch, base, PRIVATE + FULL)
    assert "private window" in page.inner_text("#trouble")
    a = NAMES[0]
    with_work(page, {WORK: document({a: entry(a)})})
    reset(page, "01 Tensor", a)
    assert "Undo works only until this page is closed" in page.inner_text("#said")
    page.click("#undo")
    said(page, "Undone")
    assert without_times(exercises(page)) == without_times({a: entry(a)})
    page.evaluate("globalThis.full = true")
    page.click("#reset")
    page.click("#reset-do:not([disabled])")
    said(page, "There is no room left")
    assert without_times(exercises(page)) == without_times({a: entry(a)})


# ---- map, wall, offline ------------------------------------------------------------------------


def test_map_and_wall_say_everything(page: Page) -> None:
    """Hours, exercises, state and what is unlocked; the run's own figures and picture; what is missing."""
    with_work(page, {WORK: document(work_of_a_month())})
    for module in COURSE["modules"]:
        text = page.inner_text(f'[data-module="{module["id"]}"]')
        assert module["title"] in text and f"{module['hours']} hours" in text and module["unlocks"] in text
    for stone in COURSE["milestones"]:
        assert stone["unlocks"] in page.inner_text(f'[data-milestone="{stone["id"]}"]')
    assert page.inner_text("#continue").startswith("Continue: 02 Activations, 4 of 17")
    assert "1 to check again" in page.inner_text('[data-module="02"]')
    plates = page.locator(".plate")
    first = plates.nth(0).inner_text()
    for words in ("1958", "Perceptron", "Frank Rosenblatt", "99.2 % of the digits", "9 November 2026, 12 s"):
        assert words in first
    image = plates.nth(0).locator("img")
    assert image.get_attribute("alt") == "Accuracy rises to 99.2 percent"
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth > 0)")
    left = sum(len(module["exercises"]) for module in OPEN if module["id"] <= "04") - len(NAMES) - 4
    assert f"Needs modules 01 to 04: {left} exercises to go." in plates.nth(1).inner_text()
    assert "Coming, after module 09." in plates.nth(3).inner_text()
    hostile = landing.PICTURE.replace(
        "<title>", '<script>parent.hacked = 1</script><image href="http://x.invalid/"/><title>'
    )
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    with_work(
        page,
        {WORK: document({"milestone 1": milestone(1, picture=hostile), "milestone 2": milestone(2, picture="<p>")})},
    )
    page.locator(".plate img").first.evaluate("image => image.decode()")
    assert page.locator(".plate img").count() == 1 and not any("invalid" in url for url in asked)
    assert page.evaluate("globalThis.hacked") is None


def test_offline_and_update_are_drawn(page: Page) -> None:
    """From a first offer to "available offline", with progress, a failure, and a new release."""

    def state(**fields: Any) -> str:
        page.evaluate("f => { Object.assign(offlineForTest.offline.state, f);"
                      "offlineForTest.offline.dispatchEvent(new Event('change')); }", fields)  # fmt: skip
        return page.inner_text("#offline")

    assert "25 MB" in state(total=25_000_000)
    page.click("#offline-button")
    assert page.evaluate("offlineForTest.calls") == ["download"]
    assert "Downloading" in state(running=True, done=5_000_000)
    assert page.locator("#offline-bar").evaluate("bar => bar.value") == pytest.approx(0.2)
    assert page.is_hidden("#offline-button")
    assert "Resume the download" in state(running=False)
    assert "The download stopped: the server is gone" in state(failed="the server is gone")
    assert state(complete=True, failed="", done=25_000_000).endswith("Available offline, 25 MB.")
    assert "Another 38 MB let Python start sooner." in state(memory=38_000_000)
    assert page.is_hidden("#offline-bar") and page.is_hidden("#offline-button")
    assert "not secure" in state(supported=False, reason="the address is not secure.")
    state(update={"release": "b", "fraction": 1, "ready": True})
    page.click("#update button")
    assert page.evaluate("offlineForTest.calls.at(-1)") == "applyUpdate"


# ---- keyboard, screen readers, speed -----------------------------------------------------------


def focused(page: Page) -> str:
    found: str = page.evaluate("(e => e.id || e.textContent.trim())(document.activeElement)")
    return found


def test_everything_by_keyboard(page: Page) -> None:
    """Tab reaches every control once, in the order of the page, with a visible focus; a reset needs no mouse."""
    with_work(page, {WORK: document({NAMES[0]: entry(NAMES[0])})})
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the map"
    page.keyboard.press("Enter")
    assert focused(page) == "map"
    page.evaluate("document.activeElement.blur(); getSelection().removeAllRanges()")
    page.reload()
    drawn(page)
    seen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            break
        seen.append(focused(page))
        style = "getComputedStyle(document.activeElement"
        shown = page.evaluate(f"{style}).outlineStyle !== 'none' || {style}, '::after').outlineStyle !== 'none'")
        assert shown, f"no visible focus on {seen[-1]}"
    stops = [f"{module['id']} {module['title']}" for module in OPEN]
    controls = ["continue", *stops, "persist", "export", "import", "offline-button", "reset", "Licences"]
    assert [one for one in seen if one in controls] == controls
    assert len(seen) == len(set(seen)) + seen.count("Perceptron") - 1 or len(seen) < 45

    page.focus("#reset")
    page.keyboard.press("Enter")
    until(page, "() => document.activeElement.id === 'reset-what'")
    page.keyboard.press("Escape")
    assert focused(page) == "reset"
    page.keyboard.press("Enter")
    page.wait_for_selector("#reset-do:not([disabled])")
    for _ in range(2):
        page.keyboard.press("Tab")
    assert focused(page) == "reset-do"
    page.keyboard.press("Enter")
    said(page, "is reset")
    page.wait_for_selector("#undo")  # it comes a moment after the message, and only then can have the focus
    page.focus("#undo")
    assert focused(page) == "undo"
    page.keyboard.press("Enter")
    said(page, "Undone")
    until(page, "() => document.activeElement.id === 'reset'")


def test_no_violations_found_by_axe(launch: Launch, base: str) -> None:
    """Empty and with progress, dialog and messages, light and dark, narrow, storage blocked, JavaScript off."""
    context = launch()
    landing.without_worker(context)
    page = opened(context, base)
    assert axe(page) == [], "empty map"
    with_work(page, {WORK: document(work_of_a_month())})
    reset(page, "01 Tensor", NAMES[0])
    page.click("summary")
    page.evaluate("Object.assign(offlineForTest.offline.state, {running: true, total: 9, done: 3,"
                  "update: {release: 'b', fraction: 1, ready: true}})")  # fmt: skip
    page.evaluate("offlineForTest.offline.dispatchEvent(new Event('change'))")
    for scheme, width in (("light", 1366), ("dark", 320)):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 768})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert axe(page) == [], f"progress, messages, {scheme}, {width}"
        page.click("#reset")
        page.wait_for_selector("#reset-says:not(:empty)")
        assert axe(page, "#reset-dialog") == [], f"dialog, {scheme}, {width}"
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.click("#reset-cancel")
    context.close()


def test_no_violations_without_storage_or_scripts(launch: Launch, base: str) -> None:
    page = with_script(launch, base, BLOCKED)
    assert axe(page) == [], "storage blocked"
    assert axe_without_scripts(page.context, base) == [], "JavaScript off"


def axe_without_scripts(context: BrowserContext, base: str) -> list[str]:
    """The same for the page as it is when its own scripts do not run; the browser's noscript rules apply to it."""
    context.route("**/*.mjs", lambda route: route.abort())
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Emulation.setScriptExecutionDisabled", {"value": True})
    page.goto(base)
    assert "JavaScript is off" in page.content()
    session.send("Emulation.setScriptExecutionDisabled", {"value": False})
    page.locator("main").wait_for()  # where scripts may run, it waits 3 s for one that draws the map
    return axe(page)


OBSERVE = """
globalThis.seen = {lcp: 0, cls: 0};
new PerformanceObserver(list => { for (const e of list.getEntries()) seen.lcp = e.startTime; })
    .observe({type: 'largest-contentful-paint', buffered: true});
new PerformanceObserver(list => { for (const e of list.getEntries()) if (!e.hadRecentInput) seen.cls += e.value; })
    .observe({type: 'layout-shift', buffered: true});
"""


def first_load(context: BrowserContext, base: str, width: int, late: int = 0) -> tuple[float, float, int]:
    """Largest paint (ms), layout shift and bytes of a visit with an empty cache; the course may come late (ms)."""
    page = context.new_page()

    def later(route: Route) -> None:
        page.wait_for_timeout(late)
        route.continue_()

    if late:
        page.route("**/course.json", later)
    page.set_viewport_size({"width": width, "height": 768})
    responses: list[Response] = []
    page.on("response", lambda response: responses.append(response))
    context.new_cdp_session(page).send("Network.setCacheDisabled", {"cacheDisabled": True})
    page.goto(base, wait_until="networkidle")
    drawn(page)
    until(page, "() => document.getElementById('progress').textContent && seen.lcp > 0")
    seen = page.evaluate("seen")
    size = sum(len(response.body()) for response in responses if response.ok)
    page.close()
    return seen["lcp"], seen["cls"], size


def test_figures_of_the_first_load(
    launch: Launch, base: str, site: Path, record_property: Callable[[str, object], None]
) -> None:
    """Largest paint under 1 s, below 150 kB in all, nothing moves: three visits, with progress on the map."""
    context = launch()
    landing.without_worker(context)
    page = opened(context, base)
    seed(page, {WORK: document(work_of_a_month())})
    page.close()
    context.add_init_script(OBSERVE)
    paints, shifts, sizes = zip(*(first_load(context, base, width) for width in (1366, 768, 320)), strict=True)
    worker = site / "offline.mjs"  # the stand-in is smaller
    size = max(sizes) + (worker.stat().st_size if worker.exists() else 0)
    paint, shift = statistics.median(paints), max(*shifts, first_load(context, base, 768, late=500)[1])
    record_property("landing page", f"largest paint {paint:.0f} ms, {size / 1e3:.0f} kB, layout shift {shift:.3f}")
    assert paint < 1000, paints
    assert size < 150_000, sizes
    assert shift < 0.02, shifts


def test_saving_works_where_the_lesson_never_ran(page: Page, site: Path) -> None:
    """A database made by this page has what localforage looks for, so JupyterLite adds nothing and loses nothing."""
    step = "import('./storage.mjs').then(s => s.putFiles({'a.ipynb': s.notebookModel('a.ipynb', book)}))"
    assert page.evaluate("indexedDB.databases().then(all => all.map(d => d.name))") == []
    page.evaluate(f"book => {step}", copy.deepcopy(notebook(site)))
    names = page.evaluate("""() => new Promise(resolve => {
        const request = indexedDB.open('TinyTorch');
        request.onsuccess = () => resolve([request.result.version, ...request.result.objectStoreNames]);
    })""")
    assert names == [4, "checkpoints", "counters", "files", "local-forage-detect-blob-support"]

"""What a student meets in the page besides success: wrong answers, endless loops, lost files, reloads, sub-paths."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import kills
import pytest
from conftest import ROOT, Launch, address, start_server

from builder import lessons
from student import Student

MODULE = lessons.written(lessons.course(ROOT))[0]
SOLUTION = lessons.solutions(ROOT, MODULE)
FIRST = "Tensor.__init__"
STRIDES = "contiguous_strides"
DOCUMENT = "tinytorch-work.json"


@pytest.mark.usefixtures("visited")
def test_wrong_answers_end_in_messages(base: str, launch: Launch) -> None:
    """A stub, a wrong answer, a syntax error, endless loops and recursion, too much memory: each is one card."""
    student = Student(launch(), base)
    student.open(MODULE["notebook"])
    student.ask("kept = 41")

    card = student.run(student.find(f"%%exercise {STRIDES}"))
    assert card.text.startswith("not attempted"), card.text
    landing = student.context.new_page()
    landing.goto(base)
    landing.wait_for_selector(f'[data-module="{MODULE["id"]}"][data-state="not-started"]', timeout=10_000)
    landing.close()

    card = student.exercise(STRIDES, "def contiguous_strides(shape):\n    return tuple(shape)")
    assert card.text.startswith("not yet"), card.text
    assert "contiguous_strides(" in card.text and "expected" in card.text

    card = student.exercise(STRIDES, "def contiguous_strides(shape):\n    strides = 1\n    strides")
    assert "did you forget `return`" in card.text, card.text

    broken = student.exercise(STRIDES, "def contiguous_strides(shape)\n    return ()")
    assert "SyntaxError" in broken.text and "contiguous_strides(shape)" in broken.text
    assert "checks/" not in broken.text, "our own files do not show"

    loop = "def contiguous_strides(shape):\n    total = 1\n    while True:\n        total += 1\n    return (total,)"
    card = student.exercise(STRIDES, loop, timeout=90)
    assert card.text.startswith("not yet"), card.text
    assert "while True" in card.text or "total += 1" in card.text, card.text

    card = student.exercise(STRIDES, "def contiguous_strides(shape):\n    return contiguous_strides(shape)")
    assert "itself" in card.text, card.text

    hungry = "def contiguous_strides(shape):\n    return [np.empty(1_900_000_000, np.uint8) for _ in range(3)]"
    card = student.exercise(STRIDES, hungry)
    assert "memory" in card.text.lower(), card.text

    student.exercise(FIRST, SOLUTION[FIRST])
    student.exercise("Function.apply", SOLUTION["Function.apply"])
    card = student.exercise("Tensor.__rsub__", "def __rsub__(self, other):\n    return other - self")
    assert card.text.startswith("not yet") and "itself" in card.text, card.text
    typed = student.ask("import tinytorch as tt\n10 - tt.tensor([1.0])")
    assert "RecursionError" in typed.text, typed.text

    first = student.ask(f"%hint {STRIDES}").text
    second = student.ask(f"%hint {STRIDES}").text
    assert first and second and first != second
    shown = student.ask(f"%solution {STRIDES}").text
    assert SOLUTION[STRIDES].splitlines()[-1].strip() in shown
    card = student.exercise(STRIDES, SOLUTION[STRIDES])
    assert card.text.startswith("passed"), card.text
    cell = student.ask(f"%recall {STRIDES}")
    assert SOLUTION[STRIDES].splitlines()[0] in student.state(cell.index)["source"]
    work = saved(student)[STRIDES]
    assert work["solution_seen"] and work["hints"] == 2
    assert student.ask("kept + 1").text.strip() == "42", "the kernel kept its variables through all of it"
    assert student.problems == []


def saved(student: Student) -> dict[str, Any]:
    """Return the exercises of the work document on the drive."""
    exercises: dict[str, Any] = json.loads(student.ask(f"print(open('{DOCUMENT}').read())").text)["exercises"]
    return exercises


@pytest.mark.usefixtures("visited")
def test_work_survives_kills_deletion_and_damage(base: str, launch: Launch) -> None:
    """A tab closed right after a pass has saved it; a deleted document is written again; a damaged one is salvaged."""
    student = Student(launch(), base)
    student.open(MODULE["notebook"])
    assert student.exercise(FIRST, SOLUTION[FIRST]).text.startswith("passed")
    student.page.close(run_before_unload=False)

    second = Student(student.context, base)
    second.open(MODULE["notebook"])
    assert saved(second)[FIRST]["status"] == "passed"
    assert second.ask("import tinytorch as tt\ntt.tensor([1.5]).tolist()").text.strip() == "[1.5]"
    second.ask(f"import os\nos.remove('{DOCUMENT}')")
    assert second.exercise(STRIDES, SOLUTION[STRIDES]).text.startswith("passed")
    assert {name for name, item in saved(second).items() if item["status"] == "passed"} == {FIRST, STRIDES}
    second.page.close(run_before_unload=False)  # with it open, its Python would soon put the document in order

    text = kills.stored(student.context, base)
    assert text
    kills.replace(student.context, base, text[:-30])
    third = Student(student.context, base)
    third.page.goto(f"{base}notebooks/index.html?path={MODULE['notebook']}")
    third.wait_for_page()
    said = third.ask("import os\nprint(os.listdir('.'))").text
    assert "was damaged" in said and "tinytorch-work.damaged-" in said, said
    assert third.exercise(STRIDES, SOLUTION[STRIDES]).text.startswith("passed")
    assert saved(third)[FIRST]["status"] == "passed"
    assert student.problems + second.problems + third.problems == []


@pytest.mark.usefixtures("visited")
def test_reload_in_the_middle(base: str, launch: Launch) -> None:
    """After a reload the cells hold what was typed, and the kernel has the student's code again."""
    student = Student(launch(), base)
    student.open(MODULE["notebook"])
    student.exercise(FIRST, SOLUTION[FIRST])
    student.page.keyboard.press("ControlOrMeta+S")
    student.page.wait_for_timeout(500)
    student.open(MODULE["notebook"])
    state = student.state(student.find(f"%%exercise {FIRST}"))
    assert SOLUTION[FIRST].splitlines()[-1].strip() in state["source"]
    assert student.ask("import tinytorch as tt\ntt.tensor([1.5]).tolist()").text.strip() == "[1.5]"
    student.page.goto(base)
    element = student.page.wait_for_selector(f'[data-module="{MODULE["id"]}"][data-state="in-progress"]')
    assert element is not None and f"1 of {len(MODULE['exercises'])}" in element.inner_text()
    assert student.problems == []


PICTURES = """
from checks import chart
display(chart.bar([{"n": "a", "ms": 3.0}, {"n": "b", "ms": 2.0}], x="n", y="ms", title="Times", alt="Two bars."))
display({"text/markdown": "$x^2$\\n\\n```mermaid\\ngraph LR; a-->b\\n```"}, raw=True)
"""


@pytest.mark.usefixtures("visited")
def test_pictures_settings_and_narrow_screens(base: str, launch: Launch) -> None:
    """Vega-Lite, math and Mermaid are drawn; the command that wipes everything is gone; 360 px are enough."""
    student = Student(launch(width=360, height=740), base)
    student.page.goto(base)
    student.page.wait_for_selector("[data-module]")
    assert student.page.evaluate("document.documentElement.scrollWidth") <= 360
    student.open(MODULE["notebook"])
    student.ask(PICTURES)
    for selector in (".vega-embed canvas, .vega-embed svg", "mjx-container", ".jp-RenderedMermaid img"):
        student.page.wait_for_selector(selector, state="attached", timeout=20_000)
    assert not student.page.evaluate("jupyterapp.commands.hasCommand('application:clear-browser-data')")
    assert student.page.evaluate("document.documentElement.scrollWidth") <= 360
    assert student.problems == []


@pytest.fixture
def fork(site: Path, tmp_path: Path) -> Path:
    """The site under a sub-path, as GitHub Pages serves a fork."""
    shutil.copytree(site, tmp_path / "pages/fork-name")
    return tmp_path / "pages"


def test_site_works_under_a_sub_path(fork: Path, launch: Launch) -> None:
    """From the landing page of /fork-name/ to a passed exercise, with every request below /fork-name/."""
    server = start_server(fork)
    student = Student(launch(), address(server) + "fork-name/")
    student.page.goto(student.base)
    student.page.click("#continue")
    student.wait_for_page()
    assert student.exercise(FIRST, SOLUTION[FIRST]).text.startswith("passed")
    assert student.problems == []
    server.shutdown()
    server.server_close()


@pytest.mark.usefixtures("visited")
def test_the_editor_opens_a_file(base: str, launch: Launch) -> None:
    """The other app of the site, for text: the same scripts and settings start it."""
    student = Student(launch(), base)
    student.page.goto(f"{base}edit/index.html?path={MODULE['notebook']}&factory=Editor")
    editor = student.page.wait_for_selector(".jp-FileEditor .cm-content", timeout=60_000)
    assert editor and "nbformat" in student.page.evaluate("jupyterapp.shell.currentWidget.context.model.toString()")
    assert student.problems == []

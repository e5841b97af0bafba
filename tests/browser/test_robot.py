"""The robot student: solves every built lesson in a real browser with the reference package's own source."""

from __future__ import annotations

import json
import statistics
import time
from typing import Any

import pytest
from conftest import ROOT, Launch

from builder import lessons
from student import Student

MODULES = lessons.written(lessons.course(ROOT))


def answers(module: dict[str, Any]) -> dict[str, str]:
    """Return the reference solution of every exercise, read from the package."""
    return lessons.solutions(ROOT, module)


@pytest.mark.parametrize("module", MODULES, ids=[module["id"] for module in MODULES])
def test_robot_solves_the_lesson(module: dict[str, Any], base: str, launch: Launch, capsys: Any) -> None:
    """Type every answer, run every cell; all cards pass, nothing else complains, the progress survives."""
    solution = answers(module)
    context = launch()
    student = Student(context, base)
    start = time.monotonic()
    ready = student.open(module["notebook"])
    cards: dict[str, str] = {}
    waits: list[float] = []
    plain: list[float] = []
    for index in range(student.count()):
        source = student.state(index)["source"]
        name = source.split()[1] if source.startswith("%%exercise ") else None
        if name:
            student.type(index, f"%%exercise {name}\n{solution[name]}")
        cell = student.run(index, timeout=120)
        assert not cell.failed, f"cell {index} failed:\n{cell.source}\n{cell.text}"
        if name:
            cards[name] = cell.text
            waits.append(cell.seconds)
        elif cell.seconds and not source.startswith("%") and "measure" not in source:
            plain.append(cell.seconds)
    solved = time.monotonic() - start
    heap = student.heap_bytes()

    assert list(cards) == [item["name"] for item in module["exercises"]]
    failing = {name: text for name, text in cards.items() if not text.startswith("passed")}
    assert not failing, "\n\n".join(failing.values())
    assert student.problems == []
    median, usual = statistics.median(waits), statistics.median(plain)
    report = [
        f"robot, module {module['id']}: {len(cards)} exercises passed in {solved:.0f} s",
        f"kernel ready after {ready:.1f} s",
        f"run to card {1000 * median:.0f} ms (median), {1000 * max(waits):.0f} ms (longest)",
        f"run to output of a plain cell {1000 * usual:.0f} ms (median)",
        f"heap {heap / 1e6:.0f} MB",
    ]
    with capsys.disabled():
        print("\n" + "; ".join(report))
    # half a second on a quiet machine of 2 cores; on a busy one, measured by the cells that check nothing
    assert median <= max(0.5, 2 * usual), f"from running a cell to its card: {median:.2f} s"

    progress_on_the_map(student, module)
    context.close()
    again = Student(launch(), base)
    progress_on_the_map(again, module)
    again.open(module["notebook"])
    first = module["exercises"][0]["name"]
    document = json.loads(again.ask("print(open('tinytorch-work.json').read())").text)
    assert {name for name, item in document["exercises"].items() if item["status"] == "passed"} == set(solution)
    recalled = again.ask(f"%check {first}")
    assert recalled.text.startswith("passed"), recalled.text
    assert again.problems == []


def progress_on_the_map(student: Student, module: dict[str, Any]) -> None:
    """The landing page shows the module as done."""
    student.page.goto(student.base)
    selector = f'[data-module="{module["id"]}"][data-state="done"]'
    student.page.wait_for_selector(selector, timeout=10_000)

"""Python's memory, kept on the device after a visit: a later start goes on from it, and is a start like any other."""

from __future__ import annotations

import pytest
from conftest import ROOT, Launch, settled
from playwright.sync_api import Page

from builder import lessons
from student import Student, use_the_kernel

MODULE = lessons.written(lessons.course(ROOT))[0]
ANSWERS = lessons.solutions(ROOT, MODULE)
STRIDES, BROADCAST = "contiguous_strides", "broadcast_shapes"
KEPT = """async () => {
    const found = [];
    for (const name of (await caches.keys()).filter((name) => name.startsWith("tinytorch-memory:"))) {
        const cache = await caches.open(name);
        for (const request of await cache.keys()) {
            const { size } = await (await cache.match(request)).blob();
            found.push([request.url.split("/").at(-1), size]);
        }
    }
    return found;
}"""
REPLACE = """async ([end, renamed]) => {
    const [name] = (await caches.keys()).filter((name) => name.startsWith("tinytorch-memory:"));
    const cache = await caches.open(name);
    const [request] = await cache.keys();
    const bytes = await (await cache.match(request)).arrayBuffer();
    await cache.delete(request);
    const url = renamed ? request.url.replace(/memory-.*/, renamed) : request.url;
    await cache.put(url, new Response(bytes.slice(0, end)));
}"""
GONE_ON = "import gc\ngc.get_freeze_count() > 10_000"  # the objects of a memory are frozen in it
CHANCE = "import random\nrandom.random()"


def kept(page: Page, base: str) -> str:
    """See the map, and wait until the memory is kept; return its name."""
    page.goto(base)
    settled(page)
    [[name, size]] = page.evaluate(KEPT)
    assert name.startswith("memory-") and 20e6 < size < 60e6
    assert f"Another {size / 1e6:.0f} MB let Python start sooner" in page.inner_text("#offline-said")
    return str(name)


@pytest.mark.usefixtures("visited")
def test_python_goes_on_from_its_memory(base: str, launch: Launch) -> None:
    """Made by the map in the background; the start that uses it has its own random numbers, drive, input and Stop."""
    student = Student(launch(), base)
    kept(student.page, base)
    student.open(MODULE["notebook"])
    assert student.page.evaluate("crossOriginIsolated")
    assert student.ask(GONE_ON).text.strip() == "True"
    assert student.exercise(STRIDES, ANSWERS[STRIDES]).text.startswith("passed")
    use_the_kernel(student)
    assert student.ask("import jedi\njedi.__name__").text.strip() == "'jedi'", "packs are fetched as ever"
    assert student.ask("import numpy as np\nnp.linalg.inv(np.eye(2)).sum()").text.strip() == "np.float64(2.0)"
    student.page.evaluate("setTimeout(() => window.tinytorch.interrupt(), 3000)")
    assert "KeyboardInterrupt" in student.ask("while True:\n    pass").text
    first = student.ask(CHANCE).text
    assert student.problems == []
    student.context.close()

    student = Student(launch(), base)
    student.open(MODULE["notebook"])
    assert student.ask(GONE_ON).text.strip() == "True"
    assert student.ask(CHANCE).text != first
    assert student.ask("import tinytorch as tt\ntt.contiguous_strides((2, 3))").text.strip() == "(3, 1)", (
        "solved before"
    )


@pytest.mark.usefixtures("visited")
def test_a_memory_that_cannot_be_used_is_thrown_away(base: str, launch: Launch) -> None:
    """Half of one, and one of other files: Python starts from its beginnings, and the next visit keeps a new one."""
    student = Student(launch(), base)
    name = kept(student.page, base)
    student.page.evaluate(REPLACE, [10_000_000, ""])
    student.open(MODULE["notebook"])
    assert student.ask(GONE_ON).text.strip() == "False"
    assert student.exercise(BROADCAST, ANSWERS[BROADCAST]).text.startswith("passed")
    assert student.page.evaluate(KEPT) == []

    assert kept(student.page, base) == name
    student.page.evaluate(REPLACE, [100_000_000, "memory-other"])
    student.open(MODULE["notebook"])
    assert student.ask(GONE_ON).text.strip() == "False"

    assert kept(student.page, base) == name, "the other one is gone"

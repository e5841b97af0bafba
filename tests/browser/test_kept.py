"""Work that is never lost: killed tabs and browsers, two tabs, full and absent storage, a new release."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import kills
import pytest
import releases
from conftest import ROOT, Launch, address
from playwright.sync_api import BrowserContext

from builder import lessons
from builder.serve import Handler
from student import Student

MODULE = lessons.written(lessons.course(ROOT))[0]
SOLUTION = lessons.solutions(ROOT, MODULE)
FIRST, STRIDES, SHAPES = "Tensor.__init__", "contiguous_strides", "broadcast_shapes"
MOST = {"kernel": 3, "app": 6, "store": 91}  # kills of each kind of tab: 100 in all

FULL = """(() => {
  const put = IDBObjectStore.prototype.put;
  IDBObjectStore.prototype.put = function (...args) {
    if (window.full && args.includes("tinytorch-work.json")) {
      throw new DOMException("The quota has been exceeded.", "QuotaExceededError");
    }
    return put.apply(this, args);
  };
})()"""


def exercises(context: BrowserContext, base: str) -> dict[str, Any]:
    """The work document's exercises, read by a light page of the origin."""
    found: dict[str, Any] = json.loads(kills.stored(context, base) or '{"exercises": {}}')["exercises"]
    return found


def wait_for(true: Any, seconds: float, what: str) -> None:
    """Wait until `true()` holds."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"{what} did not happen in {seconds} s"
        time.sleep(0.2)


@pytest.mark.usefixtures("visited")
def test_a_hundred_killed_tabs_lose_nothing(base: str, launch: Launch, tmp_path: Path) -> None:
    """Three lessons with Python, 6 notebook pages without, 91 light pages; `kills.py` does 100 with Python."""
    killing = kills.Killing(launch(), base, tmp_path / "profile", seed=5)
    for what, times in MOST.items():
        for i in range(times):
            killing.once(what, kills.KINDS[i % len(kills.KINDS)])
    counts = killing.result()
    print(counts)
    assert counts.losses == []
    assert sum(counts.kinds.values()) == 100 and counts.saves >= 100


def kill_browser(profile: Path) -> None:
    """SIGKILL to the whole tree of the browser with this profile, and to nothing else."""
    main, below = kills.processes(profile)
    for pid in (main, *below):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not Path(f"/proc/{main}").exists() or "Z" in state(main), 20, "the end of the browser")


def state(pid: int) -> str:
    """The state of a process as /proc says it; empty when it is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return ""


TYPED = "# typed and never run, number"
NOTEBOOK = """path => new Promise((resolve, reject) => {
  const opening = indexedDB.open("TinyTorch");
  opening.onsuccess = () => {
    const request = opening.result.transaction("files").objectStore("files").get(path);
    request.onsuccess = () => { resolve(JSON.stringify(request.result ?? null)); opening.result.close(); };
    request.onerror = () => reject(request.error);
  };
})"""


@pytest.mark.usefixtures("visited")
def test_a_killed_browser_loses_no_answer_and_ten_seconds_of_typing(base: str, launch: Launch, tmp_path: Path) -> None:
    """SIGKILL to every process right after a card, and in the middle of typing."""
    student = Student(launch(), base)
    student.open(MODULE["notebook"])
    assert student.exercise(FIRST, SOLUTION[FIRST]).text.startswith("passed")
    assert student.exercise(STRIDES, SOLUTION[STRIDES]).text.startswith("passed")
    kill_browser(tmp_path / "profile")

    context = launch()
    found = exercises(context, base)
    assert {name: found[name]["status"] for name in (FIRST, STRIDES)} == {FIRST: "passed", STRIDES: "passed"}
    assert found[STRIDES]["source"] == SOLUTION[STRIDES]

    again = Student(context, base)
    again.page.goto(f"{base}notebooks/index.html?path={MODULE['notebook']}")
    again.wait_for_page()
    cell = again.find(f"%%exercise {SHAPES}")
    again.type(cell, f"%%exercise {SHAPES}\n{TYPED} 1")
    reader = context.new_page()
    reader.goto(f"{base}course.json")
    again.page.bring_to_front()
    start = time.monotonic()
    wait_for(lambda: f"{TYPED} 1" in reader.evaluate(NOTEBOOK, MODULE["notebook"]), 60, "autosave")
    print(f"what was typed was saved after {time.monotonic() - start:.1f} s")
    again.page.keyboard.type("\n# and more")
    kill_browser(tmp_path / "profile")

    context = launch()
    reader = context.new_page()
    reader.goto(f"{base}course.json")
    assert f"{TYPED} 1" in reader.evaluate(NOTEBOOK, MODULE["notebook"])
    assert exercises(context, base)[STRIDES]["status"] == "passed"


@pytest.mark.usefixtures("visited")
def test_two_tabs_and_the_map_on_the_same_exercises(base: str, launch: Launch) -> None:
    """The later answer counts, the other one stays at hand, both tabs are told; a reset on the map holds in both."""
    context = launch()
    left, right = Student(context, base), Student(context, base)
    left.open(MODULE["notebook"])
    right.open(MODULE["notebook"])
    left.exercise(FIRST, SOLUTION[FIRST])
    left.exercise(STRIDES, SOLUTION[STRIDES])
    wrong = "def contiguous_strides(shape):\n    return shape"
    card = right.exercise(STRIDES, wrong).text
    assert card.startswith("not yet") and f"Another tab had saved a different answer to {STRIDES}" in card, card
    right.exercise(SHAPES, SOLUTION[SHAPES])
    said = left.exercise(FIRST, f"# again\n{SOLUTION[FIRST]}").text
    assert f"Another tab saved a later answer to {STRIDES}" in said, said
    found = exercises(context, base)
    assert set(found) == {FIRST, STRIDES, SHAPES}
    assert found[STRIDES]["source"].strip() == wrong and found[STRIDES]["passed_source"] == SOLUTION[STRIDES]
    assert found[STRIDES]["other_source"] == SOLUTION[STRIDES]
    recalled = left.ask(f"%recall {STRIDES} --other")
    assert left.state(recalled.index)["source"].strip() == f"%%exercise {STRIDES}\n{SOLUTION[STRIDES]}".strip()

    document = json.loads(kills.stored(context, base) or "")
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S.999Z", time.gmtime())
    document["exercises"][FIRST] |= {"source": None, "status": "not attempted", "updated": stamp}
    reset = {"type": "reset", "exercises": [FIRST], "notebooks": []}
    kills.replace(context, base, json.dumps(document), reset)
    for student in (left, right):
        said = student.ask("import tinytorch as tt\ntt.tensor([1.0])").text
        assert f"{FIRST}: reset on the map of the course" in said and "not written yet" in said, said
    right.exercise(STRIDES, SOLUTION[STRIDES])
    found = exercises(context, base)
    assert found[FIRST]["source"] is None and found[STRIDES]["source"] == SOLUTION[STRIDES]
    assert found[SHAPES]["source"] == SOLUTION[SHAPES]


@pytest.mark.parametrize("isolated", [False, True], ids=["first visit", "isolated"])
def test_a_full_browser_is_said_on_the_card_and_saved_later(
    isolated: bool, base: str, launch: Launch, request: pytest.FixtureRequest
) -> None:
    """IndexedDB refuses: the card comes at once, says so and where to export; with room again all is saved."""
    if isolated:  # the kernel's drive is another one in a page that comes through the service worker
        request.getfixturevalue("visited")
    context = launch()
    context.add_init_script(FULL)
    student = Student(context, base)
    student.open(MODULE["notebook"])
    assert student.page.evaluate("crossOriginIsolated") is isolated
    student.exercise(FIRST, SOLUTION[FIRST])
    student.page.evaluate("window.full = true")
    card = student.exercise(STRIDES, SOLUTION[STRIDES])
    assert card.text.startswith("passed") and "the storage of this browser is full" in card.text, card.text
    assert "Your answers take" in card.text and f"export your work on the map of the course: {base}" in card.text
    assert card.seconds < 12, "the page answered; nobody waited for an answer that never comes"
    assert STRIDES not in exercises(context, base)
    assert "could not be saved" in student.ask(f"%hint {SHAPES}").text
    student.page.evaluate("window.full = false")
    card = student.exercise(SHAPES, SOLUTION[SHAPES])
    assert "Your work is saved again" in card.text, card.text
    assert {name: item["status"] for name, item in exercises(context, base).items()} == {
        FIRST: "passed",
        STRIDES: "passed",
        SHAPES: "passed",
    }


def test_a_page_that_cannot_store_says_so_before_the_first_card(base: str, launch: Launch) -> None:
    """Without service workers, as in some private windows, the kernel has no drive: the first cell says it."""
    context = launch()
    context.add_init_script("Object.defineProperty(Navigator.prototype, 'serviceWorker', { get: () => undefined })")
    student = Student(context, base)
    student.page.goto(f"{base}notebooks/index.html?path={MODULE['notebook']}")
    student.wait_for_page()
    said = student.ask("1 + 1", timeout=300).text
    assert "This page cannot reach the browser's storage" in said and "private window" in said, said
    card = student.exercise(FIRST, SOLUTION[FIRST])
    assert card.text.startswith("passed") and "gone when this page is closed" in card.text, card.text


# The device has the whole release; the next one is looked for, downloaded and ready to take over.
COMPLETE = """() => import(new URL("../offline.mjs", location)).then(({ offline }) => new Promise((resolve) => {
  const look = () => { if (offline.state.complete) resolve(true); };
  offline.addEventListener("change", look);
  look();
}))"""
UPDATED = """() => import(new URL("../offline.mjs", location)).then(async ({ offline }) => {
  await (await navigator.serviceWorker.getRegistration()).update();
  return new Promise((resolve) => {
    const look = () => { if (offline.state.update?.ready) resolve(offline.state.update); };
    offline.addEventListener("change", look);
    look();
  });
})"""


@pytest.fixture
def served(site: Path, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A copy of the site that can be exchanged for another release, and its address."""
    folder = tmp_path / "served"
    shutil.copytree(site, folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, address(server)
    server.shutdown()
    server.server_close()


def test_a_new_release_keeps_what_was_solved(served: tuple[Path, str], launch: Launch, tmp_path: Path) -> None:
    """Solved exercises stay solved, are checked again under the new release, and are found under their new names."""
    folder, base = served
    student = Student(launch(), base)
    student.open(MODULE["notebook"])
    for name in (FIRST, STRIDES, SHAPES):
        assert student.exercise(name, SOLUTION[name]).text.startswith("passed")
    before = exercises(student.context, base)
    assert {item["release"] for item in before.values()} == {lessons.course(ROOT)["release"]}

    assert student.page.evaluate(COMPLETE), "the device keeps the old release"
    new = releases.second_release(
        folder,
        tmp_path / "second",
        "0.2.0",
        renamed={STRIDES: "dense_strides"},
        checks={"[(5,), (2, 3, 5)], (2, 3, 5), why": "[(5,), (2, 3, 5)], (2, 3, 6), why"},
    )
    releases.take_over(new, folder)
    ready = student.page.evaluate(UPDATED)
    assert ready["ready"], ready
    student.context.close()  # all pages: the next start has the new release
    student.context = launch()
    second = Student(student.context, base)
    second.open(MODULE["notebook"])
    names = (FIRST, "dense_strides", SHAPES)
    wait_for(
        lambda: all(exercises(student.context, base).get(name, {}).get("release") == "0.2.0" for name in names),
        120,
        "checking again",
    )
    found = exercises(student.context, base)
    assert found[STRIDES] == before[STRIDES], "the old name stays, for an older release"
    assert {found[name]["status"] for name in names} == {"passed"}
    assert found["dense_strides"]["source"] == SOLUTION[STRIDES].replace(f"def {STRIDES}(", "def dense_strides(")
    said = second.ask("1 + 1").text
    assert f"The checks of release 0.2.0 find something in {SHAPES}" in said and "It stays solved" in said, said
    assert "aligned at their last dimension" in found[SHAPES]["recheck"] and not found[FIRST].get("recheck")
    table = second.ask("%check 01").text
    assert "3 of " in table and f"{SHAPES} stays solved" in table, table

"""The stage on which a milestone runs: pictures and progress while it runs, and the words when something is missing.

A milestone defines `main(steps=..., seed=...) -> dict` and `gate(result) -> [(sentence, whether it is true), ...]`.
`run` calls both and says what came of it; `play` does so for a script, `%milestone 1` for a notebook.
"""

from __future__ import annotations

import itertools
import runpy
import sys
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from . import card, course, loader, runner, source, thumbnail
from .outcome import GIVEN, NOT_ATTEMPTED, NOT_YET, PASSED, Result

Main = Callable[..., dict[str, Any]]
Gate = Callable[[dict[str, Any]], list[tuple[str, bool]]]

CHECKED_AT_ONCE = 5  # exercises between two drawings of the progress
EVERY = 0.2  # seconds between two drawings: the page needs the time for its own work


def digits(seed: int, classes: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 64) of the first classes, float32 from 0 to 1, and labels, int64, in an order drawn from the seed."""
    data = course.dataset("digits.npz")
    order = np.random.default_rng(seed).permutation(np.flatnonzero(data["labels"] < classes))
    return data["images"][order].reshape(-1, 64).astype(np.float32) / 16, data["labels"][order].astype(np.int64)


def numbers(model: Any) -> list[np.ndarray]:
    """A copy of a model's parameters as NumPy arrays."""
    return [parameter.detach().numpy().copy() for parameter in model.parameters()]


class Live:
    """One picture that is drawn anew in its place; outside a notebook, a line of text each time.

    Drawing is skipped when the last one is less than EVERY seconds old; `next` draws what was skipped and lets
    the next picture appear below.
    """

    finished: ClassVar[list[Callable[[], Any]]] = []  # the last state of each picture of a run, for its record

    def __init__(self) -> None:
        self.display = _display()
        self.last_picture: Callable[[], Any] | None = None
        self.handle: Any = None
        self.last = 0.0
        self.waiting: tuple[Callable[[], Any], str] | None = None

    def show(self, picture: Callable[[], Any], text: str) -> None:
        """Draw `picture()`, or print `text` where there are no pictures."""
        self.waiting = picture, text
        self.last_picture = picture
        if time.monotonic() - self.last >= EVERY:
            self._draw()

    def next(self) -> None:
        """Finish this picture; the next one has a place of its own."""
        self._draw()
        if self.last_picture is not None:
            Live.finished.append(self.last_picture)
            self.last_picture = None
        self.handle, self.last = None, 0.0

    def progress(self, what: str, done: int, of: int) -> None:
        """Draw a bar: `done` of `of` steps. It comes after EVERY seconds, so that what is quick shows none."""
        filled = round(20 * done / max(of, 1))
        text = f"{'█' * filled}{'░' * (20 - filled)} {what}: {done} of {of}"
        if self.last == 0.0:
            self.last = time.monotonic()
        if self.display is not None:
            self.show(lambda: Bar(text), text)

    def close(self) -> None:
        """Take the picture away, as a bar that came to its end."""
        self.waiting = None
        if self.handle is not None:
            self.handle.update(Bar(""))
        self.handle, self.last = None, 0.0

    def _draw(self) -> None:
        if self.waiting is None:
            return
        (picture, text), self.waiting = self.waiting, None
        if self.display is None:
            print(text, flush=True)
        elif self.handle is None:
            self.handle = self.display(picture(), display_id=True)
        else:
            self.handle.update(picture())
        self.last = time.monotonic()


class Bar:
    """A line of text as an output that can be exchanged for another."""

    def __init__(self, text: str) -> None:
        self.text = text

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": self.text}


def _display() -> Any:
    """IPython's `display` when a notebook is there to draw; None in a script, a terminal and a test."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is None or not hasattr(shell, "kernel"):
        return None
    from IPython.display import display

    return display


def close(mine: Any, theirs: Any, tolerance: float) -> bool:
    """Whether two nests of lists and tuples of numbers have the same shape and values (relative to those above 1)."""
    if isinstance(mine, list | tuple) and isinstance(theirs, list | tuple):
        return len(mine) == len(theirs) and all(close(a, b, tolerance) for a, b in zip(mine, theirs, strict=True))
    mine, theirs = np.asarray(mine, np.float64), np.asarray(theirs, np.float64)
    return mine.shape == theirs.shape and bool(np.allclose(mine, theirs, tolerance, tolerance))


@dataclass
class Outcome:
    """What came of a run: passed only when all that the gate claims is true."""

    passed: bool
    claims: list[tuple[str, bool]] = field(default_factory=list)
    given: list[str] = field(default_factory=list)  # exercises that it used and that are the reference's
    missing: str = ""  # the exercise that is not written yet
    wrong: list[Result] = field(default_factory=list)  # exercises whose checks fail
    error: str = ""  # what was raised
    seconds: float = 0.0
    picture: str = ""  # SVG: the picture of the run that says most

    @property
    def status(self) -> str:
        """Passed, not yet, or given: passed with exercises that were filled in from the reference."""
        return NOT_YET if not self.passed else GIVEN if self.given else PASSED

    def text(self) -> str:
        """The outcome in lines."""
        lines = [f"{'yes' if true else 'NO '}  {sentence}" for sentence, true in self.claims]
        return "\n".join([*lines, *self.words(), f"{self.status} in {self.seconds:.1f} s"])

    def words(self) -> list[str]:
        """What is missing or wrong, and what is not the student's own."""
        lines = [self.missing] if self.missing else []
        if self.error:
            lines.append(f"The run ended with {self.error}")
        lines += [_blame(result) for result in self.wrong]
        if not self.passed and not lines:
            lines.append("The gate failed, and the checks found no exercise to blame. Run `%check` for each module.")
        if self.passed and self.given:
            count = card.counted(len(self.given), "exercise")
            shown = ", ".join(self.given[:3]) + (", ..." if len(self.given) > 3 else "")
            lines.append(f"It runs, with {count} from the reference ({shown}). It counts when all are your own.")
        return lines

    def parts(self) -> list[card.Part]:
        """The outcome as parts of a card."""
        claims = [card.Part("yes" if true else "no", sentence) for sentence, true in self.claims]
        words = [card.Part("", words) for words in self.words()]
        return [*claims, *words, card.Part("run", f"time {self.seconds:.1f} s")]


def _blame(result: Result) -> str:
    what = result.failure.message if result.failure else "a check fails"
    said = result.failure.why if result.failure and not result.failure.message else ""
    return f"{result.exercise} is wrong: {said or what}. `%check {result.exercise}` shows all."


def read(path: Path) -> dict[str, Any]:
    """The names that a milestone's script defines, with the package imported now; `sys.path` stays as it was."""
    before = list(sys.path)
    try:
        return runpy.run_path(str(path), run_name="milestone")
    finally:
        sys.path[:] = before


def run(main: Main, gate: Gate, package: Any, given: Collection[str] = (), **options: Any) -> Outcome:
    """Run a milestone on `package` and judge it. What an exercise raises becomes words, never a stack trace.

    With one of our packages the exercises that the run uses are found by watching one step of it, and their
    checks run first: a milestone passes only when every exercise that it needs does.
    given: exercises that are the reference's, not the student's.
    """
    start = time.perf_counter()
    outcome = Outcome(False)
    try:
        outcome.missing = _silent(main, package)
        if outcome.missing:
            return outcome
        names = used(main, package)
        outcome.given = [name for name in names if name in given]
        outcome.wrong = _failing(names, package)
        if not outcome.wrong:
            Live.finished.clear()
            outcome.claims = [(sentence, bool(true)) for sentence, true in gate(main(**options))]
            outcome.passed = bool(outcome.claims) and all(true for _, true in outcome.claims)
            outcome.picture = thumbnail.most_telling([picture() for picture in Live.finished])
    except Exception as error:
        named = source.parse_not_written(str(error)) if isinstance(error, NotImplementedError) else None
        if named:
            outcome.missing = _missing(*named)
        else:
            outcome.error = f"{type(error).__name__}: {error}"
            outcome.wrong = outcome.wrong or _failing(None, package)
    outcome.seconds = time.perf_counter() - start
    return outcome


def _needed(main: Main) -> dict[str, tuple[dict[str, Any], dict[str, Any], int]]:
    """The exercises of the modules before the milestone that `main` belongs to, as `course.exercise_index` has them."""
    data = course.load(course.find_root())
    number = Path(main.__code__.co_filename).stem.partition("_")[0]
    after = next(m["after"] for m in data["milestones"] if f"{m['id']:02}" == number)
    return {name: item for name, item in course.exercise_index(data).items() if item[0]["id"] <= after}


def _silent(main: Main, package: Any) -> str:
    """Words on the first needed exercise whose stub does nothing instead of raising, if it is still a stub."""
    folder = loader.package_folder(package)
    for name, (module, exercise, _) in _needed(main).items():
        if folder and name in source.SILENT:
            text = (folder / exercise["file"]).read_text(encoding="utf-8")
            if source.not_written(name, module["id"], module["title"]) in source.definition(text, name):
                return _missing(name, module["id"], module["title"])
    return ""


def _missing(name: str, module_id: str, title: str) -> str:
    return f"This milestone needs {name}, an exercise of module {module_id}, {title}."


def used(main: Main, package: Any) -> list[str]:
    """Names of the exercises that one step of a milestone calls, in the order of the course."""
    if loader.package_folder(package) is None:
        return []
    folder, called = str(loader.package_folder(package)), set()

    def note(frame: Any, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(folder):
            called.add((Path(frame.f_code.co_filename).name, frame.f_code.co_qualname))

    silent = _Silence()
    before = sys.getprofile()
    sys.setprofile(note)
    try:
        with silent:
            main(steps=1)
    finally:
        sys.setprofile(before)
    return [
        name
        for name, (_, exercise, _) in _needed(main).items()
        if any(file == exercise["file"] and (f"{one}.").startswith(f"{name}.") for file, one in called)
    ]


class _Silence:
    """Neither prints nor draws: the watched step is not the run that the student wants to see."""

    def __enter__(self) -> None:
        self.kept = Live.show, Live.next
        Live.show = Live.next = lambda self, *_: None  # type: ignore[method-assign, assignment]

    def __exit__(self, *_: Any) -> None:
        Live.show, Live.next = self.kept  # type: ignore[method-assign]


def _failing(names: list[str] | None, package: Any) -> list[Result]:
    """The first of these exercises (None: of all) whose checks fail, as a list of one; empty when none does."""
    if loader.package_folder(package) is None:
        return []
    root, live, done = course.find_root(), Live(), 0
    modules = course.load(root)["modules"]
    wanted = [(m, e["name"]) for m in modules for e in m["exercises"] if names is None or e["name"] in names]
    try:
        for module, group in itertools.groupby(wanted, lambda pair: pair[0]):
            for some in _batches([name for _, name in group], CHECKED_AT_ONCE):
                live.progress("checking the exercises that it needs", done, len(wanted))
                results = runner.run(course.checks_file(root, module), some, package, measured=False)
                failing = [result for result in results if result.status not in (PASSED, NOT_ATTEMPTED)]
                if failing:
                    return failing[:1]
                done += len(some)
    finally:
        live.close()
    return []


def _batches(names: list[str], size: int) -> Iterator[list[str]]:
    return (names[i : i + size] for i in range(0, len(names), size))


def play(main: Main, gate: Gate) -> None:
    """Run a milestone as a script: text, and exit code 1 unless it passed. Arguments: --steps N, --seed N."""
    package = sys.modules["tinytorch"]
    words = sys.argv[1:]
    options = {key.removeprefix("--"): int(value) for key, value in zip(words[::2], words[1::2], strict=True)}
    outcome = run(main, gate, package, (), **options)
    print(outcome.text())
    raise SystemExit(0 if outcome.passed else 1)

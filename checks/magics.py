"""The magics of a notebook: `%%exercise %check %hint %solution %recall %fill %milestone %%measure`.

They parse their line, ask the session, and show what it answers. Whatever goes wrong in our own machinery
becomes a message that says so; a student never sees a stack trace of ours.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sys
import textwrap
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import card, limits, source, stage
from .expect import seconds_text
from .measure import Measurement, compare, measure_all

if TYPE_CHECKING:
    from .outcome import Result
    from .session import Session
    from .work import Store

_FILES = str(Path(__file__).parent)
RECALLED = {"--passed": "passed_source", "--other": "other_source"}
IDLE = 8.0  # seconds without a cell before solved exercises are checked again under a new release
PAUSE = 0.2  # seconds between two of them, in which a cell can start
BATCH = 12  # of them per write
RUN_CODE = {"measure", "milestone"}  # magics that run the student's code as a cell does, with a cell's recursion


def load(shell: Any, store: Store | None = None) -> None:
    """Start a session and register the magics; loading twice is the same as loading once.

    store: where the student's work is; without one, where the platform keeps it.
    """
    if _loaded(shell) is not None:
        return
    try:
        from . import session

        magics = Magics(shell, session.start(store), "")
    except (Exception, SystemExit) as error:
        magics = Magics(shell, None, _in_words(error))
    magics.register()


def drive_is_here(shell: Any) -> None:
    """Tell a session that was started before the page's drive that it is there."""
    magics = _loaded(shell)
    if magics is not None and not magics.problem:
        magics.session.drive_is_here()


def unload(shell: Any) -> None:
    """Take the magics away."""
    magics = _loaded(shell)
    if magics is not None:
        magics.unregister()


def _loaded(shell: Any) -> Magics | None:
    function = shell.magics_manager.magics["cell"].get("exercise")
    owner = getattr(function, "__self__", None)
    return owner if isinstance(owner, Magics) else None


def _explained(magic: Callable[..., None]) -> Callable[..., None]:
    """Show a message when the session did not start, or when our own code fails."""

    @functools.wraps(magic)
    def run(self: Magics, *arguments: str) -> None:
        if self.problem:
            self.show(_not_started(self.problem))
            return
        try:
            room = 0 if magic.__name__ in RUN_CODE else self.recursion
            with warnings.catch_warnings(), limits.deep(room):
                warnings.simplefilter("ignore", SyntaxWarning)  # we parse a cell several times
                magic(self, *arguments)
        except Exception as error:
            self.show(_our_fault(error))

    return run


def _not_started(problem: str) -> card.Bundle:
    return card.message(
        "The checks could not start",
        "Your notebook works, but nothing is checked or saved beyond the notebook itself. Restart the kernel; if "
        "this message comes back, please report it with the text below.",
        [card.Part("", problem, code=True)],
    )


def _our_fault(error: BaseException) -> card.Bundle:
    return card.message(
        "The checks themselves failed",
        "This is a fault of the course, not of your code, and your code is still in the cell. Please report it "
        "with the text below.",
        [card.Part("", _in_words(error), code=True)],
    )


def _in_words(error: BaseException) -> str:
    """An exception of ours in two lines: what it says, and where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if frame.filename.startswith(_FILES)] or frames
    where = f"\n{Path(ours[-1].filename).name}, line {ours[-1].lineno}" if ours else ""
    return f"{type(error).__name__}: {error}{where}"


class Magics:
    """The magic functions of one shell, around one session (None when it could not start)."""

    def __init__(self, shell: Any, session: Session | None, problem: str) -> None:
        self.shell, self.problem = shell, problem
        self._session = session
        self.recursion = 0  # the limit before the running cell; 0 before the first one
        self.rechecks = Rechecks(session) if session is not None else None
        self._functions = {
            "cell": {"exercise": self.exercise, "measure": self.measure},
            "line": {
                "check": self.check,
                "hint": self.hint,
                "solution": self.solution,
                "recall": self.recall,
                "fill": self.fill,
                "milestone": self.milestone,
            },
        }

    @property
    def session(self) -> Session:
        assert self._session is not None  # `_explained` answers for a session that did not start
        return self._session

    def register(self) -> None:
        """Make the magics known; messages of the start are shown before the next cell runs."""
        for kind, functions in self._functions.items():
            for name, function in functions.items():
                self.shell.register_magic_function(function, kind, name)
        self.shell.events.register("pre_run_cell", self.before_cell)
        self.shell.events.register("post_run_cell", self.after_cell)
        self.shell.input_transformers_cleanup.insert(0, with_a_body)
        if self.rechecks is not None:
            self.rechecks.later(IDLE)

    def unregister(self) -> None:
        """Take the magics away again."""
        if self.rechecks is not None:
            self.rechecks.pause()
        for kind, functions in self._functions.items():
            for name in functions:
                self.shell.magics_manager.magics[kind].pop(name, None)
        self.shell.events.unregister("pre_run_cell", self.before_cell)
        self.shell.events.unregister("post_run_cell", self.after_cell)
        self.shell.input_transformers_cleanup.remove(with_a_body)

    def before_cell(self, *_: Any) -> None:
        """Keep a cell's recursion from ending the kernel, and show what there was no cell to show it in."""
        self.recursion = limits.shallow(limits.CELL_LEVELS)
        if self.rechecks is not None:
            self.rechecks.pause()
        if self._session is not None:
            for notice in self._session.work.take_notices():
                self.show(card.message("About your saved work", notice))

    def after_cell(self, *results: Any) -> None:
        """Give completion, which recurses deeply, its room back; after a stub's error say what can be done."""
        if self.recursion:
            sys.setrecursionlimit(self.recursion)
        if self.rechecks is not None:
            self.rechecks.later(IDLE)
        error = getattr(results[0], "error_in_exec", None) if results else None
        needed = source.parse_not_written(str(error)) if isinstance(error, NotImplementedError) else None
        if needed:
            name, module, title = needed
            text = f"Write it in the lesson of module {module}, or let `%fill {module}` put in what is missing of it."
            self.show(card.message(f"This cell needs {name}, an exercise of module {module}, {title}", text))

    def show(self, bundle: card.Bundle) -> None:
        """Show a card, as HTML and plain text."""
        self.shell.display_pub.publish(data=bundle, metadata={})

    @_explained
    def exercise(self, line: str, cell: str) -> None:
        """%%exercise NAME: load, check and save the definition in this cell."""
        name = line.strip()
        if name not in self.session.index:
            self.show(self.session.unknown(name, self.session.index))
            return
        bundle = None
        with contextlib.suppress(SyntaxError):
            bundle = self.session.run_exercise(name, cell, self.shell.user_ns)
        self._show_syntax_error(cell) if bundle is None else self.show(bundle)

    @_explained
    def check(self, line: str) -> None:
        """%check NAME, %check 01, or %check alone for the current module."""
        self.show(self.session.check(line.strip()))

    @_explained
    def hint(self, line: str) -> None:
        """%hint NAME: one hint more; without a name for the exercise that was run last."""
        if name := self._named(line):
            self.show(self.session.hint(name))

    @_explained
    def solution(self, line: str) -> None:
        """%solution NAME: how the exercise can be written; notes that it was seen."""
        if name := self._named(line):
            self.show(self.session.solution(name))

    @_explained
    def recall(self, line: str) -> None:
        """%recall NAME [--passed | --other]: put the saved answer into this cell, or the last one that passed, or
        the one that another tab's answer replaced."""
        words = line.split()
        which = next((field for option, field in RECALLED.items() if option in words), "source")
        if name := self._named(" ".join(word for word in words if word not in RECALLED)):
            text, bundle = self.session.recall(name, which)
            if text is not None:
                self._fill_cell(text.rstrip("\n"))
            self.show(bundle)

    @_explained
    def fill(self, line: str) -> None:
        """%fill 01 02, %fill NAME: put the reference's code where exercises of these modules are missing."""
        words = line.split()
        if not words:
            text = "`%fill 01` fills in what is missing of module 01, `%fill 01 02` of both."
            self.show(card.message("Which module?", text))
            return
        live = stage.Live()
        bundle = self.session.fill(words, lambda done, of: live.progress("filling in", done, of))
        live.close()
        self.show(bundle)

    @_explained
    def milestone(self, line: str) -> None:
        """%milestone 1: run a milestone with the student's own package."""
        self.show(self.session.milestone(line.strip()))

    def _fill_cell(self, text: str) -> None:
        """Put text in place of the running cell's. The page's shell has no way for it, but sends payloads."""
        self.shell.set_next_input(text, replace=True)
        self.shell.payload_manager.write_payload({"source": "set_next_input", "text": text, "replace": True})

    def _named(self, line: str) -> str:
        """The exercise that a line names, or the last one; empty after saying that there is none."""
        name = line.strip() or self.session.last
        if name in self.session.index:
            return name
        self.show(self.session.unknown(name, self.session.index))
        return ""

    @_explained
    def measure(self, line: str, cell: str) -> None:
        """%%measure: time and memory of a cell, or of two pieces of code with a line `# vs` between them."""
        blocks = split_blocks(cell)
        if len(blocks) > 2 or not all(text.strip() for _, text in blocks):
            text = "Write code below %%measure, or two pieces of code with one line `# vs` between them."
            self.show(card.message("Nothing was measured", text))
            return
        measured: list[Measurement] = []
        with contextlib.suppress(SyntaxError):
            measured = measure_all(blocks, self.shell.user_ns)
        self.show(measurement_card(measured)) if measured else self._show_syntax_error(cell)

    def _show_syntax_error(self, cell: str) -> None:
        """Show a cell's syntax error as Python does, with the line numbers of the cell (line 1 is the magic)."""
        text = "\n" + textwrap.dedent(cell)
        name = self.shell.compile.cache(text, self.shell.execution_count)
        try:
            compile(text, name, "exec", dont_inherit=True)
        except SyntaxError:
            self.shell.showsyntaxerror()


class Rechecks:
    """Checks what was solved under another release once more, while the kernel has nothing else to do.

    One exercise at a time, long after the last cell: a cell that is run meanwhile waits for one exercise at most.
    Where no event loop runs, `%check` and `%%exercise` do it when the student comes to them.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.names = session.unchecked()
        self.results: list[Result] = []
        self.timer: asyncio.TimerHandle | None = None

    def later(self, seconds: float) -> None:
        """Go on after so many seconds, unless a cell comes first."""
        self.pause()
        if self.names:
            with contextlib.suppress(RuntimeError):
                self.timer = asyncio.get_running_loop().call_later(seconds, self.step)

    def pause(self) -> None:
        """A cell is about to run."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def step(self) -> None:
        """Check the next exercise; save what came of some of them, or of the last ones."""
        name = self.names.pop(0)
        try:
            result = self.session.recheck(name) if name in self.session.unchecked() else None
        except Exception as error:
            self.names.clear()  # the same happens, and is shown, when the exercise is run
            warnings.warn(f"solved exercises could not be checked again: {_in_words(error)}", stacklevel=1)
            return
        if result is not None:
            self.results.append(result)
        if len(self.results) >= BATCH or not self.names:
            self.session.note_rechecked(self.results)
            self.results = []
        self.later(PAUSE)


def with_a_body(lines: list[str]) -> list[str]:
    """Give a cell that ends after its magic an empty line, else IPython answers instead of us."""
    if len(lines) == 1 and lines[0].split(maxsplit=1)[:1] in (["%%exercise"], ["%%measure"]):
        return [lines[0].rstrip("\n") + "\n", "\n"]
    return lines


def split_blocks(cell: str) -> list[tuple[str, str]]:
    """The labelled pieces of a `%%measure` cell; each is filled up so that its lines keep their numbers."""
    pieces: list[list[str]] = [[]]
    for line in cell.split("\n"):
        if line.strip().lower() == "# vs":
            pieces.append([])
        else:
            pieces[-1].append(line)
    blocks, before = [], 1
    for i, lines in enumerate(pieces):
        written = [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
        short = len(written) == 1 and len(written[0]) <= 60
        label = written[0] if short else f"block {i + 1}" if len(pieces) > 1 else "this cell"
        blocks.append((label, "\n" * before + "\n".join(lines) if written else ""))
        before += len(lines) + 1
    return blocks


def measurement_card(measured: list[Measurement]) -> card.Bundle:
    """One or two measurements as a table, and the ratio of two or why there is none."""
    errors = [one for one in measured if one.error]
    rows = [[one.label, *_columns(one)] for one in measured if not one.error]
    lines = [f"{one.label} raised {one.error}" for one in errors]
    if len(measured) == 2:
        lines.append(str(compare(*measured)))
    lines += [
        f"{one.label}: its blocks are too short for this clock ({seconds_text(one.clock_step)} per step), so the "
        "time is a guess."
        for one in measured
        if not one.error and not one.resolved
    ]
    if not rows:
        return card.message("Nothing was measured", "\n".join(lines))
    head = ["code", "median time", "quartiles", "measured", "peak memory"]
    return card.table("Measured", head, rows, notices=lines)


def _columns(one: Measurement) -> list[str]:
    calls = card.counted(one.calls, "call")
    quartiles = f"{seconds_text(one.low)} to {seconds_text(one.high)}" if one.repeats > 1 else "one run only"
    return [seconds_text(one.median), quartiles, f"{card.counted(one.repeats, 'block')} of {calls}", one.memory_text()]

"""What a run of checks comes to, as plain data: results, and failures taken apart for a card."""

from __future__ import annotations

import difflib
import itertools
import linecache
import os
import re
import traceback
import types
from dataclasses import dataclass, field
from pathlib import Path

from . import source
from .expect import CheckFailed
from .limits import TimeLimit

PASSED, NOT_YET, NOT_ATTEMPTED = "passed", "not yet", "not attempted"
GIVEN = "given"  # filled in from the reference: it works, but it is not the student's, and earns nothing
TRACE_LIMIT = 1.0  # seconds: longer checks are not run again to trace memory (loops take 18 times as long)
MAX_LINES = 5  # of the student's own stack that a card shows


@dataclass(frozen=True)
class Line:
    """One line of the student's package in a stack."""

    file: str  # as the student knows it: tinytorch/tensor.py
    number: int
    function: str
    text: str
    cell_line: int = 0  # its number in the notebook cell that was just run, when it is in there

    def place(self) -> str:
        """Where the line is: in the cell if possible, and in the file."""
        in_file = f"{self.file}, line {self.number}"
        if self.cell_line:
            return f"line {self.cell_line} of this cell, in {self.function} ({in_file})"
        return f"{in_file}, in {self.function}"


@dataclass(frozen=True)
class Failure:
    """What went wrong in one check; `kind` is expectation, error, needs, time, memory, recursion or exit."""

    kind: str
    call: str
    message: str = ""
    expected: str = ""
    got: str = ""
    where: str = ""
    why: str = ""
    needs: str = ""  # the exercise that is not written yet, for kind "needs"
    lines: tuple[Line, ...] = field(default=())

    def text(self) -> str:
        """Everything as plain text, in the order of the card."""
        parts = (
            ("expected", self.expected),
            ("got", self.got),
            ("first difference", self.where),
            ("why", self.why),
        )
        rows = [f"{name}: {value}" for name, value in parts if value]
        rows += [f"{line.place()}: {line.text}" for line in self.lines]
        return "\n".join(part for part in [self.call, self.message, *rows] if part)


@dataclass
class CheckResult:
    """Outcome of one check function."""

    name: str
    points: int
    passed: bool
    failure: Failure | None = None
    seconds: float = 0.0
    peak_bytes: int | None = None
    output: str = ""
    warnings: tuple[str, ...] = ()


@dataclass
class Result:
    """Outcome of one exercise. `note` says why a measurement is missing."""

    exercise: str
    status: str
    of: int
    total_checks: int
    checks: list[CheckResult] = field(default_factory=list)

    @property
    def points(self) -> int:
        return sum(check.points for check in self.checks if check.passed)

    @property
    def passed_checks(self) -> int:
        return sum(check.passed for check in self.checks)

    @property
    def failure(self) -> Failure | None:
        """The first failure, which is what a card shows."""
        return next((check.failure for check in self.checks if check.failure), None)

    @property
    def seconds(self) -> float:
        return sum(check.seconds for check in self.checks)

    @property
    def peak_bytes(self) -> int | None:
        peaks = [check.peak_bytes for check in self.checks if check.peak_bytes is not None]
        return max(peaks) if peaks else None


def explain(error: BaseException, exercise: str, checks: Path, package: Path | None, seconds: float) -> Failure:
    """Turn what a check raised into a Failure, and let go of the objects that the stack holds."""
    lines = student_lines(error, package)
    if not lines and error.__cause__ is not None:
        lines = student_lines(error.__cause__, package)
    call = _check_line(error, checks)
    failure = _explain(error, exercise, call, lines, seconds)
    if error.__traceback__ is not None:
        traceback.clear_frames(error.__traceback__)
    return failure


def _explain(error: BaseException, exercise: str, call: str, lines: tuple[Line, ...], seconds: float) -> Failure:
    name = type(error).__name__
    message = f"{name}: {error}" if str(error) else name
    if isinstance(error, CheckFailed):
        return Failure("expectation", error.call, "", error.expected, error.got, error.where, error.why, lines=lines)
    if isinstance(error, TimeLimit):
        return Failure(
            "time",
            call,
            f"Stopped after {seconds:g} s: the code was still running.",
            why="a loop whose condition never becomes false, or far more work than needed",
            lines=lines[-1:],
        )
    if isinstance(error, NotImplementedError) and (needed := source.parse_not_written(str(error))):
        return _needs(needed, exercise, call, lines)
    if lines and isinstance(error, NameError) and error.name and not isinstance(error, UnboundLocalError):
        return Failure("error", call, message, why=_known_names(error), lines=lines)
    if isinstance(error, RecursionError):
        why = "a function keeps calling itself, directly or through another; which call ends the chain?"
        return Failure("recursion", call, message, why=why, lines=lines[-2:])
    if isinstance(error, MemoryError):
        why = "the code asked for more memory than there is; look at the shapes it allocates"
        return Failure("memory", call, message, why=why, lines=lines)
    if isinstance(error, SystemExit):
        why = "your function must return its result; `exit` would end the program"
        return Failure("exit", call, message, why=why, lines=lines)
    if isinstance(error, KeyboardInterrupt):
        return Failure("interrupted", call, "KeyboardInterrupt: the run was interrupted.", lines=lines)
    return Failure("error", call, message, lines=lines)


def _known_names(error: NameError) -> str:
    """What an unknown name could have been: the names of the file in which the code stands."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    names = trace.tb_frame.f_globals if trace is not None else {}
    file = Path(str(names.get("__file__", ""))).name
    known = sorted(name for name in names if not name.startswith("_") and name != "annotations")
    if not file or not known:
        return ""
    close = difflib.get_close_matches(str(error.name), known, n=1, cutoff=0.75)
    meant = f"did you mean {close[0]}? " if close else ""
    if error.name in ("tt", "tinytorch", "torch"):
        meant = "an exercise is part of the library itself, where names need no prefix: "
    return f"{meant}your code stands in {file}, which knows {', '.join(known)}"


def _needs(needed: tuple[str, str, str], exercise: str, call: str, lines: tuple[Line, ...]) -> Failure:
    name, module, title = needed
    if name == exercise:
        return Failure("error", call, f"{name} still raises NotImplementedError.", lines=lines)
    message = f"This needs {name}, an exercise of module {module}, {title}, which is not written yet."
    return Failure("needs", call, message, needs=name)


def student_lines(error: BaseException, package: Path | None) -> tuple[Line, ...]:
    """The lines of an error's stack that are in the student's package, outermost first, at most a few."""
    if package is None:
        return ()
    prefix = f"{package}{os.sep}"
    frames = [
        (frame, number)
        for frame, number in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename.startswith(prefix)
    ]
    if len(frames) > MAX_LINES:
        frames = [*frames[:2], *frames[2 - MAX_LINES :]]
    return tuple(_line(frame, number, package) for frame, number in frames)


def _line(frame: types.FrameType, number: int, package: Path) -> Line:
    code = frame.f_code
    file = Path(code.co_filename).relative_to(package.parent).as_posix()
    text = linecache.getline(code.co_filename, number).strip()
    return Line(file, number, code.co_qualname, text)


def _check_line(error: BaseException, checks: Path) -> str:
    """The expression of the check that was running: what to type to see the same.

    A helper of the checks, which is handed `expect`, is nothing to type: then it is the expression inside it.
    """
    call, trace = "", error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(checks):
            call = _expression(trace, checks)
            if not re.search(r"\bexpect\b", call):
                break
        trace = trace.tb_next
    return call


def _expression(trace: types.TracebackType, checks: Path) -> str:
    """The text of the expression of a file of checks at which a traceback entry stands."""
    place = next(itertools.islice(trace.tb_frame.f_code.co_positions(), trace.tb_lasti // 2, None))
    first, last, start, end = place
    if first is None or last is None or start is None or end is None:
        return linecache.getline(str(checks), trace.tb_lineno).strip()
    rows = [linecache.getline(str(checks), number).rstrip("\n").encode() for number in range(first, last + 1)]
    rows[-1] = rows[-1][:end]  # columns count bytes of UTF-8
    rows[0] = rows[0][start:]
    return " ".join(row.decode(errors="replace").strip() for row in rows)

"""The checking kit: what runs, judges, explains and saves an exercise.

A file of checks (`checks/test_01_tensor.py`) holds pytest functions marked with `exercise`; a gallery of
wrong answers (`checks/wrong/01_tensor.py`) holds functions marked with `wrong`. In a notebook,
`%load_ext checks` adds `%%exercise`, `%check`, `%hint`, `%solution`, `%recall`, `%fill`, `%milestone` and
`%%measure`; in the browser this happens before the first cell.
"""

from __future__ import annotations

import inspect
import linecache
import runpy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from . import charts as chart
from .course import dataset, site_base
from .expect import CheckFailed, Expect
from .measure import Measurement, measure

__all__ = [
    "Check",
    "CheckFailed",
    "Expect",
    "Measurement",
    "Wrong",
    "chart",
    "dataset",
    "exercise",
    "load_ipython_extension",
    "measure",
    "site_base",
    "unload_ipython_extension",
    "wrong",
]

DEFAULT_LIMIT = 10.0  # seconds that one exercise's checks may take together

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Check:
    """What `@exercise` notes on a check function."""

    exercise: str
    points: int
    limit: float | None
    hints: tuple[str, ...]
    torch: bool


@dataclass(frozen=True)
class Wrong:
    """A mistake that people make: source of the answer, and a sentence that its card must contain."""

    exercise: str
    says: str
    source: str
    label: str


def exercise(
    name: str,
    points: int = 1,
    limit: float | None = None,
    hints: tuple[str, ...] = (),
    torch: bool = True,
) -> Callable[[F], F]:
    """Mark a pytest function `test_...(tt, expect)` as a check of the exercise `name`.

    points: what passing this check earns; the points of an exercise are the sum over its checks.
    limit: seconds that all checks of the exercise may take together (default 10); give it on one check.
    hints: from vague to nearly code; given on the first check of the exercise.
    torch: False when PyTorch has no such name, or the check looks inside our own objects.
    """

    def mark(function: F) -> F:
        function.check = Check(name, points, limit, tuple(hints), torch)  # type: ignore[attr-defined]
        return function

    return mark


_gallery: list[Wrong] = []


def gallery(path: Path) -> list[Wrong]:
    """The wrong answers that a gallery file holds, in order."""
    _gallery.clear()
    runpy.run_path(str(path))
    linecache.checkcache(str(path))
    return list(_gallery)


def wrong(name: str, says: str) -> Callable[[F], F]:
    """Mark a function or class as a wrong answer to `name`, whose card must contain the text `says`.

    The answer is the source text below the decorator. When the answer itself needs decorators
    (`@property`, `@staticmethod`), write them below this one. The function's own name may differ from the
    exercise's, so that a gallery can hold several answers: it is renamed when it is put in place.
    """

    def mark(function: F) -> F:
        target: Any = function
        if isinstance(function, property):
            target = function.fget
        elif isinstance(function, staticmethod | classmethod):
            target = function.__func__
        _gallery.append(Wrong(name, says, _answer_text(target, name), target.__name__))
        return function

    return mark


def _answer_text(target: Any, name: str) -> str:
    """Source of a wrong answer: without its `@wrong(...)` line, renamed to the exercise's own name."""
    from . import source

    return source.wrong_answer(inspect.getsource(target), name)


def load_ipython_extension(shell: Any) -> None:
    """Add the magics to an IPython shell; a start that fails is explained, never raised."""
    from . import magics

    magics.load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Forget the session; the magics stay registered and say so."""
    from . import magics

    magics.unload(shell)

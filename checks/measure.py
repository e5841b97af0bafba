"""Time and memory of a piece of code, measured until the numbers mean something.

A browser's clock moves in steps of up to 100 µs, so single calls cannot be timed there: the code is repeated
in blocks that are long against one step, and what is reported is the median over blocks with its quartiles.
Two pieces are measured in turn, so that a machine that slows down slows both, and a ratio is given only when
the measurements support one.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import io
import itertools
import sys
import time
import traceback
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .expect import bytes_text, seconds_text

COARSE_STEP = 20e-6  # seconds; a clock with larger steps needs the long blocks
LONG_BLOCK, SHORT_BLOCK = 50e-3, 10e-3  # seconds
MIN_STEPS = 50  # clock steps in a block below which a time means nothing
BLOCKS = 15
MEMORY_LIMIT = 0.25  # seconds; tracing memory makes loops up to 18 times slower
CONFIDENCE = 0.99

Run = Callable[[int], None]  # runs the code n times


@dataclass(frozen=True)
class Measurement:
    """Seconds per call over `repeats` blocks of `calls` calls: median and quartiles; peak bytes of one call.

    `error` says what the code raised; then there are no numbers. `peak_bytes` is None when the code is too
    slow to trace.
    """

    label: str
    median: float
    low: float
    high: float
    peak_bytes: int | None
    repeats: int
    calls: int
    clock_step: float
    error: str = ""
    times: tuple[float, ...] = field(default=(), repr=False)

    @property
    def resolved(self) -> bool:
        """Were the blocks long enough for the clock?"""
        return not self.error and self.median * self.calls >= MIN_STEPS * self.clock_step

    def __str__(self) -> str:
        if self.error:
            return f"{self.label}: {self.error}"
        spread = f"quartiles {seconds_text(self.low)} to {seconds_text(self.high)}"
        if self.repeats < 2:
            spread = "measured once"
        calls = "1 call" if self.calls == 1 else f"{self.calls} calls"
        blocks = "1 block" if self.repeats == 1 else f"{self.repeats} blocks"
        lines = [f"{self.label}: {seconds_text(self.median)} ({spread}; {blocks} of {calls})"]
        if not self.resolved:
            lines.append(f"shorter than {MIN_STEPS} steps of this clock ({seconds_text(self.clock_step)} each)")
        lines.append(f"peak memory {self.memory_text()}")
        return "\n".join(lines)

    def memory_text(self) -> str:
        """Peak bytes with their unit, or why there are none."""
        if self.peak_bytes is None:
            return "not measured (too slow to trace)"
        return bytes_text(self.peak_bytes)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))


@dataclass(frozen=True)
class Comparison:
    """How many times as long `second` takes as `first`; `ratio` is None when that cannot be said."""

    first: Measurement
    second: Measurement
    ratio: float | None
    low: float
    high: float
    reason: str

    def __str__(self) -> str:
        if self.ratio is None:
            return f"No ratio: {self.reason}."
        slow, fast, ratio, low, high = self.second, self.first, self.ratio, self.low, self.high
        if ratio < 1:
            slow, fast, ratio, low, high = fast, slow, 1 / ratio, 1 / high, 1 / low
        interval = f"{CONFIDENCE:.0%} interval {low:.3g} to {high:.3g}".replace("%", " %")
        return f"{slow.label} takes {ratio:.3g} times as long as {fast.label} ({interval})."


def measure(
    code: Callable[[], Any] | str,
    label: str = "",
    budget: float = 5.0,
    memory: bool | None = None,
    namespace: dict[str, Any] | None = None,
) -> Measurement:
    """Measure a function without arguments, or an expression or statements given as text.

    Text sees the caller's variables, or those of `namespace`. budget: seconds that timing may take in all.
    memory: True traces memory even when the code is slow, False never does. What the code raises is raised.
    """
    if isinstance(code, str) and namespace is None:
        caller = sys._getframe(1)
        namespace = {**caller.f_globals, **caller.f_locals}
    label = label or (code if isinstance(code, str) else getattr(code, "__name__", "code"))
    run = runner_of(code, namespace or {})
    return _measure([(label, run)], budget, memory)[0]


def compare(first: Measurement, second: Measurement) -> Comparison:
    """Ratio of two measurements that were taken in turn, or the reason why there is none."""
    reason, low, high = "", 1.0, 1.0
    for one in (first, second):
        if one.error:
            reason = f"{one.label} raised {one.error}"
        elif not one.resolved:
            reason = f"{one.label} is too short for this clock, whose step is {seconds_text(one.clock_step)}"
    if not reason and min(first.repeats, second.repeats) < 5:
        reason = "the code is so slow that it was measured fewer than 5 times"
    if not reason:
        low, high = _interval(first.times, second.times)
        if low <= 1 <= high:
            reason = f"it lies between {low:.3g} and {high:.3g}, so either may be the faster one"
    ratio = None if reason else second.median / first.median
    return Comparison(first, second, ratio, low, high, reason)


def _interval(first: tuple[float, ...], second: tuple[float, ...]) -> tuple[float, float]:
    """Bootstrap interval of the ratio of medians: what it would be with other blocks of the same kind."""
    n = min(len(first), len(second))
    a, b = np.array(first[:n]), np.array(second[:n])
    picks = np.random.default_rng(0).integers(0, n, (2000, n))  # pairs stay together: same moment
    ratios = np.median(b[picks], axis=1) / np.median(a[picks], axis=1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(ratios, [tail, 1 - tail])
    return float(low), float(high)


def measure_all(blocks: list[tuple[str, str]], namespace: dict[str, Any], budget: float = 5.0) -> list[Measurement]:
    """Measure pieces of code in turn (`%%measure`); one that raises gets its error instead of numbers."""
    found: dict[int, Measurement] = {}
    runs: list[tuple[int, str, Run]] = []
    for i, (label, text) in enumerate(blocks):
        run = runner_of(text, namespace)
        try:
            with _quiet():
                run(1)
        except Exception as error:
            found[i] = _failed(label, _in_words(error))
        else:
            runs.append((i, label, run))
    for (i, _, _), one in zip(runs, _measure([(label, run) for _, label, run in runs], budget), strict=True):
        found[i] = one
    return [found[i] for i in range(len(blocks))]


def _failed(label: str, error: str) -> Measurement:
    return Measurement(label, float("nan"), float("nan"), float("nan"), None, 0, 0, 0.0, error)


def _in_words(error: Exception) -> str:
    """An exception, and the line of the block that raised it."""
    numbers = [n for frame, n in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == "<measure>"]
    where = f" in line {numbers[-1]}" if numbers else ""
    return f"{type(error).__name__}{where}: {error}"


def runner_of(code: Callable[[], Any] | str, namespace: dict[str, Any]) -> Run:
    """A function that runs `code` n times, with the loop inside so that it costs next to nothing."""
    if callable(code):
        function = code

        def call(n: int) -> None:
            for _ in itertools.repeat(None, n):
                function()

        return call
    tree = ast.parse(code)
    if not tree.body:
        raise SyntaxError("nothing to measure")
    loop = ast.parse("for __turn in __turns:\n    pass").body[0]
    assert isinstance(loop, ast.For)
    loop.body = tree.body
    compiled = compile(ast.Module([loop], []), "<measure>", "exec", dont_inherit=True)

    def execute(n: int) -> None:
        namespace["__turns"] = itertools.repeat(None, n)
        try:
            exec(compiled, namespace)
        finally:
            namespace.pop("__turns", None)
            namespace.pop("__turn", None)

    return execute


def clock_step(seconds: float = 5e-3) -> float:
    """The smallest step that `perf_counter` was seen to make, in seconds."""
    smallest, end = 1.0, time.perf_counter() + seconds
    last = time.perf_counter()
    while last < end or smallest == 1.0:
        moment = time.perf_counter()
        if moment != last:
            smallest = min(smallest, moment - last)
            last = moment
    return smallest


def _measure(runs: list[tuple[str, Run]], budget: float, memory: bool | None = None) -> list[Measurement]:
    """Measure all runs in turn: calibrate, time in blocks, then trace memory in a pass of its own."""
    start = time.perf_counter()
    step = clock_step()
    block = max(LONG_BLOCK if step >= COARSE_STEP else SHORT_BLOCK, MIN_STEPS * step)
    with _quiet(), _no_collection():
        calls = [_calibrated(run, block) for _, run in runs]
    times: list[list[float]] = [[] for _ in runs]
    told = False
    for turn in range(BLOCKS):
        spent = time.perf_counter() - start
        if turn and spent * (turn + 1) / turn > budget:
            break
        if not told and spent > 2.0:
            print(f"measuring: {turn} of {BLOCKS} rounds after {spent:.0f} s, at most {budget:g} s", flush=True)
            told = True
        order = range(len(runs)) if turn % 2 == 0 else reversed(range(len(runs)))
        with _quiet(), _no_collection():
            for i in order:
                times[i].append(_seconds(runs[i][1], calls[i]) / calls[i])
    return [_summary(label, run, tuple(times[i]), calls[i], step, memory) for i, (label, run) in enumerate(runs)]


def _calibrated(run: Run, block: float) -> int:
    """How many calls make a block; the first call is not counted, it may fill caches."""
    calls, took = 1, _seconds(run, 1)
    if took < block:
        took = _seconds(run, 1)
    while took < block:
        factor = min(10.0, 1.2 * block / took) if took > 0 else 10.0
        calls = max(calls + 1, int(calls * factor))
        took = _seconds(run, calls)
    return calls


def _seconds(run: Run, calls: int) -> float:
    start = time.perf_counter()
    run(calls)
    return time.perf_counter() - start


def _summary(
    label: str, run: Run, times: tuple[float, ...], calls: int, step: float, memory: bool | None
) -> Measurement:
    low, median, high = (float(q) for q in np.quantile(times, [0.25, 0.5, 0.75]))
    traced = median <= MEMORY_LIMIT if memory is None else memory
    peak = _peak_bytes(run) if traced else None
    return Measurement(label, median, low, high, peak, len(times), calls, step, times=times)


def _peak_bytes(run: Run) -> int:
    """Peak bytes that one call allocates, beyond what was allocated before it."""
    ours = not tracemalloc.is_tracing()
    if ours:
        tracemalloc.start()
    try:
        with _quiet():
            run(1)  # what is allocated once and kept (caches) is not the price of a call
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            run(1)
        return max(0, tracemalloc.get_traced_memory()[1] - before)
    finally:
        if ours:
            tracemalloc.stop()


@contextlib.contextmanager
def _quiet() -> Any:
    """Swallow what the code prints: it would be printed thousands of times."""
    with contextlib.redirect_stdout(_Nowhere()):
        yield


class _Nowhere(io.TextIOBase):
    def write(self, text: str) -> int:
        return len(text)


@contextlib.contextmanager
def _no_collection() -> Any:
    """Keep the garbage collector from running inside a block."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()

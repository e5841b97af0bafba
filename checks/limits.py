"""A time limit for code that does not end: `with limit(10, codes): ...`.

The page has neither signals nor threads, and stopping a cell from outside does not work there. So the loop
itself must look at the clock: Python calls us back at every jump and function start of the student's own
code (`sys.monitoring`, Python 3.12). Only code of the student's package is watched, everything else runs at
full speed; a single call into C that never returns cannot be stopped. Python 3.11 has no `sys.monitoring`:
there an alarm signal interrupts the code, or, where there are no signals (Windows, threads), `sys.settrace`
looks at every instruction, which is slow, and which a bare `except` around the whole loop defeats.
"""

from __future__ import annotations

import linecache
import signal
import sys
import threading
import time
import types
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

TOOL_NAME = "tinytorch-checks"

# In the page Python's frames lie on the browser's stack when a call goes through C (an operator, a sort key, a
# repr), and an overflow there ends the kernel. Measured in Chromium's worker: 500 levels of each kind of such
# calls are safe, 1000 are not. CPython keeps its own limit.
CHECK_LEVELS, CELL_LEVELS = 200, 400


Codes = Mapping[int, types.CodeType]  # code objects by their id: hashing one reads all of it


class TimeLimit(BaseException):
    """The time is over. Not an Exception: `except Exception` in the student's loop must not catch it."""

    def __init__(self, seconds: float, filename: str, line: int, function: str) -> None:
        self.seconds, self.filename, self.line, self.function = seconds, filename, line, function
        self.text = linecache.getline(filename, line).strip()
        super().__init__(f"stopped after {seconds:g} s in {function}, line {line}: {self.text}")


class _Watch:
    """One running limit: its deadline, and a way to leave code unwatched for a moment."""

    def __init__(self, seconds: float, codes: Codes) -> None:
        self.seconds, self.codes = seconds, codes
        self.deadline = time.perf_counter() + seconds
        self.active = False
        self.previous_trace: Any = None
        self.previous_handler: Any = None
        self.tool: int | None = None

    def check(self, frame: types.FrameType) -> None:
        """Raise if the time is over; raises again at the next event when a bare `except:` swallowed it."""
        if time.perf_counter() > self.deadline:
            code = frame.f_code
            raise TimeLimit(self.seconds, code.co_filename, frame.f_lineno, code.co_qualname)

    def start(self) -> None:
        self.active = True
        if sys.version_info >= (3, 12):
            self._start_monitoring()
        elif _signals_work():
            self.previous_handler = signal.signal(signal.SIGALRM, self._on_alarm)
            left = max(self.deadline - time.perf_counter(), 0.001)
            signal.setitimer(signal.ITIMER_REAL, left, 0.05)  # again and again, should it be swallowed
        else:
            self.previous_trace = sys.gettrace()
            sys.settrace(self._trace_call)

    def stop(self) -> None:
        self.active = False
        if sys.version_info >= (3, 12):
            self._stop_monitoring()
        elif self.previous_handler is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self.previous_handler)
            self.previous_handler = None
        else:
            sys.settrace(self.previous_trace)

    def _on_alarm(self, _: int, frame: types.FrameType | None) -> None:
        """Raise where the student's code is, or something that it called; never in our own code."""
        while frame is not None and id(frame.f_code) not in self.codes:
            frame = frame.f_back
        if frame is not None:
            self.check(frame)

    def _trace_call(self, frame: types.FrameType, event: str, arg: Any) -> Any:
        if id(frame.f_code) not in self.codes:
            return None
        frame.f_trace_opcodes = True  # a loop on one line has no line events
        self.check(frame)
        return self._trace_step

    def _trace_step(self, frame: types.FrameType, event: str, arg: Any) -> Any:
        if event == "opcode":
            self.check(frame)
        return self._trace_step

    if sys.version_info >= (3, 12):

        def _start_monitoring(self) -> None:
            monitoring = sys.monitoring
            free = [tool for tool in (4, 3, 5, 2, 1, 0) if monitoring.get_tool(tool) is None]
            if not free:
                return  # a debugger, a profiler and others hold every slot: run without a limit
            self.tool = free[0]
            events = monitoring.events
            monitoring.use_tool_id(self.tool, TOOL_NAME)
            for event in (events.JUMP, events.PY_START):
                monitoring.register_callback(self.tool, event, self._on_event)
            for code in self.codes.values():
                monitoring.set_local_events(self.tool, code, events.JUMP | events.PY_START)

        def _stop_monitoring(self) -> None:
            if self.tool is None:
                return
            monitoring = sys.monitoring
            for code in self.codes.values():
                monitoring.set_local_events(self.tool, code, 0)
            for event in (monitoring.events.JUMP, monitoring.events.PY_START):
                monitoring.register_callback(self.tool, event, None)
            monitoring.free_tool_id(self.tool)
            self.tool = None

        def _on_event(self, code: types.CodeType, *_: int) -> None:
            if time.perf_counter() > self.deadline:
                self.check(sys._getframe(1))


def _signals_work() -> bool:
    """Alarms exist on POSIX systems, and only the main thread may set them."""
    return hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()


_running: list[_Watch] = []


def shallow(levels: int) -> int:
    """Allow only `levels` of recursion from here on, in the page; returns the limit to restore."""
    before = sys.getrecursionlimit()
    if sys.platform == "emscripten":
        frame: types.FrameType | None = sys._getframe()
        while frame is not None:
            levels, frame = levels + 1, frame.f_back
        sys.setrecursionlimit(min(before, levels))
    return before


@contextmanager
def deep(levels: int) -> Iterator[None]:
    """Give our own code, which walks through syntax trees, more recursion than a cell has; 0 changes nothing."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, levels))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


@contextmanager
def _silent() -> Iterator[None]:
    """Say nothing of a limit that was noticed in a destructor, where Python drops it: it is raised again."""
    hook = sys.unraisablehook

    def said(unraisable: sys.UnraisableHookArgs) -> None:
        if unraisable.exc_type is not TimeLimit:
            hook(unraisable)

    sys.unraisablehook = said
    try:
        yield
    finally:
        sys.unraisablehook = hook


@contextmanager
def limit(seconds: float, codes: Codes) -> Iterator[None]:
    """Raise TimeLimit in the block when code of `codes` is still running after `seconds`."""
    watch = _Watch(seconds, codes)
    _running.append(watch)
    recursion = shallow(CHECK_LEVELS)
    watch.start()
    try:
        with _silent():
            yield
    finally:
        _running.pop()
        if watch.active:
            watch.stop()
        sys.setrecursionlimit(recursion)


@contextmanager
def suspended() -> Iterator[None]:
    """Leave the block unwatched (for measuring); the clock of the limit runs on."""
    watch = _running[-1] if _running and _running[-1].active else None
    if watch is None:
        yield
        return
    watch.stop()
    try:
        yield
    finally:
        watch.start()


def codes_of(functions: Iterable[types.FunctionType]) -> Codes:
    """Code objects of functions and of everything nested in them (inner functions, comprehensions)."""
    found: dict[int, types.CodeType] = {}
    waiting = [function.__code__ for function in functions]
    while waiting:
        code = waiting.pop()
        if id(code) not in found:
            found[id(code)] = code
            waiting.extend(c for c in code.co_consts if isinstance(c, types.CodeType))
    return found

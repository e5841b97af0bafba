"""Module 14, Profiling: where time, memory and arithmetic go.

`profile()` takes the place of `Function.apply` and of every node's backward for the time of a `with`, notes when
each begins and ends, and puts the originals back. Times are in seconds, unless a name says otherwise.
"""

import contextlib
import functools
import gc
import json
import statistics
import time
import tracemalloc
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ._profile_rows import Average, Averages, Event, text_table
from .autograd import no_grad
from .graph import Node
from .tensor import Function, MatMul, Tensor

# Operations that move numbers and compute none.
MOVES = {"Reshape", "Permute", "Index", "Cat", "Where", "Clone", "Cast", "Fill", "Expand", "IndexPut", "CopySlices"}
MOVES |= {"Flip", "Roll", "Diagonal", "DiagEmbed", "Windows", "TakeRows", "ConstantPad", "Im2Col", "Draw"}


def clock_step(clock=time.perf_counter, readings=20):
    """Return the smallest step that a clock was seen to make between two readings, in seconds."""
    steps = []
    for _ in range(readings):
        start = now = clock()
        while now == start:
            now = clock()
        steps.append(now - start)
    return min(steps)


class Timing(NamedTuple):
    """Seconds per call: of the fastest block and of the median one; calls in a block, number of blocks."""

    best: float
    median: float
    calls: int
    blocks: int


def time_call(function, *args, budget=0.2, clock=time.perf_counter):
    """Return the Timing of function(*args), from at least five blocks of calls in about budget seconds.

    Calls per block double until a block lasts 100 steps of the clock, so that the clock is wrong by 1 % at most.
    """
    times: list[float] = []
    enough, calls, begin = 100 * clock_step(clock), 1, clock()
    while len(times) < 5 or clock() - begin < budget:
        start = clock()
        for _ in range(calls):
            function(*args)
        seconds = clock() - start
        if seconds < enough:
            calls, times = 2 * calls, []
        else:
            times.append(seconds / calls)
    return Timing(min(times), statistics.median(times), calls, len(times))


def peak_memory(function, *args):
    """Return the largest number of bytes that function(*args) held at once, beyond what was held before."""
    tracing = tracemalloc.is_tracing()
    gc.collect()
    if not tracing:
        tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        function(*args)
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        if not tracing:
            tracemalloc.stop()


class profile:
    """Record every operation in a `with` block; then look at `key_averages().table()`.

    model: a Module whose parts shall be recorded too, see `module_tree`. PyTorch's other arguments are accepted.

    >>> with tt.profiler.profile() as prof:
    ...     y = tt.ones(2, 3) @ tt.ones(3, 5)
    >>> "Self CPU time total" in prof.key_averages().table()
    True
    """

    active: list = []  # noqa: RUF012 (shared: the profiles that are running)

    def __init__(self, activities=None, *, model=None, clock=time.perf_counter, **options):
        self.model, self.clock = model, clock
        self.events: list[Event] = []
        self._open: list[Event] = []
        self._undo = contextlib.ExitStack()

    def __enter__(self):
        self._replace(Function, "apply", classmethod(self._timed_apply(vars(Function)["apply"].__func__)))
        for kind in _subclasses(Node):
            if "backward" in vars(kind):
                self._replace(kind, "backward", self._timed_backward(vars(kind)["backward"]))
        self._replace(MatMul, "multiply", staticmethod(self._counted(MatMul.multiply)))
        for name, module in self.model.named_modules() if self.model is not None else ():
            before = module.register_forward_pre_hook(functools.partial(self._begin_module, name))
            after = module.register_forward_hook(self._end_module)
            self._undo.callback(before.remove)
            self._undo.callback(after.remove)
        self.active.append(self)
        return self

    def __exit__(self, *error):
        self.active.remove(self)
        self._undo.close()
        self._open.clear()

    def _replace(self, owner, name, value):
        self._undo.callback(setattr, owner, name, vars(owner)[name])
        setattr(owner, name, value)

    def begin(self, name, kind):
        """Note the start of an event and return it."""
        event = Event(name, kind, self.clock())
        self.events.append(event)
        self._open.append(event)
        return event

    def end(self, event, nbytes=0, flops=0):
        """Note the end of an event; what an error has left open inside it ends here, too."""
        event.seconds = self.clock() - event.start
        event.nbytes += nbytes
        event.flops = event.flops or flops
        while self._open and self._open.pop() is not event:
            pass
        if self._open:
            around = self._open[-1]
            around.inner += event.seconds
            if around.kind in ("module", "user"):
                around.nbytes += event.nbytes
                around.flops += event.flops

    def _timed_apply(self, apply):
        """Return a stand-in for `Function.apply`, a function of (cls, *inputs, **options)."""

        @functools.wraps(apply)
        def timed(cls, *inputs, **options):
            event = self.begin(cls.__name__, "forward")
            output = apply(cls, *inputs, **options)
            arrays = [x.array for x in (*inputs, output) if isinstance(x, Tensor)]
            event.shape = arrays[-1].shape
            is_view = any(np.may_share_memory(arrays[-1], array) for array in arrays[:-1])
            size = 0 if cls.__name__ in MOVES else max(array.size for array in arrays)
            self.end(event, 0 if is_view else sum(array.nbytes for array in arrays), size)
            return output

        return timed

    def _timed_backward(self, backward):
        """Return a stand-in for the backward of a class of nodes."""

        @functools.wraps(backward)
        def timed(ctx, *gradients):
            name = type(ctx).__name__ if isinstance(ctx, Function) else ctx.name()
            event = self.begin(name, "backward")
            result = backward(ctx, *gradients)
            made = [g for g in (result if isinstance(result, tuple) else (result,)) if g is not None]
            kept = [x for x in (*gradients, *ctx._inputs, ctx._output) if isinstance(x, np.ndarray)]
            size = 0 if name in MOVES else sum(g.size for g in made)
            self.end(event, sum(array.nbytes for array in (*kept, *made)), size)
            return result

        return timed

    def _counted(self, multiply):
        """Return a stand-in for `MatMul.multiply` that adds its operations to the innermost event."""

        def counted(a, b, *args, **options):
            out = multiply(a, b, *args, **options)
            if self._open:
                self._open[-1].flops += 2 * out.size * a.shape[-1]
            return out

        return counted

    def _begin_module(self, name, module, args):
        self.begin(name, "module")

    def _end_module(self, module, args, output):
        event = next(event for event in reversed(self._open) if event.kind == "module")
        event.shape = tuple(getattr(output, "shape", ()))
        self.end(event)

    @property
    def flops(self):
        """Operations on numbers in all recorded operations together."""
        return sum(event.flops for event in self.events if event.kind in ("forward", "backward"))

    def key_averages(self):
        """Return a list of `Average`, one for each operation and each user block."""
        rows: dict[str, Average] = {}
        for event in self.events:
            if event.kind != "module":
                rows.setdefault(event.name, Average(event.name)).add(event)
        return Averages(rows.values())

    def module_table(self):
        """Return a table of the modules of `model`: parameters, calls, time, operations, shape of the last output."""
        rows = [("Module", "Parameters", "Calls", "CPU ms", "MFLOP", "Output")]
        for name, module in self.model.named_modules():
            calls = [event for event in self.events if event.kind == "module" and event.name == name]
            depth = name.count(".") + 1 if name else 0
            label = f"{'  ' * depth}{name.rpartition('.')[2] or 'model'} ({type(module).__name__})"
            size, shape = sum(p.numel() for p in module.parameters()), calls[-1].shape if calls else ""
            total = [sum(event.seconds for event in calls) * 1e3, sum(event.flops for event in calls) / 1e6]
            rows.append((label, size, len(calls), *total, shape))
        return text_table(rows)

    def export_chrome_trace(self, path):
        """Write all events as JSON that chrome://tracing and ui.perfetto.dev show; times in microseconds."""
        zero = self.events[0].start if self.events else 0.0
        trace = [
            {"name": event.name, "cat": event.kind, "ph": "X", "pid": 0, "tid": 0}
            | {"ts": (event.start - zero) * 1e6, "dur": event.seconds * 1e6}
            | {"args": {"bytes": event.nbytes, "flops": event.flops, "shape": list(event.shape)}}
            for event in self.events
        ]
        Path(path).write_text(json.dumps({"traceEvents": trace, "displayTimeUnit": "ms"}), encoding="utf-8")


def _subclasses(kind):
    for sub in kind.__subclasses__():
        yield sub
        yield from _subclasses(sub)


@contextlib.contextmanager
def record_function(name):
    """Record a block of code under a name in the profiles that are running."""
    begun = [(running, running.begin(name, "user")) for running in profile.active]
    try:
        yield
    finally:
        for running, event in begun:
            running.end(event)


def module_tree(model, *inputs):
    """Return a table of all modules inside model, from one call of it without gradients."""
    with profile(model=model) as prof, no_grad():
        model(*inputs)
    return prof.module_table()


def count_flops(function, *args):
    """Return the floating-point operations of function(*args).

    >>> tt.profiler.count_flops(tt.matmul, tt.ones(2, 3), tt.ones(3, 5))
    60
    """
    with profile() as prof:
        function(*args)
    return prof.flops


def bandwidth(nbytes=2**26):
    """Return the bytes a second that copying an array of nbytes, larger than any cache, reads and writes."""
    source = np.ones(nbytes // 4, np.float32)
    target = np.empty_like(source)
    return 2 * nbytes / time_call(np.copyto, target, source).best


def roofline(intensity, flops, bytes_per_second):
    """Return the operations a second possible at an intensity (operations per byte): arithmetic or memory limits.

    Williams, Waterman and Patterson, "Roofline: an insightful visual performance model", 2009.

    >>> tt.profiler.roofline(0.5, 20e9, 8e9)
    4000000000.0
    """
    return min(flops, intensity * bytes_per_second)

"""Module 19, Benchmarking: times that can be trusted, and comparisons that say "no difference" when there is none.

Functions that measure take a clock, so that they can be tried with a clock that a test moves. Intervals are
of 95 % and make no assumption on how times are spread. Scenarios are those of MLPerf Inference (Reddi et al. 2020).
"""

import json
import math
import os
import platform
import sys
import time
from dataclasses import dataclass, field

import numpy as np

from .profiler import clock_step

MIN_STEPS = 100  # clock steps in a block: a time is then wrong by 1 % at most because of the clock
MIN_BLOCK = 1e-3  # seconds; with a fine clock it is interruptions that short blocks suffer from
MARGIN = 0.01  # a difference that no more than a clock, or the place of data in memory, can make
MIN_BLOCKS, MAX_BLOCKS = 8, 60


@dataclass(frozen=True)
class Timing:
    """Seconds per call of a function, for each of several blocks of `calls` calls."""

    label: str
    times: tuple[float, ...]
    calls: int = 1

    @property
    def median(self):
        """Seconds per call: half of the blocks took longer."""
        return float(np.median(self.times))

    def row(self):
        """Return what a report says about it, in milliseconds."""
        low, high = bootstrap_interval(self.times)
        numbers = {"median ms": self.median * 1e3, "low ms": low * 1e3, "high ms": high * 1e3}
        return {"label": self.label, **numbers, "blocks": len(self.times), "calls": self.calls}

    def __str__(self):
        return "{label}: {median ms:.4g} ms (95 % interval {low ms:.4g} to {high ms:.4g})".format(**self.row())


def time_block(function, calls, clock=time.perf_counter):
    """Return the seconds that `calls` calls of a function take together."""
    start = clock()
    for _ in range(calls):
        function()
    return clock() - start


def warm_up(function, step, clock=time.perf_counter, budget=1.0):
    """Call a function until it gets no faster; return how many calls make a block.

    step, budget: seconds. Calls double until a block lasts MIN_STEPS steps and MIN_BLOCK seconds; blocks repeat until
    five in a row are less than 10 % faster than the fastest before, or until the budget is spent.
    """
    calls, best, stale, begin = 1, math.inf, 0, clock()
    enough = max(MIN_STEPS * step, MIN_BLOCK)
    while stale < 5 and clock() - begin < budget:
        seconds = time_block(function, calls, clock)
        if seconds < enough:
            calls, best, stale = calls * 2, math.inf, 0
        else:
            stale = stale + 1 if seconds > 0.9 * best else 0
            best = min(best, seconds)
    return calls


def measure(function, label="", budget=2.0, clock=time.perf_counter):
    """Measure a function without arguments for about budget seconds and return a Timing."""
    return measure_in_turn({label or getattr(function, "__name__", "call"): function}, budget, clock)[0]


def measure_in_turn(functions, budget=4.0, clock=time.perf_counter):
    """Measure functions, {label: function}, in about budget seconds; return a Timing for each, as many blocks of all.

    Blocks are taken in turn, each round in the opposite order of the one before: what slows the machine for a while
    slows all, and none always goes first.
    """
    step = clock_step(clock)
    plan: list = [(f, warm_up(f, step, clock, budget / 2 / len(functions)), []) for f in functions.values()]
    begin, rounds = clock(), 0
    while rounds < MIN_BLOCKS or (rounds < MAX_BLOCKS and clock() - begin < budget / 2):
        for function, calls, times in plan[:: 1 if rounds % 2 else -1]:
            times.append(time_block(function, calls, clock) / calls)
        rounds += 1
    return [Timing(label, tuple(times), calls) for label, (_, calls, times) in zip(functions, plan, strict=True)]


def bootstrap_interval(samples, statistic=np.median, confidence=0.95, resamples=2000, seed=0):
    """Return (low, high) for a statistic of what the samples come from (Efron 1979).

    Draw as many samples again, with replacement, `resamples` times; take the statistic of each; cut off the tails.
    """
    samples = np.asarray(samples, np.float64)
    picks = np.random.default_rng(seed).integers(0, len(samples), (resamples, len(samples)))
    tail = (1 - confidence) / 2
    low, high = np.quantile(statistic(samples[picks], axis=1), [tail, 1 - tail])
    return float(low), float(high)


def sign_interval(differences, confidence=0.95):
    """Return (low, high) for the median of what the differences come from, whatever their distribution.

    Each lies below that median as a coin falls heads; the k-th smallest exceeds it if fewer than k of n coins do. k is
    the largest for which this has probability (1 - confidence) / 2 at most; without any the interval is infinite.
    """
    values = np.sort(np.asarray(differences, np.float64))
    n, k, tail = len(values), 0, 0.5 ** len(values)
    while tail <= (1 - confidence) / 2:
        k += 1
        tail += math.comb(n, k) * 0.5**n
    return (float(values[k - 1]), float(values[n - k])) if k else (-math.inf, math.inf)


@dataclass(frozen=True)
class Comparison:
    """How many times as long the second takes as the first, with its interval."""

    labels: tuple[str, str]
    ratio: float
    low: float
    high: float
    pairs: int

    @property
    def different(self):
        """Whether the interval leaves no doubt that one is faster, by more than MARGIN."""
        return self.low > 1 + MARGIN or self.high < 1 - MARGIN

    def row(self):
        """Return what a report says about it."""
        numbers = {"ratio": self.ratio, "low": self.low, "high": self.high, "pairs": self.pairs}
        return {"label": f"{self.labels[1]} : {self.labels[0]}", **numbers, "different": self.different}

    def __str__(self):
        text = f"{self.labels[1]} takes {self.ratio:.3g} times as long as {self.labels[0]}"
        text = text if self.different else "no difference between {} and {}".format(*self.labels)
        return f"{text} (95 % interval {self.low:.3g} to {self.high:.3g}, {self.pairs} pairs)"


def compare(first, second):
    """Compare two Timings (or sequences of seconds) taken in turn: median and sign test's interval of pairs' ratios.

    Equally fast functions are called different in at most 5 % of comparisons. Raises ValueError for times of 0, and
    for more times of one than of the other.
    """
    a, b = (np.asarray(getattr(t, "times", t), np.float64) for t in (first, second))
    if a.shape != b.shape or not a.size:
        raise ValueError(f"compare needs as many times of one as of the other, got {a.size} and {b.size}")
    if min(a.min(), b.min()) <= 0:
        raise ValueError("a time is 0: blocks were too short for the clock")
    ratios = np.log(b / a)
    low, high = np.exp(sign_interval(ratios))
    labels = (getattr(first, "label", "first"), getattr(second, "label", "second"))
    return Comparison(labels, float(np.exp(np.median(ratios))), float(low), float(high), len(ratios))


@dataclass(frozen=True)
class Latencies:
    """What the queries of a scenario met: seconds from arrival to answer, and answers per second."""

    scenario: str
    seconds: np.ndarray
    throughput: float

    def percentile(self, p):
        """Return the smallest of the latencies that at least p percent of the queries do not exceed."""
        return float(np.percentile(self.seconds, p, method="inverted_cdf"))

    def row(self):
        """Return what a report says about it, in milliseconds and queries per second."""
        numbers = {f"p{p} ms": self.percentile(p) * 1e3 for p in (50, 90, 99)}
        return {"scenario": self.scenario, **numbers, "per second": self.throughput}


def single_stream(service):
    """Return the Latencies when each query is sent after the answer to the one before. service: seconds of each."""
    service = np.asarray(service, np.float64)
    return Latencies("single stream", service, len(service) / service.sum())


def offline(service, batch):
    """Return the Latencies when all queries are there at once, in batches. service: seconds of each batch."""
    finished = np.repeat(np.cumsum(np.asarray(service, np.float64)), batch)
    return Latencies("offline", finished, len(finished) / finished[-1])


def server(service, rate, queries=10_000, seed=0):
    """Return the Latencies of queries that arrive at random, `rate` a second (a Poisson process), in one line.

    service: measured seconds, drawn from with replacement; the same seed gives the same arrivals. A query starts when
    it has arrived and the one before has finished: finish_i = max(arrival_i, finish_(i-1)) + s_i (Lindley 1952), which
    without a loop is S_i + max over j <= i of (arrival_j - S_(j-1)), with S the cumulative sum of s.
    """
    rng = np.random.default_rng(seed)
    arrival = np.cumsum(rng.exponential(1.0, queries)) / rate
    seconds = rng.choice(np.asarray(service, np.float64), queries)
    total = np.cumsum(seconds)
    finish = total + np.maximum.accumulate(arrival - (total - seconds))
    return Latencies("server", finish - arrival, queries / finish[-1])


def server_capacity(service, bound, percentile=99, queries=10_000, seed=0):
    """Return the highest rate, in queries a second, at which a percentile of the server's latencies stays in bound.

    bound: seconds. Returns 0.0 when even the bare service times exceed it. Found by bisection, to 0.1 %.
    """
    low, high = 0.0, 1.5 / float(np.mean(service))
    while high - low > 1e-3 * high and high > 1e-9:
        rate = (low + high) / 2
        if server(service, rate, queries, seed).percentile(percentile) <= bound:
            low = rate
        else:
            high = rate
    return low


def pareto_front(points, minimize=(), maximize=()):
    """Return the points, dicts of numbers, that no other beats: as good in every given key and better in one.

    >>> tt.benchmark.pareto_front([{"kB": 9, "acc": 1}, {"kB": 4, "acc": 1}, {"kB": 1, "acc": 0}], ["kB"], ["acc"])
    [{'kB': 4, 'acc': 1}, {'kB': 1, 'acc': 0}]
    """
    costs = np.array([[*(p[k] for k in minimize), *(-p[k] for k in maximize)] for p in points], np.float64)
    if not len(points):
        return []
    no_worse = (costs[:, None] <= costs).all(axis=2)  # [i, j]: i is nowhere worse than j
    better = (costs[:, None] < costs).any(axis=2)
    beaten = np.any(no_worse & better, axis=0)
    return [point for point, lost in zip(points, beaten.tolist(), strict=True) if not lost]


def environment():
    """Return what a reader needs to know about the machine that a figure was measured on."""
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "platform": sys.platform,  # "emscripten" in the browser
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "clock step": clock_step(),
        "date": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()),
    }


@dataclass
class Report:
    """Results under headings, with the environment they were measured in, as JSON and as Markdown."""

    title: str
    sections: dict = field(default_factory=dict)
    environment: dict = field(default_factory=environment)

    def add(self, heading, *results):
        """Add Timings, Comparisons, Latencies or dicts under a heading."""
        rows = [result if isinstance(result, dict) else result.row() for result in results]
        self.sections.setdefault(heading, []).extend(rows)

    def to_json(self):
        """Return the report as JSON text."""
        return json.dumps(vars(self), indent=2, ensure_ascii=False)

    def to_markdown(self):
        """Return the report as Markdown text, one table for each heading."""
        lines = [f"# {self.title}"]
        for heading, rows in [*self.sections.items(), ("Environment", [self.environment])]:
            columns = list(dict.fromkeys(key for row in rows for key in row))
            table = [columns, ["---"] * len(columns), *([_cell(row.get(key, "")) for key in columns] for row in rows)]
            lines += ["", f"## {heading}", "", *("| " + " | ".join(cells) + " |" for cells in table)]
        return "\n".join(lines) + "\n"


def _cell(value):
    return f"{value:.4g}" if isinstance(value, float) else str(value)

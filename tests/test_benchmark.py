"""Module 19: what is measured is right, and equal things are called equal. Time is a clock that the tests move."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinytorch import benchmark as b


class Clock:
    """A clock that moves in steps, by what functions say they take."""

    def __init__(self, step=1e-4):
        self.now, self.step, self.calls = 0.0, step, 0

    def __call__(self):
        self.now += 1e-7  # reading a clock takes time too
        return math.floor(self.now / self.step) * self.step

    def function(self, *seconds):
        """Return a function that takes these seconds in its first calls, then always the last of them."""
        times = list(seconds)

        def run():
            self.calls += 1
            self.now += times.pop(0) if len(times) > 1 else times[0]

        return run


def test_blocks_are_long_against_a_coarse_clock():
    for seconds in (1e-6, 3e-4, 0.5):
        clock = Clock(1e-4)
        calls = b.warm_up(clock.function(seconds), 1e-4, clock, budget=3)
        assert b.MIN_STEPS * 1e-4 <= calls * (seconds + 1e-7) < 4 * b.MIN_STEPS * 1e-4 or calls == 1


def test_warm_up_goes_on_until_it_gets_no_faster_and_stops_at_the_budget():
    clock = Clock(1e-6)
    slow_at_first = clock.function(*[1.0] * 3, *[0.1] * 3, 0.01)
    b.warm_up(slow_at_first, 1e-6, clock, budget=100)
    assert clock.calls >= 7 + 4 and clock.now < 5
    clock = Clock(1e-6)
    b.warm_up(clock.function(2.0), 1e-6, clock, budget=1)
    assert clock.calls == 1


def test_blocks_grow_again_when_the_function_became_faster():
    clock = Clock(1e-4)
    calls = b.warm_up(clock.function(*[0.02] * 4, 1e-5), 1e-4, clock, budget=10)
    assert calls * 1e-5 >= b.MIN_STEPS * 1e-4


def test_a_measured_time_is_the_time():
    for seconds in (2e-6, 0.003):
        clock = Clock(1e-4)
        timing = b.measure(clock.function(1.0, seconds), "f", budget=3, clock=clock)
        assert timing.label == "f" and timing.median == pytest.approx(seconds + 1e-9, rel=0.012)
        assert b.MIN_BLOCKS <= len(timing.times) <= b.MAX_BLOCKS
        assert str(timing).startswith(f"f: {timing.median * 1e3:.4g} ms (95 % interval ")


def test_pairs_are_measured_in_turn_and_neither_always_first():
    clock, order = Clock(1e-6), []

    def make(name, seconds):
        def run():
            order.append(name)
            clock.now += seconds

        return run

    first, second = b.measure_in_turn({"a": make("a", 1.0), "b": make("b", 2.0)}, budget=100, clock=clock)
    assert len(first.times) == len(second.times) >= b.MIN_BLOCKS
    assert "".join(order[-8:]) in ("abbaabba", "baabbaab")
    assert b.compare(first, second).ratio == pytest.approx(2, rel=1e-3)


def test_a_real_function_is_measured():
    timing = b.measure(lambda: sum(range(2000)), budget=0.2)
    assert 1e-6 < timing.median < 1e-2 and timing.label == "<lambda>"


def test_the_bootstrap_interval_covers_the_median():
    rng, hits = np.random.default_rng(0), 0
    for trial in range(300):
        samples = rng.lognormal(0, 0.5, 40)
        low, high = b.bootstrap_interval(samples, seed=trial, resamples=500)
        hits += low <= 1 <= high
    assert 0.90 <= hits / 300 <= 0.985
    assert b.bootstrap_interval(np.ones(9)) == (1, 1)
    narrow, wide = b.bootstrap_interval(samples, confidence=0.5), b.bootstrap_interval(samples)
    assert wide[0] < narrow[0] < np.median(samples) < narrow[1] < wide[1]
    mean = b.bootstrap_interval(samples, np.mean)
    assert mean[0] < samples.mean() < mean[1]


def test_the_sign_interval_is_the_one_of_the_tables():
    """Order statistics of the sign test at 95 %: n = 10 -> 2nd and 9th, 20 -> 6th and 15th, 30 -> 10th and 21st."""
    for n, k in ((6, 1), (10, 2), (20, 6), (30, 10), (60, 22)):
        assert b.sign_interval(np.random.default_rng(0).permutation(n) + 1.0) == (k, n + 1 - k)
    assert b.sign_interval([1, 2, 3, 4, 5]) == (-math.inf, math.inf)  # five coins tell nothing at 95 %


def noise(rng, kind, n):
    """Return noise as timers meet it: skewed, with outliers, or in steps of a coarse clock."""
    if kind == "skewed":
        return rng.lognormal(0, 0.1, n)
    if kind == "outliers":
        return 1 + rng.exponential(0.02, n) + (rng.random(n) < 0.1) * rng.exponential(3, n)
    return np.round(1 + rng.normal(0, 0.02, n), 2)


@pytest.mark.parametrize("drift", [False, True])
@pytest.mark.parametrize("kind", ["skewed", "outliers", "steps"])
@pytest.mark.parametrize("n", [8, 30, 60])
def test_equal_functions_are_called_different_in_at_most_5_percent(kind, n, drift):
    rng = np.random.default_rng(n)
    trend = np.linspace(1, 3, n) * np.repeat(rng.lognormal(0, 0.5, n // 2), 2)[:n] if drift else np.ones(n)
    found = [b.compare(noise(rng, kind, n) * trend, noise(rng, kind, n) * trend).different for _ in range(800)]
    assert np.mean(found) <= 0.05 + 0.016  # two standard errors of 800 trials


def test_the_interval_holds_the_true_ratio_in_95_percent():
    rng = np.random.default_rng(5)
    for n in (10, 30, 60):
        results = [b.compare(noise(rng, "skewed", n), 1.3 * noise(rng, "skewed", n)) for _ in range(800)]
        assert 0.94 <= np.mean([r.low <= 1.3 <= r.high for r in results]) <= 0.985


def test_less_than_the_margin_is_no_difference():
    times = np.linspace(1, 1.1, 40)
    for ratio, different in ((1.005, False), (0.993, False), (1.02, True), (0.98, True)):
        result = b.compare(times, ratio * times)
        assert result.different is different and result.low == pytest.approx(ratio) == result.high


def test_5_percent_are_seen_through_noise_and_drift():
    rng, right, inside = np.random.default_rng(1), 0, 0
    for _ in range(200):
        trend = np.linspace(1, 2, 40)
        result = b.compare(noise(rng, "outliers", 40) * trend, 1.05 * noise(rng, "outliers", 40) * trend)
        right += result.different and result.ratio > 1
        inside += result.low <= 1.05 <= result.high
    assert right >= 190 and inside >= 184


def test_a_comparison_says_what_it_found():
    rng = np.random.default_rng(0)
    first, second = (b.Timing(name, tuple(rng.lognormal(m, 0.01, 30))) for name, m in (("loop", 0.7), ("blas", 0)))
    assert str(b.compare(first, second)).startswith("blas takes 0.49")
    equal = b.compare(first, b.Timing("twin", tuple(rng.permutation(first.times))))
    assert str(equal).startswith("no difference between loop and twin (95 % interval 0.9") and not equal.different
    assert b.compare(first, first).ratio == 1 and not b.compare(first, first).different
    with pytest.raises(ValueError, match="30 and 3"):
        b.compare(first, [1, 2, 3])
    with pytest.raises(ValueError, match="too short"):
        b.compare([0.0, 1.0], [1.0, 1.0])


def queue_by_hand(arrivals, seconds):
    """Return latencies of a line with one server, by the definition."""
    free, out = 0.0, []
    for arrival, s in zip(arrivals, seconds, strict=True):
        free = max(free, arrival) + s
        out.append(free - arrival)
    return np.array(out)


@given(seed=st.integers(0, 2**31), rate=st.floats(0.1, 10))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_the_server_is_a_line_with_poisson_arrivals(seed, rate):
    service = np.random.default_rng(seed + 1).lognormal(-1, 1, 20)
    got = b.server(service, rate, 200, seed)
    rng = np.random.default_rng(seed)
    arrivals = np.cumsum(rng.exponential(1.0, 200)) / rate
    np.testing.assert_allclose(got.seconds, queue_by_hand(arrivals, rng.choice(service, 200)), rtol=1e-9, atol=1e-9)


def test_the_server_waits_as_queueing_theory_says():
    """Pollaczek and Khinchine: mean wait = load * (1 + variation**2) / (2 * (1 - load)) services."""
    constant = b.server([1.0], 0.5, 200_000).seconds - 1
    assert constant.mean() == pytest.approx(0.5 / (2 * 0.5), rel=0.03)
    rng = np.random.default_rng(0)
    exponential = b.server(rng.exponential(1, 50_000), 0.5, 200_000).seconds
    assert exponential.mean() == pytest.approx(2, rel=0.05)
    assert np.quantile(exponential, 0.99) == pytest.approx(2 * math.log(100), rel=0.06)  # exponential, mean 2


def test_server_capacity_is_the_highest_rate_in_bound():
    service = np.random.default_rng(0).lognormal(-3, 0.3, 500)
    rate = b.server_capacity(service, bound=0.3)
    assert b.server(service, rate).percentile(99) <= 0.3 < b.server(service, rate * 1.01).percentile(99)
    assert 0 < rate < 1 / service.mean()
    assert b.server_capacity(service, bound=0.01) == 0
    assert b.server_capacity(service, bound=0.2) < rate


def test_single_stream_and_offline():
    stream = b.single_stream([0.1, 0.2, 0.3, 0.4])
    assert stream.throughput == pytest.approx(4) and stream.percentile(90) == 0.4 and stream.percentile(50) == 0.2
    batches = b.offline([0.5, 0.7], batch=8)
    assert batches.throughput == pytest.approx(16 / 1.2) and batches.seconds.shape == (16,)
    assert batches.percentile(50) == 0.5 and batches.percentile(51) == pytest.approx(1.2)


@given(st.integers(0, 2**31), st.integers(0, 12))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_the_pareto_front_is_what_nothing_beats(seed, n):
    values = np.random.default_rng(seed).integers(0, 4, (n, 3)).tolist()
    points = [dict(zip("abc", row, strict=True)) for row in values]

    def beats(p, q):
        pairs = [(p["a"], q["a"]), (p["b"], q["b"]), (-p["c"], -q["c"])]
        return all(x <= y for x, y in pairs) and any(x < y for x, y in pairs)

    want = [p for p in points if not any(beats(other, p) for other in points)]
    assert b.pareto_front(points, ["a", "b"], ["c"]) == want


def test_a_report_is_json_and_markdown_with_its_environment():
    report = b.Report("LeNet, int8")
    report.add("Times", b.Timing("float", (0.002, 0.002)), b.Timing("int8", (0.001, 0.001), 10))
    report.add("Times", b.Timing("int4", (0.5, 0.5)))
    report.add("Comparisons", b.compare([1.0] * 20, [0.5] * 20))
    report.add("Scenarios", b.single_stream([0.01, 0.02]), {"scenario": "mine", "p50 ms": 3})
    data = json.loads(report.to_json())
    assert [row["label"] for row in data["sections"]["Times"]] == ["float", "int8", "int4"]
    assert data["environment"]["numpy"] == np.__version__ and data["environment"]["clock step"] > 0
    assert data["sections"]["Comparisons"][0]["different"] is True
    text = report.to_markdown()
    for line in (
        "# LeNet, int8",
        "## Times",
        "| float | 2 | 2 | 2 | 2 | 1 |",
        "## Environment",
        "| mine | 3 |  |  |  |",
    ):
        assert line in text.splitlines(), line
    for part in text.split("\n\n"):
        if part.startswith("|"):
            assert len({line.count("|") for line in part.splitlines()}) == 1

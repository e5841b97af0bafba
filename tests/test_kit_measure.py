"""checks/measure.py and charts.py: numbers that mean something, and pictures of them."""

from __future__ import annotations

import json
import random
import time

import numpy as np
import pytest

from checks import chart, measure
from checks import measure as measure_function
from checks.charts import MIME
from checks.measure import Measurement, clock_step, compare, measure_all


def made(label: str, times: list[float], calls: int = 1000, step: float = 1e-7, error: str = "") -> Measurement:
    low, median, high = np.quantile(times, [0.25, 0.5, 0.75])
    return Measurement(label, median, low, high, None, len(times), calls, step, error, tuple(times))


def test_a_function_is_measured():
    result = measure(lambda: sum(range(1000)), "sum")
    assert result.label == "sum" and result.low <= result.median <= result.high
    assert 1e-6 < result.median < 1e-2 and result.repeats > 5 and result.resolved
    assert "quartiles" in str(result) and "peak memory" in str(result)


def test_an_expression_sees_the_callers_variables():
    n = 500
    result = measure("sum(range(n))")
    assert result.label == "sum(range(n))" and result.median > 0
    assert "n" in locals() and measure("sum(range(m))", namespace={"m": 3}).median > 0


def test_peak_memory_is_that_of_one_call():
    result = measure(lambda: np.ones(100_000), "ones")
    assert 800_000 <= result.peak_bytes < 900_000
    assert measure(lambda: None, "nothing").peak_bytes < 1000


def test_slow_code_is_measured_within_its_budget():
    start = time.perf_counter()
    result = measure(lambda: time.sleep(0.3), "sleep", budget=1.0)
    assert time.perf_counter() - start < 3
    assert 0.29 < result.median < 0.4 and result.calls == 1 and result.peak_bytes is None
    assert "not measured" in result.memory_text()


def test_what_the_code_raises_is_raised_to_the_caller():
    with pytest.raises(ZeroDivisionError):
        measure(lambda: 1 / 0, "bad")


def test_a_coarse_clock_gets_long_blocks(monkeypatch):
    real = time.perf_counter
    monkeypatch.setattr(time, "perf_counter", lambda: round(real() / 1e-4) * 1e-4)  # a browser's 100 µs
    assert clock_step() == pytest.approx(1e-4, rel=0.01)
    result = measure(lambda: None, "nothing")
    assert result.calls * result.median >= 0.02 and result.resolved
    assert result.median < 1e-5


def test_a_clear_difference_gives_a_ratio():
    namespace = {"fast": lambda: [None for _ in range(100)], "slow": lambda: [None for _ in range(1000)]}
    first, second = measure_all([("fast", "fast()"), ("slow", "slow()")], namespace)
    comparison = compare(first, second)
    assert 2 < comparison.ratio < 50 and comparison.low < comparison.ratio < comparison.high
    assert str(comparison).startswith("slow takes") and "99 % interval" in str(comparison)
    assert str(compare(second, first)).startswith("slow takes")
    assert set(namespace) - {"__builtins__"} == {"fast", "slow"}


def test_the_same_code_twice_gives_no_ratio():
    rng, refused = random.Random(7), 0
    for _ in range(200):
        one, two = ([1e-5 * rng.lognormvariate(0, 0.05) for _ in range(15)] for _ in range(2))
        refused += compare(made("a", one), made("b", two)).ratio is None
    assert refused >= 185


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        (made("a", [1.0] * 9, error="ZeroDivisionError: x"), made("b", [1.0] * 9), "a raised ZeroDivisionError"),
        (made("a", [1.0] * 9), made("b", [1e-6] * 9, calls=1, step=1e-4), "b is too short for this clock"),
        (made("a", [1.0] * 3), made("b", [2.0] * 3), "fewer than 5 times"),
        (made("a", [1.0, 2, 3, 4, 5, 6]), made("b", [6.0, 5, 4, 3, 2, 1]), "either may be the faster"),
    ],
)
def test_a_ratio_that_cannot_be_supported_is_refused(first, second, says):
    comparison = compare(first, second)
    assert comparison.ratio is None
    assert str(comparison).startswith("No ratio: ") and says in str(comparison)


def test_a_block_that_raises_is_told_with_its_line():
    bad, good = measure_all([("bad", "\n\n1 / 0"), ("good", "1 + 1")], {})
    assert bad.error == "ZeroDivisionError in line 3: division by zero" and str(bad).startswith("bad: Zero")
    assert good.median > 0 and compare(bad, good).ratio is None


def test_assignments_stay_and_prints_do_not_flood(capsys):
    namespace: dict[str, object] = {"n": 0}
    measure_all([("loop", "n = n + 1\nprint(n)")], namespace)
    assert namespace["n"] > 10 and capsys.readouterr().out == ""


def test_nothing_to_measure_is_a_syntax_error():
    with pytest.raises(SyntaxError):
        measure_function("# nothing")


ROWS = [{"size": 64, "time in ms": 0.5, "way": "loops"}, {"size": 128, "time in ms": np.float32(4.25), "way": "NumPy"}]


@pytest.mark.parametrize("draw", [chart.bar, chart.line])
def test_a_chart_is_vega_lite_with_a_text_twin(draw):
    figure = draw(ROWS, x="size", y="time in ms", title="Time", alt="Time grows fast.", color="way", log=True)
    bundle = figure._repr_mimebundle_()
    spec = json.loads(json.dumps(bundle[MIME]))
    assert spec["description"] == "Time grows fast." and spec["config"]["background"] == "transparent"
    assert spec["data"]["values"][1] == {"size": 128, "time in ms": 4.25, "way": "NumPy"}
    assert spec["encoding"]["y"]["title"] == "time in ms" and spec["encoding"]["y"]["scale"]["type"] == "log"
    assert "null" not in json.dumps(spec)  # it would be lost on its way out of the page's kernel
    plain = bundle["text/plain"]
    assert plain.startswith("Time\n") and "time in ms" in plain and "4.25" in plain and "Time grows fast." in plain
    assert repr(figure) == plain


def test_bars_stand_in_the_order_of_the_rows():
    rows = [{"dtype": name, "bytes": size} for name, size in (("float64", 8), ("float32", 4), ("int8", 1))]
    spec = chart.bar(rows, x="dtype", y="bytes", title="Bytes", alt="x").spec
    assert spec["encoding"]["x"]["scale"]["domain"] == ["float64", "float32", "int8"]


def test_several_lines_differ_in_more_than_colour():
    spec = chart.line(ROWS, x="size", y="time in ms", title="Time", alt="x", color="way").spec
    assert spec["encoding"]["color"] == spec["encoding"]["strokeDash"]


@pytest.mark.parametrize(
    ("change", "error"),
    [({"alt": " "}, ValueError), ({"rows": []}, ValueError), ({"y": "nothing"}, KeyError), ({"color": "no"}, KeyError)],
)
def test_a_chart_needs_rows_keys_and_alternative_text(change, error):
    with pytest.raises(error):
        chart.bar(**{"rows": ROWS, "x": "size", "y": "time in ms", "title": "Time", "alt": "x", **change})


def test_odd_values_and_names_become_json():
    rows = [{"a.b [ms]": float("nan"), "k": None}, {"a.b [ms]": np.int64(3), "k": np.dtype("float32")}]
    figure = chart.bar(rows, x="k", y="a.b [ms]", title="t", alt="t")
    assert "NaN" not in json.dumps(figure.spec)
    assert figure.spec["encoding"]["y"]["field"] == "a\\.b \\[ms\\]"


def test_colours_have_contrast_on_white_and_on_black():
    from checks.card import COLOURS
    from checks.charts import PALETTE

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for colour in [*COLOURS.values(), *PALETTE]:
        on_white, on_black = (
            1.05 / (luminance(colour) + 0.05),
            (luminance(colour) + 0.05) / (luminance("#111111") + 0.05),
        )
        assert min(on_white, on_black) >= 3, colour


def test_points_and_the_part_of_a_line_that_is_in_the_picture():
    rows = [{"x": 0.0, "y": 0.0, "class": "a"}, {"x": 1.0, "y": 1.0, "class": "b"}]
    figure = chart.points(rows, "x", "y", "Two", "two points", "class", lines=[(1, -1, 0), (0, 2, -1), (1, 1, -9)])
    points, diagonal, level = figure.spec["layer"]  # the third line passes outside
    assert points["encoding"]["x"]["scale"]["domain"] == [-0.15, 1.15] and points["mark"]["type"] == "point"
    assert points["encoding"]["color"] == points["encoding"]["shape"]
    ends = [(round(v["x"], 6), round(v["y"], 6)) for v in diagonal["data"]["values"]]
    assert ends == [(-0.15, -0.15), (1.15, 1.15)]
    assert [v["y"] for v in level["data"]["values"]] == [0.5, 0.5]
    assert "two points" in figure.plain and None not in str(figure.spec).split()


def test_images_are_drawn_side_by_side_below_their_labels():
    figure = chart.images(
        np.float32([[[0, 1], [0.5, 0]], [[1, 1], [0, 0]]]), ["7 read as 1", "4"], "Digits", "two digits"
    )
    values = figure.spec["data"]["values"]
    assert len(values) == 8 and values[1] == {"picture": "1: 7 read as 1", "row": 0, "column": 1, "ink": 1.0}
    assert figure.plain == "Digits\n1: 7 read as 1\n2: 4\ntwo digits"


def test_a_line_over_whole_numbers_has_no_half_ones_on_its_axis():
    spec = chart.line([{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0}], "epoch", "loss", "Loss", "falls").spec
    assert spec["encoding"]["x"]["axis"]["tickMinStep"] == 1
    spec = chart.line([{"x": 0.5, "y": 2.0}, {"x": 2, "y": 1.0}], "x", "y", "t", "alt").spec
    assert "axis" not in spec["encoding"]["x"]


def test_a_line_of_very_many_rows_has_no_points():
    few, many = ([{"step": i, "loss": 1.0, "run": r} for r in "ab" for i in range(n)] for n in (40, 41))
    assert chart.line(few, "step", "loss", "Loss", "flat", "run").spec["mark"]["point"]
    assert chart.line(many, "step", "loss", "Loss", "flat", "run").spec["mark"]["point"] is False

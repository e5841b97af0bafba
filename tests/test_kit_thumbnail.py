"""checks/thumbnail.py: a chart as a small picture that can be stored with a milestone."""

from __future__ import annotations

import math
import re
import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from checks import charts, stage, thumbnail

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted((ROOT / "milestones").glob("[0-9]*.py"))
SVG = "{http://www.w3.org/2000/svg}"
LOSS = [{"step": i, "loss": 1 / (i + 1), "run": f"run {i % 3}"} for i in range(900)]


def chart_of(kind: str) -> charts.Chart:
    """One chart of each kind."""
    if kind == "line":
        return charts.line(LOSS, "step", "loss", "Loss & <time>", 'It "falls" from 1 to 0.001.', color="run", log="y")
    if kind == "bar":
        rows = [{"n": str(n), "ms": n * 2.5, "who": who} for n in (1, 2, 3) for who in ("you", "PyTorch")]
        return charts.bar(rows, "n", "ms", "Times", "Six bars.", color="who")
    if kind == "point":
        rows = [{"x": x, "y": x * x, "c": x > 0} for x in (-1.0, 0.5, 2.0)]
        return charts.points(rows, "x", "y", "Two classes", "Three points.", "c", lines=[(1, 1, 0)])
    return charts.images(np.eye(8)[None].repeat(8, 0), [f"{i} read as {i}" for i in range(8)], "Digits", "Eight.")


def drawn(svg: str) -> ElementTree.Element:
    """The parsed picture, after what every one of them must be."""
    assert len(svg.encode()) <= thumbnail.MOST_BYTES
    root = ElementTree.fromstring(svg)
    assert root.tag == f"{SVG}svg" and root.get("viewBox") == "0 0 320 220" and root.get("role") == "img"
    assert root[0].tag == f"{SVG}title" and root[0].text
    assert not re.search(r"<script|href|url\(|\bon\w+=|style=|<image|<use|nan|inf", svg)
    assert {e.tag.removeprefix(SVG) for e in root.iter()} <= {"svg", "title", "text", "path", "g"}
    sizes = [float(text.get("font-size", root.get("font-size"))) for text in root.iter(f"{SVG}text")]
    assert min(sizes) >= 10
    return root


@pytest.mark.parametrize("kind", ["line", "bar", "point", "rect"])
def test_every_kind_of_chart_is_drawn_small_safe_and_with_its_words(kind):
    chart = chart_of(kind)
    root = drawn(thumbnail.thumbnail(chart.spec))
    assert root[0].text == chart.spec["description"]
    assert root[1].text == chart.spec["title"]
    for text in root.iter(f"{SVG}text"):
        assert 0 <= float(text.get("x")) <= 320 and 0 <= float(text.get("y")) <= 220
    assert len(list(root.iter(f"{SVG}path"))) >= 3


def test_places_are_right():
    rows = [{"x": 0, "y": 0.0}, {"x": 10, "y": 5.0}]
    svg = thumbnail.thumbnail(charts.line(rows, "x", "y", "t", "a").spec)
    left, right, top, bottom = thumbnail.LEFT, thumbnail.RIGHT, thumbnail.TOP, thumbnail.BOTTOM
    assert f'd="M{left:.1f} {bottom:.1f}L{right:.1f} {top:.1f}"' in svg
    scale = thumbnail.Scale([1.0, 100.0], {"scale": {"type": "log"}}, 0, 10)
    assert math.isclose(scale(10.0), 5.0) and scale(0) == 0


@pytest.mark.parametrize("rows", [[{"x": 1, "y": 2.0}], [{"x": 1, "y": None}], [{"x": i, "y": 3.0} for i in range(5)]])
def test_a_single_value_or_none_is_drawn_as_well(rows):
    drawn(thumbnail.thumbnail(charts.line(rows, "x", "y", "t", "a").spec))


def test_what_is_too_large_is_drawn_coarser_or_not_at_all():
    rows = [{"x": i, "y": float(i % 7), "c": str(i % 60)} for i in range(60 * 60)]
    drawn(thumbnail.thumbnail(charts.line(rows, "x", "y", "t", "a", color="c").spec))
    assert thumbnail.thumbnail(charts.line(rows[:2], "x", "y", "t", "a" * 20_000).spec) == ""


def test_the_most_telling_of_several_is_taken():
    line, bar, point, rect = (chart_of(kind) for kind in ("line", "bar", "point", "rect"))
    assert thumbnail.most_telling([rect, line, bar]) == thumbnail.thumbnail(rect.spec)
    assert thumbnail.most_telling([bar, point, line]) == thumbnail.thumbnail(point.spec)
    assert thumbnail.most_telling([bar, line, "no chart"]) == thumbnail.thumbnail(line.spec)
    assert thumbnail.most_telling([]) == ""


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_milestone_leaves_a_picture_at_once(path, capsys):
    names = stage.read(path)
    outcome = stage.run(names["main"], names["gate"], None)
    drawn(outcome.picture)
    seconds = []
    for _ in range(3):  # of which one may meet the garbage collector
        start = time.process_time()
        thumbnail.most_telling([picture() for picture in stage.Live.finished])
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.1

"""Charts of the student's own numbers: `chart.bar(rows, x=..., y=...)`, drawn by the page, no library needed.

What is emitted is Vega-Lite JSON, which JupyterLab draws, and the same numbers as a text table for every
other reader. The alternative text is required: it is what a student hears who does not see the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .card import table

MIME = "application/vnd.vegalite.v5+json"
SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"

# Colours and greys with a contrast of at least 3 on white and on black; the background is the page's.
PALETTE = ["#3b82c4", "#c2702b", "#1c9550", "#8e6bbf", "#b8860b", "#808080"]
MOST_POINTS = 40  # on one line: with more, the points hide the line
_INK = "#808080"
_CONFIG: dict[str, Any] = {
    "background": "transparent",
    "view": {"stroke": "transparent"},
    "range": {"category": PALETTE},
    "axis": {
        "labelColor": _INK,
        "titleColor": _INK,
        "gridColor": _INK,
        "gridOpacity": 0.25,
        "domainColor": _INK,
        "tickColor": _INK,
        "labelFontSize": 12,
        "titleFontSize": 13,
    },
    "legend": {"labelColor": _INK, "titleColor": _INK, "labelFontSize": 12, "titleFontSize": 13},
    "title": {"color": _INK, "fontSize": 14, "anchor": "start"},
}

_STROKES = {
    **_CONFIG,
    "legend": {**_CONFIG["legend"], "symbolType": "stroke", "symbolSize": 400, "symbolStrokeWidth": 2},
}

Row = dict[str, Any]


class Chart:
    """A Vega-Lite specification with its text form; shown when it is the value of a cell."""

    def __init__(self, spec: dict[str, Any], plain: str) -> None:
        self.spec, self.plain = spec, plain

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {MIME: self.spec, "text/plain": self.plain}

    def __repr__(self) -> str:
        return self.plain


def bar(
    rows: Sequence[Row],
    x: str,
    y: str,
    title: str,
    alt: str,
    color: str | None = None,
    log: bool = False,
) -> Chart:
    """Bars of `y` over the categories `x`, one row each; `log` makes the axis of `y` logarithmic.

    x, y, color: keys of the rows, and the labels of the axes, so write units into them (`"time in ms"`).
    alt: what the picture shows, for those who do not see it.
    """
    mark = {"type": "bar", "color": PALETTE[0], "tooltip": True}
    encoding = {
        "x": {**_category(rows, x), "axis": {"labelAngle": 0}},
        "y": _quantity(y, log, bar=True),
    }
    if color:
        encoding["color"] = encoding["xOffset"] = _category(rows, color)
    return _chart(rows, mark, encoding, title, alt)


def line(
    rows: Sequence[Row],
    x: str,
    y: str,
    title: str,
    alt: str,
    color: str | None = None,
    log: bool | str = False,
) -> Chart:
    """A line of `y` over the number `x`, with a point for each row unless there are very many.

    log: False, True (both axes), "x" or "y".

    Lines of several `color` values differ in colour and in dash, so that colour is not needed.
    """
    lines = len({row.get(color) for row in rows}) if color else 1
    point = {"size": 60} if len(rows) <= MOST_POINTS * lines else False
    mark = {"type": "line", "point": point, "color": PALETTE[0], "tooltip": True}
    encoding = {
        "x": _quantity(x, log in (True, "x")),
        "y": _quantity(y, log in (True, "y")),
    }
    if color:
        # These two share a legend, as their domains are equal; a shape of the points would get a second one.
        encoding["color"] = encoding["strokeDash"] = _category(rows, color)
    if log not in (True, "x") and all(isinstance(row.get(x), int) for row in rows):
        encoding["x"]["axis"] = {"format": ",d", "tickMinStep": 1}  # no epoch 1.5
    return _chart(rows, mark, encoding, title, alt, _STROKES)


def _chart(
    rows: Sequence[Row],
    mark: dict[str, Any],
    encoding: dict[str, Any],
    title: str,
    alt: str,
    config: dict[str, Any] = _CONFIG,
) -> Chart:
    if not rows:
        raise ValueError("a chart needs at least one row")
    if not alt.strip():
        raise ValueError("a chart needs alternative text: say in `alt` what it shows")
    values = [{key: _plain_value(value) for key, value in row.items()} for row in rows]
    for channel, axis in encoding.items():
        missing = next((i for i, row in enumerate(values) if key_of(axis["field"]) not in row), None)
        if missing is not None:
            raise KeyError(f"row {missing} has no {key_of(axis['field'])!r}, which {channel} needs")
    spec = {
        "$schema": SCHEMA,
        "title": title,
        "description": alt,
        "width": 560,  # "container" makes JupyterLab and Vega resize each other without end
        "height": 240,
        "data": {"values": values},
        "mark": mark,
        "encoding": encoding,
        "config": config,
    }
    columns = list(dict.fromkeys(key for row in values for key in row))
    cells = [[_cell(row.get(column, "")) for column in columns] for row in values]
    return Chart(spec, table(title, columns, cells, alt)["text/plain"])


def _quantity(name: str, log: bool, bar: bool = False) -> dict[str, Any]:
    # No None anywhere in a specification: on its way out of the page's kernel it would be left out.
    scale = {"type": "log", "nice": False, "padding": 10} if log else {"zero": bar}
    axis = {"field": _path(name), "type": "quantitative", "title": name, "scale": scale}
    return {**axis, "stack": False} if bar else axis


def _category(rows: Sequence[Row], name: str) -> dict[str, Any]:
    """A field of names, in the order of the rows."""
    order = list(dict.fromkeys(_plain_value(row.get(name)) for row in rows))
    return {"field": _path(name), "type": "nominal", "title": name, "scale": {"domain": order}}


def _path(name: str) -> str:
    """A field name for Vega-Lite, in which dots and brackets would mean nesting."""
    return name.replace("\\", "\\\\").replace(".", "\\.").replace("[", "\\[").replace("]", "\\]")


def key_of(path: str) -> str:
    """The key of a row that a field name of a specification stands for."""
    return path.replace("\\.", ".").replace("\\[", "[").replace("\\]", "]").replace("\\\\", "\\")


def _plain_value(value: Any) -> Any:
    """NumPy scalars as Python's; what JSON has no word for as text."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value if isinstance(value, str | int | float | bool | type(None)) else str(value)


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def points(
    rows: Sequence[Row],
    x: str,
    y: str,
    title: str,
    alt: str,
    color: str,
    lines: Sequence[tuple[float, float, float]] = (),
) -> Chart:
    """Points in a plane, their `color` value also their shape, and straight lines a x + b y + c = 0.

    Both axes reach a little beyond the points; a line is cut off there, and left out when it passes outside.
    """
    encoding = {"x": _quantity(x, False), "y": _quantity(y, False)}
    encoding["color"] = encoding["shape"] = _category(rows, color)
    made = _chart(rows, {"type": "point", "filled": True, "size": 50, "tooltip": True}, encoding, title, alt)
    ends = [_reach([row[key] for row in rows]) for key in (x, y)]
    for axis, (low, high) in zip((x, y), ends, strict=True):
        encoding["x" if axis == x else "y"]["scale"] = {"domain": [low, high], "nice": False}
    mark, encoding = made.spec.pop("mark"), made.spec.pop("encoding")
    layers: list[dict[str, Any]] = [{"mark": mark, "encoding": encoding}]
    for line_ in lines:
        values = [{x: px, y: py} for px, py in _across(line_, *ends)]
        if values:
            drawn = {"data": {"values": values}, "mark": {"type": "line", "color": _INK, "strokeWidth": 2}}
            layers.append({**drawn, "encoding": {"x": encoding["x"], "y": encoding["y"]}})
    made.spec.update(layer=layers, width=320, height=320)
    return made


def _reach(values: Sequence[float]) -> tuple[float, float]:
    low, high = float(min(values)), float(max(values))
    room = 0.15 * (high - low or 1.0)
    return low - room, high + room


def _across(
    line_: tuple[float, float, float], xs: tuple[float, float], ys: tuple[float, float]
) -> list[tuple[float, float]]:
    """The two points in which a line a x + b y + c = 0 meets the border of a box; none when it does not."""
    a, b, c = map(float, line_)
    found = [(x, -(a * x + c) / b) for x in xs if b] + [(-(b * y + c) / a, y) for y in ys if a]
    small = 1e-9
    inside = [(x, y) for x, y in found if xs[0] - small <= x <= xs[1] + small and ys[0] - small <= y <= ys[1] + small]
    return [min(inside), max(inside)] if len(inside) > 1 else []


def images(pictures: Sequence[Any], labels: Sequence[str], title: str, alt: str) -> Chart:
    """Small pictures (n, height, width), 0 paper to 1 ink, side by side, each below its label."""
    rows = [
        {"picture": f"{number + 1}: {label}", "row": i, "column": j, "ink": round(float(ink), 3)}
        for number, (picture, label) in enumerate(zip(pictures, labels, strict=True))
        for i, line_ in enumerate(picture)
        for j, ink in enumerate(line_)
    ]
    bare = {"title": "", "labels": False, "ticks": False, "domain": False}
    encoding: dict[str, Any] = {
        "x": {"field": "column", "type": "ordinal", "axis": bare},
        "y": {"field": "row", "type": "ordinal", "axis": bare},
        "color": {"field": "ink", "type": "quantitative", "scale": {"scheme": "greys"}},
        "facet": {"field": "picture", "type": "nominal", "columns": 4,
                  "header": {"title": "", "labelColor": _INK, "labelFontSize": 12}},
    }  # fmt: skip
    made = _chart(rows, {"type": "rect"}, encoding, title, alt, {**_CONFIG, "legend": {"disable": True}})
    made.spec.update(width=90, height=90)
    made.plain = f"{title}\n" + "\n".join(f"{n}: {label}" for n, label in enumerate(labels, 1)) + f"\n{alt}"
    return made

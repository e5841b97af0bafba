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
    """A line with points of `y` over the number `x`; `log` is False, True (both axes), "x" or "y".

    Lines of several `color` values differ in colour and in dash, so that colour is not needed.
    """
    mark = {"type": "line", "point": {"size": 60}, "color": PALETTE[0], "tooltip": True}
    encoding = {
        "x": _quantity(x, log in (True, "x")),
        "y": _quantity(y, log in (True, "y")),
    }
    if color:
        # These two share a legend, as their domains are equal; a shape of the points would get a second one.
        encoding["color"] = encoding["strokeDash"] = _category(rows, color)
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
        missing = next((i for i, row in enumerate(values) if _key(axis["field"]) not in row), None)
        if missing is not None:
            raise KeyError(f"row {missing} has no {_key(axis['field'])!r}, which {channel} needs")
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


def _key(path: str) -> str:
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

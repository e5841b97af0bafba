"""A chart as a small SVG that can be stored: what the wall of milestones on the map shows of a run.

Drawn from the Vega-Lite specification of `charts`, 320 units wide, text of at least 10 units, grey ink that can be
read on white and on black, nothing that runs or is fetched, and the chart's own description as its title element.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any

from .charts import PALETTE, Chart, key_of

MOST_BYTES = 12_000
WIDTH, HEIGHT = 320, 220
LEFT, RIGHT, TOP, BOTTOM = 44, 310, 44, 178  # the box of the axes
INK = "#808080"
MARKS = 600  # points drawn of all lines together
LEGEND = 4  # more colours than this have no legend
CAPS = ("round", "square")  # shapes of points, so that colour is not needed

Row = dict[str, Any]


def most_telling(charts: Sequence[Any]) -> str:
    """The thumbnail of one of a run's charts: images before points before curves before bars; of these the last."""
    order = {kind: place for place, kind in enumerate(("bar", "line", "point", "rect"))}
    known = [(order[_kind(c.spec)], at, c.spec) for at, c in enumerate(charts) if isinstance(c, Chart)]
    return thumbnail(max(known, key=lambda item: item[:2])[2]) if known else ""


def thumbnail(spec: dict[str, Any]) -> str:
    """A specification of `charts` as SVG of at most 12 kB; empty when even the coarsest is larger."""
    for marks in (MARKS, MARKS // 3, MARKS // 10):
        drawn = _svg(spec, marks)
        if len(drawn.encode()) <= MOST_BYTES:
            return drawn
    return ""


def _kind(spec: dict[str, Any]) -> str:
    layer = spec["layer"][0] if "layer" in spec else spec
    return str(layer["mark"]["type"])


def _svg(spec: dict[str, Any], marks: int) -> str:
    kind = _kind(spec)
    body = _images(spec) if kind == "rect" else _axes(spec, kind, marks)
    alt, title = escape(str(spec["description"])), escape(_short(str(spec["title"]), 44))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'font-family="sans-serif" font-size="11" fill="{INK}"><title>{alt}</title>'
        f'<text x="8" y="17" font-size="14">{title}</text>{body}</svg>'
    )


class Scale:
    """From a value to a place: linear or logarithmic, from `low..high` to `start..end`."""

    def __init__(self, values: Sequence[float], axis: dict[str, Any], start: float, end: float) -> None:
        given = axis.get("scale", {})
        self.log = given.get("type") == "log"
        values = [v for v in values if v > 0] if self.log else list(values)
        low, high = given.get("domain") or (min(values, default=0.0), max(values, default=1.0))
        if given.get("zero"):
            low, high = min(low, 0.0), max(high, 0.0)
        if low == high:
            low, high = (low / 2, high * 2) if self.log and low > 0 else (low - 0.5, high + 0.5)
        self.low, self.high, self.start, self.end = float(low), float(high), start, end

    def __call__(self, value: float) -> float:
        if self.log:
            value, low, high = (math.log(max(v, self.low)) for v in (value, self.low, self.high))
        else:
            low, high = self.low, self.high
        return self.start + (value - low) / (high - low) * (self.end - self.start)


def _axes(spec: dict[str, Any], kind: str, marks: int) -> str:
    """Bars, curves or points with both axes, a legend for few colours, and straight lines in other layers."""
    first = spec["layer"][0] if "layer" in spec else spec
    encoding, rows = first["encoding"], spec["data"]["values"]
    x, y = (key_of(encoding[channel]["field"]) for channel in "xy")
    rows = [row for row in rows if row.get(y) is not None and row.get(x) is not None]
    names = encoding["color"]["scale"]["domain"] if "color" in encoding else [None]
    by = key_of(encoding["color"]["field"]) if "color" in encoding else None
    groups = [[row for row in rows if by is None or row.get(by) == name] for name in names]
    up = Scale([row[y] for row in rows], encoding["y"], BOTTOM, TOP)
    if kind == "bar":
        across, labels = _bars(groups, x, y, encoding["x"]["scale"]["domain"], up)
    else:
        along = Scale([row[x] for row in rows], encoding["x"], LEFT, RIGHT)
        places = [[(along(row[x]), up(row[y])) for row in group] for group in groups]
        across = _curves(places, marks) if kind == "line" else _points(places)
        for layer in spec.get("layer", [])[1:]:
            ends = [(along(row[x]), up(row[y])) for row in layer["data"]["values"]]
            across += f'<path d="{_path(ends)}" stroke="{INK}" stroke-width="2"/>'
        labels = _label(LEFT, BOTTOM + 14, _number(along.low), "start") + _label(
            RIGHT, BOTTOM + 14, _number(along.high), "end"
        )
    frame = f'<path d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}" fill="none" stroke="{INK}"/>'
    labels += _label(LEFT - 4, TOP + 10, _number(up.high), "end") + _label(LEFT - 4, BOTTOM, _number(up.low), "end")
    middle = (LEFT + RIGHT) / 2
    titles = _label(middle, HEIGHT - 10, _short(x, 40), "middle")
    half = (TOP + BOTTOM) / 2
    place = f'x="12" y="{half:g}" text-anchor="middle" transform="rotate(-90 12 {half:g})"'
    titles += f"<text {place}>{escape(_short(y, 22))}</text>"
    return f'{frame}{labels}{titles}<g fill="none">{across}</g>{_legend(names, kind)}'


def _curves(groups: Sequence[Sequence[tuple[float, float]]], marks: int) -> str:
    most = max(2, marks // max(len(groups), 1))
    drawn = []
    for i, places in enumerate(groups):
        dash = f' stroke-dasharray="{6 - i % 3} {i % 3 * 2}"' if i % 3 else ""
        path = _path(_thinned(places, most))
        drawn.append(f'<path d="{path}" stroke="{_colour(i)}" stroke-width="2"{dash}/>')
    return "".join(drawn)


def _points(groups: Sequence[Sequence[tuple[float, float]]]) -> str:
    drawn = []
    for i, places in enumerate(groups):
        path = "".join(f"M{a:.0f} {b:.0f}h.1" for a, b in places)
        width = 9 if len(places) < 20 else 5
        cap = CAPS[i % 2]
        drawn.append(f'<path d="{path}" stroke="{_colour(i)}" stroke-width="{width}" stroke-linecap="{cap}"/>')
    return "".join(drawn)


def _bars(groups: Sequence[Sequence[Row]], x: str, y: str, order: Sequence[Any], up: Scale) -> tuple[str, str]:
    """Bars side by side over each category, and the names of the categories where there is room for them."""
    room = (RIGHT - LEFT) / max(len(order), 1)
    wide = 0.8 * room / max(len(groups), 1)
    drawn = ""
    for i, group in enumerate(groups):
        for row in group:
            left, top = LEFT + (order.index(row[x]) + 0.1) * room + i * wide, up(row[y])
            height = max(BOTTOM - top, 0.0)
            drawn += f'<path d="M{left:.1f} {BOTTOM}v{-height:.1f}h{wide:.1f}V{BOTTOM}z" fill="{_colour(i)}"/>'
    fits = max(3, int(room / 6))
    shown = (
        _label(LEFT + (i + 0.5) * room, BOTTOM + 14, _short(str(name), fits), "middle") for i, name in enumerate(order)
    )
    return drawn, "".join(shown) if room >= 12 else ""


def _images(spec: dict[str, Any]) -> str:
    """Small pictures in rows of four, ink in four tones on white paper, each above its label."""
    rows, found = spec["data"]["values"], dict[str, list[Row]]()
    for row in rows:
        found.setdefault(str(row["picture"]), []).append(row)
    drawn = ""
    for at, (label, cells) in enumerate(list(found.items())[:8]):
        side = 1 + max(max(cell["row"], cell["column"]) for cell in cells)
        left, top, size = 10 + at % 4 * 76, 30 + at // 4 * 94, 68
        tones: dict[int, str] = {}
        for cell in cells:
            if tone := round(4 * cell["ink"]):
                tones[tone] = tones.get(tone, "") + f"M{cell['column']} {cell['row']}h1v1h-1z"
        paths = "".join(f'<path d="{d}" fill-opacity="{tone / 4:g}"/>' for tone, d in sorted(tones.items()))
        place = f"translate({left} {top}) scale({size / side:g})"
        paper = f'<path d="M0 0h{side}v{side}h-{side}z" fill="#fff"/>'
        drawn += f'<g transform="{place}" fill="#222">{paper}{paths}</g>'
        words = label.split(": ", 1)[-1]
        drawn += _label(left + size / 2, top + size + 13, _short(words, 14), "middle", 10)
    return drawn


def _legend(names: Sequence[Any], kind: str) -> str:
    if not 1 < len(names) <= LEGEND:
        return ""
    drawn, room = "", (RIGHT - LEFT) / len(names)
    for i, name in enumerate(names):
        left = LEFT + i * room
        cap, long = (CAPS[i % 2], 0.1) if kind == "point" else ("butt", 9)
        drawn += f'<path d="M{left + 4:.0f} 31h{long}" stroke="{_colour(i)}" stroke-width="9" stroke-linecap="{cap}"/>'
        drawn += _label(left + 17, 35, _short(str(name), int(room / 7)), "start")
    return drawn


def _colour(i: int) -> str:
    return PALETTE[i % len(PALETTE)]


def _thinned(places: Sequence[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """At most so many of the places, the first and the last among them."""
    if len(places) <= most:
        return list(places)
    return [places[round(i * (len(places) - 1) / (most - 1))] for i in range(most)]


def _path(places: Sequence[tuple[float, float]]) -> str:
    return "".join(f"{'L' if i else 'M'}{a:.1f} {b:.1f}" for i, (a, b) in enumerate(places))


def _label(x: float, y: float, text: str, anchor: str, size: int = 11) -> str:
    chosen = f' font-size="{size}"' if size != 11 else ""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{chosen}>{escape(text)}</text>'


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}" if abs(value) < 1e5 else f"{value:.1e}"


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"

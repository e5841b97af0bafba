"""What the student sees: one description of a card, shown as HTML and as plain text.

JupyterLab sanitizes a notebook's outputs when it is opened again: style sheets, `role` and every declaration
with a CSS variable are dropped. So text and background keep the colours of the page (right in light and dark
themes), only borders are coloured, in tones with contrast on both, and each state has a symbol and a word.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from .expect import bytes_text, seconds_text
from .outcome import GIVEN, NOT_ATTEMPTED, NOT_YET, PASSED, TRACE_LIMIT, Failure, Line, Result

SYMBOLS = {PASSED: "✓", NOT_YET: "✗", NOT_ATTEMPTED: "○", GIVEN: "◇"}
COLOURS = {PASSED: "#1c9550", NOT_YET: "#d5602a", NOT_ATTEMPTED: "#808080", GIVEN: "#3b82c4"}
MAX_PRINTED = 12  # lines of a student's output that a card repeats

Bundle = dict[str, str]  # a display: MIME type -> content


@dataclass
class Part:
    """A labelled piece of a card. `code` keeps line breaks and is set in a fixed-width font."""

    label: str
    text: str
    code: bool = False


@dataclass
class Context:
    """What a card says beside the result."""

    hints: int = 0  # how many there are
    hints_seen: int = 0
    next_name: str = ""  # the exercise after this one; empty for the last of a module
    module_id: str = ""
    places: dict[str, str] = field(default_factory=dict)  # exercise -> "exercise 3 of module 01, Tensor"
    modules: dict[str, str] = field(default_factory=dict)  # exercise -> "01"
    notices: Sequence[str] = ()  # about saving


def of_result(result: Result, context: Context) -> Bundle:
    """The card of one exercise."""
    points = f"{result.points} of {counted(result.of, 'point')}"
    return bundle(result.status, [result.exercise, points], _parts(result, context))


def _parts(result: Result, context: Context) -> list[Part]:
    parts = []
    if result.status == NOT_ATTEMPTED:
        parts.append(Part("", "Nothing to check yet: put your code in place of the last line and run the cell."))
    else:
        parts.append(Part("checks", f"{result.passed_checks} of {result.total_checks} passed"))
    if result.failure:
        parts += _failure_parts(result.failure, context)
        parts += _said(result)
    if result.status != NOT_ATTEMPTED:
        parts.append(Part("run", _cost(result)))
    parts.append(Part("next", _next(result, context)))
    parts += [Part("note", notice) for notice in context.notices]
    return parts


def _failure_parts(failure: Failure, context: Context) -> list[Part]:
    """The call, what was expected, what came, where they differ, why, and the student's own lines."""
    message = failure.message
    if failure.needs in context.places:
        message = f"This needs {failure.needs}, {context.places[failure.needs]}, which is not written yet."
    parts = [
        Part("call", failure.call, code=True),
        Part("", message),
        Part("expected", failure.expected, code=True),
        Part("got", failure.got, code=True),
        Part("first difference", failure.where),
        Part("why", failure.why),
        Part("your line" if len(failure.lines) == 1 else "your lines", _lines(failure.lines), code=True),
    ]
    return [part for part in parts if part.text]


def _lines(lines: Sequence[Line]) -> str:
    return "\n".join(f"{line.place()}\n    {line.text}" for line in lines)


def _said(result: Result) -> list[Part]:
    """What the student's code printed and warned in the check that failed."""
    check = next(check for check in result.checks if check.failure)
    rows = check.output.rstrip("\n").split("\n") if check.output.strip() else []
    if len(rows) > MAX_PRINTED:
        rows = [*rows[:MAX_PRINTED], f"... and {counted(len(rows) - MAX_PRINTED, 'more line')}"]
    parts = [Part("printed", "\n".join(rows), code=True)] if rows else []
    return parts + [Part("warning", warning) for warning in check.warnings[:2]]


def _cost(result: Result) -> str:
    text = f"time {seconds_text(result.seconds)}"
    if result.peak_bytes is not None:
        return f"{text}, peak memory {bytes_text(result.peak_bytes)}"
    if result.status != PASSED:
        return text
    return f"{text}; peak memory not measured, since a check took more than {seconds_text(TRACE_LIMIT)}"


def _next(result: Result, context: Context) -> str:
    if result.status == PASSED:
        return context.next_name or f"the last exercise of this module; %check {context.module_id} shows all"
    if result.failure and result.failure.needs:
        needs = result.failure.needs
        module = context.modules.get(needs, context.module_id)
        if module == context.module_id:
            return f"write {needs} first"
        return f"write {needs} first, or let `%fill {module}` put in what is missing of module {module}"
    if context.hints_seen < context.hints:
        return f"%hint {result.exercise} ({context.hints_seen} of {counted(context.hints, 'hint')} seen)"
    seen = f" (all {context.hints} hints seen)" if context.hints else ""
    return f"%hint {result.exercise} or %solution {result.exercise}{seen}"


def counted(n: int, noun: str) -> str:
    """`1 point`, `2 points`."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def bundle(status: str, title: Sequence[str], parts: Sequence[Part]) -> Bundle:
    """A card with a state, a title and parts, in both forms."""
    return {
        "text/html": _html(f"{SYMBOLS[status]} {status}", title, parts, COLOURS[status], status),
        "text/plain": "\n".join([" · ".join([status, *title]), *(_plain(part) for part in parts)]),
    }


def message(title: str, text: str, parts: Sequence[Part] = ()) -> Bundle:
    """A card without a state: a notice, a hint, an answer to a mistyped name."""
    parts = [part for part in [Part("", text), *parts] if part.text]
    return {
        "text/html": _html(title, [], parts, "#808080", title),
        "text/plain": "\n".join([title, *(_plain(part) for part in parts)]),
    }


def _plain(part: Part) -> str:
    if not part.label:
        return part.text
    if "\n" not in part.text:
        return f"{part.label}: {part.text}"
    return f"{part.label}:\n" + textwrap.indent(part.text, "    ")


_BOX = (
    "border:1px solid rgba(128,128,128,0.5);border-left:6px solid {colour};border-radius:4px;"
    "padding:8px 12px;margin:4px 0;max-width:760px;line-height:1.5;overflow-wrap:break-word"
)
_CODE = "font-family:monospace;font-size:13px;white-space:pre-wrap;overflow-wrap:break-word"
_PRE = f"{_CODE};margin:2px 0 6px 0;padding:4px 8px;border-left:2px solid rgba(128,128,128,0.5);line-height:1.4"


def _html(badge: str, title: Sequence[str], parts: Sequence[Part], colour: str, label: str) -> str:
    heading = " · ".join([f"<b>{escape(badge)}</b>", *(escape(piece) for piece in title)])
    aria = escape(", ".join([label, *title]), quote=True)
    body = "".join(_html_part(part) for part in parts)
    return (
        f'<div role="status" aria-label="{aria}" style="{_BOX.format(colour=colour)}">'
        f'<div style="font-size:15px">{heading}</div>{body}</div>'
    )


def _html_part(part: Part) -> str:
    label = f"<b>{escape(part.label)}</b> " if part.label else ""
    if not part.code:
        return f'<div style="margin-top:4px">{label}{_inline(part.text)}</div>'
    if "\n" not in part.text and len(part.text) <= 40:
        return f'<div style="margin-top:4px">{label}<span style="{_CODE}">{escape(part.text)}</span></div>'
    return f'<div style="margin-top:4px">{label}</div><pre style="{_PRE}">{escape(part.text)}</pre>'


def _inline(text: str) -> str:
    """Escaped text in which `code` between backquotes is set as code."""
    pieces = text.split("`")
    if len(pieces) % 2 == 0:  # an odd backquote: leave all as they are
        return escape(text)
    code = (f'<span style="{_CODE}">{escape(p)}</span>' if i % 2 else escape(p) for i, p in enumerate(pieces))
    return "".join(code)


def of_module(title: str, results: Sequence[Result], notices: Sequence[str] = ()) -> Bundle:
    """The table of a module: one row per exercise, and the total."""
    earned, of = sum(r.points for r in results), sum(r.of for r in results)
    passed = sum(r.status == PASSED for r in results)
    summary = f"{passed} of {counted(len(results), 'exercise')} passed, {earned} of {counted(of, 'point')}"
    rows = [[f"{SYMBOLS[r.status]} {r.status}", r.exercise, f"{r.points} of {r.of}"] for r in results]
    status = PASSED if passed == len(results) else NOT_YET if passed or earned else NOT_ATTEMPTED
    return table(title, ["state", "exercise", "points"], rows, summary, COLOURS[status], notices)


def table(
    title: str,
    head: Sequence[str],
    rows: Sequence[Sequence[Any]],
    summary: str = "",
    colour: str = "#808080",
    notices: Sequence[str] = (),
) -> Bundle:
    """A titled table in both forms; the last line says what it adds up to."""
    cells = [[str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    plain = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in cells]
    after = [line for line in (summary, *notices) if line]
    style = "text-align:left;padding:2px 12px 2px 0;vertical-align:top;white-space:normal"
    header = "".join(f'<th scope="col" style="{style}">{escape(cell)}</th>' for cell in cells[0])
    body = "".join(
        "<tr>" + "".join(f'<td style="{style}">{escape(cell)}</td>' for cell in row) + "</tr>" for row in cells[1:]
    )
    grid = (
        f'<div style="overflow-x:auto"><table style="border-collapse:collapse;margin:6px 0">'
        f"<thead><tr>{header}</tr></thead><tbody>{body}</tbody></table></div>"
    )
    tail = "".join(f'<div style="margin-top:4px">{_inline(line)}</div>' for line in after)
    return {
        "text/html": f'<div style="{_BOX.format(colour=colour)}"><b>{escape(title)}</b>{grid}{tail}</div>',
        "text/plain": "\n".join([title, "", *plain, "", *after]).rstrip(),
    }


def text(result: Result) -> str:
    """The plain text of an exercise's card, for tests."""
    return of_result(result, Context())["text/plain"]

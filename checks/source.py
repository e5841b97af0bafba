"""Source text of exercises: find, stub, take out, put in, compare. Text in, text out; no files, no imports.

An exercise is named by its qualified name in a file of the package: `broadcast_shapes`, `Tensor.__add__`,
`Linear`. A property may consist of several functions of one name (getter and setter); they are one exercise.
"""

from __future__ import annotations

import ast
import functools
import io
import itertools
import re
import tokenize
from collections.abc import Iterator
from typing import NamedTuple

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class AnswerError(ValueError):
    """A cell that is valid Python but not an answer; the message says what to change."""


class Span(NamedTuple):
    """Lines `first..last` (from 1, inclusive, decorators included) and the column a definition starts at."""

    first: int
    last: int
    indent: int


def not_written(name: str, module_id: str, module_title: str) -> str:
    """Message of the NotImplementedError that a stub raises."""
    return f"{name} is an exercise of module {module_id}, {module_title}: not written yet"


_NOT_WRITTEN = re.compile(r"(\S+) is an exercise of module (\w+), (.*): not written yet$")


def parse_not_written(message: str) -> tuple[str, str, str] | None:
    """Exercise, module id and module title named by a stub's message, or None for any other message."""
    found = _NOT_WRITTEN.match(message)
    return (found[1], found[2], found[3]) if found else None


@functools.lru_cache(maxsize=512)
def parsed(text: str) -> ast.Module:
    """The syntax tree of a file; shared, so it must not be changed."""
    return ast.parse(text)


def nodes(tree: ast.Module, name: str) -> list[Definition]:
    """Definitions of the qualified `name` in a parsed file, in order; empty when there is none."""
    scope: list[ast.stmt] = tree.body
    *owners, last = name.split(".")
    for owner in owners:
        classes = [node for node in scope if isinstance(node, ast.ClassDef) and node.name == owner]
        if not classes:
            return []
        scope = classes[-1].body
    return [node for node in scope if isinstance(node, Definition) and node.name == last]


def span(node: Definition) -> Span:
    """Lines of a definition, from its first decorator to its end."""
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return Span(first, node.end_lineno or node.lineno, node.col_offset)


def spans(text: str, name: str) -> list[Span]:
    """Where `name` is defined in `text`; raises KeyError when it is not."""
    found = [span(node) for node in nodes(parsed(text), name)]
    if not found:
        raise KeyError(f"no definition of {name}")
    return found


def definition(text: str, name: str) -> str:
    """Source of `name` as it would stand in a cell: dedented, decorators included, ends in a newline."""
    lines = lines_of(text)
    parts = [dedent("\n".join(lines[s.first - 1 : s.last]), s.indent) for s in spans(text, name)]
    return "\n\n".join(parts) + "\n"


def defined(text: str) -> list[str]:
    """Qualified names of all functions, methods and classes of a file, in order, each once."""

    def walk(body: list[ast.stmt], prefix: str) -> Iterator[str]:
        for node in body:
            if isinstance(node, Definition):
                yield prefix + node.name
            if isinstance(node, ast.ClassDef):
                yield from walk(node.body, f"{prefix}{node.name}.")

    return list(dict.fromkeys(walk(parsed(text).body, "")))


def lines_of(text: str) -> list[str]:
    """Lines as Python counts them (`str.splitlines` would also split at form feeds and other characters)."""
    return text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").split("\n")


def _string_lines(text: str) -> set[int]:
    """Numbers of the lines of `text` that begin inside a string which must keep its content.

    Docstrings are left out: Python itself ignores their indentation (3.13) or `inspect.cleandoc` does.
    """
    docs = {
        (doc.lineno, doc.end_lineno)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, Definition) and (doc := _docstring(node))
    }
    inside: set[int] = set()
    opened: list[int] = []  # f-strings are several tokens from Python 3.12 on, and may be nested
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        name = tokenize.tok_name[token.type]
        first, last = token.start[0], token.end[0]
        if name in ("FSTRING_START", "TSTRING_START"):
            opened.append(first)
        elif name in ("FSTRING_END", "TSTRING_END"):
            inside.update(range(opened.pop() + 1, last + 1))
        elif name == "STRING" and (first, last) not in docs:
            inside.update(range(first + 1, last + 1))
    return inside


def dedent(text: str, width: int) -> str:
    """Take `width` columns of indentation off a definition's lines; lines inside strings stay as they are."""
    if width == 0:
        return text
    # The header lets the indented lines parse; it shifts line numbers by one.
    keep = _string_lines("if 1:\n" + text)
    lines = lines_of(text)
    for i, line in enumerate(lines):
        if i + 2 not in keep:
            lines[i] = line[width:] if line[:width].isspace() else line.lstrip()
    return "\n".join(lines)


def indent(text: str, width: int) -> str:
    """Put `width` spaces before lines; blank lines and lines inside strings stay as they are."""
    if width == 0:
        return text
    keep = _string_lines(text)
    pad = " " * width
    lines = lines_of(text)
    return "\n".join(pad + line if line.strip() and i not in keep else line for i, line in enumerate(lines, 1))


def _docstring(node: Definition) -> ast.Expr | None:
    first = node.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return first
    return None


def _functions(node: Definition) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The functions whose bodies a stub of `node` loses: itself, or all methods of a class."""
    if not isinstance(node, ast.ClassDef):
        return [node]
    return [f for child in node.body if isinstance(child, Definition) for f in _functions(child)]


# Stubs that do nothing: every operation calls the first, functions of earlier modules the others.
SILENT = {"record", "_Mode.__enter__", "_Mode.__exit__"}


def strip(text: str, messages: dict[str, str]) -> str:
    """Replace the body of every exercise in `messages` (name -> message) by its docstring and a raise.

    Raises KeyError naming the first exercise that `text` does not define.
    """
    tree = parsed(text)
    lines = lines_of(text)
    cuts: dict[int, tuple[int, list[str]]] = {}  # first line -> (last line, what stands there instead)
    for name, message in messages.items():
        found = nodes(tree, name)
        if not found:
            raise KeyError(f"no definition of {name}")
        for function in (f for node in found for f in _functions(node)):
            doc = _docstring(function)
            last = function.end_lineno or function.lineno
            raising = f"pass  # {message}" if name in SILENT else f'raise NotImplementedError("{message}")'
            body_indent = " " * function.body[0].col_offset
            first_node = function.body[1] if doc and len(function.body) > 1 else function.body[0]
            if doc and len(function.body) == 1:
                cuts[last] = (last, [lines[last - 1], body_indent + raising])
            elif not doc and first_node.lineno == function.lineno:  # def f(x): return x
                head = lines[function.lineno - 1][: first_node.col_offset].rstrip()
                body_indent = " " * (function.col_offset + 4)
                cuts[function.lineno] = (last, [head, body_indent + raising])
            else:
                # Comments between docstring and first statement belong to the body: they go too.
                start = (doc.end_lineno or doc.lineno) + 1 if doc else _after_header(function, lines) + 1
                cuts[start] = (last, [body_indent + raising])
    for first in sorted(cuts, reverse=True):
        last, instead = cuts[first]
        lines[first - 1 : last] = instead
    return "\n".join(lines) + "\n"


def _after_header(function: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[str]) -> int:
    """Number of the last line of a function's header: the one before its body's comments begin."""
    line = function.body[0].lineno - 1
    while lines[line - 1].strip().startswith("#") or not lines[line - 1].strip():
        line -= 1
    return line


def stub(text: str, name: str, message: str) -> str:
    """What the notebook shows for an exercise: its header, its docstring, and a raise."""
    return definition(strip(text, {name: message}), name)


def splice(text: str, name: str, answer: str) -> str:
    """Put `answer` (written at column 0) in place of the definition of `name`; the rest is unchanged."""
    return splice_all(text, {name: answer})


def splice_all(text: str, answers: dict[str, str]) -> str:
    """Put several answers into one file with a single parse; KeyError for a name that is not defined."""
    tree = parsed(text)
    lines = lines_of(text)
    cuts: dict[int, tuple[int, list[str]]] = {}
    for name, answer in answers.items():
        found = [span(node) for node in nodes(tree, name)]
        if not found:
            raise KeyError(f"no definition of {name}")
        body = lines_of(indent(only_definition(answer), found[0].indent))
        cuts[found[0].first] = (found[0].last, body)
        for old in found[1:]:  # the setter of a property: the answer brings its own
            before = next(i for i in range(old.first - 1, 0, -1) if lines[i - 1].strip())
            cuts[before + 1] = (old.last, [])
    for first in sorted(cuts, reverse=True):
        last, instead = cuts[first]
        lines[first - 1 : last] = instead
    return "\n".join(lines) + "\n"


def only_definition(answer: str) -> str:
    """The lines of an answer's definitions, without comments before and after them."""
    found = [span(node) for node in ast.parse(answer).body if isinstance(node, Definition)]
    return "\n".join(lines_of(answer)[found[0].first - 1 : found[-1].last])


def wrong_answer(text: str, name: str) -> str:
    """An answer of a gallery as a student would have typed it: no `@wrong`, and the exercise's own name."""
    text = definition_text(text)
    node = ast.parse(text).body[0]
    assert isinstance(node, Definition)
    lines = lines_of(text)
    called = re.compile(rf"\b(def|class)\s+{node.name}\b")
    lines[node.lineno - 1] = called.sub(rf"\1 {name.split('.')[-1]}", lines[node.lineno - 1], count=1)
    for decorator in reversed(node.decorator_list):
        call = decorator.func if isinstance(decorator, ast.Call) else decorator
        if (isinstance(call, ast.Name) and call.id == "wrong") or (
            isinstance(call, ast.Attribute) and call.attr == "wrong"
        ):
            del lines[decorator.lineno - 1 : decorator.end_lineno]
    return "\n".join(lines) + "\n"


def renamed(text: str, old: str, new: str) -> str:
    """An answer to the exercise `old` as an answer to `new`: its definition, and where it names itself.

    A function or class is called by its bare name, a method after a dot. Text that is no Python stays as it is.
    """
    old, new, method = old.split(".")[-1], new.split(".")[-1], "." in old
    lines, changes = lines_of(text), []
    try:
        names = [node for node in ast.parse(text).body if isinstance(node, Definition) and node.name == old]
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (SyntaxError, tokenize.TokenError):
        return text
    own = {node.lineno for node in names}
    above = {decorator.lineno for node in names for decorator in node.decorator_list}
    for before, token in itertools.pairwise(tokens):
        if token.type != tokenize.NAME or token.string != old:
            continue
        line, after = token.start[0], before.string
        defines = line in own and after in ("def", "class")
        decorates = line in above and after == "@"
        if defines or decorates or (after == "." if method else after not in (".", "def", "class")):
            changes.append(token.start)
    for line, column in reversed(changes):
        row = lines[line - 1]
        lines[line - 1] = row[:column] + new + row[column + len(old) :]
    return "\n".join(lines) + "\n"


def definition_text(text: str) -> str:
    """Source of one definition, indented or not, brought to column 0."""
    first = next((line for line in text.split("\n") if line.strip()), "")
    return dedent(text, len(first) - len(first.lstrip()))


def read_answer(cell: str, name: str, given: str) -> str:
    """The answer in a cell: exactly one definition of `name`, with the header that `given` (the stub) has.

    Returns the text to splice. Raises SyntaxError as Python does, or AnswerError with what to change.
    """
    if not cell.strip():
        raise AnswerError(f"The cell is empty below %%exercise. Write {header(given)} there.")
    text = definition_text(cell)
    tree = ast.parse(text)
    compile(
        text, "<cell>", "exec", dont_inherit=True
    )  # errors that only the compiler finds, such as a repeated parameter
    wanted = ast.parse(given).body
    last = name.split(".")[-1]
    found = [node for node in tree.body if isinstance(node, Definition)]
    if not tree.body:
        raise AnswerError(f"The cell holds only comments. Write {header(given)} there.")
    others = [node for node in tree.body if not isinstance(node, Definition)]
    if others:
        line = others[0].lineno
        raise AnswerError(
            f"This cell may hold only {header(given)}; line {line + 1} of the cell is something else: "
            f"`{lines_of(text)[line - 1].strip()}`. Move it into the body, or into a cell of its own."
        )
    strangers = [node for node in found if node.name != last]
    if strangers:
        what = "class" if isinstance(strangers[0], ast.ClassDef) else "function"
        raise AnswerError(
            f"The cell defines the {what} `{strangers[0].name}`; {name} needs {header(given)}"
            + (" and nothing beside it. Move the helper into its body." if len(found) > 1 else ".")
        )
    if len(found) != len(wanted):
        raise AnswerError(f"The cell defines `{last}` {_times(len(found))}; it should do so {_times(len(wanted))}.")
    for mine, theirs in zip(found, wanted, strict=True):
        assert isinstance(theirs, Definition)
        _compare_headers(mine, theirs)
    return text.strip("\n") + "\n"


def header(given: str) -> str:
    """The line an answer begins with, for messages: `def __add__(self, other)`."""
    node = next(node for node in ast.parse(given).body if isinstance(node, Definition))
    return f"`{_header(node)}`"


def _header(node: Definition) -> str:
    if isinstance(node, ast.ClassDef):
        bases = ", ".join(ast.unparse(part) for part in [*node.bases, *node.keywords])
        return f"class {node.name}({bases})" if bases else f"class {node.name}"
    word = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    return f"{word} {node.name}({_parameters(node)})"


def _parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Parameter list without annotations: those are the student's own affair."""
    given = node.args

    def plain(arguments: list[ast.arg]) -> list[ast.arg]:
        return [ast.arg(argument.arg) for argument in arguments]

    # Never a deep copy of a tree: libraries hang a `parent` on nodes that all trees share, such as `Load`.
    return ast.unparse(
        ast.arguments(
            posonlyargs=plain(given.posonlyargs),
            args=plain(given.args),
            vararg=given.vararg and ast.arg(given.vararg.arg),
            kwonlyargs=plain(given.kwonlyargs),
            kw_defaults=given.kw_defaults,
            kwarg=given.kwarg and ast.arg(given.kwarg.arg),
            defaults=given.defaults,
        )
    )


def _times(n: int) -> str:
    return {0: "not at all", 1: "once", 2: "twice"}.get(n, f"{n} times")


def _compare_headers(mine: Definition, theirs: Definition) -> None:
    """Raise AnswerError unless an answer's kind, decorators and parameters are those of the stub."""
    if type(mine) is not type(theirs) or _header(mine) != _header(theirs):
        raise AnswerError(f"The first line should be `{_header(theirs)}:`; the cell has `{_header(mine)}:`.")
    expected = [ast.unparse(decorator) for decorator in theirs.decorator_list]
    got = [ast.unparse(decorator) for decorator in mine.decorator_list]
    if expected != got:
        shown = " ".join(f"`@{decorator}`" for decorator in expected) or "no decorator"
        raise AnswerError(f"Above `{_header(theirs)}` should stand {shown}; please keep it as it was.")
    if isinstance(mine, ast.ClassDef) and isinstance(theirs, ast.ClassDef):
        methods = {node.name: node for node in theirs.body if isinstance(node, Definition)}
        for node in mine.body:
            if isinstance(node, Definition) and node.name in methods:
                _compare_headers(node, methods[node.name])


def _without_docstrings(text: str) -> str:
    """Definitions as text that ignores docstrings, comments, layout and annotations of parameters."""
    module = ast.parse(text)  # not the shared tree of `parsed`: this one is changed
    for node in ast.walk(module):
        if isinstance(node, Definition) and (doc := _docstring(node)):
            node.body.remove(doc)
    return ast.dump(module)


def is_stub(answer: str, given: str) -> bool:
    """Is `answer` still the exercise as it was given: the same code, or only `pass`, `...` or a docstring?"""
    if _without_docstrings(answer) == _without_docstrings(given):
        return True
    functions = [f for node in parsed(answer).body if isinstance(node, Definition) for f in _functions(node)]
    return bool(functions) and all(_is_empty(function) for function in functions)


def _is_empty(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Does a function do nothing yet: docstring, `pass`, `...`, `raise NotImplementedError`?"""
    return all(
        isinstance(node, ast.Pass)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        or (isinstance(node, ast.Raise) and "NotImplementedError" in ast.unparse(node))
        for node in function.body
    )

"""What the checks of every module promise: right answers pass, wrong answers fail and are told why.

Each test runs once for each `checks/test_NN_name.py`; a new module is covered as soon as its file exists. The last
test changes every exercise's body in small ways, one at a time, and counts how many changes the checks notice.
"""

from __future__ import annotations

import ast
import copy
import inspect
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from checks import Expect, Wrong, card, course, limits, loader, runner, source
from checks.outcome import NOT_ATTEMPTED, NOT_YET, PASSED, Result

ROOT = Path(__file__).parent.parent
PATHS = sorted((ROOT / "checks").glob("test_[0-9][0-9]_*.py"))
MODULES = [path.stem.split("_")[1] for path in PATHS]
CAUGHT_AT_LEAST = 0.9  # share of the mutants of a module
ON_TORCH_AT_LEAST = 0.6  # share of the checks of a module
PLAIN_KINDS = {"expectation", "recursion", "time"}  # failures that say what is wrong; the others are crashes

# Mutants that no check can notice, because the program does the same: module -> label -> reason.
SYMMETRIC = "the order does not matter"
SAME_DTYPE = "after promote, both operands have the same dtype"
EQUIVALENT = {
    "01": {
        "promote_types: return as_dtype(np.promote_types(type1.numpy, type2.numpy))"
        " -> return as_dtype(np.promote_types(type2.numpy, type1.numpy))": SYMMETRIC,
        "contiguous_strides: step *= max(size, 1) -> step *= max(1, size)": SYMMETRIC,
        "Add.forward: a, b = promote(a, b) -> a, b = promote(b, a)": SYMMETRIC,
        "Mul.forward: a, b = promote(a, b) -> a, b = promote(b, a)": SYMMETRIC,
        "Pow.forward: if a.dtype.kind != 'f' and (b < 0).any():"
        " -> if b.dtype.kind != 'f' and (b < 0).any():": SAME_DTYPE,
        "Where.forward: broadcast_shapes(condition.shape, a.shape, b.shape)"
        " -> broadcast_shapes(a.shape, condition.shape, b.shape)": SYMMETRIC,
    }
}


@cache
def course_data() -> dict[str, Any]:
    return course.load(ROOT)


@cache
def texts() -> dict[str, str]:
    return course.reference(ROOT)


def module_of(module_id: str) -> dict[str, Any]:
    found = course.find_module(course_data(), module_id)
    assert found, f"content/course.toml has no module {module_id}"
    return found


def names_of(module_id: str) -> list[str]:
    return [exercise["name"] for exercise in module_of(module_id)["exercises"]]


def file_of(name: str) -> str:
    return next(e["file"] for m in course_data()["modules"] for e in m["exercises"] if e["name"] == name)


@cache
def answer(name: str) -> str:
    """The reference's definition of an exercise, as it would stand in a cell."""
    return source.definition(texts()[file_of(name)], name)


def checks_path(module_id: str) -> Path:
    return course.checks_file(ROOT, module_of(module_id))


@cache
def galleries() -> dict[str, list[Wrong]]:
    return {module_id: runner.load_wrong(module_id, ROOT) for module_id in MODULES}


def judge(module_id: str, answers: dict[str, str], names: list[str] | None, skeleton: bool = False) -> list[Result]:
    return runner.judge(ROOT, module_id, answers, names, skeleton, course_data())


def told(result: Result) -> str:
    """All that the student reads on the card, as plain text."""
    return card.of_result(result, card.Context(hints=2))["text/plain"]


def failures(results: list[Result]) -> str:
    rows = [
        f"{result.exercise}: {check.name}\n{check.failure.text() if check.failure else ''}"
        for result in results
        for check in result.checks
        if not check.passed
    ]
    return "\n\n".join(rows)


ENDLESS = 1.0  # seconds after which a mutant counts as one that never ends; the slowest check takes half a second


class Bench:
    """A package, the reference by default, in which answers take turns as they do in a notebook: loaded in place."""

    def __init__(self, folder: Path, given: dict[str, str] | None = None, written: Sequence[str] = ()) -> None:
        self.package = loader.Package(folder / course.PACKAGE, course.PACKAGE, given or texts())
        answers: dict[str, dict[str, str]] = {}
        for name in written:
            answers.setdefault(file_of(name), {})[name] = answer(name)
        self.package.write(answers)
        self.library = self.package.imported()
        self.changed = ""  # the exercise whose answer is not the reference's
        self.caught: dict[str, str] = {}  # exercise -> the check that failed last, which is tried first

    def put(self, name: str, text: str) -> None:
        """Load an answer; an answer to another exercise that was loaded before is taken out."""
        if self.changed and self.changed != name:
            self.package.load(file_of(self.changed), self.changed, answer(self.changed))
        self.package.load(file_of(name), name, text)
        self.changed = name

    def result(self, module_id: str, name: str) -> Result:
        """The outcome of an exercise's checks, run as in a notebook."""
        return runner.run(checks_path(module_id), [name], self.library, measured=False)[0]

    def passes(self, module_id: str, name: str) -> bool:
        """Do all checks of an exercise pass? Without pytest, and only up to the first that fails."""
        module, marks = course.import_checks(checks_path(module_id)), course.collect(checks_path(module_id))[name]
        names = sorted(marks.functions, key=lambda function: function != self.caught.get(name))
        functions = [getattr(module, function) for function in names]
        if any(set(inspect.signature(function).parameters) != {"tt", "expect"} for function in functions):
            return self.result(module_id, name).status == PASSED
        codes = limits.codes_of(loader.functions(self.library))
        try:
            for function in functions:
                self.caught[name] = function.__name__
                with limits.limit(min(marks.limit, ENDLESS), codes), warnings.catch_warnings():
                    function(tt=self.library, expect=Expect(self.library))
        except (Exception, limits.TimeLimit):
            return False
        return True


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One package for all answers of this file; what is imported under its name is put back afterwards."""
    with runner._isolated():
        yield Bench(tmp_path_factory.mktemp("bench"))


# Every exercise is complete.


@pytest.mark.parametrize("module_id", MODULES)
def test_exercises_exist_and_have_checks_hints_and_wrong_answers(module_id: str) -> None:
    names, marks = names_of(module_id), course.collect(checks_path(module_id))
    assert names, f"the lesson of module {module_id} has no exercises"
    assert list(marks) == names, "the checks stand in the order of the lesson, one block for each exercise"
    faults = []
    for name in names:
        wrong = [w for w in galleries()[module_id] if w.exercise == name]
        if name not in source.defined(texts()[file_of(name)]):
            faults.append(f"{name}: not defined in {file_of(name)}")
        if not 2 <= len(marks[name].hints) <= 4:
            faults.append(f"{name}: {len(marks[name].hints)} hints, not 2 to 4")
        if marks[name].points < 1:
            faults.append(f"{name}: no points")
        if len(wrong) < 2:
            faults.append(f"{name}: {len(wrong)} wrong answers, not 2 or more")
        if not all(len(w.says) > 5 for w in wrong):
            faults.append(f"{name}: a wrong answer without a sentence")
    unknown = {w.exercise for w in galleries()[module_id]} - set(names)
    assert not faults and not unknown, "\n".join([*faults, *(f"wrong answer to {name}" for name in unknown)])


@pytest.mark.parametrize("module_id", MODULES)
def test_there_are_three_checks_to_an_exercise(module_id: str) -> None:
    marks = course.collect(checks_path(module_id))
    count = sum(len(mark.functions) for mark in marks.values())
    assert count >= 3 * len(marks), f"{count} checks for {len(marks)} exercises"


@pytest.mark.parametrize("module_id", MODULES)
def test_only_the_first_check_of_an_exercise_carries_hints(module_id: str) -> None:
    module = course.import_checks(checks_path(module_id))
    for name, mark in course.collect(checks_path(module_id)).items():
        given = [function for function in mark.functions if getattr(module, function).check.hints]
        assert given == [mark.functions[0]], f"{name}: hints belong to its first check"


@pytest.mark.parametrize("module_id", MODULES)
def test_no_hint_gives_the_whole_answer(module_id: str) -> None:
    """No hint contains all statements of the reference (compared without white space)."""
    for name, mark in course.collect(checks_path(module_id)).items():
        statements = [re.sub(r"\s", "", ast.unparse(part)) for part in body_of(ast.parse(answer(name)).body[0])]
        for hint in mark.hints:
            shown = re.sub(r"[\s`]", "", hint)
            assert not all(statement in shown for statement in statements), f"{name}: a hint is the solution: {hint}"


def body_of(definition: ast.stmt) -> list[ast.stmt]:
    """Statements of a function without its docstring; a class's methods' statements."""
    if isinstance(definition, ast.ClassDef):
        return [part for child in definition.body if isinstance(child, ast.FunctionDef) for part in body_of(child)]
    assert isinstance(definition, ast.FunctionDef)
    skip = 1 if ast.get_docstring(definition) is not None else 0
    return definition.body[skip:]


# Right answers pass.


@pytest.mark.parametrize("module_id", MODULES)
def test_checks_pass_on_the_reference(module_id: str) -> None:
    results = judge(module_id, {}, None)
    assert [r.exercise for r in results] == names_of(module_id)
    assert {r.status for r in results} == {PASSED}, failures(results)
    assert all(r.points == r.of for r in results)
    noisy = [(check.name, check.output, check.warnings) for r in results for check in r.checks]
    assert not [row for row in noisy if row[1] or row[2]], "a check on the reference prints or warns"


@pytest.mark.parametrize("module_id", MODULES)
def test_checks_pass_on_torch(module_id: str) -> None:
    import torch

    torch.set_num_threads(1)  # checks of speed compare with NumPy, which uses one for these sizes
    results = runner.run(checks_path(module_id), None, torch, measured=False, torch=True)
    assert not failures(results), failures(results)
    ran = sum(len(r.checks) for r in results)
    count = sum(len(mark.functions) for mark in course.collect(checks_path(module_id)).values())
    assert ran >= ON_TORCH_AT_LEAST * count, f"only {ran} of {count} checks run on PyTorch"


# Wrong answers fail, and their cards say what is wrong.


def wrong_answers() -> Iterator[Any]:
    for module_id in MODULES:
        for wrong in galleries()[module_id]:
            yield pytest.param(module_id, wrong, id=f"{module_id}-{wrong.exercise}-{wrong.label}")


@pytest.mark.parametrize(("module_id", "wrong"), wrong_answers())
def test_wrong_answer_is_told_what_is_wrong(bench: Bench, module_id: str, wrong: Wrong) -> None:
    bench.put(wrong.exercise, wrong.source)
    result = bench.result(module_id, wrong.exercise)
    text = told(result)
    assert result.status == NOT_YET, text
    assert result.points < result.of
    assert result.failure is not None
    assert result.failure.kind in PLAIN_KINDS, f"a crash, not an expectation:\n{text}"
    assert wrong.says in text, f"the card does not say {wrong.says!r}:\n{text}"


# Stubs are not attempted.


@pytest.mark.parametrize("module_id", MODULES)
def test_untouched_package_scores_nothing(module_id: str) -> None:
    results = judge(module_id, {}, None, skeleton=True)
    assert [r.exercise for r in results] == names_of(module_id)
    assert {r.status for r in results} == {NOT_ATTEMPTED}
    assert sum(r.points for r in results) == 0
    assert all("not attempted" in told(r) and NOT_YET not in told(r) for r in results)


@pytest.mark.parametrize("module_id", MODULES)
@pytest.mark.parametrize("body", ["pass", "...", '"""Only words."""'])
def test_a_body_that_does_nothing_is_not_attempted(module_id: str, body: str) -> None:
    names = [name for name in names_of(module_id) if not answer(name).startswith("class")]
    empty = {}
    for name in names:
        node = ast.parse(answer(name)).body[0]
        assert isinstance(node, ast.FunctionDef)
        node.body = ast.parse(body).body
        empty[name] = ast.unparse(node) + "\n"
    results = judge(module_id, empty, names)
    assert {r.exercise: r.status for r in results} == dict.fromkeys(names, NOT_ATTEMPTED)


# An exercise needs nothing that comes after it.


@pytest.mark.parametrize("module_id", MODULES)
def test_each_exercise_can_be_passed_before_the_later_ones_are_written(module_id: str, tmp_path: Path) -> None:
    """As a notebook does it: the exercises are written one after another into one package that began with stubs."""
    order = [e["name"] for m in course_data()["modules"] for e in m["exercises"]]
    names = names_of(module_id)
    with runner._isolated():
        bench = Bench(tmp_path, course.skeleton(course_data(), ROOT), order[: order.index(names[0])])
        for name in names:
            bench.package.load(file_of(name), name, answer(name))
            result = bench.result(module_id, name)
            assert result.status == PASSED, failures([result])


# Mutants: small changes to the reference must be noticed.


class Mutant(NamedTuple):
    """One small change: `str` of it says where and what."""

    exercise: str
    label: str
    source: str

    def __str__(self) -> str:
        return f"{self.exercise}: {self.label}"


SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.MatMult: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.USub: ast.UAdd,
    ast.Not: ast.UAdd,  # `not x` becomes `+x`: as true as x
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
BOUNDARIES: dict[type[ast.AST], type[ast.AST]] = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}


def mutants(name: str) -> Iterator[Mutant]:
    """Every program that differs from an exercise's reference by one small change of its body."""
    tree = ast.parse(answer(name))
    original = ast.unparse(tree)
    seen = {original}
    for part, change in changes(tree):
        mutated = ast.parse(answer(name))  # a copy, made faster than `deepcopy` makes one
        change(list(ast.walk(mutated))[part])
        text = ast.unparse(ast.fix_missing_locations(mutated))
        if text not in seen:
            seen.add(text)
            yield Mutant(name, difference(original, text), text + "\n")


def changes(tree: ast.Module) -> Iterator[tuple[int, Callable[[Any], None]]]:
    """Positions in `ast.walk` order, each with a function that changes the node there in place."""
    nodes = list(ast.walk(tree))
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    inside = {id(node) for f in functions for statement in body_of(f) for node in ast.walk(statement)}
    inside -= {id(node) for text in nodes if isinstance(text, ast.JoinedStr) for node in ast.walk(text)}
    names = [p.arg for f in functions for p in parameters(f.args) if p.arg not in ("ctx", "cls")]
    for part, node in enumerate(nodes):
        if isinstance(node, ast.FunctionDef):
            yield from ((part, change) for change in dropped_statements(node.body, node))
        elif id(node) in inside:
            yield from ((part, change) for change in of_node(node, names))


def parameters(arguments: ast.arguments) -> list[ast.arg]:
    every = [*arguments.posonlyargs, *arguments.args, arguments.vararg, *arguments.kwonlyargs, arguments.kwarg]
    return [argument for argument in every if argument is not None]


def of_node(node: ast.AST, names: list[str]) -> Iterator[Callable[[Any], None]]:
    """The ways to change one node of a body."""
    if isinstance(node, ast.BinOp | ast.AugAssign | ast.BoolOp | ast.UnaryOp) and type(node.op) in SWAPS:
        yield assign("op", SWAPS[type(node.op)]())
    if isinstance(node, ast.Compare):
        for table in (SWAPS, BOUNDARIES):
            if type(node.ops[0]) in table:
                yield assign("ops", [table[type(node.ops[0])](), *node.ops[1:]])
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        yield assign("test", ast.UnaryOp(ast.Not(), node.test))
    if isinstance(node, ast.comprehension) and node.ifs:
        yield assign("ifs", [])
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield assign("value", not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield assign("value", node.value + 1)
    if isinstance(node, ast.Return) and node.value is not None:
        yield assign("value", ast.Constant(None))
    if isinstance(node, ast.Call):
        for i in range(len(node.keywords)):
            yield assign("keywords", [k for j, k in enumerate(node.keywords) if j != i])
        if len(node.args) >= 2 and not any(isinstance(a, ast.Starred) for a in node.args[:2]):
            yield assign("args", [node.args[1], node.args[0], *node.args[2:]])
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names and len(names) > 1:
        yield assign("id", names[(names.index(node.id) + 1) % len(names)])
    if isinstance(node, ast.If | ast.For | ast.While | ast.With | ast.Try):
        yield from dropped_statements(node.body, node)
    if isinstance(node, ast.If | ast.For | ast.While) and node.orelse:
        yield assign("orelse", [])


def assign(field: str, value: Any) -> Callable[[Any], None]:
    return lambda node: setattr(node, field, value)


def dropped_statements(body: list[ast.stmt], owner: ast.AST) -> Iterator[Callable[[Any], None]]:
    """Each statement of a body left out in turn; a `with` or `try` leaves its own body behind."""
    first = len(body) - len(body_of(owner)) if isinstance(owner, ast.FunctionDef) else 0
    for i, statement in enumerate(body):
        if i >= first and not isinstance(statement, ast.Return):
            instead: list[ast.stmt] = statement.body if isinstance(statement, ast.With | ast.Try) else [ast.Pass()]
            yield assign("body", copy.deepcopy([*body[:i], *instead, *body[i + 1 :]]))


def difference(before: str, after: str) -> str:
    """The lines that differ, as one line: `return a + b -> return a - b`."""
    old, new = before.splitlines(), after.splitlines()
    while old and new and old[0] == new[0]:
        old, new = old[1:], new[1:]
    while old and new and old[-1] == new[-1]:
        old, new = old[:-1], new[:-1]
    return f"{squeezed(old)} -> {squeezed(new)}"


def squeezed(lines: list[str]) -> str:
    return "; ".join(line.strip() for line in lines) or "(nothing)"


@pytest.mark.parametrize("module_id", MODULES)
def test_mutants_are_caught(bench: Bench, module_id: str) -> None:
    equivalent = EQUIVALENT.get(module_id, {})
    made = [mutant for name in names_of(module_id) for mutant in mutants(name)]
    unknown = set(equivalent) - {str(mutant) for mutant in made}
    assert not unknown, f"EQUIVALENT names mutants that no longer exist, take them out: {unknown}"
    tried = [mutant for mutant in made if str(mutant) not in equivalent]
    survivors = []
    for mutant in tried:
        bench.put(mutant.exercise, mutant.source)
        if bench.passes(module_id, mutant.exercise):
            survivors.append(str(mutant))
    rate = 1 - len(survivors) / len(tried)
    shown = "\n".join([f"{len(tried) - len(survivors)} of {len(tried)} mutants caught ({rate:.1%}), not:", *survivors])
    print(f"module {module_id}: {shown}")
    assert rate >= CAUGHT_AT_LEAST, shown

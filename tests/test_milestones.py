"""The milestones: each runs as a script, with tinytorch and with PyTorch, and passes with nothing broken."""

import ast
import contextlib
import importlib
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import torch

from checks import course, loader, source, stage

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted((ROOT / "milestones").glob("[0-9]*.py"))
SEEDS = range(5)
REFERENCE = course.reference(ROOT)
# functions that a run calls but that decide nothing in it: (milestone, exercise) -> why
EXCUSED: dict[tuple[str, str], str] = {}


@contextlib.contextmanager
def named_tinytorch(package):
    """Let `import tinytorch` and its submodules mean another library inside the with block."""
    kept = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "tinytorch"}
    for name in kept:
        del sys.modules[name]
    if package is not None:
        for part in ("", ".nn", ".optim", ".utils", ".utils.data"):
            sys.modules[f"tinytorch{part}"] = importlib.import_module(package + part)
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "tinytorch"]:
            del sys.modules[name]
        sys.modules.update(kept)


def load(path):
    """Return the names that a milestone's file defines, with the tinytorch of this moment in it."""
    return stage.read(path)


def wrong(outcome):
    """Return why an outcome is not a pass, in words."""
    return outcome.text() if not outcome.passed else ""


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_milestone_is_short_and_says_what_it_proves(path):
    text = path.read_text()
    assert text.count("\n") <= 120
    doc = ast.get_docstring(ast.parse(text))
    assert doc.startswith("Milestone ") and "It proves" in doc and "It prints" in doc.replace("\n", " ")
    milestone = next(m for m in course.load(ROOT)["milestones"] if m["id"] == int(path.stem[:2]))
    assert f"Milestone {milestone['id']}, {milestone['year']}: " in doc
    functions = [node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    assert functions[-1] == "gate" and "main" in functions


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_it_runs_as_a_script_from_any_folder(path, tmp_path):
    environment = {**os.environ, "PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run([sys.executable, path], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "NO " not in ran.stdout and ran.stdout.splitlines()[-1].startswith("passed in")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_it_passes_from_every_seed(path, seed):
    names = load(path)
    outcome = stage.run(names["main"], names["gate"], None, seed=seed)
    assert not wrong(outcome)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_pytorch_under_the_name_passes_too(path, seed):
    torch.set_num_threads(1)  # small matrices: more threads only wait for each other
    with named_tinytorch("torch"):
        names = load(path)
        assert names["tt"].__name__ == "torch"
        outcome = stage.run(names["main"], names["gate"], names["tt"], seed=seed)
    assert not wrong(outcome)


# What a run uses, and what happens when it is broken.


class Copy:
    """A copy of the package in which single definitions are exchanged and put back, as a notebook does it."""

    def __init__(self, folder, texts=REFERENCE, answers=None):
        with named_tinytorch(None):
            self.package = loader.Package(folder / "tinytorch", "tinytorch", texts)
            self.package.write(answers or {})
            self.tt = self.package.imported()
            self.modules = {name: m for name, m in sys.modules.items() if name.split(".")[0] == "tinytorch"}

    @contextlib.contextmanager
    def active(self):
        """Let `import tinytorch` mean this copy."""
        with named_tinytorch(None):
            sys.modules.update(self.modules)
            yield

    @contextlib.contextmanager
    def broken(self, file, name, answer):
        """Put an answer in place of a definition inside the with block."""
        self.package.load(file, name, answer)
        try:
            yield
        finally:
            self.package.load(file, name, source.definition(REFERENCE[file], name))


@pytest.fixture(scope="module")
def copy_of(tmp_path_factory):
    """One copy of the package, and the milestones loaded with it."""
    copy = Copy(tmp_path_factory.mktemp("package"))
    with copy.active():
        copy.scripts = {path.stem: load(path) for path in SCRIPTS}
        yield copy


@cache
def wanted():
    """Return {exercise: (file, module)} of the course as far as its lessons exist."""
    index = course.exercise_index(course.load(ROOT))
    return {name: (exercise["file"], module) for name, (module, exercise, _) in index.items()}


def stub(file, name, module):
    """Return an exercise as it is before it is written."""
    return source.stub(REFERENCE[file], name, source.not_written(name, module["id"], module["title"]))


class _Off(ast.NodeTransformer):
    """Makes every `return` of a function give something else."""

    def __init__(self, wrap):
        self.wrap = wrap

    def visit_Return(self, node):
        if node.value is not None:
            node.value = ast.parse(self.wrap.format(f"({ast.unparse(node.value)})"), mode="eval").body
        return node

    def visit_Lambda(self, node):
        return node


NUMBERS_OFF = (  # arrays and tensors by a quarter, tuples of them entry by entry, other values unchanged
    "(lambda v: (lambda off: tuple(map(off, v)) if type(v) is tuple else off(v))"
    "(lambda x: x * 1.25 if hasattr(x, 'dtype') and x.dtype not in (bool,) else x))({})"
)
# an exercise that computes numbers gives wrong ones, each of the others gives nothing
MISTAKES = {"nothing returned": "(lambda v: None)({})", "a quarter too much": NUMBERS_OFF}


def mistaken(file, name, wrap):
    """Return an exercise with other results, or None when it returns nothing."""
    tree = ast.parse(source.definition(REFERENCE[file], name))
    before = ast.unparse(tree)
    after = ast.unparse(ast.fix_missing_locations(_Off(wrap).visit(tree)))
    return None if after == before else after + "\n"


def computes(name):
    """Return whether an exercise returns numbers: an operation's forward or backward, or an operator."""
    return name.split(".")[-1] in ("forward", "backward") or name.startswith("Tensor.__r")


def used(copy, script):
    """Return the exercises that a milestone calls: those that it needs."""
    return [name for name in stage.used(script["main"], copy.tt) if name in wanted()]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_each_needed_exercise_that_is_missing_is_named(path, copy_of):
    script = copy_of.scripts[path.stem]
    names = used(copy_of, script)
    assert len(names) >= 5
    for name in names:
        file, module = wanted()[name]
        with copy_of.broken(file, name, stub(file, name, module)):
            outcome = stage.run(script["main"], script["gate"], copy_of.tt)
        assert not outcome.passed, f"{path.stem} passes without {name}"
        assert name in outcome.missing and f"module {module['id']}" in outcome.missing, f"{name}: {outcome.text()}"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_the_modules_before_it_are_enough(path, tmp_path):
    """With all exercises up to the milestone written and every later one a stub, it passes."""
    data = course.load(ROOT)
    after = next(m["after"] for m in data["milestones"] if m["id"] == int(path.stem[:2]))
    answers = {}
    for name, (file, module) in wanted().items():
        if module["id"] <= after:
            answers.setdefault(file, {})[name] = source.definition(REFERENCE[file], name)
    copy = Copy(tmp_path, course.skeleton(data, ROOT), answers)
    with copy.active():
        script = load(path)
        outcome = stage.run(script["main"], script["gate"], copy.tt)
    assert not wrong(outcome)


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_each_needed_exercise_that_is_wrong_fails_the_gate_or_is_named(path, mistake, copy_of):
    script, passed = copy_of.scripts[path.stem], []
    for name in used(copy_of, script):
        file, _ = wanted()[name]
        answer = mistaken(file, name, MISTAKES[mistake])
        if answer is None or (mistake == "nothing returned") is computes(name):
            continue
        with copy_of.broken(file, name, answer):
            outcome = stage.run(script["main"], script["gate"], copy_of.tt)
        if outcome.passed and (path.stem, name) not in EXCUSED:
            passed.append(name)
    assert not passed, f"{path.stem} passes with {mistake} in {passed}"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_the_gate_alone_catches_what_is_wrong_in_the_engine(path, copy_of, monkeypatch):
    """Without the checks: the numbers recomputed in NumPy are enough."""
    monkeypatch.setattr(stage, "_failing", lambda *_: [])
    script = copy_of.scripts[path.stem]
    broken = [("modules.py", "Affine.forward")]
    if path.stem == "03_backpropagation":
        broken += [("modules.py", "Affine.backward"), ("activations.py", "Tanh.backward")]
        broken += [("losses.py", "CrossEntropy.rows_grad"), ("activations.py", "Tanh.forward")]
    for file, name in broken:
        with copy_of.broken(file, name, mistaken(file, name, NUMBERS_OFF)):
            outcome = stage.run(script["main"], script["gate"], copy_of.tt)
        assert not outcome.passed, f"{path.stem} passes with a wrong {name}"
        assert outcome.claims or outcome.error

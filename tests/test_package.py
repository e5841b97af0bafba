"""The package as a whole: its examples, its layers, its size, and what works when little of it is written."""

import ast
import contextlib
import doctest
import importlib
import inspect
import shutil
import sys
import tomllib
from pathlib import Path

import pytest
import torch

import tinytorch

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tinytorch"
FILES = sorted(PACKAGE.glob("**/*.py"))
GIVEN_BEFORE = ("_dtype", "_tensor_str", "_tensor_base", "graph")  # what the files of the modules stand on
GIVEN_AFTER = {"tensor": ("_functional", "creation")}  # what is given once a module's file exists
MAX_LINES = 450
NOT_IN_TORCH = ("contiguous_strides", "matmul_loops")


def module_files():
    """Return the files of the modules, without their suffix, in the order of the course."""
    course = ROOT / "content" / "course.toml"
    if not course.exists():
        return ["tensor"]
    modules = tomllib.loads(course.read_text())["modules"]
    return [Path(module["file"]).stem for module in modules]


def order():
    """Return all files of the package, without their suffix, in the order in which they may import others."""
    files = [*GIVEN_BEFORE]
    for name in module_files():
        files += [name, *GIVEN_AFTER.get(name, ())]
    return [*files, "__init__"]


def imports(path):
    """Return (names of other packages, names of our own files) that a file imports."""
    others, ours = set(), set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            others |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level:
            ours |= {node.module} if node.module else {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            others.add(node.module.split(".")[0])
    return others, ours


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_imports_only_numpy_and_earlier_files(path):
    others, ours = imports(path)
    assert others - set(sys.stdlib_module_names) <= {"numpy"}
    earlier = order()[: order().index(path.stem)]
    assert ours <= set(earlier), f"{path.name} imports {sorted(ours - set(earlier))}, which come later"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_is_short_enough_to_read(path):
    lines = path.read_text().count("\n")
    assert lines <= MAX_LINES, f"{path.name} has {lines} lines"


def examples():
    """Return the doctests of the package, by name."""
    found = []
    for path in FILES:
        if path.stem != "__init__":
            module = importlib.import_module(f"tinytorch.{path.stem}")
            found += [test for test in doctest.DocTestFinder().find(module) if test.examples]
    return {test.name.removeprefix("tinytorch."): test for test in found}


EXAMPLES = examples()


def run_example(test, lib):
    failures = []
    runner = doctest.DocTestRunner(verbose=False)
    twin = doctest.DocTest(test.examples, {"tt": lib}, test.name, test.filename, test.lineno, test.docstring)
    runner.run(twin, out=failures.append)
    assert not failures, "".join(failures)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_prints_what_its_docstring_says(name):
    run_example(EXAMPLES[name], tinytorch)


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name.split(".")[-1] not in NOT_IN_TORCH])
def test_pytorch_prints_the_same(name):
    run_example(EXAMPLES[name], torch)


def public():
    """Return the public functions, classes, methods and properties of the package, by name."""
    found = {}
    for path in FILES:
        module = sys.modules.get(f"tinytorch.{path.stem}")
        for name, item in vars(module).items() if module else ():
            if name.startswith("_") or getattr(item, "__module__", None) != module.__name__:
                continue
            if inspect.isclass(item) or inspect.isfunction(item):
                found[f"{path.stem}.{name}"] = item
            if inspect.isclass(item):
                members = {key: value for key, value in vars(item).items() if not key.startswith("_")}
                kinds = (property, classmethod, staticmethod)
                members = {k: v for k, v in members.items() if inspect.isfunction(v) or isinstance(v, kinds)}
                found |= {f"{path.stem}.{name}.{key}": value for key, value in members.items()}
    return found


PUBLIC = public()


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_definition_has_a_docstring_that_is_a_sentence(name):
    doc = inspect.getdoc(PUBLIC[name])
    assert doc, f"{name} has no docstring"
    paragraph = doc.split("\n\n")[0].strip()
    assert paragraph[0].isupper() or paragraph.startswith("out"), name
    assert paragraph.endswith("."), f"{name}: {paragraph}"


EXERCISES = [
    *("Tensor.__init__", "promote_types", "Tensor.numel", "Tensor.nbytes", "contiguous_strides"),
    *(
        "broadcast_shapes",
        "Function.apply",
        "Add.forward",
        "Tensor.__add__",
        "Sub.forward",
        "Tensor.__rsub__",
    ),
    *("Mul.forward", "Div.forward", "Tensor.__rtruediv__", "Pow.forward", "Neg.forward", "Exp.forward"),
    *("Log.forward", "matmul_loops", "MatMul.forward", "Sum.forward", "Mean.forward", "Max.forward"),
    *("Reshape.forward", "Tensor.view", "Permute.forward", "Index.forward", "Cat.forward", "Where.forward"),
]  # in the order of the lesson

# With an exercise written, and those before it, this much works. x is arange(3), m is ones(2, 3).
WORKS_AFTER = {
    "Tensor.__init__": """
        repr(tt.tensor([[1.5, 2.0], [3.0, 4.0]]))  repr(tt.zeros(40, 40, dtype=tt.int8))
        x.shape  x.dtype  x.tolist()  tt.tensor(2.5).item()  tt.full((2,), 7)  tt.linspace(0, 1, 3)  tt.eye(2)
        tt.zeros_like(x)  tt.ones_like(x)  tt.manual_seed(0)  tt.rand(2)  tt.randn(2)  tt.randint(3, (2,))
        tt.randperm(4)  len(x)  float(tt.tensor(2))  bool(tt.tensor(1))  f"{tt.tensor(0.5):.2f}"  x.numpy()
        x.stride()  x.is_contiguous()  x.dim()  x.requires_grad  x.detach()  x.clone()  x.to(tt.float32)
        x.fill_(2)  x.zero_()  x.copy_(x)
        x.__setitem__(0, 5)  x == x  x > 1  ~x  x.argmax()  x.all()
    """,
    "promote_types": "tt.promote(x.array, 1.5)  x == 1.5",
    "Tensor.numel": "m.numel()",
    "Tensor.nbytes": "m.nbytes",
    "contiguous_strides": "tt.contiguous_strides((2, 3))",
    "broadcast_shapes": "tt.promote(m.array, x.array)  m > x",
    "Add.forward": "tt.add(x, 1)",
    "Tensor.__add__": "x + 1  1 + x  x.add_(1)",
    "Sub.forward": "x - 1  x.sub_(1)  tt.sub(x, x)",
    "Tensor.__rsub__": "1 - x",
    "Mul.forward": "2 * x  x * 2  x.mul_(2)",
    "Div.forward": "x / 2  m.div_(2)",
    "Tensor.__rtruediv__": "1 / m",
    "Pow.forward": "x ** 2  2 ** x",
    "Neg.forward": "-x",
    "Exp.forward": "x.exp()  tt.exp(x)",
    "Log.forward": "m.log()  tt.log(m)",
    "matmul_loops": "tt.matmul_loops([[1]], [[2]])",
    "MatMul.forward": "m @ tt.ones(3)",
    "Sum.forward": "x.sum()",
    "Mean.forward": "m.mean(0)",
    "Max.forward": "x.max()  x.max(0)",
    "Reshape.forward": "m.reshape(3, 2)  m.unsqueeze(0)  m.squeeze()",
    "Tensor.view": "m.view(6)",
    "Permute.forward": "m.T  m.transpose(0, 1)",
    "Index.forward": "x[2:]  list(x)",
    "Cat.forward": "tt.cat([x, x])",
    "Where.forward": "tt.where(m > 0, 1, 2)",
}


def unwritten(source, names):
    """Return the source of a file in which the definitions in names have lost their bodies."""
    tree = ast.parse(source)
    scopes = [("", tree)] + [(f"{node.name}.", node) for node in tree.body if isinstance(node, ast.ClassDef)]
    for prefix, scope in scopes:
        for node in scope.body:
            if isinstance(node, ast.FunctionDef) and prefix + node.name in names:
                stub = ast.parse(f"raise NotImplementedError('{prefix + node.name}')").body
                node.body = [node.body[0], *stub]
    return ast.unparse(tree)


def package_with(written, folder, monkeypatch):
    """Import a copy of the package in which only the first exercises are written."""
    name = f"unwritten_{written}"
    (folder / name).mkdir()
    for path in PACKAGE.glob("*.py"):
        shutil.copy(path, folder / name)
    path = folder / name / "tensor.py"
    path.write_text(unwritten(path.read_text(), EXERCISES[written:]))
    monkeypatch.syspath_prepend(folder)
    return importlib.import_module(name)


def test_every_exercise_exists_once_and_begins_with_a_docstring():
    source = (PACKAGE / "tensor.py").read_text()
    assert unwritten(source, EXERCISES).count("raise NotImplementedError") == len(EXERCISES)
    for name in EXERCISES:
        scope = ast.parse(source)
        for part in name.split("."):
            (scope,) = (node for node in scope.body if getattr(node, "name", "") == part)
        assert ast.get_docstring(scope), name


@pytest.mark.parametrize("written", [0, 1, *range(2, len(EXERCISES) + 1, 3)])
def test_what_works_when_only_the_first_exercises_are_written(written, tmp_path, monkeypatch):
    lib = package_with(written, tmp_path, monkeypatch)
    for place, exercise in enumerate(EXERCISES):
        for line in WORKS_AFTER.get(exercise, "").splitlines():
            for expression in filter(None, map(str.strip, line.split("  "))):
                with contextlib.nullcontext() if place < written else pytest.raises(NotImplementedError):
                    scope = {"tt": lib, "x": lib.arange(3), "m": lib.ones(2, 3)}
                    eval(expression, scope)

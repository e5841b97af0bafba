"""The package as a whole: its examples, its layers, its size, and what works when little of it is written."""

import ast
import contextlib
import doctest
import importlib
import inspect
import operator
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

import tinytorch

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tinytorch"
FILES = sorted(PACKAGE.glob("**/*.py"))
GIVEN_BEFORE = {  # what stands before the file of a module
    "tensor": (
        *("_dtype", "_tensor_str", "_tensor_base", "_nodes", "graph", "_backward"),
        *("shapes", "_pointwise", "_reduce", "_shape", "_indexing"),
        *("_tensor_aliases", "_tensor_methods"),
    ),
    "activations": ("_activation_functions",),
    "modules": ("_module_base",),
    "autograd": ("_grad_modes", "_gradients", "_tensor_functions"),
    "training": ("serialization",),
    "conv": ("_conv_layers",),
    "profiler": ("_profile_rows",),
    "acceleration": ("wasm", "_kernels"),
}
GIVEN_AFTER = {  # what stands on it and on nothing later
    "tensor": ("_ops", "_index_ops", "creation", "_environment", "linalg"),
    "modules": ("_init", "_activation_modules"),
    "losses": ("_loss_modules",),
    "optimizers": ("lr_scheduler",),
    "conv": ("_images", "normalization"),
    "olympics": ("cuda",),
}
MAX_LINES = 450


def module_files():
    """Return the files of the modules, without their suffix, in the order of the course."""
    course = ROOT / "content" / "course.toml"
    if not course.exists():
        return ["tensor"]
    modules = tomllib.loads(course.read_text())["modules"]
    return [Path(module["file"]).stem for module in modules]


def order():
    """Return all files of the package, without their suffix, in the order in which they may import others."""
    files = []
    for name in module_files():
        files += [*GIVEN_BEFORE.get(name, ()), name, *GIVEN_AFTER.get(name, ())]
    return files


def module_name(path):
    """Return the dotted name of a file below the package: "creation", "nn", "nn.functional"; "" for the package."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {module_name(path): path for path in FILES}


def imports(path):
    """Return (names of other packages, names of our own files) that a file imports."""
    others, ours = set(), set()
    package = path.relative_to(PACKAGE).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            others |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = [*package[: len(package) - node.level + 1], *filter(None, [node.module])]
            found = {".".join([*base, alias.name]) for alias in node.names}
            ours |= {name if name in NAMES else ".".join(base) for name in found}
        elif isinstance(node, ast.ImportFrom):
            others.add(node.module.split(".")[0])
    return others, ours


@pytest.mark.parametrize("name", NAMES)
def test_a_file_imports_only_numpy_and_earlier_files(name):
    others, ours = imports(NAMES[name])
    assert others - set(sys.stdlib_module_names) <= {"numpy"}
    if name in order():
        earlier = order()[: order().index(name)]
        assert ours <= set(earlier), f"{name} imports {sorted(ours - set(earlier))}, which come later"
    else:  # the package itself, and the folders that hand on under PyTorch's names what the files define
        assert name == "" or NAMES[name].parent != PACKAGE, f"{name} has no place in the order of the files"
        assert "" not in ours


@pytest.mark.parametrize("name", ["nn.functional", "nn.utils", "optim.lr_scheduler", "utils.data", "autograd"])
def test_a_submodule_can_be_imported_first(name):
    code = f"import tinytorch.{name}; tinytorch.{name}"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_folders_hold_no_logic():
    for name, path in NAMES.items():
        if path.parent != PACKAGE:
            kinds = {type(node) for node in ast.parse(path.read_text()).body}
            assert not kinds & {ast.ClassDef, ast.For, ast.While}, name


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_is_short_enough_to_read(path):
    lines = path.read_text().count("\n")
    assert lines <= MAX_LINES, f"{path.name} has {lines} lines"


def examples():
    """Return the doctests of the package, by name."""
    found = []
    for name in filter(None, NAMES):
        module = importlib.import_module(f"tinytorch.{name}")
        found += [test for test in doctest.DocTestFinder().find(module) if test.examples]
    return {test.name.removeprefix("tinytorch."): test for test in found}


EXAMPLES = examples()


def run_example(test, lib):
    failures = []
    runner = doctest.DocTestRunner(verbose=False)
    twin = doctest.DocTest(test.examples, {"tt": lib, "np": np}, test.name, test.filename, test.lineno, test.docstring)
    runner.run(twin, out=failures.append)
    assert not failures, "".join(failures)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_prints_what_its_docstring_says(name):
    run_example(EXAMPLES[name], tinytorch)


def in_torch(test):
    """Return whether PyTorch has every name of the library that an example uses."""
    names = re.findall(r"\btt\.([\w.]+)", "".join(example.source for example in test.examples))
    with contextlib.suppress(AttributeError):
        return all(operator.attrgetter(name)(torch) is not None for name in names)
    return False


@pytest.mark.parametrize("name", [name for name, test in EXAMPLES.items() if in_torch(test)])
def test_pytorch_prints_the_same(name):
    run_example(EXAMPLES[name], torch)


def public():
    """Return the public functions, classes, methods and properties of the package, by name."""
    found = {}
    for file in filter(None, NAMES):
        module = sys.modules[f"tinytorch.{file}"]
        for name, item in vars(module).items():
            if name.startswith("_") or getattr(item, "__module__", None) != module.__name__:
                continue
            if inspect.isclass(item) or inspect.isfunction(item):
                found[f"{file}.{name}"] = item
            if inspect.isclass(item):
                explained = (
                    ("forward", "backward", "multiply", "formula", "slope")
                    if issubclass(item, tinytorch.graph.Node)
                    else ()
                )
                members = {k: v for k, v in vars(item).items() if not k.startswith("_") and k not in explained}
                kinds = (property, classmethod, staticmethod)
                members = {k: v for k, v in members.items() if inspect.isfunction(v) or isinstance(v, kinds)}
                found |= {f"{file}.{name}.{key}": value for key, value in members.items()}
    return found


PUBLIC = public()


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_definition_has_a_docstring_that_is_a_sentence(name):
    doc = inspect.getdoc(PUBLIC[name])
    assert doc, f"{name} has no docstring"
    paragraph = doc.split("\n\n")[0].strip()
    assert paragraph[0].isupper() or " = " in paragraph, f"{name}: {paragraph}"  # or a formula
    assert paragraph.endswith("."), f"{name}: {paragraph}"


EXERCISE_FILES = ("tensor.py", "shapes.py")  # that the lesson of module 01 is about
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
        x.stride()  x.is_contiguous()  x.dim()  x.requires_grad  x.detach()  x.to(tt.int64)  x.copy_(x)
        x.__setitem__(0, 5)  x == x  x > 1  ~x  x.argmax()  x.all()
    """,
    "promote_types": "tt.promote(x.array, 1.5)  x == 1.5",
    "Tensor.numel": "m.numel()",
    "Tensor.nbytes": "m.nbytes",
    "contiguous_strides": "tt.contiguous_strides((2, 3))",
    "broadcast_shapes": "tt.promote(m.array, x.array)  m > x",
    "Function.apply": "x.clone()  x.to(tt.float32)  x.fill_(2)  x.zero_()",
    "Add.forward": "tt.add(x, 1)  x.add_(1)",
    "Tensor.__add__": "x + 1  1 + x",
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
    shutil.copytree(PACKAGE, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (folder / name / file for file in EXERCISE_FILES):
        path.write_text(unwritten(path.read_text(), EXERCISES[written:]))
    monkeypatch.syspath_prepend(folder)
    return importlib.import_module(name)


def test_every_exercise_exists_once_and_begins_with_a_docstring():
    sources = [(PACKAGE / file).read_text() for file in EXERCISE_FILES]
    assert sum(unwritten(source, EXERCISES).count("raise NotImplementedError") for source in sources) == len(EXERCISES)
    trees = [node for source in sources for node in ast.parse(source).body]
    for name in EXERCISES:
        scope = ast.Module(trees, [])
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

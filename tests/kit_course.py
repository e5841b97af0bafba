"""A small course for the tests of the checking kit: two modules, every kind of exercise, checks, a lesson."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGE = {
    "__init__.py": '''\
"""A package as small as it can be."""

from .tensor import Base, Box, Tensor, add, mean, scaled, twice

__all__ = ["Base", "Box", "Tensor", "add", "mean", "scaled", "twice"]
''',
    "tensor.py": '''\
"""Tensors, small."""

from __future__ import annotations

import functools

import numpy as np

SIZE = 3


def loud(function):
    """A decorator that wraps."""

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


class Base:
    """What Tensor inherits from."""

    WIDTH = 4

    def name(self) -> str:
        """Name of the kind."""
        return "base"


class Tensor(Base):
    """Numbers in a box."""

    DEPTH = 2

    def __init__(self, data, dtype=None):
        """Keep `data` as an array."""
        # floats become float32
        array = np.asarray(data, dtype=dtype)
        if dtype is None and array.dtype == np.float64:
            array = array.astype(np.float32)
        self.array = array

    def name(self) -> str:
        """Name of the kind, with that of its base."""
        return "tensor, " + super().name()

    def __add__(self, other: Tensor) -> Tensor:
        """Sum, as a new tensor.

        Second paragraph of the docstring.
        """
        return add(self, other)

    __radd__ = __add__

    @property
    def scale(self) -> float:
        """A factor that can be set."""
        return getattr(self, "_scale", 1.0)

    @scale.setter
    def scale(self, value: float) -> None:
        """Set the factor."""
        if value <= 0:
            raise ValueError("scale must be positive")
        self._scale = value

    @staticmethod
    def zeros(n: int = SIZE) -> Tensor:
        """n zeros."""
        return Tensor(np.zeros(n, np.float32))

    @classmethod
    def ones(cls, n=DEPTH):
        """n ones."""
        return cls(np.ones(n, np.float32))

    def describe(self) -> str:
        """A text over several lines."""
        text = """
  first
    second"""
        return text + str(self.array.shape)

    def below(self) -> float:
        """Given, and below everything: its line numbers move."""
        return float(self.array.sum()) / 0


class Box:
    """A whole class to write."""

    def __init__(self, size: int = 1) -> None:
        """Remember the size."""
        self.size = size

    def double(self) -> int:
        """Twice the size."""
        return 2 * self.size


def add(a: Tensor, b: Tensor) -> Tensor:
    """Elementwise sum."""
    return Tensor(a.array + b.array)


def mean(a: Tensor) -> Tensor:
    """Mean of all elements."""
    return Tensor(a.array.mean())


@loud
def twice(a: Tensor) -> Tensor:
    """Decorated."""
    return Tensor(2 * a.array)


def scaled(a: Tensor, by: float = 2.0) -> Tensor: return Tensor(by * a.array)
''',
    "other.py": '''\
"""A second file: imports from the first."""

from .tensor import Tensor, add


def three(a: Tensor) -> Tensor:
    """a + a + a."""
    return add(add(a, a), a)
''',
}

NAMES = [
    "Tensor.__init__",
    "add",
    "Tensor.__add__",
    "Tensor.name",
    "Tensor.scale",
    "Tensor.zeros",
    "Tensor.ones",
    "Tensor.describe",
    "Box",
    "mean",
    "twice",
    "scaled",
]

CHECKS = '''\
"""Checks of the small course."""

import numpy as np

from checks import exercise


@exercise("Tensor.__init__", points=3, hints=("Which dtype?", "float32", "astype(np.float32)"))
def test_init_keeps_values(tt, expect):
    expect(tt.Tensor([1.0, 2.5]), "tt.Tensor([1.0, 2.5])").equals(np.array([1.0, 2.5], np.float32))


@exercise("add", limit=1, hints=("Which arrays?", "a.array + b.array"))
def test_add_values(tt, expect):
    c = tt.add(tt.Tensor([1.0, 2.0]), tt.Tensor([10.0, 30.0]))
    expect(c, "tt.add([1., 2.], [10., 30.])").equals([11.0, 32.0], why="elements are added in pairs")


@exercise("Tensor.__add__", points=2, limit=1, hints=("vague", "nearer", "return add(self, other)"))
def test_plus(tt, expect):
    a = tt.Tensor([1.0, 2.0])
    expect(a + tt.Tensor([3.0, 5.0]), "a + b").is_instance(tt.Tensor).equals([4.0, 7.0])


@exercise("Tensor.__add__", points=1)
def test_plus_leaves_inputs(tt, expect):
    a = tt.Tensor([1.0, 2.0])
    with expect.unchanged(a, "a, after a + b"):
        a + tt.Tensor([3.0, 5.0])


@exercise("Tensor.name")
def test_name(tt, expect):
    expect(tt.Tensor([1.0]).name(), "t.name()").equals("tensor, base")


@exercise("Tensor.scale")
def test_scale(tt, expect):
    t = tt.Tensor([1.0])
    expect(t.scale, "t.scale").equals(1.0)
    t.scale = 2.5
    expect(t.scale, "t.scale").equals(2.5)
    with expect.raises(ValueError, call="t.scale = -1", mentions=("positive",)):
        t.scale = -1


@exercise("Tensor.zeros")
def test_zeros(tt, expect):
    expect(tt.Tensor.zeros(), "Tensor.zeros()").has_shape((3,)).has_dtype("float32")


@exercise("Tensor.ones")
def test_ones(tt, expect):
    expect(tt.Tensor.ones(), "Tensor.ones()").equals([1.0, 1.0])


@exercise("Tensor.describe")
def test_describe(tt, expect):
    expect(tt.Tensor([1.0]).describe(), "t.describe()").equals("\\n  first\\n    second(1,)")


@exercise("Box", points=2)
def test_box(tt, expect):
    expect(tt.Box(4).double(), "Box(4).double()").equals(8)


@exercise("mean")
def test_mean(tt, expect):
    expect(tt.mean(tt.Tensor([1.0, 2.0])), "tt.mean(t)").equals(1.5)


@exercise("twice")
def test_twice(tt, expect):
    expect(tt.twice(tt.Tensor([1.0, 2.0])), "tt.twice(t)").equals([2.0, 4.0])


@exercise("scaled")
def test_scaled(tt, expect):
    expect(tt.scaled(tt.Tensor([1.0, 2.0])), "tt.scaled(t)").equals([2.0, 4.0])
'''

COURSE = """\
title = "A small course"

[[modules]]
id = "01"
name = "tensor"
title = "Tensor"
tier = "Foundation"
file = "tensor.py"
hours = 1
summary = "Numbers in a box."

[[modules]]
id = "02"
name = "other"
title = "Other"
tier = "Foundation"
file = "other.py"
hours = 1
summary = "Not written yet."

[[milestones]]
id = 1
name = "first"
title = "First"
year = 1958
after = "02"
summary = "A beginning."
"""

GALLERY = '''\
"""Wrong answers of the small course."""

from checks import wrong


@wrong("Tensor.__add__", says="did you forget `return`")
def __add__(self, other):
    add(self, other)


@wrong("Tensor.__add__", says="inputs stay as they are")
def add_in_place(self, other):
    self.array += other.array
    return self


@wrong("Box", says="expected: 8")
class BoxThatTriples:
    def __init__(self, size: int = 1) -> None:
        self.size = size

    def double(self) -> int:
        return 3 * self.size


@wrong("Tensor.zeros", says="shape (3,)")
@staticmethod
def zeros_too_few(n: int = SIZE):
    return Tensor(np.zeros(n - 1, np.float32))
'''.replace("from checks import wrong", "import numpy as np\n\nfrom checks import wrong\n\nSIZE = 3")


MILESTONE = '''\
"""Milestone 1, 1958: adds."""

import sys

import numpy as np

import tinytorch as tt
from checks import stage

sys.path.append("/nowhere")


def main(steps=3):
    """Add ones."""
    live, total = stage.Live(), tt.Tensor([0.0])
    for step in range(steps):
        total = total + tt.Tensor([1.0])
        live.show(lambda: step, f"step {step}")
    live.next()
    return {"steps": steps, "total": total.array}


def gate(result):
    """The sum."""
    return [(f"{result['steps']} ones", bool(np.all(result["total"] == result["steps"])))]
'''


def lesson(names: list[str]) -> str:
    """A lesson in MyST Markdown with one cell per exercise."""
    cells = "\n".join(f"Write `{name}`.\n\n```{{code-cell}} ipython3\n%%exercise {name}\n```\n" for name in names)
    return f"# Tensor\n\n```python\n%%exercise shown_only\n```\n\n{cells}"


def make(root: Path) -> Path:
    """Write the course below `root`; returns root."""
    texts = {f"tinytorch/{name}": text for name, text in PACKAGE.items()}
    texts["pyproject.toml"] = '[project]\nname = "small"\nversion = "0.1.0"\n'
    texts["content/course.toml"] = COURSE
    texts["content/01_tensor.md"] = lesson(NAMES)
    texts["checks/test_01_tensor.py"] = CHECKS
    texts["checks/wrong/01_tensor.py"] = GALLERY
    texts["milestones/01_first.py"] = MILESTONE
    texts["milestones/01_first.md"] = "# Milestone 1\n\n```{code-cell} ipython3\n%milestone 1\n```\n"
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return root


@contextmanager
def own_modules() -> Iterator[None]:
    """Forget the package, and put it and `sys.path` back afterwards: the tests of the course need the real one."""

    def ours() -> dict[str, object]:
        return {k: m for k, m in sys.modules.items() if k == "tinytorch" or k.startswith("tinytorch.")}

    path, modules = list(sys.path), ours()
    for name in modules:
        del sys.modules[name]
    try:
        yield
    finally:
        for name in ours():
            del sys.modules[name]
        sys.modules.update(modules)  # type: ignore[arg-type]
        sys.path[:] = path

"""Packs of Python files: what goes into which, that they are the same each time, and that the page can read them."""

from __future__ import annotations

import gzip
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from builder import bundle

ROOT = Path(__file__).parents[1]
FILES = {"a/b.py": b"x = 1\n", "empty": b"", "a/\N{SNOWMAN}.bin": bytes(range(256))}
USED = {"json/__init__.pyc", "site-packages/pygments/lexers/python.pyc", "site-packages/checks/test_01_tensor.py"}


def test_what_is_packed_can_be_unpacked() -> None:
    assert list(bundle.unpacked(bundle.packed(FILES)).items()) == list(FILES.items())
    assert bundle.unpacked(bundle.packed({})) == {}


def test_a_pack_is_a_table_and_the_contents() -> None:
    """The format that site/python.mjs reads; nothing in it depends on the time."""
    data = gzip.decompress(bundle.packed({"one": b"1", "two": b"22"}))
    table = b'[["one",1],["two",2]]'
    assert data == len(table).to_bytes(4, "little") + table + b"122"
    assert bundle.packed(FILES) == bundle.packed(dict(FILES))
    assert bundle.packed(FILES)[4:8] == bytes(4), "gzip's time stamp"


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("site-packages/checks/test_01_tensor.py", "module_01"),  # even if the recorded lesson used it
        ("site-packages/checks/__pycache__/test_18_kv_cache.cpython-314.pyc", "module_18"),
        ("site-packages/checks/datasets/digits.npz", "data_digits"),
        ("site-packages/checks/session.py", "course"),
        ("site-packages/checks/course.json", "course"),
        ("site-packages/checks/milestones/01_perceptron.py", "course"),
        ("site-packages/tinytorch/nn/functional.py", "course"),
        ("site-packages/tinytorch_page.pyc", "course"),
        ("site-packages/piplite/cli.pyc", "course"),
        ("site-packages/numpy/linalg/_umath_linalg.cpython-314-wasm32-emscripten.so", "linalg"),
        ("site-packages/pytest-9.0.2.dist-info/METADATA", "rest"),
        ("site-packages/pytest-9.0.2.dist-info/entry_points.txt", "rest"),
        ("site-packages/pytest-9.0.2.dist-info/WHEEL", "rest"),
        ("json/__init__.pyc", "library"),
        ("decimal.pyc", "rest"),
        ("site-packages/jedi/__init__.pyc", "rest"),
        ("site-packages/pygments/lexers/python.pyc", "library"),
    ],
)
def test_each_file_has_its_pack(name: str, pack: str) -> None:
    assert bundle.pack_of(name, USED) == pack


def test_packs_divide_the_tree() -> None:
    """Every file is in one pack; library, course and rest are always there."""
    tree = {name: name.encode() for name in [*USED, "decimal.pyc"]}
    packs = bundle.divided(tree, USED)
    assert {pack: set(files) for pack, files in packs.items()} == {
        "course": set(),
        "library": {"json/__init__.pyc", "site-packages/pygments/lexers/python.pyc"},
        "rest": {"decimal.pyc"},
        "module_01": {"site-packages/checks/test_01_tensor.py"},
    }
    assert bundle.divided({}, set()) == {"library": {}, "course": {}, "rest": {}}


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("numpy/linalg/_linalg.pyc", True),
        ("numpy/linalg/_linalg.pyi", False),
        ("numpy/_core/include/numpy/ndarrayobject.h", False),
        ("numpy/_core/tests/test_dtype.pyc", False),
        ("numpy/testing/__init__.pyc", True),
        ("checks/test_01_tensor.py", True),
        ("jedi/third_party/typeshed/stdlib/3/json.pyi", True),
        ("jedi/third_party/typeshed/third_party/2/six.pyi", False),
        ("pytest-9.0.2.dist-info/METADATA", True),
        ("pytest-9.0.2.dist-info/RECORD", False),
        ("ensurepip/__init__.pyc", False),
        ("pygments/lexers/python.py", True),
        ("pygments/lexers/_mapping.py", True),
        ("pygments/lexers/haskell.py", False),
        ("pygments/lexers/_lua_builtins.py", False),
    ],
)
def test_what_nothing_opens_is_left_out(name: str, kept: bool) -> None:
    assert bundle.unused(name) is not kept


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The page's side, its library in a folder, its site a dictionary: `page.site` {address: bytes}, `page.asked`."""
    spec = importlib.util.spec_from_file_location("tinytorch_page", ROOT / "site/page/tinytorch_page.py")
    assert spec and spec.loader
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.LIBRARY, module.site, module.asked = tmp_path, {}, []

    class Request:
        def open(self, method: str, address: str, asynchronous: bool) -> None:
            assert (method, asynchronous) == ("GET", False)
            self.address = address

        def send(self, body: None) -> None:
            module.asked.append(self.address)
            data = module.site.get(self.address)
            self.status = 404 if data is None else 200
            self.response = SimpleNamespace(to_bytes=lambda: data)

    js: Any = ModuleType("js")
    js.XMLHttpRequest = SimpleNamespace(new=Request)
    js.tinytorchPacks = "https://site/python/"
    monkeypatch.setitem(sys.modules, "js", js)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "site-packages")])
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.setattr(module, "linalg_later", lambda: None)  # this test's own NumPy stays as it is
    return module


def test_the_page_fetches_a_pack_when_a_module_of_it_is_imported(page: Any) -> None:
    """Once; the names of the files tell which module is where."""
    files = {"site-packages/parcel_/__init__.py": b"", "site-packages/parcel_/inside.py": b"answer = 42\n"}
    (page.LIBRARY / "packs.json").write_text(json.dumps({"rest": list(files), "other": ["decimals_.pyc"]}))
    page.site["https://site/python/rest.bin"] = bundle.packed(files)
    page.watch()
    import parcel_.inside  # type: ignore[import-not-found]

    assert parcel_.inside.answer == 42 and page.asked == ["https://site/python/rest.bin"]
    assert {name: (page.LIBRARY / name).read_bytes() for name in files} == files
    page.fetch("rest")
    with pytest.raises(ModuleNotFoundError, match="nowhere_"):
        import nowhere_  # type: ignore[import-not-found]  # noqa: F401
    assert len(page.asked) == 1
    for name in ("parcel_", "parcel_.inside"):
        del sys.modules[name]


def test_the_page_fetches_the_pack_of_a_file_that_is_opened(page: Any) -> None:
    name = "site-packages/checks/datasets/digits.npz"
    page.missing["data_digits"] = [name]
    page.site["https://site/python/data_digits.bin"] = bundle.packed({name: b"digits"})
    page.present(page.LIBRARY / "site-packages/checks/course.json")
    assert page.asked == []
    for _ in range(2):
        page.present(page.LIBRARY / name)
    assert (page.LIBRARY / name).read_bytes() == b"digits" and len(page.asked) == 1


def test_a_pack_that_cannot_be_fetched_is_named(page: Any) -> None:
    """And is asked for again at the next attempt."""
    page.missing["rest"] = ["decimals_.py"]
    for _ in range(2):
        with pytest.raises(ImportError, match=r"rest\.bin.*404"):
            page.fetch("rest")
    assert len(page.asked) == 2

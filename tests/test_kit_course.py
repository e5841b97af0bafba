"""checks/course.py and the decorators: what the course consists of."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import kit_course
import pytest

from checks import course, exercise, gallery


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return kit_course.make(tmp_path_factory.mktemp("course"))


def test_course_data_come_from_toml_lessons_and_checks(root):
    data = course.load(root)
    assert (data["title"], data["release"]) == ("A small course", "0.1.0")
    one, two = data["modules"]
    assert one["notebook"] == "01_tensor.ipynb" and one["tier"] == "Foundation" and one["hours"] == 1
    assert [e["name"] for e in one["exercises"]] == kit_course.NAMES
    by_name = {e["name"]: e for e in one["exercises"]}
    assert by_name["Tensor.__add__"] == {
        "name": "Tensor.__add__", "file": "tensor.py", "points": 3, "title": "", "limit": 1,
    }  # fmt: skip
    assert by_name["Tensor.__init__"]["limit"] == 10
    assert two["notebook"] is None and two["exercises"] == []
    assert data["milestones"][0]["year"] == 1958
    json.dumps(data)


def test_only_cells_that_run_count_as_exercises():
    lesson = (
        "```{code-cell} ipython3\n:tags: [x]\n\n%%exercise a\n```\n\n```python\n%%exercise shown\n```\n\n"
        "```{code-cell} ipython3\n---\ntags: [y]\n---\n%%exercise b\n```\n\n"
        "```{code-cell} ipython3\nprint('%%exercise c')\n```\n"
    )
    assert course.exercise_names(lesson) == ["a", "b"]


def test_a_module_is_found_by_number_or_name(root):
    data = course.load(root)
    assert course.find_module(data, "01") is course.find_module(data, "1") is course.find_module(data, "tensor")
    assert course.find_module(data, "77") is None
    module, entry, number = course.exercise_index(data)["add"]
    assert (module["id"], entry["file"], number) == ("01", "tensor.py", 2)


def test_an_exercise_may_be_in_a_file_of_another_module(root):
    files = {"tensor.py": kit_course.PACKAGE["tensor.py"], "other.py": kit_course.PACKAGE["other.py"]}
    assert course._file_of("Tensor.__add__", "other.py", files) == "tensor.py"
    assert course._file_of("three", "other.py", files) == "other.py"
    assert course._file_of("missing", "other.py", files) == "other.py"


def test_the_skeleton_has_no_solution_text(root):
    files = course.skeleton(course.load(root), root)
    assert set(files) == set(kit_course.PACKAGE)
    assert files["other.py"] == kit_course.PACKAGE["other.py"]
    assert "return Tensor(a.array + b.array)" not in files["tensor.py"]
    assert files["tensor.py"].count("not written yet") == len(kit_course.NAMES) + 2  # the setter, a second method


def test_an_installed_copy_reads_course_json_and_finds_the_package(root, tmp_path, monkeypatch):
    data = course.load(root)
    (tmp_path / "course.json").write_text(json.dumps(data), encoding="utf-8")
    (tmp_path / "tinytorch").mkdir()
    (tmp_path / "tinytorch/__init__.py").write_text("x = 1\n", encoding="utf-8")
    monkeypatch.setattr(course, "HERE", tmp_path)
    monkeypatch.delenv("TINYTORCH_ROOT", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    with kit_course.own_modules():
        sys.modules.pop("tinytorch", None)
        assert course.find_root() is None and course.load() == data
        assert course.skeleton(data, None) == {"__init__.py": "x = 1\n"}
        assert "tinytorch" not in sys.modules
    assert course.checks_file(None, data["modules"][0]) == tmp_path / "test_01_tensor.py"


def test_outside_the_page_there_is_no_site():
    assert course.site_base() is None


def test_the_site_is_what_precedes_the_runtime(monkeypatch):
    import types

    page = types.ModuleType("pyodide_js")
    page._api = types.SimpleNamespace(  # type: ignore[attr-defined]
        config=types.SimpleNamespace(indexURL="http://127.0.0.1:8017/fork/python/")
    )
    monkeypatch.setattr(sys, "platform", "emscripten")
    monkeypatch.setitem(sys.modules, "pyodide_js", page)
    assert course.site_base() == "http://127.0.0.1:8017/fork"


def test_the_mark_of_a_check_is_kept():
    @exercise("add", points=2, limit=3, hints=("a", "b"), torch=False)
    def test_it(tt, expect):
        pass

    assert (test_it.check.exercise, test_it.check.points, test_it.check.limit) == ("add", 2, 3)
    assert test_it.check.hints == ("a", "b") and not test_it.check.torch


def test_a_gallery_is_read_afresh_each_time(root):
    path = root / "checks/wrong/01_tensor.py"
    assert len(gallery(path)) == len(gallery(path)) == 4
    assert {wrong.label for wrong in gallery(path)} == {"__add__", "add_in_place", "BoxThatTriples", "zeros_too_few"}


def test_the_kit_needs_no_pytest_until_something_is_checked():
    """The build reads the course with the standard library and NumPy alone."""
    code = "import sys, checks, checks.course; assert 'pytest' not in sys.modules and 'IPython' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(course.HERE).parent)

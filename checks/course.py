"""What the course consists of: modules, exercises, points, and where the parts lie.

In the repository this is worked out from `content/course.toml`, the lessons and the checks; the build stores
the same data as `course.json` beside this file, which is what an installed copy reads.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys
import tomllib
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from . import source

if TYPE_CHECKING:
    from . import Check

HERE = Path(__file__).parent
PACKAGE = "tinytorch"

_CODE_CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)^```\s*$", re.MULTILINE | re.DOTALL)
_EXERCISE_LINE = re.compile(r"\A(?:---\n.*?\n---\n|:[^\n]*\n|\s*\n)*%%exercise[ \t]+(\S+)", re.DOTALL)


class ExerciseChecks(NamedTuple):
    """The checks of one exercise: functions in file order, and what their marks add up to."""

    functions: tuple[str, ...]
    points: int
    limit: float
    hints: tuple[str, ...]


def load(root: Path | str | None = None) -> dict[str, Any]:
    """Course data of the repository at `root`, or of the installed copy when there is none."""
    root = Path(root) if root is not None else find_root()
    if root is None:
        return json.loads((HERE / "course.json").read_text(encoding="utf-8"))
    data = tomllib.loads((root / "content" / "course.toml").read_text(encoding="utf-8"))
    release = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return {
        "title": data["title"],
        "release": release,
        "renamed": data.get("renamed", {}),
        **({"repository": data["repository"]} if "repository" in data else {}),
        "modules": [_module(root, module) for module in data["modules"]],
        "milestones": [_milestone(root, milestone) for milestone in data.get("milestones", [])],
    }


def _milestone(root: Path, milestone: dict[str, Any]) -> dict[str, Any]:
    """A milestone; open as soon as its lesson `milestones/01_<name>.md` exists."""
    name = milestone.get("name", "")
    text = root / "milestones" / f"{milestone['id']:02}_{name}.md"
    return {**milestone, "notebook": f"milestone_{milestone['id']}_{name}.ipynb" if text.exists() else None}


def _module(root: Path, module: dict[str, Any]) -> dict[str, Any]:
    lesson = root / "content" / f"{module['id']}_{module['name']}.md"
    if not lesson.exists():
        return {**module, "notebook": None, "exercises": []}
    names = exercise_names(lesson.read_text(encoding="utf-8"))
    path = checks_file(root, module)
    marks = collect(path) if path.exists() else {}
    files = {path.name: path.read_text(encoding="utf-8") for path in sorted((root / PACKAGE).glob("*.py"))}
    return {
        **module,
        "notebook": f"{lesson.stem}.ipynb",
        "exercises": [_exercise(name, module, files, marks) for name in names],
    }


def _exercise(
    name: str, module: dict[str, Any], files: dict[str, str], marks: dict[str, ExerciseChecks]
) -> dict[str, Any]:
    mark = marks.get(name)
    return {
        "name": name,
        "file": _file_of(name, module["file"], files),
        "points": mark.points if mark else 0,
        "title": "",
        "limit": mark.limit if mark else 10,
    }


def _file_of(name: str, first: str, files: dict[str, str]) -> str:
    """The package file that defines `name`: the module's own, else any other; the module's when none does."""
    for file in [first, *files]:
        if file in files and name in _defined(files[file]):
            return file
    return first


@cache
def _defined(text: str) -> frozenset[str]:
    return frozenset(source.defined(text))


def exercise_names(lesson: str) -> list[str]:
    """Names of the `%%exercise NAME` cells of a lesson (MyST Markdown), in order."""
    found = (_EXERCISE_LINE.match(cell) for cell in _CODE_CELL.findall(lesson))
    return [match[1] for match in found if match]


def checks_file(root: Path | None, module: dict[str, Any]) -> Path:
    """The file of checks of a module: in the repository at `root`, or beside this file."""
    return (root / "checks" if root else HERE) / f"test_{module['id']}_{module['name']}.py"


_loaded: dict[Path, ModuleType] = {}


def import_checks(path: Path) -> ModuleType:
    """A file of checks as a module; imported once, writes no bytecode."""
    if path not in _loaded:
        present(path)
        spec = importlib.util.spec_from_file_location(f"checks.{path.stem}", path)
        if spec is None or spec.loader is None:
            raise ImportError(f"cannot load {path}")
        module = importlib.util.module_from_spec(spec)
        before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
        try:
            spec.loader.exec_module(module)
        finally:
            sys.dont_write_bytecode = before
        _loaded[path] = module
    return _loaded[path]


def collect(path: Path) -> dict[str, ExerciseChecks]:
    """Checks of a file by exercise, in file order."""
    by_exercise: dict[str, list[tuple[str, Check]]] = {}
    for name, value in vars(import_checks(path)).items():
        check = getattr(value, "check", None)
        if name.startswith("test_") and check is not None:
            by_exercise.setdefault(check.exercise, []).append((name, check))
    return {
        name: ExerciseChecks(
            functions=tuple(function for function, _ in checks),
            points=sum(check.points for _, check in checks),
            limit=next((check.limit for _, check in checks if check.limit is not None), 10.0),
            hints=next((check.hints for _, check in checks if check.hints), ()),
        )
        for name, checks in by_exercise.items()
    }


def find_root() -> Path | None:
    """The repository this kit runs from, or None for an installed copy.

    The environment variable TINYTORCH_ROOT names another course folder (a fork with its own lessons).
    """
    if named := os.environ.get("TINYTORCH_ROOT"):
        return Path(named)
    return HERE.parent if (HERE.parent / "content" / "course.toml").exists() else None


def exercise_index(course: dict[str, Any]) -> dict[str, tuple[dict[str, Any], dict[str, Any], int]]:
    """Exercise name -> (module, exercise, its number within the module, from 1)."""
    return {
        exercise["name"]: (module, exercise, number)
        for module in course["modules"]
        for number, exercise in enumerate(module["exercises"], 1)
    }


def find_module(course: dict[str, Any], module_id: str) -> dict[str, Any] | None:
    """A module by id (`01`, also as `1`) or name (`tensor`)."""
    wanted = module_id.zfill(2) if module_id.isdigit() else module_id
    return next((m for m in course["modules"] if wanted in (m["id"], m["name"])), None)


def dataset(name: str) -> dict[str, Any]:
    """The arrays of a file of `content/datasets`, such as "digits.npz": name -> NumPy array."""
    import numpy as np

    root = find_root()
    path = (root / "content" if root else HERE) / "datasets" / name
    present(path)
    with np.load(path) as data:
        return {key: data[key] for key in data.files}


def present(path: Path) -> None:
    """Fetch a file of the kit that the page did not start with; elsewhere all are there."""
    if sys.platform == "emscripten" and not path.exists():
        import tinytorch_page

        tinytorch_page.present(path)


def site_base() -> str | None:
    """Address of the built site, without a slash at its end, when running in its page; else None."""
    if sys.platform != "emscripten":
        return None
    import pyodide_js

    index: str = pyodide_js._api.config.indexURL
    return index.rsplit("/python", 1)[0]


def skeleton(course: dict[str, Any], root: Path | None) -> dict[str, str]:
    """The package with every exercise reduced to its stub: path inside the package -> text.

    From the repository it is derived; an installed package already is the skeleton (found, not imported).
    """
    return strip_files(course, reference(root)) if root else _texts(installed_package())


def reference(root: Path) -> dict[str, str]:
    """The complete package of the repository: path inside the package -> text."""
    return _texts(root / PACKAGE)


def _texts(folder: Path) -> dict[str, str]:
    paths = sorted(folder.rglob("*.py"))
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def strip_files(course: dict[str, Any], files: dict[str, str]) -> dict[str, str]:
    """Replace the bodies of all exercises of the course in the package's files."""
    messages: dict[str, dict[str, str]] = {}
    for module in course["modules"]:
        for exercise in module["exercises"]:
            message = source.not_written(exercise["name"], module["id"], module["title"])
            messages.setdefault(exercise["file"], {})[exercise["name"]] = message
    return {path: source.strip(text, messages.get(path, {})) for path, text in files.items()}


def installed_package() -> Path:
    """The folder of the installed skeleton."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"the package {PACKAGE} is not installed")
    return Path(spec.origin).parent

"""Data from which the landing page puts the student's package together: it has no Python to parse with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from builder import lessons
from checks import source

PROJECT = """[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "tinytorch"
version = "{release}"
description = "PyTorch, written by a student of the TinyTorch course"
requires-python = ">=3.11"
dependencies = ["numpy>=2"]

[tool.setuptools.packages.find]
include = ["tinytorch*"]
"""


def package_data(root: Path, course: dict[str, Any]) -> dict[str, Any]:
    """Return the skeleton's files, and for each exercise its file, its indentation and the lines to exchange."""
    files = lessons.skeleton(root, course)
    exercises = {
        exercise["name"]: place(files[exercise["file"]], exercise["file"], exercise["name"])
        for module in lessons.written(course)
        for exercise in module["exercises"]
    }
    return {
        "release": course["release"],
        "project": PROJECT.format(release=course["release"]),
        "files": files,
        "exercises": exercises,
    }


def place(text: str, file: str, name: str) -> dict[str, Any]:
    """Return where an answer goes: `cuts` are lines (from 1, inclusive); it replaces the first, the others go.

    The others belong to the setter of a property, with the blank lines above it: see `checks.source.splice_all`.
    """
    lines = source.lines_of(text)
    first, *others = source.spans(text, name)
    cuts = [[first.first, first.last]]
    for other in others:
        before = next(i for i in range(other.first - 1, 0, -1) if lines[i - 1].strip())
        cuts.append([before + 1, other.last])
    return {"file": file, "indent": first.indent, "cuts": cuts}

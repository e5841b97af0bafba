"""Lessons: MyST Markdown in, notebooks out; stubs and solutions are read from the package."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import jupytext
import nbformat

from checks import source
from checks.course import load, reference, strip_files

IMAGE = re.compile(r"!\[([^\]]*)\]\((figures/[\w.-]+\.svg)\)")


def course(root: Path) -> dict[str, Any]:
    """Return the course data (see `checks.course.load`) of the repository at `root`."""
    return load(root)


def written(course: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the modules whose lesson exists."""
    return [module for module in course["modules"] if module["notebook"]]


def path(module: dict[str, Any]) -> str:
    """Return the path of a module's lesson below the repository."""
    return "content/" + str(Path(module["notebook"]).with_suffix(".md").name)


def milestones(course: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the milestones that can be run."""
    return [milestone for milestone in course["milestones"] if milestone["notebook"]]


def script(milestone: dict[str, Any]) -> str:
    """Return the path of a milestone's script below the repository; its lesson is beside it."""
    return f"milestones/{milestone['id']:02}_{milestone['name']}.py"


def notebooks(root: Path, course: dict[str, Any]) -> dict[str, bytes]:
    """Return {file name: notebook} of all lessons and milestones."""
    books = {module["notebook"]: notebook(root, module, course["release"]) for module in written(course)}
    for milestone in milestones(course):
        books[milestone["notebook"]] = milestone_notebook(root, milestone, course["release"])
    return books


def with_digests(course: dict[str, Any], books: dict[str, bytes]) -> dict[str, Any]:
    """Return the course data with `digest` for every module and milestone that has a notebook."""
    digests = {name: json.loads(book)["metadata"]["tinytorch"]["lesson"] for name, book in books.items()}

    def stamped(item: dict[str, Any]) -> dict[str, Any]:
        return {**item, "digest": digests[item["notebook"]]} if item["notebook"] else item

    return {**course, **{part: [stamped(item) for item in course[part]] for part in ("modules", "milestones")}}


def notebook(root: Path, module: dict[str, Any], release: str) -> bytes:
    """Return the notebook of a lesson as the student receives it: stubs filled in, stamped with the release."""
    return _notebook(root, path(module), {"module": module["id"], "release": release}, module)


def milestone_notebook(root: Path, milestone: dict[str, Any], release: str) -> bytes:
    """Return the notebook in which a milestone runs."""
    text = str(Path(script(milestone)).with_suffix(".md"))
    return _notebook(root, text, {"milestone": milestone["id"], "release": release}, {"id": f"M{milestone['id']}"})


def _notebook(root: Path, text_path: str, stamp: dict[str, Any], module: dict[str, Any]) -> bytes:
    book = jupytext.read(root / text_path)
    book.metadata = nbformat.from_dict(
        {
            "kernelspec": {"name": "python", "display_name": "Python (Pyodide)", "language": "python"},
            "language_info": {"name": "python"},
            "tinytorch": stamp,
        }
    )
    for number, cell in enumerate(book.cells):
        text = cell.source
        if cell.cell_type == "code" and text.startswith("%%exercise "):
            name = text.split()[1]
            cell.source = f"%%exercise {name}\n{stub_of(root, module, name)}"
            cell.metadata = nbformat.from_dict({"tinytorch": {"exercise": name}})
        elif cell.cell_type == "markdown":
            cell.source = IMAGE.sub(lambda match: _inline(root / "content", match), text)
        cell.id = hashlib.sha256(f"{module['id']} {number} {cell.source}".encode()).hexdigest()[:12]
    book.metadata.tinytorch["lesson"] = digest(book)
    book.nbformat, book.nbformat_minor = 4, 5
    nbformat.validate(book)
    return (nbformat.writes(book) + "\n").encode()


def digest(book: nbformat.NotebookNode) -> str:
    """Return what identifies a lesson's text: equal for two releases that ship the same cells."""
    cells = [[cell.cell_type, cell.id, cell.source] for cell in book.cells]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()[:16]


def _inline(content: Path, match: re.Match[str]) -> str:
    """Return the image as a data URI: a notebook then needs no second file, exported or offline."""
    data = base64.b64encode((content / match[2]).read_bytes()).decode()
    return f"![{match[1]}](data:image/svg+xml;base64,{data})"


def _text(root: Path, module: dict[str, Any], name: str) -> str:
    """Return the text of the package file that defines an exercise."""
    file = next(item["file"] for item in module["exercises"] if item["name"] == name)
    return (root / "tinytorch" / file).read_text("utf-8")


def stub_of(root: Path, module: dict[str, Any], name: str) -> str:
    """Return what the student starts from: signature, docstring, and a raise that names the exercise."""
    return source.stub(_text(root, module, name), name, source.not_written(name, module["id"], module["title"]))


def solutions(root: Path, module: dict[str, Any]) -> dict[str, str]:
    """Return {exercise: its definition in the reference package}."""
    return {
        item["name"]: source.definition(_text(root, module, item["name"]), item["name"]) for item in module["exercises"]
    }


def skeleton(root: Path, course: dict[str, Any]) -> dict[str, str]:
    """Return {file: text} of the package in which every exercise has lost its body."""
    return strip_files(course, reference(root))

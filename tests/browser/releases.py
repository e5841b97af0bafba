"""A later release of a built site, as a folder: other checks, other names, another number, at the same address."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from builder import assemble, bundle, precache

ROOT = Path(__file__).parents[2]
OURS = re.compile(r"site-packages/(tinytorch|checks)/.*\.(py|json)")
CHECKS = re.compile(r"site-packages/checks/test_.*\.py")
COURSE = "site-packages/checks/course.json"


def second_release(
    site: Path,
    folder: Path,
    release: str = "0.2.0",
    renamed: dict[str, str] | None = None,
    checks: dict[str, str] | None = None,
    lessons: dict[str, str] | None = None,
) -> Path:
    """Copy the built `site` to `folder` and make it the next release; return the folder.

    renamed: exercise -> its new name (of a top-level function), in package, checks, lessons and solutions.
    checks: text -> the text in its place, in the files of checks; each must occur.
    lessons: the same for the notebooks, where it occurs.
    """
    shutil.copytree(site, folder)
    names = {re.compile(rf"\b{re.escape(old)}\b"): new for old, new in (renamed or {}).items()}

    def with_names(text: str) -> str:
        for old, new in names.items():
            text = old.sub(new, text)
        return text

    before = json.loads((folder / "course.json").read_text("utf-8"))
    course = json.loads(with_names(json.dumps(before)))
    course = {**course, "release": release, "renamed": {**before["renamed"], **(renamed or {})}}
    (folder / "course.json").write_text(json.dumps(course, indent=1), "utf-8")
    page = folder / "notebooks/index.html"
    facts = (json.dumps(assemble.lesson_facts(data)).replace("<", "\\u003c") for data in (before, course))
    page.write_text(_swap(page.read_text("utf-8"), *facts), "utf-8")
    for path in [*folder.glob("files/*.ipynb"), *folder.glob("solutions/*.json"), folder / "skeleton.json"]:
        changed = with_names(path.read_text("utf-8"))
        for old, new in (lessons or {}).items() if path.suffix == ".ipynb" else ():
            changed = changed.replace(old, new)
        path.write_text(changed, "utf-8")
    python = folder / "python"
    packs = {path: bundle.unpacked(path.read_bytes()) for path in python.glob("*.bin")}
    found = {old for old in checks or {} if any(old in text for text in _texts(packs, CHECKS))}
    assert found == set(checks or {}), f"not in the checks: {set(checks or {}) - found}"

    def changed_text(name: str, text: str) -> str:
        if name == COURSE:
            return json.dumps(course)
        text = with_names(text)
        for old, new in (checks or {}).items() if CHECKS.fullmatch(name) else ():
            text = text.replace(old, new)
        return text

    later: dict[str, list[str]] = {}
    for path, files in sorted(packs.items(), key=lambda item: item[0].stem == "course"):  # which lists all others
        files = _changed(files, changed_text)
        if path.stem == "course":
            files["packs.json"] = json.dumps(later).encode()
        elif path.stem not in bundle.FIRST:
            later[path.stem] = list(files)
        path.write_bytes(bundle.packed(files))
    assemble.stamp_snapshot(folder / "python")
    precache.write(folder, precache.patterns(ROOT))
    return folder


def take_over(new: Path, served: Path) -> None:
    """Put a release in the place of the served one, as an upload does; the old one is beside it afterwards."""
    os.replace(served, served.with_name(f"{served.name}-before-{new.name}"))
    os.replace(new, served)


def _swap(text: str, old: str, new: str) -> str:
    """Return a text with its one place of `old` replaced."""
    assert text.count(old) == 1, f"{text.count(old)} places of {old[:60]}"
    return text.replace(old, new)


def _texts(packs: dict[Path, dict[str, bytes]], names: re.Pattern[str]) -> list[str]:
    """Return the texts of the packed files with such names."""
    return [data.decode() for files in packs.values() for name, data in files.items() if names.fullmatch(name)]


def _changed(files: dict[str, bytes], change: Callable[[str, str], str]) -> dict[str, bytes]:
    """Return a pack with our text files changed; bytecode goes with the source that it was compiled from."""
    result = dict(files)
    for name, data in files.items():
        if not OURS.fullmatch(name):
            continue
        text = change(name, data.decode("utf-8"))
        if text.encode("utf-8") != data:
            result[name] = text.encode("utf-8")
            folder, _, file = name.rpartition("/")
            result.pop(f"{folder}/__pycache__/{file.removesuffix('.py')}.cpython-314.pyc", None)
    return result

"""A later release of a built site, as a folder: other checks, other names, another number, at the same address."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

WHEELS = ("tinytorch-", "tinytorch_checks-")


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

    course = json.loads(with_names((folder / "course.json").read_text("utf-8")))
    course = {**course, "release": release, "renamed": {**course.get("renamed", {}), **(renamed or {})}}
    (folder / "course.json").write_text(json.dumps(course, indent=1), "utf-8")
    for path in [*folder.glob("files/*.ipynb"), *folder.glob("solutions/*.json")]:
        changed = with_names(path.read_text("utf-8"))
        for old, new in (lessons or {}).items() if path.suffix == ".ipynb" else ():
            changed = changed.replace(old, new)
        path.write_text(changed, "utf-8")
    found: set[str] = set()

    def of_wheel(name: str, text: str) -> str:
        if name == "checks/course.json":
            return json.dumps(course)
        text = with_names(text)
        for old, new in (checks or {}).items():
            if name.startswith("checks/test_") and old in text:
                found.add(old)
                text = text.replace(old, new)
        return text

    for wheel in (folder / "static/pyodide").glob("tinytorch*.whl"):
        _rewrite(wheel, of_wheel)
    assert found == set(checks or {}), f"not in the checks: {set(checks or {}) - found}"
    _lock(folder / "static/pyodide")
    return folder


def take_over(new: Path, served: Path) -> None:
    """Put a release in the place of the served one, as an upload does; the old one is beside it afterwards."""
    os.replace(served, served.with_name(f"{served.name}-before-{new.name}"))
    os.replace(new, served)


def _rewrite(wheel: Path, change: Any) -> None:
    """Write a wheel anew with its text files changed."""
    with zipfile.ZipFile(wheel) as old:
        members = [(info, old.read(info)) for info in old.infolist()]
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as new:
        for info, content in members:
            if info.filename.endswith((".py", ".json")):
                content = change(info.filename, content.decode("utf-8")).encode("utf-8")
            new.writestr(info.filename, content)


def _lock(folder: Path) -> None:
    """Put the new sums of our wheels into the runtime's lock."""
    path = folder / "pyodide-lock.json"
    lock = json.loads(path.read_text("utf-8"))
    for package in lock["packages"].values():
        if package["file_name"].startswith(WHEELS):
            package["sha256"] = hashlib.sha256((folder / package["file_name"]).read_bytes()).hexdigest()
    path.write_text(json.dumps(lock), "utf-8")

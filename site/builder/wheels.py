"""The wheels of the course: skeleton package, checks, and what stands in for the app's package installer."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from wheel.wheelfile import WheelFile

from builder import lessons

logging.getLogger("wheel").setLevel(logging.WARNING)  # it names every file it adds


def write_wheel(
    folder: Path, name: str, version: str, files: dict[str, str | bytes], requires: tuple[str, ...] = ()
) -> Path:
    """Write a pure-Python wheel whose bytes depend on its contents only (SOURCE_DATE_EPOCH is set by the build)."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    requirements = "".join(f"Requires-Dist: {item}\n" for item in requires)
    with WheelFile(path, "w") as wheel:
        for inside, content in sorted(files.items()):
            wheel.writestr(inside, content.encode() if isinstance(content, str) else content)
        wheel.writestr(
            f"{info}/METADATA",
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requirements}".encode(),
        )
        wheel.writestr(f"{info}/WHEEL", b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    return path


def skeleton(root: Path, folder: Path, course: dict[str, Any]) -> Path:
    """Write the wheel of `tinytorch` in which every exercise has lost its body."""
    files: dict[str, str | bytes] = {f"tinytorch/{name}": text for name, text in lessons.skeleton(root, course).items()}
    return write_wheel(folder, "tinytorch", course["release"], files, ("numpy",))


def checks(root: Path, folder: Path, course: dict[str, Any]) -> Path:
    """Write the wheel of the checking kit, the checks, the milestones and their data, without the wrong answers."""
    source = root / "checks"
    paths = [p for p in source.rglob("*.py") if "wrong" not in p.relative_to(source).parts]
    files: dict[str, str | bytes] = {p.relative_to(root).as_posix(): p.read_text("utf-8") for p in paths}
    for milestone in lessons.milestones(course):
        script = lessons.script(milestone)
        files[f"checks/{script}"] = (root / script).read_text("utf-8")
    files |= {f"checks/datasets/{p.name}": p.read_bytes() for p in (root / "content/datasets").glob("*.npz")}
    files["checks/course.json"] = json.dumps(course)
    return write_wheel(folder, "tinytorch_checks", course["release"], files, ("tinytorch", "pytest", "ipython"))


def page(root: Path, folder: Path) -> Path:
    """Write the wheel of what only the page needs: its start, and a stand-in for the app's package installer."""
    source = root / "site/page"
    paths = sorted(source.rglob("*.py"))
    files: dict[str, str | bytes] = {p.relative_to(source).as_posix(): p.read_text("utf-8") for p in paths}
    return write_wheel(folder, "page", "0", files)

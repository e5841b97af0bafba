"""The two wheels of the course (skeleton package, checks) and the Pyodide lock that preloads them."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from pyodide_lock import InfoSpec, PackageSpec, PyodideLockSpec
from pyodide_lock.utils import add_wheels_to_spec
from wheel.wheelfile import WheelFile

from builder import lessons
from builder.errors import BuildError, write_atomic

logging.getLogger("wheel").setLevel(logging.WARNING)  # it names every file it adds
IPYTHONDIR = "/lib/python3.14/site-packages/checks/ipython"
DISTRIBUTION_FILES = {
    "pyodide.mjs",
    "pyodide.asm.mjs",
    "pyodide.asm.wasm",
    "python_stdlib.zip",
    "pyodide-lock.json",
}


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


def write_lock(folder: Path, locked: dict[str, Any]) -> list[str]:
    """Write `pyodide-lock.json` naming exactly the wheels in `folder`; return the package names.

    Wheels rebuilt by Pyodide keep their entry of the official lock; all others are read by pyodide-lock.
    """
    official = json.loads((folder / "pyodide-lock.json").read_text("utf-8"))
    # releases from 314 on name an ABI where pyodide-lock 0.1.2 still demands a version
    info = InfoSpec(version=locked["pyodide"]["version"], **official["info"])
    spec = PyodideLockSpec(info=info, packages={})
    rebuilt = [item for item in locked["files"] if item["source"] == "pyodide" and "package" in item]
    for item in rebuilt:
        entry = PackageSpec(**official["packages"][item["package"]])
        if entry.sha256 != item["sha256"]:
            raise BuildError(f"{item['name']}: site/runtime.lock and Pyodide's own lock name different checksums.")
        spec.packages[item["package"]] = entry
    known = DISTRIBUTION_FILES | {item["name"] for item in rebuilt}
    others = sorted(p for p in folder.iterdir() if p.name not in known)
    spec = add_wheels_to_spec(spec, others, base_path=folder)
    for entry in spec.packages.values():
        entry.depends = sorted(entry.depends)
    lock = spec.model_dump() | {"info": official["info"]}
    write_atomic(folder / "pyodide-lock.json", json.dumps(lock, indent=1, sort_keys=True).encode())
    return sorted(spec.packages)

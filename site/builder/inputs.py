"""What the site is made from, and whether it is up to date: known without loading any of the build's tools."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path

log = logging.getLogger("build")
INPUTS = ("build.py", "jupyter-lite.json", "pyproject.toml", "tinytorch", "content", "checks", "milestones", "site")


def inputs(root: Path) -> list[Path]:
    """Return every file the site is made from, sorted."""
    found: list[Path] = []
    for name in INPUTS:
        path = root / name
        found += [path] if path.is_file() else (p for p in path.rglob("*") if p.is_file())
    return sorted(
        p for p in found if "__pycache__" not in p.parts and not p.name.startswith(".") and p.suffix != ".part"
    )


def fingerprint(root: Path) -> str:
    """Return a hash over the names and contents of all inputs: the site is built anew exactly when it changes."""
    digest = hashlib.sha256()
    for path in inputs(root):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def build(root: Path, cache: Path, site: Path, solutions: bool = True) -> bool:
    """Build `site` from `root` unless it is up to date; return whether anything was built."""
    key = fingerprint(root) + ("" if solutions else " without solutions")
    stamp = site / "build.json"
    if stamp.exists() and json.loads(stamp.read_text("utf-8"))["inputs"] == key:
        log.info("site: up to date")
        return False
    from builder.assemble import assemble  # takes seconds to load, and is needed only now

    assemble(root, cache, site, key, solutions)
    return True

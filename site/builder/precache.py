"""The list of all files of the built site, by which the service worker stores, checks and updates a release."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from builder import lighten
from builder.errors import BuildError, write_atomic

NAME = "precache.json"
WORKER = "service-worker.js"
NOT_LISTED = (NAME, WORKER, "build.json")  # the list, the worker that reads it, the builder's own stamp


def lines(root: Path) -> list[str]:
    """Return the committed patterns."""
    text = (root / "site/precache.txt").read_text("utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def app_scripts(root: Path) -> list[str]:
    """Return the patterns of the notebook app's scripts, which the build puts into one file."""
    return [line for line in lines(root) if re.fullmatch(r"build/[^/]+\.js", line)]


def patterns(root: Path) -> list[str]:
    """Return the patterns of what a lesson asks for up to its first card, in the order of need."""
    gathered = set(app_scripts(root))
    return list(dict.fromkeys(lighten.APP_SCRIPTS if line in gathered else line for line in lines(root)))


def rank(path: str, start: list[str]) -> int:
    """Return the number of the first pattern that a path matches, or their count if it matches none."""
    return next((i for i, pattern in enumerate(start) if fnmatch.fnmatchcase(path, pattern)), len(start))


def manifest(site: Path, start: list[str]) -> dict[str, Any]:
    """Return {release, files}: every file with its checksum and size, in the order in which a visitor needs it."""
    paths = sorted(p.relative_to(site).as_posix() for p in site.rglob("*") if p.is_file())
    files = []
    for path in sorted((p for p in paths if p not in NOT_LISTED), key=lambda p: rank(p, start)):
        data = (site / path).read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        files.append({"url": path, "sha256": digest, "bytes": len(data), "start": rank(path, start) < len(start)})
    release = hashlib.sha256(json.dumps(files).encode()).hexdigest()[:12]
    return {"release": release, "files": files}


def constant(text: str, name: str, value: str) -> str:
    """Return a script with the value of `const NAME = "..."` filled in; raise BuildError if it has no such line."""
    filled, count = re.subn(
        f'^const {name} = "[^"]*";', f"const {name} = {json.dumps(value)};", text, flags=re.MULTILINE
    )
    if count != 1:
        raise BuildError(f"The script to be stamped has {count} lines `const {name} = ...` instead of one.")
    return filled


def write(site: Path, start: list[str]) -> dict[str, Any]:
    """Write the list, and stamp the service worker with it: a new release is a new script. The last step of a build."""
    listed = manifest(site, start)
    data = json.dumps(listed, separators=(",", ":")).encode()
    write_atomic(site / NAME, data)
    script = (site / WORKER).read_text("utf-8")
    script = constant(script, "RELEASE", listed["release"])
    script = constant(script, "MANIFEST", hashlib.sha256(data).hexdigest())
    write_atomic(site / WORKER, script.encode())
    return listed

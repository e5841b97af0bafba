"""Measure how long a student waits for the first result, beside a plain JupyterLite build with the same packages.

    python3 build.py bench start

Cold: a fresh browser profile opens the first lesson. Warm: the same profile in a new browser process, after the page
has done its background work. Both sites are measured in turns in one run; medians, and the median of the ratios, are
printed. The plain site has the same lesson, and the same is done there: the first exercise's cell is scrolled to, its
text replaced by typing, and run. "First result" is the card of the exercise here; there, where nothing checks an
answer, it is the output of a NumPy line. Bytes are what the server sends up to then, as if it compressed with gzip.
Memory is what the page's process holds, kernel included, half a minute after every exercise's cell was run, which here
means: solved. (A script does that in ten seconds; what the browser has to clear away then is not counted.)
"""

from __future__ import annotations

import argparse
import functools
import gzip
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "site"), str(ROOT)]

from conftest import FLAGS, address  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

from builder import assemble, browser, lessons, runtime  # noqa: E402
from builder.serve import Handler  # noqa: E402
from student import Student  # noqa: E402

PLAIN_ANSWER = "import numpy as np\nnp.ones(3).sum()"
MODULE = lessons.written(lessons.course(ROOT))[0]
ANSWERS = lessons.solutions(ROOT, MODULE)
GOALS = {"cold": 1 / 2, "warm": 1 / 3}
MEGABYTES, MEMORY = 11, 450
SETTLED = 60  # seconds that a page may take for its background work before it is closed


class Counting(Handler):
    """Serves a site and notes which files it sent in full."""

    sent: list[str]

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        path = path / "index.html" if path.is_dir() else path
        if path.is_file() and "If-Modified-Since" not in self.headers:
            self.sent.append(str(path))
        super().do_GET()


class Served:
    """A site on a port of this machine, with what was asked of it."""

    def __init__(self, site: Path) -> None:
        self.sent: list[str] = []
        handler = type("Counting", (Counting,), {"sent": self.sent})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(site)))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.base = address(self.server)

    def megabytes(self) -> float:
        """Return the size of everything sent so far, compressed."""
        return sum(compressed(name) for name in self.sent) / 1e6


@functools.cache
def compressed(name: str) -> int:
    """Return the size of a file as a server sends it that compresses what gets smaller."""
    data = Path(name).read_bytes()
    return min(len(data), len(gzip.compress(data, 6)))


def plain_site(folder: Path) -> Path:
    """Build what JupyterLite gives by itself: the same runtime, the same packages preloaded, no course."""
    lock = runtime.read_lock()
    fetched = runtime.fetch(ROOT / ".cache/runtime", lock | {"files": lock["files"] + lock["plain"]})
    lite = folder / "lite"
    pyodide = lite / "static/pyodide"
    pyodide.mkdir(parents=True)
    for path in fetched:
        shutil.copy2(path, pyodide / path.name)
    official = json.loads((pyodide / "pyodide-lock.json").read_text("utf-8"))
    own = [item for item in lock["files"] + lock["plain"] if "package" in item]
    names = [item["package"] for item in own if item["source"] != "kernel"]
    for item in own:  # wheels from PyPI in place of those that Pyodide rebuilt; all are named, so none depends
        entry = {"name": item["package"], "version": item["version"], "install_dir": "site", "imports": []}
        entry |= {"package_type": "package", **official["packages"].get(item["package"], {})}
        entry |= {"file_name": item["name"], "sha256": item["sha256"], "depends": []}
        official["packages"][item["package"]] = entry
    (pyodide / "pyodide-lock.json").write_text(json.dumps(official))
    plugin = {"disablePyPIFallback": True, "loadPyodideOptions": {"packages": names}}
    plugin["pyodideUrl"] = "./static/pyodide/pyodide.mjs"
    data = {"litePluginSettings": {assemble.KERNEL_PLUGIN: plugin}, "exposeAppInBrowser": True}
    settings = {"jupyter-lite-schema-version": 0, "jupyter-config-data": data}
    (lite / "jupyter-lite.json").write_text(json.dumps(settings))
    contents = folder / "contents"
    contents.mkdir()
    shutil.copy2(ROOT / "_site/files" / MODULE["notebook"], contents)
    command = [sys.executable, "-m", "jupyterlite_core.app", "build", "--lite-dir", str(lite)]
    command += ["--contents", str(contents), "--output-dir", str(folder / "site")]
    subprocess.run(command, cwd=lite, check=True, capture_output=True)
    return folder / "site"


def visit(driver: Any, profile: Path, served: Served, plain: bool, settled: bool) -> dict[str, float]:
    """Open the notebook, run its first cell; return seconds and megabytes. `settled`: let the page finish its work."""
    context = driver.chromium.launch_persistent_context(profile, executable_path=browser.find(), args=FLAGS)
    student = Student(context, served.base)
    served.sent.clear()
    start = time.monotonic()
    student.page.goto(f"{served.base}notebooks/index.html?path={MODULE['notebook']}")
    student.wait_for_page()
    seen = {"page": time.monotonic() - start}
    name = next(iter(ANSWERS))
    if plain:
        cell = student.write_and_run(student.find(f"%%exercise {name}"), PLAIN_ANSWER, timeout=120)
        assert "3.0" in cell.text, cell.text
    else:
        cell = student.exercise(name, ANSWERS[name], timeout=120)
        assert cell.text.startswith("passed"), cell.text
    seen |= {"result": time.monotonic() - start, "megabytes": served.megabytes()}
    if settled:
        settle(student)
    context.close()
    return seen


def settle(student: Student) -> None:
    """Let the page finish its background work, as a student who stays does: our download, and Python's memory kept."""
    script = """import('../offline.mjs').then(
        ({settled}) => Promise.race([settled(), new Promise((resolve) => setTimeout(resolve, %d))]), () => null)"""
    student.page.evaluate(script % (1000 * SETTLED))


SOLVE = """
(async () => {
    const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
    const panel = () => window.jupyterapp?.shell.currentWidget;
    while (!panel()?.sessionContext?.session?.kernel) await pause(200);
    const { content, sessionContext } = panel();
    await sessionContext.session.kernel.requestExecute({ code: "None" }).done;
    const answers = %s;
    for (const [index, cell] of content.widgets.entries()) {
        if (cell.model.type !== "code") continue;
        const name = /^%%%%exercise (\\S+)/.exec(cell.model.sharedModel.getSource())?.[1];
        if (name in answers) cell.model.sharedModel.setSource(`%%%%exercise ${name}\\n${answers[name]}`);
        if (!(name in answers) && Object.keys(answers).length > 0) continue;
        content.activeCellIndex = index;
        await content.scrollToItem(index, "center");
        await jupyterapp.commands.execute("notebook:run-cell");
    }
    await pause(30000);
    await fetch("/finished", { method: "POST" });
})();
"""


def memory(folder: Path, site: Path, plain: bool) -> float:
    """Return the megabytes that the page's process, with the kernel in it, holds after the lesson was solved.

    In a browser that nobody remote-controls, since the tools for that keep copies of what a page loads. A script in the
    page does what the student does.
    """
    copy = shutil.copytree(site, folder / "site")
    page = copy / "notebooks/index.html"
    html = page.read_text("utf-8")
    answers = {name: PLAIN_ANSWER if plain else f"%%exercise {name}\n{answer}" for name, answer in ANSWERS.items()}
    script = SOLVE % json.dumps(answers).replace("<", "\\u003c")
    page.write_text(html.replace("</body>", f"<script>{script}</script></body>", 1), "utf-8")
    finished = threading.Event()

    class Hearing(Handler):
        def do_POST(self) -> None:
            finished.set()
            self.send_error(404)

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Hearing, directory=str(copy)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"{address(server)}notebooks/index.html?path={MODULE['notebook']}"
    profile = folder / "profile"
    flags = [*FLAGS, "--headless=new", "--window-size=1366,768", f"--user-data-dir={profile}"]
    process = subprocess.Popen([browser.find(), *flags, url], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert finished.wait(600), "the lesson was not solved in ten minutes"
        return max(page_processes(process.pid))
    finally:
        process.terminate()
        process.wait()
        server.shutdown()


def page_processes(browser_id: int) -> list[float]:
    """Return the resident megabytes of every page's process of a browser; a page's kernel is a thread in it."""
    found = []
    for process in psutil.Process(browser_id).children(recursive=True):
        line = " ".join(process.cmdline())
        if "--type=renderer" in line and not re.search("--extension-process|--top-chrome-webui", line):
            found.append(process.memory_info().rss / 1e6)
    return found


def rows(runs: list[dict[tuple[str, str], dict[str, float]]]) -> list[tuple[str, float, float, float, str]]:
    """Return (what, plain, ours, ratio, goal) from paired runs."""

    def median(site: str, kind: str, key: str) -> float:
        return statistics.median(run[site, kind][key] for run in runs if key in run[site, kind])

    table = []
    for kind, goal in GOALS.items():
        for key, name in (("page", "notebook drawn"), ("result", "first result")):
            ratio = statistics.median(run["ours", kind][key] / run["plain", kind][key] for run in runs)
            wish = f"at most {goal:.2f}" if key == "result" else ""
            table.append((f"{kind}: {name}, s", median("plain", kind, key), median("ours", kind, key), ratio, wish))
    for kind, key, name, most in (
        ("cold", "megabytes", "bytes to the first result, MB gzip", MEGABYTES),
        ("cold", "memory", "resident memory, MB", MEMORY),
    ):
        plain, ours = median("plain", kind, key), median("ours", kind, key)
        table.append((name, plain, ours, ours / plain, f"ours at most {most}"))
    return table


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=5, help="visits of each kind (default: %(default)s)")
    rounds = options.parse_args().rounds
    with tempfile.TemporaryDirectory() as name, sync_playwright() as driver:
        folder = Path(name)
        on_disk = {"plain": plain_site(folder), "ours": ROOT / "_site"}
        sites = {key: Served(site) for key, site in on_disk.items()}
        runs: list[dict[tuple[str, str], dict[str, float]]] = []
        for turn in range(rounds):
            run = {}
            for key, served in sites.items():
                for kind in GOALS:
                    profile = folder / f"{key}{turn}"
                    run[key, kind] = visit(driver, profile, served, key == "plain", kind == "cold")
                shutil.rmtree(folder / f"{key}{turn}", ignore_errors=True)
                with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as other:
                    run[key, "cold"]["memory"] = memory(Path(other), on_disk[key], key == "plain")
            runs.append(run)
            print(
                f"round {turn + 1} of {rounds}",
                {" ".join(k): round(v["result"], 1) for k, v in run.items()},
                {key: round(run[key, "cold"]["memory"]) for key in sites},
                flush=True,
            )
        print(f"\n| median of {rounds} | plain JupyterLite | ours | ratio | goal |\n|---|---|---|---|---|")
        for what, plain, ours, ratio, goal in rows(runs):
            print(f"| {what} | {plain:.1f} | {ours:.1f} | {ratio:.2f} | {goal} |")
        for served in sites.values():
            served.server.shutdown()


if __name__ == "__main__":
    main()

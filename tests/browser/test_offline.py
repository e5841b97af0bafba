"""The course without a network: downloaded on the first visit, checked, resumed, updated; isolated pages; installed."""

from __future__ import annotations

import fnmatch
import functools
import json
import shutil
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import landing
import pytest
from conftest import ROOT, Launch, address, start_server
from playwright.sync_api import BrowserContext, Page

from builder import lessons, precache
from builder.serve import Handler
from student import Student, use_the_kernel

MODULE = lessons.written(lessons.course(ROOT))[0]
SOLUTION = lessons.solutions(ROOT, MODULE)
STRIDES = "contiguous_strides"
STATE = "import('./offline.mjs').then(({offline}) => offline.state)"
STORED = """async () => {
    const paths = [];
    for (const name of (await caches.keys()).filter((name) => !name.startsWith("tinytorch-memory"))) {
        for (const {url} of await (await caches.open(name)).keys()) paths.push(url.slice(document.baseURI.length));
    }
    return paths;
}"""
MINUTE = 60_000


class Server:
    """The site on a free port: it notes what it is asked for, and can send wrong bytes, refuse, or keep one waiting."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        self.altered: set[str] = set()  # always wrong
        self.stale: set[str] = set()  # wrong until it is asked past the caches
        self.refused: set[str] = set()
        self.patience: int | None = None  # after so many requests, files wait
        self.gate = threading.Event()
        server = self

        class Watched(Handler):
            def do_GET(self) -> None:
                path, _, query = unquote(self.path).lstrip("/").partition("?")
                server.asked.append(path)
                if server.patience is not None and len(server.asked) > server.patience:
                    server.gate.wait(120)
                try:
                    if path in server.refused:
                        self.send_error(503)
                    elif path in server.altered or (path in server.stale and not query):
                        self.send_wrong(folder / path)
                    else:
                        super().do_GET()
                except ConnectionError:  # the browser was closed meanwhile
                    self.close_connection = True

            def send_wrong(self, path: Path) -> None:
                data = path.read_bytes()[:-1] + b"?"
                self.send_response(200)
                self.send_header("Content-Type", self.guess_type(path))
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Watched, directory=str(folder)))
        self.base = address(self.http)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Go away, as when the network is gone."""
        self.gate.set()
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def serve() -> Iterator[Callable[[Path], Server]]:
    """Start servers that end with the test."""
    started: list[Server] = []

    def start(folder: Path) -> Server:
        started.append(Server(folder))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def copy(site: Path, tmp_path: Path) -> Path:
    """The site in a folder of its own, to be changed."""
    return Path(shutil.copytree(site, tmp_path / "site"))


def visit(context: BrowserContext, base: str) -> Page:
    """Open the landing page."""
    page = context.new_page()
    page.goto(base)
    page.wait_for_selector("[data-module]", timeout=MINUTE)
    return page


def until(page: Page, expression: str, seconds: int = 120) -> Any:
    """Wait until an expression, which may be a promise, is true; return its value."""
    end = time.monotonic() + seconds
    while not (value := page.evaluate(expression)):
        assert time.monotonic() < end, f"{expression}: still {value} after {seconds} s; {page.evaluate(STATE)}"
        page.wait_for_timeout(200)
    return value


def wait(page: Page, condition: str, seconds: int = 120) -> dict[str, Any]:
    """Wait until the offline state `s` meets a condition; return it."""
    test = f"import('./offline.mjs').then(({{offline: {{state: s}}}}) => ({condition}) ? s : null)"
    state: dict[str, Any] = until(page, test, seconds)
    return state


def listed(site: Path) -> list[dict[str, Any]]:
    """Return the files of the release in a folder."""
    files: list[dict[str, Any]] = json.loads((site / precache.NAME).read_text("utf-8"))["files"]
    return files


def test_visit_once_then_work_without_a_server(
    site: Path, tmp_path: Path, launch: Launch, serve: Callable[[Path], Server], record_property: Any
) -> None:
    """One visit of the landing page; then a new browser, and no server: what is solved is on the map, and exported."""
    server = serve(site)
    context = launch()
    state = wait(visit(context, server.base), "s.complete && !s.running")
    assert state["supported"] and state["done"] == state["total"] == sum(file["bytes"] for file in listed(site))
    record_property("offline", f"{len(listed(site))} files, {state['total'] / 1e6:.1f} MB")
    context.close()
    server.stop()

    student = Student(launch(), server.base)
    student.page.goto(f"{server.base}notebooks/?from=map&path={MODULE['notebook']}")
    student.wait_for_page()
    student.wait_for_kernel()
    assert student.page.evaluate("crossOriginIsolated"), "served by the worker a page is isolated"
    assert student.exercise(STRIDES, SOLUTION[STRIDES]).text.startswith("passed")
    use_the_kernel(student)
    assert student.problems == []
    student.page.click("#tinytorch-home")
    student.page.wait_for_selector(f'[data-module="{MODULE["id"]}"][data-state="in-progress"]')
    with zipfile.ZipFile(landing.export(student.page, tmp_path)) as archive:
        work = json.loads(archive.read(landing.WORK))
        assert work["exercises"][STRIDES]["source"] == SOLUTION[STRIDES]
        cells = json.loads(archive.read(f"notebooks/{MODULE['notebook']}"))["cells"]
        assert any("".join(cell["source"]).endswith(f"{STRIDES}\n{SOLUTION[STRIDES]}") for cell in cells)
    answers = student.page.evaluate(
        """() => Promise.all(['api/contents/nowhere/all.json', 'files/no.txt', '/api/service-worker-heartbeat'].map(
            async (url) => { const r = await fetch(url); return [r.status, await r.text()]; }))"""
    )
    assert [status for status, _ in answers] == [404, 404, 200] and answers[2][1] == "ok"
    assert json.loads(answers[0][1])["message"]
    student.page.goto(f"{server.base}nowhere.html")
    assert "Back to the map" in student.page.inner_text("body")


def test_first_visit_of_a_lesson_is_not_isolated_and_works(
    site: Path, launch: Launch, serve: Callable[[Path], Server]
) -> None:
    """No worker yet: the kernel talks through the worker that has just come; what it asked for is in the start set."""
    server = serve(site)
    context = launch()
    context.add_init_script("Object.defineProperty(navigator, 'connection', {value: {saveData: true}})")
    student = Student(context, server.base)
    student.open(MODULE["notebook"])
    assert not student.page.evaluate("crossOriginIsolated")
    assert student.exercise(STRIDES, SOLUTION[STRIDES]).text.startswith("passed")
    files = {file["url"]: file for file in listed(site)}
    asked = {path + ("index.html" if path == "" or path.endswith("/") else "") for path in server.asked}
    unknown = asked - set(files) - {precache.NAME, precache.WORKER, "api/service-worker-heartbeat"}
    assert not unknown, "asked for, and not part of the site"
    missing = sorted(path for path in asked & set(files) if not files[path]["start"])
    assert not missing, f"add these to site/precache.txt: {missing}"
    parts = [line for line in precache.patterns(ROOT) if line.startswith("build/")]
    useless = [line for line in parts if not fnmatch.filter(asked, line)]
    assert not useless, f"no lesson asks for these any more, remove them from site/precache.txt: {useless}"
    use_the_kernel(student)
    assert student.problems == []


def test_wrong_bytes_are_never_stored(site: Path, launch: Launch, serve: Callable[[Path], Server]) -> None:
    """A file the server has in another form is named and left out; one that only a cache had wrong is fetched again."""
    server = serve(site)
    server.altered, server.stale = {"icon-maskable-512.png"}, {"icon-maskable-192.png"}
    page = visit(launch(), server.base)
    state = wait(page, "s.failed && !s.running")
    assert "icon-maskable-512.png" in state["failed"] and "icon-maskable-192" not in state["failed"]
    assert not state["complete"] and state["done"] < state["total"]
    stored = page.evaluate(STORED)
    assert "icon-maskable-512.png" not in stored and "icon-maskable-192.png" in stored
    assert len(stored) == len(listed(site)) - 1 + 1  # without the wrong one, with the list itself
    assert page.evaluate("fetch('icon-maskable-512.png').then(r => r.status)") == 504
    page.goto(f"{server.base}notebooks/index.html?path={MODULE['notebook']}")
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=2 * MINUTE)


def test_a_broken_off_download_goes_on(site: Path, launch: Launch, serve: Callable[[Path], Server]) -> None:
    """The browser ends in the middle; afterwards no file that is stored is asked for again."""
    server = serve(site)
    server.patience = 100
    context = launch()
    page = visit(context, server.base)
    own = set(server.asked)  # before there is a worker that could keep them, the page asks for these by itself
    until(page, f"({STORED})().then((paths) => paths.length > 60)")
    before = set(page.evaluate(STORED))
    context.close()
    server.patience = None
    server.gate.set()
    server.asked.clear()

    wait(visit(launch(), server.base), "s.complete")
    own |= {"", precache.NAME, precache.WORKER, "manifest.webmanifest"}
    assert set(server.asked) & before <= own
    assert set(server.asked) - own, "the download was broken off before its end"
    rest = [path for path in server.asked if path not in own]
    assert len(rest) == len(set(rest)), "nothing is asked for twice"


def test_saved_data_and_no_worker(site: Path, launch: Launch, serve: Callable[[Path], Server]) -> None:
    """A browser that saves data downloads when it is asked to; one without workers says why and shows the map."""
    server = serve(site)
    context = launch()
    context.add_init_script("Object.defineProperty(navigator, 'connection', {value: {saveData: true}})")
    page = visit(context, server.base)
    state = wait(page, "s.reason && s.release")
    assert state["supported"] and not state["running"] and "when you ask" in state["reason"]
    page.evaluate("import('./offline.mjs').then(({download}) => download())")
    wait(page, "s.complete && !s.reason")

    context.add_init_script("Object.defineProperty(Navigator.prototype, 'serviceWorker', {value: undefined})")
    state = wait(visit(context, server.base), "!s.supported")
    assert state["reason"].endswith("while the server can be reached.")


def release(folder: Path, text: str) -> str:
    """Make a new release of the site in a folder; return its name."""
    with (folder / "style.css").open("a", encoding="utf-8") as file:
        file.write(text)
    name: str = precache.write(folder, precache.patterns(ROOT))["release"]
    return name


STYLE = "fetch('style.css').then((response) => response.text())"


def test_a_new_release_waits_for_the_next_start(copy: Path, launch: Launch, serve: Callable[[Path], Server]) -> None:
    """What changed is downloaded in the background; the old release goes on; the next start has the new one."""
    server = serve(copy)
    context = launch()
    page = visit(context, server.base)
    first = wait(page, "s.complete")["release"]
    other = visit(context, server.base)

    second = release(copy, "/* second */")
    server.refused = {"style.css"}  # the server goes in the middle of the update
    page.reload()
    until(page, "navigator.serviceWorker.ready.then((r) => !r.installing && !r.waiting)")
    assert wait(page, "s.release && !s.update")["release"] == first
    server.refused.clear()
    server.asked.clear()
    page.reload()
    state = wait(page, "s.update && s.update.ready")
    assert state["update"] == {"release": second, "fraction": 1, "ready": True} and state["release"] == first
    assert set(server.asked) <= {"style.css", precache.WORKER, precache.NAME}, "only what changed is downloaded"
    page.reload()
    assert "/* second */" not in page.evaluate(STYLE), "two pages are open: both stay with the old release"
    other.close()
    other = visit(context, server.base)
    assert "/* second */" not in other.evaluate(STYLE), "a new page does not take the old one's release away"
    context.close()

    context = launch()
    page = visit(context, server.base)
    assert "/* second */" in page.evaluate(STYLE)
    state = wait(page, "s.complete && !s.update")
    assert state["release"] == second
    assert len([name for name in page.evaluate("caches.keys()") if "-memory" not in name]) == 1, (
        "the old one is deleted"
    )

    third = release(copy, "/* third */")
    other = visit(context, server.base)
    page.reload()
    wait(page, "s.update && s.update.ready")
    for one in (page, other):
        one.evaluate("document.documentElement.className = 'before'")
    page.evaluate("import('./offline.mjs').then(({applyUpdate}) => { applyUpdate(); })")
    for one in (page, other):
        one.wait_for_selector("html:not(.before) [data-module]", timeout=MINUTE)
        assert wait(one, "s.complete && !s.update")["release"] == third
        assert "/* third */" in one.evaluate(STYLE)

    fourth = release(copy, "/* fourth */")
    other.close()
    page.reload()
    wait(page, "s.update && s.update.ready")
    page.goto(f"{server.base}?start")  # the only page: this is a start
    page.wait_for_selector("[data-module]", timeout=MINUTE)
    assert wait(page, "s.complete && !s.update")["release"] == fourth


def test_a_fork_below_a_sub_path_can_be_installed(site: Path, base: str, tmp_path: Path, launch: Launch) -> None:
    """Under /fork/ as at the root: no installability errors, offline pages, the heartbeat at the root of the host."""
    context = launch()
    check_installable(visit(context, base))
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages/fork").symlink_to(site)
    server = start_server(tmp_path / "pages")
    fork = address(server) + "fork/"
    page = visit(context, fork)
    check_installable(page)
    wait(page, "s.complete")
    server.shutdown()
    server.server_close()
    page.reload()
    page.wait_for_selector("[data-module]", timeout=MINUTE)
    assert page.evaluate("fetch('/api/service-worker-heartbeat').then((r) => r.text())") == "ok"
    page.goto(f"{fork}notebooks?path={MODULE['notebook']}")
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=2 * MINUTE)


def check_installable(page: Page) -> None:
    """The browser finds nothing that keeps the page from being installed."""
    wait(page, "s.release")
    tools = page.context.new_cdp_session(page)
    manifest = tools.send("Page.getAppManifest")
    assert manifest["url"].endswith("manifest.webmanifest") and manifest["errors"] == []
    assert tools.send("Page.getInstallabilityErrors")["installabilityErrors"] == []

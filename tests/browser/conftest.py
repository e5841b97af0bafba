"""Fixtures: the built site on a local server, a browser with a profile of its own."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Playwright, sync_playwright

from builder.browser import find
from builder.serve import Handler
from student import within

ROOT = Path(__file__).parents[2]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# Most tests are too short to win back what it costs to compile WebAssembly a second time, for speed.
QUICK = "--js-flags=--no-wasm-tier-up --no-wasm-dynamic-tiering"


OUT_OF_TIME = ["TimeoutError", "not kept within"]  # Playwright's words for it, and those of `within`


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in this folder, and run it last: the browser's driver keeps an event loop running.

    A test that ran out of time, or never ended, is run once more: browsers on a busy machine sometimes stand still.
    """
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("browser")
            item.add_marker(pytest.mark.flaky(reruns=1, only_rerun=OUT_OF_TIME))
    items.sort(key=lambda item: here in item.path.parents)


def start_server(folder: Path) -> ThreadingHTTPServer:
    """Serve a folder on a free port of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def address(server: ThreadingHTTPServer) -> str:
    """Return the base URL of a server, with a slash at its end."""
    return f"http://127.0.0.1:{server.server_address[1]}/"


@pytest.fixture(scope="session")
def site() -> Path:
    """The folder of the built site; `python3 build.py test` builds it first."""
    folder = ROOT / "_site"
    assert (folder / "course.json").exists(), "no site: run `python3 build.py build` first"
    return folder


@pytest.fixture(scope="session")
def base(site: Path) -> Iterator[str]:
    """The URL of the site."""
    server = start_server(site)
    yield address(server)
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """The browser driver."""
    with sync_playwright() as driver:
        yield driver


Launch = Callable[..., BrowserContext]


def settled(page: Page) -> None:
    """Wait until the map has done all its work in the background: the course is on the device, and Python's memory."""
    within(page, 180, "import('./offline.mjs').then(({settled}) => settled())")


def open_profile(
    playwright: Playwright, profile: Path, width: int = 1366, height: int = 768, quick: bool = True
) -> BrowserContext:
    """Start a browser process; `quick`: WebAssembly is compiled once."""
    return playwright.chromium.launch_persistent_context(
        profile,
        executable_path=os.environ.get("TINYTORCH_BROWSER") or find(),
        headless=True,
        args=[*FLAGS, QUICK] if quick else FLAGS,
        viewport={"width": width, "height": height},
    )


@pytest.fixture
def launch(playwright: Playwright, tmp_path: Path) -> Iterator[Launch]:
    """Start a browser process on the profile of this test; called again after `close()`, it finds the same profile."""
    opened: list[BrowserContext] = []

    def start(**options: Any) -> BrowserContext:
        context = open_profile(playwright, tmp_path / "profile", **options)
        opened.append(context)
        return context

    yield start
    for context in opened:
        context.close()


@pytest.fixture(scope="session")
def visited_profile(playwright: Playwright, base: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The profile of a student who has seen the map: the course is on her device, nothing is solved."""
    profile = tmp_path_factory.mktemp("visited") / "profile"
    context = open_profile(playwright, profile)
    page = context.new_page()
    page.goto(base)
    settled(page)
    context.close()
    return profile


@pytest.fixture
def visited(visited_profile: Path, tmp_path: Path) -> None:
    """Let this test's browser have visited the course before."""
    copytree(visited_profile, tmp_path / "profile")

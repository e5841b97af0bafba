"""Find a Chromium-based browser for the tests, or get one, or say what to install."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

from builder.errors import BuildError

log = logging.getLogger("build")
NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "msedge",
)
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)


def find() -> str:
    """Return the path of a browser; tries what is installed, Playwright's own, then apt as root.

    Raises BuildError saying what to install: the browser tests are never skipped.
    """
    return installed() or from_playwright() or from_apt() or fail()


def installed() -> str | None:
    """Return a browser already on this machine (TINYTORCH_BROWSER names one explicitly)."""
    if chosen := os.environ.get("TINYTORCH_BROWSER"):
        if not Path(chosen).exists():
            raise BuildError(f"TINYTORCH_BROWSER names {chosen}, which does not exist.")
        return chosen
    on_path = (shutil.which(name) for name in NAMES)
    return next((path for path in (*on_path, *PLACES) if path and Path(path).exists()), None)


def from_playwright() -> str | None:
    """Return Playwright's own Chromium, installing it if need be; None when it cannot be downloaded."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    if not Path(path).exists():
        log.info("browser: none found; asking Playwright for its own")
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], capture_output=True, timeout=900)
    return path if Path(path).exists() else None


def from_apt() -> str | None:
    """Return Debian's Chromium, installed with apt when this runs as root; None elsewhere."""
    if not shutil.which("apt-get") or not hasattr(os, "geteuid") or os.geteuid() != 0:
        return None
    log.info("browser: installing chromium with apt")
    subprocess.run(["apt-get", "update"], capture_output=True)
    subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", "chromium"], capture_output=True)
    return shutil.which("chromium")


def fail() -> str:
    """Say what to install."""
    raise BuildError(
        "The tests need a browser and none was found.\nInstall Chrome, Chromium or Edge (on Debian or Ubuntu: sudo apt "
        "install chromium),\nor name one: TINYTORCH_BROWSER=/path/to/chrome python3 build.py test"
    )

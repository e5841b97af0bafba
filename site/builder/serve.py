"""Serve the site on this machine, and build it again when something it is made from changes."""

from __future__ import annotations

import errno
import functools
import http.client
import logging
import os
import subprocess
import sys
import threading
import time
import webbrowser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from builder import inputs
from builder.errors import BuildError

log = logging.getLogger("build")
NAME = "TinyTorch-build"
POLL = 1.0  # seconds between two looks at the files


TYPES = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".wasm": "application/wasm",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".whl": "application/zip",
}


class Handler(SimpleHTTPRequestHandler):
    """Static files with the types browsers insist on; always revalidated, so that a rebuild shows at once."""

    server_version = NAME
    protocol_version = "HTTP/1.1"

    def guess_type(self, path: str | os.PathLike[str]) -> str:
        """Return the type a browser insists on, whatever this machine's own table says."""
        return TYPES.get(Path(path).suffix) or super().guess_type(path)

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keep the terminal quiet: one line per step, not per request."""


def bind(site: Path, port: int) -> ThreadingHTTPServer | None:
    """Return a server on 127.0.0.1:`port`, or None when a TinyTorch server already holds it.

    Raises BuildError when another program holds the port.
    """
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), functools.partial(Handler, directory=str(site)))
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        if who_listens(port).startswith(NAME):
            return None
        raise BuildError(
            f"Port {port} is taken by another program.\n"
            f"End it, or choose another port: python3 build.py serve --port {port + 1}\n"
            "(the browser keeps work per port: use the same one every time)"
        ) from error


def who_listens(port: int) -> str:
    """Return the Server header of whatever answers on 127.0.0.1:`port`, or an empty string."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    try:
        connection.request("HEAD", "/")
        return connection.getresponse().getheader("Server") or ""
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        connection.close()


def serve(root: Path, cache: Path, site: Path, port: int, open_browser: bool, options: list[str]) -> int:
    """Build, serve until Ctrl-C, rebuild on changes; return the exit code."""
    url = f"http://127.0.0.1:{port}/"
    server = bind(site, port)
    if server is None:
        log.info("serve: already running at %s", url)
        if open_browser:
            webbrowser.open(url)
        return 0
    with server:
        inputs.build(root, cache, site, "--no-solutions" not in options)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        log.info("serve: %s   (Ctrl-C ends it)", url)
        if open_browser:
            webbrowser.open(url)
        try:
            watch(root, options)
        except KeyboardInterrupt:
            log.info("serve: stopped")
        finally:
            server.shutdown()
    return 0


def watch(root: Path, options: list[str]) -> None:
    """Build again whenever a file the site is made from has changed.

    In a process of its own, which sees changed checks and a changed build; if a half-edited file breaks it, its
    message is shown and the old site stays.
    """
    seen = times(root)
    while True:
        time.sleep(POLL)
        now = times(root)
        if now != seen:
            seen = now
            log.info("change: building again")
            subprocess.run([sys.executable, str(root / "build.py"), "build", *options], cwd=root)


def times(root: Path) -> dict[Path, int]:
    """Return the modification time of every input."""
    found = {}
    for path in inputs.inputs(root):
        try:
            found[path] = path.stat().st_mtime_ns
        except FileNotFoundError:  # removed between listing and looking
            continue
    return found

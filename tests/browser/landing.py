"""The landing page under test: work put into its storage without a kernel, its files saved and brought back."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page

# What localforage makes, and JupyterLite stores: see site/storage.mjs, which is under test itself.
SEED = """([files, checkpoints]) => new Promise((resolve, reject) => {
    const request = indexedDB.open("TinyTorch", 4);
    request.onupgradeneeded = () => {
        for (const name of ["files", "local-forage-detect-blob-support", "counters", "checkpoints"])
            if (!request.result.objectStoreNames.contains(name)) request.result.createObjectStore(name);
    };
    request.onerror = () => reject(request.error);
    request.onsuccess = () => {
        const transaction = request.result.transaction(["files", "checkpoints"], "readwrite");
        for (const [path, model] of Object.entries(files)) transaction.objectStore("files").put(model, path);
        for (const [path, list] of Object.entries(checkpoints)) transaction.objectStore("checkpoints").put(list, path);
        transaction.oncomplete = () => { request.result.close(); resolve(); };
        transaction.onabort = () => reject(transaction.error);
    };
})"""
STORED = """async () => {
    const found = {};
    const request = indexedDB.open("TinyTorch");
    const database = await new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
    });
    for (const name of ["files", "checkpoints"]) {
        const store = database.transaction(name).objectStore(name);
        const [keys, values] = await Promise.all([store.getAllKeys(), store.getAll()].map(asked =>
            new Promise(resolve => { asked.onsuccess = () => resolve(asked.result); })));
        found[name] = Object.fromEntries(keys.map((key, i) => [key, values[i]]));
    }
    database.close();
    return found;
}"""
# Stands in for the service worker's side, so that no background download runs; tests set its state.
OFFLINE = """
class Offline extends EventTarget {}
export const offline = new Offline();
offline.state = {supported: true, reason: "", total: 0, done: 0, complete: false, running: false, failed: "",
                 release: "", update: null};
export const calls = [];
export const register = async () => {};
export const download = () => calls.push("download");
export const applyUpdate = async () => { calls.push("applyUpdate"); };
globalThis.offlineForTest = {offline, calls};
"""
WORK = "tinytorch-work.json"
PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 180"><title>Accuracy rises to 99.2 percent</title>'
    '<rect width="320" height="180" fill="#fff"/><path d="M30 10v140h280" fill="none" stroke="#999"/>'
    '<path d="M30 140C80 60 120 30 310 22" fill="none" stroke="#00766c" stroke-width="3"/></svg>'
)


def model(path: str, content: Any, kind: str = "notebook", moment: str = "2026-11-01T10:00:00.000Z") -> dict[str, Any]:
    """A contents model as JupyterLite stores it."""
    return {
        "name": path,
        "path": path,
        "created": moment,
        "last_modified": moment,
        "format": "json" if kind == "notebook" else "text",
        "mimetype": "application/json",
        "type": kind,
        "writable": True,
        "size": len(json.dumps(content)),
        "content": content,
    }


def document(exercises: dict[str, Any]) -> dict[str, Any]:
    """The model of a work document."""
    text = json.dumps({"schema": 1, "release": "0.1.0", "exercises": exercises}, indent=1) + "\n"
    return model(WORK, text, "file")


def seed(page: Page, files: dict[str, Any], checkpoints: dict[str, Any] | None = None) -> None:
    """Put contents models into the storage of the page's origin."""
    page.evaluate(SEED, [files, checkpoints or {}])


def stored(page: Page) -> dict[str, Any]:
    """Return {"files": {path: model}, "checkpoints": {path: models}}."""
    found: dict[str, Any] = page.evaluate(STORED)
    return found


def exercises(page: Page) -> dict[str, Any]:
    """Return the exercises of the stored work document."""
    text = page.evaluate("import('./storage.mjs').then(s => s.readWork()).then(w => JSON.stringify(w.exercises))")
    found: dict[str, Any] = json.loads(text)
    return found


def without_worker(context: BrowserContext) -> None:
    """Keep the service worker out: its part is played by OFFLINE."""
    context.route("**/offline.mjs", lambda route: route.fulfill(body=OFFLINE, content_type="text/javascript"))


def opened(context: BrowserContext, base: str) -> Page:
    """A tab with the map drawn."""
    page = context.new_page()
    page.emulate_media(reduced_motion="reduce")  # a click need not wait for the page to scroll
    page.goto(base)
    drawn(page)
    return page


def until(page: Page, function: str, arg: Any = None, seconds: float = 30) -> None:
    """Wait until a function of the page is true. Playwright's own way needs `eval`, which the page forbids."""
    end = time.monotonic() + seconds
    while not page.evaluate(function, arg):
        assert time.monotonic() < end, f"not within {seconds} s: {function}"
        page.wait_for_timeout(30)


def drawn(page: Page) -> None:
    """Wait until the map, and the state of storage below it, are drawn."""
    page.wait_for_selector("[data-module]")
    page.locator("#kept", has_text=re.compile("device, |Nothing to save|Kept until|does not let")).wait_for()


def said(page: Page, text: str) -> str:
    """Wait for a message below "Your work" that contains `text`, and return it."""
    page.locator("#said", has_text=text).wait_for()
    return page.inner_text("#said")


def export(page: Page, folder: Path) -> Path:
    """Press Export and return the file."""
    with page.expect_download() as download:
        page.click("#export")
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    said(page, "Exported")
    return path


def reset(page: Page, what: str, which: str | None = None) -> str:
    """Reset by the dialog; return what it says will go."""
    page.click("#reset")
    page.select_option("#reset-what", label=what)
    if which:
        page.select_option("#reset-which", value=which)
    page.wait_for_selector("#reset-do:not([disabled])")
    says = page.inner_text("#reset-says")
    page.click("#reset-do")
    said(page, "is reset")
    return says

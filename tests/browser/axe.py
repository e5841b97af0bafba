"""axe-core in a page: what it finds wrong for people who use a keyboard, a screen reader, or need contrast."""

from __future__ import annotations

from pathlib import Path

import axe_playwright_python
from playwright.sync_api import Page

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = "([selector, tags]) => axe.run(selector ?? document, {runOnly: {type: 'tag', values: tags}})"


def axe(page: Page, selector: str | None = None) -> list[str]:
    """Return what axe-core finds wrong in a page, or in a part of it: rule, element, reason."""
    if not page.evaluate("'axe' in globalThis"):
        page.evaluate(AXE)
    found = page.evaluate(RUN, [selector, TAGS])
    assert len(found["passes"]) > (3 if selector else 15), "axe-core had something to look at"
    return [
        f"{rule['id']}: {node['target']} {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]

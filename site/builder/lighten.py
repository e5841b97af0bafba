"""Makes the notebook app's start lighter without changing what it does.

- The app compiles the JSON schema of each of its 90 settings before the first notebook is drawn, a tenth of the work of
  a start, to check settings that nobody has changed. A setting that the student has not changed now takes its default
  straight from the schema; one with a change is checked as before, by a schema without the facts inside a property.
- It draws every cell once while nobody scrolls, to know their heights, and keeps all their editors: 40 MB, and seconds
  that the first answer waits for. Now it estimates the height of a cell from its lines until it is scrolled to.
- It asks for its 80 scripts one after another, as each is found to need the next. They are put into one file.
- It collects its settings from six files, two of them pages. They are merged here and written into the page.
"""

from __future__ import annotations

import fnmatch
import json
import re
from pathlib import Path
from typing import Any

from builder.errors import BuildError, write_atomic

SCHEMAS = "build/schemas/all.json"
KEPT = ("title", "description", "type", "default", "enum")
APP_SCRIPTS = "build/app.js"
CORE = "build/jlab_core.*.js"
ROOT_MARK = "{root}/"
CHANGES = {  # of the app's core: what is there, and what takes its place
    r"(?<=[;}])validateData\((\w+),(\w+)=!0\)\{(?=let )": (
        r'validateData(\1,\2=!0){if("object"===\1.schema.type&&"{}"===\1.raw.trim()){if(\2){let $all={};'
        r"for(let[$name,$fact]of Object.entries(\1.schema.properties??{}))"
        r"void 0!==$fact.default&&($all[$name]=structuredClone($fact.default));"
        r"\1.data={composite:$all,user:{}}}return null}"
    ),
    r'(?<=_scheduleCellRenderOnIdle\(\)\{)"none"===(this\.notebookConfig\.windowingMode)\|\|': (
        r'["none","full"].includes(\1)||'
    ),
}
Config = dict[str, Any]


def flat(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a setting's schema with only the outermost facts of every property."""
    properties = schema.get("properties", {})
    return schema | {
        "properties": {
            name: {key: value for key, value in fact.items() if key in KEPT} for name, fact in properties.items()
        }
    }


def lighten_settings(output: Path) -> None:
    """Flatten the schemas of the app's settings, and drop those of parts that are switched off."""
    path = output / SCHEMAS
    plugins = json.loads(path.read_text("utf-8"))
    if not all("schema" in plugin for plugin in plugins):
        raise BuildError(f"{SCHEMAS} has changed its shape: see site/builder/lighten.py.")
    off = json.loads((output / "jupyter-lite.json").read_text("utf-8"))["jupyter-config-data"].get(
        "disabledExtensions", []
    )
    used = [p for p in plugins if not {p["id"], p["id"].partition(":")[0]} & set(off)]
    light = [plugin | {"schema": flat(plugin["schema"])} for plugin in used]
    write_atomic(path, json.dumps(light, separators=(",", ":")).encode())


def lighten_core(output: Path) -> None:
    """Change the app's core as `CHANGES` says; raise BuildError where one of the places has moved."""
    (path,) = output.glob(CORE)
    script = path.read_text("utf-8")
    for pattern, replacement in CHANGES.items():
        script, count = re.subn(pattern, replacement, script)
        if count != 1:
            raise BuildError(f"The app's core has {count} places like {pattern}: see site/builder/lighten.py.")
    write_atomic(path, script.encode())


def gather(output: Path, patterns: list[str]) -> None:
    """Put the scripts that a lesson starts with into one file, in place of their own.

    Each says which modules it brings to an array that the app's main script reads when it starts; the file has to be
    run before that. Raise BuildError if a pattern names none or more than one.
    """
    texts = []
    for pattern in patterns:
        found = [p for p in output.glob("build/*.js") if fnmatch.fnmatchcase(p.relative_to(output).as_posix(), pattern)]
        if len(found) != 1:
            raise BuildError(f"{len(found)} scripts of the app are called {pattern}: look again at site/precache.txt.")
        text = re.sub(r"\n//# sourceMappingURL=.*", "", found[0].read_text("utf-8")).strip()
        texts.append(f"(function(){{{text}\n}})();\n")  # a function: some are in strict mode, some are not
        found[0].unlink()
    write_atomic(output / APP_SCRIPTS, "".join(texts).encode())


def merged_config(output: Path, app: str) -> Config:
    """Return an app's settings out of all places where JupyterLite looks, as its config-utils.js merges them.

    Addresses start with `ROOT_MARK`: where the site is served is known to the page only.
    """
    merged: Config = {}
    for folder in ("", f"{app}/"):
        for name in ("jupyter-lite.ipynb", "jupyter-lite.json"):
            found = json.loads((output / folder / name).read_text("utf-8"))
            found = found["metadata"].get("jupyter-lite", {}) if name.endswith(".ipynb") else found
            merge(merged, below(folder, found.get("jupyter-config-data", {})))
    added = [name for item in merged["federated_extensions"] for name in item.get("disabledExtensions", [])]
    merged["disabledExtensions"] = list(dict.fromkeys([*merged.get("disabledExtensions", []), *added]))
    return merged


def merge(into: Config, config: Config) -> None:
    """Add a place's settings to those of the places above it."""
    for key, value in config.items():
        if key in ("disabledExtensions", "federated_extensions"):
            into[key] = [*into.get(key, []), *value]
        elif key in ("litePluginSettings", "settingsOverrides"):
            own = into.setdefault(key, {})
            for plugin, settings in value.items():
                own[plugin] = own.get(plugin, {}) | settings
        else:
            into[key] = value


def below(folder: str, config: Config) -> Config:
    """Return settings whose relative addresses start at the site's root instead of the folder they came from."""
    return {key: below_one(folder, key, value) for key, value in config.items()}


def below_one(folder: str, key: str, value: Any) -> Any:
    if key in ("litePluginSettings", "settingsOverrides"):
        return {plugin: below(folder, settings) for plugin, settings in value.items()}
    kept = ("licensesUrl", "themesUrl")  # the app itself completes these
    if key.endswith("Url") and key not in kept and value.startswith("./"):
        return f"{ROOT_MARK}{folder}{value[2:]}"
    return value

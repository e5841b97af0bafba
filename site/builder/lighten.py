"""Makes the notebook app's start lighter without changing what it does.

The app compiles the JSON schema of each of its 90 settings before the first notebook is drawn, a tenth of the work of a
start, to check settings that nobody has changed. What a setting may contain inside is cut from these schemas; its type,
title and default, which the app reads, stay.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from builder.errors import BuildError, write_atomic

SCHEMAS = "build/schemas/all.json"
KEPT = ("title", "description", "type", "default", "enum")


def flat(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a setting's schema with only the outermost facts of every property."""
    properties = schema.get("properties", {})
    return schema | {
        "properties": {
            name: {key: value for key, value in fact.items() if key in KEPT} for name, fact in properties.items()
        }
    }


def lighten(output: Path) -> None:
    """Flatten the schemas of the app's settings."""
    path = output / SCHEMAS
    plugins = json.loads(path.read_text("utf-8"))
    if not all("schema" in plugin for plugin in plugins):
        raise BuildError(f"{SCHEMAS} has changed its shape: see site/builder/lighten.py.")
    light = [plugin | {"schema": flat(plugin["schema"])} for plugin in plugins]
    write_atomic(path, json.dumps(light, separators=(",", ":")).encode())

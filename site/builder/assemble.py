"""Put the site together: runtime, wheels, lessons and the notebook app, always into an empty folder."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from builder import lessons, package_spans, runtime, wheels
from builder.errors import BuildError, write_atomic
from builder.progress import spinner

log = logging.getLogger("build")
ROOT = Path(__file__).parents[2]
EPOCH = 1767225600  # 2026-01-01: every time stamp in the site, so that the same input gives the same bytes
KERNEL_PLUGIN = "@jupyterlite/pyodide-kernel-extension:kernel"
OURS = (
    *("index.html", "style.css", "notebook.css", "notebook.mjs"),
    *("map.mjs", "wall.mjs", "manage.mjs", "change.mjs", "backup.mjs", "splice.mjs", "storage.mjs", "text.mjs"),
    *("vendor/fflate.mjs", "vendor/fflate.LICENSE"),
    *("manifest.webmanifest", "icon.svg", "icon-512x512.png"),
)
FAVICONS = (  # PNG inside: browsers look at the bytes, not the name
    *("favicon.ico", "notebooks/favicon.ico", "edit/favicon.ico"),
    *("static/favicons/favicon-notebook.ico", "static/favicons/favicon-busy-1.ico"),
)
UNUSED = ("package.json", "rspack.config.js", "rspack.config.watch.js", "rspack.config.analyze.js", "icon-120x120.png")
APPS = ("notebooks", "edit")
HEAD = """<link rel="icon" href="../icon.svg" type="image/svg+xml" />
<link rel="stylesheet" href="../notebook.css" />
<script type="module" src="../notebook.mjs"></script>
"""


def assemble(root: Path, cache: Path, site: Path, key: str, solutions: bool) -> None:
    """Build `site` from the inputs below `root`, which `key` names."""
    os.environ["SOURCE_DATE_EPOCH"] = str(EPOCH)  # read by the wheel writer and by jupyter lite
    fetched = runtime.fetch(cache / "runtime")
    stage = cache / "stage"
    shutil.rmtree(stage, ignore_errors=True)
    output = stage / "site"
    with spinner("  lessons and wheels"):
        course = lessons.course(root)
        write_contents(root, stage / "contents", course)
        packages = write_pyodide(root, stage / "lite/static/pyodide", fetched, course)
    write_config(root, stage / "lite", packages)
    log.info("site: %d lessons, %d packages in the page", len(lessons.written(course)), len(packages))
    with spinner("  notebook app"):
        run_jupyter_lite(stage, output)
    finish(root, output, course, solutions)
    write_atomic(output / "build.json", json.dumps({"inputs": key}).encode())
    replace_folder(output, site)
    shutil.rmtree(stage)
    size = sum(p.stat().st_size for p in site.rglob("*") if p.is_file())
    log.info("site: built, %.1f MB in %s", size / 1e6, site.name)


def write_contents(root: Path, folder: Path, course: dict[str, Any]) -> None:
    """Write the notebooks: what the student finds on the drive."""
    for module in lessons.written(course):
        write_atomic(folder / module["notebook"], lessons.notebook(root, module, course["release"]))
    for milestone in lessons.milestones(course):
        write_atomic(folder / milestone["notebook"], lessons.milestone_notebook(root, milestone, course["release"]))
    for path in sorted(folder.rglob("*")):
        os.utime(path, (EPOCH, EPOCH))


def write_pyodide(root: Path, folder: Path, fetched: list[Path], course: dict[str, Any]) -> list[str]:
    """Write the runtime with our two wheels in its lock; return the names of all packages to preload."""
    folder.mkdir(parents=True)
    for path in fetched:
        shutil.copy2(path, folder / path.name)
    wheels.skeleton(root, folder, course)
    wheels.checks(root, folder, course)
    return wheels.write_lock(folder, runtime.read_lock())


def write_config(root: Path, folder: Path, packages: list[str]) -> None:
    """Write the app's settings: the committed jupyter-lite.json with the packages filled in, and the build's own."""
    config = json.loads((root / "jupyter-lite.json").read_text("utf-8"))
    options = config["jupyter-config-data"]["litePluginSettings"][KERNEL_PLUGIN]["loadPyodideOptions"]
    options["packages"] = packages
    options["env"]["IPYTHONDIR"] = wheels.IPYTHONDIR
    write_atomic(folder / "jupyter-lite.json", json.dumps(config, indent=2).encode())
    own = {
        "LiteBuildConfig": {
            "apps": list(APPS),
            "no_sourcemaps": True,
            "no_unused_shared_packages": True,
            "ignore_sys_prefix": True,
            "federated_extensions": [str(Path(sys.prefix) / runtime.KERNEL_WHEELS.parents[1])],
            "source_date_epoch": EPOCH,
        }
    }
    write_atomic(folder / "jupyter_lite_config.json", json.dumps(own, indent=2).encode())


def run_jupyter_lite(stage: Path, output: Path) -> None:
    """Run `jupyter lite build` in a clean environment; raise BuildError with its last lines if it fails."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "PYTHONPATH"))}
    environment["JUPYTER_CONFIG_DIR"] = str(stage / "no-config")
    command = [sys.executable, "-m", "jupyterlite_core.app", "build", "--lite-dir", str(stage / "lite")]
    command += ["--contents", str(stage / "contents"), "--output-dir", str(output)]
    result = subprocess.run(command, cwd=stage / "lite", env=environment, capture_output=True, text=True)
    if result.returncode or not (output / "api/contents/all.json").exists():
        tail = "\n".join((result.stdout + result.stderr).splitlines()[-15:])
        raise BuildError(f"`jupyter lite build` failed:\n{tail}\nRemove the .venv folder and run the command again.")


def finish(root: Path, output: Path, course: dict[str, Any], solutions: bool) -> None:
    """Add the landing page, the course data and the solutions; drop what no page asks for."""
    for name in OURS:
        write_atomic(output / name, (root / "site" / name).read_bytes())
    for name in FAVICONS:
        write_atomic(output / name, (root / "site/favicon.png").read_bytes())
    write_atomic(output / "course.json", json.dumps(course, indent=1).encode())
    write_atomic(output / "skeleton.json", json.dumps(package_spans.package_data(root, course)).encode())
    if solutions:
        for module in lessons.written(course):
            answers = lessons.solutions(root, module)
            name = Path(module["notebook"]).with_suffix(".json").name
            write_atomic(output / "solutions" / name, json.dumps(answers, indent=1).encode())
    for app in APPS:
        brand(output / app / "index.html")
    for name in UNUSED:
        (output / name).unlink(missing_ok=True)


def brand(page: Path) -> None:
    """Give an app's page our name, our style sheet and our script."""
    html = page.read_text("utf-8")
    html = re.sub("<title>.*?</title>", "<title>TinyTorch</title>", html)
    html = html.replace("Loading JupyterLite...", "Loading the notebook ...")
    html = html.replace("JupyterLite requires JavaScript", "TinyTorch requires JavaScript")
    html = html.replace("</head>", HEAD + "</head>", 1)
    page.write_text(html, "utf-8")


def replace_folder(new: Path, old: Path) -> None:
    """Put `new` in the place of `old` by two renames: no moment with a half-copied site."""
    gone = new.with_name("previous-site")
    shutil.rmtree(gone, ignore_errors=True)
    if old.exists():
        os.replace(old, gone)
    os.replace(new, old)
    shutil.rmtree(gone, ignore_errors=True)

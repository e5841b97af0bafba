"""Put the site together: runtime, wheels, lessons and the notebook app, always into an empty folder."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from builder import bundle, lessons, lighten, package_spans, precache, repair, runtime, wheels
from builder.errors import BuildError, write_atomic
from builder.progress import spinner

log = logging.getLogger("build")
ROOT = Path(__file__).parents[2]
EPOCH = 1767225600  # 2026-01-01: every time stamp in the site, so that the same input gives the same bytes
KERNEL_PLUGIN = "@jupyterlite/pyodide-kernel-extension:kernel"
KERNEL = "extensions/@jupyterlite/pyodide-kernel-extension/static"
WORKERS = ("comlink", "coincident")  # the kernel's worker, and the one of a cross-origin isolated page
OURS = (
    *("index.html", "style.css", "notebook.css", "notebook.mjs"),
    *("map.mjs", "wall.mjs", "manage.mjs", "change.mjs", "backup.mjs", "splice.mjs", "storage.mjs", "text.mjs"),
    *("vendor/fflate.mjs", "vendor/fflate.LICENSE"),
    *("notebook-app.mjs", "notebook-bar.mjs", "notebook-keep.mjs", "notebook-lesson.mjs", "notebook-messages.mjs"),
    *("drive.mjs", "notebook-open.mjs", "notebook-reset.mjs", "notebook-start.mjs", "notebook-stop.mjs"),
    *("manifest.webmanifest", "icon.svg", "icon-192.png", "icon-512.png"),
    *("icon-maskable-192.png", "icon-maskable-512.png", "offline.mjs", "service-worker.js", "start.js"),
)
PYTHON_SCRIPTS = ("python.mjs", "packs.mjs", "memory.mjs", "snapshot.mjs", "snapshot-maker.mjs")
FAVICONS = (  # PNG inside: browsers look at the bytes, not the name
    *("favicon.ico", "notebooks/favicon.ico", "edit/favicon.ico"),
    *("static/favicons/favicon-notebook.ico", "static/favicons/favicon-busy-1.ico"),
)
UNUSED = (  # no page asks for any of it: fonts for old browsers, sources of what is in build/, parts of all.json
    *("package.json", "*/package.json", "rspack.config*.js", "icon-*x*.png", "jupyterlite.schema.v0.json"),
    *(
        "config-utils.js",
        "bootstrap.js",
        "*/build/bootstrap.js",
        "*/build/index.js",
        "*/build/style.js",
        "doc/*/index.html",
    ),
    *(
        "build/service-worker.js",
        "build/schemas/@*/*/*",
        "extensions/@*/*/install.json",
        "extensions/@*/*/package.json",
        "extensions/@*/*/static/pypi/*",  # wheels: Python is in packs
    ),
    *("build/fa-*.eot", "build/fa-*.svg", "build/fa-*.ttf", "build/fa-*.woff"),
)
APPS = ("notebooks", "edit")
HEAD = """<link rel="icon" href="../icon.svg" type="image/svg+xml" />
<link rel="stylesheet" href="../notebook.css" />
<script type="module" src="../notebook.mjs"></script>
<script type="module" src="../offline.mjs"></script>
"""
MODULES = (
    "notebook-open.mjs",
    "notebook.mjs",
    "notebook-lesson.mjs",
    "notebook-app.mjs",
    "notebook-start.mjs",
    "storage.mjs",
)


def assemble(root: Path, cache: Path, site: Path, key: str, solutions: bool) -> None:
    """Build `site` from the inputs below `root`, which `key` names."""
    os.environ["SOURCE_DATE_EPOCH"] = str(EPOCH)  # read by the wheel writer and by jupyter lite
    fetched = runtime.fetch(cache / "runtime")
    stage = cache / "stage"
    shutil.rmtree(stage, ignore_errors=True)
    output = stage / "site"
    with spinner("  lessons and wheels"):
        course = lessons.course(root)
        books = lessons.notebooks(root, course)
        course = lessons.with_digests(course, books)
        write_contents(stage / "contents", books)
        write_config(root, stage / "lite")
    with spinner("  Python"):
        write_python(root, cache, stage / "python", fetched, course)
    log.info("site: %d lessons", len(lessons.written(course)))
    with spinner("  notebook app"):
        run_jupyter_lite(stage, output)
    (stage / "python").rename(output / "python")
    finish(root, output, course, solutions)
    write_atomic(output / "build.json", json.dumps({"inputs": key}).encode())
    replace_folder(output, site)
    shutil.rmtree(stage)
    size = sum(p.stat().st_size for p in site.rglob("*") if p.is_file())
    log.info("site: built, %.1f MB in %s", size / 1e6, site.name)


def write_contents(folder: Path, books: dict[str, bytes]) -> None:
    """Write the notebooks: what the student finds on the drive."""
    for name, book in books.items():
        write_atomic(folder / name, book)
    for path in sorted(folder.rglob("*")):
        os.utime(path, (EPOCH, EPOCH))


def write_python(root: Path, cache: Path, folder: Path, fetched: list[Path], course: dict[str, Any]) -> None:
    """Write the folder from which the page starts Python: the runtime, its files in packs, what loads them."""
    folder.mkdir(parents=True)
    for path in fetched:
        shutil.copy2(path, folder / path.name)
    for name in PYTHON_SCRIPTS:
        shutil.copyfile(root / "site" / name, folder / name)
    wheels.page(root, folder)
    wheels.skeleton(root, folder, course)
    wheels.checks(root, folder, course)
    bundle.pack(folder, cache, sorted(folder.glob("*.whl")), first_lesson(root, course))
    stamp_snapshot(folder)


def stamp_snapshot(folder: Path) -> None:
    """Write into the page's memory.mjs which files a memory belongs to: those in `folder`."""
    inside = [folder / name for name in ("library.bin", "course.bin", "pyodide.asm.wasm", "pyodide.asm.mjs")]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in (*inside, folder / "snapshot-maker.mjs")))
    script = (folder / "memory.mjs").read_text("utf-8")
    write_atomic(folder / "memory.mjs", precache.constant(script, "KEY", digest.hexdigest()[:16]).encode())


def first_lesson(root: Path, course: dict[str, Any]) -> list[str]:
    """Return cells as a student runs them in the first lesson: solved, wrong and broken ones, a hint, a measurement."""
    module = lessons.written(course)[0]
    answers = lessons.solutions(root, module)
    solved = [f"%%exercise {name}\n{answer}" for name, answer in answers.items()]
    name, answer = next(iter(answers.items()))
    wrong = [f"%%exercise {name}\n{answer.split('(')[0]}(*_, **__):\n    return None", f"%%exercise {name}\n{answer}("]
    typed = [f"%hint {name}", "import tinytorch as tt\ntt.tensor([1.0])", "1 / 0", "%%measure\nsum(range(10))"]
    return [*solved, *wrong, *typed, f"%check {module['id']}"]


def write_config(root: Path, folder: Path) -> None:
    """Write the app's settings: the committed jupyter-lite.json, and the build's own."""
    write_atomic(folder / "jupyter-lite.json", (root / "jupyter-lite.json").read_bytes())
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
    """Add the landing page, the course data and the solutions; drop what no page asks for; list what is left."""
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
    kernels = {kind: f"{KERNEL}/" + next((output / KERNEL).glob(f"{kind}.worker.*.js")).name for kind in WORKERS}
    for kind, name in kernels.items():
        text = f'import "./python.mjs";\nimport "../{name}";\n'  # Python starts first
        write_atomic(output / "python" / f"{kind}.mjs", text.encode())
    modules = " ".join(module["id"] for module in lessons.written(course))
    start = (root / "site/notebook-start.html").read_text("utf-8")
    for app in APPS:
        brand(output / app / "index.html", start, course, kernels | {"modules": modules})
    drop(output, UNUSED)
    repair.repair(output)
    lighten.lighten_settings(output)
    lighten.lighten_core(output)
    lighten.gather(output, precache.app_scripts(root))
    script = (output / "offline.mjs").read_text("utf-8")
    version = json.loads((output / "jupyter-lite.json").read_text("utf-8"))["jupyter-config-data"]["appVersion"]
    write_atomic(output / "offline.mjs", precache.constant(script, "JUPYTERLITE", version).encode())
    precache.write(output, precache.patterns(root))


def drop(output: Path, patterns: tuple[str, ...]) -> None:
    """Remove files, and the folders that are empty without them."""
    for pattern in patterns:
        for path in output.glob(pattern):
            path.unlink()
    for folder in sorted((path for path in output.rglob("*") if path.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()


def preloads(app: str) -> str:
    """Return hints with which a browser fetches an app's scripts at once, not one after another."""
    hints = [f'<link rel="preload" as="script" href="../{lighten.APP_SCRIPTS}" />']
    hints += [
        f'<link rel="modulepreload" href="../{name}" />' for name in (MODULES if app == "notebooks" else MODULES[:1])
    ]
    return "\n".join(hints) + "\n"


def brand(page: Path, start: str, course: dict[str, Any], data: dict[str, str]) -> None:
    """Give an app's page our name, settings, style sheet and scripts (one with `data`); lessons get a start screen."""
    html = page.read_text("utf-8")
    html = swap(html, "<title>.*?</title>", "<title>TinyTorch</title>")
    html = html.replace("JupyterLite requires JavaScript", "TinyTorch requires JavaScript")
    attributes = " ".join(f'data-{key}="{value}"' for key, value in data.items())
    html = swap(html, "(?<=<head>)", f'\n<script src="../start.js" {attributes}></script>')
    html = swap(html, "<style>.*?</style>", "<style>body { margin: 0; }</style>")
    html = swap(html, '<div id="jupyterlite-loading-indicator".*?(?=<noscript>)', "")
    html = swap(html, r"(?<=await import\()\s*'\.\./config-utils\.js[^']*'\s*(?=\))", "'../notebook-open.mjs'")
    config = json.dumps(lighten.merged_config(page.parents[1], page.parent.name)).replace("<", "\\u003c")
    html = swap(html, r'(?<=data-jupyter-lite-root="\.\.">).*?(?=</script>)', config)
    html = swap(html, "(?=</head>)", HEAD + preloads(page.parent.name))
    if page.parent.name == "notebooks":
        head, body = (re.search(f"<{tag}>\n(.*?)</{tag}>", start, re.DOTALL) for tag in ("head", "body"))
        if not head or not body:
            raise BuildError("site/notebook-start.html needs a head and a body.")
        facts = json.dumps(lesson_facts(course)).replace("<", "\\u003c")
        html = swap(html, "(?=</head>)", head[1].replace("{{lessons}}", facts))
        html = swap(html, "(?=<noscript>)", body[1])
    page.write_text(html, "utf-8")


def swap(html: str, pattern: str, text: str) -> str:
    """Replace the one place where `pattern` is found; raise BuildError if the app's page has changed its shape."""
    result, count = re.subn(pattern, lambda _: text, html, flags=re.DOTALL)
    if count != 1:
        raise BuildError(f"The notebook app's page has {count} places like {pattern!r}: see `brand` in assemble.py.")
    return result


def lesson_facts(course: dict[str, Any]) -> dict[str, Any]:
    """Return what the notebook page must know before it has loaded anything: {notebook: [id, title, digest]}."""
    numbered = [(module["id"], module) for module in lessons.written(course)]
    numbered += [(f"M{milestone['id']}", milestone) for milestone in lessons.milestones(course)]
    return {
        "release": course["release"],
        "renamed": course["renamed"],
        "lessons": {item["notebook"]: [number, item["title"], item["digest"]] for number, item in numbered},
    }


def replace_folder(new: Path, old: Path) -> None:
    """Put `new` in the place of `old` by two renames: no moment with a half-copied site."""
    gone = new.with_name("previous-site")
    shutil.rmtree(gone, ignore_errors=True)
    if old.exists():
        os.replace(old, gone)
    os.replace(new, old)
    shutil.rmtree(gone, ignore_errors=True)

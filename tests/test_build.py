"""The build: what it refuses, what it says, that it is reproducible and lets nothing out."""

from __future__ import annotations

import ast
import errno
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from builder import assemble, errors, inputs, lessons, runtime, serve, wheels
from checks import source

ROOT = Path(__file__).parents[1]
SITE = ROOT / "_site"
COURSE = lessons.course(ROOT)


def run(*arguments: str, root: Path = ROOT, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run build.py as a user does, with the outer interpreter's environment."""
    outside = {k: v for k, v in os.environ.items() if k != "TINYTORCH_INSIDE_VENV"}
    command = [sys.executable, str(root / "build.py"), *arguments]
    return subprocess.run(command, env={**outside, **(env or {})}, capture_output=True, text=True, timeout=300)


def test_help_names_every_command() -> None:
    text = run("--help").stdout
    assert all(command in text for command in ("serve", "build", "test", "clean"))
    assert "Traceback" not in run("nonsense").stderr


def test_second_build_does_nothing_and_is_quick() -> None:
    run("build")
    before = (SITE / "build.json").stat().st_mtime_ns
    again = run("build")
    assert again.returncode == 0 and "up to date" in again.stderr, again.stderr
    assert (SITE / "build.json").stat().st_mtime_ns == before


def test_old_python_is_told_what_to_do(tmp_path: Path) -> None:
    """A copy that thinks it runs on Python 3.9."""
    text = (ROOT / "build.py").read_text("utf-8").replace("sys.version_info < OLDEST", "(3, 9) < OLDEST")
    (tmp_path / "build.py").write_text(text, "utf-8")
    result = run("build", root=tmp_path)
    assert result.returncode == 1 and "needs Python 3.11 or newer" in result.stderr
    assert "Traceback" not in result.stderr


def test_build_py_parses_on_old_pythons() -> None:
    """The message above can only be printed when an old Python can read the file."""
    ast.parse((ROOT / "build.py").read_text("utf-8"), feature_version=(3, 7))


def test_no_network_names_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = runtime.read_lock()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    lock["files"] = [item for item in lock["files"] if item["source"] == "pypi"][:2]
    with pytest.raises(errors.BuildError, match="could not be downloaded") as caught:
        runtime.fetch(tmp_path, lock)
    assert lock["files"][0]["name"] in str(caught.value) and "internet" in str(caught.value)


def test_unreachable_cdn_falls_back_to_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing answers at the CDN address: the same bytes come out of the package on PyPI (cached by the build)."""
    lock = runtime.read_lock()
    lock["pyodide"]["cdn"] = "http://127.0.0.1:9/"
    lock["files"] = [item for item in lock["files"] if item["name"] == "pyodide.mjs"]
    cached = ROOT / ".cache/runtime" / lock["pyodide"]["fallback"]["file"]
    if cached.exists():
        os.link(cached, tmp_path / cached.name)
    (path,) = runtime.fetch(tmp_path, lock)
    assert runtime.sha256(path) == lock["files"][0]["sha256"]


class Liar(BaseHTTPRequestHandler):
    """A server that answers every request with the wrong bytes."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"wrong")

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


def test_checksum_mismatch_names_file_expected_and_got(tmp_path: Path) -> None:
    server = HTTPServer(("127.0.0.1", 0), Liar)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    lock = runtime.read_lock()
    lock["pyodide"]["cdn"] = f"http://127.0.0.1:{server.server_address[1]}/"
    lock["files"] = lock["files"][:1]
    with pytest.raises(errors.BuildError, match="Checksum mismatch") as caught:
        runtime.fetch(tmp_path, lock)
    server.shutdown()
    server.server_close()
    message = str(caught.value)
    assert lock["files"][0]["name"] in message and lock["files"][0]["sha256"] in message
    assert hashlib.sha256(b"wrong").hexdigest() in message
    assert not (tmp_path / lock["files"][0]["name"]).exists()


def test_tampered_cache_is_fetched_again(tmp_path: Path) -> None:
    lock = runtime.read_lock()
    lock["files"] = [item for item in lock["files"] if item["source"] == "kernel"]
    paths = runtime.fetch(tmp_path, lock)
    paths[0].write_bytes(b"changed")
    assert runtime.fetch(tmp_path, lock) == paths
    assert runtime.sha256(paths[0]) == lock["files"][0]["sha256"]


def test_port_taken_by_another_program_is_said(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(errors.BuildError, match=f"Port {port} is taken by another program"):
            serve.bind(tmp_path, port)


def test_port_taken_by_ourselves_is_recognized(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("here")
    first = serve.bind(tmp_path, 0)
    assert first is not None
    threading.Thread(target=first.serve_forever, daemon=True).start()
    assert serve.bind(tmp_path, first.server_address[1]) is None
    first.shutdown()
    first.server_close()


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "disk is full"), (errno.EROFS, "No permission"), (errno.EACCES, "No permission")],
)
def test_disk_errors_become_advice(number: int, words: str) -> None:
    with pytest.raises(errors.BuildError, match=words), errors.explained():
        raise OSError(number, os.strerror(number), "some/file")


def test_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "file"
    errors.write_atomic(target, b"old")

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:1])
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(errors.BuildError, match="disk is full"), errors.explained():
        errors.write_atomic(target, b"new")
    assert target.read_bytes() == b"old" and list(tmp_path.iterdir()) == [target]


NOTING_BUILD = """
import sys
from pathlib import Path

here = Path(__file__).parent
with open(here / "log", "a") as log:
    print((here / "content/01_tensor.md").read_text(), *sys.argv[1:], file=log)
sys.exit(1)
"""


def test_changed_lesson_is_built_again_while_serving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One changed file is one build, whether or not it succeeds; an unchanged one is none."""
    lesson = tmp_path / "content/01_tensor.md"
    lesson.parent.mkdir()
    lesson.write_text("one")
    (tmp_path / "build.py").write_text(NOTING_BUILD)
    looks = iter(["one", "second", "second", "the third"])

    def sleep(seconds: float) -> None:
        text = next(looks, None)
        if text is None:
            raise KeyboardInterrupt
        if text != lesson.read_text():
            lesson.write_text(text)
            os.utime(lesson, ns=(len(text), len(text)))

    monkeypatch.setattr(serve.time, "sleep", sleep)
    with pytest.raises(KeyboardInterrupt):
        serve.watch(tmp_path, ["--no-solutions"])
    lines = (tmp_path / "log").read_text().splitlines()
    assert lines == ["second build --no-solutions", "the third build --no-solutions"]


def digests(folder: Path) -> dict[str, str]:
    """Return {path: sha256} of a tree."""
    files = (p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): runtime.sha256(p) for p in files}


def test_same_input_same_bytes(tmp_path: Path) -> None:
    """A second build, in another folder and into another site, differs in no byte."""
    clone = tmp_path / "clone"
    for path in inputs.inputs(ROOT):
        target = clone / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "runtime").symlink_to(ROOT / ".cache/runtime", target_is_directory=True)
    assert inputs.build(clone, cache, tmp_path / "site")
    first, second = digests(SITE), digests(tmp_path / "site")
    assert {name for name in first.keys() | second.keys() if first.get(name) != second.get(name)} == set()


def test_site_names_no_other_host_for_the_kernel() -> None:
    """The settings and the lock point inside the site; nothing is resolved at run time."""
    config = json.loads((SITE / "jupyter-lite.json").read_text("utf-8"))["jupyter-config-data"]
    kernel = config["litePluginSettings"][assemble.KERNEL_PLUGIN]
    assert kernel["pyodideUrl"] == "./static/pyodide/pyodide.mjs" and kernel["disablePyPIFallback"]
    lock = json.loads((SITE / "static/pyodide/pyodide-lock.json").read_text("utf-8"))
    assert set(kernel["loadPyodideOptions"]["packages"]) == set(lock["packages"])
    assert {"tinytorch", "tinytorch-checks", "numpy", "pytest", "ipython"} <= set(lock["packages"])
    for name, package in lock["packages"].items():
        assert re.fullmatch(r"[\w.+-]+\.whl", package["file_name"]), name
        assert runtime.sha256(SITE / "static/pyodide" / package["file_name"]) == package["sha256"], name


def test_site_holds_what_is_used_and_no_more() -> None:
    names = set(digests(SITE))
    assert not [name for name in names if name.endswith(".map")]
    assert {name.split("/")[0] for name in names} >= {"notebooks", "edit", "api", "files", "static", "index.html"}
    assert not {"lab", "tree", "repl", "consoles"} & {name.split("/")[0] for name in names}
    extensions = {"/".join(name.split("/")[1:3]) for name in names if name.startswith("extensions/")}
    assert extensions == {"@jupyterlite/pyodide-kernel-extension"}
    packages = json.loads((SITE / "static/pyodide/pyodide-lock.json").read_text("utf-8"))["packages"]
    assert not {"ipywidgets", "plotly", "matplotlib", "widgetsnbextension"} & set(packages)
    config = json.loads((SITE / "jupyter-lite.json").read_text("utf-8"))["jupyter-config-data"]
    settings = config["settingsOverrides"]
    assert settings["@jupyterlab/docmanager-extension:plugin"]["autosaveInterval"] == 10
    assert settings["@jupyterlab/notebook-extension:tracker"]["kernelShutdown"] is True
    assert settings["@jupyterlab/apputils-extension:notification"]["fetchNews"] == "false"
    assert "@jupyterlite/application-extension:clear-browser-data" in config["disabledExtensions"]


def test_lessons_are_stamped_with_the_release() -> None:
    for module in lessons.written(COURSE):
        book = json.loads((SITE / "files" / module["notebook"]).read_text("utf-8"))
        assert book["metadata"]["tinytorch"] == {"module": module["id"], "release": COURSE["release"]}
        assert all(not cell.get("outputs") for cell in book["cells"])


def statements(text: str, name: str) -> list[str]:
    """Return the statements of an exercise's body, without docstrings, one normalized text each."""
    found = []
    for node in source.nodes(ast.parse(text), name):
        for function in [n for n in ast.walk(node) if isinstance(n, ast.FunctionDef)]:
            found += [ast.unparse(s) for s in function.body if not isinstance(getattr(s, "value", None), ast.Constant)]
    return found


def test_no_solution_leaves_the_building() -> None:
    """No statement of an exercise's body stands in its stub, neither in the notebook nor in the skeleton wheel."""
    (wheel,) = (SITE / "static/pyodide").glob("tinytorch-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        skeleton = {Path(name).name: archive.read(name).decode() for name in archive.namelist() if name.endswith(".py")}
    for module in lessons.written(COURSE):
        book = json.loads((SITE / "files" / module["notebook"]).read_text("utf-8"))
        cells = {
            c["metadata"]["tinytorch"]["exercise"]: "".join(c["source"])
            for c in book["cells"]
            if c["metadata"].get("tinytorch")
        }
        code = "\n".join("".join(c["source"]) for c in book["cells"] if c["cell_type"] == "code")
        for item in module["exercises"]:
            reference = (ROOT / "tinytorch" / item["file"]).read_text("utf-8")
            solution = statements(reference, item["name"])
            stub = cells[item["name"]].split("\n", 1)[1]
            left = statements(skeleton[item["file"]], item["name"]) + statements(stub, item["name"].split(".")[-1])
            assert solution and left, item["name"]
            empty = item["name"] in source.SILENT
            for statement in left:
                assert statement == "pass" if empty else "NotImplementedError" in statement, f"{item['name']}: {left}"
            for statement in solution:
                if len(statement) > 40:
                    assert statement not in code, f"{item['name']}: {statement!r} stands in the notebook"


def test_solutions_can_be_left_out(tmp_path: Path) -> None:
    output = tmp_path / "site"
    for app in assemble.APPS:
        (output / app).mkdir(parents=True)
        (output / app / "index.html").write_text("<html><head></head></html>")
    (output / "jupyter-lite.json").write_text('{"jupyter-config-data": {"appVersion": "1"}}')
    assemble.finish(ROOT, output, COURSE, solutions=False)
    assert not (output / "solutions").exists()


def test_wheels_are_valid(tmp_path: Path) -> None:
    """pip itself accepts both wheels."""
    made = [wheels.skeleton(ROOT, tmp_path, COURSE), wheels.checks(ROOT, tmp_path, COURSE)]
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-deps",
        "--no-index",
        "--quiet",
        "--disable-pip-version-check",
    ]
    target = tmp_path / "target"
    subprocess.run([*command, "--target", str(target), *map(str, made)], check=True)
    assert (target / "tinytorch/tensor.py").exists() and (target / "checks/course.json").exists()
    assert not (target / "checks/wrong").exists()


def test_landing_page_is_light() -> None:
    """Everything the landing page loads, uncompressed."""
    names = ("index.html", "style.css", "map.mjs", "icon.svg", "course.json")
    assert sum((SITE / name).stat().st_size for name in names) < 150_000


def test_code_is_formatted_linted_and_typed() -> None:
    for command in (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]):
        result = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr


def test_lessons_are_told_apart_by_their_text_alone() -> None:
    """The stamp of a notebook is the course's digest; it depends on the text only."""
    module = lessons.written(COURSE)[0]
    books = {release: lessons.notebook(ROOT, module, release) for release in ("1.0", "2.0")}
    stamps = {release: json.loads(book)["metadata"]["tinytorch"] for release, book in books.items()}
    assert stamps["1.0"]["lesson"] == stamps["2.0"]["lesson"] and stamps["2.0"]["release"] == "2.0"
    stamped = lessons.with_digests(COURSE, lessons.notebooks(ROOT, COURSE))
    assert stamped["modules"][0]["digest"] == stamps["1.0"]["lesson"]
    digests = [item["digest"] for item in lessons.written(stamped) + lessons.milestones(stamped)]
    assert len(set(digests)) == len(digests), "each lesson has its own"


def test_renamed_exercises_exist_under_their_new_name_only() -> None:
    names = {exercise["name"] for module in COURSE["modules"] for exercise in module["exercises"]}
    assert set(COURSE["renamed"].values()) <= names and not names & set(COURSE["renamed"])


def test_a_changed_notebook_app_is_noticed() -> None:
    """The page of a later JupyterLite may have another shape: the build says so instead of shipping half a page."""
    assert assemble.swap("<a></a>", "(?=</a>)", r"\1") == r"<a>\1</a>"
    with pytest.raises(errors.BuildError, match="0 places"):
        assemble.swap("<b></b>", "<a>", "")

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
from functools import cache
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from builder import assemble, bundle, errors, inputs, lessons, lighten, precache, runtime, serve, wheels
from checks import source

ROOT = Path(__file__).parents[1]
SITE = ROOT / "_site"
PYTHON = SITE / "python"
OWN = "site-packages/"
COURSE = lessons.course(ROOT)
INSIDE = {"TINYTORCH_INSIDE_VENV": "1"}  # the tests run where the dependencies are: no test may make .venv anew


def run(*arguments: str, root: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run build.py of a folder as a user does, with the outer interpreter's environment."""
    outside = {k: v for k, v in os.environ.items() if k not in INSIDE}
    command = [sys.executable, str(root / "build.py"), *arguments]
    return subprocess.run(command, env={**outside, **(env or {})}, capture_output=True, text=True, timeout=300)


def test_help_names_every_command() -> None:
    text = run("--help", root=ROOT).stdout
    assert all(command in text for command in ("serve", "build", "test", "clean"))
    assert "Traceback" not in run("nonsense", root=ROOT).stderr


def test_second_build_does_nothing_and_is_quick() -> None:
    run("build", root=ROOT, env=INSIDE)
    before = (SITE / "build.json").stat().st_mtime_ns
    again = run("build", root=ROOT, env=INSIDE)
    assert again.returncode == 0 and "up to date" in again.stderr, again.stderr
    assert (SITE / "build.json").stat().st_mtime_ns == before


def test_old_python_is_told_what_to_do(tmp_path: Path) -> None:
    """A copy that thinks it runs on Python 3.9."""
    text = (ROOT / "build.py").read_text("utf-8").replace("sys.version_info < OLDEST", "(3, 9) < OLDEST")
    (tmp_path / "build.py").write_text(text, "utf-8")
    result = run("build", root=tmp_path)
    assert result.returncode == 1 and "needs Python 3.11 or newer" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.fixture
def linked(tmp_path: Path) -> tuple[Path, Path]:
    """A copy of what `build.py` begins with, whose .venv is a link to a folder elsewhere; a file in that folder."""
    copy = tmp_path / "copy"
    (copy / "site").mkdir(parents=True)
    for name in ("build.py", "pyproject.toml", "site/constraints.lock"):
        shutil.copyfile(ROOT / name, copy / name)
    file = tmp_path / "shared/keep.txt"
    file.parent.mkdir()
    file.write_text("kept")
    (copy / ".venv").symlink_to(file.parent, target_is_directory=True)
    return copy, file


def test_clean_removes_what_a_build_makes_and_no_more(linked: tuple[Path, Path]) -> None:
    """Sources stay, and so does what a linked .venv points to."""
    copy, file = linked
    for folder in ("_site", ".cache/stage", ".cache/runtime"):
        (copy / folder).mkdir(parents=True)
        (copy / folder / "made").write_text("made")
    assert run("clean", root=copy).returncode == 0
    assert {path.name for path in copy.iterdir()} == {"build.py", "pyproject.toml", "site", ".venv", ".cache"}
    assert [path.name for path in (copy / ".cache").iterdir()] == ["runtime"], "downloads are kept"
    result = run("clean", "--all", root=copy)
    assert result.returncode == 0, result.stderr
    assert {path.name for path in copy.iterdir()} == {"build.py", "pyproject.toml", "site"}
    assert file.read_text() == "kept"
    assert run("clean", "--all", root=copy).returncode == 0, "nothing to remove is no error"


def test_a_new_environment_leaves_a_linked_one_alone(linked: tuple[Path, Path]) -> None:
    """A .venv without our stamp is made anew: beside the folder that it was a link to, not inside."""
    copy, file = linked
    result = run("build", root=copy, env={"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": os.devnull})
    assert result.returncode == 1 and "Connect to the internet" in result.stderr, result.stderr
    assert (copy / ".venv/pyvenv.cfg").exists() and not (copy / ".venv").is_symlink()
    assert [path.name for path in file.parent.iterdir()] == ["keep.txt"]


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
    """A second build, in another folder and into another site, differs in no byte.

    Of the archives only those below 1 MB are compiled anew.
    """
    clone = tmp_path / "clone"
    for path in inputs.inputs(ROOT):
        target = clone / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    cache = tmp_path / "cache"
    (cache / "compiled").mkdir(parents=True)
    (cache / "runtime").symlink_to(ROOT / ".cache/runtime", target_is_directory=True)
    for path in (ROOT / ".cache/compiled").iterdir():
        if path.stat().st_size > 1e6:
            (cache / "compiled" / path.name).symlink_to(path)
    assert inputs.build(clone, cache, tmp_path / "site")
    first, second = digests(SITE), digests(tmp_path / "site")
    assert {name for name in first.keys() | second.keys() if first.get(name) != second.get(name)} == set()


@cache
def packs() -> dict[str, dict[str, bytes]]:
    """Return the site's packs of Python files: {pack: {name: contents}}."""
    return {path.stem: bundle.unpacked(path.read_bytes()) for path in sorted(PYTHON.glob("*.bin"))}


def all_packed() -> dict[str, bytes]:
    """Return the files of all packs."""
    return {name: data for files in packs().values() for name, data in files.items()}


def test_site_names_no_other_host_for_the_kernel() -> None:
    """The settings point inside the site, and nothing is resolved at run time: the lock knows no package."""
    config = json.loads((SITE / "jupyter-lite.json").read_text("utf-8"))["jupyter-config-data"]
    kernel = config["litePluginSettings"][assemble.KERNEL_PLUGIN]
    assert kernel["pyodideUrl"] == "./python/python.mjs" and kernel["disablePyPIFallback"]
    lock = json.loads((PYTHON / "pyodide-lock.json").read_text("utf-8"))
    assert lock["packages"] == {}
    assert lock["info"]["python"] == runtime.read_lock()["pyodide"]["python"]
    assert not re.search(r"https?://", (PYTHON / "python.mjs").read_text("utf-8"))


def test_every_byte_of_the_runtime_is_the_locked_one() -> None:
    """The runtime is in the site as it was locked; what is not compiled is in the packs as in the locked archives."""
    lock = {item["name"]: item["sha256"] for item in runtime.read_lock()["files"]}
    here = {path.name for path in PYTHON.iterdir()}
    archives = {name for name in lock if name.endswith((".whl", ".zip"))}
    assert set(lock) - here == archives, "the archives are in the packs, everything else is itself here"
    for name in here & set(lock) - {"pyodide-lock.json"}:
        assert runtime.sha256(PYTHON / name) == lock[name], name
    ours = {path.stem for path in PYTHON.glob("*.mjs")} - {Path(name).stem for name in lock}
    assert ours == {Path(name).stem for name in assemble.PYTHON_SCRIPTS} | set(assemble.WORKERS)
    packed, compared = all_packed(), 0
    for name in archives:
        path = ROOT / ".cache/runtime" / name
        assert runtime.sha256(path) == lock[name], name
        with zipfile.ZipFile(path) as archive:
            inside = "" if name == bundle.STDLIB else OWN
            for member in archive.namelist():
                if inside + member in packed and not member.endswith(".py"):
                    assert packed[inside + member] == archive.read(member), member
                    compared += 1
    assert compared > 200


def test_packs_hold_every_package_once() -> None:
    """No file is in two packs; what a student may import is there; the start knows what is in the others."""
    names = [name for files in packs().values() for name in files]
    assert len(names) == len(set(names))
    later = json.loads(packs()["course"]["packs.json"])
    assert later == {pack: list(files) for pack, files in packs().items() if pack not in bundle.FIRST}
    modules = [module["id"] for module in lessons.written(COURSE)]
    assert set(packs()) == {*bundle.FIRST, "rest", "linalg", "data_digits", *(f"module_{number}" for number in modules)}
    for package in (
        "numpy",
        "IPython",
        "jedi",
        "parso",
        "pytest",
        "_pytest",
        "pygments",
        "traitlets",
        "prompt_toolkit",
    ):
        assert f"{OWN}{package}/__init__.pyc" in names, package
    for module in ("json/__init__.pyc", "unittest/__init__.pyc", "decimal.pyc", "statistics.pyc", "csv.pyc"):
        assert module in names, module
    for number in modules:
        checks = [name for name in packs()[f"module_{number}"] if name.endswith(".py")]
        assert len(checks) == 1 and f"checks/test_{number}_" in checks[0]


def test_our_sources_come_with_their_bytecode() -> None:
    """A source that is read or shown has its bytecode in the same pack, compiled for the page's Python."""
    start = packs()["library"] | packs()["course"]
    for name in ("tinytorch/tensor.py", "checks/session.py"):
        assert OWN + name in start
    for pack, files in packs().items():
        for name in files:
            if name.endswith(".py"):
                folder, _, file = name.rpartition("/")
                compiled = files[f"{folder}/__pycache__/{file[:-3]}.cpython-314.pyc"]
                assert compiled[4:8] == b"\1\0\0\0", f"{pack}: {name}: Python would look at times of files"
    sources = {name for name in all_packed() if name.endswith(".py")}
    assert all(name.startswith((f"{OWN}tinytorch/", f"{OWN}checks/")) for name in sources)


def test_the_start_has_what_the_page_loads(tmp_path: Path) -> None:
    """Python itself, with the files of the start alone, loads all that the page loads before a cell is run."""
    start = packs()["library"] | packs()["course"]
    tree = ast.parse((ROOT / "site/page/tinytorch_page.py").read_text("utf-8"))
    (prepare,) = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "prepare"]
    for statement in [n for n in ast.walk(prepare) if isinstance(n, ast.Import)]:
        path = OWN + statement.names[0].name.replace(".", "/")
        assert {f"{path}.py", f"{path}.pyc", f"{path}/__init__.py", f"{path}/__init__.pyc"} & set(start), path
    used = bundle.recorded(PYTHON, tmp_path, start, [])  # raises when Python misses one
    assert {f"{OWN}IPython/core/completer.pyc", f"{OWN}numpy/__init__.pyc"} <= used
    assert not [name for name in start if name.startswith((f"{OWN}jedi/", f"{OWN}parso/")) and name.endswith(".pyc")], (
        "completion is loaded at the first Tab"
    )


def test_site_holds_what_is_used_and_no_more() -> None:
    names = set(digests(SITE))
    assert not [name for name in names if name.endswith(".map")]
    assert {name.split("/")[0] for name in names} >= {"notebooks", "edit", "api", "files", "static", "index.html"}
    assert not {"lab", "tree", "repl", "consoles"} & {name.split("/")[0] for name in names}
    extensions = {"/".join(name.split("/")[1:3]) for name in names if name.startswith("extensions/")}
    assert extensions == {"@jupyterlite/pyodide-kernel-extension"}
    packages = {name.removeprefix(OWN).split("/")[0] for name in all_packed()}
    assert not {"ipywidgets", "plotly", "matplotlib", "widgetsnbextension"} & packages
    assert not [name for name in names if name.endswith((".whl", ".zip"))]
    assert not [name for name in all_packed() if bundle.unused(name.removeprefix(OWN))]
    assert precache.manifest(SITE, precache.patterns(ROOT)) == json.loads((SITE / precache.NAME).read_text("utf-8"))
    config = json.loads((SITE / "jupyter-lite.json").read_text("utf-8"))["jupyter-config-data"]
    settings = config["settingsOverrides"]
    assert settings["@jupyterlab/docmanager-extension:plugin"]["autosaveInterval"] == 10
    assert settings["@jupyterlab/notebook-extension:tracker"]["kernelShutdown"] is True
    assert settings["@jupyterlab/apputils-extension:notification"]["fetchNews"] == "false"
    assert "@jupyterlite/application-extension:clear-browser-data" in config["disabledExtensions"]


def test_lessons_are_stamped_with_the_release() -> None:
    course = json.loads((SITE / "course.json").read_text("utf-8"))
    digest_of = {module["id"]: module["digest"] for module in lessons.written(course)}
    for module in lessons.written(COURSE):
        book = json.loads((SITE / "files" / module["notebook"]).read_text("utf-8"))
        assert book["metadata"]["tinytorch"] == {
            "module": module["id"],
            "release": COURSE["release"],
            "lesson": digest_of[module["id"]],
        }
        assert all(not cell.get("outputs") for cell in book["cells"])


def statements(text: str, name: str) -> list[str]:
    """Return the statements of an exercise's body, without docstrings, one normalized text each."""
    found = []
    for node in source.nodes(ast.parse(text), name):
        for function in [n for n in ast.walk(node) if isinstance(n, ast.FunctionDef)]:
            found += [ast.unparse(s) for s in function.body if not isinstance(getattr(s, "value", None), ast.Constant)]
    return found


def strings(code: list[str]) -> list[str]:
    """Return the longer string constants in statements."""
    constants = [n.value for text in code for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Constant)]
    return [value for value in constants if isinstance(value, str) and len(value) > 12]


def test_no_solution_leaves_the_building() -> None:
    """No statement of an exercise's body stands in its stub, neither in the notebook nor in the packed skeleton."""
    files = all_packed()
    package = f"{OWN}tinytorch/"
    skeleton = {
        name.removeprefix(package): data.decode()
        for name, data in files.items()
        if name.startswith(package) and name.endswith(".py")
    }
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
            folder, _, file = f"{package}{item['file']}".rpartition("/")
            compiled = files[f"{folder}/__pycache__/{file[:-3]}.cpython-314.pyc"]
            for text in strings(solution):
                assert text in skeleton[item["file"]] or text.encode() not in compiled, f"{item['name']}: {text!r}"
            for text in strings(statements(skeleton[item["file"]], item["name"])):
                assert text.encode() in compiled, f"{item['name']}: the bytecode is not that of the stub"
            empty = item["name"] in source.SILENT
            for statement in left:
                assert statement == "pass" if empty else "NotImplementedError" in statement, f"{item['name']}: {left}"
            for statement in solution:
                if len(statement) > 40:
                    assert statement not in code, f"{item['name']}: {statement!r} stands in the notebook"


APP_PAGE = """<html><head><title>JupyterLite</title><style></style>
<script id="jupyter-config-data" type="application/json" data-jupyter-lite-root="..">{}</script></head><body>
<div id="jupyterlite-loading-indicator"></div><noscript></noscript>
<script type="module">await import('../config-utils.js');</script></body></html>"""


def test_solutions_can_be_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("lighten_core", "gather"):  # what they change is not in this small site
        monkeypatch.setattr(lighten, name, lambda *_: None)
    output = tmp_path / "site"
    for app in assemble.APPS:
        (output / app).mkdir(parents=True)
        (output / app / "index.html").write_text(APP_PAGE)
        (output / app / "jupyter-lite.json").write_text("{}")
        (output / app / "jupyter-lite.ipynb").write_text('{"metadata": {}}')
    (output / assemble.KERNEL).mkdir(parents=True)
    for kind in assemble.WORKERS:
        (output / assemble.KERNEL / f"{kind}.worker.1.js").write_text("")
    config = {"appVersion": "1", "federated_extensions": []}
    (output / "jupyter-lite.json").write_text(json.dumps({"jupyter-config-data": config}))
    (output / "jupyter-lite.ipynb").write_text('{"metadata": {}}')
    (output / "build/schemas").mkdir(parents=True)
    (output / "build/schemas/all.json").write_text("[]")
    course = lessons.with_digests(COURSE, lessons.notebooks(ROOT, COURSE))
    assemble.finish(ROOT, output, course, solutions=False)
    assert not (output / "solutions").exists() and (output / "course.json").exists()


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

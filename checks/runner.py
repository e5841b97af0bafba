"""Run checks with pytest, in process, and return plain data.

pytest collects the functions, fills in the fixtures `tt` (the library under test) and `expect`, and calls;
each call is made here, under the time limit, with output captured, and its outcome kept as a `CheckResult`.
Nothing is written: no cache, no bytecode, no report. pytest is kept away from the working directory, which
in the page is a slow drive.
"""

from __future__ import annotations

import atexit
import builtins
import contextlib
import functools
import os
import shutil
import sys
import tempfile
import time
import tracemalloc
import types
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.config import _prepareconfig

from . import Wrong, course, limits, loader, source
from .expect import Expect
from .outcome import NOT_ATTEMPTED, NOT_YET, PASSED, TRACE_LIMIT, CheckResult, Result, explain

MAX_OUTPUT = 2000  # characters of printed output that are kept
PLAIN_LIMIT = 0.25  # seconds: checks up to this are run once more unwatched, for a true time

_UNUSED_PLUGINS = """
cacheprovider capture debugging doctest faulthandler freeze_support junitxml legacypath logging pastebin
setuponly setupplan skipping stepwise subtests terminal threadexception unittest unraisableexception warnings
"""

_FOR_OTHERS = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS")  # settings for the tests of whoever runs the checks


def run(
    path: Path,
    names: Iterable[str] | None,
    tt: Any,
    stubs: Iterable[str] = (),
    measured: bool = True,
    torch: bool = False,
) -> list[Result]:
    """Run the checks in the file `path` for the exercises `names` (all: None) against the library `tt`.

    stubs: exercises that are still as they were given; they count as not attempted and are not run.
    measured: False leaves out the second and third runs that measure time and memory.
    torch: run only the checks that PyTorch has the names for.
    """
    known = course.collect(path)
    wanted = list(known) if names is None else list(names)
    missing = [name for name in wanted if name not in known]
    if missing:
        raise KeyError(f"{path.name} has no check of {missing[0]}")
    skip = set(stubs)
    one = _Run(path, {name for name in wanted if name not in skip}, tt, measured, torch)
    if one.names:
        _pytest_for(path).run(one)
    return [_result(name, known[name], one, name in skip) for name in wanted]


def warm_up(path: Path) -> None:
    """Let pytest load its parts and the file of checks, so that the first exercise need not wait for them."""
    _pytest_for(path)


def _result(name: str, marks: course.ExerciseChecks, one: _Run, is_stub: bool) -> Result:
    ran = [one.results[function] for function in marks.functions if function in one.results]
    total = len(ran) if one.torch_only else len(marks.functions)
    of = sum(check.points for check in ran) if one.torch_only else marks.points
    passed = len(ran) == total and all(check.passed for check in ran)
    status = NOT_ATTEMPTED if is_stub else PASSED if passed else NOT_YET
    return Result(name, status, of, total, ran)


class _CheckModule(pytest.Module):
    """A file of checks that was imported before: pytest need not import it again."""

    def _getobj(self) -> types.ModuleType:
        return course.import_checks(self.path)


class _Pytest:
    """pytest for one file of checks, configured and collected once: both take longer than most checks.

    What `pytest.main` does in one go stands here in two steps, so that the second can be repeated; pytest
    itself prepares an item anew that is run again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trouble = ""
        self.current: _Run | None = None
        args = [
            str(path),
            "-c",
            os.devnull,
            f"--rootdir={path.parent}",
            f"--confcutdir={path.parent}",
            "--noconftest",
            "--import-mode=importlib",
            "--assert=plain",
            "--disable-plugin-autoload",
            *(part for name in _UNUSED_PLUGINS.split() for part in ("-p", f"no:{name}")),
        ]
        with pytest.MonkeyPatch.context() as patch:
            for name in _FOR_OTHERS:
                patch.delenv(name, raising=False)
            config = _prepareconfig(args, [self])
        config._do_configure()
        session = pytest.Session.from_config(config)
        config.hook.pytest_sessionstart(session=session)
        config.hook.pytest_collection(session=session)
        self._fail_on_trouble()
        self.hook, self.items = config.hook, session.items

    def run(self, one: _Run) -> None:
        """Run the checks that `one` wants; raises RuntimeError when pytest failed, which is a fault of ours."""
        items = [item for item in self.items if one.wants(item.obj.check)]  # type: ignore[attr-defined]
        self.current = one
        try:
            for item, after in zip(items, [*items[1:], None], strict=True):
                self.hook.pytest_runtest_protocol(item=item, nextitem=after)
        finally:
            self.current = None
        self._fail_on_trouble()

    def _fail_on_trouble(self) -> None:
        trouble, self.trouble = self.trouble, ""
        if trouble:
            raise RuntimeError(trouble)

    @pytest.fixture(name="tt")
    def _tt(self) -> Any:
        assert self.current is not None
        return self.current.library

    @pytest.fixture(name="expect")
    def _expect(self) -> Expect:
        assert self.current is not None
        return Expect(self.current.library)

    def pytest_pycollect_makemodule(self, module_path: Path, parent: Any) -> pytest.Module:
        return _CheckModule.from_parent(parent, path=module_path)

    def pytest_pycollect_makeitem(self, name: str, obj: Any) -> list[Any] | None:
        """Collect only checks (None lets pytest go on)."""
        return None if getattr(obj, "check", None) is not None else []

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.trouble = f"{self.path.name} cannot be read: {report.longrepr}"

    def pytest_internalerror(self, excrepr: Any) -> bool:
        self.trouble = str(excrepr)
        return True

    def pytest_runtest_makereport(self, item: Any, call: Any) -> Any:
        """A fixture that fails is an error of ours; calls never fail here, `pytest_pyfunc_call` catches."""
        if call.excinfo is not None:
            self.trouble = f"{item.name}: {call.excinfo.exconly()}"
        return pytest.TestReport(
            item.nodeid, item.location, {}, "failed" if call.excinfo else "passed", None, call.when
        )

    def pytest_pyfunc_call(self, pyfuncitem: Any) -> bool:
        assert self.current is not None
        arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
        self.current.take(pyfuncitem.originalname, pyfuncitem.obj, arguments)
        return True


_pytest_for = functools.cache(_Pytest)


class _Run:
    """One run: which checks are wanted, on which library, and what came of them."""

    def __init__(self, path: Path, names: set[str], tt: Any, measured: bool, torch_only: bool) -> None:
        self.path, self.names, self.library = path, names, tt
        self.measured, self.torch_only = measured, torch_only
        self.results: dict[str, CheckResult] = {}
        self.spent: dict[str, float] = {}  # seconds per exercise, against its limit
        self.traced = 0.0  # seconds spent under tracemalloc
        self.stopped: set[str] = set()  # exercises that ran out of time: their other checks are not run
        self.package = loader.package_folder(tt)
        self.codes = limits.codes_of(loader.functions(tt)) if self.package else {}
        self.limits = {name: marks.limit for name, marks in course.collect(path).items()}

    def wants(self, check: Any) -> bool:
        """Is this one of the checks to be run?"""
        return check.exercise in self.names and (check.torch or not self.torch_only)

    def take(self, function: str, check_function: Any, arguments: dict[str, Any]) -> None:
        """Call one check (with one set of parameters) and keep its result."""
        check = check_function.check
        if check.exercise in self.stopped:
            return
        result = self._call(check_function, arguments, check.exercise)
        result.name, result.points = function, check.points
        before = self.results.get(function)
        if before is None or (before.passed and not result.passed):  # parametrized: the first failure counts
            self.results[function] = result
        if result.failure and result.failure.kind in ("time", "interrupted"):
            self.stopped.add(check.exercise)
            if result.failure.kind == "interrupted":
                self.stopped.update(self.names)

    def _call(self, function: Any, arguments: dict[str, Any], exercise: str) -> CheckResult:
        """Call a check under the limit; when it passes, again for time and memory."""
        result = CheckResult("", 0, True)
        left = self.limits[exercise] - self.spent.get(exercise, 0.0)
        printed = _Output()
        start = time.perf_counter()
        with _sandbox(printed) as seen:
            try:
                with limits.limit(left, self.codes):
                    function(**arguments)
            except BaseException as error:  # SystemExit, TimeLimit and KeyboardInterrupt must not end the kernel
                result.passed = False
                result.failure = explain(error, exercise, self.path, self.package, self.limits[exercise])
        result.seconds = time.perf_counter() - start
        self.spent[exercise] = self.spent.get(exercise, 0.0) + result.seconds
        result.output = printed.text()
        result.warnings = tuple(dict.fromkeys(f"{w.category.__name__}: {w.message}" for w in seen))
        if result.passed and self.measured and self.package:
            self._measure(function, arguments, result)
        return result

    def _measure(self, function: Any, arguments: dict[str, Any], result: CheckResult) -> None:
        """True time (unwatched) and peak memory of a check that passed; these runs cannot fail it."""
        if "expect" in arguments:
            arguments = {**arguments, "expect": Expect(self.library, replay=arguments["expect"].times)}
        with _sandbox(_Output()), contextlib.suppress(Exception):
            if result.seconds < PLAIN_LIMIT:
                start = time.perf_counter()
                function(**arguments)
                result.seconds = time.perf_counter() - start
        if result.seconds < TRACE_LIMIT and self.traced < TRACE_LIMIT:
            start = time.perf_counter()
            with (
                _sandbox(_Output()),
                contextlib.suppress(Exception, limits.TimeLimit),
                limits.limit(2 * TRACE_LIMIT, self.codes),
            ):
                result.peak_bytes = _peak(function, arguments)
            self.traced += time.perf_counter() - start


def _peak(function: Any, arguments: dict[str, Any]) -> int:
    """Peak bytes allocated during one call, beyond what was allocated before it."""
    ours = not tracemalloc.is_tracing()
    if ours:
        tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        function(**arguments)
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        if ours:
            tracemalloc.stop()


class _Output:
    """A stream that keeps the beginning of what is printed, however much it is."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.kept = self.lost = 0

    def write(self, text: str) -> int:
        room = MAX_OUTPUT - self.kept
        if room > 0:
            self.parts.append(text[:room])
            self.kept += len(self.parts[-1])
        self.lost += max(0, len(text) - max(room, 0))
        return len(text)

    def flush(self) -> None:
        """Nothing to do: the text is already here."""

    def isatty(self) -> bool:
        return False

    def text(self) -> str:
        return "".join(self.parts) + (f"\n... and {self.lost} more characters" if self.lost else "")


def _no_input(*_: object) -> str:
    raise RuntimeError("input() waits for a person; a check has none. Use the parameters instead")


@contextlib.contextmanager
def _sandbox(printed: _Output) -> Iterator[list[warnings.WarningMessage]]:
    """Capture output and warnings of the student's code, and answer `input` with an error."""
    real_input = builtins.input
    builtins.input = _no_input
    try:
        with (
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
            warnings.catch_warnings(record=True) as seen,
        ):
            warnings.simplefilter("always")
            yield seen
    finally:
        builtins.input = real_input


# For tests of the course: the reference, the skeleton, or either with answers spliced in.


def judge(
    root: Path,
    module_id: str,
    answers: dict[str, str] | None = None,
    names: Iterable[str] | None = None,
    skeleton: bool = False,
    data: dict[str, Any] | None = None,
    measured: bool = False,
) -> list[Result]:
    """Run a module's checks on the repository's package (or its skeleton) with `answers` put in place.

    answers: exercise name -> source as it would stand in a cell. names: exercises to run (all: None).
    data: course data, when the caller has it. The package is a copy in a temporary folder; what is imported
    under its name is put back afterwards.
    """
    data = data or course.load(root)
    module = course.find_module(data, module_id)
    if module is None:
        raise KeyError(f"no module {module_id}")
    files = {e["name"]: e["file"] for m in data["modules"] for e in m["exercises"]}
    given = course.skeleton(data, root)
    with _isolated():
        texts = given if skeleton else course.reference(root)
        package = loader.Package(_judging_folder() / course.PACKAGE, course.PACKAGE, texts)
        placed: dict[str, dict[str, str]] = {}
        for name, answer in (answers or {}).items():
            placed.setdefault(files[name], {})[name] = answer
        package.write(placed)
        wanted = [e["name"] for e in module["exercises"]] if names is None else list(names)
        stubs = [n for n in wanted if source.is_stub(package.answer(files[n], n), _given(given, files[n], n))]
        return run(course.checks_file(root, module), wanted, package.imported(), stubs, measured)


@functools.cache
def _judging_folder() -> Path:
    """One folder for all judging in this process: files with the same text are compiled once."""
    folder = Path(tempfile.mkdtemp(prefix="tinytorch-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _given(skeleton: dict[str, str], path: str, name: str) -> str:
    return source.definition(skeleton[path], name)


def load_wrong(module_id: str, root: Path) -> list[Wrong]:
    """The wrong answers in `checks/wrong/NN_name.py`, in order."""
    from . import gallery

    paths = sorted((root / "checks" / "wrong").glob(f"{module_id}_*.py"))
    if not paths:
        raise FileNotFoundError(f"no gallery of wrong answers for module {module_id}")
    return gallery(paths[0])


@contextlib.contextmanager
def _isolated() -> Iterator[None]:
    """Put `sys.path` and the modules imported under the package's name back afterwards."""
    path = list(sys.path)
    modules = {k: m for k, m in sys.modules.items() if k.split(".")[0] == course.PACKAGE}
    try:
        yield
    finally:
        loader.forget(course.PACKAGE)
        sys.modules.update(modules)
        sys.path[:] = path

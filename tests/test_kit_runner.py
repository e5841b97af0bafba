"""checks/runner.py, expect.py, limits.py, outcome.py: what is run, and what is said."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import types
import warnings
from pathlib import Path

import kit_course
import numpy as np
import pytest

from checks import CheckFailed, Expect, card, course, limits, loader, runner, source
from checks.outcome import NOT_ATTEMPTED, NOT_YET, PASSED

TENSOR = kit_course.PACKAGE["tensor.py"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return kit_course.make(tmp_path_factory.mktemp("course"))


@pytest.fixture(scope="module")
def data(root):
    return course.load(root)


@pytest.fixture
def judged(root, data):
    """Result of `Tensor.__add__` with this body."""

    def judge(body: str, name: str = "Tensor.__add__", header: str = "def __add__(self, other):"):
        answer = header + "\n" + "".join(f"    {line}\n" for line in body.split("\n"))
        return runner.judge(root, "01", {name: answer}, [name], data=data, measured=True)[0]

    return judge


def test_the_reference_passes_with_all_points(root, data):
    results = runner.judge(root, "01", data=data)
    assert [r.status for r in results] == [PASSED] * len(kit_course.NAMES)
    assert sum(r.points for r in results) == sum(r.of for r in results) == 17


def test_the_skeleton_is_not_attempted_and_scores_nothing(root, data):
    results = runner.judge(root, "01", skeleton=True, data=data)
    assert {r.status for r in results} == {NOT_ATTEMPTED}
    assert sum(r.points for r in results) == 0 and not any(r.checks for r in results)


def test_every_wrong_answer_fails_with_its_sentence(root, data):
    gallery = runner.load_wrong("01", root)
    assert [wrong.exercise for wrong in gallery] == ["Tensor.__add__", "Tensor.__add__", "Box", "Tensor.zeros"]
    for wrong in gallery:
        result = runner.judge(root, "01", {wrong.exercise: wrong.source}, [wrong.exercise], data=data)[0]
        assert result.status == NOT_YET
        assert wrong.says in card.text(result), (wrong.label, card.text(result))


def test_points_are_earned_check_by_check(judged):
    result = judged("return Tensor(a.array)")
    assert (result.points, result.of, result.passed_checks, result.total_checks) == (0, 3, 0, 2)
    result = judged("return Tensor(self.array)")
    assert (result.points, result.status, result.passed_checks) == (1, NOT_YET, 1)


def test_a_passed_exercise_has_time_and_memory(judged):
    result = judged("x = np.ones(100_000)\nreturn add(self, other)")
    assert result.status == PASSED
    assert result.peak_bytes >= 800_000
    assert 0 < result.seconds < 0.5


def test_slow_checks_are_not_run_again_for_memory(judged):
    result = judged("import time\ntime.sleep(1.05)\nreturn add(self, other)")
    assert result.status == NOT_YET  # two checks under a limit of 1 s
    result = judged("import time\ntime.sleep(0.3)\nreturn add(self, other)")
    assert result.status == PASSED and result.peak_bytes is not None


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        ("return self.nothing", "error", "AttributeError: 'Tensor' object has no attribute 'nothing'"),
        ("while True:\n    pass", "time", "Stopped after 1 s"),
        ("for i in iter(int, 1):\n    i += 1", "time", "Stopped after 1 s"),
        ("while True:\n    try:\n        int()\n    except:\n        pass", "time", "Stopped after 1 s"),
        ("while True:\n    try:\n        while True: pass\n    except BaseException:\n        pass", "time", "Stopped"),
        ("return [x for x in iter(int, 1)]", "time", "Stopped after 1 s"),
        ("return self + other", "recursion", "RecursionError"),
        ("return np.zeros((1 << 20, 1 << 20, 100))", "memory", "MemoryError: Unable to allocate"),
        ("raise MemoryError", "memory", "more memory"),
        ("import sys\nsys.exit(3)", "exit", "SystemExit: 3"),
        ("exit()", "exit", "SystemExit"),
        ("raise GeneratorExit", "error", "GeneratorExit"),
        ("raise type('Odd', (BaseException,), {})('odd')", "error", "Odd: odd"),
        ("raise NotImplementedError('mine')\nreturn 1", "error", "NotImplementedError: mine"),
        ("return input('number? ')", "error", "input() waits for a person"),
        ("raise KeyboardInterrupt", "interrupted", "interrupted"),
    ],
)
def test_whatever_happens_ends_in_a_message_with_the_students_line(judged, body, kind, says):
    result = judged(body)
    assert result.status == NOT_YET and result.failure.kind == kind
    assert says in result.failure.text()
    assert result.failure.lines and result.failure.lines[-1].file == "tinytorch/tensor.py"
    assert result.failure.lines[-1].function.startswith("Tensor.__add__")
    assert result.failure.lines[-1].text in [line.strip() for line in ["def __add__(self, other):", *body.split("\n")]]
    assert result.failure.call == "a + tt.Tensor([3.0, 5.0])"
    assert sys.gettrace() is None or "coverage" in repr(sys.gettrace())


def test_a_loop_in_another_function_of_the_package_is_stopped_too(judged):
    result = judged("while True: pass", "add", "def add(a, b):")
    assert result.failure.kind == "time" and result.failure.lines[-1].function == "add"


def test_what_the_code_prints_and_warns_is_kept_short(judged, capsys):
    result = judged("print('hello')\nfor _ in range(5000): print('x' * 50)\nnp.log(np.zeros(1))\nreturn 3")
    check = result.checks[0]
    assert check.output.startswith("hello") and len(check.output) < 2100 and "more characters" in check.output
    assert check.warnings == ("RuntimeWarning: divide by zero encountered in log",)
    assert capsys.readouterr() == ("", "")
    text = card.text(result)
    assert "printed:\n    hello\n" in text and "more lines" in text and "warning: RuntimeWarning" in text


def test_an_exercise_that_needs_another_one_says_which(root, data):
    answer = source.definition(TENSOR, "Tensor.__add__")
    result = runner.judge(root, "01", {"Tensor.__add__": answer}, ["Tensor.__add__"], skeleton=True, data=data)[0]
    assert result.status == NOT_YET and result.failure.needs == "Tensor.__init__"
    assert "This needs Tensor.__init__, an exercise of module 01, Tensor, which is not written yet." in card.text(
        result
    )


def test_an_unknown_exercise_is_an_error(root):
    with pytest.raises(KeyError, match="no check of nothing"):
        runner.run(root / "checks/test_01_tensor.py", ["nothing"], types.ModuleType("x"))


def test_a_check_that_cannot_run_is_our_fault(tmp_path):
    path = tmp_path / "test_09_bad.py"
    path.write_text(
        "from checks import exercise\n\n@exercise('a')\ndef test_a(tt, nothing):\n    pass\n", encoding="utf-8"
    )
    with pytest.raises(RuntimeError, match="nothing"):
        runner.run(path, None, types.ModuleType("x"))


def test_settings_for_other_tests_change_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTEST_ADDOPTS", "--maxfail=1 --no-such-option")
    monkeypatch.setenv("PYTEST_PLUGINS", "no_such_plugin")
    path = tmp_path / "test_x.py"
    path.write_text("from checks import exercise\n\n@exercise('a')\ndef test_a(tt, expect):\n    pass\n", "utf-8")
    assert [result.status for result in runner.run(path, None, types.ModuleType("lib"))] == [PASSED]
    assert os.environ["PYTEST_ADDOPTS"].startswith("--maxfail")


def test_parametrized_checks_count_once(tmp_path):
    path = tmp_path / "test_08_many.py"
    path.write_text(
        "import pytest\nfrom checks import exercise\n\n"
        "@exercise('a', points=4)\n@pytest.mark.parametrize('n', [1, 2, 3])\n"
        "def test_a(tt, expect, n, tmp_path):\n    expect(n, 'n').equals(tt.n if n == 2 else n)\n",
        encoding="utf-8",
    )
    library = types.ModuleType("library")
    library.n = 2
    assert runner.run(path, None, library)[0].points == 4
    library.n = 5
    result = runner.run(path, None, library)[0]
    assert (result.points, result.of, result.total_checks) == (0, 4, 1) and result.failure.expected == "5"


def test_checks_marked_as_ours_are_not_run_on_torch(tmp_path):
    path = tmp_path / "test_07_torch.py"
    path.write_text(
        "from checks import exercise\n\n@exercise('a', torch=False)\ndef test_a(tt, expect):\n    assert False\n\n"
        "@exercise('a')\ndef test_b(tt, expect):\n    pass\n",
        encoding="utf-8",
    )
    assert runner.run(path, None, types.ModuleType("torch"), torch=True)[0].status == PASSED
    assert runner.run(path, None, types.ModuleType("torch"))[0].status == NOT_YET


def test_a_run_writes_nothing_and_does_not_touch_the_working_directory(root, tmp_path, monkeypatch, data):
    """In the page the working directory is a slow drive: every look at it costs 10 to 100 ms."""
    monkeypatch.chdir(tmp_path)
    before = sorted(root.rglob("*"))
    path = root / "checks/test_01_tensor.py"
    runner.judge(root, "01", data=data)  # everything that is imported once
    touched: list[str] = []
    real = {name: getattr(os, name) for name in ("stat", "lstat", "scandir", "listdir", "open", "mkdir")}

    def watch(name):
        def call(target=".", *args, **kwargs):
            if isinstance(target, str | os.PathLike):
                touched.append(os.path.abspath(os.fspath(target)))
            return real[name](target, *args, **kwargs)

        return call

    with kit_course.own_modules():
        package = loader.Package(tmp_path.parent / "elsewhere" / "tinytorch", "tinytorch", kit_course.PACKAGE)
        package.write({})
        library = package.imported()
        for name in real:
            monkeypatch.setattr(os, name, watch(name))
        assert runner.run(path, ["add"], library)[0].status == PASSED
        monkeypatch.undo()
    assert [name for name in touched if name.startswith(str(tmp_path))] == []
    assert sorted(root.rglob("*")) == before


def test_one_run_is_quick(root, tmp_path):
    with kit_course.own_modules():
        package = loader.Package(tmp_path / "tinytorch", "tinytorch", kit_course.PACKAGE)
        package.write({})
        library = package.imported()
        took = []
        for _ in range(9):
            start = time.process_time()
            runner.run(root / "checks/test_01_tensor.py", ["Tensor.__add__"], library)
            took.append(time.process_time() - start)
    assert sorted(took)[4] < 0.15


# Expectations.


class Tensor:
    """As much of a tensor as `expect` looks at."""

    def __init__(self, data, dtype=None):
        self.array = np.asarray(data, dtype=dtype)


@pytest.fixture
def expect():
    library = types.ModuleType("library")
    library.Tensor = Tensor
    return Expect(library)


F = np.float32


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (Tensor([1, 2], F), np.array([1, 2], F)),
        (Tensor([1, 2], F), [1.0, 2.0]),
        (Tensor([1.0000001, 2], F), [1.0, 2.0]),
        (Tensor([np.nan, np.inf], F), [np.nan, np.inf]),
        (Tensor(6.0, F), 6.0),
        (Tensor([1, 2]), Tensor([1, 2])),
        (Tensor([0.5001], np.float16), [0.5]),
        (Tensor(np.zeros((0, 3))), np.zeros((0, 3))),
        (np.array([1, 2]), [1, 2]),
        ([1, [2, 3.0]], [1, [2, 3.0]]),
        ((2, 3), (2, 3)),
        (3, 3),
        (np.int64(3), 3),
        (2.0 + 1e-9, 2.0),
        (float("nan"), float("nan")),
        (True, True),
        ("text", "text"),
        (None, None),
        (np.float32, np.float32),
        ({"a": 1}, {"a": 1}),
    ],
)
def test_equal_values_pass(expect, got, expected):
    checked = expect(got, "f(x)")
    assert checked.equals(expected) is checked


@pytest.mark.parametrize(
    ("got", "expected", "says"),
    [
        (None, [1.0], "did you forget `return`?"),
        (None, Tensor([1]), "did you forget `return`?"),
        (None, 3, "did you forget `return`?"),
        (3, None, "expected: None"),
        ([1.0], Tensor([1.0]), "got: a list: [1.0]"),
        (np.array([1.0]), Tensor([1.0]), "got: a ndarray"),
        ([1.0], np.array([1.0]), "expected: a tensor"),
        (Tensor([1.0, 2.0]), [1.0], "expected: shape (1,)"),
        (Tensor([[1.0, 2.0]]), [1.0, 2.0], "got: shape (1, 2)"),
        (Tensor([1.0]), np.array([1.0], F), "expected: dtype float32\ngot: dtype float64"),
        (Tensor([[1.0, 2.0], [3.0, 4.0]]), [[1.0, 2.0], [5.0, 4.5]], "at index (1, 0): expected 5.0, got 3.0 (2 of 4"),
        (Tensor([1.0, np.nan]), [1.0, 2.0], "at index 1: expected 2.0, got nan (1 of 2 values differ)"),
        (Tensor([0.1], F), [0.2], "expected 0.2, got 0.1"),
        (Tensor([1, 2]), [1, 3], "at index 1: expected 3, got 2"),
        (Tensor([True]), [False], "expected False, got True"),
        (24.0, 24, "expected: 24\ngot: a float: 24.0"),
        (True, 1, "got: a bool: True"),
        (3, 2.0, "got: an int: 3"),
        (3, 4, "expected: 4\ngot: 3"),
        ([2, 3], (2, 3), "got: a list: [2, 3]"),
        ((2, 3), (2, 4), "at [1]: expected 4, got 3"),
        ([[1], [2]], [[1], [3]], "at [1][0]: expected 3, got 2"),
        ([1, 2], [1, 2, 3], "expected 3 items, got 2"),
        ("a", "b", "expected: 'b'\ngot: 'a'"),
        (False, True, "expected: True\ngot: False"),
    ],
)
def test_a_difference_is_said_in_words(expect, got, expected, says):
    with pytest.raises(CheckFailed) as error:
        expect(got, "f(x)").equals(expected, why="because")
    text = str(error.value)
    assert text.startswith("f(x)\n") and text.endswith("why: because") and says in text


def test_a_given_dtype_is_compared(expect):
    expect(Tensor([1], F), "x").equals([1.0], dtype="float32")
    with pytest.raises(CheckFailed, match="dtype float64"):
        expect(Tensor([1], F), "x").equals([1.0], dtype="float64")


def test_a_tensor_without_an_array_is_explained(expect):
    empty = Tensor.__new__(Tensor)
    with pytest.raises(CheckFailed, match="a tensor with no `array`"):
        expect(empty, "tensor([1.0])").equals([1.0])
    empty.array = [1.0]
    with pytest.raises(CheckFailed, match="an `array` that is a list"):
        expect(empty, "tensor([1.0])").equals([1.0])


def test_shape_dtype_memory_and_identity(expect):
    x = Tensor(np.arange(6, dtype=F))
    view, copy = Tensor(x.array[2:]), Tensor(x.array.copy())
    expect(x, "x").has_shape((6,)).has_dtype("float32").has_dtype(np.float32).is_instance(Tensor).is_(x)
    expect(view, "view").shares_memory_with(x)
    expect(copy, "copy").is_a_copy_of(x)
    for check in (
        lambda: expect(x, "x").has_shape((3,)),
        lambda: expect(x, "x").has_dtype("int64"),
        lambda: expect(copy, "copy").shares_memory_with(x),
        lambda: expect(x, "x").is_a_copy_of(x),
        lambda: expect(x, "x").is_instance(int),
        lambda: expect(copy, "copy").is_(x),
        lambda: expect(None, "x").has_shape((3,)),
        lambda: expect([1], "x").has_dtype("int64"),
    ):
        with pytest.raises(CheckFailed):
            check()


def test_raises(expect):
    with expect.raises(ValueError, call="f()", mentions=("3", "4")):
        raise ValueError("3 is not 4")
    with pytest.raises(CheckFailed, match="no error was raised"), expect.raises(ValueError, call="f()"):
        pass
    mentions = "whose message mentions '5'"
    with pytest.raises(CheckFailed, match=mentions), expect.raises(ValueError, call="f()", mentions=("3", "5")):
        raise ValueError("3 is not 4")
    with pytest.raises(CheckFailed, match="got: TypeError: other"), expect.raises(ValueError, call="f()"):
        raise TypeError("other")
    with pytest.raises(NotImplementedError), expect.raises(RuntimeError, call="f()"):
        raise NotImplementedError("add is an exercise of module 01, Tensor: not written yet")


def test_unchanged(expect):
    x = Tensor([1.0, 2.0])
    with expect.unchanged(x, "x"):
        x.array + 1
    with pytest.raises(CheckFailed, match="inputs stay as they are"), expect.unchanged(x, "x"):
        x.array += 1
    rows = [[1, 2]]
    with pytest.raises(CheckFailed), expect.unchanged(rows, "rows"):
        rows[0].append(3)


def test_time_is_compared_with_seconds_and_with_another_function(expect):
    expect.faster_than(lambda: None, 0.01, "f()")
    expect.faster_than(lambda: None, lambda: time.sleep(0.001), "f()", ratio=5)
    with pytest.raises(CheckFailed, match="less than 1 ms"):
        expect.faster_than(lambda: time.sleep(0.002), 0.001, "f()", why="slow")
    with pytest.raises(CheckFailed, match="at most 20 times the time of the comparison"):
        expect.faster_than(lambda: time.sleep(0.003), lambda: None, "f()", ratio=1 / 20)
    again = Expect(expect.tt, replay=[0.5])
    assert again.time(lambda: pytest.fail("must not run")) == 0.5


def test_time_is_measured_without_being_watched():
    def loop():
        total = 0
        for i in range(2000):
            total += i
        return total

    expect, plain = Expect(None), Expect(None).time(loop)
    with limits.limit(10, limits.codes_of([loop])):
        assert expect.time(loop) < 3 * plain


@pytest.mark.parametrize("value", [np.arange(10_000), "x" * 5000, list(range(5000))])
def test_long_values_are_shown_short(value):
    from checks.expect import show

    assert len(show(value)) < 500


@pytest.mark.parametrize(
    ("text", "value"), [("1 s", 1.0), ("12.3 ms", 0.01234), ("120 µs", 1.2e-4), ("5 ns", 5e-9), ("61.2 s", 61.23)]
)
def test_durations_have_a_unit(text, value):
    from checks.expect import seconds_text

    assert seconds_text(value) == text


# Limits.


def spin(seconds: float = 60.0) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def test_the_limit_stops_only_what_is_watched():
    with limits.limit(0.05, {}):
        spin(0.1)
    start = time.perf_counter()
    with pytest.raises(limits.TimeLimit) as error, limits.limit(0.1, limits.codes_of([spin])):
        spin()
    assert time.perf_counter() - start < 2
    assert error.value.function == "spin" and Path(error.value.filename).name == Path(__file__).name
    spin(0.01)  # nothing is watched any more


def test_a_limit_noticed_in_a_destructor_is_raised_again(monkeypatch):
    seen: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: seen.append(unraisable.exc_type))

    class Slow:
        def __del__(self):
            spin(0.3)

    before = sys.unraisablehook
    with pytest.raises(limits.TimeLimit), limits.limit(0.05, limits.codes_of([spin])):
        Slow()
        spin()
    assert sys.unraisablehook is before and seen == []
    with limits.limit(5, {}):  # what else goes wrong there is said as ever
        type("Bad", (), {"__del__": lambda self: 1 / 0})()
    assert seen == [ZeroDivisionError]


def test_the_limit_holds_in_threads_too():
    """There Python 3.11 has no signals and looks at every instruction."""
    caught: list[BaseException] = []

    def work() -> None:
        try:
            with limits.limit(0.1, limits.codes_of([spin])):
                spin()
        except limits.TimeLimit as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10)
    assert [type(error) for error in caught] == [limits.TimeLimit]


def test_the_limit_leaves_nothing_behind():
    trace, recursion, alarm = sys.gettrace(), sys.getrecursionlimit(), signal.getsignal(signal.SIGALRM)
    for _ in range(8):  # more often than there are monitoring tools
        with limits.limit(1, limits.codes_of([spin])), limits.suspended():
            spin(0)
    assert sys.gettrace() is trace and sys.getrecursionlimit() == recursion
    assert signal.getsignal(signal.SIGALRM) is alarm and signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_the_recursion_room_is_made_smaller_in_the_page_only(monkeypatch):
    before = sys.getrecursionlimit()
    assert limits.shallow(100) == before == sys.getrecursionlimit()
    monkeypatch.setattr(sys, "platform", "emscripten")
    try:
        assert limits.shallow(100) == before
        assert sys.getrecursionlimit() < before
    finally:
        sys.setrecursionlimit(before)


def test_warnings_filters_and_input_are_restored(judged):
    import builtins

    filters, real = list(warnings.filters), builtins.input
    judged("return input()")
    assert warnings.filters == filters and builtins.input is real


def test_an_unknown_name_is_answered_with_the_names_there_are(judged):
    why = judged("return tt.Tensor(self.array)").failure.why
    assert "part of the library itself" in why and "stands in tensor.py, which knows" in why and "Tensor" in why
    why = judged("return Tensr(self.array + other.array)").failure.why
    assert why.startswith("did you mean Tensor? ")
    assert judged("x = x + 1").failure.why == ""  # a variable without a value yet is another mistake


def test_the_call_on_a_card_is_not_a_helper_of_the_checks(tmp_path):
    path = tmp_path / "test_01_x.py"
    path.write_text(
        "from checks import exercise\n\n\ndef twice(tt, expect):\n    expect(tt.add(1, 2)).equals(3)\n\n\n"
        "@exercise('add')\ndef test_add(tt, expect):\n    twice(tt, expect)\n"
    )

    def add(a, b):
        raise ValueError("no")

    result = runner.run(path, ["add"], types.SimpleNamespace(add=add), measured=False)[0]
    assert result.failure.call == "tt.add(1, 2)"

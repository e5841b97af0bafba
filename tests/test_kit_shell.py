"""The magics, as a student uses them: cells run in a real IPython shell, and once in a Jupyter kernel."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path

import kit_course
import pytest
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell

from checks import magics, session, source

TENSOR = kit_course.PACKAGE["tensor.py"]
ANSWERS = {name: source.definition(TENSOR, name) for name in kit_course.NAMES}


class Notebook:
    """A shell with the extension loaded; `run` returns the plain text of what a cell shows."""

    def __init__(self, load: bool = True) -> None:
        self.shell = InteractiveShell()
        self.shell.display_pub = CapturingDisplayPublisher(parent=self.shell)
        self.html: list[str] = []
        self.errors: list[str] = []
        self.shell._showtraceback = lambda etype, value, lines: self.errors.append("\n".join(lines))
        if load:
            self.shell.extension_manager.load_extension("checks")

    def run(self, cell: str) -> str:
        self.shell.display_pub.outputs.clear()
        self.errors.clear()
        result = self.shell.run_cell(cell, store_history=True)
        assert result.error_before_exec is None
        outputs = [output["data"] for output in self.shell.display_pub.outputs]
        self.html = [data["text/html"] for data in outputs if "text/html" in data]
        return "\n".join(data["text/plain"] for data in outputs)

    def exercise(self, name: str, answer: str | None = None) -> str:
        return self.run(f"%%exercise {name}\n{ANSWERS[name] if answer is None else answer}")

    @property
    def session(self) -> session.Session:
        return magics._loaded(self.shell).session


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A course and a place for the work; the real package is put back afterwards."""
    root = kit_course.make(tmp_path / "course")
    monkeypatch.setenv("TINYTORCH_ROOT", str(root))
    monkeypatch.setenv("TINYTORCH_WORK", str(tmp_path / "work.json"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    with kit_course.own_modules():
        yield tmp_path


@pytest.fixture
def notebook(place):
    return Notebook()


def saved(place: Path) -> dict[str, dict]:
    return json.loads((place / "work.json").read_text())["exercises"]


def test_a_lesson_from_stub_to_solved(notebook, place):
    for name in kit_course.NAMES:
        text = notebook.exercise(name)
        assert re.match(rf"passed · {re.escape(name)} · (\d) of \1 points?\n", text), text
    assert "%check 01 shows all" in text
    table = notebook.run("%check 01")
    assert table.startswith("Module 01, Tensor\n") and "12 of 12 exercises passed, 17 of 17 points" in table
    entry = saved(place)["Tensor.__add__"]
    assert entry["status"] == "passed" and entry["module"] == "01" and entry["points"] == entry["of"] == 3
    assert entry["source"] == entry["passed_source"] == ANSWERS["Tensor.__add__"]
    assert entry["attempts"] == 1 and entry["first_passed"] and entry["seconds"] > 0 and entry["peak_bytes"] > 0


def test_saved_work_is_there_in_the_next_kernel(notebook, place):
    for name in ("Tensor.__init__", "add", "Tensor.scale", "Box"):
        notebook.exercise(name)
    notebook.exercise("Tensor.__add__", "# mine\ndef __add__(self, other):\n    return 'wrong'\n")
    again = Notebook()
    again.run("import tinytorch as tt\nvalue = tt.add(tt.Tensor([1.0]), tt.Tensor([2.0])).array.tolist()")
    assert again.shell.user_ns["value"] == [3.0]
    again.run("value = tt.Tensor([1.0]) + 1, tt.Box(2).double()")
    assert again.shell.user_ns["value"] == ("wrong", 4)
    table = again.run("%check")
    assert "✓ passed         add" in table and "✗ not yet        Tensor.__add__" in table
    assert "○ not attempted  mean" in table and "4 of 12 exercises passed, 8 of 17 points" in table
    assert (
        again.run("%recall Tensor.__add__") == "Tensor.__add__ is back in its cell\nRun the cell to load and check it."
    )
    payload = again.shell.payload_manager.read_payload()[-1]
    assert payload["replace"] and payload["text"].startswith("%%exercise Tensor.__add__\n# mine\ndef __add__")


def test_a_wrong_answer_is_loaded_saved_and_explained(notebook, place):
    notebook.exercise("Tensor.__init__")
    text = notebook.exercise("add", "def add(a, b):\n    c = a.array - b.array\n    return Tensor(c)\n")
    assert text.split("\n") == [
        "not yet · add · 0 of 1 point",
        "checks: 0 of 1 passed",
        "call: tt.add([1., 2.], [10., 30.])",
        "expected: [11., 32.]",
        "got: [ -9., -28.]  (shape (2,), float32)",
        "first difference: at index 0: expected 11.0, got -9.0 (2 of 2 values differ)",
        "why: elements are added in pairs",
        text.split("\n")[7],
        "next: %hint add (0 of 2 hints seen)",
    ]
    assert re.fullmatch(r"run: time [\d.]+ (µs|ms)", text.split("\n")[7])
    notebook.run("import tinytorch as tt\nvalue = tt.add(tt.Tensor([1.0]), tt.Tensor([2.0])).array.tolist()")
    assert notebook.shell.user_ns["value"] == [-1.0]
    assert saved(place)["add"]["status"] == "not yet" and "passed_source" not in saved(place)["add"]


def test_the_students_line_is_given_in_the_cell_and_in_the_file(notebook):
    notebook.exercise("Tensor.__init__")
    answer = "\n# a comment\ndef add(a, b):\n    c = a.array\n\n    return c.nothing + b\n"
    text = notebook.exercise("add", answer)
    (line,) = re.findall(r"line (\d+) of this cell, in add \(tinytorch/tensor.py, line (\d+)\)", text)
    cell = f"%%exercise add\n{answer}".split("\n")
    assert cell[int(line[0]) - 1].strip() == "return c.nothing + b"
    in_file = Path(notebook.session.package.folder / "tensor.py").read_text().split("\n")
    assert in_file[int(line[1]) - 1].strip() == "return c.nothing + b"
    assert "AttributeError: 'numpy.ndarray' object has no attribute 'nothing'" in text
    assert "checks/" not in text and "runner" not in text
    indented = notebook.exercise("Tensor.name", "def name(self):\n    return 1 / 0\n")
    assert "line 3 of this cell, in Tensor.name" in indented


def test_a_pass_that_is_broken_later_keeps_the_passed_source(notebook, place):
    notebook.exercise("Tensor.__init__")
    notebook.exercise("add")
    notebook.exercise("add", "def add(a, b):\n    return None\n")
    entry = saved(place)["add"]
    assert entry["status"] == "not yet" and entry["attempts"] == 2 and entry["passed_source"] == ANSWERS["add"]
    assert "return None" in entry["source"]
    notebook.run("%recall add --passed")
    assert "a.array + b.array" in notebook.shell.payload_manager.read_payload()[-1]["text"]


def test_an_untouched_cell_is_not_attempted_and_replaces_nothing(notebook, place):
    given = notebook.session.package.given("tensor.py", "add")
    text = notebook.exercise("add", given)
    assert text.startswith("not attempted · add · 0 of 1 point\nNothing to check yet")
    assert not (place / "work.json").exists()
    notebook.exercise("Tensor.__init__")
    notebook.exercise("add")
    before = saved(place)["add"]
    text = notebook.exercise("add", given)
    assert "Your saved answer (passed) stays in place" in text and "%recall add" in text
    assert saved(place)["add"] == before
    notebook.run("import tinytorch as tt\nvalue = tt.add(tt.Tensor([1.0]), tt.Tensor([2.0])).array.tolist()")
    assert notebook.shell.user_ns["value"] == [3.0]


def test_a_missing_earlier_exercise_is_named(notebook):
    text = notebook.exercise("Tensor.__add__")
    assert "This needs Tensor.__init__, exercise 1 of module 01, Tensor, which is not written yet." in text
    assert text.endswith("next: write Tensor.__init__ first")


def test_a_syntax_error_is_shown_as_python_shows_it_and_changes_nothing(notebook, place):
    notebook.exercise("Tensor.__init__")
    before = saved(place), dict(notebook.session.package.texts)
    assert notebook.exercise("add", "def add(a, b):\n    return Tensor(a.array +\n") == ""
    (error,) = notebook.errors
    plain = re.sub(r"\x1b\[[\d;]*m", "", error)
    assert "SyntaxError: '(' was never closed" in plain and "line 3" in plain.replace(">:3", "line 3")
    assert "return Tensor(a.array +" in plain and "checks" not in plain and "During handling" not in plain
    assert (saved(place), notebook.session.package.texts) == before
    for bad in ("await x\n", "%time x\n", "def add(a, a):\n    pass\n", "!ls\n"):
        notebook.exercise("add", bad)
        assert notebook.errors or "was not run" in notebook.run("%%exercise add\n" + bad)


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("%%exercise add\n", "The cell is empty below %%exercise. Write `def add(a: Tensor, b: Tensor)`"),
        ("%%exercise add", "The cell is empty"),
        ("%%exercise\ndef add(a, b):\n    pass\n", "Which exercise?"),
        ("%%exercise ad\ndef ad(a, b):\n    pass\n", "Did you mean `add`"),
        ("%%exercise Tensor.add\ndef add(a, b):\n    pass\n", "`add`"),
        ("%%exercise __add__\ndef __add__(a, b):\n    pass\n", "`Tensor.__add__`"),
        ("%%exercise zzzzzz\ndef z():\n    pass\n", "The lesson names its exercises."),
        ("%%exercise add\ndef sub(a, b):\n    pass\n", "defines the function `sub`"),
        ("%%exercise add\ndef add(x, y):\n    pass\n", "should be `def add(a, b):`"),
        ("%hint nothing", "There is no exercise nothing"),
        ("%hint", "Which exercise?"),
        ("%solution", "Which exercise?"),
        ("%recall add", "No saved answer to add"),
        ("%recall add --passed", "No saved answer that passed to add"),
        ("%check 77", "There is no exercise 77"),
        ("%check 02", "There is no exercise 02"),
        ("%%measure\n", "Write code below %%measure"),
        ("%%measure\n1\n# vs\n2\n# vs\n3\n", "with one line `# vs`"),
        ("%%measure\n# vs\n2\n", "Write code below"),
    ],
)
def test_mistyped_magics_are_answered(notebook, cell, says):
    text = notebook.run(cell).replace("a: Tensor, b: Tensor", "a, b")
    assert says.replace("a: Tensor, b: Tensor", "a, b") in text and not notebook.errors


def test_a_definition_that_fails_on_loading_is_explained_and_kept(notebook, place):
    notebook.exercise("Tensor.__init__")
    text = notebook.exercise("scaled", "def scaled(a, by=2.0):\n    return 1\n")
    assert text.startswith("not yet · scaled")
    text = notebook.exercise("Box", "class Box:\n    size = nothing\n    def double(self):\n        return 1\n")
    assert "NameError: name 'nothing' is not defined" in text and "the definition itself failed" in text
    assert "line 3 of this cell" in text or "tensor.py, line" in text
    again = Notebook()
    shown = again.run("1")
    assert "The saved code of Box could not be loaded" in shown and "%recall Box" in shown
    assert again.exercise("Tensor.name").startswith("passed")
    again.run("%recall Box")
    assert "size = nothing" in again.shell.payload_manager.read_payload()[-1]["text"]


def test_endless_loops_exits_and_floods_leave_the_kernel_alive(notebook):
    notebook.exercise("Tensor.__init__")
    notebook.exercise("add")
    notebook.run("precious = 42")
    for body in ("while True: pass", "return self + other", "import sys; sys.exit()", "while True: print('x' * 100)",
                 "raise KeyboardInterrupt", "return np.ones(1 << 60)"):  # fmt: skip
        text = notebook.exercise("Tensor.__add__", f"def __add__(self, other):\n    {body}\n")
        assert text.startswith("not yet · Tensor.__add__ · 0 of 3 points"), text
        assert "of this cell" in text and len(text) < 4000
    notebook.run("value = precious + 1")
    assert notebook.shell.user_ns["value"] == 43
    assert notebook.exercise("Tensor.__add__").startswith("passed")


def test_hints_come_one_by_one_and_are_counted(notebook, place):
    assert "hint 1 of 3\nvague" in notebook.run("%hint Tensor.__add__")
    assert "hint 2 of 3\nnearer" in notebook.run("%hint")
    assert saved(place)["Tensor.__add__"]["hints"] == 2 and "source" not in saved(place)["Tensor.__add__"]
    again = Notebook()
    notebook.exercise("Tensor.__init__")
    text = again.run("%hint Tensor.__add__")
    assert "hint 3 of 3\nreturn add(self, other)" in text and "%solution Tensor.__add__" in text
    text = again.run("%hint Tensor.__add__")
    assert "All hints of Tensor.__add__" in text and "hint 1: vague" in text
    assert "mean has no hints" in again.run("%hint mean")


def test_the_solution_is_shown_and_noted(notebook, place):
    text = notebook.run("%solution Tensor.scale")
    assert text.startswith("A solution of Tensor.scale\n@property\ndef scale(self)") and "@scale.setter" in text
    assert saved(place)["Tensor.scale"]["solution_seen"] is True


def test_without_solutions_the_course_says_so(notebook, monkeypatch):
    monkeypatch.setattr(notebook.session, "root", None)
    monkeypatch.setattr(session.course, "site_base", lambda: "http://127.0.0.1/x")
    monkeypatch.setattr(session, "fetch", lambda url: None)
    assert "published without solutions" in notebook.run("%solution add")
    asked: list[str] = []
    monkeypatch.setattr(session, "fetch", lambda url: asked.append(url) or json.dumps({"add": "def add(): ...\n"}))
    assert "def add(): ..." in notebook.run("%solution add")
    assert asked == ["http://127.0.0.1/x/solutions/01_tensor.json"]


def test_an_answer_of_deep_expressions_is_read_with_the_recursion_of_the_page(notebook, monkeypatch):
    """A cell in the page gets 400 levels; reading its syntax tree may take more, and measured code never does."""
    notebook.exercise("Tensor.__init__")
    limits_seen = []
    monkeypatch.setattr(magics.limits, "shallow", lambda levels: sys.getrecursionlimit())
    monkeypatch.setattr(magics.limits, "CELL_LEVELS", 0)
    deep = magics.limits.deep

    def watched(levels):
        limits_seen.append(levels)
        return deep(levels)

    monkeypatch.setattr(magics.limits, "deep", watched)
    nested = "not " * 60 + "a is None"
    assert notebook.exercise(
        "add", f"def add(a, b):\n    if {nested}:\n        return a\n    return Tensor(a.array + b.array)\n"
    )
    notebook.run("%%measure\n1 + 1")
    assert limits_seen == [sys.getrecursionlimit(), 0]


# Filling in, and milestones.


def test_a_module_is_filled_in_and_says_so_everywhere(notebook, place):
    notebook.exercise("add")
    text = notebook.run("%fill 01")
    assert text.startswith("◇ 11 exercises filled in from the reference") and "count as not solved" in text
    notebook.run("import tinytorch as tt\nvalue = (tt.Tensor([1.0]) + tt.Tensor([2.0])).array.tolist()")
    assert notebook.shell.user_ns["value"] == [3.0]
    entries = saved(place)
    assert entries["Tensor.__add__"]["status"] == "given" and "source" not in entries["Tensor.__add__"]
    assert entries["add"]["status"] == "not yet" and not entries["add"].get("given")  # Tensor was a stub then
    table = notebook.run("%check 01")
    assert "◇ given   Tensor.__add__" in table and "✓ passed  add" in table
    assert "1 of 12 exercises passed, 1 of 17 points" in table
    assert "filled in from the reference" in notebook.run("%check Tensor.__add__")
    assert notebook.run("%fill 01").startswith("◇ 0 exercises filled in")
    again = Notebook()
    again.run("import tinytorch as tt\nvalue = tt.Box(2).double()")
    assert again.shell.user_ns["value"] == 4
    assert "◇ given" in again.run("%check 01")


def test_a_filled_in_exercise_becomes_ones_own(notebook, place):
    notebook.run("%fill 01")
    stub = source.definition(notebook.session.package.skeleton["tensor.py"], "add")
    assert "yours takes its place" in notebook.exercise("add", stub)
    notebook.run("import tinytorch as tt\nvalue = tt.add(tt.Tensor([1.0]), tt.Tensor([2.0])).array.tolist()")
    assert notebook.shell.user_ns["value"] == [3.0]  # the untouched cell did not take it away
    assert notebook.exercise("add").startswith("passed · add")
    assert saved(place)["add"]["given"] is False and saved(place)["add"]["status"] == "passed"


def test_filling_in_one_exercise_keeps_the_students_own(notebook, place):
    notebook.exercise("Tensor.__init__")
    notebook.exercise("add", "def add(a, b):\n    return a\n")
    notebook.run("%fill add")
    notebook.run("import tinytorch as tt\nvalue = tt.add(tt.Tensor([1.0]), tt.Tensor([2.0])).array.tolist()")
    assert notebook.shell.user_ns["value"] == [3.0]
    assert saved(place)["add"]["source"] == "def add(a, b):\n    return a\n"
    assert "`%recall add` brings your saved answer back" in notebook.run("%check add")


def test_fill_explains_what_it_cannot_do(notebook, monkeypatch):
    assert "Which module?" in notebook.run("%fill")
    assert "no exercise 77" in notebook.run("%fill 77")
    monkeypatch.setattr(notebook.session, "root", None)
    monkeypatch.setattr(session.course, "site_base", lambda: "http://127.0.0.1/x")
    monkeypatch.setattr(session, "fetch", lambda url: None)
    assert "published without solutions" in notebook.run("%fill 01")


def test_what_was_filled_in_and_cannot_be_read_is_said(notebook, monkeypatch):
    notebook.run("%fill 01")
    monkeypatch.setattr(session.Session, "_solutions", lambda self, module: None)
    again = Notebook()
    assert "12 exercises of module 01 that `%fill` had filled in could not be read" in again.run("1")


def test_a_cell_that_needs_an_exercise_says_what_can_be_done(notebook):
    text = notebook.run("import tinytorch as tt\ntt.Tensor([1.0])")
    assert "This cell needs Tensor.__init__" in text and "`%fill 01`" in text
    assert notebook.errors  # Python's own message comes first


def test_a_milestone_is_run_and_recorded(notebook, place, capsys):
    assert "There are: 1." in notebook.run("%milestone 2") and "Which milestone?" in notebook.run("%milestone")
    text = notebook.run("%milestone 1")
    assert text.startswith("not yet · Milestone 1, First 1958") and "needs Tensor.__init__, an exercise of" in text
    notebook.run("%fill 01")
    path = list(sys.path)
    text = notebook.run("%milestone 1")
    assert sys.path == path and "step 2" in capsys.readouterr().out
    assert text.startswith("given · Milestone 1") and "yes: 3 ones" in text and "from the reference" in text
    assert saved(place)["milestone 1"]["status"] == "given" and not saved(place)["milestone 1"].get("first_passed")
    for name in kit_course.NAMES:
        notebook.exercise(name)
    assert notebook.run("%milestone 1").startswith("passed · Milestone 1")
    entry = saved(place)["milestone 1"]
    assert entry["release"] == "0.1.0" and "picture" not in entry, "this milestone draws nothing"
    assert entry["claims"] == ["3 ones"] and entry["attempts"] == 3 and entry["first_passed"]
    notebook.exercise("add", "def add(a, b):\n    return a\n")
    text = notebook.run("%milestone 1")
    assert text.startswith("not yet") and "add is wrong: elements are added in pairs" in text
    assert saved(place)["milestone 1"]["first_passed"] == entry["first_passed"]
    Notebook().run("%check")  # a milestone's entry is no exercise


def test_check_of_one_exercise_uses_the_code_that_is_loaded(notebook, place):
    notebook.exercise("Tensor.__init__")
    assert notebook.run("%check Tensor.__init__").startswith("passed · Tensor.__init__ · 3 of 3 points")
    assert notebook.run("%check add").startswith("not attempted · add")
    notebook.exercise("add")
    notebook.exercise("Tensor.__init__", "def __init__(self, data, dtype=None):\n    self.array = np.asarray(data)\n")
    assert saved(place)["add"]["status"] == "passed"
    notebook.run("%check 01")
    assert saved(place)["Tensor.__init__"]["status"] == "not yet"
    assert saved(place)["Tensor.__init__"]["passed_source"] == ANSWERS["Tensor.__init__"]


def test_measure_compares_two_pieces_of_code(notebook):
    notebook.run("n = 1000")
    text = notebook.run("%%measure\nsum(range(n))\n# vs\nm = 20 * n\nsum(range(m))\n")
    assert text.startswith("Measured\n") and "sum(range(n))" in text and "block 2" in text
    assert "block 2 takes" in text and "times as long as sum(range(n)) (99 % interval" in text
    assert "peak memory" in text and "bytes" in text and notebook.shell.user_ns["m"] == 20000
    text = notebook.run("%%measure\n1 + 1\n# vs\n\n1 / 0\n")
    assert "1 / 0 raised ZeroDivisionError in line 5: division by zero" in text and "No ratio: " in text
    assert "ZeroDivisionError in line 2" in notebook.run("%%measure\n1 / 0\n")
    notebook.run("%%measure\nx = 1\n# vs\nx = = 2\n")
    assert re.search(r"(line |:)4", re.sub(r"\x1b\[[\d;]*m", "", notebook.errors[0]))


def test_a_damaged_document_is_reported_before_the_next_cell(place):
    (place / "work.json").write_text('{"schema": 1, "exercises": {"add": {"source": "x", "stat')
    notebook = Notebook()
    text = notebook.run("1 + 1")
    assert text.startswith("About your saved work\ntinytorch-work.json was damaged")
    assert "About" not in notebook.run("1 + 1")


def test_work_that_cannot_be_saved_is_said_on_the_card(notebook, place, monkeypatch):
    def full(merge):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(notebook.session.work.store, "change", full)
    text = notebook.exercise("Tensor.__init__")
    assert text.startswith("passed") and "note: Your work could not be saved" in text and "No space left" in text


def test_a_start_that_fails_is_explained_and_the_kernel_works(place, monkeypatch):
    (place / "course/content/course.toml").write_text("title = ")
    notebook = Notebook()
    notebook.run("value = 1 + 1")
    assert notebook.shell.user_ns["value"] == 2
    for cell in (
        "%%exercise add\ndef add(a, b):\n    return 1\n",
        "%check 01",
        "%hint",
        "%%measure\n1\n",
        "%recall add",
    ):
        text = notebook.run(cell)
        assert text.startswith("The checks could not start\n") and "TOMLDecodeError" in text
        assert "Traceback" not in text and not notebook.errors


def test_a_fault_of_ours_is_told_apart_from_the_students(notebook, place, monkeypatch):
    def broken(*_args, **_options):
        raise RuntimeError("pytest ended with 3")

    monkeypatch.setattr(session.runner, "run", broken)
    text = notebook.exercise("Tensor.__init__")
    assert text.startswith("The checks themselves failed\nThis is a fault of the course, not of your code")
    assert "RuntimeError: pytest ended with 3" in text and "Traceback" not in text


def test_loading_twice_is_loading_once_and_unloading_takes_all_away(notebook):
    before = notebook.session
    notebook.shell.run_line_magic("reload_ext", "checks")
    assert notebook.session is not before
    current = notebook.session
    magics.load(notebook.shell)
    assert notebook.session is current
    magics.unload(notebook.shell)
    magics.unload(notebook.shell)
    assert "exercise" not in notebook.shell.magics_manager.magics["cell"]


def test_a_package_imported_before_is_replaced_with_a_word(place):
    sys.modules["tinytorch"] = type(sys)("tinytorch")
    notebook = Notebook()
    assert "Run your import again" in notebook.run("1")
    assert notebook.exercise("Tensor.__init__").startswith("passed")


# A new release of the course: other checks, other names.


def released(place: Path, version: str, old: str = "", new: str = "") -> None:
    """Give the course another release, and its checks another text."""
    project = place / "course/pyproject.toml"
    project.write_text(re.sub('version = ".*"', f'version = "{version}"', project.read_text()))
    checks = place / "course/checks/test_01_tensor.py"
    assert old in checks.read_text()
    checks.write_text(checks.read_text().replace(old, new))
    session.course._loaded.clear()
    session.runner._pytest_for.cache_clear()


def restarted() -> Notebook:
    """Another kernel."""
    session.loader.forget("tinytorch")
    return Notebook()


def rechecked(notebook: Notebook) -> None:
    """Let the time pass in which nothing runs."""
    while notebook.session.unchecked() and magics._loaded(notebook.shell).rechecks.names:
        magics._loaded(notebook.shell).rechecks.step()


def test_solved_exercises_stay_solved_and_are_checked_again_under_a_new_release(notebook, place):
    for name in kit_course.NAMES:
        notebook.exercise(name)
    assert {entry["release"] for entry in saved(place).values()} == {"0.1.0"}
    assert notebook.session.unchecked() == []
    released(place, "0.2.0", "elements are added in pairs", "elements are added in pairs, says 0.2.0")
    second = restarted()
    assert second.session.unchecked() == [name for name in kit_course.NAMES if name in saved(place)]
    rechecked(second)
    assert second.run("1") == "" and second.session.unchecked() == []
    assert {(entry["release"], entry["status"]) for entry in saved(place).values()} == {("0.2.0", "passed")}


def test_what_a_new_release_finds_is_said_once_and_takes_nothing_away(notebook, place):
    for name in ("Tensor.__init__", "add", "Tensor.__add__"):
        notebook.exercise(name)
    before = saved(place)["add"]
    released(place, "0.2.0", "[11.0, 32.0]", "[12.0, 32.0]")
    second = restarted()
    rechecked(second)
    text = second.run("1")
    assert text.count("The checks of release 0.2.0 find something in add, which you solved under an earlier one") == 1
    assert "It stays solved" in text and "`%check add`" in text and second.run("1") == ""
    entry = saved(place)["add"]
    assert entry["status"] == "passed" and entry["recheck"].startswith("elements are added in pairs")
    assert (entry["points"], entry["source"], entry["release"]) == (before["points"], before["source"], "0.2.0")
    table = second.run("%check 01")
    assert "✓ passed         add" in table and "add stays solved. The checks of release 0.2.0 find" in table
    text = second.run("%check add")
    assert text.startswith("not yet") and "expected: [12., 32.]" in text
    assert saved(place)["add"]["status"] == "passed"
    assert restarted().session.unchecked() == []
    released(place, "0.3.0", "[12.0, 32.0]", "[11.0, 32.0]")
    third = restarted()
    rechecked(third)
    assert third.run("1") == "" and saved(place)["add"]["recheck"] == "" and saved(place)["add"]["status"] == "passed"


def test_an_answer_that_is_changed_after_a_finding_counts_as_any_other(notebook, place):
    notebook.exercise("Tensor.__init__")
    notebook.exercise("add")
    released(place, "0.2.0", "[11.0, 32.0]", "[12.0, 32.0]")
    second = restarted()
    rechecked(second)
    second.exercise("add", "def add(a, b):\n    return a\n")
    entry = saved(place)["add"]
    assert entry["status"] == "not yet" and entry["recheck"] == "" and entry["passed_source"] == ANSWERS["add"]


def test_a_solved_exercise_waits_for_a_new_one_below_it(notebook, place):
    for name in ("Tensor.__init__", "add"):
        notebook.exercise(name)
    document = json.loads((place / "work.json").read_text())
    del document["exercises"]["Tensor.__init__"]  # as if the exercise were new in this release
    (place / "work.json").write_text(json.dumps(document))
    released(place, "0.2.0")
    second = restarted()
    rechecked(second)
    assert second.run("1") == "" and saved(place)["add"]["release"] == "0.1.0"
    table = second.run("%check 01")
    assert "✓ passed         add" in table and "add stays solved. In release 0.2.0 it needs Tensor.__init__" in table
    second.exercise("Tensor.__init__")
    third = restarted()
    rechecked(third)
    assert saved(place)["add"]["release"] == "0.2.0" and third.session.unchecked() == []


def test_a_renamed_exercise_is_found_under_its_new_name_and_kept_under_the_old(place, monkeypatch):
    answer = ANSWERS["add"].replace("def add", "def plus")
    entry = {"module": "01", "status": "passed", "source": answer, "passed_source": answer, "attempts": 3}
    stamps = {"updated": "2026-01-01T00:00:00.000Z", "first_passed": "2026-01-01T00:00:00.000Z", "release": "0.0.9"}
    gone = {"module": "01", "status": "passed", "source": "def gone():\n    return 1\n", **stamps}
    work = {"schema": 1, "exercises": {"plus": {**entry, **stamps}, "gone": gone}}
    (place / "work.json").write_text(json.dumps(work))
    load = session.course.load
    renamed = {"renamed": {"plus": "more", "more": "add"}}
    monkeypatch.setattr(session.course, "load", lambda root: {**load(root), **renamed})
    notebook = Notebook()
    assert notebook.run("1") == ""
    entries = saved(place)
    assert set(entries) == {"plus", "gone", "add"} and entries["plus"]["source"] == answer
    assert entries["add"]["source"] == entries["add"]["passed_source"] == ANSWERS["add"]
    assert entries["add"]["attempts"] == 3 and "release" not in entries["add"]
    notebook.exercise("Tensor.__init__")
    second = restarted()
    rechecked(second)
    assert saved(place)["add"]["release"] == "0.1.0" and saved(place)["add"]["status"] == "passed"
    second.exercise("add", "def add(a, b):\n    return a\n")
    assert saved(place)["add"]["status"] == "not yet"
    restarted()
    assert saved(place)["add"]["status"] == "not yet", "the old name does not come back over newer work"


def test_names_that_changed_twice_or_in_a_circle():
    assert session.renamed({"a": "b", "b": "c", "x": "y"}) == {"a": "c", "b": "c", "x": "y"}
    assert session.renamed({"a": "b", "b": "a"}) == {}


def test_a_reset_on_the_map_takes_the_answer_out_of_an_open_kernel(notebook, place):
    notebook.exercise("Tensor.__init__")
    notebook.exercise("add")
    document = json.loads((place / "work.json").read_text())
    document["exercises"]["add"] |= {"source": None, "status": "not attempted", "updated": session.work.now()}
    (place / "work.json").write_text(json.dumps(document))
    time.sleep(0.002)
    notebook.session.refresh()
    text = notebook.run("import tinytorch as tt\ntt.add(tt.Tensor([1.0]), tt.Tensor([2.0]))")
    assert "add: reset on the map of the course" in text and "This cell needs add" in text
    assert notebook.exercise("add").startswith("passed") and saved(place)["add"]["source"] == ANSWERS["add"]


def test_the_answer_of_another_tab_is_brought_back(notebook, place):
    other = Notebook()
    notebook.exercise("Tensor.__init__")
    other.exercise("Tensor.__init__", "def __init__(self, data, dtype=None):\n    self.other = 1\n")
    assert "No saved answer of another tab to add" in notebook.run("%recall add --other")
    text = notebook.exercise("Tensor.__init__", "# again\n" + ANSWERS["Tensor.__init__"])
    assert "Another tab had saved a different answer to Tensor.__init__" in text
    notebook.run("%recall Tensor.__init__ --other")
    assert "self.other = 1" in notebook.shell.payload_manager.read_payload()[-1]["text"]


# What JupyterLab's sanitizer lets through when a notebook is opened again.
KEPT = {"border", "border-left", "border-radius", "padding", "margin", "margin-top", "max-width", "line-height"}
KEPT |= {"overflow-wrap", "overflow-x", "font-size", "font-family", "white-space", "border-collapse", "text-align"}
KEPT |= {"vertical-align"}
TAGS = {"div", "b", "span", "pre", "table", "thead", "tbody", "tr", "th", "td"}


def test_cards_look_right_after_sanitizing(notebook):
    pages = []
    for cell in (
        "%%exercise Tensor.__init__\n" + ANSWERS["Tensor.__init__"],
        "%%exercise add\ndef add(a, b):\n    print('<b>')\n    return '<script>'\n",
        "%%exercise Tensor.__add__\ndef __add__(self, other):\n    return 1 / 0\n",
        "%check 01",
        "%hint add",
        "%solution Box",
        "%%measure\n1 + 1\n# vs\n2 + 2\n",
    ):
        assert notebook.run(cell)
        pages += notebook.html
    assert len(pages) == 7
    for html in pages:
        assert set(re.findall(r"<(\w+)", html)) <= TAGS and "<script" not in html and "var(" not in html
        for style in re.findall(r'style="([^"]*)"', html):
            assert {rule.split(":")[0] for rule in style.split(";")} <= KEPT
    assert 'role="status" aria-label="passed, Tensor.__init__, 3 of 3 points"' in pages[0]
    assert "✓ passed" in pages[0] and "✗ not yet" in pages[1] and "&lt;script&gt;" in pages[1]


def test_the_profile_loads_the_extension_before_the_first_cell_of_a_kernel(place, monkeypatch):
    """A Jupyter kernel whose settings load the extension runs a notebook."""
    import nbformat
    from nbclient import NotebookClient

    repository = Path(session.__file__).parent.parent
    profile = place / "ipython/profile_default"
    profile.mkdir(parents=True)
    profile.joinpath("ipython_config.py").write_text("c.InteractiveShellApp.extensions = ['checks']\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(repository), os.environ.get("PYTHONPATH", "")]))
    cells = [f"%%exercise {name}\n{ANSWERS[name]}" for name in ("Tensor.__init__", "add", "Tensor.__add__")]
    cells += [
        "import tinytorch as tt\nt = tt.Tensor([1.0])\nprint((t + t).array)",
        "%%exercise Tensor.__add__\ndef __add__(self, other):\n    while True:\n        pass\n",
        "print('alive', t.array)",
        "%%exercise add\ndef add(a, b:\n",
        "%check 01",
        "%recall add",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = NotebookClient(notebook, timeout=120, allow_errors=True, resources={"metadata": {"path": str(place)}})
    client.execute()
    outputs = [cell.outputs for cell in notebook.cells]
    texts = ["\n".join(o.get("text", o.get("data", {}).get("text/plain", "")) for o in out) for out in outputs]
    assert all(texts[i].startswith("passed · ") for i in range(3)), texts[:3]
    assert texts[3] == "[2.]\n" and "Stopped after 1 s" in texts[4] and texts[5] == "alive [1.]\n"
    assert outputs[6][0].output_type == "error" and outputs[6][0].ename == "SyntaxError"
    assert re.search(r"Cell In\[\d+\], line 2", re.sub(r"\x1b\[[\d;]*m", "", "\n".join(outputs[6][0].traceback)))
    assert "2 of 12 exercises passed" in texts[7]
    assert set(outputs[0][0].data) == {"text/html", "text/plain"}
    assert saved(place)["Tensor.__add__"]["status"] == "not yet"


def test_from_cell_to_card_is_quick(notebook):
    notebook.exercise("Tensor.__init__")
    notebook.exercise("add")
    took = []
    for i in range(9):
        start = time.process_time()
        notebook.exercise("Tensor.__add__", f"# {i}\n" + ANSWERS["Tensor.__add__"])
        took.append(time.process_time() - start)
    assert sorted(took)[4] < 0.25

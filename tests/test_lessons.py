"""What every lesson in content/ promises: its anatomy, cells that work, PyTorch lines that are true.

Each test runs once for each `content/NN_name.md`; a new lesson is covered as soon as it exists.
"""

from __future__ import annotations

import ast
import contextlib
import doctest
import io
import os
import re
import sys
import tokenize
import tomllib
import types
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any, NamedTuple

import jupytext
import nbclient
import pytest

import tinytorch
from checks import source

ROOT = Path(__file__).parent.parent
CONTENT = ROOT / "content"
COURSE = tomllib.loads((CONTENT / "course.toml").read_text(encoding="utf-8"))
PATHS = sorted(CONTENT.glob("[0-9][0-9]_*.md"))

LONGEST_CELL = 15
CLOSING = (
    "The program from the top",
    "Given to you in ",
    "What you built",
    "What it costs",
    "Questions worth arguing about",
    "Glossary",
    "What comes next",
)
MODULES_WITH_MORE_MEASUREMENTS = {"01": 5}  # the others need three
EXERCISE = re.compile(r"%%exercise (\S+)")
EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\ufe0f]")


class Lesson(NamedTuple):
    """A lesson: its text, its cells (type, source), and what course.toml says of its module."""

    path: Path
    text: str
    cells: list[tuple[str, str]]
    metadata: dict[str, Any]
    module: dict[str, Any]

    @property
    def code(self) -> list[str]:
        return [text for kind, text in self.cells if kind == "code"]

    @property
    def markdown(self) -> str:
        return "\n\n".join(text for kind, text in self.cells if kind == "markdown")

    @property
    def prose(self) -> str:
        """Markdown without fenced blocks, formulas, code, links' targets and HTML."""
        text = re.sub(r"^```.*?^```", "", self.markdown, flags=re.MULTILINE | re.DOTALL)
        text = re.sub(r"\$\$.*?\$\$|\$[^$]+\$", "", text, flags=re.DOTALL)
        return re.sub(r"`[^`]*`|!\[|\]\([^)]*\)|<[^>]*>", "", text)

    @property
    def exercises(self) -> list[str]:
        return [match[1] for cell in self.code if (match := EXERCISE.match(cell))]

    @property
    def package_files(self) -> list[str]:
        """Texts of the module's file and of the others that hold exercises of this lesson."""
        own = ROOT / "tinytorch" / self.module["file"]
        others = (path.read_text(encoding="utf-8") for path in sorted(own.parent.glob("*.py")) if path != own)
        texts = [own.read_text(encoding="utf-8")]
        left = set(self.exercises) - set(source.defined(texts[0]))
        for text in others:
            if left & set(source.defined(text)):
                texts.append(text)
                left -= set(source.defined(text))
        return texts

    def definition(self, name: str) -> str:
        """Source of an exercise."""
        home = next(text for text in self.package_files if name in source.defined(text))
        return source.definition(home, name)

    def headings(self, level: int) -> list[str]:
        return re.findall(rf"^{'#' * level} (.+)$", self.outside_fences, flags=re.MULTILINE)

    @property
    def outside_fences(self) -> str:
        return re.sub(r"^```.*?^```", "", self.text, flags=re.MULTILINE | re.DOTALL)

    def sections(self) -> dict[str, str]:
        """Text below each heading of level 2, code cells included."""
        parts = re.split(r"^## (.+)$", self.text, flags=re.MULTILINE)
        return dict(zip(parts[1::2], parts[2::2], strict=True))


def load(path: Path) -> Lesson:
    text = path.read_text(encoding="utf-8")
    notebook = jupytext.reads(text, fmt="md:myst")
    cells = [(cell.cell_type, cell.source) for cell in notebook.cells]
    module = next(m for m in COURSE["modules"] if f"{m['id']}_{m['name']}" == path.stem)
    return Lesson(path, text, cells, notebook.metadata, module)


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def lesson(request: pytest.FixtureRequest) -> Lesson:
    return load(request.param)


def is_magic(cell: str) -> bool:
    return cell.startswith("%")


def python_parts(cell: str) -> list[str]:
    """The Python of a cell that is not an exercise: without its magics, `%%measure` cut at `# vs`."""
    lines = cell.split("\n")
    if lines[0].startswith("%%measure"):
        return re.split(r"^# vs$", "\n".join(lines[1:]), flags=re.MULTILINE)
    return ["\n".join(line for line in lines if not line.startswith("%"))]


def test_there_are_lessons() -> None:
    assert PATHS


def test_front_matter_names_the_kernel_of_the_page(lesson: Lesson) -> None:
    kernel = lesson.metadata["kernelspec"]
    assert (kernel["name"], kernel["display_name"]) == ("python", "Python (Pyodide)")


def test_title_and_closing_sections(lesson: Lesson) -> None:
    assert lesson.headings(1) == [f"Module {lesson.module['id']}: {lesson.module['title']}"]
    headings = lesson.headings(2)
    assert headings[-len(CLOSING) : -len(CLOSING) + 2] == [CLOSING[0], CLOSING[1] + lesson.module["file"]]
    assert tuple(headings[-len(CLOSING) + 2 :]) == CLOSING[2:]


def test_a_cell_holds_one_section_at_most(lesson: Lesson) -> None:
    """A cell break (`+++`) stands before a section that follows text: a cell stays small enough to edit."""
    for kind, text in lesson.cells:
        plain = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
        headings = re.findall(r"^##? .+$", plain, flags=re.MULTILINE)
        assert kind == "code" or len(headings) <= 1, headings


def test_parts_are_lettered_and_end_in_pytorch(lesson: Lesson) -> None:
    parts = [heading for heading in lesson.headings(2) if re.match(r"[A-Z]\. ", heading)]
    assert [part[0] for part in parts] == [chr(ord("A") + i) for i in range(len(parts))]
    assert parts
    sections = lesson.sections()
    for part in parts:
        assert "### In PyTorch" in sections[part], f"part {part[0]} does not show the same in PyTorch"
        last = re.findall(r"^### (.+)$", sections[part], flags=re.MULTILINE)[-1]
        assert last == "In PyTorch", f"part {part[0]} ends with {last}"
    for heading, text in sections.items():
        assert heading in parts or not EXERCISE.search(text), f"an exercise outside the parts, in {heading}"


def test_first_code_cell_imports_the_library(lesson: Lesson) -> None:
    assert lesson.code[0] == "import tinytorch as tt"


def test_exercise_cells_hold_only_the_magic(lesson: Lesson) -> None:
    for cell in lesson.code:
        if cell.startswith("%%exercise"):
            assert re.fullmatch(EXERCISE.pattern, cell), cell


def test_exercises_exist_in_the_package_and_come_once(lesson: Lesson) -> None:
    names = lesson.exercises
    assert len(names) == len(set(names))
    missing = set(names) - {name for text in lesson.package_files for name in source.defined(text)}
    assert not missing, f"not defined in tinytorch/: {sorted(missing)}"


def test_exercises_are_numbered_in_the_text(lesson: Lesson) -> None:
    """`**Exercise 7.**`, `**Exercises 8 and 9.**`, `**Exercises 12 to 15.**` stand before as many exercise cells."""
    position = 0
    event = re.compile(r"\*\*Exercises? (\d+)(?: (?:and|to) (\d+))?\.\*\*|%%exercise \S+")
    announced: list[int] = []
    for match in event.finditer(lesson.text):
        if match[0].startswith("%%"):
            assert announced, f"{match[0]} has no number in the text before it"
            position = announced.pop(0)
        else:
            assert not announced, f"{match[0]} comes before the cells of {announced}"
            first, last = int(match[1]), int(match[2] or match[1])
            assert first == position + 1
            announced = list(range(first, last + 1))
    assert not announced
    assert position == len(lesson.exercises)


def test_code_cells_are_short_and_parse(lesson: Lesson) -> None:
    for cell in lesson.code:
        assert len(cell.split("\n")) <= LONGEST_CELL, cell
        if not cell.startswith("%%exercise"):
            for part in python_parts(cell):
                ast.parse(part)


def test_hints_and_solutions_in_the_text_name_exercises(lesson: Lesson) -> None:
    for name in re.findall(r"%(?:hint|solution|recall) ([A-Za-z_][\w.]*)", lesson.markdown):
        assert name in lesson.exercises


def test_measurements_are_predicted_and_explained(lesson: Lesson) -> None:
    """Each one: a question in the last text before it, folded words on it in the first text after it."""
    found = 0
    for i, (kind, text) in enumerate(lesson.cells):
        if kind != "code" or not re.search(r"^%%measure|\b(measure|seconds)\(", text):
            continue
        before = next(text for kind, text in reversed(lesson.cells[:i]) if kind == "markdown")
        after = next(text for kind, text in lesson.cells[i:] if kind == "markdown")
        assert "**Predict.**" in before, f"nothing to predict before\n{text}"
        assert "<details>" in after, f"nothing to explain after\n{text}"
        found += 1
    assert found >= MODULES_WITH_MORE_MEASUREMENTS.get(lesson.module["id"], 3)


def test_charts_have_alternative_text(lesson: Lesson) -> None:
    calls = [
        node
        for cell in lesson.code
        if not is_magic(cell)
        for node in ast.walk(ast.parse(cell))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "chart"
    ]
    assert calls
    for call in calls:
        alt = next((keyword.value for keyword in call.keywords if keyword.arg == "alt"), None)
        assert isinstance(alt, ast.Constant) and len(str(alt.value)) > 40, ast.unparse(call)


def test_every_question_to_predict_has_a_folded_answer(lesson: Lesson) -> None:
    for i, (kind, text) in enumerate(lesson.cells):
        asked = text.rfind("**Predict.**") if kind == "markdown" else -1
        if asked < 0 or "<details>" in text[asked:]:
            continue
        after = next((text for kind, text in lesson.cells[i + 1 :] if kind == "markdown"), "")
        assert after.startswith("<details>"), text[asked : asked + 200]


def test_folded_text_is_well_formed(lesson: Lesson) -> None:
    """Markdown inside <details> is read as such only after an empty line."""
    text = lesson.outside_fences
    assert text.count("<details>") == text.count("</details>") == text.count("<summary>")
    for line in re.findall(r"^.*<details>.*$", text, flags=re.MULTILINE):
        assert re.fullmatch(r"<details><summary>.+</summary>", line), line
    assert len(re.findall(r"<details><summary>.+</summary>\n\n", text)) == text.count("<details>")
    assert len(re.findall(r"\n\n</details>\n", text)) == text.count("<details>")


def test_questions_at_the_end(lesson: Lesson) -> None:
    questions = re.findall(r"<summary>(\d+)\. (.+?)</summary>", lesson.sections()["Questions worth arguing about"])
    assert [int(number) for number, _ in questions] == list(range(1, len(questions) + 1))
    assert len(questions) >= 6
    assert all(question.endswith("?") for _, question in questions)


def test_glossary_and_links_agree(lesson: Lesson) -> None:
    glossary = lesson.sections()["Glossary"]
    entries = re.findall(r'^- <a id="([\w-]+)"></a>\*\*(.+?)\*\*: .+', glossary, flags=re.MULTILINE)
    assert len(entries) == len(re.findall(r"^- ", glossary, flags=re.MULTILINE)), "an entry in another form"
    anchors = [anchor for anchor, _ in entries]
    assert len(set(anchors)) == len(anchors)
    assert [term.lower() for _, term in entries] == sorted(term.lower() for _, term in entries)
    linked = re.findall(r"\]\(#([\w-]+)\)", lesson.markdown)
    assert not set(linked) - set(anchors), "links without an entry"
    assert not set(anchors) - set(linked), "entries that nothing links to"
    assert len(linked) == len(set(linked)), "a term is linked where it is used first, and only there"


def test_figures(lesson: Lesson) -> None:
    images = re.findall(r"!\[(.*?)\]\((.*?)\)", lesson.outside_fences)
    for alt, target in images:
        assert len(alt) > 40, f"{target}: say in words what the figure shows"
        assert "[" not in alt, f"{target}: a bracket in the text would end it"
        figure = ElementTree.parse(CONTENT / target).getroot()
        names = [element.tag.rpartition("}")[2] for element in figure.iter()]
        assert names[:3] == ["svg", "title", "desc"], target
        assert "script" not in names and "image" not in names and "foreignObject" not in names
        assert figure.get("viewBox") and figure.get("role") == "img"
        background = next(element for element in figure.iter() if element.tag.endswith("}rect"))
        assert background.get("fill") == "#ffffff", f"{target}: unreadable in the dark without a background"
    drawn = {f"figures/{path.name}" for path in (CONTENT / "figures").glob(f"{lesson.module['id']}_*")}
    assert drawn == {target for _, target in images}


def test_prose_is_plain(lesson: Lesson) -> None:
    assert not re.search(r"\w!(?=\s|$)", lesson.prose), "exclamation mark"
    assert not EMOJI.search(lesson.text)
    assert "—" not in lesson.prose


def test_public_definitions_are_exercises_or_given(lesson: Lesson) -> None:
    """Of the module's file: everything without a leading underscore, and every operator."""
    given = lesson.sections()[CLOSING[1] + lesson.module["file"]]
    named = set(re.findall(r"`([\w.]+)`", given))
    named |= {name.rpartition(".")[2] for name in named}
    written = set(lesson.exercises)
    with_exercise = {name.partition(".")[0] for name in written}
    missing = []
    for name in (name for text in lesson.package_files for name in source.defined(text)):
        owner, _, last = name.rpartition(".")
        public = not last.startswith("_") or last.startswith("__")
        if public and name not in written | with_exercise and last not in named and owner not in named:
            missing.append(name)
    assert not missing, "neither an exercise nor named as given"


def code_lines(text: str) -> set[int]:
    """Numbers of the lines with code: no blank ones, comments or docstrings."""
    silent = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    found = {n for t in tokens if t.type not in silent for n in range(t.start[0], t.end[0] + 1)}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            found -= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    return found


def test_most_of_the_modules_file_is_written_by_the_student(lesson: Lesson) -> None:
    """Exercises of all lessons count: the backward methods of module 06 stand beside the forward ones of 02."""
    text = lesson.package_files[0]
    names = {name for path in PATHS for name in load(path).exercises} & set(source.defined(text))
    inside = {n for name in names for span in source.spans(text, name) for n in range(span.first, span.last + 1)}
    lines = code_lines(text)
    assert len(lines & inside) / len(lines) >= 0.6


def pytorch_blocks(lesson: Lesson) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", lesson.text, flags=re.MULTILINE | re.DOTALL)


def has_name(module: types.ModuleType, dotted: str) -> bool:
    value: Any = module
    for part in dotted.split("."):
        if not hasattr(value, part):
            return False
        value = getattr(value, part)
    return True


def run_blocks(lesson: Lesson, torch: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run a lesson's PyTorch blocks in order in one namespace, `import torch` giving `torch`; count examples."""
    monkeypatch.setitem(sys.modules, "torch", torch)
    namespace: dict[str, Any] = {}
    runner = doctest.DocTestRunner(verbose=False)
    tried = 0
    for number, block in enumerate(pytorch_blocks(lesson), 1):
        if not all(has_name(torch, name) for name in re.findall(r"\btorch\.([A-Za-z_][\w.]*)", block)):
            assert torch is tinytorch, f"block {number} uses a name that PyTorch does not have"
            continue
        if ">>>" in block:
            test = doctest.DocTestParser().get_doctest(block, namespace, f"block {number}", lesson.path.name, 0)
            report = io.StringIO()
            with contextlib.redirect_stdout(report):
                failed = runner.run(test, clear_globs=False).failed
            assert not failed, report.getvalue()
            tried += len(test.examples)
            namespace = test.globs
        else:
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(block, f"block {number}", "exec"), namespace)
    return tried


def test_pytorch_blocks_are_true(lesson: Lesson, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    parts = [heading for heading in lesson.headings(2) if re.match(r"[A-Z]\. ", heading)]
    assert run_blocks(lesson, torch, monkeypatch) >= 2 * len(parts)


def test_pytorch_blocks_are_true_of_tinytorch(lesson: Lesson, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_blocks(lesson, tinytorch, monkeypatch) >= 2


def test_opening_program_returns_at_the_end(lesson: Lesson) -> None:
    opening = pytorch_blocks(lesson)[0]
    assert ">>>" not in opening
    assert lesson.text.index(opening) < lesson.text.index("{code-cell}")
    last = [cell for cell in lesson.code if cell.startswith("import tinytorch as torch")]
    assert last == [opening.strip().replace("import torch\n", "import tinytorch as torch\n", 1)]


def solved(lesson: Lesson) -> Any:
    """The notebook with the package's own source in every exercise cell, earlier modules filled in on request."""
    notebook = jupytext.reads(lesson.text, fmt="md:myst")
    for cell in notebook.cells:
        if cell.cell_type == "code" and (match := EXERCISE.match(cell.source)):
            cell.source = f"%%exercise {match[1]}\n{lesson.definition(match[1])}"
    before = [m["id"] for m in COURSE["modules"] if m["id"] < lesson.module["id"]]
    load = "%load_ext checks" + (f"\n%fill {' '.join(before)}" if before else "")
    start = jupytext.reads(f"```{{code-cell}}\n{load}\n```\n", fmt="md:myst").cells
    notebook.cells[:0] = [cell for cell in start if cell.cell_type == "code"]
    return notebook


@pytest.mark.parametrize("lesson", PATHS[:2], ids=lambda path: path.stem, indirect=True)
def test_solved_lesson_runs_from_top_to_bottom(lesson: Lesson, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In Jupyter on CPython, the first lesson, and the second, which needs the first: every exercise passes.

    A cell that uses an exercise before it is written fails here, since its stub raises; so it does in the page, where
    `tests/browser/test_robot.py` runs all lessons.
    """
    monkeypatch.setenv("TINYTORCH_WORK", str(tmp_path / "tinytorch-work.json"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    notebook = solved(lesson)
    client = nbclient.NotebookClient(
        notebook, kernel_name="python3", timeout=120, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    cards = [cell for cell in notebook.cells if cell.cell_type == "code" and EXERCISE.match(cell.source)]
    assert len(cards) == len(lesson.exercises)
    for cell in cards:
        text = plain_output(cell)
        assert "passed" in text.lower() and "not yet" not in text.lower(), f"{cell.source}\n\n{text}"


def plain_output(cell: Any) -> str:
    """The text of a cell's outputs: streams, and the plain twin of rich output."""
    return "\n".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs)

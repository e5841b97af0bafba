"""checks/source.py: exercises as text."""

from __future__ import annotations

import ast

import kit_course
import pytest

from checks import source

TENSOR = kit_course.PACKAGE["tensor.py"]


def stubbed(name: str) -> str:
    return source.stub(TENSOR, name, source.not_written(name, "01", "Tensor"))


@pytest.mark.parametrize("name", kit_course.NAMES)
def test_a_stub_keeps_header_and_docstring_and_loses_the_body(name):
    stub = stubbed(name)
    text = source.definition(TENSOR, name)
    for mine, theirs in zip(ast.parse(stub).body, ast.parse(text).body, strict=True):
        assert ast.get_docstring(mine) == ast.get_docstring(theirs)  # type: ignore[arg-type]
        assert [ast.dump(d) for d in mine.decorator_list] == [ast.dump(d) for d in theirs.decorator_list]  # type: ignore[attr-defined]
    assert f'raise NotImplementedError("{name} is an exercise of module 01, Tensor: not written yet")' in stub
    assert source.is_stub(stub, stub)
    assert not source.is_stub(text, stub)


def test_a_stub_keeps_no_comment_of_the_body():
    assert "become float32" not in stubbed("Tensor.__init__")


def test_a_stripped_file_differs_only_in_the_bodies():
    stripped = source.strip(TENSOR, {"add": "gone", "Box": "gone"})
    assert source.definition(stripped, "mean") == source.definition(TENSOR, "mean")
    assert stripped.count('raise NotImplementedError("gone")') == 3
    with pytest.raises(KeyError, match="nothing"):
        source.strip(TENSOR, {"nothing": "gone"})


@pytest.mark.parametrize("name", kit_course.NAMES)
def test_taking_out_and_putting_in_gives_the_same_program(name):
    again = source.splice(TENSOR, name, source.definition(TENSOR, name))
    assert ast.dump(ast.parse(again)) == ast.dump(ast.parse(TENSOR))
    assert source.splice(again, name, source.definition(again, name)) == again


def test_a_property_keeps_getter_and_setter_together():
    text = source.definition(TENSOR, "Tensor.scale")
    assert text.startswith("@property\ndef scale") and "@scale.setter" in text


def test_an_answer_that_separates_nothing_else_replaces_a_separated_setter():
    text = (
        "class A:\n    @property\n    def x(self):\n        return 1\n\n    y = 2\n\n"
        "    @x.setter\n    def x(self, v):\n        pass\n\n    z = 3\n"
    )
    answer = "@property\ndef x(self):\n    return 5\n\n@x.setter\ndef x(self, v):\n    raise ValueError\n"
    spliced = source.splice(text, "A.x", answer)
    assert spliced.count("def x") == 2
    assert spliced.index("raise ValueError") < spliced.index("y = 2") < spliced.index("z = 3")
    ast.parse(spliced)


@pytest.mark.parametrize(
    "body",
    [
        '    text = """\n  keep\n\nthis"""\n    return text\n',
        "    text = '''a\n   b'''\n    return text\n",
        '    n = 3\n    text = f"""\n  {n} items\n {"x"}"""\n    return text\n',
        "    return (1 +\n2)\n",
        "    return '\\x0c' + 'a\\\nb'\n",
        '    text = """form\x0cfeed\n  end"""\n    return text\n',
    ],
)
def test_strings_over_several_lines_keep_their_content(body):
    answer = f"def describe(self):\n{body}"
    value = source.splice("class A:\n    def describe(self):\n        pass\n", "A.describe", answer)
    scope: dict[str, type] = {}
    exec(value, scope)
    direct: dict[str, object] = {}
    exec(answer, direct)
    assert scope["A"]().describe() == direct["describe"](None)  # type: ignore[operator]
    assert source.definition(value, "A.describe") == answer


def test_a_body_with_tabs_fits_into_a_class_with_spaces():
    answer = "def f(self):\n\tif True:\n\t\treturn 7\n"
    scope: dict[str, type] = {}
    exec(source.splice("class A:\n    def f(self):\n        pass\n    x = 1\n", "A.f", answer), scope)
    assert scope["A"]().f() == 7


def test_comments_around_an_answer_do_not_pile_up():
    answer = "# before\ndef add(a, b):\n    return a  # inside\n# after\n"
    once = source.splice(TENSOR, "add", answer)
    assert source.splice(once, "add", answer) == once
    assert "# inside" in once and "# before" not in once


GIVEN = stubbed("Tensor.__add__")
GOOD = "def __add__(self, other):\n    return add(self, other)\n"


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("", "empty"),
        ("   \n\n", "empty"),
        ("# only a comment\n", "only comments"),
        ("def __sub__(self, other):\n    pass\n", "defines the function `__sub__`"),
        ("x = 3\n" + GOOD, "line 2 of the cell is something else: `x = 3`"),
        (GOOD + "\nprint(1)\n", "line 5 of the cell"),
        ("import numpy\n" + GOOD, "`import numpy`"),
        (GOOD + "\ndef helper():\n    pass\n", "Move the helper into its body"),
        (GOOD + "\n" + GOOD, "twice; it should do so once"),
        ("def __add__(self):\n    pass\n", "should be `def __add__(self, other):`; the cell has `def __add__(self):`"),
        ("def __add__(self, b):\n    pass\n", "`def __add__(self, b):`"),
        ("def __add__(self, other=None):\n    pass\n", "`def __add__(self, other=None):`"),
        ("async def __add__(self, other):\n    pass\n", "`async def __add__(self, other):`"),
        ("class __add__:\n    pass\n", "`class __add__:`"),
        ("@staticmethod\n" + GOOD, "no decorator"),
    ],
)
def test_a_cell_that_is_not_an_answer_is_told_why(cell, says):
    with pytest.raises(source.AnswerError) as error:
        source.read_answer(cell, "Tensor.__add__", GIVEN)
    assert says in str(error.value)


@pytest.mark.parametrize(
    "cell",
    [
        GOOD,
        "\n\n" + GOOD,
        "# a comment\n" + GOOD + "\n# another\n",
        "def __add__(self: Tensor, other) -> 'Tensor':\n    return add(self, other)\n",
        "    def __add__(self, other):\n        return add(self, other)\n",
        "def __add__(self,\n            other):\n    return add(self, other)\n",
    ],
)
def test_layout_comments_and_annotations_are_the_students_own(cell):
    answer = source.read_answer(cell, "Tensor.__add__", GIVEN)
    assert "return add(self, other)" in answer
    ast.parse(answer)


@pytest.mark.parametrize("cell", ["def f(:\n", "def __add__(self, self):\n    pass\n", "%time x\n", "return 1 +\n"])
def test_syntax_errors_are_pythons(cell):
    with pytest.raises(SyntaxError):
        source.read_answer(cell, "Tensor.__add__", GIVEN)


def test_a_missing_decorator_is_named():
    given = stubbed("Tensor.scale")
    with pytest.raises(source.AnswerError, match="`@property`"):
        source.read_answer(source.definition(TENSOR, "Tensor.scale").replace("@property\n", ""), "Tensor.scale", given)
    getter = source.definition(TENSOR, "Tensor.scale").split("\n\n@scale")[0]
    with pytest.raises(source.AnswerError, match="once; it should do so twice"):
        source.read_answer(getter, "Tensor.scale", given)


def test_the_methods_of_a_class_keep_their_parameters():
    given = stubbed("Box")
    with pytest.raises(source.AnswerError, match=r"double\(self\)"):
        source.read_answer("class Box:\n    def double(self, n):\n        return 2\n", "Box", given)
    assert source.read_answer("class Box:\n    def double(self):\n        return 2\n", "Box", given)


@pytest.mark.parametrize(
    "body",
    [
        "pass",
        "...",
        '"""Sum."""',
        "raise NotImplementedError",
        'raise NotImplementedError("later")',
        '"""Sum."""\n    ...',
    ],
)
def test_a_body_that_does_nothing_is_a_stub(body):
    assert source.is_stub(f"def __add__(self, other):\n    # to do\n    {body}\n", GIVEN)


@pytest.mark.parametrize("body", ["return None", "return", "x = 1", "raise ValueError"])
def test_a_body_that_does_something_is_an_attempt(body):
    assert not source.is_stub(f"def __add__(self, other):\n    {body}\n", GIVEN)


def test_a_class_is_a_stub_until_one_method_is_written():
    given = stubbed("Box")
    assert source.is_stub("class Box:\n    def __init__(self, size=1):\n        pass\n", given)
    assert not source.is_stub("class Box:\n    def __init__(self, size=1):\n        self.size = size\n", given)


def test_the_message_of_a_stub_can_be_read_back():
    message = source.not_written("Tensor.__add__", "01", "Tensor")
    assert source.parse_not_written(message) == ("Tensor.__add__", "01", "Tensor")
    assert source.parse_not_written("something else") is None


def test_a_wrong_answer_loses_its_mark_and_takes_the_exercises_name():
    text = (
        "    @wrong(\n        'Tensor.zeros', says='')\n    @staticmethod\n    def zeros_off(n=1):\n        return 1\n"
    )
    answer = source.wrong_answer(text, "Tensor.zeros")
    assert answer.startswith("@staticmethod\ndef zeros(n=1):")
    assert source.wrong_answer("@checks.wrong('Box', says='')\nclass Bad(object):\n    pass\n", "Box").startswith(
        "class Box("
    )


def test_nodes_that_all_trees_share_do_not_lead_into_other_trees():
    """IPython's tracebacks note a parent on every node of a tree, also on those of which Python has only one."""
    large = ast.parse("x = " + "not " * 300 + "a")  # deeper than a copy could go
    for node in ast.walk(large):
        for child in ast.iter_child_nodes(node):
            child.parent = node
    try:
        given = "def f(a, *b, c: int = -1, **d):\n    raise NotImplementedError('x')\n"
        answer = "def f(a, *b, c=-1, **d):\n    if not a:\n        return 1\n    return 2\n"
        assert source.read_answer(answer, "f", given) == answer
        assert not source.is_stub(answer, given) and source.is_stub(given, given)
    finally:
        for node in ast.walk(large):
            vars(node).pop("parent", None)


@pytest.mark.parametrize(
    ("old", "new", "answer", "wanted"),
    [
        ("add", "sum_of", "def add(a, b):\n    return a + b  # add\n", "def sum_of(a, b):\n    return a + b  # add\n"),
        ("f", "g", "def f(n):\n    return n and f(n - 1) + x.f\n", "def g(n):\n    return n and g(n - 1) + x.f\n"),
        ("T.f", "T.g", "def f(self, f=1):\n    return self.f(f)\n", "def g(self, f=1):\n    return self.g(f)\n"),
        (
            "T.p",
            "T.q",
            "@property\ndef p(self):\n    return 1\n\n@p.setter\ndef p(self, p):\n    self._p = p\n",
            "@property\ndef q(self):\n    return 1\n\n@q.setter\ndef q(self, p):\n    self._p = p\n",
        ),
        ("Box", "Case", "class Box(Base):\n    def twin(self):\n        return Box()\n",
         "class Case(Base):\n    def twin(self):\n        return Case()\n"),
        ("f", "g", "def f(:\n", "def f(:\n"),
    ],
)  # fmt: skip
def test_an_answer_gets_the_new_name_of_its_exercise(old, new, answer, wanted):
    assert source.renamed(answer, old, new) == wanted

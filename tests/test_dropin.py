"""The scripts of tests/dropin give PyTorch's numbers and PyTorch's text when tinytorch stands in for it."""

import sys

import pytest
from dropin import harness

EXPECTED = harness.expected()


def check(name, library, tolerance):
    """Fail unless a script, run with this library, gives the frozen numbers and text."""
    row = harness.compare(name, library)
    assert not row["error"], f"{name}: {row['error']}"
    assert row["max_difference"] <= tolerance, row
    assert not row["text"], f"{name}: {row['text']}"


def test_the_frozen_results_are_of_every_script():
    assert list(EXPECTED) == list(harness.SCRIPTS)
    scripts = {path.stem for path in harness.FOLDER.glob("*.py")} - {"common", "harness", "speed"}
    assert scripts == set(harness.SCRIPTS)


@pytest.mark.parametrize("name", harness.SCRIPTS)
def test_a_script_runs_with_tinytorch_and_gives_pytorchs_curve(name):
    check(name, "tinytorch", harness.TOLERANCE)


@pytest.mark.parametrize("name", harness.SCRIPTS)
def test_the_frozen_results_are_what_pytorch_gives(name):
    check(name, "torch", 1e-4)


@pytest.mark.parametrize("name", harness.SCRIPTS)
def test_a_script_says_torch_and_knows_nothing_of_tinytorch(name):
    source = (harness.FOLDER / f"{name}.py").read_text()
    assert "import torch\n" in source
    assert "tinytorch" not in source


def test_the_harness_puts_the_modules_back():
    before = {name: module for name, module in sys.modules.items() if harness.is_torch(name)}
    with harness.library_as_torch("tinytorch"):
        import torch

        assert torch.__name__ == "tinytorch"
    assert {name: module for name, module in sys.modules.items() if harness.is_torch(name)} == before
    assert "common" not in sys.modules


def test_texts_are_compared_number_by_number_or_exactly():
    assert harness.text_difference("loss 1.2345", "loss 1.2344") == ""
    assert "line 1" in harness.text_difference("loss 1.2345", "loss 1.2344", exact=True)
    assert "line 1" in harness.text_difference("loss 1.24", "loss 1.23")
    assert "line 2" in harness.text_difference("a\n", "a\nb")

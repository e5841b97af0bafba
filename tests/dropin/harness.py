"""Run the scripts of this folder with PyTorch, or with tinytorch under PyTorch's name, and compare.

A script imports `torch` and nothing says which library that is. For a run with tinytorch, the harness puts
tinytorch's modules into `sys.modules` under the names in MODULES ("torch" -> tinytorch, "torch.nn" -> tinytorch.nn,
...), executes the file in a new namespace, and puts everything back. A script defines main(init) -> list of floats
(losses and other numbers); init is `common.fill`, which draws starting values with NumPy. What it prints is kept too.

    python tests/dropin/harness.py            compare every script, in a table
    python tests/dropin/harness.py gpt        run one script with tinytorch
    python tests/dropin/harness.py --refresh  run with PyTorch and freeze what came in expected.json

expected.json holds PyTorch's numbers and texts, so that the comparison needs no PyTorch.
"""

import contextlib
import importlib
import io
import json
import re
import sys
import types
import warnings
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
EXPECTED = FOLDER / "expected.json"
TOLERANCE = 1e-3
SCRIPTS = (
    "two_layer_net",
    "custom_function",
    "mlp_dataloader",
    "lenet",
    "gpt",
    "rnn",
    "checkpoint_resume",
    "vae",
    "resnet",
    "tour",
)
EXACT = ("tour",)  # every character of the output counts
MODULES = (
    *("", ".nn", ".nn.functional", ".nn.init", ".nn.utils", ".optim", ".optim.lr_scheduler", ".autograd"),
    *(".utils", ".utils.data", ".utils.checkpoint", ".cuda", ".linalg", ".nn.parameter", ".nn.modules"),
)
NUMBER = re.compile(r"-?\d+\.\d*(?:e[-+]?\d+)?")


@contextlib.contextmanager
def library_as_torch(library):
    """Let `import torch` mean this library ("torch" or "tinytorch") inside the with block."""
    if str(FOLDER.parents[1]) not in sys.path:
        sys.path.insert(0, str(FOLDER.parents[1]))
    kept = {name: module for name, module in sys.modules.items() if name == "common" or is_torch(name)}
    if library != "torch":
        aliases = {f"torch{part}": module for part in MODULES if (module := found(library + part))}
        for name in kept:
            del sys.modules[name]
        sys.modules.update(aliases)
    sys.modules.pop("common", None)
    sys.path.insert(0, str(FOLDER))
    try:
        yield
    finally:
        sys.path.remove(str(FOLDER))
        sys.modules.pop("common", None)
        if library != "torch":
            for name in [name for name in sys.modules if is_torch(name)]:
                del sys.modules[name]
            sys.modules.update(kept)


def is_torch(name):
    """Return whether a module belongs to PyTorch."""
    return name == "torch" or name.startswith("torch.")


def found(name):
    """Return the module of this name, or None when there is none."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if not name.startswith(str(error.name)):
            raise
        return None


def load(name, library):
    """Return a script of this folder as a module that uses this library."""
    script = types.ModuleType(f"dropin_{name}_{library}")
    path = FOLDER / f"{name}.py"
    sys.modules[script.__name__] = script  # dataclasses look their module up
    with library_as_torch(library):
        exec(compile(path.read_text(), path, "exec"), vars(script))
        script.fill = importlib.import_module("common").fill
    return script


def run(name, library):
    """Return the numbers that a script returns and the text that it prints. A NumPy warning is an error."""
    with library_as_torch(library), contextlib.redirect_stdout(io.StringIO()) as text, warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        script = load(name, library)
        if library == "torch":
            script.torch.set_num_threads(1)  # these sizes are too small for two
        numbers = script.main(script.fill)
    return [float(number) for number in numbers], text.getvalue()


def expected():
    """Return PyTorch's results by script: {"numbers": [...], "text": "..."}."""
    return json.loads(EXPECTED.read_text())


def text_difference(ours, theirs, exact=False):
    """Return the first line in which two outputs differ, "" for none.

    Unless exact, decimal numbers may differ by the tolerance.
    """
    our_lines, their_lines = ours.splitlines(), theirs.splitlines()
    for place in range(max(len(our_lines), len(their_lines))):
        mine, wanted = (lines[place] if place < len(lines) else "(nothing)" for lines in (our_lines, their_lines))
        same = mine == wanted
        if not (same or exact):
            pairs = list(zip(NUMBER.findall(mine), NUMBER.findall(wanted), strict=False))
            same = NUMBER.sub("#", mine) == NUMBER.sub("#", wanted)
            same = same and all(abs(float(a) - float(b)) <= TOLERANCE for a, b in pairs)
        if not same:
            return f"line {place + 1}: {mine!r} instead of {wanted!r}"
    return ""


def compare(name, library="tinytorch", theirs=None):
    """Return how a run differs from PyTorch's: {name, steps, max_difference, text, error}.

    max_difference is the largest difference of two numbers, relative to those above 1; text the first line
    that differs; error what the script raised, if it did.
    """
    row = {"name": name, "steps": 0, "max_difference": float("inf"), "text": "", "error": ""}
    theirs = theirs or expected()[name]
    try:
        numbers, text = run(name, library)
    except Exception as error:
        row["error"] = f"{type(error).__name__}: {error}"
        return row
    row["steps"] = len(numbers)
    row["text"] = text_difference(text, theirs["text"], name in EXACT)
    if len(numbers) == len(theirs["numbers"]):
        pairs = zip(numbers, theirs["numbers"], strict=True)
        row["max_difference"] = max((abs(a - b) / max(1.0, abs(b)) for a, b in pairs), default=0.0)
    return row


def run_all(library="tinytorch"):
    """Return compare() of every script."""
    return [compare(name, library) for name in SCRIPTS]


def refresh():
    """Freeze PyTorch's results."""
    results = {}
    for name in SCRIPTS:
        numbers, text = run(name, "torch")
        results[name] = {"numbers": [float(f"{number:.7g}") for number in numbers], "text": text}
    lines = (f"{json.dumps(name)}: {json.dumps(result)}" for name, result in results.items())
    EXPECTED.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def main(arguments):
    """Do what the module's docstring says."""
    if arguments == ["--refresh"]:
        refresh()
    elif arguments:
        script = load(arguments[0], "tinytorch")
        print(script.main(script.fill))
    else:
        for row in run_all():
            print(f"{row['name']:18} {row['steps']:4} {row['max_difference']:.1e}  {row['error']}{row['text']}")


if __name__ == "__main__":
    main(sys.argv[1:])

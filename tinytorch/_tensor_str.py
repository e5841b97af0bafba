"""How PyTorch prints a tensor. Reads the array only, so that printing works before any op does."""

import collections
import functools
from collections.abc import Callable

import numpy as np

PRECISION = 4  # digits after the point
THRESHOLD = 1000  # elements above which only the edges are shown
EDGE = 3  # elements shown at each edge
LINE_WIDTH = 80


def tensor_str(tensor):
    """Return the text that `repr` gives for a tensor."""
    array, suffixes = tensor.array, []
    if array.size == 0:
        body = "[]"
        if array.ndim != 1:
            suffixes.append(f"size={array.shape}")
    else:
        summarize = array.size > THRESHOLD
        write, width = number_format(edges(array) if summarize else array)
        body = nested(array, len("tensor("), summarize, write, width)
    if array.dtype != np.float32 and (array.size == 0 or array.dtype not in (np.int64, np.bool_)):
        suffixes.append(f"dtype={tensor.dtype}")
    if tensor.grad_fn is not None:
        suffixes.append(f"grad_fn=<{tensor.grad_fn.name()}>")
    elif tensor.requires_grad:
        suffixes.append("requires_grad=True")

    text = "tensor(" + body
    column = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if column + len(suffix) + 2 > LINE_WIDTH:
            text += ",\n" + " " * len("tensor(") + suffix
            column = len("tensor(") + len(suffix)
        else:
            text += ", " + suffix
            column += len(suffix) + 2
    return text + ")"


def edges(array):
    """Return the elements that a summary shows: the first and last three along each dimension."""
    for dim, size in enumerate(array.shape):
        if size > 2 * EDGE:
            array = np.take(array, [*range(EDGE), *range(size - EDGE, size)], axis=dim)
    return array


def number_format(array):
    """Return (function from a number to text, width): one format for all numbers of a tensor."""
    values = array.ravel()
    if array.dtype.kind != "f":
        return str, max(len(str(value)) for value in values.tolist())
    values = values[np.isfinite(values) & (values != 0)]
    if values.size == 0:  # only zeros, inf and nan
        return whole, 1
    size = np.abs(values.astype(np.float64))
    write: Callable[[float], str] = f"{{:.{PRECISION}f}}".format
    if size.max() / size.min() > 1000.0 or size.max() > 1.0e8 or size.min() < 1.0e-4:
        write = f"{{:.{PRECISION}e}}".format
    elif (values == np.ceil(values)).all():
        write = whole
    return write, max(len(write(value)) for value in values.tolist())


def whole(value):
    """Write a float without a fraction as `2.`, and inf and nan without the point."""
    return f"{value:.0f}." if np.isfinite(value) else f"{value:.0f}"


def nested(array, indent, summarize, write, width):
    """Return the numbers of the array in nested brackets, as PyTorch breaks the lines."""
    if array.ndim == 0:
        return write(array.item()).rjust(width)
    cut = summarize and len(array) > 2 * EDGE
    shown = [*array[:EDGE], *array[-EDGE:]] if cut else list(array)
    if array.ndim == 1:
        parts = [write(value.item()).rjust(width) for value in shown]
        if cut:
            parts.insert(EDGE, " ...")
        per_line = max(1, (LINE_WIDTH - indent) // (width + 2))
        lines = [", ".join(parts[i : i + per_line]) for i in range(0, len(parts), per_line)]
    else:
        lines = [nested(part, indent + 1, summarize, write, width) for part in shown]
        if cut:
            lines.insert(EDGE, "...")
    gap = "," + "\n" * max(1, array.ndim - 1) + " " * (indent + 1)
    return "[" + gap.join(lines) + "]"


@functools.cache
def return_type(name):
    """Return the class of the named tuple (values, indices) that the operation of a name returns."""

    def text(self):
        return f"torch.return_types.{name}(\nvalues={self.values!r},\nindices={self.indices!r})"

    return type(name, (collections.namedtuple(name, ("values", "indices")),), {"__repr__": text, "__slots__": ()})

"""Gradients on request, and the Jacobians that `gradcheck` compares (given in module 06)."""

import numpy as np

from . import _backward
from ._backward import run_backward, starts
from ._nodes import edge_of
from .tensor import Tensor


def backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False, inputs=None):
    """Add the gradients of tensors to the `.grad` of the leaves behind them (see `Tensor.backward`)."""
    tensors = as_tuple(tensors)
    grads = [None] * len(tensors) if grad_tensors is None else as_tuple(grad_tensors)
    _backward.backward(tensors, grads, bool(retain_graph), create_graph, inputs)


def grad(outputs, inputs, grad_outputs=None, retain_graph=None, create_graph=False, allow_unused=False):
    """Return the gradients of the sum of outputs with respect to each of inputs, leaving every `.grad` alone.

    grad_outputs: for each output a tensor of its shape (None stands for 1 where there is one element).
    Raises RuntimeError when an input does not require grad or, unless allow_unused, has no part in outputs.

    >>> x = tt.tensor([1.0, 2.0], requires_grad=True)
    >>> tt.autograd.grad((x * x).sum(), x)
    (tensor([2., 4.]),)
    """
    outputs, inputs = as_tuple(outputs), as_tuple(inputs)
    wanted = [edge_of(x) for x in inputs]
    if None in wanted:
        raise RuntimeError("One of the differentiated Tensors does not require grad")
    grads = [None] * len(outputs) if grad_outputs is None else as_tuple(grad_outputs)
    edges, first = starts(outputs, grads, create_graph)
    found = run_backward(edges, first, bool(retain_graph), wanted)
    if not allow_unused and any(g is None for g in found):
        raise RuntimeError(
            "One of the differentiated Tensors appears to not have been used in the graph. "
            "Set allow_unused=True if this is the desired behavior."
        )
    return tuple(None if g is None else Tensor(np.array(g)) for g in found)


def as_tuple(x):
    """Return a tensor as a tuple of one, and several tensors as a tuple."""
    return (x,) if isinstance(x, Tensor) else tuple(x)


class GradcheckError(RuntimeError):
    """What `gradcheck` raises when two gradients differ."""


def jacobian(out, x):
    """Return the Jacobian (elements of out, elements of x) row by row, from backward."""
    rows = []
    for i in range(out.numel()):
        one = np.zeros(out.numel(), out.array.dtype)
        one[i] = 1
        (row,) = grad(out, x, Tensor(one.reshape(out.shape)), retain_graph=True, allow_unused=True)
        rows.append(np.zeros(x.numel()) if row is None else row.array.ravel())
    return np.stack(rows)


def mismatch(number, place, out, x, analytical, numerical, close):
    """Return the message of a GradcheckError: output, input, first element where close is False, both numbers."""
    i, j = np.argwhere(~close)[0]
    row, column = np.unravel_index(i, out.shape), np.unravel_index(j, x.shape)
    return (
        f"Jacobian mismatch: d output {number}{[*map(int, row)]} / d input {place}{[*map(int, column)]} "
        f"is {numerical[i, j]:.6g} by differences, but backward gives {analytical[i, j]:.6g} "
        f"({int((~close).sum())} of {close.size} entries differ)"
    )

"""The ways to start a walk back: from losses, for all leaves or for chosen inputs (given in module 06)."""

import functools
from typing import Any

import numpy as np

from ._nodes import arrived, edge_of
from ._tensor_base import TensorBase
from .graph import add_to_leaf, topological_order, walk


def backward(tensors, gradients, retain_graph=False, create_graph=False, inputs=None):
    """Add the gradients of tensors to the `.grad` of all leaves behind them, or of `inputs` only.

    gradients: one for each tensor; None stands for 1 where a tensor has one element.
    """
    edges, first = starts(tensors, gradients, create_graph)
    if inputs is None:
        run_backward(edges, first, retain_graph)
        return
    inputs = [inputs] if isinstance(inputs, TensorBase) else list(inputs)
    for x, grad in zip(inputs, run_backward(edges, first, retain_graph, [edge_of(x) for x in inputs]), strict=True):
        if grad is not None:
            add_to_leaf(x, grad)


def starts(tensors, gradients, create_graph=False):
    """Return (edges, arrays) that `run_backward` starts from. Raises RuntimeError where there is no way back."""
    if create_graph:
        raise RuntimeError("create_graph=True is not supported: gradients here have no gradients of their own")
    edges, arrays = [], []
    for i, (tensor, gradient) in enumerate(zip(tensors, gradients, strict=True)):
        edge = edge_of(tensor)
        if edge is None:
            raise RuntimeError(f"element {i} of tensors does not require grad and does not have a grad_fn")
        if gradient is None and tensor.array.size != 1:
            raise RuntimeError("grad can be implicitly created only for scalar outputs")
        array = np.ones_like(tensor.array) if gradient is None else gradient.array
        if array.shape != tensor.array.shape:
            shapes = f"a shape of {array.shape} and output[{i}] has a shape of {tensor.array.shape}"
            raise RuntimeError(f"Mismatch in shape: grad_output[{i}] has {shapes}")
        edges.append(edge)
        arrays.append(array.astype(tensor.array.dtype, copy=False))
    return edges, arrays


def run_backward(targets, grads, retain_graph=False, wanted=None):
    """Send gradients from targets back through the graph (see `walk`).

    targets: edges (see `edge_of`), grads: an array for each. Leaves add what arrives to their `.grad`; when
    `wanted`, a list of edges, is given, nothing is added and a list of their gradients (or None) is returned.
    Raises RuntimeError at a node whose arrays were dropped before.
    """
    pending: dict[Any, Any] = {}
    for edge, grad in zip(targets, grads, strict=True):
        pending[edge] = pending[edge] + grad if edge in pending else grad
    order = topological_order([edge[0] for edge in targets])
    if wanted is None:
        return walk(order, pending, retain_graph)
    found: dict[Any, Any] = {}
    ends = {edge[0]: edge[0].keepers for edge in wanted}
    leading = _leading_to(ends, order)
    for edge in set(wanted):
        edge[0].keepers = (*edge[0].keepers, (edge[1], functools.partial(_keep, found, edge)))
    try:
        walk([target for target in order if target in leading], pending, retain_graph)
        for target in order:
            if target in ends and target not in leading:
                arrived(target, pending)
    finally:
        for target, keepers in ends.items():
            target.keepers = keepers
    return [found.get(edge) for edge in wanted]


def _keep(found, edge, grad):
    found[edge] = grad
    return grad


def _leading_to(wanted, order):
    """Return the nodes of a topological order whose inputs lead to one of wanted."""
    reached, leading = set(wanted), set()
    for target in reversed(order):
        if any(edge and edge[0] in reached for edge in getattr(target, "edges", ())):
            reached.add(target)
            leading.add(target)
    return leading

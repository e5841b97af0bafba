"""The nodes of a graph and what the walk through it asks of them (given in module 06; the walk is in graph.py).

A node is one call of an operation. Its edges lead, one per input, to what made that input: another node, or
the input itself when it is a leaf that wants a gradient. Nodes keep arrays, never the tensors they came from.
"""

import sys
from typing import Any

import numpy as np

from ._tensor_base import TensorBase

# what a node still has after its arrays were dropped
_OF_GRAPH = {"options", "edges", "shapes", "needs_input_grad", "shape", "dtype", "hooks", "keepers", "freed"}

_PRINTED = {  # what PyTorch calls an operation, where it has another name; after a / the name of one along a dim
    "Sum": "Sum/SumBackward1", "Mean": "Mean/MeanBackward1", "Prod": "Prod/ProdBackward1", "Reshape": "View",
    "Max": "MaxBackward1/Max", "Min": "MinBackward1/Min", "Cast": "ToCopy", "ReLU": "Relu", "GELU": "Gelu",
    "LogSumExp": "Logsumexp", "CumSum": "Cumsum", "CumProd": "Cumprod", "Norm": "LinalgVectorNorm", "Square": "Pow",
    "Affine": "Addmm", "LeakyReLU": "LeakyRelu", "CrossEntropy": "NllLoss", "NLL": "NllLoss",
    "TakeRows": "Embedding", "Clamp": "ClampBackward1", "SiLU": "Silu", "LogAddExp": "Logaddexp",
    "Windows": "Unfold", "Standardize": "NativeLayerNorm",
}  # fmt: skip


def _held_once():
    node = [object()].pop()
    return sys.getrefcount(node)


_HELD_ONCE = _held_once()  # what getrefcount says of an object that one variable holds; depends on Python's release


class GradMode:
    """Whether operations are recorded: switched by `no_grad`, `enable_grad` and `inference_mode`."""

    enabled = True
    inference = False


def is_grad_enabled():
    """Return whether operations are being recorded."""
    return GradMode.enabled


class Node:
    """One call of an operation: where its gradients go, and what it keeps to compute them."""

    saves = ""  # which arrays the graph keeps for backward: "inputs", "output", "both" or none
    needs: tuple = ()  # for the gradient of each input, which inputs it is made of; all of them if not said
    outputs = 1  # number of tensors that the call returned
    edges: tuple = ()  # for each input (node or leaf, number of the output), or None
    shapes: tuple = ()  # of each input
    needs_input_grad: tuple = ()  # for each input, whether a gradient is wanted
    shape: tuple | None = ()  # of the output; None where there are several
    dtype: Any = None  # of the output, NumPy's
    hooks: tuple = ()  # (number of the output, function from gradient to gradient)
    keepers: tuple = ()  # the same; run after all hooks
    freed = False
    _inputs: tuple = ()
    _output: Any = None
    _versions: tuple = ()
    backward: Any

    def __init__(self, **options):
        self.options = options

    @property
    def inputs(self):
        """What forward got: arrays, and numbers as they were. Raises RuntimeError when changed in place since."""
        self._unchanged()
        return self._inputs

    @property
    def output(self):
        """What forward returned, an array. Raises RuntimeError when it was changed in place since."""
        self._unchanged()
        return self._output

    def _unchanged(self):
        for cell, version in self._versions:
            if cell[0] != version:
                raise RuntimeError(
                    "one of the variables needed for gradient computation has been modified by an inplace "
                    f"operation: {self.name()} kept version {version}, and it is at version {cell[0]} now"
                )

    def save(self, inputs, output):
        """Keep the arrays that `saves` names, and the versions their tensors have now."""
        kept = []
        if self.saves in ("inputs", "both"):
            self._inputs = tuple(x.array if isinstance(x, TensorBase) else x for x in inputs)
            used = {j for i, wanted in enumerate(self.needs_input_grad) if wanted for j in self._needed(i, inputs)}
            kept = [inputs[j] for j in used if isinstance(inputs[j], TensorBase)]
        if self.saves in ("output", "both"):
            self._output = output.array
            kept.append(output)
        self._versions = tuple((cell := x.version_cell(), cell[0]) for x in kept)

    def _needed(self, i, inputs):
        return self.needs[i] if self.needs else range(len(inputs))

    def __del__(self):
        """Let go of the nodes behind this one in a loop: the browser's stack ends at some 2,000 nested frees."""
        edges, self.edges = self.edges, ()
        nodes = [edge[0] for edge in edges if edge is not None]
        del edges
        while nodes:
            node = nodes.pop()
            if isinstance(node, Node) and sys.getrefcount(node) == _HELD_ONCE:
                edges, node.edges = node.edges, ()
                nodes += [edge[0] for edge in edges if edge is not None]
                del edges

    def release(self):
        """Drop the arrays that were kept for backward; what drew nothing from them can run again."""
        extra = [name for name in vars(self) if name not in _OF_GRAPH]
        for name in extra:
            delattr(self, name)
        self.freed = self.freed or bool(extra)

    def name(self):
        """Return the name that PyTorch prints for such a node."""
        name = type(self).__name__
        plain, _, with_dim = _PRINTED.get(name, name).partition("/")
        if name == "MatMul":
            plain = {"2 2": "Mm", "2 1": "Mv", "1 1": "Dot"}.get("%d %d" % (*map(len, self.shapes),), "UnsafeView")
        name = with_dim if with_dim and self.options.get("dim") is not None else plain
        return name if name[-1].isdigit() else f"{name}Backward0"

    @property
    def next_functions(self):
        """For each input (node, number of the output), with an AccumulateGrad where a leaf ends the graph."""
        return tuple((edge and (_as_node(edge[0]), edge[1])) or (None, 0) for edge in self.edges)

    def __repr__(self):
        return f"<{self.name()} object>"


class AccumulateGrad(Node):
    """The end of a path through the graph: gradients that arrive are added to `variable.grad`."""

    def __init__(self, variable):
        self.variable = variable

    def name(self):
        """Return the name that PyTorch prints for such a node."""
        return "AccumulateGrad"


def _as_node(target):
    return AccumulateGrad(target) if isinstance(target, TensorBase) else target


def edge_of(x):
    """Return (what made x or, for a leaf, x itself; number of the output), or None when x wants no gradient."""
    if not isinstance(x, TensorBase) or not x.requires_grad:
        return None
    return (x if x.grad_fn is None else x.grad_fn, x.output_nr)


def arrived(target, pending):
    """Take out of pending what arrived at target, after its hooks: a list with an array or None for each output."""
    count = 1 if isinstance(target, TensorBase) else target.outputs
    return [_hooked(target, i, pending.pop((target, i), None)) for i in range(count)]


def _hooked(target, number, grad):
    if grad is not None:
        for of, hook in (*target.hooks, *target.keepers):
            if of == number:
                grad = hook(grad)
    return grad


def input_grads(node, arrived):
    """Return what a node's backward makes of the gradients of its outputs, one for each input.

    Raises RuntimeError when its arrays were dropped, or when backward returned another number of gradients.
    """
    if node.freed:
        raise RuntimeError(
            "Trying to backward through the graph a second time: what it kept was freed by the first. "
            "Specify retain_graph=True if you need it twice."
        )
    with np.errstate(all="ignore"):
        grads = node.backward(*arrived)
    grads = grads if isinstance(grads, tuple) else (grads,)
    if len(grads) != len(node.edges):
        raise RuntimeError(f"{node.name()} returned {len(grads)} gradients for {len(node.edges)} inputs")
    return grads


class RemovableHandle:
    """What registering a hook returns."""

    def __init__(self, target, entry):
        self.target, self.entry = target, entry

    def remove(self):
        """Take the hook away."""
        self.target.hooks = tuple(entry for entry in self.target.hooks if entry is not self.entry)

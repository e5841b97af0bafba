"""The graph that `Function.apply` leaves behind, and the walk back through it that makes gradients (module 06).

A node is one call of an operation. Its edges lead, one per input, to what made that input: another node, or
the input itself when it is a leaf that wants a gradient. Nodes keep arrays, never the tensors they came from.
"""

import functools
import weakref
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


def record(ctx, inputs, output):
    """Note that the node `ctx` made `output` from `inputs`, if grad mode is on and an input wants a gradient.

    The node gets its edges, what backward asks for (shapes, needs_input_grad, kept arrays) and the shape and
    dtype that its gradient must have; output gets `grad_fn` and requires grad. Outputs that are no floats
    have no gradient.
    """
    edges = tuple(map(edge_of, inputs))
    if not GradMode.enabled or not any(edges) or output.array.dtype.kind != "f":
        return
    ctx.edges, ctx.needs_input_grad = edges, tuple(edge is not None for edge in edges)
    ctx.shapes = tuple(x.array.shape if isinstance(x, TensorBase) else () for x in inputs)
    ctx.shape, ctx.dtype = output.array.shape, output.array.dtype
    if ctx.saves:
        ctx.save(inputs, output)
    output.grad_fn = ctx
    output._requires_grad = True


def topological_order(targets):
    """Return all nodes and leaves that gradients reach from targets, each before those it sends gradients to.

    Iterative: a chain of 10,000 nodes is deeper than Python's stack. Raises nothing; there are no cycles.
    """
    order, seen, stack = [], set(), [(target, False) for target in targets]
    while stack:
        target, finished = stack.pop()
        if finished:
            order.append(target)
        elif id(target) not in seen:
            seen.add(id(target))
            stack.append((target, True))
            if not isinstance(target, TensorBase):
                stack += [(edge[0], False) for edge in target.edges if edge and id(edge[0]) not in seen]
    return order[::-1]


def unbroadcast(grad, shape):
    """Return a gradient summed over the dimensions that broadcasting added to shape or stretched from 1.

    Raises RuntimeError naming both shapes when the gradient cannot have come from that shape.
    """
    if grad.shape == shape:
        return grad
    extra = grad.ndim - len(shape)
    sizes = grad.shape[max(extra, 0) :]
    if extra < 0 or any(want not in (1, size) for want, size in zip(shape, sizes, strict=True)):
        raise RuntimeError(f"a gradient of shape {grad.shape} does not fit an input of shape {shape}")
    stretched = [extra + i for i, want in enumerate(shape) if want != sizes[i]]
    return grad.sum(axis=(*range(extra), *stretched)).reshape(shape)


def walk(order, pending, retain_graph=False):
    """Send gradients back along order (see `topological_order`); all that arrive at a target add up before it runs.

    pending: from edge, (node or leaf, number of the output), to the array that has arrived there so far.
    `arrived(target, pending)` takes out what arrived at a target, one array or None for each output. A leaf gets
    it by `add_to_leaf`, if there is any. A node turns it by `input_grads` into one gradient (or None) for each of
    its edges; what goes on along an edge is `fit` into shape first. Then the node is released, unless retain_graph.
    A node that nothing arrived at does not run.
    """
    for target in order:
        grads = arrived(target, pending)
        if all(grad is None for grad in grads):
            continue
        if isinstance(target, TensorBase):
            add_to_leaf(target, grads[0])
            continue
        for edge, grad in zip(target.edges, input_grads(target, grads), strict=True):
            if edge is not None and grad is not None:
                grad = fit(target, edge[0], grad)
                pending[edge] = pending[edge] + grad if edge in pending else grad
        if not retain_graph:
            target.release()


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


def arrived(target, pending):
    """Take out of pending what arrived at target, after its hooks: a list with an array or None for each output."""
    count = 1 if isinstance(target, TensorBase) else target.outputs
    return [_hooked(target, i, pending.pop((target, i), None)) for i in range(count)]


def _leading_to(wanted, order):
    """Return the nodes of a topological order whose inputs lead to one of wanted."""
    reached, leading = set(wanted), set()
    for target in reversed(order):
        if any(edge and edge[0] in reached for edge in getattr(target, "edges", ())):
            reached.add(target)
            leading.add(target)
    return leading


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


def fit(node, target, grad):
    """Return a gradient in the shape and dtype of what it is a gradient of."""
    like = target.array if isinstance(target, TensorBase) else target
    grad = np.asarray(grad)  # what has no dimensions easily becomes a NumPy scalar
    if like.shape is not None and grad.shape != like.shape:
        try:
            grad = unbroadcast(grad, like.shape)
        except RuntimeError as error:
            raise RuntimeError(f"{node.name()}: {error}") from None
    return grad if like.dtype is None or grad.dtype == like.dtype else grad.astype(like.dtype)


def _hooked(target, number, grad):
    if grad is not None:
        for of, hook in (*target.hooks, *target.keepers):
            if of == number:
                grad = hook(grad)
    return grad


def add_to_leaf(leaf, grad):
    """Add an array to `leaf.grad`, in place; the first makes it: a tensor of leaf's dtype with its own memory."""
    if leaf.grad is None:
        leaf.grad = leaf._wrap(np.array(grad, leaf.array.dtype))  # a copy: others may hold this array too
    else:
        leaf.grad.array[...] += grad


def add_hook(tensor, function):
    """Call function with each gradient that arrives at tensor; what it returns (if not None) goes on instead.

    function: Tensor -> Tensor or None. Returns a handle whose `remove()` takes the hook away again.
    """
    if not tensor.requires_grad:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    wrap = tensor._wrap

    def hook(grad):
        result = function(wrap(grad))
        return grad if result is None else result.array

    target = tensor if tensor.grad_fn is None else tensor.grad_fn
    entry = (tensor.output_nr, hook)
    target.hooks = (*target.hooks, entry)
    return RemovableHandle(target, entry)


class RemovableHandle:
    """What registering a hook returns."""

    def __init__(self, target, entry):
        self.target, self.entry = target, entry

    def remove(self):
        """Take the hook away."""
        self.target.hooks = tuple(entry for entry in self.target.hooks if entry is not self.entry)


def retain_grad(tensor):
    """Let a tensor that is no leaf keep its gradient in `.grad`, too."""
    if tensor.grad_fn is None or getattr(tensor, "retains_grad", False):
        return
    keeper = weakref.ref(tensor)  # the node must not keep its own output alive

    def keep(grad):
        if (tensor := keeper()) is not None:
            add_to_leaf(tensor, grad)
        return grad

    tensor.retains_grad = True
    tensor.grad_fn.keepers = (*tensor.grad_fn.keepers, (tensor.output_nr, keep))

"""Module 06, Autograd: the engine. `record` leaves a graph behind, `walk` goes back through it and makes gradients.

What a node is and keeps is in _nodes.py; each operation's own gradient stands beside its forward.
"""

import weakref

import numpy as np

from ._nodes import GradMode, Node, RemovableHandle, arrived, edge_of, input_grads, is_grad_enabled  # noqa: F401
from ._tensor_base import TensorBase


def record(ctx, inputs, output):
    """Note that the node `ctx` made `output`, a tensor, from `inputs`, tensors and numbers. Return nothing.

    Nothing is noted unless grad mode is on, an input has an edge (`edge_of`), and output holds floats. The node
    gets `edges` and `needs_input_grad` (a bool), `shapes` (() for a number), one each for every input; `shape` and
    `dtype`, those of output's array; and, if `ctx.saves` is not empty, what `ctx.save(inputs, output)` keeps. The
    output gets the node as `grad_fn`, and `_requires_grad`, True.
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
    """Return a list of all nodes and leaves that targets lead to, targets included, each before those it leads to.

    A node leads to edge[0] for every edge of its `edges` that is not None, a leaf (a TensorBase) to nothing. Each
    comes once. Iterative: a chain of 10,000 nodes is deeper than Python's stack. There are no cycles.
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
    """Return an array of this shape: grad summed over the dimensions that broadcasting added or stretched from 1.

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


def add_to_leaf(leaf, grad):
    """Add an array to `leaf.grad`, in place; the first makes it: a tensor with its own memory.

    Its numbers have the dtype of `leaf.array`, `leaf.array.dtype`, which is NumPy's (`leaf.dtype` is the library's).
    """
    if leaf.grad is None:
        leaf.grad = leaf._wrap(np.array(grad, leaf.array.dtype))  # a copy: others may hold this array too
    else:
        leaf.grad.array[...] += grad


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


class _Mode:
    """Sets the grad mode inside a `with` block; `no_grad` and its relatives are made of it."""

    inference = False

    def __init__(self, enabled):
        self.enabled = enabled

    def __enter__(self):
        """Note in self.before the pair (GradMode.enabled, GradMode.inference); then set both to self's own."""
        self.before = GradMode.enabled, GradMode.inference
        GradMode.enabled, GradMode.inference = self.enabled, self.inference

    def __exit__(self, *error):
        """Set GradMode's pair as self.before has it. Returns None, so that an error in the block goes on."""
        GradMode.enabled, GradMode.inference = self.before


def add_hook(tensor, function):
    """Call function with each gradient that arrives at tensor; what it returns (if not None) goes on instead.

    function: Tensor -> Tensor or None. The node that made tensor, or the leaf itself, gets one more entry at the end
    of its tuple `hooks`: (tensor.output_nr, a function from array to array). Returns RemovableHandle(node or leaf,
    entry), whose `remove()` takes the hook away again. Raises RuntimeError when tensor requires no gradient.
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


def retain_grad(tensor):
    """Let a tensor that is no leaf keep its gradient in `.grad`, too (`add_to_leaf` puts it there).

    Its node gets one more entry in `keepers`, a tuple like `hooks` that runs after all of them; `tensor.retains_grad`
    becomes True; a tensor that was never asked lacks it, so `getattr(tensor, "retains_grad", False)`. Does nothing for
    a leaf or the second time. The entry must not keep the tensor alive: it holds a `weakref.ref(tensor)`.
    """
    if tensor.grad_fn is None or getattr(tensor, "retains_grad", False):
        return
    keeper = weakref.ref(tensor)  # the node must not keep its own output alive

    def keep(grad):
        if (tensor := keeper()) is not None:
            add_to_leaf(tensor, grad)
        return grad

    tensor.retains_grad = True
    tensor.grad_fn.keepers = (*tensor.grad_fn.keepers, (tensor.output_nr, keep))

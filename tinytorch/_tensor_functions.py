"""Operations on tensors with any number of outputs: `autograd.Function`, and a call that runs again (given)."""

from typing import Any

import numpy as np

from ._grad_modes import no_grad
from ._gradients import as_tuple
from ._nodes import GradMode, Node, edge_of
from .creation import default_generator
from .tensor import Tensor


class TensorNode(Node):
    """A node whose backward takes and returns tensors, with any number of outputs."""

    def attach(self, edges, outputs):
        """Make this node the maker of outputs (tensors without a graph)."""
        self.edges, self.outputs = tuple(edges), len(outputs)
        self.made = [(x.array.shape, x.array.dtype) for x in outputs]
        self.shape, self.dtype = self.made[0] if len(outputs) == 1 else (None, None)
        for i, x in enumerate(outputs):
            if x.is_floating_point():
                x.grad_fn, x.output_nr, x._requires_grad = self, i, True

    def arrived(self, arrays):
        """Return the gradients of the outputs as tensors, zeros where none arrived."""
        pairs = zip(arrays, self.made, strict=True)
        return [Tensor(np.zeros(*made) if array is None else np.asarray(array)) for array, made in pairs]


class Function:
    """An operation of your own: subclass it with static methods `forward(ctx, ...)` and `backward(ctx, *grads)`.

    Both take and return tensors; backward returns one gradient (or None) for each input of forward. Call it by
    `apply`. ctx: `save_for_backward(*tensors)`, `saved_tensors`, `needs_input_grad`, and attributes of yours.
    forward may leave ctx out when there is a static method `setup_context(ctx, inputs, output)`.
    """

    forward: Any
    backward: Any
    setup_context: Any = None

    @classmethod
    def apply(cls, *args):
        """Run forward without recording and record this call as one node."""
        ctx = _Context(cls)
        edges = [edge_of(x) if GradMode.enabled else None for x in args]
        ctx.needs_input_grad = tuple(edge is not None for edge in edges)
        with no_grad():
            result = cls.forward(*args) if cls.setup_context else cls.forward(ctx, *args)
            if cls.setup_context:
                cls.setup_context(ctx, args, result)
        outputs = [x.detach() if any(x is arg for arg in args) else x for x in as_tuple(result)]
        if any(edges):
            ctx.attach(edges, outputs)
        for x in outputs:
            if any(x is other for other in ctx.not_differentiable):
                x.detach_()
        ctx.not_differentiable = ()
        return tuple(outputs) if isinstance(result, (tuple, list)) else outputs[0]


class _Context(TensorNode):
    """The ctx of a user's Function, and its node in the graph."""

    _saved: tuple = ()
    not_differentiable: tuple = ()
    materialize = True

    def __init__(self, function):
        self.function = function

    def name(self):
        """Return the name that PyTorch prints for such a node."""
        return f"{self.function.__name__}Backward"

    def save_for_backward(self, *tensors):
        """Keep tensors (or None) for backward."""
        self._saved = tuple(x if x is None else (x.array, x.version_cell(), x._version) for x in tensors)

    @property
    def saved_tensors(self):
        """The tensors that forward saved. Raises RuntimeError when changed in place since, or freed."""
        if self.freed:
            raise RuntimeError("Trying to backward through the graph a second time: the saved tensors were freed.")
        self._versions = tuple((cell, version) for _, cell, version in filter(None, self._saved))
        self._unchanged()
        return tuple(kept and Tensor(kept[0]) for kept in self._saved)

    def mark_non_differentiable(self, *tensors):
        """Note that these outputs have no gradient."""
        self.not_differentiable = tensors

    def set_materialize_grads(self, value):
        """Pass None (value False) instead of zeros to backward for outputs that no gradient reached."""
        self.materialize = value

    def release(self):
        """Drop what was saved."""
        self.freed, self._saved = self.freed or bool(self._saved), ()

    def backward(self, *arrays):
        """Call the user's backward with tensors."""
        grads = self.arrived(arrays)
        if not self.materialize:
            grads = [grad if array is not None else None for grad, array in zip(grads, arrays, strict=True)]
        with no_grad():
            result = self.function.backward(self, *grads)
        result = list(result) if isinstance(result, (tuple, list)) else [result]
        while len(result) > len(self.edges) and result[-1] is None:
            result.pop()
        if len(result) != len(self.edges):
            counts = f"(expected {len(self.edges)}, got {len(result)})"
            raise RuntimeError(f"function {self.name()} returned an incorrect number of gradients {counts}")
        return tuple(x if x is None else x.array for x in result)


class Rerun(TensorNode):
    """A call that runs again when its gradient is asked for."""

    parameters: list  # the leaves that function uses beside its arguments

    def __init__(self, function, args, kwargs, preserve):
        self.call = function, args, kwargs
        self.state = default_generator.rng.bit_generator.state if preserve else None

    def run(self):
        """Call the function on copies of its arguments that are leaves, so that its graph ends at them."""
        function, args, kwargs = self.call
        copies = [x.detach().requires_grad_(x.requires_grad) if isinstance(x, Tensor) else x for x in args]
        return function(*copies, **kwargs), copies

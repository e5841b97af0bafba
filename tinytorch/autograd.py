"""Module 06, Autograd: switch recording on and off, ask for gradients, check them, write operations, save memory.

The engine (recording, order, the walk back) is in graph.py; each operation's gradient stands beside its forward.
"""

import functools
import inspect
from typing import Any

import numpy as np

from . import graph
from .creation import default_generator
from .graph import GradMode, Node, edge_of, run_backward, starts
from .tensor import Tensor


class _Mode:
    """Sets the grad mode inside a `with` block, or while a decorated function or generator runs."""

    inference = False

    def __init__(self, enabled):
        self.enabled = enabled

    def __enter__(self):
        """Note the modes that hold now in self.before, and set self.enabled and self.inference."""
        self.before = GradMode.enabled, GradMode.inference
        GradMode.enabled, GradMode.inference = self.enabled, self.inference

    def __exit__(self, *error):
        """Set the modes as they were before; an error goes on."""
        GradMode.enabled, GradMode.inference = self.before

    def copy(self):
        """Return an equal context, for one call of a decorated function."""
        return type(self)(self.enabled)

    def __call__(self, function):
        if inspect.isgeneratorfunction(function):
            return self._around_generator(function)

        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            with self.copy():
                return function(*args, **kwargs)

        return wrapper

    def _around_generator(self, function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            items = function(*args, **kwargs)
            while True:  # the mode holds while the generator runs, not while its caller does
                with self.copy():
                    item = next(items, items)
                if item is items:
                    return
                yield item

        return wrapper


class no_grad(_Mode):
    """Do not record operations: a context manager, and a decorator with or without parentheses.

    >>> x = tt.ones(2, requires_grad=True)
    >>> with tt.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    def __new__(cls, function=None):
        return super().__new__(cls) if function is None else cls()(function)

    def __init__(self, function=None):
        super().__init__(False)

    def copy(self):
        """Return a new context of this kind."""
        return type(self)()


class enable_grad(no_grad):
    """Record operations again inside a `no_grad` block."""

    def __init__(self, function=None):
        _Mode.__init__(self, True)


class inference_mode(_Mode):
    """Do not record operations; `mode=False` records them. Tensors made here may join a graph later."""

    def __new__(cls, mode=True):
        return super().__new__(cls) if isinstance(mode, bool) else cls()(mode)

    def __init__(self, mode=True):
        super().__init__(not mode)
        self.inference = bool(mode)

    def copy(self):
        """Return a new context of this kind."""
        return type(self)(self.inference)


class set_grad_enabled(_Mode):
    """Record operations or not from now on; as a context manager, until its block ends.

    >>> _ = tt.set_grad_enabled(False)
    >>> tt.is_grad_enabled()
    False
    >>> _ = tt.set_grad_enabled(True)
    """

    def __init__(self, mode):
        super().__init__(bool(mode))
        self.outside = GradMode.enabled, GradMode.inference
        GradMode.enabled = self.enabled

    def __enter__(self):
        super().__enter__()
        self.before = self.outside

    def __call__(self, function):
        GradMode.enabled, GradMode.inference = self.outside  # a decorator changes nothing until the call
        return super().__call__(function)


def backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False, inputs=None):
    """Add the gradients of tensors to the `.grad` of the leaves behind them (see `Tensor.backward`)."""
    tensors = _as_tuple(tensors)
    grads = [None] * len(tensors) if grad_tensors is None else _as_tuple(grad_tensors)
    graph.backward(tensors, grads, bool(retain_graph), create_graph, inputs)


def grad(outputs, inputs, grad_outputs=None, retain_graph=None, create_graph=False, allow_unused=False):
    """Return the gradients of the sum of outputs with respect to each of inputs, leaving every `.grad` alone.

    grad_outputs: for each output a tensor of its shape (None stands for 1 where there is one element).
    Raises RuntimeError when an input does not require grad or, unless allow_unused, has no part in outputs.

    >>> x = tt.tensor([1.0, 2.0], requires_grad=True)
    >>> tt.autograd.grad((x * x).sum(), x)
    (tensor([2., 4.]),)
    """
    outputs, inputs = _as_tuple(outputs), _as_tuple(inputs)
    wanted = [edge_of(x) for x in inputs]
    if None in wanted:
        raise RuntimeError("One of the differentiated Tensors does not require grad")
    grads = [None] * len(outputs) if grad_outputs is None else _as_tuple(grad_outputs)
    edges, first = starts(outputs, grads, create_graph)
    found = run_backward(edges, first, bool(retain_graph), wanted)
    if not allow_unused and any(g is None for g in found):
        raise RuntimeError(
            "One of the differentiated Tensors appears to not have been used in the graph. "
            "Set allow_unused=True if this is the desired behavior."
        )
    return tuple(None if g is None else Tensor(np.array(g)) for g in found)


def _as_tuple(x):
    return (x,) if isinstance(x, Tensor) else tuple(x)


class _TensorNode(Node):
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
        outputs = [x.detach() if any(x is arg for arg in args) else x for x in _as_tuple(result)]
        if any(edges):
            ctx.attach(edges, outputs)
        for x in outputs:
            if any(x is other for other in ctx.not_differentiable):
                x.detach_()
        ctx.not_differentiable = ()
        return tuple(outputs) if isinstance(result, (tuple, list)) else outputs[0]


class _Context(_TensorNode):
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


class GradcheckError(RuntimeError):
    """What `gradcheck` raises when two gradients differ."""


def gradcheck(func, inputs, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True):
    """Compare the gradients of func at inputs with differences (f(x + eps) - f(x - eps)) / (2 eps); return True.

    func: tensors -> tensor or tuple of them; inputs: float64 tensors, those with requires_grad are checked.
    Raises GradcheckError (or returns False) naming output, input, element and both numbers where they differ.

    >>> x = tt.randn(3, dtype=tt.float64, requires_grad=True)
    >>> tt.autograd.gradcheck(lambda x: (x * x).sum(), (x,))
    True
    """
    inputs = _as_tuple(inputs)
    if not any(isinstance(x, Tensor) and x.requires_grad for x in inputs):
        raise ValueError("gradcheck expects at least one input that requires grad")
    for number, out in enumerate(_as_tuple(func(*inputs))):
        for place, x in enumerate(inputs):
            if not (isinstance(x, Tensor) and x.requires_grad and out.requires_grad):
                continue
            numerical = differences(func, inputs, x, number, eps)
            analytical = jacobian(out, x)
            wrong = ~np.isclose(analytical, numerical, rtol, atol)
            if wrong.any() and not raise_exception:
                return False
            if wrong.any():
                i, j = np.argwhere(wrong)[0]
                row, column = np.unravel_index(i, out.shape), np.unravel_index(j, x.shape)
                raise GradcheckError(
                    f"Jacobian mismatch: d output {number}{[*map(int, row)]} / d input {place}{[*map(int, column)]} "
                    f"is {numerical[i, j]:.6g} by differences, but backward gives {analytical[i, j]:.6g} "
                    f"({int(wrong.sum())} of {wrong.size} entries differ)"
                )
    return True


def differences(func, inputs, x, number, eps):
    """Return the Jacobian (elements of output `number`, elements of x) by central differences."""
    flat, columns = x.array.reshape(-1), []
    with no_grad():
        for j in range(flat.size):
            value, ends = flat[j], []
            for shifted in (value + eps, value - eps):
                flat[j] = shifted
                ends.append(_as_tuple(func(*inputs))[number].array.ravel().copy())
            flat[j] = value
            columns.append((ends[0] - ends[1]) / (2 * eps))
    return np.stack(columns, axis=1)


def jacobian(out, x):
    """Return the Jacobian (elements of out, elements of x) row by row, from backward."""
    rows = []
    for i in range(out.numel()):
        one = np.zeros(out.numel(), out.array.dtype)
        one[i] = 1
        (row,) = grad(out, x, Tensor(one.reshape(out.shape)), retain_graph=True, allow_unused=True)
        rows.append(np.zeros(x.numel()) if row is None else row.array.ravel())
    return np.stack(rows)


def checkpoint(function, *args, use_reentrant=False, preserve_rng_state=True, **kwargs):
    """Call function(*args, **kwargs) without keeping its graph; backward calls it again to get the graph back.

    Trades a second forward for the memory of the activations inside (Chen et al. 2016, arXiv:1604.06174).
    Gradients reach args and the leaves (parameters) that function uses. Random numbers repeat themselves
    unless preserve_rng_state is False. use_reentrant is accepted and ignored.
    """
    if not GradMode.enabled:
        return function(*args, **kwargs)
    ctx = _Checkpoint(function, args, kwargs, preserve_rng_state)
    result, copies = ctx.run()
    outputs = [x for x in _as_tuple(result) if x.grad_fn is not None]
    if outputs:
        reached = graph.topological_order([x.grad_fn for x in outputs])
        ctx.parameters = [x for x in reached if isinstance(x, Tensor) and not any(x is copy for copy in copies)]
        for x in outputs:
            x.detach_()  # the graph of this first call ends here
        ctx.attach(map(edge_of, (*args, *ctx.parameters)), outputs)
    return result


class _Checkpoint(_TensorNode):
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

    def backward(self, *arrays):
        """Run the function again, recording, and send the gradients back through it."""
        random = default_generator.rng.bit_generator
        now = random.state
        random.state = now if self.state is None else self.state
        with enable_grad():
            result, copies = self.run()
        random.state = random.state if self.state is None else now
        outputs = [edge_of(x) for x in _as_tuple(result) if x.grad_fn is not None]
        grads = [grad.array for grad in self.arrived(arrays)]
        wanted = [edge_of(x) for x in (*copies, *self.parameters)]
        found = iter(run_backward(outputs, grads, False, [edge for edge in wanted if edge]))
        return tuple(edge and next(found) for edge in wanted)

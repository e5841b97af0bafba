"""Module 06, Autograd: gradients under suspicion, and memory bought back. PyTorch's names for all of it.

The engine (recording, order, the walk back, hooks) is in graph.py; each operation's gradient beside its forward.
"""

import numpy as np

from ._backward import run_backward
from ._grad_modes import enable_grad, inference_mode, no_grad, set_grad_enabled  # noqa: F401
from ._gradients import GradcheckError, as_tuple, backward, grad, jacobian, mismatch  # noqa: F401
from ._tensor_functions import Function, Rerun  # noqa: F401
from .creation import default_generator
from .graph import GradMode, edge_of, topological_order
from .tensor import Tensor


def differences(func, inputs, x, number, eps):
    """Return all slopes of func's output `number` in x by differences, (f(x + eps) - f(x - eps)) / (2 eps).

    func: tensors -> tensor or tuple of them, called with inputs, without recording; x: one of inputs, float64. The
    result is an array (elements of the output, elements of x). x has its own numbers again at the end.
    """
    flat, columns = x.array.reshape(-1), []
    with no_grad():
        for j in range(flat.size):
            value, ends = flat[j], []
            for shifted in (value + eps, value - eps):
                flat[j] = shifted
                ends.append(as_tuple(func(*inputs))[number].array.ravel().copy())
            flat[j] = value
            columns.append((ends[0] - ends[1]) / (2 * eps))
    return np.stack(columns, axis=1)


def gradcheck(func, inputs, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True):
    """Compare the gradients of func at inputs with differences (f(x + eps) - f(x - eps)) / (2 eps); return True.

    func: tensors -> tensor or tuple of them; inputs: a tuple of float64 tensors, or a single one (`as_tuple` makes a
    tuple of either). For each output, and each input with requires_grad: `jacobian(out, x)` must be `np.isclose` to
    `differences(...)`, within rtol and atol, everywhere. Where it is not, raise GradcheckError of
    `mismatch(number, place, out, x, analytical, numerical, close)`, or return False if not raise_exception. Raises
    ValueError when no input is a tensor with requires_grad.

    >>> x = tt.randn(3, dtype=tt.float64, requires_grad=True)
    >>> tt.autograd.gradcheck(lambda x: (x * x).sum(), (x,))
    True
    """
    inputs = as_tuple(inputs)
    checked = [(place, x) for place, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]
    if not checked:
        raise ValueError("gradcheck expects at least one input that requires grad")
    for number, out in enumerate(as_tuple(func(*inputs))):
        for place, x in checked if out.requires_grad else []:
            numerical, analytical = differences(func, inputs, x, number, eps), jacobian(out, x)
            close = np.isclose(analytical, numerical, rtol, atol)
            if not close.all() and raise_exception:
                raise GradcheckError(mismatch(number, place, out, x, analytical, numerical, close))
            if not close.all():
                return False
    return True


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
    outputs = [x for x in as_tuple(result) if x.grad_fn is not None]
    if outputs:
        reached = topological_order([x.grad_fn for x in outputs])
        ctx.parameters = [x for x in reached if isinstance(x, Tensor) and not any(x is copy for copy in copies)]
        for x in outputs:
            x.detach_()  # the graph of this first call ends here
        ctx.attach(map(edge_of, (*args, *ctx.parameters)), outputs)
    return result


class _Checkpoint(Rerun):
    """A call whose backward runs the function again, to get the graph that was not kept."""

    def backward(self, *arrays):
        """Run the function again, recording, and return for each edge of this node a gradient, an array, or None.

        arrays: of each output, or None. `self.arrived(arrays)` are tensors for the results that are in a graph, in
        order; `self.run()` gives (result, copies of the arguments); `self.parameters` are the leaves that the function
        uses beside them. The generator `default_generator.rng.bit_generator` has a `state`: unless self.state is None,
        it is self.state for the second run, and afterwards what it was.
        """
        random = default_generator.rng.bit_generator
        now = random.state
        random.state = now if self.state is None else self.state
        with enable_grad():
            result, copies = self.run()
        random.state = random.state if self.state is None else now
        outputs = [edge_of(x) for x in as_tuple(result) if x.grad_fn is not None]
        grads = [g.array for g in self.arrived(arrays)]
        wanted = [edge_of(x) for x in (*copies, *self.parameters)]
        found = iter(run_backward(outputs, grads, False, [edge for edge in wanted if edge]))
        return tuple(edge and next(found) for edge in wanted)

"""Module 02: the activations as functions of tensors, of which nn.functional hands on most.

Each calls the operation of its name in activations.py, or is made of others here. `inplace` stores the result in
the memory of the input.
"""

import warnings

from ._pointwise import abs, tanh
from ._tensor_base import call


def _run(function, input, inplace):
    """Return function(input), put where input's numbers were if inplace."""
    return input._keep(function(input._source())) if inplace else function(input)


def relu(input, inplace=False):
    """Return the larger of each element and 0.

    >>> tt.nn.functional.relu(tt.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return _run(lambda x: call("ReLU", x), input, inplace)


def leaky_relu(input, negative_slope=0.01, inplace=False):
    """Return the elements, negative ones multiplied by negative_slope.

    >>> tt.nn.functional.leaky_relu(tt.tensor([-1.0, 2.0]), 0.1)
    tensor([-0.1000,  2.0000])
    """
    return _run(lambda x: call("LeakyReLU", x, negative_slope=negative_slope), input, inplace)


def elu(input, alpha=1.0, inplace=False):
    """Return the elements, a negative x as alpha * (e^x - 1)."""
    return _run(lambda x: call("ELU", x, alpha=alpha), input, inplace)


def gelu(input, approximate="none"):
    """Return x * cdf(x) for each element x; approximate is "none" or "tanh".

    >>> tt.nn.functional.gelu(tt.tensor([-1.0, 0.0, 2.0]))
    tensor([-0.1587,  0.0000,  1.9545])
    """
    return call("GELU", input, approximate=approximate)


def silu(input, inplace=False):
    """Return x * sigmoid(x) for each element x."""
    return _run(lambda x: call("SiLU", x), input, inplace)


def softplus(input, beta=1.0, threshold=20.0):
    """Return log(1 + e^(beta * x)) / beta for each element x, and x where beta * x > threshold."""
    return call("Softplus", input, beta=beta, threshold=threshold)


def hardtanh(input, min_val=-1.0, max_val=1.0, inplace=False):
    """Return the elements, at least min_val and at most max_val."""
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    return _run(lambda x: call("Hardtanh", x, min_val=min_val, max_val=max_val), input, inplace)


def relu6(input, inplace=False):
    """Return the elements, at least 0 and at most 6."""
    return hardtanh(input, 0.0, 6.0, inplace)


def selu(input, inplace=False):
    """Return 1.0507 * elu(x, 1.6733) for each element x: keeps mean 0 and variance 1 (Klambauer et al. 2017)."""
    return _run(lambda x: elu(x, 1.6732632423543772) * 1.0507009873554805, input, inplace)


def celu(input, alpha=1.0, inplace=False):
    """Return the elements, a negative x as alpha * (e^(x / alpha) - 1)."""
    return _run(lambda x: elu(x / alpha) * alpha, input, inplace)


def hardsigmoid(input, inplace=False):
    """Return (x + 3) / 6 for each element x, at least 0 and at most 1."""
    return _run(lambda x: relu6(x + 3) / 6, input, inplace)


def hardswish(input, inplace=False):
    """Return x * hardsigmoid(x) for each element x."""
    return _run(lambda x: x * hardsigmoid(x), input, inplace)


def softsign(input):
    """Return x / (1 + |x|) for each element x."""
    return input / (abs(input) + 1)


def tanhshrink(input):
    """Return x - tanh(x) for each element x."""
    return input - tanh(input)


def softmax(input, dim=None, _stacklevel=3, dtype=None):
    """Return e^x / sum of e^x over dim, computed in dtype.

    >>> tt.nn.functional.softmax(tt.tensor([[0.0, 0.0], [1000.0, 0.0]]), dim=1)
    tensor([[0.5000, 0.5000],
            [1.0000, 0.0000]])
    """
    return call("Softmax", input if dtype is None else input.to(dtype), dim=_default(dim, input))


def log_softmax(input, dim=None, _stacklevel=3, dtype=None):
    """Return log(softmax) over dim, computed in dtype.

    >>> tt.nn.functional.log_softmax(tt.tensor([0.0, -1000.0]), dim=0)
    tensor([    0., -1000.])
    """
    return call("LogSoftmax", input if dtype is None else input.to(dtype), dim=_default(dim, input))


def softmin(input, dim=None, _stacklevel=3, dtype=None):
    """Return the softmax of -input over dim, computed in dtype."""
    return softmax(-input, dim, dtype=dtype)


def _default(dim, input):
    """Return dim; where None was given, warn and return 0 for 0, 1 and 3 dimensions, else 1."""
    if dim is None:
        warnings.warn("Implicit dimension choice for softmax has been deprecated: give dim=X.", stacklevel=3)
        return 0 if input.ndim in (0, 1, 3) else 1
    return dim

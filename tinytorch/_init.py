"""Starting values of parameters: what `nn.init` offers (part of module 03, Layers).

Every function changes its tensor in place, outside any graph, and returns it. Random numbers come from
`generator`, or from the one that `manual_seed` sets.
"""

import math

import numpy as np

from .creation import default_generator


def _set(tensor, values):
    """Put values (broadcast, converted to the dtype) into the tensor and return it."""
    tensor.array[...] = values
    tensor.bump_version()
    return tensor


def _rng(generator):
    return (generator or default_generator).rng


def calculate_gain(nonlinearity, param=None):
    """Return the factor by which weights grow so that signals keep their size through this nonlinearity.

    param: the slope of leaky_relu (0.01). Raises ValueError for a name it does not know.

    >>> tt.nn.init.calculate_gain("leaky_relu", 1), tt.nn.init.calculate_gain("linear")
    (1.0, 1)
    """
    gains = {"tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4, "sigmoid": 1, "linear": 1}
    gains |= {f"conv{kind}{n}d": 1 for kind in ("", "_transpose") for n in (1, 2, 3)}
    gains["leaky_relu"] = math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in gains:
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}")
    return gains[nonlinearity]


def fans(tensor):
    """Return (inputs of one output, outputs of one input) of a weight of shape (out, in, *kernel).

    Raises ValueError for fewer than two dimensions.
    """
    if tensor.ndim < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    kernel = math.prod(tensor.shape[2:])
    return tensor.shape[1] * kernel, tensor.shape[0] * kernel


def uniform_(tensor, a=0.0, b=1.0, generator=None):
    """Fill with numbers uniform between a and b."""
    return _set(tensor, _rng(generator).uniform(a, b, tensor.shape))


def normal_(tensor, mean=0.0, std=1.0, generator=None):
    """Fill with normal numbers of this mean and standard deviation."""
    return _set(tensor, _rng(generator).normal(mean, std, tensor.shape))


def trunc_normal_(tensor, mean=0.0, std=1.0, a=-2.0, b=2.0, generator=None):
    """Fill with normal numbers from between a and b (by its distribution at 4,097 points, inverted)."""
    low, high = (min(max((bound - mean) / std, -8), 8) for bound in (a, b))
    points = np.linspace(low, high, 4097)
    below = np.array([math.erf(point / math.sqrt(2)) for point in points])
    drawn = np.interp(_rng(generator).uniform(below[0], below[-1], tensor.shape), below, points)
    return _set(tensor, np.clip(mean + std * drawn, a, b))


def constant_(tensor, val):
    """Fill with one value."""
    return _set(tensor, val)


def ones_(tensor):
    """Fill with ones."""
    return _set(tensor, 1)


def zeros_(tensor):
    """Fill with zeros."""
    return _set(tensor, 0)


def eye_(tensor):
    """Fill a matrix with ones on the diagonal and zeros elsewhere. Raises ValueError unless it is 2-D."""
    if tensor.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    return _set(tensor, np.eye(*tensor.shape))


def xavier_uniform_(tensor, gain=1.0, generator=None):
    """Fill with uniform numbers of variance 2 gain² / (fan_in + fan_out).

    Glorot and Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks", eq. 16.
    """
    bound = gain * math.sqrt(6 / max(sum(fans(tensor)), 1))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor, gain=1.0, generator=None):
    """Fill with normal numbers of variance 2 gain² / (fan_in + fan_out)."""
    return normal_(tensor, 0.0, gain * math.sqrt(2 / max(sum(fans(tensor)), 1)), generator)


def _kaiming_std(tensor, a, mode, nonlinearity):
    """Return the standard deviation gain / sqrt(fan), with the fan that mode names (0 counts as 1).

    The gain is that of the nonlinearity, a the slope of leaky_relu. Raises ValueError that names any other mode.
    """
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode} not supported, please use one of ['fan_in', 'fan_out']")
    fan = fans(tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(max(fan, 1))


def kaiming_uniform_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Fill with uniform numbers of variance gain² / fan; a is the slope of leaky_relu.

    He et al. 2015, "Delving deep into rectifiers", arXiv:1502.01852, eq. 10 and 14.
    """
    bound = math.sqrt(3) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Fill with normal numbers of variance gain² / fan; a is the slope of leaky_relu."""
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


def orthogonal_(tensor, gain=1, generator=None):
    """Fill with gain times rows (or columns) that are orthogonal: (out, the rest) seen as a matrix.

    Saxe et al. 2013, arXiv:1312.6120. Raises ValueError for fewer than two dimensions.
    """
    if tensor.ndim < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    q, r = np.linalg.qr(_rng(generator).standard_normal((max(rows, columns), min(rows, columns))))
    q *= np.sign(np.diag(r))  # without this the distribution would depend on the algorithm
    return _set(tensor, gain * (q if rows >= columns else q.T).reshape(tensor.shape))

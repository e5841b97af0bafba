"""The activations as modules: each calls the function of its name (part of module 02)."""

from typing import Any

from . import _activation_functions as F
from ._pointwise import sigmoid, tanh
from .activations import logsigmoid, mish
from .modules import Module


class FunctionModule(Module):
    """A module that calls `function` on its inputs with the options it was made with."""

    function: Any

    def __init__(self, **options):
        super().__init__()
        self._options = tuple(options)
        for name, value in options.items():
            if name.endswith("weight"):
                self.register_buffer(name, value)
            else:
                setattr(self, name, value)

    def forward(self, *inputs):
        """Return the function of the inputs, with this module's options."""
        return self.function(*inputs, **{name: getattr(self, name) for name in self._options})

    def extra_repr(self):
        """Return the options; inplace only where it is True."""
        shown = [name for name in self._options if name != "inplace" or self.inplace]
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)


class ReLU(FunctionModule):
    """Apply max(x, 0).

    >>> tt.nn.ReLU()(tt.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    function = staticmethod(F.relu)

    def __init__(self, inplace=False):
        super().__init__(inplace=inplace)


class ReLU6(ReLU):
    """Apply max(x, 0), at most 6."""

    function = staticmethod(F.relu6)


class LeakyReLU(FunctionModule):
    """Keep x, multiplied by negative_slope where it is negative."""

    function = staticmethod(F.leaky_relu)

    def __init__(self, negative_slope=0.01, inplace=False):
        super().__init__(negative_slope=negative_slope, inplace=inplace)


class ELU(FunctionModule):
    """Keep x, or alpha * (e^x - 1) where it is negative."""

    function = staticmethod(F.elu)

    def __init__(self, alpha=1.0, inplace=False):
        super().__init__(alpha=alpha, inplace=inplace)


class Sigmoid(FunctionModule):
    """Apply 1 / (1 + e^-x)."""

    function = staticmethod(sigmoid)


class Tanh(FunctionModule):
    """Apply the hyperbolic tangent of x."""

    function = staticmethod(tanh)


class GELU(FunctionModule):
    """Apply x * cdf(x) with the normal distribution function; approximate is "none" or "tanh".

    >>> tt.nn.GELU("tanh")
    GELU(approximate='tanh')
    """

    function = staticmethod(F.gelu)

    def __init__(self, approximate="none"):
        super().__init__(approximate=approximate)


class SiLU(ReLU):
    """Apply x * sigmoid(x)."""

    function = staticmethod(F.silu)


class Mish(ReLU):
    """Apply x * tanh(softplus(x))."""

    function = staticmethod(mish)


class Softplus(FunctionModule):
    """Apply log(1 + e^(beta * x)) / beta, and keep x where beta * x > threshold."""

    function = staticmethod(F.softplus)

    def __init__(self, beta=1.0, threshold=20.0):
        super().__init__(beta=beta, threshold=threshold)


class LogSigmoid(FunctionModule):
    """Apply log(sigmoid(x))."""

    function = staticmethod(logsigmoid)


class Hardtanh(FunctionModule):
    """Keep x, at least min_val and at most max_val."""

    function = staticmethod(F.hardtanh)

    def __init__(self, min_val=-1.0, max_val=1.0, inplace=False):
        super().__init__(min_val=min_val, max_val=max_val, inplace=inplace)


class Softmax(FunctionModule):
    """Apply e^x, scaled to add up to 1 over dim.

    >>> tt.nn.Softmax(dim=0)(tt.tensor([0.0, 0.0]))
    tensor([0.5000, 0.5000])
    """

    function = staticmethod(F.softmax)

    def __init__(self, dim=None):
        super().__init__(dim=dim)


class LogSoftmax(Softmax):
    """Apply the logarithm of softmax over dim."""

    function = staticmethod(F.log_softmax)


class Softmin(Softmax):
    """Apply the softmax of -x over dim."""

    function = staticmethod(F.softmin)


class SELU(ReLU):
    """Apply 1.0507 * elu(x, 1.6733)."""

    function = staticmethod(F.selu)


class Hardsigmoid(ReLU):
    """Apply (x + 3) / 6, at least 0 and at most 1."""

    function = staticmethod(F.hardsigmoid)


class Hardswish(ReLU):
    """Apply x * hardsigmoid(x)."""

    function = staticmethod(F.hardswish)


class CELU(ELU):
    """Keep x, or alpha * (e^(x / alpha) - 1) where it is negative."""

    function = staticmethod(F.celu)


class Softsign(FunctionModule):
    """Apply x / (1 + |x|)."""

    function = staticmethod(F.softsign)


class Tanhshrink(FunctionModule):
    """Apply x - tanh(x)."""

    function = staticmethod(F.tanhshrink)

"""Module 02, Activations: the bends between the layers, without which any depth of layers is one matrix.

All ops work element by element but softmax, which makes the numbers along one dimension add up to 1.
In the gradients that docstrings name, g is dL/dout. Inputs of ±1000 neither overflow nor warn.
"""

import math
import warnings

import numpy as np

from ._dtype import as_float
from ._pointwise import abs, sigmoid, tanh  # noqa: F401 - they are functions of nn.functional too
from ._tensor_base import wrap_dim
from .tensor import Function

# The normal distribution function is (1 + tanh(a P(a^2))) / 2 within 1e-7: least squares on atanh(erf(a / sqrt 2)).
_P = (7.97884941e-01, 3.63330844e-02, -3.25947502e-05, -5.53063143e-05, 3.96477268e-06, -1.32266240e-07, 1.75627629e-09)


def floats(a, name):
    """Return an array of floats as it is. Raises NotImplementedError naming the op for ints and bools."""
    if a.dtype.kind != "f":
        raise NotImplementedError(f"{name} is not implemented for {a.dtype}")
    return a


class ReLU(Function):
    """out = max(a, 0).  dL/da = g where a > 0, else 0."""

    saves = "output"

    def forward(ctx, a):
        """Return the larger of a and 0, in a's dtype. Raises RuntimeError for bools."""
        if a.dtype == np.bool_:
            raise RuntimeError("Boolean inputs not supported for relu")
        return np.maximum(a, 0)

    def backward(ctx, g):
        """Return the gradient of a; 0 where a is 0."""
        return g * (ctx.output > 0)


class LeakyReLU(Function):
    """out = a where a > 0, else a * negative_slope.  dL/da = g where a > 0, else g * negative_slope."""

    saves = "inputs"

    def forward(ctx, a, negative_slope=0.01):
        """Return a with its negative numbers multiplied by negative_slope. Raises NotImplementedError for ints."""
        out = np.minimum(floats(a, "leaky_relu"), 0)
        out *= negative_slope
        out += np.maximum(a, 0)
        return out

    def backward(ctx, g):
        """Return the gradient of a."""
        positive = ctx.inputs[0] > 0
        out = g * ~positive
        out *= ctx.options["negative_slope"]
        out += g * positive
        return out


class Sigmoid(Function):
    """out = 1 / (1 + e^-a), between 0 and 1.  dL/da = g * out * (1 - out)."""

    saves = "output"

    def forward(ctx, a):
        """Return the sigmoid of a; ints give float32. Where e^-a is inf the result is 0, without a warning."""
        with np.errstate(over="ignore"):
            out = np.exp(-as_float(a))
        out += 1
        return 1 / out

    def backward(ctx, g):
        """Return the gradient of a, made of `ctx.output`."""
        out = 1 - ctx.output
        out *= ctx.output
        out *= g
        return out


class Tanh(Function):
    """out = tanh(a), between -1 and 1.  dL/da = g * (1 - out^2)."""

    saves = "output"

    def forward(ctx, a):
        """Return the hyperbolic tangent of a; ints give float32."""
        return np.tanh(as_float(a))

    def backward(ctx, g):
        """Return the gradient of a, made of `ctx.output`."""
        out = ctx.output * ctx.output
        out *= g
        return g - out


class GELU(Function):
    """out = a * cdf(a), cdf the normal distribution function.  dL/da = g * (cdf(a) + a * cdf'(a)).

    "tanh" replaces cdf(a) by (1 + tanh(u)) / 2 with u = sqrt(2 / pi) * (a + 0.044715 a^3).
    Hendrycks and Gimpel, Gaussian Error Linear Units, 2016.
    """

    saves = "inputs"

    def forward(ctx, a, approximate="none"):
        """Return a * cdf(a) and keep cdf(a) in ctx.cdf, for module 06; ctx.evaluate(a, approximate) gives both.

        Raises RuntimeError unless approximate is "none" or "tanh", NotImplementedError for ints.
        """
        if approximate not in ("none", "tanh"):
            raise RuntimeError("approximate argument must be either none or tanh.")
        out, ctx.cdf = ctx.evaluate(floats(a, "gelu"), approximate)
        return out

    @staticmethod
    def evaluate(a, approximate):
        """Return (a * cdf(a), cdf(a)), the cdf by `normal_cdf` for "none", by `tanh_cdf` for "tanh".

        Many passes over memory; module 17 puts one fused pass here.
        """
        cdf = normal_cdf(a) if approximate == "none" else tanh_cdf(a)
        return a * cdf, cdf

    def backward(ctx, g):
        """Return the gradient of a. `ctx.cdf` is cdf(a), which forward left there."""
        (a,), cdf = ctx.inputs, ctx.cdf
        with np.errstate(over="ignore"):
            slope = np.square(a, out=np.empty_like(a))
        if ctx.options.get("approximate", "none") == "none":  # cdf'(a) = e^(-a^2 / 2) / sqrt(2 pi)
            slope *= -0.5
            np.exp(slope, out=slope)
            slope *= 1 / math.sqrt(2 * math.pi)
        else:  # cdf'(a) = 2 cdf (1 - cdf) u'(a)
            slope *= 3 * 0.044715 * math.sqrt(8 / math.pi)
            slope += math.sqrt(8 / math.pi)
            slope *= cdf
            slope *= 1 - cdf
        slope *= a
        slope += cdf
        slope *= g
        return slope


def normal_cdf(a):
    """Return the share of a standard normal distribution below each element, floats.

    float32 within 1e-7 by a polynomial and tanh, which NumPy has in SIMD; float64 exact, one element at a time.
    """
    if a.dtype == np.float64:
        return np.asarray(np.frompyfunc(lambda x: math.erfc(-x / math.sqrt(2)) / 2, 1, 1)(a), np.float64)
    with np.errstate(over="ignore"):
        square = np.square(a, dtype=np.float32)
        out = square * _P[-1]
        for coefficient in _P[-2:0:-1]:
            out += coefficient
            out *= square
    out += _P[0]
    return _tanh_to_cdf(out, a)


def tanh_cdf(a):
    """Return (1 + tanh(sqrt(2 / pi) * (a + 0.044715 a^3))) / 2 in a's dtype, near `normal_cdf` and cheaper.

    Computed in float32 for float16; the square of a large a may be inf, without a warning.
    """
    with np.errstate(over="ignore"):
        out = np.square(a, dtype=np.promote_types(a.dtype, np.float32))
    out *= 0.044715 * math.sqrt(2 / math.pi)
    out += math.sqrt(2 / math.pi)
    return _tanh_to_cdf(out, a)


def _tanh_to_cdf(out, a):
    """Return (1 + tanh(a * out)) / 2, working in the memory of out."""
    out *= a
    out = np.tanh(out, out=out if out.ndim else None)
    out *= 0.5
    out += 0.5
    return out.astype(a.dtype, copy=False)


class SiLU(Function):
    """out = a * s, s = sigmoid(a).  dL/da = g * s * (1 + a * (1 - s))."""

    saves = "inputs"

    def forward(ctx, a):
        """Return a * sigmoid(a) and keep sigmoid(a) in ctx.sigmoid, for module 06.

        Raises NotImplementedError for ints.
        """
        ctx.sigmoid = Sigmoid().forward(floats(a, "silu"))
        return a * ctx.sigmoid

    def backward(ctx, g):
        """Return the gradient of a. `ctx.sigmoid` is s, which forward left there."""
        (a,) = ctx.inputs
        out = 1 - ctx.sigmoid
        out *= a
        out += 1
        out *= ctx.sigmoid
        out *= g
        return out


class Softmax(Function):
    """out = e^a / sum of e^a over dim.  dL/da = out * (g - sum of g * out over dim)."""

    saves = "output"

    def forward(ctx, a, dim):
        """Return numbers that add up to 1 over dim. The largest is subtracted before e^a, which then is safe.

        Raises NotImplementedError for ints.
        """
        out = below_largest(floats(a, "softmax"), dim)
        np.exp(out, out=out)
        out /= out.sum(axis=dim if a.ndim else None, keepdims=True)
        return out

    def backward(ctx, g):
        """Return the gradient of a, made of `ctx.output`. dim is in `ctx.options`."""
        out = g * ctx.output
        out -= ctx.output * out.sum(axis=ctx.options["dim"] if g.ndim else None, keepdims=True)
        return out


class LogSoftmax(Function):
    """out = a - log(sum of e^a over dim).  dL/da = g - e^out * sum of g over dim."""

    saves = "output"

    def forward(ctx, a, dim):
        """Return the logarithm of softmax, finite where softmax itself is 0. Raises NotImplementedError for ints."""
        out = below_largest(floats(a, "log_softmax"), dim)
        with np.errstate(divide="ignore"):  # nothing to add up where dim has size 0
            out -= np.log(np.exp(out).sum(axis=dim if a.ndim else None, keepdims=True))
        return out

    def backward(ctx, g):
        """Return the gradient of a, made of `ctx.output`. dim is in `ctx.options`."""
        out = np.exp(ctx.output)
        out *= g.sum(axis=ctx.options["dim"] if g.ndim else None, keepdims=True)
        return g - out


def below_largest(a, dim):
    """Return a - its largest element over dim, in new memory. Raises IndexError when there is no such dim."""
    wrap_dim(dim, a.ndim)
    largest = a.max(axis=dim if a.ndim else None, keepdims=True, initial=-np.inf)
    with np.errstate(invalid="ignore"):  # a row of nothing but -inf becomes nan, as in PyTorch
        return np.subtract(a, largest, out=np.empty_like(a))


class ELU(Function):
    """out = a where a > 0, else alpha * (e^a - 1).  dL/da = g where a > 0, else g * alpha * e^a."""

    saves = "inputs"

    def forward(ctx, a, alpha=1.0):
        """Return a where a > 0, else alpha * (e^a - 1), without overflow. Raises NotImplementedError for ints."""
        return np.maximum(floats(a, "elu"), 0) + np.expm1(np.minimum(a, 0)) * alpha

    def backward(ctx, g):
        (a,) = ctx.inputs
        return np.where(a > 0, g, g * np.exp(np.minimum(a, 0)) * ctx.options["alpha"])


class Softplus(Function):
    """out = log(1 + e^(beta * a)) / beta, and a itself above threshold.  dL/da = g * sigmoid(beta * a)."""

    saves = "inputs"

    def forward(ctx, a, beta=1.0, threshold=20.0):
        """Return log(1 + e^(beta * a)) / beta, but a itself where beta * a > threshold, without overflow.

        Raises NotImplementedError for ints.
        """
        z = np.minimum(floats(a, "softplus") * beta, threshold)
        return np.where(a * beta > threshold, a, np.log1p(np.exp(z)) / beta)

    def backward(ctx, g):
        (a,), beta, threshold = ctx.inputs, ctx.options["beta"], ctx.options["threshold"]
        return np.where(a * beta > threshold, g, g * Sigmoid().forward(a * beta))


class Hardtanh(Function):
    """out = a, at least min_val and at most max_val.  dL/da = g where min_val < a < max_val, else 0."""

    saves = "inputs"

    def forward(ctx, a, min_val=-1.0, max_val=1.0):
        """Return a, at least min_val and at most max_val, in a's dtype."""
        return np.clip(a, a.dtype.type(min_val), a.dtype.type(max_val))

    def backward(ctx, g):
        (a,) = ctx.inputs
        return g * ((a > ctx.options["min_val"]) & (a < ctx.options["max_val"]))


def _run(function, input, inplace, **options):
    """Return function(input, **options), put where input's numbers were if inplace."""
    return input._keep(function(input._source(), **options)) if inplace else function(input, **options)


def relu(input, inplace=False):
    """Return the larger of each element and 0.

    >>> tt.nn.functional.relu(tt.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return _run(ReLU.apply, input, inplace)


def leaky_relu(input, negative_slope=0.01, inplace=False):
    """Return the elements, negative ones multiplied by negative_slope.

    >>> tt.nn.functional.leaky_relu(tt.tensor([-1.0, 2.0]), 0.1)
    tensor([-0.1000,  2.0000])
    """
    return _run(LeakyReLU.apply, input, inplace, negative_slope=negative_slope)


def elu(input, alpha=1.0, inplace=False):
    """Return the elements, a negative x as alpha * (e^x - 1)."""
    return _run(ELU.apply, input, inplace, alpha=alpha)


def gelu(input, approximate="none"):
    """Return x * cdf(x) for each element x; approximate is "none" or "tanh".

    >>> tt.nn.functional.gelu(tt.tensor([-1.0, 0.0, 2.0]))
    tensor([-0.1587,  0.0000,  1.9545])
    """
    return GELU.apply(input, approximate=approximate)


def silu(input, inplace=False):
    """Return x * sigmoid(x) for each element x."""
    return _run(SiLU.apply, input, inplace)


def softplus(input, beta=1.0, threshold=20.0):
    """Return log(1 + e^(beta * x)) / beta for each element x, and x where beta * x > threshold."""
    return Softplus.apply(input, beta=beta, threshold=threshold)


def logsigmoid(input):
    """Return log(sigmoid(x)) for each element x, finite at -1000."""
    return -Softplus.apply(-input, beta=1.0, threshold=20.0)


def hardtanh(input, min_val=-1.0, max_val=1.0, inplace=False):
    """Return the elements, at least min_val and at most max_val."""
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    return _run(Hardtanh.apply, input, inplace, min_val=min_val, max_val=max_val)


def relu6(input, inplace=False):
    """Return the elements, at least 0 and at most 6."""
    return hardtanh(input, 0.0, 6.0, inplace)


def mish(input, inplace=False):
    """Return x * tanh(softplus(x)) for each element x; if inplace, in the memory of input (by `_run`)."""
    return _run(lambda x: x * tanh(softplus(x)), input, inplace)


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
    return Softmax.apply(input if dtype is None else input.to(dtype), dim=_default(dim, input))


def log_softmax(input, dim=None, _stacklevel=3, dtype=None):
    """Return log(softmax) over dim, computed in dtype.

    >>> tt.nn.functional.log_softmax(tt.tensor([0.0, -1000.0]), dim=0)
    tensor([    0., -1000.])
    """
    return LogSoftmax.apply(input if dtype is None else input.to(dtype), dim=_default(dim, input))


def softmin(input, dim=None, _stacklevel=3, dtype=None):
    """Return the softmax of -input over dim, computed in dtype."""
    return softmax(-input, dim, dtype=dtype)


def _default(dim, input):
    """Return dim; where None was given, warn and return 0 for 0, 1 and 3 dimensions, else 1."""
    if dim is None:
        warnings.warn("Implicit dimension choice for softmax has been deprecated: give dim=X.", stacklevel=3)
        return 0 if input.ndim in (0, 1, 3) else 1
    return dim

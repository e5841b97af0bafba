"""Module 02, Activations: the bends between the layers, without which any depth of layers is one matrix.

All ops work element by element but softmax, which makes the numbers along one dimension add up to 1.
In the gradients that docstrings name, g is dL/dout. Inputs of ±1000 neither overflow nor warn.
"""

import math

import numpy as np

from ._activation_functions import _run, elu, gelu, leaky_relu, log_softmax, relu, silu, softmax, softplus  # noqa: F401
from ._dtype import as_float
from ._pointwise import sigmoid, tanh  # noqa: F401
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
        """Return the larger of a and 0, in a's dtype, as a new array; nan stays nan. Raises RuntimeError for bools."""
        if a.dtype == np.bool_:
            raise RuntimeError("Boolean inputs not supported for relu")
        return np.maximum(a, 0)

    def backward(ctx, g):
        """Return the gradient of a; 0 where a is 0. `ctx.output` is what forward returned."""
        return g * (ctx.output > 0)


class LeakyReLU(Function):
    """out = a where a > 0, else a * negative_slope.  dL/da = g where a > 0, else g * negative_slope."""

    saves = "inputs"

    def forward(ctx, a, negative_slope=0.01):
        """Return a with its negative numbers multiplied by negative_slope, any number, in a's dtype.

        Raises NotImplementedError for ints.
        """
        out = np.minimum(floats(a, "leaky_relu"), 0)
        out *= negative_slope
        out += np.maximum(a, 0)
        return out

    def backward(ctx, g):
        """Return the gradient of a; 0 counts as negative. `ctx.inputs` holds a, `ctx.options` negative_slope."""
        positive = ctx.inputs[0] > 0
        out = g * ~positive
        out *= ctx.options["negative_slope"]
        out += g * positive
        return out


class Sigmoid(Function):
    """out = 1 / (1 + e^-a), between 0 and 1.  dL/da = g * out * (1 - out)."""

    saves = "output"

    def forward(ctx, a):
        """Return 1 / (1 + e^-a) in a's dtype; ints and bools give float32. No warning at -1000, where it is 0."""
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
        """Return the hyperbolic tangent of a in a's dtype; ints and bools give float32. -1 and 1 far out."""
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
        """Return the gradient of a, for either approximate, which is in `ctx.options` ("none" if it is not).

        `ctx.inputs` holds a; `ctx.cdf` is cdf(a), which forward left there.
        """
        (a,), cdf = ctx.inputs, ctx.cdf
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

    float64 is exact, erfc(-a / sqrt 2) / 2 of one element at a time. All else is computed in float32, within 2e-7, as
    (1 + tanh(a * p)) / 2, where p is the polynomial in a^2 with the coefficients _P, lowest power first.
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

    Computed in float32 for float16, in a's dtype otherwise; the square of a large a may be inf, without a warning.
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
        """Return the gradient of a. `ctx.inputs` holds a; `ctx.sigmoid` is s, which forward left there."""
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
        """Return e^a, divided along dim by its sum: positive numbers that add up to 1, for scores of any size.

        Raises NotImplementedError for ints, IndexError when there is no such dim.
        """
        out = below_largest(floats(a, "softmax"), dim)
        np.exp(out, out=out)
        out /= out.sum(axis=dim, keepdims=True)
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
        """Return the logarithm of the softmax over dim, finite where the softmax is rounded to 0.

        Raises NotImplementedError for ints, IndexError when there is no such dim.
        """
        out = below_largest(floats(a, "log_softmax"), dim)
        with np.errstate(divide="ignore"):  # nothing to add up where dim has size 0
            out -= np.log(np.exp(out).sum(axis=dim, keepdims=True))
        return out

    def backward(ctx, g):
        """Return the gradient of a, made of `ctx.output`. dim is in `ctx.options`."""
        out = np.exp(ctx.output)
        out *= g.sum(axis=ctx.options["dim"] if g.ndim else None, keepdims=True)
        return g - out


def below_largest(a, dim):
    """Return an array: a - its largest element over dim, which may be negative, in new memory and a's dtype.

    Empty where a is empty; an array of shape () has dim 0 and -1; nan where all along dim are -inf, without a
    warning. Raises IndexError when there is no such dim.
    """
    wrap_dim(dim, a.ndim)
    largest = a.max(axis=dim, keepdims=True, initial=-np.inf)
    with np.errstate(invalid="ignore"):  # a row of nothing but -inf becomes nan, as in PyTorch
        return np.subtract(a, largest, out=np.empty_like(a))


class ELU(Function):
    """out = a where a > 0, else alpha * (e^a - 1).  dL/da = g where a > 0, else g * alpha * e^a."""

    saves = "inputs"

    def forward(ctx, a, alpha=1.0):
        """Return a where a > 0, else alpha * (e^a - 1) with all digits near 0; nothing overflows, nothing warns.

        Raises NotImplementedError for ints.
        """
        return np.maximum(floats(a, "elu"), 0) + np.expm1(np.minimum(a, 0)) * alpha

    def backward(ctx, g):
        (a,) = ctx.inputs
        return np.where(a > 0, g, g * np.exp(np.minimum(a, 0)) * ctx.options["alpha"])


class Softplus(Function):
    """out = log(1 + e^(beta * a)) / beta, and a itself above threshold.  dL/da = g * sigmoid(beta * a)."""

    saves = "inputs"

    def forward(ctx, a, beta=1.0, threshold=20.0):
        """Return log(1 + e^(beta * a)) / beta, but a itself where beta * a > threshold.

        Small results keep their digits; nothing overflows, nothing warns. Raises NotImplementedError for ints.
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
        """Return a, at least min_val and at most max_val, in a's dtype, ints too."""
        return np.clip(a, a.dtype.type(min_val), a.dtype.type(max_val))

    def backward(ctx, g):
        (a,) = ctx.inputs
        return g * ((a > ctx.options["min_val"]) & (a < ctx.options["max_val"]))


def logsigmoid(input):
    """Return log(sigmoid(x)) for each element x of a tensor, finite at -1000."""
    return -softplus(-input)


def mish(input, inplace=False):
    """Return x * tanh(softplus(x)) for each element x; if inplace, in the memory of input (by `_run`)."""
    return _run(lambda x: x * tanh(softplus(x)), input, inplace)

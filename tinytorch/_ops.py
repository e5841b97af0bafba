"""The given operations on elements and along dimensions: what PyTorch has beyond the seventeen of module 01."""

import functools
import math
from typing import Any

import numpy as np

from ._dtype import as_float
from .shapes import promote, restore_dims
from .tensor import Function, Max


class Min(Max):
    """out = smallest element of a over dim.  dL/da as in Max."""

    find = staticmethod(np.argmin)

    def forward(ctx, a, dim=None, keepdim=False):
        if a.size == 0 and dim is None:
            raise RuntimeError("min(): the tensor has no elements")
        return a.min(axis=dim, keepdims=keepdim)


class Unary(Function):
    """A function of each element.  dL/da = g * slope, a function of a or of out; g * 0 where there is none."""

    floats: bool | None = True  # whether ints give float32; False refuses bools, None does not
    formula: Any = None
    slope: Any = None

    def forward(ctx, a):
        if a.dtype == np.bool_ and ctx.floats is False:
            raise NotImplementedError(f"{type(ctx).__name__} is not implemented for bools")
        with np.errstate(all="ignore"):
            return ctx.formula(as_float(a) if ctx.floats else a)

    def backward(ctx, g):
        if ctx.slope is None:
            return np.zeros_like(g)
        with np.errstate(all="ignore"):
            return g * ctx.slope(ctx.output if ctx.saves == "output" else ctx.inputs[0])


def _unary(name, doc, formula, slope=None, floats=True):
    """Return the operation of a formula; its slope takes what the graph shall keep: the input `a` or `out`."""
    kept = {"a": "inputs", "out": "output", None: ""}[slope and slope.__code__.co_varnames[0]]
    rules = {"formula": staticmethod(formula), "slope": slope and staticmethod(slope)}
    return type(name, (Unary,), {"__doc__": doc, "saves": kept, "floats": floats, **rules})


_ERF_END = 6.5  # from here on erf is 1, to the last digit


def erf(x):
    """Return the error function of an array: 1 - t exp(P(t) - x^2) with t = 2 / (2 + x) and P fitted."""
    z = np.minimum(np.abs(x, dtype=np.float64), _ERF_END)
    t = 2 / (2 + z)
    shift, scale, factors, at_0 = _erf_fit(20 if x.dtype == np.float64 else 12)
    u, power = shift + scale * t, np.full_like(t, factors[0])
    for factor in factors[1:]:
        power *= u
        power += factor
    power -= at_0 + z * z
    return np.copysign(1 - t * np.exp(power), x).astype(x.dtype)


@functools.cache
def _erf_fit(degree):
    """Return (a, b, factors of the powers of a + b t in P, P(1)): a Chebyshev fit to the standard library's erfc."""

    def exact(t):
        return np.array([math.log(math.erfc(2 / s - 2) / s) + (2 / s - 2) ** 2 for s in t])

    fit = np.polynomial.Chebyshev.interpolate(exact, degree, domain=[2 / (2 + _ERF_END), 1])
    shift, scale = map(float, fit.mapparms())
    factors = np.polynomial.chebyshev.cheb2poly(fit.coef)[::-1].tolist()
    return shift, scale, factors, functools.reduce(lambda power, factor: power * (shift + scale) + factor, factors)


Abs = _unary("Abs", "out = |a|.  dL/da = g sign(a).", np.abs, lambda a: np.sign(a), floats=False)
Square = _unary(
    "Square",
    "out = a^2.  dL/da = 2 g a.",
    lambda a: np.square(a if a.dtype != np.bool_ else a * 1),
    lambda a: 2 * a,
    floats=None,
)
Sqrt = _unary("Sqrt", "out = a^(1/2).  dL/da = g / (2 out).", np.sqrt, lambda out: 0.5 / out)
Rsqrt = _unary(
    "Rsqrt", "out = a^(-1/2).  dL/da = -g out^3 / 2.", lambda a: 1 / np.sqrt(a), lambda out: -0.5 * out * out * out
)
Reciprocal = _unary("Reciprocal", "out = 1 / a.  dL/da = -g out^2.", lambda a: 1 / a, lambda out: -out * out)
Exp2 = _unary("Exp2", "out = 2^a.  dL/da = g out ln 2.", np.exp2, lambda out: out * math.log(2))
Expm1 = _unary("Expm1", "out = e^a - 1.  dL/da = g (out + 1).", np.expm1, lambda out: out + 1)
Log2 = _unary("Log2", "out = log2 a.  dL/da = g / (a ln 2).", np.log2, lambda a: 1 / (a * math.log(2)))
Log10 = _unary("Log10", "out = log10 a.  dL/da = g / (a ln 10).", np.log10, lambda a: 1 / (a * math.log(10)))
Log1p = _unary("Log1p", "out = log(1 + a).  dL/da = g / (1 + a).", np.log1p, lambda a: 1 / (1 + a))
Sin = _unary("Sin", "out = sin a.  dL/da = g cos a.", np.sin, lambda a: np.cos(a))
Cos = _unary("Cos", "out = cos a.  dL/da = -g sin a.", np.cos, lambda a: -np.sin(a))
Tan = _unary("Tan", "out = tan a.  dL/da = g (1 + out^2).", np.tan, lambda out: 1 + out * out)
Asin = _unary("Asin", "out = asin a.  dL/da = g / sqrt(1 - a^2).", np.arcsin, lambda a: 1 / np.sqrt(1 - a * a))
Acos = _unary("Acos", "out = acos a.  dL/da = -g / sqrt(1 - a^2).", np.arccos, lambda a: -1 / np.sqrt(1 - a * a))
Atan = _unary("Atan", "out = atan a.  dL/da = g / (1 + a^2).", np.arctan, lambda a: 1 / (1 + a * a))
Sinh = _unary("Sinh", "out = sinh a.  dL/da = g cosh a.", np.sinh, lambda a: np.cosh(a))
Cosh = _unary("Cosh", "out = cosh a.  dL/da = g sinh a.", np.cosh, lambda a: np.sinh(a))
Asinh = _unary("Asinh", "out = asinh a.  dL/da = g / sqrt(a^2 + 1).", np.arcsinh, lambda a: 1 / np.sqrt(a * a + 1))
Acosh = _unary("Acosh", "out = acosh a.  dL/da = g / sqrt(a^2 - 1).", np.arccosh, lambda a: 1 / np.sqrt(a * a - 1))
Atanh = _unary("Atanh", "out = atanh a.  dL/da = g / (1 - a^2).", np.arctanh, lambda a: 1 / (1 - a * a))
Erf = _unary(
    "Erf", "out = erf a.  dL/da = g 2 / sqrt(pi) e^(-a^2).", erf, lambda a: 2 / math.sqrt(math.pi) * np.exp(-a * a)
)
Sign = _unary("Sign", "out = -1, 0 or 1 as a is.  dL/da = 0.", lambda a: np.sign(a * 1).astype(a.dtype), floats=None)
Floor = _unary("Floor", "out = a rounded down.  dL/da = 0.", np.floor, floats=False)
Ceil = _unary("Ceil", "out = a rounded up.  dL/da = 0.", np.ceil, floats=False)
Trunc = _unary("Trunc", "out = a rounded towards 0.  dL/da = 0.", np.trunc, floats=False)


class Round(Function):
    """out = a rounded to decimals, halves to the even digit.  dL/da = 0."""

    def forward(ctx, a, decimals=0):
        if a.dtype == np.bool_ or (decimals and a.dtype.kind != "f"):
            raise NotImplementedError(f"rounding to {decimals} decimals is not implemented for {a.dtype}")
        return np.round(a, decimals)

    def backward(ctx, g):
        return np.zeros_like(g)


class NanToNum(Function):
    """out = a with numbers for nan, inf and -inf.  dL/da = g where a is finite."""

    def forward(ctx, a, nan, posinf, neginf):
        ctx.finite = np.isfinite(a)
        return np.asarray(np.nan_to_num(a, nan=nan, posinf=posinf, neginf=neginf))

    def backward(ctx, g):
        return g * ctx.finite


class Clamp(Function):
    """out = a moved into [low, high].  dL/da = g inside, dL/dlow = g below, dL/dhigh = g above."""

    saves = "inputs"

    def forward(ctx, a, low, high):
        for limit, choose in ((low, np.maximum), (high, np.minimum)):
            if limit is not None:
                a = np.asarray(choose(*promote(a, limit)))  # NumPy makes a number of an array without dimensions
        return a

    def backward(ctx, g):
        a, low, high = ctx.inputs
        low, high = -np.inf if low is None else low, np.inf if high is None else high
        below, above = (a < low) & (low < high), (a > high) | (low > high)
        return g * ~((a < low) | (a > high)), g * below, g * above


class Maximum(Function):
    """out = the larger of a and b.  The gradient goes to it; equal ones share it."""

    saves = "inputs"
    choose: Any = np.maximum
    loses: Any = np.less

    def forward(ctx, a, b):
        return ctx.choose(*promote(a, b))

    def backward(ctx, g):
        a, b = ctx.inputs
        g = np.where(a == b, g / 2, g)
        return np.where(ctx.loses(a, b), 0, g), np.where(ctx.loses(b, a), 0, g)


class Minimum(Maximum):
    """out = the smaller of a and b.  The gradient goes to it; equal ones share it."""

    choose, loses = np.minimum, np.greater


class DivRound(Function):
    """out = a / b rounded down (mode "floor") or towards 0 ("trunc"), ints for ints.  dL/da = dL/db = 0."""

    def forward(ctx, a, b, mode):
        a, b = _divisible(a, b, "division")
        with np.errstate(all="ignore"):
            if mode == "floor":
                return np.floor_divide(a, b)
            if mode == "trunc":
                return np.trunc(a / b) if a.dtype.kind == "f" else (a - np.fmod(a, b)) // b
        raise RuntimeError(f"rounding_mode is None, 'trunc' or 'floor', not {mode!r}")

    def backward(ctx, g):
        return np.zeros_like(g), np.zeros_like(g)


class Remainder(Function):
    """out = a - b floor(a / b), of b's sign.  dL/da = g, dL/db = -g floor(a / b)."""

    saves = "inputs"
    rest: Any = np.remainder
    cut: Any = np.floor

    def forward(ctx, a, b):
        a, b = _divisible(a, b, "remainder")
        with np.errstate(all="ignore"):
            return ctx.rest(a, b)

    def backward(ctx, g):
        a, b = ctx.inputs
        with np.errstate(all="ignore"):
            return g, -g * ctx.cut(a / b)


class Fmod(Remainder):
    """out = a - b trunc(a / b), of a's sign.  dL/da = g, dL/db = -g trunc(a / b)."""

    rest, cut = np.fmod, np.trunc


def _divisible(a, b, what):
    a, b = promote(a, b)
    if a.dtype == np.bool_:
        raise NotImplementedError(f"{what} is not implemented for bools")
    if a.dtype.kind != "f" and not b.all():
        raise RuntimeError("ZeroDivisionError")
    return a, b


class Atan2(Function):
    """out = angle of the point (b, a).  dL/da = g b / (a^2 + b^2), dL/db = -g a / (a^2 + b^2)."""

    saves = "inputs"

    def forward(ctx, a, b):
        a, b = promote(a, b)
        return np.arctan2(as_float(a), as_float(b))

    def backward(ctx, g):
        a, b = ctx.inputs
        with np.errstate(all="ignore"):
            g = g / (a * a + b * b)
        return g * b, -g * a


class LogAddExp(Function):
    """out = log(e^a + e^b).  dL/da = g e^(a - out), dL/db = g e^(b - out)."""

    saves = "both"

    def forward(ctx, a, b):
        return np.logaddexp(*promote(a, b))

    def backward(ctx, g):
        a, b = ctx.inputs
        return g * np.exp(a - ctx.output), g * np.exp(b - ctx.output)


class Prod(Function):
    """out = product of a over dim.  dL/da = g * (product of the others), 0 among them or not."""

    saves = "inputs"

    def forward(ctx, a, dim=None, keepdim=False):
        return a.prod(axis=dim, dtype=a.dtype if a.dtype.kind == "f" else np.int64, keepdims=keepdim)

    def backward(ctx, g):
        (a,), dim = ctx.inputs, ctx.options["dim"]
        rows = a.reshape(-1) if dim is None else np.moveaxis(a, dim, -1)
        first = np.ones((*rows.shape[:-1], 1), a.dtype)
        before = np.cumprod(np.concatenate([first, rows], -1), -1)[..., :-1]
        after = np.cumprod(np.concatenate([first, rows[..., ::-1]], -1), -1)[..., -2::-1]
        others = before * after
        others = others.reshape(a.shape) if dim is None else np.moveaxis(others, -1, dim)
        return others * restore_dims(g, a.shape, **ctx.options)


class Amax(Max):
    """out = largest element of a over dim, one or several.  Those that share it share the gradient."""

    saves = "both"

    def backward(ctx, g):
        a, shape = ctx.inputs[0], ctx.shapes[0]
        out = restore_dims(ctx.output, shape, **ctx.options)
        largest = (a == out) | (np.isnan(a) & np.isnan(out))
        return restore_dims(g, shape, **ctx.options) * largest / largest.sum(axis=ctx.options["dim"], keepdims=True)


class Amin(Amax):
    """out = smallest element of a over dim, one or several.  Those that share it share the gradient."""

    forward = Min.forward


class Var(Function):
    """out = sum of (a - mean)^2 / (n - correction) over dim.  dL/da = 2 g (a - mean) / (n - correction)."""

    def forward(ctx, a, dim=None, keepdim=False, correction=1):
        with np.errstate(all="ignore"):  # 0 / 0 is nan
            total = a.sum(axis=dim, keepdims=True)
            n = a.size // max(total.size, 1)
            ctx.apart = a - np.divide(total, n, dtype=a.dtype)
            ctx.count = max(n - correction, 0)
            squares = np.sum(ctx.apart * ctx.apart, axis=dim, keepdims=keepdim)
            return np.divide(squares, ctx.count, dtype=a.dtype)

    def backward(ctx, g):
        keepdim = {"dim": ctx.options["dim"], "keepdim": ctx.options["keepdim"]}
        with np.errstate(all="ignore"):
            return restore_dims(g, ctx.shapes[0], **keepdim) * ctx.apart * np.divide(2, ctx.count, dtype=g.dtype)


class Std(Var):
    """out = square root of the variance.  dL/da = g (a - mean) / (out (n - correction)), 0 where out is 0."""

    saves = "output"

    def forward(ctx, a, dim=None, keepdim=False, correction=1):
        return np.sqrt(Var.forward(ctx, a, dim, keepdim, correction))

    def backward(ctx, g):
        twice = 2 * ctx.output
        return Var.backward(ctx, np.divide(g, twice, out=np.zeros_like(g), where=twice != 0))


class Norm(Function):
    """out = (sum of |a|^p over dim)^(1/p); p = inf: largest |a|.  dL/da = g sign(a) (|a| / out)^(p - 1)."""

    saves = "both"

    def forward(ctx, a, p=2.0, dim=None, keepdim=False):
        over = {"axis": dim, "keepdims": keepdim}
        if p == 2:
            return np.sqrt(np.sum(a * a, **over))
        size = np.abs(a)
        if abs(p) == np.inf:
            return np.max(size, **over) if p > 0 else np.min(size, **over)
        if p == 0:
            return np.sum(size != 0, dtype=a.dtype, **over)
        with np.errstate(all="ignore"):
            return np.sum(size, **over) if p == 1 else np.sum(size**p, **over) ** (1 / p)

    def backward(ctx, g):
        (a,), p, over = ctx.inputs, ctx.options["p"], {key: ctx.options[key] for key in ("dim", "keepdim")}
        g, out = (restore_dims(x, a.shape, **over) for x in (g, ctx.output))
        if p == 0:
            return np.zeros_like(a)
        with np.errstate(all="ignore"):
            if p == 1:
                return g * np.sign(a)
            if abs(p) == np.inf:
                largest = np.abs(a) == out
                return g * np.sign(a) * largest / largest.sum(axis=over["dim"], keepdims=True)
            part = a / out if p == 2 else np.sign(a) * (np.abs(a) / out) ** (p - 1)
            return g * np.where((out == 0) | ((a == 0) & (p < 2)), 0, part)


class CumSum(Function):
    """out[i] = a[0] + ... + a[i] along dim.  dL/da[i] = g[i] + ... + g[last]."""

    def forward(ctx, a, dim):
        return np.cumsum(a, axis=dim, dtype=a.dtype if a.dtype.kind == "f" else np.int64)

    def backward(ctx, g):
        dim = ctx.options["dim"]
        return np.flip(np.cumsum(np.flip(g, dim), axis=dim), dim)


class CumProd(Function):
    """out[i] = a[0] * ... * a[i] along dim.  dL/da[i] = (product before i) * (g[i] + a[i+1] (g[i+1] + ...))."""

    saves = "both"

    def forward(ctx, a, dim):
        return np.cumprod(a, axis=dim, dtype=a.dtype if a.dtype.kind == "f" else np.int64)

    def backward(ctx, g):
        (a,), out, dim = ctx.inputs, ctx.output, ctx.options["dim"]
        if a.all():
            return np.flip(np.cumsum(np.flip(g * out, dim), axis=dim), dim) / a
        a, out, g = (np.moveaxis(x, dim, 0) for x in (a, out, g))
        after = g.copy()
        for i in range(len(a) - 2, -1, -1):  # division is no way around a 0
            after[i] += a[i + 1] * after[i + 1]
        after[1:] *= out[:-1]
        return np.moveaxis(after, 0, dim)

"""PyTorch's functions of each element, which are methods of Tensor as well: arithmetic, exponentials, comparisons.

All broadcast, and dtypes promote; what cannot be an int (sqrt, exp, ...) is float32 for ints.
"""

import numpy as np

from ._tensor_base import TensorBase, call, wrap_dim

__all__ = [
    "abs", "absolute", "acos", "acosh", "add", "addcdiv", "addcmul", "allclose", "arccos", "arcsin", "arctan",
    "arctan2", "asin", "asinh", "atan", "atan2", "atanh", "bitwise_and", "bitwise_left_shift", "bitwise_not",
    "bitwise_or", "bitwise_right_shift", "bitwise_xor", "ceil", "clamp", "clamp_max", "clamp_min", "clip", "cos",
    "cosh", "div", "divide", "eq", "equal", "erf", "exp", "exp2", "expm1", "floor", "floor_divide", "fmod", "frac",
    "ge", "greater", "greater_equal", "gt", "isclose", "isfinite", "isinf", "isnan", "le", "lerp", "less",
    "less_equal", "log", "log1p", "log2", "log10", "log_softmax", "logaddexp", "logical_and", "logical_not",
    "logical_or", "logical_xor", "lt", "maximum", "minimum", "mul", "multiply", "nan_to_num", "ne", "neg",
    "negative", "not_equal", "positive", "pow", "reciprocal", "relu", "remainder", "round", "rsqrt", "sigmoid",
    "sign", "sin", "sinh", "softmax", "sqrt", "square", "sub", "subtract", "tan", "tanh", "true_divide", "trunc",
    "where",
]  # fmt: skip


def _named(function, name, sentence, example, result):
    """Give a function that was made here its name and its docstring."""
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Return {sentence}.\n\n    >>> tt.{name}({example})\n    {result}\n    "
    return function


def _unary(op, sentence, example, result):
    def function(input):
        if not isinstance(input, TensorBase):
            raise TypeError(f"{op.lower()}(): argument 'input' must be Tensor, not {type(input).__name__}")
        return call(op, input)

    return _named(function, op.lower(), sentence, f"tt.tensor({example})", f"tensor({result})")


abs = absolute = _unary("Abs", "the elements without their signs", "[-1.5, 2.0]", "[1.5000, 2.0000]")
sign = _unary("Sign", "-1, 0 or 1 for each element", "[-3, 0, 5]", "[-1,  0,  1]")
square = _unary("Square", "the square of each element", "[-3, 4]", "[ 9, 16]")
sqrt = _unary("Sqrt", "the square root of each element, nan below 0", "[4.0, -1.0]", "[2., nan]")
rsqrt = _unary("Rsqrt", "1 / square root of each element", "[4.0, 0.0]", "[0.5000,    inf]")
reciprocal = _unary("Reciprocal", "1 / each element", "[2, 4]", "[0.5000, 0.2500]")
exp = _unary("Exp", "e to the power of each element", "[0, 1]", "[1.0000, 2.7183]")
exp2 = _unary("Exp2", "2 to the power of each element", "[3, -1]", "[8.0000, 0.5000]")
expm1 = _unary("Expm1", "e to the power of each element, minus 1, exact near 0", "[0.0, 1.0]", "[0.0000, 1.7183]")
log = _unary("Log", "the natural logarithm of each element", "[1.0, 0.0, -1.0]", "[0., -inf, nan]")
log2 = _unary("Log2", "the logarithm to base 2 of each element", "[8, 1]", "[3., 0.]")
log10 = _unary("Log10", "the logarithm to base 10 of each element", "[2, 20]", "[0.3010, 1.3010]")
log1p = _unary("Log1p", "the logarithm of 1 + each element, exact near 0", "[0.0, 1.0]", "[0.0000, 0.6931]")
sin = _unary("Sin", "the sine of each element, in radians", "[0.0, 1.0]", "[0.0000, 0.8415]")
cos = _unary("Cos", "the cosine of each element, in radians", "[0.0, 1.0]", "[1.0000, 0.5403]")
tan = _unary("Tan", "the tangent of each element, in radians", "[0.0, 1.0]", "[0.0000, 1.5574]")
asin = arcsin = _unary("Asin", "the angle whose sine is each element", "[0.0, 1.0]", "[0.0000, 1.5708]")
acos = arccos = _unary("Acos", "the angle whose cosine is each element", "[0.0, 1.0]", "[1.5708, 0.0000]")
atan = arctan = _unary("Atan", "the angle whose tangent is each element", "[0.0, 1.0]", "[0.0000, 0.7854]")
sinh = _unary("Sinh", "the hyperbolic sine of each element", "[0.0, 1.0]", "[0.0000, 1.1752]")
cosh = _unary("Cosh", "the hyperbolic cosine of each element", "[0.0, 1.0]", "[1.0000, 1.5431]")
tanh = _unary("Tanh", "the hyperbolic tangent of each element", "[0.0, 1.0]", "[0.0000, 0.7616]")
asinh = _unary("Asinh", "the inverse hyperbolic sine of each element", "[0.0, 1.0]", "[0.0000, 0.8814]")
acosh = _unary("Acosh", "the inverse hyperbolic cosine of each element", "[1.0, 2.0]", "[0.0000, 1.3170]")
atanh = _unary("Atanh", "the inverse hyperbolic tangent of each element", "[0.0, 0.5]", "[0.0000, 0.5493]")
erf = _unary("Erf", "the error function of each element", "[0.0, 1.0]", "[0.0000, 0.8427]")
floor = _unary("Floor", "the largest whole number up to each element", "[1.5, -1.5]", "[ 1., -2.]")
ceil = _unary("Ceil", "the smallest whole number from each element on", "[1.5, -1.5]", "[ 2., -1.]")
trunc = _unary("Trunc", "each element without its fraction", "[1.5, -1.5]", "[ 1., -1.]")
neg = negative = _unary("Neg", "-input; bools are refused", "[1, -2]", "[-1,  2]")
sigmoid = _unary("Sigmoid", "1 / (1 + e ** -input)", "[0.0, 1.0]", "[0.5000, 0.7311]")
relu = _unary("ReLU", "the larger of each element and 0", "[-1.0, 2.0]", "[0., 2.]")


def _binary(op, sentence, example, result):
    def function(input, other):
        for x in (input, other):
            if not isinstance(x, TensorBase):
                raise TypeError(f"{op.lower()}(): expected tensors, got {type(x).__name__}")
        return call(op, input, other)

    return _named(function, op.lower(), sentence, example, f"tensor({result})")


maximum = _binary("Maximum", "the larger of two elements", "tt.tensor([1, 5]), tt.tensor(3)", "[3, 5]")
minimum = _binary("Minimum", "the smaller of two elements", "tt.tensor([1, 5]), tt.tensor(3)", "[1, 3]")
atan2 = arctan2 = _binary(
    "Atan2", "the angle of the point (other, input)", "tt.tensor([1.0]), tt.tensor([-1.0])", "[2.3562]"
)
logaddexp = _binary("LogAddExp", "log(e ** input + e ** other)", "tt.tensor([0.0]), tt.tensor([0.0])", "[0.6931]")


def _of_arrays(name, ufunc, sentence, example, result, tensors=False):
    """Return a function of two operands without a gradient."""

    def function(input, other):
        if not isinstance(input, TensorBase) or (tensors and not isinstance(other, TensorBase)):
            raise TypeError(f"{name}(): expected tensors, got {type(input).__name__} and {type(other).__name__}")
        try:
            found = input._compare(ufunc, other)
        except TypeError:
            raise NotImplementedError(f"{name} is not implemented for {input.dtype}") from None
        if found is NotImplemented:
            raise TypeError(f"{name}(): expected a tensor or a number, got {type(other).__name__}")
        return found

    return _named(function, name, sentence, f"tt.tensor({example[0]}), {example[1]}", f"tensor({result})")


eq = _of_arrays("eq", np.equal, "whether input == other", ("[1, 2]", "2"), "[False,  True]")
ne = not_equal = _of_arrays("ne", np.not_equal, "whether input != other", ("[1, 2]", "2"), "[ True, False]")
lt = less = _of_arrays("lt", np.less, "whether input < other", ("[1, 2]", "2"), "[ True, False]")
le = less_equal = _of_arrays("le", np.less_equal, "whether input <= other", ("[1, 2]", "1"), "[ True, False]")
gt = greater = _of_arrays("gt", np.greater, "whether input > other", ("[1, 2]", "1"), "[False,  True]")
ge = greater_equal = _of_arrays("ge", np.greater_equal, "whether input >= other", ("[1, 2]", "2"), "[False,  True]")
_BITS = ("[6, 1]", "3")
bitwise_and = _of_arrays("bitwise_and", np.bitwise_and, "input & other, of ints or bools", _BITS, "[2, 1]")
bitwise_or = _of_arrays("bitwise_or", np.bitwise_or, "input | other, of ints or bools", _BITS, "[7, 3]")
bitwise_xor = _of_arrays("bitwise_xor", np.bitwise_xor, "input ^ other, of ints or bools", _BITS, "[5, 2]")
bitwise_left_shift = _of_arrays("bitwise_left_shift", np.left_shift, "input << other, of ints", _BITS, "[48,  8]")
bitwise_right_shift = _of_arrays("bitwise_right_shift", np.right_shift, "input >> other, of ints", _BITS, "[0, 0]")
_ZEROS = ("[0, 2]", "tt.tensor([3, 0])")
logical_and = _of_arrays("logical_and", np.logical_and, "whether both are not 0", _ZEROS, "[False, False]", True)
logical_or = _of_arrays("logical_or", np.logical_or, "whether one is not 0", _ZEROS, "[True, True]", True)
logical_xor = _of_arrays("logical_xor", np.logical_xor, "whether just one is not 0", _ZEROS, "[True, True]", True)


def _of_array(name, ufunc, sentence, example, result):
    """Return a function of one input without a gradient."""

    def function(input):
        return input._wrap(ufunc(input.array))

    return _named(function, name, sentence, f"tt.tensor({example})", f"tensor({result})")


isnan = _of_array("isnan", np.isnan, "whether each element is nan", "[1.0, float('nan')]", "[False,  True]")
isinf = _of_array("isinf", np.isinf, "whether each element is inf or -inf", "[1.0, float('inf')]", "[False,  True]")
isfinite = _of_array("isfinite", np.isfinite, "whether each is neither inf nor nan", "[1, 2]", "[True, True]")
logical_not = _of_array("logical_not", np.logical_not, "whether each element is 0", "[0, 2]", "[ True, False]")


def bitwise_not(input):
    """Return ~input, of ints or bools."""
    if _is_float(input):
        raise NotImplementedError(f"bitwise_not is not implemented for {input.dtype}")
    return ~input


def add(input, other, *, alpha=1):
    """Return input + alpha * other.

    >>> tt.add(tt.tensor([1, 2]), 0.5), tt.add(tt.tensor([1, 2]), tt.tensor([3, 4]), alpha=10)
    (tensor([1.5000, 2.5000]), tensor([31, 42]))
    """
    return call("Add", input, _scaled(input, other, alpha))


def sub(input, other, *, alpha=1):
    """Return input - alpha * other. Raises RuntimeError for bools.

    >>> tt.sub(tt.tensor([[5], [7]]), tt.tensor([1, 2]))
    tensor([[4, 3],
            [6, 5]])
    """
    return call("Sub", input, _scaled(input, other, alpha))


def _scaled(input, other, alpha):
    if type(alpha) is int and alpha == 1:
        return other
    if isinstance(alpha, float) and not any(isinstance(x, float) or _is_float(x) for x in (input, other)):
        raise RuntimeError("For integral input tensors, argument alpha must not be a floating point number.")
    return other * alpha


def _is_float(x):
    return isinstance(x, TensorBase) and x.array.dtype.kind == "f"


def mul(input, other):
    """Return input * other element by element.

    >>> tt.mul(tt.tensor([1.0, 2.0]), 3)
    tensor([3., 6.])
    """
    return call("Mul", input, other)


def div(input, other, *, rounding_mode=None):
    """Return input / other; ints give float32. rounding_mode "floor" and "trunc" round, and keep ints.

    >>> tt.div(tt.tensor([1, 0]), tt.tensor([2, 0]))
    tensor([0.5000,    nan])
    >>> tt.div(tt.tensor([-7, 7]), 2, rounding_mode="trunc")
    tensor([-3,  3])
    """
    return call("Div", input, other) if rounding_mode is None else call("DivRound", input, other, mode=rounding_mode)


def floor_divide(input, other):
    """Return the largest whole number up to input / other. Raises RuntimeError for ints divided by 0.

    >>> tt.tensor([-7, 7]) // 2
    tensor([-4,  3])
    """
    return call("DivRound", input, other, mode="floor")


def remainder(input, other):
    """Return what input // other leaves; it has the sign of other.

    >>> tt.tensor([-7, 7]) % 3
    tensor([2, 1])
    """
    return call("Remainder", input, other)


def fmod(input, other):
    """Return what input / other, cut to a whole number, leaves; it has the sign of input.

    >>> tt.fmod(tt.tensor([-7, 7]), 3)
    tensor([-1,  1])
    """
    return call("Fmod", input, other)


def pow(input, exponent):
    """Return input ** exponent. Raises RuntimeError for ints to a negative int power (PyTorch: only if a number).

    >>> tt.pow(tt.tensor([2, 3]), 2)
    tensor([4, 9])
    """
    return call("Pow", input, exponent)


subtract, multiply = sub, mul
divide = true_divide = div


def positive(input):
    """Return input itself. Raises RuntimeError for bools."""
    if input.array.dtype == np.bool_:
        raise RuntimeError("a bool tensor has no sign")
    return input


def round(input, *, decimals=0):
    """Return each element rounded to so many decimals, halves to the even digit.

    >>> tt.round(tt.tensor([0.5, 1.5])), tt.round(tt.tensor([1.26]), decimals=1)
    (tensor([0., 2.]), tensor([1.3000]))
    """
    return call("Round", input, decimals=decimals)


def frac(input):
    """Return the fraction of each element, with its sign.

    >>> tt.frac(tt.tensor([1.5, -1.5]))
    tensor([ 0.5000, -0.5000])
    """
    if not _is_float(input):
        raise NotImplementedError(f"frac is not implemented for {input.dtype}")
    return input - trunc(input)


def clamp(input, min=None, max=None):
    """Return each element moved into the range from min to max: numbers or tensors, one of them may be None.

    >>> tt.clamp(tt.tensor([-1.0, 0.5, 2.0]), 0, 1)
    tensor([0.0000, 0.5000, 1.0000])
    """
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    return call("Clamp", input, min, max)


clip = clamp


def clamp_min(input, min):
    """Return each element, but at least min."""
    return clamp(input, min)


def clamp_max(input, max):
    """Return each element, but at most max."""
    return clamp(input, None, max)


def nan_to_num(input, nan=0.0, posinf=None, neginf=None):
    """Return the elements with nan, inf and -inf replaced: by 0 and the largest and smallest number of the dtype.

    >>> tt.nan_to_num(tt.tensor([float("nan"), float("inf")]), posinf=9.0)
    tensor([0., 9.])
    """
    return call("NanToNum", input, nan=nan or 0.0, posinf=posinf, neginf=neginf)


def lerp(input, end, weight):
    """Return input + weight * (end - input), the way from input to end; weight is a number or a tensor.

    >>> tt.lerp(tt.tensor([0.0, 10.0]), tt.tensor([1.0, 20.0]), 0.25)
    tensor([ 0.2500, 12.5000])
    """
    if not input.dtype is end.dtype is getattr(weight, "dtype", end.dtype):
        raise RuntimeError(f"expected dtype {input.dtype} for `end` and `weight`")
    return input + (end - input) * weight


def addcmul(input, tensor1, tensor2, *, value=1):
    """Return input + value * tensor1 * tensor2.

    >>> tt.addcmul(tt.tensor([1.0]), tt.tensor([2.0]), tt.tensor([3.0]), value=0.5)
    tensor([4.])
    """
    return input + _scaled(input, tensor1 * tensor2, value)


def addcdiv(input, tensor1, tensor2, *, value=1):
    """Return input + value * tensor1 / tensor2. Raises RuntimeError when both are ints.

    >>> tt.addcdiv(tt.tensor([1.0]), tt.tensor([6.0]), tt.tensor([3.0]), value=0.5)
    tensor([2.])
    """
    if not _is_float(tensor1) and not _is_float(tensor2):
        raise RuntimeError("addcdiv does not divide ints by ints: convert one of them to float")
    return input + _scaled(input, tensor1 / tensor2, value)


def softmax(input, dim, dtype=None):
    """Return e ** input, scaled so that it adds up to 1 along dim.

    >>> tt.softmax(tt.tensor([[0.0, 0.0], [1000.0, 0.0]]), dim=1)
    tensor([[0.5000, 0.5000],
            [1.0000, 0.0000]])
    """
    return call("Softmax", input if dtype is None else input.to(dtype), dim=wrap_dim(dim, input.ndim))


def log_softmax(input, dim, dtype=None):
    """Return the logarithm of softmax, without overflow.

    >>> tt.log_softmax(tt.tensor([0.0, 0.0]), dim=0)
    tensor([-0.6931, -0.6931])
    """
    return call("LogSoftmax", input if dtype is None else input.to(dtype), dim=wrap_dim(dim, input.ndim))


def where(condition, input=None, other=None):
    """Return input's element where condition is true, else other's; where(condition) is nonzero(as_tuple=True).

    >>> tt.where(tt.tensor([True, False]), tt.tensor([1, 2]), 0.5)
    tensor([1.0000, 0.5000])
    """
    if input is None and other is None:
        return tuple(map(condition._wrap, np.nonzero(np.atleast_1d(condition.array))))
    return call("Where", condition, input, other)


def equal(input, other):
    """Return whether two tensors have the same shape and elements, as a Python bool.

    >>> tt.equal(tt.tensor([1, 2]), tt.tensor([1, 2]))
    True
    """
    return input.shape == other.shape and bool(np.equal(input.array, other.array).all())


def isclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Return whether |input - other| <= atol + rtol * |other|. Raises RuntimeError for two dtypes.

    >>> tt.isclose(tt.tensor([1.0, 2.0]), tt.tensor([1.000001, 2.1]))
    tensor([ True, False])
    """
    if input.dtype is not other.dtype or rtol < 0 or atol < 0:
        raise RuntimeError(f"isclose: {input.dtype} and {other.dtype} must match, {rtol} and {atol} not be negative")
    return input._wrap(np.asarray(np.isclose(input.array, other.array, rtol, atol, equal_nan)))


def allclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Return whether all elements are close (see `isclose`), as a Python bool.

    >>> tt.allclose(tt.tensor([1.0]), tt.tensor([1.000001]))
    True
    """
    return bool(isclose(input, other, rtol, atol, equal_nan).array.all())

"""Checks of module 02, Activations, in the order of the lesson.

A check of one exercise uses only that exercise, earlier ones, and what the package gives. Functions are called by
PyTorch's names, so that the same check runs on PyTorch too; expected values are literals or computed by NumPy here.
"""

import contextlib
import math
import sys
import warnings

import numpy as np

from checks import exercise
from checks.expect import CheckFailed

X = np.array([[-3.0, 0.5, 2.0], [1.5, -0.25, -40.0]], np.float32)
FAR = np.array([-1000.0, -100.0, 0.75, 100.0, 1000.0], np.float32)
CUBE = (np.arange(30, dtype=np.float32).reshape(2, 3, 5) * 7 % 31 / 4 - 3.5).astype(np.float32)  # unsorted, unequal
KEEPS = "the result has the dtype of the input"
INTS = "whole numbers become float32, as with exp: `as_float(a)` converts them"
REFUSES = "PyTorch refuses ints here: `floats(a, name)` raises the error, naming the dtype"


def f32(values):
    """A float32 array."""
    return np.array(values, np.float32)


def given(call, **values):
    """The label of a call, with the values of its arrays in lines below it."""
    return "\n".join([call, *(f"{name} = {value.tolist()}" for name, value in values.items())])


def wide(function, array, dtype=None):
    """function of array in float64, in array's dtype: what a careful computation gives."""
    with np.errstate(all="ignore"):
        return np.asarray(function(array.astype(np.float64)), dtype or array.dtype)


def activations(tt):
    """The module activations.py of the library under test."""
    return sys.modules[tt.Tensor.__module__.rpartition(".")[0] + ".activations"]


def node(tt, name, array, **options):
    """Call a `forward` by hand, without `Function.apply`: return the node and what forward returned."""
    op = getattr(activations(tt), name)
    ctx = op(**options)
    return ctx, op.forward(ctx, array, **options)


def arrays_only(tt, expect, name, **options):
    """forward gets an array and returns a new one, leaving the input as it is."""
    array = X.copy()
    with expect.unchanged(array, f"{name}.forward(ctx, a)", why="write into a new array, not into a: it is the input"):
        _, got = node(tt, name, array, **options)
    why = "forward works below tensors: it gets NumPy arrays and returns one; Function.apply wraps it"
    expect(got, f"{name}.forward called with an array").is_instance(np.ndarray, why=why)
    why = "a result of its own: who changes it later must not change the input"
    expect(np.shares_memory(got, array), f"{name}.forward shares memory with its input").equals(False, why=why)


def attempted(call, expected, function, why):
    """What `function` returns; when shapes or axes do not fit, NumPy's error stands where a result was expected."""
    try:
        return function()
    except ValueError as error:
        raise CheckFailed(call, expected, f"{type(error).__name__}: {error}", "", why) from error


def returns(tt, expect, name, **options):
    """forward returns something: a forgotten `return` is told here, before a tensor is made of None."""
    if tt.__name__ != "torch":
        with np.errstate(all="ignore"), contextlib.suppress(ValueError):  # errors are told by the next call
            got = node(tt, name, X.copy(), **options)[1]
            if got is None:
                expect(got, f"{name}.forward(ctx, a)").is_instance(np.ndarray, why="forward returns the result")


class Watched(np.ndarray):
    """An array whose ufuncs warn of inf and nan made on the way, also where NumPy is silent, as in the page."""

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        plain = [bare(one) for one in inputs]
        options = {key: bare(value) for key, value in options.items()}
        before = facts(ufunc, method, plain, options)  # now: `out` may be one of the inputs
        if out is not None:
            options["out"] = tuple(bare(one) for one in out)
        with np.errstate(all="ignore"):
            result = getattr(ufunc, method)(*plain, **options)
        for kind, name in trouble(ufunc, before, result):
            if dict(np.geterr())[kind] != "ignore":
                warnings.warn(f"{name} encountered in {ufunc.__name__}", RuntimeWarning, stacklevel=2)
        return watched(result) if out is None else out[0]

    def __array_function__(self, function, types, args, options):
        return watched(super().__array_function__(function, types, args, options))


def watched(array):
    """A plain array as a Watched one, in the same memory; anything else as it is."""
    return array.view(Watched) if type(array) is np.ndarray else array


def bare(array):
    """A Watched array as a plain one, in the same memory; anything else as it is."""
    return array.view(np.ndarray) if isinstance(array, Watched) else array


def facts(ufunc, method, inputs, options):
    """Where are the inputs of a ufunc finite, nan, 0? None for what makes no new inf or nan, or is not of numbers."""
    arrays = [np.asarray(one) for one in inputs]
    sums = method == "reduce" and ufunc in (np.add, np.multiply)
    each = method == "__call__" and ufunc.signature is None and ufunc.nout == 1
    if not (sums or each) or any(one.dtype.kind not in "fiub" for one in arrays):
        return None
    finite, nan, zero = zip(*((np.isfinite(one), np.isnan(one), one == 0) for one in arrays), strict=True)
    if sums:
        lines = {"axis": options.get("axis", 0), "keepdims": options.get("keepdims", False)}
        return np.all(finite[0], **lines), np.any(nan[0], **lines), np.False_
    finite, nan, zero = (np.broadcast_arrays(*group) for group in (finite, nan, zero))
    return np.all(finite, axis=0), np.any(nan, axis=0), np.any(zero, axis=0)


def trouble(ufunc, before, result):
    """What NumPy would warn of: pairs of a kind, as in np.geterr(), and its name in the warning."""
    result = np.asarray(result)
    if before is None or result.dtype.kind != "f":
        return []
    finite, nan, zero = before
    pole = zero | ufunc.__name__.startswith(("log", "arctanh"))
    infinite = np.isinf(result) & finite
    found = (
        ("divide", "divide by zero", infinite & pole),
        ("over", "overflow", infinite & ~pole),
        ("invalid", "invalid value", np.isnan(result) & ~nan),
    )
    return [(kind, name) for kind, name, where in found if where.any()]


def forward(tt, name, array, **options):
    """The function that runs a `forward` on a Watched array, for `quiet`; PyTorch has no such thing."""
    return (lambda: None) if tt.__name__ == "torch" else (lambda: node(tt, name, watched(array.copy()), **options))


def quiet(expect, call, function, same=None):
    """Result of `function`, which must not warn: a warning would appear in the middle of the student's output.

    same: does the same with Watched arrays, since NumPy itself never warns in the page.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if same:
            with contextlib.suppress(Exception):  # an error comes again, below, and is told there
                same()
        found = len(caught)
        result = function()
    why = "PyTorch answers without a warning: keep large numbers out of exp, or use np.errstate"
    messages = [str(warning.message) for warning in (caught[:found] or caught)]
    expect(messages, f"warnings of {call}").equals([], why=why)
    return result


def keeps_dtypes(tt, expect, call, function, reference, names=("float64", "float16"), array=X):
    """The result has the dtype of the input, and its values."""
    for name in names:
        data = np.clip(array, -8, 8).astype(name)
        want = wide(reference, data)
        expect(function(tt.tensor(data)), given(f"{call}, x of {name}", x=data)).equals(want, why=KEEPS)


def refuses_ints(tt, expect, call, function):
    """Ints raise NotImplementedError that names the dtype."""
    with expect.raises(NotImplementedError, call=f"{call}, x of int64", mentions=("int64",), why=REFUSES):
        function(tt.tensor([[1, -2, 3]]))


# ReLU.forward


@exercise(
    "ReLU.forward",
    hints=(
        "Two numbers compete at each place: the element and 0. Which one stays?",
        "`np.maximum(a, b)` takes the larger of two at each place; it is not `np.max`, which reduces.",
        "A bool array is refused before anything else: `if a.dtype == np.bool_:` and a RuntimeError.",
    ),
)
def test_relu_keeps_what_is_positive(tt, expect):
    returns(tt, expect, "ReLU")
    want = f32([[0, 0.5, 2.0], [1.5, 0, 0]])
    why = "one number for each element: np.maximum compares two at each place, np.max reduces"
    expect(tt.relu(tt.tensor(X)), given("tt.relu(x)", x=X)).has_shape((2, 3), why=why)
    why = "negative numbers become 0, positive ones stay as they are"
    expect(tt.relu(tt.tensor(X)), given("tt.relu(x)", x=X)).equals(want, why=why)
    why = "every element on its own, whatever the number of dimensions"
    expect(tt.relu(tt.tensor(CUBE)), "tt.relu(x), x of shape (2, 3, 5)").equals(CUBE * (CUBE > 0), why=why)
    expect(tt.relu(tt.tensor(-1.5)), "tt.relu(tt.tensor(-1.5))").equals(f32(0), why="no dimensions, one number")


@exercise("ReLU.forward")
def test_relu_keeps_dtypes(tt, expect):
    for name in ("float64", "float16", "int64", "int8"):
        data = np.array([-3, 2, 0, 7], np.int64).astype(name)
        want = np.array([0, 2, 0, 7], np.int64).astype(name)
        expect(tt.relu(tt.tensor(data)), given(f"tt.relu(x), x of {name}", x=data)).equals(want, why=KEEPS)


@exercise("ReLU.forward")
def test_relu_at_the_edges(tt, expect):
    data = f32([-np.inf, np.inf, np.nan, -1e-30, 1e-30])
    want = f32([0, np.inf, np.nan, 0, 1e-30])
    why = "inf stays, -inf becomes 0, and nan stays nan: a mistake made earlier must remain visible"
    with np.errstate(all="ignore"):
        got = tt.relu(tt.tensor(data))
    expect(got, given("tt.relu(x)", x=data)).equals(want, why=why, atol=0)


@exercise("ReLU.forward")
def test_relu_refuses_bools(tt, expect):
    why = "the larger of True and 0 has no dtype that makes sense; PyTorch refuses bools"
    with expect.raises(RuntimeError, call="tt.relu(tt.tensor([True, False]))", why=why):
        tt.relu(tt.tensor([True, False]))


@exercise("ReLU.forward", torch=False)
def test_relu_leaves_its_input_alone(tt, expect):
    arrays_only(tt, expect, "ReLU")


# LeakyReLU.forward


@exercise(
    "LeakyReLU.forward",
    hints=(
        "One rule for elements above 0, another for the rest. How do you join two halves without an `if`?",
        "The positive half is `np.maximum(a, 0)`. What is the negative half, and which of the two is 0 where?",
        "At each place one of `np.maximum(a, 0)` and `np.minimum(a, 0)` is 0, so their sum, one of them multiplied "
        'by the slope, is the answer. `floats(a, "leaky_relu")` checks the dtype first.',
    ),
)
def test_leaky_relu_bends_at_zero(tt, expect):
    returns(tt, expect, "LeakyReLU", negative_slope=0.1)
    F = tt.nn.functional
    want = f32([[-0.03, 0.5, 2.0], [1.5, -0.0025, -0.4]])
    why = "positive numbers stay, negative ones are multiplied by 0.01, the default"
    expect(F.leaky_relu(tt.tensor(X)), given("F.leaky_relu(x)", x=X)).equals(want, why=why)
    why = "a tensor without dimensions is one number"
    expect(F.leaky_relu(tt.tensor(-2.0)), "F.leaky_relu(tt.tensor(-2.0))").equals(f32(-0.02), why=why)


@exercise("LeakyReLU.forward")
def test_leaky_relu_uses_its_slope(tt, expect):
    F = tt.nn.functional
    for slope in (0.25, 3.0, 0.0, -0.5):
        want = np.where(X > 0, X, X * np.float32(slope))
        why = "negative numbers times negative_slope, whatever it is; larger than 1 it makes them smaller, not larger"
        expect(F.leaky_relu(tt.tensor(X), slope), given(f"F.leaky_relu(x, {slope})", x=X)).equals(want, why=why)


@exercise("LeakyReLU.forward")
def test_leaky_relu_dtypes(tt, expect):
    F = tt.nn.functional
    keeps_dtypes(tt, expect, "F.leaky_relu(x)", F.leaky_relu, lambda a: np.where(a > 0, a, a * 0.01))
    refuses_ints(tt, expect, "F.leaky_relu(x)", F.leaky_relu)


@exercise("LeakyReLU.forward", torch=False)
def test_leaky_relu_leaves_its_input_alone(tt, expect):
    arrays_only(tt, expect, "LeakyReLU", negative_slope=0.1)


# Hardtanh.forward


@exercise(
    "Hardtanh.forward",
    hints=(
        "Too small becomes the smallest allowed, too large the largest allowed.",
        "`np.clip(a, low, high)` does it. Try it on an array of ints with the bounds -1.0 and 1.0: which dtype comes?",
        "Bring each bound to a's dtype first: `a.dtype.type(bound)` makes one number of it.",
    ),
)
def test_hardtanh_clips(tt, expect):
    returns(tt, expect, "Hardtanh", min_val=-1.0, max_val=1.0)
    F = tt.nn.functional
    want = f32([[-1, 0.5, 1], [1, -0.25, -1]])
    why = "below -1 it is -1, above 1 it is 1, between them the element itself"
    expect(F.hardtanh(tt.tensor(X)), given("F.hardtanh(x)", x=X)).equals(want, why=why)
    data = f32([-np.inf, np.inf, np.nan])
    why = "infinite numbers are clipped too; nan stays nan"
    expect(F.hardtanh(tt.tensor(data)), given("F.hardtanh(x)", x=data)).equals(f32([-1, 1, np.nan]), why=why)


@exercise("Hardtanh.forward")
def test_hardtanh_uses_both_bounds(tt, expect):
    F = tt.nn.functional
    want = f32([[-2.5, 0.5, 1.75], [1.5, -0.25, -2.5]])
    why = "min_val and max_val are given by the caller, and need not be symmetric"
    expect(F.hardtanh(tt.tensor(X), -2.5, 1.75), given("F.hardtanh(x, -2.5, 1.75)", x=X)).equals(want, why=why)
    want = f32([[0, 0.5, 2], [1.5, 0, 0]])
    why = "relu6 is the same with the bounds 0 and 6"
    expect(F.relu6(tt.tensor(X)), given("F.relu6(x)", x=X)).equals(want, why=why)


@exercise("Hardtanh.forward")
def test_hardtanh_keeps_ints(tt, expect):
    F = tt.nn.functional
    data = np.array([-7, 0, 3, 9], np.int64)
    why = "ints stay int64: bounds that are floats make NumPy return float64; convert them with a.dtype.type(bound)"
    got = F.hardtanh(tt.tensor(data, dtype=tt.int64), -2, 5)
    expect(got, given("F.hardtanh(x, -2, 5), x of int64", x=data)).equals(np.array([-2, 0, 3, 5], np.int64), why=why)
    got = F.hardtanh(tt.tensor(data, dtype=tt.int64), -2.0, 5.0)
    expect(got, given("F.hardtanh(x, -2.0, 5.0), x of int64", x=data)).equals(
        np.array([-2, 0, 3, 5], np.int64), why=why
    )
    keeps_dtypes(tt, expect, "F.hardtanh(x)", F.hardtanh, lambda a: np.clip(a, -1, 1))


@exercise("Hardtanh.forward", torch=False)
def test_hardtanh_leaves_its_input_alone(tt, expect):
    arrays_only(tt, expect, "Hardtanh", min_val=-2.0, max_val=1.0)


# Sigmoid.forward


def sigmoid64(a):
    """The sigmoid in float64, without overflow."""
    return np.where(a >= 0, 1 / (1 + np.exp(-np.abs(a))), np.exp(-np.abs(a)) / (1 + np.exp(-np.abs(a))))


@exercise(
    "Sigmoid.forward",
    points=2,
    hints=(
        "The formula is short. What does it do at -1000, step by step: e^1000, plus 1, one over that?",
        "`1 / (1 + inf)` is 0, which is the right answer; only NumPy's warning has to go.",
        'Ints first: `as_float(a)`. Then `np.exp(-a)` inside `with np.errstate(over="ignore"):`.',
    ),
)
def test_sigmoid_values(tt, expect):
    returns(tt, expect, "Sigmoid")
    why = "1 / (1 + e^-x): 0.5 at 0, near 1 for large x, near 0 for very negative x"
    data = f32([[0.0, 1.0, -1.0], [2.5, -4.0, 9.0]])
    want = f32([[0.5, 0.7310586, 0.26894143], [0.9241418, 0.01798621, 0.9998766]])
    expect(tt.sigmoid(tt.tensor(data)), given("tt.sigmoid(x)", x=data)).equals(want, why=why)
    expect(tt.sigmoid(tt.tensor(-2.0)), "tt.sigmoid(tt.tensor(-2.0))").equals(f32(0.11920292), why=why)


@exercise("Sigmoid.forward", points=2)
def test_sigmoid_far_out(tt, expect):
    got = quiet(expect, "tt.sigmoid(x), x up to 1000", lambda: tt.sigmoid(tt.tensor(FAR)), forward(tt, "Sigmoid", FAR))
    why = "0 far below zero, 1 far above it; nan means that inf was divided by inf"
    expect(got, given("tt.sigmoid(x)", x=FAR)).equals(wide(sigmoid64, FAR), why=why)


@exercise("Sigmoid.forward")
def test_sigmoid_small_results(tt, expect):
    data = f32([-15.0, -20.0, -30.0, -60.0])
    why = "the result is about e^x and small, not 0: 1 - 1 / (1 + e^x) would lose all its digits"
    expect(tt.sigmoid(tt.tensor(data)), given("tt.sigmoid(x)", x=data)).equals(
        wide(sigmoid64, data), why=why, rtol=1e-4, atol=0
    )


@exercise("Sigmoid.forward")
def test_sigmoid_dtypes(tt, expect):
    keeps_dtypes(tt, expect, "tt.sigmoid(x)", tt.sigmoid, sigmoid64)
    data = np.array([-2, 0, 3], np.int64)
    expect(tt.sigmoid(tt.tensor(data, dtype=tt.int64)), given("tt.sigmoid(x), x of int64", x=data)).equals(
        wide(sigmoid64, data, np.float32), why=INTS
    )
    expect(tt.sigmoid(tt.tensor([True, False])), "tt.sigmoid(tt.tensor([True, False]))").equals(
        f32([0.7310586, 0.5]), why="bools count as 1 and 0 and give float32"
    )


@exercise("Sigmoid.forward", torch=False)
def test_sigmoid_leaves_its_input_alone(tt, expect):
    arrays_only(tt, expect, "Sigmoid")


# Tanh.forward


@exercise(
    "Tanh.forward",
    hints=(
        "NumPy has this function. Why would you not write (e^a - e^-a) / (e^a + e^-a)?",
        "At 1000 that formula is inf / inf. `np.tanh` is written so that this cannot happen.",
        "`np.tanh` of ints gives float64, which PyTorch does not; `as_float` comes first.",
    ),
)
def test_tanh_values(tt, expect):
    returns(tt, expect, "Tanh")
    data = f32([[0.0, 1.0, -1.0], [0.25, -2.5, 4.0]])
    want = f32([[0, 0.7615942, -0.7615942], [0.24491866, -0.9866143, 0.9993293]])
    why = "between -1 and 1, and 0 at 0; the sign of x is kept"
    expect(tt.tanh(tt.tensor(data)), given("tt.tanh(x)", x=data)).equals(want, why=why)
    expect(tt.tanh(tt.tensor(0.5)), "tt.tanh(tt.tensor(0.5))").equals(f32(0.46211717), why=why)


@exercise("Tanh.forward")
def test_tanh_far_out(tt, expect):
    got = quiet(expect, "tt.tanh(x), x up to 1000", lambda: tt.tanh(tt.tensor(FAR)), forward(tt, "Tanh", FAR))
    why = "-1 and 1 far out; nan means that inf was divided by inf"
    expect(got, given("tt.tanh(x)", x=FAR)).equals(wide(np.tanh, FAR), why=why)


@exercise("Tanh.forward")
def test_tanh_near_zero(tt, expect):
    data = f32([1e-5, -3e-6, 2e-4])
    why = "near 0, tanh(x) is x itself: a difference of two numbers near 1 loses those digits"
    expect(tt.tanh(tt.tensor(data)), given("tt.tanh(x)", x=data)).equals(wide(np.tanh, data), why=why, atol=0)


@exercise("Tanh.forward")
def test_tanh_dtypes(tt, expect):
    keeps_dtypes(tt, expect, "tt.tanh(x)", tt.tanh, np.tanh)
    data = np.array([-2, 0, 3], np.int64)
    expect(tt.tanh(tt.tensor(data, dtype=tt.int64)), given("tt.tanh(x), x of int64", x=data)).equals(
        wide(np.tanh, data, np.float32), why=INTS
    )


# SiLU.forward


@exercise(
    "SiLU.forward",
    hints=(
        "A gate: how much of the element passes is decided by the element itself.",
        "You have written the sigmoid. An op's forward can be called without `apply`: `Sigmoid().forward(array)`.",
        'Check with `floats(a, "silu")`, keep the sigmoid in `ctx.sigmoid`, and multiply a by it.',
    ),
)
def test_silu_values(tt, expect):
    returns(tt, expect, "SiLU")
    F = tt.nn.functional
    data = f32([[0.0, 1.0, -1.0], [-1.2784645, 3.0, -6.0]])
    want = f32([[0, 0.7310586, -0.26894143], [-0.27846455, 2.8577224, -0.01483574]])
    why = "x * sigmoid(x): nearly x on the right, nearly 0 on the left, a dip of -0.28 between"
    expect(F.silu(tt.tensor(data)), given("F.silu(x)", x=data)).equals(want, why=why)


@exercise("SiLU.forward")
def test_silu_far_out(tt, expect):
    F = tt.nn.functional
    got = quiet(expect, "F.silu(x), x up to 1000", lambda: F.silu(tt.tensor(FAR)), forward(tt, "SiLU", FAR))
    why = "x itself far above zero, 0 far below"
    expect(got, given("F.silu(x)", x=FAR)).equals(f32([0, 0, 0.50938, 100, 1000]), why=why)


@exercise("SiLU.forward")
def test_silu_dtypes(tt, expect):
    F = tt.nn.functional
    keeps_dtypes(tt, expect, "F.silu(x)", F.silu, lambda a: a * sigmoid64(a))
    refuses_ints(tt, expect, "F.silu(x)", F.silu)


@exercise("SiLU.forward", torch=False)
def test_silu_keeps_the_sigmoid(tt, expect):
    arrays_only(tt, expect, "SiLU")
    ctx, _ = node(tt, "SiLU", X.copy())
    why = "the node keeps sigmoid(a), so that module 06 need not compute it again"
    expect(getattr(ctx, "sigmoid", "nothing kept"), given("ctx.sigmoid after SiLU.forward(ctx, a)", a=X)).equals(
        wide(sigmoid64, X), why=why
    )


# ELU.forward


@exercise(
    "ELU.forward",
    hints=(
        "Two formulas, and a choice by the sign of a. Which of the two makes trouble where it is not chosen?",
        "`np.expm1(x)` is e^x - 1 with all its digits near 0. Large positive numbers must not reach it, and what it "
        "gives for them does not count: so put another number, not above 0, in their place.",
        "`np.minimum(a, 0)` is a where a is negative, and 0 elsewhere. `np.expm1` of that, times alpha, is the second "
        "branch of `np.where(a > 0, a, ...)`.",
    ),
)
def test_elu_values(tt, expect):
    returns(tt, expect, "ELU", alpha=1.0)
    F = tt.nn.functional
    want = f32([[-0.95021296, 0.5, 2.0], [1.5, -0.22119922, -1]])
    why = "x itself above 0; below, e^x - 1, which bends towards -1"
    expect(F.elu(tt.tensor(X)), given("F.elu(x)", x=X)).equals(want, why=why)


@exercise("ELU.forward")
def test_elu_alpha(tt, expect):
    F = tt.nn.functional
    want = f32([[-2.375532, 0.5, 2.0], [1.5, -0.552998, -2.5]])
    why = "alpha multiplies the negative part only"
    expect(F.elu(tt.tensor(X), 2.5), given("F.elu(x, alpha=2.5)", x=X)).equals(want, why=why)


@exercise("ELU.forward")
def test_elu_far_out_and_near_zero(tt, expect):
    F = tt.nn.functional
    same = forward(tt, "ELU", FAR, alpha=1.0)
    got = quiet(expect, "F.elu(x), x up to 1000", lambda: F.elu(tt.tensor(FAR)), same)
    why = "-alpha far below zero, x itself far above: e^x of a large x must not be computed, or must not count"
    expect(got, given("F.elu(x)", x=FAR)).equals(f32([-1, -1, 0.75, 100, 1000]), why=why)
    data = f32([-1e-6, -2e-5, -3e-4])
    why = "near 0, e^x - 1 is x itself: np.exp(x) - 1 loses its digits, np.expm1(x) keeps them"
    expect(F.elu(tt.tensor(data)), given("F.elu(x)", x=data)).equals(wide(np.expm1, data), why=why, atol=0)


@exercise("ELU.forward")
def test_elu_dtypes(tt, expect):
    F = tt.nn.functional
    keeps_dtypes(tt, expect, "F.elu(x)", F.elu, lambda a: np.where(a > 0, a, np.expm1(np.minimum(a, 0))))
    refuses_ints(tt, expect, "F.elu(x)", F.elu)


@exercise("ELU.forward", torch=False)
def test_elu_leaves_its_input_alone(tt, expect):
    arrays_only(tt, expect, "ELU", alpha=1.0)


# Softplus.forward


def softplus64(a, beta=1.0):
    """The softplus in float64, without overflow."""
    return (np.maximum(a * beta, 0) + np.log1p(np.exp(-np.abs(a * beta)))) / beta


@exercise(
    "Softplus.forward",
    points=2,
    hints=(
        "Where does log(1 + e^x) go wrong: far right, far left, or at both ends?",
        "Far right e^x overflows, and the answer is x anyway. Far left 1 + e^x is 1, and `np.log1p(y)`, which is "
        "log(1 + y) with all its digits, helps.",
        "`np.where` computes both of its branches everywhere, so bound what goes into exp: "
        "`np.minimum(a * beta, threshold)`. The comparison is with `a * beta`, not with a.",
    ),
)
def test_softplus_values(tt, expect):
    returns(tt, expect, "Softplus", beta=1.0, threshold=20.0)
    F = tt.nn.functional
    data = f32([[0.0, 1.0, -1.0], [3.0, -5.0, 0.5]])
    want = f32([[0.6931472, 1.3132616, 0.31326166], [3.0485873, 0.00671535, 0.974077]])
    why = "log(1 + e^x): log 2 at 0, and a little above ReLU everywhere"
    expect(F.softplus(tt.tensor(data)), given("F.softplus(x)", x=data)).equals(want, why=why)


@exercise("Softplus.forward")
def test_softplus_beta(tt, expect):
    F = tt.nn.functional
    data = f32([[0.0, 1.0, -1.0], [3.0, -0.5, 0.25]])
    for beta in (2.0, 0.5):
        why = "log(1 + e^(beta * x)) / beta: beta goes in and comes out again"
        expect(F.softplus(tt.tensor(data), beta), given(f"F.softplus(x, beta={beta})", x=data)).equals(
            wide(lambda a, beta=beta: softplus64(a, beta), data), why=why
        )
    data = f32([15.0, 12.5])
    why = "beta * x is above threshold, so the result is x itself, not divided by beta and not bounded"
    expect(F.softplus(tt.tensor(data), 2.0), given("F.softplus(x, beta=2)", x=data)).equals(data, why=why)


@exercise("Softplus.forward", points=2)
def test_softplus_far_out(tt, expect):
    F = tt.nn.functional
    same = forward(tt, "Softplus", FAR, beta=1.0, threshold=20.0)
    got = quiet(expect, "F.softplus(x), x up to 1000", lambda: F.softplus(tt.tensor(FAR)), same)
    why = "x itself far above zero, where e^x would be inf; 0 far below"
    expect(got, given("F.softplus(x)", x=FAR)).equals(wide(softplus64, FAR), why=why)
    data = f32([-18.0, -20.0, -30.0])
    why = "e^x is far below the digits of 1, and log(1 + e^x) loses it; np.log1p(e^x) does not"
    expect(F.softplus(tt.tensor(data)), given("F.softplus(x)", x=data)).equals(
        wide(softplus64, data), why=why, rtol=1e-4, atol=0
    )


@exercise("Softplus.forward")
def test_softplus_threshold(tt, expect):
    F = tt.nn.functional
    data = f32([0.5, 1.5, 3.0, -4.0])
    want = f32([0.974077, 1.5, 3.0, 0.01814993])
    why = "above threshold the result is x itself; at 1.5 > 1 already"
    expect(F.softplus(tt.tensor(data), 1.0, 1.0), given("F.softplus(x, beta=1, threshold=1)", x=data)).equals(
        want, why=why
    )
    want = f32([0.6566308, 1.5, 3.0, 0.00016773])
    why = "threshold is compared with beta * x, not with x: 2 * 1.5 = 3 is above 2"
    expect(F.softplus(tt.tensor(data), 2.0, 2.0), given("F.softplus(x, beta=2, threshold=2)", x=data)).equals(
        want, why=why
    )
    data = f32([1.0, 2.0])
    want = f32([1.3132616, 2.126928])
    why = "an element equal to the threshold is not above it"
    expect(F.softplus(tt.tensor(data), 1.0, 2.0), given("F.softplus(x, beta=1, threshold=2)", x=data)).equals(
        want, why=why
    )


@exercise("Softplus.forward")
def test_softplus_dtypes(tt, expect):
    F = tt.nn.functional
    keeps_dtypes(tt, expect, "F.softplus(x)", F.softplus, softplus64)
    refuses_ints(tt, expect, "F.softplus(x)", F.softplus)


# logsigmoid


@exercise(
    "logsigmoid",
    hints=(
        "log(1 / (1 + e^-x)) is a difference of two logarithms, and one of them is 0.",
        "What is left is -log(1 + e^-x). Which of your functions is log(1 + e^y), and what is y?",
        "Minus the softplus of minus the input, in the names of functions of tensors: `softplus` and two minus signs.",
    ),
)
def test_logsigmoid_values(tt, expect):
    F = tt.nn.functional
    data = f32([[0.0, 1.0, -1.0], [3.0, -5.0, 0.5]])
    want = f32([[-0.6931472, -0.31326166, -1.3132616], [-0.04858735, -5.0067153, -0.474077]])
    why = "the logarithm of a number between 0 and 1 is negative, and near 0 for large x"
    expect(F.logsigmoid(tt.tensor(data)), given("F.logsigmoid(x)", x=data)).equals(want, why=why)


@exercise("logsigmoid", points=2)
def test_logsigmoid_far_below_zero(tt, expect):
    F = tt.nn.functional
    data = f32([-1000.0, -200.0, -104.5])
    got = quiet(expect, "F.logsigmoid(x), x down to -1000", lambda: F.logsigmoid(tt.tensor(data)))
    why = "far below zero it is x itself; the sigmoid there is 0, and its logarithm would be -inf"
    expect(got, given("F.logsigmoid(x)", x=data)).equals(data, why=why)


@exercise("logsigmoid")
def test_logsigmoid_far_above_zero(tt, expect):
    F = tt.nn.functional
    data = f32([18.0, 20.5, 30.0])
    why = "-e^-x, small but not 0: the sigmoid there is rounded to 1, and its logarithm would be 0"
    expect(F.logsigmoid(tt.tensor(data)), given("F.logsigmoid(x)", x=data)).equals(
        wide(lambda a: -softplus64(-a), data), why=why, rtol=1e-4, atol=0
    )


@exercise("logsigmoid")
def test_logsigmoid_returns_a_tensor(tt, expect):
    F = tt.nn.functional
    x = tt.tensor(X)
    with expect.unchanged(x, "F.logsigmoid(x)"):
        got = F.logsigmoid(x)
    expect(got, "F.logsigmoid(x)").is_instance(tt.Tensor, why="a function of tensors: it returns a tensor")
    keeps_dtypes(tt, expect, "F.logsigmoid(x)", F.logsigmoid, lambda a: -softplus64(-a))


# mish


@exercise(
    "mish",
    hints=(
        "Three functions that exist already: a softplus, a tanh, a product.",
        "In this file `softplus` and `tanh` are functions of tensors, and `*` is the multiplication of module 01.",
        "`_run(function, input, inplace)` calls a function of one tensor and stores the result in place when asked; "
        "give it a `lambda x: ...`.",
    ),
)
def test_mish_values(tt, expect):
    F = tt.nn.functional
    data = f32([[0.0, 1.0, -1.0], [-1.1924, 3.0, -6.0]])
    want = wide(lambda a: a * np.tanh(softplus64(a)), data)
    call = given("F.mish(x)", x=data)
    try:
        got = F.mish(tt.tensor(data))
    except TypeError as error:
        if "not callable" not in str(error):
            raise
        why = "`_run` calls what it is given: hand it the function itself, `lambda x: ...`, not the function's result"
        raise CheckFailed(call, "a tensor of shape (2, 3)", f"TypeError: {error}", "", why) from error
    why = "x * tanh(softplus(x)): the softplus inside, the tanh outside, and x in front"
    expect(got, call).equals(want, why=why)


@exercise("mish")
def test_mish_far_out(tt, expect):
    F = tt.nn.functional
    got = quiet(expect, "F.mish(x), x up to 1000", lambda: F.mish(tt.tensor(FAR)))
    why = "x itself far above zero, 0 far below"
    expect(got, given("F.mish(x)", x=FAR)).equals(wide(lambda a: a * np.tanh(softplus64(a)), FAR), why=why)


@exercise("mish")
def test_mish_leaves_its_input_alone(tt, expect):
    F = tt.nn.functional
    x = tt.tensor(X)
    with expect.unchanged(x, "F.mish(x)"):
        F.mish(x)
    keeps_dtypes(tt, expect, "F.mish(x)", F.mish, lambda a: a * np.tanh(softplus64(a)))


@exercise("mish")
def test_mish_in_place(tt, expect):
    F = tt.nn.functional
    x = tt.tensor(X)
    got = F.mish(x, inplace=True)
    why = "with inplace=True the result is stored in the input's memory: that is what `_run` is for"
    expect(x, given("x after F.mish(x, inplace=True)", x=X)).equals(
        wide(lambda a: a * np.tanh(softplus64(a)), X), why=why
    )
    expect(got, "what F.mish(x, inplace=True) returns").is_(x, why="in place, the input itself is returned")


# tanh_cdf


def tanh_cdf64(a):
    """The approximation with tanh in float64."""
    return (1 + np.tanh(math.sqrt(2 / math.pi) * (a + 0.044715 * a**3))) / 2


def normal_cdf64(a):
    """The normal distribution function in float64."""
    return np.vectorize(lambda x: math.erfc(-x / math.sqrt(2)) / 2, otypes=[np.float64])(a)


@exercise(
    "tanh_cdf",
    torch=False,
    hints=(
        "Take the formula apart: a cube, a sum, a tanh, and then from (-1, 1) to (0, 1).",
        "a + 0.044715 a^3 is a * (1 + 0.044715 a^2). The given `_tanh_to_cdf(out, a)` does (1 + tanh(a * out)) / 2.",
        "float16 ends at 65,504, so square in `np.promote_types(a.dtype, np.float32)`: `np.square(a, dtype=...)`. "
        'For float32 the square of 1e30 is inf, and that is fine inside np.errstate(over="ignore").',
    ),
)
def test_tanh_cdf_values(tt, expect):
    data = f32([[0.0, 1.0, -1.0], [2.5, -0.25, -3.0]])
    got = activations(tt).tanh_cdf(data)
    why = "(1 + tanh(sqrt(2 / pi) * (a + 0.044715 a^3))) / 2: one half at 0"
    expect(got, given("tanh_cdf(a)", a=data)).equals(wide(tanh_cdf64, data), why=why)


@exercise("tanh_cdf", torch=False)
def test_tanh_cdf_far_out(tt, expect):
    data = f32([-1e30, -1000.0, -6.0, 6.0, 1000.0, 1e30])
    call, same = "tanh_cdf(a), a up to 1e30", lambda: activations(tt).tanh_cdf(watched(data))
    got = quiet(expect, call, lambda: activations(tt).tanh_cdf(data), same)
    why = "0 far below zero, 1 far above, even where a^2 overflows"
    expect(got, given("tanh_cdf(a)", a=data)).equals(f32([0, 0, 0, 1, 1, 1]), why=why)


@exercise("tanh_cdf", torch=False)
def test_tanh_cdf_dtypes(tt, expect):
    for name in ("float64", "float16"):
        data = np.array([[-2.5, 0.5, 1.0], [3.0, -0.25, 0.0]]).astype(name)
        got = activations(tt).tanh_cdf(data)
        expect(got, given(f"tanh_cdf(a), a of {name}", a=data)).equals(wide(tanh_cdf64, data), why=KEEPS)
    data = np.array([0.1371, 0.7713, 1.3713, -0.5173])
    why = "float64 keeps its digits: nothing on the way may be float32"
    expect(activations(tt).tanh_cdf(data), given("tanh_cdf(a), a of float64", a=data)).equals(
        tanh_cdf64(data), why=why, rtol=1e-12, atol=1e-12
    )
    data = np.array([-400.0, 300.0, 1.5], np.float16)
    call, same = "tanh_cdf(a), a of float16", lambda: activations(tt).tanh_cdf(watched(data))
    got = quiet(expect, call, lambda: activations(tt).tanh_cdf(data), same)
    expect(got, given("tanh_cdf(a), a of float16", a=data)).equals(wide(tanh_cdf64, data), why=KEEPS)
    data = np.array([0.1621, 0.487, 0.8115, 1.137, 1.462], np.float16)
    why = "in float16 each step would round to three digits: compute in float32 and round once, at the end"
    got = activations(tt).tanh_cdf(data)
    off = int((got != wide(tanh_cdf64, data)).sum()) if isinstance(got, np.ndarray) else 5
    expect(off, given("elements of tanh_cdf(a) rounded wrongly, a of float16", a=data)).equals(0, why=why)


@exercise("tanh_cdf", torch=False)
def test_tanh_cdf_leaves_its_input_alone(tt, expect):
    array = X.copy()
    with expect.unchanged(array, "tanh_cdf(a)"):
        got = activations(tt).tanh_cdf(array)
    expect(got, "tanh_cdf(a)").is_instance(np.ndarray, why="an array comes in, an array goes out")
    got = activations(tt).tanh_cdf(np.array(0.5, np.float32))
    got = np.asarray(got) if isinstance(got, np.generic) else got
    expect(got, "tanh_cdf(a), a of shape ()").equals(wide(tanh_cdf64, f32(0.5)), why="without dimensions too")


# normal_cdf


@exercise(
    "normal_cdf",
    points=2,
    torch=False,
    hints=(
        "Two answers by dtype: float64 goes to `math.erfc`, one element at a time; all else is a polynomial.",
        "By Horner: c0 + s * (c1 + s * (c2 + ...)). Start with the last coefficient times s, then add and multiply in "
        "turn, from the last coefficient to the first.",
        "`for coefficient in _P[-2:0:-1]:` visits all but the last and the first. What remains is to add `_P[0]` "
        "without multiplying by the square, and `_tanh_to_cdf(out, a)`.",
        "`np.frompyfunc(f, 1, 1)(a)` applies a Python function to each element. It returns an array of objects, or a "
        "bare float for an array of shape (); `np.asarray(..., np.float64)` makes an array of float64 of either.",
    ),
)
def test_normal_cdf_values(tt, expect):
    data = f32([0.0, 1.0])
    why = "the share of a normal distribution below each element: one half at 0, 0.84 at 1"
    expect(activations(tt).normal_cdf(data), given("normal_cdf(a)", a=data)).equals(
        f32([0.5, 0.8413447]), why=why, atol=3e-7
    )
    data = f32([[0.5, 2.0, -1.0], [2.5, -0.25, -1.5]])
    want = f32([[0.6914625, 0.9772499, 0.15865526], [0.9937903, 0.40129367, 0.0668072]])
    why = (
        "at 1 all powers are 1 and it was right; so look at the powers: _P[0] stands alone, _P[1] goes with a^2, "
        "_P[2] with a^4, up to _P[6] with a^12"
    )
    expect(activations(tt).normal_cdf(data), given("normal_cdf(a)", a=data)).equals(want, why=why, atol=3e-7)


@exercise("normal_cdf", torch=False)
def test_normal_cdf_is_exact_to_a_float(tt, expect):
    data = np.linspace(-4.7, 4.9, 211).astype(np.float32)
    why = "within 3e-7 everywhere: all seven coefficients, each with its power of a^2"
    expect(activations(tt).normal_cdf(data), "normal_cdf(np.linspace(-4.7, 4.9, 211)) in float32").equals(
        wide(normal_cdf64, data), why=why, rtol=0, atol=3e-7
    )


@exercise("normal_cdf", torch=False)
def test_normal_cdf_float64(tt, expect):
    data = np.array([[-9.5, 0.5, 1.0], [3.0, -0.25, 7.5]])
    why = "float64 is exact: the polynomial is good for 1e-7 only, and 1 + erf loses small results; use math.erfc"
    expect(activations(tt).normal_cdf(data), given("normal_cdf(a), a of float64", a=data)).equals(
        normal_cdf64(data), why=why, rtol=1e-12, atol=0
    )
    expect(activations(tt).normal_cdf(np.array(0.5)), "normal_cdf(np.array(0.5))").equals(
        np.array(0.6914624612740131),
        why="an array without dimensions gives one: np.asarray makes an array of a bare number",
    )


@exercise("normal_cdf", torch=False)
def test_normal_cdf_far_out(tt, expect):
    data = f32([-1e30, -1000.0, -30.0, 30.0, 1000.0, 1e30])
    call, same = "normal_cdf(a), a up to 1e30", lambda: activations(tt).normal_cdf(watched(data))
    got = quiet(expect, call, lambda: activations(tt).normal_cdf(data), same)
    why = "0 far below zero, 1 far above; nan means that inf - inf was computed"
    expect(got, given("normal_cdf(a)", a=data)).equals(f32([0, 0, 0, 1, 1, 1]), why=why)
    data = np.array([-400.0, 300.0, 1.5, -0.5], np.float16)
    call, same = "normal_cdf(a), a of float16", lambda: activations(tt).normal_cdf(watched(data))
    got = quiet(expect, call, lambda: activations(tt).normal_cdf(data), same)
    expect(got, given("normal_cdf(a), a of float16", a=data)).equals(wide(normal_cdf64, data), why=KEEPS)


@exercise("normal_cdf", torch=False)
def test_normal_cdf_does_not_loop(tt, expect):
    data = np.linspace(-3, 3, 30_000).astype(np.float32)
    why = "float32 goes through NumPy as a whole; a Python function for each element is for float64 only"
    expect.faster_than(
        lambda: activations(tt).normal_cdf(data),
        lambda: np.tanh(data),
        "normal_cdf(a), a of 30,000 float32, against np.tanh(a)",
        ratio=1 / 25,
        why=why,
    )
    with expect.unchanged(data, "normal_cdf(a)"):
        activations(tt).normal_cdf(data)


# GELU.evaluate


@exercise(
    "GELU.evaluate",
    torch=False,
    hints=(
        "You have two functions for the cdf. Which word asks for which?",
        'Choose first, `normal_cdf` for "none" and `tanh_cdf` otherwise, and multiply once.',
        "Two results are returned as a tuple: the product of a and the cdf, then the cdf.",
    ),
)
def test_evaluate_returns_two_arrays(tt, expect):
    got = activations(tt).GELU.evaluate(X.copy(), "none")
    why = "two arrays, as a tuple: the result and the cdf; forward keeps the second one"
    expect(got, 'GELU.evaluate(a, "none")').is_instance(tuple, why=why)
    expect(len(got), 'len(GELU.evaluate(a, "none"))').equals(2, why=why)
    for one in got:
        expect(one, 'each of the two that GELU.evaluate(a, "none") returns').is_instance(np.ndarray, why=why)


@exercise("GELU.evaluate", torch=False)
def test_evaluate_the_exact_one(tt, expect):
    out, cdf = activations(tt).GELU.evaluate(X.copy(), "none")
    why = "a times the share of the normal distribution below a comes first"
    expect(out, given('GELU.evaluate(a, "none")[0]', a=X)).equals(wide(lambda a: a * normal_cdf64(a), X), why=why)
    why = "the cdf itself comes second, as normal_cdf returned it: a product in place would overwrite it"
    expect(cdf, given('GELU.evaluate(a, "none")[1]', a=X)).equals(wide(normal_cdf64, X), why=why)


@exercise("GELU.evaluate", torch=False)
def test_evaluate_with_tanh(tt, expect):
    out, cdf = activations(tt).GELU.evaluate(X.copy(), "tanh")
    why = '"tanh" asks for tanh_cdf; the two differ in the fourth digit'
    expect(out, given('GELU.evaluate(a, "tanh")[0]', a=X)).equals(wide(lambda a: a * tanh_cdf64(a), X), why=why)
    expect(cdf, given('GELU.evaluate(a, "tanh")[1]', a=X)).equals(wide(tanh_cdf64, X), why=why)


@exercise("GELU.evaluate", torch=False)
def test_evaluate_leaves_its_input_alone(tt, expect):
    for name in ("float32", "float64", "float16"):
        array = X.astype(name)
        with expect.unchanged(array, 'GELU.evaluate(a, "none")', why="write into a new array: a is the input"):
            out, _ = activations(tt).GELU.evaluate(array, "none")
        expect(out, f'GELU.evaluate(a, "none")[0], a of {name}').has_dtype(name, why=KEEPS)


# GELU.forward


@exercise(
    "GELU.forward",
    hints=(
        "Like SiLU, a gate: another function of the element decides how much of it passes.",
        "Your `ctx.evaluate(a, approximate)` returns two things: the result, and the cdf that was used.",
        'Look at `approximate` first and raise RuntimeError; then `floats(a, "gelu")`; keep the second thing in '
        "`ctx.cdf` and return the first.",
    ),
)
def test_gelu_values(tt, expect):
    returns(tt, expect, "GELU", approximate="none")
    F = tt.nn.functional
    data = f32([[0.0, 1.0, -1.0], [2.5, -0.25, -3.0]])
    want = f32([[0, 0.8413447, -0.15865526], [2.4844758, -0.10032342, -0.0040497]])
    why = "x * cdf(x), with the exact distribution function by default"
    expect(F.gelu(tt.tensor(data)), given("F.gelu(x)", x=data)).equals(want, why=why, atol=2e-6)


@exercise("GELU.forward")
def test_gelu_tanh(tt, expect):
    F = tt.nn.functional
    data = f32([[0.0, 1.0, -1.0], [2.5, -0.25, -3.0]])
    want = wide(lambda a: a * tanh_cdf64(a), data)
    why = 'approximate="tanh" asks for the other distribution function; the two differ in the fourth digit'
    got = F.gelu(tt.tensor(data), approximate="tanh")
    expect(got, given('F.gelu(x, approximate="tanh")', x=data)).equals(want, why=why)


@exercise("GELU.forward")
def test_gelu_refuses_other_words(tt, expect):
    F = tt.nn.functional
    why = "a misspelled option must not be taken for one of the two that exist"
    with expect.raises(RuntimeError, call='F.gelu(x, approximate="exact")', mentions=("approximate",), why=why):
        F.gelu(tt.tensor(X), approximate="exact")


@exercise("GELU.forward")
def test_gelu_dtypes(tt, expect):
    F = tt.nn.functional
    keeps_dtypes(tt, expect, "F.gelu(x)", F.gelu, lambda a: a * normal_cdf64(a))
    refuses_ints(tt, expect, "F.gelu(x)", F.gelu)


@exercise("GELU.forward", torch=False)
def test_gelu_keeps_the_cdf(tt, expect):
    arrays_only(tt, expect, "GELU", approximate="none")
    ctx, _ = node(tt, "GELU", X.copy(), approximate="none")
    why = "the node keeps cdf(a), so that module 06 need not compute it again"
    expect(getattr(ctx, "cdf", "nothing kept"), given("ctx.cdf after GELU.forward(ctx, a)", a=X)).equals(
        wide(normal_cdf64, X), why=why
    )


# below_largest


@exercise(
    "below_largest",
    points=2,
    torch=False,
    hints=(
        "The largest of each row, or column, or whatever dim says: and how does it line up with a again?",
        "`a.max(axis=dim, keepdims=True)` keeps a dimension of size 1, which broadcasts.",
        "`wrap_dim(dim, a.ndim)` raises the IndexError. `initial=-np.inf` gives max an answer where there is nothing.",
        '-inf - (-inf) is nan, which is right, but NumPy warns: `with np.errstate(invalid="ignore"):`. '
        "`out=np.empty_like(a)` makes sure that an array comes back, also without dimensions.",
    ),
)
def test_below_largest_of_each_row(tt, expect):
    below_largest = activations(tt).below_largest
    want = f32([[-5, -1.5, 0], [0, -1.75, -41.5]])
    why = "the result has the shape of a: with keepdims=True the largest are (2, 1), which lines up with (2, 3)"
    got = attempted(given("below_largest(a, 1)", a=X), "shape (2, 3)", lambda: below_largest(X.copy(), 1), why)
    expect(got, given("below_largest(a, 1)", a=X)).has_shape((2, 3), why=why)
    why = "the largest of each row, 2.0 and 1.5, is subtracted from that row"
    expect(got, given("below_largest(a, 1)", a=X)).equals(want, why=why)
    want = f32([[-4.5, 0, 0], [0, -0.75, -42]])
    why = "dim 0 compares along the columns: the largest of each column is subtracted from it"
    expect(below_largest(X.copy(), 0), given("below_largest(a, 0)", a=X)).equals(want, why=why)


@exercise("below_largest", torch=False)
def test_below_largest_any_dim(tt, expect):
    below_largest = activations(tt).below_largest
    for dim in (0, 1, 2, -1, -2, -3):
        why = f"along dimension {dim}, each line on its own; keepdims lets the largest line up with a"
        expect(below_largest(CUBE.copy(), dim), f"below_largest(a, {dim}), a of shape (2, 3, 5)").equals(
            CUBE - CUBE.max(dim, keepdims=True), why=why
        )


@exercise("below_largest", torch=False)
def test_below_largest_without_dimensions_or_elements(tt, expect):
    below_largest = activations(tt).below_largest
    why = "an array without dimensions accepts dim 0 and -1, and its largest element is its only one"
    for dim in (0, -1):
        got = below_largest(f32(-2.5), dim)
        expect(got, f"below_largest(a, {dim}), a of shape ()").is_instance(np.ndarray, why=why).equals(f32(0), why=why)
    empty = np.zeros((3, 0), np.float32)
    why = "no elements, no largest: max needs `initial` to have an answer, and the result is empty"
    call = "below_largest(a, 1), a of shape (3, 0)"
    got = attempted(call, "an array of shape (3, 0)", lambda: below_largest(empty, 1), why)
    expect(got, call).is_instance(np.ndarray, why=why).equals(empty, why=why)


@exercise("below_largest", torch=False)
def test_below_largest_of_infinities(tt, expect):
    below_largest = activations(tt).below_largest
    data = f32([[-np.inf, 2.0, 5.0], [-np.inf, -np.inf, -np.inf]])
    call = "below_largest(a, 1), a with a row of -inf"
    got = quiet(expect, call, lambda: below_largest(data, 1), lambda: below_largest(watched(data), 1))
    why = "one -inf stays -inf; a row of nothing else has no answer and becomes nan, as in PyTorch"
    expect(got, given("below_largest(a, 1)", a=data)).equals(f32([[-np.inf, -3, 0], [np.nan] * 3]), why=why)


@exercise("below_largest", torch=False)
def test_below_largest_new_memory_and_errors(tt, expect):
    below_largest = activations(tt).below_largest
    array = X.copy()
    with expect.unchanged(array, "below_largest(a, 1)", why="the result goes into new memory: a is the input"):
        below_largest(array, 1)
    for name in ("float64", "float16"):
        expect(below_largest(X.astype(name), 1), f"below_largest(a, 1), a of {name}").has_dtype(name, why=KEEPS)
    why = "a has 2 dimensions, so dim is -2, -1, 0 or 1: `wrap_dim(dim, a.ndim)` checks that"
    for a, dim in ((X, 2), (f32(1.5), 1)):
        with expect.raises(
            IndexError, call=f"below_largest(a, {dim}), a of shape {a.shape}", why=why, mentions=("got",)
        ):
            below_largest(a.copy(), dim)


# Softmax.forward


def softmax64(a, dim):
    """The softmax in float64."""
    e = np.exp(a - a.max(dim, keepdims=True))
    return e / e.sum(dim, keepdims=True)


@exercise(
    "Softmax.forward",
    points=2,
    hints=(
        "`softmax_of_module_01` in this lesson has the formula; what must be subtracted before its exponentials?",
        'Your `below_largest(a, dim)` returns what is safe for exp: nothing above 0. `floats(a, "softmax")` first.',
        "Sum over dim with `keepdims=True`, so that it divides each line by its own sum.",
    ),
)
def test_softmax_rows(tt, expect):
    returns(tt, expect, "Softmax", dim=1)
    want = f32([[0.5, 0.5, 0.0], [0.09003057, 0.24472848, 0.66524094]])
    data = f32([[3.0, 3.0, -200.0], [-1.0, 0.0, 1.0]])
    why = "each row is divided by its own sum: with keepdims=True the sums are (2, 1), which lines up with (2, 3)"
    call = given("tt.softmax(x, dim=1)", x=data)
    got = attempted(call, "shape (2, 3)", lambda: tt.softmax(tt.tensor(data), dim=1), why)
    expect(got, call).has_shape((2, 3), why=why)
    why = "along dim 1 each row adds up to 1, and equal scores share equally"
    expect(got, given("tt.softmax(x, dim=1)", x=data)).equals(want, why=why)


@exercise("Softmax.forward", points=2)
def test_softmax_any_dim(tt, expect):
    for dim in (0, 1, 2, -1, -2):
        why = f"the sum runs over dimension {dim}, and only over it"
        expect(tt.softmax(tt.tensor(CUBE), dim=dim), f"tt.softmax(x, dim={dim}), x of shape (2, 3, 5)").equals(
            wide(lambda a, dim=dim: softmax64(a, dim), CUBE), why=why
        )


@exercise("Softmax.forward")
def test_softmax_of_rows_far_apart(tt, expect):
    data = f32([[60.0, 61.0], [0.5, -0.25], [-60.0, -59.0]])
    why = "each row has a largest number of its own; with the largest of the whole table, far rows become 0 / 0"
    with np.errstate(all="ignore"):
        got = tt.softmax(tt.tensor(data), dim=1)
    expect(got, given("tt.softmax(x, dim=1)", x=data)).equals(wide(lambda a: softmax64(a, 1), data), why=why)


@exercise("Softmax.forward", points=2)
def test_softmax_far_out(tt, expect):
    data = f32([[1000.0, 998.0, -1000.0], [-1000.0, -1002.0, -1001.0]])
    call, same = "tt.softmax(x, dim=1), x up to 1000", forward(tt, "Softmax", data, dim=1)
    got = quiet(expect, call, lambda: tt.softmax(tt.tensor(data), dim=1), same)
    why = "only differences count: subtract the largest of each row before exp, so that nothing overflows"
    expect(got, given("tt.softmax(x, dim=1)", x=data)).equals(wide(lambda a: softmax64(a, 1), data), why=why)


@exercise("Softmax.forward")
def test_softmax_masks_and_shapes(tt, expect):
    data = f32([[-np.inf, 1.0, 2.0], [0.5, -np.inf, -np.inf]])
    want = f32([[0, 0.26894143, 0.7310586], [1, 0, 0]])
    why = "a score of -inf gets probability 0: that is how positions are masked in module 12"
    expect(tt.softmax(tt.tensor(data), dim=1), given("tt.softmax(x, dim=1)", x=data)).equals(want, why=why)
    why = "one number alone has probability 1"
    expect(tt.softmax(tt.tensor(-7.5), dim=0), "tt.softmax(tt.tensor(-7.5), dim=0)").equals(f32(1), why=why)
    expect(tt.softmax(tt.zeros(3, 0), dim=1), "tt.softmax(x, dim=1), x of shape (3, 0)").equals(
        np.zeros((3, 0), np.float32), why="nothing in, nothing out"
    )


@exercise("Softmax.forward")
def test_softmax_dtypes(tt, expect):
    for name in ("float64", "float16"):
        data = np.clip(X, -8, 8).astype(name)
        expect(tt.softmax(tt.tensor(data), dim=1), given(f"tt.softmax(x, dim=1), x of {name}", x=data)).equals(
            wide(lambda a: softmax64(a, 1), data), why=KEEPS
        )
    refuses_ints(tt, expect, "tt.softmax(x, dim=1)", lambda x: tt.softmax(x, dim=1))
    with expect.raises(IndexError, call="tt.softmax(x, dim=2), x of shape (2, 3)", why="there is no dimension 2"):
        tt.softmax(tt.tensor(X), dim=2)


@exercise("Softmax.forward", torch=False)
def test_softmax_leaves_its_input_alone(tt, expect):
    arrays_only(tt, expect, "Softmax", dim=1)


# LogSoftmax.forward


def log_softmax64(a, dim):
    """The logarithm of the softmax in float64."""
    below = a - a.max(dim, keepdims=True)
    return below - np.log(np.exp(below).sum(dim, keepdims=True))


@exercise(
    "LogSoftmax.forward",
    points=2,
    hints=(
        "The logarithm of e^x / sum is a difference, and the logarithm of e^x needs no computing.",
        "With `below = below_largest(...)` the answer is below minus the logarithm of the sum of its exponentials.",
        'Where dim has size 0 the sum is 0 and its logarithm -inf; np.errstate(divide="ignore") keeps that quiet.',
    ),
)
def test_log_softmax_values(tt, expect):
    returns(tt, expect, "LogSoftmax", dim=1)
    data = f32([[-1.0, 0.0, 1.0], [0.5, -2.0, 3.0]])
    want = wide(lambda a: log_softmax64(a, 1), data)
    why = "one logarithm for each row: with keepdims=True they are (2, 1), which lines up with (2, 3)"
    call = given("tt.log_softmax(x, dim=1)", x=data)
    got = attempted(call, "shape (2, 3)", lambda: tt.log_softmax(tt.tensor(data), dim=1), why)
    expect(got, call).has_shape((2, 3), why=why)
    why = "the logarithm of the softmax: negative numbers, whose exponentials add up to 1 in each row"
    expect(got, given("tt.log_softmax(x, dim=1)", x=data)).equals(want, why=why)


@exercise("LogSoftmax.forward")
def test_log_softmax_any_dim(tt, expect):
    for dim in (0, 1, 2, -1, -2):
        why = f"the sum runs over dimension {dim}, and only over it"
        call = f"tt.log_softmax(x, dim={dim}), x of shape (2, 3, 5)"
        expect(tt.log_softmax(tt.tensor(CUBE), dim=dim), call).equals(
            wide(lambda a, dim=dim: log_softmax64(a, dim), CUBE), why=why
        )


@exercise("LogSoftmax.forward", points=2)
def test_log_softmax_of_what_softmax_rounds_to_zero(tt, expect):
    data = f32([[0.0, -200.0, -1000.0], [1000.0, 998.0, -1000.0]])
    same = forward(tt, "LogSoftmax", data, dim=1)
    got = quiet(expect, "tt.log_softmax(x, dim=1)", lambda: tt.log_softmax(tt.tensor(data), dim=1), same)
    why = "softmax is 0 there, and its logarithm -inf; log_softmax is finite: never take the log of the softmax"
    expect(got, given("tt.log_softmax(x, dim=1)", x=data)).equals(wide(lambda a: log_softmax64(a, 1), data), why=why)


@exercise("LogSoftmax.forward")
def test_log_softmax_shapes(tt, expect):
    why = "one number alone has probability 1, and the logarithm of 1 is 0"
    expect(tt.log_softmax(tt.tensor(-7.5), dim=0), "tt.log_softmax(tt.tensor(-7.5), dim=0)").equals(f32(0), why=why)
    call = "tt.log_softmax(x, dim=1), x of shape (3, 0)"
    same = forward(tt, "LogSoftmax", np.zeros((3, 0), np.float32), dim=1)
    got = quiet(expect, call, lambda: tt.log_softmax(tt.zeros(3, 0), dim=1), same)
    expect(got, call).equals(np.zeros((3, 0), np.float32), why="nothing in, nothing out")


@exercise("LogSoftmax.forward")
def test_log_softmax_dtypes(tt, expect):
    for name in ("float64", "float16"):
        data = np.clip(X, -8, 8).astype(name)
        call = given(f"tt.log_softmax(x, dim=1), x of {name}", x=data)
        expect(tt.log_softmax(tt.tensor(data), dim=1), call).equals(
            wide(lambda a: log_softmax64(a, 1), data), why=KEEPS
        )
    refuses_ints(tt, expect, "tt.log_softmax(x, dim=1)", lambda x: tt.log_softmax(x, dim=1))


@exercise("LogSoftmax.forward", torch=False)
def test_log_softmax_leaves_its_input_alone(tt, expect):
    arrays_only(tt, expect, "LogSoftmax", dim=1)

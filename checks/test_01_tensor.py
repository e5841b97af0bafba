"""Checks of module 01, Tensor, in the order of the lesson.

A check of one exercise uses only that exercise, earlier ones, and what the package gives. Operations are called by
PyTorch's names, so that the same check runs on PyTorch too; expected values are literals or computed by NumPy here.
"""

import contextlib
import itertools
import sys
import warnings

import numpy as np

from checks import CheckFailed, exercise

A = np.array([[1.5, -2.0, 3.0], [4.0, 0.5, -6.0]], np.float32)
B = np.array([[0.25, 5.0, -7.0], [-2.0, 8.0, 3.5]], np.float32)
CUBE = (np.arange(30, dtype=np.float32).reshape(2, 3, 5) * 7 % 31 - 14.5).astype(np.float32)  # unsorted, unequal


def f32(values):
    """A float32 array."""
    return np.array(values, np.float32)


def i64(values):
    """An int64 array."""
    return np.array(values, np.int64)


def given(call, **values):
    """The label of a call, with the values of its arrays in lines below it."""
    return "\n".join([call, *(f"{name} = {value.tolist()}" for name, value in values.items())])


def operation(tt, name):
    """The op class `name` of the library under test; None for PyTorch, whose ops are not classes."""
    return getattr(sys.modules[tt.Tensor.__module__], name, None)


def returns_array(tt, expect, name, *arrays, **options):
    """Call a `forward` by hand, without `Function.apply`: arrays in, one array out."""
    op = operation(tt, name)
    if op is not None:
        got = op.forward(op(**options), *arrays, **options)
        got = np.asarray(got) if isinstance(got, np.generic) else got  # a sum over all may be a bare number
        why = "forward works below tensors: it gets NumPy arrays and returns one; Function.apply wraps it"
        expect(got, f"{name}.forward called with arrays").is_instance(np.ndarray, why=why)


def quiet(expect, call, function):
    """Result of `function`, which must not warn: a warning would appear in the middle of the student's output."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = function()
    why = "PyTorch answers without a warning; compute inside `with np.errstate(all='ignore'):`"
    expect([str(warning.message) for warning in caught], f"warnings of {call}").equals([], why=why)
    return result


@contextlib.contextmanager
def allowed(call, why):
    """The block must not raise RuntimeError: what it does is fine, and `why` says so."""
    try:
        yield
    except NotImplementedError:  # a kind of RuntimeError: an exercise that is not written yet
        raise
    except RuntimeError as error:
        raise CheckFailed(call, "no error", f"RuntimeError: {error}", "", why) from error


@contextlib.contextmanager
def recorded(tt):
    """Collect the calls of `record` in the block: one for each operation that went through `Function.apply`."""
    module = sys.modules[tt.Tensor.__module__]
    real, calls = module.record, []
    module.record = lambda *arguments: calls.append(arguments)
    try:
        yield calls
    finally:
        module.record = real


def goes_through_apply(tt, expect, call, function, name, *operands):
    """`function` must run the op `name` by its `apply` on these operands, and nothing else."""
    with recorded(tt) as calls:
        function()
    why = f"run {name}.apply, once: it unwraps and wraps, and module 06 will find the way back through what it records"
    expect([type(ctx).__name__ for ctx, *_ in calls], f"operations that {call} ran").equals([name], why=why)
    for i, (got, operand) in enumerate(zip(calls[0][1], operands, strict=True)):
        why = f"the operands go to {name}.apply in the order in which they are written"
        operands_are = expect(got, f"operand {i} of {name}.apply, run by {call}")
        operands_are.is_(operand, why=why) if isinstance(operand, tt.Tensor) else operands_are.equals(operand, why=why)


# Tensor.__init__


@exercise(
    "Tensor.__init__",
    points=2,
    hints=(
        "Which inputs know their dtype already, and which are plain Python numbers that you must decide for?",
        "An array (`np.ndarray`), a NumPy scalar (`np.generic`) and a Tensor keep their dtype. For all else, "
        "`np.array(data)` finds the kind of the numbers: its `dtype.kind` is 'f', 'i' or 'b'.",
        "Settle `dtype` first. For Python numbers without a given dtype, kind 'f' means float32 and 'i' means int64; "
        "bools may stay what NumPy made of them.",
        "Then one line keeps the array: `np.asarray(data, dtype.numpy)`, with None in place of `dtype.numpy` when "
        "no dtype was settled. It copies only if it must. Set `self.requires_grad` last.",
    ),
)
def test_init_python_numbers_get_default_dtypes(tt, expect):
    call = "tt.tensor([[1.5, -2.0, 3.0], [4.0, 0.5, -6.0]])"
    why = "Python floats become float32: PyTorch's default, half the memory of NumPy's float64"
    expect(tt.tensor(A.tolist()), call).is_instance(tt.Tensor).equals(A, why=why)
    why = "Python ints become int64, so that no index or count is too large"
    expect(tt.tensor([[1, -2, 3], [4, 5, -6]]), "tt.tensor([[1, -2, 3], [4, 5, -6]])").equals(
        i64([[1, -2, 3], [4, 5, -6]]), why=why
    )
    why = "Python bools stay bool: one byte each"
    expect(tt.tensor([True, False, True]), "tt.tensor([True, False, True])").equals(
        np.array([True, False, True]), why=why
    )
    expect(tt.tensor(7), "tt.tensor(7)").equals(i64(7), why="a number is a tensor without dimensions")
    expect(tt.tensor(2.5), "tt.tensor(2.5)").equals(f32(2.5), why="a number is a tensor without dimensions")


@exercise("Tensor.__init__")
def test_init_looks_at_all_numbers(tt, expect):
    why = "one float among ints makes all of them float32; look at the whole list, not at its first number"
    expect(tt.tensor([[1, 2], [3, 4.5]]), "tt.tensor([[1, 2], [3, 4.5]])").equals(f32([[1, 2], [3, 4.5]]), why=why)
    why = "one int among bools makes all of them int64"
    expect(tt.tensor([True, 2]), "tt.tensor([True, 2])").equals(i64([1, 2]), why=why)
    why = "a list without numbers gets the default, float32"
    expect(tt.tensor([]), "tt.tensor([])").equals(f32([]), why=why)


@exercise("Tensor.__init__")
def test_init_arrays_keep_their_dtype(tt, expect):
    for name in ("float64", "float16", "int32", "uint8", "bool"):
        array = np.array([[0, 1, 2], [3, 0, 5]]).astype(name)
        why = f"an array knows its dtype already: {name} stays {name}"
        expect(tt.tensor(array), f"tt.tensor(array), array of {name}").equals(array, why=why)
    scalar = np.float64(1.25)
    expect(tt.tensor(scalar), "tt.tensor(np.float64(1.25))").equals(
        np.array(1.25), why="a NumPy scalar knows its dtype already: float64 stays float64"
    )


@exercise("Tensor.__init__")
def test_init_given_dtype_wins(tt, expect):
    why = "dtype= says what the numbers become; it goes before every other rule"
    expect(tt.tensor([1, 2, 3], dtype=tt.float64), "tt.tensor([1, 2, 3], dtype=tt.float64)").equals(
        np.array([1.0, 2.0, 3.0]), why=why
    )
    expect(tt.tensor([1.75, -2.75], dtype=tt.int8), "tt.tensor([1.75, -2.75], dtype=tt.int8)").equals(
        np.array([1, -2], np.int8), why=why
    )
    expect(tt.tensor(A, dtype=tt.float16), "tt.tensor(array, dtype=tt.float16), array of float32").equals(
        A.astype(np.float16), why=why
    )


@exercise("Tensor.__init__", points=2)
def test_init_shares_memory_of_arrays_and_tensors(tt, expect):
    array = A.copy()
    why = "an array of the right dtype is kept, not copied: `np.asarray` copies only if it must"
    expect(tt.from_numpy(array), "tt.from_numpy(array)").equals(A).shares_memory_with(array, why=why)
    x = tt.tensor(A)
    why = "a tensor made from a tensor uses the same memory: take its array"
    expect(tt.Tensor(x), "tt.Tensor(x), x a tensor").equals(A).shares_memory_with(x, why=why)


@exercise("Tensor.__init__")
def test_init_requires_grad(tt, expect):
    x = tt.tensor([1.5, 2.5])
    expect(x.requires_grad, "tt.tensor([1.5, 2.5]).requires_grad").equals(False)
    expect(x.grad, "tt.tensor([1.5, 2.5]).grad").equals(None)
    x = tt.tensor([1.5, 2.5], requires_grad=True)
    why = "the argument is stored on the tensor; module 06 asks for it"
    expect(x.requires_grad, "tt.tensor([1.5, 2.5], requires_grad=True).requires_grad").equals(True, why=why)
    why = "only floats can change a little, so only they can have a gradient"
    call = "tt.tensor([1, 2], requires_grad=True)"
    with expect.raises(RuntimeError, call=call, why=why):
        tt.tensor([1, 2], requires_grad=True)


@exercise("Tensor.__init__")
def test_init_refuses_what_is_not_a_tensor(tt, expect):
    why = "rows of unequal length have no shape"
    with expect.raises(ValueError, call="tt.tensor([[1, 2], [3]])", why=why):
        tt.tensor([[1, 2], [3]])
    why = "text has no dtype among ours: as_dtype(self.array.dtype) raises this error"
    with expect.raises(TypeError, call='tt.tensor("a")', why=why):
        tt.tensor("a")


# promote_types

KINDS = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]
PROMOTED = """
b   u8  i8  i16 i32 i64 f16 f32 f64
u8  u8  i16 i16 i32 i64 f16 f32 f64
i8  i16 i8  i16 i32 i64 f16 f32 f64
i16 i16 i16 i16 i32 i64 f16 f32 f64
i32 i32 i32 i32 i32 i64 f16 f32 f64
i64 i64 i64 i64 i64 i64 f16 f32 f64
f16 f16 f16 f16 f16 f16 f16 f32 f64
f32 f32 f32 f32 f32 f32 f32 f32 f64
f64 f64 f64 f64 f64 f64 f64 f64 f64
"""


def promotes(tt, expect, one, other, result, why):
    """promote_types of two dtypes, given and expected by name."""
    got, want = tt.promote_types(getattr(tt, one), getattr(tt, other)), getattr(tt, result)
    call = f"tt.promote_types(tt.{one}, tt.{other})"
    expect(got, call).is_instance(type(want), why="a dtype of the library, not NumPy's: `as_dtype` turns one into ours")
    expect(got, call).equals(want, why=why)


@exercise(
    "promote_types",
    points=2,
    hints=(
        "Ask about the category first (is one of them a float and the other not?), about size only afterwards.",
        "`type1.is_floating_point` tells the category. When the two differ, the float is the answer as it is.",
        "When both are floats, or neither is, `np.promote_types` is right. It wants NumPy's dtypes (`type1.numpy`) "
        "and returns one, which `as_dtype` turns into ours.",
    ),
)
def test_promote_float_beats_int(tt, expect):
    why = "a float beats an int whatever their sizes, and keeps its own width (NumPy would say float64)"
    promotes(tt, expect, "int64", "float32", "float32", why)
    promotes(tt, expect, "float16", "int32", "float16", why)
    promotes(tt, expect, "uint8", "float64", "float64", why)
    promotes(tt, expect, "float16", "bool", "float16", why)


@exercise("promote_types")
def test_promote_within_one_category(tt, expect):
    promotes(tt, expect, "float16", "float64", "float64", "of two floats, the wider one holds both")
    promotes(tt, expect, "int32", "int8", "int32", "of two ints, the wider one holds both")
    promotes(tt, expect, "bool", "int16", "int16", "an int holds 0 and 1, a bool does not hold 7")
    promotes(tt, expect, "int32", "int32", "int32", "two equal dtypes need no change")
    why = "neither holds both -1 and 255: the smallest dtype that does is int16"
    promotes(tt, expect, "uint8", "int8", "int16", why)


@exercise("promote_types")
def test_promote_whole_table(tt, expect):
    letters = {name.replace("bool", "b").replace("uint", "u").replace("int", "i").replace("float", "f"): name
               for name in KINDS}  # fmt: skip
    for one, row in zip(KINDS, PROMOTED.strip().splitlines(), strict=True):
        for other, short in zip(KINDS, row.split(), strict=True):
            promotes(tt, expect, one, other, letters[short], "the table of the lesson; the order does not matter")


# Tensor.numel


@exercise(
    "Tensor.numel",
    hints=(
        "How many numbers are in a box of 2 by 3 by 5?",
        "Multiply the sizes in `self.shape`. What is the product of no sizes at all?",
        "`math.prod` multiplies the items of a sequence and returns a Python int, 1 for an empty one.",
    ),
)
def test_numel_multiplies_all_sizes(tt, expect):
    why = "the product of all sizes: 2 * 3 * 5"
    expect(tt.zeros(2, 3, 5).numel(), "tt.zeros(2, 3, 5).numel()").equals(30, why=why)
    expect(tt.zeros(7).numel(), "tt.zeros(7).numel()").equals(7, why="one dimension of size 7")


@exercise("Tensor.numel")
def test_numel_without_dimensions(tt, expect):
    why = "a tensor without dimensions still holds one number, an int: the empty product is 1"
    expect(tt.tensor(4.5).numel(), "tt.tensor(4.5).numel()").equals(1, why=why)


@exercise("Tensor.numel")
def test_numel_of_an_empty_tensor(tt, expect):
    why = "a size of 0 leaves no elements, whatever the other sizes"
    expect(tt.zeros(3, 0, 2).numel(), "tt.zeros(3, 0, 2).numel()").equals(0, why=why)


# Tensor.nbytes


@exercise(
    "Tensor.nbytes",
    hints=(
        "Two things decide it: how many elements, and how large one is.",
        "Both are there already: `self.numel()`, and the `itemsize` of the dtype.",
        "The number of elements times `self.dtype.itemsize`.",
    ),
)
def test_nbytes_counts_bytes_of_every_dtype(tt, expect):
    for name, size in (
        ("float32", 4),
        ("float64", 8),
        ("float16", 2),
        ("int64", 8),
        ("uint8", 1),
        ("bool", 1),
    ):
        x = tt.zeros(2, 3, 5, dtype=getattr(tt, name))
        why = f"30 elements of {size} bytes each ({size * 8} bits)" if size > 1 else "30 elements of 1 byte each"
        expect(x.nbytes, f"tt.zeros(2, 3, 5, dtype=tt.{name}).nbytes").equals(30 * size, why=why)


@exercise("Tensor.nbytes")
def test_nbytes_of_one_number_and_of_none(tt, expect):
    expect(tt.tensor(4.5).nbytes, "tt.tensor(4.5).nbytes").equals(4, why="one float32")
    expect(tt.zeros(3, 0).nbytes, "tt.zeros(3, 0).nbytes").equals(0, why="no elements, no bytes of elements")


@exercise("Tensor.nbytes")
def test_nbytes_of_a_part(tt, expect):
    array = np.zeros((4, 6), np.float32)
    x = tt.from_numpy(array[:, :2])
    why = "a part of a larger array counts its own elements only: 8 of 4 bytes"
    expect(x.nbytes, "nbytes of the first 2 columns of a (4, 6) tensor").equals(32, why=why)


# contiguous_strides


@exercise(
    "contiguous_strides",
    points=2,
    torch=False,
    hints=(
        "In a row of 5 numbers, how far is the next number? And how far the same place in the next row?",
        "The last stride is 1. Each stride further left is the one to its right times the size to its right.",
        "Walk through the sizes from the last to the first with a running product that starts at 1: note it, "
        "then multiply it by the size. Turn the notes around at the end.",
    ),
)
def test_strides_of_three_dimensions(tt, expect):
    call = "tt.contiguous_strides((2, 3, 5))"
    why = "in elements: 1 to the next number, 5 to the next row, 3 * 5 = 15 to the next block; the last comes last"
    expect(tt.contiguous_strides((2, 3, 5)), call).is_instance(tuple, why="strides are a tuple, as a shape is")
    expect(tt.contiguous_strides((2, 3, 5)), call).equals((15, 5, 1), why=why)
    expect(tt.contiguous_strides((7,)), "tt.contiguous_strides((7,))").equals((1,), why="neighbours are 1 apart")


@exercise("contiguous_strides", torch=False)
def test_strides_agree_with_numpy(tt, expect):
    for shape in ((4, 3), (3, 4), (2, 7, 3, 5), (6, 1, 2), (1, 1, 9)):
        want = tuple(step // 8 for step in np.zeros(shape, np.float64).strides)
        why = "NumPy's strides in bytes, divided by the 8 bytes of one float64"
        expect(tt.contiguous_strides(shape), f"tt.contiguous_strides({shape})").equals(want, why=why)


@exercise("contiguous_strides", torch=False)
def test_strides_of_no_dimensions_and_of_size_zero(tt, expect):
    why = "no dimensions, no strides: an empty tuple"
    expect(tt.contiguous_strides(()), "tt.contiguous_strides(())").equals((), why=why)
    why = "a dimension of size 0 counts as 1, as in PyTorch; else every stride to its left would be 0"
    expect(tt.contiguous_strides((2, 0, 3)), "tt.contiguous_strides((2, 0, 3))").equals((3, 3, 1), why=why)


# broadcast_shapes


def broadcasts_to(tt, expect, shapes, result, why):
    """broadcast_shapes of these shapes, without an error."""
    call = f"tt.broadcast_shapes({', '.join(map(str, shapes))})"
    with allowed(call, why):
        got = tt.broadcast_shapes(*shapes)
    expect(got, call).equals(result, why=why)


@exercise(
    "broadcast_shapes",
    points=2,
    hints=(
        "Write the shapes below each other, aligned at the right. What may stand in one column?",
        "A missing size counts as 1. In each column the sizes other than 1 must all be equal; that size is the "
        "answer, and 1 is the answer if there is none.",
        "Start from a result of ones, as long as the longest shape. Negative indices align at the right: "
        "`for dim in range(-len(shape), 0)` visits `shape[dim]` and `result[dim]` of the same column.",
        "For each shape and each dim: if `result[dim]` is 1, it becomes `shape[dim]`; else `shape[dim]` must be 1 or "
        "equal to it, and if it is neither, raise RuntimeError with all shapes in its message. Return a `Size`.",
    ),
)
def test_broadcast_aligns_from_the_right(tt, expect):
    why = "shapes are aligned at their last dimension; sizes missing on the left count as 1"
    broadcasts_to(tt, expect, [(2, 3, 5), (3, 5)], (2, 3, 5), why)
    broadcasts_to(tt, expect, [(5,), (2, 3, 5)], (2, 3, 5), why)
    broadcasts_to(tt, expect, [(3, 3, 2), (3, 2)], (3, 3, 2), why)
    broadcasts_to(tt, expect, [(), (4, 2)], (4, 2), why)


@exercise("broadcast_shapes", points=2)
def test_broadcast_stretches_ones(tt, expect):
    why = "a size of 1 stretches to the other size, in either shape"
    broadcasts_to(tt, expect, [(2, 1, 5), (3, 1)], (2, 3, 5), why)
    broadcasts_to(tt, expect, [(1, 4), (6, 1)], (6, 4), why)
    broadcasts_to(tt, expect, [(1, 3), (1, 1)], (1, 3), why="1 with 1 stays 1")
    why = "a 1 stretches to 0 too: the larger of two sizes is not the rule"
    broadcasts_to(tt, expect, [(2, 1), (0,)], (2, 0), why)


@exercise("broadcast_shapes")
def test_broadcast_takes_any_number_of_shapes(tt, expect):
    why = "any number of shapes, all at once"
    broadcasts_to(tt, expect, [(2, 1), (3,), (5, 1, 1)], (5, 2, 3), why)
    broadcasts_to(tt, expect, [(1,), (4,), (1, 1), (2, 1)], (2, 4), why)
    broadcasts_to(tt, expect, [(4, 1)], (4, 1), why="one shape stays as it is")
    broadcasts_to(tt, expect, [], (), why="no shapes broadcast to no dimensions")


@exercise("broadcast_shapes", points=2)
def test_broadcast_refuses_unequal_sizes(tt, expect):
    why = "3 and 4 differ and neither is 1: an error must say so, naming both shapes"
    with expect.raises(RuntimeError, "tt.broadcast_shapes((2, 3), (4,))", ("(2, 3)", "(4,)"), why):
        tt.broadcast_shapes((2, 3), (4,))
    why = "aligned at the right, 3 meets 2; that both begin with 2 does not help"
    with expect.raises(RuntimeError, "tt.broadcast_shapes((2, 3), (2,))", ("(2, 3)", "(2,)"), why):
        tt.broadcast_shapes((2, 3), (2,))
    why = "4 and 2 differ and neither is 1, though one divides the other"
    with expect.raises(RuntimeError, "tt.broadcast_shapes((4, 3), (2, 3))", ("(4, 3)", "(2, 3)"), why):
        tt.broadcast_shapes((4, 3), (2, 3))
    why = "the second and the third shape differ, though each fits the first"
    with expect.raises(RuntimeError, "tt.broadcast_shapes((1,), (2,), (3,))", ("(2,)", "(3,)"), why):
        tt.broadcast_shapes((1,), (2,), (3,))


@exercise("broadcast_shapes")
def test_broadcast_agrees_with_numpy(tt, expect):
    shapes = [(), (1,), (5,), (1, 5), (3, 1), (2, 1, 5), (2, 3, 1)]
    for pair in itertools.product(shapes, repeat=2):
        broadcasts_to(tt, expect, pair, np.broadcast_shapes(*pair), why="what NumPy answers")


# Function.apply


def new_op(tt, name, forward):
    """An op of ours, such as a student writes them from here on: a subclass of Function with a forward."""
    function = sys.modules[tt.Tensor.__module__].Function
    return type(name, (function,), {"forward": forward})


@exercise(
    "Function.apply",
    points=3,
    torch=False,
    hints=(
        "Five steps, one line each: make the node, unwrap the inputs, compute, wrap the result, record.",
        "`cls` is the op, such as Add. The node is an instance of it: `cls(**options)`, a new one for each call.",
        "Unwrap with a list comprehension: `x.array` for a Tensor, anything else as it is.",
        "Compute with `cls.forward(ctx, *arrays, **options)`, wrap that in a Tensor, call "
        "`record(ctx, inputs, output)`, and return the output.",
    ),
)
def test_apply_unwraps_and_wraps(tt, expect):
    def forward(ctx, a, b):
        why = "forward works on NumPy arrays: give it `x.array` for every Tensor among the inputs"
        expect(a, "what forward got as a").is_instance(np.ndarray, why=why)
        expect(b, "what forward got as b").is_instance(np.ndarray, why=why)
        return a * 10 + b

    output = new_op(tt, "Tenfold", forward).apply(tt.tensor(A), tt.tensor(B))
    call = "Tenfold.apply(a, b), whose forward returns a * 10 + b"
    why = "apply wraps what forward returns: a Tensor comes out"
    expect(output, call).is_instance(tt.Tensor, why=why)
    expect(output, call).equals(A * 10 + B, why="what forward computed, with a and b in their order")


@exercise("Function.apply", torch=False)
def test_apply_keeps_dtype_and_memory_of_the_result(tt, expect):
    results = {name: np.array([1, 0, 3]).astype(name) for name in ("float64", "int8", "bool", "float32")}
    for name, result in results.items():
        output = new_op(tt, "Fixed", lambda ctx, a, result=result: result).apply(tt.tensor(A))
        why = f"forward returned {name}, so the tensor is {name}: wrap the array itself, do not convert it"
        expect(output, f"Fixed.apply(a), whose forward returns an array of {name}").equals(result, why=why)
        why = "wrap the array that forward returned, do not copy it: views would lose their meaning"
        expect(output, "the result of an op whose forward returned `result`").shares_memory_with(result, why=why)
    output = new_op(tt, "Total", lambda ctx, a: a.sum()).apply(tt.tensor(A))
    why = "a NumPy scalar is a result too: a tensor without dimensions"
    expect(output, "Total.apply(a), whose forward returns a.sum()").equals(f32(1.0), why=why)


@exercise("Function.apply", points=2, torch=False)
def test_apply_passes_options_and_numbers(tt, expect):
    def forward(ctx, a, factor, shift=0.0, power=1):
        got.update(factor=factor, shift=shift, power=power)
        return (a * factor + shift) ** power

    got = {}
    op = new_op(tt, "Line", forward)
    output = op.apply(tt.tensor(A), 2.0, shift=0.5, power=3)
    why = "options go to forward by their names: `cls.forward(ctx, *arrays, **options)`"
    expect(got.get("shift"), "the option shift in forward, from Line.apply(a, 2.0, shift=0.5, power=3)").equals(
        0.5, why=why
    )
    expect(got.get("power"), "the option power in forward, from Line.apply(a, 2.0, shift=0.5, power=3)").equals(
        3, why=why
    )
    why = "a number is passed on as the number it is; only tensors are unwrapped"
    expect(got.get("factor"), "what forward got for the number 2.0").equals(2.0, why=why)
    expect(type(got["factor"]).__name__, "the type of what forward got for the number 2.0").equals("float", why=why)
    expect(output, "Line.apply(a, 2.0, shift=0.5, power=3)").equals((A * 2 + f32(0.5)) ** 3)


@exercise("Function.apply", points=2, torch=False)
def test_apply_makes_a_new_node_for_each_call(tt, expect):
    nodes = []

    def forward(ctx, a, shift=0.0):
        nodes.append(ctx)
        ctx.seen = a.shape
        return a + shift

    op = new_op(tt, "Shift", forward)
    op.apply(tt.tensor(A), shift=1.0)
    op.apply(tt.tensor([5.0]), shift=2.0)
    why = "ctx is an instance of the op, made by cls(**options): forward may store on it what backward will need"
    expect(nodes[0], "ctx, the first argument of forward").is_instance(op, why=why)
    why = "each call gets a node of its own; a shared one would mix up what two calls stored"
    expect(nodes[0].seen, "ctx.seen of the first call, after a second call").equals((2, 3), why=why)
    why = "the node is made with the options: cls(**options)"
    expect(nodes[0].options, "ctx.options of a call with shift=1.0").equals({"shift": 1.0}, why=why)


@exercise("Function.apply", points=2, torch=False)
def test_apply_records_once(tt, expect):
    nodes = []

    def forward(ctx, a, b):
        nodes.append(ctx)
        return a + b

    a = tt.tensor(A)
    with recorded(tt) as calls:
        output = new_op(tt, "Plus", forward).apply(a, 2.0)
    why = "call record(ctx, inputs, output) once: module 06 builds the graph of your model there"
    expect(len(calls), "number of calls of record in one apply").equals(1, why=why)
    expect(len(calls[0]), "number of arguments of record").equals(3, why=why)
    ctx, inputs, got = calls[0]
    expect(ctx, "the first argument of record").is_(nodes[0], why="the very node that forward got")
    why = "all inputs as apply got them: tensors as tensors, not their arrays"
    expect(len(inputs), "number of inputs given to record").equals(2, why=why)
    expect(inputs[0], "the first of the inputs given to record").is_(a, why=why)
    expect(inputs[1], "the second of the inputs given to record").equals(2.0, why=why)
    expect(got, "the output given to record").is_(output, why="the very tensor that apply returns")


@exercise("Function.apply", torch=False)
def test_apply_leaves_inputs_alone(tt, expect):
    a, b = tt.tensor(A), tt.tensor(B)
    op = new_op(tt, "First", lambda ctx, a, b: a - b)
    with expect.unchanged(a, "a after First.apply(a, b)"), expect.unchanged(b, "b after First.apply(a, b)"):
        output = op.apply(a, b)
    expect(output, "First.apply(a, b)").equals(A - B)
    why = "an error in forward is the student's to see: let it pass"
    with expect.raises(ZeroDivisionError, call="apply of an op whose forward divides by zero", why=why):
        new_op(tt, "Broken", lambda ctx, a: 1 // 0).apply(a)
    why = "apply is a class method: every op brings its own forward"
    expect(new_op(tt, "Back", lambda ctx, a: a[::-1]).apply(a), "Back.apply(a)").equals(A[::-1], why=why)


# Add, Sub, Mul, Div, Pow: what they have in common


def keeps_inputs(tt, expect, name, function, expected, why):
    """An op on A and B: inputs unchanged, a new float32 tensor with the right values."""
    returns_array(tt, expect, name, A.copy(), B.copy())
    a, b = tt.tensor(A), tt.tensor(B)
    call = f"tt.{name.lower()}(a, b)"
    with expect.unchanged(a, f"a after {call}"), expect.unchanged(b, f"b after {call}"):
        got = function(a, b)
    expect(got, given(call, a=A, b=B)).equals(expected, why=why)


def broadcasts(tt, expect, call, function, compute):
    """An op on shapes (2, 1, 5) and (3, 1), and on two that do not fit."""
    a, b = f32(CUBE[:, :1]), f32([[2.0], [-3.0], [0.5]])
    why = "shapes (2, 1, 5) and (3, 1) broadcast to (2, 3, 5)"
    expect(function(tt.tensor(a), tt.tensor(b)), f"{call}, shapes (2, 1, 5) and (3, 1)").equals(compute(a, b), why=why)
    why = "sizes 3 and 4 do not fit: promote raises the error of broadcast_shapes"
    with expect.raises(RuntimeError, f"{call}, shapes (2, 3) and (4,)", ("(2, 3)", "(4,)"), why):
        function(tt.tensor(A), tt.tensor([1.0, 2.0, 3.0, 4.0]))


def promotes_operands(tt, expect, call, function, expected):
    """An op on int64 [3, 5, 2] and float32 [2, 4, 0.5]: float32, where NumPy would make float64."""
    why = "int64 with float32 gives float32 (NumPy alone gives float64): begin with `a, b = promote(a, b)`"
    got = function(tt.tensor([3, 5, 2]), tt.tensor([2.0, 4.0, 0.5]))
    expect(got, f"{call}, int64 and float32").equals(f32(expected), why=why)


# Add.forward


@exercise(
    "Add.forward",
    hints=(
        "NumPy adds arrays already. What does PyTorch do differently, before it adds?",
        "The common dtype: `promote` returns both operands in it, and complains about shapes that do not fit.",
        "First line: `a, b = promote(a, b)`. Second line: return their sum, a new array (not `a += b`).",
    ),
)
def test_add_values(tt, expect):
    keeps_inputs(tt, expect, "Add", tt.add, A + B, "each element of a plus the element of b at the same place")


@exercise("Add.forward")
def test_add_promotes(tt, expect):
    promotes_operands(tt, expect, "tt.add(a, b)", tt.add, [5.0, 9.0, 2.5])
    why = "a number takes the tensor's dtype: float32 + 2.5 stays float32, uint8 + 3 stays uint8"
    expect(tt.add(tt.tensor(A), 2.5), "tt.add(a, 2.5), a of float32").equals(A + f32(2.5), why=why)
    small = tt.tensor([200, 7], dtype=tt.uint8)
    expect(tt.add(small, 3), "tt.add(a, 3), a of uint8").equals(np.array([203, 10], np.uint8), why=why)
    why = "a float number turns an int tensor into float32, not float64"
    expect(tt.add(tt.tensor([1, -2]), 2.5), "tt.add(tt.tensor([1, -2]), 2.5)").equals(f32([3.5, 0.5]), why=why)


@exercise("Add.forward")
def test_add_broadcasts(tt, expect):
    broadcasts(tt, expect, "tt.add(a, b)", tt.add, lambda a, b: a + b)


# Tensor.__add__


@exercise(
    "Tensor.__add__",
    hints=(
        "You have written everything that `a + b` needs. Which class holds it?",
        "`Add` knows how to add arrays; `apply` is the way in for tensors and numbers.",
        "Return what `Add.apply` returns for the two operands, in their order.",
    ),
)
def test_add_operator_returns_new_tensor(tt, expect):
    a, b = tt.tensor(A), tt.tensor(B)
    with expect.unchanged(a, "a after a + b", why="a + b makes a new tensor; only a += b changes a"):
        got = a + b
    expect(got, "a + b").is_instance(tt.Tensor, why="tensor + tensor is a tensor, not its array")
    expect(got, given("a + b", a=A, b=B)).equals(A + B)


@exercise("Tensor.__add__")
def test_add_operator_takes_numbers(tt, expect):
    why = "the other operand may be a Python number; Add.apply takes it as it is"
    expect(tt.tensor(A) + 2.5, "a + 2.5").equals(A + f32(2.5), why=why)
    expect(tt.tensor([1, -2]) + 3, "tt.tensor([1, -2]) + 3").equals(i64([4, 1]), why=why)
    expect(tt.tensor([1, -2]) + 0.5, "tt.tensor([1, -2]) + 0.5").equals(f32([1.5, -1.5]), why=why)
    with expect.raises(TypeError, call='a + "x"', why="text cannot be added to a tensor"):
        tt.tensor(A) + "x"


@exercise("Tensor.__add__", torch=False)
def test_add_operator_goes_through_apply(tt, expect):
    a, b = tt.tensor(A), tt.tensor(B)
    goes_through_apply(tt, expect, "a + b", lambda: a + b, "Add", a, b)


# Sub.forward


@exercise(
    "Sub.forward",
    hints=(
        "The same two steps as in Add.forward, and one case that PyTorch refuses.",
        "True - False has no good answer among bools, and PyTorch refuses `x - True` too. After `promote` that is an "
        "int minus an int: look before.",
        "`np.result_type(a)` is the dtype of an array or a number. If either is `np.bool_`, raise RuntimeError; then "
        "promote, and return the difference, a first.",
    ),
)
def test_sub_values(tt, expect):
    keeps_inputs(tt, expect, "Sub", tt.sub, A - B, "a minus b, in this order")


@exercise("Sub.forward")
def test_sub_promotes(tt, expect):
    promotes_operands(tt, expect, "tt.sub(a, b)", tt.sub, [1.0, 1.0, 1.5])
    why = "a number takes the tensor's dtype; the order of the operands stays"
    expect(tt.sub(tt.tensor([1, -2]), 3), "tt.sub(tt.tensor([1, -2]), 3)").equals(i64([-2, -5]), why=why)


@exercise("Sub.forward")
def test_sub_broadcasts(tt, expect):
    broadcasts(tt, expect, "tt.sub(a, b)", tt.sub, lambda a, b: a - b)


@exercise("Sub.forward")
def test_sub_refuses_bools(tt, expect):
    flags = tt.tensor([True, False])
    why = "True - False is no bool; PyTorch raises RuntimeError instead of guessing"
    with expect.raises(RuntimeError, call="tt.sub(a, b), both bool", why=why):
        tt.sub(flags, flags)


@exercise("Sub.forward")
def test_sub_refuses_one_bool(tt, expect):
    counts, flags = tt.tensor([1, -2]), tt.tensor([True, False])
    why = "a bool is refused on either side, beside numbers too; after `promote` it is a number like the others"
    with expect.raises(RuntimeError, call="tt.sub(a, b), a int64 and b bool", why=why):
        tt.sub(counts, flags)
    with expect.raises(RuntimeError, call="tt.sub(a, b), a bool and b int64", why=why):
        tt.sub(flags, counts)
    with expect.raises(RuntimeError, call="tt.sub(a, True), a int64", why=why):
        tt.sub(counts, True)


# Tensor.__rsub__


@exercise(
    "Tensor.__rsub__",
    hints=(
        "In `10 - t` the number stands on the left. Which of the two is `self`?",
        "`self` is the right operand here: Python has asked the number, which does not know tensors, and now asks you.",
        "Sub.apply with the operands in the order in which they were written: `other` stands first.",
    ),
)
def test_rsub_order(tt, expect):
    a = tt.tensor(A)
    with expect.unchanged(a, "a after 10.0 - a"):
        got = 10.0 - a
    expect(got, "10.0 - a").is_instance(tt.Tensor, why="number - tensor is a tensor")
    why = "other - self: in __rsub__ the number on the left is `other`"
    expect(got, given("10.0 - a", a=A)).equals(f32(10.0) - A, why=why)


@exercise("Tensor.__rsub__")
def test_rsub_dtypes(tt, expect):
    why = "the same rules as for a - 10: ints stay int64, a float number makes float32"
    expect(10 - tt.tensor([1, -2]), "10 - tt.tensor([1, -2])").equals(i64([9, 12]), why=why)
    expect(2.5 - tt.tensor([1, -2]), "2.5 - tt.tensor([1, -2])").equals(f32([1.5, 4.5]), why=why)


@exercise("Tensor.__rsub__", torch=False)
def test_rsub_goes_through_apply(tt, expect):
    a, ten = tt.tensor(A), 10.0
    goes_through_apply(tt, expect, "10.0 - a", lambda: ten - a, "Sub", ten, a)


# Mul.forward


@exercise(
    "Mul.forward",
    hints=(
        "The pattern of Add.forward once more.",
        "Element by element: every pair at the same place is multiplied. This is not the matrix product.",
        "`promote` first, then return the product with `*`.",
    ),
)
def test_mul_values(tt, expect):
    keeps_inputs(tt, expect, "Mul", tt.mul, A * B, "element by element: a times the element of b at the same place")
    square = f32([[1.0, 2.0], [3.0, 4.0]])
    why = "element by element, not the matrix product"
    expect(tt.mul(tt.tensor(square), tt.tensor(square)), "tt.mul(a, a), a of shape (2, 2)").equals(
        f32([[1.0, 4.0], [9.0, 16.0]]), why=why
    )


@exercise("Mul.forward")
def test_mul_promotes(tt, expect):
    promotes_operands(tt, expect, "tt.mul(a, b)", tt.mul, [6.0, 20.0, 1.0])
    why = "a float number turns an int tensor into float32, not float64"
    expect(tt.mul(tt.tensor([1, -2]), 2.5), "tt.mul(tt.tensor([1, -2]), 2.5)").equals(f32([2.5, -5.0]), why=why)


@exercise("Mul.forward")
def test_mul_broadcasts(tt, expect):
    broadcasts(tt, expect, "tt.mul(a, b)", tt.mul, lambda a, b: a * b)


# Div.forward


@exercise(
    "Div.forward",
    hints=(
        "What should 7 / 2 be for two int tensors? And what may a division by 0 not do?",
        "Division always gives floats. NumPy's choice for ints is float64, PyTorch's is float32: `as_float` does that.",
        "Promote, then divide `as_float(a)` by `as_float(b)`, inside `with np.errstate(all='ignore'):`.",
    ),
)
def test_div_values(tt, expect):
    keeps_inputs(tt, expect, "Div", tt.div, A / B, "a divided by b, in this order")


@exercise("Div.forward")
def test_div_of_ints_is_true_division(tt, expect):
    got = tt.div(tt.tensor([7, -7, 1]), tt.tensor([2, 2, 3]))
    why = "true division of ints gives float32: 7 / 2 is 3.5, not 3 (and not NumPy's float64)"
    expect(got, "tt.div(tt.tensor([7, -7, 1]), tt.tensor([2, 2, 3]))").equals(f32([3.5, -3.5, 1 / 3]), why=why)
    promotes_operands(tt, expect, "tt.div(a, b)", tt.div, [1.5, 1.25, 4.0])
    why = "bools count as 0 and 1, and the quotient is float32"
    flags = tt.tensor([True, False])
    expect(tt.div(flags, tt.tensor([True, True])), "tt.div of two bool tensors").equals(f32([1, 0]), why=why)
    why = "float64 with float64 stays float64: only ints and bools become float32"
    double = tt.tensor([1.0, 2.0], dtype=tt.float64)
    expect(tt.div(double, 3), "tt.div(a, 3), a of float64").equals(np.array([1 / 3, 2 / 3]), why=why, rtol=1e-12)


@exercise("Div.forward")
def test_div_by_zero(tt, expect):
    a, b = tt.tensor([1.0, -2.0, 0.0]), tt.tensor([0.0, 0.0, 0.0])
    got = quiet(expect, "tt.div([1.0, -2.0, 0.0], [0.0, 0.0, 0.0])", lambda: tt.div(a, b))
    why = "1 / 0 is inf, -2 / 0 is -inf, 0 / 0 is nan (no number)"
    expect(got, "tt.div([1.0, -2.0, 0.0], [0.0, 0.0, 0.0])").equals(f32([np.inf, -np.inf, np.nan]), why=why)


@exercise("Div.forward")
def test_div_broadcasts(tt, expect):
    broadcasts(tt, expect, "tt.div(a, b)", tt.div, lambda a, b: a / b)


# Tensor.__rtruediv__


@exercise(
    "Tensor.__rtruediv__",
    hints=(
        "The same situation as in `10 - t`, with another op.",
        "`self` is the divisor: the number on the left is `other`.",
        "`Div.apply`, with the operands in the order in which they were written.",
    ),
)
def test_rtruediv_order(tt, expect):
    a = tt.tensor(A)
    with expect.unchanged(a, "a after 6.0 / a"):
        got = 6.0 / a
    expect(got, "6.0 / a").is_instance(tt.Tensor, why="number / tensor is a tensor")
    why = "other / self: in __rtruediv__ the number on the left is `other`"
    expect(got, given("6.0 / a", a=A)).equals(f32(6.0) / A, why=why)


@exercise("Tensor.__rtruediv__")
def test_rtruediv_dtypes(tt, expect):
    why = "division gives float32 for ints, on whichever side the number stands"
    expect(1 / tt.tensor([2, -4]), "1 / tt.tensor([2, -4])").equals(f32([0.5, -0.25]), why=why)
    got = quiet(expect, "1 / tt.tensor([0.0, 2.0])", lambda: 1 / tt.tensor([0.0, 2.0]))
    expect(got, "1 / tt.tensor([0.0, 2.0])").equals(f32([np.inf, 0.5]), why="1 / 0 is inf")


@exercise("Tensor.__rtruediv__", torch=False)
def test_rtruediv_goes_through_apply(tt, expect):
    a, six = tt.tensor(A), 6.0
    goes_through_apply(tt, expect, "6.0 / a", lambda: six / a, "Div", six, a)


# Pow.forward


@exercise(
    "Pow.forward",
    hints=(
        "Promote, refuse what has no int answer, compute without warnings.",
        "2 ** -1 is 0.5, which is no int: raise RuntimeError when the dtype is not a float and any power is below 0.",
        "`a.dtype.kind != 'f' and (b < 0).any()` finds that case; `a ** b` inside `np.errstate` does the rest.",
    ),
)
def test_pow_values(tt, expect):
    returns_array(tt, expect, "Pow", A.copy(), 2.0)
    a, b = tt.tensor(A), tt.tensor([2.0, 3.0, -1.0])
    call = given("tt.pow(a, b)", a=A, b=f32([2.0, 3.0, -1.0]))
    with (
        expect.unchanged(a, "a after tt.pow(a, b)"),
        expect.unchanged(b, "b after tt.pow(a, b)"),
        allowed(call, "negative powers of floats are fine: 4.0 ** -1.0 is 0.25"),
    ):
        got = tt.pow(a, b)
    why = "a to the power of b: the base comes first, and a base below 0 has whole powers too"
    expect(got, call).equals(f32([[2.25, -8.0, 1 / 3], [16.0, 0.125, -1 / 6]]), why=why)
    expect(tt.tensor([4.0, 2.25]) ** 0.5, "tt.tensor([4.0, 2.25]) ** 0.5").equals(
        f32([2.0, 1.5]), why="a power of 0.5 is the square root"
    )


@exercise("Pow.forward")
def test_pow_of_ints_is_exact(tt, expect):
    why = "ints stay int64 and exact: 3 ** 20 has more digits than float32 can hold"
    expect(tt.tensor([3, -7, 2]) ** tt.tensor([20, 3, 0]), "tt.tensor([3, -7, 2]) ** tt.tensor([20, 3, 0])").equals(
        i64([3486784401, -343, 1]), why=why
    )
    why = "2 ** -1 is no int: PyTorch raises RuntimeError"
    with expect.raises(RuntimeError, call="tt.tensor([2, 4]) ** -1", why=why):
        tt.tensor([2, 4]) ** -1
    with expect.raises(RuntimeError, call="tt.tensor([1, 1]) ** -2", why=why):
        tt.tensor([1, 1]) ** -2


@exercise("Pow.forward")
def test_pow_promotes(tt, expect):
    promotes_operands(tt, expect, "tt.pow(a, b)", tt.pow, [9.0, 625.0, 2**0.5])
    why = "a number on the left is the base, and takes the tensor's dtype"
    expect(tt.pow(2, tt.tensor([3.0, -1.0])), "tt.pow(2, tt.tensor([3.0, -1.0]))").equals(f32([8.0, 0.5]), why=why)


@exercise("Pow.forward")
def test_pow_without_an_answer(tt, expect):
    call = "tt.tensor([-4.0, 0.0, 9.0]) ** tt.tensor([0.5, -1.0, 0.5])"
    got = quiet(expect, call, lambda: tt.tensor([-4.0, 0.0, 9.0]) ** tt.tensor([0.5, -1.0, 0.5]))
    why = "the root of -4 is nan (no number), 0 ** -1 is inf"
    expect(got, call).equals(f32([np.nan, np.inf, 3.0]), why=why)
    broadcasts(tt, expect, "tt.pow(a, b)", lambda a, b: tt.pow(a * a + 1, b), lambda a, b: (a * a + 1) ** b)


# Neg.forward


@exercise(
    "Neg.forward",
    hints=(
        "One array in, one array out, and one dtype that has no negative.",
        "A bool has no negative: raise RuntimeError when `a.dtype == np.bool_`.",
        "For everything else return a new array with the sign changed; `a *= -1` would change the input.",
    ),
)
def test_neg_values(tt, expect):
    returns_array(tt, expect, "Neg", A.copy())
    a = tt.tensor(A)
    with expect.unchanged(a, "a after -a"):
        got = -a
    why = "each sign changes: positive numbers become negative and negative ones positive"
    expect(got, given("-a", a=A)).equals(f32([[-1.5, 2.0, -3.0], [-4.0, -0.5, 6.0]]), why=why)


@exercise("Neg.forward")
def test_neg_keeps_dtype(tt, expect):
    for name in ("int64", "int8", "float16", "float64"):
        a = tt.tensor([3, -5, 7], dtype=getattr(tt, name))
        expect(-a, f"-a, a of {name}").equals(np.array([-3, 5, -7]).astype(name), why=f"{name} stays {name}")


@exercise("Neg.forward")
def test_neg_refuses_bools(tt, expect):
    why = "a bool has no negative; PyTorch raises RuntimeError (`~` is what turns True into False)"
    with expect.raises(RuntimeError, call="-tt.tensor([True, False])", why=why):
        -tt.tensor([True, False])


# Exp.forward


def is_vectorized(tt, expect, call, function, compute, n):
    """An op on n numbers must stay within twenty times NumPy; a Python loop takes over a hundred times."""
    array = np.linspace(0.5, 4.0, n, dtype=np.float32)
    x = tt.tensor(array)
    why = "a Python loop over elements is far too slow: give NumPy the whole array at once"
    expect.faster_than(lambda: function(x), lambda: compute(array), f"{call}, {n:,} numbers", ratio=1 / 20, why=why)


@exercise(
    "Exp.forward",
    hints=(
        "NumPy has the function. Which dtype does it give for ints, and which should it be?",
        "`as_float` makes float32 of ints and bools and leaves floats alone.",
        "`np.exp` of that, inside `with np.errstate(all='ignore'):` since exp(1000) is inf and NumPy would warn.",
    ),
)
def test_exp_values(tt, expect):
    returns_array(tt, expect, "Exp", A.copy())
    a = tt.tensor(A)
    with expect.unchanged(a, "a after tt.exp(a)"):
        got = tt.exp(a)
    want = f32([[4.4816890, 0.1353353, 20.085537], [54.598150, 1.6487213, 0.0024787522]])
    expect(got, given("tt.exp(a)", a=A)).equals(
        want, why="e = 2.718281828... to the power of each element", rtol=1e-5, atol=0
    )


@exercise("Exp.forward")
def test_exp_dtypes(tt, expect):
    why = "ints become float32 (NumPy's own choice would be float64): use as_float"
    expect(tt.exp(tt.tensor([0, 1, -2])), "tt.exp(tt.tensor([0, 1, -2]))").equals(
        f32([1.0, 2.7182818, 0.13533528]), why=why
    )
    double = tt.tensor([1.0, -2.0], dtype=tt.float64)
    want = np.array([2.718281828459045, 0.1353352832366127])
    expect(tt.exp(double), "tt.exp(a), a of float64").equals(want, why="floats keep their dtype", rtol=1e-12)


@exercise("Exp.forward")
def test_exp_too_large(tt, expect):
    x = tt.tensor([1000.0, -1000.0, float("nan")])
    got = quiet(expect, "tt.exp(tt.tensor([1000.0, -1000.0, nan]))", lambda: tt.exp(x))
    why = "too large for float32 is inf, too small is 0, and nan stays nan"
    expect(got, "tt.exp(tt.tensor([1000.0, -1000.0, nan]))").equals(f32([np.inf, 0.0, np.nan]), why=why)


@exercise("Exp.forward")
def test_exp_is_fast(tt, expect):
    is_vectorized(tt, expect, "tt.exp(x)", tt.exp, np.exp, 5_000)


# Log.forward


@exercise(
    "Log.forward",
    hints=(
        "Exp.forward again, with the inverse function.",
        "The natural logarithm, to base e. log(0) is -inf and log(-1) is nan, both without a warning.",
        "`np.log(as_float(a))` inside `with np.errstate(all='ignore'):`. Nothing is added to a to avoid the 0.",
    ),
)
def test_log_values(tt, expect):
    positive = f32([[1.0, 2.0, 10.0], [0.5, 100.0, 7.25]])
    returns_array(tt, expect, "Log", positive.copy())
    a = tt.tensor(positive)
    with expect.unchanged(a, "a after tt.log(a)"):
        got = tt.log(a)
    want = f32([[0.0, 0.69314718, 2.3025851], [-0.69314718, 4.6051702, 1.9810015]])
    expect(got, given("tt.log(a)", a=positive)).equals(
        want, why="the natural logarithm: the power to which e gives each element"
    )


@exercise("Log.forward")
def test_log_of_zero_and_below(tt, expect):
    x = tt.tensor([0.0, -1.0, 1e-30])
    got = quiet(expect, "tt.log(tt.tensor([0.0, -1.0, 1e-30]))", lambda: tt.log(x))
    why = "log(0) is -inf, below 0 it is nan, and a tiny number has its true logarithm: add nothing to a"
    expect(got, "tt.log(tt.tensor([0.0, -1.0, 1e-30]))").equals(f32([-np.inf, np.nan, -69.077553]), why=why)


@exercise("Log.forward")
def test_log_dtypes(tt, expect):
    why = "ints become float32 (NumPy's own choice would be float64): use as_float"
    expect(tt.log(tt.tensor([1, 2, 100])), "tt.log(tt.tensor([1, 2, 100]))").equals(
        f32([0.0, 0.69314718, 4.6051702]), why=why
    )
    double = tt.tensor([2.0, 10.0], dtype=tt.float64)
    want = np.array([0.6931471805599453, 2.302585092994046])
    expect(tt.log(double), "tt.log(a), a of float64").equals(want, why="floats keep their dtype", rtol=1e-12)


# matmul_loops


@exercise(
    "matmul_loops",
    points=2,
    torch=False,
    hints=(
        "One number of the result is row i of a with column j of b. How many loops does one such number need?",
        "Three loops: i over the rows of a, j over the columns of b, and p over what both share.",
        "Sizes: `n = len(a)`, `k = len(b)`, `m = len(b[0])`. The result has n rows of m numbers, and each row must "
        "be a list of its own.",
        "Inside the three loops: `out[i][j] += a[i][p] * b[p][j]`, with `out` filled with zeros before.",
    ),
)
def test_matmul_loops_values(tt, expect):
    a, b = [[1, 2, 3], [4, 5, 6]], [[1, 0, -1, 2, 5], [3, 1, 4, -2, 0], [0, 2, 1, 1, -3]]
    call = "tt.matmul_loops(a, b)"
    with expect.unchanged(a, f"a after {call}"), expect.unchanged(b, f"b after {call}"):
        got = tt.matmul_loops(a, b)
    why = "each row is a list of its own; [[0] * m] * n holds one row n times"
    expect(got, call).is_instance(list, why="a list of lists comes out")
    expect(len({id(row) for row in got}), f"number of different lists among the rows of {call}").equals(2, why=why)
    why = "out[i][j] is the sum of a[i][p] * b[p][j] over all p, of which there are 3 here"
    expect(got, f"{call}\na = {a}\nb = {b}").equals([[7, 8, 10, 1, -4], [19, 17, 22, 4, 2]], why=why)


@exercise("matmul_loops", points=2, torch=False)
def test_matmul_loops_result_is_lists(tt, expect):
    got = tt.matmul_loops([[1, 2], [3, 4], [5, 6]], [[5], [7]])
    why = "3 rows of 1 number each: n and m come from a and b, and need not be equal"
    expect(got, "tt.matmul_loops([[1, 2], [3, 4], [5, 6]], [[5], [7]])").equals([[19], [43], [67]], why=why)
    why = "2 rows of 3 numbers: a single inner number is enough"
    expect(tt.matmul_loops([[2], [-3]], [[5, 7, 4]]), "tt.matmul_loops([[2], [-3]], [[5, 7, 4]])").equals(
        [[10, 14, 8], [-15, -21, -12]], why=why
    )
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(4, 2)), rng.normal(size=(2, 3))
    got = tt.matmul_loops(a, b)
    why = "arrays may come in, but a list of lists comes out"
    expect(got, "tt.matmul_loops(a, b), two arrays").is_instance(list, why=why)
    expect([type(row).__name__ for row in got], "types of the rows of the result").equals(["list"] * 4, why=why)
    expect(got, "tt.matmul_loops(a, b), arrays of shapes (4, 2) and (2, 3)").equals((a @ b).tolist())


@exercise("matmul_loops", torch=False)
def test_matmul_loops_refuses_sizes_that_do_not_fit(tt, expect):
    why = "3 columns of a meet 2 rows of b: RuntimeError, before anything is computed"
    call = "tt.matmul_loops([[1, 2, 3]], [[1], [2]])"
    with expect.raises(RuntimeError, call=call, why=why):
        tt.matmul_loops([[1, 2, 3]], [[1], [2]])
    why = "2 columns of a meet 3 rows of b: RuntimeError, not a shorter sum"
    call = "tt.matmul_loops([[1, 2]], [[1], [2], [3]])"
    with expect.raises(RuntimeError, call=call, why=why):
        tt.matmul_loops([[1, 2]], [[1], [2], [3]])


# MatMul.forward


@exercise(
    "MatMul.forward",
    points=2,
    hints=(
        "The class says which function multiplies; yours decides when it may, and what is said when it cannot.",
        "Two different dtypes are refused as PyTorch does it: RuntimeError naming them.",
        "`ctx.multiply` is `np.matmul`. For sizes that do not fit it raises ValueError, the wrong type for us.",
        "`try: return ctx.multiply(a, b)`, and in `except ValueError:` raise RuntimeError with both shapes in its "
        "message (`from None` hides NumPy's own).",
    ),
)
def test_matmul_of_matrices(tt, expect):
    b = f32(CUBE[0])  # (3, 5)
    returns_array(tt, expect, "MatMul", A.copy(), b.copy())
    x, y = tt.tensor(A), tt.tensor(b)
    with expect.unchanged(x, "a after a @ b"), expect.unchanged(y, "b after a @ b"):
        got = x @ y
    why = "rows of a with columns of b: shapes (2, 3) and (3, 5) give (2, 5), in float32"
    expect(got, given("a @ b", a=A, b=b)).equals(A @ b, why=why, rtol=1e-4, atol=1e-4)
    square, other = f32([[1.0, 2.0], [3.0, 4.0]]), f32([[0.0, 1.0], [5.0, -2.0]])
    why = "the matrix product, a first; it is neither element by element nor the same in both orders"
    expect(tt.matmul(tt.tensor(square), tt.tensor(other)), "tt.matmul([[1, 2], [3, 4]], [[0, 1], [5, -2]])").equals(
        f32([[10.0, -3.0], [20.0, -5.0]]), why=why
    )


@exercise("MatMul.forward", points=2)
def test_matmul_in_batches(tt, expect):
    a, b = f32(CUBE), f32(CUBE.transpose(0, 2, 1)[..., :2] * 0.5)  # (2, 3, 5), (2, 5, 2)
    why = "dimensions before the last two count matrices: 2 products here; np.dot would pair all with all"
    expect(tt.matmul(tt.tensor(a), tt.tensor(b)), "tt.matmul(a, b), shapes (2, 3, 5) and (2, 5, 2)").equals(
        np.einsum("bij,bjk->bik", a, b), why=why, rtol=1e-4, atol=1e-3
    )
    why = "the one matrix on the right is used for each of the 2 on the left"
    expect(tt.matmul(tt.tensor(a), tt.tensor(b[1])), "tt.matmul(a, b), shapes (2, 3, 5) and (5, 2)").equals(
        np.einsum("bij,jk->bik", a, b[1]), why=why, rtol=1e-4, atol=1e-3
    )
    left = f32(CUBE[:1, None])  # (1, 1, 3, 5)
    why = "leading dimensions broadcast: (1, 1) with (2,) is (1, 2)"
    expect(tt.matmul(tt.tensor(left), tt.tensor(b)), "tt.matmul(a, b), shapes (1, 1, 3, 5) and (2, 5, 2)").equals(
        np.einsum("ij,bjk->bik", CUBE[0], b)[None], why=why, rtol=1e-4, atol=1e-3
    )


@exercise("MatMul.forward")
def test_matmul_of_vectors(tt, expect):
    row, vector = tt.tensor([1.0, -2.0]), tt.tensor([2.0, 0.5, -1.0])
    why = "a vector on the right is a column that is dropped from the result: shape (2,)"
    expect(tt.tensor(A) @ vector, "a @ v, shapes (2, 3) and (3,)").equals(f32([-1.0, 14.25]), why=why)
    why = "a vector on the left is a row that is dropped from the result: shape (3,)"
    expect(row @ tt.tensor(A), "v @ a, shapes (2,) and (2, 3)").equals(f32([-6.5, -3.0, 15.0]), why=why)
    why = "two vectors give one number, a tensor without dimensions"
    expect(vector @ vector, "v @ v, shape (3,)").equals(f32(5.25), why=why)


@exercise("MatMul.forward", points=2)
def test_matmul_refuses_what_does_not_fit(tt, expect):
    a = tt.tensor(A)
    why = "3 columns meet 2 rows: RuntimeError (not NumPy's ValueError) naming both shapes"
    with expect.raises(RuntimeError, "a @ a, shape (2, 3)", ("(2, 3)",), why):
        a @ a
    with expect.raises(RuntimeError, "a @ v, shapes (2, 3) and (4,)", ("(2, 3)", "(4,)"), why):
        a @ tt.tensor([1.0, 2.0, 3.0, 4.0])
    why = "a tensor without dimensions has no rows; use * for that"
    with expect.raises(RuntimeError, call="a @ tt.tensor(2.0)", why=why):
        a @ tt.tensor(2.0)
    why = "matrices of two dtypes are refused, as in PyTorch: converting a large one should be the user's decision"
    with expect.raises(RuntimeError, call="a @ v, a of float32, v of int64", why=why):
        a @ tt.tensor([1, 2, 3])
    why = "ints are multiplied as ints"
    expect(tt.tensor([[1, 2]]) @ tt.tensor([[3], [4]]), "tt.tensor([[1, 2]]) @ tt.tensor([[3], [4]])").equals(
        i64([[11]]), why=why
    )


@exercise("MatMul.forward")
def test_matmul_is_fast(tt, expect):
    rng = np.random.default_rng(5)
    array = rng.normal(size=(32, 32)).astype(np.float32)
    x = tt.tensor(array)
    why = "three Python loops are for matmul_loops; here NumPy multiplies"
    expect.faster_than(lambda: x @ x, lambda: array @ array, "x @ x, shape (32, 32)", ratio=1 / 20, why=why)


@exercise("MatMul.forward", torch=False)
def test_matmul_has_one_place_that_multiplies(tt, expect):
    op = operation(tt, "MatMul")
    faster = type("FasterMatMul", (op,), {"multiply": lambda self, a, b: np.matmul(a, b) + 1})
    why = "call ctx.multiply, the one place where matrices are multiplied: module 17 puts a faster one there"
    expect(faster.apply(tt.tensor([[2.0]]), tt.tensor([[3.0]])), "an op whose `multiply` returns a @ b + 1").equals(
        f32([[7.0]]), why=why
    )


# Sum, Mean, Max: what they have in common


def reduces(tt, expect, call, function, compute):
    """A reduction along each dimension of a (2, 3, 5) tensor, with and without keepdim."""
    x = tt.tensor(CUBE)
    for dim, size in ((0, 2), (1, 3), (2, 5), (-1, 5)):
        why = f"dim={dim} is the one that disappears, of size {size}; the other two stay"
        got = function(x, dim=dim)
        expect(got, f"{call}(x, dim={dim}), shape (2, 3, 5)").equals(compute(CUBE, axis=dim), why=why)
    why = "keepdim=True keeps the reduced dimension with size 1"
    for dim in (1, -1):
        got = function(x, dim=dim, keepdim=True)
        want = compute(CUBE, axis=dim, keepdims=True)
        expect(got, f"{call}(x, dim={dim}, keepdim=True), shape (2, 3, 5)").equals(want, why=why)


def reduces_several(tt, expect, call, function, compute):
    """A reduction along two dimensions at once."""
    x = tt.tensor(CUBE)
    why = "dim may be several: all of them disappear"
    want = compute(CUBE, axis=(0, 2))
    expect(function(x, dim=(0, 2)), f"{call}(x, dim=(0, 2)), shape (2, 3, 5)").equals(want, why=why)
    why = "keepdim=True keeps the reduced dimensions with size 1"
    want = compute(CUBE, axis=(0, -1), keepdims=True)
    got = function(x, dim=(0, -1), keepdim=True)
    expect(got, f"{call}(x, dim=(0, -1), keepdim=True), shape (2, 3, 5)").equals(want, why=why)


# Sum.forward


@exercise(
    "Sum.forward",
    points=2,
    hints=(
        "NumPy's `sum` does the work. Compare the names of its arguments with ours, and its dtypes with PyTorch's.",
        "`dim` is NumPy's `axis`, `keepdim` its `keepdims`.",
        "Floats add up in their own dtype; ints and bools add up in int64, said with `dtype=`.",
        "`a.sum(axis=..., dtype=..., keepdims=...)` with the dtype decided in the line before, by `a.dtype.kind`.",
    ),
)
def test_sum_of_everything(tt, expect):
    returns_array(tt, expect, "Sum", A.copy())
    a = tt.tensor(A)
    with expect.unchanged(a, "a after tt.sum(a)"):
        got = tt.sum(a)
    why = "without dim, all elements: one number, a tensor without dimensions"
    expect(got, given("tt.sum(a)", a=A)).equals(f32(1.0), why=why)
    expect(tt.sum(tt.tensor([])), "tt.sum(tt.tensor([]))").equals(f32(0.0), why="the sum of nothing is 0")


@exercise("Sum.forward", points=2)
def test_sum_along_dimensions(tt, expect):
    reduces(tt, expect, "tt.sum", tt.sum, np.sum)
    reduces_several(tt, expect, "tt.sum", tt.sum, np.sum)


@exercise("Sum.forward")
def test_sum_dtypes(tt, expect):
    small = tt.tensor([[200, 100, 50], [1, 2, 3]], dtype=tt.uint8)
    why = "ints add up in int64: 200 + 100 + 50 does not fit into a uint8"
    expect(tt.sum(small, dim=1), "tt.sum(x, dim=1), x of uint8").equals(i64([350, 6]), why=why)
    why = "bools are counted: the sum is an int64"
    expect(tt.sum(tt.tensor([True, False, True])), "tt.sum(tt.tensor([True, False, True]))").equals(i64(2), why=why)
    for name in ("float16", "float64"):
        x = tt.tensor([1.5, 2.0, 0.25], dtype=getattr(tt, name))
        expect(tt.sum(x), f"tt.sum(x), x of {name}").equals(np.array(3.75, name), why=f"{name} stays {name}")


@exercise("Sum.forward")
def test_sum_is_fast(tt, expect):
    is_vectorized(tt, expect, "tt.sum(x)", tt.sum, np.sum, 20_000)


# Mean.forward


@exercise(
    "Mean.forward",
    hints=(
        "Much as Sum.forward, and one kind of numbers has no mean.",
        "The mean of ints is rarely an int: raise RuntimeError unless the dtype is a float.",
        "Check `a.dtype.kind != 'f'` first, then use `a.mean` with `axis` and `keepdims`.",
    ),
)
def test_mean_of_everything(tt, expect):
    returns_array(tt, expect, "Mean", A.copy())
    a = tt.tensor(A)
    with expect.unchanged(a, "a after tt.mean(a)"):
        got = tt.mean(a)
    why = "the sum of all elements, divided by their number (6)"
    expect(got, given("tt.mean(a)", a=A)).equals(f32(1 / 6), why=why)


@exercise("Mean.forward")
def test_mean_along_dimensions(tt, expect):
    reduces(tt, expect, "tt.mean", tt.mean, np.mean)
    reduces_several(tt, expect, "tt.mean", tt.mean, np.mean)


@exercise("Mean.forward")
def test_mean_dtypes(tt, expect):
    why = "ints have no mean among ints: RuntimeError, as in PyTorch; convert them first"
    with expect.raises(RuntimeError, call="tt.mean(tt.tensor([1, 2]))", why=why):
        tt.mean(tt.tensor([1, 2]))
    for name in ("float16", "float64"):
        x = tt.tensor([1.5, 2.0, 0.25], dtype=getattr(tt, name))
        expect(tt.mean(x), f"tt.mean(x), x of {name}").equals(np.array(1.25, name), why=f"{name} stays {name}")


# Max.forward


@exercise(
    "Max.forward",
    points=2,
    hints=(
        "The values only; the tensor's own `max` adds their indices.",
        "NumPy's `max` takes `axis` and `keepdims`, and lets nan win, as PyTorch does.",
        "The largest of no elements does not exist: raise RuntimeError when `a.size == 0` and no dim was given. "
        "Else return `a.max(...)`.",
    ),
)
def test_max_of_everything(tt, expect):
    returns_array(tt, expect, "Max", A.copy())
    a = tt.tensor(A)
    with expect.unchanged(a, "a after tt.max(a)"):
        got = tt.max(a)
    why = "without dim, the largest of all elements: a tensor without dimensions"
    expect(got, given("tt.max(a)", a=A)).equals(f32(4.0), why=why)
    why = "the largest of negative numbers is negative: do not start from 0"
    expect(tt.max(tt.tensor([-3.5, -1.25, -7.0])), "tt.max(tt.tensor([-3.5, -1.25, -7.0]))").equals(f32(-1.25), why=why)


@exercise("Max.forward", points=2)
def test_max_along_dimensions(tt, expect):
    def values(x, **options):
        return tt.max(x, **options).values

    reduces(tt, expect, "values of tt.max", values, np.max)


@exercise("Max.forward")
def test_max_of_nan_and_of_ints(tt, expect):
    x = tt.tensor([[1.0, float("nan"), 3.0], [-1.0, -2.0, -3.0]])
    why = "nan is the largest of all: a broken number must not disappear"
    expect(tt.max(x), "tt.max(x), with a nan").equals(f32(np.nan), why=why)
    expect(tt.max(x, dim=1).values, "values of tt.max(x, dim=1), with a nan").equals(f32([np.nan, -1.0]), why=why)
    why = "ints keep their dtype"
    x = tt.tensor([[3, -4], [-9, 5]], dtype=tt.int8)
    expect(tt.max(x), "tt.max(x), x of int8").equals(np.array(5, np.int8), why=why)


@exercise("Max.forward")
def test_max_of_nothing(tt, expect):
    why = "the largest of no elements does not exist: RuntimeError (not NumPy's ValueError)"
    with expect.raises(RuntimeError, call="tt.max(tt.tensor([]))", why=why):
        tt.max(tt.tensor([]))


# Reshape.forward


@exercise(
    "Reshape.forward",
    points=2,
    hints=(
        "The elements keep their order, only the sizes change. Need any number be moved for that?",
        "NumPy's `reshape` knows -1 and makes a view whenever the strides allow it.",
        "What differs is the error: NumPy raises ValueError for a shape that does not fit, we raise RuntimeError.",
        "`try: return a.reshape(shape)`, and in `except ValueError:` raise RuntimeError that names the shape and "
        "`a.size`, `from None`.",
    ),
)
def test_reshape_keeps_the_order(tt, expect):
    returns_array(tt, expect, "Reshape", A.copy(), shape=(3, 2))
    a = tt.tensor(A)
    with expect.unchanged(a, "a after tt.reshape(a, (3, 2))", why="reshape returns a new tensor; a keeps its shape"):
        got = tt.reshape(a, (3, 2))
    why = "the last index moves fastest: row by row, in the old shape and in the new"
    expect(got, given("tt.reshape(a, (3, 2))", a=A)).equals(f32([[1.5, -2.0], [3.0, 4.0], [0.5, -6.0]]), why=why)
    x = tt.tensor(CUBE)
    got = tt.reshape(x, (5, 1, 6))
    expect(got, "tt.reshape(x, (5, 1, 6)), shape (2, 3, 5)").equals(CUBE.reshape(5, 1, 6), why=why)
    expect(tt.reshape(tt.tensor([2.5]), ()), "tt.reshape(tt.tensor([2.5]), ())").equals(f32(2.5), why=why)


@exercise("Reshape.forward", points=2)
def test_reshape_shares_memory(tt, expect):
    a = tt.tensor(A)
    why = "the same memory read with other strides: a view costs nothing, whatever the size"
    expect(tt.reshape(a, (3, 2)), "tt.reshape(a, (3, 2))").shares_memory_with(a, why=why)
    expect(tt.reshape(a, (-1,)), "tt.reshape(a, (-1,))").shares_memory_with(a, why=why)
    turned = np.ascontiguousarray(A.T)  # (3, 2), rows in order
    x = tt.from_numpy(turned.T)  # (2, 3), columns in order
    why = "these elements do not lie in row order, so no strides can do it: a copy, row by row"
    expect(tt.reshape(x, (6,)), "tt.reshape(x, (6,)), x the transpose of a (3, 2) array").equals(A.reshape(6), why=why)


@exercise("Reshape.forward")
def test_reshape_finds_one_size(tt, expect):
    x = tt.tensor(CUBE)
    why = "-1 stands for what remains: 30 / (2 * 5) = 3"
    expect(tt.reshape(x, (5, -1, 2)), "tt.reshape(x, (5, -1, 2)), 30 elements").equals(CUBE.reshape(5, 3, 2), why=why)
    expect(tt.reshape(x, (-1,)), "tt.reshape(x, (-1,)), 30 elements").equals(CUBE.reshape(30), why="-1 is all of 30")


@exercise("Reshape.forward", points=2)
def test_reshape_refuses_what_does_not_fit(tt, expect):
    a = tt.tensor(A)
    why = "6 elements do not fill 4 * 2 places: RuntimeError (not NumPy's ValueError)"
    with expect.raises(RuntimeError, call="tt.reshape(a, (4, 2)), 6 elements", why=why):
        tt.reshape(a, (4, 2))
    why = "4 does not divide 6, so nothing fits -1"
    with expect.raises(RuntimeError, call="tt.reshape(a, (-1, 4)), 6 elements", why=why):
        tt.reshape(a, (-1, 4))
    why = "only one size can be inferred"
    with expect.raises(RuntimeError, call="tt.reshape(a, (-1, -1)), 6 elements", why=why):
        tt.reshape(a, (-1, -1))


# Tensor.view


@exercise(
    "Tensor.view",
    points=2,
    hints=(
        "A view is what `reshape` returns when it is lucky. How can you tell that it was not?",
        "Reshape, then look whether the result still uses the memory of `self`.",
        "`np.shares_memory(x, y)` tells it for two arrays. Tensors without elements have no memory to share: let "
        "them pass.",
        "If there are elements and no shared memory, raise RuntimeError (say that `reshape` would copy); else "
        "return the reshaped tensor.",
    ),
)
def test_view_shares_memory(tt, expect):
    a = tt.tensor(A)
    why = "row by row, as reshape does it"
    expect(a.view(3, 2), "a.view(3, 2)").is_instance(tt.Tensor, why="a view is a tensor")
    expect(a.view(3, 2), given("a.view(3, 2)", a=A)).equals(f32([[1.5, -2.0], [3.0, 4.0], [0.5, -6.0]]), why=why)
    why = "a view uses the memory of the tensor it was made from"
    expect(a.view(3, 2), "a.view(3, 2)").shares_memory_with(a, why=why)
    why = "the sizes may come as one tuple, and one of them may be -1"
    expect(a.view((6,)), "a.view((6,))").equals(A.reshape(6), why=why)
    expect(a.view(-1, 2), "a.view(-1, 2)").equals(A.reshape(3, 2), why=why)
    why = "a keeps its own shape"
    expect(tuple(a.shape), "a.shape after a.view(3, 2)").equals((2, 3), why=why)


@exercise("Tensor.view", points=2)
def test_view_never_copies(tt, expect):
    x = tt.from_numpy(np.ascontiguousarray(A.T).T)  # (2, 3), columns in order
    why = "only a copy could have this shape, and view never copies: RuntimeError"
    with expect.raises(RuntimeError, call="x.view(6), x the transpose of a (3, 2) tensor", why=why):
        x.view(6)
    with expect.raises(RuntimeError, call="a.view(4), 6 elements", why="6 elements do not fill 4 places"):
        tt.tensor(A).view(4)


@exercise("Tensor.view", torch=False)
def test_view_goes_through_apply(tt, expect):
    a = tt.tensor(A)
    goes_through_apply(tt, expect, "a.view(3, 2)", lambda: a.view(3, 2), "Reshape", a)


@exercise("Tensor.view")
def test_view_of_parts(tt, expect):
    array = CUBE.reshape(6, 5)
    every = tt.from_numpy(array[::2])  # (3, 5), every other row
    why = "rows with gaps between them can be grouped without a copy: this view exists, contiguous or not"
    call = "x.view(3, 1, 5), x every other row"
    with allowed(call, why):
        got = every.view(3, 1, 5)
    expect(got, call).equals(array[::2].reshape(3, 1, 5), why=why).shares_memory_with(array, why=why)
    why = "no elements, nothing to copy: this view exists"
    with allowed("tt.zeros(0, 3).view(3, 0)", why):
        got = tt.zeros(0, 3).view(3, 0)
    expect(got, "tt.zeros(0, 3).view(3, 0)").has_shape((3, 0), why=why)


# Permute.forward


@exercise(
    "Permute.forward",
    points=2,
    hints=(
        "No number moves: the sizes and strides change places.",
        "NumPy's `transpose` takes the new order of the dimensions, negative ones too.",
        "Each dimension must be named once: compare the sorted dims (each through `wrap_dim(dim, a.ndim)`) with "
        "0, 1, ..., a.ndim - 1.",
        "Raise RuntimeError if they differ from `list(range(a.ndim))`; else return `a.transpose(...)` with the dims.",
    ),
)
def test_permute_order(tt, expect):
    returns_array(tt, expect, "Permute", CUBE.copy(), dims=(2, 0, 1))
    x = tt.tensor(CUBE)
    with expect.unchanged(x, "x after tt.permute(x, (2, 0, 1))", why="permute returns a new tensor"):
        got = tt.permute(x, (2, 0, 1))
    why = "dims says which old dimension comes first, second, third: sizes (2, 3, 5) become (5, 2, 3)"
    expect(got, "tt.permute(x, (2, 0, 1)), shape (2, 3, 5)").has_shape((5, 2, 3), why=why)
    want = f32([[[CUBE[i, j, k] for j in range(3)] for i in range(2)] for k in range(5)])
    why = "out[k, i, j] is x[i, j, k]: the elements go with their dimensions, which reshape does not do"
    expect(got, "tt.permute(x, (2, 0, 1)), shape (2, 3, 5)").equals(want, why=why)
    why = "a dimension may be counted from the end: -1 is the last"
    expect(tt.permute(x, (-1, 0, 1)), "tt.permute(x, (-1, 0, 1))").equals(want, why=why)


@exercise("Permute.forward")
def test_permute_is_a_view(tt, expect):
    x = tt.tensor(CUBE)
    why = "only sizes and strides change places: the memory is shared"
    expect(tt.permute(x, (1, 2, 0)), "tt.permute(x, (1, 2, 0))").shares_memory_with(x, why=why)


@exercise("Permute.forward")
def test_permute_refuses_wrong_dims(tt, expect):
    x = tt.tensor(CUBE)
    why = "each dimension must be named exactly once: RuntimeError"
    with expect.raises(RuntimeError, call="tt.permute(x, (0, 0, 1)), 3 dimensions", why=why):
        tt.permute(x, (0, 0, 1))
    with expect.raises(RuntimeError, call="tt.permute(x, (1, 0)), 3 dimensions", why=why):
        tt.permute(x, (1, 0))
    with expect.raises(RuntimeError, call="tt.permute(x, (2, 1, -1)), 3 dimensions", why=why):
        tt.permute(x, (2, 1, -1))


# Index.forward


@exercise(
    "Index.forward",
    points=2,
    hints=(
        "NumPy's own indexing does nearly all of it. What does it return for one single element?",
        "`a[0, 1]` is a number without memory of its own array; `a[0, 1, ...]` is an array without dimensions, a view.",
        "If no item of the index is `Ellipsis`, put one at its end: `(*index, ...)`. Then index.",
    ),
)
def test_index_values(tt, expect):
    returns_array(tt, expect, "Index", CUBE.copy(), index=(1, slice(None)))
    x = tt.tensor(CUBE)
    with expect.unchanged(x, "x after x[1]"):
        got = x[1]
    expect(got, "x[1], shape (2, 3, 5)").equals(CUBE[1], why="one index takes one dimension away, the first")
    why = "as many indices as dimensions leave one number"
    expect(x[1, 2, 3], "x[1, 2, 3], shape (2, 3, 5)").equals(f32(CUBE[1, 2, 3]), why=why)
    expect(x[:, 1:], "x[:, 1:], shape (2, 3, 5)").equals(CUBE[:, 1:], why="a slice keeps its dimension")
    expect(x[0, ::2, -2:], "x[0, ::2, -2:], shape (2, 3, 5)").equals(CUBE[0, ::2, -2:], why="slices may have a step")
    expect(x[..., -1], "x[..., -1], shape (2, 3, 5)").equals(CUBE[..., -1], why="... stands for all that are not named")
    expect(x[:, None, 1], "x[:, None, 1], shape (2, 3, 5)").equals(
        CUBE[:, None, 1], why="None puts in a dimension of size 1"
    )


@exercise("Index.forward", points=2)
def test_index_with_numbers_and_slices_is_a_view(tt, expect):
    x = tt.tensor(CUBE)
    why = "numbers and slices only move the start and the strides: the memory is shared"
    expect(x[1], "x[1]").shares_memory_with(x, why=why)
    expect(x[:, 1:, ::2], "x[:, 1:, ::2]").shares_memory_with(x, why=why)
    why = "one element is a view too, so that x[1, 2, 3].zero_() changes x: index with ... at the end"
    expect(x[1, 2, 3], "x[1, 2, 3]").shares_memory_with(x, why=why)
    expect(x[..., 2][1, 1], "x[..., 2][1, 1]").equals(f32(CUBE[1, 1, 2])).shares_memory_with(x, why=why)


@exercise("Index.forward")
def test_index_with_tensors_is_a_copy(tt, expect):
    x = tt.tensor(CUBE)
    rows = tt.tensor([2, 0, 2])
    why = "a tensor of ints picks in its own order, as often as it says"
    expect(x[0][rows], "x[0][tt.tensor([2, 0, 2])]").is_a_copy_of(CUBE[0][[2, 0, 2]], why=why)
    mask = tt.tensor(CUBE > 0)
    why = "a bool tensor keeps the elements where it is True, in row order, as one row"
    expect(x[mask], "x[mask], mask = (x > 0)").equals(CUBE[CUBE > 0], why=why)
    why = "picked elements have no strides in common: they are copied"
    got = x[0][rows]
    expect(np.shares_memory(got.numpy(), x.numpy()), "does x[0][rows] share memory with x").equals(False, why=why)


@exercise("Index.forward")
def test_index_out_of_range(tt, expect):
    x = tt.tensor(CUBE)
    with expect.raises(IndexError, call="x[2], shape (2, 3, 5)", why="there are only 0 and 1 (and -1, -2)"):
        x[2]
    with expect.raises(IndexError, call="x[0, 0, 0, 0], shape (2, 3, 5)", why="four indices for three dimensions"):
        x[0, 0, 0, 0]


# Cat.forward


@exercise(
    "Cat.forward",
    points=2,
    hints=(
        "`np.concatenate` joins. What does PyTorch add: the dtype, and the type of the errors?",
        "The common dtype of many: `promote_types` takes two, `functools.reduce` applies it along a list.",
        "`wrap_dim(dim, arrays[0].ndim)` raises IndexError for a dim that is not there.",
        "`np.concatenate(arrays, axis=dim, dtype=...)` inside `try`; in `except ValueError:` raise RuntimeError "
        "with the shapes, `from None`.",
    ),
)
def test_cat_along_each_dimension(tt, expect):
    first, second = f32(CUBE[0]), f32(CUBE[1, :2])  # (3, 5), (2, 5)
    returns_array(tt, expect, "Cat", first.copy(), second.copy(), dim=0)
    a, b = tt.tensor(first), tt.tensor(second)
    with expect.unchanged(a, "a after tt.cat([a, b])"), expect.unchanged(b, "b after tt.cat([a, b])"):
        got = tt.cat([a, b])
    why = "joined along dim 0: 3 rows and 2 rows are 5 rows; no new dimension"
    expect(got, "tt.cat([a, b]), shapes (3, 5) and (2, 5)").equals(f32([*first, *second]), why=why)
    c = f32([[7.0], [8.0], [9.0]])
    want = f32([[*row, *extra] for row, extra in zip(first, c, strict=True)])
    why = "joined along dim 1: 5 columns and 1 column are 6 columns"
    expect(tt.cat([a, tt.tensor(c)], dim=1), "tt.cat([a, c], dim=1), shapes (3, 5) and (3, 1)").equals(want, why=why)
    expect(tt.cat([a, tt.tensor(c)], dim=-1), "tt.cat([a, c], dim=-1), shapes (3, 5) and (3, 1)").equals(
        want, why="-1 is the last dimension"
    )


@exercise("Cat.forward")
def test_cat_of_three_and_of_one(tt, expect):
    parts = [tt.tensor([1.5]), tt.tensor([2.5, 3.5]), tt.tensor([-4.5])]
    why = "any number of tensors, in their order"
    expect(tt.cat(parts), "tt.cat([a, b, c])").equals(f32([1.5, 2.5, 3.5, -4.5]), why=why)
    a = tt.tensor(A)
    why = "cat always makes new memory, for a single tensor too"
    expect(tt.cat([a]), "tt.cat([a])").is_a_copy_of(a, why=why)


@exercise("Cat.forward")
def test_cat_promotes(tt, expect):
    got = tt.cat([tt.tensor([1, 2]), tt.tensor([0.5])])
    why = "int64 with float32 gives float32 (NumPy alone gives float64): say dtype= to np.concatenate"
    expect(got, "tt.cat([int64, float32])").equals(f32([1.0, 2.0, 0.5]), why=why)
    got = tt.cat([tt.tensor([1.5], dtype=tt.float16), tt.tensor([True]), tt.tensor([7], dtype=tt.int32)])
    why = "the common dtype of all of them, not of the first two"
    expect(got, "tt.cat([float16, bool, int32])").equals(np.array([1.5, 1.0, 7.0], np.float16), why=why)


@exercise("Cat.forward")
def test_cat_refuses_what_does_not_fit(tt, expect):
    a = tt.tensor(A)
    why = "joined along dim 0, the other sizes must agree: 3 and 2 do not. RuntimeError (not NumPy's ValueError)"
    with expect.raises(RuntimeError, "tt.cat([a, b]), shapes (2, 3) and (3, 2)", ("(2, 3)", "(3, 2)"), why):
        tt.cat([a, tt.zeros(3, 2)])
    why = "two dimensions are 0 and 1: there is no dim 2, and PyTorch raises IndexError"
    with expect.raises(IndexError, call="tt.cat([a, a], dim=2), shape (2, 3)", why=why):
        tt.cat([a, a], dim=2)


# Where.forward


@exercise(
    "Where.forward",
    points=2,
    hints=(
        "`np.where` chooses. What has to be settled before: the dtype of the condition, of the result, the shapes?",
        "The condition must be bool, else RuntimeError. `promote` makes one dtype of a and b.",
        "All three shapes broadcast together: `broadcast_shapes` of the three raises the right error.",
        "Three statements (refuse, promote, broadcast_shapes), then `np.where` with the condition, a and b.",
    ),
)
def test_where_chooses(tt, expect):
    condition = np.array([[True, False, True], [False, False, True]])
    returns_array(tt, expect, "Where", condition.copy(), A.copy(), B.copy())
    c, a, b = tt.tensor(condition), tt.tensor(A), tt.tensor(B)
    call = "tt.where(condition, a, b)"
    with expect.unchanged(a, f"a after {call}"), expect.unchanged(b, f"b after {call}"):
        got = tt.where(c, a, b)
    want = f32([[1.5, 5.0, 3.0], [-2.0, 8.0, -6.0]])
    call = given(call, condition=condition, a=A, b=B)
    expect(got, call).equals(want, why="the element of a where the condition is True, else the element of b")
    why = "only chosen: a nan or inf that is not chosen leaves no trace (0 * inf would)"
    bad = tt.tensor([float("inf"), float("nan"), 3.0])
    mask = tt.tensor([False, False, True])
    expect(tt.where(mask, bad, tt.tensor([1.0, 2.0, 9.0])), "tt.where(mask, [inf, nan, 3.0], [1.0, 2.0, 9.0])").equals(
        f32([1.0, 2.0, 3.0]), why=why
    )


@exercise("Where.forward")
def test_where_broadcasts(tt, expect):
    c, a, b = np.array([[True], [False]]), f32([1.0, 2.0, 3.0]), f32([[[10.0]], [[20.0]]])
    why = "all three broadcast: (2, 1), (3,) and (2, 1, 1) to (2, 2, 3)"
    want = f32([[[1, 2, 3], [10, 10, 10]], [[1, 2, 3], [20, 20, 20]]])
    got = tt.where(tt.tensor(c), tt.tensor(a), tt.tensor(b))
    expect(got, "tt.where(condition, a, b), shapes (2, 1), (3,), (2, 1, 1)").equals(want, why=why)
    why = "the condition has 2 places, a has 3: RuntimeError (not NumPy's ValueError)"
    with expect.raises(RuntimeError, call="tt.where(condition, a, 0.0), shapes (2,) and (3,)", why=why):
        tt.where(tt.tensor([True, False]), tt.tensor(a), 0.0)
    with expect.raises(RuntimeError, call="tt.where(condition, 0.0, a), shapes (2,) and (3,)", why=why):
        tt.where(tt.tensor([True, False]), 0.0, tt.tensor(a))


@exercise("Where.forward")
def test_where_promotes(tt, expect):
    c = tt.tensor([True, False, True])
    ints, floats = tt.tensor([1, 2, 3]), tt.tensor([0.5, 1.5, 2.5])
    why = "int64 with float32 gives float32 (NumPy alone gives float64): promote a and b"
    expect(tt.where(c, ints, floats), "tt.where(condition, int64, float32)").equals(f32([1.0, 1.5, 3.0]), why=why)
    why = "a number takes the tensor's dtype"
    expect(tt.where(c, floats, 0), "tt.where(condition, float32, 0)").equals(f32([0.5, 0.0, 2.5]), why=why)


@exercise("Where.forward")
def test_where_wants_a_bool_condition(tt, expect):
    why = "a condition of ints may be a mistake (an index, a count): PyTorch raises RuntimeError"
    with expect.raises(RuntimeError, call="tt.where(tt.tensor([1, 0]), a, b)", why=why):
        tt.where(tt.tensor([1, 0]), tt.tensor([1.5, 2.5]), tt.tensor([3.5, 4.5]))

"""Checks of module 04, Losses, in the order of the lesson.

A check of one exercise uses only that exercise, earlier ones, and what the package gives. What PyTorch does not have
(`reduce_losses`, `ClassLoss.pick`, `check_target`, ...) is asked of PyTorch through the public function that must agree
with it, so that the expected values are tried on PyTorch all the same. They are literals or computed by NumPy here.
"""

import contextlib
import sys
import warnings

import numpy as np

from checks import CheckFailed, exercise

TABLE = np.array([[1.5, -2.0, 3.0], [4.0, 0.5, -6.0]], np.float32)  # (2, 3)
OTHER = np.array([[0.25, 5.0, -7.0], [-2.0, 8.0, 3.5]], np.float32)  # (2, 3)
LOSSES = np.array([[1.0, 0.25, 4.0], [2.25, 9.0, 0.5]], np.float32)  # (2, 3), not negative
SHARES = np.array([[2.0, 0.5, 1.0], [3.0, 0.25, 4.0]], np.float32)  # (2, 3), weights of elements
LOGITS = np.array(
    [[2.0, -1.0, 0.5], [0.25, 3.0, -2.0], [-0.5, 1.0, 4.0], [1.5, 0.75, -3.0], [0.1, -2.5, 1.2]], np.float32
)
CLASSES = np.array([2, 1, 0, 0, 1], np.int64)  # (5,), of 3 classes
WEIGHTS = np.array([0.5, 2.0, 3.0], np.float32)  # (3,)
CUBE = (np.arange(30, dtype=np.float32).reshape(2, 3, 5) * 7 % 31 / 4 - 3.5).astype(np.float32)  # (2, 3, 5): 3 classes
GRID = np.array([[2, 0, 1, 1, 0], [0, 2, 2, 1, 0]], np.int64)  # (2, 5): the classes of CUBE


def f32(values):
    """A float32 array."""
    return np.array(values, np.float32)


def is_torch(tt):
    return tt.__name__ == "torch"


def losses_of(tt):
    """The module losses.py of the library under test."""
    return sys.modules[tt.Tensor.__module__.rpartition(".")[0] + ".losses"]


def functional(tt):
    return tt.nn.functional


def log_softmax(a, axis):
    """Logarithm of softmax in float64."""
    a = a.astype(np.float64)
    below = a - a.max(axis=axis, keepdims=True)
    return below - np.log(np.exp(below).sum(axis=axis, keepdims=True))


@contextlib.contextmanager
def allowed(call, why):
    """The block must not raise: what it does is fine, and `why` says so."""
    try:
        yield
    except (NotImplementedError, CheckFailed):
        raise
    except Exception as error:
        raise CheckFailed(call, "no error", f"{type(error).__name__}: {error}", "", why) from error


def quiet(expect, call, function, want, why):
    """`function` must return `want`, and without a warning, which would appear in the middle of the student's output.

    Values come first: in the page NumPy sees no floating-point exceptions and never warns.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with allowed(call, why):
            result = function()
    expect(result, call).equals(want, why=why)
    why = "PyTorch answers without a warning; compute inside `with np.errstate(...):`"
    expect([str(warning.message) for warning in caught], f"warnings of {call}").equals([], why=why)


# reduce_losses


def reduced(tt, losses, reduction, weight=None):
    """reduce_losses; PyTorch reduces by the same rule inside its losses."""
    losses, weight = tt.tensor(losses), None if weight is None else tt.tensor(weight)
    if not is_torch(tt):
        return losses_of(tt).reduce_losses(losses, reduction, weight)
    if reduction == "batchmean":
        return functional(tt).kl_div(-losses, tt.ones(losses.shape), reduction=reduction)
    return functional(tt).mse_loss(losses**0.5, tt.zeros(losses.shape), reduction=reduction, weight=weight)


@exercise(
    "reduce_losses",
    points=2,
    hints=(
        "Each of the four names is one line. Which of them need the weights, and what do the weights change first?",
        "With weights, the losses are multiplied by them before anything else, for every reduction.",
        "The mean with weights is the sum of weighted losses divided by the sum of the weights, not by their number.",
        '"batchmean" divides the sum by `losses.shape[0]`, or by 1 where there are no dimensions; "none" is what is '
        "left. Compare the shapes of weight and losses before you multiply: broadcasting would hide a mistake.",
    ),
)
def test_reduce_mean_sum_none(tt, expect):
    call = 'reduce_losses(losses, "{}"), losses (2, 3)'
    why = "the mean divides the sum of all elements by their number, 6, whatever their shape"
    expect(reduced(tt, LOSSES, "mean"), call.format("mean")).equals(f32(17 / 6), why=why)
    expect(reduced(tt, LOSSES, "sum"), call.format("sum")).equals(f32(17.0), why="all elements added up")
    why = '"none" means no reduction: the loss of each element'
    expect(reduced(tt, LOSSES, "none"), call.format("none")).equals(LOSSES, why=why)


@exercise("reduce_losses")
def test_reduce_batchmean_divides_by_the_first_size(tt, expect):
    why = "the sum divided by the number of rows, 2, and not by the number of elements, 6"
    call = 'reduce_losses(losses, "batchmean"), losses (2, 3)'
    expect(reduced(tt, LOSSES, "batchmean"), call).equals(f32(8.5), why=why)
    why = "a number without dimensions is a batch of one"
    call = 'reduce_losses(losses, "batchmean"), losses ()'
    with allowed(call, why):
        got = reduced(tt, f32(2.25), "batchmean")
    expect(got, call).equals(f32(2.25), why=why)


@exercise("reduce_losses", points=2)
def test_reduce_weighted(tt, expect):
    weighted = LOSSES * SHARES
    call = 'reduce_losses(losses, "{}", weight), both (2, 3)'
    why = "with weights, the mean divides by the sum of the weights, 10.75, not by the number of elements"
    got = reduced(tt, LOSSES, "mean", SHARES)
    expect(got, call.format("mean")).equals(f32(weighted.sum() / SHARES.sum()), why=why)
    why = "each loss is multiplied by its weight, for every reduction"
    expect(reduced(tt, LOSSES, "sum", SHARES), call.format("sum")).equals(weighted.sum(), why=why)
    expect(reduced(tt, LOSSES, "none", SHARES), call.format("none")).equals(weighted, why=why)


@exercise("reduce_losses")
def test_reduce_refuses_weights_of_another_shape(tt, expect):
    why = "weights of shape (3,) would be broadcast, and the mean would divide by 3 weights where 6 were used"
    call = 'reduce_losses(losses, "mean", weight), losses (2, 3), weight (3,)'
    with expect.raises(ValueError, call, why=why):
        reduced(tt, LOSSES, "mean", f32([0.5, 2.0, 3.0]))


@exercise("reduce_losses", torch=False)
def test_reduce_leaves_the_losses_alone(tt, expect):
    losses, weight = tt.tensor(LOSSES), tt.tensor(SHARES)
    for reduction in ("mean", "sum", "none"):
        call = f'reduce_losses(losses, "{reduction}", weight)'
        with expect.unchanged(losses, call), expect.unchanged(weight, call):
            losses_of(tt).reduce_losses(losses, reduction, weight)


# difference


def warned(function):
    """Result of a call, and the texts of its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = function()
    return result, [str(warning.message) for warning in caught]


def subtracted(tt, a, b):
    """difference; PyTorch has none, and its l1_loss shows the same without the sign."""
    if is_torch(tt):
        functional(tt).l1_loss(a, b)  # the warning and the error are PyTorch's
        return a - b
    return losses_of(tt).difference(a, b, "l1_loss")


@exercise(
    "difference",
    points=2,
    hints=(
        "The subtraction is not the exercise. What must happen before it when the shapes differ?",
        "`floats(input.array, name)` raises the error for ints; what it returns is not needed here.",
        "Compare `input.shape` and `target.shape`, not the shape of the result. When they differ: `warnings.warn(text, "
        "stacklevel=3)`, with both shapes in the text; then subtract as always.",
    ),
)
def test_difference_subtracts_the_target(tt, expect):
    a, b = tt.tensor(TABLE), tt.tensor(OTHER)
    call = 'difference(input, target, "l1_loss")'
    why = "input - target, in this order: positive where the prediction is too large"
    with expect.unchanged(a, call), expect.unchanged(b, call):
        got = subtracted(tt, a, b)
    expect(got, call).equals(tt.tensor(TABLE - OTHER), why=why)


@exercise("difference")
def test_difference_of_equal_shapes_is_quiet(tt, expect):
    call = 'difference(input, target, "l1_loss"), both (2, 3)'
    _, texts = warned(lambda: subtracted(tt, tt.tensor(TABLE), tt.tensor(OTHER)))
    expect(texts, f"warnings of {call}").equals([], why="equal shapes are what everybody wants: no warning")


@exercise("difference", points=2)
def test_difference_warns_of_shapes_that_broadcast(tt, expect):
    column, row = tt.tensor(f32([[1.0], [2.0], [4.0]])), tt.tensor(f32([0.5, 3.0, 7.0]))
    call = 'difference(input, target, "l1_loss"), input (3, 1), target (3,)'
    why = "(3, 1) and (3,) broadcast to (3, 3): nine differences of three predictions. PyTorch computes them and warns"
    with allowed(call, why):
        got, texts = warned(lambda: subtracted(tt, column, row))
    expect(len(texts), f"number of warnings of {call}").equals(1, why=why)
    why = "the warning names both shapes, or nobody finds the mistake"
    for forms in (("(3, 1)", "[3, 1]"), ("(3,)", "[3]")):
        named = any(form in texts[0] for form in forms)
        expect(named, f"'{forms[0]}' or '{forms[1]}' in the warning {texts[0]!r}").equals(True, why=why)
    want = f32([[0.5, -2.0, -6.0], [1.5, -1.0, -5.0], [3.5, 1.0, -3.0]])
    expect(got, call).equals(want, why="after the warning the subtraction goes on, with broadcasting")


@exercise("difference")
def test_difference_compares_the_two_shapes(tt, expect):
    for a, b in ((f32([2.0, 5.0]), f32(0.5)), (f32([[2.0, 5.0]]), f32([0.5, 3.0]))):
        call = f'difference(input, target, "l1_loss"), input {a.shape}, target {b.shape}'
        why = f"the two shapes differ, although the result has the shape of the input: compare {a.shape} with {b.shape}"
        got, texts = warned(lambda a=a, b=b: subtracted(tt, tt.tensor(a), tt.tensor(b)))
        expect(len(texts), f"number of warnings of {call}").equals(1, why=why)
        expect(got, call).equals(a - b, why="after the warning the subtraction goes on, with broadcasting")


@exercise("difference", torch=False)
def test_difference_refuses_ints(tt, expect):
    why = "a loss of ints is a loss nobody can lower a little; floats(input.array, name) raises the error"
    call = 'difference(input, target, "l1_loss"), input of int64'
    with expect.raises(NotImplementedError, call, ("l1_loss",), why):
        losses_of(tt).difference(tt.tensor([1, 2]), tt.tensor([4.0, 1.0]), "l1_loss")


@exercise("difference", torch=False)
def test_difference_points_at_the_caller(tt, expect):
    def loss():  # stands for mse_loss
        return losses_of(tt).difference(tt.ones(3, 1), tt.ones(3), "mse_loss")

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loss()
    expect(len(caught), "number of warnings").equals(1, why="one warning for shapes that differ")
    why = "stacklevel=3: the warning shows the line that called the loss, not a line inside the library"
    expect(caught[0].filename == __file__, "the warning names the file of the caller").equals(True, why=why)
    first = test_difference_points_at_the_caller.__code__.co_firstlineno
    expect(caught[0].lineno - first > 5, "the warning names the line that called the loss").equals(True, why=why)


# mse_loss


@exercise(
    "mse_loss",
    hints=(
        "Three steps: the differences, their squares, the reduction. Two of them you have written.",
        '`difference(input, target, "mse_loss")`, multiplied by itself.',
        "`reduce_losses` takes the squares, the name of the reduction from `named_reduction(reduction, size_average, "
        "reduce)`, and the weight.",
    ),
)
def test_mse_squares_and_averages(tt, expect):
    a, b = tt.tensor(TABLE), tt.tensor(OTHER)
    squares = (TABLE - OTHER) ** 2
    call = "F.mse_loss(input, target), both (2, 3)"
    why = "the mean of the squared differences, over all 6 elements"
    with expect.unchanged(a, call), expect.unchanged(b, call):
        got = functional(tt).mse_loss(a, b)
    expect(got, call).equals(tt.tensor(squares.mean()), why=why)


@exercise("mse_loss")
def test_mse_reductions(tt, expect):
    a, b = tt.tensor(TABLE), tt.tensor(OTHER)
    squares = (TABLE - OTHER) ** 2
    for reduction, want in (("sum", squares.sum()), ("none", squares)):
        call = f'F.mse_loss(input, target, reduction="{reduction}")'
        why = "reduction says what becomes of the squares: hand it on to reduce_losses"
        expect(functional(tt).mse_loss(a, b, reduction=reduction), call).equals(want, why=why)
    why = 'named_reduction refuses a name that does not exist: "avg" is none of mean, sum, none'
    with expect.raises(ValueError, 'F.mse_loss(input, target, reduction="avg")', ("avg",), why):
        functional(tt).mse_loss(a, b, reduction="avg")


@exercise("mse_loss")
def test_mse_weights(tt, expect):
    a, b, w = tt.tensor(TABLE), tt.tensor(OTHER), tt.tensor(SHARES)
    want = ((TABLE - OTHER) ** 2 * SHARES).sum() / SHARES.sum()
    why = "each squared difference counts by its weight, and the mean divides by the sum of the weights"
    expect(functional(tt).mse_loss(a, b, weight=w), "F.mse_loss(input, target, weight=w)").equals(want, why=why)


@exercise("mse_loss")
def test_mse_warns_of_unequal_shapes(tt, expect):
    call = "F.mse_loss(input, target), input (3, 1), target (3,)"
    got, texts = warned(
        lambda: functional(tt).mse_loss(tt.tensor(f32([[1.0], [2.0], [4.0]])), tt.tensor(f32([1, 2, 4])))
    )
    why = "get the differences from `difference`, which warns of shapes that broadcast"
    expect(len(texts), f"number of warnings of {call}").equals(1, why=why)
    expect(got, call).equals(f32(28 / 9), why="nine differences: each prediction with each target")


@exercise("mse_loss")
def test_mse_old_names(tt, expect):
    a, b = tt.tensor(TABLE), tt.tensor(OTHER)
    got, _ = warned(lambda: functional(tt).mse_loss(a, b, size_average=False))
    why = "size_average=False is PyTorch's old way to say sum; named_reduction translates it"
    expect(got, "F.mse_loss(input, target, size_average=False)").equals(((TABLE - OTHER) ** 2).sum(), why=why)
    got, _ = warned(lambda: functional(tt).mse_loss(a, b, reduce=False))
    why = "reduce=False is PyTorch's old way to say none; named_reduction translates it"
    expect(got, "F.mse_loss(input, target, reduce=False)").equals((TABLE - OTHER) ** 2, why=why)


# l1_loss


@exercise(
    "l1_loss",
    hints=(
        "The same as mse_loss, with something else in place of the square.",
        "`abs` of a tensor is its absolute value, element by element.",
        '`abs(difference(input, target, "l1_loss"))`, reduced as before.',
    ),
)
def test_l1_averages_distances(tt, expect):
    a, b = tt.tensor(TABLE), tt.tensor(OTHER)
    call = "F.l1_loss(input, target), both (2, 3)"
    why = "the mean of the absolute differences; without abs, a miss above and one below would cancel"
    with expect.unchanged(a, call), expect.unchanged(b, call):
        got = functional(tt).l1_loss(a, b)
    expect(got, call).equals(tt.tensor(abs(TABLE - OTHER).mean()), why=why)


@exercise("l1_loss")
def test_l1_reductions(tt, expect):
    a, b = tt.tensor(TABLE), tt.tensor(OTHER)
    distances = abs(TABLE - OTHER)
    for reduction, want in (("sum", distances.sum()), ("none", distances)):
        call = f'F.l1_loss(input, target, reduction="{reduction}")'
        why = "reduction says what becomes of the distances: hand it on to reduce_losses"
        expect(functional(tt).l1_loss(a, b, reduction=reduction), call).equals(want, why=why)
    got, _ = warned(lambda: functional(tt).l1_loss(a, b, reduce=False))
    why = "reduce=False is PyTorch's old way to say none; named_reduction translates it"
    expect(got, "F.l1_loss(input, target, reduce=False)").equals(distances, why=why)
    got, _ = warned(lambda: functional(tt).l1_loss(a, b, size_average=False))
    why = "size_average=False is PyTorch's old way to say sum; named_reduction translates it"
    expect(got, "F.l1_loss(input, target, size_average=False)").equals(distances.sum(), why=why)


@exercise("l1_loss")
def test_l1_weights(tt, expect):
    a, b, w = tt.tensor(TABLE), tt.tensor(OTHER), tt.tensor(SHARES)
    want = (abs(TABLE - OTHER) * SHARES).sum() / SHARES.sum()
    why = "each distance counts by its weight, and the mean divides by the sum of the weights"
    expect(functional(tt).l1_loss(a, b, weight=w), "F.l1_loss(input, target, weight=w)").equals(want, why=why)


@exercise("l1_loss")
def test_l1_warns_of_unequal_shapes(tt, expect):
    call = "F.l1_loss(input, target), input (3, 1), target (3,)"
    _, texts = warned(lambda: functional(tt).l1_loss(tt.ones(3, 1), tt.zeros(3)))
    why = "get the differences from `difference`, which warns of shapes that broadcast"
    expect(len(texts), f"number of warnings of {call}").equals(1, why=why)


# huber_loss


@exercise(
    "huber_loss",
    points=2,
    hints=(
        "Two formulas, one for near and one for far. Where do they meet, and is there one expression for both?",
        "Let d be the absolute difference and n the smaller of d and delta. Put n = d into n (d - n / 2), then "
        "n = delta. What do you get?",
        "`clamp(distance, max=delta)` is n. Check delta first: `RuntimeError` unless it is positive.",
        'Reduce twice: `reduce_losses(losses, "none", weight)` multiplies, a second call without weights averages, by '
        "`named_reduction(reduction)`.",
    ),
)
def test_huber_is_half_the_square_near_zero(tt, expect):
    a, b = tt.tensor(f32([0.5, -0.25, 1.0])), tt.tensor(f32([0.0, 0.5, 1.0]))
    call = 'F.huber_loss(input, target, reduction="none"), differences 0.5, -0.75, 0'
    why = "up to delta, half the squared difference: 0.5 ** 2 / 2"
    with expect.unchanged(a, call):
        got = functional(tt).huber_loss(a, b, reduction="none")
    expect(got, call).equals(tt.tensor(f32([0.125, 0.28125, 0.0])), why=why)


@exercise("huber_loss")
def test_huber_is_a_line_far_away(tt, expect):
    a, b = tt.tensor(f32([3.0, -4.0, 0.0])), tt.tensor(f32([0.0, 1.0, 101.0]))
    call = 'F.huber_loss(input, target, reduction="none"), differences 3, -5, -101'
    why = "beyond delta = 1 the loss is delta * (|d| - delta / 2): 3 - 0.5, on both sides"
    expect(functional(tt).huber_loss(a, b, reduction="none"), call).equals(f32([2.5, 4.5, 100.5]), why=why)


@exercise("huber_loss")
def test_huber_delta(tt, expect):
    a, b = tt.tensor(f32([1.0, 5.0, -0.25])), tt.tensor(f32([0.0, 0.0, 0.0]))
    for delta, want in ((2.0, [0.5, 8.0, 0.03125]), (0.5, [0.375, 2.375, 0.03125])):
        call = f'F.huber_loss(input, target, reduction="none", delta={delta}), differences 1, 5, -0.25'
        why = "delta is where the parabola becomes a line, and the slope of that line"
        expect(functional(tt).huber_loss(a, b, reduction="none", delta=delta), call).equals(f32(want), why=why)


@exercise("huber_loss")
def test_huber_refuses_delta_that_is_not_positive(tt, expect):
    a, b = tt.tensor(f32([1.0])), tt.tensor(f32([3.0]))
    for delta in (0.0, -1.0):
        call = f"F.huber_loss(input, target, delta={delta})"
        with expect.raises(RuntimeError, call, why="without a positive delta there is neither a parabola nor a line"):
            functional(tt).huber_loss(a, b, delta=delta)
    call = "F.huber_loss(input, target, delta=0.5)"
    with allowed(call, "a delta between 0 and 1 is fine"):
        functional(tt).huber_loss(a, b, delta=0.5)


@exercise("huber_loss")
def test_huber_reductions(tt, expect):
    a, b = tt.tensor(TABLE), tt.tensor(OTHER)
    d = abs(TABLE - OTHER)
    want = np.where(d <= 1, d * d / 2, d - 0.5)
    why = "the losses of the elements, reduced by reduce_losses"
    expect(functional(tt).huber_loss(a, b), "F.huber_loss(input, target)").equals(want.mean(), why=why)
    call = 'F.huber_loss(input, target, reduction="sum")'
    expect(functional(tt).huber_loss(a, b, reduction="sum"), call).equals(want.sum(), why=why)
    _, texts = warned(lambda: functional(tt).huber_loss(tt.ones(3, 1), tt.zeros(3)))
    why = "get the differences from `difference`, which warns of shapes that broadcast"
    expect(len(texts), "number of warnings of F.huber_loss(input, target), (3, 1) and (3,)").equals(1, why=why)
    why = 'ask named_reduction, which refuses a name that does not exist: "average" is none of mean, sum, none'
    with expect.raises(ValueError, 'F.huber_loss(input, target, reduction="average")', ("average",), why):
        functional(tt).huber_loss(a, b, reduction="average")


@exercise("huber_loss")
def test_huber_weights(tt, expect):
    a, b, w = tt.tensor(TABLE), tt.tensor(OTHER), tt.tensor(SHARES)
    d = abs(TABLE - OTHER)
    want = np.where(d <= 1, d * d / 2, d - 0.5) * SHARES
    for reduction, value in (("none", want), ("sum", want.sum())):
        call = f'F.huber_loss(input, target, reduction="{reduction}", weight=w)'
        got = functional(tt).huber_loss(a, b, reduction=reduction, weight=w)
        expect(got, call).equals(value, why="with weights, each loss is multiplied by its own")
    why = (
        "PyTorch's rule in this loss: weighted losses divided by their number, 6, not by the sum of the weights, 10.75"
    )
    call = "F.huber_loss(input, target, weight=w), all (2, 3)"
    expect(functional(tt).huber_loss(a, b, weight=w), call).equals(want.mean(), why=why)
    why = "weights of shape (3,) for losses (2, 3) are a mistake; reduce_losses says so, let it see the weights"
    with expect.raises(ValueError, "F.huber_loss(input, target, weight=w), w (3,)", why=why):
        functional(tt).huber_loss(a, b, weight=tt.tensor(WEIGHTS))


# ClassLoss.pick


def node(tt, name, index, weights):
    """A node of the op `name` as `ClassLoss.forward` prepares it for rows_loss."""
    ctx = getattr(losses_of(tt), name)()
    ctx.index, ctx.weights = index, weights
    return ctx


@exercise(
    "ClassLoss.pick",
    torch=False,
    hints=(
        "`rows[i, j]` with two arrays of the same length takes one number for each pair (i[0], j[0]), (i[1], j[1]) ...",
        "The classes are `ctx.index`. Which row belongs to each of them?",
        "Row numbers 0, 1, 2, ... come from `np.arange`. Return both arrays as a tuple.",
    ),
)
def test_pick_takes_one_number_of_each_row(tt, expect):
    ctx = node(tt, "NLL", CLASSES, None)
    got = ctx.pick(LOGITS)
    call = "rows[ctx.pick(rows)], rows (5, 3), ctx.index = [2 1 0 0 1]"
    why = "a tuple (row numbers, classes), one pair for each row. Return the index, not the numbers"
    expect(got, "ctx.pick(rows)").is_instance(tuple, why=why)
    expect(len(got), "len(ctx.pick(rows))").equals(2, why=why)
    why = "from row i the number of class index[i]: the row numbers first, and as many pairs as there are rows"
    with allowed(call, why):
        numbers = LOGITS[got]
    expect(numbers, call).equals(f32([0.5, 3.0, -0.5, 1.5, -2.5]), why=why)


@exercise("ClassLoss.pick", torch=False)
def test_pick_can_be_written_to(tt, expect):
    rows = np.zeros((3, 2), np.float32)
    ctx = node(tt, "NLL", np.array([1, 0, 1], np.int64), None)
    rows[ctx.pick(rows)] = f32([2.0, 3.0, 5.0])
    why = "an index can be assigned to as well; module 06 will put gradients there. Return the index, not the numbers"
    expect(rows, "rows after rows[ctx.pick(rows)] = [2, 3, 5]").equals(f32([[0, 2], [3, 0], [0, 5]]), why=why)


@exercise("ClassLoss.pick", torch=False)
def test_pick_counts_rows_and_not_classes(tt, expect):
    wide = np.arange(14, dtype=np.float32).reshape(2, 7)
    ctx = node(tt, "NLL", np.array([6, 3], np.int64), None)
    why = "as many pairs as there are rows: 2, although there are 7 classes"
    with allowed("rows[ctx.pick(rows)], rows (2, 7)", why):
        got = wide[ctx.pick(wide)]
    expect(got, "rows[ctx.pick(rows)], rows (2, 7), ctx.index = [6 3]").equals(f32([6.0, 10.0]), why=why)


@exercise("ClassLoss.pick", torch=False)
def test_pick_of_no_rows(tt, expect):
    rows = np.zeros((0, 3), np.float32)
    ctx = node(tt, "NLL", np.zeros(0, np.int64), None)
    call = "rows[ctx.pick(rows)], rows (0, 3)"
    with allowed(call, "no rows, no pairs"):
        got = rows[ctx.pick(rows)]
    expect(got, call).has_shape((0,), why="no rows, no pairs")


# NLL.rows_loss


def rows_loss(tt, rows, index, weights):
    """NLL.rows_loss; PyTorch's nll_loss without reduction does the same when all weights are multiplied afterwards."""
    if is_torch(tt):
        losses = functional(tt).nll_loss(tt.tensor(rows), tt.tensor(index), reduction="none")
        return (losses * tt.tensor(weights)).numpy()
    return node(tt, "NLL", index, weights).rows_loss(rows)


LOGS = log_softmax(LOGITS, 1).astype(np.float32)
FIVE = f32([0.5, 1.0, 0.0, 2.0, 3.0])  # a weight for each row


@exercise(
    "NLL.rows_loss",
    hints=(
        "rows holds logarithms of probabilities already. Which one of each row is the loss made of?",
        "`rows[ctx.pick(rows)]` are the logarithms at the true classes. They are negative; a loss is not.",
        'Times `ctx.weights`, one for each row, with a minus in front. `floats(rows, "nll_loss")` refuses ints.',
    ),
)
def test_nll_rows_takes_minus_the_logarithm(tt, expect):
    call = "NLL.rows_loss(ctx, rows), rows (5, 3), ctx.index = [2 1 0 0 1], weights 1"
    want = -LOGS[np.arange(5), CLASSES]
    why = "minus the logarithm at the true class: positive, and large where the truth got a small probability"
    with expect.unchanged(LOGS, call):
        got = rows_loss(tt, LOGS, CLASSES, np.ones(5, np.float32))
    expect(got, call).has_shape((5,), why="one loss for each row").equals(want, why=why)


@exercise("NLL.rows_loss")
def test_nll_rows_weighted(tt, expect):
    call = "NLL.rows_loss(ctx, rows), ctx.weights = [0.5, 1, 0, 2, 3]"
    want = -LOGS[np.arange(5), CLASSES] * FIVE
    why = "the loss of a row is multiplied by the row's weight; a weight of 0 switches a row off"
    expect(rows_loss(tt, LOGS, CLASSES, FIVE), call).equals(want, why=why)


@exercise("NLL.rows_loss")
def test_nll_rows_takes_any_numbers(tt, expect):
    rows = f32([[-0.5, 2.0], [3.0, -4.0], [0.25, 7.0]])
    call = "NLL.rows_loss(ctx, [[-0.5, 2], [3, -4], [0.25, 7]]), ctx.index = [1 0 0]"
    why = "nothing is computed but the minus: no logarithm and no softmax, those came before"
    got = rows_loss(tt, rows, np.array([1, 0, 0], np.int64), np.ones(3, np.float32))
    expect(got, call).equals(f32([-2.0, -3.0, -0.25]), why=why)


@exercise("NLL.rows_loss", torch=False)
def test_nll_rows_refuses_ints(tt, expect):
    why = 'logarithms of probabilities are floats; floats(rows, "nll_loss") says so'
    call = "NLL.rows_loss(ctx, rows), rows of int64"
    with expect.raises(NotImplementedError, call, ("nll_loss",), why):
        rows_loss(tt, np.array([[1, 2], [3, 4]], np.int64), np.array([1, 0], np.int64), np.ones(2, np.float32))


# check_target


def checked(tt, a, target, weight=None):
    """check_target; PyTorch asks the same questions inside nll_loss."""
    if not is_torch(tt):
        return losses_of(tt).check_target(a, target, weight)
    weight = None if weight is None else tt.tensor(weight)
    functional(tt).nll_loss(tt.tensor(a), tt.tensor(target), weight=weight)
    return None


def shapes(a, target, weight=None):
    """The label of a call of check_target."""
    last = "None" if weight is None else f"weight {weight.shape}"
    return f"check_target(a, target, {last}), a {a.shape}, target {target.shape} of {target.dtype}"


@exercise(
    "check_target",
    points=2,
    hints=(
        "Go through the promises of the docstring one at a time: dtype, dimensions, batch, shape, weights.",
        "The shape that target must have is the shape of a without dimension 1: `(*a.shape[:1], *a.shape[2:])`. For a "
        "of shape (C,), one row, it is `()`.",
        "In order: `target.dtype not in (np.int64, np.uint8)` RuntimeError; `a.ndim == 0` RuntimeError; first sizes "
        "that differ ValueError; another shape RuntimeError; `weight.shape != (classes,)` RuntimeError.",
        "The number of classes is `a.shape[1]`, but `a.shape[0]` where a has one dimension: "
        "`a.shape[min(a.ndim - 1, 1)]`.",
    ),
)
def test_check_target_accepts_what_fits(tt, expect):
    for a, target in (
        (LOGITS, CLASSES),
        (CUBE, GRID),
        (LOGITS[0], np.array(2, np.int64)),
        (LOGITS, CLASSES.astype(np.uint8)),
        (np.zeros((2, 3, 4, 5), np.float32), np.ones((2, 4, 5), np.int64)),
    ):
        why = f"target has the shape of a without its dimension of classes, dimension {min(a.ndim - 1, 1)}"
        for weight in (None, WEIGHTS):
            with allowed(shapes(a, target, weight), why):
                got = checked(tt, a, target, weight)
            expect(got, shapes(a, target, weight)).equals(None, why="nothing to return: it only raises errors")


@exercise("check_target")
def test_check_target_dtype(tt, expect):
    why = "a class is a whole number: int64 or uint8. A float target would mean probabilities"
    for name in ("float32", "int32", "bool"):
        target = CLASSES.astype(name)
        with expect.raises(RuntimeError, shapes(LOGITS, target), (name,), why):
            checked(tt, LOGITS, target)


@exercise("check_target", points=2)
def test_check_target_shape(tt, expect):
    why = "5 rows and 4 targets: another batch is a ValueError that names both sizes"
    with expect.raises(ValueError, shapes(LOGITS, CLASSES[:4]), ("5", "4"), why):
        checked(tt, LOGITS, CLASSES[:4])
    why = "rows of classes want one target each; a number is a batch of another size, ValueError"
    with expect.raises(ValueError, shapes(LOGITS, np.array(1, np.int64)), why=why):
        checked(tt, LOGITS, np.array(1, np.int64))
    why = "(2, 3, 5) wants targets (2, 5): dimension 1 holds the classes, wherever else there are more dimensions"
    wide = np.ones((2, 3), np.int64)
    with expect.raises(RuntimeError, shapes(CUBE, wide), ("[2, 5]", "[2, 3]"), why):
        checked(tt, CUBE, wide)
    why = "a column of targets would be broadcast to (5, 5); it must be (5,)"
    column = CLASSES[:, None]
    with expect.raises(RuntimeError, shapes(LOGITS, column), ("[5]", "[5, 1]"), why):
        checked(tt, LOGITS, column)


@exercise("check_target")
def test_check_target_one_row(tt, expect):
    why = "one row of classes, shape (3,), has one target, shape ()"
    for target in (np.array([2], np.int64), np.array([2, 0, 1], np.int64)):
        with expect.raises((ValueError, RuntimeError), shapes(LOGITS[0], target), why=why):
            losses_of(tt).check_target(LOGITS[0], target, None) if not is_torch(tt) else checked(
                tt, LOGITS[0], np.array([[2]], np.int64)
            )


@exercise("check_target", torch=False)
def test_check_target_needs_classes(tt, expect):
    a = np.array(1.5, np.float32)
    why = "a number has no dimension of classes"
    with expect.raises(RuntimeError, shapes(a, np.array(0, np.int64)), why=why):
        checked(tt, a, np.array(0, np.int64))


@exercise("check_target")
def test_check_target_weights(tt, expect):
    why = "one weight for each class: 3 of them, not one for each row"
    with expect.raises(RuntimeError, shapes(LOGITS, CLASSES, FIVE), ("3", "[5]"), why):
        checked(tt, LOGITS, CLASSES, FIVE)
    with expect.raises(RuntimeError, shapes(CUBE, GRID, FIVE[:2]), ("3", "[2]"), why):
        checked(tt, CUBE, GRID, FIVE[:2])
    why = "a of shape (3,) is one row of 3 classes: 3 weights"
    with expect.raises(RuntimeError, shapes(LOGITS[0], np.array(1, np.int64), FIVE[:2]), ("3",), why):
        checked(tt, LOGITS[0], np.array(1, np.int64), FIVE[:2])


# ClassLoss.forward


def nll(tt, a, target, weight=None, **options):
    """The op NLL, whose forward is ClassLoss's, of arrays; PyTorch's nll_loss is the same."""
    a, target = tt.tensor(a), tt.tensor(target)
    if is_torch(tt):
        return functional(tt).nll_loss(a, target, None if weight is None else tt.tensor(weight), **options)
    return losses_of(tt).NLL.apply(a, target, weight=weight, **options)


SAME_DTYPE = (
    "the weights of the rows, and what the sum is divided by, have the dtype of a, or they widen the result: the sum "
    "of a mask of bools is an int64, and dividing by it gives float64"
)
CUBE_LOGS = log_softmax(CUBE, 1).astype(np.float32)
CUBE_LOSSES = -np.take_along_axis(CUBE_LOGS, GRID[:, None], 1)[:, 0]  # (2, 5)
ROW_LOSSES = -LOGS[np.arange(5), CLASSES]  # (5,)


@exercise(
    "ClassLoss.forward",
    points=3,
    hints=(
        "Every shape is brought to (n, classes) first, then there is one loss for each row, then the reduction. Which "
        "dimension must become the last one before you may reshape?",
        "`np.moveaxis(a, 1, -1)` for 3 dimensions and more, then `reshape(target.size, classes)`. The targets become "
        "`target.reshape(-1)`.",
        "keep = targets that are not ignore_index. ctx.index = `np.where(keep, targets, 0)`: an ignored row gets class "
        "0 and weight 0. Look for classes below 0 or too large in ctx.index, after that.",
        "ctx.weights is `keep` as floats, or `weight[ctx.index] * keep`. 0 times inf is nan, so the losses of ignored "
        "rows are set to 0: `np.where(keep, losses, 0)`. The mean is `losses.sum() / ctx.weights.sum()` inside "
        '`np.errstate(invalid="ignore")`; none has the shape of target.',
    ),
)
def test_class_loss_of_rows(tt, expect):
    why = "the mean of the losses of the 5 rows"
    call = "NLL.apply(a, target), a (5, 3), target (5,)"
    a, target = LOGS.copy(), CLASSES.copy()
    with expect.unchanged(a, call), expect.unchanged(target, call):
        got = nll(tt, a, target)
    expect(got, call).has_dtype("float32", why=SAME_DTYPE)
    expect(got, call).equals(tt.tensor(ROW_LOSSES.mean()), why=why)
    call = 'NLL.apply(a, target, reduction="{}"), a (5, 3), target (5,)'
    expect(nll(tt, LOGS, CLASSES, reduction="sum"), call.format("sum")).equals(ROW_LOSSES.sum(), why="added up")
    why = "one loss for each row"
    expect(nll(tt, LOGS, CLASSES, reduction="none"), call.format("none")).equals(ROW_LOSSES, why=why)
    call = "NLL.apply(a, target), target of uint8"
    with allowed(call, "uint8 holds classes as well"):
        got = nll(tt, LOGS, CLASSES.astype(np.uint8))
    expect(got, call).equals(ROW_LOSSES.mean(), why="the same classes in another dtype")


@exercise("ClassLoss.forward", points=2)
def test_class_loss_of_more_dimensions(tt, expect):
    why = "dimension 1 holds the classes; it must be moved to the end before the rows are made, or rows mix"
    call = 'NLL.apply(a, target, reduction="none"), a (2, 3, 5), target (2, 5)'
    got = nll(tt, CUBE_LOGS, GRID, reduction="none")
    expect(got, call).has_shape((2, 5), why='"none" gives the losses back in the shape of the target, not as a row')
    expect(got, call).equals(CUBE_LOSSES, why=why)
    call = "NLL.apply(a, target), a (2, 3, 5), target (2, 5)"
    expect(nll(tt, CUBE_LOGS, GRID), call).equals(CUBE_LOSSES.mean(), why="the mean over all 10 positions")
    a = np.random.default_rng(4).normal(size=(2, 3, 4, 5)).astype(np.float32)
    target = np.random.default_rng(5).integers(0, 3, (2, 4, 5))
    want = -np.take_along_axis(a, target[:, None], 1)[:, 0]
    call = 'NLL.apply(a, target, reduction="none"), a (2, 3, 4, 5), target (2, 4, 5)'
    expect(nll(tt, a, target, reduction="none"), call).equals(want, why=why)


@exercise("ClassLoss.forward")
def test_class_loss_of_one_row(tt, expect):
    call = "NLL.apply(a, target), a (3,), target ()"
    why = "one row without a batch: its first dimension holds the classes"
    with allowed(call, why):
        got = nll(tt, LOGS[0], np.array(2, np.int64))
    expect(got, call).equals(f32(-LOGS[0, 2]), why=why)
    call = 'NLL.apply(a, target, weight=w, reduction="none"), a (3,), target ()'
    want = f32(-LOGS[0, 2] * WEIGHTS[2])
    expect(nll(tt, LOGS[0], np.array(2, np.int64), WEIGHTS, reduction="none"), call).equals(want, why=why)


@exercise("ClassLoss.forward", points=2)
def test_class_loss_weights(tt, expect):
    each = WEIGHTS[CLASSES]
    why = "the weighted mean divides by the weights of the targets, 3 + 2 + 0.5 + 0.5 + 2, not by 5 rows"
    call = "NLL.apply(a, target, weight=[0.5, 2, 3]), target [2 1 0 0 1]"
    want = (ROW_LOSSES * each).sum() / each.sum()
    expect(nll(tt, LOGS, CLASSES, WEIGHTS), call).equals(want, why=why)
    why = "the weight of a row is that of its class: weight[class]"
    call = 'NLL.apply(a, target, weight=[0.5, 2, 3], reduction="none")'
    expect(nll(tt, LOGS, CLASSES, WEIGHTS, reduction="none"), call).equals(ROW_LOSSES * each, why=why)
    call = 'NLL.apply(a, target, weight=[0.5, 2, 3], reduction="sum")'
    want = (ROW_LOSSES * each).sum()
    expect(nll(tt, LOGS, CLASSES, WEIGHTS, reduction="sum"), call).equals(want, why="weighted losses added up")


@exercise("ClassLoss.forward", points=2)
def test_class_loss_ignores(tt, expect):
    target = np.array([2, -100, 0, -100, 1], np.int64)
    keep = np.array([1, 0, 1, 0, 1], np.float32)
    why = "rows whose target is ignore_index count neither above nor below the line: the mean is over 3 rows"
    call = "NLL.apply(a, target), target [2 -100 0 -100 1]"
    with allowed(call, "-100 is the default ignore_index, not a class out of bounds"):
        got = nll(tt, LOGS, target)
    expect(got, call).equals((ROW_LOSSES * keep).sum() / 3, why=why)
    call = 'NLL.apply(a, target, reduction="none"), target [2 -100 0 -100 1]'
    got = nll(tt, LOGS, target, reduction="none")
    expect(got, call).equals(ROW_LOSSES * keep, why="an ignored row keeps its place, with a loss of 0")
    keep = (CLASSES != 1).astype(np.float32)
    call = "NLL.apply(a, target, weight=[0.5, 2, 3], ignore_index=1), target [2 1 0 0 1]"
    want = (ROW_LOSSES * keep * WEIGHTS[CLASSES]).sum() / (keep * WEIGHTS[CLASSES]).sum()
    why = "an ignored row has weight 0, whatever the weight of its class: it counts neither above nor below the line"
    expect(nll(tt, LOGS, CLASSES, WEIGHTS, ignore_index=1), call).equals(want, why=why)
    target = np.array([2, 255, 0, 255, 1], np.int64)
    call = "NLL.apply(a, target, ignore_index=255), target [2 255 0 255 1]"
    with allowed(call, "255 is not out of bounds here: it marks rows to ignore"):
        got = nll(tt, LOGS, target, ignore_index=255)
    keep = np.array([1, 0, 1, 0, 1], np.float32)
    expect(got, call).equals((ROW_LOSSES * keep).sum() / 3, why=why)


@exercise("ClassLoss.forward")
def test_class_loss_of_nothing_is_nan(tt, expect):
    call = "NLL.apply(a, target), all five targets -100"
    why = "the mean of no rows is 0 / 0, nan: there is no honest number for it"
    quiet(expect, call, lambda: nll(tt, LOGS, np.full(5, -100, np.int64)), f32(np.nan), why)
    call = 'NLL.apply(a, target, reduction="sum"), all five targets -100'
    got = nll(tt, LOGS, np.full(5, -100, np.int64), reduction="sum")
    expect(got, call).equals(f32(0.0), why="the sum of no rows is 0")


@exercise("ClassLoss.forward", points=2)
def test_class_loss_out_of_bounds(tt, expect):
    for bad in (3, -1, 7):
        target = np.array([2, 1, bad, 0, 1], np.int64)
        call = f"NLL.apply(a, target), a (5, 3), target [2 1 {bad} 0 1]"
        why = (
            f"there are classes 0, 1 and 2; NumPy would take -1 for the last one. {bad} is an IndexError that names it"
        )
        with expect.raises(IndexError, call, (str(bad),), why):
            nll(tt, LOGS, target)
    call = "NLL.apply(a, target), a (5, 3), target (4,)"
    why = "begin with check_target: it raises for targets that do not fit"
    with expect.raises(ValueError, call, why=why):
        nll(tt, LOGS, CLASSES[:4])
    with expect.raises(RuntimeError, "NLL.apply(a, target, weight=w), w (5,)", why=why):
        nll(tt, LOGS, CLASSES, FIVE)


@exercise("ClassLoss.forward")
def test_class_loss_keeps_the_dtype(tt, expect):
    for name in ("float64", "float32"):
        call = f"NLL.apply(a, target), a of {name}"
        got = nll(tt, LOGS.astype(name), CLASSES)
        expect(got, call).has_dtype(name, why=SAME_DTYPE)


@exercise("ClassLoss.forward")
def test_class_loss_ignores_rows_that_hold_infinities(tt, expect):
    logs, target = LOGS.copy(), np.array([2, -100, 0, -100, 1], np.int64)
    logs[1], logs[3] = -np.inf, np.nan
    want = ROW_LOSSES * f32([1, 0, 1, 0, 1])
    why = "0 * inf is nan: the loss of an ignored row is 0, whatever the row holds. np.where(keep, losses, 0)"
    call = "NLL.apply(a, target{}), target [2 -100 0 -100 1], rows 1 and 3 of a are -inf and nan"
    got, _ = warned(lambda: nll(tt, logs, target, reduction="none"))
    expect(got, call.format(', reduction="none"')).equals(want, why=why)
    got, _ = warned(lambda: nll(tt, logs, target))
    expect(got, call.format("")).equals(want.sum() / 3, why=why)
    logs = f32([[-0.5, -1.0], [-np.inf, 0.0]])
    call = "NLL.apply([[-0.5, -1], [-inf, 0]], [0, 0])"
    why = "only ignored rows are switched off: what was impossible for the model and happened costs inf"
    expect(nll(tt, logs, np.array([0, 0], np.int64)), call).equals(f32(np.inf), why=why)


# nll_loss


@exercise(
    "nll_loss",
    hints=(
        "The arithmetic is done in `ClassLoss.forward`. This function translates arguments and calls the operation.",
        "Two arguments need translating: the old names of the reduction, and weight, which is a tensor or None here, "
        "an array or None there.",
        "`NLL.apply(input, target, weight=..., ignore_index=..., reduction=...)`: all three by keyword, for `apply` "
        "takes what stands before them as the tensors of the operation.",
    ),
)
def test_nll_loss_reductions(tt, expect):
    a, target = tt.tensor(LOGS), tt.tensor(CLASSES)
    call = "F.nll_loss(input, target), input (5, 3), target (5,)"
    with expect.unchanged(a, call), expect.unchanged(target, call):
        got = functional(tt).nll_loss(a, target)
    why = "the mean of minus the logarithms at the classes; return what NLL.apply returns"
    expect(got, call).equals(tt.tensor(ROW_LOSSES.mean()), why=why)
    for reduction, want in (("sum", ROW_LOSSES.sum()), ("none", ROW_LOSSES)):
        call = f'F.nll_loss(input, target, reduction="{reduction}")'
        got = functional(tt).nll_loss(a, target, reduction=reduction)
        expect(got, call).equals(want, why="reduction is handed on to NLL.apply")
    why = 'named_reduction refuses a name that does not exist: "avg" is none of mean, sum, none'
    with expect.raises(ValueError, 'F.nll_loss(input, target, reduction="avg")', ("avg",), why):
        functional(tt).nll_loss(a, target, reduction="avg")


def weights_given(tt, name, call):
    """The weights that the forward of the op `name` gets while `call` runs, one for each time it is called."""
    op, seen = getattr(losses_of(tt), name), []

    def forward(ctx, a, target, weight=None, ignore_index=-100, reduction="mean"):
        seen.append(weight)
        return a.sum()

    op.forward = forward
    try:
        call()
    finally:
        del op.forward
    return seen


@exercise("nll_loss", torch=False)
def test_nll_loss_hands_on_an_array(tt, expect):
    weight = tt.tensor(WEIGHTS)
    input, target = tt.tensor(LOGS), tt.tensor(CLASSES)
    got = weights_given(tt, "NLL", lambda: functional(tt).nll_loss(input, target, weight=weight))
    call = "weight in NLL.forward, called by F.nll_loss(input, target, weight=w)"
    expect(len(got), "number of calls of NLL.forward by F.nll_loss").equals(1, why="the arithmetic is in NLL: apply it")
    why = "an operation takes its options as they are, and forward computes with arrays: hand on weight.array"
    expect(got[0], call).is_instance(np.ndarray, why=why)


@exercise("nll_loss")
def test_nll_loss_weight(tt, expect):
    a, target, w = tt.tensor(LOGS), tt.tensor(CLASSES), tt.tensor(WEIGHTS)
    each = WEIGHTS[CLASSES]
    call = "F.nll_loss(input, target, weight=w), w [0.5, 2, 3]"
    got = functional(tt).nll_loss(a, target, weight=w)
    expect(got, call).equals((ROW_LOSSES * each).sum() / each.sum(), why="weight is handed on to NLL.apply")
    call = "F.nll_loss(input, target, w)"
    got = functional(tt).nll_loss(a, target, w)
    expect(got, call).equals((ROW_LOSSES * each).sum() / each.sum(), why="weight is the third argument")


@exercise("nll_loss")
def test_nll_loss_ignore_index(tt, expect):
    a = tt.tensor(LOGS)
    keep = CLASSES != 1
    call = "F.nll_loss(input, target, ignore_index=1), target [2 1 0 0 1]"
    got = functional(tt).nll_loss(a, tt.tensor(CLASSES), ignore_index=1)
    expect(got, call).equals(ROW_LOSSES[keep].mean(), why="ignore_index is handed on to NLL.apply")
    target = np.array([2, -100, 0, -100, 1], np.int64)
    call = "F.nll_loss(input, target), target [2 -100 0 -100 1]"
    want = ROW_LOSSES[target >= 0].mean()
    expect(functional(tt).nll_loss(a, tt.tensor(target)), call).equals(want, why="-100 is ignored without being told")


@exercise("nll_loss")
def test_nll_loss_old_names(tt, expect):
    a, target = tt.tensor(LOGS), tt.tensor(CLASSES)
    got, _ = warned(lambda: functional(tt).nll_loss(a, target, size_average=False))
    why = "size_average=False is PyTorch's old way to say sum; named_reduction translates it"
    expect(got, "F.nll_loss(input, target, size_average=False)").equals(ROW_LOSSES.sum(), why=why)
    got, _ = warned(lambda: functional(tt).nll_loss(a, target, reduce=False))
    why = "reduce=False is PyTorch's old way to say none; named_reduction translates it"
    expect(got, "F.nll_loss(input, target, reduce=False)").equals(ROW_LOSSES, why=why)


# LogSumExp.forward


def lse(a, axis, keepdims=False):
    """log(sum(exp(a))) in float64."""
    a = np.asarray(a, np.float64)
    largest = a.max(axis=axis, keepdims=True)
    out = np.log(np.exp(a - largest).sum(axis=axis, keepdims=True)) + largest
    return f32(out if keepdims else out.squeeze(axis))


@exercise(
    "LogSumExp.forward",
    points=3,
    hints=(
        "e^1000 does not fit into a float, but log(e^1000) is 1000. Which factor can you take out of the sum?",
        "log(sum of e^a) = m + log(sum of e^(a - m)) for any m. Which m makes every e^(a - m) at most 1?",
        "m is the largest number along dim, with `keepdims=True`, and `initial=-np.inf` for nothing at all. Where m is "
        "not finite, a - m would be inf - inf: use 0 in its place.",
        "Compute with keepdims=True throughout, and `squeeze(dim)` at the end unless keepdim. `np.errstate(divide="
        '"ignore", over="ignore")` around exp and log.',
    ),
)
def test_logsumexp_of_small_numbers(tt, expect):
    for dim in (0, 1, 2):
        call = f"tt.logsumexp(x, dim={dim}), x (2, 3, 5)"
        x = tt.tensor(CUBE)
        with expect.unchanged(x, call):
            got = tt.logsumexp(x, dim=dim)
        expect(got, call).equals(tt.tensor(lse(CUBE, dim)), why="the logarithm of the sum of e^x over this dimension")
    call = "tt.logsumexp(x, dim=1, keepdim=True), x (2, 3, 5)"
    got = tt.logsumexp(tt.tensor(CUBE), dim=1, keepdim=True)
    expect(got, call).equals(lse(CUBE, 1, True), why="keepdim leaves the reduced dimension with size 1")
    call = "tt.logsumexp(x, dim=(0, 2)), x (2, 3, 5)"
    got = tt.logsumexp(tt.tensor(CUBE), dim=(0, 2))
    expect(got, call).equals(lse(CUBE, (0, 2)), why="several dimensions are reduced at once")


@exercise("LogSumExp.forward", points=2)
def test_logsumexp_of_large_numbers(tt, expect):
    x = f32([[1000.0, 1000.0, 999.0], [-1000.0, -1001.0, -1000.0], [90.0, -90.0, 0.0]])
    call = "tt.logsumexp(x, dim=1), x [[1000, 1000, 999], [-1000, -1001, -1000], [90, -90, 0]]"
    why = (
        "e^1000 is inf and e^-1000 is 0: subtract the largest number of each row, not of everything; add it at the end"
    )
    quiet(expect, call, lambda: tt.logsumexp(tt.tensor(x), dim=1), lse(x, 1), why)
    x = f32([[-1000.0, 500.0], [-1002.0, 501.0]])
    call = "tt.logsumexp(x, dim=0), x [[-1000, 500], [-1002, 501]]"
    why = "the largest number of each column, not of everything: 501 would make e^(-1000 - 501) zero"
    expect(tt.logsumexp(tt.tensor(x), dim=0), call).equals(lse(x, 0), why=why)


@exercise("LogSumExp.forward")
def test_logsumexp_of_infinities(tt, expect):
    inf = np.inf
    x = f32([[-inf, 1.5, 0.5], [-inf, -inf, -inf], [inf, 2.0, -inf]])
    call = "tt.logsumexp(x, dim=1), x [[-inf, 1.5, 0.5], [-inf, -inf, -inf], [inf, 2, -inf]]"
    why = "-inf - (-inf) is nan: where the largest number is not finite, subtract 0"
    want = f32([np.log(np.exp(1.5) + np.exp(0.5)), -inf, inf])
    quiet(expect, call, lambda: tt.logsumexp(tt.tensor(x), dim=1), want, why)


@exercise("LogSumExp.forward")
def test_logsumexp_of_ints_and_numbers(tt, expect):
    call = "tt.logsumexp(tt.tensor([1, 2, 4]), dim=0)"
    got = tt.logsumexp(tt.tensor([1, 2, 4]), dim=0)
    expect(got, call).equals(tt.tensor(lse([1, 2, 4], 0)), why="ints have become float32 before forward")
    call = "tt.logsumexp(tt.tensor(2.5), dim=0)"
    why = "a number has no dimensions; its only term is itself, so the result is 2.5"
    with allowed(call, why):
        got = tt.logsumexp(tt.tensor(2.5), dim=0)
    expect(got, call).equals(f32(2.5), why=why)
    call = "tt.logsumexp(tt.zeros(2, 0), dim=1)"
    why = "the sum of nothing is 0, and its logarithm -inf"
    quiet(expect, call, lambda: tt.logsumexp(tt.zeros(2, 0), dim=1), f32([-np.inf, -np.inf]), why)


@exercise("LogSumExp.forward")
def test_logsumexp_keeps_the_dtype(tt, expect):
    for name in ("float16", "float64"):
        x = np.array([[-3.0, 4.0, 5.5], [200.0, -6.5, 7.0]]).astype(name)
        call = f"tt.logsumexp(x, dim=1), x of {name}"
        got = tt.logsumexp(tt.tensor(x), dim=1)
        expect(got, call).has_dtype(name, why="the dtype of the result is that of x")


# CrossEntropy.rows_loss


def cross_entropy_rows(tt, a, target, weight=None, reduction="none", ignore_index=-100):
    """The op CrossEntropy, which calls rows_loss; PyTorch's cross_entropy of classes is the same."""
    a, target, weight = tt.tensor(a), tt.tensor(target), None if weight is None else tt.tensor(weight)
    options = {"ignore_index": ignore_index, "reduction": reduction}
    if is_torch(tt):
        return functional(tt).cross_entropy(a, target, weight, **options)
    weight = None if weight is None else weight.array
    return losses_of(tt).CrossEntropy.apply(a, target, weight=weight, **options)


@exercise(
    "CrossEntropy.rows_loss",
    points=3,
    hints=(
        "-log(softmax(a))[class] = log(sum of e^a) - a[class]. What may be subtracted from all numbers of a row, and "
        "does not change it?",
        "`below_largest(rows, 1)` of module 02 gives a - max(a) in new memory. Both terms can be made of it.",
        "Take the numbers at the classes out before `np.exp(below, out=below)` overwrites them; keep the result as "
        "`ctx.exp`.",
        "ctx.total is the sum of ctx.exp over axis 1, of shape (n,). The loss is `np.log(ctx.total)` minus what "
        "you took out, times `ctx.weights`.",
    ),
)
def test_cross_entropy_rows_of_small_logits(tt, expect):
    call = 'CrossEntropy.apply(logits, target, reduction="none"), logits (5, 3), target [2 1 0 0 1]'
    why = "log(sum of e^a) - a[class], for each row: positive, and small where the truth has the largest logit"
    if not is_torch(tt):
        rows = node(tt, "CrossEntropy", CLASSES, np.ones(5, np.float32)).rows_loss(LOGITS.copy())
        one = "one loss for each row, (5,): np.log(ctx.total) and the numbers at the classes both have this shape"
        expect(rows, "CrossEntropy.rows_loss(ctx, rows), rows (5, 3)").has_shape((5,), why=one)
        raised = np.exp(LOGITS - LOGITS.max(axis=1, keepdims=True))
        if np.allclose(rows, np.log(raised.sum(axis=1)) - raised[np.arange(5), CLASSES]):
            why = (
                "below was overwritten: after np.exp(below, out=below) it holds exponentials. Take the numbers at the "
                "classes out before"
            )
    expect(cross_entropy_rows(tt, LOGITS, CLASSES), call).equals(ROW_LOSSES, why=why)
    call = 'CrossEntropy.apply(logits, target, reduction="mean")'
    got = cross_entropy_rows(tt, LOGITS, CLASSES, reduction="mean")
    expect(got, call).equals(ROW_LOSSES.mean(), why="the mean over the rows, by ClassLoss.forward")


@exercise("CrossEntropy.rows_loss", points=2)
def test_cross_entropy_rows_of_large_logits(tt, expect):
    x = f32([[1000.0, -1000.0, 0.0], [-2000.0, 1000.0, 1000.0], [88.0, 120.0, -90.0]])
    target = np.array([1, 2, 0], np.int64)
    call = "CrossEntropy.apply(logits, target), logits [[1000, -1000, 0], [-2000, 1000, 1000], [88, 120, -90]], [1 2 0]"
    why = "e^1000 is inf, and log(0) is -inf: below_largest first, and never the logarithm of a softmax"
    quiet(expect, call, lambda: cross_entropy_rows(tt, x, target), f32([2000.0, np.log(2), 32.0]), why)


@exercise("CrossEntropy.rows_loss")
def test_cross_entropy_rows_weighted(tt, expect):
    call = "CrossEntropy.apply(logits, target, weight=[0.5, 2, 3])"
    why = "the loss of each row times ctx.weights, which holds the weight of its class, and 0 for ignored rows"
    want = ROW_LOSSES * WEIGHTS[CLASSES]
    expect(cross_entropy_rows(tt, LOGITS, CLASSES, WEIGHTS), call).equals(want, why=why)
    call = "CrossEntropy.apply(logits, target, ignore_index=1)"
    want = ROW_LOSSES * (CLASSES != 1)
    expect(cross_entropy_rows(tt, LOGITS, CLASSES, ignore_index=1), call).equals(want, why=why)


@exercise("CrossEntropy.rows_loss", torch=False)
def test_cross_entropy_rows_remembers(tt, expect):
    ctx = node(tt, "CrossEntropy", CLASSES, np.ones(5, np.float32))
    got = ctx.rows_loss(LOGITS)
    expect(got, "CrossEntropy.rows_loss(ctx, rows)").is_instance(np.ndarray, why="below tensors: arrays in, arrays out")
    below = np.exp(LOGITS - LOGITS.max(axis=1, keepdims=True))
    why = "module 06 makes the softmax of it: e^(a - largest of its row), for all classes"
    expect(getattr(ctx, "exp", None), "ctx.exp after rows_loss").equals(below, why=why)
    why = "the sum of ctx.exp over the classes, one for each row"
    expect(getattr(ctx, "total", None), "ctx.total after rows_loss").equals(below.sum(axis=1), why=why)


@exercise("CrossEntropy.rows_loss", torch=False)
def test_cross_entropy_rows_leaves_the_logits(tt, expect):
    ctx = node(tt, "CrossEntropy", CLASSES, np.ones(5, np.float32))
    rows = LOGITS.copy()
    call = "CrossEntropy.rows_loss(ctx, rows)"
    with expect.unchanged(rows, call, why="the logits belong to the model: work in the memory of below_largest"):
        ctx.rows_loss(rows)
    with expect.raises(NotImplementedError, "CrossEntropy.rows_loss(ctx, rows), rows of int64", ("cross_entropy",),
                       "logits are floats; floats(rows, \"cross_entropy\") says so"):  # fmt: skip
        ctx.rows_loss(np.arange(15).reshape(5, 3))


# over_classes


def spread_over(tt, logs, weight=None):
    """over_classes; in PyTorch, minus the sum over classes is cross_entropy with probabilities, from its parts."""
    logs, weight = tt.tensor(logs), None if weight is None else tt.tensor(weight)
    if not is_torch(tt):
        return losses_of(tt).over_classes(logs, weight)
    ones = tt.ones(logs.shape)
    return functional(tt).cross_entropy(logs, ones, weight, reduction="none")


@exercise(
    "over_classes",
    points=2,
    hints=(
        "Which dimension holds the classes, for (N, C), for (N, C, d), for (C,)?",
        "It is dimension 1, or 0 when there is only one: `min(logs.ndim - 1, 1)`.",
        "Weights (C,) broadcast against the last dimension. For (N, C, d) they need the shape (C, 1): as many ones as "
        "there are dimensions behind the classes.",
        "`weight.reshape(-1, *[1] * n)` appends n ones. Multiply, `sum(dim)`, and do not forget the minus.",
    ),
)
def test_over_classes_sums_dimension_one(tt, expect):
    for a, dim in ((LOGS, 1), (CUBE_LOGS, 1), (LOGS[1], 0)):
        call = f"over_classes(logs, None), logs {a.shape}"
        why = f"minus the sum over the classes, which are dimension {dim}"
        expect(spread_over(tt, a), call).equals(-a.sum(axis=dim), why=why, rtol=1e-4)


@exercise("over_classes")
def test_over_classes_weights(tt, expect):
    call = "over_classes(logs, weight), logs {}, weight (3,)"
    why = "each class's logarithm times the weight of the class"
    expect(spread_over(tt, LOGS, WEIGHTS), call.format((5, 3))).equals(
        -(LOGS * WEIGHTS).sum(axis=1), why=why, rtol=1e-4
    )
    expect(spread_over(tt, LOGS[3], WEIGHTS), call.format((3,))).equals(-(LOGS[3] * WEIGHTS).sum(), why=why, rtol=1e-4)
    why = "weights (3,) would meet the last dimension; with shape (3, 1) they meet the classes"
    want = -(CUBE_LOGS * WEIGHTS[:, None]).sum(axis=1)
    with allowed(call.format((2, 3, 5)), why):
        got = spread_over(tt, CUBE_LOGS, WEIGHTS)
    expect(got, call.format((2, 3, 5))).equals(want, why=why, rtol=1e-4)


@exercise("over_classes")
def test_over_classes_square(tt, expect):
    square = log_softmax(np.arange(18, dtype=np.float32).reshape(2, 3, 3) * 5 % 7, 1).astype(np.float32)
    call = "over_classes(logs, weight), logs (2, 3, 3), weight (3,)"
    why = "sizes that happen to be equal hide the mistake: weights belong to dimension 1, not to the last"
    want = -(square * WEIGHTS[:, None]).sum(axis=1)
    expect(spread_over(tt, square, WEIGHTS), call).equals(want, why=why, rtol=1e-4)


@exercise("over_classes", torch=False)
def test_over_classes_leaves_its_input(tt, expect):
    logs, weight = tt.tensor(CUBE_LOGS), tt.tensor(WEIGHTS)
    with expect.unchanged(logs, "over_classes(logs, weight)"), expect.unchanged(weight, "over_classes(logs, weight)"):
        got = losses_of(tt).over_classes(logs, weight)
    expect(got, "over_classes(logs, weight)").is_instance(tt.Tensor, why="made of tensor operations, it is a tensor")


# smoothed_nll


def smooth(tt, logs, target, weight=None, ignore_index=-100, reduction="mean", smoothing=0.25):
    """smoothed_nll; PyTorch has it inside cross_entropy: log_softmax of logarithms of probabilities is no change."""
    logs, target, weight = tt.tensor(logs), tt.tensor(target), None if weight is None else tt.tensor(weight)
    if not is_torch(tt):
        return losses_of(tt).smoothed_nll(logs, target, weight, ignore_index, reduction, smoothing)
    options = {"ignore_index": ignore_index, "reduction": reduction, "label_smoothing": smoothing}
    return functional(tt).cross_entropy(logs, target, weight, **options)


def smooth_by_hand(logs, target, weight, ignore_index=-100, smoothing=0.25):
    """Losses of rows (n, C), and what they count, in float64."""
    logs, weight = logs.astype(np.float64), weight.astype(np.float64)
    keep = target != ignore_index
    index = np.where(keep, target, 0)
    count = weight[index] * keep
    own = -logs[np.arange(len(logs)), index] * count
    spread = -(logs * weight).sum(axis=1) * keep
    return own * (1 - smoothing) + spread * smoothing / logs.shape[1], count


@exercise(
    "smoothed_nll",
    points=3,
    hints=(
        "The target is a mixture: 1 - s of it at the class, s shared by all classes. So is the loss. What are the two "
        "losses?",
        "One is `nll_loss(logs, target, ...)`, reduced. The other is `over_classes(logs, weight)`, 0 where the target "
        "is ignored, reduced in the same way, times s / number of classes.",
        "counts = 1.0 for rows that count and 0.0 for ignored ones: `(target != ignore_index).to(logs.dtype)`. In the "
        "second part, `masked_fill` puts 0 where a row is ignored. For the mean without weights, divide the sum of the "
        "second part by `counts.sum()`.",
        "With weights the mean divides by the weights of the targets: the sum of `counts * weight[...]`. The index "
        "must not be -100, so multiply target by counts (as whole numbers) first.",
    ),
)
def test_smoothed_mixes_two_losses(tt, expect):
    call = 'smoothed_nll(logs, target, None, -100, "{}", 0.25), logs (5, 3)'
    want, _ = smooth_by_hand(LOGS, CLASSES, np.ones(3))
    why = "0.75 of the loss at the class, and 0.25 of the mean of -logs over all 3 classes"
    expect(smooth(tt, LOGS, CLASSES, reduction="none"), call.format("none")).equals(f32(want), why=why)
    why = "the mean of the losses of the 5 rows"
    expect(smooth(tt, LOGS, CLASSES), call.format("mean")).equals(f32(want.mean()), why=why)
    expect(smooth(tt, LOGS, CLASSES, reduction="sum"), call.format("sum")).equals(f32(want.sum()), why="added up")


@exercise("smoothed_nll")
def test_smoothed_extremes(tt, expect):
    call = 'smoothed_nll(logs, target, None, -100, "none", {})'
    why = "with smoothing 1 the target says nothing: all classes are wanted equally, the mean of -logs"
    expect(smooth(tt, LOGS, CLASSES, reduction="none", smoothing=1.0), call.format("1.0")).equals(
        -LOGS.mean(axis=1), why=why
    )
    want, _ = smooth_by_hand(LOGS, CLASSES, np.ones(3), smoothing=0.1)
    why = "0.9 of the loss at the class, and 0.1 of the mean over all classes"
    expect(smooth(tt, LOGS, CLASSES, reduction="none", smoothing=0.1), call.format("0.1")).equals(f32(want), why=why)


@exercise("smoothed_nll", points=2)
def test_smoothed_ignores(tt, expect):
    target = np.array([2, -100, 0, -100, 1], np.int64)
    want, count = smooth_by_hand(LOGS, target, np.ones(3))
    call = 'smoothed_nll(logs, target, None, -100, "{}", 0.25), target [2 -100 0 -100 1]'
    why = "an ignored row counts in neither part, also not in the one that is spread over all classes"
    with allowed(call.format("none"), "-100 marks rows to ignore"):
        got = smooth(tt, LOGS, target, reduction="none")
    expect(got, call.format("none")).equals(f32(want), why=why)
    why = "the mean divides both parts by the 3 rows that count"
    expect(smooth(tt, LOGS, target), call.format("mean")).equals(f32(want.sum() / count.sum()), why=why)
    want, count = smooth_by_hand(LOGS, CLASSES, np.ones(3), ignore_index=1)
    call = 'smoothed_nll(logs, target, None, 1, "mean", 0.25), target [2 1 0 0 1]'
    expect(smooth(tt, LOGS, CLASSES, ignore_index=1), call).equals(f32(want.sum() / count.sum()), why=why)


@exercise("smoothed_nll", points=2)
def test_smoothed_weights(tt, expect):
    target = np.array([2, 1, 0, -100, 1], np.int64)
    want, count = smooth_by_hand(LOGS, target, WEIGHTS)
    call = 'smoothed_nll(logs, target, weight, -100, "{}", 0.25), weight [0.5, 2, 3], target [2 1 0 -100 1]'
    why = "at the class by the class's weight, and in the spread part each class by its own"
    expect(smooth(tt, LOGS, target, WEIGHTS, reduction="none"), call.format("none")).equals(f32(want), why=why)
    why = "-100 is not an index into the weights: look up another class for ignored rows, and count it 0 times"
    with allowed(call.format("mean"), why):
        got = smooth(tt, LOGS, target, WEIGHTS)
    why = "both parts of the mean divide by the weights of the targets, 3 + 2 + 0.5 + 2"
    expect(got, call.format("mean")).equals(f32(want.sum() / count.sum()), why=why)
    got = smooth(tt, LOGS, target, WEIGHTS, reduction="sum")
    expect(got, call.format("sum")).equals(f32(want.sum()), why="a sum is divided by nothing")


@exercise("smoothed_nll")
def test_smoothed_more_dimensions(tt, expect):
    rows, targets = np.moveaxis(CUBE_LOGS, 1, -1).reshape(10, 3), GRID.reshape(-1)
    want, count = smooth_by_hand(rows, targets, WEIGHTS)
    call = 'smoothed_nll(logs, target, weight, -100, "{}", 0.25), logs (2, 3, 5), target (2, 5)'
    why = "the number of classes is the size of dimension 1, here 3, not of the last one, 5"
    got = smooth(tt, CUBE_LOGS, GRID, WEIGHTS, reduction="none")
    expect(got, call.format("none")).equals(f32(want.reshape(2, 5)), why=why)
    expect(smooth(tt, CUBE_LOGS, GRID, WEIGHTS), call.format("mean")).equals(f32(want.sum() / count.sum()), why=why)
    want, _ = smooth_by_hand(LOGS[:1], CLASSES[:1], WEIGHTS)
    call = 'smoothed_nll(logs, target, weight, -100, "none", 0.25), logs (3,), target ()'
    why = "a row without a batch: its only dimension holds the 3 classes"
    got = smooth(tt, LOGS[0], CLASSES[0], WEIGHTS, reduction="none")
    expect(got, call).equals(f32(want[0]), why=why)


@exercise("smoothed_nll")
def test_smoothed_ignores_infinities(tt, expect):
    logs, target = LOGS.copy(), np.array([2, -100, 0, 1, 1], np.int64)
    logs[1] = f32([-np.inf, 0.0, -np.inf])
    want, count = smooth_by_hand(LOGS, target, np.ones(3))
    call = 'smoothed_nll(logs, target, None, -100, "{}", 0.25), target [2 -100 0 1 1], logs[1] = [-inf, 0, -inf]'
    why = "0 * inf is nan: put a 0 in place of an ignored row, `masked_fill(target == ignore_index, 0.0)`"
    got, _ = warned(lambda: smooth(tt, logs, target, reduction="none"))
    expect(got, call.format("none")).equals(f32(want), why=why)
    got, _ = warned(lambda: smooth(tt, logs, target))
    expect(got, call.format("mean")).equals(f32(want.sum() / count.sum()), why=why)


# cross_entropy


def cross(tt, a, target, weight=None, **options):
    """F.cross_entropy of arrays."""
    weight = None if weight is None else tt.tensor(weight)
    return functional(tt).cross_entropy(tt.tensor(a), tt.tensor(target), weight=weight, **options)


MIX = f32([[0.7, 0.2, 0.1], [0.0, 1.0, 0.0], [0.3, 0.3, 0.4], [0.6, 0.1, 0.3], [0.25, 0.25, 0.5]])  # (5, 3)
CUBE_MIX = np.exp(log_softmax(CUBE[::-1, :, ::-1] / 2, 1)).astype(np.float32)  # (2, 3, 5)


@exercise(
    "cross_entropy",
    points=3,
    hints=(
        "There are three cases: probabilities, classes with smoothing, classes without. How can you tell the first?",
        "Targets are probabilities if they have input's shape and are floats. Checks of arguments come before that.",
        "Probabilities: -sum over classes of target * log_softmax(input), weighted: `over_classes` of a product. With "
        "smoothing the target becomes `target * (1 - s) + s / classes` first.",
        "Classes: `smoothed_nll` of `log_softmax(input, dim)` with smoothing, `CrossEntropy.apply(input, target, "
        "weight=..., ignore_index=..., reduction=...)` without; that one wants the array of weight, or None.",
    ),
)
def test_cross_entropy_of_classes(tt, expect):
    a, target = tt.tensor(LOGITS), tt.tensor(CLASSES)
    call = "F.cross_entropy(input, target), input (5, 3), target (5,)"
    with expect.unchanged(a, call), expect.unchanged(target, call):
        got = functional(tt).cross_entropy(a, target)
    expect(got, call).equals(tt.tensor(ROW_LOSSES.mean()), why="the mean of -log(softmax(input)) at the classes")
    for reduction, want in (("sum", ROW_LOSSES.sum()), ("none", ROW_LOSSES)):
        call = f'F.cross_entropy(input, target, reduction="{reduction}")'
        expect(cross(tt, LOGITS, CLASSES, reduction=reduction), call).equals(want, why="reduction is handed on")
    call = "F.cross_entropy(input, target, weight=w), w [0.5, 2, 3]"
    each = WEIGHTS[CLASSES]
    got = cross(tt, LOGITS, CLASSES, WEIGHTS)
    expect(got, call).equals((ROW_LOSSES * each).sum() / each.sum(), why="weight is handed on, as an array")
    call = "F.cross_entropy(input, target, ignore_index=1)"
    keep = CLASSES != 1
    got = cross(tt, LOGITS, CLASSES, ignore_index=1)
    expect(got, call).equals(ROW_LOSSES[keep].mean(), why="ignore_index is handed on")


@exercise("cross_entropy")
def test_cross_entropy_more_dimensions_and_large_logits(tt, expect):
    call = "F.cross_entropy(input, target), input (2, 3, 5), target (2, 5)"
    expect(cross(tt, CUBE, GRID), call).equals(CUBE_LOSSES.mean(), why="dimension 1 holds the classes")
    call = "F.cross_entropy(tensor([[1000, -1000, 0]]), tensor([1]))"
    why = "a model that is sure and wrong has a large loss, and a finite one"
    expect(cross(tt, f32([[1000.0, -1000.0, 0.0]]), np.array([1], np.int64)), call).equals(f32(2000.0), why=why)


@exercise("cross_entropy", points=2)
def test_cross_entropy_of_probabilities(tt, expect):
    losses = -(LOGS * MIX).sum(axis=1)
    call = "F.cross_entropy(input, target{}), both (5, 3), target float"
    why = "floats of input's shape are probabilities: minus their products with log_softmax, summed over the classes"
    with allowed(call.format(""), why):
        got = cross(tt, LOGITS, MIX, reduction="none")
    expect(got, call.format(', reduction="none"')).equals(losses, why=why)
    why = "the mean divides by the number of rows, 5, not by that of the elements, 15"
    expect(cross(tt, LOGITS, MIX), call.format("")).equals(losses.mean(), why=why)
    why = "weights belong to classes; with probabilities the mean still divides by the number of rows"
    want = -(LOGS * MIX * WEIGHTS).sum(axis=1).mean()
    expect(cross(tt, LOGITS, MIX, WEIGHTS), call.format(", weight=w")).equals(want, why=why)
    call = "F.cross_entropy(input, target), both (2, 3, 5)"
    want = -(CUBE_LOGS * CUBE_MIX).sum(axis=1).mean()
    expect(cross(tt, CUBE, CUBE_MIX), call).equals(want, why="dimension 1 holds the classes here too")
    call = "F.cross_entropy(input, target), both (3,)"
    expect(cross(tt, LOGITS[0], MIX[0]), call).equals(losses[0], why="one row: its only dimension holds the classes")


@exercise("cross_entropy", points=2)
def test_cross_entropy_smoothed_classes(tt, expect):
    want, count = smooth_by_hand(LOGS, CLASSES, WEIGHTS, smoothing=0.2)
    call = "F.cross_entropy(input, target, weight=w, label_smoothing=0.2), target of classes"
    why = "0.8 of the loss at the class and 0.2 spread over all classes: smoothed_nll of log_softmax(input)"
    got = cross(tt, LOGITS, CLASSES, WEIGHTS, label_smoothing=0.2)
    expect(got, call).equals(f32(want.sum() / count.sum()), why=why)
    rows, targets = np.moveaxis(CUBE_LOGS, 1, -1).reshape(10, 3), GRID.reshape(-1)
    want, _ = smooth_by_hand(rows, targets, np.ones(3), ignore_index=2, smoothing=0.3)
    call = 'F.cross_entropy(input, target, ignore_index=2, reduction="none", label_smoothing=0.3), input (2, 3, 5)'
    got = cross(tt, CUBE, GRID, ignore_index=2, reduction="none", label_smoothing=0.3)
    expect(got, call).equals(f32(want.reshape(2, 5)), why="the softmax is over dimension 1, the classes")
    call = "F.cross_entropy(input, target, label_smoothing=0.3), input (3,), target ()"
    want, _ = smooth_by_hand(LOGS[:1], CLASSES[:1], np.ones(3), smoothing=0.3)
    expect(cross(tt, LOGITS[0], CLASSES[0], label_smoothing=0.3), call).equals(f32(want[0]), why="one row of classes")


@exercise("cross_entropy")
def test_cross_entropy_smoothed_probabilities(tt, expect):
    call = "F.cross_entropy(input, target, label_smoothing=0.3), both {}"
    why = "0.7 of the target, and 0.3 shared by the 3 classes: target * 0.7 + 0.1"
    want = -(LOGS * (MIX * 0.7 + 0.1)).sum(axis=1).mean()
    expect(cross(tt, LOGITS, MIX, label_smoothing=0.3), call.format((5, 3))).equals(want, why=why)
    want = -(CUBE_LOGS * (CUBE_MIX * 0.7 + 0.1)).sum(axis=1).mean()
    expect(cross(tt, CUBE, CUBE_MIX, label_smoothing=0.3), call.format((2, 3, 5))).equals(want, why=why)
    want = -(LOGS[0] * (MIX[0] * 0.7 + 0.1)).sum()
    expect(cross(tt, LOGITS[0], MIX[0], label_smoothing=0.3), call.format((3,))).equals(want, why=why)
    target = tt.tensor(MIX)
    with expect.unchanged(target, call.format((5, 3)), why="the target belongs to the caller: smooth a new tensor"):
        functional(tt).cross_entropy(tt.tensor(LOGITS), target, label_smoothing=0.3)
    call = "F.cross_entropy(input, target, label_smoothing=1.0), both (5, 3)"
    with allowed(call, "a smoothing from 0 to 1 is fine, both ends included"):
        got = cross(tt, LOGITS, MIX, label_smoothing=1.0)
    expect(got, call).equals(-LOGS.mean(), why="everything is spread: 1 / 3 for each class")


@exercise("cross_entropy")
def test_cross_entropy_refuses(tt, expect):
    for smoothing in (1.5,) if is_torch(tt) else (-0.1, 1.5):  # PyTorch lets a negative one pass
        for target, kind in ((CLASSES, "classes"), (MIX, "probabilities")):
            call = f"F.cross_entropy(input, target, label_smoothing={smoothing}), target of {kind}"
            why = "a share lies between 0 and 1; check it before the cases part, for it holds in all of them"
            with expect.raises(RuntimeError, call, why=why):
                cross(tt, LOGITS, target, label_smoothing=smoothing)
            why = "the message names the share that came, or nobody knows which number is meant"
            with expect.raises(RuntimeError, call, (str(smoothing),), why):
                cross(tt, LOGITS, target, label_smoothing=smoothing)
    call = "F.cross_entropy(input, target, ignore_index={}), target of probabilities"
    for index in (0, 1):
        why = "probabilities have no class to ignore; from 0 on, ignore_index is a mistake there"
        with expect.raises(RuntimeError, call.format(index), why=why):
            cross(tt, LOGITS, MIX, ignore_index=index)
        why = "the message says which argument does not fit: ignore_index"
        with expect.raises(RuntimeError, call.format(index), ("ignore_index",), why):
            cross(tt, LOGITS, MIX, ignore_index=index)
    call = "F.cross_entropy(input, target), both (3, 3), target of int64"
    why = "ints are classes, whatever their shape; a table of them does not fit"
    with expect.raises(RuntimeError, call, why=why):
        cross(tt, LOGITS[:3], np.array([[0, 1, 2], [2, 1, 0], [1, 1, 0]], np.int64))
    with expect.raises(ValueError, 'F.cross_entropy(input, target, reduction="avg")', ("avg",), "no such reduction"):
        cross(tt, LOGITS, CLASSES, reduction="avg")
    got, _ = warned(lambda: cross(tt, LOGITS, CLASSES, size_average=False))
    call = "F.cross_entropy(input, target, size_average=False)"
    expect(got, call).equals(ROW_LOSSES.sum(), why="the old way to say sum: named_reduction translates it")
    got, _ = warned(lambda: cross(tt, LOGITS, CLASSES, reduce=False))
    call = "F.cross_entropy(input, target, reduce=False)"
    expect(got, call).equals(ROW_LOSSES, why="the old way to say none: named_reduction translates it")


@exercise("cross_entropy", torch=False)
def test_cross_entropy_hands_on_an_array(tt, expect):
    input, target, weight = tt.tensor(LOGITS), tt.tensor(CLASSES), tt.tensor(WEIGHTS)
    call = "weight in CrossEntropy.forward, called by F.cross_entropy(input, target, weight=w)"
    for got in weights_given(tt, "CrossEntropy", lambda: functional(tt).cross_entropy(input, target, weight)):
        why = "CrossEntropy.apply takes options as they are, and forward computes with arrays: hand on weight.array"
        expect(got, call).is_instance(np.ndarray, why=why)


# Loss.__init__


@exercise(
    "Loss.__init__",
    hints=(
        "`FunctionModule.__init__` keeps whatever it gets by keyword. What must be among it, beside the options?",
        "reduction is one of the options: `super().__init__(reduction=..., **options)`.",
        "Where `size_average` or `reduce` is not None, `F.named_reduction(reduction, size_average, reduce)` is the "
        "name to keep; otherwise reduction itself, whatever it is: the function will judge it when it is called.",
    ),
)
def test_loss_keeps_the_reduction(tt, expect):
    a, b = tt.tensor(TABLE), tt.tensor(OTHER)
    squares = (TABLE - OTHER) ** 2
    for reduction, want in (("mean", squares.mean()), ("sum", squares.sum()), ("none", squares)):
        module = tt.nn.MSELoss(reduction=reduction)
        why = "the module keeps reduction as an attribute: hand it to super().__init__ by that name"
        expect(getattr(module, "reduction", None), f'nn.MSELoss(reduction="{reduction}").reduction').equals(
            reduction, why=why
        )
        why = "reduction reaches F.mse_loss, since it is one of the options that FunctionModule keeps"
        expect(module(a, b), f'nn.MSELoss(reduction="{reduction}")(input, target)').equals(want, why=why)
    expect(tt.nn.MSELoss()(a, b), "nn.MSELoss()(input, target)").equals(squares.mean(), why="the mean is the default")


@exercise("Loss.__init__")
def test_loss_translates_old_names(tt, expect):
    for name, want in (("size_average", "sum"), ("reduce", "none")):
        module, texts = warned(lambda name=name: tt.nn.MSELoss(**{name: False}))
        why = f"{name}=False is PyTorch's old way to say {want}; F.named_reduction translates it"
        expect(getattr(module, "reduction", None), f"nn.MSELoss({name}=False).reduction").equals(want, why=why)
        why = "named_reduction warns where an old name is used, once"
        expect(len(texts), f"number of warnings of nn.MSELoss({name}=False)").equals(1, why=why)
    module, texts = warned(lambda: tt.nn.MSELoss(reduction="sum"))
    expect(texts, 'warnings of nn.MSELoss(reduction="sum")').equals([], why="nothing old about it")


@exercise("Loss.__init__")
def test_loss_keeps_options(tt, expect):
    module = tt.nn.HuberLoss(reduction="sum", delta=2.0)
    why = "the options are handed on to super().__init__ as keywords: **options"
    with allowed("nn.HuberLoss(delta=2.0)(input, target)", why):
        got = module(tt.tensor(f32([1.0, 5.0])), tt.tensor(f32([0.0, 0.0])))
    expect(getattr(module, "delta", None), "nn.HuberLoss(delta=2.0).delta").equals(2.0, why=why)
    expect(got, 'nn.HuberLoss(reduction="sum", delta=2.0)([1, 5], [0, 0])').equals(f32(8.5), why=why)
    module = tt.nn.NLLLoss(weight=tt.tensor(WEIGHTS))
    why = "an option named weight becomes a buffer in FunctionModule.__init__: hand it on like the others"
    expect(list(module.state_dict()), "list(nn.NLLLoss(weight=w).state_dict())").equals(["weight"], why=why)
    each = WEIGHTS[CLASSES]
    got = module(tt.tensor(LOGS), tt.tensor(CLASSES))
    want = (ROW_LOSSES * each).sum() / each.sum()
    expect(got, "nn.NLLLoss(weight=w)(input, target)").equals(want, why="the buffer reaches F.nll_loss")


@exercise("Loss.__init__")
def test_loss_leaves_the_name_to_the_function(tt, expect):
    why = 'F.kl_div knows a reduction of its own, "batchmean": keep the name as it is, and let the function judge it'
    with allowed('nn.KLDivLoss(reduction="batchmean")', why):
        module = tt.nn.KLDivLoss(reduction="batchmean")
    expect(module.reduction, 'nn.KLDivLoss(reduction="batchmean").reduction').equals("batchmean", why=why)
    call = 'nn.MSELoss(reduction="avg")(input, target)'
    with expect.raises(ValueError, call, ("avg",), "F.mse_loss refuses a name that it does not know"):
        tt.nn.MSELoss(reduction="avg")(tt.tensor(TABLE), tt.tensor(OTHER))


# CrossEntropyLoss.__init__


@exercise(
    "CrossEntropyLoss.__init__",
    hints=(
        "The module keeps options and calls F.cross_entropy with them. `Loss.__init__` keeps whatever it is given.",
        "`Loss.__init__(size_average, reduce, reduction, **options)`: everything else goes by keyword.",
        "`super().__init__(size_average, reduce, reduction, weight=weight, ...)`, and two more keywords.",
    ),
)
def test_cross_entropy_loss_calls_cross_entropy(tt, expect):
    call = "nn.CrossEntropyLoss()(logits, target)"
    got = tt.nn.CrossEntropyLoss()(tt.tensor(LOGITS), tt.tensor(CLASSES))
    expect(got, call).equals(ROW_LOSSES.mean(), why="without options, the mean over all rows")
    got = tt.nn.CrossEntropyLoss(reduction="sum")(tt.tensor(LOGITS), tt.tensor(CLASSES))
    expect(got, 'nn.CrossEntropyLoss(reduction="sum")(logits, target)').equals(ROW_LOSSES.sum(), why="it is kept")


@exercise("CrossEntropyLoss.__init__")
def test_cross_entropy_loss_keeps_options(tt, expect):
    call = "nn.CrossEntropyLoss(weight=w, ignore_index=1, label_smoothing=0.2)(logits, target)"
    want, count = smooth_by_hand(LOGS, CLASSES, WEIGHTS, ignore_index=1, smoothing=0.2)
    module = tt.nn.CrossEntropyLoss(weight=tt.tensor(WEIGHTS), ignore_index=1, label_smoothing=0.2)
    got = module(tt.tensor(LOGITS), tt.tensor(CLASSES))
    expect(got, call).equals(f32(want.sum() / count.sum()), why="each option reaches F.cross_entropy under its name")
    for name, value in (("ignore_index", 1), ("label_smoothing", 0.2), ("reduction", "mean")):
        why = "options are attributes of the module, as in PyTorch"
        expect(getattr(module, name, None), f"module.{name}").equals(value, why=why)


@exercise("CrossEntropyLoss.__init__")
def test_cross_entropy_loss_weight_is_a_buffer(tt, expect):
    module = tt.nn.CrossEntropyLoss(weight=tt.tensor(WEIGHTS))
    why = "weight moves and is saved with the module, but is not trained: a buffer. Hand it to super().__init__"
    expect(list(module.state_dict()), "list(module.state_dict())").equals(["weight"], why=why)
    expect(len(list(module.parameters())), "len(list(module.parameters()))").equals(0, why=why)
    why = "without weights there is nothing to save"
    expect(list(tt.nn.CrossEntropyLoss().state_dict()), "list(nn.CrossEntropyLoss().state_dict())").equals([], why=why)


@exercise("CrossEntropyLoss.__init__")
def test_cross_entropy_loss_order_of_arguments(tt, expect):
    module, _ = warned(lambda: tt.nn.CrossEntropyLoss(tt.tensor(WEIGHTS), None, 1, None, "sum", 0.2))
    want, _ = smooth_by_hand(LOGS, CLASSES, WEIGHTS, ignore_index=1, smoothing=0.2)
    call = 'nn.CrossEntropyLoss(w, None, 1, None, "sum", 0.2)(logits, target)'
    got = module(tt.tensor(LOGITS), tt.tensor(CLASSES))
    expect(got, call).equals(
        f32(want.sum()), why="the order is weight, size_average, ignore_index, reduce, reduction, ..."
    )
    module, _ = warned(lambda: tt.nn.CrossEntropyLoss(size_average=False))
    why = "size_average=False is PyTorch's old way to say sum; hand it to super().__init__"
    expect(module.reduction, "nn.CrossEntropyLoss(size_average=False).reduction").equals("sum", why=why)
    module, _ = warned(lambda: tt.nn.CrossEntropyLoss(reduce=False))
    why = "reduce=False is PyTorch's old way to say none; hand it to super().__init__"
    expect(module.reduction, "nn.CrossEntropyLoss(reduce=False).reduction").equals("none", why=why)


# BinaryCrossEntropy.forward


CHANCES = f32([[0.9, 0.2, 0.65], [0.05, 0.5, 0.35]])  # (2, 3)
TRUTHS = f32([[1.0, 0.0, 0.0], [1.0, 0.25, 1.0]])  # (2, 3)


def bce(tt, a, t, **options):
    """F.binary_cross_entropy of arrays: given, it calls the op and reduces."""
    return functional(tt).binary_cross_entropy(tt.tensor(a), tt.tensor(t), **options)


@exercise(
    "BinaryCrossEntropy.forward",
    points=2,
    hints=(
        "Two classes, so the other one has 1 - a. Which logarithm counts when t is 1, which when t is 0?",
        "-t log(a) - (1 - t) log(1 - a). Where a is 0 or 1, one of the logarithms is -inf, and 0 times it is nan.",
        "`np.maximum(np.log(a), -100)` is never less than -100. `np.log1p(-a)` is log(1 - a), exact for small a.",
        "Check `((a >= 0) & (a <= 1)).all()` first, RuntimeError otherwise, and compute inside "
        '`np.errstate(divide="ignore")`.',
    ),
)
def test_bce_of_probabilities(tt, expect):
    call = 'F.binary_cross_entropy(a, t, reduction="none"), a and t (2, 3)'
    a, t = tt.tensor(CHANCES), tt.tensor(TRUTHS)
    with expect.unchanged(a, call), expect.unchanged(t, call):
        got = functional(tt).binary_cross_entropy(a, t, reduction="none")
    wide, truth = CHANCES.astype(np.float64), TRUTHS.astype(np.float64)
    want = f32(-truth * np.log(wide) - (1 - truth) * np.log(1 - wide))
    why = "-t log(a) - (1 - t) log(1 - a): where t is 1 only the first term counts, where it is 0 only the second"
    expect(got, call).equals(tt.tensor(want), why=why)
    call = "F.binary_cross_entropy(a, t)"
    expect(bce(tt, CHANCES, TRUTHS), call).equals(want.mean(), why="the mean over all elements")


@exercise("BinaryCrossEntropy.forward")
def test_bce_of_certainty(tt, expect):
    a, t = f32([0.0, 1.0, 0.0, 1.0]), f32([0.0, 1.0, 1.0, 0.0])
    call = 'F.binary_cross_entropy([0, 1, 0, 1], [0, 1, 1, 0], reduction="none")'
    why = "log(0) counts as -100: right and sure costs 0 (and not 0 * inf = nan), wrong and sure costs 100"
    quiet(expect, call, lambda: bce(tt, a, t, reduction="none"), f32([0.0, 0.0, 100.0, 100.0]), why)


@exercise("BinaryCrossEntropy.forward")
def test_bce_of_small_probabilities(tt, expect):
    a, t = f32([1e-9, 2e-10]), f32([0.0, 0.0])
    call = 'F.binary_cross_entropy([1e-9, 2e-10], [0, 0], reduction="none")'
    why = "1 - 1e-9 rounds to 1 in float32, and its logarithm to 0; np.log1p(-a) keeps the small number"
    expect(bce(tt, a, t, reduction="none"), call).equals(f32([1e-9, 2e-10]), why=why, rtol=1e-3, atol=0)
    call = 'F.binary_cross_entropy([1e-30], [1], reduction="none")'
    why = "log(1e-30) is -69, and stays: only what is below -100 is cut off"
    expect(bce(tt, f32([1e-30]), f32([1.0]), reduction="none"), call).equals(f32([69.07755]), why=why)


@exercise("BinaryCrossEntropy.forward")
def test_bce_refuses_what_is_no_probability(tt, expect):
    for bad in (-0.25, 1.5, np.nan):
        call = f"F.binary_cross_entropy([0.5, {bad}, 0.25], [1, 0, 1])"
        why = "a probability lies from 0 to 1; these are probably logits, which binary_cross_entropy_with_logits takes"
        if np.isnan(bad):
            why = "nan is no probability: it is not below 0 and not above 1; ask whether all are inside"
        with expect.raises(RuntimeError, call, why=why):
            bce(tt, f32([0.5, bad, 0.25]), f32([1.0, 0.0, 1.0]))


# binary_cross_entropy_with_logits


def by_hand(x, t, pos=1.0):
    """The loss of logits in float64, from log(sigmoid) by logaddexp."""
    x, t = x.astype(np.float64), t.astype(np.float64)
    return f32(pos * t * np.logaddexp(0, -x) + (1 - t) * np.logaddexp(0, x))


def with_logits(tt, x, t, weight=None, pos_weight=None, **options):
    """F.binary_cross_entropy_with_logits of arrays."""
    weight = None if weight is None else tt.tensor(weight)
    pos_weight = None if pos_weight is None else tt.tensor(pos_weight)
    call = functional(tt).binary_cross_entropy_with_logits
    return call(tt.tensor(x), tt.tensor(t), weight, pos_weight=pos_weight, **options)


@exercise(
    "binary_cross_entropy_with_logits",
    points=3,
    hints=(
        "What is -log(sigmoid(x)), and how does -log(1 - sigmoid(x)) differ from it? One of them is a softplus.",
        "-log(sigmoid(x)) = softplus(-x), and -log(1 - sigmoid(x)) = x + softplus(-x). Multiply by t and 1 - t, add.",
        "The sum is (1 - t) x + softplus(-x). With pos_weight p the part of t alone grows: softplus(-x) is then "
        "multiplied by p t + (1 - t).",
        "`_same_size(input, target)` first; then the losses; then times weight if there is one; then `reduce_losses` "
        "without weights, for the mean divides by the number of elements.",
    ),
)
def test_with_logits_agrees_with_probabilities(tt, expect):
    x, t = tt.tensor(TABLE), tt.tensor(TRUTHS)
    call = 'F.binary_cross_entropy_with_logits(x, t, reduction="none"), both (2, 3)'
    why = "-t log(sigmoid(x)) - (1 - t) log(1 - sigmoid(x))"
    with expect.unchanged(x, call), expect.unchanged(t, call):
        got = functional(tt).binary_cross_entropy_with_logits(x, t, reduction="none")
    expect(got, call).equals(tt.tensor(by_hand(TABLE, TRUTHS)), why=why)
    call = "F.binary_cross_entropy_with_logits(x, t)"
    expect(with_logits(tt, TABLE, TRUTHS), call).equals(by_hand(TABLE, TRUTHS).mean(), why="the mean of all elements")
    call = 'F.binary_cross_entropy_with_logits(x, t, reduction="sum")'
    expect(with_logits(tt, TABLE, TRUTHS, reduction="sum"), call).equals(by_hand(TABLE, TRUTHS).sum(), why="the sum")


@exercise("binary_cross_entropy_with_logits", points=2)
def test_with_logits_of_large_logits(tt, expect):
    x, t = f32([1000.0, -1000.0, 1000.0, -1000.0, 40.0]), f32([1.0, 0.0, 0.0, 1.0, 0.0])
    call = 'F.binary_cross_entropy_with_logits([1000, -1000, 1000, -1000, 40], [1, 0, 0, 1, 0], reduction="none")'
    why = "no sigmoid first: it rounds to 0 or 1, and the logarithm is lost. softplus(-x) is right for every x"
    want = f32([0.0, 0.0, 1000.0, 1000.0, 40.0])
    quiet(expect, call, lambda: with_logits(tt, x, t, reduction="none"), want, why)


@exercise("binary_cross_entropy_with_logits")
def test_with_logits_weight(tt, expect):
    losses = by_hand(TABLE, TRUTHS)
    call = "F.binary_cross_entropy_with_logits(x, t, weight=w), all (2, 3)"
    why = "weighted losses divided by their number, 6, and not by the sum of the weights: PyTorch's rule in this loss"
    expect(with_logits(tt, TABLE, TRUTHS, SHARES), call).equals((losses * SHARES).mean(), why=why)
    call = "F.binary_cross_entropy_with_logits(x, t, weight=w), w (3,)"
    with allowed(call, "these weights broadcast"):
        got = with_logits(tt, TABLE, TRUTHS, WEIGHTS)
    expect(got, call).equals((losses * WEIGHTS).mean(), why="weights broadcast against the losses")


@exercise("binary_cross_entropy_with_logits", points=2)
def test_with_logits_pos_weight(tt, expect):
    call = 'F.binary_cross_entropy_with_logits(x, t, pos_weight=p, reduction="none"), p [0.5, 2, 3]'
    why = "pos_weight multiplies the part of t, -log(sigmoid(x)), and leaves the part of 1 - t alone"
    got = with_logits(tt, TABLE, TRUTHS, pos_weight=WEIGHTS, reduction="none")
    expect(got, call).equals(by_hand(TABLE, TRUTHS, WEIGHTS), why=why)
    call = "F.binary_cross_entropy_with_logits(x, t, weight=w, pos_weight=p)"
    got = with_logits(tt, TABLE, TRUTHS, SHARES, WEIGHTS)
    expect(got, call).equals((by_hand(TABLE, TRUTHS, WEIGHTS) * SHARES).mean(), why="both kinds of weights, together")


@exercise("binary_cross_entropy_with_logits")
def test_with_logits_arguments(tt, expect):
    call = "F.binary_cross_entropy_with_logits(x, t), x (3, 1), t (3,)"
    why = "no warning here but an error: shapes must be equal. _same_size says so"
    with expect.raises(ValueError, call, why=why):
        with_logits(tt, f32([[1.0], [2.0], [3.0]]), f32([1.0, 0.0, 1.0]))
    for name, want in (("size_average", by_hand(TABLE, TRUTHS).sum()), ("reduce", by_hand(TABLE, TRUTHS))):
        got, _ = warned(lambda name=name: with_logits(tt, TABLE, TRUTHS, **{name: False}))
        call = f"F.binary_cross_entropy_with_logits(x, t, {name}=False)"
        expect(got, call).equals(want, why="an old way to say sum or none: named_reduction translates it")


# kl_div


P = f32([[0.5, 0.25, 0.25], [0.125, 0.75, 0.125]])  # (2, 3), the truth
Q = f32([[0.2, 0.5, 0.3], [0.6, 0.3, 0.1]])  # (2, 3), the model


def kl(tt, q, p, **options):
    """F.kl_div of arrays."""
    return functional(tt).kl_div(tt.tensor(q), tt.tensor(p), **options)


@exercise(
    "kl_div",
    points=2,
    hints=(
        "The formula is in the docstring: target * (log(target) - input). For which target does it go wrong?",
        "0 log(0) is 0, but a computer says 0 * -inf = nan. What may stand inside the logarithm where target is 0?",
        "`target.masked_fill(target == 0, 1.0)` puts a 1 there, whose logarithm is 0.",
        "With log_target the target is already a logarithm: `target.exp() * (target - input)`. `named_reduction` does "
        'not know "batchmean": ask it only about the others.',
    ),
)
def test_kl_of_probabilities(tt, expect):
    q, p = tt.tensor(np.log(Q)), tt.tensor(P)
    call = 'F.kl_div(log_q, p, reduction="{}"), both (2, 3)'
    with expect.unchanged(q, call.format("none")), expect.unchanged(p, call.format("none")):
        got = functional(tt).kl_div(q, p, reduction="none")
    want = P * (np.log(P) - np.log(Q))
    why = "p (log p - log q) for each class; input comes first and is a logarithm already"
    expect(got, call.format("none")).equals(tt.tensor(want), why=why)
    why = 'named_reduction does not know "batchmean", which only this loss has: leave that name to reduce_losses'
    with allowed(call.format("batchmean"), why):
        got = kl(tt, np.log(Q), P, reduction="batchmean")
    why = "the sum divided by the 2 rows: the divergence of one row, on average"
    expect(got, call.format("batchmean")).equals(f32(want.sum() / 2), why=why)
    expect(kl(tt, np.log(Q), P, reduction="sum"), call.format("sum")).equals(f32(want.sum()), why="added up")


@exercise("kl_div")
def test_kl_where_the_truth_is_zero(tt, expect):
    p = f32([[0.0, 1.0, 0.0], [0.5, 0.0, 0.5]])
    call = 'F.kl_div(log_q, p, reduction="none"), p [[0, 1, 0], [0.5, 0, 0.5]]'
    want = np.where(p > 0, p * (np.log(np.where(p > 0, p, 1)) - np.log(Q)), 0)
    why = "0 log(0) is 0 here: what never happens costs nothing. 0 * -inf would be nan"
    target = tt.tensor(p)
    with expect.unchanged(target, call, why="put the ones into a new tensor: masked_fill, not masked_fill_"):
        warned(lambda: functional(tt).kl_div(tt.tensor(np.log(Q)), target, reduction="none"))
    quiet(expect, call, lambda: kl(tt, np.log(Q), p, reduction="none"), f32(want), why)


@exercise("kl_div")
def test_kl_of_logarithms(tt, expect):
    call = 'F.kl_div(log_q, log_p, reduction="{}", log_target=True)'
    want = P * (np.log(P) - np.log(Q))
    why = "with log_target, e^target is the probability, and target its logarithm"
    got = kl(tt, np.log(Q), np.log(P), reduction="none", log_target=True)
    expect(got, call.format("none")).equals(want, why=why)
    got = kl(tt, np.log(Q), np.log(P), reduction="batchmean", log_target=True)
    expect(got, call.format("batchmean")).equals(f32(want.sum() / 2), why="the sum divided by the 2 rows")


@exercise("kl_div")
def test_kl_of_equals_is_zero_and_not_symmetric(tt, expect):
    call = 'F.kl_div(log(p), p, reduction="batchmean")'
    got = kl(tt, np.log(P), P, reduction="batchmean")
    expect(got, call).equals(f32(0.0), why="no divergence between equals")
    one = kl(tt, np.log(Q[:1]), P[:1], reduction="sum")
    call = 'F.kl_div(log_q, p, reduction="sum"), one row'
    why = "p (log p - log q), with the truth p in front; exchanging p and q gives another number"
    expect(one, call).equals(f32((P[0] * np.log(P[0] / Q[0])).sum()), why=why)


@exercise("kl_div")
def test_kl_reductions(tt, expect):
    want = P * (np.log(P) - np.log(Q))
    got, _ = warned(lambda: kl(tt, np.log(Q), P))
    why = '"mean" divides by all 6 elements; "batchmean" is the divergence'
    expect(got, "F.kl_div(log_q, p)").equals(f32(want.mean()), why=why)
    why = 'named_reduction refuses a name that does not exist; only "batchmean", which it does not know, passes by it'
    with expect.raises(ValueError, 'F.kl_div(log_q, p, reduction="avg")', ("avg",), why):
        kl(tt, np.log(Q), P, reduction="avg")
    for name, value in (("size_average", want.sum()), ("reduce", want)):
        got, _ = warned(lambda name=name: kl(tt, np.log(Q), P, **{name: False}))
        call = f"F.kl_div(log_q, p, {name}=False)"
        expect(got, call).equals(value, why="an old way to say sum or none: named_reduction translates it")

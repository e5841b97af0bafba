"""Checks of module 08, Training, in the order of the lesson.

Models are single layers with weights written down here, and what training must make of them is computed in NumPy.
PyTorch has no `train_one_epoch` and no `Trainer`. Where a check needs nothing of ours inside, the loop of this package
is run on PyTorch's models and optimizers, which proves that the expected numbers are right. The checks of the file
format run on the library safetensors itself.
"""

import contextlib
import io
import json
import math
import pathlib
import sys
import tempfile
import types
import weakref

import numpy as np

from checks import CheckFailed, exercise

X = np.array(
    [[0.5, -1.0, 2.0], [1.5, 0.25, -0.5], [-2.0, 1.0, 0.75], [0.25, 3.0, 1.0],
     [-1.5, -0.5, 0.5], [2.5, 1.25, -1.0], [1.0, -2.0, 0.25]], np.float32,
)  # fmt: skip
Y = np.array([[1.0], [-2.0], [0.5], [3.0], [-1.5], [2.0], [0.25]], np.float32)
W = np.array([[0.4, -0.3, 0.2]], np.float32)
B = np.array([0.1], np.float32)
SIZES = (3, 3, 1)  # the last batch is smaller, as it mostly is


def training(tt):
    """The training functions: the library's own, or for PyTorch ours, which then run on PyTorch's objects."""
    if hasattr(tt, "training"):
        return tt.training
    from tinytorch import training as ours

    def accuracy(output, target):
        return (output.argmax(dim=-1) == target).double().mean().item()

    return types.SimpleNamespace(**vars(ours) | {"accuracy": accuracy})


def files(tt):
    """The module with `pack`, `to_bytes` and the others below `save`; beside PyTorch the library safetensors itself."""
    if hasattr(tt, "training"):
        return sys.modules[tt.save.__module__]
    import safetensors
    import safetensors.numpy

    from tinytorch import serialization as ours

    def to_bytes(arrays, metadata):
        rows = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        return safetensors.numpy.save(rows, metadata or None)

    def read_header(content):
        try:
            safetensors.deserialize(content)
        except safetensors.SafetensorError as error:
            raise ValueError(str(error)) from None
        return ours.read_header(content)

    return types.SimpleNamespace(to_bytes=to_bytes, read_header=read_header, write_file=ours.write_file)


@contextlib.contextmanager
def fine(call, why):
    """The block must not raise: what it does is allowed, and `why` says so."""
    try:
        yield
    except (NotImplementedError, CheckFailed):
        raise
    except Exception as error:
        raise CheckFailed(call, "no error", f"{type(error).__name__}: {error}", "", why) from error


def layer(tt, weight=W, bias=B):
    """A Linear layer with these weights."""
    made = tt.nn.Linear(weight.shape[1], weight.shape[0])
    made.load_state_dict({"weight": tt.tensor(weight), "bias": tt.tensor(bias)})
    return made


def batches(tt, sizes=SIZES):
    """The rows of X and Y as a list of batches: a loader needs to be no more than that."""
    ends = np.cumsum(sizes)
    return [(tt.tensor(X[e - n : e]), tt.tensor(Y[e - n : e])) for n, e in zip(sizes, ends, strict=True)]


def mse(output, target):
    """Mean squared error."""
    return ((output - target) ** 2).mean()


def loss_of(weight, bias, rows):
    """Mean squared error of the layer on some rows, in NumPy."""
    return float(((X[rows] @ weight.T + bias - Y[rows]) ** 2).mean())


def gradient(weight, bias, rows):
    """Gradient of the mean squared error by weight and bias, in NumPy."""
    r = X[rows] @ weight.T + bias - Y[rows]
    return 2 * r.T @ X[rows] / r.size, 2 * r.sum(0) / r.size


def descend(groups, lr=0.1):
    """Weight and bias after one plain SGD step for each group of rows."""
    weight, bias = W.astype(np.float64), B.astype(np.float64)
    for rows in groups:
        by_weight, by_bias = gradient(weight, bias, rows)
        weight, bias = weight - lr * by_weight, bias - lr * by_bias
    return weight.astype(np.float32), bias.astype(np.float32)


def array(x):
    """A tensor's numbers."""
    return x.detach().numpy()


def with_grads(tt, *grads):
    """A parameter with each of these gradients; None for a parameter that has no gradient."""
    made = []
    for grad in grads:
        made.append(tt.zeros(2 if grad is None else len(grad), requires_grad=True))
        made[-1].grad = None if grad is None else tt.tensor(grad)
    return made


def numbers(expect, got, want, call, why):
    """A dict of these names, in this order, with floats close to these."""
    expect(got, call).is_instance(dict, why=why)
    expect(list(got), f"names in {call}").equals(list(want), why=why)
    for name, value in want.items():
        expect(got[name], f"{name!r} of {call}").equals(value, why=why)


# accuracy


@exercise(
    "accuracy",
    hints=(
        "What does the model choose for a row of scores? The place of the largest one.",
        "Compare the chosen places with the targets: a row of True and False. What share is True?",
        "`output.array.argmax(-1)` has shape (batch,). The mean of a bool array is the share of True; make a "
        "Python float of it.",
    ),
)
def test_accuracy_counts_rows_that_are_right(tt, expect):
    scores = tt.tensor([[0.1, 0.7, 0.2], [2.0, -1.0, 0.5], [-3.0, -2.0, -1.0], [0.3, 0.2, 0.9], [5.0, 6.0, 4.0]])
    call = "accuracy(scores, targets), shapes (5, 3) and (5,)"
    with fine(call, "one choice for each row: the largest along the last dimension, not along the batch"):
        got = training(tt).accuracy(scores, tt.tensor([1, 0, 2, 1, 0]))
    why = "the largest scores stand at 1, 0, 2, 2, 1; the targets are 1, 0, 2, 1, 0: three of five rows are right"
    expect(got, call).equals(0.6, why=why)


@exercise("accuracy")
def test_accuracy_looks_along_the_classes(tt, expect):
    scores = tt.tensor([[0.9, 0.1, 0.0], [0.8, 0.9, 0.95], [0.2, 0.3, 0.4]])
    got = training(tt).accuracy(scores, tt.tensor([0, 2, 2]))
    why = "one choice for each row: the largest along the last dimension, not along the batch"
    expect(got, "accuracy(scores, targets), shapes (3, 3) and (3,)").equals(1.0, why=why)


@exercise("accuracy")
def test_accuracy_is_a_python_float(tt, expect):
    got = training(tt).accuracy(tt.tensor([[0.1, 0.9], [0.8, 0.2]]), tt.tensor([1, 1]))
    why = "a Python float: it goes into a history and into a checkpoint, where a tensor has no business"
    expect(got, "accuracy(scores, targets)").is_instance(float, why=why).equals(0.5, why="one of two rows is right")


@exercise("accuracy")
def test_accuracy_of_nothing_right(tt, expect):
    got = training(tt).accuracy(tt.tensor([[0.1, 0.9], [0.2, 0.8], [0.7, 0.3]]), tt.tensor([0, 0, 1]))
    expect(got, "accuracy(scores, targets), no row right").equals(0.0, why="no row is right: the share is 0")


# evaluate


@exercise(
    "evaluate",
    points=2,
    hints=(
        "Which three things differ from training: the mode of the model, the graph, and what is done with the loss?",
        "Each batch gives a mean of its own. The batches may have unequal sizes, so weigh each mean with len(inputs) "
        "and divide by the number of samples at the end.",
        "The loss is only one more metric: put it under the name 'loss' into one dict with the others, and keep a "
        "total for each name.",
        "Note `model.training` first, call `model.eval()`, loop inside `with no_grad():`, then `model.train(mode)`.",
    ),
)
def test_evaluate_weighs_batches_by_their_size(tt, expect):
    got = training(tt).evaluate(layer(tt), batches(tt), mse)
    want = loss_of(W, B, slice(0, 7))
    call = "evaluate(model, loader, mse), batches of 3, 3 and 1"
    why = "the mean over the 7 samples: a batch of 1 must not weigh as much as a batch of 3"
    numbers(expect, got, {"loss": want}, call, why)


@exercise("evaluate")
def test_evaluate_runs_in_evaluation_mode(tt, expect):
    model = tt.nn.Sequential(layer(tt), tt.nn.Dropout(0.5))
    modes = []
    training(tt).evaluate(
        model, batches(tt), lambda output, target: modes.append(model[1].training) or mse(output, target)
    )
    why = "dropout must not drop anything while you measure: call model.eval() first"
    expect(modes, "training flag of the Dropout layer at each batch").equals([False] * 3, why=why)


@exercise("evaluate")
def test_evaluate_puts_the_mode_back(tt, expect):
    for mode in (True, False):
        model = tt.nn.Sequential(layer(tt), tt.nn.Dropout(0.5))
        model.train(mode)
        training(tt).evaluate(model, batches(tt), mse)
        why = "a measurement leaves no trace: the model is in the mode again in which it came"
        expect([model.training, model[1].training], f"mode after evaluate, before it {mode}").equals(
            [mode] * 2, why=why
        )


@exercise("evaluate", torch=False)
def test_evaluate_records_no_graph(tt, expect):
    model, recorded = layer(tt), []
    training(tt).evaluate(model, batches(tt), lambda o, t: recorded.append(o.requires_grad) or mse(o, t))
    why = "nobody will call backward here: run the model inside `with no_grad():`, or memory is spent on a graph"
    expect(recorded, "requires_grad of the outputs").equals([False] * 3, why=why)
    expect(tt.is_grad_enabled(), "tt.is_grad_enabled() after evaluate").equals(True, why="recording is on again")


@exercise("evaluate")
def test_evaluate_leaves_parameters_and_gradients(tt, expect):
    model = layer(tt)
    with expect.unchanged(model.weight, "model.weight after evaluate", why="to evaluate is not to train"):
        training(tt).evaluate(model, batches(tt), mse)
    expect(model.weight.grad, "model.weight.grad after evaluate").equals(None, why="no backward in an evaluation")


@exercise("evaluate", points=2)
def test_evaluate_computes_each_metric(tt, expect):
    metrics = {"positive": lambda output, target: float((array(output) > 0).mean()),
               "error": lambda output, target: (output - target).abs().mean()}  # fmt: skip
    got = training(tt).evaluate(layer(tt), batches(tt), mse, metrics)
    out = X @ W.T + B
    want = {
        "loss": loss_of(W, B, slice(0, 7)),
        "positive": float((out > 0).mean()),
        "error": float(np.abs(out - Y).mean()),
    }
    why = "one entry for each name, all of them Python floats, weighted like the loss; 'loss' comes first"
    numbers(expect, got, want, "evaluate(model, loader, mse, metrics)", why)
    kinds = [type(value).__name__ for value in got.values()]
    expect(kinds, "types of the values of evaluate(...)").equals(
        ["float"] * 3, why="float(...) takes the number out of a tensor"
    )


@exercise("evaluate")
def test_evaluate_nothing(tt, expect):
    with fine("evaluate(model, [], mse)", "an empty loader has no samples: divide by at least 1"):
        got = training(tt).evaluate(layer(tt), [], mse)
    expect(got, "evaluate(model, [], mse)").equals({"loss": 0.0}, why="no samples: 0, and no division by zero")
    got = training(tt).evaluate(layer(tt), batches(tt, (1,)), mse)
    want = {"loss": loss_of(W, B, slice(0, 1))}
    numbers(expect, got, want, "evaluate(model, [one row], mse)", "the mean of one number is that number")


# clip_grad_norm_


@exercise(
    "clip_grad_norm_",
    points=2,
    hints=(
        "All gradients together are one long vector. What is its length, and by what must it be multiplied to be "
        "no longer than max_norm?",
        "The norm of the whole is the norm of the parts' norms: `_norm(grad, order)` gives the norm of one array, and "
        "you may apply it to the array of norms again.",
        "`_gradients(parameters)` gives the arrays, without those that are missing. The factor is "
        "max_norm / (total + 1e-6); it is used only when it is not at least 1.",
        "Multiply each array in place (`grad *= factor`), and return the total from before, as a Tensor with the "
        "dtype of the gradients.",
    ),
)
def test_clip_norm_scales_all_by_one_factor(tt, expect):
    params = with_grads(tt, [3.0, -4.0], [12.0])  # norm 13
    tt.nn.utils.clip_grad_norm_(params, 1.0)
    why = "sqrt(9 + 16 + 144) = 13: both gradients are divided by 13, so that their direction stays"
    expect(params[0].grad, "gradients [3, -4] and [12] clipped to 1: the first").equals([3 / 13, -4 / 13], why=why)
    expect(params[1].grad, "gradients [3, -4] and [12] clipped to 1: the second").equals([12 / 13], why=why)


@exercise("clip_grad_norm_")
def test_clip_norm_returns_the_norm_before(tt, expect):
    got = tt.nn.utils.clip_grad_norm_(with_grads(tt, [3.0, -4.0], [12.0]), 1.0)
    why = "the norm before clipping, a tensor: it is what you want to see in a log"
    expect(got, "clip_grad_norm_([3, -4] and [12], 1.0)").equals(np.array(13.0, np.float32), why=why)


@exercise("clip_grad_norm_")
def test_clip_norm_leaves_short_gradients(tt, expect):
    params = with_grads(tt, [0.3, -0.4], [1.2])
    got = tt.nn.utils.clip_grad_norm_(params, 2.0)
    why = "the norm is returned whether or not anything is clipped"
    expect(got, "clip_grad_norm_(norm 1.3, max_norm=2)").equals(np.array(1.3, np.float32), why=why)
    why = "1.3 is below 2: clipping makes long gradients shorter and never short ones longer"
    expect(params[0].grad, "gradient [0.3, -0.4] after clipping to 2").equals([0.3, -0.4], why=why)


@exercise("clip_grad_norm_")
def test_clip_norm_without_gradients(tt, expect):
    call = "clip_grad_norm_ with a parameter whose grad is None"
    params = with_grads(tt, [6.0, 8.0], None)
    with fine(call, "a parameter that took no part has no gradient: leave it out"):
        got = tt.nn.utils.clip_grad_norm_(params, 5.0)
    expect(got, call).equals(np.array(10.0, np.float32), why="the norm of the gradients that are there, [6, 8]")
    expect(params[1].grad, "grad of that parameter").equals(None, why="it stays without one")
    with fine("clip_grad_norm_ of zero gradients", "the norm may be 0: that is what the 1e-6 is for"):
        got = tt.nn.utils.clip_grad_norm_(with_grads(tt, [0.0, 0.0]), 5.0)
    expect(got, "clip_grad_norm_ of zero gradients").equals(np.array(0.0, np.float32), why="the norm of zeros is 0")
    got = tt.nn.utils.clip_grad_norm_(with_grads(tt, None), 5.0)
    expect(got, "clip_grad_norm_ when no parameter has a gradient").equals(
        np.array(0.0, np.float32), why="no numbers, norm 0"
    )


@exercise("clip_grad_norm_")
def test_clip_norm_of_one_tensor_and_of_a_generator(tt, expect):
    (w,) = with_grads(tt, [6.0, 8.0])
    with fine("clip_grad_norm_(w, 5.0), w one tensor", "a single tensor is allowed: `_gradients` takes care of it"):
        tt.nn.utils.clip_grad_norm_(w, 5.0)
    expect(w.grad, "gradient [6, 8] clipped to 5").equals([3.0, 4.0], why="the norm is 10: times 5 / 10")
    params = with_grads(tt, [6.0, 8.0])
    tt.nn.utils.clip_grad_norm_((p for p in params), 5.0)
    why = "model.parameters() is a generator: it can be walked through only once, so keep its gradients in a list"
    expect(params[0].grad, "gradient [6, 8] clipped to 5, parameters from a generator").equals([3.0, 4.0], why=why)


@exercise("clip_grad_norm_")
def test_clip_norm_of_other_orders(tt, expect):
    for order, total in ((1, 19.0), (3.0, (27 + 64 + 1728) ** (1 / 3)), (math.inf, 12.0)):
        params = with_grads(tt, [3.0, -4.0], [12.0])
        got = tt.nn.utils.clip_grad_norm_(params, 2.0, norm_type=order)
        call = f"clip_grad_norm_([3, -4] and [12], 2.0, norm_type={order})"
        why = "norm_type says which norm: 1 adds the sizes, inf takes the largest size, of all gradients together"
        expect(got, call).equals(np.array(total, np.float32), why=why)
        expect(params[0].grad, f"the first gradient after {call}").equals([6 / total, -8 / total], why=why)


@exercise("clip_grad_norm_")
def test_clip_norm_that_is_not_finite(tt, expect):
    call = "clip_grad_norm_(inf, error_if_nonfinite=True)"
    with expect.raises(RuntimeError, call, ("non-finite",), "asked to, it stops instead of spoiling all weights"):
        tt.nn.utils.clip_grad_norm_(with_grads(tt, [math.inf, 1.0]), 5.0, error_if_nonfinite=True)
    params = with_grads(tt, [math.nan], [2.0])
    with fine("clip_grad_norm_(nan)", "without error_if_nonfinite nothing is raised"):
        tt.nn.utils.clip_grad_norm_(params, 5.0)
    why = "the factor is nan, and nan >= 1 is false: PyTorch multiplies by it, so that the trouble is seen everywhere"
    expect(params[1].grad, "gradient [2] beside a gradient of nan").equals([math.nan], why=why)
    params = with_grads(tt, [3.0, 4.0])
    with fine("clip_grad_norm_([3, 4], 10.0, error_if_nonfinite=True)", "5 is finite"):
        tt.nn.utils.clip_grad_norm_(params, 10.0, error_if_nonfinite=True)


@exercise("clip_grad_norm_")
def test_clip_norm_has_the_dtype_of_the_gradients(tt, expect):
    w = tt.zeros(2, dtype=tt.float64, requires_grad=True)
    w.grad = tt.tensor([6.0, 8.0], dtype=tt.float64)
    got = tt.nn.utils.clip_grad_norm_([w], 1.0)
    why = "the norm has the dtype of the gradients: Tensor(np.array(norm, grads[0].dtype))"
    expect(got, "clip_grad_norm_([6, 8] in float64, 1.0)").equals(np.array(10.0), why=why)


# clip_grad_value_


@exercise(
    "clip_grad_value_",
    hints=(
        "Each number by itself: what is larger than the limit becomes the limit, on both sides of zero.",
        "`_gradients(parameters)` gives the arrays; `np.clip` cuts off.",
        "`np.clip(array, low, high, out=array)` writes where it has read.",
    ),
)
def test_clip_value_cuts_on_both_sides(tt, expect):
    params = with_grads(tt, [3.0, -4.0, 0.25], [-0.5, 12.0])
    tt.nn.utils.clip_grad_value_(params, 1.5)
    why = "every number by itself, cut off at -1.5 and 1.5"
    expect(params[0].grad, "gradient [3, -4, 0.25] cut at 1.5").equals([1.5, -1.5, 0.25], why=why)
    expect(params[1].grad, "gradient [-0.5, 12] cut at 1.5").equals([-0.5, 1.5], why=why)


@exercise("clip_grad_value_")
def test_clip_value_changes_in_place(tt, expect):
    (w,) = with_grads(tt, [3.0, -4.0])
    held = w.grad
    tt.nn.utils.clip_grad_value_([w], 2.0)
    why = "the trailing _ promises it: the gradient that others hold is changed, no new one is made"
    expect(held, "a gradient held from before").equals([2.0, -2.0], why=why)


@exercise("clip_grad_value_")
def test_clip_value_without_gradient(tt, expect):
    params = with_grads(tt, None, [5.0])
    with fine("clip_grad_value_ with a parameter whose grad is None", "leave it out: `_gradients` does"):
        tt.nn.utils.clip_grad_value_(params, 2.0)
    expect(params[1].grad, "gradient [5] cut at 2").equals([2.0], why="the parameters after it are cut all the same")


@exercise("clip_grad_value_")
def test_clip_value_of_one_tensor(tt, expect):
    (w,) = with_grads(tt, [3.0, -0.5])
    with fine("clip_grad_value_(w, 2.0), w one tensor", "a single tensor is allowed: `_gradients` takes care of it"):
        tt.nn.utils.clip_grad_value_(w, 2.0)
    expect(w.grad, "gradient [3, -0.5] cut at 2").equals([2.0, -0.5], why="3 is cut off at 2, -0.5 is within the limit")


# apply_gradients


def logged(model=None):
    """An optimizer and a scheduler that only note in a list what was called, and the gradient at that time."""
    log = []

    def note(what):
        grad = None if model is None or model.weight.grad is None else array(model.weight.grad).copy()
        log.append((what, grad))

    optimizer = types.SimpleNamespace(step=lambda: note("step"), zero_grad=lambda: note("zero_grad"))
    return log, optimizer, types.SimpleNamespace(step=lambda *values: note(("scheduler.step", *values)))


def graded(tt):
    """A layer with gradients: weight [[3, -4, 0]], bias [12]; their norm is 13."""
    model = layer(tt)
    model.weight.grad, model.bias.grad = tt.tensor([[3.0, -4.0, 0.0]]), tt.tensor([12.0])
    return model


@exercise(
    "apply_gradients",
    points=2,
    hints=(
        "Five things, in an order in which each still finds what it needs: scale, clip, step, drop, schedule.",
        "The optimizer uses the gradients, so they must be ready before `step` and may be dropped only after it.",
        "`_gradients(model.parameters())` gives the arrays to multiply by `scale`, in place. Two of the five have an "
        "`if ... is not None`.",
    ),
)
def test_apply_takes_one_step(tt, expect):
    model = graded(tt)
    training(tt).apply_gradients(model, tt.optim.SGD(model.parameters(), lr=0.1))
    why = "w - lr * grad with lr 0.1 and the gradient [[3, -4, 0]]"
    expect(model.weight.detach(), "weight after apply_gradients").equals(W - 0.1 * np.float32([[3, -4, 0]]), why=why)
    expect(model.bias.detach(), "bias after apply_gradients").equals(
        B - np.float32(1.2), why="b - lr * grad with lr 0.1 and the gradient [12]"
    )


@exercise("apply_gradients")
def test_apply_drops_the_gradients_afterwards(tt, expect):
    model = graded(tt)
    log, optimizer, _ = logged(model)
    training(tt).apply_gradients(model, optimizer)
    why = "the step first, while the gradients are there; then zero_grad, or they would add up with the next ones"
    expect([what for what, _ in log], "calls to the optimizer").equals(["step", "zero_grad"], why=why)


@exercise("apply_gradients")
def test_apply_steps_the_scheduler_last(tt, expect):
    model = graded(tt)
    log, optimizer, scheduler = logged(model)
    training(tt).apply_gradients(model, optimizer, scheduler)
    got = [what for what, _ in log]
    why = "the learning rate of this step is used before the scheduler changes it"
    scheduled = ("scheduler.step",)  # without arguments
    expect(got.count(scheduled), "calls of scheduler.step()").equals(1, why="once for each step, without arguments")
    expect(got.index(scheduled) > got.index("step"), "scheduler.step comes after optimizer.step").equals(True, why=why)


@exercise("apply_gradients", torch=False)
def test_apply_clips_before_the_step(tt, expect):
    model = graded(tt)
    log, optimizer, _ = logged(model)
    training(tt).apply_gradients(model, optimizer, max_norm=1.0)
    want = np.float32([[3 / 13, -4 / 13, 0]])
    why = "clipped before the optimizer sees it, weight and bias together (norm 13)"
    expect(log[0][1], "weight.grad when optimizer.step is called, max_norm=1").equals(want, why=why)
    model = graded(tt)
    log, optimizer, _ = logged(model)
    training(tt).apply_gradients(model, optimizer)
    why = "max_norm=None means: no clipping"
    expect(log[0][1], "weight.grad when optimizer.step is called").equals(np.float32([[3, -4, 0]]), why=why)
    model = graded(tt)
    log, optimizer, _ = logged(model)
    training(tt).apply_gradients(model, optimizer, max_norm=0.0)
    why = "0.0 is a limit as well, and `if max_norm:` takes it for none: ask `is not None`"
    expect(log[0][1], "weight.grad when optimizer.step is called, max_norm=0.0").equals(
        np.zeros((1, 3), np.float32), why=why
    )


@exercise("apply_gradients", torch=False)
def test_apply_scales_before_it_clips(tt, expect):
    model = graded(tt)
    log, optimizer, _ = logged(model)
    training(tt).apply_gradients(model, optimizer, scale=2.0)
    why = "all gradients times scale, before the step"
    expect(log[0][1], "weight.grad at the step, scale=2").equals(np.float32([[6, -8, 0]]), why=why)
    model = graded(tt)
    log, optimizer, _ = logged(model)
    training(tt).apply_gradients(model, optimizer, max_norm=13.0, scale=2.0)
    why = "scaled to norm 26 first and then clipped to 13; the other order lets a norm of 26 through"
    expect(log[0][1], "weight.grad at the step, scale=2, max_norm=13").equals(np.float32([[3, -4, 0]]), why=why)


@exercise("apply_gradients", torch=False)
def test_apply_scales_only_what_is_there(tt, expect):
    model = graded(tt)
    model.weight.grad = None
    _, optimizer, _ = logged()
    with fine("apply_gradients(..., scale=0.5), one gradient missing", "a parameter without a gradient is left out"):
        training(tt).apply_gradients(model, optimizer, scale=0.5)
    expect(model.bias.grad, "bias.grad").equals([6.0], why="12 times the scale of 0.5")


# train_one_epoch


@exercise(
    "train_one_epoch",
    points=3,
    hints=(
        "Write it for accumulate=1 first: mode, old gradients, loop over the batches, backward, apply_gradients, mean.",
        "With accumulate=k, each loss is divided by k before backward, gradients add up by themselves, and "
        "apply_gradients is called when k batches are waiting. Count them.",
        "`loss.item()` once, right after backward, for the mean and for on_step. Add value * len(inputs), as in "
        "evaluate.",
        "After the loop some batches may still be waiting, fewer than accumulate. Their gradients were divided by too "
        "much: scale=accumulate / waiting mends it.",
    ),
)
def test_epoch_takes_a_step_for_every_batch(tt, expect):
    model = layer(tt)
    training(tt).train_one_epoch(model, batches(tt), mse, tt.optim.SGD(model.parameters(), lr=0.1))
    weight, bias = descend([slice(0, 3), slice(3, 6), slice(6, 7)])
    why = "three batches, three steps of SGD, each with the gradient of its own batch only"
    expect(model.weight.detach(), "weight after one epoch over batches of 3, 3 and 1").equals(weight, why=why)
    expect(model.bias.detach(), "bias after one epoch over batches of 3, 3 and 1").equals(bias, why=why)


@exercise("train_one_epoch")
def test_epoch_returns_the_mean_over_samples(tt, expect):
    model = layer(tt)
    got = training(tt).train_one_epoch(model, batches(tt), mse, tt.optim.SGD(model.parameters(), lr=0.0))
    why = "the mean over the 7 samples: weigh each batch's loss with len(inputs)"
    expect(got, "train_one_epoch(...), lr=0").is_instance(float, why="a Python float: loss.item()").equals(
        loss_of(W, B, slice(0, 7)), why=why
    )
    model = layer(tt)
    optimizer = tt.optim.SGD(model.parameters(), lr=0.0)
    got = training(tt).train_one_epoch(model, batches(tt, (3, 2, 1, 1)), mse, optimizer, accumulate=2)
    why = "what is returned is the loss itself, not the loss divided by accumulate"
    expect(got, "train_one_epoch(..., accumulate=2), lr=0").equals(loss_of(W, B, slice(0, 7)), why=why)


@exercise("train_one_epoch")
def test_epoch_starts_clean(tt, expect):
    model = tt.nn.Sequential(layer(tt), tt.nn.Dropout(0.0))
    model.eval()
    mse(model(tt.tensor(X)), tt.tensor(Y)).backward()
    modes, recorded = [], []

    def loss_fn(output, target):
        modes.append(model[1].training)
        recorded.append((output.requires_grad, target.requires_grad))
        return mse(output, target)

    training(tt).train_one_epoch(model, batches(tt), loss_fn, tt.optim.SGD(model.parameters(), lr=0.1))
    expect(modes, "training flag of the Dropout layer at each batch").equals([True] * 3, why="call model.train() first")
    why = "loss_fn(output, target): the output of the model first, as all of PyTorch's losses have it"
    expect(recorded, "requires_grad of the arguments of loss_fn").equals([(True, False)] * 3, why=why)
    why = "a gradient left over from before must not count: zero_grad before the first batch"
    weight, _ = descend([slice(0, 3), slice(3, 6), slice(6, 7)])
    expect(model[0].weight.detach(), "weight after an epoch that found old gradients").equals(weight, why=why)


@exercise("train_one_epoch", points=2)
def test_epoch_accumulates_as_one_large_batch(tt, expect):
    model = layer(tt)
    optimizer = tt.optim.SGD(model.parameters(), lr=0.1)
    training(tt).train_one_epoch(model, batches(tt, (2, 2)), mse, optimizer, accumulate=2)
    why = (
        "two batches of 2 must do what one batch of 4 does: the mean of the gradients (divide by accumulate), one step"
    )
    weight, bias = descend([slice(0, 4)])
    expect(model.weight.detach(), "weight after 2 batches of 2, accumulate=2").equals(weight, why=why)
    expect(model.bias.detach(), "bias after 2 batches of 2, accumulate=2").equals(bias, why=why)


@exercise("train_one_epoch", points=2, torch=False)
def test_epoch_uses_what_is_left_over(tt, expect):
    model = layer(tt)
    optimizer = tt.optim.SGD(model.parameters(), lr=0.1)
    training(tt).train_one_epoch(model, batches(tt, (1, 1, 1, 1, 1)), mse, optimizer, accumulate=3)
    why = "5 batches, accumulate=3: a step of 3 and a step of the 2 left over, whose sum must be divided by 2, not by 3"
    weight, bias = descend([slice(0, 3), slice(3, 5)])
    expect(model.weight.detach(), "weight after 5 batches of 1, accumulate=3").equals(weight, why=why)
    expect(model.bias.detach(), "bias after 5 batches of 1, accumulate=3").equals(bias, why=why)


@exercise("train_one_epoch")
def test_epoch_steps_the_scheduler_with_the_optimizer(tt, expect):
    for sizes, accumulate, steps in (((3, 3, 1), 1, 3), ((1, 1, 1, 1), 2, 2)):
        log, optimizer, scheduler = logged()
        training(tt).train_one_epoch(layer(tt), batches(tt, sizes), mse, optimizer, scheduler, accumulate)
        got = [what for what, _ in log]
        call = f"train_one_epoch, {len(sizes)} batches, accumulate={accumulate}: calls of"
        expect(got.count("step"), f"{call} optimizer.step").equals(steps, why="one step for every `accumulate` batches")
        why = "the scheduler is stepped with the optimizer, not with the batches: pass it to apply_gradients"
        expect(got.count(("scheduler.step",)), f"{call} scheduler.step").equals(steps, why=why)


@exercise("train_one_epoch", torch=False)
def test_epoch_clips(tt, expect):
    model = layer(tt)
    optimizer = tt.optim.SGD(model.parameters(), lr=1.0)
    training(tt).train_one_epoch(model, batches(tt, (4,)), mse, optimizer, max_norm=0.25)
    moved = np.concatenate([(array(model.weight) - W).ravel(), array(model.bias) - B])
    why = "with lr=1 the parameters move by exactly the clipped gradient: pass max_norm to apply_gradients"
    expect(float(np.linalg.norm(moved)), "length of the step, max_norm=0.25").equals(0.25, why=why, rtol=1e-4)
    model = layer(tt)
    optimizer = tt.optim.SGD(model.parameters(), lr=1.0)
    options = {"accumulate": 3, "max_norm": 0.25}
    training(tt).train_one_epoch(model, batches(tt, (4,)), mse, optimizer, **options)
    moved = np.concatenate([(array(model.weight) - W).ravel(), array(model.bias) - B])
    why = "the last, incomplete step is clipped as well"
    expect(float(np.linalg.norm(moved)), "length of the step, max_norm=0.25, accumulate=3").equals(
        0.25, why=why, rtol=1e-4
    )


@exercise("train_one_epoch")
def test_epoch_reports_each_batch(tt, expect):
    model, heard = layer(tt), []
    optimizer = tt.optim.SGD(model.parameters(), lr=0.0)
    loader = batches(tt, (3, 2, 1, 1))
    training(tt).train_one_epoch(model, loader, mse, optimizer, accumulate=2, on_step=heard.append)
    want = [loss_of(W, B, rows) for rows in (slice(0, 3), slice(3, 5), slice(5, 6), slice(6, 7))]
    why = "on_step(loss) once for each batch, with the undivided loss"
    expect(heard, "what on_step heard, accumulate=2, lr=0").equals(want, why=why, rtol=1e-4)
    why = "a Python float: a tensor would keep its graph alive for as long as somebody keeps the number"
    expect([type(loss).__name__ for loss in heard], "types that on_step heard").equals(["float"] * 4, why=why)


@exercise("train_one_epoch", torch=False)
def test_epoch_keeps_no_graph(tt, expect):
    model, graphs, alive = layer(tt), [], []

    def loss_fn(output, target):
        alive.append(sum(graph() is not None for graph in graphs[:-1]))  # the last one may wait in a variable
        loss = mse(output, target)
        graphs.append(weakref.ref(loss.grad_fn))
        return loss

    training(tt).train_one_epoch(model, batches(tt, (1,) * 5), loss_fn, tt.optim.SGD(model.parameters(), lr=0.1))
    why = "add numbers, not tensors: total += loss.item() * n; a sum of tensors holds the graph of every batch"
    expect(alive, "graphs of finished batches still in memory, at each batch").equals([0] * 5, why=why)


@exercise("train_one_epoch")
def test_epoch_over_nothing(tt, expect):
    model = layer(tt)
    with fine("train_one_epoch(model, [], ...)", "an empty loader has no samples: divide by at least 1"):
        got = training(tt).train_one_epoch(model, [], mse, tt.optim.SGD(model.parameters(), lr=0.1))
    expect(got, "train_one_epoch(model, [], ...)").equals(0.0, why="no samples: 0, and no division by zero")
    got = training(tt).train_one_epoch(model, batches(tt, (1,)), mse, tt.optim.SGD(model.parameters(), lr=0.0))
    want = loss_of(W, B, slice(0, 1))
    expect(got, "train_one_epoch(model, [one row], ...)").equals(want, why="the mean of one number is that number")
    log, optimizer, _ = logged()
    training(tt).train_one_epoch(layer(tt), batches(tt, (2, 2)), mse, optimizer, accumulate=2)
    got = [what for what, _ in log].count("step")
    expect(got, "steps after 2 batches, accumulate=2").equals(1, why="nothing is left over: no second step")


# EarlyStopping.on_epoch_end


def hears(expect, stopping, values, key="val_loss"):
    """For each value, what `stopped` was after the callback heard of it."""
    trainer = types.SimpleNamespace(stopped=False, epoch=0, step=0)
    told = []
    for value in values:
        stopping.on_epoch_end(trainer, {"epoch": 1, "loss": 9.0, key: value})
        told.append(trainer.stopped)
    return told


@exercise(
    "EarlyStopping.on_epoch_end",
    points=2,
    hints=(
        "There are two kinds of epoch: one that sets a new best value, and one that did not help.",
        "`row[self.monitor]` is the value. A new best is remembered in `self.best` and sets `self.waited` to 0; "
        "otherwise `self.waited` grows by 1.",
        "New best means below `self.best - self.min_delta`. When `self.waited` has reached `self.patience`, set "
        "`trainer.stopped` to True; never set it to False.",
    ),
)
def test_early_stopping_waits_for_patience(tt, expect):
    got = hears(expect, training(tt).EarlyStopping(patience=2), [3.0, 2.0, 2.5, 2.75, 2.9])
    why = "patience=2: stop after the second epoch in a row without a new best (2.5, 2.75)"
    expect(got, "stopped, after val_loss 3, 2, 2.5, 2.75, 2.9").equals([False, False, False, True, True], why=why)


@exercise("EarlyStopping.on_epoch_end")
def test_early_stopping_compares_with_the_best(tt, expect):
    got = hears(expect, training(tt).EarlyStopping(patience=3), [1.0, 5.0, 4.0, 3.0])
    why = "4 is better than the 5 before it but not than the best, 1: compare with the best, not with the last"
    expect(got, "stopped, after val_loss 1, 5, 4, 3 with patience=3").equals([False, False, False, True], why=why)


@exercise("EarlyStopping.on_epoch_end")
def test_early_stopping_starts_to_count_again(tt, expect):
    stopping = training(tt).EarlyStopping(patience=2)
    got = hears(expect, stopping, [3.0, 3.5, 2.0, 2.5, 1.0, 1.5])
    why = "every new best sets the count back to 0: the bad epochs must follow one another"
    expect(got, "stopped, after val_loss 3, 3.5, 2, 2.5, 1, 1.5").equals([False] * 6, why=why)
    expect((stopping.best, stopping.waited), "(best, waited)").equals(
        (1.0, 1), why="the best so far, and epochs since then"
    )


@exercise("EarlyStopping.on_epoch_end")
def test_early_stopping_wants_min_delta(tt, expect):
    stopping = training(tt).EarlyStopping(patience=2, min_delta=0.5)
    got = hears(expect, stopping, [3.0, 2.75, 2.5])
    why = "with min_delta=0.5 only a value below 3 - 0.5 is a new best; 2.75 is not, and 2.5 only equals it"
    expect(got, "stopped, after val_loss 3, 2.75, 2.5").equals([False, False, True], why=why)
    got = hears(expect, training(tt).EarlyStopping(patience=1), [2.0, 2.0])
    expect(got, "stopped, after val_loss 2, 2 with patience=1").equals([False, True], why="equal is not better")


@exercise("EarlyStopping.on_epoch_end")
def test_early_stopping_looks_at_its_monitor(tt, expect):
    with fine("EarlyStopping('score').on_epoch_end", "the value is row[self.monitor]"):
        got = hears(expect, training(tt).EarlyStopping("score", patience=1), [3.0, 2.0, 4.0], key="score")
    why = "the value to watch is row[self.monitor]"
    expect(got, "stopped, after score 3, 2, 4").equals([False, False, True], why=why)
    trainer = types.SimpleNamespace(stopped=True)
    training(tt).EarlyStopping(patience=5).on_epoch_end(trainer, {"val_loss": 1.0})
    training(tt).EarlyStopping(patience=5).on_epoch_end(trainer, {"val_loss": math.nan})
    why = "another callback has stopped the training: that is not for this one to undo"
    expect(trainer.stopped, "trainer.stopped, True before").equals(True, why=why)


@exercise("EarlyStopping.on_epoch_end")
def test_early_stopping_gives_up_on_nan(tt, expect):
    got = hears(expect, training(tt).EarlyStopping(patience=2), [3.0, math.nan, math.nan])
    why = "nan is not below anything: an epoch that ends in nan did not help"
    expect(got, "stopped, after val_loss 3, nan, nan").equals([False, False, True], why=why)


# LiveCurve.on_step


@exercise(
    "LiveCurve.on_step",
    hints=(
        "Note every point, draw now and then.",
        "A point is (trainer.step, loss). The remainder of trainer.step by self.every says when to draw.",
        "Append to `self.points` first, so that what is drawn holds the new point; call `self.draw(self.points)`.",
    ),
)
def test_curve_notes_every_point(tt, expect):
    curve = training(tt).LiveCurve(lambda points: None, every=3)
    for step, loss in ((1, 0.75), (2, 0.5), (3, 0.625)):
        curve.on_step(types.SimpleNamespace(step=step, epoch=0), loss)
    why = "one pair (trainer.step, loss) for each step, also for those that are not drawn"
    expect(curve.points, "curve.points after 3 steps").equals([(1, 0.75), (2, 0.5), (3, 0.625)], why=why)


@exercise("LiveCurve.on_step")
def test_curve_draws_now_and_then(tt, expect):
    drawn = []
    curve = training(tt).LiveCurve(lambda points: drawn.append(len(points)), every=3)
    for step in range(1, 9):
        curve.on_step(types.SimpleNamespace(step=step, epoch=0), 1.0 / step)
    why = "every=3: at the steps 3 and 6, with the point of that step in it; drawing costs more than a step"
    expect(drawn, "number of points drawn in 8 steps, every=3").equals([3, 6], why=why)


@exercise("LiveCurve.on_step")
def test_curve_counts_by_the_trainer(tt, expect):
    drawn = []
    curve = training(tt).LiveCurve(lambda points: drawn.append(points[-1]), every=4)
    for step in (7, 8, 9):
        curve.on_step(types.SimpleNamespace(step=step, epoch=1), 0.5)
    why = "after a resume the trainer's step goes on where it was: ask trainer.step, do not count points"
    expect(drawn, "last points drawn at the steps 7, 8, 9, every=4").equals([(8, 0.5)], why=why)


# progress_text


@exercise(
    "progress_text",
    hints=(
        "How many of the width characters are filled when done of total are done?",
        "width * done // total, a whole number; a total of 0 must not be divided by.",
        "'=' times filled, '-' times the rest, in brackets, then a blank and done/total. Without a total only the "
        "count, as text.",
    ),
)
def test_progress_is_a_bar(tt, expect):
    text = training(tt).progress_text
    expect(text(5, 10, width=4), "progress_text(5, 10, width=4)").equals("[==--] 5/10", why="half of 4 characters")
    expect(text(0, 10, width=4), "progress_text(0, 10, width=4)").equals("[----] 0/10", why="nothing is done")
    expect(text(10, 10, width=4), "progress_text(10, 10, width=4)").equals("[====] 10/10", why="all is done")


@exercise("progress_text")
def test_progress_rounds_down(tt, expect):
    got = training(tt).progress_text(29, 30, width=5)
    expect(got, "progress_text(29, 30, width=5)").equals("[====-] 29/30", why="a full bar means finished: round down")


@exercise("progress_text")
def test_progress_of_an_unknown_total(tt, expect):
    with fine("progress_text(7, None)", "a stream has no length: total is None"):
        got = training(tt).progress_text(7, None)
    expect(got, "progress_text(7, None)").equals("7", why="without a total only the count, as text")


@exercise("progress_text")
def test_progress_of_nothing(tt, expect):
    with fine("progress_text(0, 0, width=4)", "an empty loader has a total of 0: divide by at least 1"):
        got = training(tt).progress_text(0, 0, width=4)
    why = "a total of 0 is known, unlike None, so there is a bar; nothing was done, so nothing is filled"
    expect(got, "progress_text(0, 0, width=4)").equals("[----] 0/0", why=why)
    expect(len(training(tt).progress_text(1, 3)), "len(progress_text(1, 3))").equals(30, why="the default width is 24")


# Trainer.after_step


def ear(tt, log):
    """A callback that notes what it hears."""

    class Ear(training(tt).Callback):
        def on_step(self, trainer, loss):
            log.append(("step", trainer.step, loss))

        def on_epoch_end(self, trainer, row):
            log.append(("epoch", trainer.epoch, dict(row), len(trainer.history)))

    return Ear()


def bare(tt, *callbacks, **options):
    """A Trainer with nothing to train."""
    return training(tt).Trainer(None, None, None, callbacks=callbacks, **options)


@exercise(
    "Trainer.after_step",
    hints=(
        "Two things: the trainer's own count, and everybody who wants to know.",
        "Count first, so that a callback finds the number of the step it hears of.",
        "Call `callback.on_step(self, loss)` for each of `self.callbacks`.",
    ),
)
def test_after_step_counts(tt, expect):
    trainer = bare(tt)
    trainer.after_step(0.5)
    trainer.after_step(0.25)
    expect(trainer.step, "trainer.step after two steps").equals(2, why="one more for each batch")


@exercise("Trainer.after_step")
def test_after_step_tells_all_callbacks(tt, expect):
    first, second = [], []
    trainer = bare(tt, ear(tt, first), ear(tt, second))
    trainer.after_step(0.5)
    why = "every callback hears of every step, with the trainer and the loss"
    for log, which in ((first, "first"), (second, "second")):
        expect([loss for _, _, loss in log], f"losses that the {which} callback heard").equals([0.5], why=why)


@exercise("Trainer.after_step")
def test_after_step_counts_first(tt, expect):
    log = []
    trainer = bare(tt, ear(tt, log))
    for loss in (0.75, 0.5, 0.25):
        trainer.after_step(loss)
    why = "count first: the first batch is step 1 for those who hear of it"
    expect([step for _, step, _ in log], "trainer.step as heard in three steps").equals([1, 2, 3], why=why)


# Trainer.after_epoch


@exercise(
    "Trainer.after_epoch",
    points=2,
    hints=(
        "Whoever is told of the epoch, or reads the checkpoint, must find it finished. What follows for the order?",
        "Count and note the row, step the scheduler, tell the callbacks, save.",
        "`self.each_epoch` is the scheduler or None. A ReduceLROnPlateau wants the watched value in its step: "
        "row['val_loss'], or row['loss'] when there was no validation.",
        "`if self.checkpoint is not None: self.save(self.checkpoint)` comes last, with what callbacks noted.",
    ),
)
def test_after_epoch_counts_and_notes(tt, expect):
    trainer = bare(tt)
    rows = [{"epoch": 1, "loss": 0.5, "lr": 0.1}, {"epoch": 2, "loss": 0.25, "lr": 0.1}]
    for row in rows:
        trainer.after_epoch(row)
    expect(trainer.epoch, "trainer.epoch after two epochs").equals(2, why="one more for each epoch")
    expect(trainer.history, "trainer.history after two epochs").equals(rows, why="the row of each epoch, in order")


@exercise("Trainer.after_epoch")
def test_after_epoch_tells_callbacks_of_a_finished_epoch(tt, expect):
    first, second = [], []
    row = {"epoch": 1, "loss": 0.5, "lr": 0.1}
    bare(tt, ear(tt, first), ear(tt, second)).after_epoch(row)
    why = "a callback finds the epoch counted and the row in trainer.history"
    expect(first, "what the first callback heard").equals([("epoch", 1, row, 1)], why=why)
    expect(second, "what the second callback heard").equals([("epoch", 1, row, 1)], why=why)


@exercise("Trainer.after_epoch")
def test_after_epoch_steps_the_scheduler_of_epochs(tt, expect):
    for each, steps in (("epoch", 1), ("step", 0)):
        log, _, scheduler = logged()
        bare(tt, scheduler=scheduler, schedule_each=each).after_epoch({"epoch": 1, "loss": 0.5, "lr": 0.1})
        why = "self.each_epoch is the scheduler only when it is to be stepped after epochs"
        expect(len(log), f"steps of the scheduler, schedule_each={each!r}").equals(steps, why=why)
        given = [what[1:] for what, _ in log]
        why = "only the step of a ReduceLROnPlateau takes a value (isinstance tells it); all others are called without"
        expect(given, f"arguments of scheduler.step, schedule_each={each!r}").equals([()] * steps, why=why)


@exercise("Trainer.after_epoch", torch=False)
def test_after_epoch_gives_the_plateau_its_value(tt, expect):
    for row, value in (({"loss": 0.5, "val_loss": 0.75}, 0.75), ({"loss": 0.5}, 0.5)):
        optimizer = tt.optim.SGD(layer(tt).parameters(), lr=0.1)
        plateau = tt.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
        with fine("after_epoch with a ReduceLROnPlateau", "this scheduler's step wants the value that it watches"):
            bare(tt, scheduler=plateau).after_epoch(row)
        why = "it watches val_loss, and loss only where there is no validation"
        expect(plateau.best, f"best value of the plateau after {row}").equals(value, why=why)


@exercise("Trainer.after_epoch")
def test_after_epoch_saves_last(tt, expect):
    log, saved = [], []

    class Watched(training(tt).Trainer):
        def save(self, f):
            saved.append((f, self.epoch, len(self.history), len(log)))

    Watched(None, None, None, callbacks=[ear(tt, log)], checkpoint="run.safetensors").after_epoch({"loss": 0.5})
    why = "the checkpoint comes last, so that it holds the epoch, the row, and what the callbacks noted"
    expect(saved, "(path, epoch, rows, callbacks told) at save").equals([("run.safetensors", 1, 1, 1)], why=why)
    saved.clear()
    Watched(None, None, None).after_epoch({"loss": 0.5})
    expect(saved, "files saved without checkpoint=").equals([], why="checkpoint=None: nothing is written")


# Trainer.fit


def trainer_of(tt, lr=0.1, **options):
    """A Trainer with the layer and plain SGD."""
    model = layer(tt)
    return training(tt).Trainer(model, tt.optim.SGD(model.parameters(), lr=lr), mse, **options)


@exercise(
    "Trainer.fit",
    points=3,
    hints=(
        "One turn of the loop is one epoch: train, perhaps evaluate, make the row, `self.after_epoch(row)`.",
        "`epochs` counts all epochs, those before a resume included: go on while self.epoch < epochs and nobody "
        "has set self.stopped.",
        "The row: epoch (self.epoch + 1), loss, lr (`self.optimizer.param_groups[0]['lr']`, read before training), and "
        "with a validation loader each result of `evaluate` under 'val_' + its name.",
        "train_one_epoch gets self.each_step as scheduler, self.accumulate, self.max_norm, and `self.after_step` as "
        "on_step. Before the loop: self.loader, self.batches (None without a length), and self.loader_state.",
    ),
)
def test_fit_trains_for_epochs(tt, expect):
    trainer = trainer_of(tt)
    history = trainer.fit(batches(tt), 2)
    weight, _ = descend([slice(0, 3), slice(3, 6), slice(6, 7)] * 2)
    expect(trainer.model.weight.detach(), "weight after fit(loader, 2)").equals(weight, why="two epochs of three steps")
    expect([row["epoch"] for row in history], "epochs in the history").equals([1, 2], why="they are numbered from 1")
    expect((trainer.epoch, trainer.step), "(trainer.epoch, trainer.step)").equals(
        (2, 6), why="on_step is self.after_step"
    )


@exercise("Trainer.fit")
def test_fit_returns_rows(tt, expect):
    history = trainer_of(tt, lr=0.0).fit(batches(tt), 1)
    want = {"epoch": 1, "loss": loss_of(W, B, slice(0, 7)), "lr": 0.0}
    expect(history, "fit(loader, 1), lr=0").is_instance(list, why="fit returns self.history")
    expect(len(history), "len(fit(loader, 1))").equals(1, why="one dict for each epoch")
    numbers(expect, history[0], want, "fit(loader, 1)[0], lr=0", "one dict for each epoch: epoch, loss, lr")


@exercise("Trainer.fit")
def test_fit_validates(tt, expect):
    metrics = {"rows": lambda output, target: float(len(output))}
    trainer = trainer_of(tt, metrics=metrics)
    (row,) = trainer.fit(batches(tt, (3,)), 1, validation=batches(tt, (2, 2)))
    weight, bias = descend([slice(0, 3)])
    expect(sorted(row), "keys of the row").equals(
        ["epoch", "loss", "lr", "val_loss", "val_rows"], why="each result of evaluate, with val_ in front"
    )
    why = "evaluated after the epoch, on the validation loader, with the metrics"
    expect([row["val_loss"], row["val_rows"]], "[val_loss, val_rows]").equals(
        [loss_of(weight, bias, slice(0, 4)), 2.0], why=why
    )


@exercise("Trainer.fit")
def test_fit_counts_earlier_epochs(tt, expect):
    trainer = trainer_of(tt)
    trainer.fit(batches(tt), 2)
    history = trainer.fit(batches(tt), 3)
    why = "epochs is the number in all: after 2 epochs, fit(loader, 3) does one more"
    expect([row["epoch"] for row in history], "epochs after fit(loader, 2) and fit(loader, 3)").equals(
        [1, 2, 3], why=why
    )


@exercise("Trainer.fit")
def test_fit_can_be_stopped(tt, expect):
    class Stop(training(tt).Callback):
        def on_epoch_end(self, trainer, row):
            trainer.stopped = trainer.epoch == 2

    trainer = trainer_of(tt, callbacks=[Stop()])
    trainer.fit(batches(tt), 5)
    expect(trainer.epoch, "trainer.epoch, stopped by a callback after 2").equals(
        2, why="go on only while not self.stopped"
    )
    trainer.fit(batches(tt), 5)
    expect(trainer.epoch, "trainer.epoch after another fit").equals(
        2, why="stopped stays stopped, until somebody resets it"
    )


@exercise("Trainer.fit")
def test_fit_passes_its_settings_on(tt, expect):
    for each, rates in (("step", [0.8, 0.2]), ("epoch", [0.8, 0.4])):
        model = layer(tt)
        optimizer = tt.optim.SGD(model.parameters(), lr=0.8)
        scheduler = tt.optim.lr_scheduler.LambdaLR(optimizer, lambda t: 0.5**t)
        options = {"schedule_each": each, "accumulate": 2}
        trainer = training(tt).Trainer(model, optimizer, lambda o, t: 0 * mse(o, t), scheduler, **options)
        history = trainer.fit(batches(tt, (1, 1, 1, 1)), 2)
        why = "the lr with which the epoch began; 4 batches with accumulate=2 are 2 steps, each halves it if 'step'"
        expect([row["lr"] for row in history], f"lr of each epoch, schedule_each={each!r}").equals(rates, why=why)


@exercise("Trainer.fit", torch=False)
def test_fit_clips(tt, expect):
    trainer = trainer_of(tt, lr=1.0, max_norm=0.25)
    trainer.fit(batches(tt, (4,)), 1)
    moved = np.concatenate([(array(trainer.model.weight) - W).ravel(), array(trainer.model.bias) - B])
    why = "pass self.max_norm to train_one_epoch"
    expect(float(np.linalg.norm(moved)), "length of the step, max_norm=0.25").equals(0.25, why=why, rtol=1e-4)


@exercise("Trainer.fit")
def test_fit_knows_its_loader(tt, expect):
    trainer, loader = trainer_of(tt), batches(tt)
    trainer.fit(loader, 1)
    expect(trainer.batches, "trainer.batches").equals(3, why="len(loader), for the progress bar")
    why = "the trainer keeps the loader: its random generator belongs into the checkpoint"
    expect(trainer.loader, "trainer.loader").is_(loader, why=why)

    class Stream:
        def __iter__(self):
            return iter(loader)

    trainer = trainer_of(tt)
    with fine("fit(stream, 1), a loader without len", "a stream has no length: ask `hasattr(loader, '__len__')`"):
        trainer.fit(Stream(), 1)
    expect(trainer.batches, "trainer.batches of a stream").equals(None, why="not known")


@exercise("Trainer.fit", torch=False)
def test_fit_restores_the_loaders_generator(tt, expect):
    generator = tt.Generator().manual_seed(3)
    state = generator.get_state()
    data = tt.utils.data.TensorDataset(tt.tensor(X), tt.tensor(Y))
    loader = tt.utils.data.DataLoader(data, batch_size=1, shuffle=True, generator=generator)
    want = [array(x).tolist() for x, _ in loader]
    generator.manual_seed(99)
    seen = []
    model = layer(tt)

    class Spy(tt.nn.Module):
        def forward(self, x):
            seen.append(array(x).tolist())
            return model(x)

    trainer = training(tt).Trainer(Spy(), tt.optim.SGD(model.parameters(), lr=0.0), mse)
    trainer.loader_state = state
    trainer.fit(loader, 1)
    why = "self.loader_state comes from a checkpoint: set it before the first epoch, or the order of samples differs"
    expect(seen, "order of the samples after loader_state was set").equals(want, why=why)
    expect(trainer.loader_state, "trainer.loader_state after fit").equals(None, why="used once, then forgotten")


# Packer.pack


@exercise(
    "Packer.pack",
    points=3,
    torch=False,
    hints=(
        "Which values does JSON know as they are, which lose something on the way (a tuple, a key that is no string), "
        "and which must not be stored at all?",
        "Recursion: the pack of a list is the list of its items' packs. The path grows by a key or an index with each "
        "step down: (*path, key).",
        "Everything that is not plain is a dict with one key that says what it is: 'tensor', 'tuple' or 'dict'. A dict "
        "becomes a list of [packed key, packed value], so that an int as key stays an int.",
        "`self.name_of(value.array, '.'.join(map(str, path)))` notes a tensor's array and gives the name to write "
        'down. The last line raises TypeError with the type\'s name and the place, `["a"][2]`.',
    ),
)
def test_pack_keeps_plain_values(tt, expect):
    packer = files(tt).Packer()
    for value in (None, True, 7, -2.5, "seven", [1, [2.5, None]]):
        expect(packer.pack(value), f"pack({value!r})").equals(value, why="JSON knows it as it is")


@exercise("Packer.pack", torch=False)
def test_pack_takes_the_number_out_of_numpy(tt, expect):
    for value, want in ((np.float32(2.5), 2.5), (np.int64(7), 7), (np.bool_(True), True)):
        why = "JSON knows Python's numbers only: value.item()"
        with fine(f"pack({value!r})", why):
            got = files(tt).Packer().pack(value)
        expect(got, f"pack({value!r})").equals(want, why=why)
        expect(type(got).__name__, f"type of pack({value!r})").equals(type(want).__name__, why=why)


@exercise("Packer.pack", torch=False)
def test_pack_names_tensors_by_their_place(tt, expect):
    packer = files(tt).Packer()
    x, y = tt.tensor([1.5, 2.5]), tt.tensor([[3, 4, 5]])
    got = packer.pack({"model": {"weight": x}, "state": [7, y]})
    want = {"dict": [["model", {"dict": [["weight", {"tensor": "model.weight"}]]}],
                     ["state", [7, {"tensor": "state.1"}]]]}  # fmt: skip
    why = "a tensor becomes {'tensor': name}; its name is the path to it, joined by dots"
    expect(got, "pack({'model': {'weight': x}, 'state': [7, y]})").equals(want, why=why)
    expect(sorted(packer.arrays), "names in packer.arrays").equals(
        ["model.weight", "state.1"], why="name_of notes the array"
    )
    expect(packer.arrays["state.1"], "packer.arrays['state.1']").equals(y.array, why="name_of takes value.array")


@exercise("Packer.pack", torch=False)
def test_pack_keeps_keys_that_are_no_strings(tt, expect):
    got = files(tt).Packer().pack({0: "a", (1, 2): "b", "0": "c"})
    want = {"dict": [[0, "a"], [{"tuple": [1, 2]}, "b"], ["0", "c"]]}
    why = "JSON would turn the key 0 into '0': an optimizer's state has ints as keys. Pairs keep them, and the order"
    expect(got, "pack({0: 'a', (1, 2): 'b', '0': 'c'})").equals(want, why=why)


@exercise("Packer.pack", torch=False)
def test_pack_tells_tuples_from_lists(tt, expect):
    got = files(tt).Packer().pack({"betas": (0.9, [0.5])})
    why = "JSON has no tuple: {'tuple': items} marks it, a list stays a list"
    expect(got, "pack({'betas': (0.9, [0.5])})").equals({"dict": [["betas", {"tuple": [0.9, [0.5]]}]]}, why=why)
    x = tt.tensor([1.5])
    packer = files(tt).Packer()
    packer.pack((x, tt.tensor([2.5])))
    why = "the index of an item is a part of the path, in tuples too"
    expect(sorted(packer.arrays), "names after pack((x, y))").equals(["0", "1"], why=why)


@exercise("Packer.pack", torch=False)
def test_pack_refuses_what_it_does_not_know(tt, expect):
    why = "a set has no place in the file; say its type and where it was found"
    with expect.raises(TypeError, "pack({'a': [1, 2, {3}]})", ("set", "['a'][2]"), why):
        files(tt).Packer().pack({"a": [1, 2, {3}]})
    why = "an object of a class would have to bring its code with it: that is what pickle does, and what this is not"
    with expect.raises(TypeError, "pack(model)", ("Linear", "state_dict"), why):
        files(tt).Packer().pack(layer(tt))
    with expect.raises(TypeError, "pack(print)", ("builtin_function_or_method", "the top"), "no code in a file"):
        files(tt).Packer().pack(print)


# unpack


@exercise(
    "unpack",
    points=2,
    torch=False,
    hints=(
        "Read pack from right to left: what did a list become, what a tuple, what a dict?",
        "Lists: unpack each item. No dict: the value itself. A dict has exactly one key, which is the kind: "
        "`((kind, content),) = value.items()` takes it apart.",
        "'tensor': look it up. 'tuple': a tuple of unpacked items. 'dict': unpack key and value of each pair. Anything "
        "else: ValueError that names the kind.",
    ),
)
def test_unpack_plain_values_and_lists(tt, expect):
    for value in (None, True, 7, -2.5, "seven", [1, [2.5, None]]):
        expect(files(tt).unpack(value, {}), f"unpack({value!r}, {{}})").equals(value, why="as it is")


@exercise("unpack", torch=False)
def test_unpack_finds_tensors(tt, expect):
    x, y = tt.tensor([1.5, 2.5]), tt.tensor([3, 4])
    got = files(tt).unpack([{"tensor": "b"}, [{"tensor": "a"}]], {"a": x, "b": y})
    call = "unpack([{'tensor': 'b'}, [{'tensor': 'a'}]], tensors)"
    expect(got, call).is_instance(list, why="a list stays a list, with each item unpacked")
    expect(got[0], call + "[0]").is_(y, why="a tensor is looked up by its name")
    expect(got[1][0], call + "[1][0]").is_(x, why="also deep inside")
    got = files(tt).unpack({"dict": [["m", {"tuple": [{"tensor": "a"}]}]]}, {"a": x, "b": y})
    call = "unpack({'dict': [['m', {'tuple': [{'tensor': 'a'}]}]]}, tensors)['m'][0]"
    expect(got["m"][0], call).is_(x, why="also deep inside: hand `tensors` down with each call")


@exercise("unpack", torch=False)
def test_unpack_rebuilds_tuples_and_dicts(tt, expect):
    why = "keys are unpacked too: the int 0 stays an int and a tuple becomes a tuple again"
    with fine("unpack({'dict': ...}, {})", why):
        got = files(tt).unpack({"dict": [[0, "a"], [{"tuple": [1, 2]}, {"tuple": [0.9, [5]]}], ["0", None]]}, {})
    expect(got, "unpack({'dict': ...}, {})").equals({0: "a", (1, 2): (0.9, [5]), "0": None}, why=why)


@exercise("unpack", torch=False)
def test_unpack_is_the_reverse_of_pack(tt, expect):
    value = {
        "step": 3,
        "groups": [{"betas": (0.9, 0.999), "params": [0, 1]}],
        "state": {0: {"step": 2.0}},
        "none": None,
    }
    got = files(tt).unpack(json.loads(json.dumps(files(tt).Packer().pack(value))), {})
    expect(got, "unpack(json.loads(json.dumps(pack(value))))").equals(value, why="what went in comes out")


@exercise("unpack", torch=False)
def test_unpack_refuses_an_unknown_kind(tt, expect):
    why = "a file may come from anybody: a kind that pack does not write is an error, not something to be guessed"
    with expect.raises(ValueError, "unpack({'object': 'os.system'}, {})", ("object",), why):
        files(tt).unpack({"object": "os.system"}, {})


# to_bytes


def take_apart(content):
    """Header and data of a safetensors file, read here in three lines."""
    size = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + size]), content[8 + size :], size


ARRAYS = {
    "w": np.array([[1.5, -2.0, 3.0]], np.float32),
    "n": np.array([7, -8], np.int64),
    "m": np.array([True, False, True]),
}


@exercise(
    "to_bytes",
    points=3,
    hints=(
        "Three pieces in a row: 8 bytes with the length of the header, the header, the bytes of all arrays.",
        "Lay the arrays out first: an `end` that starts at 0 and grows by array.nbytes gives each its data_offsets.",
        "Widest dtype first keeps each array aligned: sort the names by (-itemsize, name). `CODES[array.dtype]` is the "
        "dtype's code; `list(array.shape)` the shape.",
        "`json.dumps(header).encode()`, with `__metadata__` first unless it is empty; blanks until its length is a "
        "multiple of 8, "
        "`len(text).to_bytes(8, 'little')` before it, and `arrays[name].tobytes()` in the same order behind it.",
    ),
)
def test_bytes_begin_with_the_length_of_the_header(tt, expect):
    content = files(tt).to_bytes(ARRAYS, {})
    expect(content, "to_bytes(arrays, {})").is_instance(bytes, why="one bytes object, ready to be written")
    size = int.from_bytes(content[:8], "little")
    data = sum(a.nbytes for a in ARRAYS.values())
    why = "8 bytes, little-endian: the length of the header, with its padding; data follow"
    expect(size, "length in the first 8 bytes").equals(len(content) - 8 - data, why=why)
    with fine("json.loads of the header", "the header is JSON, encoded as UTF-8"):
        json.loads(content[8 : 8 + size])


@exercise("to_bytes")
def test_bytes_describe_each_array(tt, expect):
    header, _, _ = take_apart(files(tt).to_bytes(ARRAYS, {"format": "pt"}))
    expect(header.pop("__metadata__", None), "header['__metadata__']").equals(
        {"format": "pt"}, why="the metadata as given"
    )
    got = {name: (entry.get("dtype"), entry.get("shape")) for name, entry in header.items()}
    want = {"w": ("F32", [1, 3]), "n": ("I64", [2]), "m": ("BOOL", [3])}
    why = "an entry for each array: its code from CODES, and its shape as a list"
    expect(got, "dtype and shape of each entry").equals(want, why=why)


@exercise("to_bytes")
def test_bytes_hold_the_numbers(tt, expect):
    header, data, _ = take_apart(files(tt).to_bytes(ARRAYS, {}))
    for name, values in ARRAYS.items():
        begin, end = header[name]["data_offsets"]
        why = "data_offsets are begin and end of its bytes, counted from the end of the header"
        expect(end - begin, f"bytes of {name!r}").equals(values.nbytes, why=why)
        got = np.frombuffer(data[begin:end], values.dtype).reshape(values.shape)
        expect(got, f"the numbers at the data_offsets of {name!r}").equals(values, why=why)
    ends = sorted(header[name]["data_offsets"] for name in ARRAYS)
    expect([ends[0][0], ends[1][0], ends[2][0]], "where the arrays begin").equals(
        [0, ends[0][1], ends[1][1]], why="one after the other, without gaps"
    )


@exercise("to_bytes")
def test_bytes_are_aligned(tt, expect):
    arrays = {
        "a": np.array([1, 2, 3], np.int8),
        "b": np.array([0.5]),
        "c": np.array([1.5], np.float16),
        "d": np.array([2.5]),
    }
    header, _, size = take_apart(files(tt).to_bytes(arrays, {"k": "v"}))
    expect(size % 8, "length of the header, modulo 8").equals(
        0, why="padded with blanks, so that the data begin aligned"
    )
    order = sorted(arrays, key=lambda name: header[name]["data_offsets"])
    why = "the widest dtypes first, then by name: each array begins at a multiple of its itemsize"
    expect(order, "order of the arrays in the file").equals(["b", "d", "c", "a"], why=why)
    for extra in range(1, 9):
        content = files(tt).to_bytes({"x" * extra: arrays["b"]}, {})
        size = int.from_bytes(content[:8], "little")
        expect(size % 8, f"length of the header, modulo 8, for a name of {extra}").equals(
            0, why="whatever its length was"
        )
        blanks = size - len(content[8 : 8 + size].rstrip(b" "))
        why = "no more blanks than are missing: `-len(text) % 8` is 0 where none is, `8 - len(text) % 8` is then 8"
        expect(blanks < 8, f"fewer than 8 blanks end the header, for a name of {extra}").equals(True, why=why)


@exercise("to_bytes")
def test_bytes_of_awkward_arrays(tt, expect):
    turned = np.arange(6, dtype=np.float32).reshape(2, 3).T
    header, data, _ = take_apart(files(tt).to_bytes({"größe": turned, "empty": np.zeros((0, 4), np.float32)}, {}))
    begin, end = header["größe"]["data_offsets"]
    why = "row after row, whatever the strides: `tobytes()` does that"
    expect(np.frombuffer(data[begin:end], np.float32).reshape(3, 2), "a transposed array, read back").equals(
        turned, why=why
    )
    expect(header["empty"]["shape"], "shape of an empty array").equals([0, 4], why="the shape is kept all the same")
    expect(
        header["empty"]["data_offsets"][0] == header["empty"]["data_offsets"][1], "an empty array takes no bytes"
    ).equals(True, why="it has no numbers: its data_offsets begin and end at one place")
    with fine("to_bytes({}, {})", "no arrays are allowed: a dict of numbers has none"):
        content = files(tt).to_bytes({}, {})
    header, data, _ = take_apart(content)
    expect(
        (header.get("__metadata__", {}), len(data)), "(metadata, bytes after the header) of to_bytes({}, {})"
    ).equals(({}, 0), why="nothing in it: the header holds no entry, and nothing follows")


@exercise("to_bytes", torch=False)
def test_bytes_keep_the_order_of_names(tt, expect):
    header, _, _ = take_apart(files(tt).to_bytes(ARRAYS, {}))
    why = "the header names the arrays in the order of the dict, so that a dict is read back in its order"
    expect([name for name in header if name != "__metadata__"], "names in the header").equals(["w", "n", "m"], why=why)


@exercise("to_bytes")
def test_bytes_of_the_lessons_example(tt, expect):
    content = files(tt).to_bytes({"w": np.float32([[1.5, -2.0]]), "n": np.int64([7])}, {})
    header, data, _ = take_apart(content)
    why = "empty metadata says nothing and is left out: the header has an entry for each array and no other"
    expect(sorted(header), "names in the header of to_bytes({'w': ..., 'n': ...}, {})").equals(["n", "w"], why=why)
    expect(len(data), "bytes after the header").equals(16, why="one int64 and two float32, 8 bytes each")


# read_header


def file_with(header, data=b""):
    """A file with this header, which may be anything."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


@exercise(
    "read_header",
    points=2,
    hints=(
        "The file may be cut off, may be a holiday photo, may be made to harm. What do you know before a check?",
        "Check in the order in which you use it: at least 8 bytes; a length that fits; JSON; a dict; metadata that is "
        "a dict of strings. Each failure is a ValueError with words of its own.",
        "`json.loads(content[8 : 8 + size].decode())` raises ValueError: catch it and say that "
        "the header is no JSON. `header.pop('__metadata__', {})` only when the header is a dict.",
    ),
)
def test_header_is_read(tt, expect):
    entry = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    content = file_with({"w": entry, "__metadata__": {"k": "v"}}, b"12345678")
    got = files(tt).read_header(content)
    expect(got, "read_header(content)").is_instance(tuple, why="(entries, metadata, data)")
    header, metadata, data = got
    expect(header, "entries of read_header").equals({"w": entry}, why="by name, without __metadata__")
    expect(metadata, "metadata of read_header").equals({"k": "v"}, why="what stood under __metadata__")
    why = "what follows the header, as a memoryview: slicing it copies nothing"
    expect(data, "data of read_header").is_instance(memoryview, why=why)
    expect(bytes(data), "bytes(data)").equals(b"12345678", why="everything after the header")


@exercise("read_header")
def test_header_without_metadata(tt, expect):
    with fine("read_header, no __metadata__", "__metadata__ is optional"):
        header, metadata, data = files(tt).read_header(file_with({}))
    expect((header, metadata, len(data)), "read_header of an empty dict").equals(({}, {}, 0), why="then it is {}")
    with fine("read_header of b'{}'", "the header may reach exactly to the end of the file"):
        files(tt).read_header((2).to_bytes(8, "little") + b"{}")


@exercise("read_header")
def test_header_of_a_file_too_short(tt, expect):
    for content in (b"", b"1234567"):
        why = "less than the 8 bytes of the length: say how many there are"
        with expect.raises(ValueError, f"read_header({content!r})", (str(len(content)), "too few"), why):
            files(tt).read_header(content)
    with expect.raises(ValueError, "read_header of 8 zero bytes", ("no JSON",), "8 bytes are enough for a length, 0"):
        files(tt).read_header(bytes(8))


@exercise("read_header")
def test_header_that_claims_too_much(tt, expect):
    content = (3).to_bytes(8, "little") + b"{}"
    why = "the length goes beyond the end: the file was cut off, or is something else"
    with expect.raises(ValueError, "read_header, length 3, 2 bytes follow", ("3", "2"), why):
        files(tt).read_header(content)
    with expect.raises(ValueError, "read_header, length 2**63", (), "check it before you use it"):
        files(tt).read_header((2**63).to_bytes(8, "little") + b"{}")


@exercise("read_header")
def test_header_that_is_no_json(tt, expect):
    for text in (b"{oops", b"\xff\xfe\xfd", b""):
        shown = repr(text[:6])
        why = "whatever is wrong with the text, the message says that the header is no JSON"
        with expect.raises(ValueError, f"read_header, header {shown}", ("no JSON",), why):
            files(tt).read_header(file_with(text))


@exercise("read_header")
def test_header_that_is_no_dict(tt, expect):
    for header in ([1, 2], "text", None, {"__metadata__": [1]}, {"__metadata__": {"k": 7}}):
        why = "the header must be a dict, and its __metadata__ a dict of strings: nothing else is a safetensors file"
        with expect.raises(ValueError, f"read_header, header {json.dumps(header)}", ("dict",), why):
            files(tt).read_header(file_with(header))


# write_file


@exercise(
    "write_file",
    points=2,
    hints=(
        "When the power fails in the middle of writing, what is on the disk? And what was there before?",
        "Write everything to another file beside it, then rename: the system does that at once or not at all.",
        "A file object (it has `write`) just gets the bytes. For a path: `partial.write_bytes(content)`, then "
        "`partial.replace(path)`; in `finally`, `partial.unlink(missing_ok=True)`.",
    ),
)
def test_write_to_a_file_object(tt, expect):
    stream = io.BytesIO()
    with fine("write_file(stream, b'abc')", "what has a `write` gets the bytes"):
        files(tt).write_file(stream, b"abc")
    expect(stream.getvalue(), "what the file object got").equals(b"abc", why="all the bytes, once")
    expect(stream.closed, "is the file object closed").equals(False, why="who opened it closes it")


@exercise("write_file")
def test_write_to_a_path(tt, expect):
    with tempfile.TemporaryDirectory() as folder:
        for path in (pathlib.Path(folder) / "a.bin", str(pathlib.Path(folder) / "b.bin")):
            with fine(
                f"write_file({type(path).__name__}, b'abc')", "a path may be a str or a Path: Path(f) takes both"
            ):
                files(tt).write_file(path, b"abc")
            expect(pathlib.Path(path).read_bytes(), "what is in the file").equals(b"abc", why="all the bytes, once")
        left = sorted(p.name for p in pathlib.Path(folder).iterdir())
        expect(left, "files in the folder").equals(["a.bin", "b.bin"], why="the partial file is gone")


@exercise("write_file")
def test_write_replaces(tt, expect):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "a.bin"
        path.write_bytes(b"a longer file from before")
        files(tt).write_file(path, b"new")
        expect(path.read_bytes(), "the file after a second write").equals(
            b"new", why="the new content replaces the old"
        )


@exercise("write_file", points=2)
def test_write_is_all_or_nothing(tt, expect):
    class Half(bytes):
        """Bytes whose writing fails half-way, as on a full disk."""

    real = pathlib.Path.write_bytes

    def fails(self, data):
        real(self, bytes(data)[:3])
        raise OSError("No space left on device")

    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "a.bin"
        path.write_bytes(b"the old one")
        pathlib.Path.write_bytes = fails
        try:
            why = "the error must reach the caller, who believes the checkpoint to be safe otherwise"
            with expect.raises(OSError, "write_file on a full disk", (), why):
                files(tt).write_file(path, Half(b"the new one"))
        finally:
            pathlib.Path.write_bytes = real
        why = "write beside it first and rename when all is written: the last good checkpoint survives"
        expect(path.read_bytes(), "the file after a write that failed").equals(b"the old one", why=why)
        left = sorted(p.name for p in pathlib.Path(folder).iterdir())
        expect(left, "files in the folder").equals(["a.bin"], why="half a file is of no use: remove it in `finally`")


# Trainer.state_dict


def complete(tt, seed=0, callbacks=None, **options):
    """A Trainer with all that a checkpoint must hold: dropout, Adam, a schedule, a shuffled loader, callbacks."""
    tt.manual_seed(seed)
    model = tt.nn.Sequential(layer(tt, W.repeat(4, 0), B.repeat(4)), tt.nn.Dropout(0.25), tt.nn.Linear(4, 1))
    optimizer = tt.optim.Adam(model.parameters(), lr=0.05)
    scheduler = tt.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)
    if callbacks is None:
        callbacks = [training(tt).EarlyStopping("loss", patience=50), training(tt).LiveCurve(len, every=2)]
    trainer = training(tt).Trainer(model, optimizer, mse, scheduler, callbacks=callbacks, **options)
    data = tt.utils.data.TensorDataset(tt.tensor(X), tt.tensor(Y))
    generator = tt.Generator().manual_seed(seed)
    return trainer, tt.utils.data.DataLoader(data, batch_size=3, shuffle=True, generator=generator)


def as_plain(x):
    """Nested values with tensors as lists, which `equals` compares."""
    if isinstance(x, dict):
        return {key: as_plain(value) for key, value in x.items()}
    if isinstance(x, list | tuple):
        return type(x)(as_plain(value) for value in x)
    return array(x).tolist() if hasattr(x, "detach") else x


@exercise(
    "Trainer.state_dict",
    points=3,
    torch=False,
    hints=(
        "What would a new Trainer have to be told so that its next step is the step you would have made?",
        "model, optimizer and scheduler have a state_dict of their own, each callback too. Without a scheduler: None.",
        "'progress' holds what the trainer counted: epoch, step, stopped, history, by these names.",
        "Two sources of random numbers: `default_generator` (dropout) and `self.loader.generator` (the order). Both "
        "have get_state(). The loader, or its generator, may be missing: getattr with a default of None.",
    ),
)
def test_state_has_all_parts(tt, expect):
    trainer, loader = complete(tt)
    trainer.fit(loader, 1)
    keys = ["callbacks", "loader", "model", "optimizer", "progress", "random", "scheduler"]
    state = trainer.state_dict()
    expect(state, "trainer.state_dict()").is_instance(dict, why="a dict with the keys of the lesson's table")
    expect(sorted(state), "keys of trainer.state_dict()").equals(keys, why="all that the next step depends on")
    for name in ("model", "optimizer", "scheduler"):
        want = as_plain(getattr(trainer, name).state_dict())
        expect(as_plain(state[name]), f"trainer.state_dict()[{name!r}]").equals(want, why="its own state_dict()")


@exercise("Trainer.state_dict", torch=False)
def test_state_has_the_progress(tt, expect):
    trainer, loader = complete(tt)
    trainer.fit(loader, 2)
    trainer.stopped = True
    want = {"epoch": 2, "step": 6, "stopped": True, "history": trainer.history}
    why = "what the trainer has counted, by the names of its attributes"
    expect(trainer.state_dict()["progress"], "trainer.state_dict()['progress'], 2 epochs").equals(want, why=why)


@exercise("Trainer.state_dict", torch=False)
def test_state_has_the_callbacks(tt, expect):
    trainer, loader = complete(tt)
    trainer.fit(loader, 1)
    want = [callback.state_dict() for callback in trainer.callbacks]
    why = "a list, one state_dict() for each callback: how long EarlyStopping has waited counts as well"
    expect(trainer.state_dict()["callbacks"], "trainer.state_dict()['callbacks']").equals(want, why=why)


@exercise("Trainer.state_dict", torch=False)
def test_state_has_both_generators(tt, expect):
    trainer, loader = complete(tt)
    trainer.fit(loader, 1)
    state = trainer.state_dict()
    why = "dropout draws from the library's generator: default_generator.get_state()"
    expect(state["random"], "trainer.state_dict()['random']").equals(tt.get_rng_state(), why=why)
    why = "the order of samples comes from the loader's own generator: self.loader.generator.get_state()"
    expect(state["loader"], "trainer.state_dict()['loader']").equals(loader.generator.get_state(), why=why)


@exercise("Trainer.state_dict", torch=False)
def test_state_of_a_simple_trainer(tt, expect):
    with fine(
        "state_dict() of a Trainer that never trained", "no scheduler, no callbacks and no loader: None, [] and None"
    ):
        state = trainer_of(tt).state_dict()
    got = (state["scheduler"], state["callbacks"], state["loader"])
    expect(got, "(scheduler, callbacks, loader)").equals((None, [], None), why="nothing there: None, [] and None")
    trainer = trainer_of(tt)
    trainer.fit(batches(tt), 1)
    with fine("state_dict() of a Trainer whose loader is a list", "a list has no generator: None"):
        state = trainer.state_dict()
    expect(state["loader"], "trainer.state_dict()['loader'], loader a list").equals(None, why="no generator, no state")
    trainer.loader = tt.utils.data.DataLoader(tt.utils.data.TensorDataset(tt.tensor(X), tt.tensor(Y)), 3)
    with fine(
        "state_dict(), loader a DataLoader made without generator=", "its generator is None, and None has no state"
    ):
        state = trainer.state_dict()
    expect(state["loader"], "trainer.state_dict()['loader'], generator None").equals(None, why="no generator, no state")


@exercise("Trainer.state_dict", torch=False)
def test_state_can_be_saved(tt, expect):
    trainer, loader = complete(tt)
    trainer.fit(loader, 1)
    stream = io.BytesIO()
    with fine("trainer.save(file)", "state_dict() may hold tensors, numbers, text, None, and dicts and lists of them"):
        trainer.save(stream)
    stream.seek(0)
    why = "what is loaded is what was saved"
    expect(as_plain(dict(tt.load(stream))), "tt.load(file)").equals(as_plain(trainer.state_dict()), why=why)


# Trainer.load_state_dict


def half_way(tt, epochs=2):
    """A checkpoint after some epochs, and what the run would have come to after 4 without a stop."""
    straight, loader = complete(tt)
    straight.fit(loader, epochs)
    stream = io.BytesIO()
    straight.save(stream)
    straight.fit(loader, 4)
    stream.seek(0)
    return straight, stream


@exercise(
    "Trainer.load_state_dict",
    points=3,
    torch=False,
    hints=(
        "Go through the keys of state_dict() one by one: who takes each of them?",
        "model, optimizer, scheduler and each callback have `load_state_dict`; `vars(self).update(...)` takes over "
        "the progress. Without a scheduler there is nothing to load.",
        "`default_generator.set_state` for 'random'. The loader is not known yet: keep its state in "
        "`self.loader_state`, and fit will use it.",
    ),
)
def test_resumed_counts(tt, expect):
    _, stream = half_way(tt)
    trainer, _ = complete(tt, seed=5)
    trainer.resume(stream)
    got = (trainer.epoch, trainer.step, trainer.stopped, len(trainer.history))
    why = "epoch, step, stopped and history go on where they were"
    expect(got, "(epoch, step, stopped, rows) after resume").equals((2, 6, False, 2), why=why)


@exercise("Trainer.load_state_dict", torch=False)
def test_resumed_parts_have_their_state(tt, expect):
    source, loader = complete(tt)
    source.fit(loader, 2)
    state = source.state_dict()
    trainer, _ = complete(tt, seed=5)
    trainer.load_state_dict(state)
    for name in ("model", "optimizer", "scheduler"):
        want = as_plain(getattr(source, name).state_dict())
        why = f"give state_dict[{name!r}] to the {name}'s own load_state_dict"
        expect(as_plain(getattr(trainer, name).state_dict()), f"{name}.state_dict() after loading").equals(
            want, why=why
        )
    got = [callback.state_dict() for callback in trainer.callbacks]
    want = [callback.state_dict() for callback in source.callbacks]
    expect(got, "state of the callbacks after loading").equals(want, why="each callback gets its own part, in order")


@exercise("Trainer.load_state_dict", torch=False)
def test_resumed_random_numbers(tt, expect):
    source, loader = complete(tt)
    source.fit(loader, 2)
    state = source.state_dict()
    want = tt.rand(3)
    trainer, _ = complete(tt, seed=5)
    trainer.load_state_dict(state)
    why = "default_generator.set_state: dropout must go on with the numbers it would have drawn"
    expect(tt.rand(3), "tt.rand(3) after loading").equals(want, why=why)
    why = "the loader comes with fit: keep its state in self.loader_state until then"
    expect(trainer.loader_state, "trainer.loader_state after loading").equals(loader.generator.get_state(), why=why)


@exercise("Trainer.load_state_dict", points=3, torch=False)
def test_resuming_equals_never_having_stopped(tt, expect):
    straight, stream = half_way(tt)
    trainer, loader = complete(tt, seed=5)
    trainer.resume(stream)
    trainer.fit(loader, 4)
    why = "equal to the last bit: weights, moments of Adam, learning rate, order of samples, dropout"
    expect(trainer.history, "history of 2 epochs, a resume, and 2 more").equals(
        straight.history, why=why, rtol=0, atol=0
    )
    for name, value in straight.model.state_dict().items():
        got = trainer.model.state_dict()[name]
        expect(got, f"{name} after 2 epochs, a resume, and 2 more").equals(array(value), why=why, rtol=0, atol=0)


@exercise("Trainer.load_state_dict", torch=False)
def test_resumed_without_a_scheduler(tt, expect):
    source = trainer_of(tt)
    source.fit(batches(tt), 1)
    trainer = trainer_of(tt)
    with fine("load_state_dict without a scheduler", "no scheduler: its state is None, and nobody takes it"):
        trainer.load_state_dict(source.state_dict())
    why = "the model takes over state_dict['model'] whether or not there is a scheduler"
    expect(trainer.model.weight.detach(), "weight after loading").equals(source.model.weight.detach(), why=why)


@exercise("Trainer.load_state_dict", torch=False)
def test_resumed_with_other_callbacks(tt, expect):
    _, stream = half_way(tt)
    trainer, _ = complete(tt, seed=5, callbacks=[training(tt).LiveCurve(len)])
    why = "two callbacks were saved and there is one: zip(..., strict=True) notices instead of mixing them up"
    with expect.raises(ValueError, "resume with one callback instead of two", (), why):
        trainer.resume(stream)

"""Module 04, Losses: one number that says how wrong a model is, and keeps saying it at logits of ±1000.

All functions take `reduction`: "mean", "sum" or "none" (the loss of each element); `size_average` and `reduce`
are PyTorch's old way to say the same.
"""

import warnings
from typing import Any

import numpy as np

from ._pointwise import abs, clamp
from ._reduce import logsumexp  # noqa: F401 - it calls LogSumExp
from .activations import below_largest, floats, log_softmax, softplus
from .shapes import broadcast_shapes, restore_dims
from .tensor import Function


class LogSumExp(Function):
    """out = log(sum of e^a over dim).  dL/da = g * e^(a - out)."""

    saves = "both"

    def forward(ctx, a, dim, keepdim=False):
        """Return log(sum of e^a) over dim, finite wherever the true result is, and without warnings.

        a: of floats. dim: a dimension, a tuple of them, or None for an a without dimensions; it stays, with size 1,
        where keepdim. The sum of no terms, or of terms that are all -inf, gives -inf.
        """
        largest = a.max(axis=dim, keepdims=True, initial=-np.inf)
        shift = np.where(np.isfinite(largest), largest, a.dtype.type(0))  # inf - inf would be nan
        with np.errstate(divide="ignore", over="ignore"):
            out = np.log(np.exp(a - shift).sum(axis=dim, keepdims=True)) + shift
        return out if keepdim else out.squeeze(dim)

    def backward(ctx, g):
        """Return the gradient of a. `ctx.inputs` holds a, `ctx.output` what forward returned."""
        (a,), dim, keepdim = ctx.inputs, ctx.options["dim"], ctx.options["keepdim"]
        dim = dim if a.ndim else None
        return restore_dims(g, a.shape, dim, keepdim) * np.exp(a - restore_dims(ctx.output, a.shape, dim, keepdim))


class ClassLoss(Function):
    """The part that cross-entropy and negative log-likelihood share: classes, weights, reduction.

    a: (N, C), (C,) or (N, C, d1, ...); target: the same shape without C, int64 or uint8, one class each. A subclass
    has `rows_loss(ctx, rows)` and `rows_grad(ctx, scale)`: rows is (n, C), each has one loss and one scale.
    ctx.index is the class of each row; ctx.weights its weight, 0 where the target is ignore_index.
    """

    rows_loss: Any
    rows_grad: Any

    def forward(ctx, a, target, weight=None, ignore_index=-100, reduction="mean"):
        """Return the losses of the rows in target's shape ("none"), their sum, or their mean; keep index and weights.

        weight: (C,), of each class; a row weighs as much as its class, and 0 where its target is ignore_index. The
        mean is the sum divided by the weights of the rows, nan where they are all 0. An ignored row has the loss 0
        whatever it holds, -inf and nan as well. Raises ValueError or RuntimeError for a target that does not fit a
        (`check_target`), IndexError naming a class that does not exist.
        """
        check_target(a, target, weight)
        rows = a if a.ndim < 3 else np.moveaxis(a, 1, -1)
        rows = rows.reshape(target.size, a.shape[min(a.ndim - 1, 1)])
        target_rows = target.reshape(-1)
        keep = target_rows != ignore_index
        ctx.index = np.where(keep, target_rows, 0)
        wrong = ctx.index[(ctx.index < 0) | (ctx.index >= rows.shape[1])]
        if wrong.size:
            raise IndexError(f"Target {wrong[0]} is out of bounds.")
        ctx.weights = keep.astype(a.dtype) if weight is None else weight[ctx.index] * keep
        with np.errstate(invalid="ignore"):  # 0 * inf in ignored rows; 0 / 0, nan, when all are, as in PyTorch
            losses = np.where(keep, ctx.rows_loss(rows), 0)
            if reduction == "none":
                return losses.reshape(target.shape)
            return losses.sum() / ctx.weights.sum() if reduction == "mean" else losses.sum()

    def backward(ctx, g):
        (shape, _), scale = ctx.shapes, g.reshape(-1)
        if ctx.options["reduction"] == "mean":
            scale = scale / ctx.weights.sum()
        grad = ctx.rows_grad(scale)
        if len(shape) < 3:
            return grad.reshape(shape), None
        return np.moveaxis(grad.reshape(shape[0], *shape[2:], shape[1]), -1, 1), None

    def pick(ctx, rows):
        """Return the index, a tuple of two arrays, that takes from each row the number of its class, `ctx.index`."""
        return np.arange(len(rows)), ctx.index


def check_target(a, target, weight):
    """Return None if the classes in target and the weights of classes fit a; otherwise raise the first that applies.

    RuntimeError naming target's dtype unless that is int64 or uint8; RuntimeError for an a without dimensions;
    ValueError naming both first sizes (0 where there is none) if they differ and a has 2 dimensions or more;
    RuntimeError naming as lists the shape that target must have and the one it has; RuntimeError naming the number of
    classes and the shape, as a list, of a weight that is not None and not (C,).
    """
    if target.dtype not in (np.int64, np.uint8):
        raise RuntimeError(f"expected target dtype to be Long or Byte, but got {target.dtype}")
    if a.ndim == 0:
        raise RuntimeError("expected an input with at least a dimension of classes, got a number")
    if a.ndim > 1 and a.shape[:1] != target.shape[:1]:
        batches = f"({len(a)}) to match target batch_size ({target.shape[0] if target.ndim else 0})"
        raise ValueError(f"Expected input batch_size {batches}.")
    expected = (*a.shape[:1], *a.shape[2:]) if a.ndim > 1 else ()
    if target.shape != expected:
        raise RuntimeError(f"Expected target size {list(expected)}, got {list(target.shape)}")
    classes = a.shape[min(a.ndim - 1, 1)]
    if weight is not None and weight.shape != (classes,):
        wants = f"all {classes} classes or no classes but got weight tensor of shape: {list(weight.shape)}"
        raise RuntimeError(f"weight tensor should be defined either for {wants}")


class NLL(ClassLoss):
    """out = -weight * a[class] for each row, reduced.  dL/da = -scale * weight at the class, 0 elsewhere."""

    def rows_loss(ctx, rows):
        """Return minus the number at each row's class, times `ctx.weights`. Raises NotImplementedError for ints."""
        return -ctx.weights * floats(rows, "nll_loss")[ctx.pick(rows)]

    def rows_grad(ctx, scale):
        """Return the gradient of the rows, (n, C), when each row's loss has the gradient scale, (n,), or (1,) for all.

        `ctx.weights` are the weights of the rows, (n,), as `ctx.index` are their classes; `ctx.dtype` is the gradient's
        dtype. `ctx.shapes[0]` is a's shape, in which C stands second, or alone: (n, C), (C,) or (N, C, d1, ...).
        """
        classes = ctx.shapes[0][min(len(ctx.shapes[0]) - 1, 1)]
        out = np.zeros((len(ctx.index), classes), ctx.dtype)
        out[ctx.pick(out)] = -scale * ctx.weights
        return out


class CrossEntropy(ClassLoss):
    """out = -weight * log(softmax(a))[class], reduced.  dL/da = scale * weight * (softmax(a) - 1 at the class)."""

    def rows_loss(ctx, rows):
        """Return log(sum of e^a) - a[class] of each row, times `ctx.weights`. Raises NotImplementedError for ints.

        Keeps for module 06 `ctx.exp`, e^(a - the largest of its row), (n, C), and `ctx.total`, its sums, (n,).
        """
        below = below_largest(floats(rows, "cross_entropy"), 1)
        wanted = below[ctx.pick(rows)]
        ctx.exp = np.exp(below, out=below)
        ctx.total = ctx.exp.sum(axis=1)
        return ctx.weights * (np.log(ctx.total) - wanted)

    def rows_grad(ctx, scale):
        """Return the gradient of the rows, (n, C), when each row's loss has the gradient scale, (n,), or (1,) for all.

        `ctx.weights` are the weights of the rows, (n,); forward left `ctx.exp`, (n, C), and `ctx.total`, (n,).
        """
        scale = scale * ctx.weights
        out = ctx.exp * (scale / ctx.total)[:, None]
        out[ctx.pick(out)] -= scale
        return out


def nll_loss(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"):
    """Return -input at the target classes, where input holds logarithms of probabilities (from `log_softmax`).

    Shapes, weight, ignore_index and errors as in `cross_entropy` of classes.

    >>> tt.nn.functional.nll_loss(tt.tensor([[-0.5, -1.0], [-2.0, -0.25]]), tt.tensor([0, 0]))
    tensor(1.2500)
    """
    reduction = named_reduction(reduction, size_average, reduce)
    weight = None if weight is None else weight.array
    return NLL.apply(input, target, weight=weight, ignore_index=ignore_index, reduction=reduction)


def over_classes(logs, weight):
    """Return minus the sum of logs over the classes, each times the weight of its class, unless weight is None.

    logs: (C,), (N, C) or (N, C, d1, ...); weight: (C,); both tensors. The result has the shape of logs without C.
    """
    dim = min(logs.ndim - 1, 1)
    return -(logs if weight is None else logs * weight.reshape(-1, *[1] * (logs.ndim - dim - 1))).sum(dim)


def smoothed_nll(logs, target, weight, ignore_index, reduction, smoothing):
    """Return `nll_loss` of targets of which the share `smoothing` is spread evenly over all classes.

    logs: logarithms of probabilities; the rest as in `cross_entropy` of classes. A row whose target is ignore_index
    counts in neither part, whatever it holds; the mean is divided by the weights of the targets.
    """
    losses = nll_loss(logs, target, weight, ignore_index=ignore_index, reduction=reduction)
    counts = (target != ignore_index).to(logs.dtype)
    spread = over_classes(logs, weight).masked_fill(target == ignore_index, 0.0)  # 0 * inf would be nan
    if reduction == "mean" and weight is not None:
        counts = counts * weight[target * counts.to(target.dtype)]
    if reduction != "none":
        spread = spread.sum() / (counts.sum() if reduction == "mean" else 1)
    return losses * (1 - smoothing) + spread * (smoothing / logs.shape[min(logs.ndim - 1, 1)])


def cross_entropy(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean", label_smoothing=0.0
):
    """Return -log(softmax(input)) at the target classes, stable for logits of any size.

    input: logits (C,), (N, C) or (N, C, d1, ...). target: a class for each row (int64, the shape without C), or
    probabilities of classes (input's shape). weight: (C,), of each class; the mean is divided by the weights of the
    targets (by the number of rows for probabilities). Rows whose target is ignore_index do not count, whatever they
    hold. label_smoothing spreads this share of each target over all classes. Raises ValueError, RuntimeError or
    IndexError for targets that do not fit; RuntimeError naming a label_smoothing outside 0 to 1 (PyTorch computes with
    a negative one); RuntimeError naming ignore_index where that is 0 or more with probabilities.

    >>> tt.nn.functional.cross_entropy(tt.tensor([[0.0, 0.0], [0.0, 1000.0]]), tt.tensor([0, 0]), reduction="none")
    tensor([6.9315e-01, 1.0000e+03])
    """
    reduction = named_reduction(reduction, size_average, reduce)
    if not 0 <= label_smoothing <= 1:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    if target.shape == input.shape and target.is_floating_point():
        if ignore_index >= 0:
            raise RuntimeError("ignore_index is not supported for floating point target")
        if label_smoothing:
            target = target * (1 - label_smoothing) + label_smoothing / input.shape[min(input.ndim - 1, 1)]
        return reduce_losses(over_classes(log_softmax(input, min(input.ndim - 1, 1)) * target, weight), reduction)
    if label_smoothing:
        logs = log_softmax(input, min(input.ndim - 1, 1))
        return smoothed_nll(logs, target, weight, ignore_index, reduction, label_smoothing)
    weight = None if weight is None else weight.array
    return CrossEntropy.apply(input, target, weight=weight, ignore_index=ignore_index, reduction=reduction)


def named_reduction(reduction, size_average=None, reduce=None):
    """Return the name of a reduction: mean, sum or none. Raises ValueError for any other.

    size_average and reduce, where one of them is given, decide: PyTorch's old way to say the same.
    """
    if size_average is not None or reduce is not None:
        reduction = "none" if reduce is False else "sum" if size_average is False else "mean"
        warnings.warn(f"size_average and reduce will be deprecated, please use reduction='{reduction}'.", stacklevel=3)
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return reduction


def reduce_losses(losses, reduction, weight=None):
    """Return the losses ("none"), their "sum", their "mean", or "batchmean": the sum divided by the first size.

    weight: of each element; it multiplies the losses, and the mean is then divided by its sum. Losses without
    dimensions are a batch of one. Raises ValueError when weight has another shape than losses.
    """
    if weight is not None:
        if weight.shape != losses.shape:
            raise ValueError("Weights and input must have the same size.")
        losses = losses * weight
    if reduction == "mean":
        return losses.mean() if weight is None else losses.sum() / weight.sum()
    if reduction == "batchmean":
        return losses.sum() / (losses.shape[0] if losses.ndim else 1)
    return losses.sum() if reduction == "sum" else losses


def difference(input, target, name):
    """Return input - target. Shapes that differ broadcast, with a warning that names both.

    Raises NotImplementedError with the name of the loss, `name`, for an input of ints.
    """
    floats(input.array, name)
    if input.shape != target.shape:
        sizes = f"a target size ({target.shape}) that is different to the input size ({input.shape})"
        warnings.warn(f"Using {sizes}. This will likely lead to incorrect results due to broadcasting.", stacklevel=3)
    return input - target


def mse_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """Return the squared differences (input - target)^2.

    weight: of each element; the mean is divided by its sum. A target of another shape broadcasts, with a warning.

    >>> tt.nn.functional.mse_loss(tt.tensor([1.0, 2.0]), tt.tensor([1.0, 5.0]))
    tensor(4.5000)
    """
    distance = difference(input, target, "mse_loss")
    return reduce_losses(distance * distance, named_reduction(reduction, size_average, reduce), weight)


def l1_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """Return the absolute differences |input - target|; weight and shapes as in `mse_loss`.

    >>> tt.nn.functional.l1_loss(tt.tensor([1.0, 2.0]), tt.tensor([1.0, 5.0]), reduction="sum")
    tensor(3.)
    """
    reduction = named_reduction(reduction, size_average, reduce)
    return reduce_losses(abs(difference(input, target, "l1_loss")), reduction, weight)


def huber_loss(input, target, reduction="mean", delta=1.0, weight=None):
    """Return half the squared difference d up to delta, and delta * (|d| - delta / 2) beyond. Huber 1964.

    weight: of each element; the mean is divided by their number all the same. Other shapes as in `mse_loss`. Raises
    RuntimeError unless delta is positive.

    >>> tt.nn.functional.huber_loss(tt.tensor([0.0, 0.0]), tt.tensor([0.5, 3.0]), reduction="none")
    tensor([0.1250, 2.5000])
    """
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    distance = abs(difference(input, target, "huber_loss"))
    near = clamp(distance, max=delta)
    losses = reduce_losses(near * (distance - near * 0.5), "none", weight)
    return reduce_losses(losses, named_reduction(reduction))


def smooth_l1_loss(input, target, size_average=None, reduce=None, reduction="mean", beta=1.0):
    """Return the Huber loss with delta = beta, divided by beta; beta 0 is `l1_loss`."""
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    reduction = named_reduction(reduction, size_average, reduce)
    if beta == 0:
        return l1_loss(input, target, reduction=reduction)
    return huber_loss(input, target, reduction, beta) * (1 / beta)


class BinaryCrossEntropy(Function):
    """out = -t log(a) - (1 - t) log(1 - a).  dL/da = g * (a - t) / (a * (1 - a)), dL/dt = g * (log(1 - a) - log(a)).

    Logarithms are at least -100, and a * (1 - a) at least 1e-12: a model that is sure and wrong has a finite loss.
    """

    saves = "inputs"

    def forward(ctx, a, t):
        """Return the loss of each probability a, where t is the truth; a logarithm counts as at least -100.

        Raises RuntimeError for an a outside 0 to 1, or nan.
        """
        if not ((a >= 0) & (a <= 1)).all():
            raise RuntimeError("all elements of input should be between 0 and 1")
        with np.errstate(divide="ignore"):
            return (t - 1) * np.maximum(np.log1p(-a), -100) - t * np.maximum(np.log(a), -100)

    def backward(ctx, g):
        """Return the gradients of a and t, None for t unless `ctx.needs_input_grad` asks for it."""
        a, t = ctx.inputs
        ga = g * (a - t) / np.maximum(a * (1 - a), 1e-12)
        return ga, g * (np.log1p(-a) - np.log(a)) if ctx.needs_input_grad[1] else None


def binary_cross_entropy(input, target, weight=None, size_average=None, reduce=None, reduction="mean"):
    """Return -log of the probability given to the truth: input is the probability that target is 1.

    weight: of each element, broadcast; the mean is divided by the number of elements. Raises ValueError unless
    target has input's shape, RuntimeError for an input outside 0 to 1.

    >>> tt.nn.functional.binary_cross_entropy(tt.tensor([0.5, 0.0]), tt.tensor([1.0, 0.0]), reduction="none")
    tensor([0.6931, 0.0000])
    """
    _same_size(input, target)
    losses = BinaryCrossEntropy.apply(input, target)
    reduction = named_reduction(reduction, size_average, reduce)
    return reduce_losses(losses if weight is None else losses * weight, reduction)


def binary_cross_entropy_with_logits(
    input, target, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None
):
    """Return the binary cross-entropy of sigmoid(input), stable for logits of any size.

    The loss is -t log(sigmoid(x)) - (1 - t) log(1 - sigmoid(x)). pos_weight multiplies the first part, weight both;
    they broadcast, and the mean is divided by the number of elements. Raises ValueError unless target has input's
    shape.

    >>> x, y = tt.tensor([0.0, -1000.0]), tt.tensor([1.0, 1.0])
    >>> tt.nn.functional.binary_cross_entropy_with_logits(x, y, reduction="none")
    tensor([6.9315e-01, 1.0000e+03])
    """
    _same_size(input, target)
    positive = softplus(-input)
    if pos_weight is not None:
        positive = positive * ((pos_weight - 1) * target + 1)
    losses = (1 - target) * input + positive
    reduction = named_reduction(reduction, size_average, reduce)
    return reduce_losses(losses if weight is None else losses * weight, reduction)


def _same_size(input, target):
    if input.shape != target.shape:
        raise ValueError(f"Target size ({target.shape}) must be the same as input size ({input.shape})")


def kl_div(input, target, size_average=None, reduce=None, reduction="mean", log_target=False):
    """Return target * (log(target) - input), where input holds logarithms of probabilities; 0 where target is 0.

    With log_target, target holds logarithms too. reduction may also be "batchmean", the sum divided by input's first
    size, which is the Kullback-Leibler divergence.

    >>> tt.nn.functional.kl_div(tt.tensor([[-1.0, -1.0]]), tt.tensor([[1.0, 0.0]]), reduction="batchmean")
    tensor(1.)
    """
    if log_target:
        losses = target.exp() * (target - input)
    else:
        losses = target * (target.masked_fill(target == 0, 1.0).log() - input)  # 0 log(0) is 0
    if reduction != "batchmean":
        reduction = named_reduction(reduction, size_average, reduce)
    return reduce_losses(losses, reduction)


def normalize(input, p=2.0, dim=1, eps=1e-12, out=None):
    """Return input divided by its p-norm along dim, which counts as at least eps.

    >>> tt.nn.functional.normalize(tt.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """
    result = input / clamp(input.norm(p, dim, True), min=eps)
    return result if out is None else out.copy_(result)


def cosine_similarity(x1, x2, dim=1, eps=1e-08):
    """Return the cosine of the angle between x1 and x2 (broadcast) along dim; each norm counts as at least eps.

    >>> tt.nn.functional.cosine_similarity(tt.tensor([[2.0, 0.0]]), tt.tensor([[-4.0, 0.0]]))
    tensor([-1.])
    """
    shape = broadcast_shapes(x1.shape, x2.shape)
    return (normalize(x1.expand(shape), 2.0, dim, eps) * normalize(x2.expand(shape), 2.0, dim, eps)).sum(dim)

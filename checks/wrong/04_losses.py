"""Wrong answers to the exercises of module 04: mistakes that people make, each with what its card must say."""

from checks import wrong

# reduce_losses


@wrong("reduce_losses", says="divides by the sum of the weights, 10.75")
def mean_by_number(losses, reduction, weight=None):
    if weight is not None:
        if weight.shape != losses.shape:
            raise ValueError("sizes")
        losses = losses * weight
    if reduction == "mean":
        return losses.mean()
    if reduction == "batchmean":
        return losses.sum() / (losses.shape[0] if losses.ndim else 1)
    return losses.sum() if reduction == "sum" else losses


@wrong("reduce_losses", says="would be broadcast, and the mean would divide by 3 weights")
def lets_weights_broadcast(losses, reduction, weight=None):
    if weight is not None:
        losses = losses * weight
    if reduction == "mean":
        return losses.mean() if weight is None else losses.sum() / weight.sum()
    if reduction == "batchmean":
        return losses.sum() / (losses.shape[0] if losses.ndim else 1)
    return losses.sum() if reduction == "sum" else losses


@wrong("reduce_losses", says="whatever their shape")
def mean_of_rows(losses, reduction, weight=None):
    if reduction == "mean":
        return losses.sum() / losses.shape[0]
    return losses.sum() if reduction == "sum" else losses


@wrong("reduce_losses", says="did you forget `return`")
def reduces_without_return(losses, reduction, weight=None):
    if reduction == "mean":
        losses.mean()
    elif reduction == "sum":
        losses.sum()


@wrong("reduce_losses", says="a batch of one")
def batch_needs_dimensions(losses, reduction, weight=None):
    if weight is not None:
        losses = losses * weight
    if reduction == "batchmean":
        return losses.sum() / losses.shape[0]
    if reduction == "mean":
        return losses.mean() if weight is None else losses.sum() / weight.sum()
    return losses.sum() if reduction == "sum" else losses


# difference


@wrong("difference", says="PyTorch computes them and warns")
def never_warns(input, target, name):
    floats(input.array, name)
    return input - target


@wrong("difference", says="positive where the prediction is too large")
def target_first(input, target, name):
    floats(input.array, name)
    if input.shape != target.shape:
        warnings.warn(f"{input.shape} {target.shape}", stacklevel=3)
    return target - input


@wrong("difference", says="PyTorch computes them and warns")
def raises_instead(input, target, name):
    if input.shape != target.shape:
        raise ValueError(f"{input.shape} and {target.shape} differ")
    return input - target


@wrong("difference", says="the warning names both shapes")
def warns_without_shapes(input, target, name):
    floats(input.array, name)
    if input.shape != target.shape:
        warnings.warn("shapes differ", stacklevel=3)
    return input - target


@wrong("difference", says="although the result has the shape of the input")
def looks_at_the_result(input, target, name):
    floats(input.array, name)
    d = input - target
    if d.shape != input.shape:
        warnings.warn(f"{tuple(input.shape)} {tuple(target.shape)}", stacklevel=3)
    return d


@wrong("difference", says="not a line inside the library")
def points_inside(input, target, name):
    floats(input.array, name)
    if input.shape != target.shape:
        warnings.warn(f"{input.shape} {target.shape}")
    return input - target


# mse_loss


@wrong("mse_loss", says="the mean of the squared differences")
def root_of_it(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    d = difference(input, target, "mse_loss")
    return reduce_losses(d * d, named_reduction(reduction, size_average, reduce), weight) ** 0.5


@wrong("mse_loss", says="hand it on to reduce_losses")
def always_the_mean(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    d = difference(input, target, "mse_loss")
    return (d * d).mean()


@wrong("mse_loss", says="each squared difference counts by its weight")
def forgets_weight(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    d = difference(input, target, "mse_loss")
    return reduce_losses(d * d, named_reduction(reduction, size_average, reduce))


@wrong("mse_loss", says="get the differences from `difference`")
def subtracts_by_hand(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    return reduce_losses((input - target) ** 2, named_reduction(reduction, size_average, reduce), weight)


@wrong("mse_loss", says="old way to say sum")
def ignores_old_names(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    d = difference(input, target, "mse_loss")
    return reduce_losses(d * d, named_reduction(reduction), weight)


# l1_loss


@wrong("l1_loss", says="would cancel")
def no_abs(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    d = difference(input, target, "l1_loss")
    return reduce_losses(d, named_reduction(reduction, size_average, reduce), weight)


@wrong("l1_loss", says="would cancel")
def abs_after_the_mean(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    d = difference(input, target, "l1_loss")
    return abs(reduce_losses(d, named_reduction(reduction, size_average, reduce), weight))


@wrong("l1_loss", says="get the differences from `difference`")
def l1_by_hand(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    return reduce_losses(abs(input - target), named_reduction(reduction, size_average, reduce), weight)


@wrong("l1_loss", says="each distance counts by its weight")
def l1_without_weight(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    return reduce_losses(abs(difference(input, target, "l1_loss")), named_reduction(reduction, size_average, reduce))


# huber_loss


@wrong("huber_loss", says="half the squared difference")
def forgets_the_half(input, target, reduction="mean", delta=1.0, weight=None):
    d = abs(difference(input, target, "huber_loss"))
    near = clamp(d, max=delta)
    return reduce_losses(near * (2 * d - near), named_reduction(reduction), weight)


@wrong("huber_loss", says="delta is where the parabola becomes a line")
def that_is_smooth_l1(input, target, reduction="mean", delta=1.0, weight=None):
    if delta <= 0:
        raise RuntimeError("delta")
    d = abs(difference(input, target, "huber_loss"))
    near = clamp(d, max=delta)
    return reduce_losses(near * (d - near * 0.5) / delta, named_reduction(reduction), weight)


@wrong("huber_loss", says="on both sides")
def huber_without_abs(input, target, reduction="mean", delta=1.0, weight=None):
    d = difference(input, target, "huber_loss")
    near = clamp(d, max=delta)
    return reduce_losses(near * (d - near * 0.5), named_reduction(reduction), weight)


@wrong("huber_loss", says="without a positive delta")
def any_delta(input, target, reduction="mean", delta=1.0, weight=None):
    d = abs(difference(input, target, "huber_loss"))
    near = clamp(d, max=delta)
    return reduce_losses(near * (d - near * 0.5), named_reduction(reduction), weight)


@wrong("huber_loss", says="not by the sum of the weights, 10.75")
def mean_as_in_mse(input, target, reduction="mean", delta=1.0, weight=None):
    if delta <= 0:
        raise RuntimeError("delta")
    d = abs(difference(input, target, "huber_loss"))
    near = clamp(d, max=delta)
    return reduce_losses(near * (d - near * 0.5), named_reduction(reduction), weight)


@wrong("huber_loss", says="let it see the weights")
def multiplies_by_hand(input, target, reduction="mean", delta=1.0, weight=None):
    if delta <= 0:
        raise RuntimeError("delta")
    d = abs(difference(input, target, "huber_loss"))
    near = clamp(d, max=delta)
    losses = near * (d - near * 0.5)
    return reduce_losses(losses if weight is None else losses * weight, named_reduction(reduction))


@wrong("huber_loss", says="ask named_reduction, which refuses a name")
def huber_takes_any_name(input, target, reduction="mean", delta=1.0, weight=None):
    if delta <= 0:
        raise RuntimeError("delta")
    d = abs(difference(input, target, "huber_loss"))
    near = clamp(d, max=delta)
    return reduce_losses(reduce_losses(near * (d - near * 0.5), "none", weight), reduction)


# ClassLoss.pick


@wrong("ClassLoss.pick", says="Return the index, not the numbers")
def returns_numbers(ctx, rows):
    return rows[np.arange(len(rows)), ctx.index]


@wrong("ClassLoss.pick", says="from row i the number of class index[i]")
def whole_columns(ctx, rows):
    return slice(None), ctx.index


@wrong("ClassLoss.pick", says="the row numbers first")
def classes_first(ctx, rows):
    return ctx.index, np.arange(len(rows))


@wrong("ClassLoss.pick", says="as many pairs as there are rows")
def counts_classes(ctx, rows):
    return np.arange(rows.shape[1]), ctx.index


# NLL.rows_loss


@wrong("NLL.rows_loss", says="minus the logarithm at the true class")
def no_minus(ctx, rows):
    return ctx.weights * floats(rows, "nll_loss")[ctx.pick(rows)]


@wrong("NLL.rows_loss", says="no logarithm and no softmax")
def log_again(ctx, rows):
    rows = floats(rows, "nll_loss")
    rows = rows - np.log(np.exp(rows).sum(axis=1, keepdims=True))
    return -ctx.weights * rows[ctx.pick(rows)]


@wrong("NLL.rows_loss", says="multiplied by the row's weight")
def unweighted_rows(ctx, rows):
    return -floats(rows, "nll_loss")[ctx.pick(rows)]


@wrong("NLL.rows_loss", says="one loss for each row")
def all_classes(ctx, rows):
    return -(ctx.weights[:, None] * floats(rows, "nll_loss"))


# check_target


@wrong("check_target", says="a class is a whole number")
def any_dtype(a, target, weight):
    if a.ndim > 1 and a.shape[:1] != target.shape[:1]:
        raise ValueError(f"{a.shape} {target.shape}")


@wrong("check_target", says="a class is a whole number: int64 or uint8")
def any_int(a, target, weight):
    if target.dtype.kind not in "iu":
        raise RuntimeError(f"{target.dtype}")


@wrong("check_target", says="another batch is a ValueError")
def only_runtime_errors(a, target, weight):
    if target.dtype not in (np.int64, np.uint8):
        raise RuntimeError(f"{target.dtype}")
    expected = (*a.shape[:1], *a.shape[2:]) if a.ndim > 1 else ()
    if target.shape != expected:
        raise RuntimeError(f"{list(expected)} {list(target.shape)}")


@wrong("check_target", says="dimension 1")
def classes_come_last(a, target, weight):
    if target.dtype not in (np.int64, np.uint8):
        raise RuntimeError(f"{target.dtype}")
    if target.shape != a.shape[:-1]:
        raise RuntimeError(f"{list(a.shape[:-1])} {list(target.shape)}")


# ClassLoss.forward


@wrong("ClassLoss.forward", says="not by 5 rows")
def mean_by_rows(ctx, a, target, weight=None, ignore_index=-100, reduction="mean"):
    check_target(a, target, weight)
    rows = a if a.ndim < 3 else np.moveaxis(a, 1, -1)
    rows = rows.reshape(target.size, a.shape[min(a.ndim - 1, 1)])
    t = target.reshape(-1)
    keep = t != ignore_index
    ctx.index = np.where(keep, t, 0)
    ctx.weights = keep.astype(a.dtype) if weight is None else weight[ctx.index] * keep
    losses = ctx.rows_loss(rows)
    if reduction == "none":
        return losses.reshape(target.shape)
    return losses.mean() if reduction == "mean" else losses.sum()


@wrong("ClassLoss.forward", says="must be moved to the end before the rows are made")
def reshapes_at_once(ctx, a, target, weight=None, ignore_index=-100, reduction="mean"):
    check_target(a, target, weight)
    rows = a.reshape(target.size, a.shape[min(a.ndim - 1, 1)])
    t = target.reshape(-1)
    keep = t != ignore_index
    ctx.index = np.where(keep, t, 0)
    ctx.weights = keep.astype(a.dtype) if weight is None else weight[ctx.index] * keep
    losses = ctx.rows_loss(rows)
    if reduction == "none":
        return losses.reshape(target.shape)
    return losses.sum() / ctx.weights.sum() if reduction == "mean" else losses.sum()


@wrong("ClassLoss.forward", says="NumPy would take -1 for the last one")
def negative_classes_count_from_the_end(ctx, a, target, weight=None, ignore_index=-100, reduction="mean"):
    check_target(a, target, weight)
    rows = a if a.ndim < 3 else np.moveaxis(a, 1, -1)
    rows = rows.reshape(target.size, a.shape[min(a.ndim - 1, 1)])
    t = target.reshape(-1)
    keep = t != ignore_index
    ctx.index = np.where(keep, t, 0)
    if (ctx.index >= rows.shape[1]).any():
        raise IndexError(f"Target {ctx.index.max()} is out of bounds.")
    ctx.weights = keep.astype(a.dtype) if weight is None else weight[ctx.index] * keep
    losses = ctx.rows_loss(rows)
    if reduction == "none":
        return losses.reshape(target.shape)
    with np.errstate(invalid="ignore"):
        return losses.sum() / ctx.weights.sum() if reduction == "mean" else losses.sum()


@wrong("ClassLoss.forward", says="marks rows to ignore")
def bounds_before_ignoring(ctx, a, target, weight=None, ignore_index=-100, reduction="mean"):
    check_target(a, target, weight)
    rows = a if a.ndim < 3 else np.moveaxis(a, 1, -1)
    rows = rows.reshape(target.size, a.shape[min(a.ndim - 1, 1)])
    t = target.reshape(-1)
    if (t >= rows.shape[1]).any():
        raise IndexError(f"Target {t.max()} is out of bounds.")
    keep = t != ignore_index
    ctx.index = np.where(keep, t, 0)
    ctx.weights = keep.astype(a.dtype) if weight is None else weight[ctx.index] * keep
    losses = ctx.rows_loss(rows)
    if reduction == "none":
        return losses.reshape(target.shape)
    return losses.sum() / ctx.weights.sum() if reduction == "mean" else losses.sum()


@wrong("ClassLoss.forward", says="an ignored row has weight 0, whatever the weight of its class")
def ignored_rows_keep_their_weight(ctx, a, target, weight=None, ignore_index=-100, reduction="mean"):
    check_target(a, target, weight)
    rows = a if a.ndim < 3 else np.moveaxis(a, 1, -1)
    rows = rows.reshape(target.size, a.shape[min(a.ndim - 1, 1)])
    t = target.reshape(-1)
    keep = t != ignore_index
    ctx.index = np.where(keep, t, 0)
    wrong = ctx.index[(ctx.index < 0) | (ctx.index >= rows.shape[1])]
    if wrong.size:
        raise IndexError(f"Target {wrong[0]} is out of bounds.")
    ctx.weights = keep.astype(a.dtype) if weight is None else weight[ctx.index]
    losses = ctx.rows_loss(rows)
    if reduction == "none":
        return losses.reshape(target.shape)
    with np.errstate(invalid="ignore"):
        return losses.sum() / ctx.weights.sum() if reduction == "mean" else losses.sum()


@wrong("ClassLoss.forward", says="in the shape of the target, not as a row")
def none_is_flat(ctx, a, target, weight=None, ignore_index=-100, reduction="mean"):
    check_target(a, target, weight)
    rows = a if a.ndim < 3 else np.moveaxis(a, 1, -1)
    rows = rows.reshape(target.size, a.shape[min(a.ndim - 1, 1)])
    t = target.reshape(-1)
    keep = t != ignore_index
    ctx.index = np.where(keep, t, 0)
    wrong = ctx.index[(ctx.index < 0) | (ctx.index >= rows.shape[1])]
    if wrong.size:
        raise IndexError(f"Target {wrong[0]} is out of bounds.")
    ctx.weights = keep.astype(a.dtype) if weight is None else weight[ctx.index] * keep
    losses = ctx.rows_loss(rows)
    if reduction == "none":
        return losses
    with np.errstate(invalid="ignore"):
        return losses.sum() / ctx.weights.sum() if reduction == "mean" else losses.sum()


@wrong("ClassLoss.forward", says="0 * inf is nan")
def zero_times_infinity(ctx, a, target, weight=None, ignore_index=-100, reduction="mean"):
    check_target(a, target, weight)
    rows = a if a.ndim < 3 else np.moveaxis(a, 1, -1)
    rows = rows.reshape(target.size, a.shape[min(a.ndim - 1, 1)])
    t = target.reshape(-1)
    keep = t != ignore_index
    ctx.index = np.where(keep, t, 0)
    wrong = ctx.index[(ctx.index < 0) | (ctx.index >= rows.shape[1])]
    if wrong.size:
        raise IndexError(f"Target {wrong[0]} is out of bounds.")
    ctx.weights = keep.astype(a.dtype) if weight is None else weight[ctx.index] * keep
    losses = ctx.rows_loss(rows)
    if reduction == "none":
        return losses.reshape(target.shape)
    with np.errstate(invalid="ignore"):
        return losses.sum() / ctx.weights.sum() if reduction == "mean" else losses.sum()


@wrong("ClassLoss.forward", says="the sum of a mask of bools is an int64")
def divides_by_the_mask(ctx, a, target, weight=None, ignore_index=-100, reduction="mean"):
    check_target(a, target, weight)
    rows = a if a.ndim < 3 else np.moveaxis(a, 1, -1)
    rows = rows.reshape(target.size, a.shape[min(a.ndim - 1, 1)])
    t = target.reshape(-1)
    keep = t != ignore_index
    ctx.index = np.where(keep, t, 0)
    ctx.weights = keep.astype(a.dtype) if weight is None else weight[ctx.index] * keep
    losses = ctx.rows_loss(rows)
    if reduction == "none":
        return losses.reshape(target.shape)
    count = keep.sum() if weight is None else ctx.weights.sum()
    return losses.sum() / count if reduction == "mean" else losses.sum()


@wrong("ClassLoss.forward", says="or they widen the result")
def weights_of_float64(ctx, a, target, weight=None, ignore_index=-100, reduction="mean"):
    check_target(a, target, weight)
    rows = a if a.ndim < 3 else np.moveaxis(a, 1, -1)
    rows = rows.reshape(target.size, a.shape[min(a.ndim - 1, 1)])
    t = target.reshape(-1)
    keep = t != ignore_index
    ctx.index = np.where(keep, t, 0)
    wrong = ctx.index[(ctx.index < 0) | (ctx.index >= rows.shape[1])]
    if wrong.size:
        raise IndexError(f"Target {wrong[0]} is out of bounds.")
    ctx.weights = keep.astype(np.float64) if weight is None else weight[ctx.index] * keep
    losses = ctx.rows_loss(rows)
    if reduction == "none":
        return losses.reshape(target.shape)
    with np.errstate(invalid="ignore"):
        return losses.sum() / ctx.weights.sum() if reduction == "mean" else losses.sum()


# nll_loss


@wrong("nll_loss", says="hand on weight.array")
def hands_on_the_tensor(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"
):
    reduction = named_reduction(reduction, size_average, reduce)
    return NLL.apply(input, target, weight=weight, ignore_index=ignore_index, reduction=reduction)


@wrong("nll_loss", says="ignore_index is handed on")
def always_ignores_minus_100(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"
):
    reduction = named_reduction(reduction, size_average, reduce)
    return NLL.apply(input, target, weight=None if weight is None else weight.array, reduction=reduction)


@wrong("nll_loss", says="reduction is handed on")
def nll_always_the_mean(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"
):
    return NLL.apply(input, target, weight=None if weight is None else weight.array, ignore_index=ignore_index)


@wrong("nll_loss", says="refuses a name that does not exist")
def nll_takes_any_name(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"):
    weight = None if weight is None else weight.array
    return NLL.apply(input, target, weight=weight, ignore_index=ignore_index, reduction=reduction)


# LogSumExp.forward


@wrong("LogSumExp.forward", says="subtract the largest number of each row")
def textbook(ctx, a, dim, keepdim=False):
    with np.errstate(all="ignore"):
        return np.log(np.exp(a).sum(axis=dim, keepdims=keepdim))


@wrong("LogSumExp.forward", says="not of everything")
def largest_of_all(ctx, a, dim, keepdim=False):
    largest = a.max(initial=-np.inf)
    shift = largest if np.isfinite(largest) else a.dtype.type(0)
    with np.errstate(all="ignore"):
        out = np.log(np.exp(a - shift).sum(axis=dim, keepdims=True)) + shift
    return out if keepdim else out.squeeze(dim)


@wrong("LogSumExp.forward", says="the logarithm of the sum of e^x")
def forgets_to_add_again(ctx, a, dim, keepdim=False):
    largest = a.max(axis=dim, keepdims=True, initial=-np.inf)
    out = np.log(np.exp(a - largest).sum(axis=dim, keepdims=True))
    return out if keepdim else out.squeeze(dim)


@wrong("LogSumExp.forward", says="-inf - (-inf) is nan")
def nan_of_infinities(ctx, a, dim, keepdim=False):
    largest = a.max(axis=dim, keepdims=True, initial=-np.inf)
    with np.errstate(all="ignore"):
        out = np.log(np.exp(a - largest).sum(axis=dim, keepdims=True)) + largest
    return out if keepdim else out.squeeze(dim)


# CrossEntropy.rows_loss


@wrong("CrossEntropy.rows_loss", says="never the logarithm of a softmax")
def log_of_softmax(ctx, rows):
    ctx.exp = np.exp(below_largest(floats(rows, "cross_entropy"), 1))
    ctx.total = ctx.exp.sum(axis=1)
    with np.errstate(all="ignore"):
        return ctx.weights * -np.log(ctx.exp[ctx.pick(rows)] / ctx.total)


@wrong("CrossEntropy.rows_loss", says="below was overwritten")
def takes_the_class_too_late(ctx, rows):
    below = below_largest(floats(rows, "cross_entropy"), 1)
    ctx.exp = np.exp(below, out=below)
    ctx.total = ctx.exp.sum(axis=1)
    return ctx.weights * (np.log(ctx.total) - below[ctx.pick(rows)])


@wrong("CrossEntropy.rows_loss", says="log(sum of e^a) - a[class]")
def mixes_two_scales(ctx, rows):
    below = below_largest(floats(rows, "cross_entropy"), 1)
    ctx.exp = np.exp(below)
    ctx.total = ctx.exp.sum(axis=1)
    return ctx.weights * (np.log(ctx.total) - rows[ctx.pick(rows)])


@wrong("CrossEntropy.rows_loss", says="one loss for each row, (5,)")
def keeps_a_dimension(ctx, rows):
    below = below_largest(floats(rows, "cross_entropy"), 1)
    wanted = below[ctx.pick(rows)]
    ctx.exp = np.exp(below, out=below)
    ctx.total = ctx.exp.sum(axis=1, keepdims=True)
    return ctx.weights * (np.log(ctx.total) - wanted)


@wrong("CrossEntropy.rows_loss", says="module 06 makes the softmax of it")
def remembers_nothing(ctx, rows):
    below = below_largest(floats(rows, "cross_entropy"), 1)
    return ctx.weights * (np.log(np.exp(below).sum(axis=1)) - below[ctx.pick(rows)])


# over_classes


@wrong("over_classes", says="which are dimension 1")
def sums_the_last(logs, weight):
    return -(logs if weight is None else logs * weight).sum(-1)


@wrong("over_classes", says="minus the sum over the classes")
def positive_sum(logs, weight):
    dim = min(logs.ndim - 1, 1)
    return (logs if weight is None else logs * weight.reshape(-1, *[1] * (logs.ndim - dim - 1))).sum(dim)


@wrong("over_classes", says="with shape (3, 1) they meet the classes")
def weights_meet_the_last(logs, weight):
    return -(logs if weight is None else logs * weight).sum(min(logs.ndim - 1, 1))


# smoothed_nll


@wrong("smoothed_nll", says="of the mean of -logs over all 3 classes")
def sum_instead_of_mean(logs, target, weight, ignore_index, reduction, smoothing):
    losses = nll_loss(logs, target, weight, ignore_index=ignore_index, reduction=reduction)
    spread = over_classes(logs, weight)
    spread = spread if reduction == "none" else spread.sum() if reduction == "sum" else spread.mean()
    return losses * (1 - smoothing) + spread * smoothing


@wrong("smoothed_nll", says="an ignored row counts in neither part")
def spreads_ignored_rows(logs, target, weight, ignore_index, reduction, smoothing):
    losses = nll_loss(logs, target, weight, ignore_index=ignore_index, reduction=reduction)
    spread = over_classes(logs, weight)
    spread = spread if reduction == "none" else spread.sum() if reduction == "sum" else spread.mean()
    return losses * (1 - smoothing) + spread * (smoothing / logs.shape[min(logs.ndim - 1, 1)])


@wrong("smoothed_nll", says="divide by the weights of the targets")
def divides_by_rows(logs, target, weight, ignore_index, reduction, smoothing):
    losses = nll_loss(logs, target, weight, ignore_index=ignore_index, reduction=reduction)
    counts = (target != ignore_index).to(logs.dtype)
    spread = over_classes(logs, weight) * counts
    if reduction != "none":
        spread = spread.sum() / (counts.sum() if reduction == "mean" else 1)
    return losses * (1 - smoothing) + spread * (smoothing / logs.shape[min(logs.ndim - 1, 1)])


@wrong("smoothed_nll", says="0 * inf is nan")
def multiplies_ignored_rows(logs, target, weight, ignore_index, reduction, smoothing):
    losses = nll_loss(logs, target, weight, ignore_index=ignore_index, reduction=reduction)
    counts = (target != ignore_index).to(logs.dtype)
    spread = over_classes(logs, weight) * counts
    if reduction == "mean" and weight is not None:
        counts = counts * weight[target * counts.to(target.dtype)]
    if reduction != "none":
        spread = spread.sum() / (counts.sum() if reduction == "mean" else 1)
    return losses * (1 - smoothing) + spread * (smoothing / logs.shape[min(logs.ndim - 1, 1)])


@wrong("smoothed_nll", says="-100 is not an index into the weights")
def looks_up_minus_100(logs, target, weight, ignore_index, reduction, smoothing):
    losses = nll_loss(logs, target, weight, ignore_index=ignore_index, reduction=reduction)
    counts = (target != ignore_index).to(logs.dtype)
    spread = over_classes(logs, weight) * counts
    if reduction == "mean" and weight is not None:
        counts = counts * weight[target]
    if reduction != "none":
        spread = spread.sum() / (counts.sum() if reduction == "mean" else 1)
    return losses * (1 - smoothing) + spread * (smoothing / logs.shape[min(logs.ndim - 1, 1)])


# cross_entropy


@wrong("cross_entropy", says="the mean of -log(softmax(input)) at the classes")
def forgets_softmax(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean", label_smoothing=0.0
):
    return nll_loss(input, target, weight, size_average, ignore_index, reduce, reduction)


@wrong("cross_entropy", says="floats of input's shape are probabilities")
def only_classes(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean", label_smoothing=0.0
):
    reduction = named_reduction(reduction, size_average, reduce)
    return nll_loss(
        log_softmax(input, min(input.ndim - 1, 1)), target, weight, ignore_index=ignore_index, reduction=reduction
    )


@wrong("cross_entropy", says="dimension 1 holds the classes")
def softmax_over_the_last(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean", label_smoothing=0.0
):
    reduction = named_reduction(reduction, size_average, reduce)
    return nll_loss(log_softmax(input, -1), target, weight, ignore_index=ignore_index, reduction=reduction)


@wrong("cross_entropy", says="the target belongs to the caller")
def smooths_in_place(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean", label_smoothing=0.0
):
    reduction = named_reduction(reduction, size_average, reduce)
    if not 0 <= label_smoothing <= 1:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    dim = min(input.ndim - 1, 1)
    if target.shape == input.shape and target.is_floating_point():
        if ignore_index >= 0:
            raise RuntimeError("ignore_index is not supported for floating point target")
        target.mul_(1 - label_smoothing).add_(label_smoothing / input.shape[dim])
        return reduce_losses(over_classes(log_softmax(input, dim) * target, weight), reduction)
    if label_smoothing:
        return smoothed_nll(log_softmax(input, dim), target, weight, ignore_index, reduction, label_smoothing)
    weight = None if weight is None else weight.array
    return CrossEntropy.apply(input, target, weight=weight, ignore_index=ignore_index, reduction=reduction)


@wrong("cross_entropy", says="not by that of the elements, 15")
def mean_of_elements(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean", label_smoothing=0.0
):
    reduction = named_reduction(reduction, size_average, reduce)
    dim = min(input.ndim - 1, 1)
    if target.shape == input.shape and target.is_floating_point():
        losses = -log_softmax(input, dim) * target
        return losses.sum(dim) if reduction == "none" else reduce_losses(losses, reduction)
    weight = None if weight is None else weight.array
    return CrossEntropy.apply(input, target, weight=weight, ignore_index=ignore_index, reduction=reduction)


@wrong("cross_entropy", says="ints are classes, whatever their shape")
def shape_alone_decides(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean", label_smoothing=0.0
):
    reduction = named_reduction(reduction, size_average, reduce)
    if not 0 <= label_smoothing <= 1:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    dim = min(input.ndim - 1, 1)
    if target.shape == input.shape:
        if ignore_index >= 0:
            raise RuntimeError("ignore_index is not supported for floating point target")
        target = target * (1 - label_smoothing) + label_smoothing / input.shape[dim]
        return reduce_losses(over_classes(log_softmax(input, dim) * target, weight), reduction)
    if label_smoothing:
        return smoothed_nll(log_softmax(input, dim), target, weight, ignore_index, reduction, label_smoothing)
    weight = None if weight is None else weight.array
    return CrossEntropy.apply(input, target, weight=weight, ignore_index=ignore_index, reduction=reduction)


@wrong("cross_entropy", says="target * 0.7 + 0.1")
def smooths_classes_only(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean", label_smoothing=0.0
):
    reduction = named_reduction(reduction, size_average, reduce)
    if not 0 <= label_smoothing <= 1:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    dim = min(input.ndim - 1, 1)
    if target.shape == input.shape and target.is_floating_point():
        if ignore_index >= 0:
            raise RuntimeError("ignore_index is not supported for floating point target")
        return reduce_losses(over_classes(log_softmax(input, dim) * target, weight), reduction)
    if label_smoothing:
        return smoothed_nll(log_softmax(input, dim), target, weight, ignore_index, reduction, label_smoothing)
    weight = None if weight is None else weight.array
    return CrossEntropy.apply(input, target, weight=weight, ignore_index=ignore_index, reduction=reduction)


@wrong("cross_entropy", says="hand on weight.array")
def tensor_of_weights(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean", label_smoothing=0.0
):
    reduction = named_reduction(reduction, size_average, reduce)
    if not 0 <= label_smoothing <= 1:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    dim = min(input.ndim - 1, 1)
    if target.shape == input.shape and target.is_floating_point():
        if ignore_index >= 0:
            raise RuntimeError("ignore_index is not supported for floating point target")
        target = target * (1 - label_smoothing) + label_smoothing / input.shape[dim]
        return reduce_losses(over_classes(log_softmax(input, dim) * target, weight), reduction)
    if label_smoothing:
        return smoothed_nll(log_softmax(input, dim), target, weight, ignore_index, reduction, label_smoothing)
    return CrossEntropy.apply(input, target, weight=weight, ignore_index=ignore_index, reduction=reduction)


# Loss.__init__


@wrong("Loss.__init__", says="hand it to super().__init__ by that name")
def forgets_reduction(self, size_average=None, reduce=None, reduction="mean", **options):
    super().__init__(**options)


@wrong("Loss.__init__", says="reduction reaches F.mse_loss")
def sets_an_attribute(self, size_average=None, reduce=None, reduction="mean", **options):
    super().__init__(**options)
    self.reduction = reduction


@wrong("Loss.__init__", says="F.named_reduction translates it")
def keeps_the_name(self, size_average=None, reduce=None, reduction="mean", **options):
    super().__init__(reduction=reduction, **options)


@wrong("Loss.__init__", says="**options")
def drops_options(self, size_average=None, reduce=None, reduction="mean", **options):
    if size_average is not None or reduce is not None:
        reduction = F.named_reduction(reduction, size_average, reduce)
    super().__init__(reduction=reduction)


@wrong("Loss.__init__", says="let the function judge it")
def judges_too_early(self, size_average=None, reduce=None, reduction="mean", **options):
    super().__init__(reduction=F.named_reduction(reduction, size_average, reduce), **options)


# CrossEntropyLoss.__init__


@wrong("CrossEntropyLoss.__init__", says="each option reaches F.cross_entropy")
def loses_smoothing(
    self, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean", label_smoothing=0.0
):
    super().__init__(size_average, reduce, reduction, weight=weight, ignore_index=ignore_index)


@wrong("CrossEntropyLoss.__init__", says="hand it to super().__init__")
def loses_old_names(
    self, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean", label_smoothing=0.0
):
    super().__init__(reduction=reduction, weight=weight, ignore_index=ignore_index, label_smoothing=label_smoothing)


@wrong("CrossEntropyLoss.__init__", says="each option reaches F.cross_entropy")
def loses_weight(
    self, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean", label_smoothing=0.0
):
    super().__init__(size_average, reduce, reduction, ignore_index=ignore_index, label_smoothing=label_smoothing)


# BinaryCrossEntropy.forward


@wrong("BinaryCrossEntropy.forward", says="0 * inf = nan")
def no_floor(ctx, a, t):
    if not ((a >= 0) & (a <= 1)).all():
        raise RuntimeError("all elements of input should be between 0 and 1")
    with np.errstate(all="ignore"):
        return (t - 1) * np.log1p(-a) - t * np.log(a)


@wrong("BinaryCrossEntropy.forward", says="np.log1p(-a) keeps the small number")
def log_of_one_minus(ctx, a, t):
    if not ((a >= 0) & (a <= 1)).all():
        raise RuntimeError("all elements of input should be between 0 and 1")
    with np.errstate(divide="ignore"):
        return (t - 1) * np.maximum(np.log(1 - a), -100) - t * np.maximum(np.log(a), -100)


@wrong("BinaryCrossEntropy.forward", says="where it is 0 only the second")
def forgets_the_noes(ctx, a, t):
    with np.errstate(divide="ignore"):
        return -t * np.maximum(np.log(a), -100)


@wrong("BinaryCrossEntropy.forward", says="these are probably logits")
def takes_anything(ctx, a, t):
    with np.errstate(all="ignore"):
        return (t - 1) * np.maximum(np.log1p(-a), -100) - t * np.maximum(np.log(a), -100)


@wrong("BinaryCrossEntropy.forward", says="nan is no probability")
def asks_for_one_outside(ctx, a, t):
    if ((a < 0) | (a > 1)).any():
        raise RuntimeError("logits?")
    with np.errstate(divide="ignore"):
        return (t - 1) * np.maximum(np.log1p(-a), -100) - t * np.maximum(np.log(a), -100)


@wrong("BinaryCrossEntropy.forward", says="log(0) counts as -100")
def floor_by_epsilon(ctx, a, t):
    if not ((a >= 0) & (a <= 1)).all():
        raise RuntimeError("all elements of input should be between 0 and 1")
    a = np.clip(a, 1e-7, 1 - 1e-7)
    return (t - 1) * np.log1p(-a) - t * np.log(a)


# binary_cross_entropy_with_logits


@wrong("binary_cross_entropy_with_logits", says="no sigmoid first")
def sigmoid_first(input, target, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None):
    return binary_cross_entropy(input.sigmoid(), target, weight, size_average, reduce, reduction)


@wrong("binary_cross_entropy_with_logits", says="not by the sum of the weights")
def weighted_mean(input, target, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None):
    _same_size(input, target)
    losses = (1 - target) * input + softplus(-input)
    return reduce_losses(losses, named_reduction(reduction, size_average, reduce), weight)


@wrong("binary_cross_entropy_with_logits", says="leaves the part of 1 - t alone")
def pos_weight_for_all(input, target, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None):
    _same_size(input, target)
    losses = (1 - target) * input + softplus(-input)
    losses = losses if pos_weight is None else losses * pos_weight
    losses = losses if weight is None else losses * weight
    return reduce_losses(losses, named_reduction(reduction, size_average, reduce))


@wrong("binary_cross_entropy_with_logits", says="no warning here but an error")
def lets_shapes_differ(input, target, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None):
    positive = softplus(-input)
    if pos_weight is not None:
        positive = positive * ((pos_weight - 1) * target + 1)
    losses = (1 - target) * input + positive
    losses = losses if weight is None else losses * weight
    return reduce_losses(losses, named_reduction(reduction, size_average, reduce))


# kl_div


@wrong("kl_div", says="0 * -inf would be nan")
def log_of_zero(input, target, size_average=None, reduce=None, reduction="mean", log_target=False):
    losses = target.exp() * (target - input) if log_target else target * (target.log() - input)
    if reduction != "batchmean":
        reduction = named_reduction(reduction, size_average, reduce)
    return reduce_losses(losses, reduction)


@wrong("kl_div", says="input comes first and is a logarithm already")
def log_of_input_too(input, target, size_average=None, reduce=None, reduction="mean", log_target=False):
    losses = target * (target.log() - input.log())
    if reduction != "batchmean":
        reduction = named_reduction(reduction, size_average, reduce)
    return reduce_losses(losses, reduction)


@wrong("kl_div", says="e^target is the probability")
def ignores_log_target(input, target, size_average=None, reduce=None, reduction="mean", log_target=False):
    losses = target * (target.masked_fill(target == 0, 1.0).log() - input)
    if reduction != "batchmean":
        reduction = named_reduction(reduction, size_average, reduce)
    return reduce_losses(losses, reduction)


@wrong("kl_div", says="masked_fill, not masked_fill_")
def fills_in_place(input, target, size_average=None, reduce=None, reduction="mean", log_target=False):
    if log_target:
        losses = target.exp() * (target - input)
    else:
        zero = target == 0
        losses = target.masked_fill_(zero, 1.0) * target.log() - target.masked_fill(zero, 0.0) * input
    if reduction != "batchmean":
        reduction = named_reduction(reduction, size_average, reduce)
    return reduce_losses(losses, reduction)


@wrong("kl_div", says='named_reduction does not know "batchmean"')
def asks_about_batchmean(input, target, size_average=None, reduce=None, reduction="mean", log_target=False):
    if log_target:
        losses = target.exp() * (target - input)
    else:
        losses = target * (target.masked_fill(target == 0, 1.0).log() - input)
    return reduce_losses(losses, named_reduction(reduction, size_average, reduce))

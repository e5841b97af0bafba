"""Module 09, continued: normalization over the batch and the image, or over groups of channels."""

import math

import numpy as np

from ._dtype import int64
from .creation import ones, zeros
from .modules import Module, Parameter
from .tensor import Function


class BatchNorm(Function):
    """out = weight * z + bias, z = (x - mean) / sqrt(var + eps), for each channel of x (N, C, ...).

    mean and var are those of x in training, else given (Ioffe and Szegedy, 2015). With means over a channel,
    dL/dx = weight / sqrt(var + eps) * (g - mean(g) - z * mean(g * z)), or without both means if mean and var
    are given; dL/dweight = sum of g * z, dL/dbias = sum of g.
    """

    saves = "inputs"

    def forward(ctx, x, weight=None, bias=None, running=None, training=True, momentum=0.1, eps=1e-5):
        """Return x normalized; weight and bias are (C,) or None, running is a pair (mean, var) or None.

        In training, running moves in place by momentum towards the batch's mean and its var, unbiased.
        """
        rows = x.reshape(*x.shape[:2], math.prod(x.shape[2:]))  # (N, C, L)
        if training:
            mean = rows.mean(axis=(0, 2))
            z = rows - mean[:, None]
            var = np.einsum("ncl,ncl->c", z, z) / count_of(rows)
            if running is not None:
                move(running[0], mean, momentum)
                move(running[1], var * (count_of(rows) / (count_of(rows) - 1)), momentum)
        else:
            z, var = rows - running[0][:, None], running[1]
        ctx.scale = 1 / np.sqrt(var + x.dtype.type(eps))
        z *= ctx.scale[:, None]
        ctx.z = z
        out = z.copy() if weight is None else z * weight[:, None]
        if bias is not None:
            out += bias[:, None]
        return out.reshape(x.shape)

    def backward(ctx, g):
        weight, z = ctx.inputs[1], ctx.z
        g = g.reshape(z.shape)
        gx, gw, gb = g, np.einsum("ncl,ncl->c", g, z), g.sum(axis=(0, 2))
        if ctx.options["training"]:
            gx = z * (gw / -count_of(z))[:, None]
            gx += g
            gx -= (gb / count_of(z))[:, None]
        scale = ctx.scale if weight is None else ctx.scale * weight
        return (gx * scale[:, None]).reshape(ctx.shapes[0]), gw, gb


def count_of(rows):
    """Return the number of elements per channel of an array (N, C, L)."""
    return rows.shape[0] * rows.shape[2]


def move(running, value, momentum):
    """Move an array in place towards value: running = (1 - momentum) * running + momentum * value."""
    running *= 1 - momentum
    running += momentum * value


def batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-05):
    """Return input (N, C, ...) with each channel normalized, by its own mean and variance if training.

    In training the running statistics (C,), unless None, move in place towards those of the batch.
    Raises ValueError in training on one value per channel, RuntimeError when sizes or statistics are missing.

    >>> tt.nn.functional.batch_norm(tt.tensor([[1.0, 5.0], [3.0, 1.0]]), None, None, training=True)
    tensor([[-1.0000,  1.0000],
            [ 1.0000, -1.0000]])
    """
    if input.ndim < 2 and input.numel() == 0:
        return input.clone()
    if input.ndim < 2:
        raise RuntimeError(f"batch_norm: expected (N, C, ...), got shape {tuple(input.shape)}")
    if training and input.numel() == input.shape[1] > 0:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {input.shape}")
    own = {"running_mean": running_mean, "running_var": running_var, "weight": weight, "bias": bias}
    for name, part in own.items():
        if part is None and name.startswith("running") and not training:
            raise RuntimeError(f"{name} must be defined in evaluation mode")
        if part is not None and part.shape != input.shape[1:2]:
            raise RuntimeError(f"{name} should contain {input.shape[1]} elements not {part.numel()}")
    running = None if running_mean is None else (running_mean.array, running_var.array)
    if input.numel() == 0:  # nothing to learn from
        training, running = False, (np.zeros(input.shape[1], np.float32), np.ones(input.shape[1], np.float32))
    options = {"running": running, "training": training, "momentum": momentum, "eps": eps}
    out = BatchNorm.apply(input, weight, bias, **options)
    if training and running is not None:
        running_mean.bump_version()
        running_var.bump_version()
    return out


class BatchNorm1d(Module):
    """Normalize each channel of (N, C) or (N, C, L): by the batch in training, else by running statistics.

    momentum None: running statistics are the mean of those of all batches. See `batch_norm`.

    >>> tt.nn.BatchNorm1d(3)(tt.zeros(2, 3)).shape
    torch.Size([2, 3])
    """

    dims: tuple = (2, 3)

    def __init__(
        self, num_features, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True, device=None, dtype=None,
        *, bias=True,
    ):  # fmt: skip
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self.weight = Parameter(ones(num_features, dtype=dtype)) if affine else None
        self.bias = Parameter(zeros(num_features, dtype=dtype)) if affine and bias else None
        tracked = track_running_stats
        self.register_buffer("running_mean", zeros(num_features, dtype=dtype) if tracked else None)
        self.register_buffer("running_var", ones(num_features, dtype=dtype) if tracked else None)
        self.register_buffer("num_batches_tracked", zeros((), dtype=int64) if tracked else None)

    def reset_running_stats(self):
        """Forget all batches: mean 0, variance 1."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def forward(self, input):
        """Return input normalized. Raises ValueError for another number of dimensions."""
        if input.ndim not in self.dims:
            wanted = " or ".join(f"{n}D" for n in self.dims)
            raise ValueError(f"expected {wanted} input (got {input.ndim}D input)")
        momentum, training = self.momentum, self.training
        if training and self.track_running_stats:
            self.num_batches_tracked.add_(1)
            momentum = 1 / self.num_batches_tracked.item() if momentum is None else momentum
        by_batch = training or self.running_mean is None
        running = (self.running_mean, self.running_var)
        return batch_norm(input, *running, self.weight, self.bias, by_batch, momentum or 0.0, self.eps)

    def extra_repr(self):
        """Return the options."""
        options = f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}"
        return f"{options}, bias={self.bias is not None}, track_running_stats={self.track_running_stats}"


class BatchNorm2d(BatchNorm1d):
    """Normalize each channel of images (N, C, H, W): see `BatchNorm1d`.

    >>> tt.nn.BatchNorm2d(6)
    BatchNorm2d(6, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)
    """

    dims: tuple = (4,)


def group_norm(input, num_groups, weight=None, bias=None, eps=1e-05):
    """Return input (N, C, ...) with each group of channels of each sample normalized (Wu and He, 2018).

    Raises RuntimeError unless num_groups divides the channels, ValueError for one group of one value.

    >>> tt.nn.functional.group_norm(tt.tensor([[1.0, 3.0, 5.0, 5.0]]), 2)
    tensor([[-1.0000,  1.0000,  0.0000,  0.0000]])
    """
    if input.ndim < 2 or input.shape[1] % num_groups:
        raise RuntimeError(
            f"group_norm: shape {tuple(input.shape)} does not divide into {num_groups} groups of channels"
        )
    (n, channels), size = input.shape[:2], math.prod(input.shape[1:]) // num_groups
    if n * size == 1:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {list(input.shape)}")
    groups = input.reshape(1, n * num_groups, size)
    out = batch_norm(groups, None, None, None, None, True, 0.0, eps) if size > 1 else groups * 0
    shape = (channels, *[1] * (input.ndim - 2))
    out = out.reshape(input.shape) if weight is None else out.reshape(input.shape) * weight.reshape(shape)
    return out if bias is None else out + bias.reshape(shape)


def instance_norm(
    input, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True, momentum=0.1, eps=1e-05
):
    """Return input (N, C, ...) with each channel of each sample normalized: see `batch_norm`."""
    n, channels = input.shape[:2]
    if use_input_stats and math.prod(input.shape[2:]) == 1:
        raise ValueError(f"Expected more than 1 spatial element when training, got input size {input.shape}")
    own: list = [part if part is None else part.repeat(n) for part in (running_mean, running_var, weight, bias)]
    images = input.reshape(1, n * channels, *input.shape[2:])
    out = batch_norm(images, own[0], own[1], own[2], own[3], use_input_stats, momentum, eps)
    for running, moved in zip((running_mean, running_var), own, strict=False):
        if running is not None and use_input_stats:
            running.array[...] = moved.array.reshape(n, channels).mean(axis=0)
            running.bump_version()
    return out.reshape(input.shape)


class GroupNorm(Module):
    """Normalize groups of channels of each sample: see `group_norm`.

    >>> tt.nn.GroupNorm(2, 4)
    GroupNorm(2, 4, eps=1e-05, affine=True, bias=True)
    """

    def __init__(self, num_groups, num_channels, eps=1e-05, affine=True, device=None, dtype=None, *, bias=True):
        super().__init__()
        if num_channels % num_groups:
            raise ValueError("num_channels must be divisible by num_groups")
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        self.weight = Parameter(ones(num_channels, dtype=dtype)) if affine else None
        self.bias = Parameter(zeros(num_channels, dtype=dtype)) if affine and bias else None

    def forward(self, input):
        """Return input normalized."""
        return group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self):
        """Return the options."""
        has_bias = self.bias is not None
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, bias={has_bias}"


class InstanceNorm2d(BatchNorm2d):
    """Normalize each channel of each image, (N, C, H, W) or (C, H, W): see `instance_norm`."""

    dims = (3, 4)

    def __init__(
        self, num_features, eps=1e-05, momentum=0.1, affine=False, track_running_stats=False, device=None, dtype=None,
        *, bias=True,
    ):  # fmt: skip
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, input):
        """Return input normalized. Raises ValueError for another number of dimensions."""
        if input.ndim not in self.dims:
            raise ValueError(f"expected 3D or 4D input (got {input.ndim}D input)")
        images = input if input.ndim == 4 else input.unsqueeze(0)
        own = (self.running_mean, self.running_var, self.weight, self.bias)
        by_image = self.training or not self.track_running_stats
        return instance_norm(images, *own, by_image, self.momentum or 0.0, self.eps).reshape(input.shape)

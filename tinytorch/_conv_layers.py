"""The given part of module 09: padding, the functions and layers that run the operations of conv.py by name."""

import math

import numpy as np

from ._init import kaiming_uniform_, uniform_
from ._tensor_base import call
from .creation import zeros
from .modules import Module, Parameter
from .tensor import Function


def as_tuple(option, count=2):
    """Return an option, an int or one or `count` ints, as `count` ints."""
    option = tuple(option) if isinstance(option, (tuple, list)) else (option,)
    if len(option) not in (1, count):
        raise RuntimeError(f"expected an int or {count} ints, got {option}")
    return option * count if len(option) == 1 else option


class ConstantPad(Function):
    """out = x with `widths`, pairs, of values added around each dimension (negative: cut).  dL/dx = g there."""

    def forward(ctx, x, widths, value=0):
        out = np.full(
            [size + before + after for size, (before, after) in zip(x.shape, widths, strict=True)], value, x.dtype
        )
        inner = tuple(slice(max(a, 0), size - max(b, 0)) for size, (a, b) in zip(out.shape, widths, strict=True))
        kept = tuple(slice(max(-a, 0), size - max(-b, 0)) for size, (a, b) in zip(x.shape, widths, strict=True))
        out[inner] = x[kept]
        return out

    def backward(ctx, g):
        return ConstantPad.forward(ctx, g, [(-before, -after) for before, after in ctx.options["widths"]])


def pad(input, pad, mode="constant", value=None):
    """Return input with more (or, where negative, fewer) elements around its last dimensions.

    pad: (before, after) for the last dimension, then for the one before it, and so on. mode: "constant" (value,
    0 if None), "reflect", "replicate" or "circular". Raises RuntimeError when the sizes allow no such padding.

    >>> tt.nn.functional.pad(tt.tensor([[1, 2, 3]]), (2, 1), mode="reflect")
    tensor([[3, 2, 1, 2, 3, 2]])
    """
    dims = len(pad) // 2
    if len(pad) % 2 or dims > input.ndim:
        raise RuntimeError(f"pad: {list(pad)} is no list of pairs for {input.ndim} dimensions")
    pairs = [(0, 0)] * (input.ndim - dims) + [tuple(pad[2 * i : 2 * i + 2]) for i in reversed(range(dims))]
    if min((n + a + b for n, (a, b) in zip(input.shape, pairs, strict=True)), default=0) < 0:
        raise RuntimeError(f"pad: {list(pad)} cuts off more than shape {tuple(input.shape)} has")
    if mode == "constant":
        return ConstantPad.apply(input, widths=pairs, value=0 if value is None else value)
    limit = {"reflect": -1, "replicate": math.inf, "circular": 0}[mode]
    if any(max(pair) > max(size + limit, 0) for size, pair in zip(input.shape, pairs, strict=True)):
        raise RuntimeError(f"pad: {list(pad)} is too much for mode {mode!r} and shape {tuple(input.shape)}")
    rule = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}[mode]
    sources = [_source(size, a, b, rule) for size, (a, b) in zip(input.shape, pairs, strict=True)]
    return input[(..., *np.ix_(*sources[input.ndim - dims :]))].contiguous()


def _source(size, before, after, rule):
    """Return, for each place in a padded dimension, the place that its element comes from."""
    more, kept = (max(before, 0), max(after, 0)), slice(max(-before, 0), min(after, 0) or None)
    if rule == "wrap":  # what is cut off does not come back
        return np.pad(np.arange(size)[kept], more, rule)
    return np.pad(np.arange(size), more, rule)[kept] if any(more) else np.arange(size)[kept]


def on_batch(name, input, *others, **options):
    """Run the op of this name on images (N, C, H, W), or on one image (C, H, W) as if it were a batch of one."""
    if input.ndim not in (3, 4):
        raise RuntimeError(f"expected images (N, C, H, W) or one image (C, H, W), got shape {tuple(input.shape)}")
    if input.ndim == 4:
        return call(name, input, *others, **options)
    return call(name, input.unsqueeze(0), *others, **options).squeeze(0)


def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Return input (N, C, H, W) convolved with weight (O, C / groups, kh, kw), plus bias (O,): (N, O, oh, ow).

    padding: ints, "valid" (none) or "same" (the output has the input's size; stride 1 only). The input may lack N.
    Raises RuntimeError for shapes or dtypes that do not fit together.

    >>> tt.nn.functional.conv2d(tt.ones(1, 3, 8, 8), tt.ones(5, 3, 3, 3), padding=1).shape
    torch.Size([1, 5, 8, 8])
    """
    stride, dilation = as_tuple(stride), as_tuple(dilation)
    if weight.ndim != 4:
        raise RuntimeError(f"conv2d: expected a weight of 4 dimensions, got shape {tuple(weight.shape)}")
    if padding == "same":
        if stride != (1, 1):
            raise RuntimeError("padding='same' is not supported for strided convolutions")
        total = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
        out = conv2d(input, weight, bias, 1, [(amount + 1) // 2 for amount in total], dilation, groups)
        return out[..., total[0] % 2 :, total[1] % 2 :].contiguous()  # what is odd is less padding at the start
    padding = (0, 0) if padding == "valid" else as_tuple(padding)
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return on_batch("Convolution", input, weight, bias, **options)


def conv1d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Return input (N, C, L) convolved with weight (O, C / groups, k), plus bias: (N, O, l); see `conv2d`.

    >>> tt.nn.functional.conv1d(tt.tensor([[[1.0, 2.0, 4.0]]]), tt.tensor([[[-1.0, 1.0]]]))
    tensor([[[1., 2.]]])
    """
    padding = padding if isinstance(padding, str) else (0, *as_tuple(padding, 1))
    stride, dilation = (1, *as_tuple(stride, 1)), (1, *as_tuple(dilation, 1))
    return conv2d(input.unsqueeze(-2), weight.unsqueeze(-2), bias, stride, padding, dilation, groups).squeeze(-2)


def max_pool2d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """Return the largest element of each window (stride None: windows side by side), and where it was if asked.

    >>> tt.nn.functional.max_pool2d(tt.tensor([[[1.0, 5.0, 2.0, 0.0], [3.0, 4.0, 7.0, 6.0]]]), 2)
    tensor([[[5., 7.]]])
    """
    options = {"kernel_size": kernel_size, "stride": stride, "padding": padding}
    options |= {"dilation": dilation, "ceil_mode": ceil_mode}
    out = on_batch("MaxPool2D", input, **options)
    return (out, on_batch("MaxPool2DIndices", input, **options)) if return_indices else out


def avg_pool2d(
    input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
):
    """Return the mean of each window (stride None: windows side by side), in which padding counts as zeros or not.

    >>> tt.nn.functional.avg_pool2d(tt.tensor([[[1.0, 5.0, 2.0, 0.0], [3.0, 4.0, 7.0, 6.0]]]), 2)
    tensor([[[3.2500, 3.7500]]])
    """
    if divisor_override == 0:
        raise RuntimeError("divisor must be not zero")
    options = {"kernel_size": kernel_size, "stride": stride, "padding": padding, "ceil_mode": ceil_mode}
    options |= {"count_include_pad": count_include_pad, "divisor_override": divisor_override}
    return on_batch("AvgPool2D", input, **options)


class ConvBase(Module):
    """What Conv1d, Conv2d and ConvTranspose2d share: parameters, their first values, repr."""

    dims = 2
    transposed = False
    output_padding: tuple = ()

    def __init__(
        self, in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, dtype
    ):
        super().__init__()
        if in_channels % groups or out_channels % groups:
            raise ValueError(
                f"in_channels {in_channels} and out_channels {out_channels} must be divisible by groups {groups}"
            )
        self.in_channels, self.out_channels, self.groups, self.padding_mode = (
            in_channels,
            out_channels,
            groups,
            padding_mode,
        )
        self.kernel_size, self.stride, self.dilation = (as_tuple(x, self.dims) for x in (kernel_size, stride, dilation))
        self.padding = padding if isinstance(padding, str) else as_tuple(padding, self.dims)
        if padding == "same" and any(step != 1 for step in self.stride):
            raise ValueError("padding='same' is not supported for strided convolutions")
        first, second = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        self.weight = Parameter(zeros(first, second // groups, *self.kernel_size, dtype=dtype))
        self.bias = Parameter(zeros(out_channels, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self):
        """Draw weight and bias from U(-b, b), b = 1 / sqrt(inputs of one output), as PyTorch does."""
        kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(math.prod(self.weight.shape[1:]))
            uniform_(self.bias, -bound, bound)

    def extra_repr(self):
        """Return the options that are not the usual ones."""
        shown: dict = {"kernel_size": None, "stride": None, "padding": (0,) * self.dims, "dilation": (1,) * self.dims}
        shown |= {"output_padding": (0,) * len(self.output_padding), "groups": 1, "padding_mode": "zeros"}
        parts = [f"{name}={getattr(self, name)}" for name, usual in shown.items() if getattr(self, name) != usual]
        if self.bias is None:
            parts.insert(len(parts) - (self.padding_mode != "zeros"), "bias=False")
        return ", ".join([f"{self.in_channels}, {self.out_channels}", *parts])

    def _padded(self, input):
        """Return (input with its padding when that is no zeros, the padding that is left to do)."""
        if self.padding_mode == "zeros":
            return input, self.padding
        padding = (0,) * self.dims if self.padding == "valid" else self.padding
        if padding == "same":
            total = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
            pairs = [(amount // 2, amount - amount // 2) for amount in total]
        else:
            pairs = [(amount, amount) for amount in padding]
        return pad(input, sum(reversed(pairs), ()), self.padding_mode), 0


class Conv2d(ConvBase):
    """Convolution of images with learned filters: see `conv2d`.

    >>> tt.nn.Conv2d(1, 6, 5, padding=2)
    Conv2d(1, 6, kernel_size=(5, 5), stride=(1, 1), padding=(2, 2))
    """

    def __init__(
        self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True,
        padding_mode="zeros", device=None, dtype=None,
    ):  # fmt: skip
        options = (stride, padding, dilation, groups, bias, padding_mode, dtype)
        super().__init__(in_channels, out_channels, kernel_size, *options)

    def forward(self, input):
        """Return input (N, C, H, W) convolved with weight, plus bias."""
        input, padding = self._padded(input)
        return conv2d(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class Conv1d(Conv2d):
    """Convolution of sequences (N, C, L) with learned filters: see `conv1d`."""

    dims = 1

    def forward(self, input):
        """Return input (N, C, L) convolved with weight, plus bias."""
        input, padding = self._padded(input)
        return conv1d(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class MaxPool2d(Module):
    """Largest element of each window: see `max_pool2d`.

    >>> tt.nn.MaxPool2d(2)
    MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
    """

    pool = staticmethod(max_pool2d)

    def __init__(self, kernel_size, stride=None, padding=0, dilation=1, return_indices=False, ceil_mode=False):
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, kernel_size if stride is None else stride, padding
        self.dilation, self.return_indices, self.ceil_mode = dilation, return_indices, ceil_mode

    def forward(self, input):
        """Return input (N, C, H, W) pooled to (N, C, oh, ow)."""
        options = (self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices)
        return self.pool(input, *options)

    def extra_repr(self):
        """Return the options."""
        names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
        return ", ".join(f"{name}={getattr(self, name)}" for name in names)


class AvgPool2d(Module):
    """Mean of each window: see `avg_pool2d`.

    >>> tt.nn.AvgPool2d(2)
    AvgPool2d(kernel_size=2, stride=2, padding=0)
    """

    def __init__(
        self, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
    ):
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, kernel_size if stride is None else stride, padding
        self.options = (ceil_mode, count_include_pad, divisor_override)

    def forward(self, input):
        """Return input (N, C, H, W) pooled to (N, C, oh, ow)."""
        return avg_pool2d(input, self.kernel_size, self.stride, self.padding, *self.options)

    def extra_repr(self):
        """Return the options."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class ConstantPad2d(Module):
    """A value around images: padding is an int, or (left, right, top, bottom)."""

    mode, value = "constant", 0.0

    def __init__(self, padding, value):
        super().__init__()
        self.padding, self.value = as_tuple(padding, 4), value

    def forward(self, input):
        """Return input (..., H, W) with more around it."""
        return pad(input, self.padding, self.mode, self.value)

    def extra_repr(self):
        """Return padding and value."""
        return f"padding={self.padding}, value={self.value}"


class ZeroPad2d(ConstantPad2d):
    """Zeros around images: padding is an int, or (left, right, top, bottom).

    >>> tt.nn.ZeroPad2d(1)
    ZeroPad2d((1, 1, 1, 1))
    """

    def __init__(self, padding):
        super().__init__(padding, 0.0)

    def extra_repr(self):
        """Return the padding."""
        return f"{self.padding}"


class ReflectionPad2d(ZeroPad2d):
    """Images continued by their mirror images: see `pad`."""

    mode = "reflect"


class ReplicationPad2d(ZeroPad2d):
    """Images continued by their outermost elements: see `pad`."""

    mode = "replicate"

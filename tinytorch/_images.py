"""The given operations on images: unfold and fold, transposed convolution, adaptive pooling, resizing (module 09)."""

import numpy as np

from ._conv_layers import AvgPool2d, ConvBase, MaxPool2d, as_tuple, avg_pool2d, max_pool2d, pad
from .conv import Col2Im, ConvolutionTranspose, Im2Col
from .modules import Module
from .tensor import Tensor


def _on_batch(op, input, ndim, *others, **options):
    """Run op on a batch, or on an input of ndim dimensions as if it were a batch of one."""
    if input.ndim not in (ndim, ndim + 1):
        raise RuntimeError(f"expected {ndim} dimensions, and one more for a batch, got shape {tuple(input.shape)}")
    if input.ndim > ndim:
        return op.apply(input, *others, **options)
    return op.apply(input.unsqueeze(0), *others, **options).squeeze(0)


def unfold(input, kernel_size, dilation=1, padding=0, stride=1):
    """Return the windows of images (N, C, H, W) as columns (N, C * kh * kw, places).

    >>> tt.nn.functional.unfold(tt.tensor([[[1.0, 2.0, 3.0]]]), (1, 2))
    tensor([[1., 2.],
            [2., 3.]])
    """
    options = {"kernel_size": kernel_size, "stride": stride, "padding": padding, "dilation": dilation}
    return _on_batch(Im2Col, input, 3, **options)


def fold(input, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """Return images (N, C, *output_size): zeros to which columns (N, C * kh * kw, places) are added as windows.

    >>> tt.nn.functional.fold(tt.tensor([[1.0, 2.0], [2.0, 3.0]]), (1, 3), (1, 2))
    tensor([[[1., 4., 3.]]])
    """
    options = {"kernel_size": kernel_size, "stride": stride, "padding": padding, "dilation": dilation}
    return _on_batch(Col2Im, input, 2, size=as_tuple(output_size), **options)


def conv_transpose2d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """Return what conv2d with this weight (C, O / groups, kh, kw) sends back to its input: (N, C, H, W) -> (N, O, ...).

    Each size becomes (size - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1.

    >>> tt.nn.functional.conv_transpose2d(tt.ones(1, 1, 2, 2), tt.ones(1, 3, 2, 2), stride=2).shape
    torch.Size([1, 3, 4, 4])
    """
    stride, padding, dilation, extra = (as_tuple(option) for option in (stride, padding, dilation, output_padding))
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        raise RuntimeError("output padding must be smaller than either stride or dilation")
    parts = zip(input.shape[-2:], weight.shape[2:], stride, dilation, strict=True)
    size = tuple((n - 1) * s + d * (k - 1) + 1 for n, k, s, d in parts)
    widths = [(-p, e - p) for p, e in zip(padding, extra, strict=True)]
    if any(n + before + after < 1 for n, (before, after) in zip(size, widths, strict=True)):
        raise RuntimeError(f"conv_transpose2d: input {tuple(input.shape)} would shrink to nothing")
    options = {"size": size, "stride": stride, "dilation": dilation, "groups": groups}
    out = _on_batch(ConvolutionTranspose, input, 3, weight, **options)
    if any(map(any, widths)):
        out = pad(out, widths[1] + widths[0])
    return out if bias is None else out + bias.reshape(-1, 1, 1)


def conv_transpose1d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """Return what conv1d with this weight (C, O / groups, k) sends back to its input: see `conv_transpose2d`."""
    options = [(fill, *as_tuple(option, 1)) for option, fill in ((stride, 1), (padding, 0), (output_padding, 0))]
    options += [groups, (1, *as_tuple(dilation, 1))]
    return conv_transpose2d(input.unsqueeze(-2), weight.unsqueeze(-2), bias, *options).squeeze(-2)


def _check_sequence(input):
    if input.ndim not in (2, 3):
        raise RuntimeError(f"expected sequences (N, C, L) or one sequence (C, L), got shape {tuple(input.shape)}")


def max_pool1d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """Return the largest element of each window of sequences (N, C, L): see `max_pool2d`."""
    _check_sequence(input)
    kernel, padding, dilation = (1, *as_tuple(kernel_size, 1)), (0, *as_tuple(padding, 1)), (1, *as_tuple(dilation, 1))
    stride = kernel if stride in (None, (), []) else (1, *as_tuple(stride, 1))
    out = max_pool2d(input.unsqueeze(-2), kernel, stride, padding, dilation, ceil_mode, return_indices)
    return tuple(part.squeeze(-2) for part in out) if return_indices else out.squeeze(-2)


def avg_pool1d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    """Return the mean of each window of sequences (N, C, L): see `avg_pool2d`."""
    _check_sequence(input)
    kernel, padding = (1, *as_tuple(kernel_size, 1)), (0, *as_tuple(padding, 1))
    stride = kernel if stride in (None, (), []) else (1, *as_tuple(stride, 1))
    return avg_pool2d(input.unsqueeze(-2), kernel, stride, padding, ceil_mode, count_include_pad).squeeze(-2)


def adaptive_avg_pool2d(input, output_size):
    """Return means over a grid of output_size (an int, or a pair; None keeps a size) that covers the image evenly.

    >>> tt.nn.functional.adaptive_avg_pool2d(tt.tensor([[[1.0, 2.0, 6.0], [3.0, 4.0, 8.0]]]), (1, 2))
    tensor([[[2.5000, 5.0000]]])
    """
    rows, columns = (
        Tensor(_means(n, wanted).astype(input.array.dtype))
        for n, wanted in zip(input.shape[-2:], _grid(input, output_size), strict=True)
    )
    return rows @ input @ columns.T


def adaptive_avg_pool1d(input, output_size):
    """Return means over output_size stretches that cover sequences (N, C, L) evenly."""
    return adaptive_avg_pool2d(input.unsqueeze(-2), (1, *as_tuple(output_size, 1))).squeeze(-2)


def _grid(input, output_size):
    """Return an output_size as two ints. Raises ValueError for no images, RuntimeError for a negative size."""
    if input.ndim not in (3, 4):
        raise ValueError(f"expected images (N, C, H, W) or one image (C, H, W), got shape {tuple(input.shape)}")
    wanted = [n if want is None else want for n, want in zip(input.shape[-2:], as_tuple(output_size), strict=True)]
    if min(wanted) < 0 or 0 in input.shape[-3:]:
        raise RuntimeError(f"adaptive pooling: no grid of {wanted} for shape {tuple(input.shape)}")
    return wanted


def _means(size, wanted):
    """Return the matrix (wanted, size) that takes means over `wanted` windows spread evenly."""
    place, window = np.arange(size), np.arange(wanted)[:, None]
    inside = (
        (place >= window * size // wanted) & (place < -(-(window + 1) * size // wanted)) if wanted else window > place
    )
    return inside / inside.sum(axis=1, keepdims=True)


def adaptive_max_pool2d(input, output_size, return_indices=False):
    """Return the largest elements over a grid of output_size (see `adaptive_avg_pool2d`) that covers the image.

    >>> tt.nn.functional.adaptive_max_pool2d(tt.tensor([[[1.0, 2.0, 6.0], [3.0, 4.0, 8.0]]]), (1, 2))
    tensor([[[4., 8.]]])
    """
    sizes, places = input.shape[-2:], []
    for n, wanted in zip(sizes, _grid(input, output_size), strict=True):
        window = np.arange(wanted)[:, None]
        first, end = window * n // wanted, -(-(window + 1) * n // wanted)
        places.append(np.minimum(first + np.arange((end - first).max(initial=0)), end - 1))  # the last one again
    rows, columns = places[0][:, None, :, None], places[1][None, :, None, :]
    windows = input[..., rows, columns]  # (..., oh, ow, kh, kw)
    out, which = windows.reshape(*windows.shape[:-2], -1).max(-1)
    if not return_indices:
        return out.contiguous()
    numbers = (rows * sizes[1] + columns).reshape(*out.shape[-2:], -1)
    numbers = np.broadcast_to(numbers, (*out.shape, numbers.shape[-1]))
    return out.contiguous(), Tensor(np.take_along_axis(numbers, which.array[..., None], -1)[..., 0])


def interpolate(
    input,
    size=None,
    scale_factor=None,
    mode="nearest",
    align_corners=None,
    recompute_scale_factor=None,
    antialias=False,
):
    """Return input (N, C, ...) with its last dimensions resized to size, or by scale_factor.

    mode: "nearest", "nearest-exact", "linear" (also "bilinear", "trilinear"), "bicubic" or "area".

    >>> tt.nn.functional.interpolate(tt.tensor([[[1.0, 2.0]]]), scale_factor=2)
    tensor([[[1., 1., 2., 2.]]])
    """
    count, out = input.ndim - 2, input
    if (size is None) == (scale_factor is None) or antialias:
        raise ValueError("interpolate: either size or scale_factor, and no antialias")
    if _DIMS.get(mode, count) != count:
        raise NotImplementedError(f"interpolate: mode {mode!r} does not fit an input of {input.ndim} dimensions")
    for dim, option in enumerate(as_tuple(scale_factor if size is None else size, count), 2):
        n = input.shape[dim]
        wanted = int(n * option) if size is None else option
        step = 1 / option if size is None and not recompute_scale_factor else n / wanted
        weights = Tensor(_resizing(n, wanted, step, mode, align_corners).astype(input.array.dtype))
        out = (out.transpose(dim, -1) @ weights.T).transpose(dim, -1)
    return out.contiguous()


_DIMS = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}


def _resizing(n, wanted, step, mode, align_corners):
    """Return the matrix (wanted, n) that resizes a dimension; step: the distance of neighbours, in old places."""
    if mode == "area":
        return _means(n, wanted)
    places = np.arange(wanted)
    if mode.startswith("nearest"):
        at, taps = (places + (0.5 if mode == "nearest-exact" else 0)) * np.float32(step), {0: lambda t: 1.0 + 0 * t}
    elif align_corners:
        at = places * ((n - 1) / max(wanted - 1, 1))
    else:
        at = (places + 0.5) * step - 0.5
    if mode.endswith("linear"):
        at, taps = np.maximum(at, 0), {0: lambda t: 1 - t, 1: lambda t: t}
    elif mode == "bicubic":  # Keys 1981, with a = -0.75
        near, far = lambda t: (1.25 * t - 2.25) * t * t + 1, lambda t: ((-0.75 * t + 3.75) * t - 6) * t + 3
        taps = {-1: lambda t: far(t + 1), 0: near, 1: lambda t: near(1 - t), 2: lambda t: far(2 - t)}
    weights, low = np.zeros((wanted, n)), np.floor(at).astype(np.int64)
    for offset, weight in taps.items():
        np.add.at(weights, (places, np.clip(low + offset, 0, n - 1)), weight(at - low))
    return weights


def pixel_shuffle(input, upscale_factor):
    """Return images (..., C * r * r, H, W) as (..., C, H * r, W * r), r = upscale_factor (Shi et al., 2016).

    >>> tt.nn.functional.pixel_shuffle(tt.arange(4).reshape(4, 1, 1), 2)
    tensor([[[0, 1],
             [2, 3]]])
    """
    *batch, channels, h, w = input.shape
    r, n = upscale_factor, len(batch)
    if r < 1 or channels % (r * r):
        raise RuntimeError(f"pixel_shuffle: {channels} channels are not divisible by the square of {r}")
    parts = input.reshape(*batch, channels // (r * r), r, r, h, w)
    return parts.permute(*range(n + 1), n + 3, n + 1, n + 4, n + 2).reshape(*batch, channels // (r * r), h * r, w * r)


class ConvTranspose2d(ConvBase):
    """The way back through a convolution, with learned filters: see `conv_transpose2d`.

    >>> tt.nn.ConvTranspose2d(4, 2, 3, stride=2)
    ConvTranspose2d(4, 2, kernel_size=(3, 3), stride=(2, 2))
    """

    transposed = True

    def __init__(
        self, in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1, bias=True,
        dilation=1, padding_mode="zeros", device=None, dtype=None,
    ):  # fmt: skip
        options = (stride, padding, dilation, groups, bias, padding_mode, dtype)
        super().__init__(in_channels, out_channels, kernel_size, *options)
        self.output_padding = as_tuple(output_padding, self.dims)

    def forward(self, input):
        """Return input (N, C, H, W), grown to (N, O, ...)."""
        options = (self.stride, self.padding, self.output_padding, self.groups, self.dilation)
        run = conv_transpose2d if self.dims == 2 else conv_transpose1d
        return run(input, self.weight, self.bias, *options)


class ConvTranspose1d(ConvTranspose2d):
    """The way back through a convolution of sequences: see `conv_transpose1d`."""

    dims = 1


class MaxPool1d(MaxPool2d):
    """Largest element of each window of sequences: see `max_pool1d`."""

    pool = staticmethod(max_pool1d)


class AdaptiveAvgPool2d(Module):
    """Means over a grid that covers the image evenly: see `adaptive_avg_pool2d`.

    >>> tt.nn.AdaptiveAvgPool2d((1, None))(tt.zeros(1, 4, 8, 6)).shape
    torch.Size([1, 4, 1, 6])
    """

    pool = staticmethod(adaptive_avg_pool2d)

    def __init__(self, output_size):
        super().__init__()
        self.output_size = output_size

    def forward(self, input):
        """Return input pooled to output_size."""
        return self.pool(input, self.output_size)

    def extra_repr(self):
        """Return the size."""
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(AdaptiveAvgPool2d):
    """Means over stretches that cover a sequence evenly: see `adaptive_avg_pool1d`."""

    pool = staticmethod(adaptive_avg_pool1d)


class Unfold(Module):
    """Windows as columns: see `unfold`."""

    def __init__(self, kernel_size, dilation=1, padding=0, stride=1):
        super().__init__()
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride

    def forward(self, input):
        """Return the windows of input."""
        return unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self):
        """Return the options."""
        names = ("kernel_size", "dilation", "padding", "stride")
        return ", ".join(f"{name}={getattr(self, name)}" for name in names)


class Fold(Unfold):
    """Columns added up to images: see `fold`."""

    def __init__(self, output_size, kernel_size, dilation=1, padding=0, stride=1):
        super().__init__(kernel_size, dilation, padding, stride)
        self.output_size = output_size

    def forward(self, input):
        """Return the images."""
        return fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self):
        """Return the options."""
        return f"output_size={self.output_size}, {super().extra_repr()}"


class Upsample(Module):
    """Resize images: see `interpolate`."""

    def __init__(self, size=None, scale_factor=None, mode="nearest", align_corners=None, recompute_scale_factor=None):
        super().__init__()
        many = isinstance(scale_factor, (tuple, list))
        self.scale_factor = tuple(map(float, scale_factor)) if many else scale_factor and float(scale_factor)
        self.size, self.mode, self.align_corners = size, mode, align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input):
        """Return input resized."""
        options = (self.mode, self.align_corners, self.recompute_scale_factor)
        return interpolate(input, self.size, self.scale_factor, *options)

    def extra_repr(self):
        """Return the options."""
        name = "size" if self.scale_factor is None else "scale_factor"
        return f"{name}={getattr(self, name)}, mode={self.mode!r}"


class PixelShuffle(Module):
    """Channels become pixels: see `pixel_shuffle`."""

    def __init__(self, upscale_factor):
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input):
        """Return input, r times as wide and high."""
        return pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self):
        """Return the factor."""
        return f"upscale_factor={self.upscale_factor}"


class AvgPool1d(AvgPool2d):
    """Mean of each window of sequences: see `avg_pool1d`."""

    def __init__(self, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
        kernel, step, around = (
            as_tuple(x, 1) for x in (kernel_size, kernel_size if stride is None else stride, padding)
        )
        super().__init__(kernel, step, around, ceil_mode, count_include_pad)

    def forward(self, input):
        """Return input (N, C, L) pooled to (N, C, l)."""
        return avg_pool1d(input, self.kernel_size, self.stride, self.padding, *self.options[:2])


class AdaptiveMaxPool2d(AdaptiveAvgPool2d):
    """Largest elements over a grid that covers the image evenly: see `adaptive_max_pool2d`."""

    pool = staticmethod(adaptive_max_pool2d)

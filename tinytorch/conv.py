"""Module 09, Convolutions: small windows that slide over an image, all of them multiplied in one matrix product.

im2col copies every window into a column, with the batch last, so that runs of memory are long; one product with
the filters gives the output. col2im, its transpose, brings gradients back. Pooling needs no copy of windows.
"""

import math

import numpy as np

from ._conv_layers import Conv2d, MaxPool2d, as_tuple
from .activations import relu
from .modules import Linear, Module
from .tensor import Function, MatMul


def conv_output_shape(shape, kernel_size, stride=1, padding=0, dilation=1, ceil_mode=False):
    """Return how many windows fit along each dimension of shape; the other arguments are ints, or an int for each.

    floor((size + 2 padding - dilation (kernel - 1) - 1) / stride) + 1. With ceil_mode a last window may hang over
    the end if it begins inside. Raises RuntimeError when no window fits.

    >>> tt.conv_output_shape((28, 28), 5, stride=2, padding=(2, 0))
    (14, 12)
    """
    sizes = []
    for dim, size in enumerate(shape):
        k, s, p, d = (as_tuple(option, len(shape))[dim] for option in (kernel_size, stride, padding, dilation))
        room = size + 2 * p - d * (k - 1) - 1
        if min(k, s, d) < 1 or p < 0:
            raise RuntimeError(f"kernel size {k}, stride {s}, dilation {d} must be positive, padding {p} not negative")
        count = (room + s - 1 if ceil_mode else room) // s + 1
        if ceil_mode and (count - 1) * s >= size + p:
            count -= 1
        if count < 1:
            raise RuntimeError(
                f"no window of size {d * (k - 1) + 1} fits into {size + 2 * p} (dimension {dim} of {tuple(shape)})"
            )
        sizes.append(count)
    return tuple(sizes)


def conv2d_loops(x, weight, stride=1, padding=0):
    """Return the convolution of an image with filters as nested lists, by loops in pure Python, to be timed.

    x: (C, H, W), weight: (O, C, kh, kw), nested lists or arrays -> (O, oh, ow); stride and padding are ints.

    >>> tt.conv2d_loops([[[1, 2, 3], [4, 5, 6]]], [[[[1, 10]]]])
    [[[21, 32], [54, 65]]]
    """
    height, width, kh, kw = len(x[0]), len(x[0][0]), len(weight[0][0]), len(weight[0][0][0])
    oh, ow = conv_output_shape((height, width), (kh, kw), stride, padding)
    out = [[[0] * ow for _ in range(oh)] for _ in weight]
    for o, filters in enumerate(weight):
        for row in range(oh):
            for column in range(ow):
                for c, image in enumerate(x):
                    for i in range(kh):
                        for j in range(kw):
                            y, z = row * stride + i - padding, column * stride + j - padding
                            if 0 <= y < height and 0 <= z < width:
                                out[o][row][column] += filters[c][i][j] * image[y][z]
    return out


def places(x, size, kernel, stride, dilation):
    """Yield, for each place (i, j) in a window, (place, view of x): what all `size` windows have there.

    x: (A, H, W, ...) -> views (A, *size, ...). The only loop: over the few places of one window.
    """
    (sh, sw), (dh, dw) = as_tuple(stride), as_tuple(dilation)
    for i, j in np.ndindex(*kernel):
        yield (i, j), x[:, i * dh : i * dh + size[0] * sh : sh, j * dw : j * dw + size[1] * sw : sw]


def im2col(x, kernel_size, stride=1, padding=0, dilation=1):
    """Return all windows of x as columns: array (N, C, H, W) -> (C * kh * kw, oh * ow * N), a copy.

    Row (c, i, j) of the result is what the filters' element (c, i, j) meets: at each place, in each image.

    >>> tt.im2col(np.arange(6.0).reshape(1, 1, 2, 3), kernel_size=2)
    array([[0., 1.],
           [1., 2.],
           [3., 4.],
           [4., 5.]])
    """
    n, c, h, w = x.shape
    kernel, (ph, pw) = as_tuple(kernel_size), as_tuple(padding)
    size = conv_output_shape((h, w), kernel, stride, padding, dilation)
    padded = np.zeros((c, h + 2 * ph, w + 2 * pw, n), x.dtype)
    padded[:, ph : ph + h, pw : pw + w] = x.transpose(1, 2, 3, 0)
    columns = np.empty((c, *kernel, *size, n), x.dtype)
    for (i, j), view in places(padded, size, kernel, stride, dilation):
        columns[:, i, j] = view
    return columns.reshape(c * math.prod(kernel), math.prod(size) * n)


def col2im(columns, shape, kernel_size, stride=1, padding=0, dilation=1):
    """Return an array of shape (N, C, H, W) to which every window, a column, has been added at its place.

    The transpose of im2col: sum(im2col(x) * columns) == sum(x * col2im(columns)).

    >>> tt.col2im(np.ones((4, 2)), (1, 1, 2, 3), kernel_size=2)
    array([[[[1., 2., 1.],
             [1., 2., 1.]]]])
    """
    n, c, h, w = shape
    kernel, (ph, pw) = as_tuple(kernel_size), as_tuple(padding)
    size = conv_output_shape((h, w), kernel, stride, padding, dilation)
    parts = columns.reshape(c, *kernel, *size, n)
    out = np.zeros((c, h + 2 * ph, w + 2 * pw, n), columns.dtype)
    for (i, j), view in places(out, size, kernel, stride, dilation):
        view += parts[:, i, j]
    return np.ascontiguousarray(out[:, ph : ph + h, pw : pw + w].transpose(3, 0, 1, 2))


class Convolution(Function):
    """out[n, o] = bias[o] + sum of weight[o] * (each window of x[n]).

    x: (N, C, H, W), weight: (O, C / groups, kh, kw), bias: (O,) or None -> (N, O, oh, ow).
    out = W @ columns, columns = im2col(x): dL/dW = g @ columns.T, dL/dx = col2im(W.T @ g), dL/db = sum of g.
    Group k of the filters sees group k of the channels only.
    """

    saves = "inputs"

    def forward(ctx, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
        """Return the convolution. Raises RuntimeError when channels or dtypes do not fit, or no window does."""
        filters, n = len(weight), len(x)
        if any(part.dtype != x.dtype for part in (weight, bias) if part is not None):
            raise RuntimeError(f"conv: expected one dtype, that of the input, {x.dtype}, got weight {weight.dtype}")
        fits = x.shape[1] == groups * weight.shape[1] and filters % groups == 0
        if not fits or (bias is not None and bias.shape != (filters,)):
            raise RuntimeError(f"conv: {groups} groups, weight {weight.shape} and input {x.shape} do not fit together")
        size = conv_output_shape(x.shape[2:], weight.shape[2:], stride, padding, dilation)
        columns = im2col(x, weight.shape[2:], stride, padding, dilation)
        ctx.columns = columns.reshape(groups, len(columns) // groups, math.prod(size) * n)
        out = MatMul.multiply(weight.reshape(groups, filters // groups, -1), ctx.columns)
        out = out.reshape(filters, *size, n)
        if bias is not None:
            out += bias[:, None, None, None]
        return np.ascontiguousarray(out.transpose(3, 0, 1, 2))

    def backward(ctx, g):
        x, weight, _ = ctx.inputs
        groups, *options = (ctx.options[name] for name in ("groups", "stride", "padding", "dilation"))
        g = g.transpose(1, 2, 3, 0).reshape(groups, len(weight) // groups, -1)
        gx = gw = gb = None
        if ctx.needs_input_grad[0]:
            columns = MatMul.multiply(weight.reshape(*g.shape[:2], -1).swapaxes(1, 2), g)
            gx = col2im(columns, x.shape, weight.shape[2:], *options)
        if ctx.needs_input_grad[1]:
            gw = MatMul.multiply(g, ctx.columns.swapaxes(1, 2)).reshape(weight.shape)
        if ctx.needs_input_grad[2]:
            gb = g.sum(axis=-1).reshape(-1)
        return gx, gw, gb


class ConvolutionTranspose(Function):
    """out = what a convolution with this weight sends back to its input when x is the gradient of its output.

    x: (N, C, H, W), weight: (C, O / groups, kh, kw) -> (N, O, ...). out = col2im(W.T @ x):
    dL/dx = W @ im2col(g), dL/dW = x @ im2col(g).T.
    """

    saves = "inputs"

    def forward(ctx, x, weight, size, stride, dilation, groups):
        if x.shape[1] != len(weight) or len(weight) % groups or x.dtype != weight.dtype:
            raise RuntimeError(f"conv_transpose: {groups} groups, weight {weight.shape}, input {x.shape} do not fit")
        rows, matrix = _grouped(x, weight, groups)
        columns = MatMul.multiply(matrix.swapaxes(1, 2), rows)
        return col2im(columns, (len(x), groups * weight.shape[1], *size), weight.shape[2:], stride, 0, dilation)

    def backward(ctx, g):
        x, weight = ctx.inputs
        groups, stride, dilation = (ctx.options[name] for name in ("groups", "stride", "dilation"))
        rows, matrix = _grouped(x, weight, groups)
        columns = im2col(g, weight.shape[2:], stride, 0, dilation).reshape(groups, matrix.shape[2], -1)
        gx = MatMul.multiply(matrix, columns).reshape(*x.shape[1:], len(x)).transpose(3, 0, 1, 2)
        return gx, MatMul.multiply(rows, columns.swapaxes(1, 2)).reshape(weight.shape)


def _grouped(x, weight, groups):
    """Return x (N, C, H, W) as (groups, C / groups, H * W * N), weight as (groups, C / groups, the rest)."""
    channels = len(weight) // groups
    return x.transpose(1, 2, 3, 0).reshape(groups, channels, -1), weight.reshape(groups, channels, -1)


class Im2Col(Function):
    """out = the windows of x as columns: (N, C, H, W) -> (N, C * kh * kw, places).  dL/dx = col2im(g)."""

    def forward(ctx, x, **options):
        columns = im2col(x, **options)
        count = math.prod(conv_output_shape(x.shape[2:], **options))
        return np.ascontiguousarray(columns.reshape(len(columns), count, len(x)).transpose(2, 0, 1))

    def backward(ctx, g):
        return col2im(g.transpose(1, 2, 0), *ctx.shapes, **ctx.options)


class Col2Im(Function):
    """out = zeros of `size` to which the columns have been added at their places.  dL/dx = im2col(g)."""

    def forward(ctx, x, size, **options):
        kernel = as_tuple(options["kernel_size"])
        if x.shape[1] % math.prod(kernel) or x.shape[2] != math.prod(conv_output_shape(size, **options)):
            raise RuntimeError(f"fold: columns of shape {x.shape} are no windows of {kernel} in images of {size}")
        shape = (len(x), x.shape[1] // math.prod(kernel), *size)
        return col2im(x.transpose(1, 2, 0), shape, **options)

    def backward(ctx, g):
        options = {name: option for name, option in ctx.options.items() if name != "size"}
        return im2col(g, **options).reshape(*ctx.shapes[0][1:], len(g)).transpose(2, 0, 1)


class PoolWindows:
    """The windows that pooling slides over images of shape (..., H, W); every option is a pair."""

    def __init__(self, shape, kernel_size, stride, padding, dilation=1, ceil_mode=False):
        self.images, self.kernel, self.padding = shape[-2:], as_tuple(kernel_size), as_tuple(padding)
        self.stride, self.dilation = as_tuple(kernel_size if stride in (None, ()) else stride), as_tuple(dilation)
        options = (self.kernel, self.stride, self.padding, self.dilation)
        self.size = conv_output_shape(self.images, *options, ceil_mode)
        self.shape = (*shape[:-2], *self.size)  # of the output
        self.span = [d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True)]
        if 0 in shape[-3:]:
            raise RuntimeError(f"pooling: only the batch may be empty, got shape {shape}")
        if any(2 * p > span for p, span in zip(self.padding, self.span, strict=True)):
            raise RuntimeError(f"padding {self.padding} should be at most half of the kernel's size {self.span}")

    def surround(self, x, value):
        """Return x as (A, H', W'), with value around the images as far as windows reach."""
        x, (ph, pw), (h, w) = x.reshape(-1, *self.images), self.padding, self.images
        ends = [(n - 1) * s + span for n, s, span in zip(self.size, self.stride, self.span, strict=True)]
        if not any(self.padding) and ends[0] <= h and ends[1] <= w:
            return x
        out = np.full((len(x), max(ends[0], ph + h), max(ends[1], pw + w)), value, x.dtype)
        out[:, ph : ph + h, pw : pw + w] = x
        return out

    def inside(self, padded, shape):
        """Return what `surround` was given: the part of padded within the padding, in this shape."""
        (ph, pw), (h, w) = self.padding, self.images
        return padded[:, ph : ph + h, pw : pw + w].reshape(shape)

    def places(self, padded):
        """Return, for each place in a window, a view of padded (A, H', W'): what all windows have there."""
        return [view for _, view in places(padded, self.size, self.kernel, self.stride, self.dilation)]

    def fold(self, ufunc, padded):
        """Return ufunc (np.maximum, np.add) over each window, (A, oh, ow): over its rows, then over its columns."""
        (oh, _), (kh, kw), (sh, sw), (dh, dw) = self.size, self.kernel, self.stride, self.dilation
        out = _fold(ufunc, places(padded, (oh, padded.shape[2]), (kh, 1), (sh, 1), (dh, 1)))
        return _fold(ufunc, places(out, self.size, (1, kw), (1, sw), (1, dw)))

    def counts(self, count_include_pad):
        """Return the number of elements of each window, (oh, ow), with those of the padding or without."""
        counts = []
        for n, size, k, s, p in zip(self.images, self.size, self.kernel, self.stride, self.padding, strict=True):
            first = np.arange(size) * s - p
            last = np.minimum(first + k, n + p)
            counts.append(last - first if count_include_pad else np.minimum(last, n) - np.maximum(first, 0))
        return np.outer(*counts)


def _fold(ufunc, views):
    first, *rest = (view for _, view in views)
    out = ufunc(first, rest[0]) if rest else first.copy()
    for view in rest[1:]:
        ufunc(out, view, out=out)
    return out


class MaxPool2D(Function):
    """out = the largest element of each window.  dL/dx = g at the first largest of each window, added up.

    x: (..., H, W) -> (..., oh, ow). Around x lies -inf.
    """

    saves = "both"

    def forward(ctx, x, **options):
        """Return the largest elements; the options are those of `PoolWindows`."""
        ctx.windows = PoolWindows(x.shape, **options)
        return ctx.windows.fold(np.maximum, ctx.windows.surround(x, -np.inf)).reshape(ctx.windows.shape)

    def backward(ctx, g):
        (x,), windows = ctx.inputs, ctx.windows
        g, largest = g.reshape(-1, *windows.size), ctx.output.reshape(-1, *windows.size)
        padded = windows.surround(x, -np.inf)
        grad = np.zeros_like(padded)
        free = np.ones(g.shape, np.bool_)  # windows that have not passed on their gradient yet
        for view, part in zip(windows.places(padded), windows.places(grad), strict=True):
            hit = (view == largest) & free
            part += g * hit
            free ^= hit
        return windows.inside(grad, x.shape)


class MaxPool2DIndices(Function):
    """out = where in its image (row * W + column) the first largest element of each window is; no gradient."""

    def forward(ctx, x, **options):
        windows = PoolWindows(x.shape, **options)
        padded = windows.surround(x, -np.inf)
        largest, found = windows.fold(np.maximum, padded), np.zeros((len(padded), *windows.size), np.int64)
        numbers = windows.surround(np.arange(math.prod(windows.images)), 0)
        pairs = zip(windows.places(padded), windows.places(numbers), strict=True)
        for view, number in reversed(list(pairs)):  # so that the first wins
            np.copyto(found, number, where=view == largest)
        return found.reshape(windows.shape)


class AvgPool2D(Function):
    """out = sum of each window / its number of elements.  dL/dx = g / that number, added to all of the window.

    x: (..., H, W) -> (..., oh, ow). Around x lie zeros.
    """

    def forward(ctx, x, count_include_pad=True, divisor_override=None, **options):
        """Return the means; padding counts as elements or not, or divisor_override is the number; see `PoolWindows`."""
        ctx.windows = PoolWindows(x.shape, **options)
        ctx.divisor = np.asarray(divisor_override or ctx.windows.counts(count_include_pad), x.dtype)
        out = ctx.windows.fold(np.add, ctx.windows.surround(x, 0))
        return np.divide(out, ctx.divisor, out=out).reshape(ctx.windows.shape)

    def backward(ctx, g):
        (shape,), windows = ctx.shapes, ctx.windows
        share = np.divide(g, ctx.divisor, dtype=g.dtype).reshape(-1, *windows.size)
        grad = np.zeros_like(windows.surround(np.empty(shape, g.dtype), 0))
        for part in windows.places(grad):
            part += share
        return windows.inside(grad, shape)


class LeNet5(Module):
    """Two convolutions with pooling, then three linear layers, for images (N, 1, 28, 28) (LeCun et al., 1998).

    As commonly built today: ReLU where the paper has tanh, largest elements where it has trained means.
    """

    def __init__(self, num_classes=10):
        super().__init__()
        self.conv1 = Conv2d(1, 6, 5, padding=2)
        self.conv2 = Conv2d(6, 16, 5)
        self.pool = MaxPool2d(2)
        self.fc1 = Linear(16 * 5 * 5, 120)
        self.fc2 = Linear(120, 84)
        self.fc3 = Linear(84, num_classes)

    def forward(self, input):
        """Return logits (N, num_classes) for images (N, 1, 28, 28)."""
        x = self.pool(relu(self.conv1(input)))  # (N, 6, 14, 14)
        x = self.pool(relu(self.conv2(x)))  # (N, 16, 5, 5)
        x = relu(self.fc1(x.reshape(len(x), -1)))
        return self.fc3(relu(self.fc2(x)))

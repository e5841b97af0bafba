"""Module 15, Quantization: numbers of 8 or 4 bits in place of 32, x = scale * (q - zero_point).

Names are those of torch.ao.quantization. The integer arithmetic is that of Jacob et al. 2018, "Quantization and
training of neural networks for efficient integer-arithmetic-only inference". Quantized layers have no gradients.
"""

import copy
import io
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._conv_layers import Conv2d
from .autograd import no_grad
from .conv import conv_output_shape, im2col
from .modules import Linear, Module
from .serialization import save
from .tensor import Function, MatMul, Tensor

EPS = np.finfo(np.float32).eps  # the smallest scale
BLOCK = 1024  # products of int8 are at most 2**14; a sum of 1024 of them is at most 2**24, exact in float32


@dataclass(frozen=True, repr=False)
class QuantizedType:
    """Integers that numbers are stored as: NumPy's dtype and the range."""

    name: str
    numpy: Any
    quant_min: int
    quant_max: int

    def __repr__(self):
        return f"torch.{self.name}"


qint8 = QuantizedType("qint8", np.int8, -128, 127)
quint8 = QuantizedType("quint8", np.uint8, 0, 255)


def calculate_qparams(min_val, max_val, dtype=quint8, symmetric=False):
    """Return (scale, zero_point) with which the range from min_val to max_val, and 0, just fits.

    min_val, max_val: float32, one number or an array of one for each channel. Affine: the ends of the range are the
    ends of the integers, and 0 is exact. Symmetric: as wide on both sides, and zero_point is the middle (qint8: 0,
    quint8: 128). scale: float32, at least EPS; zero_point: int32.
    """
    low, high = np.minimum(min_val, np.float32(0)), np.maximum(max_val, np.float32(0))
    steps = np.float32(dtype.quant_max - dtype.quant_min)
    if symmetric:
        scale = np.maximum(np.maximum(-low, high) / (steps / 2), EPS)
        return scale, np.full(np.shape(scale), (dtype.quant_min + dtype.quant_max + 1) // 2, np.int32)
    scale = np.maximum((high - low) / steps, EPS)
    zero_point = np.clip(dtype.quant_min - np.rint(low / scale), dtype.quant_min, dtype.quant_max)
    return scale, zero_point.astype(np.int32)


def quantize(a, scale, zero_point, dtype=qint8):
    """Return the integers nearest to a / scale + zero_point in the dtype's range; halves go to the even one.

    a: float32 array; scale, zero_point: numbers or arrays that broadcast with it.
    """
    q = np.rint(a * (1 / np.float32(scale))) + np.float32(zero_point)
    return np.clip(q, dtype.quant_min, dtype.quant_max).astype(dtype.numpy)


def dequantize(q, scale, zero_point):
    """Return scale * (q - zero_point) as float32, within scale / 2 of any number that was in the range."""
    return (np.float32(q) - np.float32(zero_point)) * np.float32(scale)


def along(values, axis, ndim):
    """Return an array of numbers, one for each channel, in the shape that broadcasts along axis of ndim."""
    return values.reshape([-1 if i == axis % ndim else 1 for i in range(ndim)])


class QuantizedTensor:
    """Integers with the scale and zero point that give them their values; both broadcast with the integers."""

    def __init__(self, array, scale, zero_point):
        self.array, self.scale, self.zero_point = array, np.float32(scale), np.int32(zero_point)
        self.shape = Tensor(array).shape

    def int_repr(self):
        """Return the integers as a tensor."""
        return Tensor(self.array)

    def dequantize(self):
        """Return the values as a float32 tensor."""
        return Tensor(dequantize(self.array, self.scale, self.zero_point))


def quantize_per_tensor(input, scale, zero_point, dtype):
    """Return input as a QuantizedTensor with one scale and zero point.

    >>> tt.quantize_per_tensor(tt.tensor([-1.0, 0.0, 0.26, 9.0]), 0.1, 10, tt.quint8).int_repr()
    tensor([  0,  10,  13, 100], dtype=torch.uint8)
    """
    return QuantizedTensor(quantize(input.array, scale, zero_point, dtype), scale, zero_point)


def quantize_per_channel(input, scales, zero_points, axis, dtype):
    """Return input as a QuantizedTensor with a scale and zero point for each index along axis.

    >>> x, scales = tt.tensor([[1.0, 2.0], [1.0, 2.0]]), tt.tensor([0.1, 0.5])
    >>> tt.quantize_per_channel(x, scales, tt.tensor([0, 3]), 0, tt.qint8).int_repr()
    tensor([[10, 20],
            [ 5,  7]], dtype=torch.int8)
    """
    scale, zero_point = (along(v.array, axis, input.ndim) for v in (scales, zero_points))
    return quantize_per_tensor(input, scale, zero_point, dtype)


class FakeQuantize(Function):
    """out = scale * (q - zero_point), q = a quantized: what rounding does to a, still in float32.

    dL/da = g where q was in range, else 0: the gradient goes straight through the rounding (Bengio et al. 2013).
    """

    def forward(ctx, a, scale, zero_point, quant_min, quant_max):
        q = np.rint(a * (1 / np.float32(scale))) + np.float32(zero_point)
        ctx.inside = (q >= quant_min) & (q <= quant_max)
        return dequantize(np.clip(q, quant_min, quant_max), scale, zero_point)

    def backward(ctx, g):
        return g * ctx.inside


def fake_quantize_per_tensor_affine(input, scale, zero_point, quant_min, quant_max):
    """Return input rounded to what integers from quant_min to quant_max can express; gradients pass.

    >>> tt.fake_quantize_per_tensor_affine(tt.tensor([-1.0, 0.26, 9.0]), 0.5, 0, -4, 3)
    tensor([-1.0000,  0.5000,  1.5000])
    """
    scale, zero_point = (getattr(v, "array", v) for v in (scale, zero_point))
    return FakeQuantize.apply(input, scale=scale, zero_point=zero_point, quant_min=quant_min, quant_max=quant_max)


def fake_quantize_per_channel_affine(input, scale, zero_point, axis, quant_min, quant_max):
    """Return input rounded, with a scale and zero point for each index along axis; gradients pass."""
    scale, zero_point = (along(v.array, axis, input.ndim) for v in (scale, zero_point))
    return fake_quantize_per_tensor_affine(input, scale, zero_point, quant_min, quant_max)


class MinMaxObserver(Module):
    """Keeps the smallest and largest number of the batches that pass; ch_axis: an axis with a range for each index.

    In place of PyTorch's qscheme: symmetric (see `calculate_qparams`) and ch_axis.
    """

    def __init__(self, dtype=quint8, symmetric=False, ch_axis=None):
        super().__init__()
        self.dtype, self.symmetric, self.ch_axis = dtype, symmetric, ch_axis
        self.min_val, self.max_val = np.float32(np.inf), np.float32(-np.inf)

    def forward(self, x):
        """Take note of the range of a tensor and return it."""
        dims = None if self.ch_axis is None else tuple(i for i in range(x.ndim) if i != self.ch_axis % x.ndim)
        self.update(*self.range_of(x.array, dims))
        return x

    def range_of(self, a, dims):
        """Return the smallest and the largest number of an array over dims."""
        return a.min(axis=dims), a.max(axis=dims)

    def update(self, low, high):
        """Widen the range to that of one more batch."""
        self.min_val, self.max_val = np.minimum(self.min_val, low), np.maximum(self.max_val, high)

    def calculate_qparams(self):
        """Return (scale, zero_point), arrays. Raises RuntimeError when no batch has passed."""
        if np.any(self.min_val > self.max_val):
            raise RuntimeError("the observer has seen no numbers: run batches through the model first")
        return calculate_qparams(self.min_val, self.max_val, self.dtype, self.symmetric)


class PercentileObserver(MinMaxObserver):
    """Leaves out the most extreme numbers of each batch, which would make the steps coarse for all others."""

    percentile = 99.9

    def range_of(self, a, dims):
        """Return the two percentiles beyond which as many numbers lie on either side."""
        return np.percentile(a, [100 - self.percentile, self.percentile], axis=dims).astype(np.float32)


class MovingAverageMinMaxObserver(MinMaxObserver):
    """Averages the range over batches, later ones counting more: new = old + c * (batch's - old)."""

    averaging_constant = 0.01

    def update(self, low, high):
        """Move the range towards that of one more batch."""
        c = np.float32(1 if np.any(np.isinf(self.min_val)) else self.averaging_constant)
        old = (low, high) if c == 1 else (self.min_val, self.max_val)
        self.min_val, self.max_val = (a + c * (b - a) for a, b in zip(old, (low, high), strict=True))


def int_matmul(a, b):
    """Return a @ b.T of int8 arrays, (..., k) and (m, k) -> (..., m), exact, as int32.

    NumPy multiplies ints without BLAS, far slower than floats. So BLAS gets them as float32, BLOCK terms at a time:
    every sum of products, in any order, is then a whole number of at most 2**24, and float32 holds all of those. The
    blocks add up in int32, enough for k < 2**17. Raises TypeError for what is not int8.
    """
    if a.dtype != np.int8 or b.dtype != np.int8:
        raise TypeError(f"int_matmul multiplies int8, got {a.dtype} and {b.dtype}")
    total = np.zeros((*a.shape[:-1], len(b)), np.int32)
    for start in range(0, a.shape[-1], BLOCK):
        left, right = (x[..., start : start + BLOCK].astype(np.float32) for x in (a, b))
        total += MatMul.multiply(left, right.T).astype(np.int32)
    return total


def affine_matmul(qx, x_zero, qw, w_zero=0):
    """Return the sum over k of (qx - x_zero) * (qw - w_zero) as int32, from int8 products.

    qx: (..., k), x_zero: a number; qw: (m, k), w_zero: a number, or one for each of the m rows. Multiplied out:
    qx @ qw.T - x_zero * (row sums of qw) - w_zero * (row sums of qx) + k * x_zero * w_zero.
    """
    total = int_matmul(qx, qw) - np.int32(x_zero) * qw.sum(axis=1, dtype=np.int32)
    if np.any(w_zero):
        rest = qx.sum(axis=-1, dtype=np.int32, keepdims=True) - np.int32(qx.shape[-1]) * np.int32(x_zero)
        total -= np.int32(w_zero) * rest
    return total


def requantize(total, multiplier, zero_point, dtype=qint8):
    """Return int32 sums as integers of another scale: round(total * multiplier) + zero_point, in range."""
    q = np.rint(total * np.float64(multiplier)) + zero_point
    return np.clip(q, dtype.quant_min, dtype.quant_max).astype(dtype.numpy)


class QuantizedLinear(Module):
    """out = x @ W.T + b from int8 x and W, summed in int32. W is symmetric, with a scale for each output.

    input: (scale, zero_point) of x; without it each call takes the range of its own x ("dynamic"). Floats give floats.
    A QuantizedTensor gives one, with the (scale, zero_point) of `output`: integers all the way.
    """

    def __init__(self, linear, input=None, output=None):
        super().__init__()
        w = linear.weight.array
        rows = w.reshape(len(w), -1)
        scale, _ = calculate_qparams(rows.min(axis=1), rows.max(axis=1), qint8, symmetric=True)
        self.register_buffer("weight", Tensor(quantize(rows, scale[:, None], 0).reshape(w.shape)))
        self.register_buffer("weight_scale", Tensor(scale))
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach())
        for name, qparams in (("input_qparams", input), ("output_qparams", output)):
            self.register_buffer(name, None if qparams is None else Tensor(np.array(qparams, np.float32)))

    def quantize_input(self, x):
        """Return x, a float tensor, as an int8 QuantizedTensor."""
        qparams = self.input_qparams
        scale, zero = calculate_qparams(x.array.min(), x.array.max(), qint8) if qparams is None else qparams.array
        return QuantizedTensor(quantize(x.array, scale, zero), scale, zero)

    def accumulate(self, q):
        """Return (int32 sums (..., out), the scale of each) for a QuantizedTensor (..., in), bias included."""
        scale = q.scale * self.weight_scale.array
        total = affine_matmul(q.array, q.zero_point, self.weight.array.reshape(len(scale), -1))
        if self.bias is not None:
            total += np.rint(self.bias.array / scale).astype(np.int32)
        return total, scale

    def forward(self, x):
        """Return the output for x (..., in): a float32 tensor for floats, a QuantizedTensor for one."""
        if isinstance(x, QuantizedTensor):
            total, scale = self.accumulate(x)
            wanted, zero_point = self.output_qparams.array
            return QuantizedTensor(requantize(total, scale / wanted, zero_point), wanted, zero_point)
        total, scale = self.accumulate(self.quantize_input(x))
        return Tensor(np.ascontiguousarray(total, np.float32) * scale)


class QuantizedConv2d(QuantizedLinear):
    """Conv2d (without groups) from int8 images and filters: im2col, then as QuantizedLinear."""

    def __init__(self, conv, input=None, output=None):
        super().__init__(conv, input, output)
        self.stride, self.padding, self.dilation = conv.stride, conv.padding, conv.dilation

    def accumulate(self, q):
        """Return (int32 sums (N, O, oh, ow), the scale of each) for a QuantizedTensor (N, C, H, W)."""
        padding = ((0, 0), (0, 0), *((p, p) for p in self.padding))
        padded = np.pad(q.array, padding, constant_values=q.zero_point)  # zero_point stands for 0.0
        options = (self.weight.shape[2:], self.stride, 0, self.dilation)
        columns = QuantizedTensor(im2col(padded, *options).T, q.scale, q.zero_point)
        total, scale = super().accumulate(columns)
        total = total.reshape(*conv_output_shape(padded.shape[2:], *options), len(q.array), -1)
        return total.transpose(2, 3, 0, 1), scale[:, None, None]


def pack_int4(q):
    """Return integers from -8 to 7, an even number along the last axis, two in a byte: the first in the low half."""
    q = q.astype(np.uint8) & 15
    return q[..., ::2] | q[..., 1::2] << 4


def unpack_int4(packed):
    """Return the int8 integers that `pack_int4` packed."""
    q = np.stack([packed << 4, packed & 240], axis=-1).reshape(*packed.shape[:-1], -1)
    return q.view(np.int8) >> 4  # which repeats the sign


def quantize_int4(w, group_size=32):
    """Return (packed, scales) of a float32 array (rows, columns): 4 bits a number, a float16 for each group.

    Groups are group_size (even) neighbours in a row, the last one filled up with zeros. packed: uint8 (rows, groups,
    group_size / 2), scales: (rows, groups).
    """
    groups = np.pad(w, ((0, 0), (0, -w.shape[1] % group_size))).reshape(len(w), -1, group_size)
    scales = (np.abs(groups).max(axis=2) / 7).astype(np.float16)
    steps = np.where(scales > 0, scales, 1).astype(np.float32)[..., None]
    return pack_int4(np.clip(np.rint(groups / steps), -8, 7).astype(np.int8)), scales


def dequantize_int4(packed, scales, columns):
    """Return the float32 array (rows, columns) that was quantized, nearly."""
    return (unpack_int4(packed) * scales.astype(np.float32)[..., None]).reshape(len(packed), -1)[:, :columns]


class Int4Linear(Module):
    """out = x @ W.T + b with W of 4 bits a number, made float32 again in each call."""

    def __init__(self, linear, group_size=32):
        super().__init__()
        packed, scales = quantize_int4(linear.weight.array, group_size)
        self.register_buffer("weight", Tensor(packed))
        self.register_buffer("weight_scale", Tensor(scales))
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach())

    def forward(self, x):
        """Return the output for x: (..., in) -> (..., out)."""
        w = dequantize_int4(self.weight.array, self.weight_scale.array, x.shape[-1])
        out = MatMul.multiply(x.array, w.T)
        return Tensor(out if self.bias is None else out + self.bias.array)


TWINS: dict[int, dict] = {8: {Linear: QuantizedLinear, Conv2d: QuantizedConv2d}, 4: {Linear: Int4Linear}}


def calibrate(model, batches, observer=MinMaxObserver):
    """Run batches through a model; return {layer: [(scale, zero_point) of its input, of its output]}."""
    observers: dict[Any, list] = {}

    def watch(layer, inputs, output):
        pair = observers.setdefault(layer, [observer(dtype=qint8), observer(dtype=qint8)])
        pair[0](inputs[0]), pair[1](output)

    handles = [m.register_forward_hook(watch) for m in model.modules() if type(m) in TWINS[8]]
    with no_grad():
        for batch in batches:
            model(batch)
    for handle in handles:
        handle.remove()
    return {layer: [seen.calculate_qparams() for seen in pair] for layer, pair in observers.items()}


def quantize_model(model, batches=(), observer=MinMaxObserver, bits=8):
    """Return a copy of a model, in eval mode, whose Linears (8 bits: and Conv2ds) are quantized after training.

    batches: inputs that show the ranges of activations; layers they do not reach are dynamic. bits: 8, or 4 for
    weights in groups. Subclasses, convolutions with groups, "same" or other padding than zeros stay as they are.
    """
    model = copy.deepcopy(model).eval()
    qparams = calibrate(model, batches, observer) if bits == 8 else {}
    holder = Module()
    holder.model = model
    for parent in list(holder.modules()):
        for name, layer in list(parent.named_children()):
            odd = getattr(layer, "groups", 1) > 1 or getattr(layer, "padding_mode", "zeros") != "zeros"
            if type(layer) in TWINS[bits] and not odd and not isinstance(getattr(layer, "padding", 0), str):
                setattr(parent, name, TWINS[bits][type(layer)](layer, *qparams.get(layer, ())))
    return holder.model


def model_size(model):
    """Return the bytes of a model's state dict as a safetensors file."""
    file = io.BytesIO()
    save(model.state_dict(), file)
    return file.tell()

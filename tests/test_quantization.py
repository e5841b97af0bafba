"""Module 15 against PyTorch, and its integer arithmetic against int64."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.ao.quantization import observer as torch_observer

import tinytorch as tt
from tinytorch import quantization as q
from tinytorch.conv import Conv2d, LeNet5
from tinytorch.modules import Linear, Module, Sequential
from tinytorch.tensor import Tensor

few = settings(max_examples=30, deadline=None, derandomize=True)
DTYPES = {"qint8": (q.qint8, torch.qint8), "quint8": (q.quint8, torch.quint8)}
pytestmark = pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")

seeds = st.integers(0, 2**31)
scales = st.floats(1e-4, 10.0).map(np.float32)


def numbers(seed, *shape, spread=1.0):
    return (np.random.default_rng(seed).normal(size=shape) * spread).astype(np.float32)


def int8(seed, *shape):
    return np.random.default_rng(seed).integers(-128, 128, shape).astype(np.int8)


@pytest.mark.parametrize("kind", DTYPES)
@given(seed=seeds, scale=scales, spread=st.floats(0.01, 100), zero=st.integers(0, 127))
@few
def test_quantize_per_tensor_gives_pytorchs_integers(kind, seed, scale, spread, zero):
    ours, theirs = DTYPES[kind]
    x = numbers(seed, 3, 7, spread=spread)
    got = q.quantize_per_tensor(Tensor(x), float(scale), zero, ours)
    want = torch.quantize_per_tensor(torch.tensor(x), float(scale), zero, theirs)
    assert got.int_repr().array.dtype == want.int_repr().numpy().dtype
    np.testing.assert_array_equal(got.int_repr().array, want.int_repr().numpy())
    np.testing.assert_array_equal(got.dequantize().array, want.dequantize().numpy())


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_quantize_per_channel_gives_pytorchs_integers(axis):
    x = numbers(0, 2, 3, 5, spread=20)
    n = x.shape[axis]
    scale, zero = np.linspace(0.05, 0.4, n, dtype=np.float32), np.arange(n) * 7 - 5
    got = q.quantize_per_channel(Tensor(x), Tensor(scale), Tensor(zero), axis, q.qint8)
    tensors = (torch.tensor(x), torch.tensor(scale), torch.tensor(zero))
    want = torch.quantize_per_channel(*tensors, axis % 3, torch.qint8)
    np.testing.assert_array_equal(got.int_repr().array, want.int_repr().numpy())
    np.testing.assert_array_equal(got.dequantize().array, want.dequantize().numpy())


def test_halves_go_to_the_even_integer_and_ends_are_clipped():
    x = Tensor(np.float32([0.5, 1.5, 2.5, -0.5, -1.5, 1000, -1000]))
    assert q.quantize_per_tensor(x, 1.0, 0, q.qint8).int_repr().tolist() == [0, 2, 2, 0, -2, 127, -128]


@given(low=st.floats(-50, 50, width=32), width=st.floats(0, 100, width=32), kind=st.sampled_from(sorted(DTYPES)))
@few
def test_qparams_are_those_of_pytorchs_observer(low, width, kind):
    ours, theirs = DTYPES[kind]
    x = np.float32([[low, low + width, low + width / 3]])
    for symmetric, scheme in ((False, torch.per_tensor_affine), (True, torch.per_tensor_symmetric)):
        want = torch_observer.MinMaxObserver(dtype=theirs, qscheme=scheme)
        want(torch.tensor(x))
        scale, zero = want.calculate_qparams()
        got = q.MinMaxObserver(dtype=ours, symmetric=symmetric)
        assert got(Tensor(x)).array is x
        np.testing.assert_allclose(got.calculate_qparams()[0], scale.item(), rtol=3e-7)
        assert got.calculate_qparams()[1] == zero.item()


def test_observers_agree_with_pytorchs_over_batches():
    batches = [numbers(seed, 4, 3, spread=seed + 1) for seed in range(5)]
    pairs = [
        (q.MinMaxObserver(), torch_observer.MinMaxObserver()),
        (q.MovingAverageMinMaxObserver(), torch_observer.MovingAverageMinMaxObserver()),
        (
            q.MinMaxObserver(dtype=q.qint8, symmetric=True, ch_axis=1),
            torch_observer.PerChannelMinMaxObserver(1, torch.qint8, torch.per_channel_symmetric),
        ),
    ]
    for ours, theirs in pairs:
        for batch in batches:
            ours(Tensor(batch))
            theirs(torch.tensor(batch))
        np.testing.assert_allclose(ours.min_val, theirs.min_val.numpy(), rtol=1e-6)
        np.testing.assert_allclose(ours.max_val, theirs.max_val.numpy(), rtol=1e-6)
        for got, want in zip(ours.calculate_qparams(), theirs.calculate_qparams(), strict=True):
            np.testing.assert_allclose(got, np.squeeze(want.numpy()), rtol=1e-6)
            assert got.dtype in (np.float32, np.int32)


def test_percentile_observer_leaves_out_outliers():
    x = np.linspace(-1, 1, 10_001, dtype=np.float32)
    x[5000] = 1e4
    seen = q.PercentileObserver()
    seen(Tensor(x))
    assert -1 < seen.min_val < -0.99 and 0.99 < seen.max_val < 1.01 and seen.max_val.dtype == np.float32


def test_an_observer_that_saw_nothing_says_so():
    with pytest.raises(RuntimeError, match="no numbers"):
        q.MinMaxObserver().calculate_qparams()


def test_zero_is_exact_and_errors_stay_within_half_a_step():
    for seed in range(20):
        x = np.random.default_rng(seed).uniform(*sorted(np.random.default_rng(seed).normal(size=2) * 5), 50)
        x = np.append(x, 0).astype(np.float32)
        scale, zero = q.calculate_qparams(x.min(), x.max(), q.qint8)
        error = q.dequantize(q.quantize(x, scale, zero), scale, zero) - x
        assert error[-1] == 0 and np.abs(error).max() <= scale * 0.5001


@given(seed=seeds, zero=st.integers(-4, 4), spread=st.floats(0.1, 20))
@few
def test_fake_quantize_and_its_gradient_are_pytorchs(seed, zero, spread):
    x, g = numbers(seed, 3, 5, spread=spread), numbers(seed + 1, 3, 5)
    scale, zeros = np.float32([0.3, 0.1, 1.0]), np.array([zero, 0, -zero], np.int32)
    for channels in (False, True):
        ours, theirs = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
        if channels:
            args = (Tensor(scale), Tensor(zeros), 0, -8, 7)
            out = q.fake_quantize_per_channel_affine(ours, *args)
            args = (torch.tensor(scale), torch.tensor(zeros), 0, -8, 7)
            want = torch.fake_quantize_per_channel_affine(theirs, *args)
        else:
            out = q.fake_quantize_per_tensor_affine(ours, 0.3, zero, -8, 7)
            want = torch.fake_quantize_per_tensor_affine(theirs, 0.3, zero, -8, 7)
        np.testing.assert_allclose(out.array, want.detach().numpy(), rtol=1e-6, atol=1e-6)
        assert out.array.dtype == np.float32
        out.backward(Tensor(g))
        want.backward(torch.tensor(g))
        np.testing.assert_array_equal(ours.grad.array, theirs.grad.numpy())


@given(seed=seeds, n=st.integers(0, 5), k=st.integers(0, 40), m=st.integers(1, 6), zero=st.integers(-128, 127))
@few
def test_integer_products_are_exact(seed, n, k, m, zero):
    qx, qw = int8(seed, n, k), int8(seed + 1, m, k)
    w_zero = np.random.default_rng(seed).integers(-128, 128, m)
    want = (qx.astype(np.int64) - zero) @ (qw.astype(np.int64) - w_zero[:, None]).T
    got = q.affine_matmul(qx, zero, qw, w_zero)
    assert got.dtype == np.int32
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(q.affine_matmul(qx, zero, qw), (qx.astype(np.int64) - zero) @ qw.astype(np.int64).T)


def test_integer_products_are_exact_in_the_worst_case_and_over_many_blocks():
    for k in (1023, 1024, 1025, 3000, 2**15):
        for value in (-128, 127):
            a = np.full((2, k), -128, np.int8)
            b = np.full((3, k), value, np.int8)
            b[1, -1] = 1  # an odd sum, next to the largest
            np.testing.assert_array_equal(q.int_matmul(a, b), a.astype(np.int64) @ b.astype(np.int64).T)
    a, b = int8(0, 2, 3, 5000), int8(1, 4, 5000)
    np.testing.assert_array_equal(q.int_matmul(a, b), a.astype(np.int64) @ b.astype(np.int64).T)


def test_the_block_is_the_largest_that_is_exact():
    """One product more than BLOCK of the largest can need 25 bits, which float32 has not."""
    assert q.BLOCK * 128 * 128 == 2**24
    a = np.full((1, q.BLOCK + 1), -128, np.int8)
    a[0, -1] = 1
    assert (a.astype(np.float32) @ a[0].astype(np.float32)).tolist() == [2**24]
    assert q.int_matmul(a, a).item() == 2**24 + 1


def test_only_int8_is_multiplied():
    with pytest.raises(TypeError, match="float32"):
        q.int_matmul(np.zeros((2, 2), np.float32), np.zeros((2, 2), np.int8))


def test_requantize_rounds_scales_and_clips():
    total = np.array([[0, 10, -10, 100000, -100000, 25]], np.int32)
    assert q.requantize(total, 0.1, 3).tolist() == [[3, 4, 2, 127, -128, 5]]
    per_channel = q.requantize(np.array([[10, 10]], np.int32), np.float32([0.5, 2]), -1)
    assert per_channel.tolist() == [[4, 19]] and per_channel.dtype == np.int8


def layer(seed=0, inputs=33, outputs=7, bias=True):
    tt.manual_seed(seed)
    return Linear(inputs, outputs, bias=bias)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("static", [True, False])
def test_quantized_linear_is_the_integer_formula(bias, static):
    linear, x = layer(bias=bias), numbers(1, 2, 5, 33)
    sx, zx = q.calculate_qparams(x.min(), x.max(), q.qint8)
    quantized = q.QuantizedLinear(linear, (sx, zx) if static else None)
    w = linear.weight.array
    sw = np.maximum(np.abs(w).max(axis=1) / np.float32(127.5), q.EPS)
    qw = np.clip(np.rint(w * (1 / sw)[:, None]), -128, 127).astype(np.int64)
    qx = np.clip(np.rint(x * (1 / sx)) + zx, -128, 127).astype(np.int64)
    want = (qx - zx) @ qw.T
    if bias:
        want = want + np.rint(linear.bias.array / (sx * sw)).astype(np.int64)
    got = quantized(Tensor(x))
    assert got.dtype is tt.float32 and got.shape == (2, 5, 7)
    np.testing.assert_allclose(got.array, want * (sx * sw), rtol=1e-5, atol=1e-6)
    exact = linear(Tensor(x)).array
    assert np.abs(got.array - exact).max() < 0.02 * np.abs(exact).max()


def test_a_linear_of_integers_gives_integers():
    linear, x = layer(), numbers(1, 4, 33)
    out = linear(Tensor(x)).array
    ranges = [q.calculate_qparams(a.min(), a.max(), q.qint8) for a in (x, out)]
    quantized = q.QuantizedLinear(linear, *ranges)
    got = quantized(q.quantize_per_tensor(Tensor(x), *ranges[0], q.qint8))
    assert isinstance(got, q.QuantizedTensor) and got.array.dtype == np.int8
    direct = q.quantize(quantized(Tensor(x)).array, *ranges[1])
    assert np.abs(got.array.astype(int) - direct).max() <= 1
    assert np.abs(got.dequantize().array - out).max() < 0.03 * np.abs(out).max()


@pytest.mark.parametrize(
    "options", [{}, {"stride": 2, "padding": 1}, {"dilation": 2, "padding": (2, 1), "bias": False}]
)
def test_quantized_conv2d_is_nearly_the_convolution(options):
    tt.manual_seed(0)
    conv, x = Conv2d(3, 5, 3, **options), np.abs(numbers(1, 2, 3, 8, 7)) + 1  # 0.0, the padding, is no small number
    want = conv(Tensor(x)).array
    for qparams in (None, q.calculate_qparams(x.min(), x.max(), q.qint8)):
        got = q.QuantizedConv2d(conv, qparams)(Tensor(x))
        assert got.shape == want.shape and got.dtype is tt.float32
        assert np.abs(got.array - want).max() < 0.02 * np.abs(want).max()


def test_int4_packs_two_in_a_byte():
    values = np.arange(-8, 8, dtype=np.int8).reshape(2, 8)
    packed = q.pack_int4(values)
    assert packed.dtype == np.uint8 and packed.shape == (2, 4) and packed[1, 0] == 0x10
    np.testing.assert_array_equal(q.unpack_int4(packed), values)
    assert q.unpack_int4(packed).dtype == np.int8


@given(seed=seeds, rows=st.integers(1, 4), columns=st.integers(1, 70), group=st.sampled_from([2, 8, 32]))
@few
def test_int4_in_groups_is_within_half_a_step(seed, rows, columns, group):
    w = numbers(seed, rows, columns) * np.float32(10.0) ** numbers(seed + 1, rows, columns)
    packed, scales = q.quantize_int4(w, group)
    groups = -(-columns // group)
    assert packed.shape == (rows, groups, group // 2) and scales.shape == (rows, groups) and scales.dtype == np.float16
    error = np.abs(q.dequantize_int4(packed, scales, columns) - w)
    assert error.shape == w.shape
    step = np.repeat(scales.astype(np.float32), group, axis=1)[:, :columns]
    assert (error <= 0.51 * step + 7.5 * step * 2**-11 + 1e-6).all()


def test_int4_linear_is_the_linear_with_those_weights():
    linear, x = layer(inputs=70), numbers(1, 2, 5, 70)
    small = q.Int4Linear(linear)
    w = q.dequantize_int4(*q.quantize_int4(linear.weight.array), 70)
    np.testing.assert_allclose(small(Tensor(x)).array, x @ w.T + linear.bias.array, rtol=1e-5, atol=1e-6)
    assert small.weight.nbytes == 7 * 3 * 16


class Net(Module):
    """Two Linears with a function between, one inside a Sequential, one used twice."""

    def __init__(self):
        super().__init__()
        self.body = Sequential(Linear(20, 30), Linear(30, 20))
        self.head = Linear(20, 4)

    def forward(self, x):
        for _ in range(2):
            x = self.body[1](self.body[0](x).relu() if hasattr(x, "relu") else self.body[0](x))
        return self.head(x)


@pytest.mark.parametrize("bits", [8, 4])
def test_a_model_is_quantized_and_the_original_left_alone(bits):
    tt.manual_seed(0)
    model, x = Net(), Tensor(numbers(0, 64, 20))
    before = model(x).array
    batches = [x, *(Tensor(numbers(seed, 16, 20)) for seed in range(1, 5))]
    small = q.quantize_model(model, batches, bits=bits)
    kinds = {name: type(layer) for name, layer in small.named_modules()}
    assert [kinds[n] for n in ("body.0", "body.1", "head")] == [q.QuantizedLinear if bits == 8 else q.Int4Linear] * 3
    np.testing.assert_array_equal(model(x).array, before)
    assert type(model.head) is Linear and model.training and not small.training
    assert not any(m._forward_hooks.hooks for m in (*model.modules(), *small.modules()))
    error = np.abs(small(x).array - before).max() / np.abs(before).max()
    assert error < (0.03 if bits == 8 else 0.2)
    assert bits == 4 or small.head.input_qparams is not None


def test_without_batches_and_for_a_single_layer_it_is_dynamic():
    linear, x = layer(), Tensor(numbers(0, 3, 33))
    small = q.quantize_model(linear)
    assert type(small) is q.QuantizedLinear and small.input_qparams is None
    np.testing.assert_allclose(small(x).array, linear(x).array, atol=0.03)


def test_layers_without_a_twin_stay_and_the_model_still_runs():
    tt.manual_seed(0)
    odd = [
        Conv2d(2, 4, 3, groups=2),
        Conv2d(4, 4, 3, padding="same"),
        Conv2d(4, 3, 3, padding=1, padding_mode="reflect"),
    ]
    model, x = Sequential(*odd, Conv2d(3, 2, 3)), Tensor(numbers(0, 2, 2, 9, 9))
    small = q.quantize_model(model, [x])
    assert [type(layer) for layer in small] == [Conv2d, Conv2d, Conv2d, q.QuantizedConv2d]
    assert not any(layer._forward_hooks.hooks for layer in small)
    np.testing.assert_allclose(small(x).array, model(x).array, atol=0.02)


def test_calibration_decides_the_range():
    linear = layer()
    narrow = q.quantize_model(linear, [Tensor(np.float32([[1.0] * 33, [-1.0] * 33]))])
    x = Tensor(np.full((1, 33), 3.0, np.float32))  # beyond what was seen: clipped to 1
    one = linear(Tensor(np.ones((1, 33), np.float32))).array
    np.testing.assert_allclose(narrow(x).array, one, atol=0.05)


def test_lenet_in_int8_is_a_quarter_of_the_size_and_agrees():
    tt.manual_seed(0)
    model, x = LeNet5().eval(), Tensor(np.abs(numbers(0, 32, 1, 28, 28)))
    small = q.quantize_model(model, [Tensor(np.abs(numbers(1, 16, 1, 28, 28)))])
    assert type(small.conv2) is q.QuantizedConv2d and type(small.fc1) is q.QuantizedLinear
    want, got = model(x).array, small(x).array
    assert np.abs(got - want).max() < 0.05 * np.abs(want).max()
    large = q.model_size(model)
    assert 61_706 * 4 < large < 61_706 * 4 + 2000
    assert q.model_size(small) < 0.28 * large
    assert q.model_size(q.quantize_model(model, bits=4)) < q.model_size(small)


def test_a_quantized_state_dict_can_be_loaded():
    model = Sequential(layer())
    small = q.quantize_model(model, [Tensor(numbers(0, 4, 33))])
    other = q.quantize_model(Sequential(layer(seed=5)), [Tensor(numbers(1, 4, 33))])
    other.load_state_dict(small.state_dict())
    x = Tensor(numbers(2, 3, 33))
    np.testing.assert_array_equal(other(x).array, small(x).array)

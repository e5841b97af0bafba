"""Module 09 against PyTorch: convolution, pooling and padding over random options, LeNet-5, and how cost grows."""

import math
import time

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import tinytorch
from tinytorch import _conv_layers, _images, conv, normalization

few = settings(max_examples=60, deadline=None, derandomize=True)
rng = np.random.default_rng(0)
pairs = lambda low, high: st.tuples(*[st.integers(low, high)] * 2)  # noqa: E731


def normal(*shape):
    return rng.standard_normal(shape, np.float32)


def assert_close(ours, theirs, label=""):
    theirs = theirs.detach().numpy()
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype, (label, ours.shape, theirs.shape, ours.dtype)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=2e-5, err_msg=str(label))


def compare(ours, theirs, arrays, label=""):
    """Compare output and gradients of two functions of tensors; both may refuse with RuntimeError."""
    tensors = [None if a is None else torch.tensor(a, requires_grad=True) for a in arrays]
    own = [None if a is None else tinytorch.tensor(a, requires_grad=True) for a in arrays]
    try:
        expected = theirs(*tensors)
    except RuntimeError:
        with pytest.raises(RuntimeError):
            ours(*own)
        return
    if not torch.isfinite(expected).all():
        return  # of a window without elements PyTorch writes beyond its memory
    out = ours(*own)
    assert_close(out.array, expected, label)
    assert out.is_contiguous() or not expected.is_contiguous()
    g = normal(*expected.shape)
    expected.backward(torch.tensor(g))
    out.backward(tinytorch.tensor(g))
    for mine, other in zip(own, tensors, strict=True):
        if mine is not None:
            assert_close(mine.grad.array, other.grad, label)


@few
@given(
    st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), pairs(1, 9), pairs(1, 4),
    pairs(1, 3), pairs(0, 3), pairs(1, 3), st.booleans(),
)  # fmt: skip
def test_conv2d(n, groups, channels, filters, size, kernel, stride, padding, dilation, with_bias):
    arrays = [normal(n, groups * channels, *size), normal(groups * filters, channels, *kernel)]
    arrays.append(normal(groups * filters) if with_bias else None)
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    run = lambda f: lambda x, w, b: f(x, w, b, **options)  # noqa: E731
    compare(run(_conv_layers.conv2d), run(torch.nn.functional.conv2d), arrays, options)


@few
@given(pairs(1, 9), pairs(1, 5), pairs(1, 3), pairs(0, 2), pairs(1, 2), st.booleans(), st.booleans())
def test_pooling(size, kernel, stride, padding, dilation, ceil_mode, include):
    x = normal(2, 3, *size)
    options = {"kernel_size": kernel, "stride": stride, "padding": padding, "ceil_mode": ceil_mode}
    for name, more in (("max_pool2d", {"dilation": dilation}), ("avg_pool2d", {"count_include_pad": include})):
        run = lambda f, more=more: lambda x: f(x, **options, **more)  # noqa: E731
        compare(run(getattr(_conv_layers, name)), run(getattr(torch.nn.functional, name)), [x], (name, options, more))


@few
@given(pairs(2, 9), pairs(1, 3), st.integers(1, 3), st.integers(0, 1), st.integers(1, 2), st.booleans())
def test_indices_of_max_pool2d(size, kernel, stride, padding, dilation, ceil_mode):
    x = rng.integers(0, 4, (2, 3, *size)).astype(np.float32)  # many ties: the first wins
    args = (kernel, stride, padding, dilation, ceil_mode, True)
    try:
        expected = torch.nn.functional.max_pool2d(torch.tensor(x), *args)
    except RuntimeError:
        with pytest.raises(RuntimeError):
            _conv_layers.max_pool2d(tinytorch.tensor(x), *args)
        return
    assume(bool(torch.isfinite(expected[0]).all()))
    ours = _conv_layers.max_pool2d(tinytorch.tensor(x), *args)
    assert all(
        np.array_equal(a.array, b.numpy()) and a.array.dtype == b.numpy().dtype
        for a, b in zip(ours, expected, strict=True)
    )


def test_ties_pass_the_gradient_to_the_first():
    x = np.zeros((1, 1, 5, 5), np.float32)
    run = lambda f: lambda x: f(x, 3, 1)  # noqa: E731
    compare(run(_conv_layers.max_pool2d), run(torch.nn.functional.max_pool2d), [x])


@few
@given(
    st.integers(1, 3), st.integers(1, 3), st.integers(1, 2), st.integers(1, 2), pairs(1, 5), pairs(1, 4),
    pairs(1, 3), pairs(0, 2), pairs(0, 2), pairs(1, 2),
)  # fmt: skip
def test_conv_transpose2d(n, groups, channels, filters, size, kernel, stride, padding, extra, dilation):
    assume(all(e < s for e, s in zip(extra, stride, strict=True)))
    parts = zip(size, stride, padding, dilation, kernel, extra, strict=True)
    assume(all((n - 1) * s - 2 * p + d * (k - 1) + e >= 0 for n, s, p, d, k, e in parts))  # PyTorch allows 0 at times
    arrays = [
        normal(n, groups * channels, *size),
        normal(groups * channels, filters, *kernel),
        normal(groups * filters),
    ]
    options = {"stride": stride, "padding": padding, "output_padding": extra, "groups": groups, "dilation": dilation}
    run = lambda f: lambda x, w, b: f(x, w, b, **options)  # noqa: E731
    compare(run(_images.conv_transpose2d), run(torch.nn.functional.conv_transpose2d), arrays, options)


@few
@given(pairs(1, 6), pairs(1, 3), pairs(1, 3), pairs(0, 2), pairs(1, 3))
def test_im2col_and_col2im_are_transposes(size, kernel, stride, padding, dilation):
    options = (kernel, stride, padding, dilation)
    x = normal(2, 3, *size)
    try:
        columns = conv.im2col(x, *options)
    except RuntimeError:
        return
    places = math.prod(conv.conv_output_shape(size, *options))
    assert columns.shape == (3 * math.prod(kernel), places * 2) and columns.flags.c_contiguous
    assert not np.may_share_memory(columns, x)
    y = normal(*columns.shape)
    back = conv.col2im(y, x.shape, *options)
    assert back.shape == x.shape and back.dtype == np.float32
    assert np.vdot(columns, y) == pytest.approx(np.vdot(x, back), abs=1e-3)
    run = lambda F: lambda x: F.unfold(x, kernel, dilation, padding, stride)  # noqa: E731
    compare(run(_images), run(torch.nn.functional), [x])
    run = lambda F: lambda c: F.fold(c, size, kernel, dilation, padding, stride)  # noqa: E731
    compare(run(_images), run(torch.nn.functional), [normal(2, 3 * math.prod(kernel), places)])


@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, (2, 3)])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_padding_by_name(padding, kernel, dilation):
    kernel = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    arrays = [normal(2, 2, 10, 11), normal(3, 2, *kernel)]
    run = lambda f: lambda x, w: f(x, w, padding=padding, dilation=dilation)  # noqa: E731
    compare(run(_conv_layers.conv2d), run(torch.nn.functional.conv2d), arrays)
    arrays = [normal(2, 2, 11), normal(3, 2, kernel[1])]
    compare(run(_conv_layers.conv1d), run(torch.nn.functional.conv1d), arrays)


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("pads", [(1, 2), (0, 1, 2, 0), (-1, 1), (2, -1, 1, 1), (3, 3), (6, 0), (1, 1, 1, 1, 1, 1)])
def test_pad(mode, pads):
    x = normal(2, 3, 4, 5) if len(pads) > 2 else normal(2, 4, 5)
    if mode != "constant" and (min(pads) < 0 or len(pads) == 6):
        return  # PyTorch: other rules for other numbers of dimensions
    run = lambda f: lambda x: f(x, pads, mode)  # noqa: E731
    compare(run(_conv_layers.pad), run(torch.nn.functional.pad), [x])


@pytest.mark.parametrize("size", [1, 3, 7, (2, 5), (None, 4)])
def test_adaptive_avg_pool(size):
    run = lambda F: lambda x: F.adaptive_avg_pool2d(x, size)  # noqa: E731
    compare(run(_images), run(torch.nn.functional), [normal(2, 3, 7, 5)])
    if isinstance(size, int):
        run = lambda F: lambda x: F.adaptive_avg_pool1d(x, size)  # noqa: E731
        compare(run(_images), run(torch.nn.functional), [normal(2, 3, 7)])


SIZES = [{"size": 7}, {"size": (3, 9)}, {"scale_factor": 2}, {"scale_factor": (0.6, 1.7)}]


@pytest.mark.parametrize("options", [*SIZES, {"scale_factor": 1.7, "recompute_scale_factor": True}])
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "bilinear", "bicubic", "area"])
@pytest.mark.parametrize("align_corners", [None, True])
def test_interpolate(options, mode, align_corners):
    if align_corners and not mode.startswith("bi"):
        return
    run = lambda F: lambda x: F.interpolate(x, **options, mode=mode, align_corners=align_corners)  # noqa: E731
    compare(run(_images), run(torch.nn.functional), [normal(2, 3, 5, 4)])


@pytest.mark.parametrize("dim", [1, 0, -1])
def test_normalize(dim):
    run = lambda F: lambda x: F.normalize(x, dim=dim)  # noqa: E731
    compare(run(tinytorch.nn.functional), run(torch.nn.functional), [normal(3, 4, 5)])


SEQUENCES = [
    ("conv1d", ((3, 4, 3), (3,)), {"stride": 2, "padding": 1, "dilation": 2}),
    ("conv_transpose1d", ((4, 3, 3), (3,)), {"stride": 2, "padding": 1, "output_padding": 1}),
    ("max_pool1d", (), {"kernel_size": 3, "padding": 1}),
    ("avg_pool1d", (), {"kernel_size": 3, "stride": 2, "ceil_mode": True}),
]


@pytest.mark.parametrize(("name", "shapes", "options"), SEQUENCES, ids=lambda value: str(value)[:16])
def test_sequences(name, shapes, options):
    for shape in ((2, 4, 9), (4, 9)):
        run = lambda F: lambda *arrays: getattr(F, name)(*arrays, **options)  # noqa: E731
        ours = _conv_layers if hasattr(_conv_layers, name) else _images
        compare(run(ours), run(torch.nn.functional), [normal(*shape), *(normal(*s) for s in shapes)], name)


def test_loops_give_what_pytorch_gives():
    x, weight = normal(2, 6, 5), normal(3, 2, 3, 2)
    ours = np.array(conv.conv2d_loops(x.tolist(), weight.tolist(), stride=2, padding=1), np.float32)
    assert_close(ours, torch.nn.functional.conv2d(torch.tensor(x), torch.tensor(weight), stride=2, padding=1))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_is_kept(dtype):
    x, w = (
        tinytorch.tensor(normal(*shape).astype(dtype), requires_grad=True) for shape in ((1, 2, 5, 5), (2, 2, 2, 2))
    )
    out = conv.MaxPool2D.apply(_conv_layers.conv2d(x, w), kernel_size=2, stride=None, padding=0)
    out = _conv_layers.avg_pool2d(out, 2)
    out.sum().backward()
    assert {str(t.dtype) for t in (out, x.grad, w.grad)} == {f"torch.{dtype}"}


REFUSED = [
    ("conv2d", ((1, 3, 5, 5), (2, 2, 3, 3)), {}),
    ("conv2d", ((1, 2, 2, 5), (2, 2, 3, 3)), {}),
    ("conv2d", ((1, 2, 5, 5), (3, 1, 3, 3)), {"groups": 2}),
    ("conv2d", ((2, 5), (2, 2, 3, 3)), {}),
    ("conv2d", ((1, 2, 5, 5), (2, 2, 3, 3)), {"stride": 2, "padding": "same"}),
    ("conv2d", ((1, 2, 5, 5), (2, 2, 3, 3)), {"stride": 0}),
    ("conv2d", ((1, 2, 5, 5), (2, 2, 3, 3)), {"padding": -1}),
    ("conv2d", ((1, 2, 5, 5), (2, 2, 3, 3)), {"dilation": 0}),
    ("conv2d", ((1, 2, 5, 5), (2, 2, 3, 3), (3,)), {}),
    ("max_pool2d", ((1, 2, 5, 5),), {"kernel_size": 6}),
    ("max_pool2d", ((1, 2, 5, 5),), {"kernel_size": 3, "padding": 2}),
    ("max_pool2d", ((5, 5),), {"kernel_size": 3}),
    ("avg_pool2d", ((1, 2, 5, 5),), {"kernel_size": 3, "padding": 2}),
    ("avg_pool2d", ((1, 2, 5, 5),), {"kernel_size": 3, "divisor_override": 0}),
    ("pad", ((1, 2, 5),), {"pad": (1, 2, 3)}),
    ("pad", ((1, 2, 5),), {"pad": (-3, -3)}),
    ("pad", ((1, 2, 5),), {"pad": (5, 0), "mode": "reflect"}),
]


@pytest.mark.parametrize(("name", "shapes", "options"), REFUSED)
def test_what_pytorch_refuses_we_refuse(name, shapes, options):
    for lib, functional in ((torch, torch.nn.functional), (tinytorch, _conv_layers)):
        with pytest.raises(RuntimeError):
            getattr(functional, name)(*(lib.ones(shape) for shape in shapes), **options)


def test_an_input_changed_in_place_is_noticed():
    x, w = tinytorch.ones(1, 1, 4, 4), tinytorch.ones(1, 1, 2, 2).requires_grad_()
    out = _conv_layers.conv2d(x, w)
    x.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.sum().backward()


MODULES = [
    ("Conv2d", (4, 6, 3), {"padding": 1, "groups": 2}, (2, 4, 7, 6)),
    ("Conv2d", (4, 6, (3, 2)), {"stride": (2, 1), "dilation": (1, 2), "bias": False}, (2, 4, 7, 6)),
    ("Conv2d", (4, 6, 3), {"padding": "same", "padding_mode": "reflect"}, (2, 4, 7, 6)),
    ("Conv2d", (4, 6, (3, 4)), {"padding": "same", "padding_mode": "replicate", "bias": False}, (2, 4, 7, 6)),
    ("Conv2d", (4, 6, 3), {"padding": (1, 2), "padding_mode": "circular"}, (4, 7, 6)),
    ("Conv1d", (4, 6, 3), {"padding": 1, "padding_mode": "replicate"}, (2, 4, 7)),
    ("Conv1d", (4, 6, 3), {"stride": 2}, (4, 7)),
    ("ConvTranspose2d", (4, 6, 3), {"stride": 2, "output_padding": 1, "padding": 1, "groups": 2}, (2, 4, 5, 6)),
    ("ConvTranspose1d", (4, 6, 3), {"stride": 2}, (2, 4, 7)),
    ("MaxPool2d", (2,), {}, (2, 4, 7, 6)),
    ("MaxPool2d", ((2, 3),), {"stride": 1, "padding": 1, "ceil_mode": True}, (4, 7, 6)),
    ("MaxPool1d", (2,), {}, (2, 4, 7)),
    ("AvgPool2d", (2,), {"padding": 1, "count_include_pad": False}, (2, 4, 7, 6)),
    ("AdaptiveAvgPool2d", ((2, 3),), {}, (2, 4, 7, 6)),
    ("AdaptiveAvgPool1d", (2,), {}, (2, 4, 7)),
    ("AvgPool1d", (2,), {"stride": 3}, (2, 4, 7)),
    ("AdaptiveMaxPool2d", ((3, 2),), {}, (2, 4, 7, 6)),
    ("AdaptiveMaxPool2d", (9,), {}, (4, 7, 6)),
    ("PixelShuffle", (2,), {}, (2, 4, 7, 6)),
    ("ConstantPad2d", ((1, 0, 2, 1), 3.5), {}, (2, 4, 7, 6)),
    ("ReflectionPad2d", (2,), {}, (2, 4, 7, 6)),
    ("ReplicationPad2d", ((3, 0, -1, 1),), {}, (2, 4, 7, 6)),
    ("ZeroPad2d", (1,), {}, (2, 4, 7, 6)),
    ("ZeroPad2d", ((1, 0, 2, 1),), {}, (2, 4, 7, 6)),
    ("Unfold", (2,), {"stride": 2}, (2, 4, 7, 6)),
    ("Fold", ((3, 4), 2), {}, (2, 8, 6)),
    ("Upsample", (), {"scale_factor": 2}, (2, 4, 7, 6)),
]


@pytest.mark.parametrize(("name", "args", "options", "shape"), MODULES)
def test_modules(name, args, options, shape):
    theirs = getattr(torch.nn, name)(*args, **options)
    ours = getattr(_conv_layers if hasattr(_conv_layers, name) else _images, name)(*args, **options)
    assert repr(ours) == repr(theirs)
    state = {key: tinytorch.tensor(value.numpy()) for key, value in theirs.state_dict().items()}
    assert {key: value.shape for key, value in ours.state_dict().items()} == {k: v.shape for k, v in state.items()}
    for key, value in ours.state_dict().items():
        if value.numel() > 8:
            spread = np.abs(value.array).max() / np.abs(state[key].array).max()
            assert 0.7 < spread < 1.4, f"{key} starts {spread} times as large as PyTorch's"
    ours.load_state_dict(state)
    compare(ours, theirs, [normal(*shape)])


class TorchLeNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = torch.nn.Conv2d(1, 6, 5, padding=2), torch.nn.Conv2d(6, 16, 5)
        self.pool = torch.nn.MaxPool2d(2)
        self.fc1, self.fc2, self.fc3 = (torch.nn.Linear(n, m) for n, m in ((400, 120), (120, 84), (84, 10)))

    def forward(self, x):
        x = self.pool(torch.relu(self.conv1(x)))
        x = self.pool(torch.relu(self.conv2(x)))
        return self.fc3(torch.relu(self.fc2(torch.relu(self.fc1(x.flatten(1))))))


def test_lenet5():
    theirs, ours = TorchLeNet(), conv.LeNet5()
    ours.load_state_dict({key: tinytorch.tensor(value.numpy()) for key, value in theirs.state_dict().items()})
    compare(ours, theirs, [normal(4, 1, 28, 28)])
    for (name, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert_close(mine.grad.array, other.grad, name)
    assert sum(p.numel() for p in ours.parameters()) == 61706


def best_of(*functions, rounds=10):
    """Return the shortest time of each function, taken in turn."""
    times = [[] for _ in functions]
    for _ in range(rounds):
        for function, taken in zip(functions, times, strict=True):
            start = time.perf_counter()
            function()
            taken.append(time.perf_counter() - start)
    return list(map(min, times))


def test_cost_grows_with_the_batch_and_not_with_python():
    def step(n):
        x, w = tinytorch.tensor(normal(n, 6, 14, 14)), tinytorch.tensor(normal(16, 6, 5, 5), requires_grad=True)
        return lambda: (
            conv.MaxPool2D.apply(_conv_layers.conv2d(x, w), kernel_size=2, stride=2, padding=0).sum().backward()
        )

    small, large = best_of(step(32), step(256))
    assert large < 24 * small  # 8 times the work, beyond the cache
    image = normal(1, 3, 32, 32)
    loops, columns = best_of(
        lambda: conv.conv2d_loops(image[0].tolist(), normal(1, 3, 3, 3).tolist()), lambda: conv.im2col(image, 3)
    )
    assert columns * 20 < loops


NORMS = [
    ("BatchNorm1d", (4,), {}, (5, 4)),
    ("BatchNorm1d", (4,), {"momentum": None, "eps": 1e-3}, (5, 4, 3)),
    ("BatchNorm2d", (4,), {"momentum": 0.4}, (3, 4, 5, 2)),
    ("BatchNorm2d", (4,), {"affine": False}, (3, 4, 5, 2)),
    ("BatchNorm2d", (4,), {"track_running_stats": False}, (3, 4, 5, 2)),
    ("BatchNorm2d", (4,), {"bias": False}, (3, 4, 5, 2)),
    ("GroupNorm", (2, 4), {}, (3, 4, 5, 2)),
    ("GroupNorm", (1, 4), {"affine": False}, (3, 4)),
    ("InstanceNorm2d", (4,), {}, (3, 4, 5, 2)),
    ("InstanceNorm2d", (4,), {"affine": True}, (4, 5, 2)),
]


@pytest.mark.parametrize(("name", "args", "options", "shape"), NORMS)
def test_normalization(name, args, options, shape):
    theirs, ours = getattr(torch.nn, name)(*args, **options), getattr(normalization, name)(*args, **options)
    assert repr(ours) == repr(theirs)
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter)
    ours.load_state_dict({key: tinytorch.tensor(value.numpy()) for key, value in theirs.state_dict().items()})
    for mode in (True, True, False):
        theirs.train(mode)
        ours.train(mode)
        compare(ours, theirs, [normal(*shape) * 3 + 5])
        for key, value in theirs.state_dict().items():
            assert_close(ours.state_dict()[key].array, value, key)
        for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert_close(mine.grad.array, other.grad)


@pytest.mark.parametrize(
    ("name", "shape"), [("BatchNorm1d", (1, 4)), ("BatchNorm1d", (2, 4, 1, 1)), ("BatchNorm2d", (2, 4))]
)
def test_normalization_refuses(name, shape):
    for lib, layers in ((torch, torch.nn), (tinytorch, normalization)):
        with pytest.raises(ValueError):
            getattr(layers, name)(4)(lib.ones(shape))


def test_normalization_is_stable_far_from_zero():
    x = normal(8, 2, 50, 50) + 100
    compare(normalization.BatchNorm2d(2), torch.nn.BatchNorm2d(2), [x])

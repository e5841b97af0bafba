"""Module 01 against PyTorch: the same expression gives the same numbers, dtype, shape, text or error."""

import copy
import functools
import itertools
import pickle
import sys
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, mutually_broadcastable_shapes

import tinytorch

DTYPES = ("float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool")
few = settings(max_examples=30, deadline=None, derandomize=True)


@functools.cache
def compiled(expression):
    return compile(expression, expression, "eval")


def run(lib, expression, **names):
    """Return the value of an expression in which tt is the library, or the error it raises."""
    scope = {"tt": lib, "np": np, "T": lib.tensor, **names}
    try:
        return eval(compiled(expression), scope)
    except Exception as error:
        return error


def assert_same(ours, theirs, label, rtol=2e-6):
    """Fail unless both libraries returned the same, or raised errors of one kind."""
    if isinstance(theirs, Exception) or isinstance(ours, Exception):
        related = isinstance(ours, type(theirs)) or isinstance(theirs, type(ours))
        assert isinstance(ours, Exception), f"{label}: PyTorch raises {theirs!r}, we return {ours!r}"
        assert isinstance(theirs, Exception), f"{label}: we raise {ours!r}, PyTorch returns {theirs!r}"
        assert related and type(ours) is not Exception, f"{label}: {ours!r} instead of {theirs!r}"
        return
    if isinstance(theirs, torch.Tensor):
        assert isinstance(ours, tinytorch.Tensor), f"{label}: {ours!r} instead of {theirs!r}"
        same = repr(ours.dtype) == repr(theirs.dtype) and ours.shape == theirs.shape
        same = same and np.allclose(ours.array, theirs.detach().numpy(), rtol, 1e-6, equal_nan=True)
        assert same, f"{label}: {ours!r} instead of {theirs!r}"
    elif type(theirs).__module__ == "torch.return_types" or isinstance(theirs, list | tuple):
        assert isinstance(ours, tuple) or isinstance(theirs, list), label
        assert len(ours) == len(theirs), label
        for our_part, their_part in zip(ours, theirs, strict=True):
            assert_same(our_part, their_part, label, rtol)
    elif isinstance(theirs, torch.dtype):
        assert repr(ours) == repr(theirs), label
    else:
        assert ours == theirs, f"{label}: {ours!r} instead of {theirs!r}"


def check(expression, rtol=2e-6, **names):
    """Compare an expression, in both libraries, on the arrays in names."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what PyTorch does silently, we do silently
        ours = run(tinytorch, expression, **{k: tensor_of(tinytorch, v) for k, v in names.items()})
        warnings.simplefilter("ignore")
        theirs = run(torch, expression, **{k: tensor_of(torch, v) for k, v in names.items()})
    assert_same(ours, theirs, (expression, names), rtol)


def tensor_of(lib, value):
    return lib.tensor(value) if isinstance(value, (np.ndarray, np.generic)) else value


EXPRESSIONS = """
T([1, 2])  T([1.0, 2])  T([True, 2])  T([True, 2.5])  T(3)  T(2.5)  T(True)  T([])  T([[]])
T([[1, 2], [3]])  T((1, 2))  T(range(3))  T("abc")  T(np.float64(1.5))  T(np.int32(3))  T(np.ones(2))
T(np.ones(2, np.int8))  T([[1], [2.5]])  T([T(1), T(2)])  T(T([1, 2]))  T([1.7, -1.7], dtype=tt.int64)
T([1, 0], dtype=tt.bool)  T([1, 2], dtype=tt.float16)  T([1, 2], dtype=float)  T([1.5], dtype=int)
T([1, 2], requires_grad=True)  T([1.0], requires_grad=True).requires_grad  T([1, 2]).requires_grad_()
T([2.0]).requires_grad_().requires_grad  T([1.0]).is_leaf  T([1.0]).grad  T([1.0]).grad_fn

T([1], dtype=tt.uint8) + 300  T([1], dtype=tt.int8) + 2.5  T([1, 2]) + 1.5  T([True]) + 1
T([True]) + T([True])  T([1], dtype=tt.int8) - (-300)  T([1.0]) + T(2.0, dtype=tt.float64)
T([1, 2]) + T(2.5)  T([1, 2]) + [1, 2]  T([1, 2]) + None  [1, 2] + T([1, 2])
T([1, 2]) + np.array([1.0, 2.0])  T([1.0]) * np.float64(2)  np.float64(2) * T([1.0])  1 + T([1])
5 - T([1, 2])  2 * T([1.5])  1 / T([2.0, 0.0])  2 ** T([1, 3])  2.0 ** T([1, 3])  T([2, 3]) ** -1
T([2, 3]) ** -1.0  T([2.0]) ** -1  T([2, 3]) ** 2  T([2, 3]) ** 0.5  T([-8.0]) ** 0.5  T([0.0]) ** 0
T([0.0]) ** -1  T([True]) ** 2  T([True]) - T([True])  -T([True])  -T([1, -2])  -T([1.5])
-T([1], dtype=tt.uint8)  T([True]) * T([True])  T([True]) / T([True])  T([7, -7]) / 2  T([1.0, 0.0]) / 0
T([1], dtype=tt.int8) / T([2], dtype=tt.int8)  tt.exp(T([1], dtype=tt.int8))  tt.exp(T([1000.0, -1000.0]))
tt.log(T([0.0, -1.0, 1.0]))  tt.log(T([0, 2]))  tt.exp(T(True))  T([3.4e38]) / 0.1  T([0.5]).exp()
T([0.5]).log()  T([1, 2]) + T([1, 2, 3])  tt.ones(2, 3) + tt.ones(4)  tt.ones(2) + tt.ones(0)
tt.ones(2, 1) + tt.ones(0)  tt.add(1, T([1]))  tt.add(T([1]), T([0.5]))  tt.sub(T([1]), 3)
tt.mul(T([1]), 3)  tt.div(T([1]), 4)  tt.pow(2, T([1.5]))  tt.pow(T([2]), 3)  tt.neg(T([2]))

T([1, 2]) == T([1, 3])  T([1, 2]) != 2  T([1, 2]) < 1.5  T([1, 2]) <= T([[1], [2]])
T([1.0, float("nan")]) > 0  T([1.0, float("nan")]) == T([1.0, float("nan")])  T([1, 2]) >= T([1, 2, 3])
T([1, 2]) == None  T([1, 2]) != None  T([1, 2]) == [1, 2]  T([1, 2]) < None  3 > T([1, 5])  T([True]) == 1
(T([1, 2]) > 1) & (T([1, 2]) < 3)  T([True, False]) | T([False, False])  ~T([True, False])  ~T([1, 2])
~T([1.5])  T([6, 1]) & 3  T([True, False]) ^ T([True, True])  (lambda x: hash(x) == hash(x))(T([1]))
T([1, 2]) in [None]  T([[True, False], [True, True]]).all()  T([True, False]).any()
T([[True, False]]).all(1)  T([1, 0]).any()  T([[True, False]]).any(dim=0, keepdim=True)
tt.equal(T([1, 2]), T([1, 2]))  tt.equal(T([1]), T([1, 2]))

tt.ones(2, 3) @ tt.ones(3, 4)  tt.ones(2, 3) @ tt.ones(2, 3)  tt.ones(2, 3) @ tt.ones(3)
tt.ones(3) @ tt.ones(3, 2)  tt.ones(3) @ tt.ones(3)  tt.ones(2, 3) @ tt.ones(2)  tt.ones(2) @ tt.ones(3)
tt.ones(2, 3, 4) @ tt.ones(3, 4, 5)  tt.ones(2, 3, 4) @ tt.ones(4, 5)
tt.ones(2, 1, 3, 4) @ tt.ones(5, 4, 2)  tt.ones(5, 3, 4) @ tt.ones(4)  tt.ones(4) @ tt.ones(5, 4, 3)
tt.ones(2, 3) @ T(1.0)  tt.ones(2, 3) @ 3  3 @ tt.ones(3)  T([[1, 2]]) @ T([[3], [4]])
tt.ones(2, 3) @ tt.ones(3, 2, dtype=tt.float64)  tt.ones(0, 3) @ tt.ones(3, 2)
tt.ones(2, 0) @ tt.ones(0, 2)  tt.matmul(tt.ones(2, 3), tt.ones(3, 1))  T([1, 2]) @ T([3, 4])

tt.ones(2, 3).sum()  tt.ones(2, 3).sum(1)  tt.ones(2, 3).sum(-2)  tt.ones(2, 3).sum(5)
tt.ones(2, 3).sum(-3)  tt.ones(2, 3).sum((0, 1))  tt.ones(2, 3).sum([0, -1])  tt.ones(2, 3).sum((0, 0))
tt.ones(2, 3).sum(())  tt.ones(2, 3).sum(0, True)  tt.ones(2, 3).sum(dim=1, keepdim=True)
T([True, True]).sum()  T(2.0).sum(0)  T(2.0).sum(1)  T([200, 100], dtype=tt.uint8).sum()  tt.zeros(0).sum()
tt.zeros(0, 3).sum(0)  tt.sum(T([1, 2]))  tt.ones(2, 3).mean()  tt.ones(2, 3).mean(1, keepdim=True)
tt.ones(2, 3).mean((0, 1))  tt.ones(2, 3).mean(3)  T([1, 2]).mean()  T([True]).mean()
T([1, 2], dtype=tt.float16).mean()  tt.mean(T([1.0, 2.0]), dim=0)  tt.arange(6).max()
tt.arange(6).reshape(2, 3).max(1)  tt.arange(6).reshape(2, 3).max(0).values
tt.arange(6).reshape(2, 3).max(-1, keepdim=True)  tt.arange(6).max(1)  tt.zeros(0).max()  tt.zeros(0).min()
T([1.0, float("nan")]).max()  T([1.0, float("nan"), 2.0]).max(0)  T([True, False]).max()  T(3).max(0)
tt.arange(6).min()  tt.arange(6).reshape(2, 3).min(1)  T([3, 1, 1]).min(0)  T([3, 3, 1]).max(0)
T([200, 3], dtype=tt.uint8).min()  tt.max(T([1, 2]))  tt.max(T([[1, 2]]), 1)
tt.min(T([[1, 2]]), dim=1, keepdim=True)  tt.arange(6).argmax()  tt.arange(6).reshape(2, 3).argmax(1)
tt.arange(6).reshape(2, 3).argmax(0, keepdim=True)  T([1.0, float("nan")]).argmax()  tt.arange(6).argmin()
tt.argmax(T([[1, 5]]), dim=1)  tt.arange(6).argmax(2)

tt.arange(6).reshape(2, 3)  tt.arange(6).reshape((3, 2))  tt.arange(6).reshape([6])
tt.arange(6).reshape(-1, 2)  tt.arange(6).reshape(2, 4)  tt.arange(6).reshape(-1, 4)
tt.arange(6).reshape(-1, -1)  tt.arange(6).reshape(-2, 3)  tt.arange(6).reshape(2.0, 3)
tt.zeros(0).reshape(0, -1)  tt.zeros(0).reshape(0, 5)  T([5]).reshape(())
tt.arange(6).reshape(2, 3).T.reshape(6)  tt.reshape(tt.arange(4), (2, 2))  tt.arange(6).view(2, 3)
tt.arange(6).view(3, -1)  tt.arange(6).view(4)  tt.arange(6).view(2, 3).T.view(6)
tt.arange(6).view(2, 3).T.view(3, 2)  tt.arange(6).view(2, 3).T.view(3, 1, 2)  tt.arange(6)[::2].view(3, 1)
tt.zeros(0, 3).view(3, 0)  tt.zeros(2, 3, 4).permute(2, 0, 1).shape
tt.zeros(2, 3, 4).permute((0, -1, 1)).shape  tt.zeros(2, 3).permute(0)  tt.zeros(2, 3).permute(0, 0)
tt.zeros(2, 3).permute(0, 2)  tt.zeros(2, 3).permute(0, -2)  tt.permute(tt.zeros(2, 3), (1, 0)).stride()
tt.zeros(2, 3, 4).transpose(0, -1).shape  tt.zeros(2, 3).transpose(0, 2)  tt.zeros(2, 3).T.shape
tt.zeros(2, 3).unsqueeze(0).shape  tt.zeros(2, 3).unsqueeze(-1).shape  tt.zeros(2, 3).unsqueeze(4)
tt.zeros(1, 3, 1).squeeze().shape  tt.zeros(1, 3, 1).squeeze(0).shape  tt.zeros(1, 3).squeeze(1).shape
T(1).squeeze().shape

tt.arange(5)[2]  tt.arange(5)[-1]  tt.arange(5)[5]  tt.arange(5)[1:4]  tt.arange(5)[::2]  tt.arange(5)[::-1]
tt.arange(5)[0, 0]  tt.arange(5)[[0, 3]]  tt.arange(5)[[0, 7]]  tt.arange(5)[T([1, 1])]
tt.arange(5)[T([[1, 2], [3, 4]])]  tt.arange(5)[T(2)]  tt.arange(5)[tt.arange(5) > 2]
tt.arange(5)[[True, False]]  tt.arange(5)[None].shape  tt.arange(5)[...]  tt.arange(5)[1.0]
tt.arange(5)[...,None].shape  tt.arange(24).view(2, 3, 4)[1]  tt.arange(24).view(2, 3, 4)[:, 1]
tt.arange(24).view(2, 3, 4)[..., -1]  tt.arange(24).view(2, 3, 4)[0, :, [1, 2]]
tt.arange(24).view(2, 3, 4)[[0, 1], :, 0]  tt.arange(24).view(2, 3, 4)[:, 0, [1, 2]]
tt.arange(24).view(2, 3, 4)[[0, 1], :, None, [0, 1]]  tt.arange(24).view(2, 3, 4)[[0, 1], [1, 2]]
tt.arange(24).view(2, 3, 4)[1, ..., [0, 2]]  tt.arange(24).view(2, 3, 4)[tt.arange(6).view(2, 3) > 2, 0]
tt.arange(5)[[]]  tt.arange(5)[T([], dtype=tt.int64)]  T(3)[0]  T(3)[...]  tt.arange(5)[T([-1])]
tt.arange(4)[T([True, False, True, False])]  tt.arange(5)[True].shape  tt.arange(5)[np.int64(2)]
list(tt.arange(3))

tt.cat([T([1]), T([1.5])])  tt.cat([T([1.0]), T([1.5], dtype=tt.float64)])
tt.cat((tt.ones(2, 3), tt.zeros(1, 3)))  tt.cat([tt.ones(2, 3), tt.zeros(2, 1)], dim=1)
tt.cat([tt.ones(2, 3), tt.zeros(2, 1)], -1)  tt.cat([tt.ones(2, 3), tt.ones(2, 2)])
tt.cat([tt.ones(2), tt.ones(2, 2)])  tt.cat([tt.ones(2, 3)], dim=2)  tt.cat([])  tt.cat([T(1.0), T(2.0)])
tt.cat([T([True]), T([2])])  tt.cat([T([1], dtype=tt.uint8), T([-1], dtype=tt.int8)])  tt.cat([tt.ones(2)])
tt.where(T([True, False]), T([1, 2]), T([3, 4]))  tt.where(T([1, 0]), T([1, 2]), T([3, 4]))
tt.where(T([True, False]), 1.5, T([3, 4]))  tt.where(T([True, False]), 1, 2)
tt.where(T([True, False]), T(1.0, dtype=tt.float64), T([3.0, 4.0]))  tt.where(T(True), 1.0, 2)
tt.where(T([True, False]), T([1, 2, 3]), T([3, 4, 5]))  tt.where(T([[True], [False]]), T([1, 2, 3]), 0)
tt.where(T(True), T(1), T(2))

tt.zeros(2, 3)  tt.zeros((2, 3))  tt.zeros([2])  tt.zeros(())  tt.zeros(tt.ones(2, 3).shape)  tt.zeros(-1)
tt.zeros(2.0)  tt.zeros(0, 2)  tt.zeros(2, dtype=tt.int64)  tt.zeros(2, dtype=tt.bool)
tt.ones(2, dtype=tt.uint8)  tt.zeros(2, requires_grad=True).requires_grad  tt.full((2,), 1)
tt.full((2, 2), 1.5)  tt.full((2,), True)  tt.full((2,), 1, dtype=tt.float64)  tt.zeros_like(T([1, 2]))
tt.ones_like(T([1.5]))  tt.zeros_like(T([1, 2]), dtype=tt.float32)  tt.arange(5)  tt.arange(5.0)
tt.arange(2, 5)  tt.arange(0, 1, 0.1)  tt.arange(5, 0, -2)  tt.arange(5, 0)  tt.arange(1, 0, 0)
tt.arange(0)  tt.arange(3, dtype=tt.float64)  tt.arange(1.5, 4)  tt.linspace(0, 1, 5)  tt.linspace(0, 1, 1)
tt.linspace(0, 1, 0)  tt.linspace(0, 1, -1)  tt.linspace(-1, 1, 7, dtype=tt.float64)  tt.eye(2)
tt.eye(2, 3)  tt.eye(3, dtype=tt.int64)  tt.eye(2, m=1)  tt.rand(2, 3).shape  tt.randn((4,)).dtype
tt.rand(2, dtype=tt.float64).dtype  tt.randint(3, (2, 2)).shape  tt.randint(4, 5, (3,))
tt.randint(high=3, size=(2,)).dtype  tt.randint(0, (2,))  tt.randint(5, 2, (2,))  tt.randperm(5).dtype
tt.randperm(1)

tt.ones(2, 3).shape  tt.ones(2, 3).size()  tt.ones(2, 3).size(-1)  tt.ones(2, 3).size(2)  tt.ones(2, 3).ndim
tt.ones(2, 3).dim()  tt.ones(2, 3).numel()  tt.ones(2, 3).nbytes  tt.ones(2, dtype=tt.float64).nbytes
tt.ones(2).element_size()  tt.zeros(2, 0, 3).numel()  tt.zeros(2, 3).stride()  tt.zeros(2, 0, 3).stride()
tt.zeros(2, 3).T.stride()  tt.zeros(2, 3).T.stride(0)  tt.zeros(4, 6)[::2, ::3].stride()
tt.zeros(2, 3).is_contiguous()  tt.zeros(2, 3).T.is_contiguous()  tt.zeros(2, 3).T.contiguous().stride()
tt.zeros(2, 3).T.clone().stride()  tt.zeros(2).is_floating_point()  T([1]).is_floating_point()
repr(tt.ones(2, 3).shape)  repr(tt.ones(2, 3).shape[1:])  tt.ones(2, 3).shape.numel()
repr(tt.ones(2, 3).shape + (1,))  repr((1,) + tt.ones(2, 3).shape)  tt.ones(2, 3).shape == (2, 3)
tt.ones(2, 3).shape[0]  T([2.5]).item()  T(3).item()  T([[True]]).item()  T([1, 2]).item()  T([]).item()
T([[1, 2]]).tolist()  T(2.5).tolist()  float(T([[1.5]]))  float(T(2))  int(T([1.5]))  bool(T([0]))
bool(T(2.5))  bool(T([1, 2]))  bool(T([]))  list(range(T(3)))  [5, 6][T(1)]  [5, 6][T(1.0)]  len(T([1, 2]))
len(T(1))  iter(T(1))  f"{T(1.5)}"  f"{T(1.5):.3f}"  f"{T(3):>4}"  f"{T([1.5]):.3f}"  f"{T([1.5])}"
str(T([1.5]))  T([1.5]).numpy().dtype  T([1.5]).requires_grad_().numpy()
T([1.5]).requires_grad_().detach().requires_grad  np.asarray(T([1, 2])).dtype  T([1.9, -1.9]).to(tt.int64)
T([1, 2]).to(tt.float32)  T([1.0]).float()  T([1.9]).long()  T([0.0, 2.0]).to(tt.bool)

T([1.0, 2.0]).add_(1)  T([1.0, 2.0]).sub_(T([1, 2]))  T([1.0, 2.0]).mul_(T(3.0))  T([1.0, 2.0]).div_(4)
T([1, 2]).add_(1.5)  T([1, 2]).div_(2)  T([1.0, 2.0]).add_(tt.ones(3, 2))
T([1.0, 2.0]).add_(T([1, 2], dtype=tt.float64))  T([1, 2]).mul_(True)
T([1, 2], dtype=tt.int8).add_(T([1, 2]))  T([1, 2]).zero_()  T([1.0]).fill_(2)  T([1, 2]).fill_(2.7)
T([1.0, 2.0]).copy_(T([3, 4]))  T([1, 2]).copy_(T([3.7, 4.2]))  tt.zeros(2, 2).copy_(T([3, 4]))
T([1, 2]).copy_(T([1, 2, 3]))
"""


def entries(text):
    """Return the entries of a table whose entries stand two spaces or a line apart."""
    return [entry for line in text.splitlines() for entry in line.split("  ") if entry]


@pytest.mark.parametrize("expression", entries(EXPRESSIONS))
def test_expression_gives_what_pytorch_gives(expression):
    check(expression)


STATEMENTS = """
x[0] = 9  x[1:] = 5  x[[0, 2]] = 7  x[x > 2] = 0  x[:2] = T([8.0, 9.0])  x[:2] = T([1.0, 2.0, 3.0])
x[5] = 1  x[...] = 3  x[0] = T(4)  x[None] = 6  x[T([0, 0])] = 2  x[T([True, False, True])] = T([4.0, 5.0])
x[-1] = float("nan")  x += 1  x -= T([1, 2, 3])  x *= 2  x /= 4  x += T([1.0])  x[0] += 5  x.copy_(T([4.0]))
x.numpy()[0] = 7  x.requires_grad = True  y = x.view(3, 1); y[1] = 50  y = x[1:]; y.zero_()
y = x[0]; y.fill_(7)  y = x.detach(); y.add_(1)  y = x.clone(); y.add_(1)  y = x.reshape(3, 1); y.mul_(2)
y = x.view(3, 1); y[0, [0]] = 4  y = x.unsqueeze(0); y[0, 1:] = T([6.0, 7.0])  y = x.contiguous(); y.add_(1)
y = x.to(tt.float32); y.add_(1)  y = x[[0, 1]]; y.zero_()  y = T(x.numpy()); y.zero_()
y = tt.from_numpy(x.numpy()); y.zero_()
"""


@pytest.mark.parametrize("statement", entries(STATEMENTS))
def test_assignment_changes_what_pytorch_changes(statement):
    results = []
    for lib in (tinytorch, torch):
        scope = {"tt": lib, "T": lib.tensor, "x": lib.tensor([1.0, 2.0, 3.0])}
        try:
            exec(statement, scope)
        except Exception as error:
            results.append(error)
        else:
            results.append(scope["x"])
    assert_same(*results, statement)


def operands(dtype):
    """Return, for one dtype, a tensor with a dimension and one without."""
    return [np.array([1, 1]).astype(dtype), np.array(1).astype(dtype)]


PAIRS = ("a + b", "a * b", "a / b", "a ** b", "a < b", "tt.where(tt.tensor([True]), a, b)")


@pytest.mark.parametrize("expression", PAIRS)
def test_promotion_of_every_pair(expression):
    values = [value for dtype in DTYPES for value in operands(dtype)] + [True, 1, 1.0]
    for a, b in itertools.product(values, values):
        if not isinstance(a, np.ndarray) and not isinstance(b, np.ndarray):
            continue  # two Python numbers: no tensor is involved
        if expression == "a ** b" and np.asarray(a).dtype == np.asarray(b).dtype == bool:
            continue  # PyTorch has no power of two bools
        check(expression, a=a, b=b)


def test_promote_types_and_cat_of_every_pair():
    for a, b in itertools.product(DTYPES, DTYPES):
        check(f"tt.promote_types(tt.{a}, tt.{b})")
        check(f"tt.cat([tt.ones(1, dtype=tt.{a}), tt.ones(2, dtype=tt.{b})])")


UNARY = """
x.sum()  x.sum(1)  x.mean()  x.max()  x.max(0)  x.min(1)  x.argmax(1) if x.dtype is not tt.bool else 0
tt.exp(x)  tt.log(x)  x == x.T[:2, :2]  x[0]  x.nbytes
"""


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("expression", entries(UNARY))
def test_every_dtype_through(expression, dtype):
    check(expression, rtol=1e-3 if dtype == "float16" else 2e-6, x=np.array([[1, 0], [3, 2]]).astype(dtype))


@pytest.mark.parametrize("name", DTYPES)
def test_dtype_describes_itself_as_in_pytorch(name):
    ours, theirs = getattr(tinytorch, name), getattr(torch, name)
    assert repr(ours) == repr(theirs)
    for attribute in ("itemsize", "is_floating_point", "is_signed"):
        assert getattr(ours, attribute) == getattr(theirs, attribute)


def numbers(seed, dtype, shape):
    """Return an array of small numbers, zeros and negative ones among them."""
    values = np.random.default_rng(seed).integers(-9, 9, shape)
    if dtype == "uint8":
        values = np.abs(values)
    return (values / 4 if dtype.startswith("float") else values).astype(dtype)


@st.composite
def arrays_of(draw, shapes, dtypes=("float32", "float64", "int64", "uint8", "bool")):
    """Draw an array for each shape, each with a dtype of its own."""
    return [numbers(draw(st.integers(0, 999)), draw(st.sampled_from(dtypes)), shape) for shape in shapes]


PAIR_OF_SHAPES = mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=4, min_side=0)


@few
@given(st.data())
def test_binary_ops_on_any_shapes_and_dtypes(data):
    a, b = data.draw(arrays_of(data.draw(PAIR_OF_SHAPES).input_shapes))
    for expression in ("a + b", "a * b", "a / b", "a <= b"):
        check(expression, a=a, b=b)
    if bool not in (a.dtype, b.dtype):
        check("a - b", a=a, b=b)


@few
@given(st.lists(array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3), max_size=3))
def test_broadcast_shapes_accepts_and_refuses_as_pytorch(shapes):
    check(f"tt.broadcast_shapes({', '.join(map(str, shapes))})")


@few
@given(st.data())
def test_reductions_along_any_dims(data):
    (a,) = data.draw(arrays_of([data.draw(array_shapes(min_dims=1, max_dims=3, max_side=4))]))
    dims = data.draw(st.lists(st.integers(-a.ndim, a.ndim - 1), unique_by=lambda dim: dim % a.ndim))
    dim, keepdim = data.draw(st.sampled_from(dims or [0])), data.draw(st.booleans())
    check(f"x.sum({dims}, {keepdim})", x=a, rtol=1e-5)
    check(f"x.mean({dims}, {keepdim})", x=a, rtol=1e-5)
    check(f"x.max({dim}, {keepdim}).values", x=a)
    check(f"x.min(dim={dim}, keepdim={keepdim}).values", x=a)


@few
@given(st.data())
def test_matmul_of_any_shapes(data):
    batch = data.draw(mutually_broadcastable_shapes(num_shapes=2, max_dims=2, max_side=3)).input_shapes
    n, k, m = (data.draw(st.integers(0, 4)) for _ in range(3))
    left, right = data.draw(st.booleans()), data.draw(st.booleans())  # a matrix, or a vector
    shapes = [(*batch[0], n, k) if left else (k,), (*batch[1], k, m) if right else (k,)]
    a, b = data.draw(arrays_of(shapes, dtypes=(data.draw(st.sampled_from(["float32", "int64"])),)))
    check("a @ b", a=a, b=b, rtol=1e-4)


@few
@given(st.data())
def test_shape_ops_agree_on_numbers_and_strides(data):
    (a,) = data.draw(arrays_of([data.draw(array_shapes(max_dims=4, max_side=3))], dtypes=("int64",)))
    dims = data.draw(st.permutations(range(a.ndim)))
    shape = data.draw(st.permutations([*a.shape, 1]))
    for expression in (
        f"x.permute({dims})",
        f"x.permute({dims}).reshape({shape})",
        f"x.permute({dims}).view({shape})",
    ):
        check(expression, x=a)
    check(f"x.permute({dims}).stride()", x=a)
    check(f"x.permute({dims}).is_contiguous()", x=a)


@few
@given(st.data())
def test_basic_indexing_of_any_kind(data):
    a = np.arange(60).reshape(3, 4, 5)
    items = []
    for size in a.shape[: data.draw(st.integers(0, 3))]:
        start, stop = (data.draw(st.integers(-size, size)) for _ in range(2))
        kinds = [f"{start}", f"{start}:{stop}", f"{start}:{stop}:2", ":", f"[{start}, {stop}]", "None", "..."]
        items.append(data.draw(st.sampled_from(kinds)))
    if items.count("...") < 2:
        check(f"x[{', '.join(items) or '...'}]", x=a)


@few
@given(st.data())
def test_cat_and_where_of_any_dtypes(data):
    shape = list(data.draw(array_shapes(min_dims=1, max_dims=3, max_side=3)))
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    other = shape.copy()
    other[dim] = data.draw(st.integers(0, 3))
    a, b = data.draw(arrays_of([tuple(shape), tuple(other)]))
    check(f"tt.cat([a, b], dim={dim})", a=a, b=b)
    check("tt.where(a > 0, a, c)", a=a, c=b.reshape(-1)[:1] if b.size else np.ones(1))


SPECIAL = {
    "whole": np.array([1.0, -2.0, 100.0], np.float32),
    "fractions": np.array([1.5, -2.25, 100.125], np.float32),
    "large": np.array([1e9, 1.0], np.float32),
    "small": np.array([1e-5, 1.0], np.float32),
    "ratio": np.array([0.5, 1000.0], np.float32),
    "whole ratio": np.array([1.0, 5000.0], np.float32),
    "nan": np.array([np.nan, 1.0, np.inf, -np.inf], np.float32),
    "nan and fraction": np.array([np.nan, 1.5, -np.inf], np.float32),
    "only nan": np.array([np.nan, np.inf], np.float32),
    "nan, large": np.array([np.nan, 1e10, -1.0], np.float32),
    "zeros": np.zeros((2, 3), np.float32),
    "negative zero": np.array([-0.0, 1.0], np.float32),
    "one number": np.float32(3.14159),
    "one whole number": np.float32(-3),
    "bools": np.array([[True, False], [False, False]]),
    "one bool": np.bool_(True),
    "negative ints": np.array([[1, -20], [300, 4]]),
    "bytes": np.arange(5, dtype=np.uint8),
    "doubles": np.array([1.5, 2.0]),
    "halves": np.array([1.5, 6e4], np.float16),
    "empty": np.zeros((0,), np.float32),
    "empty ints": np.zeros((0,), np.int64),
    "empty rows": np.zeros((2, 0, 3), np.float64),
    "empty bools": np.zeros((0, 2), np.bool_),
    "long line": np.arange(100),
    "long line of doubles": np.linspace(0, 1, 40),
    "lines that end at the margin": np.arange(17) + 0.5,
    "three dimensions": np.arange(24.0, dtype=np.float32).reshape(2, 3, 4),
    "four dimensions": np.arange(24, dtype=np.int32).reshape(2, 1, 3, 4),
    "wide rows": np.arange(60, dtype=np.float32).reshape(2, 30) / 7,
    "thousand": np.arange(1000),
    "summary": np.arange(1001),
    "summary of floats": np.linspace(-5, 5, 2000, dtype=np.float32),
    "summary in sci mode": np.logspace(-8, 8, 1500),
    "summary with a large number inside": np.where(np.arange(2000) == 1000, 1e9, 1.5).astype(np.float32),
    "matrix summary": np.arange(10000, dtype=np.float32).reshape(100, 100),
    "tall summary": np.arange(3000).reshape(1000, 3),
    "wide summary": np.arange(3000).reshape(3, 1000),
    "deep summary": np.arange(4096, dtype=np.int16).reshape(16, 16, 16),
    "thin summary": np.ones((2, 2, 600), np.float32),
    "summary of bools": np.arange(2000) % 3 == 0,
}


def assert_prints_alike(array, requires_grad=False):
    ours, theirs = tinytorch.tensor(array), torch.tensor(array)
    if requires_grad:
        ours.requires_grad_()
        theirs.requires_grad_()
    assert repr(ours) == repr(theirs)


@pytest.mark.parametrize("name", SPECIAL)
def test_repr_is_pytorchs(name):
    assert_prints_alike(SPECIAL[name])
    if np.asarray(SPECIAL[name]).dtype.kind == "f":
        assert_prints_alike(SPECIAL[name], requires_grad=True)


def test_repr_of_suffixes_at_every_line_length():
    for size in range(60):
        assert_prints_alike(np.ones(size, np.float32), requires_grad=True)
        assert_prints_alike(np.ones(size), requires_grad=True)
        assert_prints_alike(np.ones((1, size, 1), np.int16))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.integers(0, 999),
    st.sampled_from(["float32", "float64", "float16", "int64", "int8", "bool"]),
    array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=9),
    st.sampled_from([1, 0.3, 1e-6, 1e4]),
)
def test_repr_of_any_array(seed, dtype, shape, scale):
    rng = np.random.default_rng(seed)
    array = rng.integers(-9, 99, shape) * scale
    if dtype.startswith("float"):
        array = np.where(rng.random(shape) < 0.02, rng.choice([np.nan, np.inf, -np.inf]), array)
    with np.errstate(all="ignore"):
        assert_prints_alike(array.astype(dtype))


@few
@given(st.integers(-12, 12), st.integers(0, 6), st.integers(1, 1200), st.integers(0, 1000))
def test_repr_of_any_magnitude(exponent, spread, size, seed):
    rng = np.random.default_rng(seed)
    scale = 10.0 ** (exponent + spread * rng.random(size))
    assert_prints_alike((rng.standard_normal(size) * scale).astype(np.float32))


def test_results_are_tensors_that_keep_their_dtype():
    x = tinytorch.tensor([1.5, 2.5])
    for result in (x.sum(), x[0], x @ x, x.max(), x.sum() * x.sum(), tinytorch.exp(x[0]), -x.sum()):
        assert type(result) is tinytorch.Tensor and type(result.array) is np.ndarray
        assert result.shape == () and result.dtype is tinytorch.float32


def test_ops_make_new_memory_and_leave_inputs_alone():
    a, b = tinytorch.tensor([[1.0, -2.0]]), tinytorch.tensor([[3.0], [0.5]])
    before = a.tolist(), b.tolist()
    elementwise = (a + b, a - b, a * b, a / b, a**2, -a, a.exp(), b.log())
    for result in (*elementwise, a @ b, a.sum(0), a.mean(0), a.max(0).values):
        assert not np.shares_memory(result.array, a.array) and not np.shares_memory(result.array, b.array)
    assert (a.tolist(), b.tolist()) == before


SHARES = """
x[0]  x[0, 0]  x[:, 1:]  x[None]  x[...]  x.T  x.view(6)  x.reshape(3, 2)  x.detach()  x.permute(1, 0)
x.unsqueeze(0)  x.contiguous()  x.to(tt.int64)  tt.from_numpy(x.numpy())  x[[0]]  x[x > 2]  x[0, [1]]
x.clone()  x.T.reshape(6)  x.T.contiguous()  tt.tensor(x.numpy())  x.to(tt.float32)  tt.cat([x])
"""


@pytest.mark.parametrize("expression", entries(SHARES))
def test_memory_is_shared_or_copied_as_in_pytorch(expression):
    shared = []
    for lib in (tinytorch, torch):
        x = lib.arange(6).view(2, 3)
        result = eval(expression, {"tt": lib, "x": x})
        shared.append((np.shares_memory(result.numpy(), x.numpy()), result is x))
    assert shared[0] == shared[1]


def test_tensor_copies_and_the_class_shares():
    array = np.zeros(2, np.float32)
    copied, shared, also = tinytorch.tensor(array), tinytorch.Tensor(array), tinytorch.from_numpy(array)
    array[0] = 5
    assert copied.tolist() == [0, 0] and shared.tolist() == [5, 0] and also.tolist() == [5, 0]


def test_in_place_variants_return_the_tensor_itself():
    x = tinytorch.ones(3)
    memory = x.array
    for result in (
        x.add_(1),
        x.sub_(1),
        x.mul_(2),
        x.div_(2),
        x.zero_(),
        x.fill_(3),
        x.copy_(tinytorch.ones(3)),
    ):
        assert result is x
    x += 1
    assert x.array is memory and x.tolist() == [2, 2, 2]


def test_apply_makes_a_node_and_records_it(monkeypatch):
    calls = []
    monkeypatch.setattr(sys.modules["tinytorch.tensor"], "record", lambda *call: calls.append(call))

    class Scale(tinytorch.Function):
        def forward(ctx, a, factor, offset=0):
            ctx.seen = a
            return a * factor + offset

    x = tinytorch.tensor([1.0, 2.0])
    out = Scale.apply(x, 3, offset=1)
    ((ctx, inputs, output),) = calls
    assert type(ctx) is Scale and ctx.options == {"offset": 1} and ctx.seen is x.array
    assert inputs[0] is x and inputs[1:] == (3,)
    assert output is out and out.tolist() == [4, 7]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("rand", (3, 4)), ("randn", (3, 4)), ("randint", (100, (9,))), ("randperm", (20,))],
)
def test_random_numbers_repeat_with_the_seed(name, arguments):
    draw = getattr(tinytorch, name)
    tinytorch.manual_seed(3)
    first, second = draw(*arguments).tolist(), draw(*arguments).tolist()
    assert first != second
    tinytorch.manual_seed(3)
    assert draw(*arguments).tolist() == first
    assert draw(*arguments, generator=tinytorch.Generator().manual_seed(3)).tolist() == first


def test_random_numbers_have_their_distribution():
    tinytorch.manual_seed(0)
    uniform, normal = tinytorch.rand(20000).array, tinytorch.randn(20000).array
    assert uniform.min() >= 0 and uniform.max() < 1 and abs(uniform.mean() - 0.5) < 0.01
    assert abs(normal.mean()) < 0.03 and abs(normal.std() - 1) < 0.03
    ints = tinytorch.randint(-2, 3, (1000,))
    assert sorted(set(ints.tolist())) == [-2, -1, 0, 1, 2]
    assert sorted(tinytorch.randperm(50).tolist()) == list(range(50))


def test_matmul_loops_multiplies_lists_and_arrays():
    a, b = np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(3, 4) - 5
    for left, right in ((a, b), (a.tolist(), b.tolist())):
        result = tinytorch.matmul_loops(left, right)
        assert type(result) is list and np.array_equal(result, a @ b)
    with pytest.raises(RuntimeError, match=r"\(2, 3\) and \(2, 3\)"):
        tinytorch.matmul_loops(a, a)


@few
@given(array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
def test_contiguous_strides_are_those_of_a_new_tensor(shape):
    assert tuple(tinytorch.contiguous_strides(shape)) == torch.empty(shape).stride()
    assert tinytorch.zeros(shape).stride() == torch.empty(shape).stride()


MISFITS = """
tt.broadcast_shapes((2, 3), (4,))  tt.ones(2, 3) + tt.ones(4)  tt.ones(2, 3) @ tt.ones(4)
tt.ones(2, 3) < tt.ones(4)  tt.cat([tt.ones(2, 3), tt.ones(4)])  tt.where(tt.ones(2, 3) > 0, tt.ones(4), 0)
"""


@pytest.mark.parametrize("call", entries(MISFITS))
def test_errors_name_both_shapes(call):
    with pytest.raises(RuntimeError) as caught:
        eval(call, {"tt": tinytorch})
    assert "(2, 3)" in str(caught.value) and "(4,)" in str(caught.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("tt.ones(6).reshape(2, 4)", "shape '[2, 4]' is invalid for input of size 6"),
        ("tt.ones(2, 3).sum(5)", "Dimension out of range (expected to be in range of [-2, 1], but got 5)"),
        ("tt.tensor([2]) ** -1", "Integers to negative integer powers are not allowed."),
        ("bool(tt.ones(2))", "Boolean value of Tensor with more than one value is ambiguous"),
        ("tt.ones(2).item()", "a Tensor with 2 elements cannot be converted to Scalar"),
        ("iter(tt.tensor(1))", "iteration over a 0-d tensor"),
        ("len(tt.tensor(1))", "len() of a 0-d tensor"),
    ],
)
def test_messages_that_are_pytorchs(call, message):
    for lib in (tinytorch, torch):
        assert str(run(lib, call)) == message


def test_a_tensor_and_a_dtype_survive_copy_and_pickle():
    x = tinytorch.tensor([1.5, 2.5], requires_grad=True)
    for twin in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert twin.tolist() == x.tolist() and twin.requires_grad and twin.dtype is x.dtype
        assert not np.shares_memory(twin.array, x.array)
    assert copy.deepcopy(tinytorch.int8) is tinytorch.int8

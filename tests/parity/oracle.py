"""PyTorch as the oracle: its sample databases, its objects turned into ours, and the comparison of results."""

import contextlib
import random
import sys
import types
import unittest
import warnings
import zlib

import numpy as np

import tinytorch

MISSING = "The comparison with PyTorch needs torch: run it through `python3 build.py parity`, which installs it."


def load_torch():
    """Import PyTorch with its testing package and return it. Raises RuntimeError when it is not installed."""
    try:
        import torch
    except ImportError as error:
        raise RuntimeError(MISSING) from error
    if "expecttest" not in sys.modules:  # PyTorch's test-case class derives from it; the databases need neither
        stub = types.ModuleType("expecttest")
        stub.TestCase = unittest.TestCase
        stub.ACCEPT = False
        sys.modules["expecttest"] = stub
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch.testing._internal.common_methods_invocations
        import torch.testing._internal.common_modules
        import torch.testing._internal.common_optimizers
    torch.set_num_threads(1)
    return torch


@contextlib.contextmanager
def only_our_warnings():
    """Hide PyTorch's warnings; NumPy's (overflow, division by zero) become errors: PyTorch computes on in silence."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", RuntimeWarning)
        yield


def seed(key):
    """Seed every source of random numbers that PyTorch's samples draw from; the same key, the same samples."""
    number = zlib.crc32(key.encode())
    sys.modules["torch"].manual_seed(number)
    random.seed(number)
    np.random.seed(number)


class Unsupported(Exception):
    """An argument that tinytorch has no counterpart of, such as a complex number."""


class Convert:
    """Turns PyTorch's objects into ours, at any depth; a tensor that occurs twice becomes one tensor."""

    def __init__(self):
        self.torch = sys.modules["torch"]
        self.pairs = {}  # id of their tensor -> (theirs, ours)

    def __call__(self, value):
        torch = self.torch
        if isinstance(value, torch.Tensor):
            return self.tensor(value)
        if isinstance(value, torch.dtype):
            return ours_named(str(value))
        if isinstance(value, torch.Size):
            return tinytorch.Size(value)
        if isinstance(value, torch.device):
            return tinytorch.device(str(value))
        if isinstance(value, torch.memory_format | torch.layout):
            return ours_named(str(value))
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*map(self, value))
        if isinstance(value, list | tuple):
            return type(value)(map(self, value))
        if isinstance(value, dict):
            return {key: self(item) for key, item in value.items()}
        if isinstance(value, complex):
            raise Unsupported("complex numbers")
        if isinstance(value, torch.nn.Module):
            return our_module(value, self)
        return our_function(value) if callable(value) else value

    def tensor(self, theirs):
        """Return our copy of a tensor: same numbers, strides and requires_grad; leaves of the graph."""
        if id(theirs) not in self.pairs:
            self.pairs[id(theirs)] = theirs, self.copy(theirs)
        return self.pairs[id(theirs)][1]

    def copy(self, theirs):
        torch = self.torch
        if theirs.dtype.is_complex:
            raise Unsupported("complex numbers")
        if theirs.layout is not torch.strided or theirs.is_quantized:
            raise Unsupported("sparse layouts")
        if theirs.device.type != "cpu":
            raise Unsupported("devices other than the CPU")
        if theirs.ndim > 64:
            raise Unsupported("more than 64 dimensions")
        ours_named(str(theirs.dtype))
        plain = theirs.detach()
        if theirs._is_zerotensor() or theirs.is_neg():
            plain = plain.clone()
        memory = torch.empty(0, dtype=theirs.dtype).set_(plain.untyped_storage()).numpy().copy()
        steps = [step * memory.itemsize for step in plain.stride()]
        mine = np.lib.stride_tricks.as_strided(memory[plain.storage_offset() :], plain.shape, steps)
        ours = tinytorch.from_numpy(mine)
        return ours.requires_grad_() if theirs.requires_grad else ours

    def leaves(self):
        """Return the pairs (theirs, ours) of inputs that require gradients."""
        return [pair for pair in self.pairs.values() if pair[0].requires_grad]


def ours_named(name):
    """Return our object for `torch.float32` and the like. Raises Unsupported when there is none."""
    try:
        return getattr(tinytorch, name.removeprefix("torch."))
    except AttributeError:
        raise Unsupported(name) from None


def our_function(theirs):
    """Return our counterpart of a function of PyTorch's; others, such as lambdas, as they are."""
    torch = sys.modules["torch"]
    name = getattr(theirs, "__name__", "")
    for path, space in (("nn.functional", torch.nn.functional), ("", torch)):
        if getattr(space, name, None) is theirs:
            found = tinytorch
            for part in [*filter(None, path.split(".")), name]:
                found = getattr(found, part)
            return found
    return theirs


ARGUMENTS = {  # class of a module that is itself an argument -> the arguments that make such a one
    "TransformerEncoderLayer": lambda m: {
        "d_model": m.self_attn.embed_dim,
        "nhead": m.self_attn.num_heads,
        "dim_feedforward": m.linear1.out_features,
        "dropout": m.dropout.p,
        "activation": m.activation,
        "layer_norm_eps": m.norm1.eps,
        "batch_first": m.self_attn.batch_first,
        "norm_first": m.norm_first,
        "bias": m.linear1.bias is not None,
    },
    "LayerNorm": lambda m: {"normalized_shape": m.normalized_shape, "eps": m.eps},
    "PairwiseDistance": lambda m: {"p": m.norm, "eps": m.eps, "keepdim": m.keepdim},
}


def our_module(theirs, convert):
    """Return a module of ours made like one of PyTorch's that is given as an argument."""
    name = type(theirs).__name__
    arguments = ARGUMENTS.get(name, lambda m: {})(theirs)
    return getattr(tinytorch.nn, name)(**convert(arguments))


TOLERANCE = {"torch.float16": (1e-3, 1e-3), "torch.float32": (1e-5, 1e-5), "torch.float64": (1e-6, 1e-6)}


def difference(ours, theirs, what="output", slack=1):
    """Return in words how a result of ours differs from PyTorch's, or None when it does not.

    Floats agree within the relative tolerance of their dtype, or within a tenth of it relative to the
    largest element (what a sum loses by cancellation); slack widens both.
    """
    torch = sys.modules["torch"]
    if isinstance(theirs, torch.Tensor):
        return tensor_difference(ours, theirs, what, slack)
    if isinstance(theirs, list | tuple):
        if not isinstance(ours, list | tuple) or isinstance(ours, list) != isinstance(theirs, list):
            return f"{what}: {type(ours).__name__} instead of {type(theirs).__name__}"
        if len(ours) != len(theirs):
            return f"{what}: {len(ours)} items instead of {len(theirs)}"
        names = getattr(theirs, "_fields", range(len(theirs)))
        parts = zip(ours, theirs, names, strict=True)
        return next(filter(None, (difference(a, b, f"{what}[{n}]", slack) for a, b, n in parts)), None)
    if isinstance(theirs, torch.dtype):
        return None if repr(ours) == repr(theirs) else f"{what}: {ours!r} instead of {theirs!r}"
    if isinstance(theirs, bool | int | float | str | None):
        return number_difference(ours, theirs, what)
    return f"{what}: cannot compare {type(theirs).__name__}"


def number_difference(ours, theirs, what):
    """Compare what is not a tensor: the type counts as well, except between numbers of Python and NumPy."""
    if isinstance(theirs, float) and isinstance(ours, float):
        same = np.isclose(ours, theirs, 1e-5, 1e-5, equal_nan=True)
    else:
        same = type(ours) is type(theirs) and ours == theirs
    return None if same else f"{what}: {ours!r} instead of {theirs!r}"


def tensor_difference(ours, theirs, what, slack=1):
    """Compare one tensor: kind, shape, dtype, values, requires_grad."""
    if not isinstance(ours, tinytorch.Tensor):
        return f"{what}: {type(ours).__name__} instead of a tensor"
    if tuple(ours.shape) != tuple(theirs.shape):
        return f"{what}: shape {list(ours.shape)} instead of {list(theirs.shape)}"
    if repr(ours.dtype) != repr(theirs.dtype):
        return f"{what}: {ours.dtype} instead of {theirs.dtype}"
    if ours.requires_grad != theirs.requires_grad:
        return f"{what}: requires_grad is {ours.requires_grad} instead of {theirs.requires_grad}"
    return array_difference(ours.detach().numpy(), theirs.detach().numpy(force=True), what, slack)


def array_difference(a, b, what, slack=1):
    """Return where and how far two arrays of one shape and dtype differ most, or None when they agree."""
    if a.dtype.kind == b.dtype.kind and np.array_equal(a, b):
        return None
    if b.dtype.kind != "f":
        wrong = a != b
    else:
        relative, absolute = TOLERANCE.get(f"torch.{b.dtype}", (1e-5, 1e-5))
        finite = np.abs(b[np.isfinite(b)])
        absolute = slack * max(absolute, relative / 10 * float(finite.max(initial=0)))
        with np.errstate(all="ignore"):
            wrong = ~(np.abs(a - b) <= absolute + slack * relative * np.abs(b))
            if wrong.any():  # not a number, infinite, or really wrong
                wrong = ~np.isclose(a, b, slack * relative, absolute, equal_nan=True)
    if not wrong.any():
        return None
    place = np.unravel_index(np.argmax(wrong), wrong.shape)
    index = f"[{', '.join(map(str, place))}]" if place else ""
    return f"{what}{index}: {a[place]!s} instead of {b[place]!s} ({wrong.sum()} of {wrong.size} differ)"


def describe(args, kwargs, limit=110):
    """Return the arguments of a sample in one short line."""
    parts = [short(arg) for arg in args] + [f"{key}={short(value)}" for key, value in kwargs.items()]
    line = ", ".join(parts)
    return line if len(line) <= limit else line[: limit - 3] + "..."


def short(value):
    """Return a value as text, a tensor as its dtype and shape."""
    torch = sys.modules["torch"]
    if isinstance(value, torch.Tensor):
        kind = str(value.dtype).removeprefix("torch.")
        strided = " strided" if value.layout is torch.strided and not value.is_contiguous() else ""
        return f"{kind}{list(value.shape)}{strided}"
    if isinstance(value, list | tuple):
        inside = ", ".join(map(short, value))
        return f"[{inside}]" if isinstance(value, list) else f"({inside})"
    return repr(value)


def reason(error):
    """Return an exception as one line."""
    text = str(error).strip().split("\n")[0][:160]
    return f"{type(error).__name__}: {text}"

"""Run one function with tinytorch and with PyTorch, and compare what it returns, prints or raises."""

import collections.abc

import numpy as np
import torch

import tinytorch


def plain(value):
    """Return a value with tensors as (dtype, shape, nested lists), and everything else that has no equality as text."""
    if isinstance(value, (torch.Tensor, tinytorch.Tensor)):
        return f"{value.dtype} {tuple(value.shape)}", np.asarray(value.detach().tolist(), np.float64)
    if isinstance(value, collections.abc.Mapping):
        return {plain(key) if isinstance(key, tuple) else key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value if isinstance(value, (int, float, str, bool, type(None))) else repr(value)


def outcome(function, lib):
    """Return (value, None) or (None, error) of function(lib)."""
    try:
        return plain(function(lib)), None
    except Exception as error:
        return None, error


def same(ours, theirs, rtol, path="result"):
    """Fail, naming the place, unless two plain values are equal, numbers up to rtol."""
    assert type(ours) is type(theirs), f"{path}: {ours!r} instead of {theirs!r}"
    if isinstance(theirs, dict):
        assert list(map(str, ours)) == list(map(str, theirs)), f"{path}: keys {list(ours)} instead of {list(theirs)}"
        for key in theirs:
            same(ours[key], theirs[key], rtol, f"{path}[{key!r}]")
    elif isinstance(theirs, (list, tuple)):
        assert len(ours) == len(theirs), f"{path}: {ours!r} instead of {theirs!r}"
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            same(a, b, rtol, f"{path}[{i}]")
    elif isinstance(theirs, (float, np.ndarray)):
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol, err_msg=path)
    else:
        assert ours == theirs, f"{path}: {ours!r} instead of {theirs!r}"


def twins(function, rtol=1e-6, text=True):
    """Fail unless function does the same with both libraries; text: errors must say the same, too."""
    (ours, our_error), (theirs, their_error) = outcome(function, tinytorch), outcome(function, torch)
    if their_error is None and our_error is None:
        same(ours, theirs, rtol)
        return
    assert our_error is not None, f"PyTorch raises {their_error!r}, we return {ours!r}"
    assert their_error is not None, f"we raise {our_error!r}, PyTorch returns {theirs!r}"
    assert type(our_error) is type(their_error), f"{our_error!r} instead of {their_error!r}"
    if text:
        assert str(our_error) == str(their_error)

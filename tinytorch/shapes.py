"""The rules of shapes and dtypes: strides, broadcasting, promotion (part of module 01, Tensor)."""

import math  # noqa: F401 (answers may use it)

import numpy as np

from ._dtype import as_dtype, result_type
from ._tensor_base import Size


def promote_types(type1, type2):
    """Return the smallest dtype that holds the numbers of both; a float beats an int, whatever their sizes.

    >>> tt.promote_types(tt.int64, tt.float16), tt.promote_types(tt.uint8, tt.int8)
    (torch.float16, torch.int16)
    """
    if type1.is_floating_point != type2.is_floating_point:
        return type1 if type1.is_floating_point else type2
    return as_dtype(np.promote_types(type1.numpy, type2.numpy))


def contiguous_strides(shape):
    """Return, for each dimension, how many elements apart its neighbours lie. A size of 0 counts as 1.

    >>> tt.contiguous_strides((2, 3, 5))
    (15, 5, 1)
    """
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)  # PyTorch steps over an empty dimension as if its size were 1
    return tuple(reversed(strides))


def broadcast_shapes(*shapes):
    """Return the shape that the shapes broadcast to: compared from the last dimension, missing sizes are 1.

    Raises RuntimeError naming the shapes when two sizes differ and neither is 1.

    >>> tt.broadcast_shapes((2, 3), (3,), (5, 1, 1))
    torch.Size([5, 2, 3])
    """
    result = [1] * max(map(len, shapes), default=0)
    for shape in shapes:
        for dim in range(-len(shape), 0):
            if result[dim] == 1:
                result[dim] = shape[dim]
            elif shape[dim] not in (1, result[dim]):
                names = " and ".join(str(tuple(shape)) for shape in shapes)
                raise RuntimeError(f"shapes {names} do not broadcast in dimension {dim}")
    return Size(result)


def matmul_loops(a, b):
    """Multiply an (n, k) by a (k, m) matrix, nested lists or arrays, in pure Python; return a list of lists.

    Raises RuntimeError when the inner sizes differ.

    >>> tt.matmul_loops([[1, 2], [3, 4]], [[5], [6]])
    [[17], [39]]
    """
    n, k, m = len(a), len(b), len(b[0])
    if len(a[0]) != k:
        raise RuntimeError(f"shapes ({n}, {len(a[0])}) and ({k}, {m}) cannot be multiplied")
    out = [[0] * m for _ in range(n)]
    for i in range(n):
        for j in range(m):
            for p in range(k):
                out[i][j] += a[i][p] * b[p][j]
    return out


def promote(a, b):
    """Return two operands, arrays or Python numbers, as arrays of the one dtype that PyTorch computes in.

    A Python number or a 0-d array changes the dtype only when its category (bool < int < float) is higher.
    Raises TypeError for what is not a number, RuntimeError naming both shapes when they do not broadcast.
    """
    if not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.dtype == b.dtype):
        common = result_type(a, b, promote_types).numpy
        a, b = np.asarray(a).astype(common, copy=False), np.asarray(b).astype(common, copy=False)
    if a.shape != b.shape and a.ndim and b.ndim:
        broadcast_shapes(a.shape, b.shape)
    return a, b


def restore_dims(reduced, shape, dim=None, keepdim=False):
    """Return what a reduction of `shape` over dim gave, with the lost dimensions back as size 1."""
    if keepdim or not shape:
        return reduced
    if dim is None:
        dim = tuple(range(len(shape)))
    return np.expand_dims(reduced, dim)

"""The given operations, with their gradients: what PyTorch has beyond the seventeen of module 01."""

import numpy as np


from .tensor import Function


class Clone(Function):
    """out = a copy of a.  dL/da = g."""

    def forward(ctx, a, order="K"):
        return a.copy(order)

    def backward(ctx, g):
        return g


class Cast(Function):
    """out = a as another dtype.  dL/da = g."""

    def forward(ctx, a, dtype):
        with np.errstate(all="ignore"):
            return a.astype(dtype.numpy)

    def backward(ctx, g):
        return g


class Fill(Function):
    """out = value in the shape of a.  dL/da = 0."""

    def forward(ctx, a, value):
        return np.full_like(a, value)

    def backward(ctx, g):
        return np.zeros_like(g)


class Expand(Function):
    """out = a view of a stretched to shape.  dL/da = g summed over what was stretched."""

    def forward(ctx, a, shape):
        try:
            return np.broadcast_to(a, shape)
        except ValueError:
            raise RuntimeError(f"shape {a.shape} cannot be expanded to {tuple(shape)}") from None

    def backward(ctx, g):
        return g  # the engine sums


class IndexPut(Function):
    """out = a with out[index] = value.  dL/da = g, 0 at index; dL/dvalue = g[index]."""

    def forward(ctx, a, value, index):
        out = a.copy()
        try:
            _part(out, index)[index[-1]] = value
        except ValueError as error:
            raise RuntimeError(str(error)) from None
        return out

    def backward(ctx, g):
        index = ctx.options["index"]
        rest = g.copy()
        _part(rest, index)[index[-1]] = 0
        return rest, _part(g, index)[index[-1]]


def _part(array, index):
    for part in index[:-1]:
        array = array[part]
    return array


class CopySlices(Function):
    """base, after a view of it was changed in place.  dL/dbase = g, 0 where the view lies; dL/dview = g there.

    layout: the strides of base, the shape and strides of the view, its start in bytes, bytes per element.
    """

    def backward(ctx, g):
        strides, shape, part_strides, start, itemsize = ctx.options["layout"]
        rest = np.ndarray(g.shape, g.dtype, np.empty(g.size, g.dtype), strides=strides)
        rest[...] = g
        part = np.ndarray(shape, g.dtype, rest.base, start, part_strides)
        moved = part.copy()
        part[...] = 0
        return rest, moved




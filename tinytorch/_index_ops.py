"""The given operations that move elements: copies, views, writing at an index, sums of products (einsum)."""

import math

import numpy as np

from .tensor import Function, MatMul


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
            out = np.broadcast_to(a, shape)
        except ValueError:
            raise RuntimeError(f"shape {a.shape} cannot be expanded to {tuple(shape)}") from None
        return a.reshape(shape) if out.size == a.size else out  # what is stretched is read-only

    def backward(ctx, g):
        return g  # the engine sums


class IndexPut(Function):
    """out = a with value at index, or added there.  dL/da = g, 0 at index unless added; dL/dvalue = g[index].

    index: a list of tuples, applied one after the other (see `split_index`); value broadcasts to what they pick.
    """

    def forward(ctx, a, value, index, accumulate=False):
        out = a.copy()
        try:
            if accumulate:
                np.add.at(_part(out, index), index[-1], value)
            else:
                _part(out, index)[index[-1]] = value
        except ValueError as error:
            raise RuntimeError(str(error)) from None
        return out

    def backward(ctx, g):
        index, rest = ctx.options["index"], g
        if not ctx.options.get("accumulate"):
            rest = np.array(g)
            _part(rest, index)[index[-1]] = 0
        return rest, _part(g, index)[index[-1]]


def _part(array, index):
    for part in index[:-1]:
        array = array[part]
    return array


class AsStrided(Function):
    """out = a view of base.  dL/dbase = g where the view lies, 0 elsewhere. layout: as in CopySlices."""

    def backward(ctx, g):
        strides, shape, part_strides, start, _ = ctx.options["layout"]
        out = _laid_out(ctx.shapes[0], strides, g.dtype)
        stretched = tuple(i for i, step in enumerate(part_strides) if step == 0)
        shape = [1 if i in stretched else size for i, size in enumerate(shape)]
        np.ndarray(shape, g.dtype, out.base, start, part_strides)[...] += g.sum(axis=stretched, keepdims=True)
        return out


class CopySlices(Function):
    """base, after a view of it was changed in place.  dL/dbase = g, 0 where the view lies; dL/dview = g there.

    layout: the strides of base, the shape and strides of the view, its start in bytes, bytes per element.
    """

    def backward(ctx, g):
        strides, shape, part_strides, start, _ = ctx.options["layout"]
        rest = _laid_out(g.shape, strides, g.dtype)
        rest[...] = g
        part = np.ndarray(shape, g.dtype, rest.base, start, part_strides)
        moved = part.copy()
        part[...] = 0
        return rest, moved


def _laid_out(shape, strides, dtype):
    """Return zeros of this shape that lie in memory (`.base`) as these strides say, gaps included."""
    span = sum((size - 1) * step for size, step in zip(shape, strides, strict=True)) if 0 not in shape else 0
    return np.ndarray(shape, dtype, np.zeros(span // dtype.itemsize + 1, dtype), strides=strides)


class Flip(Function):
    """out = a with the order along dims reversed.  dL/da = g, reversed likewise."""

    def forward(ctx, a, dims):
        return np.flip(a, dims if a.ndim else ()).copy()

    def backward(ctx, g):
        return np.flip(g, ctx.options["dims"] if g.ndim else ())


class Roll(Function):
    """out = a with elements moved along dims by shifts, round the end.  dL/da = g, moved back."""

    def forward(ctx, a, shifts, dims):
        return np.roll(a, shifts, dims)

    def backward(ctx, g):
        return np.roll(g, [-shift for shift in ctx.options["shifts"]], ctx.options["dims"])


class Diagonal(Function):
    """out = a view of the diagonals of a's dims, as the last dimension.  dL/da = g there, 0 elsewhere."""

    def forward(ctx, a, offset, dims):
        return diagonal_of(a, offset, dims)

    def backward(ctx, g):
        out = np.zeros(ctx.shapes[0], g.dtype)
        diagonal_of(out, **ctx.options)[...] = g
        return out


class DiagEmbed(Function):
    """out = zeros with the last dimension of a as the diagonals of dims.  dL/da = g on the diagonals."""

    def forward(ctx, a, offset, dims):
        size = a.shape[-1] + abs(offset)
        shape = list(a.shape[:-1])
        for dim in sorted(dims):
            shape.insert(dim, size)
        out = np.zeros(shape, a.dtype)
        diagonal_of(out, offset, dims)[...] = a
        return out

    def backward(ctx, g):
        return diagonal_of(g, **ctx.options)


def diagonal_of(array, offset, dims):
    """Return a view, which can be written to, of the diagonals of two dims, as the last dimension."""
    array = np.moveaxis(array, dims, (-2, -1))
    array = array[..., max(-offset, 0) :, max(offset, 0) :]
    size = min(array.shape[-2:])
    strides = (*array.strides[:-2], array.strides[-2] + array.strides[-1])
    return np.lib.stride_tricks.as_strided(array, (*array.shape[:-2], size), strides)


class Windows(Function):
    """out = a view of the windows of a size along dim, each a step after the last, as the last dimension.

    dL/da = g added where the windows lie.
    """

    def forward(ctx, a, dim, size, step):
        if not 0 <= size <= (a.shape[dim] if a.ndim else 1) or step < 1:
            raise RuntimeError(f"no windows of size {size} with step {step} in dimension {dim} of shape {a.shape}")
        if a.ndim == 0:
            return a.reshape(1)[:size]
        count = (a.shape[dim] - size) // step + 1
        shape, strides = (*a.shape[:dim], count, *a.shape[dim + 1 :], size), [*a.strides, a.strides[dim]]
        strides[dim] *= step
        return np.lib.stride_tricks.as_strided(a, shape, strides)

    def backward(ctx, g):
        out, dim, step = np.zeros(ctx.shapes[0], g.dtype), ctx.options["dim"], ctx.options["step"]
        if out.ndim == 0:
            return g.sum()
        rows = np.moveaxis(out, dim, 0)
        count = g.shape[dim]
        for i in range(g.shape[-1]):
            rows[i : i + step * (count - 1) + 1 : step] += np.moveaxis(g[..., i], dim, 0)
        return out


class Einsum(Function):
    """out = sum over all indices that `out` lacks of the product of the inputs, whose dimensions `terms` name.

    dL/d(each input) = einsum of g and the other inputs.  terms: a string for each input, one letter for each
    dimension; out: the letters of the result.
    """

    saves = "inputs"

    def forward(ctx, *arrays, terms, out):
        if len({a.dtype for a in arrays}) > 1:
            raise RuntimeError(f"einsum: expected one dtype, got {', '.join(str(a.dtype) for a in arrays)}")
        try:
            return contract(terms, arrays, out).copy()
        except ValueError as error:
            raise RuntimeError(f"einsum(): {error}") from None

    def backward(ctx, g):
        wanted = enumerate(ctx.needs_input_grad)
        return tuple(self_grad(ctx, g, i) if needed else None for i, needed in wanted)


def self_grad(ctx, g, place):
    """Return the gradient of the input at a place of an einsum: the einsum of g and the others, spread out."""
    terms, arrays = list(ctx.options["terms"]), list(ctx.inputs)
    term, shape = terms.pop(place), arrays.pop(place).shape
    names = "".join(dict.fromkeys(term))
    wide = {name for name, size in zip(term, shape, strict=True) if size != 1}
    found = [name for name in names if name in wide and name in ctx.options["out"] + "".join(terms)]
    part = contract([ctx.options["out"], *terms], [g, *arrays], "".join(found))
    out = np.zeros(shape, g.dtype)
    place = tuple(slice(None) if name in found else None for name in names)
    np.einsum(f"{term}->{names}", out)[...] = part[place]  # a view: of the diagonal where a name occurs twice
    return out


def contract(terms, arrays, out):
    """Return the einsum of arrays, taken in two by two, each pair a product of matrices."""
    (term, array), *rest = zip(terms, arrays, strict=True)
    while rest:
        (other, right), *rest = rest
        kept = set(out).union(*(name for name, _ in rest))
        term, array = _pair(term, array, other, right, kept)
    return np.einsum(f"{term}->{out}", array)


def _pair(left, a, right, b, kept):
    """Return (names, array) of the product of two arrays, summed over what both have and nobody needs later."""
    right, b = _summed(right, b, dict(zip(left, a.shape, strict=True)), kept)
    left, a = _summed(left, a, dict(zip(right, b.shape, strict=True)), kept)
    right, b = _summed(right, b, dict(zip(left, a.shape, strict=True)), kept)
    batch = [name for name in left if name in right and name in kept]
    inner = [name for name in left if name in right and name not in kept]
    rows = [name for name in left if name not in right]
    columns = [name for name in right if name not in left]
    a = np.einsum(f"{left}->{''.join(batch + rows + inner)}", a)
    b = np.einsum(f"{right}->{''.join(batch + inner + columns)}", b)
    n, shape = len(batch), a.shape[: len(batch) + len(rows)] + b.shape[len(batch) + len(inner) :]
    depth = math.prod(b.shape[n : n + len(inner)])
    a = a.reshape(*a.shape[:n], math.prod(a.shape[n : n + len(rows)]), depth)
    b = b.reshape(*b.shape[:n], depth, math.prod(b.shape[n + len(inner) :]))
    out = MatMul.multiply(a, b) if inner else a * b
    return "".join(batch + rows + columns), out.reshape(shape)


def _summed(term, array, other, kept):
    """Return (names, array) without what only this array has, and without a size of 1 where the other's is larger."""
    sizes = dict(zip(term, array.shape, strict=True))
    stays = [i for i, n in sizes.items() if (i in kept or i in other) and not (n == 1 and other.get(i, 1) != 1)]
    names = "".join(stays)
    return names, array if names == term else np.einsum(f"{term}->{names}", array)

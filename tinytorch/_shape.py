"""PyTorch's functions of shapes, nearly all methods of Tensor as well: views where memory allows, joins, splits."""

import builtins
import math

import numpy as np

from ._tensor_base import TensorBase, as_shape, call, view_of, wrap_dim, wrap_dims
from .shapes import broadcast_shapes

__all__ = [
    "atleast_1d", "atleast_2d", "broadcast_tensors", "broadcast_to", "cat", "chunk", "clone", "concat",
    "concatenate", "flatten", "flip", "hstack", "meshgrid", "moveaxis", "movedim", "narrow", "permute", "ravel",
    "repeat_interleave", "reshape", "roll", "select", "split", "squeeze", "stack", "swapaxes", "swapdims", "t",
    "tensor_split", "tile", "transpose", "unbind", "unflatten", "unsqueeze", "vstack",
]  # fmt: skip


def reshape(input, *sizes, shape=()):
    """Return the elements in another shape; one size may be -1. A view where memory allows it, else a copy.

    >>> tt.reshape(tt.arange(6), (2, -1))
    tensor([[0, 1, 2],
            [3, 4, 5]])
    """
    return view_of(call("Reshape", input, shape=as_shape(sizes or (shape,), lowest=-1)), input)


def permute(input, *sizes, dims=()):
    """Return a view with the dimensions in the given order."""
    return view_of(call("Permute", input, dims=as_shape(sizes or (dims,), lowest=None)), input)


def transpose(input, dim0, dim1):
    """Return a view with two dimensions swapped."""
    dims = list(range(input.ndim))
    a, b = wrap_dim(dim0, input.ndim), wrap_dim(dim1, input.ndim)
    if dims:
        dims[a], dims[b] = dims[b], dims[a]
    return permute(input, dims)


swapaxes = swapdims = transpose


def t(input):
    """Return a matrix transposed, as a view; less than two dimensions stay."""
    if input.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D")
    return transpose(input, 0, -1)


def movedim(input, source, destination):
    """Return a view with the dimensions of source at the places of destination: ints or tuples of ints."""
    source, destination = ((x,) if isinstance(x, int) else x for x in (source, destination))
    if len(source) != len(destination):
        raise RuntimeError(f"movedim: {source} and {destination} differ in length")
    source, destination = (wrap_dims(x, input.ndim) or () for x in (source, destination))
    rest = iter([dim for dim in range(input.ndim) if dim not in source])
    to = dict(zip(destination, source, strict=True))
    return permute(input, [to[dim] if dim in to else next(rest) for dim in range(input.ndim)])


moveaxis = movedim


def flatten(input, start_dim=0, end_dim=-1):
    """Return the tensor with the dimensions from start to end, both included, as one."""
    first, last = wrap_dim(start_dim, input.ndim), wrap_dim(end_dim, input.ndim)
    if first > last:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    shape = input.array.shape
    return (
        input
        if first == last and shape
        else reshape(input, *shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :])
    )


def ravel(input):
    """Return the elements in one dimension."""
    return contiguous(reshape(input, -1))


def unflatten(input, dim, sizes):
    """Return the tensor with one dimension as several; one size may be -1."""
    dim, sizes = _dim_of(input, dim), as_shape((sizes,), lowest=-1)
    parts = math.prod(sizes)
    if not sizes or (parts != input.shape[dim] if -1 not in sizes else input.shape[dim] % (parts or 1)):
        raise RuntimeError(
            f"unflatten: sizes {list(sizes)} do not multiply to {input.shape[dim]}, the size of dim {dim}"
        )
    return reshape(input, *input.shape[:dim], *sizes, *input.shape[dim + 1 :])


def view_as(input, other):
    """Return a view of the shape of another tensor."""
    return input.view(other.shape)


def reshape_as(input, other):
    """Return the elements in the shape of another tensor."""
    return reshape(input, other.shape)


def unsqueeze(input, dim):
    """Return a view with a new dimension of size 1 at dim.

    >>> tt.zeros(2, 3).unsqueeze(1).shape
    torch.Size([2, 1, 3])
    """
    dim = wrap_dim(dim, input.ndim + 1)
    return reshape(input, *input.shape[:dim], 1, *input.shape[dim:])


def squeeze(input, dim=None):
    """Return a view without the dimensions of size 1, or without those of them that dim, one or several, names."""
    drop = range(input.ndim) if dim is None else wrap_dims((dim,) if isinstance(dim, int) else dim, input.ndim) or ()
    return reshape(input, [size for i, size in enumerate(input.shape) if size != 1 or i not in drop])


def expand(input, *sizes, size=()):
    """Return a view stretched to a shape: dimensions of size 1, and new ones in front, repeat. -1 keeps a size.

    >>> tt.tensor([[1], [2]]).expand(-1, 3)
    tensor([[1, 1, 1],
            [2, 2, 2]])
    """
    shape = as_shape(sizes or (size,), lowest=-1)
    extra = len(shape) - input.ndim
    shape = tuple(input.shape[i - extra] if n == -1 and i >= extra else n for i, n in enumerate(shape))
    return view_of(call("Expand", input, shape=shape), input)


def expand_as(input, other):
    """Return a view stretched to the shape of another tensor."""
    return expand(input, other.shape)


broadcast_to = expand


def broadcast_tensors(*tensors):
    """Return views of the tensors, stretched to their common shape."""
    shape = broadcast_shapes(*(x.shape for x in tensors))
    return tuple(expand(x, shape) for x in tensors)


def meshgrid(*tensors, indexing="ij"):
    """Return the coordinates of a grid: for each vector a tensor of the grid's shape; indexing "ij" or "xy".

    >>> tt.meshgrid(tt.tensor([1, 2]), tt.tensor([3, 4, 5]), indexing="ij")[1]
    tensor([[3, 4, 5],
            [3, 4, 5]])
    """
    tensors = tuple(tensors[0]) if isinstance(tensors[0], (list, tuple)) else tensors
    if indexing not in ("ij", "xy") or builtins.max(x.ndim for x in tensors) > 1 or len({x.dtype for x in tensors}) > 1:
        raise RuntimeError(f"meshgrid: expected vectors of one dtype and indexing 'ij' or 'xy', got {indexing!r}")
    dims = list(range(len(tensors)))
    if indexing == "xy":
        dims[:2] = dims[:2][::-1]
    columns = [reshape(x, [-1 if i == dim else 1 for i in dims]) for dim, x in enumerate(tensors)]
    return broadcast_tensors(*columns)


def repeat(input, *sizes, repeats=()):
    """Return the tensor laid out so many times along each dimension, new ones in front."""
    counts = as_shape(sizes or (repeats,))
    if len(counts) < input.ndim:
        raise RuntimeError(f"repeat: {len(counts)} counts for the {input.ndim} dimensions of the tensor")
    shape = (1,) * (len(counts) - input.ndim) + tuple(input.shape)
    stretched = reshape(input, [n for size in shape for n in (1, size)])
    stretched = expand(stretched, [n for pair in zip(counts, shape, strict=True) for n in pair])
    out = reshape(stretched, [count * size for count, size in zip(counts, shape, strict=True)])
    return out if out._base is None else clone(out)


def tile(input, *sizes, dims=()):
    """Return the tensor laid out so many times along the last dimensions."""
    counts = as_shape(sizes or (dims,))
    return repeat(input, (1,) * (input.ndim - len(counts)) + counts)


def repeat_interleave(input, repeats, dim=None, *, output_size=None):
    """Return the tensor with each part along dim so many times in a row; repeats is an int or one for each part."""
    if dim is None:
        input, dim = reshape(input, -1), 0
    dim, repeats = wrap_dim(dim, input.ndim), repeats.array if isinstance(repeats, TensorBase) else repeats
    if np.min(repeats, initial=0) < 0 or np.size(repeats) not in (1, input.shape[dim]):
        raise RuntimeError(f"repeats must be one or {input.shape[dim]} numbers from 0 on")
    return _part(input, dim, np.repeat(np.arange(input.shape[dim]), repeats))


def _part(input, dim, index):
    """Return input indexed along one dimension."""
    return view_of(call("Index", input, index=(slice(None),) * dim + (index,)), input)


def cat(tensors, dim=0):
    """Join tensors along dim; dtypes promote. Raises RuntimeError when their other sizes differ.

    >>> tt.cat([tt.tensor([[1, 2]]), tt.tensor([[3, 4], [5, 6]])])
    tensor([[1, 2],
            [3, 4],
            [5, 6]])
    """
    if len(tensors) == 0:
        raise ValueError("cat(): expected a non-empty list of tensors")
    full = [x for x in tensors if x.array.shape != (0,)]
    if not full:
        dim = 0
    elif len(full) < len(tensors) and full[0].ndim != 1:  # PyTorch lets an empty vector stand beside any shape
        shape = list(full[0].shape)
        shape[wrap_dim(dim, len(shape))] = 0
        tensors = [reshape(x, shape) if x.array.shape == (0,) else x for x in tensors]
    return call("Cat", *tensors, dim=dim)


concat = concatenate = cat


def stack(tensors, dim=0):
    """Join tensors of one shape along a new dimension at dim.

    >>> tt.stack([tt.tensor([1, 2]), tt.tensor([3, 4])], dim=1)
    tensor([[1, 3],
            [2, 4]])
    """
    if len({tuple(x.shape) for x in tensors}) > 1:
        raise RuntimeError(f"stack expects each tensor to be equal size, but got {[tuple(x.shape) for x in tensors]}")
    if len(tensors) == 0:
        raise RuntimeError("stack expects a non-empty list of tensors")
    return call("Cat", *(unsqueeze(x, dim) for x in tensors), dim=dim)


def _at_least(ndim, doc):
    def function(*tensors):
        if len(tensors) != 1 or isinstance(tensors[0], (list, tuple)):
            return tuple(map(function, tensors if len(tensors) != 1 else tensors[0]))
        (x,) = tensors
        while x.ndim < ndim:
            x = unsqueeze(x, 0)
        return x

    function.__name__ = function.__qualname__ = f"atleast_{ndim}d"
    function.__doc__ = doc
    return function


atleast_1d = _at_least(1, "Return views with at least one dimension.")
atleast_2d = _at_least(2, "Return views with at least two dimensions; a vector is a row.")


def hstack(tensors):
    """Join tensors along the second dimension, vectors along their only one."""
    tensors = atleast_1d(list(tensors))
    return cat(tensors, dim=0 if tensors[0].ndim == 1 else 1)


def vstack(tensors):
    """Join tensors along the first dimension; vectors are rows."""
    return cat(atleast_2d(list(tensors)))


def select(input, dim, index):
    """Return a view of the part at an index along dim, which is dropped."""
    return _part(input, _dim_of(input, dim), int(index))


def narrow(input, dim, start, length):
    """Return a view of so many parts along dim, from start on."""
    dim, start = _dim_of(input, dim), int(start)
    start += input.shape[dim] if start < 0 else 0
    if length < 0 or not 0 <= start <= input.shape[dim] - length:
        raise (RuntimeError if 0 <= start <= input.shape[dim] else IndexError)(
            f"start ({start}) + length ({length}) exceeds dimension size ({input.shape[dim]})."
        )
    return _part(input, dim, slice(start, start + length))


def _dim_of(input, dim):
    if input.ndim == 0:
        raise RuntimeError("a tensor without dimensions cannot be cut")
    return wrap_dim(dim, input.ndim)


def split(input, split_size_or_sections, dim=0):
    """Return views that cut dim into parts of a size (the last may be smaller), or of the sizes of a list.

    >>> [part.tolist() for part in tt.split(tt.arange(5), 2)]
    [[0, 1], [2, 3], [4]]
    """
    dim, sizes = _dim_of(input, dim), split_size_or_sections
    total = input.shape[dim]
    if isinstance(sizes, int):
        if sizes < 0 or (sizes == 0 and total):
            raise RuntimeError(f"split_size must be positive, got {sizes}")
        ends = [*range(sizes, total, sizes or 1), total]
    else:
        if builtins.min(sizes, default=0) < 0 or builtins.sum(sizes) != total:
            raise RuntimeError(f"split_sizes {list(sizes)} do not add up to {total}, the size of dimension {dim}")
        ends = list(np.cumsum(sizes, dtype=int))
    return _cut(input, dim, ends)


def _cut(input, dim, ends):
    return tuple(_part(input, dim, slice(a, b)) for a, b in zip([0, *ends], ends, strict=False))


def chunk(input, chunks, dim=0):
    """Return views that cut dim into so many parts of one size, the last ones smaller or missing."""
    if chunks < 1:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    size = -(-input.shape[_dim_of(input, dim)] // chunks)
    return split(input, size or [0] * chunks, dim)


def tensor_split(input, indices_or_sections, dim=0):
    """Return views that cut dim at the indices, or into so many parts whose sizes differ by at most 1."""
    dim, cuts = _dim_of(input, dim), indices_or_sections
    cuts = cuts.tolist() if isinstance(cuts, TensorBase) else cuts
    if isinstance(cuts, int):
        if cuts < 1:
            raise RuntimeError(f"number of sections must be larger than 0, got {cuts}")
        size, more = divmod(input.shape[dim], cuts)
        cuts = [i * size + builtins.min(i, more) for i in range(1, cuts)]
    ends = [*cuts, input.shape[dim]]
    return _cut(input, dim, ends)


def unbind(input, dim=0):
    """Return the views along dim, each without it."""
    if input.ndim == 0:
        raise IndexError("a tensor without dimensions has no parts")
    dim = wrap_dim(dim, input.ndim)
    return tuple(_part(input, dim, i) for i in range(input.shape[dim]))


def roll(input, shifts, dims=None):
    """Return the elements moved along dims, round the end; without dims as if in one dimension.

    >>> tt.roll(tt.arange(5), 2)
    tensor([3, 4, 0, 1, 2])
    """
    if dims is None or dims == ():
        return reshape(roll(reshape(input, -1), shifts, 0), input.shape)
    shifts, dims = ((x,) if isinstance(x, int) else tuple(x) for x in (shifts, dims))
    if input.ndim == 0:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    if len(shifts) != len(dims):
        raise RuntimeError(f"shifts and dimensions must align: {len(shifts)} shifts, {len(dims)} dims")
    return call("Roll", input, shifts=shifts, dims=tuple(wrap_dim(dim, input.ndim) for dim in dims))


def flip(input, *sizes, dims=()):
    """Return a copy with the order along dims reversed.

    >>> tt.flip(tt.tensor([[1, 2], [3, 4]]), (1,))
    tensor([[2, 1],
            [4, 3]])
    """
    return call("Flip", input, dims=wrap_dims(as_shape(sizes or (dims,), lowest=None), input.ndim) or ())


def unfold(input, dimension, size, step):
    """Return a view of the windows of a size along a dimension, each a step after the last."""
    return view_of(call("Windows", input, dim=wrap_dim(dimension, input.ndim), size=size, step=step), input)


def clone(input, *, memory_format=None):
    """Return a copy."""
    return call("Clone", input)


def contiguous(input, memory_format=None):
    """Return this tensor, or a copy in row order when its elements lie in another."""
    return input if input.is_contiguous() else call("Clone", input, order="C")

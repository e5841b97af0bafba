"""PyTorch's functions that read and write at indices and diagonals, or draw indices; methods of Tensor as well."""

import builtins

import numpy as np

from ._shape import broadcast_tensors, clone
from ._tensor_base import TensorBase, call, view_of, wrap_dim

__all__ = [
    "bernoulli", "diag", "diag_embed", "diagonal", "gather", "index_add", "index_fill", "index_put", "index_select",
    "masked_fill", "masked_select", "multinomial", "nonzero", "scatter", "scatter_add", "take_along_dim", "tril",
    "triu",
]  # fmt: skip


def _along(input, dim, index):
    """Return the index that takes, at each place of a tensor of indices, the place, but in dim the index."""
    ids = index.array
    if ids.dtype not in (np.int64, np.int32) or ids.ndim != input.ndim:
        raise RuntimeError(f"expected an int64 index with {input.ndim} dimensions, got {ids.ndim}, {index.dtype}")
    _in_range(ids, input.shape[dim], RuntimeError)
    place = list(np.indices(ids.shape, sparse=True))
    place[dim] = ids
    return tuple(place)


def _in_range(ids, size, error):
    if ids.size and not (ids.min() >= 0 and ids.max() < size):
        raise error(
            f"index {ids.min() if ids.min() < 0 else ids.max()} is out of bounds for dimension with size {size}"
        )


def gather(input, dim, index, *, sparse_grad=False):
    """Return, for each place of index, the element of input at that place, but at index along dim.

    index: int64, of input's number of dimensions. Raises RuntimeError for an index that is out of range.

    >>> tt.gather(tt.tensor([[1, 2], [3, 4]]), 1, tt.tensor([[0, 0], [1, 0]]))
    tensor([[1, 1],
            [4, 3]])
    """
    dim = wrap_dim(dim, input.ndim)
    if not (input.ndim and index.ndim and index.numel()):  # counts as one dimension
        return call("Index", input.reshape(-1), index=(index.array.astype(np.int64),))
    return call("Index", input, index=_along(input, dim, index))


def take_along_dim(input, indices, dim=None):
    """Return the elements at indices along dim, as those that argmax and argsort give; both broadcast."""
    if dim is None:
        return gather(input.reshape(-1), 0, indices.reshape(-1))
    dim = wrap_dim(dim, input.ndim)
    if not 0 < input.ndim == indices.ndim:
        raise RuntimeError(f"take_along_dim: {input.ndim} dimensions of input, {indices.ndim} of indices")
    ids = np.where(indices.array < 0, indices.array + input.shape[dim], indices.array)
    shape = list(np.broadcast_shapes(input.narrow(dim, 0, 1).shape, ids.max(dim, keepdims=True, initial=0).shape))
    shape[dim] = -1
    return gather(input.expand(shape), dim, input._wrap(ids).expand(shape))


def scatter(input, dim, index, src=None, value=None, *, reduce=None):
    """Return input with elements of src, or value, written at index along dim; the inverse of gather.

    >>> tt.scatter(tt.zeros(2, 3), 1, tt.tensor([[2], [0]]), 1.0)
    tensor([[0., 0., 1.],
            [1., 0., 0.]])
    """
    return _scattered(input, dim, index, value if src is None else src, {None: False, "add": True}[reduce])


def scatter_add(input, dim, index, src):
    """Return input with elements of src added at index along dim."""
    return _scattered(input, dim, index, src, True)


def _scattered(input, dim, index, src, accumulate):
    if input.ndim < 2 and not (input.ndim and index.ndim):  # no dimension counts as one
        src = src.reshape(-1) if isinstance(src, TensorBase) else src
        return _scattered(input.reshape(-1), dim, index.reshape(-1), src, accumulate).reshape(input.shape)
    if not index.numel():
        return input.clone()
    place = _along(input, wrap_dim(dim, input.ndim), index)
    if isinstance(src, TensorBase):
        if src.dtype is not input.dtype:
            raise RuntimeError("scatter(): Expected self.dtype to be equal to src.dtype")
        if index.ndim != src.ndim or builtins.any(n > m for n, m in zip(index.shape, src.shape, strict=True)):
            raise RuntimeError(f"index of shape {tuple(index.shape)} does not fit src of shape {tuple(src.shape)}")
        src = call("Index", src, index=tuple(slice(n) for n in index.shape))
    return call("IndexPut", input, src, index=[place], accumulate=accumulate)


def _rows(input, dim, index):
    """Return the index of whole parts along dim."""
    dim, ids = wrap_dim(dim, input.ndim), index.array
    if ids.ndim > 1 or ids.dtype not in (np.int64, np.int32):
        raise (IndexError if ids.ndim > 1 else RuntimeError)("index must be a vector of int64 or int32")
    _in_range(ids, input.shape[dim] if input.ndim else 1, IndexError)
    return (slice(None),) * dim + (ids.reshape(-1),)


def index_select(input, dim, index):
    """Return the parts at indices along dim. Raises IndexError for an index that is out of range."""
    rows = _rows(input, dim, index)
    return call("Index", input, index=rows) if input.ndim else input.clone()


def index_add(input, dim, index, source, *, alpha=1):
    """Return input with alpha * source added at indices along dim."""
    if not input.ndim:
        return index_add(input.reshape(1), 0, index.reshape(-1), source.reshape(-1), alpha=alpha).reshape(())
    rows, source = _rows(input, dim, index), source if alpha == 1 else source * alpha
    wanted = list(input.shape)
    wanted[dim] = index.numel()
    if list(source.shape) != wanted:
        raise RuntimeError(f"index_add: expected a source of shape {wanted}, got {list(source.shape)}")
    return call("IndexPut", input, source, index=[rows], accumulate=True)


def index_fill(input, dim, index, value):
    """Return input with a number, or a tensor of one, at indices along dim."""
    if index.ndim > 1:
        raise RuntimeError("Index has to be a vector/scalar")
    size = input.shape[dim] if input.ndim else 1
    ids = np.unique(index.array + size * (index.array < 0))  # value counts once, however often it is written
    rows = _rows(input, dim, input._wrap(ids))
    return call("IndexPut", input, value, index=[rows if input.ndim else (...,)])


def index_put(input, indices, values, accumulate=False):
    """Return input with values at, or added at, the indices: a tensor for each dimension, as in input[indices]."""
    return call("IndexPut", input, values, index=[tuple(x.array for x in indices)], accumulate=accumulate)


def masked_fill(input, mask, value):
    """Return input with value, a number or a tensor of one, where mask is true. The dtype stays.

    >>> tt.tensor([1.0, 2.0]).masked_fill(tt.tensor([True, False]), float("-inf"))
    tensor([-inf, 2.])
    """
    if mask.array.dtype != np.bool_:
        raise RuntimeError(f"masked_fill_ only supports boolean masks, but got mask with dtype {mask.dtype}")
    if not isinstance(value, TensorBase):
        value = np.asarray(value).astype(input.array.dtype)[()]
    elif value.ndim:
        raise RuntimeError(f"masked_fill_ only supports a 0-dimensional value tensor, but got {value.ndim} dimensions")
    return call("Where", mask, value, input)


def masked_select(input, mask):
    """Return, in one dimension, the elements where mask is true; both broadcast."""
    if mask.array.dtype != np.bool_:
        raise RuntimeError("masked_select: expected BoolTensor for mask")
    input, mask = broadcast_tensors(input, mask)
    return call("Index", input, index=(mask.array,))


def nonzero(input, *, as_tuple=False):
    """Return the indices of the elements that are not 0, one row for each, or as a tuple of vectors. int64.

    >>> tt.nonzero(tt.tensor([0, 5, 7]))
    tensor([[1],
            [2]])
    """
    if as_tuple:
        return tuple(map(input._wrap, np.nonzero(np.atleast_1d(input.array))))
    return input._wrap(np.argwhere(input.array))


def tril(input, diagonal=0):
    """Return the matrices with 0 above the diagonal, which lies so many places to the right.

    >>> tt.tril(tt.ones(2, 3))
    tensor([[1., 0., 0.],
            [1., 1., 0.]])
    """
    return call("Where", input._wrap(_below(input, diagonal)), input, False)


def triu(input, diagonal=0):
    """Return the matrices with 0 below the diagonal, which lies so many places to the right."""
    return call("Where", input._wrap(_below(input, diagonal - 1)), False, input)


def _below(input, diagonal):
    if input.ndim < 2:
        raise RuntimeError("tril and triu need at least 2 dimensions")
    n, m = input.array.shape[-2:]
    return np.tri(n, m, diagonal, dtype=np.bool_)


def diagonal(input, offset=0, dim1=0, dim2=1):
    """Return a view of the diagonals of two dimensions, as the last dimension."""
    dims = wrap_dim(dim1, input.ndim), wrap_dim(dim2, input.ndim)
    if dims[0] == dims[1]:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return view_of(call("Diagonal", input, offset=offset, dims=dims), input)


def diag_embed(input, offset=0, dim1=-2, dim2=-1):
    """Return zeros with the last dimension of input on the diagonals of two new dimensions."""
    dims = wrap_dim(dim1, input.ndim + 1), wrap_dim(dim2, input.ndim + 1)
    if dims[0] == dims[1]:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return call("DiagEmbed", input, offset=offset, dims=dims)


def diag(input, diagonal=0):
    """Return a matrix with a vector on its diagonal, or the diagonal of a matrix.

    >>> tt.diag(tt.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
    """
    if input.ndim not in (1, 2):
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {input.ndim}D")
    return diag_embed(input, diagonal) if input.ndim == 1 else clone(input.diagonal(diagonal))


def bernoulli(input, p=None, *, generator=None):
    """Return 1 with the probability that the element (or p) is, else 0."""
    chance = input.array if p is None else p.array if isinstance(p, TensorBase) else p
    if np.min(chance, initial=0) < 0 or np.max(chance, initial=0) > 1:
        raise RuntimeError("bernoulli expects probabilities, numbers from 0 to 1")
    return call("Draw", input, draw=lambda rng, a: rng.random(a.shape) < chance, generator=generator)


def multinomial(input, num_samples, replacement=False, *, generator=None):
    """Return so many random indices for each row of input, with the row's weights as probabilities. int64.

    >>> tt.multinomial(tt.tensor([0.0, 3.0, 0.0]), 4, replacement=True)
    tensor([1, 1, 1, 1])
    """
    weights = input.array.astype(np.float64)
    if (
        not input.is_floating_point()
        or weights.ndim not in (1, 2)
        or not np.isfinite(weights).all()
        or (weights < 0).any()
    ):
        raise RuntimeError("multinomial expects one or two dimensions of floats, finite and not negative")
    if not (weights.sum(-1) > 0).all() or not (replacement or num_samples <= weights.shape[-1]):
        raise RuntimeError(f"multinomial: weights of shape {weights.shape} do not allow {num_samples} samples")

    def draw(rng, a):
        if not replacement:  # the order of weight / (exponential variable) is a random order by weight
            keys = weights / np.maximum(rng.standard_exponential(weights.shape), 1e-300)
            return np.argsort(-keys, axis=-1)[..., :num_samples]
        rows = np.atleast_2d(weights)
        first = np.arange(len(rows))[:, None]
        ends = np.cumsum(rows, -1) / rows.sum(-1, keepdims=True) + first  # row r ends at r + 1: one search for all
        points = np.minimum(rng.random((len(rows), num_samples)) + first, np.nextafter(first + 1.0, 0))
        found = np.searchsorted(ends.ravel(), points, side="right") - first * rows.shape[1]
        return np.minimum(found, rows.shape[1] - 1).reshape(*weights.shape[:-1], num_samples)

    return input._wrap(call("Draw", input.detach(), draw=draw, generator=generator, dtype=np.int64).array)

"""PyTorch's functions along dimensions, and products of matrices; nearly all are methods of Tensor as well.

dim is an int, several ints or None for all; keepdim leaves what is reduced as size 1.
"""

import builtins
import string

import numpy as np

from ._dtype import float32
from ._pointwise import maximum, minimum
from ._tensor_base import TensorBase, call, wrap_dim, wrap_dims
from ._tensor_str import return_type

__all__ = [
    "addmm", "addmv", "all", "amax", "amin", "any", "argmax", "argmin", "argsort", "baddbmm", "bincount", "bmm",
    "cdist", "count_nonzero", "cumprod", "cumsum", "dot", "einsum", "ger", "inner", "logsumexp", "matmul", "max",
    "mean", "median", "min", "mm", "mv", "nansum", "norm", "outer", "prod", "sort", "std", "std_mean", "sum",
    "tensordot", "topk", "trace", "unique", "var", "var_mean",
]  # fmt: skip


def _over(input, dim):
    """Return dim counted from the front, None for all dimensions."""
    dim = wrap_dims(dim, input.ndim)
    return dim if input.ndim else None


def _cast(input, dtype):
    return input if dtype is None else input.to(dtype)


def sum(input, dim=None, keepdim=False, *, dtype=None):
    """Return the sum; ints and bools add up in int64.

    >>> tt.sum(tt.tensor([[1, 2], [3, 4]]), dim=1)
    tensor([3, 7])
    """
    return call("Sum", _cast(input, dtype), dim=_over(input, dim), keepdim=keepdim)


def mean(input, dim=None, keepdim=False, *, dtype=None):
    """Return the mean. Raises RuntimeError for ints."""
    return call("Mean", _cast(input, dtype), dim=_over(input, dim), keepdim=keepdim)


def nansum(input, dim=None, keepdim=False, *, dtype=None):
    """Return the sum of what is not nan."""
    return sum(call("Where", input._wrap(np.isnan(input.array)), 0, input), dim, keepdim, dtype=dtype)


def prod(input, dim=None, keepdim=False, *, dtype=None):
    """Return the product, along one dim or of all elements; ints and bools multiply in int64."""
    return call("Prod", _cast(input, dtype), dim=_over(input, dim), keepdim=keepdim)


def max(input, dim=None, keepdim=False):
    """Return the largest element, the named tuple (values, indices) along dim, or max(a, b) the larger of two.

    >>> tt.max(tt.tensor([[1, 5], [7, 3]]), dim=1)
    torch.return_types.max(
    values=tensor([5, 7]),
    indices=tensor([1, 0]))
    """
    return _extreme("Max", maximum, argmax, input, dim, keepdim)


def min(input, dim=None, keepdim=False):
    """Return the smallest element, the named tuple (values, indices) along dim, or min(a, b) the smaller of two.

    >>> tt.min(tt.tensor([4, 2, 3]))
    tensor(2)
    """
    return _extreme("Min", minimum, argmin, input, dim, keepdim)


def _extreme(op, of_two, find, input, dim, keepdim):
    if isinstance(dim, TensorBase):
        return of_two(input, dim)
    if dim is None:
        return call(op, input, dim=None)
    indices = find(input, dim, keepdim)  # IndexError when there is nothing along dim
    return return_type(op.lower())(call(op, input, dim=_over(input, dim), keepdim=keepdim), indices)


def amax(input, dim=(), keepdim=False):
    """Return the largest elements; equal ones share the gradient."""
    return call("Amax", input, dim=_filled(input, dim), keepdim=keepdim)


def amin(input, dim=(), keepdim=False):
    """Return the smallest elements; equal ones share the gradient."""
    return call("Amin", input, dim=_filled(input, dim), keepdim=keepdim)


def _filled(input, dim):
    """Return dim counted from the front. Raises IndexError when there are no elements along it."""
    dim = _over(input, dim)
    dims = range(input.ndim) if dim is None else (dim,) if isinstance(dim, int) else dim
    if 0 in [input.array.shape[dim] for dim in dims]:
        raise IndexError(f"expected a reduction dim of non-zero size, got dim {dim} of shape {tuple(input.shape)}")
    return dim


def argmax(input, dim=None, keepdim=False):
    """Return the index of the largest element, flattened or along dim. int64."""
    return input._wrap(np.asarray(input.array.argmax(_filled(input, dim), keepdims=keepdim), np.int64))


def argmin(input, dim=None, keepdim=False):
    """Return the index of the smallest element, flattened or along dim. int64."""
    return input._wrap(np.asarray(input.array.argmin(_filled(input, dim), keepdims=keepdim), np.int64))


def all(input, dim=None, keepdim=False):
    """Return whether all elements are true (uint8 for uint8)."""
    return _truth(input, input.array.all(_over(input, dim), keepdims=keepdim))


def any(input, dim=None, keepdim=False):
    """Return whether any element is true (uint8 for uint8)."""
    return _truth(input, input.array.any(_over(input, dim), keepdims=keepdim))


def _truth(input, found):
    return input._wrap(np.asarray(found, np.uint8 if input.array.dtype == np.uint8 else np.bool_))


def count_nonzero(input, dim=None):
    """Return how many elements are not 0. int64."""
    return input._wrap(np.asarray(np.count_nonzero(input.array, _over(input, dim)), np.int64))


def var(input, dim=None, unbiased=True, keepdim=False, *, correction=None):
    """Return the variance: squared distances from the mean over n - correction; 1 unless unbiased is False.

    >>> tt.var(tt.tensor([1.0, 2.0, 3.0])), tt.var(tt.tensor([1.0, 2.0, 3.0]), correction=0)
    (tensor(1.), tensor(0.6667))
    """
    return _spread("Var", input, dim, unbiased, keepdim, correction)


def std(input, dim=None, unbiased=True, keepdim=False, *, correction=None):
    """Return the standard deviation, the square root of `var`."""
    return _spread("Std", input, dim, unbiased, keepdim, correction)


def var_mean(input, dim=None, unbiased=True, keepdim=False, *, correction=None):
    """Return (variance, mean)."""
    both = var(input, dim, unbiased, keepdim, correction=correction)
    return both, mean(input, None if isinstance(dim, bool) else dim, keepdim)


def std_mean(input, dim=None, unbiased=True, keepdim=False, *, correction=None):
    """Return (standard deviation, mean)."""
    both = std(input, dim, unbiased, keepdim, correction=correction)
    return both, mean(input, None if isinstance(dim, bool) else dim, keepdim)


def _spread(op, input, dim, unbiased, keepdim, correction):
    if isinstance(dim, bool):  # var(input, unbiased)
        dim, unbiased = None, dim
    if input.array.dtype.kind != "f":
        raise RuntimeError("std and var only support floating point dtypes")
    correction = int(unbiased) if correction is None else correction
    return call(op, input, dim=_over(input, dim), keepdim=keepdim, correction=correction)


def norm(input, p="fro", dim=None, keepdim=False, dtype=None):
    """Return (sum of |input|^p)^(1/p); "fro" is p = 2, inf gives the largest |element|, "nuc" the nuclear norm.

    >>> x = tt.tensor([[3.0, -4.0], [0.0, 1.0]])
    >>> tt.norm(x, dim=1), tt.norm(x, p=1)
    (tensor([5., 1.]), tensor(8.))
    """
    input = _cast(input, dtype)
    if p == "nuc":
        values = call("SingularValues", input.movedim(dim or (0, 1), (-2, -1))).sum(-1)
        return values if not keepdim else values[(..., *(None for _ in range(input.ndim - values.ndim)))]
    if input.array.dtype.kind != "f":
        raise RuntimeError(f"norm(): the dtype must be floating point, got {input.dtype}")
    return call("Norm", input, p=2.0 if p in ("fro", None) else float(p), dim=_over(input, dim), keepdim=keepdim)


def cdist(x1, x2, p=2.0, compute_mode=None):
    """Return the distances between each row of x1 (..., n, d) and each of x2 (..., m, d): (..., n, m)."""
    return norm(x1.unsqueeze(-2) - x2.unsqueeze(-3), p, dim=-1)


def cumsum(input, dim, *, dtype=None):
    """Return the sums of the elements so far, along dim.

    >>> tt.cumsum(tt.tensor([1, 2, 3]), dim=0)
    tensor([1, 3, 6])
    """
    dim = wrap_dim(dim, input.ndim)
    return call("CumSum", _cast(input, dtype), dim=dim) if input.ndim else sum(input, dtype=dtype)


def cumprod(input, dim, *, dtype=None):
    """Return the products of the elements so far, along dim."""
    dim = wrap_dim(dim, input.ndim)
    return call("CumProd", _cast(input, dtype), dim=dim) if input.ndim else prod(input, dtype=dtype)


def logsumexp(input, dim, keepdim=False):
    """Return log(sum of e ** input), without overflow.

    >>> tt.logsumexp(tt.tensor([1000.0, 1000.0]), dim=0)
    tensor(1000.6932)
    """
    input = input if input.is_floating_point() else input.to(float32)
    return call("LogSumExp", input, dim=_over(input, dim), keepdim=keepdim)


def sort(input, dim=-1, descending=False, stable=False):
    """Return the named tuple (values, indices) of the elements in order along dim. Always stable.

    >>> tt.sort(tt.tensor([3, 1, 2]), descending=True).values
    tensor([3, 2, 1])
    """
    return _ranked("sort", input, argsort(input, dim, descending), dim)


def argsort(input, dim=-1, descending=False, stable=False):
    """Return the indices that put the elements in order along dim. int64."""
    dim, array = wrap_dim(dim, input.ndim), np.atleast_1d(input.array)
    if not descending:
        order = np.argsort(array, dim, stable=True)
    else:  # sorted backwards from behind, so that equal ones keep their order and nan comes first
        order = array.shape[dim] - 1 - np.flip(np.argsort(np.flip(array, dim), dim, stable=True), dim)
    return input._wrap(order.reshape(input.array.shape))


def topk(input, k, dim=-1, largest=True, sorted=True):
    """Return the named tuple (values, indices) of the k largest (or smallest) elements along dim, in order.

    >>> values, indices = tt.topk(tt.tensor([3, 1, 2]), 2)
    >>> values, indices
    (tensor([3, 2]), tensor([0, 2]))
    """
    dim = wrap_dim(dim, input.ndim)
    if not 0 <= k <= (input.array.shape[dim] if input.ndim else 1):
        raise RuntimeError("selected index k out of range")
    order = argsort(input, dim, descending=largest)
    return _ranked("topk", input, order.narrow(dim, 0, k) if input.ndim else order, dim)


def median(input, dim=None, keepdim=False):
    """Return the middle element (of an even number the lower), or the named tuple (values, indices) along dim."""
    if dim is None:
        return median(input.reshape(-1), 0).values if input.numel() else mean(input)
    dim, order = wrap_dim(dim, input.ndim), argsort(input, dim)
    if input.ndim and not input.shape[dim]:
        raise IndexError(f"median(): Expected reduction dim {dim} to have non-zero size.")
    if input.ndim:
        n, nans = input.shape[dim], np.isnan(input.array).sum(dim, keepdims=True)
        order = order.gather(dim, input._wrap(np.where(nans, n - nans, (n - 1) // 2)))
    found = _ranked("median", input, order, dim)
    return found if keepdim or not input.ndim else type(found)(*(part.squeeze(dim) for part in found))


def _ranked(name, input, order, dim):
    if name != "sort" and input.array.dtype == np.bool_:
        raise NotImplementedError(f"{name} is not implemented for bools")
    return return_type(name)(input.gather(dim, order), order)


def unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None):
    """Return the different elements in order, (inverse: where each element is among them), (counts of each).

    >>> tt.unique(tt.tensor([3, 1, 3]), return_counts=True)
    (tensor([1, 3]), tensor([1, 2]))
    """
    found = np.unique(input.array, False, return_inverse, return_counts, dim, equal_nan=False)
    return tuple(map(input._wrap, found)) if isinstance(found, tuple) else input._wrap(found)


def bincount(input, weights=None, minlength=0):
    """Return how often each of 0, 1, 2, ... occurs, or the sum of its weights."""
    if input.ndim != 1 or input.array.dtype.kind not in "iu" or (input.array < 0).any():
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs")
    counts = np.bincount(input.array, None if weights is None else weights.array, minlength)
    return input._wrap(counts if weights is None else counts.astype(np.result_type(weights.array, np.float32)))


def matmul(input, other):
    """Return the matrix product, batched over leading dimensions. Raises RuntimeError when shapes do not fit.

    >>> tt.matmul(tt.tensor([[1, 2], [3, 4]]), tt.tensor([1, 10]))
    tensor([21, 43])
    """
    return call("MatMul", input, other)


def _product(name, dims, sentence):
    """Return the matrix product for tensors of just so many dimensions."""

    def function(input, other):
        if (input.ndim, other.ndim) != dims or (dims == (3, 3) and len(input) != len(other)):
            shapes = f"{tuple(input.shape)} and {tuple(other.shape)}"
            raise RuntimeError(f"{name}: expected {dims[0]}-D and {dims[1]}-D tensors that fit, got shapes {shapes}")
        return call("MatMul", input, other)

    function.__name__, function.__qualname__, function.__doc__ = name, name, sentence
    return function


mm = _product("mm", (2, 2), "Return the product of two matrices.")
bmm = _product("bmm", (3, 3), "Return the products of two batches of matrices, (b, n, k) and (b, k, m).")
mv = _product("mv", (2, 1), "Return the product of a matrix and a vector.")
dot = _product("dot", (1, 1), "Return the sum of the products of the elements of two vectors.")


def _added(name, product, sentence):
    def function(input, mat1, mat2, *, beta=1, alpha=1):
        out = product(mat1, mat2)
        out = out if alpha == 1 else out * alpha
        input = input.expand(out.shape)  # RuntimeError when it would be the larger
        return out if beta == 0 else out + (input if beta == 1 else input * beta)

    function.__name__, function.__qualname__, function.__doc__ = (
        name,
        name,
        f"Return beta * input + alpha * ({sentence}).",
    )
    return function


addmm = _added("addmm", mm, "mat1 @ mat2")
addmv = _added("addmv", mv, "mat @ vec")
baddbmm = _added("baddbmm", bmm, "batch1 @ batch2")


def outer(input, vec2):
    """Return the products of each element of a vector with each of another: (n,), (m,) -> (n, m)."""
    if input.ndim != 1 or vec2.ndim != 1:
        raise RuntimeError(f"outer: expected vectors, got shapes {tuple(input.shape)} and {tuple(vec2.shape)}")
    return input.unsqueeze(1) * vec2


ger = outer


def inner(input, other):
    """Return the sums of products over the last dimension of both."""
    return tensordot(input, other, ([-1], [-1])) if input.ndim and other.ndim else input * other


def trace(input):
    """Return the sum of the diagonal of a matrix. Raises RuntimeError for what is none."""
    if input.ndim != 2:
        raise RuntimeError(f"trace: expected a matrix, got shape {tuple(input.shape)}")
    return input.diagonal().sum()


def tensordot(a, b, dims=2):
    """Return the sums of products over the last dims of a and the first of b, or over (dims of a, dims of b)."""
    if isinstance(dims, int) and dims > builtins.min(a.ndim, b.ndim):
        raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
    left, right = (range(a.ndim - dims, a.ndim), range(dims)) if isinstance(dims, int) else dims
    sizes = [(a.shape[i], b.shape[j]) for i, j in zip(left, right, strict=False)]
    if len(left) != len(right) or [n for n, m in sizes if n != m and 1 not in (n, m)]:
        raise RuntimeError(
            f"tensordot: dims {list(left)} and {list(right)} of shapes {a.shape} and {b.shape} do not match"
        )
    names = list(string.ascii_letters[: a.ndim + b.ndim])
    terms = names[: a.ndim], names[a.ndim :]
    out = "".join(names)
    for i, j in zip(left, right, strict=True):
        out = out.replace(terms[0][i], "").replace(terms[1][j], "")
        terms[1][j] = terms[0][i]
    return call("Einsum", a, b, terms=["".join(term) for term in terms], out=out)


def einsum(equation, *operands):
    """Return sums of products, as the equation names the dimensions; what is not in the result is summed over.

    Spaces do not matter; "..." stands for dimensions without names. Raises RuntimeError for what does not fit.

    >>> tt.einsum("ij,jk->ik", tt.ones(2, 3), tt.ones(3, 5)).shape
    torch.Size([2, 5])
    >>> tt.einsum("ii", tt.tensor([[1, 2], [3, 4]]))
    tensor(5)
    """
    operands = tuple(operands[0]) if len(operands) == 1 and isinstance(operands[0], (list, tuple)) else operands
    left, arrow, out = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        raise RuntimeError(f"einsum(): {len(terms)} terms in {equation!r}, but {len(operands)} operands")
    free = [x.ndim - len(term.replace("...", "")) for term, x in zip(terms, operands, strict=True)]
    if [n for n, term in zip(free, terms, strict=True) if n < 0 or (n and "..." not in term)]:
        raise RuntimeError(f"einsum(): {equation!r} does not fit shapes {[tuple(x.shape) for x in operands]}")
    spare = "".join(name for name in string.ascii_letters if name not in equation)[: builtins.max(free)]
    terms = [term.replace("...", spare[len(spare) - n :]) for term, n in zip(terms, free, strict=True)]
    if not arrow:
        names = "".join(terms)
        out = spare + "".join(sorted(name for name in set(names) - set(spare) if names.count(name) == 1))
    return call("Einsum", *operands, terms=terms, out=out.replace("...", spare))

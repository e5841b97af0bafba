"""PyTorch's `linalg`, the part that there is: norms, singular values, products."""

import numpy as np

from ._reduce import matmul as matmul
from ._reduce import norm as _norm
from ._tensor_base import call
from .tensor import Function, MatMul


class SingularValues(Function):
    """out = the singular values of the matrices a = U diag(out) V.T, largest first.  dL/da = U diag(g) V.T."""

    def forward(ctx, a):
        ctx.left, out, ctx.right = np.linalg.svd(a, full_matrices=False)
        return out

    def backward(ctx, g):
        return MatMul.multiply(ctx.left * g[..., None, :], ctx.right)


def svdvals(A):
    """Return the singular values of matrices (..., n, m), largest first."""
    return call("SingularValues", A)


def vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None):
    """Return (sum of |x|^ord)^(1/ord) along dim, or of all elements.

    >>> tt.linalg.vector_norm(tt.tensor([3.0, 4.0]))
    tensor(5.)
    """
    return _norm(x, ord, dim, keepdim, dtype)


def matrix_norm(A, ord="fro", dim=(-2, -1), keepdim=False, *, dtype=None):
    """Return a norm of matrices: "fro", "nuc", 2 and -2 (of singular values), 1, -1, inf, -inf (of sums).

    >>> tt.linalg.matrix_norm(tt.tensor([[3.0, 0.0], [0.0, 4.0]]), 2)
    tensor(4.)
    """
    if ord == "fro":
        return _norm(A, 2, dim, keepdim, dtype)
    moved = A.movedim(dim, (-2, -1)) if dtype is None else A.to(dtype).movedim(dim, (-2, -1))
    values = svdvals(moved) if ord in ("nuc", 2, -2) else moved.abs().sum(-2 if ord in (1, -1) else -1)
    out = values.sum(-1) if ord == "nuc" else values.amax(-1) if ord > 0 else values.amin(-1)
    return out[..., None, None].movedim((-2, -1), dim) if keepdim else out


def norm(A, ord=None, dim=None, keepdim=False, *, dtype=None):
    """Return the norm of vectors (one dim) or of matrices (two); without ord that of all elements together.

    >>> tt.linalg.norm(tt.tensor([[3.0, 0.0], [0.0, 4.0]]))
    tensor(5.)
    """
    dims = tuple(range(A.ndim)) if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype=dtype)
    if len(dims) > 2:
        raise RuntimeError(f"linalg.norm: with ord, dim must name 1 or 2 dimensions, not {len(dims)}")
    return (
        matrix_norm(A, ord, dims, keepdim, dtype=dtype)
        if len(dims) == 2
        else vector_norm(A, ord, dims, keepdim, dtype=dtype)
    )

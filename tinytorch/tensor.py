"""Module 01, Tensor: numbers in a shape, and the seventeen operations that every later module is made of.

A Tensor holds a NumPy array. An operation is a class with a `forward` on arrays; `Function.apply` unwraps
tensors, calls it, wraps the result. In the gradients that docstrings name (for module 06), g is dL/dout.
"""

import functools
import math
from typing import Any

import numpy as np

from ._dtype import as_dtype, as_float, float32, int64, result_type
from ._tensor_base import Size, TensorBase, as_shape, split_index, wrap_dim, wrap_dims
from ._tensor_str import MaxResult, MinResult
from .graph import record


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


class Tensor(TensorBase):
    """Numbers of one dtype in a shape; `array` is the NumPy array that holds them."""

    def __init__(self, data, dtype=None, requires_grad=False):
        """Hold data in self.array: an array or a tensor (not copied), a number, or nested lists of numbers.

        Arrays and tensors keep their dtype. Python numbers become float32 if there is a float among them (or
        nothing at all), else int64 if there is an int, else bool. A given dtype goes before these rules.
        Raises ValueError for lists of unequal length, TypeError for what is not a number, RuntimeError when
        requires_grad is asked of ints or bools.
        """
        if isinstance(data, Tensor):
            data = data.array
        if dtype is None and not isinstance(data, (np.ndarray, np.generic)):
            data = np.array(data)
            dtype = {"f": float32, "i": int64}.get(data.dtype.kind)
        self.array = np.asarray(data, None if dtype is None else dtype.numpy)
        as_dtype(self.array.dtype)  # TypeError for strings, complex numbers, objects
        self.requires_grad = requires_grad  # RuntimeError for ints and bools

    def numel(self):
        """Return the number of elements.

        >>> tt.zeros(2, 3, 5).numel()
        30
        """
        return math.prod(self.shape)

    @property
    def nbytes(self):
        """Bytes that the elements take.

        >>> tt.zeros(2, 3, dtype=tt.float64).nbytes
        48
        """
        return self.numel() * self.dtype.itemsize

    def __add__(self, other):
        """Return self + other, a new tensor; other is a tensor or a number."""
        return Add.apply(self, other)

    def __sub__(self, other):
        return Sub.apply(self, other)

    def __rsub__(self, other):
        """Return other - self, which Python asks for when other, a number, cannot subtract a tensor."""
        return Sub.apply(other, self)

    def __mul__(self, other):
        return Mul.apply(self, other)

    def __truediv__(self, other):
        return Div.apply(self, other)

    def __rtruediv__(self, other):
        """Return other / self; other is a number."""
        return Div.apply(other, self)

    def __pow__(self, other):
        return Pow.apply(self, other)

    def __rpow__(self, other):
        return Pow.apply(other, self)

    def __neg__(self):
        return Neg.apply(self)

    def __matmul__(self, other):
        return MatMul.apply(self, other) if isinstance(other, Tensor) else NotImplemented

    def exp(self):
        """Return e to the power of each element."""
        return Exp.apply(self)

    def log(self):
        """Return the natural logarithm of each element."""
        return Log.apply(self)

    def sum(self, dim=None, keepdim=False):
        """Return the sum of all elements, or along dim (one or several)."""
        return Sum.apply(self, dim=wrap_dims(dim, self.ndim), keepdim=keepdim)

    def mean(self, dim=None, keepdim=False):
        """Return the mean of all elements, or along dim (one or several)."""
        return Mean.apply(self, dim=wrap_dims(dim, self.ndim), keepdim=keepdim)

    def max(self, dim=None, keepdim=False):
        """Return the largest element, or (values, indices) along dim."""
        values = Max.apply(self, dim=dim, keepdim=keepdim)
        return values if dim is None else MaxResult(values, self.argmax(dim, keepdim))

    def min(self, dim=None, keepdim=False):
        """Return the smallest element, or (values, indices) along dim."""
        values = Min.apply(self, dim=dim, keepdim=keepdim)
        return values if dim is None else MinResult(values, self.argmin(dim, keepdim))

    def reshape(self, *shape):
        """Return the elements in another shape: a view where memory allows it, else a copy."""
        return Reshape.apply(self, shape=as_shape(shape, lowest=-1))

    def view(self, *shape):
        """Return a tensor of another shape that shares this one's memory; one size may be -1.

        Raises RuntimeError when the number of elements differs, or when only a copy could have that shape.

        >>> tt.arange(6).view(2, -1)
        tensor([[0, 1, 2],
                [3, 4, 5]])
        """
        out = self.reshape(*shape)
        if out.numel() and not np.may_share_memory(out.array, self.array):
            raise RuntimeError(f"no view of shape {out.shape} with strides {self.stride()}: use reshape")
        return out

    def permute(self, *dims):
        """Return a view with the dimensions in the given order."""
        return Permute.apply(self, dims=as_shape(dims, lowest=None))

    def __getitem__(self, index):
        out = self
        for part in split_index(index):
            out = Index.apply(out, index=part)
        return out

    _promote = staticmethod(promote)  # what the base class needs from this file

    def _wrap(self, array):
        return Tensor(array)


class Function:
    """An operation; an instance, `ctx`, is one call of it and becomes a node of the graph.

    A subclass has `forward(ctx, *arrays, **options)`: NumPy arrays and Python numbers in, an array out.
    """

    forward: Any

    def __init__(self, **options):
        self.options = options

    @classmethod
    def apply(cls, *inputs, **options):
        """Run the operation on tensors and numbers and return the result as a Tensor.

        Make the node, `ctx = cls(**options)`. Put arrays in place of tensors; other inputs stay as they are.
        Call `cls.forward` with ctx, the arrays, the options. Wrap its result; `record(ctx, inputs, output)`.
        """
        ctx = cls(**options)
        arrays = [x.array if isinstance(x, Tensor) else x for x in inputs]
        output = Tensor(cls.forward(ctx, *arrays, **options))
        record(ctx, inputs, output)
        return output


class Add(Function):
    """out = a + b, broadcast.  dL/da = g, dL/db = g, each summed over the dimensions that were stretched."""

    def forward(ctx, a, b):
        """Return a + b in their common dtype."""
        a, b = promote(a, b)
        return a + b


class Sub(Function):
    """out = a - b, broadcast.  dL/da = g, dL/db = -g."""

    def forward(ctx, a, b):
        """Return a - b in their common dtype. Raises RuntimeError when a or b is bool, even beside a number."""
        if np.result_type(a) == np.bool_ or np.result_type(b) == np.bool_:
            raise RuntimeError("subtraction with a bool: convert it first, or use ^ or ~")
        a, b = promote(a, b)
        return a - b


class Mul(Function):
    """out = a * b element by element, broadcast.  dL/da = g * b, dL/db = g * a."""

    def forward(ctx, a, b):
        """Return a * b in their common dtype."""
        a, b = promote(a, b)
        return a * b


class Div(Function):
    """out = a / b, broadcast, always floats.  dL/da = g / b, dL/db = -g * out / b."""

    def forward(ctx, a, b):
        """Return a / b; ints and bools give float32. 1/0 is inf and 0/0 is nan, without a warning."""
        a, b = promote(a, b)
        with np.errstate(all="ignore"):
            return as_float(a) / as_float(b)


class Pow(Function):
    """out = a ** b, broadcast.  dL/da = g * b * a ** (b - 1), dL/db = g * out * log(a)."""

    def forward(ctx, a, b):
        """Return a ** b in their common dtype, no warnings. Raises RuntimeError for ints to negative ints."""
        a, b = promote(a, b)
        if a.dtype.kind != "f" and (b < 0).any():
            raise RuntimeError("Integers to negative integer powers are not allowed.")
        with np.errstate(all="ignore"):
            return a**b


class Neg(Function):
    """out = -a.  dL/da = -g."""

    def forward(ctx, a):
        """Return -a. Raises RuntimeError for bools."""
        if a.dtype == np.bool_:
            raise RuntimeError("a bool tensor has no negative: use ~")
        return -a


class Exp(Function):
    """out = e ** a, always floats.  dL/da = g * out."""

    def forward(ctx, a):
        """Return exp(a); ints and bools give float32. What is too large is inf, without a warning."""
        with np.errstate(all="ignore"):
            return np.exp(as_float(a))


class Log(Function):
    """out = natural logarithm of a, always floats.  dL/da = g / a."""

    def forward(ctx, a):
        """Return log(a); ints and bools give float32. log(0) is -inf, log(-1) is nan, without a warning."""
        with np.errstate(all="ignore"):
            return np.log(as_float(a))


class MatMul(Function):
    """out = a @ b, batched over leading dimensions (broadcast).

    a: (..., n, k), b: (..., k, m) -> (..., n, m).  dL/da = g @ b.T, dL/db = a.T @ g.
    A vector on the left counts as (1, k), on the right as (k, 1); the result then lacks that dimension.
    """

    multiply = np.matmul  # the one place where matrices are multiplied: module 17 puts its own kernel here

    def forward(ctx, a, b):
        """Return `ctx.multiply(a, b)`. Raises RuntimeError for two dtypes, and for shapes that do not fit."""
        if a.dtype != b.dtype:
            raise RuntimeError(f"matmul: expected one dtype, got {a.dtype} and {b.dtype}")
        try:
            return ctx.multiply(a, b)
        except ValueError:
            raise RuntimeError(f"shapes {a.shape} and {b.shape} cannot be multiplied") from None


class Sum(Function):
    """out = sum of a over dim.  dL/da = g stretched to a's shape."""

    def forward(ctx, a, dim=None, keepdim=False):
        """Return the sum over dim: None (all), an int or a tuple. Ints and bools add up in int64."""
        dtype = a.dtype if a.dtype.kind == "f" else np.int64
        return a.sum(axis=dim, dtype=dtype, keepdims=keepdim)


class Mean(Function):
    """out = mean of a over dim.  dL/da = g / (elements per mean), stretched to a's shape."""

    def forward(ctx, a, dim=None, keepdim=False):
        """Return the mean over dim (as in Sum) in a's dtype. Raises RuntimeError when that is not a float."""
        if a.dtype.kind != "f":
            raise RuntimeError(f"mean(): the dtype must be floating point, got {a.dtype}")
        return a.mean(axis=dim, keepdims=keepdim)


class Max(Function):
    """out = largest element of a over dim; nan counts as largest.  dL/da = g at the largest, 0 elsewhere."""

    def forward(ctx, a, dim=None, keepdim=False):
        """Return the largest values over dim (as in Sum). Raises RuntimeError when there are no elements."""
        if a.size == 0:
            raise RuntimeError("max(): the tensor has no elements")
        return a.max(axis=dim, keepdims=keepdim)


class Min(Max):
    """out = smallest element of a over dim.  dL/da as in Max."""

    def forward(ctx, a, dim=None, keepdim=False):
        if a.size == 0:
            raise RuntimeError("min(): the tensor has no elements")
        return a.min(axis=dim, keepdims=keepdim)


class Reshape(Function):
    """out = the elements of a, in order, in another shape.  dL/da = g in a's shape."""

    def forward(ctx, a, shape):
        """Return a in this shape, a view if possible; a size may be -1. Raises RuntimeError if none fits."""
        try:
            return a.reshape(shape)
        except ValueError:
            raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {a.size}") from None


class Permute(Function):
    """out = a view of a with its dimensions in another order.  dL/da = g, permuted back."""

    def forward(ctx, a, dims):
        """Return a with dimension dims[0] first, and so on. Raises RuntimeError unless dims has each once."""
        if sorted(wrap_dim(dim, a.ndim) for dim in dims) != list(range(a.ndim)):
            raise RuntimeError(f"permute: {dims} does not name each of the {a.ndim} dimensions once")
        return a.transpose(dims)


class Index(Function):
    """out = a[index].  dL/da = zeros with g added at index."""

    def forward(ctx, a, index):
        """Return a[index], index a tuple. Ints and slices give a view, even of one element; arrays a copy."""
        if not any(item is Ellipsis for item in index):
            index = (*index, ...)  # a[0, ...] is a view with no dimensions where a[0] would be a number
        return a[index]


class Cat(Function):
    """out = arrays joined along dim.  dL/d(each array) = its own part of g."""

    def forward(ctx, *arrays, dim=0):
        """Return the arrays joined along dim, in one dtype. Raises RuntimeError when other sizes differ."""
        dtype = functools.reduce(promote_types, [as_dtype(a.dtype) for a in arrays]).numpy
        dim = wrap_dim(dim, arrays[0].ndim)
        try:
            return np.concatenate(arrays, axis=dim, dtype=dtype)
        except ValueError:
            shapes = " and ".join(str(a.shape) for a in arrays)
            raise RuntimeError(f"cat: sizes must match except in dimension {dim}, got {shapes}") from None


class Where(Function):
    """out = a where condition, else b, all broadcast.  dL/da = g where condition, dL/db = g elsewhere."""

    def forward(ctx, condition, a, b):
        """Return elements of a or b, in their common dtype. Raises RuntimeError if condition is not bool."""
        if condition.dtype != np.bool_:
            raise RuntimeError(f"where: the condition must be a boolean tensor, got {condition.dtype}")
        a, b = promote(a, b)
        broadcast_shapes(condition.shape, a.shape, b.shape)
        return np.where(condition, a, b)

"""Module 01, Tensor: numbers in a shape, and the seventeen operations that every later module is made of.

A Tensor holds a NumPy array. An operation is a class with `forward` on arrays (and `backward`, module 06: g is
dL/dout); `Function.apply` unwraps tensors, calls it, wraps the result.
"""

import functools
import math
from typing import Any

import numpy as np

from ._dtype import as_dtype, as_float, float32, int64
from ._tensor_base import OPS, split_index, view_of, wrap_dim
from ._tensor_methods import TensorMethods
from .graph import Node, record
from .shapes import broadcast_shapes, contiguous_strides, matmul_loops, promote, promote_types, restore_dims  # noqa: F401 (for answers that use them)


class Tensor(TensorMethods):
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

    def __neg__(self):
        return Neg.apply(self)

    def __matmul__(self, other):
        return MatMul.apply(self, other) if isinstance(other, Tensor) else NotImplemented

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

    def __getitem__(self, index):
        return functools.reduce(lambda x, part: view_of(Index.apply(x, index=part), x), split_index(index), self)

    def _wrap(self, array):
        return Tensor(array)


class Function(Node):
    """An operation; an instance, `ctx`, is one call of it and becomes a node of the graph.

    A subclass has `forward(ctx, *arrays, **options)`, NumPy arrays and Python numbers in, an array out, and
    `backward(ctx, g)`, the gradient of its output in, that of each input out (None for none).
    """

    forward: Any

    def __init_subclass__(cls):
        if cls.__module__.startswith(__package__):
            OPS[cls.__name__] = cls  # so that files before this one can call it by name

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

    def backward(ctx, g):
        """Return the gradients of a and b. The engine calls `unbroadcast` on each."""
        return g, g


class Sub(Function):
    """out = a - b, broadcast.  dL/da = g, dL/db = -g."""

    def forward(ctx, a, b):
        """Return a - b in their common dtype. Raises RuntimeError when a or b is bool, even beside a number."""
        if np.result_type(a) == np.bool_ or np.result_type(b) == np.bool_:
            raise RuntimeError("subtraction with a bool: convert it first, or use ^ or ~")
        a, b = promote(a, b)
        return a - b

    def backward(ctx, g):
        """Return the gradients of a and b."""
        return g, -g


class Mul(Function):
    """out = a * b element by element, broadcast.  dL/da = g * b, dL/db = g * a."""

    saves = "inputs"
    needs = ((1,), (0,))  # of which inputs each gradient is made

    def forward(ctx, a, b):
        """Return a * b in their common dtype."""
        a, b = promote(a, b)
        return a * b

    def backward(ctx, g):
        """Return the gradients of a and b. `ctx.inputs` are what forward got."""
        a, b = ctx.inputs
        return g * b, g * a


class Div(Function):
    """out = a / b, broadcast, always floats.  dL/da = g / b, dL/db = -g * out / b."""

    saves = "inputs"
    needs = ((1,), (0, 1))

    def forward(ctx, a, b):
        """Return a / b; ints and bools give float32. 1/0 is inf and 0/0 is nan, without a warning."""
        a, b = promote(a, b)
        with np.errstate(all="ignore"):
            return as_float(a) / as_float(b)

    def backward(ctx, g):
        """Return the gradients of a and b. `ctx.inputs` are what forward got."""
        a, b = ctx.inputs
        return g / b, -g * (a / b) / b


class Pow(Function):
    """out = a ** b, broadcast.  dL/da = g * b * a ** (b - 1), dL/db = g * out * log(a).

    Ints to negative ints: PyTorch refuses numbers as we do, but gives 0 where the exponent is a tensor.
    """

    saves = "inputs"

    def forward(ctx, a, b):
        """Return a ** b in their common dtype, no warnings. Raises RuntimeError for ints to negative ints."""
        a, b = promote(a, b)
        if a.dtype.kind != "f" and (b < 0).any():
            raise RuntimeError("Integers to negative integer powers are not allowed.")
        with np.errstate(all="ignore"):
            return (a**b).astype(a.dtype, copy=False)  # NumPy makes small ints of bools

    def backward(ctx, g):
        """Return the gradients of a and b, None for one that `ctx.needs_input_grad` does not ask for.

        Where b is 0, that of a is 0; where a is 0 and b is not negative, that of b is 0: never nan.
        """
        (a, b), (for_a, for_b) = ctx.inputs, ctx.needs_input_grad
        ga = np.where(np.equal(b, 0), 0, g * b * as_float(np.asarray(a)) ** (b - 1)) if for_a else None
        gb = np.where(np.equal(a, 0) & np.greater_equal(b, 0), 0, g * a**b * np.log(a)) if for_b else None
        return ga, gb


class Neg(Function):
    """out = -a.  dL/da = -g."""

    def forward(ctx, a):
        """Return -a. Raises RuntimeError for bools."""
        if a.dtype == np.bool_:
            raise RuntimeError("a bool tensor has no negative: use ~")
        return -a

    def backward(ctx, g):
        """Return the gradient of a."""
        return -g


class Exp(Function):
    """out = e ** a, always floats.  dL/da = g * out."""

    saves = "output"

    def forward(ctx, a):
        """Return exp(a); ints and bools give float32. What is too large is inf, without a warning."""
        with np.errstate(all="ignore"):
            return np.exp(as_float(a))

    def backward(ctx, g):
        """Return the gradient of a. `ctx.output` is what forward returned."""
        return g * ctx.output


class Log(Function):
    """out = natural logarithm of a, always floats.  dL/da = g / a."""

    saves = "inputs"

    def forward(ctx, a):
        """Return log(a); ints and bools give float32. log(0) is -inf, log(-1) is nan, without a warning."""
        with np.errstate(all="ignore"):
            return np.log(as_float(a))

    def backward(ctx, g):
        """Return the gradient of a. `ctx.inputs` holds a."""
        (a,) = ctx.inputs
        return g / a


class MatMul(Function):
    """out = a @ b, batched over leading dimensions (broadcast).

    a: (..., n, k), b: (..., k, m) -> (..., n, m).  dL/da = g @ b.T, dL/db = a.T @ g.
    A vector on the left counts as (1, k), on the right as (k, 1); the result then lacks that dimension.
    """

    saves = "inputs"
    needs = ((1,), (0,))

    multiply = staticmethod(np.matmul)  # the one place where matrices are multiplied: module 17 has its own kernel

    def forward(ctx, a, b):
        """Return `ctx.multiply(a, b)`. Raises RuntimeError for two dtypes, and for shapes that do not fit."""
        if a.dtype != b.dtype:
            raise RuntimeError(f"matmul: expected one dtype, got {a.dtype} and {b.dtype}")
        try:
            return ctx.multiply(a, b)
        except ValueError:
            raise RuntimeError(f"shapes {a.shape} and {b.shape} cannot be multiplied") from None

    def backward(ctx, g):
        """Return the gradients of a and b, None for one that `ctx.needs_input_grad` does not ask for.

        Multiplies by `ctx.multiply`. Vectors and batches as in the docstring of the class.
        """
        a, b = ctx.inputs
        g = g if b.ndim > 1 else g[..., None]
        g = g if a.ndim > 1 else g[..., None, :]
        rows, columns = np.atleast_2d(a), b if b.ndim > 1 else b[:, None]
        ga = ctx.multiply(g, columns.swapaxes(-1, -2)) if ctx.needs_input_grad[0] else None
        gb = None
        if ctx.needs_input_grad[1]:
            if columns.ndim == 2 < rows.ndim and rows.size:  # one product over all rows, not one for each matrix
                rows, g = (x.reshape(math.prod(x.shape[:-1]), x.shape[-1]) for x in (rows, g))
            gb = ctx.multiply(rows.swapaxes(-1, -2), g)
            gb = gb if b.ndim > 1 else gb[..., 0]
        return ga, gb


class Sum(Function):
    """out = sum of a over dim.  dL/da = g stretched to a's shape."""

    def forward(ctx, a, dim=None, keepdim=False):
        """Return the sum over dim: None (all), an int or a tuple. Ints and bools add up in int64."""
        dtype = a.dtype if a.dtype.kind == "f" else np.int64
        return a.sum(axis=dim, dtype=dtype, keepdims=keepdim)

    def backward(ctx, g):
        """Return the gradient of a, of shape `ctx.shapes[0]`. `ctx.options` are dim and keepdim."""
        return np.broadcast_to(restore_dims(g, ctx.shapes[0], **ctx.options), ctx.shapes[0])


class Mean(Function):
    """out = mean of a over dim.  dL/da = g / (elements per mean), stretched to a's shape."""

    def forward(ctx, a, dim=None, keepdim=False):
        """Return the mean over dim (as in Sum) in a's dtype. Raises RuntimeError when that is not a float."""
        if a.dtype.kind != "f":
            raise RuntimeError(f"mean(): the dtype must be floating point, got {a.dtype}")
        return a.mean(axis=dim, keepdims=keepdim)

    def backward(ctx, g):
        """Return the gradient of a, of shape `ctx.shapes[0]`. `ctx.options` are dim and keepdim."""
        (shape,) = ctx.shapes
        count = math.prod(shape) / max(g.size, 1)
        return np.broadcast_to(restore_dims(g, shape, **ctx.options) / count, shape)


class Max(Function):
    """out = largest element of a over dim; nan counts as largest.  dL/da = g at the largest, 0 elsewhere."""

    saves = "inputs"
    find = staticmethod(np.argmax)

    def forward(ctx, a, dim=None, keepdim=False):
        """Return the largest values over dim (as in Sum). Raises RuntimeError when there are no elements."""
        if a.size == 0 and dim is None:
            raise RuntimeError("max(): the tensor has no elements")
        return a.max(axis=dim, keepdims=keepdim)

    def backward(ctx, g):
        """Return the gradient of a (`ctx.inputs`). Over all, equal largest ones share g; over dim, the first has it."""
        (a,), dim = ctx.inputs, ctx.options["dim"]
        if dim is None:  # those that share the largest value share the gradient
            largest = (a == a.flat[ctx.find(a)]) | (np.isnan(a) & np.isnan(a).any())
            return g * largest / largest.sum()
        out = np.zeros_like(a)
        place = np.expand_dims(ctx.find(a, axis=dim), dim) if a.ndim else np.array(0)
        np.put_along_axis(out, place, restore_dims(g, a.shape, **ctx.options), axis=dim)
        return out


class Reshape(Function):
    """out = the elements of a, in order, in another shape.  dL/da = g in a's shape."""

    def forward(ctx, a, shape):
        """Return a in this shape, a view if possible; a size may be -1. Raises RuntimeError if none fits."""
        try:
            return a.reshape(shape)
        except ValueError:
            raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {a.size}") from None

    def backward(ctx, g):
        """Return the gradient of a, of shape `ctx.shapes[0]`."""
        return g.reshape(ctx.shapes[0])


class Permute(Function):
    """out = a view of a with its dimensions in another order.  dL/da = g, permuted back."""

    def forward(ctx, a, dims):
        """Return a with dimension dims[0] first, and so on. Raises RuntimeError unless dims has each once."""
        if sorted(wrap_dim(dim, a.ndim) for dim in dims) != list(range(a.ndim)):
            raise RuntimeError(f"permute: {dims} does not name each of the {a.ndim} dimensions once")
        return a.transpose(dims)

    def backward(ctx, g):
        """Return the gradient of a. `ctx.options['dims']` is the order that forward used."""
        dims = [dim % g.ndim for dim in ctx.options["dims"]]
        return g.transpose(np.argsort(dims))


class Index(Function):
    """out = a[index].  dL/da = zeros with g added at index."""

    def forward(ctx, a, index):
        """Return a[index], index a tuple. Ints and slices give a view, even of one element; arrays a copy."""
        if not any(item is Ellipsis for item in index):
            index = (*index, ...)  # a[0, ...] is a view with no dimensions where a[0] would be a number
        return a[index]

    def backward(ctx, g):
        """Return the gradient of a; what was taken twice gets both gradients. `ctx.options['index']`, a tuple."""
        index, out = ctx.options["index"], np.zeros(ctx.shapes[0], g.dtype)
        if any(isinstance(item, np.ndarray) and item.dtype != np.bool_ for item in index):
            np.add.at(out, index, g)  # an element that was taken twice gets both gradients
        else:
            out[index] = g
        return out


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

    def backward(ctx, g):
        """Return the gradient of each array, a tuple. `ctx.shapes` are all shapes; `ctx.options.get("dim", 0)`."""
        dim = wrap_dim(ctx.options.get("dim", 0), g.ndim)
        ends = np.cumsum([shape[dim] for shape in ctx.shapes])[:-1]
        return tuple(np.split(g, ends, axis=dim))


class Where(Function):
    """out = a where condition, else b, all broadcast.  dL/da = g where condition, dL/db = g elsewhere."""

    saves = "inputs"
    needs = ((), (0,), (0,))

    def forward(ctx, condition, a, b):
        """Return elements of a or b, in their common dtype. Raises RuntimeError if condition is not bool."""
        if condition.dtype != np.bool_:
            raise RuntimeError(f"where: the condition must be a boolean tensor, got {condition.dtype}")
        a, b = promote(a, b)
        broadcast_shapes(condition.shape, a.shape, b.shape)
        return np.where(condition, a, b)

    def backward(ctx, g):
        """Return None for the condition and the gradients of a and b. `ctx.inputs` holds all three."""
        condition = ctx.inputs[0]
        return None, np.where(condition, g, 0), np.where(condition, 0, g)

"""The given methods of Tensor that run operations, and the rules for changing a tensor in place."""

import numpy as np

from . import graph
from ._dtype import as_dtype, device, dtype
from ._tensor_base import OPS, TensorBase, as_shape, call, split_index, view_of, wrap_dim, wrap_dims
from ._tensor_str import MaxResult, MinResult


def in_place(operation):
    """Return a method that runs `operation(tensor, ...)` and puts the result where the tensor's numbers were."""

    def method(self, *args, **options):
        return self._keep(operation(self._source(*args), *args, **options))

    method.__name__ = method.__qualname__ = f"{operation.__name__}_"
    method.__doc__ = f"Do `{operation.__name__}` in place and return the tensor itself."
    return method


class TensorMethods(TensorBase):
    """What Tensor has beyond the exercises: operations as methods, in-place variants, conversions."""

    def exp(self):
        """Return e to the power of each element."""
        return call("Exp", self)

    def log(self):
        """Return the natural logarithm of each element."""
        return call("Log", self)

    def sum(self, dim=None, keepdim=False):
        """Return the sum of all elements, or along dim (one or several)."""
        return call("Sum", self, dim=wrap_dims(dim, self.ndim), keepdim=keepdim)

    def mean(self, dim=None, keepdim=False):
        """Return the mean of all elements, or along dim (one or several)."""
        return call("Mean", self, dim=wrap_dims(dim, self.ndim), keepdim=keepdim)

    def max(self, dim=None, keepdim=False):
        """Return the largest element, or (values, indices) along dim."""
        values = call("Max", self, dim=dim, keepdim=keepdim)
        return values if dim is None else MaxResult(values, self.argmax(dim, keepdim))

    def min(self, dim=None, keepdim=False):
        """Return the smallest element, or (values, indices) along dim."""
        values = call("Min", self, dim=dim, keepdim=keepdim)
        return values if dim is None else MinResult(values, self.argmin(dim, keepdim))

    def reshape(self, *shape):
        """Return the elements in another shape: a view where memory allows it, else a copy."""
        return view_of(call("Reshape", self, shape=as_shape(shape, lowest=-1)), self)

    def permute(self, *dims):
        """Return a view with the dimensions in the given order."""
        return view_of(call("Permute", self, dims=as_shape(dims, lowest=None)), self)

    def detach(self):
        """Return a tensor that shares memory with this one and is no part of a graph."""
        out = self._wrap(self.array)
        out._version_cell = self.version_cell()
        return out

    @property
    def data(self):
        """The same memory without the graph, and without its guard against changes in place."""
        return self._wrap(self.array)

    @data.setter
    def data(self, value):
        self.array = value.array

    def clone(self):
        """Return a copy.

        >>> x = tt.tensor([1, 2])
        >>> y = x.clone().fill_(7)
        >>> x, y
        (tensor([1, 2]), tensor([7, 7]))
        """
        return call("Clone", self)

    def contiguous(self):
        """Return this tensor, or a copy in row order when its elements lie in another.

        >>> tt.zeros(2, 3).T.contiguous().stride()
        (2, 1)
        """
        return self if self.is_contiguous() else call("Clone", self, order="C")

    def to(self, *args, dtype=None, device=None, copy=False, non_blocking=False):
        """Return this tensor, or a copy converted to another dtype: to(dtype), to(device), to(device, dtype), to(other).

        >>> tt.tensor([1.9, -1.9]).to(tt.int64)
        tensor([ 1, -1])
        """
        for arg in args:
            kind, place = _target(arg)
            dtype, device = kind or dtype, place or device
        if device is not None:
            _target(device)  # RuntimeError for any but the CPU
        wanted = self.dtype if dtype is None else as_dtype(dtype)
        if wanted is not self.dtype:
            return call("Cast", self, dtype=wanted)
        return self.clone() if copy else self

    def transpose(self, dim0, dim1):
        """Return a view with two dimensions swapped.

        >>> tt.zeros(2, 3, 5).transpose(0, -1).shape
        torch.Size([5, 3, 2])
        """
        dims = list(range(self.ndim))
        a, b = wrap_dim(dim0, self.ndim), wrap_dim(dim1, self.ndim)
        if dims:
            dims[a], dims[b] = dims[b], dims[a]
        return self.permute(dims)

    @property
    def T(self):
        """A view with the dimensions in reverse order."""
        return self.permute(list(range(self.ndim))[::-1])

    def unsqueeze(self, dim):
        """Return a view with a new dimension of size 1 at dim.

        >>> tt.zeros(2, 3).unsqueeze(1).shape
        torch.Size([2, 1, 3])
        """
        dim = wrap_dim(dim, self.ndim + 1)
        return self.reshape(*self.shape[:dim], 1, *self.shape[dim:])

    def squeeze(self, dim=None):
        """Return a view without the dimensions of size 1, or without dim if its size is 1.

        >>> tt.zeros(1, 3, 1).squeeze().shape
        torch.Size([3])
        """
        drop = range(self.ndim) if dim is None else [wrap_dim(dim, self.ndim)]
        return self.reshape([size for i, size in enumerate(self.shape) if size != 1 or i not in drop])

    # Changes in place. A graph that is being recorded gets the operation as if it made a new tensor.

    def _source(self, *others):
        """Return what an operation in place reads: this tensor or, when it is recorded, a copy of its numbers.

        Raises RuntimeError for a leaf that requires grad, and for a view of one, in grad mode.
        """
        if not graph.is_grad_enabled():
            return self
        for tensor, what in ((self, "a leaf"), (self._base, "a view of a leaf")):
            if tensor is not None and tensor.requires_grad and tensor.is_leaf:
                raise RuntimeError(f"{what} Variable that requires grad is being used in an in-place operation.")
        if not self.requires_grad and not any(isinstance(x, TensorBase) and x.requires_grad for x in others):
            return self
        source = self._wrap(self.array.copy("K"))
        source.grad_fn, source.output_nr, source._requires_grad = self.grad_fn, self.output_nr, self._requires_grad
        return source

    def _keep(self, result):
        """Put the numbers of result, and its place in the graph, into this tensor, and return it."""
        if result.dtype.category > self.dtype.category:
            raise RuntimeError(f"result type {result.dtype} can't be cast to the desired output type {self.dtype}")
        if result.shape != self.shape:
            raise RuntimeError(f"output with shape {list(self.shape)} doesn't match the broadcast shape {list(result.shape)}")
        self._write(..., result.array)
        if result.requires_grad:
            result = result.to(self.dtype)
            self.grad_fn, self.output_nr, self._requires_grad = result.grad_fn, result.output_nr, True
            if self._base is not None:
                base, part = self._base.array, self.array
                start = part.ctypes.data - base.ctypes.data
                layout = (base.strides, part.shape, part.strides, start, base.itemsize)
                graph.record(OPS["CopySlices"](layout=layout), (self._base, self), self._base)
        return self

    def _write(self, index, values):
        array = self.array
        if not array.flags.writeable or (0 in array.strides and array.size > 1):
            raise RuntimeError("more than one element of the written-to tensor refers to a single memory location: clone() it")
        with np.errstate(all="ignore"):
            array[index] = values
        self.bump_version()

    def __setitem__(self, index, value):
        self._source()  # RuntimeError for a leaf that requires grad
        parts = split_index(index)
        if graph.is_grad_enabled() and (self.requires_grad or getattr(value, "requires_grad", False)):
            self._keep(call("IndexPut", self._source(value), value, index=parts))
            return
        array = self.array
        for part in parts[:-1]:
            array = array[part]
        try:
            array[parts[-1]] = value.array if isinstance(value, TensorBase) else value
        except ValueError as error:
            raise RuntimeError(str(error)) from None
        self.bump_version()

    def fill_(self, value):
        """Set every element to value, in place."""
        return self._keep(call("Fill", self._source(), value=value.item() if isinstance(value, TensorBase) else value))

    def zero_(self):
        """Set every element to 0, in place."""
        return self.fill_(0)

    def copy_(self, source, non_blocking=False):
        """Copy the elements of source (broadcast, converted to this dtype) into this tensor's memory."""
        self[...] = source
        return self

    add_ = in_place(lambda input, other, alpha=1: input + (other if alpha == 1 else other * alpha))
    sub_ = in_place(lambda input, other, alpha=1: input - (other if alpha == 1 else other * alpha))
    mul_ = in_place(lambda input, other: input * other)
    div_ = in_place(lambda input, other: input / other)
    pow_ = in_place(lambda input, exponent: input**exponent)
    __iadd__, __isub__, __imul__, __itruediv__, __ipow__ = add_, sub_, mul_, div_, pow_

    # The graph.

    def retain_grad(self):
        """Let this tensor keep its gradient in `.grad` though it is no leaf."""
        graph.retain_grad(self)

    def register_hook(self, hook):
        """Call hook(gradient) with each gradient that reaches this tensor; a tensor it returns goes on instead."""
        return graph.add_hook(self, hook)

    def detach_(self):
        """Cut this tensor out of its graph, in place."""
        self.grad_fn, self.output_nr, self._requires_grad = None, 0, False
        return self


def _target(arg):
    """Return (dtype, device), one of them None, that an argument of `Tensor.to` names."""
    if isinstance(arg, TensorBase):
        return arg.dtype, None
    if isinstance(arg, (str, device)):
        return None, device(arg)
    if isinstance(arg, (bool, int)) and not isinstance(arg, type):
        return None, None  # to(device, dtype, non_blocking, copy)
    return as_dtype(arg) if isinstance(arg, (dtype, type)) else None, None

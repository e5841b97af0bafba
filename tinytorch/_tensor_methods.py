"""The given methods of Tensor that run operations, and the rules for changing a tensor in place."""

import numpy as np

from . import graph
from ._backward import backward
from ._dtype import as_dtype, check_device, device, dtype
from ._tensor_aliases import TensorAliases
from ._tensor_base import OPS, TensorBase, call, split_index
from .shapes import promote


class TensorMethods(TensorAliases):
    """What Tensor has beyond the exercises: it is copied, converted, changed in place, and part of a graph."""

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

    def to(self, *args, dtype=None, device=None, copy=False, non_blocking=False):
        """Return this tensor, or a copy of another dtype: to(dtype), to(device), to(device, dtype), to(other tensor).

        >>> tt.tensor([1.9, -1.9]).to(tt.int64)
        tensor([ 1, -1])
        """
        for arg in args:
            kind, place = _target(arg)
            dtype, device = kind or dtype, place or device
        check_device(device)
        wanted = self.dtype if dtype is None else as_dtype(dtype)
        if wanted is not self.dtype:
            return call("Cast", self, dtype=wanted)
        return self.clone() if copy else self

    _promote = staticmethod(promote)  # what the base class needs from a later file

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
            raise RuntimeError(
                f"output with shape {list(self.shape)} doesn't match the broadcast shape {list(result.shape)}"
            )
        self._write(..., result.array)
        if result.requires_grad:
            result = result.to(self.dtype)
            self.grad_fn, self.output_nr, self._requires_grad = result.grad_fn, result.output_nr, True
            if self._base is None:
                self._history += 1
            else:
                graph.record(OPS["CopySlices"](layout=self._layout()), (self._base, self), self._base)
                self._base._history += 1
                self._seen = self._base._history
        return self

    def _layout(self):
        """Where a view lies in its base: strides of the base, shape, strides, start in bytes, bytes per element."""
        base, part = self._base.array, self.array
        return base.strides, part.shape, part.strides, part.ctypes.data - base.ctypes.data, base.itemsize

    def _follow(self):
        """Give a view its place in the graph again after its base, or another view of it, was changed in place."""
        self._seen = self._base._history
        before, graph.GradMode.enabled = graph.GradMode.enabled, True
        try:
            graph.record(OPS["AsStrided"](layout=self._layout()), (self._base,), self)
        finally:
            graph.GradMode.enabled = before

    def _write(self, index, values):
        array = self.array
        if not array.flags.writeable or (0 in array.strides and array.size > 1):
            raise RuntimeError(
                "more than one element of the written-to tensor refers to a single memory location: clone() it"
            )
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

    # The graph.

    def backward(self, gradient=None, retain_graph=False, create_graph=False, inputs=None):
        """Add the gradient of this tensor with respect to each leaf behind it to the leaf's `.grad`.

        gradient: of this tensor's shape; 1 where it has one element. inputs: leaves that alone get gradients. The
        graph is freed unless retain_graph. Raises RuntimeError when nothing requires grad, and for create_graph.

        >>> x = tt.tensor([1.0, 2.0], requires_grad=True)
        >>> (x * x).sum().backward()
        >>> x.grad
        tensor([2., 4.])
        """
        backward([self], [gradient], retain_graph, create_graph, inputs)

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

"""The given part of Tensor: it describes, converts, compares and changes the array that a tensor holds."""

import math
import operator
from typing import Any

import numpy as np

from ._dtype import as_dtype, device
from ._tensor_str import tensor_str


class Size(tuple):
    """The shape of a tensor: a tuple of ints that prints as PyTorch's.

    >>> tt.zeros(2, 3).shape
    torch.Size([2, 3])
    >>> tt.zeros(2, 3).shape[1:].numel()
    3
    """

    def __repr__(self):
        return f"torch.Size({list(self)})"

    def __getitem__(self, index):
        part = super().__getitem__(index)
        return Size(part) if isinstance(index, slice) else part

    def __add__(self, other):
        return Size((*self, *other))

    def __radd__(self, other):
        return Size((*other, *self))

    def numel(self):
        """Return the number of elements of a tensor of this shape."""
        return math.prod(self)


OPS: dict[str, Any] = {}  # name -> class of the operation; each enters as it is defined


def call(name, *inputs, **options):
    """Run the operation of this name, which may be defined in a later file, on tensors and numbers."""
    return OPS[name].apply(*inputs, **options)


def as_shape(sizes, lowest=0):
    """Return the sizes of a call f(2, 3), f((2, 3)) or f([2, 3]) as a tuple of ints.

    Raises TypeError for sizes that are not ints, RuntimeError for a size below lowest.
    """
    if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)):
        sizes = sizes[0]
    shape = tuple(operator.index(size) for size in sizes)
    if lowest is not None and min(shape, default=0) < lowest:
        raise RuntimeError(f"size {min(shape)} is too small in shape {list(shape)}")
    return shape


def wrap_dim(dim, ndim):
    """Return dim counted from the front (-1 is the last of ndim). Raises IndexError when there is none such.

    A 0-d tensor accepts 0 and -1, as in PyTorch.
    """
    count = max(ndim, 1)
    if not -count <= dim < count:
        span = f"[{-count}, {count - 1}]"
        raise IndexError(f"Dimension out of range (expected to be in range of {span}, but got {dim})")
    return dim % count


def wrap_dims(dims, ndim):
    """Return dims counted from the front: an int for one, a tuple for several, None for none or ()."""
    if dims is None or isinstance(dims, int):
        return dims if dims is None else wrap_dim(dims, ndim)
    wrapped = tuple(wrap_dim(dim, ndim) for dim in dims)
    if len(set(wrapped)) < len(wrapped):
        raise RuntimeError(f"a dim appears multiple times in the list of dims {tuple(dims)}")
    return wrapped or None


def split_index(index):
    """Return an index as tuples to be applied one after the other, free of tensors.

    NumPy treats ints beside index arrays as arrays too; PyTorch takes the ints first, and so do we.
    Raises ValueError for a slice that runs backwards.
    """
    items = [index_item(item) for item in (index if isinstance(index, tuple) else (index,))]
    kinds = {type(item) for item in items}
    if not {int, np.ndarray} <= kinds:
        return [tuple(items)]
    basic: list[Any] = []
    advanced: list[Any] = []
    for item in items:
        if isinstance(item, np.ndarray):
            basic += [slice(None)] * (item.ndim if item.dtype == np.bool_ else 1)
            advanced.append(item)
        else:
            basic.append(item)
            if not isinstance(item, int):
                advanced.append(item if item is Ellipsis else slice(None))
    return [tuple(basic), tuple(advanced)]


def index_item(item):
    """Return one item of an index as an int, slice, None, Ellipsis or array."""
    if isinstance(item, slice) and item.step is not None and item.step <= 0:
        raise ValueError("step must be greater than zero")
    if isinstance(item, TensorBase):
        item = item.array
    elif isinstance(item, (list, bool)):
        item = np.asarray(item, None if item != [] else np.int64)
    is_int = isinstance(item, np.ndarray) and item.ndim == 0 and item.dtype.kind in "iu"
    return int(item) if is_int or isinstance(item, np.integer) else item


def view_of(view, base):
    """Return view, marked as sharing base's memory (and its count of changes) if it does."""
    if view is not base and (not view.array.size or np.may_share_memory(view.array, base.array)):
        view._base = base if base._base is None else base._base
        view._seen = view._base._history
        view._version_cell = base.version_cell()
    return view


class TensorBase:
    """The given part of Tensor: what needs only `self.array`, or only operators and methods of Tensor."""

    array: np.ndarray
    permute: Any  # these are Tensor's
    reshape: Any
    __getitem__: Any
    _promote: Any
    _wrap: Any
    _grad: Any = None
    _grad_fn: Any = None
    output_nr = 0  # which of the node's outputs it is
    hooks: tuple = ()  # of a leaf: (0, function from gradient to gradient)
    keepers: tuple = ()  # a leaf has none
    _requires_grad = False
    _base: Any = None  # the tensor whose memory this one is a view of
    _history = 0  # how often changes in place gave this tensor another place in the graph
    _seen = 0  # of a view: its base's history when the view got its own place
    _follow: Any
    _version_cell: list | None = None  # [count of changes in place], one for all that share the memory
    __array_priority__ = 1000  # ndarray + tensor is the tensor's business

    @property
    def shape(self):
        """Size of each dimension, as a Size."""
        return Size(self.array.shape)

    @property
    def dtype(self):
        """Type of the numbers."""
        return as_dtype(self.array.dtype)

    @property
    def ndim(self):
        """Number of dimensions."""
        return self.array.ndim

    def dim(self):
        """Return the number of dimensions."""
        return self.array.ndim

    def size(self, dim=None):
        """Return the shape, or the size of one dimension."""
        return self.shape if dim is None else self.array.shape[wrap_dim(dim, self.ndim)]

    def element_size(self):
        """Return the bytes of one element."""
        return self.array.itemsize

    def stride(self, dim=None):
        """Return how many elements to step, in memory, to the next index of each dimension (or of one).

        >>> tt.zeros(2, 3).stride(), tt.zeros(2, 3).T.stride()
        ((3, 1), (1, 3))
        """
        array = self.array
        if array.size == 0:  # NumPy gives strides of 0 to empty arrays
            array = np.empty([max(size, 1) for size in array.shape], np.bool_)
        strides = tuple(step // array.itemsize for step in array.strides)
        return strides if dim is None else strides[wrap_dim(dim, self.ndim)]

    def is_contiguous(self):
        """Return whether the elements lie in memory in the order of their indices."""
        return self.array.flags.c_contiguous

    def data_ptr(self):
        """Return the address of the first element."""
        return self.array.ctypes.data

    def is_floating_point(self):
        """Return whether the dtype is a float."""
        return self.dtype.is_floating_point

    @property
    def grad(self):
        """The gradient that backward added up here, a tensor, or None. Raises RuntimeError for another shape."""
        return self._grad

    @grad.setter
    def grad(self, value):
        if value is not None and not isinstance(value, TensorBase):
            raise TypeError(f"assigned grad expected to be a Tensor or None but got {type(value).__name__}")
        if value is not None and value.array.shape != self.array.shape:
            raise RuntimeError(f"assigned grad has data of a different size: {value.shape} for {self.shape}")
        if value is not None and value.array.dtype != self.array.dtype:
            raise RuntimeError(f"assigned grad has data of a different type: {value.dtype} for {self.dtype}")
        self._grad = value

    @property
    def grad_fn(self):
        """The node that made this tensor, or None for a leaf."""
        if self._base is not None and self._seen != self._base._history:
            self._follow()
        return self._grad_fn

    @grad_fn.setter
    def grad_fn(self, node):
        self._grad_fn = node

    @property
    def is_leaf(self):
        """Whether this tensor was made by the user and not by an op that is recorded."""
        return self.grad_fn is None

    @property
    def requires_grad(self):
        """Whether gradients shall reach this tensor. Raises RuntimeError when set on ints or bools."""
        if self._base is not None and self._seen != self._base._history:
            self._follow()
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value):
        if value and self.array.dtype.kind != "f":
            raise RuntimeError("Only Tensors of floating point dtype can require gradients")
        if not value and self.grad_fn is not None:
            raise RuntimeError("you can only change requires_grad flags of leaf variables.")
        self._requires_grad = bool(value)

    def requires_grad_(self, requires_grad=True):
        """Set requires_grad and return the tensor itself."""
        self.requires_grad = requires_grad
        return self

    def version_cell(self):
        """Return the list of one int that counts the changes in place of this tensor's memory."""
        if self._version_cell is None:
            self._version_cell = [0]
        return self._version_cell

    def bump_version(self):
        """Count one more change in place; the graph then refuses to use what it kept of this memory."""
        self.version_cell()[0] += 1

    @property
    def _version(self):
        return self.version_cell()[0]

    @property
    def device(self):
        """Where the numbers are: always the CPU."""
        return device("cpu")

    def item(self):
        """Return the only element as a Python number. Raises RuntimeError when there are more or none.

        >>> tt.tensor([2.5]).item()
        2.5
        """
        if self.array.size != 1:
            raise RuntimeError(f"a Tensor with {self.array.size} elements cannot be converted to Scalar")
        return self.array.item()

    def tolist(self):
        """Return the elements as nested lists of Python numbers.

        >>> tt.tensor([[1, 2], [3, 4]]).tolist()
        [[1, 2], [3, 4]]
        """
        return self.array.tolist()

    def numpy(self):
        """Return the NumPy array, sharing memory. Raises RuntimeError when the tensor requires grad."""
        if self.requires_grad:
            raise RuntimeError("numpy() does not work on a tensor that requires grad: use detach().numpy()")
        return self.array

    def __array__(self, dtype=None, copy=None):
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __repr__(self):
        return tensor_str(self)

    def __format__(self, spec):
        return format(self.item(), spec) if self.ndim == 0 else object.__format__(self, spec)

    def __len__(self):
        if self.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return len(self.array)

    def __iter__(self):
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return map(self.__getitem__, range(len(self)))

    def __bool__(self):
        if self.array.size != 1:
            count = "more than one value" if self.array.size else "no values"
            raise RuntimeError(f"Boolean value of Tensor with {count} is ambiguous")
        return bool(self.array.item())

    def __float__(self):
        return float(self.item())

    def __int__(self):
        return int(self.item())

    def __index__(self):
        if self.array.size != 1 or self.array.dtype.kind == "f":
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self.array.item())

    def _compare(self, ufunc, other):
        if isinstance(other, TensorBase):
            other = other.array
        if not isinstance(other, (np.ndarray, np.generic, int, float)):
            return NotImplemented
        return self._wrap(ufunc(*self._promote(self.array, other)))

    def __eq__(self, other):
        return self._compare(np.equal, other)

    def __ne__(self, other):
        return self._compare(np.not_equal, other)

    def __lt__(self, other):
        return self._compare(np.less, other)

    def __le__(self, other):
        return self._compare(np.less_equal, other)

    def __gt__(self, other):
        return self._compare(np.greater, other)

    def __ge__(self, other):
        return self._compare(np.greater_equal, other)

    def __and__(self, other):
        return self._compare(np.bitwise_and, other)

    def __or__(self, other):
        return self._compare(np.bitwise_or, other)

    def __xor__(self, other):
        return self._compare(np.bitwise_xor, other)

    def __invert__(self):
        return self._wrap(np.invert(self.array))

    __hash__ = object.__hash__  # by identity, since == compares elements

    def __radd__(self, other):
        return self + other

    def __rmul__(self, other):
        return self * other

    def __rpow__(self, other):
        return call("Pow", other, self)

    def all(self, dim=None, keepdim=False):
        """Return whether all elements (along dim) are true."""
        return self._wrap(self.array.all(dim, keepdims=keepdim))

    def any(self, dim=None, keepdim=False):
        """Return whether any element (along dim) is true."""
        return self._wrap(self.array.any(dim, keepdims=keepdim))

    def argmax(self, dim=None, keepdim=False):
        """Return the index of the largest element, flattened or along dim. int64."""
        return self._wrap(np.asarray(self.array.argmax(dim, keepdims=keepdim), np.int64))

    def argmin(self, dim=None, keepdim=False):
        """Return the index of the smallest element, flattened or along dim. int64."""
        return self._wrap(np.asarray(self.array.argmin(dim, keepdims=keepdim), np.int64))

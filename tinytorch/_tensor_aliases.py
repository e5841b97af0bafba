"""Methods of Tensor that are functions of PyTorch's too, their variants in place, conversions, further operators."""

from typing import Any

import numpy as np

from . import _indexing, _pointwise, _reduce, _shape
from ._dtype import as_dtype, bool_, check_device, float16, float32, float64, int8, int16, int32, int64, uint8
from ._tensor_base import TensorBase, as_shape, call

# Functions of PyTorch's that are not methods, methods that are not functions, and what has a variant in place.
_NO_METHODS = """atleast_1d atleast_2d broadcast_tensors cat cdist concat concatenate einsum
    hstack meshgrid stack std_mean tensordot var_mean vstack where"""
_NO_FUNCTIONS = "contiguous expand expand_as repeat reshape_as unfold view_as"
_IN_PLACE = """abs absolute acos acosh add addcdiv addcmul addmm addmv arccos arcsin arctan arctan2 asin asinh atan
    atan2 atanh baddbmm bitwise_and bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor ceil clamp
    clamp_max clamp_min clip cos cosh cumprod cumsum div divide eq erf exp exp2 expm1 floor floor_divide fmod frac ge gt
    index_add index_fill index_put le lerp log log10 log1p log2 logical_and logical_not logical_or logical_xor lt
    masked_fill mul multiply nan_to_num ne neg negative pow reciprocal relu remainder round rsqrt scatter scatter_add
    sigmoid sign sin sinh sqrt square sub subtract tan tanh tril triu true_divide trunc"""
_OPERATORS = """iadd=add_ isub=sub_ imul=mul_ itruediv=div_ ipow=pow_ ifloordiv=floor_divide_ imod=remainder_
    iand=bitwise_and_ ior=bitwise_or_ ixor=bitwise_xor_ floordiv=floor_divide mod=remainder abs=abs pos=positive
    and=bitwise_and or=bitwise_or xor=bitwise_xor rand=bitwise_and ror=bitwise_or rxor=bitwise_xor
    lshift=bitwise_left_shift rshift=bitwise_right_shift"""
_TYPES = {"float32": "Float", "float64": "Double", "float16": "Half", "int64": "Long", "int32": "Int", "int16": "Short"}
_TYPES |= {"int8": "Char", "uint8": "Byte", "bool": "Bool"}
_CONVERSIONS = {"float": float32, "double": float64, "half": float16, "long": int64, "int": int32, "short": int16}
_CONVERSIONS |= {"char": int8, "byte": uint8, "bool": bool_}


def in_place(operation):
    """Return a method that runs `operation(tensor, ...)` and puts the result where the tensor's numbers were."""

    def method(self, *args, **options):
        return self._keep(operation(self._source(*args), *args, **options))

    method.__name__ = method.__qualname__ = f"{operation.__name__}_"
    method.__doc__ = f"Do `{operation.__name__}` in place and return the tensor itself."
    return method


def _reshaped(operation):
    """Return a method that makes the tensor itself the view that `operation(tensor, ...)` returns."""

    def method(self, *args, **options):
        self._source()  # RuntimeError for a leaf that requires grad
        view = operation(self, *args, **options)
        self.array, self.grad_fn, self._requires_grad = view.array, view.grad_fn, view._requires_grad
        return self

    method.__name__ = method.__qualname__ = f"{operation.__name__}_"
    method.__doc__ = f"Do `{operation.__name__}` in place and return the tensor itself."
    return method


def _conversion(name, kind):
    def method(self, memory_format=None):
        return self.to(kind)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"Return the tensor as {kind.name}."
    return method


def _aliases():
    """Return the functions that are methods as well, their variants in place and as operators, by name."""
    found: dict[str, Any] = {}
    for module in (_pointwise, _reduce, _shape, _indexing):
        names = set(module.__all__ + _NO_FUNCTIONS.split()) - set(_NO_METHODS.split())
        found |= {name: getattr(module, name) for name in names if hasattr(module, name)}
    found |= {name: _conversion(name, kind) for name, kind in _CONVERSIONS.items()}
    found |= {f"{name}_": _reshaped(found[name]) for name in ("squeeze", "t", "transpose", "unsqueeze")}
    found |= {f"{name}_": in_place(found[name]) for name in _IN_PLACE.split()}
    return found | {f"__{new}__": found[old] for new, old in (pair.split("=") for pair in _OPERATORS.split())}


_Aliases: Any = type("_Aliases", (TensorBase,), _aliases())


class _Strided:
    """The layout of all tensors here."""

    def __repr__(self):
        return "torch.strided"


class TensorAliases(_Aliases):
    """What Tensor has beyond the exercises, but for the rules of changes in place."""

    layout = _Strided()
    is_cuda = is_sparse = is_quantized = False

    @property
    def T(self):
        """A view with the dimensions in reverse order."""
        return self.permute(list(range(self.ndim))[::-1])

    @property
    def mT(self):
        """A view with the last two dimensions swapped."""
        return self.transpose(-2, -1)

    @property
    def itemsize(self):
        """Bytes of one element."""
        return self.array.itemsize

    def nelement(self):
        """Return the number of elements."""
        return self.array.size

    def ndimension(self):
        """Return the number of dimensions."""
        return self.array.ndim

    def is_signed(self):
        """Return whether the dtype has negative numbers."""
        return self.dtype.is_signed

    def storage_offset(self):
        """Return how many elements lie, in the memory of the tensor that this is a view of, before its first."""
        return 0 if self._base is None else (self.data_ptr() - self._base.data_ptr()) // self.array.itemsize

    def type(self, dtype=None):
        """Return the tensor as another dtype, or PyTorch's name of its type, such as "torch.FloatTensor"."""
        return f"torch.{_TYPES[self.dtype.name]}Tensor" if dtype is None else self.to(dtype)

    def type_as(self, other):
        """Return the tensor in the dtype of another."""
        return self.to(other.dtype)

    def cpu(self):
        """Return the tensor itself: it is on the CPU."""
        return self

    def cuda(self, device=None, non_blocking=False):
        """Raise AssertionError: there is no CUDA here."""
        check_device("cuda")

    def where(self, condition, other):
        """Return the tensor's elements where condition is true, else other's."""
        return call("Where", condition, self, other)

    def _new(self, sizes, value, dtype, device, requires_grad):
        check_device(device)
        kind = self.dtype if dtype is None else as_dtype(dtype)
        return self._wrap(np.full(as_shape(sizes), value, kind.numpy)).requires_grad_(requires_grad)

    def new_zeros(self, *size, dtype=None, device=None, requires_grad=False):
        """Make zeros of a shape, of this tensor's dtype."""
        return self._new(size, 0, dtype, device, requires_grad)

    new_empty = new_zeros

    def new_ones(self, *size, dtype=None, device=None, requires_grad=False):
        """Make ones of a shape, of this tensor's dtype."""
        return self._new(size, 1, dtype, device, requires_grad)

    def new_full(self, size, fill_value, *, dtype=None, device=None, requires_grad=False):
        """Make a tensor of one value and a shape, of this tensor's dtype."""
        return self._new(size, fill_value, dtype, device, requires_grad)

    def new_tensor(self, data, *, dtype=None, device=None, requires_grad=False):
        """Make a tensor of a copy of data, of this tensor's dtype."""
        out = self._new((), 0, dtype, device, False)
        data = data.array if isinstance(data, TensorBase) else data
        return self._wrap(np.array(data, out.array.dtype)).requires_grad_(requires_grad)

    def uniform_(self, low=0.0, high=1.0, *, generator=None):
        """Fill with random numbers, uniform in [low, high), in place."""
        return self._drawn(lambda rng, a: rng.uniform(low, high, a.shape), generator)

    def normal_(self, mean=0.0, std=1.0, *, generator=None):
        """Fill with normal random numbers, in place."""
        return self._drawn(lambda rng, a: rng.normal(mean, std, a.shape), generator)

    def exponential_(self, lambd=1.0, *, generator=None):
        """Fill with random waiting times, 1 / lambd on average, in place."""
        return self._drawn(lambda rng, a: rng.exponential(1 / lambd, a.shape), generator)

    def _drawn(self, draw, generator):
        if not self.is_floating_point():
            raise NotImplementedError(f"random floats are not implemented for {self.dtype}")
        return self._keep(call("Draw", self._source(), draw=draw, generator=generator))

    def bernoulli_(self, p=0.5, *, generator=None):
        """Fill with 1 with probability p, else 0, in place."""
        return self._keep(_indexing.bernoulli(self._source(), p, generator=generator))

    def __rfloordiv__(self, other):
        return call("DivRound", other, self, mode="floor")

    def __rmod__(self, other):
        return call("Remainder", other, self)

    def __rmatmul__(self, other):
        return call("MatMul", other, self) if isinstance(other, TensorBase) else NotImplemented

    def __contains__(self, item):
        return bool((self == item).any())

    def __getstate__(self):
        """Return what a copy and a pickle keep: numbers, gradient, attributes; not the graph."""
        if not self.is_leaf:
            raise RuntimeError(
                "only tensors that the user made (leaves of the graph) can be copied deeply: detach() it"
            )
        return {key: value for key, value in vars(self).items() if key not in ("_base", "_version_cell", "hooks")}

"""Number types: PyTorch's names and rules, each standing for one NumPy dtype."""

import numpy as np


class dtype:
    """A number type, such as float32.

    `name`, `itemsize` (bytes), `is_floating_point` and `is_signed` as in PyTorch; `numpy` is NumPy's dtype;
    `category` is 0 for bool, 1 for integers, 2 for floats.

    >>> tt.float32
    torch.float32
    >>> tt.float32.itemsize, tt.int64.is_floating_point
    (4, False)
    """

    def __init__(self, name):
        self.name = name
        self.numpy = np.dtype(name)
        self.itemsize = self.numpy.itemsize
        self.category = {"b": 0, "i": 1, "u": 1, "f": 2}[self.numpy.kind]
        self.is_floating_point = self.category == 2
        self.is_signed = self.numpy.kind in "if"

    def __repr__(self):
        return f"torch.{self.name}"

    def __reduce__(self):  # a copied or unpickled dtype is the same object again
        return as_dtype, (self.name,)


float64 = dtype("float64")
float32 = dtype("float32")
float16 = dtype("float16")
int64 = dtype("int64")
int32 = dtype("int32")
int16 = dtype("int16")
int8 = dtype("int8")
uint8 = dtype("uint8")
bool_ = dtype("bool")  # tt.bool: the short name would hide Python's own in this file

_ALL = (float64, float32, float16, int64, int32, int16, int8, uint8, bool_)
_KNOWN = {key: kind for kind in _ALL for key in (kind, kind.numpy, kind.name)}
_KNOWN |= {float: float64, int: int64, bool: bool_}
_OF_NUMBER = {float: float32, int: int64, bool: bool_}


def as_dtype(kind):
    """Return the dtype for a dtype, a NumPy dtype, a name, or Python's float, int or bool.

    Raises TypeError for every other type (strings, complex numbers, objects).
    """
    try:
        return _KNOWN[kind]
    except KeyError:
        names = ", ".join(known.name for known in _ALL)
        raise TypeError(f"a tensor cannot have type {kind}; the types are {names}") from None


def as_float(a):
    """Return an array as floats: ints and bools become float32, floats stay what they are."""
    return a if a.dtype.kind == "f" else a.astype(np.float32)


def result_type(a, b, promote_types):
    """Return the dtype for an operation on two operands, arrays or Python numbers.

    Operands of one rank (array with dimensions, 0-d array, number) go by promote_types. The lower rank counts
    only when its category (bool < int < float) is the higher. Raises TypeError for what is not a number.
    """
    (low, low_type), (high, high_type) = _rank(a), _rank(b)
    if low > high:
        low, low_type, high, high_type = high, high_type, low, low_type
    if low < high and low_type.category <= high_type.category:
        return high_type
    return promote_types(low_type, high_type)


def _rank(x):
    if isinstance(x, np.ndarray):
        return min(x.ndim, 1) + 1, as_dtype(x.dtype)
    if isinstance(x, np.generic):
        x = x.item()
    if type(x) not in _OF_NUMBER:
        raise TypeError(f"expected a tensor or a number, got {type(x).__name__}")
    return 0, _OF_NUMBER[type(x)]


class device:
    """The name of a place for numbers, such as "cpu" or "cuda:1". Tensors can be on the CPU only.

    >>> tt.device("cpu"), tt.device("cuda", 1)
    (device(type='cpu'), device(type='cuda', index=1))
    """

    def __init__(self, type, index=None):
        name, _, number = str(type).partition(":")
        if name not in ("cpu", "cuda", "mps", "xpu", "meta"):
            raise RuntimeError(f"no device is called {str(type)!r}")
        self.type, self.index = name, int(number) if number else index

    def __repr__(self):
        return (
            f"device(type='{self.type}')" if self.index is None else f"device(type='{self.type}', index={self.index})"
        )

    def __str__(self):
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other):
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self):
        return hash((self.type, self.index))


def check_device(place):
    """Raise an error unless place, a device, its name or None, is the CPU."""
    name = "cpu" if place is None else device(place).type
    if name == "cuda":
        raise AssertionError("Torch not compiled with CUDA enabled")  # the error that PyTorch raises
    if name != "cpu":
        raise RuntimeError(f"no device {name!r} here: the only one is 'cpu'")


class finfo:
    """The limits of a float dtype: max, min, eps (the step after 1), tiny (the smallest of full precision), bits.

    >>> tt.finfo(tt.float16).max, tt.finfo().eps
    (65504.0, 1.1920928955078125e-07)
    """

    def __init__(self, type=float32):
        info = np.finfo(as_dtype(type).numpy)
        self.bits, self.dtype = info.bits, str(info.dtype)
        self.max, self.min, self.eps, self.resolution = map(float, (info.max, info.min, info.eps, info.resolution))
        self.tiny = self.smallest_normal = float(info.tiny)


class iinfo:
    """The limits of an int dtype: max, min, bits.

    >>> tt.iinfo(tt.int8).max
    127
    """

    def __init__(self, type):
        info = np.iinfo(as_dtype(type).numpy)
        self.bits, self.dtype, self.max, self.min = info.bits, str(info.dtype), int(info.max), int(info.min)

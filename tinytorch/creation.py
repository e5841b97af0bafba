"""Functions that make tensors from nothing but a shape, a range or a random generator."""

import math

import numpy as np

from ._dtype import as_dtype, float32, float64, int64
from ._tensor_base import as_shape
from .tensor import Tensor


def tensor(data, dtype=None, requires_grad=False):
    """Make a tensor from a copy of data: numbers, nested lists, an array or a tensor.

    Python floats become float32, ints int64, bools bool; arrays and tensors keep their dtype.
    Raises ValueError for lists of unequal length, TypeError for what is not a number.

    >>> tt.tensor([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    >>> tt.tensor([1, 2.5]).dtype
    torch.float32
    """
    if isinstance(data, Tensor):
        data = data.array
    if isinstance(data, np.ndarray):
        data = np.array(data, order="C")
    return Tensor(data, None if dtype is None else as_dtype(dtype), requires_grad)


def from_numpy(array):
    """Make a tensor that shares the memory of a NumPy array."""
    return Tensor(array)


def _filled(shape, value, dtype, requires_grad):
    return Tensor(np.full(shape, value, as_dtype(dtype or float32).numpy), requires_grad=requires_grad)


def zeros(*size, dtype=None, requires_grad=False):
    """Make a tensor of zeros, float32 unless dtype says otherwise.

    >>> tt.zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """
    return _filled(as_shape(size), 0, dtype, requires_grad)


def ones(*size, dtype=None, requires_grad=False):
    """Make a tensor of ones, float32 unless dtype says otherwise.

    >>> tt.ones((2,), dtype=tt.int64)
    tensor([1, 1])
    """
    return _filled(as_shape(size), 1, dtype, requires_grad)


def full(size, fill_value, dtype=None, requires_grad=False):
    """Make a tensor of one value; the dtype follows the value as in `tensor`.

    >>> tt.full((2, 2), 7)
    tensor([[7, 7],
            [7, 7]])
    """
    return _filled(as_shape((size,)), fill_value, dtype or Tensor(fill_value).dtype, requires_grad)


def zeros_like(input, dtype=None, requires_grad=False):
    """Make zeros of the shape and dtype of a tensor.

    >>> tt.zeros_like(tt.tensor([1, 2]))
    tensor([0, 0])
    """
    return _filled(input.shape, 0, dtype or input.dtype, requires_grad)


def ones_like(input, dtype=None, requires_grad=False):
    """Make ones of the shape and dtype of a tensor.

    >>> tt.ones_like(tt.tensor([0.5, 2.5]))
    tensor([1., 1.])
    """
    return _filled(input.shape, 1, dtype or input.dtype, requires_grad)


def arange(start, end=None, step=1, dtype=None, requires_grad=False):
    """Make start, start + step, ... up to but without end; arange(n) counts from 0.

    int64 when all three are ints, else float32. Raises RuntimeError when step leads away from end.

    >>> tt.arange(4)
    tensor([0, 1, 2, 3])
    >>> tt.arange(1, 2, 0.25)
    tensor([1.0000, 1.2500, 1.5000, 1.7500])
    """
    start, end = (0, start) if end is None else (start, end)
    if step == 0 or (end - start) * step < 0:
        raise RuntimeError(f"a step of {step} does not lead from {start} to {end}")
    whole = all(isinstance(number, (int, np.integer)) for number in (start, end, step))
    counts = np.arange(math.ceil((end - start) / step), dtype=np.int64 if whole else np.float64)
    return Tensor(start + step * counts, as_dtype(dtype or (int64 if whole else float32)), requires_grad)


def linspace(start, end, steps, dtype=None, requires_grad=False):
    """Make `steps` evenly spaced numbers from start to end, both included.

    >>> tt.linspace(0, 1, 5)
    tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
    if steps < 0:
        raise RuntimeError(f"number of steps must be non-negative, got {steps}")
    return Tensor(np.linspace(start, end, steps), as_dtype(dtype or float32), requires_grad)


def eye(n, m=None, dtype=None, requires_grad=False):
    """Make an (n, m) tensor with ones on the diagonal and zeros elsewhere.

    >>> tt.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    return Tensor(np.eye(n, m, dtype=as_dtype(dtype or float32).numpy), requires_grad=requires_grad)


class Generator:
    """A source of random numbers that a seed makes repeatable (the numbers are NumPy's, not PyTorch's)."""

    def __init__(self):
        self.manual_seed(0)

    def manual_seed(self, seed):
        """Start again from this seed and return the generator."""
        self.rng = np.random.default_rng(seed)
        return self


default_generator = Generator()


def manual_seed(seed):
    """Start the random numbers of `rand`, `randn`, `randint` and `randperm` again from this seed.

    >>> _ = tt.manual_seed(7)
    >>> a = tt.rand(3)
    >>> _ = tt.manual_seed(7)
    >>> (a == tt.rand(3)).tolist()
    [True, True, True]
    """
    return default_generator.manual_seed(seed)


def rand(*size, dtype=None, requires_grad=False, generator=None):
    """Make random numbers, uniform in [0, 1).

    >>> tt.rand(2, 3).shape
    torch.Size([2, 3])
    """
    draw = (generator or default_generator).rng.random
    return Tensor(draw(as_shape(size), _drawn(dtype)), as_dtype(dtype or float32), requires_grad)


def randn(*size, dtype=None, requires_grad=False, generator=None):
    """Make random numbers, normal with mean 0 and variance 1.

    >>> tt.randn(2, 3).dtype
    torch.float32
    """
    draw = (generator or default_generator).rng.standard_normal
    return Tensor(draw(as_shape(size), _drawn(dtype)), as_dtype(dtype or float32), requires_grad)


def _drawn(dtype):
    return np.float64 if dtype is float64 else np.float32  # NumPy draws in these two only


def randint(low=0, high=None, size=None, dtype=None, requires_grad=False, generator=None):
    """Make random ints, low <= number < high; randint(high, size) starts at 0. int64.

    >>> tt.randint(5, 6, (3,))
    tensor([5, 5, 5])
    """
    if size is None:
        low, high, size = 0, low, high
    if low >= high:
        raise RuntimeError(f"low must be less than high, got {low} and {high}")
    draw = (generator or default_generator).rng.integers
    return Tensor(draw(low, high, as_shape((size,)), np.int64), as_dtype(dtype or int64), requires_grad)


def randperm(n, dtype=None, generator=None):
    """Make the ints 0 ... n - 1 in random order. int64.

    >>> sorted(tt.randperm(4).tolist())
    [0, 1, 2, 3]
    """
    draw = (generator or default_generator).rng.permutation
    return Tensor(draw(n), as_dtype(dtype or int64))

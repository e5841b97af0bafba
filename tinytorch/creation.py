"""Functions that make tensors: from numbers, from a shape, from a range, from a random generator.

All take dtype (float32 where nothing else is said), device (only "cpu" works) and requires_grad.
"""

import functools
import math

import numpy as np

from ._dtype import as_dtype, bool_, check_device, float32, float64, int64
from ._tensor_base import TensorBase, as_shape
from .shapes import promote_types
from .tensor import Function, Tensor

__all__ = [
    "Generator", "arange", "as_tensor", "empty", "empty_like", "eye", "from_numpy", "full", "full_like",
    "get_rng_state", "initial_seed", "linspace", "manual_seed", "normal", "ones", "ones_like", "rand", "rand_like",
    "randint", "randn", "randn_like", "randperm", "seed", "set_rng_state", "tensor", "tril_indices", "triu_indices",
    "zeros", "zeros_like",
]  # fmt: skip


def _made(array, dtype=None, device=None, requires_grad=False):
    check_device(device)
    return Tensor(array, None if dtype is None else as_dtype(dtype), requires_grad)


def tensor(data, *, dtype=None, device=None, requires_grad=False, pin_memory=False):
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
    elif dtype is None and (found := _dtypes_in(data)) - {float32, int64, bool_}:
        dtype = functools.reduce(promote_types, found)
    return _made(data, dtype, device, requires_grad)


def _dtypes_in(data):
    """Return the dtypes of the numbers in nested lists; those of NumPy, and tensors, keep theirs."""
    if isinstance(data, (list, tuple)):
        kinds = set(map(type, data))
        return set().union(*map(_dtypes_in, data)) if kinds - {float, int, bool} else kinds and {float32}
    known = isinstance(data, (TensorBase, np.ndarray, np.generic))
    return {as_dtype(data.dtype)} if known else {{float: float32, int: int64, bool: bool_}.get(type(data), float32)}


def as_tensor(data, dtype=None, device=None):
    """Return data as a tensor: a tensor itself, an array sharing its memory, where the dtype is right."""
    if isinstance(data, (Tensor, np.ndarray)):
        return (data if isinstance(data, Tensor) else Tensor(data)).to(dtype=dtype, device=device)
    return tensor(data, dtype=dtype, device=device)


def from_numpy(array):
    """Make a tensor that shares the memory of a NumPy array."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(array).__name__})")
    return Tensor(array)


def _filled(shape, value, dtype, *options):
    return _made(np.full(shape, value, as_dtype(dtype or float32).numpy), None, *options)


def zeros(*sizes, size=(), dtype=None, device=None, requires_grad=False):
    """Make a tensor of zeros.

    >>> tt.zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """
    return _filled(as_shape(sizes or (size,)), 0, dtype, device, requires_grad)


def ones(*sizes, size=(), dtype=None, device=None, requires_grad=False):
    """Make a tensor of ones."""
    return _filled(as_shape(sizes or (size,)), 1, dtype, device, requires_grad)


def empty(*sizes, size=(), dtype=None, device=None, requires_grad=False, memory_format=None):
    """Make a tensor of zeros; PyTorch's holds whatever the memory holds."""
    return _filled(as_shape(sizes or (size,)), 0, dtype, device, requires_grad)


def full(size, fill_value, *, dtype=None, device=None, requires_grad=False):
    """Make a tensor of one value; the dtype follows the value as in `tensor`."""
    value = Tensor(fill_value)
    return _filled(as_shape((size,)), value.item(), dtype or value.dtype, device, requires_grad)


def zeros_like(input, *, dtype=None, device=None, requires_grad=False, memory_format=None):
    """Make zeros of the shape and dtype of a tensor."""
    return _filled(input.shape, 0, dtype or input.dtype, device, requires_grad)


def ones_like(input, *, dtype=None, device=None, requires_grad=False, memory_format=None):
    """Make ones of the shape and dtype of a tensor."""
    return _filled(input.shape, 1, dtype or input.dtype, device, requires_grad)


def full_like(input, fill_value, *, dtype=None, device=None, requires_grad=False, memory_format=None):
    """Make a tensor of one value, of the shape and dtype of a tensor."""
    return _filled(input.shape, Tensor(fill_value).item(), dtype or input.dtype, device, requires_grad)


empty_like = zeros_like


def arange(start, end=None, step=1, *, dtype=None, device=None, requires_grad=False):
    """Make start, start + step, ... up to but without end; arange(n) counts from 0.

    int64 when all three are ints, else float32. Raises RuntimeError when step leads away from end.

    >>> tt.arange(4)
    tensor([0, 1, 2, 3])
    >>> tt.arange(1, 2, 0.25)
    tensor([1.0000, 1.2500, 1.5000, 1.7500])
    """
    start, end = (0, start) if end is None else (start, end)
    start, end, step = (x.item() if isinstance(x, Tensor) else x for x in (start, end, step))
    if step == 0 or (end - start) * step < 0:
        raise RuntimeError(f"a step of {step} does not lead from {start} to {end}")
    whole = all(isinstance(number, (int, np.integer)) for number in (start, end, step))
    counts = np.arange(math.ceil((end - start) / step), dtype=np.int64 if whole else np.float64)
    return _made(start + step * counts, dtype or (int64 if whole else float32), device, requires_grad)


def linspace(start, end, steps, *, dtype=None, device=None, requires_grad=False):
    """Make `steps` evenly spaced numbers from start to end, both included."""
    if steps < 0:
        raise RuntimeError(f"number of steps must be non-negative, got {steps}")
    start, end = (x.item() if isinstance(x, Tensor) else x for x in (start, end))
    return _made(np.linspace(start, end, steps), dtype or float32, device, requires_grad)


def eye(n, m=None, *, dtype=None, device=None, requires_grad=False):
    """Make an (n, m) tensor with ones on the diagonal and zeros elsewhere."""
    if n < 0 or (m or 0) < 0:
        raise RuntimeError(f"a matrix cannot have shape ({n}, {m})")
    return _made(np.eye(n, m), dtype or float32, device, requires_grad)


def tril_indices(row, col, offset=0, *, dtype=None, device=None):
    """Make the (2, n) rows and columns of the elements on and below the diagonal of a matrix."""
    return _made(np.array(np.tril_indices(row, offset, col), np.int64), dtype, device)


def triu_indices(row, col, offset=0, *, dtype=None, device=None):
    """Make the (2, n) rows and columns of the elements on and above the diagonal of a matrix."""
    return _made(np.array(np.triu_indices(row, offset, col), np.int64), dtype, device)


class Generator:
    """A source of random numbers that a seed makes repeatable (the numbers are NumPy's, not PyTorch's).

    >>> tt.Generator().manual_seed(7).initial_seed()
    7
    """

    def __init__(self, device="cpu"):
        self.manual_seed(67280421310721)

    def manual_seed(self, seed):
        """Start again from this seed and return the generator."""
        self._seed = int(seed)
        self.rng = np.random.default_rng(self._seed % 2**64)
        return self

    def initial_seed(self):
        """Return the seed that the numbers began with."""
        return self._seed

    def seed(self):
        """Start again from a seed drawn by the system and return it."""
        return self.manual_seed(int(np.random.SeedSequence().generate_state(1)[0])).initial_seed()

    def get_state(self):
        """Return where the generator is, as a uint8 tensor for `set_state`."""
        state = self.rng.bit_generator.state
        numbers = (*state["state"].values(), state["has_uint32"], state["uinteger"], self._seed % 2**64)
        return Tensor(np.frombuffer(b"".join(n.to_bytes(16, "little") for n in numbers), np.uint8).copy())

    def set_state(self, new_state):
        """Continue from where a generator was at `get_state`."""
        parts = new_state.array.tobytes()
        numbers = [int.from_bytes(parts[i : i + 16], "little") for i in range(0, 80, 16)]
        self.manual_seed(numbers[4])
        state = {"state": numbers[0], "inc": numbers[1]}
        names = {"bit_generator": "PCG64", "state": state, "has_uint32": numbers[2], "uinteger": numbers[3]}
        self.rng.bit_generator.state = names
        return self


default_generator = Generator()
initial_seed, seed = default_generator.initial_seed, default_generator.seed
get_rng_state, set_rng_state = default_generator.get_state, default_generator.set_state


def manual_seed(seed):
    """Start the random numbers of all functions that are given no generator again from this seed.

    >>> _ = tt.manual_seed(7)
    >>> a = tt.rand(3)
    >>> _ = tt.manual_seed(7)
    >>> (a == tt.rand(3)).tolist()
    [True, True, True]
    """
    return default_generator.manual_seed(seed)


class Draw(Function):
    """out = random numbers, as draw(NumPy generator, a) makes them.  dL/da = 0."""

    def forward(ctx, a, draw, generator=None, dtype=None):
        return np.asarray(draw((generator or default_generator).rng, a)).astype(dtype or a.dtype)

    def backward(ctx, g):
        return np.zeros_like(g)


def _random(name, shape, dtype, generator, *options):
    dtype = as_dtype(dtype or float32)
    if not dtype.is_floating_point:
        raise NotImplementedError(f"{name} is not implemented for {dtype}")
    draw = getattr((generator or default_generator).rng, name)
    return _made(draw(shape, np.float64 if dtype is float64 else np.float32), dtype, *options)


def rand(*sizes, size=(), generator=None, dtype=None, device=None, requires_grad=False):
    """Make random numbers, uniform in [0, 1)."""
    return _random("random", as_shape(sizes or (size,)), dtype, generator, device, requires_grad)


def randn(*sizes, size=(), generator=None, dtype=None, device=None, requires_grad=False):
    """Make random numbers, normal with mean 0 and variance 1."""
    return _random("standard_normal", as_shape(sizes or (size,)), dtype, generator, device, requires_grad)


def randint(low=0, high=None, size=None, *, generator=None, dtype=None, device=None, requires_grad=False):
    """Make random ints, low <= number < high; randint(high, size) starts at 0. int64."""
    if size is None:
        low, high, size = 0, low, high
    if low >= high:
        raise RuntimeError(f"low must be less than high, got {low} and {high}")
    draw = (generator or default_generator).rng.integers
    return _made(draw(low, high, as_shape((size,)), np.int64), dtype or int64, device, requires_grad)


def rand_like(input, *, generator=None, dtype=None, device=None, requires_grad=False, memory_format=None):
    """Make random numbers, uniform in [0, 1), of the shape and dtype of a tensor."""
    return _random("random", input.shape, dtype or input.dtype, generator, device, requires_grad)


def randn_like(input, *, generator=None, dtype=None, device=None, requires_grad=False, memory_format=None):
    """Make random numbers, normal with mean 0 and variance 1, of the shape and dtype of a tensor."""
    return _random("standard_normal", input.shape, dtype or input.dtype, generator, device, requires_grad)


def randperm(n, *, generator=None, dtype=None, device=None, requires_grad=False):
    """Make the ints 0 ... n - 1 in random order. int64."""
    return _made((generator or default_generator).rng.permutation(n), dtype or int64, device, requires_grad)


def normal(mean=0.0, std=1.0, size=None, *, generator=None, dtype=None, device=None, requires_grad=False):
    """Make normal random numbers; mean and std are numbers (then give a size) or tensors."""
    if size is None:
        mean, std = (x if isinstance(x, Tensor) else Tensor(float(x)) for x in (mean, std))
        size = np.broadcast_shapes(mean.shape, std.shape)
        dtype = promote_types(mean.dtype, std.dtype)
    drawn = _random("standard_normal", as_shape((size,)), dtype, generator, device)
    return (drawn * std + mean).detach().requires_grad_(requires_grad)

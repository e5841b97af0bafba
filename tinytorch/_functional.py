"""PyTorch's functions on tensors: each runs one op of tensor.py."""

from .tensor import Add, Cat, Div, Exp, Log, MatMul, Mul, Neg, Pow, Sub, Where


def add(input, other):
    """Return input + other, broadcast; dtypes promote.

    >>> tt.add(tt.tensor([1, 2]), 0.5)
    tensor([1.5000, 2.5000])
    """
    return Add.apply(input, other)


def sub(input, other):
    """Return input - other, broadcast; dtypes promote.

    >>> tt.sub(tt.tensor([[5], [7]]), tt.tensor([1, 2]))
    tensor([[4, 3],
            [6, 5]])
    """
    return Sub.apply(input, other)


def mul(input, other):
    """Return input * other element by element, broadcast; dtypes promote.

    >>> tt.mul(tt.tensor([1.0, 2.0]), 3)
    tensor([3., 6.])
    """
    return Mul.apply(input, other)


def div(input, other):
    """Return input / other, broadcast; ints give float32, a division by 0 gives inf or nan.

    >>> tt.div(tt.tensor([1, 0]), tt.tensor([2, 0]))
    tensor([0.5000,    nan])
    """
    return Div.apply(input, other)


def pow(input, exponent):
    """Return input ** exponent, broadcast. Raises RuntimeError for ints to a negative int power.

    >>> tt.pow(tt.tensor([2, 3]), 2)
    tensor([4, 9])
    """
    return Pow.apply(input, exponent)


def neg(input):
    """Return -input. Raises RuntimeError for bools.

    >>> tt.neg(tt.tensor([1, -2]))
    tensor([-1,  2])
    """
    return Neg.apply(input)


def exp(input):
    """Return e to the power of each element; ints give float32.

    >>> tt.exp(tt.tensor([0, 1]))
    tensor([1.0000, 2.7183])
    """
    return Exp.apply(input)


def log(input):
    """Return the natural logarithm of each element; ints give float32.

    >>> tt.log(tt.tensor([1.0, 0.0, -1.0]))
    tensor([0., -inf, nan])
    """
    return Log.apply(input)


def matmul(input, other):
    """Return the matrix product, batched over leading dimensions. Raises RuntimeError when shapes do not fit.

    >>> tt.matmul(tt.tensor([[1, 2], [3, 4]]), tt.tensor([1, 10]))
    tensor([21, 43])
    """
    return MatMul.apply(input, other)


def sum(input, dim=None, keepdim=False):
    """Return the sum of all elements, or along dim (one or several); ints and bools add up in int64.

    >>> tt.sum(tt.tensor([[1, 2], [3, 4]]), dim=1)
    tensor([3, 7])
    """
    return input.sum(dim, keepdim)


def mean(input, dim=None, keepdim=False):
    """Return the mean of all elements, or along dim (one or several). Raises RuntimeError for ints.

    >>> tt.mean(tt.tensor([1.0, 2.0, 6.0]))
    tensor(3.)
    """
    return input.mean(dim, keepdim)


def max(input, dim=None, keepdim=False):
    """Return the largest element, or the named tuple (values, indices) along dim.

    >>> tt.max(tt.tensor([[1, 5], [7, 3]]), dim=1)
    torch.return_types.max(
    values=tensor([5, 7]),
    indices=tensor([1, 0]))
    """
    return input.max(dim, keepdim)


def min(input, dim=None, keepdim=False):
    """Return the smallest element, or the named tuple (values, indices) along dim.

    >>> tt.min(tt.tensor([4, 2, 3]))
    tensor(2)
    """
    return input.min(dim, keepdim)


def argmax(input, dim=None, keepdim=False):
    """Return the index of the largest element, flattened or along dim. int64.

    >>> tt.argmax(tt.tensor([[1, 5], [7, 3]]), dim=0)
    tensor([1, 0])
    """
    return input.argmax(dim, keepdim)


def reshape(input, shape):
    """Return the elements in another shape; one size may be -1. Raises RuntimeError when it does not fit.

    >>> tt.reshape(tt.arange(6), (2, -1))
    tensor([[0, 1, 2],
            [3, 4, 5]])
    """
    return input.reshape(shape)


def permute(input, dims):
    """Return a view with the dimensions in the given order.

    >>> tt.permute(tt.zeros(2, 3, 5), (2, 0, 1)).shape
    torch.Size([5, 2, 3])
    """
    return input.permute(dims)


def cat(tensors, dim=0):
    """Join tensors along dim; dtypes promote. Raises RuntimeError when their other sizes differ.

    >>> tt.cat([tt.tensor([[1, 2]]), tt.tensor([[3, 4], [5, 6]])])
    tensor([[1, 2],
            [3, 4],
            [5, 6]])
    """
    if len(tensors) == 0:
        raise ValueError("cat(): expected a non-empty list of tensors")
    return Cat.apply(*tensors, dim=dim)


def where(condition, input, other):
    """Return input's element where condition is true, else other's; all three broadcast.

    >>> tt.where(tt.tensor([True, False]), tt.tensor([1, 2]), 0.5)
    tensor([1.0000, 0.5000])
    """
    return Where.apply(condition, input, other)


def equal(input, other):
    """Return whether two tensors have the same shape and elements, as a Python bool.

    >>> tt.equal(tt.tensor([1, 2]), tt.tensor([1, 2]))
    True
    """
    return input.shape == other.shape and (input == other).all().item()

"""Module 11, Embeddings: a table with a row of numbers for each token, and three ways to say where a token stands."""

import numpy as np

from ._dtype import as_dtype, float32
from ._init import normal_
from .modules import Module, Parameter
from .tensor import Function, Tensor


class TakeRows(Function):
    """out = table[indices], a row for each index.  dL/dtable = zeros with each row of g added at its index.

    indices: ints of any shape; table: (rows, width) -> out: (*indices.shape, width). The row padding_idx gets no
    gradient; scale_grad_by_freq divides a row's gradient by how often it was taken.
    """

    def forward(ctx, indices, table, padding_idx=None, scale_grad_by_freq=False):
        """Return the rows. Raises RuntimeError unless indices are int64 or int32, IndexError outside the table."""
        if indices.dtype not in (np.int64, np.int32):
            raise RuntimeError(f"embedding: indices must be int64 or int32, got {indices.dtype}")
        if table.ndim != 2:
            raise RuntimeError("'weight' must be 2-D")
        if indices.size and not 0 <= indices.min() <= indices.max() < len(table):
            raise IndexError("index out of range in self")
        ctx.indices = indices  # all that backward needs: the table may change before
        return table.take(indices, axis=0)

    def backward(ctx, g):
        rows, width = ctx.shapes[1]
        indices, g = ctx.indices.reshape(-1), g.reshape(ctx.indices.size, width)
        padding_idx = ctx.options.get("padding_idx")
        if padding_idx is not None:
            keep = indices != padding_idx
            indices, g = indices[keep], g[keep]
        if ctx.options.get("scale_grad_by_freq"):
            g = g / np.bincount(indices, minlength=rows)[indices, None]
        return None, scatter_add(g, indices, rows)


def scatter_add(values, indices, rows):
    """Return zeros of (rows, width) with values (n, width) added at indices (n,); a row named twice gets both.

    Sorted by index, equal indices are neighbours: runs are summed by `reduceat`, rows named once only assigned.
    Several times faster than `np.add.at`.
    """
    order = np.argsort(indices, kind="stable")
    ordered = indices[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))  # where a run of equal indices begins
    lengths = np.diff(starts, append=len(ordered))
    out = np.zeros((rows, values.shape[1]), values.dtype)
    once, often = starts[lengths == 1], np.repeat(lengths > 1, lengths)
    out[ordered[once]] = values[order[once]]
    if often.any():
        lengths = lengths[lengths > 1]
        starts = np.cumsum(lengths) - lengths  # of the runs among the elements of long runs
        out[ordered[often][starts]] = np.add.reduceat(values[order[often]], starts, axis=0)
    return out


def embedding(input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False):
    """Return the rows of weight that the ints in input name: (*) and (rows, width) -> (*, width).

    The row padding_idx gets no gradient. With max_norm, the rows that are used are first scaled down, in place, to
    at most this norm. sparse is accepted; gradients are dense. Raises IndexError for an index outside the table.

    >>> tt.nn.functional.embedding(tt.tensor([2, 0]), tt.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]))
    tensor([[4., 5.],
            [0., 1.]])
    """
    if padding_idx is not None:
        if not -len(weight) <= padding_idx < len(weight):
            raise AssertionError("Padding_idx must be within num_embeddings")
        padding_idx %= len(weight)
    if max_norm is not None:
        used = np.unique(input.array)
        norms = np.linalg.norm(weight.array[used], norm_type, axis=1, keepdims=True)
        weight.array[used] *= np.where(norms > max_norm, max_norm / (norms + 1e-7), 1).astype(weight.array.dtype)
        weight.bump_version()
    return TakeRows.apply(input, weight, padding_idx=padding_idx, scale_grad_by_freq=scale_grad_by_freq)


def one_hot(tensor, num_classes=-1):
    """Return int64 zeros with a 1 at each class: (*) -> (*, num_classes); -1 stands for the largest class + 1.

    >>> tt.nn.functional.one_hot(tt.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    classes = tensor.array
    if classes.dtype != np.int64:
        raise RuntimeError("one_hot is only applicable to index tensor of type LongTensor.")
    if classes.size == 0 and num_classes <= 0:
        raise RuntimeError("Can not infer total number of classes from empty tensor.")
    if (classes < 0).any():
        raise RuntimeError("Class values must be non-negative.")
    num_classes = int(classes.max()) + 1 if num_classes == -1 else num_classes
    if (classes >= num_classes).any():
        raise RuntimeError("Class values must be smaller than num_classes.")
    return tensor._wrap((classes[..., None] == np.arange(num_classes)).astype(np.int64))


class Embedding(Module):
    """A table of num_embeddings learned rows, drawn from a standard normal distribution; padding_idx's row is 0.

    >>> tt.nn.Embedding(10, 4)(tt.tensor([[1, 2, 3]])).shape
    torch.Size([1, 3, 4])
    """

    def __init__(
        self,
        num_embeddings,
        embedding_dim,
        padding_idx=None,
        max_norm=None,
        norm_type=2.0,
        scale_grad_by_freq=False,
        sparse=False,
        _weight=None,
        _freeze=False,
        device=None,
        dtype=None,
    ):
        super().__init__()
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise AssertionError("Padding_idx must be within num_embeddings")
            padding_idx %= num_embeddings
        self.num_embeddings, self.embedding_dim, self.padding_idx = num_embeddings, embedding_dim, padding_idx
        self.max_norm, self.norm_type, self.scale_grad_by_freq = max_norm, norm_type, scale_grad_by_freq
        self.sparse = sparse
        if _weight is None:
            _weight = Tensor(np.empty((num_embeddings, embedding_dim), as_dtype(dtype or float32).numpy))
            self.weight = Parameter(_weight, requires_grad=not _freeze)
            self.reset_parameters()
        else:
            self.weight = Parameter(_weight, requires_grad=not _freeze)

    def reset_parameters(self):
        """Draw the table anew."""
        normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.array[self.padding_idx] = 0

    @classmethod
    def from_pretrained(cls, embeddings, freeze=True, padding_idx=None, **options):
        """Return an Embedding whose table is this tensor (num_embeddings, embedding_dim), not trained if freeze."""
        if embeddings.dim() != 2:
            raise AssertionError("Embeddings parameter is expected to be 2-dimensional")
        return cls(len(embeddings), embeddings.shape[1], padding_idx, _weight=embeddings, _freeze=freeze, **options)

    def forward(self, input):
        """Return the rows that the ints in input name."""
        options = (self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse)
        return embedding(input, self.weight, *options)

    def extra_repr(self):
        """Return the sizes, and the options that are not the default."""
        parts = [str(self.num_embeddings), str(self.embedding_dim)]
        for name, default in (
            ("padding_idx", None),
            ("max_norm", None),
            ("norm_type", 2),
            ("scale_grad_by_freq", False),
        ):
            if getattr(self, name) != default:
                parts.append(f"{name}={getattr(self, name)}")
        return ", ".join(parts)


def sinusoidal_positions(length, dim):
    """Return (length, dim) float32: sin(position * f) in even columns, cos in odd ones, f from 1 down to 1 / 10000.

    Vaswani et al. 2017, "Attention Is All You Need", section 3.5. Not in PyTorch.

    >>> tt.sinusoidal_positions(2, 4)
    tensor([[0.0000, 1.0000, 0.0000, 1.0000],
            [0.8415, 0.5403, 0.0100, 0.9999]])
    """
    angles = _angles(length, (dim + 1) // 2, 10000.0, dim)
    return Tensor(np.stack([np.sin(angles), np.cos(angles)], -1).reshape(length, -1)[:, :dim].astype(np.float32))


def rotary_positions(length, dim, base=10000.0):
    """Return (cos, sin), each (length, dim / 2) float32: the angles by which `apply_rotary` turns pairs of numbers.

    Su et al. 2021, "RoFormer". Not in PyTorch. Raises ValueError for an odd dim.
    """
    if dim % 2:
        raise ValueError(f"rotary positions need an even dim, got {dim}")
    angles = _angles(length, dim // 2, base, dim)
    return Tensor(np.cos(angles).astype(np.float32)), Tensor(np.sin(angles).astype(np.float32))


def _angles(length, frequencies, base, dim):
    return np.outer(np.arange(length), base ** (-2 * np.arange(frequencies) / dim))


class Rotary(Function):
    """out = each pair (a[2i], a[2i + 1]) turned by its position's angle i.  dL/da = g turned back."""

    def forward(ctx, a, cos, sin):
        """Return a (..., length, dim), turned; cos and sin: (length, dim / 2)."""
        even, odd, out = a[..., 0::2], a[..., 1::2], np.empty_like(a)
        out[..., 0::2] = even * cos - odd * sin
        out[..., 1::2] = even * sin + odd * cos
        return out

    def backward(ctx, g):
        return Rotary.forward(ctx, g, ctx.options["cos"], -ctx.options["sin"])


def apply_rotary(x, cos, sin):
    """Return queries or keys x (..., length, dim), turned so that products depend on distances between positions.

    cos, sin: (length, dim / 2), rows of what `rotary_positions` returns. Not in PyTorch.
    """
    return Rotary.apply(x, cos=cos.array, sin=sin.array)

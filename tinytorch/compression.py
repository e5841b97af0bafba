"""Module 16, Compression: nearly the same function from fewer numbers.

Masks have the names of torch.nn.utils.prune. A mask alone saves nothing: what does is sparse storage, smaller layers,
factors of low rank, or a small model taught by a large one.
"""

import copy
import itertools

import numpy as np

from .activations import log_softmax, softmax
from .losses import cross_entropy
from .modules import Linear, Module, Sequential
from .tensor import Tensor


def magnitude_mask(a, amount, alive=None):
    """Return a bool array of a's shape that is False at the `amount` smallest |a|.

    amount: a fraction (0.3) or a number (300) of what is alive: where the bool array `alive` is True, or everywhere;
    the rest stays False. Raises ValueError for a fraction outside 0 to 1, or a number of more than there are.
    """
    alive = np.ones(a.shape, np.bool_) if alive is None else alive.copy()
    values = np.abs(a[alive])
    count = amount if isinstance(amount, int) else round(amount * values.size)
    if not 0 <= count <= values.size:
        raise ValueError(f"amount={amount} should be between 0 and 1, or an int up to {values.size}")
    kept = np.ones(values.size, np.bool_)
    kept[np.argsort(values, kind="stable")[:count]] = False
    alive[alive] = kept
    return alive


class Masked:
    """The hook that multiplies a parameter with its mask before each forward."""

    def __init__(self, name):
        self.name = name

    def __call__(self, module, inputs=None):
        setattr(module, self.name, getattr(module, f"{self.name}_orig") * getattr(module, f"{self.name}_mask"))


def custom_from_mask(module, name, mask):
    """Multiply a module's parameter with a mask of 0 and 1 from now on; return the module.

    The parameter becomes `name`_orig, the mask a buffer, `name`_mask. Before each forward `name` is their product, so
    no step of an optimizer revives what is masked. A second mask is multiplied with the first.
    """
    if f"{name}_mask" in module._buffers:
        getattr(module, f"{name}_mask").array[...] *= mask.array
    else:
        original = getattr(module, name)
        delattr(module, name)
        module.register_parameter(f"{name}_orig", original)
        module.register_buffer(f"{name}_mask", Tensor(mask.array.astype(original.array.dtype)))
        module.register_forward_pre_hook(Masked(name))
    Masked(name)(module)
    return module


def l1_unstructured(module, name, amount):
    """Mask those numbers of a module's parameter that are smallest in magnitude; return the module.

    amount: see `magnitude_mask`; what an earlier mask left counts.
    """
    global_unstructured([(module, name)], amount=amount)
    return module


def global_unstructured(parameters, pruning_method=None, amount=0.5):
    """Mask those numbers of [(module, name), ...] that are smallest in magnitude among all of them together.

    pruning_method: PyTorch has several; here it is by magnitude (L1Unstructured), whatever is given.
    """
    weights = [getattr(module, name).array for module, name in parameters]
    masks = [module._buffers.get(f"{name}_mask") for module, name in parameters]
    alive = [np.ones(w.shape, np.bool_) if m is None else m.array > 0 for w, m in zip(weights, masks, strict=True)]
    flat = [np.concatenate([a.ravel() for a in arrays]) for arrays in (weights, alive)]
    parts = np.split(magnitude_mask(flat[0], amount, flat[1]), np.cumsum([w.size for w in weights])[:-1])
    for (module, name), w, part in zip(parameters, weights, parts, strict=True):
        custom_from_mask(module, name, Tensor(part.reshape(w.shape)))


def remove(module, name):
    """Make the mask permanent: the product becomes the parameter again; return the module."""
    hooks = module._forward_pre_hooks
    hooks.hooks = tuple(h for h in hooks.hooks if not (isinstance(h[0], Masked) and h[0].name == name))
    original = getattr(module, f"{name}_orig")
    original.array[...] *= getattr(module, f"{name}_mask").array
    for each in (name, f"{name}_orig", f"{name}_mask"):
        delattr(module, each)
    module.register_parameter(name, original)
    return module


def is_pruned(module):
    """Return whether a module, or one inside it, has a masked parameter."""
    return any(isinstance(hook, Masked) for m in module.modules() for hook, _ in m._forward_pre_hooks.hooks)


class CSRMatrix:
    """A matrix by its non-zeros, row after row: where each row starts, the columns, the values.

    crow_indices: int32 (rows + 1,), col_indices: int16 (int32 from 32,768 columns on), values: as in the matrix.
    """

    def __init__(self, crow_indices, col_indices, values, shape):
        self.crow_indices, self.col_indices, self.values, self.shape = crow_indices, col_indices, values, shape

    @classmethod
    def from_dense(cls, a):
        """Return an array (rows, columns) in this form."""
        rows, columns = np.nonzero(a)
        starts = np.zeros(len(a) + 1, np.int32)
        np.cumsum(np.bincount(rows, minlength=len(a)), out=starts[1:])
        return cls(starts, columns.astype(np.int16 if a.shape[1] < 2**15 else np.int32), a[rows, columns], a.shape)

    def to_dense(self):
        """Return the matrix as an array."""
        out = np.zeros(self.shape, self.values.dtype)
        out[np.repeat(np.arange(self.shape[0]), np.diff(self.crow_indices)), self.col_indices] = self.values
        return out

    @property
    def nbytes(self):
        """Bytes of the three arrays: 6 for each non-zero float32, 4 for each row and 4 more."""
        return self.crow_indices.nbytes + self.col_indices.nbytes + self.values.nbytes

    def matmul(self, x):
        """Return this matrix @ x, (rows, columns) @ (columns, n) -> (rows, n), by products of (non-zeros, n)."""
        out = np.zeros((self.shape[0], x.shape[1]), np.result_type(self.values, x))
        starts, ends = self.crow_indices[:-1], self.crow_indices[1:]
        filled = starts < ends  # reduceat would give an empty row the next row's first product
        if filled.any():
            products = x[self.col_indices] * self.values[:, None]
            out[filled] = np.add.reduceat(products, starts[filled], axis=0)
        return out


class SparseLinear(Module):
    """A Linear whose weight is stored as a CSRMatrix; no gradients."""

    def __init__(self, linear):
        super().__init__()
        csr = CSRMatrix.from_dense(linear.weight.array)
        for name in ("crow_indices", "col_indices", "values"):
            self.register_buffer(name, Tensor(getattr(csr, name)))
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach())

    def forward(self, x):
        """Return x @ weight.T + bias: (..., in) -> (..., out)."""
        parts = (self.crow_indices.array, self.col_indices.array, self.values.array)
        weight = CSRMatrix(*parts, (len(parts[0]) - 1, x.shape[-1]))
        out = weight.matmul(x.array.reshape(-1, x.shape[-1]).T).T.reshape(*x.shape[:-1], -1)
        return Tensor(out if self.bias is None else out + self.bias.array)


def unit_importance(first, second):
    """Return how much each output of a Linear or Conv2d matters to the one after it, an array (outputs,).

    The norm of the weights that make it times the norm of those that use it: that product stays the same when a ReLU
    between them lets one grow as the other shrinks. After Flatten an output has several inputs in a row of `second`.
    """
    outputs = len(first.weight)
    made = np.linalg.norm(first.weight.array.reshape(outputs, -1), axis=1)
    used = second.weight.array.reshape(len(second.weight), outputs, -1)
    return made * np.linalg.norm(used.transpose(1, 0, 2).reshape(outputs, -1), axis=1)


def keep_outputs(layer, kept):
    """Take all but the kept outputs (an index array) out of a Linear, Conv2d or batch norm, in place."""
    for tensor in (*layer._parameters.values(), *layer._buffers.values()):
        if tensor is not None and tensor.ndim > 0:
            tensor.array, tensor.grad = tensor.array[kept], None
    for size in ("out_features", "out_channels", "num_features"):
        if hasattr(layer, size):
            setattr(layer, size, len(kept))


def keep_inputs(layer, kept, count):
    """Take all but the kept of `count` inputs out of a Linear or Conv2d, in place.

    After Flatten each input is several columns of a Linear. Raises ValueError when the layer has not so many.
    """
    w = layer.weight.array
    if getattr(layer, "groups", 1) > 1 or w.shape[1] % count:
        raise ValueError(f"{layer} does not take its inputs from {count} outputs")
    parts = w.reshape(len(w), count, -1, *w.shape[2:])[:, kept]
    layer.weight.array, layer.weight.grad = parts.reshape(len(w), -1, *w.shape[2:]), None
    setattr(layer, "in_features" if w.ndim == 2 else "in_channels", layer.weight.shape[1])


def prune_chain(model, names, amount):
    """Return a copy of a model with smaller layers: those of a chain lose their least important outputs.

    names: of the Linears and Conv2ds in the order in which data passes, with the batch norms among them; nothing else
    may use their outputs, and what lies between works on single elements or channels, or flattens. amount: the
    fraction of outputs to lose; the last layer keeps all of its.
    """
    model = copy.deepcopy(model)
    layers = [model.get_submodule(name) for name in names]
    places = [i for i, layer in enumerate(layers) if layer.weight.ndim > 1]
    for start, end in itertools.pairwise(places):
        scores = unit_importance(layers[start], layers[end])
        count = max(len(scores) - round(amount * len(scores)), 1)
        kept = np.sort(np.argsort(-scores, kind="stable")[:count])
        keep_inputs(layers[end], kept, len(scores))
        for layer in layers[start:end]:
            keep_outputs(layer, kept)
    return model


def factorize(linear, rank):
    """Return two Linears in a Sequential, in -> rank -> out, nearest to one (Eckart and Young 1936).

    weight = U S V.T; the first has sqrt(S) V.T, the second U sqrt(S) and the bias. Saves numbers when rank is below
    in * out / (in + out).
    """
    u, s, vt = np.linalg.svd(linear.weight.array, full_matrices=False)
    if not 1 <= rank <= len(s):
        raise ValueError(f"rank={rank} should be between 1 and {len(s)}")
    root = np.sqrt(s[:rank])
    first = Linear(linear.in_features, rank, bias=False)
    second = Linear(rank, linear.out_features, bias=linear.bias is not None)
    first.weight.array[...], second.weight.array[...] = root[:, None] * vt[:rank], u[:, :rank] * root
    if linear.bias is not None:
        second.bias.array[...] = linear.bias.array
    return Sequential(first, second)


def rank_for(linear, share):
    """Return the smallest rank that keeps a share (0.99) of the sum of squares of a Linear's singular values."""
    energy = np.cumsum(np.linalg.svd(linear.weight.array, compute_uv=False) ** 2)
    return min(int(np.searchsorted(energy, share * energy[-1])) + 1, len(energy))


def distillation_loss(input, teacher, target, temperature=4.0, alpha=0.9):
    """Return alpha * T**2 * KL(teacher || input), both softened by T, + (1 - alpha) * cross_entropy(input, target).

    input, teacher: logits (N, C), gradients reach input only; target: classes (N,). The factor T**2 makes up for
    gradients that shrink with 1 / T**2 (Hinton, Vinyals and Dean 2015).
    """
    soft = softmax(teacher.detach() / temperature, -1)
    gap = soft * (log_softmax(teacher.detach() / temperature, -1) - log_softmax(input / temperature, -1))
    return alpha * temperature**2 * gap.sum() / len(input) + (1 - alpha) * cross_entropy(input, target)

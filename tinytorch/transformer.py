"""Module 13, Transformers: attention and a small network by turns, around a stream of numbers for each token.

Decoder-only language model in the manner of GPT-2 (Radford et al. 2019): normalization before each part, residual
sums around it, one table for tokens going in and coming out.
"""

import math

import numpy as np

from . import _init as init
from ._dtype import as_dtype, float32
from .activations import gelu, relu
from .attention import CausalSelfAttention, MultiheadAttention
from .autograd import no_grad
from .creation import arange, default_generator
from .embeddings import Embedding
from .modules import Dropout, Linear, Module, ModuleList, Parameter
from .tensor import Cat, Function, Tensor


class Standardize(Function):
    """out = x * weight + bias, x = (a - mean) / sqrt(variance + eps) of each row.

    dL/dweight = sum of g * x over rows, dL/dbias = sum of g over rows. With h = g * weight,
    dL/da = (h - mean(h) - x * mean(h * x)) / sqrt(variance + eps). A row is what `size` last numbers make up.
    """

    saves = "inputs"
    centered = True

    def forward(ctx, a, weight=None, bias=None, size=1, eps=1e-5):
        """Return out; x and the rows' scale, 1 / sqrt(variance + eps), stay for backward."""
        rows = a.reshape(math.prod(a.shape) // max(size, 1), size)
        x = rows - row_means(rows) if ctx.centered else rows
        ctx.scale = 1 / np.sqrt(row_means(x, x) + eps)
        ctx.x = x * ctx.scale
        out = ctx.x * weight.reshape(-1) if weight is not None else ctx.x.copy()
        if bias is not None:
            out += bias.reshape(-1)
        return out.reshape(a.shape)

    def backward(ctx, g):
        weight = ctx.inputs[1]
        g = g.reshape(ctx.x.shape)
        gx = g * ctx.x
        grads = [gx.sum(axis=0), g.sum(axis=0)]
        h = g.copy() if weight is None else g * weight.reshape(-1)
        product = np.multiply(ctx.x, row_means(h, ctx.x), out=gx)
        if ctx.centered:
            h -= row_means(h)
        h -= product
        h *= ctx.scale
        grads = [
            None if shape == () else grad.reshape(shape) for grad, shape in zip(grads, ctx.shapes[1:], strict=False)
        ]
        return h.reshape(ctx.shapes[0]), *grads


class RootMeanSquare(Standardize):
    """out = x * weight, x = a / sqrt(mean of a^2 + eps) of each row.  Gradients as in Standardize, without mean(h)."""

    centered = False


def row_means(a, b=None):
    """Return the mean of each row of a, or of a * b, as a column: a product with ones takes half the time of `mean`."""
    b = np.ones(a.shape[1], a.dtype) if b is None else b
    return np.vecdot(a, b)[:, None] / max(a.shape[1], 1)


def _row_size(input, shape, *parameters):
    """Return how many numbers make up a row. Raises RuntimeError when input or parameters do not fit the shape."""
    shape = tuple(shape)
    if input.shape[input.ndim - len(shape) :] != shape or not shape:
        wanted = f"expected input with shape [*, {', '.join(map(str, shape))}]"
        raise RuntimeError(f"Given normalized_shape={list(shape)}, {wanted}, but got input of size{list(input.shape)}")
    for parameter in parameters:
        if parameter is not None and parameter.shape != shape:
            raise RuntimeError(f"weight and bias must have the shape {list(shape)}, got {list(parameter.shape)}")
    return math.prod(shape)


def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-05):
    """Return input with mean 0 and variance 1 over the last dimensions, of normalized_shape, then * weight + bias.

    Ba et al. 2016, "Layer Normalization". Raises RuntimeError when input does not end in normalized_shape.

    >>> tt.nn.functional.layer_norm(tt.tensor([[1.0, 2.0, 3.0]]), (3,))
    tensor([[-1.2247,  0.0000,  1.2247]])
    """
    return Standardize.apply(input, weight, bias, size=_row_size(input, normalized_shape, weight, bias), eps=eps)


def rms_norm(input, normalized_shape, weight=None, eps=None):
    """Return input / sqrt(mean of squares + eps) over the last dimensions, times weight; eps is that of the dtype.

    Zhang and Sennrich 2019, "Root Mean Square Layer Normalization".

    >>> tt.nn.functional.rms_norm(tt.tensor([[3.0, 4.0]]), (2,))
    tensor([[0.8485, 1.1314]])
    """
    size = _row_size(input, normalized_shape, weight)
    eps = float(np.finfo(input.array.dtype).eps) if eps is None else eps
    return RootMeanSquare.apply(input, weight, size=size, eps=eps)


class LayerNorm(Module):
    """Apply `layer_norm` over the last dimensions, with learned weight (from 1) and bias (from 0).

    >>> tt.nn.LayerNorm(3)
    LayerNorm((3,), eps=1e-05, elementwise_affine=True, bias=True)
    """

    def __init__(self, normalized_shape, eps=1e-05, elementwise_affine=True, bias=True, device=None, dtype=None):
        super().__init__()
        self.normalized_shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        kind = as_dtype(dtype or float32).numpy
        for name, wanted, value in (("weight", True, 1), ("bias", bias, 0)):
            array = np.full(self.normalized_shape, value, kind)
            self.register_parameter(name, Parameter(Tensor(array)) if elementwise_affine and wanted else None)

    def forward(self, input):
        """Return input, normalized."""
        return layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self):
        """Return the shape and the options."""
        shown = f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        return f"{shown}, bias={self.bias is not None}"


class RMSNorm(Module):
    """Apply `rms_norm` over the last dimensions, with a learned weight (from 1)."""

    def __init__(self, normalized_shape, eps=None, elementwise_affine=True, device=None, dtype=None):
        super().__init__()
        self.normalized_shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        array = np.ones(self.normalized_shape, as_dtype(dtype or float32).numpy)
        self.register_parameter("weight", Parameter(Tensor(array)) if elementwise_affine else None)

    def forward(self, input):
        """Return input, normalized."""
        return rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self):
        """Return the shape and the options."""
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class TransformerEncoderLayer(Module):
    """Self-attention and a feedforward network, each with dropout, a residual sum and a normalization.

    The normalization comes after the sum as in Vaswani et al. 2017, or before each part if norm_first. activation: a
    function, "relu" or "gelu". src (L, N, d_model), or (N, L, d_model) if batch_first -> the same shape.
    """

    def __init__(
        self,
        d_model,
        nhead,
        dim_feedforward=2048,
        dropout=0.1,
        activation=relu,
        layer_norm_eps=1e-05,
        batch_first=False,
        norm_first=False,
        bias=True,
        device=None,
        dtype=None,
    ):
        super().__init__()
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, dtype=dtype)
        self.linear1 = Linear(d_model, dim_feedforward, bias, dtype=dtype)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, dtype=dtype)
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.dropout1, self.dropout2 = Dropout(dropout), Dropout(dropout)
        self.norm_first = norm_first
        if isinstance(activation, str) and activation not in ("relu", "gelu"):
            raise RuntimeError(f"activation should be relu/gelu, not {activation}")
        self.activation = {"relu": relu, "gelu": gelu}.get(activation, activation)

    def forward(self, src, src_mask=None, src_key_padding_mask=None, is_causal=False):
        """Return src plus what attention and network add to it, normalized. Masks as in MultiheadAttention."""

        def attend(x):
            masks = {"attn_mask": src_mask, "key_padding_mask": src_key_padding_mask}
            return self.dropout1(self.self_attn(x, x, x, need_weights=False, is_causal=is_causal, **masks)[0])

        def feed(x):
            return self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(x)))))

        if self.norm_first:
            src = src + attend(self.norm1(src))
            return src + feed(self.norm2(src))
        src = self.norm1(src + attend(src))
        return self.norm2(src + feed(src))


class MLP(Module):
    """Four times wider, GELU, and back: (..., n_embd) -> the same shape. Not in PyTorch."""

    def __init__(self, n_embd, dropout=0.0, bias=True):
        super().__init__()
        self.fc, self.proj = Linear(n_embd, 4 * n_embd, bias), Linear(4 * n_embd, n_embd, bias)
        self.dropout = Dropout(dropout)

    def forward(self, x):
        """Return the network's output."""
        return self.dropout(self.proj(gelu(self.fc(x))))


class Block(Module):
    """Return x + attention(norm(x)), then x + mlp(norm(x)): (N, L, n_embd) -> the same shape. Not in PyTorch."""

    def __init__(self, n_embd, n_head, dropout=0.0, bias=True):
        super().__init__()
        self.norm1, self.attention = LayerNorm(n_embd, bias=bias), CausalSelfAttention(n_embd, n_head, dropout, bias)
        self.norm2, self.mlp = LayerNorm(n_embd, bias=bias), MLP(n_embd, dropout, bias)

    def forward(self, x):
        """Return x plus what attention and network add to it."""
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class GPT(Module):
    """A language model: tokens (N, L), L at most block_size -> logits (N, L, vocab_size) of each next token.

    The head's weight is the token table. Weights start normal with deviation 0.02, those that write into the stream
    with 0.02 / sqrt(2 * n_layer), so that the stream starts with the same size at any depth. Not in PyTorch.
    """

    def __init__(self, vocab_size, block_size, n_layer, n_head, n_embd, dropout=0.0, bias=True):
        super().__init__()
        self.block_size = block_size
        self.token, self.position = Embedding(vocab_size, n_embd), Embedding(block_size, n_embd)
        self.dropout = Dropout(dropout)
        self.blocks = ModuleList(Block(n_embd, n_head, dropout, bias) for _ in range(n_layer))
        self.norm = LayerNorm(n_embd, bias=bias)
        self.head = Linear(n_embd, vocab_size, bias=False)
        self.head.weight = self.token.weight
        self.reset_parameters()

    def reset_parameters(self):
        """Draw the weights anew; biases are 0."""
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                deep = name.endswith("proj.weight")
                init.normal_(parameter, std=0.02 / math.sqrt(2 * len(self.blocks)) if deep else 0.02)
            elif name.endswith("bias"):
                init.zeros_(parameter)

    def forward(self, idx):
        """Return the logits. Raises ValueError for more than block_size tokens."""
        length = idx.shape[1]
        if length > self.block_size:
            raise ValueError(f"{length} tokens, but block_size is {self.block_size}")
        x = self.dropout(self.token(idx) + self.position(arange(length)))  # (N, L, n_embd)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))

    @no_grad()
    def generate(self, idx, max_new_tokens, temperature=1.0, top_k=None, top_p=None, generator=None):
        """Return tokens (N, L) followed by max_new_tokens drawn one by one, each from the last block_size before it.

        See `sample` for the options. Dropout acts unless the model is in eval mode.
        """
        for _ in range(max_new_tokens):
            logits = self(idx[:, -self.block_size :])[:, -1]
            idx = Cat.apply(idx, sample(logits, temperature, top_k, top_p, generator), dim=1)
        return idx


def sample(logits, temperature=1.0, top_k=None, top_p=None, generator=None):
    """Draw a token from each row of logits (N, vocabulary): (N, 1) int64. Not in PyTorch.

    Logits are divided by temperature (0: always the likeliest), then all but the top_k likeliest tokens are left out,
    then all but the fewest that together have a probability of top_p (Holtzman et al. 2020).
    """
    scores = logits.array.astype(np.float64)
    if temperature == 0:
        return Tensor(scores.argmax(axis=1)[:, None])
    order = np.argsort(-scores, axis=1, kind="stable")  # likeliest first
    scores = np.take_along_axis(scores, order, 1) / temperature
    if top_k is not None:
        scores[:, top_k:] = -np.inf
    probabilities = np.exp(scores - scores[:, :1])
    ends = np.cumsum(probabilities, axis=1)
    if top_p is not None:  # a token stays if those before it have less than top_p
        probabilities[(ends - probabilities) >= top_p * ends[:, -1:]] = 0
        ends = np.cumsum(probabilities, axis=1)
    drawn = (generator or default_generator).rng.random((len(scores), 1)) * ends[:, -1:]
    return Tensor(np.take_along_axis(order, (ends <= drawn).sum(axis=1, keepdims=True), 1))


def gpt_parameters(vocab_size, block_size, n_layer, n_embd, bias=True):
    """Return the number of parameters of a GPT of these sizes, by formula: 12 n_layer n_embd^2 and what is small."""
    d = n_embd
    block = 12 * d * d + 2 * d + bias * (3 * d + d + 4 * d + d + 2 * d)  # four matrices, two norms; their biases
    return (vocab_size + block_size) * d + n_layer * block + d + bias * d


def gpt_flops(vocab_size, n_layer, n_embd, length, batch=1, training=False):
    """Return the floating-point operations of one pass of a GPT over batch * length tokens, by formula.

    2 for each weight of a matrix and token; scores and weighted values take 4 * length * n_embd a token and layer
    (no saving counted for the causal half). The backward pass takes twice the forward pass.
    """
    d = n_embd
    token = 2 * (12 * n_layer * d * d + vocab_size * d) + 4 * n_layer * length * d
    return batch * length * token * (3 if training else 1)

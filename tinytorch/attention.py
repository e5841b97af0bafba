"""Module 12, Attention: every position asks all others, and receives a mean of their values, weighted by relevance.

Shapes: (..., L, E) queries, (..., S, E) keys, (..., S, Ev) values -> (..., L, Ev); the dots are batch and heads.
"""

import math
from typing import Any

import numpy as np

from ._dtype import as_dtype, float32
from ._init import xavier_normal_, xavier_uniform_
from .activations import softmax
from .creation import default_generator, zeros
from .modules import Linear, Module, Parameter, dropout, linear
from .tensor import Cat, Function, MatMul, Tensor


class Attention(Function):
    """out = w @ v, w = softmax(scale * q @ k.T + mask) over the keys, zeroed here and there by dropout.

    dL/dv = w.T @ g. With d = w * (g @ v.T - row sums of g * out), the gradient of the scores:
    dL/dq = scale * d @ k, dL/dk = scale * d.T @ q, dL/dmask = d.
    """

    saves = "both"

    def forward(ctx, q, k, v, mask=None, is_causal=False, dropout_p=0.0, scale=1.0):
        """Return out. For backward stay e = exp(scores - largest) and the row sums of e: softmax = e / total.

        The division waits until the end, where there are fewer numbers. A row that may look at nothing gives 0.
        """
        scores = MatMul.multiply(q * scale, k.swapaxes(-1, -2))
        scores = hide(scores, mask, is_causal)
        scores -= row_max(scores)
        ctx.e = np.exp(scores, out=scores)
        total = ctx.e.sum(axis=-1, keepdims=True)
        ctx.share = np.divide(1, total, out=np.zeros_like(total), where=total > 0)
        ctx.kept = dropout_mask(scores, dropout_p) if dropout_p else None
        out = MatMul.multiply(ctx.e if ctx.kept is None else ctx.e * ctx.kept, v)
        out *= ctx.share
        return out

    def backward(ctx, g):
        q, k, v, *_ = ctx.inputs
        g = g * ctx.share
        dropped = ctx.e if ctx.kept is None else ctx.e * ctx.kept
        dv = MatMul.multiply(dropped.swapaxes(-1, -2), g)
        d = MatMul.multiply(g, v.swapaxes(-1, -2))
        if ctx.kept is not None:
            d *= ctx.kept
        d -= np.vecdot(g, ctx.output)[..., None]
        d *= ctx.e
        dq, dk = MatMul.multiply(d, k), MatMul.multiply(d.swapaxes(-1, -2), q)
        dq *= ctx.options["scale"]
        dk *= ctx.options["scale"]
        return dq, dk, dv, *[d for _ in ctx.inputs[3:]]


def hide(scores, mask, is_causal):
    """Return scores (..., L, S) with -inf where a query must not see a key: mask is False, or the key comes later.

    mask: bool (True may be seen) or float (added), broadcast; is_causal: query i sees keys 0 to i.
    """
    if is_causal:
        scores += np.triu(np.full(scores.shape[-2:], -np.inf, scores.dtype), 1)
    if mask is None:
        return scores
    return np.add(scores, np.where(mask, 0, -np.inf) if mask.dtype == np.bool_ else mask, dtype=scores.dtype)


def row_max(scores):
    """Return the largest number of each row, (..., L, 1), and 0 for a row of nothing but -inf.

    NumPy finds where it is, four numbers at a time, faster than it finds the number itself.
    """
    if scores.size == 0:
        return np.zeros((*scores.shape[:-1], 1), scores.dtype)
    rows = scores.reshape(-1, scores.shape[-1])
    largest = rows[np.arange(len(rows)), rows.argmax(axis=1)].reshape(*scores.shape[:-1], 1)
    return np.where(largest == -np.inf, 0, largest)


def dropout_mask(a, p):
    """Return what dropout multiplies an array with: 0 with probability p, else 1 / (1 - p)."""
    keep = default_generator.rng.random(a.shape, np.float32) >= p
    return np.multiply(keep, 1 / (1 - p) if p < 1 else 0.0, dtype=a.dtype)


def scaled_dot_product_attention(
    query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False
):
    """Return softmax(query @ key.T * scale + mask) @ value; scale is 1 / sqrt(E) unless given.

    attn_mask: (L, S) or more, broadcast: bool, where True lets a query see a key, or float, added to the scores.
    is_causal: query i sees keys 0 to i. dropout_p drops weights, in any mode. enable_gqa: query has a multiple of the
    heads (dimension -3) of key and value, which are repeated. Vaswani et al. 2017, section 3.2.1.
    Raises RuntimeError for two dtypes, for sizes that do not fit, and for attn_mask together with is_causal.

    >>> q, k = tt.tensor([[1.0, 0.0]]), tt.tensor([[0.0, 1.0], [0.0, 2.0]])
    >>> tt.nn.functional.scaled_dot_product_attention(q, k, k)
    tensor([[0.0000, 1.5000]])
    """
    if attn_mask is not None and is_causal:
        raise RuntimeError("scaled_dot_product_attention: attn_mask must not be given with is_causal=True")
    kinds = {query.dtype, key.dtype, value.dtype}
    if len(kinds) > 1 or min(query.ndim, key.ndim, value.ndim) < 2:
        raise RuntimeError(f"expected query, key and value of one dtype and at least 2 dimensions, got {kinds}")
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        raise RuntimeError(f"query {query.shape}, key {key.shape} and value {value.shape} do not fit together")
    if enable_gqa:
        key, value = (x.repeat_interleave(query.shape[-3] // x.shape[-3], -3) for x in (key, value))
    scale = 1 / math.sqrt(max(query.shape[-1], 1)) if scale is None else scale
    inputs = (query, key, value) if attn_mask is None else (query, key, value, attn_mask)
    return Attention.apply(*inputs, is_causal=is_causal, dropout_p=dropout_p, scale=scale)


class ChunkedAttention(Function):
    """Give what Attention gives, for one chunk of keys at a time: memory grows with the length, not with its square.

    Going through the keys, the rows keep their largest score so far, the sum of e^(score - largest) and the
    weighted sum of values; both sums shrink by e^(old - new) when the largest grows. Backward computes each chunk's
    weights again from log(total). Milakov and Gimelshein 2018; Dao et al. 2022, "FlashAttention".
    """

    saves = "both"

    def forward(ctx, q, k, v, is_causal=False, scale=1.0, chunk_size=64):
        """Return out. For backward, besides inputs and output, only one number per row stays."""
        lead = np.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
        out = np.zeros((*lead, q.shape[-2], v.shape[-1]), q.dtype)
        total = np.zeros((*out.shape[:-1], 1), q.dtype)
        largest = np.full_like(total, -np.inf)
        for keys, rows, scores in ctx.chunks(q, k):
            new = np.maximum(largest[rows], row_max(scores))
            shrink = np.exp(largest[rows] - new)
            scores -= new
            weights = np.exp(scores, out=scores)
            total[rows] = total[rows] * shrink + weights.sum(axis=-1, keepdims=True)
            out[rows] = out[rows] * shrink + MatMul.multiply(weights, v[keys])
            largest[rows] = new
        out /= total
        ctx.log_total = np.log(total) + largest
        return out

    def chunks(ctx, q, k):
        """Yield, chunk by chunk, (index of keys, index of the queries that may see them, their scores)."""
        size, causal = ctx.options["chunk_size"], ctx.options["is_causal"]
        for first in range(0, k.shape[-2], size):
            keys = (..., slice(first, first + size), slice(None))
            rows = (..., slice(first if causal else 0, None), slice(None))
            scores = MatMul.multiply(q[rows] * ctx.options["scale"], k[keys].swapaxes(-1, -2))
            yield keys, rows, hide(scores, None, causal)

    def backward(ctx, g):
        (q, k, v), scale = ctx.inputs, ctx.options["scale"]
        mean = np.vecdot(g, ctx.output)[..., None]
        dq = np.zeros((*g.shape[:-1], q.shape[-1]), g.dtype)
        dk, dv = (np.zeros((*g.shape[:-2], *x.shape[-2:]), g.dtype) for x in (k, v))
        for keys, rows, scores in ctx.chunks(q, k):
            scores -= ctx.log_total[rows]
            weights = np.exp(scores, out=scores)
            dv[keys] = MatMul.multiply(weights.swapaxes(-1, -2), g[rows])
            d = MatMul.multiply(g[rows], v[keys].swapaxes(-1, -2))
            d -= mean[rows]
            d *= weights
            d *= scale
            dq[rows] += MatMul.multiply(d, k[keys])
            dk[keys] = MatMul.multiply(d.swapaxes(-1, -2), q[rows])
        return dq, dk, dv


def chunked_attention(query, key, value, is_causal=False, scale=None, chunk_size=64):
    """Return `scaled_dot_product_attention` of the same arguments, in memory that grows with L, not with L * S.

    Not in PyTorch under this name (there it is what scaled_dot_product_attention may choose to do).
    """
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    return ChunkedAttention.apply(query, key, value, is_causal=is_causal, scale=scale, chunk_size=chunk_size)


def split_heads(x, heads):
    """Return (..., L, heads * E) as (..., heads, L, E), a view. Not in PyTorch."""
    return x.reshape(*x.shape[:-1], heads, x.shape[-1] // heads).transpose(-2, -3)


def merge_heads(x):
    """Return (..., heads, L, E) as (..., L, heads * E), the inverse of `split_heads`. Not in PyTorch."""
    x = x.transpose(-2, -3)
    return x.reshape(*x.shape[:-2], x.shape[-2] * x.shape[-1])


class NonDynamicallyQuantizableLinear(Linear):
    """A Linear under the name that PyTorch prints for the last layer of MultiheadAttention."""


class MultiheadAttention(Module):
    """Attention in num_heads parts of embed_dim / num_heads numbers, between linear layers.

    query (L, N, embed_dim), key (S, N, kdim), value (S, N, vdim); (N, L, ...) if batch_first, or without N.
    add_bias_kv adds a learned key and value, add_zero_attn a key and value of zeros. Vaswani et al. 2017,
    section 3.2.2. Masks receive no gradients here. Raises AssertionError unless num_heads divides embed_dim.

    >>> attend = tt.nn.MultiheadAttention(8, num_heads=2, batch_first=True)
    >>> x = tt.ones(3, 5, 8)
    >>> [part.shape for part in attend(x, x, x)]
    [torch.Size([3, 5, 8]), torch.Size([3, 5, 5])]
    """

    def __init__(
        self,
        embed_dim,
        num_heads,
        dropout=0.0,
        bias=True,
        add_bias_kv=False,
        add_zero_attn=False,
        kdim=None,
        vdim=None,
        batch_first=False,
        device=None,
        dtype=None,
    ):
        super().__init__()
        if embed_dim % num_heads:
            raise AssertionError("embed_dim must be divisible by num_heads")
        self.embed_dim, self.num_heads, self.head_dim = embed_dim, num_heads, embed_dim // num_heads
        self.kdim, self.vdim = kdim or embed_dim, vdim or embed_dim
        self.dropout, self.batch_first, self.add_zero_attn = dropout, batch_first, add_zero_attn
        packed = self.kdim == self.vdim == embed_dim
        for name, shape, wanted in (
            ("q_proj_weight", (embed_dim, embed_dim), not packed),
            ("k_proj_weight", (embed_dim, self.kdim), not packed),
            ("v_proj_weight", (embed_dim, self.vdim), not packed),
            ("in_proj_weight", (3 * embed_dim, embed_dim), packed),
            ("in_proj_bias", (3 * embed_dim,), bias),
            ("bias_k", (1, 1, embed_dim), add_bias_kv),
            ("bias_v", (1, 1, embed_dim), add_bias_kv),
        ):
            array = np.zeros(shape, as_dtype(dtype or float32).numpy)
            self.register_parameter(name, Parameter(Tensor(array)) if wanted else None)
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias, dtype=dtype)
        self.reset_parameters()

    def reset_parameters(self):
        """Draw the weights before the heads anew; biases are 0."""
        for name, parameter in self.named_parameters():
            if name.endswith("proj_weight"):
                xavier_uniform_(parameter)
            elif name.startswith("bias_"):
                xavier_normal_(parameter)
            elif name.endswith("bias"):
                parameter.array[...] = 0

    def forward(
        self,
        query,
        key,
        value,
        key_padding_mask=None,
        need_weights=True,
        attn_mask=None,
        average_attn_weights=True,
        is_causal=False,
    ):
        """Return (output, weights): output like query; weights (N, L, S), or (N, heads, L, S) if not averaged, or None.

        key_padding_mask: (N, S); attn_mask: (L, S) or (N * heads, L, S); bool, where True hides a key (other than in
        scaled_dot_product_attention), or float, added to the scores. is_causal only says that attn_mask is causal.
        """
        if is_causal and attn_mask is None:
            raise RuntimeError("Need attn_mask if specifying the is_causal hint.")
        q, k, v = self.project(query, key, value)
        mask = self.merge_masks(attn_mask, key_padding_mask, q, k)
        dropout_p = self.dropout if self.training else 0.0
        if need_weights:
            scores = (q * self.head_dim**-0.5) @ k.transpose(-2, -1)
            weights = dropout(softmax(scores if mask is None else scores + mask, -1), dropout_p)
            out = weights @ v
            weights = weights.mean(1) if average_attn_weights else weights
        else:
            out, weights = scaled_dot_product_attention(q, k, v, mask, dropout_p), None
        out = self.out_proj(merge_heads(out))
        if query.ndim == 2:
            return out.squeeze(0), weights if weights is None else weights.squeeze(0)
        return (out if self.batch_first else out.transpose(0, 1)), weights

    def project(self, query, key, value):
        """Return queries, keys and values of the heads, each (N, heads, length, head_dim)."""
        inputs, same = (query, key, value), query is key is value
        if query.shape[-1] != self.embed_dim:
            raise AssertionError(f"expected embedding dimension {self.embed_dim}, but got {query.shape[-1]}")
        if query.ndim == 2:
            inputs = tuple(x.unsqueeze(0) for x in inputs)
        elif not self.batch_first:
            inputs = tuple(x.transpose(0, 1) for x in inputs)
        if self.in_proj_weight is not None and same:
            parts = linear(inputs[0], self.in_proj_weight, self.in_proj_bias).chunk(3, -1)
        else:
            weights = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
            weights = weights if self.in_proj_weight is None else self.in_proj_weight.chunk(3)
            biases = (None, None, None) if self.in_proj_bias is None else self.in_proj_bias.chunk(3)
            parts = [linear(*of) for of in zip(inputs, weights, biases, strict=True)]
        if self.bias_k is not None:
            batch = (len(parts[1]), 1, self.embed_dim)
            more = (self.bias_k.expand(batch), self.bias_v.expand(batch))
            parts = [parts[0], *(Cat.apply(x, bias, dim=1) for x, bias in zip(parts[1:], more, strict=True))]
        q, k, v = (split_heads(x, self.num_heads) for x in parts)
        if self.add_zero_attn:
            k, v = (Cat.apply(x, zeros(*x.shape[:2], 1, x.shape[3], dtype=x.dtype), dim=2) for x in (k, v))
        return q, k, v

    def merge_masks(self, attn_mask, key_padding_mask, q, k):
        """Return both masks as one, to be added to scores (N, heads, L, S), or None."""
        extra = (self.bias_k is not None) + self.add_zero_attn
        (batch, heads, rows), columns = q.shape[:3], k.shape[2] - extra
        merged: Any = None
        for mask, shape in ((attn_mask, (-1, heads, rows, columns)), (key_padding_mask, (batch, 1, 1, columns))):
            if mask is None:
                continue
            if mask.ndim == 2 and mask is attn_mask:
                shape = (1, 1, rows, columns)
            added = np.where(mask.array, -np.inf, 0) if mask.array.dtype == np.bool_ else mask.array
            if added.size not in (math.prod(shape), batch * heads * rows * columns):
                raise RuntimeError(
                    f"a mask of shape {mask.shape} does not fit scores of {(batch, heads, rows, columns)}"
                )
            added = added.reshape(shape)
            merged = added if merged is None else merged + added
        if merged is None:
            return None
        return Tensor(np.pad(merged, [(0, 0)] * 3 + [(0, extra)]).astype(q.array.dtype))


class CausalSelfAttention(Module):
    """Self-attention in which position t sees positions 0 to t: x (N, L, n_embd) -> the same shape. Not in PyTorch.

    `qkv` makes queries, keys and values in one product, `proj` mixes what the heads found. dropout: of weights and out.
    """

    def __init__(self, n_embd, n_head, dropout=0.0, bias=True):
        super().__init__()
        if n_embd % n_head:
            raise ValueError(f"n_embd {n_embd} is not divisible by n_head {n_head}")
        self.n_head, self.dropout = n_head, dropout
        self.qkv = Linear(n_embd, 3 * n_embd, bias)
        self.proj = Linear(n_embd, n_embd, bias)

    def forward(self, x):
        """Return what each position gathers from itself and those before it."""
        q, k, v = (split_heads(part, self.n_head) for part in self.qkv(x).chunk(3, -1))
        dropout_p = self.dropout if self.training else 0.0
        out = scaled_dot_product_attention(q, k, v, is_causal=True, dropout_p=dropout_p)
        return dropout(self.proj(merge_heads(out)), self.dropout, self.training)

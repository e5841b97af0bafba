"""Module 18, Memoization: keys and values of tokens that were seen are kept, so a new token costs one row, not all.

Without the cache the n-th token costs a pass over n tokens; with it, a pass over 1 that looks at n keys.
"""

import numpy as np

from ._dtype import as_dtype, float32
from .attention import merge_heads, scaled_dot_product_attention, split_heads
from .autograd import no_grad
from .tensor import Tensor
from .transformer import sample


class KVCache:
    """Keys and values of the last tokens of each row of a batch, for each layer; rows may differ in length.

    capacity: tokens kept for each row, each at slot position % capacity, so that the newest replaces the oldest.
    Arrays: keys, values (n_layer, batch, capacity, n_head, head_dim); positions (batch, capacity), -1 where a slot is
    empty; lengths (batch,), tokens seen. One pass over t new tokens: `begin`, an `update` for each layer, `advance`.
    """

    def __init__(self, n_layer, batch, capacity, n_head, head_dim, dtype=float32):
        shape = (n_layer, batch, capacity, n_head, head_dim)
        self.keys, self.values = (np.zeros(shape, as_dtype(dtype).numpy) for _ in range(2))
        self.positions = np.full((batch, capacity), -1)
        self.lengths = np.zeros(batch, np.int64)

    @classmethod
    def of(cls, model, batch, window=None):
        """Return an empty cache for a GPT: for block_size tokens, or for the last `window`."""
        attention = model.blocks[0].attention
        capacity = min(window or model.block_size, model.block_size)
        head_dim = attention.proj.in_features // attention.n_head
        return cls(len(model.blocks), batch, capacity, attention.n_head, head_dim, model.token.weight.dtype)

    @property
    def nbytes(self):
        """Bytes that keys and values take."""
        return self.keys.nbytes + self.values.nbytes

    def begin(self, count, valid=None):
        """Plan a pass over `count` new tokens in each row, of which the first valid[row] are real (all by default).

        Returns their positions (batch, count). self.visible (batch, 1, count, slots) then says which keys each may
        see: those of its own and earlier positions, capacity at most; self.seen is the positions of these keys.
        """
        self.new = self.lengths[:, None] + np.arange(count)
        self.after = self.lengths + (count if valid is None else valid)
        kept = (self.new < self.after[:, None]) & (self.new >= self.after[:, None] - self.positions.shape[1])
        self.rows, self.columns = np.nonzero(kept)
        positions = self.new[self.rows, self.columns]
        self.slots = positions % self.positions.shape[1]
        self.used = min(int(self.lengths.max(initial=0)) + (count == 1), self.positions.shape[1])
        old = self.positions[:, : self.used].copy()
        self.positions[self.rows, self.slots] = positions
        if count == 1:  # the one new key is looked up in the cache; more are put beside it, and stored after
            self.seen = self.positions[:, : self.used]
        else:
            self.seen = np.concatenate([old, self.new], axis=1)
        ahead = self.new[:, :, None] - self.seen[:, None, :]
        visible = (ahead >= 0) & (ahead < self.positions.shape[1]) & (self.seen >= 0)[:, None, :]
        self.visible = visible[:, None]
        return self.new

    def update(self, layer, k, v):
        """Store the new tokens' k and v (batch, t, n_head, head_dim); return all keys and values they may look at."""
        found = []
        for table, new in ((self.keys[layer], k), (self.values[layer], v)):
            together = np.concatenate([table[:, : self.used], new], axis=1) if new.shape[1] > 1 else None
            table[self.rows, self.slots] = new[self.rows, self.columns]
            found.append(table[:, : self.used] if together is None else together)
        return found

    def advance(self):
        """Count the new tokens as seen."""
        self.lengths = self.after


def cached_attention(attention, x, cache, layer):
    """Return what a CausalSelfAttention makes of new tokens x (batch, t, n_embd) beside those in the cache."""
    q, k, v = (split_heads(part, attention.n_head) for part in attention.qkv(x).chunk(3, -1))
    keys, values = cache.update(layer, *(part.array.swapaxes(1, 2) for part in (k, v)))
    keys, values = (Tensor(part.swapaxes(1, 2)) for part in (keys, values))
    mask = None if cache.visible.all() else Tensor(cache.visible)
    return attention.proj(merge_heads(scaled_dot_product_attention(q, keys, values, mask)))


@no_grad()
def cached_logits(model, idx, cache, valid=None):
    """Return a GPT's logits (batch, t, vocabulary) for new tokens idx (batch, t), and add these to the cache.

    valid: how many of a row's tokens are real, for rows of different lengths. Equal to the model's own logits within
    1e-5, dropout apart, as long as the cache holds all earlier tokens. Raises ValueError beyond block_size.
    """
    positions = cache.begin(idx.shape[1], valid)
    if cache.after.max() > model.block_size:
        raise ValueError(f"{cache.after.max()} tokens, but block_size is {model.block_size}")
    x = model.token(idx) + model.position(Tensor(np.minimum(positions, model.block_size - 1)))
    for layer, block in enumerate(model.blocks):
        x = x + cached_attention(block.attention, block.norm1(x), cache, layer)
        x = x + block.mlp(block.norm2(x))
    cache.advance()
    return model.head(model.norm(x))


def generate(
    model, idx, max_new_tokens, temperature=1.0, top_k=None, top_p=None, generator=None, lengths=None, window=None
):
    """Return what `model.generate` returns for the same arguments, faster: each token after the first costs one row.

    lengths: real tokens in each row of idx, if they differ; a row's new tokens follow its own, and the rest of the row
    is 0. window: attend only to the last so many tokens. Beyond block_size all positions shift with every token, so
    that nothing can be kept: each token is a full pass then.
    """
    batch, longest = idx.shape
    lengths = np.full(batch, longest) if lengths is None else np.array(lengths)
    tokens = np.zeros((batch, longest + max_new_tokens), np.int64)
    tokens[:, :longest] = np.where(np.arange(longest) < lengths[:, None], idx.array, 0)
    cache, rows = None, np.arange(batch)
    for _ in range(max_new_tokens):
        if cache is None or lengths.max() > model.block_size:
            cache = KVCache.of(model, batch, window)
            first = np.maximum(lengths - model.block_size, 0)[:, None]
            columns = first + np.arange(min(lengths.max(), model.block_size))
            valid = lengths - first[:, 0]
            part = np.take_along_axis(tokens, np.minimum(columns, tokens.shape[1] - 1), 1)
            logits = cached_logits(model, Tensor(part), cache, valid).array[rows, valid - 1]
        else:
            logits = cached_logits(model, Tensor(tokens[rows, lengths - 1][:, None]), cache).array[:, 0]
        tokens[rows, lengths] = sample(Tensor(logits), temperature, top_k, top_p, generator).array[:, 0]
        lengths = lengths + 1
    return Tensor(tokens)


def kv_cache_bytes(n_layer, n_embd, length, batch=1, itemsize=4):
    """Return the bytes of keys and values of so many tokens, by formula: two numbers for each layer and feature.

    >>> tt.kv_cache.kv_cache_bytes(n_layer=12, n_embd=768, length=1024, itemsize=2)
    37748736
    """
    return 2 * n_layer * n_embd * length * batch * itemsize

"""Activations, losses, embeddings, attention, GPT and its cache: what PyTorch's own samples do not cover."""

import math
import time
import tracemalloc
import warnings

import numpy as np
import pytest

import tinytorch as tt
from tinytorch import activations, attention, embeddings, kv_cache, losses, transformer
from tinytorch.tensor import MatMul

VOCABULARY, BLOCK = 50, 24


def normal(*shape, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def leaf(array):
    return tt.Tensor(np.array(array), requires_grad=True)


def close(a, b, tolerance=1e-5):
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def numeric_gradient(function, array, weights, step=1e-6):
    """Return d(sum of function(array) * weights) / d(array), in float64, by central differences."""
    grad = np.empty_like(array)
    for index in np.ndindex(array.shape):
        ends = []
        for sign in (1, -1):
            moved = array.copy()
            moved[index] += sign * step
            ends.append((function(moved) * weights).sum())
        grad[index] = (ends[0] - ends[1]) / (2 * step)
    return grad


# Activations and losses far from 0.


EXTREME = np.array([-1e30, -1000, -100, -20, -1, -1e-3, 0, 1e-3, 1, 20, 100, 1000, 1e30], np.float32)


def test_the_normal_distribution_is_within_a_millionth_of_the_exact_one():
    a = np.concatenate([np.linspace(-10, 10, 20_001), EXTREME]).astype(np.float32)
    exact = np.array([math.erfc(-x / math.sqrt(2)) / 2 for x in a.tolist()])
    assert np.abs(activations.normal_cdf(a) - exact).max() < 2e-7
    out = activations.GELU.evaluate(a[:20_001], "none")[0]
    assert np.abs(out - a[:20_001] * exact[:20_001]).max() < 1e-6
    assert activations.normal_cdf(a.astype(np.float64)) == pytest.approx(exact, abs=1e-15)


@pytest.mark.parametrize(
    "name", ["relu", "leaky_relu", "elu", "sigmoid", "tanh", "gelu", "silu", "softplus", "logsigmoid"]
)
def test_activations_neither_overflow_nor_warn(name):
    torch = pytest.importorskip("torch")
    x, y = leaf(EXTREME), torch.tensor(EXTREME, requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = getattr(activations, name)(x)
        out.sum().backward()
    expected = getattr(torch.nn.functional, name)(y)
    expected.sum().backward()
    close(out.detach().numpy(), expected.detach().numpy())
    close(x.grad.numpy(), y.grad.numpy())


def test_a_kernel_that_is_put_into_gelu_is_used(monkeypatch):
    calls = []

    def kernel(a, approximate):
        calls.append(approximate)
        return a * 2, np.full_like(a, 0.5)

    monkeypatch.setattr(activations.GELU, "evaluate", staticmethod(kernel))
    assert activations.gelu(tt.tensor([3.0]), approximate="tanh").tolist() == [6.0] and calls == ["tanh"]


def test_an_output_changed_in_place_is_refused_only_where_backward_needs_it():
    x = leaf(normal(5))
    activations.silu(x * 1).mul_(2).sum().backward()
    with pytest.raises(RuntimeError, match="modified by an inplace"):
        activations.sigmoid(x * 1).mul_(2).sum().backward()


def test_losses_at_logits_of_a_thousand():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        logits = leaf([[1000.0, 0, -1000], [-1000, 1000, 0]])
        loss = losses.cross_entropy(logits, tt.tensor([0, 2]), reduction="none")
        loss.sum().backward()
        binary = losses.binary_cross_entropy_with_logits(
            tt.tensor([1000.0, -1000.0]), tt.tensor([0.0, 0.0]), reduction="none"
        )
    assert loss.tolist() == [0, 1000] and binary.tolist() == [1000, 0]
    assert logits.grad.tolist() == [[0, 0, 0], [0, 1, -1]]


def test_cross_entropy_with_everything_at_once():
    torch = pytest.importorskip("torch")
    x, weight, target = (
        normal(2, 5, 3, 4),
        np.abs(normal(5, seed=1)),
        np.random.default_rng(2).integers(0, 5, (2, 3, 4)),
    )
    for reduction in ("mean", "sum", "none"):
        options = {"ignore_index": 2, "reduction": reduction, "label_smoothing": 0.2}
        a, b = leaf(x), torch.tensor(x, requires_grad=True)
        out = losses.cross_entropy(a, tt.Tensor(target), tt.Tensor(weight), **options)
        expected = torch.nn.functional.cross_entropy(b, torch.tensor(target), torch.tensor(weight), **options)
        out.sum().backward()
        expected.sum().backward()
        close(out.detach().numpy(), expected.detach().numpy())
        close(a.grad.numpy(), b.grad.numpy())


# Embeddings.


@pytest.mark.parametrize(("count", "rows"), [(0, 4), (1, 4), (50, 4), (50, 1000), (3000, 300)])
def test_scatter_add_adds_up_what_is_named_twice(count, rows):
    indices, values = np.random.default_rng(0).integers(0, rows, count), normal(count, 8)
    expected = np.zeros((rows, 8), np.float32)
    np.add.at(expected, indices, values)
    close(embeddings.scatter_add(values, indices, rows), expected, 1e-4)


def test_scatter_add_is_faster_than_numpys():
    indices, values = np.random.default_rng(0).zipf(1.5, 2048) % 300, normal(2048, 64)
    ways = (
        lambda: embeddings.scatter_add(values, indices, 300),
        lambda: np.add.at(np.zeros((300, 64), np.float32), indices, values),
    )
    times: list[list[int]] = [[], []]
    for turn in range(40):  # by turns: another program's load hits both
        start = time.perf_counter_ns()
        ways[turn % 2]()
        times[turn % 2].append(time.perf_counter_ns() - start)
    assert min(times[0]) < min(times[1])


def test_the_table_may_change_between_forward_and_backward():
    table = leaf(normal(4, 3))
    loss = embeddings.embedding(tt.tensor([1, 1]), table).sum()
    with tt.no_grad():
        table.mul_(2)
    loss.backward()
    assert table.grad.tolist() == [[0, 0, 0], [2, 2, 2], [0, 0, 0], [0, 0, 0]]


def test_sinusoidal_positions_follow_the_paper():
    table = embeddings.sinusoidal_positions(30, 7).numpy()
    for position in (0, 1, 29):
        for i in range(7):
            angle = position / 10000 ** ((i - i % 2) / 7)
            assert table[position, i] == pytest.approx(math.cos(angle) if i % 2 else math.sin(angle), abs=1e-6)


def test_rotary_products_depend_on_distances_only():
    cos, sin = embeddings.rotary_positions(20, 8)
    q, k = (np.tile(normal(1, 8, seed=seed), (20, 1)) for seed in (1, 2))
    q, k = (embeddings.apply_rotary(tt.Tensor(x), cos, sin).numpy() for x in (q, k))
    products = q @ k.T
    for distance in (-7, 0, 3):
        diagonal = np.diagonal(products, distance)
        close(diagonal, np.full_like(diagonal, diagonal[0]))
    close(np.linalg.norm(q, axis=1), np.full(20, np.linalg.norm(q[0])))


def test_rotary_gradient():
    cos, sin = embeddings.rotary_positions(5, 4)
    x, weights = leaf(normal(2, 5, 4, dtype=np.float64)), normal(2, 5, 4, seed=1, dtype=np.float64)
    embeddings.apply_rotary(x, cos, sin).backward(tt.Tensor(weights))
    expected = numeric_gradient(lambda a: embeddings.apply_rotary(tt.Tensor(a), cos, sin).array, x.array, weights)
    close(x.grad.numpy(), expected, 1e-6)


# Attention.


def attend(function, arrays, **options):
    """Return (out, gradients of the inputs), the gradient of out being fixed."""
    inputs = [leaf(array) for array in arrays]
    out = function(*inputs, **options)
    out.backward(tt.Tensor(normal(*out.shape, seed=9, dtype=out.array.dtype)))
    return [out.detach().numpy(), *(x.grad.numpy() for x in inputs)]


@pytest.mark.parametrize("chunk_size", [1, 3, 8, 100])
@pytest.mark.parametrize("is_causal", [False, True])
def test_chunked_attention_gives_the_same_numbers(chunk_size, is_causal):
    arrays = [normal(2, 3, length, 4, seed=length, dtype=np.float64) * 3 for length in (11, 13, 14)]
    arrays[2] = arrays[2][:, :, 1:]
    expected = attend(attention.scaled_dot_product_attention, arrays, is_causal=is_causal)
    found = attend(attention.chunked_attention, arrays, is_causal=is_causal, chunk_size=chunk_size)
    for a, b in zip(found, expected, strict=True):
        close(a, b, 1e-9)


def peak(function, length):
    q = leaf(normal(1, length, 8))
    tracemalloc.start()
    function(q, q, q, is_causal=True).sum().backward()
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found


def test_chunked_attention_needs_memory_that_grows_with_the_length():
    plain = peak(attention.scaled_dot_product_attention, 2048) / peak(attention.scaled_dot_product_attention, 1024)
    chunked = peak(attention.chunked_attention, 2048) / peak(attention.chunked_attention, 1024)
    assert plain > 3.5 and chunked < 2.2


def test_attention_with_scores_of_a_thousand():
    q = normal(1, 6, 4, dtype=np.float64) * 1000
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for function in (attention.scaled_dot_product_attention, attention.chunked_attention):
            assert np.isfinite(np.concatenate([part.ravel() for part in attend(function, [q, q, q])])).all()


def test_attention_that_may_look_at_nothing_gives_zero():
    mask = tt.tensor([[True, False], [False, False]])
    x = leaf(normal(2, 3))
    out = attention.scaled_dot_product_attention(x, x, x, mask)
    out.sum().backward()
    assert out[1].tolist() == [0, 0, 0] and np.isfinite(x.grad.numpy()).all()


def test_attention_gradient_with_dropout():
    arrays = [normal(5, 4, seed=seed, dtype=np.float64) for seed in range(3)]
    weights = normal(5, 4, seed=9, dtype=np.float64)

    def run(*parts):
        tt.manual_seed(3)
        parts = [part if isinstance(part, tt.Tensor) else tt.Tensor(part) for part in parts]
        return attention.scaled_dot_product_attention(*parts, dropout_p=0.4)

    grads = attend(run, arrays)[1:]
    for i, grad in enumerate(grads):
        rest = lambda a, i=i: run(*arrays[:i], a, *arrays[i + 1 :]).array  # noqa: E731
        close(grad, numeric_gradient(rest, arrays[i], weights), 1e-6)


def test_dropout_drops_that_share_and_keeps_the_mean():
    tt.manual_seed(0)
    out = attention.scaled_dot_product_attention(tt.zeros(400, 8), tt.zeros(500, 8), tt.ones(500, 1), dropout_p=0.25)
    assert out.mean().item() == pytest.approx(1, abs=0.01)


def test_splitting_heads_is_a_view_and_merging_undoes_it():
    x = tt.Tensor(normal(2, 5, 12))
    heads = attention.split_heads(x, 3)
    assert heads.shape == (2, 3, 5, 4) and np.shares_memory(heads.array, x.array)
    assert attention.merge_heads(heads).tolist() == x.tolist()


# GPT.


def gpt(**options):
    tt.manual_seed(0)
    model = transformer.GPT(VOCABULARY, BLOCK, n_layer=2, n_head=2, n_embd=16, **options)
    for parameter in model.parameters():  # away from the start, where all logits are nearly equal
        parameter.array[...] += normal(*parameter.shape, seed=parameter.numel()) * 0.2
    return model


@pytest.fixture(scope="module")
def model():
    return gpt()


@pytest.fixture(scope="module")
def tokens():
    return tt.Tensor(np.random.default_rng(1).integers(0, VOCABULARY, (3, 20)))


def test_a_token_changes_no_logits_before_it(model, tokens):
    before = model(tokens).detach().numpy()
    for place in (0, 7, 19):
        changed = tokens.clone()
        changed[:, place] = (changed[:, place] + 1) % VOCABULARY
        after = model(changed).detach().numpy()
        assert (after[:, :place] == before[:, :place]).all()
        assert (after[:, place] != before[:, place]).any()


def test_the_loss_starts_at_the_logarithm_of_the_vocabulary():
    tt.manual_seed(0)
    model = transformer.GPT(65, 32, 4, 4, 64)
    idx, target = (tt.randint(0, 65, (8, 32)) for _ in range(2))
    loss = losses.cross_entropy(model(idx).view(-1, 65), target.view(-1)).item()
    assert loss == pytest.approx(math.log(65), abs=0.1)


@pytest.mark.parametrize("bias", [True, False])
def test_parameters_by_formula(bias):
    model = transformer.GPT(65, 32, 3, 4, 64, bias=bias)
    assert model.head.weight is model.token.weight
    counted = sum(parameter.numel() for parameter in model.parameters())
    assert counted == transformer.gpt_parameters(65, 32, 3, 64, bias)


def test_operations_by_formula(monkeypatch):
    count = [0]

    def multiply(a, b):
        out = np.matmul(a, b)
        count[0] += 2 * out.size * a.shape[-1]
        return out

    model, idx = transformer.GPT(65, 32, 3, 4, 64), tt.zeros(5, 32, dtype=tt.int64)
    monkeypatch.setattr(MatMul, "multiply", staticmethod(multiply))
    loss = model(idx).sum()
    assert count[0] == transformer.gpt_flops(65, 3, 64, 32, batch=5)
    loss.backward()
    assert count[0] == transformer.gpt_flops(65, 3, 64, 32, batch=5, training=True)


def test_generate_is_reproducible_and_crops_its_context(model, tokens):
    runs = [
        model.generate(tokens[:, :4], 30, generator=tt.Generator().manual_seed(seed)).tolist() for seed in (5, 5, 6)
    ]
    assert runs[0] == runs[1] != runs[2]
    assert len(runs[0][0]) == 34 > BLOCK and [row[:4] for row in runs[0]] == tokens[:, :4].tolist()
    with pytest.raises(ValueError, match="block_size"):
        model(tt.zeros(1, BLOCK + 1, dtype=tt.int64))


def test_generate_without_randomness(model, tokens):
    greedy = model.generate(tokens[:, :4], 6, temperature=0)
    assert greedy.tolist() == model.generate(tokens[:, :4], 6, top_k=1).tolist()
    assert greedy.tolist() == model.generate(tokens[:, :4], 6, top_p=1e-9).tolist()
    assert greedy[:, 4].tolist() == model(tokens[:, :4])[:, -1].argmax(1).tolist()


def draws(**options):
    logits = tt.Tensor(np.tile(np.log([0.1, 0.4, 0.05, 0.3, 0.15]), (20_000, 1)))
    drawn = transformer.sample(logits, generator=tt.Generator().manual_seed(0), **options).numpy()
    assert drawn.shape == (20_000, 1) and drawn.dtype == np.int64
    return np.bincount(drawn[:, 0], minlength=5) / 20_000


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [0.1, 0.4, 0.05, 0.3, 0.15]),
        ({"top_k": 2}, [0, 4 / 7, 0, 3 / 7, 0]),
        ({"top_k": 50}, [0.1, 0.4, 0.05, 0.3, 0.15]),
        ({"top_p": 0.69}, [0, 4 / 7, 0, 3 / 7, 0]),
        ({"top_p": 0.71}, [0, 40 / 85, 0, 30 / 85, 15 / 85]),
        ({"top_k": 3, "top_p": 0.5}, [0, 4 / 7, 0, 3 / 7, 0]),
        ({"temperature": 0.5}, np.square([0.1, 0.4, 0.05, 0.3, 0.15]) / 0.285),
    ],
)
def test_tokens_come_as_often_as_they_should(options, expected):
    assert draws(**options) == pytest.approx(expected, abs=0.012)
    assert ((draws(**options) == 0) == (np.array(expected) == 0)).all()


# The cache of keys and values.


def pieces(model, tokens, cache, sizes):
    """Return the logits of tokens that are given to the cache a few at a time."""
    found, start = [], 0
    while start < tokens.shape[1]:
        count = sizes[len(found) % len(sizes)]
        found.append(kv_cache.cached_logits(model, tokens[:, start : start + count], cache).numpy())
        start += count
    return np.concatenate(found, axis=1)


def windowed(model, tokens, window):
    """Return a GPT's logits where each position sees only the last `window` ones."""
    places = np.arange(tokens.shape[1])
    ahead = places[:, None] - places
    mask = tt.Tensor((ahead >= 0) & (ahead < window))
    x = model.token(tokens) + model.position(tt.Tensor(places))
    for block in model.blocks:
        parts = block.attention.qkv(block.norm1(x)).chunk(3, -1)
        heads = (attention.split_heads(part, block.attention.n_head) for part in parts)
        out = attention.scaled_dot_product_attention(*heads, mask)
        x = x + block.attention.proj(attention.merge_heads(out))
        x = x + block.mlp(block.norm2(x))
    return model.head(model.norm(x)).detach().numpy()


@pytest.mark.parametrize("sizes", [(20,), (1,), (7, 1, 1), (3,), (1, 4)])
def test_cached_logits_are_the_models_own(model, tokens, sizes):
    found = pieces(model, tokens, kv_cache.KVCache.of(model, 3), sizes)
    close(found, model(tokens).detach().numpy())


@pytest.mark.parametrize("window", [1, 4, 5, 20])
@pytest.mark.parametrize("sizes", [(20,), (1,), (9, 1, 2)])
def test_a_sliding_window(model, tokens, window, sizes):
    cache = kv_cache.KVCache.of(model, 3, window)
    close(pieces(model, tokens, cache, sizes), windowed(model, tokens, window))
    assert cache.nbytes == kv_cache.kv_cache_bytes(2, 16, window, batch=3)


def test_generate_with_the_cache_draws_the_same_tokens(model, tokens):
    options = {"temperature": 0.8, "top_k": 20}
    expected = model.generate(tokens[:, :4], 30, generator=tt.Generator().manual_seed(2), **options)
    found = kv_cache.generate(model, tokens[:, :4], 30, generator=tt.Generator().manual_seed(2), **options)
    assert found.tolist() == expected.tolist()


@pytest.mark.parametrize("window", [None, 3])
def test_rows_of_different_lengths_do_not_see_each_other(model, tokens, window):
    lengths, new = [2, 5, 3], 25 if window is None else 15
    found = kv_cache.generate(model, tokens[:, :5], new, temperature=0, lengths=lengths, window=window)
    for row, length in enumerate(lengths):
        alone = kv_cache.generate(model, tokens[row : row + 1, :length], new, temperature=0, window=window)
        assert found[row, : length + new].tolist() == alone[0].tolist()
        assert set(found[row, length + new :].tolist()) <= {0}


def test_the_cache_refuses_more_than_block_size(model):
    cache = kv_cache.KVCache.of(model, 1)
    with pytest.raises(ValueError, match="block_size"):
        kv_cache.cached_logits(model, tt.zeros(1, BLOCK + 1, dtype=tt.int64), cache)

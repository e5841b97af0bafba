"""Module 16 against PyTorch's pruning, against dense products, and against the algebra."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils import prune as torch_prune

import tinytorch as tt
from tinytorch import compression as c
from tinytorch.conv import LeNet5
from tinytorch.modules import Linear, Sequential
from tinytorch.nn import Conv2d, Flatten
from tinytorch.quantization import model_size
from tinytorch.tensor import Tensor

few = settings(max_examples=30, deadline=None, derandomize=True)


def numbers(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def linear(seed, inputs, outputs, bias=True):
    tt.manual_seed(seed)
    return Linear(inputs, outputs, bias=bias)


def twin(layer):
    other = torch.nn.Linear(layer.in_features, layer.out_features)
    other.load_state_dict({k: torch.tensor(v.array) for k, v in layer.state_dict().items()})
    return other


@given(seed=st.integers(0, 2**31), amount=st.one_of(st.floats(0, 1), st.integers(0, 15)))
@few
def test_a_magnitude_mask_drops_the_smallest(seed, amount):
    a = numbers(seed, 3, 5)
    mask = c.magnitude_mask(a, amount)
    dropped = amount if isinstance(amount, int) else round(amount * 15)
    assert mask.dtype == np.bool_ and (~mask).sum() == dropped
    if 0 < dropped < 15:
        assert np.abs(a[~mask]).max() <= np.abs(a[mask]).min()
    alive = np.random.default_rng(seed).random((3, 5)) < 0.5
    before = alive.copy()
    again = c.magnitude_mask(a, 0.5, alive)
    assert not (again & ~alive).any() and again.sum() == alive.sum() - round(0.5 * alive.sum())
    np.testing.assert_array_equal(alive, before)


@pytest.mark.parametrize("amount", [1.5, -0.1, 16, -1])
def test_impossible_amounts_are_refused(amount):
    with pytest.raises(ValueError, match="amount"):
        c.magnitude_mask(numbers(0, 3, 5), amount)


def test_pruning_is_pytorchs_step_after_step():
    ours = linear(0, 7, 5)
    theirs = twin(ours)
    for amount in (0.3, 5, 0.5):
        assert c.l1_unstructured(ours, "weight", amount) is ours
        torch_prune.l1_unstructured(theirs, "weight", amount)
        np.testing.assert_array_equal(ours.weight_mask.array, theirs.weight_mask.numpy())
        np.testing.assert_array_equal(ours.weight.array, theirs.weight.detach().numpy())
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    assert c.is_pruned(Sequential(ours)) and torch_prune.is_pruned(theirs)
    weight = ours.weight.array.copy()
    assert c.remove(ours, "weight") is ours
    torch_prune.remove(theirs, "weight")
    np.testing.assert_array_equal(ours.weight.array, weight)
    assert dict(ours.named_parameters()).keys() == dict(theirs.named_parameters()).keys()
    assert not c.is_pruned(ours) and isinstance(ours.weight, tt.nn.Parameter)
    np.testing.assert_allclose(
        ours(Tensor(numbers(0, 2, 7))).array, theirs(torch.tensor(numbers(0, 2, 7))).detach(), 1e-5
    )


def test_global_pruning_is_pytorchs():
    ours = [linear(0, 7, 5), linear(1, 5, 30)]
    theirs = [twin(layer) for layer in ours]
    for amount in (0.4, 0.5):
        c.global_unstructured([(layer, "weight") for layer in ours], amount=amount)
        torch_prune.global_unstructured([(t, "weight") for t in theirs], torch_prune.L1Unstructured, amount=amount)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a.weight_mask.array, b.weight_mask.numpy())
    shares = [layer.weight_mask.array.mean() for layer in ours]
    assert shares[0] != pytest.approx(shares[1], abs=0.02)  # one threshold for all, not one for each


def test_masks_are_kept_through_training():
    ours = Sequential(linear(0, 6, 8), tt.nn.ReLU(), linear(1, 8, 3))
    c.global_unstructured([(ours[0], "weight"), (ours[2], "weight")], amount=0.6)
    dead = [ours[i].weight.array == 0 for i in (0, 2)]
    x, y = numbers(0, 32, 6), numbers(1, 32, 3)
    losses = []
    for _ in range(40):
        ours.zero_grad()
        loss = ((ours(Tensor(x)) - Tensor(y)) ** 2).mean()
        loss.backward()
        for p in ours.parameters():
            p.array[...] -= 0.1 * p.grad.array + 0.01 * p.array  # weight decay moves what gets no gradient
            p.bump_version()
        losses.append(loss.item())
    ours(Tensor(x))
    assert losses[-1] < losses[0]
    for i, mask in zip((0, 2), dead, strict=True):
        assert (ours[i].weight.array[mask] == 0).all() and (ours[i].weight.array[~mask] != 0).all()
        assert (ours[i].weight_orig.grad.array[mask] == 0).all()
        c.remove(ours[i], "weight")
        assert (ours[i].weight.array[mask] == 0).all()


def test_a_given_mask():
    layer = linear(0, 3, 2)
    mask = np.array([[1, 0, 1], [0, 1, 1]])
    want = layer.weight.array * mask
    c.custom_from_mask(layer, "weight", Tensor(mask))
    np.testing.assert_array_equal(layer.weight.array, want)
    c.custom_from_mask(layer, "weight", Tensor(mask[:, ::-1].copy()))
    np.testing.assert_array_equal(layer.weight.array, want * mask[:, ::-1])


@given(seed=st.integers(0, 2**31), rows=st.integers(1, 9), columns=st.integers(1, 9), n=st.integers(0, 4))
@few
def test_csr_is_scipys_form_and_multiplies_as_the_dense_matrix(seed, rows, columns, n):
    rng = np.random.default_rng(seed)
    a = numbers(seed, rows, columns) * (rng.random((rows, columns)) < 0.3)
    csr = c.CSRMatrix.from_dense(a)
    theirs = torch.tensor(a).to_sparse_csr()
    np.testing.assert_array_equal(csr.crow_indices, theirs.crow_indices())
    np.testing.assert_array_equal(csr.col_indices, theirs.col_indices())
    np.testing.assert_array_equal(csr.values, theirs.values())
    np.testing.assert_array_equal(csr.to_dense(), a)
    x = numbers(seed + 1, columns, n)
    out = csr.matmul(x)
    assert out.dtype == np.float32 and out.shape == (rows, n)
    np.testing.assert_allclose(out, a @ x, rtol=1e-5, atol=1e-6)


def test_csr_bytes_are_those_of_its_arrays():
    a = numbers(0, 50, 200)
    a[np.random.default_rng(0).random(a.shape) < 0.9] = 0
    csr = c.CSRMatrix.from_dense(a)
    assert csr.nbytes == 51 * 4 + np.count_nonzero(a) * (4 + 2)
    wide = np.zeros((1, 40_000), np.float32)
    wide[0, -1] = 1
    assert c.CSRMatrix.from_dense(wide).nbytes == 8 + 8
    assert c.CSRMatrix.from_dense(wide).to_dense()[0, -1] == 1


@pytest.mark.parametrize("bias", [True, False])
def test_sparse_linear_is_the_pruned_linear_in_fewer_bytes(bias):
    layer = linear(0, 300, 40, bias)
    c.remove(c.l1_unstructured(layer, "weight", 0.95), "weight")
    layer.weight.array[3] = 0  # an empty row
    sparse = c.SparseLinear(layer)
    x = Tensor(numbers(0, 2, 5, 300))
    np.testing.assert_allclose(sparse(x).array, layer(x).array, rtol=1e-4, atol=1e-6)
    assert sparse(x).shape == (2, 5, 40) and model_size(sparse) < model_size(layer) / 8


def fc(seed=0):
    return Sequential(linear(seed, 6, 10), tt.nn.ReLU(), linear(seed + 1, 10, 8), tt.nn.ReLU(), linear(seed + 2, 8, 3))


def test_units_that_are_dead_are_removed_without_a_difference():
    model, x = fc(), Tensor(numbers(0, 5, 6))
    for i, dead in ((0, [0, 3, 4, 7, 9]), (2, [1, 2, 5, 6])):
        model[i].weight.array[dead] = 0
        model[i].bias.array[dead] = 0
    want, before = model(x).array, copy.deepcopy(model).state_dict()
    small = c.prune_chain(model, ["0", "2", "4"], 0.5)
    assert [tuple(small[i].weight.shape) for i in (0, 2, 4)] == [(5, 6), (4, 5), (3, 4)]
    assert repr(small[2]) == "Linear(in_features=5, out_features=4, bias=True)"
    np.testing.assert_allclose(small(x).array, want, rtol=1e-5, atol=1e-6)
    for name, tensor in model.state_dict().items():
        np.testing.assert_array_equal(tensor.array, before[name].array)
    small(x).sum().backward()
    assert small[0].weight.grad.shape == (5, 6)


def test_importance_counts_both_sides_and_is_blind_to_rescaling():
    first, second = linear(0, 6, 10), linear(1, 10, 3)
    scores = c.unit_importance(first, second)
    first.weight.array[4] *= 100
    second.weight.array[:, 4] /= 100
    np.testing.assert_allclose(c.unit_importance(first, second), scores, rtol=1e-5)
    second.weight.array[:, 4] = 0
    assert c.unit_importance(first, second).argmin() == 4


def test_the_least_important_go():
    model = fc()
    scores = c.unit_importance(model[0], model[2])
    kept = np.sort(np.argsort(scores)[3:])
    small = c.prune_chain(model, ["0", "2"], 0.3)
    np.testing.assert_array_equal(small[0].weight.array, model[0].weight.array[kept])
    np.testing.assert_array_equal(small[2].weight.array, model[2].weight.array[:, kept])
    assert len(c.prune_chain(model, ["0", "2"], 1.0)[0].weight) == 1  # one always stays


def test_convolutions_with_batch_norm_and_flatten():
    tt.manual_seed(0)
    model = Sequential(
        *(Conv2d(2, 6, 3), tt.nn.BatchNorm2d(6), tt.nn.ReLU()),
        *(Conv2d(6, 4, 2), tt.nn.ReLU(), Flatten()),
        *(Linear(4 * 3 * 2, 5), Linear(5, 3)),
    ).eval()
    model[1].running_mean.array[:] = numbers(1, 6)
    for layer, dead in ((model[0], [1, 2, 5]), (model[3], [0, 3])):
        layer.weight.array[dead] = 0
        layer.bias.array[dead] = 0
    for name in ("weight", "bias", "running_mean"):
        getattr(model[1], name).array[[1, 2, 5]] = 0
    x = Tensor(numbers(0, 4, 2, 6, 5))
    small = c.prune_chain(model, ["0", "1", "3", "6"], 0.5)
    np.testing.assert_allclose(small(x).array, model(x).array, rtol=1e-4, atol=1e-5)
    assert small[0].out_channels == small[1].num_features == small[3].in_channels == 3
    assert small[1].running_var.shape == (3,) and small[6].in_features == 12 and small[1].num_batches_tracked.ndim == 0


def test_lenet_shrinks_and_runs():
    model = LeNet5()
    small = c.prune_chain(model, ["conv1", "conv2", "fc1", "fc2", "fc3"], 0.5)
    assert small(tt.zeros(2, 1, 28, 28)).shape == (2, 10)
    assert model_size(small) < 0.3 * model_size(model)


def test_layers_that_do_not_follow_each_other_are_refused():
    with pytest.raises(ValueError):
        c.prune_chain(Sequential(linear(0, 6, 10), linear(1, 9, 3)), ["0", "1"], 0.5)
    grouped = Sequential(Conv2d(2, 4, 3), Conv2d(4, 4, 3, groups=4))
    with pytest.raises(ValueError):
        c.prune_chain(grouped, ["0", "1"], 0.5)


@pytest.mark.parametrize("bias", [True, False])
def test_factors_are_the_nearest_of_their_rank(bias):
    layer = linear(0, 12, 9, bias)
    s = np.linalg.svd(layer.weight.array, compute_uv=False)
    for rank in (1, 4, 9):
        two = c.factorize(layer, rank)
        assert two[0].weight.shape == (rank, 12) and two[1].weight.shape == (9, rank) and two[0].bias is None
        product = two[1].weight.array @ two[0].weight.array
        error = np.linalg.norm(product - layer.weight.array)
        assert error == pytest.approx(np.sqrt((s[rank:] ** 2).sum()), abs=1e-5)
        assert np.linalg.norm(two[0].weight.array) == pytest.approx(np.linalg.norm(two[1].weight.array), rel=1e-4)
    x = Tensor(numbers(0, 3, 12))
    np.testing.assert_allclose(two(x).array, layer(x).array, rtol=1e-4, atol=1e-5)
    for rank in (0, 10):
        with pytest.raises(ValueError, match="between 1 and 9"):
            c.factorize(layer, rank)


def test_the_rank_that_keeps_a_share():
    layer = linear(0, 12, 9)
    energy = np.linalg.svd(layer.weight.array, compute_uv=False) ** 2
    for share in (0.5, 0.9, 0.99, 1.0):
        rank = c.rank_for(layer, share)
        assert energy[:rank].sum() >= share * energy.sum() * (1 - 1e-6)
        assert rank == 1 or share == 1 or energy[: rank - 1].sum() < share * energy.sum()
    layer.weight.array[...] = np.outer(numbers(0, 9), numbers(1, 12))
    assert c.rank_for(layer, 0.999) == 1


@pytest.mark.parametrize(("temperature", "alpha"), [(4.0, 0.9), (1.0, 1.0), (2.0, 0.0)])
def test_the_distillation_loss_and_its_gradient(temperature, alpha):
    student, teacher, target = numbers(0, 6, 5) * 3, numbers(1, 6, 5) * 3, np.array([0, 4, 2, 2, 1, 3])
    ours, above = Tensor(student, requires_grad=True), Tensor(teacher, requires_grad=True)
    loss = c.distillation_loss(ours, above, Tensor(target), temperature, alpha)
    theirs = torch.tensor(student, requires_grad=True)
    f = torch.nn.functional
    soft = [f.log_softmax(x / temperature, -1) for x in (theirs, torch.tensor(teacher))]
    want = alpha * temperature**2 * f.kl_div(*soft, reduction="batchmean", log_target=True)
    want = want + (1 - alpha) * f.cross_entropy(theirs, torch.tensor(target))
    loss.backward()
    want.backward()
    assert loss.item() == pytest.approx(want.item(), rel=1e-5) and loss.dtype is tt.float32
    np.testing.assert_allclose(ours.grad.array, theirs.grad.numpy(), rtol=1e-4, atol=1e-6)
    assert above.grad is None

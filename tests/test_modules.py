"""Module 03 against PyTorch: registration, state dicts, printing, hooks, containers, layers, starting values."""

import copy
import math
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch
from twin import twins

import tinytorch as tt
from tinytorch import nn


def block(lib):
    """Return a module with everything in it: parameters, buffers of both kinds, containers, a tied layer."""

    class Block(lib.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = lib.nn.Parameter(lib.ones(2))
            self.register_buffer("steps", lib.zeros(1))
            self.register_buffer("cache", lib.zeros(3), persistent=False)
            self.register_parameter("absent", None)
            self.layers = lib.nn.ModuleList([lib.nn.Linear(2, 2) for _ in range(3)] + [lib.nn.Dropout(0.1)])
            self.heads = lib.nn.ModuleDict({"a": lib.nn.Linear(2, 3), "b": lib.nn.Flatten()})
            self.body = lib.nn.Sequential(OrderedDict(first=lib.nn.Linear(2, 4), second=lib.nn.Identity()))
            self.tied = self.layers[0]
            self.number = 3

        def forward(self, x):
            return self.layers[0](x) * self.scale

    return Block()


NAMES = {
    "parameters": lambda lib: [name for name, _ in block(lib).named_parameters()],
    "with duplicates": lambda lib: [name for name, _ in block(lib).named_parameters(remove_duplicate=False)],
    "own parameters": lambda lib: [name for name, _ in block(lib).named_parameters("p", recurse=False)],
    "buffers": lambda lib: [name for name, _ in block(lib).named_buffers(prefix="x")],
    "modules": lambda lib: [name for name, _ in block(lib).named_modules(prefix="m")],
    "all modules": lambda lib: [name for name, _ in block(lib).named_modules(remove_duplicate=False)],
    "children": lambda lib: [name for name, _ in block(lib).named_children()],
    "counts": lambda lib: [
        len(list(f())) for m in [block(lib)] for f in (m.parameters, m.buffers, m.modules, m.children)
    ],
    "state": lambda lib: list(block(lib).state_dict()),
    "state with prefix": lambda lib: list(block(lib).state_dict(prefix="net.")),
    "state shapes": lambda lib: {k: list(v.shape) for k, v in block(lib).state_dict().items()},
    "repr": lambda lib: repr(block(lib)),
    "repr of layers": lambda lib: repr(
        [
            *(lib.nn.Linear(2, 3, bias=False), lib.nn.Dropout(0.2, True), lib.nn.Flatten(0, 1), lib.nn.Identity(4)),
            *(
                lib.nn.Unflatten(1, (2, 3)),
                lib.nn.ModuleList(),
                lib.nn.ModuleDict(),
                lib.nn.Sequential(),
                lib.nn.Module(),
            ),
        ]
    ),
    "repr of equal blocks": lambda lib: repr(
        lib.nn.ModuleList([lib.nn.Sequential(lib.nn.Flatten())] * 2 + [lib.nn.Identity()] + [lib.nn.Flatten()] * 3)
    ),
    "repr of many lines": lambda lib: repr(
        type("Odd", (lib.nn.Module,), {"extra_repr": lambda self: "one\ntwo"})().add_module("x", lib.nn.Identity())
    ),
    "parameter": lambda lib: [repr(lib.nn.Parameter(lib.ones(2))), repr(lib.nn.Parameter(lib.ones(1), False))],
    "empty parameter": lambda lib: lib.nn.Parameter(),
}


@pytest.mark.parametrize("name", NAMES)
def test_names_and_texts_are_pytorchs(name):
    twins(NAMES[name])


def changed(change):
    def run(lib):
        module = block(lib)
        result = change(module, lib)
        return [list(module.state_dict()), [n for n, _ in module.named_modules()], str(result)[:40]]

    return run


CHANGES = {
    "parameter replaces module": lambda m, lib: setattr(m, "body", lib.nn.Parameter(lib.ones(1))),
    "module replaces parameter": lambda m, lib: setattr(m, "scale", None) or setattr(m, "scale2", lib.nn.Identity()),
    "parameter replaces number": lambda m, lib: setattr(m, "number", lib.nn.Parameter(lib.ones(1))),
    "parameter replaces buffer": lambda m, lib: setattr(m, "cache", lib.nn.Parameter(lib.ones(1))),
    "tensor into buffer": lambda m, lib: setattr(m, "steps", lib.ones(7)),
    "none for module": lambda m, lib: setattr(m, "body", None),
    "delete parameter": lambda m, lib: delattr(m, "scale"),
    "delete buffer": lambda m, lib: delattr(m, "cache"),
    "delete module": lambda m, lib: delattr(m, "heads"),
    "persistent after all": lambda m, lib: m.register_buffer("cache", lib.ones(1)),
    "same name, same kind": lambda m, lib: setattr(m, "scale", lib.nn.Parameter(lib.ones(5))),
    "module list grows": lambda m, lib: m.layers.append(lib.nn.Linear(1, 1)) and None,
    "module list inserts": lambda m, lib: m.layers.insert(1, lib.nn.Linear(1, 1)),
    "module list shrinks": lambda m, lib: m.layers.__delitem__(slice(0, 2)),
    "module list item": lambda m, lib: m.layers.__setitem__(-1, lib.nn.Linear(1, 1)),
    "module dict": lambda m, lib: m.heads.update({"c": lib.nn.Linear(1, 1)}),
    "module dict pops": lambda m, lib: m.heads.pop("a"),
    "sequential pops": lambda m, lib: m.body.pop(0),
    "sequential appends": lambda m, lib: m.body.append(lib.nn.Linear(1, 1)) and None,
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_an_assignment_registers(name):
    twins(changed(CHANGES[name]))


def no_init(value):
    def run(lib):
        def __init__(self):
            self.part = value(lib)

        type("Early", (lib.nn.Module,), {"__init__": __init__})()

    return run


ERRORS = {
    "typo": lambda lib: lib.nn.Linear(2, 2).wieght,
    "parameter before init": no_init(lambda lib: lib.nn.Parameter(lib.ones(1))),
    "module before init": no_init(lambda lib: lib.nn.Identity()),
    "no forward": lambda lib: lib.nn.Module()(1),
    "register dotted": lambda lib: block(lib).register_parameter("a.b", None),
    "register empty": lambda lib: block(lib).register_buffer("", None),
    "register number": lambda lib: block(lib).register_parameter(3, None),
    "register taken": lambda lib: block(lib).register_parameter("training", None),
    "key that is a method": lambda lib: lib.nn.ModuleDict({"keys": lib.nn.Identity()}),
    "buffer of int": lambda lib: block(lib).register_buffer("b", 3),
    "module of int": lambda lib: block(lib).add_module("b", 3),
    "index": lambda lib: block(lib).layers[9],
    "training": lambda lib: block(lib).train(3),
    "get number": lambda lib: block(lib).get_parameter("layers.9.weight"),
    "get typo": lambda lib: block(lib).get_parameter("layers.0.wieght"),
    "get no parameter": lambda lib: block(lib).get_parameter("layers.0"),
    "get no module": lambda lib: block(lib).get_submodule("scale"),
    "get no buffer": lambda lib: block(lib).get_buffer("scale"),
    "state of int": lambda lib: block(lib).load_state_dict(3),
    "all that is wrong": lambda lib: block(lib).load_state_dict(
        {"scale": lib.ones(3), "x": lib.ones(1), "y": lib.ones(1), "tied.bias": lib.ones(4)}
    ),
    "sizes even if not strict": lambda lib: lib.nn.Linear(2, 3).load_state_dict({"bias": lib.ones(4)}, strict=False),
    "dropout": lambda lib: lib.nn.Dropout(1.5),
    "functional dropout": lambda lib: lib.nn.functional.dropout(lib.ones(2), -0.5),
    "linear sizes": lambda lib: lib.nn.Linear(2, 3)(lib.ones(4, 5)),
    "linear sizes in 3-D": lambda lib: lib.nn.Linear(2, 3)(lib.ones(2, 4, 5)),
    "fan of a vector": lambda lib: lib.nn.init.kaiming_uniform_(lib.ones(2)),
    "mode of fan": lambda lib: lib.nn.init.kaiming_uniform_(lib.ones(2, 2), mode="fan"),
    "gain": lambda lib: lib.nn.init.calculate_gain("swish"),
    "eye": lambda lib: lib.nn.init.eye_(lib.ones(2)),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_are_pytorchs_word_for_word(name):
    twins(ERRORS[name], text=name not in ("fan of a vector", "mode of fan", "linear sizes in 3-D"))


TYPE_ERRORS = {
    "tensor as parameter": lambda lib: setattr(block(lib), "scale", lib.ones(2)),
    "int as module": lambda lib: setattr(block(lib), "body", 3),
    "int as buffer": lambda lib: setattr(block(lib), "steps", 3),
    "tensor registered": lambda lib: block(lib).register_parameter("p", lib.ones(2)),
    "to int": lambda lib: block(lib).to(lib.int64),
    "two dtypes": lambda lib: lib.nn.Linear(2, 2)(lib.ones(2).double()),
    "append int": lambda lib: lib.nn.Sequential().append(3),
    "flatten backwards": lambda lib: lib.nn.Flatten(2, 1)(lib.ones(2, 3, 4)),
    "unflatten": lambda lib: lib.nn.Unflatten(1, (2, 3))(lib.ones(2, 7)),
    "to nowhere": lambda lib: block(lib).to("cuda:0"),
}


@pytest.mark.parametrize("name", TYPE_ERRORS)
def test_errors_are_of_pytorchs_kind(name):
    twins(TYPE_ERRORS[name], text=False)


def test_a_typo_is_explained_with_the_name_that_was_meant():
    with pytest.raises(AttributeError) as caught:
        _ = nn.Linear(1, 1).biass
    assert caught.value.name == "biass" and "bias" in dir(caught.value.obj)


def test_a_tied_parameter_counts_once_and_stays_tied():
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3, bias=False))
    net[1].weight = net[0].weight
    assert sum(p.numel() for p in net.parameters()) == 12
    assert len(net.state_dict()) == 3
    twin = copy.deepcopy(net)
    assert twin[0].weight is twin[1].weight and twin[0].weight is not net[0].weight
    back = pickle.loads(pickle.dumps(net))
    assert back[0].weight is back[1].weight and repr(back) == repr(net)
    net.double()
    assert net[0].weight is net[1].weight and net[1].weight.dtype is tt.float64


def test_a_state_dict_shares_memory_and_loads_into_place():
    net = block(tt)
    state = net.state_dict()
    assert not state["scale"].requires_grad and np.shares_memory(state["scale"].array, net.scale.array)
    assert net.state_dict(keep_vars=True)["scale"] is net.scale
    other, memory = block(tt), {}
    for name, parameter in other.named_parameters():
        memory[name] = parameter.array
    assert repr(other.load_state_dict(state)) == "<All keys matched successfully>"
    for name, parameter in other.named_parameters():
        assert parameter.array is memory[name]
        np.testing.assert_array_equal(parameter.array, net.get_parameter(name).array)
    missing, unexpected = other.load_state_dict({"scale": tt.zeros(2), "more": tt.zeros(1)}, strict=False)
    assert "steps" in missing and unexpected == ["more"]
    np.testing.assert_array_equal(other.scale.array, 0)


def test_nothing_is_copied_when_something_does_not_fit():
    layer = nn.Linear(2, 2)
    before = layer.weight.array.copy()
    with pytest.raises(RuntimeError, match="size mismatch for bias"):
        layer.load_state_dict({"weight": tt.zeros(2, 2), "bias": tt.zeros(3)})
    np.testing.assert_array_equal(layer.weight.array, before)
    layer.load_state_dict({"weight": tt.zeros(2, 2), "bias": tt.zeros(2, dtype=tt.float64)}, assign=True)
    assert layer.bias.dtype is tt.float64


def test_loading_in_place_is_seen_by_a_graph_that_needs_the_old_numbers():
    layer = nn.Linear(2, 2)
    out = layer(tt.ones(1, 2, requires_grad=True)).sum()
    layer.load_state_dict(nn.Linear(2, 2).state_dict())
    with pytest.raises(RuntimeError, match="modified by an inplace"):
        out.backward()


MODES = {
    "train and eval": lambda m, lib: [m.eval() is m, m.layers[3].training, m.train().layers[3].training],
    "requires_grad_": lambda m, lib: [m.requires_grad_(False) is m, any(p.requires_grad for p in m.parameters())],
    "apply": lambda m, lib: (seen := []) or (m.apply(lambda part: seen.append(type(part).__name__)) is m, seen),
    "to": lambda m, lib: [m.to(lib.float64) is m, str(m.scale.dtype), str(m.steps.dtype), m.scale.requires_grad],
    "to device": lambda m, lib: [m.to("cpu", lib.float16) is m, str(m.tied.weight.dtype)],
    "to like": lambda m, lib: str(m.to(lib.ones(1, dtype=lib.float64)).scale.dtype),
    "half": lambda m, lib: [str(m.half().cache.dtype), str(m.double().cache.dtype), str(m.float().cache.dtype)],
    "ints stay": lambda m, lib: m.register_buffer("n", lib.ones(1, dtype=lib.int64)) or str(m.double().n.dtype),
    "get": lambda m, lib: [m.get_submodule("layers.0") is m.layers[0], m.get_parameter("tied.bias") is m.tied.bias],
    "module dict": lambda m, lib: ["a" in m.heads, len(m.heads), list(m.heads), m.heads.a is m.heads["a"]],
    "slices": lambda m, lib: [repr(m.layers[1:3]), repr(m.body[:1]), repr(m.layers[-1]), len(m.layers[:0])],
    "sums": lambda m, lib: [repr(m.layers + lib.nn.ModuleList([lib.nn.Identity()])), repr(m.body + m.body)],
    "dir": lambda m, lib: [name in dir(m) for name in ("scale", "steps", "layers", "forward", "nothing")],
    "hasattr": lambda m, lib: [hasattr(m, "absent"), m.absent, hasattr(m, "nothing")],
}


@pytest.mark.parametrize("name", MODES)
def test_modes_conversions_and_containers(name):
    twins(lambda lib: MODES[name](block(lib), lib))


def test_gradients_are_dropped_or_zeroed():
    def run(lib):
        m = block(lib)
        m(lib.ones(3, 2)).sum().backward()
        m.zero_grad(set_to_none=False)
        kept = m.scale.grad
        m.zero_grad()
        return kept, m.scale.grad

    twins(run)


def test_hooks_see_and_replace_what_goes_in_and_out():
    def run(lib):
        layer, log = lib.nn.Identity(), []
        first = layer.register_forward_pre_hook(lambda m, args: log.append(["pre", args[0].tolist()]))
        layer.register_forward_pre_hook(lambda m, args: args[0] * 2)
        layer.register_forward_pre_hook(lambda m, args, kw: ((args[0] + 1,), kw), with_kwargs=True, prepend=True)
        layer.register_forward_hook(lambda m, args, out: log.append(["post", args[0].tolist(), out.tolist()]))
        last = layer.register_forward_hook(lambda m, args, kwargs, out: -out, with_kwargs=True)
        a = layer(lib.ones(2))
        first.remove()
        last.remove()
        return a, layer(lib.ones(2)), log

    twins(run)


@pytest.mark.parametrize("shape", [(3,), (5, 3), (2, 5, 3), (0, 3), (2, 0, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_linear_values_and_gradients(shape, bias):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(s).astype(np.float32) for s in (shape, (4, 3), (4,), (*shape[:-1], 4))]

    def run(lib):
        x, w, b, g = (lib.tensor(array) for array in arrays)
        x.requires_grad_()
        layer = lib.nn.Linear(3, 4, bias=bias)
        layer.load_state_dict({"weight": w, "bias": b} if bias else {"weight": w})
        out = layer(x)
        out.backward(g)
        return out, x.grad, layer.weight.grad, layer.bias.grad if bias else None

    twins(run, rtol=2e-6)


def test_linear_function_takes_a_vector_of_weights():
    twins(lambda lib: lib.nn.functional.linear(lib.ones(2, 3), lib.arange(3.0)))
    twins(lambda lib: lib.nn.functional.linear(lib.ones(3), lib.arange(3.0), lib.ones(())))
    layer = nn.Linear(3, 2, dtype=tt.float64)
    assert layer(tt.ones(1, 3, dtype=tt.float64)).dtype is tt.float64


def test_linear_starts_as_pytorchs_does():
    tt.manual_seed(1)
    weight = nn.Linear(400, 300).weight.array
    assert abs(weight).max() <= 1 / math.sqrt(400) and abs(weight.std() - 1 / math.sqrt(3 * 400)) < 1e-4
    tt.manual_seed(1)
    np.testing.assert_array_equal(nn.Linear(400, 300).weight.array, weight)


def test_dropout_keeps_the_mean_and_routes_gradients_through_its_mask():
    tt.manual_seed(0)
    x = tt.ones(200, 500, requires_grad=True)
    out = nn.Dropout(0.2)(x)
    assert sorted(set(out.detach().numpy().ravel().tolist())) == pytest.approx([0, 1.25])
    assert abs(out.detach().numpy().mean() - 1) < 0.01
    out.sum().backward()
    np.testing.assert_array_equal(x.grad.array, out.array)
    assert out.dtype is tt.float32
    layer = nn.Dropout(0.5).eval()
    assert layer(x) is x
    assert nn.Dropout(0)(x) is x
    dead = nn.Dropout(1.0)(x)
    assert not dead.array.any()
    y = tt.ones(1000)
    assert nn.functional.dropout(y, 0.5, inplace=True) is y and 300 < (y.array == 0).sum() < 700


@pytest.mark.parametrize("shape", [(2, 3, 5), (2, 3), (2,), (0, 3, 2)])
def test_flatten_and_its_inverse(shape):
    for start, end in ((1, -1), (0, -1), (0, 0), (-2, -1)):
        twins(lambda lib, s=start, e=end: lib.nn.Flatten(s, e)(lib.ones(shape)).shape[:], text=False)
    twins(lambda lib: list(lib.nn.Unflatten(0, (-1, 1))(lib.ones(2, 3)).shape))
    twins(lambda lib: list(lib.nn.Unflatten(-1, (3, -1))(lib.ones(2, 6)).shape))


INITS = {
    "uniform_": ({"a": -2, "b": 3}, (0.5, 25 / 12)),
    "normal_": ({"mean": 1, "std": 2}, (1, 4)),
    "trunc_normal_": ({"std": 1.0, "a": -1.0, "b": 1.0}, (0, 0.2911)),
    "xavier_uniform_": ({"gain": 2}, (0, 4 * 2 / 500)),
    "xavier_normal_": ({}, (0, 2 / 500)),
    "kaiming_uniform_": ({"nonlinearity": "relu"}, (0, 2 / 200)),
    "kaiming_normal_": ({"mode": "fan_out", "a": 1}, (0, 1 / 300)),
}


@pytest.mark.parametrize("name", INITS)
def test_starting_values_have_the_right_mean_and_variance(name):
    options, (mean, variance) = INITS[name]
    tensors = tt.empty(300, 200, requires_grad=True), torch.empty(300, 200)
    for lib, x in zip((tt, torch), tensors, strict=True):
        out = getattr(lib.nn.init, name)(x, **options, generator=lib.Generator().manual_seed(3))
        assert out is x
        values = x.detach().numpy()
        assert abs(values.mean() - mean) < 0.02 * math.sqrt(variance)
        assert abs(values.var() / variance - 1) < 0.03
    again = getattr(nn.init, name)(tt.empty(300, 200), **options, generator=tt.Generator().manual_seed(3))
    np.testing.assert_array_equal(again.array, tensors[0].array)


@pytest.mark.parametrize("bounds", [(-2, 2), (0.5, 3), (4, 5), (-9, -4), (-1e-3, 1e-3)])
def test_a_truncated_normal_stays_in_its_bounds(bounds):
    values = nn.init.trunc_normal_(tt.empty(1000), a=bounds[0], b=bounds[1]).array
    assert bounds[0] <= values.min() and values.max() <= bounds[1] and values.std() > 0


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 2, 3)])
def test_orthogonal_rows_or_columns(shape):
    matrix = nn.init.orthogonal_(tt.empty(*shape), gain=2).array.reshape(shape[0], -1)
    product = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-5)


def test_constant_starting_values_and_gains():
    init = {"constant_": (3,), "ones_": (), "zeros_": (), "eye_": ()}
    for name, args in init.items():
        twins(lambda lib, n=name, a=args: getattr(lib.nn.init, n)(lib.empty(2, 3), *a))
    for name in ("linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"):
        twins(lambda lib, n=name: float(lib.nn.init.calculate_gain(n)))
    twins(lambda lib: lib.nn.init.calculate_gain("leaky_relu", 0.2))


def test_the_facades_are_modules_with_pytorchs_paths():
    import tinytorch.nn.functional as F
    import tinytorch.nn.init as init
    from tinytorch.nn.parameter import Parameter
    from tinytorch.nn.utils import clip_grad_norm_
    from tinytorch.optim.lr_scheduler import StepLR
    from tinytorch.utils.checkpoint import checkpoint
    from tinytorch.utils.data.dataloader import DataLoader

    assert F.linear and init.zeros_ and Parameter is nn.Parameter and callable(clip_grad_norm_)
    assert StepLR and checkpoint and DataLoader

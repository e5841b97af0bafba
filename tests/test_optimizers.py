"""Module 07 against PyTorch: trajectories, states, texts, errors; schedules; the same speed class."""

import copy
import functools
import inspect
import time
import warnings

import numpy as np
import pytest
import torch
from twin import same, twins

import tinytorch as tt
from tinytorch import optimizers

warnings.filterwarnings("ignore", module="torch")
SHAPES = [(3, 5), (7,), (), (200, 130)]  # the last is cut into blocks


@functools.cache
def numbers(seed):
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.standard_normal(shape), np.float32) for shape in SHAPES]


OPTIMIZERS = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.5, "weight_decay": 0.1, "maximize": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.01}),
    ("Adam", {"lr": 0.01, "weight_decay": 0.1, "amsgrad": True}),
    ("Adam", {"maximize": True, "betas": (0.5, 0.7), "eps": 1e-3}),
    ("Adam", {"decoupled_weight_decay": True, "weight_decay": 0.2}),
    ("AdamW", {"lr": 0.1, "weight_decay": 0.1, "fused": True}),
    ("AdamW", {"amsgrad": True, "foreach": False}),
    ("RMSprop", {"lr": 0.01}),
    ("RMSprop", {"centered": True}),
    ("RMSprop", {"centered": True, "momentum": 0.9, "weight_decay": 0.1}),
    ("RMSprop", {"momentum": 0.3, "maximize": True, "alpha": 0.5}),
]


def parameters(lib):
    return [lib.tensor(array.copy()).requires_grad_() for array in numbers(0)]


def descend(lib, params, optimizer, steps, first=1):
    for step in range(first, first + steps):
        for param, grad in zip(params, numbers(step), strict=True):
            param.grad = lib.tensor(grad.copy())
        if step == 2:
            params[1].grad = None  # one that has no gradient stays as it is
        optimizer.step()


@pytest.mark.parametrize("name, options", OPTIMIZERS)
def test_twenty_steps_end_where_pytorchs_end(name, options):
    ends = []
    for lib in (tt, torch):
        params = parameters(lib)
        optimizer = getattr(lib.optim, name)(params, **options)
        descend(lib, params, optimizer, 20)
        state = optimizer.state_dict()
        state["state"] = {i: {k: np.asarray(v.tolist()) for k, v in s.items()} for i, s in state["state"].items()}
        state["param_groups"] = [dict(sorted(group.items())) for group in state["param_groups"]]
        ends.append(([np.asarray(p.tolist()) for p in params], state, repr(optimizer)))
    (ours, our_state, our_text), (theirs, their_state, their_text) = ends
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)
    assert our_text == their_text
    same(our_state["param_groups"], their_state["param_groups"], 0)
    for number, state in their_state["state"].items():
        assert set(our_state["state"][number]) == set(state)
        for key, value in state.items():
            np.testing.assert_allclose(our_state["state"][number][key], value, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name, options", OPTIMIZERS)
def test_a_loaded_state_continues_exactly(name, options):
    params = parameters(tt)
    optimizer = getattr(tt.optim, name)(params, **options)
    descend(tt, params, optimizer, 3)
    others = [tt.tensor(p).requires_grad_() for p in params]
    other = getattr(tt.optim, name)(others, lr=7.0)
    saved = optimizer.state_dict()
    other.load_state_dict(saved)
    descend(tt, params, optimizer, 3, first=4)
    descend(tt, others, other, 3, first=4)
    for a, b in zip(params, others, strict=True):
        np.testing.assert_array_equal(a.array, b.array)
    assert other.param_groups[0]["lr"] == optimizer.param_groups[0]["lr"]


def test_a_step_allocates_nothing_and_keeps_the_memory_of_its_parameters():
    param = tt.ones(1000, 300).requires_grad_()
    param.grad = tt.ones(1000, 300)
    optimizer = tt.optim.AdamW([param])
    optimizer.step()
    array, buffers = param.array, [t.array for t in optimizer.state[param].values()]
    import tracemalloc

    tracemalloc.start()
    optimizer.step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000
    assert param.array is array and all(
        t.array is b for t, b in zip(optimizer.state[param].values(), buffers, strict=True)
    )


@pytest.mark.parametrize("order", ["F", "strided"])
def test_parameters_and_gradients_in_other_orders_of_memory(order):
    base = np.arange(60.0, dtype=np.float32).reshape(6, 10)
    array = np.asfortranarray(base) if order == "F" else np.repeat(base, 2, axis=1)[:, ::2]
    for kind in ("SGD", "AdamW", "RMSprop"):
        param, plain = tt.Tensor(array.copy("K") if order == "F" else array.copy()), tt.tensor(base)
        for x in (param, plain):
            x.requires_grad_()
        optimizer = getattr(tt.optim, kind)([param, plain], lr=0.1)
        param.grad, plain.grad = tt.Tensor(np.ones((10, 6), np.float32).T), tt.ones(6, 10)
        optimizer.step()
        np.testing.assert_array_equal(param.array, plain.array)


def test_a_step_is_a_change_in_place_that_the_graph_notices():
    w = tt.ones(2, requires_grad=True)
    loss = (w * w).sum()
    loss.backward(retain_graph=True)
    tt.optim.SGD([w], lr=0.1).step()
    with pytest.raises(RuntimeError, match="modified by an inplace"):
        loss.backward()


def test_groups_have_their_own_settings():
    def run(lib):
        a, b = lib.ones(2, requires_grad=True), lib.ones(3, requires_grad=True)
        optimizer = lib.optim.SGD([{"params": [a]}, {"params": b, "lr": 0.5}], lr=0.1, momentum=0.9)
        c = lib.ones(1, requires_grad=True)
        optimizer.add_param_group({"params": [c], "momentum": 0, "name": "last"})
        for x in (a, b, c):
            x.grad = lib.ones_like(x)
        for _ in range(3):
            optimizer.step()
        return (
            a,
            b,
            c,
            repr(optimizer),
            optimizer.defaults,
            [g["params"] for g in optimizer.state_dict()["param_groups"]],
        )

    twins(run)


def test_named_parameters_are_accepted():
    twins(lambda lib: repr(lib.optim.SGD([("w", lib.ones(1)), ("b", lib.ones(1))])))


def test_gradients_are_dropped_or_zeroed():
    def run(lib):
        w = lib.ones(2, requires_grad=True)
        optimizer = lib.optim.SGD([w])
        w.grad = lib.ones(2)
        optimizer.zero_grad(set_to_none=False)
        kept = w.grad.clone()
        optimizer.zero_grad()
        return kept, w.grad

    twins(run)


def test_a_closure_is_called_with_gradients_on():
    def run(lib):
        w = lib.ones(2, requires_grad=True)
        optimizer = lib.optim.SGD([w], lr=0.1)

        def closure():
            optimizer.zero_grad()
            loss = (w * w).sum()
            loss.backward()
            return loss

        with lib.no_grad():
            loss = optimizer.step(closure)
        return loss, w

    twins(run)


def test_an_optimizer_of_ones_own():
    def run(lib):
        class Sign(lib.optim.Optimizer):
            def __init__(self, params, lr):
                super().__init__(params, {"lr": lr})

            def step(self, closure=None):
                with lib.no_grad():
                    for group in self.param_groups:
                        for p in group["params"]:
                            self.state[p]["n"] = self.state[p].get("n", 0) + 1
                            p -= group["lr"] * p.grad

        w = lib.ones(2, requires_grad=True)
        w.grad = lib.ones(2)
        optimizer = Sign([w], 0.5)
        optimizer.step()
        return w, repr(optimizer), optimizer.state_dict()

    twins(run)


def test_half_and_double_parameters_keep_their_dtype():
    for dtype in ("float64", "float16"):
        twins(lambda lib, d=dtype: _one_step(lib, getattr(lib, d)), rtol=1e-3 if dtype == "float16" else 1e-12)


def _one_step(lib, dtype):
    w = lib.ones(5, dtype=dtype, requires_grad=True)
    w.grad = lib.ones(5, dtype=dtype) * 0.5
    optimizer = lib.optim.SGD([w], lr=0.1, momentum=0.5)
    optimizer.step()
    optimizer.step()
    return w, optimizer.state[w]["momentum_buffer"]


ERRORS = {
    "one tensor": lambda lib, w: lib.optim.SGD(w),
    "nothing": lambda lib, w: lib.optim.SGD([]),
    "lr": lambda lib, w: lib.optim.SGD([w], lr=-1),
    "momentum": lambda lib, w: lib.optim.SGD([w], momentum=-1),
    "decay": lambda lib, w: lib.optim.Adam([w], weight_decay=-1),
    "nesterov": lambda lib, w: lib.optim.SGD([w], nesterov=True),
    "eps": lambda lib, w: lib.optim.AdamW([w], eps=-1),
    "beta1": lambda lib, w: lib.optim.Adam([w], betas=(1, 0)),
    "beta2": lambda lib, w: lib.optim.Adam([w], betas=(0, 1)),
    "alpha": lambda lib, w: lib.optim.RMSprop([w], alpha=-1),
    "int": lambda lib, w: lib.optim.SGD([3]),
    "no leaf": lambda lib, w: lib.optim.SGD([w * 2]),
    "twice": lambda lib, w: lib.optim.SGD([{"params": [w]}, {"params": [w]}]),
    "group of int": lambda lib, w: lib.optim.SGD([w]).add_param_group(3),
    "group of set": lambda lib, w: lib.optim.SGD([w]).add_param_group({"params": {w}}),
    "fewer groups": lambda lib, w: lib.optim.SGD([w]).load_state_dict({"state": {}, "param_groups": []}),
    "fewer": lambda lib, w: lib.optim.SGD([w]).load_state_dict({"state": {}, "param_groups": [{"params": []}]}),
    "no params": lambda lib, w: lib.optim.SGD([{"lr": 1}]),
    "no step": lambda lib, w: setattr(w, "grad", lib.ones(1)) or lib.optim.Optimizer([w], {"maximize": False}).step(),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_are_pytorchs(name):
    twins(lambda lib: ERRORS[name](lib, lib.ones(1, requires_grad=True)))


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop"])
def test_arguments_have_pytorchs_names_order_and_defaults(name):
    ours, theirs = (inspect.signature(getattr(lib.optim, name)).parameters for lib in (tt, torch))
    assert [(p.name, p.default, p.kind) for p in ours.values()] == [
        (p.name, p.default, p.kind) for p in theirs.values()
    ]


def test_adams_arithmetic_can_be_replaced(monkeypatch):
    calls = []

    def update(param, grad, exp_avg, exp_avg_sq, step, lr, beta1, beta2, eps, weight_decay, decoupled, *rest):
        calls.append((step, lr, beta1, beta2, eps, weight_decay, decoupled))
        param -= 1

    monkeypatch.setattr(optimizers.Adam, "update", staticmethod(update))
    w = tt.ones(3, requires_grad=True)
    w.grad = tt.ones(3)
    tt.optim.AdamW([w], lr=0.5).step()
    assert calls == [(1.0, 0.5, 0.9, 0.999, 1e-8, 0.01, True)] and w.tolist() == [0, 0, 0]


def test_optimizers_can_be_copied():
    w = tt.ones(3, requires_grad=True)
    w.grad = tt.ones(3)
    optimizer = tt.optim.Adam([w])
    optimizer.step()
    twin = copy.deepcopy(optimizer)
    assert repr(twin) == repr(optimizer) and twin.param_groups[0]["params"][0] is not w


def seconds(step, repeat=7):
    step()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return min(times)


def test_a_step_of_a_small_gpt_takes_about_as_long_as_pytorchs():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    shapes = [(65, 128), (64, 128)]
    shapes += [(384, 128), (384,), (128, 128), (128,), (512, 128), (512,), (128, 512), (128,), *[(128,)] * 4] * 4
    found = {}
    for lib in (tt, torch):
        params = [lib.ones(shape).requires_grad_() for shape in shapes]
        for param in params:
            param.grad = lib.ones_like(param).detach()
        found[lib] = seconds(lib.optim.AdamW(params).step)
    torch.set_num_threads(threads)
    assert found[tt] < 3 * found[torch], found


SCHEDULES = {
    "lambda": lambda s, o: s.LambdaLR(o, lambda t: 0.9**t),
    "lambdas": lambda s, o: s.LambdaLR(o, [lambda t: 0.9**t, lambda t: 1 / (t + 1)]),
    "step": lambda s, o: s.StepLR(o, 4, 0.5),
    "milestones": lambda s, o: s.MultiStepLR(o, [3, 3, 10], 0.5),
    "constant": lambda s, o: s.ConstantLR(o, 0.2, 4),
    "constant at once": lambda s, o: s.ConstantLR(o, 0.2, 0),
    "linear": lambda s, o: s.LinearLR(o, 0.1, 0.8, 7),
    "exponential": lambda s, o: s.ExponentialLR(o, 0.9),
    "cosine": lambda s, o: s.CosineAnnealingLR(o, 7, 0.01),
    "one cosine": lambda s, o: s.CosineAnnealingLR(o, 30),
    "one cycle": lambda s, o: s.OneCycleLR(o, 1.0, 30),
    "one linear cycle": lambda s, o: s.OneCycleLR(
        o, [1.0, 2.0], epochs=3, steps_per_epoch=7, anneal_strategy="linear", pct_start=0.4, div_factor=3
    ),
    "three phases": lambda s, o: s.OneCycleLR(o, 1.0, 25, three_phase=True, final_div_factor=10),
    "warm-up, cosine": lambda s, o: s.SequentialLR(o, [s.LinearLR(o, 0.1, 1, 5), s.CosineAnnealingLR(o, 20)], [5]),
    "three in a row": lambda s, o: s.SequentialLR(
        o, [s.ConstantLR(o, 0.1, 2), s.ExponentialLR(o, 0.9), s.StepLR(o, 3)], [4, 12]
    ),
    "four at once": lambda s, o: [
        *(s.ExponentialLR(o, 0.9), s.CosineAnnealingLR(o, 9, 0.001)),
        *(s.StepLR(o, 3, 0.7), s.LinearLR(o, 0.5, 1, 6)),
    ],
    "resumed": lambda s, o: s.CosineAnnealingLR(o, 9, 0.01, last_epoch=4),
    "resumed too": lambda s, o: s.LinearLR(o, 0.1, 1, 9, last_epoch=4),
}


def rates(lib, make, kind="SGD", steps=30, metrics=None):
    """Return the learning rates and momenta of two groups, step by step, and what the last schedule reports."""
    groups = [{"params": [lib.ones(2)], "initial_lr": 0.1}, {"params": [lib.ones(3)], "lr": 0.5, "initial_lr": 0.5}]
    optimizer = getattr(lib.optim, kind)(groups, lr=0.1, **({"momentum": 0.9} if kind == "SGD" else {}))
    made = make(lib.optim.lr_scheduler, optimizer)
    schedules, found = made if isinstance(made, list) else [made], []
    for step in range(steps):
        found.append([[group["lr"], group.get("momentum", group.get("betas"))] for group in optimizer.param_groups])
        optimizer.step()
        try:
            for schedule in schedules:
                schedule.step(*([] if metrics is None else [metrics[step]]))
        except ValueError as error:
            return [*found, str(error)[:30]]
    return [*found, schedules[-1].get_last_lr(), schedules[-1].last_epoch]


@pytest.mark.parametrize("kind", ["SGD", "AdamW"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_give_pytorchs_rates(name, kind):
    twins(lambda lib: rates(lib, SCHEDULES[name], kind), rtol=1e-9)


@pytest.mark.parametrize(
    "options",
    [
        {"patience": 1, "factor": 0.5},
        {"mode": "max", "patience": 2, "threshold": 0.1, "threshold_mode": "abs"},
        {"cooldown": 3, "patience": 0, "min_lr": [0.01, 0.02], "threshold": 0.3},
        {"patience": 0, "eps": 0.05},
    ],
)
def test_a_plateau_lowers_the_rate(options):
    rng = np.random.default_rng(0)
    for metrics in (abs(rng.standard_normal(30)), rng.standard_normal(30) - 1):
        twins(lambda lib, m=metrics: rates(lib, lambda s, o: s.ReduceLROnPlateau(o, **options), metrics=m), rtol=1e-9)


@pytest.mark.parametrize("name", [name for name in SCHEDULES if name != "four at once"])
def test_a_schedule_resumes_from_its_state(name):
    def make():
        groups = [{"params": [tt.ones(1)], "initial_lr": 0.1}, {"params": [tt.ones(1)], "lr": 0.5, "initial_lr": 0.5}]
        optimizer = tt.optim.SGD(groups, lr=0.1, momentum=0.9)
        return optimizer, SCHEDULES[name](tt.optim.lr_scheduler, optimizer)

    (optimizer, schedule), (other, resumed) = make(), make()
    for _ in range(6):
        schedule.step()
    other.load_state_dict(optimizer.state_dict())
    resumed.load_state_dict(copy.deepcopy(schedule.state_dict()))
    for _ in range(9):
        schedule.step()
        resumed.step()
        assert schedule.get_last_lr() == resumed.get_last_lr()


def test_a_schedule_of_ones_own():
    def run(lib):
        class Root(lib.optim.lr_scheduler.LRScheduler):
            def get_lr(self):
                return [base / (1 + self.last_epoch) ** 0.5 for base in self.base_lrs]

        return rates(lib, lambda s, o: Root(o), steps=5)

    twins(run)


SCHEDULE_ERRORS = {
    "no optimizer": lambda s, o: s.StepLR(3, 1),
    "no initial": lambda s, o: s.StepLR(o, 1, last_epoch=3),
    "lambdas": lambda s, o: s.LambdaLR(o, [len, len, len]),
    "factor": lambda s, o: s.ConstantLR(o, 2.0),
    "start": lambda s, o: s.LinearLR(o, 0.0),
    "end": lambda s, o: s.LinearLR(o, 0.5, 1.5),
    "plateau": lambda s, o: s.ReduceLROnPlateau(o, factor=1.0),
    "mode": lambda s, o: s.ReduceLROnPlateau(o, mode="low"),
    "length": lambda s, o: s.OneCycleLR(o, 1.0),
    "strategy": lambda s, o: s.OneCycleLR(o, 1.0, 10, anneal_strategy="sin"),
    "no momentum": lambda s, o: s.OneCycleLR(
        type("Plain", (type(o).__mro__[1],), {})([o.param_groups[0]["params"][0]], {"lr": 1}), 1.0, 10
    ),
    "milestones": lambda s, o: s.SequentialLR(o, [s.ExponentialLR(o, 0.9)], [3]),
}


@pytest.mark.parametrize("name", SCHEDULE_ERRORS)
def test_errors_of_schedules_are_of_pytorchs_kind(name):
    def run(lib):
        return SCHEDULE_ERRORS[name](lib.optim.lr_scheduler, lib.optim.SGD([lib.ones(1)], lr=0.1))

    twins(run, text=False)

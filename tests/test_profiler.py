"""Module 14: every operation is seen once, with its time, bytes and arithmetic, and nothing is left behind."""

import contextlib
import gc
import json
import time

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import tinytorch
from tinytorch import graph, profiler
from tinytorch.conv import LeNet5
from tinytorch.modules import Linear, Module, Sequential
from tinytorch.tensor import Function, MatMul


class Clock:
    """A clock that moves by `step` every `per_step` readings."""

    def __init__(self, step=1.0, per_step=1):
        self.step, self.per_step, self.readings = step, per_step, 0

    def __call__(self):
        self.readings += 1
        return self.readings // self.per_step * self.step


def lenet_loss(model, batch=4):
    logits = model(tinytorch.ones(batch, 1, 28, 28))
    return (logits * logits).sum()


@pytest.mark.parametrize("step", [1e-3, 1e-4, 0.25])
def test_clock_step(step):
    assert profiler.clock_step(Clock(step, per_step=7)) == pytest.approx(step)
    assert 0 < profiler.clock_step() < 0.01


def test_a_timed_block_is_long_enough_for_the_clock():
    coarse = lambda: time.perf_counter() // 1e-4 * 1e-4  # noqa: E731 (as in a browser)
    timing = profiler.time_call(sum, range(1000), budget=0.1, clock=coarse)
    exact = profiler.time_call(sum, range(1000), budget=0.1)
    assert timing.best * timing.calls > 50e-4 and timing.blocks >= 5
    assert timing.best <= timing.median
    assert 0.1 < timing.best / exact.best < 10


def test_peak_memory():
    held = np.ones(10**6)
    assert profiler.peak_memory(lambda: (held + 1, np.zeros(10**6, np.float64)[0])) == pytest.approx(16e6, rel=0.01)
    assert profiler.peak_memory(lambda: None) < 10_000


def test_every_operation_is_counted():
    x = tinytorch.ones(2, 3).requires_grad_()
    with profiler.profile() as prof:
        y = ((x @ tinytorch.ones(3, 5)) * 2).relu() if hasattr(x, "relu") else x @ tinytorch.ones(3, 5) * 2
        y.sum().backward()
    rows = {row.key: row for row in prof.key_averages()}
    assert {"MatMul", "Mul", "Sum"} <= set(rows)
    assert all(row.count == 1 and row.forward > 0 and row.backward > 0 for row in rows.values())
    assert rows["MatMul"].flops == 2 * 2 * 3 * 5 * 2  # forward, and one of two gradients
    assert rows["Mul"].flops == 2 * 5 * 3  # one product forward, two backward
    forward = next(event for event in prof.events if event.name == "MatMul")
    assert (forward.nbytes, forward.shape) == (4 * (6 + 15 + 10), (2, 5))


def test_views_and_moves_cost_no_arithmetic_and_views_no_bytes():
    x = tinytorch.ones(2, 6)
    with profiler.profile() as prof:
        x.reshape(3, 4)
        x[:, 2:]
        tinytorch.cat([x, x])
    assert {row.key: (row.nbytes, row.flops) for row in prof.key_averages()} == {
        "Reshape": (0, 0), "Index": (0, 0), "Cat": (4 * 48, 0),
    }  # fmt: skip


def test_everything_is_put_back_even_after_an_error():
    names = [(Function, "apply"), (MatMul, "multiply"), *((op, "backward") for op in Function.__subclasses__())]
    before = [vars(owner).get(name) for owner, name in names]
    model = LeNet5()
    with contextlib.suppress(ZeroDivisionError), profiler.profile(model=model) as prof:
        assert vars(Function)["apply"] is not before[0]
        lenet_loss(model)
        raise ZeroDivisionError
    assert [vars(owner).get(name) for owner, name in names] == before
    assert not any(module._forward_hooks.hooks or module._forward_pre_hooks.hooks for module in model.modules())
    count = len(prof.events)
    lenet_loss(model)
    assert len(prof.events) == count > 0 and profiler.profile.active == []


def test_profiling_changes_no_number_and_keeps_no_graph():
    model = LeNet5()
    lenet_loss(model).backward()
    plain = [p.grad.array.copy() for p in model.parameters()]
    for p in model.parameters():
        p.grad = None
    with profiler.profile(model=model) as prof:
        lenet_loss(model).backward()
    assert all(np.array_equal(p.grad.array, expected) for p, expected in zip(model.parameters(), plain, strict=True))
    gc.collect()
    assert not any(
        isinstance(thing, graph.Node) and vars(thing).get("edges") for thing in gc.get_referents(*prof.events)
    )


def test_profiles_nest():
    x = tinytorch.ones(3)
    with profiler.profile() as outer:
        x + 1
        with profiler.profile() as inner:
            x * 2
        x - 1
    assert [event.name for event in outer.events] == ["Add", "Mul", "Sub"]
    assert [event.name for event in inner.events] == ["Mul"]


def test_time_inside_is_not_counted_twice():
    model = LeNet5()
    with profiler.profile(model=model) as prof, profiler.record_function("step"):
        lenet_loss(model).backward()
    step = next(event for event in prof.events if event.kind == "user")
    own = sum(event.seconds - event.inner for event in prof.events)
    assert own == pytest.approx(step.seconds, rel=1e-6)
    assert step.flops == prof.flops
    assert all(0 <= event.inner <= event.seconds for event in prof.events)


def test_flops_are_those_that_pytorch_counts():
    model, batch = LeNet5(), 4
    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(1, 6, 5, padding=2), torch.nn.MaxPool2d(2), torch.nn.Conv2d(6, 16, 5), torch.nn.MaxPool2d(2),
        torch.nn.Flatten(), torch.nn.Linear(400, 120), torch.nn.Linear(120, 84), torch.nn.Linear(84, 10),
    )  # fmt: skip
    with FlopCounterMode(display=False) as counter:
        theirs(torch.ones(batch, 1, 28, 28)).sum().backward()
    with profiler.profile() as prof:
        lenet_loss(model, batch).backward()
    products = sum(row.flops for row in prof.key_averages() if row.key in ("Convolution", "Affine"))
    assert products == counter.get_total_flops()
    assert profiler.count_flops(tinytorch.matmul, tinytorch.ones(2, 3), tinytorch.ones(3, 5)) == 60


def test_table():
    with profiler.profile(activities=["cpu"], record_shapes=True) as prof:
        lenet_loss(LeNet5()).backward()
    averages = prof.key_averages()
    lines = averages.table(sort_by="flops", row_limit=3).splitlines()
    assert len(lines) == 8 and len(set(map(len, lines[:-1]))) == 1
    assert lines[1].split()[:2] == ["Name", "Calls"] and lines[3].startswith("Convolution")
    assert lines[-1].startswith("Self CPU time total: ") and lines[-1].endswith("ms")
    shares = [float(line.split()[5]) for line in averages.table().splitlines()[3:-2]]
    assert shares == sorted(shares, reverse=True) and sum(shares) == pytest.approx(100, abs=0.1)
    assert "Name" in profiler.profile().key_averages().table()


def test_module_tree():
    class Twice(Module):
        def __init__(self):
            super().__init__()
            self.body = Sequential(Linear(4, 8), Linear(8, 4))

        def forward(self, x):
            return self.body(self.body(x))

    lines = profiler.module_tree(Twice(), tinytorch.ones(3, 4)).splitlines()
    cells = [line.split() for line in lines[3:-1]]
    assert [row[:2] for row in cells] == [
        ["model", "(Twice)"],
        ["body", "(Sequential)"],
        ["0", "(Linear)"],
        ["1", "(Linear)"],
    ]
    assert [row[2:4] for row in cells] == [["76", "1"], ["76", "2"], ["40", "2"], ["36", "2"]]
    assert "(3, 8)" in lines[5] and lines[4].startswith("  body") and lines[5].startswith("    0")
    flops = [float(row[5]) for row in cells]
    assert flops[0] == flops[1] == pytest.approx(flops[2] + flops[3], abs=2e-3)


def test_chrome_trace(tmp_path):
    model = LeNet5()
    with profiler.profile(model=model) as prof, profiler.record_function("step"):
        lenet_loss(model).backward()
    prof.export_chrome_trace(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert len(events) == len(prof.events) and {event["cat"] for event in events} == {
        "user",
        "module",
        "forward",
        "backward",
    }
    assert all(event["ph"] == "X" and event["dur"] >= 0 and event["ts"] >= 0 for event in events)
    conv1 = next(event for event in events if event["name"] == "conv1")
    inside = [e for e in events if conv1["ts"] <= e["ts"] and e["ts"] + e["dur"] <= conv1["ts"] + conv1["dur"]]
    assert "Convolution" in [event["name"] for event in inside]


def test_roofline():
    assert profiler.roofline(0.5, 20e9, 8e9) == 4e9
    assert profiler.roofline(100, 20e9, 8e9) == 20e9
    assert 1e8 < profiler.bandwidth(2**22) < 1e12


def test_the_cost_of_watching_is_small():
    x = tinytorch.ones(10)

    def chain():
        y = x
        for _ in range(1000):
            y = y + 1

    def seconds():
        start = time.perf_counter()
        chain()
        return time.perf_counter() - start

    plain, watched = [], []
    for _ in range(10):
        plain.append(seconds())
        with profiler.profile():
            watched.append(seconds())
    assert min(watched) < 6 * min(plain)

"""tinytorch agrees with PyTorch: on PyTorch's own samples, and, without PyTorch, on frozen ones."""

import collections
import functools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinytorch as tt
from tests.parity import excused, freeze, names, oracle, report

ROOT = Path(__file__).parents[1]
MOST = 40  # lines of differences in one message
LEAST_OPERATORS, LEAST_MODULES, LEAST_NAMES = 260, 60, 0.8  # a little under what there is: none may get lost


@functools.cache
def outcomes():
    """Run everything against PyTorch once; skip only where torch is not installed."""
    pytest.importorskip("torch", reason=oracle.MISSING)
    oracle.load_torch()
    found, refusals, untested = report.groups()
    return found, refusals, untested


def check(title):
    found = outcomes()[0][title]
    failed = report.failures(found)
    shown = "\n".join(failed[:MOST])
    assert not failed, f"{len(failed)} of {len(found)} samples of {title} differ without a reason:\n{shown}"
    return found


def test_operators_agree_on_all_samples_but_those_with_a_reason():
    found = check("operators")
    equal = sum(outcome.status == "equal" for outcome in found)
    assert equal >= report.SHARE * len(found), f"only {equal} of {len(found)} samples agree"
    assert len({report.name(outcome) for outcome in found}) >= LEAST_OPERATORS
    assert sum(outcome.gradient for outcome in found) >= len(found) // 3


def test_modules_agree_on_all_samples():
    found = check("modules")
    assert all(outcome.status == "equal" for outcome in found)
    assert len({outcome.module for outcome in found}) >= LEAST_MODULES


@pytest.mark.parametrize("title", ["optimizers", "schedulers"])
def test_trajectories_agree(title):
    found = check(title)
    assert found and all(outcome.status == "equal" for outcome in found)


def test_every_optimizer_and_scheduler_has_samples():
    from tests.parity import optimizers

    found, _, untested = outcomes()
    assert not set(untested) & {name for kind in optimizers.names() for name in kind}
    assert len({outcome.name for outcome in found["schedulers"]}) >= 8


def test_what_pytorch_refuses_is_refused():
    refusals = outcomes()[1]
    refused = sum(refusal.refused for refusal in refusals)
    accepted = [f"{r.label}({r.inputs}): {r.note}" for r in refusals if not r.refused]
    assert refused >= 0.9 * len(refusals), "\n".join(accepted[:MOST])


def test_no_reason_is_left_over():
    found = [outcome for group in outcomes()[0].values() for outcome in group]
    given = collections.Counter(outcome.note for outcome in found if outcome.status == "excused")
    unused = [why for _, _, why in excused.RULES if not given[why]]
    assert not unused, f"no sample needs these any more: {unused}"


def test_names_that_scripts_use():
    torch = pytest.importorskip("torch", reason=oracle.MISSING)
    assert not names.missing(torch), "a listed name that PyTorch does not have"
    missing = names.missing(tt)
    assert len(missing) <= (1 - LEAST_NAMES) * len(names.listed()), f"missing: {missing}"


def test_frozen_samples_need_no_torch():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from tests.parity import freeze\n"
        "count, wrong = freeze.check()\n"
        "print(count, *wrong, sep='\\n'); raise SystemExit(bool(wrong) or count < 200)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_frozen_samples_are_small():
    assert freeze.FILE.stat().st_size < 150_000


def test_without_torch_the_message_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(RuntimeError, match=r"build\.py parity"):
        oracle.load_torch()


def small_change(function, factor):
    """Return a function whose results are a little off."""
    return lambda *args, **kwargs: function(*args, **kwargs) * factor


@pytest.mark.parametrize("factor", [1.0001, -1.0])
def test_a_wrong_value_is_noticed(factor, monkeypatch):
    pytest.importorskip("torch", reason=oracle.MISSING)
    oracle.load_torch()
    from tests.parity import operators

    monkeypatch.setattr(tt, "exp", small_change(tt.exp, factor))
    found = operators.check(*operators.calls()["exp"])
    wrong = {outcome.label for outcome in found if outcome.status == "failed"}
    assert "exp" in wrong and "Tensor.exp" not in wrong


def test_a_wrong_gradient_is_noticed(monkeypatch):
    pytest.importorskip("torch", reason=oracle.MISSING)
    oracle.load_torch()
    from tests.parity import operators

    right = tt.autograd.grad

    def doubled(*args, **kwargs):
        return [None if grad is None else grad * 2 for grad in right(*args, **kwargs)]

    monkeypatch.setattr(tt.autograd, "grad", doubled)
    found = operators.check(*operators.calls()["exp"])
    wrong = [outcome for outcome in found if outcome.status == "failed"]
    assert wrong and all("gradient" in outcome.note for outcome in wrong)


# What is random cannot be equal: its statistics are.

N = 40_000  # so many draws keep every mean within five standard errors, whatever the seed


def test_dropout_keeps_the_share_and_the_mean():
    tt.manual_seed(1)
    x = tt.ones(N, requires_grad=True)
    out = tt.nn.functional.dropout(x, 0.3)
    kept = out.detach().numpy() != 0
    assert abs(kept.mean() - 0.7) < 5 * np.sqrt(0.21 / N)
    np.testing.assert_allclose(out.detach().numpy()[kept], 1 / 0.7, 1e-6)
    out.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), out.detach().numpy())


@pytest.mark.parametrize(
    "draw, mean, spread",
    [
        (lambda: tt.rand(N), 0.5, np.sqrt(1 / 12)),
        (lambda: tt.randn(N), 0.0, 1.0),
        (lambda: tt.randint(0, 10, (N,)), 4.5, np.sqrt(99 / 12)),
        (lambda: tt.bernoulli(tt.full((N,), 0.2)), 0.2, 0.4),
        (lambda: tt.normal(2.0, 3.0, (N,)), 2.0, 3.0),
        (lambda: tt.zeros(N).uniform_(-1, 3), 1.0, 4 * np.sqrt(1 / 12)),
        (lambda: tt.zeros(N).normal_(1, 2), 1.0, 2.0),
    ],
)
def test_random_numbers_have_their_mean_and_spread(draw, mean, spread):
    tt.manual_seed(2)
    drawn = draw().numpy().astype(np.float64)
    assert abs(drawn.mean() - mean) < 5 * spread / np.sqrt(N)
    assert abs(drawn.std() - spread) < 0.05 * spread


def test_multinomial_draws_by_weight():
    tt.manual_seed(3)
    weights = np.array([0.1, 0.0, 0.6, 0.3], np.float32)
    drawn = tt.multinomial(tt.from_numpy(weights), N, replacement=True).numpy()
    np.testing.assert_allclose(np.bincount(drawn, minlength=4) / N, weights, atol=5 * 0.5 / np.sqrt(N))
    once = tt.multinomial(tt.from_numpy(weights), 3).tolist()
    assert sorted(once) == [0, 2, 3]

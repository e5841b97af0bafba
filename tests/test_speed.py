"""A training step takes at most three times PyTorch's time, and time grows as the work does."""

import pytest
from dropin import speed

pytest.importorskip("torch")

LIMIT = 3.0  # times PyTorch's time, one thread each


@pytest.fixture(scope="module")
def results():
    measured = speed.measure()
    print(speed.table(measured))
    return {row["name"]: row for part in measured.values() for row in part}


@pytest.mark.parametrize("name", speed.STEPS)
def test_a_training_step_takes_at_most_three_times_pytorchs_time(results, name):
    assert results[name]["ratio"] <= LIMIT, results[name]


@pytest.mark.parametrize("name", speed.GROWTH)
def test_time_grows_linearly(results, name):
    # doubling the work doubles the time; less where a fixed cost or the cache helps, more where it hurts; with each
    # operation looking at all before it, it would be four times
    assert 1.2 <= results[name]["per_doubling"] <= 2.8, results[name]

"""The kernels of module 17 where they are meant to run: in the page, loaded by its dynamic linker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import speed
from conftest import Launch
from playwright.sync_api import Page

ATTEMPTS = 6  # other programs on the machine can only make the kernel slower: the best attempt counts
GFLOPS, RATIO = 15, 15  # what a product of 256 to 512 must reach, and its advantage over NumPy
SHARE = 0.5  # of what arithmetic alone reaches, where other programs keep even that below 2 * GFLOPS
BUSY_RATIO = 12  # the advantage that is left there


@pytest.fixture
def page(base: str, launch: Launch) -> Iterator[Page]:
    """A page with Python, NumPy and the package."""
    page = launch(quick=False).new_page()
    speed.start(page, base)
    yield page
    page.close()


def fast_enough(row: speed.Row) -> bool:
    """Say whether a measurement meets the goal, or as much of it as a busy machine allows."""
    busy = SHARE * row["peak"] < GFLOPS
    return row["kernel"] >= min(GFLOPS, SHARE * row["peak"]) and row["ratio"] >= (BUSY_RATIO if busy else RATIO)


def measured(page: Page, what: str, enough: Callable[[Any], bool]) -> Any:
    """Measure until it is enough, `ATTEMPTS` times at most; return the last measurement."""
    for _ in range(ATTEMPTS):
        row = speed.ask(page, what)
        if enough(row):
            break
    return row


def test_the_kernels_in_the_page_are_right_and_fast(page: Page) -> None:
    """Products, GELU and Adam equal NumPy's to 1e-5; products of 256 to 512 run at 15 GFLOP/s, 15 times NumPy."""
    for name, error in speed.ask(page, "errors()").items():
        assert error < 1e-5, name
    assert speed.ask(page, "acceleration.enable()") is True
    assert speed.ask(page, "acceleration.MatMul.multiply is acceleration.simd_matmul") is True
    assert speed.ask(page, "acceleration.disable()") is None
    assert speed.ask(page, "acceleration.MatMul.multiply is np.matmul") is True
    for n in (256, 384, 512):
        row = measured(page, f"matmul({n})", fast_enough)
        print(f"{n}: {row['kernel']:.1f} GFLOP/s, NumPy {row['numpy']:.2f}, {row['ratio']:.1f} times")
        assert fast_enough(row), row
    for row in measured(page, "fused(100_000)", lambda rows: all(row["ratio"] > 2 for row in rows)):
        print(f"{row['name']}: {row['kernel_ms']:.3f} ms, NumPy {row['numpy_ms']:.3f} ms")
        assert row["ratio"] > 2, row


def test_an_error_of_the_linker_is_an_oserror(page: Page) -> None:
    """Bytes that are no module raise OSError, on which the choice between the two matmul kernels rests."""
    refused = "__import__('tinytorch._kernels')._kernels.load_kernel(b'no module')"
    with pytest.raises(RuntimeError, match="OSError"):
        speed.ask(page, refused)

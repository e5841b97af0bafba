"""Measure in a browser what the kernels of module 17 gain over NumPy: matrix products, fused passes, training steps.

    python tests/browser/speed.py        (inside .venv, after `python3 build.py build`)

The site's Python runs in a worker, as the kernel of a notebook does, with the package's sources. This file is loaded
there too: the functions up to `steps` run in the page, the others outside. Times are paired: each round measures both.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "site"), str(ROOT / "tests")]

from tinytorch import acceleration  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Page

SIZES = (64, 128, 256, 384, 512, 1024)
Row = dict[str, Any]


def seconds(call: Callable[[], Any], budget: float) -> float:
    """Return the seconds that call() takes: the shortest of several runs, in blocks of a tenth of the budget."""
    repetitions, best, end = 1, math.inf, time.perf_counter() + budget
    while True:
        start = time.perf_counter()
        for _ in range(repetitions):
            call()
        now = time.perf_counter()
        if now - start < budget / 10:
            repetitions *= 2
            continue
        best = min(best, (now - start) / repetitions)
        if now >= end:
            return best


def paired(ours: Callable[[], Any], numpys: Callable[[], Any], rounds: int = 5, budget: float = 0.06) -> Row:
    """Return the median milliseconds of two functions, and the median of their ratio."""
    ours(), numpys()
    times = [(seconds(ours, budget), seconds(numpys, budget)) for _ in range(rounds)]
    kernel, numpy = (statistics.median(column) for column in zip(*times, strict=True))
    ratio = statistics.median(b / a for a, b in times)
    return {"kernel_ms": 1e3 * kernel, "numpy_ms": 1e3 * numpy, "ratio": ratio}


def matmul(n: int, rounds: int = 5) -> Row:
    """Return times and GFLOP/s of the product of two n by n matrices, and the GFLOP/s of arithmetic alone."""
    a, b = np.random.default_rng(n).standard_normal((2, n, n), np.float32)
    row = paired(lambda: acceleration.run_matmul(a, b), lambda: np.matmul(a, b), rounds)
    row |= {name: 2e-6 * n**3 / row[f"{name}_ms"] for name in ("kernel", "numpy")}
    return row | {"peak": acceleration.peak_flops() / 1e9}


def fused(n: int) -> list[Row]:
    """Return times of GELU, of both kinds, and of a step of Adam on n numbers."""
    x, grad, mean, square = np.random.default_rng(n).random((4, n), np.float32)
    state = x, grad, mean, square, 3, 1e-3, 0.9, 0.999, 1e-8, 0.01, True
    pairs: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
        "GELU": (lambda: acceleration.simd_gelu(x, "none"), lambda: acceleration.numpy_gelu(x, "none")),
        "GELU, tanh": (lambda: acceleration.simd_gelu(x, "tanh"), lambda: acceleration.numpy_gelu(x, "tanh")),
        "AdamW": (lambda: acceleration.simd_adam(*state), lambda: acceleration.numpy_adam(*state)),
    }
    return [{"name": f"{name}, {n:,} numbers"} | paired(*pair) for name, pair in pairs.items()]


def adam_step(update: Callable[..., None], n: int) -> np.ndarray:
    """Return n parameters, gradients, means and mean squares after a step of AdamW."""
    x, grad, mean, square = arrays = np.random.default_rng(n).random((4, n), np.float32) + np.float32(1)
    update(x, grad, mean, square, 3, 1e-3, 0.9, 0.999, 1e-8, 0.01, True)
    return arrays


def errors() -> dict[str, float]:
    """Return, for products of awkward shapes and layouts, GELU and Adam, the largest relative difference to NumPy."""
    random = np.random.default_rng(0)
    worst = 0.0
    for n, k, m in ((1, 1, 1), (5, 3, 9), (4, 256, 8), (7, 300, 520), (33, 17, 1)):
        for a in (random.random((n, k), np.float32), random.random((k, n), np.float32).T):
            for b in (random.random((k, m), np.float32), random.random((2, m, 2 * k), np.float32)[..., ::2].mT):
                exact = a.astype(float) @ b
                worst = max(worst, float(np.abs(acceleration.run_matmul(a, b) / exact - 1).max()))
    found = {"matmul": worst}
    x = np.linspace(0.01, 9, 1003, dtype=np.float32)
    for approximate in ("none", "tanh"):
        ours, theirs = acceleration.simd_gelu(x, approximate)[0], acceleration.numpy_gelu(x, approximate)[0]
        found[f"gelu {approximate}"] = float(np.abs(ours / theirs - 1).max())
    ours, theirs = adam_step(acceleration.simd_adam, 1003), adam_step(acceleration.numpy_adam, 1003)
    found["adam"] = float(np.abs(ours / theirs - 1).max())
    return found


def steps(rounds: int = 5) -> list[Row]:
    """Return times of the three training steps, with the kernels and without."""
    from dropin import speed

    def milliseconds(step: Callable[[], None]) -> float:
        start = time.perf_counter()
        step()
        return 1e3 * (time.perf_counter() - start)

    rows = []
    for name, make in speed.STEPS.items():
        step, times = make("tinytorch"), []
        for _ in range(rounds + 1):  # the first warms up
            acceleration.enable()
            kernel = milliseconds(step)
            acceleration.disable()
            times.append((kernel, milliseconds(step)))
        kernel, numpy = (statistics.median(column) for column in zip(*times[1:], strict=True))
        ratio = statistics.median(b / a for a, b in times[1:])
        rows.append({"name": name, "kernel_ms": kernel, "numpy_ms": numpy, "ratio": ratio})
    return rows


WORKER = """
    import {loadPyodide} from '%spython/python.mjs';
    let python;
    onmessage = async ({data: {files, code}}) => {
        try {
            if (!python) {
                python = await loadPyodide();
                for (const [path, text] of Object.entries(files)) {
                    python.FS.mkdirTree(path.replace(/[/][^/]*$/, ''));
                    python.FS.writeFile(path, text);
                }
            }
            postMessage({result: python.runPython(code)});
        } catch (error) {
            postMessage({error: `${error.type} ${error}`}); // with the shell loaded, Python prints tracebacks elsewhere
        }
    };
"""
START = (
    "text => worker = new Worker(URL.createObjectURL(new Blob([text], {type: 'text/javascript'})), {type: 'module'})"
)
ASK = """message => new Promise(done => {
    worker.onmessage = ({data}) => { if (!data.tinytorch) done(data); };  // not the news of how the start goes
    worker.onerror = event => done({error: `the worker failed: ${event.message}`});
    worker.postMessage(message);
})"""


OWN_PACKAGE = """
import sys
sys.path.append("/course/tests/browser")
for name in [name for name in sys.modules if name.partition(".")[0] == "tinytorch"]:
    del sys.modules[name]  # the student's, whose stubs a session has loaded
"""


def start(page: Page, base: str) -> None:
    """Open a page of the site at base and start Python there, with the sources of the package and of this file."""
    page.goto(f"{base}course.json")  # any address of the site whose page forbids no worker
    page.evaluate(START, WORKER % base)
    sources = [*ROOT.glob("tinytorch/**/*.py"), *ROOT.glob("tests/dropin/*.py"), Path(__file__)]
    files = {f"/course/{path.relative_to(ROOT).as_posix()}": path.read_text("utf-8") for path in sources}
    answer = page.evaluate(ASK, {"files": files, "code": OWN_PACKAGE})
    if "error" in answer:
        raise RuntimeError(answer["error"])


def ask(page: Page, expression: str) -> Any:
    """Return the value, JSON, of an expression evaluated in the page with the names of this file."""
    code = f"import json, speed\njson.dumps(eval({expression!r}, vars(speed)))"
    answer = page.evaluate(ASK, {"files": {}, "code": code})
    if "error" in answer:
        raise RuntimeError(answer["error"])
    return json.loads(answer["result"])


def table(head: str, rows: list[Row]) -> str:
    """Return rows as a Markdown table."""
    lines = [f"| {head} | kernel, ms | NumPy, ms | ratio |", "|---|---|---|---|"]
    for row in rows:
        lines.append(f"| {row['name']} | {row['kernel_ms']:.3g} | {row['numpy_ms']:.3g} | {row['ratio']:.1f} |")
    return "\n".join(lines)


def main() -> None:
    """Print the tables."""
    from conftest import FLAGS, address, start_server
    from playwright.sync_api import sync_playwright

    from builder import browser

    with sync_playwright() as driver:
        page = driver.chromium.launch(executable_path=browser.find(), headless=True, args=FLAGS).new_page()
        start(page, address(start_server(ROOT / "_site")))
        print("relative differences to NumPy:", ask(page, "errors()"))
        print("| n | kernel, GFLOP/s | NumPy, GFLOP/s | ratio | arithmetic alone, GFLOP/s |\n|---|---|---|---|---|")
        for n in SIZES:
            row = ask(page, f"matmul({n}, {5 if n < 1000 else 1})")
            print(f"| {n} | {row['kernel']:.1f} | {row['numpy']:.2f} | {row['ratio']:.1f} | {row['peak']:.1f} |")
        print(table("fused pass", ask(page, "fused(1_000) + fused(100_000)")))
        print(table("training step", ask(page, "steps()")))


if __name__ == "__main__":
    main()

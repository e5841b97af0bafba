"""Time one training step in tinytorch and in PyTorch, in turn, on one thread each.

A step is forward, loss, backward and optimizer step. The models come from the scripts of this folder. Each round
times both libraries, one after the other, and gives one ratio; the table shows medians. Processor time is counted,
of all threads of the process, so neither other programs nor a second thread help or harm.

    python tests/dropin/speed.py            print the tables
    python tests/dropin/speed.py --json     print them as JSON
    python tests/dropin/speed.py --profile  print where tinytorch's steps spend their time
"""

import cProfile
import io
import json
import os
import pstats
import statistics
import subprocess
import sys
import time
from pathlib import Path

ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1")
ROUNDS = 11


def mlp(library, batch=64):
    """Return a step of an MLP 784-256-10 with Adam."""
    torch = load("lenet", library).torch
    model = torch.nn.Sequential(torch.nn.Linear(784, 256), torch.nn.ReLU(), torch.nn.Linear(256, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    x, y = torch.rand(batch, 784), torch.arange(batch) % 10
    return classifier_step(torch.nn.CrossEntropyLoss(), model, optimizer, x, y)


def lenet(library, batch=32):
    """Return a step of LeNet-5 on 28 x 28 images with SGD and momentum."""
    script = load("lenet", library)
    model = script.LeNet()
    optimizer = script.torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9)
    return classifier_step(script.F.nll_loss, model, optimizer, *script.drawings(batch))


def classifier_step(loss_function, model, optimizer, x, y):
    """Return a function that trains the model on one batch."""

    def step():
        optimizer.zero_grad()
        loss_function(model(x), y).backward()
        optimizer.step()

    return step


def gpt(library, batch=8):
    """Return a step of a GPT with 4 layers of 128, 4 heads, 64 tokens of 65, with AdamW."""
    script = load("gpt", library)
    torch = script.torch
    config = script.GPTConfig(block_size=64, vocab_size=65, n_layer=4, n_head=4, n_embd=128)
    model = script.GPT(config)
    decay = [p for p in model.parameters() if p.dim() >= 2]
    others = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": decay, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95))
    tokens = torch.randint(0, 65, (batch, 65))

    def step():
        optimizer.zero_grad(set_to_none=True)
        model(tokens[:, :-1], tokens[:, 1:].contiguous())[1].backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step


def chain(library, nodes):
    """Return a step through a chain of small operations, forward and backward."""
    torch = load("lenet", library).torch
    x = torch.ones(4, requires_grad=True)

    def step():
        y = x
        for _ in range(nodes // 2):
            y = (y + 1.0) * 0.5
        y.sum().backward()

    return step


STEPS = {"MLP 784-256-10, batch 64": mlp, "LeNet-5, batch 32": lenet, "GPT 4 x 128, 8 x 64 tokens": gpt}
GROWTH = {
    "operations in a chain": (chain, (1000, 2000, 4000, 8000)),
    "batch of LeNet-5": (lenet, (16, 32, 64, 128)),
    "batch of the GPT": (gpt, (4, 8, 16)),
}


def load(name, library):
    """Return a script of this folder that uses this library."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from dropin import harness

    sys.path.pop(0)
    return harness.load(name, library)


def seconds(step, repetitions=1):
    """Return the processor time of one step."""
    start = time.process_time()
    for _ in range(repetitions):
        step()
    return (time.process_time() - start) / repetitions


def paired(make, rounds=ROUNDS):
    """Return median milliseconds of both libraries and of their ratio, with its quartiles."""
    ours, theirs = make("tinytorch"), make("torch")
    for step in (ours, theirs):
        seconds(step, 3)
    repetitions = max(1, int(0.03 / seconds(theirs)))
    times = [(seconds(ours, repetitions), seconds(theirs, repetitions)) for _ in range(rounds)]
    ratios = sorted(a / b for a, b in times)
    return {
        "tinytorch_ms": 1e3 * statistics.median(a for a, _ in times),
        "torch_ms": 1e3 * statistics.median(b for _, b in times),
        "ratio": statistics.median(ratios),
        "quartiles": [ratios[rounds // 4], ratios[-1 - rounds // 4]],
    }


def growth(make, sizes, rounds=5):
    """Return the best time in milliseconds at each size, and by how much it grew per doubling."""
    steps = [make("tinytorch", size) for size in sizes]
    for step in steps:
        step()
    times = [[seconds(step) for step in steps] for _ in range(rounds)]
    best = [min(column) for column in zip(*times, strict=True)]
    per_doubling = (best[-1] / best[0]) ** (1 / (len(sizes) - 1))
    return {"sizes": list(sizes), "tinytorch_ms": [1e3 * t for t in best], "per_doubling": per_doubling}


def measure_here(rounds=ROUNDS):
    """Return all tables, measured in this process, in which PyTorch gets one thread."""
    import torch

    torch.set_num_threads(1)
    return {
        "steps": [{"name": name} | paired(make, rounds) for name, make in STEPS.items()],
        "growth": [{"name": name} | growth(make, sizes) for name, (make, sizes) in GROWTH.items()],
    }


def measure():
    """Return all tables, measured in a new process, in which NumPy has one thread as well."""
    command = [sys.executable, __file__, "--json"]
    done = subprocess.run(command, env=os.environ | ONE_THREAD, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


def table(results):
    """Return the tables as Markdown."""
    lines = ["| training step | tinytorch, ms | PyTorch, ms | ratio (quartiles) |", "|---|---|---|---|"]
    for row in results["steps"]:
        low, high = row["quartiles"]
        times = f"{row['tinytorch_ms']:.2f} | {row['torch_ms']:.2f}"
        lines.append(f"| {row['name']} | {times} | {row['ratio']:.2f} ({low:.2f}-{high:.2f}) |")
    lines += ["", "| time against | sizes | tinytorch, ms | growth per doubling |", "|---|---|---|---|"]
    for row in results["growth"]:
        sizes, times = ", ".join(map(str, row["sizes"])), ", ".join(f"{t:.1f}" for t in row["tinytorch_ms"])
        lines.append(f"| {row['name']} | {sizes} | {times} | {row['per_doubling']:.2f} |")
    return "\n".join(lines)


def profile(make, count=20, lines=22):
    """Return a profile of tinytorch's steps, by own time."""
    step = make("tinytorch")
    step()
    profiler = cProfile.Profile()
    profiler.enable()
    for _ in range(count):
        step()
    profiler.disable()
    text = io.StringIO()
    pstats.Stats(profiler, stream=text).strip_dirs().sort_stats("tottime").print_stats(lines)
    return text.getvalue()


def main(arguments):
    """Do what the module's docstring says."""
    if "--json" in arguments:
        print(json.dumps(measure_here()))
    elif "--profile" in arguments:
        for name, make in STEPS.items():
            print(name, profile(make), sep="\n")
    else:
        print(table(measure()))


if __name__ == "__main__":
    main(sys.argv[1:])

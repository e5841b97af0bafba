"""Milestone 2, 1969: what one layer cannot do.

Marvin Minsky and Seymour Papert, "Perceptrons" (MIT Press, 1969). A unit draws one straight boundary. XOR, which
is 1 when exactly one of two inputs is, needs more: if b <= 0 < w1 + b and 0 < w2 + b, then w1 + w2 + b > -b >= 0,
so that the unit must answer 1 to (1, 1) too, where XOR is 0. Three of the four cases are the most it can have.
Two layers have no such limit; that no rule was known to train them stopped the field for over ten years.

It proves the limit by trying 68,921 boundaries, each one a row of your Linear, and the way out by two layers
whose weights are set by hand. It prints

    AND 100 %, OR 100 %, XOR 75 % at most, over 68,921 boundaries
    XOR with two layers: 100 %
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # for `python milestones/02_xor.py`

import numpy as np

import tinytorch as tt
from checks import chart, stage

CASES = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
WANTED = {"AND": [0, 0, 0, 1], "OR": [0, 1, 1, 1], "XOR": [0, 1, 1, 0]}
GRID = 41  # values from -1 to 1 of each of w1, w2 and b; scaling all three moves no boundary
HIDDEN = ([[1.0, 1.0], [-1.0, -1.0]], [-0.5, 1.5])  # (x1 or x2), not (x1 and x2)
LAST = ([[1.0, 1.0]], [-1.5])  # both


class Step(tt.nn.Module):
    """1 where the input is above 0, else 0: all that a unit of 1969 can say."""

    def forward(self, x):
        return (x > 0).to(tt.float32)


def layer(weight, bias):
    """Return a Linear with given numbers, weight (out, in) and bias (out,)."""
    made = tt.nn.Linear(len(weight[0]), len(weight)).requires_grad_(False)
    made.load_state_dict({"weight": tt.tensor(weight), "bias": tt.tensor(bias)})
    return made


def boundaries(w1, grid):
    """Return weight (grid^2, 2) and bias (grid^2,), float32, of all boundaries with this w1."""
    values = np.linspace(-1, 1, grid, dtype=np.float32)
    w2, bias = (table.reshape(-1) for table in np.meshgrid(values, values))
    return np.stack([np.full_like(w2, w1), w2], 1), bias


def main(steps=GRID, seed=0):
    """Try steps^3 boundaries; return how many had 0 to 4 cases right, and what the two layers answer."""
    x, live = tt.tensor(CASES), stage.Live()
    wanted = {name: tt.tensor(answers).reshape(4, 1) for name, answers in WANTED.items()}
    counts = {name: np.zeros(5, np.int64) for name in WANTED}

    def draw():
        rows = [{"cases right": str(n), "boundaries": int(count), "task": name}
                for name in WANTED for n, count in enumerate(counts[name])]  # fmt: skip
        best = ", ".join(f"{name} {counts[name].nonzero()[0].max()}" for name in WANTED)
        alt = f"How many boundaries have 0 to 4 of the four cases right; the best so far: {best}."
        return chart.bar(rows, "cases right", "boundaries", "Single layers", alt, color="task")

    for number, w1 in enumerate(np.linspace(-1, 1, steps, dtype=np.float32), 1):
        answers = Step()(layer(*boundaries(w1, steps))(x))  # (4, boundaries)
        for name in WANTED:
            right = (answers == wanted[name]).sum(dim=0)
            counts[name] += np.bincount(right.numpy(), minlength=5)
        live.show(draw, f"{number * steps**2:6d} boundaries, XOR: at most {counts['XOR'].nonzero()[0].max()} of 4")
    live.next()
    two = tt.nn.Sequential(layer(*HIDDEN), Step(), layer(*LAST), Step())
    output, sums = two(x), two[0](x).numpy().copy()
    state = {name: value.numpy().copy() for name, value in two.state_dict().items()}
    text = f"two layers: {output.reshape(4).tolist()}"
    live.show(lambda: two_lines(output.reshape(4).tolist()), text)
    live.next()
    return {"steps": steps, "counts": counts, "output": output.numpy().copy(), "sums": sums, "state": state}


def two_lines(answers):
    """Return a chart of the four cases, as the two layers answer, and the boundaries of the two hidden units."""
    rows = [{"x1": a, "x2": b, "answer": str(int(y))} for (a, b), y in zip(CASES, answers, strict=True)]
    lines = [(*weights, bias) for weights, bias in zip(*HIDDEN, strict=True)]
    alt = f"The four cases at the corners of a square, answered {answers}, and two parallel lines between them."
    return chart.points(rows, "x1", "x2", "Two boundaries, and both must agree", alt, "answer", lines=lines)


def gate(result):
    """Return what must be true, each as (sentence, whether it is): all from NumPy and the weights alone."""
    x, best, same = np.array(CASES, np.float32), {}, True
    for name, answers in WANTED.items():
        counts = np.zeros(5, np.int64)
        for w1 in np.linspace(-1, 1, result["steps"], dtype=np.float32):
            weight, bias = boundaries(w1, result["steps"])
            right = (x @ weight.T + bias > 0) == np.array(answers)[:, None]
            counts += np.bincount(right.sum(0), minlength=5)
        best[name] = counts.nonzero()[0].max() / 4
        same &= bool((counts == result["counts"][name]).all())
    state = result["state"]
    sums = x @ state["0.weight"].T + state["0.bias"]
    output = (sums > 0) @ state["2.weight"].T + state["2.bias"] > 0
    rate = np.mean(output[:, 0] == WANTED["XOR"])
    text = ", ".join(f"{name} {share:.0%}" for name, share in best.items())
    return [
        (f"{text} at most, over {result['steps'] ** 3:,} boundaries", best == {"AND": 1, "OR": 1, "XOR": 0.75}),
        (f"XOR with two layers: {rate:.0%}", rate == 1),
        ("NumPy counts the same boundaries for 0, 1, 2, 3 and 4 cases", same),
        ("your hidden units have the sums that NumPy has", stage.close(result["sums"], sums, 1e-5)),
        ("your two layers answer as NumPy does", bool((result["output"] == output).all())),
    ]


if __name__ == "__main__":
    stage.play(main, gate)

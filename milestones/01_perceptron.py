"""Milestone 1, 1958: a machine that learns from its mistakes.

Frank Rosenblatt, "The Perceptron: A Probabilistic Model for Information Storage and Organization in the Brain",
Psychological Review 65 (1958). One unit answers 1 or 0 on a weighted sum of its inputs. When it is right it stays
as it is; when it is wrong, the input is added to the weights, or taken away. A. Novikoff ("On convergence proofs
on perceptrons", 1962) proved that this ends, whenever a straight boundary exists.

It proves that Linear, `*`, `+=` and indexing, as you wrote them, learn without any gradient. It prints
    cloud: 100.0 % of 200 points, after some dozens of mistakes
    digits 0 and 1: at least 99 % of 120 images that it never saw
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # for `python milestones/01_perceptron.py`

import numpy as np

import tinytorch as tt
from checks import chart, stage

POINTS = 200  # in the cloud, each at least MARGIN from the boundary that made the labels
MARGIN = 0.04
TRAINED_ON = 240  # images of zeros and ones; the 120 others are for the test
SURE = {"cloud": 0.0, "digits": 10.0}  # Rosenblatt's threshold: a sum nearer to 0 is no answer, hence a mistake


def make_cloud(seed):
    """Return points (200, 2) on both sides of a random straight line, float32, and their signs -1 or 1."""
    rng = np.random.default_rng(seed)
    angle, points = rng.uniform(0, 2 * np.pi), rng.uniform(-1, 1, (POINTS * 3, 2))
    distance = points @ [np.cos(angle), np.sin(angle)] - 0.2
    far = np.abs(distance) > MARGIN
    return points[far][:POINTS].astype(np.float32), np.sign(distance[far][:POINTS]).astype(np.float32)


def read_digits(seed):
    """Return images (360, 64) of zeros and ones, shuffled, and their signs (-1 for a zero), float32."""
    images, labels = stage.digits(seed, classes=2)
    return images, (2 * labels - 1).astype(np.float32)


def learn(points, signs, sure, passes, picture):
    """Return weights, bias and the mistakes in each pass of Rosenblatt's unit, after at most `passes` passes."""
    unit = tt.nn.Linear(points.shape[1], 1).requires_grad_(False)
    unit.load_state_dict({"weight": tt.zeros(1, points.shape[1]), "bias": tt.zeros(1)})
    x, y, mistakes = tt.tensor(points), tt.tensor(signs), []
    while len(mistakes) < passes and 0 not in mistakes:
        mistakes.append(0)
        for i in range(len(points)):
            if (unit(x[i]) * y[i]).item() <= sure:
                unit.weight += y[i] * x[i]
                unit.bias += y[i]
                mistakes[-1] += 1
                picture(unit, mistakes)
    return *stage.numbers(unit), mistakes


def main(steps=100, seed=0):
    """Train on the cloud and on the digits for at most `steps` passes; return weights, mistakes and data."""
    cloud, digits, live = make_cloud(seed), read_digits(seed), stage.Live()

    def draw_cloud(unit, mistakes):
        text = f"cloud, pass {len(mistakes)}: {mistakes[-1]} mistakes"
        live.show(lambda: boundary(*cloud, *stage.numbers(unit), text), text)

    def draw_digits(unit, mistakes):
        rows = [{"pass": i + 1, "mistakes": count} for i, count in enumerate(mistakes)]
        alt = f"Mistakes on the digits in each pass, {mistakes[0]} in the first and {mistakes[-1]} in the last."
        text = f"digits, pass {len(mistakes)}: {mistakes[-1]} mistakes"
        live.show(lambda: chart.line(rows, x="pass", y="mistakes", title="Zeros and ones", alt=alt), text)

    found = learn(*cloud, SURE["cloud"], steps, draw_cloud)
    text = f"cloud: the boundary after {sum(found[2])} mistakes in {len(found[2])} passes"
    live.show(lambda: boundary(*cloud, *found[:2], text), text)
    live.next()
    read = learn(*(part[:TRAINED_ON] for part in digits), SURE["digits"], steps, draw_digits)
    live.next()
    return {"seed": seed, "steps": steps, "cloud": found, "digits": read}


def boundary(points, signs, weights, bias, title):
    """Return a chart of the cloud and of the line where weights . x + bias = 0."""
    rows = [{"x": x, "y": y, "class": int(sign)} for (x, y), sign in zip(points, signs, strict=True)]
    alt = f"Points of two classes and a straight line; {title}."
    return chart.points(rows, "x", "y", title, alt, "class", lines=[(*weights[0], *bias)])


def rosenblatt(points, signs, sure, passes):
    """Return weights, bias and mistakes of the same rule in NumPy."""
    weights, bias, mistakes = np.zeros_like(points[:1]), np.zeros(1, np.float32), []
    while len(mistakes) < passes and 0 not in mistakes:
        mistakes.append(0)
        for x, sign in zip(points, signs, strict=True):
            if (weights[0] @ x + bias[0]) * sign <= sure:
                weights, bias, mistakes[-1] = weights + sign * x, bias + sign, mistakes[-1] + 1
    return weights, bias, mistakes


def gate(result):
    """Return what must be true, each as (sentence, whether it is): all from NumPy and the weights alone."""
    cloud, (images, signs) = make_cloud(result["seed"]), read_digits(result["seed"])
    shares, same = {}, {}
    for name, seen, unseen in (
        ("cloud", cloud, cloud),
        ("digits", (images[:TRAINED_ON], signs[:TRAINED_ON]), (images[TRAINED_ON:], signs[TRAINED_ON:])),
    ):
        weights, bias, _ = result[name]
        shares[name] = np.mean(np.sign(unseen[0] @ weights[0] + bias) == unseen[1])
        same[name] = stage.close(result[name], rosenblatt(*seen, SURE[name], result["steps"]), 1e-3)
    return [
        (f"cloud: {shares['cloud']:.1%} of {POINTS} points, {sum(result['cloud'][2])} mistakes", shares["cloud"] == 1),
        (f"digits 0 and 1: {shares['digits']:.1%} of {len(images) - TRAINED_ON} new images", shares["digits"] >= 0.99),
        ("the rule in NumPy makes the same mistakes and ends at the same weights", all(same.values())),
    ]


if __name__ == "__main__":
    stage.play(main, gate)

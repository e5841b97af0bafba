"""Milestone 3, 1986: layers that find their own weights.

David Rumelhart, Geoffrey Hinton and Ronald Williams, "Learning representations by back-propagating errors",
Nature 323 (1986). The derivative of the error passes back from layer to layer by the chain rule, so that every
weight learns its share of the blame. Hidden units then stand for something that nobody told them.

It proves that your autograd, layers, losses, loaders and optimizers work together. It prints
    XOR: solved from at least 9 of 10 random starts
    digits: at least 95 % of 360 images that it never saw
"""

import sys
from functools import partial
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # for `python milestones/03_backpropagation.py`

import numpy as np

import tinytorch as tt
from checks import chart, stage
from tinytorch import nn, optim
from tinytorch.utils.data import DataLoader, TensorDataset

XOR = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32), np.array([0, 1, 1, 0], np.int64)
STARTS, XOR_STEPS, XOR_HIDDEN, XOR_LR = 10, 20, 4, 0.1  # 20 steps on XOR for each epoch on the digits
EPOCHS, BATCH, HIDDEN, LR, MOMENTUM = 15, 32, 32, 0.02, 0.9  # the momentum is the paper's
TRAINED_ON, FOLLOWED = 1437, 40  # of the 1,797 digits; steps of each run that the gate repeats in NumPy


def network(inputs, hidden, outputs, lr):
    """Return two layers, and the optimizer of their weights."""
    model = nn.Sequential(nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, outputs))
    return model, optim.SGD(model.parameters(), lr=lr, momentum=MOMENTUM)


def step(model, optimizer, x, y):
    """Take one step down the gradient of the loss on x (n, inputs) and classes y (n,); return the loss."""
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def main(steps=EPOCHS, seed=0):
    """Learn XOR from ten starts, then the digits for `steps` epochs; return (first weights, last, losses) of each."""
    live, starts, curves, rows = stage.Live(), [], [], []
    for start in range(STARTS):
        tt.manual_seed(STARTS * seed + start)
        model, optimizer = network(2, XOR_HIDDEN, 2, XOR_LR)
        first = stage.numbers(model)
        losses = [step(model, optimizer, *map(tt.tensor, XOR)) for _ in range(XOR_STEPS * steps)]
        starts.append((first, stage.numbers(model), losses))
        curves += [{"step": i, "loss": losses[i], "start": start + 1} for i in range(0, len(losses), 10)]
        text = f"XOR, start {start + 1}: the loss goes from {losses[0]:.3f} to {losses[-1]:.4f}"
        live.show(partial(chart.line, curves, "step", "loss", "XOR", text, "start"), text)
    live.next()
    images, labels = stage.digits(seed)
    samples = TensorDataset(*(tt.tensor(part[:TRAINED_ON]) for part in (images, labels)), tt.arange(TRAINED_ON))
    loader = DataLoader(samples, batch_size=BATCH, shuffle=True, generator=tt.Generator().manual_seed(seed))
    model, optimizer = network(64, HIDDEN, 10, LR)
    first, losses, batches = stage.numbers(model), [], []
    for epoch in range(1, steps + 1):
        for x, y, number in loader:
            losses.append(step(model, optimizer, x, y))
            batches.append(number.tolist())
        rows.append({"epoch": epoch, "loss": float(np.mean(losses[-len(loader) :]))})
        text = f"digits, epoch {epoch}: loss {rows[-1]['loss']:.3f}"
        live.show(partial(chart.line, rows, "epoch", "loss", "Digits", text), text)
    live.next()
    answers = model(tt.tensor(images[-8:])).max(dim=1).indices.tolist()
    read = [f"{label} read as {answer}" for label, answer in zip(labels[-8:], answers, strict=True)]
    pictures, text = images[-8:].reshape(-1, 8, 8), "new digits: " + ", ".join(read)
    live.show(partial(chart.images, pictures, read, "Digits it never saw", text), text)
    live.next()
    return {"seed": seed, "xor": starts, "digits": (first, stage.numbers(model), losses), "batches": batches}


def forward(w1, b1, w2, b2, x):
    """Return the hidden units and the outputs of two layers in NumPy."""
    hidden = np.tanh(x @ w1.T + b1)
    return hidden, hidden @ w2.T + b2


def repeated(parameters, batches, lr):
    """Return the losses of the first steps, with every derivative written out: 1986 in NumPy."""
    parameters, speed, losses = [p.copy() for p in parameters], [0.0] * 4, []
    for x, y in batches[:FOLLOWED]:
        hidden, outputs = forward(*parameters, x)
        chance = np.exp(outputs) / np.exp(outputs).sum(1, keepdims=True)
        wanted = np.arange(outputs.shape[1]) == y[:, None]
        losses, g = [*losses, -np.log(chance[wanted]).mean()], (chance - wanted) / len(y)
        below = g @ parameters[2] * (1 - hidden**2)
        grads = below.T @ x, below.sum(0), g.T @ hidden, g.sum(0)
        speed = [MOMENTUM * v + grad for v, grad in zip(speed, grads, strict=True)]
        parameters = [p - lr * v for p, v in zip(parameters, speed, strict=True)]
    return losses


def gate(result):
    """Return what must be true, each as (sentence, whether it is): all from NumPy and the weights alone."""
    images, labels = stage.digits(result["seed"])
    solved = sum((forward(*last, XOR[0])[1].argmax(1) == XOR[1]).all() for _, last, _ in result["xor"])
    first, last, losses = result["digits"]
    rate = np.mean(forward(*last, images[TRAINED_ON:])[1].argmax(1) == labels[TRAINED_ON:])
    epochs = np.sort(np.concatenate(result["batches"]).reshape(-1, TRAINED_ON))
    batches = [(images[rows], labels[rows]) for rows in result["batches"]]
    same = [stage.close(a[:FOLLOWED], repeated(start, [XOR] * len(a), XOR_LR), 1e-3) for start, _, a in result["xor"]]
    same.append(stage.close(losses[:FOLLOWED], repeated(first, batches, LR), 1e-3))
    return [
        (f"XOR: solved from {solved} of {STARTS} random starts", solved >= 9 and len(result["xor"]) == STARTS),
        (f"digits: {rate:.1%} of {len(labels) - TRAINED_ON} unseen images", rate >= 0.95),
        ("every epoch has every image once", bool((epochs == np.arange(TRAINED_ON)).all())),
        (f"in all runs backpropagation in NumPy has the same {FOLLOWED} first losses", all(same)),
    ]


if __name__ == "__main__":
    stage.play(main, gate)

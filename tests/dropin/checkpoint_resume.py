"""Stop in the middle, save model, optimizer, scheduler and epoch, load, and go on as if nothing had happened."""

import os
import tempfile

import torch
import torch.nn as nn
import torch.optim as optim
from common import floats
from torch.optim import lr_scheduler

EPOCHS = 24


def build(init):
    """Return a new model with its optimizer and scheduler."""
    model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.GELU(), nn.Linear(16, 3))
    if init:
        init(model)
    optimizer = optim.Adam(
        [
            {"params": model[0].parameters(), "lr": 5e-3},
            {"params": [p for m in model[1:] for p in m.parameters()]},
        ],
        lr=1e-2,
        weight_decay=1e-3,
    )
    scheduler = lr_scheduler.CosineAnnealingLR(optimizer, T_max=EPOCHS)
    return model, optimizer, scheduler


def run(model, optimizer, scheduler, epochs):
    """Train over these epochs and return the losses."""
    losses = []
    model.train()
    for epoch in epochs:
        x = floats(epoch, 16, 8)
        target = torch.stack((x[:, 0] * x[:, 1], x[:, 2].abs(), x[:, 3:].mean(dim=1)), dim=1)
        loss = nn.functional.smooth_l1_loss(model(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    return losses


def main(init=None):
    """Return the losses of the run that was interrupted."""
    straight = run(*build(init), range(EPOCHS))

    model, optimizer, scheduler = build(init)
    losses = run(model, optimizer, scheduler, range(10))
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "checkpoint.pt")
        torch.save(
            {
                "epoch": 10,
                "model_state_dict": model.state_dict(),
                "optimizer_state_dict": optimizer.state_dict(),
                "scheduler_state_dict": scheduler.state_dict(),
                "loss": losses[-1],
                "classes": ["product", "size", "mean"],
                "best": {"epoch": 3, "improved": True, "note": None},
            },
            path,
        )
        torch.save(model.state_dict(), os.path.join(folder, "weights.pt"))
        model, optimizer, scheduler = build(None)
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        weights = torch.load(os.path.join(folder, "weights.pt"), weights_only=True)

    print(model.load_state_dict(checkpoint["model_state_dict"]))
    optimizer.load_state_dict(checkpoint["optimizer_state_dict"])
    scheduler.load_state_dict(checkpoint["scheduler_state_dict"])
    print(list(checkpoint), checkpoint["epoch"], checkpoint["classes"], checkpoint["best"])
    for name, value in weights.items():
        print(f"{name:22}{value.dtype!s:15}{tuple(value.shape)}", torch.equal(value, model.state_dict()[name]))
    print([group["lr"] for group in optimizer.param_groups] == scheduler.get_last_lr())
    assert checkpoint["loss"] == losses[-1]

    losses += run(model, optimizer, scheduler, range(checkpoint["epoch"], EPOCHS))
    print("the same to the last bit:", losses == straight)

    try:
        nn.Sequential(nn.Linear(8, 16)).load_state_dict(weights)
    except RuntimeError as error:
        print(error)
    other = nn.Sequential(nn.Linear(8, 16, bias=False))
    print(other.load_state_dict({"0.weight": weights["0.weight"], "9.weight": weights["3.weight"]}, strict=False))
    return losses


if __name__ == "__main__":
    main()

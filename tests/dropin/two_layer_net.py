"""One two-layer network, fitted three times: gradients by hand, by autograd, with nn and optim."""

import torch
from common import floats

N, D_IN, H, D_OUT = 32, 20, 16, 4
STEPS = 20


def by_hand(x, y, w1, w2, lr):
    """Gradient descent where every derivative is written out."""
    losses = []
    for _ in range(STEPS):
        h = x.mm(w1)
        h_relu = h.clamp(min=0)
        y_pred = h_relu.mm(w2)
        losses.append((y_pred - y).pow(2).mean().item())

        grad_y_pred = 2.0 * (y_pred - y) / y.numel()
        grad_w2 = h_relu.t().mm(grad_y_pred)
        grad_h = grad_y_pred.mm(w2.t())
        grad_h[h < 0] = 0
        grad_w1 = x.t().mm(grad_h)

        w1 -= lr * grad_w1
        w2 -= lr * grad_w2
    return losses


def by_autograd(x, y, w1, w2, lr):
    """The same with loss.backward() and an update under no_grad."""
    losses = []
    for _ in range(STEPS):
        loss = (x.mm(w1).clamp(min=0).mm(w2) - y).pow(2).mean()
        losses.append(loss.item())
        loss.backward()
        with torch.no_grad():
            w1 -= lr * w1.grad
            w2 -= lr * w2.grad
            w1.grad.zero_()
            w2.grad = None
    return losses


def by_optim(x, y, w1, w2, lr):
    """The same with a Sequential, a loss module and an optimizer."""
    model = torch.nn.Sequential(
        torch.nn.Linear(D_IN, H, bias=False),
        torch.nn.ReLU(),
        torch.nn.Linear(H, D_OUT, bias=False),
    )
    model[0].weight.data = w1.t().clone()
    model[2].weight.data.copy_(w2.t())
    print(model)
    loss_fn = torch.nn.MSELoss(reduction="mean")
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    losses = []
    for _ in range(STEPS):
        loss = loss_fn(model(x), y)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return losses


def main(init=None):
    """Return the losses of the three ways; they are the same curve."""
    dtype = torch.float
    device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    x = floats(1, N, D_IN).to(device)
    y = torch.sin(x[:, :D_OUT]) + x[:, D_OUT : 2 * D_OUT] * x[:, -1:]

    w1 = torch.randn(D_IN, H, device=device, dtype=dtype) / D_IN**0.5
    w2 = torch.randn(H, D_OUT, device=device, dtype=dtype) / H**0.5
    if init:
        init([w1, w2])

    curves = [
        by_hand(x, y, w1.clone(), w2.clone(), 0.5),
        by_autograd(x, y, w1.clone().requires_grad_(True), w2.clone().requires_grad_(), 0.5),
        by_optim(x, y, w1, w2, 0.5),
    ]
    for step in range(0, STEPS, 5):
        print(step, *(f"{curve[step]:.4f}" for curve in curves))
    assert torch.allclose(torch.tensor(curves[0]), torch.tensor(curves[1]), atol=1e-4)
    assert torch.allclose(torch.tensor(curves[0]), torch.tensor(curves[2]), atol=1e-4)
    return curves[0] + curves[1] + curves[2]


if __name__ == "__main__":
    main()

"""Own differentiable functions: forward and backward written by the user of the library."""

import torch
from common import floats
from torch import nn
from torch.autograd import Function, gradcheck


class AffineFunction(Function):
    """y = x W^T + b, computing only the gradients that somebody needs."""

    @staticmethod
    def forward(ctx, x, weight, bias=None):
        ctx.save_for_backward(x, weight, bias)
        out = x.mm(weight.t())
        if bias is not None:
            out += bias.unsqueeze(0).expand_as(out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        x, weight, bias = ctx.saved_tensors
        grad_x = grad_weight = grad_bias = None
        if ctx.needs_input_grad[0]:
            grad_x = grad_output.mm(weight)
        if ctx.needs_input_grad[1]:
            grad_weight = grad_output.t().mm(x)
        if bias is not None and ctx.needs_input_grad[2]:
            grad_bias = grad_output.sum(0)
        return grad_x, grad_weight, grad_bias


class SoftClip(Function):
    """y = limit tanh(x / limit); the limit is a plain number and gets no gradient."""

    @staticmethod
    def forward(ctx, x, limit):
        y = torch.tanh(x / limit) * limit
        ctx.limit = limit
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, grad_output):
        (y,) = ctx.saved_tensors
        return grad_output * (1 - (y / ctx.limit) ** 2), None


class StraightThroughRound(Function):
    """Round, pretending in the backward pass that nothing happened."""

    @staticmethod
    def forward(ctx, x):
        return x.round()

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output.clone()


class MinMax(Function):
    """Two outputs of one function: the smaller and the larger of two tensors."""

    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a < b)
        return torch.minimum(a, b), torch.maximum(a, b)

    @staticmethod
    def backward(ctx, grad_small, grad_large):
        (first,) = ctx.saved_tensors
        return torch.where(first, grad_small, grad_large), torch.where(first, grad_large, grad_small)


class Affine(nn.Module):
    """A layer around AffineFunction."""

    def __init__(self, in_features, out_features, bias=True):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        if bias:
            self.bias = nn.Parameter(torch.empty(out_features))
        else:
            self.register_parameter("bias", None)
        nn.init.uniform_(self.weight, -0.1, 0.1)
        if self.bias is not None:
            nn.init.uniform_(self.bias, -0.1, 0.1)

    def forward(self, x):
        return AffineFunction.apply(x, self.weight, self.bias)

    def extra_repr(self):
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Net(nn.Module):
    """Two affine layers with a soft clip between them."""

    def __init__(self):
        super().__init__()
        self.first = Affine(6, 12)
        self.second = Affine(12, 2, bias=False)

    def forward(self, x):
        return self.second(SoftClip.apply(self.first(x), 1.5))


def main(init=None):
    """Check the gradients, then train with them."""
    double = torch.ones(3, 4, dtype=torch.double).cumsum(1) / 7
    x, w, b = double.clone(), double[:2].clone() - 0.3, torch.tensor([0.1, -0.2], dtype=torch.float64)
    for tensor in (x, w, b):
        tensor.requires_grad_()
    print(gradcheck(AffineFunction.apply, (x, w, b), eps=1e-6, atol=1e-4))
    print(gradcheck(lambda t: SoftClip.apply(t, 0.7), (x,)))
    frozen = AffineFunction.apply(x.detach(), w, b)
    frozen.sum().backward()
    print(x.grad, b.grad)

    model = Net()
    print(model)
    if init:
        init(model)
    inputs, targets = floats(1, 24, 6), floats(2, 24, 2)
    levels = torch.linspace(-1.3, 1.4, 10).requires_grad_()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        small, large = MinMax.apply(model(inputs), targets)
        loss = (large - small).pow(2).mean() + 0.01 * StraightThroughRound.apply(levels).pow(2).sum()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print("rounded", (levels.grad / 30).tolist() == (0.02 * levels.detach().round()).tolist())
    return losses


if __name__ == "__main__":
    main()

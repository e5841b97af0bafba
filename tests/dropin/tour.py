"""What ordinary scripts lean on, a line or two of each; the output is compared with PyTorch's, letter by letter."""

import copy
import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils import clip_grad_norm_
from torch.utils.data import DataLoader, RandomSampler, TensorDataset


def creation():
    """Constructors, dtypes, devices."""
    print(torch.tensor([[1.0, 2.5], [3.0, -4.25]]), torch.tensor(3), torch.tensor([True, False]))
    print(torch.zeros(2, 3), torch.ones((2,), dtype=torch.int32), torch.full((2, 2), 7), torch.full((2,), 0.1))
    print(torch.arange(5), torch.arange(1, 2, 0.25), torch.arange(10, 0, -3), torch.linspace(-1, 1, 5), torch.eye(3))
    print(torch.empty(0), torch.empty(2, 0), torch.zeros(2, 0, 3), torch.empty(3, 4).shape, torch.zeros([2, 1]))
    print(torch.tensor([1e-8, 1.0]), torch.tensor([1e10, 1.0]), torch.tensor([float("nan"), float("inf"), -1.5]))
    print(torch.tensor([1, 1000000]), torch.tensor([0.1, 100000.0]), torch.tensor(1e-5), torch.arange(2000))
    print(torch.arange(12).reshape(3, 4).half(), torch.arange(4.0, dtype=torch.float64), torch.ones(30, 40))
    x = torch.arange(6.0).view(2, 3)
    print(x.dtype, x.device, x.shape, x.size(), x.size(-1), x.dim(), x.ndim, x.numel(), x.nelement(), len(x))
    print(x.element_size(), x.is_contiguous(), x.t().is_contiguous(), x.t().stride(), x.layout, x.is_cuda)
    print(x.double().dtype, x.long(), x.bool(), x.to(torch.int8), x.type(torch.float16), x.int().float().dtype)
    print(torch.zeros_like(x), torch.ones_like(x, dtype=torch.long), torch.full_like(x, 2), x.new_zeros(2))
    print(x.new_tensor([1]))
    print(torch.device("cpu"), torch.device("cuda:1").index, torch.device("cuda", 0).type, x.to("cpu") is x)
    print(torch.cuda.is_available(), torch.cuda.device_count(), torch.is_tensor(x), isinstance(x, torch.Tensor))
    print(x.to(torch.device("cpu"), torch.float64).dtype, x.cpu().numpy(), x.tolist(), x[1, 2].item())
    print(torch.get_default_dtype(), torch.finfo(torch.float32).eps, torch.finfo(torch.float16).max)
    print(torch.iinfo(torch.int8).min)
    print(torch.float32 == torch.float, torch.float32.is_floating_point, torch.promote_types(torch.int8, torch.float16))
    print(torch.is_floating_point(x), x.is_floating_point(), torch.numel(x), torch.Size([2, 3]) == (2, 3))


def printing():
    """Formatting of tensors and numbers."""
    t = torch.tensor(2.718281828)
    print(f"{t:.4f}|{t:8.2f}|{t.item():.3e}|{torch.tensor(42):5d}|{torch.tensor(True)}|{torch.tensor([1.5])}")
    print("%.3f" % t, "%d" % torch.tensor(7), f"{t:.2f} {torch.tensor([1, 2])}", str(t), repr(t))
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    print(w, (w * 2).detach(), w.sum().item(), w.grad, w.is_leaf, (w + 1).is_leaf)
    print(torch.arange(24.0).reshape(2, 3, 4) / 7)
    print(torch.tensor([[1, -20], [300, 4]]), torch.tensor([[0.001, 1000.0]]), torch.tensor([1.0, 2.0, 3.0]).sum())
    print(nn.Parameter(torch.ones(2)), type(nn.Parameter(torch.ones(1))).__name__, torch.zeros(2, dtype=torch.uint8))


def arithmetic():
    """Operators, both ways round, and promotion."""
    x, i = torch.tensor([1.0, 2.0, 4.0]), torch.tensor([3, -7, 2])
    print(x + 1, 1 + x, 1 - x, 2 * x, 1 / x, 2**x, x**2, -x, x // 2, 7 // i, x % 1.5, i % 4, 10 % x, abs(i), +x)
    print(i / 2, i // 2, i * 2.5, i + True, (i > 0) * 2, i - torch.tensor(0.5), x * i)
    print(torch.tensor(2) ** torch.tensor(3))
    print(i == 3, i != 3, x >= 2, x < i, ~(i > 0), (i > 0) & (x > 1), (i > 0) | (x > 1), (i > 0) ^ (x > 1), i & 1)
    print(i << 1)
    print(torch.add(x, i, alpha=2), torch.sub(x, 1), torch.mul(x, x), torch.div(i, 2, rounding_mode="floor"))
    print(x.add(1).mul_(2), x.clone().sub_(1).div_(2), x.clone().fill_(3), x.clone().zero_(), x.clone().clamp_(1.5, 3))
    print(torch.exp(x), x.log(), x.sqrt(), x.rsqrt(), x.sin(), x.tanh(), torch.sigmoid(x), x.reciprocal(), x.erf())
    print(torch.tensor([-1.5, 0.5, 2.5]).round(), x.neg().abs(), torch.sign(i), torch.floor(-x / 3), torch.ceil(x / 3))
    print(torch.maximum(x, i), torch.minimum(x, torch.tensor(2.0)), torch.clamp(x, min=2), x.clip(max=2))
    print(torch.square(i))
    print(torch.isnan((x - x) / 0), torch.isinf(x / 0), torch.isfinite(x), torch.nan_to_num(x / 0, posinf=9.0))
    print(torch.allclose(x, x + 1e-9), torch.equal(x, x.clone()), torch.isclose(x, x + 0.1), (x == x).all())
    print((x > 3).any())
    y = x
    y += 1
    y *= torch.tensor([1.0, 0.0, 2.0])
    print(x, y is x, x.add_(1, alpha=3), math.sqrt(x[0]), float(x[1]), int(x[2]), round(x[0].item(), 1), bool(x[0] > 0))
    print(list(range(10))[torch.tensor(3)], [v.item() for v in i], sum(i), max(i), sorted(i.tolist()), list(i))


def reductions():
    """Sums, extrema, sorting."""
    m = torch.tensor([[3.0, 1.0, 2.0], [0.5, 5.0, 4.0]])
    print(m.sum(), m.sum(0), m.sum(dim=1, keepdim=True), m.mean(), m.mean((0, 1)), m.std(), m.var(0))
    print(m.var(1, unbiased=False))
    values, indices = m.max(dim=1)
    print(values, indices, m.max(), m.max(0), m.min(1, keepdim=True).values, torch.max(m, 1)[1], m.argmax())
    print(m.argmin(1))
    print(m.amax(dim=(0, 1)), m.prod(), m.norm(), m.norm(dim=1), m.norm(p=1), m.cumsum(1), m.cumprod(0), m.logsumexp(1))
    print(m.topk(2), m.topk(2, dim=1, largest=False).indices, m.sort(dim=1), torch.sort(m, descending=True)[1])
    print(m.argsort())
    print(m.median(), (m > 2).sum(), (m > 2).float().mean(), (m > 2).nonzero(), torch.count_nonzero(m > 2), m.all())
    print(m.any(1))
    print(torch.tensor([3, 1, 3, 2]).unique(), torch.bincount(torch.tensor([0, 2, 2])), m.softmax(-1))
    print(m.log_softmax(dim=0))
    print(torch.tensor([1, 2]).sum().dtype, torch.tensor([True, True]).sum(), torch.tensor([1, 2]).prod())
    print(m.flatten().max().item())


def shapes():
    """Views, joins, splits."""
    a = torch.arange(12).reshape(3, 4)
    print(a.view(-1), a.view(4, 3)[1], a.reshape(2, -1), a.T, a.t().shape, a.transpose(0, 1).shape)
    print(a.permute(1, 0).shape)
    print(a.unsqueeze(0).shape, a[None].squeeze(0).shape, a[:, None, :].shape, a.flatten().shape)
    print(torch.ones(1, 2, 1).squeeze().shape)
    print(torch.arange(3).unsqueeze(1).expand(3, 2), torch.arange(3).expand(2, -1), torch.arange(2).repeat(2, 2))
    print(a.mT.shape)
    print(torch.cat((a, a), dim=1).shape, torch.cat([a, a]).shape, torch.stack([a, a], 2).shape)
    print(torch.hstack((a[0], a[1])))
    print(a.split(2, dim=1), a.split([1, 3], 1)[1], a.chunk(2), torch.tensor_split(torch.arange(5), 2), a.unbind(0)[2])
    print(a.roll(1), torch.roll(a, (1, -1), (0, 1)), a.flip(0), torch.flip(a, [0, 1])[0], torch.tril(a), a.triu(1))
    print(a.diag())
    print(torch.meshgrid(torch.arange(2), torch.arange(3), indexing="ij")[1], torch.outer(a[0], a[1]))
    print(torch.diag(a[0, :2]))
    print(a.narrow(1, 1, 2), a.select(0, 1), a.movedim(0, 1).shape, a.swapaxes(0, 1).shape)
    print(a.repeat_interleave(2, dim=1)[0])
    print(torch.broadcast_to(a[0], (2, 4)), torch.einsum("ij,kj->ik", a, a), a.view_as(a) is a, a.unfold(1, 2, 2)[0])
    b = a.view(2, 6)
    b[0, 0] = 100
    print(a[0, 0], a.data_ptr() == b.data_ptr(), a.clone().data_ptr() == a.data_ptr(), a.contiguous() is a)
    print(a.storage_offset())
    print(F.pad(a[0], (1, 2)), F.one_hot(torch.tensor([0, 2]), 3), torch.atleast_2d(a[0]).shape)
    print(torch.squeeze(a[None], 0).shape)


def indexing():
    """Reading and writing parts."""
    a = torch.arange(20.0).reshape(4, 5)
    print(a[1], a[1, 2], a[-1, -1], a[1:3, ::2], a[..., 0], a[:, 1:2], a[[0, 2]], a[[0, 2], [1, 3]], a[a > 16])
    print(a[None, 0].shape)
    print(a[torch.tensor([3, 0])], a[:, torch.tensor([[0, 1], [2, 3]])].shape)
    print(a[torch.arange(4), torch.tensor([0, 1, 2, 3])])
    print(a[a[:, 0] > 4].shape, a[torch.tensor([True, False, False, True])], a[1, a[1] > 7], a[2:, -1], a[0][1])
    print((a[0] == 3).nonzero())
    a[0] = -1
    a[1, 2:] = torch.tensor([7.0, 8.0, 9.0])
    a[:, 0] += 100
    a[a < 0] = 0
    a[[2, 3], [4, 4]] = 1.5
    a[3, 1:3].mul_(0)
    print(a)
    print(a.gather(1, torch.tensor([[0], [1], [2], [3]])), a.index_select(1, torch.tensor([4, 0])))
    print(a.masked_select(a > 100))
    print(torch.zeros(3, 4).scatter_(1, torch.tensor([[0], [2], [3]]), 1.0))
    print(torch.zeros(2, 3).scatter_add_(0, torch.tensor([[0, 0, 1]]), torch.ones(1, 3)))
    print(a.masked_fill(a > 50, -1.0)[0], torch.where(a > 10, a, torch.zeros(())), torch.where(a[0] > 1))
    print(torch.take_along_dim(a, a.argmax(1, keepdim=True), 1))
    print(torch.zeros(4).index_add_(0, torch.tensor([1, 1, 3]), torch.ones(3)))
    print(torch.zeros(3).index_fill_(0, torch.tensor([1]), 5))
    for name, call in {
        "too far": lambda: a[7],
        "too many": lambda: a[0, 0, 0],
        "shapes": lambda: a + torch.ones(3),
        "matmul": lambda: a @ a,
        "view": lambda: a.t().view(-1),
        "item": lambda: a.item(),
        "truth": lambda: bool(a),
        "dim": lambda: a.sum(2),
        "grad of ints": lambda: torch.tensor([1, 2], requires_grad=True),
        "in place on a leaf": lambda: torch.ones(2, requires_grad=True).add_(1),
        "numpy with grad": lambda: torch.ones(2, requires_grad=True).numpy(),
        "len": lambda: len(torch.tensor(1)),
    }.items():
        try:
            print(name, call())
        except (RuntimeError, IndexError, TypeError, ValueError) as error:
            print(name, type(error).__name__)


def linear_algebra():
    """Products."""
    a, b, v = torch.arange(6.0).view(2, 3), torch.ones(3, 2), torch.tensor([1.0, 2.0, 3.0])
    print(a @ b, torch.matmul(a, v), a.mm(b), a.mv(v), v.dot(v), v @ v, torch.bmm(a[None], b[None]))
    print(torch.addmm(torch.eye(2), a, b))
    print((torch.ones(5, 1, 2, 3) @ torch.ones(4, 3, 2)).shape, torch.tensordot(a, b, dims=1).shape, a.T @ a)
    print(torch.trace(a @ b))
    print(torch.einsum("bij,bjk->bik", a[None], b[None]), torch.einsum("i,j->ij", v, v), torch.einsum("ii", a.T @ a))
    print(torch.cdist(a, b.T), F.cosine_similarity(a, torch.ones(2, 3), dim=1), F.normalize(a, dim=1))
    print(torch.baddbmm(torch.zeros(1), a[None], b[None]))


def gradients():
    """Autograd, the parts that scripts touch."""
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = (x**2).sum()
    print(y.requires_grad, y.grad_fn is not None, x.grad_fn, y.backward(), x.grad)
    (x * 3).sum().backward()
    print(x.grad, x.grad.requires_grad)
    x.grad.zero_()
    (x.detach() * x).sum().backward()
    print(x.grad, torch.autograd.grad((x**3).sum(), x), torch.autograd.grad(x[0] * 2, [x]))
    with torch.no_grad():
        z = x * 2
        x -= 0.5 * x.grad
    print(z.requires_grad, x, torch.is_grad_enabled())
    with torch.enable_grad(), torch.set_grad_enabled(False):
        print((x * 2).requires_grad)
    h = x * 1
    h.retain_grad()
    handle = h.register_hook(lambda grad: grad * 10)
    x.grad = None
    h.sum().backward()
    handle.remove()
    print(h.grad, x.grad)
    v = torch.zeros(2, 3)
    v[1] = x * 2
    v[0, 1:] += x[:2]
    v.backward(torch.ones(2, 3))
    print(x.grad, v.detach())
    s = x.sum()
    s.backward(retain_graph=True)
    s.backward()
    for name, call in {
        "twice": s.backward,
        "not a scalar": (x * 2).backward,
        "no grad": torch.ones(1).backward,
    }.items():
        try:
            call() if name != "twice" else ((t := (x * x).sum()).backward(), t.backward())
            print(name, "passed")
        except RuntimeError as error:
            print(name, type(error).__name__)
    w = copy.deepcopy(x)
    print(w.grad, w.requires_grad, w is x, x.data.requires_grad, x.detach().data_ptr() == x.data_ptr())


class Block(nn.Module):
    """A module with a buffer, a parameter, a dictionary and a list of modules."""

    def __init__(self, width=4, *, depth=2):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))
        self.register_buffer("cache", torch.zeros(2), persistent=False)
        self.layers = nn.ModuleList([nn.Linear(width, width) for _ in range(depth)])
        self.heads = nn.ModuleDict({"a": nn.Linear(width, 2), "b": nn.Sequential(nn.Linear(width, 1), nn.Sigmoid())})
        self.act = nn.ReLU()
        self.tied = self.layers[0]

    def forward(self, x, head="a"):
        self.steps += 1
        for layer in self.layers:
            x = self.act(layer(x)) * self.scale
        return self.heads[head](x)


def modules():
    """Module bookkeeping."""
    block = Block()
    print(block)
    print([name for name, _ in block.named_parameters()], len(list(block.parameters())))
    print([n for n, _ in block.named_buffers()])
    print(list(block.state_dict()), [n for n, _ in block.named_modules()], [n for n, _ in block.named_children()])
    print(block(torch.ones(3, 4)).shape, block(torch.ones(4), head="b").shape, block.steps, block.heads.a.out_features)
    print("a" in block.heads, list(block.heads.keys()), len(block.layers), block.layers[-1] is block.layers[1])
    print(block.training)
    print(block.eval().act.training, block.train() is block, block.requires_grad_(False) is block)
    print(block.scale.requires_grad)
    print(block.double().scale.dtype, block.steps.dtype, block.float().get_parameter("layers.0.weight").shape)
    print(block.to("cpu") is block)
    handle = block.act.register_forward_hook(
        lambda module, args, output: print("hook", type(module).__name__, tuple(output.shape))
    )
    block(torch.zeros(1, 4))
    handle.remove()
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding="same"), nn.BatchNorm2d(2), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.1)
    )
    model.append(nn.Linear(8, 2)).eval()
    print(model, model[0].weight.shape, len(model), model[-1], model[1:3], model(torch.zeros(1, 1, 4, 4)).shape)
    print(nn.Embedding(5, 3, padding_idx=0), nn.LayerNorm(4), nn.CrossEntropyLoss(), nn.GELU("tanh"), nn.MSELoss())
    print(nn.Softmax(dim=-1))
    print(nn.MultiheadAttention(4, 2, batch_first=True), nn.LeakyReLU(), nn.Identity(), nn.AvgPool2d(2), nn.Tanh())
    print(nn.RMSNorm(3))
    nn.init.constant_(model[-1].weight, 0.5)
    nn.init.zeros_(model[-1].bias)
    print(model[-1].weight, nn.init.calculate_gain("relu"), nn.init.eye_(torch.empty(2, 2)))
    print(nn.init.ones_(torch.empty(2)))
    model.apply(lambda m: print("apply", m.__class__.__name__) if isinstance(m, nn.Linear) else None)
    for bad in (
        lambda: block.nothing,
        lambda: block.load_state_dict({}),
        lambda: model[9],
        lambda: nn.Linear(2, 3)(torch.ones(5)),
    ):
        try:
            bad()
        except (AttributeError, RuntimeError, IndexError) as error:
            print(type(error).__name__, str(error)[:90] if isinstance(error, AttributeError) else "")
    twin = copy.deepcopy(block)
    twin.load_state_dict(block.state_dict())
    print(all(torch.equal(p, q) for p, q in zip(block.parameters(), twin.parameters(), strict=True)))
    print(twin.tied is twin.layers[0])
    del block.tied
    print(hasattr(block, "tied"), [k for k in block.state_dict() if "tied" in k])


def training():
    """Losses, optimizers, data."""
    logits = torch.tensor([[2.0, -1.0, 0.5], [0.1, 0.2, 0.3]], requires_grad=True)
    target = torch.tensor([0, 2])
    loss = F.cross_entropy(logits, target)
    loss.backward()
    print(f"{loss:.4f}", logits.grad, F.nll_loss(F.log_softmax(logits.detach(), 1), target))
    print(F.mse_loss(logits.detach(), torch.zeros(2, 3)))
    print(F.l1_loss(torch.ones(2), torch.zeros(2)), F.huber_loss(torch.ones(2), torch.zeros(2)))
    print(F.relu(torch.tensor([-1.0, 2.0])))
    print(F.binary_cross_entropy(torch.tensor([0.25]), torch.tensor([1.0])), F.softplus(torch.tensor(0.0)))
    print(F.kl_div(torch.zeros(2), torch.ones(2), reduction="sum"))
    w = nn.Parameter(torch.tensor([1.0, -2.0]))
    opt = torch.optim.AdamW([{"params": [w], "lr": 0.1}], lr=1.0, weight_decay=0.5)
    sched = torch.optim.lr_scheduler.MultiStepLR(opt, milestones=[1, 3], gamma=0.1)
    for _ in range(3):
        opt.zero_grad()
        (w**2).sum().backward()
        total = clip_grad_norm_([w], 1.0)
        opt.step()
        sched.step()
    print(total, w, sched.get_last_lr(), opt.param_groups[0]["betas"], list(opt.state_dict()), list(opt.state[w]))
    print(opt.defaults["lr"])
    print(opt)
    xs, ys = torch.arange(10.0).view(5, 2), torch.arange(5)
    loader = DataLoader(TensorDataset(xs, ys), batch_size=2)
    for x, y in loader:
        print(x, y)
    print(len(loader), len(loader.dataset), loader.dataset[1])
    print(next(iter(DataLoader([(1, 2.0, "a"), (3, 4.0, "b")], batch_size=2))))
    print(next(iter(DataLoader([{"x": torch.ones(1), "n": 1}], batch_size=1))))
    print(next(iter(DataLoader(list(range(6)), 3))))
    lazy = iter(RandomSampler(range(5), replacement=True, num_samples=10**10))
    print(all(0 <= next(lazy) < 5 for _ in range(100)))


def randomness():
    """Seeds and shapes of random tensors; the numbers themselves are each library's own."""
    torch.manual_seed(7)
    a = torch.rand(3, 2)
    torch.manual_seed(7)
    print(torch.equal(a, torch.rand(3, 2)), bool(((a >= 0) & (a < 1)).all()), torch.initial_seed())
    g = torch.Generator().manual_seed(3)
    h = torch.Generator()
    h.manual_seed(3)
    print(torch.equal(torch.randn(4, generator=g), torch.randn(4, generator=h)))
    print(torch.equal(torch.randperm(9).sort()[0], torch.arange(9)))
    print(torch.randint(0, 5, (2, 2)).dtype, torch.randint(3, (4,)).max() < 3, torch.randn_like(a).shape)
    print(torch.rand(2, 2).dtype)
    print(torch.multinomial(torch.tensor([0.0, 1.0, 0.0]), 3, replacement=True))
    print(torch.bernoulli(torch.tensor([0.0, 1.0])))
    print(torch.multinomial(torch.tensor([[1.0, 0.0], [0.0, 2.0]]), num_samples=1))
    print(torch.normal(0.0, 1.0, (2, 3)).shape)
    print(F.dropout(torch.ones(3), 0.5, training=False), F.dropout(torch.ones(2), 1.0))
    print(torch.empty(3).uniform_(2, 2.5).min() >= 2)


def main(init=None):
    """Take the whole tour; there is no curve."""
    for part in (
        *(creation, printing, arithmetic, reductions, shapes, indexing, linear_algebra),
        *(gradients, modules, training, randomness),
    ):
        print(f"--- {part.__name__}")
        part()
    return []


if __name__ == "__main__":
    main()

"""Autograd against PyTorch: the same small program, run with both libraries, leaves the same values behind.

A program puts what it saw in `out`: numbers, shapes, texts, or the error that a line raised.
"""

import gc
import itertools
import textwrap
import weakref

import numpy as np
import pytest
import torch
import torch.utils.checkpoint

import tinytorch

PROGRAMS = {
    "custom function": """
        class Exp(tt.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                y = x.exp()
                ctx.save_for_backward(y)
                return y
            @staticmethod
            def backward(ctx, g):
                (y,) = ctx.saved_tensors
                return g * y
        x = T([1.0, 2.0], requires_grad=True)
        y = Exp.apply(x)
        out += [y, repr(y)]
        y.sum().backward()
        out += [x.grad, error(lambda: y.sum().backward())]
    """,
    "two outputs, a number among the inputs": """
        class Two(tt.autograd.Function):
            @staticmethod
            def forward(ctx, a, b, k):
                ctx.save_for_backward(a, b)
                ctx.k = k
                out.append(ctx.needs_input_grad)
                return a * b * k, a + b
            @staticmethod
            def backward(ctx, g, h):
                a, b = ctx.saved_tensors
                return g * b * ctx.k + h, g * a * ctx.k + h, None
        a, b = T([1.0, 2.0], requires_grad=True), T([3.0, 4.0], requires_grad=True)
        p, q = Two.apply(a, b, 3)
        p.sum().backward(retain_graph=True)
        out += [p, q, a.grad.clone(), b.grad.clone()]
        q.sum().backward()
        out += [a.grad, b.grad]
    """,
    "setup_context, integers out, None gradients": """
        class Best(tt.autograd.Function):
            @staticmethod
            def forward(x):
                return x.max(0)[0], x.argmax(0)
            @staticmethod
            def setup_context(ctx, inputs, output):
                ctx.size = len(inputs[0])
                ctx.save_for_backward(output[1])
                ctx.mark_non_differentiable(output[1])
            @staticmethod
            def backward(ctx, g, _):
                grad = tt.zeros(ctx.size)
                grad[ctx.saved_tensors[0]] = g
                return grad
        x = T([1.0, 5.0, 2.0], requires_grad=True)
        value, index = Best.apply(x)
        (value * 2).backward()
        out += [value, index, index.requires_grad, x.grad]
    """,
    "wrong number of gradients": """
        class Bad(tt.autograd.Function):
            @staticmethod
            def forward(ctx, a, b):
                return a * b
            @staticmethod
            def backward(ctx, g):
                return g
        x = tt.ones(2, requires_grad=True)
        out.append(error(lambda: Bad.apply(x, x).sum().backward()))
    """,
    "modes": """
        x = tt.ones(2, requires_grad=True)
        @tt.no_grad()
        def a(): return (x * 2).requires_grad
        @tt.no_grad
        def b(): return (x * 2).requires_grad
        @tt.inference_mode()
        def c(): return (x * 2).requires_grad
        @tt.enable_grad()
        def d(): return (x * 2).requires_grad
        @tt.no_grad()
        def e():
            for _ in range(2):
                yield (x * 2).requires_grad
        with tt.no_grad():
            out += [a(), b(), c(), d(), (x * 2).requires_grad, tt.is_grad_enabled()]
            with tt.enable_grad():
                out.append(tt.is_grad_enabled())
        out += [a(), b(), c(), d(), [(v, tt.is_grad_enabled()) for v in e()], tt.is_grad_enabled()]
        with tt.set_grad_enabled(False):
            out.append(tt.is_grad_enabled())
        tt.set_grad_enabled(False)
        out.append(tt.is_grad_enabled())
        tt.set_grad_enabled(True)
        out.append(tt.is_grad_enabled())
        try:
            with tt.no_grad():
                raise KeyError
        except KeyError:
            out.append(tt.is_grad_enabled())
    """,
    "grad": """
        x, y, z = (T([1.0, 2.0], requires_grad=True) for _ in range(3))
        loss = (x * y * y).sum()
        out += list(tt.autograd.grad(loss, [x, y], retain_graph=True))
        out += [x.grad, error(lambda: tt.autograd.grad(loss, z, retain_graph=True))]
        out += list(tt.autograd.grad(loss, [x, z], allow_unused=True))
        h = x * 3
        out += list(tt.autograd.grad((h * h).sum(), h))
        out += list(tt.autograd.grad(h, x, grad_outputs=T([1.0, 10.0]), retain_graph=True))
        out += [error(lambda: tt.autograd.grad(h, x)), error(lambda: tt.autograd.grad(h.sum(), T([1.0])))]
        out += [error(lambda: h.backward(T([1.0])))]
        tt.autograd.backward([h.sum(), (x * x).sum()])
        out += [x.grad]
        (x * z).sum().backward(inputs=[z])
        out += [x.grad, z.grad]
    """,
    "hooks": """
        x = T([1.0, 2.0], requires_grad=True)
        y = x * 2
        y.retain_grad()
        handle = y.register_hook(lambda g: g * 3)
        x.register_hook(lambda g: out.append(g.clone()))
        (y * y + y).sum().backward()
        out += [y.grad, x.grad]
        handle.remove()
        x.grad = None
        (x * 2).sum().backward()
        out += [x.grad, error(lambda: T([1.0]).register_hook(print))]
    """,
    "checkpoint": """
        x = T([1.0, 2.0], requires_grad=True)
        w = T([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
        calls = []
        def f(x):
            calls.append(tt.is_grad_enabled())
            return ((x @ w).exp() * 0.01).sum(1)
        y = tt.utils.checkpoint.checkpoint(f, (x * 1.0).reshape(1, 2), use_reentrant=False)
        out += [y, len(calls)]
        (y * 2).sum().backward()
        out += [x.grad, w.grad, len(calls)]
        y = tt.utils.checkpoint.checkpoint(f, tt.ones(1, 2), use_reentrant=False)
        out += [y.requires_grad, *tt.autograd.grad(y.sum(), w)]
        with tt.no_grad():
            out.append(tt.utils.checkpoint.checkpoint(f, x.reshape(1, 2), use_reentrant=False).requires_grad)
    """,
    "gradcheck": """
        x = T([[0.5, 0.7, -0.2]], dtype=tt.float64, requires_grad=True)
        w = tt.arange(6, dtype=tt.float64).reshape(3, 2).requires_grad_()
        out.append(tt.autograd.gradcheck(lambda x, w: ((x @ w).exp(), x.sum()), (x, w)))
        class Bad(tt.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x * x
            @staticmethod
            def backward(ctx, g):
                return g * ctx.saved_tensors[0]
        out += [error(lambda: tt.autograd.gradcheck(Bad.apply, (x,)))]
        out += [tt.autograd.gradcheck(Bad.apply, (x,), raise_exception=False)]
        out += [error(lambda: tt.autograd.gradcheck(lambda x: x, (T([1.0]),)))]
    """,
    "changed in place": """
        x = T([1.0, 2.0], requires_grad=True)
        out += [error(lambda: x.add_(1)), error(lambda: x[0:1].mul_(2)), error(lambda: x.zero_())]
        e = x.exp()
        with tt.no_grad():
            e.add_(1)
        out += [error(lambda: e.sum().backward())]
        e = x.exp()
        e.detach().mul_(2)
        out += [error(lambda: e.sum().backward())]
        e = x.exp()
        e.data.mul_(2)
        e.sum().backward()
        out += [x.grad]
        p = T([3.0, 4.0])
        y = x * p
        p[0] = 7.0
        out += [error(lambda: y.sum().backward())]
        y = x + p
        p[0] = 8.0
        y.sum().backward()
        out += [x.grad]
    """,
    "views and parts changed in place": """
        x = T([1.0, 2.0, 3.0], requires_grad=True)
        y = x * 2
        y[0] = 5.0
        y[1:].mul_(3)
        y += x
        y[2] = y[0].clone() * x[1]
        out += [y]
        (y * y).sum().backward()
        out += [x.grad]
        buffer = tt.zeros(2, 3)
        for i in range(2):
            buffer[i] += x * (i + 1)
            buffer[i, 1:] -= x[0]
        buffer[buffer > 4] = 0.5
        out += [buffer]
        x.grad = None
        (buffer ** 2).sum().backward()
        out += [x.grad]
        z = (x * 1.0).reshape(3, 1).expand(3, 2).contiguous()
        z.T[0] = x
        x.grad = None
        (z * z).sum().backward()
        out += [z, x.grad]
    """,
    "views after their base was changed in place": """
        x = T([1.0, 2.0, 3.0, 4.0], requires_grad=True)
        r = (x * 1).reshape(2, 2) + 0
        views = [r.view(-1), r.T, r[1:], r[:, :1].expand(2, 3)]
        r.mul_(2)
        for v in views:
            x.grad = None
            (v * T([[3.0]]) * v).sum().backward(retain_graph=True)
            out += [v, x.grad]
        r = x * 1
        first, rest = r[1:], r.view(-1)
        first.mul_(3)
        x.grad = None
        (rest * rest).sum().backward()
        out += [x.grad]
        r = tt.zeros(3)
        v = r[1:]
        r.add_(x[0])
        out += [v.requires_grad, v.is_leaf]
        x.grad = None
        v.sum().backward()
        out += [x.grad, error(lambda: x.detach().requires_grad_()[4:].add_(1))]
    """,
    "only what a gradient is made of is guarded": """
        x = T([1.0, 2.0], requires_grad=True)
        p = T([3.0, 4.0])
        r = x * 1
        y = r * 2 + r / p + r @ p + tt.where(p > 3, r, p) + r ** 2 * 0
        r = x * 1
        y = r * 2 + r / 4
        r.add_(1)
        y.sum().backward(retain_graph=True)
        out += [x.grad]
        r.add_(r)
        r.sum().backward()
        out += [x.grad]
        r = x * 1
        y = r ** 2
        r.add_(1)
        out += [error(lambda: y.sum().backward())]
    """,
    "leaves and flags": """
        x = T([1.0], requires_grad=True)
        y = x * 2
        out += [x.is_leaf, y.is_leaf, y.requires_grad, y.detach().requires_grad, error(lambda: y.requires_grad_(False))]
        out += [error(lambda: T([1]).requires_grad_()), error(lambda: T([1.0]).backward())]
        out += [error(lambda: y.numpy()), repr(x), repr(y), y.item(), f"{y.sum():.2f}", (y > 1).requires_grad]
        out += [y.detach_().requires_grad, error(lambda: (x * tt.ones(2)).backward())]
        z = (x * 3).sum()
        z.backward()
        out += [error(z.backward), x.grad]
        z = (x + 3).sum()
        z.backward()
        z.backward()
        out += [x.grad]
        z = (x * x).sum()
        z.backward(retain_graph=True)
        z.backward()
        out += [x.grad]
    """,
    "half, double and integers": """
        x = T([1.0, 2.0], requires_grad=True)
        y = (x.double() * T([3.0, 4.0], dtype=tt.float64)).half() * T([2, 3])
        out += [y]
        y.sum().backward()
        out += [x.grad]
    """,
    "ten thousand nodes": """
        x = tt.ones(1, requires_grad=True)
        y = x
        for _ in range(10_000):
            y = y + 1
        y.backward()
        out += [x.grad, y]
        y = x
        for _ in range(30):
            y = y + y
        y.backward()
        out += [x.grad]
    """,
}


def error(call):
    """Return the name of the error that a call raises."""
    try:
        call()
    except Exception as raised:
        return type(raised).__name__
    return "no error"


def run(lib, program):
    seen = []
    exec(textwrap.dedent(program), {"tt": lib, "T": lib.tensor, "out": seen, "error": error})
    return [x.detach().numpy().copy() if isinstance(x, torch.Tensor | tinytorch.Tensor) else x for x in seen]


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_does_what_it_does_in_pytorch(name):
    ours, theirs = run(tinytorch, PROGRAMS[name]), run(torch, PROGRAMS[name])
    for place, (a, b) in enumerate(itertools.zip_longest(ours, theirs)):
        if isinstance(b, np.ndarray):
            assert isinstance(a, np.ndarray) and a.dtype == b.dtype, f"value {place}: {a} instead of {b}"
            np.testing.assert_allclose(a, b, rtol=1e-6, err_msg=f"value {place}")
        else:
            assert a == b, f"value {place}: {a} instead of {b}"


def test_gradients_of_gradients_are_refused():
    x = tinytorch.ones(2, requires_grad=True)
    for call in (
        lambda: (x * x).sum().backward(create_graph=True),
        lambda: tinytorch.autograd.grad((x * x).sum(), x, create_graph=True),
    ):
        with pytest.raises(RuntimeError, match="create_graph"):
            call()


def test_gradcheck_names_the_element_and_both_numbers():
    class Swapped(tinytorch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * tinytorch.tensor([2.0, 3.0], dtype=tinytorch.float64)

        @staticmethod
        def backward(ctx, g):
            return g * 2

    x = tinytorch.ones(2, dtype=tinytorch.float64, requires_grad=True)
    with pytest.raises(
        tinytorch.autograd.GradcheckError, match=r"output 0\[1\] / d input 0\[1\] is 3 .* gives 2 .*1 of 4"
    ):
        tinytorch.autograd.gradcheck(Swapped.apply, (x,))


def test_a_gradient_of_the_wrong_shape_is_named():
    class Wrong(tinytorch.Function):
        def forward(ctx, a):
            return a.sum(axis=0)

        def backward(ctx, g):
            return g[:-1]

    x = tinytorch.ones(2, 3, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"WrongBackward0: a gradient of shape \(2,\) does not fit .* \(2, 3\)"):
        Wrong.apply(x).sum().backward()


def test_no_graph_is_left_without_the_garbage_collector():
    x = tinytorch.ones(3, requires_grad=True)
    layers = [tinytorch.ones(3, 3, requires_grad=True) for _ in range(3)]

    def step(backward):
        h, nodes = x * 1.0, []
        for w in layers:
            h = (h @ w).exp().reshape(1, 3).max(0)[0]
            view = h[1:]
            view.mul_(2)
            h.retain_grad()
            nodes += [weakref.ref(h.grad_fn), weakref.ref(h)]
        h = tinytorch.autograd.checkpoint(lambda t: t.log() * 2, h)
        nodes += [weakref.ref(h.grad_fn), weakref.ref(h)]
        loss = h.sum()
        if backward:
            loss.backward()
        return nodes

    gc.collect()
    gc.disable()
    try:
        for backward in (True, False):
            assert [node() for node in step(backward)] == [None] * 8
    finally:
        gc.enable()


def test_backward_drops_what_nodes_kept_while_the_loss_lives():
    x = tinytorch.ones(1000, requires_grad=True)
    hidden = x + 2
    kept = weakref.ref(hidden.array)
    loss = (hidden * hidden).sum()
    del hidden
    assert kept() is not None, "Mul keeps its inputs"
    loss.backward(retain_graph=True)
    assert kept() is not None
    loss.backward()
    assert kept() is None
    assert loss.grad_fn.edges


def test_the_graph_can_be_read():
    x = tinytorch.ones(2, requires_grad=True)
    node = (x * 3).sum().grad_fn
    (mul, _), *rest = node.next_functions
    assert (node.name(), mul.name(), rest) == ("SumBackward0", "MulBackward0", [])
    assert mul.next_functions[0][0].variable is x
    assert mul.next_functions[1] == (None, 0)


@pytest.mark.parametrize("use_random", [True, False])
def test_checkpoint_repeats_random_numbers(use_random):
    x = tinytorch.ones(1000, requires_grad=True)
    tinytorch.manual_seed(3)
    y = tinytorch.autograd.checkpoint(lambda t: t * tinytorch.rand(1000), x)
    after = tinytorch.rand(1)
    if use_random:
        tinytorch.rand(17)
    y.sum().backward()
    assert tinytorch.equal(x.grad, y)
    tinytorch.manual_seed(3)
    tinytorch.rand(1000)
    assert tinytorch.equal(after, tinytorch.rand(1))

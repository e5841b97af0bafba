"""Graphs in hard cases, each in both libraries: chains, shared parts, changes in place, hooks, modes, leaks."""

import gc
import tracemalloc
import weakref

import numpy as np
import pytest

import tinytorch

torch = pytest.importorskip("torch")


# Programs written by hand: each takes a library and returns tensors or plain values, or raises.


def chain_of_ten_thousand(torch):
    x = torch.tensor([0.5, -1.0], requires_grad=True)
    y = x
    for step in range(10_000):
        y = y * 1.0001 if step % 2 else y + 0.0001
    y.sum().backward()
    return x.grad, y


def diamonds_forty_deep(torch):
    x = torch.tensor(1e-3, dtype=torch.float64, requires_grad=True)
    y = x
    for _ in range(40):  # 2^40 paths, 80 nodes
        y = y * 0.5 + y.sin()
    y.backward()
    return x.grad, y


def a_leaf_used_often(torch):
    x = torch.ones(3, requires_grad=True)
    total = sum((x * k).sum() for k in range(100)) + (x * x * x).sum() + x[0] + (x + x - x).sum()
    total.backward()
    return (x.grad,)


def gradients_add_up(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    for _ in range(3):
        (x**2).sum().backward()
    first = x.grad.clone()
    x.grad.zero_()
    (x**3).sum().backward()
    return first, x.grad


def in_place_on_a_leaf(torch):
    torch.ones(2, requires_grad=True).mul_(2)


def in_place_on_a_view_of_a_leaf(torch):
    torch.ones(2, requires_grad=True)[0].fill_(2)


def item_assignment_on_a_leaf(torch):
    x = torch.ones(2, requires_grad=True)
    x[0] = 5


def in_place_on_what_exp_saved(torch):
    x = torch.ones(2, requires_grad=True)
    y = x.exp()
    y += 1
    y.sum().backward()


def in_place_on_what_mul_saved(torch):
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    z = y * y
    y.add_(1)
    z.sum().backward()


def in_place_on_what_add_does_not_save(torch):
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    z = y + 1
    y.add_(1)
    z.sum().backward()
    return x.grad, y, z


def in_place_on_the_result_of_a_multiplication(torch):
    x = torch.tensor([1.0, -2.0, 3.0], requires_grad=True)
    y = x * 2
    y[0] = 5
    y.mul_(x.detach())
    y.relu_()
    y.sum().backward()
    return x.grad, y


def in_place_through_a_view(torch):
    x = torch.arange(6.0, requires_grad=True)
    y = x * 2
    v = y[1:4]
    v.mul_(3)
    v[0] = x[5] * 7
    y.view(2, 3)[1] += x[:3]
    (y * torch.arange(6.0)).sum().backward()
    return x.grad, y, v


def filling_a_buffer_row_by_row(torch):
    w = torch.linspace(-1, 1, 12).view(3, 4).requires_grad_()
    out = torch.zeros(5, 3)
    for step in range(5):
        out[step] = (w * step).sum(1)
        out[step, 1] += w[0, 0] * w[1, 1]
    out[out > 1] *= 2
    (out**2).sum().backward()
    return w.grad, out


def assigning_with_arrays_and_masks(torch):
    x = torch.linspace(-1, 2, 6, requires_grad=True)
    y = x * 1
    y[torch.tensor([0, 2])] = x[3:5] ** 2
    y[y < 0] = 0.25
    y[[5, 5]] = x[0]
    y.sum().backward()
    return x.grad, y


def changing_the_base_of_a_view(torch):
    x = torch.ones(4, requires_grad=True)
    y = x * 3
    v, flat, t = y[:2], y.view(-1), y.view(2, 2).T
    y.mul_(x.detach() * torch.arange(4.0))
    (v * v).sum().backward(retain_graph=True)
    first = x.grad.clone()
    v[0] = 7
    (flat * flat).sum().backward(retain_graph=True)
    t.sum().backward()
    return first, x.grad, v, flat, t


def changing_the_base_after_a_view_was_used(torch):
    x = torch.ones(4, requires_grad=True)
    y = x * 3
    w = y[:2] ** 2
    y.mul_(2)
    w.sum().backward()


def backward_twice(torch):
    y = (torch.ones(2, requires_grad=True) ** 2).sum()
    y.backward()
    y.backward()


def backward_twice_through_a_shared_part(torch):
    x = torch.ones(2, requires_grad=True)
    h = x.exp()
    h.sum().backward()
    (h * 2).sum().backward()


def backward_twice_with_retain_graph(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = (x**3).sum()
    y.backward(retain_graph=True)
    y.backward()
    return (x.grad,)


def backward_of_a_vector(torch):
    (torch.ones(2, requires_grad=True) * 2).backward()


def backward_of_a_vector_with_a_gradient(torch):
    x = torch.ones(2, requires_grad=True)
    (x * 2).backward(torch.tensor([1.0, -3.0]))
    return (x.grad,)


def backward_with_a_gradient_of_another_shape(torch):
    (torch.ones(2, requires_grad=True) * 2).backward(torch.ones(3))


def backward_without_a_graph(torch):
    torch.ones(1).sum().backward()


def backward_under_no_grad(torch):
    x = torch.ones(2, requires_grad=True)
    with torch.no_grad():
        y = (x * 2).sum()
    y.backward()


def hooks_change_gradients(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    seen = []
    y = x * 3
    first = y.register_hook(lambda grad: grad * 2)
    y.register_hook(lambda grad: seen.append(grad.clone()))
    x.register_hook(lambda grad: grad + 1)
    (y * y).sum().backward()
    first.remove()
    (x * 1).sum().backward()
    return x.grad, *seen


def retained_gradients(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 3
    y.retain_grad()
    z = y**2
    z.sum().backward()
    return x.grad, y.grad, y.retains_grad, x.is_leaf, y.is_leaf


def modes_as_context_and_decorator(torch):
    x = torch.ones(1, requires_grad=True)

    @torch.no_grad()
    def silent(t):
        return t * 2

    @torch.inference_mode()
    def inference(t):
        return t * 2

    @torch.enable_grad()
    def loud(t):
        return t * 2

    with torch.no_grad():
        inside = (x * 2).requires_grad, loud(x).requires_grad, torch.is_grad_enabled()
        with torch.set_grad_enabled(True):
            inside += ((x * 2).requires_grad,)
    with torch.inference_mode():
        inside += ((x * 2).requires_grad, torch.is_inference_mode_enabled())
    return *inside, silent(x).requires_grad, inference(x).requires_grad, torch.is_grad_enabled(), silent.__name__


def modes_are_put_back_after_an_error(torch):
    for mode in (torch.no_grad(), torch.inference_mode(), torch.set_grad_enabled(False)):
        try:
            with mode:
                raise KeyError
        except KeyError:
            pass
    return (torch.is_grad_enabled(),)


def no_grad_on_a_generator(torch):
    @torch.no_grad()
    def numbers():
        yield (torch.ones(1, requires_grad=True) * 2).requires_grad
        yield torch.is_grad_enabled()

    return *numbers(), torch.is_grad_enabled()


def detach_cuts(torch):
    x = torch.tensor([2.0], requires_grad=True)
    (x.detach() * x + x.data).sum().backward()
    d = x.detach()
    d.mul_(3)
    return x.grad, x, d.requires_grad, d.is_leaf


def a_detached_tensor_shares_its_version(torch):
    x = torch.ones(2, requires_grad=True)
    y = x * 1
    z = y * y
    y.detach().add_(1)
    z.sum().backward()


def data_does_not_share_its_version(torch):
    x = torch.ones(2, requires_grad=True)
    y = x * x
    x.data.add_(1)
    y.sum().backward()
    return x.grad, x


def grad_of_several_inputs(torch):
    x, y = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor(3.0, requires_grad=True)
    z = torch.tensor(1.0, requires_grad=True)
    out = (x * y).sum()
    grads = torch.autograd.grad(out, (x, y, z), allow_unused=True)
    return *grads, x.grad, y.grad


def grad_of_an_unused_input(torch):
    x, y = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)
    torch.autograd.grad((x * 2).sum(), [y])


def grad_with_outputs(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    h = x * 2
    outs = torch.autograd.grad([h, x**2], [x, h], grad_outputs=[torch.ones(2), torch.tensor([1.0, 0.5])])
    return outs


def gradient_of_an_inner_node(torch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    h = x.exp()
    (inner,) = torch.autograd.grad((h**2).sum(), h)
    return inner, x.grad, h.grad


def a_leaf_that_is_switched_on_late(torch):
    x = torch.ones(2)
    y = x * 2
    x.requires_grad_()
    (x * y).sum().backward()
    return x.grad, y.requires_grad


def switching_off_a_result(torch):
    (torch.ones(2, requires_grad=True) * 2).requires_grad_(False)


def no_grad_update_of_a_leaf(torch):
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    for _ in range(3):
        (w**2).sum().backward()
        with torch.no_grad():
            w -= 0.1 * w.grad
            w.grad = None
    return w, w.grad, w.is_leaf, w.requires_grad


def unbinding_and_joining(torch):
    x = torch.arange(6.0).view(2, 3).requires_grad_()
    a, b, c = x.unbind(1)
    first, second = x.split([1, 2], dim=1)
    out = torch.stack([c, a * b]).sum() + torch.cat([second, first], 1)[:, 0].prod() + (x.t() @ x)[0].sum()
    out.backward()
    return (x.grad,)


def custom_function_with_two_outputs(torch):
    class SplitSquare(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, power, y):
            ctx.save_for_backward(x, y)
            ctx.power = power
            return x**power, x * y

        @staticmethod
        def backward(ctx, g, h):
            x, y = ctx.saved_tensors
            assert ctx.needs_input_grad == (True, False, False)
            return g * ctx.power * x ** (ctx.power - 1) + h * y, None, None

    x = torch.tensor([1.0, 2.0], requires_grad=True)
    first, second = SplitSquare.apply(x, 3, torch.tensor([5.0, 7.0]))
    (first.sum() + 2 * second[1]).backward()
    return x.grad, first, second, first.requires_grad


def custom_function_with_too_few_gradients(torch):
    class Bad(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            return x + y

        @staticmethod
        def backward(ctx, g):
            return g

    x, y = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)
    Bad.apply(x, y).backward()


def custom_function_whose_saved_input_was_changed(torch):
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * g * x

    x = torch.ones(2, requires_grad=True) * 1
    y = Square.apply(x)
    x.add_(1)
    y.sum().backward()


def an_error_in_backward_passes_through(torch):
    class Broken(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            raise KeyError("mine")

    Broken.apply(torch.ones(1, requires_grad=True)).backward()


def checkpointing_recomputes(torch):
    from importlib import import_module

    checkpoint = import_module(f"{torch.__name__}.utils.checkpoint").checkpoint
    calls = []

    def part(t):
        calls.append(1)
        return (t * 3).sin() * t

    x = torch.tensor([0.3, -0.8], requires_grad=True)
    checkpoint(part, checkpoint(part, x, use_reentrant=False), use_reentrant=False).sum().backward()
    return x.grad, len(calls) > 2


def dtypes_meet(torch):
    x = torch.ones(2, requires_grad=True)
    w = torch.tensor([2.0, 3.0], dtype=torch.float64, requires_grad=True)
    ((x * w).float() * x.double()).sum().backward()
    return x.grad, w.grad


def broadcast_gradients(torch):
    a, b, c = (torch.ones(s, requires_grad=True) for s in ((3, 1), (1, 4), ()))
    (a * b + c * torch.arange(4.0)).sum().backward()
    return a.grad, b.grad, c.grad


def expand_then_write(torch):
    x = torch.ones(3, 1, requires_grad=True)
    y = x.expand(3, 2)
    y = y.clone()
    y[:, 0] *= 2
    y.sum().backward()
    return (x.grad,)


def write_to_an_expanded_tensor(torch):
    y = torch.ones(3, 1).expand(3, 2)
    y += torch.arange(2)


def deep_copy_of_a_result(torch):
    import copy

    copy.deepcopy(torch.ones(1, requires_grad=True) * 2)


def grad_set_to_another_shape(torch):
    x = torch.ones(2, requires_grad=True)
    x.grad = torch.ones(3)


def ints_cannot_require_gradients(torch):
    torch.arange(3).requires_grad_()


CASES = [f for f in list(vars().values()) if getattr(f, "__code__", None) and f.__code__.co_varnames[:1] == ("torch",)]


def outcome(case, lib):
    """Return what a case returns, or the error it raises."""
    try:
        return case(lib)
    except Exception as error:
        return error


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_a_program_by_hand_does_what_it_does_in_pytorch(case):
    theirs, ours = outcome(case, torch), outcome(case, tinytorch)
    if isinstance(theirs, Exception):
        assert isinstance(ours, Exception), f"PyTorch raises {theirs!r}, we return {ours}"
        assert isinstance(ours, type(theirs)) or isinstance(theirs, type(ours)), f"{ours!r} instead of {theirs!r}"
        return
    if isinstance(ours, Exception):
        raise ours
    for place, (mine, wanted) in enumerate(zip(ours, theirs, strict=True)):
        if isinstance(wanted, torch.Tensor):
            assert repr(mine.dtype) == repr(wanted.dtype) and tuple(mine.shape) == tuple(wanted.shape), place
            np.testing.assert_allclose(mine.detach().numpy(), wanted.detach().numpy(), 2e-5, 1e-6, err_msg=str(place))
            assert mine.requires_grad == wanted.requires_grad, place
        else:
            assert mine == wanted, place


def test_create_graph_is_refused_in_words():
    x = tinytorch.tensor([1.0], requires_grad=True)
    with pytest.raises(RuntimeError, match="create_graph"):
        (x**2).sum().backward(create_graph=True)
    with pytest.raises(RuntimeError, match="create_graph"):
        tinytorch.autograd.grad((x**2).sum(), x, create_graph=True)


@pytest.mark.parametrize("run_backward", [False, True])
def test_the_graph_is_gone_when_the_loss_is(run_backward):
    layer = tinytorch.nn.Linear(4, 3)
    gc.collect()
    gc.disable()
    try:
        hidden = layer(tinytorch.ones(2, 4)) * 2  # exp() would need its output unchanged
        view = hidden[0]
        view.mul_(2)
        loss = tinytorch.nn.functional.cross_entropy(hidden @ hidden.T, tinytorch.tensor([0, 1])) + view.sum()
        watched = [weakref.ref(hidden), weakref.ref(hidden.grad_fn), weakref.ref(loss.grad_fn), weakref.ref(view)]
        if run_backward:
            loss.backward()
        del hidden, view, loss
        assert [ref() for ref in watched] == [None] * len(watched)
    finally:
        gc.enable()


def test_backward_frees_what_the_graph_saved_though_the_loss_lives():
    x = tinytorch.ones(1000, requires_grad=True)
    hidden = x * 2
    loss = (hidden * hidden).sum()
    watched = weakref.ref(hidden)
    del hidden
    loss.backward()
    assert watched() is None


def test_memory_does_not_grow_with_steps():
    model = tinytorch.nn.Sequential(tinytorch.nn.Linear(64, 64), tinytorch.nn.ReLU(), tinytorch.nn.Linear(64, 1))
    optimizer = tinytorch.optim.SGD(model.parameters(), lr=1e-3)
    x = tinytorch.ones(32, 64)
    sizes = []
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        for _ in range(12):
            optimizer.zero_grad()
            model(x).mean().backward()
            optimizer.step()
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
        gc.enable()
    assert sizes[-1] - sizes[2] < 20_000, sizes


def test_a_long_chain_is_freed_without_recursion():
    x = tinytorch.ones(1, requires_grad=True)
    y = x
    for _ in range(50_000):
        y = y + 1
    del y  # a recursive free would overflow the stack
    assert x.grad is None

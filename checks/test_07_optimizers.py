"""Checks of module 07, Optimizers, in the order of the lesson.

A check of one exercise uses only that exercise, earlier ones, and what the package gives. Expected values are computed
here by NumPy in float64, from the formulas of the papers, without any of the package's functions.
"""

import contextlib
import copy
import math
import sys
import tracemalloc

import numpy as np

from checks import CheckFailed, exercise

P = np.array([[1.5, -2.0, 0.25], [4.0, 0.5, -3.0]], np.float32)
GRADS = [
    np.array([[0.5, -1.0, 2.0], [-0.25, 3.0, 0.125]], np.float32),
    np.array([[1.5, 0.75, -2.5], [0.5, -0.125, 1.0]], np.float32),
    np.array([[-0.5, 0.25, 1.0], [2.0, 1.5, -0.75]], np.float32),
]


def f32(values):
    """A float32 array."""
    return np.array(values, np.float32)


def leaf(tt, values):
    """A tensor that requires a gradient, from a copy of the values."""
    x = tt.tensor(np.array(values, np.float32))
    x.requires_grad = True
    return x


def parts(tt):
    """The module of the library in which its optimizers are written."""
    return sys.modules[tt.optim.SGD.__module__]


@contextlib.contextmanager
def allowed(call, why):
    """The block must not raise: what it does is fine, and `why` says so."""
    try:
        yield
    except (NotImplementedError, CheckFailed):
        raise
    except Exception as error:
        raise CheckFailed(call, "no error", f"{type(error).__name__}: {error}", "", why) from error


def noting(tt, params, lr=0.5, maximize=False):
    """An optimizer that goes lr against the gradient and notes what step_one was given; its list of notes."""
    notes = []

    class Noting(tt.optim.Optimizer):
        def step_one(self, param, grad, state, group):
            notes.append((param, grad.copy(), dict(state), group))
            state["count"] = state.get("count", 0) + 1
            param -= group["lr"] * grad

    return Noting(params, {"lr": lr, "maximize": maximize}), notes


ONE_FOR_TWO = "one scratch array is used for two things"  # the trap of working in place


def sgd(p, grads, lr, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False):
    """Where SGD ends, in float64."""
    p, b = p.astype(float), None
    for grad in grads:
        g = grad + weight_decay * p
        if momentum:
            b = g if b is None else momentum * b + (1 - dampening) * g
            g = g + momentum * b if nesterov else b
        p = p - lr * g
    return p.astype(np.float32)


def rmsprop(p, grads, lr=0.01, alpha=0.99, eps=1e-8, weight_decay=0.0, momentum=0.0, centered=False, new=None,
            root=np.sqrt):  # fmt: skip
    """Where RMSprop ends, in float64; with `new` for 1 - alpha, or another `root`, where a mistake ends."""
    p, v, mean, b = p.astype(float), 0.0, 0.0, 0.0
    for grad in grads:
        g = grad + weight_decay * p
        v, mean = alpha * v + (1 - alpha if new is None else new) * g * g, alpha * mean + (1 - alpha) * g
        b = momentum * b + g / (root(v - mean * mean * centered) + eps)
        p = p - lr * b
    return p.astype(np.float32)


def adam(p, grads, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, decoupled=False, amsgrad=False):
    """Where Adam ends, in float64."""
    p, m, v, top = p.astype(float), 0.0, 0.0, 0.0
    for t, grad in enumerate(grads, 1):
        g = grad.astype(float) if decoupled else grad + weight_decay * p
        p = p * (1 - lr * weight_decay) if decoupled else p
        m, v = betas[0] * m + (1 - betas[0]) * g, betas[1] * v + (1 - betas[1]) * g * g
        top = np.maximum(top, v)
        used = top if amsgrad else v
        p = p - lr * (m / (1 - betas[0] ** t)) / (np.sqrt(used / (1 - betas[1] ** t)) + eps)
    return p.astype(np.float32)


def because(got, why, mistakes):
    """`why`, and which of the mistakes, pairs (where it ends, what it is), leads to what was got."""
    for end, mistake in mistakes:
        if np.shape(end) == np.shape(got) and np.allclose(got, end, rtol=2e-5, atol=2e-6):
            return f"{why}. What you got comes out when {mistake}"
    return why


def ends(tt, expect, name, want, why, grads=GRADS, mistakes=(), **settings):
    """After three steps the optimizer `name` must have brought P to `want`."""
    x = leaf(tt, P)
    optimizer = getattr(tt.optim, name)([x], **settings)
    for grad in grads:
        x.grad = tt.tensor(grad.copy())
        optimizer.step()
    text = ", ".join(f"{key}={value}" for key, value in settings.items())
    call = f"x after {len(grads)} steps of {name}([x], {text})\nx began as {P.tolist()}"
    nothing = "the parameter's array never changes: `param = ...` names a new array, `param -= ...` changes this one"
    why = because(x.detach().numpy(), why, [*mistakes, (P, nothing)])
    expect(x, call).equals(want, why=why, rtol=2e-5, atol=2e-6)
    return optimizer, x


def grad_unchanged(tt, expect, name, **settings):
    """A step must leave x.grad as it is."""
    x = leaf(tt, P)
    optimizer = getattr(tt.optim, name)([x], **settings)
    for grad in GRADS[:2]:
        x.grad = tt.tensor(grad.copy())
        why = "the gradient belongs to whoever computed it: more may be added to it before the next step"
        with expect.unchanged(x.grad, f"x.grad after a step of {name}", why=why):
            optimizer.step()


def peak_bytes(function):
    """Most bytes that one call allocates at a time; 0 when somebody else is measuring memory already."""
    function()
    if tracemalloc.is_tracing():
        return 0
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def allocates_little(tt, call, function):
    """The second call of `function` may not allocate an array, not even one of a block's size."""
    peak, block = peak_bytes(function), 4 * parts(tt).BLOCK
    if peak >= block // 2:
        why = "a step that makes new arrays pays for them each time: write into `scratch` with out=, block by block"
        if peak < 2 * block:
            why += "; one of the operations has no out= and makes a new array for every block"
        raise CheckFailed(call, f"no new arrays, not even of one block ({block} bytes in float32)",
                          f"{peak} bytes at the peak", "", why)  # fmt: skip


# Optimizer.add_param_group


@exercise(
    "Optimizer.add_param_group",
    points=2,
    hints=(
        "Where do the settings of a group come from, and who wins when both the defaults and the group name one?",
        "`{**a, **b}` merges two dicts; the later one wins. `named_tensors` gives the names and the list of tensors.",
        "Collect the parameters of all groups that exist in one set; if a new one is in it, raise ValueError. "
        "A set asks whether it is the same tensor; a list would ask whether the numbers are equal.",
        'Append a new dict: the defaults, then param_group, then "params" as a list, then "param_names" '
        "only when there are names.",
    ),
)
def test_group_fills_in_the_defaults(tt, expect):
    a, b = leaf(tt, [1.5]), leaf(tt, [3.5])
    optimizer = tt.optim.Optimizer([{"params": [a]}, {"params": [b], "lr": 0.5}], {"lr": 0.1, "decay": 0.25})
    call = "Optimizer([{'params': [a]}, {'params': [b], 'lr': 0.5}], {'lr': 0.1, 'decay': 0.25}).param_groups"
    groups = optimizer.param_groups
    expect(len(groups), f"len of {call}").equals(2, why="every call appends one group to self.param_groups")
    why = "what a group does not say comes from self.defaults"
    expect(groups[0].get("lr"), f"{call}[0]['lr']").equals(0.1, why=why)
    expect(groups[1].get("decay"), f"{call}[1]['decay']").equals(0.25, why=why)
    why = "what the group says itself wins over the defaults"
    expect(groups[1].get("lr"), f"{call}[1]['lr']").equals(0.5, why=why)


@exercise("Optimizer.add_param_group")
def test_group_params_become_a_list(tt, expect):
    a, b = leaf(tt, [1.5]), leaf(tt, [3.5])
    optimizer = tt.optim.Optimizer((x for x in (a, b)), {"lr": 0.1})
    call = "Optimizer(generator of a and b, {'lr': 0.1}).param_groups[0]['params']"
    got = optimizer.param_groups[0]["params"]
    expect(got, call).is_instance(list, why="a list, whatever came: a generator would be empty at the second step")
    expect(len(got), f"len of {call}").equals(2)
    expect(got[0], f"{call}[0]").is_(a, why="the tensors themselves, in their order, no copies")
    expect(got[1], f"{call}[1]").is_(b, why="the tensors themselves, in their order, no copies")
    optimizer.add_param_group({"params": leaf(tt, [4.5])})
    got = optimizer.param_groups[1]["params"]
    expect(got, "params after add_param_group({'params': c}), c one tensor").is_instance(
        list, why="a single tensor becomes a list of one: named_tensors returns that list"
    )


@exercise("Optimizer.add_param_group")
def test_group_leaves_the_callers_dicts_alone(tt, expect):
    given, defaults = {"params": [leaf(tt, [1.5])], "lr": 0.5}, {"lr": 0.1, "decay": 0.25}
    optimizer = tt.optim.Optimizer([given], defaults)
    why = "a schedule changes the group's lr; the dict must be a new one, so that the defaults stay what they are"
    optimizer.param_groups[0]["decay"] = 7.0
    expect(optimizer.defaults["decay"], "defaults['decay'] after param_groups[0]['decay'] = 7.0").equals(0.25, why=why)


@exercise("Optimizer.add_param_group", torch=False)
def test_group_is_a_new_dict(tt, expect):
    given = {"params": [leaf(tt, [1.5])], "lr": 0.5}
    optimizer = tt.optim.Optimizer([given], {"lr": 0.1, "decay": 0.25})
    call = "given after Optimizer([given], {'lr': 0.1, 'decay': 0.25}), given = {'params': [a], 'lr': 0.5}"
    why = "the caller's dict is not yours to fill in: put a new one together, {**..., **...}, and append that"
    expect(sorted(given), f"keys of {call}").equals(["lr", "params"], why=why)
    optimizer.param_groups[0]["lr"] = 7.0
    call = "given['lr'] after optimizer.param_groups[0]['lr'] = 7.0, given the dict that the group was made from"
    expect(given["lr"], call).equals(0.5, why=f"a schedule changes the group's lr; {why}")


@exercise("Optimizer.add_param_group", points=2)
def test_group_refuses_a_parameter_twice(tt, expect):
    a = leaf(tt, [1.5])
    optimizer = tt.optim.Optimizer([a], {"lr": 0.1})
    why = "a parameter in two groups would be moved twice in each step"
    with expect.raises(ValueError, "add_param_group({'params': [a]}), a is in a group already", why=why):
        optimizer.add_param_group({"params": [a]})
    why = "b is another tensor, although its numbers equal a's: ask with a set, which compares identities"
    with allowed("add_param_group({'params': [b]}), b a second tensor with a's numbers", why):
        optimizer.add_param_group({"params": [leaf(tt, [1.5])]})
    expect(len(optimizer.param_groups), "len(param_groups) after add_param_group of a, refused, and of b").equals(
        2, why="the refused group was not added"
    )


@exercise("Optimizer.add_param_group")
def test_group_keeps_names(tt, expect):
    a, b = leaf(tt, [1.5]), leaf(tt, [2.5])
    optimizer = tt.optim.Optimizer([("weight", a), ("bias", b)], {"lr": 0.1})
    group = optimizer.param_groups[0]
    call = "Optimizer([('weight', a), ('bias', b)], {'lr': 0.1}).param_groups[0]"
    why = "pairs (name, tensor), as named_parameters() gives them, are taken apart by named_tensors"
    expect(group.get("param_names"), f"{call}['param_names']").equals(["weight", "bias"], why=why)
    expect(group["params"][1], f"{call}['params'][1]").is_(b, why=why)
    group = tt.optim.Optimizer([leaf(tt, [1.5])], {"lr": 0.1}).param_groups[0]
    why = "without names there is no such key: state_dict would store it"
    expect("param_names" in group, "'param_names' in the group of tensors without names").equals(False, why=why)


@exercise("Optimizer.add_param_group")
def test_group_must_be_a_dict(tt, expect):
    optimizer = tt.optim.Optimizer([leaf(tt, [1.5])], {"lr": 0.1})
    why = "a group has settings beside its tensors, so it is a dict: TypeError for anything else"
    with expect.raises(TypeError, "add_param_group([b])", ("dict",), why):
        optimizer.add_param_group([leaf(tt, [2.5])])


# Optimizer.zero_grad


@exercise(
    "Optimizer.zero_grad",
    hints=(
        "backward adds to what is in `grad`. What should it find there?",
        'Two loops: over self.param_groups, and over the "params" of each. Then set_to_none decides.',
        "None is an assignment to `param.grad`. Zeros are written into `param.grad.array`, where there is a gradient.",
    ),
)
def test_zero_grad_drops_all_gradients(tt, expect):
    a, b, c = leaf(tt, [1.5, 2.5]), leaf(tt, [3.5]), leaf(tt, [4.5])
    optimizer = tt.optim.Optimizer([{"params": [a, b]}, {"params": [c]}], {"lr": 0.1})
    for x in (a, b, c):
        x.grad = tt.ones_like(x)
    optimizer.zero_grad()
    why = "None takes no memory, and says that nothing has been computed yet"
    expect(a.grad, "a.grad after zero_grad()").equals(None, why=why)
    expect(b.grad, "b.grad after zero_grad()").equals(None, why="every parameter of a group")
    expect(c.grad, "c.grad after zero_grad(), c in the second group").equals(None, why="every group")


@exercise("Optimizer.zero_grad")
def test_zero_grad_with_zeros_keeps_the_array(tt, expect):
    a = leaf(tt, [1.5, 2.5])
    grad = a.grad = tt.tensor([3.0, -4.0])
    tt.optim.Optimizer([a], {"lr": 0.1}).zero_grad(set_to_none=False)
    why = "set_to_none=False asks for zeros"
    expect(a.grad, "a.grad after zero_grad(set_to_none=False)").equals(f32([0, 0]), why=why)
    why = "zeros go into the memory that is there: others may hold this gradient"
    expect(grad, "the tensor that was a.grad before").equals(f32([0, 0]), why=why)


@exercise("Optimizer.zero_grad")
def test_zero_grad_where_there_is_no_gradient(tt, expect):
    a, b = leaf(tt, [1.5]), leaf(tt, [2.5])
    optimizer = tt.optim.Optimizer([a, b], {"lr": 0.1})
    b.grad = tt.tensor([3.0])
    why = "a has no gradient: nothing to fill with zeros, and no reason to stop"
    with allowed("zero_grad(set_to_none=False), a.grad is None", why):
        optimizer.zero_grad(set_to_none=False)
    expect(a.grad, "a.grad, which was None, after zero_grad(set_to_none=False)").equals(
        None, why="where there was no gradient there is none"
    )
    expect(b.grad, "b.grad after zero_grad(set_to_none=False)").equals(
        f32([0]), why="the parameters after the one without gradient have their turn"
    )


@exercise("Optimizer.zero_grad")
def test_zero_grad_leaves_parameters(tt, expect):
    a = leaf(tt, P)
    optimizer = tt.optim.Optimizer([a], {"lr": 0.1})
    a.grad = tt.tensor(GRADS[0].copy())
    for how in (False, True):
        with expect.unchanged(a, f"a after zero_grad(set_to_none={how})", why="only gradients go, never parameters"):
            optimizer.zero_grad(set_to_none=how)


# Optimizer.step


@exercise(
    "Optimizer.step",
    points=2,
    torch=False,
    hints=(
        "The two loops of zero_grad again. Which parameters have nothing to do in a step?",
        "step_one works on NumPy arrays: `param.array`, `param.grad.array`, the parameter's state, its group.",
        "`self.state.get(param, {})` is the state, {} at first; put it into self.state when step_one has filled it. "
        "Then tell the graph: `param.bump_version()`.",
        "First of all, if there is a closure: `with enable_grad(): loss = closure()`. At the end return loss.",
    ),
)
def test_step_calls_step_one_for_each(tt, expect):
    a, b, c = leaf(tt, [1.5, -2.5]), leaf(tt, [4.0]), leaf(tt, [8.0])
    optimizer, notes = noting(tt, [{"params": [a, b]}, {"params": [c], "lr": 0.25}])
    for x, g in ((a, [2.0, 4.0]), (b, [-6.0]), (c, [4.0])):
        x.grad = tt.tensor(g)
    optimizer.step()
    expect(len(notes), "calls of step_one, three parameters in two groups").equals(3, why="one call for each parameter")
    why = "the parameter's own array, so that the change reaches the parameter"
    expect(notes[0][0], "first argument of step_one").is_(a.array, why=why)
    expect(notes[0][1], "second argument of step_one").equals(f32([2, 4]), why="the gradient as an array")
    why = "each parameter is moved by the settings of its own group"
    expect(notes[2][3], "fourth argument of step_one for c").is_(optimizer.param_groups[1], why=why)
    expect(a, "a after a step of 0.5 against [2, 4]").equals(f32([0.5, -4.5]), why=why)
    expect(c, "c after a step of 0.25 against [4]").equals(f32([7.0]), why=why)


@exercise("Optimizer.step", torch=False)
def test_step_skips_what_has_no_gradient(tt, expect):
    a, b = leaf(tt, [1.5]), leaf(tt, [2.5])
    optimizer, notes = noting(tt, [a, b])
    b.grad = tt.tensor([1.0])
    why = "a parameter that took no part in the loss has grad None; it stays, and the others go on"
    with allowed("optimizer.step(), a.grad is None", why):
        optimizer.step()
    expect(len(notes), "calls of step_one, a.grad is None").equals(1, why=why)
    expect(b, "b after the step").equals(f32([2.0]), why=why)
    expect(a in optimizer.state, "a in optimizer.state").equals(False, why="no step, no state: state costs memory")


@exercise("Optimizer.step", points=2, torch=False)
def test_step_keeps_the_state(tt, expect):
    a = leaf(tt, [1.5])
    optimizer, notes = noting(tt, [a])
    for _ in range(3):
        a.grad = tt.tensor([1.0])
        optimizer.step()
    why = "what step_one leaves in the state must be there at the next step: self.state[param]"
    expect([note[2] for note in notes], "states that step_one was given in three steps").equals(
        [{}, {"count": 1}, {"count": 2}], why=why
    )
    expect(optimizer.state[a], "optimizer.state[a]").equals({"count": 3}, why=why)

    class Plain(tt.optim.Optimizer):
        def step_one(self, param, grad, state, group):
            param -= grad

    optimizer = Plain([a], {"maximize": False})
    optimizer.step()
    why = "an optimizer that remembers nothing has no entries: state_dict would store empty ones"
    expect(len(optimizer.state), "len(optimizer.state) of one that stores nothing").equals(0, why=why)


@exercise("Optimizer.step", torch=False)
def test_step_maximizes(tt, expect):
    a = leaf(tt, [1.5, -2.5])
    optimizer, notes = noting(tt, [a], maximize=True)
    a.grad = tt.tensor([2.0, -4.0])
    optimizer.step()
    why = "group['maximize'] asks to climb: step_one gets the negative gradient"
    expect(notes[0][1], "the gradient given to step_one, maximize=True").equals(f32([-2, 4]), why=why)
    why = "the negative is a new array; a.grad keeps its sign"
    expect(a.grad, "a.grad after the step").equals(f32([2, -4]), why=why)


@exercise("Optimizer.step", torch=False)
def test_step_calls_the_closure(tt, expect):
    a = leaf(tt, [3.0])
    optimizer, _ = noting(tt, [a])

    def closure():
        optimizer.zero_grad()
        loss = (a * a).sum()
        loss.backward()
        return loss

    why = "the closure computes loss and gradients before the step, so gradients must be on in it: enable_grad()"
    with tt.no_grad(), allowed("optimizer.step(closure) inside tt.no_grad()", why):
        loss = optimizer.step(closure)
    expect(loss, "optimizer.step(closure)").is_instance(tt.Tensor, why="step returns what the closure returned")
    expect(loss.item(), "optimizer.step(closure).item()").equals(9.0, why="the loss before the step: 3 * 3")
    expect(a, "a after the step").equals(f32([0.0]), why="3 - 0.5 * 6: the closure comes first, the gradient is 6")
    expect(optimizer.step(), "optimizer.step() without closure").equals(None, why="no closure, nothing to return")


@exercise("Optimizer.step", torch=False)
def test_step_tells_the_graph(tt, expect):
    a = leaf(tt, [3.0, 2.0])
    optimizer, _ = noting(tt, [a])
    loss = (a * a).sum()
    loss.backward(retain_graph=True)
    optimizer.step()
    why = "a has changed since the graph stored it: param.bump_version() lets backward notice instead of being wrong"
    with expect.raises(RuntimeError, "loss.backward() again, after the step", why=why):
        loss.backward()


# blocks


@exercise(
    "blocks",
    points=2,
    torch=False,
    hints=(
        "Which arrays can be cut into flat pieces without a copy? What should happen to the others?",
        "`array.reshape(-1)` of a contiguous array is a view; so is each slice of it. `yield` hands out one item.",
        "Whole (`yield arrays`, then `return`) if the first has at most BLOCK elements, or if one of them is not "
        "`flags.c_contiguous`. Otherwise a loop over `range(0, size, BLOCK)`.",
    ),
)
def test_blocks_of_small_arrays_are_whole(tt, expect):
    blocks = parts(tt).blocks
    a, b = P.copy(), GRADS[0].copy()
    got = list(blocks(a, b) or [])
    expect(len(got), "number of pieces of two (2, 3) arrays").equals(1, why="small arrays fit the cache: one piece")
    expect(len(got[0]), "len(next(blocks(a, b))), two (2, 3) arrays").equals(
        2, why="each piece holds a part of every array"
    )
    expect(got[0][0], "next(blocks(a, b))[0]").is_(a, why="the array itself, with its shape, not a copy")
    expect(got[0][1], "next(blocks(a, b))[1]").is_(b, why="the array itself, with its shape, not a copy")


@exercise("blocks", points=2, torch=False)
def test_blocks_cover_everything_once(tt, expect):
    module = parts(tt)
    size = 2 * module.BLOCK + 5
    a, b = np.zeros((5, size), np.float32)[0], np.arange(size, dtype=np.float32)
    sizes = []
    for one, other in module.blocks(a, b):
        sizes.append(one.size)
        one += other + 1
    why = "two full blocks and what is left over"
    expect(sizes, "sizes of the pieces of arrays of 2 * BLOCK + 5 elements").equals([module.BLOCK] * 2 + [5], why=why)
    why = "pieces are views: what is written into them is written into the array, each element once, in step"
    expect(a, "zeros, after adding arange + 1 piece by piece").equals(b + 1, why=why)


@exercise("blocks", torch=False)
def test_blocks_flatten_tables(tt, expect):
    module = parts(tt)
    table = np.ones((3, module.BLOCK), np.float32)
    pieces = list(module.blocks(table))
    why = "of a table with more than BLOCK elements the pieces are flat, BLOCK elements each: rows do not matter"
    expect([piece[0].shape for piece in pieces], "shapes of the pieces of a (3, BLOCK) table").equals(
        [(module.BLOCK,)] * 3, why=why
    )
    expect(pieces[1][0], "the second piece of a (3, BLOCK) table").shares_memory_with(
        table, why="a view, not a copy: updates must arrive"
    )
    exact = np.ones(module.BLOCK, np.float32)
    expect(len(list(module.blocks(exact))), "pieces of exactly BLOCK elements").equals(1, why="BLOCK elements fit")
    expect(next(iter(module.blocks(exact)))[0], "the one piece of an array of exactly BLOCK elements").is_(
        exact, why="up to BLOCK elements come whole"
    )


@exercise("blocks", torch=False)
def test_blocks_of_transposed_arrays_are_whole(tt, expect):
    module = parts(tt)
    table = np.ones((module.BLOCK, 3), np.float32)
    got = list(module.blocks(np.ones((3, module.BLOCK), np.float32), table.T))
    why = "table.T is not contiguous: flattening it would copy, and the update would go into the copy. Yield it whole"
    expect(len(got), "pieces of a (3, BLOCK) table and a transposed one").equals(1, why=why)
    expect(got[0][1], "the piece of the transposed one, a (BLOCK, 3) table's .T").shares_memory_with(table, why=why)


# SGD.direction


def directions(tt, expect, want, buffers, why, first_too=True, **settings):
    """Follow three gradients with one buffer; compare the direction and the buffer of each step."""
    buffer = np.full_like(P, 99.0)
    for i, grad in enumerate(GRADS):
        with expect.unchanged(grad, "grad after SGD.direction", why="grad stays as it is; only buffer is changed"):
            got = parts(tt).SGD.direction(grad, buffer, i == 0, out=np.empty_like(P), **settings)
        call = f"SGD.direction(grad, buffer, first={i == 0}, {settings}), step {i + 1}"
        mu, share, mistakes = settings["momentum"], settings.get("dampening", 0), []
        if i:
            old = buffers[i - 1]
            mistakes = [
                (mu * old + share * grad, "the new gradient is multiplied by dampening, not by 1 - dampening"),
                (mu * old + grad, "dampening is left out"),
                (mu * old + (1 - mu) * grad, "the new gradient is multiplied by 1 - momentum: that is a running mean"),
                (old + mu * grad, "momentum multiplies the gradient, not the old direction"),
                (old, "buffer is not changed: `buffer = ...` only names a new array"),
                (grad + mu * buffers[i], "Nesterov's direction is stored: only return it"),
            ]
        rule = because(buffer, why, mistakes)
        expect(buffer, f"buffer after {call}").equals(buffers[i].astype(np.float32), why=rule)
        old = buffers[i - 1] if i else np.zeros_like(P)
        late = "the new b is not in it: nesterov is left out, or uses the b of the step before"
        rule = because(got, why, [(grad + mu * old, late), (buffers[i], late)])
        expect(got, call).equals(want[i].astype(np.float32), why=rule)


def running(momentum, dampening=0.0):
    """The three buffers, in float64."""
    buffers = [GRADS[0].astype(float)]
    for grad in GRADS[1:]:
        buffers.append(momentum * buffers[-1] + (1 - dampening) * grad)
    return buffers


@exercise(
    "SGD.direction",
    points=2,
    torch=False,
    hints=(
        "What is in the buffer at the first step, and what should be there afterwards?",
        "The array must be changed, not the name: `buffer[...] = grad`, `buffer *= momentum`, `buffer += ...`.",
        "Dampening takes its share of each new gradient, except of the first: the factor is 1 - dampening.",
        "Without nesterov return buffer. With it: `np.add(grad, np.multiply(buffer, momentum, out=out), out=out)`.",
    ),
)
def test_direction_first_step_is_the_gradient(tt, expect):
    buffer = np.full_like(P, 99.0)
    got = parts(tt).SGD.direction(GRADS[0], buffer, True, 0.75, 0.5, False, np.empty_like(P))
    why = "the first b is the gradient itself, undamped, whatever the buffer held"
    expect(got, "SGD.direction(grad, buffer, first=True, momentum=0.75, dampening=0.5)").equals(GRADS[0], why=why)
    expect(buffer, "buffer after SGD.direction(grad, buffer, first=True, momentum=0.75, dampening=0.5)").equals(
        GRADS[0], why="the array buffer is changed in place: buffer[...] = grad"
    )
    expect(np.shares_memory(buffer, GRADS[0]), "buffer and grad share memory").equals(False)


@exercise("SGD.direction", points=2, torch=False)
def test_direction_adds_momentum(tt, expect):
    want = running(0.75)
    why = "b = momentum b + g: the old direction fades, the new gradient counts in full"
    directions(tt, expect, want, want, why, momentum=0.75)


@exercise("SGD.direction", torch=False)
def test_direction_dampens(tt, expect):
    want = running(0.75, 0.25)
    why = "b = momentum b + (1 - dampening) g from the second step on"
    directions(tt, expect, want, want, why, momentum=0.75, dampening=0.25)
    want = running(0.75, 1.0)
    why = "dampening 1 leaves nothing of a new gradient: from the second step on b only fades"
    directions(tt, expect, want, want, why, momentum=0.75, dampening=1)


@exercise("SGD.direction", points=2, torch=False)
def test_direction_looks_ahead(tt, expect):
    buffers = running(0.75)
    want = [grad + 0.75 * b for grad, b in zip(GRADS, buffers, strict=True)]
    why = "nesterov: the direction is g + momentum b with the new b, and b itself is stored as without nesterov"
    directions(tt, expect, want, buffers, why, momentum=0.75, nesterov=True)


@exercise("SGD.direction", torch=False)
def test_direction_writes_into_out(tt, expect):
    grad, buffer, out = (np.full(100_000, value, np.float32) for value in (0.5, 2.0, 99.0))
    got = parts(tt).SGD.direction(grad, buffer, False, 0.75, 0, True, out)
    why = "nesterov's direction is neither grad nor b, so it needs an array, and out is there for it"
    expect(got, "SGD.direction(grad, buffer, False, 0.75, 0, nesterov=True, out=out)").shares_memory_with(out, why=why)
    for dampening, nesterov in ((0, False), (0.25, False), (0, True)):

        def again(dampening=dampening, nesterov=nesterov):
            parts(tt).SGD.direction(grad, buffer, False, 0.75, dampening, nesterov, out)

        call = f"SGD.direction(grad, buffer, False, 0.75, {dampening}, {nesterov}, out), 100,000 numbers"
        allocates_little(tt, call, again)


@exercise("SGD.direction", torch=False)
def test_direction_needs_no_out(tt, expect):
    buffer = GRADS[0].copy()
    with allowed("SGD.direction without out", "out=None means: make the arrays that you need"):
        got = parts(tt).SGD.direction(GRADS[1], buffer, False, 0.75, 0.5, False)
    why = "without out the numbers are the same"
    expect(got, "SGD.direction(grad, buffer, False, 0.75, 0.5)").equals(f32(0.75 * GRADS[0] + 0.5 * GRADS[1]), why=why)


# SGD.step_one


@exercise(
    "SGD.step_one",
    points=2,
    hints=(
        "Do it first without momentum and without weight decay, in one line, in place.",
        "Weight decay adds weight_decay * param to the gradient; `g = g + ...` makes a new array, `g += ...` would "
        "change the caller's.",
        'With momentum, ask whether "momentum_buffer" is in state before you put `Tensor(np.zeros_like(param))` there; '
        "its array goes to self.direction.",
        "Loop over `blocks(param, grad, *buffers)`, where buffers is [] or a list of one array; take `t, u = "
        "scratch(p)` "
        "for the intermediate results: t for the decayed gradient and for lr * g, u for direction's out.",
    ),
)
def test_sgd_goes_against_the_gradient(tt, expect):
    why = "p -= lr g, for each of the three gradients"
    mistakes = [(sgd(P, GRADS, -0.1), "the gradient is added: that is uphill")]
    ends(tt, expect, "SGD", sgd(P, GRADS, 0.1), why, mistakes=mistakes, lr=0.1)
    optimizer, x = ends(tt, expect, "SGD", sgd(P, GRADS, 0.3), why, lr=0.3)
    stored = [value for value in optimizer.state.get(x, {}).values() if value is not None]  # PyTorch notes None
    expect(len(stored), "arrays that SGD without momentum stores").equals(
        0, why="without momentum nothing is remembered: no memory"
    )


@exercise("SGD.step_one", points=2)
def test_sgd_with_momentum(tt, expect):
    why = "b = momentum b + g, kept in state['momentum_buffer'] from step to step; p -= lr b"
    mistakes = [(sgd(P, GRADS, 0.1), "every step is treated as the first, or momentum is left out")]
    want = sgd(P, GRADS, 0.1, 0.75)
    optimizer, x = ends(tt, expect, "SGD", want, why, mistakes=mistakes, lr=0.1, momentum=0.75)
    got = optimizer.state[x].get("momentum_buffer")
    why = "the state keeps b as a Tensor, under PyTorch's name"
    expect(got, "optimizer.state[x]['momentum_buffer']").is_instance(tt.Tensor, why=why).equals(
        f32(running(0.75)[2]), why=why
    )
    why = "dampening applies from the second step on"
    ends(tt, expect, "SGD", sgd(P, GRADS, 0.1, 0.75, 0.5), why, lr=0.1, momentum=0.75, dampening=0.5)


@exercise("SGD.step_one")
def test_sgd_with_weight_decay(tt, expect):
    why = "weight_decay * p is added to the gradient before everything else, momentum included"
    mistakes = [
        (sgd(P, GRADS, 0.1), "weight_decay is left out"),
        (sgd(P, GRADS, 0.1, weight_decay=-0.25), "weight_decay * p is subtracted, which pushes away from zero"),
    ]
    want = sgd(P, GRADS, 0.1, weight_decay=0.25)
    ends(tt, expect, "SGD", want, why, mistakes=mistakes, lr=0.1, weight_decay=0.25)
    late = P.astype(float)
    for b in running(0.75):
        late -= 0.1 * (b + 0.25 * late)
    mistakes = [(late, "the decay joins the direction, after momentum, so the buffer never sees it")]
    want = sgd(P, GRADS, 0.1, 0.75, weight_decay=0.25)
    ends(tt, expect, "SGD", want, why, mistakes=mistakes, lr=0.1, momentum=0.75, weight_decay=0.25)


@exercise("SGD.step_one")
def test_sgd_with_nesterov(tt, expect):
    why = "nesterov: p -= lr (g + momentum b)"
    want = sgd(P, GRADS, 0.1, 0.75, weight_decay=0.25, nesterov=True)
    lost, b = P.astype(float), 0.0
    for grad in GRADS:
        b = 0.75 * b + grad + 0.25 * lost
        lost = lost - 0.1 * 2 * 0.75 * b
    mistakes = [
        (sgd(P, GRADS, 0.1, 0.75, weight_decay=0.25), "group['nesterov'] does not reach self.direction"),
        (lost, f"{ONE_FOR_TWO}: direction writes momentum * b into `out` while the decayed gradient is still in it"),
    ]
    ends(tt, expect, "SGD", want, why, mistakes=mistakes, lr=0.1, momentum=0.75, weight_decay=0.25, nesterov=True)


@exercise("SGD.step_one")
def test_sgd_leaves_the_gradient(tt, expect):
    grad_unchanged(tt, expect, "SGD", lr=0.1, momentum=0.75, weight_decay=0.25)
    grad_unchanged(tt, expect, "SGD", lr=0.1, weight_decay=0.25)


@exercise("SGD.step_one")
def test_sgd_changes_large_parameters_in_place(tt, expect):
    values = np.linspace(-3, 5, 40_000, dtype=np.float32).reshape(200, 200)
    x = leaf(tt, values)
    before = x.detach()
    optimizer = tt.optim.SGD([x], lr=0.1, momentum=0.75, weight_decay=0.25)
    grads = [values[::-1] * scale for scale in (1.0, 0.5)]
    for grad in grads:
        x.grad = tt.tensor(np.ascontiguousarray(grad))
        optimizer.step()
    want = sgd(values, grads, 0.1, 0.75, weight_decay=0.25)
    why = "every element, in every block"
    expect(x, "x of shape (200, 200) after two steps").equals(want, why=why, rtol=2e-5, atol=2e-6)
    why = "the parameter's own memory is changed: layers and other names refer to it"
    expect(before, "a view of x from before the steps").equals(want, why=why, rtol=2e-5, atol=2e-6)


@exercise("SGD.step_one", torch=False)
def test_sgd_allocates_little(tt, expect):
    values = np.linspace(-3, 5, 100_000, dtype=np.float32)
    x = leaf(tt, values)
    x.grad = tt.ones_like(x)
    optimizer = tt.optim.SGD([x], lr=0.01, momentum=0.5, weight_decay=0.25)
    allocates_little(tt, "a step of SGD on 100,000 parameters, momentum=0.5, weight_decay=0.25", optimizer.step)
    optimizer = tt.optim.SGD([x], lr=0.01)
    allocates_little(tt, "a step of SGD on 100,000 parameters, without options", optimizer.step)
    optimizer = tt.optim.SGD([x], lr=0.01, momentum=0.5, weight_decay=0.25, nesterov=True)
    call = "a step of SGD on 100,000 parameters, momentum=0.5, weight_decay=0.25, nesterov=True"
    allocates_little(tt, call, optimizer.step)


# remembered


@exercise(
    "remembered",
    points=2,
    torch=False,
    hints=(
        "What distinguishes the first step from all others? Look at the state.",
        'At the first step the state is empty: put in "step" and, for each name, a Tensor of zeros like param.',
        '`Tensor(np.zeros((), np.float32))` is the counter; `state["step"].array += 1` at every step, the '
        "first included. "
        "Return `state[name].array` for each name, in order.",
    ),
)
def test_remembered_begins_with_zeros(tt, expect):
    state = {}
    got = parts(tt).remembered(state, P, ["m", "v"])
    call = "remembered({}, param, ['m', 'v']), param of shape (2, 3)"
    expect(got, call).is_instance(list).equals(
        [np.zeros_like(P), np.zeros_like(P)], why="zeros like param, one per name"
    )
    expect(sorted(state), f"keys of the state after {call}").equals(["m", "step", "v"])
    expect(state["m"], f"state['m'] after {call}").is_instance(
        tt.Tensor, why="a state holds tensors, as PyTorch's does"
    )
    expect(got[0], f"the first array of {call}").shares_memory_with(state["m"], why="in place: no copies")
    expect(np.shares_memory(got[0], got[1]), "do m and v share memory?").equals(
        False, why="each name has its own array"
    )


@exercise("remembered", torch=False)
def test_remembered_counts(tt, expect):
    state = {}
    for count in (1.0, 2.0, 3.0):
        parts(tt).remembered(state, P, ["m"])
        why = "step counts from 1: the bias correction of Adam divides by 1 - beta ** step, which is 0 at step 0"
        expect(state["step"], f"state['step'] at step {count:.0f}").is_instance(tt.Tensor).equals(f32(count), why=why)


@exercise("remembered", points=2, torch=False)
def test_remembered_remembers(tt, expect):
    state = {}
    m, v = parts(tt).remembered(state, P, ["m", "v"])
    m += 2.5
    v -= 1.5
    m2, v2 = parts(tt).remembered(state, P, ["m", "v"])
    why = "zeros only at the first step: what was written into the arrays must still be there"
    expect(m2, "m of the second call of remembered(state, param, ['m', 'v'])").equals(np.full_like(P, 2.5), why=why)
    expect(v2, "v of the second call of remembered(state, param, ['m', 'v'])").equals(
        np.full_like(P, -1.5), why="each name keeps its own array, in order"
    )
    expect(m2, "m of the second call of remembered(state, param, ['m', 'v'])").is_(
        m, why="the same array: a new one each step would cost its allocation"
    )


@exercise("remembered", torch=False)
def test_remembered_takes_shape_and_dtype(tt, expect):
    wide = np.ones((3, 1, 5), np.float64)
    (v,) = parts(tt).remembered({}, wide, ["v"])
    why = "zeros of the parameter's shape and dtype"
    expect(v, "remembered({}, param, ['v']), param float64 of shape (3, 1, 5)").equals(np.zeros_like(wide), why=why)
    expect(wide, "param after remembered({}, param, ['v'])").equals(
        np.ones((3, 1, 5)), why="param only lends its shape and dtype"
    )


# RMSprop.step_one


@exercise(
    "RMSprop.step_one",
    points=2,
    hints=(
        "Three lines in the simplest case: the running mean of g², its root plus eps, the step.",
        'Names: "square_avg" always, "momentum_buffer" with momentum, "grad_avg" when centered. `remembered` counts '
        "the step and returns their arrays in that order.",
        "v = alpha v + (1 - alpha) g², in place. Then g / (sqrt(v) + eps); centered uses v - mean² in place of v.",
        "With momentum the quotient is added to momentum * b, and p -= lr b. In place: `np.multiply(g, g, out=t)`, "
        "`np.sqrt(v, out=t)`, `np.divide(g, t, out=t)`.",
    ),
)
def test_rmsprop_divides_by_the_spread(tt, expect):
    why = "v = alpha v + (1 - alpha) g², p -= lr g / (sqrt(v) + eps)"
    mistakes = [
        (rmsprop(P, GRADS, 0.05, 0.25), "alpha and 1 - alpha are swapped"),
        (rmsprop(P, GRADS, 0.05, 1.0, new=1.0), "v is a sum that never fades, not a running mean"),
        (rmsprop(P, GRADS, 0.05, 0.75, root=lambda v: v), "the gradient is divided by v, without the root"),
        (rmsprop(P, GRADS, -0.05, 0.75), "the step is added: that is uphill"),
    ]
    want = rmsprop(P, GRADS, 0.05, 0.75)
    optimizer, x = ends(tt, expect, "RMSprop", want, why, mistakes=mistakes, lr=0.05, alpha=0.75)
    v = 0.25 * (0.75**2 * GRADS[0] ** 2 + 0.75 * GRADS[1] ** 2 + GRADS[2] ** 2)
    why = "kept under PyTorch's name, a Tensor"
    expect(optimizer.state[x].get("square_avg"), "optimizer.state[x]['square_avg'] after three steps").equals(
        f32(v), why=why
    )
    expect(optimizer.state[x].get("step"), "optimizer.state[x]['step'] after three steps").equals(
        f32(3.0), why="remembered counts the steps"
    )
    expect(sorted(optimizer.state[x]), "sorted(optimizer.state[x])").equals(
        ["square_avg", "step"], why="arrays that no option needs are memory for nothing"
    )


@exercise("RMSprop.step_one")
def test_rmsprop_adds_eps_outside_the_root(tt, expect):
    why = "eps is added to the root: sqrt(v) + eps, not sqrt(v + eps)"
    inside = rmsprop(P, GRADS, 0.05, 0.75, 0, root=lambda v: np.sqrt(v + 0.5))
    mistakes = [(inside, "eps stands inside the root"), (rmsprop(P, GRADS, 0.05, 0.75), "eps is left out")]
    want = rmsprop(P, GRADS, 0.05, 0.75, 0.5)
    ends(tt, expect, "RMSprop", want, why, mistakes=mistakes, lr=0.05, alpha=0.75, eps=0.5)


@exercise("RMSprop.step_one")
def test_rmsprop_with_weight_decay(tt, expect):
    why = "weight_decay * p is added to the gradient first, so v sees it too"
    want = rmsprop(P, GRADS, 0.05, 0.75, weight_decay=0.5)
    late, v = P.astype(float), 0.0
    for grad in GRADS:
        v = 0.75 * v + 0.25 * grad.astype(float) ** 2
        late = late - 0.05 * (grad + 0.5 * late) / (np.sqrt(v) + 1e-8)
    overwritten = f"{ONE_FOR_TWO}: the root of v is written over the decayed gradient, and divided by itself"
    mistakes = [
        (P - 3 * 0.05, overwritten),
        (late, "v is made of the gradient alone, before the decay has joined it"),
        (rmsprop(P, GRADS, 0.05, 0.75), "weight_decay is left out"),
    ]
    ends(tt, expect, "RMSprop", want, why, mistakes=mistakes, lr=0.05, alpha=0.75, weight_decay=0.5)
    grad_unchanged(tt, expect, "RMSprop", lr=0.05, weight_decay=0.5)


@exercise("RMSprop.step_one")
def test_rmsprop_with_momentum(tt, expect):
    why = "b = momentum b + g / (sqrt(v) + eps), p -= lr b: the momentum of scaled steps"
    want = rmsprop(P, GRADS, 0.05, 0.75, momentum=0.5)
    early, v, b = P.astype(float), 0.0, 0.0
    for grad in GRADS:
        v, b = 0.75 * v + 0.25 * grad.astype(float) ** 2, 0.5 * b + grad
        early = early - 0.05 * b / (np.sqrt(v) + 1e-8)
    mistakes = [
        (early, "the gradients go through momentum and are divided afterwards"),
        (rmsprop(P, GRADS, 0.05, 0.75), "momentum is left out"),
    ]
    ends(tt, expect, "RMSprop", want, why, mistakes=mistakes, lr=0.05, alpha=0.75, momentum=0.5)


@exercise("RMSprop.step_one", points=2)
def test_rmsprop_centered(tt, expect):
    why = "centered: the spread is v - mean², mean a running mean of g"
    want = rmsprop(P, GRADS, 0.05, 0.75, centered=True)
    optimizer, x = ends(tt, expect, "RMSprop", want, why, lr=0.05, alpha=0.75, centered=True)
    why = "v itself goes on counting g²; only what is divided by is smaller"
    v = 0.25 * (0.75**2 * GRADS[0] ** 2 + 0.75 * GRADS[1] ** 2 + GRADS[2] ** 2)
    expect(optimizer.state[x]["square_avg"], "optimizer.state[x]['square_avg'], centered").equals(f32(v), why=why)
    want = rmsprop(P, GRADS, 0.05, 0.75, momentum=0.5, centered=True)
    ends(tt, expect, "RMSprop", want, why, lr=0.05, alpha=0.75, momentum=0.5, centered=True)


@exercise("RMSprop.step_one", torch=False)
def test_rmsprop_allocates_little(tt, expect):
    values = np.linspace(-3, 5, 100_000, dtype=np.float32)
    x = leaf(tt, values)
    x.grad = tt.ones_like(x)
    for settings in ({}, {"momentum": 0.5, "weight_decay": 0.25, "centered": True}):
        optimizer = tt.optim.RMSprop([x], lr=0.001, **settings)
        text = "".join(f", {name}={value}" for name, value in settings.items())
        allocates_little(tt, f"a step of RMSprop on 100,000 parameters, lr=0.001{text}", optimizer.step)


# Adam.update


def update_is(tt, expect, why, step=3, lr=0.05, betas=(0.75, 0.9), eps=1e-8, decay=0.0, decoupled=False, top=None):
    """One call of Adam.update on arrays, against the formulas in float64."""
    p, g, m, v = P.copy(), GRADS[0].copy(), GRADS[1] / 4, GRADS[2] ** 2 / 8 + f32(0.125)
    wp, wg, wm, wv = (x.astype(float) for x in (p, g, m, v))
    if decoupled:
        wp *= 1 - lr * decay
    else:
        wg = wg + decay * wp
    wm, wv = betas[0] * wm + (1 - betas[0]) * wg, betas[1] * wv + (1 - betas[1]) * wg * wg
    used = wv if top is None else np.maximum(top.astype(float), wv)
    wp -= lr * (wm / (1 - betas[0] ** step)) / (np.sqrt(used / (1 - betas[1] ** step)) + eps)
    largest = [] if top is None else [top.copy()]
    call = f"Adam.update(param, grad, m, v, step={step}, lr={lr}, betas={betas}, eps={eps}"
    call += f", weight_decay={decay}, decoupled={decoupled}{', largest' * bool(largest)})"
    parts(tt).Adam.update(p, g, m, v, float(step), lr, *betas, eps, decay, decoupled, *largest)
    expect(g, f"grad after {call}").equals(GRADS[0], why="the gradient is not yours to change")
    expect(m, f"m after {call}").equals(
        f32(wm), why="m = beta1 m + (1 - beta1) g, in place, without correction" if not decay else why
    )
    rule = "v = beta2 v + (1 - beta2) g², in place, without correction" if not decay else why
    if decay and not decoupled:  # g - m, then (1 - beta1) (g - m), was written over the decayed g
        old_v, rest = GRADS[2] ** 2 / 8 + f32(0.125), (1 - betas[0]) * (wg - GRADS[1] / 4)
        text = f"{ONE_FOR_TWO}: the decayed gradient was in it, and (1 - beta1) (g - m) has been written over that"
        ways = ((1 - betas[1]) * rest**2, (1 - betas[1]) ** 2 * rest**2)
        rule = because(v, rule, [(betas[1] * old_v + new, text) for new in ways])
    expect(v, f"v after {call}").equals(f32(wv), why=rule)
    if largest:
        expect(largest[0], f"largest after {call}").equals(
            f32(used), why="the larger of largest and v is kept, in place"
        )
    start = P * (1 - lr * decay) if decoupled else P.astype(float)
    m_, v_ = wm / (1 - betas[0] ** step), used / (1 - betas[1] ** step)
    mistakes = [
        (start - lr * m_ / np.sqrt(v_ + eps), "eps stands inside the root"),
        (start - lr * m_ / ((np.sqrt(used) + eps) / math.sqrt(1 - betas[1] ** step)),
         "eps is added before v is corrected"),
        (start - lr * m_ / np.sqrt(v_), "eps is left out"),
        (start - lr * m_ / (np.sqrt(wv / (1 - betas[1] ** step)) + eps), "the step divides by v, not by largest"),
        (P - lr * m_ / (np.sqrt(v_) + eps), "param does not shrink"),
    ]  # fmt: skip
    expect(p, f"param after {call}").equals(f32(wp), why=because(p, why, mistakes), rtol=2e-5, atol=2e-6)


@exercise(
    "Adam.update",
    points=2,
    torch=False,
    hints=(
        "At step 1, m is a tenth of the gradient and v a thousandth of its square. What must each be divided by?",
        "m and v are changed in place and stay uncorrected; the corrections 1 - beta1 ** step and 1 - beta2 ** step "
        "go into the step alone.",
        "Decay first: decoupled shrinks p by the factor 1 - lr * weight_decay, otherwise weight_decay * p joins g. "
        "Then m, v, then largest if there is one, then the step.",
        "In place on a block: `np.sqrt(v, out=t)`, divide t by sqrt(1 - beta2 ** step), add eps, "
        "`np.divide(m, t, out=t)`, "
        "times lr / (1 - beta1 ** step), subtract from p.",
    ),
)
def test_adam_first_step_has_size_lr(tt, expect):
    p, m, v = P.copy(), np.zeros_like(P), np.zeros_like(P)
    parts(tt).Adam.update(p, GRADS[0].copy(), m, v, 1.0, 0.05, 0.9, 0.999, 1e-8, 0, False)
    why = "at step 1 the corrected m is g and the corrected v is g²: each parameter moves by lr, whatever its gradient"
    call = "Adam.update(param, grad, m, v, 1.0, 0.05, 0.9, 0.999, 1e-8, 0, False), m and v zeros"
    rule = "m = (1 - beta1) g: stored without its correction"
    rule = because(m, rule, [(0.001 * GRADS[0], "the betas are swapped: beta1 belongs to m"),
                             (0.9 * GRADS[0], "beta1 and 1 - beta1 are swapped")])  # fmt: skip
    expect(m, f"m after {call}").equals(f32(0.1 * GRADS[0]), why=rule)
    rule = "v = (1 - beta2) g²: stored without its correction"
    rule = because(v, rule, [(0.001 * GRADS[0], "g is not squared")])
    expect(v, f"v after {call}").equals(f32(0.001 * GRADS[0] ** 2), why=rule)
    lengths = (
        (0.1 / math.sqrt(0.001), "neither m nor v is corrected: 0.1 / sqrt(0.001) is about 3.2"),
        (1 / math.sqrt(0.001), "only m is corrected, not v"),
        (0.1, "only v is corrected, not m"),
        (0.1 / 0.19 / math.sqrt(0.001 / 0.001999), "the corrections use step + 1; step counts from 1 already"),
        (0.1 / 0.001 / math.sqrt(0.001 / 0.1), "the betas of the two corrections are swapped"),
        (math.sqrt(0.001), "v is divided by its correction only after its root was taken"),
        (-1.0, "the step is added: that is uphill"),
    )
    why = because(p, why, [(P - 0.05 * k * np.sign(GRADS[0]), text) for k, text in lengths])
    expect(p, f"param after {call}").equals(f32(P - 0.05 * np.sign(GRADS[0])), why=why)


@exercise("Adam.update", points=3, torch=False)
def test_adam_corrects_the_start_at_zero(tt, expect):
    why = "at step t, m is divided by 1 - beta1 ** t and v by 1 - beta2 ** t; t counts from 1"
    for step in (1, 2, 3, 7):
        update_is(tt, expect, why, step=step)


@exercise("Adam.update", torch=False)
def test_adam_adds_eps_last(tt, expect):
    why = "eps is added after the root and after the correction of v: sqrt(v / (1 - beta2 ** t)) + eps"
    update_is(tt, expect, why, eps=0.5)


@exercise("Adam.update", points=2, torch=False)
def test_adam_decays_in_two_ways(tt, expect):
    why = "coupled: weight_decay * param is added to the gradient, so m and v see it"
    update_is(tt, expect, why, decay=0.5)
    why = "decoupled: param shrinks by lr * weight_decay of itself before the step; m and v never see it"
    update_is(tt, expect, why, decay=0.5, decoupled=True)


@exercise("Adam.update", points=2, torch=False)
def test_adam_with_the_largest_v(tt, expect):
    why = "amsgrad divides by the root of the largest v so far; v itself goes on as before"
    update_is(tt, expect, why, top=f32([[5.0, 0.01, 0.02], [3.0, 0.001, 6.0]]))


@exercise("Adam.update", points=2, torch=False)
def test_adam_in_blocks_and_in_place(tt, expect):
    values = np.linspace(-3, 5, 100_000, dtype=np.float32)
    p, g, m, v = values.copy(), values[::-1].copy(), np.zeros_like(values), np.zeros_like(values)
    parts(tt).Adam.update(p, g, m, v, 1.0, 0.05, 0.9, 0.999, 1e-8, 0.25, False)
    want = adam(values, [values[::-1]], 0.05, weight_decay=0.25)
    expect(p, "100,000 parameters after Adam.update").equals(want, why="every block is done once", atol=2e-5)

    top = v.copy()
    for decay, decoupled, largest in ((0, False, None), (0.25, False, top), (0.25, True, None)):

        def again(decay=decay, decoupled=decoupled, largest=largest):
            parts(tt).Adam.update(p, g, m, v, 2.0, 0.05, 0.9, 0.999, 1e-8, decay, decoupled, largest)

        text = f"weight_decay={decay}, decoupled={decoupled}{', largest' if largest is not None else ''}"
        allocates_little(tt, f"Adam.update on 100,000 parameters, {text}", again)


# Adam.step_one


@exercise(
    "Adam.step_one",
    points=2,
    torch=False,
    hints=(
        "What does Adam.update need that state holds, and what does it need from group?",
        '`remembered` makes and returns the arrays; the names are PyTorch\'s: "exp_avg", "exp_avg_sq", and '
        '"max_exp_avg_sq" only with amsgrad.',
        'The step number is `state["step"].item()`, after `remembered` has counted. betas is a pair.',
        "self.update(param, grad, m, v, step, lr, beta1, beta2, eps, weight_decay, decoupled_weight_decay), "
        "and the third "
        "array at the end if there is one.",
    ),
)
def test_adam_hands_numbers_to_update(tt, expect):
    seen = []

    class Watched(tt.optim.Adam):
        @staticmethod
        def update(*arrays, **named):
            names = ("param", "grad", "exp_avg", "exp_avg_sq", "step", "lr", "beta1", "beta2", "eps", "weight_decay")
            seen.append(dict(zip(names, arrays, strict=False)) | named)

    x = leaf(tt, P)
    x.grad = tt.tensor(GRADS[0].copy())
    optimizer = Watched([x], lr=0.05)
    optimizer.step()
    call = "in the first step of Adam([x], lr=0.05)"
    expect(len(seen), f"calls of self.update {call}").equals(
        1, why="step_one leaves the arithmetic to one call of `self.update`"
    )
    step = seen[0].get("step")
    if isinstance(step, tt.Tensor):
        why = "`state['step']` is a Tensor, and with it the arithmetic of update makes Tensors, not numbers: "
        why += "hand over the number in it, `state['step'].item()`"
        raise CheckFailed(f"the argument `step` of self.update {call}", "the number 1.0", "a Tensor", "", why)
    for name in ("exp_avg", "exp_avg_sq"):
        why = "`remembered` returns the arrays of the state's tensors: hand those over"
        expect(seen[0].get(name), f"the argument `{name}` of self.update {call}").is_instance(np.ndarray, why=why)
    why = "remembered has counted this step"
    expect(float(step), f"the argument `step` of self.update {call}").equals(1.0, why=why)


@exercise("Adam.step_one", points=2)
def test_adam_three_steps(tt, expect):
    why = "m and v last from step to step, and the corrections use the number of this step"
    want = adam(P, GRADS, 0.05, (0.75, 0.9))
    optimizer, x = ends(tt, expect, "Adam", want, why, lr=0.05, betas=(0.75, 0.9))
    state = optimizer.state[x]
    why = "PyTorch's names; a third array only with amsgrad"
    expect(sorted(state), "sorted(optimizer.state[x])").equals(["exp_avg", "exp_avg_sq", "step"], why=why)
    m = 0.25 * (0.75**2 * GRADS[0] + 0.75 * GRADS[1] + GRADS[2])
    expect(state["exp_avg"], "optimizer.state[x]['exp_avg'] after three steps").equals(
        f32(m), why="exp_avg is m, exp_avg_sq is v"
    )
    expect(state["step"], "optimizer.state[x]['step'] after three steps").equals(
        f32(3.0), why="remembered counts the steps"
    )


@exercise("Adam.step_one")
def test_adam_passes_all_settings(tt, expect):
    why = "eps comes from the group"
    ends(tt, expect, "Adam", adam(P, GRADS, 0.05, eps=0.5), why, lr=0.05, eps=0.5)
    why = "weight_decay comes from the group"
    ends(tt, expect, "Adam", adam(P, GRADS, 0.05, weight_decay=0.5), why, lr=0.05, weight_decay=0.5)


@exercise("Adam.step_one")
def test_adam_decoupled_by_a_setting(tt, expect):
    why = "group['decoupled_weight_decay'] says which kind of decay it is"
    want = adam(P, GRADS, 0.05, weight_decay=0.5, decoupled=True)
    ends(tt, expect, "Adam", want, why, lr=0.05, weight_decay=0.5, decoupled_weight_decay=True)


@exercise("Adam.step_one")
def test_adam_amsgrad(tt, expect):
    why = "with amsgrad the state has a third array, which update keeps as the largest v"
    grads = [GRADS[0] * 4, GRADS[1] / 8, GRADS[2] / 8]
    want = adam(P, grads, 0.05, (0.75, 0.5), amsgrad=True)
    optimizer, x = ends(tt, expect, "Adam", want, why, grads, lr=0.05, betas=(0.75, 0.5), amsgrad=True)
    expect("max_exp_avg_sq" in optimizer.state[x], "'max_exp_avg_sq' in optimizer.state[x]").equals(True, why=why)


@exercise("Adam.step_one")
def test_adam_keeps_a_state_for_each_parameter(tt, expect):
    a, b = leaf(tt, P), leaf(tt, [7.5])
    optimizer = tt.optim.Adam([a, b], lr=0.05)
    for i, grad in enumerate(GRADS):
        a.grad = tt.tensor(grad.copy())
        b.grad = tt.tensor([2.0]) if i == 2 else None
        optimizer.step()
    why = "b had one gradient only, so this is its first step: lr, whatever the others did"
    expect(b, "b after its first step, the third of a").equals(f32([7.45]), why=why)
    expect(a, "a after three steps").equals(
        adam(P, GRADS, 0.05), why="each parameter has a state of its own", atol=2e-6
    )


# AdamW.__init__


@exercise(
    "AdamW.__init__",
    hints=(
        "Everything but one setting is Adam's. Who stores the settings?",
        "Call `super().__init__` with all arguments, by name, and with one that AdamW's header does not have.",
        "`_settings(locals())` is a dict of all arguments but self and params; `**` hands them on. Adam's "
        "`decoupled_weight_decay` makes the difference.",
    ),
)
def test_adamw_shrinks_apart_from_the_gradient(tt, expect):
    why = "AdamW is Adam with decoupled_weight_decay=True"
    want = adam(P, GRADS, 0.05, weight_decay=0.5, decoupled=True)
    ends(tt, expect, "AdamW", want, why, lr=0.05, weight_decay=0.5)


@exercise("AdamW.__init__")
def test_adamw_defaults(tt, expect):
    group = tt.optim.AdamW([leaf(tt, P)]).param_groups[0]
    for name, value in (("lr", 1e-3), ("betas", (0.9, 0.999)), ("eps", 1e-8), ("weight_decay", 1e-2),
                        ("amsgrad", False), ("maximize", False), ("decoupled_weight_decay", True)):  # fmt: skip
        why = "the header's defaults reach the group: AdamW decays by 0.01 unless told otherwise, Adam does not"
        expect(group.get(name), f"AdamW([x]).param_groups[0]['{name}']").equals(value, why=why)


@exercise("AdamW.__init__", points=2)
def test_adamw_hands_everything_on(tt, expect):
    values = {"lr": 0.05, "betas": (0.5, 0.75), "eps": 0.25, "weight_decay": 0.125, "amsgrad": True, "maximize": True}
    group = tt.optim.AdamW([leaf(tt, P)], **values).param_groups[0]
    for name, value in values.items():
        why = f"{name} was given, so it must reach the group"
        expect(group.get(name), f"AdamW([x], {name}={value}).param_groups[0]['{name}']").equals(value, why=why)
    group = tt.optim.AdamW([leaf(tt, P)], foreach=False).param_groups[0]
    why = "options that only PyTorch heeds are stored all the same, so that state dicts have the same keys"
    expect(group.get("foreach"), "AdamW([x], foreach=False).param_groups[0]['foreach']").equals(False, why=why)


@exercise("AdamW.__init__")
def test_adamw_refuses_what_adam_refuses(tt, expect):
    why = "Adam.__init__ refuses this: hand the arguments to it"
    with expect.raises(ValueError, "AdamW([x], lr=-1.0)", why=why):
        tt.optim.AdamW([leaf(tt, P)], lr=-1.0)
    with expect.raises(ValueError, "AdamW([x], betas=(0.9, 1.0))", why=why):
        tt.optim.AdamW([leaf(tt, P)], betas=(0.9, 1.0))


# Optimizer.state_dict


def trained(tt):
    """Two groups of Adam, of which the first parameter has no state, after three steps: optimizer and parameters."""
    xs = [leaf(tt, [9.5]), leaf(tt, P), leaf(tt, P * 2)]
    optimizer = tt.optim.Adam([{"params": xs[:2], "lr": 0.05}, {"params": xs[2:]}], lr=0.1, betas=(0.75, 0.9))
    for grad in GRADS:
        xs[1].grad, xs[2].grad = tt.tensor(grad.copy()), tt.tensor(grad / 2)
        optimizer.step()
    return optimizer, xs


@exercise(
    "Optimizer.state_dict",
    points=2,
    hints=(
        "A tensor cannot be a key in a file. What else tells the parameters apart?",
        "Number them through all groups, in order: 0, 1, 2, ... A dict from parameter to number is handy.",
        'Each group is copied, with "params" replaced by the list of numbers; the state gets the numbers as keys.',
        '`{**group, "params": [...]}` makes a new dict. Leave self.param_groups and self.state as they are.',
    ),
)
def test_state_dict_numbers_the_parameters(tt, expect):
    optimizer, _ = trained(tt)
    got = optimizer.state_dict()
    expect(sorted(got), "keys of optimizer.state_dict()").equals(["param_groups", "state"])
    why = "parameters are numbered through all groups: the second group goes on where the first ended"
    expect(
        [group["params"] for group in got["param_groups"]], "the 'params' of the groups of optimizer.state_dict()"
    ).equals([[0, 1], [2]], why=why)
    why = "the states have the numbers of their parameters; parameter 0 never had a gradient, so it has no state"
    expect(sorted(got["state"]), "keys of state_dict()['state']").equals([1, 2], why=why)


@exercise("Optimizer.state_dict")
def test_state_dict_holds_states_and_settings(tt, expect):
    optimizer, xs = trained(tt)
    optimizer.param_groups[0]["note"] = "added later"
    got = optimizer.state_dict()
    expect(got["param_groups"][0].get("lr"), "state_dict()['param_groups'][0]['lr']").equals(0.05, why="all settings")
    expect(got["param_groups"][1].get("lr"), "state_dict()['param_groups'][1]['lr']").equals(0.1, why="all groups")
    why = "the state of a parameter, with all that it holds"
    expect(got["state"][2]["exp_avg"], "state_dict()['state'][2]['exp_avg']").is_(
        optimizer.state[xs[2]]["exp_avg"], why=why
    )
    expect(list(got["param_groups"][0])[-1], "last key of a group").equals("params", why="PyTorch's order: params last")


@exercise("Optimizer.state_dict")
def test_state_dict_leaves_the_optimizer(tt, expect):
    optimizer, xs = trained(tt)
    got = optimizer.state_dict()
    got["param_groups"][0]["lr"] = 7.0
    why = "the groups of the result are new dicts: the optimizer itself must still hold its tensors and settings"
    expect(optimizer.param_groups[0]["lr"], "param_groups[0]['lr'] after a change of the result").equals(0.05, why=why)
    expect(len(optimizer.param_groups[0]["params"]), "parameters in group 0").equals(2, why=why)
    expect(optimizer.param_groups[0]["params"][1], "param_groups[0]['params'][1]").is_(xs[1], why=why)
    expect(xs[1] in optimizer.state, "x in optimizer.state").equals(True, why=why)


@exercise("Optimizer.state_dict")
def test_state_dict_before_the_first_step(tt, expect):
    optimizer = tt.optim.SGD([leaf(tt, P), leaf(tt, [7.5])], lr=0.25)
    got = optimizer.state_dict()
    expect(got["state"], "state_dict()['state'] before the first step").equals({}, why="nothing is remembered yet")
    expect(got["param_groups"][0]["params"], "state_dict()['param_groups'][0]['params'] before the first step").equals(
        [0, 1]
    )


# Optimizer.load_state_dict


@exercise(
    "Optimizer.load_state_dict",
    points=2,
    hints=(
        "It is state_dict the other way round. Whose tensors are the parameters afterwards?",
        "Work on `copy.deepcopy(state_dict)`, and let `_same_sizes` refuse groups that do not fit.",
        "Pair the numbers of each saved group with the parameters of the group that is here; then update the "
        "group with "
        'the saved settings, but keep its own "params".',
        "Begin with an empty `defaultdict(dict)`; for each number in the saved state, store under its "
        "parameter. Tensors "
        'but "step" take the parameter\'s dtype: `value.to(param.dtype)`.',
    ),
)
def test_load_takes_states_and_settings(tt, expect):
    optimizer, xs = trained(tt)
    others = [leaf(tt, x.detach().numpy()) for x in xs]
    other = tt.optim.Adam([{"params": others[:2]}, {"params": others[2:]}], lr=7.0)
    other.load_state_dict(optimizer.state_dict())
    why = "the saved settings replace those here"
    expect(other.param_groups[0]["lr"], "param_groups[0]['lr'] after loading").equals(0.05, why=why)
    expect(other.param_groups[1]["betas"], "param_groups[1]['betas'] after loading").equals((0.75, 0.9), why=why)
    why = "the parameters stay the tensors of this optimizer; the numbers only say which is which"
    expect(other.param_groups[0]["params"][1], "param_groups[0]['params'][1] after loading").is_(others[1], why=why)
    why = "the state is stored under the parameter of that number, not under the number"
    expect(others[2] in other.state, "third parameter in other.state").equals(True, why=why)
    expect(others[0] in other.state, "first parameter, which had no state, in other.state").equals(False, why=why)
    expect(other.state[others[2]]["exp_avg"], "state of the third parameter, 'exp_avg'").equals(
        optimizer.state[xs[2]]["exp_avg"], why=why
    )


@exercise("Optimizer.load_state_dict", points=2)
def test_loaded_optimizer_continues_exactly(tt, expect):
    optimizer, xs = trained(tt)
    others = [leaf(tt, x.detach().numpy()) for x in xs]
    other = tt.optim.Adam([{"params": others[:2]}, {"params": others[2:]}], lr=7.0)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))  # PyTorch itself does not copy
    for (one, mine), grad in zip([(optimizer, xs), (other, others)] * 2, [0, 0, 1, 1], strict=True):
        mine[1].grad, mine[2].grad = tt.tensor(GRADS[grad].copy()), tt.tensor(GRADS[grad] / 2)
        one.step()
    why = "with moments and step count restored, training goes on as if it had not stopped"
    expect(others[1], "second parameter, two steps after loading").equals(xs[1].detach(), why=why)
    expect(others[2], "third parameter, two steps after loading").equals(xs[2].detach(), why=why)


@exercise("Optimizer.load_state_dict", torch=False)
def test_load_copies(tt, expect):
    optimizer, xs = trained(tt)
    saved = optimizer.state_dict()
    others = [leaf(tt, x.detach().numpy()) for x in xs]
    other = tt.optim.Adam([{"params": others[:2]}, {"params": others[2:]}], lr=7.0)
    other.load_state_dict(saved)
    why = "two optimizers that share a moment change each other: copy what you load"
    before = copy.deepcopy(optimizer.state[xs[1]]["exp_avg"].detach().numpy())
    others[1].grad = tt.tensor(GRADS[0].copy())
    other.step()
    expect(optimizer.state[xs[1]]["exp_avg"], "exp_avg of the first optimizer after a step of the second").equals(
        before, why=why
    )
    expect(saved["param_groups"][0]["params"], "the saved dict's params").equals(
        [0, 1], why="the saved dict is not yours"
    )


@exercise("Optimizer.load_state_dict")
def test_load_forgets_what_was_there(tt, expect):
    optimizer, xs = trained(tt)
    fresh = tt.optim.Adam([{"params": [leaf(tt, [1.0]), leaf(tt, P)]}, {"params": [leaf(tt, P)]}], lr=0.25)
    optimizer.load_state_dict(fresh.state_dict())
    why = "the saved state replaces the old one whole: an old moment must not survive"
    expect(len(optimizer.state), "number of states after loading one without any").equals(0, why=why)
    with allowed("a step after loading", "self.state stays a dict that makes {} for a new parameter"):
        xs[1].grad = tt.tensor(GRADS[0].copy())
        optimizer.step()


@exercise("Optimizer.load_state_dict")
def test_load_brings_states_to_the_dtype(tt, expect):
    optimizer, _ = trained(tt)
    wide = [tt.tensor(np.asarray(v, np.float64)) for v in ([9.5], P, P)]
    for x in wide:
        x.requires_grad = True
    other = tt.optim.Adam([{"params": wide[:2]}, {"params": wide[2:]}])
    other.load_state_dict(optimizer.state_dict())
    state = other.state[wide[1]]
    why = "moments take the dtype of their parameter; the step count stays float32"
    expect(state["exp_avg"], "exp_avg loaded for a float64 parameter").has_dtype("float64", why=why)
    expect(state["step"], "step loaded for a float64 parameter").has_dtype("float32", why=why)


@exercise("Optimizer.load_state_dict")
def test_load_refuses_other_sizes(tt, expect):
    optimizer, _ = trained(tt)
    why = "the saved groups hold 2 and 1 parameters: others cannot be paired with them (_same_sizes raises)"
    other = tt.optim.Adam([leaf(tt, P)])
    with expect.raises(ValueError, "load_state_dict of two groups into one", ("parameter group",), why):
        other.load_state_dict(optimizer.state_dict())
    other = tt.optim.Adam([{"params": [leaf(tt, P)]}, {"params": [leaf(tt, P)]}])
    call = "load_state_dict of groups with 2 and 1 parameters into groups with 1 and 1"
    with expect.raises(ValueError, call, ("parameter group",), why):
        other.load_state_dict(optimizer.state_dict())


# LRScheduler.step


def table_of(tt, lrs=(0.5, 0.25, 0.125, 0.75)):
    """A scheduler that takes its rates from a table, and its optimizer with two groups of rates 1 and 3."""
    a, b = leaf(tt, [1.5]), leaf(tt, [2.5])
    optimizer = tt.optim.SGD([{"params": [a]}, {"params": [b], "lr": 3.0}], lr=1.0)

    class Table(tt.optim.lr_scheduler.LRScheduler):
        def get_lr(self):
            return [lrs[self.last_epoch] * base for base in self.base_lrs]

    return Table(optimizer), optimizer


def rates(optimizer):
    """The present learning rates."""
    return [group["lr"] for group in optimizer.param_groups]


@exercise(
    "LRScheduler.step",
    points=2,
    hints=(
        "What does get_lr read, and what must therefore be up to date before it is called?",
        "Without epoch, last_epoch grows by one. Each call adds one to _step_count. Then get_lr gives one "
        "rate per group.",
        'Write the rates into the groups\' "lr", then note them in self._last_lr.',
        'With epoch: put the groups\' "lr" back to self.base_lrs, last_epoch to 0, set the rates for t = 0, then call '
        "self.step() epoch times.",
    ),
)
def test_scheduler_sets_the_rates(tt, expect):
    scheduler, optimizer = table_of(tt)
    why = "making a scheduler calls step once: t = 0, and the first entry of the table applies"
    mistakes = [
        ([0.75, 2.25], "get_lr is asked while last_epoch is still -1"),
        ([0.5, 0.5], "every group gets the rate of the first"),
        ([1.0, 3.0], "the rates do not reach the groups: they belong in each group's 'lr'"),
        ([0.25, 0.75], "last_epoch grows by more than 1"),
    ]
    why = because(rates(optimizer), why, mistakes)
    expect(rates(optimizer), "rates after the scheduler was made").equals([0.5, 1.5], why=why)
    why = "each step goes to the next t, asks get_lr, and writes one rate into each group"
    scheduler.step()
    expect(rates(optimizer), "rates after one scheduler.step()").equals([0.25, 0.75], why=why)
    scheduler.step()
    expect(rates(optimizer), "rates after two scheduler.step()").equals([0.125, 0.375], why=why)
    expect(scheduler.last_epoch, "scheduler.last_epoch").equals(2, why="last_epoch is t, the number of steps")


@exercise("LRScheduler.step")
def test_scheduler_notes_the_last_rates(tt, expect):
    scheduler, optimizer = table_of(tt)
    scheduler.step()
    why = "get_last_lr returns what the last step set: note the rates after setting them"
    expect(scheduler.get_last_lr(), "scheduler.get_last_lr()").equals([0.25, 0.75], why=why)
    with expect.unchanged(optimizer.param_groups[0]["params"][0], "the parameter", why="a schedule moves no parameter"):
        scheduler.step()


@exercise("LRScheduler.step", torch=False)
def test_scheduler_counts_its_steps(tt, expect):
    scheduler, _ = table_of(tt)
    expect(scheduler._step_count, "_step_count after the scheduler was made").equals(1, why="the first step, to t = 0")
    scheduler.step()
    expect(scheduler._step_count, "_step_count after one step").equals(2, why="every call of step adds one")


@exercise("LRScheduler.step", torch=False)
def test_scheduler_goes_to_an_epoch(tt, expect):
    scheduler, optimizer = table_of(tt)
    for _ in range(2):
        scheduler.step()
    scheduler.step(1)
    why = "step(1) begins anew and goes to t = 1"
    expect(scheduler.last_epoch, "last_epoch after step(1)").equals(1, why=why)
    expect(rates(optimizer), "rates after step(1)").equals([0.25, 0.75], why=why)

    class Half(tt.optim.lr_scheduler.LRScheduler):
        def get_lr(self):
            return [g["lr"] * (0.5 if self.last_epoch else 1) for g in self.optimizer.param_groups]

    optimizer = tt.optim.SGD([leaf(tt, [1.5])], lr=8.0)
    scheduler = Half(optimizer)
    for _ in range(2):
        scheduler.step()
    scheduler.step(0)
    why = "step(0) puts the rates back to where they began before it asks get_lr, which multiplies them"
    expect(rates(optimizer), "rate of a halving schedule after two steps and step(0), from 8").equals([8.0], why=why)
    scheduler.step(3)
    expect(rates(optimizer), "rate after step(3)").equals([1.0], why="8 halved three times")


# LambdaLR.get_lr


def follows(tt, expect, make, want, why, lr=0.5, mistakes=()):
    """The learning rates of a schedule, from t = 0 on.

    make is handed `expect` as a helper is, so that the card of an error shows the call inside it.
    """
    optimizer = tt.optim.SGD([leaf(tt, [1.5])], lr=lr)
    try:
        scheduler, call = make(optimizer, expect)
    except TypeError as error:
        if "NoneType" not in str(error):
            raise
        raise CheckFailed("get_lr()", "a list of learning rates", "None; did you forget `return`?", "", why) from error
    seen = [optimizer.param_groups[0]["lr"]]
    for _ in want[1:]:
        optimizer.step()
        scheduler.step()
        seen.append(optimizer.param_groups[0]["lr"])
    expect([float(rate) for rate in seen], f"rates at t = 0, 1, 2, ... of {call}, lr={lr}").equals(
        [float(rate) for rate in want], why=because(seen, why, mistakes)
    )


@exercise(
    "LambdaLR.get_lr",
    hints=(
        "Which rate is multiplied: the one of now, or the one at the beginning?",
        "self.base_lrs holds the initial rates and self.lr_lambdas the functions, one of each for a group.",
        "Call each function with self.last_epoch, multiply by its base; a list with one rate for each group.",
    ),
)
def test_lambda_multiplies_the_initial_rate(tt, expect):
    def make(optimizer, expect):
        return tt.optim.lr_scheduler.LambdaLR(optimizer, lambda t: 0.5**t), "LambdaLR(optimizer, lambda t: 0.5 ** t)"

    why = "initial lr times lr_lambda(t); a factor on the rate of now would pile up"
    mistakes = [
        ([0.4, 0.2, 0.1, 0.05], "lr_lambda is given t + 1"),
        ([1.0, 0.5, 0.25, 0.125], "the factor itself is the rate: times self.base_lrs is missing"),
        ([0.8, 0.4, 0.1, 0.0125], "the rate of now is multiplied, so that the factors pile up"),
    ]
    follows(tt, expect, make, [0.8, 0.4, 0.2, 0.1], why, lr=0.8, mistakes=mistakes)


@exercise("LambdaLR.get_lr")
def test_lambda_gets_t(tt, expect):
    def make(optimizer, expect):
        return tt.optim.lr_scheduler.LambdaLR(optimizer, lambda t: (t + 1) / 4), "LambdaLR(optimizer, (t + 1) / 4)"

    follows(tt, expect, make, [0.2, 0.4, 0.6, 0.8], "lr_lambda is given t, which is last_epoch, from 0", lr=0.8)


@exercise("LambdaLR.get_lr")
def test_lambda_of_each_group(tt, expect):
    a, b = leaf(tt, [1.5]), leaf(tt, [2.5])
    optimizer = tt.optim.SGD([{"params": [a]}, {"params": [b], "lr": 3.0}], lr=1.0)
    scheduler = tt.optim.lr_scheduler.LambdaLR(optimizer, [lambda t: 1 + t, lambda t: 1 / (1 + t)])
    optimizer.step()
    scheduler.step()
    why = "one function for each group, each with the initial rate of its own group"
    expect(rates(optimizer), "rates at t = 1 of LambdaLR(optimizer, [1 + t, 1 / (1 + t)]), from 1 and 3").equals(
        [2.0, 1.5], why=why
    )


@exercise("LambdaLR.get_lr")
def test_lambda_returns_one_rate_per_group(tt, expect):
    optimizer = tt.optim.SGD([{"params": [leaf(tt, [1.5])]}, {"params": [leaf(tt, [2.5])], "lr": 3.0}], lr=1.0)
    scheduler = tt.optim.lr_scheduler.LambdaLR(optimizer, lambda t: 0.25 + t)
    got = scheduler.get_last_lr()
    expect(got, "get_last_lr() of two groups").is_instance(list).equals(
        [0.25, 0.75], why="a list, one rate for each group"
    )


# StepLR.get_lr


@exercise(
    "StepLR.get_lr",
    hints=(
        "At which t does the rate change, and what happens to it there?",
        "`self.last_epoch % self.step_size` is 0 at 0, step_size, 2 step_size, ... Does 0 count?",
        "`self._scaled(factor)` returns the rates as they are times a factor: gamma at those t, otherwise 1.",
    ),
)
def test_step_lr_goes_down_stairs(tt, expect):
    def make(optimizer, expect):
        return tt.optim.lr_scheduler.StepLR(optimizer, 3, 0.5), "StepLR(optimizer, step_size=3, gamma=0.5)"

    why = "times gamma at t = 3, 6, ..., and only there; at t = 0 the rate is the initial one"
    mistakes = [
        ([0.8, 0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.2], "the rate changes one step late, at t = 4, 7"),
        ([0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.4, 0.4], "the rate changes only once"),
        ([0.4, 0.4, 0.4, 0.2, 0.2, 0.2, 0.1, 0.1], "t = 0 counts as a multiple of step_size"),
        ([0.8, 0.8, 0.8, 0.4, 0.2, 0.1, 0.05, 0.025], "every step from t = 3 on multiplies"),
    ]
    follows(tt, expect, make, [0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.2, 0.2], why, lr=0.8, mistakes=mistakes)


@exercise("StepLR.get_lr")
def test_step_lr_every_step(tt, expect):
    def make(optimizer, expect):
        return tt.optim.lr_scheduler.StepLR(optimizer, 1), "StepLR(optimizer, step_size=1), gamma 0.1"

    follows(tt, expect, make, [5.0, 0.5, 0.05], "with step_size 1 at each t but 0", lr=5.0)


@exercise("StepLR.get_lr")
def test_step_lr_of_all_groups(tt, expect):
    optimizer = tt.optim.SGD([{"params": [leaf(tt, [1.5])]}, {"params": [leaf(tt, [2.5])], "lr": 3.0}], lr=1.0)
    scheduler = tt.optim.lr_scheduler.StepLR(optimizer, 2, 0.25)
    for _ in range(3):
        optimizer.step()
        scheduler.step()
    expect(rates(optimizer), "rates at t = 3 of StepLR(optimizer, 2, 0.25), from 1 and 3").equals(
        [0.25, 0.75], why="every group, each from its own rate"
    )


@exercise("StepLR.get_lr")
def test_step_lr_acts_beside_others(tt, expect):
    optimizer = tt.optim.SGD([leaf(tt, [1.5])], lr=0.8)
    scheduler = tt.optim.lr_scheduler.StepLR(optimizer, 2, 0.5)
    optimizer.param_groups[0]["lr"] = 0.4
    seen = []
    for _ in range(2):
        optimizer.step()
        scheduler.step()
        seen += rates(optimizer)
    why = "the rate as it is now is multiplied, so that a rate set by hand or by another schedule is kept"
    expect(seen, "rates at t = 1, 2 after the rate was set to 0.4 by hand").equals([0.4, 0.2], why=why)


# LinearLR.get_lr


@exercise(
    "LinearLR.get_lr",
    points=2,
    hints=(
        "What is the factor at t, on a straight line from start_factor at 0 to end_factor at total_iters?",
        "The rates as they are already contain the factor of t - 1. By what must they be multiplied to "
        "contain that of t?",
        "Three cases: t = 0 (start_factor), t > total_iters or where training resumes (1), otherwise the "
        "quotient of two "
        "factors.",
        "factor(t) = start + (end - start) * t / total_iters; return self._scaled(factor(t) / factor(t - 1)).",
    ),
)
def test_linear_warms_up(tt, expect):
    def make(optimizer, expect):
        text = "LinearLR(optimizer, start_factor=0.25, total_iters=3)"
        return tt.optim.lr_scheduler.LinearLR(optimizer, 0.25, total_iters=3), text

    why = "evenly from start_factor to 1 times the initial rate, reached at t = total_iters; constant from there"
    mistakes = [
        (
            [0.2, 0.1, 0.075, 0.075, 0.075, 0.075],
            "the rate of now, which holds factor(t - 1), is multiplied by factor(t)",
        ),
        ([0.8, 1.6, 2.4, 3.2, 3.2, 3.2], "t = 0 leaves the rate as it is, instead of multiplying by start_factor"),
        ([0.2, 0.4, 0.6, 0.6, 0.6, 0.6], "the rise stops one step early, before t = total_iters"),
        ([0.2, 0.4, 0.6, 0.8, 1.0, 1.2], "the rise goes on after total_iters"),
    ]
    follows(tt, expect, make, [0.2, 0.4, 0.6, 0.8, 0.8, 0.8], why, lr=0.8, mistakes=mistakes)


@exercise("LinearLR.get_lr")
def test_linear_goes_down(tt, expect):
    def make(optimizer, expect):
        text = "LinearLR(optimizer, start_factor=1, end_factor=0.5, total_iters=4)"
        return tt.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.5, 4), text

    why = "end_factor is where the line ends"
    follows(tt, expect, make, [0.8, 0.7, 0.6, 0.5, 0.4, 0.4], why, lr=0.8)


@exercise("LinearLR.get_lr")
def test_linear_down_to_nothing(tt, expect):
    def make(optimizer, expect):
        text = "LinearLR(optimizer, start_factor=0.5, end_factor=0, total_iters=2)"
        return tt.optim.lr_scheduler.LinearLR(optimizer, 0.5, 0.0, 2), text

    why = "after total_iters the rate stays, 0 included: factor(t) / factor(t - 1) would be 0 / 0"
    with allowed("LinearLR down to 0, beyond total_iters", why):
        follows(tt, expect, make, [0.4, 0.2, 0.0, 0.0, 0.0], why, lr=0.8)


@exercise("LinearLR.get_lr")
def test_linear_acts_beside_others(tt, expect):
    optimizer = tt.optim.SGD([leaf(tt, [1.5])], lr=0.8)
    first = tt.optim.lr_scheduler.LinearLR(optimizer, 0.5, total_iters=2)
    optimizer.param_groups[0]["lr"] *= 0.5
    optimizer.step()
    first.step()
    why = "the rate as it is now is multiplied by factor(t) / factor(t - 1), so that another schedule's factor is kept"
    expect(rates(optimizer), "rate at t = 1 of LinearLR(0.5, total_iters=2), lr 0.8, halved by somebody else").equals(
        [0.3], why=why
    )


@exercise("LinearLR.get_lr")
def test_linear_resumes(tt, expect):
    optimizer = tt.optim.SGD([leaf(tt, [1.5])], lr=0.6)
    optimizer.param_groups[0]["initial_lr"] = 0.8
    tt.optim.lr_scheduler.LinearLR(optimizer, 0.25, total_iters=3, last_epoch=1)
    why = "a scheduler made to resume (self._begins) finds the rate where it was, and leaves it for this first time"
    expect(rates(optimizer), "rate 0.6 after LinearLR(..., last_epoch=1)").equals([0.6], why=why)


# CosineAnnealingLR.get_lr


def cosine(lr, low, length, count):
    """The formula of the paper at t = 0, ..., count - 1."""
    return [low + (lr - low) * (1 + math.cos(math.pi * t / length)) / 2 for t in range(count)]


@exercise(
    "CosineAnnealingLR.get_lr",
    points=2,
    hints=(
        "As in LinearLR the rate already holds the value of t - 1. What is left of the formula in a quotient "
        "of two values?",
        "lr - eta_min is proportional to 1 + cos(pi t / T_max). The quotient of that at t and at t - 1 takes "
        "(lr - eta_min) one step further.",
        "When 1 + cos is 0 at t - 1 (t - 1 is T_max, 3 T_max, ...) there is no quotient: there the rate is "
        "eta_min, and "
        "the next one is lr + (base - eta_min) (1 + cos(pi t / T_max)) / 2.",
        "Three cases: self._begins (the rates as they are), (t - 1 - T_max) % (2 T_max) == 0, and the quotient: "
        "now / before * (lr - eta_min) + eta_min.",
    ),
)
def test_cosine_goes_down(tt, expect):
    def make(optimizer, expect):
        return tt.optim.lr_scheduler.CosineAnnealingLR(optimizer, 4), "CosineAnnealingLR(optimizer, T_max=4)"

    why = "lr (1 + cos(pi t / T_max)) / 2: slow at first, fast in the middle, slow at the end"
    high = 2 / (1 + math.cos(math.pi / 4))
    mistakes = [
        (cosine(0.8, 0, 8, 5), "the angle is pi t / (2 T_max): the rate comes down half as far"),
        ([high * rate for rate in cosine(0.8, 0, 4, 5)], "t = 0 is multiplied too: there the rate stays as it is"),
        ([0.4 * (1 + math.cos(180 * t / 4)) for t in range(5)], "the angle is in degrees: math.cos wants pi, not 180"),
    ]
    follows(tt, expect, make, cosine(0.8, 0, 4, 5), why, lr=0.8, mistakes=mistakes)


@exercise("CosineAnnealingLR.get_lr")
def test_cosine_stops_at_eta_min(tt, expect):
    def make(optimizer, expect):
        text = "CosineAnnealingLR(optimizer, T_max=5, eta_min=0.2)"
        return tt.optim.lr_scheduler.CosineAnnealingLR(optimizer, 5, 0.2), text

    why = "eta_min is the lowest point: the cosine acts on lr - eta_min"
    follows(tt, expect, make, cosine(0.8, 0.2, 5, 6), why, lr=0.8)


@exercise("CosineAnnealingLR.get_lr", points=2)
def test_cosine_comes_up_again(tt, expect):
    for low in (0.0, 0.2):

        def make(optimizer, expect, low=low):
            text = f"CosineAnnealingLR(optimizer, T_max=3, eta_min={low})"
            return tt.optim.lr_scheduler.CosineAnnealingLR(optimizer, 3, low), text

        why = "after T_max the cosine rises again; just after the lowest point the quotient is x / 0: a case of its own"
        with allowed("CosineAnnealingLR beyond T_max", why):
            follows(tt, expect, make, cosine(0.8, low, 3, 12), why, lr=0.8)


@exercise("CosineAnnealingLR.get_lr")
def test_cosine_acts_beside_others(tt, expect):
    optimizer = tt.optim.SGD([leaf(tt, [1.5])], lr=0.8)
    scheduler = tt.optim.lr_scheduler.CosineAnnealingLR(optimizer, 2)
    optimizer.param_groups[0]["lr"] = 0.4
    optimizer.step()
    scheduler.step()
    why = "the rate as it is now is taken further, so that another schedule's factor is kept: half of 0.4"
    expect(
        [float(rate) for rate in rates(optimizer)], "rate at t = 1 of T_max=2, lr 0.8 halved by somebody else"
    ).equals([0.2], why=why)


@exercise("CosineAnnealingLR.get_lr")
def test_cosine_of_all_groups(tt, expect):
    optimizer = tt.optim.SGD([{"params": [leaf(tt, [1.5])]}, {"params": [leaf(tt, [2.5])], "lr": 3.0}], lr=1.0)
    scheduler = tt.optim.lr_scheduler.CosineAnnealingLR(optimizer, 2, 0.5)
    expect(
        rates(optimizer), "rates at t = 0 of CosineAnnealingLR(optimizer, T_max=2, eta_min=0.5), from 1 and 3"
    ).equals([1.0, 3.0], why="at t = 0 the rates are the initial ones")
    optimizer.step()
    scheduler.step()
    expect([float(rate) for rate in rates(optimizer)], "rates at t = 1 of T_max=2, eta_min=0.5, from 1 and 3").equals(
        [0.75, 1.75], why="each group from its own rate to eta_min"
    )

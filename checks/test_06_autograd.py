"""Checks of module 06, Autograd, in the order of the lesson.

A check of one exercise uses only that exercise, earlier ones, and what the package gives. Gradients are asked for by
`backward(g)` with an unequal g, so that a gradient that forgets g, or mixes up its rows, cannot pass; values are
literals, or differences (f(x + eps) - f(x - eps)) / (2 eps) of the library's own forward in float64.
"""

import functools
import gc
import math
import sys
import weakref

import numpy as np

from checks import CheckFailed, exercise

A = np.array([[1.5, -2.0, 3.0], [4.0, 0.5, -6.0]])
B = np.array([[0.25, 5.0, -7.0], [-2.0, 8.0, 3.5]])
G = np.array([[1.0, -2.0, 0.5], [3.0, 4.0, -1.5]])
CUBE = np.arange(30.0).reshape(2, 3, 5) * 7 % 31 / 8 - 1.7  # unsorted, unequal, none is 0
POSITIVE = np.abs(A) + 0.25
EPS = 1e-6


def f32(values):
    """A float32 array."""
    return np.array(values, np.float32)


def leaf(tt, values, dtype="float32"):
    """A tensor that wants a gradient."""
    return tt.tensor(np.array(values, dtype), requires_grad=True)


def graph_of(tt):
    """The library's graph.py; None for PyTorch."""
    return sys.modules.get(f"{tt.__name__}.graph")


def spread(shape):
    """Unequal numbers for the gradient of an output of this shape."""
    return (np.arange(float(np.prod(shape, dtype=int))).reshape(shape) * 5 % 13 - 5.5) / 2


def back(call, out, gradient=None, why="", **options):
    """Run `out.backward`; an error in it is told as one of `call`."""
    try:
        out.backward(gradient, **options)
    except NotImplementedError:
        raise
    except (RuntimeError, ValueError, TypeError, IndexError, KeyError, AttributeError) as error:
        raise CheckFailed(call, "gradients", f"{type(error).__name__}: {error}", "", why) from error


def gives(tt, expect, call, function, arrays, g, wanted, why, dtype="float32", known=(), broken=""):
    """The gradients of function(*arrays), started with g, must be `wanted`.

    why: the rule to derive, not the formula. known: pairs (words, the gradient that a well-known mistake gives);
    broken: the why when backward raises or returns a wrong shape.
    """
    leaves = [leaf(tt, array, dtype) for array in arrays]
    back(call, function(*leaves), tt.tensor(np.array(g, dtype)), broken or why)
    wanted = [np.array(want, dtype) for want in wanted]
    for i, (x, want) in enumerate(zip(leaves, wanted, strict=True)):
        compare(expect, x, f"gradient of {'abcdef'[i]} in {call}", want, wanted, g, why, known)


def compare(expect, x, name, want, wanted, g, why, known=(), **tolerance):
    """x.grad must be want; where it is a well-known other thing, the message says which."""
    if x.grad is None:
        raise CheckFailed(name, f"{want.tolist()}", "None: no gradient arrived", "", why)
    told = mistake(x.grad.detach().numpy(), want, wanted, np.asarray(g, want.dtype), known)
    expect(x.grad, name).equals(want, why=f"{told}; {why}" if told else why, **tolerance)


def mistake(got, want, wanted, g, known=()):
    """Words for what is wrong with a gradient, as far as numbers can tell; "" when they cannot."""

    def is_(other):
        return got.shape == np.shape(other) and np.allclose(got, other, 1e-4, 1e-6)

    if got.shape != want.shape or not np.isfinite(got).all() or not np.isfinite(want).all() or is_(want):
        return ""
    with np.errstate(all="ignore"):
        for words, other in known:
            if is_(other):
                return words
        if not got.any():
            return "nothing but zeros arrived"
        if is_(-want):
            return "the sign is the wrong way round"
        if any(is_(other) for other in wanted if other is not want):
            return "this is the gradient of the other input"
        if (g.shape == want.shape or g.size == 1) and g.all() and is_(want / g):
            return "g is missing: the slope must be multiplied by it"
        if g.shape == want.shape and g.all() and is_(want / g + g):
            return "g was added to the slope, which must be multiplied by it"
        if is_(g):
            return "g went through as it is: the slope is missing"
        if want.any() and is_(want * (factor := np.median(got[want != 0] / want[want != 0]))):
            return f"this is {factor:.3g} times the gradient"
    return ""


def slopes(tt, function, arrays, place, g):
    """Gradient of sum(g * function(*arrays)) with respect to arrays[place], by differences in float64."""
    found = np.zeros(arrays[place].shape)
    for at in np.ndindex(found.shape):
        ends = []
        for step in (EPS, -EPS):
            moved = [np.array(array, np.float64) for array in arrays]
            moved[place][at] += step
            ends.append(float((function(*map(tt.tensor, moved)).detach().numpy() * g).sum()))
        found[at] = (ends[0] - ends[1]) / (2 * EPS)
    return found


def differs(name, call, function, *arrays, points=1, known=None):
    """A check: the gradients agree with differences of the forward, at every element, in float64.

    known: from g and the arrays, the pairs that `gives` takes.
    """

    @exercise(name, points=points)
    def check(tt, expect):
        leaves = [leaf(tt, array, "float64") for array in arrays]
        out = function(tt)(*leaves)
        g = spread(tuple(out.shape))
        why = "nudge one element by 0.000001 up and down and see how the output moves: backward must say the same"
        back(call, out, tt.tensor(g), why)
        wanted = [slopes(tt, function(tt), arrays, i, g) for i in range(len(leaves))]
        for i, (x, want) in enumerate(zip(leaves, wanted, strict=True)):
            name = f"gradient of {'abcdef'[i]} in {call}"
            found = known(g, *arrays) if known else ()
            compare(expect, x, name, want, wanted, g, why, found, rtol=1e-4, atol=1e-6)

    return check


def hands_off(name, call, function, *arrays):
    """A check: backward changes neither g nor what the node keeps, so that it can run twice."""

    @exercise(name)
    def check(tt, expect):
        leaves = [leaf(tt, array) for array in arrays]
        out = function(tt)(*leaves)
        g = tt.tensor(f32(spread(tuple(out.shape))))
        why = "g belongs to others too: a gradient is a new array, never g changed in place"
        with expect.unchanged(g, f"g after the backward of {call}", why=why):
            back(call, out, g, retain_graph=True)
        first = [None if x.grad is None else x.grad.detach().numpy().copy() for x in leaves]
        back(call, out, g)
        why = "with retain_graph=True backward runs again and gives the same again: leave what the node keeps as it is"
        for i, (x, once) in enumerate(zip(leaves, first, strict=True)):
            if once is None or x.grad is None:
                raise CheckFailed(f"gradient of {'abcdef'[i]} in {call}", "a gradient", "None", "", why)
            expect(x.grad, f"gradient of {'abcdef'[i]} after two backward passes of {call}").equals(2 * once, why=why)

    return check


class Stops:
    """Makes ops for the checks of the engine, whose backward is written here."""

    def __init__(self, tt):
        log = self.log = []

        class Double(tt.Function):
            """out = 2 a."""

            def forward(ctx, a):
                return a * 2

            def backward(ctx, g):
                log.append("Double")
                return g * 2

        class Both(tt.Function):
            """out = a + 3 b, and it keeps its inputs."""

            saves = "inputs"

            def forward(ctx, a, b):
                return a + 3 * b

            def backward(ctx, g):
                log.append("Both")
                return g, 3 * g

        self.double, self.both = Double.apply, Both.apply


# record


@exercise(
    "record",
    points=3,
    torch=False,
    hints=(
        "First: when is there nothing to note? Then: what does the node need, and what does the output?",
        "`edge_of(x)` is an input's edge, or None. If grad mode is off, or every edge is None, or the output holds "
        "ints, return without a trace.",
        "The node gets `edges`, `needs_input_grad` (a bool for each), `shapes` (of all inputs, `()` for a number), "
        "and the `shape` and `dtype` of the output's array. `ctx.save(inputs, output)` when `ctx.saves` is not empty.",
        "Last, the output: `output.grad_fn = ctx` and `output._requires_grad = True`.",
    ),
)
def test_record_ties_output_to_node(tt, expect):
    ops, x = Stops(tt), leaf(tt, A)
    y = ops.double(x)
    why = "the output remembers the node that made it: set output.grad_fn"
    expect(type(y.grad_fn).__name__, "type of y.grad_fn, y = Double.apply(x)").equals("Double", why=why)
    expect(y.requires_grad, "y.requires_grad").equals(True, why="what is made from x wants a gradient, as x does")
    why = "x was made by no operation: record changes the output and the node, never the inputs"
    expect(x.grad_fn, "x.grad_fn").equals(None, why=why)
    z = ops.double(y)
    why = "one edge for each input: (what made the input, number of the output)"
    expect(len(z.grad_fn.edges), "number of edges of z.grad_fn, z = Double.apply(y)").equals(1, why=why)
    expect(z.grad_fn.edges[0][0], "z.grad_fn.edges[0][0]").is_(y.grad_fn, why=why)
    why = "x is a leaf: its edge leads to x itself"
    expect(y.grad_fn.edges[0][0], "y.grad_fn.edges[0][0]").is_(x, why=why)


@exercise("record", points=2, torch=False)
def test_record_notes_which_inputs_want_a_gradient(tt, expect):
    ops, x, c = Stops(tt), leaf(tt, A), tt.tensor(f32(B[0]))
    node = ops.both(c, x).grad_fn
    why = "an input that wants no gradient has None for an edge, and keeps its place"
    expect([edge is None for edge in node.edges], "which edges are None, Both.apply(c, x)").equals(
        [True, False], why=why
    )
    why = "a bool for each input, in their order"
    expect(list(node.needs_input_grad), "needs_input_grad of Both.apply(c, x)").equals([False, True], why=why)
    why = "backward asks for the shapes of all inputs, wanted or not"
    expect([tuple(s) for s in node.shapes], "shapes of Both.apply(c, x)").equals([(3,), (2, 3)], why=why)
    node = ops.both(x, 2.0).grad_fn
    why = "a number has no dimensions, so its shape is ()"
    expect([tuple(s) for s in node.shapes], "shapes of Both.apply(x, 2.0)").equals([(2, 3), ()], why=why)
    why = "the shape and dtype of the output's array: those of the gradient that will arrive"
    expect(tuple(node.shape), "shape of the node").equals((2, 3), why=why)
    expect(str(node.dtype), "dtype of the node").equals("float32", why=why)


@exercise("record", torch=False)
def test_record_keeps_what_backward_needs(tt, expect):
    ops, x, y = Stops(tt), leaf(tt, A), leaf(tt, B)
    node = ops.both(x, y).grad_fn
    why = 'Both says saves = "inputs": call ctx.save(inputs, output)'
    expect(len(node.inputs), "number of arrays that the node of Both.apply(x, y) keeps").equals(2, why=why)
    expect(node.inputs[1], "the second of them").equals(f32(B), why=why)

    class Kept(tt.Function):
        saves = "output"

        def forward(ctx, a):
            return a * 2

    why = 'Kept says saves = "output": ctx.save(inputs, output) keeps what forward returned'
    expect(Kept.apply(x).grad_fn.output, "output that the node of Kept.apply(x) keeps").equals(f32(2 * A), why=why)
    node = ops.double(x).grad_fn
    why = "Double saves nothing, so its node keeps no array alive"
    expect(len(node.inputs), "number of arrays that the node of Double.apply(x) keeps").equals(0, why=why)


@exercise("record", points=2, torch=False)
def test_record_leaves_no_trace_without_need(tt, expect):
    ops, c = Stops(tt), tt.tensor(f32(A))
    why = "no input wants a gradient: nothing to record, nothing kept alive"
    expect(ops.double(c).grad_fn, "Double.apply(c).grad_fn, c without requires_grad").equals(None, why=why)
    mode, x = graph_of(tt).GradMode, leaf(tt, A)
    mode.enabled = False
    try:
        y = ops.double(x)
    finally:
        mode.enabled = True
    why = "GradMode.enabled is False: somebody asked not to record"
    expect(y.requires_grad, "requires_grad of a result made while GradMode.enabled was False").equals(False, why=why)

    class Sign(tt.Function):
        def forward(ctx, a):
            return (a > 0).astype(np.int64)

    why = "ints cannot change a little: an output that is no float has no gradient"
    expect(Sign.apply(x).requires_grad, "requires_grad of an int64 result").equals(False, why=why)


# topological_order


@exercise(
    "topological_order",
    points=4,
    torch=False,
    hints=(
        "A node may be passed on only when all that use it come before it. Walking depth first, when do you know that "
        "everything below a node has been found?",
        "A node that is noted after everything it leads to comes out last; turn the list around at the end.",
        "Recursion would need 10,000 calls inside each other. Keep your own stack of pairs (target, finished): "
        "the first time a target is popped, push it again as finished, and on top what it leads to.",
        "A set of `id`s, filled when a target is popped for the first time, keeps shared nodes from coming twice. "
        "A leaf (a `TensorBase`) has no `edges`, and an edge may be None.",
    ),
)
def test_order_of_a_chain(tt, expect):
    ops, x = Stops(tt), leaf(tt, A)
    y = ops.double(x)
    z = ops.double(y)
    order = graph_of(tt).topological_order([z.grad_fn])
    why = "every node and the leaf at the end, the start first"
    expect(order, "topological_order([z.grad_fn])").is_instance(list, why="a list, from the targets to the leaves")
    expect(
        [id(t) for t in order] == [id(z.grad_fn), id(y.grad_fn), id(x)], "is the order z.grad_fn, y.grad_fn, x"
    ).equals(True, why=why)


@exercise("topological_order", points=3, torch=False)
def test_order_of_a_diamond(tt, expect):
    ops, x = Stops(tt), leaf(tt, A)
    y = ops.double(x)
    far = ops.double(ops.double(y))
    for name, z in (("z = both(y, far)", ops.both(y, far)), ("z = both(far, y)", ops.both(far, y))):
        order = graph_of(tt).topological_order([z.grad_fn])
        place = {id(target): i for i, target in enumerate(order)}
        why = "y is used twice and stands in the list once"
        expect(len(order), f"number of targets, {name}").equals(5, why=why)
        why = "y gets gradients from both of its users, so it comes after both, however long the way to it"
        expect(place[id(y.grad_fn)] > place[id(far.grad_fn)], f"does y.grad_fn come after far.grad_fn, {name}").equals(
            True, why=why
        )
        expect(place[id(x)], f"place of the leaf x, {name}").equals(4, why="the leaf comes last: all lead to it")


@exercise("topological_order", points=2, torch=False)
def test_order_of_a_very_deep_graph(tt, expect):
    ops, x = Stops(tt), leaf(tt, [0.0])
    y = x
    for _ in range(10_000):
        y = ops.double(y)
    call = "topological_order of a chain of 10,000 nodes"
    why = "a function that calls itself runs out of stack: keep a list of your own as the stack"
    try:
        order = graph_of(tt).topological_order([y.grad_fn])
    except RecursionError as error:
        raise CheckFailed(call, "10,001 targets", "RecursionError", "", why) from error
    expect(len(order), call).equals(10_001, why=why)


class Counted:
    """Stands for a node; complains when it is asked for its edges again and again."""

    def __init__(self, edges, asked):
        self._edges, self.asked = edges, asked

    @property
    def edges(self):
        self.asked.append(self)
        if len(self.asked) > 400:
            why = "there are 2 ** 18 paths and 19 targets: remember what was seen, or the walk takes all paths"
            call = "topological_order of 18 nodes, each used twice by the next"
            raise CheckFailed(call, "each node is visited once", "the edges of nodes were asked for 400 times", "", why)
        return self._edges


@exercise("topological_order", points=2, torch=False)
def test_order_visits_shared_nodes_once(tt, expect):
    node, asked = leaf(tt, [1.0]), []
    for _ in range(18):
        node = Counted(((node, 0), (node, 0)), asked)
    order = graph_of(tt).topological_order([node])
    why = "there are 2 ** 18 paths and 19 targets: each comes once"
    expect(len(order), "length of topological_order of 18 nodes, each used twice by the next").equals(19, why=why)


@exercise("topological_order", torch=False)
def test_order_of_several_targets(tt, expect):
    ops, x, c = Stops(tt), leaf(tt, [1.0]), tt.tensor([2.0])
    y = ops.both(x, c)
    z = ops.double(y)
    order = graph_of(tt).topological_order([y.grad_fn, z.grad_fn])
    why = "several starts make one order, and a start may lead to another: z comes before y"
    expect([id(t) for t in order] == [id(z.grad_fn), id(y.grad_fn), id(x)], "is the order z, y, x").equals(
        True, why=why
    )
    order = graph_of(tt).topological_order([x])
    expect(len(order), "length of topological_order([x]), x a leaf").equals(
        1, why="a leaf leads to nothing, itself counts"
    )


# unbroadcast


@exercise(
    "unbroadcast",
    points=2,
    torch=False,
    hints=(
        "An element that was used four times gets four gradients. What happens to them?",
        "Two kinds of dimensions are summed: those in front that the shape does not have, and those where the shape "
        "says 1 and the gradient says more.",
        "`extra = grad.ndim - len(shape)`; dimension i of the shape is dimension `extra + i` of the gradient.",
        "Sum over the tuple of all these dimensions, then `.reshape(shape)` puts the 1s back. Before that, raise "
        "RuntimeError with both shapes if extra is negative or a size is neither 1 nor the gradient's.",
    ),
)
def test_unbroadcast_sums_what_was_stretched(tt, expect):
    unbroadcast = graph_of(tt).unbroadcast
    why = "the row was used for both rows, so it gets the sum of both gradients"
    expect(unbroadcast(G, (3,)), "unbroadcast(g, (3,)), g (2, 3)").equals(np.array([4.0, 2.0, -1.0]), why=why)
    why = "the column was used for all three columns: sum along the rows, and keep the size 1"
    expect(unbroadcast(G, (2, 1)), "unbroadcast(g, (2, 1)), g (2, 3)").equals(np.array([[-0.5], [5.5]]), why=why)
    why = "a size of 1 in front is summed but stays"
    expect(unbroadcast(G, (1, 3)), "unbroadcast(g, (1, 3)), g (2, 3)").equals(np.array([[4.0, 2.0, -1.0]]), why=why)


@exercise("unbroadcast", torch=False)
def test_unbroadcast_both_kinds_at_once(tt, expect):
    got = graph_of(tt).unbroadcast(CUBE, (3, 1))
    why = "the first dimension was added, the last one stretched: sum over both"
    expect(got, "unbroadcast(g, (3, 1)), g (2, 3, 5)").equals(CUBE.sum((0, 2))[:, None], why=why)
    got = graph_of(tt).unbroadcast(CUBE, ())
    why = "a number was used for all elements: the sum of all, without dimensions"
    expect(np.asarray(got), "unbroadcast(g, ()), g (2, 3, 5)").equals(np.array(CUBE.sum()), why=why)


@exercise("unbroadcast", torch=False)
def test_unbroadcast_without_stretching(tt, expect):
    got = graph_of(tt).unbroadcast(G, (2, 3))
    expect(got, "unbroadcast(g, (2, 3)), g (2, 3)").equals(G, why="equal shapes: nothing to sum")
    one = G[:1, :1]
    expect(graph_of(tt).unbroadcast(one, (1, 1)), "unbroadcast(g, (1, 1)), g (1, 1)").equals(
        one, why="1 was not stretched"
    )
    none = np.zeros((0, 3))
    why = "a 1 that was stretched to 0 elements got no gradient: the sum of none is 0"
    expect(graph_of(tt).unbroadcast(none, (1, 3)), "unbroadcast(g, (1, 3)), g (0, 3)").equals(np.zeros((1, 3)), why=why)


@exercise("unbroadcast", torch=False)
def test_unbroadcast_refuses_what_cannot_be(tt, expect):
    for shape in ((2,), (3, 3), (1, 2, 3)):
        why = "no broadcasting leads from that shape to this gradient: say so, naming both"
        call = f"unbroadcast(g, {shape}), g (2, 3)"
        with expect.raises(RuntimeError, call=call, mentions=("(2, 3)", str(shape)), why=why):
            graph_of(tt).unbroadcast(G, shape)


# add_to_leaf


@exercise(
    "add_to_leaf",
    torch=False,
    hints=(
        "What is in `leaf.grad` before the first gradient arrives?",
        "The first time: a new tensor, `leaf._wrap(...)` of a copy. Later: add to the numbers that are there.",
        "`np.array(grad, leaf.array.dtype)` copies and converts. `leaf.grad.array[...] += grad` adds in place.",
    ),
)
def test_leaf_gets_its_first_gradient(tt, expect):
    x = leaf(tt, A)
    graph_of(tt).add_to_leaf(x, f32(G))
    why = "the first gradient becomes x.grad, a tensor"
    expect(x.grad, "x.grad after add_to_leaf(x, g)").is_instance(tt.Tensor, why=why).equals(f32(G), why=why)


@exercise("add_to_leaf", points=2, torch=False)
def test_leaf_adds_up(tt, expect):
    x = leaf(tt, A)
    graph_of(tt).add_to_leaf(x, f32(G))
    first = x.grad
    graph_of(tt).add_to_leaf(x, f32(B))
    why = "a second gradient is added to the first, it does not replace it"
    expect(x.grad, "x.grad after two gradients, g and h").equals(f32(G + B), why=why)
    expect(x.grad, "x.grad").is_(first, why="added in place: no second tensor for the gradient of a large weight")


@exercise("add_to_leaf", points=2, torch=False)
def test_leaf_copies_the_gradient(tt, expect):
    x, y, g = leaf(tt, A), leaf(tt, B), f32(G)
    add = graph_of(tt).add_to_leaf
    add(x, g)
    add(y, g)
    add(x, g)
    why = "x and y got the same array (as from an addition): copy it, or adding to one changes the other"
    expect(y.grad, "y.grad after a second gradient arrived at x").equals(f32(G), why=why)
    expect(g, "g itself").equals(f32(G), why=why)


@exercise("add_to_leaf", torch=False)
def test_leaf_keeps_its_dtype(tt, expect):
    x = leaf(tt, A)
    graph_of(tt).add_to_leaf(x, G)
    why = "a gradient has the dtype of what it belongs to"
    expect(x.grad, "x.grad of a float32 leaf after a float64 gradient").has_dtype("float32", why=why)
    graph_of(tt).add_to_leaf(x, G)
    expect(x.grad, "x.grad after a second one").has_dtype("float32", why=why).equals(f32(2 * G), why=why)


# walk


@exercise(
    "walk",
    points=4,
    torch=False,
    hints=(
        "When is a node's gradient complete, so that it may be passed on?",
        "For each target in order: take out what `arrived`. If nothing did, go on. A leaf (`TensorBase`) is handed to "
        "`add_to_leaf` and done.",
        "A node: `zip(target.edges, input_grads(target, grads))`. Where neither is None, `fit(target, edge[0], grad)`, "
        "then put it in `pending[edge]`: added to what is there, or as the first. After all edges, release.",
        "Add with `pending[edge] = pending[edge] + grad`, never `+=`: the array may belong to another edge as well.",
    ),
)
def test_walk_along_a_chain(tt, expect):
    ops, x = Stops(tt), leaf(tt, A)
    y = ops.double(ops.double(x))
    back("y.backward(g), y = double(double(x))", y, tt.tensor(f32(G)))
    why = "g goes through two nodes, each of which doubles it, and ends in x.grad"
    expect(x.grad, "x.grad, y = double(double(x))").equals(f32(4 * G), why=why)
    expect(ops.log, "backward methods that ran").equals(["Double", "Double"], why="each node runs once")


@exercise("walk", points=4, torch=False)
def test_walk_adds_up_before_it_goes_on(tt, expect):
    ops, x = Stops(tt), leaf(tt, A)
    y = ops.double(x)
    z = ops.both(y, ops.double(y))
    back("z.backward(g), y = double(x), z = y + 3 * double(y)", z, tt.tensor(f32(G)))
    why = "y was used twice: gradients that arrive add up, g + 6 g, before y passes them on"
    expect(x.grad, "x.grad, y = double(x), z = y + 3 * double(y)").equals(f32(14 * G), why=why)
    why = "a node runs once, when all its gradients have arrived"
    expect(ops.log.count("Double"), "how often Double.backward ran").equals(2, why=why)
    x = leaf(tt, A)
    back("both(x, x).backward(g)", ops.both(x, x), tt.tensor(f32(G)))
    expect(x.grad, "x.grad, both(x, x)").equals(f32(4 * G), why="a leaf that is used twice gets g + 3 g")


@exercise("walk", points=2, torch=False)
def test_walk_does_not_change_arrays_of_others(tt, expect):
    class Same(tt.Function):
        def forward(ctx, a, b):
            return a + b

        def backward(ctx, g):
            return g, g

    x, y = leaf(tt, A), leaf(tt, B)
    u = Stops(tt).double(x)
    z = Same.apply(Same.apply(u, y), u)
    g = tt.tensor(f32(G))
    with expect.unchanged(g, "g after z.backward(g)", why="g belongs to the caller: add with a + b, not with +="):
        back("z.backward(g), z = (u + y) + u", z, g)
    why = "an addition sends one array along two edges: `+=` on it would change what the other edge carries"
    expect(y.grad, "y.grad, z = (u + y) + u").equals(f32(G), why=why)
    expect(x.grad, "x.grad, u = double(x), z = (u + y) + u").equals(f32(4 * G), why=why)


@exercise("walk", torch=False)
def test_walk_leaves_out_what_wants_nothing(tt, expect):
    class Half(tt.Function):
        def forward(ctx, a, b):
            return a + b

        def backward(ctx, g):
            return None, g

    ops, x, y = Stops(tt), leaf(tt, A), leaf(tt, B)
    z = Half.apply(ops.double(y), ops.both(tt.tensor(f32(B)), x))
    back("z.backward(g), backward of z gives None for its first input", z, tt.tensor(f32(G)))
    why = "the edge of a constant, and a gradient, may be None: skip that one and go on with the others"
    if x.grad is None:
        raise CheckFailed("x.grad, z = Half(double(y), both(c, x))", f"{(3 * G).tolist()}", "None", "", why)
    expect(x.grad, "x.grad, z = Half(double(y), both(c, x))").equals(f32(3 * G), why=why)
    expect(y.grad, "y.grad").equals(None, why="None stands for no gradient: nothing is sent along this edge")
    expect(ops.log, "backward methods that ran").equals(["Both"], why="a node that nothing arrived at does not run")


@exercise("walk", points=2, torch=False)
def test_walk_releases_what_it_passed(tt, expect):
    ops, x, y = Stops(tt), leaf(tt, A), leaf(tt, B)
    z = ops.both(x, y)
    back("z.backward(g, retain_graph=True)", z, tt.tensor(f32(G)), retain_graph=True)
    why = "retain_graph=True: what the nodes keep stays, for a second pass"
    expect(len(z.grad_fn._inputs), "arrays kept after backward with retain_graph=True").equals(2, why=why)
    back("a second z.backward(g)", z, tt.tensor(f32(G)), why=why)
    expect(x.grad, "x.grad after two passes").equals(f32(2 * G), why="the second pass adds to the first")
    why = "a node that has run drops its arrays: target.release(), unless retain_graph"
    expect(len(z.grad_fn._inputs), "arrays kept after backward").equals(0, why=why)
    with expect.raises(RuntimeError, call="a third z.backward(g)", why=why):
        z.backward(tt.tensor(f32(G)))


@exercise("walk", torch=False)
def test_walk_fits_gradients_into_shape(tt, expect):
    ops, row, x = Stops(tt), leaf(tt, B[0]), leaf(tt, A)
    back("both(row, x).backward(g), shapes (3,) and (2, 3)", ops.both(row, x), tt.tensor(f32(G)))
    why = "row was stretched over both rows: `fit` sums its gradient by your unbroadcast"
    expect(row.grad, "row.grad").equals(f32([4.0, 2.0, -1.0]), why=why)


# Add.backward


@exercise(
    "Add.backward",
    hints=(
        "If a grows by a little, by how much does a + b grow?",
        "Neither input has more influence than the other, and a sum divides nothing among its inputs.",
        "Each gets g as it is: return a pair. The engine sums what was broadcast.",
    ),
)
def test_add_passes_g_on(tt, expect):
    why = "nudge one input alone: by how much does a + b grow? That slope, for each of the two, times g"
    gives(tt, expect, "a + b", lambda a, b: a + b, (A, B), G, (G, G), why)


@exercise("Add.backward")
def test_add_broadcasts(tt, expect):
    why = "b was stretched over the rows; the engine sums its gradient, so backward need not undo that"
    gives(tt, expect, "a + b, shapes (2, 3) and (3,)", lambda a, b: a + b, (A, B[0]), G, (G, G.sum(0)), why)


@exercise("Add.backward")
def test_add_shared(tt, expect):
    why = "a stands on both sides and gets a gradient from each, which the engine adds up"
    gives(tt, expect, "a + a", lambda a: a + a, (A,), G, (2 * G,), why)


test_add_hands_off = hands_off("Add.backward", "a + b", lambda tt: lambda a, b: a + b, A, B)
test_add_differences = differs("Add.backward", "a + b + a", lambda tt: lambda a, b: a + b + a, CUBE, CUBE[0, :, :1])


# Sub.backward


@exercise(
    "Sub.backward",
    hints=(
        "As for Add. What is different for b?",
        "If b grows, a - b shrinks by as much: the second gradient is g with its sign changed.",
    ),
)
def test_sub_values(tt, expect):
    why = "nudge each input alone: does a - b grow or shrink, and by how much?"
    gives(tt, expect, "a - b", lambda a, b: a - b, (A, B), G, (G, -G), why)


@exercise("Sub.backward")
def test_sub_reflected(tt, expect):
    why = "in 1 - a the tensor is the second operand: does 1 - a grow when a does?"
    gives(tt, expect, "1 - a", lambda a: 1 - a, (A,), G, (-G,), why)


@exercise("Sub.backward")
def test_sub_of_itself(tt, expect):
    why = "a - a is always 0, so a has no influence: its two gradients must cancel"
    gives(tt, expect, "a - a", lambda a: a - a, (A,), G, (np.zeros_like(G),), why)


test_sub_hands_off = hands_off("Sub.backward", "a - b", lambda tt: lambda a, b: a - b, A, B[0])


# Neg.backward


@exercise(
    "Neg.backward",
    hints=("-a is 0 - a: you have this already.", "One input, so one gradient: the second one of Sub."),
)
def test_neg_values(tt, expect):
    gives(tt, expect, "-a", lambda a: -a, (A,), G, (-G,), "-a falls as a grows, and by as much")


@exercise("Neg.backward")
def test_neg_twice(tt, expect):
    gives(tt, expect, "-(-a)", lambda a: (-a).neg(), (A,), G, (G,), "two changes of sign cancel: g comes back")


@exercise("Neg.backward")
def test_neg_and_itself(tt, expect):
    gives(
        tt,
        expect,
        "a + (-a)",
        lambda a: a + (-a),
        (A,),
        G,
        (np.zeros_like(G),),
        "a + (-a) is 0 for any a, so its two gradients cancel; g changed in place reaches the other operand, too",
    )


test_neg_hands_off = hands_off("Neg.backward", "-a", lambda tt: lambda a: -a, A)


# Mul.backward


@exercise(
    "Mul.backward",
    hints=(
        "The area of a rectangle a by b: make a longer by a little. By how much does the area grow?",
        "By that little times b. So a's gradient contains b, and b's contains a. Where are a and b now?",
        "`a, b = ctx.inputs`; each gradient is g times the other one.",
    ),
)
def test_mul_values(tt, expect):
    why = "think of the rectangle: make one side longer by a little, and see how long the new strip is"
    gives(tt, expect, "a * b", lambda a, b: a * b, (A, B), G, (G * B, G * A), why)


@exercise("Mul.backward")
def test_mul_square(tt, expect):
    why = "a * a: a is both inputs, and the engine adds up its two gradients"
    gives(tt, expect, "a * a", lambda a: a * a, (A,), G, (2 * A * G,), why)


@exercise("Mul.backward")
def test_mul_number_and_broadcast(tt, expect):
    gives(tt, expect, "a * 2.5", lambda a: a * 2.5, (A,), G, (2.5 * G,), "a number is an input as well: it is the b")
    why = "b is one column: its gradient is summed along the rows, by the engine"
    want = (G * B[:, :1], (G * A).sum(1, keepdims=True))
    gives(tt, expect, "a * b, shapes (2, 3) and (2, 1)", lambda a, b: a * b, (A, B[:, :1]), G, want, why)


test_mul_hands_off = hands_off("Mul.backward", "a * b", lambda tt: lambda a, b: a * b, A, B)
test_mul_differences = differs("Mul.backward", "a * b * a", lambda tt: lambda a, b: a * b * a, A, B[0])


# Div.backward


@exercise(
    "Div.backward",
    points=2,
    hints=(
        "For a it is a multiplication by 1 / b. For b: what is the slope of 1 / b?",
        "Write a / b as a * b^-1 and take the slope of b^-1, -1 * b^-2. Mind the sign and the square.",
        "The gradients are g / b, and -g times a / b, divided by b once more.",
    ),
)
def test_div_values(tt, expect):
    why = "derive it from a * b^-1: the slope of a product for a, and that of b^-1 for b"
    known = (
        ("this is the slope of a product: in a quotient, a large b makes every nudge of a smaller", G * B),
        ("b is missing below the line: the slope of b^-1 has a square in it", -G * A / B),
        ("the numerator is missing: a nudge of b counts a times", -G / B**2),
    )
    gives(tt, expect, "a / b", lambda a, b: a / b, (A, B), G, (G / B, -G * A / B**2), why, known=known)


@exercise("Div.backward")
def test_div_reflected(tt, expect):
    why = "2 / a: the number is the first input, and the tensor the second"
    gives(tt, expect, "2 / a", lambda a: 2 / a, (A,), G, (-2 * G / A**2,), why)


@exercise("Div.backward")
def test_div_by_itself(tt, expect):
    why = "a / a is always 1: its two gradients must cancel"
    gives(tt, expect, "a / a", lambda a: a / a, (A,), G, (np.zeros_like(G),), why)


test_div_hands_off = hands_off("Div.backward", "a / b", lambda tt: lambda a, b: a / b, A, B)
test_div_differences = differs("Div.backward", "a / b", lambda tt: lambda a, b: a / b, A, B[0])


# Pow.backward


@exercise(
    "Pow.backward",
    points=2,
    hints=(
        "Two different rules: for the base a power rule, for the exponent an exponential one.",
        "The text has both slopes. Each is worked out only if `ctx.needs_input_grad` asks for it; else it is None.",
        "Where b is 0 the output is 1 whatever a is: 0, even where a^(b-1) is infinite. Where a is 0 and b >= 0, "
        "the gradient of b is 0 although log(0) is not.",
        "dL/da = g b a^(b-1) and dL/db = g a^b log(a), the first inside `np.where(np.equal(b, 0), 0, ...)`. "
        "`as_float(np.asarray(a))` makes floats of an int base.",
    ),
)
def test_pow_values(tt, expect):
    why = "the power rule gives the slope in the base: how does it change the exponent, and where does b go?"
    known = (
        ("the exponent must be lowered by 1", 3 * G * A**3),
        ("the exponent is missing as a factor", G * A**2),
        ("the exponent is missing as a factor, and must be lowered by 1", G * A**3),
    )
    gives(tt, expect, "a ** 3", lambda a: a**3, (A,), G, (3 * G * A**2,), why, known=known)
    why = "in the exponent another rule holds: a ** b is an exponential function of b, as e^(b log a)"
    raised = POSITIVE**B
    want = (G * B * POSITIVE ** (B - 1), G * raised * np.log(POSITIVE))
    known = (
        ("this is the slope of e^b: another base brings a factor with it", G * raised),
        ("the power itself is missing: an exponential is its own slope, times a factor", G * np.log(POSITIVE)),
    )
    gives(tt, expect, "a ** b", lambda a, b: a**b, (POSITIVE, B), G, want, why, "float64", known)


@exercise("Pow.backward")
def test_pow_only_what_is_wanted(tt, expect):
    why = "a number wants no gradient; a negative base has no logarithm, and must not need one"
    gives(tt, expect, "a ** 2", lambda a: a**2, ([-3.0, 2.0],), [1.0, 5.0], ([-6.0, 20.0],), why)
    why = "2 ** a: the base is a number, the exponent gets the gradient"
    want = (f32([1.0, 5.0]) * f32([8.0, 0.25]) * np.log(2),)
    gives(tt, expect, "2 ** a", lambda a: 2**a, ([3.0, -2.0],), [1.0, 5.0], want, why)


@exercise("Pow.backward", torch=False)
def test_pow_computes_nothing_for_nobody(tt, expect):
    x, g = leaf(tt, [3.0, 2.0]), f32([1.0, 5.0])
    why = "nobody asked: see ctx.needs_input_grad, and return None there, not a logarithm that is thrown away"
    for call, out, place in (("x ** 2", x**2, 1), ("2 ** x", 2**x, 0)):
        got = out.grad_fn.backward(g)
        expect(got, f"backward(g) of the node of {call}").is_instance(tuple, why="one place for each of two inputs")
        expect(len(got), f"number of gradients of {call}").equals(2, why="one place for each of two inputs")
        which = "exponent" if place else "base"
        expect(got[place] is None, f"is the gradient of the {which} of {call}, a number, None").equals(True, why=why)


@exercise("Pow.backward")
def test_pow_at_zero(tt, expect):
    why = "a ** 0 is 1 everywhere, at 0 too: its slope is 0, not 0 * inf, which is nan"
    gives(tt, expect, "a ** 0", lambda a: a**0, ([0.0, 2.0],), [3.0, 5.0], ([0.0, 0.0],), why)
    why = "0 ** b stays 0 when b moves a little: 0, not 0 * log(0), which is nan"
    want = ([0.0, 12.0], [0.0, 5.0 * 4.0 * np.log(2.0)])
    gives(
        tt,
        expect,
        "a ** b at a = 0",
        lambda a, b: a**b,
        ([0.0, 2.0], [2.0, 2.0]),
        [3.0, 5.0],
        ([0.0, 20.0], want[1]),
        why,
    )


test_pow_hands_off = hands_off("Pow.backward", "a ** b", lambda tt: lambda a, b: a**b, POSITIVE, B)
test_pow_differences = differs(
    "Pow.backward", "a ** b", lambda tt: lambda a, b: a**b, POSITIVE, np.array([1.5, -0.5, 2.0])
)


# Exp.backward


@exercise(
    "Exp.backward",
    hints=(
        "The exponential function is its own slope. Has somebody computed it already?",
        "`ctx.output` is what forward returned.",
    ),
)
def test_exp_values(tt, expect):
    why = "the exponential is its own slope, and forward has worked it out already"
    known = (
        ("this is the exponential of g: that of a is wanted", G * np.exp(G)),
        ("the exponent was lowered, as for a power of a: here a itself is the exponent", G * np.exp(A - 1)),
        ("g was passed on times a: that is not what forward returned", G * A),
    )
    gives(tt, expect, "a.exp()", lambda a: a.exp(), (A,), G, (G * np.exp(A),), why, known=known)


@exercise("Exp.backward", torch=False)
def test_exp_keeps_its_output_only(tt, expect):
    node = leaf(tt, A).exp().grad_fn
    g = f32(G)
    got = node.backward(g)
    why = "e^a was computed once, in forward, and is kept in ctx.output"
    expect(np.asarray(got), "backward(g) of the node of a.exp()").equals(g * np.exp(f32(A)), why=why)


test_exp_hands_off = hands_off("Exp.backward", "a.exp()", lambda tt: lambda a: a.exp(), A)
test_exp_differences = differs("Exp.backward", "(a * a).exp()", lambda tt: lambda a: (a * a).exp(), A / 4)


# Log.backward


@exercise(
    "Log.backward",
    hints=(
        "The steeper, the nearer to 0: what is the slope of log(a)?",
        "g / a; a is in `ctx.inputs`, a tuple of one.",
    ),
)
def test_log_values(tt, expect):
    why = "the curve of the logarithm: is it steep or flat for a large a, and how steep at 1?"
    known = (
        ("this grows with a, where the curve becomes flatter", G * POSITIVE),
        ("this is upside down: g must stand above the line", POSITIVE / G),
        ("this is g times the logarithm itself, not times its slope", G * np.log(POSITIVE)),
    )
    gives(tt, expect, "a.log()", lambda a: a.log(), (POSITIVE,), G, (G / POSITIVE,), why, known=known)


@exercise("Log.backward")
def test_log_undoes_exp(tt, expect):
    why = "log(exp(a)) is a: the slopes e^a and 1 / e^a cancel, and g comes back"
    gives(tt, expect, "a.exp().log()", lambda a: a.exp().log(), (A,), G, (G,), why)


test_log_hands_off = hands_off("Log.backward", "a.log()", lambda tt: lambda a: a.log(), POSITIVE)
test_log_differences = differs(
    "Log.backward", "(a / b).log()", lambda tt: lambda a, b: (a / b).log(), POSITIVE, POSITIVE[0]
)


# MatMul.backward


@exercise(
    "MatMul.backward",
    points=3,
    hints=(
        "Let the shapes decide: g is (n, m). What can you multiply it by to get (n, k)? And (k, m)?",
        "One of the factors is g, the other is the other input, transposed, on the side where the sizes meet. With "
        "batches, only the last two dimensions are exchanged: `x.swapaxes(-1, -2)`.",
        "A vector is a table that lost a dimension: give a and b the missing one, and g too (where b was a vector, "
        "g gets one at the end; where a was, one before the last). Take it out of the result again.",
        "`g[..., None]` and `g[..., None, :]` add dimensions; `np.atleast_2d(a)`, `b[:, None]`; `gb[..., 0]` takes "
        "one out. For tables g @ b.T and a.T @ g; leave out what `ctx.needs_input_grad` does not want.",
    ),
)
def test_matmul_matrices(tt, expect):
    a, b, g = A, CUBE[0], spread((2, 5))
    why = "let the shapes lead: g is (2, 5). By what, and on which side, is it multiplied to give (2, 3)? And (3, 5)?"
    gives(tt, expect, "a @ b, shapes (2, 3) and (3, 5)", lambda a, b: a @ b, (a, b), g, (g @ b.T, a.T @ g), why)


@exercise("MatMul.backward", points=2)
def test_matmul_vectors(tt, expect):
    a, b = A, B[0]
    why = "a vector on the right counts as one column: g is a column too"
    g = np.array([2.0, -3.0])
    gives(tt, expect, "a @ b, shapes (2, 3) and (3,)", lambda a, b: a @ b, (a, b), g, (np.outer(g, b), a.T @ g), why)
    why = "a vector on the left counts as one row: g is a row too"
    b = CUBE[0]
    g = spread((5,))
    gives(
        tt, expect, "a @ b, shapes (3,) and (3, 5)", lambda a, b: a @ b, (A[0], b), g, (b @ g, np.outer(A[0], g)), why
    )
    why = "two vectors give one number, a row times a column: g has lost both dimensions"
    gives(tt, expect, "a @ b, shapes (3,) and (3,)", lambda a, b: a @ b, (A[0], B[0]), 2.0, (2 * B[0], 2 * A[0]), why)


@exercise("MatMul.backward", points=2)
def test_matmul_batches(tt, expect):
    a, b = CUBE, np.arange(20.0).reshape(5, 4) * 3 % 7 - 2.5
    g = spread((2, 3, 4))
    want = (g @ b.T, np.einsum("bnk,bnm->km", a, g))
    why = "the same b for both tables: exchange the last two dimensions only, b's gradients add up over the batch"
    gives(tt, expect, "a @ b, shapes (2, 3, 5) and (5, 4)", lambda a, b: a @ b, (a, b), g, want, why)


@exercise("MatMul.backward", torch=False)
def test_matmul_only_what_is_wanted(tt, expect):
    x, w = tt.tensor(f32(A)), leaf(tt, CUBE[0])
    got = (x @ w).grad_fn.backward(f32(spread((2, 5))))
    why = "the first layer's input wants no gradient: a third of the work of a layer is saved by not computing it"
    expect(got[0] is None, "is the gradient of a constant a None").equals(True, why=why)


test_matmul_hands_off = hands_off("MatMul.backward", "a @ b", lambda tt: lambda a, b: a @ b, A, CUBE[0])
test_matmul_differences = differs(
    "MatMul.backward",
    "a @ b, batches (2, 3, 5) and (2, 5, 3)",
    lambda tt: lambda a, b: a @ b,
    CUBE,
    CUBE.reshape(2, 5, 3),
)


# Sum, Mean, Max


def check_reduction(tt, expect, name):
    mean = name == "mean"

    def run(call, function, g, count, why):
        g = np.asarray(g)
        share = np.broadcast_to(g, CUBE.shape)
        known = ()
        if mean:
            known = (
                ("this is the gradient of a sum: a mean divides it", share),
                ("this is divided by all 30 elements, where fewer went into each mean", share / 30),
                ("this is divided by the number of results, not by what went into each of them", share / g.size),
            )
        wanted = (share / count if mean else share,)
        start = g.reshape(()) if g.size == 1 else g[:, 0] if "dim=1" in call else g
        gives(tt, expect, call, function, (CUBE,), start, wanted, why, known=known)

    why = "nudge one element: how far does the mean of 30 move?" if mean else "nudge one element: the sum moves as far"
    run(f"a.{name}(), shape (2, 3, 5)", lambda a: getattr(a, name)(), [[[3.0]]], 30, why)
    put_back = "the reduced dimension must be put back with size 1 before g is stretched along it"
    why = f"{put_back}; 3 elements went into each mean" if mean else put_back
    call = f"a.{name}(dim=1), shape (2, 3, 5)"
    run(call, lambda a: getattr(a, name)(dim=1), spread((2, 5))[:, None], 3, why)
    why = "with keepdim=True g has that dimension already"
    call = f"a.{name}(dim=2, keepdim=True), shape (2, 3, 5)"
    run(call, lambda a: getattr(a, name)(dim=2, keepdim=True), spread((2, 3, 1)), 5, why)


def check_reduction_of_two(tt, expect, name):
    share = np.broadcast_to(spread((3,))[None, :, None], CUBE.shape)
    mean = name == "mean"
    why = "two dimensions were reduced: 2 * 5 elements went into each result"
    known = (("this is divided by all 30 elements, where 10 went into each mean", share / 30),) if mean else ()
    want = share / 10 if mean else share
    call = f"a.{name}(dim=(0, 2))"
    gives(tt, expect, call, lambda a: getattr(a, name)(dim=(0, 2)), (CUBE,), spread((3,)), (want,), why, known=known)


@exercise(
    "Sum.backward",
    hints=(
        "Each element of a was added once. What does one more do to the sum?",
        "The gradient is g in a's shape: put the lost dimensions back with `restore_dims`, then stretch.",
        "`restore_dims(g, ctx.shapes[0], **ctx.options)` and `np.broadcast_to(..., ctx.shapes[0])`.",
    ),
)
def test_sum_stretches(tt, expect):
    check_reduction(tt, expect, "sum")


@exercise("Sum.backward")
def test_sum_of_two_dims(tt, expect):
    check_reduction_of_two(tt, expect, "sum")


test_sum_hands_off = hands_off("Sum.backward", "a.sum(0)", lambda tt: lambda a: a.sum(0), A)
test_sum_differences = differs("Sum.backward", "(a * a).sum(-1)", lambda tt: lambda a: (a * a).sum(-1), CUBE)


@exercise(
    "Mean.backward",
    hints=(
        "A mean is a sum, divided by something. By what?",
        "By the elements for each result: all elements of a, divided by the results, of which g has one each.",
        "`math.prod(ctx.shapes[0]) / max(g.size, 1)`; the rest is as in Sum.",
    ),
)
def test_mean_shares(tt, expect):
    check_reduction(tt, expect, "mean")


@exercise("Mean.backward")
def test_mean_of_two_dims(tt, expect):
    check_reduction_of_two(tt, expect, "mean")


test_mean_hands_off = hands_off("Mean.backward", "a.mean(0)", lambda tt: lambda a: a.mean(0), A)
test_mean_differences = differs("Mean.backward", "(a * a).mean(-1)", lambda tt: lambda a: (a * a).mean(-1), CUBE)


@exercise(
    "Max.backward",
    points=2,
    hints=(
        "Nudge an element that is not the largest. What happens to the maximum?",
        "g goes to the largest, 0 to all others. Over all elements equal ones share it; over a dim the first gets all.",
        "Over a dim: zeros like a, and `np.put_along_axis` at `ctx.find(a, axis=dim)` (with that dim put back by "
        "`np.expand_dims`) of g with its dims restored.",
        "Over all: a mask of the elements equal to `a.flat[ctx.find(a)]` (nan is equal to nothing: ask `np.isnan`), "
        "g times mask, divided by the number of them.",
    ),
)
def test_max_over_all(tt, expect):
    want = np.where(A == 4.0, 3.0, 0.0)
    why = "only the largest element can move the maximum; `ctx.inputs` is kept here, and not the output"
    gives(tt, expect, "a.max()", lambda a: a.max(), (A,), 3.0, (want,), why)
    why = "three elements share the largest value, so they share the gradient"
    gives(tt, expect, "a.max() of [2, 7, 7, 1, 7]", lambda a: a.max(), ([2, 7, 7, 1, 7],), 6.0, ([0, 2, 2, 0, 2],), why)


@exercise("Max.backward", points=2)
def test_max_over_dims(tt, expect):
    g = np.array([10.0, 20.0])
    why = "one winner in each row, which gets the whole g of its row"
    gives(tt, expect, "a.max(dim=1).values", lambda a: a.max(dim=1).values, (A,), g, ([[0, 0, 10], [20, 0, 0]],), why)
    g = np.array([[10.0, 20.0, 30.0]])
    want = ([[0, 0, 30], [10, 20, 0]],)
    why = "keepdim=True: g has the dimension already"
    gives(
        tt, expect, "a.max(dim=0, keepdim=True).values", lambda a: a.max(dim=0, keepdim=True).values, (A,), g, want, why
    )
    why = "over a dim the first of equal elements gets all of g"
    gives(tt, expect, "a.max(dim=0).values of [3, 3]", lambda a: a.max(dim=0).values, ([3, 3],), 5.0, ([5, 0],), why)


@exercise("Max.backward", points=2)
def test_max_serves_min(tt, expect):
    why = "Min inherits this method, with another ctx.find: ask it for the place, over all elements too"
    known = (("the largest got the gradient of a minimum", [0, 3, 0, 3, 0]),)
    call, want = "a.min() of [2, 7, 1, 7, 1]", ([0, 0, 3, 0, 3],)
    gives(tt, expect, call, lambda a: a.min(), ([2, 7, 1, 7, 1],), 6.0, want, why, known=known)
    why = "Min inherits this method, with another ctx.find: ask it along the dim"
    g, want = np.array([10.0, 20.0]), ([[0, 10, 0], [0, 0, 20]],)
    gives(tt, expect, "a.min(dim=1).values", lambda a: a.min(dim=1).values, (A,), g, want, why)


@exercise("Max.backward")
def test_max_with_nan(tt, expect):
    why = "nan counts as the largest; it is equal to nothing, itself included"
    gives(tt, expect, "a.max() of [1, nan, 2]", lambda a: a.max(), ([1.0, np.nan, 2.0],), 6.0, ([0, 6, 0],), why)


test_max_hands_off = hands_off("Max.backward", "a.max(0).values", lambda tt: lambda a: a.max(dim=0).values, A)
test_max_differences = differs("Max.backward", "a.max(1).values", lambda tt: lambda a: a.max(dim=1).values, CUBE)


# Reshape, Permute, Index, Cat, Where


@exercise(
    "Reshape.backward",
    hints=("No number was changed: where did each come from?", "g in the shape that a had: `ctx.shapes[0]`."),
)
def test_reshape_back(tt, expect):
    g = spread((3, 2))
    why = "g goes back into the shape that a had, in the same order"
    gives(tt, expect, "a.reshape(3, 2), shape (2, 3)", lambda a: a.reshape(3, 2), (A,), g, (g.reshape(2, 3),), why)


@exercise("Reshape.backward")
def test_reshape_to_and_from_a_number(tt, expect):
    why = "a single number has the shape ()"
    gives(tt, expect, "a.reshape(1, 1)", lambda a: a.reshape(1, 1), (2.5,), [[3.0]], (3.0,), why)


test_reshape_hands_off = hands_off("Reshape.backward", "a.reshape(-1)", lambda tt: lambda a: a.reshape(-1), A)
test_reshape_differences = differs(
    "Reshape.backward", "(a * a).reshape(5, -1)", lambda tt: lambda a: (a * a).reshape(5, -1), CUBE
)


@exercise(
    "Permute.backward",
    points=2,
    hints=(
        "Dimension dims[0] of a became dimension 0. Where must dimension 0 of g go?",
        "The inverse order: the place of 0 in dims, the place of 1, ... `np.argsort` finds it.",
        "dims may be negative: bring them to `dim % g.ndim` before.",
    ),
)
def test_permute_back(tt, expect):
    g = spread((5, 2, 3))
    want = np.zeros((2, 3, 5))
    for k, i, j in np.ndindex(5, 2, 3):
        want[i, j, k] = g[k, i, j]
    why = "out[k, i, j] was a[i, j, k]: go back by the inverse order, which is not the same order"
    gives(tt, expect, "a.permute(2, 0, 1), shape (2, 3, 5)", lambda a: a.permute(2, 0, 1), (CUBE,), g, (want,), why)
    why = "-1 is the last dimension: bring dims to 0, 1, 2 before you sort them"
    gives(tt, expect, "a.permute(-1, 0, 1)", lambda a: a.permute(-1, 0, 1), (CUBE,), g, (want,), why)


@exercise("Permute.backward")
def test_permute_transpose(tt, expect):
    gives(tt, expect, "a.T, shape (2, 3)", lambda a: a.T, (A,), spread((3, 2)), (spread((3, 2)).T,), "back is T again")


test_permute_hands_off = hands_off("Permute.backward", "a.T", lambda tt: lambda a: a.T, A)
test_permute_differences = differs(
    "Permute.backward", "(a * a).permute(1, 2, 0)", lambda tt: lambda a: (a * a).permute(1, 2, 0), CUBE
)


@exercise(
    "Index.backward",
    points=2,
    hints=(
        "Which elements of a had a part in the output? What do the others get?",
        "Zeros of a's shape (and g's dtype), and g at the index.",
        "`out[index] = g` keeps only the last of two gradients for one element. `np.add.at(out, index, g)` adds both; "
        "only an array of ints can name an element twice.",
    ),
)
def test_index_puts_g_in_its_place(tt, expect):
    why = "each number of g goes back to where its element was taken; what was not taken moves nothing"
    gives(tt, expect, "a[1]", lambda a: a[1], (A,), [1.0, 2.0, 3.0], ([[0, 0, 0], [1, 2, 3]],), why)
    gives(tt, expect, "a[:, ::2]", lambda a: a[:, ::2], (A,), [[1, 2], [3, 4]], ([[1, 0, 2], [3, 0, 4]],), why)
    gives(tt, expect, "a[0, 1]", lambda a: a[0, 1], (A,), 5.0, ([[0, 5, 0], [0, 0, 0]],), why)


@exercise("Index.backward", points=2)
def test_index_twice(tt, expect):
    why = "element 2 was taken twice: its two gradients add up (out[index] = g keeps one of them)"
    call = "a[tt.tensor([2, 0, 2])]"
    gives(tt, expect, call, lambda a: a[tt.tensor([2, 0, 2])], (B[0],), [1.0, 10.0, 100.0], ([10, 0, 101],), why)


@exercise("Index.backward")
def test_index_mask(tt, expect):
    mask = tt.tensor(A > 1)
    why = "a mask takes elements row by row; each gets its own number of g"
    gives(tt, expect, "a[a > 1]", lambda a: a[mask], (A,), [1.0, 2.0, 3.0], ([[1, 0, 2], [3, 0, 0]],), why)


test_index_hands_off = hands_off("Index.backward", "a[:, 1:]", lambda tt: lambda a: a[:, 1:], A)
test_index_differences = differs(
    "Index.backward", "(a * a)[:, [2, 0, 2]]", lambda tt: lambda a: (a * a)[:, [2, 0, 2]], CUBE
)


@exercise(
    "Cat.backward",
    points=2,
    hints=(
        "Each array lies in one stretch of the output. So does its gradient.",
        "Cut g along dim at the places where one array ends and the next begins: a running sum of their sizes.",
        "`np.split(g, ends, axis=dim)` cuts; `np.cumsum` of the sizes, without the last one, gives ends.",
    ),
)
def test_cat_cuts(tt, expect):
    g = spread((5, 3))
    why = "each array gets its own rows of g, as many as it brought"
    call = "tt.cat([a, b]), shapes (2, 3) and (3, 3)"
    gives(tt, expect, call, lambda a, b: tt.cat([a, b]), (A, CUBE[0, :, :3]), g, (g[:2], g[2:]), why)


@exercise("Cat.backward")
def test_cat_cuts_along_dim(tt, expect):
    g = spread((2, 6))
    call = "tt.cat([a, b, c], dim=-1), 3, 1 and 2 columns"
    why = "cut along the dim that was joined, at 3 and at 4: unequal parts, in order"
    arrays, want = (A, A[:, :1], B[:, :2]), (g[:, :3], g[:, 3:4], g[:, 4:])
    gives(tt, expect, call, lambda *abc: tt.cat(abc, dim=-1), arrays, g, want, why)


@exercise("Cat.backward")
def test_cat_same_twice(tt, expect):
    g = spread((4, 3))
    gives(tt, expect, "tt.cat([a, a])", lambda a: tt.cat([a, a]), (A,), g, (g[:2] + g[2:],), "both parts of g add up")


test_cat_hands_off = hands_off("Cat.backward", "tt.cat([a, b], 1)", lambda tt: lambda a, b: tt.cat([a, b], 1), A, B)


@exercise(
    "Where.backward",
    hints=(
        "Each element of the output came from one of two places. Which one gets its gradient?",
        "g where the condition holds goes to a, g elsewhere to b, 0 otherwise; the condition itself gets None.",
        "`np.where(condition, g, 0)` for a. Multiplying g by the condition makes nan where g is infinite.",
    ),
)
def test_where_sorts(tt, expect):
    mask = np.array([[True, False, True], [False, False, True]])
    c = tt.tensor(mask)
    why = "each element of the output came from one of the two: what does a nudge of the other one move there?"
    want = (np.where(mask, G, 0), np.where(mask, 0, G))
    gives(tt, expect, "tt.where(c, a, b)", lambda a, b: tt.where(c, a, b), (A, B), G, want, why)


@exercise("Where.backward")
def test_where_broadcasts_back(tt, expect):
    c = tt.tensor([[True], [False]])
    why = "a was stretched over the rows, and the second row did not choose it"
    want = (G[0], [[0.0, 0, 0], G[1]])
    gives(
        tt,
        expect,
        "tt.where(c, a, b), shapes (2, 1), (3,), (2, 3)",
        lambda a, b: tt.where(c, a, b),
        (A[0], B),
        G,
        want,
        why,
    )


@exercise("Where.backward")
def test_where_infinite_gradient(tt, expect):
    c = tt.tensor([True, False])
    why = "what was not chosen gets 0, even where g is inf (0 * inf is nan)"
    want = ([np.inf, 0.0], [0.0, np.inf])
    gives(
        tt,
        expect,
        "tt.where(c, a, b), g = [inf, inf]",
        lambda a, b: tt.where(c, a, b),
        ([1, 2], [3, 4]),
        [np.inf, np.inf],
        want,
        why,
    )


test_where_hands_off = hands_off(
    "Where.backward", "tt.where(c, a, b)", lambda tt: lambda a, b: tt.where(tt.tensor(A > 0), a, b), A, B
)


# Activations

F = lambda tt: tt.nn.functional  # noqa: E731
SOFT = np.exp(A) / np.exp(A).sum(1, keepdims=True)


@exercise(
    "ReLU.backward",
    hints=("What is the slope left of 0, and right of it?", "g where `ctx.output` is positive, else 0; at 0 it is 0."),
)
def test_relu_gate(tt, expect):
    why = "two slopes, one on each side of 0: nudge an element on the left, nudge one on the right"
    known = (("this is g times the output: on the right the slope is the same everywhere", G * np.maximum(A, 0)),)
    gives(tt, expect, "relu(a)", F(tt).relu, (A,), G, (np.where(A > 0, G, 0),), why, known=known)


@exercise("ReLU.backward")
def test_relu_at_zero(tt, expect):
    why = "at 0 PyTorch takes the left slope, 0"
    gives(tt, expect, "relu(a) of [0, -1, 2]", F(tt).relu, ([0.0, -1.0, 2.0],), [3.0, 5.0, 7.0], ([0, 0, 7],), why)


test_relu_hands_off = hands_off("ReLU.backward", "relu(a)", lambda tt: F(tt).relu, A)
test_relu_differences = differs("ReLU.backward", "relu(a * b)", lambda tt: lambda a, b: F(tt).relu(a * b), A, B[0])


@exercise(
    "LeakyReLU.backward",
    hints=(
        "As ReLU, but the left side has a slope, too.",
        "Right of 0 the slope is 1, elsewhere `ctx.options['negative_slope']`. a is in `ctx.inputs`.",
        "`np.where` chooses between g and g times the slope.",
    ),
)
def test_leaky_relu_two_slopes(tt, expect):
    why = "two slopes, one on each side of 0: which option says how steep the left side is?"
    known = (
        ("left of 0 this one is not flat", np.where(A > 0, G, 0)),
        ("the two sides are exchanged", np.where(A > 0, 0.25 * G, G)),
        ("0.01 is only what negative_slope is when nobody says otherwise", np.where(A > 0, G, 0.01 * G)),
    )
    want = (G * np.where(A > 0, 1, 0.25),)
    gives(tt, expect, "leaky_relu(a, 0.25)", lambda a: F(tt).leaky_relu(a, 0.25), (A,), G, want, why, known=known)


@exercise("LeakyReLU.backward")
def test_leaky_relu_at_zero(tt, expect):
    why = "0 belongs to the left side"
    call = "leaky_relu(a, 0.5) of [0, -1, 2]"
    gives(
        tt,
        expect,
        call,
        lambda a: F(tt).leaky_relu(a, 0.5),
        ([0.0, -1.0, 2.0],),
        [3.0, 5.0, 7.0],
        ([1.5, 2.5, 7],),
        why,
    )


@exercise("LeakyReLU.backward")
def test_leaky_relu_default(tt, expect):
    why = "the slope on the left is the option negative_slope, 0.01 unless something else was asked for"
    gives(tt, expect, "leaky_relu(a)", lambda a: F(tt).leaky_relu(a), (A,), G, (G * np.where(A > 0, 1, 0.01),), why)


test_leaky_relu_hands_off = hands_off("LeakyReLU.backward", "leaky_relu(a)", lambda tt: F(tt).leaky_relu, A)
test_leaky_relu_differences = differs(
    "LeakyReLU.backward", "leaky_relu(a * b, 0.3)", lambda tt: lambda a, b: F(tt).leaky_relu(a * b, 0.3), A, B[0]
)


@exercise(
    "Sigmoid.backward",
    hints=(
        "The slope can be written with the output alone.",
        "g * out * (1 - out), out = `ctx.output`; do not change out.",
    ),
)
def test_sigmoid_slope(tt, expect):
    out = 1 / (1 + np.exp(-A))
    why = "the slope, made of the output: largest where the output is one half, and 0 where it comes near 0 or near 1"
    known = (
        ("this does not become flat on the right", G * out * out),
        ("this does not become flat on the left", G * (1 - out)),
        ("this is the slope of tanh", G * (1 - out * out)),
    )
    gives(tt, expect, "a.sigmoid()", lambda a: a.sigmoid(), (A,), G, (G * out * (1 - out),), why, known=known)


@exercise("Sigmoid.backward")
def test_sigmoid_far_out(tt, expect):
    why = "the curve is flat far out: 0, not nan"
    gives(tt, expect, "a.sigmoid() at -1000, 1000", lambda a: a.sigmoid(), ([-1000, 1000],), [3, 5], ([0, 0],), why)


test_sigmoid_hands_off = hands_off("Sigmoid.backward", "a.sigmoid()", lambda tt: lambda a: a.sigmoid(), A)
test_sigmoid_differences = differs("Sigmoid.backward", "a.sigmoid()", lambda tt: lambda a: a.sigmoid(), CUBE)


@exercise(
    "Tanh.backward",
    hints=("The slope is 1 in the middle and falls to 0: write it with the output.", "g * (1 - out * out)."),
)
def test_tanh_slope(tt, expect):
    out = np.tanh(A / 3)
    why = "the slope, made of the output: 1 where the output is 0, and 0 where it comes near 1 or near -1"
    known = (
        ("this is the slope of a sigmoid", G * out * (1 - out)),
        ("this does not become flat on the left", G * (1 - out)),
    )
    gives(tt, expect, "a.tanh()", lambda a: a.tanh(), (A / 3,), G, (G * (1 - out**2),), why, known=known)


@exercise("Tanh.backward")
def test_tanh_at_zero(tt, expect):
    gives(tt, expect, "a.tanh() at 0", lambda a: a.tanh(), ([0.0],), [7.0], ([7.0],), "the slope at 0 is 1")


test_tanh_hands_off = hands_off("Tanh.backward", "a.tanh()", lambda tt: lambda a: a.tanh(), A)
test_tanh_differences = differs("Tanh.backward", "a.tanh()", lambda tt: lambda a: a.tanh(), CUBE)


@exercise(
    "GELU.backward",
    points=2,
    hints=(
        "A product of two functions of a: a itself, and cdf(a).",
        "The product rule: each factor's slope times the other factor. `ctx.cdf` is there; approximate is in "
        "`ctx.options`, where it may be missing.",
        "g * (cdf + a * cdf'). Exact: cdf'(a) = e^(-a^2 / 2) / sqrt(2 pi). For tanh: 2 cdf (1 - cdf) u', with "
        "u' = sqrt(2 / pi) (1 + 3 * 0.044715 a^2).",
    ),
)
def test_gelu_slope(tt, expect):
    why = "a times cdf(a), two factors that both move: the product rule"
    known = (
        ("half of the product rule: cdf(a) moves, too", [1.0, 0.8413447, 0.0227501]),
        ("half of the product rule: the factor a moves, too", [0.0, 0.2419707, -0.1079819]),
    )
    want = ([1.0, 1.0833155, -0.0852318],)
    gives(tt, expect, "gelu(a)", F(tt).gelu, ([0.0, 1.0, -2.0],), [2.0, 1.0, 1.0], want, why, known=known)


@exercise("GELU.backward")
def test_gelu_far_out(tt, expect):
    gives(
        tt, expect, "gelu(a) at -30, 30", F(tt).gelu, ([-30, 30],), [3, 5], ([0, 5],), "0 on the left, 1 on the right"
    )


test_gelu_hands_off = hands_off("GELU.backward", "gelu(a)", lambda tt: F(tt).gelu, A)
test_gelu_differences = differs("GELU.backward", "gelu(a)", lambda tt: F(tt).gelu, A / 2)


def known_gelu(g, a):
    """What the slope of the exact form gives for the one with tanh: with the cdf of either."""
    u = np.sqrt(2 / np.pi) * (a + 0.044715 * a**3)
    exact = np.vectorize(math.erf)(a / np.sqrt(2)) / 2 + 0.5
    words = 'this is the slope of the exact form; cdf(a) of approximate="tanh" has another'
    density = a * np.exp(-a * a / 2) / np.sqrt(2 * np.pi)
    return ((words, g * (exact + density)), (words, g * ((1 + np.tanh(u)) / 2 + density)))


test_gelu_tanh_differences = differs(
    "GELU.backward",
    'gelu(a, approximate="tanh")',
    lambda tt: lambda a: F(tt).gelu(a, approximate="tanh"),
    A / 2,
    known=known_gelu,
)


@exercise(
    "SiLU.backward",
    hints=(
        "The product rule again: a times sigmoid(a), and you know the slope of the sigmoid.",
        "s + a * s * (1 - s), with s in `ctx.sigmoid`; times g.",
    ),
)
def test_silu_slope(tt, expect):
    s = 1 / (1 + np.exp(-A))
    why = "a times sigmoid(a), two factors that both move: the product rule"
    known = (
        ("half of the product rule: the sigmoid moves, too", G * s),
        ("half of the product rule: the factor a moves, too", G * A * s * (1 - s)),
    )
    gives(tt, expect, "silu(a)", F(tt).silu, (A,), G, (G * (s + A * s * (1 - s)),), why, known=known)


@exercise("SiLU.backward")
def test_silu_at_zero(tt, expect):
    gives(tt, expect, "silu(a) at 0", F(tt).silu, ([0.0],), [7.0], ([3.5],), "at 0 the slope is sigmoid(0), one half")


@exercise("SiLU.backward")
def test_silu_far_out(tt, expect):
    gives(
        tt, expect, "silu(a) at -80, 80", F(tt).silu, ([-80, 80],), [3, 5], ([0, 5],), "0 on the left, 1 on the right"
    )


test_silu_hands_off = hands_off("SiLU.backward", "silu(a)", lambda tt: F(tt).silu, A)
test_silu_differences = differs("SiLU.backward", "silu(a)", lambda tt: F(tt).silu, CUBE)


@exercise(
    "Softmax.backward",
    points=3,
    hints=(
        "Raising one score raises its own probability and lowers all others in its row. So no gradient stands alone.",
        "What raising the score does to all chances is collected in one number s for each row, made of g and out.",
        "out * (g - s), s the sum over dim of g * out; `keepdims=True` lets s stand beside g. dim is in `ctx.options`; "
        "a number without dimensions sums over None.",
    ),
)
def test_softmax_slope(tt, expect):
    want = SOFT * (G - (G * SOFT).sum(1, keepdims=True))
    why = "nudge one score: every chance of its row moves, and each move counts as much as its g"
    known = (
        ("this is p (1 - p): raising one score also lowers the others of its row", G * SOFT * (1 - SOFT)),
        ("the sum was taken over the whole table: each row has one of its own", SOFT * (G - (G * SOFT).sum())),
        ("the sum was taken over the columns", SOFT * (G - (G * SOFT).sum(0))),
        ("the chances add up to 1 in each row: they were summed without g", SOFT * (G - 1)),
        ("the chances are missing in the sum", SOFT * (G - G.sum(1, keepdims=True))),
        ("the lowering of the others is missing", SOFT * G),
    )
    gives(tt, expect, "softmax(a, dim=1)", lambda a: F(tt).softmax(a, dim=1), (A,), G, (want,), why, known=known)


@exercise("Softmax.backward")
def test_softmax_of_equal_gradients(tt, expect):
    why = "the probabilities of a row always add up to 1: equal gradients cancel"
    call, want = "softmax(a, dim=1), g all 3", (np.zeros_like(G),)
    gives(tt, expect, call, lambda a: F(tt).softmax(a, dim=1), (A,), 0 * G + 3, want, why)


test_softmax_hands_off = hands_off("Softmax.backward", "softmax(a, 1)", lambda tt: lambda a: F(tt).softmax(a, dim=1), A)
test_softmax_differences = differs(
    "Softmax.backward", "softmax(a, dim=1)", lambda tt: lambda a: F(tt).softmax(a, dim=1), CUBE
)


@exercise(
    "LogSoftmax.backward",
    points=2,
    hints=(
        "out = a - log(sum of e^a). What does each part give?",
        "g - e^out * (sum of g over dim), the sum with keepdims.",
    ),
)
def test_log_softmax_slope(tt, expect):
    want = G - SOFT * G.sum(1, keepdims=True)
    why = "a - log(sum of e^a): the first part passes g on, and the second stands in every number of the row"
    known = (
        ("as if each number stood alone: the logarithm of the sum stands in all of its row", G - SOFT * G),
        ("the output is the logarithm of the chances: the slope has the chances", G - np.log(SOFT) * G.sum(1)[:, None]),
        ("the sum was taken over the whole table: each row has one of its own", G - SOFT * G.sum()),
        ("the sum was taken over the columns", G - SOFT * G.sum(0)),
        ("this is the gradient of the softmax, without the logarithm", SOFT * (G - (G * SOFT).sum(1, keepdims=True))),
    )
    call = "log_softmax(a, dim=1)"
    gives(tt, expect, call, lambda a: F(tt).log_softmax(a, dim=1), (A,), G, (want,), why, known=known)


@exercise("LogSoftmax.backward")
def test_log_softmax_one_class(tt, expect):
    want = np.array([[1.0, 0, 0], [0, 0, 0]]) - SOFT * [[1.0], [0.0]]
    why = "one class wanted: 1 at the class, minus the probabilities; a row without gradient gets none"
    g = [[1, 0, 0], [0, 0, 0]]
    gives(
        tt,
        expect,
        "log_softmax(a, dim=1), g only at [0, 0]",
        lambda a: F(tt).log_softmax(a, dim=1),
        (A,),
        g,
        (want,),
        why,
    )


test_log_softmax_hands_off = hands_off(
    "LogSoftmax.backward", "log_softmax(a, 0)", lambda tt: lambda a: F(tt).log_softmax(a, dim=0), A
)
test_log_softmax_differences = differs(
    "LogSoftmax.backward", "log_softmax(a, dim=1)", lambda tt: lambda a: F(tt).log_softmax(a, dim=1), CUBE
)


# LogSumExp.backward


@exercise(
    "LogSumExp.backward",
    points=2,
    hints=(
        "How much does each element move the result? The largest nearly by 1.",
        "g * e^(a - out): restore the dims of both.",
    ),
)
def test_logsumexp_slope(tt, expect):
    g = np.array([2.0, -3.0])
    why = "the slope of a logarithm times that of what is in it: the shares of a row add up to 1"
    known = (
        ("these shares do not add up to 1: the slope of the logarithm is missing", g[:, None] * np.exp(A)),
        ("each row must be divided by its own sum", g[:, None] * np.exp(A - np.log(np.exp(A).sum(1)).mean())),
        ("each row must be divided by its own sum", g[:, None] * np.exp(A) / np.exp(A).sum()),
    )
    want = (g[:, None] * SOFT,)
    gives(tt, expect, "a.logsumexp(dim=1)", lambda a: a.logsumexp(dim=1), (A,), g, want, why, known=known)


@exercise("LogSumExp.backward")
def test_logsumexp_large(tt, expect):
    why = "e^1000 is inf: subtract before the exponential"
    call = "a.logsumexp(dim=0) of [1000, 1000]"
    gives(tt, expect, call, lambda a: a.logsumexp(dim=0), ([1000, 1000],), 6.0, ([3, 3],), why, "float64")


@exercise("LogSumExp.backward")
def test_logsumexp_of_a_number(tt, expect):
    why = "a number without dimensions is the only term: log(e^a) is a"
    gives(tt, expect, "a.logsumexp(dim=0), shape ()", lambda a: a.logsumexp(dim=0), (2.5,), 3.0, (3.0,), why)


test_logsumexp_hands_off = hands_off("LogSumExp.backward", "a.logsumexp(0)", lambda tt: lambda a: a.logsumexp(dim=0), A)
test_logsumexp_differences = differs(
    "LogSumExp.backward", "a.logsumexp(1, keepdim=True)", lambda tt: lambda a: a.logsumexp(dim=1, keepdim=True), CUBE
)


# NLL.rows_grad

TABLE = (
    "rows_grad returns a table (n, C): n rows, as many as ctx.index has, and C classes; scale has one number for each "
    "row, or a single one for all of them, as in a mean"
)


@exercise(
    "NLL.rows_grad",
    hints=(
        "The loss of a row is minus one of its numbers. What happens when one of the others moves?",
        "A table of zeros, (n, C), with something at each row's class. C is the second size of `ctx.shapes[0]`, or its "
        "only one: `[min(len(shape) - 1, 1)]`; n is `len(ctx.index)`.",
        "At each row's class stands -scale times its weight. `ctx.pick(out)` is the index of these places.",
    ),
)
def test_nll_slope(tt, expect):
    target = tt.tensor([2, 0])
    why = "which number of a row has a part in its loss? Nudge that one, and nudge another"
    want = ([[0, 0, -3.0], [-3.0, 0, 0]],)
    known = (
        ("the class of one row was set in every row: pick gives one place for each row", [[-3.0, 0, -3.0]] * 2),
        ("the scale is missing: it is g, already divided by the weights in a mean", [[0, 0, -1.0], [-1.0, 0, 0]]),
    )
    call = "nll_loss(a, [2, 0])"
    gives(tt, expect, call, lambda a: F(tt).nll_loss(a, target), (A,), 6.0, want, why, known=known, broken=TABLE)


@exercise("NLL.rows_grad")
def test_nll_weights(tt, expect):
    target, weight = tt.tensor([2, 0]), tt.tensor([0.5, 3.0, 2.0])
    why = "each row counts as often as the weight of its class says"
    call = 'nll_loss(a, [2, 0], weight, reduction="none")'
    g, want = [5.0, 7.0], ([[0, 0, -10.0], [-3.5, 0, 0]],)
    gives(tt, expect, call, lambda a: F(tt).nll_loss(a, target, weight, reduction="none"), (A,), g, want, why)


@exercise("NLL.rows_grad")
def test_nll_shapes(tt, expect):
    why = "a row whose target is ignored moves nothing"
    call = "nll_loss(a, [-100, 1])"
    gives(
        tt,
        expect,
        call,
        lambda a: F(tt).nll_loss(a, tt.tensor([-100, 1])),
        (A,),
        2.0,
        ([[0, 0, 0], [0, -2.0, 0]],),
        why,
    )
    why = "a single row has the shape (C,): its only size is the number of classes"
    gives(
        tt,
        expect,
        "nll_loss(a, 1), shape (3,)",
        lambda a: F(tt).nll_loss(a, tt.tensor(1)),
        (A[0],),
        2.0,
        ([0, -2, 0],),
        why,
        broken=f"{why}; {TABLE}",
    )


test_nll_hands_off = hands_off(
    "NLL.rows_grad", "nll_loss(a, [2, 0])", lambda tt: lambda a: F(tt).nll_loss(a, tt.tensor([2, 0])), A
)
test_nll_differences = differs(
    "NLL.rows_grad",
    "nll_loss(a, target), shapes (2, 3, 5) and (2, 5)",
    lambda tt: lambda a: F(tt).nll_loss(a, tt.tensor([[0, 2, 1, 1, 0], [2, 2, 0, 1, 1]])),
    CUBE,
)


# CrossEntropy.rows_grad


@exercise(
    "CrossEntropy.rows_grad",
    points=3,
    hints=(
        "The loss of a row is log(sum of e^a) - a at the class. You have both gradients.",
        "The first part gives each row its softmax, `ctx.exp / ctx.total` by rows. What does the second add?",
        "softmax, minus 1 at the class, times the row's scale and weight. `ctx.pick(rows)` indexes the class of each "
        "row: `out[ctx.pick(out)] -= ...`. Give numbers of rows `[:, None]`.",
    ),
)
def test_cross_entropy_slope(tt, expect):
    target = tt.tensor([2, 0])
    one = np.array([[0, 0, 1.0], [1.0, 0, 0]])
    why = "log(sum of e^a) - a at the class: you have written the slope of both parts; add them, times the row's scale"
    known = (
        ("the second part is missing: a at the class has a slope of its own", 3 * SOFT),
        ("the scale is missing: it is g, already divided by the weights in a mean", SOFT - one),
        ("the scale is missing in the second part", 3 * SOFT - one),
        ("the scale is missing in the first part", SOFT - 3 * one),
        ("the first part is missing", -3 * one),
        ("the class of one row was set in every row: pick gives one place for each row", 3 * (SOFT - [1, 0, 1])),
    )
    call, want = "cross_entropy(a, [2, 0])", (3 * (SOFT - one),)
    gives(tt, expect, call, lambda a: F(tt).cross_entropy(a, target), (A,), 6.0, want, why, known=known, broken=TABLE)


@exercise("CrossEntropy.rows_grad")
def test_cross_entropy_weights(tt, expect):
    target, weight = tt.tensor([2, 0]), tt.tensor([0.5, 3.0, 2.0])
    one = np.array([[0, 0, 1.0], [1.0, 0, 0]])
    want = (np.array([[2.0], [0.5]]) * (SOFT - one),)
    why = "each row counts as often as the weight of its class says"
    call = 'cross_entropy(a, [2, 0], weight, reduction="sum")'
    gives(tt, expect, call, lambda a: F(tt).cross_entropy(a, target, weight, reduction="sum"), (A,), 1.0, want, why)


@exercise("CrossEntropy.rows_grad")
def test_cross_entropy_ignored(tt, expect):
    target = tt.tensor([-100, 1])
    why = "a row whose target is ignored moves nothing"
    want = ([[0, 0, 0], SOFT[1] - [0, 1, 0]],)
    gives(tt, expect, "cross_entropy(a, [-100, 1])", lambda a: F(tt).cross_entropy(a, target), (A,), 1.0, want, why)


test_cross_entropy_hands_off = hands_off(
    "CrossEntropy.rows_grad",
    "cross_entropy(a, [2, 0])",
    lambda tt: lambda a: F(tt).cross_entropy(a, tt.tensor([2, 0])),
    A,
)
test_cross_entropy_differences = differs(
    "CrossEntropy.rows_grad",
    'cross_entropy(a, [1, 4, 0], reduction="none")',
    lambda tt: lambda a: F(tt).cross_entropy(a, tt.tensor([1, 4, 0]), reduction="none"),
    CUBE[0],
)


# BinaryCrossEntropy.backward


@exercise(
    "BinaryCrossEntropy.backward",
    points=2,
    hints=(
        "For a: the slopes of -t log(a) and of -(1 - t) log(1 - a), brought to one denominator.",
        "None for t unless `ctx.needs_input_grad[1]`: mostly the truth is constant. In t the loss is a straight line.",
        "(a - t) / (a * (1 - a)), the denominator at least 1e-12. For t: log(1 - a) - log(a). Each times g.",
    ),
)
def test_bce_slope(tt, expect):
    a, t, g = np.array([0.25, 0.5, 0.875]), np.array([1.0, 0.25, 0.0]), np.array([2.0, -3.0, 1.0])
    why = "the loss has two logarithms, of a and of 1 - a: add their slopes, each with its factor and its sign"
    known = (("this is the slope in a logit; here a is a chance already, with nothing to cancel", g * (a - t)),)
    truth = tt.tensor(f32(t))
    call = 'binary_cross_entropy(a, t, reduction="none")'
    want = (g * (a - t) / (a * (1 - a)),)
    function = lambda a: F(tt).binary_cross_entropy(a, truth, reduction="none")  # noqa: E731
    gives(tt, expect, call, function, (a,), g, want, why, known=known)


@exercise("BinaryCrossEntropy.backward")
def test_bce_sure_and_wrong(tt, expect):
    why = "a = 0 and t = 1: a * (1 - a) counts as 1e-12 at least, so the gradient is large and finite"
    call = 'binary_cross_entropy(a, t, reduction="sum") at a = 0, 1'
    truth = tt.tensor([1.0, 1.0])
    g = 0.5
    gives(
        tt,
        expect,
        call,
        lambda a: F(tt).binary_cross_entropy(a, truth, reduction="sum"),
        ([0.0, 1.0],),
        g,
        ([-5e11, 0],),
        why,
    )


@exercise("BinaryCrossEntropy.backward")
def test_bce_soft_truth(tt, expect):
    a, t, g = np.array([0.25, 0.5]), np.array([0.75, 0.25]), np.array([2.0, -3.0])
    why = "in the truth t the loss is a straight line, with the two logarithms in its slope"
    want = (g * (a - t) / (a * (1 - a)), g * (np.log(1 - a) - np.log(a)))
    call = 'binary_cross_entropy(a, t, reduction="none"), t wants a gradient'
    gives(tt, expect, call, lambda a, t: F(tt).binary_cross_entropy(a, t, reduction="none"), (a, t), g, want, why)


test_bce_hands_off = hands_off(
    "BinaryCrossEntropy.backward",
    "binary_cross_entropy(a, t)",
    lambda tt: lambda a: F(tt).binary_cross_entropy(a, tt.tensor([0.0, 1.0]), reduction="none"),
    np.array([0.25, 0.5]),
)
test_bce_differences = differs(
    "BinaryCrossEntropy.backward",
    'binary_cross_entropy(a, t, reduction="none")',
    lambda tt: lambda a, t: F(tt).binary_cross_entropy(a, t, reduction="none"),
    np.array([0.25, 0.5, 0.9]),
    np.array([0.5, 0.9375, 0.125]),
)


# _Mode.__enter__


def restores(check):
    """Whatever the answer does to the grad mode ends with this check."""

    @functools.wraps(check)
    def wrapper(tt, expect):
        try:
            check(tt, expect)
        finally:
            if graph_of(tt):
                graph_of(tt).GradMode.enabled, graph_of(tt).GradMode.inference = True, False
            else:
                tt.set_grad_enabled(True)

    return wrapper


@exercise(
    "_Mode.__enter__",
    hints=(
        "What must be remembered, so that the end of the block can put it back?",
        "`self.before` takes both values of GradMode: enabled and inference. Then both are set from self.",
        "`GradMode.enabled, GradMode.inference = self.enabled, self.inference`, after the note.",
    ),
)
@restores
def test_enter_switches_recording_off(tt, expect):
    x = leaf(tt, A)
    switch = tt.no_grad()
    try:
        switch.__enter__()
        inside, y = tt.is_grad_enabled(), x * 2
    finally:
        if graph_of(tt):
            graph_of(tt).GradMode.enabled, graph_of(tt).GradMode.inference = True, False
        else:
            tt.set_grad_enabled(True)
    expect(inside, "tt.is_grad_enabled() inside tt.no_grad()").equals(False, why="set GradMode.enabled to self.enabled")
    expect(y.requires_grad, "(x * 2).requires_grad inside tt.no_grad()").equals(False, why="nothing is recorded there")


@exercise("_Mode.__enter__", torch=False)
@restores
def test_enter_notes_what_was(tt, expect):
    grad_mode = graph_of(tt).GradMode
    first, second = tt.no_grad(), tt.enable_grad()
    try:
        first.__enter__()
        second.__enter__()
        now = grad_mode.enabled
    finally:
        grad_mode.enabled, grad_mode.inference = True, False
    why = "note GradMode as it is before you change it, both of its values"
    expect(getattr(first, "before", None), "before of the outer no_grad()").equals((True, False), why=why)
    expect(getattr(second, "before", None), "before of the inner enable_grad()").equals((False, False), why=why)
    expect(now, "GradMode.enabled inside enable_grad() inside no_grad()").equals(True, why="the innermost block counts")


@exercise("_Mode.__enter__", torch=False)
@restores
def test_enter_sets_inference(tt, expect):
    grad_mode = graph_of(tt).GradMode
    try:
        tt.inference_mode().__enter__()
        now = grad_mode.enabled, grad_mode.inference
    finally:
        grad_mode.enabled, grad_mode.inference = True, False
    expect(now, "GradMode's (enabled, inference) inside inference_mode()").equals(
        (False, True), why="set both from self"
    )


# _Mode.__exit__


@exercise(
    "_Mode.__exit__",
    hints=(
        "Not True: as it was before.",
        "`self.before` holds the pair that __enter__ noted. Return nothing: a true value would swallow errors.",
    ),
)
@restores
def test_exit_puts_back(tt, expect):
    with tt.no_grad():
        pass
    expect(tt.is_grad_enabled(), "tt.is_grad_enabled() after a no_grad() block").equals(
        True, why="back as it was before"
    )
    x = leaf(tt, A)
    why = "recording goes on after the block"
    expect((x * 2).requires_grad, "(x * 2).requires_grad after a no_grad() block").equals(True, why=why)


@exercise("_Mode.__exit__", points=2)
@restores
def test_exit_nested(tt, expect):
    with tt.no_grad():
        with tt.enable_grad():
            inner = tt.is_grad_enabled()
        outer = tt.is_grad_enabled()
    expect(inner, "recording in enable_grad() inside no_grad()").equals(True, why="the innermost block counts")
    why = "the end of an inner block puts back what was before it, which is not always True"
    if outer and graph_of(tt):
        graph_of(tt).GradMode.enabled = True
    expect(outer, "recording after an inner block, still inside no_grad()").equals(False, why=why)


@exercise("_Mode.__exit__")
@restores
def test_exit_after_an_error(tt, expect):
    why = "an error inside the block goes on to the caller: __exit__ returns nothing"
    with expect.raises(KeyError, call="with tt.no_grad(): raise KeyError", why=why), tt.no_grad():
        raise KeyError
    expect(tt.is_grad_enabled(), "recording after a block that raised").equals(
        True, why="an error puts the mode back, too"
    )


@exercise("_Mode.__exit__")
@restores
def test_exit_of_a_decorator(tt, expect):
    x = leaf(tt, A)

    @tt.no_grad()
    def double(a):
        return a * 2

    expect(double(x).requires_grad, "requires_grad of what a @tt.no_grad() function returns").equals(False)
    expect(tt.is_grad_enabled(), "recording after the call").equals(True, why="back as it was before")


# differences


@exercise(
    "differences",
    points=2,
    torch=False,
    hints=(
        "Move one number of x a little up and a little down, and look at every number of the output.",
        "`x.array.reshape(-1)` is a view of x's numbers in one row: writing to it moves x. Put the number back after.",
        "Each element of x gives one column: the flattened output above, minus the one below, divided by 2 eps. "
        "Copy outputs: one may be a view of x. `np.stack(columns, axis=1)` at the end, all inside `with no_grad():`.",
    ),
)
def test_differences_of_a_square(tt, expect):
    x = leaf(tt, [1.5, -2.0, 3.0], "float64")
    got = tt.autograd.differences(lambda a: a * a, (x,), x, 0, EPS)
    why = "one row for each output, one column for each element of x: output i moves only with x i, by 2 x"
    expect(got, "differences of a * a at [1.5, -2, 3]").equals(np.diag([3.0, -4.0, 6.0]), why=why, rtol=1e-5, atol=1e-7)


@exercise("differences", torch=False)
def test_differences_have_rows_of_outputs(tt, expect):
    x = leaf(tt, [2.0, -1.0], "float64")
    c = tt.tensor(np.array([[3.0], [5.0], [-7.0]]))
    got = tt.autograd.differences(lambda c, a: c * a, (c, x), x, 0, EPS)
    want = np.array([[3, 0], [0, 3], [5, 0], [0, 5], [-7, 0], [0, -7]], np.float64)
    why = "6 outputs and 2 elements of x: 6 rows, 2 columns"
    expect(got, "differences of c * x, shapes (3, 1) and (2,), for x").equals(want, why=why, rtol=1e-5, atol=1e-7)


@exercise("differences", torch=False)
def test_differences_put_x_back(tt, expect):
    x, modes = leaf(tt, [2.0, -1.0], "float64"), []

    def function(a):
        modes.append(tt.is_grad_enabled())
        return a.exp()

    with expect.unchanged(x, "x after differences", why="put every number back before the next one moves"):
        tt.autograd.differences(function, (x,), x, 0, EPS)
    expect(any(modes), "was func recorded").equals(False, why="nobody walks back through these calls: use no_grad")
    got = tt.autograd.differences(lambda a: a.reshape(2), (x,), x, 0, EPS)
    why = "this output is a view of x: copy it before x moves again"
    expect(got, "differences of a view of x").equals(np.eye(2), why=why, rtol=1e-5, atol=1e-7)


@exercise("differences", torch=False)
def test_differences_of_a_chosen_output(tt, expect):
    x = leaf(tt, [2.0], "float64")
    got = tt.autograd.differences(lambda a: (a, a * 3), (x,), x, 1, EPS)
    expect(got, "differences of output 1 of (a, 3 a)").equals(
        np.array([[3.0]]), why="`number` says which output", rtol=1e-5
    )


# gradcheck


def planted(tt, slope):
    """a * a with a backward that says g * slope(a)."""

    class Planted(tt.autograd.Function):
        @staticmethod
        def forward(ctx, a):
            ctx.save_for_backward(a)
            return a * a

        @staticmethod
        def backward(ctx, g):
            (a,) = ctx.saved_tensors
            return g * slope(a)

    return Planted.apply


@exercise(
    "gradcheck",
    points=2,
    hints=(
        "Two tables for each pair of an output and an input, one by differences, one by backward. When do they agree?",
        "inputs may be a single tensor, and so may what func returns: `as_tuple` of both. Loop over "
        "`enumerate(as_tuple(func(*inputs)))`, inside over the inputs that are tensors with requires_grad.",
        "`close = np.isclose(jacobian(out, x), differences(func, inputs, x, number, eps), rtol, atol)`; an output that "
        "does not require grad is left out. Not all close: raise or return False. At the end: True.",
    ),
)
def test_gradcheck_right(tt, expect):
    x, y = leaf(tt, [1.5, -2.0], "float64"), leaf(tt, [0.5, 3.0], "float64")
    got = tt.autograd.gradcheck(lambda a, b: (a * a / b).exp(), (x, y))
    expect(got, "gradcheck of exp(a * a / b)").equals(True, why="both gradients are right")


@exercise("gradcheck", points=2)
def test_gradcheck_finds_a_wrong_gradient(tt, expect):
    x = leaf(tt, [1.5, -2.0], "float64")
    why = "backward says 3 a where 2 a is right"
    with expect.raises(
        RuntimeError, call="gradcheck of a * a whose backward says g * 3 a", mentions=("Jacobian",), why=why
    ):
        tt.autograd.gradcheck(planted(tt, lambda a: 3 * a), (x,))
    got = tt.autograd.gradcheck(planted(tt, lambda a: 3 * a), (x,), raise_exception=False)
    expect(got, "the same with raise_exception=False").equals(False, why=why)


@exercise("gradcheck", points=2)
def test_gradcheck_looks_everywhere(tt, expect):
    x, y = leaf(tt, [1.5, -2.0], "float64"), leaf(tt, [0.5, 3.0], "float64")
    right, wrong = planted(tt, lambda a: 2 * a), planted(tt, lambda a: 2 * a + 0.01)
    why = "the first input's gradient is right, the second one's is not: check every input"
    got = tt.autograd.gradcheck(lambda a, b: right(a) + wrong(b), (x, y), raise_exception=False)
    expect(got, "gradcheck of right(a) + wrong(b)").equals(False, why=why)
    why = "the first output's gradient is right, the second one's is not: check every output"
    got = tt.autograd.gradcheck(lambda a: (right(a), wrong(a)), (x,), raise_exception=False)
    expect(got, "gradcheck of (right(a), wrong(a))").equals(False, why=why)
    said, why = ("output 1", "input 0"), "say which output and which input do not agree: mismatch(number, place, ...)"
    with expect.raises(RuntimeError, call="gradcheck of (right(a), wrong(a))", mentions=said, why=why):
        tt.autograd.gradcheck(lambda a: (right(a), wrong(a)), (x,))
    steep = planted(tt, lambda a: (a < 0) * 0.001 + 2 * a)
    why = "one wrong element is enough: all of them must be close"
    z = leaf(tt, [1.5, -0.1, 2.0], "float64")
    expect(tt.autograd.gradcheck(steep, (z,), raise_exception=False), "gradcheck, one element of three wrong").equals(
        False, why=why
    )


@exercise("gradcheck")
def test_gradcheck_leaves_constants_out(tt, expect):
    x, c = leaf(tt, [1.5, -2.0], "float64"), tt.tensor(np.array([3.0, 4.0]))
    why = "a constant, and a number, have no gradient to check"
    expect(tt.autograd.gradcheck(lambda c, a: c * a * a, (c, x)), "gradcheck(f, (c, x))").equals(True, why=why)
    why = "nothing to check is a mistake of the caller, not a success"
    with expect.raises(ValueError, call="gradcheck(f, (c,)), c without requires_grad", why=why):
        tt.autograd.gradcheck(lambda a: a * a, (c,))


@exercise("gradcheck")
def test_gradcheck_of_a_single_tensor(tt, expect):
    x, call = leaf(tt, [1.5, -2.0], "float64"), "gradcheck(f, x), one input without a tuple"
    why = "inputs may be a single tensor, which is one input: inputs = as_tuple(inputs)"
    try:
        got = tt.autograd.gradcheck(planted(tt, lambda a: 2 * a), x)
    except NotImplementedError:
        raise
    except (RuntimeError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise CheckFailed(call, "True", f"{type(error).__name__}: {error}", "", why) from error
    expect(got, call).equals(True, why=why)


@exercise("gradcheck")
def test_gradcheck_tolerances(tt, expect):
    x = leaf(tt, [1.5, -2.0], "float64")
    off = planted(tt, lambda a: 2 * a + 0.01)
    why = "atol and rtol say how close is close enough: 0.01 off is fine with atol=0.1"
    got = tt.autograd.gradcheck(off, (x,), atol=0.1, raise_exception=False)
    expect(got, "gradcheck(f, (x,), atol=0.1), f 0.01 off").equals(True, why=why)
    got = tt.autograd.gradcheck(off, (x,), rtol=0.1, raise_exception=False)
    expect(got, "gradcheck(f, (x,), rtol=0.1), f 0.01 off").equals(True, why=why)
    cube = lambda a: a * a * a  # noqa: E731
    why = "eps is the nudge: a large one makes differences of a curve coarse"
    got = tt.autograd.gradcheck(cube, (x,), eps=0.5, raise_exception=False)
    expect(got, "gradcheck(a * a * a, (x,), eps=0.5)").equals(False, why=why)


# add_hook


@exercise(
    "add_hook",
    points=2,
    hints=(
        "Where does a gradient of this tensor arrive: at its node, or, for a leaf, at the leaf itself?",
        "An entry is (tensor.output_nr, hook); hook takes and returns an array. Put it at the end of `target.hooks`.",
        "Inside hook: call function on `tensor._wrap(grad)`; None means the gradient goes on as it was.",
    ),
)
def test_hook_sees_and_changes(tt, expect):
    x, seen = leaf(tt, A), []
    y = x * 2
    y.register_hook(lambda g: seen.append(g.tolist()))
    y.register_hook(lambda g: g * 10)
    why = "what a hook returns goes on instead; None leaves the gradient as it is"
    back("y.backward(g), two hooks on y, the first returns None", y, tt.tensor(f32(G)), why)
    expect(seen, "what the first hook saw").equals([G.tolist()], why="a hook is called with the gradient, a tensor")
    why = "what a hook returns goes on instead; None leaves the gradient as it is"
    expect(x.grad, "x.grad, y = x * 2, a hook on y returns 10 g").equals(f32(20 * G), why=why)


@exercise("add_hook")
def test_hook_on_a_leaf(tt, expect):
    x = leaf(tt, A)
    x.register_hook(lambda g: -g)
    back("(x * 2).backward(g)", x * 2, tt.tensor(f32(G)))
    expect(x.grad, "x.grad, a hook on x returns -g").equals(f32(-2 * G), why="a leaf has hooks of its own")


@exercise("add_hook")
def test_hook_can_be_removed(tt, expect):
    x = leaf(tt, A)
    handle = x.register_hook(lambda g: -g)
    why = "the handle takes this hook away again: return RemovableHandle(target, entry)"
    if handle is None:
        raise CheckFailed("x.register_hook(...)", "a handle", "None; did you forget `return`?", "", why)
    handle.remove()
    back("(x * 2).backward(g)", x * 2, tt.tensor(f32(G)))
    expect(x.grad, "x.grad after handle.remove()").equals(f32(2 * G), why=why)


@exercise("add_hook")
def test_hook_needs_a_gradient(tt, expect):
    why = "no gradient will ever arrive there: RuntimeError"
    with expect.raises(RuntimeError, call="register_hook on a constant", why=why):
        tt.tensor([1.0]).register_hook(lambda g: g)


# retain_grad


@exercise(
    "retain_grad",
    points=2,
    hints=(
        "The node must hand the gradient to its output. But who may keep whom alive?",
        "Put (tensor.output_nr, keep) into `tensor.grad_fn.keepers`; keep adds to the tensor's grad and returns grad.",
        "A node must not hold its output: keep a `weakref.ref(tensor)` and look whether it is still there. "
        "Do nothing for a leaf, and nothing the second time.",
    ),
)
def test_retain_keeps_the_gradient_of_the_middle(tt, expect):
    x = leaf(tt, A)
    y = x * 2
    y.retain_grad()
    back("(y * 3).backward(g)", y * 3, tt.tensor(f32(G)), "keep must return the gradient, so that it goes on")
    expect(y.grad, "y.grad after y.retain_grad()").equals(
        f32(3 * G), why="the gradient that arrived at y is kept in y.grad"
    )
    expect(x.grad, "x.grad").equals(f32(6 * G), why="and it goes on: keep returns it")


@exercise("retain_grad")
def test_retain_twice_counts_once(tt, expect):
    y = leaf(tt, A) * 2
    y.retain_grad()
    y.retain_grad()
    back("(y * 3).backward(g)", y * 3, tt.tensor(f32(G)))
    expect(y.grad, "y.grad after two calls of retain_grad").equals(f32(3 * G), why="asking twice must not add it twice")


@exercise("retain_grad")
def test_retain_of_a_leaf(tt, expect):
    x = leaf(tt, A)
    x.retain_grad()
    back("(x * 3).backward(g)", x * 3, tt.tensor(f32(G)))
    expect(x.grad, "x.grad of a leaf after x.retain_grad()").equals(f32(3 * G), why="a leaf has its gradient anyway")


@exercise("retain_grad", torch=False)
def test_retain_holds_nothing_alive(tt, expect):
    y = leaf(tt, A) * 2
    y.retain_grad()
    node, there = y.grad_fn, weakref.ref(y)
    gc.disable()
    try:
        del y
        alive = there() is not None
    finally:
        gc.enable()
    why = "the node would keep its output alive, and the output the node: hold it by a weakref"
    expect(alive, "is y alive when only its node is left").equals(False, why=why)
    expect(len(node.keepers), "number of keepers").equals(1, why="one entry for one tensor")


# _Checkpoint.backward


def checkpoint(tt, *arguments):
    """PyTorch and we have it at the same place."""
    return tt.utils.checkpoint.checkpoint(*arguments, use_reentrant=False)


@exercise(
    "_Checkpoint.backward",
    points=3,
    hints=(
        "The graph inside was thrown away. How do you get it back?",
        "`self.run()`, recording, gives (result, copies of the arguments). Walk back from the result to the copies "
        "and to `self.parameters`.",
        "Random numbers must repeat: set the generator's state to self.state (unless it is None), and put the present "
        "one back afterwards.",
        "`run_backward(outputs, grads, False, wanted)` gives one gradient for each wanted edge; a place whose edge is "
        "None gets None.",
    ),
)
def test_checkpoint_gradients(tt, expect):
    x, w = leaf(tt, A), leaf(tt, B)
    y = checkpoint(tt, lambda a: (a * w).exp() * w, x * 0.1)
    why = "one place for each argument and for each of self.parameters, in this order: w is no argument, but f uses it"
    back("checkpoint(f, 0.1 x).backward(g)", y, tt.tensor(f32(G)), why)
    e = np.exp(0.1 * A * B)
    why = "the gradient of the argument, found by running f again"
    expect(x.grad, "x.grad").equals(f32(0.1 * G * e * B * B), why=why, rtol=1e-4)
    why = "w is no argument, but f uses it: self.parameters get gradients, too"
    expect(w.grad, "w.grad").equals(f32(G * e * (1 + 0.1 * A * B)), why=why, rtol=1e-4)


@exercise("_Checkpoint.backward")
def test_checkpoint_runs_again_once(tt, expect):
    x, modes = leaf(tt, A), []

    def f(a):
        modes.append(tt.is_grad_enabled())
        return a * a

    y = checkpoint(tt, f, x)
    back("checkpoint(f, x).backward(g)", y, tt.tensor(f32(G)))
    expect(x.grad, "x.grad").equals(f32(2 * A * G), why="f is a * a")
    expect(modes, "calls of f, with recording on or off").equals(
        [True, True], why="once forward, once more in backward"
    )


@exercise("_Checkpoint.backward", torch=False)
def test_checkpoint_repeats_random_numbers(tt, expect):
    x = leaf(tt, A)
    tt.manual_seed(3)
    y = checkpoint(tt, lambda a: a * tt.rand(2, 3), x)
    after = tt.rand(2).tolist()
    back("checkpoint(f, x).backward(g), f multiplies by random numbers", y, tt.tensor(f32(G)))
    later = tt.rand(2).tolist()
    tt.manual_seed(3)
    factors = tt.rand(2, 3).numpy()
    why = "the second run must draw the numbers of the first: set the generator's state to self.state"
    expect(x.grad, "x.grad").equals(factors * f32(G), why=why)
    why = "the program's own random numbers go on as if nothing had happened: put the state back"
    expect([after, later], "random numbers before and after backward").equals(
        [tt.rand(2).tolist(), tt.rand(2).tolist()], why=why
    )


@exercise("_Checkpoint.backward")
def test_checkpoint_with_constants(tt, expect):
    x, c = leaf(tt, A), tt.tensor(f32(B))
    y = checkpoint(tt, lambda c, k, a: c * a * k, c, 3.0, x)
    why = "arguments that want no gradient get None, in their place; run_backward is asked for the other edges only"
    back("checkpoint(f, c, 3.0, x).backward(g)", y, tt.tensor(f32(G)), why)
    expect(x.grad, "x.grad").equals(f32(3 * B * G), why=why)
    expect(c.grad, "c.grad").equals(None, why=why)


@exercise("_Checkpoint.backward")
def test_checkpoint_inside_no_grad(tt, expect):
    x = leaf(tt, A)
    y = checkpoint(tt, lambda a: a * a, x)
    why = "the second run must be recorded even where recording is off: with enable_grad()"
    with tt.no_grad():
        back("y.backward(g) inside no_grad, y = checkpoint(f, x)", y, tt.tensor(f32(G)), why)
    if x.grad is None:
        raise CheckFailed("x.grad after y.backward(g) inside no_grad", "a gradient", "None", "", why)
    expect(x.grad, "x.grad after y.backward(g) inside no_grad").equals(f32(2 * A * G), why=why)


@exercise("_Checkpoint.backward", torch=False)
def test_checkpoint_of_several_results(tt, expect):
    x, c = leaf(tt, A), tt.tensor(f32(B))
    first, constant, second = checkpoint(tt, lambda a: (a * 2, c * 3, a * a), x)
    back("(first + second).backward(g) of a checkpoint with three results", first + second, tt.tensor(f32(G)))
    why = "two of three results are in a graph, and each has a gradient of its own"
    expect(x.grad, "x.grad").equals(f32(2 * G + 2 * A * G), why=why)
    expect(constant.requires_grad, "requires_grad of a result that is made of constants").equals(False)

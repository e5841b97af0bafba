"""Checks of module 03, Layers, in the order of the lesson.

Until an exercise has written the way to look a part up, a check looks into the tables with `vars`. A check of one
exercise uses only that exercise, earlier ones, and what the package gives; nothing here needs a gradient.
"""

import contextlib
import math
import sys
from collections import OrderedDict

import numpy as np

from checks import CheckFailed, exercise

W = np.array([[1.5, -2.0, 3.0], [4.0, 0.5, -6.0]], np.float32)  # (2, 3): two outputs, three inputs
B = np.array([0.25, -7.0], np.float32)
X = (np.arange(15, dtype=np.float32).reshape(5, 3) * 7 % 16 - 6.5).astype(np.float32)  # unsorted, unequal
CUBE = (np.arange(30, dtype=np.float32).reshape(2, 3, 5) * 7 % 31 - 14.5).astype(np.float32)
TABLES = ("_parameters", "_modules", "_buffers")


def f32(values):
    """A float32 array."""
    return np.array(values, np.float32)


def array_of(x):
    """The numbers of a tensor of either library."""
    return x.detach().numpy()


def parameter(tt, values):
    """A Parameter with these float32 numbers."""
    return tt.nn.Parameter(tt.tensor(np.array(values, np.float32)))


def op_named(tt, name):
    """The op class `name` of modules.py; None for PyTorch, whose ops are not classes."""
    return getattr(sys.modules[tt.nn.Module.__module__], name, None)


def names(pairs):
    """First halves of pairs."""
    return [name for name, _ in pairs]


def where_is(module, name):
    """The tables in which a module holds this name, `vars` for an ordinary attribute."""
    found = [table for table in TABLES if name in vars(module)[table]]
    return found + ["vars"] * (name in vars(module))


def same_objects(expect, pairs, wanted, call, why):
    """Pairs (name, object) must be the wanted ones: names, order, and the very objects."""
    if pairs is None:
        expect(pairs, call).equals([name for name, _ in wanted], why=why)
    pairs = list(pairs)
    expect(names(pairs), f"names in {call}").equals(names(wanted), why=why)
    for (name, got), (_, want) in zip(pairs, wanted, strict=True):
        expect(got is want, f"is {name!r} in {call} the very object that was assigned").equals(True, why=why)


@contextlib.contextmanager
def allowed(call, why):
    """The block must not raise: what it does is fine, and `why` says so."""
    try:
        yield
    except (NotImplementedError, CheckFailed, RecursionError, NameError):
        raise  # a stub, a failed expectation, an endless loop, an unknown name: the card has words for each
    except Exception as error:
        raise CheckFailed(call, "no error", f"{type(error).__name__}: {error}", "", why) from error


def linear_net(tt):
    """A module with parts of every kind: own parameter, two buffers, children, one inside another, one shared."""

    class Head(tt.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = parameter(tt, W)
            self.absent = None

    class Net(tt.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = Head()
            self.inner, head = tt.nn.Module(), Head()
            vars(self)["_modules"]["inner"].head = head
            head.weight, head.bias = parameter(tt, W[::-1] * 2), parameter(tt, B)
            self.scale = parameter(tt, [2.5])
            vars(self)["_buffers"].update(steps=tt.tensor([3.0, 4.0]), cache=tt.tensor([9.0]))
            vars(self)["_non_persistent_buffers_set"].add("cache")
            vars(self)["_parameters"]["nothing"] = None
            vars(self)["_modules"]["nobody"] = None

    return Net()


def numbers(tt, shape, fill, **options):
    """The numbers that `fill` of `nn.init` puts into a tensor of zeros."""
    tt.manual_seed(17)
    x = tt.zeros(*shape)
    got = fill(x, **options)
    if got is None:
        raise CheckFailed(f"{fill.__name__}(x)", "x itself", "None; did you forget `return`?", "", "")
    return array_of(x)


def near(got, wanted, call, why, slack=0.04):
    """A number that depends on chance must lie within slack of the wanted one, relative to it (0: absolute)."""
    if not abs(got - wanted) <= slack * (abs(wanted) or 1.0):
        raise CheckFailed(call, f"about {wanted:.3g}", f"{got:.3g}", "", why)


def uniform_within(got, bound, call, why):
    """An array must look uniform between -bound and bound."""
    near(float(got.max()), bound, f"largest number of {call}", why, 0.01)
    near(float(got.min()), -bound, f"smallest number of {call}", why, 0.01)
    why = f"{why}; all numbers between the two ends are equally likely"
    near(float(got.std()), bound / math.sqrt(3), f"standard deviation of {call}", why)


# Parameter.__init__


@exercise(
    "Parameter.__init__",
    hints=(
        "A Parameter is a Tensor. What does the Tensor's own `__init__` do already?",
        "Hand `data` and `requires_grad` on with `super().__init__`; an array or a tensor is not copied there.",
        "When data is None, hand on an array without elements instead: `np.empty(0, np.float32)`.",
    ),
)
def test_parameter_is_a_tensor_that_requires_grad(tt, expect):
    with allowed("tt.nn.Parameter(x)", "a tensor is the usual argument"):
        got = tt.nn.Parameter(tt.tensor(W))
    expect(got, "tt.nn.Parameter(x)").is_instance(tt.Tensor, why="a Parameter is a Tensor")
    expect(array_of(got), "the numbers of tt.nn.Parameter(x)").equals(W, why="it holds the numbers of x")
    why = "requires_grad is True unless you say otherwise: a parameter is there to be learned"
    expect(got.requires_grad, "tt.nn.Parameter(x).requires_grad").equals(True, why=why)


@exercise("Parameter.__init__")
def test_parameter_shares_memory(tt, expect):
    x = tt.tensor(W)
    why = "a Parameter uses the memory of its data: a model of 28 GB must not need 56 while it is made"
    expect(tt.nn.Parameter(x), "tt.nn.Parameter(x)").shares_memory_with(x, why=why)


@exercise("Parameter.__init__")
def test_parameter_can_be_frozen(tt, expect):
    x = tt.tensor([1, 2, 3])
    call = "tt.nn.Parameter(x, requires_grad=False), x of int64"
    with allowed(call, "requires_grad=False must reach the Tensor: only floats can require a gradient"):
        got = tt.nn.Parameter(x, requires_grad=False)
    expect(got.requires_grad, f"{call}, .requires_grad").equals(False, why="the argument was False")
    expect(array_of(got), call).equals(np.array([1, 2, 3], np.int64), why="ints stay ints")


@exercise("Parameter.__init__")
def test_parameter_keeps_dtype(tt, expect):
    for name in ("float64", "float16"):
        x = tt.tensor(W, dtype=getattr(tt, name))
        expect(tt.nn.Parameter(x), f"tt.nn.Parameter(x), x of {name}").has_dtype(name, why="the dtype is that of x")


@exercise("Parameter.__init__")
def test_parameter_without_data(tt, expect):
    with allowed("tt.nn.Parameter()", "without data it is an empty float32 tensor"):
        got = tt.nn.Parameter()
    expect(got, "tt.nn.Parameter()").has_shape((0,), why="no data, no elements").has_dtype("float32")
    expect(got.requires_grad, "tt.nn.Parameter().requires_grad").equals(True, why="as with data")


# Module.__init__


@exercise(
    "Module.__init__",
    hints=(
        "What does a module have to remember, and what happens if two modules share one dict?",
        "Three empty dicts, one empty set, `training=True` and two `Hooks()`, new for each module.",
        "`self._parameters = {}` would run `__setattr__`, which is the next exercise. `vars(self)` is the dict in "
        "which Python keeps the attributes of self: write into it, for example with its method `update`.",
    ),
)
def test_module_init_goes_around_setattr(tt, expect):
    assigned = []

    class Watched(tt.nn.Module):
        def __setattr__(self, name, value):
            assigned.append(name)
            object.__setattr__(self, name, value)

    Watched()
    why = (
        "`self.x = ...` calls __setattr__, which is a stub until you write it next, in exercise 3, and cannot fill "
        "tables that are not there yet: put all attributes into vars(self), for example `vars(self)['training'] = "
        "True`, or set them with `object.__setattr__(self, name, value)`"
    )
    expect(assigned, "names that Module.__init__ assigns by `self.x = ...`").equals([], why=why)


@exercise("Module.__init__")
def test_module_starts_with_empty_tables(tt, expect):
    m = tt.nn.Module()
    for table in TABLES:
        got = vars(m).get(table, "nothing")
        expect(dict(got) if isinstance(got, dict) else got, f"vars(tt.nn.Module())[{table!r}]").equals(
            {}, why=f"each module needs the table `{table}`, an empty dict at first"
        )
    got = vars(m).get("_non_persistent_buffers_set", "nothing")
    why = "the names of buffers that are not saved: an empty set at first"
    expect(got, "vars(tt.nn.Module())['_non_persistent_buffers_set']").equals(set(), why=why)


@exercise("Module.__init__")
def test_module_has_tables_of_its_own(tt, expect):
    one, other = tt.nn.Module(), tt.nn.Module()
    for table in (*TABLES, "_non_persistent_buffers_set"):
        shared = vars(one).get(table, 1) is vars(other).get(table, 2)
        why = "every module needs tables of its own, or the parameters of one would appear in all"
        expect(shared, f"do two modules share one `{table}`").equals(False, why=why)
    again = {id(vars(one).get(table)) for table in TABLES}
    why = "three dicts, not one dict under three names"
    expect(len(again), "number of different dicts among the three tables").equals(3, why=why)


@exercise("Module.__init__")
def test_module_starts_in_training(tt, expect):
    why = "a new module is in training mode: training is True, in vars(self)"
    expect(vars(tt.nn.Module()).get("training"), "vars(tt.nn.Module()).get('training')").equals(True, why=why)


@exercise("Module.__init__")
def test_module_can_be_called(tt, expect):
    class Double(tt.nn.Module):
        def forward(self, x):
            return x + x

    call = "Double()(x), whose forward returns x + x"
    with allowed(call, "`__call__` looks at _forward_pre_hooks and _forward_hooks: each is a Hooks() of its own"):
        got = Double()(tt.tensor(B))
    expect(got, call).equals(B + B, why="calling a module calls its forward")
    one, other = Double(), Double()
    for table in ("_forward_hooks", "_forward_pre_hooks"):
        shared = vars(one).get(table, 1) is vars(other).get(table, 2)
        expect(shared, f"do two modules share one `{table}`").equals(False, why="each module has Hooks of its own")
    why = "two kinds of hooks, two objects"
    expect(vars(one)["_forward_hooks"] is vars(one)["_forward_pre_hooks"], "are both kinds of hooks one object").equals(
        False, why=why
    )


# Module.__setattr__


@exercise(
    "Module.__setattr__",
    points=4,
    hints=(
        "What kind of thing is the value, and what has the name meant until now? Those are two questions.",
        "Settle first: which of the TABLES, if any, has this name now? `vars(self)` holds the tables; before "
        "`super().__init__()` it holds none, so ask with `.get(table, ())`.",
        "A Parameter or Module: find its table (AttributeError if it is not there yet), take the name out of every "
        "other place (the other two tables, vars(self), and the set of non-persistent buffers), put it in.",
        "Anything else: no table has the name: `object.__setattr__(self, name, value)`. One has it: None may go in, "
        "and into _buffers any Tensor; for the rest raise TypeError.",
    ),
)
def test_setattr_sorts_parameters_and_modules(tt, expect):
    m, child, p = tt.nn.Module(), tt.nn.Module(), parameter(tt, W)
    m.weight = p
    m.layer = child
    why = "a Parameter goes into the dict _parameters, and nowhere else"
    expect(where_is(m, "weight"), "where m.weight = Parameter(x) was put").equals(["_parameters"], why=why)
    expect(vars(m)["_parameters"]["weight"] is p, "is _parameters['weight'] the Parameter").equals(True, why=why)
    why = "a Module goes into the dict _modules, and nowhere else"
    expect(where_is(m, "layer"), "where m.layer = Module() was put").equals(["_modules"], why=why)
    expect(vars(m)["_modules"]["layer"] is child, "is _modules['layer'] the Module").equals(True, why=why)


@exercise("Module.__setattr__")
def test_setattr_leaves_the_rest_alone(tt, expect):
    m = tt.nn.Module()
    m.size = 3
    m.mean = tt.tensor(B)
    m.parts = [tt.nn.Module()]
    m.later = None
    m.training = False
    for name in ("size", "mean", "parts", "later", "training"):
        why = (
            "a number, a plain Tensor, a list or None is an ordinary attribute; only a Parameter or Module has a table"
        )
        expect(where_is(m, name), f"where m.{name} was put").equals(["vars"], why=why)
    expect(vars(m)["size"], "vars(m)['size'] after m.size = 3").equals(3)
    expect(vars(m)["training"], "vars(m)['training'] after m.training = False").equals(False)


@exercise("Module.__setattr__")
def test_setattr_replaces_in_place(tt, expect):
    m, last = tt.nn.Module(), parameter(tt, B)
    m.a, m.b = parameter(tt, W), parameter(tt, [2.5])
    m.a = last
    why = "a new Parameter under an old name takes its place: same table, same position"
    expect(list(vars(m)["_parameters"]), "names in _parameters after a, b, a were assigned").equals(["a", "b"], why=why)
    expect(vars(m)["_parameters"]["a"] is last, "is _parameters['a'] the last one assigned").equals(True, why=why)


@exercise("Module.__setattr__", points=2)
def test_setattr_takes_the_name_out_of_other_places(tt, expect):
    why = "a name means one thing: when it becomes a Parameter or Module, take it out of everywhere else"
    m = tt.nn.Module()
    m.part = 3
    m.part = parameter(tt, W)
    expect(where_is(m, "part"), "where m.part is after m.part = 3, m.part = Parameter(x)").equals(
        ["_parameters"], why=why
    )
    if op_named(tt, "Affine") is not None:  # PyTorch refuses a Module under the name of a Parameter
        m.part = tt.nn.Module()
        expect(where_is(m, "part"), "where m.part is after a Module replaced a Parameter").equals(["_modules"], why=why)
    m.child = tt.nn.Module()
    m.child = parameter(tt, B)
    expect(where_is(m, "child"), "where m.child is after a Parameter replaced a Module").equals(
        ["_parameters"], why=why
    )
    vars(m)["_buffers"]["cache"] = tt.tensor(B)
    vars(m)["_non_persistent_buffers_set"].add("cache")
    m.cache = parameter(tt, B)
    expect(where_is(m, "cache"), "where m.cache is after a Parameter replaced a buffer").equals(
        ["_parameters"], why=why
    )
    why = "the name no longer belongs to a buffer, so it leaves _non_persistent_buffers_set too"
    expect("cache" in vars(m)["_non_persistent_buffers_set"], "is 'cache' still in the set").equals(False, why=why)
    m.plain = 5
    m.plain = tt.nn.Module()
    why = "an ordinary attribute of the same name would hide the module"
    expect(where_is(m, "plain"), "where m.plain is after m.plain = 5, m.plain = Module()").equals(["_modules"], why=why)


@exercise("Module.__setattr__", points=2)
def test_setattr_guards_registered_names(tt, expect):
    m = tt.nn.Module()
    m.weight, m.layer = parameter(tt, W), tt.nn.Module()
    why = "a plain Tensor under a Parameter's name would silently stop being learned: TypeError"
    with expect.raises(TypeError, "m.weight = tt.tensor(...), where m.weight is a Parameter", ("weight",), why):
        m.weight = tt.tensor(W)
    expect(where_is(m, "weight"), "where m.weight is after the refused assignment").equals(["_parameters"])
    why = "a number under a child module's name would cut the child off: TypeError"
    with expect.raises(TypeError, "m.layer = 3, where m.layer is a Module", ("layer",), why):
        m.layer = 3
    why = "None may stand for a part that is not there: the name stays in its table"
    with allowed("m.weight = None", why):
        m.weight = None
        m.layer = None
    expect(where_is(m, "weight"), "where m.weight is after m.weight = None").equals(["_parameters"], why=why)
    expect(where_is(m, "layer"), "where m.layer is after m.layer = None").equals(["_modules"], why=why)
    expect(vars(m)["_parameters"].get("weight", 0), "_parameters['weight'] after m.weight = None").equals(None)


@exercise("Module.__setattr__")
def test_setattr_of_buffers(tt, expect):
    m = tt.nn.Module()
    vars(m)["_buffers"]["steps"] = tt.tensor([0.0])
    why = "a name in _buffers takes any Tensor, and it stays a buffer"
    with allowed("m.steps = tt.tensor([7.0]), m.steps a buffer", why):
        m.steps = tt.tensor([7.0])
    expect(where_is(m, "steps"), "where m.steps is after m.steps = tt.tensor([7.0])").equals(["_buffers"], why=why)
    expect(vars(m)["_buffers"]["steps"], "_buffers['steps']").equals(f32([7.0]), why=why)
    with expect.raises(TypeError, "m.steps = 3, m.steps a buffer", ("steps",), "a buffer is a Tensor or None"):
        m.steps = 3
    m.steps = None
    expect(where_is(m, "steps"), "where m.steps is after m.steps = None").equals(["_buffers"], why="None is allowed")


@exercise("Module.__setattr__")
def test_setattr_before_init(tt, expect):
    class Forgot(tt.nn.Module):
        def __init__(self, value):
            self.size = 3
            self.part = value

    why = "without super().__init__() there is no table to put it into; the message says what was forgotten"
    for what, value in (("Parameter", parameter(tt, B)), ("Module", tt.nn.Module())):
        call = f"self.part = {what}(...) in an __init__ that does not call super().__init__()"
        with expect.raises(AttributeError, call, ("Module.__init__()",), why):
            Forgot(value)
    why = "an ordinary attribute needs no table, so it may be set before super().__init__()"
    with allowed("self.size = 3; self.part = 4 before super().__init__()", why):
        Forgot(4)


# Module.__getattr__


@exercise(
    "Module.__getattr__",
    points=2,
    hints=(
        "Python asks this method only when it found no ordinary attribute. Where else can the name be?",
        "Look into the three tables in turn. Inside this method `self._parameters` may call this method again, "
        "without end; `vars(self)` never does.",
        "For each table in TABLES: is the name in `vars(self).get(table, ())`? Then return it. After the loop raise "
        "AttributeError with the names of the class and of the attribute.",
    ),
)
def test_getattr_finds_parts(tt, expect):
    m = linear_net(tt)
    for table, name in (("_parameters", "scale"), ("_modules", "first"), ("_buffers", "steps")):
        with allowed(f"m.{name}", f"the name is in {table}"):
            got = getattr(m, name)
        if got is None:
            expect(got, f"m.{name}").is_instance(object)
        want = vars(m)[table][name]
        why = f"an attribute that was put into {table} is found there, the very object"
        expect(got is want, f"is m.{name} what {table} holds").equals(True, why=why)


@exercise("Module.__getattr__")
def test_getattr_chains(tt, expect):
    m = linear_net(tt)
    with allowed("m.inner.head.bias", "each dot asks the next module"):
        got = m.inner.head.bias
    expect(array_of(got), "m.inner.head.bias").equals(B, why="each dot asks the next module")


@exercise("Module.__getattr__")
def test_getattr_of_none(tt, expect):
    m = linear_net(tt)
    why = "a name that is registered with None is there, and is None: ask whether the name is in the table"
    with allowed("m.nothing, registered as None", why):
        got = m.nothing
    expect(got, "m.nothing, registered as None").equals(None, why=why)


@exercise("Module.__getattr__", points=2)
def test_getattr_of_a_typo(tt, expect):
    m = linear_net(tt)
    why = "a name that is nowhere must raise AttributeError, or a typo would give None and fail much later"
    with expect.raises(AttributeError, "m.wieght", ("Net", "wieght"), why):
        m.wieght  # noqa: B018
    expect(hasattr(m, "bias"), "hasattr(m, 'bias'), which m does not have").equals(False, why=why)
    expect(getattr(m, "bias", 7), "getattr(m, 'bias', 7)").equals(7, why=why)


@exercise("Module.__getattr__")
def test_getattr_before_init(tt, expect):
    m = tt.nn.Module.__new__(tt.nn.Module)
    why = "before super().__init__() there are no tables, and asking self for one would ask this method again"
    with expect.raises(AttributeError, "m.weight before Module.__init__", ("weight",), why):
        m.weight  # noqa: B018


# Module.named_modules


def tree(tt):
    """A module with children a (which has x and y) and b; b is also inside y, under the name of z."""
    m, a, b, x, y = (tt.nn.Module() for _ in range(5))
    m.a, m.b = a, b
    a.x, a.y = x, y
    y.z = b
    vars(m)["_modules"]["none"] = None
    return m, a, b, x, y


@exercise(
    "Module.named_modules",
    points=3,
    hints=(
        "A module knows only its own children. How can it name its grandchildren?",
        "Yield this module itself first, under prefix. Then each child yields its own part of the list: "
        "`yield from module.named_modules(...)` with the longer prefix.",
        "A module that was yielded must not come again: memo is a set that all calls share. Make it at the top "
        "call only, hand it down, and return at once if self is in it.",
        "The prefix of a child is its name, with `prefix` and a dot in front unless prefix is empty. Children that are "
        "None are left out; unless remove_duplicate, nothing is put into memo.",
    ),
)
def test_named_modules_in_order(tt, expect):
    m, a, b, x, y = tree(tt)
    wanted = [("", m), ("a", a), ("a.x", x), ("a.y", y), ("a.y.z", b)]
    why = "itself under '', then each child with all inside it, in the order of assignment; names joined by dots"
    with allowed("m.named_modules()", "children that are None are left out"):
        got = m.named_modules()
        got = got if got is None else list(got)
    same_objects(expect, got, wanted, "m.named_modules()", why)


@exercise("Module.named_modules")
def test_named_modules_prefix(tt, expect):
    m = tree(tt)[0]
    why = "this module is named prefix, and the names of all inside begin with prefix and a dot"
    expect(names(m.named_modules(prefix="net")), "names in m.named_modules(prefix='net')").equals(
        ["net", "net.a", "net.a.x", "net.a.y", "net.a.y.z"], why=why
    )


@exercise("Module.named_modules")
def test_named_modules_shared(tt, expect):
    m = tree(tt)[0]
    why = "a module that is inside twice comes once, under the name that is reached first, however deep"
    expect(names(m.named_modules()).count("b"), "how often 'b', which came as 'a.y.z', is named").equals(0, why=why)
    got = names(m.named_modules(remove_duplicate=False))
    why = "remove_duplicate=False names every place, at every depth"
    expect(got, "names in m.named_modules(remove_duplicate=False)").equals(
        ["", "a", "a.x", "a.y", "a.y.z", "b"], why=why
    )
    again = names(m.named_modules())
    why = "each call starts with a memo of its own; a default `memo=set()` would remember the last call"
    expect(len(again), "number of modules the second time").equals(5, why=why)


@exercise("Module.named_modules")
def test_named_modules_memo(tt, expect):
    m, a, b, x, _ = tree(tt)
    memo = {a}
    why = "a module in memo is skipped, with everything inside it"
    expect(names(m.named_modules(memo)), "names in m.named_modules({a})").equals(["", "b"], why=why)
    why = "what was yielded is in memo afterwards, so that several calls can share it"
    expect(memo == {m, a, b}, "is memo {m, a, b} afterwards").equals(True, why=why)
    empty = set()
    list(m.named_modules(empty))
    why = "a set that is given is used, an empty one too: `memo is None` asks whether there is one, `not memo` does not"
    expect(len(empty), "size of s after m.named_modules(s), s empty before").equals(5, why=why)
    list(m.named_modules(kept := {x}, remove_duplicate=False))
    why = "with remove_duplicate=False nothing is put into memo"
    expect(kept == {x}, "is memo as before after m.named_modules({x}, remove_duplicate=False)").equals(True, why=why)


# Module._named_members


@exercise(
    "Module._named_members",
    points=2,
    hints=(
        "`named_modules` already walks through everything. What is left to do for each module it names?",
        "Without recurse there is one module, self, under prefix. With it, `self.named_modules(None, prefix, "
        "remove_duplicate)` gives them all.",
        "For each (name, tensor) in `vars(module)[table]`: leave out None and what was seen already. Compare by "
        "`id(tensor)`, since == on tensors compares numbers.",
        "Yield the module's path, a dot and the name; the name alone where the path is empty.",
    ),
)
def test_members_of_all_modules(tt, expect):
    m = linear_net(tt)
    first, head = vars(m)["_modules"]["first"], m.inner.head
    wanted = [("scale", m.scale), ("first.weight", first.weight)]
    wanted += [("inner.head.weight", head.weight), ("inner.head.bias", head.bias)]
    why = "own parameters first, then those of each module inside, named by the way to them; None is left out"
    with allowed(
        "m.named_parameters()", "the same tensor again? Ask id(tensor): == and `in` compare numbers, not objects"
    ):
        got = m.named_parameters()
        got = got if got is None else list(got)
    same_objects(expect, got, wanted, "m.named_parameters()", why)
    why = "named_buffers reads the table _buffers in the same way"
    same_objects(expect, list(m.named_buffers()), [("steps", m.steps), ("cache", m.cache)], "m.named_buffers()", why)


@exercise("Module._named_members")
def test_members_without_recursion(tt, expect):
    m = linear_net(tt)
    why = "recurse=False: only what m itself holds"
    expect(names(m.named_parameters(recurse=False)), "names in m.named_parameters(recurse=False)").equals(
        ["scale"], why=why
    )
    why = "the prefix goes in front, without recursion too"
    expect(names(m.named_parameters("net", recurse=False)), "names in m.named_parameters('net', recurse=False)").equals(
        ["net.scale"], why=why
    )


@exercise("Module._named_members")
def test_members_prefix(tt, expect):
    why = "the prefix and a dot stand in front of every name"
    expect(names(linear_net(tt).named_parameters(prefix="net")), "names in m.named_parameters(prefix='net')").equals(
        ["net.scale", "net.first.weight", "net.inner.head.weight", "net.inner.head.bias"], why=why
    )


@exercise("Module._named_members", points=2)
def test_members_tied(tt, expect):
    m = linear_net(tt)
    m.inner.head.weight = m.first.weight
    why = "a tensor that is used in two places comes once, by its first name: it must be updated once"
    expect(names(m.named_parameters()), "names in m.named_parameters(), one weight in two modules").equals(
        ["scale", "first.weight", "inner.head.bias"], why=why
    )
    why = "remove_duplicate=False gives every name"
    expect(names(m.named_parameters(remove_duplicate=False)), "names with remove_duplicate=False").equals(
        ["scale", "first.weight", "inner.head.weight", "inner.head.bias"], why=why
    )
    m.extra = m.inner
    got = names(m.named_parameters(remove_duplicate=False))
    why = "remove_duplicate=False goes to named_modules too: a module in two places gives its parameters twice"
    expect(len(got), "number of names with m.extra = m.inner and remove_duplicate=False").equals(6, why=why)


@exercise("Module._named_members")
def test_members_equal_but_not_the_same(tt, expect):
    m = tt.nn.Module()
    m.a, m.b, m.c = parameter(tt, [1.5]), parameter(tt, [1.5]), parameter(tt, W)
    why = "two parameters with equal numbers are two parameters: compare by identity"
    with allowed("m.named_parameters(), a and b with equal numbers", why):
        got = names(m.named_parameters())
    expect(got, "names in m.named_parameters(), a and b with equal numbers").equals(["a", "b", "c"], why=why)


# Affine.forward


def check_linear(tt, expect, x, weight, bias, want, call, why):
    """nn.functional.linear of arrays against the wanted array."""
    tensors = [tt.tensor(x), tt.tensor(weight), None if bias is None else tt.tensor(bias)]
    with allowed(call, why):
        got = tt.nn.functional.linear(*tensors)
    expect(got, call).equals(want, why=why, rtol=1e-4, atol=1e-5)


@exercise(
    "Affine.forward",
    points=2,
    hints=(
        "For one row x: each output is the sum of x times one row of weight, plus one number of bias.",
        "`MatMul.multiply(rows, weight.T)` does all rows at once, when x is a matrix. For more or fewer dimensions "
        "make it one first and give the result its leading sizes back.",
        "`x.reshape(-1, n)` cannot infer -1 when there are no elements; `math.prod(x.shape[:-1])` is the number of "
        "rows in every case.",
        "Compare the dtypes and `rows.shape[1]` with `weight.shape[1]` before you multiply, and raise RuntimeError; "
        "afterwards `out += bias` needs no second array.",
    ),
)
def test_affine_values(tt, expect):
    want = f32([[sum(row[k] * W[j][k] for k in range(3)) + B[j] for j in range(2)] for row in X])
    call = "linear(x, weight, bias), shapes (5, 3), (2, 3), (2,)"
    why = "out[i, j] is the sum of x[i, k] * weight[j, k] over k, plus bias[j]"
    x, w, b = tt.tensor(X), tt.tensor(W), tt.tensor(B)
    inputs = zip((x, w, b), ("x", "weight", "bias"), strict=True)
    with contextlib.ExitStack() as stack:
        for tensor, name in inputs:
            stack.enter_context(expect.unchanged(tensor, f"{name} after {call}"))
        stack.enter_context(allowed(call, why))
        got = tt.nn.functional.linear(x, w, b)
    expect(got, call).equals(want, why=why)
    check_linear(tt, expect, X, W, None, want - B, "linear(x, weight), no bias", "bias may be None: nothing is added")
    op = op_named(tt, "Affine")
    if op is not None:
        why = "forward works below tensors: it gets NumPy arrays and returns one"
        expect(op.forward(op(), X.copy(), W.copy(), B.copy()), "Affine.forward called with arrays").is_instance(
            np.ndarray, why=why
        )


@exercise("Affine.forward", points=2)
def test_affine_leading_dimensions(tt, expect):
    weight = f32(np.arange(20).reshape(4, 5) * 3 % 11 - 4.5)
    why = "every row of the last dimension is treated alike; all leading sizes stay: (2, 3, 5) becomes (2, 3, 4)"
    want = np.einsum("abk,jk->abj", CUBE, weight)
    check_linear(tt, expect, CUBE, weight, None, want, "linear(x, weight), shapes (2, 3, 5) and (4, 5)", why)
    why = "a single row has no leading sizes: (5,) becomes (4,)"
    check_linear(tt, expect, CUBE[0, 1], weight, None, want[0, 1], "linear(x, weight), shapes (5,) and (4, 5)", why)
    why = "a batch without rows gives a result without rows: -1 cannot be inferred there"
    empty = np.zeros((2, 0, 5), np.float32)
    check_linear(
        tt, expect, empty, weight, None, np.zeros((2, 0, 4), np.float32), "linear(x, weight), shape (2, 0, 5)", why
    )


@exercise("Affine.forward", torch=False)
def test_affine_is_one_product_of_two_matrices(tt, expect):
    op, product = op_named(tt, "Affine"), op_named(tt, "MatMul")
    kept, seen = vars(product)["multiply"], []

    def counting(a, b):
        seen.append([a.ndim, b.ndim])
        return a @ b

    product.multiply = staticmethod(counting)
    try:
        op.forward(op(), CUBE, np.ones((4, 5), np.float32))
    finally:
        product.multiply = kept
    call = "dimensions of what MatMul.multiply got in linear(x, weight), shapes (2, 3, 5) and (4, 5)"
    why = "one product of two matrices, by MatMul.multiply: module 17 puts a faster kernel for two matrices there"
    expect(seen, call).equals([[2, 2]], why=why)


@exercise("Affine.forward")
def test_affine_refuses_sizes(tt, expect):
    call = "linear(x, weight), shapes (5, 3) and (4, 2)"
    why = "rows of 3 numbers do not fit a weight for 2 inputs: RuntimeError that names both matrices, 5x3 and 2x4"
    with expect.raises(RuntimeError, call, ("5x3", "2x4"), why):
        tt.nn.functional.linear(tt.tensor(X), tt.zeros(4, 2))
    call = "linear(x, weight), shapes (2, 3, 5) and (4, 3)"
    with expect.raises(RuntimeError, call, ("6x5", "3x4"), "the last size counts, not a middle one"):
        tt.nn.functional.linear(tt.tensor(CUBE), tt.zeros(4, 3))


@exercise("Affine.forward")
def test_affine_dtypes(tt, expect):
    why = "float32 data and a float64 weight: PyTorch refuses, since a silent conversion would cost at every call"
    with expect.raises(RuntimeError, "linear(x, weight), float32 and float64", ("float32", "float64"), why):
        tt.nn.functional.linear(tt.tensor(X), tt.tensor(W, dtype=tt.float64))
    got = tt.nn.functional.linear(tt.tensor(X, dtype=tt.float64), tt.tensor(W, dtype=tt.float64))
    expect(got, "linear(x, weight), both float64").has_dtype("float64", why="the dtype is that of both")


@exercise("Affine.forward")
def test_affine_dtype_of_the_bias(tt, expect):
    call = "linear(x, weight, bias), bias of float64, the others float32"
    try:
        got = tt.nn.functional.linear(tt.tensor(X), tt.tensor(W), tt.tensor(B, dtype=tt.float64))
    except NotImplementedError:
        raise
    except RuntimeError:
        return  # as PyTorch does
    why = "`out + bias` would make all of it float64: add in place with `+=`, which converts, or raise RuntimeError"
    expect(got, call).has_dtype("float32", why=why)


# Linear


@exercise(
    "Linear",
    points=2,
    hints=(
        "What does a Linear own, and in which shape is the weight stored?",
        "`super().__init__()` first. Then the sizes, `self.weight = Parameter(Tensor(...))` of shape (out, in), the "
        "bias, and `self.reset_parameters()` last. `np.empty(shape, kind)` makes an array without filling it.",
        "Without a bias the name must exist all the same: `self.register_parameter('bias', None)`.",
        "reset_parameters: the bound is 1 / sqrt(in_features) for weight and bias alike; for each of "
        "`self.parameters(recurse=False)` write `default_generator.rng.uniform(...)` into `parameter.array[...]`.",
    ),
)
def test_linear_has_weight_and_bias(tt, expect):
    with allowed("tt.nn.Linear(3, 2)", "super().__init__() makes the tables for the parameters, so it comes first"):
        layer = tt.nn.Linear(3, 2)
    expect(names(layer.named_parameters()), "names of the parameters of tt.nn.Linear(3, 2)").equals(
        ["weight", "bias"], why="weight and bias are Parameters, assigned to attributes after super().__init__()"
    )
    why = "weight is stored (out_features, in_features): one row for each output"
    expect(layer.weight, "tt.nn.Linear(3, 2).weight").has_shape((2, 3), why=why).has_dtype("float32")
    expect(layer.bias, "tt.nn.Linear(3, 2).bias").has_shape((2,), why="one number for each output").has_dtype("float32")
    expect((layer.in_features, layer.out_features), "(layer.in_features, layer.out_features)").equals(
        (3, 2), why="the sizes are kept as attributes"
    )
    expect(layer.weight.requires_grad, "layer.weight.requires_grad").equals(True, why="it is to be learned")


@exercise("Linear")
def test_linear_forward(tt, expect):
    layer = tt.nn.Linear(3, 2)
    layer.weight, layer.bias = parameter(tt, W), parameter(tt, B)
    expect(layer(tt.tensor(X)), "layer(x), shape (5, 3)").equals(
        X @ W.T + B, why="x @ weight.T + bias, by `linear`", rtol=1e-4
    )
    expect(layer(tt.tensor(X[0])), "layer(x), shape (3,)").equals(X[0] @ W.T + B, why="one row alone", rtol=1e-4)


@exercise("Linear")
def test_linear_without_bias(tt, expect):
    layer = tt.nn.Linear(3, 2, bias=False)
    why = "bias=False: the attribute is None and no parameter"
    with allowed("tt.nn.Linear(3, 2, bias=False).bias", why):
        got = layer.bias
    expect(got, "tt.nn.Linear(3, 2, bias=False).bias").equals(None, why=why)
    expect(names(layer.named_parameters()), "names of its parameters").equals(["weight"], why=why)
    layer.weight = parameter(tt, W)
    expect(layer(tt.tensor(X)), "layer(x) without bias").equals(X @ W.T, why="nothing is added", rtol=1e-4)
    why = "registered as None: the name stays reserved for a Parameter, and an ordinary tensor is refused"
    with expect.raises(TypeError, "layer.bias = tt.zeros(2), made with bias=False", why=why):
        layer.bias = tt.zeros(2)


@exercise("Linear", points=2)
def test_linear_start_values(tt, expect):
    tt.manual_seed(3)
    layer = tt.nn.Linear(100, 400)
    why = "uniform within 1 / sqrt(in_features) = 0.1 (in, not out)"
    uniform_within(array_of(layer.weight), 0.1, "tt.nn.Linear(100, 400).weight", why)
    bias = array_of(layer.bias)
    why = "the bias starts uniform within the same bound, not at zero"
    near(float(np.abs(bias).max()), 0.095, "largest absolute number of tt.nn.Linear(100, 400).bias", why, 0.053)
    single = array_of(tt.nn.Linear(1, 400).weight)
    near(
        float(np.abs(single).max()), 0.98, "largest absolute number of tt.nn.Linear(1, 400).weight", "1 / sqrt(1)", 0.03
    )
    if op_named(tt, "Affine") is not None:  # PyTorch warns here
        with allowed("tt.nn.Linear(0, 2)", "a layer without inputs has nothing to divide by: 0 inputs count as 1"):
            tt.nn.Linear(0, 2)


@exercise("Linear")
def test_linear_seed_and_reset(tt, expect):
    tt.manual_seed(5)
    one, other = tt.nn.Linear(3, 2), tt.nn.Linear(3, 2)
    tt.manual_seed(5)
    again = tt.nn.Linear(3, 2)
    why = "the numbers come from default_generator, so that manual_seed repeats them"
    expect(array_of(again.weight), "weight after the same manual_seed").equals(array_of(one.weight), why=why)
    same = bool((array_of(other.weight) == array_of(one.weight)).all())
    expect(same, "do two layers made in a row start equal").equals(False, why="each layer draws its own numbers")
    weight, before = one.weight, array_of(one.weight).copy()
    one.reset_parameters()
    why = "reset_parameters writes new numbers into the parameters that exist"
    expect(one.weight is weight, "is layer.weight the same object after reset_parameters()").equals(True, why=why)
    expect(bool((array_of(weight) == before).any()), "is any number as before").equals(False, why=why)


@exercise("Linear")
def test_linear_dtype_and_repr(tt, expect):
    layer = tt.nn.Linear(3, 2, dtype=tt.float64)
    expect(layer.weight, "tt.nn.Linear(3, 2, dtype=tt.float64).weight").has_dtype("float64", why="dtype was given")
    expect(layer.bias, "tt.nn.Linear(3, 2, dtype=tt.float64).bias").has_dtype("float64", why="dtype was given")
    why = "extra_repr is what stands between the parentheses"
    expect(repr(tt.nn.Linear(3, 2)), "repr(tt.nn.Linear(3, 2))").equals(
        "Linear(in_features=3, out_features=2, bias=True)", why=why
    )
    expect(repr(tt.nn.Linear(3, 2, bias=False)), "repr(tt.nn.Linear(3, 2, bias=False))").equals(
        "Linear(in_features=3, out_features=2, bias=False)", why=why
    )


# normal_


@exercise(
    "normal_",
    hints=(
        "The trailing underscore says that the tensor itself is changed. What is returned?",
        "`_rng(generator)` is a NumPy generator, and its method `normal(mean, std, shape)` draws.",
        "`_set(tensor, values)` writes into the memory that is there, and returns the tensor.",
    ),
)
def test_normal_in_place(tt, expect):
    x = tt.zeros(3, 5)
    memory = array_of(x)
    got = tt.nn.init.normal_(x)
    why = "the tensor that came in is filled and returned"
    if got is None:
        expect(got, "normal_(x)").is_instance(tt.Tensor, why=why)
    expect(got is x, "does normal_(x) return x itself").equals(True, why=why)
    expect(x, "x after normal_(x)").shares_memory_with(memory, why="filled in place: the memory stays the same")
    expect(x, "x after normal_(x)").has_shape((3, 5)).has_dtype("float32", why="shape and dtype stay")


@exercise("normal_")
def test_normal_mean_and_spread(tt, expect):
    got = numbers(tt, (100, 200), tt.nn.init.normal_, mean=3.0, std=0.5)
    why = "mean shifts, std stretches: 20,000 numbers lie around 3 with a standard deviation (not a variance) of 0.5"
    near(float(got.mean()), 3.0, "mean of normal_(x, mean=3.0, std=0.5)", why)
    near(float(got.std()), 0.5, "standard deviation of normal_(x, mean=3.0, std=0.5)", why)
    why = "normal numbers have tails: about 1 in 20 lies beyond 2 standard deviations, as uniform ones never do"
    near(float((np.abs(got - 3.0) > 1.0).mean()), 0.0455, "share of numbers beyond 2 standard deviations", why, 0.2)


@exercise("normal_")
def test_normal_defaults(tt, expect):
    got = numbers(tt, (100, 200), tt.nn.init.normal_)
    near(float(got.mean()), 0.0, "mean of normal_(x)", "by default mean 0")
    near(float(got.std()), 1.0, "standard deviation of normal_(x)", "by default std 1")


@exercise("normal_")
def test_normal_generator(tt, expect):
    drawn = []
    for seed in (7, 7, 8):
        x = tt.zeros(3, 5)
        tt.nn.init.normal_(x, generator=tt.Generator().manual_seed(seed))
        drawn.append(array_of(x))
    why = "the generator that was given decides: equal seeds, equal numbers"
    expect(drawn[1], "normal_(x, generator=g) with the same seed").equals(drawn[0], why=why)
    expect(bool((drawn[2] == drawn[0]).any()), "are numbers of two seeds equal").equals(False, why=why)
    tt.manual_seed(4)
    one = array_of(tt.nn.init.normal_(tt.zeros(5)))
    tt.manual_seed(4)
    why = "without a generator the one of manual_seed is used"
    expect(array_of(tt.nn.init.normal_(tt.zeros(5))), "normal_(x) after the same manual_seed").equals(one, why=why)


# xavier_uniform_


@exercise(
    "xavier_uniform_",
    hints=(
        "Which variance is wanted, and how wide must a uniform distribution be to have it?",
        "Uniform numbers between -c and c have the variance c * c / 3. Set it equal to 2 * gain**2 / (in + out).",
        "c = gain * sqrt(6 / (fan_in + fan_out)); `fans(tensor)` gives both, and `uniform_` fills.",
    ),
)
def test_xavier_bound(tt, expect):
    got = numbers(tt, (350, 250), tt.nn.init.xavier_uniform_)
    why = "numbers up to c have the variance c² / 3, and it should be 2 / (350 + 250): c = 0.1"
    uniform_within(got, 0.1, "xavier_uniform_(x), shape (350, 250)", why)


@exercise("xavier_uniform_")
def test_xavier_gain(tt, expect):
    got = numbers(tt, (350, 250), tt.nn.init.xavier_uniform_, gain=3.0)
    why = "gain multiplies the numbers: bound 3 * 0.1"
    uniform_within(got, 0.3, "xavier_uniform_(x, gain=3.0), shape (350, 250)", why)


@exercise("xavier_uniform_")
def test_xavier_in_place_and_seeded(tt, expect):
    x = tt.zeros(4, 3)
    got = tt.nn.init.xavier_uniform_(x, generator=tt.Generator().manual_seed(9))
    why = "the tensor that came in is filled and returned"
    if got is None:
        expect(got, "xavier_uniform_(x)").is_instance(tt.Tensor, why=why)
    expect(got is x, "does xavier_uniform_(x) return x itself").equals(True, why=why)
    again = tt.nn.init.xavier_uniform_(tt.zeros(4, 3), generator=tt.Generator().manual_seed(9))
    expect(array_of(again), "xavier_uniform_ with the same generator").equals(
        array_of(x), why="generator= is passed on"
    )


@exercise("xavier_uniform_")
def test_xavier_needs_two_dimensions(tt, expect):
    why = "a bias has no fans: `fans` raises ValueError for fewer than two dimensions"
    with expect.raises(ValueError, "xavier_uniform_(x), shape (5,)", why=why):
        tt.nn.init.xavier_uniform_(tt.zeros(5))


# _kaiming_std


def kaiming_std_is(tt, std, why, **options):
    """kaiming_normal_ must give a (400, 100) weight this standard deviation."""
    got = float(numbers(tt, (400, 100), tt.nn.init.kaiming_normal_, **options).std())
    text = ", ".join(["w", *(f"{name}={value!r}" for name, value in options.items())])
    near(got, std, f"standard deviation of kaiming_normal_({text}), w of shape (400, 100)", why)


@exercise(
    "_kaiming_std",
    points=2,
    hints=(
        "Which of the two fans counts, and what does the nonlinearity take away that the gain must give back?",
        "`fans(tensor)` is (fan_in, fan_out); mode picks one. Any other mode raises ValueError.",
        "The standard deviation is the gain, `calculate_gain(nonlinearity, a)`, divided by the square root of the fan; "
        "a fan of 0 counts as 1.",
    ),
)
def test_kaiming_std_of_fan_in(tt, expect):
    why = "gain / sqrt(fan) = sqrt(2) / sqrt(100): the fan_in is 100, the number of inputs of (out, in)"
    kaiming_std_is(tt, math.sqrt(2) / 10, why, nonlinearity="relu")


@exercise("_kaiming_std")
def test_kaiming_std_of_fan_out(tt, expect):
    why = "mode='fan_out' divides by the square root of the 400 outputs: sqrt(2 / 400)"
    kaiming_std_is(tt, math.sqrt(2) / 20, why, mode="fan_out", nonlinearity="relu")


@exercise("_kaiming_std")
def test_kaiming_std_uses_the_gain(tt, expect):
    kaiming_std_is(tt, 1 / 10, "linear has gain 1, and 1 / sqrt(100) = 0.1", nonlinearity="linear")
    why = "a is the slope of leaky_relu: with slope 1 nothing is cut off and the gain is sqrt(2 / (1 + 1)) = 1"
    kaiming_std_is(tt, 1 / 10, why, a=1)
    kaiming_std_is(tt, 5 / 30, "tanh has gain 5 / 3", nonlinearity="tanh")


@exercise("_kaiming_std")
def test_kaiming_std_refuses_other_modes(tt, expect):
    why = "only fan_in and fan_out exist; a typo must not pass as one of them"
    for mode in ("fan_int", "out"):
        with expect.raises(ValueError, f"kaiming_normal_(w, mode={mode!r})", (mode,), why):
            tt.nn.init.kaiming_normal_(tt.zeros(4, 3), mode=mode)


@exercise("_kaiming_std")
def test_kaiming_std_without_inputs(tt, expect):
    with allowed("kaiming_normal_(w), shape (3, 0)", "a fan of 0 counts as 1, so that nothing is divided by 0"):
        got = tt.nn.init.kaiming_normal_(tt.zeros(3, 0))
    expect(got, "kaiming_normal_(w), shape (3, 0)").has_shape((3, 0))


# kaiming_uniform_


@exercise(
    "kaiming_uniform_",
    hints=(
        "You have the standard deviation. How far must uniform numbers reach to have it?",
        "Uniform numbers between -c and c have the standard deviation c / sqrt(3).",
        "Call `_kaiming_std(tensor, a, mode, nonlinearity)`, then `uniform_` between minus and plus sqrt(3) times it.",
    ),
)
def test_kaiming_uniform_bound(tt, expect):
    got = numbers(tt, (400, 150), tt.nn.init.kaiming_uniform_, nonlinearity="relu")
    why = "numbers up to c have the standard deviation c / sqrt(3), and it should be sqrt(2 / 150): c = 0.2"
    uniform_within(got, 0.2, "kaiming_uniform_(w, nonlinearity='relu'), shape (400, 150)", why)


@exercise("kaiming_uniform_")
def test_kaiming_uniform_options(tt, expect):
    got = numbers(tt, (600, 100), tt.nn.init.kaiming_uniform_, mode="fan_out", nonlinearity="relu")
    why = "mode goes to _kaiming_std: sqrt(6 / 600) = 0.1"
    uniform_within(got, 0.1, "kaiming_uniform_(w, mode='fan_out', nonlinearity='relu'), (600, 100)", why)
    got = numbers(tt, (300, 100), tt.nn.init.kaiming_uniform_, a=math.sqrt(5))
    why = "a goes to _kaiming_std: with a = sqrt(5) the bound is 1 / sqrt(fan_in) = 0.1, as in Linear"
    uniform_within(got, 0.1, "kaiming_uniform_(w, a=sqrt(5)), shape (300, 100)", why)


@exercise("kaiming_uniform_")
def test_kaiming_uniform_in_place_and_seeded(tt, expect):
    x = tt.zeros(4, 3)
    got = tt.nn.init.kaiming_uniform_(x, generator=tt.Generator().manual_seed(9))
    why = "the tensor that came in is filled and returned"
    if got is None:
        expect(got, "kaiming_uniform_(x)").is_instance(tt.Tensor, why=why)
    expect(got is x, "does kaiming_uniform_(x) return x itself").equals(True, why=why)
    again = tt.nn.init.kaiming_uniform_(tt.zeros(4, 3), generator=tt.Generator().manual_seed(9))
    expect(array_of(again), "kaiming_uniform_ with the same generator").equals(
        array_of(x), why="generator= is passed on"
    )


# Flatten.forward


@exercise(
    "Flatten.forward",
    hints=(
        "Which sizes stay, and which are multiplied together?",
        "`wrap_dim(dim, input.ndim)` turns -1 into the last dimension. The sizes before start and after end stay.",
        "Reshape to: the sizes before start, `math.prod` of the sizes from start to end (end included), the sizes "
        "after end. Raise RuntimeError first if end is before start.",
    ),
)
def test_flatten_keeps_the_batch(tt, expect):
    x = tt.tensor(CUBE)
    with expect.unchanged(x, "x after tt.nn.Flatten()(x)"):
        got = tt.nn.Flatten()(x)
    why = "all dimensions but the first are joined: (2, 3, 5) becomes (2, 15), row after row"
    expect(got, "tt.nn.Flatten()(x), shape (2, 3, 5)").equals(CUBE.reshape(2, 15), why=why)


@exercise("Flatten.forward")
def test_flatten_some_dimensions(tt, expect):
    four = np.arange(120, dtype=np.float32).reshape(2, 3, 4, 5)
    for start, end, shape in (
        (0, 1, (6, 4, 5)),
        (1, 2, (2, 12, 5)),
        (-2, -1, (2, 3, 20)),
        (0, -1, (120,)),
        (2, 2, four.shape),
    ):
        why = "start_dim to end_dim, both included, become one; the others stay"
        with allowed(f"tt.nn.Flatten({start}, {end})(x), shape (2, 3, 4, 5)", why):
            got = tt.nn.Flatten(start, end)(tt.tensor(four))
        expect(got, f"tt.nn.Flatten({start}, {end})(x), shape (2, 3, 4, 5)").equals(four.reshape(shape), why=why)


@exercise("Flatten.forward")
def test_flatten_is_a_view(tt, expect):
    x = tt.tensor(CUBE)
    expect(tt.nn.Flatten()(x), "tt.nn.Flatten()(x)").shares_memory_with(x, why="a reshape, so no number moves")
    why = "a batch of 0 still has 15 columns; -1 could not be inferred"
    with allowed("tt.nn.Flatten()(x), shape (0, 3, 5)", why):
        empty = tt.nn.Flatten()(tt.zeros(0, 3, 5))
    expect(empty, "tt.nn.Flatten()(x), shape (0, 3, 5)").has_shape((0, 15), why=why)


@exercise("Flatten.forward")
def test_flatten_refuses_backwards(tt, expect):
    why = "start_dim comes after end_dim: RuntimeError"
    with expect.raises(RuntimeError, "tt.nn.Flatten(2, 1)(x), shape (2, 3, 5)", why=why):
        tt.nn.Flatten(2, 1)(tt.tensor(CUBE))


# Module.train


@exercise(
    "Module.train",
    hints=(
        "Which modules have to know? You have a method that finds them all.",
        "`self.modules()` yields this module and all inside it; `training` is an ordinary attribute of each.",
        "Refuse a mode that is no bool with ValueError, set `training` in a loop, return self.",
    ),
)
def test_train_reaches_all(tt, expect):
    m = linear_net(tt)
    m.train(False)
    why = "training is set here and in all modules inside, however deep"
    for name, module in m.named_modules():
        expect(module.training, f"training of {name or 'm'!r} after m.train(False)").equals(False, why=why)
    m.train()
    for name, module in m.named_modules():
        expect(module.training, f"training of {name or 'm'!r} after m.train()").equals(True, why=why)


@exercise("Module.train")
def test_train_of_a_part(tt, expect):
    m = linear_net(tt)
    m.inner.train(False)
    why = "only that part and what is inside it: the rest goes on training"
    got = [m.training, m.first.training, m.inner.training, m.inner.head.training]
    expect(got, "training of m, m.first, m.inner, m.inner.head").equals([True, True, False, False], why=why)


@exercise("Module.train")
def test_train_returns_itself(tt, expect):
    m = linear_net(tt)
    why = "it returns the module, so that `model = Net().eval()` works"
    expect(m.train(False) is m, "does m.train(False) return m").equals(True, why=why)
    expect(m.eval() is m, "does m.eval() return m").equals(True, why=why)
    expect(m.train() is m, "does m.train() return m").equals(True, why=why)


@exercise("Module.train")
def test_train_refuses_what_is_no_bool(tt, expect):
    for mode in (0, "eval", None):
        why = "model.train('eval') would be true, and train: only True or False, else ValueError"
        with expect.raises(ValueError, f"m.train({mode!r})", why=why):
            linear_net(tt).train(mode)


# Drop.forward


@exercise(
    "Drop.forward",
    points=2,
    torch=False,
    hints=(
        "For each element one decision: kept or not. How do you draw a million of them at once?",
        "`default_generator.rng.random(a.shape, np.float32)` is uniform in [0, 1): it is below p with probability p.",
        "What is kept must grow by 1 / (1 - p), and with p = 1 there is nothing to divide. Make ctx.mask an array of "
        "the dtype of a that is 0 or that factor; the result is a * ctx.mask.",
    ),
)
def test_drop_zeroes_or_scales(tt, expect):
    tt.manual_seed(1)
    x = tt.full((100, 50), 3.0)
    with expect.unchanged(x, "x after Drop.apply(x, p=0.25)"):
        got = op_named(tt, "Drop").apply(x, p=0.25)
    why = "the dtype is that of x; factors in float64 would make the result float64 too"
    expect(got, "Drop.apply(x, p=0.25)").has_shape((100, 50)).has_dtype("float32", why=why)
    values = sorted({round(float(v), 4) for v in got.array.ravel()})
    why = "each element is 0, or x / (1 - p): 3 / 0.75 = 4"
    expect(values, "the different numbers in Drop.apply(x, p=0.25), every x = 3").equals([0.0, 4.0], why=why)
    mixed = bool((got.array != 0).any(1).all() and (got.array == 0).any(1).all())
    why = "one decision for each element, not for whole rows or columns"
    expect(mixed, "has every row both kept and dropped elements").equals(True, why=why)
    why = "p is the probability of a zero, not of being kept"
    near(float((got.array == 0).mean()), 0.25, "share of zeros in Drop.apply(x, p=0.25)", why, 0.1)


@exercise("Drop.forward", torch=False)
def test_drop_decides_for_each_element(tt, expect):
    tt.manual_seed(2)
    got = op_named(tt, "Drop").apply(tt.ones(40, 30), p=0.5).array != 0
    why = "one decision for each element, not for whole rows or columns"
    mixed = bool(got.any(0).all() and got.any(1).all() and not got.all(0).any() and not got.all(1).any())
    expect(mixed, "has every row and every column both kept and dropped elements").equals(True, why=why)
    again = op_named(tt, "Drop").apply(tt.ones(40, 30), p=0.5).array != 0
    why = "each call draws a new mask"
    expect(bool((got == again).all()), "is the mask of the second call that of the first").equals(False, why=why)
    tt.manual_seed(2)
    again = op_named(tt, "Drop").apply(tt.ones(40, 30), p=0.5).array != 0
    why = "the numbers come from default_generator, so that manual_seed repeats them"
    expect(bool((got == again).all()), "is it the same after the same manual_seed").equals(True, why=why)


@exercise("Drop.forward", torch=False)
def test_drop_everything(tt, expect):
    x = tt.tensor(X)
    with np.errstate(all="raise"), allowed("Drop.apply(x, p=1.0)", "1 / (1 - p) is no number when p is 1"):
        got = op_named(tt, "Drop").apply(x, p=1.0)
    why = "p=1 drops everything: zeros, no nan (0 * inf is nan)"
    expect(got, "Drop.apply(x, p=1.0)").equals(np.zeros((5, 3), np.float32), why=why)


@exercise("Drop.forward", torch=False)
def test_drop_keeps_the_mask_and_the_dtype(tt, expect):
    for name in ("float64", "float16", "float32"):
        got = op_named(tt, "Drop").apply(tt.ones(5, 3, dtype=getattr(tt, name)), p=0.5)
        expect(got, f"Drop.apply(x, p=0.5), x of {name}").has_dtype(name, why="the dtype is that of x")
    op = op_named(tt, "Drop")
    ctx, a = op(p=0.5), np.full((4, 5), 3.0, np.float32)
    out = op.forward(ctx, a, p=0.5)
    why = "the factors are kept in ctx.mask: module 06 will need the same ones, and cannot draw them again"
    with allowed("ctx.mask after Drop.forward(ctx, a, p=0.5)", why):
        mask = ctx.mask
    expect(mask, "ctx.mask after Drop.forward(ctx, a, p=0.5)").equals(out / a, why=why)


# dropout


@exercise(
    "dropout",
    hints=(
        "Settle three things before any number is drawn: is p a probability, is it training, is there anything to do?",
        "When it is not training, or p is 0, the input itself is the answer.",
        "`Drop.apply(input, p=p)` otherwise. In place, the given `input._keep(out)` makes input hold the result of "
        "`Drop.apply(input._source(), p=p)`, and returns input.",
    ),
)
def test_dropout_outside_training(tt, expect):
    x = tt.tensor(X)
    why = "outside training nothing is dropped and nothing is scaled"
    got = tt.nn.functional.dropout(x, 0.5, training=False)
    expect(got, "dropout(x, 0.5, training=False)").equals(X, why=why)
    if op_named(tt, "Drop") is not None:
        expect(got is x, "is dropout(x, 0.5, training=False) x itself").equals(True, why="no work, no copy")
        got = tt.nn.functional.dropout(x, 0.0)
        expect(got is x, "is dropout(x, 0.0) x itself").equals(True, why="with p=0 there is nothing to do")


@exercise("dropout")
def test_dropout_in_training(tt, expect):
    tt.manual_seed(6)
    got = array_of(tt.nn.functional.dropout(tt.ones(100, 50), 0.2))
    why = "training is the default: each element is 0 or 1 / (1 - 0.2) = 1.25"
    expect(sorted({round(float(v), 3) for v in got.ravel()}), "numbers in dropout(ones, 0.2)").equals([0.0, 1.25], why)
    near(float((got == 0).mean()), 0.2, "share of zeros in dropout(ones, 0.2)", "p goes to Drop", 0.12)
    why = "without p it is 0.5"
    values = {float(v) for v in array_of(tt.nn.functional.dropout(tt.ones(100))).ravel()}
    expect(sorted(values), "numbers in dropout(ones)").equals([0.0, 2.0], why=why)
    expect(tt.nn.functional.dropout(tt.tensor(X), 1.0), "dropout(x, 1.0)").equals(X * 0, why="p=1 is allowed")


@exercise("dropout")
def test_dropout_refuses_other_p(tt, expect):
    for p in (-0.1, 1.5):
        why = "p is a probability: ValueError outside 0 to 1, in training or not"
        with expect.raises(ValueError, f"dropout(x, {p})", (str(p),), why):
            tt.nn.functional.dropout(tt.tensor(X), p)
        with expect.raises(ValueError, f"dropout(x, {p}, training=False)", (str(p),), why):
            tt.nn.functional.dropout(tt.tensor(X), p, training=False)


@exercise("dropout")
def test_dropout_in_place(tt, expect):
    tt.manual_seed(8)
    x = tt.ones(100)
    got = tt.nn.functional.dropout(x, 0.5, inplace=True)
    if got is None:
        expect(got, "dropout(x, inplace=True)").is_instance(tt.Tensor)
    why = "inplace=True changes x and returns it"
    expect(got is x, "does dropout(x, inplace=True) return x").equals(True, why=why)
    expect(sorted({float(v) for v in array_of(x)}), "numbers in x afterwards").equals([0.0, 2.0], why=why)
    y = tt.ones(100)
    with expect.unchanged(y, "y after dropout(y, 0.5)", why="only inplace=True changes its input"):
        tt.nn.functional.dropout(y, 0.5)


@exercise("dropout")
def test_dropout_layer_follows_training(tt, expect):
    layer, x = tt.nn.Dropout(0.5), tt.ones(200)
    why = "the layer hands its own `training` on: eval() makes it the identity"
    expect(layer.eval()(x), "tt.nn.Dropout(0.5).eval()(x)").equals(np.ones(200, np.float32), why=why)
    expect(bool((array_of(layer.train()(x)) == 0).any()), "are there zeros after train()").equals(True, why=why)


# Sequential


def adds(tt, amount, log):
    """A module that multiplies by 10, adds a number and notes that it ran."""

    class Adds(tt.nn.Module):
        def __init__(self):
            super().__init__()
            self.bias = parameter(tt, [amount])

        def forward(self, x):
            log.append(amount)
            return x * 10 + amount

    return Adds()


@exercise(
    "Sequential",
    points=2,
    hints=(
        "Two jobs: to register the modules under names, in order, and to call them in that order.",
        "`self.add_module(name, module)` registers under any name, also '0', which no attribute can have. A single "
        "OrderedDict brings its own names.",
        "forward: the input of the next module is the output of the one before. `for module in self` visits them.",
        "_of makes a Sequential of the same class from a dict of names and modules; slices use it: "
        "`type(self)(OrderedDict(named))`.",
    ),
)
def test_sequential_calls_in_order(tt, expect):
    log = []
    with allowed("tt.nn.Sequential(a, b, c)", "add_module wants a text as the name: str(i), not i"):
        net = tt.nn.Sequential(adds(tt, 1, log), adds(tt, 2, log), adds(tt, 3, log))
    got = net(tt.tensor([0.5]))
    why = "each module gets what the one before it returned: ((0.5 * 10 + 1) * 10 + 2) * 10 + 3"
    expect(got, "net(0.5), each of three modules multiplies by 10 and adds 1, 2, 3").equals(f32([623.0]), why=why)
    expect(log, "the order in which the modules ran").equals([1, 2, 3], why="each once, first to last")
    why = "without modules the input comes out"
    expect(tt.nn.Sequential()(tt.tensor(B)), "tt.nn.Sequential()(x)").equals(B, why=why)


@exercise("Sequential")
def test_sequential_registers(tt, expect):
    a, b = adds(tt, 1, []), adds(tt, 2, [])
    net = tt.nn.Sequential(a, tt.nn.Sequential(b))
    why = "modules are registered under '0', '1', ...: a plain list would hide their parameters"
    expect(names(net.named_parameters()), "names of the parameters").equals(["0.bias", "1.0.bias"], why=why)
    expect([net[0] is a, net[-1][0] is b, len(net)], "[net[0] is a, net[-1][0] is b, len(net)]").equals(
        [True, True, 2], why="indexing finds the modules that were given"
    )
    why = "names are strings; modules.named_children and state dicts rely on it"
    expect(list(vars(net)["_modules"]), "keys of net._modules").equals(["0", "1"], why=why)


@exercise("Sequential")
def test_sequential_with_names(tt, expect):
    log = []
    net = tt.nn.Sequential(OrderedDict(first=adds(tt, 1, log), second=adds(tt, 2, log)))
    why = "one OrderedDict as the only argument: its names, in its order"
    expect(names(net.named_parameters()), "names of the parameters").equals(["first.bias", "second.bias"], why=why)
    expect(net(tt.tensor([0.5])), "net(0.5)").equals(f32([62.0]), why=why)
    expect(hasattr(net, "second"), "hasattr(net, 'second')").equals(True, why="a name is an attribute")
    with expect.raises(TypeError, "tt.nn.Sequential(3)", why="what is not a Module is refused (add_module does it)"):
        tt.nn.Sequential(3)


@exercise("Sequential")
def test_sequential_slices(tt, expect):
    class Named(tt.nn.Sequential):
        pass

    net = Named(OrderedDict(a=adds(tt, 1, []), b=adds(tt, 2, []), c=adds(tt, 3, [])))
    with allowed("net[1:]", "a slice is a container too, made by _of"):
        part = net[1:]
    if part is None:
        expect(part, "net[1:]").is_instance(tt.nn.Sequential)
    expect(names(part.named_children()), "names of the children of net[1:]").equals(
        ["b", "c"], why="a slice keeps the names"
    )
    expect(part, "net[1:]").is_instance(Named, why="of the same class as net")
    expect(part[0] is net[1], "is net[1:][0] net[1] itself").equals(True, why="the modules are shared, not copied")


@exercise("Sequential")
def test_sequential_runs_hooks(tt, expect):
    seen, net = [], tt.nn.Sequential(adds(tt, 1, []), adds(tt, 2, []))
    net[1].register_forward_hook(lambda module, args, output: seen.append(float(array_of(output)[0])))
    net(tt.tensor([0.5]))
    why = "forward calls module(input), which runs the module's hooks; module.forward(input) would leave them out"
    expect(seen, "outputs that a forward hook of net[1] saw in net(0.5)").equals([62.0], why=why)


# ModuleList


@exercise(
    "ModuleList",
    hints=(
        "Compared with a Python list, one thing is missing there and must be here: registration.",
        "Numbered brings len, indexing, append and extend, all on top of add_module. __init__ only has to start the "
        "module and extend it; no argument means none.",
        "_child_lines: equal texts next to each other become one line, '(0-2): 3 x Linear(...)'. Count how many of "
        "the next texts equal the first of them, write the line, go on after them.",
    ),
)
def test_module_list_registers(tt, expect):
    layers = tt.nn.ModuleList(adds(tt, n, []) for n in (1, 2, 3))
    why = "the modules are registered as '0', '1', '2', so their parameters are found"
    expect(names(layers.named_parameters()), "names of the parameters").equals(["0.bias", "1.bias", "2.bias"], why=why)
    expect(len(layers), "len(layers)").equals(3, why="any iterable may be given, a generator too")


@exercise("ModuleList")
def test_module_list_behaves_like_a_list(tt, expect):
    with allowed("tt.nn.ModuleList()", "without an argument it is empty"):
        layers = tt.nn.ModuleList()
    a, b, c = (adds(tt, n, []) for n in (1, 2, 3))
    layers.append(a)
    layers.extend([b, c])
    expect([len(layers), layers[0] is a, layers[-1] is c], "[len(layers), layers[0] is a, layers[-1] is c]").equals(
        [3, True, True], why="append and extend add at the end, indices count from either end"
    )
    expect([module is want for module, want in zip(layers, (a, b, c), strict=True)], "for module in layers").equals(
        [True, True, True], why="in order"
    )


@exercise("ModuleList")
def test_module_list_slices(tt, expect):
    a, b, c = (adds(tt, n, []) for n in (1, 2, 3))
    layers = tt.nn.ModuleList([a, b, c])
    with allowed("layers[1:]", "_of gets a dict of names and modules; the list wants the modules"):
        part = layers[1:]
    expect(part, "layers[1:]").is_instance(tt.nn.ModuleList, why="a slice of a ModuleList is a ModuleList")
    expect([part[0] is b, part[1] is c, len(part)], "[part[0] is b, part[1] is c, len(part)]").equals([True, True, 2])
    expect(names(part.named_children()), "names in the slice").equals(["0", "1"], why="numbered from 0 again")


@exercise("ModuleList")
def test_module_list_repr(tt, expect):
    def prints(modules, call, *lines, why):
        layers = tt.nn.ModuleList(modules)
        with allowed(call, why):
            got = repr(layers)
        expect(got, call).equals("\n  ".join(["ModuleList(", *lines]) + ("\n)" if lines else ")"), why=why)

    a, b = (lambda: tt.nn.Flatten(0, 1)), tt.nn.Flatten
    first, second = "Flatten(start_dim=0, end_dim=1)", "Flatten(start_dim=1, end_dim=-1)"
    why = "equal neighbours are shown once, with their numbers: (0-2): 3 x ..."
    call = "repr(tt.nn.ModuleList([b, b, b])), all b = tt.nn.Flatten()"
    prints([b(), b(), b()], call, f"(0-2): 3 x {second}", why=why)
    call = "repr(tt.nn.ModuleList([a, b, b, a])), a = tt.nn.Flatten(0, 1), b = tt.nn.Flatten()"
    prints([a(), b(), b(), a()], call, f"(0): {first}", f"(1-2): 2 x {second}", f"(3): {first}", why=why)
    prints([], "repr(tt.nn.ModuleList())", why="a list without modules is empty: no run, no line, `ModuleList()`")


# Module.state_dict


def stateful(tt):
    """A module with a parameter, a child with two, both kinds of buffers and a name that is None."""
    m = tt.nn.Module()
    m.scale = parameter(tt, [2.5])
    m.layer = tt.nn.Linear(3, 2)
    m.layer.weight, m.layer.bias = parameter(tt, W), parameter(tt, B)
    m.register_buffer("steps", tt.tensor([3, 4]))
    m.register_buffer("cache", tt.tensor([9.0]), persistent=False)
    m.register_parameter("absent", None)
    return m


@exercise(
    "Module.state_dict",
    points=2,
    hints=(
        "Which tensors would a stranger need to rebuild this model, and under which names?",
        "For each (path, module) of `self.named_modules(remove_duplicate=False)`: its _parameters, then its _buffers.",
        "Leave out None and the names in `module._non_persistent_buffers_set`. The key is prefix, then the path and a "
        "dot unless the path is empty, then the name.",
        "Put `tensor.detach()` into destination, or the tensor itself with keep_vars. destination may be given; "
        "`OrderedDict()` if it is None.",
    ),
)
def test_state_dict_names(tt, expect):
    got = stateful(tt).state_dict()
    expect(got, "m.state_dict()").is_instance(dict, why="a dict from names to tensors")
    why = "parameters, then persistent buffers, of each module in order; what is None or not persistent is left out"
    expect(list(got), "names in m.state_dict()").equals(["scale", "steps", "layer.weight", "layer.bias"], why=why)
    expect(got["layer.weight"], "m.state_dict()['layer.weight']").equals(W, why="the numbers of that parameter")


@exercise("Module.state_dict", points=2)
def test_state_dict_shares_memory(tt, expect):
    m = stateful(tt)
    got = m.state_dict()
    why = "it shares the memory of the parameter: a state dict of 28 GB costs nothing"
    expect(got["layer.weight"], "m.state_dict()['layer.weight']").shares_memory_with(m.layer.weight, why=why)
    why = "detached: a plain tensor that does not require grad"
    expect(got["layer.weight"].requires_grad, "m.state_dict()['layer.weight'].requires_grad").equals(False, why=why)
    kept = m.state_dict(keep_vars=True)
    why = "keep_vars=True: the parameters themselves"
    expect(kept["layer.weight"] is m.layer.weight, "is m.state_dict(keep_vars=True)[...] the Parameter").equals(
        True, why=why
    )
    expect(kept["steps"] is m.steps, "is the buffer in it the buffer").equals(True, why=why)


@exercise("Module.state_dict")
def test_state_dict_tied(tt, expect):
    m = stateful(tt)
    m.again = m.layer
    why = "a layer in two places is written under both names, so that a model that has two layers there can load it"
    expect(list(m.state_dict()), "names in m.state_dict() with m.again = m.layer").equals(
        ["scale", "steps", "layer.weight", "layer.bias", "again.weight", "again.bias"], why=why
    )


@exercise("Module.state_dict")
def test_state_dict_prefix_and_destination(tt, expect):
    m = stateful(tt)
    why = "prefix stands in front as it is, without a dot of its own"
    expect(list(m.state_dict(prefix="net.")), "names in m.state_dict(prefix='net.')").equals(
        ["net.scale", "net.steps", "net.layer.weight", "net.layer.bias"], why=why
    )
    given = OrderedDict(before=tt.tensor(B))
    got = m.layer.state_dict(destination=given)
    why = "destination is filled and returned"
    expect(got is given, "is m.layer.state_dict(destination=d) d itself").equals(True, why=why)
    expect(list(given), "names in d").equals(["before", "weight", "bias"], why=why)
    empty = OrderedDict()
    got = m.layer.state_dict(destination=empty)
    why = "an empty dict is a dict too: ask whether destination is None, not whether it is true"
    expect(got is empty, "is m.layer.state_dict(destination=d) d itself, d empty before").equals(True, why=why)
    one, other = m.state_dict(), m.layer.state_dict()
    expect(len(other), "number of names in a second state dict").equals(2, why="each call makes a dict of its own")
    expect(len(one), "number of names in the first one").equals(4, why="each call makes a dict of its own")


# Module.load_state_dict


def other_state(tt):
    """A state dict for `stateful` with other numbers."""
    values = {
        "scale": f32([-1.5]),
        "steps": np.array([7, 8], np.int64),
        "layer.weight": W[::-1] * 2,
        "layer.bias": B + 1,
    }
    return OrderedDict((name, tt.tensor(np.ascontiguousarray(value))) for name, value in values.items())


@exercise(
    "Module.load_state_dict",
    points=3,
    hints=(
        "Look before you write: collect every problem first, and copy only when there is none.",
        "`Module.state_dict(self, keep_vars=True)` gives the tensors that wait for numbers. Compare its names with "
        "those of state_dict, in both directions.",
        "`misfit(name, own, value)` returns a text for a value that does not fit, or None: one more problem, strict or "
        "not. Missing and unexpected names are problems only if strict.",
        "If there are problems, raise one RuntimeError with all of them and the class's name. Else copy each found "
        "value: `own[name].detach().copy_(value.detach())`, or `own[name].array = value.array` for assign. Return "
        "`IncompatibleKeys(missing, unexpected)`.",
    ),
)
def test_load_copies(tt, expect):
    m, state = stateful(tt), other_state(tt)
    weight = m.layer.weight
    with allowed("m.load_state_dict(state)", "all names and shapes fit"):
        got = m.load_state_dict(state)
    why = "the numbers are copied into the parameter that is there, since others may hold it (an optimizer does)"
    expect(m.layer.weight is weight, "is m.layer.weight the same Parameter as before").equals(True, why=why)
    for name, tensor in m.state_dict().items():
        expect(tensor, f"{name} after loading").equals(state[name], why="the numbers of the state dict")
    why = "copied, not shared: training goes on without changing the state dict"
    expect(m.layer.weight.detach(), "m.layer.weight after loading").is_a_copy_of(state["layer.weight"], why=why)
    if got is None:
        expect(got, "m.load_state_dict(state)").is_instance(tuple)
    expect([list(got.missing_keys), list(got.unexpected_keys)], "[missing_keys, unexpected_keys]").equals(
        [[], []], why="it returns the named tuple, here with nothing in it"
    )


@exercise("Module.load_state_dict", points=2)
def test_load_strict(tt, expect):
    m, state = stateful(tt), other_state(tt)
    del state["layer.bias"], state["scale"]
    state["layer.wieght"] = state["layer.weight"]
    why = "all names that are missing or not wanted, in one message: the typo shows at a glance"
    mentions = ("scale", "layer.bias", "layer.wieght", "Missing", "Unexpected", "Module")
    with expect.raises(RuntimeError, "m.load_state_dict(state), two names missing, one unexpected", mentions, why):
        m.load_state_dict(state)
    why = "nothing is copied when there is a problem: half a model is worse than none"
    if op_named(tt, "Affine") is not None:  # PyTorch copies what fits before it raises
        expect(array_of(m.layer.weight), "m.layer.weight after the error").equals(W, why=why)


@exercise("Module.load_state_dict", points=2)
def test_load_not_strict(tt, expect):
    m, state = stateful(tt), other_state(tt)
    del state["layer.bias"]
    state["head.weight"] = tt.tensor(B)
    with allowed("m.load_state_dict(state, strict=False)", "names that differ are no problem unless strict"):
        got = m.load_state_dict(state, strict=False)
    if got is None:
        expect(got, "m.load_state_dict(state, strict=False)").is_instance(tuple)
    expect(list(got.missing_keys), "missing_keys").equals(["layer.bias"], why="in the model, not in the dict")
    expect(list(got.unexpected_keys), "unexpected_keys").equals(["head.weight"], why="in the dict, not in the model")
    expect(m.layer.weight.detach(), "m.layer.weight").equals(state["layer.weight"], why="what fits is loaded")
    expect(array_of(m.layer.bias), "m.layer.bias").equals(B, why="what is missing stays as it was")


@exercise("Module.load_state_dict", points=2)
def test_load_shapes(tt, expect):
    for strict in (True, False):
        m, state = stateful(tt), other_state(tt)
        state["layer.bias"] = tt.tensor(f32([5.0]))
        state["layer.weight"] = tt.tensor(np.ascontiguousarray(W.T))
        call = f"m.load_state_dict(state, strict={strict}), weight (3, 2) for (2, 3), bias (1,) for (2,)"
        why = "a shape that differs is always an error, even one that would broadcast; the message names all of them"
        with expect.raises(RuntimeError, call, ("layer.weight", "layer.bias", "[3, 2]", "[2, 3]"), why):
            m.load_state_dict(state, strict=strict)
        why = "nothing is copied when there is a problem, not even what came before it"
        if op_named(tt, "Affine") is not None:  # PyTorch copies what fits before it raises
            expect(array_of(m.scale), "m.scale after the error").equals(f32([2.5]), why=why)


@exercise("Module.load_state_dict")
def test_load_keeps_dtype(tt, expect):
    m, state = stateful(tt), other_state(tt)
    state["layer.weight"] = tt.tensor(W * 2, dtype=tt.float64)
    m.load_state_dict(state)
    why = "the parameter keeps its dtype; the numbers are converted"
    expect(m.layer.weight, "m.layer.weight after loading float64").has_dtype("float32", why=why)
    expect(array_of(m.layer.weight), "m.layer.weight after loading float64").equals(W * 2, why=why)
    why = "what is no dict is refused at once: TypeError"
    with expect.raises(TypeError, "m.load_state_dict([1, 2])", why=why):
        m.load_state_dict([1, 2])


@exercise("Module.load_state_dict")
def test_load_assign(tt, expect):
    m, state = stateful(tt), other_state(tt)
    m.load_state_dict(state, assign=True)
    why = "assign=True takes the memory of the state dict instead of copying"
    expect(m.layer.weight, "m.layer.weight after loading with assign=True").shares_memory_with(
        state["layer.weight"], why=why
    )
    expect(m.layer.weight.requires_grad, "m.layer.weight.requires_grad").equals(True, why="it is still a Parameter")

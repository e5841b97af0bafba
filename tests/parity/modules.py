"""PyTorch's module samples (ModuleInfo) on every module that tinytorch.nn names: state dict across, then all equal."""

import dataclasses
import inspect
import sys
import types

import numpy as np

import tinytorch

from . import excused, oracle


@dataclasses.dataclass
class Outcome:
    """What came of one sample of a module in one mode: "equal", "excused" or "failed", with a note."""

    module: str
    mode: str
    number: int
    inputs: str
    status: str
    note: str = ""


def infos():
    """Return PyTorch's ModuleInfo, and our samples of what it leaves out, for the modules tinytorch has."""
    from torch.testing._internal.common_modules import module_db

    theirs = {info.module_cls.__name__: info for info in module_db}
    extra = {name: types.SimpleNamespace(module_inputs_func=more(name)) for name in MORE if name not in theirs}
    return {
        name: info
        for name, info in (theirs | extra).items()
        if hasattr(tinytorch.nn, name) and not name.startswith("Lazy")
    }


def names():
    """Return the names of the module classes in tinytorch.nn that PyTorch has too."""
    torch = sys.modules["torch"]
    found = []
    for name, item in vars(tinytorch.nn).items():
        ours = inspect.isclass(item) and issubclass(item, tinytorch.nn.Module) and not name.startswith("_")
        if ours and hasattr(torch.nn, name):
            found.append(name)
    return sorted(found)


# What ModuleInfo leaves out: (constructor arguments, shapes of float inputs)
MORE: dict[str, list] = {
    "Identity": [("()", [(2, 3)])],
    "Flatten": [("()", [(2, 3, 5)]), ("(0, 1)", [(2, 3, 5)]), ("(2)", [(2, 3, 5, 7)])],
    "Unflatten": [("(1, (2, 3))", [(4, 6)]), ("(-1, (3, -1))", [(4, 6)])],
    "Dropout": [("(0.0)", [(2, 3)]), ("(1.0)", [(2, 3)])],
    "Dropout1d": [("(0.0)", [(2, 3, 4)])],
    "Dropout2d": [("(0.0)", [(2, 3, 4, 5)])],
    "Dropout3d": [("(0.0)", [(2, 3, 2, 4, 5)])],
    "AlphaDropout": [("(0.0)", [(2, 3)])],
    "Hardsigmoid": [("()", [(3, 5)])],
    "RReLU": [("(0.3, 0.3)", [(3, 5)])],
    "CosineSimilarity": [("()", [(3, 5), (3, 5)]), ("(dim=0)", [(3, 5), (3, 5)])],
    "PairwiseDistance": [("()", [(3, 5), (3, 5)]), ("(p=1.0, keepdim=True)", [(3, 5), (3, 5)])],
    "TripletMarginLoss": [("()", [(3, 5)] * 3), ("(margin=2.0, swap=True, reduction='sum')", [(3, 5)] * 3)],
    "PixelShuffle": [("(2)", [(2, 8, 3, 5)])],
    "PixelUnshuffle": [("(2)", [(2, 2, 4, 6)])],
    "ChannelShuffle": [("(2)", [(2, 4, 3, 5)])],
    "Upsample": [
        ("(scale_factor=2)", [(2, 3, 4, 5)]),
        ("(size=(7, 9), mode='nearest')", [(2, 3, 4, 5)]),
        ("(scale_factor=2, mode='bilinear')", [(2, 3, 4, 5)]),
    ],
    "UpsamplingNearest2d": [("(scale_factor=2)", [(2, 3, 4, 5)])],
    "UpsamplingBilinear2d": [("(scale_factor=2)", [(2, 3, 4, 5)])],
    "Fold": [("((4, 5), (2, 2))", [(2, 12, 12)])],
    "Unfold": [("((2, 2))", [(2, 3, 4, 5)]), ("(3, padding=1, stride=2)", [(2, 3, 4, 5)])],
    "Sequential": [("(nn.Linear(5, 3), nn.ReLU(), nn.Linear(3, 2))", [(4, 5)])],
}


def more(name):
    """Return a function that makes the samples of MORE, in the form of ModuleInfo's."""

    def inputs(info, device, dtype, requires_grad, training):
        torch = sys.modules["torch"]
        made = []
        for arguments, shapes in MORE[name]:
            arguments = arguments if arguments.endswith(",)") else f"[{arguments[1:-1]}]"
            tensors = [torch.randn(shape, requires_grad=requires_grad) for shape in shapes]
            constructor = types.SimpleNamespace(source=arguments)
            forward = types.SimpleNamespace(args=tensors, kwargs={})
            made.append(types.SimpleNamespace(constructor_input=constructor, forward_input=forward))
        return made

    return inputs


def build(name, given, convert):
    """Return (their module, our module) made with the same arguments."""
    torch = sys.modules["torch"]
    if hasattr(given, "source"):  # of MORE: the same source text in both libraries
        call = f"nn.{name}({given.source[1:-1]})"
        return eval(call, {"nn": torch.nn}), eval(call, {"nn": tinytorch.nn})
    ours = getattr(tinytorch.nn, name)(*convert(given.args), **convert(given.kwargs))
    return getattr(torch.nn, name)(*given.args, **given.kwargs), ours


def check(name, info):
    """Return the outcomes of all samples of one module, in training and in evaluation."""
    torch = sys.modules["torch"]
    outcomes = []
    for training in (True, False):
        oracle.seed(name)
        samples = info.module_inputs_func(info, "cpu", torch.float32, True, training)
        for number, sample in enumerate(samples):
            given = sample.constructor_input
            line = given.source[1:-1] if hasattr(given, "source") else oracle.describe(given.args, given.kwargs, 70)
            line += " | " + oracle.describe(sample.forward_input.args, sample.forward_input.kwargs, 70)
            outcome = Outcome(name, "train" if training else "eval", number, line, "failed")
            compare(outcome, given, sample.forward_input, training)
            if outcome.note is not None:
                outcomes.append(outcome)
    return outcomes


def compare(outcome, given, forward, training):
    """Run one sample through both libraries and fill in its outcome; note None when PyTorch refuses it."""
    convert = oracle.Convert()
    try:
        theirs, ours = build(outcome.module, given, convert)
        theirs.train(training)
        ours.train(training)
        outcome.note = module_difference(theirs, ours, forward, convert)
    except oracle.Unsupported as error:
        outcome.status, outcome.note = "excused", f"not supported: {error}"
        return
    except Refused:
        outcome.note = None
        return
    except Exception as error:
        outcome.note = oracle.reason(error)
    if not outcome.note:
        outcome.status, outcome.note = "equal", ""
    elif because := excused.module_reason(outcome.module, given, outcome.note):
        outcome.status, outcome.note = "excused", because


class Refused(Exception):
    """PyTorch itself does not run the sample."""


def module_difference(theirs, ours, forward, convert):
    """Return in words how our module differs from theirs, or None."""
    wrong = state_difference(ours, theirs)
    if wrong or repr(ours) != repr(theirs):
        return wrong or f"repr {ours!r} instead of {theirs!r}".replace("\n", " ")
    ours.load_state_dict({key: convert.copy(value) for key, value in theirs.state_dict().items()})
    without_dropout(theirs)
    without_dropout(ours)
    args, kwargs = convert(forward.args), convert(forward.kwargs)
    try:
        output = theirs(*forward.args, **forward.kwargs)
    except Exception as error:
        raise Refused from error
    mine = ours(*args, **kwargs)
    wrong = oracle.difference(mine, output)
    if wrong:
        return wrong
    wrong = gradient_difference(theirs, ours, output, mine, convert)
    return wrong or state_difference(ours, theirs, values=True)


def state_difference(ours, theirs, values=False):
    """Compare the names, order, shapes (and values) in the state dicts."""
    mine, other = ours.state_dict(), theirs.state_dict()
    if list(mine) != list(other):
        return f"state_dict has {list(mine)} instead of {list(other)}"
    for key, value in other.items():
        if tuple(mine[key].shape) != tuple(value.shape) or repr(mine[key].dtype) != repr(value.dtype):
            return f"{key}: {mine[key].dtype}{list(mine[key].shape)} instead of {value.dtype}{list(value.shape)}"
        wrong = values and oracle.difference(mine[key], value, f"{key} after forward")
        if wrong:
            return wrong
    return None


def without_dropout(module):
    """Switch off what is random in a module: dropout cannot be equal."""
    for part in module.modules():
        if type(part).__name__.endswith("Dropout"):
            part.p = 0.0
        elif isinstance(getattr(part, "dropout", None), float):
            part.dropout = 0.0


def tensors(value):
    """Return the tensors of either library in a result, at any depth."""
    torch = sys.modules["torch"]
    if isinstance(value, torch.Tensor | tinytorch.Tensor):
        return [value]
    return [tensor for part in value for tensor in tensors(part)] if isinstance(value, list | tuple) else []


def gradient_difference(theirs, ours, output, mine, convert):
    """Compare the gradients of all inputs and parameters for a fixed cotangent."""
    torch = sys.modules["torch"]
    pairs = [pair for pair in zip(tensors(output), tensors(mine), strict=True) if pair[0].requires_grad]
    if not pairs:
        return None
    dice = np.random.default_rng(0)
    seeds = [dice.standard_normal(out.shape).astype(np.float32) for out, _ in pairs]
    torch.autograd.backward([out for out, _ in pairs], [torch.from_numpy(np.array(seed)) for seed in seeds])
    tinytorch.autograd.backward([out for _, out in pairs], [tinytorch.from_numpy(np.array(seed)) for seed in seeds])
    leaves = [(f"input {place}", *pair) for place, pair in enumerate(convert.leaves()) if pair[0].is_leaf]
    mine_by_name = dict(ours.named_parameters())
    leaves += [(name, value, mine_by_name[name]) for name, value in theirs.named_parameters()]
    for name, their_leaf, our_leaf in leaves:
        wrong = one_gradient(our_leaf.grad, their_leaf.grad, f"gradient of {name}")
        if wrong:
            return wrong
    return None


def one_gradient(ours, theirs, what):
    """Compare one gradient; none and zeros mean the same."""
    if ours is None or theirs is None:
        there = theirs if ours is None else ours
        none = there is None or not there.detach().numpy().any()
        return None if none else f"{what}: {'ours' if ours is None else 'theirs'} is None"
    return oracle.difference(ours, theirs, what, slack=2)


def run(only=""):
    """Run all modules whose name contains `only`; return (outcomes, names without samples)."""
    found = infos()
    with oracle.only_our_warnings():
        outcomes = [outcome for name, info in found.items() if only in name for outcome in check(name, info)]
    return outcomes, [name for name in names() if name not in found]

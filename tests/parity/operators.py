"""PyTorch's operator samples (OpInfo) on every operator that tinytorch names: results, gradients, refusals."""

import dataclasses
import sys
import types
import zlib

import numpy as np

import tinytorch

from . import excused, oracle

LARGEST = 8192  # bytes of all tensors of a sample
VARIANT_SAMPLES = 12  # methods, in-place methods, operators and aliases run the code of the function: fewer samples
FOREIGN = (
    "torch.",
    "sparse.",
    "jiterator",
    "_softmax",
    "_upsample",
    "_native",
    "_batch",
    "_chunk",
    "_segment",
    "_unsafe",
)
ROUNDING = 4  # our distance from the float64 result, in distances of PyTorch's float32 from it
HOME = "torch.testing"  # functions defined there wrap an operator, written against a global name `torch`


@dataclasses.dataclass
class Call:
    """One way to call an operator: as function, method, in-place method, operator or under an alias."""

    base: str  # PyTorch's name, such as "max"
    operator: str  # with its variant, such as "max.binary"
    label: str  # how it is called here, such as "torch.maximum" or "Tensor.add_"
    theirs: object
    ours: object
    inplace: bool = False
    samples: int | None = None  # at most so many; None for all


@dataclasses.dataclass
class Outcome:
    """What came of one sample: "equal", "excused" (reason in note) or "failed" (difference in note)."""

    operator: str
    label: str
    number: int
    inputs: str
    status: str
    note: str = ""
    gradient: bool = False  # a gradient was compared as well
    base: str = ""  # PyTorch's name without the variant


@dataclasses.dataclass
class Refusal:
    """One call that PyTorch refuses: whether we do, and with an error of the same kind."""

    label: str
    inputs: str
    refused: bool
    same_type: bool
    note: str


def resolve(path):
    """Return the function that tinytorch has under a dotted name, or None. Types and modules do not count."""
    found = tinytorch
    for part in path.split("."):
        found = getattr(found, part, None)
        if found is None:
            return None
    plain = callable(found) and not isinstance(found, type | types.ModuleType | tinytorch.dtype)
    return found if plain else None


def retargeted(function):
    """Return one of PyTorch's wrappers with tinytorch in place of its global names `torch` and `F`."""
    names = {
        **function.__globals__,
        "torch": tinytorch,
        "F": getattr(getattr(tinytorch, "nn", None), "functional", None),
    }
    return types.FunctionType(function.__code__, names, function.__name__, function.__defaults__, function.__closure__)


def calls():
    """Return every way to call every operator of PyTorch's database that tinytorch has, with its samples."""
    from torch.testing._internal.common_methods_invocations import op_db

    torch = sys.modules["torch"]
    found = {}
    for op in op_db:
        if torch.float32 not in op.dtypes or op.name.startswith(FOREIGN):
            continue
        name = f"{op.name}.{op.variant_test_name}" if op.variant_test_name else op.name
        ways = [way for way in ways_to_call(op, name) if way.label not in excused.NOT_OFFERED]
        if ways:
            found[name] = op, ways
    return found


def ways_to_call(op, name):
    """Yield the Call of each variant of an operator that tinytorch has, the function first."""
    torch = sys.modules["torch"]
    function = resolve(op.name)
    method = getattr(tinytorch.Tensor, op.name, None)
    wrapped = isinstance(op.op, types.FunctionType) and op.op.__module__.startswith(HOME)
    if wrapped and (function or method) and op.name not in excused.NOT_OFFERED:
        yield Call(op.name, name, op.name, op.op, retargeted(op.op))
    elif function:
        yield Call(op.name, name, op.name, op.op, function)
    elif callable(method) and hasattr(torch.Tensor, op.name):
        yield Call(op.name, name, f"Tensor.{op.name}", op.op, method)
    extra = {}
    if function and not wrapped:
        extra[f"Tensor.{op.name}"] = op.method_variant, method
    extra[f"Tensor.{op.name}_"] = op.inplace_variant, getattr(tinytorch.Tensor, f"{op.name}_", None)
    for alias in op.aliases:
        extra[alias.name] = alias.op, resolve(alias.name)
        extra[f"Tensor.{alias.name}"] = alias.method_variant, getattr(tinytorch.Tensor, alias.name, None)
        inplace = getattr(tinytorch.Tensor, f"{alias.name}_", None)
        extra[f"Tensor.{alias.name}_"] = alias.inplace_variant, inplace
    for operator in (op.operator_variant, op.inplace_operator_variant):
        if operator and (function or method):
            extra[f"operator.{operator.__name__}"] = operator, operator
    for label, (theirs, ours) in extra.items():
        if callable(theirs) and callable(ours):
            inplace = label.endswith("_") or theirs is op.inplace_operator_variant
            yield Call(op.name, name, label, theirs, ours, inplace, VARIANT_SAMPLES)


def samples(op):
    """Yield the small enough samples of an operator as (number, args, kwargs, output_process)."""
    torch = sys.modules["torch"]
    from torch.utils._pytree import tree_leaves

    differentiable = op.supports_autograd and torch.float32 in op.backward_dtypes
    oracle.seed(op.name)
    drawn = op.sample_inputs("cpu", torch.float32, requires_grad=differentiable, set_seed=False)  # slow at each sample
    for number, sample in enumerate(drawn):
        args, kwargs = (sample.input, *sample.args), dict(sample.kwargs)
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        if sum(tensor.numel() * tensor.element_size() for tensor in tensors) < LARGEST:
            yield number, args, kwargs, sample.output_process_fn_grad


def flat(result):
    """Return the tensors in a result, in order."""
    torch = sys.modules["torch"]
    if isinstance(result, torch.Tensor | tinytorch.Tensor):
        return [result]
    return [tensor for part in result for tensor in flat(part)] if isinstance(result, list | tuple) else []


def run_theirs(call, args, kwargs, process):
    """Return (result, gradients by id of input, cotangents) of PyTorch; gradients None where it has none."""
    torch = sys.modules["torch"]
    changed = (args[0].clone(), *args[1:]) if call.inplace else args
    result = process(call.theirs(*changed, **kwargs))
    outputs = [out for out in flat(result) if out.requires_grad]
    dice = np.random.default_rng(zlib.crc32(call.operator.encode()))
    cotangents = [dice.standard_normal(out.shape).astype(out.detach().numpy().dtype) for out in outputs]
    if not outputs:
        return result, None, cotangents
    inputs = list({id(t): t for t in leaves((args, kwargs)) if t.requires_grad}.values())
    try:
        seeds = [torch.from_numpy(np.array(seed)) for seed in cotangents]
        grads = torch.autograd.grad(outputs, inputs, seeds, allow_unused=True, retain_graph=True)
    except (RuntimeError, NotImplementedError):  # no gradient rule
        return result, None, cotangents
    return result, {id(t): g for t, g in zip(inputs, grads, strict=True)}, cotangents


def leaves(value):
    """Return the tensors in arguments of PyTorch's, at any depth."""
    torch = sys.modules["torch"]
    from torch.utils._pytree import tree_leaves

    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, torch.Tensor)]


def compare(call, number, args, kwargs, process):
    """Run one sample through both libraries; return its Outcome, or None when PyTorch refuses it."""
    outcome = judged(call, number, args, kwargs, process)
    if outcome and outcome.status != "equal":
        outcome.inputs = oracle.describe(args, kwargs)
    return outcome


def judged(call, number, args, kwargs, process):
    """Return the outcome of a sample, its inputs not yet described."""
    outcome = Outcome(call.operator, call.label, number, "", "failed", base=call.base)
    if call.inplace:  # the change must not reach the input, and the input must be a leaf's copy
        args = (args[0].detach().clone().requires_grad_(args[0].requires_grad), *args[1:])
    convert = oracle.Convert()
    try:
        mine = convert(args), convert(kwargs)
    except oracle.Unsupported as error:
        mine, outcome.status, outcome.note = None, "excused", f"not supported: {error}"
    try:
        result, grads, cotangents = run_theirs(call, args, kwargs, process)
    except Exception:
        return None
    if mine is None:
        return outcome
    if any(out.is_complex() for out in flat(result)):
        outcome.status, outcome.note = "excused", "not supported: complex numbers"
        return outcome
    pairs = [pair for pair in convert.leaves() if id(pair[0]) in (grads or {})]
    theirs = result, [grads[id(their_leaf)] for their_leaf, _ in pairs], [id(their_leaf) for their_leaf, _ in pairs]
    try:
        ours = run_ours(call, *mine, process, [our_leaf for _, our_leaf in pairs], cotangents)
        outcome.gradient = bool(ours[1])
        outcome.note = disagreement(call, ours, theirs)
        if str(outcome.note).endswith("differ)") and as_accurate(call, args, kwargs, process, ours, theirs):
            outcome.note = None
    except oracle.Unsupported as error:
        outcome.status, outcome.note = "excused", f"not supported: {error}"
        return outcome
    except AttributeError as error:
        if not_offered(call, error):
            return None
        outcome.note = oracle.reason(error)
    except Exception as error:
        outcome.note = oracle.reason(error)
    if not outcome.note:
        outcome.status, outcome.note = "equal", ""
    elif because := excused.reason(call, args, kwargs, outcome.note):
        outcome.status, outcome.note = "excused", because
    return outcome


def not_offered(call, error):
    """Return whether it was PyTorch's own wrapper that did not find a name in tinytorch."""
    trace = error.__traceback__
    while trace.tb_next:
        trace = trace.tb_next
    return trace.tb_frame.f_code is getattr(call.ours, "__code__", None) and HOME in call.theirs.__module__


def run_ours(call, args, kwargs, process, leaves, cotangents):
    """Return (result, gradients of the leaves) of tinytorch; no gradients for no leaves."""
    if call.inplace:
        args = (args[0].clone(), *args[1:])
    result = call.ours(*args, **kwargs)
    if process.__code__.co_code != (lambda x: x).__code__.co_code:
        result = retargeted(process)(result)
    outputs = [out for out in flat(result) if out.requires_grad]
    if not leaves or len(outputs) != len(cotangents):
        return result, []
    seeds = [tinytorch.from_numpy(seed) for seed in cotangents]
    return result, list(tinytorch.autograd.grad(outputs, leaves, seeds, allow_unused=True))


def disagreement(call, ours, theirs):
    """Return in words how (result, gradients) of the two sides differ, or None."""
    if call.base in excused.RANDOM:
        return shape_difference(ours[0], theirs[0])
    wrong = oracle.difference(ours[0], theirs[0])
    if wrong:
        return wrong
    for place, (grad, wanted) in enumerate(zip(ours[1], theirs[1], strict=True)):
        wrong = gradient_difference(grad, wanted, f"gradient {place}")
        if wrong:
            return wrong
    return None


def as_accurate(call, args, kwargs, process, ours, theirs):
    """Return whether a difference is rounding: we are as close to PyTorch's float64 result as its float32 one."""
    doubled = {}
    args, kwargs = doubles(args, doubled), doubles(kwargs, doubled)
    try:
        exact, grads, _ = run_theirs(call, args, kwargs, process)
        exact_grads = [grads[id(doubled[key])] for key in theirs[2]] if grads else []
        sides = [flat(result) + list(gradients) for result, gradients, *_ in (ours, theirs, (exact, exact_grads))]
        return all(closer(*parts) for parts in zip(*sides, strict=True))
    except (RuntimeError, KeyError, ValueError):
        return False


def doubles(value, done):
    """Return arguments of PyTorch's with float64 in place of float32; done maps ids to the new tensors."""
    torch = sys.modules["torch"]
    from torch.utils._pytree import tree_map_only

    def double(tensor):
        if id(tensor) not in done:
            same = tensor.detach() if tensor.dtype != torch.float32 else tensor.detach().double()
            done[id(tensor)] = same.requires_grad_(tensor.requires_grad)
        return done[id(tensor)]

    return tree_map_only(torch.Tensor, double, value)


def closer(ours, theirs, exact):
    """Return whether an array of ours is about as close to the exact one as PyTorch's."""
    if ours is None or theirs is None or exact is None:
        return not any(item is not None and item.detach().numpy().any() for item in (ours, theirs))
    ours, theirs, exact = (item.detach().numpy().astype(np.float64) for item in (ours, theirs, exact))
    if not np.isfinite(exact).all() or not np.isfinite(ours).all():
        return oracle.array_difference(ours, theirs, "") is None
    allowed = ROUNDING * np.abs(theirs - exact).max(initial=0) + 1e-6 * max(1, np.abs(exact).max(initial=0))
    return bool(np.abs(ours - exact).max(initial=0) <= allowed)


def gradient_difference(ours, theirs, what):
    """Compare a gradient; no gradient and a gradient of zeros mean the same."""
    if theirs is None or ours is None:
        there = theirs if ours is None else ours
        none = there is None or not there.detach().numpy().any()
        side = "ours" if ours is None else "PyTorch's"
        return None if none else f"{what}: {side} is None"
    return oracle.difference(ours, theirs.detach(), what, slack=2)


def shape_difference(ours, theirs):
    """Compare a random result: shapes and dtypes."""
    for mine, other in zip(flat(ours), flat(theirs), strict=True):
        if tuple(mine.shape) != tuple(other.shape) or repr(mine.dtype) != repr(other.dtype):
            return f"{mine.dtype}{list(mine.shape)} instead of {other.dtype}{list(other.shape)}"
    return None


def check(op, ways):
    """Return the outcomes of all samples of one operator, in all ways to call it."""
    outcomes = []
    with oracle.only_our_warnings():
        done = dict.fromkeys(range(len(ways)), 0)
        for number, args, kwargs, process in samples(op):
            for place, way in enumerate(ways):
                if way.samples is not None and done[place] >= way.samples:
                    continue
                if not way.inplace or (args and type(args[0]).__name__ == "Tensor"):
                    outcome = compare(way, number, args, kwargs, process)
                    if outcome:
                        outcomes.append(outcome)
                        done[place] += 1
    return outcomes


def refusals(op, way):
    """Return how tinytorch answers the calls that PyTorch's database says must be refused."""
    if op.error_inputs_func is None:
        return []
    found = []
    with oracle.only_our_warnings():
        oracle.seed(op.name)
        for item in op.error_inputs("cpu", set_seed=False):
            sample = item.sample_input
            args, kwargs = (sample.input, *sample.args), dict(sample.kwargs)
            if "out" in kwargs:
                continue
            try:
                convert = oracle.Convert()
                mine = convert(args), convert(kwargs)
            except oracle.Unsupported:
                continue
            try:
                way.theirs(*args, **kwargs)
                continue
            except Exception as error:
                theirs = error
            found.append(refusal(way, mine, theirs, oracle.describe(args, kwargs)))
    return found


def refusal(way, mine, theirs, inputs):
    """Make a call that PyTorch refused with the error `theirs`."""
    try:
        way.ours(*mine[0], **mine[1])
    except Exception as error:
        related = isinstance(error, type(theirs)) or isinstance(theirs, type(error))
        note = f"{oracle.reason(error)} / PyTorch: {oracle.reason(theirs)}"
        return Refusal(way.label, inputs, True, related, note)
    return Refusal(way.label, inputs, False, False, f"accepted / PyTorch: {oracle.reason(theirs)}")


def run(only=""):
    """Run all operators whose name contains `only`; return (outcomes, refusals)."""
    outcomes, refused = [], []
    for name, (op, ways) in calls().items():
        if only in name:
            outcomes += check(op, ways)
            refused += refusals(op, ways[0])
    return outcomes, refused

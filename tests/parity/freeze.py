"""A few of PyTorch's results kept in frozen.npz, so that tinytorch can be tested where torch is not installed.

    python -m tests.parity.freeze      write frozen.npz anew (needs torch)

One small sample of each operator and module that tinytorch has, with gradients, and the parameters after 20 steps
of each optimizer and the learning rates of each scheduler. check() needs NumPy and tinytorch only.
"""

import json
import math
import sys
import warnings
from pathlib import Path

import numpy as np

import tinytorch

from . import excused, oracle

FILE = Path(__file__).with_name("frozen.npz")
LARGEST = 480  # bytes of all inputs, outputs and gradients of a sample
KINDS = ("float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool")


class Pool:
    """All numbers of one dtype in one flat array; a tensor in the JSON text is a place in it."""

    def __init__(self, arrays=None):
        self.arrays = arrays or {kind: [] for kind in KINDS}
        self.length = dict.fromkeys(KINDS, 0)

    def put(self, array, grad=False):
        """Append an array and return the note that finds it again."""
        kind = array.dtype.name
        place = self.length[kind]
        self.arrays[kind].append(np.ascontiguousarray(array).reshape(-1))
        self.length[kind] += array.size
        return {"t": [kind, place, list(array.shape), int(grad)]}

    def take(self, note):
        """Return the array that a note finds."""
        kind, place, shape, _ = note["t"]
        return self.arrays[kind][place : place + math.prod(shape)].reshape(shape)


def encode(value, pool):
    """Return arguments or results of PyTorch's as JSON; the numbers of tensors go into the pool."""
    torch = sys.modules["torch"]
    if isinstance(value, torch.Tensor):
        return pool.put(value.detach().numpy(), value.requires_grad)
    if isinstance(value, torch.dtype):
        return {"dtype": str(value).removeprefix("torch.")}
    if isinstance(value, tuple):
        return {"tuple": [encode(item, pool) for item in value]}
    if isinstance(value, list):
        return [encode(item, pool) for item in value]
    if value is None or (isinstance(value, bool | int | float | str) and value == value and abs_finite(value)):
        return value
    raise oracle.Unsupported(type(value).__name__)


def abs_finite(value):
    """Return whether JSON can hold a value."""
    return isinstance(value, str) or math.isfinite(value)


def decode(note, pool, leaves):
    """Return our arguments for what encode made; tensors that require gradients are appended to leaves."""
    if isinstance(note, list):
        return [decode(item, pool, leaves) for item in note]
    if not isinstance(note, dict):
        return note
    if "tuple" in note:
        return tuple(decode(item, pool, leaves) for item in note["tuple"])
    if "dtype" in note:
        return getattr(tinytorch, note["dtype"])
    tensor = tinytorch.from_numpy(pool.take(note).copy())
    if note["t"][3]:
        leaves.append(tensor.requires_grad_())
    return tensor


def cotangent(shape, kind):
    """Return the fixed factors by which an output enters the loss."""
    return np.random.default_rng(math.prod(shape)).standard_normal(shape).astype(kind)


def flat(result, lib):
    """Return the tensors in a result, in order."""
    if isinstance(result, lib.Tensor):
        return [result]
    return [tensor for part in result for tensor in flat(part, lib)] if isinstance(result, list | tuple) else []


def gradients(result, leaves, lib):
    """Return the gradients of the leaves (None for none) of a fixed combination of the outputs."""
    outputs = [tensor for tensor in flat(result, lib) if tensor.requires_grad]
    if not outputs or not leaves:
        return []
    seeds = [lib.from_numpy(np.array(cotangent(tuple(out.shape), out.detach().numpy().dtype))) for out in outputs]
    return list(lib.autograd.grad(outputs, leaves, seeds, allow_unused=True))


def operator_records(pool):
    """Return one record for each operator: the smallest sample that is not trivial."""
    from . import operators

    records = []
    for op, ways in operators.calls().values():
        if op.name in excused.RANDOM:
            continue
        best = None
        for _, args, kwargs, process in operators.samples(op):
            size = weight(op, args, kwargs, ways[0], process)
            if size and (best is None or size < best[0]):
                best = size, args, kwargs
        path = best and plain_path(ways[0], best[1], best[2])
        if path:
            record = operator_record(path, best[1], best[2], pool)
            records += [record] if record else []
    return records


def weight(op, args, kwargs, way, process):
    """Return how many bytes a sample needs, 0 when it is trivial, too large or of no use here."""
    torch = sys.modules["torch"]
    if process.__code__.co_code != (lambda x: x).__code__.co_code:
        return 0
    inputs = flat([args, list(kwargs.values())] if kwargs else [args], torch)
    if (inputs and max(tensor.numel() for tensor in inputs) < 4) or any(t.numel() == 0 for t in inputs):
        return 0
    try:
        outputs = flat(way.theirs(*args, **kwargs), torch)
        size = sum(t.numel() * t.element_size() for t in (*inputs, *inputs, *outputs))
        if any(t.is_complex() for t in outputs) or size > 3 * LARGEST:
            return 0
        encode((args, {}) and [list(args), list(kwargs.values())], Pool())
    except (oracle.Unsupported, RuntimeError, TypeError, ValueError, IndexError):
        return 0
    return size


def plain_path(way, args, kwargs):
    """Return the dotted name under which PyTorch takes these arguments as they are, or None."""
    torch = sys.modules["torch"]
    for path in (way.base, way.label, f"Tensor.{way.base}"):
        try:
            theirs, ours = found(torch, path), found(tinytorch, path)
            same = callable(ours) and flat(theirs(*args, **kwargs), torch)
        except Exception:
            continue
        wanted = flat(way.theirs(*args, **kwargs), torch)
        if same and len(same) == len(wanted) and all(map(torch.equal, same, wanted)):
            return path
    return None


def found(lib, path):
    """Return what a library has under a dotted name."""
    for part in path.split("."):
        lib = getattr(lib, part)
    return lib


def operator_record(path, args, kwargs, pool):
    """Return the record of one call of PyTorch: arguments, results, gradients."""
    torch = sys.modules["torch"]
    leaves = [t for t in flat([list(args), list(kwargs.values())], torch) if t.requires_grad]
    result = found(torch, path)(*args, **kwargs)
    try:
        grads = gradients(result, leaves, torch)
    except (RuntimeError, NotImplementedError):
        grads = []
    coded = {key: encode(value, pool) for key, value in kwargs.items()}
    outputs = [encode(out, pool) for out in flat(result, torch)]
    grads = [None if grad is None else encode(grad, pool) for grad in grads]
    return {"path": path, "args": [encode(arg, pool) for arg in args], "kwargs": coded, "out": outputs, "grads": grads}


def check_operator(record, pool):
    """Run one record of an operator; return the difference in words or None."""
    leaves: list = []
    args = [decode(arg, pool, leaves) for arg in record["args"]]
    kwargs = {key: decode(value, pool, leaves) for key, value in record["kwargs"].items()}
    result = found(tinytorch, record["path"])(*args, **kwargs)
    wrong = compare(flat(result, tinytorch), record["out"], pool, "output")
    if wrong or not record["grads"]:
        return wrong
    return compare(gradients(result, leaves, tinytorch), record["grads"], pool, "gradient")


def compare(tensors, notes, pool, what):
    """Compare tensors of ours with kept ones: number, shape, dtype, values."""
    if len(tensors) != len(notes):
        return f"{len(tensors)} of {what} instead of {len(notes)}"
    for place, (tensor, note) in enumerate(zip(tensors, notes, strict=True)):
        wanted = None if note is None else pool.take(note)
        if tensor is None or wanted is None:
            there = wanted if tensor is None else tensor.detach().numpy()
            if there is not None and there.any():
                return f"{what} {place}: None on one side"
            continue
        array = tensor.detach().numpy()
        if array.shape != wanted.shape or array.dtype != wanted.dtype:
            return f"{what} {place}: {array.dtype}{array.shape} instead of {wanted.dtype}{wanted.shape}"
        wrong = oracle.array_difference(array, wanted, f"{what} {place}", slack=2)
        if wrong:
            return wrong
    return None


def module_records(pool):
    """Return one record for each module: construction, state, input, outputs, gradients, state afterwards."""
    from . import modules

    torch = sys.modules["torch"]
    records = []
    for name, info in modules.infos().items():
        oracle.seed(name)
        best = None
        for sample in info.module_inputs_func(info, "cpu", torch.float32, True, True):
            given, forward = sample.constructor_input, sample.forward_input
            if hasattr(given, "source"):
                continue
            try:
                coded = encode([list(given.args), list(given.kwargs.values()), list(forward.args)], Pool())
                size = len(json.dumps(coded)) + sum(t.numel() for t in flat(list(forward.args), torch)) * 4
            except oracle.Unsupported:
                continue
            inputs = flat(list(forward.args), torch)
            single = len({id(t) for t in inputs}) == len(inputs)  # one tensor twice would come back as two
            if single and forward.kwargs == {} and (best is None or size < best[0]):
                best = size, given, forward.args
        record = best and module_record(name, *best[1:], pool)
        records += [record] if record else []
    return records


def module_record(name, given, inputs, pool):
    """Return the record of one module of PyTorch in training, or None when it is large or random."""
    from .modules import without_dropout

    torch = sys.modules["torch"]
    module = getattr(torch.nn, name)(*given.args, **given.kwargs)
    without_dropout(module)
    state = {key: value.clone() for key, value in module.state_dict().items()}
    if sum(value.numel() for value in (*state.values(), *flat(list(inputs), torch))) * 4 > 4 * LARGEST:
        return None
    result = module(*inputs)
    leaves = [t for t in flat(list(inputs), torch) if t.requires_grad] + list(module.parameters())
    grads = gradients(result, leaves, torch)
    return {
        "name": name,
        "args": encode(list(given.args), pool),
        "kwargs": {key: encode(value, pool) for key, value in given.kwargs.items()},
        "state": {key: encode(value, pool) for key, value in state.items()},
        "inputs": encode(list(inputs), pool),
        "out": [encode(out, pool) for out in flat(result, torch)],
        "grads": [None if grad is None else encode(grad, pool) for grad in grads],
        "after": [encode(value, pool) for value in module.buffers()],
    }


def check_module(record, pool):
    """Run one record of a module; return the difference in words or None."""
    leaves: list = []
    kwargs = {key: decode(value, pool, []) for key, value in record["kwargs"].items()}
    module = getattr(tinytorch.nn, record["name"])(*decode(record["args"], pool, []), **kwargs)
    for part in module.modules():
        if type(part).__name__.endswith("Dropout"):
            part.p = 0.0
    module.load_state_dict({key: decode(value, pool, []) for key, value in record["state"].items()})
    result = module(*decode(record["inputs"], pool, leaves))
    outputs = flat(result, tinytorch)
    wrong = compare(outputs, record["out"], pool, "output")
    leaves += module.parameters()
    wrong = wrong or compare(gradients(result, leaves, tinytorch), record["grads"], pool, "gradient")
    return wrong or compare(list(module.buffers()), record["after"], pool, "buffer")


def optimizer_records(pool):
    """Return the parameters after 20 steps of each optimizer with its option sets."""
    from . import optimizers

    torch = sys.modules["torch"]
    records = []
    for name in optimizers.names()[0]:
        for options in optimizers.option_sets(name):
            ends = [pool.put(p.detach().numpy()) for p in trajectory(torch, name, options)]
            records.append({"name": name, "options": {k: encode(v, pool) for k, v in options.items()}, "end": ends})
    return records


def trajectory(lib, name, options):
    """Return the parameters of a library's optimizer after the 20 steps of optimizers.py."""
    from . import optimizers

    shapes = ((3, 4), (4, 2)) if name == "Muon" else ((3, 2), (4,))
    side = optimizers.Side(lib, name, options, shapes, grouped=name != "LBFGS")
    for step in range(optimizers.STEPS):
        side.step(optimizers.gradients(step, shapes))
    return side.parameters


def check_optimizer(record, pool):
    """Run one record of an optimizer; return the difference in words or None."""
    options = {key: decode(value, pool, []) for key, value in record["options"].items()}
    ends = trajectory(tinytorch, record["name"], options)
    return compare(ends, record["end"], pool, "parameter")


def rates(lib, name, options, arguments):
    """Return the learning rates of 20 steps of a scheduler."""
    from . import optimizers

    side = optimizers.Side(lib, "SGD", {"lr": 0.1, "momentum": 0.9}, ((2,), (3,)), True)
    side.schedule(name, options)
    found = []
    for step in range(optimizers.STEPS):
        side.step(optimizers.gradients(step, side.shapes))
        side.scheduler.step(*([] if arguments is None else [arguments(step)]))
        found.append(optimizers.flat_rates(side))
    return np.array(found)


def scheduler_records(pool):
    """Return the learning rates of each scheduler."""
    from . import optimizers

    names = optimizers.names()[1]
    chosen = [(place, item) for place, item in enumerate(optimizers.SCHEDULERS) if item[0] in names]
    return [{"place": place, "rates": pool.put(rates(sys.modules["torch"], *item))} for place, item in chosen]


def check_scheduler(record, pool):
    """Run one record of a scheduler; return the difference in words or None."""
    from . import optimizers

    name, options, arguments = optimizers.SCHEDULERS[record["place"]]
    mine, wanted = rates(tinytorch, name, options, arguments), pool.take(record["rates"])
    return None if np.allclose(mine, wanted, 1e-9, 1e-15) else f"{name}({options}): other learning rates"


CHECKS = {
    "operators": check_operator,
    "modules": check_module,
    "optimizers": check_optimizer,
    "schedulers": check_scheduler,
}


def write():
    """Run PyTorch on the samples and keep the results."""
    oracle.load_torch()
    pool = Pool()
    makers = (operator_records, module_records, optimizer_records, scheduler_records)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        records = dict(zip(CHECKS, (make(pool) for make in makers), strict=True))
    arrays = {kind: np.concatenate([*parts, np.zeros(0, kind)]) for kind, parts in pool.arrays.items()}
    text = np.frombuffer(json.dumps(records, separators=(",", ":")).encode(), np.uint8)
    np.savez_compressed(FILE, records=text, **arrays)
    print({kind: len(found) for kind, found in records.items()}, FILE.stat().st_size, "bytes")


def check():
    """Run all kept samples with tinytorch; return (number of samples, differences in words)."""
    with np.load(FILE) as kept:
        pool = Pool({kind: kept[kind] for kind in KINDS})
        records = json.loads(kept["records"].tobytes())
    wrong, count = [], 0
    with oracle.only_our_warnings():
        for kind, test in CHECKS.items():
            for record in records[kind]:
                count += 1
                name = record.get("path") or record.get("name") or f"scheduler {record['place']}"
                try:
                    difference = test(record, pool)
                except Exception as error:
                    difference = oracle.reason(error)
                wrong += [f"{kind}: {name}: {difference}"] if difference else []
    return count, wrong


if __name__ == "__main__":
    write()

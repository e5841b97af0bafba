"""Module 20, Capstone: five events in which a model is made faster or smaller and stays as good.

An entry is one JSON file with all that is needed to build the model again, without running code from the file, and to
measure it again. Every score says how many times better than the given baseline (LeNet-5, GPT) the entry is.
"""

import base64
import functools
import hashlib
import io
import json
import math
from dataclasses import dataclass, field
from pathlib import Path

from .autograd import no_grad
from .benchmark import compare, environment, measure_in_turn
from .conv import LeNet5
from .modules import Module, Parameter
from .profiler import peak_memory
from .quantization import model_size
from .serialization import load, save
from .tensor import Tensor
from .transformer import GPT

FORMAT = "tinytorch-olympics-1"
FLOOR = 0.01  # an entry may fall short of the baseline's quality by this much
EVENTS = {
    "latency": "seconds for one example, against the baseline's in the same run",
    "memory": "bytes of the weights and of what a batch needs beside them",
    "accuracy": "quality, in no more bytes than the baseline's file",
    "all-round": "geometric mean of latency, memory and smallest",
    "smallest": "bytes of the state dict as a file",
}
BASELINES: dict = {
    "lenet": LeNet5,
    "gpt": functools.partial(GPT, vocab_size=65, block_size=64, n_layer=4, n_head=4, n_embd=128),
}
WRITE_UP = """# {name}: {event} ({track})

**Result.** Score {score:.3g}: quality {quality:.4f} (baseline {base_quality:.4f}), {bytes:,} bytes in the file
(baseline {base_bytes:,}), {memory:,} bytes in memory ({base_memory:,}), {speedup:.3g} times as fast.
Measured on {platform}, {machine}, Python {python}, NumPy {numpy}.

## What I changed, in order
One line for each step: what, why I expected it to help, what it did to each of the four figures.

## What limited the model before, and what limits it now
Bytes moved, arithmetic, or the fixed cost of operations? The profile that shows it.

## What did not help
At least one thing that I tried and measured, and the reason why it did not help.

## How sure I am
The interval of the comparison, and what could be different on another machine.
"""


def baseline(track, state=None):
    """Return the model that a track ("lenet", "gpt") starts from, with a given state dict, in eval mode."""
    model = BASELINES[track]()
    if state is not None:
        model.load_state_dict(state)
    return model.eval()


def accuracy(model, inputs, targets):
    """Return the share of targets, classes or next tokens, to which the model gives the largest logit."""
    model.eval()
    with no_grad():
        logits = model(inputs)
    return float((logits.array.argmax(axis=-1) == targets.array).mean())


def figures(model, baseline, data):
    """Return what the events rank by: quality, bytes, memory and speedup of a model, and those of the baseline.

    data: (inputs, targets), tensors. memory: bytes of parameters and buffers, and the peak of a forward pass over at
    most 32 inputs. speedup: the baseline's seconds for one input to the model's, in turn.
    """
    inputs, targets = data
    found = {}
    for prefix, each in (("base_", baseline), ("", model)):
        found[f"{prefix}quality"] = accuracy(each, inputs, targets)
        found[f"{prefix}bytes"] = model_size(each)
        held = {id(t): t.nbytes for t in (*each.parameters(), *each.buffers())}
        with no_grad():
            found[f"{prefix}memory"] = sum(held.values()) + peak_memory(functools.partial(each, inputs[:32]))
    with no_grad():
        ours, theirs = measure_in_turn({"entry": lambda: model(inputs[:1]), "baseline": lambda: baseline(inputs[:1])})
    result = compare(ours, theirs)
    return found | {"seconds": ours.median, "speedup": result.ratio, "speedup_low": result.low}


def score(event, f):
    """Return how many times better than the baseline figures are in an event."""
    ratios = {"latency": f["speedup"], "accuracy": f["quality"] / max(f["base_quality"], 1e-9)}
    ratios |= {"memory": f["base_memory"] / f["memory"], "smallest": f["base_bytes"] / f["bytes"]}
    if event == "all-round":
        return math.prod(ratios[name] for name in ("latency", "memory", "smallest")) ** (1 / 3)
    return ratios[event]


def broken_rules(event, f):
    """Return sentences on the rules of an event that figures break; an empty list for none."""
    problems = []
    if f["quality"] < f["base_quality"] - FLOOR:
        problems.append(f"quality {f['quality']:.4f} is more than {FLOOR} below the baseline's {f['base_quality']:.4f}")
    if event == "accuracy" and f["bytes"] > f["base_bytes"]:
        problems.append(f"the file has {f['bytes']} bytes, more than the baseline's {f['base_bytes']}")
    return problems


def describe(model, tensors=None, names=None, path=""):
    """Return (what a model is made of, as plain data; its tensors by name). A shared tensor is there once.

    Raises ValueError for modules that are not of this package, and for attributes other than numbers, texts, None and
    tuples of these: they could not be built again from data.
    """
    tensors, names = {} if tensors is None else tensors, {} if names is None else names
    kind = type(model)
    if _classes().get(kind.__name__) is not kind:
        raise ValueError(f"{path or 'the model'} is a {kind.__name__}, which this package does not have")
    plain = {key: value for key, value in vars(model).items() if not key.startswith("_")}
    for key, value in plain.items():
        if not _is_plain(value):
            hint = "; make pruning permanent with `remove`" if isinstance(value, Tensor) else ""
            raise ValueError(f"{path}.{key} is a {type(value).__name__}, which cannot be written as data{hint}")
    spec = {"class": kind.__name__, "attributes": plain, "parameters": {}, "buffers": {}, "modules": {}}
    for table in ("parameters", "buffers"):
        for key, tensor in getattr(model, f"_{table}").items():
            if tensor is not None:
                name = names.setdefault(id(tensor), f"{path}.{key}".strip("."))
                tensors[name] = tensor.detach()
            spec[table][key] = None if tensor is None else name
    for key, child in model._modules.items():
        inner = None if child is None else describe(child, tensors, names, f"{path}.{key}".strip("."))[0]
        spec["modules"][key] = inner
    return spec, tensors


def rebuild(spec, tensors, made=None):
    """Return the model that `describe` described. Raises ValueError for what this package does not have."""
    made = {} if made is None else made  # so that what was shared is shared again
    try:
        kind = _classes()[spec["class"]]
        model = kind.__new__(kind)
        Module.__init__(model)
        for key, value in spec["attributes"].items():
            vars(model)[key] = _tuples(value)
        for key, name in spec["parameters"].items():
            model._parameters[key] = None if name is None else made.setdefault(name, Parameter(tensors[name]))
        for key, name in spec["buffers"].items():
            model._buffers[key] = None if name is None else tensors[name]
        for key, inner in spec["modules"].items():
            model._modules[key] = None if inner is None else rebuild(inner, tensors, made)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the description of the model is damaged: {error!r}") from None
    return model


def submit(path, model, event, baseline, data, name="", track="lenet", found=None):
    """Measure a model, write the entry as a JSON file, and return it.

    path: of the file; data: (inputs, targets) that quality is measured on; found: figures measured before. Raises
    ValueError for an unknown event or track, for a model that cannot be written, and when a rule is broken.
    """
    if event not in EVENTS or track not in BASELINES:
        known = f"the events are {', '.join(EVENTS)}, the tracks {', '.join(BASELINES)}"
        raise ValueError(f"no event {event!r} of track {track!r}; {known}")
    spec, tensors = describe(model)
    f = figures(model, baseline, data) if found is None else found
    if problems := broken_rules(event, f):
        raise ValueError("; ".join(problems))
    file = io.BytesIO()
    save(tensors, file)
    state = file.getvalue()
    entry = {"format": FORMAT, "name": name, "event": event, "track": track, "score": score(event, f), "figures": f}
    entry |= {"model": spec, "state": base64.b64encode(state).decode(), "sha256": hashlib.sha256(state).hexdigest()}
    entry["environment"] = environment()
    Path(path).write_text(json.dumps(entry, indent=1))
    return entry


def read_entry(path):
    """Return (entry, model) of a file. Raises ValueError saying what is wrong with it."""
    try:
        entry = json.loads(Path(path).read_text())
        state = base64.b64decode(entry["state"], validate=True)
        f = {key: float(value) for key, value in entry["figures"].items()}
        known = entry["format"] == FORMAT and entry["event"] in EVENTS and entry["track"] in BASELINES
        score(entry["event"], f)
        tensors = load(io.BytesIO(state)) if hashlib.sha256(state).hexdigest() == entry["sha256"] else None
    except (ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError, RuntimeError) as error:
        raise ValueError(f"{path} is no entry: {error!r}") from None
    if not known or not all(map(math.isfinite, f.values())):
        raise ValueError(f"{path} is no entry of {FORMAT} with finite figures")
    if tensors is None:
        raise ValueError(f"{path}: the state is not the one that was submitted (sha256)")
    return entry, rebuild(entry["model"], tensors)


@dataclass
class Verdict:
    """What running an entry again gave: its own figures, the score they make, and what is wrong."""

    path: str
    entry: dict = field(default_factory=dict)
    figures: dict = field(default_factory=dict)
    score: float = 0.0
    problems: list = field(default_factory=list)


def verify(path, baseline, data):
    """Build an entry's model again, measure it on data, and return a Verdict; nothing is raised.

    Wrong is: a file that cannot be read, a broken rule, other bytes, a quality that differs by more than 0.002, memory
    or speed that are better in the file than here by more than 10 % and 50 %.
    """
    try:
        entry, model = read_entry(path)
        f = figures(model, baseline, data)
    except Exception as error:  # whatever a stranger's file makes the package raise
        return Verdict(str(path), problems=[f"{type(error).__name__}: {error}"])
    said, problems = entry["figures"], broken_rules(entry["event"], f)
    for key, wrong in {
        "bytes": said["bytes"] != f["bytes"],
        "quality": abs(said["quality"] - f["quality"]) > 0.002,
        "memory": f["memory"] > 1.1 * said["memory"],
        "speedup": said["speedup"] > 1.5 * f["speedup"],
    }.items():
        if wrong:
            problems.append(f"{key} is {f[key]:.6g} here, and the file says {said[key]:.6g}")
    return Verdict(str(path), entry, f, score(entry["event"], f), problems)


def rank(verdicts):
    """Return rows of a table, by event and track, best score first; verdicts with problems come last, unplaced.

    Equal scores share a place: 1, 2, 2, 4.
    """
    rows = []
    for v in sorted(verdicts, key=lambda v: (bool(v.problems), *_group(v), -v.score)):
        better = sum(not w.problems and _group(w) == _group(v) and w.score > v.score for w in verdicts)
        row = {"place": None if v.problems else better + 1, "name": v.entry.get("name", v.path), "score": v.score}
        rows.append(row | {"event": _group(v)[0], "track": _group(v)[1], "problems": "; ".join(v.problems)})
    return rows


def _group(verdict):
    return tuple(str(verdict.entry.get(key, "")) for key in ("event", "track"))


def record(path, entry):
    """Put an entry on the personal record board, a JSON file, if it beats the one there; return whether it did."""
    board = records(path)
    key = f"{entry['event']} {entry['track']}"
    if key in board and board[key]["score"] >= entry["score"]:
        return False
    board[key] = {k: entry[k] for k in ("score", "name", "figures", "environment", "sha256")}
    Path(path).write_text(json.dumps(board, indent=1))
    return True


def records(path):
    """Return the personal record board: {"event track": best entry so far, without its model}."""
    return json.loads(Path(path).read_text()) if Path(path).exists() else {}


def write_up(entry):
    """Return the template of the write-up with the entry's figures filled in, as Markdown."""
    return WRITE_UP.format(**entry["environment"], **entry["figures"], **entry)


def _classes():
    found, queue = {}, [Module]
    while queue:
        kind = queue.pop()
        queue += kind.__subclasses__()
        if kind.__module__.startswith(f"{__package__}."):
            found[kind.__name__] = kind
    return found


def _is_plain(value):
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (bool, int, float, str))


def _tuples(value):
    return tuple(map(_tuples, value)) if isinstance(value, list) else value

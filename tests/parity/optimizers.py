"""Optimizers and schedulers: the same gradients for 20 steps, parameters and learning rates compared at each."""

import dataclasses
import inspect
import sys

import numpy as np

import tinytorch

from . import oracle

STEPS = 20
SAVED_AT = 10  # after so many steps, state goes through state_dict into a fresh optimizer
CLOSE = 1e-6  # of the largest element of a parameter
SHAPES = ((3, 4), (4,), (2, 3, 2))
COMPILED = ("foreach", "fused", "capturable", "differentiable")  # options of how it is computed, not of what


@dataclasses.dataclass
class Outcome:
    """What came of one trajectory: "equal" or "failed" (difference in note)."""

    name: str
    inputs: str
    status: str
    note: str = ""
    number: int = 0


MORE = {  # option sets beside those of PyTorch's own database
    "SGD": [
        {"lr": 0.1, "momentum": 0.9, "nesterov": True},
        {"lr": 0.1, "momentum": 0.8, "dampening": 0.3, "weight_decay": 0.01, "maximize": True},
    ],
    "Adam": [
        {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-6},
        {"amsgrad": True, "maximize": True},
        {"weight_decay": 0.1, "decoupled_weight_decay": True},
    ],
    "AdamW": [
        {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-6},
        {"weight_decay": 0.0},
        {"amsgrad": True, "maximize": True},
    ],
    "RMSprop": [{"lr": 0.05, "alpha": 0.9, "eps": 1e-6, "momentum": 0.9}, {"centered": True}],
    "Adagrad": [{"eps": 1e-6}],
    "Adamax": [{"betas": (0.8, 0.95), "eps": 1e-6}],
    "NAdam": [{"betas": (0.8, 0.95)}],
    "RAdam": [{"betas": (0.8, 0.95)}],
    "Adadelta": [{"lr": 0.5, "rho": 0.8, "eps": 1e-5}],
}

SCHEDULERS = [  # (class, options, arguments of step as a function of the step)
    ("StepLR", "step_size=4, gamma=0.5", None),
    ("MultiStepLR", "milestones=[3, 7, 7, 15], gamma=0.3", None),
    ("ExponentialLR", "gamma=0.9", None),
    ("ConstantLR", "factor=0.25, total_iters=6", None),
    ("LinearLR", "start_factor=0.1, total_iters=8", None),
    ("LinearLR", "start_factor=0.5, end_factor=0.9, total_iters=30", None),
    ("PolynomialLR", "total_iters=12, power=2.0", None),
    ("LambdaLR", "lr_lambda=lambda step: 1 / (1 + step)", None),
    ("LambdaLR", "lr_lambda=[lambda step: 0.9**step, lambda step: min(1.0, step / 5)]", None),
    ("MultiplicativeLR", "lr_lambda=lambda step: 0.8", None),
    ("CosineAnnealingLR", "T_max=10", None),
    ("CosineAnnealingLR", "T_max=7, eta_min=0.01", None),
    ("CosineAnnealingWarmRestarts", "T_0=3, T_mult=2, eta_min=0.001", None),
    ("CyclicLR", "base_lr=0.01, max_lr=0.1, step_size_up=3, cycle_momentum=False", None),
    ("CyclicLR", "base_lr=0.01, max_lr=0.1, step_size_up=3, step_size_down=5, mode='triangular2'", None),
    ("CyclicLR", "base_lr=0.01, max_lr=0.1, step_size_up=4, mode='exp_range', gamma=0.95", None),
    ("OneCycleLR", "max_lr=0.2, total_steps=25", None),
    ("OneCycleLR", "max_lr=[0.2, 0.4], epochs=5, steps_per_epoch=6, anneal_strategy='linear', three_phase=True", None),
    ("ReduceLROnPlateau", "factor=0.5, patience=2", lambda step: 1.0 / (1 + min(step, 5))),
    ("ReduceLROnPlateau", "mode='max', factor=0.3, patience=1, cooldown=2, min_lr=0.002", lambda step: float(step % 4)),
    ("ReduceLROnPlateau", "threshold=0.1, threshold_mode='abs', patience=0", lambda step: 2.0 - 0.05 * step),
    (
        "SequentialLR",
        "schedulers=[S.LinearLR(opt, 0.1, total_iters=4), S.CosineAnnealingLR(opt, 10)], milestones=[4]",
        None,
    ),
    ("ChainedScheduler", "[S.ConstantLR(opt, 0.1, total_iters=3), S.ExponentialLR(opt, 0.9)], optimizer=opt", None),
]


def names():
    """Return (optimizers, schedulers): the classes that tinytorch.optim names and PyTorch has."""
    torch = sys.modules["torch"]

    def classes(ours, theirs, base):
        found = [name for name, item in vars(ours).items() if inspect.isclass(item) and issubclass(item, base)]
        return sorted(name for name in found if hasattr(theirs, name) and name not in SKIPPED)

    scheduler = tinytorch.optim.lr_scheduler
    optimizers = classes(tinytorch.optim, torch.optim, tinytorch.optim.Optimizer)
    base = getattr(scheduler, "LRScheduler", object)
    return optimizers, classes(scheduler, torch.optim.lr_scheduler, base)


SKIPPED = ("Optimizer", "LRScheduler", "_LRScheduler", "SparseAdam")  # bases; gradients that are sparse


def option_sets(name):
    """Return the option sets of an optimizer: PyTorch's own and ours."""
    from torch.testing._internal.common_optimizers import optim_db

    torch = sys.modules["torch"]
    found = [dict(item.kwargs) for info in optim_db if info.name == name for item in info.optim_inputs_func("cpu")]
    found = [options for options in found if not any(options.get(key) for key in COMPILED)]
    found = [options for options in found if not isinstance(options.get("lr"), torch.Tensor)]
    return found + MORE.get(name, [])


def starts(shapes):
    """Return start values, the same for both libraries, large enough that decay shows."""
    dice = np.random.default_rng(1)
    return [dice.standard_normal(shape).astype(np.float32) for shape in shapes]


class Side:
    """One library with its parameters, optimizer and scheduler."""

    def __init__(self, lib, name, options, shapes, grouped):
        self.lib, self.name, self.options, self.shapes, self.grouped = lib, name, options, shapes, grouped
        self.parameters = [lib.nn.Parameter(lib.from_numpy(value.copy())) for value in starts(shapes)]
        self.scheduler = None
        self.optimizer = self.make()

    def make(self):
        """Make the optimizer: one group, or two groups of which the first has options of its own."""
        kind = getattr(self.lib.optim, self.name)
        if not self.grouped:
            return kind(self.parameters, **self.options)
        first = {"params": self.parameters[:1], "lr": 0.03}
        if "weight_decay" in inspect.signature(kind).parameters:
            first["weight_decay"] = 0.2
        return kind([first, {"params": iter(self.parameters[1:])}], **self.options)

    def schedule(self, name, options):
        """Attach a scheduler, its options given as source text."""
        space = self.lib.optim.lr_scheduler
        self.scheduler = eval(
            f"S.{name}(opt, {options})" if name != "ChainedScheduler" else f"S.{name}({options})",
            {"S": space, "opt": self.optimizer},
        )

    def step(self, gradients):
        """Set the gradients and take one step; an optimizer that evaluates the loss itself gets a quadratic."""
        if self.name == "LBFGS":
            self.optimizer.step(self.closure)
            return
        for place, (parameter, gradient) in enumerate(zip(self.parameters, gradients, strict=True)):
            skipped = place == 1 and gradient is None
            parameter.grad = None if skipped else self.lib.from_numpy(gradient.copy())
        self.optimizer.step()

    def closure(self):
        """Return a loss with a valley of different widths, its gradient left in .grad."""
        self.optimizer.zero_grad()
        terms = [((p - 0.5) ** 2 * (2.0 + place) + (p - 0.5) ** 4).sum() for place, p in enumerate(self.parameters)]
        loss = sum(terms[1:], terms[0])
        loss.backward()
        return loss

    def resume(self, state=None):
        """Go on with a fresh optimizer that has loaded the state of the old one (or a given state)."""
        state = self.optimizer.state_dict() if state is None else state
        self.optimizer = self.make()
        self.optimizer.load_state_dict(state)

    def rates(self):
        """Return the learning rate (and momentum) of each group."""
        keys = ("lr", "momentum", "betas")
        return [[group[key] for key in keys if key in group] for group in self.optimizer.param_groups]


def gradients(step, shapes):
    """Return the gradients of one step; now and then a parameter has none."""
    dice = np.random.default_rng(1000 + step)
    given = [dice.standard_normal(shape).astype(np.float32) for shape in shapes]
    if step % 7 == 3:
        given[1 % len(given)] = None if len(given) > 1 else given[0]
    return given


def apart(ours, theirs, step):
    """Return in words how the two sides differ after a step, or None."""
    for place, (mine, other) in enumerate(zip(ours.parameters, theirs.parameters, strict=True)):
        a, b = mine.detach().numpy(), other.detach().numpy()
        if a.dtype != b.dtype or a.shape != b.shape:
            return f"step {step}: parameter {place} became {a.dtype}{list(a.shape)}"
        far = np.abs(a - b).max() / max(np.abs(b).max(), 1e-30)
        if not far <= CLOSE:
            return f"step {step}: parameter {place} is {far:.1e} away (relative to its largest element)"
    mine, other = np.hstack(flat_rates(ours)), np.hstack(flat_rates(theirs))
    if mine.shape != other.shape or not np.allclose(mine, other, 1e-9, 1e-15):
        return f"step {step}: rates {ours.rates()} instead of {theirs.rates()}"
    return None


def flat_rates(side):
    """Return the numbers of Side.rates as a flat list."""
    return [float(number) for group in side.rates() for item in group for number in np.atleast_1d(item)]


def state_apart(ours, theirs):
    """Compare the layout of two optimizer state dicts: groups, option names, names of the state of a parameter."""
    mine, other = ours.optimizer.state_dict(), theirs.optimizer.state_dict()
    for a, b in zip(mine["param_groups"], other["param_groups"], strict=True):
        wanted = {key: value for key, value in b.items() if key not in COMPILED}
        missing = [key for key in wanted if key not in a]
        if missing:
            return f"state_dict: param_groups lack {missing}"
        unequal = [key for key in wanted if isinstance(wanted[key], int | float | list) and a[key] != wanted[key]]
        if unequal:
            return f"state_dict: {unequal[0]} is {a[unequal[0]]} instead of {wanted[unequal[0]]}"
    if list(mine["state"]) != list(other["state"]):
        return f"state_dict: state of {list(mine['state'])} instead of {list(other['state'])}"
    for place in other["state"]:
        a, b = sorted(mine["state"][place]), sorted(other["state"][place])
        if a != b:
            return f"state_dict: state has {a} instead of {b}"
    return None


def carried(state):
    """Return PyTorch's optimizer state with our tensors in place of its own: a checkpoint crosses over."""
    convert = oracle.Convert()
    return {"state": convert(state["state"]), "param_groups": convert(state["param_groups"])}


def race(ours, theirs, arguments=None, cross=False):
    """Let both sides take all steps; return the first difference in words or None."""
    for step in range(STEPS):
        given = gradients(step, theirs.shapes)
        for side in (theirs, ours):
            side.step(given)
            if side.scheduler is not None:
                side.scheduler.step(*([] if arguments is None else [arguments(step)]))
        wrong = apart(ours, theirs, step)
        if wrong:
            return wrong
        if step == SAVED_AT and ours.scheduler is None:
            wrong = state_apart(ours, theirs)
            if wrong:
                return wrong
            state = carried(theirs.optimizer.state_dict()) if cross else None
            theirs.resume()
            ours.resume(state)
    return None


def attempt(name, inputs, number, work):
    """Run a comparison and return its Outcome, or None when PyTorch itself refuses."""
    try:
        note = work()
    except Exception as error:
        trace = error.__traceback__
        while trace.tb_next:
            trace = trace.tb_next
        if "site-packages/torch" in trace.tb_frame.f_code.co_filename.replace("\\", "/"):
            return None
        note = oracle.reason(error)
    return Outcome(name, inputs, "failed" if note else "equal", note or "", number)


def check_optimizer(name):
    """Return the outcomes of all option sets of an optimizer: one group, two groups, PyTorch's state loaded."""
    torch = sys.modules["torch"]
    outcomes = []
    shapes = (SHAPES[0], (4, 2)) if name == "Muon" else SHAPES
    for options in option_sets(name):
        for way in ("one group", "two groups", "from PyTorch's state"):
            if name == "LBFGS" and way == "two groups":
                continue

            def work(options=options, way=way):
                sides = [Side(lib, name, options, shapes, way == "two groups") for lib in (tinytorch, torch)]
                return race(*sides, cross=way.startswith("from"))

            text = ", ".join(f"{key}={value}" for key, value in options.items()) or "defaults"
            outcomes.append(attempt(name, f"{text}; {way}", len(outcomes), work))
    return [outcome for outcome in outcomes if outcome]


def check_scheduler(name, options, arguments, number):
    """Return the outcome of one scheduler: 20 steps, learning rates and parameters, state saved in the middle."""
    torch = sys.modules["torch"]

    def work():
        sides = []
        for lib in (tinytorch, torch):
            side = Side(lib, "SGD", {"lr": 0.1, "momentum": 0.9}, SHAPES[:2], True)
            side.schedule(name, options)
            sides.append(side)
        return schedule_apart(sides, name, options, arguments)

    return attempt(name, options, number, work)


def schedule_apart(sides, name, options, arguments):
    """Compare two schedulers step by step, through state_dict in the middle; return the difference or None."""
    ours, theirs = sides
    wrong = apart(ours, theirs, "start")
    for step in range(STEPS):
        given = gradients(step, theirs.shapes)
        for side in (theirs, ours):
            side.step(given)
            side.scheduler.step(*([] if arguments is None else [arguments(step)]))
        wrong = wrong or apart(ours, theirs, step)
        if not wrong and arguments is None:
            mine, other = ours.scheduler.get_last_lr(), theirs.scheduler.get_last_lr()
            if not np.allclose(mine, other, 1e-9, 1e-15):
                wrong = f"step {step}: get_last_lr() is {mine} instead of {other}"
        if wrong:
            return wrong
        if step == SAVED_AT:
            for side in (theirs, ours):
                saved = side.optimizer.state_dict(), side.scheduler.state_dict()
                side.optimizer = side.make()
                side.schedule(name, options)
                side.optimizer.load_state_dict(saved[0])
                side.scheduler.load_state_dict(saved[1])
    return None


def run(only=""):
    """Run all optimizers and schedulers whose name contains `only`; return (outcomes, names without samples)."""
    optimizers, schedulers = names()
    outcomes = []
    with oracle.only_our_warnings():
        for name in optimizers:
            outcomes += check_optimizer(name) if only in name else []
        for number, (name, options, arguments) in enumerate(SCHEDULERS):
            if only in name and name in schedulers:
                outcome = check_scheduler(name, options, arguments, number)
                outcomes += [outcome] if outcome else []
    done = {outcome.name for outcome in outcomes}
    return outcomes, [name for name in (*optimizers, *schedulers) if name not in done and only in name]

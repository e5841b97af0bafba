"""Schedules that change an optimizer's learning rates while it trains (part of module 07, Optimizers).

Call `scheduler.step()` after each epoch, or each step. t is `last_epoch`, the number of those calls. Most rules
multiply the learning rate as it is, so that several schedulers can act on one optimizer.
"""

import math
from bisect import bisect_right

from .optimizers import Optimizer


class LRScheduler:
    """What all schedules share; a subclass defines `get_lr`, one learning rate for each parameter group.

    last_epoch: -1 to begin; to resume, the t reached (groups must then have "initial_lr", else KeyError).
    """

    def __init__(self, optimizer, last_epoch=-1):
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                where = f"param_groups[{i}] when resuming an optimizer"
                raise KeyError(f"param 'initial_lr' is not specified in {where}")
        self.optimizer, self.last_epoch, self._step_count = optimizer, last_epoch, 0
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self._initial_step()

    def _initial_step(self):
        self._step_count = 0
        self.step()

    def get_lr(self):
        """Return the learning rate of each group for the present t."""
        raise NotImplementedError

    def get_last_lr(self):
        """Return the learning rates that the last step set."""
        return self._last_lr

    def step(self, epoch=None):
        """Go to the next t, or begin anew and go to t = epoch, and set the learning rates."""
        if epoch is None:
            self.last_epoch += 1
        else:
            for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
                group["lr"] = base
            self.last_epoch = 0
        self._step_count += 1
        for group, lr in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
            group["lr"] = lr
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]
        for _ in range(epoch or 0):
            self.step()

    def state_dict(self):
        """Return all that changes, as a dict; not the optimizer, and no functions."""
        return {key: value for key, value in vars(self).items() if key not in ("optimizer", "lr_lambdas")}

    def load_state_dict(self, state_dict):
        """Take over what `state_dict` returned."""
        vars(self).update(state_dict)

    @property
    def _begins(self):
        """Whether t is 0, or where training resumes."""
        return self.last_epoch == 0 or self._step_count == 1

    def _scaled(self, factor):
        """Return the learning rates as they are, times factor."""
        return [group["lr"] * factor for group in self.optimizer.param_groups]


class LambdaLR(LRScheduler):
    """lr = initial lr times lr_lambda(t); lr_lambda is a function, or a list of one for each group.

    >>> optimizer = tt.optim.SGD([tt.zeros(1)], lr=1.0)
    >>> warm_up = tt.optim.lr_scheduler.LambdaLR(optimizer, lambda t: min(1, (t + 1) / 4))
    >>> warm_up.step()
    >>> warm_up.get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer, lr_lambda, last_epoch=-1):
        count = len(optimizer.param_groups)
        self.lr_lambdas = list(lr_lambda) if isinstance(lr_lambda, (list, tuple)) else [lr_lambda] * count
        if len(self.lr_lambdas) != count:
            raise ValueError(f"Expected {count} lr_lambdas, but got {len(self.lr_lambdas)}")
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        """Return initial lr times f(t) for each group; the functions f are in self.lr_lambdas, one for each."""
        return [base * f(self.last_epoch) for f, base in zip(self.lr_lambdas, self.base_lrs, strict=True)]


class StepLR(LRScheduler):
    """The learning rate is multiplied by gamma every step_size steps."""

    def __init__(self, optimizer, step_size, gamma=0.1, last_epoch=-1):
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        return self._scaled(self.gamma if self.last_epoch > 0 and self.last_epoch % self.step_size == 0 else 1)


class MultiStepLR(LRScheduler):
    """The learning rate is multiplied by gamma at each t in milestones."""

    def __init__(self, optimizer, milestones, gamma=0.1, last_epoch=-1):
        self.milestones, self.gamma = sorted(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        return self._scaled(self.gamma ** self.milestones.count(self.last_epoch))


class ConstantLR(LRScheduler):
    """The learning rate is factor times the initial one until t = total_iters."""

    def __init__(self, optimizer, factor=1.0 / 3, total_iters=5, last_epoch=-1):
        if not 0 <= factor <= 1:
            raise ValueError("Constant multiplicative factor expected to be between 0 and 1.")
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        if self.last_epoch == 0:
            return self._scaled(self.factor)
        return self._scaled(1 / self.factor if self.last_epoch == self.total_iters else 1)


class LinearLR(LRScheduler):
    """The learning rate goes evenly from start_factor to end_factor times the initial one until t = total_iters."""

    def __init__(self, optimizer, start_factor=1.0 / 3, end_factor=1.0, total_iters=5, last_epoch=-1):
        if not 0 < start_factor <= 1:
            raise ValueError("Starting multiplicative factor expected to be greater than 0 and less or equal to 1.")
        if not 0 <= end_factor <= 1:
            raise ValueError("Ending multiplicative factor expected to be between 0 and 1.")
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        """Return lr times the factor at t over the factor at t - 1."""
        t, start, rise = self.last_epoch, self.start_factor, self.end_factor - self.start_factor
        if t == 0:
            return self._scaled(start)
        if self._begins or t > self.total_iters:
            return self._scaled(1)
        return self._scaled(1 + rise / (self.total_iters * start + (t - 1) * rise))


class ExponentialLR(LRScheduler):
    """The learning rate is multiplied by gamma at each t > 0."""

    def __init__(self, optimizer, gamma, last_epoch=-1):
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        return self._scaled(1 if self._begins else self.gamma)


class CosineAnnealingLR(LRScheduler):
    """lr = eta_min + (initial lr - eta_min) (1 + cos(pi t / T_max)) / 2: down to eta_min at T_max, then up again.

    Loshchilov and Hutter 2017, arXiv:1608.03983, without its restarts.
    """

    def __init__(self, optimizer, T_max, eta_min=0.0, last_epoch=-1):
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        """Return the formula's value relative to its value at t - 1, so that other schedules count too."""
        t, low, groups = self.last_epoch, self.eta_min, self.optimizer.param_groups
        if self._begins:
            return self._scaled(1)
        now, before = (1 + math.cos(math.pi * t / self.T_max)), (1 + math.cos(math.pi * (t - 1) / self.T_max))
        if (t - 1 - self.T_max) % (2 * self.T_max) == 0:  # before is 0
            return [g["lr"] + (b - low) * now / 2 for g, b in zip(groups, self.base_lrs, strict=True)]
        return [now / before * (group["lr"] - low) + low for group in groups]


class OneCycleLR(LRScheduler):
    """The learning rate rises from max_lr / div_factor to max_lr, then falls to 1 / final_div_factor of where it began.

    The rise takes pct_start of total_steps (or epochs * steps_per_epoch); anneal_strategy is "cos" or "linear".
    With cycle_momentum the momentum (Adam: beta1) moves the other way. three_phase: falls as it rose, then
    further. Smith and Topin 2018, arXiv:1708.07120.
    """

    def __init__(
        self, optimizer, max_lr, total_steps=None, epochs=None, steps_per_epoch=None, pct_start=0.3,
        anneal_strategy="cos", cycle_momentum=True, base_momentum=0.85, max_momentum=0.95, div_factor=25.0,
        final_div_factor=1e4, three_phase=False, last_epoch=-1,
    ):  # fmt: skip
        if total_steps is None and (epochs is None or steps_per_epoch is None):
            raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        self.total_steps, self.anneal_strategy = total_steps or epochs * steps_per_epoch, anneal_strategy
        low, high, peak, end = max_momentum, base_momentum, pct_start * self.total_steps - 1, self.total_steps - 1
        self.phases = [(0, peak, "initial_lr", "max_lr", low, high), (peak, end, "max_lr", "min_lr", high, low)]
        if three_phase:
            self.phases[1:] = [(peak, 2 * peak, "max_lr", "initial_lr", high, low)]
            self.phases += [(2 * peak, end, "initial_lr", "min_lr", low, low)]
        self.cycle_momentum = cycle_momentum
        if cycle_momentum and not {"momentum", "betas"} & set(optimizer.defaults):
            raise ValueError("optimizer must support momentum or beta1 with `cycle_momentum` option enabled")
        tops = max_lr if isinstance(max_lr, (list, tuple)) else [max_lr] * len(optimizer.param_groups)
        for group, top in zip(optimizer.param_groups, tops, strict=True):
            if last_epoch == -1:
                start = top / div_factor
                group.update(initial_lr=start, max_lr=top, min_lr=start / final_div_factor)
        super().__init__(optimizer, last_epoch)

    def _between(self, start, end, part):
        if self.anneal_strategy == "linear":
            return start + (end - start) * part
        return end + (start - end) / 2 * (1 + math.cos(math.pi * part))

    def get_lr(self):
        """Return the point of the cycle at t, and set the momentum. Raises ValueError after total_steps."""
        t = self.last_epoch
        if t > self.total_steps:
            raise ValueError(f"Tried to step {t} times. The specified number of total steps is {self.total_steps}")
        phase = next((phase for phase in self.phases if t <= phase[1]), self.phases[-1])
        begin, end, first, last, momentum, next_momentum = phase
        part = (t - begin) / (end - begin)
        for group in self.optimizer.param_groups if self.cycle_momentum else ():
            value = self._between(momentum, next_momentum, part)
            group.update({"betas": (value, *group["betas"][1:])} if "betas" in group else {"momentum": value})
        return [self._between(group[first], group[last], part) for group in self.optimizer.param_groups]


class SequentialLR(LRScheduler):
    """Several schedulers one after the other: the next begins, with its own t = 0, at each of the milestones."""

    def __init__(self, optimizer, schedulers, milestones, last_epoch=-1):
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(f"{len(schedulers)} schedulers need one milestone less, but got {len(milestones)}")
        self._schedulers, self._milestones, self.optimizer = list(schedulers), list(milestones), optimizer
        self.last_epoch = last_epoch + 1
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"]
        for scheduler in self._schedulers:  # undo the step that each made when it was made
            scheduler.last_epoch -= 1
        self._schedulers[0]._initial_step()
        self._last_lr = self._schedulers[0].get_last_lr()

    def step(self, epoch=None):
        """Go to the next t and step the scheduler whose turn it is."""
        self.last_epoch += 1
        turn = bisect_right(self._milestones, self.last_epoch)
        begins = turn > 0 and self._milestones[turn - 1] == self.last_epoch
        self._schedulers[turn].step(*[0] * begins)
        self._last_lr = self._schedulers[turn].get_last_lr()

    def state_dict(self):
        return {**super().state_dict(), "_schedulers": [scheduler.state_dict() for scheduler in self._schedulers]}

    def load_state_dict(self, state_dict):
        """Take over what `state_dict` returned."""
        vars(self).update({key: value for key, value in state_dict.items() if key != "_schedulers"})
        for scheduler, state in zip(self._schedulers, state_dict["_schedulers"], strict=True):
            scheduler.load_state_dict(state)


class ReduceLROnPlateau(LRScheduler):
    """The learning rate is multiplied by factor when what `step(metrics)` is given has not improved for patience steps.

    mode: "min" or "max"; an improvement is one by more than threshold ("rel": of the best, "abs": as it is).
    After a reduction, cooldown steps do not count. lr stays at min_lr (a number, or one for each group) at least.
    """

    def __init__(
        self, optimizer, mode="min", factor=0.1, patience=10, threshold=1e-4, threshold_mode="rel", cooldown=0,
        min_lr=0, eps=1e-8,
    ):  # fmt: skip
        if factor >= 1:
            raise ValueError("Factor should be < 1.0.")
        if mode not in ("min", "max") or threshold_mode not in ("rel", "abs"):
            raise ValueError(f"mode {mode if mode not in ('min', 'max') else threshold_mode} is unknown!")
        self.optimizer, self.mode, self.factor, self.patience, self.eps = optimizer, mode, factor, patience, eps
        self.threshold, self.threshold_mode, self.cooldown = threshold, threshold_mode, cooldown
        self.min_lrs = list(min_lr) if isinstance(min_lr, (list, tuple)) else [min_lr] * len(optimizer.param_groups)
        self.best = math.inf if mode == "min" else -math.inf
        self.cooldown_counter = self.num_bad_epochs = self.last_epoch = 0
        self._last_lr = [group["lr"] for group in optimizer.param_groups]

    def is_better(self, a, best):
        """Return whether a improves on best."""
        margin = self.threshold * (best if self.threshold_mode == "rel" and math.isfinite(best) else 1)
        return a < best - margin if self.mode == "min" else a > best + margin

    def step(self, metrics, epoch=None):  # type: ignore[override]
        """Note one more value and reduce the learning rates if it is time."""
        value = float(metrics)
        self.last_epoch += 1
        better = self.is_better(value, self.best)
        self.best, self.num_bad_epochs = (value, 0) if better else (self.best, self.num_bad_epochs + 1)
        if self.cooldown_counter > 0:
            self.cooldown_counter, self.num_bad_epochs = self.cooldown_counter - 1, 0
        if self.num_bad_epochs > self.patience:
            for group, least in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
                new = max(group["lr"] * self.factor, least)
                group["lr"] = new if group["lr"] - new > self.eps else group["lr"]
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

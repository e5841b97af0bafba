"""Module 08, Training: the loop, what keeps it stable, and a Trainer that can stop and go on exactly."""

import math
import sys

import numpy as np

from ._tensor_base import call
from .autograd import no_grad
from .creation import default_generator
from .lr_scheduler import ReduceLROnPlateau
from .serialization import load, save
from .tensor import Tensor


def _gradients(parameters):
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    return [parameter.grad.array for parameter in parameters if parameter.grad is not None]


def _norm(array, order):
    """Return the norm of an array's elements; order may be inf."""
    flat = array.reshape(-1)
    if math.isinf(order):
        return float(np.abs(flat).max(initial=0))
    return math.sqrt(np.dot(flat, flat)) if order == 2 else float((np.abs(flat) ** order).sum() ** (1 / order))


def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """Scale all gradients by one factor so that their norm, taken together, is at most max_norm; return that norm.

    The norm returned is the one before, a tensor () of the gradients' dtype (float32 when there are none). norm_type
    may be inf. The gradients are changed in place; foreach is ignored.
    Pascanu, Mikolov and Bengio 2013, arXiv:1211.5063. Raises RuntimeError for a norm that is inf or nan if asked to.

    >>> w = tt.zeros(2, requires_grad=True)
    >>> w.grad = tt.tensor([3.0, 4.0])
    >>> tt.nn.utils.clip_grad_norm_([w], max_norm=1.0), w.grad
    (tensor(5.), tensor([0.6000, 0.8000]))
    """
    grads, norm_type = _gradients(parameters), float(norm_type)
    total = _norm(np.array([_norm(grad, norm_type) for grad in grads]), norm_type)
    if error_if_nonfinite and not math.isfinite(total):
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it cannot be "
            "clipped. To disable this error and scale the gradients by the non-finite norm anyway, set "
            "`error_if_nonfinite=False`"
        )
    factor = max_norm / (total + 1e-6)
    if not factor >= 1:  # nan, too
        for grad in grads:
            grad *= factor
    return Tensor(np.array(total, grads[0].dtype if grads else np.float32))


def clip_grad_value_(parameters, clip_value, foreach=None):
    """Cut every element of the gradients off at -clip_value and clip_value, in place; foreach is ignored."""
    for grad in _gradients(parameters):
        np.clip(grad, -clip_value, clip_value, out=grad)


def parameters_to_vector(parameters):
    """Return all parameters, one after the other, as one vector.

    >>> tt.nn.utils.parameters_to_vector([tt.zeros(1, 2), tt.ones(1)])
    tensor([0., 0., 1.])
    """
    return call("Cat", *(parameter.reshape(-1) for parameter in parameters), dim=0)


def vector_to_parameters(vec, parameters):
    """Copy the parts of a vector into parameters, in the order of `parameters_to_vector`."""
    start = 0
    for parameter in parameters:
        part = vec.array[start : start + parameter.numel()]
        parameter.array[...] = part.reshape(parameter.shape)
        parameter.bump_version()
        start += parameter.numel()


def accuracy(output, target):
    """Return the share of rows of output (batch, classes) whose largest entry is at target (batch,), a float."""
    return float((output.array.argmax(-1) == target.array).mean())


def apply_gradients(model, optimizer, scheduler=None, max_norm=None, scale=1.0):
    """Do one step of the optimizer with the model's gradients, and drop them.

    scale: all gradients are multiplied by it first. max_norm: then they are clipped, see `clip_grad_norm_`; None
    leaves them as they are. scheduler: its step follows the optimizer's.
    """
    for grad in _gradients(model.parameters()) if scale != 1 else ():
        grad *= scale
    if max_norm is not None:
        clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    optimizer.zero_grad()
    if scheduler is not None:
        scheduler.step()


def train_one_epoch(model, loader, loss_fn, optimizer, scheduler=None, accumulate=1, max_norm=None, on_step=None):
    """Train on every batch (inputs, targets) of loader once and return the mean loss of its samples.

    scheduler: stepped with the optimizer. accumulate: batches per step; with batches of one size, as if they were
    one large batch; what is left over at the end is a step too. max_norm: see `clip_grad_norm_`. on_step(loss) is
    called after each batch with a Python float. The mean of no samples is 0.0.
    """
    model.train()
    optimizer.zero_grad()
    total, samples, waiting = 0.0, 0, 0
    for inputs, targets in loader:
        loss = loss_fn(model(inputs), targets)
        (loss / accumulate).backward()
        value = loss.item()  # a number: to keep the tensor would keep its graph
        total, samples, waiting = total + value * len(inputs), samples + len(inputs), waiting + 1
        if waiting == accumulate:
            apply_gradients(model, optimizer, scheduler, max_norm)
            waiting = 0
        if on_step is not None:
            on_step(value)
    if waiting:
        apply_gradients(model, optimizer, scheduler, max_norm, scale=accumulate / waiting)
    return total / max(samples, 1)


def evaluate(model, loader, loss_fn, metrics=None):
    """Return {"loss": mean, name: mean} over the samples of loader, in evaluation mode and without a graph.

    metrics: functions of (output, targets) by name, such as {"accuracy": accuracy}. All values are Python floats, 0.0
    when there are no samples. The model is left in the mode in which it came.
    """
    functions = {"loss": loss_fn, **(metrics or {})}
    totals, samples, mode = dict.fromkeys(functions, 0.0), 0, model.training
    model.eval()
    with no_grad():
        for inputs, targets in loader:
            output = model(inputs)
            for name, function in functions.items():
                totals[name] += float(function(output, targets)) * len(inputs)
            samples += len(inputs)
    model.train(mode)
    return {name: total / max(samples, 1) for name, total in totals.items()}


class Callback:
    """What a Trainer calls; override what you need."""

    def on_step(self, trainer, loss):
        """Hear of one more batch and its loss."""

    def on_epoch_end(self, trainer, row):
        """Hear of the end of an epoch; row is the last of `trainer.history`."""

    def state_dict(self):
        """Return what a checkpoint shall keep."""
        return {}

    def load_state_dict(self, state_dict):
        """Take over what `state_dict` returned."""
        vars(self).update(state_dict)


class EarlyStopping(Callback):
    """Stops training when row[monitor] has not fallen by more than min_delta for patience epochs."""

    def __init__(self, monitor="val_loss", patience=3, min_delta=0.0):
        self.monitor, self.patience, self.min_delta = monitor, patience, min_delta
        self.best, self.waited = math.inf, 0

    def on_epoch_end(self, trainer, row):
        """Take row[monitor] as the new best, or count an epoch without one and, at patience, stop the trainer."""
        if row[self.monitor] < self.best - self.min_delta:
            self.best, self.waited = row[self.monitor], 0
            return
        self.waited += 1
        if self.waited >= self.patience:
            trainer.stopped = True  # never False: another callback may have stopped it

    def state_dict(self):
        """Return the best value, and for how long it has been the best."""
        return {"best": self.best, "waited": self.waited}


class LiveCurve(Callback):
    """Collects (step, loss) in `points` and calls draw(points) every so many steps: a curve that grows."""

    def __init__(self, draw, every=10):
        self.draw, self.every, self.points = draw, every, []

    def on_step(self, trainer, loss):
        """Add (trainer.step, loss) to points; draw all points when trainer.step is a multiple of every."""
        self.points.append((trainer.step, loss))
        if trainer.step % self.every == 0:
            self.draw(self.points)

    def state_dict(self):
        """Return the points."""
        return {"points": list(self.points)}


def progress_text(done, total, width=24):
    """Return a bar of width characters, rounded down, and the numbers, such as `[======------] 5/10`.

    total: None when it is not known; then only the count is returned, as text.
    """
    if total is None:
        return f"{done}"
    filled = width * done // max(total, 1)
    return f"[{'=' * filled}{'-' * (width - filled)}] {done}/{total}"


class ProgressBar(Callback):
    """Writes one line per epoch to a stream, over and over: a bar, then the losses."""

    def __init__(self, stream=None):
        self.stream, self.done = stream, 0

    def _write(self, text, end=""):
        print(f"\r{text}", end=end, file=self.stream or sys.stdout, flush=True)

    def on_step(self, trainer, loss):
        """Draw the bar anew."""
        self.done += 1
        self._write(f"epoch {trainer.epoch + 1} {progress_text(self.done, trainer.batches)} loss {loss:.4f}")

    def on_epoch_end(self, trainer, row):
        """Write the numbers of the epoch and end the line."""
        numbers = "  ".join(f"{key} {value:.4f}" for key, value in row.items() if key not in ("epoch", "lr"))
        self._write(f"epoch {row['epoch']} {progress_text(self.done, trainer.batches)} {numbers}", end="\n")
        self.done = 0


class Trainer:
    """Trains a model for epochs, tells callbacks, steps the scheduler, keeps a checkpoint and resumes from it.

    schedule_each: "epoch" or "step". checkpoint: a path, written after every epoch. `history` has a dict for
    each epoch: epoch, loss, lr, and val_... of what `evaluate` returned. A callback may set `stopped`.
    """

    def __init__(
        self, model, optimizer, loss_fn, scheduler=None, schedule_each="epoch", accumulate=1, max_norm=None,
        metrics=None, callbacks=(), checkpoint=None,
    ):  # fmt: skip
        self.model, self.optimizer, self.loss_fn, self.scheduler = model, optimizer, loss_fn, scheduler
        self.each_step = scheduler if schedule_each == "step" else None
        self.each_epoch = scheduler if schedule_each == "epoch" else None
        self.accumulate, self.max_norm, self.metrics = accumulate, max_norm, metrics
        self.callbacks, self.checkpoint = list(callbacks), checkpoint
        self.epoch, self.step, self.stopped, self.batches = 0, 0, False, None
        self.history: list[dict] = []
        self.loader = None
        self.loader_state = None

    def fit(self, loader, epochs, validation=None):
        """Train until `epochs` epochs are done in all, those before a resume included; return the history.

        validation: a loader on which to `evaluate` after each epoch. Each epoch ends with `after_epoch(row)`.
        """
        self.loader = loader
        self.batches = len(loader) if hasattr(loader, "__len__") else None
        if self.loader_state is not None:
            loader.generator.set_state(self.loader_state)
            self.loader_state = None
        while self.epoch < epochs and not self.stopped:
            lr = self.optimizer.param_groups[0]["lr"]
            options = (self.each_step, self.accumulate, self.max_norm, self.after_step)
            loss = train_one_epoch(self.model, loader, self.loss_fn, self.optimizer, *options)
            row = {"epoch": self.epoch + 1, "loss": loss, "lr": lr}
            if validation is not None:
                results = evaluate(self.model, validation, self.loss_fn, self.metrics)
                row |= {f"val_{name}": value for name, value in results.items()}
            self.after_epoch(row)
        return self.history

    def after_step(self, loss):
        """Count the batch and tell the callbacks of its loss."""
        self.step += 1
        for callback in self.callbacks:
            callback.on_step(self, loss)

    def after_epoch(self, row):
        """Note the row, step the scheduler, tell the callbacks, and write the checkpoint last."""
        self.epoch += 1
        self.history.append(row)
        if self.each_epoch is not None:
            watched = [row.get("val_loss", row["loss"])] if isinstance(self.each_epoch, ReduceLROnPlateau) else []
            self.each_epoch.step(*watched)
        for callback in self.callbacks:
            callback.on_epoch_end(self, row)
        if self.checkpoint is not None:
            self.save(self.checkpoint)

    def state_dict(self):
        """Return all that training depends on: model, optimizer, scheduler, callbacks, counts, random numbers."""
        own = getattr(self.loader, "generator", None)
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler and self.scheduler.state_dict(),
            "callbacks": [callback.state_dict() for callback in self.callbacks],
            "progress": {"epoch": self.epoch, "step": self.step, "stopped": self.stopped, "history": self.history},
            "random": default_generator.get_state(),
            "loader": own and own.get_state(),
        }

    def load_state_dict(self, state_dict):
        """Take over what `state_dict` returned, so that `fit` goes on as if it had never stopped."""
        self.model.load_state_dict(state_dict["model"])
        self.optimizer.load_state_dict(state_dict["optimizer"])
        if self.scheduler is not None:
            self.scheduler.load_state_dict(state_dict["scheduler"])
        for callback, state in zip(self.callbacks, state_dict["callbacks"], strict=True):
            callback.load_state_dict(state)
        vars(self).update(state_dict["progress"])
        default_generator.set_state(state_dict["random"])
        self.loader_state = state_dict["loader"]

    def save(self, f):
        """Write a checkpoint to a path or file."""
        save(self.state_dict(), f)

    def resume(self, f):
        """Read a checkpoint that `save` wrote."""
        self.load_state_dict(load(f))

"""Wrong answers to the exercises of module 08: mistakes that people make, each with what its card must say."""

from checks import wrong

# accuracy


@wrong("accuracy", says="not along the batch")
def along_the_batch(output, target):
    return float((output.array.argmax(0) == target.array).mean())


@wrong("accuracy", says="three of five rows are right")
def counts_instead_of_share(output, target):
    return float((output.array.argmax(-1) == target.array).sum())


@wrong("accuracy", says="a float")
def keeps_a_tensor(output, target):
    return (output.argmax(dim=-1) == target).float().mean()


@wrong("accuracy", says="did you forget `return`")
def accuracy_without_return(output, target):
    float((output.array.argmax(-1) == target.array).mean())


# evaluate


@wrong("evaluate", says="a batch of 1 must not weigh as much as a batch of 3")
def mean_of_means(model, loader, loss_fn, metrics=None):
    mode = model.training
    model.eval()
    functions = {"loss": loss_fn, **(metrics or {})}
    totals, n = dict.fromkeys(functions, 0.0), 0
    with no_grad():
        for x, y in loader:
            out = model(x)
            for name, function in functions.items():
                totals[name] += float(function(out, y))
            n += 1
    model.train(mode)
    return {name: total / max(n, 1) for name, total in totals.items()}


@wrong("evaluate", says="call model.eval() first")
def stays_in_training(model, loader, loss_fn, metrics=None):
    functions = {"loss": loss_fn, **(metrics or {})}
    totals, n = dict.fromkeys(functions, 0.0), 0
    with no_grad():
        for x, y in loader:
            out = model(x)
            for name, function in functions.items():
                totals[name] += float(function(out, y)) * len(x)
            n += len(x)
    return {name: total / max(n, 1) for name, total in totals.items()}


@wrong("evaluate", says="the model is in the mode again in which it came")
def always_back_to_training(model, loader, loss_fn, metrics=None):
    model.eval()
    functions = {"loss": loss_fn, **(metrics or {})}
    totals, n = dict.fromkeys(functions, 0.0), 0
    with no_grad():
        for x, y in loader:
            out = model(x)
            for name, function in functions.items():
                totals[name] += float(function(out, y)) * len(x)
            n += len(x)
    model.train()
    return {name: total / max(n, 1) for name, total in totals.items()}


@wrong("evaluate", says="inside `with no_grad():`")
def records_the_graph(model, loader, loss_fn, metrics=None):
    mode = model.training
    model.eval()
    functions = {"loss": loss_fn, **(metrics or {})}
    totals, n = dict.fromkeys(functions, 0.0), 0
    for x, y in loader:
        out = model(x)
        for name, function in functions.items():
            totals[name] += float(function(out, y)) * len(x)
        n += len(x)
    model.train(mode)
    return {name: total / max(n, 1) for name, total in totals.items()}


@wrong("evaluate", says="the model is in the mode again in which it came")
def leaves_it_in_evaluation(model, loader, loss_fn, metrics=None):
    model.eval()
    functions = {"loss": loss_fn, **(metrics or {})}
    totals, n = dict.fromkeys(functions, 0.0), 0
    with no_grad():
        for x, y in loader:
            out = model(x)
            for name, function in functions.items():
                totals[name] += float(function(out, y)) * len(x)
            n += len(x)
    return {name: total / max(n, 1) for name, total in totals.items()}


@wrong("evaluate", says="divide by at least 1")
def divides_by_no_samples(model, loader, loss_fn, metrics=None):
    mode = model.training
    model.eval()
    functions = {"loss": loss_fn, **(metrics or {})}
    totals, n = dict.fromkeys(functions, 0.0), 0
    with no_grad():
        for x, y in loader:
            out = model(x)
            for name, function in functions.items():
                totals[name] += float(function(out, y)) * len(x)
            n += len(x)
    model.train(mode)
    return {name: total / n for name, total in totals.items()}


# clip_grad_norm_


@wrong("clip_grad_norm_", says="so that their direction stays")
def clips_each_by_itself(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    total = 0.0
    for grad in _gradients(parameters):
        norm = _norm(grad, norm_type)
        total += norm**2
        if norm > max_norm:
            grad *= max_norm / norm
    return Tensor(np.array(total**0.5, np.float32))


@wrong("clip_grad_norm_", says="never short ones longer")
def lengthens_short_ones(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    grads = _gradients(parameters)
    total = _norm(np.array([_norm(grad, norm_type) for grad in grads]), norm_type)
    for grad in grads:
        grad *= max_norm / (total + 1e-6)
    return Tensor(np.array(total, np.float32))


@wrong("clip_grad_norm_", says="the norm before clipping")
def returns_the_norm_after(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    grads = _gradients(parameters)
    total = _norm(np.array([_norm(grad, norm_type) for grad in grads]), norm_type)
    factor = max_norm / (total + 1e-6)
    if factor < 1:
        for grad in grads:
            grad *= factor
    return Tensor(np.array(min(total, max_norm), np.float32))


@wrong("clip_grad_norm_", says="nan >= 1 is false")
def lets_nan_pass(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    grads = _gradients(parameters)
    total = _norm(np.array([_norm(grad, float(norm_type)) for grad in grads]), float(norm_type))
    if error_if_nonfinite and not math.isfinite(total):
        raise RuntimeError("the norm is non-finite")
    factor = max_norm / (total + 1e-6)
    if factor < 1:
        for grad in grads:
            grad *= factor
    return Tensor(np.array(total, np.float32))


@wrong("clip_grad_norm_", says="sqrt(9 + 16 + 144) = 13")
def adds_the_norms(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    grads = _gradients(parameters)
    total = sum(_norm(grad, norm_type) for grad in grads)
    factor = max_norm / (total + 1e-6)
    if not factor >= 1:
        for grad in grads:
            grad *= factor
    return Tensor(np.array(total, np.float32))


@wrong("clip_grad_norm_", says="so keep its gradients in a list")
def walks_twice(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    norm_type = float(norm_type)
    grads = _gradients(parameters)
    total = _norm(np.array([_norm(grad, norm_type) for grad in grads]), norm_type)
    factor = max_norm / (total + 1e-6)
    if not factor >= 1:
        for grad in _gradients(parameters):
            grad *= factor
    return Tensor(np.array(total, np.float32))


@wrong("clip_grad_norm_", says="the norm has the dtype of the gradients")
def always_float32(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    grads, norm_type = _gradients(parameters), float(norm_type)
    total = _norm(np.array([_norm(grad, norm_type) for grad in grads]), norm_type)
    if error_if_nonfinite and not math.isfinite(total):
        raise RuntimeError("the norm is non-finite")
    factor = max_norm / (total + 1e-6)
    if not factor >= 1:
        for grad in grads:
            grad *= factor
    return Tensor(total)


# clip_grad_value_


@wrong("clip_grad_value_", says="cut off at -1.5 and 1.5")
def cuts_above_only(parameters, clip_value, foreach=None):
    for grad in _gradients(parameters):
        np.minimum(grad, clip_value, out=grad)


@wrong("clip_grad_value_", says="cut off at -1.5 and 1.5")
def forgets_out(parameters, clip_value, foreach=None):
    for grad in _gradients(parameters):
        np.clip(grad, -clip_value, clip_value)


@wrong("clip_grad_value_", says="no new one is made")
def makes_new_gradients(parameters, clip_value, foreach=None):
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    for p in parameters:
        if p.grad is not None:
            p.grad = Tensor(np.clip(p.grad.array, -clip_value, clip_value))


# apply_gradients


@wrong("apply_gradients", says="w - lr * grad")
def drops_before_the_step(model, optimizer, scheduler=None, max_norm=None, scale=1.0):
    optimizer.zero_grad()
    optimizer.step()


@wrong("apply_gradients", says="or they would add up with the next ones")
def never_drops(model, optimizer, scheduler=None, max_norm=None, scale=1.0):
    optimizer.step()


@wrong("apply_gradients", says="is used before the scheduler changes it")
def schedules_first(model, optimizer, scheduler=None, max_norm=None, scale=1.0):
    if scheduler is not None:
        scheduler.step()
    optimizer.step()
    optimizer.zero_grad()


@wrong("apply_gradients", says="the other order lets a norm of 26 through")
def clips_then_scales(model, optimizer, scheduler=None, max_norm=None, scale=1.0):
    if max_norm is not None:
        clip_grad_norm_(model.parameters(), max_norm)
    for grad in _gradients(model.parameters()):
        grad *= scale
    optimizer.step()
    optimizer.zero_grad()
    if scheduler is not None:
        scheduler.step()


@wrong("apply_gradients", says="clipped before the optimizer sees it")
def clips_after_the_step(model, optimizer, scheduler=None, max_norm=None, scale=1.0):
    for grad in _gradients(model.parameters()):
        grad *= scale
    optimizer.step()
    if max_norm is not None:
        clip_grad_norm_(model.parameters(), max_norm)
    optimizer.zero_grad()
    if scheduler is not None:
        scheduler.step()


@wrong("apply_gradients", says="a parameter without a gradient is left out")
def expects_every_gradient(model, optimizer, scheduler=None, max_norm=None, scale=1.0):
    for parameter in model.parameters():
        parameter.grad.array *= scale
    if max_norm is not None:
        clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    optimizer.zero_grad()
    if scheduler is not None:
        scheduler.step()


@wrong("apply_gradients", says="`if max_norm:` takes it for none")
def takes_zero_for_none(model, optimizer, scheduler=None, max_norm=None, scale=1.0):
    for grad in _gradients(model.parameters()):
        grad *= scale
    if max_norm:
        clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    optimizer.zero_grad()
    if scheduler is not None:
        scheduler.step()


# train_one_epoch


@wrong("train_one_epoch", says="weigh each batch's loss with len(inputs)")
def epoch_mean_of_means(model, loader, loss_fn, optimizer, scheduler=None, accumulate=1, max_norm=None, on_step=None):
    model.train()
    optimizer.zero_grad()
    losses = []
    for x, y in loader:
        loss = loss_fn(model(x), y)
        loss.backward()
        losses.append(loss.item())
        apply_gradients(model, optimizer, scheduler, max_norm)
    return sum(losses) / max(len(losses), 1)


@wrong("train_one_epoch", says="a gradient left over from before must not count")
def trusts_old_gradients(model, loader, loss_fn, optimizer, scheduler=None, accumulate=1, max_norm=None, on_step=None):
    model.train()
    total, samples = 0.0, 0
    for x, y in loader:
        loss = loss_fn(model(x), y)
        loss.backward()
        total, samples = total + loss.item() * len(x), samples + len(x)
        apply_gradients(model, optimizer, scheduler, max_norm)
    return total / max(samples, 1)


@wrong("train_one_epoch", says="the mean of the gradients (divide by accumulate)")
def sums_the_gradients(model, loader, loss_fn, optimizer, scheduler=None, accumulate=1, max_norm=None, on_step=None):
    model.train()
    optimizer.zero_grad()
    total, samples, waiting = 0.0, 0, 0
    for x, y in loader:
        loss = loss_fn(model(x), y)
        loss.backward()
        total, samples, waiting = total + loss.item() * len(x), samples + len(x), waiting + 1
        if waiting == accumulate:
            apply_gradients(model, optimizer, scheduler, max_norm)
            waiting = 0
    return total / max(samples, 1)


@wrong("train_one_epoch", says="the 2 left over")
def drops_the_rest(model, loader, loss_fn, optimizer, scheduler=None, accumulate=1, max_norm=None, on_step=None):
    model.train()
    optimizer.zero_grad()
    total, samples, waiting = 0.0, 0, 0
    for x, y in loader:
        loss = loss_fn(model(x), y)
        (loss / accumulate).backward()
        total, samples, waiting = total + loss.item() * len(x), samples + len(x), waiting + 1
        if waiting == accumulate:
            apply_gradients(model, optimizer, scheduler, max_norm)
            waiting = 0
    return total / max(samples, 1)


@wrong("train_one_epoch", says="holds the graph of every batch")
def adds_tensors(model, loader, loss_fn, optimizer, scheduler=None, accumulate=1, max_norm=None, on_step=None):
    model.train()
    optimizer.zero_grad()
    total, samples, waiting = 0.0, 0, 0
    for x, y in loader:
        loss = loss_fn(model(x), y)
        (loss / accumulate).backward()
        total, samples, waiting = total + loss * len(x), samples + len(x), waiting + 1
        if waiting == accumulate:
            apply_gradients(model, optimizer, scheduler, max_norm)
            waiting = 0
        if on_step is not None:
            on_step(loss.item())
    if waiting:
        apply_gradients(model, optimizer, scheduler, max_norm, accumulate / waiting)
    return float(total) / max(samples, 1)


@wrong("train_one_epoch", says="not the loss divided by accumulate")
def divided_loss(model, loader, loss_fn, optimizer, scheduler=None, accumulate=1, max_norm=None, on_step=None):
    model.train()
    optimizer.zero_grad()
    total, samples, waiting = 0.0, 0, 0
    for x, y in loader:
        loss = loss_fn(model(x), y) / accumulate
        loss.backward()
        value = loss.item()
        total, samples, waiting = total + value * len(x), samples + len(x), waiting + 1
        if waiting == accumulate:
            apply_gradients(model, optimizer, scheduler, max_norm)
            waiting = 0
        if on_step is not None:
            on_step(value)
    if waiting:
        apply_gradients(model, optimizer, scheduler, max_norm, accumulate / waiting)
    return total / max(samples, 1)


@wrong("train_one_epoch", says="call model.train() first")
def stays_in_eval(model, loader, loss_fn, optimizer, scheduler=None, accumulate=1, max_norm=None, on_step=None):
    optimizer.zero_grad()
    total, samples, waiting = 0.0, 0, 0
    for x, y in loader:
        loss = loss_fn(model(x), y)
        (loss / accumulate).backward()
        value = loss.item()
        total, samples, waiting = total + value * len(x), samples + len(x), waiting + 1
        if waiting == accumulate:
            apply_gradients(model, optimizer, scheduler, max_norm)
            waiting = 0
        if on_step is not None:
            on_step(value)
    if waiting:
        apply_gradients(model, optimizer, scheduler, max_norm, accumulate / waiting)
    return total / max(samples, 1)


@wrong("train_one_epoch", says="not with the batches")
def by_the_batch(model, loader, loss_fn, optimizer, scheduler=None, accumulate=1, max_norm=None, on_step=None):
    model.train()
    optimizer.zero_grad()
    total, samples, waiting = 0.0, 0, 0
    for x, y in loader:
        loss = loss_fn(model(x), y)
        (loss / accumulate).backward()
        value = loss.item()
        total, samples, waiting = total + value * len(x), samples + len(x), waiting + 1
        if waiting == accumulate:
            apply_gradients(model, optimizer, None, max_norm)
            waiting = 0
        if scheduler is not None:
            scheduler.step()
        if on_step is not None:
            on_step(value)
    if waiting:
        apply_gradients(model, optimizer, scheduler, max_norm, accumulate / waiting)
    return total / max(samples, 1)


# EarlyStopping.on_epoch_end


@wrong("EarlyStopping.on_epoch_end", says="every new best sets the count back to 0")
def never_counts_again(self, trainer, row):
    if row[self.monitor] < self.best - self.min_delta:
        self.best = row[self.monitor]
        return
    self.waited += 1
    if self.waited >= self.patience:
        trainer.stopped = True


@wrong("EarlyStopping.on_epoch_end", says="compare with the best, not with the last")
def compares_with_the_last(self, trainer, row):
    better = row[self.monitor] < self.best - self.min_delta
    self.best = row[self.monitor]
    self.waited = 0 if better else self.waited + 1
    if self.waited >= self.patience:
        trainer.stopped = True


@wrong("EarlyStopping.on_epoch_end", says="that is not for this one to undo")
def undoes_others(self, trainer, row):
    if row[self.monitor] < self.best - self.min_delta:
        self.best, self.waited = row[self.monitor], 0
        return
    self.waited += 1
    trainer.stopped = self.waited >= self.patience


@wrong("EarlyStopping.on_epoch_end", says="stop after the second epoch in a row")
def waits_one_too_many(self, trainer, row):
    if row[self.monitor] < self.best - self.min_delta:
        self.best, self.waited = row[self.monitor], 0
        return
    self.waited += 1
    if self.waited > self.patience:
        trainer.stopped = True


@wrong("EarlyStopping.on_epoch_end", says="the value to watch is row[self.monitor]")
def watches_val_loss_only(self, trainer, row):
    value = row.get("val_loss", row.get("loss"))
    if value < self.best - self.min_delta:
        self.best, self.waited = value, 0
        return
    self.waited += 1
    if self.waited >= self.patience:
        trainer.stopped = True


# LiveCurve.on_step


@wrong("LiveCurve.on_step", says="also for those that are not drawn")
def notes_only_what_is_drawn(self, trainer, loss):
    if trainer.step % self.every == 0:
        self.points.append((trainer.step, loss))
        self.draw(self.points)


@wrong("LiveCurve.on_step", says="drawing costs more than a step")
def draws_always(self, trainer, loss):
    self.points.append((trainer.step, loss))
    self.draw(self.points)


@wrong("LiveCurve.on_step", says="do not count points")
def counts_points(self, trainer, loss):
    self.points.append((trainer.step, loss))
    if len(self.points) % self.every == 0:
        self.draw(self.points)


# progress_text


@wrong("progress_text", says="round down")
def rounds(done, total, width=24):
    if total is None:
        return f"{done}"
    filled = round(width * done / max(total, 1))
    return f"[{'=' * filled}{'-' * (width - filled)}] {done}/{total}"


@wrong("progress_text", says="a stream has no length")
def wants_a_total(done, total, width=24):
    filled = width * done // max(total, 1)
    return f"[{'=' * filled}{'-' * (width - filled)}] {done}/{total}"


@wrong("progress_text", says="an empty loader has a total of 0")
def divides_by_nothing(done, total, width=24):
    if total is None:
        return f"{done}"
    filled = width * done // total
    return f"[{'=' * filled}{'-' * (width - filled)}] {done}/{total}"


@wrong("progress_text", says="a total of 0 is known")
def only_the_count_of_nothing(done, total, width=24):
    if not total:
        return f"{done}"
    filled = width * done // total
    return f"[{'=' * filled}{'-' * (width - filled)}] {done}/{total}"


@wrong("progress_text", says="so nothing is filled")
def nothing_is_finished(done, total, width=24):
    if total is None:
        return f"{done}"
    filled = width * done // total if total else width
    return f"[{'=' * filled}{'-' * (width - filled)}] {done}/{total}"


# Trainer.after_step


@wrong("Trainer.after_step", says="count first")
def counts_last(self, loss):
    for callback in self.callbacks:
        callback.on_step(self, loss)
    self.step += 1


@wrong("Trainer.after_step", says="every callback hears of every step")
def tells_only_the_first(self, loss):
    self.step += 1
    for callback in self.callbacks[:1]:
        callback.on_step(self, loss)


@wrong("Trainer.after_step", says="one more for each batch")
def only_tells(self, loss):
    for callback in self.callbacks:
        callback.on_step(self, loss)


# Trainer.after_epoch


@wrong("Trainer.after_epoch", says="the epoch counted and the row in trainer.history")
def tells_too_early(self, row):
    for callback in self.callbacks:
        callback.on_epoch_end(self, row)
    self.epoch += 1
    self.history.append(row)


@wrong("Trainer.after_epoch", says="only when it is to be stepped after epochs")
def steps_any_scheduler(self, row):
    self.epoch += 1
    self.history.append(row)
    if self.scheduler is not None:
        self.scheduler.step()
    for callback in self.callbacks:
        callback.on_epoch_end(self, row)


@wrong("Trainer.after_epoch", says="the checkpoint comes last")
def saves_first(self, row):
    self.epoch += 1
    self.history.append(row)
    if self.checkpoint is not None:
        self.save(self.checkpoint)
    if self.each_epoch is not None:
        watched = [row.get("val_loss", row["loss"])] if isinstance(self.each_epoch, ReduceLROnPlateau) else []
        self.each_epoch.step(*watched)
    for callback in self.callbacks:
        callback.on_epoch_end(self, row)


@wrong("Trainer.after_epoch", says="wants the value that it watches")
def steps_a_plateau_blindly(self, row):
    self.epoch += 1
    self.history.append(row)
    if self.each_epoch is not None:
        self.each_epoch.step()
    for callback in self.callbacks:
        callback.on_epoch_end(self, row)
    if self.checkpoint is not None:
        self.save(self.checkpoint)


@wrong("Trainer.after_epoch", says="all others are called without")
def gives_every_scheduler_a_value(self, row):
    self.epoch += 1
    self.history.append(row)
    if self.each_epoch is not None:
        self.each_epoch.step(row.get("val_loss", row["loss"]))
    for callback in self.callbacks:
        callback.on_epoch_end(self, row)
    if self.checkpoint is not None:
        self.save(self.checkpoint)


# Trainer.fit


@wrong("Trainer.fit", says="epochs is the number in all")
def counts_from_here(self, loader, epochs, validation=None):
    self.loader, self.batches = loader, len(loader)
    for _ in range(epochs):
        if self.stopped:
            break
        lr = self.optimizer.param_groups[0]["lr"]
        options = (self.each_step, self.accumulate, self.max_norm, self.after_step)
        loss = train_one_epoch(self.model, loader, self.loss_fn, self.optimizer, *options)
        row = {"epoch": self.epoch + 1, "loss": loss, "lr": lr}
        if validation is not None:
            results = evaluate(self.model, validation, self.loss_fn, self.metrics)
            row |= {f"val_{name}": value for name, value in results.items()}
        self.after_epoch(row)
    return self.history


@wrong("Trainer.fit", says="on_step is self.after_step")
def forgets_the_steps(self, loader, epochs, validation=None):
    while self.epoch < epochs and not self.stopped:
        loss = train_one_epoch(self.model, loader, self.loss_fn, self.optimizer)
        self.after_epoch({"epoch": self.epoch + 1, "loss": loss, "lr": self.optimizer.param_groups[0]["lr"]})
    return self.history


@wrong("Trainer.fit", says="go on only while not self.stopped")
def cannot_be_stopped(self, loader, epochs, validation=None):
    self.loader, self.batches = loader, len(loader)
    while self.epoch < epochs:
        lr = self.optimizer.param_groups[0]["lr"]
        options = (self.each_step, self.accumulate, self.max_norm, self.after_step)
        loss = train_one_epoch(self.model, loader, self.loss_fn, self.optimizer, *options)
        row = {"epoch": self.epoch + 1, "loss": loss, "lr": lr}
        if validation is not None:
            results = evaluate(self.model, validation, self.loss_fn, self.metrics)
            row |= {f"val_{name}": value for name, value in results.items()}
        self.after_epoch(row)
    return self.history


@wrong("Trainer.fit", says="the lr with which the epoch began")
def reads_the_rate_too_late(self, loader, epochs, validation=None):
    self.loader = loader
    self.batches = len(loader) if hasattr(loader, "__len__") else None
    if self.loader_state is not None:
        loader.generator.set_state(self.loader_state)
        self.loader_state = None
    while self.epoch < epochs and not self.stopped:
        options = (self.each_step, self.accumulate, self.max_norm, self.after_step)
        loss = train_one_epoch(self.model, loader, self.loss_fn, self.optimizer, *options)
        lr = self.optimizer.param_groups[0]["lr"]
        row = {"epoch": self.epoch + 1, "loss": loss, "lr": lr}
        if validation is not None:
            results = evaluate(self.model, validation, self.loss_fn, self.metrics)
            row |= {f"val_{name}": value for name, value in results.items()}
        self.after_epoch(row)
    return self.history


@wrong("Trainer.fit", says="each result of evaluate, with val_ in front")
def forgets_the_prefix(self, loader, epochs, validation=None):
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
            row |= results
        self.after_epoch(row)
    return self.history


@wrong("Trainer.fit", says="pass self.max_norm to train_one_epoch")
def forgets_to_clip(self, loader, epochs, validation=None):
    self.loader = loader
    self.batches = len(loader) if hasattr(loader, "__len__") else None
    if self.loader_state is not None:
        loader.generator.set_state(self.loader_state)
        self.loader_state = None
    while self.epoch < epochs and not self.stopped:
        lr = self.optimizer.param_groups[0]["lr"]
        options = (self.each_step, self.accumulate, None, self.after_step)
        loss = train_one_epoch(self.model, loader, self.loss_fn, self.optimizer, *options)
        row = {"epoch": self.epoch + 1, "loss": loss, "lr": lr}
        if validation is not None:
            results = evaluate(self.model, validation, self.loss_fn, self.metrics)
            row |= {f"val_{name}": value for name, value in results.items()}
        self.after_epoch(row)
    return self.history


@wrong("Trainer.fit", says="set it before the first epoch, or the order of samples differs")
def forgets_the_loaders_state(self, loader, epochs, validation=None):
    self.loader = loader
    self.batches = len(loader) if hasattr(loader, "__len__") else None
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


# Packer.pack


@wrong("Packer.pack", says="Pairs keep them, and the order")
def keys_as_text(self, value, path=()):
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Tensor):
        return {"tensor": self.name_of(value.array, ".".join(map(str, path)))}
    if isinstance(value, dict):
        return {"dict": [[str(key), self.pack(value[key], (*path, key))] for key in value]}
    return [self.pack(item, (*path, i)) for i, item in enumerate(value)]


@wrong("Packer.pack", says="a list stays a list")
def tuples_are_lists(self, value, path=()):
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Tensor):
        return {"tensor": self.name_of(value.array, ".".join(map(str, path)))}
    if isinstance(value, dict):
        return {"dict": [[{"tuple": list(k)} if isinstance(k, tuple) else k, self.pack(value[k], (*path, k))]
                         for k in value]}  # fmt: skip
    return [self.pack(item, (*path, i)) for i, item in enumerate(value)]


@wrong("Packer.pack", says="say its type and where it was found")
def stores_text_of_anything(self, value, path=()):
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Tensor):
        return {"tensor": self.name_of(value.array, ".".join(map(str, path)))}
    if isinstance(value, dict):
        return {"dict": [[self.pack(key, path), self.pack(value[key], (*path, key))] for key in value]}
    if isinstance(value, (tuple, list)):
        items = [self.pack(item, (*path, i)) for i, item in enumerate(value)]
        return {"tuple": items} if isinstance(value, tuple) else items
    return str(value)


@wrong("Packer.pack", says="JSON knows Python's numbers only")
def does_not_know_numpy(self, value, path=()):
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Tensor):
        return {"tensor": self.name_of(value.array, ".".join(map(str, path)))}
    if isinstance(value, dict):
        return {"dict": [[self.pack(key, path), self.pack(value[key], (*path, key))] for key in value]}
    if isinstance(value, (tuple, list)):
        items = [self.pack(item, (*path, i)) for i, item in enumerate(value)]
        return {"tuple": items} if isinstance(value, tuple) else items
    where = "".join(f"[{key!r}]" for key in path) or "the top"
    raise TypeError(f"cannot store a {type(value).__name__} (at {where}): save its state_dict()")


@wrong("Packer.pack", says="its name is the path to it, joined by dots")
def forgets_the_index(self, value, path=()):
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Tensor):
        return {"tensor": self.name_of(value.array, ".".join(map(str, path)))}
    if isinstance(value, dict):
        return {"dict": [[self.pack(key, path), self.pack(value[key], (*path, key))] for key in value]}
    if isinstance(value, (tuple, list)):
        items = [self.pack(item, path) for i, item in enumerate(value)]
        return {"tuple": items} if isinstance(value, tuple) else items
    where = "".join(f"[{key!r}]" for key in path) or "the top"
    raise TypeError(f"cannot store a {type(value).__name__} (at {where}): save its state_dict()")


# unpack


@wrong("unpack", says="keys are unpacked too")
def leaves_keys(value, tensors):
    if isinstance(value, list):
        return [unpack(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "tuple":
        return tuple(unpack(item, tensors) for item in content)
    return {str(key): unpack(item, tensors) for key, item in content}


@wrong("unpack", says="keys are unpacked too")
def keys_stay_packed(value, tensors):
    if isinstance(value, list):
        return [unpack(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "tuple":
        return tuple(unpack(item, tensors) for item in content)
    if kind == "dict":
        return {key: unpack(item, tensors) for key, item in content}
    raise ValueError(f"unknown kind {kind!r}")


@wrong("unpack", says="also deep inside")
def not_deep(value, tensors):
    if isinstance(value, list):
        return [tensors[v["tensor"]] if isinstance(v, dict) else v for v in value]
    return value


@wrong("unpack", says="not something to be guessed")
def guesses(value, tensors):
    if isinstance(value, list):
        return [unpack(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "tuple":
        return tuple(unpack(item, tensors) for item in content)
    if kind == "dict":
        return {unpack(key, tensors): unpack(item, tensors) for key, item in content}
    return content


# to_bytes


@wrong("to_bytes", says="little-endian")
def big_endian(arrays, metadata):
    header, end = {"__metadata__": metadata}, 0
    for name, a in arrays.items():
        header[name] = {"dtype": CODES[a.dtype], "shape": list(a.shape), "data_offsets": [end, end := end + a.nbytes]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "big") + text + b"".join(a.tobytes() for a in arrays.values())


@wrong("to_bytes", says="the widest dtypes first")
def in_order_of_names(arrays, metadata):
    header, end = {"__metadata__": metadata}, 0
    for name, a in arrays.items():
        header[name] = {"dtype": CODES[a.dtype], "shape": list(a.shape), "data_offsets": [end, end := end + a.nbytes]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(a.tobytes() for a in arrays.values())


@wrong("to_bytes", says="padded with blanks")
def no_padding(arrays, metadata):
    header, end = {"__metadata__": metadata, **dict.fromkeys(arrays)}, 0
    order = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    for name in order:
        a = arrays[name]
        header[name] = {"dtype": CODES[a.dtype], "shape": list(a.shape), "data_offsets": [end, end := end + a.nbytes]}
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + b"".join(arrays[name].tobytes() for name in order)


@wrong("to_bytes", says="data_offsets are begin and end of its bytes")
def numbers_in_another_order(arrays, metadata):
    header, end = {"__metadata__": metadata, **dict.fromkeys(arrays)}, 0
    for name in sorted(arrays, key=lambda name: (-arrays[name].itemsize, name)):
        a = arrays[name]
        header[name] = {"dtype": CODES[a.dtype], "shape": list(a.shape), "data_offsets": [end, end := end + a.nbytes]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(a.tobytes() for a in arrays.values())


@wrong("to_bytes", says="in the order of the dict")
def header_in_order_of_data(arrays, metadata):
    header, end = {"__metadata__": metadata}, 0
    order = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    for name in order:
        a = arrays[name]
        header[name] = {"dtype": CODES[a.dtype], "shape": list(a.shape), "data_offsets": [end, end := end + a.nbytes]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(arrays[name].tobytes() for name in order)


@wrong("to_bytes", says="empty metadata says nothing and is left out")
def metadata_though_empty(arrays, metadata):
    header, end = {"__metadata__": metadata, **dict.fromkeys(arrays)}, 0
    order = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    for name in order:
        a = arrays[name]
        header[name] = {"dtype": CODES[a.dtype], "shape": list(a.shape), "data_offsets": [end, end := end + a.nbytes]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(arrays[name].tobytes() for name in order)


@wrong("to_bytes", says="no more blanks than are missing")
def eight_blanks_for_none(arrays, metadata):
    header, end = ({"__metadata__": metadata} if metadata else {}) | dict.fromkeys(arrays), 0
    order = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    for name in order:
        a = arrays[name]
        header[name] = {"dtype": CODES[a.dtype], "shape": list(a.shape), "data_offsets": [end, end := end + a.nbytes]}
    text = json.dumps(header).encode()
    text += b" " * (8 - len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(arrays[name].tobytes() for name in order)


# read_header


@wrong("read_header", says="the file was cut off, or is something else")
def believes_the_length(content):
    if len(content) < 8:
        raise ValueError(f"it has {len(content)} bytes, too few")
    size = int.from_bytes(content[:8], "little")
    try:
        header = json.loads(content[8 : 8 + size].decode())
    except ValueError:
        raise ValueError("its header is no JSON") from None
    return header, header.pop("__metadata__", {}), memoryview(content)[8 + size :]


@wrong("read_header", says="slicing it copies nothing")
def copies_the_data(content):
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size].decode())
    return header, header.pop("__metadata__", {}), content[8 + size :]


@wrong("read_header", says="say how many there are")
def never_checks(content):
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size].decode())
    return header, header.pop("__metadata__", {}), memoryview(content)[8 + size :]


@wrong("read_header", says="nothing else is a safetensors file")
def believes_the_metadata(content):
    if len(content) < 8:
        raise ValueError(f"it has {len(content)} bytes, too few")
    size = int.from_bytes(content[:8], "little")
    if size > len(content) - 8:
        raise ValueError(f"its header claims {size} bytes of the {len(content) - 8} there are")
    try:
        header = json.loads(content[8 : 8 + size].decode())
    except ValueError:
        raise ValueError("its header is no JSON") from None
    if not isinstance(header, dict):
        raise ValueError("its header is no dict")
    return header, header.pop("__metadata__", {}), memoryview(content)[8 + size :]


# write_file


@wrong("write_file", says="the last good checkpoint survives")
def writes_over_it(f, content):
    if hasattr(f, "write"):
        f.write(content)
        return
    Path(f).write_bytes(content)


@wrong("write_file", says="remove it in `finally`")
def leaves_half_a_file(f, content):
    if hasattr(f, "write"):
        f.write(content)
        return
    partial = Path(f"{f}.partial")
    partial.write_bytes(content)
    partial.replace(f)


@wrong("write_file", says="what has a `write` gets the bytes")
def paths_only(f, content):
    Path(f).write_bytes(content)


@wrong("write_file", says="the error must reach the caller")
def swallows_the_error(f, content):
    if hasattr(f, "write"):
        f.write(content)
        return
    path = Path(f)
    partial = path.with_name(f"{path.name}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)


# Trainer.state_dict


@wrong("Trainer.state_dict", says="all that the next step depends on")
def only_the_model(self):
    return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}


@wrong("Trainer.state_dict", says="no scheduler, no callbacks and no loader")
def needs_everything(self):
    return {
        "model": self.model.state_dict(),
        "optimizer": self.optimizer.state_dict(),
        "scheduler": self.scheduler.state_dict(),
        "callbacks": [callback.state_dict() for callback in self.callbacks],
        "progress": {"epoch": self.epoch, "step": self.step, "stopped": self.stopped, "history": self.history},
        "random": default_generator.get_state(),
        "loader": self.loader.generator.get_state(),
    }


@wrong("Trainer.state_dict", says="the loader's own generator")
def one_generator_for_both(self):
    return {
        "model": self.model.state_dict(),
        "optimizer": self.optimizer.state_dict(),
        "scheduler": self.scheduler and self.scheduler.state_dict(),
        "callbacks": [callback.state_dict() for callback in self.callbacks],
        "progress": {"epoch": self.epoch, "step": self.step, "stopped": self.stopped, "history": self.history},
        "random": default_generator.get_state(),
        "loader": default_generator.get_state(),
    }


# Trainer.load_state_dict


@wrong("Trainer.load_state_dict", says="go on where they were")
def forgets_the_progress(self, state_dict):
    self.model.load_state_dict(state_dict["model"])
    self.optimizer.load_state_dict(state_dict["optimizer"])


@wrong("Trainer.load_state_dict", says="state_dict['optimizer']")
def forgets_the_optimizer(self, state_dict):
    self.model.load_state_dict(state_dict["model"])
    vars(self).update(state_dict["progress"])
    default_generator.set_state(state_dict["random"])
    self.loader_state = state_dict["loader"]


@wrong("Trainer.load_state_dict", says="dropout must go on")
def forgets_random_numbers(self, state_dict):
    self.model.load_state_dict(state_dict["model"])
    self.optimizer.load_state_dict(state_dict["optimizer"])
    if self.scheduler is not None:
        self.scheduler.load_state_dict(state_dict["scheduler"])
    for callback, state in zip(self.callbacks, state_dict["callbacks"], strict=True):
        callback.load_state_dict(state)
    vars(self).update(state_dict["progress"])
    self.loader_state = state_dict["loader"]


@wrong("Trainer.load_state_dict", says="zip(..., strict=True) notices")
def cuts_to_the_shorter_list(self, state_dict):
    self.model.load_state_dict(state_dict["model"])
    self.optimizer.load_state_dict(state_dict["optimizer"])
    if self.scheduler is not None:
        self.scheduler.load_state_dict(state_dict["scheduler"])
    for callback, state in zip(self.callbacks, state_dict["callbacks"]):
        callback.load_state_dict(state)
    vars(self).update(state_dict["progress"])
    default_generator.set_state(state_dict["random"])
    self.loader_state = state_dict["loader"]


@wrong("Trainer.load_state_dict", says="keep its state in self.loader_state until then")
def sets_the_loader_at_once(self, state_dict):
    self.model.load_state_dict(state_dict["model"])
    self.optimizer.load_state_dict(state_dict["optimizer"])
    if self.scheduler is not None:
        self.scheduler.load_state_dict(state_dict["scheduler"])
    for callback, state in zip(self.callbacks, state_dict["callbacks"], strict=True):
        callback.load_state_dict(state)
    vars(self).update(state_dict["progress"])
    default_generator.set_state(state_dict["random"])
    if self.loader is not None:
        self.loader.generator.set_state(state_dict["loader"])

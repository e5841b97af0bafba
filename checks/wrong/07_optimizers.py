"""Wrong answers to the exercises of module 07: mistakes that people make, each with what its card must say."""

from checks import wrong

# Optimizer.add_param_group


@wrong("Optimizer.add_param_group", says="what the group says itself wins over the defaults")
def group_wins_over_nothing(self, param_group):
    if not isinstance(param_group, dict):
        raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
    names, params = named_tensors(param_group["params"])
    taken = {param for group in self.param_groups for param in group["params"]}
    if taken & set(params):
        raise ValueError("some parameters appear in more than one parameter group")
    named = {"param_names": names} if names else {}
    self.param_groups.append({**param_group, **self.defaults, "params": params, **named})


@wrong("Optimizer.add_param_group", says="what a group does not say comes from self.defaults")
def group_without_defaults(self, param_group):
    if not isinstance(param_group, dict):
        raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
    names, params = named_tensors(param_group["params"])
    taken = {param for group in self.param_groups for param in group["params"]}
    if taken & set(params):
        raise ValueError("some parameters appear in more than one parameter group")
    named = {"param_names": names} if names else {}
    self.param_groups.append({**param_group, "params": params, **named})


@wrong("Optimizer.add_param_group", says="every call appends one group")
def forgets_to_append(self, param_group):
    if not isinstance(param_group, dict):
        raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
    names, params = named_tensors(param_group["params"])
    taken = {param for group in self.param_groups for param in group["params"]}
    if taken & set(params):
        raise ValueError("some parameters appear in more than one parameter group")
    named = {"param_names": names} if names else {}
    self.param_groups = [{**self.defaults, **param_group, "params": params, **named}]


@wrong("Optimizer.add_param_group", says="a list, whatever came")
def keeps_what_came(self, param_group):
    if not isinstance(param_group, dict):
        raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
    param_group = {
        **param_group,
        "params": [param_group["params"]]
        if isinstance(param_group["params"], Tensor)
        else tuple(param_group["params"]),
    }
    names, params = named_tensors(param_group["params"])
    taken = {param for group in self.param_groups for param in group["params"]}
    if taken & set(params):
        raise ValueError("some parameters appear in more than one parameter group")
    named = {"param_names": names} if names else {}
    self.param_groups.append({**self.defaults, **param_group, **named})


@wrong("Optimizer.add_param_group", says="what a group does not say comes from self.defaults")
def fills_the_defaults(self, param_group):
    if not isinstance(param_group, dict):
        raise TypeError("param_group must be a dict")
    names, params = named_tensors(param_group["params"])
    group = self.defaults
    group.update(param_group, params=params)
    self.param_groups.append(group)


@wrong("Optimizer.add_param_group", says="is another tensor, although its numbers equal")
def compares_numbers(self, param_group):
    if not isinstance(param_group, dict):
        raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
    names, params = named_tensors(param_group["params"])
    taken = [param for group in self.param_groups for param in group["params"]]
    if any(param in taken for param in params):
        raise ValueError("some parameters appear in more than one parameter group")
    named = {"param_names": names} if names else {}
    self.param_groups.append({**self.defaults, **param_group, "params": params, **named})


@wrong("Optimizer.add_param_group", says="would be moved twice in each step")
def takes_a_parameter_twice(self, param_group):
    if not isinstance(param_group, dict):
        raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
    names, params = named_tensors(param_group["params"])
    named = {"param_names": names} if names else {}
    self.param_groups.append({**self.defaults, **param_group, "params": params, **named})


@wrong("Optimizer.add_param_group", says="are taken apart by named_tensors")
def throws_names_away(self, param_group):
    if not isinstance(param_group, dict):
        raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
    names, params = named_tensors(param_group["params"])
    taken = {param for group in self.param_groups for param in group["params"]}
    if taken & set(params):
        raise ValueError("some parameters appear in more than one parameter group")
    self.param_groups.append({**self.defaults, **param_group, "params": params})


@wrong("Optimizer.add_param_group", says="without names there is no such key")
def stores_empty_names(self, param_group):
    if not isinstance(param_group, dict):
        raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
    names, params = named_tensors(param_group["params"])
    taken = {param for group in self.param_groups for param in group["params"]}
    if taken & set(params):
        raise ValueError("some parameters appear in more than one parameter group")
    named = {"param_names": names}
    self.param_groups.append({**self.defaults, **param_group, "params": params, **named})


@wrong("Optimizer.add_param_group", says="the caller's dict is not yours to fill in")
def fills_the_callers_dict(self, param_group):
    if not isinstance(param_group, dict):
        raise TypeError("param_group must be a dict")
    names, params = named_tensors(param_group["params"])
    taken = {param for group in self.param_groups for param in group["params"]}
    if taken & set(params):
        raise ValueError("some parameters appear in more than one parameter group")
    for name, value in self.defaults.items():
        param_group.setdefault(name, value)
    group = {**param_group, "params": params}
    if names:
        group["param_names"] = names
    self.param_groups.append(group)


@wrong("Optimizer.add_param_group", says="the caller's dict is not yours to fill in")
def appends_the_callers_dict(self, param_group):
    if not isinstance(param_group, dict):
        raise TypeError("param_group must be a dict")
    names, params = named_tensors(param_group["params"])
    taken = {param for group in self.param_groups for param in group["params"]}
    if taken & set(params):
        raise ValueError("some parameters appear in more than one parameter group")
    param_group.update({**self.defaults, **param_group, "params": params})
    if names:
        param_group["param_names"] = names
    self.param_groups.append(param_group)


# Optimizer.zero_grad


@wrong("Optimizer.zero_grad", says="None takes no memory")
def zeroes_instead_of_none(self, set_to_none=True):
    for group in self.param_groups:
        for param in group["params"]:
            if param.grad is not None:
                param.grad.array[...] = 0


@wrong("Optimizer.zero_grad", says="every group")
def only_the_first_group(self, set_to_none=True):
    for group in self.param_groups[:1]:
        for param in group["params"]:
            if set_to_none:
                param.grad = None
            elif param.grad is not None:
                param.grad.array[...] = 0


@wrong("Optimizer.zero_grad", says="set_to_none=False asks for zeros")
def ignores_set_to_none(self, set_to_none=True):
    for group in self.param_groups:
        for param in group["params"]:
            param.grad = None


@wrong("Optimizer.zero_grad", says="zeros go into the memory that is there")
def makes_new_zeros(self, set_to_none=True):
    for group in self.param_groups:
        for param in group["params"]:
            if set_to_none:
                param.grad = None
            elif param.grad is not None:
                param.grad = Tensor(np.zeros_like(param.grad.array))


@wrong("Optimizer.zero_grad", says="nothing to fill with zeros")
def zeroes_where_nothing_is(self, set_to_none=True):
    for group in self.param_groups:
        for param in group["params"]:
            if set_to_none:
                param.grad = None
            else:
                param.grad.array[...] = 0


@wrong("Optimizer.zero_grad", says="only gradients go, never parameters")
def zeroes_the_parameters(self, set_to_none=True):
    for group in self.param_groups:
        for param in group["params"]:
            if set_to_none:
                param.grad = None
                param.array[...] = 0
            elif param.grad is not None:
                param.grad.array[...] = 0


@wrong("Optimizer.zero_grad", says="have their turn")
def stops_at_the_first_none(self, set_to_none=True):
    for group in self.param_groups:
        for param in group["params"]:
            if param.grad is None:
                return
            if set_to_none:
                param.grad = None
            elif param.grad is not None:
                param.grad.array[...] = 0


# Optimizer.step


@wrong("Optimizer.step", says="a parameter that took no part in the loss has grad None")
def steps_without_gradient(self, closure=None):
    loss = None
    if closure is not None:
        with enable_grad():
            loss = closure()
    for group in self.param_groups:
        for param in group["params"]:
            grad = np.asarray(param.grad.array, order="C")
            state = self.state.get(param, {})
            self.step_one(param.array, -grad if group["maximize"] else grad, state, group)
            if state:
                self.state[param] = state
            param.bump_version()
    return loss


@wrong("Optimizer.step", says="the others go on")
def stops_at_missing_gradient(self, closure=None):
    loss = None
    if closure is not None:
        with enable_grad():
            loss = closure()
    for group in self.param_groups:
        for param in group["params"]:
            if param.grad is None:
                return loss
            grad = np.asarray(param.grad.array, order="C")
            state = self.state.get(param, {})
            self.step_one(param.array, -grad if group["maximize"] else grad, state, group)
            if state:
                self.state[param] = state
            param.bump_version()
    return loss


@wrong("Optimizer.step", says="the parameter's own array")
def hands_over_the_tensor(self, closure=None):
    loss = None
    if closure is not None:
        with enable_grad():
            loss = closure()
    for group in self.param_groups:
        for param in group["params"]:
            if param.grad is None:
                continue
            grad = np.asarray(param.grad.array, order="C")
            state = self.state.get(param, {})
            self.step_one(param.array.copy(), -grad if group["maximize"] else grad, state, group)
            if state:
                self.state[param] = state
            param.bump_version()
    return loss


@wrong("Optimizer.step", says="must be there at the next step")
def forgets_the_state(self, closure=None):
    loss = None
    if closure is not None:
        with enable_grad():
            loss = closure()
    for group in self.param_groups:
        for param in group["params"]:
            if param.grad is None:
                continue
            grad = np.asarray(param.grad.array, order="C")
            state = self.state.get(param, {})
            self.step_one(param.array, -grad if group["maximize"] else grad, state, group)
            param.bump_version()
    return loss


@wrong("Optimizer.step", says="an optimizer that remembers nothing has no entries")
def stores_empty_states(self, closure=None):
    loss = None
    if closure is not None:
        with enable_grad():
            loss = closure()
    for group in self.param_groups:
        for param in group["params"]:
            if param.grad is None:
                continue
            grad = np.asarray(param.grad.array, order="C")
            state = self.state.get(param, {})
            self.step_one(param.array, -grad if group["maximize"] else grad, state, group)
            self.state[param] = state
            param.bump_version()
    return loss


@wrong("Optimizer.step", says="asks to climb")
def ignores_maximize(self, closure=None):
    loss = None
    if closure is not None:
        with enable_grad():
            loss = closure()
    for group in self.param_groups:
        for param in group["params"]:
            if param.grad is None:
                continue
            grad = np.asarray(param.grad.array, order="C")
            state = self.state.get(param, {})
            self.step_one(param.array, grad, state, group)
            if state:
                self.state[param] = state
            param.bump_version()
    return loss


@wrong("Optimizer.step", says="a.grad keeps its sign")
def negates_in_place(self, closure=None):
    loss = None
    if closure is not None:
        with enable_grad():
            loss = closure()
    for group in self.param_groups:
        for param in group["params"]:
            if param.grad is None:
                continue
            grad = np.asarray(param.grad.array, order="C")
            if group["maximize"]:
                grad *= -1
            state = self.state.get(param, {})
            self.step_one(param.array, grad, state, group)
            if state:
                self.state[param] = state
            param.bump_version()
    return loss


@wrong("Optimizer.step", says="so gradients must be on in it")
def closure_without_gradients(self, closure=None):
    loss = None
    if closure is not None:
        loss = closure()
    for group in self.param_groups:
        for param in group["params"]:
            if param.grad is None:
                continue
            grad = np.asarray(param.grad.array, order="C")
            state = self.state.get(param, {})
            self.step_one(param.array, -grad if group["maximize"] else grad, state, group)
            if state:
                self.state[param] = state
            param.bump_version()
    return loss


@wrong("Optimizer.step", says="the closure comes first")
def closure_after_the_step(self, closure=None):
    loss = None
    for group in self.param_groups:
        for param in group["params"]:
            if param.grad is None:
                continue
            grad = np.asarray(param.grad.array, order="C")
            state = self.state.get(param, {})
            self.step_one(param.array, -grad if group["maximize"] else grad, state, group)
            if state:
                self.state[param] = state
            param.bump_version()
    if closure is not None:
        with enable_grad():
            loss = closure()
    return loss


@wrong("Optimizer.step", says="step returns what the closure returned")
def drops_the_loss(self, closure=None):
    if closure is not None:
        with enable_grad():
            closure()
    for group in self.param_groups:
        for param in group["params"]:
            if param.grad is None:
                continue
            grad = np.asarray(param.grad.array, order="C")
            state = self.state.get(param, {})
            self.step_one(param.array, -grad if group["maximize"] else grad, state, group)
            if state:
                self.state[param] = state
            param.bump_version()
    return None


@wrong("Optimizer.step", says="param.bump_version() lets backward notice")
def tells_nobody(self, closure=None):
    loss = None
    if closure is not None:
        with enable_grad():
            loss = closure()
    for group in self.param_groups:
        for param in group["params"]:
            if param.grad is None:
                continue
            grad = np.asarray(param.grad.array, order="C")
            state = self.state.get(param, {})
            self.step_one(param.array, -grad if group["maximize"] else grad, state, group)
            if state:
                self.state[param] = state
    return loss


@wrong("Optimizer.step", says="settings of its own group")
def settings_of_the_first_group(self, closure=None):
    loss = None
    if closure is not None:
        with enable_grad():
            loss = closure()
    for group in self.param_groups:
        for param in group["params"]:
            if param.grad is None:
                continue
            grad = np.asarray(param.grad.array, order="C")
            state = self.state.get(param, {})
            self.step_one(param.array, -grad if group["maximize"] else grad, state, self.param_groups[0])
            if state:
                self.state[param] = state
            param.bump_version()
    return loss


# blocks


@wrong("blocks", says="two full blocks and what is left over")
def always_whole(*arrays):
    yield arrays


@wrong("blocks", says="two full blocks and what is left over")
def loses_the_rest(*arrays):
    size = arrays[0].size
    if size <= BLOCK or not all(array.flags.c_contiguous for array in arrays):
        yield arrays
        return
    flat = [array.reshape(-1) for array in arrays]
    for start in range(0, size - BLOCK + 1, BLOCK):
        yield [array[start : start + BLOCK] for array in flat]


@wrong("blocks", says="two full blocks and what is left over")
def one_element_too_many(*arrays):
    size = arrays[0].size
    if size <= BLOCK or not all(array.flags.c_contiguous for array in arrays):
        yield arrays
        return
    flat = [array.reshape(-1) for array in arrays]
    for start in range(0, size, BLOCK):
        yield [array[start : start + BLOCK + 1] for array in flat]


@wrong("blocks", says="pieces are views")
def copies_the_pieces(*arrays):
    size = arrays[0].size
    if size <= BLOCK or not all(array.flags.c_contiguous for array in arrays):
        yield arrays
        return
    flat = [array.reshape(-1) for array in arrays]
    for start in range(0, size, BLOCK):
        yield [array[start : start + BLOCK].copy() for array in flat]


@wrong("blocks", says="rows do not matter")
def cuts_rows(*arrays):
    size = arrays[0].size
    if size <= BLOCK or not all(array.flags.c_contiguous for array in arrays):
        yield arrays
        return
    flat, size = arrays, len(arrays[0])
    for start in range(0, size, max(1, BLOCK // arrays[0][0].size)):
        yield [array[start : start + max(1, BLOCK // arrays[0][0].size)] for array in flat]


@wrong("blocks", says="flattening it would copy")
def flattens_transposed(*arrays):
    size = arrays[0].size
    if size <= BLOCK:
        yield arrays
        return
    flat = [array.reshape(-1) for array in arrays]
    for start in range(0, size, BLOCK):
        yield [array[start : start + BLOCK] for array in flat]


@wrong("blocks", says="flattening it would copy")
def asks_only_the_first(*arrays):
    size = arrays[0].size
    if size <= BLOCK or not arrays[0].flags.c_contiguous:
        yield arrays
        return
    flat = [array.reshape(-1) for array in arrays]
    for start in range(0, size, BLOCK):
        yield [array[start : start + BLOCK] for array in flat]


@wrong("blocks", says="small arrays fit the cache: one piece")
def whole_and_in_pieces(*arrays):
    size = arrays[0].size
    if size <= BLOCK or not all(array.flags.c_contiguous for array in arrays):
        yield arrays
    flat = [array.reshape(-1) for array in arrays]
    for start in range(0, size, BLOCK):
        yield [array[start : start + BLOCK] for array in flat]


@wrong("blocks", says="the array itself, with its shape")
def flattens_the_small(*arrays):
    size = arrays[0].size
    if size <= BLOCK or not all(array.flags.c_contiguous for array in arrays):
        yield [array.reshape(-1) for array in arrays]
        return
    flat = [array.reshape(-1) for array in arrays]
    for start in range(0, size, BLOCK):
        yield [array[start : start + BLOCK] for array in flat]


# SGD.direction


@wrong("SGD.direction", says="the array buffer is changed in place")
@staticmethod
def renames_the_buffer(grad, buffer, first, momentum, dampening=0, nesterov=False, out=None):
    if first:
        buffer = grad
    else:
        buffer *= momentum
        buffer += grad if dampening == 0 else np.multiply(grad, 1 - dampening, out=out)
    return np.add(grad, np.multiply(buffer, momentum, out=out), out=out) if nesterov else buffer


@wrong("SGD.direction", says="the first b is the gradient itself")
@staticmethod
def momentum_from_the_first(grad, buffer, first, momentum, dampening=0, nesterov=False, out=None):
    buffer *= momentum
    buffer += (1 - dampening) * grad
    return grad + momentum * buffer if nesterov else buffer


@wrong("SGD.direction", says="the new gradient is multiplied by 1 - momentum: that is a running mean")
@staticmethod
def running_mean(grad, buffer, first, momentum, dampening=0, nesterov=False, out=None):
    if first:
        buffer[...] = grad
    else:
        buffer *= momentum
        buffer += (1 - momentum) * grad if dampening == 0 else np.multiply(grad, 1 - dampening, out=out)
    return np.add(grad, np.multiply(buffer, momentum, out=out), out=out) if nesterov else buffer


@wrong("SGD.direction", says="the new gradient is multiplied by dampening, not by 1 - dampening")
@staticmethod
def dampens_twice(grad, buffer, first, momentum, dampening=0, nesterov=False, out=None):
    if first:
        buffer[...] = grad
    else:
        buffer *= momentum
        buffer += grad if dampening == 0 else np.multiply(grad, dampening, out=out)
    return np.add(grad, np.multiply(buffer, momentum, out=out), out=out) if nesterov else buffer


@wrong("SGD.direction", says="dampening is left out")
@staticmethod
def forgets_dampening(grad, buffer, first, momentum, dampening=0, nesterov=False, out=None):
    if first:
        buffer[...] = grad
    else:
        buffer *= momentum
        buffer += grad
    return np.add(grad, np.multiply(buffer, momentum, out=out), out=out) if nesterov else buffer


@wrong("SGD.direction", says="momentum multiplies the gradient, not the old direction")
@staticmethod
def momentum_on_the_gradient(grad, buffer, first, momentum, dampening=0, nesterov=False, out=None):
    if first:
        buffer[...] = grad
    else:
        buffer += momentum * grad
    return grad + momentum * buffer if nesterov else buffer


@wrong("SGD.direction", says="buffer is not changed: `buffer = ...` only names a new array")
@staticmethod
def new_array_each_time(grad, buffer, first, momentum, dampening=0, nesterov=False, out=None):
    if first:
        buffer[...] = grad
    else:
        buffer = buffer * momentum
        buffer += grad if dampening == 0 else np.multiply(grad, 1 - dampening, out=out)
    return np.add(grad, np.multiply(buffer, momentum, out=out), out=out) if nesterov else buffer


@wrong("SGD.direction", says="the new b is not in it: nesterov is left out, or uses the b of the step before")
@staticmethod
def ignores_nesterov(grad, buffer, first, momentum, dampening=0, nesterov=False, out=None):
    if first:
        buffer[...] = grad
    else:
        buffer *= momentum
        buffer += grad if dampening == 0 else np.multiply(grad, 1 - dampening, out=out)
    return buffer


@wrong("SGD.direction", says="stored as without nesterov")
@staticmethod
def stores_the_look_ahead(grad, buffer, first, momentum, dampening=0, nesterov=False, out=None):
    if first:
        buffer[...] = grad
    else:
        buffer *= momentum
        buffer += grad if dampening == 0 else np.multiply(grad, 1 - dampening, out=out)
    if nesterov:
        buffer[...] = grad + momentum * buffer
    return buffer


@wrong("SGD.direction", says="grad stays as it is")
@staticmethod
def changes_the_gradient(grad, buffer, first, momentum, dampening=0, nesterov=False, out=None):
    if first:
        buffer[...] = grad
    else:
        buffer *= momentum
        buffer += grad if dampening == 0 else np.multiply(grad, 1 - dampening, out=out)
    if nesterov:
        grad += momentum * buffer
        return grad
    return buffer


# SGD.step_one


@wrong("SGD.step_one", says="the gradient is added: that is uphill")
def climbs(self, param, grad, state, group):
    lr, momentum, decay = float(group["lr"]), group["momentum"], group["weight_decay"]
    first, buffers = "momentum_buffer" not in state, []
    if momentum:
        if first:
            state["momentum_buffer"] = Tensor(np.zeros_like(param))
        buffers = [state["momentum_buffer"].array]
    for p, g, *buffer in blocks(param, grad, *buffers):
        t, u = scratch(p)
        if decay:
            g = np.add(g, np.multiply(p, decay, out=t), out=t)
        if buffer:
            g = self.direction(g, buffer[0], first, momentum, group["dampening"], group["nesterov"], out=u)
        p += np.multiply(g, lr, out=t)


@wrong(
    "SGD.step_one",
    says="the parameter's array never changes: `param = ...` names a new array",
)
def names_a_new_array(self, param, grad, state, group):
    lr, momentum, decay = float(group["lr"]), group["momentum"], group["weight_decay"]
    if decay:
        grad = grad + decay * param
    if momentum:
        first = "momentum_buffer" not in state
        if first:
            state["momentum_buffer"] = Tensor(np.zeros_like(param))
        buffer = state["momentum_buffer"].array
        grad = self.direction(grad, buffer, first, momentum, group["dampening"], group["nesterov"])
    param = param - lr * grad


@wrong("SGD.step_one", says="weight_decay is left out")
def forgets_weight_decay(self, param, grad, state, group):
    lr, momentum, decay = float(group["lr"]), group["momentum"], group["weight_decay"]
    first, buffers = "momentum_buffer" not in state, []
    if momentum:
        if first:
            state["momentum_buffer"] = Tensor(np.zeros_like(param))
        buffers = [state["momentum_buffer"].array]
    for p, g, *buffer in blocks(param, grad, *buffers):
        t, u = scratch(p)
        if False:
            g = np.add(g, np.multiply(p, decay, out=t), out=t)
        if buffer:
            g = self.direction(g, buffer[0], first, momentum, group["dampening"], group["nesterov"], out=u)
        p -= np.multiply(g, lr, out=t)


@wrong("SGD.step_one", says="weight_decay * p is subtracted, which pushes away from zero")
def subtracts_weight_decay(self, param, grad, state, group):
    lr, momentum, decay = float(group["lr"]), group["momentum"], group["weight_decay"]
    first, buffers = "momentum_buffer" not in state, []
    if momentum:
        if first:
            state["momentum_buffer"] = Tensor(np.zeros_like(param))
        buffers = [state["momentum_buffer"].array]
    for p, g, *buffer in blocks(param, grad, *buffers):
        t, u = scratch(p)
        if decay:
            g = np.subtract(g, np.multiply(p, decay, out=t), out=t)
        if buffer:
            g = self.direction(g, buffer[0], first, momentum, group["dampening"], group["nesterov"], out=u)
        p -= np.multiply(g, lr, out=t)


@wrong("SGD.step_one", says="the decay joins the direction, after momentum, so the buffer never sees it")
def decays_after_momentum(self, param, grad, state, group):
    lr, momentum, decay = float(group["lr"]), group["momentum"], group["weight_decay"]
    first, buffers = "momentum_buffer" not in state, []
    if momentum:
        if first:
            state["momentum_buffer"] = Tensor(np.zeros_like(param))
        buffers = [state["momentum_buffer"].array]
    for p, g, *buffer in blocks(param, grad, *buffers):
        t, u = scratch(p)
        if buffer:
            g = self.direction(g, buffer[0], first, momentum, group["dampening"], group["nesterov"], out=u)
        if decay:
            g = g + decay * p
        p -= np.multiply(g, lr, out=t)


@wrong("SGD.step_one", says="every step is treated as the first, or momentum is left out")
def always_first(self, param, grad, state, group):
    lr, momentum, decay = float(group["lr"]), group["momentum"], group["weight_decay"]
    first, buffers = "momentum_buffer" not in state, []
    if momentum:
        if first:
            state["momentum_buffer"] = Tensor(np.zeros_like(param))
        buffers = [state["momentum_buffer"].array]
    for p, g, *buffer in blocks(param, grad, *buffers):
        t, u = scratch(p)
        if decay:
            g = np.add(g, np.multiply(p, decay, out=t), out=t)
        if buffer:
            g = self.direction(g, buffer[0], True, momentum, group["dampening"], group["nesterov"], out=u)
        p -= np.multiply(g, lr, out=t)


@wrong("SGD.step_one", says="without momentum nothing is remembered")
def buffer_without_need(self, param, grad, state, group):
    lr, momentum, decay = float(group["lr"]), group["momentum"], group["weight_decay"]
    first, buffers = "momentum_buffer" not in state, []
    if True:
        if first:
            state["momentum_buffer"] = Tensor(np.zeros_like(param))
        buffers = [state["momentum_buffer"].array]
    for p, g, *buffer in blocks(param, grad, *buffers):
        t, u = scratch(p)
        if decay:
            g = np.add(g, np.multiply(p, decay, out=t), out=t)
        if buffer:
            g = self.direction(g, buffer[0], first, momentum, group["dampening"], group["nesterov"], out=u)
        p -= np.multiply(g, lr, out=t)


@wrong("SGD.step_one", says="the gradient belongs to whoever computed it")
def decays_in_the_gradient(self, param, grad, state, group):
    lr, momentum, decay = float(group["lr"]), group["momentum"], group["weight_decay"]
    first, buffers = "momentum_buffer" not in state, []
    if momentum:
        if first:
            state["momentum_buffer"] = Tensor(np.zeros_like(param))
        buffers = [state["momentum_buffer"].array]
    for p, g, *buffer in blocks(param, grad, *buffers):
        t, u = scratch(p)
        if decay:
            g += decay * p
        if buffer:
            g = self.direction(g, buffer[0], first, momentum, group["dampening"], group["nesterov"], out=u)
        p -= np.multiply(g, lr, out=t)


@wrong("SGD.step_one", says="the state keeps b as a Tensor")
def only_plain_arrays(self, param, grad, state, group):
    lr, momentum, decay = float(group["lr"]), group["momentum"], group["weight_decay"]
    first, buffers = "momentum_buffer" not in state, []
    if momentum:
        if first:
            state["momentum_buffer"] = np.zeros_like(param)
        buffers = [state["momentum_buffer"]]
    for p, g, *buffer in blocks(param, grad, *buffers):
        t, u = scratch(p)
        if decay:
            g = np.add(g, np.multiply(p, decay, out=t), out=t)
        if buffer:
            g = self.direction(g, buffer[0], first, momentum, group["dampening"], group["nesterov"], out=u)
        p -= np.multiply(g, lr, out=t)


@wrong("SGD.step_one", says="a step that makes new arrays pays for them each time")
def allocates_everything(self, param, grad, state, group):
    lr, momentum, decay = float(group["lr"]), group["momentum"], group["weight_decay"]
    g = grad + decay * param
    if momentum:
        first = "momentum_buffer" not in state
        if first:
            state["momentum_buffer"] = Tensor(np.zeros_like(param))
        g = self.direction(g, state["momentum_buffer"].array, first, momentum, group["dampening"], group["nesterov"])
    param -= lr * g


@wrong("SGD.step_one", says="one of the operations has no out= and makes a new array for every block")
def multiplies_into_a_new_array(self, param, grad, state, group):
    lr, momentum, decay = float(group["lr"]), group["momentum"], group["weight_decay"]
    first, buffers = "momentum_buffer" not in state, []
    if momentum:
        if first:
            state["momentum_buffer"] = Tensor(np.zeros_like(param))
        buffers = [state["momentum_buffer"].array]
    for p, g, *buffer in blocks(param, grad, *buffers):
        t, u = scratch(p)
        if decay:
            g = np.add(g, np.multiply(p, decay, out=t), out=t)
        if buffer:
            g = self.direction(g, buffer[0], first, momentum, group["dampening"], group["nesterov"], out=u)
        p -= lr * g


@wrong("SGD.step_one", says="every element, in every block")
def only_the_first_block_is_first(self, param, grad, state, group):
    lr, momentum, decay = float(group["lr"]), group["momentum"], group["weight_decay"]
    first, buffers = "momentum_buffer" not in state, []
    if momentum:
        if first:
            state["momentum_buffer"] = Tensor(np.full_like(param, 1.0))
        buffers = [state["momentum_buffer"].array]
    for p, g, *buffer in blocks(param, grad, *buffers):
        t, u = scratch(p)
        if decay:
            g = np.add(g, np.multiply(p, decay, out=t), out=t)
        if buffer:
            g = self.direction(g, buffer[0], first, momentum, group["dampening"], group["nesterov"], out=u)
            first = False
        p -= np.multiply(g, lr, out=t)


@wrong("SGD.step_one", says="group['nesterov'] does not reach self.direction")
def ignores_nesterov_setting(self, param, grad, state, group):
    lr, momentum, decay = float(group["lr"]), group["momentum"], group["weight_decay"]
    first, buffers = "momentum_buffer" not in state, []
    if momentum:
        if first:
            state["momentum_buffer"] = Tensor(np.zeros_like(param))
        buffers = [state["momentum_buffer"].array]
    for p, g, *buffer in blocks(param, grad, *buffers):
        t, u = scratch(p)
        if decay:
            g = np.add(g, np.multiply(p, decay, out=t), out=t)
        if buffer:
            g = self.direction(g, buffer[0], first, momentum, group["dampening"], out=u)
        p -= np.multiply(g, lr, out=t)


@wrong("SGD.step_one", says="one scratch array is used for two things")
def one_scratch_for_decay_and_direction(self, param, grad, state, group):
    lr, momentum, decay = float(group["lr"]), group["momentum"], group["weight_decay"]
    first, buffers = "momentum_buffer" not in state, []
    if momentum:
        if first:
            state["momentum_buffer"] = Tensor(np.zeros_like(param))
        buffers = [state["momentum_buffer"].array]
    for p, g, *buffer in blocks(param, grad, *buffers):
        t, u = scratch(p)
        if decay:
            g = np.add(g, np.multiply(p, decay, out=t), out=t)
        if buffer:
            g = self.direction(g, buffer[0], first, momentum, group["dampening"], group["nesterov"], out=t)
        p -= np.multiply(g, lr, out=u)


# remembered


@wrong("remembered", says="must still be there")
def zeros_at_every_step(state, param, names):
    if "step" not in state:
        state["step"] = Tensor(np.zeros((), np.float32))
    for name in names:
        state[name] = Tensor(np.zeros_like(param))
    state["step"].array += 1
    return [state[name].array for name in names]


@wrong("remembered", says="step counts from 1")
def counts_from_zero(state, param, names):
    begins = not state
    if not state:
        state["step"] = Tensor(np.zeros((), np.float32))
        state.update((name, Tensor(np.zeros_like(param))) for name in names)
    if not begins:
        state["step"].array += 1
    return [state[name].array for name in names]


@wrong("remembered", says="a Tensor")
def counts_with_an_int(state, param, names):
    if not state:
        state["step"] = 0
        state.update((name, Tensor(np.zeros_like(param))) for name in names)
    state["step"] += 1
    return [state[name].array for name in names]


@wrong("remembered", says="each name has its own array")
def one_array_for_all(state, param, names):
    if not state:
        state["step"] = Tensor(np.zeros((), np.float32))
        state.update(dict.fromkeys(names, Tensor(np.zeros_like(param))))
    state["step"].array += 1
    return [state[name].array for name in names]


@wrong("remembered", says="in place: no copies")
def returns_copies(state, param, names):
    if not state:
        state["step"] = Tensor(np.zeros((), np.float32))
        state.update((name, Tensor(np.zeros_like(param))) for name in names)
    state["step"].array += 1
    return [state[name].array.copy() for name in names]


@wrong("remembered", says="zeros like param")
def begins_with_ones(state, param, names):
    if not state:
        state["step"] = Tensor(np.zeros((), np.float32))
        state.update((name, Tensor(np.ones_like(param))) for name in names)
    state["step"].array += 1
    return [state[name].array for name in names]


@wrong("remembered", says="zeros of the parameter's shape and dtype")
def always_float32(state, param, names):
    if not state:
        state["step"] = Tensor(np.zeros((), np.float32))
        state.update((name, Tensor(np.zeros(param.shape, np.float32))) for name in names)
    state["step"].array += 1
    return [state[name].array for name in names]


@wrong("remembered", says="a state holds tensors")
def stores_plain_arrays(state, param, names):
    if not state:
        state["step"] = Tensor(np.zeros((), np.float32))
        state.update((name, np.zeros_like(param)) for name in names)
    state["step"].array += 1
    return [state[name] for name in names]


# RMSprop.step_one


@wrong("RMSprop.step_one", says="eps stands inside the root")
def eps_in_the_root(self, param, grad, state, group):
    lr, alpha, momentum, decay = float(group["lr"]), group["alpha"], group["momentum"], group["weight_decay"]
    names = ["square_avg", *["momentum_buffer"] * (momentum > 0), *["grad_avg"] * bool(group["centered"])]
    for p, g, v, *rest in blocks(param, grad, *remembered(state, param, names)):
        t, u = scratch(p)
        if decay:
            g = np.add(g, np.multiply(p, decay, out=u), out=u)
        v *= alpha
        v += np.multiply(np.multiply(g, 1 - alpha, out=t), g, out=t)
        if group["centered"]:
            mean = rest[-1]
            mean += np.multiply(np.subtract(g, mean, out=t), 1 - alpha, out=t)
            np.sqrt(np.subtract(v, np.multiply(mean, mean, out=t), out=t), out=t)
        else:
            np.sqrt(v + group["eps"], out=t)
        np.divide(g, t, out=t)
        if momentum > 0:
            rest[0] *= momentum
            rest[0] += t
            t[...] = rest[0]
        p -= np.multiply(t, lr, out=t)


@wrong("RMSprop.step_one", says="the gradient is divided by v, without the root")
def forgets_the_root(self, param, grad, state, group):
    lr, alpha, momentum, decay = float(group["lr"]), group["alpha"], group["momentum"], group["weight_decay"]
    names = ["square_avg", *["momentum_buffer"] * (momentum > 0), *["grad_avg"] * bool(group["centered"])]
    for p, g, v, *rest in blocks(param, grad, *remembered(state, param, names)):
        t, u = scratch(p)
        if decay:
            g = np.add(g, np.multiply(p, decay, out=u), out=u)
        v *= alpha
        v += np.multiply(np.multiply(g, 1 - alpha, out=t), g, out=t)
        if group["centered"]:
            mean = rest[-1]
            mean += np.multiply(np.subtract(g, mean, out=t), 1 - alpha, out=t)
            np.sqrt(np.subtract(v, np.multiply(mean, mean, out=t), out=t), out=t)
        else:
            t[...] = v
        t += group["eps"]
        np.divide(g, t, out=t)
        if momentum > 0:
            rest[0] *= momentum
            rest[0] += t
            t[...] = rest[0]
        p -= np.multiply(t, lr, out=t)


@wrong("RMSprop.step_one", says="v = alpha v + (1 - alpha) g²")
def mean_of_g(self, param, grad, state, group):
    lr, alpha, momentum, decay = float(group["lr"]), group["alpha"], group["momentum"], group["weight_decay"]
    names = ["square_avg", *["momentum_buffer"] * (momentum > 0), *["grad_avg"] * bool(group["centered"])]
    for p, g, v, *rest in blocks(param, grad, *remembered(state, param, names)):
        t, u = scratch(p)
        if decay:
            g = np.add(g, np.multiply(p, decay, out=u), out=u)
        v *= alpha
        v += (1 - alpha) * g
        if group["centered"]:
            mean = rest[-1]
            mean += np.multiply(np.subtract(g, mean, out=t), 1 - alpha, out=t)
            np.sqrt(np.subtract(v, np.multiply(mean, mean, out=t), out=t), out=t)
        else:
            np.sqrt(np.abs(v), out=t)
        t += group["eps"]
        np.divide(g, t, out=t)
        if momentum > 0:
            rest[0] *= momentum
            rest[0] += t
            t[...] = rest[0]
        p -= np.multiply(t, lr, out=t)


@wrong("RMSprop.step_one", says="alpha and 1 - alpha are swapped")
def alpha_the_wrong_way(self, param, grad, state, group):
    lr, alpha, momentum, decay = float(group["lr"]), group["alpha"], group["momentum"], group["weight_decay"]
    names = ["square_avg", *["momentum_buffer"] * (momentum > 0), *["grad_avg"] * bool(group["centered"])]
    for p, g, v, *rest in blocks(param, grad, *remembered(state, param, names)):
        t, u = scratch(p)
        if decay:
            g = np.add(g, np.multiply(p, decay, out=u), out=u)
        v *= 1 - alpha
        v += np.multiply(np.multiply(g, alpha, out=t), g, out=t)
        if group["centered"]:
            mean = rest[-1]
            mean += np.multiply(np.subtract(g, mean, out=t), 1 - alpha, out=t)
            np.sqrt(np.subtract(v, np.multiply(mean, mean, out=t), out=t), out=t)
        else:
            np.sqrt(v, out=t)
        t += group["eps"]
        np.divide(g, t, out=t)
        if momentum > 0:
            rest[0] *= momentum
            rest[0] += t
            t[...] = rest[0]
        p -= np.multiply(t, lr, out=t)


@wrong("RMSprop.step_one", says="v is a sum that never fades, not a running mean")
def sums_like_adagrad(self, param, grad, state, group):
    lr, alpha, momentum, decay = float(group["lr"]), group["alpha"], group["momentum"], group["weight_decay"]
    names = ["square_avg", *["momentum_buffer"] * (momentum > 0), *["grad_avg"] * bool(group["centered"])]
    for p, g, v, *rest in blocks(param, grad, *remembered(state, param, names)):
        t, u = scratch(p)
        if decay:
            g = np.add(g, np.multiply(p, decay, out=u), out=u)
        v += np.multiply(np.multiply(g, 1, out=t), g, out=t)
        if group["centered"]:
            mean = rest[-1]
            mean += np.multiply(np.subtract(g, mean, out=t), 1 - alpha, out=t)
            np.sqrt(np.subtract(v, np.multiply(mean, mean, out=t), out=t), out=t)
        else:
            np.sqrt(v, out=t)
        t += group["eps"]
        np.divide(g, t, out=t)
        if momentum > 0:
            rest[0] *= momentum
            rest[0] += t
            t[...] = rest[0]
        p -= np.multiply(t, lr, out=t)


@wrong("RMSprop.step_one", says="v is made of the gradient alone, before the decay has joined it")
def decay_after_v(self, param, grad, state, group):
    lr, alpha, momentum, decay = float(group["lr"]), group["alpha"], group["momentum"], group["weight_decay"]
    names = ["square_avg", *["momentum_buffer"] * (momentum > 0), *["grad_avg"] * bool(group["centered"])]
    for p, g, v, *rest in blocks(param, grad, *remembered(state, param, names)):
        t, u = scratch(p)
        v *= alpha
        v += np.multiply(np.multiply(g, 1 - alpha, out=t), g, out=t)
        if group["centered"]:
            mean = rest[-1]
            mean += np.multiply(np.subtract(g, mean, out=t), 1 - alpha, out=t)
            np.sqrt(np.subtract(v, np.multiply(mean, mean, out=t), out=t), out=t)
        else:
            np.sqrt(v, out=t)
        t += group["eps"]
        np.divide(g + decay * p, t, out=t)
        if momentum > 0:
            rest[0] *= momentum
            rest[0] += t
            t[...] = rest[0]
        p -= np.multiply(t, lr, out=t)


@wrong("RMSprop.step_one", says="the gradients go through momentum and are divided afterwards")
def momentum_of_the_gradient(self, param, grad, state, group):
    lr, alpha, momentum, decay = float(group["lr"]), group["alpha"], group["momentum"], group["weight_decay"]
    names = ["square_avg", *["momentum_buffer"] * (momentum > 0), *["grad_avg"] * bool(group["centered"])]
    for p, g, v, *rest in blocks(param, grad, *remembered(state, param, names)):
        t, u = scratch(p)
        if decay:
            g = np.add(g, np.multiply(p, decay, out=u), out=u)
        v *= alpha
        v += np.multiply(np.multiply(g, 1 - alpha, out=t), g, out=t)
        if group["centered"]:
            mean = rest[-1]
            mean += np.multiply(np.subtract(g, mean, out=t), 1 - alpha, out=t)
            np.sqrt(np.subtract(v, np.multiply(mean, mean, out=t), out=t), out=t)
        else:
            np.sqrt(v, out=t)
        t += group["eps"]
        if momentum > 0:
            rest[0] *= momentum
            rest[0] += g
            g = rest[0]
        np.divide(g, t, out=t)
        p -= np.multiply(t, lr, out=t)


@wrong("RMSprop.step_one", says="centered: the spread is v - mean²")
def centers_v_itself(self, param, grad, state, group):
    lr, alpha, momentum, decay = float(group["lr"]), group["alpha"], group["momentum"], group["weight_decay"]
    names = ["square_avg", *["momentum_buffer"] * (momentum > 0), *["grad_avg"] * bool(group["centered"])]
    for p, g, v, *rest in blocks(param, grad, *remembered(state, param, names)):
        t, u = scratch(p)
        if decay:
            g = np.add(g, np.multiply(p, decay, out=u), out=u)
        v *= alpha
        v += np.multiply(np.multiply(g, 1 - alpha, out=t), g, out=t)
        if group["centered"]:
            mean = rest[-1]
            mean += np.multiply(np.subtract(g, mean, out=t), 1 - alpha, out=t)
            v -= mean * mean
            np.sqrt(np.abs(v), out=t)
        else:
            np.sqrt(v, out=t)
        t += group["eps"]
        np.divide(g, t, out=t)
        if momentum > 0:
            rest[0] *= momentum
            rest[0] += t
            t[...] = rest[0]
        p -= np.multiply(t, lr, out=t)


@wrong("RMSprop.step_one", says="centered: the spread is v - mean²")
def centers_without_a_square(self, param, grad, state, group):
    lr, alpha, momentum, decay = float(group["lr"]), group["alpha"], group["momentum"], group["weight_decay"]
    names = ["square_avg", *["momentum_buffer"] * (momentum > 0), *["grad_avg"] * bool(group["centered"])]
    for p, g, v, *rest in blocks(param, grad, *remembered(state, param, names)):
        t, u = scratch(p)
        if decay:
            g = np.add(g, np.multiply(p, decay, out=u), out=u)
        v *= alpha
        v += np.multiply(np.multiply(g, 1 - alpha, out=t), g, out=t)
        if group["centered"]:
            mean = rest[-1]
            mean += np.multiply(np.subtract(g, mean, out=t), 1 - alpha, out=t)
            np.sqrt(np.abs(np.subtract(v, np.abs(mean), out=t)), out=t)
        else:
            np.sqrt(v, out=t)
        t += group["eps"]
        np.divide(g, t, out=t)
        if momentum > 0:
            rest[0] *= momentum
            rest[0] += t
            t[...] = rest[0]
        p -= np.multiply(t, lr, out=t)


@wrong("RMSprop.step_one", says="memory for nothing")
def all_arrays_always(self, param, grad, state, group):
    lr, alpha, momentum, decay = float(group["lr"]), group["alpha"], group["momentum"], group["weight_decay"]
    names = ["square_avg", "momentum_buffer", "grad_avg"]
    for p, g, v, *rest in blocks(param, grad, *remembered(state, param, names)):
        t, u = scratch(p)
        if decay:
            g = np.add(g, np.multiply(p, decay, out=u), out=u)
        v *= alpha
        v += np.multiply(np.multiply(g, 1 - alpha, out=t), g, out=t)
        if group["centered"]:
            mean = rest[-1]
            mean += np.multiply(np.subtract(g, mean, out=t), 1 - alpha, out=t)
            np.sqrt(np.subtract(v, np.multiply(mean, mean, out=t), out=t), out=t)
        else:
            np.sqrt(v, out=t)
        t += group["eps"]
        np.divide(g, t, out=t)
        if momentum > 0:
            rest[0] *= momentum
            rest[0] += t
            t[...] = rest[0]
        p -= np.multiply(t, lr, out=t)


@wrong("RMSprop.step_one", says="one scratch array is used for two things")
def one_scratch_for_decay_and_root(self, param, grad, state, group):
    lr, alpha, momentum, decay = float(group["lr"]), group["alpha"], group["momentum"], group["weight_decay"]
    names = ["square_avg", *["momentum_buffer"] * (momentum > 0), *["grad_avg"] * bool(group["centered"])]
    for p, g, v, *rest in blocks(param, grad, *remembered(state, param, names)):
        t, u = scratch(p)
        if decay:
            g = np.add(g, np.multiply(p, decay, out=t), out=t)
        v *= alpha
        v += np.multiply(np.multiply(g, g, out=u), 1 - alpha, out=u)
        if group["centered"]:
            mean = rest[-1]
            mean += np.multiply(np.subtract(g, mean, out=u), 1 - alpha, out=u)
            np.sqrt(np.subtract(v, np.multiply(mean, mean, out=t), out=t), out=t)
        else:
            np.sqrt(v, out=t)
        t += group["eps"]
        np.divide(g, t, out=t)
        if momentum > 0:
            rest[0] *= momentum
            rest[0] += t
            t[...] = rest[0]
        p -= np.multiply(t, lr, out=t)


# Adam.update


@wrong("Adam.update", says="neither m nor v is corrected: 0.1 / sqrt(0.001) is about 3.2")
@staticmethod
def no_correction(param, grad, exp_avg, exp_avg_sq, step, lr, beta1, beta2, eps, weight_decay, decoupled, largest=None):
    size, root = lr, 1.0
    for p, g, m, v, *top in blocks(param, grad, exp_avg, exp_avg_sq, *([] if largest is None else [largest])):
        t, u = scratch(p)
        if weight_decay and decoupled:
            p *= 1 - lr * weight_decay
        elif weight_decay:
            g = np.add(g, np.multiply(p, weight_decay, out=u), out=u)
        m += np.multiply(np.subtract(g, m, out=t), 1 - beta1, out=t)
        v *= beta2
        v += np.multiply(np.multiply(g, 1 - beta2, out=t), g, out=t)
        if top:
            v = np.maximum(top[0], v, out=top[0])
        np.divide(np.sqrt(v, out=t), root, out=t)
        t += eps
        np.divide(m, t, out=t)
        p -= np.multiply(t, size, out=t)


@wrong("Adam.update", says="the corrections use step + 1; step counts from 1 already")
@staticmethod
def corrects_one_step_late(
    param, grad, exp_avg, exp_avg_sq, step, lr, beta1, beta2, eps, weight_decay, decoupled, largest=None
):
    size, root = lr / (1 - beta1 ** (step + 1)), math.sqrt(1 - beta2 ** (step + 1))
    for p, g, m, v, *top in blocks(param, grad, exp_avg, exp_avg_sq, *([] if largest is None else [largest])):
        t, u = scratch(p)
        if weight_decay and decoupled:
            p *= 1 - lr * weight_decay
        elif weight_decay:
            g = np.add(g, np.multiply(p, weight_decay, out=u), out=u)
        m += np.multiply(np.subtract(g, m, out=t), 1 - beta1, out=t)
        v *= beta2
        v += np.multiply(np.multiply(g, 1 - beta2, out=t), g, out=t)
        if top:
            v = np.maximum(top[0], v, out=top[0])
        np.divide(np.sqrt(v, out=t), root, out=t)
        t += eps
        np.divide(m, t, out=t)
        p -= np.multiply(t, size, out=t)


@wrong("Adam.update", says="only m is corrected, not v")
@staticmethod
def corrects_only_m(
    param, grad, exp_avg, exp_avg_sq, step, lr, beta1, beta2, eps, weight_decay, decoupled, largest=None
):
    size, root = lr / (1 - beta1**step), 1.0
    for p, g, m, v, *top in blocks(param, grad, exp_avg, exp_avg_sq, *([] if largest is None else [largest])):
        t, u = scratch(p)
        if weight_decay and decoupled:
            p *= 1 - lr * weight_decay
        elif weight_decay:
            g = np.add(g, np.multiply(p, weight_decay, out=u), out=u)
        m += np.multiply(np.subtract(g, m, out=t), 1 - beta1, out=t)
        v *= beta2
        v += np.multiply(np.multiply(g, 1 - beta2, out=t), g, out=t)
        if top:
            v = np.maximum(top[0], v, out=top[0])
        np.divide(np.sqrt(v, out=t), root, out=t)
        t += eps
        np.divide(m, t, out=t)
        p -= np.multiply(t, size, out=t)


@wrong("Adam.update", says="stored without its correction")
@staticmethod
def stores_corrected_moments(
    param, grad, exp_avg, exp_avg_sq, step, lr, beta1, beta2, eps, weight_decay, decoupled, largest=None
):
    size = lr
    for p, g, m, v, *top in blocks(param, grad, exp_avg, exp_avg_sq, *([] if largest is None else [largest])):
        t, u = scratch(p)
        if weight_decay and decoupled:
            p *= 1 - lr * weight_decay
        elif weight_decay:
            g = np.add(g, np.multiply(p, weight_decay, out=u), out=u)
        m += np.multiply(np.subtract(g, m, out=t), 1 - beta1, out=t)
        v *= beta2
        v += np.multiply(np.multiply(g, 1 - beta2, out=t), g, out=t)
        if top:
            v = np.maximum(top[0], v, out=top[0])
        m /= 1 - beta1**step
        v /= 1 - beta2**step
        np.sqrt(v, out=t)
        t += eps
        np.divide(m, t, out=t)
        p -= np.multiply(t, size, out=t)


@wrong("Adam.update", says="the betas are swapped: beta1 belongs to m")
@staticmethod
def swaps_the_betas(
    param, grad, exp_avg, exp_avg_sq, step, lr, beta1, beta2, eps, weight_decay, decoupled, largest=None
):
    beta1, beta2 = beta2, beta1
    size, root = lr / (1 - beta1**step), math.sqrt(1 - beta2**step)
    for p, g, m, v, *top in blocks(param, grad, exp_avg, exp_avg_sq, *([] if largest is None else [largest])):
        t, u = scratch(p)
        if weight_decay and decoupled:
            p *= 1 - lr * weight_decay
        elif weight_decay:
            g = np.add(g, np.multiply(p, weight_decay, out=u), out=u)
        m += np.multiply(np.subtract(g, m, out=t), 1 - beta1, out=t)
        v *= beta2
        v += np.multiply(np.multiply(g, 1 - beta2, out=t), g, out=t)
        if top:
            v = np.maximum(top[0], v, out=top[0])
        np.divide(np.sqrt(v, out=t), root, out=t)
        t += eps
        np.divide(m, t, out=t)
        p -= np.multiply(t, size, out=t)


@wrong("Adam.update", says="t counts from 1")
@staticmethod
def correction_is_a_product(
    param, grad, exp_avg, exp_avg_sq, step, lr, beta1, beta2, eps, weight_decay, decoupled, largest=None
):
    size, root = lr / (1 - beta1 * step), math.sqrt(abs(1 - beta2 * step))
    for p, g, m, v, *top in blocks(param, grad, exp_avg, exp_avg_sq, *([] if largest is None else [largest])):
        t, u = scratch(p)
        if weight_decay and decoupled:
            p *= 1 - lr * weight_decay
        elif weight_decay:
            g = np.add(g, np.multiply(p, weight_decay, out=u), out=u)
        m += np.multiply(np.subtract(g, m, out=t), 1 - beta1, out=t)
        v *= beta2
        v += np.multiply(np.multiply(g, 1 - beta2, out=t), g, out=t)
        if top:
            v = np.maximum(top[0], v, out=top[0])
        np.divide(np.sqrt(v, out=t), root, out=t)
        t += eps
        np.divide(m, t, out=t)
        p -= np.multiply(t, size, out=t)


@wrong("Adam.update", says="eps stands inside the root")
@staticmethod
def eps_in_adams_root(
    param, grad, exp_avg, exp_avg_sq, step, lr, beta1, beta2, eps, weight_decay, decoupled, largest=None
):
    size, root = lr / (1 - beta1**step), math.sqrt(1 - beta2**step)
    for p, g, m, v, *top in blocks(param, grad, exp_avg, exp_avg_sq, *([] if largest is None else [largest])):
        t, u = scratch(p)
        if weight_decay and decoupled:
            p *= 1 - lr * weight_decay
        elif weight_decay:
            g = np.add(g, np.multiply(p, weight_decay, out=u), out=u)
        m += np.multiply(np.subtract(g, m, out=t), 1 - beta1, out=t)
        v *= beta2
        v += np.multiply(np.multiply(g, 1 - beta2, out=t), g, out=t)
        if top:
            v = np.maximum(top[0], v, out=top[0])
        np.sqrt(v / root**2 + eps, out=t)
        np.divide(m, t, out=t)
        p -= np.multiply(t, size, out=t)


@wrong("Adam.update", says="eps is added before v is corrected")
@staticmethod
def eps_before_the_correction(
    param, grad, exp_avg, exp_avg_sq, step, lr, beta1, beta2, eps, weight_decay, decoupled, largest=None
):
    size, root = lr / (1 - beta1**step), math.sqrt(1 - beta2**step)
    for p, g, m, v, *top in blocks(param, grad, exp_avg, exp_avg_sq, *([] if largest is None else [largest])):
        t, u = scratch(p)
        if weight_decay and decoupled:
            p *= 1 - lr * weight_decay
        elif weight_decay:
            g = np.add(g, np.multiply(p, weight_decay, out=u), out=u)
        m += np.multiply(np.subtract(g, m, out=t), 1 - beta1, out=t)
        v *= beta2
        v += np.multiply(np.multiply(g, 1 - beta2, out=t), g, out=t)
        if top:
            v = np.maximum(top[0], v, out=top[0])
        np.divide(np.sqrt(v, out=t) + eps, root, out=t)
        np.divide(m, t, out=t)
        p -= np.multiply(t, size, out=t)


@wrong("Adam.update", says="v = (1 - beta2) g²")
@staticmethod
def v_of_the_gradient(
    param, grad, exp_avg, exp_avg_sq, step, lr, beta1, beta2, eps, weight_decay, decoupled, largest=None
):
    size, root = lr / (1 - beta1**step), math.sqrt(1 - beta2**step)
    for p, g, m, v, *top in blocks(param, grad, exp_avg, exp_avg_sq, *([] if largest is None else [largest])):
        t, u = scratch(p)
        if weight_decay and decoupled:
            p *= 1 - lr * weight_decay
        elif weight_decay:
            g = np.add(g, np.multiply(p, weight_decay, out=u), out=u)
        m += np.multiply(np.subtract(g, m, out=t), 1 - beta1, out=t)
        v *= beta2
        v += (1 - beta2) * np.abs(g)
        if top:
            v = np.maximum(top[0], v, out=top[0])
        np.divide(np.sqrt(v, out=t), root, out=t)
        t += eps
        np.divide(m, t, out=t)
        p -= np.multiply(t, size, out=t)


@wrong("Adam.update", says="coupled: weight_decay * param is added to the gradient")
@staticmethod
def always_decoupled(
    param, grad, exp_avg, exp_avg_sq, step, lr, beta1, beta2, eps, weight_decay, decoupled, largest=None
):
    size, root = lr / (1 - beta1**step), math.sqrt(1 - beta2**step)
    for p, g, m, v, *top in blocks(param, grad, exp_avg, exp_avg_sq, *([] if largest is None else [largest])):
        t, u = scratch(p)
        if weight_decay:
            p *= 1 - lr * weight_decay
        elif weight_decay:
            g = np.add(g, np.multiply(p, weight_decay, out=u), out=u)
        m += np.multiply(np.subtract(g, m, out=t), 1 - beta1, out=t)
        v *= beta2
        v += np.multiply(np.multiply(g, 1 - beta2, out=t), g, out=t)
        if top:
            v = np.maximum(top[0], v, out=top[0])
        np.divide(np.sqrt(v, out=t), root, out=t)
        t += eps
        np.divide(m, t, out=t)
        p -= np.multiply(t, size, out=t)


@wrong("Adam.update", says="decoupled: param shrinks")
@staticmethod
def always_coupled(
    param, grad, exp_avg, exp_avg_sq, step, lr, beta1, beta2, eps, weight_decay, decoupled, largest=None
):
    size, root = lr / (1 - beta1**step), math.sqrt(1 - beta2**step)
    for p, g, m, v, *top in blocks(param, grad, exp_avg, exp_avg_sq, *([] if largest is None else [largest])):
        t, u = scratch(p)
        if False:
            p *= 1 - lr * weight_decay
        elif weight_decay:
            g = np.add(g, np.multiply(p, weight_decay, out=u), out=u)
        m += np.multiply(np.subtract(g, m, out=t), 1 - beta1, out=t)
        v *= beta2
        v += np.multiply(np.multiply(g, 1 - beta2, out=t), g, out=t)
        if top:
            v = np.maximum(top[0], v, out=top[0])
        np.divide(np.sqrt(v, out=t), root, out=t)
        t += eps
        np.divide(m, t, out=t)
        p -= np.multiply(t, size, out=t)


@wrong("Adam.update", says="decoupled: param shrinks by lr * weight_decay")
@staticmethod
def shrinks_without_lr(
    param, grad, exp_avg, exp_avg_sq, step, lr, beta1, beta2, eps, weight_decay, decoupled, largest=None
):
    size, root = lr / (1 - beta1**step), math.sqrt(1 - beta2**step)
    for p, g, m, v, *top in blocks(param, grad, exp_avg, exp_avg_sq, *([] if largest is None else [largest])):
        t, u = scratch(p)
        if weight_decay and decoupled:
            p *= 1 - weight_decay
        elif weight_decay:
            g = np.add(g, np.multiply(p, weight_decay, out=u), out=u)
        m += np.multiply(np.subtract(g, m, out=t), 1 - beta1, out=t)
        v *= beta2
        v += np.multiply(np.multiply(g, 1 - beta2, out=t), g, out=t)
        if top:
            v = np.maximum(top[0], v, out=top[0])
        np.divide(np.sqrt(v, out=t), root, out=t)
        t += eps
        np.divide(m, t, out=t)
        p -= np.multiply(t, size, out=t)


@wrong("Adam.update", says="the larger of largest and v is kept")
@staticmethod
def largest_is_not_kept(
    param, grad, exp_avg, exp_avg_sq, step, lr, beta1, beta2, eps, weight_decay, decoupled, largest=None
):
    size, root = lr / (1 - beta1**step), math.sqrt(1 - beta2**step)
    for p, g, m, v, *top in blocks(param, grad, exp_avg, exp_avg_sq, *([] if largest is None else [largest])):
        t, u = scratch(p)
        if weight_decay and decoupled:
            p *= 1 - lr * weight_decay
        elif weight_decay:
            g = np.add(g, np.multiply(p, weight_decay, out=u), out=u)
        m += np.multiply(np.subtract(g, m, out=t), 1 - beta1, out=t)
        v *= beta2
        v += np.multiply(np.multiply(g, 1 - beta2, out=t), g, out=t)
        if top:
            v = np.maximum(top[0], v)
        np.divide(np.sqrt(v, out=t), root, out=t)
        t += eps
        np.divide(m, t, out=t)
        p -= np.multiply(t, size, out=t)


@wrong("Adam.update", says="v = beta2 v + (1 - beta2) g², in place")
@staticmethod
def largest_becomes_v(
    param, grad, exp_avg, exp_avg_sq, step, lr, beta1, beta2, eps, weight_decay, decoupled, largest=None
):
    size, root = lr / (1 - beta1**step), math.sqrt(1 - beta2**step)
    for p, g, m, v, *top in blocks(param, grad, exp_avg, exp_avg_sq, *([] if largest is None else [largest])):
        t, u = scratch(p)
        if weight_decay and decoupled:
            p *= 1 - lr * weight_decay
        elif weight_decay:
            g = np.add(g, np.multiply(p, weight_decay, out=u), out=u)
        m += np.multiply(np.subtract(g, m, out=t), 1 - beta1, out=t)
        v *= beta2
        v += np.multiply(np.multiply(g, 1 - beta2, out=t), g, out=t)
        if top:
            np.maximum(top[0], v, out=top[0])
            v[...] = top[0]
        np.divide(np.sqrt(v, out=t), root, out=t)
        t += eps
        np.divide(m, t, out=t)
        p -= np.multiply(t, size, out=t)


@wrong("Adam.update", says="write into `scratch` with out=")
@staticmethod
def new_arrays_in_adam(
    param, grad, exp_avg, exp_avg_sq, step, lr, beta1, beta2, eps, weight_decay, decoupled, largest=None
):
    if weight_decay and decoupled:
        param *= 1 - lr * weight_decay
    elif weight_decay:
        grad = grad + weight_decay * param
    exp_avg[...] = beta1 * exp_avg + (1 - beta1) * grad
    exp_avg_sq[...] = beta2 * exp_avg_sq + (1 - beta2) * grad * grad
    if largest is not None:
        exp_avg_sq = np.maximum(largest, exp_avg_sq, out=largest)
    root = np.sqrt(exp_avg_sq / (1 - beta2**step)) + eps
    param -= lr * exp_avg / (1 - beta1**step) / root


@wrong("Adam.update", says="one scratch array is used for two things")
@staticmethod
def one_scratch_for_decay_and_m(
    param, grad, exp_avg, exp_avg_sq, step, lr, beta1, beta2, eps, weight_decay, decoupled, largest=None
):
    size, root = lr / (1 - beta1**step), math.sqrt(1 - beta2**step)
    for p, g, m, v, *top in blocks(param, grad, exp_avg, exp_avg_sq, *([] if largest is None else [largest])):
        t, u = scratch(p)
        if weight_decay and decoupled:
            p *= 1 - lr * weight_decay
        elif weight_decay:
            g = np.add(g, np.multiply(p, weight_decay, out=t), out=t)
        m += np.multiply(np.subtract(g, m, out=t), 1 - beta1, out=t)
        v *= beta2
        v += np.multiply(np.multiply(g, 1 - beta2, out=t), g, out=t)
        if top:
            v = np.maximum(top[0], v, out=top[0])
        np.divide(np.sqrt(v, out=t), root, out=t)
        t += eps
        np.divide(m, t, out=t)
        p -= np.multiply(t, size, out=t)


@wrong("Adam.update", says="one scratch array is used for two things")
@staticmethod
def one_scratch_for_decay_and_m_squared_first(
    param, grad, exp_avg, exp_avg_sq, step, lr, beta1, beta2, eps, weight_decay, decoupled, largest=None
):
    size, root = lr / (1 - beta1**step), math.sqrt(1 - beta2**step)
    for p, g, m, v, *top in blocks(param, grad, exp_avg, exp_avg_sq, *([] if largest is None else [largest])):
        t, u = scratch(p)
        if weight_decay and decoupled:
            p *= 1 - lr * weight_decay
        elif weight_decay:
            g = np.add(g, np.multiply(p, weight_decay, out=t), out=t)
        m += np.multiply(np.subtract(g, m, out=t), 1 - beta1, out=t)
        v *= beta2
        v += np.multiply(np.multiply(g, g, out=t), 1 - beta2, out=t)
        if top:
            v = np.maximum(top[0], v, out=top[0])
        np.divide(np.sqrt(v, out=t), root, out=t)
        t += eps
        np.divide(m, t, out=t)
        p -= np.multiply(t, size, out=t)


# Adam.step_one


@wrong("Adam.step_one", says="and the corrections use the number of this step")
def betas_swapped(self, param, grad, state, group):
    names = ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"] if group["amsgrad"] else ["exp_avg", "exp_avg_sq"]
    m, v, *largest = remembered(state, param, names)
    numbers = [state["step"].item(), float(group["lr"]), *map(float, group["betas"][::-1]), group["eps"]]
    decay = [group["weight_decay"], group["decoupled_weight_decay"]]
    self.update(param, grad, m, v, *numbers, *decay, *largest)


@wrong("Adam.step_one", says="eps comes from the group")
def forgets_eps(self, param, grad, state, group):
    names = ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"] if group["amsgrad"] else ["exp_avg", "exp_avg_sq"]
    m, v, *largest = remembered(state, param, names)
    numbers = [state["step"].item(), float(group["lr"]), *map(float, group["betas"]), 1e-8]
    decay = [group["weight_decay"], group["decoupled_weight_decay"]]
    self.update(param, grad, m, v, *numbers, *decay, *largest)


@wrong("Adam.step_one", says="weight_decay comes from the group")
def forgets_adams_decay(self, param, grad, state, group):
    names = ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"] if group["amsgrad"] else ["exp_avg", "exp_avg_sq"]
    m, v, *largest = remembered(state, param, names)
    numbers = [state["step"].item(), float(group["lr"]), *map(float, group["betas"]), group["eps"]]
    decay = [0, group["decoupled_weight_decay"]]
    self.update(param, grad, m, v, *numbers, *decay, *largest)


@wrong("Adam.step_one", says="says which kind of decay it is")
def never_decoupled(self, param, grad, state, group):
    names = ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"] if group["amsgrad"] else ["exp_avg", "exp_avg_sq"]
    m, v, *largest = remembered(state, param, names)
    numbers = [state["step"].item(), float(group["lr"]), *map(float, group["betas"]), group["eps"]]
    decay = [group["weight_decay"], False]
    self.update(param, grad, m, v, *numbers, *decay, *largest)


@wrong("Adam.step_one", says="the corrections use the number of this step")
def always_step_one(self, param, grad, state, group):
    names = ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"] if group["amsgrad"] else ["exp_avg", "exp_avg_sq"]
    m, v, *largest = remembered(state, param, names)
    numbers = [1.0, float(group["lr"]), *map(float, group["betas"]), group["eps"]]
    decay = [group["weight_decay"], group["decoupled_weight_decay"]]
    self.update(param, grad, m, v, *numbers, *decay, *largest)


@wrong("Adam.step_one", says="a third array only with amsgrad")
def always_three_arrays(self, param, grad, state, group):
    names = ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"]
    m, v, *largest = remembered(state, param, names)
    numbers = [state["step"].item(), float(group["lr"]), *map(float, group["betas"]), group["eps"]]
    decay = [group["weight_decay"], group["decoupled_weight_decay"]]
    self.update(param, grad, m, v, *numbers, *decay, *largest[: group["amsgrad"]])


@wrong("Adam.step_one", says="with amsgrad the state has a third array")
def never_the_largest(self, param, grad, state, group):
    names = ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"] if group["amsgrad"] else ["exp_avg", "exp_avg_sq"]
    m, v, *largest = remembered(state, param, names)
    numbers = [state["step"].item(), float(group["lr"]), *map(float, group["betas"]), group["eps"]]
    decay = [group["weight_decay"], group["decoupled_weight_decay"]]
    self.update(param, grad, m, v, *numbers, *decay)


@wrong("Adam.step_one", says="exp_avg is m, exp_avg_sq is v")
def moments_swapped(self, param, grad, state, group):
    names = ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"] if group["amsgrad"] else ["exp_avg", "exp_avg_sq"]
    v, m, *largest = remembered(state, param, names)
    numbers = [state["step"].item(), float(group["lr"]), *map(float, group["betas"]), group["eps"]]
    decay = [group["weight_decay"], group["decoupled_weight_decay"]]
    self.update(param, grad, m, v, *numbers, *decay, *largest)


@wrong("Adam.step_one", says="`state['step']` is a Tensor")
def step_as_a_tensor(self, param, grad, state, group):
    names = ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"] if group["amsgrad"] else ["exp_avg", "exp_avg_sq"]
    m, v, *largest = remembered(state, param, names)
    numbers = [state["step"], group["lr"], *group["betas"], group["eps"]]
    decay = [group["weight_decay"], group["decoupled_weight_decay"]]
    self.update(param, grad, m, v, *numbers, *decay, *largest)


@wrong("Adam.step_one", says="hand those over")
def hands_over_the_tensors(self, param, grad, state, group):
    names = ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"] if group["amsgrad"] else ["exp_avg", "exp_avg_sq"]
    remembered(state, param, names)
    m, v, *largest = [state[name] for name in names]
    numbers = [state["step"].item(), group["lr"], *group["betas"], group["eps"]]
    decay = [group["weight_decay"], group["decoupled_weight_decay"]]
    self.update(param, grad, m, v, *numbers, *decay, *largest)


# AdamW.__init__


@wrong("AdamW.__init__", says="AdamW is Adam with decoupled_weight_decay=True")
def plain_adam(
    self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False, *, maximize=False,
    foreach=None, capturable=False, differentiable=False, fused=None,
):  # fmt: skip
    super().__init__(params, **_settings(locals()))


@wrong("AdamW.__init__", says="must reach the group")
def only_what_matters(
    self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False, *, maximize=False,
    foreach=None, capturable=False, differentiable=False, fused=None,
):  # fmt: skip
    super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, decoupled_weight_decay=True)


@wrong("AdamW.__init__", says="AdamW decays by 0.01")
def adams_default_decay(
    self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False, *, maximize=False,
    foreach=None, capturable=False, differentiable=False, fused=None,
):  # fmt: skip
    settings = _settings(locals())
    if weight_decay == 1e-2:
        settings["weight_decay"] = 0
    super().__init__(params, **settings, decoupled_weight_decay=True)


@wrong("AdamW.__init__", says="Adam.__init__ refuses this")
def skips_adam(
    self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False, *, maximize=False,
    foreach=None, capturable=False, differentiable=False, fused=None,
):  # fmt: skip
    Optimizer.__init__(self, params, {**_settings(locals()), "decoupled_weight_decay": True})


@wrong("AdamW.__init__", says="AdamW is Adam with decoupled_weight_decay=True")
def switched_off(
    self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False, *, maximize=False,
    foreach=None, capturable=False, differentiable=False, fused=None,
):  # fmt: skip
    super().__init__(params, **_settings(locals()), decoupled_weight_decay=False)


# Optimizer.state_dict


@wrong("Optimizer.state_dict", says="the second group goes on where the first ended")
def numbers_each_group_anew(self):
    number: dict = {}
    for group in self.param_groups:
        for param in group["params"]:
            number.setdefault(param, len(number))
    groups = [{**g, "params": list(range(len(g["params"])))} for g in self.param_groups]
    _ = [{**group, "params": [number[param] for param in group["params"]]} for group in self.param_groups]
    for group in groups:
        group["params"] = group.pop("params")  # last, as PyTorch has it
    return {"state": {number.get(param, param): s for param, s in self.state.items()}, "param_groups": groups}


@wrong("Optimizer.state_dict", says="the states have the numbers of their parameters")
def tensors_as_keys(self):
    number: dict = {}
    for group in self.param_groups:
        for param in group["params"]:
            number.setdefault(param, len(number))
    groups = [{**group, "params": [number[param] for param in group["params"]]} for group in self.param_groups]
    for group in groups:
        group["params"] = group.pop("params")  # last, as PyTorch has it
    return {"state": {id(param): s for param, s in self.state.items()}, "param_groups": groups}


@wrong("Optimizer.state_dict", says="the states have the numbers of their parameters")
def renumbers_the_states(self):
    number: dict = {}
    for group in self.param_groups:
        for param in group["params"]:
            number.setdefault(param, len(number))
    groups = [{**group, "params": [number[param] for param in group["params"]]} for group in self.param_groups]
    for group in groups:
        group["params"] = group.pop("params")  # last, as PyTorch has it
    return {"state": dict(enumerate(self.state.values())), "param_groups": groups}


@wrong("Optimizer.state_dict", says="the optimizer itself must still hold")
def writes_into_the_groups(self):
    number: dict = {}
    for group in self.param_groups:
        for param in group["params"]:
            number.setdefault(param, len(number))
    groups = self.param_groups
    for group in groups:
        group["params"] = [number[param] for param in group.pop("params")]  # last, as PyTorch has it
    return {"state": {number.get(param, param): s for param, s in self.state.items()}, "param_groups": groups}


@wrong("Optimizer.state_dict", says="all settings")
def only_params_of_groups(self):
    number: dict = {}
    for group in self.param_groups:
        for param in group["params"]:
            number.setdefault(param, len(number))
    groups = [{"params": [number[param] for param in group["params"]]} for group in self.param_groups]
    for group in groups:
        group["params"] = group.pop("params")  # last, as PyTorch has it
    return {"state": {number.get(param, param): s for param, s in self.state.items()}, "param_groups": groups}


@wrong("Optimizer.state_dict", says="params last")
def params_first(self):
    number: dict = {}
    for group in self.param_groups:
        for param in group["params"]:
            number.setdefault(param, len(number))
    groups = [{**group, "params": [number[param] for param in group["params"]]} for group in self.param_groups]
    return {"state": {number.get(param, param): s for param, s in self.state.items()}, "param_groups": groups}


# Optimizer.load_state_dict


@wrong("Optimizer.load_state_dict", says="stored under the parameter of that number")
def keys_stay_numbers(self, state_dict):
    saved = copy.deepcopy(state_dict)
    _same_sizes(saved["param_groups"], self.param_groups)
    param_of: dict = {}
    for new, group in zip(saved["param_groups"], self.param_groups, strict=True):
        param_of.update(zip(new["params"], group["params"], strict=True))
        group.update({**new, "params": group["params"]})
    self.state = defaultdict(dict)
    for number, state in saved["state"].items():
        param = number
        for name, value in state.items():
            if isinstance(value, Tensor) and isinstance(param, Tensor) and name != "step":
                state[name] = value.to(param.dtype)
        self.state[param] = state


@wrong("Optimizer.load_state_dict", says="the parameters stay the tensors of this optimizer")
def takes_the_numbers_as_params(self, state_dict):
    saved = copy.deepcopy(state_dict)
    _same_sizes(saved["param_groups"], self.param_groups)
    param_of: dict = {}
    for new, group in zip(saved["param_groups"], self.param_groups, strict=True):
        param_of.update(zip(new["params"], group["params"], strict=True))
        group.update(new)
    self.state = defaultdict(dict)
    for number, state in saved["state"].items():
        param = param_of.get(number, number)
        for name, value in state.items():
            if isinstance(value, Tensor) and isinstance(param, Tensor) and name != "step":
                state[name] = value.to(param.dtype)
        self.state[param] = state


@wrong("Optimizer.load_state_dict", says="the saved settings replace those here")
def forgets_settings(self, state_dict):
    saved = copy.deepcopy(state_dict)
    _same_sizes(saved["param_groups"], self.param_groups)
    param_of: dict = {}
    for new, group in zip(saved["param_groups"], self.param_groups, strict=True):
        param_of.update(zip(new["params"], group["params"], strict=True))
    self.state = defaultdict(dict)
    for number, state in saved["state"].items():
        param = param_of.get(number, number)
        for name, value in state.items():
            if isinstance(value, Tensor) and isinstance(param, Tensor) and name != "step":
                state[name] = value.to(param.dtype)
        self.state[param] = state


@wrong("Optimizer.load_state_dict", says="copy what you load")
def shares_what_it_loads(self, state_dict):
    saved = state_dict
    _same_sizes(saved["param_groups"], self.param_groups)
    param_of: dict = {}
    for new, group in zip(saved["param_groups"], self.param_groups, strict=True):
        param_of.update(zip(new["params"], group["params"], strict=True))
        group.update({**new, "params": group["params"]})
    self.state = defaultdict(dict)
    for number, state in saved["state"].items():
        param = param_of.get(number, number)
        for name, value in state.items():
            if isinstance(value, Tensor) and isinstance(param, Tensor) and name != "step":
                state[name] = value.to(param.dtype)
        self.state[param] = state


@wrong("Optimizer.load_state_dict", says="the saved state replaces the old one whole")
def keeps_the_old_states(self, state_dict):
    saved = copy.deepcopy(state_dict)
    _same_sizes(saved["param_groups"], self.param_groups)
    param_of: dict = {}
    for new, group in zip(saved["param_groups"], self.param_groups, strict=True):
        param_of.update(zip(new["params"], group["params"], strict=True))
        group.update({**new, "params": group["params"]})
    for number, state in saved["state"].items():
        param = param_of.get(number, number)
        for name, value in state.items():
            if isinstance(value, Tensor) and isinstance(param, Tensor) and name != "step":
                state[name] = value.to(param.dtype)
        self.state[param] = state


@wrong("Optimizer.load_state_dict", says="the step count stays float32")
def converts_the_step_too(self, state_dict):
    saved = copy.deepcopy(state_dict)
    _same_sizes(saved["param_groups"], self.param_groups)
    param_of: dict = {}
    for new, group in zip(saved["param_groups"], self.param_groups, strict=True):
        param_of.update(zip(new["params"], group["params"], strict=True))
        group.update({**new, "params": group["params"]})
    self.state = defaultdict(dict)
    for number, state in saved["state"].items():
        param = param_of.get(number, number)
        for name, value in state.items():
            if isinstance(value, Tensor) and isinstance(param, Tensor):
                state[name] = value.to(param.dtype)
        self.state[param] = state


@wrong("Optimizer.load_state_dict", says="moments take the dtype of their parameter")
def converts_nothing(self, state_dict):
    saved = copy.deepcopy(state_dict)
    _same_sizes(saved["param_groups"], self.param_groups)
    param_of: dict = {}
    for new, group in zip(saved["param_groups"], self.param_groups, strict=True):
        param_of.update(zip(new["params"], group["params"], strict=True))
        group.update({**new, "params": group["params"]})
    self.state = defaultdict(dict)
    for number, state in saved["state"].items():
        param = param_of.get(number, number)
        for name, value in state.items():
            if isinstance(value, Tensor) and isinstance(param, Tensor) and name != "step":
                pass
        self.state[param] = state


@wrong("Optimizer.load_state_dict", says="cannot be paired with them")
def checks_no_sizes(self, state_dict):
    saved = copy.deepcopy(state_dict)
    param_of: dict = {}
    for new, group in zip(saved["param_groups"], self.param_groups, strict=False):
        param_of.update(zip(new["params"], group["params"], strict=False))
        group.update({**new, "params": group["params"]})
    self.state = defaultdict(dict)
    for number, state in saved["state"].items():
        param = param_of.get(number, number)
        for name, value in state.items():
            if isinstance(value, Tensor) and isinstance(param, Tensor) and name != "step":
                state[name] = value.to(param.dtype)
        self.state[param] = state


@wrong("Optimizer.load_state_dict", says="stored under the parameter of that number")
def pairs_by_position_of_state(self, state_dict):
    saved = copy.deepcopy(state_dict)
    _same_sizes(saved["param_groups"], self.param_groups)
    param_of: dict = {}
    for new, group in zip(saved["param_groups"], self.param_groups, strict=True):
        param_of.update(zip(new["params"], group["params"], strict=True))
        group.update({**new, "params": group["params"]})
    self.state = defaultdict(dict)
    params = [param for group in self.param_groups for param in group["params"]]
    for param, state in zip(params, saved["state"].values()):
        for name, value in state.items():
            if isinstance(value, Tensor) and isinstance(param, Tensor) and name != "step":
                state[name] = value.to(param.dtype)
        self.state[param] = state


# LRScheduler.step


@wrong("LRScheduler.step", says="get_lr is asked while last_epoch is still -1")
def asks_before_counting(self, epoch=None):
    for group, lr in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
        group["lr"] = lr
    self.last_epoch += 1
    self._step_count += 1
    self._last_lr = [group["lr"] for group in self.optimizer.param_groups]


@wrong("LRScheduler.step", says="every group gets the rate of the first")
def first_rate_for_all(self, epoch=None):
    if epoch is None:
        self.last_epoch += 1
    else:
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = base
        self.last_epoch = 0
    self._step_count += 1
    for group, lr in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
        group["lr"] = self.get_lr()[0]
    self._last_lr = [group["lr"] for group in self.optimizer.param_groups]
    for _ in range(epoch or 0):
        self.step()


@wrong("LRScheduler.step", says="_step_count")
def forgets_to_count(self, epoch=None):
    if epoch is None:
        self.last_epoch += 1
    else:
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = base
        self.last_epoch = 0
    for group, lr in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
        group["lr"] = lr
    self._last_lr = [group["lr"] for group in self.optimizer.param_groups]
    for _ in range(epoch or 0):
        self.step()


@wrong("LRScheduler.step", says="note the rates after setting them")
def notes_before_setting(self, epoch=None):
    if epoch is None:
        self.last_epoch += 1
    else:
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = base
        self.last_epoch = 0
    self._step_count += 1
    self._last_lr = [group["lr"] for group in self.optimizer.param_groups]
    for group, lr in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
        group["lr"] = lr
    for _ in range(epoch or 0):
        self.step()


@wrong("LRScheduler.step", says="begins anew and goes to t = 1")
def jumps_without_steps(self, epoch=None):
    if epoch is None:
        self.last_epoch += 1
    else:
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = base
        self.last_epoch = 0
        epoch = 0
    self._step_count += 1
    for group, lr in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
        group["lr"] = lr
    self._last_lr = [group["lr"] for group in self.optimizer.param_groups]
    for _ in range(epoch or 0):
        self.step()


@wrong("LRScheduler.step", says="puts the rates back to where they began")
def begins_with_the_old_rate(self, epoch=None):
    if epoch is None:
        self.last_epoch += 1
    else:
        self.last_epoch = 0
    self._step_count += 1
    for group, lr in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
        group["lr"] = lr
    self._last_lr = [group["lr"] for group in self.optimizer.param_groups]
    for _ in range(epoch or 0):
        self.step()


@wrong("LRScheduler.step", says="the rates do not reach the groups: they belong in each group's 'lr'")
def sets_the_defaults(self, epoch=None):
    if epoch is None:
        self.last_epoch += 1
    else:
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = base
        self.last_epoch = 0
    self._step_count += 1
    for group, lr in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
        self.optimizer.defaults["lr"] = lr
    self._last_lr = [group["lr"] for group in self.optimizer.param_groups]
    for _ in range(epoch or 0):
        self.step()


# LambdaLR.get_lr


@wrong("LambdaLR.get_lr", says="the rate of now is multiplied, so that the factors pile up")
def lambda_piles_up(self):
    return [group["lr"] * f(self.last_epoch) for f, group in zip(self.lr_lambdas, self.optimizer.param_groups)]


@wrong("LambdaLR.get_lr", says="lr_lambda is given t + 1")
def lambda_counts_from_one(self):
    return [base * f(self.last_epoch + 1) for f, base in zip(self.lr_lambdas, self.base_lrs, strict=True)]


@wrong("LambdaLR.get_lr", says="the factor itself is the rate: times self.base_lrs is missing")
def factor_is_the_rate(self):
    return [f(self.last_epoch) for f, base in zip(self.lr_lambdas, self.base_lrs, strict=True)]


@wrong("LambdaLR.get_lr", says="one function for each group")
def first_lambda_for_all(self):
    return [base * self.lr_lambdas[0](self.last_epoch) for f, base in zip(self.lr_lambdas, self.base_lrs, strict=True)]


@wrong("LambdaLR.get_lr", says="did you forget `return`")
def lambda_without_return(self):
    [base * f(self.last_epoch) for f, base in zip(self.lr_lambdas, self.base_lrs, strict=True)]


@wrong("LambdaLR.get_lr", says="one function for each group")
def rate_of_the_first_group(self):
    return [self.base_lrs[0] * f(self.last_epoch) for f, base in zip(self.lr_lambdas, self.base_lrs, strict=True)]


# StepLR.get_lr


@wrong("StepLR.get_lr", says="t = 0 counts as a multiple of step_size")
def step_at_zero_too(self):
    return self._scaled(self.gamma if self.last_epoch % self.step_size == 0 else 1)


@wrong("StepLR.get_lr", says="the rate changes one step late, at t = 4, 7")
def one_step_late(self):
    return self._scaled(
        self.gamma if self.last_epoch > 0 and (self.last_epoch - 1) % self.step_size == 0 and self.last_epoch > 1 else 1
    )


@wrong("StepLR.get_lr", says="every step from t = 3 on multiplies")
def gamma_at_every_step(self):
    return self._scaled(self.gamma if self.last_epoch >= self.step_size else 1)


@wrong("StepLR.get_lr", says="the rate changes only once")
def only_once(self):
    return self._scaled(self.gamma if self.last_epoch == self.step_size else 1)


@wrong("StepLR.get_lr", says="the rate as it is now is multiplied")
def formula_from_the_base(self):
    return [base * self.gamma ** (self.last_epoch // self.step_size) for base in self.base_lrs]


@wrong("StepLR.get_lr", says="times gamma at t = 3, 6")
def subtracts_gamma(self):
    return self._scaled(1 - self.gamma / 4 if self.last_epoch > 0 and self.last_epoch % self.step_size == 0 else 1)


# LinearLR.get_lr


@wrong("LinearLR.get_lr", says="the rate of now, which holds factor(t - 1), is multiplied by factor(t)")
def factor_piles_up(self):
    t, start, rise = self.last_epoch, self.start_factor, self.end_factor - self.start_factor
    if t == 0:
        return self._scaled(start)
    if self._begins or t > self.total_iters:
        return self._scaled(1)
    return self._scaled(start + rise * t / self.total_iters)


@wrong("LinearLR.get_lr", says="t = 0 leaves the rate as it is, instead of multiplying by start_factor")
def starts_at_the_full_rate(self):
    t, start, rise = self.last_epoch, self.start_factor, self.end_factor - self.start_factor
    if t == 0:
        return self._scaled(1)
    if self._begins or t > self.total_iters:
        return self._scaled(1)
    return self._scaled(1 + rise / (self.total_iters * start + (t - 1) * rise))


@wrong("LinearLR.get_lr", says="the rise goes on after total_iters")
def rises_for_ever(self):
    t, start, rise = self.last_epoch, self.start_factor, self.end_factor - self.start_factor
    if t == 0:
        return self._scaled(start)
    if self._begins:
        return self._scaled(1)
    return self._scaled(1 + rise / (self.total_iters * start + (t - 1) * rise))


@wrong("LinearLR.get_lr", says="the rise stops one step early, before t = total_iters")
def stops_one_step_early(self):
    t, start, rise = self.last_epoch, self.start_factor, self.end_factor - self.start_factor
    if t == 0:
        return self._scaled(start)
    if self._begins or t >= self.total_iters:
        return self._scaled(1)
    return self._scaled(1 + rise / (self.total_iters * start + (t - 1) * rise))


@wrong("LinearLR.get_lr", says="end_factor is where the line ends")
def always_ends_at_one(self):
    t, start, rise = self.last_epoch, self.start_factor, 1.0 - self.start_factor
    if t == 0:
        return self._scaled(start)
    if self._begins or t > self.total_iters:
        return self._scaled(1)
    return self._scaled(1 + rise / (self.total_iters * start + (t - 1) * rise))


@wrong("LinearLR.get_lr", says="factor(t) / factor(t - 1) would be 0 / 0")
def quotient_of_nothing(self):
    def factor(t):
        return self.start_factor + (self.end_factor - self.start_factor) * min(t, self.total_iters) / self.total_iters

    if self.last_epoch == 0:
        return self._scaled(self.start_factor)
    return self._scaled(1 if self._begins else factor(self.last_epoch) / factor(self.last_epoch - 1))


@wrong("LinearLR.get_lr", says="so that another schedule's factor is kept")
def linear_from_the_base(self):
    t = min(self.last_epoch, self.total_iters)
    factor = self.start_factor + (self.end_factor - self.start_factor) * t / self.total_iters
    return [base * factor for base in self.base_lrs]


@wrong("LinearLR.get_lr", says="finds the rate where it was")
def warms_up_again(self):
    t, start, rise = self.last_epoch, self.start_factor, self.end_factor - self.start_factor
    if t == 0:
        return self._scaled(start)
    if t > self.total_iters:
        return self._scaled(1)
    return self._scaled(1 + rise / (self.total_iters * start + (t - 1) * rise))


# CosineAnnealingLR.get_lr


@wrong("CosineAnnealingLR.get_lr", says="the angle is pi t / (2 T_max): the rate comes down half as far")
def half_the_cosine(self):
    t, low, groups = self.last_epoch, self.eta_min, self.optimizer.param_groups
    if self._begins:
        return self._scaled(1)
    now, before = (1 + math.cos(math.pi * t / 2 / self.T_max)), (1 + math.cos(math.pi * (t - 1) / 2 / self.T_max))
    if (t - 1 - self.T_max) % (2 * self.T_max) == 0:  # before is 0
        return [g["lr"] + (b - low) * now / 2 for g, b in zip(groups, self.base_lrs, strict=True)]
    return [now / before * (group["lr"] - low) + low for group in groups]


@wrong("CosineAnnealingLR.get_lr", says="eta_min is the lowest point")
def forgets_eta_min(self):
    t, low, groups = self.last_epoch, self.eta_min, self.optimizer.param_groups
    if self._begins:
        return self._scaled(1)
    now, before = (1 + math.cos(math.pi * t / self.T_max)), (1 + math.cos(math.pi * (t - 1) / self.T_max))
    if (t - 1 - self.T_max) % (2 * self.T_max) == 0:  # before is 0
        return [g["lr"] + (b - low) * now / 2 for g, b in zip(groups, self.base_lrs, strict=True)]
    return [now / before * group["lr"] for group in groups]


@wrong("CosineAnnealingLR.get_lr", says="the angle is in degrees: math.cos wants pi, not 180")
def degrees(self):
    t, low, groups = self.last_epoch, self.eta_min, self.optimizer.param_groups
    if self._begins:
        return self._scaled(1)
    now, before = (1 + math.cos(180 * t / self.T_max)), (1 + math.cos(180 * (t - 1) / self.T_max))
    if (t - 1 - self.T_max) % (2 * self.T_max) == 0:  # before is 0
        return [g["lr"] + (b - low) * now / 2 for g, b in zip(groups, self.base_lrs, strict=True)]
    return [now / before * (group["lr"] - low) + low for group in groups]


@wrong("CosineAnnealingLR.get_lr", says="the quotient is x / 0")
def divides_by_zero(self):
    t, low, groups = self.last_epoch, self.eta_min, self.optimizer.param_groups
    if self._begins:
        return self._scaled(1)
    now, before = (1 + math.cos(math.pi * t / self.T_max)), (1 + round(math.cos(math.pi * (t - 1) / self.T_max), 12))
    return [now / before * (group["lr"] - low) + low for group in groups]


@wrong("CosineAnnealingLR.get_lr", says="after T_max the cosine rises again")
def stays_at_the_bottom(self):
    t, low, groups = self.last_epoch, self.eta_min, self.optimizer.param_groups
    if self._begins:
        return self._scaled(1)
    if t > self.T_max:
        return self._scaled(1)
    now, before = (1 + math.cos(math.pi * t / self.T_max)), (1 + math.cos(math.pi * (t - 1) / self.T_max))
    if (t - 1 - self.T_max) % (2 * self.T_max) == 0:  # before is 0
        return [g["lr"] + (b - low) * now / 2 for g, b in zip(groups, self.base_lrs, strict=True)]
    return [now / before * (group["lr"] - low) + low for group in groups]


@wrong("CosineAnnealingLR.get_lr", says="so that another schedule's factor is kept")
def cosine_from_the_base(self):
    t, low = self.last_epoch, self.eta_min
    return [low + (base - low) * (1 + math.cos(math.pi * t / self.T_max)) / 2 for base in self.base_lrs]


@wrong("CosineAnnealingLR.get_lr", says="t = 0 is multiplied too: there the rate stays as it is")
def jumps_at_zero(self):
    t, low, groups = self.last_epoch, self.eta_min, self.optimizer.param_groups
    if False:
        return self._scaled(1)
    now, before = (1 + math.cos(math.pi * t / self.T_max)), (1 + math.cos(math.pi * (t - 1) / self.T_max))
    if (t - 1 - self.T_max) % (2 * self.T_max) == 0:  # before is 0
        return [g["lr"] + (b - low) * now / 2 for g, b in zip(groups, self.base_lrs, strict=True)]
    return [now / before * (group["lr"] - low) + low for group in groups]


@wrong("CosineAnnealingLR.get_lr", says="each group from its own rate")
def first_groups_rate(self):
    t, low, groups = self.last_epoch, self.eta_min, self.optimizer.param_groups
    if self._begins:
        return self._scaled(1)
    now, before = (1 + math.cos(math.pi * t / self.T_max)), (1 + math.cos(math.pi * (t - 1) / self.T_max))
    if (t - 1 - self.T_max) % (2 * self.T_max) == 0:  # before is 0
        return [g["lr"] + (b - low) * now / 2 for g, b in zip(groups, self.base_lrs, strict=True)]
    return [now / before * (groups[0]["lr"] - low) + low for group in groups]

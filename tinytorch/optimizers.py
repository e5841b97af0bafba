"""Module 07, Optimizers: what turns gradients into better parameters, and what each method remembers."""

import copy
import math
import warnings
from collections import defaultdict

import numpy as np

from .autograd import enable_grad
from .tensor import Tensor

BLOCK = 16384  # elements worked on at a time: the few arrays that an update reads and writes then stay in the cache


def blocks(*arrays):
    """Yield the arrays, of one shape, cut into flat pieces of BLOCK elements; whole where they are small.

    Arrays that are not contiguous cannot be cut without a copy and come whole.
    """
    size = arrays[0].size
    if size <= BLOCK or not all(array.flags.c_contiguous for array in arrays):
        yield arrays
        return
    flat = [array.reshape(-1) for array in arrays]
    for start in range(0, size, BLOCK):
        yield [array[start : start + BLOCK] for array in flat]


_SCRATCH: dict = {}  # dtype -> array of two rows, kept so that a step allocates nothing


def scratch(like):
    """Return two arrays of a block's shape and dtype for intermediate results; their contents are arbitrary."""
    rows = _SCRATCH.get(like.dtype)
    if rows is None or rows.shape[1] < like.size:
        rows = _SCRATCH[like.dtype] = np.empty((2, max(BLOCK, like.size)), like.dtype)
    return rows[0, : like.size].reshape(like.shape), rows[1, : like.size].reshape(like.shape)


def remembered(state, param, names):
    """Count one step more in state, and return the arrays that it keeps under names, zeros like param at first.

    state: a dict, {} at the first step. state["step"] is a float32 Tensor without dimensions, as in PyTorch; each
    name leads to a Tensor, whose array is what is returned, to be changed in place.
    """
    if not state:
        state["step"] = Tensor(np.zeros((), np.float32))
        state.update((name, Tensor(np.zeros_like(param))) for name in names)
    state["step"].array += 1
    return [state[name].array for name in names]


def named_tensors(params):
    """Return the names and the tensors of params: one tensor, several, or pairs (name, tensor). No names: [].

    Raises TypeError for a set and for what is not a tensor, ValueError for a tensor that is no leaf.
    """
    if isinstance(params, set):
        raise TypeError(
            "optimizer parameters need to be organized in ordered collections, but the ordering of tensors "
            "in sets will change between runs. Please use a list instead."
        )
    params = [params] if isinstance(params, Tensor) else list(params)
    names = [pair[0] for pair in params if isinstance(pair, tuple)]
    params = [pair[1] if isinstance(pair, tuple) else pair for pair in params]
    for param in params:
        if not isinstance(param, Tensor):
            raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {type(param).__name__}")
        if not param.is_leaf:
            raise ValueError("can't optimize a non-leaf Tensor")
    if len(set(params)) < len(params):
        warnings.warn("optimizer contains a parameter group with duplicate parameters", stacklevel=4)
    return names, params


def _same_sizes(saved, groups):
    """Raise ValueError unless the two lists of groups hold the same numbers of parameters."""
    if len(saved) != len(groups):
        raise ValueError("loaded state dict has a different number of parameter groups")
    if any(len(a["params"]) != len(b["params"]) for a, b in zip(saved, groups, strict=True)):
        problem = "that doesn't match the size of optimizer's group"
        raise ValueError(f"loaded state dict contains a parameter group {problem}")


def _not_negative(**values):
    for name, value in values.items():
        if not value >= 0:  # nan, too
            raise ValueError(f"Invalid {name.replace('__', ' ')}: {value}")


class Optimizer:
    """What all optimizers share: groups of parameters with their settings, and a state for each parameter.

    params: tensors, pairs (name, tensor), or dicts {"params": tensors, setting: value}; defaults: the settings
    of groups that do not name them. A subclass defines `step_one`, or `step` itself.
    """

    def __init__(self, params, defaults):
        if isinstance(params, Tensor):
            kind = "an iterable of Tensors or dicts, but got torch.FloatTensor"
            raise TypeError(f"params argument given to the optimizer should be {kind}")
        self.defaults = defaults
        self.state: dict = defaultdict(dict)
        self.param_groups: list = []
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def add_param_group(self, param_group):
        """Add a new dict with the "params" and settings of this one; the defaults fill in what it lacks.

        param_group itself stays as it is (PyTorch fills it in and keeps it).
        Raises TypeError for what is not a tensor, ValueError for one that is no leaf or in a group already.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        names, params = named_tensors(param_group["params"])
        taken = {param for group in self.param_groups for param in group["params"]}
        if taken & set(params):
            raise ValueError("some parameters appear in more than one parameter group")
        named = {"param_names": names} if names else {}
        self.param_groups.append({**self.defaults, **param_group, "params": params, **named})

    def zero_grad(self, set_to_none=True):
        """Drop the gradients of all parameters, or fill them with zeros."""
        for group in self.param_groups:
            for param in group["params"]:
                if set_to_none:
                    param.grad = None
                elif param.grad is not None:
                    param.grad.array[...] = 0

    def step(self, closure=None):
        """Change every parameter that has a gradient, and return what closure, called first, returns."""
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
                param.bump_version()
        return loss

    def step_one(self, param, grad, state, group):
        """Change the array param in place, given its gradient, its state (a dict, {} at first) and settings."""
        raise NotImplementedError

    def state_dict(self):
        """Return {"state": {number: state}, "param_groups": [settings]}; numbers stand for the parameters."""
        number: dict = {}
        for group in self.param_groups:
            for param in group["params"]:
                number.setdefault(param, len(number))
        groups = [{**group, "params": [number[param] for param in group["params"]]} for group in self.param_groups]
        for group in groups:
            group["params"] = group.pop("params")  # last, as PyTorch has it
        return {"state": {number.get(param, param): s for param, s in self.state.items()}, "param_groups": groups}

    def load_state_dict(self, state_dict):
        """Take over a copy of the state and settings in state_dict, parameter by parameter in order.

        Raises ValueError when the groups have other sizes.
        """
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
                    state[name] = value.to(param.dtype)
            self.state[param] = state

    def __repr__(self):
        text = f"{type(self).__name__} ("
        for i, group in enumerate(self.param_groups):
            text += f"\nParameter Group {i}\n"
            text += "".join(f"    {key}: {group[key]}\n" for key in sorted(group) if key != "params")
        return text + ")"


class SGD(Optimizer):
    """Stochastic gradient descent: b = momentum b + (1 - dampening) g, p -= lr b; nesterov: p -= lr (g + momentum b).

    g is the gradient plus weight_decay p. The first b is g itself. Momentum keeps one array per parameter.
    foreach, differentiable and fused are accepted and ignored.
    """

    def __init__(
        self, params, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False, *,
        maximize=False, foreach=None, differentiable=False, fused=None,
    ):  # fmt: skip
        _not_negative(learning__rate=lr, momentum__value=momentum, weight_decay__value=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        super().__init__(params, _settings(locals()))

    @staticmethod
    def direction(grad, buffer, first, momentum, dampening=0, nesterov=False, out=None):
        """Bring the array buffer, b, up to date in place, and return the direction of the step, which is b.

        b = momentum b + (1 - dampening) grad; if first, b = grad. nesterov: the direction is grad + momentum b,
        in `out` if it was given, otherwise in a new array. out may take intermediate results. grad stays as it is.
        """
        if first:
            buffer[...] = grad
        else:
            buffer *= momentum
            buffer += grad if dampening == 0 else np.multiply(grad, 1 - dampening, out=out)
        return np.add(grad, np.multiply(buffer, momentum, out=out), out=out) if nesterov else buffer

    def step_one(self, param, grad, state, group):
        """Change param in place; with momentum, state["momentum_buffer"] is b."""
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
            p -= np.multiply(g, lr, out=t)


def _settings(arguments):
    """Return the settings among the arguments of an `__init__`, in their order."""
    return {key: value for key, value in arguments.items() if key not in ("self", "params", "wrong", "__class__")}


class Adam(Optimizer):
    """Adam: steps of size lr m / (sqrt(v) + eps), m and v running means of g and g², corrected for their start at 0.

    Kingma and Ba 2015, arXiv:1412.6980, algorithm 1. weight_decay p is added to the gradient or, if
    decoupled_weight_decay, p shrinks by lr weight_decay first. amsgrad divides by the largest v so far.
    Keeps two arrays per parameter. foreach, capturable, differentiable and fused are accepted and ignored.
    """

    def __init__(
        self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, amsgrad=False, *, foreach=None,
        maximize=False, capturable=False, differentiable=False, fused=None, decoupled_weight_decay=False,
    ):  # fmt: skip
        _not_negative(learning__rate=lr, epsilon__value=eps, weight_decay__value=weight_decay)
        if wrong := [f"{i}: {beta}" for i, beta in enumerate(betas) if not 0 <= beta < 1]:
            raise ValueError(f"Invalid beta parameter at index {wrong[0]}")
        super().__init__(params, _settings(locals()))

    def step_one(self, param, grad, state, group):
        """Change param in place; state has "step", "exp_avg" (m), "exp_avg_sq" (v) and with amsgrad the largest v.

        The arrays come from `remembered`; `update` gets plain numbers, the step as state["step"].item().
        """
        names = ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"] if group["amsgrad"] else ["exp_avg", "exp_avg_sq"]
        m, v, *largest = remembered(state, param, names)
        numbers = [state["step"].item(), float(group["lr"]), *map(float, group["betas"]), group["eps"]]
        decay = [group["weight_decay"], group["decoupled_weight_decay"]]
        self.update(param, grad, m, v, *numbers, *decay, *largest)

    @staticmethod
    def update(param, grad, exp_avg, exp_avg_sq, step, lr, beta1, beta2, eps, weight_decay, decoupled, largest=None):
        """Do one step on arrays, in place (module 17 puts a faster one here). step counts from 1.

        m += (1 - beta1) (g - m), v = beta2 v + (1 - beta2) g², then
        p -= lr / (1 - beta1^step) m / (sqrt(v) / sqrt(1 - beta2^step) + eps). largest: amsgrad's, in place of v.
        """
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


class AdamW(Adam):
    """Adam with decoupled weight decay: p shrinks by lr weight_decay, apart from the gradient.

    Loshchilov and Hutter 2019, arXiv:1711.05101.
    """

    def __init__(
        self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False, *, maximize=False,
        foreach=None, capturable=False, differentiable=False, fused=None,
    ):  # fmt: skip
        super().__init__(params, **_settings(locals()), decoupled_weight_decay=True)


class RMSprop(Optimizer):
    """RMSprop: p -= lr g / (sqrt(v) + eps), v a running mean of g²; centered: of (g - its mean)².

    Tieleman and Hinton 2012, lecture 6e. With momentum, b = momentum b + g / (sqrt(v) + eps) and p -= lr b.
    """

    def __init__(
        self, params, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0, momentum=0, centered=False,
        capturable=False, foreach=None, maximize=False, differentiable=False,
    ):  # fmt: skip
        _not_negative(learning__rate=lr, epsilon__value=eps, momentum__value=momentum)
        _not_negative(weight_decay__value=weight_decay, alpha__value=alpha)
        super().__init__(params, _settings(locals()))

    def step_one(self, param, grad, state, group):
        """Change param in place; state has "step", "square_avg" (v) and what momentum and centered need."""
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
            np.divide(g, t, out=t)
            if momentum > 0:
                rest[0] *= momentum
                rest[0] += t
                t[...] = rest[0]
            p -= np.multiply(t, lr, out=t)

"""Module 03, Layers: a Module that finds its own parameters, and the layers and containers made with it."""

import math
from collections import OrderedDict

import numpy as np

from ._dtype import as_dtype, float32
from ._module_base import TABLES, WANTED, Hooks, IncompatibleKeys, Keyed, ModuleBase, Numbered, misfit
from ._tensor_base import wrap_dim
from .creation import default_generator
from .tensor import Function, MatMul, Tensor


class Parameter(Tensor):
    """A tensor that a Module registers as its own when it is assigned to an attribute.

    >>> tt.nn.Parameter(tt.zeros(2))
    Parameter containing:
    tensor([0., 0.], requires_grad=True)
    """

    def __init__(self, data=None, requires_grad=True):
        """Share the memory of data, a tensor (none: an empty one)."""
        super().__init__(np.empty(0, np.float32) if data is None else data, requires_grad=requires_grad)

    def __repr__(self):
        return f"Parameter containing:\n{super().__repr__()}"


class Module(ModuleBase):
    """A part of a model: subclass it, call `super().__init__()`, assign parts to attributes, define `forward`.

    Parameters, buffers (`register_buffer`) and modules that are attributes are found by name, to any depth.
    """

    def __init__(self):
        """Make empty tables of this module's own: dicts _parameters, _buffers, _modules, and a set of names.

        The set, _non_persistent_buffers_set, holds the buffers that are not saved. training is True;
        _forward_hooks and _forward_pre_hooks are a Hooks() each.
        """
        vars(self).update(training=True, _parameters={}, _buffers={}, _modules={}, _non_persistent_buffers_set=set())
        vars(self).update(_forward_hooks=Hooks(), _forward_pre_hooks=Hooks())

    def __setattr__(self, name, value):
        """Put a Parameter into the dict self._parameters, a Module into self._modules, under its name.

        The name then means nothing else. A name that one of the TABLES has takes None too, and a name in
        self._buffers any tensor; another value raises TypeError. All else becomes an ordinary attribute.
        Raises AttributeError for a Parameter or Module before `super().__init__()`.
        """
        own = vars(self)
        known = next((table for table in TABLES if name in own.get(table, ())), None)
        if isinstance(value, (Parameter, Module)):
            table = "_parameters" if isinstance(value, Parameter) else "_modules"
            if table not in own:
                what = "parameters" if table == "_parameters" else "module"
                raise AttributeError(f"cannot assign {what} before Module.__init__() call")
            for other in (own, *(own[key] for key in TABLES if key != table)):
                other.pop(name, None)
            self._non_persistent_buffers_set.discard(name)
            own[table][name] = value
        elif known is None:
            object.__setattr__(self, name, value)
        elif value is None or (known == "_buffers" and isinstance(value, Tensor)):
            own[known][name] = value
        else:
            what = f"'{type(value).__name__}' as {TABLES[known]} '{name}' ({WANTED[known]} or None expected)"
            raise TypeError(f"cannot assign {what}")

    def __getattr__(self, name):
        """Return the parameter, buffer or module registered as name. Raises AttributeError if there is none.

        Python calls this only for a name that is no ordinary attribute.
        """
        for table in TABLES:
            if name in vars(self).get(table, ()):
                return vars(self)[table][name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'", name=name, obj=self)

    def register_parameter(self, name, param):
        """Add a Parameter (or None, for one that may come) under a name."""
        self._register("_parameters", Parameter, name, param)

    def named_modules(self, memo=None, prefix="", remove_duplicate=True):
        """Yield (name, module) for this module, named prefix, and all inside it, each module once.

        The name of a part is its owner's name, a dot and its own: "encoder.0.linear". memo is the set of modules
        that were yielded already (None: none yet); what is yielded is added to it. Without remove_duplicate a module
        comes once for each place it has, and nothing is added. A name that stands for None is left out.

        >>> net = tt.nn.Sequential(tt.nn.Flatten(), tt.nn.Sequential(tt.nn.Identity()))
        >>> [name for name, module in net.named_modules()]
        ['', '0', '1', '1.0']
        """
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def _named_members(self, table, prefix="", recurse=True, remove_duplicate=True):
        """Yield (name, tensor) from the table, such as "_buffers", of this module (recurse: and of all inside).

        Each tensor comes once, by its first name; without remove_duplicate once for each name. None is left out.
        """
        seen = set()
        modules = self.named_modules(None, prefix, remove_duplicate) if recurse else [(prefix, self)]
        for path, module in modules:
            for name, tensor in vars(module)[table].items():
                if tensor is None or id(tensor) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(tensor))
                yield f"{path}.{name}" if path else name, tensor

    def named_parameters(self, prefix="", recurse=True, remove_duplicate=True):
        """Yield (name, parameter); one that is used in two places comes once, by its first name.

        >>> [name for name, parameter in tt.nn.Sequential(tt.nn.Linear(3, 2)).named_parameters()]
        ['0.weight', '0.bias']
        """
        yield from self._named_members("_parameters", prefix, recurse, remove_duplicate)

    def named_buffers(self, prefix="", recurse=True, remove_duplicate=True):
        """Yield (name, buffer), each buffer once."""
        yield from self._named_members("_buffers", prefix, recurse, remove_duplicate)

    def train(self, mode=True):
        """Set `training`, here and in all modules inside, and return the module itself.

        Raises ValueError for a mode that is no bool.
        """
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        for module in self.modules():
            module.training = mode
        return self

    def state_dict(self, *, destination=None, prefix="", keep_vars=False):
        """Return a dict from prefix + name to tensor: parameters and persistent buffers, sharing their memory.

        The prefix comes as it is, without a dot of its own. Each module's parameters come before its buffers; a tensor
        with two names is in it twice. With keep_vars the parameters themselves are in it, not detached tensors. A
        given destination, an empty one too, is filled and returned.
        """
        destination = OrderedDict() if destination is None else destination
        for path, module in self.named_modules(remove_duplicate=False):
            for name, tensor in (*module._parameters.items(), *module._buffers.items()):
                if tensor is not None and name not in module._non_persistent_buffers_set:
                    key = prefix + (f"{path}.{name}" if path else name)
                    destination[key] = tensor if keep_vars else tensor.detach()
        return destination

    def load_state_dict(self, state_dict, strict=True, assign=False):
        """Copy a state dict's numbers into the parameters and buffers (assign: share its memory instead).

        Returns the named tuple (missing_keys, unexpected_keys). Raises RuntimeError that names the class and lists
        Missing and Unexpected names, if strict, and every `misfit`; then nothing was copied. Raises TypeError for a
        state_dict without `keys`.
        """
        if not hasattr(state_dict, "keys"):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        own, problems = Module.state_dict(self, keep_vars=True), []
        keys = IncompatibleKeys([k for k in own if k not in state_dict], [k for k in state_dict if k not in own])
        for what, names in zip(("Missing", "Unexpected"), keys if strict else (), strict=False):
            if names:
                problems.append(f"{what} key(s) in state_dict: " + ", ".join(f'"{name}"' for name in names) + ". ")
        found = {name: state_dict[name] for name in own if name in state_dict}
        problems += [text for name in found if (text := misfit(name, own[name], found[name]))]
        if problems:
            listed = "\n\t".join(problems)
            raise RuntimeError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{listed}")
        for name, value in found.items():
            if assign:
                own[name].array = value.array
            else:
                own[name].detach().copy_(value.detach())
        return keys


class Linear(Module):
    """y = x @ weight.T + bias, with weight (out_features, in_features): x (..., in_features) -> (..., out_features).

    Parameters start uniform within 1 / sqrt(in_features), which is `init.kaiming_uniform_(a=sqrt(5))`.

    >>> tt.nn.Linear(3, 2)(tt.zeros(5, 3)).shape
    torch.Size([5, 2])
    """

    def __init__(self, in_features, out_features, bias=True, device=None, dtype=None):
        """Keep both sizes as attributes, make weight and bias of this dtype (none: float32), and draw them.

        Without bias the parameter bias is None. device is ignored.
        """
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        kind = as_dtype(dtype or float32).numpy
        self.weight = Parameter(Tensor(np.empty((out_features, in_features), kind)))
        self.register_parameter("bias", Parameter(Tensor(np.empty(out_features, kind))) if bias else None)
        self.reset_parameters()

    def reset_parameters(self):
        """Draw weight and bias anew, into the memory they have; in_features 0 counts as 1."""
        bound = 1 / math.sqrt(max(self.in_features, 1))
        for parameter in self.parameters(recurse=False):
            parameter.array[...] = default_generator.rng.uniform(-bound, bound, parameter.shape)

    def forward(self, input):
        """Return input @ weight.T + bias."""
        return linear(input, self.weight, self.bias)

    def extra_repr(self):
        """Return "in_features=3, out_features=2, bias=True" with this layer's own values."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Affine(Function):
    """out = x @ w.T + b.  dL/dx = g @ w, dL/dw = g.T @ x and dL/db = g, the last two summed over the rows of x."""

    saves = "inputs"

    def forward(ctx, x, weight, bias=None):
        """Return x (..., in) @ weight (out, in) transposed + bias (out,), as one product of two matrices.

        Raises RuntimeError that names both dtypes, if they differ, or both sizes as they meet: "5x3 and 2x4".
        """
        rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1]) if x.ndim != 2 else x
        if x.dtype != weight.dtype:
            raise RuntimeError(f"mat1 and mat2 must have the same dtype, but got {x.dtype} and {weight.dtype}")
        if rows.shape[1] != weight.shape[1]:
            shapes = f"{rows.shape[0]}x{rows.shape[1]} and {weight.shape[1]}x{weight.shape[0]}"
            raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({shapes})")
        out = MatMul.multiply(rows, weight.T)
        if bias is not None:
            out += bias
        return out.reshape(*x.shape[:-1], len(weight))

    def backward(ctx, g):
        x, weight = ctx.inputs[:2]
        g2 = g.reshape(math.prod(g.shape[:-1]), g.shape[-1])
        gx = gw = gb = None
        if ctx.needs_input_grad[0]:
            gx = MatMul.multiply(g2, weight).reshape(x.shape)
        if ctx.needs_input_grad[1]:
            gw = MatMul.multiply(g2.T, x.reshape(len(g2), x.shape[-1]))
        if ctx.needs_input_grad[2]:
            gb = g2.sum(0)
        return gx, gw, gb


def linear(input, weight, bias=None):
    """Return input @ weight.T + bias: input (..., in), weight (out, in) or (in,), bias (out,).

    >>> tt.nn.functional.linear(tt.tensor([1.0, 2.0]), tt.tensor([[3.0, 4.0]]), tt.tensor([0.5]))
    tensor([11.5000])
    """
    if weight.ndim == 1:
        return input @ weight if bias is None else input @ weight + bias
    return Affine.apply(input, weight, bias)


class Drop(Function):
    """out = a * mask: each element is 0 with probability p, else a / (1 - p).  dL/da = g * mask."""

    def forward(ctx, a, p):
        """Draw the mask, keep it in ctx.mask, and return a * mask, whose mean is that of a."""
        keep = default_generator.rng.random(a.shape, np.float32) >= p
        ctx.mask = np.multiply(keep, 1 / (1 - p) if p < 1 else 0.0, dtype=a.dtype)
        return a * ctx.mask

    def backward(ctx, g):
        return g * ctx.mask


def dropout(input, p=0.5, training=True, inplace=False):
    """Zero each element with probability p and divide the others by 1 - p, if training; inplace: in the input itself.

    Srivastava et al. 2014, "Dropout", in the inverted form that leaves evaluation alone.
    Raises ValueError that names p unless 0 <= p <= 1.

    >>> tt.nn.functional.dropout(tt.ones(2), p=1.0), tt.nn.functional.dropout(tt.ones(2), training=False)
    (tensor([0., 0.]), tensor([1., 1.]))
    """
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    if not training or p == 0:
        return input
    return input._keep(Drop.apply(input._source(), p=p)) if inplace else Drop.apply(input, p=p)


class Dropout(Module):
    """Zero each element with probability p and divide the others by 1 - p, in training only.

    >>> tt.nn.Dropout(0.1).eval()(tt.ones(3))
    tensor([1., 1., 1.])
    """

    def __init__(self, p=0.5, inplace=False):
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p, self.inplace = p, inplace

    def forward(self, input):
        """Return input with the mask applied in training, input itself in evaluation."""
        return dropout(input, self.p, self.training, self.inplace)

    def extra_repr(self):
        return f"p={self.p}, inplace={self.inplace}"


class Identity(Module):
    """Return the input; takes and ignores any arguments."""

    def __init__(self, *args, **kwargs):
        super().__init__()

    def forward(self, input):
        """Return input."""
        return input


class Flatten(Module):
    """Join the dimensions start_dim to end_dim into one.

    >>> tt.nn.Flatten()(tt.zeros(2, 3, 5)).shape
    torch.Size([2, 15])
    """

    def __init__(self, start_dim=1, end_dim=-1):
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input):
        """Return input in the shape with the joined dimension. Raises RuntimeError when end_dim is before start."""
        start, end = wrap_dim(self.start_dim, input.ndim), wrap_dim(self.end_dim, input.ndim)
        if start > end:
            raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
        shape = input.shape
        return input.reshape(*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :])

    def extra_repr(self):
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Split dimension dim into several sizes, one of which may be -1.

    >>> tt.nn.Unflatten(1, (3, 5))(tt.zeros(2, 15)).shape
    torch.Size([2, 3, 5])
    """

    def __init__(self, dim, unflattened_size):
        super().__init__()
        self.dim, self.unflattened_size = dim, unflattened_size

    def forward(self, input):
        """Return input in the shape with the split dimension. Raises RuntimeError when it does not fit."""
        dim = wrap_dim(self.dim, input.ndim)
        return input.reshape(*input.shape[:dim], *self.unflattened_size, *input.shape[dim + 1 :])

    def extra_repr(self):
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


class Sequential(Numbered, Module):
    """Modules called one after the other: given in order, or as an OrderedDict from name to module.

    >>> tt.nn.Sequential(tt.nn.Linear(4, 3), tt.nn.Identity())[:1]
    Sequential(
      (0): Linear(in_features=4, out_features=3, bias=True)
    )
    """

    def __init__(self, *args):
        """Register the modules under the names "0", "1", ..., those of one OrderedDict under their own names."""
        super().__init__()
        named = args[0] if len(args) == 1 and isinstance(args[0], OrderedDict) else dict(enumerate(args))
        for name, module in named.items():
            self.add_module(str(name), module)

    def forward(self, input):
        """Return what the last module makes of what the one before it makes of ... input."""
        for module in self:
            input = module(input)
        return input

    def _of(self, named):
        """Return a Sequential of this class with the modules of the dict named: what a slice is."""
        return type(self)(OrderedDict(named))


class ModuleList(Numbered, Module):
    """A list of modules that registers them; it has no forward.

    >>> layers = tt.nn.ModuleList(tt.nn.Linear(2, 2) for _ in range(3))
    >>> len(layers), len(list(layers.parameters()))
    (3, 6)
    """

    def __init__(self, modules=None):
        """Register the modules of any iterable under "0", "1", ...; without an argument there are none."""
        super().__init__()
        self.extend(modules or ())

    def _of(self, named):
        """Return a ModuleList of this class with the modules of the dict named: what a slice is."""
        return type(self)(named.values())

    def _child_lines(self):
        """Return the lines of `repr`, one for each run of equal texts: "(0-2): 3 x Flatten()", "(3): Identity()".

        A list without modules has no lines.
        """
        lines, texts = [], [repr(module) for module in self]
        while texts:  # equal neighbours are shown once, with their number
            first = len(self) - len(texts)
            count = next((i for i, text in enumerate(texts) if text != texts[0]), len(texts))
            span = f"({first}-{first + count - 1}): {count} x " if count > 1 else f"({first}): "
            lines.append(span + texts[0])
            texts = texts[count:]
        return lines


class ModuleDict(Keyed, Module):
    """A dict of modules that registers them, also under attributes; it has no forward.

    >>> heads = tt.nn.ModuleDict({"a": tt.nn.Identity()})
    >>> heads["a"] is heads.a, list(heads.keys())
    (True, ['a'])
    """

    def __init__(self, modules=None):
        super().__init__()
        self.update(modules or {})

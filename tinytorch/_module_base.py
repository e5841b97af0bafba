"""The given part of Module: registering with checks, looking parts up, converting, hooks, printing."""

from typing import Any, NamedTuple

import numpy as np

from ._dtype import float16, float32, float64
from .graph import RemovableHandle
from .tensor import Tensor

TABLES = {"_parameters": "parameter", "_modules": "child module", "_buffers": "buffer"}  # and what is in them
WANTED = {"_parameters": "torch.nn.Parameter", "_modules": "torch.nn.Module", "_buffers": "torch.Tensor"}


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict` returns: names it did not find, names it did not need."""

    missing_keys: list
    unexpected_keys: list

    def __repr__(self):
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"_IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


class Hooks:
    """The hooks of one kind that a module has: pairs (function, whether it takes keyword arguments too)."""

    hooks: tuple = ()

    def add(self, hook, with_kwargs, prepend):
        """Put a hook last, or first, and return the handle that removes it."""
        entry = (hook, with_kwargs)
        self.hooks = (entry, *self.hooks) if prepend else (*self.hooks, entry)
        return RemovableHandle(self, entry)


class ModuleBase:
    """The given part of Module: what only reads the tables that `Module.__setattr__` fills."""

    train: Any
    named_modules: Any
    named_parameters: Any
    named_buffers: Any
    training = True
    _parameters: dict
    _buffers: dict
    _modules: dict
    _non_persistent_buffers_set: set
    _forward_hooks: Hooks
    _forward_pre_hooks: Hooks

    def forward(self, *args, **kwargs):
        """Compute the output: what a subclass defines."""
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    def __delattr__(self, name):
        for table in TABLES:
            if name in vars(self).get(table, ()):
                del vars(self)[table][name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self):
        return sorted({*super().__dir__(), *(name for table in TABLES for name in vars(self).get(table, ()))})

    def _register(self, table, kind, name, value):
        """Put value into a table after checks. Raises TypeError and KeyError as PyTorch does."""
        what = TABLES[table].split()[-1]
        if table not in vars(self):
            raise AttributeError(f"cannot assign {what} before Module.__init__() call")
        if not isinstance(name, str):
            raise TypeError(f"{what} name should be a string. Got {type(name).__name__}")
        if name == "" or "." in name:
            raise KeyError(f"{what} name can't " + ('be empty string ""' if name == "" else 'contain "."'))
        if name not in vars(self)[table] and hasattr(self, name):
            raise KeyError(f"attribute '{name}' already exists")
        if value is not None and not isinstance(value, kind):
            if kind is ModuleBase:
                raise TypeError(f"{type(value).__name__} is not a Module subclass")
            given = f"'{type(value).__name__}' object to {what} '{name}'"
            raise TypeError(f"cannot assign {given} ({WANTED[table].replace('torch.T', 'torch T')} or None required)")
        vars(self)[table][name] = value

    def register_buffer(self, name, tensor, persistent=True):
        """Add a tensor that is no parameter but belongs to the state; unless persistent, not to the state dict."""
        self._register("_buffers", Tensor, name, tensor)
        change = self._non_persistent_buffers_set.discard if persistent else self._non_persistent_buffers_set.add
        change(name)

    def add_module(self, name, module):
        """Add a module (or None) under a name."""
        self._register("_modules", ModuleBase, name, module)

    register_module = add_module

    def named_children(self):
        """Yield (name, module) for the modules directly inside, each once."""
        seen = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def parameters(self, recurse=True):
        """Yield the parameters, each once: what an optimizer is given."""
        yield from (tensor for _, tensor in self.named_parameters(recurse=recurse))

    def buffers(self, recurse=True):
        """Yield the buffers, each once."""
        yield from (tensor for _, tensor in self.named_buffers(recurse=recurse))

    def modules(self):
        """Yield this module and all inside it, each once."""
        yield from (module for _, module in self.named_modules())

    def children(self):
        """Yield the modules directly inside, each once."""
        yield from (module for _, module in self.named_children())

    def get_submodule(self, target):
        """Return the module of a dotted name, "" for this one. Raises AttributeError naming what is missing."""
        module = self
        for name in filter(None, target.split(".")):
            if not hasattr(module, name):
                raise AttributeError(f"{type(module).__name__} has no attribute `{name}`")
            module = getattr(module, name)
            if not isinstance(module, ModuleBase):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return module

    def _get_member(self, target, table, what):
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if not hasattr(module, name):
            raise AttributeError(f"{type(module).__name__} has no attribute `{name}`")
        if name not in vars(module)[table]:
            raise AttributeError(f"`{name}` is not {what}")
        return getattr(module, name)

    def get_parameter(self, target):
        """Return the parameter of a dotted name. Raises AttributeError naming what is missing."""
        return self._get_member(target, "_parameters", "an nn.Parameter")

    def get_buffer(self, target):
        """Return the buffer of a dotted name. Raises AttributeError naming what is missing."""
        return self._get_member(target, "_buffers", "a buffer")

    def eval(self):
        """Set `training` to False, here and in all modules inside: `train(False)`."""
        return self.train(False)

    def apply(self, fn):
        """Call fn(module) on all modules inside, then on this one, and return the module itself."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def requires_grad_(self, requires_grad=True):
        """Set requires_grad of all parameters and return the module itself."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none=True):
        """Drop the gradients of all parameters, or fill them with zeros."""
        for parameter in self.parameters():
            if set_to_none:
                parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad.array[...] = 0

    def to(self, *args, **kwargs):
        """Convert all floating-point parameters and buffers in place, by the arguments of `Tensor.to`."""
        if not Tensor(np.zeros(0, np.float32)).to(*args, **kwargs).is_floating_point():
            raise TypeError("nn.Module.to only accepts floating point or complex dtypes")
        for tensor in (*self.parameters(), *self.buffers()):
            for each in (tensor, tensor.grad):
                if each is not None and each.is_floating_point():
                    each.array = each.detach().to(*args, **kwargs).array
        return self

    def float(self):
        """Convert all floating-point parameters and buffers to float32."""
        return self.to("cpu", float32)

    def double(self):
        """Convert all floating-point parameters and buffers to float64."""
        return self.to("cpu", float64)

    def half(self):
        """Convert all floating-point parameters and buffers to float16."""
        return self.to("cpu", float16)

    def cpu(self):
        """Return the module itself: it is on the CPU."""
        return self

    def register_forward_pre_hook(self, hook, *, prepend=False, with_kwargs=False):
        """Call hook(module, args) before each forward; a value it returns replaces args. Returns a handle.

        With with_kwargs it is hook(module, args, kwargs), which returns both or None.
        """
        return self._forward_pre_hooks.add(hook, with_kwargs, prepend)

    def register_forward_hook(self, hook, *, prepend=False, with_kwargs=False):
        """Call hook(module, args, output) after each forward; a value it returns replaces output.

        With with_kwargs it is hook(module, args, kwargs, output). Returns a handle whose `remove()` ends it.
        """
        return self._forward_hooks.add(hook, with_kwargs, prepend)

    def __call__(self, *args, **kwargs):
        for hook, with_kwargs in self._forward_pre_hooks.hooks:
            new = hook(self, args, kwargs) if with_kwargs else hook(self, args)
            if new is not None and with_kwargs:
                args, kwargs = new
            elif new is not None:
                args = new if isinstance(new, tuple) else (new,)
        output = self.forward(*args, **kwargs)
        for hook, with_kwargs in self._forward_hooks.hooks:
            new = hook(self, args, kwargs, output) if with_kwargs else hook(self, args, output)
            output = output if new is None else new
        return output

    def extra_repr(self):
        """Return what `repr` shows in the parentheses, apart from the modules inside."""
        return ""

    def _child_lines(self):
        return [f"({name}): {module!r}" for name, module in self._modules.items()]

    def __repr__(self):
        extra, children = self.extra_repr().split("\n"), self._child_lines()
        if len(extra) == 1 and not children:
            return f"{type(self).__name__}({extra[0]})"
        lines = [*filter(None, extra), *children]
        return f"{type(self).__name__}(" + "".join("\n" + line for line in lines).replace("\n", "\n  ") + "\n)"


def misfit(name, own, value):
    """Return why value cannot be copied into the tensor own, or None."""
    if not isinstance(value, Tensor):
        return f'While copying the parameter named "{name}", expected torch.Tensor but received {type(value)}'
    if value.shape != own.shape:
        there = f"copying a param with shape {value.shape} from checkpoint"
        return f"size mismatch for {name}: {there}, the shape in current model is {own.shape}."
    return None


class Numbered:
    """What Sequential and ModuleList share: modules in an order, under the names "0", "1", ... or given ones."""

    _modules: dict
    add_module: Any
    _of: Any

    def __len__(self):
        return len(self._modules)

    def __iter__(self):
        return iter(self._modules.values())

    def _name(self, index):
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range")
        return list(self._modules)[index]

    def __getitem__(self, index):
        if isinstance(index, slice):
            return self._of(dict(list(self._modules.items())[index]))
        return self._modules[self._name(index)]

    def __setitem__(self, index, module):
        setattr(self, self._name(index), module)

    def __delitem__(self, index):
        for name in list(self._modules)[index] if isinstance(index, slice) else [self._name(index)]:
            del self._modules[name]
        self._renumber(list(self._modules.values()))

    def _renumber(self, modules):
        self._modules.clear()
        for i, module in enumerate(modules):
            self.add_module(str(i), module)

    def append(self, module):
        """Add a module at the end and return the container."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules):
        """Add several modules at the end and return the container."""
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index, module):
        """Put a module before the one at index."""
        modules = list(self)
        modules.insert(index, module)
        self._renumber(modules)

    def pop(self, index=-1):
        """Take out the module at index and return it."""
        module = self[index]
        del self[index]
        return module

    def __add__(self, others):
        return self._of({str(i): module for i, module in enumerate([*self, *others])})

    def __iadd__(self, others):
        return self.extend(others)


class Keyed:
    """What ModuleDict has of a dict."""

    _modules: dict
    add_module: Any

    def __len__(self):
        return len(self._modules)

    def __iter__(self):
        return iter(self._modules)

    def __contains__(self, key):
        return key in self._modules

    def __getitem__(self, key):
        return self._modules[key]

    def __setitem__(self, key, module):
        self.add_module(key, module)

    def __delitem__(self, key):
        del self._modules[key]

    def update(self, modules):
        """Add modules from a dict or from pairs (key, module)."""
        for key, module in modules.items() if hasattr(modules, "items") else modules:
            self[key] = module

    def keys(self):
        """Return the names."""
        return self._modules.keys()

    def values(self):
        """Return the modules."""
        return self._modules.values()

    def items(self):
        """Return the pairs (name, module)."""
        return self._modules.items()

    def pop(self, key):
        """Take out the module of this name and return it."""
        return self._modules.pop(key)

    def clear(self):
        """Take out all modules."""
        self._modules.clear()

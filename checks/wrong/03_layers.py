"""Wrong answers to the exercises of module 03: mistakes that people make, each with what its card must say."""

from checks import wrong


class Module:
    """Stands for the library's class, so that wrong classes can be defined here."""


class Numbered:
    """Stands for the library's class."""


# Parameter.__init__


@wrong("Parameter.__init__", says="requires_grad is True unless you say otherwise")
def forgets_the_wish(self, data=None, requires_grad=True):
    super().__init__(np.empty(0, np.float32) if data is None else data)


@wrong("Parameter.__init__", says="a model of 28 GB must not need 56")
def copies_the_data(self, data=None, requires_grad=True):
    data = np.empty(0, np.float32) if data is None else np.array(data.array)
    super().__init__(data, requires_grad=requires_grad)


@wrong("Parameter.__init__", says="requires_grad=False must reach the Tensor")
def always_requires_grad(self, data=None, requires_grad=True):
    super().__init__(np.empty(0, np.float32) if data is None else data, requires_grad=True)


@wrong("Parameter.__init__", says="without data it is an empty float32 tensor")
def needs_data(self, data=None, requires_grad=True):
    super().__init__(data, requires_grad=requires_grad)


@wrong("Parameter.__init__", says="the dtype is that of x")
def always_float32(self, data=None, requires_grad=True):
    data = np.empty(0, np.float32) if data is None else data
    super().__init__(data, float32 if requires_grad else None, requires_grad)


# Module.__init__


@wrong("Module.__init__", says="needs tables of its own")
def shares_tables(self):
    tables = vars(Hooks).get("tables") or {"_parameters": {}, "_buffers": {}, "_modules": {}}
    Hooks.tables = tables
    vars(self).update(training=True, _non_persistent_buffers_set=set(), **tables)
    vars(self).update(_forward_hooks=Hooks(), _forward_pre_hooks=Hooks())


@wrong("Module.__init__", says="not one dict under three names")
def one_dict_three_names(self):
    table = {}
    vars(self).update(training=True, _parameters=table, _buffers=table, _modules=table)
    vars(self).update(_non_persistent_buffers_set=set(), _forward_hooks=Hooks(), _forward_pre_hooks=Hooks())


@wrong("Module.__init__", says="each is a Hooks() of its own")
def forgets_hooks(self):
    vars(self).update(training=True, _parameters={}, _buffers={}, _modules={}, _non_persistent_buffers_set=set())


@wrong("Module.__init__", says="a new module is in training mode")
def starts_in_evaluation(self):
    vars(self).update(training=False, _parameters={}, _buffers={}, _modules={}, _non_persistent_buffers_set=set())
    vars(self).update(_forward_hooks=Hooks(), _forward_pre_hooks=Hooks())


@wrong("Module.__init__", says="the names of buffers that are not saved")
def list_for_a_set(self):
    vars(self).update(training=True, _parameters={}, _buffers={}, _modules={}, _non_persistent_buffers_set=[])
    vars(self).update(_forward_hooks=Hooks(), _forward_pre_hooks=Hooks())


@wrong("Module.__init__", says="put all attributes into vars(self)")
def assigns_by_name(self):
    self.training = True
    self._parameters = {}
    self._buffers = {}
    self._modules = {}
    self._non_persistent_buffers_set = set()
    self._forward_hooks = Hooks()
    self._forward_pre_hooks = Hooks()


@wrong("Module.__init__", says="put all attributes into vars(self)")
def assigns_the_rest_by_name(self):
    vars(self).update(_parameters={}, _buffers={}, _modules={}, _non_persistent_buffers_set=set())
    self.training = True
    self._forward_hooks, self._forward_pre_hooks = Hooks(), Hooks()


# Module.__setattr__


@wrong("Module.__setattr__", says="same table, same position")
def loses_its_position(self, name, value):
    own = vars(self)
    if isinstance(value, (Parameter, Module)):
        if "_parameters" not in own:
            raise AttributeError("call Module.__init__() first")
        for table in TABLES:
            own[table].pop(name, None)
        own.pop(name, None)
        own["_non_persistent_buffers_set"].discard(name)
        own["_parameters" if isinstance(value, Parameter) else "_modules"][name] = value
        return
    for table, what in TABLES.items():
        if name in own.get(table, ()):
            if value is not None and not (table == "_buffers" and isinstance(value, Tensor)):
                raise TypeError(f"{name} is a {what}")
            own[table][name] = value
            return
    object.__setattr__(self, name, value)


@wrong("Module.__setattr__", says="and nowhere else")
def sets_it_twice(self, name, value):
    if isinstance(value, Parameter):
        vars(self)["_parameters"][name] = value
    elif isinstance(value, Module):
        vars(self)["_modules"][name] = value
    object.__setattr__(self, name, value)


@wrong("Module.__setattr__", says="only a Parameter or Module has a table")
def registers_every_tensor(self, name, value):
    if isinstance(value, Tensor):
        vars(self)["_parameters"][name] = value
    elif isinstance(value, Module):
        vars(self)["_modules"][name] = value
    else:
        object.__setattr__(self, name, value)


@wrong("Module.__setattr__", says="take it out of everywhere else")
def leaves_old_places(self, name, value):
    own = vars(self)
    known = next((table for table in TABLES if name in own.get(table, ())), None)
    if isinstance(value, (Parameter, Module)):
        table = "_parameters" if isinstance(value, Parameter) else "_modules"
        if table not in own:
            raise AttributeError("cannot assign before Module.__init__() call")
        own[table][name] = value
    elif known is None:
        object.__setattr__(self, name, value)
    elif value is None or (known == "_buffers" and isinstance(value, Tensor)):
        own[known][name] = value
    else:
        raise TypeError(f"cannot assign to {name}")


@wrong("Module.__setattr__", says="would silently stop being learned")
def lets_tensors_replace(self, name, value):
    own = vars(self)
    for table in ("_parameters", "_modules", "_buffers"):
        if isinstance(value, (Parameter, Module)):
            if table not in own:
                raise AttributeError("cannot assign before Module.__init__() call")
    if isinstance(value, Parameter):
        own["_parameters"][name] = value
    elif isinstance(value, Module):
        own["_modules"][name] = value
    else:
        object.__setattr__(self, name, value)
        return
    own.pop(name, None)
    for table, kind in (("_parameters", Parameter), ("_modules", Module)):
        if not isinstance(value, kind):
            own[table].pop(name, None)
    own["_buffers"].pop(name, None)
    own["_non_persistent_buffers_set"].discard(name)


@wrong("Module.__setattr__", says="the message says what was forgotten")
def silent_before_init(self, name, value):
    own = vars(self)
    known = next((table for table in TABLES if name in own.get(table, ())), None)
    if isinstance(value, (Parameter, Module)) and "_modules" in own:
        table = "_parameters" if isinstance(value, Parameter) else "_modules"
        for other in (own, *(own[key] for key in TABLES if key != table)):
            other.pop(name, None)
        own["_non_persistent_buffers_set"].discard(name)
        own[table][name] = value
    elif known is None:
        object.__setattr__(self, name, value)
    elif value is None or (known == "_buffers" and isinstance(value, Tensor)):
        own[known][name] = value
    else:
        raise TypeError(f"cannot assign to {name}")


@wrong("Module.__setattr__", says="a buffer is a Tensor or None")
def buffers_take_anything(self, name, value):
    own = vars(self)
    known = next((table for table in TABLES if name in own.get(table, ())), None)
    if isinstance(value, (Parameter, Module)):
        table = "_parameters" if isinstance(value, Parameter) else "_modules"
        if table not in own:
            raise AttributeError("cannot assign before Module.__init__() call")
        for other in (own, *(own[key] for key in TABLES if key != table)):
            other.pop(name, None)
        own["_non_persistent_buffers_set"].discard(name)
        own[table][name] = value
    elif known is None:
        object.__setattr__(self, name, value)
    elif value is None or known == "_buffers":
        own[known][name] = value
    else:
        raise TypeError(f"cannot assign to {name}")


# Module.__getattr__


@wrong("Module.__getattr__", says="a typo would give None and fail much later")
def none_for_a_typo(self, name):
    for table in TABLES:
        if name in vars(self).get(table, ()):
            return vars(self)[table][name]


@wrong("Module.__getattr__", says="ask whether the name is in the table")
def skips_none(self, name):
    for table in TABLES:
        if vars(self).get(table, {}).get(name) is not None:
            return vars(self)[table][name]
    raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")


@wrong("Module.__getattr__", says="recursion")
def asks_itself(self, name):
    for table in (self._parameters, self._buffers, self._modules):
        if name in table:
            return table[name]
    raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")


@wrong("Module.__getattr__", says="KeyError")
def raises_key_error(self, name):
    for table in TABLES:
        if name in vars(self).get(table, ()):
            return vars(self)[table][name]
    raise KeyError(name)


@wrong("Module.__getattr__", says="the name is in _modules")
def only_parameters(self, name):
    if name in vars(self).get("_parameters", ()):
        return vars(self)["_parameters"][name]
    raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")


# Module.named_modules


@wrong("Module.named_modules", says="then each child with all inside it")
def only_children(self, memo=None, prefix="", remove_duplicate=True):
    yield prefix, self
    for name, module in self._modules.items():
        if module is not None:
            yield f"{prefix}.{name}" if prefix else name, module


@wrong("Module.named_modules", says="names joined by dots")
def forgets_the_prefix(self, memo=None, prefix="", remove_duplicate=True):
    memo = set() if memo is None else memo
    if self in memo:
        return
    if remove_duplicate:
        memo.add(self)
    yield prefix, self
    for name, module in self._modules.items():
        if module is not None:
            yield from module.named_modules(memo, name, remove_duplicate)


@wrong("Module.named_modules", says="names joined by dots")
def dot_at_the_start(self, memo=None, prefix="", remove_duplicate=True):
    memo = set() if memo is None else memo
    if self in memo:
        return
    if remove_duplicate:
        memo.add(self)
    yield prefix, self
    for name, module in self._modules.items():
        if module is not None:
            yield from module.named_modules(memo, f"{prefix}.{name}", remove_duplicate)


@wrong("Module.named_modules", says="then each child with all inside it")
def memo_not_handed_down(self, memo=None, prefix="", remove_duplicate=True):
    memo = set() if memo is None else memo
    if self in memo:
        return
    if remove_duplicate:
        memo.add(self)
    yield prefix, self
    for name, module in self._modules.items():
        if module is not None:
            yield from module.named_modules(None, f"{prefix}.{name}" if prefix else name, remove_duplicate)


@wrong("Module.named_modules", says="children that are None are left out")
def does_not_skip_none(self, memo=None, prefix="", remove_duplicate=True):
    memo = set() if memo is None else memo
    if self in memo:
        return
    if remove_duplicate:
        memo.add(self)
    yield prefix, self
    for name, module in self._modules.items():
        yield from module.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)


@wrong("Module.named_modules", says="an empty one too")
def empty_set_is_false(self, memo=None, prefix="", remove_duplicate=True):
    memo = memo or set()
    if self in memo:
        return
    if remove_duplicate:
        memo.add(self)
    yield prefix, self
    for name, module in self._modules.items():
        if module is not None:
            yield from module.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)


@wrong("Module.named_modules", says="remove_duplicate=False names every place")
def never_twice(self, memo=None, prefix="", remove_duplicate=True):
    memo = set() if memo is None else memo
    if self in memo:
        return
    memo.add(self)
    yield prefix, self
    for name, module in self._modules.items():
        if module is not None:
            yield from module.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)


# Module._named_members


@wrong("Module._named_members", says="it must be updated once")
def members_with_duplicates(self, table, prefix="", recurse=True, remove_duplicate=True):
    modules = self.named_modules(None, prefix, remove_duplicate) if recurse else [(prefix, self)]
    for path, module in modules:
        for name, tensor in vars(module)[table].items():
            if tensor is not None:
                yield f"{path}.{name}" if path else name, tensor


@wrong("Module._named_members", says="compare by identity")
def compares_numbers(self, table, prefix="", recurse=True, remove_duplicate=True):
    seen = []
    modules = self.named_modules(None, prefix, remove_duplicate) if recurse else [(prefix, self)]
    for path, module in modules:
        for name, tensor in vars(module)[table].items():
            if tensor is None or any(np.array_equal(tensor.array, other.array) for other in seen):
                continue
            if remove_duplicate:
                seen.append(tensor)
            yield f"{path}.{name}" if path else name, tensor


@wrong("Module._named_members", says="None is left out")
def members_with_none(self, table, prefix="", recurse=True, remove_duplicate=True):
    seen = set()
    modules = self.named_modules(None, prefix, remove_duplicate) if recurse else [(prefix, self)]
    for path, module in modules:
        for name, tensor in vars(module)[table].items():
            if id(tensor) in seen:
                continue
            if remove_duplicate:
                seen.add(id(tensor))
            yield f"{path}.{name}" if path else name, tensor


@wrong("Module._named_members", says="named_buffers reads the table _buffers")
def always_parameters(self, table, prefix="", recurse=True, remove_duplicate=True):
    seen = set()
    modules = self.named_modules(None, prefix, remove_duplicate) if recurse else [(prefix, self)]
    for path, module in modules:
        for name, tensor in module._parameters.items():
            if tensor is None or id(tensor) in seen:
                continue
            if remove_duplicate:
                seen.add(id(tensor))
            yield f"{path}.{name}" if path else name, tensor


@wrong("Module._named_members", says="recurse=False: only what m itself holds")
def always_recurses(self, table, prefix="", recurse=True, remove_duplicate=True):
    seen = set()
    for path, module in self.named_modules(None, prefix, remove_duplicate):
        for name, tensor in vars(module)[table].items():
            if tensor is None or id(tensor) in seen:
                continue
            if remove_duplicate:
                seen.add(id(tensor))
            yield f"{path}.{name}" if path else name, tensor


@wrong("Module._named_members", says="`in` compare numbers, not objects")
def looks_into_a_list(self, table, prefix="", recurse=True, remove_duplicate=True):
    seen = []
    modules = self.named_modules(None, prefix, remove_duplicate) if recurse else [(prefix, self)]
    for path, module in modules:
        for name, tensor in vars(module)[table].items():
            if tensor is None or tensor in seen:
                continue
            if remove_duplicate:
                seen.append(tensor)
            yield f"{path}.{name}" if path else name, tensor


@wrong("Module._named_members", says="goes to named_modules too")
def each_module_once(self, table, prefix="", recurse=True, remove_duplicate=True):
    seen = set()
    modules = self.named_modules(None, prefix) if recurse else [(prefix, self)]
    for path, module in modules:
        for name, tensor in vars(module)[table].items():
            if tensor is None or id(tensor) in seen:
                continue
            if remove_duplicate:
                seen.add(id(tensor))
            yield f"{path}.{name}" if path else name, tensor


# Affine.forward


@wrong("Affine.forward", says="out[i, j] is the sum of x[i, k] * weight[j, k]")
def no_transpose(ctx, x, weight, bias=None):
    if x.dtype != weight.dtype:
        raise RuntimeError(f"dtypes {x.dtype} and {weight.dtype}")
    out = MatMul.multiply(x, weight)
    return out if bias is None else out + bias


@wrong("Affine.forward", says="-1 cannot be inferred there")
def infers_the_rows(ctx, x, weight, bias=None):
    rows = x.reshape(-1, x.shape[-1]) if x.size else x.reshape(-1, 0)
    if x.dtype != weight.dtype:
        raise RuntimeError(f"dtypes {x.dtype} and {weight.dtype}")
    if rows.shape[1] != weight.shape[1]:
        raise RuntimeError(f"{rows.shape[0]}x{rows.shape[1]} and {weight.shape[1]}x{weight.shape[0]}")
    out = MatMul.multiply(rows, weight.T)
    if bias is not None:
        out += bias
    return out.reshape(*x.shape[:-1], len(weight))


@wrong("Affine.forward", says="all leading sizes stay")
def stays_flat(ctx, x, weight, bias=None):
    rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
    if x.dtype != weight.dtype:
        raise RuntimeError(f"dtypes {x.dtype} and {weight.dtype}")
    if rows.shape[1] != weight.shape[1]:
        raise RuntimeError(f"{rows.shape[0]}x{rows.shape[1]} and {weight.shape[1]}x{weight.shape[0]}")
    out = MatMul.multiply(rows, weight.T)
    return out if bias is None else out + bias


@wrong("Affine.forward", says="RuntimeError that names both matrices")
def leaks_numpys_error(ctx, x, weight, bias=None):
    rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
    if x.dtype != weight.dtype:
        raise RuntimeError(f"dtypes {x.dtype} and {weight.dtype}")
    out = MatMul.multiply(rows, weight.T)
    if bias is not None:
        out += bias
    return out.reshape(*x.shape[:-1], len(weight))


@wrong("Affine.forward", says="a silent conversion would cost at every call")
def mixes_dtypes(ctx, x, weight, bias=None):
    rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
    if rows.shape[1] != weight.shape[1]:
        raise RuntimeError(f"{rows.shape[0]}x{rows.shape[1]} and {weight.shape[1]}x{weight.shape[0]}")
    out = MatMul.multiply(rows, weight.T)
    if bias is not None:
        out = out + bias
    return out.reshape(*x.shape[:-1], len(weight))


@wrong("Affine.forward", says="by MatMul.multiply: module 17")
def uses_the_operator(ctx, x, weight, bias=None):
    rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
    if x.dtype != weight.dtype:
        raise RuntimeError(f"dtypes {x.dtype} and {weight.dtype}")
    if rows.shape[1] != weight.shape[1]:
        raise RuntimeError(f"{rows.shape[0]}x{rows.shape[1]} and {weight.shape[1]}x{weight.shape[0]}")
    out = rows @ weight.T
    if bias is not None:
        out += bias
    return out.reshape(*x.shape[:-1], len(weight))


@wrong("Affine.forward", says="one product of two matrices")
def multiplies_each_matrix(ctx, x, weight, bias=None):
    if x.dtype != weight.dtype:
        raise RuntimeError(f"dtypes {x.dtype} and {weight.dtype}")
    if x.shape[-1] != weight.shape[1]:
        rows = math.prod(x.shape[:-1])
        raise RuntimeError(f"{rows}x{x.shape[-1]} and {weight.shape[1]}x{weight.shape[0]}")
    out = MatMul.multiply(x, weight.T)
    if bias is not None:
        out += bias
    return out


@wrong("Affine.forward", says="would make all of it float64")
def bias_decides_the_dtype(ctx, x, weight, bias=None):
    rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
    if x.dtype != weight.dtype:
        raise RuntimeError(f"dtypes {x.dtype} and {weight.dtype}")
    if rows.shape[1] != weight.shape[1]:
        raise RuntimeError(f"{rows.shape[0]}x{rows.shape[1]} and {weight.shape[1]}x{weight.shape[0]}")
    out = MatMul.multiply(rows, weight.T)
    if bias is not None:
        out = out + bias
    return out.reshape(*x.shape[:-1], len(weight))


# Linear


@wrong("Linear", says="one row for each output")
class InOut(Module):
    def __init__(self, in_features, out_features, bias=True, device=None, dtype=None):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        kind = as_dtype(dtype or float32).numpy
        self.weight = Parameter(Tensor(np.empty((in_features, out_features), kind)))
        self.register_parameter("bias", Parameter(Tensor(np.empty(out_features, kind))) if bias else None)
        self.reset_parameters()

    def reset_parameters(self):
        bound = 1 / math.sqrt(max(self.in_features, 1))
        for parameter in self.parameters(recurse=False):
            parameter.array[...] = default_generator.rng.uniform(-bound, bound, parameter.shape)

    def forward(self, input):
        out = input @ self.weight
        return out if self.bias is None else out + self.bias

    def extra_repr(self):
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


@wrong("Linear", says="weight and bias are Parameters")
class PlainTensors(Module):
    def __init__(self, in_features, out_features, bias=True, device=None, dtype=None):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        kind = as_dtype(dtype or float32).numpy
        self.weight = Tensor(np.zeros((out_features, in_features), kind))
        self.bias = Tensor(np.zeros(out_features, kind)) if bias else None

    def reset_parameters(self):
        pass

    def forward(self, input):
        return linear(input, self.weight, self.bias)

    def extra_repr(self):
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


@wrong("Linear", says="(in, not out)")
class BoundOfOutputs(Module):
    def __init__(self, in_features, out_features, bias=True, device=None, dtype=None):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        kind = as_dtype(dtype or float32).numpy
        self.weight = Parameter(Tensor(np.empty((out_features, in_features), kind)))
        self.register_parameter("bias", Parameter(Tensor(np.empty(out_features, kind))) if bias else None)
        self.reset_parameters()

    def reset_parameters(self):
        bound = 1 / math.sqrt(max(self.out_features, 1))
        for parameter in self.parameters(recurse=False):
            parameter.array[...] = default_generator.rng.uniform(-bound, bound, parameter.shape)

    def forward(self, input):
        return linear(input, self.weight, self.bias)

    def extra_repr(self):
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


@wrong("Linear", says="so it comes first")
class ForgetsSuper(Module):
    def __init__(self, in_features, out_features, bias=True, device=None, dtype=None):
        self.in_features, self.out_features = in_features, out_features
        kind = as_dtype(dtype or float32).numpy
        self.weight = Parameter(Tensor(np.empty((out_features, in_features), kind)))
        self.register_parameter("bias", Parameter(Tensor(np.empty(out_features, kind))) if bias else None)
        self.reset_parameters()

    def reset_parameters(self):
        bound = 1 / math.sqrt(max(self.in_features, 1))
        for parameter in self.parameters(recurse=False):
            parameter.array[...] = default_generator.rng.uniform(-bound, bound, parameter.shape)

    def forward(self, input):
        return linear(input, self.weight, self.bias)

    def extra_repr(self):
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


@wrong("Linear", says="not at zero")
class ZeroBias(Module):
    def __init__(self, in_features, out_features, bias=True, device=None, dtype=None):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        kind = as_dtype(dtype or float32).numpy
        self.weight = Parameter(Tensor(np.empty((out_features, in_features), kind)))
        self.register_parameter("bias", Parameter(Tensor(np.empty(out_features, kind))) if bias else None)
        self.reset_parameters()

    def reset_parameters(self):
        bound = 1 / math.sqrt(max(self.in_features, 1))
        self.weight.array[...] = default_generator.rng.uniform(-bound, bound, self.weight.shape)
        if self.bias is not None:
            self.bias.array[...] = 0

    def forward(self, input):
        return linear(input, self.weight, self.bias)

    def extra_repr(self):
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


@wrong("Linear", says="the name stays reserved")
class PlainNone(Module):
    def __init__(self, in_features, out_features, bias=True, device=None, dtype=None):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        kind = as_dtype(dtype or float32).numpy
        self.weight = Parameter(Tensor(np.empty((out_features, in_features), kind)))
        self.bias = Parameter(Tensor(np.empty(out_features, kind))) if bias else None
        self.reset_parameters()

    def reset_parameters(self):
        bound = 1 / math.sqrt(max(self.in_features, 1))
        for parameter in self.parameters(recurse=False):
            parameter.array[...] = default_generator.rng.uniform(-bound, bound, parameter.shape)

    def forward(self, input):
        return linear(input, self.weight, self.bias)

    def extra_repr(self):
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


@wrong("Linear", says="so that manual_seed repeats them")
class NumpysOwnNumbers(Module):
    def __init__(self, in_features, out_features, bias=True, device=None, dtype=None):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        kind = as_dtype(dtype or float32).numpy
        self.weight = Parameter(Tensor(np.empty((out_features, in_features), kind)))
        self.register_parameter("bias", Parameter(Tensor(np.empty(out_features, kind))) if bias else None)
        self.reset_parameters()

    def reset_parameters(self):
        bound = 1 / math.sqrt(max(self.in_features, 1))
        for parameter in self.parameters(recurse=False):
            parameter.array[...] = np.random.uniform(-bound, bound, parameter.shape)

    def forward(self, input):
        return linear(input, self.weight, self.bias)

    def extra_repr(self):
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


@wrong("Linear", says="into the parameters that exist")
class ResetReplaces(Module):
    def __init__(self, in_features, out_features, bias=True, device=None, dtype=None):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        kind = as_dtype(dtype or float32).numpy
        self.weight = Parameter(Tensor(np.empty((out_features, in_features), kind)))
        self.register_parameter("bias", Parameter(Tensor(np.empty(out_features, kind))) if bias else None)
        self.reset_parameters()

    def reset_parameters(self):
        bound = 1 / math.sqrt(max(self.in_features, 1))
        for name, parameter in list(self.named_parameters(recurse=False)):
            values = default_generator.rng.uniform(-bound, bound, parameter.shape)
            setattr(self, name, Parameter(Tensor(values.astype(parameter.array.dtype))))

    def forward(self, input):
        return linear(input, self.weight, self.bias)

    def extra_repr(self):
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


@wrong("Linear", says="0 inputs count as 1")
class DividesByNoInputs(Module):
    def __init__(self, in_features, out_features, bias=True, device=None, dtype=None):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        kind = as_dtype(dtype or float32).numpy
        self.weight = Parameter(np.empty((out_features, in_features), kind))
        self.register_parameter("bias", Parameter(np.empty(out_features, kind)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self):
        bound = 1 / math.sqrt(self.in_features)
        for parameter in self.parameters():
            parameter.array[...] = default_generator.rng.uniform(-bound, bound, parameter.shape)

    def forward(self, input):
        return linear(input, self.weight, self.bias)

    def extra_repr(self):
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


# normal_


@wrong("normal_", says="is filled and returned")
def returns_a_new_tensor(tensor, mean=0.0, std=1.0, generator=None):
    return type(tensor)(_rng(generator).normal(mean, std, tensor.shape).astype(np.float32))


@wrong("normal_", says="standard deviation (not a variance) of 0.5")
def std_as_variance(tensor, mean=0.0, std=1.0, generator=None):
    return _set(tensor, _rng(generator).normal(mean, math.sqrt(std), tensor.shape))


@wrong("normal_", says="normal numbers have tails")
def uniform_instead(tensor, mean=0.0, std=1.0, generator=None):
    return _set(tensor, _rng(generator).uniform(mean - std * 3**0.5, mean + std * 3**0.5, tensor.shape))


@wrong("normal_", says="the generator that was given decides")
def ignores_generator(tensor, mean=0.0, std=1.0, generator=None):
    return _set(tensor, _rng(None).normal(mean, std, tensor.shape))


# xavier_uniform_


@wrong("xavier_uniform_", says="have the variance c² / 3")
def deviation_as_bound(tensor, gain=1.0, generator=None):
    bound = gain * math.sqrt(2 / max(sum(fans(tensor)), 1))
    return uniform_(tensor, -bound, bound, generator)


@wrong("xavier_uniform_", says="have the variance c² / 3")
def fan_in_only(tensor, gain=1.0, generator=None):
    bound = gain * math.sqrt(6 / max(fans(tensor)[0], 1))
    return uniform_(tensor, -bound, bound, generator)


@wrong("xavier_uniform_", says="gain multiplies the numbers")
def gain_inside_the_root(tensor, gain=1.0, generator=None):
    bound = math.sqrt(gain * 6 / max(sum(fans(tensor)), 1))
    return uniform_(tensor, -bound, bound, generator)


@wrong("xavier_uniform_", says="generator= is passed on")
def xavier_without_generator(tensor, gain=1.0, generator=None):
    bound = gain * math.sqrt(6 / max(sum(fans(tensor)), 1))
    return uniform_(tensor, -bound, bound)


# _kaiming_std


@wrong("_kaiming_std", says="the fan_in is 100, the number of inputs")
def reads_in_out(tensor, a, mode, nonlinearity):
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode} not supported")
    return calculate_gain(nonlinearity, a) / math.sqrt(max(fans(tensor)[mode == "fan_in"], 1))


@wrong("_kaiming_std", says="the fan_in is 100, the number of inputs")
def returns_the_variance(tensor, a, mode, nonlinearity):
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode} not supported")
    return calculate_gain(nonlinearity, a) ** 2 / max(fans(tensor)[mode == "fan_out"], 1)


@wrong("_kaiming_std", says="a typo must not pass")
def takes_any_mode(tensor, a, mode, nonlinearity):
    return calculate_gain(nonlinearity, a) / math.sqrt(max(fans(tensor)[mode == "fan_out"], 1))


@wrong("_kaiming_std", says="linear has gain 1")
def always_relu(tensor, a, mode, nonlinearity):
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode} not supported")
    return math.sqrt(2 / max(fans(tensor)[mode == "fan_out"], 1))


# kaiming_uniform_


@wrong("kaiming_uniform_", says="have the standard deviation c / sqrt(3)")
def std_as_bound(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    bound = _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


@wrong("kaiming_uniform_", says="mode goes to _kaiming_std")
def ignores_mode(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    bound = math.sqrt(3) * _kaiming_std(tensor, a, "fan_in", nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


@wrong("kaiming_uniform_", says="have the standard deviation c / sqrt(3)")
def only_positive(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    bound = math.sqrt(3) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, 0, bound, generator)


@wrong("kaiming_uniform_", says="generator= is passed on")
def kaiming_without_generator(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    bound = math.sqrt(3) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound)


# Flatten.forward


@wrong("Flatten.forward", says="all dimensions but the first are joined")
def flattens_everything(self, input):
    return input.reshape(math.prod(input.shape))


@wrong("Flatten.forward", says="start_dim to end_dim, both included")
def leaves_out_the_end(self, input):
    start, end = wrap_dim(self.start_dim, input.ndim), wrap_dim(self.end_dim, input.ndim)
    if start > end:
        raise RuntimeError("start_dim after end_dim")
    if end == input.ndim - 1:
        end = input.ndim
    shape = input.shape
    return input.reshape(*shape[:start], math.prod(shape[start:end]), *shape[end:])


@wrong("Flatten.forward", says="start_dim comes after end_dim")
def takes_backwards(self, input):
    start, end = sorted((wrap_dim(self.start_dim, input.ndim), wrap_dim(self.end_dim, input.ndim)))
    shape = input.shape
    return input.reshape(*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :])


@wrong("Flatten.forward", says="-1 could not be inferred")
def lets_numpy_infer(self, input):
    start, end = wrap_dim(self.start_dim, input.ndim), wrap_dim(self.end_dim, input.ndim)
    if start > end:
        raise RuntimeError("start_dim after end_dim")
    return input.reshape(*input.shape[:start], -1, *input.shape[end + 1 :])


# Module.train


@wrong("Module.train", says="here and in all modules inside")
def only_itself(self, mode=True):
    if not isinstance(mode, bool):
        raise ValueError("bool expected")
    self.training = mode
    return self


@wrong("Module.train", says="here and in all modules inside")
def only_the_children(self, mode=True):
    if not isinstance(mode, bool):
        raise ValueError("bool expected")
    for module in (self, *self.children()):
        module.training = mode
    return self


@wrong("Module.train", says="so that `model = Net().eval()` works")
def train_returns_nothing(self, mode=True):
    if not isinstance(mode, bool):
        raise ValueError("bool expected")
    for module in self.modules():
        module.training = mode


@wrong("Module.train", says="would be true, and train")
def takes_any_mode_at_all(self, mode=True):
    for module in self.modules():
        module.training = bool(mode)
    return self


@wrong("Module.train", says="only True or False, else ValueError")
def raises_type_error(self, mode=True):
    if not isinstance(mode, bool):
        raise TypeError(f"mode is a bool, not {mode!r}")
    for module in self.modules():
        module.training = mode
    return self


# Drop.forward


@wrong("Drop.forward", says="each element is 0, or x / (1 - p)")
def forgets_to_scale(ctx, a, p):
    ctx.mask = (default_generator.rng.random(a.shape, np.float32) >= p).astype(a.dtype)
    return a * ctx.mask


@wrong("Drop.forward", says="p is the probability of a zero")
def keeps_with_p(ctx, a, p):
    keep = default_generator.rng.random(a.shape, np.float32) < p
    ctx.mask = np.multiply(keep, 1 / (1 - p) if p < 1 else 0.0, dtype=a.dtype)
    return a * ctx.mask


@wrong("Drop.forward", says="not for whole rows or columns")
def drops_rows(ctx, a, p):
    keep = default_generator.rng.random((a.shape[0],) + (1,) * (a.ndim - 1), np.float32) >= p
    ctx.mask = np.multiply(np.broadcast_to(keep, a.shape), 1 / (1 - p) if p < 1 else 0.0, dtype=a.dtype)
    return a * ctx.mask


@wrong("Drop.forward", says="is no number when p is 1")
def divides_by_zero(ctx, a, p):
    keep = default_generator.rng.random(a.shape, np.float32) >= p
    ctx.mask = np.multiply(keep, 1 / (1 - p), dtype=a.dtype)
    return a * ctx.mask


@wrong("Drop.forward", says="are kept in ctx.mask")
def forgets_the_mask(ctx, a, p):
    keep = default_generator.rng.random(a.shape, np.float32) >= p
    return a * np.multiply(keep, 1 / (1 - p) if p < 1 else 0.0, dtype=a.dtype)


@wrong("Drop.forward", says="factors in float64 would make the result float64 too")
def mask_in_float64(ctx, a, p):
    keep = default_generator.rng.random(a.shape) >= p
    ctx.mask = np.where(keep, 1 / (1 - p) if p < 1 else 0.0, 0.0)
    return a * ctx.mask


# dropout


@wrong("dropout", says="outside training nothing is dropped")
def always_drops(input, p=0.5, training=True, inplace=False):
    if not 0 <= p <= 1:
        raise ValueError(f"probability {p}")
    return Drop.apply(input, p=p)


@wrong("dropout", says="ValueError outside 0 to 1, in training or not")
def checks_p_in_training_only(input, p=0.5, training=True, inplace=False):
    if not training or p == 0:
        return input
    if not 0 <= p <= 1:
        raise ValueError(f"probability {p}")
    return input._keep(Drop.apply(input._source(), p=p)) if inplace else Drop.apply(input, p=p)


@wrong("dropout", says="inplace=True changes x and returns it")
def ignores_inplace(input, p=0.5, training=True, inplace=False):
    if not 0 <= p <= 1:
        raise ValueError(f"probability {p}")
    return input if not training or p == 0 else Drop.apply(input, p=p)


@wrong("dropout", says="outside training nothing is dropped and nothing is scaled")
def scales_in_use(input, p=0.5, training=True, inplace=False):
    if not 0 <= p <= 1:
        raise ValueError(f"probability {p}")
    if p == 0:
        return input
    if not training:
        return input * (1 - p)
    return input._keep(Drop.apply(input._source(), p=p)) if inplace else Drop.apply(input, p=p)


# Sequential


@wrong("Sequential", says="a plain list would hide their parameters")
class PlainList(Numbered, Module):
    def __init__(self, *args):
        super().__init__()
        named = args[0] if len(args) == 1 and isinstance(args[0], OrderedDict) else dict(enumerate(args))
        self.layers = list(named.values())

    def forward(self, input):
        for module in self.layers:
            input = module(input)
        return input

    def _of(self, named):
        return type(self)(OrderedDict(named))


@wrong("Sequential", says="each module gets what the one before it returned")
class SameInput(Numbered, Module):
    def __init__(self, *args):
        super().__init__()
        named = args[0] if len(args) == 1 and isinstance(args[0], OrderedDict) else dict(enumerate(args))
        for name, module in named.items():
            self.add_module(str(name), module)

    def forward(self, input):
        out = input
        for module in self:
            out = module(input)
        return out

    def _of(self, named):
        return type(self)(OrderedDict(named))


@wrong("Sequential", says="a slice keeps the names")
class SliceRenumbers(Numbered, Module):
    def __init__(self, *args):
        super().__init__()
        named = args[0] if len(args) == 1 and isinstance(args[0], OrderedDict) else dict(enumerate(args))
        for name, module in named.items():
            self.add_module(str(name), module)

    def forward(self, input):
        for module in self:
            input = module(input)
        return input

    def _of(self, named):
        return type(self)(*named.values())


@wrong("Sequential", says="would leave them out")
class CallsForward(Numbered, Module):
    def __init__(self, *args):
        super().__init__()
        named = args[0] if len(args) == 1 and isinstance(args[0], OrderedDict) else dict(enumerate(args))
        for name, module in named.items():
            self.add_module(str(name), module)

    def forward(self, input):
        for module in self:
            input = module.forward(input)
        return input

    def _of(self, named):
        return type(self)(OrderedDict(named))


@wrong("Sequential", says="str(i), not i")
class IntNames(Numbered, Module):
    def __init__(self, *args):
        super().__init__()
        named = args[0] if len(args) == 1 and isinstance(args[0], OrderedDict) else dict(enumerate(args))
        for name, module in named.items():
            self.add_module(name, module)

    def forward(self, input):
        for module in self:
            input = module(input)
        return input

    def _of(self, named):
        return type(self)(OrderedDict(named))


# ModuleList


@wrong("ModuleList", says="so their parameters are found")
class KeepsAList(Numbered, Module):
    def __init__(self, modules=None):
        super().__init__()
        self.items = list(modules or ())

    def __len__(self):
        return len(self.items)

    def _of(self, named):
        return type(self)(named.values())

    def _child_lines(self):
        return [f"({i}): {module!r}" for i, module in enumerate(self.items)]


@wrong("ModuleList", says="without an argument it is empty")
class NeedsModules(Numbered, Module):
    def __init__(self, modules=None):
        super().__init__()
        self.extend(modules)

    def _of(self, named):
        return type(self)(named.values())

    def _child_lines(self):
        return []


@wrong("ModuleList", says="equal neighbours are shown once")
class ShowsAll(Numbered, Module):
    def __init__(self, modules=None):
        super().__init__()
        self.extend(modules or ())

    def _of(self, named):
        return type(self)(named.values())

    def _child_lines(self):
        return [f"({name}): {module!r}" for name, module in self._modules.items()]


@wrong("ModuleList", says="the list wants the modules")
class OfPassesTheDict(Numbered, Module):
    def __init__(self, modules=None):
        super().__init__()
        self.extend(modules or ())

    def _of(self, named):
        return type(self)(named)

    def _child_lines(self):
        return []


@wrong("ModuleList", says="equal neighbours are shown once")
class JoinsFromAfar(Numbered, Module):
    def __init__(self, modules=None):
        super().__init__()
        self.extend(modules or ())

    def _of(self, named):
        return type(self)(named.values())

    def _child_lines(self):
        texts = [repr(module) for module in self]
        lines = []
        for text in dict.fromkeys(texts):
            first, count = texts.index(text), texts.count(text)
            lines.append(f"({first}-{first + count - 1}): {count} x {text}" if count > 1 else f"({first}): {text}")
        return lines


@wrong("ModuleList", says="a list without modules is empty")
class NeedsOneToPrint(Numbered, Module):
    def __init__(self, modules=None):
        super().__init__()
        self.extend(modules or ())

    def _of(self, named):
        return type(self)(named.values())

    def _child_lines(self):
        lines, texts, start = [], [repr(module) for module in self], 0
        for i in range(len(texts) + 1):
            if i == len(texts) or texts[i] != texts[start]:
                span = f"({start}-{i - 1}): {i - start} x " if i - start > 1 else f"({start}): "
                lines.append(span + texts[start])
                start = i
        return lines


@wrong("ModuleList", says="equal neighbours are shown once")
class ForgetsTheLastRun(Numbered, Module):
    def __init__(self, modules=None):
        super().__init__()
        self.extend(modules or ())

    def _of(self, named):
        return type(self)(named.values())

    def _child_lines(self):
        lines, texts, start = [], [repr(module) for module in self], 0
        for i in range(len(texts)):
            if texts[i] != texts[start]:
                span = f"({start}-{i - 1}): {i - start} x " if i - start > 1 else f"({start}): "
                lines.append(span + texts[start])
                start = i
        return lines


# Module.state_dict


@wrong("Module.state_dict", says="it shares the memory of the parameter")
def state_of_copies(self, *, destination=None, prefix="", keep_vars=False):
    destination = OrderedDict() if destination is None else destination
    for path, module in self.named_modules(remove_duplicate=False):
        for name, tensor in (*module._parameters.items(), *module._buffers.items()):
            if tensor is not None and name not in module._non_persistent_buffers_set:
                key = prefix + (f"{path}.{name}" if path else name)
                destination[key] = tensor if keep_vars else tensor.detach().clone()
    return destination


@wrong("Module.state_dict", says="a plain tensor that does not require grad")
def state_of_parameters(self, *, destination=None, prefix="", keep_vars=False):
    destination = OrderedDict() if destination is None else destination
    for path, module in self.named_modules(remove_duplicate=False):
        for name, tensor in (*module._parameters.items(), *module._buffers.items()):
            if tensor is not None and name not in module._non_persistent_buffers_set:
                destination[prefix + (f"{path}.{name}" if path else name)] = tensor
    return destination


@wrong("Module.state_dict", says="persistent buffers")
def state_without_buffers(self, *, destination=None, prefix="", keep_vars=False):
    destination = OrderedDict() if destination is None else destination
    for name, tensor in self.named_parameters(remove_duplicate=False):
        destination[prefix + name] = tensor if keep_vars else tensor.detach()
    return destination


@wrong("Module.state_dict", says="or not persistent is left out")
def state_with_every_buffer(self, *, destination=None, prefix="", keep_vars=False):
    destination = OrderedDict() if destination is None else destination
    for path, module in self.named_modules(remove_duplicate=False):
        for name, tensor in (*module._parameters.items(), *module._buffers.items()):
            if tensor is not None:
                key = prefix + (f"{path}.{name}" if path else name)
                destination[key] = tensor if keep_vars else tensor.detach()
    return destination


@wrong("Module.state_dict", says="written under both names")
def state_named_once(self, *, destination=None, prefix="", keep_vars=False):
    destination = OrderedDict() if destination is None else destination
    for path, module in self.named_modules():
        for name, tensor in (*module._parameters.items(), *module._buffers.items()):
            if tensor is not None and name not in module._non_persistent_buffers_set:
                key = prefix + (f"{path}.{name}" if path else name)
                destination[key] = tensor if keep_vars else tensor.detach()
    return destination


@wrong("Module.state_dict", says="without a dot of its own")
def prefix_with_a_dot(self, *, destination=None, prefix="", keep_vars=False):
    destination = OrderedDict() if destination is None else destination
    for path, module in self.named_modules(prefix=prefix, remove_duplicate=False):
        for name, tensor in (*module._parameters.items(), *module._buffers.items()):
            if tensor is not None and name not in module._non_persistent_buffers_set:
                destination[f"{path}.{name}" if path else name] = tensor if keep_vars else tensor.detach()
    return destination


@wrong("Module.state_dict", says="an empty dict is a dict too")
def empty_destination_is_false(self, *, destination=None, prefix="", keep_vars=False):
    destination = destination or OrderedDict()
    for path, module in self.named_modules(remove_duplicate=False):
        for name, tensor in (*module._parameters.items(), *module._buffers.items()):
            if tensor is not None and name not in module._non_persistent_buffers_set:
                key = prefix + (f"{path}.{name}" if path else name)
                destination[key] = tensor if keep_vars else tensor.detach()
    return destination


# Module.load_state_dict


@wrong("Module.load_state_dict", says="half a model is worse than none")
def copies_while_looking(self, state_dict, strict=True, assign=False):
    if not hasattr(state_dict, "keys"):
        raise TypeError("a dict is expected")
    own = Module.state_dict(self, keep_vars=True)
    missing = [k for k in own if k not in state_dict]
    unexpected = [k for k in state_dict if k not in own]
    for name in own:
        if name in state_dict and not misfit(name, own[name], state_dict[name]):
            own[name].detach().copy_(state_dict[name].detach())
    if strict and (missing or unexpected):
        raise RuntimeError(f"Module: Missing {missing} Unexpected {unexpected}")
    return IncompatibleKeys(missing, unexpected)


@wrong("Module.load_state_dict", says="even one that would broadcast")
def lets_shapes_broadcast(self, state_dict, strict=True, assign=False):
    if not hasattr(state_dict, "keys"):
        raise TypeError("a dict is expected")
    own = Module.state_dict(self, keep_vars=True)
    missing = [k for k in own if k not in state_dict]
    unexpected = [k for k in state_dict if k not in own]
    if strict and (missing or unexpected):
        raise RuntimeError(f"{type(self).__name__}: Missing {missing} Unexpected {unexpected}")
    for name in own:
        if name in state_dict and own[name].numel() % state_dict[name].numel() == 0:
            own[name].array.reshape(-1)[...] = np.resize(state_dict[name].array, own[name].numel())
    return IncompatibleKeys(missing, unexpected)


@wrong("Module.load_state_dict", says="copied, not shared")
def shares_instead(self, state_dict, strict=True, assign=False):
    if not hasattr(state_dict, "keys"):
        raise TypeError("a dict is expected")
    own = Module.state_dict(self, keep_vars=True)
    missing = [k for k in own if k not in state_dict]
    unexpected = [k for k in state_dict if k not in own]
    for name in own:
        if name in state_dict:
            own[name].array = state_dict[name].array
    return IncompatibleKeys(missing, unexpected)


@wrong("Module.load_state_dict", says="names that differ are no problem unless strict")
def always_strict(self, state_dict, strict=True, assign=False):
    if not hasattr(state_dict, "keys"):
        raise TypeError("a dict is expected")
    own, problems = Module.state_dict(self, keep_vars=True), []
    missing = [k for k in own if k not in state_dict]
    unexpected = [k for k in state_dict if k not in own]
    if missing or unexpected:
        problems = [f"Missing {missing} Unexpected {unexpected}"]
    problems += [misfit(n, own[n], state_dict[n]) or "" for n in own if n in state_dict]
    if any(problems):
        raise RuntimeError(f"{type(self).__name__}: {problems}")
    for name in own:
        own[name].detach().copy_(state_dict[name].detach())
    return IncompatibleKeys(missing, unexpected)


@wrong("Module.load_state_dict", says="in one message")
def first_problem_only(self, state_dict, strict=True, assign=False):
    if not hasattr(state_dict, "keys"):
        raise TypeError("a dict is expected")
    own = Module.state_dict(self, keep_vars=True)
    missing = [k for k in own if k not in state_dict]
    unexpected = [k for k in state_dict if k not in own]
    problems = [f"Missing {name}" for name in missing if strict] + [
        f"Unexpected {name}" for name in unexpected if strict
    ]
    problems += [text for n in own if n in state_dict and (text := misfit(n, own[n], state_dict[n]))]
    if problems:
        raise RuntimeError(f"{type(self).__name__}: {problems[0]}")
    for name in own:
        if name in state_dict:
            own[name].detach().copy_(state_dict[name].detach())
    return IncompatibleKeys(missing, unexpected)


@wrong("Module.load_state_dict", says="in the model, not in the dict")
def swaps_the_lists(self, state_dict, strict=True, assign=False):
    if not hasattr(state_dict, "keys"):
        raise TypeError("a dict is expected")
    own = Module.state_dict(self, keep_vars=True)
    missing = [k for k in own if k not in state_dict]
    unexpected = [k for k in state_dict if k not in own]
    problems = [f"Missing {missing} Unexpected {unexpected}"] if strict and (missing or unexpected) else []
    problems += [text for n in own if n in state_dict and (text := misfit(n, own[n], state_dict[n]))]
    if problems:
        raise RuntimeError(f"{type(self).__name__}: {problems}")
    for name in own:
        if name in state_dict:
            own[name].detach().copy_(state_dict[name].detach())
    return IncompatibleKeys(unexpected, missing)


@wrong("Module.load_state_dict", says="since others may hold it")
def makes_new_parameters(self, state_dict, strict=True, assign=False):
    own = Module.state_dict(self, keep_vars=True)
    for name in own:
        path, _, last = name.rpartition(".")
        value = Tensor(state_dict[name].array.copy())
        setattr(self.get_submodule(path), last, Parameter(value) if isinstance(own[name], Parameter) else value)
    return IncompatibleKeys([], [])

"""Wrong answers to the exercises of module 01: mistakes that people make, each with what its card must say."""

from checks import wrong

# Tensor.__init__


@wrong("Tensor.__init__", says="Python floats become float32")
def keeps_float64(self, data, dtype=None, requires_grad=False):
    if isinstance(data, Tensor):
        data = data.array
    self.array = np.asarray(data, None if dtype is None else dtype.numpy)
    as_dtype(self.array.dtype)
    self.requires_grad = requires_grad


@wrong("Tensor.__init__", says="Python ints become int64")
def everything_is_float32(self, data, dtype=None, requires_grad=False):
    if isinstance(data, Tensor):
        data = data.array
    self.array = np.array(data, np.float32 if dtype is None else dtype.numpy)
    self.requires_grad = requires_grad


@wrong("Tensor.__init__", says="look at the whole list, not at its first number")
def looks_at_first_number(self, data, dtype=None, requires_grad=False):
    if isinstance(data, Tensor):
        data = data.array
    if dtype is None and not isinstance(data, (np.ndarray, np.generic)):
        first = data
        while isinstance(first, list):
            first = first[0] if first else 0.0
        dtype = {bool: None, int: int64}.get(type(first), float32)
    self.array = np.asarray(data, None if dtype is None else dtype.numpy)
    as_dtype(self.array.dtype)
    self.requires_grad = requires_grad


@wrong("Tensor.__init__", says="an array knows its dtype already: float64 stays float64")
def converts_arrays_too(self, data, dtype=None, requires_grad=False):
    if isinstance(data, Tensor):
        data = data.array
    data = np.asarray(data)
    if dtype is None:
        dtype = {"f": float32, "i": int64}.get(data.dtype.kind)
    self.array = np.asarray(data, None if dtype is None else dtype.numpy)
    as_dtype(self.array.dtype)
    self.requires_grad = requires_grad


@wrong("Tensor.__init__", says="dtype= says what the numbers become")
def ignores_given_dtype(self, data, dtype=None, requires_grad=False):
    if isinstance(data, Tensor):
        data = data.array
    if not isinstance(data, (np.ndarray, np.generic)):
        data = np.array(data)
        dtype = {"f": float32, "i": int64}.get(data.dtype.kind)
    self.array = np.asarray(data, None if dtype is None else dtype.numpy)
    as_dtype(self.array.dtype)
    self.requires_grad = requires_grad


@wrong("Tensor.__init__", says="is kept, not copied")
def copies_arrays(self, data, dtype=None, requires_grad=False):
    if isinstance(data, Tensor):
        data = data.array
    if dtype is None and not isinstance(data, (np.ndarray, np.generic)):
        data = np.array(data)
        dtype = {"f": float32, "i": int64}.get(data.dtype.kind)
    self.array = np.array(data, None if dtype is None else dtype.numpy)
    as_dtype(self.array.dtype)
    self.requires_grad = requires_grad


@wrong("Tensor.__init__", says="module 06 asks for it")
def forgets_requires_grad(self, data, dtype=None, requires_grad=False):
    if isinstance(data, Tensor):
        data = data.array
    if dtype is None and not isinstance(data, (np.ndarray, np.generic)):
        data = np.array(data)
        dtype = {"f": float32, "i": int64}.get(data.dtype.kind)
    self.array = np.asarray(data, None if dtype is None else dtype.numpy)
    as_dtype(self.array.dtype)


@wrong("Tensor.__init__", says="keeps its values in `array`")
def keeps_the_list(self, data, dtype=None, requires_grad=False):
    self.array = data
    self.requires_grad = requires_grad


# promote_types


@wrong("promote_types", says="a float beats an int whatever their sizes")
def asks_numpy(type1, type2):
    return as_dtype(np.promote_types(type1.numpy, type2.numpy))


@wrong("promote_types", says="a float beats an int whatever their sizes")
def takes_the_larger(type1, type2):
    return type1 if type1.itemsize >= type2.itemsize else type2


@wrong("promote_types", says="the smallest dtype that does is int16")
def larger_of_one_category(type1, type2):
    if type1.category != type2.category:
        return type1 if type1.category > type2.category else type2
    return type1 if type1.itemsize >= type2.itemsize else type2


@wrong("promote_types", says="a dtype of the library, not NumPy's")
def returns_numpys_dtype(type1, type2):
    if type1.is_floating_point != type2.is_floating_point:
        return type1 if type1.is_floating_point else type2
    return np.promote_types(type1.numpy, type2.numpy)


@wrong("promote_types", says="the wider one holds both")
def takes_the_first(type1, type2):
    if type2.is_floating_point and not type1.is_floating_point:
        return type2
    return type1


@wrong("promote_types", says="did you forget `return`")
def returns_only_floats(type1, type2):
    if type1.is_floating_point or type2.is_floating_point:
        if type1.is_floating_point != type2.is_floating_point:
            return type1 if type1.is_floating_point else type2
        return as_dtype(np.promote_types(type1.numpy, type2.numpy))


# Tensor.numel


@wrong("Tensor.numel", says="the product of all sizes")
def counts_rows(self):
    return len(self.array)


@wrong("Tensor.numel", says="the empty product is 1")
def nothing_without_dimensions(self):
    if not self.shape:
        return 0
    return math.prod(self.shape)


@wrong("Tensor.numel", says="holds one number, an int")
def product_of_floats(self):
    return np.prod(self.shape)


@wrong("Tensor.numel", says="the product of all sizes")
def adds_sizes(self):
    return sum(self.shape)


@wrong("Tensor.numel", says="a size of 0 leaves no elements")
def skips_zero(self):
    count = 1
    for size in self.shape:
        count *= size or 1
    return count


# Tensor.nbytes


@wrong("Tensor.nbytes", says="30 elements of 4 bytes each (32 bits)")
@property
def counts_elements(self):
    return self.numel()


@wrong("Tensor.nbytes", says="30 elements of 8 bytes each (64 bits)")
@property
def always_four(self):
    return self.numel() * 4


@wrong("Tensor.nbytes", says="30 elements of 4 bytes each (32 bits)")
@property
def counts_bits(self):
    return self.numel() * self.dtype.itemsize * 8


@wrong("Tensor.nbytes", says="counts its own elements only")
@property
def bytes_of_the_whole(self):
    base = self.array if self.array.base is None else self.array.base
    return base.size * self.dtype.itemsize


@wrong("Tensor.nbytes", says="did you forget `return`")
@property
def bytes_without_return(self):
    self.numel() * self.dtype.itemsize


# contiguous_strides


@wrong("contiguous_strides", says="the last comes last")
def strides_backwards(shape):
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)
    return tuple(strides)


@wrong("contiguous_strides", says="in elements: 1 to the next number")
def strides_in_bytes(shape):
    strides, step = [], 4
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)
    return tuple(reversed(strides))


@wrong("contiguous_strides", says="in elements: 1 to the next number")
def strides_one_too_far(shape):
    strides, step = [], 1
    for size in reversed(shape):
        step *= max(size, 1)
        strides.append(step)
    return tuple(reversed(strides))


@wrong("contiguous_strides", says="the last comes last")
def strides_of_columns(shape):
    strides, step = [], 1
    for size in shape:
        strides.append(step)
        step *= max(size, 1)
    return tuple(strides)


@wrong("contiguous_strides", says="counts as 1")
def strides_die_at_zero(shape):
    return tuple(math.prod(shape[i + 1 :]) for i in range(len(shape)))


@wrong("contiguous_strides", says="strides are a tuple")
def strides_as_a_list(shape):
    strides, step = [], 1
    for size in reversed(shape):
        strides.insert(0, step)
        step *= max(size, 1)
    return strides


# broadcast_shapes


@wrong("broadcast_shapes", says="aligned at their last dimension")
def aligns_from_the_left(*shapes):
    result = [1] * max(map(len, shapes), default=0)
    for shape in shapes:
        for dim in range(len(shape)):
            if result[dim] == 1:
                result[dim] = shape[dim]
            elif shape[dim] not in (1, result[dim]):
                raise RuntimeError(f"shapes {shapes} do not broadcast")
    return Size(result)


@wrong("broadcast_shapes", says="sizes missing on the left count as 1")
def stops_at_the_shorter(*shapes):
    result = []
    for sizes in zip(*map(reversed, shapes)):
        wanted = set(sizes) - {1}
        if len(wanted) > 1:
            raise RuntimeError(f"shapes {shapes} do not broadcast")
        result.append(wanted.pop() if wanted else 1)
    return Size(reversed(result))


@wrong("broadcast_shapes", says="a size of 1 stretches to the other size")
def forgets_that_ones_stretch(*shapes):
    longest = max(shapes, key=len, default=())
    for shape in shapes:
        if tuple(shape) != tuple(longest[len(longest) - len(shape) :]):
            raise RuntimeError(f"shapes {shapes} do not broadcast")
    return Size(longest)


@wrong("broadcast_shapes", says="an error must say so, naming both shapes")
def raises_no_error(*shapes):
    result = [1] * max(map(len, shapes), default=0)
    for shape in shapes:
        for dim in range(-len(shape), 0):
            if shape[dim] != 1:
                result[dim] = shape[dim]
    return Size(result)


@wrong("broadcast_shapes", says="the larger of two sizes is not the rule")
def takes_the_largest(*shapes):
    result = [0] * max(map(len, shapes), default=0)
    for shape in shapes:
        for dim in range(-len(shape), 0):
            result[dim] = max(result[dim], shape[dim])
    for shape in shapes:
        if any(shape[dim] not in (1, result[dim]) for dim in range(-len(shape), 0)):
            raise RuntimeError(f"shapes {shapes} do not broadcast")
    return Size(result)


@wrong("broadcast_shapes", says="any number of shapes, all at once")
def only_two_shapes(*shapes):
    if not shapes:
        return Size()
    a, b, result = shapes[0], shapes[-1], []
    for i in range(1, max(len(a), len(b)) + 1):
        x = a[-i] if i <= len(a) else 1
        y = b[-i] if i <= len(b) else 1
        if x != y and x != 1 and y != 1:
            raise RuntimeError(f"shapes {tuple(a)} and {tuple(b)} do not broadcast")
        result.append(y if x == 1 else x)
    return Size(reversed(result))


@wrong("broadcast_shapes", says="though each fits the first")
def compares_with_the_first_only(*shapes):
    first = shapes[0] if shapes else ()
    result = [1] * max(map(len, shapes), default=0)
    for shape in shapes:
        for dim in range(-len(shape), 0):
            if -dim <= len(first) and 1 != shape[dim] != first[dim] != 1:
                raise RuntimeError(f"shapes {shapes} do not broadcast")
            if shape[dim] != 1:
                result[dim] = shape[dim]
    return Size(result)


@wrong("broadcast_shapes", says="ValueError: shapes")
def raises_the_wrong_error(*shapes):
    result = [1] * max(map(len, shapes), default=0)
    for shape in shapes:
        for dim in range(-len(shape), 0):
            if result[dim] == 1:
                result[dim] = shape[dim]
            elif shape[dim] not in (1, result[dim]):
                raise ValueError(f"shapes {shapes} do not broadcast")
    return Size(result)


@wrong("broadcast_shapes", says="whose message mentions '(2, 3)'")
def error_without_shapes(*shapes):
    result = [1] * max(map(len, shapes), default=0)
    for shape in shapes:
        for dim in range(-len(shape), 0):
            if result[dim] == 1:
                result[dim] = shape[dim]
            elif shape[dim] not in (1, result[dim]):
                raise RuntimeError("shapes do not match")
    return Size(result)


# Function.apply


@wrong("Function.apply", says="apply wraps what forward returns")
@classmethod
def returns_the_array(cls, *inputs, **options):
    ctx = cls(**options)
    arrays = [x.array if isinstance(x, Tensor) else x for x in inputs]
    output = cls.forward(ctx, *arrays, **options)
    record(ctx, inputs, output)
    return output


@wrong("Function.apply", says="did you forget `return`")
@classmethod
def returns_nothing(cls, *inputs, **options):
    ctx = cls(**options)
    arrays = [x.array if isinstance(x, Tensor) else x for x in inputs]
    output = Tensor(cls.forward(ctx, *arrays, **options))
    record(ctx, inputs, output)


@wrong("Function.apply", says="wrap the array itself, do not convert it")
@classmethod
def converts_through_lists(cls, *inputs, **options):
    ctx = cls(**options)
    arrays = [x.array if isinstance(x, Tensor) else x for x in inputs]
    output = Tensor(cls.forward(ctx, *arrays, **options).tolist())
    record(ctx, inputs, output)
    return output


@wrong("Function.apply", says="do not copy it")
@classmethod
def copies_the_result(cls, *inputs, **options):
    ctx = cls(**options)
    arrays = [x.array if isinstance(x, Tensor) else x for x in inputs]
    output = Tensor(np.array(cls.forward(ctx, *arrays, **options)))
    record(ctx, inputs, output)
    return output


@wrong("Function.apply", says="options go to forward by their names")
@classmethod
def forgets_options(cls, *inputs, **options):
    ctx = cls(**options)
    arrays = [x.array if isinstance(x, Tensor) else x for x in inputs]
    output = Tensor(cls.forward(ctx, *arrays))
    record(ctx, inputs, output)
    return output


@wrong("Function.apply", says="call record(ctx, inputs, output) once")
@classmethod
def records_nothing(cls, *inputs, **options):
    ctx = cls(**options)
    arrays = [x.array if isinstance(x, Tensor) else x for x in inputs]
    return Tensor(cls.forward(ctx, *arrays, **options))


@wrong("Function.apply", says="all inputs as apply got them")
@classmethod
def records_arrays(cls, *inputs, **options):
    ctx = cls(**options)
    arrays = [x.array if isinstance(x, Tensor) else x for x in inputs]
    output = Tensor(cls.forward(ctx, *arrays, **options))
    record(ctx, arrays, output)
    return output


@wrong("Function.apply", says="ctx is an instance of the op")
@classmethod
def class_as_node(cls, *inputs, **options):
    arrays = [x.array if isinstance(x, Tensor) else x for x in inputs]
    output = Tensor(cls.forward(cls, *arrays, **options))
    record(cls, inputs, output)
    return output


@wrong("Function.apply", says="each call gets a node of its own")
@classmethod
def shares_one_node(cls, *inputs, **options):
    if "node" not in cls.__dict__:
        cls.node = cls(**options)
    ctx = cls.node
    arrays = [x.array if isinstance(x, Tensor) else x for x in inputs]
    output = Tensor(cls.forward(ctx, *arrays, **options))
    record(ctx, inputs, output)
    return output


@wrong("Function.apply", says="give it `x.array` for every Tensor")
@classmethod
def hands_over_tensors(cls, *inputs, **options):
    ctx = cls(**options)
    output = Tensor(cls.forward(ctx, *inputs, **options))
    record(ctx, inputs, output)
    return output


@wrong("Function.apply", says="a number is passed on as the number it is")
@classmethod
def turns_numbers_into_arrays(cls, *inputs, **options):
    ctx = cls(**options)
    arrays = [x.array if isinstance(x, Tensor) else Tensor(x).array for x in inputs]
    output = Tensor(cls.forward(ctx, *arrays, **options))
    record(ctx, inputs, output)
    return output


# Add.forward


@wrong("Add.forward", says="begin with `a, b = promote(a, b)`")
def add_as_numpy_does(ctx, a, b):
    return a + b


@wrong("Add.forward", says="its inputs stay as they are")
def add_in_place(ctx, a, b):
    a, b = promote(a, b)
    if a.shape == b.shape:
        a += b
        return a
    return a + b


@wrong("Add.forward", says="did you forget `return`")
def add_without_return(ctx, a, b):
    a, b = promote(a, b)
    a + b


@wrong("Add.forward", says="forward works below tensors")
def add_wraps_by_itself(ctx, a, b):
    a, b = promote(a, b)
    return Tensor(a + b)


@wrong("Add.forward", says="at the same place")
def add_joins_lists(ctx, a, b):
    a, b = promote(a, b)
    return np.array([*a, *b])


# Tensor.__add__


@wrong("Tensor.__add__", says="did you forget `return`")
def plus_without_return(self, other):
    Add.apply(self, other)


@wrong("Tensor.__add__", says="only a += b changes a")
def plus_in_place(self, other):
    self.array = Add.apply(self, other).array
    return self


@wrong("Tensor.__add__", says="tensor + tensor is a tensor, not its array")
def plus_returns_array(self, other):
    return self.array + (other.array if isinstance(other, Tensor) else other)


@wrong("Tensor.__add__", says="module 06 will find the way back")
def plus_around_apply(self, other):
    return Tensor(Add.forward(None, self.array, other.array if isinstance(other, Tensor) else other))


@wrong("Tensor.__add__", says="a function keeps calling itself")
def plus_calls_itself(self, other):
    return self + other


# Sub.forward


@wrong("Sub.forward", says="a minus b, in this order")
def sub_turned_around(ctx, a, b):
    a, b = promote(a, b)
    if a.dtype == np.bool_:
        raise RuntimeError("bool tensors cannot be subtracted")
    return b - a


@wrong("Sub.forward", says="begin with `a, b = promote(a, b)`")
def sub_as_numpy_does(ctx, a, b):
    return a - b


@wrong("Sub.forward", says="PyTorch raises RuntimeError instead of guessing")
def sub_of_bools(ctx, a, b):
    a, b = promote(a, b)
    return a ^ b if a.dtype == np.bool_ else a - b


@wrong("Sub.forward", says="a bool is refused on either side, beside numbers too")
def sub_looks_after_promotion(ctx, a, b):
    a, b = promote(a, b)
    if a.dtype == np.bool_:
        raise RuntimeError("bool tensors cannot be subtracted")
    return a - b


@wrong("Sub.forward", says="its inputs stay as they are")
def sub_in_place(ctx, a, b):
    a, b = promote(a, b)
    return np.subtract(a, b, out=a) if a.shape == b.shape else a - b


# Tensor.__rsub__


@wrong("Tensor.__rsub__", says="the number on the left is `other`")
def rsub_turned_around(self, other):
    return Sub.apply(self, other)


@wrong("Tensor.__rsub__", says="a function keeps calling itself")
def rsub_asks_again(self, other):
    return other - self


@wrong("Tensor.__rsub__", says="did you forget `return`")
def rsub_without_return(self, other):
    Sub.apply(other, self)


@wrong("Tensor.__rsub__", says="number - tensor is a tensor")
def rsub_returns_array(self, other):
    return other - self.array


# Mul.forward


@wrong("Mul.forward", says="element by element")
def mul_of_matrices(ctx, a, b):
    a, b = promote(a, b)
    return a @ b if a.ndim == 2 and a.shape == b.shape == b.shape[::-1] else a * b


@wrong("Mul.forward", says="begin with `a, b = promote(a, b)`")
def mul_as_numpy_does(ctx, a, b):
    return a * b


@wrong("Mul.forward", says="its inputs stay as they are")
def mul_in_place(ctx, a, b):
    a, b = promote(a, b)
    if a.shape == b.shape:
        a *= b
        return a
    return a * b


@wrong("Mul.forward", says="did you forget `return`")
def mul_without_return(ctx, a, b):
    a, b = promote(a, b)
    a * b


# Div.forward


@wrong("Div.forward", says="7 / 2 is 3.5, not 3")
def div_whole_numbers(ctx, a, b):
    a, b = promote(a, b)
    with np.errstate(all="ignore"):
        return a / b if a.dtype.kind == "f" else a // b


@wrong("Div.forward", says="not NumPy's float64")
def div_as_numpy_does(ctx, a, b):
    a, b = promote(a, b)
    with np.errstate(all="ignore"):
        return a / b


@wrong("Div.forward", says="PyTorch answers without a warning")
def div_warns(ctx, a, b):
    a, b = promote(a, b)
    return as_float(a) / as_float(b)


@wrong("Div.forward", says="a divided by b, in this order")
def div_turned_around(ctx, a, b):
    a, b = promote(a, b)
    with np.errstate(all="ignore"):
        return as_float(b) / as_float(a)


@wrong("Div.forward", says="1 / 0 is inf")
def div_avoids_zero(ctx, a, b):
    a, b = promote(a, b)
    a, b = as_float(a), as_float(b)
    return a / np.where(b == 0, b.dtype.type(1e-8), b)


# Tensor.__rtruediv__


@wrong("Tensor.__rtruediv__", says="the number on the left is `other`")
def rtruediv_turned_around(self, other):
    return Div.apply(self, other)


@wrong("Tensor.__rtruediv__", says="a function keeps calling itself")
def rtruediv_asks_again(self, other):
    return other / self


@wrong("Tensor.__rtruediv__", says="other / self")
def rtruediv_always_one(self, other):
    return Div.apply(1.0, self)


@wrong("Tensor.__rtruediv__", says="did you forget `return`")
def rtruediv_without_return(self, other):
    Div.apply(other, self)


# Pow.forward


@wrong("Pow.forward", says="the base comes first")
def pow_turned_around(ctx, a, b):
    a, b = promote(a, b)
    with np.errstate(all="ignore"):
        return b**a


@wrong("Pow.forward", says="a base below 0 has whole powers too")
def pow_by_logarithm(ctx, a, b):
    a, b = promote(a, b)
    if a.dtype.kind != "f" and (b < 0).any():
        raise RuntimeError("Integers to negative integer powers are not allowed.")
    with np.errstate(all="ignore"):
        return np.exp(b * np.log(a)).astype(a.dtype)


@wrong("Pow.forward", says="ints stay int64 and exact")
def pow_in_floats(ctx, a, b):
    a, b = promote(a, b)
    with np.errstate(all="ignore"):
        return as_float(a) ** as_float(b)


@wrong("Pow.forward", says="2 ** -1 is no int")
def pow_leaks_numpys_error(ctx, a, b):
    a, b = promote(a, b)
    with np.errstate(all="ignore"):
        return a**b


@wrong("Pow.forward", says="negative powers of floats are fine")
def pow_refuses_all_negative_powers(ctx, a, b):
    a, b = promote(a, b)
    if (b < 0).any():
        raise RuntimeError("negative powers are not allowed")
    with np.errstate(all="ignore"):
        return a**b


@wrong("Pow.forward", says="PyTorch answers without a warning")
def pow_warns(ctx, a, b):
    a, b = promote(a, b)
    if a.dtype.kind != "f" and (b < 0).any():
        raise RuntimeError("Integers to negative integer powers are not allowed.")
    return a**b


# Neg.forward


@wrong("Neg.forward", says="its inputs stay as they are")
def neg_in_place(ctx, a):
    a *= -1
    return a


@wrong("Neg.forward", says="negative ones positive")
def neg_only_of_positive(ctx, a):
    if a.dtype == np.bool_:
        raise RuntimeError("a bool tensor has no negative")
    return -abs(a)


@wrong("Neg.forward", says="int64 stays int64")
def neg_by_a_float(ctx, a):
    if a.dtype == np.bool_:
        raise RuntimeError("a bool tensor has no negative")
    return a * np.float32(-1.0)


@wrong("Neg.forward", says="a bool has no negative")
def neg_leaks_numpys_error(ctx, a):
    return -a


@wrong("Neg.forward", says="did you forget `return`")
def neg_without_return(ctx, a):
    -a


# Exp.forward


@wrong("Exp.forward", says="ints become float32")
def exp_as_numpy_does(ctx, a):
    with np.errstate(all="ignore"):
        return np.exp(a)


@wrong("Exp.forward", says="PyTorch answers without a warning")
def exp_warns(ctx, a):
    return np.exp(as_float(a))


@wrong("Exp.forward", says="e = 2.718281828...")
def exp_of_rounded_e(ctx, a):
    with np.errstate(all="ignore"):
        return np.float32(2.718) ** as_float(a)


@wrong("Exp.forward", says="a Python loop over elements is far too slow")
def exp_in_a_loop(ctx, a):
    a = as_float(a)
    out = np.empty_like(a)
    for i, x in enumerate(a.ravel()):
        out.ravel()[i] = math.exp(x) if x < 88.7 else np.inf if x > 88.7 else np.nan
    return out


@wrong("Exp.forward", says="its inputs stay as they are")
def exp_in_place(ctx, a):
    a = as_float(a)
    with np.errstate(all="ignore"):
        return np.exp(a, out=a)


# Log.forward


@wrong("Log.forward", says="the natural logarithm")
def log_to_base_ten(ctx, a):
    with np.errstate(all="ignore"):
        return np.log10(as_float(a))


@wrong("Log.forward", says="add nothing to a")
def log_avoids_zero(ctx, a):
    with np.errstate(all="ignore"):
        return np.log(as_float(a) + np.float32(1e-8))


@wrong("Log.forward", says="PyTorch answers without a warning")
def log_warns(ctx, a):
    return np.log(as_float(a))


@wrong("Log.forward", says="ints become float32")
def log_as_numpy_does(ctx, a):
    with np.errstate(all="ignore"):
        return np.log(a)


# matmul_loops


@wrong("matmul_loops", says="[[0] * m] * n holds one row n times")
def rows_in_common(a, b):
    n, k, m = len(a), len(b), len(b[0])
    if len(a[0]) != k:
        raise RuntimeError("sizes do not fit")
    out = [[0] * m] * n
    for i in range(n):
        for j in range(m):
            for p in range(k):
                out[i][j] += a[i][p] * b[p][j]
    return out


@wrong("matmul_loops", says="the sum of a[i][p] * b[p][j] over all p, of which there are 3")
def inner_loop_over_rows(a, b):
    if len(a[0]) != len(b):
        raise RuntimeError("sizes do not fit")
    out = [[0] * len(b[0]) for _ in a]
    for i in range(len(a)):
        for j in range(len(b[0])):
            for p in range(len(a)):
                out[i][j] += a[i][p] * b[p][j]
    return out


@wrong("matmul_loops", says="the sum of a[i][p] * b[p][j] over all p, of which there are 3")
def forgets_to_add_up(a, b):
    n, k, m = len(a), len(b), len(b[0])
    if len(a[0]) != k:
        raise RuntimeError("sizes do not fit")
    out = [[0] * m for _ in range(n)]
    for i in range(n):
        for j in range(m):
            for p in range(k):
                out[i][j] = a[i][p] * b[p][j]
    return out


@wrong("matmul_loops", says="a list of lists comes out")
def asks_numpy_for_the_product(a, b):
    a, b = np.asarray(a), np.asarray(b)
    if a.shape[1] != b.shape[0]:
        raise RuntimeError("sizes do not fit")
    product = a @ b
    return product.tolist() if product.dtype.kind == "i" else product


@wrong("matmul_loops", says="not a shorter sum")
def sums_what_there_is(a, b):
    n, m = len(a), len(b[0])
    if len(a[0]) > len(b):
        raise RuntimeError("sizes do not fit")
    out = [[0] * m for _ in range(n)]
    for i in range(n):
        for j in range(m):
            for p in range(len(a[0])):
                out[i][j] += a[i][p] * b[p][j]
    return out


@wrong("matmul_loops", says="did you forget `return`")
def loops_without_return(a, b):
    out = [[0] * len(b[0]) for _ in a]
    for i in range(len(a)):
        for j in range(len(b[0])):
            for p in range(len(b)):
                out[i][j] += a[i][p] * b[p][j]


# MatMul.forward


@wrong("MatMul.forward", says="rows of a with columns of b")
def matmul_columns_first(ctx, a, b):
    if a.dtype != b.dtype:
        raise RuntimeError(f"two dtypes, {a.dtype} and {b.dtype}")
    try:
        return ctx.multiply(b.T, a.T)
    except ValueError:
        raise RuntimeError(f"shapes {a.shape} and {b.shape} cannot be multiplied") from None


@wrong("MatMul.forward", says="np.dot would pair all with all")
def matmul_by_dot(ctx, a, b):
    if a.dtype != b.dtype:
        raise RuntimeError(f"two dtypes, {a.dtype} and {b.dtype}")
    try:
        return np.dot(a, b)
    except ValueError:
        raise RuntimeError(f"shapes {a.shape} and {b.shape} cannot be multiplied") from None


@wrong("MatMul.forward", says="not NumPy's ValueError")
def matmul_leaks_numpys_error(ctx, a, b):
    if a.dtype != b.dtype:
        raise RuntimeError(f"two dtypes, {a.dtype} and {b.dtype}")
    return ctx.multiply(a, b)


@wrong("MatMul.forward", says="matrices of two dtypes are refused")
def matmul_of_two_dtypes(ctx, a, b):
    try:
        return ctx.multiply(a, b)
    except ValueError:
        raise RuntimeError(f"shapes {a.shape} and {b.shape} cannot be multiplied") from None


@wrong("MatMul.forward", says="three Python loops are for matmul_loops")
def matmul_in_loops(ctx, a, b):
    if a.dtype != b.dtype:
        raise RuntimeError(f"two dtypes, {a.dtype} and {b.dtype}")
    try:
        if a.ndim == b.ndim == 2 and a.shape[1] == b.shape[0]:
            return np.array(matmul_loops(a.tolist(), b.tolist()), a.dtype)
        return ctx.multiply(a, b)
    except ValueError:
        raise RuntimeError(f"shapes {a.shape} and {b.shape} cannot be multiplied") from None


@wrong("MatMul.forward", says="did you forget `return`")
def matmul_without_return(ctx, a, b):
    ctx.multiply(a, b)


# Sum.forward


@wrong("Sum.forward", says="keepdim=True keeps the reduced dimension with size 1")
def sum_ignores_keepdim(ctx, a, dim=None, keepdim=False):
    return a.sum(axis=dim, dtype=a.dtype if a.dtype.kind == "f" else np.int64)


@wrong("Sum.forward", says="is the one that disappears")
def sum_ignores_dim(ctx, a, dim=None, keepdim=False):
    return a.sum(dtype=a.dtype if a.dtype.kind == "f" else np.int64)


@wrong("Sum.forward", says="200 + 100 + 50 does not fit into a uint8")
def sum_in_the_same_dtype(ctx, a, dim=None, keepdim=False):
    return a.sum(axis=dim, dtype=a.dtype, keepdims=keepdim)


@wrong("Sum.forward", says="is the one that disappears")
def sum_along_the_other_dim(ctx, a, dim=None, keepdim=False):
    if isinstance(dim, int):
        dim = a.ndim - 1 - dim % a.ndim
    return a.sum(axis=dim, dtype=a.dtype if a.dtype.kind == "f" else np.int64, keepdims=keepdim)


@wrong("Sum.forward", says="a Python loop over elements is far too slow")
def sum_in_a_loop(ctx, a, dim=None, keepdim=False):
    dtype = a.dtype if a.dtype.kind == "f" else np.dtype(np.int64)
    if dim is None and not keepdim:
        total = dtype.type(0)
        for x in a.ravel():
            total += x
        return total
    return a.sum(axis=dim, dtype=dtype, keepdims=keepdim)


# Mean.forward


@wrong("Mean.forward", says="is the one that disappears")
def mean_divides_by_all(ctx, a, dim=None, keepdim=False):
    if a.dtype.kind != "f":
        raise RuntimeError("mean() of ints")
    return a.sum(axis=dim, keepdims=keepdim) / a.dtype.type(a.size)


@wrong("Mean.forward", says="keepdim=True keeps the reduced dimension with size 1")
def mean_ignores_keepdim(ctx, a, dim=None, keepdim=False):
    if a.dtype.kind != "f":
        raise RuntimeError("mean() of ints")
    return a.mean(axis=dim)


@wrong("Mean.forward", says="ints have no mean among ints")
def mean_of_ints(ctx, a, dim=None, keepdim=False):
    return as_float(a).mean(axis=dim, keepdims=keepdim)


@wrong("Mean.forward", says="divided by their number")
def mean_divides_by_rows(ctx, a, dim=None, keepdim=False):
    if a.dtype.kind != "f":
        raise RuntimeError("mean() of ints")
    if dim is None:
        return a.sum() / a.dtype.type(len(a))
    return a.mean(axis=dim, keepdims=keepdim)


@wrong("Mean.forward", says="did you forget `return`")
def mean_without_return(ctx, a, dim=None, keepdim=False):
    a.mean(axis=dim, keepdims=keepdim)


# Max.forward


@wrong("Max.forward", says="do not start from 0")
def max_starts_from_zero(ctx, a, dim=None, keepdim=False):
    if a.size == 0:
        raise RuntimeError("max(): the tensor has no elements")
    return np.max(a, axis=dim, keepdims=keepdim, initial=0).astype(a.dtype)


@wrong("Max.forward", says="a broken number must not disappear")
def max_skips_nan(ctx, a, dim=None, keepdim=False):
    if a.size == 0:
        raise RuntimeError("max(): the tensor has no elements")
    return np.fmax.reduce(a, axis=tuple(range(a.ndim)) if dim is None else dim, keepdims=keepdim)


@wrong("Max.forward", says="not NumPy's ValueError")
def max_leaks_numpys_error(ctx, a, dim=None, keepdim=False):
    return a.max(axis=dim, keepdims=keepdim)


@wrong("Max.forward", says="keepdim=True keeps the reduced dimension with size 1")
def max_ignores_keepdim(ctx, a, dim=None, keepdim=False):
    if a.size == 0:
        raise RuntimeError("max(): the tensor has no elements")
    return a.max(axis=dim)


@wrong("Max.forward", says="is the one that disappears")
def max_ignores_dim(ctx, a, dim=None, keepdim=False):
    if a.size == 0:
        raise RuntimeError("max(): the tensor has no elements")
    return a.max(keepdims=keepdim)


# Reshape.forward


@wrong("Reshape.forward", says="the last index moves fastest")
def reshape_by_columns(ctx, a, shape):
    try:
        return a.reshape(shape, order="F")
    except ValueError:
        raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {a.size}") from None


@wrong("Reshape.forward", says="a view costs nothing")
def reshape_always_copies(ctx, a, shape):
    try:
        return a.copy().reshape(shape)
    except ValueError:
        raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {a.size}") from None


@wrong("Reshape.forward", says="not NumPy's ValueError")
def reshape_leaks_numpys_error(ctx, a, shape):
    return a.reshape(shape)


@wrong("Reshape.forward", says="reshape returns a new tensor; a keeps its shape")
def reshape_in_place(ctx, a, shape):
    try:
        a.shape = shape
    except (ValueError, AttributeError):
        raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {a.size}") from None
    return a


@wrong("Reshape.forward", says="6 elements do not fill 4 * 2 places")
def reshape_repeats_elements(ctx, a, shape):
    rest = -math.prod(shape)
    if -1 in shape:
        shape = [a.size // rest if size == -1 else size for size in shape]
    try:
        return a.reshape(shape)
    except ValueError:
        return np.resize(a, shape)


# Tensor.view


@wrong("Tensor.view", says="view never copies")
def view_is_reshape(self, *shape):
    return self.reshape(*shape)


@wrong("Tensor.view", says="run Reshape.apply, once")
def view_around_apply(self, *shape):
    try:
        out = self.array.reshape(*shape)
    except ValueError:
        raise RuntimeError("the shape does not fit") from None
    if out.size and not np.shares_memory(out, self.array):
        raise RuntimeError("use reshape")
    return Tensor(out)


@wrong("Tensor.view", says="this view exists, contiguous or not")
def view_only_of_contiguous(self, *shape):
    if not self.is_contiguous():
        raise RuntimeError("not contiguous: use reshape")
    return self.reshape(*shape)


@wrong("Tensor.view", says="no elements, nothing to copy")
def view_forgets_empty(self, *shape):
    out = self.reshape(*shape)
    if not np.shares_memory(out.array, self.array):
        raise RuntimeError("use reshape")
    return out


@wrong("Tensor.view", says="did you forget `return`")
def view_without_return(self, *shape):
    out = self.reshape(*shape)
    if out.numel() and not np.shares_memory(out.array, self.array):
        raise RuntimeError("use reshape")


@wrong("Tensor.view", says="a keeps its own shape")
def view_changes_itself(self, *shape):
    self.array = self.reshape(*shape).array
    return self


# Permute.forward


@wrong("Permute.forward", says="dims says which old dimension comes first")
def permute_backwards(ctx, a, dims):
    if sorted(wrap_dim(dim, a.ndim) for dim in dims) != list(range(a.ndim)):
        raise RuntimeError(f"permute: {dims}")
    return a.transpose([[wrap_dim(dim, a.ndim) for dim in dims].index(i) for i in range(a.ndim)])


@wrong("Permute.forward", says="which reshape does not do")
def permute_by_reshape(ctx, a, dims):
    if sorted(wrap_dim(dim, a.ndim) for dim in dims) != list(range(a.ndim)):
        raise RuntimeError(f"permute: {dims}")
    return a.reshape([a.shape[dim] for dim in dims])


@wrong("Permute.forward", says="the memory is shared")
def permute_copies(ctx, a, dims):
    if sorted(wrap_dim(dim, a.ndim) for dim in dims) != list(range(a.ndim)):
        raise RuntimeError(f"permute: {dims}")
    return np.ascontiguousarray(a.transpose(dims))


@wrong("Permute.forward", says="each dimension must be named exactly once")
def permute_leaks_numpys_error(ctx, a, dims):
    return a.transpose(dims)


@wrong("Permute.forward", says="did you forget `return`")
def permute_without_return(ctx, a, dims):
    a.transpose(dims)


# Index.forward


@wrong("Index.forward", says="one element is a view too")
def index_as_numpy_does(ctx, a, index):
    return a[index]


@wrong("Index.forward", says="numbers and slices only move the start and the strides")
def index_always_copies(ctx, a, index):
    return np.array(a[index])


@wrong("Index.forward", says="one index takes one dimension away")
def index_keeps_dimensions(ctx, a, index):
    return a[tuple(slice(i, i + 1) if isinstance(i, int) else i for i in index)]


@wrong("Index.forward", says="did you forget `return`")
def index_without_return(ctx, a, index):
    a[index]


# Cat.forward


@wrong("Cat.forward", says="joined along dim 1")
def cat_ignores_dim(ctx, *arrays, dim=0):
    dtype = functools.reduce(promote_types, [as_dtype(a.dtype) for a in arrays]).numpy
    wrap_dim(dim, arrays[0].ndim)
    try:
        return np.concatenate(
            arrays if len({a.shape[-1] for a in arrays}) == 1 else [a.ravel() for a in arrays], dtype=dtype
        )
    except ValueError:
        raise RuntimeError(f"cat: shapes {[a.shape for a in arrays]}") from None


@wrong("Cat.forward", says="NumPy alone gives float64")
def cat_as_numpy_does(ctx, *arrays, dim=0):
    wrap_dim(dim, arrays[0].ndim)
    try:
        return np.concatenate(arrays, axis=dim)
    except ValueError:
        raise RuntimeError(f"cat: shapes {[a.shape for a in arrays]}") from None


@wrong("Cat.forward", says="cat always makes new memory")
def cat_of_one_is_itself(ctx, *arrays, dim=0):
    if len(arrays) == 1:
        return arrays[0]
    dtype = functools.reduce(promote_types, [as_dtype(a.dtype) for a in arrays]).numpy
    wrap_dim(dim, arrays[0].ndim)
    try:
        return np.concatenate(arrays, axis=dim, dtype=dtype)
    except ValueError:
        raise RuntimeError(f"cat: shapes {[a.shape for a in arrays]}") from None


@wrong("Cat.forward", says="not NumPy's ValueError")
def cat_leaks_numpys_error(ctx, *arrays, dim=0):
    dtype = functools.reduce(promote_types, [as_dtype(a.dtype) for a in arrays]).numpy
    return np.concatenate(arrays, axis=dim, dtype=dtype)


@wrong("Cat.forward", says="not of the first two")
def cat_promotes_the_first_two(ctx, *arrays, dim=0):
    dtype = promote_types(as_dtype(arrays[0].dtype), as_dtype(arrays[min(1, len(arrays) - 1)].dtype)).numpy
    wrap_dim(dim, arrays[0].ndim)
    try:
        return np.concatenate([a.astype(dtype) for a in arrays[:2]] + list(arrays[2:]), axis=dim)
    except ValueError:
        raise RuntimeError(f"cat: shapes {[a.shape for a in arrays]}") from None


# Where.forward


@wrong("Where.forward", says="where the condition is True, else the element of b")
def where_turned_around(ctx, condition, a, b):
    if condition.dtype != np.bool_:
        raise RuntimeError("where expected a bool condition")
    a, b = promote(a, b)
    broadcast_shapes(condition.shape, a.shape, b.shape)
    return np.where(condition, b, a)


@wrong("Where.forward", says="that is not chosen leaves no trace")
def where_blends(ctx, condition, a, b):
    if condition.dtype != np.bool_:
        raise RuntimeError("where expected a bool condition")
    a, b = promote(a, b)
    broadcast_shapes(condition.shape, a.shape, b.shape)
    with np.errstate(all="ignore"):
        return (condition * a + ~condition * b).astype(a.dtype)


@wrong("Where.forward", says="NumPy alone gives float64")
def where_as_numpy_does(ctx, condition, a, b):
    if condition.dtype != np.bool_:
        raise RuntimeError("where expected a bool condition")
    broadcast_shapes(condition.shape, np.shape(a), np.shape(b))
    return np.where(condition, a, b)


@wrong("Where.forward", says="its inputs stay as they are")
def where_in_place(ctx, condition, a, b):
    if condition.dtype != np.bool_:
        raise RuntimeError("where expected a bool condition")
    a, b = promote(a, b)
    if a.shape != b.shape or a.shape != condition.shape:
        broadcast_shapes(condition.shape, a.shape, b.shape)
        return np.where(condition, a, b)
    a[~condition] = b[~condition]
    return a


@wrong("Where.forward", says="a condition of ints may be a mistake")
def where_takes_ints(ctx, condition, a, b):
    a, b = promote(a, b)
    broadcast_shapes(condition.shape, a.shape, b.shape)
    return np.where(condition, a, b)


@wrong("Where.forward", says="not NumPy's ValueError")
def where_leaks_numpys_error(ctx, condition, a, b):
    if condition.dtype != np.bool_:
        raise RuntimeError("where expected a bool condition")
    a, b = promote(a, b)
    return np.where(condition, a, b)

"""Wrong answers to the exercises of module 02: mistakes that people make, each with what its card must say."""

from checks import wrong

# ReLU.forward


@wrong("ReLU.forward", says="np.max reduces")
def max_for_maximum(ctx, a):
    if a.dtype == np.bool_:
        raise RuntimeError("Boolean inputs not supported for relu")
    return np.max(a, 0)


@wrong("ReLU.forward", says="did you forget `return`?")
def relu_returns_nothing(ctx, a):
    if a.dtype == np.bool_:
        raise RuntimeError("Boolean inputs not supported for relu")
    np.maximum(a, 0)


@wrong("ReLU.forward", says="negative numbers become 0, positive ones stay")
def takes_the_size(ctx, a):
    if a.dtype == np.bool_:
        raise RuntimeError("Boolean inputs not supported for relu")
    return np.abs(a)


@wrong("ReLU.forward", says="nan stays nan")
def where_loses_nan(ctx, a):
    if a.dtype == np.bool_:
        raise RuntimeError("Boolean inputs not supported for relu")
    return np.where(a > 0, a, a.dtype.type(0))


@wrong("ReLU.forward", says="-inf becomes 0")
def multiplies_by_the_mask(ctx, a):
    if a.dtype == np.bool_:
        raise RuntimeError("Boolean inputs not supported for relu")
    return a * (a > 0)


@wrong("ReLU.forward", says="it is the input")
def relu_in_place(ctx, a):
    if a.dtype == np.bool_:
        raise RuntimeError("Boolean inputs not supported for relu")
    a[a < 0] = 0
    return a


@wrong("ReLU.forward", says="the result has the dtype of the input")
def always_floats(ctx, a):
    if a.dtype == np.bool_:
        raise RuntimeError("Boolean inputs not supported for relu")
    return np.maximum(a, 0).astype(np.float32)


@wrong("ReLU.forward", says="PyTorch refuses bools")
def relu_of_bools(ctx, a):
    return np.maximum(a, 0)


# LeakyReLU.forward


@wrong("LeakyReLU.forward", says="larger than 1 it makes them smaller")
def larger_of_both(ctx, a, negative_slope=0.01):
    floats(a, "leaky_relu")
    return np.maximum(a, a * negative_slope)


@wrong("LeakyReLU.forward", says="multiplied by 0.01")
def negative_part_lost(ctx, a, negative_slope=0.01):
    return np.maximum(floats(a, "leaky_relu"), 0)


@wrong("LeakyReLU.forward", says="positive numbers stay")
def slope_on_the_wrong_side(ctx, a, negative_slope=0.01):
    return np.where(floats(a, "leaky_relu") > 0, a * negative_slope, a)


@wrong("LeakyReLU.forward", says="whatever it is")
def slope_is_fixed(ctx, a, negative_slope=0.01):
    return np.where(floats(a, "leaky_relu") > 0, a, a * 0.01)


@wrong("LeakyReLU.forward", says="PyTorch refuses ints here")
def leaky_relu_of_ints(ctx, a, negative_slope=0.01):
    return np.where(a > 0, a, a * negative_slope)


@wrong("LeakyReLU.forward", says="it is the input")
def leaks_in_place(ctx, a, negative_slope=0.01):
    floats(a, "leaky_relu")
    if a.ndim == 0:
        return np.where(a > 0, a, a * negative_slope)
    a[a < 0] *= negative_slope
    return a


# Hardtanh.forward


@wrong("Hardtanh.forward", says="bounds that are floats make NumPy return float64")
def clips_with_floats(ctx, a, min_val=-1.0, max_val=1.0):
    return np.clip(a, min_val, max_val)


@wrong("Hardtanh.forward", says="between them the element itself")
def hardtanh_is_tanh(ctx, a, min_val=-1.0, max_val=1.0):
    return np.tanh(a)


@wrong("Hardtanh.forward", says="need not be symmetric")
def fixed_bounds(ctx, a, min_val=-1.0, max_val=1.0):
    return np.clip(a, a.dtype.type(-1), a.dtype.type(1))


@wrong("Hardtanh.forward", says="below -1 it is -1, above 1 it is 1")
def clips_one_side(ctx, a, min_val=-1.0, max_val=1.0):
    return np.minimum(a, a.dtype.type(max_val))


@wrong("Hardtanh.forward", says="it is the input")
def clips_in_place(ctx, a, min_val=-1.0, max_val=1.0):
    return np.clip(a, a.dtype.type(min_val), a.dtype.type(max_val), out=a)


# Sigmoid.forward


@wrong("Sigmoid.forward", says="PyTorch answers without a warning")
def formula_as_it_stands(ctx, a):
    return 1 / (1 + np.exp(-as_float(a)))


@wrong("Sigmoid.forward", says="nan means that inf was divided by inf")
def other_formula(ctx, a):
    with np.errstate(all="ignore"):
        e = np.exp(as_float(a))
        return e / (1 + e)


@wrong("Sigmoid.forward", says="near 0 for very negative x")
def wrong_sign(ctx, a):
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(as_float(a)))


@wrong("Sigmoid.forward", says="would lose all its digits")
def one_minus(ctx, a):
    with np.errstate(over="ignore"):
        return 1 - 1 / (1 + np.exp(as_float(a)))


@wrong("Sigmoid.forward", says="as_float(a)")
def sigmoid_of_ints_in_float64(ctx, a):
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-(a.astype(np.float64) if a.dtype.kind != "f" else a)))


@wrong("Sigmoid.forward", says="1 / (1 + e^-x): 0.5 at 0")
def forgets_the_one(ctx, a):
    with np.errstate(all="ignore"):
        return 1 / np.exp(-as_float(a))


@wrong("Sigmoid.forward", says="it is the input")
def sigmoid_in_place(ctx, a):
    a = as_float(a)
    with np.errstate(over="ignore"):
        np.negative(a, out=a)
        out = np.exp(a)
    return 1 / (1 + out)


# Tanh.forward


@wrong("Tanh.forward", says="inf was divided by inf")
def formula_of_tanh(ctx, a):
    a = as_float(a)
    with np.errstate(all="ignore"):
        return (np.exp(a) - np.exp(-a)) / (np.exp(a) + np.exp(-a))


@wrong("Tanh.forward", says="loses those digits")
def through_the_sigmoid(ctx, a):
    with np.errstate(over="ignore"):
        return 2 / (1 + np.exp(-2 * as_float(a))) - 1


@wrong("Tanh.forward", says="whole numbers become float32")
def tanh_of_ints(ctx, a):
    return np.tanh(a)


@wrong("Tanh.forward", says="between -1 and 1")
def tan_for_tanh(ctx, a):
    return np.tan(as_float(a))


# SiLU.forward


@wrong("SiLU.forward", says="x * sigmoid(x)")
def only_the_gate(ctx, a):
    ctx.sigmoid = Sigmoid().forward(floats(a, "silu"))
    return ctx.sigmoid


@wrong("SiLU.forward", says="need not compute it again")
def keeps_nothing(ctx, a):
    return a * Sigmoid().forward(floats(a, "silu"))


@wrong("SiLU.forward", says="PyTorch refuses ints here")
def silu_of_ints(ctx, a):
    ctx.sigmoid = Sigmoid().forward(a)
    return a * ctx.sigmoid


@wrong("SiLU.forward", says="PyTorch answers without a warning")
def sigmoid_written_again(ctx, a):
    ctx.sigmoid = 1 / (1 + np.exp(-floats(a, "silu")))
    return a * ctx.sigmoid


@wrong("SiLU.forward", says="x itself far above zero")
def divides_infinities(ctx, a):
    with np.errstate(all="ignore"):
        ctx.sigmoid = np.exp(floats(a, "silu")) / (1 + np.exp(a))
        return a * ctx.sigmoid


# ELU.forward


@wrong("ELU.forward", says="must not be computed")
def product_with_the_mask(ctx, a, alpha=1.0):
    with np.errstate(all="ignore"):
        return np.maximum(floats(a, "elu"), 0) + np.expm1(a) * (a < 0) * alpha


@wrong("ELU.forward", says="PyTorch answers without a warning")
def where_computes_both(ctx, a, alpha=1.0):
    return np.where(floats(a, "elu") > 0, a, alpha * np.expm1(a))


@wrong("ELU.forward", says="np.expm1(x) keeps them")
def loses_digits_near_zero(ctx, a, alpha=1.0):
    return np.maximum(floats(a, "elu"), 0) + (np.exp(np.minimum(a, 0)) - 1) * alpha


@wrong("ELU.forward", says="alpha multiplies the negative part only")
def alpha_on_both(ctx, a, alpha=1.0):
    return (np.maximum(floats(a, "elu"), 0) + np.expm1(np.minimum(a, 0))) * alpha


@wrong("ELU.forward", says="alpha multiplies the negative part only")
def alpha_inside(ctx, a, alpha=1.0):
    return np.maximum(floats(a, "elu"), 0) + np.expm1(np.minimum(a, 0) * alpha)


@wrong("ELU.forward", says="below, e^x - 1")
def forgets_minus_one(ctx, a, alpha=1.0):
    return np.where(floats(a, "elu") > 0, a, np.exp(np.minimum(a, 0)) * alpha)


@wrong("ELU.forward", says="PyTorch refuses ints here")
def elu_of_ints(ctx, a, alpha=1.0):
    return np.maximum(a, 0) + np.expm1(np.minimum(a, 0)) * alpha


# Softplus.forward


@wrong("Softplus.forward", says="PyTorch answers without a warning")
def branch_that_overflows(ctx, a, beta=1.0, threshold=20.0):
    z = floats(a, "softplus") * beta
    return np.where(z > threshold, a, np.log1p(np.exp(z)) / beta)


@wrong("Softplus.forward", says="np.log1p(e^x) does not")
def log_of_one_plus(ctx, a, beta=1.0, threshold=20.0):
    z = np.minimum(floats(a, "softplus") * beta, threshold)
    return np.where(a * beta > threshold, a, np.log(1 + np.exp(z)) / beta)


@wrong("Softplus.forward", says="beta goes in and comes out again")
def beta_only_inside(ctx, a, beta=1.0, threshold=20.0):
    z = np.minimum(floats(a, "softplus") * beta, threshold)
    return np.where(a * beta > threshold, a, np.log1p(np.exp(z)))


@wrong("Softplus.forward", says="compared with beta * x, not with x")
def threshold_of_x(ctx, a, beta=1.0, threshold=20.0):
    z = np.minimum(floats(a, "softplus"), threshold) * beta
    return np.where(a > threshold, a, np.log1p(np.exp(z)) / beta)


@wrong("Softplus.forward", says="above threshold the result is x itself")
def threshold_forgotten(ctx, a, beta=1.0, threshold=20.0):
    z = floats(a, "softplus") * beta
    return (np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))) / beta


@wrong("Softplus.forward", says="not divided by beta")
def divides_x_too(ctx, a, beta=1.0, threshold=20.0):
    z = np.minimum(floats(a, "softplus") * beta, threshold)
    return np.where(a * beta > threshold, a, np.log1p(np.exp(z))) / beta


@wrong("Softplus.forward", says="not bounded")
def bounded_but_not_replaced(ctx, a, beta=1.0, threshold=20.0):
    z = np.minimum(floats(a, "softplus") * beta, threshold)
    return np.log1p(np.exp(z)) / beta


# logsigmoid


@wrong("logsigmoid", says="its logarithm would be -inf")
def log_of_the_sigmoid(input):
    return sigmoid(input).log()


@wrong("logsigmoid", says="between 0 and 1 is negative")
def sign_forgotten(input):
    return Softplus.apply(-input, beta=1.0, threshold=20.0)


@wrong("logsigmoid", says="is negative, and near 0 for large x")
def minus_softplus_of_x(input):
    return -Softplus.apply(input, beta=1.0, threshold=20.0)


@wrong("logsigmoid", says="its logarithm would be 0")
def x_minus_softplus(input):
    return input - Softplus.apply(input, beta=1.0, threshold=20.0)


# mish


@wrong("mish", says="the softplus inside, the tanh outside")
def parts_in_the_wrong_order(input, inplace=False):
    return _run(lambda x: x * softplus(tanh(x)), input, inplace)


@wrong("mish", says="and x in front")
def without_the_factor(input, inplace=False):
    return _run(lambda x: tanh(softplus(x)), input, inplace)


@wrong("mish", says="the result is stored in the input's memory")
def ignores_inplace(input, inplace=False):
    return input * tanh(softplus(input))


@wrong("mish", says="an operation returns a new result")
def always_in_place(input, inplace=False):
    return _run(lambda x: x * tanh(softplus(x)), input, True)


@wrong("mish", says="hand it the function itself")
def result_for_function(input, inplace=False):
    return _run(input * tanh(softplus(input)), input, inplace)


# tanh_cdf


@wrong("tanh_cdf", says="one half at 0")
def tanh_not_moved(a):
    with np.errstate(over="ignore"):
        return np.tanh(math.sqrt(2 / math.pi) * (a + 0.044715 * a * a * a)).astype(a.dtype)


@wrong("tanh_cdf", says="(a + 0.044715 a^3)")
def squares_instead_of_cubes(a):
    with np.errstate(over="ignore"):
        return ((1 + np.tanh(math.sqrt(2 / math.pi) * (a + 0.044715 * a * a))) / 2).astype(a.dtype)


@wrong("tanh_cdf", says="(1 + tanh(sqrt(2 / pi)")
def root_of_pi_halves(a):
    with np.errstate(over="ignore"):
        out = 1 + 0.044715 * np.square(a, dtype=np.promote_types(a.dtype, np.float32))
    return _tanh_to_cdf(out * math.sqrt(math.pi / 2), a)


@wrong("tanh_cdf", says="PyTorch answers without a warning")
def warns_of_large_squares(a):
    out = np.square(a, dtype=np.promote_types(a.dtype, np.float32)) * 0.044715 + 1
    return _tanh_to_cdf(out * math.sqrt(2 / math.pi), a)


@wrong("tanh_cdf", says="nothing on the way may be float32")
def everything_in_float32(a):
    with np.errstate(over="ignore"):
        out = np.square(a, dtype=np.float32) * 0.044715 + 1
    return _tanh_to_cdf(out * math.sqrt(2 / math.pi), a)


@wrong("tanh_cdf", says="compute in float32 and round once")
def rounds_at_each_step(a):
    with np.errstate(over="ignore"):
        out = np.square(a) * 0.044715 + 1
        return ((np.tanh(out * math.sqrt(2 / math.pi) * a) + 1) / 2).astype(a.dtype)


# normal_cdf


@wrong("normal_cdf", says="use math.erfc")
def one_plus_erf(a):
    if a.dtype == np.float64:
        return np.asarray(np.frompyfunc(lambda x: (1 + math.erf(x / math.sqrt(2))) / 2, 1, 1)(a), np.float64)
    with np.errstate(over="ignore"):
        square = np.square(a, dtype=np.float32)
        out = np.zeros_like(square)
        for coefficient in _P[:0:-1]:
            out = (out + coefficient) * square
    return _tanh_to_cdf(out + np.float32(_P[0]), a)


@wrong("normal_cdf", says="a Python function for each element is for float64 only")
def one_by_one(a):
    return np.asarray(np.frompyfunc(lambda x: math.erfc(-x / math.sqrt(2)) / 2, 1, 1)(a), a.dtype)


@wrong("normal_cdf", says="all seven coefficients, each with its power")
def last_coefficient_lost(a):
    if a.dtype == np.float64:
        return np.asarray(np.frompyfunc(lambda x: math.erfc(-x / math.sqrt(2)) / 2, 1, 1)(a), np.float64)
    with np.errstate(over="ignore"):
        square = np.square(a, dtype=np.float32)
        out = np.zeros_like(square)
        for coefficient in _P[-2:0:-1]:
            out = (out + coefficient) * square
    return _tanh_to_cdf(out + np.float32(_P[0]), a)


@wrong("normal_cdf", says="_P[0] stands alone")
def coefficients_backwards(a):
    if a.dtype == np.float64:
        return np.asarray(np.frompyfunc(lambda x: math.erfc(-x / math.sqrt(2)) / 2, 1, 1)(a), np.float64)
    with np.errstate(over="ignore"):
        square = np.square(a, dtype=np.float32)
        out = np.zeros_like(square)
        for coefficient in _P[:-1]:
            out = (out + coefficient) * square
    return _tanh_to_cdf(out + np.float32(_P[-1]), a)


@wrong("normal_cdf", says="_P[1] goes with a^2")
def powers_of_a(a):
    if a.dtype == np.float64:
        return np.asarray(np.frompyfunc(lambda x: math.erfc(-x / math.sqrt(2)) / 2, 1, 1)(a), np.float64)
    out = np.zeros_like(a)
    for coefficient in _P[:0:-1]:
        out = (out + coefficient) * a
    return _tanh_to_cdf(out + np.float32(_P[0]), a)


@wrong("normal_cdf", says="the polynomial is good for 1e-7 only")
def polynomial_for_all(a):
    with np.errstate(over="ignore"):
        square = np.square(a, dtype=np.promote_types(a.dtype, np.float32))
        out = np.zeros_like(square)
        for coefficient in _P[:0:-1]:
            out = (out + coefficient) * square
    return _tanh_to_cdf(out + np.float32(_P[0]), a)


@wrong("normal_cdf", says="nan means that inf - inf was computed")
def sum_of_powers(a):
    if a.dtype == np.float64:
        return np.asarray(np.frompyfunc(lambda x: math.erfc(-x / math.sqrt(2)) / 2, 1, 1)(a), np.float64)
    with np.errstate(all="ignore"):
        square = np.square(a, dtype=np.float32)
        out = sum(np.float32(c) * square**k for k, c in enumerate(_P))
    return _tanh_to_cdf(out, a)


@wrong("normal_cdf", says="PyTorch answers without a warning")
def polynomial_that_warns(a):
    if a.dtype == np.float64:
        return np.asarray(np.frompyfunc(lambda x: math.erfc(-x / math.sqrt(2)) / 2, 1, 1)(a), np.float64)
    square = np.square(a, dtype=np.float32)
    out = np.zeros_like(square)
    for coefficient in _P[:0:-1]:
        out = (out + coefficient) * square
    return _tanh_to_cdf(out + np.float32(_P[0]), a)


@wrong("normal_cdf", says="np.asarray makes an array of a bare number")
def bare_number_for_no_dimensions(a):
    if a.dtype == np.float64:
        out = np.frompyfunc(lambda x: math.erfc(-x / math.sqrt(2)) / 2, 1, 1)(a)
        return out.astype(np.float64) if a.ndim else out
    with np.errstate(over="ignore"):
        square = np.square(a, dtype=np.float32)
        out = np.zeros_like(square)
        for coefficient in _P[:0:-1]:
            out = (out + coefficient) * square
    return _tanh_to_cdf(out + np.float32(_P[0]), a)


# GELU.evaluate


@wrong("GELU.evaluate", says="two arrays, as a tuple")
@staticmethod
def only_the_product(a, approximate):
    return a * (normal_cdf(a) if approximate == "none" else tanh_cdf(a))


@wrong("GELU.evaluate", says="comes first")
@staticmethod
def cdf_first(a, approximate):
    cdf = normal_cdf(a) if approximate == "none" else tanh_cdf(a)
    return cdf, a * cdf


@wrong("GELU.evaluate", says='"tanh" asks for tanh_cdf')
@staticmethod
def always_exact(a, approximate):
    cdf = normal_cdf(a)
    return a * cdf, cdf


@wrong("GELU.evaluate", says="would overwrite it")
@staticmethod
def product_twice(a, approximate):
    out = normal_cdf(a) if approximate == "none" else tanh_cdf(a)
    cdf = out
    out *= a
    return out, cdf


@wrong("GELU.evaluate", says="a is the input")
@staticmethod
def multiplies_in_place(a, approximate):
    cdf = normal_cdf(a) if approximate == "none" else tanh_cdf(a)
    a *= cdf
    return a, cdf


# GELU.forward


@wrong("GELU.forward", says="the exact distribution function by default")
def returns_the_cdf(ctx, a, approximate="none"):
    if approximate not in ("none", "tanh"):
        raise RuntimeError("approximate argument must be either none or tanh.")
    ctx.cdf, out = ctx.evaluate(floats(a, "gelu"), approximate)
    return out


@wrong("GELU.forward", says="asks for the other distribution function")
def ignores_approximate(ctx, a, approximate="none"):
    if approximate not in ("none", "tanh"):
        raise RuntimeError("approximate argument must be either none or tanh.")
    out, ctx.cdf = ctx.evaluate(floats(a, "gelu"), "none")
    return out


@wrong("GELU.forward", says="must not be taken for one of the two")
def takes_any_word(ctx, a, approximate="none"):
    out, ctx.cdf = ctx.evaluate(floats(a, "gelu"), approximate)
    return out


@wrong("GELU.forward", says="need not compute it again")
def forgets_the_cdf(ctx, a, approximate="none"):
    if approximate not in ("none", "tanh"):
        raise RuntimeError("approximate argument must be either none or tanh.")
    return ctx.evaluate(floats(a, "gelu"), approximate)[0]


@wrong("GELU.forward", says="PyTorch refuses ints here")
def gelu_of_ints(ctx, a, approximate="none"):
    if approximate not in ("none", "tanh"):
        raise RuntimeError("approximate argument must be either none or tanh.")
    out, ctx.cdf = ctx.evaluate(as_float(a), approximate)
    return out


# below_largest


@wrong("below_largest", says="is subtracted from that row")
def largest_of_all(a, dim):
    wrap_dim(dim, a.ndim)
    with np.errstate(invalid="ignore"):
        return np.subtract(a, a.max(initial=-np.inf), out=np.empty_like(a))


@wrong("below_largest", says="the largest of each column")
def always_the_last(a, dim):
    wrap_dim(dim, a.ndim)
    largest = a.max(axis=-1, keepdims=True, initial=-np.inf)
    with np.errstate(invalid="ignore"):
        return np.subtract(a, largest, out=np.empty_like(a))


@wrong("below_largest", says="a is the input")
def subtracts_in_place(a, dim):
    wrap_dim(dim, a.ndim)
    with np.errstate(invalid="ignore"):
        a -= a.max(axis=dim, keepdims=True, initial=-np.inf)
    return a


@wrong("below_largest", says="with keepdims=True the largest are (2, 1)")
def largest_without_keepdims(a, dim):
    wrap_dim(dim, a.ndim)
    return np.asarray(a - a.max(axis=dim, initial=-np.inf))


@wrong("below_largest", says="max needs `initial`")
def nothing_has_a_largest(a, dim):
    wrap_dim(dim, a.ndim)
    largest = a.max(axis=dim, keepdims=True)
    with np.errstate(invalid="ignore"):
        return np.subtract(a, largest, out=np.empty_like(a))


@wrong("below_largest", says="PyTorch answers without a warning")
def warns_of_a_masked_row(a, dim):
    wrap_dim(dim, a.ndim)
    largest = a.max(axis=dim, keepdims=True, initial=-np.inf)
    return np.subtract(a, largest, out=np.empty_like(a))


@wrong("below_largest", says="accepts dim 0 and -1")
def a_number_instead_of_an_array(a, dim):
    wrap_dim(dim, a.ndim)
    with np.errstate(invalid="ignore"):
        return a - a.max(axis=dim, keepdims=True, initial=-np.inf)


@wrong("below_largest", says="the largest of each row")
def below_the_smallest(a, dim):
    wrap_dim(dim, a.ndim)
    with np.errstate(invalid="ignore"):
        return np.subtract(a, a.min(axis=dim, keepdims=True, initial=np.inf), out=np.empty_like(a))


# Softmax.forward


@wrong("Softmax.forward", says="PyTorch answers without a warning")
def program_from_the_top(ctx, a, dim):
    wrap_dim(dim, a.ndim)
    e = np.exp(floats(a, "softmax"))
    return e / e.sum(axis=dim, keepdims=True)


@wrong("Softmax.forward", says="only differences count")
def quiet_but_nan(ctx, a, dim):
    wrap_dim(dim, a.ndim)
    with np.errstate(all="ignore"):
        e = np.exp(floats(a, "softmax"))
        return np.asarray(e / e.sum(axis=dim, keepdims=True), a.dtype)


@wrong("Softmax.forward", says="along dim 1 each row adds up to 1")
def sum_over_everything(ctx, a, dim):
    out = np.exp(below_largest(floats(a, "softmax"), dim))
    return np.asarray(out / out.sum(), a.dtype)


@wrong("Softmax.forward", says="only over it")
def sum_over_the_last(ctx, a, dim):
    out = np.exp(below_largest(floats(a, "softmax"), dim))
    return out / out.sum(axis=-1, keepdims=True)


@wrong("Softmax.forward", says="with the largest of the whole table")
def one_largest_for_all(ctx, a, dim):
    wrap_dim(dim, a.ndim)
    out = np.exp(floats(a, "softmax") - a.max(initial=-np.inf))
    return out / out.sum(axis=dim, keepdims=True)


@wrong("Softmax.forward", says="each row is divided by its own sum: with keepdims=True")
def softmax_without_keepdims(ctx, a, dim):
    out = np.exp(below_largest(floats(a, "softmax"), dim))
    return out / out.sum(axis=dim)


@wrong("Softmax.forward", says="PyTorch refuses ints here")
def softmax_of_ints(ctx, a, dim):
    out = np.exp(below_largest(as_float(a), dim))
    return out / out.sum(axis=dim, keepdims=True)


@wrong("Softmax.forward", says="along dim 1 each row adds up to 1")
def shares_without_exp(ctx, a, dim):
    out = below_largest(floats(a, "softmax"), dim)
    return out / out.sum(axis=dim, keepdims=True)


# LogSoftmax.forward


@wrong("LogSoftmax.forward", says="never take the log of the softmax")
def log_of_softmax(ctx, a, dim):
    with np.errstate(divide="ignore"):
        return np.log(Softmax().forward(floats(a, "log_softmax"), dim))


@wrong("LogSoftmax.forward", says="the logarithm of the softmax: negative numbers")
def without_the_log(ctx, a, dim):
    out = below_largest(floats(a, "log_softmax"), dim)
    return out - np.exp(out).sum(axis=dim, keepdims=True)


@wrong("LogSoftmax.forward", says="add up to 1 in each row")
def sum_of_all_exponentials(ctx, a, dim):
    out = below_largest(floats(a, "log_softmax"), dim)
    return out - np.log(np.exp(out).sum())


@wrong("LogSoftmax.forward", says="one logarithm for each row: with keepdims=True")
def logs_without_keepdims(ctx, a, dim):
    out = below_largest(floats(a, "log_softmax"), dim)
    with np.errstate(divide="ignore"):
        return out - np.log(np.exp(out).sum(axis=dim))


@wrong("LogSoftmax.forward", says="PyTorch answers without a warning")
def log_sum_of_the_scores(ctx, a, dim):
    below_largest(floats(a, "log_softmax"), dim)
    return a - np.log(np.exp(a).sum(axis=dim, keepdims=True))


@wrong("LogSoftmax.forward", says="only over it")
def logs_over_the_last(ctx, a, dim):
    out = below_largest(floats(a, "log_softmax"), dim)
    with np.errstate(divide="ignore"):
        return out - np.log(np.exp(out).sum(axis=-1, keepdims=True))


@wrong("LogSoftmax.forward", says="PyTorch refuses ints here")
def log_softmax_of_ints(ctx, a, dim):
    out = below_largest(as_float(a), dim)
    with np.errstate(divide="ignore"):
        return out - np.log(np.exp(out).sum(axis=dim, keepdims=True))


@wrong("LogSoftmax.forward", says="PyTorch answers without a warning")
def log_of_nothing_warns(ctx, a, dim):
    out = below_largest(floats(a, "log_softmax"), dim)
    return out - np.log(np.exp(out).sum(axis=dim, keepdims=True))

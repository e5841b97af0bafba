"""Module 17: the assembler byte by byte, and its kernels, run through wasmtime, against NumPy and PyTorch."""

import importlib
import operator
import struct

import numpy as np
import pytest
import torch
import wasmtime
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tinytorch import _kernels, acceleration, wasm
from tinytorch._kernels import KERNEL, load_kernel, loaded
from tinytorch.activations import GELU
from tinytorch.optimizers import Adam
from tinytorch.tensor import MatMul, Tensor
from tinytorch.wasm import F32, I32, INSTRUCTIONS, V128, Module, Value, op, select

few = settings(max_examples=60, deadline=None, derandomize=True)
RANDOM = np.random.default_rng(17)


def validate(code):
    """Fail unless the bytes are a module."""
    wasmtime.Module.validate(wasmtime.Engine(), code)


def run(body, *arguments, types=None):
    """Load and call the kernel whose body body(f, *params) writes."""
    module = Module()
    f = module.function(KERNEL, *(types or [I32] * len(arguments)))
    body(f, *f.params)
    code = module.encode()
    validate(code)
    load_kernel(code)(*arguments)


# The assembler


def decode(data, signed=False):
    """Return the number that LEB128 bytes hold, read in the slow and obvious way."""
    total = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(data))
    return total - (1 << 7 * len(data)) if signed and data[-1] & 0x40 else total


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (16383, "ff7f"), (16384, "808001"), (624485, "e58e26")],
)
def test_unsigned_leb128(number, expected):
    assert wasm.unsigned(number).hex() == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        *((0, "00"), (1, "01"), (-1, "7f"), (63, "3f"), (64, "c000"), (-64, "40"), (-65, "bf7f"), (127, "ff00")),
        *((-128, "807f"), (-123456, "c0bb78"), (2**31 - 1, "ffffffff07"), (-(2**31), "8080808078")),
    ],
)
def test_signed_leb128(number, expected):
    assert wasm.signed(number).hex() == expected


@given(st.integers(0, 2**64), st.integers(-(2**63), 2**63))
def test_leb128_is_read_back_and_short(natural, integer):
    assert decode(wasm.unsigned(natural)) == natural
    assert decode(wasm.signed(integer), signed=True) == integer
    assert len(wasm.unsigned(natural)) == max(1, -(-natural.bit_length() // 7))


def test_unsigned_leb128_refuses_a_sign():
    with pytest.raises(ValueError, match="-1 is negative"):
        wasm.unsigned(-1)


def test_a_small_module_byte_by_byte():
    module = Module()
    f = module.function("f", I32)
    f.emit("i32.store", f.params[0], 7)
    expected = """
        0061736d 01000000
        00 0f 08 64796c696e6b2e30 01 04 00000000  | custom section dylink.0
        01 05 01 60 01 7f 00  | types: (i32) -> ()
        02 0f 01 03 656e76 06 6d656d6f7279 02 00 00  | imports: env.memory
        03 02 01 00  | functions: the first is of the first type
        07 05 01 01 66 00 00  | exports: f
        0a 0b 01 09 00 2000 4107 360200 0b  | code: local.get 0, i32.const 7, i32.store, end
    """
    assert module.encode() == bytes.fromhex("".join(line.split("|")[0] for line in expected.splitlines()))
    validate(module.encode())


def test_functions_of_one_signature_share_a_type_and_constants_of_vectors_are_made_once():
    module = Module()
    for name in "ab":
        f = module.function(name, I32)
        x = f.let(op("v128.load", f.params[0]) * 2.5)
        f.emit("v128.store", f.params[0], x * 2.5 + 1.0)
    code = module.encode()
    validate(code)
    assert code.count(b"\x60\x01\x7f\x00") == 1
    assert code.count(struct.pack("<f", 2.5)) == 2, "once in each function"
    names = [export.name for export in wasmtime.Module(wasmtime.Engine(), code).exports]
    assert names == ["a", "b"]


@pytest.mark.parametrize("name", INSTRUCTIONS)
def test_every_instruction_has_operands_that_an_engine_accepts(name):
    module = Module()
    f = module.function("f")
    _, types, result = INSTRUCTIONS[name]
    operands = [f.local(type) for type in types]
    offsets = [0, 16, 300] if ".load" in name or ".store" in name else [0]
    for offset in offsets:
        if result:
            f.let(op(name, *operands, offset=offset))
        else:
            f.emit(name, *operands, offset=offset)
    validate(module.encode())


UNARY = {"abs": np.abs, "neg": np.negative, "ceil": np.ceil, "floor": np.floor, "trunc": np.trunc, "nearest": np.rint}
UNARY |= {"sqrt": lambda x: np.sqrt(np.abs(x))}
BINARY = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "min": np.minimum, "max": np.maximum}
COMPARE = {name: getattr(operator, name) for name in ("lt", "gt", "le", "ge", "eq", "ne")}
X = np.float32([1.5, -2.5, 3.0, 0.25])
Y = np.float32([-0.5, 2.0, 3.0, 8.0])


@pytest.mark.parametrize("name", [*UNARY, *BINARY, *COMPARE])
def test_instructions_on_floats_compute_what_numpy_does(name):
    vector, scalar = np.zeros(4, np.float32), np.zeros(4, np.float32 if name not in COMPARE else np.int32)

    def body(f, x, y, vector, scalar):
        operands = {V128: [op("v128.load", x), op("v128.load", y)]}
        for lane in range(4):
            operands[F32] = [op("f32.load", x, offset=4 * lane), op("f32.load", y, offset=4 * lane)]
            count = 1 if name in UNARY else 2
            if name == "sqrt":
                operands = {type: [op(f"{prefix(type)}.abs", x), y] for type, (x, y) in operands.items()}
            value = op(f"f32.{name}", *operands[F32][:count])
            f.emit(f"{value.type}.store", scalar, value, offset=4 * lane)
        f.emit("v128.store", vector, op(f"f32x4.{name}", *operands[V128][:count]))

    run(body, X, Y, vector, scalar)
    if name in COMPARE:
        expected = COMPARE[name](X, Y)
        np.testing.assert_array_equal(vector.view(np.int32), -expected.astype(np.int32))
    else:
        expected = UNARY[name](X) if name in UNARY else BINARY[name](X, Y)
        np.testing.assert_array_equal(vector, expected)
    np.testing.assert_array_equal(scalar, expected)


def prefix(type):
    return "f32x4" if type == V128 else type


INTEGERS = {
    **{"add": operator.add, "sub": operator.sub, "mul": operator.mul, "and": operator.and_, "or": operator.or_},
    **{"xor": operator.xor, "shl": lambda x, y: x << y % 32, "shr": lambda x, y: x >> y % 32},
    **{"div": lambda x, y: int(x / y), "rem": lambda x, y: x - y * int(x / y)},
    **COMPARE,
}


@pytest.mark.parametrize("name", INTEGERS)
@pytest.mark.parametrize(("x", "y"), [(7, 3), (-7, 3), (3, 3), (1000, -31), (-5, -2)])
def test_instructions_on_integers_compute_what_python_does(name, x, y):
    out = np.zeros(1, np.int32)
    run(lambda f, out, x, y: f.emit("i32.store", out, op(f"i32.{name}", x, y)), out, x, y)
    assert out[0] == np.int64(INTEGERS[name](x, y)).astype(np.int32)


def test_instructions_on_bits_conversions_and_lanes():
    out = np.zeros(4 * 10, np.int32)

    def body(f, x, out):
        v, w = op("v128.load", x), op("v128.load", x, offset=16)
        results = [op("v128.and", v, w), op("v128.andnot", v, w), op("v128.or", v, w), op("v128.xor", v, w)]
        results += [op("v128.not", v), op("v128.bitselect", v, w, v), op("i32x4.add", v, w)]
        results += [op("i32x4.shl", v, 3), op("i32x4.shr", v, 1), op("i32x4.splat", 5)]
        for place, value in enumerate(results):
            f.emit("v128.store", out, value, offset=16 * place)

    v, w = np.int32([[6, -3, 2**30, 12345], [5, 9, -7, 77]])
    run(body, np.concatenate([v, w]), out)
    with np.errstate(over="ignore"):
        expected = [v & w, v & ~w, v | w, v ^ w, ~v, v & v | w & ~v, v + w, v << 3, v >> 1, [5] * 4]
    np.testing.assert_array_equal(out.reshape(10, 4), expected)

    floats = np.float32([1.75, -2.75, 3e9, -3e9])
    out, back = np.zeros(4, np.int32), np.zeros(12, np.float32)

    def convert(f, x, out, back):
        f.emit("v128.store", out, op("i32x4.trunc_f32x4", op("v128.load", x)))
        f.emit("v128.store", back, op("f32x4.convert_i32x4", op("v128.load", out)))
        f.emit("v128.store32_lane", back, op("v128.load32_splat", x, offset=4), offset=16)
        f.emit("v128.store", back, op("v128.load32_zero", x, offset=4), offset=32)
        f.emit("f32.store", back, op("f32.convert_i32", op("i32.load", out)), offset=20)

    run(convert, floats, out, back)
    np.testing.assert_array_equal(out, [1, -2, 2**31 - 1, -(2**31)])
    np.testing.assert_array_equal(back, [*np.float32([1, -2, 2**31, -(2**31)]), -2.75, 1, 0, 0, -2.75, 0, 0, 0])


@pytest.mark.parametrize("value", [0, 1, 63, 64, -64, -65, 2**31 - 1, -(2**31), 2**31, 2**32 - 1])
def test_integer_constants_keep_their_32_bits(value):
    out = np.zeros(1, np.uint32)
    run(lambda f, out: f.emit("i32.store", out, value), out)
    assert out[0] == value % 2**32


@pytest.mark.parametrize(("stop", "step"), [(0, 1), (-3, 1), (1, 1), (7, 1), (7, 3), (9, 3)])
def test_range_counts_as_pythons_does(stop, step):
    out = np.zeros(20, np.int32)

    def body(f, out, stop):
        with f.range(stop, step) as i:
            f.emit("i32.store", out, i + 1)
            f.set(out, out + 4)

    run(body, out, stop)
    numbers = [i + 1 for i in range(0, stop, step)]
    assert out.tolist() == numbers + [0] * (20 - len(numbers))


def test_blocks_loops_and_branches_nest():
    """Primes below 30 by trial division: a loop in a loop, left by a branch from the inside."""
    out = np.zeros(30, np.int32)

    def body(f, out):
        n = f.let(Value(I32, *wasm.number(I32, 2).code))
        with f.block() as done, f.loop() as next_n:
            f.br_if(done, n >= 30)
            divisor = f.local(I32)
            f.set(divisor, 2)
            with f.block() as composite:
                with f.loop() as next_divisor, f.if_(divisor * divisor <= n):
                    f.br_if(composite, op("i32.eqz", op("i32.rem", n, divisor)))
                    f.set(divisor, divisor + 1)
                    f.br_if(next_divisor)
                f.emit("i32.store", out + n * 4, 1)
            f.set(n, n + 1)
            f.br_if(next_n)

    run(body, out)
    assert np.flatnonzero(out).tolist() == [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]


def test_calls_and_select():
    module = Module()
    larger = module.function("larger", I32, F32, F32, export=False)
    target, x, y = larger.params
    larger.emit("f32.store", target, select(x > y, x, y))
    f = module.function(KERNEL, I32)
    f.call(larger, f.params[0], wasm.number(F32, 2.5), wasm.number(F32, 1.5))
    f.call(larger, f.params[0] + 4, wasm.number(F32, -2.5), wasm.number(F32, 1.5))
    out = np.zeros(2, np.float32)
    load_kernel(module.encode())(out)
    assert out.tolist() == [2.5, 1.5]


def mistakes():
    """Return {what is wrong: (function of a Function, error, words of its message)}."""
    other = Module().function("other", I32, F32)
    vector = other.local(V128)

    def closed(f):
        with f.block() as label:
            pass
        f.br_if(label)

    return {
        "unknown instruction": (lambda f: op("f32x4.fma", 1.0), ValueError, "unknown instruction 'f32x4.fma'"),
        "operands missing": (lambda f: op("i32.add", 1), TypeError, "takes 2 operands .i32, i32., got 1"),
        "operand's type": (
            lambda f: op("f32x4.add", vector, f.params[0]),
            TypeError,
            "operand 2 must be v128, got i32",
        ),
        "mixed operator": (lambda f: vector * f.params[0], TypeError, "f32x4.mul: operand 2 must be v128"),
        "float for an int": (lambda f: f.params[0] + 1.5, TypeError, "1.5 is not a number of type i32"),
        "text": (lambda f: vector + "1", TypeError, "'1' is not a number of type v128"),
        "too many bits": (lambda f: f.params[0] + 2**32, ValueError, "does not fit into 32 bits"),
        "offset": (lambda f: op("f32x4.add", vector, vector, offset=4), TypeError, "no address"),
        "negative offset": (lambda f: op("v128.load", 0, offset=-4), ValueError, "-4 is negative"),
        "value left over": (lambda f: f.emit("v128.load", 0), TypeError, "leaves a value of type v128"),
        "no value": (lambda f: f.let(op("i32.store", 0, 0)), ValueError, "unknown type None"),
        "type of a set": (lambda f: f.set(f.params[0], vector), TypeError, "the local is i32, the value v128"),
        "another's local": (lambda f: f.set(vector, vector), TypeError, "only a local of this function"),
        "set an expression": (lambda f: f.set(f.params[0] + 1, 2), TypeError, "only a local of this function"),
        "unknown type": (lambda f: f.local("i64"), ValueError, "unknown type 'i64'"),
        "vector condition": (lambda f: f.if_(vector < 1.0), TypeError, "a condition is a Value of type i32"),
        "number as condition": (lambda f: f.if_(True), TypeError, "a condition is a Value of type i32"),
        "truth": (lambda f: bool(f.params[0] < 1), TypeError, "known only when the code runs"),
        "closed label": (closed, ValueError, "the label's region is not open"),
        "arguments": (lambda f: f.call(other, 1, 2), TypeError, r"takes \(i32, f32\), got \(i32, i32\)"),
    }


@pytest.mark.parametrize("name", mistakes())
def test_a_mistake_is_an_error_where_it_is_made(name):
    act, error, words = mistakes()[name]
    with pytest.raises(error, match=words):
        act(Module().function("f", I32))


def test_two_functions_cannot_have_one_name():
    module = Module()
    module.function("f")
    with pytest.raises(ValueError, match="there is a function 'f' already"):
        module.function("f")


# Loading


def test_a_module_imports_only_memory_and_is_a_library_for_the_dynamic_linker():
    for code in KERNELS.values():
        validate(code)
        module = wasmtime.Module(wasmtime.Engine(), code)
        assert [(x.module, x.name) for x in module.imports] == [("env", "memory")]
        assert [x.name for x in module.exports] == [KERNEL]
        assert code[8:19] == b"\0\x0f\x08dylink.0", "the linker wants it to be the first section"


def test_without_wasmtime_the_error_says_what_to_install(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ImportError, match="pip install wasmtime"):
        load_kernel(acceleration.matmul_kernel())


def test_bytes_that_are_no_module_are_refused():
    with pytest.raises(wasmtime.WasmtimeError):
        load_kernel(b"\0asm\x01\0\0\0nonsense")


def test_a_kernel_sees_the_addresses_of_views_and_writes_only_what_it_is_told():
    def body(f, x, buffer, count):
        f.emit("f32.store", x, op("f32.convert_i32", op("i32.load", buffer) + count))

    array = np.arange(12, dtype=np.float32)
    run(body, array[3:9], struct.pack("i", 40), 2)
    run(body, array[::-1], struct.pack("i", 50), 3)
    assert array.tolist() == [0, 1, 2, 42, 4, 5, 6, 7, 8, 9, 10, 53]


# The matmul kernel

KERNELS = {
    "matmul": acceleration.matmul_kernel(),
    "matmul fused": acceleration.matmul_kernel(acceleration.fused_multiply_add),
    "gelu": acceleration.gelu_kernel(),
    "gelu tanh": acceleration.gelu_kernel("tanh"),
    "adam": acceleration.adam_kernel(),
    "peak": acceleration.peak_kernel(),
}
LAYOUTS = {
    "plain": lambda x: x,
    "transposed": lambda x: np.swapaxes(np.swapaxes(x, -1, -2).copy(), -1, -2),
    "every other": lambda x: np.repeat(np.repeat(x, 2, -1), 2, -2)[..., ::2, ::2],
    "backwards": lambda x: x[..., ::-1, ::-1].copy()[..., ::-1, ::-1],
    "Fortran": np.asfortranarray,
    "part": lambda x: np.pad(x, [(1, 2)] * x.ndim)[(slice(1, -2),) * x.ndim],
    "read-only": lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
}


def numbers(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def assert_product(a, b, multiply=acceleration.run_matmul):
    """Fail unless multiply(a, b) is right to 1e-6 of the sum of the products' sizes, and a, b are as before."""
    before = a.copy(), b.copy()
    out = multiply(a, b)
    exact = np.matmul(a.astype(np.float64), b.astype(np.float64))
    assert out.shape == exact.shape and out.dtype == np.float32 and out.flags.c_contiguous
    size = np.matmul(np.abs(a).astype(np.float64), np.abs(b).astype(np.float64))
    worst = (np.abs(out - exact) / size).max()
    assert worst < 1e-6, f"{a.shape} @ {b.shape}: off by {worst}"
    assert (a == before[0]).all() and (b == before[1]).all()


@few
@given(
    *[st.integers(1, 21)] * 3,
    st.sampled_from(list(LAYOUTS)),
    st.sampled_from(list(LAYOUTS)),
)
@example(1, 1, 1, "plain", "plain")
@example(4, 1, 8, "plain", "plain")
@example(5, 3, 9, "transposed", "plain")
@example(3, 7, 7, "plain", "transposed")
@example(8, 16, 16, "transposed", "transposed")
def test_the_kernel_multiplies_any_shape_in_any_layout(n, k, m, left, right):
    assert_product(LAYOUTS[left](numbers(n, k)), LAYOUTS[right](numbers(k, m)))


BLOCKS = acceleration.DEPTH, acceleration.WIDTH


@pytest.mark.parametrize("k", [BLOCKS[0] - 1, BLOCKS[0], BLOCKS[0] + 1, 3 * BLOCKS[0] + 5])
@pytest.mark.parametrize("m", [1, BLOCKS[1] - 1, BLOCKS[1], BLOCKS[1] + 1, BLOCKS[1] + 13])
def test_the_kernel_goes_from_block_to_block(k, m):
    assert_product(numbers(5, k), numbers(m, k).T)


@pytest.mark.parametrize("shape", [(1, 300, 1), (300, 1, 300), (257, 3, 5), (2, 3, 1100), (64, 784, 32)])
def test_the_kernel_multiplies_long_and_thin_matrices(shape):
    n, k, m = shape
    assert_product(numbers(n, k), numbers(k, m))


def test_without_fused_multiply_add_the_sums_are_numpys_own(monkeypatch):
    monkeypatch.setattr(acceleration, "fastest", loaded)
    a, b = RANDOM.integers(-100, 100, (2, 70, 70)).astype(np.float32)
    np.testing.assert_array_equal(acceleration.run_matmul(a, b), a @ b)
    assert_product(numbers(33, 290), numbers(290, 41))


BATCHES = [
    *(((), ()), ((3,), (3,)), ((3,), ()), ((), (3,)), ((2, 3), (2, 3)), ((2, 3), ()), ((2, 1), (1, 3))),
    *(((2, 3, 4), (2, 3, 4)), ((1, 1, 3), (2, 2, 1)), ((2, 1, 3, 2, 1), (3, 1, 2)), ((1,), (2, 1, 2, 3))),
]


@pytest.mark.parametrize(("left", "right"), BATCHES)
@pytest.mark.parametrize("layout", ["plain", "transposed", "every other"])
def test_the_kernel_multiplies_batches_that_broadcast(left, right, layout):
    assert_product(LAYOUTS[layout](numbers(*left, 6, 5)), LAYOUTS[layout](numbers(*right, 5, 9)))


@few
@given(st.lists(st.integers(1, 3), max_size=4), st.data())
def test_the_kernel_broadcasts_as_numpy_does(batch, data):
    def part():
        kept = batch[data.draw(st.integers(0, len(batch))) :]
        return [data.draw(st.sampled_from([1, size])) for size in kept]

    n, k, m = (data.draw(st.integers(1, 9)) for _ in range(3))
    assert_product(numbers(*part(), n, k), numbers(*part(), k, m))


def test_heads_of_attention_need_no_copy():
    q, k, v = (numbers(2, 7, 3, 4).transpose(0, 2, 1, 3) for _ in range(3))
    assert_product(q, np.swapaxes(k, -1, -2))
    assert_product(numbers(2, 3, 7, 7), v)


def test_nan_and_infinity_go_where_numpy_puts_them():
    a, b = numbers(6, 5), numbers(5, 11)
    a[1, 2], a[4, 0], b[3, 7] = np.nan, np.inf, -np.inf
    with np.errstate(invalid="ignore"):
        expected = a @ b
    np.testing.assert_allclose(acceleration.run_matmul(a, b), expected, rtol=1e-5, atol=1e-6)


def test_products_are_within_1e_5_of_numpy():
    for n, k, m in ((256, 256, 256), (100, 1000, 60)):
        a, b = np.abs(numbers(n, k)), np.abs(numbers(k, m))
        np.testing.assert_allclose(acceleration.run_matmul(a, b), a @ b, rtol=1e-5)


def test_what_the_kernel_does_not_speed_up_is_left_to_numpy(monkeypatch):
    def refuse(a, b):
        raise AssertionError(f"{a.shape} @ {b.shape} went to the kernel")

    monkeypatch.setattr(acceleration, "run_matmul", refuse)
    big = numbers(64, 64)
    pairs = [(big[0], big), (big, big[0]), (big[0], big[0]), (big[:2, :2], big[:2, :2]), (big[:1], big)]
    pairs += [(big.astype(np.float64), big.astype(np.float64)), (big, big[:, :1]), (big.astype(int), big.astype(int))]
    pairs += [(big[:0], big), (big[:, :0], big[:0]), (np.zeros((0, 64, 64), np.float32), big)]
    pairs += [(big, big.astype(np.float64)), (numbers(500, 5, 5), numbers(500, 5, 5)), (numbers(500, 1, 9), big[:9])]
    for a, b in pairs[:-1]:
        out = acceleration.simd_matmul(a, b)
        np.testing.assert_array_equal(out, a @ b)
        assert out.dtype == (a @ b).dtype
    with pytest.raises(AssertionError):
        acceleration.simd_matmul(*pairs[-1])  # many rows, one matrix
    with pytest.raises(AssertionError):
        acceleration.simd_matmul(big, big)


@pytest.mark.parametrize(
    ("left", "right"), [((64, 63), (64, 64)), ((3, 64, 64), (2, 64, 64)), ((64, 64), (2, 63, 64)), ((64, 64), (63,))]
)
def test_shapes_that_do_not_fit_are_numpys_error(left, right):
    with pytest.raises(ValueError):
        acceleration.simd_matmul(numbers(*left), numbers(*right))
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        try:
            acceleration.enable(everywhere=True)
            MatMul.apply(Tensor(numbers(*left)), Tensor(numbers(*right)))
        finally:
            acceleration.disable()


@pytest.mark.parametrize("name", acceleration.VERSIONS)
def test_all_versions_give_one_product(name):
    a, b = numbers(37, 70), numbers(70, 41)
    np.testing.assert_allclose(acceleration.VERSIONS[name](a, b), a @ b, rtol=1e-4, atol=1e-5)


# Fused kernels


def run_gelu(x, approximate):
    out, cdf = np.empty_like(x), np.empty_like(x)
    loaded(acceleration.gelu_kernel, approximate)(x, out, cdf, b"", x.size)
    return out, cdf


@pytest.mark.parametrize("approximate", ["none", "tanh"])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 11, 10_001])
def test_gelu_is_pytorchs(approximate, count):
    x = np.linspace(-12, 12, count, dtype=np.float32) if count > 100 else numbers(count)
    out, cdf = run_gelu(x, approximate)
    exact = torch.nn.functional.gelu(torch.tensor(x, dtype=torch.float64), approximate=approximate).numpy()
    np.testing.assert_allclose(out, exact, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(out, x * cdf, rtol=1e-6)
    np.testing.assert_allclose(cdf, GELU.evaluate(x, approximate)[1], atol=1e-6)


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu_at_the_ends(approximate):
    x = np.float32([0.0, -0.0, 1e-30, -1e-30, 20, -20, 1e10, -1e10, 3e38, -3e38, np.inf, np.nan])
    with np.errstate(all="ignore"):
        out, _ = run_gelu(x, approximate)
    expected = [0, 0, 5e-31, -5e-31, 20, 0, 1e10, 0, 3e38, 0, np.inf, np.nan]
    np.testing.assert_allclose(out, expected, rtol=1e-6, atol=1e-6)


def test_gelu_takes_what_the_framework_gives_it():
    for x in (numbers(40, 30), numbers(40, 30).T, numbers(60, 60)[::2, ::3], numbers(3), numbers(40, 30).astype(float)):
        for approximate in ("none", "tanh"):
            ours, theirs = acceleration.simd_gelu(x, approximate), GELU.evaluate(x, approximate)
            for got, expected in zip(ours, theirs, strict=True):
                assert got.shape == expected.shape and got.dtype == expected.dtype
                np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


@given(st.lists(st.floats(-86, 87, width=32), min_size=1, max_size=30))
@few
def test_exp_is_right_to_3e_7(values):
    x = np.float32([*values, -100, 100, np.nan])
    out = np.empty_like(x)
    kernel = loaded(_kernels.fused_kernel, exponential, 2)
    kernel(x, out, b"", x.size)
    np.testing.assert_allclose(out[:-3], np.exp(x[:-3].astype(np.float64)), rtol=3e-7)
    np.testing.assert_array_equal(out[-3:], [0, np.inf, np.nan])


def exponential(f, x, out):
    return None, _kernels.emit_exp(f, x)


SETTINGS = {
    "Adam": (1e-3, 0.9, 0.999, 1e-8, 0, False),
    "decay in the gradient": (1e-2, 0.8, 0.99, 1e-6, 0.1, False),
    "AdamW": (1e-2, 0.9, 0.95, 1e-8, 0.1, True),
}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("count", [501, 502, 503, 504, 20_000])
def test_adam_steps_as_the_optimizer_does(name, count):
    ours = [numbers(count), numbers(count), np.zeros(count, np.float32), np.zeros(count, np.float32)]
    exact = [x.astype(np.float64) for x in ours]
    for step in range(1, 6):
        acceleration.simd_adam(*ours, step, *SETTINGS[name])
        Adam.update(*exact, step, *SETTINGS[name])
        ours[1][:] = exact[1][:] = numbers(count)
    for got, expected in zip(ours, exact, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_adam_leaves_to_numpy_what_is_small_strided_float64_or_amsgrad():
    setting, cut = (3, *SETTINGS["AdamW"]), slice(None, None, 2)
    for shape, dtype, columns, amsgrad in (
        ((2, 3), "float32", slice(None), False),
        ((40, 40), "float64", slice(None), False),
        ((40, 40), "float32", cut, False),
        ((40, 40), "float32", slice(None), True),
    ):
        arrays = [np.abs(numbers(*shape).astype(dtype)) for _ in range(5 if amsgrad else 4)]
        ours, theirs = ([x.copy()[:, columns] for x in arrays] for _ in range(2))
        acceleration.simd_adam(*ours[:4], *setting, *ours[4:])
        Adam.update(*theirs[:4], *setting, *theirs[4:])
        for got, expected in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(got, expected)


# The framework


def training(steps=4):
    """Return the losses of a small network that uses all three hooks."""
    random = np.random.default_rng(3)
    x, y, w1, w2 = (
        Tensor(random.standard_normal(shape).astype(np.float32)) for shape in ((64, 32), (64, 16), (48, 32), (16, 48))
    )
    w1.requires_grad = w2.requires_grad = True
    optimizer, losses = Adam([w1, w2], lr=0.01), []
    for _ in range(steps):
        hidden = GELU.apply(x @ w1.T)
        loss = ((hidden @ w2.T - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_with_the_kernels_training_goes_the_same_way():
    originals = MatMul.multiply, GELU.evaluate, Adam.update
    expected = training()
    try:
        assert acceleration.enable(everywhere=True)
        assert MatMul.multiply is acceleration.simd_matmul
        assert GELU.evaluate is acceleration.simd_gelu
        assert Adam.update is acceleration.simd_adam
        np.testing.assert_allclose(training(), expected, rtol=1e-5)
    finally:
        acceleration.disable()
    assert (MatMul.multiply, GELU.evaluate, Adam.update) == originals
    assert training() == expected
    assert expected[-1] < expected[0]


def test_on_cpython_numpys_own_kernels_stay():
    assert acceleration.enable() is False
    assert MatMul.multiply is np.matmul


# Measuring


def test_the_roof_of_a_product_is_memory_for_vectors_and_arithmetic_for_large_matrices():
    assert acceleration.matmul_roof(1, 512, 512, 20e9, 8e9) == pytest.approx(8e9 / 2, rel=0.01)
    assert acceleration.matmul_roof(512, 512, 512, 20e9, 8e9) == 20e9


def test_what_the_machine_can_do_is_measured():
    assert 1e8 < acceleration.peak_flops() < 1e13
    assert 0.001 < acceleration.gflops(np.matmul, 64, budget=0.02) < 1e5

"""Module 17, Acceleration: how fast this machine could multiply, and a matmul kernel that comes near it.

In the browser NumPy multiplies matrices with one number at a time. The kernels below are WebAssembly, written here
instruction by instruction: four floats at a time, operands packed so that memory is read in order, sums kept in
registers. Layout of the product after K. Goto and R. van de Geijn, "Anatomy of High-Performance Matrix
Multiplication", 2008. Sizes of blocks are in floats, strides and offsets in bytes.
"""

import ctypes
import functools
import math
import struct
import sys

import numpy as np

from ._kernels import KERNEL, emit_exp, fused_kernel, loaded
from .activations import GELU
from .optimizers import Adam
from .profiler import roofline, time_call
from .shapes import matmul_loops
from .tensor import MatMul
from .wasm import I32, V128, Module, op, select

ROWS, COLUMNS = 4, 8  # of the tile of the product that stays in registers: 8 sums, 2 columns, 1 row of 16 registers
DEPTH, WIDTH = 256, 512  # rows and columns of b that are packed at a time: 512 kB, which a second-level cache holds
WORTH_A_CALL, WORTH_A_MATRIX = 30_000, 1_000  # multiplications, in all and for each product, that pay for a kernel
WORTH_A_PASS = 500  # floats that pay for a fused kernel


def multiply_add(total, x, y):
    """Return the Value total + x * y."""
    return total + x * y


def fused_multiply_add(total, x, y):
    """Return the Value total + x * y in one instruction, rounded once; not every engine has it."""
    return op("f32x4.relaxed_madd", x, y, total)


@functools.cache
def fastest(build):
    """Return the function of the kernel build(fused_multiply_add) or, if the engine refuses that, of build()."""
    try:
        return loaded(build, fused_multiply_add)
    except OSError:  # what ctypes makes of the engine's CompileError
        return loaded(build)


def peak_kernel(add=multiply_add):
    """Return a kernel (numbers, count) that does count * 96 additions and multiplications in registers alone."""
    module = Module()
    f = module.function(KERNEL, I32, I32)
    numbers, count = f.params
    x = f.let(op("v128.load", numbers))
    sums = [f.local(V128) for _ in range(12)]  # independent: the next need not wait for the last
    with f.range(count):
        for total in sums:
            f.set(total, add(x, total, x))
    for total in sums:
        f.emit("v128.store", numbers, op("v128.load", numbers) + total)
    return module.encode()


def peak_flops():
    """Return the floating-point operations a second that 128-bit WebAssembly reaches here without touching memory."""
    kernel, numbers = fastest(peak_kernel), np.zeros(4, np.float32)
    return 96 * 100_000 / time_call(kernel, numbers, 100_000).best


def matmul_roof(n, k, m, flops, bytes_per_second):
    """Return the operations a second that are possible for an (n, k) by (k, m) product in float32.

    flops: those of `peak_flops`; bytes_per_second: those of `profiler.bandwidth`. Each operand is read once, and the
    product written once.

    >>> tt.acceleration.matmul_roof(512, 512, 512, flops=20e9, bytes_per_second=8e9)
    20000000000.0
    """
    return roofline(2 * n * k * m / (4 * (n * k + k * m + n * m)), flops, bytes_per_second)


def matmul_blocked(a, b, block=64):
    """Return a @ b, (n, k) by (k, m) arrays, block by block, each block of b with its columns side by side."""
    out = np.zeros((a.shape[0], b.shape[1]), a.dtype)
    for p in range(0, a.shape[1], block):
        for j in range(0, b.shape[1], block):
            packed = np.ascontiguousarray(b[p : p + block, j : j + block].T).T
            for i in range(0, a.shape[0], block):
                out[i : i + block, j : j + block] += a[i : i + block, p : p + block] @ packed
    return out


def matmul_einsum(a, b):
    """Return a @ b, (n, k) by (k, m) arrays, by NumPy's einsum."""
    return np.einsum("ij,jk->ik", a, b)


def emit_inner_loop(f, a, b, count, sums, add=multiply_add):
    """Emit the loop that adds up a tile of the product: `sums[i][j] += a[p][i] * b[p][4 * j : 4 * j + 4]`.

    a, b: locals, the addresses of a packed panel: for each p in turn, ROWS or COLUMNS floats. count: of values of p.
    sums: ROWS lists of COLUMNS // 4 vector locals. A step of the loop loads a row of b once and each a once.
    """
    with f.range(count):
        row = [f.let(op("v128.load", b, offset=16 * j)) for j in range(COLUMNS // 4)]
        for i in range(ROWS):
            x = f.let(op("v128.load32_splat", a, offset=4 * i))
            for j in range(COLUMNS // 4):
                f.set(sums[i][j], add(sums[i][j], x, row[j]))
        f.set(a, a + 4 * ROWS)
        f.set(b, b + 4 * COLUMNS)


def emit_tile(module, add):
    """Add the function (a, b, count, c, stride, more): c, a tile with rows stride bytes apart, = or += a @ b."""
    f = module.function("tile", *[I32] * 6, export=False)
    a, b, count, c, stride, more = f.params
    rows = [f.let(c + stride * i) for i in range(ROWS)]
    sums = [[f.local(V128) for _ in range(COLUMNS // 4)] for _ in rows]
    places = [(row, 16 * j, sums[i][j]) for i, row in enumerate(rows) for j in range(COLUMNS // 4)]
    with f.if_(more):
        for row, offset, total in places:
            f.set(total, op("v128.load", row, offset=offset))
    emit_inner_loop(f, a, b, count, sums, add)
    for row, offset, total in places:
        f.emit("v128.store", row, total, offset=offset)
    return f


def emit_pack(module, lanes):
    """Add the function that packs a panel: (source, along, across, count, used, target).

    target[p][lane] = source[p * along + lane * across] for p below count. Strides decide what is read, so a
    transpose costs nothing more. Lanes from `used` on repeat the last one: what they add up to is not kept.
    """
    f = module.function("pack", *[I32] * 6, export=False)
    source, along, across, count, used, target = f.params
    whole = f.let(op("i32.and", op("i32.eq", across, 4), op("i32.eq", used, lanes)))
    with f.if_(whole), f.range(count):  # lanes side by side: copy vectors
        for offset in range(0, 4 * lanes, 16):
            f.emit("v128.store", target, op("v128.load", source, offset=offset), offset=offset)
        f.set(source, source + along)
        f.set(target, target + 4 * lanes)
    last, read, write = f.let(used - 1), f.local(I32), f.local(I32)
    with f.if_(op("i32.eqz", whole)), f.range(lanes) as lane:
        f.set(read, source + select(lane < used, lane, last) * across)
        f.set(write, target + lane * 4)
        with f.range(count):
            f.emit("f32.store", write, op("f32.load", read))
            f.set(read, read + along)
            f.set(write, write + 4 * lanes)
    return f


def emit_edge(module):
    """Add the function (tile, c, stride, rows, columns, more): c = or += the rows and columns of a tile."""
    f = module.function("edge", *[I32] * 6, export=False)
    tile, c, stride, rows, columns, more = f.params
    with f.range(rows) as i, f.range(columns) as j:
        target = f.let(c + i * stride + j * 4)
        value = f.let(op("f32.load", tile + i * (4 * COLUMNS) + j * 4))
        f.emit("f32.store", target, select(more, op("f32.load", target) + value, value))
    return f


def at_most(f, x, limit):
    """Return a local that holds x or, where that is smaller, the number limit."""
    return f.let(select(x < limit, x, limit))


def emit_row_of_tiles(module, tile):
    """Add the function (a, b, depth, c, stride, rows, width, more, spare): rows of c, from a panel and a block.

    Tiles that stick out of c are made in the memory at spare, and what lies inside is copied.
    """
    edge = emit_edge(module)
    f = module.function("row", *[I32] * 9, export=False)
    a, b, depth, c, stride, rows, width, more, spare = f.params
    with f.range(width, COLUMNS) as j:
        columns = at_most(f, width - j, COLUMNS)
        whole = f.let(rows * columns >= ROWS * COLUMNS)
        with f.if_(whole):
            f.call(tile, a, b, depth, c, stride, more)
        with f.if_(op("i32.eqz", whole)):
            f.call(tile, a, b, depth, spare, 4 * COLUMNS, 0)
            f.call(edge, spare, c, stride, rows, columns, more)
        f.set(b, b + depth * (4 * COLUMNS))
        f.set(c, c + 4 * COLUMNS)
    return f


def emit_blocks(module, tile):
    """Add the function (a, b, c, scratch, n, k, m, a_row, a_column, b_row, b_column) that multiplies two matrices.

    A block of b, DEPTH by WIDTH, is packed once and used for all rows of a, whose panels are packed as they come.
    The first block in a column of blocks stores its share of c, the others add theirs.
    """
    pack_a, pack_b, row = emit_pack(module, ROWS), emit_pack(module, COLUMNS), emit_row_of_tiles(module, tile)
    f = module.function("blocks", *[I32] * 11, export=False)
    a, b, c, scratch, n, k, m, a_row, a_column, b_row, b_column = f.params
    panel = f.let(scratch + 4 * DEPTH * WIDTH)
    spare = f.let(panel + 4 * DEPTH * ROWS)
    with f.range(m, WIDTH) as j0, f.range(k, DEPTH) as p0:
        width, depth = at_most(f, m - j0, WIDTH), at_most(f, k - p0, DEPTH)
        with f.range(width, COLUMNS) as j:
            source, columns = f.let(b + p0 * b_row + (j0 + j) * b_column), at_most(f, width - j, COLUMNS)
            f.call(pack_b, source, b_row, b_column, depth, columns, scratch + j * depth * 4)
        with f.range(n, ROWS) as i0:
            source, rows = f.let(a + i0 * a_row + p0 * a_column), at_most(f, n - i0, ROWS)
            f.call(pack_a, source, a_column, a_row, depth, rows, panel)
            f.call(row, panel, scratch, depth, c + (i0 * m + j0) * 4, m * 4, rows, width, p0, spare)
    return f


SIZES = "n k m outer inner a_outer a_inner a_row a_column b_outer b_inner b_row b_column"


def matmul_kernel(add=multiply_add):
    """Return a kernel (a, b, c, scratch, sizes) for a batch of float32 products, c = a @ b.

    sizes: int32, as SIZES names them: a is (outer, inner, n, k), b (outer, inner, k, m), strides of both in
    bytes, any of them; c is contiguous. scratch: (DEPTH * WIDTH + DEPTH * ROWS + ROWS * COLUMNS) floats.
    """
    module = Module()
    blocks = emit_blocks(module, emit_tile(module, add))
    f = module.function(KERNEL, *[I32] * 5)
    a, b, c, scratch, sizes = f.params
    size = {name: f.let(op("i32.load", sizes, offset=4 * i)) for i, name in enumerate(SIZES.split())}
    n, k, m = size["n"], size["k"], size["m"]
    strides = [size[name] for name in ("a_row", "a_column", "b_row", "b_column")]
    with f.range(size["outer"]) as o, f.range(size["inner"]) as i:
        left = a + o * size["a_outer"] + i * size["a_inner"]
        right = b + o * size["b_outer"] + i * size["b_inner"]
        f.call(blocks, left, right, c, scratch, n, k, m, *strides)
        f.set(c, c + n * m * 4)
    return module.encode()


def emit_gelu(f, x, out, cdf):
    """Return what to store at out and cdf: cdf, of the normal distribution, is 1 - erfc(x / √2) / 2; out = x cdf.

    erfc to 2e-7: M. Abramowitz and I. Stegun, "Handbook of Mathematical Functions", 1964, formula 7.1.26.
    """
    x = f.let(x)
    t = f.let(op("f32x4.div", 1.0, op("f32x4.abs", x) * (0.3275911 / math.sqrt(2)) + 1.0))
    series = t * 1.061405429
    for term in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series = (series + term) * t
    tail = f.let(series * 0.5 * emit_exp(f, x * x * -0.5))  # the share beyond |x|
    cdf = f.let(op("v128.bitselect", op("f32x4.sub", 1.0, tail), tail, x > 0.0))
    return None, x * cdf, cdf


def emit_gelu_tanh(f, x, out, cdf):
    """Return what to store at out and cdf: cdf = (1 + tanh(u)) / 2, which is 1 / (1 + e^-2u); out = x cdf."""
    x = f.let(x)
    minus_2u = x * (x * x * (-0.044715 * math.sqrt(8 / math.pi)) + -math.sqrt(8 / math.pi))
    cdf = f.let(op("f32x4.div", 1.0, emit_exp(f, minus_2u) + 1.0))
    return None, x * cdf, cdf


def gelu_kernel(approximate="none"):
    """Return a kernel (x, out, cdf, b"", count): out = GELU(x), which is x cdf, to 1e-6."""
    return fused_kernel(emit_gelu if approximate == "none" else emit_gelu_tanh, arrays=3)


def emit_adam(f, p, g, m, v, kept, decay, rate1, beta2, rate2, step_size, scale, eps):
    """Return the new param, grad (None: unchanged), exp_avg and exp_avg_sq of one step of Adam or AdamW.

    D. Kingma, J. Ba, "Adam", 2015, algorithm 1. kept is 1 - lr * weight_decay when decay is decoupled (AdamW).
    """
    p, m, v = f.let(p), f.let(m), f.let(v)
    g = f.let(g + p * decay)
    f.set(m, m + (g - m) * rate1)
    f.set(v, v * beta2 + g * g * rate2)
    return p * kept - m * step_size / (op("f32x4.sqrt", v) * scale + eps), None, m, v


def adam_kernel():
    """Return a kernel (param, grad, exp_avg, exp_avg_sq, numbers, count) for one step of Adam, in place."""
    return fused_kernel(emit_adam, arrays=4, numbers=8)


@functools.cache
def scratch():
    """Return the memory that the matmul kernel packs into: half a megabyte, made once."""
    return (ctypes.c_float * (DEPTH * WIDTH + DEPTH * ROWS + ROWS * COLUMNS))()


def four_dimensions(x):
    """Return x with dimensions of size 1 put in front, or its first ones made one: a view if strides allow it."""
    return x.reshape(-1, *x.shape[-3:]) if x.ndim > 4 else x.reshape((1,) * (4 - x.ndim) + x.shape)


def run_matmul(a, b):
    """Return a @ b by the kernel, for float32 arrays of two or more dimensions whose sizes fit and are not 0."""
    (n, k), m, batch = a.shape[-2:], b.shape[-1], a.shape[:-2]
    if b.ndim == 2:  # one product with many rows: b is packed once
        left, right = a.reshape(1, 1, -1, k), b[None, None]
    else:
        if batch != b.shape[:-2]:
            batch = np.broadcast_shapes(batch, b.shape[:-2])
            a, b = np.broadcast_to(a, (*batch, n, k)), np.broadcast_to(b, (*batch, k, m))
        left, right = four_dimensions(a), four_dimensions(b)
    out = np.empty((*batch, n, m), np.float32)
    sizes = struct.pack("13i", left.shape[2], k, m, *left.shape[:2], *left.strides, *right.strides)
    fastest(matmul_kernel)(left, right, out, scratch(), sizes)
    return out


def simd_matmul(a, b):
    """Return what np.matmul(a, b) returns: by the kernel where it is faster, else by np.matmul.

    It is for float32 matrices, not vectors, with 30,000 multiplications or more: a call costs as much as those.
    Raises ValueError when the shapes do not fit.
    """
    if a.dtype == b.dtype == np.float32 and a.ndim > 1 and b.ndim > 1 and a.shape[-1] == b.shape[-2]:
        k, m = b.shape[-2:]
        n = a.size // max(k, 1) if b.ndim == 2 else a.shape[-2]
        enough = n * k * m >= WORTH_A_MATRIX and max(a.size * m, b.size * n) >= WORTH_A_CALL
        if enough and n >= ROWS // 2 and m >= COLUMNS // 2:  # else most of each tile is padding
            return run_matmul(a, b)
    return np.matmul(a, b)


def simd_gelu(a, approximate):
    """Return (a * cdf(a), cdf(a)), as GELU.evaluate does: by the kernel where it is faster."""
    if a.dtype != np.float32 or a.size < WORTH_A_PASS:
        return numpy_gelu(a, approximate)
    a = np.ascontiguousarray(a)
    out, cdf = np.empty_like(a), np.empty_like(a)
    loaded(gelu_kernel, approximate)(a, out, cdf, b"", a.size)
    return out, cdf


def simd_adam(param, grad, exp_avg, exp_avg_sq, step, lr, beta1, beta2, eps, weight_decay, decoupled, largest=None):
    """Do one step of Adam on arrays, in place, as Adam.update does: by the kernel where it is faster."""
    arrays = param, grad, exp_avg, exp_avg_sq
    plain = all(x.dtype == np.float32 and x.flags.c_contiguous for x in arrays)
    if largest is not None or not plain or param.size < WORTH_A_PASS:
        return numpy_adam(*arrays, step, lr, beta1, beta2, eps, weight_decay, decoupled, largest)
    kept, decay = (1 - lr * weight_decay, 0) if decoupled else (1, weight_decay)
    size, root = lr / (1 - beta1**step), math.sqrt(1 - beta2**step)
    numbers = struct.pack("8f", kept, decay, 1 - beta1, beta2, 1 - beta2, size, 1 / root, eps)
    loaded(adam_kernel)(*arrays, numbers, param.size)


VERSIONS = {"loops": matmul_loops, "blocked": matmul_blocked, "einsum": matmul_einsum}
VERSIONS |= {"matmul": np.matmul, "simd": simd_matmul}
HOOKS = ((MatMul, "multiply", simd_matmul), (GELU, "evaluate", simd_gelu), (Adam, "update", simd_adam))
NUMPY = [vars(owner)[name] for owner, name, _ in HOOKS]
numpy_gelu, numpy_adam = GELU.evaluate, Adam.update


def gflops(multiply, n, budget=0.1):
    """Return the 10^9 operations a second of multiply(a, b), for one of VERSIONS, on (n, n) float32 arrays."""
    a, b = np.random.default_rng(0).standard_normal((2, n, n), np.float32)
    return 2 * n**3 / time_call(multiply, a, b, budget=budget).best / 1e9


def enable(everywhere=False):
    """Let the framework use the kernels, in the browser; return whether it does.

    On CPython NumPy has fast kernels of its own; everywhere=True puts ours in their place, for a test.
    """
    active = everywhere or sys.platform == "emscripten"
    if active:
        for owner, name, function in HOOKS:
            setattr(owner, name, staticmethod(function))
    return active


def disable():
    """Let the framework use NumPy again."""
    for (owner, name, _), function in zip(HOOKS, NUMPY, strict=True):
        setattr(owner, name, function)

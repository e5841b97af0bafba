"""What kernels stand on: the way from bytes to a function, and the loop and the e ** y of fused kernels."""

import ctypes
import functools
import importlib
import math
import os
import sys
import tempfile

import numpy as np

from .wasm import I32, Module, op

KERNEL = "kernel"  # the name under which a module exports its function


def load_kernel(code):
    """Return the function that a module exports as "kernel"; its arguments: arrays, bytes, ctypes buffers, ints.

    The kernel gets the address of an array's first element. In the browser it works on the array itself; elsewhere
    through the package wasmtime, on a copy that is copied back. Raises ImportError when that is not installed, and
    OSError in the browser, wasmtime.WasmtimeError elsewhere, for bytes that are no module.
    """
    return with_ctypes(code) if sys.platform == "emscripten" else with_wasmtime(code)


def with_ctypes(code):
    """Return the kernel as a function of a shared library, which the browser's dynamic linker makes of a file."""
    with tempfile.NamedTemporaryFile(suffix=".so", delete=False) as file:
        file.write(code)
    try:
        function = getattr(ctypes.CDLL(file.name), KERNEL)
    finally:
        os.unlink(file.name)
    function.restype = None

    def kernel(*arguments):
        function(*[x.ctypes.data if isinstance(x, np.ndarray) else x for x in arguments])

    return kernel


def with_wasmtime(code):
    """Return the kernel as a function of the package wasmtime, with a memory of its own."""
    try:
        wasmtime = importlib.import_module("wasmtime")
    except ImportError:
        raise ImportError("kernels run in the browser; to run them here too: pip install wasmtime") from None
    store = wasmtime.Store()
    memory = wasmtime.Memory(store, wasmtime.MemoryType(wasmtime.Limits(0, None)))
    instance = wasmtime.Instance(store, wasmtime.Module(store.engine, code), [memory])
    function = instance.exports(store)[KERNEL]

    def kernel(*arguments):
        values, copies, end = [], [], 0
        for x in arguments:
            if isinstance(x, int):
                values.append(x)
                continue
            array = x if isinstance(x, np.ndarray) else np.frombuffer(x, np.uint8)
            low, high = np.lib.array_utils.byte_bounds(array)
            values.append(end + array.ctypes.data - low)
            copies.append((low, high - low, end, array.flags.writeable))
            end += (high - low) // 16 * 16 + 16
        memory.grow(store, max(0, -(-end // 65536) - memory.size(store)))
        for low, size, place, _ in copies:
            memory.write(store, ctypes.string_at(low, size), place)
        function(store, *values)
        for low, size, place, writeable in copies:
            if writeable:
                ctypes.memmove(low, bytes(memory.read(store, place, place + size)), size)

    return kernel


@functools.cache
def loaded(build, *options):
    """Return the function that load_kernel makes of build(*options), made once."""
    return load_kernel(build(*options))


def fused_kernel(formula, arrays, numbers=0):
    """Return a kernel (pointers to arrays..., numbers, count) that applies a formula to each of count floats.

    formula(f, *vectors, *numbers) gets four floats of each array, and each number four times; it returns, for each
    array, the vector to store there, or None. The last count % 4 floats are done one by one.
    """
    module = Module()
    f = module.function(KERNEL, *[I32] * (arrays + 2))
    *pointers, table, count = f.params
    splats = [f.let(op("v128.load32_splat", table, offset=4 * i)) for i in range(numbers)]
    rest = op("i32.and", count, 3)
    for stop, step, load, store in (
        (count - rest, 4, "v128.load", "v128.store"),
        (rest, 1, "v128.load32_splat", "v128.store32_lane"),
    ):
        with f.range(f.let(stop), step):
            results = formula(f, *(op(load, pointer) for pointer in pointers), *splats)
            for pointer, value in zip(pointers, results, strict=True):
                if value is not None:
                    f.emit(store, pointer, value)
                f.set(pointer, pointer + 4 * step)
    return module.encode()


def emit_exp(f, y):
    """Return e ** y for a vector, to 3e-7 relative; 0 where y is below -87.6, inf where it is above 88.3.

    y = n log 2 + r, so e ** y = 2 ** n * e ** r with |r| < 0.35: a series of seven terms is enough. log 2 is in two
    parts, the first of few bits. 2 ** n is the float whose exponent bits are n + 127 and whose other bits are 0.
    """
    y = f.let(op("f32x4.min", op("f32x4.max", y, -88.0), 89.0))
    n = f.let(op("f32x4.nearest", y * (1 / math.log(2))))
    r = f.let(y - n * 0.693359375 - n * (math.log(2) - 0.693359375))
    series = r * (1 / 720) + 1 / 120
    for term in (1 / 24, 1 / 6, 1 / 2, 1.0, 1.0):
        series = series * r + term
    return series * op("i32x4.shl", op("i32x4.trunc_f32x4", n + 127.0), 23)

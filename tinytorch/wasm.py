"""An assembler for WebAssembly, as much of it as a numeric kernel needs: Python calls in, the bytes of a module out.

A WebAssembly function is a list of instructions for a stack machine. Here a `Value` such as `x + y * 2.0`, made of
locals and numbers, stands for the instructions that leave one value on the stack; `Function.set`, `emit`, `br_if`
use it up. A Value is computed where it is used, each time, unless `Function.let` keeps it in a local. Types are
checked while the code is written, so a mistake shows where it is made.

    module = Module()
    f = module.function("twice", I32, I32)  # of `count` floats at `x`, four at a time
    x, count = f.params
    with f.range(count, step=4):
        f.emit("v128.store", x, op("v128.load", x) * 2.0)
        f.set(x, x + 16)
    code = module.encode()

Formats: W3C, WebAssembly Core Specification 2.0, chapter 5 and its index of instructions; for the section
`dylink.0`, which makes a module a library that `dlopen` loads: WebAssembly tool conventions, "Dynamic Linking".
"""

import contextlib
import struct

I32, F32, V128 = "i32", "f32", "v128"  # an address or a count; one float; four floats side by side
TYPES = {I32: 0x7F, F32: 0x7D, V128: 0x7B}

TABLE = {  # operands -> result: name, opcode in hexadecimal
    "i32 -> i32": "i32.eqz 45  i32.load 28",
    "i32 i32 -> i32": """i32.eq 46  i32.ne 47  i32.lt 48  i32.gt 4a  i32.le 4c  i32.ge 4e  i32.add 6a  i32.sub 6b
        i32.mul 6c  i32.div 6d  i32.rem 6f  i32.and 71  i32.or 72  i32.xor 73  i32.shl 74  i32.shr 75""",
    "i32 i32 i32 -> i32": "i32.select 1b",
    "i32 i32 ->": "i32.store 36",
    "i32 -> f32": "f32.load 2a  f32.convert_i32 b2",
    "f32 -> f32": "f32.abs 8b  f32.neg 8c  f32.ceil 8d  f32.floor 8e  f32.trunc 8f  f32.nearest 90  f32.sqrt 91",
    "f32 f32 -> f32": "f32.add 92  f32.sub 93  f32.mul 94  f32.div 95  f32.min 96  f32.max 97",
    "f32 f32 -> i32": "f32.eq 5b  f32.ne 5c  f32.lt 5d  f32.gt 5e  f32.le 5f  f32.ge 60",
    "f32 f32 i32 -> f32": "f32.select 1b",
    "i32 f32 ->": "f32.store 38",
    "i32 -> v128": "v128.load fd00  v128.load32_splat fd09  v128.load32_zero fd5c  i32x4.splat fd11",
    "f32 -> v128": "f32x4.splat fd13",
    "v128 -> v128": """f32x4.ceil fd67  f32x4.floor fd68  f32x4.trunc fd69  f32x4.nearest fd6a  f32x4.abs fde001
        f32x4.neg fde101  f32x4.sqrt fde301  v128.not fd4d  i32x4.trunc_f32x4 fdf801  f32x4.convert_i32x4 fdfa01""",
    "v128 v128 -> v128": """f32x4.add fde401  f32x4.sub fde501  f32x4.mul fde601  f32x4.div fde701
        f32x4.min fde801  f32x4.max fde901  f32x4.eq fd41  f32x4.ne fd42  f32x4.lt fd43  f32x4.gt fd44  f32x4.le fd45
        f32x4.ge fd46  v128.and fd4e  v128.andnot fd4f  v128.or fd50  v128.xor fd51  i32x4.add fdae01""",
    "v128 v128 v128 -> v128": "v128.bitselect fd52  f32x4.relaxed_madd fd8502",  # relaxed_madd: not in every engine
    "v128 i32 -> v128": "i32x4.shl fdab01  i32x4.shr fdac01",
    "i32 v128 ->": "v128.store fd0b  v128.store32_lane fd5a",  # store32_lane: of the first of the four floats
}
ALIGNED_TO_4_BYTES = 2  # loads and stores promise it: arrays of float32 begin there


def _instructions():
    """Return {name: (opcode bytes, operand types, result type or None)}."""
    found = {}
    for signature, row in TABLE.items():
        operands, _, result = signature.partition("->")
        words = row.split()
        for name, opcode in zip(words[::2], words[1::2], strict=True):
            found[name] = bytes.fromhex(opcode), tuple(operands.split()), result.strip() or None
    return found


INSTRUCTIONS = _instructions()


def unsigned(number):
    """Return a non-negative int in LEB128: seven bits a byte, lowest first, the high bit on all but the last.

    Raises ValueError for a negative number.
    """
    if number < 0:
        raise ValueError(f"{number} is negative: unsigned LEB128 holds no sign")
    out = []
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def signed(number):
    """Return an int in signed LEB128, whose last byte's bit 6 is the sign."""
    out = []
    while not -0x40 <= number < 0x40:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number & 0x7F])


def vector(items):
    """Return encoded items behind their number."""
    return unsigned(len(items)) + b"".join(items)


def sized(content):
    """Return bytes behind their number."""
    return unsigned(len(content)) + content


def _operator(name):
    return lambda self, other: op(f"{'f32x4' if self.type == V128 else self.type}.{name}", self, other)


class Value:
    """Instructions that leave one value of a type on the stack; `+ - * / < > <= >=` make longer ones.

    `code` is a tuple of bytes, and of floats for four equal floats, which `Function` keeps in locals.
    """

    def __init__(self, type, *code):
        self.type, self.code = type, code

    __add__, __sub__, __mul__, __truediv__ = map(_operator, ("add", "sub", "mul", "div"))
    __lt__, __gt__, __le__, __ge__ = map(_operator, ("lt", "gt", "le", "ge"))

    def __bool__(self):
        raise TypeError("a Value is known only when the code runs: branch with if_, br_if or select")


class Local(Value):
    """A variable of one function; it starts as 0, and only `Function.set` changes it."""

    def __init__(self, type, index, function):
        super().__init__(type, b"\x20" + unsigned(index))
        self.index, self.function = index, function


def number(type, value):
    """Return a constant of a type; a vector is four times the number.

    Raises TypeError for what is not a number of that type, ValueError for an int of more than 32 bits.
    """
    if type == I32 and isinstance(value, int):
        if not -(2**31) <= value < 2**32:
            raise ValueError(f"{value} does not fit into 32 bits")
        return Value(I32, b"\x41" + signed(value - 2**32 if value >= 2**31 else value))
    if type in (F32, V128) and isinstance(value, (int, float)):
        return Value(F32, b"\x43" + struct.pack("<f", value)) if type == F32 else Value(V128, float(value))
    raise TypeError(f"{value!r} is not a number of type {type}")


def op(name, *operands, offset=0):
    """Return the result of an instruction, as a Value; numbers may stand for operands.

    offset: bytes added to the address, for loads and stores only.
    Raises ValueError for an unknown instruction, TypeError for operands that it does not take.
    """
    if name not in INSTRUCTIONS:
        raise ValueError(f"unknown instruction {name!r}; known are {', '.join(INSTRUCTIONS)}")
    opcode, types, result = INSTRUCTIONS[name]
    if len(operands) != len(types):
        raise TypeError(f"{name} takes {len(types)} operands ({', '.join(types)}), got {len(operands)}")
    values = [x if isinstance(x, Value) else number(t, x) for t, x in zip(types, operands, strict=True)]
    for position, (value, type) in enumerate(zip(values, types, strict=True), 1):
        if value.type != type:
            raise TypeError(f"{name}: operand {position} must be {type}, got {value.type}")
    if ".load" in name or ".store" in name:
        opcode += unsigned(ALIGNED_TO_4_BYTES) + unsigned(offset) + (b"\0" if name.endswith("_lane") else b"")
    elif offset:
        raise TypeError(f"{name} has no address, so no offset")
    return Value(result, *(piece for value in values for piece in value.code), opcode)


def select(condition, a, b):
    """Return a where the i32 condition is not 0, else b; both are computed. a: a Value of type i32 or f32."""
    return op(f"{a.type}.select", a, b, condition)


class Function:
    """The body of a function, written from top to bottom; `params` are its first locals. It returns nothing."""

    def __init__(self, index, types):
        self.index, self.types, self.code, self.open = index, [], [], []
        self.params = [self.local(type) for type in types]

    def local(self, type):
        """Return a new local, 0 at first. Raises ValueError for an unknown type."""
        if type not in TYPES:
            raise ValueError(f"unknown type {type!r}; known are {', '.join(TYPES)}")
        self.types.append(type)
        return Local(type, len(self.types) - 1, self)

    def let(self, value):
        """Return a new local that holds a Value from here on."""
        local = self.local(value.type)
        self.set(local, value)
        return local

    def set(self, local, value):
        """Put a Value or a number into a local. Raises TypeError when it has another type."""
        if not isinstance(local, Local) or local.function is not self:
            raise TypeError("only a local of this function can be set")
        value = value if isinstance(value, Value) else number(local.type, value)
        if value.type != local.type:
            raise TypeError(f"the local is {local.type}, the value {value.type}")
        self.code += [*value.code, b"\x21" + unsigned(local.index)]

    def emit(self, name, *operands, offset=0):
        """Add an instruction that leaves nothing on the stack: a store. Raises TypeError if it leaves a value."""
        value = op(name, *operands, offset=offset)
        if value.type:
            raise TypeError(f"{name} leaves a value of type {value.type}: use op, and set a local to it")
        self.code += value.code

    def call(self, function, *arguments):
        """Call another function of the module. Raises TypeError when the arguments do not fit."""
        values = [x if isinstance(x, Value) else number(I32, x) for x in arguments]
        types, got = [x.type for x in function.params], [x.type for x in values]
        if got != types:
            raise TypeError(f"the function takes ({', '.join(types)}), got ({', '.join(got)})")
        self.code += [*(piece for value in values for piece in value.code), b"\x10" + unsigned(function.index)]

    @contextlib.contextmanager
    def _region(self, opcode, *before):
        label = object()
        self.open.append(label)
        self.code += [*before, opcode + b"\x40"]  # 0x40: leaves nothing on the stack
        yield label
        self.open.remove(label)
        self.code.append(b"\x0b")

    def block(self):
        """Open (`with`) a region whose label stands at its end: branching there leaves it."""
        return self._region(b"\x02")

    def loop(self):
        """Open (`with`) a region whose label stands at its start: branching there repeats it."""
        return self._region(b"\x03")

    def if_(self, condition):
        """Open (`with`) a region that runs when an i32 Value is not 0."""
        return self._region(b"\x04", *self._condition(condition))

    def _condition(self, value):
        if not isinstance(value, Value) or value.type != I32:
            raise TypeError(f"a condition is a Value of type i32, got {getattr(value, 'type', value)!r}")
        return value.code

    def br_if(self, label, condition=None):
        """Branch to the label of an open region, if the condition is not 0; None is always.

        Raises ValueError when the label's region is closed.
        """
        if label not in self.open:
            raise ValueError("the label's region is not open here")
        test = () if condition is None else self._condition(condition)
        depth = len(self.open) - 1 - self.open.index(label)
        self.code += [*test, (b"\x0d" if test else b"\x0c") + unsigned(depth)]

    @contextlib.contextmanager
    def range(self, stop, step=1):
        """Repeat (`with`) for 0, step, 2 * step ... below stop, an i32 Value that must not change; yields a local."""
        index = self.let(number(I32, 0))
        with self.if_(index < stop), self.loop() as again:
            yield index
            self.set(index, index + step)
            self.br_if(again, index < stop)

    def encode(self):
        """Return the function's entry of the code section."""
        floats = sorted({piece for piece in self.code if isinstance(piece, float)})
        homes = {x: Local(V128, len(self.types) + place, self) for place, x in enumerate(floats)}
        start = [b"\x43" + struct.pack("<f", x) + b"\xfd\x13\x21" + unsigned(homes[x].index) for x in floats]
        body = [homes[piece].code[0] if isinstance(piece, float) else piece for piece in self.code]
        types = [*self.types[len(self.params) :], *[V128] * len(floats)]
        content = vector([b"\x01" + bytes([TYPES[type]]) for type in types]) + b"".join([*start, *body]) + b"\x0b"
        return sized(content)


class Module:
    """Functions that share the memory of the program that loads them."""

    def __init__(self):
        self.functions, self.exports = [], {}

    def function(self, name, *types, export=True):
        """Add a function with parameters of these types and return it, empty. Raises ValueError for a name in use."""
        if name in self.exports:
            raise ValueError(f"there is a function {name!r} already")
        function = Function(len(self.functions), types)
        self.functions.append(function)
        if export:
            self.exports[name] = function
        return function

    def encode(self):
        """Return the module as bytes: header, `dylink.0`, types, the import of env.memory, functions, exports."""
        signatures = [bytes(TYPES[x.type] for x in f.params) for f in self.functions]
        kinds = list(dict.fromkeys(signatures))
        needs_no_memory_or_table_of_its_own = b"\x01\x04\0\0\0\0"  # subsection 1 of dylink.0, 4 bytes long
        memory = sized(b"env") + sized(b"memory") + b"\x02\0\0"  # a memory of at least 0 pages
        exports = [sized(name.encode()) + b"\0" + unsigned(f.index) for name, f in self.exports.items()]
        sections = {
            0: sized(b"dylink.0") + needs_no_memory_or_table_of_its_own,
            1: vector([b"\x60" + vector([bytes([type]) for type in kind]) + vector([]) for kind in kinds]),
            2: vector([memory]),
            3: vector([unsigned(kinds.index(signature)) for signature in signatures]),
            7: vector(exports),
            10: vector([f.encode() for f in self.functions]),
        }
        return b"\0asm\x01\0\0\0" + b"".join(bytes([key]) + sized(content) for key, content in sections.items())

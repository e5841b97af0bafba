"""`save` and `load` in the safetensors file format: numbers and a JSON header, no code (part of module 08, Training).

A file is 8 bytes (length of the header, little-endian), the header (JSON: dtype, shape and place of each tensor),
and the bytes of the tensors. A dict from names to tensors is exactly that, and any safetensors reader reads it.
Of anything nested, the header's __metadata__ also holds the structure.
"""

import json
import math
import os
from pathlib import Path

import numpy as np

from ._dtype import device
from .tensor import Tensor

DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1"}
CODES = {np.dtype(kind): code for code, kind in (DTYPES | {"BOOL": "?"}).items()}
STRUCTURE = "tinytorch"  # the entry of __metadata__ with the structure
FOREIGN = {
    b"PK\x03\x04": "a zip archive, as torch.save writes; what it holds can run code: save it as safetensors instead",
    b"\x80": "a pickle, which can run code: save it as safetensors instead",
    b"\x93NUMPY": "a NumPy file: use numpy.load",
}


class Tensors(dict):
    """Tensors by name, as `load` returns them; `metadata` is what else the file's header says."""

    metadata: dict


class Packer:
    """Takes an object apart into tensors by name and, in JSON, the structure that they were in."""

    def __init__(self):
        self.arrays = {}  # name in the file -> array
        self.names = {}  # memory -> name: tied tensors are stored once

    def pack(self, value, path=()):
        """Return value as something that JSON can write, with {"tensor": name} in place of each tensor.

        path: the keys and indices that lead here. Raises TypeError naming the place of what cannot be stored.
        """
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, Tensor):
            return {"tensor": self.name_of(value.array, ".".join(map(str, path)))}
        if isinstance(value, dict):
            return {"dict": [[self.pack(key, path), self.pack(value[key], (*path, key))] for key in value]}
        if isinstance(value, (tuple, list)):
            items = [self.pack(item, (*path, i)) for i, item in enumerate(value)]
            return {"tuple": items} if isinstance(value, tuple) else items
        where = "".join(f"[{key!r}]" for key in path) or "the top"
        advice = ": save its state_dict()" if hasattr(value, "state_dict") else ""
        raise TypeError(f"save() cannot store a {type(value).__name__} (at {where}){advice}")

    def name_of(self, array, name):
        """Return the name under which an array is stored, which is this one unless it is taken."""
        memory = (array.ctypes.data, array.shape, array.strides, array.dtype)
        if memory not in self.names:
            while name in self.arrays or name == "__metadata__":
                name += "_"
            self.names[memory], self.arrays[name] = name, array
        return self.names[memory]


def unpack(value, tensors):
    """Return the object that `Packer.pack` packed; tensors: by name. Raises ValueError for a kind it does not know."""
    if isinstance(value, list):
        return [unpack(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "tuple":
        return tuple(unpack(item, tensors) for item in content)
    if kind == "dict":
        return {unpack(key, tensors): unpack(item, tensors) for key, item in content}
    raise ValueError(f"unknown kind {kind!r}")


def save(obj, f):
    """Write tensors, alone or in dicts, lists and tuples with numbers, strings and None, to a file.

    f: a path (then the file is replaced at once when all is written) or a binary file object. Raises TypeError
    for what cannot be stored, such as a Module. Nothing of a graph is kept, and no requires_grad.

    >>> import io
    >>> file = io.BytesIO()
    >>> tt.save({"weight": tt.ones(2), "step": 3}, file)
    >>> _ = file.seek(0)
    >>> tt.load(file)
    {'weight': tensor([1., 1.]), 'step': 3}
    """
    packer = Packer()
    structure = packer.pack(obj)
    metadata = dict(getattr(obj, "metadata", {"format": "pt"}))
    if not (isinstance(obj, dict) and list(obj) == list(packer.arrays)):
        metadata[STRUCTURE] = json.dumps(structure)
    content = to_bytes(packer.arrays, metadata)
    write_file(f, content)


def write_file(f, content):
    """Write bytes to a binary file object or to a path; a file at the path is replaced at once, or stays as it was."""
    if hasattr(f, "write"):
        f.write(content)
        return
    path = Path(f)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def to_bytes(arrays, metadata):
    """Return the safetensors file of arrays by name, as bytes.

    The header names metadata first, as "__metadata__" unless it is empty, and then the arrays in the order of the dict.
    Their numbers follow, the widest dtype first and then by name, so that all are aligned; blanks fill the header up to
    the next multiple of 8 bytes.
    """
    header, end = ({"__metadata__": metadata} if metadata else {}) | dict.fromkeys(arrays), 0
    order = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    for name in order:
        array = arrays[name]
        header[name] = {
            "dtype": CODES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [end, end := end + array.nbytes],
        }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, *(arrays[name].tobytes() for name in order)])


def load(f, map_location=None, weights_only=True):
    """Return what `save`, or any other writer of safetensors, put into a file.

    f: a path or a binary file object. map_location can only be the CPU; weights_only changes nothing, as such
    files hold no code. The __metadata__ of a plain file becomes the attribute `metadata` of the dict that is returned.
    Raises RuntimeError naming the file and the problem when it is damaged or of another format.
    """
    if map_location is not None:
        device(map_location)
    content = f.read() if hasattr(f, "read") else Path(f).read_bytes()
    name = getattr(f, "name", type(f).__name__) if hasattr(f, "read") else os.fspath(f)
    try:
        arrays, metadata = from_bytes(content)
        tensors = Tensors((key, Tensor(array)) for key, array in arrays.items())
        tensors.metadata = metadata
        if STRUCTURE in metadata:
            return unpack(json.loads(metadata[STRUCTURE]), tensors)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = str(error) if type(error) is ValueError else f"its structure is damaged ({error!r})"
        raise RuntimeError(f"cannot load {name}: {reason}") from None
    return tensors


def from_bytes(content):
    """Return (arrays by name, metadata) of a safetensors file. Raises ValueError that says what is wrong."""
    for start, what in FOREIGN.items():
        # A header may have the length 128, and then begins like a pickle; it has hardly more than 65,536 bytes.
        if content.startswith(start) and int.from_bytes(content[:8], "little") > max(len(content), 1 << 16):
            raise ValueError(f"it is {what}")
    header, metadata, data = read_header(content)
    spans = {name: _span(name, entry, len(data)) for name, entry in header.items()}
    reached = 0
    for begin, end, name in sorted((*span, name) for name, span in spans.items()):
        if begin != reached:
            raise ValueError(f"tensor {name!r} begins at byte {begin}, but the one before it ends at {reached}")
        reached = end
    if reached != len(data):
        raise ValueError(f"it has {len(data) - reached} bytes after the last tensor")
    return {name: _array(entry, data[slice(*spans[name])]) for name, entry in header.items()}, metadata


def read_header(content):
    """Return (entries by name, metadata, data) of a safetensors file; data is a memoryview of what follows the header.

    Raises ValueError that says what is wrong: too few bytes, a length that does not fit, no JSON, no dict.
    """
    if len(content) < 8:
        raise ValueError(f"it has {len(content)} bytes, too few for a safetensors file")
    size = int.from_bytes(content[:8], "little")
    if size > len(content) - 8:
        raise ValueError(f"its header claims {size} bytes of the {len(content) - 8} there are")
    try:
        header = json.loads(content[8 : 8 + size].decode())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its header is no JSON ({error})") from None
    metadata = header.pop("__metadata__", {}) if isinstance(header, dict) else None
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("its header is no dict, or its __metadata__ no dict of strings")
    return header, metadata, memoryview(content)[8 + size :]


def _span(name, entry, size):
    """Return (begin, end) of a tensor's bytes. Raises ValueError unless they fit its dtype, its shape and the file."""
    if not isinstance(entry, dict) or not {"dtype", "shape", "data_offsets"} <= set(entry):
        raise ValueError(f"tensor {name!r} lacks dtype, shape or data_offsets")
    code, shape, span = entry["dtype"], entry["shape"], entry["data_offsets"]
    if code not in CODES.values():
        raise ValueError(f"tensor {name!r} has dtype {code}; the dtypes are {', '.join(CODES.values())}")
    for numbers in (shape, span):
        if not isinstance(numbers, list) or not all(type(n) is int and n >= 0 for n in numbers):
            raise ValueError(f"tensor {name!r} has shape {shape} and data_offsets {span}")
    itemsize = np.dtype(DTYPES.get(code, "u1")).itemsize
    if len(span) != 2 or not span[0] <= span[1] <= size or span[1] - span[0] != math.prod(shape) * itemsize:
        raise ValueError(f"tensor {name!r} of shape {shape} claims bytes {span} of the {size} there are")
    return tuple(span)


def _array(entry, data):
    array = np.frombuffer(data, DTYPES.get(entry["dtype"], "u1")).reshape(entry["shape"])
    return array != 0 if entry["dtype"] == "BOOL" else array.copy()

"""What scripts ask of PyTorch itself: kinds of objects, defaults, threads. Most settings have no effect here."""

from . import _tensor_str
from ._dtype import as_dtype, check_device, float32
from ._dtype import result_type as _result_type
from ._tensor_base import TensorBase
from .graph import GradMode
from .shapes import promote_types

__all__ = [
    "can_cast", "compile", "get_default_dtype", "get_num_threads", "is_floating_point",
    "is_inference_mode_enabled", "is_tensor", "numel",
    "result_type", "set_default_device", "set_default_dtype", "set_float32_matmul_precision", "set_num_threads",
    "set_printoptions", "use_deterministic_algorithms",
]  # fmt: skip


def is_inference_mode_enabled():
    """Return whether code runs inside `inference_mode`."""
    return GradMode.inference


def is_tensor(obj):
    """Return whether an object is a tensor."""
    return isinstance(obj, TensorBase)


def is_floating_point(input):
    """Return whether the dtype of a tensor is a float."""
    return input.is_floating_point()


def numel(input):
    """Return the number of elements of a tensor."""
    return input.numel()


def result_type(tensor1, tensor2):
    """Return the dtype that an operation on two tensors or numbers gives.

    >>> tt.result_type(tt.tensor([1, 2]), 1.0)
    torch.float32
    """
    a, b = (x.array if is_tensor(x) else x for x in (tensor1, tensor2))
    return _result_type(a, b, promote_types)


def can_cast(from_, to):
    """Return whether PyTorch casts between two dtypes in place: not to a lower one of bool, int, float.

    >>> tt.can_cast(tt.float32, tt.int64)
    False
    """
    return from_.category <= to.category and not (to.name == "uint8" and from_.is_signed and from_.category == 2)


def get_default_dtype():
    """Return the dtype of Python floats: float32."""
    return float32


def set_default_dtype(d):
    """Accept float32, the only default there is. Raises RuntimeError for others."""
    if as_dtype(d) is not float32:
        raise RuntimeError(f"the default dtype is float32 here, and cannot be {d}")


def set_default_device(device):
    """Accept the CPU, the only device there is."""
    check_device(device)


def get_num_threads():
    """Return the number of threads: 1."""
    return 1


def set_num_threads(int):
    """Do nothing: NumPy decides on its threads."""


def set_float32_matmul_precision(precision):
    """Do nothing: products are computed in full precision."""


def use_deterministic_algorithms(mode, *, warn_only=False):
    """Do nothing: the same program always gives the same numbers."""


def set_printoptions(precision=None, threshold=None, edgeitems=None, linewidth=None):
    """Set how tensors are printed: digits after the point, elements shown in full, elements at an edge, columns."""
    given = {"PRECISION": precision, "THRESHOLD": threshold, "EDGE": edgeitems, "LINE_WIDTH": linewidth}
    for name, value in given.items():
        setattr(_tensor_str, name, getattr(_tensor_str, name) if value is None else value)


def compile(model=None, **options):
    """Return the model unchanged, or a decorator that does: there is no compiler."""
    return model if model is not None else compile

"""TinyTorch: PyTorch's names, shapes, dtypes, errors and printing, on NumPy alone."""

# ruff: noqa: F401
from ._dtype import bool_ as bool
from ._dtype import dtype, float16, float32, float64, int8, int16, int32, int64, uint8
from ._functional import (
    add,
    argmax,
    cat,
    div,
    equal,
    exp,
    log,
    matmul,
    max,
    mean,
    min,
    mul,
    neg,
    permute,
    pow,
    reshape,
    sub,
    sum,
    where,
)
from ._tensor_base import Size
from .creation import (
    Generator,
    arange,
    eye,
    from_numpy,
    full,
    linspace,
    manual_seed,
    ones,
    ones_like,
    rand,
    randint,
    randn,
    randperm,
    tensor,
    zeros,
    zeros_like,
)
from .tensor import (
    Function,
    Tensor,
    broadcast_shapes,
    contiguous_strides,
    matmul_loops,
    promote,
    promote_types,
)

half, float, double = float16, float32, float64
short, int, long = int16, int32, int64

"""TinyTorch: PyTorch's names, shapes, dtypes, errors and printing, on NumPy alone."""

# ruff: noqa: F401, F403
from math import e, inf, nan, pi

from . import (
    _index_ops,
    _ops,
    acceleration,
    autograd,
    backends,
    benchmark,
    compression,
    cuda,
    kv_cache,
    linalg,
    nn,
    olympics,
    optim,
    profiler,
    quantization,
    tokenizers,
    training,
    transformer,
    utils,
)
from ._conv_layers import conv1d, conv2d
from ._dtype import bool_ as bool
from ._dtype import device, dtype, finfo, float16, float32, float64, iinfo, int8, int16, int32, int64, uint8
from ._environment import *
from ._indexing import *
from ._pointwise import *
from ._reduce import *
from ._shape import *
from ._tensor_base import Size
from .autograd import enable_grad, inference_mode, no_grad, set_grad_enabled
from .conv import col2im, conv2d_loops, conv_output_shape, im2col
from .creation import *
from .embeddings import sinusoidal_positions
from .graph import is_grad_enabled
from .quantization import fake_quantize_per_tensor_affine, qint8, quantize_per_channel, quantize_per_tensor, quint8
from .serialization import load, save
from .shapes import broadcast_shapes, contiguous_strides, matmul_loops, promote, promote_types
from .tensor import Function, Tensor
from .tokenizers import BPETokenizer, CharTokenizer, merge, pair_counts, split_text

__version__ = "0.1.0"
half, float, double = float16, float32, float64
short, int, long = int16, int32, int64
newaxis = None

"""Layers, containers and losses, under PyTorch's names."""

# ruff: noqa: F401
from .._activation_modules import (
    CELU,
    ELU,
    GELU,
    SELU,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    LeakyReLU,
    LogSigmoid,
    LogSoftmax,
    Mish,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Softmin,
    Softplus,
    Softsign,
    Tanh,
    Tanhshrink,
)
from .._conv_layers import (
    AvgPool2d,
    ConstantPad2d,
    Conv1d,
    Conv2d,
    MaxPool2d,
    ReflectionPad2d,
    ReplicationPad2d,
    ZeroPad2d,
)
from .._images import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveMaxPool2d,
    AvgPool1d,
    ConvTranspose1d,
    ConvTranspose2d,
    Fold,
    MaxPool1d,
    PixelShuffle,
    Unfold,
    Upsample,
)
from .._loss_modules import (
    BCELoss,
    BCEWithLogitsLoss,
    CosineSimilarity,
    CrossEntropyLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    MSELoss,
    NLLLoss,
    SmoothL1Loss,
)
from ..attention import MultiheadAttention
from ..embeddings import Embedding
from ..modules import (
    Dropout,
    Flatten,
    Identity,
    Linear,
    Module,
    ModuleDict,
    ModuleList,
    Parameter,
    Sequential,
    Unflatten,
)
from ..normalization import BatchNorm1d, BatchNorm2d, GroupNorm, InstanceNorm2d
from ..transformer import LayerNorm, RMSNorm, TransformerEncoderLayer
from . import functional, init, parameter, utils

"""What layers and losses compute, as functions: `import tinytorch.nn.functional as F`."""

# ruff: noqa: F401
from .._activation_functions import (
    celu,
    elu,
    gelu,
    hardsigmoid,
    hardswish,
    hardtanh,
    leaky_relu,
    log_softmax,
    relu,
    relu6,
    selu,
    silu,
    softmax,
    softmin,
    softplus,
    softsign,
    tanhshrink,
)
from .._conv_layers import avg_pool2d, conv1d, conv2d, max_pool2d, pad
from .._images import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_max_pool2d,
    avg_pool1d,
    conv_transpose1d,
    conv_transpose2d,
    fold,
    interpolate,
    max_pool1d,
    pixel_shuffle,
    unfold,
)
from .._pointwise import sigmoid, tanh
from ..activations import logsigmoid, mish
from ..attention import scaled_dot_product_attention
from ..embeddings import embedding, one_hot
from ..losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cosine_similarity,
    cross_entropy,
    huber_loss,
    kl_div,
    l1_loss,
    mse_loss,
    nll_loss,
    normalize,
    smooth_l1_loss,
)
from ..modules import dropout, linear
from ..normalization import batch_norm, group_norm, instance_norm
from ..transformer import layer_norm, rms_norm

"""What the scripts share: numbers that are the same whatever the library, because NumPy draws them."""

import numpy as np
import torch


def fill(target, seed=0):
    """Give the parameters of a module, or the tensors of a list, starting values drawn by NumPy.

    Matrices and kernels: normal, with deviation 1 / sqrt(inputs of one output). Vectors: about 1 for the
    weights of a normalization, about 0 for biases. A tied parameter is filled once.
    """
    rng = np.random.RandomState(seed)
    named = target.named_parameters() if hasattr(target, "named_parameters") else enumerate(target)
    with torch.no_grad():
        for name, tensor in named:
            values = rng.standard_normal(tuple(tensor.shape))
            if tensor.dim() > 1:
                values /= np.sqrt(values[0].size)
            else:
                values = values * 0.1 + str(name).endswith("weight")
            tensor.copy_(torch.from_numpy(values.astype(np.float32)))


def floats(seed, *shape):
    """Return a tensor of normal float32 numbers of this shape."""
    return torch.from_numpy(np.random.RandomState(seed).standard_normal(shape).astype(np.float32))


def integers(seed, high, *shape):
    """Return a tensor of int64 numbers from 0 to high - 1 of this shape."""
    return torch.from_numpy(np.random.RandomState(seed).randint(0, high, shape, dtype=np.int64))

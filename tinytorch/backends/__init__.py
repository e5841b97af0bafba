"""PyTorch's switches for its back ends. They can be set, and have no effect."""

from types import SimpleNamespace


def _unavailable():
    """Return False."""
    return False


cudnn = SimpleNamespace(enabled=False, benchmark=False, deterministic=True, allow_tf32=False, is_available=_unavailable)
cuda = SimpleNamespace(is_built=_unavailable, matmul=SimpleNamespace(allow_tf32=False))
mps = SimpleNamespace(is_available=_unavailable, is_built=_unavailable)

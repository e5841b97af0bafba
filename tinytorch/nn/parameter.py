"""Where PyTorch keeps Parameter."""

# ruff: noqa: F401
from ..modules import Parameter

"""Data loading and checkpointing."""

# ruff: noqa: F401
from . import checkpoint, data

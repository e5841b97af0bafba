"""Where PyTorch keeps the DataLoader."""

# ruff: noqa: F401
from ...data import DataLoader, default_collate

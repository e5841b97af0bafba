"""Optimizers, and schedules for their learning rates."""

# ruff: noqa: F401
from ..optimizers import SGD, Adam, AdamW, Optimizer, RMSprop
from . import lr_scheduler

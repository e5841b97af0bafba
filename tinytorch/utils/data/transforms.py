"""Changes of images on their way into a batch (in PyTorch: torchvision.transforms)."""

# ruff: noqa: F401
from ...data import Compose, Normalize, RandomCrop, RandomHorizontalFlip, ToTensor

"""The app asks for `piplite` when a kernel starts. A lesson needs no package beyond those of the page."""

from .piplite import install

__all__ = ["install"]

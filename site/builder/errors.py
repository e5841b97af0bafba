"""Errors that a person can act on: printed as one message, without a traceback."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DISK_ADVICE = "Free about 2 GB and run the command again; nothing is half-written."
FOLDER_ADVICE = "Run from a copy of this folder that you own (for example in your home folder)."


class BuildError(Exception):
    """Something the person who runs the build can put right; the message says how."""


def explain(error: OSError) -> str | None:
    """Return advice for the operating-system errors a build meets, or None for any other."""
    where = error.filename or os.getcwd()
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full (while writing {where}).\n{DISK_ADVICE}"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"No permission to write {where}.\n{FOLDER_ADVICE}"
    return None


@contextmanager
def explained() -> Iterator[None]:
    """Turn a full disk or a read-only folder into a BuildError."""
    try:
        yield
    except OSError as error:
        message = explain(error)
        if message is None:
            raise
        raise BuildError(message) from error


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` to `path` so that an interruption leaves the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)

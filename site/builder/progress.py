"""A progress bar on the terminal; silent elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn


@contextmanager
def bar(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar while the block runs; yields a function that advances it by a number of steps or bytes."""
    console = Console(stderr=True)
    unit = [DownloadColumn()] if total > 10_000 else []
    columns = (TextColumn("{task.description}"), BarColumn(), *unit, TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(label, total=total or None)
        yield lambda steps: progress.advance(task, steps)


@contextmanager
def spinner(label: str) -> Iterator[None]:
    """Show that a step of unknown length is running."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
        progress.add_task(label, total=None)
        yield

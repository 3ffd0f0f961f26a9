"""What ends one cell of a grid, but not the grid."""

from __future__ import annotations

from contextlib import AbstractContextManager

import typer

from vpcore import device
from vpcore.experiments.grid.cell import Cell


class FailedSearch(ValueError):
    """A trial failed otherwise than by diverging, so a cell has no rate; it is not kept, and may be tried again."""


def memory_named() -> AbstractContextManager[None]:
    """Make running out of memory inside, as while features are cached, a ValueError."""
    advice = "lower batch_size or image_size, or take a device with more memory"
    return device.memory_named(f"out of memory outside of a training step: {advice}")


def say_failed(cell: Cell, reason: object) -> None:
    """Name a cell that has no result, and why."""
    typer.echo(f"failed: {cell}: {reason}", err=True)


def last_line(error: Exception) -> str:
    """Return the end of an error's text: where Ray passes on what a task raised, that is its own message."""
    return str(error).strip().splitlines()[-1]

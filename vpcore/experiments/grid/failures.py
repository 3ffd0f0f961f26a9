"""What ends one cell of a grid, but not the grid."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from vpcore.experiments.grid.cell import Cell
from vpcore.train.halves import out_of_memory


class FailedSearch(ValueError):
    """A trial failed otherwise than by diverging, so a cell has no rate; it is not kept, and may be tried again."""


@contextmanager
def memory_named() -> Iterator[None]:
    """Make running out of memory inside, also while a model is scored or features are cached, a ValueError."""
    try:
        yield
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        advice = "lower batch_size or image_size, or take a device with more memory"
        raise ValueError(f"out of memory outside of a training step: {advice}") from error


def say_failed(cell: Cell, reason: object) -> None:
    """Name a cell that has no result, and why."""
    typer.echo(f"failed: {cell}: {reason}", err=True)


def last_line(error: Exception) -> str:
    """Return the end of an error's text: where Ray passes on what a task raised, that is its own message."""
    return str(error).strip().splitlines()[-1]

"""What a machine of a Ray cluster does: run one cell of a grid, or one trial of a search for a rate."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

from vpcore.experiments.grid.cell import Cell
from vpcore.experiments.grid.cell_data import Loader
from vpcore.experiments.grid.failures import memory_named
from vpcore.experiments.grid.feature_store import FeatureStore
from vpcore.experiments.grid.run import provenance, try_cell
from vpcore.experiments.grid.train_cell import run_cell
from vpcore.train.speedups import Speedups, speedups


@dataclass(frozen=True)
class Order:
    """What every task is told beside its cell."""

    device: str | None
    root: str | None
    threads: int  # of the processor, so that sums are taken in the order of a local run
    environment: dict[str, str]
    wanted: Speedups
    command: str


def run_task(cell: dict[str, Any], order: Order) -> dict[str, Any]:
    """Run one cell where Ray wants it; returns its line, or why it failed."""
    asked, load, store = _prepare(cell, order)
    try:
        with memory_named(), speedups(order.wanted.compile, order.wanted.cuda_graph):
            result = run_cell(asked, load(asked), order.device, None, store)
    except ValueError as error:
        return {"failed": str(error)}
    return {**result, **provenance(asked, order.device), "command": order.command}


def trial_task(cell: dict[str, Any], order: Order) -> float | dict[str, str]:
    """Return the validation accuracy of a trial, nan if it diverges, or why it failed otherwise."""
    asked, load, store = _prepare(cell, order)
    try:
        with speedups(order.wanted.compile, order.wanted.cuda_graph):
            found = try_cell(asked, load(asked), order.device, store)
    except ValueError as error:
        return {"failed": str(error)}
    return float("nan") if found is None else found[1].best.valid_accuracy


def _prepare(cell: dict[str, Any], order: Order) -> tuple[Cell, Loader, FeatureStore]:
    os.environ.update(order.environment)
    torch.set_num_threads(order.threads)
    return Cell(**cell), *_shared(order.root)


@cache
def _shared(root: str | None) -> tuple[Loader, FeatureStore]:
    """Return what the tasks of one process share: data sets and frozen features."""
    return Loader(root), FeatureStore()

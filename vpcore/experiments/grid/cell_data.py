"""The data of a cell, loaded once for all cells that share them."""

from __future__ import annotations

from dataclasses import replace

import torch

from vpcore.data.protocols import TooFewImages, few_shot
from vpcore.data.splits import Split, Splits, stratified_order
from vpcore.experiments.grid.cell import Cell
from vpcore.experiments.grid.kept import Kept
from vpcore.experiments.names.backbones import SCRATCH, backbone_spec
from vpcore.experiments.names.data import load_named

LIMIT = 2**29  # bytes of images that a loader keeps


def image_format(cell: Cell) -> tuple[int | None, int | None]:
    """Return edge and channels of the images that a cell's backbone takes; None for the data's own."""
    if cell.backbone in SCRATCH:
        return cell.image_size, None
    spec = backbone_spec(cell.backbone, cell.image_size)
    return spec.image_size, spec.in_chans


def load_cell_data(cell: Cell, root: str | None = None) -> Splits:
    """Load the data of a cell, in the size and channels its backbone takes.

    Raises:
        ValueError: unknown data set, or a limit below one image a class.
        TooFewImages: a limit beyond the images of the set, or more shots than a class has.
        OSError: its files are missing or damaged.
    """
    data = load_named(cell.data, root, *image_format(cell))
    data = replace(data, valid=_first(data.valid, cell.max_valid), test=_first(data.test, cell.max_test))
    if cell.limit is not None and cell.limit > len(data.train):
        has = f"{cell.data} has {len(data.train):,} training images, got limit {cell.limit:,}"
        raise TooFewImages(f"{has}: choose {len(data.train)} or fewer, or leave the limit out")
    data = data if cell.limit is None else data.limit(cell.limit)
    return data if cell.shots is None else few_shot(data, cell.shots, cell.seed)


def _first(split: Split, count: int | None) -> Split:
    """Keep `count` images, classes in proportion: the same ones in every run."""
    if count is None or count >= len(split):
        return split
    chosen = torch.from_numpy(stratified_order(split.labels.numpy(), seed=0)[: max(count, 0)].copy())
    return split.take(chosen.sort().values)


class Loader:
    """Load each data set once, and keep the sets used last."""

    def __init__(self, root: str | None = None) -> None:
        self.root = root
        self.kept: Kept[Splits] = Kept(LIMIT, _size)

    def __call__(self, cell: Cell) -> Splits:
        """Return the data of a cell; raises what `load_cell_data` raises."""
        wanted = (cell.data, image_format(cell), cell.limit, cell.max_valid, cell.max_test)
        data = self.kept.get(wanted, lambda: load_cell_data(replace(cell, shots=None), self.root))
        return data if cell.shots is None else few_shot(data, cell.shots, cell.seed)


def _size(data: Splits) -> int:
    return sum(split.images.numel() for split in (data.train, data.valid, data.test))

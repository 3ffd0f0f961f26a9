"""Frozen activations, computed once for all rates, seeds and methods that start at the same layer."""

from __future__ import annotations

from math import prod

from vpcore.cache import LIMIT, CachedSplit, cached, first_layer
from vpcore.data.splits import Split, Splits
from vpcore.experiments.grid.cell import Cell, choose_augment
from vpcore.experiments.grid.cell_data import image_format
from vpcore.experiments.grid.kept import Kept
from vpcore.experiments.names.backbones import SCRATCH
from vpcore.prompted import Prompted


class FeatureStore:
    """Hand out cached splits where that changes nothing but rounding, and the images themselves elsewhere.

    Args:
        limit: bytes of activations to keep; what was not used for longest goes first.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self.kept: Kept[CachedSplit] = Kept(limit, lambda split: split.nbytes)

    def split(self, cell: Cell, model: Prompted, data: Splits, part: str) -> Split:
        """Return a part of the data for this model: "train", "valid" or "test".

        Activations where the backbone is one trained network, frozen, nothing acts on pixels, images are not augmented
        and there is room; the model must be on the device where it runs.
        """
        images: Split = getattr(data, part)
        layer = _layer(cell, model)
        if layer is None or 4 * len(images) * prod(_shape(model, layer)) > self.limit:
            return images
        place = (cell.backbone, model.backbone.spec.name, layer, str(model.mean.device))
        sizes = (cell.data, data.source_md5, image_format(cell), cell.limit, cell.max_valid, cell.max_test)
        if cell.shots is not None and part == "train":
            sizes += (cell.shots, cell.seed)
        return self.kept.get((part, *place, *sizes), lambda: cached(model, images, layer))


def _layer(cell: Cell, model: Prompted) -> int | None:
    """Return the layer below which nothing changes, or None."""
    if cell.backbone in SCRATCH or not model.backbone.frozen or choose_augment(cell) is not None:
        return None
    layer = first_layer(model)
    return layer if layer >= 0 else None


def _shape(model: Prompted, layer: int) -> tuple[int, ...]:
    spec = model.backbone.spec
    return (spec.dim,) if layer > spec.depth else spec.shapes[layer]

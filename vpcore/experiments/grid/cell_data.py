"""What the cells of a grid share, made once and kept while there is room: data sets and frozen activations."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import replace
from math import prod
from typing import Generic, TypeVar

import torch

from vpcore.cache import LIMIT, CachedSplit, cached, first_layer
from vpcore.data.protocols import TooFewImages, few_shot
from vpcore.data.resize import crop_middle
from vpcore.data.splits import Split, Splits, channel_stats, stratified_order
from vpcore.experiments.grid.cell import Cell, choose_augment
from vpcore.experiments.grid.published import PUBLISHED, check_set, normalize
from vpcore.experiments.names.backbones import SCRATCH, backbone_spec
from vpcore.experiments.names.data import load_named, read_data
from vpcore.prompted import Prompted

IMAGES = 2**29  # bytes of images that a loader keeps
Item = TypeVar("Item")


class Kept(Generic[Item]):
    """A dictionary that forgets what was not used for longest when it grows too large.

    Args:
        limit: bytes; one item may be larger, and is then kept alone.
        size: tells an item's bytes.
    """

    def __init__(self, limit: int, size: Callable[[Item], int]) -> None:
        self.limit, self.size = limit, size
        self._items: OrderedDict[Hashable, Item] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Item]) -> Item:
        """Return the item of a key, made now if it is not kept."""
        if key not in self._items:
            made = make()
            while self._items and self.nbytes + self.size(made) > self.limit:
                self._items.popitem(last=False)
            self._items[key] = made
        self._items.move_to_end(key)
        return self._items[key]

    @property
    def nbytes(self) -> int:
        """Bytes of all that is kept."""
        return sum(self.size(item) for item in self._items.values())


def image_format(cell: Cell) -> tuple[int | None, int | None]:
    """Return edge and channels of the images that a cell's backbone takes; None for the data's own."""
    if cell.backbone in SCRATCH:
        return cell.image_size, None
    spec = backbone_spec(cell.backbone, cell.image_size)
    return spec.image_size, spec.in_chans


def load_cell_data(cell: Cell, root: str | None = None) -> Splits:
    """Load the data of a cell, in the size and channels its backbone takes.

    Raises:
        ValueError: unknown data set or recipe, a set that the recipe does not have, or a limit below one image a class.
        TooFewImages: a limit beyond the images of the set, or more shots than a class has.
        OSError: its files are missing or damaged.
    """
    if cell.recipe not in (None, PUBLISHED):
        raise ValueError(f"recipe must be {PUBLISHED}, got {cell.recipe!r}: write that, or leave it out")
    if cell.recipe:
        check_set(read_data(cell.data)[0])
    size, channels = image_format(cell)
    if cell.resize is not None and not (size and size <= cell.resize):
        raise ValueError(f"resize must be at least the image size, {size or 'which is not given'}, got {cell.resize}")
    data = load_named(cell.data, root, cell.resize or size, channels, "random" if cell.recipe else "stratified")
    if size and cell.resize:
        parts = (data.train, data.valid, data.test)
        train, valid, test = (replace(part, images=crop_middle(part.images, size)) for part in parts)
        mean, std = channel_stats(train.images)
        data = replace(data, train=train, valid=valid, test=test, mean=mean, std=std)
    data = replace(data, valid=_first(data.valid, cell.max_valid), test=_first(data.test, cell.max_test))
    if cell.limit is not None and cell.limit > len(data.train):
        has = f"{cell.data} has {len(data.train):,} training images, got limit {cell.limit:,}"
        raise TooFewImages(f"{has}: choose {len(data.train)} or fewer, or leave the limit out")
    data = data if cell.limit is None else data.limit(cell.limit)
    return _own(data, cell)


def _images(cell: Cell) -> tuple[Hashable, ...]:
    """Return all that decides which images a cell sees, but for its shots."""
    return cell.data, image_format(cell), cell.resize, cell.limit, cell.max_valid, cell.max_test, cell.recipe


def _own(data: Splits, cell: Cell) -> Splits:
    """Return what a cell makes of the data that it shares with others."""
    data = data if cell.shots is None else few_shot(data, cell.shots, cell.seed)
    return normalize(data) if cell.recipe else data


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
        self.kept: Kept[Splits] = Kept(
            IMAGES, lambda data: sum(part.images.numel() for part in (data.train, data.valid, data.test))
        )

    def __call__(self, cell: Cell) -> Splits:
        """Return the data of a cell; raises what `load_cell_data` raises."""
        wanted = _images(cell)
        data = self.kept.get(wanted, lambda: load_cell_data(replace(cell, shots=None), self.root))
        return _own(data, cell)


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
        sizes = (data.source_md5, *_images(cell))
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

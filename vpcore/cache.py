"""Run the frozen layers below a prompt once, and train on what they gave."""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from math import prod
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from vpcore.data.splits import Split
from vpcore.device import prefer_channels_last
from vpcore.prompted import Prompted

LIMIT = 2**30  # bytes of activations held in memory; more go to a file


@dataclass(frozen=True)
class CachedSplit(Split):
    """A split with the activations before one layer; `fit` and `evaluate` take it in the place of the split.

    Attributes:
        images: the split's own pixels; they check that a model is the one the activations come from.
        activations: `(N, *spec.shapes[layer])`; with layer == depth + 1 the features (N, dim).
        layer: where the activations stand.
        folder: where the file of mapped activations lies; it goes when the split does. None in memory.
    """

    activations: Tensor
    layer: int
    folder: TemporaryDirectory[str] | None = None
    verified: list[Any] = field(default_factory=list, compare=False, repr=False)

    @property
    def nbytes(self) -> int:
        """Bytes of the activations, in memory or in the file."""
        return self.activations.numel() * self.activations.element_size()

    def to(self, device: torch.device | str) -> CachedSplit:
        """Return the same split on another device; activations in a file stay there and move batch by batch."""
        activations = self.activations if self.folder else self.activations.to(device)
        return replace(self, images=self.images.to(device), labels=self.labels.to(device), activations=activations)

    def take(self, indices: Any) -> CachedSplit:
        """Return the chosen images, labels and activations, in memory."""
        where = self.where(indices)
        activations = self.activations[where.to(self.activations.device)]
        images, labels = self.images[where], self.labels[where]
        return replace(self, images=images, labels=labels, activations=activations, folder=None)

    def near(self, device: torch.device) -> CachedSplit:
        """Return the same split on a device, but for activations in a file."""
        return self.to(device)

    def batch(self, where: Tensor | slice, device: torch.device, augment: Any = None, generator: Any = None) -> Tensor:
        """Return chosen activations.

        Raises:
            ValueError: they should be augmented.
        """
        if augment is not None:
            raise ValueError("activations cannot be augmented like images: pass augment=None, or the split itself")
        if isinstance(where, Tensor):
            where = where.to(self.activations.device)
        return self.activations[where].to(device)

    def entry(self, model: Any) -> Callable[[Tensor], Tensor]:
        """Return the part of the model above the cache.

        Raises:
            ValueError: the model changes what lies below the cache, or its backbone is another one.
        """
        _check_layer(model, self.layer)
        if not self.verified or self.verified[0]() is not model:
            _check_origin(self, model)
            self.verified[:] = [weakref.ref(model)]
        return partial(model, start=self.layer)


@torch.no_grad()
def cached(
    model: Prompted, split: Split, layer: int | None = None, *, batch_size: int = 500, memory_limit: int = LIMIT
) -> CachedSplit:
    """Run a split once through the layers that never change, and keep what comes out.

    Training on it gives the weights that training on the split gives, up to the rounding of other batch sizes, and
    skips embed and the blocks below. Where nothing acts inside the backbone (linear probe, layer-l probe), the
    features are kept. It works without augmentation only; a loss of your own must not change its images either.
    Activations are float32 also where training runs in half precision. Cache the training and the validation split
    alike; a split of pixels works with the same model too.

    Args:
        model: a prompt that acts inside the backbone or nowhere, with any head; its backbone is frozen.
        split: training, validation or test images.
        layer: 0 … the first layer that the prompt or the tuning acts at, which is the default.
        batch_size: images a step.
        memory_limit: bytes; larger activations are written to a temporary file and mapped into memory.

    Raises:
        ValueError: no images, the prompt or the tuning acts on pixels or below `layer`, or the backbone is trained.
        OSError: the disk has too little room for the file.
    """
    if not len(split):
        raise ValueError("a cache needs at least one image, got an empty split")
    layer = first_layer(model) if layer is None else layer
    _check_layer(model, layer)
    device = model.mean.device
    prefer_channels_last(model)  # as `fit` does, so that both see the same memory layout
    layout, store, folder = None, None, None
    for start in range(0, len(split), batch_size):
        where = slice(start, min(start + batch_size, len(split)))
        z = below(model, split.batch(where, device), layer)
        if layout is None or store is None:
            layout = layout_of(len(split), z)
            folder = None if layout.nbytes <= memory_limit else layout.new_file()
            store = layout.in_memory() if folder is None else layout.mapped(folder)
        store[where] = z
    assert layout is not None
    assert store is not None
    if folder is not None:
        store = layout.mapped(folder)  # anew: what was written through the first map no longer takes memory
    return CachedSplit(split.images, split.labels, store, layer, folder)


def first_layer(model: Prompted) -> int:
    """Return the first layer whose input or weights learn: -1 for pixels, depth + 1 if nothing inside does."""
    return min(_lowest(model).first_layer, model.backbone.spec.depth + 1)


def _lowest(model: Prompted) -> Any:
    return min((part for part in (model.prompt, model.tuning) if part is not None), key=lambda part: part.first_layer)


def below(model: Prompted, images: Tensor, layer: int) -> Tensor:
    """Return the activations before `layer` of images in [0, 1]; with layer == depth + 1 the features."""
    x = model.normalize(images)
    return model.backbone(x) if layer > model.backbone.spec.depth else model.backbone.activations(x, layer)


def _check_layer(model: Prompted, layer: int) -> None:
    if not model.backbone.frozen:
        raise ValueError("a cache needs a frozen backbone, this one is trained: train on the split itself")
    first, acting = first_layer(model), type(_lowest(model)).__name__
    if first < 0:
        raise ValueError(f"{acting} acts on pixels, so no layer can run once: train on the split itself")
    if not 0 <= layer <= first:
        raise ValueError(f"layer must be in 0 … {first}, where {acting} first acts, got {layer}: cache below it")


def _check_origin(split: CachedSplit, model: Prompted) -> None:
    """Compare the first image's activations with what this model makes of it."""
    expected = (model.backbone.spec.dim,)
    if split.layer <= model.backbone.spec.depth:
        expected = model.backbone.spec.shapes[split.layer]
    kept, device = split.activations[:1], model.mean.device
    same = tuple(kept.shape[1:]) == expected
    if same:
        with torch.no_grad():
            z = below(model, Split.batch(split, slice(0, 1), device), split.layer)
        same = bool((z - kept.to(device)).abs().max() <= 1e-2 * max(1.0, float(kept.abs().max())))
    if not same:
        raise ValueError("these activations come from another backbone: cache the split with this model")


@dataclass(frozen=True)
class Layout:
    """How many activations of which shape, and whether their channels lie next to each other in memory.

    Attributes:
        count: images.
        sizes: of one image's activations in the order in which they lie in memory.
        channels_last: that order ends with the channels; tensors show them first.
        dtype: of the numbers.
    """

    count: int
    sizes: tuple[int, ...]
    channels_last: bool
    dtype: torch.dtype

    @property
    def nbytes(self) -> int:
        """Bytes of all activations."""
        return self.count * prod(self.sizes) * self.dtype.itemsize

    def in_memory(self) -> Tensor:
        """Return room in memory."""
        return self._view(torch.empty(self.count * prod(self.sizes), dtype=self.dtype))

    def new_file(self) -> TemporaryDirectory[str]:
        """Return a new folder for the file; it goes when the object does.

        Raises:
            OSError: the disk has too little room.
        """
        folder = TemporaryDirectory(prefix="vpcore-cache-", ignore_cleanup_errors=True)
        free = shutil.disk_usage(folder.name).free
        if self.nbytes > free:
            where = f"{folder.name} has room for {free:,} bytes, the activations take {self.nbytes:,}"
            raise OSError(f"{where}: free space, set TMPDIR, or cache fewer images")
        return folder

    def mapped(self, folder: TemporaryDirectory[str]) -> Tensor:
        """Map the file into memory; a part of it takes memory only once it is read or written through this tensor."""
        numbers = self.count * prod(self.sizes)
        return self._view(torch.from_file(f"{folder.name}/activations", shared=True, size=numbers, dtype=self.dtype))

    def _view(self, flat: Tensor) -> Tensor:
        store = flat.view(self.count, *self.sizes)
        return store.movedim(-1, 1) if self.channels_last else store


def layout_of(count: int, like: Tensor) -> Layout:
    """Return the layout of `count` activations that lie in memory as those of this batch do."""
    last = like.dim() == 4 and like.is_contiguous(memory_format=torch.channels_last)
    return Layout(count, tuple((like.movedim(1, -1) if last else like).shape[1:]), last, like.dtype)

"""Split and Splits: labeled images as plain tensors, and the stratified order that cuts them."""

import hashlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

CHUNK = 1024  # images turned into floats at a time: bounds the memory of a whole-set pass


@dataclass(frozen=True)
class Split:
    """Images and their labels, as two tensors of one length.

    Attributes:
        images: uint8 pixels of shape (N, C, H, W).
        labels: int64 class indices of shape (N,).

    Raises:
        TypeError: a field is no tensor or has another dtype.
        ValueError: a wrong number of axes, unequal lengths, or a negative label.
    """

    images: UInt8[Tensor, "count channels height width"]
    labels: Int64[Tensor, " count"]

    def __post_init__(self) -> None:
        _require_dtype("images", self.images, torch.uint8)
        _require_dtype("labels", self.labels, torch.int64)
        if self.images.ndim != 4 or self.labels.ndim != 1:
            got = f"{tuple(self.images.shape)} and {tuple(self.labels.shape)}"
            raise ValueError(f"a Split needs images (N, C, H, W) and labels (N,), got {got}: reshape them")
        if len(self.images) != len(self.labels):
            got = f"{len(self.images)} images and {len(self.labels)} labels"
            raise ValueError(f"a Split needs one label for each image, got {got}: cut both the same way")
        if len(self.labels) and int(self.labels.min()) < 0:
            raise ValueError(f"labels must be 0 or more, got {int(self.labels.min())}: number the classes from 0")

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device | str) -> "Split":
        """Return the same split on another device."""
        return Split(self.images.to(device), self.labels.to(device))

    def take(self, indices: Int64[Tensor, " chosen"] | Iterable[int]) -> "Split":
        """Return the images and labels at these indices, in this order; or where a mask (N,) is True."""
        where = self.where(indices)
        return Split(self.images[where], self.labels[where])

    def where(self, indices: Any) -> Int64[Tensor, " chosen"]:
        """Return indices, or those where a mask is True, on the device of the labels.

        Raises:
            TypeError: they are no whole numbers.
            ValueError: a mask of another length.
        """
        chosen = torch.as_tensor(indices if hasattr(indices, "dtype") else list(indices))
        if chosen.is_floating_point() and len(chosen):
            raise TypeError(f"indices must be whole numbers or a mask, got {chosen.dtype}: use .long() or a comparison")
        if chosen.dtype == torch.bool:
            if chosen.shape != self.labels.shape:
                raise ValueError(f"a mask needs one entry an image, got {tuple(chosen.shape)} for {len(self)} images")
            chosen = chosen.nonzero()[:, 0]
        return chosen.long().to(self.labels.device)

    def batch(self, where: Tensor | slice, device: torch.device, augment: Any = None, generator: Any = None) -> Tensor:
        """Return chosen images (B, C, H, W) as floats in [0, 1]; augmented, if asked, with draws from the generator."""
        return finish(self.images[where].to(device), augment, generator)

    def steps(self, size: int) -> int:
        """Return how many batches of this size there are; the last may be smaller."""
        return math.ceil(len(self) / size)

    def batches(
        self, size: int, device: torch.device, order: Any = None, augment: Any = None, generator: Any = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield batches of images, as `batch` returns them, and labels (B,).

        Args:
            size: images a batch.
            device: where batches go; images in host memory move one batch ahead.
            order: a generator to shuffle with; None for the order in which they stand.
            augment: as in `batch`.
            generator: as in `batch`.
        """
        home = self.labels.device
        cuts: Iterable[Any] = (slice(start, start + size) for start in range(0, len(self), size))
        if order is not None:
            cuts = torch.randperm(len(self), generator=order).to(home).split(size)
        if home.type == device.type:
            for where in cuts:
                yield self.batch(where, device, augment, generator), self.labels[where]
            return
        for images, labels in ahead(((self.images[where], self.labels[where]) for where in cuts), device):
            yield finish(images, augment, generator), labels

    def fingerprint(self) -> str:
        """Return the md5 over pixels and labels."""
        return fingerprint(self)

    def near(self, device: torch.device) -> "Split":
        """Return the same split on a device, or itself where it would take over half of the device's free memory."""
        fits = device.type != "cuda" or 2 * self.images.nbytes < torch.cuda.mem_get_info(device)[0]
        return self.to(device) if fits else self

    def entry(self, model: Any) -> Any:
        """Return what maps this split's batches to logits: the model itself."""
        return model


def finish(images: Tensor, augment: Any = None, generator: Any = None) -> Tensor:
    """Return uint8 images as floats in [0, 1], and floats as they are; augmented, if asked."""
    images = images.float() / 255 if images.dtype == torch.uint8 else images.float()
    return images if augment is None else augment(images, generator)


def ahead(batches: Iterable[tuple[Tensor, ...]], device: torch.device) -> Iterator[tuple[Tensor, ...]]:
    """Yield batches on a device; to a GPU, each sets out from pinned memory while the one before it is worked on."""
    if device.type != "cuda":
        yield from (tuple(tensor.to(device) for tensor in batch) for batch in batches)
        return
    waiting = None
    for batch in batches:
        moving = tuple(tensor.pin_memory().to(device, non_blocking=True) for tensor in batch)
        if waiting is not None:
            yield waiting
        waiting = moving
    if waiting is not None:
        yield waiting


def _require_dtype(field: str, value: object, dtype: torch.dtype) -> None:
    if not isinstance(value, Tensor):
        raise TypeError(f"{field} must be a {dtype} tensor, got {type(value).__name__}: use torch.as_tensor")
    if value.dtype != dtype:
        fix = "multiply images in [0, 1] by 255, round and call .byte()" if field == "images" else "call .long()"
        raise TypeError(f"{field} must be a {dtype} tensor, got {value.dtype}: {fix}")


@dataclass(frozen=True)
class Splits:
    """One data set: what to train on, what to choose with, and what to report.

    Attributes:
        train: images to learn from.
        valid: images to choose a model or a setting with.
        test: images to report on, read once and used for nothing else.
        classes: one name per label, in the order of the labels.
        mean: per-channel mean of the training images, in [0, 1].
        std: per-channel population standard deviation of the training images, in [0, 1].
        name: the name given to `load_data`.
        source_md5: md5 of the images and labels as read, before resizing: says which data a result comes from.

    Raises:
        ValueError: splits of different image shapes, images that are not square, or a label without a class name.
    """

    train: Split
    valid: Split
    test: Split
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    name: str
    source_md5: str

    def __post_init__(self) -> None:
        shapes = {tuple(split.images.shape[1:]) for split in (self.train, self.valid, self.test)}
        if len(shapes) != 1 or len({side for shape in shapes for side in shape[1:]}) != 1:
            raise ValueError(
                f"all images must be square and of one shape, got {sorted(shapes)}: give image_size, as 32"
            )
        for split in (self.train, self.valid, self.test):
            if len(split) and int(split.labels.max()) >= len(self.classes):
                got = f"label {int(split.labels.max())} with {len(self.classes)} class names"
                raise ValueError(f"every label needs a class name, got {got}: name the missing classes")

    def __repr__(self) -> str:
        some = ", ".join(self.classes[:5]) + (", …" if len(self.classes) > 5 else "")
        mean, std = (", ".join(f"{value:.3f}" for value in values) for values in (self.mean, self.std))
        shape = "×".join(map(str, self.train.images.shape[1:]))
        return (
            f"{self.name}: {len(self.train):,} train, {len(self.valid):,} valid, {len(self.test):,} test\n"
            f"images: {shape} (channels × height × width), uint8\n"
            f"classes: {len(self.classes)} ({some})\n"
            f"training pixels in [0, 1]: mean {mean}; std {std}\n"
            f"md5 of the source: {self.source_md5}"
        )

    @property
    def image_size(self) -> int:
        """Height and width of the images in pixels."""
        return self.train.images.shape[-1]

    @property
    def in_chans(self) -> int:
        """Number of color channels: 1 (grey) or 3 (RGB)."""
        return self.train.images.shape[1]

    def limit(self, n: int, seed: int = 0) -> "Splits":
        """Keep `n` training images, every class in its proportion; valid and test stay whole.

        Subsets are nested: with one seed, the subset of n lies inside that of any larger n. `mean` and `std` become
        those of the subset; `source_md5` stays that of the whole set.

        Raises:
            ValueError: n is larger than the training split or smaller than the number of its classes.
        """
        present = len(self.train.labels.unique())
        if not present <= n <= len(self.train):
            bounds = f"{present} (one image a class) to {len(self.train)}"
            raise ValueError(f"n must be {bounds}, got {n}: choose n in there")
        chosen = stratified_order(self.train.labels.cpu().numpy(), seed)[:n]
        train = self.train.take(torch.from_numpy(np.sort(chosen)))
        mean, std = channel_stats(train.images)
        return replace(self, train=train, mean=mean, std=std)


def stratified_order(labels: np.ndarray, seed: int) -> np.ndarray:
    """Order indices at random so that every prefix holds the classes in proportion.

    The first image of each class comes before any second one; after that, image r of a class of size s stands at
    (r + 1/2) / s. Prefixes of one order are nested, so one order gives splits and subsets alike.
    """
    rng = np.random.default_rng(seed)
    place = np.empty(len(labels))
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
        place[members[0]] = -1.0
    return np.lexsort((rng.random(len(labels)), place))


def split_by_order(split: Split, order: np.ndarray, first: int) -> tuple[Split, Split]:
    """Cut a split in two: the first `first` indices of the order, and the others; both keep the stored sequence."""
    return split.take(torch.from_numpy(np.sort(order[:first]))), split.take(torch.from_numpy(np.sort(order[first:])))


def channel_stats(images: UInt8[Tensor, "n c h w"]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the per-channel mean and population standard deviation of uint8 images, in [0, 1]."""
    total, square = torch.zeros(2, images.shape[1], dtype=torch.float64)
    for chunk in images.cpu().split(CHUNK):
        pixels = chunk.transpose(0, 1).flatten(1).float()  # (C, n·H·W)
        total += pixels.sum(1, dtype=torch.float64)
        square += pixels.square().sum(1, dtype=torch.float64)
    count = max(1, images.numel() // images.shape[1]) * 1.0
    mean = total / count
    std = (square / count - mean.square()).clamp(min=0).sqrt()
    return tuple((mean / 255).tolist()), tuple((std / 255).tolist())


def fingerprint(*splits: Split) -> str:
    """Return the md5 over the pixels and labels of the splits, in order."""
    digest = hashlib.md5(usedforsecurity=False)
    for split in splits:
        digest.update(repr(tuple(split.images.shape)).encode())
        digest.update(split.images.cpu().contiguous().numpy().data)
        digest.update(split.labels.cpu().contiguous().numpy().data)
    return digest.hexdigest()

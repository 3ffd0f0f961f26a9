"""A torch Dataset or DataLoader in the place of a Split, for what does not fit into memory or needs transforms."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, SequentialSampler

from vpcore.data.splits import Split, Splits, ahead, finish
from vpcore.tensorfile import as_json

TRANSFORM = "v2.Compose([v2.ToImage(), v2.Resize((32, 32)), v2.ToDtype(torch.float32, scale=True)])"
OUTSIDE = 0.25  # how far beyond [0, 1] an interpolation may go

Source = Split | DataLoader | Any  # or a Dataset: anything with a length whose items are images with labels


class Loaded:
    """Batches of a DataLoader, as `Split.batches` yields them.

    Args:
        loader: its items are (images, labels), or dictionaries with one entry for each; images (B, C, H, W) are uint8,
            or floats in [0, 1].

    Raises:
        TypeError: it has no length.
        ValueError: it drops all of its images.
    """

    def __init__(self, loader: DataLoader) -> None:
        self.loader = loader
        self.classes: int | None = None  # labels beyond them are refused before a device sees them
        self._looked = False
        try:
            self._steps = len(loader)
        except TypeError as error:
            raise TypeError("a DataLoader needs a length: give its dataset __len__, the number of images") from error
        if not self._steps and len(self):
            fix = "give it drop_last=False, or a smaller batch_size"
            raise ValueError(f"a DataLoader gives no batch of its {len(self)} images: {fix}")

    def __len__(self) -> int:
        return len(self.loader.dataset)  # type: ignore[arg-type]

    def steps(self, size: int) -> int:
        """Return how many batches an epoch has; their size is the loader's own."""
        return self._steps

    def near(self, device: torch.device) -> Loaded:
        """Return itself: batches move one by one."""
        return self

    def entry(self, model: Any) -> Any:
        """Return what maps batches to logits: the model."""
        return model

    def batches(
        self, size: int, device: torch.device, order: Any = None, augment: Any = None, generator: Any = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the loader's batches; its sampler and transforms draw from a stream of their own, seeded by `order`.

        So do generators that the loader or its sampler was given; afterwards they stand where they stood.

        Raises:
            TypeError: an item is no pair of images and labels.
            ValueError: labels are beyond the model's classes.
        """
        seed = 0 if order is None else int(torch.randint(2**62, (), generator=order))
        with reseeded(self.loader, seed):
            for images, labels in ahead(map(self._read, own_draws(self.loader, seed)), device):
                yield finish(images, augment, generator), labels

    def first(self, device: torch.device) -> Tensor:
        """Return one image (1, C, H, W) on a device, as floats."""
        with reseeded(self.loader, seed=0):
            images, _ = self._read(next(own_draws(self._samples(), seed=0)))
        return finish(images[:1].to(device))

    def fingerprint(self) -> str:
        """Return what is known without reading all images: kind and number, and the labels where they are listed."""
        dataset: Any = self.loader.dataset
        listed = next((getattr(dataset, name) for name in ("targets", "labels") if hasattr(dataset, name)), ())
        digest = hashlib.sha256(as_json(listed).encode()).hexdigest()[:16]
        return f"{type(dataset).__qualname__} of {len(self)}, labels {digest}"

    def _samples(self) -> Iterable[Any]:
        """Return batches made here, without workers: the first of one image, where a dataset can be indexed."""
        loader = self.loader
        if loader.batch_size is None or isinstance(loader.dataset, IterableDataset):
            return loader
        return (loader.collate_fn([loader.dataset[index]]) for index in range(1))

    def _read(self, item: Any) -> tuple[Tensor, Tensor]:
        images, labels = images_and_labels(item)
        if not self._looked:
            self._looked = True
            _warn_of_range(images)
        if len(labels) and int(labels.min()) < 0:
            raise ValueError(f"labels must be 0 or more, got {int(labels.min())}: number the classes from 0")
        if self.classes is not None and int(labels.max()) >= self.classes:
            got = f"the model has {self.classes} classes, a label is {int(labels.max())}"
            raise ValueError(f"{got}: give the head more classes")
        return images, labels.long()


def as_batches(data: Source, batch_size: int, shuffle: bool = False) -> Any:
    """Return a Split as it is, and a Dataset or DataLoader as `Loaded`.

    Args:
        data: a DataLoader keeps its own batch size and order.
        batch_size: for a Dataset.
        shuffle: whether it is to be trained on, which a loader in one fixed order is warned about.

    Raises:
        TypeError: anything else.
        ValueError: a DataLoader that drops all of its images.
    """
    if hasattr(data, "batches"):
        return data
    if isinstance(data, DataLoader):
        if shuffle and isinstance(data.sampler, SequentialSampler):
            warnings.warn("this DataLoader does not shuffle its training images: give it shuffle=True", stacklevel=3)
        return Loaded(data)
    iterable = isinstance(data, IterableDataset)
    if isinstance(data, Splits):
        raise TypeError("got all of a data set: pass one of its splits, as data.train, data.valid or data.test")
    if isinstance(data, (Tensor, tuple, str)) or not (iterable or hasattr(data, "__getitem__")):
        got = type(data).__name__
        raise TypeError(f"images must come as a Split, a Dataset or a DataLoader, got {got}: try Split(images, labels)")
    dataset: Any = data
    return Loaded(DataLoader(dataset, batch_size=batch_size, shuffle=shuffle and not iterable and len(data) > 0))


def own_draws(items: Iterable[Any], seed: int) -> Iterator[Any]:
    """Iterate with a global random stream of its own: what is drawn around and in here does not change the other."""
    stream, iterator = torch.Generator().manual_seed(seed).get_state(), None
    while True:
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(stream)
            iterator = iter(items) if iterator is None else iterator
            try:
                item = next(iterator)
            except StopIteration:
                return
            except TypeError as error:
                if "PIL." in str(error):
                    raise TypeError(f"images are no tensors yet: give the dataset transform={TRANSFORM}") from error
                raise
            stream = torch.get_rng_state()
        yield item


@contextmanager
def reseeded(loader: DataLoader, seed: int) -> Iterator[None]:
    """Seed inside the generators that a loader and its samplers were given, and put them back as they were."""
    batches = loader.batch_sampler
    holders = (loader, loader.sampler, batches, getattr(batches, "sampler", None))
    held = [getattr(each, "generator", None) for each in holders]
    states = {each: each.get_state() for each in held if isinstance(each, torch.Generator)}
    for each in states:
        each.manual_seed(seed)
    try:
        yield
    finally:
        for each, state in states.items():
            each.set_state(state)


def images_and_labels(item: Any) -> tuple[Tensor, Tensor]:
    """Return images (B, C, H, W) and labels (B,) of what a loader yields.

    Raises:
        TypeError: there are no such two, or several.
    """
    found = [each for each in (item.values() if isinstance(item, Mapping) else item) if isinstance(each, Tensor)]
    images = [each for each in found if each.dim() == 4]
    labels = [each for each in found if each.dim() == 1 and not each.is_floating_point()]
    if len(images) != 1 or len(labels) != 1:
        got = ", ".join(f"{each.dtype} {tuple(each.shape)}" for each in found) or type(item).__name__
        need = "a batch must hold one tensor of images (B, C, H, W) and one of whole labels (B,)"
        raise TypeError(f"{need}, got {got}: give a DataLoader with a collate_fn that returns these two")
    if not (images[0].is_floating_point() or images[0].dtype == torch.uint8):
        raise TypeError(f"images must be uint8, or floats in [0, 1], got {images[0].dtype}: use transform={TRANSFORM}")
    return images[0], labels[0]


def _warn_of_range(images: Tensor) -> None:
    """Say that images are not in [0, 1], where the first batch shows it: then a model would see nothing it knows."""
    if images.dtype == torch.uint8:
        return
    low, high = (float(bound) for bound in images.aminmax())
    if low < -OUTSIDE or high > 1 + OUTSIDE:
        fix = "divide them by 255" if high > 8 else "leave out Normalize, the model normalizes"
        warnings.warn(f"images must be in [0, 1], these are in {low:.3g} … {high:.3g}: {fix}", stacklevel=2)


def named(choice: Any) -> Any:
    """Return what a checkpoint can hold of an option: numbers and texts as they are, anything else by its name."""
    if choice is None or isinstance(choice, (str, int, float, Mapping)):
        return choice
    return getattr(choice, "__qualname__", None) or re.sub(r" at 0x\w+", "", repr(choice))

"""Which images of a set an experiment sees: k a class, or the 800, 200 and all of VTAB-1k."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import torch

from vpcore.data.splits import Split, Splits, channel_stats

VTAB_TRAIN, VTAB_VALID = 800, 200


class TooFewImages(ValueError):
    """A set, or one of its classes, has fewer training images than were asked for."""


def few_shot(data: Splits, shots: int, seed: int) -> Splits:
    """Keep `shots` training images of each class, drawn by a seed; valid and test stay whole.

    The images of one seed are nested: those of fewer shots are among those of more. `mean` and `std` become those of
    the kept images; `source_md5` stays that of the whole set.

    Args:
        data: any set.
        shots: images a class, at least 1.
        seed: draws them.

    Raises:
        TooFewImages: shots below 1, or a class with fewer images.
    """
    labels = data.train.labels.cpu()
    counts = labels.bincount(minlength=len(data.classes))
    rarest = int(torch.where(counts > 0, counts, counts.max() + 1).argmin())  # a class that train lacks stays out
    if not 1 <= shots <= int(counts[rarest]):
        has = f"{data.classes[rarest]!r} has {int(counts[rarest])}"
        raise TooFewImages(f"shots must be 1 to the images of the rarest class, {has}, got {shots}: choose fewer")
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    chosen = torch.cat([order[labels[order] == label][:shots] for label in labels.unique()])
    return _with_train(data, data.train.take(chosen.sort().values))


def vtab_1k(data: Splits) -> Splits:
    """Keep 800 images to train on and 200 to choose with; test stays whole (Zhai et al. 2019, arXiv:1910.04867).

    The 1,000 are those whose place in the set, training images before validation images, has the smallest md5: always
    the same ones, on every machine, and no class is treated specially. They are not the 1,000 of the published
    benchmark, whose order is that of TensorFlow Datasets.

    Raises:
        ValueError: fewer than 1,000 images beside test.
    """
    pool = Split(torch.cat([data.train.images, data.valid.images]), torch.cat([data.train.labels, data.valid.labels]))
    order = torch.from_numpy(vtab_order(len(pool)))
    train, valid = order[:VTAB_TRAIN], order[VTAB_TRAIN:]
    return replace(_with_train(data, pool.take(train)), valid=pool.take(valid))


def vtab_order(count: int) -> np.ndarray:
    """Return the 1,000 of `count` indices with the smallest md5, smallest first.

    Raises:
        ValueError: fewer than 1,000.
    """
    if count < VTAB_TRAIN + VTAB_VALID:
        raise ValueError(f"VTAB-1k needs 1,000 images beside test, got {count:,}: leave split=vtab1k out")
    hashes = [hashlib.md5(f"vtab1k/{index}".encode(), usedforsecurity=False).hexdigest() for index in range(count)]
    return np.argsort(np.array(hashes), kind="stable")[: VTAB_TRAIN + VTAB_VALID]


def _with_train(data: Splits, train: Split) -> Splits:
    mean, std = channel_stats(train.images)
    return replace(data, train=train, mean=mean, std=std)

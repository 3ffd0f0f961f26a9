"""One door to every data set: `load_data(name)` returns uint8 train, valid and test images as tensors."""

import difflib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from vpcore.data.files import Parts, read_folder
from vpcore.data.photodigits import digits, photodigits
from vpcore.data.resize import fit_channels, fit_size
from vpcore.data.sources import data_root, read_usps, read_vision
from vpcore.data.splits import Split, Splits, channel_stats, fingerprint, split_by_order, stratified_order
from vpcore.device import profile

__all__ = ["NAMES", "Split", "Splits", "load_data"]

BUNDLED = ("digits", "photodigits")
TORCHVISION = (
    *("mnist", "fashion_mnist", "kmnist", "usps", "cifar10", "cifar100", "svhn", "gtsrb", "dtd", "flowers102"),
    *("food101", "oxford_pets", "stanford_cars", "caltech101", "sun397", "pcam", "clevr", "eurosat", "stl10"),
)
NAMES = (*BUNDLED, *TORCHVISION, "folder")
SPLITS = ("stratified", "random")  # of a set with official training images
BUNDLED_SPLITS = ("stratified", "contiguous")
SPLIT_SEED = 42  # of every 90/10 cut into train and valid: fixed, so results of all seeds share their images
DIGITS = tuple("0123456789")
SIZES = {"train": 2000, "valid": 500, "test": 1000}  # of photodigits, unless asked otherwise


def load_data(
    name: str,
    root: str | Path | None = None,
    *,
    seed: int = 0,
    image_size: int | None = None,
    in_chans: int | None = None,
    position: str = "random",
    num_train: int | None = None,
    num_valid: int | None = None,
    num_test: int | None = None,
    split: str = "stratified",
) -> Splits:
    """Load a data set as three splits of uint8 images.

    A set with an official validation split keeps it. Otherwise 10 % of the official training images, stratified by
    class and chosen once and for all, become valid. The official test images are test. Sets without any official
    split (caltech101, sun397, eurosat, a flat folder) are cut 70/15/15 within each class by a hash; clevr's test
    labels are unpublished, so its official validation images are test (label = number of objects).

    Nothing is downloaded, unless VPCOURSE_PROFILE=full and the files are missing. The whole set is held in memory:
    images x channels x size² bytes. Nothing is written to disk by the quick profile.

    Args:
        name: one of `NAMES`. "digits" and "photodigits" need no files; "folder" reads `root`, and "folder:pets" the
            folder pets in it: either {train, valid, test}/class/image files or class/image files.
        root: folder that holds the data sets; default: the environment variable VPCORE_DATA.
        seed: of "photodigits", what is drawn; of "digits", which images are train and which valid, unless they
            are cut "contiguous". It changes no test digit and no split of any other set.
        image_size: side in pixels. None keeps the native size. Otherwise, resize the shorter side once (antialiased
            bilinear) and crop the center. Sets of photographs in many sizes need it.
        in_chans: 3 repeats grey images, 1 takes the luminance of RGB; None keeps the channels.
        position: of "photodigits": "random" or "fixed".
        num_train: images of "photodigits" to make (default 2,000); of other sets, see `Splits.limit`.
        num_valid: the same for valid (default 500).
        num_test: the same for test (default 1,000).
        split: how a set is cut. Valid from the official training images: "stratified", or "random", whose 10 % are
            those of torch's `random_split` with seed 42, as in the MSVP paper's code. The digits of "digits" and
            "photodigits": "stratified", or "contiguous", where those of a part follow each other in the source, so
            that hardly a writer is in two parts.

    Raises:
        ValueError: unknown name, position, split or profile; an option that the set does not have; a size that cannot
            be.
        FileNotFoundError: the set, or one of its files, is missing; says where it looked.
        OSError: a file is corrupt or cut short, or a download failed.
    """
    _check_request(name, seed, position, (num_train, num_valid, num_test))
    splits = BUNDLED_SPLITS if name in BUNDLED else SPLITS
    if split not in splits:
        raise ValueError(f"split of {name} must be {' or '.join(splits)}, got {split!r}")
    counts = zip(SIZES.items(), (num_train, num_valid, num_test), strict=True)
    sizes = {part: default if asked is None else asked for (part, default), asked in counts}
    parts, classes, md5 = _read(name, root, seed, image_size, position, sizes, split)
    if image_size is not None:
        parts = _map_images(parts, lambda images: fit_size(images, image_size))
    if in_chans is not None:
        parts = _map_images(parts, lambda images: fit_channels(images, in_chans))
    mean, std = channel_stats(parts["train"].images)
    return Splits(**parts, classes=classes, mean=mean, std=std, name=name, source_md5=md5)


def _check_request(name: str, seed: int, position: str, sizes: tuple[int | None, ...]) -> None:
    profile()  # refuses an unknown one
    if name not in NAMES and not str(name).startswith("folder:"):
        close = difflib.get_close_matches(str(name), NAMES, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ValueError(f"unknown data set {name!r}: {hint}choose one of {', '.join(NAMES)}")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"seed must be a whole number, 0 or more, got {seed!r}: try seed=0")
    if name != "photodigits" and (position != "random" or any(size is not None for size in sizes)):
        own = "position= and num_train=, num_valid=, num_test= belong to photodigits"
        raise ValueError(f"{own}, got them for {name}: drop them, and use .limit(n) for fewer training images")


def _read(
    name: str, root: str | Path | None, seed: int, image_size: int | None, position: str, sizes: dict[str, int],
    split: str,
) -> tuple[Parts, tuple[str, ...], str]:  # fmt: skip
    """Return train, valid and test of a set at its native size, its class names and its md5."""
    if name in BUNDLED:
        parts = digits(seed, split) if name == "digits" else photodigits(seed, position, sizes, split)
        return parts, DIGITS, fingerprint(*parts.values())
    if name == "usps":
        parts, classes = read_usps(data_root(name, root)), DIGITS
        md5 = fingerprint(*parts.values())
    elif name.startswith("folder"):
        parts, classes, md5 = read_folder(data_root(name, root) / name[len("folder:") :], image_size)
    else:
        parts, classes, md5 = read_vision(name, data_root(name, root), image_size)
    return _with_valid(parts, split), classes, md5


def _with_valid(parts: Parts, split: str) -> Parts:
    """Cut valid from train, 90/10, where the source has no validation split."""
    if "valid" in parts:
        return parts
    train = parts["train"]
    if split == "random":
        order = torch.randperm(len(train), generator=torch.Generator().manual_seed(SPLIT_SEED)).numpy()
        first = int(0.9 * len(train))
    else:
        order = stratified_order(train.labels.numpy(), SPLIT_SEED)
        first = len(train) - round(len(train) / 10)
    kept, valid = split_by_order(train, order, first)
    return {"train": kept, "valid": valid, "test": parts["test"]}


def _map_images(parts: Parts, function: Callable) -> Parts:
    return {part: replace(split, images=function(split.images)) for part, split in parts.items()}

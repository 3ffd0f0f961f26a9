"""Decode image files into tensors, and read any folder of images as train, valid and test."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from vpcore.data.resize import fit_size
from vpcore.data.splits import Split

SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
PARTS = {"train": ("train",), "valid": ("validation", "valid", "val"), "test": ("test",)}
SHARES = (0.70, 0.85)  # of each class in train, and in train and valid together

Parts = dict[str, Split]


class Digest:
    """An md5 over arrays, in the order in which they are read."""

    def __init__(self) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)

    def update(self, *arrays: np.ndarray) -> None:
        """Add the shapes and bytes of these arrays."""
        for array in arrays:
            self._md5.update(repr(array.shape).encode() + np.ascontiguousarray(array).data)

    def hexdigest(self) -> str:
        """Return the 32 hexadecimal digits."""
        return self._md5.hexdigest()


def decode_images(
    item: Callable[[int], tuple[Any, Any]], count: int, image_size: int | None, digest: Digest
) -> tuple[UInt8[Tensor, "count 3 height width"], np.ndarray]:
    """Decode `count` (PIL image, label) items to RGB, with a few threads, resizing each one if asked to.

    Raises:
        ValueError: the images differ in size and no image_size was given.
    """

    def decode(index: int) -> tuple[np.ndarray, Tensor, int]:
        image, label = item(index)
        native = np.array(image.convert("RGB"))
        pixels = torch.from_numpy(native).permute(2, 0, 1)
        return native, pixels if image_size is None else fit_size(pixels[None], image_size)[0], int(label)

    images, labels = [], []
    with ThreadPoolExecutor(max_workers=4) as pool:
        for start in range(0, count, 256):  # a batch at a time, so that few native images are held
            for native, pixels, label in pool.map(decode, range(start, min(start + 256, count))):
                digest.update(native, np.array([label]))
                images.append(pixels)
                labels.append(label)
                _same_shape(images[0], pixels)
    return torch.stack(images).contiguous(), np.array(labels, dtype=np.int64)


def _same_shape(first: Tensor, other: Tensor) -> None:
    if other.shape != first.shape:
        sizes = " and ".join(f"{image.shape[2]}×{image.shape[1]}" for image in (first, other))
        raise ValueError(f"the images differ in size ({sizes} pixels): give image_size, as 32")


def hash_cut(labels: np.ndarray, keys: list[str]) -> dict[str, np.ndarray]:
    """Cut indices 70/15/15 within each class, in the order of the md5 of their keys; train gets at least one."""
    rank = np.array([int(hashlib.md5(key.encode(), usedforsecurity=False).hexdigest()[:15], 16) for key in keys])
    cuts: dict[str, list[np.ndarray]] = {part: [] for part in PARTS}
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        members = members[np.argsort(rank[members], kind="stable")]
        first, second = max(1, round(SHARES[0] * len(members))), max(1, round(SHARES[1] * len(members)))
        for part, piece in zip(PARTS, np.split(members, [first, second]), strict=True):
            cuts[part].append(piece)
    return {part: np.sort(np.concatenate(pieces)) for part, pieces in cuts.items()}


def hashed_parts(split: Split) -> Parts:
    """Cut a set without official splits 70/15/15 within each class, by a hash of label and place."""
    labels = split.labels.numpy()
    keys = [f"{label}/{index}" for index, label in enumerate(labels)]
    return {part: split.take(torch.from_numpy(where)) for part, where in hash_cut(labels, keys).items()}


def read_folder(root: Path, image_size: int | None) -> tuple[Parts, tuple[str, ...], str]:
    """Read root/{train, validation|valid|val, test}/class/ or root/class/ image files, as RGB.

    A flat folder is cut 70/15/15 within each class by a hash of the file name, so adding a file moves few others; each
    class needs 6 files or more, so that valid and test get one each.
    Photographs are turned as their EXIF tag says. Class names are those of the folders, sorted.

    Raises:
        FileNotFoundError: no such folder, no image, or train without test.
        ValueError: a split with a class that train lacks, or images of several sizes without image_size.
        OSError: a file that is no readable image; names it.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"no folder {root}: make it, with one folder of images a class")
    found = {part: next((root / n for n in names if (root / n).is_dir()), None) for part, names in PARTS.items()}
    if found["train"] is None:
        return _read_flat(root, image_size)
    if found["test"] is None:
        raise FileNotFoundError(f"{root} has train/ but no test/: add it, or put all class folders right under {root}")
    classes, digest, parts = _class_names(found["train"]), Digest(), {}
    for part, folder in found.items():
        if folder is not None:
            paths, labels = _list_images(folder, classes)
            parts[part] = _decode_files(paths, labels, image_size, digest)
    sizes = [split.images for split in parts.values()]
    for images in sizes:
        _same_shape(sizes[0][0], images[0])
    return parts, classes, digest.hexdigest()


def _read_flat(root: Path, image_size: int | None) -> tuple[Parts, tuple[str, ...], str]:
    classes, digest = _class_names(root), Digest()
    paths, labels = _list_images(root, classes)
    split = _decode_files(paths, labels, image_size, digest)
    cut = hash_cut(labels, [path.name for path in paths])
    parts = {part: split.take(torch.from_numpy(where)) for part, where in cut.items()}
    return parts, classes, digest.hexdigest()


def _class_names(folder: Path) -> tuple[str, ...]:
    names = tuple(sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")))
    if not names:
        raise FileNotFoundError(f"no class folders under {folder}: make one folder of images for each class")
    return names


def _list_images(folder: Path, classes: tuple[str, ...]) -> tuple[list[Path], np.ndarray]:
    strangers = sorted(set(_class_names(folder)) - set(classes))
    if strangers:
        raise ValueError(f"{folder / strangers[0]} is a class that train lacks: add it to train or remove it")
    paths, labels = [], []
    for label, name in enumerate(classes):
        files = sorted((folder / name).rglob("*")) if (folder / name).is_dir() else []
        files = [p for p in files if p.suffix.lower() in SUFFIXES and not p.name.startswith(".")]
        paths += files
        labels += [label] * len(files)
    if not paths:
        raise FileNotFoundError(f"no images under {folder}: files must end in one of {' '.join(SUFFIXES)}")
    return paths, np.array(labels, dtype=np.int64)


def _decode_files(paths: list[Path], labels: np.ndarray, image_size: int | None, digest: Digest) -> Split:
    from PIL import Image, ImageOps

    def item(index: int) -> tuple[Any, int]:
        try:
            with Image.open(paths[index]) as image:
                return ImageOps.exif_transpose(image).convert("RGB"), int(labels[index])
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise OSError(f"{paths[index]} is no readable image ({error}): replace or remove it") from error

    images, ordered = decode_images(item, len(paths), image_size, digest)
    return Split(images, torch.from_numpy(ordered))

"""Decode image files into tensors, and read any folder of images as train, valid and test."""

import hashlib
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from vpcore.data.duplicates import near_duplicates
from vpcore.data.resize import fit_size
from vpcore.data.splits import Split

SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp", ".gif")
OTHER_SUFFIXES = (".heic", ".heif", ".avif", ".jxl", ".svg", ".cr2", ".dng", ".nef")  # pictures that are not read
PARTS = {
    "train": ("train", "training", "trn"),
    "valid": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "tst"),
}
SHARES = (0.70, 0.85)  # of each class in train, and in train and valid together
FEWEST = 6  # images of a class in a flat folder, so that valid and test get one each

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
        native = np.array(to_rgb(image))
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


def to_rgb(image: Any) -> Any:
    """Return a PIL image as 8-bit RGB: 16 bits divided by 257, floats in [0, 1] times 255, what is clear on white.

    Raises:
        ValueError: integers beyond 16 bits, or floats outside [0, 1].
    """
    from PIL import Image

    if image.mode == "F" or image.mode.startswith("I"):
        pixels = np.asarray(image, dtype=np.float64)
        most = 1 if image.mode == "F" else 65535
        if not (pixels.min() >= 0 and pixels.max() <= most):
            raise ValueError(f"its pixels are {pixels.min():g} … {pixels.max():g}, not 0 … {most}")
        image = Image.fromarray((pixels / most * 255).round().astype(np.uint8))
    if "transparency" in image.info or "A" in image.getbands():
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


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
    """Read root/{train, valid, test}/class/ or root/class/ image files, as RGB.

    Split folders may have the names of `PARTS`, in any case. A flat folder is cut 70/15/15 within each class by a hash
    of the file name, so adding a file moves few others. Photographs are turned as their EXIF tag says; of an animation
    the first frame is read; `to_rgb` says what becomes of other pixels. Class names are those of the folders, sorted.
    Hidden files and __MACOSX are left out. Warnings tell of images of valid or test that look like one of train, of
    pictures in formats that are not read, and of class folders that hold several folders of images.

    Raises:
        FileNotFoundError: no such folder, no image, a root that is too high by a level or more, or a split folder is
            missing.
        ValueError: two layouts at once, a class that train lacks, an empty class, or one with fewer than 6 images in a
            flat folder; or images of several sizes without image_size.
        OSError: a file that is no readable image; names it.
    """
    if root.is_file():
        raise FileNotFoundError(f"{root} is a file: give a folder that holds one folder of images a class")
    if not root.is_dir():
        raise FileNotFoundError(f"no folder {root}: make it, with one folder of images a class")
    found, digest = _find_parts(root), Digest()
    files, parts = {}, {}
    classes = _class_names(found.get("train", root))
    _warn_of_layout(root, found)
    for part, folder in (found or {"flat": root}).items():
        paths, labels = _list_images(folder, classes)
        files[part], parts[part] = paths, _decode_files(paths, labels, image_size, digest)
        _same_shape(next(iter(parts.values())).images[0], parts[part].images[0])
    if not found:
        flat, paths = parts.pop("flat"), files.pop("flat")
        for count, name in zip(np.bincount(flat.labels, minlength=len(classes)), classes, strict=True):
            if count < FEWEST:
                fix = "add some, or cut it yourself into train, valid and test folders"
                raise ValueError(f"{root / name} holds {count} images, to be cut in three it needs {FEWEST}: {fix}")
        cut = hash_cut(flat.labels.numpy(), [path.name for path in paths])
        parts = {part: flat.take(where) for part, where in cut.items()}
        files = {part: [paths[index] for index in where] for part, where in cut.items()}
    _warn_of_duplicates(parts, files)
    return parts, classes, digest.hexdigest()


def _find_parts(root: Path) -> dict[str, Path]:
    """Return the folders of train, valid and test; nothing where class folders lie right under root."""
    folders = _folders(root)
    named = {part: [f for f in folders if f.name.lower() in names] for part, names in PARTS.items()}
    for part, same in named.items():
        if len(same) > 1:
            raise ValueError(f"{root} has {part} twice, {same[0].name}/ and {same[1].name}/: keep one of them")
    found = {part: same[0] for part, same in named.items() if same}
    others = [folder for folder in folders if folder not in found.values() and _images(folder)]
    inner = _folder_that_holds_a_set(folders) if not found else None
    if inner is not None:
        raise FileNotFoundError(f"{root} is a level too high, it holds {folders[0].name}/ alone: give {inner}")
    missing = [part for part in ("train", "test") if part not in found]
    if found and missing:
        has = ", ".join(f"{folder.name}/" for folder in found.values())
        fix = f"add it, or put all class folders right under {root}"
        raise FileNotFoundError(f"{root} has {has} but no {missing[0]}/: {fix}")
    if found and others:
        both = f"{root} has {found['train'].name}/ and images in {others[0].name}/ beside it"
        raise ValueError(f"{both}: move them into the folders of the splits, or remove them")
    return found


def _warn_of_layout(root: Path, found: dict[str, Path]) -> None:
    classes = _folders(found.get("train", root))
    deeper = [folder for folder in classes if not _own_images(folder) and _holds_a_set(folder)]
    if deeper:
        says = f"{deeper[0].name}/ counts as one class and holds folders of images"
        fix = f"move them up into {deeper[0].parent}, in every split" if found else f"give {deeper[0]}"
        warnings.warn(f"{says}: if those are the classes, {fix}", stacklevel=4)
    skipped = _images(root, OTHER_SUFFIXES)
    if skipped:
        says = f"pictures in other formats are not read ({len(skipped)}), such as {skipped[0]}"
        warnings.warn(f"{says}: save them as PNG or JPEG", stacklevel=4)


def _holds_a_set(folder: Path) -> bool:
    """Return whether several folders of images lie in a folder, be they classes or splits."""
    return sum(bool(_images(inner)) for inner in _folders(folder)) > 1


def _folder_that_holds_a_set(folders: list[Path]) -> Path | None:
    """Return the first folder with a set inside, down a path on which every folder lies alone; else None."""
    while len(folders) == 1 and not _own_images(folders[0]):
        if _holds_a_set(folders[0]):
            return folders[0]
        folders = _folders(folders[0])
    return None


def _visible(path: Path) -> bool:
    return not path.name.startswith(".") and path.name != "__MACOSX"


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and _visible(path))


def _own_images(folder: Path, suffixes: tuple[str, ...] = SUFFIXES) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in suffixes and _visible(path))


def _images(folder: Path, suffixes: tuple[str, ...] = SUFFIXES) -> list[Path]:
    """Return the images in a folder, and in those inside it, in the order of their paths."""
    inside = (path for inner in _folders(folder) for path in _images(inner, suffixes))
    return sorted([*_own_images(folder, suffixes), *inside])


def _class_names(folder: Path) -> tuple[str, ...]:
    names = tuple(path.name for path in _folders(folder))
    if not names:
        raise FileNotFoundError(f"no class folders under {folder}: make one folder of images for each class")
    return names


def _list_images(folder: Path, classes: tuple[str, ...]) -> tuple[list[Path], np.ndarray]:
    strangers = sorted(set(_class_names(folder)) - set(classes))
    if strangers:
        raise ValueError(f"{folder / strangers[0]} is a class that train lacks: add it to train or remove it")
    stray = _own_images(folder)
    if stray:
        raise ValueError(f"{stray[0]} lies beside the class folders: move it into one of them, or remove it")
    files = {name: _images(folder / name) for name in classes if (folder / name).is_dir()}
    empty = [name for name, paths in files.items() if not paths]
    if len(empty) == len(files):
        raise FileNotFoundError(f"no images under {folder}: files must end in one of {' '.join(SUFFIXES)}")
    if empty:
        raise ValueError(f"{folder / empty[0]} holds no images: add some, or remove the folder")
    labels = [label for label, name in enumerate(classes) for _ in files.get(name, ())]
    return [path for paths in files.values() for path in paths], np.array(labels, dtype=np.int64)


def _decode_files(paths: list[Path], labels: np.ndarray, image_size: int | None, digest: Digest) -> Split:
    from PIL import Image, ImageOps

    def item(index: int) -> tuple[Any, int]:
        try:
            with Image.open(paths[index]) as image:
                return to_rgb(ImageOps.exif_transpose(image)), int(labels[index])
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise OSError(f"{paths[index]} is no readable image ({error}): replace or remove it") from error

    images, ordered = decode_images(item, len(paths), image_size, digest)
    return Split(images, torch.from_numpy(ordered))


def _warn_of_duplicates(parts: Parts, files: dict[str, list[Path]]) -> None:
    for part in ("valid", "test"):
        pairs = near_duplicates(parts["train"].images, parts[part].images) if part in parts else []
        if pairs:
            twins = f"as {files[part][pairs[0][1]]} like {files['train'][pairs[0][0]]}"
            says = f"{len({other for _, other in pairs})} images of {part} look like one of train, {twins}"
            warnings.warn(f"{says}: keep such twins in one split, or accuracies come out too high", stacklevel=4)

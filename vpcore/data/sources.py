"""Read data sets from files: any torchvision set through one table, and USPS. Corrupt files never get in."""

import bz2
import hashlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vpcore.data.files import Digest, Parts, decode_images, hashed_parts
from vpcore.data.splits import Split
from vpcore.device import NotDownloaded, profile


@dataclass(frozen=True)
class Source:
    """How torchvision names a set: its class, what marks it on disk, and the arguments of each split."""

    loader: str
    marker: str
    parts: dict[str, dict[str, Any]]


OLD_STYLE: dict[str, dict[str, Any]] = {"train": {"train": True}, "test": {"train": False}}


def _named(*splits: str) -> dict[str, dict[str, Any]]:
    return {part: {"split": split} for part, split in zip(("train", "test", "valid"), splits, strict=False)}


SOURCES = {
    "mnist": Source("MNIST", "MNIST/raw", OLD_STYLE),
    "fashion_mnist": Source("FashionMNIST", "FashionMNIST/raw", OLD_STYLE),
    "kmnist": Source("KMNIST", "KMNIST/raw", OLD_STYLE),
    "cifar10": Source("CIFAR10", "cifar-10-batches-py", OLD_STYLE),
    "cifar100": Source("CIFAR100", "cifar-100-python", OLD_STYLE),
    "svhn": Source("SVHN", "train_32x32.mat", _named("train", "test")),
    "gtsrb": Source("GTSRB", "gtsrb/GTSRB", _named("train", "test")),
    "dtd": Source("DTD", "dtd/dtd", _named("train", "test", "val")),
    "flowers102": Source("Flowers102", "flowers-102", _named("train", "test", "val")),
    "food101": Source("Food101", "food-101", _named("train", "test")),
    "oxford_pets": Source("OxfordIIITPet", "oxford-iiit-pet", _named("trainval", "test")),
    "stanford_cars": Source("StanfordCars", "stanford_cars", _named("train", "test")),
    "caltech101": Source("Caltech101", "caltech101/101_ObjectCategories", {"all": {}}),
    "sun397": Source("SUN397", "SUN397", {"all": {}}),
    "pcam": Source("PCAM", "pcam", _named("train", "test", "val")),
    "clevr": Source("CLEVRClassification", "clevr", _named("train", "val")),
    "eurosat": Source("EuroSAT", "eurosat/2750", {"all": {}}),
    "stl10": Source("STL10", "stl10_binary", _named("train", "test")),
}
# torchvision checks the md5 of CIFAR, SVHN, STL10 before it reads them, but not of these unpacked files
IDX_MD5 = {
    "MNIST/raw/train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "MNIST/raw/train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "MNIST/raw/t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "MNIST/raw/t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    "FashionMNIST/raw/train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "FashionMNIST/raw/train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
    "FashionMNIST/raw/t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
    "FashionMNIST/raw/t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
}
USPS_COUNTS = {"usps.bz2": 7291, "usps.t.bz2": 2007}  # the official training and test images
PACKAGES = {"pcam": "h5py"}  # what torchvision needs to read a set, and does not bring


def data_root(name: str, root: str | Path | None) -> Path:
    """Return the folder that holds the data sets: `root`, or else VPCORE_DATA."""
    chosen = root if root is not None else os.environ.get("VPCORE_DATA")
    if not chosen:
        raise FileNotFoundError(f"no folder to look for {name!r} in: set VPCORE_DATA, or give root, their folder")
    return Path(chosen).expanduser()


def read_vision(name: str, root: Path, image_size: int | None) -> tuple[Parts, tuple[str, ...], str]:
    """Read a torchvision set: its official splits, class names and md5.

    Raises:
        FileNotFoundError: the set, one of its files or a package is missing, or the download failed (`NotDownloaded`).
        OSError: a file is corrupt.
    """
    from torchvision import datasets

    source = SOURCES[name]
    loader = getattr(datasets, source.loader)
    comes = (root / source.marker).exists() or profile() == "full"
    if comes and name in PACKAGES and find_spec(PACKAGES[name]) is None:  # asked for before a long download or reading
        raise FileNotFoundError(f"{name} needs a package that is not here: python -m pip install {PACKAGES[name]}")
    _ensure(name, root, source.marker, lambda where: [loader(where, download=True, **p) for p in source.parts.values()])
    _check_files(name, root, loader)
    digest, arrays, names = Digest(), {}, None
    for part, arguments in source.parts.items():
        dataset = _open(name, root, loader, arguments)
        arrays[part] = _arrays(dataset, image_size, digest)
        names = names or getattr(dataset, "classes", None) or getattr(dataset, "categories", None)
    parts, classes = _renumber(arrays, names)
    return (hashed_parts(parts["all"]) if "all" in parts else parts), classes, digest.hexdigest()


def read_usps(root: Path) -> dict[str, Split]:
    """Read the USPS digits (Hull, 1994; 16×16 grey) from the two text files that LIBSVM's page offers.

    torchvision's reader wants one md5 of files that exist in several compressions, so it only downloads. It cuts the
    pixels' fractions off; here they are rounded, so that a pixel may be one of 255 steps brighter.

    Raises:
        FileNotFoundError: a file is missing.
        OSError: a file is corrupt, cut short, or has not its official number of images (7,291 and 2,007).
    """

    def download(where: Path) -> None:
        from torchvision.datasets import USPS

        for train in (True, False):
            USPS(str(where), train=train, download=True)

    parts = {}
    for part, (file, count) in zip(("train", "test"), USPS_COUNTS.items(), strict=True):
        _ensure("usps", root, file, download)
        path = root / file
        try:
            lines = bz2.decompress(path.read_bytes()).decode().splitlines()
            rows = np.array([[pair.split(":")[-1] for pair in line.split()] for line in lines], dtype=np.float32)
            if rows.shape != (count, 257):
                raise ValueError(f"{rows.shape[0]} images, not {count}")
        except (OSError, EOFError, ValueError) as error:
            reason = f"{path} is corrupt or cut short ({_one_line(error)})"
            raise OSError(f"{reason}: delete it and fetch usps again") from error
        pixels = ((rows[:, 1:] + 1) / 2 * 255).round().clip(0, 255).astype(np.uint8).reshape(-1, 1, 16, 16)
        labels = rows[:, 0].astype(np.int64) - 1  # they are 1 … 10 in the file
        parts[part] = Split(torch.from_numpy(pixels), torch.from_numpy(labels))
    return parts


def _ensure(name: str, root: Path, marker: str, download: Callable[[Path], object]) -> None:
    """See that the set is there; the full profile downloads it aside and moves it in place when complete.

    Raises:
        FileNotFoundError: it is not there, in the quick profile.
        NotDownloaded: the download failed.
    """
    if (root / marker).exists():
        return
    if profile() != "full":
        fix = "set VPCORE_DATA to the folder that holds it, or VPCOURSE_PROFILE=full to download it"
        raise FileNotFoundError(f"{name} is not at {root / marker}: {fix}")
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=root) as aside:
            download(Path(aside))
            for entry in Path(aside).iterdir():
                if not (root / entry.name).exists():
                    entry.rename(root / entry.name)
    except (OSError, RuntimeError, ValueError, ImportError) as error:
        reason = f"{name} could not be downloaded to {root} ({_one_line(error)})"
        advice = "check the network and the disk, or put the files there yourself"
        raise NotDownloaded(f"{reason}: {advice}") from error


def _check_files(name: str, root: Path, loader: type) -> None:
    """Compare the files of a set with their known md5, and name the one that is missing or wrong."""
    folder = root / getattr(loader, "base_folder", "")
    listed = (*getattr(loader, "train_list", ()), *getattr(loader, "test_list", ()))
    known = [(folder / file, md5) for file, md5 in listed]
    known += [(root / file, md5) for file, md5 in IDX_MD5.items() if file.startswith(SOURCES[name].marker + "/")]
    for path, md5 in known:
        if not path.exists():
            raise FileNotFoundError(f"{name} lacks the file {path}: delete {path.parent} and fetch the set again")
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        if found != md5:
            raise OSError(f"{path} is corrupt or cut short (md5 {found}, not {md5}): delete it and fetch {name} again")


def _open(name: str, root: Path, loader: Callable, arguments: dict[str, Any]) -> Any:
    """Open one split, and turn what torchvision raises for bad files into one line."""
    path = root / SOURCES[name].marker
    try:
        return loader(root, **arguments)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{name} under {path} lacks a file ({_one_line(error)}): fetch the set again"
        ) from error
    except (OSError, RuntimeError, AssertionError, LookupError, EOFError, ValueError) as error:
        raise OSError(f"{name} under {path} cannot be read ({_one_line(error)}): fetch the set again") from error


def _one_line(error: BaseException) -> str:
    """Return the error's type and message without line breaks."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def _arrays(dataset: Any, image_size: int | None, digest: Digest) -> tuple[torch.Tensor, np.ndarray]:
    """Return the images (N, C, H, W) and labels of a torchvision set, whole if it holds them, or else one by one."""
    data = getattr(dataset, "data", None)
    if data is None:
        return decode_images(lambda index: _item(dataset, index), len(dataset), image_size, digest)
    pixels = torch.as_tensor(data)
    if pixels.ndim == 3:
        pixels = pixels[:, None]  # (N, H, W) → (N, 1, H, W)
    elif pixels.shape[-1] == 3:
        pixels = pixels.permute(0, 3, 1, 2)
    labels = np.asarray(dataset.targets if hasattr(dataset, "targets") else dataset.labels, dtype=np.int64)
    digest.update(np.ascontiguousarray(pixels), labels)
    return pixels.contiguous(), labels


def _item(dataset: Any, index: int) -> tuple[Any, Any]:
    """Read one image and its label; an unreadable file is named."""
    try:
        return dataset[index]
    except (OSError, SyntaxError) as error:
        lists = (getattr(dataset, name, None) for name in ("samples", "_samples", "_image_files", "_images"))
        file = next((files[index] for files in lists if files), f"image {index}")
        file = file[0] if isinstance(file, tuple) else file
        raise OSError(f"{file} is no readable image ({_one_line(error)}): fetch the set again") from error


def _renumber(arrays: dict[str, tuple[torch.Tensor, np.ndarray]], names: Any) -> tuple[Parts, tuple[str, ...]]:
    """Number the classes from 0 (CLEVR counts 3 … 10 objects) and name them."""
    values = np.unique(np.concatenate([labels for _, labels in arrays.values()]))
    if names is not None and len(names) > values[-1]:
        values = np.arange(len(names))
    classes = tuple(map(str, names if names is not None and len(names) == len(values) else values))
    parts = {p: Split(x, torch.from_numpy(np.searchsorted(values, y))) for p, (x, y) in arrays.items()}
    return parts, classes

"""Read data sets from files: any torchvision set through one table. Corrupt files never get in."""

import hashlib
import os
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vpcore.data.catalog import IDX_MD5, SOURCES
from vpcore.data.files import Digest, decode_images, hashed_parts
from vpcore.data.splits import Split
from vpcore.device import NotDownloaded, profile

Parts = dict[str, Split]
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
    if (root / source.marker).exists() or profile() == "full":
        _check_package(name)
    ensure(name, root, source.marker, lambda where: [loader(where, download=True, **p) for p in source.parts.values()])
    _check_files(name, root, loader)
    digest, arrays, names = Digest(), {}, None
    for part, arguments in source.parts.items():
        dataset = _open(name, root, loader, arguments)
        arrays[part] = _arrays(dataset, image_size, digest)
        names = names or getattr(dataset, "classes", None) or getattr(dataset, "categories", None)
    parts, classes = _renumber(arrays, names)
    return (hashed_parts(parts["all"]) if "all" in parts else parts), classes, digest.hexdigest()


def ensure(name: str, root: Path, marker: str, download: Callable[[Path], object]) -> None:
    """See that the set is there; the full profile downloads it aside and moves it in place when complete.

    Raises:
        FileNotFoundError: it is not there, in the quick profile.
        NotDownloaded: the download failed.
    """
    if (root / marker).exists():
        return
    if profile() != "full":
        raise FileNotFoundError(f"{name} is not at {root / marker}: set VPCORE_DATA to the folder that holds it, "
                                "or VPCOURSE_PROFILE=full to download it")  # fmt: skip
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=root) as aside:
            download(Path(aside))
            for entry in Path(aside).iterdir():
                if not (root / entry.name).exists():
                    entry.rename(root / entry.name)
    except (OSError, RuntimeError, ValueError, ImportError) as error:
        reason = f"{name} could not be downloaded to {root} ({one_line(error)})"
        advice = "check the network and the disk, or put the files there yourself"
        raise NotDownloaded(f"{reason}: {advice}") from error


def _check_package(name: str) -> None:
    """Ask for what torchvision would miss, before a long download or reading."""
    if name in PACKAGES and find_spec(PACKAGES[name]) is None:
        install = f"python -m pip install {PACKAGES[name]}"
        raise FileNotFoundError(f"{name} needs a package that is not here: {install}")


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
        raise FileNotFoundError(f"{name} under {path} lacks a file ({one_line(error)}): fetch the set again") from error
    except (OSError, RuntimeError, AssertionError, LookupError, EOFError, ValueError) as error:
        raise OSError(f"{name} under {path} cannot be read ({one_line(error)}): fetch the set again") from error


def one_line(error: BaseException) -> str:
    """Return the error's type and message without line breaks."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def _arrays(dataset: Any, image_size: int | None, digest: "Digest") -> tuple[torch.Tensor, np.ndarray]:
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
        raise OSError(f"{file} is no readable image ({one_line(error)}): fetch the set again") from error


def _renumber(arrays: dict[str, tuple[torch.Tensor, np.ndarray]], names: Any) -> tuple[Parts, tuple[str, ...]]:
    """Number the classes from 0 (CLEVR counts 3 … 10 objects) and name them."""
    values = np.unique(np.concatenate([labels for _, labels in arrays.values()]))
    if names is not None and len(names) > values[-1]:
        values = np.arange(len(names))
    classes = tuple(map(str, names if names is not None and len(names) == len(values) else values))
    parts = {p: Split(x, torch.from_numpy(np.searchsorted(values, y))) for p, (x, y) in arrays.items()}
    return parts, classes

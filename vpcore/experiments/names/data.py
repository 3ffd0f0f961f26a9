"""Data sets and their options as text: "photodigits:position=fixed", "cifar100:split=vtab1k", "folder:clothing"."""

from __future__ import annotations

from typing import Any

from vpcore.data import TORCHVISION, load_data
from vpcore.data.catalog import SOURCES
from vpcore.data.protocols import vtab_1k
from vpcore.data.sources import data_root
from vpcore.data.splits import Splits
from vpcore.device import profile

PLACES = ("random", "fixed")  # of a photodigits digit
VTAB = "split=vtab1k"  # 800 images to train on, 200 to choose with


def data_label(text: str) -> str:
    """Check the name of a data set and write it the one way: what is the default anyway is left out.

    A name is what `load_data` takes; "photodigits:position=fixed"; a real set with ":split=vtab1k"; or "folder:NAME", a
    folder of images inside the folder of the data sets.

    Raises:
        ValueError: an option that this set does not have.
    """
    name, _, rest = text.partition(":")
    if not rest or (name == "folder" and rest):
        return text.rstrip(":")
    if rest == VTAB and name in TORCHVISION:
        return text
    key, _, value = rest.partition("=")
    if name != "photodigits" or key != "position" or value not in PLACES:
        known = f"photodigits:position=random, photodigits:position=fixed, a real set with {VTAB}, or folder:NAME"
        raise ValueError(f"unknown option {rest!r} of data set {name}: write {known}")
    return name if value == "random" else f"{name}:position={value}"


def lacking_data(text: str, root: str | None) -> str | None:
    """Say which files of a data set this machine lacks, without reading any; None if all is there or may be downloaded.

    Raises:
        ValueError: unknown option.
    """
    name, _, rest = data_label(text).partition(":")
    if name not in (*TORCHVISION, "folder") or (name != "folder" and profile() == "full"):
        return None
    try:
        folder = data_root(text, root)
    except FileNotFoundError as error:
        return str(error)
    marker = {"folder": rest or ".", "usps": "usps.bz2"}.get(name) or SOURCES[name].marker
    return None if (folder / marker).exists() else f"no {folder / marker}"


def load_named(text: str, root: str | None, image_size: int | None, in_chans: int | None) -> Splits:
    """Load a data set by its name with options.

    Raises:
        ValueError: unknown data set or option.
        OSError: its files are missing or damaged.
    """
    name, _, rest = data_label(text).partition(":")
    options: dict[str, Any] = {"root": root}
    if name == "folder" and rest:
        options["root"] = data_root(text, root) / rest
    elif rest and rest != VTAB:
        options["position"] = rest.partition("=")[2]
    data = load_data(name, **options, image_size=image_size, in_chans=in_chans)
    return vtab_1k(data) if rest == VTAB else data

"""Data sets and their options as text: "photodigits:position=fixed", "cifar100:split=vtab1k", "folder:clothing"."""

from __future__ import annotations

from typing import Any

from vpcore.data import TORCHVISION, load_data
from vpcore.data.protocols import vtab_1k
from vpcore.data.sources import SOURCES, data_root
from vpcore.data.splits import Splits
from vpcore.device import profile
from vpcore.experiments.names.named import check_options, read_named, write_named

POSITION = {"position": ("random", "fixed")}  # of a photodigits digit, the default first
COUNTS = dict.fromkeys(("num_train", "num_valid", "num_test"))  # how many photodigits images to make
SPLIT = {"split": ("vtab1k",)}  # of a real set: 800 images to train on, 200 to choose with
IN_ORDER = {"split": ("contiguous",)}  # of the digits: cut in the order of their file
WRITE = (
    "photodigits:position=random, photodigits:position=fixed, photodigits:num_train=16000, a real set with "
    "split=vtab1k, digits or photodigits with split=contiguous, or folder:NAME"
)


def read_data(text: str) -> tuple[str, dict[str, str]]:
    """Read the name of a data set and its options, sorted; a position that is the default anyway is left out.

    A name is what `load_data` takes; "photodigits:position=fixed" and "photodigits:num_train=16000"; a real set with
    ":split=vtab1k"; the digits with ":split=contiguous"; or "folder:NAME", a folder of images inside the folder of the
    data sets, which is all name.

    Raises:
        ValueError: an option that this set does not have.
    """
    if text.startswith("folder:"):
        return text.rstrip(":"), {}
    name, options = read_named(text)
    own: dict[str, dict[str, Any]] = {"photodigits": POSITION | COUNTS | IN_ORDER, "digits": IN_ORDER}
    takes = own.get(name, SPLIT if name in TORCHVISION else {})
    check_options("data set", name, options, takes, WRITE)
    wrong = [f"{key}={value}" for key, value in options.items() if key in COUNTS and not value.isdecimal()]
    if wrong:
        raise ValueError(f"{wrong[0]} of data set {name} must be a whole number, 1 or more: try num_train=16000")
    return name, {key: options[key] for key in sorted(options) if (key, options[key]) != ("position", "random")}


def data_label(text: str) -> str:
    """Check the name of a data set and write it the one way, as results name it; raises what `read_data` raises."""
    return write_named(*read_data(text))


def lacking_data(text: str, root: str | None) -> str | None:
    """Say which files of a data set this machine lacks, without reading any; None if all is there or may be downloaded.

    Raises:
        ValueError: unknown option.
    """
    kind, _, folder_name = read_data(text)[0].partition(":")
    if kind not in (*TORCHVISION, "folder") or (kind != "folder" and profile() == "full"):
        return None
    try:
        folder = data_root(text, root)
    except FileNotFoundError as error:
        return str(error)
    marker = {"folder": folder_name or ".", "usps": "usps.bz2"}.get(kind) or SOURCES[kind].marker
    return None if (folder / marker).exists() else f"no {folder / marker}"


def load_named(
    text: str, root: str | None, image_size: int | None, in_chans: int | None, split: str = "stratified"
) -> Splits:
    """Load a data set by its name with options; `split` is how `load_data` cuts valid from train.

    Raises:
        ValueError: unknown data set or option.
        OSError: its files are missing or damaged.
    """
    name, options = read_data(text)
    kind, _, folder_name = name.partition(":")
    place = data_root(text, root) / folder_name if folder_name else root
    given: dict[str, Any] = {key: int(value) if key in COUNTS else value for key, value in options.items()}
    vtab = given.get("split") in SPLIT["split"]
    given["split"] = split if vtab else given.get("split", split)
    data = load_data(kind, root=place, image_size=image_size, in_chans=in_chans, **given)
    return vtab_1k(data) if vtab else data

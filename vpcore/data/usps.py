"""The USPS digits (Hull, 1994): 16×16 grey, from the two text files that LIBSVM's page offers.

torchvision's reader wants one md5 of files that exist in several compressions, so they are read here.
"""

import bz2
from pathlib import Path

import numpy as np
import torch

from vpcore.data.sources import ensure, one_line
from vpcore.data.splits import Split

COUNTS = {"usps.bz2": 7291, "usps.t.bz2": 2007}  # the official training and test images


def read_usps(root: Path) -> dict[str, Split]:
    """Read the USPS digits (16×16 grey) from LIBSVM's usps.bz2 and usps.t.bz2.

    Raises:
        FileNotFoundError: a file is missing.
        OSError: a file is corrupt, cut short, or has not its official number of images (7,291 and 2,007).
    """

    def download(where: Path) -> None:
        from torchvision.datasets import USPS

        for train in (True, False):
            USPS(str(where), train=train, download=True)

    parts = {}
    for part, (file, count) in zip(("train", "test"), COUNTS.items(), strict=True):
        ensure("usps", root, file, download)
        parts[part] = _usps_split(root / file, count)
    return parts


def _usps_split(path: Path, count: int) -> Split:
    try:
        lines = bz2.decompress(path.read_bytes()).decode().splitlines()
        rows = np.array([[pair.split(":")[-1] for pair in line.split()] for line in lines], dtype=np.float32)
        if rows.shape != (count, 257):
            raise ValueError(f"{rows.shape[0]} images, not {count}")
    except (OSError, EOFError, ValueError) as error:
        raise OSError(f"{path} is corrupt or cut short ({one_line(error)}): delete it and fetch usps again") from error
    pixels = ((rows[:, 1:] + 1) / 2 * 255).round().clip(0, 255).astype(np.uint8).reshape(-1, 1, 16, 16)
    return Split(torch.from_numpy(pixels), torch.from_numpy(rows[:, 0].astype(np.int64) - 1))  # labels are 1 … 10

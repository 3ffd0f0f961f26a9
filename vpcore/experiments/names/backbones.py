"""The backbone of a cell as text: "resnet_nano", a timm name, or "vit_base_patch16_224:checkpoint=FILE"."""

from __future__ import annotations

import hashlib
import os
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import torch

from vpcore.backbone import Backbone, Spec
from vpcore.device import profile
from vpcore.experiments.names.named import check_options, read_named
from vpcore.models import BUNDLED, MODELS, load_backbone

SCRATCH = tuple(name for name in MODELS if name not in BUNDLED)  # the MSVP paper's networks: trained from scratch


def read_backbone(text: str) -> tuple[str, str | None]:
    """Return the name of a backbone and the name of its checkpoint file, None if it has none.

    Raises:
        ValueError: an option other than checkpoint, or a path where a file's name should stand.
    """
    name, options = read_named(text)
    takes = {"checkpoint": [Path(options.get("checkpoint", "")).name]}
    check_options("backbone", name, options, takes, "checkpoint=FILE, a file in $VPCORE_WEIGHTS")
    return name, options.get("checkpoint")


def weights_folder() -> Path:
    """Return the folder of checkpoint files: VPCORE_WEIGHTS, or weights/ inside the folder of the data sets."""
    return Path(os.environ.get("VPCORE_WEIGHTS") or Path(os.environ.get("VPCORE_DATA") or ".") / "weights").expanduser()


def load_trained(text: str, **options: Any) -> Backbone:
    """Load the backbone of a cell with its weights: bundled, timm's, or a checkpoint file's.

    Raises:
        ValueError: unknown name or option, weights that would be downloaded in the quick profile, a damaged file.
        OSError: no such file, or the download failed.
    """
    name, file = read_backbone(text)
    if file is not None:
        options["checkpoint"] = weights_folder() / file
    return load_backbone(name, pretrained=True, **options)


def fresh_backbone(text: str, image_size: int | None = None, **options: Any) -> Backbone:
    """Build the backbone of a cell with fresh weights."""
    if image_size:
        options["image_size"] = image_size
    return load_backbone(read_backbone(text)[0], pretrained=False, **options)


@cache
def backbone_spec(text: str, image_size: int | None = None) -> Spec:
    """Return the sizes of a backbone; it needs no trained weights, and takes no memory for a timm network's.

    Raises:
        ValueError: unknown backbone.
    """
    known = read_backbone(text)[0] in MODELS
    with nullcontext() if known else torch.device("meta"):
        return fresh_backbone(text, image_size).spec


def lacking_weights(text: str) -> str | None:
    """Say which weights of a backbone this machine lacks; None if it has them, or may download them."""
    name, file = read_backbone(text)
    if file is not None:
        path = weights_folder() / file
        return None if path.is_file() else f"no file {path}: put the weights there, or set VPCORE_WEIGHTS"
    if name in MODELS or profile() == "full":
        return None
    return "its weights would be downloaded: set VPCOURSE_PROFILE=full, or give checkpoint=FILE"


@cache
def weights_sha256(text: str) -> dict[str, str]:
    """Return the hash of a backbone's checkpoint file as a result records it; nothing for one without such a file."""
    file = read_backbone(text)[1]
    if file is None:
        return {}
    with (weights_folder() / file).open("rb") as stream:
        return {"weights_sha256": hashlib.file_digest(stream, "sha256").hexdigest()}

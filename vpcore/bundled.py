"""The weights that ship with vpcore: read with a checksum, written with a card."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vpcore.backbone import Backbone
from vpcore.data import Splits
from vpcore.prompted import Prompted
from vpcore.prompts.base import NoPrompt
from vpcore.tensorfile import read_tensors, replace_file, write_tensors

FOLDER = Path(__file__).parent / "weights"
LIMITS = "Trained on {} only; small on purpose; no fairness or safety review."
HOLDS = {"cifar100": "32-pixel photographs of 100 everyday classes"}  # what a set shows, in words


def read_card(name: str) -> dict[str, Any]:
    """Return what is known of a bundled backbone: data, recipe, command, hardware, accuracy, hash.

    Raises:
        FileNotFoundError: no weights of that name ship with this version.
    """
    path = FOLDER / f"{name}.json"
    if not path.is_file():
        raise FileNotFoundError(f"no weights for {name} at {path}: install vpcore again, or pass pretrained=False")
    return json.loads(path.read_text())


def load_weights(backbone: Backbone) -> Backbone:
    """Put the bundled weights into a backbone built with `pretrained=False`; returns it.

    Raises:
        FileNotFoundError: the weight file is missing.
        ValueError: its sha256 is not the one on the card.
    """
    name = backbone.spec.name
    path, card = FOLDER / f"{name}.safetensors", read_card(name)
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no file"
    if digest != card["sha256"]:
        raise ValueError(f"{path} is not the file its card describes (sha256 {digest[:12]}…): install vpcore again")
    tensors, _ = read_tensors(path)
    wanted = backbone.state_dict()
    backbone.load_state_dict({key: tensor.to(wanted[key].dtype) for key, tensor in tensors.items()})
    return backbone


def write_weights(backbone: Backbone, data: Splits, folder: Path, facts: dict[str, Any]) -> None:
    """Write a trained backbone as float16 safetensors and its card, `NAME.safetensors` and `NAME.json`.

    Args:
        backbone: trained, with its classifier.
        data: what it was trained on.
        folder: where to.
        facts: what the card says beyond data, sizes, hash and limits.

    Raises:
        OSError: the folder cannot be written to, or the disk is full.
    """
    name = backbone.spec.name
    path = folder / f"{name}.safetensors"
    half = {k: t.half() if t.is_floating_point() else t for k, t in backbone.state_dict().items()}
    spec = backbone.spec
    about = {"format": "vpcore.backbone.1", "name": name, "mean": spec.mean, "std": spec.std}
    write_tensors(path, half, {"vpcore": json.dumps(about)})  # one key: the order of several would not be stable
    card = {
        "name": name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "bytes": path.stat().st_size,
        "parameters": sum(p.numel() for p in backbone.parameters()),
        "mean": spec.mean,
        "std": spec.std,
        "data": {"name": data.name, "md5": data.source_md5, "train": len(data.train), "valid": len(data.valid),
                 "test": len(data.test), "classes": data.classes},
        **facts,
        "limits": LIMITS.format(HOLDS.get(data.name, f"{data.name}, {len(data.classes)} classes, at 32 pixels,")),
    }  # fmt: skip
    replace_file(folder / f"{name}.json", (json.dumps(card, indent=1) + "\n").encode())


def classify(backbone: Backbone) -> nn.Module:
    """Return a frozen model from images in [0, 1] to the source classes of a pretrained backbone.

    Raises:
        ValueError: the backbone kept no classifier.
    """
    if backbone.classifier is None:
        raise ValueError(f"{backbone.spec.name} kept no classifier: load it with pretrained=True")
    return Prompted(backbone, NoPrompt(backbone.spec), backbone.classifier).requires_grad_(False).eval()


def half_precision(backbone: Backbone) -> Backbone:
    """Round the weights to float16 and back, in place: what a loaded bundled backbone computes with."""
    with torch.no_grad():
        for tensor in [*backbone.parameters(), *backbone.buffers()]:
            if tensor.is_floating_point():
                tensor.copy_(tensor.half())
    return backbone

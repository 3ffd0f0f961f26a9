"""The weights that ship with vpcore, read with a checksum."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from vpcore.backbone import Backbone
from vpcore.tensorfile import read_tensors

FOLDER = Path(__file__).parents[1] / "weights"


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

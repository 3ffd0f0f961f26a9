"""What a model learned, in a file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from vpcore.backbone import Backbone
from vpcore.prompts.base import Prompt
from vpcore.tensorfile import read_tensors, write_tensors
from vpcore.tuning.base import Tuning

LEARNED_FORMAT = "vpcore.learned.1"


class Learner(Protocol):
    """What a model must have so that its learned part can be a file; `Prompted` has it."""

    backbone: Backbone
    prompt: Prompt
    tuning: Tuning | None

    def learned(self) -> Mapping[str, Tensor]:
        """Return what training makes, by name."""
        ...

    def load_learned(self, tensors: Mapping[str, Tensor]) -> None:
        """Copy saved tensors into the ones that learn, or refuse all of them with a ValueError."""
        ...


def fingerprint(module: nn.Module) -> str:
    """Return a short hash (16 hex digits) of all parameters and buffers of a module."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        if isinstance(tensor, Tensor):
            flat = tensor.detach().cpu().contiguous().view(-1)
            digest.update(name.encode() + flat.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def save_learned(model: Learner, path: str | Path) -> None:
    """Write what a model learned, with method, sizes and the backbone's hash in the metadata.

    Raises:
        OSError: the folder cannot be written to, or the disk is full.
    """
    write_tensors(path, model.learned(), {"format": LEARNED_FORMAT, **_identity(model)})


def load_learned(model: Learner, path: str | Path) -> None:
    """Read what `save_learned` wrote into a model built the same way.

    Raises:
        OSError: the file is missing.
        ValueError: the file is damaged, or belongs to another prompt or backbone; nothing is changed then.
    """
    tensors, metadata = read_tensors(path)
    if metadata.get("format") != LEARNED_FORMAT:
        raise ValueError(f"{path} holds no learned prompt: give a file that save wrote")
    for key, value in _identity(model).items():
        if metadata.get(key) != value:
            got = f"{path} was saved with {key} {metadata.get(key)!r}"
            raise ValueError(f"{got}, this model has {value!r}: build that one")
    model.load_learned(tensors)


def _identity(model: Learner) -> dict[str, str]:
    spec = model.backbone.spec
    return {
        "prompt": type(model.prompt).__name__,
        "tuning": "none" if model.tuning is None else f"{type(model.tuning).__name__}({model.tuning.extra_repr()})",
        "backbone": spec.name,
        "image_size": str(spec.image_size),
        "backbone_hash": fingerprint(model.backbone) if model.backbone.frozen else "trained",
    }

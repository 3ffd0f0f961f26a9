"""What a model learned, in a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from numbers import Number
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from vpcore.backbone import Backbone
from vpcore.prompts.base import Prompt
from vpcore.tensorfile import as_json, read_tensors, write_tensors
from vpcore.tuning.base import Tuning

LEARNED_FORMAT = "vpcore.learned.1"
UNSEEN = ("training", "built", "seed", "init", "scale", "names")  # attributes that change no output of a trained part


class Learner(Protocol):
    """What a model must have so that its learned part can be a file; `Prompted` has it."""

    backbone: Backbone
    prompt: Prompt
    tuning: Tuning | None
    head: nn.Module
    mean: Tensor
    std: Tensor

    def learned(self) -> Mapping[str, Tensor]:
        """Return what training makes, by name."""
        ...

    def load_learned(self, tensors: Mapping[str, Tensor]) -> None:
        """Copy saved tensors into the ones that learn, or refuse all of them with a ValueError."""
        ...


def fingerprint(tensors: nn.Module | Mapping[str, Tensor]) -> str:
    """Return a short hash (16 hex digits) of named tensors, or of all parameters and buffers of a module."""
    digest = hashlib.sha256()
    named = tensors.state_dict() if isinstance(tensors, nn.Module) else tensors
    for name, tensor in sorted(named.items()):
        if isinstance(tensor, Tensor):
            flat = tensor.detach().cpu().contiguous().view(-1)
            digest.update(name.encode() + flat.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def save_learned(model: Learner, path: str | Path) -> None:
    """Write what a model learned, with all that its outputs depend on beside that in the metadata.

    That is prompt, tuning and head with their options, the backbone's name, sizes, mean, std, hash and the ε of its
    norms; and the names of the classes, if the model has them as its attribute `classes`.

    Raises:
        OSError: the folder cannot be written to, or the disk is full.
    """
    parts = {name: getattr(model, name) for name in ("prompt", "tuning", "head")}
    built = {name: getattr(part, "built", {}) for name, part in parts.items()}
    classes = getattr(model, "classes", None)
    metadata = {"format": LEARNED_FORMAT, **_identity(model), "built": as_json(built)}
    write_tensors(path, model.learned(), metadata | ({"classes": as_json(list(classes))} if classes else {}))


def load_learned(model: Learner, path: str | Path) -> None:
    """Read what `save_learned` wrote into a model built the same way.

    Raises:
        OSError: the file is missing.
        ValueError: the file is damaged, or belongs to another prompt or backbone, or to a prompt with other options;
            nothing is changed then.
    """
    tensors, metadata = read_saved(path)
    mine = _identity(model)
    if getattr(model, "classes", None):
        mine["classes"] = as_json(list(model.classes))  # type: ignore[attr-defined]
    for key, value in mine.items():
        saved = metadata.get(key, None if key in FIRST else value)  # files of version 0.1 lack the others
        if key == "options" and saved is not None:
            theirs, ours = json.loads(saved), json.loads(value)
            differ = [name for name in ours if name in theirs and theirs[name] != ours[name]]
            key, saved, value = (differ[0], theirs[differ[0]], ours[differ[0]]) if differ else (key, value, value)
        if saved != value:
            raise ValueError(f"{path} was saved with {key} {saved!r}, this model has {value!r}: build that one")
    model.load_learned(tensors)


def read_saved(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return tensors and metadata of a file that `save_learned` wrote.

    Raises:
        OSError: the file is missing.
        ValueError: the file is damaged, or another one.
    """
    tensors, metadata = read_tensors(path)
    if metadata.get("format") != LEARNED_FORMAT:
        raise ValueError(f"{path} holds no learned prompt: give a file that save wrote")
    return tensors, metadata


FIRST = ("prompt", "tuning", "backbone", "image_size", "backbone_hash")  # what files have held since version 0.1


def _identity(model: Learner) -> dict[str, str]:
    spec = model.backbone.spec
    parts = {"prompt": model.prompt, "tuning": model.tuning, "head": model.head}
    options = {f"{name} {key}": value for name, part in parts.items() if part for key, value in _options(part).items()}
    return {
        "prompt": type(model.prompt).__name__,
        "tuning": "none" if model.tuning is None else f"{type(model.tuning).__name__}({model.tuning.extra_repr()})",
        "head": type(model.head).__name__,
        "backbone": spec.name,
        "image_size": "x".join(map(str, dict.fromkeys(spec.size))),
        "mean": json.dumps(model.mean.flatten().tolist()),
        "std": json.dumps(model.std.flatten().tolist()),
        "backbone_hash": "trained" if _holds_backbone(model) else fingerprint(model.backbone),
        "norm_eps": as_json(list(dict.fromkeys(each.eps for each in model.backbone.modules() if hasattr(each, "eps")))),
        "options": as_json(options),
    }


def _holds_backbone(model: Learner) -> bool:
    return any(name.startswith("backbone.") for name in model.learned())


def _options(part: nn.Module) -> dict[str, Any]:
    """Return the plain values that a part and the parts in it hold, but for layers of torch."""
    return {
        f"{where}.{key}".lstrip("."): value
        for where, module in part.named_modules()
        if not type(module).__module__.startswith("torch.")
        for key, value in vars(module).items()
        if not key.startswith("_") and key not in UNSEEN and _plain(value)
    }


def _plain(value: Any) -> bool:
    if isinstance(value, (list, tuple, dict)):
        return all(map(_plain, value.values() if isinstance(value, dict) else value))
    return value is None or isinstance(value, (Number, str))

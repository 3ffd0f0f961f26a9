"""Files: what a model learned, and where a run stands. Always safetensors, never a pickle; never half written."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


def write_tensors(path: str | Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file aside and rename it, so that a broken write leaves the old file whole.

    Raises:
        OSError: the folder cannot be written to, or the disk is full.
    """
    from safetensors.torch import save

    target = Path(path)
    aside = target.with_name(target.name + ".part")
    try:
        data = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, metadata)
        aside.write_bytes(data)
        os.replace(aside, target)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise OSError(f"cannot write {target}: {error.strerror or error}; free space or choose another folder") from error


def read_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read tensors and metadata of a safetensors file.

    Raises:
        OSError: the file is missing.
        ValueError: it is truncated, or no safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise FileNotFoundError(f"no file {path}: check the name, or save a model there first")
    try:
        with safe_open(str(path), framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged or no safetensors file ({error}): take a fresh copy") from error


def fingerprint(module: nn.Module) -> str:
    """Return a short hash (16 hex digits) of all parameters and buffers of a module."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        if isinstance(tensor, Tensor):
            digest.update(name.encode() + tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def save_learned(model: Any, path: str | Path) -> None:
    """Write what a `Prompted` model learned, with method, sizes and the backbone's hash in the metadata."""
    spec = model.backbone.spec
    metadata = {
        "format": "vpcore.learned.1",
        "prompt": type(model.prompt).__name__,
        "backbone": spec.name,
        "backbone_hash": fingerprint(model.backbone) if model.backbone.frozen else "trained",
        "image_size": str(spec.image_size),
    }
    write_tensors(path, model.learned(), metadata)


def load_learned(model: Any, path: str | Path) -> None:
    """Read what `save_learned` wrote into a model built the same way.

    Raises:
        ValueError: the file is damaged, or belongs to another prompt or backbone; nothing is changed then.
    """
    tensors, metadata = read_tensors(path)
    frozen = model.backbone.frozen
    mine = {
        "prompt": type(model.prompt).__name__,
        "backbone": model.backbone.spec.name,
        "backbone_hash": fingerprint(model.backbone) if frozen else "trained",
    }
    for key, value in mine.items():
        if metadata.get(key) != value:
            raise ValueError(f"{path} was saved with {key} {metadata.get(key)!r}, this model has {value!r}: build that one")
    model.load_learned(tensors)


@dataclass
class RunState:
    """All that a training run needs to go on bit-identically."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    batches: torch.Generator
    noise: torch.Generator
    scaler: torch.amp.GradScaler
    best: dict[str, Tensor] | None = None

    def step(self, loss: Tensor, factor: float) -> None:
        """Take one optimizer step at `factor` times the peak learning rate."""
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak_lr"] * factor
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def changing(self) -> dict[str, Tensor]:
        """Return the tensors training changes: learned ones, and the buffers of modules in training mode."""
        learned = {name for name, parameter in self.model.named_parameters() if parameter.requires_grad}
        frozen = self._frozen_prefixes()
        state = {name: tensor for name, tensor in self.model.state_dict().items() if isinstance(tensor, Tensor)}
        buffers = {name for name, _ in self.model.named_buffers()}
        return {
            name: tensor
            for name, tensor in state.items()
            if name in learned or (name in buffers and not name.startswith(frozen))
        }

    def _frozen_prefixes(self) -> tuple[str, ...]:
        return tuple(f"{name}." for name, module in self.model.named_modules() if getattr(module, "frozen", False))

    def keep_best(self) -> None:
        """Remember the present weights as the best so far."""
        self.best = {name: tensor.detach().clone() for name, tensor in self.changing().items()}

    def restore_best(self) -> None:
        """Put the best weights back."""
        _copy_into(self.changing(), self.best or {})


def _copy_into(mine: dict[str, Tensor], saved: dict[str, Tensor]) -> None:
    with torch.no_grad():
        for name, tensor in saved.items():
            mine[name].copy_(tensor)


def write_run(path: str | Path | None, state: RunState, records: list[dict[str, Any]]) -> None:
    """Write a run's checkpoint: weights, best weights, optimizer and random states, and the history so far."""
    if path is None:
        return
    tensors = {f"model/{name}": tensor for name, tensor in state.changing().items()}
    tensors |= {f"best/{name}": tensor for name, tensor in (state.best or {}).items()}
    for index, slots in state.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{index}/{slot}": value for slot, value in slots.items() if isinstance(value, Tensor)}
    tensors |= {f"random/{name}": generator.get_state() for name, generator in _generators(state).items()}
    tensors["random/global"] = torch.get_rng_state()
    write_tensors(path, tensors, {"format": "vpcore.run.1", "records": json.dumps(records), "scaler": json.dumps(state.scaler.state_dict())})


def _generators(state: RunState) -> dict[str, torch.Generator]:
    found = {"batches": state.batches, "noise": state.noise}
    for name, module in state.model.named_modules():
        for key, generator in getattr(module, "_generators", {}).items():
            found[f"{name}@{key}"] = generator
    return found


def read_run(path: str | Path | None, state: RunState) -> list[dict[str, Any]]:
    """Restore a run from its checkpoint, if there is one, and return its history.

    Raises:
        ValueError: the file is damaged or belongs to another model.
    """
    if path is None or not Path(path).is_file():
        return []
    tensors, metadata = read_tensors(path)
    mine = state.changing()
    saved = {name.removeprefix("model/"): tensor for name, tensor in tensors.items() if name.startswith("model/")}
    if metadata.get("format") != "vpcore.run.1" or {n: t.shape for n, t in mine.items()} != {n: t.shape for n, t in saved.items()}:
        raise ValueError(f"{path} is a checkpoint of another model: choose another file, or delete it to start afresh")
    _copy_into(mine, saved)
    state.best = {n.removeprefix("best/"): t.to(mine[n.removeprefix("best/")].device) for n, t in tensors.items() if n.startswith("best/")}
    _restore_optimizer(state.optimizer, tensors)
    for name, generator in _generators(state).items():
        if f"random/{name}" in tensors:
            generator.set_state(tensors[f"random/{name}"])
    torch.set_rng_state(tensors["random/global"])
    state.scaler.load_state_dict(json.loads(metadata["scaler"]))
    return json.loads(metadata["records"])


def _restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer/"):
            _, index, slot = name.split("/", 2)
            state.setdefault(int(index), {})[slot] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})

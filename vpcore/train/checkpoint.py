"""Where a training run stands, and the file that it goes on from."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.optim.swa_utils import AveragedModel

from vpcore.tensorfile import read_tensors, write_tensors
from vpcore.train.optim import SLOTS
from vpcore.train.protocol import Draws, Freezes, parts
from vpcore.train.records import EpochRecord

RUN_FORMAT = "vpcore.run.1"


@dataclass
class RunState:
    """All that a training run needs to go on bit-identically.

    Attributes:
        model: what is trained.
        optimizer: over the model's learned parameters; each group holds its own `peak_lr`.
        batches: draws the order of the images, on the CPU.
        noise: draws the augmentation, on the model's device.
        scaler: scales the loss in float16, does nothing otherwise.
        best: the tensors of the best validation epoch so far, by name.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    batches: torch.Generator
    noise: torch.Generator
    scaler: GradScaler
    best: dict[str, Tensor] | None = None

    def changing(self) -> dict[str, Tensor]:
        """Return the tensors training changes: learned ones, averages of them, and buffers of what is not frozen."""
        learned = {name for name, parameter in self.model.named_parameters() if parameter.requires_grad}
        buffers = {name for name, _ in self.model.named_buffers()}
        averages = tuple(f"{name}." for name, _ in parts(self.model, AveragedModel))
        frozen = tuple(f"{name}." for name, part in parts(self.model, Freezes) if part.frozen)
        return {
            name: tensor
            for name, tensor in self.model.state_dict().items()
            if name in learned
            or (name in buffers and not name.startswith(frozen))
            or (isinstance(tensor, Tensor) and name.startswith(averages))
        }

    def keep_best(self) -> None:
        """Remember the present weights as the best so far."""
        self.best = {name: tensor.detach().clone() for name, tensor in self.changing().items()}

    def restore_best(self) -> None:
        """Put the best weights back."""
        copy_into(self.changing(), self.best or {})

    def generators(self) -> dict[str, torch.Generator]:
        """Return all random generators of the run but the global ones, by name."""
        own = {
            f"{name}@{device}": generator
            for name, part in parts(self.model, Draws)
            for device, generator in part.generators.items()
        }
        return {"batches": self.batches, "noise": self.noise, **own}

    def tensors(self) -> dict[str, Tensor]:
        """Return the whole state as one flat dictionary of named tensors."""
        found = {f"model/{name}": tensor for name, tensor in self.changing().items()}
        found |= {f"best/{name}": tensor for name, tensor in (self.best or {}).items()}
        for index, slots in self.optimizer.state_dict()["state"].items():
            found |= {f"optimizer/{index}/{slot}": value for slot, value in slots.items() if isinstance(value, Tensor)}
        found |= {f"random/{name}": generator.get_state() for name, generator in self.generators().items()}
        found["random/global"] = torch.get_rng_state()
        if self.noise.device.type == "cuda":
            found["random/cuda"] = torch.cuda.get_rng_state(self.noise.device)
        return found

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Restore what `tensors` returned.

        Raises:
            ValueError: the tensors belong to another model; nothing is changed then.
        """
        mine = self.changing()
        saved, best = _under("model/", tensors), _under("best/", tensors)
        for given in [saved, best] if best else [saved]:
            if {name: t.shape for name, t in mine.items()} != {name: t.shape for name, t in given.items()}:
                raise ValueError("it is a checkpoint of another model")
        slots = _read_slots(self.optimizer, _under("optimizer/", tensors))
        self._load_random(_under("random/", tensors))
        copy_into(mine, saved)
        self.best = {name: torch.empty_like(mine[name]).copy_(tensor) for name, tensor in best.items()} or None
        self.optimizer.load_state_dict({"state": slots, "param_groups": self.optimizer.state_dict()["param_groups"]})

    def _load_random(self, states: dict[str, Tensor]) -> None:
        for name, part in parts(self.model, Draws):  # generators made on first use, after the model was built
            for key in [key for key in states if key.startswith(f"{name}@")]:
                part.generator(key.removeprefix(f"{name}@"))
        expected = {*self.generators(), "global"} | ({"cuda"} if self.noise.device.type == "cuda" else set())
        if set(states) != expected:
            raise ValueError("it holds other random generators than this model")
        for name, generator in self.generators().items():
            generator.set_state(states[name])
        torch.set_rng_state(states["global"])
        if "cuda" in states:
            torch.cuda.set_rng_state(states["cuda"], self.noise.device)


def start_run(
    model: nn.Module, optimizer: torch.optim.Optimizer, seed: int, device: torch.device, precision: str
) -> RunState:
    """Return the state of a run that has not begun."""
    batches, noise = torch.Generator().manual_seed(seed), torch.Generator(device).manual_seed(seed + 1)
    return RunState(model, optimizer, batches, noise, GradScaler(device.type, enabled=precision == "float16"))


def write_run(path: str | Path | None, state: RunState, records: list[EpochRecord], settings: dict[str, Any]) -> None:
    """Write a run's checkpoint: its state, the history so far, and the settings it must go on with.

    Raises:
        OSError: the folder cannot be written to, or the disk is full; an older checkpoint stays as it was.
    """
    if path is None:
        return
    metadata = {
        "format": RUN_FORMAT,
        "records": json.dumps([asdict(record) for record in records]),
        "scaler": json.dumps(state.scaler.state_dict()),
        "settings": json.dumps(settings, default=dict),
    }
    write_tensors(path, state.tensors(), metadata)


def read_run(path: str | Path | None, state: RunState, settings: dict[str, Any]) -> list[EpochRecord]:
    """Restore a run from its checkpoint, if there is one, and return its history.

    Raises:
        OSError: the folder for the checkpoint does not exist, or the path is a folder.
        ValueError: the file is damaged, belongs to another model, or was written with other settings.
    """
    if path is None:
        return []
    if Path(path).is_dir() or not Path(path).parent.is_dir():
        raise OSError(f"cannot write a checkpoint to {path}: give a file name in a folder that exists")
    if not Path(path).is_file():
        return []
    tensors, metadata = read_tensors(path)
    fix = "choose another file, or delete it to start afresh"
    if metadata.get("format") != RUN_FORMAT:
        raise ValueError(f"{path} is no checkpoint of a run: {fix}")
    try:
        saved = json.loads(metadata.get("settings", "{}"))
        for key, value in settings.items():
            if key in saved and saved[key] != value:
                raise ValueError(f"it was written with {key}={saved[key]!r}, this run has {key}={value!r}")
        records = _read_records(metadata["records"])
        state.load(tensors)
        state.scaler.load_state_dict(json.loads(metadata["scaler"]))
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        why = str(error).splitlines()[0] if isinstance(error, ValueError) else f"it is damaged: {type(error).__name__}"
        raise ValueError(f"cannot go on from {path} ({why}): {fix}") from error
    return records


def copy_into(mine: dict[str, Tensor], saved: dict[str, Tensor]) -> None:
    """Copy tensors into those of the same names, in place."""
    with torch.no_grad():
        for name, tensor in saved.items():
            mine[name].copy_(tensor)


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _read_slots(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    """Sort "index/slot" tensors by index, each in the memory layout of its parameter (fused kernels rely on it)."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    slots: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, _, slot = name.partition("/")
        if not index.isdecimal() or int(index) >= len(parameters):
            raise ValueError("its optimizer state is of another model")
        like = parameters[int(index)].detach()
        if tensor.shape not in ((), like.shape):
            raise ValueError("its optimizer state is of another model")
        slots.setdefault(int(index), {})[slot] = tensor if tensor.dim() == 0 else torch.empty_like(like).copy_(tensor)
    if any(set(found) != SLOTS[type(optimizer)] for found in slots.values()):
        raise ValueError("its optimizer state is incomplete")
    return slots


def _read_records(text: str) -> list[EpochRecord]:
    records = [EpochRecord(**record) for record in json.loads(text)]
    numbers = [value for record in records for value in asdict(record).values()]
    if [record.epoch for record in records] != list(range(len(records))):
        raise ValueError("its epochs are not 0, 1, …")
    if not all(isinstance(number, (int, float)) for number in numbers):
        raise ValueError("its history holds something else than numbers")
    return records

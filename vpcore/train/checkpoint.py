"""Where a training run stands, and the file that it goes on from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.optim.swa_utils import AveragedModel

from vpcore.device import is_here
from vpcore.tensorfile import as_json, read_tensors, write_tensors
from vpcore.train.protocol import Draws, Freezes, parts
from vpcore.train.records import EpochRecord, History

RUN_FORMAT = "vpcore.run.1"
ELEMENTWISE = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)  # a slot has its parameter's shape, or is a number


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

    def step(self, clip_grad: float | None = None) -> None:
        """Take one step of the optimizer, along a gradient whose norm is cut to `clip_grad`."""
        if clip_grad is not None:
            self.scaler.unscale_(self.optimizer)
            learned = [each for group in self.optimizer.param_groups for each in group["params"]]
            torch.nn.utils.clip_grad_norm_(learned, clip_grad)
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def frozen(self) -> dict[str, Tensor]:
        """Return the tensors that training leaves as they are."""
        changing = self.changing()
        return {name: tensor for name, tensor in self.model.state_dict().items() if name not in changing}

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
            kept = {f"optimizer/{index}/{slot}": value for slot, value in slots.items() if value is not None}
            if not all(isinstance(value, Tensor) for value in kept.values()):
                kind = type(self.optimizer).__name__
                raise ValueError(f"{kind} keeps more than tensors, which no checkpoint holds: leave checkpoint out")
            found |= kept
        found |= {f"random/{name}": generator.get_state() for name, generator in self.generators().items()}
        found["random/global"] = torch.get_rng_state()
        if self.noise.device.type == "cuda":
            found["random/cuda"] = torch.cuda.get_rng_state(self.noise.device)
        return found

    def groups(self) -> list[dict[str, float]]:
        """Return the numbers that the optimizer keeps for each group of parameters."""
        groups = self.optimizer.param_groups
        return [{k: v for k, v in group.items() if isinstance(v, (int, float))} for group in groups]

    def load(self, tensors: dict[str, Tensor], groups: list[dict[str, float]]) -> None:
        """Restore what `tensors` and `groups` returned, but the learning rates: each step sets its own.

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
        param_groups = self.optimizer.state_dict()["param_groups"]
        for group, numbers in zip(param_groups, groups, strict=False):
            group.update({name: number for name, number in numbers.items() if name != "lr"})
        self.optimizer.load_state_dict({"state": slots, "param_groups": param_groups})

    def _load_random(self, saved: dict[str, Tensor]) -> None:
        states = {name: each for name, each in saved.items() if "@" not in name or is_here(name.rpartition("@")[2])}
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


@contextmanager
def keeps_best(state: RunState, history: History, release: bool = False) -> Iterator[None]:
    """Leave the best weights in the model, or those it came with, whatever ends what is inside.

    An error gets the epochs so far as its attribute `history`. Gradients are set free if asked to.
    """
    state.keep_best()
    try:
        yield
    except BaseException as error:
        error.history = history  # type: ignore[attr-defined]
        if history.epochs:
            error.add_note(f"the model holds its best epoch, {history.best.epoch}; the error's history has them all")
        raise
    finally:
        if release:  # gradients in the memory of CUDA graphs would hold it
            state.optimizer.zero_grad(set_to_none=True)
        state.restore_best()


def write_run(path: str | Path | None, state: RunState, records: list[EpochRecord], settings: dict[str, Any]) -> None:
    """Write a run's checkpoint: its state, the history so far, and the settings it must go on with.

    Raises:
        OSError: the folder cannot be written to, or the disk is full; an older checkpoint stays as it was.
    """
    if path is None:
        return
    tensors = state.tensors()
    metadata = {
        "format": RUN_FORMAT,
        "records": json.dumps([asdict(record) for record in records]),
        "scaler": json.dumps(state.scaler.state_dict()),
        "settings": as_json(settings),
        "groups": json.dumps(state.groups()),
        "slots": str(len(_under("optimizer/", tensors))),
    }
    write_tensors(path, tensors, metadata)


def read_run(path: str | Path | None, state: RunState, settings: dict[str, Any]) -> list[EpochRecord]:
    """Restore a run from its checkpoint, if there is one, and return its history.

    Raises:
        OSError: the folder for the checkpoint does not exist, or the path is a folder.
        ValueError: the file is damaged, belongs to another model, or was written with other settings, or on another
            kind of device.
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
    written, here = "cuda" if "random/cuda" in tensors else "cpu", state.noise.device.type
    if written != here:
        go_on = f"give device={written!r}, or choose another file"
        raise ValueError(f"{path} was written on {written}, this run is on {here}: {go_on}")
    try:
        saved = json.loads(metadata.get("settings", "{}"))
        for key, value in json.loads(as_json(settings)).items():
            longer = key == "epochs" and value > saved.get(key, 0)
            if key in saved and saved[key] != value and not longer:
                raise ValueError(f"it was written with {key}={saved[key]!r}, this run has {key}={value!r}")
        slots = _under("optimizer/", tensors)
        if int(metadata.get("slots", len(slots))) != len(slots):
            raise ValueError("its optimizer state is incomplete")
        records = _read_records(metadata["records"])
        state.load(tensors, json.loads(metadata.get("groups", "[]")))
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
        if tensor.shape not in ((), like.shape) and isinstance(optimizer, ELEMENTWISE):
            raise ValueError("its optimizer state is of another model")
        fits = tensor.dim() and tensor.shape == like.shape
        slots.setdefault(int(index), {})[slot] = torch.empty_like(like).copy_(tensor) if fits else tensor
    return slots


def _read_records(text: str) -> list[EpochRecord]:
    records = [EpochRecord(**record) for record in json.loads(text)]
    numbers = [value for record in records for value in asdict(record).values()]
    if [record.epoch for record in records] != list(range(len(records))):
        raise ValueError("its epochs are not 0, 1, …")
    if not all(isinstance(number, (int, float)) for number in numbers):
        raise ValueError("its history holds something else than numbers")
    return records

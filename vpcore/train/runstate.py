"""Where a training run stands: weights, best weights, optimizer and random generators."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler

from vpcore.train.optim import SLOTS


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

    def step(self, loss: Tensor, factor: float) -> None:
        """Take one optimizer step at `factor` times the peak learning rate."""
        self.optimizer.zero_grad(set_to_none=True)
        self.backward(loss)
        self.apply(factor)

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of a loss; of several losses, that of their sum."""
        scaled = self.scaler.scale(loss)
        scaled.backward(torch.ones_like(scaled))

    def apply(self, factor: float) -> None:
        """Take one optimizer step with the gradient that is there, at `factor` times the peak learning rate."""
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak_lr"] * factor
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def changing(self) -> dict[str, Tensor]:
        """Return the tensors training changes: learned ones, and the buffers of modules that are not frozen."""
        learned = {name for name, parameter in self.model.named_parameters() if parameter.requires_grad}
        buffers = {name for name, _ in self.model.named_buffers()}
        frozen = tuple(f"{name}." for name, module in self.model.named_modules() if getattr(module, "frozen", False))
        return {
            name: tensor
            for name, tensor in self.model.state_dict().items()
            if name in learned or (name in buffers and not name.startswith(frozen))
        }

    def keep_best(self) -> None:
        """Remember the present weights as the best so far."""
        self.best = {name: tensor.detach().clone() for name, tensor in self.changing().items()}

    def restore_best(self) -> None:
        """Put the best weights back."""
        copy_into(self.changing(), self.best or {})

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

    def generators(self) -> dict[str, torch.Generator]:
        """Return all random generators of the run but the global ones, by name."""
        found = {"batches": self.batches, "noise": self.noise}
        for name, module in self.model.named_modules():
            for key, generator in getattr(module, "_generators", {}).items():
                found[f"{name}@{key}"] = generator
        return found

    def _load_random(self, states: dict[str, Tensor]) -> None:
        for name, module in self.model.named_modules():  # generators made on first use, after the model was built
            if hasattr(module, "_generators"):
                for key in [key for key in states if key.startswith(f"{name}@")]:
                    module.generator(key.removeprefix(f"{name}@"))  # pyright: ignore[reportCallIssue]
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

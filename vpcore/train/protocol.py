"""What the training loop asks of the parts of a model, beyond being modules: three things, none of which is needed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, TypeVar, runtime_checkable

import torch
from torch import nn

from vpcore.data.loading import Loaded
from vpcore.data.splits import Split

Part = TypeVar("Part")


@runtime_checkable
class Freezes(Protocol):
    """A part that may be frozen, as a backbone: as long as it is, its buffers count as fixed, and are not kept."""

    frozen: bool


@runtime_checkable
class Draws(Protocol):
    """A part with random generators of its own, as a prompt: a run that resumes goes on with them."""

    generators: dict[str, torch.Generator]  # by device

    def generator(self, device: torch.device | str) -> torch.Generator:
        """Return the generator on a device, made if it is not there yet."""
        ...


@runtime_checkable
class StartsEpochs(Protocol):
    """A part that is told when an epoch begins, as a head that maps labels anew."""

    def start_epoch(self, model: nn.Module, train: Split | Loaded) -> None:
        """Get ready for an epoch.

        Args:
            model: the whole model.
            train: training images, on the model's device where they fit there; `batches` brings them.
        """
        ...


def parts(model: nn.Module, kind: type[Part]) -> Iterator[tuple[str, Part]]:
    """Yield the modules of a model, itself included, that are of a kind, by name."""
    for name, module in model.named_modules():
        if isinstance(module, kind):
            yield name, module

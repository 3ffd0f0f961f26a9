"""The recipe of the MSVP paper's code in all that a grid else does its own way, for a cell with `recipe="published"`.

There (Khazem 2025, arXiv:2512.03663) MNIST and Fashion-MNIST are normalized by 0.5 and 0.5, valid is a random tenth of
the training images and is augmented as they are, weights are float32, and the last epoch is tested. What stays ours:
seeds draw the same weights, batches and augmentation whatever the prompt; each image is augmented as a tensor, not as a
PIL image; networks are timm's where timm has them, with the start and the layer norms of the paper's code.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from vpcore.data.augment import Augment
from vpcore.data.splits import Split, Splits
from vpcore.prompted import Prompted
from vpcore.train import fit
from vpcore.train.checkpoint import copy_into
from vpcore.train.records import EpochRecord, History

PUBLISHED = "published"
NORMALIZED = {
    **dict.fromkeys(("mnist", "fashion_mnist"), ((0.5,), (0.5,))),
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
}


def check_set(name: str) -> None:
    """Refuse a set that the paper does not have.

    Raises:
        ValueError: another set.
    """
    if name not in NORMALIZED:
        known = ", ".join(NORMALIZED)
        raise ValueError(f"the published recipe is for {known}, got {name}: choose one, or leave the recipe out")


def normalize(data: Splits) -> Splits:
    """Return a set of the paper with the mean and deviation that its code normalizes it by."""
    mean, std = NORMALIZED[data.name]
    return replace(data, mean=mean, std=std)


@torch.no_grad()
def start(model: Prompted, seed: int) -> Prompted:
    """Start head and gate as the paper's code does, in place; returns the model.

    A ViT's head starts at N(0, 0.02²), twice our deviation. PyTorch's default of a gate's bias, uniform in ±1/√C for C
    channels, stays on ResNet and ViT; the plain CNN's own start sets it to 0.
    """
    spec, bias = model.backbone.spec, getattr(model.prompt, "gate_bias", None)
    if spec.kind == "vit":
        model.head.linear.weight.mul_(2)  # type: ignore[union-attr, operator]
    if bias is not None and spec.name != "simple_cnn":
        draws = torch.rand(len(bias), generator=torch.Generator().manual_seed(seed))
        bias.copy_((2 * draws - 1) / len(bias) ** 0.5)
    return model


@dataclass(frozen=True)
class Augmented(Split):
    """Images that are augmented wherever they are read, with draws from one generator.

    Attributes:
        change: the augmentation; None leaves images as they are.
        draws: goes on from one reading to the next.
    """

    change: Augment | None
    draws: torch.Generator

    def to(self, device: torch.device | str) -> Augmented:
        """Return the same images on another device."""
        return replace(self, images=self.images.to(device), labels=self.labels.to(device))

    def batches(
        self, size: int, device: torch.device, order: Any = None, augment: Any = None, generator: Any = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield batches as `Split.batches` does, always augmented."""
        return super().batches(size, device, order, self.change, self.draws)


def tensors(model: Prompted) -> dict[str, Tensor]:
    """Return all parameters and buffers of a model by name."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def fit_to_the_last(
    model: Prompted, train: Split, valid: Split, augment: Augment | None, seed: int, on_epoch: Any, **options: Any
) -> History:
    """Train as `fit` does, and leave the last epoch in the model; validation images are augmented, too."""
    last: dict[str, Tensor] = {}

    def keep(record: EpochRecord) -> Any:
        last.update({name: tensor.clone() for name, tensor in tensors(model).items()})
        return None if on_epoch is None else on_epoch(record)

    shown = Augmented(valid.images, valid.labels, augment, torch.Generator().manual_seed(seed + 2))
    history = fit(model, train, shown, augment=augment, seed=seed, on_epoch=keep, **options)
    copy_into(tensors(model), last)
    return history

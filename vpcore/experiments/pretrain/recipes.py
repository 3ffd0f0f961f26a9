"""How the bundled backbones are pretrained: hyper-parameters and loss."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vpcore.data.augment import mix
from vpcore.device import at_least_float32
from vpcore.train import Loss


@dataclass(frozen=True)
class Recipe:
    """How a backbone is trained; every field is written into its card."""

    epochs: int
    lr: float
    weight_decay: float
    optimizer: str
    batch_size: int = 256
    warmup_epochs: int = 5
    label_smoothing: float = 0.1
    mixup: float = 0.0  # alpha; 0 turns it off
    cutmix: float = 0.0
    ema: float = 0.999  # share of the average kept at each step
    distill: float = 0.0  # weight of the teacher's soft labels, 0 … 1
    temperature: float = 2.0


RECIPES = {
    "resnet_nano": Recipe(epochs=80, lr=0.2, weight_decay=5e-4, optimizer="sgd"),
    "vit_nano": Recipe(
        epochs=60, lr=2e-3, weight_decay=0.05, optimizer="adamw", warmup_epochs=8, mixup=0.2, cutmix=1.0, distill=0.7
    ),
}


def make_loss(recipe: Recipe, num_classes: int, teacher: nn.Module | None) -> Loss:
    """Return the loss of a recipe: smoothed, mixed, and partly the teacher's opinion of the same mixed images."""

    def loss(model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        model.update()  # type: ignore[operator]
        targets = F.one_hot(labels, num_classes).float()
        if recipe.mixup or recipe.cutmix:
            images, targets = mix(images, targets, generator, recipe.mixup, recipe.cutmix)
        logits = at_least_float32(model(images))
        plain = F.cross_entropy(logits, targets.to(logits.dtype), label_smoothing=recipe.label_smoothing)
        if teacher is None:
            return plain
        with torch.no_grad():
            soft = F.softmax(at_least_float32(teacher(images)) / recipe.temperature, dim=1)
        distance = F.kl_div(F.log_softmax(logits / recipe.temperature, dim=1), soft, reduction="batchmean")
        return (1 - recipe.distill) * plain + recipe.distill * recipe.temperature**2 * distance

    return loss

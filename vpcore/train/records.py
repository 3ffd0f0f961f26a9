"""What training and evaluation give back."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from torch import Tensor


class Diverged(ValueError):
    """Training left the finite numbers: the loss, or the logits of the model it led to; the text says which."""


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch gave; losses in nats, accuracies in 0 … 1, seconds of wall clock."""

    epoch: int
    train_loss: float
    valid_loss: float
    valid_accuracy: float
    seconds: float


@dataclass
class History:
    """One record an epoch; `best` is the one whose weights the model holds after `fit`."""

    epochs: list[EpochRecord] = field(default_factory=list)

    def stale(self) -> int:
        """Return how many epochs have passed since the best one."""
        return len(self.epochs) - 1 - self.best.epoch if self.epochs else 0

    @property
    def best(self) -> EpochRecord:
        """The epoch of the highest validation accuracy, the earliest among equals."""
        return max(self.epochs, key=lambda record: record.valid_accuracy)


@dataclass(frozen=True)
class Evaluation:
    """Predictions on a split and what follows from them."""

    accuracy: float  # 0 … 1
    loss: float  # mean cross-entropy in nats
    predictions: Tensor  # (N,) class indices, on the CPU
    labels: Tensor  # (N,) true classes, on the CPU

    @property
    def standard_error(self) -> float:
        """Standard error of the accuracy from the size of the test set alone."""
        return math.sqrt(self.accuracy * (1 - self.accuracy) / len(self.labels))

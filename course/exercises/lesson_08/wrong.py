"""Lesson 08, bug museum: typical wrong answers, so that a check can name the mistake."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from course.exercises.lesson_08.answers import accuracy, count_pairs


def only_centered(stored: Tensor, first: int, last: int, mean: Tensor, std: Tensor) -> Tensor:
    """Forget the standard deviation."""
    return stored[first:last] - mean


def multiplied(stored: Tensor, first: int, last: int, mean: Tensor, std: Tensor) -> Tensor:
    """Multiply by the standard deviation."""
    return (stored[first:last] - mean) * std


def divided_first(stored: Tensor, first: int, last: int, mean: Tensor, std: Tensor) -> Tensor:
    """Divide before the mean is taken off."""
    return stored[first:last] / std - mean


def own_statistics(stored: Tensor, first: int, last: int, mean: Tensor, std: Tensor) -> Tensor:
    """Take mean and standard deviation of the batch."""
    batch = stored[first:last]
    return (batch - batch.mean((0, 2, 3), keepdim=True)) / batch.std((0, 2, 3), keepdim=True)


def one_less(stored: Tensor, first: int, last: int, mean: Tensor, std: Tensor) -> Tensor:
    """Take all images from the first on."""
    return (stored[first:] - mean) / std


def percent(logits: Sequence[Tensor], labels: Sequence[Tensor]) -> float:
    """Return percent."""
    right = [(scores.argmax(1) == truth).float() for scores, truth in zip(logits, labels, strict=True)]
    return 100 * float(torch.cat(right).mean())


def last_uncounted(logits: Sequence[Tensor], labels: Sequence[Tensor]) -> float:
    """Count the images of the last batch, and not which of them are right."""
    right = [(scores.argmax(1) == truth).float() for scores, truth in zip(logits, labels, strict=True)]
    return float(torch.cat(right[:-1]).sum()) / sum(map(len, labels))


def last_dropped(logits: Sequence[Tensor], labels: Sequence[Tensor]) -> float:
    """Leave out the last batch, short or not."""
    return accuracy(logits[:-1], labels[:-1])


def first_alone(logits: Sequence[Tensor], labels: Sequence[Tensor]) -> float:
    """Return within the loop."""
    return accuracy(logits[:1], labels[:1])


def last_alone(logits: Sequence[Tensor], labels: Sequence[Tensor]) -> float:
    """Keep what the last batch gives."""
    return accuracy(logits[-1:], labels[-1:])


def errors(logits: Sequence[Tensor], labels: Sequence[Tensor]) -> float:
    """Count what is wrong."""
    return 1 - accuracy(logits, labels)


def best_on_test(valid: Sequence[float], test: Sequence[float]) -> float:
    """Choose on the test set."""
    return max(test)


def last_epoch(valid: Sequence[float], test: Sequence[float]) -> float:
    """Choose nothing."""
    return test[-1]


def best_valid(valid: Sequence[float], test: Sequence[float]) -> float:
    """Report the validation accuracy."""
    return max(valid)


def latest(valid: Sequence[float], test: Sequence[float]) -> float:
    """Choose the last of equals."""
    return test[max(range(len(valid)), key=lambda epoch: (valid[epoch], epoch))]


def tie_on_test(valid: Sequence[float], test: Sequence[float]) -> float:
    """Let the test accuracy decide between equals."""
    return max(zip(valid, test, strict=True))[1]


def up_to_largest(predicted: Tensor, labels: Tensor, num_source: int, num_classes: int) -> Tensor:
    """Give the table the size of what occurs."""
    return count_pairs(predicted, labels, int(predicted.max()) + 1, int(labels.max()) + 1)


def by_presence(predicted: Tensor, labels: Tensor, num_source: int, num_classes: int) -> Tensor:
    """Give a column to each class that is there, in a row."""
    present = labels.unique()
    renumbered = torch.searchsorted(present, labels)
    return count_pairs(predicted, renumbered, num_source, num_classes)


def too_short(predicted: Tensor, labels: Tensor, num_source: int, num_classes: int) -> Tensor:
    """Give no column to an absent class."""
    return by_presence(predicted, labels, num_source, len(labels.unique()))


def as_many_as_present(predicted: Tensor, labels: Tensor, num_source: int, num_classes: int) -> Tensor:
    """Give columns to the first classes, as many as are there."""
    return count_pairs(predicted, labels, num_source, num_classes)[:, : len(labels.unique())]


def seen_at_all(predicted: Tensor, labels: Tensor, num_source: int, num_classes: int) -> Tensor:
    """Set to one in the place of adding one."""
    return count_pairs(predicted, labels, num_source, num_classes).clamp(max=1)


def turned(predicted: Tensor, labels: Tensor, num_source: int, num_classes: int) -> Tensor:
    """Swap rows and columns."""
    return count_pairs(predicted, labels, num_source, num_classes).T.contiguous()

"""Lesson 00, start here: typical wrong answers, so that a check can name the mistake."""

from __future__ import annotations

import math
from typing import Any

import torch
from scipy import stats
from torch import Tensor, nn
from torch.nn import functional as F

from course.exercises.lesson_00.answers import choose, count_parameters, probe_step, standard_error


def count_tensors(model: nn.Module) -> tuple[int, int]:
    """Count tensors instead of the numbers in them."""
    states = [p.requires_grad for p in model.parameters()]
    return sum(states), len(states) - sum(states)


def count_swapped(model: nn.Module) -> tuple[int, int]:
    """Return the frozen ones first."""
    learned, frozen = count_parameters(model)
    return frozen, learned


def count_all(model: nn.Module) -> tuple[int, int]:
    """Return all of them instead of the frozen ones."""
    learned, frozen = count_parameters(model)
    return learned, learned + frozen


def count_buffers(model: nn.Module) -> tuple[int, int]:
    """Take everything else that a network stores for frozen."""
    learned, frozen = count_parameters(model)
    return learned, frozen + sum(buffer.numel() for buffer in model.buffers())


def count_twice(model: nn.Module) -> tuple[int, int]:
    """Count a shared tensor in every layer that uses it."""
    counts = [count_parameters(layer) for layer in model.children()]
    return sum(learned for learned, _ in counts), sum(frozen for _, frozen in counts)


def probe_with(
    sign: int = 1, mean: bool = True, target: bool = True, dim: int = 1, softmax: bool = True, bias_too: bool = True,
    shift: bool = True, scaled: bool = True, bias_of: Any = lambda slope: slope.sum(0),
) -> Any:  # fmt: skip
    """Return a wrong step of a linear probe."""

    def wrong(features: Tensor, labels: Tensor, weight: Tensor, bias: Tensor, rate: float) -> tuple[Tensor, Tensor]:
        logits = features @ weight.T + (bias if shift else 0)
        slope = torch.softmax(logits, dim) if softmax else logits
        slope = slope - F.one_hot(labels, len(bias)) if target else slope
        slope = sign * slope / (len(labels) if mean else 1)
        step = rate if scaled else 1.0
        return weight - step * slope.T @ features, bias - step * bias_of(slope) if bias_too else bias

    return wrong


def probe_gradient(features: Tensor, labels: Tensor, weight: Tensor, bias: Tensor, rate: float) -> Any:
    """Return the gradients instead of the new weight and bias."""
    new_weight, new_bias = probe_step(features, labels, weight, bias, rate)
    return (weight - new_weight) / rate, (bias - new_bias) / rate


def error_in_shares(correct: Tensor) -> tuple[float, float]:
    """Stay between 0 and 1."""
    accuracy, error = standard_error(correct)
    return accuracy / 100, error / 100


def error_with(
    power: float = 0.5, factor: float = 1.0, less: int = 0, root_n: bool = True, outside: bool = False,
    variance: Any = lambda share: share * (1 - share),
) -> Any:  # fmt: skip
    """Return a wrong standard error."""

    def wrong(correct: Tensor) -> tuple[float, float]:
        share, count = float(correct.double().mean()), len(correct) - less
        error = (variance(share) / (count if root_n and not outside else 1)) ** power
        return 100 * share, 100 * factor * error / (count if outside else 1)

    return wrong


def error_of_one(correct: Tensor) -> tuple[float, float]:
    """Give the spread of single images, as torch's std has it, for that of their mean."""
    return 100 * float(correct.double().mean()), 100 * float(correct.double().std())


def choose_with(by: Any, what: Any) -> Any:
    """Return a wrong choice: `by` scores each setting, `what` gives its reported accuracy."""

    def wrong(valid: Tensor, test: Tensor) -> tuple[int, float, float]:
        setting = int(by(valid, test).argmax())
        return setting, float(what(valid, test)[setting]), float(test.mean(1).max())

    return wrong


def choose_axis(valid: Tensor, test: Tensor) -> tuple[int, float, float]:
    """Average over the settings."""
    setting, means = int(valid.mean(0).argmax()), test.mean(0)
    return setting, float(means[setting]), float(means.max())


def choose_from_one(valid: Tensor, test: Tensor) -> tuple[int, float, float]:
    """Count the rows from 1."""
    setting, honest, tempting = choose(valid, test)
    return setting + 1, honest, tempting


def choose_single(valid: Tensor, test: Tensor) -> tuple[int, float, float]:
    """Tempt with the best single run."""
    setting, honest, _ = choose(valid, test)
    return setting, honest, float(test.max())


def detectable_with(power: float | None = 0.8, level: float = 0.975, unit: float = 100, root: bool = True) -> Any:
    """Return a wrong smallest detectable difference."""

    def wrong(disagree: float, num_test: int) -> float:
        factor = float(stats.norm.ppf(level)) + (float(stats.norm.ppf(power)) if power else 0.0)
        return unit * factor * (math.sqrt(disagree / num_test) if root else disagree / num_test)

    return wrong

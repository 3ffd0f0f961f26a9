"""Lesson 00, start here: the right answers, and the inputs they are compared on."""

from __future__ import annotations

import math
from typing import Any

import torch
from scipy import stats
from torch import Tensor, nn

__all__ = [
    "choose",
    "count_parameters",
    "detectable",
    "freeze",
    "network",
    "probe_step",
    "prompted",
    "standard_error",
]

CLASSES = 4  # of the probes that answers are compared on


def prompted(x: Tensor, delta: Tensor) -> Tensor:
    """Return x + δ, with the same δ for every entry of the batch."""
    return x + delta


def prompted_cases(rng: torch.Generator) -> list[Any]:
    shapes = (((2, 3, 4, 5), (1, 3, 4, 5)), ((3, 5, 8), (5, 8)), ((2, 6, 3, 4), (6, 1, 1)))
    return [tuple(torch.randn(shape, generator=rng) for shape in pair) for pair in shapes]


def freeze(network: nn.Module) -> nn.Module:
    """Stop gradients to all parameters, drop those that are there, go to eval mode; returns the network itself."""
    for parameter in network.parameters():
        parameter.requires_grad_(False)
        parameter.grad = None
    return network.eval()


def freeze_cases(rng: torch.Generator) -> list[Any]:
    return [(2, 5), (3, 4)]


def network(chans: int, width: int) -> nn.Module:
    """Return a small network with batch norm and dropout, after one backward pass, in training mode."""
    layers = [
        nn.Sequential(nn.Conv2d(chans, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.Dropout(0.5)),
        nn.Sequential(nn.Flatten(), nn.Linear(width * 36, 3)),
    ]
    net = nn.Sequential(*layers).train()
    net(torch.randn(4, chans, 6, 6)).square().mean().backward()
    return net


def count_parameters(model: nn.Module) -> tuple[int, int]:
    """Count the numbers that learn and those that are frozen; a tensor that is used twice counts once."""
    learned = sum(p.numel() for p in model.parameters() if p.requires_grad)
    frozen = sum(p.numel() for p in model.parameters() if not p.requires_grad)
    return learned, frozen


def count_cases(rng: torch.Generator) -> list[Any]:
    first = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 5))
    first[0].requires_grad_(False)
    first[1].requires_grad_(False)
    tied = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 2))
    tied[1].weight = tied[0].weight
    tied[0].weight.requires_grad_(False)
    return [first, tied]


def probe_step(features: Tensor, labels: Tensor, weight: Tensor, bias: Tensor, rate: float) -> tuple[Tensor, Tensor]:
    """Return weight and bias of a linear probe after one step of gradient descent on the mean cross-entropy."""
    slope = torch.softmax(features @ weight.T + bias, dim=1)  # (n, classes)
    slope[torch.arange(len(labels)), labels] -= 1
    slope = slope / len(labels)
    return weight - rate * slope.T @ features, bias - rate * slope.sum(0)


def probe_cases(rng: torch.Generator) -> list[Any]:
    def case(count: int, dim: int, rate: float) -> Any:
        shapes = ((count, dim), (CLASSES, dim), (CLASSES,))
        features, weight, bias = (torch.randn(shape, generator=rng, dtype=torch.float64) for shape in shapes)
        return features, torch.randint(CLASSES, (count,), generator=rng), weight, bias, rate

    return [case(7, 3, 0.5), case(12, 5, 2.0)]


def standard_error(correct: Tensor) -> tuple[float, float]:
    """Return accuracy and its standard error, in percent and points, from one True or False for each test image."""
    share = float(correct.double().mean())
    return 100 * share, 100 * math.sqrt(share * (1 - share) / len(correct))


def error_cases(rng: torch.Generator) -> list[Any]:
    return [(torch.rand(count, generator=rng) < share,) for count, share in ((40, 0.6), (250, 0.9))]


def choose(valid: Tensor, test: Tensor) -> tuple[int, float, float]:
    """Return the setting with the best mean validation accuracy, its mean test accuracy, and the largest of those."""
    setting = int(valid.mean(1).argmax())
    means = test.mean(1)
    return setting, float(means[setting]), float(means.max())


def choose_cases(rng: torch.Generator) -> list[Any]:
    def table(rows: list[list[float]]) -> Tensor:
        return torch.tensor(rows, dtype=torch.float64)

    valid = table(
        [
            [70, 60, 95, 71],
            [84, 84, 84, 50],
            [78, 76, 74, 77],
            [79, 85, 80, 86],
            [78, 77, 79, 76],
            [90, 66, 62, 88],
            [60, 62, 61, 63],
        ]
    )
    test = table(
        [
            [70, 72, 71, 69],
            [73, 75, 74, 70],
            [68, 70, 69, 71],
            [76, 74, 77, 73],
            [72, 71, 70, 74],
            [84, 85, 82, 86],
            [66, 90, 64, 65],
        ]
    )
    few = table([[80, 84, 82], [78, 76, 77], [93, 60, 55], [50, 83, 83], [66, 71, 88]])
    few_test = table([[71, 73, 72], [70, 69, 74], [75, 72, 73], [84, 83, 86], [74, 87, 66]])
    return [(valid, test), (few, few_test)]


def detectable(disagree: float, num_test: int) -> float:
    """Return the difference, in points, that `num_test` images find in 80 % of comparisons at a 95 % level."""
    factor = float(stats.norm.ppf(0.975) + stats.norm.ppf(0.8))
    return 100 * factor * math.sqrt(disagree / num_test)

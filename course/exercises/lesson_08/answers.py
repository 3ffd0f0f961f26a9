"""Lesson 08, bug museum: the right answers, and the inputs they are compared on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from course.show.museum import small_net
from vpcore.heads.label_mapping import count_pairs

__all__ = ["accuracy", "count_pairs", "everything_learns", "good_accuracy", "load_batch", "reported", "stays_frozen"]


def load_batch(stored: Tensor, first: int, last: int, mean: Tensor, std: Tensor) -> Tensor:
    """Return stored images first … last − 1, normalized; what is stored stays as it is."""
    return (stored[first:last] - mean) / std


def batch_cases(rng: torch.Generator) -> list[Any]:
    def case(count: int, first: int, last: int) -> Any:
        # Not multiples of one small number, as torch.rand draws them: taking a mean off and adding it again must show.
        stored, mean = (torch.randn(shape, generator=rng) for shape in ((count, 3, 6, 7), (3, 1, 1)))
        return stored, first, last, mean, torch.rand(3, 1, 1, generator=rng) + 0.2

    return [case(8, 0, 5), case(9, 2, 4)]


def accuracy(logits: Sequence[Tensor], labels: Sequence[Tensor]) -> float:
    """Return the share of all images that are classified right, in batches of any sizes."""
    right = sum(int((scores.argmax(1) == truth).sum()) for scores, truth in zip(logits, labels, strict=True))
    return right / sum(len(truth) for truth in labels)


def accuracy_cases(rng: torch.Generator) -> list[Any]:
    """Return batches of 7 classes, of which more and more is right; the last may be all right or all wrong."""

    def case(*sizes: int, last_right: bool | None) -> Any:
        labels = [torch.randint(0, 7, (size,), generator=rng) for size in sizes]
        logits = []
        for place, truth in enumerate(labels):
            right = torch.arange(len(truth)) < len(truth) // 3 + place  # some are right, and some are wrong
            if place == len(sizes) - 1 and last_right is not None:
                right[:] = last_right
            said = torch.where(right, truth, (truth + 1) % 7)
            logits.append(torch.rand(len(truth), 7, generator=rng) + 2 * torch.eye(7)[said])
        return logits, labels

    mixed = case(4, 4, 4, last_right=None)  # here an average of averages is right, a full batch left out is not
    return [case(6, 6, 1, last_right=False), case(8, 4, last_right=True), mixed, case(5, 5, 5, 2, last_right=False)]


def reported(valid: Sequence[float], test: Sequence[float]) -> float:
    """Return the test accuracy of the epoch with the best validation accuracy, the earliest of equals."""
    return test[max(range(len(valid)), key=lambda epoch: valid[epoch])]


def reported_cases(rng: torch.Generator) -> list[Any]:
    def draw(count: int) -> list[float]:
        return [round(value, 4) for value in (0.3 + 0.1 * torch.rand(count, generator=rng)).tolist()]

    tied = [0.31, 0.36, 0.34, 0.36, 0.36]
    short = [0.31, 0.35, 0.32], [0.34, 0.33, 0.30]
    return [short, (draw(6), draw(6)), (tied, [0.30, 0.33, 0.39, 0.37, 0.34]), (draw(12), draw(12))]


def count_cases(rng: torch.Generator) -> list[Any]:
    def case(count: int, said: int, sources: int, present: list[int], classes: int) -> Any:
        labels = torch.tensor(present)[torch.randint(0, len(present), (count,), generator=rng)]
        return torch.randint(0, said, (count,), generator=rng), labels, sources, classes

    absent = case(18, 3, 5, [0, 1], 4)  # the last two source classes are never said, the last two classes never there
    return [case(30, 5, 5, [0, 2, 3], 4), case(40, 4, 4, [0, 1, 2], 3), case(25, 6, 6, [1, 2], 3), absent]


def everything_learns(make: Callable[[], nn.Module]) -> bool:
    """Whether every parameter gets a gradient that is not zero within two steps."""
    prompter = make()
    z = torch.randn(16, 8, generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.SGD(prompter.parameters(), lr=0.1)
    reached: set[str] = set()
    for _ in range(2):
        optimizer.zero_grad()
        prompter(z).square().mean().backward()
        reached |= {name for name, p in prompter.named_parameters() if p.grad is not None and bool(p.grad.any())}
        optimizer.step()
    return reached == {name for name, _ in prompter.named_parameters()}


def stays_frozen(train: Callable[[nn.Module], None]) -> bool:
    """Whether training leaves every tensor of the network as it was: weights and statistics."""
    net = small_net()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    train(net)
    return all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())


def good_accuracy(measure: Callable[[list[Tensor], list[Tensor]], Any]) -> bool:
    """Whether a measure of accuracy is right where the last batch is short and worse than the others."""
    logits = [torch.eye(3)[[0, 1, 2, 0]], torch.eye(3)[[1]]]
    labels = [torch.tensor([0, 1, 2, 0]), torch.tensor([2])]
    return abs(float(measure(logits, labels)) - 4 / 5) < 1e-6

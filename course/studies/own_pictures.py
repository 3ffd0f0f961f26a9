"""Lesson 09's bake-off on pictures of one's own: equal rate trials, paired seeds, and one page of report.

Every method gets the same images in the same batches, the same steps, the same number of rates to try on the validation
images of seed 0, and reads the test images once a seed. One rate holds for all that learns, the head included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count as count_from
from pathlib import Path

import numpy as np

from course.show.numbers import intervals
from course.show.picture import Picture
from vpcore import LinearHead, Prompted, count, evaluate, fit
from vpcore.backbone import Backbone
from vpcore.data import Splits
from vpcore.experiments.names.methods import build_prompted
from vpcore.experiments.runs.lr_search import choose_rate
from vpcore.statistics import Interval, image_variance, smallest_detectable_difference, two_way_interval
from vpcore.train.records import Diverged


@dataclass(frozen=True)
class Entry:
    """What one method did: its text, its trials on validation, and which test images each seed got right."""

    text: str
    trials: dict[float, float]  # rate to validation accuracy; nan where it diverged
    rate: float
    learned: int  # numbers besides the head
    right: np.ndarray  # (seeds, test images), 0 or 1; a seed that diverged has none right

    @property
    def at_edge(self) -> bool:
        """Whether the best rate is the smallest or the largest that was tried."""
        return self.rate in (min(self.trials), max(self.trials))

    @property
    def accuracies(self) -> np.ndarray:
        """Test accuracies in percent, one a seed."""
        return 100 * self.right.mean(1)


def bake_off(
    data: Splits, backbone: Backbone, methods: Mapping[str, tuple[str, float]], *,
    seeds: Sequence[int] = range(5), trials: int = 5, epochs: int = 10, batch_size: int = 32,
) -> dict[str, Entry]:  # fmt: skip
    """Run every method under one protocol.

    Args:
        data: train, valid and test images as the backbone takes them.
        backbone: stays frozen, except where a method tunes it.
        methods: name to its text, as `python -m vpcore.grid` takes it, and the middle of the first three rates.
        seeds: of head, prompt and batches; the first one chooses the rate.
        trials: rates that every method tries, 3 or more.
        epochs: passes over the training images.
        batch_size: images a step.

    Raises:
        ValueError: there is one class alone, a method does not fit the backbone, or a rate or number is out of range.
    """
    if len(set(data.classes)) < 2:
        fix = "add a folder for each other class, or give the folder in which the class folders lie"
        raise ValueError(f"{data.name} holds one class alone, {data.classes[0]!r}: {fix}")
    recipe = {"epochs": epochs, "batch_size": batch_size, "optimizer": "adamw"}

    def train(text: str, seed: int, rate: float) -> tuple[Prompted, float]:
        head = lambda dim: LinearHead(dim, len(data.classes), seed=seed)  # noqa: E731
        model = build_prompted(text, backbone, data.train.images, head, seed, train_backbone=False)
        try:
            return model, fit(model, data.train, data.valid, lr=rate, seed=seed, **recipe).best.valid_accuracy
        except Diverged:
            return model, float("nan")

    found = {}
    for name, (text, center) in methods.items():
        first = seeds[0]
        rate, tried = choose_rate(lambda rate, text=text, first=first: train(text, first, rate)[1], center, trials)
        models = [train(text, seed, rate) for seed in seeds]
        right = [
            (evaluate(model, data.test).predictions == data.test.labels).numpy() & (valid == valid)
            for model, valid in models
        ]
        numbers = count(models[0][0])
        found[name] = Entry(text, tried, rate, numbers.prompt + numbers.tuning, np.stack(right).astype(int))
    return found


def gains(entries: Mapping[str, Entry], baseline: str) -> dict[str, Interval]:
    """Return each method minus the baseline in points, with intervals for other seeds and other test images."""
    base = entries[baseline].right
    others = {name: entry for name, entry in entries.items() if name != baseline}
    return {name: two_way_interval(base, entry.right).in_points() for name, entry in others.items()}


def figure(entries: Mapping[str, Entry], baseline: str, label: str) -> Picture:
    """Draw `gains`; the sentence leaves the values out, for they come from training on this machine."""
    rows = gains(entries, baseline)
    drawn = intervals(rows, f"Each method minus {baseline}", label=label)
    return Picture(drawn.figure, f"Each method minus {baseline}: {', '.join(rows)}, with 95 % intervals. {label}.")


def report(entries: Mapping[str, Entry], baseline: str, data: Splits, backbone: Backbone) -> str:
    """Return one page in Markdown: protocol, table, what stands, and what could have been seen."""
    base = entries[baseline]
    seeds, images = base.right.shape
    page = [
        f"# {data.name}: {len(entries)} methods on {backbone.spec.name}\n",
        "**Question.** (one sentence of yours)\n",
        f"**Protocol.** {len(data.train)} training, {len(data.valid)} validation and {images} test images of "
        f"{len(data.classes)} classes; {len(base.trials)} rates tried for each method on the validation images of one "
        f"seed; {seeds} paired seeds; test images read once a seed.\n",
        "| method | learned besides the head | rate | accuracy, % | minus the baseline, points | verdict |",
        "|---|---|---|---|---|---|",
        f"| {baseline} | {base.learned:,} | {_rate(base)} | {_spread(base)} | | |",
    ]
    for name, each in gains(entries, baseline).items():
        difference = f"{each.mean:+.1f} ({each.low:+.1f} to {each.high:+.1f})"
        entry = entries[name]
        learned = f"{entry.learned:,} | {_rate(entry)} | {_spread(entry)}"
        page.append(f"| {name} | {learned} | {difference} | {each.verdict()} |")
    least, image = max(detectable(base, entry) for name, entry in entries.items() if name != baseline), 100 / images
    seen = f"In each row a true difference of {least:.1f} points or more would be found in 80 % of such experiments."
    if least == 0:  # the runs got the same images right, so nothing can be estimated from how they scatter
        seen = f"It cannot be estimated: the runs did not differ. A single test image is {image:.1f} points."
    page += [
        "\nIntervals are at 95 %, for other seeds and other test images. A rate marked * was the smallest or largest "
        "tried.\n",
        f"**What could be seen.** {seen}\n",
        "**What stands, and what does not.** (yours)\n",
        "**What I would run next, and what it costs.** (yours)\n",
    ]
    return "\n".join(page)


def write_report(page: str, file: Path) -> str:
    """Write a page, and say where it is and what is still to be filled in; a page that was changed is kept."""
    free = file
    for number in count_from(2):
        if not free.exists() or free.read_bytes() == page.encode():
            break
        free = file.with_stem(f"{file.stem} {number}")
    free.write_bytes(page.encode())
    lines = f"{len(page.splitlines())} lines, of which {page.count('yours)')} are yours to write"
    return f"{free.resolve().parent.name}/{free.name}: {lines}"


def detectable(baseline: Entry, entry: Entry) -> float:
    """Return the difference in points that these seeds and test images find in 80 % of such experiments."""
    sd = float((entry.right.mean(1) - baseline.right.mean(1)).std(ddof=1))
    seeds, images = baseline.right.shape
    return 100 * smallest_detectable_difference(sd, seeds, image_variance(baseline.right, entry.right), images)


def _rate(entry: Entry) -> str:
    return f"{entry.rate:.2g}{'*' if entry.at_edge else ''}"


def _spread(entry: Entry) -> str:
    return f"{entry.accuracies.mean():.1f} ± {entry.accuracies.std(ddof=1):.1f}"

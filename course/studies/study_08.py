"""Study 08: how many points do faults of published prompt code move the accuracy that is reported?

The frozen network is resnet_nano, the data are photodigits: 1,000 images to train on, 500 to choose with, 1,000 to
report on, and 4,000 more from the same source to see what a report is worth. A prompt before block 5 and a linear
head learn for 10 epochs. A faulty arm is its right arm with one line exchanged, so it keeps the right arm's rate.
"""

from __future__ import annotations

import argparse
import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import vpcore
from course.studies.faults_08 import ARMS, MOVING, Adapter, Arm, WornSplit, worn_passes
from course.studies.study import Case, Outcome, Study, seeds_of
from vpcore.cache import cached
from vpcore.data.splits import Split, Splits
from vpcore.prompted import Prompted

DATA, BACKBONE, LAYER = "photodigits", "resnet_nano", 5
RATE_SEEDS = range(3)  # a rate is judged by the mean of these
READINGS = ("best on test", "mean of batches", "last batch of one", "last batch dropped", "batch statistics")


class Bench:
    """What all runs of this study share: data, epochs, and activations computed once.

    Args:
        data: train, valid, and a test split of which the first `num_test` images are reported on, the rest is fresh.
        num_test: images to report on.
        epochs: passes over the training images.
        batch_size: images a step, and a batch of the faulty readings.
    """

    def __init__(self, data: Splits, num_test: int = 1000, epochs: int = 10, batch_size: int = 128) -> None:
        self.data, self.epochs, self.batch_size = data, epochs, batch_size
        self.test, self.fresh = data.test.take(range(num_test)), data.test.take(range(num_test, len(data.test)))
        self._kept: dict[Any, Split] = {}

    def model(self, arm: Arm, seed: int) -> Prompted:
        """Return the untrained model of an arm."""
        options = {} if arm.constants is None else dict(zip(("mean", "std"), arm.constants, strict=True))
        backbone = vpcore.load_backbone(BACKBONE, **options)
        prompt: Any = vpcore.ActivationPrompt(backbone.spec, layer=LAYER)
        if arm.method == "adapter":
            prompt = Adapter(backbone.spec, both_zero=arm.both_zero, seed=seed)
        head: Any = vpcore.LinearHead(backbone.spec.dim, len(self.data.classes), seed=seed)
        if arm.method == "mapping":
            head = vpcore.LabelMapping(backbone, len(self.data.classes), kind="frequency")
        return Prompted(backbone, prompt, head)

    def splits(self, arm: Arm, model: Prompted) -> list[Any]:
        """Return training and validation images as the arm reads them."""
        splits = (self.data.train, self.data.valid)
        if arm.pixels:
            return list(splits)
        if arm.worn:
            kept = [self.once(("worn", i), lambda s=s: self._worn(model, s)) for i, s in enumerate(splits)]
            return [WornSplit(split, split.passes, LAYER) for split in kept]
        return [self.once((arm.constants, arm.method, i), lambda s=s: cached(model, s)) for i, s in enumerate(splits)]

    def _worn(self, model: Prompted, split: Split) -> Any:
        return WornSplit(split, worn_passes(model.backbone, split, LAYER, self.epochs), LAYER)

    def once(self, key: Any, make: Any) -> Any:
        """Return what was made for a key before, or make it."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def run(self, arm: Arm, seed: int, rate: float, watch: Split | None = None) -> tuple[Prompted, dict[str, Any]]:
        """Train an arm; return the model and accuracies by epoch, on `watch` too if it is given."""
        with arm.install():
            model = self.model(arm, seed)
            train, valid = self.splits(arm, model)
            by_epoch: dict[str, Any] = {"valid": [], "watched": []}

            def note(record: Any) -> None:
                by_epoch["valid"].append(record.valid_accuracy)
                by_epoch["watched"] += [] if watch is None else [vpcore.evaluate(model, watch).accuracy]
                if arm.worn:
                    train.epoch, valid.epoch = train.epoch + 1, valid.epoch + 1

            options = {"epochs": self.epochs, "lr": rate, "batch_size": self.batch_size, "seed": seed}
            vpcore.fit(model, train, valid, **options, on_epoch=note)
        return model, by_epoch


def reported(scores: list[Tensor], labels: list[Tensor], reading: str) -> float:
    """Return the accuracy that a faulty reading of batches reports."""
    right = [(score.argmax(1) == truth).float() for score, truth in zip(scores, labels, strict=True)]
    if reading == "last batch dropped" and len(right[-1]) < len(right[0]):
        return float(torch.cat(right[:-1]).mean())
    return float(torch.stack([batch.mean() for batch in right]).mean())


@torch.no_grad()
def readings(model: Prompted, split: Split, batch_size: int) -> dict[str, float]:
    """Return what faulty ways to read a test set report about a right model."""
    images, found = split.images.float() / 255, {}
    odd = (len(split) - 1) // 3  # three full batches, and one of a single image
    for reading, size in (
        ("mean of batches", batch_size),
        ("last batch of one", odd),
        ("last batch dropped", batch_size),
    ):
        scores = [model.eval()(batch) for batch in images.split(size)]
        found[reading] = reported(scores, list(split.labels.split(size)), reading)
    with MOVING():
        moved = copy.deepcopy(model).train()
        scores = torch.cat([moved(batch) for batch in images.split(batch_size)])
    return {**found, "batch statistics": float((scores.argmax(1) == split.labels).double().mean())}


def outcome(bench: Bench, name: str, seed: int, rate: float) -> Outcome:
    """Train an arm and read the test set; `extra` holds what the arm, or a faulty reading of it, reports."""
    arm = ARMS[name]
    watch = None
    if name == "right":
        watch = bench.once("test", lambda: cached(bench.model(arm, 0), bench.test))
    model, by_epoch = bench.run(arm, seed, rate, watch)
    test = vpcore.evaluate(model, bench.test)
    extra: dict[str, Any] = {"lr": rate, "valid": by_epoch["valid"]}
    if name == "right":
        extra |= {"test": by_epoch["watched"], "fresh": vpcore.evaluate(model, bench.fresh).accuracy}
        extra["reported"] = {"best on test": max(by_epoch["watched"]), **readings(model, bench.test, bench.batch_size)}
    if arm.method == "adapter":
        extra["down_norm"] = float(next(model.prompt.parameters()).detach().norm())
    if arm.method == "mapping":
        extra["sources"] = len(set(model.head.mapping.tolist()))  # type: ignore[union-attr, operator]
    return Outcome(test, extra)


def record(study: Study, bench: Bench, seeds: Any, trials: int = 5) -> None:
    """Choose a rate for each right arm on validation, and run every arm with every seed."""
    settings = {"epochs": bench.epochs, "batch_size": bench.batch_size, "layer": LAYER}
    for name, arm in ARMS.items():

        def valid(rate: float, base: Arm = ARMS[arm.base]) -> float:
            runs = [bench.run(base, seed, rate)[1]["valid"] for seed in RATE_SEEDS]
            return sum(max(run) for run in runs) / len(runs)

        rate = study.rate(Case(DATA, BACKBONE, arm.base, -1, settings), 1e-2, valid, trials)
        for seed in seeds:
            case = Case(DATA, BACKBONE, name, seed, {**settings, "base": arm.base, "lr": rate})
            study.run(
                case, replace(bench.data, test=bench.test), lambda n=name, s=seed, r=rate: outcome(bench, n, s, r)
            )


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(description="How many points does a fault move the reported accuracy?")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = vpcore.load_data(DATA, num_train=1000, num_test=5000)
    record(Study(options.out), Bench(data), seeds_of(options.seeds))


if __name__ == "__main__":
    main()

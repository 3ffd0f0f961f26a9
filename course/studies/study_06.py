"""Lesson 06: the same function class in several coordinates, and the usual weight deltas beside it.

    python -m course.studies.study_06 --out norms.jsonl --backbones resnet_nano vit_nano

The head's rate is chosen for the linear probe and then kept; every other condition gets as many trials for the rate of
what it tunes. Conditions that share a function class start from the same function and see the same batches.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

import vpcore
from course.studies.conditions_06 import HEAD_CENTER, Condition, conditions_of
from course.studies.study import Case, Outcome, Study, seeds_of
from vpcore.backbone import Backbone
from vpcore.cache import cached, first_layer
from vpcore.data.splits import Splits


class Runs:
    """Train the conditions of one frozen backbone on one data set."""

    def __init__(self, backbone: Backbone, data: Splits, epochs: int = 10, batch_size: int = 128) -> None:
        self.backbone, self.data = backbone, data
        self.recipe: dict[str, Any] = {"epochs": epochs, "batch_size": batch_size}

    def train(self, condition: Condition, seed: int, rate: float, head_rate: float) -> tuple[vpcore.Prompted, float]:
        """Train one condition; return the model of its best validation epoch, and that accuracy."""
        model = condition.model(self.backbone, len(self.data.classes), seed)
        train, valid = self.data.train, self.data.valid
        if first_layer(model) >= 0:
            train, valid = cached(model, train), cached(model, valid)
        rates = {"prompt": rate, "head": head_rate, **({"tuning": rate} if model.tuning else {})}
        try:
            history = vpcore.fit(model, train, valid, lr=rates, seed=seed, **self.recipe)
        except ValueError:  # it diverged
            return model, math.nan
        return model, history.best.valid_accuracy

    def record(self, study: Study, name: str, seeds: Iterable[int], trials: int) -> None:
        """Choose the rates on validation with seed 0, and run a condition with all its seeds."""
        condition, kind = conditions_of(self.backbone)[name], self.backbone.spec.name
        settings = {**self.recipe, "num_train": len(self.data.train), "trials": trials}

        def case(name: str, seed: int = 0, **more: float) -> Case:
            return Case(self.data.name, kind, name, seed, {**settings, **more})

        def probe(rate: float) -> float:
            return self.train(conditions_of(self.backbone)["none"], 0, rate, rate)[1]

        head_rate = study.rate(case("none"), HEAD_CENTER, probe, trials)
        rate, source = head_rate, condition.rate_of or name
        if name != "none":
            tried = conditions_of(self.backbone)[source]
            rate = study.rate(case(source), tried.center, lambda r: self.train(tried, 0, r, head_rate)[1], trials)
        for seed in seeds:
            chosen = case(name, seed, rate=rate, head_rate=head_rate)
            study.run(chosen, self.data, lambda seed=seed: self.outcome(condition, seed, rate, head_rate))

    def outcome(self, condition: Condition, seed: int, rate: float, head_rate: float) -> Outcome:
        """Train one condition and read the test set, once."""
        model, valid = self.train(condition, seed, rate, head_rate)
        tuned = sum(p.numel() for n, p in model.named_parameters() if p.requires_grad and not n.startswith("head."))
        return Outcome(vpcore.evaluate(model, self.data.test), {"valid": valid, "tuned": tuned})


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--backbones", nargs="+", default=["resnet_nano", "vit_nano"])
    parser.add_argument("--conditions", nargs="+", help="all by default")
    parser.add_argument("--seeds", type=int, default=10, help="of conditions that share a function class; others get 5")
    parser.add_argument("--trials", type=int, default=4)
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    study, data = Study(given.out), vpcore.load_data("photodigits", num_train=1000)
    for backbone in map(vpcore.load_backbone, given.backbones):
        runs = Runs(backbone, data)
        conditions = conditions_of(backbone)
        for name in given.conditions or conditions:
            runs.record(study, name, seeds_of(given.seeds if conditions[name].pair else 5), given.trials)


if __name__ == "__main__":
    main()

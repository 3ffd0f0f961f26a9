"""Lesson 03's experiment: one picture for all images, one a cluster, one an image; and what is really the image's own.

`python -m course.studies.study_03 --out runs.jsonl` trains every arm on a frozen backbone. The head's rate is chosen
once, on the linear probe, and is the same for all arms; each arm's prompt rate is chosen with four trials on
validation. Trials use a seed of their own.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import vpcore
from course.studies.arms_03 import RESCALED, build, constant, controls, split_last_layers, strength
from course.studies.study import Case, Outcome, Study, seeds_of
from vpcore.cache import cached
from vpcore.data.splits import Splits

EPOCHS = {"resnet_nano": 10, "vit_nano": 6}  # a ViT epoch takes twice as long
BATCH, TRIALS, TRIAL_SEED = 64, 4, 100
CENTERS = {"head": 1e-2, "prompt": 1e-2, "backbone": 1e-3}
CONTROLLED = ("instance", "beta:1")
PLANS = {  # data and backbone → arms, beside the probe and the controls
    ("photodigits", "resnet_nano"): (
        "universal", "instance", "cluster:4", "cluster:2", "beta:0", "beta:1", "beta:0.3", RESCALED, "cluster:8",
        "fine-tuning",
    ),
    ("photodigits", "vit_nano"): ("universal", "instance", "beta:1", "cluster:4"),
    ("photodigits_fixed", "resnet_nano"): ("universal", "instance"),
}  # fmt: skip


class Experiment:
    """All runs on one data set and one backbone.

    Args:
        study: where results go.
        data: splits.
        names: of data set and backbone, as results name them.
        epochs: of every training; by default the backbone's.
        load: returns a fresh backbone; by default the bundled one.
    """

    def __init__(
        self, study: Study, data: Splits, names: tuple[str, str], epochs: int | None = None,
        load: Callable[[], Any] | None = None,
    ) -> None:  # fmt: skip
        self.study, self.data, self.names, self.epochs = study, data, names, epochs or EPOCHS[names[1]]
        self.load = load or (lambda: vpcore.load_backbone(names[1]))
        self.head_rate = study.rate(self.case("none", TRIAL_SEED), CENTERS["head"], self._probe_score, TRIALS)

    def case(self, arm: str, seed: int, **settings: Any) -> Case:
        """Return the case of an arm and a seed."""
        fixed = {"epochs": self.epochs, "batch_size": BATCH, "optimizer": "adamw"}
        return Case(*self.names, arm, seed, {**fixed, **settings})

    def rate(self, arm: str) -> float:
        """Return the rate of an arm's prompt (or backbone), chosen on validation."""
        part = "backbone" if arm == "fine-tuning" else "prompt"
        case = self.case(arm, TRIAL_SEED, head_lr=self.head_rate)
        return self.study.rate(case, CENTERS[part], lambda lr: self.train(arm, TRIAL_SEED, lr)[1], TRIALS)

    def train(self, arm: str, seed: int, lr: float) -> tuple[vpcore.Prompted, float]:
        """Train an arm; returns the model and its best validation accuracy."""
        model = build(arm, self.load(), seed, self.data)
        rates = {"head": self.head_rate, "backbone" if arm == "fine-tuning" else "prompt": lr}
        if arm == RESCALED:
            split_last_layers(model)
            rates |= {"whole_last": lr * 0.7 / 0.3, "patch_last": lr * 0.3 / 0.7}
        return model, self._fit(model, rates, seed, self.data.train, self.data.valid)

    def probe(self, seed: int) -> vpcore.Prompted:
        """Train a linear probe on cached features."""
        model = build("none", self.load(), seed, self.data)
        self._probe(model, seed, self.head_rate)
        return model

    def refit(self, model: vpcore.Prompted, picture: Tensor, seed: int) -> vpcore.Prompted:
        """Train a new head for images that all get one fixed picture (C, H, W)."""
        prompt = constant(model, picture).requires_grad_(False)
        fresh = vpcore.Prompted(model.backbone, prompt, vpcore.LinearHead(model.backbone.spec.dim, 10, seed=seed))
        self._fit(fresh, {"head": self.head_rate}, seed, self.data.train, self.data.valid)
        return fresh

    def run(self, arm: str, seed: int) -> None:
        """Train an arm at its rate and test it; for the arms in CONTROLLED, their controls too."""
        if arm == "none":
            self._run(self.case(arm, seed, lr=self.head_rate), lambda: self.probe(seed))
            return
        lr = self.rate("instance" if arm == RESCALED else arm)
        trained = cache(lambda: self.train(arm, seed, lr)[0])
        settings = {"lr": lr, "head_lr": self.head_rate}
        self._run(self.case(arm, seed, **settings), trained)
        if arm in CONTROLLED:
            for name, control in controls(self.data.train.images, seed, self.refit).items():
                self._run(self.case(f"{arm} {name}", seed, **settings), lambda control=control: control(trained()))

    def _run(self, case: Case, model: Callable[[], vpcore.Prompted]) -> None:
        def work() -> Outcome:
            trained = model()
            test = vpcore.evaluate(trained, self.data.test, device="cpu")
            return Outcome(test, strength(trained, self.data.test.images))

        self.study.run(case, self.data, work)

    def _probe_score(self, lr: float) -> float:
        return self._probe(build("none", self.load(), TRIAL_SEED, self.data), TRIAL_SEED, lr)

    def _probe(self, model: vpcore.Prompted, seed: int, lr: float) -> float:
        train, valid = (cached(model, split) for split in (self.data.train, self.data.valid))
        return self._fit(model, lr, seed, train, valid)

    def _fit(self, model: Any, lr: Any, seed: int, train: Any, valid: Any) -> float:
        recipe = {"epochs": self.epochs, "batch_size": BATCH, "optimizer": "adamw", "device": "cpu"}
        history = vpcore.fit(model, train, valid, lr=lr, seed=seed, **recipe)
        return max(record.valid_accuracy for record in history.epochs)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the plans of the chosen backbones, or what is left of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--backbones", nargs="+", default=["resnet_nano", "vit_nano"])
    chosen = parser.parse_args(arguments)
    study, seeds = Study(chosen.out), seeds_of(chosen.seeds)
    for (name, backbone), arms in PLANS.items():
        if backbone in chosen.backbones:
            position = "fixed" if name.endswith("_fixed") else "random"
            data = vpcore.load_data("photodigits", num_train=1000, position=position)
            experiment = Experiment(study, data, (name, backbone))
            for arm in ("none", *arms):
                for seed in seeds:
                    experiment.run(arm, seed)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()

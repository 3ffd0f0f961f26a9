"""Lesson 04's experiment: InsVP's ablation added up and left out, a frozen random G_s, VPT, and three small sweeps.

`python -m course.studies.study_04 --out runs.jsonl` trains every arm on the frozen vit_nano. The head's rate is chosen
once, on the linear probe, and is the same for all arms; each arm's own rate is chosen with four trials on validation,
which are half as long as a run and have a seed of their own. The sweeps share the rate of all parts together.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch

import vpcore
from course.studies.study import Case, Outcome, Study, seeds_of
from course.studies.tokens_04 import INSTANCE, STEPS, SWEEPS, VPT, Replaced, build, own_share, rates, specific_tokens
from vpcore.cache import cached, first_layer
from vpcore.data.splits import Splits

EPOCHS, BATCH, TRIAL_SEED = 4, 32, 100
TRIALS, HEAD_TRIALS = 4, 6  # a probe on cached features is cheap
CENTER, HEAD_CENTER = 10**-2.5, 10**-1.5  # of InsVP's published 0.0005 … 0.005, its upper half: these runs are short
TUNED = ("norm", "bitfit", "lora")
FIRST = ("none", *STEPS, "frozen", "vpt_deep", "common+specific")
ARMS = tuple(dict.fromkeys((*FIRST, *INSTANCE, *SWEEPS, *VPT, *TUNED)))
CONTROLS = ("mean", "other")


class Experiment:
    """All runs on one backbone.

    Args:
        study: where results go.
        data: splits.
        epochs: of every training.
        load: returns the frozen backbone; by default the bundled one.
    """

    def __init__(self, study: Study, data: Splits, epochs: int = EPOCHS, load: Callable[[], Any] | None = None) -> None:
        self.study, self.data, self.epochs = study, data, epochs
        self.backbone = (load or (lambda: vpcore.load_backbone("vit_nano")))()
        self.head_rate = study.rate(
            self.case("none", TRIAL_SEED), HEAD_CENTER, lambda lr: self.train("none", TRIAL_SEED, 0, lr)[1], HEAD_TRIALS
        )

    def case(self, arm: str, seed: int, **settings: Any) -> Case:
        """Return the case of an arm and a seed."""
        fixed = {"epochs": self.epochs, "batch_size": BATCH, "optimizer": "adamw"}
        return Case("photodigits", self.backbone.spec.name, arm, seed, {**fixed, **settings})

    def rate(self, arm: str) -> float:
        """Return an arm's rate, chosen on validation; a sweep has that of all parts together."""
        arm = "all" if arm in SWEEPS else arm
        case = self.case(arm, TRIAL_SEED, head_lr=self.head_rate)
        short = max(1, self.epochs // 2)
        return self.study.rate(
            case, CENTER, lambda lr: self.train(arm, TRIAL_SEED, lr, self.head_rate, short)[1], TRIALS
        )

    def train(
        self, arm: str, seed: int, lr: float, head: float, epochs: int | None = None
    ) -> tuple[vpcore.Prompted, float]:
        """Train an arm; returns the model and its best validation accuracy."""
        model = build(arm, self.backbone, seed, len(self.data.classes))
        low = first_layer(model) >= 0
        train, valid = (cached(model, part) if low else part for part in (self.data.train, self.data.valid))
        history = vpcore.fit(
            model, train, valid, epochs=epochs or self.epochs, lr=rates(arm, lr, head), batch_size=BATCH,
            optimizer="adamw", seed=seed, device="cpu",
        )  # fmt: skip
        return model, max(record.valid_accuracy for record in history.epochs)

    def run(self, arm: str, seed: int) -> None:
        """Train an arm at its rate and test it; for all parts together, two controls too."""
        lr = 0.0 if arm == "none" else self.rate(arm)
        trained = cache(lambda: self.train(arm, seed, lr, self.head_rate)[0])
        settings = {"head_lr": self.head_rate, **({} if arm == "none" else {"lr": lr})}
        self._run(self.case(arm, seed, **settings), trained)
        for kind in CONTROLS if arm == "all" else ():
            case = self.case(f"all, {kind} tokens", seed, **settings)
            self._run(case, lambda kind=kind: self._replaced(trained(), kind, seed))

    def _replaced(self, model: vpcore.Prompted, kind: str, seed: int) -> vpcore.Prompted:
        mean = specific_tokens(model, self.data.train.images).mean(0)
        return vpcore.Prompted(model.backbone, Replaced(model.prompt, kind, mean, seed), model.head)

    def _run(self, case: Case, model: Callable[[], vpcore.Prompted]) -> None:
        def work() -> Outcome:
            trained = model()
            test = vpcore.evaluate(trained, self.data.test, device="cpu")
            extra = {"learned": vpcore.count(trained).learned}
            if hasattr(trained.prompt, "specific"):
                extra |= own_share(specific_tokens(trained, self.data.test.images))
            return Outcome(test, extra)

        self.study.run(case, self.data, work)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all arms, or what is left of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--arms", nargs="+", default=list(ARMS))
    chosen = parser.parse_args(arguments)
    seeds = seeds_of(chosen.seeds)
    experiment = Experiment(Study(chosen.out), vpcore.load_data("photodigits", num_train=1000))
    for arm in chosen.arms:
        for seed in seeds:
            experiment.run(arm, seed)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()

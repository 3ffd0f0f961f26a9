"""Lesson 01's experiment: frames, full pictures and patches on a frozen network, with a new head or with its old one.

`python -m course.studies.study_01 --out runs.jsonl` trains every arm on photodigits, with digits anywhere and with
digits in a fixed place. The new head's rate is chosen once, on the linear probe, and is the same for all arms that
have a new head; each prompt's rate is chosen with four trials on validation. Trials use a seed of their own.
"""

from __future__ import annotations

import argparse
import base64
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import vpcore
from course.studies.study import Case, Outcome, Study, seeds_of
from vpcore.cache import cached
from vpcore.data.splits import Splits
from vpcore.train import Diverged

EPOCHS, BATCH, TRIALS, TRIAL_SEED = 5, 64, 4, 100
CENTER = 3e-2
PICTURED = 2  # seeds whose picture is kept
BARE = ("random mapping, no prompt", "frequency mapping, no prompt")  # nothing learns
LONG = {"iterative mapping, 20 epochs": ("iterative mapping", 20)}  # at the rate of the short arm
PLANS = {  # what matters most comes first
    "photodigits": ("none", *BARE, "pad:4", "full", "iterative mapping"),
    "photodigits_fixed": ("none", *BARE, "pad:4", "full", "iterative mapping"),
    "photodigits more": ("frequency mapping", "random mapping", "patch:8", "pad:8", *LONG),
}


def build(arm: str, backbone: Any, seed: int) -> vpcore.Prompted:
    """Return an untrained model of an arm: ten classes, a prompt, and a new head or a mapping to source classes."""
    spec, (kind, _, size) = backbone.spec, arm.partition(":")
    prompt: vpcore.Prompt = vpcore.PadPrompt(spec, width="full", seed=seed)
    if kind == "none" or arm in BARE:
        prompt = vpcore.NoPrompt(spec)
    elif kind == "pad":
        prompt = vpcore.PadPrompt(spec, width=int(size), seed=seed)
    elif kind == "patch":
        prompt = vpcore.PatchPrompt(spec, size=int(size), position="random", seed=seed)
    if "mapping" in kind:
        return vpcore.Prompted(backbone, prompt, vpcore.LabelMapping(backbone, 10, kind.split()[0], seed=seed))
    return vpcore.Prompted(backbone, prompt, vpcore.LinearHead(spec.dim, 10, seed=seed))


class Experiment:
    """All runs on one data set.

    Args:
        study: where results go.
        data: splits.
        names: of data set and backbone, as results name them.
        epochs: of every training.
        load: returns a fresh backbone; by default the bundled one.
    """

    def __init__(
        self, study: Study, data: Splits, names: tuple[str, str], epochs: int = EPOCHS,
        load: Callable[[], Any] | None = None,
    ) -> None:  # fmt: skip
        self.study, self.data, self.names, self.epochs = study, data, names, epochs
        self.load = load or (lambda: vpcore.load_backbone(names[1]))
        self.head_rate = self._choose("none")

    def case(self, arm: str, seed: int, **settings: Any) -> Case:
        """Return the case of an arm and a seed."""
        return Case(*self.names, arm, seed, {"epochs": self._epochs(arm), "batch_size": BATCH, **settings})

    def train(self, arm: str, seed: int, lr: float) -> tuple[vpcore.Prompted, float, list[list[int]]]:
        """Train an arm; returns the model, its best validation accuracy, and its mapping after each epoch."""
        model = build(arm, self.load(), seed)
        train, valid, mappings = self.data.train, self.data.valid, []
        if arm == "none":
            train, valid = cached(model, train), cached(model, valid)
        has_head = isinstance(model.head, vpcore.LinearHead)
        rates = {"prompt": lr, **({"head": self.head_rate} if has_head and arm != "none" else {})}
        history = vpcore.fit(
            model, train, valid, epochs=self._epochs(arm), batch_size=BATCH, lr=lr if arm == "none" else rates,
            optimizer="adamw", seed=seed, device="cpu",
            on_epoch=lambda record: None if has_head else mappings.append(model.head.mapping.tolist()),  # type: ignore[operator]
        )  # fmt: skip
        return model, history.best.valid_accuracy, mappings

    def run(self, arm: str, seed: int) -> None:
        """Train an arm at its rate, test it, and keep what its prompt and its mapping became."""
        if arm in BARE:
            self.study.run(self.case(arm, seed), self.data, lambda: self._bare(arm, seed))
            return
        searched = LONG.get(arm, (arm,))[0]
        lr = self.head_rate if arm == "none" else self._choose(searched)

        def work() -> Outcome:
            model, _, mappings = self.train(arm, seed, lr)
            kept = {"mappings": mappings} if mappings else {}
            return Outcome(vpcore.evaluate(model, self.data.test, device="cpu"), kept | picture(model, seed))

        self.study.run(self.case(arm, seed, lr=lr), self.data, work)

    def _epochs(self, arm: str) -> int:
        return LONG[arm][1] if arm in LONG else self.epochs

    def _bare(self, arm: str, seed: int) -> Outcome:
        model = build(arm, self.load(), seed)
        model.head.start_epoch(model, self.data.train)  # type: ignore[operator]
        return Outcome(
            vpcore.evaluate(model, self.data.test, device="cpu"),
            {"mappings": [model.head.mapping.tolist()]},  # type: ignore[operator]
        )

    def _choose(self, arm: str) -> float:
        def score(lr: float) -> float:
            try:
                return self.train(arm, TRIAL_SEED, lr)[1]
            except Diverged:
                return float("nan")

        return self.study.rate(self.case(arm, TRIAL_SEED), CENTER, score, TRIALS)


def picture(model: vpcore.Prompted, seed: int) -> dict[str, Any]:
    """Return how large a picture became, and for the first seeds the picture itself, in steps of `unit`."""
    if not isinstance(model.prompt, vpcore.PadPrompt):
        return {}
    drawn = model.prompt.added_map().detach()
    found: dict[str, Any] = {"rms": float(model.prompt.frame.detach().square().mean().sqrt())}
    if seed < PICTURED:
        found["unit"] = float(drawn.abs().max()) / 127
        steps = (drawn / max(found["unit"], 1e-12)).round().to(torch.int8)
        found["picture"] = base64.b64encode(steps.numpy().tobytes()).decode()
    return found


def kept_picture(extra: dict[str, Any], size: int = 32) -> Tensor:
    """Return the picture (C, H, W) that `picture` kept, in normalized units."""
    steps = torch.frombuffer(bytearray(base64.b64decode(extra["picture"])), dtype=torch.int8)
    return extra["unit"] * steps.view(-1, size, size).float()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the plans, or what is left of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    chosen = parser.parse_args(arguments)
    study, seeds = Study(chosen.out), seeds_of(chosen.seeds)
    for plan, arms in PLANS.items():
        name, position = plan.partition(" ")[0], "fixed" if plan.endswith("_fixed") else "random"
        data = vpcore.load_data("photodigits", num_train=1000, position=position)
        experiment = Experiment(study, data, (name, "resnet_nano"))
        for arm in arms:
            for seed in seeds:
                experiment.run(arm, seed)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()

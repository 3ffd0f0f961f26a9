"""Lesson 06: the same function class in several coordinates, and the usual weight deltas beside it.

    python -m course.studies.study_06 --out norms.jsonl --backbones resnet_nano vit_nano

The head's rate is chosen for the linear probe and then kept; every other arm gets the same number of trials for the
rate of what it tunes. Arms that share a function class start from the same function and see the same batches.
"""

from __future__ import annotations

import argparse
import copy
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import vpcore
from course.studies.study import Case, Outcome, Study, seeds_of
from vpcore.backbone import Backbone, Spec, measure_shapes
from vpcore.cache import cached, first_layer
from vpcore.prompts import ActivationPrompt, NoPrompt
from vpcore.prompts.base import Prompt
from vpcore.splits import Splits
from vpcore.tuning import SSF, BitFit, FullTuning, LoRA, NormTuning, Tuning
from vpcore.tuning.deltas import add_deltas, zero_deltas

HEAD_CENTER = 1e-2  # Adam's usual rate for a linear probe, divided by ten
RANK = 4
LOWER = 4  # block of the ViT below the shared delta: any would do, and few blocks above it train fast


class Chosen(Tuning):
    """Tune the named parameters of the backbone and no others, such as "blocks.0.mlp.fc2.bias"."""

    def __init__(self, backbone: Backbone, *names: str) -> None:
        super().__init__(backbone, list(names))
        self.deltas = zero_deltas(backbone, self.names)

    def weights(self, backbone: Backbone) -> dict[str, Tensor]:
        """Return the tuned parameters."""
        return add_deltas(backbone, self.names, self.deltas)


def open_stem(backbone: Backbone) -> Backbone:
    """Return a CNN with the same weights whose stem is taken apart: a prompt at layer 0 acts right before its batch
    norm, at layer 1 right after it.
    """
    parts = copy.deepcopy(backbone)
    conv, norm, _ = parts.embed.children()
    blocks, spec = [norm, nn.ReLU(), *parts.blocks], backbone.spec
    shapes = measure_shapes(conv, blocks, spec.in_chans, spec.image_size)
    return Backbone(conv, blocks, parts.pool, replace(spec, name=f"{spec.name}, stem open", shapes=shapes))


@dataclass(frozen=True)
class Arm:
    """One parametrization.

    Attributes:
        center: middle of the first three rates tried.
        prompt: from the sizes of the backbone to the prompt; None for none.
        tuning: from the backbone to the weight delta; None for none.
        opened: whether the stem is taken apart.
        pair: whether it is compared within a function class, and so gets all seeds.
    """

    center: float = 1e-2
    prompt: Callable[[Spec], Prompt] | None = None
    tuning: Callable[[Backbone], Tuning] | None = None
    opened: bool = False
    pair: bool = False

    def model(self, backbone: Backbone, classes: int, seed: int) -> vpcore.Prompted:
        """Build the model; what it starts with does not depend on the arm."""
        backbone = open_stem(backbone) if self.opened else backbone
        prompt = self.prompt(backbone.spec) if self.prompt else NoPrompt(backbone.spec)
        tuning = self.tuning(backbone) if self.tuning else None
        head = vpcore.LinearHead(backbone.spec.dim, classes, seed=seed)
        return vpcore.Prompted(backbone, prompt, head, tuning=tuning)


DELTAS = {
    "norm": Arm(5e-3, tuning=NormTuning, pair=True),
    "ssf": Arm(5e-3, tuning=SSF, pair=True),
    "bitfit": Arm(5e-3, tuning=BitFit),
    "lora": Arm(1e-3, tuning=lambda net: LoRA(net, RANK, RANK, "conv" if net.spec.kind == "cnn" else "qv")),
    "full": Arm(1e-3, tuning=FullTuning),
}
CNN = {
    "none": Arm(HEAD_CENTER, pair=True),
    "ap_last": Arm(prompt=lambda spec: ActivationPrompt(spec, spec.depth), pair=True),
    "stem_bias": Arm(tuning=lambda net: NormTuning(net, "bias", 0), opened=True, pair=True),
    "ap_after": Arm(prompt=lambda spec: ActivationPrompt(spec, 1, "per_channel"), opened=True, pair=True),
    "ap_before": Arm(prompt=lambda spec: ActivationPrompt(spec, 0, "per_channel"), opened=True, pair=True),
    **DELTAS,
}
VIT = {
    "none": Arm(HEAD_CENTER, pair=True),
    "last_norm": Arm(5e-3, tuning=lambda net: Chosen(net, "pool.norm.weight", "pool.norm.bias"), pair=True),
    "mlp_bias": Arm(tuning=lambda net: Chosen(net, f"blocks.{LOWER}.mlp.fc2.bias"), pair=True),
    "ap_shared": Arm(prompt=lambda spec: ActivationPrompt(spec, LOWER + 1, "shared"), pair=True),
    **DELTAS,
}


def arms_of(backbone: Backbone) -> dict[str, Arm]:
    """Return the arms for a kind of backbone; the linear probe comes first."""
    return CNN if backbone.spec.kind == "cnn" else VIT


class Runs:
    """Train the arms of one frozen backbone on one data set."""

    def __init__(self, backbone: Backbone, data: Splits, epochs: int = 10, batch_size: int = 128) -> None:
        self.backbone, self.data = backbone, data
        self.recipe: dict[str, Any] = {"epochs": epochs, "batch_size": batch_size}

    def train(self, arm: Arm, seed: int, rate: float, head_rate: float) -> tuple[vpcore.Prompted, float]:
        """Train one arm; return the model of its best validation epoch, and that accuracy."""
        model = arm.model(self.backbone, len(self.data.classes), seed)
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
        """Choose the rates on validation with seed 0, and run an arm with all its seeds."""
        arm, kind = arms_of(self.backbone)[name], self.backbone.spec.name
        settings = {**self.recipe, "num_train": len(self.data.train), "trials": trials}

        def case(name: str, seed: int = 0, **more: float) -> Case:
            return Case(self.data.name, kind, name, seed, {**settings, **more})

        def probe(rate: float) -> float:
            return self.train(arms_of(self.backbone)["none"], 0, rate, rate)[1]

        head_rate = study.rate(case("none"), HEAD_CENTER, probe, trials)
        rate = head_rate
        if name != "none":
            rate = study.rate(case(name), arm.center, lambda r: self.train(arm, 0, r, head_rate)[1], trials)
        for seed in seeds:
            chosen = case(name, seed, rate=rate, head_rate=head_rate)
            study.run(chosen, self.data, lambda seed=seed: self.outcome(arm, seed, rate, head_rate))

    def outcome(self, arm: Arm, seed: int, rate: float, head_rate: float) -> Outcome:
        """Train one arm and read the test set, once."""
        model, valid = self.train(arm, seed, rate, head_rate)
        tuned = sum(p.numel() for n, p in model.named_parameters() if p.requires_grad and not n.startswith("head."))
        return Outcome(vpcore.evaluate(model, self.data.test), {"valid": valid, "tuned": tuned})


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--backbones", nargs="+", default=["resnet_nano", "vit_nano"])
    parser.add_argument("--arms", nargs="+", help="all by default")
    parser.add_argument("--seeds", type=int, default=10, help="of arms that share a function class; others get 5")
    parser.add_argument("--trials", type=int, default=4)
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    study, data = Study(given.out), vpcore.load_data("photodigits", num_train=1000)
    for backbone in map(vpcore.load_backbone, given.backbones):
        runs = Runs(backbone, data)
        arms = arms_of(backbone)
        for name in given.arms or arms:
            runs.record(study, name, seeds_of(given.seeds if arms[name].pair else 5), given.trials)


if __name__ == "__main__":
    main()

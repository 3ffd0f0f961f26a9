"""Lesson 05: activation prompts at every layer of a frozen network, and what might explain them.

`python -m course.studies.study_05 --out runs.jsonl --backbone resnet_nano` runs one network. Conditions, by layer l:
"ap@l" (the paper's), "channel@l" (one number a channel), "bias@l" (the biases of block l), "random@l" (a frozen random
delta as large as the learned one of the same seed), "probe@l" (a head on layer-l features), "vp", and "none".

Every condition has one free rate, found in `TRIALS` trials on photodigits' validation images with seed `TRIAL_SEED`:
of its delta or biases, or, where those do not learn, of its head. A head beside something that learns has the rate
`HEAD`; the condition "head" is a head alone with that rate. The other sets take these rates as they are.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from course.studies.layer_conditions import HEAD, RECIPE, Condition, build, describe, step_cost, train
from course.studies.study import Case, Outcome, Study, seeds_of
from vpcore import evaluate, load_backbone
from vpcore.backbone import Backbone
from vpcore.data import Split, Splits, load_data
from vpcore.experiments.runs.runlog import read_runs

CENTER, TRIALS, TRIAL_SEED, TRAIN, SECOND = 3e-2, 4, 1000, 1000, 500
CONTROLS: dict[str, dict[str, tuple[int, ...]]] = {  # kind to layers: every kind at every layer would be dear
    "resnet_nano": {"random": (2, 4, 6), "channel": (2, 4, 6), "bias": (2, 4, 6)},
    "vit_nano": {"random": (2, 3, 4), "channel": (2, 3, 4), "bias": (2, 3, 4)},
}


def main_conditions(backbone: Backbone) -> list[Condition]:
    """Return the sweep over layers, and the heads alone."""
    layers = range(backbone.spec.depth + 1)
    heads = [Condition("none"), Condition("head")]
    return heads + [Condition(kind, layer) for kind in ("probe", "ap") for layer in layers]


def control_conditions(backbone: Backbone) -> list[Condition]:
    """Return other deltas at a few layers: random, one number a channel, or the biases of the block."""
    chosen = CONTROLS.get(backbone.spec.name, {})
    return [Condition(kind, layer) for kind, layers in chosen.items() for layer in layers]


def load(name: str) -> Splits:
    """Return a set of RGB images of 32 pixels: 1,000 to train on, of another set than photodigits at most 500."""
    if name == "photodigits":
        return load_data(name, num_train=TRAIN)
    data = load_data(name, image_size=32, in_chans=3)
    data = data.limit(min(SECOND, len(data.train)))
    return replace(data, valid=_first(data.valid, 500), test=_first(data.test, 1000))


def _first(split: Split, count: int) -> Split:
    return split.take(range(min(count, len(split))))


def sweep(
    study: Study, backbone: Backbone, conditions: Iterable[Condition], data: Splits, tuned_on: Splits, seeds: int,
    trial_epochs: int = RECIPE["epochs"], **recipe: Any,
) -> None:  # fmt: skip
    """Run conditions on a set, with rates that `tuned_on`'s validation images choose in trials of so many epochs."""
    images = data.train.images[:64].float() / 255
    for condition in conditions:
        rate = _rate(study, backbone, condition, tuned_on, {**RECIPE, **recipe, "epochs": trial_epochs})
        for seed in seeds_of(seeds):
            settings = {"rate": float(f"{rate:.4g}"), "num_train": len(data.train), **RECIPE, **recipe}
            case = Case(data.name, backbone.spec.name, str(condition), seed, settings)

            def work(condition: Condition = condition, seed: int = seed, rate: float = rate) -> Outcome:
                norm = _norm(study, backbone, condition, data, seed)
                model = build(backbone, condition, len(data.classes), seed, norm)
                extra = {"valid": train(model, data, rate, seed, **recipe), "step_flops": step_cost(model, images[:8])}
                learned = model.prompt.num_learned() + (model.tuning.num_learned() if model.tuning else 0)
                extra |= {"learned": learned, **describe(model, images, seed == 0)}
                return Outcome(evaluate(model, data.test), extra)

            study.run(case, data, work)


def _rate(study: Study, backbone: Backbone, condition: Condition, data: Splits, recipe: dict[str, Any]) -> float:
    if condition.kind == "head":
        return HEAD

    def valid(rate: float) -> float:
        model = build(backbone, condition, len(data.classes), TRIAL_SEED, _norm(study, backbone, condition, data, 0))
        try:
            return train(model, data, rate, TRIAL_SEED, **recipe)
        except ValueError:  # it diverged
            return float("nan")

    case = Case(data.name, backbone.spec.name, str(condition), TRIAL_SEED, {"num_train": len(data.train), **recipe})
    return study.rate(case, CENTER, valid, TRIALS)


def _norm(study: Study, backbone: Backbone, condition: Condition, data: Splits, seed: int) -> float:
    """Return how large the learned delta of the same layer and seed became, for a random one; else 0."""
    if condition.kind != "random":
        return 0.0
    wanted = {"data": data.name, "backbone": backbone.spec.name, "prompt": f"ap@{condition.layer}", "seed": seed}
    return next(run["extra"]["norm"] for run in read_runs(study.out) if wanted.items() <= run["cell"].items())


def main() -> None:
    """Run one network: sweep and controls, the sweep on other sets, more seeds of the sweep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--backbone", default="resnet_nano")
    parser.add_argument("--others", default="digits", help="sets that get the sweep with photodigits' rates")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--more-seeds", type=int, default=10, help="of the sweep on photodigits, at the end")
    parser.add_argument("--trial-epochs", type=int, default=RECIPE["epochs"], help="of a run that tries a rate")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    study, backbone, photos = Study(asked.out), load_backbone(asked.backbone), load("photodigits")
    conditions = main_conditions(backbone)

    def run(chosen: list[Condition], data: Splits, seeds: int = asked.seeds) -> None:
        sweep(study, backbone, chosen, data, photos, seeds, asked.trial_epochs)

    run([*conditions, *control_conditions(backbone), Condition("vp")], photos)
    for name in filter(None, asked.others.split(",")):
        run(conditions, load(name))
    run(conditions, photos, max(asked.seeds, asked.more_seeds))


if __name__ == "__main__":
    main()

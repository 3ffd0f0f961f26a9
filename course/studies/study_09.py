"""Lesson 09: few images, many methods, the same number of rates for each.

    python -m course.studies.study_09 --out shots.jsonl --backbones resnet_nano vit_nano --data digits photodigits

A run sees 1, 4 or 16 training images a class; its seed draws them too, so runs of one seed form pairs: same images,
same batches. All runs take the same number of steps of the same size. Rates are chosen on 160 validation images.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch

import vpcore
from course.studies.study import Case, Outcome, Study, seeds_of
from vpcore.cache import cached
from vpcore.data.splits import Split, Splits
from vpcore.experiments.names.methods import build_prompted
from vpcore.train import evaluate, fit

SHOTS = (1, 4, 16)
NUM_VALID, BATCH, STEPS = 160, 32, 20  # steps an epoch, whatever the number of images
# Methods by the name lessons use, as `vpcore.experiments.names.methods` writes them, and the middle of the first three
# rates (AdamW).
COMMON = {
    "linear probe": ("none", 1e-2),
    "pad": ("pad", 1e-1),
    "instance image": ("instance_image", 1e-3),
    "activation prompt": ("activation:layer={middle}", 1e-2),
    "norm tuning": ("norm_tuning", 1e-2),
    "full fine-tuning": ("full_tuning", 1e-3),
}
VIT_ONLY = {"VPT-deep": ("vpt_deep", 1e-2), "instance": ("instance", 1e-3), "LoRA": ("lora", 1e-3)}


@dataclass(frozen=True)
class Protocol:
    """What every method of the table gets."""

    epochs: int = 6
    trials: int = 4
    steps: int = STEPS


def load(name: str) -> Splits:
    """Return a set as the bundled backbones take it; photodigits with 1,000 training images to draw from."""
    num_train = 1000 if name == "photodigits" else None
    return vpcore.load_data(name, image_size=32, in_chans=3, num_train=num_train)


def methods_for(backbone: vpcore.Backbone) -> dict[str, tuple[str, float]]:
    """Return name, text and center of every method that fits; the activation prompt stands before the middle block."""
    middle = backbone.spec.depth // 2
    chosen = COMMON if backbone.spec.kind == "cnn" else COMMON | VIT_ONLY
    return {name: (text.format(middle=middle), center) for name, (text, center) in chosen.items()}


def draw_shots(train: Split, shots: int, seed: int, length: int) -> Split:
    """Return `shots` images of each class, repeated to `length` images, so that all runs take the same steps.

    The same seed with more shots keeps the images of fewer shots.
    """
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))
    chosen = [order[train.labels[order] == label][:shots] for label in train.labels.unique()]
    pool = torch.cat(chosen)
    return train.take(pool.repeat(-(-length // len(pool)))[:length])


def train_once(
    text: str, backbone: vpcore.Backbone, data: Splits, shots: int, seed: int, lr: float, protocol: Protocol
) -> tuple[vpcore.Prompted, float]:
    """Train one method on few images; return the model and its best validation accuracy."""
    train = draw_shots(data.train, shots, seed, BATCH * protocol.steps)

    def head(dim: int) -> vpcore.LinearHead:
        return vpcore.LinearHead(dim, len(data.classes), seed=seed)

    model = build_prompted(text, backbone, train.images, head, seed, train_backbone=False)
    rates = {"head": 1e-2, "prompt": lr, "tuning": lr} if text != "none" else lr
    if isinstance(rates, dict) and model.tuning is None:
        del rates["tuning"]
    valid = data.valid.take(range(NUM_VALID))
    if text == "none":
        train, valid = cached(model, train), cached(model, valid)
    options = {"epochs": protocol.epochs, "batch_size": BATCH, "optimizer": "adamw"}
    history = fit(model, train, valid, lr=rates, seed=seed, **options)
    return model, history.best.valid_accuracy


def record(study: Study, name: str, backbone: vpcore.Backbone, data: Splits, seeds: int, protocol: Protocol) -> None:
    """Choose the rate of one method for each number of shots, and run all seeds at it."""
    text, center = methods_for(backbone)[name]
    for shots in SHOTS:
        settings = {"shots": shots, "epochs": protocol.epochs, "trials": protocol.trials, "method": text}
        search = Case(data.name, backbone.spec.name, name, 0, settings)

        def valid(rate: float, shots: int = shots) -> float:
            return train_once(text, backbone, data, shots, 0, rate, protocol)[1]

        rate = study.rate(search, center, valid, protocol.trials)
        for seed in seeds_of(seeds):
            case = Case(data.name, backbone.spec.name, name, seed, {**settings, "lr": rate})

            def work(shots: int = shots, seed: int = seed, rate: float = rate) -> Outcome:
                model, _ = train_once(text, backbone, data, shots, seed, rate, protocol)
                found = vpcore.count(model)
                return Outcome(evaluate(model, data.test), {"prompt_or_tuning": found.prompt + found.tuning})

            study.run(case, data, work)


def main(arguments: list[str] | None = None) -> None:
    """Run the study; runs that are in the file are not repeated."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--backbones", nargs="+", default=["resnet_nano"])
    parser.add_argument("--data", nargs="+", default=["digits"], help="digits, photodigits")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=Protocol.epochs)
    parser.add_argument("--steps", type=int, default=STEPS)
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    study, protocol = Study(chosen.out), Protocol(chosen.epochs, steps=chosen.steps)
    for data_name in chosen.data:
        data = load(data_name)
        for backbone_name in chosen.backbones:
            backbone = vpcore.load_backbone(backbone_name)
            for name in methods_for(backbone):
                record(study, name, backbone, data, chosen.seeds, protocol)


if __name__ == "__main__":
    main()

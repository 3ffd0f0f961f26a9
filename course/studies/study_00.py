"""Lesson 00's experiment: linear probes on frozen features, and what choosing on the test set does.

`python -m course.studies.study_00 --out FILE [--seeds N]`. A seed draws the training images, the first weights of the
head and the batches; validation and test images are the same for all seeds.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch
from torch import nn

import vpcore
from course.studies.study import Case, Outcome, Study, seeds_of
from vpcore.backbone import Backbone, Spec
from vpcore.cache import CachedSplit, cached
from vpcore.data.splits import Splits, stratified_order
from vpcore.prompted import Prompted
from vpcore.train.records import History

POOL = 10_000  # photodigits that training images are drawn from
IMAGES_SEEN = 20_000  # images times epochs, the same for every number of training images
BATCH, CENTER, TRIAL_SEED = 64, 1e-2, 1000
RATES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
DECAYS = (0.0, 0.01, 0.1, 1.0)
FEW = 100  # test images that the search over settings is allowed to see


@dataclass(frozen=True)
class Arm:
    """One row of the table: a data set, frozen features, and how many training images."""

    data: str
    backbone: str
    train: int
    prompt: str

    def draw(self, seed: int) -> int:
        """Return the seed of the training images: its own for every run, unless they are held fixed."""
        return 0 if "same images" in self.prompt else seed


ARMS = (
    *(Arm(data, "resnet_nano", n, f"probe:train={n}")
      for data in ("photodigits", "photodigits:fixed") for n in (100, 300, 1000, 2000)),
    *(Arm("digits", "resnet_nano", n, f"probe:train={n}") for n in (100, 300, 1000)),
    Arm("photodigits", "resnet_nano", 1000, "probe:train=1000,same images"),
    Arm("photodigits", "resnet_nano:random", 1000, "probe:train=1000"),
    Arm("photodigits", "pixels", 1000, "probe:train=1000"),
)  # fmt: skip
SEARCH = Arm("photodigits", "resnet_nano", 300, "probe:train=300,20 settings")


@cache
def pool(data: str, size: int = POOL) -> Splits:
    """Return a data set as 32×32 RGB, with all training images that a seed may draw from."""
    if data == "digits":
        return vpcore.load_data("digits", image_size=32, in_chans=3)
    position = "fixed" if data.endswith(":fixed") else "random"
    return vpcore.load_data("photodigits", num_train=size, position=position)


@cache
def network(name: str, seed: int) -> Backbone:
    """Return frozen features: pretrained, with random weights of a seed, or the pixels themselves."""
    if name == "pixels":
        dim = 3 * 32 * 32
        spec = Spec(name, "cnn", 32, 3, dim, ((dim,), (dim,)), (0.5,) * 3, (0.25,) * 3)
        return Backbone(nn.Flatten(), [nn.Identity()], nn.Identity(), spec)
    random = name.endswith(":random")
    return vpcore.load_backbone("resnet_nano", **({"pretrained": False, "seed": seed} if random else {}))


@cache
def features(data: str, backbone: str, seed: int, size: int = POOL) -> dict[str, CachedSplit]:
    """Return the cached features of all three splits."""
    model, splits = probe(backbone, seed), pool(data, size)
    return {part: cached(model, getattr(splits, part)) for part in ("train", "valid", "test")}


def probe(backbone: str, seed: int) -> Prompted:
    """Return a linear head on frozen features, untrained."""
    net = network(backbone, seed if backbone.endswith(":random") else 0)
    return Prompted(net, vpcore.NoPrompt(net.spec), vpcore.LinearHead(net.spec.dim, 10, seed=seed))


def drawn(arm: Arm, seed: int, size: int) -> torch.Tensor:
    """Return which training images of the pool a seed draws, classes in proportion."""
    order = stratified_order(pool(arm.data, size).train.labels.numpy(), arm.draw(seed))
    return torch.from_numpy(order[: arm.train].copy()).sort().values


def train(arm: Arm, seed: int, rate: float, decay: float = 0.0, *, size: int = POOL, seen: int = IMAGES_SEEN
          ) -> tuple[Prompted, History]:  # fmt: skip
    """Train one probe; the validation images choose its epoch."""
    splits = features(arm.data, arm.backbone, seed if arm.backbone.endswith(":random") else 0, size)
    model = probe(arm.backbone, seed)
    settings = {"epochs": max(1, seen // arm.train), "lr": rate, "weight_decay": decay, "batch_size": BATCH}
    subset = splits["train"].take(drawn(arm, seed, size))
    return model, vpcore.fit(model, subset, splits["valid"], **settings, seed=seed)


def search(seed: int, *, size: int = POOL, seen: int = IMAGES_SEEN) -> Outcome:
    """Score 20 settings on validation, on a few test images, and on the other test images.

    This reads the test set 20 times: on purpose, to measure what that does.
    """
    found: dict[str, list[float]] = {"valid": [], "test_few": [], "test_rest": []}
    tests = []
    for rate in RATES:
        for decay in DECAYS:
            model, history = train(SEARCH, seed, rate, decay, size=size, seen=seen)
            tests.append(vpcore.evaluate(model, features(SEARCH.data, SEARCH.backbone, 0, size)["test"]))
            right = (tests[-1].predictions == tests[-1].labels).double()
            found["valid"].append(history.best.valid_accuracy)
            found["test_few"].append(float(right[:FEW].mean()))
            found["test_rest"].append(float(right[FEW:].mean()))
    best = max(range(len(tests)), key=lambda place: found["valid"][place])
    return Outcome(tests[best], found)


def main(out: Path, seeds: int = 10, *, size: int = POOL, seen: int = IMAGES_SEEN, arms: tuple[Arm, ...] = ARMS
         ) -> None:  # fmt: skip
    """Run every arm and the search over settings for all seeds, unless the file holds them."""
    study = Study(out)
    for arm in arms:
        case = Case(arm.data, arm.backbone, arm.prompt, 0, {"train": arm.train, "batch_size": BATCH, "seen": seen})

        def valid(rate: float, arm: Arm = arm) -> float:
            return train(arm, TRIAL_SEED, rate, size=size, seen=seen)[1].best.valid_accuracy

        rate = study.rate(case, CENTER, valid)
        for seed in seeds_of(seeds):

            def work(arm: Arm = arm, seed: int = seed, rate: float = rate) -> Outcome:
                model, history = train(arm, seed, rate, size=size, seen=seen)
                which = seed if arm.backbone.endswith(":random") else 0
                test = vpcore.evaluate(model, features(arm.data, arm.backbone, which, size)["test"])
                return Outcome(test, {"valid_accuracy": history.best.valid_accuracy})

            splits = pool(arm.data, size)
            chosen = replace(splits, train=splits.train.take(drawn(arm, seed, size)))
            run = replace(case, seed=seed, settings={**case.settings, "lr": rate})
            study.run(run, chosen, work)
    for seed in seeds_of(seeds):
        splits = pool(SEARCH.data, size)
        chosen = replace(splits, train=splits.train.take(drawn(SEARCH, seed, size)))
        case = Case(SEARCH.data, SEARCH.backbone, SEARCH.prompt, seed, {"train": SEARCH.train, "seen": seen})
        study.run(case, chosen, lambda seed=seed: search(seed, size=size, seen=seen))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=10)
    torch.set_num_threads(1)
    main(**vars(parser.parse_args()))

"""Study 07: do the pictures explain? Numbers behind t-SNE of specific tokens, Grad-CAM, and attention distance.

`python -m course.studies.study_07 --out runs.jsonl` trains InsVP's feature level on vit_nano ("tokens"), and a
linear probe and an activation prompt on resnet_nano ("probe" and "ap"). Nothing here compares accuracies: the
tokens have one rate, the upper half of InsVP's published range; the others choose theirs in four trials each.
"""

from __future__ import annotations

import argparse
import base64
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import vpcore
from course.exercises.lesson_07.answers import agreement, shuffle_top
from course.studies.layer_conditions import RECIPE, Condition, build, train
from course.studies.maps_07 import CAM_LAYER, alike, cams, parts_of, rebuilt
from course.studies.study import Case, Outcome, Study, seeds_of
from course.studies.tokens_04 import specific_tokens
from vpcore.backbone import Backbone
from vpcore.data.splits import Splits
from vpcore.inside.attention import attention_distances

TOKENS, NEIGHBORS = 4, 10
RATES = {"prompt": 10**-2.5, "head": 10**-1.5}  # as lesson 04 starts its search
TOKEN_RECIPE = {"epochs": 6, "batch_size": 32}
AP_LAYER, CAM_IMAGES = 4, 100
CENTER, TRIALS, TRIAL_SEED = 1e-2, 4, 1000


def token_model(backbone: Backbone, classes: int, seed: int) -> vpcore.Prompted:
    """Return InsVP's feature level, untrained: common and specific tokens, and a linear head."""
    prompt = vpcore.InstancePrompt(backbone.spec, TOKENS, ("common", "specific"), seed=seed)
    return vpcore.Prompted(backbone, prompt, vpcore.LinearHead(backbone.spec.dim, classes, seed=seed))


def packed(model: vpcore.Prompted) -> str:
    """Return the weights of G_s, float32, one after the other, as text."""
    prompt: Any = model.prompt
    flat = torch.cat([p.detach().flatten() for p in prompt.specific.parameters()])
    return base64.b64encode(flat.numpy().astype("<f4").tobytes()).decode()


def unpack(model: vpcore.Prompted, text: str) -> vpcore.Prompted:
    """Put recorded weights of G_s into a model, in place, and return it; its other parts stay as they are."""
    flat = torch.from_numpy(np.frombuffer(base64.b64decode(text), "<f4").astype(np.float32))
    prompt: Any = model.prompt
    nn.utils.vector_to_parameters(flat, prompt.specific.parameters())
    return model


@torch.no_grad()
def features(model: vpcore.Prompted, images: Tensor) -> Tensor:
    """Return what the head of a model gets, one row per uint8 image."""
    return torch.cat([model.eval().features(part.float() / 255) for part in images.split(500)])


def near(rows: Tensor, labels: Tensor) -> float:
    """Return the share of each row's nearest neighbors that has its label."""
    return agreement(rows.flatten(1).double(), labels, NEIGHBORS)


def tokens(backbone: Backbone, data: Splits, seed: int, **recipe: Any) -> Outcome:
    """Train InsVP's feature level; return label agreement of neighbors before and after, and in controls."""
    images, labels = data.test.images, data.test.labels
    model = token_model(backbone, len(data.classes), seed)
    bare = vpcore.Prompted(backbone, vpcore.NoPrompt(backbone.spec), model.head)
    agreed = {
        "pixels": near(images.float(), labels),
        "frozen features": near(features(bare, images), labels),
        "untrained tokens": near(specific_tokens(model, images), labels),
    }
    options = {**TOKEN_RECIPE, **recipe}
    history = vpcore.fit(model, data.train, data.valid, lr=RATES, optimizer="adamw", seed=seed, device="cpu", **options)
    agreed["trained tokens"] = near(specific_tokens(model, images), labels)
    agreed["prompted features"] = near(features(model, images), labels)
    extra: dict[str, Any] = {"agreement": agreed, "specific": packed(model)}
    extra["valid"] = [record.valid_accuracy for record in history.epochs]
    if seed == 0:
        extra["distance"] = attention_distances(bare, images[:500].float() / 255).tolist()
    return Outcome(vpcore.evaluate(model, data.test, device="cpu"), extra)


def sanity(
    models: Callable[[str, int], vpcore.Prompted], condition: str, seed: int, data: Splits, seeds: int
) -> Outcome:
    """Compare maps of a trained model with those of shuffled ones, of the next seed, and of the linear probe."""
    model = models(condition, seed)
    images = data.test.images[:CAM_IMAGES].float() / 255
    with torch.no_grad():
        classes, second = model.eval()(images).topk(2).indices.T
    own = cams(model, images, classes)
    cascade, flat = [], []
    for count in range(len(parts_of(model)) + 1):
        maps = cams(rebuilt(model, shuffle_top(parts_of(model), count, seed)), images, classes)
        cascade.append(alike(own, maps))
        flat.append(float((maps.flatten(1).amax(1) == maps.flatten(1).amin(1)).double().mean()))
    extra: dict[str, Any] = {"cascade": cascade, "flat": flat}
    extra["next seed"] = alike(own, cams(models(condition, (seed + 1) % seeds), images, classes))
    extra["probe"] = alike(own, cams(models("probe", seed), images, classes))
    extra["second class"] = alike(own, cams(model, images, second))
    extra["brightness"] = alike(own, images.mean(1))
    return Outcome(vpcore.evaluate(model, data.test, device="cpu"), extra)


def record_cams(study: Study, backbone: Backbone, data: Splits, seeds: int, **recipe: Any) -> None:
    """Choose a rate for probe and prompt, train both with every seed, and compare their maps."""
    conditions = {"probe": Condition("none"), "ap": Condition("ap", AP_LAYER)}
    options = {**RECIPE, **recipe}
    settings = {**options, "cam_layer": CAM_LAYER, "cam_images": CAM_IMAGES}

    @cache
    def rate(name: str) -> float:
        def valid(lr: float) -> float:
            return train(
                build(backbone, conditions[name], len(data.classes), TRIAL_SEED, 0.0), data, lr, TRIAL_SEED, **options
            )

        return study.rate(Case(data.name, backbone.spec.name, name, TRIAL_SEED, settings), CENTER, valid, TRIALS)

    @cache
    def model(name: str, seed: int) -> vpcore.Prompted:
        made = build(backbone, conditions[name], len(data.classes), seed, 0.0)
        train(made, data, rate(name), seed, **options)
        return made

    for name in conditions:
        for seed in range(seeds):
            case = Case(data.name, backbone.spec.name, name, seed, {**settings, "lr": float(f"{rate(name):.4g}")})
            study.run(case, data, lambda name=name, seed=seed: sanity(model, name, seed, data, seeds))


def record_tokens(study: Study, backbone: Backbone, data: Splits, seeds: int, **recipe: Any) -> None:
    """Train the tokens with every seed."""
    settings = {**TOKEN_RECIPE, **recipe, "num_tokens": TOKENS, "neighbors": NEIGHBORS, "lr": RATES["prompt"]}
    for seed in range(seeds):
        case = Case(data.name, backbone.spec.name, "tokens", seed, settings)
        study.run(case, data, lambda seed=seed: tokens(backbone, data, seed, **recipe))


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    study, seeds = Study(options.out), len(list(seeds_of(options.seeds)))
    photos = vpcore.load_data("photodigits", num_train=1000)
    record_cams(study, vpcore.load_backbone("resnet_nano"), photos, seeds)
    vit = vpcore.load_backbone("vit_nano")
    record_tokens(study, vit, photos, seeds)
    digits = vpcore.load_data("digits", image_size=32, in_chans=3)
    record_tokens(study, vit, digits.limit(min(500, len(digits.train))), seeds)


if __name__ == "__main__":
    main()

"""What InsVP's step costs on ViT-B/16: as here, and as published code runs it.

Here the backbone's weights are frozen, so that only gradients of activations are computed, and G_s runs once a batch.
The other way also computes the gradient of every weight, which nothing uses, and runs G_s anew in every block. Same
numbers learn, same precision, steps take turns, medians count. The limit is what counted operations allow.

    OMP_NUM_THREADS=1 python tests/benchmarks/insvp_step.py
    python tests/benchmarks/insvp_step.py --device cuda --precision bfloat16 --batch 64 --steps 20
"""

from __future__ import annotations

import statistics
import time
from typing import Annotated, NamedTuple

import torch
import typer
from rows import row, say
from torch import Tensor
from torch.nn import functional as F

import vpcore
from vpcore.device import autocast
from vpcore.experiments.runs.machine import hardware
from vpcore.flops import step_flops
from vpcore.prompts.parts.own_picture import weigh
from vpcore.train.optim import make_optimizer

BAR = 1.6


class Again(NamedTuple):
    """What is kept of a batch where G_s runs in every block."""

    picture: Tensor | None
    images: Tensor  # what G_s reads


class SpecificInEveryBlock(vpcore.InstancePrompt):
    """InsVP whose G_s runs anew before every block; the tokens are the same."""

    def condition(self, images: Tensor) -> Again:  # type: ignore[override]
        picture = super().condition(images).picture
        return Again(picture, images + picture if self.reads_prompted else images)  # type: ignore[operator]

    def tokens(self, z: Tensor, layer: int, context: Again) -> Tensor:  # type: ignore[override]
        made = {
            "common": self.common(layer, len(z), self.generator(z.device)),
            "specific": self.specific(context.images),
        }
        return weigh(made, self.feature_weights)


def build(name: str, device: str, variant: str, again: bool) -> vpcore.Prompted:
    with torch.device(device):
        backbone = vpcore.load_backbone(name, pretrained=False)
    kind = SpecificInEveryBlock if again else vpcore.InstancePrompt
    head = vpcore.LinearHead(backbone.spec.dim, 100)
    model = vpcore.Prompted(backbone, kind(backbone.spec, 20, variant=variant), head).to(device)
    if again:
        backbone.requires_grad_(True)
        if backbone.classifier is not None:
            backbone.classifier.requires_grad_(False)
    return model.train()


def seconds(model: vpcore.Prompted, images: Tensor, labels: Tensor, optimizer, precision: str) -> float:
    began = now(images)
    model.zero_grad(set_to_none=True)
    with autocast(precision, images.device):
        loss = F.cross_entropy(model(images).float(), labels)
    loss.backward()
    optimizer.step()
    return now(images) - began


def now(images: Tensor) -> float:
    """Return a time: of the clock on a GPU, of the process on the CPU, where other load would be in the clock's."""
    if images.device.type == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def main(
    backbone: Annotated[str, typer.Option(help="A ViT.")] = "vit_base_patch16_224",
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    precision: Annotated[str, typer.Option(help="float32 or bfloat16; the same for both.")] = "float32",
    variant: Annotated[str, typer.Option(help="paper or released_code (larger kernels).")] = "released_code",
    batch: Annotated[int, typer.Option(help="Images a step.")] = 4,
    steps: Annotated[int, typer.Option(help="Steps of each, after one to warm up.")] = 5,
) -> None:
    """Print seconds a step both ways, their ratio, and the ratio of counted operations."""
    models = [build(backbone, device, variant, again) for again in (False, True)]
    learned = [{n for n, p in m.named_parameters() if p.requires_grad and not n.startswith("backbone")} for m in models]
    assert learned[0] == learned[1]
    size = models[0].backbone.spec.image_size
    images = torch.rand(batch, 3, size, size, generator=torch.Generator().manual_seed(0)).to(device)
    labels = torch.arange(batch, device=device) % 100
    models[1].load_state_dict(models[0].state_dict())
    scores = [model.eval()(images).detach() for model in models]
    assert torch.allclose(*scores, atol=1e-4), "the two ways differ"
    for model in models:
        model.train()
    optimizers = [make_optimizer(models[0], "adamw", 1e-3, 0.0)]
    optimizers.append(torch.optim.AdamW([p for n, p in models[1].named_parameters() if n in learned[0]], fused=True))
    rounds = [
        [seconds(m, images, labels, o, precision) for m, o in zip(models, optimizers, strict=True)]
        for _ in range(steps + 1)
    ][1:]
    here, there = (statistics.median(times) for times in zip(*rounds, strict=True))
    ratios = [b / a for a, b in rounds]
    ratio = statistics.median(ratios)
    counted = [step_flops(model, images[:1]) for model in models]
    print(f"{hardware(device)}  torch {torch.__version__}  {backbone}, {variant}, batch {batch}, {precision}")
    print(f"here {here:.3f} s a step, all weight gradients and G_s in every block {there:.3f} s: × {ratio:.2f}")
    print(
        f"counted × {counted[1] / counted[0]:.2f} ({counted[0] / 1e9:.1f} and {counted[1] / 1e9:.1f} GFLOPs an image)"
    )
    print(f"bar × {BAR}: {'met' if ratio >= BAR else 'NOT MET'}; pairs {[round(each, 2) for each in ratios]}")
    what = f"one InsVP step, {backbone}, batch {batch}, {precision}, {hardware(device)['gpu'] or 'CPU'}"
    say([row(what, here, ratios, "all weight gradients and G_s in every block", BAR)])


if __name__ == "__main__":
    typer.run(main)

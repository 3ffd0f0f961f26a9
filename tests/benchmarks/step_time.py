"""Seconds for 10,000 training images through a frozen backbone below a prompt, against the CIFAR ResNet-20.

Run on two free cores: OMP_NUM_THREADS=2 python tests/benchmarks/step_time.py. Rounds of the networks alternate, and
each network's best round counts, so a busy moment hits all of them. A learned picture on the pixels (the most a prompt
can ask for: the gradient runs through every layer), a linear head, batches of 128, float32. Weights are fresh: the time
does not depend on them.
"""

from __future__ import annotations

import time

import torch
from rows import row, say
from torch import nn

import vpcore
from vpcore.backbone import Backbone, Spec, measure_shapes
from vpcore.experiments.runs.machine import hardware
from vpcore.flops import forward_flops

IMAGES, BATCH, STEPS, ROUNDS = 10_000, 128, 10, 6
BARS = {"resnet_nano": (3.0, 4.0), "vit_nano": (8.0, 1.3)}  # seconds, and times the speed of ResNet-20


def resnet20() -> Backbone:
    """Build the ResNet-20 of He et al. (2016, section 4.2): 41 M multiply-adds on 32×32 images."""
    from timm.models.resnet import BasicBlock

    embed = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True))
    blocks, before = [], 16
    for width in (16, 32, 64):
        for place in range(3):
            stride = 2 if place == 0 and width > 16 else 1
            shortcut = None
            if width != before:
                shortcut = nn.Sequential(nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width))
            blocks.append(BasicBlock(before, width, stride, shortcut))
            before = width
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    shapes = measure_shapes(embed, blocks, 3, 32)
    return Backbone(embed, blocks, pool, Spec("resnet20", "cnn", 32, 3, 64, shapes, (0.5,) * 3, (0.25,) * 3))


def build(name: str) -> vpcore.Prompted:
    backbone = resnet20() if name == "resnet20" else vpcore.load_backbone(name, pretrained=False)
    prompt = vpcore.PadPrompt(backbone.spec, width="full")
    return vpcore.Prompted(backbone, prompt, vpcore.LinearHead(backbone.spec.dim, 10))


def round_seconds(model: vpcore.Prompted, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the seconds of one image in one round of steps."""
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    began = time.perf_counter()
    for _ in range(STEPS):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
    return (time.perf_counter() - began) / (STEPS * BATCH)


def main() -> None:
    """Print seconds and ratios, each beside its bar."""
    draw = torch.Generator().manual_seed(0)
    images = torch.rand(BATCH, 3, 32, 32, generator=draw).to(memory_format=torch.channels_last)
    labels = torch.randint(10, (BATCH,), generator=draw)
    models = {name: build(name).to(memory_format=torch.channels_last) for name in ("resnet20", *BARS)}  # type: ignore[call-overload]
    rounds = [
        {name: round_seconds(model, images, labels) for name, model in models.items()} for _ in range(ROUNDS + 1)
    ][1:]
    best = {name: IMAGES * min(one[name] for one in rounds) for name in models}
    used = hardware()
    print(f"{used['processor']}, {used['threads']} threads, torch {torch.__version__}, {IMAGES:,} images")
    for name, seconds in best.items():
        work = forward_flops(models[name], images[:1]) / 2e6
        line = f"{name:12} {work:5.1f} M multiply-adds  {seconds:6.2f} s  {best['resnet20'] / seconds:5.2f} x"
        if name in BARS:
            line += f"   (bars: {BARS[name][0]} s, {BARS[name][1]} x)"
        print(line)
    what = f"{IMAGES:,} training images, {{}} frozen, CPU"
    ratios = {name: [one["resnet20"] / one[name] for one in rounds] for name in BARS}
    say([row(what.format(n), best[n], ratios[n], "ResNet-20", bar) for n, (_, bar) in BARS.items()])


if __name__ == "__main__":
    main()

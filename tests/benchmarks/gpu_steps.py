"""Part two of `gpu.py`: images a second of one training step of every method on a ViT, frozen or tuned."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from typing import Any

import torch
from contest import Way, forget_peak, line, memory_now, timed, ways
from msvp_throughput import PilImages
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

import vpcore
from vpcore.device import own_random_stream
from vpcore.flops import step_flops
from vpcore.train.speedups import speedups

WARM_UP = 8  # steps: kernels, compiler, recording


def methods(backbone: vpcore.Backbone, images: torch.Tensor) -> Iterator[tuple[str, Callable[[], vpcore.Prompted]]]:
    spec = backbone.spec

    def prompted(prompt: vpcore.Prompt, tuning: vpcore.Tuning | None = None) -> vpcore.Prompted:
        return vpcore.Prompted(backbone, prompt, vpcore.LinearHead(spec.dim, 100), tuning=tuning)

    for name, make in vpcore.PROMPTS.items():
        yield name, lambda make=make: prompted(make(spec).prepare(backbone, images))
    for name, tune in vpcore.TUNINGS.items():
        yield f"{name} tuning", lambda tune=tune: prompted(vpcore.NoPrompt(spec), tune(backbone))


def step_rate(model: nn.Module, split: vpcore.Split, way: Way, batch: int, steps: int, repeats: int) -> float:
    """Return images a second of epochs of `fit`, batches gathered from uint8 images on the device; one is validated."""
    steps = max(steps, WARM_UP)
    train = split.take(torch.arange(batch * steps) % len(split))
    with speedups(way.wanted.compile, way.wanted.cuda_graph):
        history = vpcore.fit(
            model, train, split.take([0]), epochs=1 + repeats, lr=1e-3, batch_size=batch, precision=way.precision,
            device=split.images.device,
        )  # fmt: skip
    return batch * steps / statistics.median(record.seconds for record in history.epochs[1:])


def usual_rate(model: nn.Module, split: vpcore.Split, batch: int, workers: int, repeats: int) -> float:
    """Return images a second of the usual loop: an epoch with PIL transforms, `loss.item()` each step."""
    device = next(model.parameters()).device
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    pictures = PilImages(split.to("cpu"), split.images.shape[-1])
    pictures.transform.transforms.pop()  # the model normalizes by itself
    loader = DataLoader(pictures, batch, True, num_workers=workers, persistent_workers=workers > 0, drop_last=True)
    model.train()

    def epoch() -> None:
        for images, labels in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images.to(device)), labels.to(device))
            loss.backward()
            optimizer.step()
            loss.item()

    epoch()
    seconds = statistics.median(timed(epoch, str(device)) for _ in range(repeats))
    return len(loader) * batch / seconds


def vit_steps(
    device: str, name: str, only: str, batch: int, steps: int, repeats: int, workers: int, compile: bool,
    tops: dict[str, float],
) -> list[dict[str, Any]]:  # fmt: skip
    found = []
    with own_random_stream(0):
        backbone = vpcore.load_backbone(name, pretrained=False).to(device)
    size, count = backbone.spec.image_size, 4 * batch
    draw = torch.Generator().manual_seed(0)
    images = torch.randint(256, (count, 3, size, size), generator=draw, dtype=torch.uint8)
    split = vpcore.Split(images, torch.randint(100, (count,), generator=draw)).to(device)
    for method, make in methods(backbone, images[:8]):
        if only != "all" and method not in only.split(","):
            continue
        model = make().to(device)
        work = step_flops(model, split.batch(slice(0, 2), torch.device(device))) // 2
        title = f"{name.removesuffix('_224')} {method}"
        forget_peak(device)
        usual = usual_rate(model, split, batch, workers, repeats)
        found.append(line(title, f"usual, {workers} workers", usual, usual, work, tops["float32"], memory_now(device)))
        for way in ways(device, compile):
            model = make().to(device)
            forget_peak(device)
            try:
                rate = step_rate(model, split, way, batch, steps, repeats)
            except ValueError as error:
                print(f"{title:26s} vpcore {way}: {error}")
                continue
            found.append(line(title, f"vpcore {way}", rate, usual, work, tops[way.precision], memory_now(device)))
    return found

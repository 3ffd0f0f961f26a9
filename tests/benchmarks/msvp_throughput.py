"""Training images a second, this library against the usual loop, for each network of the MSVP paper.

The usual loop is a DataLoader whose worker processes run PIL transforms, default memory layout, float32, Adam,
`loss.item()` each step. Both train the network with an MSVP prompt on the same number of images in batches of 128.
Repeats take turns, so that other load on the machine hits both; medians are compared.

    python tests/benchmarks/msvp_throughput.py --networks simple_cnn --size 28 --repeats 3
    python tests/benchmarks/msvp_throughput.py --bf16          # the library in bfloat16 against the usual float32
    python tests/benchmarks/msvp_throughput.py --device cuda --workers 2,8
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Annotated

import torch
import typer
from rows import row, say
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

import vpcore
from vpcore.data.augment import paper_augment
from vpcore.experiments.runs.machine import hardware

SETS = {28: ("mnist", 1), 32: ("cifar10", 3)}  # side: recipe of the augmentation, channels
NETWORKS = "simple_cnn,resnet18_small,vit_tiny_small"
BATCH, LR, DECAY = 128, 1e-3, 1e-4
BARS = {"simple_cnn": 1.15, "resnet18_small": 1.15, "vit_tiny_small": 1.0}  # in float32 on a CPU
GPU_BAR = 10.0


class PilImages(Dataset):
    """Images as PIL pictures with the paper's transforms, as published training code has them."""

    def __init__(self, split: vpcore.Split, size: int) -> None:
        from PIL import Image
        from torchvision import transforms as T

        arrays = split.images.permute(0, 2, 3, 1).numpy()
        grey = arrays.shape[-1] == 1
        self.pictures = [Image.fromarray(array[:, :, 0] if grey else array) for array in arrays]
        self.labels = split.labels.tolist()
        turn = T.RandomRotation(10) if grey else T.RandomHorizontalFlip()
        half = (0.5,) * arrays.shape[-1]
        self.transform = T.Compose([T.RandomCrop(size, padding=4), turn, T.ToTensor(), T.Normalize(half, half)])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(self.pictures[index]), self.labels[index]


class UsualNet(nn.Module):
    """The same network and prompt for images that are normalized already."""

    def __init__(self, model: vpcore.Prompted) -> None:
        super().__init__()
        self.prompt, self.backbone, self.head = model.prompt, model.backbone, model.head

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.backbone(self.prompt.image(images, None)))


def build(name: str, size: int) -> vpcore.Prompted:
    backbone = vpcore.load_backbone(name, image_size=size, in_chans=SETS[size][1], pretrained=False)
    head = vpcore.LinearHead(backbone.spec.dim, 10)
    return vpcore.Prompted(backbone, vpcore.MultiScalePrompt(backbone.spec), head, train_backbone=True)


def usual_loop(name: str, size: int, split: vpcore.Split, device: str, workers: int) -> Callable[[], float]:
    """Return a function that trains one epoch and returns its seconds, worker start-up included as in every epoch."""
    model = UsualNet(build(name, size)).to(device).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=LR, weight_decay=DECAY)
    loader = DataLoader(
        PilImages(split, size), BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0
    )

    def epoch() -> float:
        began = time.perf_counter()
        total = 0.0
        for images, labels in loader:
            images, labels = images.to(device), labels.to(device)
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            total += loss.item()
        return time.perf_counter() - began

    return epoch


def this_library(name: str, size: int, split: vpcore.Split, device: str, precision: str) -> Callable[[], float]:
    """Return a function that trains one epoch with `vpcore.fit`; validation, one image, is part of the time."""
    model, augment = build(name, size), paper_augment(SETS[size][0])
    valid = split.take([0])

    def epoch() -> float:
        began = time.perf_counter()
        vpcore.fit(
            model, split, valid, epochs=1, lr=LR, weight_decay=DECAY, batch_size=BATCH, optimizer="adam",
            augment=augment, precision=precision, device=device,
        )  # fmt: skip
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        return time.perf_counter() - began

    return epoch


def random_split(count: int, size: int) -> vpcore.Split:
    draw = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, SETS[size][1], size, size), generator=draw, dtype=torch.uint8)
    return vpcore.Split(images, torch.randint(0, 10, (count,), generator=draw))


def main(
    networks: Annotated[str, typer.Option(help="Networks, with commas between.")] = NETWORKS,
    size: Annotated[str, typer.Option(help="28 (grey) or 32 (color), or both.")] = "28",
    images: Annotated[int, typer.Option(help="Training images an epoch.")] = 1024,
    repeats: Annotated[int, typer.Option(help="Epochs of each, after one to warm up.")] = 5,
    workers: Annotated[str, typer.Option(help="Worker processes of the usual loop.")] = "2",
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    bf16: Annotated[bool, typer.Option("--bf16", help="The library in bfloat16 too.")] = False,
) -> None:
    """Print images a second and the ratio to the usual loop, one line a network, size and contestant."""
    print(f"{hardware(device)}  torch {torch.__version__}  {images} images, batch {BATCH}, {repeats} repeats in turns")
    lines = []
    for side in map(int, size.split(",")):
        split = random_split(images, side)
        for name in networks.split(","):
            runs = {f"usual, {w} workers": usual_loop(name, side, split, device, int(w)) for w in workers.split(",")}
            usual = list(runs)
            for precision in ("float32", "bfloat16") if bf16 else ("float32",):
                runs[f"vpcore {precision}"] = this_library(name, side, split, device, precision)
            found = report(f"{name} {side} px", runs, usual, images, repeats)
            what = f"{images:,} training images, {name} {side} px, {hardware(device)['gpu'] or 'CPU'}"
            bar = GPU_BAR if device.startswith("cuda") else BARS[name]
            lines += [
                row(f"{what}, {label}", seconds, ratios, "the usual loop", bar if label == "vpcore float32" else None)
                for label, (seconds, ratios) in found.items()
                if label not in usual
            ]
    say(lines)


def report(
    title: str, runs: dict[str, Callable[[], float]], usual: list[str], images: int, repeats: int
) -> dict[str, tuple[float, list[float]]]:
    """Time the contestants in turns; returns the median seconds of each, and its ratios to the fastest usual loop."""
    for run in runs.values():
        run()  # warm up: worker start, kernel choice
    seconds: dict[str, list[float]] = {label: [] for label in runs}
    for _ in range(repeats):
        for label, run in runs.items():
            seconds[label].append(run())
    found = {}
    for label, times in seconds.items():
        ratios = [[b / t for b, t in zip(seconds[base], times, strict=True)] for base in usual]
        shown = "  ".join(f"× {statistics.median(each):.2f}" for each in ratios)
        rate = images / statistics.median(times)
        found[label] = (statistics.median(times), min(ratios, key=statistics.median))
        print(
            f"{title:24s} {label:18s} {rate:9.1f} images/s  {shown}  seconds {[round(t, 2) for t in times]}", flush=True
        )
    return found


if __name__ == "__main__":
    typer.run(main)

"""Five seeds at once against five runs, and against one: seconds of training, taking turns; medians count.

OMP_NUM_THREADS=1 python tests/benchmarks/seeds.py
python tests/benchmarks/seeds.py --device cuda --images 10000 --batch 128 --networks vit_nano,resnet_nano
python tests/benchmarks/seeds.py --device cuda --images 10000 --batch 128 --cuda-graph
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from typing import Annotated

import torch
import typer
from rows import row, say

import vpcore
from vpcore.experiments.runs.machine import hardware


def build(backbone: vpcore.Backbone, prompt: str, seed: int) -> vpcore.Prompted:
    made = vpcore.PROMPTS[prompt](backbone.spec, seed=seed)
    return vpcore.Prompted(backbone, made, vpcore.LinearHead(backbone.spec.dim, 10, seed=seed))


def timed(run: Callable[[], object], device: str) -> float:
    cuda = device.startswith("cuda")
    clock = time.perf_counter if cuda else time.process_time  # other load is not in a process's own time
    began = clock()
    run()
    if cuda:
        torch.cuda.synchronize()
    return clock() - began


def one_round(runs: dict[str, Callable[[], object]], order: random.Random, device: str) -> dict[str, float]:
    """Time each contestant once, in an order of its own."""
    return {label: timed(runs[label], device) for label in order.sample([*runs], len(runs))}


def contestants(name: str, prompt: str, split: vpcore.Split, count: int, device: str, **given):
    backbone, valid = vpcore.load_backbone(name, pretrained=False).to(device), split.take([0])
    options = {"epochs": 1, "lr": 1e-3, "device": device, "precision": "float32", **given}

    def one(seed: int) -> None:
        vpcore.fit(build(backbone, prompt, seed), split, valid, seed=seed, **options)

    def together() -> None:
        models = [build(backbone, prompt, seed) for seed in range(count)]
        vpcore.fit_seeds(models, split, valid, seeds=range(count), **options)

    return {"one run": lambda: one(0), "runs in turn": lambda: [one(s) for s in range(count)], "together": together}


def main(
    networks: Annotated[str, typer.Option(help="Backbones, with commas between.")] = "vit_nano,resnet_nano",
    prompt: Annotated[str, typer.Option(help="A method.")] = "multiscale",
    images: Annotated[int, typer.Option(help="Training images an epoch.")] = 512,
    batch: Annotated[int, typer.Option(help="Images a step and a seed.")] = 64,
    seeds: Annotated[int, typer.Option(help="How many.")] = 5,
    repeats: Annotated[int, typer.Option(help="Rounds, after one to warm up.")] = 25,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    cuda_graph: Annotated[bool, typer.Option(help="All contestants record and replay their steps.")] = False,
) -> None:
    """Print seconds and ratios; the bars are no slower than the runs in turn, and on a GPU 1.5 times one run."""
    print(f"{hardware(device)}  torch {torch.__version__}  {images} images, batch {batch}, {seeds} seeds, {prompt}")
    lines = []
    for name in networks.split(","):
        size = vpcore.load_backbone(name, pretrained=False).spec.image_size
        draw = torch.Generator().manual_seed(0)
        pixels = torch.randint(256, (images, 3, size, size), generator=draw, dtype=torch.uint8)
        split = vpcore.Split(pixels, torch.randint(10, (images,), generator=draw))
        runs = contestants(name, prompt, split, seeds, device, batch_size=batch, cuda_graph=cuda_graph)
        order = random.Random(0)
        rounds = [one_round(runs, order, device) for _ in range(repeats + 1)][1:]
        middle = {label: statistics.median(each[label] for each in rounds) for label in runs}
        shown = "  ".join(f"{label} {value:.3f} s" for label, value in middle.items())
        turn, one = ([r[label] / r["together"] for r in rounds] for label in ("runs in turn", "one run"))
        shares = [1 / statistics.median(ratios) for ratios in (turn, one)]
        print(f"{name:12} {shown}  together: {shares[0]:.2f} of the runs in turn, {shares[1]:.2f} of one run")
        what = f"{seeds} seeds at once, {name}, batch {batch}, {hardware(device)['gpu'] or 'CPU'}"
        what += ", CUDA graphs" if cuda_graph else ""
        cuda = device.startswith("cuda")
        lines.append(row(what, middle["together"], turn, f"{seeds} runs in turn", None if cuda else 1.0))
        lines.append(row(what, middle["together"], one, "one run", 1 / 1.5 if cuda and "nano" in name else None))
    say(lines)


if __name__ == "__main__":
    typer.run(main)

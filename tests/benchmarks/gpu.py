"""How fast training is on a GPU, against the usual loop and against what the card could do.

Part one: the three networks of the MSVP paper with its prompt, images a second of whole epochs. Part two: one training
step of every method on ViT-B/16 at 224 pixels, frozen or tuned. The usual loop is a DataLoader whose worker processes
run PIL transforms, in float32, without anything below. Contestants take turns, and medians count.

The share of the roofline is counted operations (`vpcore.flops`) a second over the card's peak in that precision, from
the table below or else measured by one large matrix product. In float32 cuDNN may use TF32 for convolutions: then a
share of the float32 peak says little.

    python tests/benchmarks/gpu.py                                # on a GPU
    python tests/benchmarks/gpu.py --device cpu --small           # whether it runs at all
"""

from __future__ import annotations

from typing import Annotated

import torch
import typer
from contest import peak, ways
from gpu_epochs import msvp
from gpu_steps import vit_steps
from rows import say

from vpcore.experiments.runs.machine import hardware


def main(
    device: Annotated[str, typer.Option(help="cuda or cpu.")] = "cuda",
    small: Annotated[bool, typer.Option("--small", help="A few tiny steps, to see that it runs.")] = False,
    part: Annotated[str, typer.Option(help="msvp, vit or both.")] = "both",
    only: Annotated[str, typer.Option(help="Methods of part two, as: multiscale,lora tuning.")] = "all",
    images: Annotated[int, typer.Option(help="Training images an epoch of part one.")] = 20_000,
    batch: Annotated[int, typer.Option(help="Images a step of part two.")] = 64,
    steps: Annotated[int, typer.Option(help="Timed steps of part two, at a time.")] = 10,
    repeats: Annotated[int, typer.Option(help="How often each is timed.")] = 3,
    workers: Annotated[str, typer.Option(help="Worker processes of the usual loop; the best count is compared.")] = "8",
    compile: Annotated[bool, typer.Option("--compile", help="With torch.compile too.")] = False,
) -> None:
    """Print images a second, times the usual loop, share of the roofline and peak memory, one line a contestant."""
    counts = [0] if small else [int(each) for each in workers.split(",")]
    if small:
        images, batch, steps, repeats = 128, 4, 1, 1  # one batch of part one
    print(f"{hardware(device)}  torch {torch.__version__}")
    tops = {}
    for precision in {way.precision for way in ways(device, False)}:
        tops[precision], source = peak(device, precision, small)
        print(f"peak {precision}: {tops[precision] / 1e12:.2f}e12 operations a second ({source})", flush=True)
    lines = []
    if part in ("msvp", "both"):
        lines += msvp(device, images, repeats, counts, compile, tops)
    if part in ("vit", "both"):
        name = "vit_nano" if small else "vit_base_patch16_224"
        lines += vit_steps(device, name, only, batch, steps, repeats, max(counts), compile, tops)
    say(lines)


if __name__ == "__main__":
    typer.run(main)

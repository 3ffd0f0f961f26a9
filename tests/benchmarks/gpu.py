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

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated

import torch
import typer
from msvp_throughput import NETWORKS, PilImages, build, random_split, this_library, usual_loop
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

import vpcore
from vpcore.flops import step_flops
from vpcore.grid.runlog import hardware
from vpcore.models.scratch import seeded
from vpcore.speed import peak_memory
from vpcore.train import cross_entropy
from vpcore.train.optim import make_optimizer
from vpcore.train.runstate import start_run
from vpcore.train.steps import Speedups, Step, speedups

PEAKS = {  # dense operations a second: NVIDIA's data sheets (tensor-core figures given with sparsity are halved)
    "H100 80GB HBM3": {"float32": 67e12, "half": 989e12},
    "H200": {"float32": 67e12, "half": 989e12},
    "A100": {"float32": 19.5e12, "half": 312e12},
    "NVIDIA L4": {"float32": 30.3e12, "half": 121e12},
    "Tesla T4": {"float32": 8.1e12, "half": 65e12},
}
WARM_UP = 8  # steps: kernels, compiler, recording


@dataclass(frozen=True)
class Way:
    """How this library trains."""

    precision: str
    wanted: Speedups

    def __str__(self) -> str:
        return " + ".join([self.precision, *(name for name, on in vars(self.wanted).items() if on)])


def ways(device: str, compile: bool) -> list[Way]:
    cuda = device.startswith("cuda")
    half = "bfloat16" if not cuda or torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
    found = [Way("float32", Speedups()), Way(half, Speedups())]
    if cuda and half == "bfloat16":
        found.append(Way(half, Speedups(cuda_graph=True)))
    if compile:
        found.append(Way(half, Speedups(compile=True, cuda_graph=cuda and half == "bfloat16")))
    return found


def peak(device: str, precision: str, small: bool) -> tuple[float, str]:
    """Return operations a second, and where the number comes from."""
    kind = "float32" if precision == "float32" else "half"
    if device.startswith("cuda"):
        card = torch.cuda.get_device_name(device)
        for name, rates in PEAKS.items():
            if name in card:
                return rates[kind], "data sheet"
    size, dtype = 512 if small else 8192, getattr(torch, precision)
    a, b = (torch.rand(size, size, device=device).to(dtype) for _ in range(2))
    seconds = [timed(lambda: a @ b, device) for _ in range(6)]
    return 2 * size**3 / min(seconds[1:]), f"measured, {size}-wide product"


def timed(run: Callable[[], object], device: str) -> float:
    wait(device)
    began = time.perf_counter()
    run()
    wait(device)
    return time.perf_counter() - began


def wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def forget_peak(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)


def line(title: str, label: str, rate: float, usual: float | None, work: int, device: str, top: float) -> None:
    """Print images a second, times the usual loop, share of the roofline and peak memory."""
    memory, kind = peak_memory(torch.device(device))
    shown = "" if memory is None else f"{memory / 2**20:9,.0f} MiB {kind}"
    times = f"× {rate / usual:6.2f}" if usual else " " * 8
    share = f"{rate * work / top:7.2%} of the peak"
    print(f"{title:26s} {label:34s} {rate:11,.1f} images/s  {times}  {share}  {shown}", flush=True)


# --- part one: whole epochs of the MSVP paper's networks -----------------------------------------------------------


def msvp(device: str, images: int, repeats: int, workers: list[int], compile: bool, tops: dict[str, float]) -> None:
    split = random_split(images, 32)
    for name in NETWORKS.split(","):
        work = step_flops(build(name, 32), torch.zeros(2, 3, 32, 32)) // 2
        runs = {f"usual, {w} workers": (usual_loop(name, 32, split, device, w), "float32") for w in workers}
        for way in ways(device, compile):
            runs[f"vpcore {way}"] = (faster(this_library(name, 32, split, device, way.precision), way), way.precision)
        memory = {}
        for label, (run, _) in runs.items():  # warm up, and see each one's memory
            forget_peak(device)
            run()
            memory[label] = peak_memory(torch.device(device))[0]
        seconds: dict[str, list[float]] = {label: [] for label in runs}
        for _ in range(repeats):
            for label, (run, _) in runs.items():
                seconds[label].append(run())
        rates = {label: images / statistics.median(times) for label, times in seconds.items()}
        usual = max(rates[f"usual, {w} workers"] for w in workers)
        for label, (_, precision) in runs.items():
            held = "" if memory[label] is None else f"{memory[label] / 2**20:9,.0f} MiB"
            share = f"{rates[label] * work / tops[precision]:7.2%} of the peak"
            shown = f"{rates[label]:11,.1f} images/s  × {rates[label] / usual:6.2f}  {share}  {held}"
            print(f"{name + ' 32 px':26s} {label:34s} {shown}", flush=True)


def faster(run: Callable[[], float], way: Way) -> Callable[[], float]:
    def inside() -> float:
        with speedups(way.wanted.compile, way.wanted.cuda_graph):
            return run()

    return inside


# --- part two: one step of every method on a ViT -------------------------------------------------------------------


def methods(backbone: vpcore.Backbone, images: torch.Tensor) -> Iterator[tuple[str, Callable[[], vpcore.Prompted]]]:
    spec = backbone.spec

    def prompted(prompt: vpcore.Prompt, tuning: vpcore.Tuning | None = None) -> vpcore.Prompted:
        return vpcore.Prompted(backbone, prompt, vpcore.LinearHead(spec.dim, 100), tuning=tuning)

    for name, make in vpcore.PROMPTS.items():
        yield name, lambda make=make: prompted(make(spec).prepare(backbone, images))
    for name, tune in vpcore.TUNINGS.items():
        yield f"{name} tuning", lambda tune=tune: prompted(vpcore.NoPrompt(spec), tune(backbone))


def step_rate(model: nn.Module, split: vpcore.Split, way: Way, batch: int, steps: int, repeats: int) -> float:
    """Return images a second of steps as `fit` takes them, batches gathered from uint8 images on the device."""
    device = split.images.device
    state = start_run(model, make_optimizer(model, "adamw", 1e-3, 0.0), 0, device, way.precision)
    step_on, order = Step(state, cross_entropy, way.precision, batch, way.wanted), torch.Generator().manual_seed(0)
    model.train()

    def run(count: int) -> None:
        for _ in range(count):
            index = torch.randperm(len(split), generator=order)[:batch].to(device)
            step_on(model, split.batch(index, device), split.labels[index], 1.0)

    run(WARM_UP)
    return batch * steps / statistics.median(timed(lambda: run(steps), str(device)) for _ in range(repeats))


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
) -> None:  # fmt: skip
    with seeded(0):
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
        line(title, f"usual, {workers} workers", usual, usual, work, device, tops["float32"])
        for way in ways(device, compile):
            model = make().to(device)
            forget_peak(device)
            try:
                rate = step_rate(model, split, way, batch, steps, repeats)
            except ValueError as error:
                print(f"{title:26s} vpcore {way}: {error}")
                continue
            line(title, f"vpcore {way}", rate, usual, work, device, tops[way.precision])


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
    if part in ("msvp", "both"):
        msvp(device, images, repeats, counts, compile, tops)
    if part in ("vit", "both"):
        name = "vit_nano" if small else "vit_base_patch16_224"
        vit_steps(device, name, only, batch, steps, repeats, max(counts), compile, tops)


if __name__ == "__main__":
    typer.run(main)

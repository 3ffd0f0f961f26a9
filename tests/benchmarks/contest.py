"""What the parts of `gpu.py` share: the ways to train, timing, the card's peak, and one printed line a contestant."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from rows import row

from vpcore.experiments.cost.cost import peak_memory
from vpcore.train.speedups import Speedups

PEAKS = {  # dense operations a second: NVIDIA's data sheets (tensor-core figures given with sparsity are halved)
    "H100 80GB HBM3": {"float32": 67e12, "half": 989e12},
    "H200": {"float32": 67e12, "half": 989e12},
    "A100": {"float32": 19.5e12, "half": 312e12},
    "NVIDIA L4": {"float32": 30.3e12, "half": 121e12},
    "Tesla T4": {"float32": 8.1e12, "half": 65e12},
}


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


def memory_now(device: str) -> int | None:
    """Return the peak number of bytes since `forget_peak`, or None where it is not measured."""
    return peak_memory(torch.device(device))[0]


def line(
    title: str, label: str, rate: float, usual: float, work: int, top: float, memory: int | None
) -> dict[str, Any]:
    """Print images a second, times the usual loop, share of the roofline and peak memory; returns the record's line.

    Args:
        title: network or method.
        label: how it was trained.
        rate: images a second.
        usual: images a second of the usual loop.
        work: operations an image.
        top: operations a second that the card could do.
        memory: bytes at the peak.
    """
    held = "" if memory is None else f"{memory / 2**20:9,.0f} MiB"
    share = f"{rate * work / top:7.2%} of the peak"
    print(f"{title:26s} {label:34s} {rate:11,.1f} images/s  × {rate / usual:6.2f}  {share}  {held}", flush=True)
    facts = {"share_of_peak": round(rate * work / top, 4), "peak_bytes": memory}
    return row(f"1,000 images, {title}, {label}", 1000 / rate, rate / usual, "the usual loop") | facts

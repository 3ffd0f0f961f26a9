"""Part one of `gpu.py`: images a second of whole epochs of the MSVP paper's three networks."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

import torch
from contest import Way, forget_peak, line, memory_now, ways
from msvp_throughput import GPU_BAR, NETWORKS, build, random_split, this_library, usual_loop

from vpcore.flops import step_flops
from vpcore.train.speedups import speedups


def msvp(
    device: str, images: int, repeats: int, workers: list[int], compile: bool, tops: dict[str, float]
) -> list[dict[str, Any]]:
    found = []
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
            memory[label] = memory_now(device)
        seconds: dict[str, list[float]] = {label: [] for label in runs}
        for _ in range(repeats):
            for label, (run, _) in runs.items():
                seconds[label].append(run())
        rates = {label: images / statistics.median(times) for label, times in seconds.items()}
        usual = max(rates[f"usual, {w} workers"] for w in workers)
        rows = [
            line(f"{name} 32 px", label, rates[label], usual, work, tops[precision], memory[label])
            for label, (_, precision) in runs.items()
        ]
        if device.startswith("cuda"):
            max(rows, key=lambda row: row["ratio"])["bar"] = GPU_BAR
        found += rows
    return found


def faster(run: Callable[[], float], way: Way) -> Callable[[], float]:
    def inside() -> float:
        with speedups(way.wanted.compile, way.wanted.cuda_graph):
            return run()

    return inside

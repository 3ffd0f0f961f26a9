"""How fast a model runs and how much memory it takes, measured on the device it is on."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from vpcore.device import autocast
from vpcore.train.optim import make_optimizer


def inference_rate(
    model: nn.Module, images: Float[Tensor, "batch channels height width"], repeats: int, precision: str
) -> float:
    """Return images a second of forward passes in eval mode, the median of `repeats` after one that is thrown away."""
    model.eval()

    @torch.no_grad()
    def run() -> None:
        with autocast(precision, images.device):
            model(images)

    return _rate(run, images, repeats)


def training_rate(
    model: nn.Module, images: Float[Tensor, "batch channels height width"], repeats: int, precision: str
) -> float:
    """Return images a second of training steps, AdamW's update included; the model is trained by it."""
    labels = torch.zeros(len(images), dtype=torch.int64, device=images.device)
    optimizer = make_optimizer(model.train(), "adamw", 1e-3, 0.0)

    def run() -> None:
        with autocast(precision, images.device):
            loss = F.cross_entropy(model(images).float(), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return _rate(run, images, repeats)


def peak_memory(device: torch.device) -> tuple[int | None, str]:
    """Return a number of bytes, and what it is: since the last reset on CUDA, of the whole process on the CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device), "allocated by CUDA at the peak"
    if device.type != "cpu" or sys.platform == "win32":
        return None, "not measured"
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit, "largest resident set of the process"


def _rate(run: Callable[[], None], images: Tensor, repeats: int) -> float:
    seconds = []
    for _ in range(repeats + 1):
        _wait(images.device)
        began = time.perf_counter()
        run()
        _wait(images.device)
        seconds.append(time.perf_counter() - began)
    return len(images) / statistics.median(seconds[1:])


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)

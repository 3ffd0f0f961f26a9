"""What a model costs: numbers, floating-point operations, memory and time, measured on the device it is on."""

from __future__ import annotations

import copy
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from vpcore.count import Count, count
from vpcore.device import autocast, own_random_stream
from vpcore.flops import forward_flops, step_flops
from vpcore.prompted import Prompted
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


@dataclass(frozen=True)
class Cost:
    """What one model costs at one batch size on one device.

    Operations are per image, and a multiply-add is two of them; attention is counted, norms and activations are not.
    A training step is a forward and a backward pass. What cannot be measured is None: training of a model in which
    nothing learns, memory and speed of a model without numbers (device "meta").
    """

    parameters: Count
    batch_size: int
    device: str
    precision: str  # of the speeds and the memory
    forward_flops: int  # per image
    step_flops: int | None  # per image
    peak_memory: int | None  # bytes, of what `memory_kind` says
    memory_kind: str
    inference_rate: float | None  # images a second
    training_rate: float | None  # images a second, optimizer update included

    @property
    def learned_without_head(self) -> int:
        """Numbers that learn in prompt, tuning and backbone."""
        return self.parameters.learned - self.parameters.head

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of a forward pass, per image."""
        return self.forward_flops // 2


def cost(model: Prompted, batch_size: int = 64, *, repeats: int = 5, precision: str = "float32") -> Cost:
    """Measure a model on the device it is on, with random images; a copy runs, the model stays as it is.

    Speeds are medians of `repeats` steps after one that is thrown away; a training step includes AdamW's update. On
    CUDA the peak memory is what the copy and its training and inference steps allocate. On the CPU it is the largest
    resident set the whole process has had so far, libraries and other tensors included: compare fresh processes.

    Args:
        model: a prompt, a backbone and a head; on device "meta" only numbers and operations are counted.
        batch_size: images a step, at least 1.
        repeats: steps to time, at least 1.
        precision: "float32", "bfloat16" or "float16" (without loss scaling, for its speed only).

    Raises:
        ValueError: batch_size or repeats below 1.
    """
    if batch_size < 1 or repeats < 1:
        raise ValueError(f"batch_size and repeats must be at least 1, got {batch_size} and {repeats}")
    device, spec = model.mean.device, model.backbone.spec
    before = _start_memory(device)
    copied = copy.deepcopy(model)
    shape = (batch_size, spec.in_chans, *spec.size)
    with own_random_stream(0, device):
        images = torch.rand(shape, device=device)
        learns, runs = any(parameter.requires_grad for parameter in model.parameters()), device.type != "meta"
        training = training_rate(copied, images, repeats, precision) if learns and runs else None
        inference = inference_rate(copied, images, repeats, precision) if runs else None
        peak, kind = peak_memory(device)
        forward = forward_flops(copied, images) // batch_size
        step = step_flops(copied, images) // batch_size if learns else None
    peak = None if peak is None else peak - before
    return Cost(count(model), batch_size, str(device), precision, forward, step, peak, kind, inference, training)


def _start_memory(device: torch.device) -> int:
    """Forget earlier peaks, where a device can, and return the bytes that are taken already."""
    if device.type != "cuda":
        return 0
    torch.cuda.reset_peak_memory_stats(device)
    return torch.cuda.memory_allocated(device)

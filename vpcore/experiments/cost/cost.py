"""What a model costs: numbers, floating-point operations, memory and time."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch

from vpcore.count import Count, count
from vpcore.device import own_random_stream
from vpcore.experiments.cost.speed import inference_rate, peak_memory, training_rate
from vpcore.flops import forward_flops, step_flops
from vpcore.prompted import Prompted


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
    shape = (batch_size, spec.in_chans, spec.image_size, spec.image_size)
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

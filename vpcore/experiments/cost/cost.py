"""What a model costs: numbers, floating-point operations, memory and time. `python -m vpcore.cost table | measure`."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import torch
import typer

from vpcore.backbone import Backbone
from vpcore.count import Count, count
from vpcore.device import choose_device, own_random_stream
from vpcore.experiments.cost.speed import inference_rate, peak_memory, training_rate
from vpcore.flops import forward_flops, step_flops
from vpcore.heads.linear import LinearHead
from vpcore.models import load_backbone
from vpcore.prompted import Prompted
from vpcore.prompts import PROMPTS, ClusterPrompt

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


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

    def __str__(self) -> str:
        step = "-" if self.step_flops is None else f"{self.step_flops / 1e9:.4g}"
        memory = "-" if self.peak_memory is None else f"{self.peak_memory / 2**20:,.0f} MiB"
        rates = ["-" if rate is None else f"{rate:,.1f}" for rate in (self.training_rate, self.inference_rate)]
        return (
            f"learned {self.learned_without_head:,} + head {self.parameters.head:,}; GFLOPs an image: forward "
            f"{self.forward_flops / 1e9:.4g}, training step {step}; images/s: training {rates[0]}, inference "
            f"{rates[1]}; {memory} {self.memory_kind} (batch {self.batch_size}, {self.precision}, {self.device})"
        )


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


def method_costs(
    backbone: Backbone, num_classes: int = 10, batch_size: int = 64, repeats: int = 5, precision: str = "float32"
) -> Iterator[tuple[str, Cost | str]]:
    """Measure every prompt method with its default options and a linear head; yields its name and its cost.

    Where a method does not fit the backbone, the reason stands in the place of the cost.
    """
    spec, device = backbone.spec, next(backbone.parameters()).device
    for name, build in PROMPTS.items():
        try:
            prompt = build(spec)
        except ValueError as error:
            yield name, str(error)
            continue
        if isinstance(prompt, ClusterPrompt):
            draw = torch.Generator().manual_seed(0)
            size = (8 * len(prompt.centers), spec.in_chans, spec.image_size, spec.image_size)
            prompt.prepare(backbone, torch.randint(256, size, generator=draw, dtype=torch.uint8))
        model = Prompted(backbone, prompt, LinearHead(spec.dim, num_classes)).to(device)
        yield name, cost(model, batch_size, repeats=repeats, precision=precision)


@app.command()
def table() -> None:
    """Print the published counts beside ours; the exit code is 1 if one differs."""
    from vpcore.experiments.cost.count_table import count_rows, format_rows

    rows = count_rows()
    wrong = sum(not row.agrees for row in rows)
    typer.echo(f"{format_rows(rows)}\n{len(rows)} rows, {wrong} of them with a count that differs")
    raise typer.Exit(1 if wrong else 0)


@app.command()
def measure(
    backbone: Annotated[str, typer.Option(help="Its name; it gets fresh weights.")] = "vit_nano",
    batch_size: Annotated[int, typer.Option(help="Images a step.")] = 64,
    repeats: Annotated[int, typer.Option(help="Timed steps; the median counts.")] = 5,
    classes: Annotated[int, typer.Option(help="Classes of the linear head.")] = 10,
    precision: Annotated[str, typer.Option(help="float32, bfloat16 or float16.")] = "float32",
    device: Annotated[str | None, typer.Option(help="cpu or cuda; by default CUDA if there is one.")] = None,
) -> None:
    """Measure every prompt method on one backbone, one line each."""
    try:
        net = load_backbone(backbone, pretrained=False).to(choose_device(device))
        for name, found in method_costs(net, classes, batch_size, repeats, precision):
            typer.echo(f"{name:15} {found}")
    except ValueError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error

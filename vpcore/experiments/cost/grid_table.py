"""What a training step of each method of a grid costs: one row a method and backbone."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from vpcore.backbone import Backbone
from vpcore.device import choose_device, choose_precision
from vpcore.experiments.cost.cost import Cost, cost
from vpcore.experiments.grid.cell import Cell
from vpcore.experiments.grid.train_cell import build_method, width_option
from vpcore.experiments.names.backbones import fresh_backbone
from vpcore.prompted import Prompted

IMAGES = 64  # random ones, which a prompt may prepare with
MEASURED = ("learned", "GFLOPs forward", "GFLOPs a step", "MiB", "images/s")
HEAD = ("backbone", "method", *MEASURED, "of the first row's time")
NOTE = """\
One training step, fresh weights and random images: neither changes the cost. GFLOPs are per image. Layers below a
prompt that could run once and be cached are counted in full. MiB: {kind}."""


def cost_table(
    cells: Sequence[Cell],
    device: str | None = None,
    repeats: int = 5,
    num_classes: int = 10,
    skip_misfits: bool = False,
) -> str:
    """Measure each method of these cells on each of their backbones, and write a table.

    Args:
        cells: backbone, method, batch size, precision and image size count; data, rates and seeds do not.
        device: as in `fit`.
        repeats: timed steps; the median counts.
        num_classes: of the head.
        skip_misfits: leave out methods that do not fit their backbone, and name them below.

    Raises:
        ValueError: a method does not fit its backbone, or there is no such backbone.
    """
    where, rows, first, kind, misfits = choose_device(device), [], {}, "", []
    for cell in {(c.backbone, c.prompt, c.batch_size, c.precision, c.image_size): c for c in cells}.values():
        backbone = fresh_backbone(cell.backbone, cell.image_size, **width_option(cell))
        try:
            model = _model(cell, backbone, num_classes).to(where)
        except ValueError as error:
            if not skip_misfits:
                raise
            misfits.append(f"left out: {error}")
            continue
        found = cost(model, cell.batch_size, repeats=repeats, precision=choose_precision(cell.precision, where))
        rate = found.training_rate
        start = first.setdefault(cell.backbone, rate)
        rows.append((cell.backbone, cell.prompt, *_numbers(found), f"{start / rate:.2f}" if start and rate else "-"))
        kind = found.memory_kind
    widths = [max(map(len, column)) for column in zip(HEAD, *rows, strict=True)]
    lines = [HEAD, ["-" * width for width in widths], *rows]
    text = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    return "\n".join([*text, NOTE.format(kind=kind), *misfits])


def _model(cell: Cell, backbone: Backbone, num_classes: int) -> Prompted:
    spec, draw = backbone.spec, torch.Generator().manual_seed(0)
    size = (IMAGES, spec.in_chans, *spec.size)
    images = torch.randint(256, size, generator=draw, dtype=torch.uint8)
    return build_method(cell, backbone, images, num_classes, seed=0)


def _numbers(found: Cost) -> tuple[str, ...]:
    step = "-" if found.step_flops is None else f"{found.step_flops / 1e9:.4g}"
    memory = "-" if found.peak_memory is None else f"{found.peak_memory / 2**20:,.0f}"
    rate = "-" if found.training_rate is None else f"{found.training_rate:,.1f}"
    return f"{found.learned_without_head:,}", f"{found.forward_flops / 1e9:.4g}", step, memory, rate

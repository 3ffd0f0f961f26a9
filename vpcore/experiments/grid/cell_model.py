"""The model of a cell from its backbone; what does not fit is one sentence."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from vpcore.backbone import Backbone
from vpcore.experiments.grid.cell import Cell
from vpcore.experiments.names.backbones import SCRATCH
from vpcore.experiments.names.methods import build_head, build_prompted, method_options
from vpcore.experiments.names.named import read_named
from vpcore.prompted import Prompted


def width_option(cell: Cell) -> dict[str, Any]:
    """Return the width of a cell as its backbone takes it.

    Raises:
        ValueError: a width for another network than simple_cnn.
    """
    if cell.width is None:
        return {}
    if cell.backbone != "simple_cnn":
        raise ValueError(f"width belongs to simple_cnn, got it for {cell.backbone}: leave it out")
    return {"width": cell.width}


def build_method(cell: Cell, backbone: Backbone, images: Tensor, num_classes: int, seed: int) -> Prompted:
    """Build the method of a cell on its backbone.

    Args:
        cell: says which method, and what is trained.
        backbone: of the cell.
        images: as in `build_prompted`.
        num_classes: of the head.
        seed: of the head and of what the method draws.

    Raises:
        ValueError: an option is out of range or of the wrong kind, or the method does not fit this backbone.
    """
    train = cell.backbone in SCRATCH if cell.train_backbone is None else cell.train_backbone

    def head(dim: int) -> nn.Module:
        return build_head(cell.prompt, dim, num_classes, seed)

    try:
        return build_prompted(cell.prompt, backbone, images, head, seed, train)
    except (TypeError, IndexError) as error:
        raise ValueError(_wrong_kind(cell.prompt, error)) from error


def _wrong_kind(prompt: str, error: Exception) -> str:
    """Say what a method's options are, where one that was given cannot be used."""
    name = read_named(prompt)[0]
    takes = ", ".join(str(option).partition(" =")[0] for option in method_options(name).values()) or "no option"
    takes = takes.replace("'", "")  # annotations are texts
    reason = str(error).partition("\n")[0][:120]
    return f"{prompt}: an option has a value of the wrong kind ({reason}): {name} takes {takes}"

"""A running average of a model's weights, which generalizes better than the last step's."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from vpcore.backbone import Backbone
from vpcore.prompted import Prompted
from vpcore.tensorfile import read_tensors, write_tensors

OLD = "average/"  # where checkpoints held the average before it was torch's


class Averaged(nn.Module):
    """A model and the running average of its weights: trains the first, is judged by the second.

    The average moves slower as training goes on: at update n it keeps (1 + n) / (10 + n) of itself, at most `decay`.

    Args:
        net: what is trained.
        decay: largest share of the average kept at an update, 0 … 1.
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        super().__init__()

        def mixed(mean: Tensor, now: Tensor, updates: Tensor | int) -> Tensor:
            kept = min(decay, float((2 + updates) / (11 + updates)))
            return mean.lerp(now, 1 - kept) if mean.is_floating_point() else now

        self.net = net
        self.average = AveragedModel(net, avg_fn=mixed, use_buffers=True).requires_grad_(False)

    def update(self) -> None:
        """Move the average toward the present weights."""
        self.average.update_parameters(self.net)

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """Return logits: the model's own in training mode, the average's in eval mode."""
        return self.net(images) if self.training else self.average(images)


def averaged_backbone(model: Averaged) -> Backbone:
    """Return the averaged weights as a frozen backbone that keeps its classifier."""
    net = cast(Prompted, copy.deepcopy(model.average.module).cpu())
    net.backbone.classifier = net.head
    return net.backbone.freeze()


def renew(checkpoint: Path) -> None:
    """Rename the average in a checkpoint from before it was torch's; any other file stays as it is.

    Raises:
        OSError: the folder cannot be written to, or the disk is full.
        ValueError: the file is damaged.
    """
    tensors, metadata = read_tensors(checkpoint)
    if not any(name.startswith(f"model/{OLD}") for name in tensors):
        return
    renamed = {}
    for name, tensor in tensors.items():
        part, _, rest = name.partition("/")
        if part in ("model", "best") and rest.startswith(OLD):
            name = f"{part}/average.module.{rest.removeprefix(OLD).replace('/', '.')}"
        elif name in ("model/updates", "best/updates"):
            name, tensor = f"{part}/average.n_averaged", tensor.to(torch.int64)
        renamed[name] = tensor
    write_tensors(checkpoint, renamed, metadata)

"""A running average of a model's weights, which generalizes better than the last step's."""

from __future__ import annotations

import copy
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from vpcore.backbone import Backbone
from vpcore.prompted import Prompted


class Averaged(nn.Module):
    """A model and the running average of its weights: trains the first, is judged by the second."""

    def __init__(self, net: nn.Module, decay: float) -> None:
        super().__init__()
        self.net, self.decay = net, decay
        for name, tensor in net.state_dict().items():
            if isinstance(tensor, Tensor):
                self.register_buffer(self._key(name), tensor.detach().clone())
        self.register_buffer("updates", torch.zeros(()))

    @staticmethod
    def _key(name: str) -> str:
        return "average/" + name.replace(".", "/")

    def average(self) -> dict[str, Tensor]:
        """Return the averaged weights under the model's own names."""
        names = [name for name, tensor in self.net.state_dict().items() if isinstance(tensor, Tensor)]
        return {name: self._buffers[self._key(name)] for name in names}  # type: ignore[misc]

    @torch.no_grad()
    def update(self) -> None:
        """Move the average toward the present weights; slower as training goes on."""
        self.updates += 1  # type: ignore[operator]
        share = 1 - min(self.decay, float((1 + self.updates) / (10 + self.updates)))
        now = self.net.state_dict()
        for name, mean in self.average().items():
            mean.lerp_(now[name], share) if mean.is_floating_point() else mean.copy_(now[name])

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """Return logits: the model's own in training mode, the average's in eval mode."""
        return self.net(images) if self.training else functional_call(self.net, self.average(), (images,))


def averaged_backbone(model: Averaged) -> Backbone:
    """Return the averaged weights as a frozen backbone that keeps its classifier."""
    net = cast(Prompted, copy.deepcopy(model.net).cpu())
    net.load_state_dict(model.average(), strict=False)
    backbone = net.backbone
    backbone.classifier = net.head
    return backbone.freeze()

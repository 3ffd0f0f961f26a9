"""What every tuning baseline is: small learned tensors, and the backbone weights they make."""

from __future__ import annotations

import copy
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from vpcore.backbone import Backbone, Edit
from vpcore.built import Built


class Tuning(Built, nn.Module):
    """Base class of the baselines that change weights; the backbone's own weights are never written to.

    A method overrides `weights`. The backbone stays frozen and in eval mode: batch-norm statistics do not move, and
    dropout stays off, which published fine-tuning often has on. Compose it with a prompt and a head by
    `Prompted(backbone, prompt, head, tuning=...)`.

    Args:
        backbone: the network to tune; it is read, not kept.
        names: the backbone parameters that this method replaces.

    Raises:
        ValueError: no such parameter in this backbone.
    """

    def __init__(self, backbone: Backbone, names: list[str]) -> None:
        super().__init__()
        if not names:
            what = type(self).__name__
            raise ValueError(f"{what} finds nothing to tune in {backbone.spec.name}: choose other layers or a method")
        self.spec = backbone.spec
        self.names = tuple(names)

    @property
    def first_layer(self) -> int:
        """First block whose weights differ: -1 for embed, depth for pool; the layers below it may be cached."""
        return min(_layer_of(name, self.spec.depth) for name in self.names)

    def weights(self, backbone: Backbone) -> dict[str, Tensor]:
        """Return the weights that differ, by name, as functions of what is learned."""
        raise NotImplementedError

    def forward(
        self, backbone: Backbone, x: Tensor, edit: Edit | None = None, start: int | None = None
    ) -> Float[Tensor, "batch dim"]:
        """Run the backbone with the weights that differ; arguments as in `Backbone.forward`."""
        _clear_caches(backbone)
        if x.device.type == "cpu" and any(isinstance(module, nn.GroupNorm) for module in backbone.modules()):
            # torch's group norm crashes where it learns and its input, channels last inside some networks, does not
            x = x if x.requires_grad else x.detach().requires_grad_()
        # Without ties: of a module that two blocks share, torch would put back the tuned weights as its own.
        changed, options = self.weights(backbone), {"edit": edit, "start": start}
        try:
            return functional_call(backbone, changed, (x,), options, tie_weights=False)
        finally:
            _clear_caches(backbone)

    def merge(self, backbone: Backbone) -> Backbone:
        """Return a new frozen backbone that has the learned weights built in and costs nothing extra to run."""
        merged = copy.deepcopy(backbone)
        for name, weight in self.weights(backbone).items():
            owner, _, leaf = name.rpartition(".")
            setattr(merged.get_submodule(owner), leaf, nn.Parameter(weight.detach().clone()))
        return merged.freeze()

    def num_learned(self) -> int:
        """Return how many numbers the method learns."""
        return sum(parameter.numel() for parameter in self.parameters() if parameter.requires_grad)


def _clear_caches(backbone: Backbone) -> None:
    """Make LeViT and its kin forget what they keep, in eval mode, of the biases that they last ran with."""
    for module in backbone.modules():
        getattr(module, "attention_bias_cache", {}).clear()


def _layer_of(name: str, depth: int) -> int:
    part, _, rest = name.partition(".")
    return int(rest.split(".")[0]) if part == "blocks" else depth if part == "pool" else -1


def slot(name: str) -> str:
    """Return a parameter's name as torch lets one name an entry: dots become slashes."""
    return name.replace(".", "/")


def is_norm(module: nn.Module) -> bool:
    """Tell whether a module is a normalization with learned scales: its class says so, as RMSNorm's of timm do too."""
    scale = module._parameters.get("weight")
    return scale is not None and "norm" in type(module).__name__.lower()


def modules_of(
    backbone: Backbone, kinds: type[nn.Module] | tuple[type[nn.Module], ...] = nn.Module, layer: int | None = None
) -> dict[str, Any]:
    """Return the modules of these kinds, by name: in the whole backbone without its classifier, or in one block.

    Raises:
        TypeError: no backbone.
        ValueError: no such block.
    """
    if not isinstance(backbone, Backbone):
        kind = type(backbone).__name__
        raise TypeError(f"a tuning needs the whole backbone, got a {kind}: pass what you load or wrap")
    depth = backbone.spec.depth
    if layer is not None and not 0 <= layer < depth:
        raise ValueError(f"layer must be in 0 … {depth - 1}, the blocks of {backbone.spec.name}, got {layer}")
    start = ("embed", "blocks.", "pool") if layer is None else (f"blocks.{layer}.",)
    return {n: m for n, m in backbone.named_modules() if isinstance(m, kinds) and f"{n}.".startswith(start)}

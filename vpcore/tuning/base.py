"""What every tuning baseline is: small learned tensors, and the backbone weights they make."""

from __future__ import annotations

import copy

from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from vpcore.backbone import Backbone, Edit


class Tuning(nn.Module):
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
        return functional_call(backbone, self.weights(backbone), (x,), {"edit": edit, "start": start})

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


def _layer_of(name: str, depth: int) -> int:
    part, _, rest = name.partition(".")
    return int(rest.split(".")[0]) if part == "blocks" else depth if part == "pool" else -1


def slot(name: str) -> str:
    """Return a parameter's name as torch lets one name an entry: dots become slashes."""
    return name.replace(".", "/")


def modules_of(
    backbone: Backbone, kinds: tuple[type[nn.Module], ...], layer: int | None = None
) -> dict[str, nn.Module]:
    """Return the modules of these kinds, by name: in the whole backbone without its classifier, or in one block.

    Raises:
        ValueError: no such block.
    """
    depth = backbone.spec.depth
    if layer is not None and not 0 <= layer < depth:
        raise ValueError(f"layer must be in 0 … {depth - 1}, the blocks of {backbone.spec.name}, got {layer}")
    start = ("embed", "blocks.", "pool") if layer is None else (f"blocks.{layer}.",)
    return {n: m for n, m in backbone.named_modules() if isinstance(m, kinds) and f"{n}.".startswith(start)}

"""Tuning some of the weights the backbone has: norms, biases, the last blocks, or all of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vpcore.backbone import Backbone
from vpcore.tuning.base import Tuning, is_norm, modules_of, slot

BIASES = ("bias", "q_bias", "v_bias")  # some attentions keep those of query and value apart


def zero_deltas(backbone: Backbone, names: tuple[str, ...]) -> nn.ParameterDict:
    """Return one learned tensor of zeros for each of these parameters."""
    return nn.ParameterDict({slot(name): torch.zeros_like(backbone.get_parameter(name)) for name in names})


def add_deltas(backbone: Backbone, names: tuple[str, ...], deltas: nn.ParameterDict) -> dict[str, Tensor]:
    """Return these parameters with what was learned added to them."""
    return {name: backbone.get_parameter(name) + deltas[slot(name)] for name in names}


def _names(modules: dict[str, nn.Module], leaves: tuple[str, ...] | None = None) -> list[str]:
    """Return the names of all parameters of these modules, or of those called so."""
    own = ((f"{n}.{leaf}", leaf) for n, m in modules.items() for leaf, p in m._parameters.items() if p is not None)
    return [name for name, leaf in own if leaves is None or leaf in leaves]


class NormTuning(Tuning):
    """Tune scale and shift of the normalization layers: (4 · depth + 2) · dim numbers in a ViT.

    What is learned is the difference to the pretrained value, so weight decay pulls towards it, not towards zero;
    the same holds for the other methods of this file. Batch-norm statistics stay fixed.

    Args:
        backbone: the network to tune.
        what: "all", or "bias" for the shifts alone.
        layer: one block only; None tunes all layers, those in embed and pool included.

    Raises:
        ValueError: unknown what, no such block, or no normalization there.
    """

    def __init__(self, backbone: Backbone, what: str = "all", layer: int | None = None) -> None:
        if what not in ("all", "bias"):
            raise ValueError(f"what must be all or bias, got {what!r}")
        leaves = ("weight", "bias") if what == "all" else ("bias",)
        norms = {name: module for name, module in modules_of(backbone, layer=layer).items() if is_norm(module)}
        super().__init__(backbone, _names(norms, leaves))
        self.deltas = zero_deltas(backbone, self.names)

    def weights(self, backbone: Backbone) -> dict[str, Tensor]:
        """Return the tuned norm parameters."""
        return add_deltas(backbone, self.names, self.deltas)


class BitFit(Tuning):
    """Tune every bias (Ben Zaken et al. 2022, arXiv:2106.10199): (11 · depth + 2) · dim numbers in a ViT.

    A bias is a parameter that is called one; a Swin's relative-position table is none. In timm's ViT the
    query, key and value biases are one tensor, so the key's is tuned too, though softmax makes it inert. A ResNet has
    no biases but those of its batch norms.

    Args:
        backbone: the network to tune.
        layer: one block only; None tunes all layers.

    Raises:
        ValueError: no such block, or no bias there.
    """

    def __init__(self, backbone: Backbone, layer: int | None = None) -> None:
        super().__init__(backbone, _names(modules_of(backbone, layer=layer), BIASES))
        self.deltas = zero_deltas(backbone, self.names)

    def weights(self, backbone: Backbone) -> dict[str, Tensor]:
        """Return the tuned biases."""
        return add_deltas(backbone, self.names, self.deltas)


class PartialK(Tuning):
    """Fine-tune the last blocks and the pool (its norm, in a ViT), as the Partial-k rows of Jia et al. 2022.

    Args:
        backbone: the network to tune.
        k: number of blocks, 1 … depth.

    Raises:
        ValueError: k out of range.
    """

    def __init__(self, backbone: Backbone, k: int = 1) -> None:
        names, depth = _names(modules_of(backbone)), backbone.spec.depth
        if not 1 <= k <= depth:
            raise ValueError(f"k must be in 1 … {depth} for {backbone.spec.name}, got {k}")
        start = (*(f"blocks.{layer}." for layer in range(depth - k, depth)), "pool.")
        super().__init__(backbone, [name for name in names if name.startswith(start)])
        self.deltas = zero_deltas(backbone, self.names)

    def weights(self, backbone: Backbone) -> dict[str, Tensor]:
        """Return all weights of the last blocks and the pool."""
        return add_deltas(backbone, self.names, self.deltas)


class FullTuning(Tuning):
    """Fine-tune every weight of the backbone; the source classifier is not part of it.

    Args:
        backbone: the network to tune.
    """

    def __init__(self, backbone: Backbone) -> None:
        super().__init__(backbone, _names(modules_of(backbone)))
        self.deltas = zero_deltas(backbone, self.names)

    def weights(self, backbone: Backbone) -> dict[str, Tensor]:
        """Return all weights."""
        return add_deltas(backbone, self.names, self.deltas)

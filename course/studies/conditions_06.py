"""Conditions of study 06: prompts, norms and biases that share a function class, and the usual weight deltas."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import Tensor, nn

import vpcore
from vpcore.backbone import Backbone, Spec, measure_shapes
from vpcore.prompts import ActivationPrompt, NoPrompt
from vpcore.prompts.base import Prompt
from vpcore.tuning import SSF, BitFit, FullTuning, LoRA, NormTuning, Tuning
from vpcore.tuning.deltas import add_deltas, zero_deltas

HEAD_CENTER = 1e-2  # Adam's usual rate for a linear probe, divided by ten
RANK = 4
LOWER = 4  # block of the ViT below the shared delta: any would do, and few blocks above it train fast


class Chosen(Tuning):
    """Tune the named parameters of the backbone and no others, such as "blocks.0.mlp.fc2.bias"."""

    def __init__(self, backbone: Backbone, *names: str) -> None:
        super().__init__(backbone, list(names))
        self.deltas = zero_deltas(backbone, self.names)

    def weights(self, backbone: Backbone) -> dict[str, Tensor]:
        """Return the tuned parameters."""
        return add_deltas(backbone, self.names, self.deltas)


def open_stem(backbone: Backbone) -> Backbone:
    """Return a CNN with the same weights whose stem is taken apart: a prompt at layer 0 acts right before its batch
    norm, at layer 1 right after it.
    """
    parts = copy.deepcopy(backbone)
    conv, norm, _ = parts.embed.children()
    blocks, spec = [norm, nn.ReLU(), *parts.blocks], backbone.spec
    shapes = measure_shapes(conv, blocks, spec.in_chans, spec.image_size)
    return Backbone(conv, blocks, parts.pool, replace(spec, name=f"{spec.name}, stem open", shapes=shapes))


@dataclass(frozen=True)
class Condition:
    """One parametrization.

    Attributes:
        center: middle of the first three rates tried.
        prompt: from the sizes of the backbone to the prompt; None for none.
        tuning: from the backbone to the weight delta; None for none.
        opened: whether the stem is taken apart.
        pair: whether it is compared within a function class, and so gets all seeds.
        rate_of: condition whose rate it takes; by default it searches for its own.
    """

    center: float = 1e-2
    prompt: Callable[[Spec], Prompt] | None = None
    tuning: Callable[[Backbone], Tuning] | None = None
    opened: bool = False
    pair: bool = False
    rate_of: str = ""

    def model(self, backbone: Backbone, classes: int, seed: int) -> vpcore.Prompted:
        """Build the model; what it starts with does not depend on the condition."""
        backbone = open_stem(backbone) if self.opened else backbone
        prompt = self.prompt(backbone.spec) if self.prompt else NoPrompt(backbone.spec)
        tuning = self.tuning(backbone) if self.tuning else None
        head = vpcore.LinearHead(backbone.spec.dim, classes, seed=seed)
        return vpcore.Prompted(backbone, prompt, head, tuning=tuning)


DELTAS = {
    "norm": Condition(5e-3, tuning=NormTuning, pair=True),
    "ssf": Condition(5e-3, tuning=SSF, pair=True),
    "bitfit": Condition(5e-3, tuning=BitFit),
    "lora": Condition(1e-3, tuning=lambda net: LoRA(net, RANK, RANK, "conv" if net.spec.kind == "cnn" else "qv")),
    "full": Condition(1e-3, tuning=FullTuning),
}
CNN = {
    "none": Condition(HEAD_CENTER, pair=True),
    "ap_last": Condition(prompt=lambda spec: ActivationPrompt(spec, spec.depth), pair=True),
    "stem_bias": Condition(tuning=lambda net: NormTuning(net, "bias", 0), opened=True, pair=True),
    "ap_after": Condition(prompt=lambda spec: ActivationPrompt(spec, 1, "per_channel"), opened=True, pair=True),
    "ap_after_same": Condition(
        prompt=lambda spec: ActivationPrompt(spec, 1, "per_channel"), opened=True, rate_of="stem_bias"
    ),
    "ap_before": Condition(prompt=lambda spec: ActivationPrompt(spec, 0, "per_channel"), opened=True, pair=True),
    **DELTAS,
}
VIT = {
    "none": Condition(HEAD_CENTER, pair=True),
    "last_norm": Condition(5e-3, tuning=lambda net: Chosen(net, "pool.norm.weight", "pool.norm.bias"), pair=True),
    "mlp_bias": Condition(tuning=lambda net: Chosen(net, f"blocks.{LOWER}.mlp.fc2.bias"), pair=True),
    "ap_shared": Condition(prompt=lambda spec: ActivationPrompt(spec, LOWER + 1, "shared"), pair=True),
    **DELTAS,
}


def conditions_of(backbone: Backbone) -> dict[str, Condition]:
    """Return the conditions for a kind of backbone; the linear probe comes first."""
    return CNN if backbone.spec.kind == "cnn" else VIT

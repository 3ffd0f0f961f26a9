"""Whole tables by name: what they compare, on what, and how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from vpcore.backbone import Spec

EVERYWHERE = (
    *("none", "layer_probe:layer=all", "full", "pad", "cluster", "instance_image", "activation:layer=all"),
    *("norm_tuning", "bitfit", "full_tuning"),
)


@dataclass(frozen=True)
class Preset:
    """One table.

    Attributes:
        data: data sets; those that this machine lacks are left out and named.
        backbones: names.
        methods: for every backbone.
        by_kind: methods of a "vit" or of a "cnn" alone.
        options: of the command line, by name; what is given there counts more.
    """

    data: tuple[str, ...]
    backbones: tuple[str, ...]
    methods: tuple[str, ...]
    by_kind: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    def methods_for(self, spec: Spec) -> tuple[list[str], list[str]]:
        """Return the methods for a backbone, and those of other kinds, which do not fit it."""
        others = [m for kind, methods in self.by_kind.items() if kind != spec.kind for m in methods]
        return [*self.methods, *self.by_kind.get(spec.kind, ())], others


PRESETS: dict[str, Preset] = {
    "transfer": Preset(
        data=(
            *("digits", "photodigits", "photodigits:position=fixed", "usps", "fashion_mnist", "cifar10"),
            *("folder:sign_digits", "folder:clothing"),
        ),
        backbones=("resnet_nano", "vit_nano"),
        methods=EVERYWHERE,
        by_kind={"vit": ("lora", "vpt_deep", "instance"), "cnn": ("lora:targets=conv",)},
        options={
            "limit": 1000, "max_valid": 500, "max_test": 2000, "epochs": 10, "batch_size": 64, "seeds": 5,
            "lr": "search", "trials": 5, "optimizer": "adamw", "weight_decay": 0.0, "schedule": "cosine",
            "augment": "none", "train_backbone": False,
        },
    )
}  # fmt: skip


def find_preset(name: str) -> Preset:
    """Return a preset by its name.

    Raises:
        ValueError: there is none.
    """
    if name not in PRESETS:
        raise ValueError(f"unknown preset {name!r}: choose one of {', '.join(PRESETS)}")
    return PRESETS[name]


def left_out(preset: Preset, backbones: list[str], spec: Callable[[str], Spec]) -> list[str]:
    """Return one sentence for each backbone that some of a preset's methods do not fit."""
    notes = []
    for backbone in backbones:
        kind, others = spec(backbone).kind, preset.methods_for(spec(backbone))[1]
        notes += [f"left out on {backbone}, a {kind}: {', '.join(others)}"] if others else []
    return notes

"""What a preset is: one table of an experiment, written down without code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from vpcore.backbone import Spec


@dataclass(frozen=True)
class Preset:
    """One table, and those that belong to it.

    Attributes:
        data: data sets; those that this machine lacks are left out and named.
        backbones: names; those whose weights this machine lacks are left out and named.
        methods: for every backbone.
        by_kind: methods of a "vit", a "swin" or a "cnn" alone.
        options: of the command line, by name; what is given there counts more.
        lacks: what no machine can run with this library, and where we differ from the paper: a sentence each.
        variants: other tables of the same paper, by "table 2", "figure 7" or "recipe published".
        then: tables that follow it in the same grid, each with its own `limit` among the options, so that a grid that
            is stopped leaves whole ones. There a typed `--limit` chooses among them.
    """

    data: tuple[str, ...]
    backbones: tuple[str, ...]
    methods: tuple[str, ...]
    by_kind: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    lacks: tuple[str, ...] = ()
    variants: Mapping[str, Preset] = field(default_factory=dict)
    then: tuple[Preset, ...] = ()

    def methods_for(self, spec: Spec) -> tuple[list[str], list[str]]:
        """Return the methods for a backbone, and those of other kinds, which do not fit it."""
        others = [m for kind, methods in self.by_kind.items() if kind != spec.kind for m in methods]
        return [*self.methods, *self.by_kind.get(spec.kind, ())], others


def left_out(preset: Preset, backbones: list[str], spec: Callable[[str], Spec]) -> list[str]:
    """Return one sentence for each backbone that some of a preset's methods do not fit, and for what it lacks."""
    notes = []
    for backbone in backbones:
        kind, others = spec(backbone).kind, preset.methods_for(spec(backbone))[1]
        notes += [f"left out on {backbone}, a {kind}: {', '.join(others)}"] if others else []
    return [*notes, *preset.lacks]

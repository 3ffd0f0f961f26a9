"""Whole tables by name, one a file: what they compare, on what, and how."""

from __future__ import annotations

from vpcore.experiments.grid.presets.ap import AP
from vpcore.experiments.grid.presets.insvp import INSVP
from vpcore.experiments.grid.presets.msvp import MSVP, MSVP_SCALES
from vpcore.experiments.grid.presets.preset import Preset, left_out
from vpcore.experiments.grid.presets.scale import SCALE
from vpcore.experiments.grid.presets.transfer import TRANSFER

__all__ = ["PRESETS", "Preset", "find_preset", "left_out"]

PRESETS: dict[str, Preset] = {
    "transfer": TRANSFER,
    "scale": SCALE,
    "msvp": MSVP,
    "msvp-scales": MSVP_SCALES,
    "insvp": INSVP,
    "ap": AP,
}


def find_preset(name: str, table: int | None = None, figure: int | None = None, recipe: str | None = None) -> Preset:
    """Return a preset by its name; insvp without a table or figure is table 1, msvp may follow the published recipe.

    Raises:
        ValueError: there is none, it has no such table, figure or recipe, or several were asked for.
    """
    if name not in PRESETS:
        raise ValueError(f"unknown preset {name!r}: choose one of {', '.join(PRESETS)}")
    preset = PRESETS[name]
    kinds = {"table": table, "figure": figure, "recipe": recipe}
    asked = [f"{kind} {which}" for kind, which in kinds.items() if which is not None]
    if not asked:
        return preset
    if len(asked) > 1 or asked[0] not in preset.variants:
        known = ", ".join(preset.variants) or "no table, figure or recipe"
        known += "; what figure 8 shows is not known to us" if (name, figure) == ("insvp", 8) else ""
        raise ValueError(f"preset {name} has {known}, got {' and '.join(asked)}: choose one of them")
    return preset.variants[asked[0]]

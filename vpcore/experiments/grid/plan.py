"""From the options of the command line to the cells of a grid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vpcore.experiments.grid.cell import Cell, check_grid, expand
from vpcore.experiments.grid.presets import Preset, find_preset, left_out
from vpcore.experiments.names.backbones import backbone_spec
from vpcore.experiments.names.methods import expand_layers
from vpcore.experiments.names.prompts import split_prompts

SHARED = (
    *("epochs", "limit", "weight_decay", "batch_size", "optimizer", "schedule", "augment", "width", "image_size"),
    *("train_backbone", "precision", "max_valid", "max_test"),
)
SEARCH = "search"


def plan(options: Mapping[str, Any], given: Mapping[str, Any]) -> tuple[list[Cell], list[str]]:
    """Return the cells of a grid, and one sentence on each thing that a preset leaves out.

    Args:
        options: all options of the command line, defaults included.
        given: those that were typed; they count more than a preset.

    Raises:
        ValueError: an option makes no sense, or the grid has no cell, or one twice.
    """
    preset = _preset(options)
    named = {"data": ",".join(preset.data), "backbone": ",".join(preset.backbones)} if preset else {}
    chosen = {**options, **named, **(preset.options if preset else {}), **given}
    rates, trials = _rates(chosen["lr"], chosen["trials"])
    shots = _shots(chosen.get("shots"))
    shared = {name: chosen[name] for name in SHARED} | {"trials": trials}
    cells: list[Cell] = []
    backbones = _words(chosen["backbone"])
    whole = preset if "prompt" not in given else None  # the preset's own methods, and not some that were typed
    notes = left_out(whole, backbones, backbone_spec) if whole else []
    for data in split_prompts(chosen["data"]):
        for backbone in backbones:
            methods = whole.methods_for(backbone_spec(backbone))[0] if whole else split_prompts(chosen["prompt"])
            methods = [text for method in methods for text in _layers(method, backbone)]
            for few in shots:
                cells += expand([data], [backbone], methods, chosen["seeds"], rates, shots=few, **shared)
    return check_grid(cells), notes


def _preset(options: Mapping[str, Any]) -> Preset | None:
    table, figure = options.get("table"), options.get("figure")
    if options["preset"]:
        return find_preset(options["preset"], table, figure)
    if table is not None or figure is not None:
        raise ValueError("--table and --figure belong to a preset: add --preset insvp")
    return None


def _layers(method: str, backbone: str) -> list[str]:
    return expand_layers(method, backbone_spec(backbone).depth) if "layer=all" in method else [method]


def _rates(text: str, trials: int) -> tuple[list[float], int | None]:
    """Return the rates, and the number of trials if they are to be searched for: then the rate stands at 0."""
    if text != SEARCH:
        return _numbers(text), None
    if trials < 3:
        raise ValueError(f"a search needs 3 trials or more, got --trials {trials}")
    return [0.0], trials


def _shots(text: str | None) -> list[int | None]:
    """Return the numbers of images a class, or one None for all images."""
    if text is None:
        return [None]
    words = _words(text)
    if not all(word.isdecimal() and int(word) > 0 for word in words):
        raise ValueError(f"--shots must be whole numbers from 1 on with commas between, got {text!r}: try 1,4,16")
    return [int(word) for word in words]


def _words(text: str) -> list[str]:
    return [word for word in (word.strip() for word in text.split(",")) if word]


def _numbers(text: str) -> list[float]:
    try:
        return [float(word) for word in _words(text)]
    except ValueError:
        raise ValueError(f"--lr must be numbers with commas between, got {text!r}: try 1e-3,1e-2 or search") from None

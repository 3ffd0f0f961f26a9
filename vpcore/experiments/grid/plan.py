"""From the options of the command line to the cells of a grid."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields, replace

from vpcore.experiments.grid.cell import Cell, check_grid, expand
from vpcore.experiments.grid.options import Options
from vpcore.experiments.grid.presets import Preset, find_preset, left_out
from vpcore.experiments.names.backbones import backbone_spec
from vpcore.experiments.names.methods import expand_layers
from vpcore.experiments.names.named import read_named, split_names

AXES = ("data", "backbone", "prompt", "lr", "trials", "shots")  # fields of a cell whose option is no single value
SHARED = tuple(field.name for field in fields(Cell) if hasattr(Options, field.name) and field.name not in AXES)
SEARCH = "search"


def plan(options: Options, given: Collection[str]) -> tuple[list[Cell], list[str]]:
    """Return the cells of a grid, and one sentence on each thing that a preset leaves out.

    Args:
        options: of the command line, defaults included.
        given: names of those that were typed; they count more than a preset.

    Raises:
        ValueError: an option makes no sense, or the grid has no cell, or one twice.
    """
    preset = _preset(options)
    if preset:
        named = {"data": ",".join(preset.data), "backbone": ",".join(preset.backbones), **preset.options}
        options = replace(options, **{name: value for name, value in named.items() if name not in given})
    rates, trials = _rates(options.lr, options.trials)
    shots = _shots(options.shots)
    shared = {name: getattr(options, name) for name in SHARED} | {"trials": trials}
    cells: list[Cell] = []
    backbones = split_names(options.backbone)
    whole = preset if "prompt" not in given else None  # the preset's own methods, and not some that were typed
    notes = left_out(whole, backbones, backbone_spec) if whole else []
    for data in split_names(options.data):
        for backbone in backbones:
            methods = whole.methods_for(backbone_spec(backbone))[0] if whole else split_names(options.prompt)
            methods = [text for method in methods for text in _layers(method, backbone)]
            for few in shots:
                cells += expand([data], [backbone], methods, options.seeds, rates, shots=few, **shared)
    return check_grid(cells), notes


def _preset(options: Options) -> Preset | None:
    if options.preset:
        return find_preset(options.preset, options.table, options.figure)
    if options.table is not None or options.figure is not None:
        raise ValueError("--table and --figure belong to a preset: add --preset insvp")
    return None


def _layers(method: str, backbone: str) -> list[str]:
    every = read_named(method)[1].get("layer") == "all"
    return expand_layers(method, backbone_spec(backbone).depth) if every else [method]


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

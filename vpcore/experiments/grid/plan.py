"""From the options of the command line to the cells of a grid."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields, replace
from itertools import product

from vpcore.experiments.grid.cell import Cell, check_grid, expand
from vpcore.experiments.grid.options import Options
from vpcore.experiments.grid.presets import Preset, find_preset, left_out
from vpcore.experiments.names.backbones import backbone_spec
from vpcore.experiments.names.methods import expand_layers
from vpcore.experiments.names.named import read_named, split_names

AXES = ("data", "backbone", "prompt", "lr", "trials", "limit", "shots")  # fields whose option is no single value
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
    if preset is None:
        return check_grid(_cells(options, None)), []
    sizes = _counts("limit", options.limit) if "limit" in given else None
    given = {*given} - ({"limit"} if preset.then else set())
    cells: list[Cell] = []
    notes: list[str] = []
    for part in _parts(preset, options.preset, sizes):
        named = {"data": ",".join(part.data), "backbone": ",".join(part.backbones), **part.options}
        asked = replace(options, **{name: value for name, value in named.items() if name not in given})
        whole = part if "prompt" not in given else None  # the preset's own methods, and not some that were typed
        cells += _cells(asked, whole)
        notes += left_out(whole, split_names(asked.backbone), backbone_spec) if whole else []
    cells = list(dict.fromkeys(cells)) if preset.then else cells  # what was typed may make two parts alike
    return check_grid(cells), list(dict.fromkeys(notes))


def _cells(options: Options, preset: Preset | None) -> list[Cell]:
    """Return the cells of one table, its methods those of a preset or those that were typed."""
    rates, trials = _rates(options.lr, options.trials)
    shared = {name: getattr(options, name) for name in SHARED} | {"trials": trials}
    axes = (split_names(options.data), split_names(options.backbone))
    few = product(_counts("limit", options.limit), _counts("shots", options.shots))
    cells: list[Cell] = []
    for (data, backbone), (limit, shots) in product(product(*axes), list(few)):
        methods = preset.methods_for(backbone_spec(backbone))[0] if preset else split_names(options.prompt)
        methods = [text for method in methods for text in _layers(method, backbone)]
        cells += expand([data], [backbone], methods, options.seeds, rates, limit=limit, shots=shots, **shared)
    return cells


def _preset(options: Options) -> Preset | None:
    if options.preset:
        return find_preset(options.preset, options.table, options.figure, options.recipe)
    if options.table is not None or options.figure is not None:
        raise ValueError("--table and --figure belong to a preset: add --preset insvp")
    return None


def _parts(preset: Preset, name: str | None, sizes: list[int | None] | None) -> list[Preset]:
    """Return the tables of a preset, of one with several only those whose size was asked for."""
    parts = [preset, *preset.then]
    if not preset.then or sizes is None:
        return parts
    own = dict.fromkeys(part.options["limit"] for part in parts)
    if unknown := [size for size in sizes if size not in own]:
        known = ", ".join(map(str, sorted(own)))
        raise ValueError(f"preset {name} has the sizes {known}, got --limit {unknown[0]}: choose some of them")
    return [part for part in parts if part.options["limit"] in sizes]


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


def _counts(option: str, text: str | int | None) -> list[int | None]:
    """Return the numbers of images that an option names, or one None for all images."""
    if text is None:
        return [None]
    words = _words(str(text))
    if not all(word.isdecimal() and int(word) > 0 for word in words):
        example = {"limit": "250,1000", "shots": "1,4,16"}[option]
        raise ValueError(f"--{option} must be whole numbers from 1 on with commas between, got {text!r}: try {example}")
    return [int(word) for word in words]


def _words(text: str) -> list[str]:
    return [word for word in (word.strip() for word in text.split(",")) if word]


def _numbers(text: str) -> list[float]:
    try:
        return [float(word) for word in _words(text)]
    except ValueError:
        raise ValueError(f"--lr must be numbers with commas between, got {text!r}: try 1e-3,1e-2 or search") from None

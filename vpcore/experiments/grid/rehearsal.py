"""Before a grid trains: build every model once, and find out which cells this machine cannot run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import typer

from vpcore.data.augment import RECIPES
from vpcore.data.protocols import TooFewImages
from vpcore.experiments.grid.cell import Cell, question
from vpcore.experiments.grid.cell_data import Loader
from vpcore.experiments.grid.train_cell import check_cell
from vpcore.experiments.names.backbones import lacking_weights, weights_sha256
from vpcore.experiments.names.data import lacking_data
from vpcore.experiments.names.named import read_named


def rehearse(cells: Sequence[Cell], load: Loader, skip_lacking: bool) -> list[Cell]:
    """Build every distinct model once, so that a wrong option is found before hours of training.

    Args:
        cells: what is to run.
        load: hands out the data.
        skip_lacking: leave out, and name once, sets and weights that are not here, and more images than a set has.

    Returns:
        The cells that can run.

    Raises:
        ValueError: an option does not fit.
        OSError: data files are missing or damaged.
    """
    seen: set[object] = set()
    lacking = _lacking(cells, load.root) if skip_lacking else set()
    for cell in cells:
        if _needs(cell) & lacking:
            continue
        what = cell.data
        try:
            data = load(cell)
            what = cell.backbone  # what is lacking from here on
            kind = (cell.backbone, cell.prompt, data.image_size, data.in_chans, len(data.classes), cell.augment)
            if kind not in seen:
                seen.add(kind)
                check_cell(cell, data)
        except (FileNotFoundError, TooFewImages) as error:
            if not skip_lacking:
                raise
            few = isinstance(error, TooFewImages)
            _note(lacking, _size(cell) if few else what, "which is too many" if few else "which is not here", error)
    return [cell for cell in cells if not _needs(cell) & lacking]


def note_recipes(cells: Sequence[Cell]) -> None:
    """Name the sets that are not augmented, although the paper's augmentation was asked for."""
    asked = dict.fromkeys(cell.data for cell in cells if cell.augment == "paper")
    names = [name for name in asked if read_named(name)[0] != "photodigits" and name not in RECIPES]  # its is none
    if names:
        typer.echo(f"note: no augmentation for {', '.join(names)}: the paper has no recipe for it", err=True)


def check_weights(cells: Sequence[Cell], runs: Sequence[Mapping[str, Any]]) -> None:
    """Refuse to go on where runs that count as done were made with other weights than a checkpoint file holds now.

    They would never be repeated, for a key names the file alone, and their seeds form no pairs with those to come.

    Raises:
        ValueError: says which file.
    """
    asked = {question(asdict(cell)) for cell in cells}
    for run in runs:
        then, backbone = run.get("weights_sha256"), run["cell"]["backbone"]
        if then is None or question(run["cell"]) not in asked:
            continue
        try:
            now = weights_sha256(backbone)["weights_sha256"]
        except OSError:  # nothing to compare with
            continue
        if now != then:
            done = f"runs of {backbone} were done with other weights (sha256 {then[:8]}) than it holds now ({now[:8]})"
            raise ValueError(f"{done}: choose another --out, or put those weights back")


def _lacking(cells: Sequence[Cell], root: str | None) -> set[str]:
    """Return, and name, the networks and sets that are not here, without loading any."""
    found: set[str] = set()
    for name in dict.fromkeys(cell.backbone for cell in cells):
        _note(found, name, "which is not here", lacking_weights(name))
    for name in dict.fromkeys(cell.data for cell in cells):
        _note(found, name, "which is not here", lacking_data(name, root))
    return found


def _needs(cell: Cell) -> set[str]:
    return {cell.backbone, cell.data, _size(cell)}


def _size(cell: Cell) -> str:
    asked = {"images": cell.limit, "images a class": cell.shots}
    return f"{cell.data} with {' and '.join(f'{n} {of}' for of, n in asked.items() if n is not None) or 'all images'}"


def _note(lacking: set[str], what: str, state: str, why: object) -> None:
    if why is not None:
        lacking.add(what)
        typer.echo(f"note: left out {what}, {state}: {why}", err=True)

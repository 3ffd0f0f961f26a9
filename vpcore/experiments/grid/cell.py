"""What one run of an experiment grid is asked: a cell, its key, and all cells of a grid."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

from vpcore.data.augment import RECIPES, Augment, paper_augment
from vpcore.experiments.names.data import data_label
from vpcore.experiments.names.methods import method_label

AUGMENTS = ("paper", "none")
# Not hashed when None: older results lack them.
LATER = ("trials", "max_valid", "max_test", "shots", "search_limit", "recipe", "warmup", "resize")


@dataclass(frozen=True)
class Cell:
    """Everything that decides a result; the defaults are the recipe of the MSVP paper's code (arXiv:2512.03663).

    Attributes:
        data: name of the data set, as `vpcore.experiments.names.data.data_label` writes it.
        backbone: name of the backbone, as `load_backbone` takes it, or "NAME:checkpoint=FILE".
        prompt: method as `vpcore.experiments.names.methods` reads it: "multiscale:fusion=concat,scales=1+4".
        seed: of the weights, prompt, batches, augmentation and dropout; runs of one seed form pairs.
        train_backbone: train it with the prompt; None means yes for the networks without trained weights.
        limit: training images to keep, the same ones in every run; None keeps all.
        width: channels of simple_cnn's first block; None takes its default.
        image_size: edge of the images in pixels; None takes the backbone's, or the data's.
        precision: as in `fit`.
        trials: `lr` was chosen on validation with this many trials; None if it was given.
        max_valid: most validation images to keep; None keeps all.
        max_test: most test images to keep; None keeps all.
        shots: training images a class, drawn by `seed`; None keeps all.
        search_limit: the search for `lr` ran with this `limit`; None means the cell's own.
        recipe: "published" follows the MSVP paper's code also where `vpcore.experiments.grid.published` says; None does
            not.
        warmup: share of the steps in which the rate rises, linearly; None is 0.
        resize: shorter edge, in pixels, to which images are resized before their middle is cut out at the size that the
            backbone takes; None resizes to that size.
    """

    data: str
    backbone: str
    prompt: str
    seed: int = 0
    epochs: int = 10
    lr: float = 1e-3
    weight_decay: float = 1e-4
    batch_size: int = 128
    optimizer: str = "adam"
    schedule: str = "cosine_epoch"
    augment: str = "paper"
    train_backbone: bool | None = None
    limit: int | None = None
    width: int | None = None
    image_size: int | None = None
    precision: str | None = None
    trials: int | None = None
    max_valid: int | None = None
    max_test: int | None = None
    shots: int | None = None
    search_limit: int | None = None
    recipe: str | None = None
    warmup: float | None = None
    resize: int | None = None

    def key(self) -> str:
        """Return a short hash (16 hex digits) of all fields: two runs with one key give one result."""
        return _hash(asdict(self))

    def __str__(self) -> str:
        few = "" if self.shots is None else f"{self.shots} a class "
        return f"{self.data} {self.backbone} {self.prompt} {few}seed {self.seed}"


def question(cell: Mapping[str, Any], without: tuple[str, ...] = ()) -> str:
    """Return a hash of what a cell asks: all its fields, without a rate that a search was to choose, and where."""
    searched = ("lr", "search_limit") if cell.get("trials") is not None else ()
    return _hash({name: value for name, value in cell.items() if name not in (*searched, *without)})


def _hash(cell: Mapping[str, Any]) -> str:
    kept = {name: value for name, value in cell.items() if name not in LATER or value is not None}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:16]


def expand(
    data: list[str], backbones: list[str], prompts: list[str], seeds: int, lrs: list[float], **shared: Any
) -> list[Cell]:
    """Return all cells of a grid, the seeds of one comparison next to each other.

    Raises:
        ValueError: the grid has no cell, or the same one twice.
    """
    axes = product(data, backbones, lrs, range(seeds), prompts)
    return check_grid([Cell(data_label(d), b, method_label(p), s, lr=lr, **shared) for d, b, lr, s, p in axes])


def check_grid(cells: list[Cell]) -> list[Cell]:
    """Return the cells of a grid, or say what is wrong with them together."""
    if not cells:
        raise ValueError("the grid has no cell: give at least one data set, backbone, prompt and seed")
    if len(set(cells)) < len(cells):
        raise ValueError("the grid holds a cell twice: name each data set, backbone, prompt and rate once")
    return cells


def choose_augment(cell: Cell) -> Augment | None:
    """Return the training augmentation of a cell: the paper's for its data set, or none where there is no recipe."""
    if cell.augment not in AUGMENTS:
        raise ValueError(f"augment must be one of {', '.join(AUGMENTS)}, got {cell.augment!r}")
    return paper_augment(cell.data) if cell.augment == "paper" and cell.data in RECIPES else None

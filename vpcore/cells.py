"""One cell of an experiment grid: what to train, and one function that trains and tests it."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np

from vpcore.augment import RECIPES, Augment, paper_augment
from vpcore.backbone import load_backbone
from vpcore.data import Splits, load_data
from vpcore.device import choose_device, choose_precision
from vpcore.freeze import count
from vpcore.heads import LinearHead
from vpcore.models import BUNDLED, MODELS
from vpcore.optim import make_optimizer, schedule_factor
from vpcore.prompt_text import prompt_label, read_prompt
from vpcore.prompted import Prompted
from vpcore.prompts import PROMPTS
from vpcore.records import EpochRecord
from vpcore.train import evaluate, fit

SCRATCH = tuple(name for name in MODELS if name not in BUNDLED)  # the MSVP paper's networks: trained from scratch
AUGMENTS = ("paper", "none")


@dataclass(frozen=True)
class Cell:
    """Everything that decides a result; the defaults are the recipe of the MSVP paper's code (arXiv:2512.03663).

    Attributes:
        data: name of the data set, as `load_data` takes it.
        backbone: name of the backbone, as `load_backbone` takes it.
        prompt: name of the method, with options: "multiscale:fusion=concat,scales=1+4".
        seed: of the weights, prompt, batches, augmentation and dropout; runs of one seed form pairs.
        train_backbone: train it with the prompt; None means yes for the networks without trained weights.
        limit: most training images to keep; a smaller set, or None, keeps all.
        width: channels of simple_cnn's first block; None takes its default.
        image_size: edge of the images in pixels; None takes the backbone's, or the data's.
        precision: as in `fit`.
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

    def key(self) -> str:
        """Return a short hash (16 hex digits) of all fields: two runs with one key give one result."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]

    def __str__(self) -> str:
        return f"{self.data} {self.backbone} {self.prompt} seed {self.seed}"


def expand(
    data: list[str], backbones: list[str], prompts: list[str], seeds: int, lrs: list[float], **shared: Any
) -> list[Cell]:
    """Return all cells of a grid, the seeds of one comparison next to each other.

    Raises:
        ValueError: the grid has no cell, or the same one twice.
    """
    axes = product(data, backbones, lrs, range(seeds), prompts)
    cells = [Cell(d, b, prompt_label(*read_prompt(p)), seed, lr=lr, **shared) for d, b, lr, seed, p in axes]
    if not cells:
        raise ValueError("the grid has no cell: give at least one data set, backbone, prompt and seed")
    if len(set(cells)) < len(cells):
        raise ValueError("the grid holds a cell twice: name each data set, backbone, prompt and rate once")
    return cells


def load_cell_data(cell: Cell, root: str | None = None) -> Splits:
    """Load the data of a cell, in the size and channels its backbone takes.

    Raises:
        ValueError: unknown data set, or a limit below one image a class.
        OSError: its files are missing or damaged.
    """
    size, chans = cell.image_size, None
    if cell.backbone not in SCRATCH:
        spec = load_backbone(cell.backbone, **(dict[str, Any](image_size=size) if size else {})).spec
        size, chans = spec.image_size, spec.in_chans
    data = load_data(cell.data, root, image_size=size, in_chans=chans)
    return data if cell.limit is None else data.limit(min(cell.limit, len(data.train)))


def build_model(cell: Cell, data: Splits) -> Prompted:
    """Build the model of a cell; the seed gives the same backbone and head whatever the prompt.

    Raises:
        ValueError: backbone, prompt or an option is unknown, or does not fit the images.
    """
    options: dict[str, Any] = {} if cell.width is None else {"width": cell.width}
    if cell.width is not None and cell.backbone != "simple_cnn":
        raise ValueError(f"width belongs to simple_cnn, got it for {cell.backbone}: leave it out")
    scratch = cell.backbone in SCRATCH
    if scratch:
        options |= {"in_chans": data.in_chans, "mean": data.mean, "std": data.std, "seed": cell.seed}
    backbone = load_backbone(cell.backbone, pretrained=not scratch, image_size=data.image_size, **options)
    name, chosen = read_prompt(cell.prompt)
    prompt = PROMPTS[name](backbone.spec, seed=cell.seed, **chosen).prepare(backbone, data.train.images)
    head = LinearHead(backbone.spec.dim, len(data.classes), seed=cell.seed)
    train_backbone = scratch if cell.train_backbone is None else cell.train_backbone
    return Prompted(backbone, prompt, head, train_backbone=train_backbone)


def choose_augment(cell: Cell) -> Augment | None:
    """Return the training augmentation of a cell: the paper's for its data set, or none where there is no recipe."""
    if cell.augment not in AUGMENTS:
        raise ValueError(f"augment must be one of {', '.join(AUGMENTS)}, got {cell.augment!r}")
    return paper_augment(cell.data) if cell.augment == "paper" and cell.data in RECIPES else None


def check_cell(cell: Cell, data: Splits) -> None:
    """Find out whether a cell can run, without training it.

    Raises:
        ValueError: an option is unknown or does not fit.
    """
    if cell.epochs < 1 or cell.batch_size < 1:
        raise ValueError(f"epochs and batch_size must be at least 1, got {cell.epochs} and {cell.batch_size}")
    choose_augment(cell)
    choose_precision(cell.precision, choose_device())
    schedule_factor(cell.schedule, cell.epochs, 1)
    make_optimizer(build_model(cell, data), cell.optimizer, cell.lr, cell.weight_decay)


def run_cell(
    cell: Cell, data: Splits, device: str | None = None, on_epoch: Callable[[EpochRecord], Any] | None = None
) -> dict[str, Any]:
    """Train one cell, choose its epoch on valid, read test once, and return the result as plain values.

    Raises:
        ValueError: something does not fit, or the loss became infinite.
    """
    began = time.perf_counter()
    model = build_model(cell, data)
    history = fit(
        model, data.train, data.valid, epochs=cell.epochs, lr=cell.lr, weight_decay=cell.weight_decay,
        batch_size=cell.batch_size, optimizer=cell.optimizer, schedule=cell.schedule, augment=choose_augment(cell),
        seed=cell.seed, precision=cell.precision, device=device, on_epoch=on_epoch,
    )  # fmt: skip
    test = evaluate(model, data.test, precision=cell.precision)
    right = np.packbits((test.predictions == test.labels).numpy())
    return {
        "key": cell.key(),
        "cell": asdict(cell),
        "accuracy": test.accuracy,
        "valid_accuracy": history.best.valid_accuracy,
        "best_epoch": history.best.epoch,
        "train_loss": history.epochs[-1].train_loss,
        "num_train": len(data.train),
        "num_valid": len(data.valid),
        "num_test": len(data.test),
        "right": base64.b64encode(right.tobytes()).decode(),  # one bit a test image
        "parameters": {**asdict(count(model)), "total": count(model).total},
        "data_md5": data.source_md5,
        "seconds": round(time.perf_counter() - began, 3),
    }

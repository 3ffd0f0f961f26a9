"""Build, check, train and test one cell of an experiment grid; what does not fit is one sentence."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from vpcore.backbone import Backbone
from vpcore.count import count
from vpcore.data import Splits
from vpcore.device import choose_device, choose_precision
from vpcore.experiments.grid.cell import Cell, choose_augment
from vpcore.experiments.grid.cell_data import FeatureStore
from vpcore.experiments.grid.published import fit_to_the_last, start
from vpcore.experiments.names.backbones import SCRATCH, fresh_backbone, load_trained, weights_sha256
from vpcore.experiments.names.methods import build_head, build_prompted, method_options
from vpcore.experiments.names.named import read_named
from vpcore.experiments.runs.packed import pack_right
from vpcore.prompted import Prompted
from vpcore.rates import default_rate
from vpcore.train import evaluate, fit
from vpcore.train.optim import make_optimizer, schedule_factor
from vpcore.train.records import EpochRecord, History

SHARED = ("epochs", "lr", "weight_decay", "batch_size", "optimizer", "schedule", "seed", "precision")  # with `fit`


def width_option(cell: Cell) -> dict[str, Any]:
    """Return the width of a cell as its backbone takes it.

    Raises:
        ValueError: a width for another network than simple_cnn.
    """
    if cell.width is None:
        return {}
    if cell.backbone != "simple_cnn":
        raise ValueError(f"width belongs to simple_cnn, got it for {cell.backbone}: leave it out")
    return {"width": cell.width}


def build_method(cell: Cell, backbone: Backbone, images: Tensor, num_classes: int, seed: int) -> Prompted:
    """Build the method of a cell on its backbone.

    Args:
        cell: says which method, and what is trained.
        backbone: of the cell.
        images: as in `build_prompted`.
        num_classes: of the head.
        seed: of the head and of what the method draws.

    Raises:
        ValueError: an option is out of range or of the wrong kind, or the method does not fit this backbone.
    """
    train = cell.backbone in SCRATCH if cell.train_backbone is None else cell.train_backbone

    def head(dim: int) -> nn.Module:
        return build_head(cell.prompt, dim, num_classes, seed)

    try:
        return build_prompted(cell.prompt, backbone, images, head, seed, train)
    except (TypeError, IndexError) as error:
        raise ValueError(_wrong_kind(cell.prompt, error)) from error


def _wrong_kind(prompt: str, error: Exception) -> str:
    """Say what a method's options are, where one that was given cannot be used."""
    name = read_named(prompt)[0]
    takes = ", ".join(str(option).partition(" =")[0] for option in method_options(name).values()) or "no option"
    takes = takes.replace("'", "")  # annotations are texts
    reason = str(error).partition("\n")[0][:120]
    return f"{prompt}: an option has a value of the wrong kind ({reason}): {name} takes {takes}"


def build_model(cell: Cell, data: Splits, device: torch.device | None = None) -> Prompted:
    """Build the model of a cell; the seed gives the same backbone and head whatever the prompt.

    Args:
        cell: of a grid.
        data: of the cell.
        device: where the model goes, and where a prompt that prepares runs the backbone; None for the CPU.

    Raises:
        ValueError: backbone, prompt or an option is unknown, or does not fit the images.
    """
    options = width_option(cell)
    scratch = cell.backbone in SCRATCH
    if scratch:
        options |= {"in_chans": data.in_chans, "mean": data.mean, "std": data.std, "seed": cell.seed}
    load = fresh_backbone if scratch else load_trained
    backbone = load(cell.backbone, image_size=data.image_size, **options).to(device)
    model = build_method(cell, backbone, data.train.images, len(data.classes), cell.seed)
    return (start(model, cell.seed) if cell.recipe else model).to(device)


def check_cell(cell: Cell, data: Splits) -> None:
    """Find out whether a cell can run, without training it.

    Raises:
        ValueError: an option is unknown or does not fit, or no search for a rate can begin.
    """
    if cell.trials is not None:
        default_rate(cell.prompt)
    if cell.epochs < 1 or cell.batch_size < 1:
        raise ValueError(f"epochs and batch_size must be at least 1, got {cell.epochs} and {cell.batch_size}")
    if not len(data.valid) or not len(data.test):
        raise ValueError(_too_few(cell, data))
    choose_augment(cell)
    choose_precision(cell.precision, choose_device())
    steps = data.train.steps(cell.batch_size)
    schedule_factor(cell.schedule, cell.epochs, steps, _rising(cell, data))
    make_optimizer(build_model(cell, data, choose_device()), cell.optimizer, cell.lr, cell.weight_decay)


def _rising(cell: Cell, data: Splits) -> int:
    """Return the steps of warm-up."""
    if not 0 <= (cell.warmup or 0) < 1:
        raise ValueError(f"warmup must be a share of the steps, 0 to below 1, got {cell.warmup}: try 0.2")
    return round((cell.warmup or 0) * cell.epochs * data.train.steps(cell.batch_size))


def _precision(cell: Cell) -> str | None:
    """Return the precision that a cell is trained and tested in; None as `fit` and `evaluate` choose it."""
    return cell.precision or ("float32" if cell.recipe else None)


def _too_few(cell: Cell, data: Splits) -> str:
    """Say why there is nothing to choose or to test with."""
    if any(most is not None and most < 1 for most in (cell.max_valid, cell.max_test)):
        return f"max_valid and max_test must be at least 1, got {cell.max_valid} and {cell.max_test}"
    has = f"{cell.data} has {len(data.valid)} validation and {len(data.test)} test images"
    return f"{has}: each class needs about 6 or more files"


def train_cell(
    cell: Cell, data: Splits, device: str | None, on_epoch: Callable[[EpochRecord], Any] | None, store: FeatureStore
) -> tuple[Prompted, History]:
    """Train one cell and choose its epoch on valid, or as its recipe says; the test images are not touched.

    Raises:
        ValueError: something does not fit, or the loss became infinite.
    """
    model = build_model(cell, data, choose_device(device))
    train, valid = (store.split(cell, model, data, part) for part in ("train", "valid"))
    shared = {name: getattr(cell, name) for name in SHARED} | {"device": device, "on_epoch": on_epoch}
    shared |= {"precision": _precision(cell), "warmup_steps": _rising(cell, data)}
    train_model = fit_to_the_last if cell.recipe else fit
    return model, train_model(model, train, valid, augment=choose_augment(cell), progress=False, **shared)


def run_cell(
    cell: Cell,
    data: Splits,
    device: str | None = None,
    on_epoch: Callable[[EpochRecord], Any] | None = None,
    store: FeatureStore | None = None,
    trained: tuple[Prompted, History] | None = None,
) -> dict[str, Any]:
    """Train one cell as `train_cell` does, read test once, and return the result as plain values.

    Args:
        cell: what to run.
        data: of the cell.
        device: as in `fit`.
        on_epoch: as in `fit`.
        store: keeps frozen activations for other cells.
        trained: what `train_cell` returned for this very cell, so that it is not trained again.

    Raises:
        ValueError: something does not fit, or the loss became infinite.
    """
    began = time.perf_counter()
    earlier = sum(record.seconds for record in trained[1].epochs) if trained else 0.0
    store = FeatureStore() if store is None else store
    model, history = trained or train_cell(cell, data, device, on_epoch, store)
    chosen = history.epochs[-1] if cell.recipe else history.best
    test = evaluate(model, store.split(cell, model, data, "test"), precision=_precision(cell))
    return {
        "key": cell.key(),
        "cell": asdict(cell),
        "accuracy": test.accuracy,
        "valid_accuracy": chosen.valid_accuracy,
        "best_epoch": chosen.epoch,
        "train_loss": history.epochs[-1].train_loss,
        "num_train": len(data.train),
        "num_valid": len(data.valid),
        "num_test": len(data.test),
        "right": pack_right(test),
        "parameters": {**asdict(count(model)), "total": count(model).total},
        "data_md5": data.source_md5,
        **weights_sha256(cell.backbone),
        "seconds": round(time.perf_counter() - began + earlier, 3),
    }

"""Train the bundled small backbones from scratch: `python -m vpcore.pretrain --backbone vit_nano --root ROOT`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch import Tensor, nn

from vpcore.backbone import Backbone
from vpcore.data import Splits, load_data
from vpcore.data.augment import Augment
from vpcore.device import choose_device
from vpcore.experiments.pretrain.averaged import Averaged, averaged_backbone, renew
from vpcore.experiments.pretrain.recipes import RECIPES, Recipe, make_loss
from vpcore.experiments.runs.machine import hardware, versions
from vpcore.models import load_backbone
from vpcore.models.bundled import read_card
from vpcore.prompted import Prompted, classify
from vpcore.prompts.base import NoPrompt
from vpcore.saved import fingerprint
from vpcore.tensorfile import replace_file, write_tensors
from vpcore.train import EpochRecord, evaluate, fit

LIMITS = "Trained on {} only; small on purpose; no fairness or safety review."
HOLDS = {"cifar100": "32-pixel photographs of 100 everyday classes"}  # what a set shows, in words


def load_teacher(name: str, data: Splits) -> nn.Module | None:
    """Return a bundled backbone as a frozen classifier of the data's classes; None for the name "none".

    Raises:
        FileNotFoundError: no such weights ship.
        ValueError: it was trained on other classes.
    """
    if name == "none":
        return None
    if list(read_card(name)["data"]["classes"]) != list(data.classes):
        raise ValueError(f"{name} was trained on other classes than those of {data.name}: give --teacher none")
    return classify(load_backbone(name)).to(choose_device())


def same_run(checkpoint: Path | None, recipe: Recipe, data: Splits, teacher: nn.Module | None) -> Path | None:
    """Return a checkpoint's path, after writing recipe, data and teacher beside it, in a .json of the same name.

    Raises:
        OSError: the folder cannot be written to, or the disk is full.
        ValueError: the checkpoint is there and is damaged, or of a run with another recipe, data set or teacher.
    """
    if checkpoint is None:
        return None
    note = checkpoint.with_suffix(".json")
    guide = "none" if teacher is None else fingerprint(teacher)
    mine = {**asdict(recipe), "data": f"{data.name} {data.source_md5}", "teacher": guide}
    if checkpoint.is_file():
        saved = json.loads(note.read_text()) if note.is_file() else {}
        others = [key for key, value in mine.items() if key not in saved or saved[key] != value]
        if others:
            fix = "choose another folder (--out), or delete it to start afresh"
            raise ValueError(f"{checkpoint} is of a run with other {', '.join(others)}: {fix}")
        renew(checkpoint)
    replace_file(note, (json.dumps(mine, indent=1) + "\n").encode())
    return checkpoint


def pretrain(
    backbone: Backbone,
    data: Splits,
    recipe: Recipe,
    *,
    teacher: nn.Module | None = None,
    seed: int = 0,
    checkpoint: Path | None = None,
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> tuple[Averaged, list[EpochRecord]]:
    """Train a backbone and its classifier from scratch; returns the averaged model of the best validation epoch.

    Args:
        backbone: with fresh weights and a `classifier` for the data's classes.
        data: train and valid are used; test is not touched.
        recipe: how to train.
        teacher: maps images in [0, 1] to logits; needed when `recipe.distill` is positive.
        seed: seed of batches, augmentation and mixing.
        checkpoint: file to write after each epoch and to resume from.
        on_epoch: called with each epoch's record.

    Raises:
        ValueError: the backbone has no classifier, a teacher is missing, or the checkpoint is of another run.
    """
    if recipe.distill and teacher is None:
        raise ValueError("this recipe distills: name a trained teacher backbone (--teacher resnet_nano)")
    model = Averaged(_trainable(backbone, data), recipe.ema)
    steps = -(-len(data.train) // recipe.batch_size)
    history = fit(
        model, data.train, data.valid, epochs=recipe.epochs, lr=recipe.lr, weight_decay=recipe.weight_decay,
        batch_size=recipe.batch_size, optimizer=recipe.optimizer, warmup_steps=recipe.warmup_epochs * steps,
        augment=Augment(crop=4, flip=True), loss=make_loss(recipe, len(data.classes), teacher), seed=seed,
        checkpoint=same_run(checkpoint, recipe, data, teacher), on_epoch=on_epoch, progress=False,
    )  # fmt: skip
    return model, history.epochs


def _trainable(backbone: Backbone, data: Splits) -> nn.Module:
    head, backbone.classifier = backbone.classifier, None
    if head is None:
        raise ValueError(
            f"{backbone.spec.name} has no classifier: build it with num_source_classes={len(data.classes)}"
        )
    net = Prompted(backbone, NoPrompt(backbone.spec), head.requires_grad_(True), train_backbone=True)
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def first_loss(name: str, data: Splits, steps: int = 10) -> float:
    """Return the training loss after 10 steps at a twentieth of the rate: a fingerprint of data, network and recipe.

    CPU, float64, seed 0, without a teacher. One thread and two then agree to 1e-12; in float32 they, or another
    processor's kernels, are apart by up to 1e-2 after 50 steps. Of a small set, it is the loss after one pass.
    """
    recipe = replace(RECIPES[name], epochs=1, distill=0.0)
    first = data.train.take(range(min(len(data.train), recipe.batch_size * steps)))
    few = data.valid.take(range(min(len(data.valid), 100)))
    losses: list[float] = []
    plain = make_loss(recipe, len(data.classes), None)

    def recorded(model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        value = plain(model, images, labels, generator)
        losses.append(float(value.detach()))
        return value

    fresh = load_backbone(name, pretrained=False, num_source_classes=len(data.classes))
    fit(
        Averaged(_trainable(fresh, data).double(), recipe.ema), first, few, epochs=1, lr=recipe.lr / 20,
        weight_decay=recipe.weight_decay, batch_size=recipe.batch_size, optimizer=recipe.optimizer,
        schedule="constant", augment=Augment(crop=4, flip=True), loss=recorded, device="cpu", precision="float32",
    )  # fmt: skip
    return losses[-1]


app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def main(
    backbone: Annotated[str, typer.Option(help="vit_nano or resnet_nano")],
    root: Annotated[Path | None, typer.Option(help="folder of the data sets; default VPCORE_DATA")] = None,
    data: Annotated[str, typer.Option(help="data set to train on")] = "cifar100",
    teacher: Annotated[str, typer.Option(help="bundled backbone whose opinion is distilled, or none")] = "auto",
    epochs: Annotated[int, typer.Option(help="passes over the data; 0 takes the recipe's")] = 0,
    seed: Annotated[int, typer.Option(help="seed of weights, batches and augmentation")] = 0,
    out: Annotated[Path, typer.Option(help="folder for checkpoint, log, weights and card")] = Path("runs/pretrain"),
) -> None:
    """Pretrain one bundled backbone, test it once, and write its weights and card; resumes where it stopped."""
    if backbone not in RECIPES:
        raise typer.BadParameter(f"backbone must be one of {', '.join(RECIPES)}, got {backbone!r}")
    full = RECIPES[backbone]
    recipe = replace(full, epochs=epochs or full.epochs)
    recipe = replace(recipe, warmup_epochs=min(full.warmup_epochs, recipe.epochs - 1))
    try:
        _run(backbone, root, data, teacher, recipe, seed, out)
    except (OSError, ValueError) as error:
        typer.echo(f"pretrain: {error}", err=True)
        raise typer.Exit(2) from error


def _run(name: str, root: Path | None, data_name: str, teacher: str, recipe: Recipe, seed: int, out: Path) -> None:
    splits = load_data(data_name, root, image_size=32, in_chans=3)
    chosen = {"auto": "resnet_nano" if recipe.distill else "none"}.get(teacher, teacher)
    guide = load_teacher(chosen, splits)
    recipe = recipe if guide is not None else replace(recipe, distill=0.0)
    out.mkdir(parents=True, exist_ok=True)
    first = first_loss(name, splits)  # before the hours of training: what is wrong with the data shows here
    fresh = load_backbone(name, pretrained=False, seed=seed, num_source_classes=len(splits.classes))
    with _progress(recipe.epochs, out / f"{name}.log.jsonl") as note:
        model, epochs = pretrain(
            fresh, splits, recipe, teacher=guide, seed=seed, checkpoint=out / f"{name}.run.safetensors", on_epoch=note
        )
    finished = half_precision(averaged_backbone(model))
    test = evaluate(classify(finished), splits.test)
    write_weights(finished, splits, out, {
        "recipe": asdict(recipe), "augmentation": "random crop (padding 4) and flip", "teacher": chosen, "seed": seed,
        "command": f"python -m vpcore.pretrain --backbone {name} --data {data_name} --epochs {recipe.epochs} "
        f"--seed {seed} --teacher {chosen}",
        "seconds": round(sum(r.seconds for r in epochs)), "hardware": hardware(str(choose_device())),
        "versions": versions(), "test_accuracy": test.accuracy, "test_standard_error": test.standard_error,
        "valid_accuracy": max(r.valid_accuracy for r in epochs), "curve": [round(r.valid_accuracy, 4) for r in epochs],
        "first_loss": first,
    })  # fmt: skip
    typer.echo(f"{name}: test accuracy {test.accuracy:.4f} on {len(splits.test)} images, weights in {out}")


@contextmanager
def _progress(epochs: int, log: Path) -> Iterator[Callable[[EpochRecord], None]]:
    """Yield a function that shows each epoch on a bar with the time left and appends it to a JSON-lines log."""
    from tqdm import tqdm

    with tqdm(total=epochs, unit="epoch") as bar:

        def note(record: EpochRecord) -> None:
            bar.update(record.epoch + 1 - bar.n)
            bar.set_postfix(valid=f"{record.valid_accuracy:.3f}")
            with log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(record)) + "\n")

        yield note


def write_weights(backbone: Backbone, data: Splits, folder: Path, facts: dict[str, Any]) -> None:
    """Write a trained backbone as float16 safetensors and its card, `NAME.safetensors` and `NAME.json`.

    Args:
        backbone: trained, with its classifier.
        data: what it was trained on.
        folder: where to.
        facts: what the card says beyond data, sizes, hash and limits.

    Raises:
        OSError: the folder cannot be written to, or the disk is full.
    """
    name = backbone.spec.name
    path = folder / f"{name}.safetensors"
    half = {k: t.half() if t.is_floating_point() else t for k, t in backbone.state_dict().items()}
    spec = backbone.spec
    about = {"format": "vpcore.backbone.1", "name": name, "mean": spec.mean, "std": spec.std}
    write_tensors(path, half, {"vpcore": json.dumps(about)})  # one key: the order of several would not be stable
    card = {
        "name": name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "bytes": path.stat().st_size,
        "parameters": sum(p.numel() for p in backbone.parameters()),
        "mean": spec.mean,
        "std": spec.std,
        "data": {"name": data.name, "md5": data.source_md5, "train": len(data.train), "valid": len(data.valid),
                 "test": len(data.test), "classes": data.classes},
        **facts,
        "limits": LIMITS.format(HOLDS.get(data.name, f"{data.name}, {len(data.classes)} classes, at 32 pixels,")),
    }  # fmt: skip
    replace_file(folder / f"{name}.json", (json.dumps(card, indent=1) + "\n").encode())


def half_precision(backbone: Backbone) -> Backbone:
    """Round the weights to float16 and back, in place: what a loaded bundled backbone computes with."""
    with torch.no_grad():
        for tensor in [*backbone.parameters(), *backbone.buffers()]:
            if tensor.is_floating_point():
                tensor.copy_(tensor.half())
    return backbone

"""What `kills.py` kills: a small training, pretraining or grid that resumes.

An epoch whose checkpoint is written is a line in FOLDER/done.txt, so that work done twice shows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

import vpcore
from vpcore.data.augment import Augment
from vpcore.data.splits import Split, Splits
from vpcore.experiments.grid.cell import expand
from vpcore.experiments.grid.command import run_grid
from vpcore.experiments.pretrain.averaged import averaged_backbone
from vpcore.experiments.pretrain.pretrain import pretrain
from vpcore.experiments.pretrain.recipes import RECIPES
from vpcore.experiments.runs.runlog import read_runs


def noise(count: int, seed: int, size: int, chans: int) -> Split:
    draw = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (count, chans, size, size), generator=draw, dtype=torch.uint8)
    return Split(images, torch.arange(count) % 3)


def digest(tensors: dict[str, torch.Tensor]) -> str:
    """Return a hash of names and bits."""
    found = hashlib.sha256()
    for name in sorted(tensors):
        found.update(name.encode() + tensors[name].detach().contiguous().numpy().tobytes())
    return found.hexdigest()


def noted(folder: Path) -> Callable[[object], None]:
    """Return what writes down each epoch, also if the process is killed right after."""

    def note(_: object) -> None:
        with (folder / "done.txt").open("a") as file:
            file.write("1\n")

    return note


def trained(folder: Path, share: float) -> str:
    net = vpcore.load_backbone("resnet_nano", pretrained=False)
    model = vpcore.Prompted(net, vpcore.InstanceImagePrompt(net.spec), vpcore.LinearHead(net.spec.dim, 3))
    vpcore.fit(
        model, noise(256, 0, 32, 3), noise(32, 1, 32, 3), epochs=round(12 * share), batch_size=32,
        augment=Augment(crop=2, flip=True), checkpoint=folder / "run.safetensors", on_epoch=noted(folder),
    )  # fmt: skip
    return digest(model.learned())


def pretrained(folder: Path, share: float) -> str:
    splits = Splits(
        noise(256, 0, 32, 3), noise(32, 1, 32, 3), noise(32, 2, 32, 3), ("a", "b", "c"), (0.5,) * 3, (0.25,) * 3,
        "noise", "",
    )  # fmt: skip
    recipe = replace(RECIPES["vit_nano"], epochs=round(8 * share), warmup_epochs=1, batch_size=64, distill=0.0)
    fresh = vpcore.load_backbone("vit_nano", pretrained=False, num_source_classes=3)
    model, _ = pretrain(fresh, splits, recipe, checkpoint=folder / "run.safetensors", on_epoch=noted(folder))
    return digest(dict(averaged_backbone(model).named_parameters()))


def gridded(folder: Path, share: float) -> str:
    prompts, seeds = ["none", "multiscale"], round(4 * share)
    cells = expand(["digits"], ["simple_cnn"], prompts, seeds, [1e-2], epochs=2, limit=100, width=2)
    run_grid(cells, folder / "runs.jsonl")
    runs = read_runs(folder / "runs.jsonl")
    keys = [run["key"] for run in runs]
    assert len(keys) == len(set(keys)) == len(cells), "a run is missing, or there twice"
    return json.dumps(sorted([run["key"], run["accuracy"], run["right"]] for run in runs))


def work(kind: str, folder: Path, share: float) -> None:
    """Do the work, or what is left of it, and write down a hash of its results.

    Args:
        kind: fit, pretrain or grid.
        folder: for checkpoints and the result.
        share: so much of the epochs and runs of the full size.
    """
    torch.set_num_threads(1)
    result = {"fit": trained, "pretrain": pretrained, "grid": gridded}[kind](folder, share)
    (folder / "aside.txt").write_text(result)
    (folder / "aside.txt").rename(folder / "result.txt")

"""What pretraining begins with: a teacher of the same classes, and a checkpoint of the same run."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from torch import nn

from vpcore.data import Splits
from vpcore.device import choose_device
from vpcore.experiments.pretrain.averaged import renew
from vpcore.experiments.pretrain.recipes import Recipe
from vpcore.models import load_backbone
from vpcore.models.bundled import read_card
from vpcore.prompted import classify
from vpcore.saved import fingerprint
from vpcore.tensorfile import replace_file


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

"""What `kills.py` kills: a small training, pretraining or grid that resumes. Run: killed_worker.py KIND FOLDER."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import torch

import vpcore
from vpcore.augment import Augment
from vpcore.averaged import averaged_backbone
from vpcore.cells import expand
from vpcore.grid import run_grid
from vpcore.pretrain import pretrain
from vpcore.recipes import RECIPES
from vpcore.runlog import read_runs
from vpcore.splits import Split, Splits


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


def trained(folder: Path) -> str:
    net = vpcore.load_backbone("resnet_nano", pretrained=False)
    model = vpcore.Prompted(net, vpcore.InstanceImagePrompt(net.spec), vpcore.LinearHead(net.spec.dim, 3))
    vpcore.fit(
        model, noise(256, 0, 32, 3), noise(32, 1, 32, 3), epochs=12, batch_size=32, augment=Augment(crop=2, flip=True),
        checkpoint=folder / "run.safetensors",
    )  # fmt: skip
    return digest(model.learned())


def pretrained(folder: Path) -> str:
    splits = Splits(
        noise(256, 0, 32, 3), noise(32, 1, 32, 3), noise(32, 2, 32, 3), ("a", "b", "c"), (0.5,) * 3, (0.25,) * 3,
        "noise", "",
    )  # fmt: skip
    recipe = replace(RECIPES["vit_nano"], epochs=8, warmup_epochs=1, batch_size=64, distill=0.0)
    fresh = vpcore.load_backbone("vit_nano", pretrained=False, num_source_classes=3)
    model, _ = pretrain(fresh, splits, recipe, checkpoint=folder / "run.safetensors")
    return digest(dict(averaged_backbone(model).named_parameters()))


def gridded(folder: Path) -> str:
    cells = expand(["digits"], ["simple_cnn"], ["none", "multiscale"], 4, [1e-2], epochs=2, limit=100, width=2)
    run_grid(cells, folder / "runs.jsonl")
    runs = read_runs(folder / "runs.jsonl")
    keys = [run["key"] for run in runs]
    assert len(keys) == len(set(keys)) == len(cells), "a run is missing, or there twice"
    return json.dumps(sorted([run["key"], run["accuracy"], run["right"]] for run in runs))


if __name__ == "__main__":
    kind, where = sys.argv[1], Path(sys.argv[2])
    torch.set_num_threads(1)
    print("ready", flush=True)
    result = {"fit": trained, "pretrain": pretrained, "grid": gridded}[kind](where)
    (where / "result.txt").write_text(result)

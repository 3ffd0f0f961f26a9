"""Lesson 02: which classes of Fashion-MNIST the paper's ResNet-18 mixes up, with MSVP and without.

`python -m course.studies.study_02 --out runs.jsonl` trains pairs of runs with the paper's recipe on few images. Beside
the accuracy each run keeps its confusion matrix.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

import vpcore
from course.studies.study import Case, Outcome, Study, seeds_of
from vpcore.experiments.grid.cell import Cell
from vpcore.experiments.grid.cell_data import FeatureStore, Loader
from vpcore.experiments.grid.train_cell import train_cell
from vpcore.inside.grad_cam import confusion_matrix

ARMS = ("none", "multiscale")
NETWORK = "resnet18_small"


def confusion(evaluation: vpcore.Evaluation, classes: int) -> list[list[float]]:
    """Return the row-normalized confusion matrix (K, K), rows are true classes, rounded to 1e-4."""
    return confusion_matrix(evaluation.predictions, evaluation.labels, classes).double().round(decimals=4).tolist()


def record(study: Study, cell: Cell, load: Loader) -> None:
    """Train one cell and test it."""
    data = load(cell)
    settings = {"limit": cell.limit, "epochs": cell.epochs, "batch_size": cell.batch_size, "lr": cell.lr}

    def work() -> Outcome:
        model, _ = train_cell(cell, data, "cpu", None, FeatureStore())
        test = vpcore.evaluate(model, data.test, device="cpu")
        return Outcome(test, {"confusion": confusion(test, len(data.classes))})

    study.run(Case(cell.data, cell.backbone, cell.prompt, cell.seed, settings), data, work)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all pairs, or what is left of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--data", default="fashion_mnist")
    parser.add_argument("--backbone", default=NETWORK)
    parser.add_argument("--limit", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=6)
    asked = parser.parse_args(arguments)
    study, load = Study(asked.out), Loader(None)
    for seed in seeds_of(asked.seeds):
        for arm in ARMS:
            cell = Cell(asked.data, asked.backbone, arm, seed, epochs=asked.epochs, batch_size=32, limit=asked.limit,
                        max_valid=100, max_test=1000)  # fmt: skip
            record(study, cell, load)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()

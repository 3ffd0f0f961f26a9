"""Lesson 02: what logistic regression reads from the same pixels, which a network should be above.

`python -m course.studies.study_02 --out runs.jsonl` fits scikit-learn's on the first images of MNIST and Fashion-MNIST,
the same that the recorded networks have. One seed: its loss has one minimum.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from torch.nn import functional as F

from course.studies.study import Case, Outcome, Study
from vpcore.data.splits import Splits
from vpcore.experiments.grid.cell import Cell
from vpcore.experiments.grid.cell_data import Loader
from vpcore.train.records import Evaluation


def logistic(data: Splits) -> Evaluation:
    """Return the test of logistic regression (L2, C = 1) on pixels in 0 … 1; nothing is chosen."""
    from sklearn.linear_model import LogisticRegression

    pixels, test = ((split.images.flatten(1).numpy() / 255.0) for split in (data.train, data.test))
    model = LogisticRegression(C=1.0, max_iter=1000).fit(pixels, data.train.labels.numpy())
    scores, labels = torch.from_numpy(model.predict_log_proba(test)), data.test.labels
    return Evaluation(
        accuracy=float((scores.argmax(1) == labels).double().mean()),
        loss=float(F.nll_loss(scores, labels.long())),
        predictions=scores.argmax(1),
        labels=labels,
    )


def _read(data: Splits) -> Outcome:
    return Outcome(logistic(data))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is left of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", nargs="+", default=["mnist", "fashion_mnist"])
    parser.add_argument("--limit", type=int, default=2000)
    asked = parser.parse_args(arguments)
    study, load = Study(asked.out), Loader(None)
    for name in asked.data:
        data = load(Cell(name, "simple_cnn", "none", limit=asked.limit))
        study.run(Case(name, "pixels", "logistic", 0, {"limit": asked.limit}), data, partial(_read, data))


if __name__ == "__main__":
    main()

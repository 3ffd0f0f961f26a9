"""Study 02: pairs of runs, each with a confusion matrix that agrees with its accuracy."""

from pathlib import Path

import numpy as np
import pytest

from course.recorded import recorded
from course.results.pack import pack
from course.studies import study_02


def test_pairs_with_matrices_that_agree_with_the_accuracies(tmp_path: Path) -> None:
    out = tmp_path / "toy.jsonl"
    words = ["--out", str(out), "--data", "digits", "--backbone", "simple_cnn", "--limit", "40", "--epochs", "1"]
    study_02.main(words)
    study_02.main(words)  # nothing is left to run
    pack([out], "toy", tmp_path)
    table = recorded("toy", tmp_path)
    assert len(table.runs) == 10
    assert len(table.accuracies("digits", "multiscale")) == len(table.accuracies("digits")) == 5
    for run in table.runs:
        matrix = np.array(run["extra"]["confusion"])
        assert matrix.sum(1) == pytest.approx(np.ones(10), abs=1e-3)
        assert matrix.trace() / 10 == pytest.approx(run["accuracy"], abs=0.05)  # classes are about as frequent

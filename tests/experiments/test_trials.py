"""Trials are kept: none is run twice, one that diverged is remembered as such, a cut line is run again."""

import json
import math
from pathlib import Path

from vpcore.experiments.runs.trials import Trials


def test_a_trial_is_run_once_and_written_with_what_it_was(tmp_path: Path) -> None:
    asked = []

    def work() -> float:
        asked.append(1)
        return 0.5

    for _ in range(2):
        trials = Trials(tmp_path / "t")
        assert [trials.accuracy("a", work, rate=0.1) for _ in range(2)] == [0.5, 0.5]
    assert len(asked) == 1
    line = json.loads((tmp_path / "t").read_text())
    assert (line["key"], line["rate"], line["valid_accuracy"]) == ("a", 0.1, 0.5)


def test_a_trial_that_diverged_stays_so(tmp_path: Path) -> None:
    assert math.isnan(Trials(tmp_path / "t").accuracy("a", lambda: float("nan")))
    assert math.isnan(Trials(tmp_path / "t").accuracy("a", lambda: 0.5))
    assert "NaN" not in (tmp_path / "t").read_text()


def test_a_cut_line_is_run_again(tmp_path: Path) -> None:
    Trials(tmp_path / "t").accuracy("a", lambda: 0.5)
    (tmp_path / "t").write_text((tmp_path / "t").read_text()[:-5])
    assert Trials(tmp_path / "t").accuracy("a", lambda: 0.6) == 0.6

"""One kill each of a training, a pretraining and a grid: they go on to the same bits. tests/full/kills.py kills 50."""

import pytest
from full.kills import half_done, kill_runs

SEEDS = {"fit": 9, "pretrain": 17, "grid": 30}  # the first moment drawn lies near the middle of the run


@pytest.mark.parametrize("kind", SEEDS)
def test_a_killed_run_goes_on_to_the_same_bits(kind):
    _, halfway = kill_runs(kind, 1, seed=SEEDS[kind], share=0.5, hits=1)
    assert halfway == 1


def test_a_kill_before_any_work_does_not_count(tmp_path):
    (tmp_path / "runs.jsonl").touch()
    (tmp_path / "run.json").write_text("{}")
    assert not half_done(tmp_path)
    (tmp_path / "runs.jsonl").write_text("{}\n")
    assert half_done(tmp_path)
    (tmp_path / "result.txt").touch()
    assert not half_done(tmp_path)

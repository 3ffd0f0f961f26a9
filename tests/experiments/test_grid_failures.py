"""What ends one cell of a grid, and what ends the grid."""

import json
import shlex

import pytest
import torch
from typer.testing import CliRunner

import vpcore
from vpcore.device import OutOfMemory
from vpcore.experiments.cluster import ray_run
from vpcore.experiments.grid import command as grid
from vpcore.experiments.grid import run as grid_run
from vpcore.experiments.grid.cell import Cell
from vpcore.experiments.grid.rates import RateSearch
from vpcore.experiments.runs.runlog import read_runs
from vpcore.rates import PUBLISHED
from vpcore.train.speedups import Speedups

TINY = shlex.split("--data digits --backbone resnet_nano --augment none --limit 20 --max-valid 20 --max-test 30")
TINY += shlex.split("--epochs 1 --batch-size 10 --optimizer adamw")
SEARCH = [*TINY, *shlex.split("--lr search --trials 3")]
STEP = "out of memory with batch_size=10 and accumulate=1: give fit a larger accumulate, or a smaller batch_size"


def call(*arguments):
    return CliRunner().invoke(grid.app, [*map(str, arguments)])


def failing(monkeypatch, error):
    """Let every trial of norm_tuning fail; returns the cells that were tried."""
    tried, real = [], grid_run.train_cell

    def train(cell, *rest):
        tried.append(cell)
        if cell.prompt == "norm_tuning":
            raise error
        return real(cell, *rest)

    monkeypatch.setattr(grid_run, "train_cell", train)
    return tried


def failures(result):
    return [line for line in result.stderr.replace("\r", "\n").splitlines() if "failed: " in line]


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OutOfMemory(STEP), STEP),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "out of memory outside of a training"),
        (ValueError("labels beyond the model's classes"), "labels beyond the model's classes"),
    ],
)
def test_a_search_that_fails_costs_its_cells_alone(tmp_path, monkeypatch, error, says):
    out = tmp_path / "r"
    tried = failing(monkeypatch, error)
    options = [*SEARCH, "--prompt", "norm_tuning,none", "--seeds", 2, "--out", out]
    result = call(*options)
    assert result.exit_code == 1, result.output
    said = failures(result)
    assert [line.partition("failed: ")[2].partition(f": {says}")[0] for line in said] == [
        f"digits resnet_nano norm_tuning seed {seed}" for seed in (0, 1)
    ]
    assert [run["cell"]["prompt"] for run in read_runs(out)] == ["none", "none"]
    assert {trial["cell"]["prompt"] for trial in read_runs(f"{out}.trials")} == {"none"}  # no nan for norm_tuning
    assert sum(cell.prompt == "norm_tuning" for cell in tried) == 1  # the second seed does not try again
    monkeypatch.undo()  # a larger machine
    again = call(*options)
    assert again.exit_code == 0, again.output
    assert len(read_runs(out)) == 4


def test_a_fault_that_is_no_failure_still_ends_the_grid(tmp_path, monkeypatch):
    failing(monkeypatch, RuntimeError("a fault of the library"))
    with pytest.raises(RuntimeError, match="a fault of the library"):
        CliRunner().invoke(
            grid.app, [*SEARCH, "--prompt", "norm_tuning", "--seeds", "1", "--out", str(tmp_path / "r")],
            catch_exceptions=False,
        )  # fmt: skip


def test_damaged_trials_end_the_grid(tmp_path):
    (tmp_path / "r.trials").write_bytes(b"{broken\n")
    result = call(*SEARCH, "--prompt", "none", "--seeds", 1, "--out", tmp_path / "r")
    assert result.exit_code == 2
    assert "r.trials is damaged" in result.stderr.splitlines()[-1]


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA: no"), RuntimeError("x: can't allocate memory: y")])
def test_no_memory_beside_training_costs_one_cell(tmp_path, monkeypatch, error):
    real = grid_run.run_cell

    def run(cell, *rest):
        if cell.seed == 1:
            raise error
        return real(cell, *rest)

    monkeypatch.setattr(grid_run, "run_cell", run)
    result = call(*TINY, "--lr", "1e-2", "--prompt", "none", "--seeds", 3, "--out", tmp_path / "r")
    assert result.exit_code == 1, result.output
    [said] = failures(result)
    assert "failed: digits resnet_nano none seed 1: out of memory outside of a training step: lower batch_size" in said
    assert [run["seed"] for run in read_runs(tmp_path / "r")] == [0, 2]


def test_a_cell_whose_steps_do_not_fit_fails_alone_and_may_be_run_again(tmp_path, monkeypatch):
    real = vpcore.Prompted.forward

    def forward(self, x, *rest, **options):
        if torch.is_grad_enabled() and self.training and isinstance(self.prompt, vpcore.PadPrompt):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, x, *rest, **options)

    options = [*TINY, "--lr", "1e-2", "--prompt", "none,full", "--seeds", 1, "--out", tmp_path / "r"]
    with monkeypatch.context() as patch:
        patch.setattr(vpcore.Prompted, "forward", forward)
        result = call(*options)
    assert result.exit_code == 1, result.output
    assert [line.partition("failed: ")[2] for line in failures(result)] == [
        f"digits resnet_nano full seed 0: {STEP} or image_size"
    ]
    assert [run["cell"]["prompt"] for run in read_runs(tmp_path / "r")] == ["none"]
    assert call(*options).exit_code == 0
    assert [run["cell"]["prompt"] for run in read_runs(tmp_path / "r")] == ["none", "full"]


def test_results_that_say_halved_still_load_and_are_not_run_again(tmp_path):
    """Lines of grids from before `accumulate`, where memory that ran out split batches by itself."""
    options = [*TINY, "--lr", "1e-2", "--prompt", "none", "--seeds", 1, "--out", tmp_path / "r"]
    assert call(*options).exit_code == 0
    [run] = read_runs(tmp_path / "r")
    assert "halved" not in run
    (tmp_path / "r").write_text(json.dumps({**run, "halved": True}) + "\n")
    before = (tmp_path / "r").read_bytes()
    assert call(*options).exit_code == 0
    assert (tmp_path / "r").read_bytes() == before
    assert call("--report", tmp_path / "r").exit_code == 0


def test_a_machine_of_a_cluster_answers_why_a_cell_failed(monkeypatch):
    def fail(*given):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(ray_run, "run_cell", fail)
    monkeypatch.setattr(grid_run, "train_cell", fail)
    order = ray_run.Order("cpu", None, 1, {}, Speedups(), "command")
    cell = dict(data="digits", backbone="resnet_nano", prompt="none", augment="none")
    assert ray_run.run_task(cell, order)["failed"].startswith("out of memory outside of a training step")
    answer = ray_run.trial_task(cell, order)
    assert isinstance(answer, dict)
    assert answer["failed"].startswith("out of memory outside of a training step")


def test_a_method_without_a_published_rate_is_named_before_training(tmp_path, monkeypatch):
    monkeypatch.delitem(PUBLISHED, "none")
    search = RateSearch(tmp_path / "t", [], lambda cell: pytest.fail("a trial"))
    with pytest.raises(ValueError, match="no published rate for 'none': add it to PUBLISHED in"):
        search(Cell("digits", "resnet_nano", "none", trials=3))
    result = call(*SEARCH, "--prompt", "norm_tuning,none", "--seeds", 1, "--out", tmp_path / "r")
    assert result.exit_code == 2
    assert "error: no published rate for 'none'" in result.stderr
    assert not (tmp_path / "r.trials").exists()

"""What a grid says before it trains: options of the wrong kind, what is lacking, and what has changed."""

import shlex
from dataclasses import asdict

import numpy as np
import pytest
from PIL import Image
from torchvision import datasets
from typer.testing import CliRunner

from vpcore.data.sources import read_vision
from vpcore.device import NotDownloaded
from vpcore.experiments.grid import command as grid
from vpcore.experiments.grid import presets, rehearsal
from vpcore.experiments.grid.cell import Cell
from vpcore.experiments.grid.presets import Preset
from vpcore.experiments.grid.rehearsal import check_weights
from vpcore.experiments.names.backbones import weights_sha256
from vpcore.experiments.report.rows import summarize
from vpcore.experiments.runs.runlog import read_runs

TINY = shlex.split("--limit 20 --max-valid 20 --max-test 20 --epochs 1 --seeds 1 --lr 1e-2 --batch-size 10")


def call(*arguments):
    return CliRunner().invoke(grid.app, [*map(str, arguments)])


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        ("activation:layer=last", "activation:layer=last: an option has a value of the wrong kind (layer must"),
        ("cluster:num_clusters=two", "cluster takes num_clusters: int"),
        ("lora:rank=abc,targets=conv", "lora takes rank: int"),
        ("instance_image:patch_hidden=0", "patch_hidden and global_hidden must be at least 1, got 0 and 6"),
    ],
)
@pytest.mark.parametrize("cost", [[], ["--cost"]])
def test_an_option_of_the_wrong_kind_is_one_line(tmp_path, prompt, says, cost):
    given = ["--data", "digits", "--backbone", "resnet_nano", "--prompt", prompt, *TINY, *cost]
    result = call(*given, "--out", tmp_path / "r")
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("cost", [[], ["--cost"]])
def test_a_width_of_another_network_is_refused(tmp_path, cost):
    given = ["--data", "digits", "--backbone", "resnet_nano", "--width", 8, "--prompt", "none", *TINY, *cost]
    result = call(*given, "--out", tmp_path / "r")
    assert result.exit_code == 2
    assert "error: width belongs to simple_cnn, got it for resnet_nano: leave it out" in result.stderr


# --- what cannot be had -------------------------------------------------------------------------------------------


def test_what_cannot_be_downloaded_is_left_out_and_named(tmp_path, monkeypatch):
    def broken(*given, **options):
        raise ValueError("the original URL is broken")

    def no_weights(cell, data):
        if cell.backbone == "vit_nano":
            raise NotDownloaded("no weights for vit_nano (connection refused)")

    monkeypatch.setattr(datasets, "StanfordCars", broken)
    monkeypatch.setattr(rehearsal, "check_cell", no_weights)
    monkeypatch.setenv("VPCOURSE_PROFILE", "full")
    toy = Preset(("stanford_cars", "digits"), ("resnet_nano", "vit_nano"), ("none",), options={"augment": "none"})
    monkeypatch.setitem(presets.PRESETS, "toy", toy)
    result = call("--preset", "toy", *TINY, "--root", tmp_path / "sets", "--out", tmp_path / "r")
    assert result.exit_code == 0, result.output
    assert "note: left out stanford_cars, which is not here: stanford_cars could not be downloaded" in result.stderr
    assert "note: left out vit_nano, which is not here: no weights for vit_nano" in result.stderr
    assert [(run["cell"]["data"], run["cell"]["backbone"]) for run in read_runs(tmp_path / "r")] == [
        ("digits", "resnet_nano")
    ]
    named = ["--data", "digits", "--backbone", "vit_nano", "--prompt", "none", *TINY]  # no preset: an error
    result = call(*named, "--out", tmp_path / "r2")
    assert result.exit_code == 2
    assert "error: no weights for vit_nano (connection refused)" in result.stderr


def test_the_package_that_a_set_needs_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("vpcore.data.sources.find_spec", lambda name: None)
    (tmp_path / "pcam").mkdir()
    with pytest.raises(FileNotFoundError, match="pcam needs a package that is not here: python -m pip install h5py"):
        read_vision("pcam", tmp_path, 32)


# --- weights of a checkpoint that changed ---------------------------------------------------------------------------


def run_of(prompt, seed, sha):
    cell = {"data": "digits", "backbone": "resnet18:checkpoint=w.pt", "prompt": prompt, "seed": seed, "lr": 0.1}
    bits = {"right": "wA==", "num_test": 2, "weights_sha256": sha}
    return {"key": f"{prompt}{seed}{sha}", "cell": cell, "accuracy": 0.5 + seed / 10, "data_md5": "m", **bits}


def test_runs_of_other_weights_are_not_averaged_or_paired():
    old = [run_of("none", seed, "a" * 64) for seed in (0, 1)]
    new = [run_of("none", 2, "b" * 64), *(run_of("full", seed, "b" * 64) for seed in (0, 1))]
    rows = summarize([*old, *new])
    assert [(row.prompt, row.num_seeds, row.num_pairs, row.setting) for row in rows] == [
        ("none", 2, 0, "weights=aaaaaaaa"), ("none", 1, 0, "weights=bbbbbbbb"), ("full", 2, 0, "weights=bbbbbbbb"),
    ]  # fmt: skip
    assert {row.setting for row in summarize(old)} == {""}


def test_a_run_that_counts_as_done_must_be_of_the_weights_that_are_there(tmp_path, monkeypatch):
    monkeypatch.setenv("VPCORE_WEIGHTS", str(tmp_path))
    (tmp_path / "changed.pt").write_bytes(b"now")
    cell = Cell("digits", "resnet18:checkpoint=changed.pt", "none")
    run = {"key": cell.key(), "cell": asdict(cell)}
    check_weights([cell], [run])  # older results do not say
    check_weights([cell], [{**run, **weights_sha256(cell.backbone)}])
    gone = {"weights_sha256": "f" * 64}
    other = {**asdict(cell), "backbone": "resnet18:checkpoint=gone.pt"}
    check_weights([Cell(**other)], [{"key": "k", "cell": other, **gone}])  # nothing to compare with
    check_weights([cell], [{"key": "k", "cell": {**asdict(cell), "seed": 7}, **gone}])  # was not asked for
    with pytest.raises(ValueError, match=r"done with other weights \(sha256 ffffffff\).* choose another --out"):
        check_weights([cell], [{**run, **gone}])


# --- small sets, and sets without a recipe --------------------------------------------------------------------------


def folder(where, count):
    for name in ("a", "b"):
        (where / "signs" / name).mkdir(parents=True)
        for index in range(count):
            noise = np.random.default_rng(100 * ord(name) + index).integers(0, 256, (9, 8, 3), np.uint8)
            Image.fromarray(noise).save(where / "signs" / name / f"{name}{index}.png")


def test_a_folder_with_too_few_files_says_so(tmp_path):
    folder(tmp_path, 3)
    named = ["--data", "folder:signs", "--backbone", "resnet_nano", "--prompt", "none", *TINY[2:]]
    result = call(*named, "--root", tmp_path, "--out", tmp_path / "r")
    assert result.exit_code == 2
    assert "a holds 3 images, to be cut in three it needs 6: add some, or cut it yourself into train" in result.stderr


def test_sets_without_a_recipe_are_named(tmp_path):
    folder(tmp_path, 6)
    named = ["--data", "digits,folder:signs", "--backbone", "resnet_nano", "--prompt", "none", *TINY[2:]]
    result = call(*named, "--root", tmp_path, "--out", tmp_path / "r")
    assert result.exit_code == 0, result.output
    assert "note: no augmentation for folder:signs: the paper has no recipe for it" in result.stderr
    quiet = call(*named, "--root", tmp_path, "--out", tmp_path / "r2", "--augment", "none")
    assert "no augmentation" not in quiet.stderr

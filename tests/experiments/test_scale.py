"""The preset `scale`: its sizes and conditions, what counts as done, whose rate a size takes, and what is refused."""

import json
import math
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from test_grid import call
from test_grid_methods import cells_of

from course.results.pack import pack
from vpcore.experiments.grid import presets
from vpcore.experiments.grid.cell import Cell, question
from vpcore.experiments.grid.presets import Preset
from vpcore.experiments.grid.rates import RateSearch
from vpcore.experiments.names.backbones import backbone_spec
from vpcore.experiments.runs.runlog import append_run, read_runs

HEADLINE = {
    "resnet_nano": {"none", "full", "norm_tuning", "full_tuning", "instance_image", "activation:layer=3"},
    "vit_nano": {"none", "full", "norm_tuning", "full_tuning", "instance", "vpt_deep", "activation:layer=2"},
}
SETTINGS = {(1000, 16): 5, (16_000, 16): 3, (4000, 16): 5, (250, 16): 5, (16_000, 1): 3, (1000, 256): 3}
RECORDED = """
{"data": "photodigits:num_test=2000,num_train=16000,num_valid=1000", "backbone": "resnet_nano", "prompt": "none",
"seed": 0, "epochs": 16, "lr": 0.03162, "weight_decay": 0.0, "batch_size": 128, "optimizer": "adamw",
"schedule": "cosine", "augment": "none", "train_backbone": false, "limit": 1000, "width": null, "image_size": null,
"precision": null, "trials": 5, "max_valid": null, "max_test": null, "shots": null}
"""  # a cell as a command without the preset recorded it
TINY = ["--batch-size", "10", "--max-valid", "20", "--max-test", "20", "--seeds", "2", "--trials", "3"]


@pytest.fixture(scope="module")
def cells():
    return cells_of("--preset", "scale")[0]["cells"]


def test_headline_methods_are_asked_at_every_size_and_in_both_conditions(cells):
    assert len(cells) == len(set(cells))
    made = [cell for cell in cells if cell.data.startswith("photodigits:")]
    for backbone, methods in HEADLINE.items():
        for (limit, epochs), seeds in SETTINGS.items():
            there = [c for c in made if (c.backbone, c.limit, c.epochs) == (backbone, limit, epochs)]
            assert methods <= {cell.prompt for cell in there}
            assert all({c.seed for c in there if c.prompt == method} == set(range(seeds)) for method in methods)
    assert {(c.limit, c.epochs) for c in made} == set(SETTINGS)
    real = [cell for cell in cells if cell.data == "cifar10"]
    assert {cell.limit for cell in real} == {250, 1000, 4000, 16_000}
    assert {b: {c.prompt for c in real if c.backbone == b} for b in HEADLINE} == HEADLINE
    assert len(made) + len(real) == len(cells)


def test_the_conditions_part_images_from_steps():
    def steps(images, epochs):
        return epochs * math.ceil(images / 128)

    assert steps(1000, 256) == pytest.approx(steps(16_000, 16), rel=0.03)  # 8 steps an epoch hold 1,024 images
    assert steps(16_000, 1) == pytest.approx(steps(1000, 16), rel=0.03)


def test_a_stop_at_any_time_leaves_whole_tables_of_the_headline(cells):
    first = {cell.prompt for cell in cells[: sum(5 * len(methods) for methods in HEADLINE.values())]}
    assert first == set.union(*HEADLINE.values())
    places = [cell.prompt in HEADLINE[cell.backbone] for cell in cells]
    assert places == sorted(places, reverse=True)
    probes = {c.prompt for c in cells if c.prompt.startswith("layer_probe") and c.backbone == "vit_nano"}
    assert len(probes) == backbone_spec("vit_nano").depth + 1


def test_what_was_recorded_without_the_preset_counts_as_done(cells, tmp_path):
    recorded = json.loads(RECORDED)
    asked = {question(asdict(cell)) for cell in cells}
    for limit, epochs in SETTINGS:
        assert question({**recorded, "limit": limit, "epochs": epochs}) in asked  # with a search of its own, too
    assert question({**recorded, "epochs": 20}) not in asked
    assert question({**recorded, "trials": 6}) not in asked
    old = Cell(**recorded)
    assert old.key() == "a1b0e19d09ce4c03"  # as it was recorded


@pytest.mark.parametrize("typed", ["250", "4000,16000"])
def test_a_size_is_chosen_and_one_that_the_preset_lacks_is_refused(typed):
    cells = cells_of("--preset", "scale", "--limit", typed, "--backbone", "vit_nano")[0]["cells"]
    assert {cell.limit for cell in cells} == {int(size) for size in typed.split(",")}
    assert {cell.backbone for cell in cells} == {"vit_nano"}
    refused = call("--preset", "scale", "--limit", f"{typed},500")
    says = "error: preset scale has the sizes 250, 1000, 4000, 16000, got --limit 500: choose some of them"
    assert (refused.exit_code, refused.stderr.strip()) == (2, says)


def test_sizes_are_an_axis_without_a_preset():
    cells = cells_of("--data", "digits", "--limit", "30,20", "--shots", "1,2", "--prompt", "none", "--seeds", 1)[0]
    assert [(c.limit, c.shots) for c in cells["cells"]] == [(30, 1), (30, 2), (20, 1), (20, 2)]
    for wrong in ("0", "few", "1e3"):
        refused = call("--data", "digits", "--limit", wrong)
        assert f"--limit must be whole numbers from 1 on with commas between, got '{wrong}'" in refused.stderr


def test_a_size_between_takes_the_rate_of_the_size_it_names(tmp_path):
    tried = []

    def score(cell):
        tried.append(cell)
        return -abs(math.log10(cell.lr) + 2)

    one = Cell("digits", "resnet_nano", "none", lr=0.0, trials=5, limit=60)
    search = RateSearch(tmp_path / "t", [], score)
    small = search(replace(one, limit=30, search_limit=60, seed=3))
    assert {(cell.limit, cell.search_limit, cell.seed) for cell in tried} == {(60, None, 0)}
    assert (small.lr, small.limit, small.search_limit) == (0.01, 30, 60)
    count = len(tried)
    assert search(one).lr == small.lr
    assert search(replace(one, limit=90, search_limit=60)).lr == small.lr
    again = RateSearch(tmp_path / "other", [{"cell": asdict(small)}], score)  # what the other seeds have
    assert again(replace(one, limit=30, search_limit=60)).lr == small.lr
    assert len(tried) == count
    RateSearch(tmp_path / "t", [], score)(replace(one, limit=30))
    assert {cell.limit for cell in tried[count:]} == {30}  # a search of its own
    count = len(tried)
    here = [{"cell": asdict(small)}]  # ran at 30 images, with a rate of 60: none was tried at 30
    RateSearch(tmp_path / "fresh", here, score)(replace(one, limit=90, search_limit=30))
    assert {cell.limit for cell in tried[count:]} == {30}


def test_a_size_beyond_the_set_is_refused_and_left_out_of_a_preset(tmp_path, monkeypatch):
    words = ["--data", "digits", "--backbone", "resnet_nano", "--prompt", "none", "--lr", "0.1", "--epochs", "1"]
    out = tmp_path / "r.jsonl"
    refused = call(*words, *TINY, "--limit", "20,1101", "--out", out)
    says = "digits has 1,100 training images, got limit 1,101: choose 1100 or fewer, or leave the limit out"
    assert (refused.exit_code, refused.stderr.strip()) == (2, f"error: {says}")
    assert read_runs(out) == []
    first = Preset(("digits",), ("resnet_nano",), ("none",), options={"limit": 20, "augment": "none", "lr": "0.1"})
    larger = replace(first, options={**first.options, "limit": 1101})
    monkeypatch.setitem(presets.PRESETS, "toy", replace(first, then=(larger,)))
    result = call("--preset", "toy", "--epochs", 1, *TINY, "--out", out)
    assert result.exit_code == 0, result.output
    assert f"note: left out digits with 1101 images, which is too many: {says}" in result.stderr
    assert [run["num_train"] for run in read_runs(out)] == [20, 20]


def test_a_rate_at_an_edge_is_marked_in_every_table(tmp_path):
    """Copied trials and runs: none's best is inside, full's the largest tried; full at 15 images takes its rate."""
    out = tmp_path / "scale.jsonl"
    bits = {"right": "8A==", "num_test": 5, "data_md5": "m", "versions": {}, "hardware": {}, "command": "python"}
    for prompt, best in (("none", 0.03162), ("full", 0.3162), ("pad", 0.1)):
        one = Cell("digits", "resnet_nano", prompt, lr=best, trials=3, limit=30)
        for limit, where in ((30, None), (15, 30)):
            for seed in (0, 1):
                cell = replace(one, seed=seed, limit=limit, search_limit=where, trials=None if prompt == "pad" else 3)
                append_run(out, {"key": cell.key(), "cell": asdict(cell), "accuracy": 0.8, **bits})
        for rate in (0.01, 0.03162, 0.1, *([0.3162] if prompt == "full" else [])):
            trial = replace(one, lr=rate)
            append_run(f"{out}.trials", {"key": trial.key(), "cell": asdict(trial), "valid_accuracy": rate})
    printed = call("--report", out).stdout
    lines = [line for line in printed.splitlines() if line.startswith(("none ", "full ", "pad "))]
    assert ["rate at an edge" in line for line in lines] == [line.startswith("full ") for line in lines]
    assert len(lines) == 6
    for ending in ("csv", "tex"):
        lines = out.with_suffix(f".{ending}").read_text().splitlines()
        marked = [line for line in lines if "trials=3 rate at an edge" in line]
        assert len(marked) == sum("full" in line for line in marked) == 2
    packed = pack([out], "toy", tmp_path)
    assert call("--report", packed).stdout == printed
    assert json.loads(packed.read_text())["runs"][0]["rate_at_edge"] is False
    Path(f"{out}.trials").write_text("{\n")
    assert "is damaged" in call("--report", out).stderr

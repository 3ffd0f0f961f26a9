"""The grid beyond prompts: tunings and probes as text, data names with options, searched rates, presets."""

import json
import math
import shlex
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import vpcore
from course.results.pack import pack
from vpcore.experiments.grid import command as grid
from vpcore.experiments.grid import run as grid_run
from vpcore.experiments.grid.cell import Cell, question
from vpcore.experiments.grid.cell_data import FeatureStore, Kept, Loader, load_cell_data
from vpcore.experiments.grid.options import Options
from vpcore.experiments.grid.plan import plan
from vpcore.experiments.grid.presets import PRESETS
from vpcore.experiments.grid.rates import RateSearch
from vpcore.experiments.grid.train_cell import build_model, run_cell, train_cell
from vpcore.experiments.names.backbones import backbone_spec
from vpcore.experiments.names.data import data_label
from vpcore.experiments.names.methods import expand_layers, method_label
from vpcore.experiments.report.rows import summarize
from vpcore.experiments.runs.packed import read_results
from vpcore.experiments.runs.runlog import read_runs
from vpcore.train import Diverged

NANO = {"limit": 20, "max_valid": 20, "max_test": 30, "epochs": 1, "batch_size": 10, "augment": "none"}
TINY = shlex.split("--data digits --backbone resnet_nano --augment none --limit 20 --max-valid 20 --max-test 30")
TINY += shlex.split("--epochs 1 --batch-size 10 --optimizer adamw --lr search --trials 3")


def call(*arguments):
    return CliRunner().invoke(grid.app, [*map(str, arguments)])


@pytest.fixture(scope="module")
def data():
    return load_cell_data(Cell("photodigits", "resnet_nano", "none", **NANO))


# --- methods -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "learned"),
    [
        ("none", "head"),
        ("layer_probe:layer=3", "head"),
        ("activation:layer=3", "prompt"),
        ("norm_tuning", "tuning"),
        ("bitfit", "tuning"),
        ("lora:rank=2,targets=conv", "tuning"),
        ("partial:k=1", "tuning"),
        ("full_tuning", "tuning"),
        ("ssf", "tuning"),
        ("full", "prompt"),
    ],
)
def test_every_kind_of_method_is_built_from_its_text(data, method, learned):
    model = build_model(Cell("photodigits", "resnet_nano", method, **NANO), data)
    assert {name.partition(".")[0] for name, p in model.named_parameters() if p.requires_grad} == {"head", learned}
    assert model.backbone.frozen


def test_options_reach_a_tuning_and_a_probe(data):
    lora = build_model(Cell("photodigits", "resnet_nano", "lora:rank=2,targets=conv", seed=1, **NANO), data).tuning
    assert (lora.rank, lora.targets) == (2, "conv")
    other = build_model(Cell("photodigits", "resnet_nano", "lora:rank=2,targets=conv", seed=2, **NANO), data).tuning
    name = next(iter(lora.down))
    assert not torch.equal(lora.down[name], other.down[name])
    probe = build_model(Cell("photodigits", "resnet_nano", "layer_probe:layer=2", **NANO), data)
    assert probe.backbone.spec.depth == 2
    assert probe.head.dim == backbone_spec("resnet_nano").shapes[2][0]


def test_layer_all_stands_for_every_layer():
    assert expand_layers("activation:layer=all", 2) == [f"activation:layer={layer}" for layer in range(3)]
    assert expand_layers("activation:shape=full,layer=all", 1)[1] == "activation:shape=full,layer=1"
    assert expand_layers("activation:layer=3", 2) == ["activation:layer=3"]
    assert method_label("lora:targets=conv,rank=4") == "lora:rank=4,targets=conv"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("--prompt vpt_deep", "vpt_deep needs a ViT"),
        ("--prompt lora", "resnet_nano has no attention for LoRA"),
        ("--prompt layer_probe", "layer_probe needs a layer: write layer_probe:layer=3, or layer=all"),
        ("--prompt layer_probe:layer=99", "layer must be in 0 … 7"),
        ("--prompt lora:size=3", "unknown option 'size=3' of prompt lora: write option=value with rank"),
        ("--prompt norm", "unknown prompt 'norm': choose one of none"),
        ("--backbone simple_cnn --prompt bitfit", "train_backbone trains every weight, so there is nothing to tune"),
        ("--data digits:position=fixed", "unknown option 'position=fixed' of data set digits"),
        ("--data photodigits:num_train=2e4", "num_train=2e4 of data set photodigits must be a whole number"),
        ("--data photodigits:num_train=0", "num_train must be a whole number, 1 or more, got 0"),
        ("--data digits:num_train=5", "unknown option 'num_train=5' of data set digits"),
        ("--data photodigits:position=left", "unknown option 'position=left' of data set photodigits"),
        ("--data folder:nowhere --root /nowhere", "no folder /nowhere/nowhere"),
        ("--lr search --trials 2", "a search needs 3 trials or more, got --trials 2"),
        ("--data digits --max-test 0", "max_valid and max_test must be at least 1, got None and 0"),
        ("--preset all", "unknown preset 'all': choose one of transfer"),
    ],
)
def test_errors_are_one_line_and_exit_with_2(tmp_path, arguments, says):
    result = call("--backbone", "resnet_nano", *shlex.split(arguments), "--seeds", 1, "--out", tmp_path / "r")
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr
    assert result.stderr.count("\n") == 1


# --- data --------------------------------------------------------------------------------------------------------


def test_names_of_data_sets():
    assert data_label("photodigits:position=random") == "photodigits"
    assert data_label("photodigits:position=fixed") == "photodigits:position=fixed"
    text = "photodigits:position=random,num_valid=40,num_train=300,num_test=50"
    assert data_label(text) == "photodigits:num_test=50,num_train=300,num_valid=40"
    sizes = load_cell_data(Cell(data_label(text), "resnet_nano", "none", limit=70))
    assert [len(sizes.train), len(sizes.valid), len(sizes.test)] == [70, 40, 50]
    assert data_label("folder:clothing") == "folder:clothing"
    assert data_label("usps") == "usps"


def test_position_and_folder_reach_the_data(tmp_path):
    from PIL import Image

    for name in ("a", "b"):
        folder = tmp_path / "signs" / name
        folder.mkdir(parents=True)
        for index in range(10):
            noise = np.random.default_rng(100 * ord(name) + index).integers(0, 256, (9, 8, 3), np.uint8)
            Image.fromarray(noise).save(folder / f"{name}{index}.png")
    found = load_cell_data(Cell("folder:signs", "resnet_nano", "none"), str(tmp_path))
    assert found.classes == ("a", "b")
    assert tuple(found.train.images.shape[1:]) == (3, 32, 32)
    fixed = load_cell_data(Cell("photodigits:position=fixed", "resnet_nano", "none"))
    assert fixed.source_md5 == vpcore.load_data("photodigits", position="fixed").source_md5


def test_limits_keep_classes_in_proportion_and_the_same_images(data):
    assert [len(split) for split in (data.train, data.valid, data.test)] == [20, 20, 30]
    assert data.test.labels.bincount().tolist() == [3] * 10
    again = load_cell_data(Cell("photodigits", "resnet_nano", "none", seed=3, **NANO))
    assert torch.equal(again.test.images, data.test.images)


def test_data_are_loaded_once_for_both_backbones(monkeypatch):
    loads, real = [], vpcore.experiments.grid.cell_data.load_cell_data
    monkeypatch.setattr(
        vpcore.experiments.grid.cell_data, "load_cell_data", lambda *given: (loads.append(given), real(*given))[1]
    )
    load = Loader()
    cells = [Cell("digits", backbone, "none", **NANO) for backbone in ("resnet_nano", "vit_nano")]
    assert load(cells[0]) is load(cells[1])
    assert len(loads) == 1


def test_what_was_not_used_for_longest_is_forgotten_first():
    kept, made = Kept(10, len), []

    def get(key):
        return kept.get(key, lambda: made.append(key) or "x" * 4)

    for key in "aabacab":
        get(key)
    assert made == ["a", "b", "c", "b"]
    assert kept.nbytes == 8
    assert kept.get("large", lambda: "x" * 99) == "x" * 99


# --- frozen layers run once --------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["none", "layer_probe:layer=4", "activation:layer=2", "partial:k=1"])
def test_cached_cells_give_what_training_on_images_gives(data, method):
    cell = Cell("photodigits", "resnet_nano", method, lr=1e-2, **{**NANO, "epochs": 2})
    store = FeatureStore()
    model, history = train_cell(cell, data, "cpu", None, store)
    other, plain = train_cell(cell, data, "cpu", None, FeatureStore(limit=0))
    assert store.kept.nbytes > 0
    assert history.epochs[-1].train_loss == pytest.approx(plain.epochs[-1].train_loss, rel=1e-4)
    for name, tensor in model.learned().items():
        torch.testing.assert_close(tensor, other.learned()[name], rtol=1e-3, atol=1e-5)
    seen = store.split(cell, model, data, "test")
    assert isinstance(seen, vpcore.cache.CachedSplit)
    with_cache, without = vpcore.evaluate(model, seen), vpcore.evaluate(model, data.test)
    assert with_cache.loss == pytest.approx(without.loss, rel=1e-5)
    assert torch.equal(with_cache.predictions, without.predictions)


def test_one_cache_serves_seeds_rates_and_methods_of_a_layer(data, monkeypatch):
    made, real = [], vpcore.experiments.grid.cell_data.cached
    monkeypatch.setattr(
        vpcore.experiments.grid.cell_data,
        "cached",
        lambda m, split, layer: (made.append(layer), real(m, split, layer))[1],
    )
    store = FeatureStore()
    for seed, lr in ((0, 1e-2), (1, 1e-1)):
        run_cell(Cell("photodigits", "resnet_nano", "none", seed=seed, lr=lr, **NANO), data, store=store)
    assert made == [8, 8, 8]  # features of train, valid and test
    run_cell(Cell("photodigits", "resnet_nano", "activation:layer=6", **NANO), data, store=store)
    run_cell(Cell("photodigits", "resnet_nano", "partial:k=1", **NANO), data, store=store)
    assert made == [8, 8, 8, 6, 6, 6]


@pytest.mark.parametrize(
    ("method", "changes"),
    [
        ("full", {}),
        ("bitfit", {}),
        ("none", {"data": "cifar10", "augment": "paper"}),
        ("none", {"train_backbone": True}),
    ],
)
def test_nothing_is_cached_where_pixels_or_first_weights_change(data, method, changes):
    cell = replace(Cell("photodigits", "resnet_nano", method, **NANO), **changes)
    store = FeatureStore()
    assert store.split(cell, build_model(cell, data), data, "train") is data.train
    assert store.kept.nbytes == 0


def test_a_scratch_network_is_not_cached_because_its_weights_are_the_seeds():
    cell = Cell("digits", "simple_cnn", "none", width=2, train_backbone=False, limit=20, augment="none")
    data = load_cell_data(cell)
    assert FeatureStore().split(cell, build_model(cell, data), data, "train") is data.train


# --- rates -------------------------------------------------------------------------------------------------------


def search_with(path, best, runs=()):
    """A search on a toy score with its peak at `best`; returns it and the cells that it tried."""
    tried = []

    def score(cell):
        tried.append(cell)
        return -abs(math.log10(cell.lr) - math.log10(best))

    return RateSearch(path, runs, score), tried


def test_rates_come_from_trials_on_seed_0_and_hold_for_all_seeds(tmp_path):
    search, tried = search_with(tmp_path / "t", best=10**-3.5)
    cell = Cell("digits", "resnet_nano", "full", seed=3, lr=0.0, trials=5)
    found = search(cell)
    assert [trial.prompt for trial in tried] == ["full"] * 6  # the best of five stood at the edge
    assert {trial.seed for trial in tried} == {0}
    assert found == replace(cell, lr=3.162e-4)
    assert search(replace(cell, seed=4)).lr == found.lr
    assert len(tried) == 6
    assert search(replace(cell, prompt="none")).lr == 3.162e-4  # from 0.1: three more, and no more
    assert search(replace(cell, prompt="norm_tuning")).lr == 3.162e-4  # from 1e-3: inside after five
    assert len(tried) == 6 + 8 + 5
    again, more = search_with(tmp_path / "t", best=1.0)  # another process: all trials are in the file
    assert (again(cell), more) == (found, [])
    assert len(read_runs(tmp_path / "t")) == 19


def test_a_cut_search_goes_on_where_it_stood(tmp_path):
    search, _ = search_with(tmp_path / "t", best=1e-2)
    cell = Cell("digits", "resnet_nano", "none", lr=0.0, trials=5)
    found = search(cell)
    lines = (tmp_path / "t").read_bytes().splitlines(keepends=True)
    (tmp_path / "t").write_bytes(b"".join(lines[:3]) + lines[3][:20])
    again, tried = search_with(tmp_path / "t", best=1e-2)
    assert again(cell) == found
    assert len(tried) == 2


def test_a_trial_that_diverges_counts_as_the_worst(tmp_path):
    search = RateSearch(tmp_path / "t", [], lambda cell: float("nan") if cell.lr > 0.05 else cell.lr)
    assert search(Cell("digits", "resnet_nano", "none", lr=0.0, trials=3)).lr == pytest.approx(0.03162)
    tried = [run["valid_accuracy"] for run in read_runs(tmp_path / "t")]
    assert tried == [pytest.approx(0.03162), None, None, pytest.approx(0.01)]  # the best of three stood at the edge


@pytest.mark.parametrize("says", ["the training loss became nan: lower", "a sentence that may change"])
def test_what_counts_as_diverged_and_what_stops_the_grid(tmp_path, monkeypatch, says):
    fault: ValueError = Diverged(says)

    def broken(*given):
        raise fault

    monkeypatch.setattr(grid_run, "train_cell", broken)
    (tmp_path / "a").write_text("")
    work = grid_run.LocalWork(tmp_path / "a", None, Loader(), [])
    cell = Cell("digits", "resnet_nano", "none", lr=0.1, **NANO)
    assert math.isnan(work._try(cell))
    fault = ValueError(says)  # decided by its type, whatever it says
    with pytest.raises(ValueError, match=says):
        work._try(cell)


def test_a_cell_with_a_rate_is_left_alone(tmp_path):
    search, tried = search_with(tmp_path / "t", best=1.0)
    cell = Cell("digits", "resnet_nano", "none", lr=0.5)
    assert search(cell) is cell
    assert not tried
    assert not (tmp_path / "t").exists()


def test_keys_of_older_results_still_hold():
    paths = Path(vpcore.__file__).parent.parent.glob("course/results/msvp_*.json")
    of_the_grid = [path for path in paths if "vpcore.grid" in json.loads(path.read_text())["commands"][0]]
    assert {path.stem for path in of_the_grid} == {"msvp_nets", "msvp_paper", "msvp_sizes", "msvp_small"}
    for path in of_the_grid:
        run = read_results(path)[0]
        assert Cell(**run["cell"]).key() == run["key"]
        searched = run["cell"].get("trials") is not None
        assert (question(run["cell"]) == run["key"]) is not searched


def test_searched_rates_do_not_part_a_table():
    def run(prompt, seed, lr):
        cell = asdict(Cell("digits", "resnet_nano", prompt, seed=seed, lr=lr, trials=5))
        bits = {"right": "wA==", "num_test": 2}
        return {"key": f"{prompt}{seed}", "cell": cell, "accuracy": 0.5 + seed / 10, "data_md5": "m", **bits}

    rows = summarize([run(prompt, seed, lr) for prompt, lr in (("none", 0.1), ("full", 0.2)) for seed in (0, 1)])
    assert [(row.prompt, row.setting, row.num_pairs) for row in rows] == [("none", "lr=0.1", 0), ("full", "lr=0.2", 2)]


# --- from end to end ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    path = tmp_path_factory.mktemp("grid") / "a.jsonl"
    result = call(*TINY, "--prompt", "none,norm_tuning", "--seeds", 2, "--out", path)
    assert result.exit_code == 0, result.output
    return path, result.stdout


def test_trials_and_runs_are_written_apart(searched):
    path, printed = searched
    runs, trials = read_runs(path), read_runs(f"{path}.trials")
    assert [run["cell"]["prompt"] for run in runs] == ["none", "norm_tuning"] * 2
    counts = Counter(trial["cell"]["prompt"] for trial in trials)
    assert list(counts) == ["none", "norm_tuning"]
    assert set(counts.values()) <= {3, 4, 5, 6}
    assert not any("accuracy" in trial or "right" in trial for trial in trials)
    of_none = trials[: counts["none"]]
    best = max(of_none, key=lambda trial: trial["valid_accuracy"])["cell"]["lr"]
    assert {run["cell"]["lr"] for run in runs[::2]} == {best}
    assert {run["cell"]["trials"] for run in runs} == {3}
    assert f"lr={best}" in printed


def test_trials_never_see_the_test_images(tmp_path, monkeypatch):
    real = grid_run.train_cell

    def blind(cell, data, *rest):
        nothing = vpcore.Split(torch.zeros_like(data.test.images), torch.zeros_like(data.test.labels))
        return real(cell, replace(data, test=nothing), *rest)

    monkeypatch.setattr(grid_run, "train_cell", blind)
    monkeypatch.setattr(grid_run, "run_cell", lambda *given: pytest.fail("a run before its search was over"))
    (tmp_path / "a").write_text("")
    work = grid_run.LocalWork(tmp_path / "a", None, Loader(), [])
    cell = Cell("digits", "resnet_nano", "none", lr=0.0, trials=3, **NANO)
    assert work.search(cell).lr in {run["cell"]["lr"] for run in read_runs(tmp_path / "a.trials")}


def test_a_run_that_was_a_trial_is_what_training_it_again_gives(searched):
    for run in read_runs(searched[0])[:2]:
        cell = Cell(**run["cell"])
        again = run_cell(cell, load_cell_data(cell))
        same = ("key", "accuracy", "valid_accuracy", "best_epoch", "train_loss", "right", "parameters")
        assert {name: again[name] for name in same} == {name: run[name] for name in same}
        assert run["seconds"] > 0


def test_seed_0_is_not_trained_again_after_its_trials(tmp_path, monkeypatch):
    cells, trained = vpcore.experiments.grid.train_cell, []
    real = cells.fit
    monkeypatch.setattr(cells, "fit", lambda *given, **options: (trained.append(1), real(*given, **options))[1])
    assert call(*TINY, "--prompt", "none,norm_tuning", "--seeds", 2, "--out", tmp_path / "a").exit_code == 0
    assert len(trained) == len(read_runs(tmp_path / "a.trials")) + 2  # and the other seed of either method


def test_a_grid_goes_on_from_a_packed_file(searched, tmp_path):
    packed = pack([searched[0]], "toy", tmp_path)
    table = json.loads(packed.read_text())
    table["runs"] = table["runs"][:3]  # the last run, norm_tuning with seed 1, was never made
    packed.write_text(json.dumps(table))
    out = tmp_path / "b.jsonl"
    result = call(*TINY, "--prompt", "none,norm_tuning", "--seeds", 2, "--out", out, "--resume", packed)
    assert result.exit_code == 0, result.output
    assert result.stdout == searched[1]  # the same table, from both files
    assert [run["key"] for run in read_runs(out)] == [read_runs(searched[0])[3]["key"]]
    assert not Path(f"{out}.trials").exists()  # rates are those of the runs that are there
    assert pack([packed, out], "whole", tmp_path).exists()
    assert call("--report", tmp_path / "whole.json").stdout == searched[1]


def test_a_missing_file_to_go_on_from_is_named(tmp_path):
    result = call(*TINY, "--seeds", 1, "--out", tmp_path / "a", "--resume", tmp_path / "no.json")
    assert result.exit_code == 2
    assert "no.json: No such file" in result.stderr


# --- presets -----------------------------------------------------------------------------------------------------


def cells_of(*arguments):
    """The cells that the command line would run, and what it says is left out."""
    seen = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grid, "run_grid", lambda cells, out, **rest: (seen.update(cells=cells, **rest), 0)[1])
        patch.setattr(grid, "earlier_runs", lambda *_: [])
        result = call(*arguments)
    assert result.exit_code == 0, result.output
    return seen, result.stderr


def test_the_transfer_table_holds_what_it_should():
    seen, notes = cells_of("--preset", "transfer")
    cells = seen["cells"]
    assert seen["skip_lacking"]
    assert notes == "note: left out on resnet_nano, a cnn: lora, vpt_deep, instance\n" + (
        "note: left out on vit_nano, a vit: lora:targets=conv\n"
    )
    assert {cell.data for cell in cells} == set(PRESETS["transfer"].data)
    by_backbone = {b: {c.prompt for c in cells if c.backbone == b} for b in ("resnet_nano", "vit_nano")}
    shared = {"none", "full", "pad", "cluster", "instance_image", "norm_tuning", "bitfit", "full_tuning"}
    for name, methods in by_backbone.items():
        layers = range(backbone_spec(name).depth + 1)
        inner = {f"{kind}:layer={layer}" for kind in ("activation", "layer_probe") for layer in layers}
        own = {"lora:targets=conv"} if name == "resnet_nano" else {"lora", "vpt_deep", "instance"}
        assert methods == shared | inner | own
    one = cells[0]
    assert (one.limit, one.epochs, one.trials, one.augment, one.train_backbone) == (1000, 10, 5, "none", False)
    assert {cell.seed for cell in cells} == set(range(5))
    assert len(cells) == len(set(cells)) == 8 * 5 * sum(map(len, by_backbone.values()))


def test_a_preset_is_narrowed():
    arguments = "--preset transfer --backbone resnet_nano --data usps,photodigits:position=random --seeds 2 --epochs 1"
    cells = cells_of(*shlex.split(arguments), "--prompt", "none,bitfit")[0]["cells"]
    assert {(c.data, c.backbone, c.prompt, c.seed) for c in cells} == {
        (d, "resnet_nano", p, s) for d in ("usps", "photodigits") for p in ("none", "bitfit") for s in (0, 1)
    }
    assert {(c.epochs, c.trials, c.limit) for c in cells} == {(1, 5, 1000)}


def test_sets_that_are_not_here_are_left_out_and_named(tmp_path):
    arguments = "--preset transfer --backbone resnet_nano --data usps,digits --prompt none --seeds 1 --epochs 1"
    tiny = "--limit 20 --max-valid 20 --max-test 20 --trials 3"
    out = tmp_path / "a.jsonl"
    result = call(*shlex.split(f"{arguments} {tiny}"), "--root", tmp_path, "--out", out)
    assert result.exit_code == 0, result.output
    assert "note: left out usps, which is not here: " in result.stderr
    assert [run["cell"]["data"] for run in read_runs(out)] == ["digits"]


def test_plans_without_a_preset_keep_the_order_of_before():
    cells, notes = plan(Options(prompt="none,full", seeds=2, epochs=1, width=3), ())
    assert [(cell.seed, cell.prompt) for cell in cells] == [(0, "none"), (0, "full"), (1, "none"), (1, "full")]
    assert notes == []
    assert {cell.trials for cell in cells} == {None}
    assert cells[0] == Cell("digits", "simple_cnn", "none", epochs=1, width=3)  # every other default is a cell's

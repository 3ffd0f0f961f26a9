import base64
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import vpcore
from vpcore.experiments.grid import command as grid
from vpcore.experiments.grid.cell import Cell, choose_augment, expand
from vpcore.experiments.grid.cell_data import load_cell_data
from vpcore.experiments.grid.train_cell import build_model, run_cell
from vpcore.experiments.names.methods import method_label, read_method
from vpcore.experiments.names.named import read_named, split_names, write_named
from vpcore.experiments.report.rows import check_runs, summarize
from vpcore.experiments.report.table import format_table
from vpcore.experiments.runs import runlog
from vpcore.experiments.runs.packed import right
from vpcore.experiments.runs.runlog import append_run, read_runs, repair
from vpcore.statistics import two_way_interval, two_way_p_value

TINY = ["--data", "digits", "--width", "2", "--limit", "40", "--epochs", "1", "--lr", "1e-2", "--batch-size", "20"]
ROOT = Path(__file__).resolve().parents[2]


def call(*arguments):
    return CliRunner().invoke(grid.app, [*map(str, arguments)])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A grid of 2 prompts × 3 seeds, what it printed, and its lines."""
    path = tmp_path_factory.mktemp("grid") / "results.jsonl"
    result = call(*TINY, "--seeds", 3, "--out", path)
    assert result.exit_code == 0, result.output
    return path, result.stdout, read_runs(path)


# --- from end to end ---------------------------------------------------------------------------------------------


def test_every_cell_is_there_once_with_its_provenance(finished):
    path, _, runs = finished
    assert path.read_bytes().count(b"\n") == len(runs) == 6
    assert {(run["cell"]["prompt"], run["seed"]) for run in runs} == {
        (p, s) for p in ("none", "multiscale") for s in range(3)
    }
    for run in runs:
        assert run["command"].startswith("python -m vpcore.grid")
        assert run["versions"]["torch"] == torch.__version__.split("+")[0]
        assert run["hardware"]["cores"] == os.cpu_count()
        assert run["data_md5"] == vpcore.load_data("digits").source_md5
        assert run["seconds"] > 0
        assert (run["num_train"], run["num_test"]) == (40, len(vpcore.load_data("digits").test))
        assert 0 <= run["accuracy"] <= 1
        assert run["parameters"]["prompt"] == (0 if run["cell"]["prompt"] == "none" else 81)
        assert run["cell"]["optimizer"] == "adam"
        assert right(run).mean() == pytest.approx(run["accuracy"])


def test_the_table_is_that_of_the_lines(finished):
    path, printed, runs = finished
    none, multiscale = ([right(run) for run in runs if run["cell"]["prompt"] == p] for p in ("none", "multiscale"))
    interval = two_way_interval(none, multiscale)
    shown = f"{100 * interval.mean:+.2f} [{100 * interval.low:+.2f}, {100 * interval.high:+.2f}]"
    assert shown in printed
    assert f"{100 * np.mean(none):.2f} ± {100 * np.std(np.mean(none, 1), ddof=1):.2f}" in printed
    report = call("--report", path)
    assert report.exit_code == 0
    assert report.stdout == printed


def test_progress_names_the_run_and_the_time_left(tmp_path):
    said = call(*TINY, "--seeds", 2, "--prompt", "none", "--out", tmp_path / "r").stderr
    assert re.search(r"2/2 digits simple_cnn none seed 1: +\d+%.* \d/2 \[\d\d:\d\d<\d\d:\d\d", said)


def test_a_second_run_repeats_nothing(finished):
    path, printed, _ = finished
    before = path.read_bytes()
    result = call(*TINY, "--seeds", 3, "--out", path)
    assert (result.exit_code, result.stdout) == (0, printed)
    assert path.read_bytes() == before


def test_a_cell_alone_gives_the_result_of_the_grid(finished):
    run = finished[2][3]
    cell = Cell(**run["cell"])
    again = run_cell(cell, load_cell_data(cell))
    same = ("key", "accuracy", "valid_accuracy", "best_epoch", "train_loss", "right", "parameters", "data_md5")
    assert {name: again[name] for name in same} == {name: run[name] for name in same}


def test_after_a_cut_only_the_last_cell_is_repeated(finished, tmp_path):
    content = finished[0].read_bytes()
    lines = content.splitlines(keepends=True)
    path = tmp_path / "results.jsonl"
    path.write_bytes(b"".join(lines[:-1]) + lines[-1][:50])
    result = call(*TINY, "--seeds", 3, "--out", path)
    assert result.exit_code == 0
    assert "was cut off (50 bytes): moved to" in result.stderr
    assert path.read_bytes().splitlines(keepends=True)[:5] == lines[:5]
    again, first = read_runs(path)[5], json.loads(lines[5])
    assert (again["key"], again["accuracy"], again["right"]) == (first["key"], first["accuracy"], first["right"])
    assert Path(f"{path}.damaged").read_bytes() == lines[-1][:50] + b"\n"


# --- kills and other processes -----------------------------------------------------------------------------------


def start(path, *arguments):
    command = [sys.executable, "-m", "vpcore.grid", *TINY, *map(str, arguments), "--out", str(path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True)


def test_kill_9_and_two_processes_on_one_file(finished, tmp_path):
    path = tmp_path / "results.jsonl"
    process = start(path, "--seeds", 3)
    while process.poll() is None and not (path.exists() and path.read_bytes().count(b"\n") >= 2):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kept = read_runs(path)
    assert 2 <= len(kept) < 6
    both = [start(path, "--seeds", 3), start(path, "--seeds", 3)]
    outputs = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    runs = read_runs(path)
    assert runs[: len(kept)] == kept
    compare = {run["key"]: (run["accuracy"], run["right"]) for run in finished[2]}
    assert all(compare[run["key"]] == (run["accuracy"], run["right"]) for run in runs)  # repeats, if any, agree
    assert {run["key"] for run in runs} == set(compare)
    assert len(check_runs(runs, "file")) == 6


WRITER = """
import importlib.util, pathlib, sys, time
spec = importlib.util.spec_from_file_location("runlog", sys.argv[3])
runlog = importlib.util.module_from_spec(spec)
spec.loader.exec_module(runlog)
print("ready", flush=True)
sys.stdin.readline()
for number in range(150):
    runlog.append_run(sys.argv[1], {"writer": sys.argv[2], "number": number, "padding": "x" * (number * 997 % 20000)})
"""


def test_two_writers_never_mix_their_lines(tmp_path):
    path = tmp_path / "log.jsonl"
    source = str(ROOT / "vpcore" / "experiments" / "runs" / "runlog.py")
    command = [sys.executable, "-c", WRITER, str(path)]
    files = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    writers = [subprocess.Popen([*command, name, source], **files) for name in "ab"]
    assert [writer.stdout.readline() for writer in writers] == ["ready\n"] * 2
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    assert [writer.wait() for writer in writers] == [0, 0]
    runs = read_runs(path)
    for name in "ab":
        assert [run["number"] for run in runs if run["writer"] == name] == list(range(150))
    turns = sum(one["writer"] != other["writer"] for one, other in pairwise(runs))
    assert turns > 2  # they did write at the same time


# --- the file ----------------------------------------------------------------------------------------------------


def test_a_line_is_one_write(tmp_path, monkeypatch):
    written, write = [], os.write
    monkeypatch.setattr(runlog.os, "write", lambda file, data: (written.append(data), write(file, data))[1])
    append_run(tmp_path / "a", {"text": "zwei\nZeilen, größer"})
    assert written == [(tmp_path / "a").read_bytes()]
    assert written[0].count(b"\n") == 1
    assert read_runs(tmp_path / "a") == [{"text": "zwei\nZeilen, größer"}]


@pytest.mark.parametrize("fault", ["short", "error"])
def test_a_full_disk_takes_back_the_half_line(tmp_path, monkeypatch, fault):
    path, write = tmp_path / "a", os.write
    append_run(path, {"good": 1})

    def full(file, data):
        written = write(file, data[:5])
        if fault == "error":
            raise OSError(28, "No space left on device")
        return written

    monkeypatch.setattr(runlog.os, "write", full)
    with pytest.raises(OSError, match=r"cannot write .*: [nN]o space left"):
        append_run(path, {"more": 2})
    assert path.read_bytes() == b'{"good": 1}\n'


def test_repair_finishes_a_whole_line_and_moves_a_broken_one(tmp_path):
    path = tmp_path / "a"
    assert repair(path) is None
    assert path.read_bytes() == b""
    path.write_bytes(b'{"a": 1}\n{"b": 2}')
    assert repair(path) is None
    assert read_runs(path) == [{"a": 1}, {"b": 2}]
    path.write_bytes(b'{"a": 1}\n\xff\x00{"b"')
    assert "moved to" in (repair(path) or "")
    assert path.read_bytes() == b'{"a": 1}\n'
    assert Path(f"{path}.damaged").read_bytes() == b'\xff\x00{"b"\n'


@pytest.mark.parametrize("line", [b"{", b"[1]", b"3", b"\xff\xfe", b"[" * 100_000, b'{"a": 1}{"a": 1}'])
def test_a_damaged_line_is_named(tmp_path, line):
    (tmp_path / "a").write_bytes(b'{"a": 1}\n' + line + b'\n{"a": 2}\n')
    with pytest.raises(ValueError, match=r"line 2 of .* is damaged: delete it"):
        read_runs(tmp_path / "a")


# --- cells and prompts as text -----------------------------------------------------------------------------------


def test_prompts_as_text():
    assert split_names("none, multiscale:fusion=concat,init=kaiming,pad:width=4,full") == [
        "none", "multiscale:fusion=concat,init=kaiming", "pad:width=4", "full",
    ]  # fmt: skip
    assert read_method("multiscale:scales=1+4,fusion=gated") == ("multiscale", {"scales": (1, 4), "fusion": "gated"})
    assert read_method("multiscale:scales=4") == ("multiscale", {"scales": (4,)})
    assert method_label("multiscale:scales=1+4,fusion=add") == "multiscale:fusion=add,scales=1+4"
    assert read_method("none") == ("none", {})


@pytest.mark.parametrize("text", ["vit_nano", "vit:checkpoint=a.pth", "pad:width=4,seen=all"])
def test_what_is_read_is_written_again(text):
    assert write_named(*read_named(text)) == text


def test_options_reach_the_prompt():
    cell = Cell("digits", "simple_cnn", "multiscale:fusion=concat,init=kaiming,scales=1+4", width=2)
    prompt = build_model(cell, load_cell_data(cell)).prompt
    assert (prompt.fusion, prompt.init, prompt.scales) == ("concat", "kaiming", (1, 4))


def test_every_field_of_a_cell_is_in_its_key():
    cell = Cell("digits", "simple_cnn", "none")
    changes = {"data": "usps", "backbone": "b", "prompt": "p", "seed": 1, "epochs": 2, "lr": 1.0, "weight_decay": 1.0}
    changes |= {"batch_size": 1, "optimizer": "sgd", "schedule": "s", "augment": "none", "train_backbone": True}
    changes |= {"limit": 3, "width": 4, "image_size": 8, "precision": "bfloat16"}
    changes |= {"trials": 5, "max_valid": 6, "max_test": 7, "shots": 8, "search_limit": 9, "recipe": "published"}
    changes |= {"warmup": 0.2, "resize": 9}
    assert set(changes) == set(cell.__dataclass_fields__)
    keys = {replace(cell, **{name: value}).key() for name, value in changes.items()}
    assert len(keys | {cell.key()}) == len(changes) + 1


def test_recipe_of_the_paper_is_the_default():
    cell = Cell("digits", "simple_cnn", "none")
    assert (cell.optimizer, cell.lr, cell.weight_decay, cell.schedule) == ("adam", 1e-3, 1e-4, "cosine_epoch")
    assert (cell.epochs, cell.batch_size) == (10, 128)
    augment = choose_augment(replace(cell, data="fashion_mnist"))
    assert augment is not None
    assert (augment.crop, augment.rotate, augment.flip) == (4, 10, False)
    assert choose_augment(replace(cell, augment="none")) is None


@pytest.mark.parametrize(("choice", "trained"), [(None, True), (True, True), (False, False)])
def test_backbone_is_trained_or_frozen(choice, trained):
    cell = Cell("digits", "simple_cnn", "none", width=2, train_backbone=choice)
    data = load_cell_data(cell)
    model = build_model(cell, data)
    assert model.backbone.frozen is not trained
    assert (model.backbone.spec.mean, model.backbone.spec.std) == (data.mean, data.std)


def test_pairs_share_backbone_and_head():
    data = load_cell_data(Cell("digits", "simple_cnn", "none"))
    models = [build_model(Cell("digits", "simple_cnn", p, seed=4, width=2), data) for p in ("none", "multiscale")]
    for part in ("backbone", "head"):
        states = [getattr(model, part).state_dict() for model in models]
        assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_test_images_are_read_once_and_choose_nothing(monkeypatch):
    cell = Cell("digits", "simple_cnn", "none", width=2, limit=40, epochs=3)
    data, read = load_cell_data(cell), []
    evaluate = vpcore.experiments.grid.train_cell.evaluate
    monkeypatch.setattr(
        vpcore.experiments.grid.train_cell,
        "evaluate",
        lambda m, split, **k: (read.append(split), evaluate(m, split, **k))[1],
    )
    result = run_cell(cell, data)
    assert read == [data.test]
    flipped = replace(data, test=replace(data.test, labels=(data.test.labels + 1) % 10))
    assert run_cell(cell, flipped)["best_epoch"] == result["best_epoch"]


# --- the table ---------------------------------------------------------------------------------------------------


def made_run(prompt: str, seed: int, right_bits: list[int], **changes) -> dict:
    cell = {"data": "digits", "backbone": "simple_cnn", "prompt": prompt, "seed": seed, "lr": 0.1, **changes}
    bits = base64.b64encode(np.packbits(right_bits).tobytes()).decode()
    key = json.dumps(cell)
    accuracy = float(np.mean(right_bits))
    return {"key": key, "cell": cell, "accuracy": accuracy, "num_test": len(right_bits), "data_md5": "m", "right": bits}


def test_rows_pair_by_seed_within_one_setting():
    runs = [made_run("multiscale", s, [1, 1, s % 2, 1]) for s in (5, 2, 1)]
    runs += [made_run("none", s, [1, 0, 0, s % 2]) for s in (0, 1, 2, 3)]
    runs += [made_run("none", s, [0, 0, 0, 0], lr=0.2) for s in (0, 1)]
    rows = summarize(runs)
    assert [(row.prompt, row.setting, row.num_seeds, row.num_pairs) for row in rows] == [
        ("none", "lr=0.1", 4, 0), ("multiscale", "lr=0.1", 3, 2), ("none", "lr=0.2", 2, 0),
    ]  # fmt: skip
    before, after = [[1, 0, 0, 1], [1, 0, 0, 0]], [[1, 1, 1, 1], [1, 1, 0, 1]]  # seeds 1 and 2 have both
    assert rows[1].difference == two_way_interval(before, after)
    assert rows[1].p_value == two_way_p_value(before, after)
    assert rows[0].difference is None


def test_searched_rates_are_shown_with_four_digits():
    runs = [made_run("none", s, [1, 0], lr=lr) for lr in (0.009486832980505138, 0.03) for s in (0, 1)]
    assert [row.setting for row in summarize(runs)] == ["lr=0.009487", "lr=0.03"]


def test_one_seed_has_no_interval_and_no_baseline_no_difference():
    one = summarize([made_run("none", 0, [1, 0]), made_run("multiscale", 0, [1, 1])])
    assert [row.difference for row in one] == [None, None]
    alone = summarize([made_run("multiscale", s, [1, s]) for s in (0, 1)])
    assert alone[0].difference is None
    assert "100.00" in format_table(one)
    assert format_table([]) == "no results"


def test_repeated_keys_count_once():
    first, second = made_run("none", 0, [1, 0]), {**made_run("none", 0, [1, 1])}
    assert check_runs([first, second], "file") == [first]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"key": 3}, r"run 2 of file is damaged \(key\): delete its line"),
        ({"cell": []}, r"run 2 of file is damaged \(cell\)"),
        ({"cell": {"data": "x"}}, r"run 2 of file is damaged \(backbone, prompt, seed\)"),
        ({"accuracy": None}, r"run 2 of file is damaged \(accuracy\)"),
        ({"accuracy": float("nan")}, r"run 2 of file is damaged \(accuracy\)"),
        ({"num_test": "many"}, r"run 2 of file is damaged \(num_test\)"),
        (
            {"cell": {"data": [], "backbone": {}, "prompt": 1, "seed": "x"}},
            r"run 2 of file is damaged \(data, backbone",
        ),
    ],
)
def test_damaged_runs_are_named(change, says):
    good = made_run("none", 0, [1, 0])
    with pytest.raises(ValueError, match=says):
        check_runs([good, {**made_run("none", 1, [1, 0]), **change}], "file")


@pytest.mark.parametrize("bits", ["", "?", "AAAAAAAA", None, 3])
def test_damaged_bits_are_named(bits):
    with pytest.raises(ValueError, match=r"the run .* is damaged \(right\): delete its line"):
        right({**made_run("none", 1, [1, 0]), "right": bits})


# --- errors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("--data diggits", "unknown data set 'diggits'"),
        ("--data fashion_mnist --root nowhere", "nowhere"),
        ("--backbone simple_cn", "unknown backbone 'simple_cn'"),
        ("--prompt multi", "unknown prompt 'multi': choose one of none"),
        ("--prompt multiscale:fusion=sum", "fusion must be one of add, concat, gated, got 'sum'"),
        ("--prompt multiscale:size=3", "unknown option 'size=3' of prompt multiscale: write option=value with scales"),
        ("--prompt multiscale:fusion", "unknown option 'fusion' of prompt multiscale"),
        ("--prompt multiscale:scales=1+99", "scales must be different whole numbers from 1 to 28"),
        ("--prompt none,none", "the grid holds a cell twice"),
        ("--prompt ,", "the grid has no cell"),
        ("--seeds 0", "the grid has no cell"),
        ("--seeds 5001", "the grid has 10,002 cells, more than 10,000: add --yes"),
        ("--lr fast", "--lr must be numbers with commas between, got 'fast'"),
        ("--epochs 0", "epochs and batch_size must be at least 1, got 0"),
        ("--optimizer lion", "optimizer must be one of"),
        ("--schedule slow", "schedule must be one of"),
        ("--augment strong", "augment must be one of paper, none, got 'strong'"),
        ("--precision half", "precision must be one of"),
        ("--limit 3", "n must be 10"),
        ("--device gpu", "--device gpu cannot be used here (Expected one of cpu, "),
        ("--data folder:mine", "error: no folder to look for 'folder:mine' in: set VPCORE_DATA, or give root, their"),
        ("--backbone vit_tiny_small --width 3", "width belongs to simple_cnn"),
        ("--report nothing.jsonl", "cannot read nothing.jsonl: No such file"),
        ("--out nowhere/results.jsonl", "cannot write nowhere/results.jsonl: No such file or directory; free space"),
    ],
)
def test_errors_are_one_line_and_exit_with_2(tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VPCORE_DATA", raising=False)
    result = call(*shlex.split(arguments))
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1


def test_a_damaged_results_file_stops_the_grid_before_it_trains(finished, tmp_path):
    path = tmp_path / "results.jsonl"
    path.write_bytes(b'{"broken\n' + finished[0].read_bytes())
    for arguments in (["--report", path], [*TINY, "--seeds", 3, "--out", path]):
        result = call(*arguments)
        assert result.exit_code == 2
        assert result.stderr.startswith(f"error: line 1 of {path} is damaged")
        assert result.stderr.count("\n") == 1


def test_a_full_target_is_one_line(tmp_path, monkeypatch):
    def full(file, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(runlog.os, "write", full)
    result = call(*TINY, "--seeds", 1, "--out", tmp_path / "results.jsonl")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith("error: cannot write")
    assert (tmp_path / "results.jsonl").read_bytes() == b""


def test_ten_thousand_cells_are_allowed_with_yes(monkeypatch, tmp_path):
    seen = []
    monkeypatch.setattr(grid, "run_grid", lambda cells, out, **_: (seen.append(len(cells)), out.write_text(""))[0] or 0)
    assert call("--seeds", 5001, "--yes", "--out", tmp_path / "r").stdout == "no results\n"
    assert seen == [10_002]


def test_a_run_that_diverges_is_reported_and_the_others_go_on(tmp_path, monkeypatch):
    real = vpcore.experiments.grid.run.run_cell

    def diverge(cell, *rest):
        if cell.seed == 1:
            raise ValueError("the training loss became nan: lower the learning rate")
        return real(cell, *rest)

    monkeypatch.setattr(vpcore.experiments.grid.run, "run_cell", diverge)
    result = call(*TINY, "--prompt", "none", "--seeds", 3, "--out", tmp_path / "r")
    assert result.exit_code == 1
    assert "failed: digits simple_cnn none seed 1: the training loss became nan" in result.stderr
    assert [run["seed"] for run in read_runs(tmp_path / "r")] == [0, 2]


def test_expand_orders_seeds_of_a_pair_together():
    cells = expand(["digits"], ["simple_cnn"], ["none", "multiscale"], 2, [0.1], epochs=1)
    assert [(cell.seed, cell.prompt) for cell in cells] == [
        (0, "none"),
        (0, "multiscale"),
        (1, "none"),
        (1, "multiscale"),
    ]


@pytest.mark.parametrize("prompt", ["cluster:num_clusters=2", "activation:layer=3"])
def test_a_bundled_backbone_runs_with_prompts_that_prepare_and_that_do_not(prompt):
    cell = Cell("photodigits", "resnet_nano", prompt, limit=20, epochs=1, optimizer="adamw", augment="none")
    data = load_cell_data(cell)
    data = replace(data, test=data.test.take(range(20)), valid=data.valid.take(range(20)))
    assert 0 <= run_cell(cell, data)["accuracy"] <= 1


def test_cuda_graphs_without_a_gpu_are_refused_before_the_first_run(tmp_path):
    out = tmp_path / "runs.jsonl"
    result = call("--device", "cpu", "--cuda-graph", "--out", out)
    assert result.exit_code == 2
    assert "cuda_graph needs a CUDA device, got cpu" in result.output
    assert not out.exists()

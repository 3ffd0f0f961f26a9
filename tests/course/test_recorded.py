"""Recorded tables: packed from the grid's lines, read back in the order of the seeds."""

import base64
import json
import shlex
from dataclasses import asdict

import numpy as np
import pytest
import typer

from course.recorded import RESULTS, names, recorded
from course.results.pack import pack
from vpcore.experiments.grid.cell import question
from vpcore.experiments.grid.command import app
from vpcore.experiments.grid.options import Options, typed
from vpcore.experiments.grid.plan import plan
from vpcore.experiments.runs.packed import read_results
from vpcore.statistics import holm, paired_interval, two_way_p_value


def line(seed, prompt, accuracy, torch_version="2.11.0", processor="a processor"):
    bits = np.packbits(np.array([1, 0, 1, seed % 2]))
    cell = {"data": "digits", "backbone": "simple_cnn", "prompt": prompt, "seed": seed}
    return json.dumps(
        {
            "key": f"{seed}{prompt}",
            "cell": cell,
            "accuracy": accuracy,
            "num_train": 1100,
            "num_test": 4,
            "right": base64.b64encode(bits.tobytes()).decode(),
            "data_md5": "0",
            "seconds": 1.0,
            "command": "python -m vpcore.grid --data digits --out 'my x.jsonl' --seeds 2",
            "hardware": {"gpu": None, "processor": processor},
            "versions": {"torch": torch_version},
        }
    )


def test_what_is_packed_is_read_back_in_the_order_of_the_seeds(tmp_path):
    lines = [line(1, "none", 0.9), line(0, "none", 0.8), line(0, "multiscale", 0.7), line(1, "multiscale", 0.6)]
    (tmp_path / "x.jsonl").write_text("\n".join(lines) + "\n")
    pack([tmp_path / "x.jsonl"], "toy", tmp_path)
    table = recorded("toy", tmp_path)
    assert table.accuracies("digits").tolist() == [80.0, 90.0]
    assert table.accuracies("digits", "multiscale").tolist() == pytest.approx([70.0, 60.0])
    assert table.correct("digits").tolist() == [[1, 0, 1, 0], [1, 0, 1, 1]]
    about = "recorded: 4 runs on digits, 1,100 training and 4 test images, a processor, torch 2.11.0"
    assert table.about("digits") == about
    assert table.commands == ["python -m vpcore.grid --data digits --seeds 2"]


def test_what_is_not_there_is_said(tmp_path):
    (tmp_path / "x.jsonl").write_text(line(0, "none", 0.8) + "\n")
    pack([tmp_path / "x.jsonl"], "toy", tmp_path)
    with pytest.raises(ValueError, match="holds no mnist simple_cnn none: choose one of digits simple_cnn none"):
        recorded("toy", tmp_path).accuracies("mnist")
    with pytest.raises(OSError, match="no recorded results 'other': choose one of toy"):
        recorded("other", tmp_path)


def test_two_runs_of_one_seed_are_not_mixed(tmp_path):
    runs = [json.loads(line(seed, "none", 0.8)) for seed in (0, 1)]
    other = {**runs[0], "key": "other", "cell": {**runs[0]["cell"], "lr": 0.25}}
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(run) + "\n" for run in (*runs, other)))
    pack([tmp_path / "x.jsonl"], "toy", tmp_path)
    table = recorded("toy", tmp_path)
    for ask in (table.accuracies, table.correct, table.reached):
        with pytest.raises(ValueError, match=r"toy has several runs of digits simple_cnn none for one seed.* lr, say"):
            ask("digits")
    assert len(table.accuracies("digits", lr=0.25)) == 1


def test_runs_of_different_versions_are_not_mixed(tmp_path):
    (tmp_path / "x.jsonl").write_text(line(0, "none", 0.8) + "\n" + line(1, "none", 0.8, "2.6.0") + "\n")
    with pytest.raises(ValueError, match="need the same versions, got 2"):
        pack([tmp_path / "x.jsonl"], "toy", tmp_path)


def test_a_packed_file_grows_on_another_machine_and_every_run_names_its_own(tmp_path):
    (tmp_path / "first.jsonl").write_text(line(0, "none", 0.8) + "\n" + line(1, "none", 0.9) + "\n")
    old = pack([tmp_path / "first.jsonl"], "toy", tmp_path)
    (tmp_path / "more.jsonl").write_text(
        line(1, "none", 0.1, processor="another") + "\n" + line(2, "none", 0.7, processor="another") + "\n"
    )
    pack([old, tmp_path / "more.jsonl"], "toy", tmp_path)
    table = recorded("toy", tmp_path)
    assert table.accuracies("digits").tolist() == pytest.approx([80.0, 90.0, 70.0])  # the first of a key counts
    assert [machine["processor"] for machine in table.machines] == ["a processor", "another"]
    assert table.hardware == table.machines[0]
    assert [run["hardware"] for run in table.runs] == [0, 0, 1]
    assert "a processor and another" in table.about("digits")
    again = read_results(tmp_path / "toy.json")
    assert [run["hardware"]["processor"] for run in again] == ["a processor", "a processor", "another"]
    assert again[0]["versions"] == {"torch": "2.11.0"}
    before = (tmp_path / "toy.json").read_bytes()
    pack([tmp_path / "toy.json"], "toy", tmp_path)
    assert (tmp_path / "toy.json").read_bytes() == before


def test_a_damaged_packed_file_is_named(tmp_path):
    (tmp_path / "toy.json").write_text('{"commands": [], "hardware": [], "versions": {}, "runs": [{"key": "a"}]}')
    with pytest.raises(ValueError, match=r"toy.json is damaged \(IndexError"):
        read_results(tmp_path / "toy.json")
    with pytest.raises(OSError, match="cannot read"):
        read_results(tmp_path / "none.json")


def test_every_recorded_file_names_hardware_versions_and_command():
    for path in RESULTS.glob("msvp_*.json"):
        table = recorded(path.stem)
        assert all((table.commands, table.hardware["processor"], table.versions["torch"]))
        assert all(run["right"] and run["data_md5"] for run in table.runs)


def asked_by(command):
    """Return what the cells of a command ask."""
    with typer.main.get_command(app).make_context("grid", shlex.split(command)[3:]) as context:
        cells, _ = plan(Options(**context.params), typed(context))
    return {question(asdict(cell)) for cell in cells}


OF_THE_GRID = [name for name in names() if "vpcore.grid" in recorded(name).commands[0]]


@pytest.mark.parametrize("name", OF_THE_GRID)
def test_the_commands_of_a_table_make_its_runs(name):
    table = recorded(name)
    asked = set().union(*map(asked_by, table.commands))
    assert {question(run["cell"]) for run in table.runs} <= asked


def test_there_are_tables_of_the_grid():
    assert {"msvp_small", "msvp_nets", "transfer"} <= set(OF_THE_GRID)


def test_a_gain_counts_seeds_and_test_images():
    table = recorded("insvp_image")
    mean, low, high = table.gain("photodigits_fixed", "none", "universal", "resnet_nano")
    before, after = (table.accuracies("photodigits_fixed", name, "resnet_nano") for name in ("none", "universal"))
    assert mean == pytest.approx((after - before).mean())
    seeds = paired_interval(list(before), list(after))
    small = recorded("msvp_small")  # 20 seeds without a prompt, 10 with this one
    ten = [small.accuracies("digits", name)[:10] for name in ("none", "multiscale:scales=1")]
    assert small.gain("digits", "none", "multiscale:scales=1")[0] == pytest.approx((ten[1] - ten[0]).mean())
    assert high - low > seeds.high - seeds.low  # the test images are a lottery of their own


def test_what_stands_after_holm_is_what_lessons_01_and_02_say():
    """Of several rows of one figure, one differs or none: iterative mapping's 20 epochs, and nothing of MSVP."""

    def p_value(name, data, pair, backbone="simple_cnn"):
        before, after = (recorded(name).correct(data, arm, backbone) for arm in pair)
        seeds = min(len(before), len(after))
        return two_way_p_value(before[:seeds], after[:seeds])

    mapped = ("frequency mapping", "iterative mapping", "iterative mapping, 20 epochs")
    pairs = [("none", "pad:8"), ("none", "patch:8"), (f"{mapped[0]}, no prompt", mapped[1]), mapped[:2],
             ("random mapping", mapped[0]), mapped[1:]]  # fmt: skip
    assert holm([p_value("vp", "photodigits", pair, "resnet_nano") for pair in pairs]) == [False] * 5 + [True]
    names = ("", ":scales=1", ":scales=1+4", ":fusion=gated", ":fusion=concat", ":fusion=concat,init=kaiming")
    digits = [p_value("msvp_small", "digits", ("none", f"multiscale{name}")) for name in names]
    assert holm(digits) == [False] * 6

"""The page's curves: what a point is, which settings are drawn, and what the page says of images and steps."""

import io
import json
import shutil
from dataclasses import asdict

import numpy as np
import pytest
from PIL import Image
from test_grid import made_run

from course.recorded import RESULTS, Recorded
from course.results import curves
from course.results.pack import pack
from course.results.page import page
from vpcore.experiments.grid.cell import Cell
from vpcore.experiments.runs.runlog import append_run
from vpcore.statistics import two_way_interval

OTHER = "activation:layer=10"  # has fewer settings
GAINS = {
    "none": 0, "full": 0.1, "activation:layer=3": 0.2, OTHER: 0.1, "full_tuning": 0.5, "pad": 0.1,
    "instance:parts=patch": 0.1, "layer_probe:layer=3": 0.05, "layer_probe:layer=10": 0.1,
}  # fmt: skip
SETTINGS = ((250, 16), (1000, 16), (16_000, 16), (16_000, 1), (1000, 256))
PICTURES = ["scale_resnet_nano.png", "scale_vit_nano.png", "scale_cifar10_resnet_nano.png"]
MADE = {
    "versions": {"torch": "2"},
    "hardware": {"processor": "a cpu", "gpu": None},
    "command": "python",
    "parameters": {"prompt": 1000, "head": 9, "backbone": 9, "learned_backbone": 0, "tuning": 234, "total": 9},
    "num_train": 9,
}


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """A folder with two packed files; in the first, vit_nano has one setting and one seed of another."""
    folder, rng = tmp_path_factory.mktemp("curves"), np.random.default_rng(0)
    for name, backbone, settings in (
        ("scale", "resnet_nano", SETTINGS),
        ("scale", "vit_nano", SETTINGS[:2]),
        ("scale_cifar10", "resnet_nano", SETTINGS[1:3]),
    ):
        for limit, epochs in settings:
            for prompt, gain in GAINS.items():
                if prompt == OTHER and (backbone == "vit_nano" or limit == 250):
                    continue
                if prompt.startswith("layer_probe") and (limit, epochs) != (16_000, 16):
                    continue
                share = 0.3 + gain * (np.log2(limit * epochs / 4000) / 6 if epochs > 1 else 0.3)
                for seed in range(1 if backbone == "vit_nano" and limit == 1000 else 3):
                    bits = (rng.random(80) < share).astype(int)
                    run = made_run(prompt, seed, list(bits))
                    cell = Cell(curves.SETS[name], backbone, prompt, seed, epochs, limit=limit, lr=0.1, trials=3)
                    append_run(folder / f"{name}.jsonl", {**run, "key": cell.key(), "cell": asdict(cell), **MADE})
    trial = asdict(Cell(curves.DATA, "resnet_nano", "full", epochs=16, limit=1000, lr=0.1, trials=3))
    append_run(folder / "scale.jsonl.trials", {"key": "k", "cell": trial, "valid_accuracy": 0.5})
    for name in curves.SETS:
        pack([folder / f"{name}.jsonl"], name, folder)
    return folder


@pytest.fixture
def table(packed):
    content = json.loads((packed / "scale.json").read_text())
    return Recorded(name="scale", **content)


def test_a_point_is_the_mean_with_seeds_and_images_and_other_methods_are_left_out(table):
    made = curves.curves(table, "resnet_nano")
    assert list(made) == ["full_tuning", "activation:layer=3", "full", "none"]
    assert all(set(found) == set(SETTINGS) for found in made.values())
    rights = table.correct(curves.DATA, "full", "resnet_nano", limit=16_000, epochs=1)
    found = two_way_interval(np.zeros_like(rights), rights)
    assert made["full"][16_000, 1] == pytest.approx((100 * rights.mean(), 100 * found.low, 100 * found.high))
    assert all(
        set(found) == {(250, 16)} for found in curves.curves(table, "vit_nano").values()
    )  # one seed: no interval


@pytest.mark.parametrize(
    ("prompt", "called"),
    [
        ("activation:layer=2", "AP, layer 2"),
        ("none", "linear probe"),
        ("instance", "InsVP"),
        ("instance:parts=patch", None),
        ("activation:layer=2,shape=per_channel", None),
        ("pad", None),
    ],
)
def test_headline_methods_have_names(prompt, called):
    assert curves.name(prompt) == called


def test_the_page_begins_with_the_curves_of_each_network(packed, tmp_path, monkeypatch):
    monkeypatch.setattr("course.results.page.NEGATIVE", {})  # claims of the files that are replaced here
    for path in RESULTS.glob("*.json"):
        shutil.copy(path, tmp_path)
    assert curves.NAME in [path.stem for path in tmp_path.glob("*.json")] or "training images\n" not in page(tmp_path)
    for name in curves.SETS:
        shutil.copy(packed / f"{name}.json", tmp_path)
    text = page(tmp_path)
    assert text.index("## Accuracy against the number of training images") < text.index("## The files")
    for picture in PICTURES:
        assert f"]({picture})" in text
    assert text.index("### photodigits, vit_nano") < text.index("### cifar10, resnet_nano")
    [line] = [line for line in text.splitlines() if line.startswith("| full-image prompt") and "edge" in line]
    assert line.split("|")[4].strip().endswith("(rate at an edge)")  # 1,000 images; the probe's trials are not there
    assert line.count("edge") == 1
    assert "16,000 images, 1 epoch, 3 seeds |" in text
    assert "| full-image prompt | 1,234 |" in text
    told = [line for line in text.splitlines() if "16 times the steps alone give" in line]
    assert [line.split(":")[0] for line in told] == [
        f"- {name}" for name in ("full fine-tuning", "AP, layer 3", "full-image prompt", "linear probe")
    ]  # of resnet_nano alone


def test_every_layer_of_ap_has_a_line_of_its_own(packed, table):
    text = "\n".join(curves.lines(packed))
    first, second = text.split("### photodigits, vit_nano")
    head, rule, *rows = first[first.index("| AP, points over") :].strip().splitlines()
    assert head == (
        "| AP, points over | the probe, 1,000 images, 16 epochs | the probe, 16,000 images, 16 epochs "
        "| the probe, 1,000 images, 256 epochs | the probe, 16,000 images, 1 epoch "
        "| the probe of that layer, 16,000 images, 16 epochs |"
    )
    assert rule.count("---") == 6
    assert [row.split("|")[1].strip() for row in rows] == ["layer 3", "layer 10"]
    gain = table.gain(curves.DATA, "none", OTHER, "resnet_nano", limit=16_000, epochs=16)
    assert f"{gain.mean:+.2f} [{gain.low:+.2f}, {gain.high:+.2f}]" in rows[1].split("|")[3]
    assert not any("†" in row for row in rows)
    for run in table.runs:
        if run["cell"]["prompt"] == OTHER and run["cell"]["limit"] == 16_000:
            run["cell"]["search_limit"] = 1000
    marked = curves._layers(table, "resnet_nano")[2:4]
    assert [[cell.count("†") for cell in row.split("|")[2:7]] for row in marked] == [[0] * 5, [0, 1, 0, 1, 1]]
    probe = f"layer_probe:{OTHER.partition(':')[2]}"
    lead = table.gain(curves.DATA, probe, OTHER, "resnet_nano", limit=16_000, epochs=16)
    assert f"{lead.mean:+.2f} [{lead.low:+.2f}, {lead.high:+.2f}]" in rows[1].split("|")[6]
    assert "AP, points over" not in second.partition("### cifar10")[0]


def test_figures_are_written_beside_the_page(packed):
    paths = curves.write(packed)
    assert [path.name for path in paths] == PICTURES
    for path in paths:
        image = Image.open(io.BytesIO(path.read_bytes()))
        assert image.size == (880, 572)
        assert len(image.convert("RGB").getcolors(100_000) or []) > 50


def test_steps_of_no_other_size_are_not_drawn(table):
    made = curves.curves(table, "resnet_nano")
    more = {prompt: found | {(1000, 40): found[1000, 16]} for prompt, found in made.items()}
    assert curves.draw(more, "a title", {}) == curves.draw(made, "a title", {})
    fewer = {prompt: {s: at for s, at in found.items() if s != (1000, 256)} for prompt, found in made.items()}
    assert curves.draw(fewer, "a title", {}) != curves.draw(made, "a title", {})


def test_a_rate_that_was_not_searched_is_marked(table):
    for run in table.runs:
        cell = run["cell"]
        if (cell["prompt"], cell["limit"], cell["epochs"], cell["backbone"]) == ("full", 1000, 256, "resnet_nano"):
            cell |= {"trials": None, "lr": 0.02}
    rows = curves._table(table, curves.curves(table, "resnet_nano"), "resnet_nano")
    assert [row.count("‡") for row in rows if row.startswith("| full-image")] == [1]
    assert sum(row.count("‡") for row in rows) == 2  # and once below
    assert "‡: no rate was searched for these runs, they have 0.02." in rows[-1]
    for run in table.runs:
        if (run["cell"]["prompt"], run["cell"]["limit"], run["cell"]["backbone"]) == ("full", 1000, "vit_nano"):
            run["cell"] |= {"trials": None, "search_limit": 250}  # one seed: not in the table
    rows = curves._table(table, curves.curves(table, "vit_nano"), "vit_nano")
    assert not any(mark in row for row in rows[:-2] for mark in "†‡")


def test_a_seed_that_learned_nothing_is_told(table):
    [run] = [
        run for run in table.runs
        if (run["cell"]["prompt"], run["cell"]["backbone"]) == ("full_tuning", "resnet_nano")
        and (run["cell"]["limit"], run["cell"]["epochs"], run["cell"]["seed"]) == (250, 16, 1)
    ]  # fmt: skip
    run["accuracy"] = 0.1
    seeds = table.accuracies(curves.DATA, "full_tuning", "resnet_nano", limit=250, epochs=16)
    assert curves.fallen(table, curves.curves(table, "resnet_nano"), "resnet_nano") == {
        "full_tuning": {(250, 16): tuple(seeds)}
    }
    rows = curves._table(table, curves.curves(table, "resnet_nano"), "resnet_nano")
    assert [
        row.count(f"1 at chance, the others {(seeds[0] + seeds[2]) / 2:.1f} on average")
        for row in rows
        if "full fine-tuning" in row
    ] == [1]
    assert sum(row.count("at chance") for row in rows) == 1

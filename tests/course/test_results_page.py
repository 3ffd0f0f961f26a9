"""The page on the recorded results: every number comes from the files, and it is the one that is committed."""

import inspect
import json
import re
import shutil

import numpy as np
import pytest

from course.recorded import RESULTS, recorded
from course.results import questions as results_questions
from course.results.claims import Claim, best_layer, count_better, difference
from course.results.curves import DATA
from course.results.page import page, speed
from course.results.questions import NEGATIVE, QUESTIONS
from vpcore.rates import default_rate


def test_the_page_is_what_the_files_say():
    assert (RESULTS / "README.md").read_text(encoding="utf-8") == page(), "run python -m course.results.page"


def test_every_file_has_its_line():
    text = page()
    for path in RESULTS.glob("*.json"):
        if path.stem in QUESTIONS:
            table = recorded(path.stem)
            [line] = [line for line in text.splitlines() if line.startswith(f"**`{path.name}`**: ")]
            assert f"{len(table.runs):,} runs" in line
            assert all(f"    {command}\n" in text for command in table.commands)


def test_what_changed_puts_both_tables_side_by_side():
    line = next(line for line in page().splitlines() if line.startswith("| InsVP, all parts, ViT (insvp_features)"))
    old, new = recorded("insvp_features"), recorded("scale")
    probe, method = (old.accuracies("photodigits", arm, "vit_nano").mean() for arm in ("none", "all"))
    assert f"| {probe:.1f} → {method:.1f}, " in line
    many = {"limit": 16_000, "epochs": 16}
    probe, method = (new.accuracies(DATA, arm, "vit_nano", **many).mean() for arm in ("none", "instance"))
    assert f" {probe:.1f} → {method:.1f}, {method - probe:+.2f} [" in line.split("|")[-2]


def test_a_claim_is_the_paired_difference_of_the_file():
    claim = Claim("msvp_small", "MSVP", "fashion_mnist", "simple_cnn", "multiscale")
    table = recorded("msvp_small")
    mean = np.mean(table.accuracies("fashion_mnist", "multiscale") - table.accuracies("fashion_mnist"))
    found, pairs, tests = difference(table, claim)
    assert found.mean == pytest.approx(mean)
    assert (pairs, tests) == (10, 10_000)
    assert claim.sentence(RESULTS).startswith(f"- MSVP: cannot tell, {mean:+.2f} points [")


def test_counts_and_layers_agree_with_the_tables():
    line = count_better(RESULTS, "bugs", "right", "photodigits", "resnet_nano", "Faults")
    counts = [int(number) for number in re.findall(r"(?:better|worse|cannot tell): (\d+)", line)]
    assert sum(counts) == len({run["cell"]["prompt"] for run in recorded("bugs").runs}) - 1
    table = recorded("ap_layers")
    arms = sorted({p for run in table.runs if (p := run["cell"]["prompt"]).startswith("ap@")})
    here = [arm for arm in arms if any(r["cell"]["prompt"] == arm and r["cell"]["data"] == "digits"
                                       and r["cell"]["backbone"] == "vit_nano" for r in table.runs)]  # fmt: skip
    best = max(here, key=lambda arm: table.accuracies("digits", arm, "vit_nano").mean())
    assert f"stands at layer {best[3:]}." in best_layer(RESULTS, "digits", "vit_nano")


def test_rates_of_the_largest_table_that_stayed_at_an_edge_are_marked():
    """Its searches tried five rates a factor of √10 apart and no more: at the edge, the best lies three steps off."""
    arms = set()
    for run in recorded("transfer").runs:
        cell = run["cell"]
        steps = np.log(cell["lr"] / default_rate(cell["prompt"])) / np.log(10**0.5)
        assert run["rate_at_edge"] is bool(np.isclose(abs(steps), cell["trials"] - 2, atol=0.01))
        arms |= {(cell["data"], cell["backbone"], cell["prompt"])} if run["rate_at_edge"] else set()
    marked = re.findall(r"rate at an edge on (\d)", page())
    assert sum(map(int, marked)) == len(arms) == 51


def test_a_file_nobody_asked_about_is_named(tmp_path):
    for path in RESULTS.glob("*.json"):
        shutil.copy(path, tmp_path)
    shutil.copy(RESULTS / "vp.json", tmp_path / "new.json")
    with pytest.raises(ValueError, match=r"new.json has no question: write it into course/results/questions.py"):
        page(tmp_path)
    (tmp_path / "new.json").unlink()
    shutil.copy(RESULTS / "msvp_pixels.json", tmp_path / "msvp_small.json")
    with pytest.raises(ValueError, match=r"msvp_small holds no digits simple_cnn none"):
        page(tmp_path)


def test_times_are_those_of_the_record(tmp_path):
    line = {"what": "a step", "threads": 1, "seconds": 0.25, "ratio": 1.9, "against": "the usual", "bar": 1.6}
    line["spread"] = [1.7, 2.0]
    bare = {"what": "a cache", "threads": 2, "seconds": 3.0, "ratio": None, "spread": None, "against": "", "bar": None}
    step = {"date": "2026-01-02", "hardware": "a machine, 2 cores, no GPU", "versions": {"torch": "2.11.0"}}
    for figures, says in (
        ({}, "Not measured yet: `.ci/full speed`."),
        ({"speed": {**step, "figures": {"rows": [line]}}}, "| a step | 1 | 0.25 | 1.9 (1.7 … 2.0) | the usual | 1.6 |"),
        (
            {"speed": {**step, "figures": {"rows": [{**line, "bar": 2.5}]}}},
            "| a step | 1 | 0.25 | 1.9 (1.7 … 2.0) | the usual | 2.5, missed |",
        ),
        ({"speed": {**step, "figures": {"rows": [bare]}}}, "| a cache | 2 | 3.0 |  |  |  |"),
    ):
        (tmp_path / "ci.json").write_text(json.dumps({"steps": figures}))
        assert says in speed(tmp_path)


def test_no_number_of_a_finding_is_typed():
    """An author names arms and settings; figures with a decimal point come from the files, but for rates."""
    typed = re.findall(r"[-+]?\d+\.\d+", inspect.getsource(results_questions))
    assert set(typed) <= {"0.01", "0.001", "0.003162"}
    assert sum(map(len, NEGATIVE.values())) > 20

"""A grid's table as text, CSV, LaTeX and PNG."""

import csv
import io
import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from test_grid import call, made_run

from vpcore.experiments.report.files import draw, write_report
from vpcore.experiments.report.rows import summarize
from vpcore.experiments.report.table import format_csv, format_latex, format_table
from vpcore.statistics import image_variance, smallest_detectable_difference, two_way_interval

BITS = {"none": [[1, 0, 0, 1], [1, 1, 0, 0], [0, 1, 0, 0]], "pad": [[1, 1, 0, 1], [1, 1, 1, 1], [1, 1, 0, 0]]}
RUNS = [made_run(prompt, seed, bits) for prompt, each in BITS.items() for seed, bits in enumerate(each)]
OTHERS = [made_run(prompt, 0, [1, 0], data="set_2", lr=lr) for prompt in BITS for lr in (0.1, 0.2)]
LEARNED = {"prompt": 7, "head": 50, "backbone": 9, "learned_backbone": 0, "tuning": 2, "total": 66}


@pytest.fixture
def rows():
    return summarize([{**run, "parameters": LEARNED} for run in RUNS] + OTHERS)


def test_one_table_for_each_set_and_backbone(rows):
    tables = format_table(rows).split("\n\n")
    assert [table.splitlines()[0] for table in tables[:2]] == ["digits, simple_cnn", "set_2, simple_cnn"]
    assert "setting" not in tables[0]
    assert "setting" in tables[1]  # two rates stand in this table alone
    assert re.search(r"pad +9 +3 +75.00 ± 25.00 ", tables[0])  # 7 + 2 numbers learn beside the head
    assert "learned" not in tables[1]
    assert tables[2].startswith("accuracy: mean ± sample standard deviation over seeds")


def test_the_smallest_detectable_difference_is_what_the_note_says(rows):
    before, after = BITS["none"], BITS["pad"]
    means = [[sum(bits) / 4 for bits in each] for each in (before, after)]
    differences = [b - a for a, b in zip(*means, strict=True)]
    sd = math.sqrt(sum((d - sum(differences) / 3) ** 2 for d in differences) / 2)
    assert rows[1].detectable == smallest_detectable_difference(sd, 3, image_variance(before, after), 4)
    assert "(noncentral t; vpcore.statistics.smallest_detectable_difference)" in format_table(rows)


def test_many_differences_are_counted_together():
    rng = np.random.default_rng(0)
    base = [(rng.random(300) < 0.5).astype(int) for _ in range(3)]
    gained = rng.random(300)
    arms = {"none": 0.0, "clear": 0.4, "small": 0.04, "equal": 0.0, "same": 0.0}
    runs = [made_run(prompt, seed, list(np.maximum(bits, gained < share)))
            for prompt, share in arms.items() for seed, bits in enumerate(base)]  # fmt: skip
    rows = summarize(runs)
    assert [row.p_value < 0.05 for row in rows[1:]] == [True, True, False, False]
    assert "Of 4 differences 2 stand singly, 2 after Holm's correction for all of them." in format_table(rows)
    many = [replace(row, prompt=f"{row.prompt}{copy}") for row in rows[1:] for copy in range(60)]
    singly, together = map(int, re.findall(r"differences (\d+) stand singly, (\d+)", format_table(many))[0])
    assert (singly, together) == (120, 60)
    assert "stand singly" not in format_table(rows[:2])


def test_csv_holds_the_unrounded_numbers_and_nothing_where_there_is_none(rows):
    lines = list(csv.DictReader(io.StringIO(format_csv(rows))))
    assert [(line["data"], line["method"], line["num_pairs"]) for line in lines[:2]] == [
        ("digits", "none", "0"), ("digits", "pad", "3"),
    ]  # fmt: skip
    interval = two_way_interval(BITS["none"], BITS["pad"])
    assert float(lines[1]["low_points"]) == pytest.approx(100 * interval.low, abs=1e-12)
    assert lines[0]["difference_points"] == lines[0]["detectable_points"] == ""
    assert [line["sd_points"] for line in lines[2:]] == [""] * 4  # one seed
    assert lines[1]["learned"] == "9"


def test_latex_needs_booktabs_alone_and_escapes_names(rows):
    text = format_latex(rows)
    assert r"\caption{set\_2, simple\_cnn:" in text
    for command in ("toprule", "midrule", "bottomrule", "begin{table}", "end{table}", "end{tabular}"):
        assert text.count(f"\\{command}") == 2
    assert set(re.findall(r"\\([a-z]+)", text)) <= {
        *("usepackage", "begin", "end", "caption", "toprule", "midrule", "bottomrule", "pm"),
    }  # fmt: skip
    bodies = re.findall(r"\\begin\{tabular\}\{(\w+)\}\n(.*?)\\end\{tabular\}", text, re.DOTALL)
    for columns, body in bodies:
        assert {line.count("&") for line in body.splitlines() if "&" in line} == {len(columns) - 1}
    plain = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    assert not re.search(r"(?<!\\)[_%#]", plain)
    assert re.search(r"\$\+33\.33\$ \[\$[+-]", text)


def test_the_picture_has_a_panel_for_each_table(rows):
    with Image.open(io.BytesIO(draw(rows))) as wide, Image.open(io.BytesIO(draw(rows[:2]))) as narrow:
        assert wide.format == narrow.format == "PNG"
        assert wide.width == pytest.approx(2 * narrow.width, abs=2)
        assert len(wide.convert("RGB").getcolors(maxcolors=2**20) or ()) > 10


def test_report_writes_three_files_beside_the_results_or_elsewhere(tmp_path, rows):
    other = tmp_path / "elsewhere"
    other.mkdir()
    results = tmp_path / "a.b.jsonl"
    assert [path.name for path in write_report(rows, results)] == ["a.b.csv", "a.b.tex", "a.b.png"]
    assert all(path.parent == other for path in write_report(rows, results, other))
    assert (tmp_path / "a.b.csv").read_text() == (other / "a.b.csv").read_text() == format_csv(rows)
    assert all(path.is_file() for path in write_report(rows, results, tmp_path / "new" / "one"))
    with pytest.raises(OSError, match=r"Not a directory|File exists|exists"):
        write_report(rows, results, results.with_suffix(".csv"))


def test_the_command_says_what_it_wrote_and_prints_the_table(tmp_path):
    results = tmp_path / "r.jsonl"
    results.write_text("".join(json.dumps(run) + "\n" for run in RUNS))
    result = call("--report", results)
    assert result.exit_code == 0, result.output
    assert result.stdout == format_table(summarize(RUNS)) + "\n"
    written = [str(results.with_suffix(ending)) for ending in (".csv", ".tex", ".png")]
    assert result.stderr.splitlines() == [f"wrote {path}" for path in written]
    results.write_text("")
    empty = call("--report", results, "--report-to", tmp_path / "no")
    assert (empty.exit_code, empty.stdout, empty.stderr) == (0, "no results\n", "")

"""Studies: nothing is run twice, trials never read the test set, and results can be packed for lessons."""

import json
from pathlib import Path

import pytest

import vpcore
from course.recorded import recorded
from course.results.pack import pack
from course.studies.study import Case, Outcome, Study, seeds_of
from vpcore.train.records import Evaluation

DATA = vpcore.load_data("digits")


def _outcome() -> Outcome:
    labels = DATA.test.labels
    said = labels.clone()
    said[:10] = (said[:10] + 1) % 10
    return Outcome(Evaluation(0.9, 0.1, said, labels), {"norm": 1.5})


def test_runs_once_and_packs(tmp_path: Path) -> None:
    out, asked = tmp_path / "toy.jsonl", []

    def work() -> Outcome:
        asked.append(1)
        return _outcome()

    for _ in range(2):
        study = Study(out)
        for seed in seeds_of(5):
            study.run(Case("digits", "resnet_nano", "arm", seed, {"lr": 0.1}), DATA, work)
    assert len(asked) == 5
    pack([out], "toy", tmp_path)
    table = recorded("toy", tmp_path)
    assert table.accuracies("digits", "arm", "resnet_nano").tolist() == pytest.approx([90.0] * 5)
    assert table.runs[0]["extra"] == {"norm": 1.5}
    assert table.correct("digits", "arm", "resnet_nano").sum() == 5 * (len(DATA.test) - 10)


def test_trials_are_kept_and_not_repeated(tmp_path: Path) -> None:
    asked: list[float] = []

    def valid(rate: float) -> float:
        asked.append(rate)
        return -abs(rate - 0.1)

    case = Case("digits", "resnet_nano", "arm", 0)
    rates = [Study(tmp_path / "a.jsonl").rate(case, 0.1, valid) for _ in range(2)]
    assert rates[0] == rates[1] == pytest.approx(0.1)
    assert len(asked) == 5
    lines = (tmp_path / "a.jsonl.trials").read_text().splitlines()
    assert [json.loads(line)["rate"] for line in lines] == pytest.approx(asked)


def test_cut_line_is_run_again(tmp_path: Path) -> None:
    out = tmp_path / "toy.jsonl"
    case = Case("digits", "resnet_nano", "arm", 0)
    Study(out).run(case, DATA, _outcome)
    out.write_text(out.read_text()[:-20])
    Study(out).run(case, DATA, _outcome)
    assert len(out.read_text().splitlines()) == 1


def test_few_seeds_are_refused() -> None:
    with pytest.raises(ValueError, match="5 seeds or more, got 4"):
        seeds_of(4)

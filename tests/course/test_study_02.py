"""Study 02: logistic regression reads the pixels of the images that the networks have."""

from pathlib import Path

from course.recorded import recorded
from course.results.pack import pack
from course.studies import study_02


def test_logistic_regression_reads_the_first_images(tmp_path: Path) -> None:
    out = tmp_path / "pixels.jsonl"
    words = ["--out", str(out), "--data", "digits", "--limit", "70"]
    study_02.main(words)
    study_02.main(words)  # nothing is left to run
    pack([out], "pixels", tmp_path)
    table = recorded("pixels", tmp_path)
    assert [(run["num_train"], run["num_test"]) for run in table.runs] == [(70, 397)]
    assert 80 < table.accuracies("digits", "logistic", "pixels")[0] < 95  # chance is 10; with all 1,100 images 97

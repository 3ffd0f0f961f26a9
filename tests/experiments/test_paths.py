"""Names that point elsewhere: what a submission or a table calls itself never decides where a file is written."""

import csv
import json

import pytest
from graded_lesson import RIGHT, answered, learner, lesson, submit
from sandboxed import needs_bubblewrap

from course.authoring.cells import LessonError
from course.authoring.lesson import solved_notebook
from course.grading.grade import grade
from vpcore.experiments.runs.runlog import append_run, read_runs

ELSEWHERE = ("../../escaped", "/tmp/vpcourse-escaped", "..\\..\\escaped", "a/../../escaped", "~/escaped", "x\0y")


def everything(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@needs_bubblewrap
def test_a_submission_whose_names_point_elsewhere_stays_in_its_folder(tmp_path):
    root = tmp_path / "deep" / "root"
    root.mkdir(parents=True)
    book = answered(learner(lesson(root)), RIGHT)
    for number, name in enumerate(ELSEWHERE):
        wild = json.loads(json.dumps(book))
        wild["metadata"]["course"]["lesson"] = name
        wild["metadata"][name] = wild["metadata"].get("kernelspec", {})
        wild["cells"] = [{**cell, "id": name, "metadata": {"name": name}} for cell in wild["cells"]]
        submit(tmp_path / "deep" / "all", f"s{number}.ipynb", wild)
    before = everything(tmp_path)
    done = grade(tmp_path / "deep" / "all", tmp_path / "deep" / "grades.csv", root=root, workers=1)
    pages = {f"deep/grades_feedback/s{number}.html" for number in range(len(ELSEWHERE))}
    assert everything(tmp_path) - before == {
        "deep/grades.csv", "deep/grades.jsonl", "deep/grades_to_mark.csv", "deep/grades_to_mark.html", *pages
    }  # fmt: skip
    full = done.marks[0].of  # the answers are right: what a cell is called decides neither points nor places
    assert [mark.points for mark in done.marks] == [full] * len(ELSEWHERE)
    assert full > 0
    assert len(list(csv.DictReader((tmp_path / "deep" / "grades.csv").open()))) == len(ELSEWHERE)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_lesson_whose_ids_point_elsewhere_is_refused(tmp_path, name):
    path = lesson(tmp_path)
    source = path.read_text().replace('"id": "99-double"', f'"id": {json.dumps(name)}')
    path.write_text(source)
    with pytest.raises(LessonError, match="99_toy"):
        solved_notebook(path)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_run_whose_key_points_elsewhere_is_only_a_line(tmp_path, name):
    file = tmp_path / "deep" / "runs.jsonl"
    file.parent.mkdir()
    append_run(file, {"key": name, "cell": {"data": name}})
    assert [run["key"] for run in read_runs(file)] == [name]
    assert everything(tmp_path) == {"deep/runs.jsonl"}

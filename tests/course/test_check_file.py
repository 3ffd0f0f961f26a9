"""What a learner is told about a file before it is handed in: cells that are missing, doubled, broken; no points."""

import copy
import json

import pytest
from graded_lesson import REPOSITORY, RIGHT, answered, learner, lesson, submit

from course.cli import main
from course.handout.check_file import check_file

SOLVED = RIGHT | {"99-why": "Because two and two are four."}


@pytest.fixture
def clone(tmp_path):
    path = lesson(tmp_path)
    submit(tmp_path / "notebooks", "99_toy.ipynb", learner(path))
    return tmp_path


@pytest.fixture
def solved(clone):
    return answered(learner(clone / "course" / "lessons" / "99_toy.py"), SOLVED)


def place(book, grade_id):
    return next(i for i, cell in enumerate(book.cells) if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


def told(clone, book, file="über file.ipynb"):
    return check_file(submit(clone / "mine", file, book), clone)


def test_a_whole_file_is_called_whole(clone, solved):
    said = told(clone, solved)
    assert said.lines == ["lesson 99_toy: 4 exercises, each with a cell that gives its answer"]
    assert said.fine


def test_what_was_not_written_is_named_and_is_no_fault(clone, solved):
    untouched = learner(clone / "course" / "lessons" / "99_toy.py")
    said = told(clone, answered(untouched, {"99-double": RIGHT["99-double"]}))
    assert said.lines[1:] == ["still as it was handed out: 99-sum, 99-quiz, 99-why"]
    assert said.fine


def test_a_missing_cell_is_named(clone, solved):
    del solved.cells[place(solved, "99-sum")]
    del solved.cells[place(solved, "99-why")]
    said = told(clone, solved)
    assert said.lines[1:] == [
        "99-sum: no cell gives its answer; write it again, as the cell above its check",
        "99-why: its cell is gone; take it from the notebook as it was handed out",
    ]
    assert not said.fine


def test_a_doubled_cell_is_named_and_still_graded(clone, solved):
    at = place(solved, "99-double")
    backup = copy.deepcopy(solved.cells[at])
    backup.source = "def double(number):\n    return 3 * number"
    solved.cells.insert(at, backup)
    said = told(clone, solved)
    assert said.lines[1:] == [
        f"99-double: cells {at + 1} and {at + 2} give its answer; the last one above its check counts"
    ]
    assert said.fine


def test_a_check_that_was_taken_out_is_named_and_still_graded(clone, solved):
    del solved.cells[place(solved, "99-sum-check")]
    said = told(clone, solved)
    assert said.lines[1:] == ["99-sum: its check is gone; the last cell that gives its answer counts"]
    assert said.fine


def test_a_cell_that_is_no_python_is_named_with_its_line(clone, solved):
    at = place(solved, "99-double")
    solved.cells[at].source = "def double(number):\n    return number +"
    said = told(clone, solved)
    assert said.lines[1] == f"cell {at + 1} is no Python (line 2: invalid syntax); nothing in it counts"
    assert said.lines[2].startswith("99-double: no cell gives its answer")
    assert not said.fine


@pytest.mark.parametrize("word", ["%time double(3)", "!ls", "double?"])
def test_lines_of_the_notebook_program_are_no_fault(clone, solved, word):
    solved.cells[-1].source = solved.cells[-1].source
    solved.cells[place(solved, "99-double-check")].source += f"\n{word}"
    assert told(clone, solved).fine


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not JSON (line 1); give the notebook file itself"),
        ('{"cells": 3}', "has no list of cells; give a notebook of format 4"),
    ],
)
def test_an_unreadable_file_is_one_line(clone, text, words):
    path = clone / "mine.ipynb"
    path.write_text(text)
    said = check_file(path, clone)
    assert said.lines == [f"mine.ipynb: {words}"]
    assert not said.fine


def test_a_wrong_lesson_is_named(clone, solved):
    solved.metadata["course"]["lesson"] = "77_other"
    said = told(clone, solved)
    assert said.lines == ["über file.ipynb: is of lesson '77_other'; there are: 99_toy"]
    assert not said.fine


def test_a_lab_a_file_that_is_not_there_and_another_ending_are_named(clone, solved):
    labs = clone / "course" / "lessons" / "labs"
    labs.mkdir()
    (labs / "91_lab.py").touch()
    solved.metadata["course"]["lesson"] = "91_lab"
    said = told(clone, solved)
    assert said.fine
    assert said.lines == [
        "über file.ipynb: a notebook of a lab session; it can be graded, and check-file knows lessons only"
    ]
    said = check_file(clone / "nowhere.ipynb", clone)
    assert (said.fine, said.lines) == (
        False, ["nowhere.ipynb: there is no such file; give the path of your notebook"]
    )  # fmt: skip
    said = told(clone, solved, "09 mine.ipynb.txt")
    assert (said.fine, said.lines) == (
        False, ["09 mine.ipynb.txt: the grader does not read a file of this name; rename it to 09 mine.ipynb"]
    )  # fmt: skip


def test_the_command_prints_lines_and_no_points(clone, solved, capsys):
    path = submit(clone / "mine", "a.ipynb", solved)
    assert main(["check-file", str(path), "--root", str(clone)]) == 0
    assert "99_toy: 4 exercises" in (out := capsys.readouterr().out)
    assert "point" not in out
    path.write_text("{")
    assert main(["check-file", str(path), "--root", str(clone)]) == 1
    assert main(["check-file", str(clone / "none.ipynb"), "--root", str(clone)]) == 1
    assert "there is no such file" in capsys.readouterr().out


def test_real_notebooks_are_whole(tmp_path):
    for path in sorted((REPOSITORY / "solutions").glob("0[02789]*.ipynb")):
        said = check_file(path, REPOSITORY)
        count = sum("exercise" in cell["metadata"] for cell in json.loads(path.read_text())["cells"])
        assert said.lines == [f"lesson {path.stem}: {count} exercises, each with a cell that gives its answer"]


def test_learners_are_told_once_what_a_grader_takes():
    from course.handout.export import README

    lessons = sorted((REPOSITORY / "course" / "lessons").glob("[0-9]*.py"))
    assert [path.name[:2] for path in lessons if "check-file" in path.read_text()] == ["00"]
    assert "check-file" in README


def test_a_class_s_version_is_compared_by_its_own_ids(tmp_path):
    from course.authoring.lesson import solved_notebook
    from course.handout.variants import export_variant

    export_variant(tmp_path, 3, ("01",))
    path = tmp_path / "source" / "course" / "lessons" / "01_pixel_prompts.py"
    book = solved_notebook(path)
    said = check_file(submit(tmp_path, "mine/01_pixel_prompts.ipynb", book), REPOSITORY)
    handed_out = json.loads((REPOSITORY / "notebooks" / "01_pixel_prompts.ipynb").read_text())
    count = sum("exercise" in cell["metadata"] for cell in handed_out["cells"])
    assert said.lines == [f"lesson 01_pixel_prompts: {count} exercises, each with a cell that gives its answer"]
    gone = next(i for i, c in enumerate(book.cells) if c.metadata.get("exercise", {}).get("id") == "01-count-v3")
    del book.cells[gone]
    said = check_file(submit(tmp_path, "mine/01_pixel_prompts.ipynb", book), REPOSITORY)
    assert said.lines[1].startswith("01-count: no cell gives its answer")

"""The ten real notebooks, graded by the command: solved gets every point that a check gives, half half, untouched 0."""

import copy
import csv
import json
from pathlib import Path

import pytest
from graded_lesson import submit

from course.cli import main
from course.grading.sandbox import BUBBLEWRAP, isolation

REPOSITORY = Path(__file__).resolve().parents[2]
LESSONS = sorted(path.stem for path in (REPOSITORY / "solutions").glob("[0-9]*.ipynb"))
AUTOMATIC = {"00": 18, "01": 20, "02": 19, "03": 14, "04": 15, "05": 18, "06": 21, "07": 16, "08": 19, "09": 17}
pytestmark = pytest.mark.skipif(isolation() != BUBBLEWRAP, reason="bubblewrap does not work here")


def read(folder: str, lesson: str):
    return json.loads((REPOSITORY / folder / f"{lesson}.ipynb").read_text(encoding="utf-8"))


def exercise_of(cell) -> str:
    return cell["metadata"].get("exercise", {}).get("id", "")


def half(lesson: str) -> tuple[dict, list[str]]:
    """Return a notebook in which every second exercise is solved, and the ids of those."""
    book = copy.deepcopy(read("notebooks", lesson))
    answers = {exercise_of(cell): cell for cell in read("solutions", lesson)["cells"] if exercise_of(cell)}
    chosen = list(answers)[::2]
    for cell in book["cells"]:
        if exercise_of(cell) in chosen:
            cell["source"] = answers[exercise_of(cell)]["source"]
    return book, chosen


def test_solved_half_and_untouched_notebooks_of_all_lessons_get_their_points(tmp_path):
    assert [lesson[:2] for lesson in LESSONS] == list(AUTOMATIC)
    chosen = {}
    for lesson in LESSONS:
        book, chosen[lesson] = half(lesson)
        books = {"solved": read("solutions", lesson), "half": book, "untouched": read("notebooks", lesson)}
        for learner, book in books.items():
            submit(tmp_path / "all", f"{learner}/{lesson}.ipynb", book)
    assert main(["grade", str(tmp_path / "all"), "--out", str(tmp_path / "grades.csv")]) == 0
    rows = {row["file"]: row for row in csv.DictReader((tmp_path / "grades.csv").open())}
    assert len(rows) == 3 * len(LESSONS)
    for lesson in LESSONS:
        solved, some, none = (rows[f"{learner}/{lesson}.ipynb"] for learner in ("solved", "half", "untouched"))
        of = str(AUTOMATIC[lesson[:2]])
        assert (solved["points"], none["points"]) == (of, "0"), lesson
        assert {row["of"] for row in (solved, some, none)} == {of}, lesson
        assert len({row["by_hand"] for row in (solved, some, none)}) == 1, lesson
        points = {name: some[name] for name in chosen[lesson]}
        assert points == {name: solved[name] for name in chosen[lesson]}, lesson
        assert float(some["points"]) == sum(map(float, filter(None, points.values()))), lesson

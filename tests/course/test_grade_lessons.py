"""The ten real notebooks, graded by the command: solved gets every point that a check gives, half half, untouched 0."""

from graded_lesson import by, submit
from real_lessons import LESSONS, half, three
from sandboxed import needs_bubblewrap

from course.cli import main

AUTOMATIC = {"00": 18, "01": 20, "02": 19, "03": 14, "04": 15, "05": 18, "06": 21, "07": 16, "08": 19, "09": 17}
pytestmark = needs_bubblewrap


def test_solved_half_and_untouched_notebooks_of_all_lessons_get_their_points(tmp_path):
    assert [lesson[:2] for lesson in LESSONS] == list(AUTOMATIC)
    chosen = {}
    for lesson in LESSONS:
        chosen[lesson] = half(lesson)[1]
        for learner, book in three(lesson).items():
            submit(tmp_path / "all", f"{learner}/{lesson}.ipynb", book)
    assert main(["grade", str(tmp_path / "all"), "--out", str(tmp_path / "grades.csv")]) == 0
    rows = by("file", tmp_path / "grades.csv")
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

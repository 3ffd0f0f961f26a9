"""Six hostile submissions among honest ones: nobody gains or loses a point. tests/full/attacks.py has all of them."""

from full.attacks import hostile, submissions, wrong_marks
from graded_lesson import learner, lesson
from sandboxed import needs_bubblewrap

from course.grading.grade import grade

SIX = (
    "reads solutions",
    "opens sockets",
    "allocates 8 GiB",
    "loops for ever",
    "copies an id",
    "rewrites what is compiled, from above",
)


@needs_bubblewrap
def test_hostile_submissions_gain_nothing_and_cost_nobody_a_point(tmp_path):
    root, out = tmp_path / "root", tmp_path / "grades.csv"
    root.mkdir()
    files = submissions(learner(lesson(root)), tmp_path / "all", total=9, attacks=SIX)
    grade(tmp_path / "all", out, root=root, workers=1, seconds=5.0)
    points, wrong = wrong_marks(files, out)
    assert points == dict.fromkeys(SIX, 0)
    assert wrong == []


NAMED = "solutions exercises others overwrites sockets forks 8_GiB ever 1_GB 10^7_lines equals deletes copies later"


def test_the_long_run_holds_every_kind_of_attack(tmp_path):
    found = hostile(learner(lesson(tmp_path)))
    kinds = " ".join(found)
    assert len(found) == 51
    assert [word for word in NAMED.split() if word.replace("_", " ") not in kinds] == []

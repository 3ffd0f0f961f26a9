"""What nbgrader counts, taken from the sandbox of `python -m course grade` and not from the learner's own kernel."""

from __future__ import annotations

from typing import Any

from course.authoring.lesson_names import ROOT
from course.check.verdict import SYMBOLS
from course.grading.judge import Judged
from course.grading.plan import make_plan
from course.grading.sandbox import BUBBLEWRAP, isolation
from course.grading.submission import parse_submission
from course.grading.worker import judge_all

HAND = "{id}: graded by your instructor: {doubt}"


def sandbox_verdicts(notebook: Any, lesson: str) -> dict[str, Judged]:
    """Judge a submission to a lesson, by the id of each exercise of code.

    The lesson is what nbgrader calls the notebook, whatever stands inside it. The result is empty where bubblewrap does
    not work, or where this clone has no such lesson; then only the signature of `check.grade` stands between a learner
    and the points.

    Raises:
        NotStarted: the sandbox did not start; run nbgrader again.
    """
    import nbformat

    path = ROOT / "course" / "lessons" / f"{lesson}.py"
    if not path.is_file() or isolation() != BUBBLEWRAP:
        return {}
    text = nbformat.writes(notebook)
    return judge_all(parse_submission(text.encode(errors="surrogatepass"), lesson), make_plan(path))


def words(judged: Judged) -> str:
    """Return what a learner reads in place of points."""
    if judged.doubt:
        return HAND.format(id=judged.verdict.id, doubt=judged.doubt)
    return f"{SYMBOLS[judged.verdict.outcome]} {judged.verdict.id}: {judged.verdict.sentence}"

"""Hand out and grade all lessons with the real nbgrader, as an instructor would, and compare every score.

Run: python tests/full/nbgrader_all.py [NN ...]. Three learners a lesson: "solved" answers every automatic exercise,
"half" every second one, "stub" none. Their scores must be all points, those of the answered exercises, and none.
Prints a row a lesson; ends with 1 if a score is wrong.
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
import time
from pathlib import Path

import nbformat

HERE = Path(__file__).resolve()
ROOT = HERE.parents[2]
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parents[1] / "support"), str(ROOT)]

from graded_lesson import answered, nbgrader  # noqa: E402

from course.authoring.lesson_names import lesson_paths  # noqa: E402
from course.handout.export import export_nbgrader  # noqa: E402


def answers(source) -> dict[str, str]:
    """Return the right source of each automatic exercise of a solved notebook."""
    cells = [cell for cell in source.cells if cell.metadata.get("nbgrader", {}).get("solution")]
    return {c.metadata.nbgrader.grade_id: c.source for c in cells if not c.metadata.nbgrader.get("grade")}


def points(release) -> dict[str, float]:
    """Return the points of each automatic exercise, by its name."""
    cells = [cell for cell in release.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    automatic = [cell for cell in cells if not cell.metadata.nbgrader.get("solution")]
    return {c.metadata.nbgrader.grade_id.removesuffix("-grade"): c.metadata.nbgrader.points for c in automatic}


def hand_in(folder: Path, name: str) -> dict[str, float]:
    """Write the three submissions of a lesson; returns what each must score."""
    source, release = (nbformat.read(folder / part / name / f"{name}.ipynb", 4) for part in ("source", "release"))
    right, worth = answers(source), points(release)
    assert set(worth) <= set(right), set(worth) - set(right)
    half = dict(list(right.items())[::2])
    chosen = {"solved": right, "half": half, "stub": {}}
    for learner, done in chosen.items():
        path = folder / "submitted" / learner / name / f"{name}.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(answered(release, done), path)
    return {learner: sum(worth.get(exercise, 0) for exercise in done) for learner, done in chosen.items()}


def main(wanted: list[str]) -> int:
    wrong, lessons = 0, 0
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        export_nbgrader(folder, tuple(wanted))
        names = sorted(path.name for path in (folder / "release").iterdir())
        for name in names:
            began, expected = time.perf_counter(), hand_in(folder, name)
            nbgrader(folder, "generate_assignment", name, "--create", "--force")
            nbgrader(folder, "autograde", name, "--create")
            nbgrader(folder, "generate_feedback", name)
            nbgrader(folder, "export")
            with (folder / "grades.csv").open() as file:
                rows = {row["student_id"]: row for row in csv.DictReader(file) if row["assignment"] == name}
            found = {learner: float(row["raw_score"]) for learner, row in rows.items()}
            pages = all((folder / f"feedback/{learner}/{name}/{name}.html").is_file() for learner in expected)
            ok = found == expected and pages
            wrong, lessons = wrong + (not ok), lessons + 1
            verdict = "ok" if ok else f"WRONG, expected {expected}, feedback {pages}"
            print(f"{name:28} of {rows['solved']['max_score']:>5}  {found}  "
                  f"{time.perf_counter() - began:.0f} s  {verdict}", flush=True)  # fmt: skip
    print("figures:", json.dumps({"lessons": lessons, "submissions": 3 * lessons, "lessons_with_wrong_scores": wrong}))
    return int(wrong > 0)


if __name__ == "__main__":
    try:
        lesson_paths(names=tuple(sys.argv[1:]))
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    sys.exit(main(sys.argv[1:]))

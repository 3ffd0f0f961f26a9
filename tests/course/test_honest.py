"""Habits of honest learners cost nothing: every shape of one lesson here, every shape of every lesson in .ci/full."""

import ast
import csv
import json
from pathlib import Path

import pytest
from full.honest import KINDS, REPOSITORY, read, shapes

from course.grading.cells import Notebook, run_slice
from course.grading.grade import grade
from course.grading.plan import make_plan
from course.grading.sandbox import BUBBLEWRAP, isolation

LESSON = "08_bug_museum"
SAMPLE = (
    "a setup cut in two, its id doubled",
    "an old attempt above, its id doubled",
    "a line that looks at data",
    "a line magic and a command",
    "no metadata at all",
    "a scratch cell that never ends",
)


def sources(data: bytes) -> list[str | None]:
    cells = json.loads(data.decode("utf-8-sig"))["cells"]
    return ["".join(cell["source"]) if cell["cell_type"] == "code" else None for cell in cells]


def test_every_shape_of_a_solved_lesson_gives_right_answers():
    plan = make_plan(REPOSITORY / "course" / "lessons" / f"{LESSON}.py")
    tasks = [task for task in plan.tasks if task.exercise is not None and task.automatic]
    wrong = []
    for name, data in shapes(read("solutions", LESSON)):
        notebook = Notebook(sources(data), list(plan.cells.values()))
        for task in tasks:
            space = {"display": print, "__name__": "__main__"}
            part = notebook.slice(task.id, task.answer)
            run_slice(notebook, part, space, lambda said: None)
            answer = eval(compile(ast.Expression(part.expression), "<check>", "eval"), space)
            assert task.exercise is not None
            finding = task.exercise.examine(answer, task.prepared)
            wrong += [f"{name}, {task.id}: {finding.sentence}"] if finding else []
    assert wrong == []
    assert len(KINDS) >= 40


@pytest.mark.skipif(isolation() != BUBBLEWRAP, reason="bubblewrap does not work here")
def test_a_sample_of_shapes_gets_all_points_from_the_grader(tmp_path: Path):
    names = {}
    for number, (name, data) in enumerate(shapes(read("solutions", LESSON), SAMPLE)):
        file = tmp_path / "all" / f"{number}" / f"{LESSON}.ipynb"
        file.parent.mkdir(parents=True)
        file.write_bytes(data)
        names[f"{number}/{LESSON}.ipynb"] = name
    grade(tmp_path / "all", tmp_path / "grades.csv", lessons=("08",))
    rows = list(csv.DictReader((tmp_path / "grades.csv").open(encoding="utf-8")))
    assert {names[row["file"]]: row["points"] for row in rows} == dict.fromkeys(names.values(), "19")
    assert {row["of"] for row in rows} == {"19"}

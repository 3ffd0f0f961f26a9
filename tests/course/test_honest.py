"""Habits of honest learners cost nothing: every shape of one lesson here, every shape of every lesson in .ci/full."""

import ast
import json
from pathlib import Path

import pytest
from full.honest import HAND, KINDS, REPOSITORY, exercise_of, read, shapes
from graded_lesson import rows
from IPython.core.inputtransformer2 import TransformerManager
from sandboxed import needs_bubblewrap

from course.authoring.lesson import solved_notebook
from course.authoring.lesson_names import lesson_paths
from course.grading.cells import Notebook, run_slice
from course.grading.grade import grade
from course.grading.plan import make_plan

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
    wrong, command_known = [], "getoutput" in TransformerManager().transform_cell("files = !ls\n")
    for name, data in shapes(read("solutions", LESSON)):
        if name in HAND or (name == "the output of a command" and not command_known):
            continue  # its file is not there, or an old IPython on a new Python cannot read it
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
    assert len(KINDS) >= 55


@pytest.mark.parametrize("path", lesson_paths(), ids=lambda path: path.stem)
def test_no_cell_but_the_answer_gives_a_check_its_value(path: Path):
    """Else the check of an answer that was moved below it would take the other cell's value."""
    cells = solved_notebook(path).cells
    kept = [None if cell.cell_type != "code" or exercise_of(cell) else cell.source for cell in cells]
    notebook, checks = Notebook(kept, []), [cell.metadata["check"] for cell in cells if "check" in cell.metadata]
    found = {name: [ast.unparse(one.node) for one in notebook.slice(name, "").statements] for name in checks}
    assert {name: lines for name, lines in found.items() if lines} == {}


@needs_bubblewrap
def test_a_sample_of_shapes_gets_all_points_from_the_grader(tmp_path: Path):
    names = {}
    for number, (name, data) in enumerate(shapes(read("solutions", LESSON), SAMPLE)):
        file = tmp_path / "all" / f"{number}" / f"{LESSON}.ipynb"
        file.parent.mkdir(parents=True)
        file.write_bytes(data)
        names[f"{number}/{LESSON}.ipynb"] = name
    grade(tmp_path / "all", tmp_path / "grades.csv", lessons=("08",))
    found = rows(tmp_path / "grades.csv")
    assert {names[row["file"]]: row["points"] for row in found} == dict.fromkeys(names.values(), "19")
    assert {row["of"] for row in found} == {"19"}

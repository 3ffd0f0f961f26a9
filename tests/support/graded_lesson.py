"""A small lesson with real checks, and submissions made from it: right, wrong, hostile, broken."""

import copy
import csv
import json
import os
import subprocess
import sys
from pathlib import Path

from toy_lesson import HEADER, write

from course.authoring.learner import learner_notebook
from course.authoring.lesson import solved_notebook
from course.grading.plan import make_plan

REPOSITORY = Path(__file__).resolve().parents[2]
SETUP = """import sys
import torch
from course import check

check.register(check.FunctionExercise(
    id="99-double", points=2, reference=lambda number: 2 * number, cases=lambda rng: [torch.randn(3, generator=rng)],
    gradient=True, forbids=("vpcore.prompts.multiscale.average_maps",),
))
check.register(check.FunctionExercise(
    id="99-sum", points=1, reference=lambda numbers: sum(numbers), cases=lambda rng: [[1, 2], [4, 0, 1]],
))
right = frozenset({check.seal("99-quiz", "b")})
check.register(check.QuizExercise(id="99-quiz", points=1, choices="ab", right=right))
"""
CELLS = """
# %% exercise={"id": "99-double", "points": 2, "minutes": 1, "difficulty": 1, "path": "core", "needs": ["setup"]}
def double(number):
    ### BEGIN SOLUTION
    return number + number
    ### END SOLUTION

# %% check="99-double"
check("99-double", double)

# %% [markdown]
# ## Exercise: add them up

# %% exercise={"id": "99-sum", "points": 1, "minutes": 1, "difficulty": 1, "path": "core", "needs": ["99-double"]}
def add_up(numbers):
    ### BEGIN SOLUTION
    return sum(numbers)
    ### END SOLUTION

# %% check="99-sum"
check("99-sum", add_up)

# %% name="train"
trained = True

# %% [markdown]
# ## Exercise: choose

# %% exercise={"id": "99-quiz", "points": 1, "minutes": 1, "difficulty": 1, "path": "extra"}
choice = ...
### BEGIN SOLUTION
choice = "b"
### END SOLUTION

# %% check="99-quiz"
check.quiz("99-quiz", choice)

# %% [markdown]
# ## Exercise: say why

# %% [markdown] exercise={"id": "99-why", "points": 3, "minutes": 1, "difficulty": 1, "path": "extra"}
# ### BEGIN SOLUTION
# Because.
# ### END SOLUTION
# ### BEGIN MARK SCHEME
# 3: says why.
# ### END MARK SCHEME
"""
LESSON = f'{HEADER}\n# %% name="setup"\n{SETUP}{CELLS}'
RIGHT = {
    "99-double": "def double(number):\n    return number + number",
    "99-sum": "def add_up(numbers):\n    return sum(numbers)",
    "99-quiz": 'choice = "b"',
}


def lesson(root: Path) -> Path:
    """Write the lesson under a root and make its exercises known in this process."""
    exec(SETUP, {})
    return write(root, LESSON)


def plan(root: Path):
    return make_plan(lesson(root))


def learner(path: Path):
    """Return the learner's notebook of the lesson."""
    return learner_notebook(solved_notebook(path))


def answered(book, answers):
    """Return a copy of a notebook with other sources in the cells of these exercises."""
    book = copy.deepcopy(book)
    for cell in book.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name in answers:
            cell.source = answers[name]
    return book


def submit(folder: Path, file: str, book) -> Path:
    """Write a submission."""
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(book), encoding="utf-8")
    return path


def double(body: str, before: str = "") -> dict[str, str]:
    """Return answers with this body of 99-double and this text before it; the others are right."""
    lines = "\n".join("    " + line for line in body.split("\n"))
    return {**RIGHT, "99-double": f"{before}\ndef double(number):\n{lines}"}


def rows(table: Path) -> list[dict[str, str]]:
    """Read a table that the grader or nbgrader wrote."""
    with table.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def by(column: str, table: Path) -> dict[str, dict[str, str]]:
    """Read a table by a column that names each row once."""
    found = rows(table)
    named = {row[column]: row for row in found}
    assert len(named) == len(found), f"{table.name}: two rows of one {column}"
    return named


def nbgrader(folder: Path, *arguments: str) -> None:
    """Run nbgrader in a course folder."""
    tool = Path(sys.executable).with_name("nbgrader")
    path = os.pathsep.join([str(tool.parent), os.environ["PATH"]])
    kept = {"PATH": path, "PYTHONPATH": str(REPOSITORY), "HOME": str(folder), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([str(tool), *arguments], cwd=folder, env=kept, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"nbgrader {' '.join(arguments)} failed:\n{done.stderr[-3000:]}"

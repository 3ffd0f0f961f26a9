'''Reads one lesson source into its solved notebook.

A lesson is one file, ``course/lessons/NN_name.py``, in jupytext's percent format.  It looks like this:

    # %% [markdown]
    # # Multiscale prompts
    #
    # **You will be able to** write a prompt at three scales.
    #
    # **Before you start** finish lesson 01.
    #
    # **Your time**: 45 minutes for the core, 30 for the deeper sections.
    # **Machine time**: 40 seconds on two CPU cores.

    # %% name="setup"
    import vpcore
    from course import check

    # %% [markdown]
    # ### Exercise: average the maps
    # Why does the scale matter? Write the mean of the maps.

    # %% exercise={"id": "02-average", "points": 2, "minutes": 10, "difficulty": 2, "path": "core", "needs": ["setup"]}
    def average_maps(maps):
        """Return the mean of the maps."""
        ### BEGIN SOLUTION
        return sum(maps) / len(maps)
        ### END SOLUTION

    # %% check="02-average"
    check("02-average", average_maps)

    # %% [markdown]
    # **Question.** Which map is the strongest?

    # %%
    print("the first")

    # %% [markdown] answer=true
    # The first: it has the fewest entries.

    # %% [markdown]
    # ## Deeper: where the maps cancel
    #
    # ### Exercise: explain the average

    # %% [markdown] exercise={"id": "02-why", "points": 3, "minutes": 5, "difficulty": 1, "path": "extra"}
    # ### BEGIN SOLUTION
    # The model answer, seen in solutions/ only.
    # ### END SOLUTION
    # ### BEGIN MARK SCHEME
    # 3: names the cause. 1: describes it. 0: neither. (Never shown to a learner.)
    # ### END MARK SCHEME

    # %% [markdown]
    # ## Recap
    # ## Self-test
    # ## Further reading

The builder adds the line with difficulty, minutes, path and points under the exercise's heading.
``needs`` lists earlier cells by ``name="..."`` or exercise id.  ``### BEGIN HIDDEN TESTS`` works in check cells.
One cell may carry ``tags=["nbval-ignore-output"]``: the one that prints the environment.  What a Question hides is in
`course.authoring.guesses`, how minutes are counted in `course.authoring.sections`; ``point=true`` marks a code cell
that may be longer than 12 lines because it is the point of its section.
'''

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

from course.authoring.cells import HEADING, LessonError, cell_name, has_heading
from course.authoring.guesses import hide_guesses
from course.authoring.lesson_rules import check_lesson, has_form
from course.authoring.sections import label_sections

DIFFICULTY = {1: "gentle", 2: "moderate", 3: "challenging"}
AUTHOR_EXTRA = "building lessons needs jupytext and nbgrader; run: python -m pip install -e '.[dev]'"


def read_lesson(path: Path) -> Any:
    """Reads and checks a lesson source; returns its cells as a plain notebook.

    Raises:
        LessonError: the file breaks a rule of the format; the message names lesson and cell.
        ImportError: the author tools are not installed.
    """
    try:
        import jupytext
    except ImportError as error:
        raise ImportError(AUTHOR_EXTRA) from error
    try:
        notebook = jupytext.reads(path.read_text(encoding="utf-8").lstrip(), fmt="py:percent")
    except (ValueError, SyntaxError) as error:
        raise LessonError(f"lesson {path.stem}: the file is not jupytext percent format ({error})") from error
    for cell in notebook.cells:
        cell.metadata.pop("lines_to_next_cell", None)
    check_lesson(path.stem, notebook)
    return notebook


def solved_notebook(path: Path) -> Any:
    """Returns the solved notebook of a lesson, not yet executed: labels, nbgrader metadata, stable ids."""
    notebook = read_lesson(path)
    found = [cell.metadata["exercise"] for cell in notebook.cells if "exercise" in cell.metadata]
    exercises = {exercise["id"]: exercise for exercise in found}
    if has_form(path.stem):
        label_sections(notebook)
        hide_guesses(notebook)
    _add_labels(notebook)
    for cell in notebook.cells:
        if "exercise" in cell.metadata:
            cell.metadata["nbgrader"] = _answer_metadata(cell)
        elif "check" in cell.metadata:
            cell.metadata["nbgrader"] = _check_metadata(exercises[cell.metadata["check"]])
    _add_ids(path.stem, notebook)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = _notebook_metadata(path.stem, "solved")
    return notebook


def label(exercise: dict[str, Any]) -> str:
    """Returns the visible line of an exercise: difficulty in words, minutes, path, points."""
    units = ("minutes", "points")
    minutes, points = (f"{exercise[unit]} {unit[:-1] if exercise[unit] == 1 else unit}" for unit in units)
    return f"*{DIFFICULTY[exercise['difficulty']]} · {minutes} · {exercise['path']} · {points}*"


def _add_labels(notebook: Any) -> None:
    text: Any = None
    for cell in notebook.cells:
        if "exercise" in cell.metadata:
            lines = text.source.split("\n")
            last = max(number for number, line in enumerate(lines) if HEADING.match(line))
            line = label(cell.metadata["exercise"])
            text.source = "\n".join([*lines[: last + 1], "", line, *_spaced(lines[last + 1 :])])
        elif cell.cell_type == "markdown" and has_heading(cell):
            text = cell


def _spaced(lines: list[str]) -> list[str]:
    return ["", *lines] if lines and lines[0].strip() else lines


def _answer_metadata(cell: Any) -> dict[str, Any]:
    exercise = cell.metadata["exercise"]
    manual = cell.cell_type == "markdown"
    base = {"schema_version": 3, "grade_id": exercise["id"], "locked": False, "solution": True, "task": False}
    return {**base, "grade": manual, **({"points": exercise["points"]} if manual else {})}


def _check_metadata(exercise: dict[str, Any]) -> dict[str, Any]:
    base = {"schema_version": 3, "grade_id": f"{exercise['id']}-check", "points": exercise["points"]}
    return {**base, "grade": True, "locked": True, "solution": False, "task": False}


def _add_ids(lesson: str, notebook: Any) -> None:
    seen: Counter[str] = Counter()
    for cell in notebook.cells:
        key = cell_name(cell) or f"{cell.cell_type}\n{cell.source}"
        seen[key] += 1
        cell.id = hashlib.sha256(f"{lesson}\n{key}\n{seen[key]}".encode()).hexdigest()[:12]


def _notebook_metadata(lesson: str, kind: str) -> Any:
    import nbformat

    return nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"},
            "course": {"lesson": lesson, "kind": kind},
        }
    )

"""The rules a lesson source must keep; each broken rule is one line that names the lesson and the cell."""

from __future__ import annotations

import re
from typing import Any

from course.authoring.cells import HEADING, LessonError, cell_name, has_heading, where
from course.authoring.guesses import IGNORE_TAG, guess_problem
from course.authoring.sections import FOOTER, section_problem

HEADER = ("You will be able to", "Before you start", "Your time", "Machine time")
REGIONS = ("SOLUTION", "HIDDEN TESTS", "MARK SCHEME")
KEYS = {"id", "points", "minutes", "difficulty", "path", "needs"}
IN_FORM = {f"0{number}" for number in range(10)}  # lessons with a core and hidden answers


def check_lesson(lesson: str, notebook: Any) -> None:
    """Checks every rule of the format.

    Raises:
        LessonError: the first broken rule, in one line.
    """
    if not re.fullmatch(r"\d\d_[a-z0-9_]+", lesson):
        raise LessonError(f"lesson {lesson}: name the file like 02_multiscale.py: two digits, '_', lower-case name")
    if not notebook.cells:
        raise LessonError(f"lesson {lesson}: the file holds no cell; start one with '# %%'")
    place = f"lesson {lesson}"
    for index, cell in enumerate(notebook.cells):
        problem = _metadata_problem(lesson, cell) or _region_problem(cell)
        if problem:
            raise _broken(place, index, notebook.cells, problem)
    for rule in (_check_frame, _check_names, _check_order, _check_tags):
        rule(place, notebook.cells)
    for find in (guess_problem, section_problem) if has_form(lesson) else ():
        found = find(notebook.cells)
        if found:
            raise _broken(place, found[0], notebook.cells, found[1])


def has_form(lesson: str) -> bool:
    """Says whether a lesson has a core, deeper sections and hidden answers, and must keep their rules."""
    return lesson[:2] in IN_FORM


def _broken(place: str, index: int, cells: list[Any], problem: str) -> LessonError:
    return LessonError(f"{where(place, index, cells[index])}: {problem}")


def _metadata_problem(lesson: str, cell: Any) -> str:
    if "incorrectly_encoded_metadata" in cell.metadata:
        broken = cell.metadata["incorrectly_encoded_metadata"]
        return f"the metadata is not valid: {broken}; write key=JSON, like exercise={{...}}"
    if not cell.source.strip():
        return "the cell is empty; fill or remove it"
    if "check" in cell.metadata and cell.cell_type != "code":
        return "a check cell must be a code cell; remove [markdown]"
    if cell.cell_type == "code" and cell.source.rstrip().endswith(";"):
        return "a last ';' hides nothing under nbval; assign the value to _ instead"
    return _exercise_problem(lesson, cell.metadata["exercise"]) if "exercise" in cell.metadata else ""


def _exercise_problem(lesson: str, exercise: Any) -> str:
    if not isinstance(exercise, dict):
        return 'exercise must be a JSON object, like exercise={"id": "02-average", ...}'
    missing, unknown = KEYS - {"needs"} - set(exercise), set(exercise) - KEYS
    if missing or unknown:
        fault = "lacks" if missing else "has unknown"
        return f"the exercise {fault} {', '.join(sorted(missing or unknown))}; give {', '.join(sorted(KEYS))}"
    number = r"\d\d" if lesson[2:].startswith("_lab_") else lesson[:2]  # a lab takes exercises of other lessons
    if not re.fullmatch(rf"{number}-[a-z0-9-]+", str(exercise["id"])):
        return f"the exercise id must look like '{lesson[:2]}-average', got {exercise['id']!r}"
    for key in ("points", "minutes"):
        if type(exercise[key]) is not int or exercise[key] < 1:
            return f"{key} must be a whole number from 1, got {exercise[key]!r}"
    if exercise["difficulty"] not in (1, 2, 3):
        return f"difficulty must be 1, 2 or 3, got {exercise['difficulty']!r}"
    if exercise["path"] not in ("core", "extra"):
        return f"path must be 'core' or 'extra', got {exercise['path']!r}"
    needs = exercise.get("needs", [])
    return "" if isinstance(needs, list) else f"needs must be a list of names, got {needs!r}"


def _region_problem(cell: Any) -> str:
    for region in REGIONS:
        problem = _unbalanced(cell.source, region)
        if problem:
            return problem
    answer, marked = "exercise" in cell.metadata, "### BEGIN SOLUTION" in cell.source
    if answer and not marked:
        return "the solution region is missing; put '### BEGIN SOLUTION' and '### END SOLUTION' around the answer"
    if marked and not answer:
        return "a solution region stands in a cell without exercise={...}; add the metadata or remove the region"
    if "### BEGIN HIDDEN TESTS" in cell.source and "check" not in cell.metadata:
        return 'hidden tests belong in a check cell; add check="..." or move them'
    if "### BEGIN MARK SCHEME" in cell.source and not (answer and cell.cell_type == "markdown"):
        return "a mark scheme belongs in a written exercise; use [markdown] exercise={...}"
    return ""


def _unbalanced(source: str, region: str) -> str:
    inside = False
    for line in source.split("\n"):
        if f"BEGIN {region}" not in line and f"END {region}" not in line:
            continue
        begins = line.strip() == f"### BEGIN {region}"
        if not begins and line.strip() != f"### END {region}":
            return f"write '### BEGIN {region}' or '### END {region}' alone on its line, got {line.strip()!r}"
        if begins == inside:
            fault = "opened twice" if begins else "closed before it is opened"
            return f"the {region} region is {fault}; pair the markers"
        inside = begins
    return f"the {region} region is not closed; add '### END {region}'" if inside else ""


def _check_frame(place: str, cells: list[Any]) -> None:
    first = cells[0]
    if first.cell_type != "markdown" or not first.source.startswith("# "):
        raise _broken(place, 0, cells, "the first cell must be markdown and start with '# Title'")
    missing = [part for part in HEADER if part not in first.source]
    if missing:
        raise _broken(place, 0, cells, f"the header lacks {missing[0]!r}; add it")
    text = [line for cell in cells if cell.cell_type == "markdown" for line in cell.source.split("\n")]
    headings = [line.lstrip("#").strip() for line in text if HEADING.match(line)]
    missing = [part for part in FOOTER if part not in headings]
    if missing:
        raise _broken(place, len(cells) - 1, cells, f"the footer lacks '## {missing[0]}'; add it")


def _check_names(place: str, cells: list[Any]) -> None:
    known: set[str] = set()
    for index, cell in enumerate(cells):
        name = cell_name(cell)
        if name and name in known:
            raise _broken(place, index, cells, f"the name {name!r} is used twice; rename one")
        needs = cell.metadata.get("exercise", {}).get("needs", [])
        lost = [need for need in needs if need not in known]
        if lost:
            raise _broken(place, index, cells, f"needs {lost[0]!r}, but no earlier cell has that name")
        known.add(name)


def _check_order(place: str, cells: list[Any]) -> None:
    waiting: dict[str, tuple[int, Any]] = {}
    introduced = False
    for index, cell in enumerate(cells):
        if "exercise" in cell.metadata:
            if not introduced:
                raise _broken(place, index, cells, "no heading introduces the exercise; add '### Exercise: ...'")
            introduced = False
            if cell.cell_type == "code":
                waiting[cell.metadata["exercise"]["id"]] = (index, cell)
        elif "check" in cell.metadata:
            if waiting.pop(cell.metadata["check"], None) is None:
                raise _broken(place, index, cells, f"no exercise {cell.metadata['check']!r} above it; fix the id")
        elif cell.cell_type == "markdown":
            introduced = introduced or has_heading(cell)
    for index, cell in waiting.values():
        raise _broken(place, index, cells, f"no check cell follows; add '# %% check=\"{cell_name(cell)}\"'")


def _check_tags(place: str, cells: list[Any]) -> None:
    ignored = [index for index, cell in enumerate(cells) if IGNORE_TAG in cell.metadata.get("tags", [])]
    if len(ignored) > 1:
        raise _broken(place, ignored[1], cells, f"only one cell may carry {IGNORE_TAG!r}; print exact facts")

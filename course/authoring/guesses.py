"""Guess before seeing: what answers a Question is stored without its output, or folded, in a learner's notebook.

A text cell that ends in a paragraph ``**Question.** …`` asks. The code cells below it, exercises left out, answer:
notebooks/ store them without output and nbval does not compare them, solutions/ hold and compare everything. Then
comes the answer in words, a text cell marked ``answer=true``, which the builder folds.
"""

from __future__ import annotations

import re
from typing import Any

from course.authoring.cells import HEADING

QUESTION = "**Question.**"
IGNORE_TAG = "nbval-ignore-output"
FOLDED = "<details>\n<summary>{title}</summary>\n\n{text}\n\n</details>"
LISTED = re.compile(r"\s*([-*]|\d+\.|\*\*[a-z]\*\*) ")


def guess_problem(cells: list[Any]) -> tuple[int, str] | None:
    """Returns the first cell that breaks the form above, by its place, and what to do; None when all is well."""
    asked: int | None = None
    for index, cell in enumerate(cells):
        if cell.cell_type != "markdown" or "exercise" in cell.metadata:
            continue
        if cell.metadata.get("answer"):
            if asked is None:
                return index, f"an answer without a question: end an earlier text with '{QUESTION} …'"
            if any(HEADING.match(line) for line in cell.source.split("\n")):
                return index, "a heading in an answer would be folded away; put it into the next cell"
            asked = None
        elif asked is not None and not _introduces(cell):
            return index, f"text in sight below the question of cell {asked + 1}; mark it [markdown] answer=true"
        if QUESTION in cell.source:
            if not _ends_in_question(cell.source):
                return index, "a question is the last paragraph of its cell; what follows it would be seen"
            asked = index
    return None if asked is None else (asked, "no answer follows the question; add '# %% [markdown] answer=true'")


def hide_guesses(notebook: Any) -> None:
    """Folds the answers in words and marks the cells whose output answers a question, in place."""
    asked = False
    for cell in notebook.cells:
        if cell.cell_type == "code":
            if asked and not {"exercise", "check"} & set(cell.metadata):
                cell.metadata["answers"] = True
        elif cell.metadata.pop("answer", False):
            cell.source = FOLDED.format(title="Answer", text=cell.source.strip())
            asked = False
        else:
            asked = asked or QUESTION in cell.source


def tag_answers(notebook: Any) -> None:
    """Tells nbval not to compare the cells that answer a question, in place."""
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if cell.metadata.get("answers") and IGNORE_TAG not in tags:
            cell.metadata["tags"] = [*tags, IGNORE_TAG]


def drop_answers(notebook: Any) -> None:
    """Drops the outputs that answer a question, in place; the cell keeps its execution count."""
    for cell in notebook.cells:
        if cell.metadata.get("answers"):
            cell.outputs = []


def _introduces(cell: Any) -> bool:
    headings = [line.lstrip("#").strip() for line in cell.source.split("\n") if HEADING.match(line)]
    return bool(headings) and headings[0].startswith("Exercise")


def _ends_in_question(source: str) -> bool:
    parts = [part for part in re.split(r"\n\s*\n", source.strip()) if part.strip()]
    place = [number for number, part in enumerate(parts) if QUESTION in part]
    return len(place) == 1 and all(LISTED.match(part) for part in parts[place[0] + 1 :])

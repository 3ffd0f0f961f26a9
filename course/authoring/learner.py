"""Derives the learner's notebook from the solved one, with nbgrader's preprocessors as a library."""

from __future__ import annotations

import copy
import hashlib
import logging
import re
from typing import Any

from course.authoring.colab_cell import prepare
from course.authoring.guesses import FOLDED, tag_answers
from course.authoring.lesson import AUTHOR_EXTRA

STUB = "# your code here\n..."
ANSWER_STUB = "*Your answer here.*"
MODEL = "A model answer: write yours first"
SOLUTION = re.compile(r"### BEGIN SOLUTION\n(.*?)\n### END SOLUTION", re.DOTALL)
VALUE_STUB = re.compile(r"^(\w+ = \.\.\..*)\n# your code here\n\.\.\.$", re.MULTILINE)  # `name = ...` says it all


def learner_notebook(solved: Any) -> Any:
    """Returns the learner's version of a solved notebook: stubs for solutions, no hidden tests, no rubrics,
    and no comparison of what answers a question.

    Raises:
        ImportError: nbgrader is not installed.
    """
    notebook = copy.deepcopy(solved)
    resources: dict[str, Any] = {}
    for preprocessor in _preprocessors():
        notebook, resources = preprocessor.preprocess(notebook, resources)
    for cell in notebook.cells:
        cell.source = cell.source.strip("\n")
    tag_answers(notebook)
    notebook.metadata["course"]["kind"] = "learner"
    return prepare(notebook)  # a link and a first cell, once pyproject names the repository


def plain_values(notebook: Any) -> Any:
    """Shortens the stub of a value that stands at `...` already to that one line, in place; returns the notebook.

    Only for notebooks/: what nbgrader releases is what nbgrader itself would make.
    """
    for cell in notebook.cells:
        cell.source = VALUE_STUB.sub(r"\1", cell.source)
    return notebook


def add_model_answers(notebook: Any, solved: Any) -> Any:
    """Puts the model answer of each written exercise below it, folded, in place; returns the notebook.

    Only for notebooks/, from which people learn alone: a released assignment holds none.
    """
    import nbformat

    answers = {cell.id: SOLUTION.search(cell.source) for cell in solved.cells if "exercise" in cell.metadata}
    cells = []
    for cell in notebook.cells:
        cells.append(cell)
        found = answers.get(cell.id) if cell.cell_type == "markdown" else None
        if found:
            name = cell.metadata["exercise"]["id"]
            key = hashlib.sha256(f"model answer of {name}".encode()).hexdigest()[:12]
            text = FOLDED.format(title=MODEL, text=found[1].strip())
            cells.append(nbformat.v4.new_markdown_cell(text, id=key, metadata={"model_answer": name}))
    notebook.cells = cells
    return notebook


def _preprocessors() -> list[Any]:
    try:
        from nbgrader import preprocessors
    except ImportError as error:
        raise ImportError(AUTHOR_EXTRA) from error
    logging.getLogger("traitlets").setLevel(logging.CRITICAL)  # its errors reach the caller as exceptions
    return [
        preprocessors.LockCells(),
        preprocessors.ClearSolutions(code_stub={"python": STUB}, text_stub=ANSWER_STUB),
        preprocessors.ClearHiddenTests(),
        preprocessors.ClearMarkScheme(enforce_metadata=False),
        preprocessors.CheckCellMetadata(),
    ]

"""Derives the learner's notebook from the solved one, with nbgrader's preprocessors as a library."""

from __future__ import annotations

import copy
import logging
import re
from typing import Any

from course.authoring.colab_cell import prepare
from course.authoring.guesses import tag_answers
from course.authoring.lesson import AUTHOR_EXTRA

STUB = "# your code here\n..."
ANSWER_STUB = "*Your answer here.*"
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

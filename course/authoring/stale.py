"""Decides from file contents alone whether the stored outputs of a notebook are still those of its code."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from course.authoring.cells import LessonError
from course.authoring.lesson_names import ROOT
from course.authoring.reach import Place, Reached, reached

FORMAT = 2  # raise it when the builder stores outputs in another way
RECORDED = Place("course.recorded", "recorded")
WEIGHTS = Place("vpcore.models.bundled", "FOLDER")
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def source_hash(notebook: Any) -> str:
    """Returns a hash of everything a lesson's outputs come from.

    It covers the code cells and which of them answer a question, the exercises of the lesson, each definition of
    `course` and `vpcore` that these use (see `reach`), the recorded results they read, and the cards of the bundled
    weights, which hold their hashes.
    Comments and docstrings of Python files do not count, so that editing one does not execute every lesson again.

    Raises:
        LessonError: `recorded` is used in another way than `recorded("name")` of a file there is.
    """
    lesson = notebook.metadata["course"]["lesson"]
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    code = "\n\n".join(cell.source for cell in cells)
    hidden = [place for place, cell in enumerate(cells) if cell.metadata.get("answers")]
    definitions = covered(lesson, code)
    digest = hashlib.sha256(f"{FORMAT}\n{code}{hidden or ''}".encode())
    for place, statements, imports in definitions:
        leads = sorted({f"{'.'.join(use.parts)} = {':'.join(target)}" for use, target in imports})
        meaning = [_meaning(statement) for statement in statements] if place.module else []
        digest.update("\n".join([":".join(place), *leads, *meaning]).encode())
    for path in _files(lesson, definitions):
        digest.update(path.name.encode() + path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:16]


def covered(lesson: str, code: str) -> list[Reached]:
    """Returns what a lesson's outputs come from: its code, and the definitions that this and its exercises use.

    `check` finds exercises by their ids, so an id in the code stands for the exercises of its lesson.
    """
    numbers = {lesson[:2], *re.findall(r"""["'](\d\d)-\w""", code)}
    exercises = [Place(f"course.exercises.lesson_{number}", "EXERCISES") for number in sorted(numbers)]
    python = "\n".join(line for line in code.split("\n") if not line.lstrip().startswith(("%", "!")))
    return reached(ROOT, python, exercises)


def outputs_hash(notebook: Any) -> str:
    """Returns a hash of all stored outputs, which shows an edit by hand or a run in Jupyter."""
    stored = [(c.execution_count, c.outputs) for c in notebook.cells if c.cell_type == "code"]
    return hashlib.sha256(json.dumps(stored, sort_keys=True).encode()).hexdigest()[:16]


def _files(lesson: str, definitions: list[Reached]) -> list[Path]:
    """Returns the files, besides source, that the definitions read."""
    cards = (ROOT / "vpcore" / "weights").glob("*.json")
    found = set(cards) if any(entry.place == WEIGHTS for entry in definitions) else set()
    for place, _, imports in definitions:
        for use in (use for use, target in imports if target == RECORDED):
            name = use.call.args[0] if use.call and use.call.args else None
            where = f"lesson {lesson}" + (f" (through {place.module}.{place.name})" if place.module else "")
            if not (isinstance(name, ast.Constant) and isinstance(name.value, str)):
                got = ast.unparse(use.call) if use.call else "no call of it"
                raise LessonError(f'{where}: recorded must be called as recorded("name"), got {got}; write the name')
            path = ROOT / "course" / "results" / f"{name.value}.json"
            if not path.is_file():
                raise LessonError(f"{where}: there are no recorded results {name.value!r}; correct the name")
            found.add(path)
    return sorted(found)


@cache
def _meaning(statement: ast.AST) -> str:
    return json.dumps(_shape(statement), ensure_ascii=True)


def _shape(node: Any) -> Any:
    """Returns nested lists, without docstrings, that are the same in all Python versions.

    Empty fields, which some versions lack, are left out.
    """
    if isinstance(node, ast.AST):
        fields = dict(ast.iter_fields(node))
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            fields["body"] = node.body[1:]
        return [type(node).__name__, [[key, _shape(value)] for key, value in fields.items() if value not in (None, [])]]
    return [_shape(item) for item in node] if isinstance(node, list) else repr(node)

"""Take solution and stub of an exercise from the lesson source, so that no copy of them exists."""

from __future__ import annotations

import ast
import linecache
import re
import sys
import types
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from course.authoring.lesson import read_lesson

LESSONS = Path(__file__).resolve().parents[2] / "course" / "lessons"
_REGION = re.compile(r"^([ \t]*)### BEGIN SOLUTION.*?### END SOLUTION[^\n]*", re.MULTILINE | re.DOTALL)
_MARKER = re.compile(r"^[ \t]*### (BEGIN|END) (SOLUTION|HIDDEN TESTS)[^\n]*\n?", re.MULTILINE)


class Lesson:
    """The code cells of one lesson, and the objects that its exercise cells define."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cells = read_lesson(path).cells
        self.code = [cell for cell in self.cells if cell.cell_type == "code"]
        self.exercises = [cell.metadata["exercise"] for cell in self.cells if "exercise" in cell.metadata]

    def answer(self, exercise_id: str, solved: bool) -> Any:
        """Return what the lesson hands to `check` for an exercise, solved or as a stub."""
        space = self.space()
        cell = self._cell(exercise_id)
        for name in cell.metadata["exercise"].get("needs", []):
            self._run(name, space, set())
        text = cell.source if solved else _REGION.sub(r"\1# your code here\n\1...", cell.source)
        _execute(_MARKER.sub("", text), space)
        return eval(self._argument(exercise_id), space)

    def space(self) -> dict[str, Any]:
        """Return a module's namespace in which the imports of all cells have run."""
        module = types.ModuleType(f"lesson_{self.path.stem}")
        sys.modules[module.__name__] = module
        for cell in self.code:
            for node in _body(cell.source):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    exec(compile(ast.Module([node], []), self.path.name, "exec"), vars(module))
        return vars(module)

    def _cell(self, name: str) -> Any:
        for cell in self.code:
            if name in (cell.metadata.get("name"), cell.metadata.get("exercise", {}).get("id")):
                return cell
        raise ValueError(f"lesson {self.path.stem} needs a code cell named {name!r}, there is none: add it")

    def _run(self, name: str, space: dict[str, Any], done: set[str]) -> None:
        if name in done:
            return
        done.add(name)
        cell = self._cell(name)
        for earlier in cell.metadata.get("exercise", {}).get("needs", []):
            self._run(earlier, space, done)
        _execute(_MARKER.sub("", cell.source), space)

    def _argument(self, exercise_id: str) -> str:
        for cell in self.code:
            for node in ast.walk(ast.Module(_body(cell.source), [])):
                if isinstance(node, ast.Call) and _asks(node, exercise_id):
                    return ast.unparse(node.args[1])
        raise ValueError(f"lesson {self.path.stem} must call check({exercise_id!r}, ...), and does not: add the cell")


@cache
def lessons() -> dict[str, Lesson]:
    """Return every lesson by its number."""
    return {path.stem[:2]: Lesson(path) for path in sorted(LESSONS.glob("[0-9][0-9]_*.py"))}


def _body(source: str) -> list[ast.stmt]:
    lines = ["pass" if line.lstrip().startswith(("%", "!")) else line for line in source.splitlines()]
    return ast.parse("\n".join(lines)).body


def _execute(source: str, space: dict[str, Any]) -> None:
    name = f"<cell {zlib.crc32(source.encode()):08x}>"  # known to linecache, as in a notebook: a stub shows its source
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    exec(compile(ast.Module(_body(source), []), name, "exec"), space)


def _asks(call: ast.Call, exercise_id: str) -> bool:
    name = ast.unparse(call.func)
    first = call.args[0] if len(call.args) == 2 else None
    return name.split(".")[0] == "check" and isinstance(first, ast.Constant) and first.value == exercise_id


def lesson_problems(lesson: Lesson, exercises: dict[str, Any]) -> Iterator[str]:
    """Yield where the headers of a lesson's cells and its exercise module disagree: ids and points."""
    for header in lesson.exercises:
        exercise = exercises.get(header["id"])
        markdown = any(c.metadata.get("exercise") == header and c.cell_type == "markdown" for c in lesson.cells)
        if exercise is None and not markdown:
            yield f"{header['id']} has a cell but no check: add it to the exercise module"
        elif exercise is not None and exercise.points != header["points"]:
            yield f"{header['id']} has {header['points']} points in its cell and {exercise.points:g} in its check"
    for name in set(exercises) - {header["id"] for header in lesson.exercises}:
        yield f"{name} has a check but no cell: add the cell or remove the check"

"""Builds lessons into executed notebooks, and checks without executing that committed notebooks are current."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course.authoring.cells import LessonError
from course.authoring.guesses import drop_answers
from course.authoring.learner import add_model_answers, learner_notebook, plain_values
from course.authoring.lesson import solved_notebook
from course.authoring.lesson_names import ROOT, lesson_paths
from course.authoring.notebook_file import make_folder, notebook_text, read_notebook, write_text
from course.authoring.notebook_rules import hand_edits, leaks, output_problems, verdict_problems
from course.authoring.stale import outputs_hash, source_hash

Step = Callable[[str, int, int], None]
VERDICT = {"learner": "○", "solved": "✓"}
FOLDERS = {"learner": "notebooks", "solved": "solutions"}


@dataclass(frozen=True)
class Built:
    """What the builder did with one notebook: "executed", "reused" (text changed only) or "unchanged"."""

    path: Path
    action: str


def build(
    names: tuple[str, ...] = (), root: Path = ROOT, *, force: bool = False, on_step: Step = lambda *_: None
) -> Iterator[Built]:
    """Builds the learner and the solved notebook of each lesson; only what changed is executed.

    Args:
        names: lessons to build, by the start of their name; all when empty.
        root: the folder that holds course/lessons, notebooks and solutions.
        force: executes unchanged lessons too.
        on_step: told the notebook, its cells done and its cells in all.

    Raises:
        LessonError: a lesson breaks a rule, or its outputs would not be the same in another run.
        LessonFailed: a cell failed.
        OSError: a notebook cannot be written; the old one is still there.
    """
    for source in lesson_paths(root, names):
        for path, text, action in list(_outcomes(source, root, force, on_step)):  # nothing is written before both ran
            same = path.is_file() and path.read_text(encoding="utf-8") == text
            if not same:
                write_text(path, text)
            yield Built(path, "unchanged" if same else action)


def check(names: tuple[str, ...] = (), root: Path = ROOT) -> list[str]:
    """Returns one line for each way in which the committed notebooks are not what a build would give.

    Nothing is executed: the cells are derived again and compared, and hashes stand for the outputs.
    """
    problems: list[str] = []
    for source in lesson_paths(root, names):
        try:
            (_, solved), (_, _) = books = _derive(source)
            for kind, notebook in books:
                problems += _compare(kind, notebook, solved, root / FOLDERS[kind] / f"{source.stem}.ipynb")
        except LessonError as error:
            problems.append(str(error))
    known = {path.stem for path in lesson_paths(root)}
    for folder in FOLDERS.values():
        strays = [path for path in sorted((root / folder).glob("*.ipynb")) if path.stem not in known]
        problems += [f"{folder}/{path.name}: its lesson {path.stem}.py is gone; remove the notebook" for path in strays]
    return problems


def _outcomes(source: Path, root: Path, force: bool, on_step: Step) -> Iterator[tuple[Path, str, str]]:
    for kind, notebook in _derive(source):
        path = root / FOLDERS[kind] / f"{source.stem}.ipynb"
        action = "executed" if force or not _reuse(notebook, path) else "reused"
        if action == "executed":
            _execute(notebook, path, on_step)
        place = f"{path.parent.name}/{path.name}"
        _refuse(output_problems(place, notebook) + verdict_problems(place, notebook, VERDICT[kind]))
        yield path, notebook_text(notebook), action


def _derive(source: Path) -> list[tuple[str, Any]]:
    solved = solved_notebook(source)
    learner = add_model_answers(plain_values(learner_notebook(solved)), solved)
    _refuse(leaks(f"lesson {source.stem}", solved, learner))
    for notebook in (solved, learner):
        notebook.metadata["course"]["source_hash"] = source_hash(notebook)
    return [("solved", solved), ("learner", learner)]


def _refuse(problems: list[str]) -> None:
    if problems:
        raise LessonError(problems[0])


def _execute(notebook: Any, path: Path, on_step: Step) -> None:
    from course.authoring.execute import execute, normalize

    name, done = f"{path.parent.name}/{path.stem}", 0
    total = sum(cell.cell_type == "code" for cell in notebook.cells)

    def on_cell() -> None:
        nonlocal done
        done += 1
        on_step(name, done, total)

    on_step(name, 0, total)
    make_folder(path.parent)
    execute(name, notebook, path.parent, on_cell=on_cell)
    normalize(notebook)
    if notebook.metadata["course"]["kind"] == "learner":
        drop_answers(notebook)
    notebook.metadata["course"]["outputs_hash"] = outputs_hash(notebook)


def _reuse(notebook: Any, path: Path) -> bool:
    try:
        old = read_notebook(path)
    except LessonError:
        return False
    if _outputs_state(notebook, old):
        return False
    stored = iter([cell for cell in old.cells if cell.cell_type == "code"])
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        twin = next(stored)
        cell.outputs, cell.execution_count = twin.outputs, twin.execution_count
    notebook.metadata["course"]["outputs_hash"] = old.metadata["course"]["outputs_hash"]
    return True


def _outputs_state(notebook: Any, old: Any) -> str:
    """Says what is wrong with stored outputs as a record of this code; empty when nothing is."""
    mine, stored = notebook.metadata["course"], old.metadata.get("course", {})
    codes = [[cell.source for cell in book.cells if cell.cell_type == "code"] for book in (notebook, old)]
    if codes[0] != codes[1] or mine["source_hash"] != stored.get("source_hash"):
        return "is stale: its code, or code it runs, changed after it was executed"
    return "" if stored.get("outputs_hash") == outputs_hash(old) else "has outputs that were edited or run by hand"


def _compare(kind: str, notebook: Any, solved: Any, path: Path) -> list[str]:
    place = f"{path.parent.name}/{path.name}"
    try:
        old = read_notebook(path)
    except LessonError as error:
        return [str(error)]
    problems = leaks(place, solved, old) if kind == "learner" else []
    problems += hand_edits(place, notebook, old)
    state = _outputs_state(notebook, old)
    if state and not problems:
        problems.append(f"{place} {state}; run: python -m course build {path.stem}")
    return problems + output_problems(place, old)

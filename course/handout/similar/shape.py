"""The shape of an answer: what is left of its syntax tree without names, comments, and the order of its statements."""

from __future__ import annotations

import ast
import copy
import sys
from collections import Counter
from collections.abc import Set

from course.grading.cells import Notebook

# Newer Pythons leave out what is empty or only read, and a shape would weigh less there.
_WHOLE: dict[str, bool] = {"show_empty": True} if sys.version_info >= (3, 13) else {}

Shape = Counter[str]  # each statement's tree as text, how often it stands there
_BODIES = ("body", "orelse", "finalbody", "handlers", "cases")


def answer_text(notebook: Notebook, exercise: str, answer: str, given: Set[int] = frozenset()) -> str:
    """Return the learner's own code that a check needs, without imports; empty where the answer is gone.

    Args:
        notebook: the learner's cells.
        exercise: its id.
        answer: the expression that is checked where no check of it stands in the notebook.
        given: places of cells that are no part of this answer: as they were handed out, or answers of other exercises.
    """
    part = notebook.slice(exercise, answer)
    if part.own is None:
        return ""
    defines = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    mine = [s for s in part.statements if s.place >= 0 and (s.place == part.own or s.place not in given)]
    kept = [s for s in mine if s.place == part.own or isinstance(s.node, defines)]
    found = [_lines(notebook, s.place, s.node) for s in kept if not isinstance(s.node, ast.Import | ast.ImportFrom)]
    return "\n\n".join(found)


def shape(text: str) -> Shape:
    """Return the statements of an answer, without the lines that define it, each with its names replaced.

    Names that the answer binds itself, arguments too, are numbered as they come up in a statement. So renaming, other
    comments and docstrings, annotations, and another order of statements leave the shape as it is. What an answer
    takes from elsewhere, such as torch.cat, keeps its name.

    Raises:
        SyntaxError: the text is no Python.
    """
    tree = ast.parse(text)
    own = _bound(tree)
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.stmt) and not _is_definition(node)]
    return Counter(_plain(statement, own) for statement in statements if not _is_text(statement))


def weight(found: Shape) -> int:
    """Return how many nodes of a syntax tree a shape holds: how much there is to be alike."""
    return sum(text.count("(") * count for text, count in found.items())


def alike(first: Shape, second: Shape) -> float:
    """Return which part of two answers is the same, from 0 to 1: statements in common, by their weights."""
    union = weight(first | second)
    return weight(first & second) / union if union else 0.0


def _lines(notebook: Notebook, place: int, node: ast.stmt) -> str:
    lines = notebook.sources[place].split("\n")
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    return "\n".join(lines[first - 1 : node.end_lineno])


def _bound(tree: ast.AST) -> set[str]:
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    names |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return names | {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def _is_definition(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Pass)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _plain(statement: ast.stmt, own: set[str]) -> str:
    """Return one statement as text: a loop or a condition without what stands in it."""
    head = copy.copy(statement)
    for field in _BODIES:
        if hasattr(head, field):
            setattr(head, field, [])
    if isinstance(head, ast.AnnAssign) and head.value is not None:
        head = ast.Assign([head.target], head.value, lineno=0)
    head = copy.deepcopy(head)
    numbers: dict[str, str] = {}
    for node in ast.walk(head):
        for field in ("id", "arg"):
            name = getattr(node, field, None)
            if name in own and not isinstance(node, ast.keyword):
                setattr(node, field, numbers.setdefault(name, f"_{len(numbers)}"))
    return ast.dump(head, annotate_fields=False, **_WHOLE)

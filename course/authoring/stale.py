"""Decides from file contents alone whether the stored outputs of a notebook are still those of its code."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from course.authoring.lesson_names import ROOT

PACKAGES = ("course", "vpcore")
FORMAT = 1  # raise it when the builder stores outputs in another way


def source_hash(notebook: Any) -> str:
    """Returns a hash of everything a lesson's outputs come from.

    It covers the code cells, the exercise file of the lesson, the modules of `course` and `vpcore` these import
    (followed through the imports), and the recorded results the lesson names. Comments and docstrings of Python
    files do not count, so that editing one does not execute every lesson again.
    """
    lesson = notebook.metadata["course"]["lesson"]
    code = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    digest = hashlib.sha256(f"{FORMAT}\n{code}".encode())
    for path in sorted(_python_files(lesson, code)):
        digest.update(f"\n{path.relative_to(ROOT).as_posix()}\n{_meaning(path.read_text(encoding='utf-8'))}".encode())
    for path in _results(lesson, code):
        digest.update(path.name.encode() + path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:16]


def outputs_hash(notebook: Any) -> str:
    """Returns a hash of all stored outputs, which shows an edit by hand or a run in Jupyter."""
    stored = [(c.execution_count, c.outputs) for c in notebook.cells if c.cell_type == "code"]
    return hashlib.sha256(json.dumps(stored, sort_keys=True).encode()).hexdigest()[:16]


def _python_files(lesson: str, code: str) -> set[Path]:
    own = sorted((ROOT / "course" / "exercises").glob(f"lesson_{lesson[:2]}*.py"))
    found: set[Path] = set()
    waiting = [*own, *_imported(_plain(code))]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imported(path.read_text(encoding="utf-8"))
    return found


def _plain(code: str) -> str:
    return "\n".join(line for line in code.split("\n") if not line.lstrip().startswith(("%", "!")))


def _imported(source: str) -> Iterator[Path]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            if name.split(".")[0] in PACKAGES:
                yield from _module_files(name)


def _module_files(name: str) -> Iterator[Path]:
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        base = ROOT.joinpath(*parts[:end])
        yield from (path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file())


def _results(lesson: str, code: str) -> list[Path]:
    own = (ROOT / "course" / "exercises").glob(f"lesson_{lesson[:2]}*.py")
    text = code + "".join(path.read_text(encoding="utf-8") for path in own)
    files = sorted((ROOT / "course" / "results").glob("*.json"))
    files = [path for path in files if path.stem != "ci"]  # of the course's own checks, no lesson's
    return [path for path in files if path.stem in text or path.name.startswith(lesson[:2])]


def _meaning(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and _has_docstring(node):
            node.body = node.body[1:]
    return json.dumps(_shape(tree), ensure_ascii=True)


def _has_docstring(node: Any) -> bool:
    return ast.get_docstring(node, clean=False) is not None


def _shape(node: Any) -> Any:
    """Returns nested lists that are the same in all Python versions: empty fields, which some lack, are left out."""
    if isinstance(node, ast.AST):
        fields = [[name, _shape(value)] for name, value in ast.iter_fields(node) if value not in (None, [])]
        return [type(node).__name__, fields]
    return [_shape(item) for item in node] if isinstance(node, list) else repr(node)

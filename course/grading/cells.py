"""A learner's cells: compiled so that messages name their lines, then run."""

from __future__ import annotations

import linecache
import types
from typing import Any


def run_cells(cells: list[tuple[str, str]], space: dict[str, Any]) -> None:
    """Execute cells; all are compiled before the first one runs, so that none can change what another one says."""
    execute = exec
    for code in [compiled(name, source) for name, source in cells]:
        execute(code, space)


def compiled(name: str, source: str) -> types.CodeType:
    """Compile a cell so that error messages and `inspect.getsource` find its lines; magics are left out."""
    try:
        code = compile(source, f"<{name}>", "exec")
    except SyntaxError:
        lines = ["" if line.lstrip()[:1] in ("%", "!") else line for line in source.split("\n")]
        source = "\n".join(lines)
        code = compile(source, f"<{name}>", "exec")
    linecache.cache[f"<{name}>"] = (len(source), None, source.splitlines(keepends=True), f"<{name}>")
    return code

"""Has the learner written anything yet?

The builder replaces a solution region by the two lines `# your code here` and `...`. A function of which
nothing else is left has the bytecode of `def f(): ...`, which needs no source; where lines of ours stand
above the region, the two lines are looked for in the source of the cell. Who writes below them and leaves them there
has written something.
"""

from __future__ import annotations

import ast
import dis
import inspect
import re
import textwrap
from types import EllipsisType, FunctionType
from typing import Any

PLACEHOLDER = "# your code here"

_SILENT = {"RESUME", "NOP", "CACHE", "COPY_FREE_VARS", "MAKE_CELL", "PUSH_NULL", "NOT_TAKEN"}
_REGION = re.compile(r"^[ \t]*# your code here[ \t]*\n[ \t]*\.\.\.[ \t]*$", re.MULTILINE)
_CODE = re.compile(r"^[ \t]*[^\s#]", re.MULTILINE)


def is_stub(answer: Any) -> bool:
    """Whether this is `...`, or a function whose body is still the placeholder."""
    if type(answer) is EllipsisType:
        return True
    function = plain_function(answer)
    return function is not None and (_is_empty(function) or _has_region(function))


def class_is_stub(answer: Any, methods: tuple[str, ...]) -> bool:
    """Whether this is `...`, or a class of which a required method is still the placeholder."""
    if not isinstance(answer, type):
        return is_stub(answer)
    own = [vars(answer)[name] for name in methods if name in vars(answer)]
    return any(is_stub(method) for method in own)


def plain_function(answer: Any) -> FunctionType | None:
    """Return the function under decorators and binding, or None."""
    for _ in range(20):
        if type(answer) in (staticmethod, classmethod) or inspect.ismethod(answer):
            answer = answer.__func__
        elif type(answer) is FunctionType:
            if "__wrapped__" not in vars(answer):
                return answer
            answer = vars(answer)["__wrapped__"]
        else:
            return None
    return None


def _is_empty(function: FunctionType) -> bool:
    steps = [step for step in dis.get_instructions(function.__code__) if step.opname not in _SILENT]
    names = [step.opname for step in steps]
    if names not in (["RETURN_CONST"], ["LOAD_CONST", "RETURN_VALUE"], ["LOAD_COMMON_CONSTANT", "RETURN_VALUE"]):
        return False
    return steps[0].argval is None or steps[0].argval is Ellipsis


def _has_region(function: FunctionType) -> bool:
    try:
        source = textwrap.dedent(inspect.getsource(function))
        tree = ast.parse(source)
    except (OSError, TypeError, SyntaxError, ValueError, IndexError):
        return False
    region = _REGION.search(source)
    returns = any(isinstance(node, ast.Return) and node.value is not None for node in ast.walk(tree))
    return bool(region) and not returns and not _CODE.search(source, region.end())

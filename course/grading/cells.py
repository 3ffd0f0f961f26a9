"""Inside the sandbox: finds the statements of a notebook that a check needs, and runs those.

A check sees what its names are bound to where it stands. So the names in `check("02-average", average_maps)` lead to
the statement that binds them last above it, the names in that statement to others, and so on. Nothing else runs:
training, figures, debug lines and magics cost no time and cannot fail. A name that nothing above binds is looked for
below, as after cells were run in another order, and then in the lesson's own cells.

A call can fill an object in ways that no statement says. So an answer that is not right is looked at once more as a
whole: with all that the learner wrote above the check and that may touch it.
"""

from __future__ import annotations
import __future__ as future

import ast
import builtins
import contextlib
import functools
import linecache
import re
import symtable
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

CALLS = {"answer", "quiz", "written", "grade"}
_COMPREHENSIONS = {"listcomp", "setcomp", "dictcomp", "genexpr"}
_CERTAIN = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign, ast.With)
_SETTING = re.compile(r"(^|_)(seed|set|use|register|append|insert|filterwarnings|simplefilter)(_|$)|_seed$")
_FILLS = {"append", "appendleft", "extend", "insert", "add", "update", "setdefault", "pop", "remove", "clear", "sort"}
_TIMED = re.compile(r"\A\s*%%(time|timeit|capture|prun|debug)\b.*\n")


@dataclass(frozen=True, eq=False)
class Statement:
    """One top-level statement.

    Attributes:
        place: its cell, counted from 0; negative for the lesson's own cells.
        node: the statement.
        binds: names that it binds whenever it runs.
        changes: names that it may bind, or whose object it changes.
        sets: names on which it calls a method, which may change the object, with the method's name.
        now: names that it reads when it runs.
        later: names that the functions it defines read when they are called.
    """

    place: int
    node: ast.stmt
    binds: frozenset[str]
    changes: frozenset[str]
    sets: tuple[tuple[str, str], ...]
    now: frozenset[str]
    later: frozenset[str]

    @property
    def names(self) -> frozenset[str]:
        """All names that it says."""
        return self.binds | self.changes | self.now | self.later


@dataclass(frozen=True)
class Slice:
    """What one check needs.

    Attributes:
        expression: what is checked.
        statements: in the order in which they run.
        own: the cell that binds the checked name; None if no cell does.
        copies: numbers, from 1, of all cells that bind it above the check, where there are several.
        known: every name that the notebook binds anywhere.
        more: whether the learner wrote other statements that may touch it.
    """

    expression: ast.expr
    statements: list[Statement]
    own: int | None
    copies: list[int]
    known: frozenset[str]
    more: bool


@dataclass(frozen=True)
class Cell:
    """What a cell says.

    Attributes:
        source: its text, IPython's own lines turned into calls.
        statements: its top-level statements.
        checks: calls of a check, each with the number of the statement that holds it.
        flags: of the compiler, by imports from `__future__`.
        broken: why it cannot be read, if it cannot.
    """

    source: str
    statements: tuple[Statement, ...] = ()
    checks: tuple[tuple[int, ast.Call], ...] = ()
    flags: int = 0
    broken: SyntaxError | None = None


class Notebook:
    """A learner's code cells, parsed.

    Args:
        cells: the source of each cell; None where it is no code.
        lesson: name and source of the lesson's own cells, for names that the notebook no longer binds.
    """

    def __init__(self, cells: list[str | None], lesson: list[str]) -> None:
        self.sources = {place: source for place, source in enumerate(cells) if source is not None}
        self.sources |= {place - len(lesson): source for place, source in enumerate(lesson)}
        self.broken: dict[int, SyntaxError] = {}
        self._statements: list[Statement] = []
        self._checks: list[tuple[int, ast.Call]] = []
        self._flags = 0
        for place in sorted(self.sources):
            read = _read(place, self.sources[place])
            self.sources[place] = read.source
            if read.broken is not None:
                self.broken[place] = read.broken
            self._flags |= read.flags
            self._checks += [(len(self._statements) + at, call) for at, call in read.checks if place >= 0]
            self._statements += read.statements

    def slice(self, exercise: str, answer: str, *, whole: bool = False) -> Slice:
        """Return what the last check of an exercise needs.

        Args:
            exercise: its id.
            answer: the expression that is checked where no check of the exercise stands in the notebook.
            whole: add what the learner wrote above the check and that may touch the answer in a way that no name shows.
        """
        mine = [(at, call) for at, call in self._checks if _checks(call, exercise)]
        at, expression = (mine[-1][0], mine[-1][1].args[1]) if mine else (len(self._statements), _expression(answer))
        chosen: dict[int, Statement] = {}
        names = _names(ast.Expr(expression))
        self._follow(names[0] | names[1], at, at, chosen)
        root = next((node.id for node in ast.walk(expression) if isinstance(node, ast.Name)), "")
        touching = self._touching({root}, chosen, at)
        for number in touching if whole else ():
            chosen[number] = statement = self._statements[number]
            self._follow(statement.now, number, at, chosen)
            self._follow(statement.later, at, at, chosen)
        binders = [number for number in self._binders(root, at) if root in self._statements[number].binds]
        places = list(dict.fromkeys(self._statements[number].place for number in binders))
        above = [p + 1 for p in dict.fromkeys(s.place for s in self._statements[:at] if root in s.binds) if p >= 0]
        known = frozenset(name for statement in self._statements for name in (*statement.binds, *statement.changes))
        ordered = [chosen[number] for number in sorted(chosen)]
        own = places[0] if places else None
        return Slice(expression, ordered, own, above if len(above) > 1 and mine else [], known, bool(touching))

    def compiled(self, part: Slice) -> Iterator[tuple[Statement, types.CodeType]]:
        """Compile the statements of a slice, so that messages name the learner's lines."""
        for statement in part.statements:
            name = f"<cell {statement.place + 1}>" if statement.place >= 0 else "<lesson>"
            source = self.sources[statement.place]
            linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
            module = ast.Module([statement.node], [])
            yield statement, compile(module, name, "exec", self._flags, dont_inherit=True)

    def imports_instead(self, statement: Statement) -> list[types.CodeType]:
        """Return the lesson's own imports of the names that a statement imports: it may be of an older release."""
        if statement.place < 0 or not _imports(statement.node):
            return []
        lessons = [other.node for other in self._statements if other.place < 0 and statement.binds & other.binds]
        return [compile(ast.Module([node], []), "<lesson>", "exec") for node in lessons if _imports(node)]

    def _follow(self, names: frozenset[str], at: int, end: int, chosen: dict[int, Statement]) -> None:
        waiting = [(name, at) for name in names]
        seen: set[tuple[str, int]] = set()
        while waiting:
            name, before = waiting.pop()
            if (name, before) in seen:
                continue
            seen.add((name, before))
            for number in self._binders(name, before):
                statement = self._statements[number]
                if number not in chosen:
                    chosen[number] = statement
                    waiting += [(other, number) for other in statement.now]
                    waiting += [(other, end) for other in statement.later]

    def _touching(self, names: set[str], chosen: dict[int, Statement], at: int) -> list[int]:
        """Return the numbers of other statements of the learner's that share a name with a slice, or with each other.

        A statement of the lesson's own is none of them, and neither is a check.
        """
        lesson = {ast.unparse(statement.node) for statement in self._statements if statement.place < 0}
        imported = frozenset().union(*(s.binds for s in self._statements if _imports(s.node)))
        touched = names.union(*(s.names for s in chosen.values())) - imported - set(dir(builtins))
        waiting = [
            number
            for number, statement in enumerate(self._statements[:at])
            if statement.place >= 0 and number not in chosen and "check" not in statement.now
        ]
        waiting = [number for number in waiting if ast.unparse(self._statements[number].node) not in lesson]
        found: list[int] = []
        while new := [number for number in waiting if touched & self._statements[number].names]:
            touched = touched.union(*(self._statements[n].binds | self._statements[n].changes for n in new))
            found += new
            waiting = [number for number in waiting if number not in new]
        return sorted(found)

    def _binders(self, name: str, before: int) -> list[int]:
        """Return the numbers of the statements that give a name its value at a place."""
        mine = [number for number, statement in enumerate(self._statements) if statement.place >= 0]
        above = [number for number in reversed(mine) if number < before]
        below = [number for number in mine if number >= before]
        lessons = [n for n in range(len(self._statements) - 1, -1, -1) if self._statements[n].place < 0]
        found = self._upwards(name, above)
        if any(name in self._statements[number].binds | self._statements[number].changes for number in found):
            return found
        for numbers in (below, lessons):
            first = next((number for number in numbers if name in self._statements[number].binds), None)
            if first is not None:
                cell = [n for n in reversed(numbers) if self._statements[n].place == self._statements[first].place]
                return [*self._upwards(name, sorted(cell, reverse=True)), *found]
        if hasattr(builtins, name):
            return []
        return [*found, *(number for number in [*above, *lessons] if "*" in self._statements[number].binds)]

    def _upwards(self, name: str, numbers: list[int]) -> list[int]:
        found: list[int] = []
        sets: list[int] = []
        for number in numbers:
            statement = self._statements[number]
            if any(name == root for root, _ in statement.sets):
                sets.append(number)
            if name in statement.changes:
                found.append(number)
            if name in statement.binds:
                found.append(number)
                if _imports(statement.node):
                    sets = [n for n in sets if any(_SETTING.search(said) for _, said in self._statements[n].sets)]
                break
        return found + sets if found else []


def run_slice(notebook: Notebook, part: Slice, space: dict[str, Any], on_own: Callable[[str], object]) -> str:
    """Execute a slice; all is compiled before the first statement runs, so that none can change what another says.

    Args:
        notebook: the cells.
        part: the slice.
        space: the namespace to fill.
        on_own: called with what went wrong so far, just before the answer's own cell runs.

    Returns:
        What went wrong in other cells: empty, or a line on the first that failed.

    Raises:
        BaseException: what the answer's own cell raises.
    """
    execute = exec
    waiting = list(notebook.compiled(part))
    wrong, told = "", False
    while waiting:
        again: list[tuple[Statement, types.CodeType]] = []
        missing: NameError | None = None
        for statement, code in waiting:
            own = statement.place == part.own
            if own and not told:
                told = True
                on_own(wrong)
            try:
                execute(code, space)
            except NameError as error:  # run again once the others have run
                again.append((statement, code))
                missing = missing or error
            except BaseException as error:
                instead = notebook.imports_instead(statement) if isinstance(error, ImportError) else []
                if _all_run(instead, space, execute):
                    continue
                if own:
                    raise
                wrong = wrong or f"cell {statement.place + 1}: {type(error).__name__}: {str(error)[:100]}"
        if len(again) == len(waiting):
            assert missing is not None
            if any(statement.place == part.own for statement, _ in again):
                raise missing
            wrong = wrong or f"cell {again[0][0].place + 1}: NameError: {str(missing)[:100]}"
            break
        waiting = again
    if not told:
        on_own(wrong)
    return wrong


def _all_run(codes: list[types.CodeType], space: dict[str, Any], execute: Callable[..., object]) -> bool:
    try:
        for code in codes:
            execute(code, space)
    except ImportError:
        return False
    return bool(codes)


def _imports(node: ast.stmt) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


@functools.lru_cache(maxsize=1024)  # the lesson's own cells are read once, before the exercises fork
def _read(place: int, source: str) -> Cell:
    try:
        text, tree = _parsed(source)
    except SyntaxError as error:
        return Cell(source, broken=error)
    except (ValueError, RecursionError, MemoryError):
        return Cell(source, broken=SyntaxError("the cell cannot be read"))
    statements: list[Statement] = []
    checks: list[tuple[int, ast.Call]] = []
    flags = 0
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            for alias in node.names:
                flags |= getattr(getattr(future, alias.name, None), "compiler_flag", 0)
            continue
        with contextlib.suppress(SyntaxError, ValueError, RecursionError):
            statement = _statement(place, node)
            found = [part for part in ast.walk(node) if isinstance(part, ast.Call) and _is_check(part)]
            checks += [(len(statements), call) for call in found]
            statements.append(statement)
    return Cell(text, tuple(statements), tuple(checks), flags)


def _parsed(source: str) -> tuple[str, ast.Module]:
    """Parse a cell; IPython's own lines (%magic, !command, help?) become calls that nothing needs."""
    source = _TIMED.sub("\n", source.lstrip("\ufeff"))
    try:
        return source, ast.parse(source)
    except SyntaxError:
        from IPython.core.inputtransformer2 import TransformerManager

        transformed = TransformerManager().transform_cell(source)
        return transformed, ast.parse(transformed)


def _statement(place: int, node: ast.stmt) -> Statement:
    now, later, bound = _names(node)
    certain = isinstance(node, _CERTAIN) or (isinstance(node, ast.AnnAssign) and node.value is not None)
    changes = {_root(target) for target in ast.walk(node) if _is_changed(target)}
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        now |= {node.target.id}
    sets = _filled(node)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        call = node.value
        if isinstance(call.func, ast.Attribute):
            sets.append((_root(call.func), call.func.attr))
        elif isinstance(call.func, ast.Name) and call.func.id in ("setattr", "delattr") and call.args:
            changes.add(_root(call.args[0]))
    if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
        bound |= {"*"}
    binds = bound if certain else frozenset()
    return Statement(place, node, binds, frozenset(changes - {""}) | (bound - binds), tuple(sets), now, later)


def _names(node: ast.stmt) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Return the names a statement reads now, reads later inside functions, and binds."""
    now: set[str] = set()
    later: set[str] = set()
    bound: set[str] = set()
    star = isinstance(node, ast.ImportFrom) and node.names[0].name == "*"
    top = symtable.symtable("" if star else ast.unparse(node), "cell", "exec")
    for symbol in top.get_symbols():
        (now if symbol.is_referenced() else set()).add(symbol.get_name())
        (bound if symbol.is_assigned() or symbol.is_imported() else set()).add(symbol.get_name())
    waiting = [(child, False) for child in top.get_children()]
    while waiting:
        table, inside = waiting.pop()
        inside = inside or (table.get_type() == "function" and table.get_name() not in _COMPREHENSIONS)
        for symbol in table.get_symbols():
            if symbol.is_global() and symbol.is_referenced():
                (later if inside else now).add(symbol.get_name())
            if symbol.is_declared_global() and symbol.is_assigned():
                later.add(symbol.get_name())
        waiting += [(child, inside) for child in table.get_children()]
    return frozenset(now), frozenset(later), frozenset(bound)


def _filled(node: ast.stmt) -> list[tuple[str, str]]:
    """Return the names of containers that a loop or another block fills, each with the method."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Expr):
        return []
    called = [part.func for part in ast.walk(node) if isinstance(part, ast.Call)]
    return [(_root(f), f.attr) for f in called if isinstance(f, ast.Attribute) and f.attr in _FILLS and _root(f)]


def _is_changed(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del)


def _root(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _is_check(call: ast.Call) -> bool:
    function = call.func
    if len(call.args) != 2 or not isinstance(call.args[0], ast.Constant):
        return False
    return _root(function) == "check" and (isinstance(function, ast.Name) or getattr(function, "attr", "") in CALLS)


def _checks(call: ast.Call, exercise: str) -> bool:
    return isinstance(call.args[0], ast.Constant) and call.args[0].value == exercise


def _expression(answer: str) -> ast.expr:
    return ast.parse(answer, mode="eval").body

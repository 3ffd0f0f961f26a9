"""Which definitions of `course` and `vpcore` a piece of code uses, followed by reading source, without running any.

A definition is what stands at the top of a module: a function, a class, an assignment. From the names that code uses
the search goes to their definitions, through imports and re-exports, and from there to the names these use. A name
counts where it is global: what a function binds itself hides the module's. Annotations lead nowhere, since nothing
runs through them. An object can only be made by a name that is followed, so its methods need not be.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from course.authoring.cells import LessonError

PACKAGES = ("course", "vpcore")
RUNNING = "(running)"  # a module's name for its statements that neither define nor import


class Place(NamedTuple):
    """A name in a module, RUNNING, or the module itself where the name is empty."""

    module: str
    name: str = ""


@dataclass
class Module:
    """The top of a module: what defines each name, where each imported one comes from, and what runs besides."""

    defined: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imported: list[tuple[str, Place]] = field(default_factory=list)
    running: list[ast.stmt] = field(default_factory=list)


class Use(NamedTuple):
    """A global name with the attributes read from it ("show", "lines"), and the call whose function it is, if any."""

    parts: tuple[str, ...]
    call: ast.Call | None


class Reached(NamedTuple):
    """A definition: its statements, and the uses of imported names in them, each with the place it leads to."""

    place: Place
    statements: list[ast.stmt]
    imports: list[tuple[Use, Place]]


def reached(root: Path, code: str, also: Iterable[Place] = ()) -> list[Reached]:
    """Returns the code itself and each definition it uses, directly or through others, in the order of their places.

    Args:
        root: the folder that holds `course` and `vpcore`.
        code: of a script; its own entry stands at Place("", RUNNING).
        also: more places to start from.

    Raises:
        LessonError: an import in it, or in a file it leads to, is relative or of all names.
        SyntaxError: one of these is no Python.
    """
    library = _Library(root, _script(code))
    found: dict[Place, Reached] = {}
    waiting = [Place("", RUNNING), *(place for start in also for place in library.settle(start))]
    seen: set[Place] = set()
    while waiting:
        place = waiting.pop()
        if place in seen:
            continue
        seen.add(place)
        if not place.name:
            waiting += library.whole(place.module)
            continue
        found[place], leads_to = library.read(place)
        waiting += leads_to
        packages = place.module.split(".")[:-1]  # importing a module runs what stands in its packages
        waiting += [Place(".".join(packages[: end + 1]), RUNNING) for end in range(len(packages))]
    return [found[place] for place in sorted(found) if found[place].statements]


class _Library:
    """The modules under a root, by name, and the script under the empty name."""

    def __init__(self, root: Path, script: Module) -> None:
        self.root, self.modules = root, {"": script}

    def module(self, name: str) -> Module:
        """Returns a module; without content where the folder has no file of its own."""
        if name not in self.modules:
            base = self.root.joinpath(*name.split("."))
            files = [path for path in (base / "__init__.py", base.with_suffix(".py")) if path.is_file()]
            self.modules[name] = _module(files[0].read_text(encoding="utf-8")) if files else Module()
        return self.modules[name]

    def whole(self, name: str) -> list[Place]:
        """Returns all places that a module defines, and those its imports lead to."""
        module = self.module(name)
        imported = {place for _, start in module.imported for place in self.settle(start) if _ours(place)}
        return [Place(name, RUNNING), *(Place(name, each) for each in module.defined), *imported]

    def read(self, place: Place) -> tuple[Reached, list[Place]]:
        """Returns a definition and the places its names lead to; what runs in its module comes with it."""
        module = self.module(place.module)
        statements = module.running if place.name == RUNNING else module.defined[place.name]
        imports, leads_to = [], [Place(place.module, RUNNING)]
        for uses, inner in map(_names, statements):
            for use in uses:
                starts = [start for name, start in (*inner, *module.imported) if name == use.parts[0]]
                targets = {target for start in starts for target in self.follow(use, start)}
                imports += [(use, target) for target in targets]
                leads_to += filter(_ours, targets)
                leads_to += [Place(place.module, use.parts[0])] if use.parts[0] in module.defined else []
        return Reached(place, statements, imports), leads_to

    def follow(self, use: Use, start: Place) -> set[Place]:
        """Returns what an imported name with its attributes leads to."""
        targets = self.settle(start)
        for part in use.parts[1:]:
            inner = [{each} if each.name else self.settle(Place(each.module, part)) for each in targets]
            targets = set().union(*inner)
        if use.call:  # a module that is called, as `check` is: what runs in it gave it its class
            targets = {each if each.name else Place(each.module, RUNNING) for each in targets}
        return targets

    def settle(self, place: Place, seen: frozenset[Place] = frozenset()) -> set[Place]:
        """Returns where a name is defined, through any number of re-exports; several where it is bound again."""
        if not (place.name and _ours(place)):
            return {place}
        if place in seen:
            return set()
        module = self.module(place.module)
        found = {place} if place.name in module.defined else set()
        for start in (start for name, start in module.imported if name == place.name):
            found |= self.settle(start, seen | {place})
        inner = f"{place.module}.{place.name}"
        base = self.root.joinpath(*inner.split("."))
        if not found and (base.is_dir() or base.with_suffix(".py").is_file()):
            return {Place(inner)}
        return found or {Place(place.module)}  # made in a way that is not read here: all of its module counts


def _ours(place: Place) -> bool:
    return place.module.split(".")[0] in PACKAGES


def _script(code: str) -> Module:
    """Returns code of which all runs: what it defines is not looked up, since it counts anyway."""
    tree = ast.parse(code)
    return Module(imported=_imported(tree), running=[node for node in tree.body if not _is_import(node)])


@cache
def _module(source: str) -> Module:
    module = Module()
    for statement in ast.parse(source).body:
        for name in defines(statement):
            module.defined.setdefault(name, []).append(statement)
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            module.imported += _imported(statement)
        if not (defines(statement) or _is_import(statement) or _never_runs(statement)):
            module.running.append(statement)
    return module


def defines(statement: ast.stmt) -> list[str]:
    """Returns the names that a statement at the top of a module defines."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        plain = all(isinstance(target, ast.Name | ast.Tuple | ast.Starred) for target in targets)
        return [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)] * plain
    return []


def _is_import(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Import | ast.ImportFrom)


def _never_runs(statement: ast.stmt) -> bool:
    """Says whether a statement does nothing on import: a docstring, a script's start, imports for type checkers."""
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    return isinstance(statement, ast.If) and any(
        isinstance(node, ast.Name) and node.id in ("__name__", "TYPE_CHECKING") for node in ast.walk(statement.test)
    )


def _imported(tree: ast.AST) -> list[tuple[str, Place]]:
    """Returns the names that the imports in a syntax tree bind, however deep they stand."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            pairs = [(alias.asname, Place(alias.name)) for alias in node.names if alias.asname]
            found += pairs + [(top, Place(top)) for a in node.names if not a.asname for top in [a.name.split(".")[0]]]
        elif isinstance(node, ast.ImportFrom):
            if node.level or node.names[0].name == "*":
                raise LessonError(f"an import must name where from and what, got {ast.unparse(node)!r}: write both")
            found += [(alias.asname or alias.name, Place(node.module or "", alias.name)) for alias in node.names]
    return found


@cache
def _names(statement: ast.stmt) -> tuple[list[Use], list[tuple[str, Place]]]:
    """Returns the global names that a statement reads, and what the imports inside it bind."""
    return list(_uses(statement, frozenset())), _imported(statement)


def _uses(node: Any, hidden: frozenset[str], call: ast.Call | None = None) -> Iterator[Use]:
    """Yields the global names that a syntax tree reads; `hidden` are the names bound around it."""
    if isinstance(node, ast.Attribute | ast.Name):
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            yield from _uses(node, hidden)
        elif node.id not in hidden:
            yield Use((node.id, *reversed(parts)), call)
    elif isinstance(node, ast.Call):
        yield from _uses(node.func, hidden, node)
        for child in (*node.args, *node.keywords):
            yield from _uses(child, hidden)
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        around = (*getattr(node, "decorator_list", ()), *node.args.defaults, *node.args.kw_defaults)
        for child in filter(None, around):
            yield from _uses(child, hidden)
        inner = hidden | _binds(node)
        for child in node.body if isinstance(node.body, list) else [node.body]:
            yield from _uses(child, inner)
    elif isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        yield from _uses(node.generators[0].iter, hidden)
        targets = [target for part in node.generators for target in ast.walk(part.target)]
        inner = hidden.union(*map(_stored, targets))
        for child in ast.iter_child_nodes(node):
            yield from _uses(child, inner)
    else:
        for name, value in ast.iter_fields(node):
            if name not in ("annotation", "type_params"):
                for child in value if isinstance(value, list) else [value]:
                    yield from _uses(child, hidden) if isinstance(child, ast.AST) else ()


def _binds(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> frozenset[str]:
    """Returns the names a function binds itself but by imports; what its inner functions bind is theirs."""
    arguments = function.args
    listed = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg)
    found = {each.arg for each in listed if each}
    shared: set[str] = set()
    waiting: list[ast.AST] = list(function.body) if isinstance(function.body, list) else []
    while waiting:
        node = waiting.pop()
        found |= _stored(node)
        if isinstance(node, ast.Global | ast.Nonlocal):
            shared |= set(node.names)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif not isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            waiting += ast.iter_child_nodes(node)
    return frozenset(found - shared)


def _stored(node: ast.AST) -> set[str]:
    """Returns the names that a node itself binds."""
    if isinstance(node, ast.Name):
        return set() if isinstance(node.ctx, ast.Load) else {node.id}
    if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
        return {node.name} if node.name else set()
    return {node.rest} if isinstance(node, ast.MatchMapping) and node.rest else set()

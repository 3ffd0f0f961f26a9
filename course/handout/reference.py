"""Writes the pages of the API reference: a page for each group of vpcore's public names, from their docstrings."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import vpcore

OPTION = re.compile(r"Annotated\[((?:(?!Annotated).)*?), <[^>]*>\]", re.DOTALL)  # of a command line


class Group(NamedTuple):
    """A page: its title, what it is about, and the modules or packages whose public names it shows."""

    title: str
    about: str
    modules: tuple[str, ...]


GROUPS = {
    "prompts": Group("Prompts", "What is added to an image, or inside a network.", ("vpcore.prompts",)),
    "backbones": Group("Backbones", "The frozen networks.", ("vpcore.backbone", "vpcore.models")),
    "training": Group(
        "Training",
        "A model is put together, trained, scored, counted and kept.",
        (
            "vpcore.prompted",
            "vpcore.train",
            "vpcore.count",
            "vpcore.saved",
            "vpcore.cache",
            "vpcore.device",
            "vpcore.rates",
            "vpcore.rebuild",
        ),
    ),
    "data": Group("Data", "Images as three splits: train, valid and test.", ("vpcore.data",)),
    "tuning": Group("Tuning", "Changes of the weights, to compare prompts with.", ("vpcore.tuning",)),
    "heads": Group("Heads", "From features to logits.", ("vpcore.heads",)),
    "inside": Group("Inside", "What a network looks at.", ("vpcore.inside",)),
    "statistics": Group("Statistics", "What a difference is worth, and a cost.", ("vpcore.statistics", "vpcore.flops")),
    "experiments": Group("Experiments", "Comparing methods: runs, grids, reports, costs.", ("vpcore.experiments",)),
}


def write_reference(folder: Path) -> None:
    """Write one page a group, and `index.rst`, which lists them."""
    folder.mkdir(parents=True)
    for name, group in GROUPS.items():
        (folder / f"{name}.rst").write_text(page(group), encoding="utf-8")
    lines = [*_heading("The library", "="), "Every public name of vpcore, from the docstrings of its code.", ""]
    lines += [".. toctree::", "   :maxdepth: 1", "", *(f"   {name}" for name in GROUPS), ""]
    (folder / "index.rst").write_text("\n".join(lines), encoding="utf-8")


def setup(app: Any) -> None:
    """Let Sphinx leave out of a signature what only a program reads; Sphinx calls this."""
    app.connect("autodoc-process-signature", lambda *seen: (readable_signature(seen[-2]), seen[-1]))


def readable_signature(signature: str | None) -> str | None:
    """Return a signature without the objects of command line options and of a dataclass's defaults."""
    return signature and OPTION.sub(r"\1", signature).replace("<factory>", "...")


def page(group: Group) -> str:
    """Return the text of a page: all its names, then every module with what it defines; vpcore's own names first."""
    found = {module.__name__: names for module in _modules(group.modules) if (names := public_names(module))}
    paths = [shown_as(module, name) for module, names in found.items() for name in names if not _table(module, name)]
    lines = [*_heading(group.title, "="), group.about, "", ".. autosummary::", "   :nosignatures:", ""]
    lines += [f"   {path}" for path in paths if path.count(".") == 1]
    lines += [f"   ~{path}" for path in paths if path.count(".") > 1]  # ~ shows the last part only
    for module in sorted(found, key=lambda module: not set(found[module]) & set(vpcore.__all__)):
        lines += ["", *_heading(module, "-"), f".. automodule:: {module}", "   :no-index:", "   :no-members:", ""]
        lines += [entry for name in found[module] for entry in (*_entry(module, name), "")]
    return "\n".join(lines) + "\n"


def public_names(module: ModuleType) -> list[str]:
    """Return the public functions and classes that a module defines, and its tables that vpcore hands on."""
    tables = set(vpcore.__all__) & set(inspect.get_annotations(module))
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and (_defined(value, module) or name in tables)
    ]


def shown_as(module: str, name: str) -> str:
    """Return the shortest path by which a name is imported."""
    handed_on = getattr(vpcore, name, None) is getattr(importlib.import_module(module), name)
    return f"vpcore.{name}" if name in vpcore.__all__ and handed_on else f"{module}.{name}"


def _defined(value: object, module: ModuleType) -> bool:
    return (inspect.isclass(value) or inspect.isfunction(value)) and value.__module__ == module.__name__


def _table(module: str, name: str) -> bool:
    return isinstance(getattr(importlib.import_module(module), name), dict)


def _entry(module: str, name: str) -> list[str]:
    value, path = getattr(importlib.import_module(module), name), shown_as(module, name)
    if _table(module, name):
        keys = ", ".join(f"`{key}`" for key in value)
        return [f".. py:data:: {name}", f"   :module: {path.rpartition('.')[0]}", "", f"   A table; its names: {keys}."]
    return [f".. {'autoclass' if inspect.isclass(value) else 'autofunction'}:: {path}"]


def _modules(names: tuple[str, ...]) -> Iterator[ModuleType]:
    for name in names:
        module = importlib.import_module(name)
        yield module
        for found in pkgutil.iter_modules(getattr(module, "__path__", []), f"{name}."):
            yield from _modules((found.name,))


def _heading(title: str, line: str) -> list[str]:
    return [title, line * len(title), ""]

"""A fault put into the library on purpose, to see the guard fail that is there to catch it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import contract_runs  # noqa: F401  (registers its checks)
import pytest
from contract import Case

Install = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Fault:
    """One fault.

    `guard` is the test that must fail under it; `case` a model that uses the faulty code. `silent` faults leave
    shapes and losses as they should look, so that nothing but the guard can tell.
    """

    name: str
    case: Case
    install: Install
    guard: Callable[..., None]
    silent: bool = True

    def run_guard(self, tmp_path: Path) -> None:
        """Call the guard, with a folder if it wants one."""
        wanted = "tmp_path" in inspect.signature(self.guard).parameters
        self.guard(**({"tmp_path": tmp_path} if wanted else {}))


def instead(owner: Any, name: str, faulty: Any) -> Install:
    """Put a faulty attribute in the place of the right one."""
    return lambda monkeypatch: monkeypatch.setattr(owner, name, faulty)


def option(owner: Any, name: str, place: int, value: Any) -> Install:
    """Make a function or class ignore its argument at this place and take another value."""
    right = getattr(owner, name)

    def faulty(*args: Any, **options: Any) -> Any:
        return right(*args[:place], value, *args[place + 1 :], **options)

    return instead(owner, name, faulty)

"""Makes ``pytest --nbval`` strict and reproducible; the conftest files of notebooks/ and solutions/ import it.

Kernels run this interpreter as `course.authoring.environment` says, a cell may take 240 seconds, and the cells
of one notebook stay on one worker when tests run in parallel. An option given on the command line wins.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from course.authoring.budget import read_cost, settle, witnessed
from course.authoring.environment import CELL_SECONDS, STARTS, UNSTABLE, kernel_environment, patched_environment

NBVAL_SECONDS = 2000  # nbval's own limit for a cell, over half an hour
__all__ = [
    "pytest_cmdline_main", "pytest_collectstart", "pytest_configure", "pytest_runtest_call", "pytest_unconfigure"
]  # fmt: skip
OPEN = pytest.StashKey[ExitStack]()
STARTED = pytest.StashKey[float]()
SLOWEST = pytest.StashKey[float]()
ENVIRONMENT = pytest.StashKey[dict[str, str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Sets the options that the bare command leaves open."""
    option = config.option
    if OPEN in config.stash or not hasattr(option, "nbval_cell_timeout"):
        return
    config.stash[OPEN] = ExitStack()
    config.stash[ENVIRONMENT] = config.stash[OPEN].enter_context(kernel_environment())
    if not option.nbval_kernel_name:
        option.nbval_current_env = True
    if option.nbval_cell_timeout == NBVAL_SECONDS:
        option.nbval_cell_timeout = CELL_SECONDS
    if option.nbval_sanitize_with is None:
        rules = Path(config.stash[ENVIRONMENT]["IPYTHONDIR"]) / "sanitize.cfg"
        rules.write_text("".join(f"regex: {old}\nreplace: {new}\n\n" for old, new in UNSTABLE), encoding="utf-8")
        option.nbval_sanitize_with = str(rules)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Removes what was written for this run."""
    if OPEN in config.stash:
        config.stash[OPEN].close()
        del config.stash[OPEN]


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Keeps a notebook's cells on one worker when pytest-xdist spreads the tests."""
    if getattr(config.option, "numprocesses", None) and config.option.dist in ("no", "load", "worksteal"):
        config.option.dist = "loadscope"


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Starts the kernel of a notebook in its surroundings, and adds its budget as the last item.

    The set-up itself is wrapped, because pytest sets a variable just before it that makes kernels lose the output
    of child processes.
    """
    if type(collector).__name__ != "IPyNbFile":
        return
    set_up, collect = collector.setup, collector.collect
    environment = collector.config.stash[ENVIRONMENT]
    folder = Path(environment["IPYTHONDIR"]) / "witness" / collector.path.parent.name / collector.path.stem

    def start_in_surroundings() -> None:
        with patched_environment(witnessed(environment, folder)):
            for start in range(1, STARTS + 1):
                collector.stash[STARTED], collector.stash[SLOWEST] = time.perf_counter(), 0.0
                try:
                    return set_up()
                except RuntimeError:  # what nbval raises where a kernel does not answer
                    if start == STARTS:
                        raise

    def collect_with_budget() -> list[pytest.Item | pytest.Collector]:
        return [*collect(), Budget.from_parent(collector, name="budget", folder=folder)]

    collector.setup, collector.collect = start_in_surroundings, collect_with_budget


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Keeps the seconds of a notebook's slowest cell."""
    began = time.perf_counter()
    yield
    if type(item).__name__ == "IPyNbCell" and item.parent:
        item.parent.stash[SLOWEST] = max(item.parent.stash[SLOWEST], time.perf_counter() - began)


class Budget(pytest.Item):
    """The item behind a notebook's cells: what they cost together, and that none asked another machine."""

    def __init__(self, *, folder: Path, **options: Any) -> None:
        super().__init__(**options)
        self.folder = folder

    def runtest(self) -> None:
        """Asks the kernel what it spent.

        Raises:
            AssertionError: more than the budget allows.
        """
        notebook: Any = self.parent
        kernel, seconds = notebook.kernel, time.perf_counter() - notebook.stash[STARTED]
        code = f"import pathlib, course.authoring.budget as _b; _b.note_spent(pathlib.Path({str(self.folder)!r}))"
        kernel.await_reply(kernel.execute_cell_input(code, allow_stdin=False), timeout=CELL_SECONDS)
        problems = settle(
            f"{self.path.parent.name}/{self.path.stem}", read_cost(self.folder, seconds, notebook.stash[SLOWEST])
        )
        assert problems == [], "; ".join(problems)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        """Says what was overdrawn, without a traceback."""
        return str(excinfo.value)

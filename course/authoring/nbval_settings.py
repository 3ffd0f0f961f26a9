"""Makes ``pytest --nbval`` strict and reproducible; the conftest files of notebooks/ and solutions/ import it.

Kernels run this interpreter as `course.authoring.environment` says, a cell may take 120 seconds, and the cells
of one notebook stay on one worker when tests run in parallel. An option given on the command line wins.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from course.authoring.environment import CELL_SECONDS, UNSTABLE, kernel_environment, patched_environment

NBVAL_SECONDS = 2000  # nbval's own limit for a cell, over half an hour
__all__ = ["pytest_cmdline_main", "pytest_collectstart", "pytest_configure", "pytest_unconfigure"]
OPEN = pytest.StashKey[ExitStack]()
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
    """Starts the kernel of a notebook in its surroundings.

    The set-up itself is wrapped, because pytest sets a variable just before it that makes kernels lose the output
    of child processes.
    """
    if type(collector).__name__ != "IPyNbFile":
        return
    start = collector.setup

    def start_in_surroundings() -> None:
        with patched_environment(collector.config.stash[ENVIRONMENT]):
            start()

    collector.setup = start_in_surroundings

"""The fixed surroundings in which every lesson is executed: variables, a private IPython folder, no network."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

CELL_SECONDS = 240
STARTS = 3  # of a kernel: its ports are chosen before it takes them, and another program may be first
THREADS = "2"
FIXED = {
    "OMP_NUM_THREADS": THREADS,
    "MKL_NUM_THREADS": THREADS,
    "OPENBLAS_NUM_THREADS": THREADS,
    "PYTHONHASHSEED": "0",
    "PYTHONUTF8": "1",
    "VPCOURSE_PROFILE": "quick",
    "VPCOURSE_PROGRESS": "off",
    "VPCOURSE_OFFLINE": "1",
    "HF_HUB_OFFLINE": "1",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "COLUMNS": "100",
}
# A lesson must not depend on these: data on this machine, a personal style file, a test that is running.
DROPPED = ("VPCORE_DATA", "MATPLOTLIBRC", "PYTEST_CURRENT_TEST", "PYTHONWARNINGS")
STARTUP = "from course.authoring.offline import block\nblock()\ndel block\n"
# The writer's version must not get into a picture: the same lesson has to give the same bytes.
CONFIG = """c = get_config()
c.IPKernelApp.log_level = 40
c.InlineBackend.print_figure_kwargs = {"bbox_inches": "tight", "metadata": {"Software": None}}
"""
# Text that differs from run to run, and what is stored instead; strict nbval applies the same pairs.
UNSTABLE = ((r"\S*[/\\]ipykernel_\d+[/\\]\d+\.py", "<cell>"),)


@contextmanager
def kernel_environment() -> Iterator[dict[str, str]]:
    """Gives the complete environment for a kernel; its private IPython folder is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="vpcourse-", ignore_cleanup_errors=True) as folder:
        profile = Path(folder) / "profile_default"
        (profile / "startup").mkdir(parents=True)
        (profile / "startup" / "00-offline.py").write_text(STARTUP, encoding="utf-8")
        (profile / "ipython_kernel_config.py").write_text(CONFIG, encoding="utf-8")
        root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(dict.fromkeys([root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]))
        kept = {key: value for key, value in os.environ.items() if key not in DROPPED}
        yield {**kept, **FIXED, "IPYTHONDIR": folder, "PYTHONPATH": path}


def patched_environment(environment: dict[str, str]) -> AbstractContextManager[Any]:
    """Gives this process another environment for a moment, for a tool that passes its own on to a kernel."""
    return patch.dict(os.environ, environment, clear=True)

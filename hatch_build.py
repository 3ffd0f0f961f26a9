"""What building adds: the wheel holds the learner notebooks, and a machine without wheels of torch is told so first."""

from __future__ import annotations

import platform
import sys
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

UNSERVED = {("darwin", "x86_64"): "a Mac with an Intel processor", ("win32", "ARM64"): "Windows on ARM"}


class Notebooks(BuildHookInterface):
    """Puts notebooks/, without the solutions, into the package course; an editable install finds them in the clone."""

    def dependencies(self) -> list[str]:
        """Ask for nothing; pip comes here before it looks for any package.

        Raises:
            RuntimeError: this machine cannot be served.
        """
        name = UNSERVED.get((sys.platform, platform.machine()))
        if name:
            raise RuntimeError(f"vpcore cannot be installed on {name}: PyTorch has no wheels for it; use Colab instead")
        return []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add them to a real wheel."""
        if version == "standard":
            build_data.setdefault("force_include", {})["notebooks"] = "course/notebooks"

"""What building adds: the wheel holds the learner notebooks, and a machine without wheels of torch is told so first."""

from __future__ import annotations

import platform
import sys
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

UNSERVED = {("darwin", "x86_64"): "a Mac with an Intel processor", ("win32", "ARM64"): "Windows on ARM"}


class Notebooks(BuildHookInterface):
    """Puts notebooks/, without the solutions, into the package course; an editable install finds them in the clone."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add them to a real wheel."""
        if version == "standard":
            build_data["force_include"]["notebooks"] = "course/notebooks"


class Machine(MetadataHookInterface):
    """Looks at the machine before pip looks for packages."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Leave the metadata as they are.

        Raises:
            RuntimeError: this machine cannot be served.
        """
        name = UNSERVED.get((sys.platform, platform.machine()))
        if name:
            raise RuntimeError(
                f"vpcore cannot be installed on {name}: PyTorch has no wheels for it. Use Colab instead."
            )

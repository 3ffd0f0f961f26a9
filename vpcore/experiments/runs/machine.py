"""What a run ran on: packages, processor, GPU."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from io import TextIOWrapper
from pathlib import Path
from typing import Any

PACKAGES = ("vpcore", "torch", "torchvision", "timm", "numpy")


def print_utf8() -> None:
    """Print in UTF-8 from now on, whatever the code page of the console is."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8")


def versions() -> dict[str, str]:
    """Return the versions of Python and the packages a result depends on, without importing them."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def hardware(device: str = "cpu") -> dict[str, Any]:
    """Return what a run ran on: processor, cores, threads, and the GPU if it used one."""
    import torch

    used = torch.device(device)
    return {
        "device": used.type,
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name(used) if used.type == "cuda" else None,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()

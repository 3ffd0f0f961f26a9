"""What a notebook may cost: seconds, of its slowest cell too, processor seconds, memory, no other machine asked.

`VPCOURSE_BUDGETS=write python -m pytest -n 0 notebooks solutions` measures all notebooks and writes budgets.json.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from course.authoring.environment import CELL_SECONDS

MANIFEST = Path(__file__).with_name("budgets.json")
# Machines of CI are noisy, so the factors are wide; the limits are for a learner, whatever the budget.
FACTORS = {"seconds": 5, "cell_seconds": 6, "processor_seconds": 3, "mebibytes": 1.5}
LIMITS = {"seconds": 300, "cell_seconds": CELL_SECONDS, "processor_seconds": 180, "mebibytes": 2048}
KIBIBYTE = 1024 if sys.platform != "darwin" else 1  # ru_maxrss counts kibibytes on Linux, bytes on macOS
# Python imports a module named sitecustomize by itself, in a kernel and in every process that starts from it.
WITNESS = """import os, sys
from course.authoring.offline import outside
def _witness(event, arguments):
    host = outside(event, arguments)
    if host:
        with open(os.environ["VPCOURSE_WITNESS"], "a") as notes:
            notes.write(f"{event} {host}\\n")
sys.addaudithook(_witness)
"""


@dataclass(frozen=True)
class Cost:
    """What a run took; `cell_seconds` are those of its slowest cell, `connections` also refused attempts to connect."""

    seconds: float
    cell_seconds: float
    processor_seconds: float
    mebibytes: float
    connections: tuple[str, ...] = ()


def witnessed(environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return an environment in which Python notes each attempt to reach another machine in the folder's file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(WITNESS, encoding="utf-8")
    path = os.pathsep.join(filter(None, [str(folder), environment.get("PYTHONPATH", "")]))
    return {**environment, "PYTHONPATH": path, "VPCOURSE_WITNESS": str(folder / "notes")}


def note_spent(folder: Path) -> None:
    """Write what this process and its ended children spent into a witness's folder; run in the kernel."""
    spent = _of_windows() if sys.platform == "win32" else _of_posix()
    (folder / "spent.json").write_text(json.dumps(spent), encoding="utf-8")


def _of_windows() -> dict[str, float]:
    import psutil

    process = psutil.Process()
    times, memory = process.cpu_times(), process.memory_info()
    return {
        "processor_seconds": times.user + times.system,
        "mebibytes": getattr(memory, "peak_wset", memory.rss) / 2**20,
    }


def _of_posix() -> dict[str, float]:
    import resource

    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    peak = own.ru_maxrss * KIBIBYTE
    status = Path("/proc/self/status")
    if status.is_file():  # Linux counts into ru_maxrss what the starting process had
        lines = status.read_text(encoding="utf-8").splitlines()
        peaks = [line.split()[1] for line in lines if line.startswith("VmHWM")]
        peak = int(peaks[0]) * 1024 if peaks else peak
    return {
        "processor_seconds": own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime,
        "mebibytes": max(peak, children.ru_maxrss * KIBIBYTE) / 2**20,
    }


def read_cost(folder: Path, seconds: float, cell_seconds: float) -> Cost:
    """Return the cost that `note_spent` and the witness wrote into a folder."""
    notes = folder / "notes"
    connections = notes.read_text(encoding="utf-8").splitlines() if notes.is_file() else []
    return Cost(
        seconds, cell_seconds, **json.loads((folder / "spent.json").read_text()), connections=tuple(connections)
    )


def overdrawn(budget: Mapping[str, float], cost: Cost) -> list[str]:
    """Return a line for all that cost more than its budget allows, and for each connection."""
    allowed = {name: min(FACTORS[name] * budget[name], LIMITS[name]) for name in FACTORS}
    spent = asdict(cost)
    over = [f"{name} {spent[name]:.0f} of {most:.0f}" for name, most in allowed.items() if spent[name] > most]
    return [*over, *(f"asked another machine: {line}" for line in cost.connections)]


def read_budgets() -> dict[str, dict[str, float]]:
    """Return the budgets by notebook, like "solutions/02_multiscale_prompts"."""
    return json.loads(MANIFEST.read_text(encoding="utf-8"))


def settle(notebook: str, cost: Cost) -> list[str]:
    """Return what a notebook overdrew; or write its budget anew, if VPCOURSE_BUDGETS says "write"."""
    budgets = read_budgets()
    if os.environ.get("VPCOURSE_BUDGETS") == "write":
        budgets[notebook] = {name: max(1, round(asdict(cost)[name])) for name in FACTORS}
        MANIFEST.write_text(json.dumps(budgets, indent=2) + "\n", encoding="utf-8")
    return overdrawn(budgets[notebook], cost) if notebook in budgets else ["no budget: see course/authoring/budget.py"]

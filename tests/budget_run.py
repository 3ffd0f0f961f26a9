"""Runs one notebook as `python -m course run` does and measures it: seconds, processor seconds, peak memory.

`python tests/budget_run.py` measures all notebooks and writes the manifest, tests/budgets.json.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MANIFEST = Path(__file__).with_name("budgets.json")
FOLDERS = {"solutions": [], "notebooks": ["--unsolved"]}
KIBIBYTE = 1024 if sys.platform != "darwin" else 1  # ru_maxrss counts kibibytes on Linux, bytes on macOS
# Python imports a module of this name by itself, in the runner and in every kernel it starts.
WITNESS = """import ipaddress, os, sys
def _witness(event, arguments):
    if event == "vpcourse.refused":
        host = arguments[0]
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    try:
        local = host in (None, "", "localhost") or ipaddress.ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        local = False
    if not local:
        with open(os.environ["VPCOURSE_WITNESS"], "a") as notes:
            notes.write(f"{event} {host}\\n")
sys.addaudithook(_witness)
"""


@dataclass(frozen=True)
class Cost:
    """What a run took; `connections` are attempts to reach another machine, also those that were refused."""

    seconds: float
    processor_seconds: float
    mebibytes: float
    connections: list[str]
    problem: str


def notebooks() -> list[str]:
    """The committed notebooks, like "solutions/02_multiscale_prompts"."""
    return [f"{folder}/{path.stem}" for folder in FOLDERS for path in sorted((ROOT / folder).glob("[0-9]*.ipynb"))]


def measure(notebook: str) -> Cost:
    """Runs a notebook in a process of its own."""
    folder, lesson = notebook.split("/")
    return witnessed(["-m", "course", "run", "--lesson", lesson, *FOLDERS[folder]])


def witnessed(arguments: list[str]) -> Cost:
    """Runs Python with these arguments; it and its children are measured together."""
    with tempfile.TemporaryDirectory(prefix="vpcourse-budget-") as private:
        folder = Path(private)
        (folder / "sitecustomize.py").write_text(WITNESS, encoding="utf-8")
        notes, errors = folder / "notes", folder / "errors"
        path = os.pathsep.join([private, str(ROOT), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "PYTHONPATH": path, "VPCOURSE_WITNESS": str(notes)}
        start = time.perf_counter()
        with errors.open("w") as stream:
            command = [sys.executable, *arguments]
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stream, cwd=ROOT, env=environment)
            _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        return Cost(
            seconds=time.perf_counter() - start,
            processor_seconds=used.ru_utime + used.ru_stime,
            mebibytes=used.ru_maxrss * KIBIBYTE / 2**20,
            connections=notes.read_text().splitlines() if notes.is_file() else [],
            problem=errors.read_text()[-500:] if process.returncode else "",
        )


def write_manifest() -> None:
    """Measures everything once and keeps the numbers."""
    entries = {}
    for notebook in notebooks():
        cost = measure(notebook)
        if cost.problem:
            sys.exit(f"{notebook} failed: {cost.problem}")
        names = ("seconds", "processor_seconds", "mebibytes")
        entries[notebook] = {name: round(getattr(cost, name)) for name in names}
        print(notebook, entries[notebook])
    MANIFEST.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_manifest()

"""Runs one long check and writes what came of it into course/results/ci.json.

    python .ci/record.py STEP [--figure NAME=NUMBER ...] [--out FILE] -- COMMAND ...

The record of a step holds date, hardware, versions, seconds, whether it passed, and its figures: those of pytest's last
line, and those that the command prints as a line `figures: {...}`. The exit status is the command's.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "course" / "results" / "ci.json"
FIGURES = "figures: "
SUMMARY = re.compile(r"(\d+) (passed|failed|skipped|errors?|xfailed|xpassed)\b")
LAST_LINE = re.compile(r"\d+ (?:passed|failed|errors?)\b.* in [\d.]+s")


def figures_of(line: str) -> dict[str, Any]:
    """Return the figures that a line of output states."""
    if line.startswith(FIGURES):
        return json.loads(line.removeprefix(FIGURES))
    if LAST_LINE.search(line):
        return {name: int(count) for count, name in SUMMARY.findall(line)}
    return {}


def hardware() -> str:
    """Say in words what this machine is."""
    sys.path.insert(0, str(ROOT))
    import torch

    from vpcore.experiments.runs.machine import hardware as found

    own = found("cuda" if torch.cuda.is_available() else "cpu")
    return f"{own['processor']}, {own['cores']} cores, {own['gpu'] or 'no GPU'}"


def read(path: Path) -> dict[str, Any]:
    """Read the records.

    Raises:
        ValueError: the file is damaged.
    """
    if not path.exists():
        return {"steps": {}}
    try:
        return {"steps": dict(json.loads(path.read_text(encoding="utf-8"))["steps"])}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({type(error).__name__}): restore it with git") from error


def run(command: list[str]) -> tuple[int, float, dict[str, Any]]:
    """Run a command, show what it prints, and return its exit status, seconds and figures."""
    figures: dict[str, Any] = {}
    began = time.perf_counter()
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            figures |= figures_of(line)
    return process.returncode, time.perf_counter() - began, figures


def record(step: str, command: list[str], extra: dict[str, Any], out: Path = RESULTS) -> int:
    """Run a step and write its record in the place of an older one; returns the command's exit status.

    Raises:
        ValueError: the file of records is damaged.
    """
    read(out)  # a damaged file shall not cost an hour
    status, seconds, figures = run(command)
    named = [Path(word).name if word == sys.executable else word.replace(f"{ROOT}/", "") for word in command]
    kept = read(out)
    kept["steps"][step] = {
        "date": datetime.now(UTC).date().isoformat(),
        "command": " ".join(named),
        "hardware": hardware(),
        "versions": versions(),
        "seconds": round(seconds),
        "passed": status == 0,
        "figures": {**extra, **figures},
    }
    kept["steps"] = dict(sorted(kept["steps"].items()))
    aside = out.with_suffix(".part")
    aside.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    aside.replace(out)
    return status


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that matter most."""
    from vpcore.experiments.runs.machine import versions as found

    return found()


def main(words: list[str]) -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step")
    parser.add_argument(
        "--figure", action="append", default=[], help="NAME=NUMBER, a figure the command does not print"
    )
    parser.add_argument("--out", type=Path, default=RESULTS)
    place = words.index("--") if "--" in words else len(words)
    chosen, command = parser.parse_args(words[:place]), words[place + 1 :]
    if not command:
        parser.error("give a command after --")
    extra = {name: int(count) for name, count in (figure.split("=", 1) for figure in chosen.figure)}
    try:
        return record(chosen.step, command, extra, chosen.out)
    except ValueError as error:
        parser.error(str(error))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""Runs the benchmarks one after the other and states what they measured; `.ci/full speed` records it.

    python tests/benchmarks/speed.py           on two free cores; with a GPU, that is used too

Each line is a time and its ratio to another way of doing the same in the same run; the ratio is what carries over to
another machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from rows import FIGURES, say

HERE = Path(__file__).parent
CPU = (  # threads, script and its options
    (2, "step_time.py"),
    (2, "msvp_throughput.py --bf16"),
    (1, "insvp_step.py"),
    (1, "cache_growth.py"),
    (1, "loading.py"),
)
GPU = (
    (1, "gpu.py --compile"),
    (1, "insvp_step.py --device cuda --precision bfloat16 --batch 64 --steps 20"),
)


def measured(threads: int, command: str) -> list[dict[str, Any]]:
    """Run one benchmark, show what it prints and return its lines.

    Raises:
        CalledProcessError: it failed.
    """
    script, *options = command.split()
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(HERE.parents[1])}
    done = subprocess.run(
        [sys.executable, HERE / script, *options], stdout=subprocess.PIPE, text=True, check=True, env=environment
    )
    lines = done.stdout.splitlines()
    found = [json.loads(line.removeprefix(FIGURES))["rows"] for line in lines if line.startswith(FIGURES)]
    print(f"$ {command}", *(line for line in lines if not line.startswith(FIGURES)), sep="\n", flush=True)
    return [{**line, "by": command, "threads": threads} for rows in found for line in rows]


def main() -> int:
    """Run them all; returns how many missed a bar."""
    todo = [*CPU, *(GPU if torch.cuda.is_available() else ())]
    rows = [line for threads, command in todo for line in measured(threads, command)]
    say(rows)
    missed = [line for line in rows if line["bar"] is not None and line["ratio"] < line["bar"]]
    for line in missed:
        print(f"below its bar of {line['bar']}: {line['what']}, {line['ratio']}", flush=True)
    return len(missed)


if __name__ == "__main__":
    raise SystemExit(main())

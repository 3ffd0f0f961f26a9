"""Kill real processes at random moments and see that they go on to the same bits.

Run: python tests/full/kills.py --kills 50. For each of fit, pretrain and grid, one run is left alone; then runs are
killed with SIGKILL at random moments and started again, until so many kills are spent and the last run has finished.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WORKER = Path(__file__).with_name("killed_worker.py")
KINDS = ("fit", "pretrain", "grid")
SECONDS = 600


def start(kind: str, folder: Path) -> subprocess.Popen[str]:
    """Start a worker, and return when its imports are done: kills shall hit the work."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(WORKER.parents[2])}
    process = subprocess.Popen(
        [sys.executable, str(WORKER), kind, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=env,
    )  # fmt: skip
    assert process.stdout is not None
    if process.stdout.readline() != "ready\n":
        raise RuntimeError(f"{kind} did not start: {process.communicate()[1][-500:]}")
    return process


def finish(process: subprocess.Popen[str], folder: Path) -> str:
    """Wait for a worker and return its result."""
    _, error = process.communicate(timeout=SECONDS)
    if process.returncode:
        raise RuntimeError(f"a resumed run failed: {error[-1000:]}")
    return (folder / "result.txt").read_text()


def kill_runs(kind: str, kills: int, seed: int = 0) -> tuple[int, int]:
    """Kill runs of one kind so often; returns how many runs finished, and how many kills hit work half done.

    Raises:
        AssertionError: a resumed run gave other bits than the one left alone.
        RuntimeError: a resumed run failed.
    """
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as place:
        alone = Path(place) / "alone"
        alone.mkdir()
        process, began = start(kind, alone), time.perf_counter()
        expected, length = finish(process, alone), time.perf_counter() - began
        spent = finished = halfway = 0
        while spent < kills:
            folder = Path(place) / f"run{finished}"
            folder.mkdir()
            while not (folder / "result.txt").exists():
                process = start(kind, folder)
                if spent < kills:
                    time.sleep(chance.uniform(0, length))
                    process.kill()
                    process.communicate()
                    spent += 1
                    halfway += any(folder.iterdir()) and not (folder / "result.txt").exists()
                else:
                    finish(process, folder)
            assert (folder / "result.txt").read_text() == expected, f"{kind}: another result after a kill"
            finished += 1
    return finished, halfway


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50, help="of each kind")
    parser.add_argument("--kind", choices=KINDS, nargs="*", default=KINDS)
    chosen = parser.parse_args()
    for name in chosen.kind:
        runs, hits = kill_runs(name, chosen.kills)
        print(f"{name}: {chosen.kills} kills, {hits} of them in the middle; {runs} runs, all with the same bits")

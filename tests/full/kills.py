"""Kill real processes at random moments and see that they go on to the same bits.

Run: python tests/full/kills.py --kills 50. For each of fit, pretrain and grid, one run is left alone; then runs are
killed with SIGKILL at random moments and started again, until so many kills are spent and the last run has finished.
The processes are forked from one that has done the imports, so that kills hit the work.
"""

from __future__ import annotations

import argparse
import functools
import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
import unittest.mock
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parents[1] / "support"), str(HERE.parents[2])]

from full.killed_worker import work  # noqa: E402

KINDS = ("fit", "pretrain", "grid")
SECONDS = 600


@functools.cache
def server() -> ForkServerContext:
    """Start the server that does the imports, and return the context that forks from it."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["full.killed_worker", "timm", "sklearn.datasets"])
    path = os.pathsep.join([str(HERE.parents[1]), str(HERE.parents[1] / "support"), str(HERE.parents[2])])
    with unittest.mock.patch.dict(os.environ, {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1", "PYTHONPATH": path}):
        forkserver.ensure_running()
    process = context.Process(target=int)
    process.start()
    process.join()  # the imports are done, so they do not count as work
    return context


def start(kind: str, folder: Path, share: float) -> ForkServerProcess:
    """Start a worker."""
    process = server().Process(target=work, args=(kind, folder, share))
    process.start()
    return process


def finish(kind: str, folder: Path, share: float) -> str:
    """Run a worker to its end and return its result.

    Raises:
        RuntimeError: it failed, or took longer than ten minutes.
    """
    process = start(kind, folder, share)
    process.join(SECONDS)
    if process.exitcode:
        raise RuntimeError(f"a resumed {kind} failed: its error stands above")
    if process.exitcode is None:
        process.kill()
        raise RuntimeError(f"a resumed {kind} hangs")
    return (folder / "result.txt").read_text()


def epochs_done(folder: Path) -> int:
    """Count the epochs whose checkpoint was written, by all processes that worked in a folder."""
    file = folder / "done.txt"
    return len(file.read_text().split()) if file.exists() else 0


def half_done(folder: Path) -> bool:
    """Say whether work was kept and is not finished; a grid begins with an empty runs.jsonl, which is no work."""
    kept = [folder / name for name in ("run.safetensors", "runs.jsonl")]
    return any(file.exists() and file.stat().st_size for file in kept) and not (folder / "result.txt").exists()


def killed_once(kind: str, folder: Path, seconds: float, share: float) -> bool:
    """Start a worker and kill it after some seconds of work; returns whether work was half done then.

    Raises:
        RuntimeError: it failed before that.
    """
    process = start(kind, folder, share)
    process.join(seconds)
    if process.exitcode:
        raise RuntimeError(f"a resumed {kind} failed: its error stands above")
    process.kill()
    process.join()
    return half_done(folder)


def kill_runs(kind: str, kills: int, seed: int = 0, share: float = 1, hits: int = 0) -> tuple[int, int]:
    """Kill runs of one kind so often; returns how many runs finished, and how many kills hit work half done.

    Args:
        kind: fit, pretrain or grid.
        kills: how many.
        seed: of the moments.
        share: of the full size of a run.
        hits: kill on until so many hit work half done, five times at most.

    Raises:
        AssertionError: a resumed run gave other bits than the one left alone, or did finished epochs again.
        RuntimeError: a resumed run failed.
    """
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as place:
        alone = Path(place) / "alone"
        alone.mkdir()
        server()
        began = time.perf_counter()
        expected, length = finish(kind, alone, share), time.perf_counter() - began
        spent = finished = halfway = 0
        while spent < kills or (halfway < hits and spent < kills + 5):
            folder = Path(place) / f"run{finished}"
            folder.mkdir()
            while not (folder / "result.txt").exists():
                if spent < kills or (halfway < hits and spent < kills + 5):
                    halfway += killed_once(kind, folder, chance.uniform(0, length), share)
                    spent += 1
                else:
                    finish(kind, folder, share)
            assert (folder / "result.txt").read_text() == expected, f"{kind}: another result after a kill"
            assert epochs_done(folder) <= epochs_done(alone), f"{kind}: finished epochs were done again"
            finished += 1
    return finished, halfway


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50, help="of each kind")
    parser.add_argument("--kind", choices=KINDS, nargs="*", default=KINDS)
    chosen, figures = parser.parse_args(), {}
    for name in chosen.kind:
        runs, hits = kill_runs(name, chosen.kills)
        figures[name] = {"kills": chosen.kills, "half_done": hits, "runs": runs}
        print(f"{name}: {chosen.kills} kills, {hits} of them in the middle; {runs} runs, all with the same bits")
        print("figures:", json.dumps(figures))

"""How long the grader waits: so many seconds of processor time, which are more by the clock on a busy machine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

START_SECONDS = 600.0  # by the clock, until libraries are imported; no learner code runs before that
PATIENCE = 6  # times the limit that an exercise may take by the clock while others use the processors

AGAIN = 75  # exit status of an exercise whose answer is looked at once more, with the same time


class Limit:
    """The end of an exercise's time, which moves on while the machine is busy with other things.

    An exercise that loops uses the processor, and one that sleeps on an idle machine has no excuse; both end after
    `seconds`. One that waits for a processor goes on, up to PATIENCE times as long.

    Args:
        seconds: of the processor, or by the clock on a machine that is not busy.
        used: processor time so far, of all that runs in the sandbox.
    """

    def __init__(self, seconds: float, used: Callable[[], float] = lambda: float("inf")) -> None:
        self.seconds, self._used = seconds, used
        self._began, self._before = time.monotonic(), used()
        self._end = self._began + seconds

    def left(self) -> float:
        """Return the seconds that are left, at most 0 when the time is up."""
        now = time.monotonic()
        if now < self._end:
            return self._end - now
        spent = self._used() - self._before
        if spent < self.seconds and is_busy() and now < self._began + PATIENCE * self.seconds:
            self._end = now + max(0.1, self.seconds - spent)
        return self._end - now


def is_busy() -> bool:
    """Say whether more processes want to run than there are processors."""
    return os.getloadavg()[0] > (os.cpu_count() or 1)


def processor_seconds(root: int) -> float:
    """Return the processor time of a process and all below it, ended children included."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
            except OSError:  # it ended meanwhile
                continue
            parents[int(folder.name)] = int(fields[1])
            ticks[int(folder.name)] = sum(map(int, fields[11:15]))
    return sum(ticks[pid] for pid in ticks if _is_below(pid, root, parents)) / os.sysconf("SC_CLK_TCK")


def _is_below(pid: int, root: int, parents: dict[int, int]) -> bool:
    for _ in range(100):
        if pid == root:
            return True
        pid = parents.get(pid, 0)
    return False

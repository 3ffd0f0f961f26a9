"""How a run gets on: how many of how many, and how long the rest will take."""

from __future__ import annotations

import time

from course.grading.marks import Mark, line


class Progress:
    """Lines for the terminal, one for each finished submission."""

    def __init__(self) -> None:
        self._total, self._done, self._began = 0, 0, time.monotonic()

    def start(self, total: int) -> None:
        """Begin with so many submissions."""
        self._total, self._done, self._began = total, 0, time.monotonic()

    def line(self, mark: Mark) -> str:
        """Return the line of one more finished submission."""
        self._done += 1
        left = (time.monotonic() - self._began) / self._done * (self._total - self._done)
        width = len(str(self._total))
        return f"[{self._done:{width}}/{self._total}{_left(left)}] {line(mark)}"


def _left(seconds: float) -> str:
    if seconds < 1:
        return ""
    return f", about {seconds / 60:.0f} min left" if seconds > 90 else f", about {seconds:.0f} s left"

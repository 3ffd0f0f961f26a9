"""The one form in which benchmarks state what they measured, for `speed.py` to collect."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from typing import Any

FIGURES = "figures: "


def row(
    what: str, seconds: float, ratio: float | Sequence[float] = (), against: str = "", bar: float | None = None
) -> dict[str, Any]:
    """Return one measured line; `spread` in it is the least and the largest ratio, where there are several.

    Args:
        what: what was timed.
        seconds: how long it took.
        ratio: how many times as long the other way took in the same run, or that for each round; the median counts.
        against: the other way.
        bar: the least ratio that is asked for.
    """
    rounds = [ratio] if isinstance(ratio, float | int) else sorted(ratio)
    middle = round(statistics.median(rounds), 2) if rounds else None
    spread = [round(rounds[0], 2), round(rounds[-1], 2)] if len(rounds) > 1 else None
    time = float(f"{seconds:.3g}")
    return {"what": what, "seconds": time, "ratio": middle, "spread": spread, "against": against, "bar": bar}


def say(rows: Sequence[dict[str, Any]]) -> None:
    """Print the lines, as `.ci/record.py` reads them."""
    print(f"{FIGURES}{json.dumps({'rows': list(rows)})}", flush=True)

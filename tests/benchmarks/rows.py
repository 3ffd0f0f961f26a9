"""The one form in which benchmarks state what they measured, for `speed.py` to collect."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

FIGURES = "figures: "


def row(
    what: str, seconds: float, ratio: float | None = None, against: str = "", bar: float | None = None
) -> dict[str, Any]:
    """Return one measured line.

    Args:
        what: what was timed.
        seconds: how long it took.
        ratio: how many times as long the other way took in the same run.
        against: the other way.
        bar: the least ratio that is asked for.
    """
    rounded = None if ratio is None else round(ratio, 2)
    return {"what": what, "seconds": float(f"{seconds:.3g}"), "ratio": rounded, "against": against, "bar": bar}


def say(rows: Sequence[dict[str, Any]]) -> None:
    """Print the lines, as `.ci/record.py` reads them."""
    print(f"{FIGURES}{json.dumps({'rows': list(rows)})}", flush=True)

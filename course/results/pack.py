"""Turn results of `vpcore.grid` into a results file of the course."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from course.recorded import RESULTS
from vpcore.experiments.grid.rates import mark_edges
from vpcore.experiments.report.rows import check_runs
from vpcore.experiments.runs.packed import read_results
from vpcore.experiments.runs.trials import trials_beside

KEPT = (
    *("key", "cell", "accuracy", "valid_accuracy", "extra", "parameters", "num_train", "num_test", "right", "data_md5"),
    *("seconds", "weights_sha256", "halved", "rate_at_edge"),
)


def pack(sources: Sequence[Path], name: str, folder: Path = RESULTS) -> Path:
    """Turn results of `vpcore.grid` into one results file of the course; returns its path.

    Runs may come from several machines: then "hardware" is a list, and each run names its own by number.

    Args:
        sources: files of JSON lines, or packed ones; of runs with one key the first counts.
        name: of the file, without its ending.
        folder: where it goes.

    Raises:
        ValueError: a line is damaged, or the runs were made with different versions.
    """
    from course.authoring.notebook_file import write_text

    read = [(source, check_runs(read_results(source), str(source))) for source in sources]
    runs = check_runs([run for source, found in read for run in mark_edges(found, trials_beside(source))], name)
    kinds = {json.dumps(run["versions"], sort_keys=True) for run in runs}
    if len(kinds) != 1:
        raise ValueError(f"all runs of one file need the same versions, got {len(kinds)}: pack them apart")
    machines = list({json.dumps(run["hardware"], sort_keys=True): run["hardware"] for run in runs}.values())
    several = len(machines) > 1
    commands = {_without_out(part) for run in runs for part in run["command"].split("; ")}
    table = {
        "commands": sorted(commands),
        "hardware": machines if several else machines[0],
        "versions": runs[0]["versions"],
    }
    own = [{"hardware": machines.index(run["hardware"])} if several else {} for run in runs]
    lines = [
        json.dumps({**{key: run[key] for key in KEPT if key in run}, **place})
        for run, place in zip(runs, own, strict=True)
    ]
    head = json.dumps(table, indent=1)[:-2]
    path = folder / f"{name}.json"
    write_text(path, f'{head},\n "runs": [\n' + ",\n".join(lines) + "\n]}\n")
    return path


def _without_out(command: str) -> str:
    """Return a command without the file that its results went to."""
    return re.sub(r" --out[ =]('[^']*'|\S+)", "", command)

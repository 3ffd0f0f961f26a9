"""Runs unit tests and strict notebooks with the oldest supported, the tested, the newest and Colab's packages; hours.

    python tests/full/versions.py [--stack NAME ...] [--only tests|notebooks] [--dry-run] [--envs FOLDER]
    VPCOURSE_PYTHONS=FOLDER python tests/full/versions.py --stack python315 colab313     other Pythons, on demand
    python tests/full/versions.py --table          CONTRIBUTING's table, from course/results/ci.json

Each stack gets a fresh environment; an index for pip must be at hand. --envs keeps them as FOLDER/NAME and takes those
that are there, so that a failed test is run again without installing; delete one to install it anew. --dry-run only
says what would be installed, and asks the index whether those versions exist. `.ci/full versions` writes the outcome
into course/results/ci.json.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from full.version_stacks import NAMES, ON_DEMAND, ROOT, SHOWN, STACKS, dry_run, environment, installed, pins  # noqa: E402

# Left out, except on the newest Python, which runs all that the test command of the README runs: what holds of files
# and texts, with the tested packages alone; the browser and the site, which needs an extra; what other steps of
# `.ci/full` run at length; and the budgets of seconds and memory, which are those of the tested packages.
LENGTHY = ("experiments/test_kills.py", "course/test_attacks.py", "course/test_fuzz.py")
LEFT_OUT = ("rules", "browser", "course/test_site.py", *LENGTHY)
TESTS = ["tests", *(f"--ignore=tests/{name}" for name in LEFT_OUT)]
PARTS = {"tests": TESTS, "notebooks": ["notebooks", "solutions", "-k", "not budget"]}  # of a row: what pytest is told
WHOLE = {"python315": {"tests": ["tests"], "notebooks": ["notebooks", "solutions"]}}
# Colab is where learners run notebooks. They are built with the tested packages: ipywidgets 7 numbers its models in
# another way. The tests of the export run nbgrader, which refuses Colab's IPython.
NOT_THERE = dict.fromkeys(("colab", "colab313"), ("course/test_build.py", "course/test_export.py"))
EMPTY: Mapping[str, object] = MappingProxyType({})
SUMMARY = re.compile(r"(\d+) (passed|failed|skipped|errors?)\b")


def tested(python: Path, words: list[str]) -> str:
    """Run pytest and return its counts, as "12 passed, 1 skipped"."""
    apart = ("PYTHONPATH", "PYTHONHOME", "VPCOURSE_PYTHONS")
    kept = {key: value for key, value in os.environ.items() if key not in apart}
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", *words]
    done = subprocess.run(
        command, cwd=ROOT, env={**kept, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    lines = done.stdout.strip().splitlines() or ["nothing"]
    counts = {name.removesuffix("s"): f"{count} {name}" for count, name in SUMMARY.findall(lines[-1])}
    if done.returncode:
        print(*lines[-40:], done.stderr[-2000:], sep="\n", flush=True)
    return ", ".join(counts.values()) or f"failed: {lines[-1][:80]}"


def run(
    stack: str, envs: Path | None = None, parts: Sequence[str] = tuple(PARTS), earlier: Mapping[str, object] = EMPTY
) -> dict[str, object]:
    """Run the parts on one stack and return its row; the others stay those of its earlier row, if its packages did."""
    began = time.perf_counter()
    row: dict[str, object] = {"stack": stack, "date": datetime.now(UTC).date().isoformat()}
    kept = nullcontext(envs) if envs else tempfile.TemporaryDirectory(prefix="vpcourse-versions-")
    with kept as place:
        try:
            python = environment(stack, Path(place) / stack)
        except (subprocess.CalledProcessError, FileNotFoundError, SystemExit) as error:
            return {**row, "problem": f"pip failed: {str(error)[-200:]}"}
        row |= installed(python)
        same = all(earlier.get(name) == version for name, version in row.items() if name in SHOWN)
        fewer = [f"--ignore=tests/{name}" for name in NOT_THERE.get(stack, ())]
        row |= {part: tested(python, [*WHOLE.get(stack, PARTS)[part], *fewer]) for part in parts}
        row |= {part: earlier.get(part, "not run") if same else "not run" for part in PARTS if part not in parts}
    return {**row, "seconds": round(time.perf_counter() - began)}


def good(row: dict[str, object]) -> bool:
    """Say whether a row's tests and notebooks all passed."""
    said = f"{row.get('tests', 'failed')} {row.get('notebooks', 'failed')}"
    return "problem" not in row and "failed" not in said and "error" not in said


def table(records: dict) -> list[str]:
    """Return the table of CONTRIBUTING.md; what was not run says so."""
    rows = records.get("steps", {}).get("versions", {}).get("figures", {}).get("stacks", {})
    lines = ["| packages | Python | torch | torchvision | timm | unit tests | notebooks | run on |", "|---" * 8 + "|"]
    for stack, what in (STACKS | ON_DEMAND).items():
        row = rows.get(stack)
        if row is None and stack in ON_DEMAND:
            continue
        if row is None:
            said = ["", *(pins(stack).get(name, "newest") for name in NAMES), "not run", "not run", "never"]
        else:
            problem = row.get("problem", "not run")
            cells = [row.get(key, "") for key in ("python", *NAMES)]
            said = [*cells, row.get("tests", problem), row.get("notebooks", problem), row["date"]]
        lines.append(f"| {stack}: {what} | {' | '.join(map(str, said))} |")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stack", choices=STACKS | ON_DEMAND, nargs="*", default=list(STACKS))
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--only", choices=PARTS, help="runs this part; the other stays as it is in the records")
    parser.add_argument("--envs", type=Path, metavar="FOLDER", help="keeps the environments, and takes those there")
    chosen = parser.parse_args()
    records = ROOT / "course" / "results" / "ci.json"
    kept = json.loads(records.read_text(encoding="utf-8")) if records.exists() else {}
    if chosen.table:
        print("\n".join(table(kept)))
        return 0
    if chosen.dry_run:
        return dry_run(chosen.stack)
    rows = dict(kept.get("steps", {}).get("versions", {}).get("figures", {}).get("stacks", {}))
    for stack in chosen.stack:
        parts = [chosen.only] if chosen.only else list(PARTS)
        rows[stack] = run(stack, chosen.envs and chosen.envs.absolute(), parts, rows.get(stack, {}))
        print(json.dumps(rows[stack]), flush=True)
        print("figures:", json.dumps({"stacks": rows}), flush=True)
    return int(not all(good(rows[stack]) for stack in chosen.stack))


if __name__ == "__main__":
    raise SystemExit(main())

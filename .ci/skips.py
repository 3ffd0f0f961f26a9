"""Fails when a test was skipped for a reason that is not on the list of allowed ones."""

import os
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

DATA_ONLY = "without data:"  # a reason that counts only where VPCORE_DATA is unset


def allowed(path: Path) -> list[str]:
    """Returns the patterns of the list that hold on this machine."""
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if os.environ.get("VPCORE_DATA"):
        lines = [line for line in lines if not line.startswith(DATA_ONLY)]
    return [line.removeprefix(DATA_ONLY).strip() for line in lines]


def unexpected(report: Path, patterns: list[str]) -> list[str]:
    """Returns one line for each skip whose reason fits no pattern."""
    found = []
    for case in ElementTree.parse(report).iter("testcase"):
        for skip in case.iter("skipped"):
            reason = skip.get("message", "")
            if not any(re.search(pattern, reason) for pattern in patterns):
                found.append(f"unexpected skip: {case.get('classname')}::{case.get('name')}: {reason}")
    return found


if __name__ == "__main__":
    if not Path(sys.argv[1]).is_file():
        sys.exit("error: pytest wrote no report, so skips cannot be judged")
    problems = unexpected(Path(sys.argv[1]), allowed(Path(sys.argv[2])))
    print("\n".join(problems), file=sys.stderr, end="\n" if problems else "")
    sys.exit(1 if problems else 0)

"""Writes the pins of constraints.txt into pyproject.toml, where uv looks for them: `python .ci/uv_pins.py`."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"(?ms)^\[tool\.uv\].*?^\]\n")


def block(constraints: str) -> str:
    """Return the part of pyproject.toml that gives uv these constraints."""
    pins = [line.strip().replace('"', "'") for line in constraints.splitlines() if "==" in line]
    words = " ".join(f'"{pin}",'.replace(" ", "\0") for pin in pins)
    rows = textwrap.fill(words, 118, break_on_hyphens=False, break_long_words=False).replace("\0", " ")
    head = "[tool.uv]  # written by .ci/uv_pins.py from constraints.txt"
    return f"{head}\nconstraint-dependencies = [\n{textwrap.indent(rows, '  ')}\n]\n"


def main() -> None:
    """Rewrite the block."""
    project = ROOT / "pyproject.toml"
    pins = block((ROOT / "constraints.txt").read_text(encoding="utf-8"))
    text = project.read_text(encoding="utf-8")
    project.write_text(BLOCK.sub(lambda _: pins, text), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()

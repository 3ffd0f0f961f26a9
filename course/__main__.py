"""Runs the course's commands: ``python -m course``, or ``vpcourse`` where the package is installed."""

import sys
from io import TextIOWrapper

try:
    from course.cli import main
except ImportError as error:  # another Python than the one the course was installed into, or an old one
    version = sys.version.split()[0]
    sys.exit(
        f"error: the course is not installed for {sys.executable}, Python {version} ({error}): "
        "run the first command of README.md with Python 3.11 or newer, then .venv/bin/python -m course"
    )


def start() -> int:
    """Run a command with output in UTF-8, whatever the code page of the console is; returns the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8")
    return main()


if __name__ == "__main__":
    sys.exit(start())

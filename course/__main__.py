"""Runs the course's commands: ``python -m course``."""

import sys

try:
    from course.cli import main
except ImportError as error:  # another Python than the one the course was installed into, or an old one
    version = sys.version.split()[0]
    sys.exit(
        f"error: the course is not installed for {sys.executable}, Python {version} ({error}): "
        "run the first command of README.md with Python 3.11 or newer, then .venv/bin/python -m course"
    )

if __name__ == "__main__":
    sys.exit(main())

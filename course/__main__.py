"""Runs the course's commands: ``python -m course``."""

import sys

from course.cli import main

if __name__ == "__main__":
    sys.exit(main())

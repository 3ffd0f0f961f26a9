"""The door to `python -m vpcore.grid`: compare methods."""

from vpcore.experiments.grid.command import app
from vpcore.experiments.runs.machine import print_utf8

if __name__ == "__main__":
    print_utf8()
    app(prog_name="python -m vpcore.grid")

"""The door to `python -m vpcore.cost`: what methods cost."""

from vpcore.experiments.cost.command import app
from vpcore.experiments.runs.machine import print_utf8

if __name__ == "__main__":
    print_utf8()
    app(prog_name="python -m vpcore.cost")

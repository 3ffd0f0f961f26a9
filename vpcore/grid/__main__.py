"""Runs the command: `python -m vpcore.grid`."""

from vpcore.grid.command import app

app(prog_name="python -m vpcore.grid")

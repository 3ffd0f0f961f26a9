"""The door to `python -m vpcore.grid`: compare methods."""

from vpcore.experiments.grid.command import app

if __name__ == "__main__":
    app(prog_name="python -m vpcore.grid")

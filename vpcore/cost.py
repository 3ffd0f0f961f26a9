"""The door to `python -m vpcore.cost`: what methods cost."""

from vpcore.experiments.cost.command import app

if __name__ == "__main__":
    app(prog_name="python -m vpcore.cost")

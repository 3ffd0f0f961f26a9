"""The door to `python -m vpcore.pretrain`: train a bundled backbone again."""

from vpcore.experiments.pretrain.pretrain import app
from vpcore.experiments.runs.machine import print_utf8

if __name__ == "__main__":
    print_utf8()
    app(prog_name="python -m vpcore.pretrain")

"""The door to `python -m vpcore.pretrain`: train a bundled backbone again."""

from vpcore.experiments.pretrain.pretrain import app

if __name__ == "__main__":
    app(prog_name="python -m vpcore.pretrain")

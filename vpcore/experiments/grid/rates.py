"""Choose a cell's learning rate around its method's published one, with equal trials, and keep the trials."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from vpcore.experiments.grid.cell import Cell, question
from vpcore.experiments.grid.failures import FailedSearch
from vpcore.experiments.names.named import read_named
from vpcore.experiments.runs.lr_search import choose_rate
from vpcore.experiments.runs.trials import Trials

ILM = "Chen et al. 2023 (arXiv:2211.11635), code: Adam"
VPT = "Jia et al. 2022 (arXiv:2203.12119), code: AdamW at 1e-4 … 5e-3 for networks that are tuned"
INSVP = "Liu et al. 2024 (InsVP), code: AdamW at 5e-4 … 5e-3"
SSF = "Lian et al. 2022 (arXiv:2210.08823): AdamW at 1e-3 (CIFAR) and 5e-3 (VTAB)"
PUBLISHED: dict[str, tuple[float, str]] = {  # middle of the first three rates, and where it comes from
    "none": (1e-1, f"{ILM}, linear probe"),
    "layer_probe": (1e-1, f"{ILM}, linear probe"),
    "mlp_head": (1e-3, f"{VPT}; usual for small networks trained with Adam too"),
    "full": (1e-2, f"{ILM}, pixel prompts"),
    "pad": (1e-2, f"{ILM}, pixel prompts; Bahng et al. 2022 (arXiv:2203.17274) have 40, for SGD"),
    "patch": (1e-2, f"{ILM}, pixel prompts"),
    "cluster": (1e-2, f"{ILM}, pixel prompts; DAM-VP's own rate belongs to its meta-training"),
    "multiscale": (1e-3, "arXiv:2512.03663, code: Adam"),
    "instance": (1e-3, INSVP),
    "instance_image": (1e-3, INSVP),
    "vpt_shallow": (1e-3, f"{INSVP}, its learned tokens; Jia et al. have 0.1 … 50, for SGD"),
    "vpt_deep": (1e-3, f"{INSVP}, its learned tokens; Jia et al. have 0.1 … 50, for SGD"),
    "activation": (1e-2, "none is known for AP (arXiv:2604.06440); ours, that of pixel prompts"),
    "norm_tuning": (1e-3, f"{SSF}; the same functions as norm tuning behind a norm"),
    "ssf": (1e-3, SSF),
    "bitfit": (1e-3, VPT),
    "lora": (1e-3, f"{VPT}; usual for LoRA too"),
    "partial": (1e-3, VPT),
    "full_tuning": (1e-3, VPT),
}


def published_rate(prompt: str) -> float:
    """Return the rate around which a method's search begins.

    Raises:
        ValueError: none is known for this method.
    """
    name = read_named(prompt)[0]
    if name not in PUBLISHED:
        raise ValueError(
            f"no published rate for {name!r}: add it to PUBLISHED in vpcore/experiments/grid/rates.py with its source"
        )
    return PUBLISHED[name][0]


class RateSearch:
    """Give cells that ask for it the rate that validation images of seed 0 choose.

    Every method gets the same number of trials. One rate holds for all that learns, the head included, as in the
    published codes of methods that train a head (VPT, InsVP). A head that keeps the probe's rate, up to 0.3 on these
    small networks, drove the best rate of activation:layer=6 (photodigits, resnet_nano) to the edge of its trials.
    Accuracy did not decide between the two: with seed 0, activation:layer=6 reached 33.4 % on validation with the
    probe's head rate, and 32.6 % with one rate for both. The choice was made after test results of the other way had
    been seen on that one set; no recorded run is older than it.

    Args:
        trials_file: JSON lines, one a trial; trials found there are not repeated.
        runs: earlier runs; what was chosen for one seed holds for the others.
        score: trains a cell and returns its validation accuracy, nan if it diverged; it must not read the test set.
            If it raises ValueError, nothing is kept in the file, and no seed of this question is tried again here.

    Raises:
        OSError: the file cannot be written.
        ValueError: it is damaged.
        FailedSearch: `score` raised ValueError, now or for an earlier seed.
    """

    def __init__(self, trials_file: Path, runs: Iterable[Mapping[str, Any]], score: Callable[[Cell], float]) -> None:
        self.file, self.score = trials_file, score
        self._chosen = {
            question(run["cell"], ("seed",)): float(run["cell"]["lr"])
            for run in runs
            if run["cell"].get("trials") is not None
        }
        self._failed: dict[str, str] = {}  # and why

    def __call__(self, cell: Cell) -> Cell:
        """Return the cell with its rate, found now if it is not known yet."""
        if cell.trials is None:
            return cell
        wanted = question(asdict(cell), ("seed",))
        if wanted in self._failed:
            raise FailedSearch(self._failed[wanted])
        if wanted not in self._chosen:
            self._chosen[wanted] = self._search(replace(cell, seed=0))
        return replace(cell, lr=self._chosen[wanted])

    def _search(self, cell: Cell) -> float:
        kept = Trials(self.file)

        def score(lr: float) -> float:
            trial = replace(cell, lr=_short(lr))
            return kept.accuracy(trial.key(), lambda: self._trial(trial), cell=asdict(trial))

        assert cell.trials is not None
        return _short(choose_rate(score, published_rate(cell.prompt), cell.trials)[0])

    def _trial(self, cell: Cell) -> float:
        """Score a trial, and remember why it failed: the seeds to come would fail alike."""
        try:
            return self.score(cell)
        except ValueError as error:
            self._failed[question(asdict(cell), ("seed",))] = str(error)
            raise FailedSearch(str(error)) from error


def _short(rate: float) -> float:
    return float(f"{rate:.4g}")

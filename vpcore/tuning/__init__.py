"""Baselines that change weights instead of images: the table of them."""

from __future__ import annotations

from collections.abc import Callable

from vpcore.tuning.base import Tuning
from vpcore.tuning.deltas import BitFit, FullTuning, NormTuning, PartialK
from vpcore.tuning.lora import LoRA
from vpcore.tuning.ssf import SSF

TUNINGS: dict[str, Callable[..., Tuning]] = {
    "norm": NormTuning,
    "bitfit": BitFit,
    "ssf": SSF,
    "lora": LoRA,
    "partial": PartialK,
    "full": FullTuning,
}

__all__ = ["SSF", "TUNINGS", "BitFit", "FullTuning", "LoRA", "NormTuning", "PartialK", "Tuning"]

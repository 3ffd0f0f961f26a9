"""The prompt methods, one file each, and the table of them."""

from __future__ import annotations

from collections.abc import Callable

from vpcore.prompts.base import NoPrompt, Prompt
from vpcore.prompts.multiscale import MultiScalePrompt

PROMPTS: dict[str, Callable[..., Prompt]] = {
    "none": NoPrompt,
    "multiscale": MultiScalePrompt,
}

__all__ = ["PROMPTS", "MultiScalePrompt", "NoPrompt", "Prompt"]

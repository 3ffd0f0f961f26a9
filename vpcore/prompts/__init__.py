"""The prompt methods, one file each, and the table of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from vpcore.prompts.activation import ActivationPrompt
from vpcore.prompts.base import NoPrompt, Prompt
from vpcore.prompts.cluster import ClusterPrompt
from vpcore.prompts.instance import InstancePrompt
from vpcore.prompts.instance_image import InstanceImagePrompt
from vpcore.prompts.multiscale import MultiScalePrompt
from vpcore.prompts.pad import PadPrompt
from vpcore.prompts.patch import PatchPrompt
from vpcore.prompts.tokens import DeepTokens, ShallowTokens

PROMPTS: dict[str, Callable[..., Prompt]] = {
    "none": NoPrompt,
    "full": partial(PadPrompt, width="full"),
    "pad": PadPrompt,
    "patch": PatchPrompt,
    "multiscale": MultiScalePrompt,
    "instance": InstancePrompt,
    "vpt_shallow": ShallowTokens,
    "vpt_deep": DeepTokens,
    "activation": ActivationPrompt,
    "cluster": ClusterPrompt,
    "instance_image": InstanceImagePrompt,
}

__all__ = [
    "PROMPTS",
    "ActivationPrompt",
    "ClusterPrompt",
    "DeepTokens",
    "InstanceImagePrompt",
    "InstancePrompt",
    "MultiScalePrompt",
    "NoPrompt",
    "PadPrompt",
    "PatchPrompt",
    "Prompt",
    "ShallowTokens",
]

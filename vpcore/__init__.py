"""Visual prompt methods in PyTorch: a prompt, a backbone, a head, and a training loop in plain sight."""

from vpcore.backbone import Backbone, Spec, load_backbone
from vpcore.data import Split, Splits, load_data
from vpcore.freeze import count, trainable_report
from vpcore.heads import LinearHead
from vpcore.prompted import Prompted
from vpcore.prompts import (
    PROMPTS,
    ActivationPrompt,
    ClusterPrompt,
    DeepTokens,
    InstanceImagePrompt,
    InstancePrompt,
    MultiScalePrompt,
    NoPrompt,
    PadPrompt,
    PatchPrompt,
    Prompt,
    ShallowTokens,
)
from vpcore.train import Evaluation, History, evaluate, fit

__all__ = [
    "PROMPTS",
    "ActivationPrompt",
    "Backbone",
    "ClusterPrompt",
    "DeepTokens",
    "Evaluation",
    "History",
    "InstanceImagePrompt",
    "InstancePrompt",
    "LinearHead",
    "MultiScalePrompt",
    "NoPrompt",
    "PadPrompt",
    "PatchPrompt",
    "Prompt",
    "Prompted",
    "ShallowTokens",
    "Spec",
    "Split",
    "Splits",
    "count",
    "evaluate",
    "fit",
    "load_backbone",
    "load_data",
    "trainable_report",
]

"""Visual prompt methods in PyTorch: a prompt, a backbone, a head, and a training loop in plain sight."""

from importlib.metadata import version as _version

from vpcore.backbone import Backbone, Spec
from vpcore.cache import cached
from vpcore.count import count, trainable_report
from vpcore.data import Split, Splits, load_data
from vpcore.heads.label_mapping import LabelMapping
from vpcore.heads.linear import LinearHead, MLPHead
from vpcore.inside.grad_cam import grad_cam
from vpcore.models import load_backbone
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
from vpcore.rates import default_rate
from vpcore.rebuild import load_model
from vpcore.statistics import paired_interval
from vpcore.train import Evaluation, History, evaluate, fit
from vpcore.tuning import SSF, TUNINGS, BitFit, FullTuning, LoRA, NormTuning, PartialK, Tuning

__version__ = _version("vpcore")  # pyproject.toml has it
__all__ = [
    "PROMPTS",
    "SSF",
    "TUNINGS",
    "ActivationPrompt",
    "Backbone",
    "BitFit",
    "ClusterPrompt",
    "DeepTokens",
    "Evaluation",
    "FullTuning",
    "History",
    "InstanceImagePrompt",
    "InstancePrompt",
    "LabelMapping",
    "LinearHead",
    "LoRA",
    "MLPHead",
    "MultiScalePrompt",
    "NoPrompt",
    "NormTuning",
    "PadPrompt",
    "PartialK",
    "PatchPrompt",
    "Prompt",
    "Prompted",
    "ShallowTokens",
    "Spec",
    "Split",
    "Splits",
    "Tuning",
    "cached",
    "count",
    "default_rate",
    "evaluate",
    "fit",
    "grad_cam",
    "load_backbone",
    "load_data",
    "load_model",
    "paired_interval",
    "trainable_report",
]

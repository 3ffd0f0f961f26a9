"""Every method as a text: prompts, tunings and probes by one name each, and how a model is built from it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from vpcore.backbone import Backbone
from vpcore.experiments.names.named import check_options, read_named, write_named
from vpcore.heads.linear import LinearHead, MLPHead
from vpcore.prompted import Prompted
from vpcore.prompts import PROMPTS
from vpcore.prompts.base import NoPrompt
from vpcore.tuning import TUNINGS


def layer_probe(backbone: Backbone, layer: int | None = None) -> Backbone:
    """Return what a linear probe on layer-l features needs: the backbone up to there.

    Raises:
        ValueError: no layer was named, or there is none of that number.
    """
    if layer is None:
        raise ValueError("layer_probe needs a layer: write layer_probe:layer=3, or layer=all for each of them")
    return backbone.upto(layer)


def mlp_head(hidden: int | None = None, num_layers: int = 3) -> dict[str, int | None]:
    """Return the options of `MLPHead`; the method is that head on frozen features, MLP-3 in the papers' tables."""
    return {"hidden": hidden, "num_layers": num_layers}


RENAMED = {"norm": "norm_tuning", "full": "full_tuning"}  # "full" alone is a prompt: a picture as large as the image
TUNING_METHODS = {RENAMED.get(name, name): build for name, build in TUNINGS.items()}
METHODS: dict[str, Callable[..., Any]] = {**PROMPTS, **TUNING_METHODS, "layer_probe": layer_probe, "mlp_head": mlp_head}


def read_method(text: str) -> tuple[str, dict[str, Any]]:
    """Read "multiscale:fusion=concat", "lora:rank=4" or "layer_probe:layer=3" into a name and its options.

    Raises:
        ValueError: unknown method, unknown option, or an option without a value.
    """
    name, options = read_named(text)
    if name not in METHODS:
        raise ValueError(f"unknown prompt {name!r}: choose one of {', '.join(METHODS)}")
    takes = method_options(name)
    write = f"option=value with {', '.join(takes) or 'none'}"
    check_options("prompt", name, options, dict.fromkeys(takes), write)
    many = {key for key, parameter in takes.items() if isinstance(parameter.default, tuple)}
    return name, {key: _value(value, key in many) for key, value in options.items()}


def method_options(name: str) -> dict[str, inspect.Parameter]:
    """Return the options of a method, without what it is given anyway."""
    parameters = inspect.signature(METHODS[name]).parameters
    return {key: parameter for key, parameter in parameters.items() if key not in ("spec", "backbone", "seed")}


def method_label(text: str) -> str:
    """Write a method the one way, as results name it: options sorted, lists joined by +."""
    name, options = read_method(text)
    words = {key: "+".join(map(str, v)) if isinstance(v, tuple) else str(v) for key, v in sorted(options.items())}
    return write_named(name, words)


def _value(text: str, many: bool) -> Any:
    """Return what a text says in Python: a number, True, False, None, some with + between; else the text itself."""
    if "+" in text.strip("+") or many:
        return tuple(_value(part, many=False) for part in text.split("+"))
    if text in ("True", "False", "None"):
        return {"True": True, "False": False, "None": None}[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def expand_layers(text: str, depth: int) -> list[str]:
    """Return "activation:layer=all" as one text for each layer 0 … depth; any other text as it is."""
    name, options = read_named(text)
    if options.get("layer") != "all":
        return [text]
    return [write_named(name, {**options, "layer": str(layer)}) for layer in range(depth + 1)]


def build_head(text: str, dim: int, num_classes: int, seed: int) -> nn.Module:
    """Return the head of a method for features of size `dim`: linear, but for mlp_head."""
    name, options = read_method(text)
    if name == "mlp_head":
        return MLPHead(dim, num_classes, **mlp_head(**options), seed=seed)  # type: ignore[arg-type]
    return LinearHead(dim, num_classes, seed=seed)


def build_prompted(
    text: str, backbone: Backbone, images: Tensor, head: Callable[[int], nn.Module], seed: int, train_backbone: bool
) -> Prompted:
    """Build the model of a method.

    Args:
        text: names the method.
        backbone: the whole one.
        images: training images (N, C, H, W), uint8, for prompts that prepare.
        head: makes a head for features of a size.
        seed: of what the method draws.
        train_backbone: as in `Prompted`.

    Raises:
        ValueError: an option is out of range, or the method does not fit this backbone.
    """
    name, options = read_method(text)
    if name == "layer_probe":
        backbone = layer_probe(backbone, **options)
    if name in PROMPTS:
        prompt = PROMPTS[name](backbone.spec, seed=seed, **options).prepare(backbone, images)
    else:
        prompt = NoPrompt(backbone.spec)
    tuning = None
    if name in TUNING_METHODS:
        build = TUNING_METHODS[name]
        drawn = {"seed": seed} if "seed" in inspect.signature(build).parameters else {}
        tuning = build(backbone, **drawn, **options)
    return Prompted(backbone, prompt, head(backbone.spec.dim), train_backbone=train_backbone, tuning=tuning)

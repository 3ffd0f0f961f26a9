"""A whole model from the file that `save` wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import vpcore.heads as heads
import vpcore.prompts as prompts
import vpcore.tuning as tunings
from vpcore.backbone import Backbone
from vpcore.heads.label_mapping import LabelMapping
from vpcore.models import BUNDLED, MODELS, load_backbone
from vpcore.prompted import Prompted
from vpcore.saved import load_learned, read_saved


def load_model(path: str | Path, backbone: Backbone | None = None, **options: Any) -> Prompted:
    """Build the model that `save` wrote to a file: backbone, prompt, tuning and head, with all that was learned.

    Args:
        path: the file.
        backbone: the one it was saved with; None loads it by its name.
        options: of `load_backbone` then, as checkpoint=, or width= or start= of a network that was trained from
            scratch.

    Returns:
        The model in eval mode; its attribute `classes` has the names of the classes if the saved model had them.

    Raises:
        OSError: the file, or the weights of the backbone, are missing.
        ValueError: the file is damaged, the backbone is another one, or the model has parts that are not of vpcore.
    """
    _, metadata = read_saved(path)
    built = json.loads(metadata.get("built", "{}"))
    kinds = {part: metadata.get(part, "").partition("(")[0] for part in ("prompt", "tuning", "head")}
    found = {"prompt": prompts, "tuning": tunings, "head": heads}
    missing = [name for part, name in kinds.items() if name != "none" and name not in found[part].__all__]
    if missing or not built:
        what = f"its {missing[0]} is no part of vpcore" if built else "it is a file of version 0.1"
        raise ValueError(f"cannot build the model of {path}, {what}: build it yourself, and call model.load(path)")
    backbone = backbone or _load(metadata, options)
    make: dict[str, Any] = {part: getattr(found[part], name, None) for part, name in kinds.items()}
    takes: tuple[Any, ...] = (backbone,) if make["head"] is LabelMapping else ()
    try:
        prompt = make["prompt"](backbone.spec, **_tuples(built["prompt"]))
        tuning = make["tuning"] and make["tuning"](backbone, **_tuples(built["tuning"]))
        head, trained = make["head"](*takes, **_tuples(built["head"])), metadata["backbone_hash"] == "trained"
        model = Prompted(backbone, prompt, head, train_backbone=trained, tuning=tuning)
    except ValueError as error:
        fix = "give its backbone=, or the options that load_backbone needs for it, as width="
        raise ValueError(f"the model of {path} does not fit this backbone ({error}): {fix}") from error
    if isinstance(prompt, prompts.ClusterPrompt):
        prompt.attach(backbone)
    load_learned(model, path)
    if "classes" in metadata:
        model.classes = tuple(json.loads(metadata["classes"]))  # type: ignore[assignment]
    return model.eval()


def _load(metadata: dict[str, str], options: dict[str, Any]) -> Backbone:
    name, _, layer = metadata["backbone"].rstrip("]").partition("[:")
    mean, std = (json.loads(metadata[key]) for key in ("mean", "std"))
    height, *width = map(int, metadata["image_size"].split("x"))
    given = {"image_size": (height, *width) if width else height, "in_chans": len(mean), "mean": mean, "std": std}
    backbone = load_backbone(name, **{"pretrained": name in BUNDLED or name not in MODELS, **given, **options})
    return backbone.upto(int(layer)) if layer else backbone


def _tuples(options: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}

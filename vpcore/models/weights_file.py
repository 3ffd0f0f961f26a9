"""Weights from somebody else's checkpoint file: read safely, renamed, resized, and checked name by name."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vpcore.tensorfile import read_tensors

NESTS = ("state_dict", "model", "teacher")
DEEPEST = 8  # nested dictionaries that are opened; a file may hold itself
MOCO_PREFIXES = ("module.base_encoder.", "base_encoder.", "module.encoder_q.", "encoder_q.")
PATCHES = "patch_embed.proj.weight"
PREFIXES = (*MOCO_PREFIXES, "module.backbone.", "module.model.", "module.", "backbone.", "model.")


def read_weights(path: str | Path) -> tuple[dict[str, Tensor], str]:
    """Read a .safetensors or a torch file and return tensors under plain names, and the prefix taken off.

    A nested "state_dict" or "model" is opened. Where keys carry a wrapper's prefix (MoCo's "module.base_encoder.",
    "module.", "backbone."), the keys without it are left out. A torch file is read with `weights_only`: nothing in
    it can run.

    Raises:
        OSError: no such file.
        ValueError: damaged, no tensors in it, or pickled Python objects.
    """
    content = read_tensors(path)[0] if Path(path).suffix == ".safetensors" else _read_torch(path)
    tensors = _innermost(content)
    if not tensors:
        raise ValueError(f"{path} holds no weights by name: save the network's state_dict()")
    prefix = next((p for p in PREFIXES if any(name.startswith(p) for name in tensors)), "")
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}, prefix


def _innermost(content: Any) -> dict[str, Tensor]:
    for _ in range(DEEPEST):
        nests = [content[key] for key in NESTS if isinstance(content, dict) and isinstance(content.get(key), dict)]
        if not nests:
            break
        content = nests[0]
    found = content.items() if isinstance(content, dict) else ()
    return {name: tensor for name, tensor in found if isinstance(name, str) and isinstance(tensor, Tensor)}


def _read_torch(path: str | Path) -> Any:
    if not Path(path).is_file():
        raise FileNotFoundError(f"no file {path}: check the name, or download the weights there first")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)  # noqa: TID251
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path} is damaged or holds pickled Python objects, which could run code: save its tensors as .safetensors"
        ) from error
    except Exception as error:  # a damaged file makes the reader fail in many ways
        raise ValueError(f"{path} is damaged or cut short: take a fresh copy") from error


def split_head(tensors: dict[str, Tensor], classifier: str | tuple[str, ...]) -> tuple[dict[str, Tensor], int]:
    """Return the tensors a network with this classifier takes, and its number of source classes.

    A classifier is one linear layer (or 1×1 convolution), a distilled network's are two. A projection head (MoCo's
    three layers) is none: it is left out, and the number is 0.
    """
    names = (classifier,) if isinstance(classifier, str) else classifier
    head = {name for name in tensors if name.startswith(tuple(f"{part}." for part in names))}
    weights = [tensors[f"{part}.weight"] for part in names if f"{part}.weight" in tensors]
    plain = head <= {f"{part}.{kind}" for part in names for kind in ("weight", "bias")}
    if plain and len(weights) == len(names) and all(weight.dim() in (2, 4) for weight in weights):
        return tensors, len(weights[0])
    return {name: tensor for name, tensor in tensors.items() if name not in head}, 0


def fill(net: nn.Module, tensors: dict[str, Tensor], first_conv: str | tuple[str, ...], path: str | Path) -> None:
    """Copy tensors into a timm network of this architecture, at its image size and channel count, in place.

    Position embeddings and relative-position tables are resized and the first convolution is fitted to the channels
    as timm does for its own weights.

    Raises:
        ValueError: a tensor is missing, unexpected or of another shape; nothing is changed then.
    """
    tensors = _resize(net, _fit_channels(net, tensors, first_conv))
    mine = {name: tensor.shape for name, tensor in net.state_dict().items()}
    wrong = {
        "missing": [n for n in mine if n not in tensors and not n.endswith("num_batches_tracked")],
        "unexpected": [n for n in tensors if n not in mine],
        "of another shape": [n for n, t in tensors.items() if n in mine and mine[n] != t.shape],
    }
    faults = "; ".join(f"{what}: {_first(names)}" for what, names in wrong.items() if names)
    if faults:
        kind = type(net).__name__
        raise ValueError(f"{path} does not fit this {kind}; {faults}: load it under the name it was trained as")
    net.load_state_dict(tensors, strict=False)


def _first(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if names[3:] else "")


def _fit_channels(net: nn.Module, tensors: dict[str, Tensor], first_conv: str | tuple[str, ...]) -> dict[str, Tensor]:
    from timm.models import adapt_input_conv

    mine, fitted = dict(net.named_parameters()), dict(tensors)
    for layer in (first_conv,) if isinstance(first_conv, str) else first_conv or ():
        name = f"{layer}.weight"
        conv, own = tensors.get(name), mine.get(name)
        if conv is not None and own is not None and conv.dim() == 4 and conv.shape[1] != own.shape[1]:
            fitted[name] = adapt_input_conv(own.shape[1], conv)
    return fitted


def _resize(net: Any, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Fit sizes and names as timm does; patches of another size are kept, for only a FlexiViT's may be resampled."""
    convert = getattr(sys.modules[type(net).__module__], "checkpoint_filter_fn", None)
    flexible = net.pretrained_cfg["architecture"].startswith("flexivit")
    options = {"interpolation": "bilinear", "antialias": False} if flexible else {}
    try:
        fitted = convert(dict(tensors), net, **options) if convert else tensors
    except (AttributeError, KeyError, RuntimeError):  # a name or shape this network has not: the comparison will say
        return tensors
    given = None if flexible else tensors.get(PATCHES)
    return fitted if given is None or given.dim() != 4 else {**fitted, PATCHES: given}

"""Any timm network that is a chain of blocks as a backbone: timm's weights, a checkpoint file's, or fresh ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from vpcore.backbone import Backbone, Size, check_size
from vpcore.device import NotDownloaded, own_random_stream, profile
from vpcore.models.scratch import check_image, per_channel
from vpcore.models.split import NoChain, split_chain
from vpcore.models.weights_file import MOCO_PREFIXES, fill, read_weights, split_head

SIZED = ("vision_transformer", "deit", "swin_transformer")  # all of these take img_size; of others, those timm marks


def timm_names() -> list[str]:
    """Return the names of timm's networks, without weight tags; `timm_backbone` says which are no chain of blocks."""
    import timm

    return timm.list_models()


def timm_backbone(
    name: str,
    *,
    pretrained: bool = True,
    checkpoint: str | Path | None = None,
    image_size: Size | None = None,
    in_chans: int | None = None,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
    seed: int = 0,
) -> Backbone:
    """Build a frozen timm network, cut into embed, blocks and pool, with its source classifier.

    Args:
        name: a timm name, with or without a weight tag ("vit_tiny_patch16_224.augreg_in21k_ft_in1k").
        pretrained: download timm's weights (full profile only); False draws fresh ones.
        checkpoint: a .safetensors or torch file to take the weights from instead; see `read_weights`.
        image_size: edge of square images, or height and width; by default what the weights were trained with.
        in_chans: channels; the first convolution of trained weights is summed (1) or repeated (others) as timm does.
        mean: of images in [0, 1]; by default the weights' own (a MoCo checkpoint's: ImageNet's), averaged for one
            channel and repeated for others. For other checkpoint files, the name's: give both if yours differ.
        std: divides images afterwards; the same default.
        seed: seed of fresh weights.

    Raises:
        ValueError: download asked for in the quick profile, a size that does not fit, an unsupported architecture,
            or a checkpoint that does not fit.
        OSError: no such file, or the download failed (`NotDownloaded`).
    """
    config = _config(name)
    channels = 3 if in_chans is None else in_chans
    height, width = check_size(config.input_size[-2:] if image_size is None else image_size)
    size: Size = height if height == width else (height, width)
    check_image(size, channels, smallest=1)
    moco, sized = False, {"img_size": size} if config.fixed_input_size or _family(name) in SIZED else {}
    if checkpoint is None:
        net = _create(name, pretrained, size, channels, seed, **sized)
    else:
        tensors, prefix = read_weights(checkpoint)
        tensors, classes = split_head(tensors, config.classifier)
        net = _create(name, False, size, channels, seed, num_classes=classes, **sized)
        fill(net, tensors, config.first_conv, checkpoint)
        moco = prefix in MOCO_PREFIXES
    _check_patch(net, name, (height, width), config.input_size[-2:])
    means, stds = _normalization(config, channels, mean, std, moco)
    backbone = _split(net, name, size, means, stds, config.input_size[-2:])
    backbone.spec = replace(backbone.spec, interpolation=config.interpolation)
    return backbone


def plain_name(name: str) -> str:
    """Return a network's name without the address of timm's own weights ("hf-hub:timm/", "timm/")."""
    return re.sub(r"^(hf[-_]hub:)?timm/", "", name)


def _config(name: str) -> Any:
    from timm.models import get_pretrained_cfg, list_pretrained

    known, (arch, _, tag) = list_pretrained(f"{name.split('.')[0]}.*"), name.partition(".")
    if tag and name not in known:
        tags = ", ".join(item.partition(".")[2] for item in known)
        raise ValueError(f"timm has no weights {tag!r} for {arch}: choose from {tags or 'none'}, or leave the tag out")
    return get_pretrained_cfg(name)


def _family(name: str) -> str:
    from timm.models import model_entrypoint

    return model_entrypoint(name).__module__.rsplit(".", 1)[-1]


def _create(name: str, pretrained: bool, size: Size, channels: int, seed: int, **options: Any) -> nn.Module:
    import timm

    if pretrained and profile() == "quick":
        raise ValueError(
            f"{name} would be downloaded, and the quick profile never downloads: set VPCOURSE_PROFILE=full, give "
            "checkpoint=a file you have, take a bundled backbone, or pass pretrained=False for fresh weights"
        )
    try:
        with own_random_stream(seed):
            return timm.create_model(name, pretrained=pretrained, in_chans=channels, **options)
    except (OSError, RuntimeError) as error:
        if not pretrained:
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        advice = "check the connection, or give checkpoint=a file"
        raise NotDownloaded(f"no weights for {name} ({reason}): {advice}") from error
    except AssertionError as error:
        raise ValueError(
            f"{name} takes no images of {_said(size)} pixels ({error}): take the size it was made for"
        ) from error


def _split(
    net: Any, name: str, size: Size, mean: tuple[float, ...], std: tuple[float, ...], native: tuple[int, int]
) -> Backbone:
    try:
        return split_chain(net, name, size, mean, std)
    except NoChain as error:
        raise NoChain(f"timm has {name}, vpcore cannot split it at blocks because {error}: take another") from error
    except Exception as error:  # networks object to a size in many ways
        if check_size(size) == native:
            raise
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ValueError(f"{name} takes no images of {_said(size)} pixels ({reason}): try {_said(native)}") from error


def _said(size: Size) -> str:
    """Return a size as messages have it: 224 of squares, 224×320 of others."""
    return "×".join(map(str, dict.fromkeys(check_size(size))))


def _check_patch(net: nn.Module, name: str, size: tuple[int, int], native: tuple[int, int]) -> None:
    embed = getattr(net, "patch_embed", None)
    patch = getattr(embed, "patch_size", 1)
    patch = (patch, patch) if isinstance(patch, int) else patch
    if getattr(getattr(embed, "proj", None), "stride", patch) != tuple(patch):  # overlapping patches are padded
        return
    if patch[0] != patch[1]:
        raise ValueError(f"{name} has patches of {patch[0]}×{patch[1]} pixels: only square patches are supported")
    if any(edge % patch[0] for edge in size) and size != native:  # some were trained with pixels to spare
        near, far = (max(patch[0], edge // patch[0] * patch[0]) for edge in size)
        of = f"a multiple of {patch[0]}, the patch of {name}"
        raise ValueError(f"image_size must be {of}, got {_said(size)}: try {_said((near, far))}")


def _normalization(
    config: Any, channels: int, mean: float | Sequence[float] | None, std: float | Sequence[float] | None, moco: bool
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

    default_mean = IMAGENET_DEFAULT_MEAN if moco else config.mean
    default_std = IMAGENET_DEFAULT_STD if moco else config.std
    means = _spread(default_mean, channels) if mean is None else mean
    stds = _spread(default_std, channels) if std is None else std
    return per_channel(means, channels, "mean"), per_channel(stds, channels, "std")


def _spread(values: Sequence[float], channels: int) -> tuple[float, ...]:
    if channels == 1:
        return (sum(values) / len(values),)
    return tuple(values[i % len(values)] for i in range(channels))

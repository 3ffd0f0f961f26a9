"""Small backbones and data that tests share; all weights random, nothing read from disk."""

from __future__ import annotations

import copy
from functools import cache

import torch
from torch import nn

import vpcore
from vpcore.backbone import Backbone
from vpcore.data.splits import Split
from vpcore.device import own_random_stream
from vpcore.models.split import split_chain


def small_cnn(seed: int = 0) -> Backbone:
    return copy.deepcopy(_cnn(seed))


def small_vit(seed: int = 0) -> Backbone:
    return copy.deepcopy(_vit(seed))


@cache
def _cnn(seed: int) -> Backbone:
    """16-pixel grey images, four convolution blocks; smooth, so that no entry's gradient is zero by chance."""
    net = vpcore.load_backbone("simple_cnn", pretrained=False, width=4, image_size=16, mean=0.4, std=0.3, seed=seed)
    for block in [*net.blocks, net.pool]:
        assert isinstance(block, nn.Sequential)
        for index, layer in enumerate(block):
            if isinstance(layer, nn.ReLU):
                block[index] = nn.SiLU()
            if isinstance(layer, nn.MaxPool2d):
                block[index] = nn.AvgPool2d(2)
    return net


@cache
def _vit(seed: int) -> Backbone:
    """32-pixel color images, 16 patches of 8 pixels, dim 96, three blocks; dropout only behind the pooling."""
    from timm.models.vision_transformer import VisionTransformer

    with own_random_stream(seed):
        sizes = {"img_size": 32, "patch_size": 8, "embed_dim": 96, "depth": 3, "num_heads": 3, "num_classes": 7}
        net = VisionTransformer(**sizes, drop_rate=0.3)
    return split_chain(net, "small_vit", 32, (0.5, 0.4, 0.45), (0.25, 0.3, 0.2))


BACKBONES = {"cnn": small_cnn, "vit": small_vit}


def pixels(backbone: Backbone, count: int = 16, seed: int = 0) -> torch.Tensor:
    """Random uint8 images that fit the backbone, each with a brightness of its own."""
    draw, spec = torch.Generator().manual_seed(seed), backbone.spec
    noise = torch.rand(count, spec.in_chans, spec.image_size, spec.image_size, generator=draw)
    level = torch.rand(count, spec.in_chans, 1, 1, generator=draw)
    return ((0.4 * noise + 0.6 * level) * 255).to(torch.uint8)


def split(backbone: Backbone, count: int = 16, classes: int = 3, seed: int = 0) -> Split:
    """`pixels` with labels."""
    return Split(pixels(backbone, count, seed), torch.arange(count) % classes)


def floats(backbone: Backbone, count: int = 16, seed: int = 0) -> torch.Tensor:
    """`pixels` as floats in [0, 1]."""
    return pixels(backbone, count, seed).float() / 255

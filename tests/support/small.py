"""Tiny networks in float64 for the tests of prompts that act inside a network."""

from __future__ import annotations

import copy

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from vpcore.backbone import Backbone, Spec, measure_shapes
from vpcore.models.split import split_chain

HALF = (0.5, 0.5, 0.5)


def randomize(module: nn.Module, seed: int = 0, scale: float = 0.5) -> None:
    """Replace every parameter by normal noise: zeros and ones hide faults."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw, dtype=torch.float64) * scale)


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def images(count: int = 3, chans: int = 3, size: int = 16, seed: int = 2) -> Tensor:
    return torch.rand(count, chans, size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def vit_pair(depth: int = 3, pool: str = "token", dim: int = 48) -> tuple[VisionTransformer, Backbone]:
    """Return a timm ViT and a backbone with the same weights (16 px, patch 4: 16 patches and a class token)."""
    net = VisionTransformer(
        img_size=16, patch_size=4, num_classes=5, embed_dim=dim, depth=depth, num_heads=3, mlp_ratio=2,
        global_pool=pool,
    )  # fmt: skip
    randomize(net, seed=5, scale=0.2)
    untouched = copy.deepcopy(net).double().eval()
    return untouched, split_chain(net.double().float(), "tiny", 16, HALF, HALF).double()


def vit_spec(dim: int, depth: int = 12, image_size: int = 224, patch: int = 16) -> Spec:
    """Describe a ViT without building it."""
    tokens = (image_size // patch) ** 2 + 1
    return Spec(
        "vit", "vit", image_size, 3, dim, ((tokens, dim),) * (depth + 1), HALF, HALF, patch, num_prefix_tokens=1
    )


CNN_SPEC = Spec("some_cnn", "cnn", 16, 3, 8, ((4, 16, 16), (8, 8, 8)), HALF, HALF)
SWIN_SPEC = Spec("some_swin", "swin", 16, 3, 8, ((4, 4, 8), (2, 2, 8)), HALF, HALF, patch_size=4)


class Residual(nn.Module):
    """x + f(x), without changing x."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x)


def with_statistics(norm: nn.BatchNorm2d, seed: int) -> nn.BatchNorm2d:
    """Give a batch norm running statistics that are neither 0 nor 1."""
    draw = torch.Generator().manual_seed(seed)
    chans = norm.num_features
    norm.running_mean = torch.randn(chans, generator=draw)
    norm.running_var = torch.rand(chans, generator=draw) + 0.3
    return norm


def cnn() -> Backbone:
    """Build conv | BN | ReLU, conv, BN, ReLU | conv | average pooling; `blocks[0]` is the first BN alone."""
    embed = nn.Conv2d(3, 6, 3, padding=1, bias=False)
    norm = with_statistics(nn.BatchNorm2d(8), 4)
    tail = nn.Sequential(nn.ReLU(), nn.Conv2d(6, 8, 3, stride=2, padding=1), norm, nn.ReLU())
    blocks = [with_statistics(nn.BatchNorm2d(6), 3), tail, nn.Conv2d(8, 8, 3, padding=1)]
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    for index, module in enumerate([embed, *blocks]):
        randomize(module, seed=10 + index)
    spec = Spec("hand_cnn", "cnn", 16, 3, 8, measure_shapes(embed, blocks, 3, 16), HALF, HALF)
    return Backbone(embed, blocks, pool, spec).double()

"""MSVP: learned maps at several resolutions, upsampled to the image and fused with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from vpcore.backbone import Spec
from vpcore.prompts.base import Images, Prompt

FUSIONS = ("add", "concat", "gated")
INITS = ("identity", "kaiming")


def upsample(
    prompt_map: Float[Tensor, "1 channels h w"], size: tuple[int, int]
) -> Float[Tensor, "1 channels height width"]:
    """Stretch a small map to image size: bilinear, pixel centers aligned (align_corners=False)."""
    return F.interpolate(prompt_map, size=size, mode="bilinear", align_corners=False)


def average_maps(maps: Sequence[Tensor], size: tuple[int, int]) -> Float[Tensor, "1 channels height width"]:
    """Upsample every map and average them: one scale more makes each of them count less."""
    return torch.stack([upsample(prompt_map, size) for prompt_map in maps]).mean(0)


class MultiScalePrompt(Prompt):
    """Add one learned picture, made of a global, a mid and a local map, to every image.

    Khazem (2025, arXiv:2512.03663). Maps P_s of `scales` × `scales` entries per channel, each drawn from
    N(0, 0.01²), are upsampled, U(P_s), and fused with the normalized image x:

    - add: x + mean_s U(P_s). The maps are averaged, not summed.
    - concat: K · [x, U(P_1), …, U(P_n)], K a 1×1 convolution without bias, on the maps before averaging.
    - gated: x + sigmoid(conv1x1(M)) · M with M = mean_s U(P_s); the gate sees the prompt, never the image.

    Differences from the paper's text: its abstract speaks of a 1×1 convolution, its figure 1 and published code
    add; add is the default here. `init="identity"` starts K at [I | 0]; the published code starts it at random
    (`"kaiming"`), which scrambles the image at step 0. The gate's bias starts at 0; there it does so before the plain
    CNN alone, and at PyTorch's default elsewhere. In the paper the backbone is trained from scratch together
    with the prompt (`Prompted(..., train_backbone=True)`); on a frozen backbone this is our extension.
    Learned numbers for scales (1, 4, 8) and C channels: add 81·C, concat 81·C + 4·C², gated 81·C + C² + C.

    Args:
        spec: the sizes of the backbone.
        scales: edge of each map, smallest first; each from 1 to the image size, no two alike.
        fusion: "add", "concat" or "gated".
        init: start of the concat convolution, "identity" or "kaiming"; the other fusions ignore it.
        seed: seed of the initial maps and convolution.

    Raises:
        ValueError: unknown fusion or init, no scale, or a scale that does not fit the image.
    """

    first_layer = -1

    def __init__(
        self, spec: Spec, scales: Sequence[int] = (1, 4, 8), fusion: str = "add", init: str = "identity", seed: int = 0
    ) -> None:
        super().__init__(spec, seed)
        if fusion not in FUSIONS:
            raise ValueError(f"fusion must be one of {', '.join(FUSIONS)}, got {fusion!r}")
        if init not in INITS:
            raise ValueError(f"init must be one of {', '.join(INITS)}, got {init!r}")
        fits = len(scales) > 0 and all(isinstance(s, int) and 1 <= s <= min(spec.size) for s in scales)
        if not fits or len(set(scales)) != len(scales):
            allowed = f"different whole numbers from 1 to {min(spec.size)}"
            raise ValueError(f"scales must be {allowed}, got {tuple(scales)}")
        self.scales, self.fusion, self.init = tuple(scales), fusion, init
        chans, draw = spec.in_chans, self.generator()
        self.maps = nn.ParameterList(torch.randn(1, chans, s, s, generator=draw) * 0.01 for s in self.scales)
        if fusion == "concat":
            self.mix = nn.Parameter(_concat_start(chans, len(self.scales), init, draw))
        elif fusion == "gated":
            self.gate_weight = nn.Parameter(torch.randn(chans, chans, 1, 1, generator=draw) * (2 / chans) ** 0.5)
            self.gate_bias = nn.Parameter(torch.zeros(chans))

    def image(self, images: Images, context: Any) -> Images:
        """Fuse the maps with normalized images (B, C, H, W)."""
        size = (images.shape[-2], images.shape[-1])
        if self.fusion == "concat":
            maps = torch.cat([upsample(prompt_map, size) for prompt_map in self.maps], dim=1)  # (1, n·C, H, W)
            return F.conv2d(torch.cat([images, maps.expand(len(images), -1, -1, -1)], dim=1), self.mix)
        return images + self.added_map(size)

    def added_map(self, size: tuple[int, int]) -> Float[Tensor, "1 channels height width"]:
        """Return the picture that add and gated put on top of every image, in normalized units."""
        if self.fusion == "concat":
            raise ValueError("concat mixes the image with the maps, it adds no picture: use fusion='add' or 'gated'")
        average = average_maps(list(self.maps), size)
        if self.fusion == "gated":
            return average * torch.sigmoid(F.conv2d(average, self.gate_weight, self.gate_bias))
        return average


def _concat_start(chans: int, num_maps: int, init: str, draw: torch.Generator) -> Tensor:
    if init == "kaiming":
        return torch.randn(chans, (num_maps + 1) * chans, 1, 1, generator=draw) * (2 / chans) ** 0.5  # fan_out = chans
    return torch.cat([torch.eye(chans), torch.zeros(chans, num_maps * chans)], dim=1)[:, :, None, None]

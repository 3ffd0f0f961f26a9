"""The three small networks of InsVP that turn an image into its own prompt."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from vpcore.prompts.base import Images

TOKEN_CHANS = 3  # a token of the specific prompter is a picture of this many channels


def fresh(
    kind: Callable[..., nn.Module], *sizes: int, generator: torch.Generator, zero: bool = False, **options: Any
) -> Any:
    """Build a linear or convolution layer whose weights come from a generator, not from the global stream.

    Weight and bias are uniform in ±1/√fan_in, as PyTorch starts them; or all zero, so that what the layer feeds
    starts as "no prompt".
    """
    layer: Any = nn.utils.skip_init(kind, *sizes, **options)  # type: ignore[arg-type]
    bound = 0.0 if zero else layer.weight[0].numel() ** -0.5
    with torch.no_grad():
        for tensor in (layer.weight, layer.bias):
            tensor.uniform_(-bound, bound, generator=generator)
    return layer


def fix(module: nn.Module) -> None:
    """Turn all parameters of a module into buffers, in place: saved with what is learned, but never learning."""
    for part in module.modules():
        for name, parameter in list(part.named_parameters(recurse=False)):
            delattr(part, name)
            part.register_buffer(name, parameter.detach())


class PatchPrompter(nn.Module):
    """Draw a prompt for every patch with one small MLP, and tile the drawings back into a picture.

    G_l of Liu, Peng, Zhou (2024, MM; eq. 4): a patch is flattened as (channel, row, column), P = C·patch² numbers;
    Linear P → hidden, ReLU, Linear hidden → P. Learned numbers: 2·P·hidden + hidden + P.

    Args:
        channels: image channels C.
        patch_size: edge of a patch in pixels; must divide the image.
        hidden: width of the MLP.
        zero: start the last layer at zero, so that the first picture is empty.
        generator: where the initial weights are drawn from.
    """

    def __init__(
        self,
        channels: int,
        patch_size: int,
        hidden: int = 16,
        *,
        zero: bool = True,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        draw = generator or torch.Generator().manual_seed(0)
        self.patch_size = patch_size
        size = channels * patch_size**2
        self.inner = fresh(nn.Linear, size, hidden, generator=draw)
        self.outer = fresh(nn.Linear, hidden, size, generator=draw, zero=zero)

    def forward(self, images: Images) -> Images:
        """Map normalized images (B, C, H, W) to pictures of the same shape."""
        size = (images.shape[-2], images.shape[-1])
        if any(edge % self.patch_size for edge in size):
            raise ValueError(f"patch_size must divide the image, got {self.patch_size} and {size}: choose another")
        patches = F.unfold(images, self.patch_size, stride=self.patch_size).transpose(1, 2)  # (B, patches, P)
        drawn = self.outer(F.relu(self.inner(patches)))
        return F.fold(drawn.transpose(1, 2), size, self.patch_size, stride=self.patch_size)


class GlobalPrompter(nn.Module):
    """Draw one picture from the whole image with two dilated convolutions.

    G_g of Liu, Peng, Zhou (2024, MM; eq. 5): convolution C → hidden, ReLU, convolution hidden → C, zero padding that
    keeps the size. The paper says "dilated" and gives no sizes; 3×3 with dilation 2, twice, sees 9 pixels and is
    ours. The released code uses kernels (11, 25) with dilations (1, 1).
    Learned numbers: C·hidden·(a² + b²) + hidden + C for kernels (a, b).

    Args:
        channels: image channels C.
        hidden: channels between the two convolutions.
        kernels: their odd kernel edges.
        dilations: the distance between neighboring kernel entries, in pixels.
        zero: start the last layer at zero, so that the first picture is empty.
        generator: where the initial weights are drawn from.
    """

    def __init__(
        self,
        channels: int,
        hidden: int = 6,
        kernels: Sequence[int] = (3, 3),
        dilations: Sequence[int] = (2, 2),
        *,
        zero: bool = True,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_kernels(kernels, 2)
        if len(dilations) != 2 or min(dilations) < 1:
            raise ValueError(f"dilations must be 2 whole numbers of at least 1, got {tuple(dilations)}")
        draw = generator or torch.Generator().manual_seed(0)
        (a, b), (s, t) = kernels, dilations
        self.inner = fresh(nn.Conv2d, channels, hidden, a, generator=draw, dilation=s, padding=s * (a // 2))
        self.outer = fresh(nn.Conv2d, hidden, channels, b, generator=draw, zero=zero, dilation=t, padding=t * (b // 2))
        self.receptive_field = 1 + s * (a - 1) + t * (b - 1)  # pixels

    def forward(self, images: Images) -> Images:
        """Map normalized images (B, C, H, W) to pictures of the same shape."""
        return self.outer(F.relu(self.inner(images)))


class SpecificPrompter(nn.Module):
    """Turn an image into tokens: three convolutions with pooling between, then a reshape.

    G_s of Liu, Peng, Zhou (2024, MM; eq. 9): C → p → 3p → 3p channels on an h×w grid. Token t is channels
    3t … 3t+2, flattened, so a token is a small color picture with 3·h·w = dim numbers.
    Differences: adaptive max pooling to √(image·grid) and then to the grid, where the released code crops; the
    paper gives no layer sizes. Learned numbers: C·p·k1² + p + 3p²·k2² + 3p + 9p²·k3² + 3p.

    Args:
        channels: image channels C.
        num_tokens: tokens p.
        grid: rows and columns (h, w) of a token's picture.
        kernels: odd kernel edges (k1, k2, k3).
        slope: of the activation below zero; 0 is ReLU.
        generator: where the initial weights are drawn from.
    """

    def __init__(
        self,
        channels: int,
        num_tokens: int,
        grid: tuple[int, int],
        kernels: Sequence[int] = (3, 3, 3),
        *,
        slope: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_kernels(kernels, 3)
        if num_tokens < 1:
            raise ValueError(f"num_tokens must be at least 1, got {num_tokens}: leave the part out for none")
        draw = generator or torch.Generator().manual_seed(0)
        self.num_tokens, self.grid, self.slope = num_tokens, grid, slope
        widths = (channels, num_tokens, 3 * num_tokens, 3 * num_tokens)
        self.convs = nn.ModuleList(
            fresh(nn.Conv2d, widths[i], widths[i + 1], kernels[i], generator=draw, padding=kernels[i] // 2)
            for i in range(3)
        )

    def forward(self, images: Images) -> Float[Tensor, "batch tokens dim"]:
        """Map normalized images (B, C, H, W) to tokens (B, p, 3·h·w)."""
        height, width = self.grid
        # torch.compile takes no math.isqrt on Python 3.15; below 2^52 both give the same.
        middle = (int(math.sqrt(images.shape[-2] * height)), int(math.sqrt(images.shape[-1] * width)))
        z = F.adaptive_max_pool2d(F.leaky_relu(self.convs[0](images), self.slope), middle)
        z = F.adaptive_max_pool2d(F.leaky_relu(self.convs[1](z), self.slope), self.grid)
        return self.convs[2](z).reshape(len(images), self.num_tokens, 3 * height * width)  # from (B, 3p, h, w)


def token_grid(dim: int, mapped: bool = False) -> tuple[int, int]:
    """Return rows and columns (h, w) of a token's picture: 3·h·w = dim, h the smallest divisor from the root up.

    Where a learned map makes the token (`mapped`), 3·h·w is the smallest number from dim up.

    Raises:
        ValueError: dim is no multiple of 3, and no map is to make it.
    """
    area = -(-dim // TOKEN_CHANS)
    if dim < 1 or (dim % TOKEN_CHANS and not mapped):
        fix = "pass map_tokens=True for a learned map from the picture to dim, or use instance_image"
        raise ValueError(f"a specific token is 3·h·w numbers, dim {dim} is not: {fix}")
    height = next(h for h in range(1, area + 1) if area % h == 0 and h * h >= area)
    return height, area // height


def check_kernels(kernels: Sequence[int], count: int) -> None:
    """Refuse kernels that would change the size of the image."""
    if len(kernels) != count or any(kernel < 1 or kernel % 2 == 0 for kernel in kernels):
        raise ValueError(f"kernels must be {count} odd whole numbers, got {tuple(kernels)}: even ones change its size")

"""VP: one learned frame, or one learned picture, added to every image."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from vpcore.backbone import Spec
from vpcore.prompts.base import Images, Prompt
from vpcore.prompts.parts.border import border_pixels, default_width, paint, require_square, start_values


class PadPrompt(Prompt):
    """Add the same learned frame to every image; the picture under the frame stays visible.

    Bahng et al. (2022, arXiv:2203.17274), padding prompt: x + δ, δ zero inside the frame, the same for all images,
    added after normalization and never clamped. 2·C·p·(H + W − 2p) numbers for a frame of p pixels, C·H·W for "full".

    Differences from the paper: δ starts at zero, where the model is exactly the frozen one; the published code
    starts at N(0, 1), `init="normal"`. Only the frame is stored. The learning rate belongs to the normalized space:
    their SGD rate of 40 is a rate of 40·std² ≈ 2 on pixels in [0, 1].

    Args:
        spec: the sizes of the backbone.
        width: of the frame in pixels, 1 to less than half the image; "full" for the whole image; None for the
            paper's 30 of 224 pixels in proportion (4 at 32 pixels).
        init: "zeros" or "normal".
        scale: standard deviation of the normal start, in normalized units.
        seed: seed of the normal start.

    Raises:
        ValueError: a frame that does not fit the image, unknown init, or a scale that is not positive.
    """

    first_layer = -1
    pixels: Tensor

    def __init__(
        self, spec: Spec, width: int | str | None = None, init: str = "zeros", scale: float = 1.0, seed: int = 0
    ) -> None:
        super().__init__(spec, seed)
        require_square(spec, "pad")
        self.width = default_width(spec.image_size) if width is None else width
        self.register_buffer("pixels", border_pixels(spec.image_size, self.width), persistent=False)
        start = start_values((spec.in_chans, len(self.pixels)), init, scale, self.generator())
        self.frame = nn.Parameter(start)  # (C, pixels of the frame)

    def image(self, images: Images, context: Any) -> Images:
        """Add the frame to normalized images (B, C, H, W)."""
        return images + self.added_map()

    def added_map(self) -> Float[Tensor, "channels height width"]:
        """Return the picture that is added to every image, in normalized units."""
        return paint(self.frame, self.pixels, self.spec.image_size)

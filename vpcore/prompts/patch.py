"""VP's patch prompts: a small learned square at a fixed or a random place."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from vpcore.backbone import Spec
from vpcore.prompts.base import Images, Prompt
from vpcore.prompts.parts.border import default_width, require_square, start_values


class PatchPrompt(Prompt):
    """Add one learned square of pixels to every image.

    Bahng et al. (2022, arXiv:2203.17274), fixed and random patch: x + δ, with δ a p × p square, zero elsewhere.
    C·p² numbers.

    Differences from the paper: a random place is drawn for each image (the published code draws one a batch), from
    the prompt's own generator, and every place 0 … H − p can come (the code's last row and column never do); in
    eval mode the square lies still, in the center, so that results repeat. δ starts at zero by default.

    Args:
        spec: the sizes of the backbone.
        size: edge of the square in pixels, 1 to the image size; None for 30 of 224 in proportion (4 at 32 pixels).
        position: (row, column) of the square's upper left pixel, or "random".
        init: "zeros" or "normal".
        scale: standard deviation of the normal start, in normalized units.
        seed: seed of the normal start and of the random places.

    Raises:
        ValueError: a square that does not fit into the image at that place, unknown init, or a bad scale.
    """

    first_layer = -1

    def __init__(
        self,
        spec: Spec,
        size: int | None = None,
        position: tuple[int, int] | str = (0, 0),
        init: str = "zeros",
        scale: float = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__(spec, seed)
        require_square(spec, "patch")
        self.size = default_width(spec.image_size) if size is None else size
        self.position = position
        edge, size = spec.image_size, self.size
        if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= edge:
            raise ValueError(f"size must be 1 to {edge}, the image size, got {size!r}")
        pair = isinstance(position, (tuple, list)) and len(position) == 2
        inside = pair and all(isinstance(place, int) and 0 <= place <= edge - size for place in position)
        if position != "random" and not inside:
            allowed = f"'random' or (row, column), each 0 to {edge - size}"
            raise ValueError(f"position must be {allowed}, got {position!r}: move it")
        start = start_values((spec.in_chans, self.size, self.size), init, scale, self.generator())
        self.patch = nn.Parameter(start)  # (C, p, p)

    def condition(self, images: Images) -> Int64[Tensor, "batch 2"]:
        """Choose each image's (row, column), drawn on the CPU so that every device sees the same places."""
        room = self.spec.image_size - self.size  # the last place that fits
        if self.position == "random" and self.training:
            places = torch.randint(0, room + 1, (len(images), 2), generator=self.generator())
            return places.to(images.device)
        row, column = (room // 2, room // 2) if self.position == "random" else self.position
        lines = [torch.full((len(images),), int(place), device=images.device) for place in (row, column)]
        return torch.stack(lines, dim=1)  # made where the images are: a copy would have to wait for a GPU

    def image(self, images: Images, context: Int64[Tensor, "batch 2"]) -> Images:
        """Add the square to normalized images (B, C, H, W) at the places in `context`."""
        return images + self.added_map(context)

    def added_map(self, places: Int64[Tensor, "batch 2"]) -> Float[Tensor, "batch channels height width"]:
        """Return the picture that is added to each image, in normalized units."""
        edge, steps = self.spec.image_size, torch.arange(self.size, device=places.device)
        rows, columns = places[:, :1] + steps, places[:, 1:] + steps  # (B, p) each
        index = (rows[:, :, None] * edge + columns[:, None, :]).flatten(1)[:, None]  # (B, 1, p²)
        chans = self.spec.in_chans
        canvas = self.patch.new_zeros(len(places), chans, edge * edge)
        values = self.patch.flatten(1).expand(len(places), -1, -1)
        return canvas.scatter(2, index.expand(-1, chans, -1), values).unflatten(2, (edge, edge))

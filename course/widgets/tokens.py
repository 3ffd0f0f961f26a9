"""Explorer of InsVP's feature level: which tokens stand in the sequence of each block, and what they look like."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor

from course.show.picture import Picture, canvas
from course.widgets.base import Explorer, normalized, slider
from vpcore import InstancePrompt, Spec
from vpcore.prompts.parts.sequence import insert_tokens, strip_tokens

MOST = 9  # tokens a block; the pictures stand in a square of 3 × 3
LIMIT = 0.3  # of a token's entries in the pictures: gray is 0
KINDS = ("#ffffff", "#1a1a1a", "#b34700", "#9cc3e6")  # nothing, class token, prompt, patch


class TokensExplorer(Explorer):
    """Show an image, the sequence that each block gets, the image's specific tokens, and what block 1 is given.

    The prompt is `vpcore.InstancePrompt` with its feature parts alone, as it starts from a seed; nothing is trained.
    A token of 3·h·w numbers is drawn as a color picture of h × w; gray is zero, and all tokens share one scale.

    Args:
        images: uint8 images (N, 3, H, W) to choose from.
        spec: sizes of a ViT whose dim is 3·h·w.
    """

    def __init__(self, images: UInt8[Tensor, "count channels height width"], spec: Spec) -> None:
        self._images, self._normalized, self._spec = images.float() / 255, normalized(images, spec)[0], spec
        self._panels: list[Any] = []
        self._made: tuple[Any, InstancePrompt] | None = None
        controls = {
            "tokens": slider("L_p, tokens a block", 4, 1, MOST),
            "blocks": slider("prompted blocks", spec.depth, 1, spec.depth),
            "beta": slider("β_F (common)", 0.5, 0.0, 1.0, 0.05),
            "image": slider("image", 0, 0, len(images) - 1),
            "seed": slider("seed of the weights", 0, 0, 9),
        }
        super().__init__(controls)

    def prompt(self) -> InstancePrompt:
        """Return the prompt of the current state, untrained; made once a state."""
        tokens, blocks, beta, _, seed = state = tuple(self.state().values())
        if self._made is None or self._made[0] != state:
            parts = ("common", "specific")
            prompt = InstancePrompt(self._spec, tokens, parts, blocks, beta_feature=beta, seed=seed, behind="drop")
            self._made = state, prompt
        return self._made[1]

    @torch.no_grad()
    def tokens(self) -> dict[str, Tensor]:
        """Return the tokens of the chosen image: the specific ones, and what block 1 gets, each (tokens, dim)."""
        prompt, x = self.prompt(), self._normalized[self.controls["image"].value][None]
        context = prompt.condition(x)
        assert context.specific is not None  # "specific" is on
        return {"specific": context.specific[0], "mixed, block 1": prompt.tokens(x, 0, context)[0]}

    def sequences(self) -> list[list[int]]:
        """Return for each block, and for pooling, the kinds of its tokens: 1 class token, 2 prompt, 3 patch."""
        prompt, spec = self.prompt(), self._spec
        prefix, count = spec.num_prefix_tokens, prompt.num_tokens
        z = torch.tensor([1.0] * prefix + [3.0] * spec.num_tokens).view(1, -1, 1)
        extra, rows = torch.full((1, count, 1), 2.0), []
        for layer in range(spec.depth + 1):
            if 0 < layer <= prompt.blocks:
                z = strip_tokens(z, count, prefix)
            z = insert_tokens(z, extra, prefix) if layer < prompt.blocks else z
            rows.append([int(kind) for kind in z[0, :, 0]])
        return rows

    def picture(self) -> Picture:
        """Draw four panels; the figure is kept and only its pixels and labels are exchanged."""
        if not self._panels:
            longest = self._spec.num_prefix_tokens + MOST + self._spec.num_tokens
            self._figure, self._panels = _empty_figure(self._spec.depth + 1, longest, self.prompt().grid)
        image, grid, *pictures = self._panels
        image.set_data(self._images[self.controls["image"].value].movedim(0, -1).numpy())
        rows = self.sequences()
        filled = torch.zeros(grid.get_array().shape)
        for place, row in enumerate(rows):
            filled[place, : len(row)] = torch.tensor(row)
        grid.set_data(filled.numpy())
        names = [*(f"block {number + 1}" for number in range(len(rows) - 1)), "pooling"]
        labels = [f"{name}: {len(row)}" for name, row in zip(names, rows, strict=True)]
        grid.axes.set_yticks(range(len(rows)), labels=labels, fontsize=8)
        for panel, values in zip(pictures, self.tokens().values(), strict=True):
            panel.set_data(tile(self.prompt().token_pictures(values)).numpy())
        words = "Image, sequence of each block with its length, specific tokens, mixed tokens of block 1"
        return Picture(self._figure, f"{words}. {self.sentence()}")

    def sentence(self) -> str:
        """Say the current state in one sentence."""
        state, prompt = self.state(), self.prompt()
        common, specific = (sum(p.numel() for p in part.parameters()) for part in (prompt.common, prompt.specific))
        return (
            f"{state['tokens']} tokens in {state['blocks']} of {self._spec.depth} blocks; beta {state['beta']:.2f}; "
            f"image {state['image']}; seed {state['seed']}; common {common:,}, G_s {specific:,} numbers."
        )


def tile(pictures: Tensor) -> Tensor:
    """Return pictures (N, 3, h, w) in 3 columns as one image (rows, columns, 3) in [0, 1], with white between them."""
    _, chans, height, width = pictures.shape
    sheet = torch.ones(chans, 3 * (height + 1) - 1, 3 * (width + 1) - 1)
    for number, values in enumerate(pictures):
        top, left = (number // 3) * (height + 1), (number % 3) * (width + 1)
        sheet[:, top : top + height, left : left + width] = (0.5 + values / (2 * LIMIT)).clamp(0, 1)
    return sheet.movedim(0, -1)


def _empty_figure(rows: int, longest: int, token: tuple[int, int]) -> tuple[Any, list[Any]]:
    """Return a figure with four panels; positions are fixed, so that no state leaves a trace in the next."""
    from matplotlib.colors import ListedColormap

    figure, axes = canvas(9.6, 2.6, 4, layout="none")
    titles = ("image x", "black: class, orange: prompt, blue: patch", "specific: G_s(x)", "mixed, block 1")
    places = ((0.0, 0.1, 0.17, 0.76), (0.255, 0.1, 0.41, 0.76), (0.69, 0.1, 0.14, 0.76), (0.85, 0.1, 0.14, 0.76))
    blank = tile(torch.zeros(0, 3, *token)).numpy()
    panels = []
    for number, (axis, title, place) in enumerate(zip(axes[0], titles, places, strict=True)):
        axis.set_position(place)
        axis.set_title(title, fontsize=9)
        if number == 1:
            empty = torch.zeros(rows, longest).numpy()
            panels.append(axis.imshow(empty, cmap=ListedColormap(KINDS), vmin=0, vmax=3, aspect="auto"))
            axis.set_xticks([])
            axis.set_xticks([column - 0.5 for column in range(1, longest)], minor=True)
            axis.set_yticks([row - 0.5 for row in range(1, rows)], minor=True)
            axis.grid(which="minor", color="white", linewidth=1.5)
            axis.tick_params(which="both", length=0)
            axis.spines[:].set_visible(False)
        else:
            panels.append(axis.imshow(blank if number else blank[:2, :2]))
            axis.set_axis_off()
    return figure, panels

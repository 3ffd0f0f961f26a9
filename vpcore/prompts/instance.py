"""InsVP: prompts made from the image itself, for its pixels and for a ViT's token sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from vpcore.backbone import Spec
from vpcore.prompts.base import Images, Prompt
from vpcore.prompts.parts.prompters import TOKEN_CHANS, GlobalPrompter, PatchPrompter, SpecificPrompter, fix, token_grid
from vpcore.prompts.parts.sequence import Sequences, TokenBank, drop, insert_tokens, require_vit, strip_tokens

PARTS = ("patch", "global", "common", "specific")
VARIANTS = ("paper", "released_code")


class InstanceContext(NamedTuple):
    """What the original images of one batch say: the picture to add, and their specific tokens."""

    picture: Tensor | None  # (B, C, H, W), normalized units
    specific: Tensor | None  # (B, num_tokens, dim)


@dataclass(frozen=True)
class _Recipe:
    """Where the paper and its released code differ."""

    image_weights: tuple[float, float]  # of the global and the patch prompt
    feature_weights: tuple[float, float]  # of the common and the specific tokens
    global_kernels: tuple[int, int] = (3, 3)
    global_dilations: tuple[int, int] = (2, 2)
    specific_kernels: tuple[int, int, int] = (3, 3, 3)
    bound: float | None = None  # of the common tokens' initial values
    dropout: float = 0.0
    slope: float = 0.0  # of G_s' activation below zero
    zero: bool = True  # start the last layers of G_l and G_g at zero
    reads_prompted: bool = False  # G_s sees the prompted image


class InstancePrompt(Prompt):
    """Prompt every image with pictures and tokens that small networks make from that image.

    InsVP, Liu, Peng, Zhou (2024, MM, OpenReview OTjo1q8rWL, eq. 4–13). The picture β_I·G_g(x) + (1 − β_I)·G_l(x) is
    added to the normalized image x. Before each of the first `blocks` blocks, `num_tokens` tokens β_F·p^c +
    (1 − β_F)·p^s stand between class token and patches: p^c learned for that block, p^s = G_s(x) shared by all blocks
    and computed once a batch from the original image. What a block makes of them is thrown away. Where only one
    image part or one feature part is on, its weight is 1.

    Ours, where the paper is silent: layer sizes (see `parts.prompters`), the start of p^c (VPT's), G_l and G_g
    starting at an empty picture, no dropout. `variant="released_code"` has the published code's choices instead:
    G_l + 2·G_g, p^c + p^s, kernels (11, 25) undilated and (7, 9, 3), or (9, 5, 3) for 9 tokens, G_s reading the
    prompted image, p^c from U(−1, 1), PyTorch's start, dropout 0.1 on pictures and p^c. Not rebuilt from there:
    dropout inside G_s, its recomputation in every block, cropping (pooling here). That code never updated G_s
    (an unreachable branch built the optimizer): add `train_specific=False` to have it so.

    Args:
        spec: the sizes of a ViT whose dim is 3·h·w.
        num_tokens: tokens L_p a block.
        parts: which of `PARTS` are on, for ablations.
        blocks: how many blocks are prompted, from the first; None for all.
        beta_image: β_I, 0 … 1, the weight of the global prompt.
        beta_feature: β_F, 0 … 1, the weight of the common tokens.
        patch_size: edge of G_l's patches in pixels; None takes the backbone's.
        train_specific: False keeps G_s at its random start, which is saved with what is learned.
        variant: "paper" or "released_code", which has weights of its own and leaves both betas aside.
        seed: seed of all initial values and of the dropout.

    Raises:
        ValueError: the backbone is no ViT, its dim fits no token picture, or an option is out of range.
    """

    def __init__(
        self, spec: Spec, num_tokens: int = 9, parts: Sequence[str] = PARTS, blocks: int | None = None,
        beta_image: float = 0.7, beta_feature: float = 0.5, patch_size: int | None = None, train_specific: bool = True,
        variant: str = "paper", seed: int = 0,
    ) -> None:  # fmt: skip
        super().__init__(spec, seed)
        require_vit(spec, "instance", "instance_image, which prompts pixels only")
        self.num_tokens, self.parts = num_tokens, tuple(parts)
        self.blocks = spec.depth if blocks is None else blocks
        self.patch_size = patch_size or spec.patch_size or 1
        self.grid = token_grid(spec.shapes[0][-1])
        _check(spec, self.parts, self.blocks, self.patch_size, (beta_image, beta_feature), variant)
        self.recipe = _recipe(variant, num_tokens, beta_image, beta_feature)
        self.first_layer = 0 if self.parts == ("common",) else -1
        self._build(train_specific)

    def _build(self, train_specific: bool) -> None:
        spec, recipe, draw = self.spec, self.recipe, self.generator()
        if "patch" in self.parts:
            self.patch = PatchPrompter(spec.in_chans, self.patch_size, zero=recipe.zero, generator=draw)
        if "global" in self.parts:
            self.globe = GlobalPrompter(
                spec.in_chans, 6, recipe.global_kernels, recipe.global_dilations, zero=recipe.zero, generator=draw
            )
        if "common" in self.parts:
            self.common = TokenBank(spec, self.blocks, self.num_tokens, recipe.dropout, None, draw, recipe.bound)
        if "specific" in self.parts:
            self.specific = SpecificPrompter(
                spec.in_chans, self.num_tokens, self.grid, recipe.specific_kernels, slope=recipe.slope, generator=draw
            )
            if not train_specific:
                fix(self.specific)

    def condition(self, images: Images) -> InstanceContext:
        """Run the prompters once on the original normalized images (B, C, H, W)."""
        picture = self._picture(images)
        if "specific" not in self.parts:
            return InstanceContext(picture, None)
        if self.recipe.reads_prompted and picture is not None:
            return InstanceContext(picture, self.specific(images + picture))
        return InstanceContext(picture, self.specific(images))

    def _picture(self, images: Images) -> Images | None:
        drawn = [
            drop(part(images), self.recipe.dropout if self.training else 0.0, self.generator(images.device))
            for part in (getattr(self, "globe", None), getattr(self, "patch", None))
            if part is not None
        ]
        return _mix(drawn, self.recipe.image_weights)

    def image(self, images: Images, context: InstanceContext) -> Images:
        """Add the picture."""
        return images if context.picture is None else images + context.picture

    def activation(self, z: Sequences, layer: int, context: InstanceContext) -> Sequences:
        """Strip the previous block's token outputs, and insert this block's tokens."""
        if not {"common", "specific"} & set(self.parts) or layer > self.blocks:
            return z
        prefix = self.spec.num_prefix_tokens
        if layer > 0:
            z = strip_tokens(z, self.num_tokens, prefix)
        return insert_tokens(z, self.tokens(z, layer, context), prefix) if layer < self.blocks else z

    def tokens(self, z: Sequences, layer: int, context: InstanceContext) -> Float[Tensor, "batch tokens dim"]:
        """Return p^F of block `layer` (eq. 10) for the batch that `context` was computed from."""
        made = [self.common(layer, len(z), self.generator(z.device))] if "common" in self.parts else []
        return _mix(made + ([] if context.specific is None else [context.specific]), self.recipe.feature_weights)  # type: ignore[return-value]

    def token_pictures(self, tokens: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch 3 h w"]:
        """View tokens as the small color pictures they are made as."""
        return tokens.unflatten(-1, (TOKEN_CHANS, *self.grid))


def _mix(parts: list[Tensor], weights: tuple[float, float]) -> Tensor | None:
    if len(parts) < 2:
        return parts[0] if parts else None
    return weights[0] * parts[0] + weights[1] * parts[1]


def _recipe(variant: str, num_tokens: int, beta_image: float, beta_feature: float) -> _Recipe:
    if variant == "paper":
        return _Recipe((beta_image, 1 - beta_image), (beta_feature, 1 - beta_feature))
    kernels = (9, 5, 3) if num_tokens == 9 else (7, 9, 3)
    return _Recipe(
        (2.0, 1.0), (1.0, 1.0), (11, 25), (1, 1), kernels, bound=1.0, dropout=0.1, slope=0.01, zero=False,
        reads_prompted=True,
    )  # fmt: skip


def _check(
    spec: Spec, parts: tuple[str, ...], blocks: int, patch_size: int, betas: tuple[float, float], variant: str
) -> None:
    if not parts or not set(parts) <= set(PARTS) or len(set(parts)) != len(parts):
        raise ValueError(f"parts must be some of {', '.join(PARTS)}, each once, got {parts}: NoPrompt has none")
    if not 1 <= blocks <= spec.depth:
        raise ValueError(f"blocks must be in 1 … {spec.depth} for {spec.name}, got {blocks}")
    if patch_size < 1 or spec.image_size % patch_size:
        raise ValueError(f"patch_size must divide the image size {spec.image_size}, got {patch_size}")
    if not all(0 <= beta <= 1 for beta in betas):
        raise ValueError(f"beta_image and beta_feature must be in 0 … 1, got {betas[0]} and {betas[1]}")
    if variant not in VARIANTS:
        raise ValueError(f"variant must be one of {', '.join(VARIANTS)}, got {variant!r}")

"""InsVP: prompts made from the image itself, for its pixels and for a ViT's token sequence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from vpcore.backbone import Spec
from vpcore.prompts.base import Images, Prompt
from vpcore.prompts.parts.own_picture import RELEASED_DROPOUT, build_prompters, draw_pictures, picture_weights, weigh
from vpcore.prompts.parts.prompters import TOKEN_CHANS, SpecificPrompter, fix, fresh, token_grid
from vpcore.prompts.parts.sequence import Sequences, TokenBank, insert_tokens, require_vit, strip_tokens

PARTS = ("patch", "global", "common", "specific")


class InstanceContext(NamedTuple):
    """What the original images of one batch say: the picture to add, and their specific tokens."""

    picture: Tensor | None  # (B, C, H, W), normalized units
    specific: Tensor | None  # (B, num_tokens, dim)


class InstancePrompt(Prompt):
    """Prompt every image with pictures and tokens that small networks make from that image.

    InsVP, Liu, Peng, Zhou (2024, MM, OpenReview OTjo1q8rWL, eq. 4–13). The picture β_I·G_g(x) + (1 − β_I)·G_l(x) is
    added to the normalized image x. Before each of the first `blocks` blocks, `num_tokens` tokens β_F·p^c +
    (1 − β_F)·p^s stand between class token and patches: p^c learned for that block, p^s = G_s(x) shared by all blocks
    and computed once a batch from the original image. What a prompted block makes of them makes room for the next
    block's; behind the last one it stays to the end, as in the published code and in VPT (Jia et al. 2022,
    arXiv:2203.12119). Where only one image part or one feature part is on, its weight is 1.

    Ours, where the paper is silent: layer sizes (see `parts.prompters`), the start of p^c (VPT's), G_l and G_g
    starting at an empty picture, no dropout. `variant="released_code"` has the published code's choices instead:
    G_l + 2·G_g, p^c + p^s, kernels (11, 25) undilated and (7, 9, 3), or (9, 5, 3) for 9 tokens, G_s reading the
    prompted image, p^c from U(−1, 1), PyTorch's start, dropout 0.1 on pictures and p^c. Not rebuilt from there:
    dropout inside G_s, its recomputation in every block, cropping (pooling here). That code never updated G_s
    (an unreachable branch built the optimizer): add `train_specific=False` to have it so.

    Args:
        spec: the sizes of a ViT whose dim is 3·h·w (or see `map_tokens`).
        num_tokens: tokens L_p a block.
        parts: which of `PARTS` are on, for ablations.
        blocks: how many blocks are prompted, from the first; None for all.
        behind: what the blocks behind the last prompted one see of its tokens: "keep" them, or "drop" (ours).
        beta_image: β_I, 0 … 1, the weight of the global prompt.
        beta_feature: β_F, 0 … 1, the weight of the common tokens.
        patch_size: edge of G_l's patches in pixels; None takes the backbone's.
        train_specific: False keeps G_s at its random start, which is saved with what is learned.
        map_tokens: for a dim that 3 does not divide: one learned linear map makes every token of a picture of 3·h·w
            numbers, the next larger ones. Ours, not in the paper; a dim that 3 divides needs none and gets none.
        variant: "paper" or "released_code", which has weights of its own and leaves both betas aside.
        seed: seed of all initial values and of the dropout.

    Raises:
        ValueError: the backbone is no ViT, its dim fits no token picture, or an option is out of range.
    """

    def __init__(
        self,
        spec: Spec,
        num_tokens: int = 9,
        parts: Sequence[str] = PARTS,
        blocks: int | None = None,
        behind: str = "keep",
        beta_image: float = 0.7,
        beta_feature: float = 0.5,
        patch_size: int | None = None,
        train_specific: bool = True,
        map_tokens: bool = False,
        variant: str = "paper",
        seed: int = 0,
    ) -> None:
        super().__init__(spec, seed)
        require_vit(spec, "instance", "instance_image, which prompts pixels only")
        self.num_tokens, self.parts = num_tokens, tuple(parts)
        self.blocks = spec.depth if blocks is None else blocks
        self.ends = spec.depth if behind == "keep" else self.blocks  # where the last tokens are taken out
        dim = spec.shapes[0][-1]
        self.grid = token_grid(dim, mapped=map_tokens)
        if not parts or not set(parts) <= set(PARTS) or len(set(parts)) != len(parts):
            known = f"{', '.join(PARTS)}, each once"
            raise ValueError(f"parts must be some of {known}, got {self.parts}: NoPrompt has none")
        if not 1 <= self.blocks <= spec.depth:
            raise ValueError(f"blocks must be in 1 … {spec.depth} for {spec.name}, got {blocks}")
        if behind not in ("keep", "drop"):
            raise ValueError(f"behind must be 'keep' or 'drop', got {behind!r}")
        if not (0 <= beta_image <= 1 and 0 <= beta_feature <= 1):
            raise ValueError(f"beta_image and beta_feature must be in 0 … 1, got {beta_image} and {beta_feature}")
        self.first_layer = 0 if self.parts == ("common",) else -1
        released = variant == "released_code"
        self.dropout = RELEASED_DROPOUT if released else 0.0
        self.reads_prompted = released  # G_s sees the prompted image
        self.image_weights = picture_weights(variant, beta_image)
        self.feature_weights = {"common": 1.0 if released else beta_feature}
        self.feature_weights["specific"] = 1.0 if released else 1 - beta_feature
        draw = self.generator()
        made = build_prompters(
            spec, parts, patch_size or spec.patch_size or 1, variant, zero=not released, generator=draw
        )
        if "patch" in made:
            self.patch = made["patch"]
        if "global" in made:
            self.globe = made["global"]  # its name in saved files
        if "common" in parts:
            bound = 1.0 if released else None
            self.common = TokenBank(spec, self.blocks, num_tokens, draw, dropout=self.dropout, bound=bound)
        if "specific" in parts:
            kernels = (3, 3, 3) if not released else (9, 5, 3) if num_tokens == 9 else (7, 9, 3)
            slope = 0.01 if released else 0.0
            self.specific = SpecificPrompter(spec.in_chans, num_tokens, self.grid, kernels, slope=slope, generator=draw)
            if dim % TOKEN_CHANS:
                size = TOKEN_CHANS * self.grid[0] * self.grid[1]
                self.specific = nn.Sequential(self.specific, fresh(nn.Linear, size, dim, generator=draw))
            if not train_specific:
                fix(self.specific)

    def condition(self, images: Images) -> InstanceContext:
        """Run the prompters once on the original normalized images (B, C, H, W)."""
        prompters = {"global": getattr(self, "globe", None), "patch": getattr(self, "patch", None)}
        dropout = self.dropout if self.training else 0.0
        drawn = draw_pictures(prompters, images, dropout, self.generator(images.device))
        picture = weigh(drawn, self.image_weights)
        if "specific" not in self.parts:
            return InstanceContext(picture, None)
        reads = images if picture is None or not self.reads_prompted else images + picture
        return InstanceContext(picture, self.specific(reads))

    def image(self, images: Images, context: InstanceContext) -> Images:
        """Add the picture."""
        return images if context.picture is None else images + context.picture

    def activation(self, z: Sequences, layer: int, context: InstanceContext) -> Sequences:
        """Strip the previous block's token outputs, and insert this block's tokens."""
        prompted = layer < self.blocks
        if not {"common", "specific"} & set(self.parts) or not (prompted or layer == self.ends):
            return z
        prefix = self.spec.num_prefix_tokens
        if layer > 0:
            z = strip_tokens(z, self.num_tokens, prefix)
        return insert_tokens(z, self.tokens(z, layer, context), prefix) if prompted else z

    def tokens(self, z: Sequences, layer: int, context: InstanceContext) -> Float[Tensor, "batch tokens dim"]:
        """Return p^F of block `layer` (eq. 10) for the batch that `context` was computed from."""
        made = {"common": self.common(layer, len(z), self.generator(z.device))} if "common" in self.parts else {}
        if context.specific is not None:
            made["specific"] = context.specific
        return weigh(made, self.feature_weights)

    def token_pictures(self, tokens: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch 3 h w"]:
        """View tokens as the small color pictures they are made as."""
        return tokens.unflatten(-1, (TOKEN_CHANS, *self.grid))

"""VPT: learned tokens in a ViT's sequence, once before the first block or anew before every block."""

from __future__ import annotations

from typing import Any

from vpcore.backbone import Spec
from vpcore.prompts.base import Prompt
from vpcore.prompts.parts.sequence import Sequences, TokenBank, insert_tokens, require_vit, strip_tokens

INSTEAD = "activation, or a pixel prompt such as pad"


class ShallowTokens(Prompt):
    """Insert learned tokens before the first block and let the blocks carry them along.

    Jia et al. (2022, arXiv:2203.12119, section 3.2), VPT-shallow. The tokens stand between the class token and the
    patch tokens, have no position embedding, and are taken out before pooling. Learned numbers: num_tokens·dim;
    with a projection num_tokens·q + q·dim + dim. Differences: none known to us; dropout draws from the prompt's
    own generator, and pooling over patches (where a backbone does so) never sees the tokens.

    Args:
        spec: the sizes of a ViT.
        num_tokens: tokens p, at least 1.
        dropout: probability, 0 … 1, a fresh mask for every image; the paper uses 0 here.
        project: width q of stored tokens, mapped to dim by a learned linear layer; None for no projection.
        seed: seed of the initial tokens and of the dropout.

    Raises:
        ValueError: the backbone is no ViT, or an option is out of range.
    """

    first_layer = 0

    def __init__(
        self, spec: Spec, num_tokens: int = 10, dropout: float = 0.0, project: int | None = None, seed: int = 0
    ) -> None:
        super().__init__(spec, seed)
        require_vit(spec, "vpt_shallow", INSTEAD)
        self.num_tokens = num_tokens
        self.tokens = TokenBank(spec, 1, num_tokens, self.generator(), dropout=dropout, project=project)

    def activation(self, z: Sequences, layer: int, context: Any) -> Sequences:
        """Insert the tokens at layer 0 and strip them at the last."""
        prefix = self.spec.num_prefix_tokens
        if layer == 0:
            return insert_tokens(z, self.tokens(0, len(z), self.generator(z.device)), prefix)
        return strip_tokens(z, self.num_tokens, prefix) if layer == self.spec.depth else z


class DeepTokens(Prompt):
    """Give every block learned tokens of its own; what a block made of the previous ones is thrown away.

    Jia et al. (2022, arXiv:2203.12119, section 3.2), VPT-deep: inserted before block 0, replaced before every later
    block, taken out before pooling; otherwise as `ShallowTokens`. Learned numbers: depth·num_tokens·dim; with a
    projection (one linear layer for all blocks) depth·num_tokens·q + q·dim + dim.

    Args:
        spec: the sizes of a ViT.
        num_tokens: tokens p a block, at least 1.
        dropout: probability, 0 … 1, a fresh mask for every image and block; the paper uses 0.1, our default is 0.
        project: width q of stored tokens, mapped to dim by a learned linear layer; None for no projection.
        seed: seed of the initial tokens and of the dropout.

    Raises:
        ValueError: the backbone is no ViT, or an option is out of range.
    """

    first_layer = 0

    def __init__(
        self, spec: Spec, num_tokens: int = 10, dropout: float = 0.0, project: int | None = None, seed: int = 0
    ) -> None:
        super().__init__(spec, seed)
        require_vit(spec, "vpt_deep", INSTEAD)
        self.num_tokens = num_tokens
        self.tokens = TokenBank(spec, spec.depth, num_tokens, self.generator(), dropout=dropout, project=project)

    def activation(self, z: Sequences, layer: int, context: Any) -> Sequences:
        """Strip the previous block's token outputs, and insert this block's tokens."""
        prefix = self.spec.num_prefix_tokens
        if layer > 0:
            z = strip_tokens(z, self.num_tokens, prefix)
        if layer == self.spec.depth:
            return z
        return insert_tokens(z, self.tokens(layer, len(z), self.generator(z.device)), prefix)

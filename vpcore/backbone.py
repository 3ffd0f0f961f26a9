"""A backbone is three parts in a row: embed, blocks, pool. A prompt may act before any block."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

Edit = Callable[[Tensor, int], Tensor]
Part = str | nn.Module  # of a network: its name there, or itself
Size = int | tuple[int, int]  # of images in pixels: the edge of squares, or height and width


@dataclass(frozen=True)
class Spec:
    """The sizes a prompt must fit.

    `shapes[l]` is the shape of the activations before block `l`, without the batch axis; `shapes[depth]` is
    what `pool` receives. It is (tokens, dim) for a ViT, (channels, height, width) for a CNN, (height, width,
    channels) for a Swin. `mean` and `std` (per channel, for images in [0, 1]) belong to the weights. `image_size` is
    the edge of square images, the height of others; these have an `image_width`, too.
    """

    name: str
    kind: str  # "vit", "cnn" or "swin"
    image_size: int
    in_chans: int
    dim: int  # features after pooling
    shapes: tuple[tuple[int, ...], ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    patch_size: int | None = None
    num_heads: int | None = None
    num_prefix_tokens: int = 0
    interpolation: str = "bilinear"  # how images were resized when the weights were trained
    free_tokens: bool = True  # a ViT's blocks take more tokens than the image has
    class_token: bool = True  # the first prefix token is one; else all of them are registers
    image_width: int | None = None  # of images that are not square

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return len(self.shapes) - 1

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images in pixels."""
        return self.image_size, self.image_width or self.image_size

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of a ViT's patch tokens."""
        found = patch_grid(self.num_tokens, self.size)
        if found is None:
            raise ValueError(f"the {self.num_tokens} patch tokens of {self.name} form no grid: take another network")
        return found

    @property
    def num_tokens(self) -> int:
        """Number of patch tokens of a ViT, without the prefix (class) tokens."""
        if self.kind != "vit":
            raise ValueError(f"num_tokens needs a ViT, got {self.name!r} of kind {self.kind!r}")
        return self.shapes[0][0] - self.num_prefix_tokens


class Backbone(nn.Module):
    """Run images through embed, blocks and pool; frozen until told otherwise.

    Frozen means three things: no parameter requires a gradient, the modules stay in eval mode under `.train()`
    (dropout off, batch-norm statistics fixed), and an optimizer built from `requires_grad` never sees them.
    Gradients still flow through to a prompt.

    Args:
        embed: maps normalized images (B, C, H, W) to the first activations.
        blocks: the layers a prompt may act in front of; block l maps shapes[l] to shapes[l + 1].
        pool: maps the last activations to features (B, dim).
        spec: the sizes of all of these.
        classifier: the head the weights were trained with, (B, dim) to (B, source classes), or None.
    """

    def __init__(
        self,
        embed: nn.Module,
        blocks: Iterable[nn.Module],
        pool: nn.Module,
        spec: Spec,
        classifier: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.embed = embed
        self.blocks = nn.ModuleList(blocks)
        self.pool = pool
        self.classifier = classifier
        self.spec = spec
        if len(self.blocks) != spec.depth:
            raise ValueError(f"spec.shapes describes {spec.depth} blocks, got {len(self.blocks)}: give one shape more")
        self.freeze()

    @classmethod
    def wrap(
        cls, module: nn.Module, *, embed: Part | Sequence[Part], blocks: str | Sequence[Part],
        pool: Part | Sequence[Part], image_size: Size, mean: Sequence[float] = (0.5, 0.5, 0.5),
        std: Sequence[float] = (0.5, 0.5, 0.5), classifier: Part | None = None, name: str = "", **sizes: Any,
    ) -> Backbone:  # fmt: skip
        """Make a frozen backbone of the parts of any network, by their names in it; they are shared, not copied.

        A ConvNeXt of timm and a ResNet of torchvision, stage by stage:

            net = timm.create_model("convnext_tiny")
            pool = ["norm_pre", "head.global_pool", "head.norm", "head.flatten"]
            Backbone.wrap(net, embed="stem", blocks="stages", pool=pool, classifier="head.fc", image_size=224)

            net = torchvision.models.resnet18()
            embed, blocks = ["conv1", "bn1", "relu", "maxpool"], ["layer1", "layer2", "layer3", "layer4"]
            pool = ["avgpool", nn.Flatten()]
            Backbone.wrap(net, embed=embed, blocks=blocks, pool=pool, classifier="fc", image_size=224)

        Sizes and kind are measured on one black image. Compare the result with the network's own features once.

        Args:
            module: the network that names are looked up in.
            embed: a name, a module, or several that run one after another, from images to the first activations.
            blocks: several of these, each a block; or the name of a row, whose children are the blocks.
            pool: from the last activations to features (B, dim), given like `embed`.
            image_size: edge of square images, or height and width.
            mean: of images in [0, 1], one number a channel: what the weights were trained with.
            std: divides images afterwards.
            classifier: from features to the source classes.
            name: of the spec; the class of the network, if empty.
            sizes: more fields of `Spec` (kind, patch_size, num_heads, num_prefix_tokens, class_token, free_tokens).

        Raises:
            ValueError: no such part, no block, parts that do not fit one another, or features that are no vectors.
        """
        height, width = check_size(image_size)
        row = find(module, blocks).children() if isinstance(blocks, str) else (find(module, part) for part in blocks)
        first, layers, last = chain(module, embed), list(row), chain(module, pool)
        if not layers:
            fix = "name a part that has parts, or several parts, each a block"
            raise ValueError(f"blocks={blocks!r} of this {type(module).__name__} holds no row of blocks: {fix}")
        try:
            shapes = measure_shapes(first, [*layers, last], len(mean), image_size)
        except (RuntimeError, TypeError, AttributeError) as error:
            reason = str(error).partition("\n")[0]
            raise ValueError(f"the parts do not run one after another ({reason}): check their order") from error
        *shapes, features = shapes
        if len(features) != 1:
            raise ValueError(f"pool must give one vector an image, got shape {features}: end it with nn.Flatten()")
        map_first = len(shapes[0]) == 3 and in_proportion(*shapes[0][-2:], (height, width))
        kind = "vit" if len(shapes[0]) == 2 else "cnn" if map_first else "swin"
        spec = Spec(
            name or type(module).__name__, sizes.pop("kind", kind), height, len(mean), features[0], tuple(shapes),
            tuple(mean), tuple(std), image_width=None if height == width else width, **sizes,
        )  # fmt: skip
        return cls(first, layers, last, spec, None if classifier is None else find(module, classifier))

    def forward(self, x: Tensor, edit: Edit | None = None, start: int | None = None) -> Float[Tensor, "batch dim"]:
        """Return features.

        Args:
            x: normalized images (B, C, H, W); or, with `start`, activations before block `start`.
            edit: `edit(z, layer)` is called before each block and, with layer == depth, before pooling.
            start: skip embed and the blocks before this one.
        """
        z = self.embed(x) if start is None else x
        for layer in range(start or 0, self.spec.depth):
            z = self.blocks[layer](edit(z, layer) if edit is not None else z)
        return self.pool(edit(z, self.spec.depth) if edit is not None else z)

    def activations(self, images: Float[Tensor, "batch channels height width"], layer: int) -> Tensor:
        """Return the activations before block `layer` (0 … depth) of normalized images."""
        if not 0 <= layer <= self.spec.depth:
            raise ValueError(f"layer must be in 0 … {self.spec.depth} for {self.spec.name}, got {layer}")
        z = self.embed(images)
        for block in self.blocks[:layer]:
            z = block(z)
        return z

    def upto(self, layer: int) -> Backbone:
        """Return a backbone that stops before block `layer` and pools there.

        It shares the modules of a frozen backbone. Of one that learns it is a copy, as things stand, so that neither
        changes or freezes the other.

        With `NoPrompt` and a linear head it is the linear probe on layer-l features, the control for a prompt at layer
        l. Pooling, our choice: at `layer == depth` the backbone's own; below it, a ViT keeps its own (final norm, then
        class token or mean of the patches; a learned norm scale changes no function a linear head can form); a CNN's
        map is averaged; a Swin's, and the tokens of a ViT whose tokens change size, are normalized over channels
        without learned scale, and averaged. Before block 0 the
        class token has not seen the image, so a ViT that pools by it gives the same features for every image there.

        Args:
            layer: 0 … depth.

        Raises:
            ValueError: no such layer.
        """
        spec = self.spec
        if not 0 <= layer <= spec.depth:
            raise ValueError(f"layer must be in 0 … {spec.depth} for {spec.name}, got {layer}")
        if layer == spec.depth or (spec.kind == "vit" and spec.shapes[layer] == spec.shapes[-1]):
            pool, dim = self.pool, spec.dim
        else:
            pool, dim = MapPool(spec.kind != "cnn"), spec.shapes[layer][0 if spec.kind == "cnn" else -1]
        cut = replace(spec, name=f"{spec.name}[:{layer}]", dim=dim, shapes=spec.shapes[: layer + 1])
        parts = (self.embed, list(self.blocks)[:layer], pool)
        if self.frozen:
            return Backbone(*parts, cut)
        return Backbone(*copy.deepcopy(parts), cut).unfreeze().train(self.training)

    def freeze(self) -> Backbone:
        """Freeze all parameters and buffers, in place; returns self."""
        self.frozen = True
        return self.requires_grad_(False).train(self.training)

    def unfreeze(self) -> Backbone:
        """Let every parameter but the source classifier's learn, in place; returns self."""
        self.frozen = False
        self.requires_grad_(True)
        if self.classifier is not None:
            self.classifier.requires_grad_(False)
        return self.train(self.training)

    def train(self, mode: bool = True) -> Backbone:
        """Set training mode; a frozen backbone stays in eval mode."""
        super().train(mode and not self.frozen)
        return self


def check_edge(image_size: object) -> None:
    """Refuse an image size that is no whole number with a TypeError."""
    if isinstance(image_size, bool) or not hasattr(image_size, "__index__"):
        raise TypeError(f"image_size is one number, the edge of square images in pixels, got {image_size!r}: pass one")


def check_size(image_size: Any) -> tuple[int, int]:
    """Return height and width of an image size, which is one number or two; refuse anything else with a TypeError."""
    pair = tuple(image_size) if isinstance(image_size, (tuple, list)) else (image_size, image_size)
    if len(pair) != 2 or any(isinstance(edge, bool) or not hasattr(edge, "__index__") for edge in pair):
        raise TypeError(f"image_size is the edge of square images, or (height, width), in pixels, got {image_size!r}")
    return pair


def in_proportion(rows: int, columns: int, size: tuple[int, int]) -> bool:
    """Tell whether a grid may be that of an image's places: as square as it, or off by no more than one place."""
    height, width = size
    return rows == columns if height == width else abs(rows * width - columns * height) < height + width


def patch_grid(tokens: int, size: tuple[int, int]) -> tuple[int, int] | None:
    """Return rows and columns of tokens in the proportions of an image, None if there are none."""
    pairs = [(rows, tokens // rows) for rows in range(1, tokens + 1) if tokens % rows == 0]
    fitting = [pair for pair in pairs if in_proportion(*pair, size)]
    return min(fitting, key=lambda pair: abs(pair[0] * size[1] - pair[1] * size[0]), default=None)


def find(module: nn.Module, part: Part) -> nn.Module:
    """Return the part of a network with this name, or a module given as such."""
    if isinstance(part, nn.Module):
        return part
    try:
        return module.get_submodule(part)
    except AttributeError as error:
        names = ", ".join(name for name, _ in module.named_children())
        raise ValueError(f"{type(module).__name__} has no part {part!r}: its parts are {names}") from error


def chain(module: nn.Module, parts: Part | Sequence[Part]) -> nn.Module:
    """Return one part of a network, or several as one module."""
    if isinstance(parts, (str, nn.Module)):
        return find(module, parts)
    return nn.Sequential(*(find(module, part) for part in parts))


def measure_shapes(
    embed: nn.Module, blocks: Iterable[nn.Module], in_chans: int, image_size: Size
) -> tuple[tuple[int, ...], ...]:
    """Return `Spec.shapes` by running one black image, as the weights are, through embed and blocks in eval mode."""
    parts = nn.ModuleList([embed, *blocks])
    weight = next((p for p in parts.parameters() if p.is_floating_point()), torch.empty(0))
    modes = {module: module.training for module in parts.modules()}
    shapes = []
    try:
        with torch.no_grad():
            z = weight.new_zeros(1, in_chans, *check_size(image_size))
            for part in parts.eval():
                z = part(z)
                shapes.append(tuple(z.shape[1:]))
    finally:
        for module, mode in modes.items():  # from the outside in
            module.train(mode)
    return tuple(shapes)


class MapPool(nn.Module):
    """Average a map over its positions; a map or tokens with channels last are normalized first.

    Args:
        channels_last: activations are (B, H, W, C) or (B, N, C) and not (B, C, H, W).
    """

    def __init__(self, channels_last: bool) -> None:
        super().__init__()
        self.channels_last = channels_last

    def forward(self, z: Tensor) -> Float[Tensor, "batch channels"]:
        """Map activations to one number a channel."""
        if self.channels_last:
            return F.layer_norm(z, z.shape[-1:]).flatten(1, -2).mean(1)
        return z.mean((2, 3))

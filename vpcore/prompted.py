"""A model is a prompt, a backbone and a head."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vpcore.backbone import Backbone, Edit
from vpcore.device import may_look
from vpcore.prompts.base import Images, NoPrompt, Prompt
from vpcore.saved import load_learned, save_learned
from vpcore.tuning.base import Tuning


class Prompted(nn.Module):
    """Put a prompt in front of, and inside, a backbone, and a head behind it.

    `forward` takes images in [0, 1], normalizes them with the backbone's own mean and std, and lets the prompt act
    in that normalized space. The backbone is frozen unless `train_backbone`; it is the object passed in, not a copy.

    Args:
        backbone: where the prompt acts.
        prompt: built for `backbone.spec`.
        head: maps features (B, dim) to logits (B, classes).
        train_backbone: train the backbone together with prompt and head, as the MSVP paper does.
        tuning: a baseline that changes backbone weights, built for `backbone`; on its own with `NoPrompt`.

    Raises:
        TypeError: a part is of another kind, as a network that is no `Backbone`.
        ValueError: the prompt, the tuning or the head was built for a backbone of other sizes, or the backbone is to be
            trained and tuned at once.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        backbone: Backbone,
        prompt: Prompt,
        head: nn.Module,
        *,
        train_backbone: bool = False,
        tuning: Tuning | None = None,
    ) -> None:
        super().__init__()
        _check_kind("backbone", backbone, Backbone, "load it with load_backbone, or give its parts to Backbone.wrap")
        _check_kind("prompt", prompt, Prompt, "make it a subclass of vpcore.Prompt, or pass NoPrompt(backbone.spec)")
        _check_kind("head", head, nn.Module, "pass LinearHead(backbone.spec.dim, num_classes)")
        if tuning is not None:
            _check_kind("tuning", tuning, Tuning, "make it of this backbone, as NormTuning(backbone)")
        for what, part in (("prompt", prompt), ("tuning", tuning)):
            if part is not None and part.spec != backbone.spec:
                raise ValueError(
                    f"this {what} was built for {part.spec.name} {part.spec.shapes[0]}, the backbone is "
                    f"{backbone.spec.name} {backbone.spec.shapes[0]}: build the {what} for this backbone"
                )
        takes = getattr(head, "dim", getattr(head, "in_features", backbone.spec.dim))
        if takes != backbone.spec.dim:
            raise ValueError(
                f"this head takes {takes} features, {backbone.spec.name} gives {backbone.spec.dim}: "
                "build the head with backbone.spec.dim"
            )
        if train_backbone and tuning is not None:
            raise ValueError("train_backbone trains every weight, so there is nothing to tune: choose one of the two")
        self.backbone = backbone.unfreeze().train(self.training) if train_backbone else backbone.freeze()
        self._trains_backbone = train_backbone  # which another model on it may freeze later
        self.prompt = prompt
        self.tuning = tuning
        self.head = head
        self.register_buffer("mean", torch.tensor(backbone.spec.mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(backbone.spec.std).view(1, -1, 1, 1), persistent=False)

    def forward(self, images: Images | Tensor, start: int | None = None) -> Float[Tensor, "batch classes"]:
        """Map images (B, C, H, W) in [0, 1] to logits; `start` as in `features`."""
        return self.head(self.features(images, start))

    def features(
        self, images: Images | Tensor, start: int | None = None, watch: Edit | None = None
    ) -> Float[Tensor, "batch dim"]:
        """Map images (B, C, H, W) in [0, 1] to the features the head sees.

        Args:
            images: a batch; or, with `start`, activations before that block (see `vpcore.cache`).
            start: skip embed and the blocks before this one; depth + 1 skips pooling too.
            watch: `watch(z, layer)` is called after the prompt before each block, and with layer == depth before
                pooling, and returns what goes on.
        """
        if start is not None and start > self.backbone.spec.depth:
            return images
        x = self.normalize(images) if start is None else images
        context = self.prompt.condition(x if start is None else x[:0])  # inside the backbone, no prompt reads images
        x = self.prompt.image(x, context) if start is None else x

        def edit(z: Tensor, layer: int) -> Tensor:
            z = self.prompt.activation(z, layer, context)
            return z if watch is None else watch(z, layer)

        run = self.backbone if self.tuning is None else partial(self.tuning, self.backbone)
        return run(x, edit, start)

    def normalize(self, images: Images) -> Images:
        """Check images in [0, 1] and bring them into the space the weights and the prompt live in."""
        spec = self.backbone.spec
        if not images.is_floating_point():
            raise TypeError(f"images must be floats in [0, 1], got {images.dtype}: use images.float() / 255")
        expected = (spec.in_chans, *spec.size)
        if images.dim() != 4 or tuple(images.shape[1:]) != expected:
            sizes = ", ".join(map(str, expected))
            raise ValueError(
                f"{spec.name} needs images of shape (batch, {sizes}), got {tuple(images.shape)}: "
                "load the data with this image_size and in_chans, or build the backbone for the data"
            )
        if may_look(images) and not images.flatten(1).mean(1).isfinite().all():
            raise ValueError("images hold values that are not finite: look for a division by zero where they are made")
        return (images - self.mean) / self.std

    def learned(self) -> dict[str, Tensor]:
        """Return what training makes, by name: parameters and buffers of prompt, tuning and head, and of a backbone
        that this model was built to train or that is not frozen; whether or not they require a gradient now.

        Buffers are computed from data, like cluster centers, a label mapping, or batch-norm statistics. A source
        classifier that is frozen is the backbone's, also where a label mapping uses it.
        """
        trained, source = self._trains_backbone or not self.backbone.frozen, self.backbone.classifier
        borrowed = [] if source is None or source is self.head else source.parameters()
        frozen = {id(parameter) for parameter in borrowed if not parameter.requires_grad}
        return {
            name: tensor
            for name, tensor in self.state_dict(keep_vars=True).items()
            if isinstance(tensor, Tensor)
            and id(tensor) not in frozen
            and not name.startswith("backbone.classifier." if trained else "backbone.")
        }

    def load_learned(self, tensors: Mapping[str, Tensor]) -> None:
        """Copy saved tensors into those that `learned` returns.

        Raises:
            ValueError: a tensor is missing, unknown or of another shape; nothing is changed then.
        """
        mine = self.learned()
        wrong = sorted(set(mine) ^ set(tensors)) or [n for n in mine if mine[n].shape != tensors[n].shape]
        if wrong:
            names = ", ".join(wrong[:3])
            raise ValueError(f"these tensors do not fit this model: {names}: build it as it was when saved")
        with torch.no_grad():
            for name, tensor in tensors.items():
                mine[name].copy_(tensor)

    def save(self, path: str | Path) -> None:
        """Write what is learned to a safetensors file; see `vpcore.saved.save_learned`."""
        save_learned(self, path)

    def load(self, path: str | Path) -> None:
        """Read what `save` wrote; see `vpcore.saved.load_learned`."""
        load_learned(self, path)

    def extra_repr(self) -> str:
        """Say in one line what learns."""
        return f"train_backbone={not self.backbone.frozen}"


def _check_kind(what: str, part: object, kind: type, fix: str) -> None:
    if not isinstance(part, kind):
        raise TypeError(f"the {what} must be a {kind.__name__}, got a {type(part).__name__}: {fix}")


def classify(backbone: Backbone) -> nn.Module:
    """Return a frozen model from images in [0, 1] to the source classes of a pretrained backbone.

    Raises:
        ValueError: the backbone kept no classifier.
    """
    if backbone.classifier is None:
        raise ValueError(f"{backbone.spec.name} kept no classifier: load it with pretrained=True")
    return Prompted(backbone, NoPrompt(backbone.spec), backbone.classifier).requires_grad_(False).eval()

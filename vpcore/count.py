"""Who learns and who does not: counting parameters, and a report that fails loudly."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from vpcore.device import evaluating
from vpcore.prompts.activation import ActivationPrompt


@dataclass(frozen=True)
class Count:
    """How many numbers a model holds, by part, and how many of them learn.

    The prompt's count leaves out stored numbers that can never act (under a mask, or at tokens that pooling does not
    read). The source classifier of a pretrained backbone is not part of the model and not counted.
    """

    prompt: int
    head: int
    backbone: int
    learned_backbone: int
    tuning: int = 0  # learned by a baseline of vpcore.tuning, beside the frozen backbone

    @property
    def learned(self) -> int:
        """Numbers that learn, head included."""
        return self.prompt + self.tuning + self.head + self.learned_backbone

    @property
    def total(self) -> int:
        """All numbers, frozen ones included."""
        return self.prompt + self.tuning + self.head + self.backbone

    def __str__(self) -> str:
        state = "learned" if self.learned_backbone else "frozen"
        tuning = f" + tuning {self.tuning:,}" if self.tuning else ""
        return f"prompt {self.prompt:,}{tuning} + head {self.head:,} learned; backbone {self.backbone:,} {state}"


def count(model: nn.Module) -> Count:
    """Count the parameters of a `Prompted` model: prompt, head and backbone apart.

    On torch's meta device nothing has values, and numbers at tokens that pooling does not read are counted, too.
    """
    backbone = [p for name, p in model.backbone.named_parameters() if not name.startswith("classifier.")]  # type: ignore[union-attr]
    return Count(
        prompt=model.prompt.num_learned() - _unread(model),  # type: ignore[operator]
        head=_learned(model.head.parameters()),  # type: ignore[union-attr]
        backbone=sum(p.numel() for p in backbone),
        learned_backbone=_learned(backbone),
        tuning=_learned(model.tuning.parameters()) if getattr(model, "tuning", None) is not None else 0,  # type: ignore
    )


def _unread(model: nn.Module) -> int:
    """Count what an activation prompt adds before pooling where that reads nothing, as from most tokens of a ViT."""
    prompt, backbone = model.prompt, model.backbone
    depth: int = backbone.spec.depth  # type: ignore[union-attr, assignment]
    if not isinstance(prompt, ActivationPrompt) or depth not in prompt.layers:
        return 0
    draw, delta = torch.Generator().manual_seed(0), prompt.deltas[str(depth)]
    if delta.is_meta or not delta.requires_grad:
        return 0
    z = torch.randn(1, *prompt.spec.shapes[depth], generator=draw).to(delta)
    with evaluating(backbone), torch.enable_grad():  # type: ignore[arg-type]
        features = backbone.pool(z + prompt.delta(depth))  # type: ignore[operator, union-attr]
        weights = torch.randn(features.shape, generator=draw).to(features)
        (gradient,) = torch.autograd.grad((features * weights).sum(), delta)
    return int((gradient == 0).sum())


def _learned(parameters: Iterable[nn.Parameter]) -> int:
    return sum(p.numel() for p in parameters if p.requires_grad)


def trainable_report(
    model: nn.Module, images: Float[Tensor, "batch channels height width"], labels: Int[Tensor, " batch"]
) -> dict[str, float]:
    """Run one training step's backward pass and return each learned tensor's gradient norm, by name.

    A tensor that starts at zero may keep another's gradient at zero in the very first step; run the report after one
    step of training, as `fit` leaves the model.

    Args:
        model: a `Prompted` model; its gradients are cleared afterwards, its weights stay as they are.
        images: a batch in [0, 1].
        labels: class indices.

    Raises:
        ValueError: a tensor meant to learn gets no gradient, or a frozen one gets one.
    """
    model.zero_grad(set_to_none=True)
    F.cross_entropy(model(images), labels).backward()
    learned = {name: p for name, p in model.named_parameters() if p.requires_grad}
    norms = {name: float(p.grad.norm()) if p.grad is not None else 0.0 for name, p in learned.items()}
    leaks = [n for n, p in model.named_parameters() if not p.requires_grad and p.grad is not None]
    model.zero_grad(set_to_none=True)
    silent = [name for name, norm in norms.items() if norm == 0 or not torch.isfinite(torch.tensor(norm))]
    if silent or leaks:
        names = ", ".join((silent or leaks)[:3])
        what = f"no usable gradient reaches {names}" if silent else f"frozen {names} gets one"
        raise ValueError(f"{what}: check that forward uses every learned tensor and that the backbone object is frozen")
    return norms

"""Looking into a trained model: where it looked (Grad-CAM) and what it mixed up (confusion matrix)."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from vpcore.backbone import Spec
from vpcore.device import evaluating
from vpcore.prompted import Prompted


def grad_cam(
    model: Prompted,
    images: Float[Tensor, "batch channels height width"],
    layer: int | None = None,
    classes: Int[Tensor, " batch"] | None = None,
) -> Float[Tensor, "batch height width"]:
    """Show which places of an image speak for a class.

    Selvaraju et al. (2017, arXiv:1610.02391), equations 1 and 2: each channel of an activation map is weighted by the
    mean gradient of the class logit over all places; what is left above zero of the weighted sum is the map.
    Difference: the map is not rescaled to [0, 1], because that would show noise and evidence alike; its unit is
    logits, and a map of zeros stays a map of zeros. Runs in eval mode; the model's mode is put back, no parameter
    gets a gradient. On a ViT (not in that paper) the patch tokens are laid out as a grid; class and prompt tokens are
    left out.

    Args:
        model: a prompt, a backbone and a head.
        images: a batch in [0, 1].
        layer: the activations before this block, 0 … depth; by default what pooling receives (depth), and for a ViT
            the input of its last block, because its pooling may read the class token alone.
        classes: the class to explain, one per image; by default the predicted one.

    Returns:
        One map per image at image size, in logits, 0 or more.

    Raises:
        ValueError: a layer that is not there.
    """
    spec = model.backbone.spec
    layer = (spec.depth - 1 if spec.kind == "vit" else spec.depth) if layer is None else layer
    if layer not in range(spec.depth + 1):
        raise ValueError(f"layer must be in 0 … {spec.depth} for {spec.name}, got {layer}: the last is pooling's input")
    with evaluating(model), torch.enable_grad():
        logits, z = _logits_and_activation(model, images, layer)
        chosen = logits.argmax(1) if classes is None else classes.to(logits.device)
        (gradient,) = torch.autograd.grad(logits.gather(1, chosen[:, None]).sum(), z)
    maps, slopes = _as_maps(z.detach(), spec), _as_maps(gradient, spec)
    cam = (slopes.mean((2, 3), keepdim=True) * maps).sum(1, keepdim=True).relu()  # (B, 1, h, w)
    return F.interpolate(cam, size=images.shape[-2:], mode="bilinear", align_corners=False)[:, 0]


def _logits_and_activation(model: Prompted, images: Tensor, layer: int) -> tuple[Tensor, Tensor]:
    """Run the model and return logits and the activation before `layer`, cut off from what lies below it."""
    kept: list[Tensor] = []

    def watch(z: Tensor, at: int) -> Tensor:
        if at == layer:
            z = z.detach().requires_grad_()
            kept.append(z)
        return z

    return model.head(model.features(images, watch=watch)), kept[0]


def _as_maps(z: Tensor, spec: Spec) -> Float[Tensor, "batch channels h w"]:
    if spec.kind == "vit":
        patches = z[:, -spec.num_tokens :].transpose(1, 2)  # (B, D, N), without class and prompt tokens
        return patches.unflatten(-1, spec.grid)
    return z.movedim(-1, 1) if spec.kind == "swin" else z


def confusion_matrix(
    predictions: Int[Tensor, " count"], labels: Int[Tensor, " count"], num_classes: int, *, normalize: bool = True
) -> Float[Tensor, "classes classes"]:
    """Count which class was taken for which: row = true class, column = predicted class.

    Args:
        predictions: predicted class indices.
        labels: true class indices.
        num_classes: number of rows and columns.
        normalize: divide each row by its sum, so that the diagonal holds each class's accuracy; a class without
            images keeps a row of zeros.

    Raises:
        ValueError: different lengths, or an index outside 0 … num_classes - 1.
    """
    if predictions.shape != labels.shape:
        got = f"{tuple(predictions.shape)} and {tuple(labels.shape)}"
        raise ValueError(f"predictions and labels must have the same length, got {got}: give one prediction per label")
    both = torch.cat([predictions, labels])
    if len(both) and (int(both.min()) < 0 or int(both.max()) >= num_classes):
        got = f"{int(both.min())} to {int(both.max())}"
        raise ValueError(f"classes must be in 0 … {num_classes - 1}, got {got}: raise num_classes")
    counts = torch.bincount(labels.long() * num_classes + predictions.long(), minlength=num_classes**2).double()
    counts = counts.view(num_classes, num_classes)
    return counts / counts.sum(1, keepdim=True).clamp(min=1) if normalize else counts

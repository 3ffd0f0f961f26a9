"""Grad-CAM maps of study 07: a model taken apart for a cascade of shuffled weights, and how alike two maps are."""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

import vpcore
from course.exercises.lesson_07.answers import rank_correlation
from vpcore.backbone import Backbone
from vpcore.inside.grad_cam import grad_cam

CAM_LAYER = 5  # of resnet_nano: the deepest map of 4 × 4 places; the pooled one has 2 × 2


def parts_of(model: vpcore.Prompted) -> nn.ModuleList:
    """Return what a cascade goes through, from the pixels to the logits."""
    return nn.ModuleList([model.backbone.embed, *model.backbone.blocks, model.head])


def rebuilt(model: vpcore.Prompted, parts: nn.ModuleList) -> vpcore.Prompted:
    """Return a model with other parts and the same prompt."""
    embed, *blocks, head = parts
    return vpcore.Prompted(Backbone(embed, blocks, model.backbone.pool, model.backbone.spec), model.prompt, head)


def alike(first: Tensor, second: Tensor) -> float:
    """Return the mean rank correlation of two stacks of maps (N, H, W), without images whose first map is flat."""
    pairs = [(a.numpy(), b.numpy()) for a, b in zip(first, second, strict=True) if bool(a.max() > a.min())]
    return float(np.mean([rank_correlation(a, b) for a, b in pairs]))


def cams(model: vpcore.Prompted, images: Tensor, classes: Tensor) -> Tensor:
    """Return Grad-CAM maps at the layer of this study."""
    return grad_cam(model, images, layer=CAM_LAYER, classes=classes).detach()

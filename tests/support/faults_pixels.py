"""Faults of the core and of the pixel prompts; most of them were found in published code."""

from __future__ import annotations

from functools import partial
from typing import Any

import test_cluster
import test_instance_image
import test_multiscale
import test_pad
import test_patch
import torch
from contract import CHECKS, Case
from faults import Fault, instead, option
from nets import small_cnn, small_vit
from torch import nn
from torch.nn import functional as F

from vpcore.backbone import Backbone
from vpcore.prompted import Prompted
from vpcore.prompts import (
    ClusterPrompt,
    InstanceImagePrompt,
    MultiScalePrompt,
    PadPrompt,
    PatchPrompt,
    Prompt,
    multiscale,
    pad,
)
from vpcore.prompts.parts import border, own_picture
from vpcore.prompts.parts.prompters import PatchPrompter


def case(factory: Any, make: Any = small_cnn) -> Case:
    return Case(factory, make)


PAD, MAPS, CLUSTER, OWN = (case(method) for method in (PadPrompt, MultiScalePrompt, ClusterPrompt, InstanceImagePrompt))
RANDOM = case(partial(PatchPrompt, position="random"))
GATED = case(partial(MultiScalePrompt, fusion="gated"))


def places(self: PatchPrompt, images: torch.Tensor, last: int, per_image: bool = True) -> torch.Tensor:
    drawn = torch.randint(0, last + 1, (len(images) if per_image else 1, 2), generator=self.generator())
    return drawn.expand(len(images), 2)


def gate_on_image(self: MultiScalePrompt, images: torch.Tensor, context: Any) -> torch.Tensor:
    average = multiscale.average_maps(list(self.maps), images.shape[-2:])
    return images + average * torch.sigmoid(F.conv2d(images, self.gate_weight, self.gate_bias))


def rolled(self: PatchPrompter, images: torch.Tensor) -> torch.Tensor:
    edge = self.patch_size
    patches = F.unfold(images, edge, stride=edge).transpose(1, 2).roll(1, dims=1)
    return F.fold(self.outer(F.relu(self.inner(patches))).transpose(1, 2), images.shape[-2:], edge, stride=edge)


def prompted_first(self: Prompted, images: torch.Tensor, *rest: Any) -> torch.Tensor:
    x = self.normalize(images)
    x = self.prompt.image(x, self.prompt.condition(x))
    context = self.prompt.condition(x)
    return self.backbone(x, edit=lambda z, layer: self.prompt.activation(z, layer, context))


def unfrozen(self: Backbone) -> Backbone:
    self.frozen = True
    return self.train(self.training)


def swapped(self: InstanceImagePrompt, images: torch.Tensor) -> torch.Tensor:
    drawn = self.pictures(images)
    return self.beta * drawn["patch"] + (1 - self.beta) * drawn["global"]


def learned_parameters(self: Prompted) -> dict[str, torch.Tensor]:
    return {name: parameter for name, parameter in self.named_parameters() if parameter.requires_grad}


def farthest(self: ClusterPrompt, images: torch.Tensor) -> torch.Tensor:
    return torch.cdist(self._features(images), self.centers).argmax(1)


def in_place(self: Any, images: torch.Tensor, context: Any) -> torch.Tensor:
    with torch.no_grad():
        return images.add_(self.added_map())


FAULTS = [
    Fault("last row and column never drawn", RANDOM,
          instead(PatchPrompt, "condition", lambda self, x: places(self, x, self.spec.image_size - self.size - 1)),
          test_patch.test_every_place_is_reached_equally_often),
    Fault("one random place a batch", RANDOM,
          instead(PatchPrompt, "condition", lambda self, x: places(self, x, self.spec.image_size - self.size, False)),
          test_patch.test_random_places_differ_within_a_batch_and_land_as_slices_do),
    Fault("random place at evaluation", RANDOM,
          instead(PatchPrompt, "condition", lambda self, x: places(self, x, self.spec.image_size - self.size)),
          partial(CHECKS["evaluation_is_deterministic"], RANDOM)),
    Fault("maps summed, not averaged", MAPS,
          instead(multiscale, "average_maps", lambda maps, size: sum(multiscale.upsample(m, size) for m in maps)),
          partial(test_multiscale.test_fusions_follow_the_formulas, "add", (1, 4, 8))),
    Fault("corners aligned", MAPS,
          instead(multiscale, "upsample", lambda m, size: F.interpolate(m, size, mode="bilinear", align_corners=True)),
          partial(test_multiscale.test_fusions_follow_the_formulas, "add", (1, 4, 8))),
    Fault("gate sees the image", GATED,
          instead(MultiScalePrompt, "image", gate_on_image),
          partial(test_multiscale.test_the_added_picture_never_sees_the_image, "gated")),
    Fault("image changed in place", PAD,
          instead(PadPrompt, "image", in_place),
          partial(CHECKS["changes_no_input_in_place"], PAD)),
    Fault("frame cut off from its gradient", PAD,
          instead(PadPrompt, "added_map", lambda self: pad.paint(self.frame.detach(), self.pixels, 16)),
          partial(CHECKS["learned_tensors_get_gradients_in_every_slice"], PAD)),
    Fault("pixels under the mask counted", PAD,
          instead(PadPrompt, "num_learned", lambda self: self.spec.in_chans * self.spec.image_size**2),
          partial(CHECKS["counts_what_is_stored_and_acts"], PAD)),
    Fault("frame one pixel too far right", PAD,
          instead(pad, "paint", lambda v, pixels, edge: border.paint(v, (pixels + 1) % edge**2, edge)),
          partial(test_pad.test_added_picture_is_the_frame, 32, 4)),
    Fault("patches permuted", OWN,
          instead(PatchPrompter, "forward", rolled),
          partial(test_instance_image.test_equations_4_to_7, 0.7)),
    Fault("beta on the wrong picture", OWN,
          instead(InstanceImagePrompt, "added_map", swapped),
          partial(test_instance_image.test_equations_4_to_7, 0.7)),
    Fault("convolutions not dilated", OWN,
          option(own_picture, "GlobalPrompter", 3, (1, 1)),
          partial(test_instance_image.test_equations_4_to_7, 0.7)),
    Fault("farthest cluster", CLUSTER,
          instead(ClusterPrompt, "condition", farthest),
          partial(test_cluster.test_each_image_gets_its_nearest_centers_picture, small_vit)),
    Fault("centers not saved", CLUSTER,
          instead(Prompted, "learned", learned_parameters),
          partial(CHECKS["save_and_load_give_the_same_logits"], CLUSTER)),
    Fault("condition sees the prompted image", PAD,
          instead(Prompted, "features", prompted_first),
          partial(CHECKS["condition_runs_once_on_the_original_images"], PAD)),
    Fault("start drawn from the global stream", MAPS,
          instead(Prompt, "generator", lambda self, device="cpu": torch.default_generator),
          partial(CHECKS["leaves_global_randomness_alone"], MAPS)),
    Fault("seed ignored", MAPS,
          instead(Prompt, "generator", lambda self, device="cpu": torch.Generator().manual_seed(0)),
          partial(CHECKS["seed_decides_the_start"], MAPS)),
    Fault("batch-norm statistics move", PAD,
          instead(Backbone, "train", nn.Module.train),
          partial(CHECKS["fit_leaves_frozen_tensors_alone"], PAD)),
    Fault("frozen weights get gradients", PAD,
          instead(Backbone, "freeze", unfrozen),
          partial(CHECKS["frozen_survives_train_copy_and_pickle"], PAD)),
    Fault("frozen weights trained", PAD,
          instead(Backbone, "freeze", unfrozen),
          partial(CHECKS["fit_leaves_frozen_tensors_alone"], case(PadPrompt, small_vit))),
    Fault("constants of other weights", PAD,
          instead(Prompted, "normalize", lambda self, images: (images - 0.5) / 0.5),
          partial(CHECKS["condition_runs_once_on_the_original_images"], PAD)),
]  # fmt: skip

"""Faults of the cache, the counters and the analysis: what makes numbers wrong that look right."""

from __future__ import annotations

from functools import partial
from typing import Any

import test_attention
import test_cache
import test_cost
import test_prompt_maps
import test_similarity
import torch
from contract import Case
from faults import Fault, instead
from nets import small_cnn, small_vit
from torch import Tensor

import vpcore
from vpcore import cache, flops
from vpcore.backbone import Backbone
from vpcore.cache import CachedSplit
from vpcore.inside import attention, prompt_maps, similarity
from vpcore.prompts import ActivationPrompt, InstancePrompt, PadPrompt

AP, PAD, OWN = Case(ActivationPrompt, small_cnn), Case(PadPrompt, small_cnn), Case(InstancePrompt, small_vit)
AP_VIT = Case(ActivationPrompt, small_vit)
right_condition, right_batch, right_weights = InstancePrompt.condition, CachedSplit.batch, attention._weights
right_features = vpcore.Prompted.features


def never_frozen(self: Backbone) -> Backbone:
    self.frozen = True
    return self.train(self.training)


def twice(self: InstancePrompt, images: Tensor) -> Any:
    right_condition(self, images)
    return right_condition(self, images)


def rows_in_order(self: CachedSplit, where: Any, device: Any, augment: Any = None, generator: Any = None) -> Tensor:
    where = where.sort().values if isinstance(where, Tensor) else where
    return right_batch(self, where, device, augment, generator)


def ignores_augment(self: CachedSplit, where: Any, device: Any, augment: Any = None, generator: Any = None) -> Tensor:
    return right_batch(self, where, device)


def without_prompt(self: vpcore.Prompted, images: Tensor, start: int | None = None, watch: Any = None) -> Tensor:
    if start is None or start > self.backbone.spec.depth:
        return right_features(self, images, start, watch)
    return self.backbone(images, watch, start)


def never_centered(x: Tensor) -> Tensor:
    products = x.double().flatten(1) @ x.double().flatten(1).mT
    return products / products.norm()


def without_own_norm(block: Any, z: Tensor) -> Tensor:
    width = z.shape[-1] // block.attn.num_heads
    return right_weights(block, z) ** (width**0.5) / (right_weights(block, z) ** (width**0.5)).sum(-1, keepdim=True)


def prefix_behind(prompt: ActivationPrompt, layer: int | None = None) -> prompt_maps.DeltaMap:
    with torch.no_grad():
        norms = prompt.delta(prompt.first_layer if layer is None else layer)[0].norm(dim=-1)
    return prompt_maps.DeltaMap(norms[:16].view(4, 4), norms[16:])


same = partial(test_cache.test_cached_and_uncached_training_give_the_same_weights, "cnn", "activation 1")
refused = test_cache.test_what_cannot_be_cached_is_refused

FAULTS = [
    Fault("cache: at the last layer always", AP, instead(cache, "first_layer", lambda model: 5), same),
    Fault("cache: rows not in the batch's order", AP, instead(CachedSplit, "batch", rows_in_order), same),
    Fault("cache: the prompt left out above it", AP, instead(vpcore.Prompted, "features", without_prompt), same),
    Fault("cache: augmentation ignored", AP, instead(CachedSplit, "batch", ignores_augment), refused),
    Fault(
        "cache: another backbone's activations", AP, instead(cache, "_check_origin", lambda split, model: None),
        test_cache.test_a_cache_serves_the_model_it_fits_and_no_other,
    ),
    Fault(
        "flops: attention not counted", AP_VIT, instead(flops, "_attention_formulas", dict),
        partial(test_cost.test_attention_is_counted_as_its_matrix_products, "cpu"),
    ),
    Fault(
        "cost: weights that are not learned get gradients", PAD, instead(Backbone, "freeze", never_frozen),
        partial(test_cost.test_a_frozen_step_costs_at_most_70_percent_of_one_with_unused_weight_gradients, "resnet18"),
    ),
    Fault(
        "instance: G_s runs twice a batch", OWN, instead(InstancePrompt, "condition", twice),
        test_cost.test_the_specific_prompter_runs_once_a_batch,
    ),
    Fault(
        "attention: scores not scaled", AP_VIT, instead(attention, "_weights", without_own_norm),
        partial(test_attention.test_weights_are_those_the_blocks_use, "none", False),
    ),
    Fault(
        "similarity: features not centered", AP_VIT, instead(similarity, "_products", never_centered),
        partial(test_similarity.test_linear_cka_equals_both_of_its_formulas, 3),
    ),
    Fault(
        "prompt maps: the class token taken for a patch", AP_VIT, instead(test_prompt_maps, "delta_map", prefix_behind),
        test_prompt_maps.test_a_map_of_a_vit_shows_the_class_token_apart,
    ),
]  # fmt: skip

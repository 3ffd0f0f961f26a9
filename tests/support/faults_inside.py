"""Faults of the prompts that act inside the network: VPT, InsVP and AP."""

from __future__ import annotations

from functools import partial
from typing import Any

import test_activation
import test_identities
import test_instance
import test_tokens
import torch
from contract import CHECKS, Case
from faults import Fault, instead
from nets import small_cnn, small_vit
from torch import Tensor, nn
from torch.nn import functional as F

from vpcore.backbone import Backbone
from vpcore.prompts import ActivationPrompt, DeepTokens, InstancePrompt, ShallowTokens, instance, tokens
from vpcore.prompts.parts import sequence
from vpcore.prompts.parts.prompters import SpecificPrompter
from vpcore.prompts.parts.sequence import TokenBank, insert_tokens, strip_tokens

SHALLOW, DEEP = Case(ShallowTokens, small_vit), Case(DeepTokens, small_vit)
OWN, AP = Case(InstancePrompt, small_vit), Case(ActivationPrompt, small_vit)
DROPPED = Case(partial(DeepTokens, dropout=0.2), small_vit)
HALF_PROMPTED = Case(partial(InstancePrompt, blocks=2), small_vit)
PATCH_ONLY = Case(partial(InstancePrompt, parts=("patch", "common")), small_vit)
FIXED = Case(partial(InstancePrompt, train_specific=False), small_vit)
CLASS_ONLY = Case(partial(ActivationPrompt, shape="cls_only"), small_vit)
AP_CNN = Case(ActivationPrompt, small_cnn)
right_condition, right_specific = InstancePrompt.condition, SpecificPrompter.forward
right_weigh = instance.weigh
right_delta = ActivationPrompt.delta


def first_tokens_everywhere(self: DeepTokens, z: Tensor, layer: int, context: Any) -> Tensor:
    z = strip_tokens(z, self.num_tokens, 1) if layer > 0 else z
    return z if layer == self.spec.depth else insert_tokens(z, self.tokens(0, len(z), self.generator()), 1)


def never_stripped(self: ShallowTokens, z: Tensor, layer: int, context: Any) -> Tensor:
    return z if layer else insert_tokens(z, self.tokens(0, len(z), self.generator()), 1)


def one_mask(x: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    return x * (torch.rand(x.shape[1:], generator=generator) >= probability) / (1 - probability)


def unscaled(x: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    return x * (torch.rand(x.shape, generator=generator) >= probability)


def bound_by_count(spec: Any, layers: int, num_tokens: int, generator: torch.Generator, **options: Any) -> TokenBank:
    bound = (6 / (3 * spec.patch_size**2 + num_tokens)) ** 0.5
    return TokenBank(spec, layers, num_tokens, generator, **{**options, "bound": bound})


def reads_prompted(self: InstancePrompt, images: Tensor) -> instance.InstanceContext:
    context = right_condition(self, images)
    return context._replace(specific=self.specific(self.image(images, context)))


def once_a_block(self: InstancePrompt, images: Tensor) -> instance.InstanceContext:
    return [right_condition(self, images) for _ in range(self.spec.depth)][-1]


def unlearned(self: InstancePrompt, images: Tensor) -> instance.InstanceContext:
    context = right_condition(self, images)
    return context._replace(specific=None if context.specific is None else context.specific.detach())


def fixed_for_this_run(module: nn.Module) -> None:
    for part in module.modules():
        for name, parameter in list(part.named_parameters(recurse=False)):
            delattr(part, name)
            part.register_buffer(name, parameter.detach(), persistent=False)


def interleaved(self: SpecificPrompter, images: Tensor) -> Tensor:
    made = right_specific(self, images)
    return made.unflatten(2, (3, -1)).transpose(1, 2).reshape(made.shape)


def summed(parts: dict[str, Tensor], weights: dict[str, float]) -> Any:
    return sum(parts.values()) if parts else None


def weighted_anyway(parts: dict[str, Tensor], weights: dict[str, float]) -> Any:
    return sum(weights[name] * part for name, part in parts.items()) if parts else None


def swapped(parts: dict[str, Tensor], weights: dict[str, float]) -> Any:
    return right_weigh(parts, dict(zip(weights, reversed(weights.values()), strict=True)))


def outputs_stay(self: InstancePrompt, z: Tensor, layer: int, context: Any) -> Tensor:
    if layer >= self.blocks:
        return z
    z = strip_tokens(z, self.num_tokens, 1) if layer else z
    return insert_tokens(z, self.tokens(z, layer, context), 1)


def in_place(self: ActivationPrompt, z: Tensor, layer: int, context: Any) -> Tensor:
    return z.add_(self.delta(layer)) if layer in self.layers else z


def one_layer_late(self: ActivationPrompt, z: Tensor, layer: int, context: Any) -> Tensor:
    return z + self.delta(layer - 1) if layer - 1 in self.layers else z


def cut_off(self: ActivationPrompt, z: Tensor, layer: int, context: Any) -> Tensor:
    return z.detach() + self.delta(layer) if layer in self.layers else z


def last_token(self: ActivationPrompt, layer: int) -> Tensor:
    if self.shape != "cls_only":
        return right_delta(self, layer)
    return F.pad(self.deltas[str(layer)], (0, 0, self.spec.shapes[layer][0] - 1, 0))


def touches_pixels(self: ActivationPrompt, images: Tensor, context: Any) -> Tensor:
    return images + 0 * next(self.parameters()).sum()


FAULTS = [
    Fault("tokens in front of the class token", SHALLOW,
          instead(tokens, "insert_tokens", lambda z, made, prefix: insert_tokens(z, made, 0)),
          partial(test_tokens.test_equals_timm_with_edited_block_inputs, ShallowTokens, "token")),
    Fault("deep tokens carried along", DEEP,
          instead(DeepTokens, "activation", ShallowTokens.activation),
          partial(test_tokens.test_gradient_through_prompt_outputs, DeepTokens, False)),
    Fault("the first block's tokens for all blocks", DEEP,
          instead(DeepTokens, "activation", first_tokens_everywhere),
          partial(CHECKS["learned_tensors_get_gradients_in_every_slice"], DEEP)),
    Fault("tokens reach the pooling", SHALLOW,
          instead(ShallowTokens, "activation", never_stripped),
          partial(test_tokens.test_equals_timm_with_edited_block_inputs, ShallowTokens, "avg")),
    Fault("one dropout mask a batch", DROPPED,
          instead(sequence, "drop", one_mask),
          test_tokens.test_dropout_has_a_mask_for_every_image_from_the_prompts_own_stream),
    Fault("dropout without rescaling", DROPPED,
          instead(sequence, "drop", unscaled),
          test_tokens.test_dropout_has_a_mask_for_every_image_from_the_prompts_own_stream),
    Fault("dropout from the global stream", DROPPED,
          instead(sequence, "drop", lambda x, probability, generator: F.dropout(x, probability)),
          test_tokens.test_dropout_has_a_mask_for_every_image_from_the_prompts_own_stream),
    Fault("start bounded by the number of tokens", DEEP,
          instead(tokens, "TokenBank", bound_by_count),
          partial(test_tokens.test_start_is_uniform_within_the_bound, 192, 0.0790569)),
    Fault("G_s reads the prompted image", OWN,
          instead(InstancePrompt, "condition", reads_prompted),
          test_instance.test_specific_prompter_runs_once_a_batch_on_the_original_images),
    Fault("G_s runs once a block", OWN,
          instead(InstancePrompt, "condition", once_a_block),
          test_instance.test_specific_prompter_runs_once_a_batch_on_the_original_images),
    Fault("G_s never learns", OWN,
          instead(InstancePrompt, "condition", unlearned),
          test_instance.test_specific_prompter_learns),
    Fault("frozen G_s left out of the file", FIXED,
          instead(instance, "fix", fixed_for_this_run),
          partial(CHECKS["save_and_load_give_the_same_logits"], FIXED)),
    Fault("channels of different tokens mixed", OWN,
          instead(SpecificPrompter, "forward", interleaved),
          test_instance.test_equals_the_equations),
    Fault("common and specific tokens summed", OWN,
          instead(instance, "weigh", summed),
          test_instance.test_equals_the_equations),
    Fault("betas swapped", OWN,
          instead(instance, "weigh", swapped),
          test_instance.test_equals_the_equations),
    Fault("a part alone is still weighted", PATCH_ONLY,
          instead(instance, "weigh", weighted_anyway),
          partial(test_instance.test_a_part_alone_has_weight_one, "paper")),
    Fault("token outputs stay behind the last prompted block", HALF_PROMPTED,
          instead(InstancePrompt, "activation", outputs_stay),
          partial(test_instance.test_only_the_first_blocks_are_prompted, 2, "drop")),
    Fault("activations changed in place", AP,
          instead(ActivationPrompt, "activation", in_place),
          partial(CHECKS["changes_no_input_in_place"], AP)),
    Fault("prompt one layer late", AP,
          instead(ActivationPrompt, "activation", one_layer_late),
          partial(test_activation.test_adds_the_same_tensor_to_every_image_at_one_layer, "vit", "full")),
    Fault("upper prompt cuts the lower one off", AP,
          instead(ActivationPrompt, "activation", cut_off),
          test_activation.test_several_layers_all_learn),
    Fault("last patch prompted in place of the class token", CLASS_ONLY,
          instead(ActivationPrompt, "delta", last_token),
          partial(test_activation.test_adds_the_same_tensor_to_every_image_at_one_layer, "vit", "cls_only")),
    Fault("blocks below the prompt back-propagated through", AP_CNN,
          instead(ActivationPrompt, "image", touches_pixels),
          partial(test_activation.test_no_block_below_the_prompt_is_back_propagated_through, "cnn")),
    Fault("frozen batch norm follows the batch", AP_CNN,
          instead(Backbone, "train", nn.Module.train),
          test_identities.test_c_before_a_batch_norm_in_training_mode_it_does_nothing),
]  # fmt: skip

"""Faults of the tuning baselines, label mapping and timm backbones; several were found in published code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import test_heads
import test_label_mapping
import test_timm_backbones
import test_tuning
import torch
from contract import Case
from faults import Fault, instead
from nets import small_vit

import vpcore
from vpcore.backbone import Backbone
from vpcore.heads import label_mapping
from vpcore.models import timm_nets
from vpcore.tuning import SSF, BitFit, FullTuning, LoRA, NormTuning, PartialK, Tuning, deltas, lora
from vpcore.tuning.base import slot


@dataclass(frozen=True)
class Tuned(Case):
    """A prompted model with a tuning beside the prompt, or with a label mapping for a head."""

    tune: Callable[[Backbone], Tuning] | None = None

    def model(self, seed: int = 0, randomize: bool = True, **options: Any) -> vpcore.Prompted:
        backbone = self.make_backbone()
        prompt = vpcore.MultiScalePrompt(backbone.spec, (1, 4), seed=seed)
        if self.tune is None:
            return vpcore.Prompted(backbone, prompt, vpcore.LabelMapping(backbone, 3))
        tuning, head = self.tune(backbone), vpcore.LinearHead(backbone.spec.dim, 3)
        test_tuning.randomize(tuning)
        return vpcore.Prompted(backbone, prompt, head, tuning=tuning)


def tuned(tune: Callable[[Backbone], Tuning] | None, make: Callable[..., Backbone] = small_vit) -> Tuned:
    return Tuned(vpcore.MultiScalePrompt, make, tune)


@cache
def families() -> dict[str, Backbone]:
    made = {family: make() for family, make in test_tuning.BACKBONES.items()}
    for backbone in made.values():
        test_tuning.randomize(backbone)
    return made


def guard(test: Callable[..., None], *arguments: Any) -> Callable[[], None]:
    return lambda: test(families(), *arguments)


def floored(self: LoRA, backbone: Backbone, right: Any = LoRA.weights) -> dict[str, torch.Tensor]:
    alpha, self.alpha = self.alpha, self.alpha // self.rank * self.rank
    changed = right(self, backbone)
    self.alpha = alpha
    return changed


def bias_not_scaled(self: SSF, backbone: Backbone, right: Any = SSF.weights) -> dict[str, torch.Tensor]:
    changed = right(self, backbone)
    for name in self.layers:
        bias = backbone.get_submodule(name).bias
        if isinstance(bias, torch.Tensor):
            changed[f"{name}.bias"] = bias + self.shift[slot(name)]
    return changed


def substring(self: BitFit, backbone: Backbone, layer: int | None = None) -> None:
    names = [name for name, _ in backbone.named_parameters() if "bias" in name and "classifier" not in name]
    Tuning.__init__(self, backbone, names)
    self.deltas = torch.nn.ParameterDict({slot(n): torch.zeros_like(backbone.get_parameter(n)) for n in self.names})


def detached(self: Tuning, backbone: Backbone, right: Any = LoRA.weights) -> dict[str, torch.Tensor]:
    return {name: weight.detach() for name, weight in right(self, backbone).items()}


def merge_in_place(self: Tuning, backbone: Backbone) -> Backbone:
    with torch.no_grad():
        for name, weight in self.weights(backbone).items():
            backbone.get_parameter(name).copy_(weight)
    return backbone


def restoring(test: Callable[..., None], *arguments: Any) -> Callable[[], None]:
    """Run a guard on backbones of its own, which the fault may spoil."""

    def run() -> None:
        families.cache_clear()
        test(families(), *arguments)

    return run


def most_often(counts: torch.Tensor) -> torch.Tensor:
    return counts.argmax(0)


def by_present_class(
    predictions: torch.Tensor, labels: torch.Tensor, num_source: int, num_classes: int
) -> torch.Tensor:
    counts = torch.zeros(num_source, num_classes, dtype=torch.long)
    for column, label in enumerate(labels.unique()):
        counts[:, column] = torch.bincount(predictions[labels == label], minlength=num_source)
    return counts


def swapped_rows(*given: Any, right: Any = lora._rows) -> dict[str, lora.Rows]:
    found = right(*given)
    return {**found, "q": found["v"], "v": found["q"]} if len(found) == 3 else found


def without_pooling(net: Any, *arguments: Any, right: Any = timm_nets.split_chain) -> Backbone:
    net.maxpool = torch.nn.MaxPool2d(1, 2)
    return right(net, *arguments)


def trusting(*arguments: Any, right: Any = torch.load, **options: Any) -> Any:
    return right(*arguments, **{**options, "weights_only": False})


def resnet18() -> Backbone:
    return vpcore.load_backbone("resnet18", pretrained=False, image_size=33)


def without_last_norm(modules: dict[str, Any], leaves: tuple[str, ...], right: Any = deltas._names) -> list[str]:
    return [name for name in right(modules, leaves) if not name.startswith("pool.")]


def first_blocks(self: PartialK, backbone: Backbone, k: int = 1) -> None:
    start = (*(f"blocks.{layer}." for layer in range(k)), "pool.")
    Tuning.__init__(self, backbone, [name for name, _ in backbone.named_parameters() if name.startswith(start)])
    self.deltas = deltas.zero_deltas(backbone, self.names)


def with_classifier(self: FullTuning, backbone: Backbone) -> None:
    Tuning.__init__(self, backbone, [name for name, _ in backbone.named_parameters()])
    self.deltas = deltas.zero_deltas(backbone, self.names)


def linear_all_through(self: vpcore.MLPHead, features: torch.Tensor) -> torch.Tensor:
    for layer in self.hidden:
        features = layer(features)
    return self.last(features)


LORA, SSFS, MAPPING = tuned(LoRA), tuned(SSF), tuned(None)
NAMES = test_tuning.test_tuned_names_are_the_ones_meant

FAULTS = [
    Fault("alpha divided without remainder", LORA, instead(LoRA, "weights", floored),
          guard(test_tuning.test_lora_equals_peft, 4, 1)),
    Fault("query and value rows swapped", LORA, instead(lora, "_rows", swapped_rows),
          guard(test_tuning.test_lora_equals_peft, 4, 4)),
    Fault("tuned weights cut off from their gradient", LORA, instead(LoRA, "weights", detached),
          guard(test_tuning.test_gradients_reach_everything_within_two_steps_and_nothing_else, "vit", "lora")),
    Fault("shifted without scaling the bias", SSFS, instead(SSF, "weights", bias_not_scaled),
          guard(test_tuning.test_ssf_equals_scaling_every_output, "vit", False)),
    Fault("bias found by substring", tuned(BitFit, test_tuning.small_swin), instead(BitFit, "__init__", substring),
          guard(test_tuning.test_tuned_names_are_the_ones_meant)),
    Fault("final norm forgotten", tuned(NormTuning), instead(deltas, "_names", without_last_norm), guard(NAMES)),
    Fault("first blocks for last", tuned(PartialK), instead(PartialK, "__init__", first_blocks), guard(NAMES)),
    Fault("source classifier tuned too", tuned(FullTuning), instead(FullTuning, "__init__", with_classifier),
          guard(NAMES), silent=False),
    Fault("no ReLU between the layers", MAPPING, instead(vpcore.MLPHead, "forward", linear_all_through),
          test_heads.test_mlp_head_counts_and_computes_three_layers),
    Fault("merged into the original", LORA, instead(Tuning, "merge", merge_in_place),
          restoring(test_tuning.test_merged_equals_tuned_and_leaves_the_original_alone, "vit", "lora")),
    Fault("two classes share a source", MAPPING, instead(label_mapping, "assign_greedily", most_often),
          test_label_mapping.test_the_mapping_is_the_count_of_unaugmented_predictions),
    Fault("absent class shifts the columns", MAPPING, instead(label_mapping, "count_pairs", by_present_class),
          test_label_mapping.test_an_absent_class_gets_a_source_of_its_own),
    Fault("mapping counted once only", MAPPING,
          instead(label_mapping.LabelMapping, "start_epoch", lambda self, model, train: None),
          test_label_mapping.test_frequency_counts_once_and_iterative_every_epoch),
    Fault("constants not taken from the weights", tuned(BitFit, resnet18),
          instead(timm_nets, "_spread", lambda values, channels: (0.5,) * channels),
          test_timm_backbones.test_normalization_and_interpolation_come_from_the_weights_config),
    Fault("stem pools with another window", tuned(BitFit, resnet18),
          instead(timm_nets, "split_chain", without_pooling),
          partial(test_timm_backbones.test_features_and_logits_equal_timms_own, name="resnet18", image_size=33,
                  in_chans=1)),
    Fault("pickles are run", LORA,
          instead(torch, "load", trusting),
          test_timm_backbones.test_a_pickle_is_never_run, silent=False),
]  # fmt: skip

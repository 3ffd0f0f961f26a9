"""The published parameter counts of every method on four backbones, beside what this library builds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from vpcore.backbone import Backbone
from vpcore.heads.linear import LinearHead
from vpcore.models import load_backbone
from vpcore.prompts import DeepTokens, InstancePrompt, PadPrompt, PatchPrompt, ShallowTokens
from vpcore.prompts.parts.prompters import GlobalPrompter, PatchPrompter, SpecificPrompter
from vpcore.tuning import SSF, BitFit, FullTuning, LoRA, NormTuning

COLUMNS = {
    "ViT-B/16": "vit_base_patch16_224",
    "ViT-Ti/16": "vit_tiny_patch16_224",
    "ResNet-18": "resnet18",
    "ResNet-50": "resnet50",
}
Counter = Callable[[Backbone], int]
KERNELS = {9: (9, 5, 3), 16: (7, 9, 3), 20: (7, 9, 3)}  # of the released InsVP code, by number of tokens


@dataclass(frozen=True)
class CountRow:
    """One method: what it should have on each backbone, and what it has; None where it does not exist."""

    method: str
    expected: tuple[int | None, ...]
    counted: tuple[int | None, ...]

    @property
    def agrees(self) -> bool:
        """All columns are equal."""
        return self.expected == self.counted


def _instance(tokens: int, **options: Any) -> Counter:
    return lambda net: InstancePrompt(net.spec, tokens, variant="released_code", **options).num_learned()


def _size(build: Callable[[Backbone], torch.nn.Module]) -> Counter:
    return lambda net: sum(parameter.numel() for parameter in build(net).parameters())


def _lora(net: Backbone) -> int:
    return LoRA(net, rank=8, targets="conv" if net.spec.kind == "cnn" else "qv").num_learned()


SAME = 4  # one number for all four backbones
EXPECTED: list[tuple[str, Counter, tuple[int, ...]]] = [
    ("backbone", lambda net: _without_classifier(net), (85_798_656, 5_524_416, 11_176_512, 23_508_032)),
    ("backbone + 1000-way head", _size(lambda net: net), (86_567_656, 5_717_416, 11_689_512, 25_557_032)),
    ("linear head, 10 classes", _size(lambda net: LinearHead(net.spec.dim, 10)), (7_690, 1_930, 5_130, 20_490)),
    ("linear head, 100 classes", _size(lambda net: LinearHead(net.spec.dim, 100)), (76_900, 19_300, 51_300, 204_900)),
    ("VP padding 30", lambda net: PadPrompt(net.spec, 30).num_learned(), (69_840,) * SAME),
    ("VP full image", lambda net: PadPrompt(net.spec, "full").num_learned(), (150_528,) * SAME),
    ("VP fixed patch 30", lambda net: PatchPrompt(net.spec, 30).num_learned(), (2_700,) * SAME),
    ("VP random patch 30", lambda net: PatchPrompt(net.spec, 30, "random").num_learned(), (2_700,) * SAME),
    ("VPT-shallow 10", lambda net: ShallowTokens(net.spec, 10).num_learned(), (7_680, 1_920)),
    ("VPT-deep 10", lambda net: DeepTokens(net.spec, 10).num_learned(), (92_160, 23_040)),
    ("VPT-deep 50", lambda net: DeepTokens(net.spec, 50).num_learned(), (460_800, 115_200)),
    ("norm tuning", lambda net: NormTuning(net).num_learned(), (38_400, 9_600, 9_600, 53_120)),
    ("norm tuning, shift only", lambda net: NormTuning(net, "bias").num_learned(), (19_200, 4_800, 4_800, 26_560)),
    ("BitFit", lambda net: BitFit(net).num_learned(), (102_912, 25_728, 4_800, 26_560)),
    ("LoRA r=8 (q, v; conv)", _lora, (294_912, 73_728, 287_384, 635_544)),
    ("SSF", lambda net: SSF(net).num_learned(), (205_824, 51_456, 9_600, 53_120)),
    ("full fine-tuning", lambda net: FullTuning(net).num_learned(), (85_798_656, 5_524_416, 11_176_512, 23_508_032)),
    ("InsVP G_l, patch 16", _size(lambda net: PatchPrompter(3, 16)), (25_360,) * SAME),
    ("InsVP G_g, kernels 11, 25", _size(lambda net: GlobalPrompter(3, 6, (11, 25), (1, 1))), (13_437,) * SAME),
    *[
        (f"InsVP G_s, p={p}", _size(lambda net, p=p: SpecificPrompter(3, p, (16, 16), KERNELS[p])), (count,) * SAME)
        for p, count in ((9, 14_886), (16, 85_408), (20, 132_680))
    ],
    ("InsVP p=9", _instance(9), (136_627, 74_419)),
    ("InsVP p=16", _instance(16), (271_661, 161_069)),
    ("InsVP p=20", _instance(20), (355_797, 217_557)),
    ("InsVP p=9, G_s untrained", _instance(9, train_specific=False), (121_741, 59_533)),
    ("InsVP p=16, G_s untrained", _instance(16, train_specific=False), (186_253, 75_661)),
    ("InsVP p=20, G_s untrained", _instance(20, train_specific=False), (223_117, 84_877)),
]


def count_rows() -> list[CountRow]:
    """Build every method on every backbone without weights in memory (device "meta"), and count what learns.

    ViT-B/16, ResNet and VP, VPT, tuning counts are published or follow from published sizes; InsVP on ViT-Ti/16 is
    worked out from its formulas, with tokens of 192 numbers. AdaptFormer is not built here.
    """
    with torch.device("meta"):
        nets = [load_backbone(name, pretrained=False) for name in COLUMNS.values()]
    return [_row(method, counter, expected, nets) for method, counter, expected in EXPECTED]


def _row(method: str, counter: Counter, expected: tuple[int, ...], nets: list[Backbone]) -> CountRow:
    counted = [_counted(counter, net) for net in nets]
    return CountRow(method, (*expected, *[None] * (len(nets) - len(expected))), tuple(counted))


def _counted(counter: Counter, net: Backbone) -> int | None:
    try:
        return counter(net)
    except ValueError:  # a method that this kind of backbone cannot take
        return None


def _without_classifier(net: Backbone) -> int:
    return sum(p.numel() for name, p in net.named_parameters() if not name.startswith("classifier."))


def format_rows(rows: list[CountRow]) -> str:
    """Return a table with one line a method: the count, or expected ≠ counted."""
    lines = [f"{'learned, without the head':28}" + "".join(f"{name:>26}" for name in COLUMNS)]
    for row in rows:
        cells = [_cell(*pair) for pair in zip(row.expected, row.counted, strict=True)]
        lines.append(f"{row.method:28}" + "".join(f"{cell:>26}" for cell in cells))
    return "\n".join(lines)


def _cell(expected: int | None, counted: int | None) -> str:
    shown = ["n/a" if number is None else f"{number:,}" for number in (expected, counted)]
    return shown[0] if expected == counted else f"{shown[0]} ≠ {shown[1]}"

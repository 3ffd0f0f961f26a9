"""Methods against the number of training images, and what of it comes from images and what from steps.

One rule for the epochs: 16 at every size, as anyone would train who has that many images. So more images are more steps
too, and two conditions part the two: 1,000 images with as many steps as 16,000 have (256 epochs), and 16,000 images
with as few steps as 1,000 have (1 epoch). Rates are searched for at 1,000 and at 16,000 images and in both conditions;
250 and 4,000 images take the rate of 1,000, the nearer of the two (4,000 lies 3,000 images above it and 12,000 below
the other; as a ratio it lies in the middle). AP stands at the layer that validation images of seed 0 chose in the
`transfer` table: 3 of resnet_nano, 2 of vit_nano. Headline methods come first, then a second, real set, then the rest.
"""

from dataclasses import replace
from typing import Any

from vpcore.experiments.grid.presets.preset import Preset

EPOCHS = 16
OPTIONS: dict[str, Any] = {
    "seeds": 5, "batch_size": 128, "optimizer": "adamw", "lr": "search", "trials": 5, "weight_decay": 0.0,
    "schedule": "cosine", "augment": "none", "train_backbone": False,
}  # fmt: skip
SIZES: tuple[dict[str, Any], ...] = (  # in the order in which they run
    {"limit": 1000, "epochs": EPOCHS},
    {"limit": 16_000, "epochs": EPOCHS, "seeds": 3},
    {"limit": 4000, "epochs": EPOCHS, "search_limit": 1000},
    {"limit": 250, "epochs": EPOCHS, "search_limit": 1000},
)
PARTED: tuple[dict[str, Any], ...] = (
    {"limit": 16_000, "epochs": 1, "seeds": 3},  # the steps of 1,000 images
    {"limit": 1000, "epochs": 16 * EPOCHS, "seeds": 3},  # the steps of 16,000 images
)
HEADLINE = Preset(
    data=("photodigits:num_train=16000,num_valid=1000,num_test=2000",),
    backbones=("resnet_nano", "vit_nano"),
    methods=("none", "full", "norm_tuning", "full_tuning"),
    by_kind={
        "cnn": ("instance_image", "activation:layer=3"),
        "vit": ("instance", "vpt_deep", "activation:layer=2"),
    },
)
REAL = replace(HEADLINE, data=("cifar10",))
REST = replace(
    HEADLINE,
    methods=(*("layer_probe:layer=all", "pad", "instance_image:parts=global", "instance_image:parts=patch", "bitfit"),),
    by_kind={
        "cnn": ("lora:targets=conv",),
        "vit": (
            *("lora", "vpt_shallow", "instance:parts=patch+global+common", "instance:parts=common+specific"),
            "instance:train_specific=False",
        ),
    },
)


def _at(table: Preset, *conditions: dict[str, Any], **more: Any) -> tuple[Preset, ...]:
    return tuple(replace(table, options=OPTIONS | condition | more) for condition in conditions)


FIRST, *LATER = (
    *_at(HEADLINE, *SIZES, *PARTED),
    *_at(REAL, *SIZES, max_valid=1000, max_test=2000),
    *_at(REST, *SIZES),
)
SCALE = replace(FIRST, then=tuple(LATER))

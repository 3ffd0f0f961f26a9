"""The course's largest table: every method on two small backbones and eight sets."""

from vpcore.experiments.grid.presets.preset import Preset

EVERYWHERE = (
    *("none", "layer_probe:layer=all", "full", "pad", "cluster", "instance_image", "activation:layer=all"),
    *("norm_tuning", "bitfit", "full_tuning"),
)
TRANSFER = Preset(
    data=(
        *("digits", "photodigits", "photodigits:position=fixed", "usps", "fashion_mnist", "cifar10"),
        *("folder:sign_digits", "folder:clothing"),
    ),
    backbones=("resnet_nano", "vit_nano"),
    methods=EVERYWHERE,
    by_kind={"vit": ("lora", "vpt_deep", "instance"), "cnn": ("lora:targets=conv",)},
    options={
        "limit": 1000, "max_valid": 500, "max_test": 2000, "epochs": 10, "batch_size": 64, "seeds": 5,
        "lr": "search", "trials": 5, "optimizer": "adamw", "weight_decay": 0.0, "schedule": "cosine",
        "augment": "none", "train_backbone": False,
    },
)  # fmt: skip

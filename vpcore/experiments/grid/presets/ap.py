"""AP (Zhang et al. 2026, arXiv:2604.06440): every layer of four networks, with the controls that decide what it shows.

The paper's layers, rates, head and epochs are not known to us: all of them are ours and the same for every arm. The
control that matters most is `layer_probe`, the linear probe on the features of the same layer. `--shots 1,4,16` asks
the same of few images, which make few steps an epoch: give `--epochs` with it. `--cost` prints the table of costs
instead of training.
"""

from vpcore.experiments.grid.presets.preset import Preset

AP = Preset(
    data=("oxford_pets", "stanford_cars", "svhn", "gtsrb", "cifar100:split=vtab1k", "photodigits", "digits"),
    backbones=("resnet101.tv_in1k", "vit_large_patch16_224.augreg_in21k", "resnet_nano", "vit_nano"),
    methods=(
        *("none", "activation:layer=all", "layer_probe:layer=all", "activation:layer=all,shape=per_channel"),
        *("full", "pad", "norm_tuning", "bitfit", "full_tuning"),
    ),
    by_kind={"vit": ("vpt_deep", "lora"), "cnn": ("lora:targets=conv",)},
    options={
        "seeds": 5, "epochs": 20, "batch_size": 64, "optimizer": "adamw", "lr": "search", "trials": 5,
        "weight_decay": 0.0, "schedule": "cosine", "augment": "none", "train_backbone": False, "max_test": 10_000,
    },
    lacks=(
        "the paper's 29 sets are known in part: Oxford-IIIT Pet, Stanford Cars, SVHN, GTSRB and VTAB-1k; photodigits "
        "and digits are ours",
        "not built here: GateVPT, E2VPT, SST",
    ),
)  # fmt: skip

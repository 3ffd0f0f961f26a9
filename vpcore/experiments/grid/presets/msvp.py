"""MSVP (Khazem 2025, arXiv:2512.03663): three sets, three networks from scratch, and which scales matter.

Values are those of the published code; the paper's own tables could not be found. Batches, backbone and head of one
seed are the same in all arms, which the published code does not see to.
"""

from vpcore.experiments.grid.presets.preset import Preset

SETS = ("mnist", "fashion_mnist", "cifar10")
NETWORKS = ("simple_cnn", "resnet18_small", "vit_tiny_small")
RECIPE = {
    "seeds": 5, "epochs": 10, "batch_size": 128, "optimizer": "adam", "lr": "1e-3", "weight_decay": 1e-4,
    "schedule": "cosine_epoch", "augment": "paper",
}  # fmt: skip
MSVP = Preset(
    data=SETS,
    backbones=NETWORKS,
    methods=("none", "multiscale", "multiscale:fusion=concat,init=kaiming", "multiscale:fusion=gated"),
    options=RECIPE,
    lacks=(
        "the confusion matrices of figure 3: a run keeps which images were right, not what was said instead",
        "concat starts as the published code has it, at random; add --prompt none,multiscale:fusion=concat for ours",
    ),
)
MSVP_SCALES = Preset(
    data=SETS,
    backbones=NETWORKS,
    methods=(
        *("none", "multiscale:scales=1", "multiscale:scales=4", "multiscale:scales=8", "multiscale:scales=1+4"),
        *("multiscale:scales=1+8", "multiscale:scales=4+8", "multiscale", "full"),
    ),
    options=RECIPE,
    lacks=("full, one number a pixel, is our control: it holds every sum of the maps",),
)

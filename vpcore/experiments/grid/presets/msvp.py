"""MSVP (Khazem 2025, arXiv:2512.03663): three sets, three networks from scratch, and which scales matter.

Networks, rates, epochs, batches, weight decay and augmentation are those of the published code; the paper's own tables
could not be found. What stays ours: `OURS`. Batches, backbone and head of one seed are the same in all arms, which the
published code does not see to.
"""

from vpcore.experiments.grid.presets.preset import Preset

SETS = ("mnist", "fashion_mnist", "cifar10")
NETWORKS = ("simple_cnn", "resnet18_small", "vit_tiny_small")
OURS = (
    "not as the published code: images are normalized by each set's own mean and deviation, there MNIST and "
    "Fashion-MNIST by 0.5 and 0.5; valid is cut by class, there at random; valid is not augmented, there it is; the "
    "epoch that valid chooses is tested, there the last one; the gate's bias starts at 0, there only that of the CNN"
)
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
        OURS,
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
    lacks=(
        OURS,
        "full, one number a pixel, is our control: it holds every sum of the maps",
    ),
)

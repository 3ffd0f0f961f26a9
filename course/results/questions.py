"""Which question each recorded table answers, and which of the papers' claims it did not bear out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from course.results.claims import Claim, best_layer, count_better, count_sets
from course.results.curves import DATA, EPOCHS

HEAD = """\
# Recorded results

Written by `python -m course.results.page` from the files beside it; no number here is typed by hand. Runs of one seed
form pairs: same initial weights, same batches. Rates come from a search on validation images with equal trials for
every condition of a table, unless a command names them or a lesson says otherwise. Where the best rate is the smallest
or the largest, newer searches go on by up to three, and what stays at an edge is marked; files of studies and the older
tables do not record it, so no mark there says nothing. The test images are read once, after the epoch was chosen on
validation images.

**Words.** A *linear probe* learns a head on a frozen network, *norm tuning* the scales and shifts of its norm layers as
well, *full fine-tuning* all of it. *MSVP* adds learned maps of three sizes to the image (lesson 02). *InsVP* makes its
prompt from each image: `instance` is all of it (lesson 04), `instance_image` the picture alone (lesson 03). *AP* adds
one learned prompt to the activations in front of one layer (lesson 05). `resnet_nano` and `vit_nano` are our small
networks, trained on CIFAR-100. *photodigits* pastes scikit-learn's digits, colored, on crops of two photographs. Its
training images repeat 1,100 digits and its test images 397 others, by writers who are in both (lesson 08). So from
4,000 images on, more of them are new places, colors and backgrounds, and hardly new handwriting.
"""
FILES = """\
## The files

Each file holds one line a run: what was asked (`cell`), test accuracy, which test images were right (`right`, one bit
an image), what was learned, and the seconds it took; above them the commands, the hardware and the package versions.
The files hold no dates; `git log -1 --format=%cs FILE` gives that of a file.

A run of the grid is repeated by its command, one of a study by `python -m course.studies.study_NN --out FILE`; both go
on where they stopped. `python -m vpcore.grid --report FILE --report-to FOLDER` prints a file of the grid as a table and
writes it as CSV, LaTeX and PNG.
"""
CHANGED = """\
## What changed against the lessons' first tables, and why

Three of these four prompts cannot be told from a linear probe in the lessons' first tables, with 1,000 training images
and 4 to 10 epochs; AP can. With 16,000 images each of them is far above it. The columns differ in more than images:
batches, steps, rates, seeds and test images are others, too. Already at 1,000 images the newer recipe moved both InsVP
rows and AP by several points; what in the recipe did it was not tested. Accuracy of the probe → accuracy of the method,
and their difference in points:
"""
QUESTIONS = {
    "ap_layers": "Lesson 05. At which layer does an activation prompt help, and what does the layer alone give?",
    "bugs": "Lesson 08. What does each of the museum's faults do to the accuracy?",
    "imagenet": "Lesson 05. What do AP at each layer, norm tuning and a picture give an ImageNet CNN?",
    "insvp_features": "Lesson 04. Which of InsVP's parts helps a ViT, and do its tokens depend on the image?",
    "insvp_image": "Lesson 03. Is a picture made from the image better than one for all, or for a cluster?",
    "msvp_nets": "Lesson 02. Does MSVP help its paper's ResNet-18?",
    "msvp_paper": "Lesson 02. Does MSVP help its paper's CNN, with that paper's recipe on all of Fashion-MNIST?",
    "msvp_pixels": "Lesson 02. What does logistic regression read from the same pixels?",
    "msvp_sizes": "Lesson 02. Does MSVP's gain grow from 250 to 16,000 images?",
    "msvp_small": "Lesson 02. Does MSVP help a small CNN, on which set, with which scales and which fusion?",
    "norms": "Lesson 06. Which prompts are biases, and what do norms, SSF and LoRA reach?",
    "pictures": "Lesson 07. Do t-SNE, Grad-CAM and attention distance say what accuracy says?",
    "scale": "How do methods compare from 250 to 16,000 images, and do images or steps make the difference?",
    "scale_cifar10": "The same on real photographs: how do methods compare from 250 to 16,000 images of CIFAR-10?",
    "shots": "Lesson 09. Which method should one take with 1, 4 or 16 images a class?",
    "start": "Lesson 00. How far do training images, seeds and choosing on the test set move an accuracy?",
    "transfer": "Lesson 09. How do all methods compare, on eight sets and two small backbones?",
    "vp": "Lesson 01. Does a learned frame or picture help, and can the old classes be used again?",
    "whole": "Lesson 09. What do the headline methods gain from all training images of CIFAR-10?",
    "writers": "Lesson 08. How much of a gain on digits is owed to writers who are in train and in test?",
}
PHOTO = ("photodigits", "resnet_nano")
VIT = ("photodigits", "vit_nano")
Line = Callable[[Path], str]
EARLIER = (  # a comparison of a lesson's table, and the method's name in the grid of sizes
    (Claim("vp", "a picture on all pixels, CNN", *PHOTO, "full"), "full"),
    (Claim("insvp_image", "InsVP's picture, CNN", *PHOTO, "instance"), "instance_image"),
    (Claim("ap_layers", "AP at layer 3, CNN", *PHOTO, "ap@3"), "activation:layer=3"),
    (Claim("insvp_features", "InsVP, all parts, ViT", *VIT, "all"), "instance"),
)


def _claim(*given: str, **options: Any) -> Line:
    return Claim(*given, **options).sentence  # type: ignore[arg-type]


NET = "tf_efficientnet_lite0:checkpoint=tf_efficientnet_lite0.safetensors"
RATE = {"lr": 0.003162}  # the probe was recorded with two


def _imagenet(what: str, arm: str, settings: dict[str, float] | None = None) -> Line:
    what = f"{what}, EfficientNet-Lite0, CIFAR-10"
    return _claim("imagenet", what, "cifar10", NET, arm, settings=settings or {}, of_base=RATE)


MULTI = "MSVP (three scales, added) against no prompt"
NEGATIVE: dict[str, tuple[Line, ...]] = {
    "Multiscale prompts": (
        *(
            _claim("msvp_small", f"{MULTI}, {name}, small CNN", data, "simple_cnn", "multiscale")
            for name, data in (("digits", "digits"), ("MNIST", "mnist"), ("Fashion-MNIST", "fashion_mnist"))
        ),
        *(
            _claim("msvp_sizes", f"{MULTI}, Fashion-MNIST, {size:,} training images, small CNN", "fashion_mnist",
                   "simple_cnn", "multiscale", settings={"limit": size})
            for size in (250, 1000, 4000, 16000)
        ),
        _claim("msvp_paper", f"{MULTI}, Fashion-MNIST whole, the paper's CNN and recipe", "fashion_mnist",
               "simple_cnn", "multiscale"),
        _claim("msvp_nets", f"{MULTI}, digits, resnet18_small", "digits", "resnet18_small", "multiscale"),
        partial(
            count_better, file="msvp_small", base="none", data="digits", backbone="simple_cnn",
            what="All scales and fusions of MSVP against no prompt, digits, small CNN",
        ),
    ),
    "Pixel prompts": (
        *(
            _claim("vp", f"{what} against the linear probe, photodigits", *PHOTO, arm)
            for arm, what in (("pad:4", "A frame of 4 pixels"), ("full", "A whole picture"))
        ),
        _claim("vp", "The old classes, mapped iteratively, against the probe", *PHOTO, "iterative mapping"),
        *(
            _claim("insvp_image", f"{what} against the linear probe", *PHOTO, arm)
            for arm, what in (("cluster:2", "One picture for each of 2 clusters"), ("cluster:4", "One for each of 4"))
        ),
    ),
    "A prompt for each image": (
        _claim("insvp_image", "InsVP's picture, both parts, against the linear probe, CNN", *PHOTO, "instance"),
        _claim("insvp_image", "The same, ViT", *VIT, "instance"),
        _claim("insvp_image", "Its global part alone, CNN", *PHOTO, "beta:1"),
        _claim("insvp_features", "All four parts of InsVP against the linear probe, ViT", *VIT, "all"),
        _claim("insvp_features", "Specific tokens on top of the other three parts", *VIT, "all", "patch+global+common"),
        _claim("insvp_features", "The tokens' network trained, against left at its start", *VIT, "all", "frozen"),
        _claim("insvp_features", "All parts against VPT-deep", *VIT, "all", "vpt_deep"),
    ),
    "Activation prompts": (
        *(
            partial(best_layer, data=data, backbone=net)
            for net in ("resnet_nano", "vit_nano")
            for data in ("photodigits", "digits")
        ),
        *(
            _claim("scale", f"AP at layer 2 against the probe of layer {probe}, {size:,} images, {kind}",
                   DATA, net, "activation:layer=2", f"layer_probe:layer={probe}",
                   settings={"limit": size, "epochs": EPOCHS})
            for kind, net, probe in (("CNN", "resnet_nano", 6), ("ViT", "vit_nano", 5))
            for size in (1000, 16_000)
        ),
        _claim("ap_layers", "The probe of layer 6 against that of the last layer, CNN", *PHOTO, "probe@6"),
        _claim("ap_layers", "A random prompt as large as the learned one, at layer 4, CNN", *PHOTO, "random@4"),
    ),
    "A network trained on ImageNet": (
        _imagenet("AP at layer 0 against the linear probe", "activation:layer=0", RATE),
        _imagenet("AP at layer 8", "activation:layer=8", RATE),
        _imagenet("AP at layer 16, the last", "activation:layer=16", RATE),
        _imagenet("A picture on all pixels", "full"),
        _imagenet("InsVP's picture", "instance_image"),
        _imagenet("Norm tuning", "norm_tuning"),
        _imagenet("Full fine-tuning", "full_tuning"),
    ),
    "Writers in train and test": tuple(
        _claim("writers", f"{what} against the probe, digits cut {how}", data, "resnet_nano", arm)
        for arm, what in (("activation:layer=3", "AP at layer 3"), ("full_tuning", "Full fine-tuning"))
        for how, data in (("at random", "photodigits"), ("in the order of the file", "photodigits:split=contiguous"))
    ),
    "Weights": (
        _claim("norms", "LoRA against the probe, CNN", *PHOTO, "lora"),
        _claim("norms", "SSF against the probe, CNN", *PHOTO, "ssf"),
        _claim("norms", "An activation prompt before pooling, which is a bias of the head", *PHOTO, "ap_last"),
        _claim("ap_layers", "The same, with the head's rate in the probe, too", *PHOTO, "ap@7", "head"),
    ),
    "All 45,000 training images of CIFAR-10, 10 epochs": tuple(
        _claim("whole", f"{what} against the probe, CNN", "cifar10", "resnet_nano", arm)
        for arm, what in (
            ("instance_image", "InsVP's picture"), ("activation:layer=3", "AP at layer 3"),
            ("norm_tuning", "Norm tuning"), ("full_tuning", "Full fine-tuning"),
        )
    ),
    "Programs with a fault": (
        partial(
            count_better, file="bugs", base="right", data="photodigits", backbone="resnet_nano",
            what="Programs with one fault each against the right one: accuracy does not give the faults away",
        ),
    ),
    "Few images": tuple(
        partial(
            count_better, file="shots", base="linear probe", data=data, backbone=net, shots=shots,
            what=f"Methods against a linear probe, {shots} image{'s' if shots > 1 else ''} a class, {data}, {net}",
        )
        for data, net in (("digits", "resnet_nano"), ("digits", "vit_nano"), ("photodigits", "resnet_nano"))
        for shots in (1, 4, 16)
    ),
    "Eight sets, 1,000 training images each": tuple(
        partial(count_sets, file="transfer", base="none", backbone=net, what=f"Each method against the probe, {net}")
        for net in ("resnet_nano", "vit_nano")
    ),
}  # fmt: skip
TAIL = """\
Intervals hold both lotteries, seeds and test images (`vpcore.statistics.two_way_interval`). "Cannot tell" means that
the 95 % interval of the difference holds zero; it does not mean that there is no difference. Each interval stands for
itself; where many differences are looked at together, Holm's count says how many of them stand. Several test images of
photodigits show one digit; the intervals take them for independent, so for new handwriting they are somewhat too
narrow. Networks here are small and images have 28 or 32 pixels, but for the ImageNet network of lesson 05, which sees
128; training sets have at most 16,000 images, but for those of `msvp_paper` and `whole`, up to 54,000. What holds here
need not hold for the papers' networks.

## Not run here

No GPU was at hand, so of the papers' experiments only what two CPU cores can do is recorded. These commands exist and
their results do not: `VPCOURSE_PROFILE=full python -m vpcore.grid --preset msvp --cuda-graph --out msvp.jsonl` (180
runs; `msvp_paper` has six of them, by the recipe of the paper's code), the same with `--preset msvp-scales`,
`--preset insvp --table N`, `--preset insvp --figure N` and `--preset ap`, and
`python tests/benchmarks/gpu.py --compile`, the times of every method on ViT-B/16.
"""

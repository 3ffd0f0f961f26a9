"""Where every measure in the prose of guides and lessons comes from; `test_honesty.py` reads both sides.

GIVEN: set by the text, such as a convention, an exercise or a made-up case; PUBLISHED: quoted from a source;
MEASURED: computed from the course's results, weights or code, and compared. A fragment is a piece of one paragraph.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Callable
from functools import cache
from itertools import permutations

import numpy as np
from prose import ROOT

from course.recorded import recorded
from course.studies.study_04 import CENTER
from vpcore.experiments.runs.lr_search import STEP
from vpcore.statistics import Interval, t_interval, two_way_interval

IMAGENET_STD = (0.229, 0.224, 0.225)  # what most published weights ask for
EVERYWHERE = {
    "95 %": "the level of our intervals",
    "80 %": "the power of our smallest detectable differences",
    "1.96": "97.5 % quantile of the normal distribution",
    "Chance is 10 %": "ten classes",
    "guessing gives 10 %": "ten classes",
}
MSVP = "Khazem (2025), as its figure 2 reports it; no spread is given"
INSVP = "Liu, Peng, Zhou (2024)"
GIVEN = {
    "course/instructor.md": {
        "Two probes differ by one point": "a question",
        "β = 0.3 is another model than β = 0.7": "a misconception",
        "What could six points show": "dots of a figure",
        "81 numbers are 81 directions": "1 + 16 + 64, the maps of one channel",
    },
    "00_start_here": {
        "An accuracy of 30 %": "an example",
        "30 % of 1,000 images": "an example",
        "The picture has 3,072 numbers": "3 · 32 · 32",
        "Is 30 % the network's fault": "the order of what the learner just saw",
        "each is right on 30 % of all images": "an example",
        "add the 0.8 quantile": "the power of 80 %",
        "32.5 %": "a made-up claim",
        "± 0.4": "a made-up claim",
        "has 31.0 %": "a made-up claim",
        "How many images give 0.75 points": "a quiz",
        "Four times as many images": "arithmetic: the error falls with the root",
    },
    "01_pixel_prompts": {
        "σ is 0.25": "a quiz",
        "**c** 2.5": "a quiz",
        "69,840 numbers for the paper's frame": "3 · (224² − 164²)",
    },
    "02_multiscale_prompts": {
        "N(0, 0.01²)": "the start of the maps",
        "A map of 0.01": "the start of the maps",
        "Deeper: 81 numbers": "1 + 16 + 64, the maps of one channel",
        "a constant of 0.3, in each mode": "an example",
        "It starts at about 0.01": "the start of the maps",
        "a mean difference of +0.5 points with an interval from −1.1 to +2.1": "a quiz",
        "a loss of 1 point and a gain of 2": "a quiz",
        **dict.fromkeys(("All 81 numbers", "81 numbers a channel"), "1 + 16 + 64, the maps of one channel"),
    },
    "03_instance_image_prompts": {
        "tells another β from 0.7": "the paper's value",
        **dict.fromkeys(
            ("β = 0.3", "β = 0.7", "between 0.3 and 0.7", "weighted by 0.7"), "values of β that are compared"
        ),
        "0.7 / 0.3 times as fast": "the ratio of two values of β",
        "0.3 / 0.7 times": "the ratio of two values of β",
        "β = 2/3, three times as strong": "1 + 2 = 3 parts",
        "Accuracy falls by 10 points": "a quiz",
        "333 numbers": "3·6·(3² + 3²) + 6 + 3, the convolutions of the global part",
    },
    "04_instance_feature_prompts": {
        **dict.fromkeys(("β_F = 0.5", "β_F = 0.9", "another with 0.9"), "values of β_F that are compared"),
        **dict.fromkeys(("from 0.5 to 0.9", "from 0.5 to 1", "from 0.3 to 0.1"), "a quiz"),
        "Batches are four times as large": "128 images against 32",
        "Twelve maps of 8×4 numbers must become four tokens of 96 numbers": "sizes of an exercise",
        "25,360 numbers there and the global one 13,437": "tests/vpcore/test_instance.py, the released variant",
        "136,627 numbers at L_p = 9": "tests/vpcore/test_instance.py counts them in the released variant",
    },
    "05_activation_prompts": {
        "A head beside δ has the rate 0.01": "the protocol, set in course/studies/study_05.py",
        "beats the linear probe by 3 points": "a made-up claim",
        "The difference of 3 points": "a made-up claim",
        "AP at layer 5 is 6 points ahead": "a quiz",
        "of 96 numbers": "the width of vit_nano",
    },
    "06_prompts_and_norms": {
        "by 0.6 points (one seed)": "a made-up claim",
        "1,024 numbers a token": "the width of ViT-L/16 (Dosovitskiy et al. 2021, table 1)",
    },
    "07_do_the_pictures_explain": {
        "return 0.0": "an exercise",
        **dict.fromkeys(
            ("rank correlation of six points", "With six points", "A bootstrap of six points"), "six layers"
        ),
        "fewer than 5 % of all orders": "a convention",
        "a correlation of 0.6": "an example",
        "quantiles 0.025 and 0.975": "the ends of a 95 % interval",
    },
    "08_bug_museum": {
        **dict.fromkeys(
            ("with 0.5 and 0.5", "constants, 0.5 and 0.5", "the constants 0.5 and 0.5", "were trained with 0.5"),
            "constants of many published ViTs",
        ),
        "one false alarm below 5 %": "one less the level of our intervals",
    },
    "09_bake_off": {
        "accuracy is 70 %": "an example",
        "The new one is 2 points better": "a quiz",
        "some of the 2 points": "a quiz",
        "+1.2 points (−0.3 to +2.7)": "a quiz",
        "by 1.2 points": "a quiz",
        "losses of 0.3 and gains of 2.7 points": "a quiz",
        "A share of 100 %": "every set that was drawn",
        "all near 100 %": "no error at all",
    },
}
PUBLISHED = {
    "vpcore/experiments/README.md": dict.fromkeys(
        ("| Sidetune | 81.0 |", "| AdaptFormer | 85.8 |", "| Yoo et al. | 85.4 |", "| AutoVP | 85.4 |",
         "| E2VPT | 86.1 |", "| TransHP | 87.2 |", "Dogs 83.6, Flowers 90.5, CIFAR-100 65.4, CIFAR-10 90.8"),
        f"{INSVP}, table 1",
    ),
    "course/instructor.md": {"+0.92": MSVP},
    "02_multiscale_prompts": {
        "+0.92 points": MSVP,
        "+0.92": MSVP,
        "0.92 points": MSVP,
        "less than 0.02 %": "Khazem (2025), abstract",
        "cost below 0.02 %": "Khazem (2025), abstract",
        "far below 0.02 %": "Khazem (2025), abstract",
    },
    "03_instance_image_prompts": {
        "83.4 for a universal prompt (VP), 88.5 for DAM-VP's clusters, 91.3 for InsVP": f"{INSVP}, table 1",
    },
    "04_instance_feature_prompts": {
        "0.3 to 1.6 points": f"{INSVP}, table 5, last row against the row before",
        "the published rates are 0.0005 to 0.005": f"{INSVP}, released configuration",
    },
}  # fmt: skip


@cache
def table(name: str, data: str, backbone: str) -> dict[tuple[str, int], dict]:
    """Return the runs of a results file by arm and seed."""
    runs = [run for run in recorded(name).runs if (run["cell"]["data"], run["cell"]["backbone"]) == (data, backbone)]
    return {(run["cell"]["prompt"], run["cell"]["seed"]): run for run in runs}


def gaps(name: str, first: str, second: str, data: str = "photodigits", backbone: str = "resnet_nano") -> np.ndarray:
    """Return the differences of two arms in points, paired by seed."""
    runs = table(name, data, backbone)
    seeds = sorted(
        {seed for prompt, seed in runs if prompt == first} & {seed for prompt, seed in runs if prompt == second}
    )
    return np.array([100 * (runs[first, seed]["accuracy"] - runs[second, seed]["accuracy"]) for seed in seeds])


def interval(name: str, first: str, second: str, **where: str) -> Interval:
    """Return the mean difference of two arms in points, with its 95 % interval over seeds."""
    return t_interval(gaps(name, first, second, **where).tolist())


def ahead(first: str, second: str, **where: str) -> int:
    """Return how far an arm of lesson 05 is ahead, in whole points."""
    return round(gaps("ap_layers", first, second, **where).mean())


LITE = "tf_efficientnet_lite0"


def lite(prompt: str = "none", rate: float = 0.003162) -> float:
    """Return the mean accuracy of a method on EfficientNet-Lite0 at a rate, in percent."""
    real = recorded("imagenet")
    return float(real.accuracies("cifar10", prompt, real.runs[0]["cell"]["backbone"], lr=rate).mean())


def lite_norms() -> list[int]:
    """Return how far norm tuning of EfficientNet-Lite0 is above its linear probe, in whole points."""
    return [round(lite("norm_tuning", 0.001) - lite())]


def rate_of_the_probe() -> float:
    """Return the rate that a search found for the linear probe of EfficientNet-Lite0."""
    [rate] = {run["cell"]["lr"] for run in recorded("imagenet").runs
              if run["cell"]["prompt"] == "none" and run.get("rate_at_edge") is not None}  # fmt: skip
    return rate


def probe_of(size: int) -> int:
    """Return what lesson 00's linear probe reads from so many images, in whole percent."""
    return round(recorded("start").accuracies("photodigits", f"probe:train={size}", "resnet_nano").mean())


def rates(name: str, prompt: str, key: str, backbone: str = "resnet_nano") -> set[float]:
    runs = table(name, "photodigits", backbone)
    return {round(run["cell"][key], 4) for (arm, _), run in runs.items() if arm == prompt}


def spread_of_first_layers() -> float:
    means = [gaps("ap_layers", f"ap@{layer}", "ap@0", data="digits").mean() for layer in range(5)]
    return math.ceil(max(means) - min(means))


def vit_gains(*layers: int, over: str = "none") -> list[int]:
    """Return the different whole points by which AP at these layers of the ViT is ahead."""
    return sorted({ahead(f"ap@{layer}", over.format(layer), backbone="vit_nano") for layer in layers})


def controlled(kind: str, *layers: int, **where: str) -> list[int]:
    """Return by how many points AP is ahead of a control at these layers."""
    return [ahead(f"ap@{layer}", f"{kind}@{layer}", **where) for layer in layers]


def behind_the_best() -> float:
    best = max(range(8), key=lambda layer: gaps("ap_layers", f"ap@{layer}", "none").mean())
    return math.ceil(gaps("ap_layers", f"ap@{best}", "ap@4").mean())


def tempting() -> float:
    """Return by how many points the best of 20 equal settings looks too good on 100 test images, on average."""
    from scipy.stats import binom

    below = binom.cdf(np.arange(101), 100, 0.3) ** 20
    return float((1 - below).sum()) - 30


@cache
def deviations(name: str) -> tuple[float, ...]:
    return tuple(json.loads((ROOT / "vpcore" / "weights" / f"{name}.json").read_text())["std"])


def constant_inside(mode: str) -> float:
    """Return how far a constant of 0.3 moves a new CNN's first batch norm, on average inside the image."""
    import vpcore

    data = vpcore.load_data("digits")
    net = vpcore.load_backbone("simple_cnn", pretrained=False, width=8, mean=data.mean, std=data.std)
    images, change = (data.train.images[:128].float() / 255 - data.mean[0]) / data.std[0], {}
    for each in ("eval", "train"):  # in the order of the lesson: training mode moves the stored statistics
        first = net.blocks[0][:2].train(each == "train")
        change[each] = (first(images + 0.3) - first(images)).abs().mean((0, 1))
    return float(change[mode][1:-1, 1:-1].mean())


def millions(name: str, classifier: bool = True, **options: object) -> float:
    """Return the number of weights of a network, with or without the classifier it was trained with."""
    import vpcore

    net = vpcore.load_backbone(name, pretrained=False, **options)
    head = list(net.classifier.parameters()) if net.classifier and not classifier else []
    return (sum(each.numel() for each in net.parameters()) - sum(each.numel() for each in head)) / 1e6


def shares_of_the_cnn() -> list[float]:
    total = 1e6 * millions("simple_cnn", in_chans=3, image_size=32) + 10 * 129
    learned = [243 + more for more in (0, 4 * 9, 9 + 3)]  # add, concat, gated: as exercise 02-count has them
    return [round(100 * value / total, 4) for value in (min(learned), max(learned))]


MSVP_SETTINGS = ("", ":scales=1", ":scales=1+4", ":fusion=gated", ":fusion=concat", ":fusion=concat,init=kaiming")


def gain_on_digits(setting: str) -> tuple[float, float]:
    """Return the ends of the interval of what a setting of MSVP gains, in points."""
    return recorded("msvp_small").gain("digits", "none", f"multiscale{setting}")[1:]


def published_is_outside() -> list[float]:
    """Return the published gain if lesson 02's intervals on two sets end below it, and that on digits does not."""
    sets = ("fashion_mnist", "mnist", "digits")
    high = [recorded("msvp_small").gain(data, "none", "multiscale")[2] for data in sets]
    return [0.92] if max(high[:2]) < 0.92 < high[2] else []


def published_is_outside_at_its_size() -> list[float]:
    """Return the published gain if the interval of its paper's CNN and recipe holds 0 and ends below it."""
    _, low, high = recorded("msvp_paper").gain("fashion_mnist", "none", "multiscale")
    return [0.92] if low < 0 < high < 0.92 else []


def permutations_at(correlation: float) -> float:
    """Return the share of all orders of six whose rank correlation is at least as far from zero."""
    ranks = np.arange(6)
    found = [1 - 6 * float(((ranks - np.array(order)) ** 2).sum()) / 210 for order in permutations(range(6))]
    return float(np.mean(np.abs(found) >= correlation - 1e-9))


def critical_correlation(count: int) -> float:
    """Return the smallest rank correlation that fewer than 5 % of random orders reach, found by drawing many."""
    draw, ranks = np.random.default_rng(0), np.arange(count)
    orders = draw.permuted(np.tile(ranks, (200_000, 1)), axis=1)
    found = 1 - 6 * ((orders - ranks) ** 2).sum(1) / (count * (count**2 - 1))
    values = np.unique(found[found > 0])
    return round(float(next(value for value in values if np.mean(np.abs(found) >= value - 1e-9) <= 0.05)), 2)


def learned(prompt: str, part: str) -> int:
    """Return how many numbers a part of a method learns in the transfer table, for ten classes of resnet_nano."""
    return table("transfer", "digits", "resnet_nano")[prompt, 0]["parameters"][part]


def extra(prompt: str) -> dict:
    """Return what lesson 05's study says besides of an arm of resnet_nano."""
    return table("ap_layers", "photodigits", "resnet_nano")[prompt, 0]["extra"]


def figures(step: str) -> dict:
    """Return the figures of a step of `.ci/full`."""
    return json.loads((ROOT / "course" / "results" / "ci.json").read_text())["steps"][step]["figures"]


def fields() -> int:
    """Return how many intervals lesson 09 draws of the transfer table: every method on every set, AP at one layer."""
    runs = [run["cell"] for run in recorded("transfer").runs if run["cell"]["prompt"] != "none"]
    return len({(cell["backbone"], cell["data"], cell["prompt"].partition(":")[0]) for cell in runs})


def checked_points() -> float:
    """Return the points of all exercises that a check grades, of all lessons."""
    from course import check

    return sum(one.points for one in check.all_exercises().values() if not isinstance(one, check.WrittenExercise))


def seconds_of_an_exercise() -> float:
    from course.grading.worker import SECONDS

    return SECONDS


def more_images(prompt: str, size: int, backbone: str = "resnet_nano", epochs: int = 16, base: str = "none") -> int:
    """Return how far a prompt is above the probe, or another, with so many images, in whole points; photodigits."""
    scale = recorded("scale")
    data = scale.runs[0]["cell"]["data"]
    return round(scale.gain(data, base, prompt, backbone, limit=size, epochs=epochs)[0])


def reached(prompt: str, size: int, backbone: str) -> int:
    """Return the mean test accuracy with so many images, in whole percent; photodigits."""
    scale = recorded("scale")
    return round(scale.reached(scale.runs[0]["cell"]["data"], prompt, backbone, limit=size, epochs=16)[0])


def from_more_images(*prompts: str, backbone: str = "resnet_nano") -> list[int]:
    """Return by how many whole points 16 times the images raise accuracies at equal steps, the least and the largest.

    Of the probe and these prompts, over the seeds that both have; each rise stands outside zero by its interval.
    """
    scale, rises = recorded("scale"), []
    data = scale.runs[0]["cell"]["data"]
    for prompt in ("none", *prompts):
        few, many = (scale.correct(data, prompt, backbone, limit=limit, epochs=epochs)
                     for limit, epochs in ((1000, 16), (16_000, 1)))  # fmt: skip
        rise = two_way_interval(few[: len(many)], many).in_points()
        assert rise.low > 0
        rises.append(round(rise.mean))
    return [min(rises), max(rises)]


def times_the_rate() -> list[float]:
    """Return how many times lesson 04's rate of all parts of InsVP their rate over the sizes is."""
    rates = []
    sizes = {"prompt": "instance", "limit": 1000, "epochs": 16}
    for table, mine in (("scale", sizes), ("insvp_features", {"prompt": "all"})):
        rates += {run["cell"]["lr"] for run in recorded(table).runs if mine.items() <= run["cell"].items()}
    long, short = rates
    return [round(long / short)]


def best_of(tries: int) -> float:
    """Return the expected largest of so many standard normal draws."""
    from scipy import integrate
    from scipy.stats import norm

    return float(integrate.quad(lambda x: x * tries * norm.pdf(x) * norm.cdf(x) ** (tries - 1), -9, 9)[0])


CUTS = ("stratified", "contiguous")


def named_by_the_nearest(cut: str) -> float:
    """Return how many test digits have the label of the nearest training digit, in percent."""
    from vpcore.data.photodigits import _partition

    parts = _partition(0, cut)
    (train, known), (test, labels) = ((parts[of][0].reshape(-1, 64), parts[of][1]) for of in ("train", "test"))
    nearest = ((test[:, None] - train[None]) ** 2).sum(-1).argmin(1)
    return round(100 * float((known[nearest] == labels).mean()), 1)


def owed_to_writers(method: str) -> int:
    """Return by how many points a method's gain over the probe is smaller where writers are kept apart."""
    table = recorded("writers")
    random, apart = (
        table.gain(data, "none", method, "resnet_nano") for data in ("photodigits", "photodigits:split=contiguous")
    )
    return round(random.mean - apart.mean) if random.low < apart.mean < random.high else 0


def probe_at(size: int, table: str) -> int:
    """Return the accuracy of resnet_nano's linear probe with so many images, in whole percent."""
    runs = recorded(table)
    return round(runs.reached(runs.runs[0]["cell"]["data"], "none", "resnet_nano", limit=size, epochs=16).mean)


def photographs(size: int, *prompts: str) -> list[int]:
    """Return how far methods are above the probe on CIFAR-10 with so many images, in whole points."""
    table = recorded("scale_cifar10")
    return [round(table.gain("cifar10", "none", prompt, "resnet_nano", limit=size).mean) for prompt in prompts]


def all_of_cifar10(*prompts: str) -> list[int]:
    """Return how far methods are above the probe with all training images of CIFAR-10, in whole points."""
    table = recorded("whole")
    return [round(table.gain("cifar10", "none", prompt, "resnet_nano").mean) for prompt in prompts]


def pythons() -> list[float]:
    """Return the oldest Python and the newest one below the bound of the package."""
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    oldest, above = (float(bound.strip("<>=")) for bound in asked.split(","))
    return [oldest, round(above - 0.01, 2)]


AP = "05_activation_prompts"
MEASURED: dict[str, dict[str, Callable[[], list[float]]]] = {
    "README.md": {"Python 3.11 or newer, up to 3.15": pythons},
    "CHANGELOG.md": {"Python 3.15": lambda: pythons()[1:]},
    "CONTRIBUTING.md": {
        "50 kills each": lambda: sorted({each["kills"] for each in figures("kills").values()}),
        "60 submissions and 51 attacks": lambda: [figures("attacks")[each] for each in ("submissions", "hostile")],
    },
    "course/instructor.md": {
        "a process of its own and 30 seconds": lambda: [seconds_of_an_exercise()],
        "of 177 points for checked answers": lambda: [checked_points()],
    },
    "00_start_here": {
        "For ± 0.1 it would take about 800,000 images": lambda: (
            [0.1] if round(0.3 * 0.7 * (1.96 / 0.001) ** 2, -5) == 800_000 else []
        ),
        "The record has 25 % with 300 images and 30 % with 1,000": lambda: [probe_of(size) for size in (300, 1000)],
        "whose 0.65 million weights": lambda: [round(millions("resnet_nano"), 2)],
        "0.6 and 0.7 million weights": lambda: [round(millions(name), 1) for name in ("resnet_nano", "vit_nano")],
        "About 38, and about nine points more": lambda: [
            round(gaps("insvp_image", "universal", "none", "photodigits_fixed").mean())
        ],
        "more than eight points were gained": lambda: [8] if tempting() > 8 else [],
        "the standard error of those is 1.5": lambda: [round(100 * math.sqrt(0.31 * 0.69 / 1000), 1)],
        "has a standard error of 1.5 points": lambda: [round(100 * math.sqrt(0.31 * 0.69 / 1000), 1)],
    },
    "01_pixel_prompts": {
        "raise both accuracies by five to six points": lambda: from_more_images("full"),
        "with 16,000 it is nine points above": lambda: [more_images("full", 16_000)],
        **dict.fromkeys(("learns 1,210 numbers", "a new head of 1,210 numbers"), lambda: [learned("none", "head")]),
        "Our frame of 1,344 numbers": lambda: [learned("pad", "prompt")],
        "is about 0.27 here": lambda: [round(float(np.mean(deviations("resnet_nano"))), 2)],
        "gains 8.7 points": lambda: [round(gaps("insvp_image", "universal", "none", "photodigits_fixed").mean(), 1)],
        "0.65 million weights": lambda: [round(millions("resnet_nano"), 2)],
        "40 on pixels is 13 to 20 times as much": lambda: [
            round(value**-2) for value in (max(deviations("resnet_nano")), min(IMAGENET_STD))
        ],
    },
    "02_multiscale_prompts": {
        "and the constant with it: 0.013": lambda: [round(constant_inside("train"), 3)],
        "0.109 is left at every place inside": lambda: [round(constant_inside("eval"), 3)],
        "0.0201 to 0.0231 %": shares_of_the_cnn,
        "each interval ends below +0.92": published_is_outside,
        "the interval ends below +0.92: a gain": published_is_outside_at_its_size,
        "each of these holds +0.92 as well": lambda: (
            [0.92] if all(low < 0.92 < high for low, high in map(gain_on_digits, MSVP_SETTINGS)) else []
        ),
        "81 numbers of 5.4 million": lambda: [
            1 + 16 + 64,
            round(millions("vit_tiny_small", in_chans=1, image_size=28), 1),
        ],
    },
    "03_instance_image_prompts": {
        "do not tell either from β = 0.7 (from each other they do, by 4.7 points)": lambda: [
            0.7,
            round(gaps("insvp_image", "beta:1", "beta:0").mean(), 1),
        ],
        "is 17 points above the probe": lambda: [more_images("instance_image", 4000)],
        "alike, by five to six points": lambda: from_more_images("instance_image"),
        "four points for the picture made from the image": lambda: [more_images("instance_image", 16_000, epochs=1)],
        "0.6 to 0.7 million weights": lambda: sorted(round(millions(name), 1) for name in ("resnet_nano", "vit_nano")),
        "the universal prompt gains about nine points": lambda: [
            round(gaps("insvp_image", "universal", "none", "photodigits_fixed").mean())
        ],
        "a hundred times as large": lambda: [round(86 / millions("vit_nano"), -2)],
        "Four seeds end within 0.2 points": lambda: [
            round(float(np.sort(np.abs(gaps("insvp_image", "beta:0.3 rescaled", "instance")))[-2]), 1)
        ],
    },
    "04_instance_feature_prompts": {
        "lesson 05's activation prompt gains 19 points": lambda: [
            more_images("activation:layer=2", 16_000, "vit_nano")
        ],
        "ten times the prompt's above": times_the_rate,
        "ViT of 0.7 million weights": lambda: [round(millions("vit_nano"), 1)],
        "InsVP is eight points above the probe": lambda: [more_images("instance", 1000, "vit_nano")],
        "is two points below it at 250": lambda: [-more_images("instance", 250, "vit_nano", base="norm_tuning")],
        "it is 18 points above it at 16,000": lambda: [more_images("instance", 16_000, "vit_nano", base="norm_tuning")],
        "It is three points below the probe at 250 images": lambda: [-more_images("vpt_deep", 250, "vit_nano")],
        "and ten points above it at 16,000, where all parts gain 48 points": lambda: [
            more_images(prompt, 16_000, "vit_nano") for prompt in ("vpt_deep", "instance")
        ],
        "at 4,000 it is 29 points above": lambda: [more_images("instance", 4000, "vit_nano")],
        "reads 83 % of the digits instead of 35 %": lambda: [
            reached(prompt, 16_000, "vit_nano") for prompt in ("instance", "none")
        ],
        "both accuracies, by five to seven points": lambda: from_more_images("instance", backbone="vit_nano"),
        "InsVP gains six points": lambda: [more_images("instance", 16_000, "vit_nano", 1)],
        "InsVP gains nine points": lambda: [more_images("instance", 1000, "vit_nano", 256)],
        "no gain above, eight points here": lambda: [more_images("instance", 1000, "vit_nano")],
        "no gain of InsVP, another eight points": lambda: [more_images("instance", 1000, "vit_nano")],
        "grew from 8 points to 48 points": lambda: [
            more_images("instance", size, "vit_nano") for size in (1000, 16_000)
        ],
        "lies ten points above all parts": lambda: [
            round(gaps("insvp_features", "lora", "all", backbone="vit_nano").mean())
        ],
        "β_F = 0.9 is above 0.5": lambda: (
            [0.9, 0.5] if interval("insvp_features", "beta 0.9", "all", backbone="vit_nano").low > 0 else []
        ),
        "here ±0.144": lambda: [round(math.sqrt(6 / (3 * 8**2 + 96)), 3)],
        "are 0.16 % of the network": lambda: [round(100 * 136_627 / 85.8e6, 2)],
        "are 0.001, 0.0032 and 0.01": lambda: [round(CENTER * step, 4) for step in (1 / STEP, 1, STEP)],
        "The rate of the frozen one is three times that of all parts": lambda: [
            round(
                max(rates("insvp_features", "frozen", "lr", "vit_nano"))
                / max(rates("insvp_features", "all", "lr", "vit_nano"))
            )
        ],
    },
    AP: {
        "InsVP's gains one point with 16,000 images": lambda: photographs(16_000, "instance_image"),
        "eight points at 1,000 images, 19 points at 16,000": lambda: [
            more_images("activation:layer=2", size, "vit_nano") for size in (1000, 16_000)
        ],
        "The probe reads 56 % with 250 images, where it read 24 % of the digits": lambda: [
            probe_at(250, table) for table in ("scale_cifar10", "scale")
        ],
        "With 16,000 AP gains two points, norm tuning four points, full fine-tuning ten points": lambda: photographs(
            16_000, "activation:layer=3", "norm_tuning", "full_tuning"
        ),
        "on the digits AP gained 24 points": lambda: [more_images("activation:layer=3", 16_000)],
        "six points at 1,000": lambda: [more_images("activation:layer=3", 1000)],
        "AP gains 24 points at layers 2 and 3": lambda: sorted(
            {more_images(f"activation:layer={layer}", 16_000) for layer in (2, 3)}
        ),
        "the probe of layer 6 stands six points above": lambda: [more_images("layer_probe:layer=6", 16_000)],
        "do not let us tell, 14 points": lambda: [more_images("activation:layer=0", 16_000)],
        "at layers 1 and 6 AP is two points above": lambda: sorted(
            {more_images(f"activation:layer={layer}", 1000, epochs=40) for layer in (1, 6)}
        ),
        "With 16,000 AP is 18 points above it": lambda: [
            more_images("activation:layer=2", 16_000, base="layer_probe:layer=6")
        ],
        "AP at layer 2 is 15 points above the probe": lambda: [
            more_images("activation:layer=2", 16_000, "vit_nano", base="layer_probe:layer=5")
        ],
        "than with 1,000 images, by five to seven points": lambda: from_more_images("activation:layer=3"),
        "and AP gains eight points": lambda: [more_images("activation:layer=3", 1000, epochs=256)],
        "have, and AP gains seven points": lambda: [more_images("activation:layer=3", 16_000, epochs=1)],
        "gains eleven points": lambda: [round(gaps("ap_layers", "ap@3", "none").mean())],
        "0.6 to 0.7 million weights": lambda: sorted(round(millions(name), 1) for name in ("resnet_nano", "vit_nano")),
        "with 64 and 128 numbers": lambda: [extra("bias@4")["learned"]],
        "stands six points above": lite_norms,
        "and norm tuning six points": lite_norms,
        "a head alone reads 80 %": lambda: [round(lite())],
        "lost three points by it": lambda: [round(lite() - lite(rate=0.1))],
        "AP would seem three to four points ahead": lambda: sorted(
            {round(lite(f"activation:layer={layer}") - lite(rate=0.1)) for layer in range(0, 17, 2)}
        ),
        "and 3.4 million weights": lambda: [round(millions(LITE, classifier=False, image_size=128), 1)],
        "the same one was best, 0.0032": lambda: sorted(
            {round(run["cell"]["lr"], 4) for run in recorded("imagenet").runs if "activation" in run["cell"]["prompt"]}
        ),
        "the probe got the rate 0.1": lambda: [max(run["cell"]["lr"] for run in recorded("imagenet").runs)],
        "all five lay between 0.03 and 0.3": lambda: [round(0.1 / STEP, 2), round(0.1 * STEP, 1)],
        "480 numbers that add nothing": lambda: [extra("ap@7")["learned"]],
        "lie within two points of each other": lambda: [spread_of_first_layers()],
        "at layers 1 and 2 it gains about two points": lambda: vit_gains(1, 2),
        "it gains five points or more at every layer from 0 to 4": lambda: [
            math.floor(min(gaps("ap_layers", f"ap@{n}", "none", "digits", "vit_nano").mean() for n in range(5)))
        ],
        "lies within two points of the best layer": lambda: [behind_the_best()],
        "by almost eight points": lambda: [ahead("probe@6", "ap@6")],
        "liked the largest rate of its four trials best, 0.3": lambda: sorted(
            set().union(*(rates("ap_layers", f"probe@{layer}", "rate") for layer in range(1, 6)))
        ),
        "A lead of twenty points": lambda: vit_gains(1, 2, over="probe@{}"),
        "about 14 and 9 points ahead": lambda: [ahead("ap@2", "random@2"), ahead("ap@4", "random@4")],
        "is seven to eight points behind at layers 2 and 4": lambda: controlled("channel", 4, 2),
        "lie four and seven points behind": lambda: controlled("bias", 2, 4),
        "of the biases by two to three points": lambda: sorted({*controlled("bias", 2, 3, 4, backbone="vit_nano")}),
    },
    "06_prompts_and_norms": {
        "AP at layer 3 gained 24 points": lambda: [more_images("activation:layer=3", 16_000)],
        "There it learns 2,048 numbers": lambda: [learned("activation:layer=3", "prompt")],
        "by four points over AP at 250 images": lambda: [more_images("norm_tuning", 250, base="activation:layer=3")],
        "by 20 points at 16,000": lambda: [more_images("norm_tuning", 16_000, base="activation:layer=3")],
        "at 4,000 norm tuning is four points ahead, at 16,000 eleven points": lambda: [
            more_images("norm_tuning", size, "vit_nano", base="activation:layer=2") for size in (4000, 16_000)
        ],
        "norm tuning is 30 points above the probe": lambda: [more_images("norm_tuning", 16_000, "vit_nano")],
        "another 18 points above norm tuning": lambda: [
            more_images("instance", 16_000, "vit_nano", base="norm_tuning")
        ],
        "norm tuning was six points above the probe there": lite_norms,
        "Their best trials read 35.6 and 35.0 %": lambda: [
            round(100 * table("norms", "photodigits", "resnet_nano")[name, 0]["extra"]["valid"], 1)
            for name in ("stem_bias", "ap_after")
        ],
        "0.6 to 0.7 million weights": lambda: sorted(round(millions(name), 1) for name in ("resnet_nano", "vit_nano")),
        "In the CNN's stem, at a rate of 0.1,": lambda: sorted(
            rates("norms", "stem_bias", "rate") | rates("norms", "ap_after_same", "rate")
        ),
    },
    "07_do_the_pictures_explain": {
        "0.6 to 0.7 million weights": lambda: sorted(round(millions(name), 1) for name in ("resnet_nano", "vit_nano")),
        "The prompt's rate, 0.1,": lambda: sorted(rates("pictures", "ap", "lr")),
        "a correlation of 0.59 would do": lambda: [critical_correlation(12)],
        "rank correlation of 0.6 over the six layers of a ViT (p = 0.24)": lambda: [
            0.6,
            round(permutations_at(0.6), 2),
        ],
    },
    "08_bug_museum": {
        "99.7 % of the test digits in our cut, and 95.0 %": lambda: [named_by_the_nearest(cut) for cut in CUTS],
        "the gain of AP by two points": lambda: [owed_to_writers("activation:layer=3")],
        "that of full fine-tuning by three points": lambda: [owed_to_writers("full_tuning")],
        "With σ near 0.27": lambda: [round(float(np.mean(deviations("resnet_nano"))), 2)],
        "stretches the image about 3.8 times": lambda: [round(1 / float(np.mean(deviations("resnet_nano"))), 1)],
        "One network of 0.65 million weights": lambda: [round(millions("resnet_nano"), 2)],
    },
    "09_bake_off": {
        "2.4 points better than three": lambda: [round(2 * (best_of(30) - best_of(3)), 1)],
        "norm tuning was six points above it": lite_norms,
        "0.6 to 0.7 million weights": lambda: sorted(round(millions(name), 1) for name in ("resnet_nano", "vit_nano")),
        "there are 176 intervals in the figure": lambda: [fields()],
        "AP two points, norm tuning seven points, full fine-tuning 14 points": lambda: all_of_cifar10(
            "activation:layer=3", "norm_tuning", "full_tuning"
        ),
        "these are the two points that it gained with 16,000 images": lambda: sorted(
            {*all_of_cifar10("activation:layer=3"), *photographs(16_000, "activation:layer=3")}
        ),
        "has it 11.8 points above the probe, with an interval from 8.4 to 15.3": lambda: [
            round(end, 1)
            for end in recorded("shots").gain("digits", "linear probe", "activation prompt", "resnet_nano", shots=4)
        ],
    },
}

# %% [markdown]
# # The bake-off
#
# **You will be able to**
#
# - write down a fair protocol before the first run, and audit a table that somebody else made;
# - compare methods on a folder of your own pictures, with the same number of trials for each, and report it on one
#   page;
# - say what stands, what cannot be told, and what your runs could have seen;
# - read large tables: few images, many sets, learned numbers against accuracy.
#
# **Before you start**: lessons 00 (probe, splits), 02 (paired seeds) and 05 (activation prompts); 01, 03, 04 and 06
# explain the other methods.
#
# **Your time**: 30 minutes for the core, 80 for the deeper sections.
# With your own pictures and the report plan two to three hours.
# **Machine time**: about 40 seconds on two CPU cores.

# %% name="setup"
import tempfile
from pathlib import Path

import numpy as np
import torch
from scipy import stats
from sklearn.datasets import load_sample_images

import vpcore
from course import check, show
from course.recorded import recorded
from course.show.board import board
from course.show.clouds import tradeoff
from course.studies.own_pictures import bake_off, figure, report, write_report
from course.studies.study_09 import SHOTS, methods_for
from course.widgets.results import ResultsExplorer
from vpcore.statistics import two_way_p_value

torch.set_num_threads(1)  # so small a network gains nothing from a second thread

# %% [markdown]
# ## 1. The frame once more
#
# Nearly every method of this course puts a learned δ somewhere into a frozen network: x → x + δ. On pixels it is a pad
# or a picture (01, 02), made for each image (03); beside tokens, as new ones, VPT and InsVP (04); on the activations of
# one layer AP (05); on the weights of the norms it is called norm tuning (06). The linear probe learns a head and no δ
# at all.
#
# **Question.** Papers compare such methods in tables. What must be the same in every row, so that a difference between
# two rows is a difference between two methods?

# %%
backbone = vpcore.load_backbone("resnet_nano")
data = vpcore.load_data("digits", image_size=32, in_chans=3)
print("method             as vpcore writes it        first rates tried")
for name, (text, center) in methods_for(backbone).items():
    print(f"{name:18} {text:26} {center / 10**0.5:.2g}, {center:.2g}, {center * 10**0.5:.2g}")

# %% [markdown] answer=true
# At least these: the backbone, the images and their order, the number of steps, what is chosen on which split, how many
# rates each method may try, and the seeds. If one of them differs, the table compares that, too.

# %% [markdown]
# ## 2. Equal trials
#
# A method with more knobs has more chances. If one method may try thirty learning rates and the other three, the first
# gets the best of thirty noisy numbers.
#
# The expected best of $n$ independent normal numbers with mean μ and standard deviation σ lies above μ, and rises with
# $n$:
#
# $$\begin{gathered}
# \mathbb E \max(a_1, \dots, a_n) = \mu + \sigma\, c_n, \\
# c_1 = 0 < c_2 < c_3 < \dots
# \end{gathered}$$
#
# **Question.** Suppose two methods are exactly equal: whatever the rate, their accuracy is 70 % ± 2. By how many points
# does the one that tries thirty rates seem better than the one that tries three?

# %%
chance = np.random.default_rng(0)
draws = 70 + 2 * chance.standard_normal((20_000, 30))
for tried in (1, 3, 5, 10, 30):
    print(f"best of {tried:2} trials: {draws[:, :tried].max(1).mean():.1f} % on average")

# %% [markdown] answer=true
# The two are equal, and yet thirty trials seem 2.4 points better than three. On a fresh test set this gain is gone: it
# was luck of the split that chose. Yet tables are often made so: the new method tuned at length, the old one taken with
# the rate of its paper.

# %% [markdown]
# ### Exercise: cut to equal trials
#
# `trials` holds for each method a list of (rate, validation accuracy), in the order they were tried. Return for each
# method the best rate among its first n trials; n is the smallest number of trials that any method has. Where two
# accuracies are equal, the earlier rate counts.


# %% exercise={"id": "09-equal", "points": 3, "minutes": 5, "difficulty": 2, "path": "core", "needs": ["setup"]}
def choose_rates(trials):
    """Return {method: rate}; trials is {method: [(rate, validation accuracy), ...]}."""
    ### BEGIN SOLUTION
    budget = min(len(tried) for tried in trials.values())
    chosen = {}
    for method, tried in trials.items():
        best_rate, best = tried[0]
        for rate, accuracy in tried[1:budget]:
            if accuracy > best:
                best_rate, best = rate, accuracy
        chosen[method] = best_rate
    return chosen
    ### END SOLUTION


# %% check="09-equal"
check("09-equal", choose_rates)

# %%
choose = check.use("09-equal", choose_rates)
log = {"old": [(0.01, 0.612), (0.03, 0.655), (0.1, 0.648)], "new": [(0.001, 0.58), (0.01, 0.641), (0.03, 0.650)]}
log["new"] += [(0.02, 0.653), (0.025, 0.662), (0.028, 0.667)]  # three more rates, for the new method alone
print("made by:", check.made_by("09-equal"))
print("with equal trials:", choose(log))

# %% [markdown]
# ## 3. Audit a protocol
#
# Before you believe a table, look at the list of runs behind it. Here each run is a dictionary with `method`, `kind`
# ("trial" or "final"), `split` (which images gave its accuracy) and `seed`.
#
# ### Exercise: audit
#
# Return a dictionary {method: True or False} with True for each method that breaks a rule: a *trial* read the test set;
# or the seeds of the *final* runs are not those of the baseline's final runs, each once (in any order). A method
# without final runs breaks it, too. The baseline has final runs, and is no exception: if it ran a seed twice, it breaks
# the rule itself.


# %% exercise={"id": "09-audit", "points": 3, "minutes": 7, "difficulty": 2, "path": "core", "needs": ["setup"]}
def audit(runs, baseline):
    """Return {method: whether it breaks the protocol}; runs are dictionaries, baseline is a method."""
    ### BEGIN SOLUTION
    seeds, guilty = {}, set()
    for run in runs:
        seeds.setdefault(run["method"], [])
        if run["kind"] == "trial" and run["split"] == "test":
            guilty.add(run["method"])
        if run["kind"] == "final":
            seeds[run["method"]].append(run["seed"])
    for method, found in seeds.items():
        if sorted(found) != sorted(set(seeds[baseline])):
            guilty.add(method)
    return {method: method in guilty for method in seeds}
    ### END SOLUTION


# %% check="09-audit"
check("09-audit", audit)

# %% point=true
table = recorded("shots")
examine = check.use("09-audit", audit)
listing = [
    {"method": run["cell"]["prompt"], "kind": "final", "split": "test", "seed": run["cell"]["seed"]}
    for run in table.runs
    if run["cell"]["data"] == "digits" and run["cell"]["backbone"] == "resnet_nano" and run["cell"]["shots"] == 4
]
print("made by:", check.made_by("09-audit"))
found = [method for method, breaks in examine(listing, "linear probe").items() if breaks]
print("our own table, resnet_nano, 4 a class:", len(listing), "final runs; guilty:", found or "nobody")
peek = [*listing, {"method": "pad", "kind": "trial", "split": "test", "seed": 0}]
found = [method for method, breaks in examine(peek, "linear probe").items() if breaks]
print("the same with one trial that read the test set; guilty:", found)

# %% [markdown]
# The rule about trials cannot be seen in our file: it holds final runs only. That trials read nothing but validation is
# a property of the program, `course/studies/study_09.py`, and a test of the course looks at it. An audit of a table
# without its program has such a hole.

# %% [markdown]
# ## 4. Your own pictures
#
# `load_data("folder", root=...)` takes a folder that holds a folder for each class, and cuts it in three. Better, you
# cut it yourself, so that no scene, no person and no burst of photographs is in two splits:
#
#     my_pictures/
#         train/  cat/ 001.jpg …    dog/ 001.jpg …
#         valid/  cat/ …            dog/ …
#         test/   cat/ …            dog/ …
#
# Reading it is a check as well: a folder that is a level too high, a class without pictures, a file that cannot be
# read, a format that is not read, and pictures that look alike in two splits are named, with what to do. Without
# `valid/` some pictures of `train/` are taken for it, at random.
#
# The next cell makes such a folder from scikit-learn's two photographs: 20 crops a class and split, from different
# parts of the picture. **With your own
# pictures, write one line in place of that cell: `place = Path("my pictures")`, with the path of your folder.**

# %% name="folder"
from PIL import Image

place, pick = Path(tempfile.mkdtemp()) / "my pictures", np.random.default_rng(0)
for picture, name in zip(load_sample_images().images, ("china", "flower"), strict=True):
    for part, first in {"train": 0, "valid": 220, "test": 430}.items():  # columns of the photograph, 640 wide
        (place / part / name).mkdir(parents=True)
        for number in range(20):
            top, left = pick.integers(0, picture.shape[0] - 24), first + pick.integers(0, 180)
            Image.fromarray(picture[top : top + 24, left : left + 24]).save(place / part / name / f"{number:03}.png")

# %%
own = vpcore.load_data("folder", root=place, image_size=32, in_chans=3)
print("classes:", own.classes, "  images:", len(own.train), len(own.valid), len(own.test))

# %%
some = torch.linspace(0, len(own.train) - 1, 6).long()
names = [own.classes[label] for label in own.train.labels[some].tolist()]
show.image_row(own.train.images[some].float() / 255, names, "Images to learn from")

# %% [markdown]
# The protocol in one call. `bake_off` gives every method the same images in the same batches, the same steps and the
# same number of rates on the validation images of seed 0; then five paired seeds, and the test images once a seed. One
# rate holds for all that learns in a method, the head included.
#
# **Question.** Which method will be ahead of the probe here? And by how much must it be ahead, so that 40 test images
# can show it?

# %% name="bake-off"
chosen = ("linear probe", "activation prompt", "norm tuning", "full fine-tuning")
methods = {name: methods_for(backbone)[name] for name in chosen}
entries = bake_off(own, backbone, methods, trials=3, epochs=4)  # with your own pictures: trials=5, epochs=20
for name, entry in entries.items():
    trials, seeds = len(entry.trials), len(entry.right)
    print(f"{name:18} learns {entry.learned:7,} numbers besides the head; {trials} rates, {seeds} seeds")

# %%
figure(entries, "linear probe", f"your run, 5 seeds, {len(own.test)} test images")

# %% [markdown] answer=true
# An interval that holds zero says "cannot tell", and with 40 test images that is what to expect: one image is two and a
# half points. The page that the next cell writes says how large a true difference these runs would have found
# in 80 % of such experiments. If its accuracies are all near 100 %, the task is too easy to compare anything.
#
# Crops of one photograph are not independent pictures, whatever part they come from: such a test set flatters every
# method. On your own pictures, see that no scene is in two splits.

# %%
page = report(entries, "linear probe", own, backbone)
print(write_report(page, place / "report.md"))

# %% [markdown]
# It lies beside your pictures, in the folder that `print(place)` names (that of the two photographs is temporary), and
# `print(page)` shows it: a rate with a star was the smallest or the largest tried, so a better one may lie beyond, and
# then every method deserves more rates. The page has question, protocol, table, what could be seen. What stands,
# and what you would run next, is yours to write; a page that you have changed is not written over. The last deeper
# section is the exercise for it, with a rubric.

# %% [markdown]
# ## Deeper: few images
#
# With 1, 4 or 16 images a class, *which* images are drawn matters as much as the method. So each seed draws images, and
# all methods of that seed get the same ones. The one image of "1 a class" is among the four of "4 a class": then more
# shots means more images, and not other images.

# %% [markdown]
# ### Exercise: draw the shots
#
# `order` is a random permutation of all images. For each class, in ascending order of the labels, take the first
# `shots` images of that class *in this order*; a class with fewer gives what it has. Return their indices, joined.


# %% exercise={"id": "09-shots", "points": 2, "minutes": 5, "difficulty": 2, "path": "extra", "needs": ["setup"]}
def few_shot(labels, order, shots):
    """Return the indices of `shots` images of each class: labels (N,), order (N,) a permutation; the first come."""
    ### BEGIN SOLUTION
    chosen = []
    for label in labels.unique():
        members = order[labels[order] == label]
        chosen.append(members[:shots])
    return torch.cat(chosen)
    ### END SOLUTION


# %% check="09-shots"
check("09-shots", few_shot)

# %%
draw = check.use("09-shots", few_shot)
orders = [torch.randperm(len(data.train), generator=torch.Generator().manual_seed(seed)) for seed in range(5)]
print("made by:", check.made_by("09-shots"))
for shots in SHOTS:
    chosen = draw(data.train.labels, orders[0], shots)
    nested = set(draw(data.train.labels, orders[0], 1).tolist()) <= set(chosen.tolist())
    print(f"{shots:2} a class: {len(chosen):3} images, the first ten labels {data.train.labels[chosen][:10].tolist()}")
    print("   the images of 1 a class are among them:", nested)

# %% [markdown]
# **Question.** Below is the one image a class for digits 0 to 5, in two draws. Would you learn the same from both?

# %%
rows = [data.train.images[draw(data.train.labels, orders[seed], 1)][:6].float() / 255 for seed in range(2)]
titles = [f"{digit}, seed {seed}" for seed in range(2) for digit in range(6)]
show.image_row(torch.cat(rows), titles, "One image a class, two draws", made_by=check.made_by("09-shots"))

# %% [markdown] answer=true
# Hardly: the two draws show the same digits in other handwriting. With one image a class the draw is a large part of
# the result.

# %% [markdown]
# ## Deeper: the recorded table of few images
#
# The methods of section 1, and three more for the ViT, on digits, for each number of images: four rates tried for each,
# on 160 validation images however few there are to train, five seeds, 397 test images. "Instance image" is InsVP's
# picture at the pixels, "instance" its tokens.
#
# **Question.** With one image a class, what can be learned besides the head? Where do you expect full fine-tuning:
# at the top or at the bottom? Decide before you press a button.

# %% name="explorer"
explorer = ResultsExplorer(table, "digits", ("resnet_nano", "vit_nano"))
explorer

# %% name="against"
def against(name, data_set, backbone_name, shots):
    """Return how a method stands to the probe, that in words with its interval, and the p-value."""
    asked = (data_set, "linear probe", name, backbone_name)
    gain = table.gain(*asked, shots=shots)  # points, for other seeds and other test images
    words = f"{gain.mean:+6.2f} ({gain.low:+6.2f} to {gain.high:+6.2f})  {gain.verdict()}"
    return gain.verdict(), words, two_way_p_value(*table.pair(*asked, shots=shots))

# %% point=true
verdicts, p_values = {}, {}
for backbone_name in ("resnet_nano", "vit_nano"):
    for shots in SHOTS:
        base = table.accuracies("digits", "linear probe", backbone_name, shots=shots)
        print(f"\n{backbone_name}, {shots} a class: linear probe {base.mean():.1f} %")
        for name in list(methods_for(vpcore.load_backbone(backbone_name)))[1:]:
            values, key = table.accuracies("digits", name, backbone_name, shots=shots), (backbone_name, shots, name)
            verdicts[key], words, p_values[key] = against(name, "digits", backbone_name, shots)
            print(f"  {name:18} {values.mean():5.1f} %  {words}")

# %%
counts = {word: list(verdicts.values()).count(word) for word in ("above", "below", "cannot tell")}
print(f"{len(verdicts)} comparisons with the probe:", counts)

# %% [markdown] answer=true
# Full fine-tuning, which moves every weight, is above the probe with the ResNet, at every number of images, even with
# one a class. In the ViT this holds only with 16. With one image a class no method of the ViT can be told from the
# probe.
#
# Two things to keep apart: a *row* with a wide interval cannot tell, and a *table* with many rows has many chances for
# a false alarm. And a verdict has an edge: in the ViT VPT-deep and norm tuning with 16 images only just exclude zero.

# %% [markdown]
# **Question.** At 95 %, how many of these comparisons would come out as "above" or "below" if no method did anything?

# %%
print(f"about {0.05 * len(verdicts):.1f} of {len(verdicts)}, by chance alone")

# %% [markdown] answer=true
# About two, and nobody would know which. Holm's rule asks how many stand together.

# %% [markdown]
# ## Deeper: which claims stand together?
#
# ### Exercise: which claims stand together?
#
# Holm's rule: sort n claims by p-value, $p_{(1)} \le p_{(2)} \le \dots$ Hold them one after the other against
#
# $$p_{(k)} \le \frac{\alpha}{n - k + 1}$$
#
# with α the `level`. At the first one above its limit stop: it and all later ones fall. Then the chance of even one
# false claim is at most `level`. Return for each claim, in the order given, whether it stands.


# %% exercise={"id": "09-holm", "points": 2, "minutes": 6, "difficulty": 2, "path": "extra", "needs": ["setup"]}
def holm(p_values, level):
    """Return a list of True or False, one a claim, in the order of p_values."""
    ### BEGIN SOLUTION
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    stands = [False] * len(p_values)
    for rank, place in enumerate(order):
        if p_values[place] > level / (len(p_values) - rank):
            break
        stands[place] = True
    return stands
    ### END SOLUTION


# %% check="09-holm"
check("09-holm", holm)

# %%
stands = check.use("09-holm", holm)(list(p_values.values()), 0.05)
single = sum(p <= 0.05 for p in p_values.values())
print("made by:", check.made_by("09-holm"))
print(f"{single} of {len(p_values)} comparisons differ one by one, {sum(stands)} stand together:")
for (backbone_name, shots, name), stand in zip(p_values, stands, strict=True):
    if stand:
        print(f"  {backbone_name:12} {shots:2} a class  {name:18} {verdicts[backbone_name, shots, name]} the probe")

# %% [markdown]
# All this is one easy set: gray digits in the middle of the image.
#
# **Question.** The same digits, colored and pasted anywhere on photographs (photodigits): what is left of the order of
# the methods with so few images?

# %%
print("resnet_nano on photodigits, chance 10 %, recorded, 5 seeds, 1,000 test images")
for shots in SHOTS:
    base = table.accuracies("photodigits", "linear probe", "resnet_nano", shots=shots)
    print(f"{shots:2} a class: linear probe {base.mean():.1f} %")
    for name in list(methods_for(backbone))[1:]:
        values = table.accuracies("photodigits", name, "resnet_nano", shots=shots)
        print(f"   {name:18} {values.mean():5.1f} %  {against(name, 'photodigits', 'resnet_nano', shots)[1]}")

# %% [markdown] answer=true
# Not much. With one or four images a class every row is close to chance, and a table of methods is a table of noise,
# however many rows it has. At 16 a class one row stands out: full fine-tuning. A comparison needs a task that at least
# one of its rows can do.

# %% [markdown]
# ## Deeper: a thousand images, eight sets
#
# One set is no statement about others. The last table is larger: both small backbones, eight sets, 1,000 training
# images each, ten epochs, five rates tried for each method and layer on the validation images of seed 0, five seeds,
# 310 to 2,000 test images. It was recorded in parts with `python -m vpcore.grid --preset transfer`. AP and the probe
# on layer-l features were recorded at every layer; here each is shown at the layer that *validation* images of that
# set choose. So these two rows had five trials for each of seven or eight layers, and the others five in all. Keep
# that in mind.
#
# USPS has handwritten digits from envelopes, Fashion-MNIST gray pictures of clothes. Sign digits are hand signs for the
# ten digits, clothing is ten kinds of clothes; both were reduced to 64 pixels and stored as WebP of quality 90 before
# they were read here.
#
# **Question.** Is there a method that beats the linear probe on every set? And does the order of the methods on one set
# tell their order on another? Guess both before you go on.

# %% name="transfer"
transfer = recorded("transfer")
ROWS = {"picture, full": "full", "pad": "pad", "a picture a cluster": "cluster", "InsVP, picture": "instance_image",
        "AP, chosen layer": "activation", "layer-l probe, chosen": "layer_probe", "norm tuning": "norm_tuning",
        "BitFit": "bitfit", "VPT-deep": "vpt_deep", "InsVP, tokens": "instance", "LoRA": "lora",
        "full fine-tuning": "full_tuning"}  # fmt: skip
SETS = {"digits": "digits", "photodigits": "photodigits", "photodigits, fixed": "photodigits:position=fixed",
        "usps": "usps", "fashion": "fashion_mnist", "cifar10": "cifar10", "sign digits": "folder:sign_digits",
        "clothing": "folder:clothing"}  # fmt: skip


# %%
def chosen_by_validation(backbone_name, data_set, method):
    """Return the recorded text of a method; of several layers the one with the best mean validation accuracy."""
    asked = {"backbone": backbone_name, "data": data_set}
    found = {}
    for run in transfer.runs:
        if asked.items() <= run["cell"].items() and run["cell"]["prompt"].partition(":")[0] == method:
            found.setdefault(run["cell"]["prompt"], []).append(run["valid_accuracy"])
    return max(found, key=lambda text: np.mean(found[text])) if found else None


# %%
def against_probe(backbone_name, data_set, method):
    """Return a method minus the linear probe in points with its interval, and its mean accuracy; or None."""
    text = chosen_by_validation(backbone_name, data_set, method)
    if text is None:
        return None
    mean = float(transfer.accuracies(data_set, text, backbone_name).mean())
    return transfer.gain(data_set, "none", text, backbone_name), mean

# %%
tables, means = {}, {}
for backbone_name in ("resnet_nano", "vit_nano"):
    for row, method in ROWS.items():
        for column, data_set in SETS.items():
            found = against_probe(backbone_name, data_set, method)
            if found:
                tables.setdefault(backbone_name, {}).setdefault(row, {})[column] = found[0]
                means.setdefault(backbone_name, {}).setdefault(row, []).append(found[1])
    sets = len(next(iter(tables[backbone_name].values())))
    print(f"{backbone_name}: {len(tables[backbone_name])} methods on {sets} sets, 5 seeds each")

# %%
title = "Each method minus the linear probe, points; in brackets: its interval holds zero"
board(tables, title, label="recorded, 5 paired seeds, 1,000 training images, 310 to 2,000 test images")

# %%
for backbone_name, rows in tables.items():
    print(backbone_name)
    for row, cells in rows.items():
        found = [ends.verdict() for ends in cells.values()]
        worst = min(cells, key=lambda column: cells[column].mean)
        print(f"  {row:22} above on {found.count('above')}, below on {found.count('below')} of {len(cells)}; "
              f"least on {worst} ({cells[worst].mean:+.1f})")  # fmt: skip

# %%
for backbone_name, rows in means.items():
    ranks = stats.rankdata(np.array(list(rows.values())), axis=0)  # (methods, sets)
    between = np.corrcoef(ranks.T)[np.triu_indices(ranks.shape[1], 1)]
    pairs = list(zip(*np.triu_indices(ranks.shape[1], 1), strict=True))
    print(f"{backbone_name}: rank correlation between two sets {between.mean():+.2f} on average, "
          f"from {between.min():+.2f} to {between.max():+.2f} over {len(between)} pairs of sets")  # fmt: skip
    alone = between[[list(SETS).index("cifar10") in pair for pair in pairs]]
    print(f"   CIFAR-10 with the others: from {alone.min():+.2f} to {alone.max():+.2f}")
    print("   least alike:", " and ".join(list(SETS)[place] for place in pairs[int(between.argmin())]))
    texts = [chosen_by_validation(backbone_name, data_set, "activation") for data_set in SETS.values()]
    print("   layer of AP that validation chose:", ", ".join(text.rpartition("=")[2] for text in texts))

# %% [markdown] answer=true
# **By column.** Gains differ between sets about as much as between methods, in the ViT more. On photodigits at a fixed
# place nearly everything gains, even a pad. CIFAR-10 shows small photographs of everyday things, like
# CIFAR-100, on which both backbones were trained. There nearly every row gains least. In the ResNet only LoRA and full
# fine-tuning gain more than a point. In the ViT no row is above the probe, and six are below it, full fine-tuning among
# them.
#
# **By row.** Only one row is above the probe on all eight sets: LoRA in the ResNet. In the ResNet full fine-tuning or
# LoRA has the highest mean on every set. In the ViT one of the two has it on four sets; elsewhere it is InsVP (USPS,
# and level with full fine-tuning on digits), AP (Fashion-MNIST) or the layer-l probe (CIFAR-10).
#
# An activation prompt at a chosen layer has a higher mean than every picture at the pixels, on every set and in both
# networks. It also holds at layer 3 alone, which got five trials like the pictures (not drawn). That
# much of the AP paper's claim holds here. InsVP's tokens have a higher mean than VPT-deep's on seven sets of eight,
# but its picture beats one picture for all in only eight fields of sixteen. Whether what is made from the *image* does
# it is another question, which lesson 04 put to the tokens: there nothing measurable came from it.
#
# Other tables of this course say otherwise about photodigits. In lesson 06 two of LoRA's five runs end near chance; in
# lesson 04 InsVP is below VPT-deep. Epochs, batches and rates differ. Compare rows of one table, never of two.
#
# **By layer.** In the ResNet validation chose AP's layers 1 to 4 of 0 to 7, in the ViT 0 to 3 of 0 to 6, and the layer
# moves with the set. Relative to depth both stand at about a third. "CNNs want it late" does not agree with that; "ViTs
# want it early" does, but no more for the ViT than for the CNN.
#
# **By order.** The order of methods on one set tells much about their order on another in the ResNet. In the ViT it
# tells less, and the order on CIFAR-10 has almost nothing in common with the others. The *size* of a gain is a
# property of the set as much as of the method.
#
# **Two traps.** Full fine-tuning of the ResNet on photodigits stands in brackets although its mean is far above: at the
# rate that seed 0 chose, one of five runs diverged. A mean would hide that, an interval does not. And there are 176
# intervals in the figure: were all methods equal, about nine would miss zero all the same. Trust rows and columns, not
# a single field.

# %% [markdown]
# ## Deeper: all of CIFAR-10
#
# The papers learn from all the training images of a set. Here is the frozen ResNet once more, on all of CIFAR-10:
# 45,000 images to learn from, 5,000 for validation, all 10,000 to test. 10 epochs in batches of 128, three paired
# seeds. Each method had five trials for its rate, with 4,000 images; AP stands at layer 3.
#
# **Question.** With a thousand images of CIFAR-10, only LoRA and full fine-tuning gained more than a point in this
# network. Which rows will gain now?

# %%
whole, rows = recorded("whole"), {}
METHODS = {"InsVP, picture": "instance_image", "AP, layer 3": "activation:layer=3", "norm tuning": "norm_tuning",
           "full fine-tuning": "full_tuning"}  # fmt: skip
for name, method in METHODS.items():
    rows[name] = gain = whole.gain("cifar10", "none", method, "resnet_nano")
    reached, ends = whole.accuracies("cifar10", method, "resnet_nano"), f"({gain.low:+.2f} to {gain.high:+.2f})"
    print(f"{name:17} {reached.mean():.1f} %, {gain.mean:+.2f} points {ends}: {gain.verdict()}")
print(f"the linear probe has {whole.accuracies('cifar10', backbone='resnet_nano').mean():.1f} %")
label = "recorded, 3 paired seeds, 10,000 test images"
show.intervals(rows, "Each method minus the linear probe, all of CIFAR-10", label=label)

# %% [markdown] answer=true
# All four: InsVP's picture gains half a point, AP two points, norm tuning seven points, full fine-tuning 14 points.
# Their order is that of the 16,000 photographs in lesson 05. With 10,000 test images the intervals are narrow, so half
# a point is told from zero; it is half a point all the same.
#
# For AP these are the two points that it gained with 16,000 images in lesson 05, where epochs, rates and test images
# were others. Nothing here says that prompts catch up with tuned norms when images are many. One picture for all was
# not run.

# %% [markdown]
# ## Deeper: what does it cost?
#
# A method that learns hundreds of thousands of numbers may win, and still be the wrong choice for a thousand tasks that
# share one frozen network. Who is not beaten on both counts?
#
# ### Exercise: the front
#
# Method j beats method i if it learns no more numbers *and* is at least as accurate, and is strictly better in one of
# the two. Return a list of True or False, one a method: True if nobody beats it.


# %% exercise={"id": "09-front", "points": 2, "minutes": 5, "difficulty": 2, "path": "extra", "needs": ["setup"]}
def front(parameters, accuracies):
    """Return for each method whether no other beats it; two lists of one length."""
    ### BEGIN SOLUTION
    kept = []
    for i in range(len(parameters)):
        beaten = False
        for j in range(len(parameters)):
            no_worse = parameters[j] <= parameters[i] and accuracies[j] >= accuracies[i]
            better = parameters[j] < parameters[i] or accuracies[j] > accuracies[i]
            beaten = beaten or (no_worse and better)
        kept.append(not beaten)
    return kept
    ### END SOLUTION


# %% check="09-front"
check("09-front", front)

# %%
asked = {"data": "digits", "backbone": "vit_nano", "shots": 16}
chosen = [run for run in table.runs if asked.items() <= run["cell"].items()]
learned = {run["cell"]["prompt"]: run["extra"]["prompt_or_tuning"] for run in chosen}
scores = {name: table.accuracies("digits", name, "vit_nano", shots=16) for name in learned}
unbeaten = check.use("09-front", front)(list(learned.values()), [float(scores[name].mean()) for name in learned])
print("made by:", check.made_by("09-front"))
print("by their means, nobody beats:", ", ".join(name for name, kept in zip(learned, unbeaten, strict=True) if kept))
tradeoff(
    {name: (learned[name], scores[name]) for name in learned}, "vit_nano, 16 images a class",
    across="learned numbers besides the head", label="recorded, 5 seeds, 397 test images",
)  # fmt: skip

# %% [markdown]
# The front is made of means of five seeds. Had other seeds been run, would the same methods be on it, or at its top?
#
# ### Exercise: how often does it win?
#
# `accuracies` is (methods, seeds). Every row of `draws` names seeds, drawn with replacement. For each row average the
# accuracies of these seeds and see which method is highest, the first of equals. Return the share of rows each method
# wins.


# %% exercise={"id": "09-wins", "points": 2, "minutes": 5, "difficulty": 2, "path": "extra", "needs": ["setup"]}
def win_share(accuracies, draws):
    """Return (methods,) float64 shares; accuracies (methods, seeds), draws (B, seeds) holds places of seeds."""
    ### BEGIN SOLUTION
    means = accuracies[:, draws].mean(-1)
    winners = means.argmax(0)
    return torch.bincount(winners, minlength=len(accuracies)).double() / len(draws)
    ### END SOLUTION


# %% check="09-wins"
check("09-wins", win_share)

# %%
rng = torch.Generator().manual_seed(0)
grid = torch.tensor(np.stack(list(scores.values())))
shares = check.use("09-wins", win_share)(grid, torch.randint(5, (2000, 5), generator=rng))
print("made by:", check.made_by("09-wins"))
print("vit_nano, 16 a class; wins over 2,000 redrawn sets of five seeds:")
for name, share in sorted(zip(scores, shares.tolist(), strict=True), key=lambda pair: -pair[1]):
    print(f"  {name:18} {100 * share:5.1f} %")

# %% [markdown]
# Five seeds redrawn from five cannot show more than those five know; it is a hint of how firm the first place is, not
# a proof. A share of 100 % says that one method came first in every set we drew, not that it always wins.
# And a first place on *one* data set is no statement about others.

# %% [markdown]
# ## Deeper: your report
#
# ### Exercise: one page
#
# Answer on one page, for your own pictures or for photodigits, beginning with the page of section 4: (1) the question,
# in one sentence; (2) the protocol: what was the same for all methods, how many trials, chosen on what; (3) one table
# or figure with seeds, test images and paired intervals; (4) what stands, what cannot be told, and the smallest
# difference you could have seen; (5) what you would run next, and what it would cost.

# %% [markdown] exercise={"id": "09-report", "points": 6, "minutes": 30, "difficulty": 3, "path": "extra"}
# ### BEGIN SOLUTION
# An example. (1) Does an activation prompt before the middle block help a frozen resnet_nano more than a linear probe,
# with four images a class of digits? (2) Same backbone, images, batches, steps and seeds; four rates for each method,
# chosen on 160 validation images of seed 0; test read once a run. (3) The table of few images has it 11.8 points above
# the probe, with an interval from 8.4 to 15.3, from five pairs of seeds and 397 test images. (4) So on this set it is
# better; the report names the smallest difference that such runs find in 80 % of cases. One data set, one layer fixed
# beforehand, small networks: nothing follows for others. (5) Ten more seeds cost minutes, and fifteen instead of five
# would shrink the part of the interval that comes from seeds by more than half. A wrong layer they would not show: so
# first the layer, chosen on another set's validation as in lesson 05, then a second data set, then more seeds.
# ### END SOLUTION
# ### BEGIN MARK SCHEME
# 6 points: question, protocol with equal trials chosen on validation, a paired interval with n seeds and n test images,
#   a verdict that follows from it ("cannot tell" where it holds zero), a limit of the claim, and a costed next step.
# 4 points: protocol and interval are right, but the limit or the smallest detectable difference is missing.
# 2 points: a table with means only, or rates chosen on the test set, noticed by the author.
# 0 points: a winner is named without spread.
# ### END MARK SCHEME

# %% [markdown]
# **A rubric for yourself.** Give yourself a point for each: the question is one sentence; everything that was the same
# is listed; the number of trials is the same in every row; rates were chosen on validation; the interval names its
# seeds and its test images; the verdict follows from the interval alone; the limit of the claim is said; the next step
# has a price. Seven or eight: send it. Five or six: which line would a reader ask about first? Fewer: begin with the
# protocol.

# %% [markdown]
# ## Recap
#
# - A table compares methods only if all else is equal: images, steps, trials, seeds, what is chosen on what.
# - The best of many trials is lucky. Give every method the same number, and read the test set once.
# - With few images the draw of images is a lottery of its own; pair it.
# - Many rows are many chances: Holm's rule says which claims stand together.
# - Accuracy against learned numbers: ask who is not beaten, and how firm that is over redrawn seeds.
#
# **How far this goes.** Tables of this course: two networks of 0.6 to 0.7 million weights at 32 pixels, pre-trained on
# CIFAR-100, and at most a thousand training images in the tables above. An order of methods belongs to its network, its
# set and its recipe. On a CNN that was trained on ImageNet, lesson 05 could not tell AP from the probe at nearly all
# layers, with 1,000 photographs; norm tuning was six points above it. Your own pictures are a better judge for your
# task than any of them.

# %% [markdown]
# ## Self-test
#
# ### Exercise: thirty trials
#
# A new method was tuned over 30 settings, the old one over 3, both on validation. The new one is 2 points better on
# validation. What follows?
#
# - **a** the new method is better, and easier to tune
# - **b** the comparison is not fair: some of the 2 points, or all, may be the luck of more trials
# - **c** nothing is wrong, because no test image was read

# %% exercise={"id": "09-quiz-trials", "points": 1, "minutes": 1, "difficulty": 1, "path": "extra"}
thirty = ...  # "a", "b" or "c"
### BEGIN SOLUTION
thirty = "b"
### END SOLUTION

# %% check="09-quiz-trials"
check.quiz("09-quiz-trials", thirty)

# %% [markdown]
# ### Exercise: what may choose the rate?
#
# With four images a class, which images may choose the learning rate?
#
# - **a** the test images
# - **b** the training images themselves
# - **c** whichever seed gives the best result
# - **d** separate validation images, counted as part of what the method needs

# %% exercise={"id": "09-quiz-valid", "points": 1, "minutes": 1, "difficulty": 1, "path": "extra"}
chooses = ...  # "a", "b", "c" or "d"
### BEGIN SOLUTION
chooses = "d"
### END SOLUTION

# %% check="09-quiz-valid"
check.quiz("09-quiz-valid", chooses)

# %% [markdown]
# ### Exercise: read the row
#
# A row says: +1.2 points (−0.3 to +2.7), five paired seeds, 1,000 test images. What may you write?
#
# - **a** the method improves accuracy by 1.2 points
# - **b** these runs cannot tell; losses of 0.3 and gains of 2.7 points lie inside the interval
# - **c** the method makes no difference

# %% exercise={"id": "09-quiz-table", "points": 1, "minutes": 1, "difficulty": 1, "path": "extra"}
row_says = ...  # "a", "b" or "c"
### BEGIN SOLUTION
row_says = "b"
### END SOLUTION

# %% check="09-quiz-table"
check.quiz("09-quiz-table", row_says)

# %% [markdown]
# ## Further reading
#
# - X. Bouthillier et al. (2021). Accounting for Variance in Machine Learning Benchmarks.
#   [arXiv:2103.03098](https://arxiv.org/abs/2103.03098).
#   Which sources of variation a comparison should redraw.
# - S. Holm (1979). A Simple Sequentially Rejective Multiple Test Procedure. Scandinavian Journal of Statistics 6,
#   65–70. The rule of exercise 09-holm.
# - X. Zhai et al. (2019). A Large-scale Study of Representation Learning with the Visual Task Adaptation Benchmark.
#   [arXiv:1910.04867](https://arxiv.org/abs/1910.04867). A thousand images a task, and rates chosen on 200 of them.
# - M. Jia et al. (2022). Visual Prompt Tuning. [arXiv:2203.12119](https://arxiv.org/abs/2203.12119). Tables over many
#   tasks, with the number of tasks won.

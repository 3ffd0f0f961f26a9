# %% [markdown]
# # Multiscale prompts
#
# **You will be able to**
#
# - build a multiscale prompt (MSVP) from three small maps;
# - show that a ViT can already compute everything that an added picture can;
# - compare two methods over paired seeds, with an interval, and say what would settle a claim;
# - in the deeper sections: see what a batch norm hides, and read a confusion matrix and a Grad-CAM map.
#
# **Before you start**: lesson 00 (splits, standard error) and lesson 01 (a frame of learned pixels).
#
# **Your time**: 45 minutes for the core, 65 for the deeper sections.
# **Machine time**: about 90 seconds on two CPU cores.

# %% name="setup"
import math

import numpy as np
import torch
from scipy import stats
from sklearn.linear_model import LogisticRegression
from torch.nn import functional as F

import vpcore
from course import check, show
from course.recorded import recorded
from course.show import drawings
from course.show.start import accuracies
from course.widgets.scales import ScalesExplorer
from vpcore.inside.grad_cam import confusion_matrix, grad_cam
from vpcore.statistics import image_variance, smallest_detectable_difference

torch.set_num_threads(1)  # so small a network gains nothing from a second thread

# %% [markdown]
# ## 1. Three small maps
#
# In lesson 01 a prompt was a frame of learned pixels: every image $x$ became $x + \delta$, with the same $\delta$ for
# all images. A frame leaves the middle alone. A picture as large as the image reaches every pixel, and has many numbers
# to learn. Could a few numbers make a picture that covers the whole image?
#
# [Khazem (2025)](https://arxiv.org/abs/2512.03663) answers with three small maps per channel: $P_g$ has 1×1 entries,
# $P_m$ has 4×4, $P_l$ has 8×8. Each is stretched to the size of the image, $U(P)$, and the three are averaged:
#
# $$\begin{gathered}
# x' = x + M, \\
# M = \frac{1}{3} \big( U(P_g) + U(P_m) + U(P_l) \big)
# \end{gathered}$$

# %%
data = vpcore.load_data("digits")
spec = vpcore.load_backbone("simple_cnn", pretrained=False, width=8, mean=data.mean, std=data.std).spec
prompt = vpcore.MultiScalePrompt(spec)
small = [prompt_map.detach() for prompt_map in prompt.maps]
large = [F.interpolate(each, size=(28, 28), mode="bilinear", align_corners=False)[0, 0] for each in small]
drawings.multiscale([each[0, 0] for each in small], large, sum(large) / 3)

# %%
print("images:", tuple(data.train.images.shape), "to train on,", len(data.test), "to test on")
print("numbers to learn:", prompt.num_learned(), "instead of", math.prod(data.train.images.shape[1:]))

# %% [markdown]
# The images are scikit-learn's real handwritten digits, 8×8 pixels, enlarged to 28×28.
# So the local map has the resolution of the data itself, and nothing here is a claim about MNIST.
#
# ### Exercise: upsample and average
#
# `maps` is a list of tensors of shape (1, C, s, s), with any s. Stretch each to `size` = (H, W); return their average.
# Use bilinear interpolation with `align_corners=False`, as the method does.

# %% exercise={"id": "02-average", "points": 2, "minutes": 5, "difficulty": 1, "path": "core", "needs": ["setup"]}
def average_maps(maps, size):
    """Return the average of all maps, stretched to size (H, W): a tensor (1, C, H, W)."""
    ### BEGIN SOLUTION
    total = 0
    for prompt_map in maps:
        stretched = F.interpolate(prompt_map, size=size, mode="bilinear", align_corners=False)
        total = total + stretched
    return total / len(maps)
    ### END SOLUTION


# %% check="02-average"
check("02-average", average_maps)

# %% [markdown]
# Stuck? `check.hint("02-average")` gives one hint at a time, in a new cell of yours.
#
# With `align_corners=False`, the s entries stand in the middle of s equal blocks of pixels. With `True` the outer ones
# would stand on the outermost pixels, and the same numbers would draw another picture.
#
# **Question.** The maps start at N(0, 0.01²). Added to an image, is such a map visible?

# %%
average = check.use("02-average", average_maps)
x = (data.test.images[:1].float() / 255 - data.mean[0]) / data.std[0]
strengths = {"x": 0, "x' at the start": 1, "x', maps × 30": 30, "x', maps × 100": 100}
prompted = [x + strength * average(small, (28, 28)) for strength in strengths.values()]
pixels = torch.cat(prompted) * data.std[0] + data.mean[0]
show.image_row(pixels, list(strengths), "One digit and its prompted versions", made_by=check.made_by("02-average"))

# %% [markdown] answer=true
# A map of 0.01 is invisible. "Amplitude" in this course always means *normalized units*: after mean and standard
# deviation, where the prompt is added. In every picture of maps the color scale has that unit, and zero is white.

# %% [markdown]
# ## 2. In a ViT it is a position embedding
#
# A **Vision Transformer** cuts the image into patches and makes a *token* of each: a vector of $D$ numbers, by one
# linear map $W$ and a bias $b$. A learned **class token** is put in front of them, and a learned **position embedding**
# is added to each token, because attention itself does not know where a token comes from.

# %%
drawings.vit(vpcore.load_data("photodigits", num_train=10).test.images[1].permute(1, 2, 0) / 255)

# %% [markdown]
# (Gray is frozen in the lessons to come; here all of it learns.) In each block, **attention** lets a token collect from
# all others: token $i$ asks with a query $q_i$, token $j$ answers with a key $k_j$ and a value $v_j$, all three linear
# maps of the tokens. With $d$ the length of a query, token $i$ receives
#
# $$\sum_j \mathrm{softmax}_j \Big( \frac{q_i \cdot k_j}{\sqrt{d}} \Big) \, v_j$$
#
# Lesson 04 puts prompts among the tokens. Here only the first step matters. With $M_i$ the part of the picture $M$ in
# patch $i$ and $e_i$ the position embedding of token $i$:
#
# $$\begin{gathered}
# W (x_i + M_i) + b + e_i \\
# = W x_i + b + (e_i + W M_i)
# \end{gathered}$$
#
# **Question.** The position embedding is learned anyway. Which functions can a ViT with MSVP compute that no ViT
# without it can?

# %% [markdown]
# ### Exercise: fold the prompt into the position embedding
#
# Return the position embedding that does the work of an added map, $e_i + W M_i$. `position` (1, 1 + N, D) holds the
# $e_i$: position 0 belongs to the class token, the others to the patches, row by row. `weight` (D, C, p, p) and `bias`
# (D,) are those of the patch embedding, a convolution with stride p. Leave `position` as it is.

# %% exercise={"id": "02-fold", "points": 3, "minutes": 6, "difficulty": 2, "path": "core", "needs": ["setup"]}
def fold(weight, bias, position, added):
    """Return a position embedding (1, 1 + N, D) that does the work of adding `added` (1, C, H, W) to images."""
    ### BEGIN SOLUTION
    tokens = F.conv2d(added, weight, stride=weight.shape[-1])  # (1, D, H/p, W/p); b is added elsewhere
    tokens = tokens.flatten(2).transpose(1, 2)  # (1, N, D)
    folded = position.clone()
    folded[:, 1:] = folded[:, 1:] + tokens
    return folded
    ### END SOLUTION


# %% check="02-fold"
check("02-fold", fold)

# %%
vit, rng = vpcore.load_backbone("vit_tiny_small", pretrained=False).double(), torch.Generator().manual_seed(0)
strong = vpcore.MultiScalePrompt(vit.spec).double()
with torch.no_grad():
    for prompt_map in strong.maps:
        prompt_map.copy_(torch.randn(prompt_map.shape, generator=rng))
images = data.test.images[:4].double() / 255
with_prompt = vpcore.Prompted(vit, strong, torch.nn.Identity()).features(images)

# %%
absorb, embed = check.use("02-fold", fold), vit.embed.net
projection, added = embed.patch_embed.proj, strong.added_map((28, 28))
with torch.no_grad():
    embed.pos_embed.copy_(absorb(projection.weight, projection.bias, embed.pos_embed.clone(), added))
without = vpcore.Prompted(vit, vpcore.NoPrompt(vit.spec), torch.nn.Identity()).features(images)
print("made by:", check.made_by("02-fold"))
print("features agree to 1e-12:", bool((with_prompt - without).abs().max() < 1e-12))

# %% [markdown] answer=true
# None. A ViT with an added picture computes exactly the functions it already could; what may differ is how training
# gets there. Yet of the paper's three networks, ViT-Tiny has the largest gain on Fashion-MNIST, +0.92 points. Either
# training goes better, or something else moved the number. How would one know?

# %% [markdown]
# ## 3. Train it, three times, in pairs
#
# What learns? In the [published code](https://github.com/salimkhazem/msvp/tree/c33a77e), **everything**: the networks
# start from scratch and train together with the maps. Nothing is pre-trained and nothing is frozen, so this is not yet
# prompting of a frozen model. In vpcore that is one argument, `train_backbone=True`.

# %% name="train" point=true
def train(prompt_name, seed):
    """Train a small CNN from scratch, with or without a prompt; return the model, its test, its amplitudes."""
    backbone = vpcore.load_backbone("simple_cnn", pretrained=False, width=8, mean=data.mean, std=data.std, seed=seed)
    prompt = vpcore.PROMPTS[prompt_name](backbone.spec, seed=seed)
    model = vpcore.Prompted(backbone, prompt, vpcore.LinearHead(spec.dim, 10, seed=seed), train_backbone=True)
    sizes = [[float(values.detach().square().mean().sqrt()) for values in prompt.parameters()]]

    def note(record):
        sizes.append([float(values.detach().square().mean().sqrt()) for values in prompt.parameters()])

    recipe = {"epochs": 12, "lr": 1e-2, "batch_size": 32, "optimizer": "adam"}
    vpcore.fit(model, data.train, data.valid, **recipe, seed=seed, on_epoch=note)
    return model, vpcore.evaluate(model, data.test), sizes


# %% [markdown]
# Two runs are **paired** when they share everything but the prompt: initial weights, batches, dropout masks.
# That needs care. If the prompt draws from the same random stream, switching it on shifts every later draw.
# The published code does that, so its "with" and "without" start from different networks, even with one seed.
# Here each prompt has a generator of its own.

# %% name="baseline"
SEEDS = range(3)
baseline = [train("none", seed) for seed in SEEDS]
print(len(baseline), "networks trained without a prompt")

# %% name="pairs"
msvp = [train("multiscale", seed) for seed in SEEDS]
print("without:", vpcore.count(baseline[0][0]))
print("with:   ", vpcore.count(msvp[0][0]))
pairs = {"none": baseline, "msvp": msvp}
accuracy = {name: np.array([test.accuracy for _, test, _ in runs]) for name, runs in pairs.items()}

# %% [markdown]
# **Question.** Networks that hardly learned can be compared, too, and the difference says nothing. How would you know
# that these are well trained? What does logistic regression read from the raw pixels, with one linear score a class?

# %% name="pixels"
pixels = {split: getattr(data, split).images.flatten(1).numpy() / 255 for split in ("train", "test")}
linear = LogisticRegression(max_iter=1000).fit(pixels["train"], data.train.labels.numpy())
level = 100 * linear.score(pixels["test"], data.test.labels.numpy())
rows = {name: 100 * values for name, values in accuracy.items()}
words = {"label": "your run, 3 seeds", "level_name": "logistic regression on the pixels"}
accuracies(rows, "Small CNNs, and a linear score of the pixels", live=rows, level=level, **words)

# %% [markdown] answer=true
# Most of the CNNs come close to it or pass it, so they have learned to read. Rate and epochs were chosen on validation
# images, and are the same with the prompt and without. (With half as many epochs such networks stay far below; not
# shown.) Keep this test for your own comparisons: a simple method on the same data, beside the network.

# %% [markdown]
# ### Exercise: a paired interval
#
# With differences $d_1, \dots, d_n$ of $n$ pairs, their mean $\bar d$ and standard deviation $s$ (dividing by $n - 1$),
# the 95 % interval of the mean is
#
# $$\bar d \pm t_{0.975,\, n-1} \, \frac{s}{\sqrt n}$$
#
# Accuracies come as arrays between 0 and 1, entry i from seed i. Return (low, high) of the mean difference
# MSVP − baseline, in points (hundredths). `stats.t.ppf(q, k)` is Student's t-quantile with k degrees of freedom.

# %% exercise={"id": "02-interval", "points": 3, "minutes": 5, "difficulty": 2, "path": "core", "needs": ["setup"]}
def paired_interval(baseline, msvp):
    """Return the ends (low, high) of the 95 % interval of the mean paired difference, in points."""
    ### BEGIN SOLUTION
    differences = 100 * (msvp - baseline)
    seeds = len(differences)
    standard_error = differences.std(ddof=1) / math.sqrt(seeds)
    half = stats.t.ppf(0.975, seeds - 1) * standard_error
    return differences.mean() - half, differences.mean() + half
    ### END SOLUTION


# %% check="02-interval"
check("02-interval", paired_interval)

# %% [markdown]
# **Question.** By how many points does each of three pairs differ, and do all three differences have the same sign?

# %%
interval = check.use("02-interval", paired_interval)
differences, ends = 100 * (accuracy["msvp"] - accuracy["none"]), interval(accuracy["none"], accuracy["msvp"])
title, who = "MSVP against no prompt, small CNN on digits", check.made_by("02-interval")
show.paired_dots(differences, ends, title, live=True, label="your run, 3 seeds, 397 test images", made_by=who)

# %% [markdown] answer=true
# See whether the three dots lie on one side of zero. Does the interval hold zero? Does it hold +0.92? If it holds both,
# three seeds cannot tell.

# %% [markdown]
# ## 4. What would settle +0.92?
#
# The recorded table holds the same experiment with 20 seeds. A pair of the same seed gives one difference. Any two runs
# of *different* seeds give an unpaired one.
#
# **Question.** Which of the two spreads wider, and by how much?

# %%
table = recorded("msvp_small")
without, with_msvp = table.accuracies("digits"), table.accuracies("digits", "multiscale")
paired = with_msvp - without
unpaired = (with_msvp[:, None] - without[None, :])[~np.eye(len(paired), dtype=bool)]
groups = {"paired, recorded": paired, "unpaired, recorded": unpaired, "paired, your run": differences}
mark = {"mark": 0.92, "mark_name": "+0.92: the paper's ViT-Tiny on Fashion-MNIST (another network and data set)"}
print(f"standard deviations: paired {paired.std(ddof=1):.1f}, unpaired {unpaired.std(ddof=1):.1f} points")
label = "20 recorded seeds; your 3 repeat the first three"
show.lottery(groups, "The seed lottery: MSVP − baseline on digits", **mark, live=("paired, your run",), label=label)

# %% [markdown] answer=true
# The unpaired one: its variance, the square of the printed number, is about twice as large, so a study without pairs
# needs about twice as many seeds. One draw from such a distribution can be far above zero, or far below, whatever the
# prompt does. Your three pairs repeat seeds 0 to 2 of the recorded twenty: a check of the record, no new evidence.
#
# The published ablation scripts run **one seed**, and switching the prompt on shifts the random stream. We do not know
# how many seeds stand behind the +0.92. If it was one, it is one draw from an unpaired lottery, whose spread for that
# network we have not measured. Pairs still differ by many points: short trainings of a small network are chaotic, and a
# tiny change at the start is soon a different network. Pairing pays most where two runs stay close, as they may on
# a frozen backbone.

# %% [markdown]
# ### Exercise: how many seeds settle +0.92?
#
# Take `spread` for the standard deviation $s$ of the paired difference. Return the smallest number of seeds $n$, 2 or
# more, for which the half-width $t_{0.975,\, n-1} \, s / \sqrt n$ is below `effect`. (Even then, a true effect of that
# size is missed about half the time.)

# %% exercise={"id": "02-settle", "points": 2, "minutes": 4, "difficulty": 2, "path": "core", "needs": ["setup"]}
def seeds_needed(spread, effect):
    """Return the smallest number of seeds whose half-width is below the effect, both in points."""
    ### BEGIN SOLUTION
    seeds = 2
    while stats.t.ppf(0.975, seeds - 1) * spread / math.sqrt(seeds) >= effect:
        seeds += 1
    return seeds
    ### END SOLUTION


# %% check="02-settle"
check("02-settle", seeds_needed)

# %%
needed, spreads = check.use("02-settle", seeds_needed), {"digits": paired.std(ddof=1)}
fashion = table.accuracies("fashion_mnist", "multiscale") - table.accuracies("fashion_mnist")
spreads["fashion_mnist"] = fashion.std(ddof=1)
print("made by:", check.made_by("02-settle"))
for name, spread in spreads.items():
    print(f"{name}: spread {spread:.2f} points, so {needed(spread, 0.92)} seeds for a half-width below 0.92")

# %% [markdown]
# So with this CNN the recorded twenty seeds are too few on digits, and the ten on Fashion-MNIST, with 2,000 training
# images, are enough. (That its spread is as large as the effect is chance.) For the paper's ViT we know no spread, so
# its number stays open.
#
# ## Deeper: scales, fusion, amplitude
#
# Switch scales off and on, and change fusion and amplitude. Tab moves on, Space presses buttons and boxes, and the
# arrow keys move a slider. Before you touch it, guess: switch "local 8×8" off. Does the change x' − x get weaker, or
# stronger? The sentence below the picture gives its root mean square (RMS).

# %% name="explorer"
explorer = ScalesExplorer(data.test.images[:10], spec)
explorer

# %% [markdown]
# <details>
# <summary>Answer</summary>
#
# Its RMS usually grows: independent random maps partly cancel, and an average of two cancels less than one of three,
# even where single pixels look weaker. Switching a scale off is not the same as setting it to zero. Keep this in mind
# when a paper compares numbers of scales.
#
# </details>

# %% [markdown]
# Besides *add* there are two other fusions in the method's code:
#
# | fusion | prompted image | learned besides the maps |
# |---|---|---|
# | add | $x + M$ | nothing |
# | concat | $K * [x, U(P_g), U(P_m), U(P_l)]$, a 1×1 convolution | weights of $K$, no bias |
# | gated | $x + \mathrm{sigmoid}(k(M)) \cdot M$, $k$ a 1×1 convolution from C to C channels | weights and bias of $k$ |
#
# The abstract of the paper describes a 1×1 convolution. Its figure 1 and its code add, so add is our default.
#
# ### Exercise: count what learns
#
# Return the number of learned entries for C = `chans` channels, a tuple of `scales`, and a fusion.

# %% exercise={"id": "02-count", "points": 2, "minutes": 5, "difficulty": 1, "path": "extra", "needs": ["setup"]}
def count_learned(chans, scales, fusion):
    """Return how many numbers a multiscale prompt learns; fusion is "add", "concat" or "gated"."""
    ### BEGIN SOLUTION
    count = chans * sum(scale * scale for scale in scales)
    if fusion == "concat":
        count += (len(scales) + 1) * chans * chans
    elif fusion == "gated":
        count += chans * chans + chans
    return count
    ### END SOLUTION


# %% check="02-count"
check("02-count", count_learned)

# %% [markdown]
# **Question.** The paper says the prompt adds less than 0.02 % to a network. Is that so for each of its three networks?

# %%
count = check.use("02-count", count_learned)
print("made by:", check.made_by("02-count"))
print("network         images      add      concat   gated   (% of the network)")
for name in ("simple_cnn", "resnet18_small", "vit_tiny_small"):
    for chans, size in ((1, 28), (3, 32)):
        net = vpcore.load_backbone(name, pretrained=False, in_chans=chans, image_size=size)
        total = sum(p.numel() for p in net.parameters()) + 10 * (net.spec.dim + 1)
        shares = [f"{100 * count(chans, (1, 4, 8), fusion) / total:.4f}" for fusion in ("add", "concat", "gated")]
        print(f"{name:15} {chans}×{size}×{size}    ", "   ".join(shares))

# %% [markdown] answer=true
# Yes, with one exception: the CNN on color images, where the share is 0.0201 to 0.0231 %.
# A habit worth having: count first, then write "less than".

# %% [markdown]
# ## Deeper: 81 numbers, and the directions they move in
#
# **Question.** All 81 numbers move the picture. Do they move it in 81 independent ways?

# %% [markdown]
# ### Exercise: find the redundant numbers
#
# Each learned entry on its own makes one picture: stretch a map that is 1 there and 0 elsewhere.
# Flatten each picture (one channel, size × size) to one row of a matrix, and return the rank of that matrix.
# Compute in float64, so that rounding cannot pass for a new direction.

# %% exercise={"id": "02-rank", "points": 2, "minutes": 8, "difficulty": 3, "path": "extra", "needs": ["setup"]}
def additive_rank(scales, size):
    """Return how many independent size × size pictures the maps of these scales can make."""
    ### BEGIN SOLUTION
    rows = []
    for scale in scales:
        single = torch.eye(scale * scale, dtype=torch.float64).view(-1, 1, scale, scale)
        grown = F.interpolate(single, size=(size, size), mode="bilinear", align_corners=False)
        rows.append(grown.flatten(1))
    return int(torch.linalg.matrix_rank(torch.cat(rows)))
    ### END SOLUTION


# %% check="02-rank"
check("02-rank", additive_rank)

# %%
rank = check.use("02-rank", additive_rank)
print("made by:", check.made_by("02-rank"))
for scales in ((1,), (4,), (8,), (1, 4), (4, 8), (1, 4, 8)):
    print(f"scales {scales!s:10} learned {sum(s * s for s in scales):2}   independent {rank(scales, 28):2}")

# %% [markdown] answer=true
# 79 of 81. A map of equal entries stretches to a constant, so every scale can make the constant picture that the global
# map makes. As soon as the mid map is there, the global map adds nothing to what can be expressed.
# The mid map is not inside the local one: 16 + 64 − 1 = 79, because their grid points lie elsewhere.

# %% [markdown]
# ## Deeper: what a batch norm does to the global map
#
# The global map adds one constant $c$ to a whole channel. The first layers of the CNN are a convolution and a batch
# norm. A convolution turns a constant into a constant $c'$, except at the border, where it reads padding zeros. The
# batch norm then gives
#
# $$\frac{z + c' - \mathrm{mean}}{\sqrt{\mathrm{var} + \epsilon}}$$
#
# In **training** mode the mean is that of this very batch, and in **eval** mode a stored one.
#
# **Question.** What is left of a constant of 0.3, in each mode?

# %%
backbone = vpcore.load_backbone("simple_cnn", pretrained=False, width=8, mean=data.mean, std=data.std)
images, change = (data.train.images[:128].float() / 255 - data.mean[0]) / data.std[0], {}
for mode in ("eval", "train"):  # training mode would move the stored mean
    first = backbone.blocks[0][:2].train(mode == "train")  # convolution and batch norm
    with torch.no_grad():
        change[mode] = (first(images + 0.3) - first(images)).abs().mean((0, 1))  # (28, 28)
inside = {mode: float(values[1:-1, 1:-1].mean()) for mode, values in change.items()}
print({mode: round(value, 3) for mode, value in inside.items()}, "is the mean change inside, in each mode")
label = "untrained network, 128 digits"
show.prompt_maps(change, "What a constant of 0.3 changes", label=label, unit="mean |change|")

# %% [markdown] answer=true
# In training mode the batch norm subtracts each channel's mean over batch and places, and the constant with it: 0.013
# is left inside, from the border's share in that mean. Only at the border does the constant arrive, because the
# convolution reads padding zeros there, to which nothing was added. So *while it learns*, the global map draws a frame
# and hardly anything else. In eval mode the stored mean is the same with and without the constant, so nothing takes it
# away: 0.109 is left at every place inside. (Each mode divides by a variance of its own, so compare inside and border,
# not the two modes.) A constant that is changed after training shifts every place.

# %% [markdown]
# ## Deeper: what the fusions really do
#
# ### Exercise: the gate
#
# Write the gated fusion: $x + \mathrm{sigmoid}(k(M)) \cdot M$ with $k$ a 1×1 convolution.
# It reads $M$, the averaged map, and *not* the image.

# %% exercise={"id": "02-gate", "points": 1, "minutes": 4, "difficulty": 1, "path": "extra", "needs": ["setup"]}
def gated(images, average, weight, bias):
    """Fuse images (B, C, H, W) with M = average (1, C, H, W); weight (C, C, 1, 1) and bias (C,) make the gate."""
    ### BEGIN SOLUTION
    gate = torch.sigmoid(F.conv2d(average, weight, bias))
    return images + gate * average
    ### END SOLUTION


# %% check="02-gate"
check("02-gate", gated)

# %% [markdown]
# **Question.** "Gated" sounds as if the prompt adapts to the image. Does it? And what does concat, whose weights the
# published code draws at random, show of a digit in the very first step, for five seeds?

# %%
gate = check.use("02-gate", gated)
two, draw = (data.test.images[:2].float() / 255 - data.mean[0]) / data.std[0], torch.Generator().manual_seed(0)
M, weight, bias = (torch.randn(shape, generator=draw) for shape in ((1, 1, 28, 28), (1, 1, 1, 1), (1,)))
added = gate(two, M, weight, bias) - two
print("made by:", check.made_by("02-gate"))
print("two different digits get the same picture:", torch.allclose(added[0], added[1], atol=1e-5))

# %%
starts = [vpcore.MultiScalePrompt(spec, fusion="concat", init="kaiming", seed=seed) for seed in range(5)]
views = torch.cat([start.image(two[:1], None) for start in starts]).detach() * data.std[0] + data.mean[0]
show.image_row(views, [f"seed {seed}" for seed in range(5)], "Concat with random weights, before training")

# %% [markdown] answer=true
# The gate never sees the image. Add and gated are both $x$ + (one picture for all images): the gate changes how that
# picture is learned; every picture it makes could be added directly. Concat also multiplies the image, by a number for
# one channel and by a 3×3 matrix for three, so the same digit is faint, or inverted, by chance. Our `init="identity"`
# starts at x' = x instead.

# %% [markdown]
# **Question.** The maps are averaged. If one more scale is switched on, how does the gradient of $P_g$ change?

# %%
push, slopes = torch.randn(1, 1, 28, 28, generator=torch.Generator().manual_seed(1)), []
for scales in ((1,), (1, 4), (1, 4, 8)):
    prompt = vpcore.MultiScalePrompt(spec, scales)
    (prompt.image(two[:1], None) * push).sum().backward()
    slopes.append(prompt.maps[0].grad.item())
print("gradient of P_g with 1, 2, 3 scales, relative:", [round(slope / slopes[0], 3) for slope in slopes])

# %% [markdown] answer=true
# Averaging $n$ maps divides each map's gradient by $n$. Plain SGD would then learn each map $n$ times more slowly.
# Adam divides by the gradient's own size, so there it is the effect on the picture that shrinks.
# For each single map, more scales mean smaller steps of the picture, unless the learning rate is tuned for each.

# %% [markdown]
# ## Deeper: how many test images?
#
# Seeds are one lottery, test images are another: a second test set would give another number for the same networks.
#
# ### Exercise: how many test images?
#
# Two models disagree on a share $q$ = `disagree` of the images: exactly one of them is right. Their accuracies differ
# by $e$ = `effect`. Both are shares of 1. On one image the difference is +1, −1 or 0, so its variance is $q - e^2$: the
# mean of the squares minus the square of the mean. The standard error over $n$ images is $\sqrt{(q - e^2) / n}$.
# Return the smallest $n$ for which 1.96 standard errors are at most $e$.

# %% exercise={"id": "02-images", "points": 1, "minutes": 6, "difficulty": 3, "path": "extra", "needs": ["setup"]}
def images_needed(disagree, effect):
    """Return how many test images put 1.96 standard errors of the difference at or below the effect."""
    ### BEGIN SOLUTION
    variance = disagree - effect**2  # mean of squares minus square of the mean
    return math.ceil(1.96**2 * variance / effect**2)
    ### END SOLUTION


# %% check="02-images"
check("02-images", images_needed)

# %%
enough = check.use("02-images", images_needed)
print("made by:", check.made_by("02-images"))
for name in spreads:
    before, after = table.correct(name), table.correct(name, "multiscale")
    disagree, (seeds, count_images) = float((before != after).mean()), before.shape
    found = smallest_detectable_difference(spreads[name] / 100, seeds, image_variance(before, after), count_images)
    print(f"{name}: exactly one of a pair is wrong on {100 * disagree:.1f} % of {count_images:,} test images;")
    print(f"  +0.92 needs {enough(disagree, 0.0092):,} images; these {seeds} seeds detect {100 * found:.1f} points")

# %% [markdown]
# "Detect" means: found in 80 % of such comparisons, with seeds *and* test images left to chance. That is stricter
# than the two exercises, which each ask about one lottery.
#
# ## Deeper: with more images
#
# In lessons 01, 03, 04 and 05, prompts on a *frozen* network that reads *photodigits* gain much more from 16,000 images
# than from 1,000. Here everything trains. The same CNN was recorded on 250 to 16,000 images of Fashion-MNIST, 20 epochs
# each; with and without the prompt, the rate is the best of five on validation images. From here on, intervals hold
# both lotteries: seeds and test images, crossed.
#
# **Question.** Does the gain of MSVP grow with the images?

# %%
growing, SIZES = recorded("msvp_sizes"), (250, 1000, 4000, 16000)
prompts = {"no prompt": "none", "MSVP": "multiscale"}
curves = {words: {size: growing.reached("fashion_mnist", prompt, limit=size) for size in SIZES}
          for words, prompt in prompts.items()}  # fmt: skip
for size in SIZES:
    mean, low, high = growing.gain("fashion_mnist", "none", "multiscale", limit=size)
    print(f"{size:6,} images: MSVP − no prompt {mean:+.2f} points ({low:+.2f} to {high:+.2f})")
label = "recorded, 5 seeds (3 at 4,000 and 16,000), 10,000 test images"
show.sizes(curves, "MSVP and more images, Fashion-MNIST, small CNN", label=label)

# %% [markdown] answer=true
# These runs do not show it: the means rise, but every interval holds zero. At 250 images it is so wide that it says
# nothing; at 4,000 it ends below +0.92; at 16,000, with three seeds, it just includes that value. If there is no gain,
# a possible reason is this: in front of a frozen network the prompt is all that can change the features, and a network
# that trains changes them itself. These runs do not test it; set, network and prompt differ, too.

# %% [markdown]
# ## Deeper: at the paper's size
#
# This is the paper's CNN at its full width, on all of Fashion-MNIST, by the recipe of the paper's code: 54,000 images
# to train on, moved and turned a little each time; ten epochs, of which the last is tested. What stays ours: both runs
# of a pair start with the same weights and see the same batches. Three pairs took three hours of one CPU core.
#
# **Question.** Does MSVP help here?

# %%
paper = recorded("msvp_paper")
for words, prompt in prompts.items():
    print(f"{words}:", ", ".join(f"{value:.2f}" for value in paper.accuracies("fashion_mnist", prompt)), "%")
mean, low, high = paper.gain("fashion_mnist", "none", "multiscale")
print(f"MSVP − no prompt: {mean:+.2f} points ({low:+.2f} to {high:+.2f})")

# %% [markdown] answer=true
# We cannot tell: two pairs gain, one loses. But the interval ends below +0.92: a gain as large as the one that the
# paper quotes for its ViT is ruled out for this CNN. The paper says that its CNN gains, too; by how much, we could not
# find. A small gain may hide here. Trained on so many images, both runs of a pair end close together, so three
# pairs say more than the twenty on digits.

# %% [markdown]
# ## Deeper: which scales, which fusion?
#
# Here every setting has ten seeds or more.
#
# **Question.** Which settings differ from no prompt on digits?

# %%
names = {
    "add: 1, 4, 8": "multiscale", "add: 1": "multiscale:scales=1", "add: 1, 4": "multiscale:scales=1+4",
    "gated: 1, 4, 8": "multiscale:fusion=gated", "concat, identity start": "multiscale:fusion=concat",
    "concat, random start": "multiscale:fusion=concat,init=kaiming",
}  # fmt: skip
rows = {f"digits, {name}": table.gain("digits", "none", prompt) for name, prompt in names.items()}
label = "recorded, 10 or 20 seeds crossed with 397 test images"
show.intervals(rows, "Each setting against no prompt, paired", label=label)

# %% [markdown] answer=true
# None: every interval holds zero. That does not prove "no effect": an interval says how large an effect could hide, and
# each of these holds +0.92 as well. (If one had excluded zero: six intervals at 95 % are six chances of a false alarm.)
#
# All settings have one rate and one number of epochs. They were chosen for two of them, the CNN without a prompt and
# "add: 1, 4, 8". A setting that looks worse might only want another rate.

# %% [markdown]
# ## Deeper: other data, another network
#
# The paper's figure 4 says that the gain grows with the difficulty of the data: minimal on MNIST, moderate on
# Fashion-MNIST. Difficulty is measured here by the error without a prompt. Logistic regression stands beside it.
#
# **Question.** Does the gain grow from the easiest set to the hardest?

# %%
linear_too, nets, rows = recorded("msvp_pixels"), recorded("msvp_nets"), {}
for name, data_set in {"digits": "digits", "MNIST": "mnist", "Fashion-MNIST": "fashion_mnist"}.items():
    error = 100 - table.accuracies(data_set).mean()
    rows[f"{name}, error {error:.1f} %"] = table.gain(data_set, "none", "multiscale")
for data_set in ("mnist", "fashion_mnist"):
    error = 100 - linear_too.accuracies(data_set, "logistic", "pixels")[0]
    print(f"{data_set}: the error of logistic regression is {error:.1f} %")
rows["ResNet-18, 500 digits"] = nets.gain("digits", "none", "multiscale", "resnet18_small")
label = "recorded, 5 to 20 seeds, 397 or 10,000 test images; MNIST and Fashion-MNIST: 2,000 to train on"
show.intervals(rows, "MSVP against no prompt, other data", label=label)

# %% [markdown] answer=true
# These runs do not show it: all means lie close to zero, and every interval holds it. On MNIST and Fashion-MNIST, with
# 10,000 test images, each interval ends below +0.92: with this CNN and this recipe such a gain is ruled out. On digits
# it is not: 397 test images leave a wide bar. A trend over three sets would need narrower bars, or more sets.
#
# None of this is the paper's claim: its +0.92 is a ViT's, trained on 54,000 images, and its ResNet-18, the last
# row, has little left to gain on digits. What these tables show is what one learns from runs that are good enough to
# be compared.

# %% [markdown]
# ## Deeper: what it mixes up
#
# A **confusion matrix** $C$ has a row for each true class and a column for each predicted class. Each row is divided by
# its sum, so the diagonal holds the accuracy of each class. Numbers are percent of the row; those below 1 are left out.
#
# **Question.** Which two digits will a small network mix up?

# %%
matrices = {}
for name, runs in {"no prompt": baseline, "MSVP": msvp}.items():
    said, true = (torch.cat([getattr(test, what) for _, test, _ in runs]) for what in ("predictions", "labels"))
    matrices[name] = confusion_matrix(said, true, 10)
show.confusion(matrices, data.classes, "Who is taken for whom", live=True, label="your run, 3 seeds together")

# %% [markdown] answer=true
# Look for the largest number off the diagonal; other seeds may have another one. Read a row: "of all true 8s, what
# percentage were called 1?" The three seeds are pooled here, so how much they differ among themselves is not shown: do
# not compare the two matrices cell by cell.

# %% [markdown]
# The paper's figure 3 shows two such matrices of its ResNet-18 on Fashion-MNIST, and reports that with MSVP fewer
# shirts are taken for T-shirts, and fewer pullovers for coats.
#
# **Question.** How would you test that?

# %% [markdown] answer=true
# As with an accuracy: take the share of shirts called T-shirts from every run, subtract within pairs of one seed, and
# put an interval around the mean. Name the two cells before you look, or correct for all 90 that might have stood out.
# No such runs are recorded here: on the few images that a CPU manages, that ResNet stays below logistic regression.

# %% [markdown]
# ## Deeper: where it looks
#
# **Grad-CAM** ([Selvaraju et al. 2017](https://arxiv.org/abs/1610.02391)) asks where the evidence for a class lies.
# With $A^k_{ij}$ channel $k$ of the last maps at place $(i, j)$, $y^c$ the score of class $c$ and $Z$ places:
#
# $$\begin{gathered}
# \alpha_k = \frac{1}{Z} \sum_{ij} \frac{\partial y^c}{\partial A^k_{ij}}, \\
# \mathrm{CAM} = \mathrm{ReLU} \Big( \sum_k \alpha_k A^k \Big)
# \end{gathered}$$
#
# Our maps stay in logits: no rescaling to 0 … 1 for each image, which would make noise look like evidence.
#
# **Question.** Two networks that read digits about equally well: will their maps agree?

# %%
pick = [int((data.test.labels == digit).nonzero()[0]) for digit in range(6)]
sample = data.test.images[pick].float() / 255
models = {f"no prompt, seed {seed}": baseline[seed][0] for seed in (0, 1)}
models |= {f"MSVP, seed {seed}": msvp[seed][0] for seed in (0, 1)}
cams = {name: grad_cam(model, sample, classes=data.test.labels[pick]) for name, model in models.items()}
titles = [f"true {digit}" for digit in range(6)]
show.grad_cam(sample, cams, titles, "Grad-CAM for the true class", label="your run, seeds 0 and 1")

# %% [markdown] answer=true
# A digit that stays gray has no positive evidence for its class in the last maps. Each row has its own color bar:
# compare places between rows, not brightness. On some digits they agree, on others not. Compare rows 1 and 2 before
# you compare rows 1 and 3: two seeds of the *same* method differ too. A before/after picture with one seed cannot tell
# the prompt from the seed. Lesson 07 tests such pictures properly.

# %% [markdown]
# ## Deeper: what did the prompt learn?
#
# **Question.** Will three seeds learn the same picture? It starts at about 0.01; how large will it get?

# %%
learned = {f"seed {seed}": model.prompt.added_map((28, 28)) for seed, (model, _, _) in enumerate(msvp)}
show.prompt_maps(learned, "The learned picture of each seed", live=True, label="your run, 3 seeds")

# %%
sizes = np.array([amplitudes for _, _, amplitudes in msvp]).mean(0)  # (epochs + 1, 3)
curves = {name: (range(len(sizes)), sizes[:, place]) for place, name in enumerate(("global", "mid", "local"))}
words = {"across": "epoch", "up": "RMS (normalized units)"}
show.lines(curves, "How large the maps are", **words, live=True, label="your run, mean of 3 seeds")

# %% [markdown] answer=true
# Look at the axis: each map grows from its start. An image in normalized units has a standard deviation of about 1;
# hold the numbers on the color bar against that. If the three pictures differ, none of them is "the" pattern of the
# data. Do not interpret blobs of a single seed.

# %% [markdown]
# **Question.** And on another data set? *photodigits* puts the same digits, colored, anywhere on real photographs.

# %% name="photodigits"
photos = vpcore.load_data("photodigits", num_train=1000)
facts = {"image_size": 32, "in_chans": 3, "mean": photos.mean, "std": photos.std}
net = vpcore.load_backbone("simple_cnn", pretrained=False, width=8, **facts)
model = vpcore.Prompted(net, vpcore.MultiScalePrompt(net.spec), vpcore.LinearHead(spec.dim, 10), train_backbone=True)
vpcore.fit(model, photos.train, photos.valid, epochs=4, lr=1e-2, batch_size=32, optimizer="adam", seed=0)
red, green, blue = model.prompt.added_map((32, 32))[0]
gallery = {"digits": msvp[0][0].prompt.added_map((28, 28)), "red": red, "green": green, "blue": blue}
label = "your run, seed 0; red, green and blue on photodigits"
show.prompt_maps(gallery, "The learned picture on two data sets", live=True, label=label)

# %% [markdown] answer=true
# One seed each, so no more than a first look: the three color channels learned pictures of their own.

# %% [markdown]
# ## Deeper: what may be claimed?
#
# ### Exercise: judge a claim
#
# A colleague writes: "MSVP improves ViT-Tiny on Fashion-MNIST by 0.92 points, at a cost below 0.02 %. It adapts a
# frozen model to the task." In four sentences: what stands, what does not, and what would you run?

# %% [markdown] exercise={"id": "02-claim", "points": 3, "minutes": 5, "difficulty": 2, "path": "extra"}
# ### BEGIN SOLUTION
# The cost stands for ViT-Tiny: 81 numbers of 5.4 million, far below 0.02 %.
# Nothing is frozen in the paper: backbone and prompt train together from scratch, so "adapts a frozen model" is wrong.
# For a ViT the added picture is a shift of the position embedding, so any gain must come from training, not from new
# functions; and +0.92 comes without a spread: the published scripts run one unpaired seed, so it may be chance.
# I would run paired seeds, as many as the measured spread asks for, on all 10,000 test images, with a full-resolution
# picture and a tuned learning rate as controls, and report the paired interval.
# ### END SOLUTION
# ### BEGIN MARK SCHEME
# 3 points: names at least three of: no spread or number of seeds given; joint training, nothing frozen;
#   position-embedding identity; cost holds for this network; and proposes paired seeds with an interval and a control.
# 2 points: names two of them and proposes more seeds.
# 1 point: doubts the claim for one correct reason, without a proposal.
# ### END MARK SCHEME

# %% [markdown]
# ## Recap
#
# - MSVP adds one picture to every image: the average of three stretched maps, $x' = x + M$, 81 numbers a channel.
# - In a ViT an added picture is a shift of the position embedding: no new function.
# - In the published code everything trains together from scratch. In all other lessons the prompted network is frozen.
# - A difference needs paired seeds, an interval, and enough test images. One seed is one draw from a lottery.
#
# **How far this goes.** A small CNN that trains from scratch, on up to 16,000 images; the paper's CNN on all of
# Fashion-MNIST; a ResNet-18 on 500 digits. The published code trains ResNet-18 and ViT-Tiny on full data sets, too.
# Nobody here measured those, nor MSVP on a network that was trained on ImageNet.

# %% [markdown]
# ## Self-test
#
# ### Exercise: what learns?
#
# Which tensors does training change in this lesson's MSVP runs?
#
# - **a** the three maps
# - **b** the three maps and the head
# - **c** the three maps, the head, and the weights of the network

# %% exercise={"id": "02-quiz-learns", "points": 1, "minutes": 1, "difficulty": 1, "path": "extra"}
learns = ...  # "a", "b" or "c"
### BEGIN SOLUTION
learns = "c"
### END SOLUTION

# %% check="02-quiz-learns"
check.quiz("02-quiz-learns", learns)

# %% [markdown]
# ### Exercise: nothing new for a ViT
#
# Which of these can a ViT replace by other values of its learned position embedding? Give all, as in "a, c".
#
# - **a** add with scales 1, 4, 8
# - **b** gated with scales 1, 4, 8
# - **c** a picture computed from each image by a small network
# - **d** one full-resolution picture, added to every image

# %% exercise={"id": "02-quiz-class", "points": 1, "minutes": 2, "difficulty": 2, "path": "extra"}
nothing_new = ...  # such as "a, c"
### BEGIN SOLUTION
nothing_new = "a, b, d"
### END SOLUTION

# %% check="02-quiz-class"
check.quiz("02-quiz-class", nothing_new)

# %% [markdown]
# ### Exercise: reading an interval
#
# Ten paired seeds give a mean difference of +0.5 points with an interval from −1.1 to +2.1. What follows?
#
# - **a** the method helps
# - **b** the method does not help
# - **c** these runs cannot tell; a loss of 1 point and a gain of 2 both lie inside the interval

# %% exercise={"id": "02-quiz-claim", "points": 1, "minutes": 1, "difficulty": 1, "path": "extra"}
follows = ...  # "a", "b" or "c"
### BEGIN SOLUTION
follows = "c"
### END SOLUTION

# %% check="02-quiz-claim"
check.quiz("02-quiz-claim", follows)

# %% [markdown]
# ## Further reading
#
# - S. Khazem (2025). Multi-Scale Visual Prompting for Lightweight Small-Image Classification.
# [arXiv:2512.03663](https://arxiv.org/abs/2512.03663).
#   The method of this lesson.
# - H. Bahng, A. Jahanian, S. Sankaranarayanan, P. Isola (2022). Exploring Visual Prompts for Adapting Large-Scale
#   Models. [arXiv:2203.17274](https://arxiv.org/abs/2203.17274). The frame of lesson 01.
# - S. Ioffe, C. Szegedy (2015). Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate
#   Shift. [arXiv:1502.03167](https://arxiv.org/abs/1502.03167). Why a constant disappears.
# - A. Dosovitskiy et al. (2021). An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale.
#   [arXiv:2010.11929](https://arxiv.org/abs/2010.11929). Patch and position embedding.
# - R. R. Selvaraju et al. (2017). Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization.
#   [arXiv:1610.02391](https://arxiv.org/abs/1610.02391). Equations 1 and 2.
# - X. Bouthillier et al. (2021). Accounting for Variance in Machine Learning Benchmarks.
# [arXiv:2103.03098](https://arxiv.org/abs/2103.03098).
#   Which lotteries to average over.
# - D. Picard (2021). Torch.manual_seed(3407) is all you need: On the influence of random seeds in deep learning
#   architectures for computer vision. [arXiv:2109.08203](https://arxiv.org/abs/2109.08203). The seed lottery on a large
#   scale.

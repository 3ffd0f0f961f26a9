# %% [markdown]
# # Multiscale prompts
#
# **You will be able to**
#
# - build a multiscale prompt (MSVP) from three small maps, and count what it learns;
# - say which part of it a batch norm hides, and which part a ViT could already do;
# - compare two methods over paired seeds, with an interval, and say what would settle a claim;
# - read a confusion matrix and a Grad-CAM map without fooling yourself.
#
# **Before you start**: lesson 00 (splits, standard error) and lesson 01 (a frame of learned pixels).
#
# **Your time**: 75 minutes, of which 25 for the core exercises.
# **Machine time**: about 40 seconds on two CPU cores.

# %% name="setup"
import math

import numpy as np
import torch
from scipy import stats
from torch.nn import functional as F

import vpcore
from course import check, show
from course.recorded import recorded
from course.widgets.scales import ScalesExplorer
from vpcore.inside.grad_cam import confusion_matrix, grad_cam
from vpcore.statistics import image_variance, smallest_detectable_difference

torch.set_num_threads(1)  # so small a network gains nothing from a second thread

# %% [markdown]
# ## 1. From a frame to three scales
#
# In lesson 01 a prompt was a frame of learned pixels: every image x became x + δ, with the same δ for all images.
# A frame leaves the middle alone. A picture as large as the image reaches every pixel, and has many numbers to learn.
#
# **Question.** Could a few numbers make a picture that covers the whole image? What would be lost?
#
# Khazem (2025) answers with three small maps per channel. P_g has 1×1 entries, P_m has 4×4, P_l has 8×8.
# Each is stretched to the size of the image, U(P), and the three stretched maps are averaged:
#
# x' = x + ( U(P_g) + U(P_m) + U(P_l) ) / 3

# %%
data = vpcore.load_data("digits")
spec = vpcore.load_backbone("simple_cnn", pretrained=False, width=8, mean=data.mean, std=data.std).spec
prompt = vpcore.MultiScalePrompt(spec)
print("images:", tuple(data.train.images.shape), "to train on,", len(data.test), "to test on")
print("maps:", [tuple(prompt_map.shape) for prompt_map in prompt.maps])
print("numbers to learn:", prompt.num_learned(), "instead of", math.prod(data.train.images.shape[1:]))

# %% [markdown]
# These are scikit-learn's real handwritten digits, 8×8 pixels, enlarged to 28×28.
# So the local map has the resolution of the data itself, and nothing here is a claim about MNIST.

# %% [markdown]
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
# **Question.** The maps below are fresh from their start, N(0, 0.01²). Which of them has the largest values, and why?

# %%
average = check.use("02-average", average_maps)
P_g, P_m, P_l = prompt.maps
stretched = {f"U({name})": average([values], (28, 28)) for name, values in {"P_g": P_g, "P_m": P_m, "P_l": P_l}.items()}
stretched["average"] = average([P_g, P_m, P_l], (28, 28))
show.prompt_maps(stretched, "Three maps and their average, untrained", made_by=check.made_by("02-average"))

# %% [markdown]
# With more entries, the largest of them tends to be further out. The average is weaker than the two larger maps:
# where signs differ the maps cancel, and the sum is divided by three.
#
# **Question.** Added to an image, is such a map visible?

# %%
x = (data.test.images[:1].float() / 255 - data.mean[0]) / data.std[0]
strengths = {"x": 0, "x' at the start": 1, "x', maps × 30": 30, "x', maps × 100": 100}
prompted = [x + strength * stretched["average"] for strength in strengths.values()]
pixels = torch.cat(prompted).detach() * data.std[0] + data.mean[0]
show.image_row(pixels, list(strengths), "One digit and its prompted versions", made_by=check.made_by("02-average"))

# %% [markdown]
# A map of 0.01 is invisible. "Amplitude" in this course always means *normalized units*: after mean and standard
# deviation, where the prompt is added. In every picture of maps the color scale has that unit, and zero is white.
#
# ### Explore: scales, fusion, amplitude
#
# Switch scales off and on, and change fusion and amplitude. All controls work with Tab, Space and the arrow keys.
# Before you touch it, guess: switch "local 8×8" off. Does the change x' − x get weaker, or stronger?

# %% name="explorer"
explorer = ScalesExplorer(data.test.images[:10], spec)
explorer

# %% [markdown]
# The next cell moves every control once, as a learner would, and shows the explorer as it stands.

# %%
print(explorer.drive())
explorer.picture()

# %% [markdown]
# Usually stronger: independent random maps partly cancel, and an average of two cancels less than one of three.
# With fewer maps in the average, each that is left counts more. Switching a scale off is not the same as setting it to
# zero. Keep this in mind when a paper compares numbers of scales.

# %% [markdown]
# ## 2. How many numbers, and how many of them matter?
#
# Besides *add* there are two other fusions in the method's code:
#
# | fusion | prompted image | learned besides the maps |
# |---|---|---|
# | add | x + M, with M the average of the maps | nothing |
# | concat | K · [x, U(P_g), U(P_m), U(P_l)], a 1×1 convolution | weights of K, no bias |
# | gated | x + sigmoid(k(M)) · M, k a 1×1 convolution from C to C channels | weights and bias of k |
#
# The abstract of the paper describes a 1×1 convolution. Its figure 1 and its code add, so add is our default.
#
# ### Exercise: count what learns
#
# Return the number of learned entries for C = `chans` channels, a tuple of `scales`, and a fusion.

# %% exercise={"id": "02-count", "points": 2, "minutes": 5, "difficulty": 1, "path": "core", "needs": ["setup"]}
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
FUSIONS = ("add", "concat", "gated")
print("made by:", check.made_by("02-count"))
print("network         images      add      concat   gated   (% of the network)")
for name in ("simple_cnn", "resnet18_small", "vit_tiny_small"):
    for chans, size in ((1, 28), (3, 32)):
        net = vpcore.load_backbone(name, pretrained=False, in_chans=chans, image_size=size)
        total = sum(p.numel() for p in net.parameters()) + 10 * (net.spec.dim + 1)
        shares = [f"{100 * count(chans, (1, 4, 8), fusion) / total:.4f}" for fusion in FUSIONS]
        print(f"{name:15} {chans}×{size}×{size}    ", "   ".join(shares))

# %% [markdown]
# With one exception: the CNN on color images, where the share is 0.0201 to 0.0231 %.
# A habit worth having: count first, then write "less than".
#
# **Question.** All 81 numbers move the picture. Do they move it in 81 independent ways?

# %% [markdown]
# ### Exercise: find the redundant numbers
#
# Each learned entry on its own makes one picture: stretch a map that is 1 there and 0 elsewhere.
# Flatten each picture (one channel, size × size) to one row of a matrix, and return the rank of that matrix.
# Compute in float64: rounding makes new, false directions.

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
    print(f"scales {scales!s:10} learned {count(1, scales, 'add'):2}   independent {rank(scales, 28):2}")

# %% [markdown]
# 79 of 81. A map of equal entries stretches to a constant, so every scale can make the constant picture that the global
# map makes. As soon as the mid map is there, the global map adds nothing to what can be expressed.
# The mid map is not inside the local one: 16 + 64 − 1 = 79, because their grid points lie elsewhere.

# %% [markdown]
# ## 3. Why a batch norm hides the global map
#
# The global map adds one constant to a whole channel. The first layers of the CNN are a convolution and a batch norm.
#
# **Question.** A convolution turns a constant into a constant. What does the batch norm that follows do with it?

# %%
backbone = vpcore.load_backbone("simple_cnn", pretrained=False, width=8, mean=data.mean, std=data.std)
first = backbone.blocks[0][:2].train()  # convolution and batch norm, as they are in training
images = (data.train.images[:128].float() / 255 - data.mean[0]) / data.std[0]
with torch.no_grad():
    change = (first(images + 0.3) - first(images)).abs().mean((0, 1))  # (28, 28)
interior, border = change[1:-1, 1:-1].mean(), torch.cat([change[0], change[-1], change[:, 0], change[:, -1]]).mean()
print("the change at the border is more than 5 times that of the interior:", bool(border > 5 * interior))

# %%
title = "What a constant of 0.3 changes"
label = "untrained network, 128 digits"
show.prompt_maps({"after batch norm": change}, title, live=True, label=label, unit="mean change")

# %% [markdown]
# The batch norm subtracts each channel's mean over batch and places, and the constant with it.
# Only the border hears it: there the convolution reads padding zeros, to which nothing was added.
# So in a CNN with batch norm the global map draws a frame, and hardly anything else.

# %% [markdown]
# ## 4. What the fusions really do
#
# ### Exercise: the gate
#
# Write the gated fusion: x + gate · M. The gate is the sigmoid of a 1×1 convolution.
# It reads M, the averaged map, and *not* the image.

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
# **Question.** "Gated" sounds as if the prompt adapts to the image. Does it?

# %%
gate = check.use("02-gate", gated)
two = (data.test.images[:2].float() / 255 - data.mean[0]) / data.std[0]
rng = torch.Generator().manual_seed(0)
M, weight, bias = (torch.randn(shape, generator=rng) for shape in ((1, 1, 28, 28), (1, 1, 1, 1), (1,)))
added = gate(two, M, weight, bias) - two
print("made by:", check.made_by("02-gate"))
print("two different digits get the same picture:", torch.allclose(added[0], added[1], atol=1e-5))

# %% [markdown]
# The gate never sees the image. Add and gated are both x + (one picture for all images).
# The gate changes how that picture is learned; every picture it makes could be added directly.
#
# Concat also multiplies the image: by a number for one channel, by a 3×3 matrix for three.
# The published code draws them at random.
#
# **Question.** What does the network see of a digit in its very first step, for five seeds?

# %%
starts = [vpcore.MultiScalePrompt(spec, fusion="concat", init="kaiming", seed=seed) for seed in range(5)]
views = torch.cat([start.image(x, None) for start in starts]).detach() * data.std[0] + data.mean[0]
show.image_row(views, [f"seed {seed}" for seed in range(5)], "Concat with random weights, before training")

# %% [markdown]
# The same digit is faint, or inverted, by chance. Our `init="identity"` starts at x' = x instead.
#
# **Question.** The maps are averaged. If one more scale is switched on, how does the gradient of P_g change?

# %%
push = torch.randn(1, 1, 28, 28, generator=rng)  # some gradient that arrives at the image
slopes = []
for scales in ((1,), (1, 4), (1, 4, 8)):
    prompt = vpcore.MultiScalePrompt(spec, scales)
    (prompt.image(x, None) * push).sum().backward()
    slopes.append(prompt.maps[0].grad.item())
print("gradient of P_g with 1, 2, 3 scales, relative:", [round(slope / slopes[0], 3) for slope in slopes])

# %% [markdown]
# Averaging n maps divides each map's gradient by n. Plain SGD would then learn each map n times more slowly.
# Adam divides by the gradient's own size, so there it is the effect on the picture that shrinks.
# For each single map, more scales mean smaller steps of the picture, unless the learning rate is tuned for each.

# %% [markdown]
# ## 5. In a ViT it is a position embedding
#
# A ViT cuts the image into patches, embeds each with one linear map W, and adds bias b and a position embedding:
#
# W(x + M) + b + position = Wx + b + ( WM + position )
#
# **Question.** The position embedding is learned anyway. Which functions can a ViT with MSVP compute that no ViT
# without it can?

# %% [markdown]
# ### Exercise: fold the prompt into the position embedding
#
# Return the position embedding that does the work of an added map. Position 0 belongs to the class token.
# `weight` (D, C, p, p) and `bias` (D,) are those of the patch embedding, a convolution with stride p.

# %% exercise={"id": "02-fold", "points": 3, "minutes": 6, "difficulty": 2, "path": "core", "needs": ["setup"]}
def fold(weight, bias, position, added):
    """Return a position embedding (1, 1 + N, D) that makes up for adding `added` (1, C, H, W) to every image."""
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
vit = vpcore.load_backbone("vit_tiny_small", pretrained=False).double()
prompt = vpcore.MultiScalePrompt(vit.spec).double()
with torch.no_grad():
    for prompt_map in prompt.maps:
        prompt_map.copy_(torch.randn(prompt_map.shape, generator=rng))
images = data.test.images[:4].double() / 255
with_prompt = vpcore.Prompted(vit, prompt, torch.nn.Identity()).features(images)

# %%
absorb, embed = check.use("02-fold", fold), vit.embed.net
projection, added = embed.patch_embed.proj, prompt.added_map((28, 28))
with torch.no_grad():
    embed.pos_embed.copy_(absorb(projection.weight, projection.bias, embed.pos_embed.clone(), added))
without = vpcore.Prompted(vit, vpcore.NoPrompt(vit.spec), torch.nn.Identity()).features(images)
print("made by:", check.made_by("02-fold"))
print("features agree to 1e-12:", bool((with_prompt - without).abs().max() < 1e-12))

# %% [markdown]
# None. For a ViT, add and gated give exactly the functions it already had. What can differ is the way training takes.
# Yet of its three networks, the paper reports the largest gain on Fashion-MNIST, +0.92 points, for ViT-Tiny.
# Either training takes a better way, or something else moved the number. How would one know?

# %% [markdown]
# ## 6. Train it, five times, in pairs
#
# What learns? In the published code, **everything**: the networks start from scratch and train together with the maps.
# Nothing is pre-trained and nothing is frozen, so this is not yet prompting of a frozen model.
# In vpcore that is one argument, `train_backbone=True`.

# %% name="train"
def train(prompt_name, seed):
    """Train a small CNN from scratch, with or without a prompt; return the model, its test, its amplitudes."""
    backbone = vpcore.load_backbone("simple_cnn", pretrained=False, width=8, mean=data.mean, std=data.std, seed=seed)
    prompt = vpcore.PROMPTS[prompt_name](backbone.spec, seed=seed)
    model = vpcore.Prompted(backbone, prompt, vpcore.LinearHead(spec.dim, 10, seed=seed), train_backbone=True)
    sizes = [[float(values.detach().square().mean().sqrt()) for values in prompt.parameters()]]

    def note(record):
        sizes.append([float(values.detach().square().mean().sqrt()) for values in prompt.parameters()])

    recipe = {"epochs": 6, "lr": 1e-2, "batch_size": 32, "optimizer": "adam"}
    vpcore.fit(model, data.train, data.valid, **recipe, seed=seed, on_epoch=note)
    return model, vpcore.evaluate(model, data.test), sizes


# %% [markdown]
# Two runs are **paired** when they share everything but the prompt: first weights, batches, dropout masks.
# That needs care. If the prompt draws from the same random stream, switching it on shifts every later draw.
# The published code does that, so its "with" and "without" start from different networks, even with one seed.
# Here each prompt has a generator of its own.
#
# **Question.** How many points will five pairs differ by, and will all five have the same sign? Write down a guess.

# %% name="baseline"
SEEDS = range(5)
baseline = [train("none", seed) for seed in SEEDS]
print(len(baseline), "networks trained without a prompt")

# %% name="pairs"
msvp = [train("multiscale", seed) for seed in SEEDS]
one, other = baseline[0][0], msvp[0][0]
print("without:", vpcore.count(one))
print("with:   ", vpcore.count(other))
base_accuracy = np.array([test.accuracy for _, test, _ in baseline])
msvp_accuracy = np.array([test.accuracy for _, test, _ in msvp])

# %% [markdown]
# ### Exercise: a paired interval
#
# Accuracies come as arrays between 0 and 1, entry i from seed i. Return (low, high): the 95 % interval of the mean
# difference MSVP − baseline, in points (hundredths). `stats.t.ppf(q, k)` is Student's t-quantile with k degrees of
# freedom.

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

# %%
interval = check.use("02-interval", paired_interval)
differences = 100 * (msvp_accuracy - base_accuracy)
ends = interval(base_accuracy, msvp_accuracy)
title, who = "MSVP against no prompt, small CNN on digits", check.made_by("02-interval")
show.paired_dots(differences, ends, title, live=True, label="your run, 5 seeds, 397 test images", made_by=who)

# %% [markdown]
# Compare with your guess. Does the interval hold zero? Does it hold +0.92? If it holds both, five seeds cannot tell.

# %% [markdown]
# ## 7. The seed lottery
#
# The recorded table holds the same experiment with 20 seeds, made by `python -m vpcore.grid`.
# A pair of the same seed gives one difference. Any two runs of *different* seeds give an unpaired one.
#
# **Question.** Which of the two spreads wider, and by how much?

# %%
table = recorded("msvp_small")
without, with_msvp = table.accuracies("digits"), table.accuracies("digits", "multiscale")
paired = with_msvp - without
unpaired = (with_msvp[:, None] - without[None, :])[~np.eye(len(paired), dtype=bool)]
print(table.about("digits"))
print(f"standard deviation: paired {paired.std(ddof=1):.2f}, unpaired {unpaired.std(ddof=1):.2f} points")
print(f"so unpaired runs need {(unpaired.std(ddof=1) / paired.std(ddof=1)) ** 2:.1f} times as many seeds")

# %%
groups = {"paired, recorded": paired, "unpaired, recorded": unpaired, "paired, your run": differences}
title = "The seed lottery: MSVP − baseline on digits"
mark = {"mark": 0.92, "mark_name": "+0.92: the paper's ViT-Tiny on Fashion-MNIST (another network and data set)"}
show.lottery(groups, title, **mark, live=("paired, your run",), label="20 recorded seeds; your 5 repeat the first five")

# %% [markdown]
# One draw from such a distribution can be far above zero, or far below, whatever the prompt does.
# Your five points repeat seeds 0 to 4 of the recorded twenty: a check of the record, no new evidence.
#
# The published ablation scripts run **one seed**, and switching the prompt on shifts the random stream.
# We do not know how many seeds stand behind the +0.92. If it was one, it is one draw from an unpaired lottery,
# whose spread for that network we have not measured.
#
# Pairing is fair, and it saves runs: the seeds that are needed grow with the square of the standard deviation.
# Yet pairs still differ by many points. Short trainings of a small network are chaotic:
# a tiny change at the start is soon a different network. Pairing pays most where two runs stay close,
# as they do on a frozen backbone.
#
# ### Exercise: how many seeds settle +0.92?
#
# With a standard deviation `spread` of the paired difference, return the smallest number of seeds (2 or more) whose
# 95 % interval has a half-width below `effect`. (Even then, a true effect of that size is missed about half the time.)

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
needed = check.use("02-settle", seeds_needed)
spreads = {"digits": paired.std(ddof=1)}
fashion = table.accuracies("fashion_mnist", "multiscale") - table.accuracies("fashion_mnist")
spreads["fashion_mnist"] = fashion.std(ddof=1)
print("made by:", check.made_by("02-settle"))
print(table.about("fashion_mnist"))
for name, spread in spreads.items():
    print(f"{name}: spread {spread:.2f} points, so {needed(spread, 0.92)} seeds for a half-width below 0.92")

# %% [markdown]
# Seeds are one lottery, test images are another: a second test set would give another number for the same networks.
#
# ### Exercise: how many test images?
#
# Two models disagree on a share `disagree` of the images: exactly one of them is right. Their accuracies differ by
# `effect`. Both are shares of 1. On one image the difference is +1, −1 or 0. The standard error over n images is
# √(variance of one image's difference / n). Return the smallest n for which 1.96 of them are at most `effect`.

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
    disagree = float((before != after).mean())
    seeds, images = before.shape
    found = smallest_detectable_difference(spreads[name] / 100, seeds, image_variance(before, after), images)
    print(f"{name}: exactly one of a pair is wrong on {100 * disagree:.1f} % of {images:,} test images;")
    print(f"  +0.92 needs {enough(disagree, 0.0092):,} images; these {seeds} seeds detect {100 * found:.1f} points")

# %% [markdown]
# "Detect" means: found in 80 % of such comparisons, with seeds *and* test images left to chance. That is stricter
# than the two exercises, which each ask about one lottery.
#
# **Question.** Which scales, which fusion? Look at the spread first, at the means second.
# Every setting here has ten seeds, so of the twenty recorded above only the first ten are used.

# %%
names = {
    "no prompt": "none", "add: 1, 4, 8": "multiscale", "add: 1": "multiscale:scales=1",
    "add: 1, 4": "multiscale:scales=1+4", "gated: 1, 4, 8": "multiscale:fusion=gated",
    "concat, identity start": "multiscale:fusion=concat",
    "concat, random start": "multiscale:fusion=concat,init=kaiming",
}  # fmt: skip
rows = {name: table.accuracies("digits", prompt)[:10] for name, prompt in names.items()}
show.settings(rows, "Scales and fusions, small CNN on digits", label="recorded, 10 seeds, 397 test images")

# %%
base = rows.pop("no prompt") / 100
compared = {name: (values.mean() - 100 * base.mean(), *interval(base, values / 100)) for name, values in rows.items()}
new = (table.accuracies("fashion_mnist") / 100, table.accuracies("fashion_mnist", "multiscale") / 100)
compared["Fashion-MNIST, add: 1, 4, 8"] = (100 * (new[1] - new[0]).mean(), *interval(*new))
for name, (mean, low, high) in compared.items():
    verdict = "cannot tell" if low <= 0 <= high else "differs from the baseline"
    print(f"{name:28} {mean:+6.2f}  ({low:+6.2f} to {high:+6.2f})  {verdict}")

# %%
label = "recorded, 10 seeds each, 397 or 10,000 test images"
show.intervals(compared, "Each setting against no prompt, paired", label=label)

# %% [markdown]
# Seven intervals at 95 % are seven chances of a false alarm. And an interval that holds zero does not prove
# "no effect": it says how large an effect could hide.
#
# One interval does exclude zero, and on the wrong side. On Fashion-MNIST (2,000 training images), with our recipe,
# MSVP is **worse**.
# That is not the paper's result. It is not the paper's recipe either: ours is short, with a rate of 0.01.
#
# **Question.** Each Adam step may move every entry of the map by the learning rate. What does the network see then?

# %%
slow = recorded("msvp_lr")
for rate, runs in {"0.01": table, "0.001": slow}.items():
    before, after = (runs.accuracies("fashion_mnist", prompt) for prompt in ("none", "multiscale"))
    low, high = interval(before / 100, after / 100)
    verdict = "cannot tell" if low <= 0 <= high else "differs from the baseline"
    print(f"rate {rate:5}: no prompt {before.mean():.1f} %, difference {low:+.2f} to {high:+.2f} points, {verdict}")

# %% [markdown]
# The input moves while the network learns to read it. With the smaller rate the harm is not seen any more.
# Does that prove that the rate is the cause? No: the two intervals overlap, and the slow runs learned less.
# "Differs" here and "cannot tell" there is not yet a difference between here and there.
#
# All this is our small CNN. The published code trains three larger networks on full data sets, ten epochs by default.
#
# **Question.** Do its own networks say anything else, on what a CPU can train: 500 digits, six epochs?

# %%
nets = recorded("msvp_nets")
print(nets.about("digits"))
by_network = {}
for name in ("simple_cnn", "resnet18_small", "vit_tiny_small"):
    before, after = (nets.accuracies("digits", prompt, name) / 100 for prompt in ("none", "multiscale"))
    low, high = interval(before, after)
    by_network[name] = (100 * (after - before).mean(), low, high)
    verdict = "cannot tell" if low <= 0 <= high else "differs from the baseline"
    print(f"{name:15} no prompt {100 * before.mean():.1f} %, difference {low:+.2f} to {high:+.2f} points, {verdict}")

# %%
label = "recorded, 5 seeds each, rate 0.001, 500 training and 397 test images"
show.intervals(by_network, "MSVP against no prompt, the paper's networks", label=label)

# %% [markdown]
# These are short runs on few images: they say how such runs scatter, not what the paper's would give.
# The ViT has hardly started to learn, and the ResNet has almost nothing left to gain.
# All three intervals hold both 0 and +0.92. Of the paper's tables, only the +0.92 is quoted here.
#
# The paper's figure 4 says that the gain grows with the difficulty of the data: minimal on MNIST, moderate on
# Fashion-MNIST. Difficulty is measured here by the error without a prompt.
#
# **Question.** Three sets, our small CNN, the smaller rate, ten pairs each: does the gain grow from line to line?

# %%
others, by_set = recorded("msvp_sets"), {}
SETS = {"Fashion-MNIST": (slow, "fashion_mnist"), "MNIST": (others, "mnist"), "CIFAR-10": (others, "cifar10")}
for name, (runs, data_set) in SETS.items():  # from the smallest error without a prompt to the largest
    before, after = (runs.accuracies(data_set, prompt) / 100 for prompt in ("none", "multiscale"))
    low, high = interval(before, after)
    key = f"{name}, error {100 - 100 * before.mean():.0f} %"
    by_set[key] = (100 * (after - before).mean(), low, high)
    verdict = "cannot tell" if low <= 0 <= high else "differs from the baseline"
    print(f"{key:25} {by_set[key][0]:+5.2f}  ({low:+5.2f} to {high:+5.2f}) points  {verdict}")

# %%
label = "recorded, 10 seeds each, 2,000 training and 10,000 test images"
show.intervals(by_set, "MSVP against no prompt, from the easiest set to the hardest", label=label)

# %% [markdown]
# The means do grow from line to line. But every interval holds zero, and each overlaps the others: the same runs fit a
# gain that grows, none at all, and one that falls. A trend over three sets needs narrower bars, or more sets.
# And MNIST is not easy *here*: six epochs on 2,000 images leave half of it wrong, so that no ceiling can be seen.

# %% [markdown]
# ## 8. What it mixes up, and where it looks
#
# A **confusion matrix** has a row for each true class and a column for each predicted class.
# Each row is divided by its sum, so the diagonal holds the accuracy of each class.
# Numbers are percent of the row; those below 5 are left out.
#
# **Question.** Which two digits will a small network mix up?

# %%
matrices = {}
for name, runs in {"no prompt": baseline, "MSVP": msvp}.items():
    said = torch.cat([test.predictions for _, test, _ in runs])
    true = torch.cat([test.labels for _, test, _ in runs])
    matrices[name] = confusion_matrix(said, true, 10)
print("every row sums to 1:", all(torch.allclose(m.sum(1), torch.ones(10).double()) for m in matrices.values()))
show.confusion(matrices, data.classes, "Who is taken for whom", live=True, label="your run, 5 seeds together")

# %% [markdown]
# Read a row: "of all true 8s, how many were called 1?" Compare two matrices only where the cells differ by more than
# the five seeds differ among themselves (call `confusion_matrix` for each seed to see that).
# One matrix of one seed is one draw.
#
# The paper's figure 3 shows two such matrices of its ResNet-18 on Fashion-MNIST, and reports that with MSVP fewer
# shirts are taken for T-shirts, and fewer pullovers for coats. We recorded five pairs, with 500 training images each.
#
# **Question.** In how many of the five pairs must the count fall before you believe it?

# %%
mixed = recorded("msvp_confusion")
print(mixed.about("fashion_mnist"))
ARMS = {"no prompt": "none", "MSVP": "multiscale"}
before, after = (mixed.accuracies("fashion_mnist", prompt, "resnet18_small") / 100 for prompt in ARMS.values())
low, high = interval(before, after)
print(f"accuracy without a prompt {100 * before.mean():.1f} %; with MSVP {low:+.1f} to {high:+.1f} points, "
      f"lower in {(after < before).sum()} of {len(after)} pairs")  # fmt: skip

# %%
clothes = ["T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"]


def recorded_matrices(prompt):
    """Return the recorded confusion matrices (seeds, 10, 10) of one arm, in the order of the seeds."""
    runs = [run for run in mixed.runs if run["cell"]["prompt"] == prompt]
    return np.array([run["extra"]["confusion"] for run in sorted(runs, key=lambda run: run["cell"]["seed"])])


both = {name: recorded_matrices(prompt) for name, prompt in ARMS.items()}
for one, other in (("shirt", "T-shirt"), ("pullover", "coat")):
    i, j = clothes.index(one), clothes.index(other)
    before, after = ((m[:, i, j] + m[:, j, i]) / 2 for m in both.values())
    low, high = interval(before, after)
    verdict = "cannot tell" if low <= 0 <= high else "differs"
    print(f"{one} for {other}, or the other way: {100 * before.mean():.1f} % of their rows without a prompt,")
    print(f"  with MSVP {100 * (after - before).mean():+.1f} points ({low:+.1f} to {high:+.1f}), {verdict}; "
          f"fewer in {(after < before).sum()} of {len(after)} pairs")  # fmt: skip

# %%
shown = {name: matrices.mean(0) for name, matrices in both.items()}
title = "Who is taken for whom: the paper's ResNet-18 on Fashion-MNIST"
show.confusion(shown, clothes, title, label="recorded, mean of 5 seeds, 1,000 test images")

# %% [markdown]
# Neither count can be told from no change: one mean falls, the other rises. The accuracy can be told, and with MSVP it
# is *lower*, in every pair. Five pairs of short runs on few images do not refute the paper's figure. They show how far
# such counts scatter from seed to seed: much further than they move on average.
#
# **Grad-CAM** asks where the evidence for a class lies. It weights each channel of the last maps by the mean gradient
# of the class score, adds them up, and keeps what is positive. Our maps stay in logits: no rescaling to 0 … 1 for each
# image, which would make noise look like evidence.
#
# **Question.** Two networks of equal accuracy: will their maps agree?

# %%
pick = [int((data.test.labels == digit).nonzero()[0]) for digit in range(6)]
sample = data.test.images[pick].float() / 255
models = {f"no prompt, seed {seed}": baseline[seed][0] for seed in (0, 1)}
models |= {f"MSVP, seed {seed}": msvp[seed][0] for seed in (0, 1)}
cams = {name: grad_cam(model, sample, classes=data.test.labels[pick]) for name, model in models.items()}
titles = [f"true {digit}" for digit in range(6)]
show.grad_cam(sample, cams, titles, "Grad-CAM for the true class", label="your run, seeds 0 and 1")

# %% [markdown]
# A digit that stays gray has no positive evidence for its class in the last maps.
# Each row has its own color bar: compare places between rows, not brightness.
# Compare rows 1 and 2 before you compare rows 1 and 3. Two seeds of the *same* method differ too.
# A before/after picture with one seed cannot tell the prompt from the seed. Lesson 07 tests such pictures properly.
#
# ### What did the prompt learn?
#
# **Question.** Will five seeds learn the same picture? It starts at about 0.01; how large will it get?

# %%
learned = {f"seed {seed}": model.prompt.added_map((28, 28)) for seed, (model, _, _) in enumerate(msvp)}
show.prompt_maps(learned, "The learned picture of each seed", live=True, label="your run, 5 seeds")

# %% [markdown]
# **Question.** And on another data set? *photodigits* puts the same digits, colored, anywhere on real photographs.

# %% name="photodigits"
photos = vpcore.load_data("photodigits", num_train=1000)
sizes = {"image_size": 32, "in_chans": 3, "mean": photos.mean, "std": photos.std}
net = vpcore.load_backbone("simple_cnn", pretrained=False, width=8, **sizes)
model = vpcore.Prompted(net, vpcore.MultiScalePrompt(net.spec), vpcore.LinearHead(spec.dim, 10), train_backbone=True)
vpcore.fit(model, photos.train, photos.valid, epochs=4, lr=1e-2, batch_size=32, optimizer="adam", seed=0)
red, green, blue = model.prompt.added_map((32, 32))[0]
gallery = {"digits": msvp[0][0].prompt.added_map((28, 28)), "red": red, "green": green, "blue": blue}
label = "your run, seed 0; red, green and blue on photodigits"
show.prompt_maps(gallery, "The learned picture on two data sets", live=True, label=label)

# %%
sizes = np.array([amplitudes for _, _, amplitudes in msvp]).mean(0)  # (epochs + 1, 3)
curves = {name: (range(7), sizes[:, place]) for place, name in enumerate(("global", "mid", "local"))}
words = {"across": "epoch", "up": "root mean square (normalized units)"}
show.lines(curves, "How large the maps are", **words, live=True, label="your run, mean of 5 seeds")

# %% [markdown]
# An image in normalized units has a standard deviation of about 1; hold the numbers on the color bar against that.
# If the five pictures differ, none of them is "the" pattern of the data. Do not interpret blobs of a single seed.

# %% [markdown]
# ### Exercise: what may be claimed?
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
# - MSVP adds one picture to every image: the average of three stretched maps, 81 numbers a channel, 79 independent.
# - A batch norm removes the global map except at the border. A ViT's position embedding can do all of add and gated.
# - The gate sees the map, never the image. Averaging n maps divides each gradient by n.
# - In the published code everything trains together from scratch. From the next lesson on, the network is frozen.
# - A difference needs paired seeds, an interval, and enough test images. One seed is one draw from a lottery.
# - Confusion matrices and Grad-CAM maps vary with the seed too. Compare seeds before methods.

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
# - S. Khazem (2025). Multi-Scale Visual Prompting for Lightweight Small-Image Classification. arXiv:2512.03663.
#   The method of this lesson.
# - H. Bahng, A. Jahanian, S. Sankaranarayanan, P. Isola (2022). Exploring Visual Prompts for Adapting Large-Scale
#   Models. arXiv:2203.17274. The frame of lesson 01.
# - S. Ioffe, C. Szegedy (2015). Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate
#   Shift. arXiv:1502.03167. Why a constant disappears.
# - A. Dosovitskiy et al. (2021). An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale.
#   arXiv:2010.11929. Patch and position embedding.
# - R. R. Selvaraju et al. (2017). Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization.
#   arXiv:1610.02391. Equations 1 and 2.
# - X. Bouthillier et al. (2021). Accounting for Variance in Machine Learning Benchmarks. arXiv:2103.03098.
#   Which lotteries to average over.
# - D. Picard (2021). Torch.manual_seed(3407) is all you need: On the influence of random seeds in deep learning
#   architectures for computer vision. arXiv:2109.08203. The seed lottery on a large scale.

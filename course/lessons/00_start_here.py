# %% [markdown]
# # Start here
#
# **You will be able to**
#
# - say what a visual prompt is in one formula, what it is for, and where it may act;
# - freeze a network in all three meanings of the word;
# - train a linear probe on frozen features with code of your own;
# - say how sure an accuracy is, and choose without fooling yourself.
#
# **Before you start**: Python, and some PyTorch: tensors, a module, a loss. No GPU, no download.
#
# **Your time**: 45 minutes for the core, 40 for the deeper sections.
# **Machine time**: about 20 seconds on two CPU cores.

# %% name="setup"
import copy
import math

import numpy as np
import torch
from scipy import stats
from torch import nn
from torch.nn import functional as F

import vpcore
from course import check, show
from course.recorded import recorded
from course.show.start import accuracies, places
from vpcore.cache import cached
from vpcore.data.splits import stratified_order
from vpcore.models.bundled import read_card
from vpcore.prompted import classify
from vpcore.statistics import t_interval

torch.set_num_threads(1)  # so small a network gains nothing from a second thread

# %% [markdown]
# ## 1. What a visual prompt is for
#
# Somebody trained a large network, and it took weeks. You have a new task and a few hundred images. You may not be
# allowed to change the network, because it runs on somebody's server; or you have fifty tasks, and do not want to store
# and serve fifty changed copies. A **visual prompt** leaves every weight as it is and changes what goes in:
#
# $$x' = x + \delta$$
#
# $x$ is an image, or what a layer makes of it, and $\delta$ is a small learned tensor. One frozen network then serves
# every task, and a task is a file of a few kilobytes. All lessons of this course are about this formula: where to add,
# how $\delta$ is built, whether it depends on the image, and how one would know that it helps.
#
# Here is a case in which it does. A small network knows photographs and was never shown a digit. A learned linear layer
# on its features, a *linear probe*, reads digits that stand in the middle of a photograph. Then a single learned
# picture is added to every image, and the layer is trained again together with it. The network stays as it is.
#
# **Question.** How many of a hundred digits does the probe read, and how many more does it read with the picture?

# %%
wins = recorded("insvp_image")
NAMES = {"linear probe": "none", "with one learned picture": "universal"}
rows = {words: wins.accuracies("photodigits_fixed", name, "resnet_nano") for words, name in NAMES.items()}
title = "A frozen network reads digits in a fixed place"
label = "recorded, 1,000 training images, 5 seeds, 1,000 test images"
accuracies(rows, title, level=10, label=label)

# %% [markdown] answer=true
# About 38, and about nine points more. The picture has 3,072 numbers, and the network, whose 0.65 million weights never
# moved, does the rest. With digits at random places so many images show no gain; lesson 01 has both. So the course asks
# two things of every method: where does it help, and is that sure?

# %% [markdown]
# Each step here asks before it tells. Write down a guess at every **Question**; a wrong guess is remembered best. What
# answers it is not shown before you run the cell, and the words are folded. Then there are exercises. This is the first
# one, and it is the formula.
#
# ### Exercise: your first prompt
#
# Return x + δ. In x, the first axis is the batch; the same δ is added for every image. Replace `...` by your line,
# run the cell, then run the cell below it.

# %% exercise={"id": "00-first", "points": 1, "minutes": 2, "difficulty": 1, "path": "core", "needs": ["setup"]}
def prompted(x, delta):
    """Return x (B, ...) with delta added to every entry of the batch."""
    ### BEGIN SOLUTION
    return x + delta
    ### END SOLUTION


# %% check="00-first"
check("00-first", prompted)

# %% [markdown]
# A check answers in one sentence with a symbol: ○ not attempted, ✗ not yet, ! your code raised an error, ✓ passed.
# It compares your function with right values on inputs you have not seen. It asks for the right gradient too, and that
# you leave your inputs as they were: `x += delta` would change the caller's image.
#
# - `check.hint("00-first")`, in a new cell of yours, gives one hint at a time. Hints cost nothing.
# - Once a check has passed, the cells below use **your** function. Before that they use the library's, so you can skip
#   an exercise and read on. Every result says which: `made by`.
# - `%run -m course progress`, in a new cell, lists what you have passed. It is a file on your computer, nothing else.
# - The core of a lesson takes 45 minutes at most. Sections called *Deeper* can be left out, in any order.
# - A figure labeled "your run" is computed here and now. "recorded" means a table that comes with the course, made
#   earlier with more seeds than you want to wait for.

# %%
add = check.use("00-first", prompted)
data = vpcore.load_data("photodigits", num_train=3000, num_test=2000)
image = data.test.images[3:4].float() / 255
delta = torch.zeros(1, 3, 32, 32)
delta[:, 0, :, :4] = 0.4  # red, on the left edge
pictures = torch.cat([image, 0.5 + delta, add(image, delta)])
titles = ["x", "δ (gray is zero)", "x + δ"]
show.image_row(pictures, titles, "A prompt made by hand", made_by=check.made_by("00-first"))

# %% [markdown]
# This δ is drawn by hand and helps nobody. From lesson 01 on, gradients will draw it. The images are *photodigits*:
# real handwritten digits of scikit-learn, colored and pasted over crops of two real photographs, made by code.
#
# ## 2. A network that is already trained
#
# `load_backbone` returns a trained network without its last layer: a **backbone**. `resnet_nano` is a small ResNet that
# comes with the course. Its card says where it comes from. Every backbone here is three parts in a row,
# **embed → blocks → pool**: embed turns pixels into activations $z$, each block turns $z$ into the next $z$, and pool
# turns the last $z$ into one row of numbers, the **features** of an image.

# %%
backbone, card = vpcore.load_backbone("resnet_nano"), read_card("resnet_nano")
trained_on = card["data"]
print(f"trained on {trained_on['name']}: {trained_on['train']:,} photographs, {len(trained_on['classes'])} classes")
print(f"test accuracy on {trained_on['test']:,} photographs: {100 * card['test_accuracy']:.2f} %")
print("limits:", card["limits"])

# %% [markdown]
# **Question.** $x \to x + \delta$: how many places can you find in a network where something could be added?

# %%
vit = vpcore.load_backbone("vit_nano", pretrained=False)  # only its sizes are needed here
places([backbone.spec, vit.spec], 3, "Where a prompt may act")

# %% [markdown] answer=true
# 1. **Pixels** (lessons 01, 02, 03): δ is a picture, or a part of one.
# 2. **Tokens** (lesson 04): a ViT sees an image as a list of tokens. Learned tokens are put beside them. That is also
#    x + δ, if x has k rows of zeros for them.
# 3. **Activations** (lessons 05, 06): δ is added to z in front of a block. The picture shows block 3; any will do.

# %% [markdown]
# ## 3. What "frozen" means
#
# The gray parts of the picture are frozen. That word has three meanings, and some published prompt code misses one.
#
# | meaning | in PyTorch | what stays as it is | what it saves |
# |---|---|---|---|
# | 1. no gradient | `network.requires_grad_(False)` | the weights | a gradient and optimizer memory for each weight |
# | 2. eval mode | `network.eval()` | batch norm's running mean and variance; dropout is off | nothing |
# | 3. no graph | `with torch.no_grad():` | nothing more | the backward pass, and the activations kept for it |
#
# 1 and 2 are properties of a network. 3 belongs to the code that calls it, and is right only *below* everything that
# learns: a prompt at the pixels needs the gradient to pass *through* the frozen network.
#
# ### Exercise: freeze
#
# Write `freeze(network)` for meanings 1 and 2. Also set `parameter.grad = None`: an optimizer that was built earlier
# takes another step with any gradient that is still there, even if the parameter requires none any more.
# Return the network itself. It must still let gradients through to its input.

# %% exercise={"id": "00-freeze", "points": 3, "minutes": 5, "difficulty": 1, "path": "core", "needs": ["setup"]}
def freeze(network):
    """Freeze a network in place: no gradients for its weights, none left over, eval mode; return it."""
    ### BEGIN SOLUTION
    for parameter in network.parameters():
        parameter.requires_grad_(False)
        parameter.grad = None
    network.eval()
    return network
    ### END SOLUTION


# %% check="00-freeze"
check("00-freeze", freeze)

# %% [markdown]
# **Question.** Here is `resnet_nano` as a plain `nn.Sequential`, with a new head behind it. Its weights require no
# gradient. The model is put in training mode, as every training loop does, and trains for ten steps. Is the network
# afterwards the same as before?

# %% name="ten-steps" point=true
def ten_steps(network):
    """Train a head behind a network for ten steps; return which of the network's stored tensors changed."""
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    model = nn.Sequential(network, nn.Linear(120, 10))
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    model.train()
    for start in range(0, 640, 64):
        images, labels = data.train.images[start : start + 64].float() / 255, data.train.labels[start : start + 64]
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()
    return [name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])]


def plain_copy():
    """Return the layers of resnet_nano as a network that does not know it is frozen."""
    return copy.deepcopy(nn.Sequential(backbone.embed, *backbone.blocks, backbone.pool))


# %%
my_freeze, total = check.use("00-freeze", freeze), len(plain_copy().state_dict())
print("made by:", check.made_by("00-freeze"))
for words, network in {
    "only requires_grad=False: ": plain_copy().requires_grad_(False),
    "freeze, then model.train():": my_freeze(plain_copy()),
    "vpcore's backbone:         ": vpcore.load_backbone("resnet_nano"),
}.items():
    after = ten_steps(network)
    kinds = sorted({name.split(".")[-1] for name in after})
    print(f"{words} {len(after)} of {total} tensors changed", *kinds)

# %% [markdown] answer=true
# No weight moved, and yet the network is another one: in training mode, every batch norm replaces its running mean and
# variance little by little with those of our images. And `freeze` did not help! The loop called `model.train()`, and
# that put everything inside back into training mode. A function cannot see what happens later. So `vpcore.Backbone`
# overrides `train`: while it is frozen, it stays in eval mode whatever is called around it. In code without such a
# guard, call `network.eval()` *after* `model.train()`.

# %% [markdown]
# ## 4. A linear probe
#
# Data come in three parts. **train** is what the optimizer learns from. **valid** is what you choose with: learning
# rate, epoch, method, as often as you like. **test** is looked at once, when everything is chosen.
#
# The simplest thing to learn on a frozen network is a linear layer on its features: a **linear probe**. It is the
# baseline of every later lesson. If a prompt does not beat it, the prompt has not helped. Nothing below the head
# learns, so all three meanings of frozen apply: run each image through the network once, and keep the features.

# %% name="features"
head_only = vpcore.Prompted(backbone, vpcore.NoPrompt(backbone.spec), vpcore.LinearHead(120, 10))
features = {name: cached(head_only, getattr(data, name)) for name in ("train", "valid", "test")}
pool = features["train"].activations
print("features kept:", tuple(pool.shape), "instead of images", tuple(data.train.images.shape))

# %% [markdown]
# ### Exercise: one step of a linear probe
#
# For features $F$ of shape $n \times D$ the probe gives logits $L = F W^\top + b$, and the loss is the mean
# cross-entropy over $n$ images. Its gradient is short enough to write down. With the one-hot labels $Y$ and
#
# $$S = \frac{1}{n} \big( \mathrm{softmax}(L) - Y \big)$$
#
# the gradient for $W$ is $S^\top F$, and for $b$ it is the sum of the rows of $S$. Return $W$ and $b$ after one step of
# gradient descent, $W - \eta S^\top F$ and $b - \eta \sum_i S_i$ with $\eta$ = `rate`, as new tensors.

# %% exercise={"id": "00-probe", "points": 3, "minutes": 6, "difficulty": 2, "path": "core", "needs": ["setup"]}
def probe_step(features, labels, weight, bias, rate):
    """Return weight (K, D) and bias (K,) after one step; features are (n, D), labels (n,) class indices."""
    ### BEGIN SOLUTION
    logits = features @ weight.T + bias
    slope = torch.softmax(logits, dim=1)
    slope[torch.arange(len(labels)), labels] -= 1
    slope = slope / len(labels)
    new_weight = weight - rate * slope.T @ features
    new_bias = bias - rate * slope.sum(0)
    return new_weight, new_bias
    ### END SOLUTION


# %% check="00-probe"
check("00-probe", probe_step)

# %% [markdown]
# Now 300 such steps, for five seeds. A seed draws 300 training images out of 3,000, and the initial weights.

# %% name="my-probe"
def my_probe(seed, images=300, steps=300, rate=0.5):
    """Train a probe with probe_step; return which test images it classifies right."""
    step, rng = check.use("00-probe", probe_step), torch.Generator().manual_seed(seed)
    chosen = torch.from_numpy(stratified_order(data.train.labels.numpy(), seed)[:images].copy())
    weight, bias = 0.01 * torch.randn(10, 120, generator=rng), torch.zeros(10)
    for _ in range(steps):
        weight, bias = step(pool[chosen], data.train.labels[chosen], weight, bias, rate)
    return (features["test"].activations @ weight.T + bias).argmax(1) == data.test.labels


# %% name="five-probes"
correct = [my_probe(seed) for seed in range(5)]  # each: right or wrong for 2,000 test images
mine = [100 * float(right[:1000].float().mean()) for right in correct]
table = recorded("start")
print(len(correct), "probes are trained; made by:", check.made_by("00-probe"))

# %% [markdown]
# **Question.** Chance is 10 %. What will the probe reach, from a network that never saw a digit? And how far apart will
# five seeds be?

# %%
SIZES = (100, 300, 1000, 2000)
rows = {f"{n:,} images": table.accuracies("photodigits", f"probe:train={n}", "resnet_nano") for n in SIZES}
rows["your probe, 300 images"] = mine
label, who = "recorded, 10 seeds, 1,000 test images; your run, 5 seeds", check.made_by("00-probe")
live = ("your probe, 300 images",)
accuracies(rows, "Linear probes on photodigits", live=live, level=10, label=label, made_by=who)

# %% [markdown] answer=true
# Compare your five probes, the orange triangles, with the recorded row for 300 images. The training differs: the record
# used AdamW, batches of 64 and the best of five learning rates; you took 300 plain steps on all images and chose
# nothing. But the loss of a linear probe is convex, so two sensible ways should end up close to each other. The record
# has 25 % with 300 images and 30 % with 1,000, and its seeds spread by about a point.

# %% [markdown]
# ## 5. How sure is an accuracy?
#
# An accuracy of 30 % on 1,000 test images is a count: about 300 were right. With other images from the same source it
# would be another count, for the *same* network.
#
# ### Exercise: the standard error
#
# One image is right with probability $p$. "Right" as 1 and "wrong" as 0 has variance $p(1 - p)$, and the mean of $n$
# independent images has this variance divided by $n$. The **standard error** is its root:
#
# $$\mathrm{se} = \sqrt{\frac{p(1 - p)}{n}}$$
#
# `correct` holds True or False for each test image. Return the accuracy in percent, and its standard error in points.

# %% exercise={"id": "00-error", "points": 2, "minutes": 4, "difficulty": 1, "path": "core", "needs": ["setup"]}
def standard_error(correct):
    """Return (accuracy in percent, its standard error in points) for a bool tensor of n images."""
    ### BEGIN SOLUTION
    share = float(correct.double().mean())
    error = math.sqrt(share * (1 - share) / len(correct))
    return 100 * share, 100 * error
    ### END SOLUTION


# %% check="00-error"
check("00-error", standard_error)

# %% [markdown]
# **Question.** 30 % of 1,000 images: is the first digit after the point worth printing? And how many images would make
# it so?

# %%
error_of = check.use("00-error", standard_error)
print("made by:", check.made_by("00-error"))
for n in (100, 400, 1000, 10_000):
    accuracy, error = error_of(torch.arange(n) < 0.3 * n)
    print(f"30 % of {n:6,} images: 1.96 standard errors are ± {1.96 * error:.1f} points")

# %% [markdown] answer=true
# Four times as many images halve the error. About 95 of 100 such intervals, ± 1.96 standard errors, hold the true
# accuracy. So on 1,000 images, the digit after the point is noise, and even the one before it is not safe. For ± 0.1
# it would take about 800,000 images.

# %% [markdown]
# ## 6. Choose, then report
#
# Nearly every method has settings: a learning rate, a width, a layer. One tries several and keeps the best.
#
# ### Exercise: choose, then report
#
# `valid` and `test` are tensors of accuracies, a row for each setting and a column for each seed. Return three things:
#
# 1. the row of the setting that is best on validation, by its mean over seeds;
# 2. the mean test accuracy of that setting: the honest number;
# 3. the largest mean test accuracy of any setting: the tempting number.

# %% exercise={"id": "00-choose", "points": 2, "minutes": 4, "difficulty": 1, "path": "core", "needs": ["setup"]}
def choose(valid, test):
    """Return (setting, honest test accuracy, tempting test accuracy) from tensors (settings, seeds)."""
    ### BEGIN SOLUTION
    setting = int(valid.mean(dim=1).argmax())
    means = test.mean(dim=1)
    return setting, float(means[setting]), float(means.max())
    ### END SOLUTION


# %% check="00-choose"
check("00-choose", choose)

# %% [markdown]
# The number that was used to choose is no longer a measurement: it holds the luck of the winner. *Deeper: choosing on
# the test set* below shows how much that is. In this course validation chooses, and every condition of a table gets the
# same number of trials.

# %% [markdown]
# ## Deeper: your machine, and the shapes inside
#
# The next cell says what machine you are on. Its text may differ from ours, as may every line
# that says whose code was used.

# %% tags=["nbval-ignore-output"]
import os
import platform

print(f"Python {platform.python_version()}, torch {torch.__version__}, NumPy {np.__version__}, {platform.system()}")
print(f"{os.cpu_count()} CPU cores; a GPU is not needed, and there is {'one' if torch.cuda.is_available() else 'none'}")

# %%
x = head_only.normalize(data.test.images[:8] / 255)  # to the mean and spread that the network was trained with
z = backbone.embed(x)
print("pixels     ", tuple(x.shape))
print("after embed", tuple(z.shape))
for layer, block in enumerate(backbone.blocks):
    z = block(z)
    print(f"after block {layer}", tuple(z.shape))
print("features   ", tuple(backbone.pool(z).shape))
print("as they were cached:", torch.allclose(features["test"].activations[:8], backbone.pool(z), atol=1e-4))

# %% [markdown]
# **Question.** This network knows apples, bees and cattle, and was never shown a digit. What will it call these?

# %%
named = classify(backbone)(data.test.images[:6].float() / 255).argmax(1)
names = [trained_on["classes"][int(place)] for place in named]
titles = [f"a {int(label)}: '{name}'" for label, name in zip(data.test.labels[:6], names, strict=True)]
show.image_row(data.test.images[:6] / 255, titles, "What the pretrained classifier says")

# %% [markdown] answer=true
# It answers with the classes it has. The names are useless for our task. But under them lie 120 features, and a linear
# probe can tell a 3 from an 8 by them.

# %% [markdown]
# ## Deeper: count what learns
#
# ### Exercise: count what learns
#
# Return two whole numbers: how many *numbers* of a model's parameters learn, and how many are frozen.
# A tensor that two layers share counts once. Buffers, such as batch norm's statistics, are no parameters.

# %% exercise={"id": "00-count", "points": 2, "minutes": 4, "difficulty": 1, "path": "extra", "needs": ["setup"]}
def count_parameters(model):
    """Return (learned, frozen), the numbers in all parameters that do and do not require a gradient."""
    ### BEGIN SOLUTION
    learned = frozen = 0
    for parameter in model.parameters():
        if parameter.requires_grad:
            learned += parameter.numel()
        else:
            frozen += parameter.numel()
    return learned, frozen
    ### END SOLUTION


# %% check="00-count"
check("00-count", count_parameters)

# %% [markdown]
# **Question.** A frame of 4 pixels around a 32×32 RGB image and a linear head for ten classes: what share learns?

# %%
count = check.use("00-count", count_parameters)
model = vpcore.Prompted(backbone, vpcore.PadPrompt(backbone.spec, width=4), vpcore.LinearHead(120, 10))
learned, frozen = count(model)
print("made by:", check.made_by("00-count"))
print(f"learned {learned:,}, frozen {frozen:,}: {100 * learned / (learned + frozen):.2f} % learns")
print("vpcore says:", vpcore.count(model))
print(f"difference of the frozen counts: {frozen - vpcore.count(model).backbone:,}")

# %% [markdown] answer=true
# Both agree on what learns, and not on what is frozen. The difference is the pretrained classifier, 100 rows of 120
# weights and 100 biases: it is no part of this model, so vpcore leaves it out. Ask of a published share,
# "of what?"

# %% [markdown]
# ## Deeper: frozen is not cheap
#
# **Question.** Meaning 3 saves memory. A prompt in front of block l needs the graph only from there on. How does the
# memory for the backward pass depend on l?

# %% name="kept" point=true
def kept(layer):
    """Return the MiB that a batch of 64 keeps for the backward pass, when learning begins before block `layer`."""
    sizes, frozen = {}, {p.data_ptr() for p in backbone.state_dict().values()}
    images = data.train.images[:64].float() / 255
    with torch.no_grad():
        z = images if layer < 0 else backbone.activations(images, layer)

    def pack(tensor):
        sizes[tensor.data_ptr()] = 0 if tensor.data_ptr() in frozen else tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        features = backbone(z.requires_grad_(), start=None if layer < 0 else layer)
    return sum(sizes.values()) / 2**20 if features.requires_grad else 0.0


# %%
depth = backbone.spec.depth
memory = {"one frozen network": (range(-1, depth + 1), [kept(layer) for layer in range(-1, depth + 1)])}
words = {"across": "learning begins before block … (−1: at the pixels, 7: at pooling)", "up": "kept for backward (MiB)"}
show.lines(memory, "What 64 images keep for the backward pass", **words, live=True, label="your run")

# %% [markdown] answer=true
# The weights are equally frozen at every point of this curve. "Frozen" does not mean "cheap": at the pixels, the
# whole backward pass is still to be paid. The later learning begins, the less is kept. If only a head learns, the
# network needs no graph at all, and it needs to see each image only once. PyTorch then builds none by itself, because
# nothing requires a gradient; `no_grad` makes sure of it.

# %% [markdown]
# ## Deeper: is the formula true?
#
# **Question.** The standard error was a formula. Is it true? Your probe of seed 0 classified 2,000 test images. Cut
# them into 40 test sets of 50. How far do the 40 accuracies of one and the same probe lie apart?

# %%
sets = correct[0].view(40, 50)
measured = 100 * sets.double().mean(1)
_, error = error_of(correct[0])
expected = error * math.sqrt(40)  # of one set, which has a fortieth of the images
inside = int(((measured - measured.mean()).abs() <= 1.96 * expected).sum())
print("made by:", check.made_by("00-error"))
print("formula and 40 real test sets agree within 30 %:", bool(0.7 < float(measured.std()) / expected < 1.3))
print("at least 35 of 40 sets lie within 1.96 standard errors:", inside >= 35)

# %%
groups = {"40 sets of 50 images": measured, "10 sets of 200 images": 100 * correct[0].view(10, 200).double().mean(1)}
widths = {name: 1.96 * expected * math.sqrt(50 / n) for name, n in zip(groups, (50, 200), strict=True)}
title, label, who = "One probe, many test sets", "your run, seed 0", check.made_by("00-probe", "00-error")
accuracies(groups, title, live=tuple(groups), error=widths, label=label, made_by=who, over="test sets")

# %% [markdown] answer=true
# As far as the formula says. One probe, 40 test sets, 40 accuracies: the spread is that of the images alone.

# %% [markdown]
# ## Deeper: three lotteries
#
# A table that says "30 ± 1 (10 seeds)" may mean several things. Three things are left to chance:
#
# 1. initial weights of the head and order of the batches;
# 2. which training images one happened to have;
# 3. which test images one happened to have.
#
# **Question.** Which one is the largest? And which does a standard deviation over seeds contain?

# %%
name = "probe:train=1000"
same, drawn = (table.accuracies("photodigits", prompt, "resnet_nano") for prompt in (f"{name},same images", name))
right = torch.from_numpy(table.correct("photodigits", name, "resnet_nano")).bool()
_, images_error = error_of(right[0])
print(f"1. seed alone, same 1,000 training images: standard deviation {same.std(ddof=1):.2f} points (10 seeds)")
print(f"1 + 2. each seed draws its training images: {drawn.std(ddof=1):.2f} points (10 seeds)")
print(f"3. 1,000 test images: standard error {images_error:.2f} points, the same images for all 10 seeds")

# %% [markdown] answer=true
# The seed alone, all that a repeated training script changes, is the smallest of the three here. The training images
# and the test images are about equal; ten seeds cannot rank them. And neither of the two standard deviations holds the
# third lottery: all ten seeds were tested on the same images, so they are lucky or unlucky together. More seeds do not
# help against that. More test images do.
#
# For a *comparison* of two methods on the same images, part of the luck is shared and cancels. Lessons 01 and 02 make
# use of that: paired differences.

# %% [markdown]
# **Question.** Is 30 % the network's fault, or is the task hard? Guess the order of five: photodigits; photodigits read
# from raw pixels; photodigits read from a network with random weights; photodigits with the digit always in the middle;
# and plain digits without a photograph.

# %%
conditions = {
    "plain digits": ("digits", name, "resnet_nano"),
    "photodigits, centered": ("photodigits:fixed", name, "resnet_nano"),
    "photodigits": ("photodigits", name, "resnet_nano"),
    "photodigits, raw pixels": ("photodigits", name, "pixels"),
    "photodigits, random network": ("photodigits", name, "resnet_nano:random"),
}
rows = {words: table.accuracies(*key) for words, key in conditions.items()}
first = {words: torch.from_numpy(table.correct(*key))[0].bool() for words, key in conditions.items()}
widths = {words: 1.96 * error_of(seed)[1] for words, seed in first.items()}
title, label = "Linear probes, 1,000 training images each", "recorded, 10 seeds; 1,000 test images (digits: 397)"
accuracies(rows, title, level=10, error=widths, label=label, made_by=check.made_by("00-error"))

# %% [markdown] answer=true
# A network that never saw a digit reads plain digits well. So the features are good for more than photographs.
# Color, photograph and random place hide most of it. A random network is no substitute: here its features are worse
# than the pixels they are made from.
#
# This gap, from plain digits down to photodigits, is where prompts come in. Can a δ help the frozen network to see
# what it is already able to read? That is the question of the next lessons, and the answer is not always yes.

# %% [markdown]
# ## Deeper: choosing on the test set
#
# **Question.** Suppose 20 settings are all *equally good*: each is right on 30 % of all images. What differs is luck.
# There are 500 validation and 100 test images. What accuracy will the tempting number show, on average?

# %% name="simulate"
def simulate(settings, repeats=1000, share=0.3):
    """Draw accuracies of equally good settings; return the mean error of the honest and of the tempting number."""
    pick, rng = check.use("00-choose", choose), np.random.default_rng(settings)
    valid = torch.from_numpy(rng.binomial(500, share, (repeats, settings, 1)) / 5.0)  # of 500 images, in percent
    test = torch.from_numpy(rng.binomial(100, share, (repeats, settings, 1)) / 1.0)  # of 100 images
    found = np.array([pick(v, t)[1:] for v, t in zip(valid, test, strict=True)])
    return found.mean(0) - 100 * share


# %%
NUMBERS = (1, 2, 5, 10, 20, 50)
honest, tempting = np.array([simulate(number) for number in NUMBERS]).T
curves = {"chosen on valid": (NUMBERS, honest), "chosen on test": (NUMBERS, tempting)}
words = {"across": "settings tried, all equally good", "up": "reported − true (points)", "level": 0.0, "live": True}
title, label = "What choosing on the test set adds", "your run, 1,000 simulated searches each, 100 test images"
show.lines(curves, title, **words, log=True, label=label, made_by=check.made_by("00-choose"))

# %% [markdown] answer=true
# The true share, and on top of it what the curve "chosen on test" shows at 20 settings. Nothing was learned, and yet
# more than eight points were gained, by trying often enough. The released programs of [Bahng et al.
# (2022)](https://github.com/hjbahng/visual_prompting/tree/679e71f),
# [Chen et al. (2023)](https://github.com/OPTML-Group/ILM-VP/tree/84ca042) and [AutoVP (Tsao et al.
# 2024)](https://github.com/IBM/AutoVP/tree/defe0d9) pick their best epoch by test accuracy. That is a search over as
# many settings as there are epochs.

# %% [markdown]
# In the simulation, all settings were equal. Real ones are not. For this record the test set was split on purpose: 100
# images to choose with, which is the sin, and 900 others, never looked at, to see what is true.
#
# **Question.** How large is the effect for real probes: 20 combinations of learning rate and weight decay, 300 training
# images?

# %% name="gains"
pick, gains = check.use("00-choose", choose), []
for run in table.runs:
    if run["cell"]["prompt"] == "probe:train=300,20 settings":
        valid, few, rest = (100 * torch.tensor(run["extra"][part]) for part in ("valid", "test_few", "test_rest"))
        setting, honest_few, tempting_few = pick(valid[:, None], few[:, None])
        gains.append((tempting_few - honest_few, float(rest[few.argmax()] - rest[int(setting)])))
claimed, true = (t_interval(list(column)) for column in np.array(gains).T)
print("made by:", check.made_by("00-choose"))
print(f"choosing on 100 test images, recorded, {len(gains)} seeds, 20 settings:")
for words, gain in {"what it seems to gain": claimed, "on 900 other images  ": true}.items():
    verdict = "cannot tell" if gain.low <= 0 <= gain.high else "differs from choosing on validation"
    print(f"  {words} {gain.mean:+.1f} points ({gain.low:+.1f} to {gain.high:+.1f})  {verdict}")

# %% [markdown] answer=true
# The gain is there on the images that were used to choose, and its interval excludes zero. On other images it is not
# found again. That does not prove it is zero; the interval says how large it could still be.

# %% [markdown]
# ## Deeper: plan before you run
#
# ### Exercise: the smallest difference you can see
#
# Before running anything, one can ask what a test set is able to show. Two models disagree on a share $q$ =
# `disagree` of the images: exactly one of them is right. The standard error of their difference is about
# $\sqrt{q / n}$. A difference of 1.96 such errors would be found only in half of all comparisons, because luck may also
# reduce it. To find it in 80 %, add the 0.8 quantile of the normal distribution, $z_{0.8}$ = `stats.norm.ppf(0.8)`.
#
# Return the smallest detectable difference in points, $100 \, (z_{0.975} + z_{0.8}) \sqrt{q / n}$.

# %% exercise={"id": "00-detectable", "points": 2, "minutes": 5, "difficulty": 2, "path": "extra", "needs": ["setup"]}
def detectable(disagree, num_test):
    """Return the difference in points that num_test images find in 80 % of comparisons."""
    ### BEGIN SOLUTION
    error = math.sqrt(disagree / num_test)
    quantiles = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
    return float(100 * quantiles * error)
    ### END SOLUTION


# %% check="00-detectable"
check("00-detectable", detectable)

# %% [markdown]
# **Question.** Two probes differ only in their seed. On how many test images do they disagree?

# %%
smallest = check.use("00-detectable", detectable)
right = torch.from_numpy(table.correct("photodigits", "probe:train=1000", "resnet_nano")).bool()
disagree = float((right[0] != right[1]).double().mean())
print("made by:", check.made_by("00-detectable"))
print(f"recorded seeds 0 and 1: exactly one is right on {100 * disagree:.1f} % of 1,000 test images")
for n in (100, 1000, 10_000):
    print(f"{n:6,} test images can show a difference of {smallest(disagree, n):.1f} points or more")

# %%
rng, effect = np.random.default_rng(0), smallest(disagree, 1000) / 100
shares = [(disagree + effect) / 2, (disagree - effect) / 2, 1 - disagree]
better, worse, _ = rng.multinomial(1000, shares, 4000).T
found = np.abs(better - worse) > 1.96 * np.sqrt(better + worse)
print("4,000 simulated comparisons find such a difference in 75 to 85 % of cases:", bool(0.75 < found.mean() < 0.85))

# %% [markdown] answer=true
# On about one in four, though both are about equally good. That is why small differences need many test images.

# %% [markdown]
# ## Deeper: what may be claimed?
#
# ### Exercise: judge a claim
#
# A colleague writes: "We tried 20 learning rates for our prompt on a frozen network, and took the best by test
# accuracy. It has 32.5 % on 1,000 test images, 5 seeds, ± 0.4. The linear probe has 31.0 %, so the prompt helps."
# In four sentences: what is missing, what is misleading, and what would you run?

# %% [markdown] exercise={"id": "00-claim", "points": 3, "minutes": 6, "difficulty": 2, "path": "extra"}
# ### BEGIN SOLUTION
# The rate was chosen on the test set, so 32.5 % is too high by an unknown amount, and nothing says that the probe got
# 20 trials as well. The ± 0.4 is a spread over seeds, which all share the same 1,000 test images; the standard error of
# those is 1.5. It is not said whether "frozen" includes the batch-norm statistics, and what else learns beside the
# prompt. I would choose both rates on validation with equal trials, run paired seeds, read a larger test set once, and
# report the paired interval of the difference.
# ### END SOLUTION
# ### BEGIN MARK SCHEME
# 3 points: names choosing on test, unequal trials, and that a spread over seeds leaves out the test images; and
#   proposes a choice on validation with a paired interval.
# 2 points: names two of the three, with a proposal.
# 1 point: names one of the three.
# ### END MARK SCHEME

# %% [markdown]
# ### If you hand in your notebooks
#
# A grader takes the notebook file itself, under any name. It runs what your answers need, and nothing else: imports,
# helpers and earlier answers of your own may stand in any cell. Training cells need not have run. If two cells answer
# the same exercise, the last one above the check counts. An answer whose cell is gone earns nothing.
#
# A grader has no internet and none of your files. It takes no code that only your machine can import, no archive, no
# script. `python -m course check-file FILE` says what is missing, doubled or unreadable in your file, without points.

# %% [markdown]
# ## Recap
#
# - The course in one line: $x \to x + \delta$, at the pixels, beside the tokens, or at the activations of a frozen
#   network. One network then serves many tasks, and a task is a few kilobytes.
# - Frozen means: no gradient for weights, fixed batch-norm statistics (eval mode); below all that learns, no graph.
# - `model.train()` undoes eval mode; a backbone has to defend itself.
# - A linear probe on cached features is the baseline that every prompt must beat.
# - An accuracy has a standard error, $\sqrt{p(1 - p)/n}$. Train learns, valid chooses, test reports once.
#
# **How far this goes.** The two networks here have 0.6 and 0.7 million weights, see 32 × 32 pixels and were trained on
# CIFAR-100, so that every cell runs on a laptop. Lesson 05 has one table of a network that was
# trained on ImageNet. Nobody here measured what such runs say about a much larger one.
#
# Next: lesson 01, where a gradient draws a δ at the pixels.

# %% [markdown]
# ## Self-test
#
# ### Exercise: a frozen network in training mode
#
# All weights of a network have `requires_grad=False`. It holds batch norms. `model.train()` is called, and a head
# behind the network learns for ten steps. What has changed in the network?
#
# - **a** nothing
# - **b** its weights
# - **c** the running statistics of its batch norms

# %% exercise={"id": "00-quiz-freeze", "points": 1, "minutes": 1, "difficulty": 1, "path": "extra"}
changed = ...  # "a", "b" or "c"
### BEGIN SOLUTION
changed = "c"
### END SOLUTION

# %% check="00-quiz-freeze"
check.quiz("00-quiz-freeze", changed)

# %% [markdown]
# ### Exercise: valid or test?
#
# For which of these must you take the validation split and not the test split? Give all, as in "a, b".
#
# - **a** to decide after how many epochs to stop
# - **b** for the one number in the abstract, when all is decided
# - **c** to choose between two prompts, of which only one will be reported
# - **d** to look at misclassified images before you design an augmentation

# %% exercise={"id": "00-quiz-test", "points": 1, "minutes": 2, "difficulty": 2, "path": "extra"}
validation = ...  # such as "a, b"
### BEGIN SOLUTION
validation = "a, c, d"
### END SOLUTION

# %% check="00-quiz-test"
check.quiz("00-quiz-test", validation)

# %% [markdown]
# ### Exercise: half the error
#
# An accuracy on 1,000 test images has a standard error of 1.5 points. How many images give 0.75 points?
#
# - **a** 2,000
# - **b** 4,000
# - **c** 1,500

# %% exercise={"id": "00-quiz-error", "points": 1, "minutes": 1, "difficulty": 1, "path": "extra"}
needed = ...  # "a", "b" or "c"
### BEGIN SOLUTION
needed = "b"
### END SOLUTION

# %% check="00-quiz-error"
check.quiz("00-quiz-error", needed)

# %% [markdown]
# ## Further reading
#
# - H. Bahng, A. Jahanian, S. Sankaranarayanan, P. Isola (2022). Exploring Visual Prompts for Adapting Large-Scale
#   Models. [arXiv:2203.17274](https://arxiv.org/abs/2203.17274). Prompts at the pixels.
# - M. Jia et al. (2022). Visual Prompt Tuning. [arXiv:2203.12119](https://arxiv.org/abs/2203.12119). Prompts beside the
#   tokens, and linear probes to compare with.
# - S. Ioffe, C. Szegedy (2015). Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate
#   Shift. [arXiv:1502.03167](https://arxiv.org/abs/1502.03167). Where the running statistics come from.
# - X. Bouthillier et al. (2021). Accounting for Variance in Machine Learning Benchmarks.
#   [arXiv:2103.03098](https://arxiv.org/abs/2103.03098). Which lotteries there are, and which to average over.
# - G. Alain, Y. Bengio (2016). Understanding intermediate layers using linear classifier probes.
#   [arXiv:1610.01644](https://arxiv.org/abs/1610.01644).

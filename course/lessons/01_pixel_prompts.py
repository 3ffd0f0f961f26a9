# %% [markdown]
# # Pixel prompts
#
# **You will be able to**
#
# - build a learned frame around an image, and write the loop that learns it;
# - say what is learned and what stays frozen, and check it;
# - judge from paired runs where a prompt helps a frozen network and where it does not;
# - in the deeper sections: convert learning rates between spaces, and reuse a network's old classes.
#
# **Before you start**: lesson 00 (frozen networks, splits, linear probe, standard error).
#
# **Your time**: 45 minutes for the core, 60 for the deeper sections.
# **Machine time**: about 50 seconds on two CPU cores.

# %% name="setup"
import numpy as np
import torch
from torch.nn import functional as F

import vpcore
from course import check, show
from course.recorded import recorded
from course.show import drawings
from course.show.code import excerpt
from course.show.sizes import more_images
from course.studies.study_01 import kept_picture
from course.widgets.placement import PlacementExplorer
from vpcore.cache import cached
from vpcore.heads.label_mapping import assign_greedily, count_pairs
from vpcore.train import cross_entropy

torch.set_num_threads(1)  # so small a network gains nothing from a second thread

# %% [markdown]
# ## 1. One picture for all images
#
# A network was trained on CIFAR-100: photographs of 100 everyday classes. Now we want it to read digits, without
# changing a single weight. A **visual prompt** (VP, [Bahng et al. 2022](https://arxiv.org/abs/2203.17274)) changes the
# image instead. Every image $x$ becomes
#
# $$x' = x + \delta$$
#
# where $\delta$ is a learned picture, the same for all images. The published one is a **frame**: $p$ pixels wide, zero
# in the middle, so that it mostly leaves the object alone. It is added after normalization: the network sees
# $(x - \mu) / \sigma$ with the mean $\mu$ and the standard deviation $\sigma$ of its training images, and $\delta$ is
# added to that, without limits.

# %%
data = vpcore.load_data("photodigits", num_train=1000)
backbone = vpcore.load_backbone("resnet_nano")
spec = backbone.spec
mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (spec.mean, spec.std))
drawings.frame(data.test.images[1].permute(1, 2, 0) / 255)

# %%
print("images:", tuple(data.train.images.shape), "to train on,", len(data.test), "to test on")
print("network:", spec.name, "with", backbone.classifier.out_features, "source classes, frozen")
titles = [f"digit {label}" for label in data.test.labels[:6].tolist()]
show.image_row(data.test.images[:6] / 255, titles, "photodigits: real digits, colored, anywhere on real photographs")

# %% [markdown]
# **Question.** One picture for all images says nothing about any one of them. How can it help at all?

# %% [markdown] answer=true
# It can move all images to a place where the frozen network tells them apart better. Think of a unit behind a ReLU,
# $\max(0, w \cdot x + b)$. Adding $\delta$ turns it into $\max(0, w \cdot x + (b + w \cdot \delta))$: another
# threshold, for every unit at every place. Whether that helps is measured below.

# %% [markdown]
# ### Exercise: add a frame
#
# The frame comes in four learned strips. `top` and `bottom` have shape (1, C, p, W).
# `left` and `right` have shape (1, C, H − 2p, p): the corners belong to top and bottom.
# Build the frame, and return images + frame. The images (B, C, H, W) stay as they are.

# %% exercise={"id": "01-pad", "points": 3, "minutes": 8, "difficulty": 2, "path": "core", "needs": ["setup"]}
def add_frame(images, top, bottom, left, right):
    """Return all images (B, C, H, W) with the frame of the four strips added."""
    ### BEGIN SOLUTION
    chans, height, width = images.shape[1:]
    p = top.shape[2]
    middle = images.new_zeros(1, chans, height - 2 * p, width - 2 * p)
    rows = torch.cat([left, middle, right], dim=3)  # (1, C, H − 2p, W)
    frame = torch.cat([top, rows, bottom], dim=2)  # (1, C, H, W)
    return images + frame
    ### END SOLUTION


# %% check="01-pad"
check("01-pad", add_frame)

# %% [markdown]
# Stuck? `check.hint("01-pad")` gives one hint at a time, in a new cell of yours.
#
# ## 2. Learn it
#
# Nothing is learned yet. What a gradient has to pass is in the drawing: from the loss back through all that stands
# between, the head and the frozen network, to $\delta$. With network $f$, head $h$ and the cross-entropy $\ell$, a
# batch of $n$ images gives
#
# $$L(\delta, h) = \frac{1}{n} \sum_{i=1}^{n} \ell\big(h(f(x_i + \delta)),\ y_i\big)$$
#
# and in each step the optimizer moves $\delta$ and $h$ against their gradients of $L$. The weights of $f$ stay as they
# are, and so do the running statistics of its batch norms.
#
# ### Exercise: learn a prompt
#
# This is the heart of the course: write the loop. `network` maps normalized images to features; it comes as a plain
# module, not frozen and in training mode. `head` maps features to logits. `delta` is a learned tensor (1, C, H, W).
# `batches` is a list of pairs (images, labels).
#
# 1. Freeze the network: no gradients for its weights, eval mode (lesson 00).
# 2. Make one optimizer over `delta` and the head: `torch.optim.Adam(..., lr=rate)`.
# 3. For each batch: forward, loss, backward, step.
# 4. Return the list of losses, one number for each batch, as they were before its step.

# %% exercise={"id": "01-learn", "points": 4, "minutes": 12, "difficulty": 2, "path": "core", "needs": ["setup"]}
def learn_prompt(network, head, delta, batches, rate):
    """Learn delta and head, in place, on a network that stays frozen; return the loss of each batch."""
    ### BEGIN SOLUTION
    network.requires_grad_(False)
    network.eval()
    optimizer = torch.optim.Adam([delta, *head.parameters()], lr=rate)
    losses = []
    for images, labels in batches:
        logits = head(network(images + delta))
        loss = F.cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
    ### END SOLUTION


# %% check="01-learn"
check("01-learn", learn_prompt)

# %% [markdown]
# The check ran your loop on two small networks: δ and the head must move, weights and batch-norm statistics must not,
# and every loss must be right. From now on we train with `vpcore.fit`, which adds what a longer training wants: batch
# order from a seed, a schedule, the best epoch on validation. Its loop over batches is yours. Read it side by side:

# %%
print(excerpt(vpcore.fit, "for step, (images, labels)", "state.step("))

# %% [markdown]
# `run` is the model, `_pieces` splits a batch that is too large for the memory, `autocast` and `scaler` are for half
# precision, `set_rates` follows a schedule. None of them changes anything in the next cell.
#
# **Question.** Give both loops the same eight batches, and let both start from the same head and δ = 0. Will their
# losses be the same?

# %% name="same-batches"
learn, seen = check.use("01-learn", learn_prompt), []


def noting(model, images, labels, generator):
    """Compute the loss of a batch for fit, and note the batch and the loss."""
    value = cross_entropy(model, images, labels, generator)
    seen.append(((images - mean) / std, labels, value.item()))
    return value


# %%
model = vpcore.Prompted(backbone, vpcore.PadPrompt(spec, width="full"), vpcore.LinearHead(spec.dim, 10, seed=0))
recipe = {"epochs": 2, "batch_size": 250, "lr": 0.01, "optimizer": "adam", "schedule": "constant"}
vpcore.fit(model, data.train, data.valid, **recipe, seed=0, loss=noting)
delta, head = torch.nn.Parameter(torch.zeros(1, 3, 32, 32)), vpcore.LinearHead(spec.dim, 10, seed=0)
mine = learn(backbone, head, delta, [batch[:2] for batch in seen], rate=0.01)
print("made by:", check.made_by("01-learn"))
apart = [abs(loss - batch[2]) for loss, batch in zip(mine, seen, strict=True)]
print("four losses of the first epoch agree to 1e-6:", max(apart[:4]) < 1e-6, "  all eight to 1e-4:", max(apart) < 1e-4)
print("the loss fell:", mine[-1] < mine[0], "  δ moved:", bool(delta.detach().abs().max() > 0))

# %% [markdown] answer=true
# In the first epoch to rounding; after that they drift apart in the last digits. `fit` takes a fused version of Adam,
# which rounds differently, and Adam divides a gradient by its own size, so that a rounding error in a tiny gradient can
# grow into a whole step.

# %% [markdown]
# ## 3. Does it help?
#
# It is compared with a **linear probe**: the same head on the same frozen features, without a prompt. Both have the
# same seeds, so the same initial head and the same batches. Your frame does the work here.

# %%
frame = check.use("01-pad", add_frame)


class FramePrompt(vpcore.Prompt):
    """A frame of p pixels around every image, from four learned strips."""

    def __init__(self, spec, p=4):
        super().__init__(spec)
        shapes = [(1, 3, p, 32)] * 2 + [(1, 3, 32 - 2 * p, p)] * 2
        self.strips = torch.nn.ParameterList(torch.zeros(shape) for shape in shapes)

    def image(self, images, context):
        return frame(images, *self.strips)


# %% name="train"
table = recorded("vp")
runs = {run["cell"]["prompt"]: run["cell"] for run in table.runs if run["cell"]["data"] == "photodigits"}
RATES = {"prompt": runs["pad:4"]["lr"], "head": runs["none"]["lr"]}  # chosen on validation images


def train(prompt, seed, train_split, valid_split):
    """Train a new head, with a prompt or none, on the frozen network, as the recorded runs were."""
    model = vpcore.Prompted(backbone, prompt, vpcore.LinearHead(spec.dim, 10, seed=seed))
    recipe = {"epochs": runs["none"]["epochs"], "batch_size": runs["none"]["batch_size"], "optimizer": "adamw"}
    vpcore.fit(model, train_split, valid_split, lr=RATES, seed=seed, **recipe)
    return model


# %% [markdown]
# The probe's features are computed once, because nothing below the head changes: that is what `cached` does. A prompt
# at the pixels needs the whole network, forward and backward, for every image in every epoch.

# %%
SEEDS = range(5)
bare = vpcore.Prompted(backbone, vpcore.NoPrompt(spec), vpcore.LinearHead(spec.dim, 10))
features = {part: cached(bare, getattr(data, part)) for part in ("train", "valid")}
probes = [train(vpcore.NoPrompt(spec), seed, features["train"], features["valid"]) for seed in SEEDS]
print("a probe learns:", vpcore.count(probes[0]))

# %%
frames = [train(FramePrompt(spec), seed, data.train, data.valid) for seed in SEEDS[:2]]
print("with the frame:", vpcore.count(frames[0]))

# %%
frames += [train(FramePrompt(spec), seed, data.train, data.valid) for seed in SEEDS[2:]]
print(len(probes), "probes and", len(frames), "frames are trained; frame made by:", check.made_by("01-pad"))

# %% [markdown]
# **Question.** The probe learns 1,210 numbers. The frame adds 1,344. How many points will they bring? And what if the
# whole image is prompted, and the digits always stand in the middle? Write down two guesses.

# %%
scores = [np.array([vpcore.evaluate(m, data.test).accuracy for m in models]) for models in (probes, frames)]
live = 100 * (scores[1] - scores[0])
kept = table.accuracies("photodigits", "pad:4", "resnet_nano") - table.accuracies("photodigits", "none", "resnet_nano")
label = "your run, 5 seeds; recorded, 5 seeds"
title = "Frame of 4 pixels − linear probe, same seeds, 1,000 test images"
show.lottery({"recorded": kept, "your run": live}, title, live=("your run",), label=label)

# %%
longer = recorded("insvp_image")  # lesson 03's runs: ten epochs instead of five, rates of their own
rows = {
    "frame of 4, 5 epochs, digits anywhere": table.gain("photodigits", "none", "pad:4", "resnet_nano"),
    "frame of 4, 5 epochs, digits in the middle": table.gain("photodigits_fixed", "none", "pad:4", "resnet_nano"),
    "full image, 5 epochs, anywhere": table.gain("photodigits", "none", "full", "resnet_nano"),
    "full image, 5 epochs, middle": table.gain("photodigits_fixed", "none", "full", "resnet_nano"),
    "full image, 10 epochs, anywhere": longer.gain("photodigits", "none", "universal", "resnet_nano"),
    "full image, 10 epochs, middle": longer.gain("photodigits_fixed", "none", "universal", "resnet_nano"),
}
label = "recorded, 5 seeds crossed with 1,000 test images"
show.intervals(rows, "What a learned picture adds to a linear probe", label=label)

# %% [markdown] answer=true
# Your five differences repeat seeds 0 to 4 of the record: they check it and add no evidence. The intervals allow for
# other seeds *and* other test images. The frame of 4 pixels gains nothing that such runs could show. Of the six rows
# one excludes zero: the full picture, with digits in the middle and ten epochs at a rate that was searched anew, gains
# 8.7 points. A picture that stays may find it hard to help with a digit that moves; section 4 asks whether more images
# change that. Where a prompt helps is a question about data, place and training, never about the method alone.

# %% [markdown]
# **Question.** A colleague sees the same figure and says: "With five epochs the full image differs in neither place, so
# five epochs are too few." Which comparison is missing?

# %% [markdown] answer=true
# The one between five and ten epochs with everything else equal. The two rows also differ in the rate, which was
# searched anew, and two verdicts are not a difference. The difference between two gains has an interval of its own.

# %% [markdown]
# ## 4. With more images
#
# **Question.** All this was learned from 1,000 images. What will 4,000 and 16,000 images change, for the probe and for
# the full picture?

# %%
more_images(recorded("scale"), {"full picture": "full"})

# %% [markdown] answer=true
# With 250 images the full picture is below the probe, with 1,000 we cannot tell, with 4,000 it is above, and with
# 16,000 it is nine points above, although the digits stand anywhere. The probe gains from more images as well, but
# less. That the picture has 3,072 more numbers to fill does not explain it: prompts of lessons 03 and 05 learn fewer
# and gain more. Rates were searched for at 1,000 and at 16,000 images; the other sizes have the rate of 1,000. And more
# images of this set are more places, colors and backgrounds: the digits in them are 1,100.
#
# More images are also more steps here. The last printed line parts the two: 16,000 images, each seen once, are as many
# steps as 1,000 images seen sixteen times, and we cannot tell whether the picture gains. At equal steps, more images
# raise both accuracies by five to six points; that the lead of the picture grows, they do not show. Whether the steps
# alone would, on few images, was not run for this prompt.

# %% [markdown]
# ### Exercise: count a frame
#
# Return how many numbers a frame of p pixels learns, on images of C × H × W. H and W may differ.

# %% exercise={"id": "01-count", "points": 1, "minutes": 4, "difficulty": 1, "path": "core", "needs": ["setup"]}
def count_frame(chans, height, width, p):
    """Return the number of learned entries of a frame of p pixels, all channels together."""
    ### BEGIN SOLUTION
    return 2 * chans * p * (height + width - 2 * p)
    ### END SOLUTION


# %% check="01-count"
check("01-count", count_frame)

# %%
count = check.use("01-count", count_frame)
print("made by:", check.made_by("01-count"))
for size, p in ((224, 30), (224, 112), (32, 2), (32, 4), (32, 8), (32, 16)):
    whole = "  (the full image)" if 2 * p == size else ""
    print(f"{size:3} × {size:3}, p = {p:3}: {count(3, size, size, p):7,} numbers{whole}")
print(f"a linear head from {spec.dim} features to 10 classes: {10 * (spec.dim + 1):,}")

# %% [markdown]
# The count depends on the image and on p, not on the network: 69,840 numbers for the paper's frame, 30 pixels wide on
# images of 224 × 224. Four pixels at 32 × 32 are about the same share of the image, and they learn more numbers than a
# new linear head. So count what *all* of a method learns.
#
# ## Deeper: where the frame lies
#
# **Question.** The strips start at zero in our runs, and at N(0, 1) in the published code. What does an image look like
# with either?

# %%
x = (data.test.images[:1].float() / 255 - mean) / std
shapes = [(1, 3, 4, 32)] * 2 + [(1, 3, 24, 4)] * 2
draw = torch.Generator().manual_seed(0)
strips = [torch.randn(shape, generator=draw) for shape in shapes]
framed = torch.cat([frame(x, *[size * strip for strip in strips]) for size in (0, 0.2, 1)]) * std + mean
titles = ["zeros", "N(0, 0.2²)", "N(0, 1)"]
show.image_row(framed, titles, "One image, three starts of the frame", made_by=check.made_by("01-pad"))

# %% [markdown] answer=true
# At zero the model is exactly the frozen one. At N(0, 1) the border is noise before the first step.
# $\sigma$ is about 0.27 here, so a step of 1 in normalized units moves a pixel by about a quarter of its range.

# %% [markdown]
# Choose frame, full image or patch (here in the upper left corner); change width and amplitude. Tab moves on, Space
# presses a button, and the arrow keys move a slider. Before you touch it, guess: is there a width at which the frame
# spares the digits of all ten images?

# %% name="explorer"
explorer = PlacementExplorer(data.test.images[:10], spec)
explorer

# %% [markdown]
# <details>
# <summary>Answer</summary>
#
# No: the digit of image 5 touches the edge. Where digits move, every frame lies on some of them.
#
# </details>

# %% [markdown]
# "Beyond 0 … 1" counts values that no photograph could have. The drawing clips them; the network sees them as they are.
# So a pixel prompt is not a sticker one could print.
#
# **Question.** Five seeds start from the same zero frame and the same images. Do they learn the same frame?

# %%
learned = {}
for seed, model in enumerate(frames):
    picture = frame(torch.zeros(1, 3, 32, 32), *model.prompt.strips)
    learned[f"seed {seed}"] = picture.mean(1).detach()
flat = torch.stack([torch.cat([strip.detach().flatten() for strip in model.prompt.strips]) for model in frames])
flat = F.normalize(flat, dim=1)
print("any two frames have a cosine above 0.3:", bool((flat @ flat.T > 0.3).all()))
label = "your run, 5 seeds; mean of three channels"
show.prompt_maps(learned, "The learned frames", live=True, label=label, made_by=check.made_by("01-pad"))

# %% [markdown] answer=true
# Neither the same nor unrelated: unrelated frames of so many numbers would have cosines close to zero. To the eye they
# are noise, so it is no judge of this. And they are faint: hold the color bar against an image, whose standard
# deviation is about 1 in these units. You would not see such a frame on a photograph.

# %% [markdown]
# ## Deeper: a patch at random places
#
# ### Exercise: a patch at random places
#
# The paper also tries a small square. In training it lies at a random place of each image.
# `draws` (B, 2) holds two uniform numbers in [0, 1) for each image: the first for its row, the second for its column.
# Every place where the square fits must have the same chance, the last one too.

# %% exercise={"id": "01-patch", "points": 2, "minutes": 8, "difficulty": 2, "path": "extra", "needs": ["setup"]}
def add_patches(images, patch, draws):
    """Return images (B, C, H, W) with patch (C, p, p) added to each of them at a place of its own."""
    ### BEGIN SOLUTION
    p, prompted = patch.shape[-1], images.clone()
    height, width = images.shape[-2:]
    for i, (down, right) in enumerate(draws):
        row, column = int(down * (height - p + 1)), int(right * (width - p + 1))
        prompted[i, :, row : row + p, column : column + p] += patch
    return prompted
    ### END SOLUTION


# %% check="01-patch"
check("01-patch", add_patches)

# %%
scatter = check.use("01-patch", add_patches)
patch, draws = -1.5 * torch.ones(3, 8, 8), torch.rand(5, 2, generator=torch.Generator().manual_seed(0))
some = ((data.test.images[:1].float() / 255 - mean) / std).expand(5, -1, -1, -1)
placed = scatter(some, patch, draws) * std + mean
show.image_row(placed, [f"draw {i}" for i in range(5)], "A patch at random places", made_by=check.made_by("01-patch"))

# %% [markdown]
# The [published code](https://github.com/hjbahng/visual_prompting/blob/679e71f/models/prompters.py) draws from
# 0 … H − p − 1, so its last row and column never come, and it draws one place for a whole batch. It also draws at test
# time: the same image may get two answers. Ours then lies still in the center.
#
# ## Deeper: in which space does δ live?
#
# The published learning rate is **40**. With most networks a rate of 40 is absurd.
#
# **Question.** Is it absurd here? The picture is learned in normalized units. What would it be on pixels in [0, 1]?

# %% [markdown] answer=true
# Let $u = \sigma \delta$ be the same picture on pixels. Take one step of SGD on $\delta$ with rate $\eta$. The chain
# rule gives $\partial L / \partial \delta = \sigma \, \partial L / \partial u$, so
#
# $$u \leftarrow \sigma \Big(\delta - \eta \frac{\partial L}{\partial \delta}\Big)
# = u - \eta \sigma^2 \frac{\partial L}{\partial u}$$
#
# The same path on pixels needs the rate $\eta \sigma^2$. Adam divides each gradient by its own size: the $\sigma$ of
# the gradient drops out, only the $\sigma$ of $u = \sigma \delta$ is left, and the rate is $\eta \sigma$.

# %% [markdown]
# ### Exercise: convert a rate
#
# `rate` was used in normalized units, `std` (C,) is σ, `optimizer` is "sgd" or "adam".
# Return, for each channel, the rate on pixels in [0, 1] that takes the same path.

# %% exercise={"id": "01-rate", "points": 2, "minutes": 6, "difficulty": 2, "path": "extra", "needs": ["setup"]}
def pixel_rate(rate, std, optimizer):
    """Return the rates on pixels, a tensor (C,), that do what `rate` does in normalized units."""
    ### BEGIN SOLUTION
    if optimizer == "sgd":
        return rate * std**2
    return rate * std
    ### END SOLUTION


# %% check="01-rate"
check("01-rate", pixel_rate)

# %%
convert = check.use("01-rate", pixel_rate)
print("made by:", check.made_by("01-rate"))
imagenet = torch.tensor([0.229, 0.224, 0.225])
print("SGD, 40 with ImageNet's σ:     ", [round(float(rate), 2) for rate in convert(40.0, imagenet, "sgd")])
print("SGD, 40 with this network's σ: ", [round(float(rate), 2) for rate in convert(40.0, std.flatten(), "sgd")])
print("Adam, 0.01 with this network's σ:", [round(float(rate), 4) for rate in convert(0.01, std.flatten(), "adam")])

# %% [markdown]
# 40 is about 2 on pixels: large, not absurd. A rate means nothing without its space.
#
# **Question.** Is the conversion exact? The next cell takes three SGD steps in either space.

# %% name="walk" point=true
exact = vpcore.load_backbone("resnet_nano").double()
exact.freeze()
sigma = torch.tensor(spec.std, dtype=torch.float64).view(1, -1, 1, 1)
batch, labels = data.train.images[:16].double() / 255, data.train.labels[:16]
start = (batch - mean) / sigma


def walk(scale, rate):
    """Take three SGD steps on a picture that is multiplied by `scale`; return it in normalized units."""
    learned = torch.zeros(1, 3, 32, 32, dtype=torch.float64, requires_grad=True)
    for _ in range(3):
        logits = exact.classifier(exact(start + scale * learned))
        (slope,) = torch.autograd.grad(F.cross_entropy(logits, labels), learned)
        learned = (learned - rate * slope).detach().requires_grad_()
    return (scale * learned).detach()


# %%
in_units = walk(1.0, 0.5)
in_pixels = walk(1 / sigma, convert(0.5, sigma.flatten(), "sgd").view(1, -1, 1, 1))
print("both paths end at the same picture, to 1e-9:", bool((in_units - in_pixels).abs().max() < 1e-9))

# %% [markdown] answer=true
# Yes, for SGD, to rounding: it is the same chain rule in every step.

# %% [markdown]
# ## Deeper: reuse the old classes
#
# So far a new head was learned beside the prompt. VP does without: the network keeps its $S$ source classes, and the
# logit of target class $k$ is the logit of one source class $m(k)$:
#
# $$z_k(x) = s_{m(k)}(x + \delta)$$
#
# with $s$ the network's own logits. That is **label mapping**: no new weight. Only $\delta$ learns.

# %%
drawings.label_mapping(data.test.images[1].permute(1, 2, 0) / 255)

# %% [markdown]
# **Question.** Which source class should stand for the digit 0? And may two digits share one?

# %% [markdown] answer=true
# [Chen et al. (2023)](https://arxiv.org/abs/2211.11635) compare three:
#
# - *random*: any ten different source classes;
# - *frequency*: the one that the frozen network already sees in most images of that digit;
# - *iterative*: the same, counted again before each epoch, because the prompt changes what the network sees.
#
# Two digits must not share a source class: they would have the same score on every image, and one of them would never
# be predicted.
# Such a mapping is called **injective**. So the classes have to compete.

# %% [markdown]
# ### Exercise: frequency mapping
#
# `counts[s, k]` says how many images of target class k were taken for source class s, a tensor (S, K), S ≥ K.
# Take the largest count of all: its source class goes to its target class. Both are then taken.
# Go on with the largest count among what is left, until every target class has a source class of its own.
# Of equal counts take the first, row by row. Return m, a tensor of K source classes.

# %% exercise={"id": "01-mapping", "points": 3, "minutes": 8, "difficulty": 2, "path": "extra", "needs": ["setup"]}
def source_for_each(counts):
    """Return the source class (K,) of each target class: greedy, one to one."""
    ### BEGIN SOLUTION
    left, num_classes = counts.clone(), counts.shape[1]
    mapping = torch.zeros(num_classes, dtype=torch.long)
    for _ in range(num_classes):
        source, target = divmod(int(left.argmax()), num_classes)
        mapping[target] = source
        left[source] = -1
        left[:, target] = -1
    return mapping
    ### END SOLUTION


# %% check="01-mapping"
check("01-mapping", source_for_each)

# %%
assign = check.use("01-mapping", source_for_each)
with torch.no_grad():
    predictions = backbone.classifier(features["train"].activations).argmax(1)
counts = count_pairs(predictions, data.train.labels, 100, 10)
print("made by:", check.made_by("01-mapping"))
print("digits whose favorite source classes differ:", "all" if len(set(counts.argmax(0).tolist())) == 10 else "not all")
print("source classes of the mapping differ:", "all" if len(set(assign(counts).tolist())) == 10 else "not all")

# %% [markdown]
# **Question.** A network that never saw a digit must call it something. What does it say, and how often would that
# mapping alone, without a prompt, be right?

# %%
NAMES = {1: "aquarium fish", 9: "bottle", 25: "couch", 54: "orchid", 62: "poppy", 67: "ray", 73: "shark",
         83: "sweet pepper", 92: "tulip", 99: "worm"}  # fmt: skip
BARE = "frequency mapping, no prompt"
run = next(run for run in table.runs if run["cell"]["prompt"] == BARE and run["cell"]["data"] == "photodigits")
print("recorded:", ", ".join(f"{digit} is {NAMES[source]}" for digit, source in enumerate(run["extra"]["mappings"][0])))
print(f"that mapping alone, without a prompt, gets {100 * run['accuracy']:.1f} % of {run['num_test']:,} test images")

# %% [markdown] answer=true
# Hardly more than one in ten, which is chance. The mapping alone is no classifier: all the work is left to δ.

# %% [markdown]
# ### Exercise: count again in each epoch
#
# `predictions` (epochs, N) holds what the network, with the prompt as it is before each epoch, says of the N training
# images: source classes. Their target classes are `labels` (N,). Return iterative mapping: (epochs, K).
# Count for yourself; for the rest use `assign_greedily(counts)` of the library, which is the exercise before.

# %% exercise={"id": "01-iterative", "points": 2, "minutes": 6, "difficulty": 2, "path": "extra", "needs": ["setup"]}
def mapping_per_epoch(predictions, labels, num_source, num_classes):
    """Return one mapping an epoch (epochs, K), each from that epoch's predictions alone."""
    ### BEGIN SOLUTION
    mappings = []
    for said in predictions:
        counts = torch.zeros(num_source, num_classes, dtype=torch.long)
        for source, target in zip(said.tolist(), labels.tolist(), strict=True):
            counts[source, target] += 1
        mappings.append(assign_greedily(counts))
    return torch.stack(mappings)
    ### END SOLUTION


# %% check="01-iterative"
check("01-iterative", mapping_per_epoch)

# %% [markdown]
# **Question.** How strong must a frame be before the network sees other things in the same digits?
# A frame of noise, N(0, amplitude²), stands in for a learned one.

# %% name="noise"
follow, rng = check.use("01-iterative", mapping_per_epoch), torch.Generator().manual_seed(0)
noise = [torch.randn(shape, generator=rng) for shape in [(1, 3, 4, 32)] * 2 + [(1, 3, 24, 4)] * 2]
few, labels = (data.train.images[:500].float() / 255 - mean) / std, data.train.labels[:500]
amplitudes = (0, 0.05, 0.1, 0.2, 0.5, 1, 2)
with torch.no_grad():
    noisy = [frame(few, *[size * strip for strip in noise]) for size in amplitudes]
    said = torch.stack([backbone.classifier(backbone(images)).argmax(1) for images in noisy])
moved = (follow(said, labels, 100, 10) != follow(said[:1], labels, 100, 10)).sum(1)

# %%
curve = {"digits with another source class, of 10": (amplitudes, moved)}
words = {"across": "amplitude of the frame (normalized units)", "up": "digits"}
label, who = "your run, 500 images", check.made_by("01-iterative")
show.lines(curve, "A frame changes what the network sees", **words, live=True, label=label, made_by=who)

# %% [markdown] answer=true
# A faint frame is enough: the curve leaves zero long before the frame is as strong as the image, whose standard
# deviation is about 1. From there on a mapping counted without the prompt is out of date.
# Whether counting again *pays* is another question, and one for paired runs.

# %% [markdown]
# ## Deeper: what the record says
#
# Every row has five seeds and the same 1,000 test images; where something learns, four trials for its rate, chosen on
# validation images, and five epochs. One has 20 epochs, at the rate of its short twin.
#
# **Question.** Sort these by accuracy before you look: linear probe, frame + new head, full image + new head, full
# image + old classes.

# %%
METHODS = {
    "linear probe": "none", "frame of 4 + new head": "pad:4", "frame of 8 + new head": "pad:8",
    "full image + new head": "full", "random patch of 8 + new head": "patch:8",
    "full image + iterative mapping": "iterative mapping", "the same, 20 epochs": "iterative mapping, 20 epochs",
    "full image + frequency mapping": "frequency mapping", "full image + random mapping": "random mapping",
    "frequency mapping alone": "frequency mapping, no prompt", "random mapping alone": "random mapping, no prompt",
}  # fmt: skip
rows = {words: table.accuracies("photodigits", name, "resnet_nano") for words, name in METHODS.items()}
show.settings(rows, "Digits anywhere, frozen resnet_nano", label="recorded, 5 seeds, 1,000 test images")

# %%
PAIRS = {
    "frame of 8 − probe": ("none", "pad:8"), "random patch − probe": ("none", "patch:8"),
    "iterative − mapping alone": ("frequency mapping, no prompt", "iterative mapping"),
    "iterative − frequency": ("frequency mapping", "iterative mapping"),
    "frequency − random": ("random mapping", "frequency mapping"),
    "iterative: 20 − 5 epochs": ("iterative mapping", "iterative mapping, 20 epochs"),
}  # fmt: skip
rows = {words: table.gain("photodigits", *pair, "resnet_nano") for words, pair in PAIRS.items()}
label = "recorded, 5 seeds crossed with 1,000 test images"
show.intervals(rows, "What each part adds, digits anywhere", label=label)

# %% [markdown] answer=true
# The first three cannot be put in an order; the last is far below them.
#
# **With a new head**, the first two intervals hold zero, and so do those of section 3 at five epochs: prompt and probe
# cannot be told apart.
#
# **Without a new head**, accuracy stays at or little above chance, and far below the probe. After five epochs these
# runs tell neither prompt from no prompt, nor iterative from frequency from random mapping. Chen et al. report an order
# of the three; here the order of the means is theirs, and every interval holds zero. With 20 epochs instead of five,
# iterative mapping gains: its short runs had not converged. It is the one row of six that differs, and it still does
# when six intervals are held to one level together (Holm's correction, lesson 09).

# %% [markdown]
# ## Deeper: what did the pictures learn?
#
# **Question.** If a picture carried knowledge about digits, two seeds should learn similar ones. Do they?

# %%
pictures = {}
for name, words in {"photodigits": "anywhere", "photodigits_fixed": "middle"}.items():
    for run in recorded("vp").runs:
        if (run["cell"]["data"], run["cell"]["prompt"]) == (name, "full") and run["cell"]["seed"] < 2:
            pictures[f"{words}, seed {run['cell']['seed']}"] = kept_picture(run["extra"]).mean(0)
label = "recorded, full image + new head; mean of three channels"
show.prompt_maps(pictures, "Learned full-image pictures", label=label)

# %%
for words in ("anywhere", "middle"):
    first, second = (pictures[f"{words}, seed {seed}"].flatten() for seed in (0, 1))
    print(f"{words:8} cosine between seeds 0 and 1: {float(first @ second / (first.norm() * second.norm())):+.2f}")

# %% [markdown] answer=true
# A cosine of +1 means the same picture up to its strength, 0 means nothing in common. These lie between: two seeds
# share a part, and each has a part of its own, though only the initial head and the batches differ. A single picture
# shows both parts at once. So look at two before you explain one.

# %% [markdown]
# **Question.** And the mapping: does it settle?

# %%
for name, words in {"photodigits": "anywhere", "photodigits_fixed": "middle"}.items():
    cells = [run for run in table.runs if run["cell"]["data"] == name and run["cell"]["prompt"] == "iterative mapping"]
    history = np.array([run["extra"]["mappings"] for run in cells])  # (seeds, epochs, classes)
    steps = ", ".join(f"{value:.1f}" for value in (history[:, 1:] != history[:, :-1]).sum(2).mean(0))
    print(f"{words:8} digits of 10 that change their source class, from epoch to epoch, mean of 5 seeds: {steps}")

# %% [markdown] answer=true
# Not in five epochs: digits still change their source class in the last step. While it changes, the prompt learns for
# one mapping and is asked about another in the next epoch.

# %% [markdown]
# ## Deeper: what may be claimed?
#
# ### Exercise: judge a claim
#
# A colleague writes: "Our frame of 1,344 numbers reaches what a linear probe reaches, so pixel prompts replace new
# heads. We trained it with SGD at a rate of 40 on pixels in [0, 1], as the paper does." In four sentences: what stands,
# what does not, and what would you run?

# %% [markdown] exercise={"id": "01-claim", "points": 3, "minutes": 5, "difficulty": 2, "path": "extra"}
# ### BEGIN SOLUTION
# The frame was trained together with a new head of 1,210 numbers, so it replaced nothing: the head alone gets as far.
# A prompt that really does without a new head is one with label mapping, and in our record that stays far below the
# probe. The paper's rate of 40 belongs to normalized units and is about 2 to 3 on pixels; 40 on pixels is 13 to 20
# times as much. I would compare frame with head, head alone, and frame with mapping, over at least five paired seeds
# with rates from equal numbers of trials on validation, and report the paired intervals with all learned numbers.
# ### END SOLUTION
# ### BEGIN MARK SCHEME
# 3 points: names that the head was learned too; that the rate belongs to another space, with σ²; and proposes a paired
#   comparison with head alone and with mapping.
# 2 points: two of these.
# 1 point: one of these.
# ### END MARK SCHEME

# %% [markdown]
# ## Recap
#
# - A visual prompt adds one learned picture to every normalized image, $x' = x + \delta$.
# - The loop: freeze, optimizer over δ and head, forward, loss, backward, step. `fit` runs the same loop.
# - A frame has $2Cp(H + W - 2p)$ numbers. Compare with the same head alone, over paired seeds.
# - With 1,000 images a universal picture helped where digits stay in place, in one recipe of two; with 16,000 also with
#   digits anywhere.
#
# **How far this goes.** All this is one network of 0.65 million weights, trained on CIFAR-100, with 250 to 16,000
# images of 32 × 32 pixels. Bahng et al. train a frame for 1,000 epochs on CLIP, whose classes are texts, and report
# large gains; Chen et al. map 1,000 ImageNet classes. Nobody measured those here, and nothing here refutes them.
# On a CNN that was trained on ImageNet, with 1,000 photographs, we cannot tell a full picture from the probe (lesson
# 05).

# %% [markdown]
# ## Self-test
#
# ### Exercise: one path, two rates
#
# A frame is trained by SGD at a rate of 40 in normalized units, and σ is 0.25. Which rate on pixels in [0, 1] takes the
# same path?
#
# - **a** 40
# - **b** 10
# - **c** 2.5
# - **d** 640

# %% exercise={"id": "01-quiz-space", "points": 1, "minutes": 1, "difficulty": 1, "path": "extra"}
same_path = ...  # "a", "b", "c" or "d"
### BEGIN SOLUTION
same_path = "c"
### END SOLUTION

# %% check="01-quiz-space"
check.quiz("01-quiz-space", same_path)

# %% [markdown]
# ### Exercise: what does the optimizer change?
#
# A frozen network is prompted with a full-image picture and iterative label mapping. What does the optimizer change?
#
# - **a** the picture alone
# - **b** the picture and the old head
# - **c** nothing: the mapping is counted

# %% exercise={"id": "01-quiz-learns", "points": 1, "minutes": 1, "difficulty": 1, "path": "extra"}
changes = ...  # "a", "b" or "c"
### BEGIN SOLUTION
changes = "a"
### END SOLUTION

# %% check="01-quiz-learns"
check.quiz("01-quiz-learns", changes)

# %% [markdown]
# ### Exercise: twice as wide
#
# A frame on 32 × 32 images grows from 4 to 8 pixels. How many numbers does it learn now?
#
# - **a** twice as many
# - **b** more, but less than twice as many
# - **c** more than twice as many

# %% exercise={"id": "01-quiz-double", "points": 1, "minutes": 1, "difficulty": 1, "path": "extra"}
wider = ...  # "a", "b" or "c"
### BEGIN SOLUTION
wider = "b"
### END SOLUTION

# %% check="01-quiz-double"
check.quiz("01-quiz-double", wider)

# %% [markdown]
# ## Further reading
#
# - H. Bahng, A. Jahanian, S. Sankaranarayanan, P. Isola (2022). Exploring Visual Prompts for Adapting Large-Scale
#   Models. [arXiv:2203.17274](https://arxiv.org/abs/2203.17274). Frame, fixed patch and random patch.
# - A. Chen, Y. Yao, P.-Y. Chen, Y. Zhang, S. Liu (2023). Understanding and Improving Visual Prompting: A Label-Mapping
#   Perspective. [arXiv:2211.11635](https://arxiv.org/abs/2211.11635). Random, frequency and iterative mapping.

# %% [markdown]
# # A prompt for each image
#
# **You will be able to**
#
# - build the patch prompter of InsVP, and say what each of its two prompters can see;
# - go from one picture for all images to one per cluster and one per image, and count what each learns;
# - tell an image's own prompt from a mean prompt, with four controls;
# - say what the weight β can change, and what it cannot.
#
# **Before you start**: lesson 01 (one picture for all images) and lesson 02 (paired seeds, Grad-CAM).
#
# **Your time**: 45 minutes for the core, 50 for the deeper sections.
# **Machine time**: about 40 seconds on two CPU cores.

# %% name="setup"
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import vpcore
from course import check, show
from course.recorded import recorded
from course.show import drawings
from course.show.sizes import more_images
from course.show.start import accuracies
from course.widgets.instance import InstanceExplorer
from vpcore.cache import cached
from vpcore.inside.grad_cam import grad_cam
from vpcore.prompts.parts.prompters import GlobalPrompter

torch.set_num_threads(1)  # so small a network gains nothing from a second thread

# %% [markdown]
# ## 1. One picture, a few pictures, a picture for each
#
# *photodigits* puts a digit anywhere on a photograph. A universal prompt adds the same picture to all of them.
#
# **Question.** It cannot know where the digit is, or what color. What would a prompt have to look at to know it?

# %% name="data"
data = vpcore.load_data("photodigits", num_train=500, num_valid=200, num_test=500)
backbone = vpcore.load_backbone("resnet_nano")  # trained on CIFAR-100 photographs, and frozen
spec = backbone.spec
images = data.test.images[:6].float() / 255
x = (images - torch.tensor(spec.mean).view(1, 3, 1, 1)) / torch.tensor(spec.std).view(1, 3, 1, 1)
print(len(data.train), "images to train on,", len(data.valid), "to choose with,", len(data.test), "to test on")

# %%
show.image_row(images, [f"class {data.classes[label]}" for label in data.test.labels[:6]], "photodigits")

# %% [markdown] answer=true
# At the image itself. InsVP (Liu, Peng, Zhou 2024) does that: it does not store a picture. It stores two small networks
# that draw one for each image.

# %%
drawn = vpcore.InstanceImagePrompt(spec, init="default")
with torch.no_grad():
    parts = {name: picture[0].mean(0) for name, picture in drawn.pictures(x[:1]).items()}
    both = drawn.added_map(x[:1])[0].mean(0)
drawings.instance_image(images[0].mean(0), parts["patch"], parts["global"], both)

# %% [markdown]
# With the patch prompter $G_p$, whose picture is $p^\ell$ (ℓ for local), the global prompter $G_g$ and a fixed weight
# β = 0.7,
#
# $$\begin{gathered}
# x' = x + p^{\mathrm I}(x), \\
# p^{\mathrm I} = \beta\, p^g + (1 - \beta)\, p^\ell, \\
# p^g = G_g(x),\; p^\ell = G_p(x).
# \end{gathered}$$
#
# Between one picture for all and a picture for each there are **cluster prompts**: images that look alike to the frozen
# network share a picture. DAM-VP (Huang et al. 2023) does so. Ours is simpler: K-means on the features, K given.
#
# **Question.** Which of them learns the fewest numbers? Guess before you run the cell.

# %%
print("K      learned numbers of K pictures")
for clusters in (1, 2, 4, 8):
    print(f"{clusters}      {vpcore.ClusterPrompt(spec, clusters).num_learned():6,}")
prompt = vpcore.InstanceImagePrompt(spec)
patch_part = sum(p.numel() for p in prompt.patch.parameters())
print(f"instance {prompt.num_learned():4,}, of which the patch prompter {patch_part:,}")

# %% [markdown] answer=true
# The instance prompt can draw any number of different pictures, yet it learns fewer numbers than a single stored
# picture holds.

# %% [markdown]
# ## 2. The patch prompter
#
# ### Exercise: draw a picture, patch by patch
#
# InsVP's *patch prompter* cuts each image into square patches. A patch is flattened to P = C·patch² numbers, read as
# (channel, row, column). One small MLP, the same for all patches, turns them into P new numbers:
# Linear from P to r, ReLU, Linear from r to P. With $u_n$ the n-th patch as a vector,
#
# $$v_n = W_2 \max(W_1 u_n + b_1, 0) + b_2 .$$
#
# These are tiled back to a picture of the image's size.
#
# Write it. `images` is (B, C, H, W), and `patch` divides H and W. `weight1` is (r, P), `bias1` (r,), `weight2` (P, r),
# `bias2` (P,), as `F.linear(input, weight, bias)` takes them. Return the picture alone, (B, C, H, W).
# `F.unfold(images, patch, stride=patch)` cuts: (B, P, N) for N patches. `F.fold` is its way back.


# %% exercise={"id": "03-patch", "points": 3, "minutes": 10, "difficulty": 2, "path": "core", "needs": ["setup"]}
def patch_picture(images, weight1, bias1, weight2, bias2, patch):
    """Return the picture (B, C, H, W) that one MLP draws from every patch of every image."""
    ### BEGIN SOLUTION
    patches = F.unfold(images, patch, stride=patch)  # (B, P, N)
    patches = patches.transpose(1, 2)  # (B, N, P): F.linear works on the last dimension
    hidden = F.relu(F.linear(patches, weight1, bias1))
    drawn = F.linear(hidden, weight2, bias2)
    return F.fold(drawn.transpose(1, 2), images.shape[-2:], patch, stride=patch)
    ### END SOLUTION


# %% check="03-patch"
check("03-patch", patch_picture)

# %% [markdown]
# Stuck? `check.hint("03-patch")` gives one hint at a time, in a new cell of yours.
#
# The next cell puts your function into a module with the two layers of vpcore's prompter. It draws the
# pictures that follow.

# %% name="my-patch" point=true
draw = check.use("03-patch", patch_picture)


class MyPatch(nn.Module):
    """A patch prompter that draws with the function of the exercise."""

    def __init__(self, layers):
        super().__init__()
        self.inner, self.outer, self.edge = layers.inner, layers.outer, layers.patch_size

    def forward(self, images):
        """Return the picture (B, C, H, W) for normalized images."""
        return draw(images, self.inner.weight, self.inner.bias, self.outer.weight, self.outer.bias, self.edge)


def instance_prompt(seed, **options):
    """Return an InsVP prompt for images whose patch prompter is made by the exercise."""
    prompt = vpcore.InstanceImagePrompt(spec, seed=seed, **options)
    prompt.patch = MyPatch(prompt.patch)
    return prompt


# %% [markdown]
# **Question.** Change a single pixel of an image. How much of the picture changes?

# %%
fresh = instance_prompt(seed=0, init="default")  # random last layers: the picture is not empty
poked = x.clone()
poked[0, :, 9, 14] += 1
with torch.no_grad():
    changed = (fresh.patch(poked) != fresh.patch(x))[0].any(0)  # (32, 32)
rows, columns = (changed.any(1 - axis).nonzero().flatten().tolist() for axis in (0, 1))
print("made by:", check.made_by("03-patch"))
print("rows that change:", rows, "columns:", columns)

# %% [markdown] answer=true
# One patch, 4×4 pixels, and no pixel outside it. The patch prompter cannot tell whether its patch is part of a digit
# or of a cloud.

# %% [markdown]
# ## 3. The global prompter: how far does it see?
#
# The second network draws from "the whole image", with two dilated convolutions: C → q → C channels, ReLU between;
# q is the number of channels inside.
# In a dilated convolution the kernel's entries stand `dilation` pixels apart.

# %% [markdown]
# ### Exercise: the receptive field
#
# `layers` lists (kernel, dilation, stride) in order. How many pixels wide is the part of the input that one output
# value depends on? A stride of s makes one step of all later layers s times as long: with $j_1 = 1$,
#
# $$R = 1 + \sum_i (k_i - 1)\, d_i\, j_i, \qquad j_{i+1} = j_i\, s_i .$$


# %% exercise={"id": "03-receptive", "points": 2, "minutes": 6, "difficulty": 2, "path": "core", "needs": ["setup"]}
def receptive_field(layers):
    """Return how many pixels wide one output of these convolutions sees; layers: (kernel, dilation, stride)."""
    ### BEGIN SOLUTION
    field = 1
    jump = 1  # pixels a step
    for kernel, dilation, stride in layers:
        field += (kernel - 1) * dilation * jump
        jump *= stride
    return field
    ### END SOLUTION


# %% check="03-receptive"
check("03-receptive", receptive_field)

# %% [markdown]
# The paper says "dilated" and gives no sizes. vpcore takes 3×3 kernels with dilation 2. The released code has plain
# 11×11 and 25×25 convolutions, dilation 1, for images of 224 pixels.
#
# **Question.** Which of the two sees a larger share of its image?

# %%
field = check.use("03-receptive", receptive_field)
ours, theirs = [(3, 2, 1), (3, 2, 1)], [(11, 1, 1), (25, 1, 1)]
print("made by:", check.made_by("03-receptive"))
for name, layers, size in (("vpcore", ours, 32), ("released code", theirs, 224)):
    (a, s, _), (b, t, _) = layers
    learned = sum(p.numel() for p in GlobalPrompter(3, kernels=(a, b), dilations=(s, t)).parameters())
    print(f"{name:13} sees {field(layers):2} of {size} pixels ({100 * field(layers) / size:.0f} %), learns {learned:,}")

# %%
net = GlobalPrompter(3, zero=False)
probe = torch.randn(50, 3, 32, 32, generator=torch.Generator().manual_seed(0)).requires_grad_()
net(probe)[:, :, 16, 16].sum().backward()
seen = (probe.grad != 0).any(0).any(0)  # (32, 32): pixels that can move the output at (16, 16)
columns = seen.any(0).nonzero().flatten()
print("from column", int(columns.min()), "to", int(columns.max()), "- pixels that act:", int(seen.sum()), "of", 9 * 9)
print("dilations 16 and 15 would see:", field([(3, 16, 1), (3, 15, 1)]), "pixels; from a corner, all of 32 takes 63")

# %% [markdown] answer=true
# Ours sees the larger share. It is nine pixels wide, as counted, but with holes: dilation 2 twice reads every second
# row and column, 25 of 81 pixels. And neither network sees the whole image. "Global" means: no patch borders, and some
# pixels of context. No part of this prompt can know what the image is as a whole. Keep that in mind when you read the
# results.

# %% [markdown]
# ## 4. Train it
#
# Now prompt and head learn, and the network stays frozen. The last layers start at zero, so that training starts from
# the frozen model. The rates were chosen on validation images, with four trials for every method (section 5).

# %% name="train"
table = recorded("insvp_image")
ours = {"backbone": "resnet_nano", "data": "photodigits"}
chosen = {run["cell"]["prompt"]: run["cell"] for run in table.runs if ours.items() <= run["cell"].items()}


def train(prompt, seed, condition, epochs=4):
    """Train a prompt and a head on the frozen backbone, at the rates that the record has for it."""
    model = vpcore.Prompted(backbone, prompt, vpcore.LinearHead(spec.dim, 10, seed=seed))
    lr = {"prompt": chosen[condition]["lr"], "head": chosen[condition]["head_lr"]}
    vpcore.fit(model, data.train, data.valid, epochs=epochs, lr=lr, batch_size=64, seed=seed)
    return model


# %% name="live"
SEEDS = range(5)
instance = [train(instance_prompt(seed), seed, "instance") for seed in SEEDS]
print(vpcore.count(instance[0]))
one = train(vpcore.PadPrompt(spec, width="full"), 0, "universal")
some = train(vpcore.ClusterPrompt(spec, 4).prepare(backbone, data.train.images), 0, "cluster:4")

# %% [markdown]
# **Question.** Below are the universal picture, the four cluster pictures and the pictures of six images. In which of
# them do you expect to see the digit?


# %% point=true
def gray(pictures):
    """Return pictures (N, C, H, W) averaged over channels."""
    return pictures.detach().mean(1)


with torch.no_grad():
    own = instance[0].prompt.added_map(x)
stored = {"universal": gray(one.prompt.added_map()[None])[0]}
stored |= {f"cluster {k}": picture for k, picture in enumerate(gray(some.prompt.added_map()))}
stored |= {f"image {k}": picture for k, picture in enumerate(gray(own))}
label = "your run, seed 0, mean of three channels"
who = check.made_by("03-patch")
show.prompt_maps(stored, "One picture, four pictures, a picture for each image", live=True, label=label, made_by=who)

# %% [markdown] answer=true
# The stored pictures have no digit in them: digits lie elsewhere in every image. Most instance pictures show something
# of the image itself, through a filter. That is no sign of learning: an untrained prompter's picture shows the image
# as well.

# %% [markdown]
# **Question.** Which part, patch or global, makes most of the prompt?

# %%
with torch.no_grad():
    parts = instance[0].prompt.pictures(x)
mixed = {f"global, image {k}": 0.7 * picture for k, picture in enumerate(gray(parts["global"]))}
mixed |= {f"patch, image {k}": 0.3 * picture for k, picture in enumerate(gray(parts["patch"]))}
whole, local = (parts[name].square().mean((1, 2, 3)).sqrt() for name in ("global", "patch"))  # over all channels
print("0.7 · global has a larger root mean square than 0.3 · patch:", (0.7 * whole > 0.3 * local).tolist())
title, who = "The two parts as they are added: 0.7 · global and 0.3 · patch picture", check.made_by("03-patch")
show.prompt_maps(mixed, title, live=True, label="your run, seed 0, mean of three channels", made_by=who)

# %% [markdown] answer=true
# Mostly the global part: the printed line says so for each of the six images. It is weighted by 0.7, so the same Adam
# steps move it more: which part is larger says as much about β as about images. The frame in the global part comes from
# the zeros that pad its convolutions. An image in normalized units has a standard deviation of about 1: compare the
# prompt with that.

# %% [markdown]
# ### Explore: the prompt of an image
#
# Choose an image, switch the prompters off and on, change β and the amplitude. Tab moves on, Space presses buttons and
# boxes, and the arrow keys move a slider. A prompt is drawn at the amplitude that you set (its root mean square over
# the ten images), not at its own. "prompt − mean" is what this image gets beyond the mean picture of ten images.
#
# **Question.** Before you touch it, guess: with trained weights, is "prompt − mean" much fainter than the prompt?

# %% name="explorer"
untrained = vpcore.InstanceImagePrompt(spec, init="default")
explorer = InstanceExplorer(data.test.images[:10], {"untrained": untrained, "trained": instance[0].prompt})
explorer

# %% [markdown] answer=true
# Fainter, but not by much: more than half of the pictures' mean square is the images' own, as a later section measures.

# %% [markdown]
# ## 5. The recorded table
#
# The paper's table 1 gives means over ten data sets, with a ViT-B/16: 83.4 for a universal prompt (VP), 88.5 for
# DAM-VP's clusters, 91.3 for InsVP with its feature level. No spread is given. What do small networks say?
#
# The recorded runs train 10 epochs on 1,000 images and test on 1,000. Yours have 4 epochs, 500 images and 500 test
# images, so expect less of them. Prompt, head and batches are paired by seed. The head's rate comes from the linear
# probe and is the same for all. Each method's own rate is the best of four trials on validation images, made with
# another seed. "Universal" is one full picture.
#
# **Question.** Order the rows before you look: no prompt, universal, 4 clusters, instance.

# %%
print(table.about("photodigits"))
conditions = {"no prompt": "none", "universal": "universal", "2 clusters": "cluster:2", "4 clusters": "cluster:4",
              "8 clusters": "cluster:8", "instance": "instance", "patch part alone": "beta:0",
              "global part alone": "beta:1", "fine-tuning": "fine-tuning"}  # fmt: skip
conditions = {name: condition for name, condition in conditions.items() if condition in chosen}  # what was recorded
names = {condition: name for name, condition in conditions.items()}
rows = {name: table.accuracies("photodigits", condition, "resnet_nano") for name, condition in conditions.items()}
tuned = rows.pop("fine-tuning")  # so far to the right that the rest would be one clump
print(f"not drawn: fine-tuning {tuned.mean():.1f} ± {tuned.std(ddof=1):.1f} %, {len(tuned)} seeds")

# %%
mine = "instance, your run"
rows[mine] = np.array([100 * vpcore.evaluate(model, data.test).accuracy for model in instance])
label = "recorded: 5 seeds, 1,000 test images; your run: 5 seeds, 500 test images"
accuracies(rows, "Universal, cluster and instance prompts", live=(mine,), label=label, made_by=who)


# %% name="compare"
def compare(before, after, network="resnet_nano", place="photodigits"):
    """Print and return mean, low and high of a recorded difference in points, for other seeds and other images."""
    mean, low, high = gain = table.gain(place, before, after, network)
    pair = f"{names.get(after, after):22} − {names.get(before, before):9}"
    print(f"{pair} {mean:+6.2f} ({low:+6.2f} to {high:+6.2f})  {gain.verdict('differs', 'differs')}")
    return gain

# %%
found = {name: compare("none", condition) for name, condition in conditions.items() if condition != "none"}
title, label = "Each prompt against no prompt, paired", "recorded, resnet_nano, 5 seeds, 1,000 test images"
show.intervals({name: ends for name, ends in found.items() if name != "fine-tuning"}, title, label=label)

# %% [markdown] answer=true
# Each interval holds both lotteries, seeds and test images (lesson 02).
#
# **Fine-tuning** is far above all: there is much to gain on these images, and prompts gain little of it from 1,000 of
# them. The **global part alone**, 333 numbers, beats no prompt. **Four clusters** are worse than none, by their own
# interval; of two and eight these runs cannot tell. For everything else, including the instance prompt with both parts,
# they cannot tell either. And several intervals at 95 % are several chances of a false alarm: held to one level
# together (Holm's rule, lesson 09), the seven leave only the global part.
#
# So the paper's order, universal below clusters below instance, is not what these runs show. They do not refute it
# either: the paper's network is a hundred times as large, its data sets are different, and it trains for 100 epochs.

# %% [markdown]
# ## 6. With more images
#
# **Question.** A thousand images are few for two networks that draw. What will 16,000 change: will the picture made
# from the image pass the one that is the same for all?

# %%
more_images(recorded("scale"), {"full picture": "full", "InsVP, picture": "instance_image"})

# %% [markdown] answer=true
# It does, by far. At 250 images nothing is gained, and the universal picture costs points; at 4,000 the picture made
# from the image is 17 points above the probe, at 16,000 it is 30, and the universal picture nine. So the paper's
# "universal below instance" is what more images show here, far more clearly than 1,000 images do. These runs have
# another recipe than those above (16 epochs, batches of 128, rates searched for at 1,000 and 16,000 images): with it
# the picture made from the image gains already at 1,000 images, where those above could not tell. Compare within a
# figure.
#
# The last lines part images from steps. When each of 16,000 images is seen once, there are as many steps as with 1,000
# images, and the gains are those of 1,000 images: four points for the picture made from the image. At equal steps, more
# images raise the probe and this picture alike, by five to six points; for a larger lead they need steps as well.
# Whether the steps alone would be, on few images, nobody here ran.

# %% [markdown]
# **Question.** Back to 1,000 images, and to section 5: does a ViT give the same table?

# %%
kinds = {(run["cell"]["backbone"], run["cell"]["prompt"]) for run in table.runs}
others = [condition for condition in conditions.values() if condition != "none" and ("vit_nano", condition) in kinds]
found = {condition: compare("none", condition, "vit_nano") for condition in others}

# %% [markdown] answer=true
# The ViT's runs have 6 epochs, because each takes longer. The global part alone is above no prompt here, too. For the
# universal prompt, four clusters, and both parts together, these runs cannot tell.

# %% [markdown]
# ## Deeper: K pictures
#
# With K = 1 every image has the same nearest center.
#
# **Question.** Which method of lesson 01 is a cluster prompt with K = 1?

# %%
universal = vpcore.PadPrompt(spec, width="full", init="normal")
single = vpcore.ClusterPrompt(spec, num_clusters=1).prepare(backbone, data.train.images)
with torch.no_grad():
    single.frames[0] = universal.frame
same = torch.equal(single.image(x, single.condition(x)), universal.image(x, None))
print("K = 1 and the same numbers: the same prompted images:", same)

# %% [markdown] answer=true
# The universal prompt: one full picture for all images. It is the simplest of the cluster prompts.

# %% [markdown]
# ## Deeper: a prompter in front of a ViT
#
# **Question.** In lesson 02 a ViT's position embedding could do all that MSVP does. Can it do what a patch prompter
# does?

# %% [markdown] answer=true
# No: W(x + G(x)) depends on the patch through G, and a position embedding is the same for all images.
# So a patch prompter in front of a ViT gives it a nonlinear patch embedding. That is a new layer, and a small one.
# "Prompt" or "extra layer": for the image level of InsVP both words are right.

# %% [markdown]
# ## Deeper: what β can change
#
# The image level of InsVP adds to each image
#
# $$p^{\mathrm I} = \beta\, p^g + (1 - \beta)\, p^\ell,$$
#
# with β = 0.7.
#
# **Question.** The paper's figure 7 compares values of β. If both prompters learn, which functions does β = 0.3 allow
# that β = 0.7 does not?

# %% [markdown]
# ### Exercise: from one β to another
#
# The last layers of both prompters are linear. Return last layers (weight and bias of the global, then of the patch
# prompter) that give with β = `new` exactly the picture that the given ones give with β = `old`. Both values lie
# between 0 and 1, ends excluded.


# %% exercise={"id": "03-rescale", "points": 2, "minutes": 8, "difficulty": 2, "path": "extra", "needs": ["setup"]}
def rescale(weight_g, bias_g, weight_l, bias_l, old, new):
    """Return (weight_g, bias_g, weight_l, bias_l) with which `new` gives the picture that `old` gave."""
    ### BEGIN SOLUTION
    whole = old / new
    patch = (1 - old) / (1 - new)
    return whole * weight_g, whole * bias_g, patch * weight_l, patch * bias_l
    ### END SOLUTION


# %% check="03-rescale"
check("03-rescale", rescale)

# %%
resize = check.use("03-rescale", rescale)
first, second = (vpcore.InstanceImagePrompt(spec, beta=beta, init="default").double() for beta in (0.3, 0.7))
layers = [first.whole.outer.weight, first.whole.outer.bias, first.patch.outer.weight, first.patch.outer.bias]
with torch.no_grad():
    new = resize(*layers, 0.3, 0.7)
    for old, value in zip([*second.whole.outer.parameters(), *second.patch.outer.parameters()], new, strict=True):
        old.copy_(value)
    gap = (first.added_map(x.double()) - second.added_map(x.double())).abs().max()
print("made by:", check.made_by("03-rescale"))
print("the same pictures to 1e-12:", bool(gap < 1e-12))

# %% [markdown] answer=true
# None. Every β between 0 and 1 allows the same functions; only the ends differ, where one prompter is switched off.
# So a difference between 0.3 and 0.7 comes from training. Adam moves a weight by about the rate, whatever β is.
# The picture then moves by β or 1 − β times that: **β is a learning rate of the two last layers.**
# (If they do not start at zero, β sets the strength of that start as well.)

# %% [markdown]
# The released code adds (patch picture) + 2 · (global picture) instead.
#
# **Question.** Which β is that, and what else does it change?

# %%
options = {"init": "default", "kernels": (3, 3), "dilations": (2, 2), "dropout": 0.0}
code, paper = (vpcore.InstanceImagePrompt(spec, variant=v, beta=2 / 3, **options) for v in ("released_code", "paper"))
same = torch.allclose(code.added_map(x), 3 * paper.added_map(x), atol=1e-5)
print("patch + 2 · global equals 3 times the mix with β = 2/3:", same)

# %% [markdown] answer=true
# It is β = 2/3, three times as strong: another rate again, as long as both last layers learn.

# %% [markdown]
# ## Deeper: Grad-CAM before and after
#
# The paper shows heat maps that move onto the object when the prompt is added. Lesson 02 had a caveat: two seeds of
# the *same* method differ too. So here are two seeds of each. The last maps of this network have 2×2 places; we take
# the 4×4 maps below them.
#
# **Question.** Which rows differ more: no prompt and instance prompt, or seed 0 and seed 1?

# %%
mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (spec.mean, spec.std))
prompted = (x + own) * std + mean
both = torch.cat([images[:3], prompted[:3]])
titles = [f"x, image {k}" for k in range(3)] + [f"prompted, image {k}" for k in range(3)]
show.image_row(both, titles, "What the network sees", label="your run, seed 0, clipped to 0 … 1 to show", made_by=who)

# %% name="probes"
probes = []
for seed in (0, 1):
    model = vpcore.Prompted(backbone, vpcore.NoPrompt(spec), vpcore.LinearHead(spec.dim, 10, seed=seed))
    train_split, valid_split = (cached(model, split) for split in (data.train, data.valid))
    vpcore.fit(model, train_split, valid_split, epochs=4, lr=chosen["none"]["lr"], batch_size=64, seed=seed)
    probes.append(model)

# %%
labels = data.test.labels[:6]
models = {f"no prompt, seed {seed}": probes[seed] for seed in (0, 1)}
models |= {f"instance, seed {seed}": instance[seed] for seed in (0, 1)}
cams = {name: grad_cam(model, images, layer=5, classes=labels) for name, model in models.items()}
titles = [f"true {data.classes[label]}" for label in labels]
label = "your run, seeds 0 and 1"
show.grad_cam(images, cams, titles, "Grad-CAM for the true class, 4×4 maps", label=label, made_by=who)

# %% [markdown] answer=true
# Judge by a rule, not by eye. Each row has its own color bar. What shows in both rows with the prompt, and in neither
# without it, may be the prompt's doing. What differs between the two seeds is not. Six images support no claim either
# way; lesson 07 tests such maps.

# %% [markdown]
# ## Deeper: digits at a fixed place
#
# All of this is on digits at random places. A picture that is the same for all images cannot follow them.
#
# **Question.** Now every digit stands in the middle of its image. Which gains more from that: the universal prompt, or
# the one made from the image?

# %%
print("digits in the middle:")
fixed = {condition: compare("none", condition, place="photodigits_fixed") for condition in ("universal", "instance")}
between = compare("instance", "universal", place="photodigits_fixed")

# %%
print("digits at random places:")
rows = {"random place: universal": compare("none", "universal"), "random place: instance": compare("none", "instance"),
        "fixed place: universal": fixed["universal"], "fixed place: instance": fixed["instance"]}  # fmt: skip
title = "Against no prompt: digits at random places, and in the middle"
show.intervals(rows, title, label="recorded, resnet_nano, 5 seeds each, 1,000 test images")

# %% [markdown] answer=true
# With the digits in the middle, the universal prompt gains about nine points over no prompt, and its interval is far
# from zero. It is ahead of the instance prompt, with an interval that just excludes zero; for the latter these runs
# cannot tell, since its seeds scatter. So which kind of prompt wins is decided by the data as much as by the method:
# where the object always stands in one place, one picture for all can help.
#
# Lesson 01 shows these runs, and others in which the same picture on the same digits gained less than a point. Those
# were half as long, and their head learned at another rate. Their search had nearly our rate for the picture among its
# trials, and preferred a tenth of it. Neither record is wrong: a gain belongs to a recipe, and another recipe can hide
# it.

# %% [markdown]
# ## Deeper: is it the image's own?
#
# An instance prompt may win for reasons that have nothing to do with instances: its mean picture may do the work, or
# the networks in front may do what any layer would. Four controls tell these apart.
#
# | control | what every image gets | head |
# |---|---|---|
# | mean | the mean of the training images' pictures | as trained |
# | mean, refitted | the same | trained anew for it |
# | another's | the picture of another test image | as trained |
# | universal | one learned picture, with as many rate trials | trained with it |
#
# ### Exercise: the mean prompt
#
# `train_pictures` (N, C, H, W) are the pictures that a prompt draws for the training images. Add their mean to every
# one of `images` (B, C, H, W).


# %% exercise={"id": "03-mean", "points": 1, "minutes": 3, "difficulty": 1, "path": "extra", "needs": ["setup"]}
def with_mean(images, train_pictures):
    """Return images that all got the same picture: the mean of the training images' pictures."""
    ### BEGIN SOLUTION
    mean_picture = train_pictures.mean(0)  # (C, H, W)
    return images + mean_picture
    ### END SOLUTION


# %% check="03-mean"
check("03-mean", with_mean)

# %% [markdown]
# ### Exercise: another image's prompt
#
# A plain shuffle will not do: on average, one image in a shuffle keeps its own picture. Pass the pictures around a
# circle instead. `order` holds the numbers 0 … N − 1 in random order. Image `order[i]` gets the picture of image
# `order[i + 1]`, and the last one gets the picture of the first. Return the pictures (N, C, H, W) so that entry j is
# for image j.


# %% exercise={"id": "03-another", "points": 2, "minutes": 5, "difficulty": 2, "path": "extra", "needs": ["setup"]}
def from_another(pictures, order):
    """Return pictures (N, C, H, W) of which entry j was drawn for another image than j."""
    ### BEGIN SOLUTION
    given = torch.empty_like(pictures)
    given[order] = pictures[order.roll(-1)]
    return given
    ### END SOLUTION


# %% check="03-another"
check("03-another", from_another)

# %% [markdown]
# ### Exercise: how much of a picture is its own?
#
# Take the mean picture away from every picture. Which share of the pictures' mean square is left? 0 means: all images
# get the same picture. 1 means: the mean picture is empty.


# %% exercise={"id": "03-share", "points": 1, "minutes": 4, "difficulty": 1, "path": "extra", "needs": ["setup"]}
def own_share(pictures):
    """Return the share (0 to 1) of the mean square of pictures (N, C, H, W) that is not in their mean."""
    ### BEGIN SOLUTION
    left = pictures - pictures.mean(0)
    return float(left.square().mean() / pictures.square().mean())
    ### END SOLUTION


# %% check="03-share"
check("03-share", own_share)

# %% [markdown]
# **Question.** First your own five runs. Which control will cost more: the mean picture, or another image's?

# %% name="swap"
mean_of, swap = check.use("03-mean", with_mean), check.use("03-another", from_another)
order = torch.randperm(len(data.test), generator=torch.Generator().manual_seed(0))
test_x = instance[0].normalize(data.test.images.float() / 255)
train_x = instance[0].normalize(data.train.images.float() / 255)


@torch.no_grad()
def accuracy(model, prompted):
    """Return the accuracy in percent of backbone and head on images that are prompted already."""
    logits = torch.cat([model.head(backbone(part)) for part in prompted.split(500)])
    return 100 * float((logits.argmax(1) == data.test.labels).double().mean())


# %%
rows = {"own prompt": [], "mean prompt": [], "another's prompt": []}
for model in instance:
    with torch.no_grad():
        drawn, train_drawn = model.prompt.added_map(test_x), model.prompt.added_map(train_x)
    rows["own prompt"].append(accuracy(model, test_x + drawn))
    rows["mean prompt"].append(accuracy(model, mean_of(test_x, train_drawn)))
    rows["another's prompt"].append(accuracy(model, test_x + swap(drawn, order)))
maker = check.made_by("03-mean", "03-another")
label = "your run, 5 seeds, 500 test images"
accuracies(rows, "Whose prompt?", live=rows, label=label, made_by=maker)

# %% [markdown] answer=true
# Your runs cannot settle it: five seeds, 500 images, a point or so. If another's picture costs accuracy, the model
# *uses* the pictures. It does not follow that they were needed: the head was trained with them. That is what the second
# control is for: give every image the mean picture, and train a new head.

# %% [markdown]
# **Question.** The recorded runs hold all four. Which of them can speak for or against "from the image itself"?

# %%
controls = {"mean prompt, same head": "mean", "mean prompt, new head": "mean refit", "another's": "other"}
found, parts = {}, {"instance": "both parts", "beta:1": "global part alone"}
names |= {f"{kind} {code}": words for kind in parts for words, code in controls.items()}
for network, condition in sorted(kinds):
    if (network, f"{condition} mean") in kinds:
        print(network, parts[condition])
        for name, control in controls.items():
            found[f"{network}, {parts[condition]}: {name}"] = compare(condition, f"{condition} {control}", network)
        found[f"{network}, {parts[condition]}: universal"] = compare(condition, "universal", network)

# %%
label = "recorded, 5 seeds each"
show.intervals(found, "Controls against own prompts", label=label)

# %%
share = check.use("03-share", own_share)
recorded_shares = [run["extra"]["own_share"] for run in table.runs if run["cell"]["prompt"] == "instance"
                   and run["cell"]["data"] == "photodigits" and run["cell"]["backbone"] == "resnet_nano"]  # fmt: skip
print("recorded share that is the image's own:", ", ".join(f"{value:.2f}" for value in recorded_shares))
with torch.no_grad():
    plain = share(test_x)
print("made by:", check.made_by("03-share"))
print(f"share of the images themselves that is not in the mean image: {plain:.2f}")

# %% [markdown] answer=true
# With the pictures of *other* images every model loses, and in all four cases more than with the mean picture: they use
# their pictures, and they use them image by image.
# Whether they *needed* them is what the new head says:
#
# - ResNet, both parts: these runs show no gain over no prompt, nor over the mean picture with a new head.
# - ResNet, global part alone, and ViT, both parts or the global one alone: the mean picture with a new head is worse,
#   and so is the universal prompt with as many rate trials. Here the images' own pictures **were** needed, as far as
#   each comparison goes by itself: there are sixteen of them, and not all stand together. And a picture that is needed
#   need not pay: the ViT with both parts shows no gain over no prompt.
#
# Needed for what? x + G(x) is a small trained layer in front of a frozen network. The controls show that a constant
# picture cannot replace it. They do not show that it must be a "prompt": another small layer might do as well.
#
# More than half of the pictures' mean square is the images' own. That alone says nothing about accuracy: a network
# that copies a faint image on top of the image would score high here too.

# %% [markdown]
# ## Deeper: the panel of β
#
# The paper's figure 7 shows accuracy over β for one data set, one curve, no spread. Its optimum lies inside.
# Here are the ends, where one prompter is switched off, apart from the interior.
#
# One condition is a check of the rescaling above: β = 0.3 at the rates of the β = 0.7 runs, but with the global
# prompter's last layer learning 0.7 / 0.3 times as fast, and the patch prompter's 0.3 / 0.7 times. Adam should then
# take the same path.
#
# **Question.** What difference to β = 0.7 do you expect for it?

# %%
betas = {"β = 0: patch alone": "beta:0", "β = 0.3": "beta:0.3", "β = 0.3, rates rescaled": "beta:0.3 rescaled",
         "β = 1: global alone": "beta:1"}  # fmt: skip
found = {name: compare("instance", condition) for name, condition in betas.items() if condition in chosen}
title = "Other values of β against β = 0.7, paired"
show.intervals(found, title, label="recorded, resnet_nano, 5 seeds each, equal rate trials")

# %%
pair = ("instance", "beta:0.3 rescaled")
before, after = (table.correct("photodigits", condition, "resnet_nano") for condition in pair)
print("rescaled − β = 0.7, points, seed by seed:", (100 * (after.mean(1) - before.mean(1))).round(1).tolist())
print("images on which exactly one of them is right, %:", (100 * (after != before).mean(1)).round(1).tolist())

# %% [markdown] answer=true
# In exact arithmetic, and without the small constant in Adam's denominator, every difference would be zero. Rounding
# and that constant are enough to part the two paths: a training is chaotic, as in lesson 02. Four seeds end within
# 0.2 points all the same, and one does not. Even those four are other networks: the last line counts the images on
# which only one of the two is right. No interval here tells another β from 0.7.
#
# The ends are different functions, yet these runs do not tell either from β = 0.7 (from each other they do, by 4.7
# points). Of all values only one end, β = 1, was above *no prompt*. An optimum inside 0 and 1 is not what these runs
# show. The mix with β = 0.7 can compute all that the global part alone can, and more. More functions, and 1,600 more
# numbers to learn from 1,000 images, did not make it better.

# %% [markdown]
# ## Deeper: what may be claimed?
#
# ### Exercise: what may be claimed?
#
# A colleague writes: "InsVP beats a universal prompt, so prompts must come from the image itself. β = 0.7 is best, and
# Grad-CAM moves onto the digit." In four sentences: what stands, what does not, and what would you run?

# %% [markdown] exercise={"id": "03-claim", "points": 3, "minutes": 5, "difficulty": 2, "path": "extra"}
# ### BEGIN SOLUTION
# That it beats a universal prompt stands only with equal rate trials, several seeds and an interval without zero. It
# does not follow that the prompts must be instance prompts: a mean prompt with a new head, or another image's, could do
# as well, and two small networks in front are also just a trained layer. β = 0.7 against another interior value
# compares learning rates, since all of them allow the same functions; and a heat map before and after, with one seed,
# cannot tell the prompt from the seed. I would run the four controls with paired seeds, the ends of β apart, rates
# chosen for each condition, and an adapter of equal size as one more row.
# ### END SOLUTION
# ### BEGIN MARK SCHEME
# 3 points: names at least three of: controls (mean with a new head, another's prompt); equal trials and intervals;
#   interior β is one function class; seeds of heat maps; a small layer of equal size; and proposes a run that decides.
# 2 points: names two of them and proposes a control.
# 1 point: doubts the claim for one correct reason, without a proposal.
# ### END MARK SCHEME

# %% [markdown]
# ## Recap
#
# - A universal prompt is one picture, K clusters are K pictures, an instance prompt is a network that draws pictures.
# - The patch prompter sees one patch, the global prompter a few pixels more. Neither sees the whole image.
# - In front of a ViT a patch prompter is a nonlinear patch embedding: a small layer by another name.
# - Exchanging the prompt after training shows that a model uses it. A new head shows whether it was needed.
# - Every β inside 0 and 1 allows the same functions. A curve over β compares learning rates.
# - Compare with as many trials for the rate as the new method had.
#
# **How far this goes.** Two networks of 0.6 to 0.7 million weights, trained on CIFAR-100 at 32 pixels; digits on
# photographs; 250 to 16,000 images to learn from. InsVP's paper has a ViT-B/16 and ten sets of photographs, which
# nobody here has measured. On a CNN that was trained on ImageNet, with 1,000 photographs, we cannot tell InsVP's
# picture from the probe (lesson 05).

# %% [markdown]
# ## Self-test
#
# ### Exercise: what depends on the image?
#
# Which of these can differ between two images? Give all, as in "a, b".
#
# - **a** the picture of a universal prompt
# - **b** the picture of a cluster prompt with K = 1
# - **c** the picture of a cluster prompt with K = 4
# - **d** the picture of the patch prompter

# %% exercise={"id": "03-quiz-source", "points": 1, "minutes": 1, "difficulty": 1, "path": "extra"}
depends = ...  # such as "a, b"
### BEGIN SOLUTION
depends = "c, d"
### END SOLUTION

# %% check="03-quiz-source"
check.quiz("03-quiz-source", depends)

# %% [markdown]
# ### Exercise: reading a control
#
# Each test image gets the mean picture in place of its own, with the head as trained. Accuracy falls by 10 points.
# What follows?
#
# - **a** images needed pictures of their own
# - **b** the model uses the pictures; whether it needed them is open until a head is trained for the mean picture
# - **c** the pictures do not matter

# %% exercise={"id": "03-quiz-control", "points": 1, "minutes": 1, "difficulty": 2, "path": "extra"}
follows = ...  # "a", "b" or "c"
### BEGIN SOLUTION
follows = "b"
### END SOLUTION

# %% check="03-quiz-control"
check.quiz("03-quiz-control", follows)

# %% [markdown]
# ### Exercise: two values of β
#
# Both prompters learn with Adam at the same rate. What can differ between β = 0.3 and β = 0.7?
#
# - **a** the functions they can compute
# - **b** how fast the two parts of the picture move, and so what a training of fixed length finds
# - **c** nothing

# %% exercise={"id": "03-quiz-beta", "points": 1, "minutes": 1, "difficulty": 2, "path": "extra"}
differs = ...  # "a", "b" or "c"
### BEGIN SOLUTION
differs = "b"
### END SOLUTION

# %% check="03-quiz-beta"
check.quiz("03-quiz-beta", differs)

# %% [markdown]
# ## Further reading
#
# - Liu, Peng, Zhou (2024). InsVP: Efficient Instance Visual Prompting from Image Itself. ACM Multimedia.
#   The method of this lesson; lesson 04 has its feature level.
# - Huang et al. (2023). Diversity-Aware Meta Visual Prompting. [arXiv:2303.08138](https://arxiv.org/abs/2303.08138).
#   Clusters, found and started better.
# - H. Bahng, A. Jahanian, S. Sankaranarayanan, P. Isola (2022). Exploring Visual Prompts for Adapting Large-Scale
#   Models. [arXiv:2203.17274](https://arxiv.org/abs/2203.17274). The universal prompt.

# %% [markdown]
# # Activation prompts
#
# **You will be able to**
#
# - write an activation prompt (AP) as a module, and put it in front of any layer of a CNN or a ViT;
# - say why a constant can help a network that is not linear, and where it cannot;
# - say which part of a network must run again in each step, and cache the rest without changing the result;
# - choose a layer without looking at test images, and name the controls that a claim about layers needs.
#
# **Before you start**: lesson 00 (splits, probe) and lesson 01 (a picture at the pixels).
#
# **Your time**: 45 minutes for the core, 70 for the deeper sections.
# **Machine time**: about 40 seconds on two CPU cores.

# %% name="setup"
import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import vpcore
from course import check, show
from course.recorded import recorded
from course.show import drawings
from course.show.layers import HEADS, KINDS, LayerTable, say
from course.show.sizes import more_images
from course.show.sweeps import sweep
from course.show.toy import two_places
from course.studies.layer_conditions import Condition, build, step_cost
from course.studies.study_05 import CONTROLS
from course.widgets.layers import LayersExplorer, layer_facts
from vpcore.cache import cached

torch.set_num_threads(1)  # so small a network gains nothing from a second thread

# %% [markdown]
# ## 1. From the pixels into the network
#
# Lesson 01 added one learned picture to every image: x' = x + δ. The frozen network then computes z⁰, z¹, z², …
#
# Zhang et al. (2026) add at one inner layer instead. Write $f_l$ for the blocks below layer $l$, $g_l$ for the blocks
# above it with the pooling, and $h$ for the head. Then
#
# $$z^l = f_l(x), \qquad \hat y = h\big(g_l(z^l + \delta)\big).$$
#
# Only δ and $h$ learn. Still one tensor for all images, still a frozen network. They call it an *activation prompt*.
# We number layers so: layer $l$ is the input of block $l$, and the last layer ($l$ = depth) is what pooling receives.

# %%
drawings.activation()

# %%
nets = {name: vpcore.load_backbone(name) for name in ("resnet_nano", "vit_nano")}
table = LayerTable(recorded("ap_layers"), {name: net.spec.depth for name, net in nets.items()})
print(table.table.about("photodigits"))
for words, condition in {"no prompt": "none", "a picture at the pixels": "vp", "AP at layer 3": "ap@3"}.items():
    runs = table.seeds(condition, "resnet_nano")
    print(f"{words:24} {runs.mean():5.1f} ± {runs.std(ddof=1):.1f} % of 1,000 test images, {len(runs)} seeds")

# %% [markdown]
# The picture at the pixels of lesson 01 does not help here, with 1,000 images. The same idea three blocks further in
# gains eleven points, with a third fewer numbers. This lesson asks why, and whether δ deserves the credit.

# %%
print("a picture at the pixels has", 3 * 32 * 32, "numbers")
for name, net in nets.items():
    for layer, shape in enumerate(net.spec.shapes):
        print(f"{name:11} layer {layer}: activations {shape!s:13} δ has {math.prod(shape):5,} numbers")

# %% [markdown]
# A warning from this table: in the CNN the number of learned values changes with the layer, so a comparison of layers
# also compares sizes. In the ViT it is the same everywhere: 17 tokens (class and 16 patches) of 96 numbers.
#
# What we could read of the paper leaves open which tokens are prompted, where δ starts, and which head is trained.
# Ours, here and below: all tokens; δ starts at zero; a new linear head learns together with δ.

# %% [markdown]
# ### Exercise: an activation prompt as a module
#
# A frozen network calls your module before each of its blocks, and before pooling, with the activations z and the
# number of the layer. Write `AddDelta(shapes, layer)`. `shapes[l]` is the shape of the activations at layer $l$,
# without the batch.
#
# - `__init__` makes one learned tensor of shape (1, *shapes[layer]). It starts at zero.
# - `forward(z, layer)` returns z plus that tensor at the prompted layer, and z itself at any other.


# %% exercise={"id": "05-module", "points": 3, "minutes": 6, "difficulty": 2, "path": "core", "needs": ["setup"]}
class AddDelta(nn.Module):
    """Add a learned tensor to the activations before one layer."""

    def __init__(self, shapes, layer):
        ### BEGIN SOLUTION
        super().__init__()
        self.layer = layer
        self.delta = nn.Parameter(torch.zeros(1, *shapes[layer]))
        ### END SOLUTION

    def forward(self, z, layer):
        """Return z, with delta added if `layer` is the prompted one."""
        ### BEGIN SOLUTION
        if layer != self.layer:
            return z
        return z + self.delta
        ### END SOLUTION


# %% check="05-module"
check("05-module", AddDelta)

# %% [markdown]
# Stuck? `check.hint("05-module")` gives one hint at a time, in a new cell of yours.
#
# **Question.** Before any training, what does the prompted network compute? And after a change of δ?

# %%
Delta = check.use("05-module", AddDelta)
data = vpcore.load_data("photodigits", num_train=1000)
cnn = nets["resnet_nano"]
mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (cnn.spec.mean, cnn.spec.std))
x = (data.test.images[:64].float() / 255 - mean) / std
prompt = Delta(cnn.spec.shapes, 4)
print("made by:", check.made_by("05-module"))
print("at the start, features as without a prompt:", torch.equal(cnn(x, edit=prompt), cnn(x)))
nn.init.constant_(next(prompt.parameters()), 0.5)
print("with δ = 0.5 everywhere:", torch.equal(cnn(x, edit=prompt), cnn(x)))

# %% [markdown] answer=true
# `edit` is vpcore's only door into a network: no hook, no changed weight.
# At the start δ is zero, so the network computes exactly what it computed before. Training starts from the plain linear
# probe, and whatever it gains afterwards is due to δ and the head.

# %% [markdown]
# ## 2. Why can a constant help?
#
# δ is the same for every image. A head already has a constant of its own, its bias. What can a second one add?
#
# Take one channel with $P$ places, a ReLU, and average pooling, as at the end of a CNN:
#
# $$\begin{gathered}
# f = \frac1P \sum_{p=1}^{P} \max(z_p + \delta_p,\, 0), \\
# \frac{\partial f}{\partial \delta_p} = \frac1P\,\mathbf 1[z_p + \delta_p > 0].
# \end{gathered}$$
#
# If every $z_p + \delta_p$ is positive for every image, the maximum does nothing: $f$ is the mean of $z$ plus the mean
# of δ, and the head's bias could have done that. But where the sign of $z_p + \delta_p$ changes, δ **switches a unit on
# or off at one place**. No bias of the head can do that.
#
# A toy with two places: at place 1 the classes differ, but all values are negative, so the ReLU hides them. At place 2
# there is only noise.

# %%
rng = np.random.default_rng(0)
classes = np.arange(2000) % 2
z = np.stack([rng.normal(1.5 * classes - 3, 0.4), rng.normal(0, 3, 2000)], 1)  # (2000 images, 2 places)


def accuracy(f):
    """Return the accuracy (%) of the best threshold on one number an image: that of the best linear head."""
    ones = classes[np.argsort(f, kind="stable")].cumsum()
    right = np.arange(1, 2001) - 2 * ones + ones[-1]  # class 0 below the threshold, class 1 above
    return 100 * max(right.max(), 2000 - right.min()) / 2000


# %% [markdown]
# **Question.** Below, each point of a map is one δ = (δ₁, δ₂), and its color the accuracy. Where will the best δ lie?
# What does the dashed diagonal stand for? And how will the map look if the ReLU is left out?

# %%
shifts = np.arange(-8.0, 9.0)
kinds = {"with the ReLU": lambda v: np.maximum(v, 0), "without it": lambda v: v}
maps = {
    name: np.array([[accuracy(act(z + np.array((first, second))).mean(1)) for first in shifts] for second in shifts])
    for name, act in kinds.items()
}
marks = {"no δ": (0, 0), "one number a channel": (3, 3), "one number a place": (3, -8)}
print(
    f"no δ: {maps['with the ReLU'][8, 8]:.0f} %, best equal shifts: {maps['with the ReLU'].diagonal().max():.0f} %, "
    f"best δ: {maps['with the ReLU'].max():.0f} %, without the ReLU always {maps['without it'].max():.0f} %"
)
two_places(maps, shifts, "A toy: one constant at each of two places", marks=marks)

# %% [markdown] answer=true
# The best δ lies at the lower right: it lifts place 1 above zero, so that the ReLU lets the classes through, and pushes
# place 2 below zero, so that the ReLU closes it. The diagonal is one number for the whole channel. It can open place 1
# only together with the noise. Without the ReLU every δ is a bias, and all of them are worth the same.
#
# Three things follow, without one run:
#
# - **At the last layer** no ReLU follows, only the average: δ is a bias of the head and can add nothing.
# - **One number a channel** is what a norm's bias β adds. So norm tuning moves along the diagonal, at all layers at
#   once, and AP may leave it, at one layer. Lesson 06 makes this exact.
# - **At the first layers** a unit sees an edge or a color, and switching it by place helps little when the digit can be
#   anywhere. Further in, a unit sees more. Where the best layer lies is then a question for an experiment.

# %% [markdown]
# ## 3. What must run again?
#
# In every training step the network computes the same numbers below the prompt, image by image, epoch by epoch.
#
# **Question.** A prompt stands before block 5 of 7. Which blocks need to run only once, for all epochs?

# %% [markdown]
# ### Exercise: the first place that changes
#
# Two lists say what learns inside a frozen network with blocks 0 … depth − 1:
#
# - `prompted`: layers at which something learned is added; −1 means the pixels, depth the input of pooling;
# - `tuned`: blocks whose weights learn; −1 means the embedding before block 0, depth the pooling's norm.
#
# Return `(first, once)`. `first` is the lowest of these places, or depth + 1 if nothing inside learns.
# `once` lists the blocks whose output never changes: they may run once, and what comes out may be cached.


# %% exercise={"id": "05-first-layer", "points": 2, "minutes": 5, "difficulty": 1, "path": "core", "needs": ["setup"]}
def plan(prompted, tuned, depth):
    """Return the first place that changes during training, and the list of blocks that run once."""
    ### BEGIN SOLUTION
    first = min([*prompted, *tuned], default=depth + 1)
    once = [block for block in range(depth) if block < first]
    return first, once
    ### END SOLUTION


# %% check="05-first-layer"
check("05-first-layer", plan)

# %%
runs_once = check.use("05-first-layer", plan)
print("made by:", check.made_by("05-first-layer"))
cases = {"a picture at the pixels": ([-1], []), "δ at layer 0": ([0], []), "δ at layer 5": ([5], []),
         "δ at layers 2 and 5": ([2, 5], []), "biases of block 3": ([], [3]), "linear probe": ([], [])}  # fmt: skip
for words, (prompted, tuned) in cases.items():
    first, once = runs_once(prompted, tuned, cnn.spec.depth)
    print(f"{words:24} first {first:2}   runs once: {once}")

# %% [markdown] answer=true
# A picture at the pixels saves nothing: even the first convolution sees a new image in each step.
# The linear probe saves everything, pooling included.
#
# One condition: the images are the same in each epoch. Random crops or flips make new images, and then there is
# nothing to reuse. `vpcore.cached` refuses augmentation for this reason.

# %% [markdown]
# **Question.** Is training from a cache exact, or an approximation?

# %% [markdown]
# ### Exercise: from the cache to the logits
#
# `backbone.embed`, the list `backbone.blocks` and `backbone.pool` are the parts of a frozen network.
# Compute z, the activations before block `layer`, once. Then compute the logits from z: add
# `delta`, run the remaining blocks, pool, head. Return `(z, logits)`. δ must get a gradient, and must not be part of z.


# %% exercise={"id": "05-cached", "points": 3, "minutes": 8, "difficulty": 2, "path": "core", "needs": ["setup"]}
def cached_logits(backbone, head, x, layer, delta):
    """Return the activations before block `layer`, which never change, and the logits computed from them."""
    ### BEGIN SOLUTION
    with torch.no_grad():
        z = backbone.embed(x)
        for block in backbone.blocks[:layer]:
            z = block(z)
    y = z + delta
    for block in backbone.blocks[layer:]:
        y = block(y)
    return z, head(backbone.pool(y))
    ### END SOLUTION


# %% check="05-cached"
check("05-cached", cached_logits)

# %%
from_cache = check.use("05-cached", cached_logits)
head, labels = vpcore.LinearHead(cnn.spec.dim, 10), data.test.labels[:64]
agree = {}
for layer in range(cnn.spec.depth + 1):
    prompt = Delta(cnn.spec.shapes, layer)
    delta = nn.init.constant_(next(prompt.parameters()), 0.1)
    whole = F.cross_entropy(head(cnn(x, edit=prompt)), labels)
    short = F.cross_entropy(from_cache(cnn, head, x, layer, delta)[1], labels)
    slopes = [torch.autograd.grad(loss, delta)[0] for loss in (whole, short)]
    agree[layer] = bool((slopes[0] - slopes[1]).abs().max() < 1e-6 and abs(whole - short) < 1e-6)
print("made by:", check.made_by("05-module", "05-cached"))
print("loss and gradient of δ agree to 1e-6, layer by layer:", list(agree.values()))

# %% [markdown] answer=true
# Exact: the same numbers go into block $l$, so the same loss and the same gradient come out.

# %% [markdown]
# What does it save? We *count* operations, because a count is the same on every machine: a step is a forward and a
# backward pass of one image, starting at the cache.
#
# **Question.** By which factor is a step at the last layer cheaper than one at the pixels?

# %%
images = data.train.images[:8].float() / 255
pixels = step_cost(build(cnn, Condition("vp"), 10, 0, 0.0), images)
print(f"resnet_nano, picture at the pixels: {pixels / 1e6:.2f} MFLOPs a step and image")
for layer, shape in enumerate(cnn.spec.shapes):
    step = step_cost(build(cnn, Condition("ap", layer), 10, 0, 0.0), images)
    kept = 4 * 1000 * math.prod(shape) / 2**20
    print(f"AP at layer {layer}: a step costs 1/{pixels / step:,.1f} of that; cache of 1,000 images {kept:5.1f} MiB")

# %% [markdown] answer=true
# By the number in the last line. No layer is cheaper, and none is weaker: as section 2 has shown, δ adds nothing to the
# linear probe there.
# The paper reports less memory and time for AP than for a picture at the pixels, for its largest CNN.
# The reason is this table; it is a property of where the prompt stands, not of what it learns.

# %% [markdown]
# ## 4. The sweep
#
# The paper's main claim about layers: **CNNs prefer late layers, ViTs prefer early ones.**
#
# A sweep takes longer than a lesson, so it was recorded: 1,000 training, 500 validation and 1,000 test images of
# *photodigits*, 10 epochs. Every method and layer has one free learning rate, found in four trials on validation
# images: that of δ, or, where only a head learns, that of the head. A head beside δ has the rate 0.01. The ViT's trials
# took 4 epochs.
#
# Two baselines come along. "No prompt" is the linear probe, at its own rate and at that of AP's head. The "layer-l
# probe" is a linear head on the pooled activations of layer l: what a δ at that layer must beat (see "Is it the prompt,
# or the layer?" below).
#
# **Question.** Guess two curves: accuracy over layers, once for our CNN and once for our ViT.

# %%
table.sweep("resnet_nano", HEADS | {"picture at the pixels": "vp"})

# %%
table.sweep("vit_nano")

# %%
for network, net in nets.items():
    gains = [table.ahead(f"ap@{layer}", "none", network, "digits").mean for layer in range(net.spec.depth + 1)]
    print(f"plain digits, {network}: AP − no prompt, layer 0 first:", " ".join(f"{gain:+.1f}" for gain in gains))

# %% [markdown] answer=true
# **CNN.** Not late, and not early: the middle. On photodigits layers 2, 3 and 4 lead; from layer 5 on the gain shrinks,
# and at layers 0, 6 and 7 AP lies a point or two *below* no prompt, level with the probe that has the rate of AP's
# head. On plain digits, the printed lines, layers 0 to 4 lie within two points of each other, and layers 6 and 7 are
# the worst. The paper's "CNNs prefer late layers" is not what these runs show. (A deeper section repeats the sweep with
# more epochs and with more images: layer 6 changes sides, the middle stays the best.)
#
# **ViT.** It depends on the set. On photodigits AP at layer 0 is level with no prompt, at layers 1 and 2 it gains about
# two points, too little for these runs to tell; at layers 3 and 4 three to four, and after that nothing. On plain
# digits it gains five points or more at every layer from 0 to 4, most at layer 1. "ViTs prefer early layers" fits the
# second set better than the first.
# What both sets agree on: the very last layer is no place for a prompt.
#
# What this does not say: anything about large networks or photographs. Both of our sets show digits, both networks are
# small, and a sweep with other rates may look different. A preference is a property of network, data *and* recipe.

# %% [markdown]
# **Question.** One layer, layer 3 of the CNN, and more images. Will AP keep its gain over the probe, lose it, or
# increase it? (The recipe is another one: larger batches and 16 epochs. In it AP gains less at 1,000 images.)

# %%
more_images(recorded("scale"), {"full picture": "full", "AP, layer 3": "activation:layer=3"})

# %% [markdown] answer=true
# It gains more with every step to the right: at 250 images we cannot tell, it is six points at 1,000, 24 at 16,000,
# where the full picture at the pixels gains nine. A head on frozen features learns more from more images, too, but far
# less than δ. Layer 3 is the one that validation chose in the sweep above; the next section has all layers. In the ViT,
# at layer 2, which validation chose in lesson 09's recipe, it is the same: eight points at 1,000 images, 19 points at
# 16,000.
#
# The last lines part images from steps. A thousand images seen 256 times are as many steps as 16,000 seen sixteen
# times, and AP gains eight points: whether steps alone add to its six, three seeds cannot tell. And 16,000 images, each
# seen once, are as many steps as 1,000 have, and AP gains seven points. Both accuracies are higher than with 1,000
# images, by five to seven points, and AP's lead is hardly larger. The lead at 16,000 takes both, images and steps. So a
# claim about a prompt needs its number of images *and* of steps beside it.

# %% [markdown]
# ## Deeper: the sweep, with more images
#
# The sweep above had 1,000 images and 10 epochs. Here is every layer of the CNN again, by the recipe of the last figure
# (batches of 128): 1,000 images for 16 and for 40 epochs, and 16,000 images for 16. Each layer of AP had five trials
# for its rate with 1,000 images, 16 and 40 epochs apart; layer 3 had five more with 16,000. The probes had five for
# each layer and size.
#
# **Question.** With more images, will another layer be the best one? Will all layers gain?

# %%
sizes, curves = recorded("scale"), {}
DATA, NANO = sizes.runs[0]["cell"]["data"], {"backbone": "resnet_nano"}
for words, limit, epochs in (("16,000 images", 16_000, 16), ("1,000, 40 epochs", 1000, 40), ("1,000 images", 1000, 16)):
    print(f"{words}: AP minus no prompt, points, recorded")
    at = {**NANO, "limit": limit, "epochs": epochs}
    for layer in range(8):
        say(f"layer {layer}", sizes.gain(DATA, "none", f"activation:layer={layer}", **at))
    curves[f"AP, {words}"] = {n: sizes.accuracies(DATA, f"activation:layer={n}", **at) for n in range(8)}

# %%
at = {**NANO, "limit": 16_000, "epochs": 16}
probes = {layer: sizes.accuracies(DATA, f"layer_probe:layer={layer}", **at) for layer in range(8)}
label = "recorded, 3 or 5 seeds, 2,000 test images"
sweep(curves | {"layer-l probe, 16,000": probes}, "The sweep again, photodigits, resnet_nano", label=label)

# %% [markdown] answer=true
# **The layer.** The middle leads each time. With 16,000 images AP gains 24 points at layers 2 and 3, and it gains at
# every layer but the last: even at layer 0, where a thousand images do not let us tell, 14 points. At layer 7 it gains
# nothing, whatever the size; section 2 says why.
#
# **Steps.** 40 epochs instead of 16 turn the verdict at two layers: at layers 1 and 6 AP is two points above no prompt,
# where 16 epochs did not let us tell. (Eight intervals a time are eight chances of a false alarm.) The middle stays the
# best, and no layer comes near what 16,000 images give. So "AP is of no use at layer 6" would have said something about
# 16 epochs, and not about layer 6.

# %% [markdown]
# ## Deeper: prompt or layer, with more images
#
# In the figure the probe of layer 6 stands six points above that of layer 7, which is the plain linear probe. So is the
# gain of AP the prompt's, or only that of an inner layer? (A later section asks this of the first sweep, with more
# controls.)
#
# **Question.** Will AP at its best layer pass the probe at *its* best layer? Validation images choose both.

# %%
valid = {}
for run in sizes.runs:
    if at.items() <= run["cell"].items():
        valid.setdefault(run["cell"]["prompt"], []).append(run["valid_accuracy"])
kinds = ("activation", "layer_probe")
ours, probe = (max((p for p in valid if p.startswith(kind)), key=lambda p: np.mean(valid[p])) for kind in kinds)
print(f"with 16,000 images validation chooses {ours} and {probe}")
for limit in (1000, 16_000):
    print(f"{limit:,} images, 16 epochs: {ours} minus …, points, recorded")
    for base in (probe, "activation:layer=3"):
        say(base, sizes.gain(DATA, base, ours, limit=limit, epochs=16, **NANO))

# %% [markdown] answer=true
# With 1,000 images we cannot tell AP at layer 2 from the probe of layer 6: in this recipe they do not show whether the
# prompt helps or only the layer. With 16,000 AP is 18 points above it. In the ViT (not drawn) AP at layer 2 is 15
# points above the probe of layer 5, which validation chooses there. So with 16,000 images the lead is the prompt's.
#
# Layer 2 is ahead of layer 3 by less than a point on validation images, and on test images we cannot tell the two
# apart. So layer 3, which the first sweep chose and the other figures show, is no worse a choice.

# %% [markdown]
# ## Deeper: choose a layer, then report
#
# The paper chose its layers on one data set (OxfordPets) and used them for all others.
#
# **Question.** What is wrong with reporting, for each data set, the layer that is best on its test images?

# %% [markdown]
# ### Exercise: choose on one set, report on others
#
# `valid` holds validation accuracies of one data set: one row a layer, one column a seed. `tests` maps names of *other*
# data sets to their test accuracies, arranged alike. Choose the layer with the best mean in `valid`.
# Return `(layer, report)`. For each name, `report[name]` is a pair: the mean test accuracy at the chosen layer, and how
# far that lies below the best mean of any layer of that set.


# %% exercise={"id": "05-choose", "points": 3, "minutes": 6, "difficulty": 2, "path": "extra", "needs": ["setup"]}
def choose_layer(valid, tests):
    """Return the layer that validation chooses, and for each other set its mean accuracy and what it loses."""
    ### BEGIN SOLUTION
    layer = int(valid.mean(1).argmax())
    report = {}
    for name, accuracies in tests.items():
        means = accuracies.mean(1)
        report[name] = (means[layer], means.max() - means[layer])
    return layer, report
    ### END SOLUTION


# %% check="05-choose"
check("05-choose", choose_layer)

# %%
choose = check.use("05-choose", choose_layer)
print("made by:", check.made_by("05-choose"))
for network in nets:
    for here, there in (("photodigits", "digits"), ("digits", "photodigits")):
        tests = {there: np.stack(list(table.by_layer("ap", network, there).values()))}
        layer, report = choose(table.valid(network, here), tests)
        (mean, lost), plain = report[there], table.seeds("none", network, there).mean()
        print(f"{network:11} chosen on {here:11}: layer {layer}. On {there}: {mean:.1f} % (no prompt {plain:.1f} %), "
              f"{lost:.1f} points below its best layer")  # fmt: skip

# %% [markdown] answer=true
# The best of eight noisy means is too high: the test images have chosen, and cannot report any more. Lesson 00 showed
# it with rates; layers are no different. So choose on validation images, better still on another data set.
#
# For the CNN, each set's choice loses about a point on the other: the middle is a safe choice here. For the ViT it is
# about two: the sets choose layers 4 and 1. Either choice has a higher mean than no prompt on the other set.
# Digits has 397 test images, so one image is a quarter of a point. All rates were chosen on photodigits.

# %% [markdown]
# ## Deeper: how sure is the best layer?
#
# One curve is one draw. Would other seeds choose the same layer? A **bootstrap** draws the recorded seeds again, with
# replacement, and asks each time which layer has the best mean.
#
# **Question.** In what percentage of the draws will the best layer of the CNN stay the best?


# %% point=true
def wins(network, data_set="photodigits", draws=2000):
    """Return how often each layer has the best mean accuracy, in percent of bootstrap draws over seeds."""
    runs = np.stack(list(table.by_layer("ap", network, data_set).values()))  # (layers, seeds)
    rng = np.random.default_rng(0)
    picks = rng.integers(runs.shape[1], size=(draws, runs.shape[1]))
    best = runs[:, picks].mean(2).argmax(0)
    return (100 * np.bincount(best, minlength=len(runs)) / draws).round(1)


for network, data_set in (("resnet_nano", "photodigits"), ("resnet_nano", "digits"), ("vit_nano", "photodigits"),
                          ("vit_nano", "digits")):  # fmt: skip
    print(f"{network:11} {data_set:11} wins by layer (%):", wins(network, data_set).tolist())

# %% [markdown] answer=true
# Usually, in the CNN: in most of the draws on either set. In the ViT on photodigits layer 3 wins them, yet validation
# chose layer 4: to report layer 3 now would be to choose on the test images. So the wins, which come from test
# accuracies of five or ten seeds, say how sure the picture is; they do not choose a layer.
# They hold the test images fixed. Other images are a second lottery, which the intervals below include.

# %% [markdown]
# ### Explore: one layer at a time
#
# Accuracy, cost, and count are recorded; so is δ. The activations are those of the image you choose. |δ|/|z| is the
# norm of δ over the mean norm of z, averaged over the seeds.
#
# **Question.** Before you touch it, guess: at which layers is |δ| larger than |z|, the activations it is added to?

# %% name="explorer"
explorer = LayersExplorer(table.table, nets, data.test.images[:10])
explorer

# %%
facts = {network: layer_facts(table.table, net) for network, net in nets.items()}
for network, layers in facts.items():
    print(f"{network:11} |δ| / |z| by layer:", [round(each.relative, 2) for each in layers])

# %% [markdown] answer=true
# In the CNN, where AP gains most, δ is about as large as the activations, or larger. It is no small nudge: it moves
# every image to another region. At layers 0, 6 and 7 validation chose a rate that keeps δ small.
#
# In the ViT, δ is smaller than the activations at every layer, and it gains less.

# %% [markdown]
# ## Deeper: what does a cheaper layer cost?
#
# **Question.** Does a cheaper layer cost accuracy? Each point below is one layer, the last one at the left.

# %%
points = {}
for network, layers in facts.items():
    points[network] = ([each.step_mflops for each in layers], [each.accuracies.mean() for each in layers])
words = {"across": "training step (MFLOPs an image)", "up": "test accuracy (%)"}
seeds = min(len(each.accuracies) for layers in facts.values() for each in layers)
label = f"recorded, photodigits, AP, {seeds} seeds or more"
show.lines(points, "Accuracy against the counted cost of a step", **words, label=label)

# %% [markdown] answer=true
# In the CNN, layer 4 costs less than half of layer 0, and lies within two points of the best layer.
# Cost argues for late layers, accuracy for the middle; together they make a choice, and neither alone does.

# %% [markdown]
# ## Deeper: the same on photographs
#
# `resnet_nano` never saw a digit before. [CIFAR-10](https://www.cs.toronto.edu/~kriz/cifar.html) is nearer to what it
# knows: small photographs of ten everyday things, like those of CIFAR-100. The network, the methods, the sizes and the
# 16 epochs are those of the last figure in section 4. Five rates were tried for each method, at 1,000 images.
#
# **Question.** The probe reads 56 % with 250 images, where it read 24 % of the digits. Will AP gain as much here?

# %%
rivals = {"AP, layer 3": "activation:layer=3", "norm tuning": "norm_tuning", "full fine-tuning": "full_tuning"}
more_images(recorded("scale_cifar10"), rivals)

# %% [markdown] answer=true
# No. Up to 4,000 images we cannot tell AP or norm tuning from the probe. With 16,000 AP gains two points, norm tuning
# four points, full fine-tuning ten points; on the digits AP gained 24 points. So AP's gain is larger with more images
# here, too, and smaller than on the digits. Pictures at the pixels (not drawn): InsVP's gains one point with 16,000
# images, with an interval that starts just above zero; one for all is a point below the probe with 250 and 4,000
# images, and with 16,000 we cannot tell. All methods, the probe too, have the rate that was best at 1,000.
#
# A possible reason for the difference: the features already fit photographs, and lack something for digits. These two
# sets differ in more than that, so it stays a guess.

# %% [markdown]
# ## Deeper: a real ImageNet network
#
# Our two networks are small and saw CIFAR-100. EfficientNet-Lite0, a CNN of the EfficientNet family
# ([Tan and Le 2019](https://arxiv.org/abs/1905.11946)), has 16 blocks and 3.4 million weights without its classifier,
# and was trained on ImageNet by others. Recorded on CIFAR-10 at 128 × 128 pixels: 1,000 training, 500 validation and
# 2,000 test images, 8 epochs in batches of 32, three seeds. Five rates were tried at every second layer, on 250 images;
# at each the same one was best, 0.0032, and the layer-l probes have it too.
#
# **Question.** Does this CNN prefer late layers? And what will AP gain over a linear probe of such good features?

# %%
real, EVEN = recorded("imagenet"), range(0, 17, 2)
NET = real.runs[0]["cell"]["backbone"]
RATE = {"backbone": NET, "lr": 0.003162}
curves = {"AP": {layer: real.accuracies("cifar10", f"activation:layer={layer}", **RATE) for layer in EVEN}}
curves["layer-l probe"] = {n: real.accuracies("cifar10", f"layer_probe:layer={n}", **RATE) for n in (4, 8, 12, 14)}
levels = {"linear probe": real.accuracies("cifar10", **RATE).mean()}
label = "recorded, 3 seeds, 2,000 test images"
sweep(curves, "EfficientNet-Lite0 on CIFAR-10", levels=levels, label=label)

# %%
for layer in EVEN:
    mean, low, high = real.gain("cifar10", "none", f"activation:layer={layer}", **RATE)
    print(f"AP at layer {layer:2} − linear probe: {mean:+.1f} points ({low:+.1f} to {high:+.1f})")
others = {"norm tuning": "norm_tuning", "full fine-tuning": "full_tuning", "full picture": "full"}
others["InsVP's picture"] = "instance_image"
for words, method in others.items():
    mean, low, high = real.gain("cifar10", "none", method, NET, of_base=RATE)
    print(f"{words} − linear probe: {mean:+.1f} points ({low:+.1f} to {high:+.1f})")
searched = real.accuracies("cifar10", backbone=NET, lr=0.1)
print(f"the linear probe at the rate of its own search, 0.1: {searched.mean():.1f} %")

# %% [markdown] answer=true
# Neither. From layer 2 on we cannot tell AP from the linear probe, and most of these intervals are narrow. Layer 0 is
# above it, by about a point; but nine intervals are nine chances of a false alarm. This network was made for
# photographs, and a head alone reads 80 % of ten classes from 1,000 of them. What the layers hold for a linear head
# grows to the very end, so "the features of that layer were better" explains nothing here.
#
# Is there nothing to gain? There is: norm tuning, which learns every scale and shift, stands six points above the
# probe, and so does full fine-tuning with its millions of weights. A picture at the pixels cannot be told from the
# probe, be it one for all or one for each image. Each had five trials, and has its own rate.
#
# Now the last line. In a search of its own, five trials on 250 images, the probe got the rate 0.1 and lost three points
# by it: all five lay between 0.03 and 0.3, around the rate that is usual for probes, and the best of them was not at
# the edge. As many trials as the method had, and still the wrong neighborhood. With *that* baseline AP would seem three
# to four points ahead, at every layer. So give a baseline the method's rate as well.

# %% [markdown]
# ## Deeper: is it the prompt, or the layer?
#
# An AP at layer 4 beats the linear probe.
#
# **Question.** Name four explanations that need no δ of this form.

# %% [markdown] answer=true
# 1. *The features of layer 4 were better anyway.* Control: a linear probe on layer-4 features, without δ.
# 2. *Any disturbance helps.* Control: a random δ of equal norm, frozen; only the head learns.
# 3. *A few numbers would do.* Control: one number a channel, the same at every place.
# 4. *Anything tuned at that layer would do.* Control: the biases of that block, and no δ.

# %% [markdown]
# ### Exercise: a random δ of equal norm
#
# Draw from a standard normal distribution with `torch.Generator().manual_seed(seed)`, and give the draw the norm of
# `delta`.


# %% exercise={"id": "05-random", "points": 1, "minutes": 4, "difficulty": 1, "path": "extra", "needs": ["setup"]}
def random_delta(delta, seed):
    """Return a random tensor with the shape and the norm of delta."""
    ### BEGIN SOLUTION
    draw = torch.randn(delta.shape, generator=torch.Generator().manual_seed(seed))
    return draw * delta.norm() / draw.norm()
    ### END SOLUTION


# %% check="05-random"
check("05-random", random_delta)

# %% [markdown]
# **Question.** At which layers is AP ahead of a linear probe on the same features? Each interval below holds both
# lotteries: other seeds and other test images.

# %%
for network in nets:
    print(f"{network}: AP minus a probe on layer-l features, points, recorded")
    table.compare(network, "probe")

# %% [markdown] answer=true
# **CNN.** At layers 0 to 4, AP is far ahead of the probe on the same features, so those features alone do not explain
# its gain. At layer 5 these runs cannot tell. At layer 6 the *probe* is ahead, by almost eight points. The features
# before the last block suit this task better than the final ones, and no δ is needed to use them.
# Whoever compares AP with a probe on the last features only would never see that.
#
# A caution: at layers 1 to 5 the CNN's probe liked the largest rate of its four trials best, 0.3. A longer search might
# bring it closer.
#
# **ViT.** The probe reads the class token, which has seen nothing of the image at layer 0 and little at layers 1 and 2.
# A lead of twenty points over such a probe means little: it is a control that could not win. The fair rival is the best
# probe of all layers, here layer 5; the last section compares with that one. At layer 5 itself, AP is not ahead.

# %% [markdown]
# **Question.** And the three other controls: which of them will come closest to AP?

# %%
for network in nets:
    for kind, layers in CONTROLS[network].items():
        print(f"{network}: AP minus {KINDS[kind]}, points, recorded")
        table.compare(network, kind, layers)

# %% [markdown] answer=true
# **CNN.** A random δ of equal norm does not help: at layers 2 and 4 the learned one is about 14 and 9 points ahead.
# So it matters what δ is, and not only that there is one.
# One number a channel is seven to eight points behind at layers 2 and 4: what δ does differs from place to place.
# The biases of the block alone lie four and seven points behind there. They gain over no prompt all the same, with 64
# and 128 numbers instead of 2,048 and 1,024; lesson 06 says what they share with δ. At layer 6, where AP gains nothing,
# none of the three can be told from it.
#
# **ViT.** At each of the three layers AP is ahead of all three controls, of the biases by two to three points.

# %% [markdown]
# ## Deeper: what every place shares
#
# In the toy of section 2, what δ did differed from place to place. How much of a δ do all places share?

# %% [markdown]
# ### Exercise: what every place shares
#
# Split δ into a part that is the same at every place, and the rest. Return the first part: the nearest tensor that does
# not change from place to place. A CNN's δ is (1, C, H, W) and gives (1, C, 1, 1); a ViT's is (1, T, D) and gives
# (1, 1, D).


# %% exercise={"id": "05-channels", "points": 1, "minutes": 4, "difficulty": 2, "path": "extra", "needs": ["setup"]}
def to_channels(delta):
    """Return the part of a delta that is the same at every place (CNN) or token (ViT)."""
    ### BEGIN SOLUTION
    places = (2, 3) if delta.dim() == 4 else 1
    return delta.mean(places, keepdim=True)
    ### END SOLUTION


# %% check="05-channels"
check("05-channels", to_channels)

# %% [markdown]
# At the CNN's last layer, before average pooling and a linear head, δ can only be a bias (section 2). In numbers:

# %%
rng = torch.Generator().manual_seed(0)
prompt = Delta(cnn.spec.shapes, cnn.spec.depth)
(delta,) = prompt.parameters()
with torch.no_grad():
    delta.copy_(torch.randn(delta.shape, generator=rng))
    shift = cnn(x, edit=prompt) - cnn(x)  # (64, 120)
print("the same shift of the features for every image:", torch.allclose(shift, shift[:1].expand_as(shift), atol=1e-5))
print("it is the mean of δ over places:", torch.allclose(shift[0], delta.mean((2, 3))[0], atol=1e-5))

# %% [markdown]
# So δ holds 480 numbers that add nothing to the linear probe. The recorded AP at layer 7 is even a little behind the
# probe: not by what it can express, but by its head's rate. For a ViT that pools by its class token, δ at the last
# layer acts on one of 17 rows, through the final norm only.
#
# So "late" can never mean "last". And identities like these tell where *not* to look for gains, without one run.

# %% [markdown]
# ## Deeper: your module, trained
#
# Now your own module, at layers 4 and 7 of the CNN, five seeds each, from cached activations.
# Recipe and rates are those of the recorded runs.
#
# **Question.** Where will your points fall?


# %% name="mine"
class MyPrompt(vpcore.Prompt):
    """Wraps the module of the first exercise, so that `fit` can train it."""

    def __init__(self, spec, layer):
        super().__init__(spec)
        self.first_layer = layer
        self.inner = Delta(spec.shapes, layer)

    def activation(self, z, layer, context):
        """Add delta at its layer."""
        return self.inner(z, layer)


# %% name="train" point=true
def train(layer, seeds):
    """Train delta and head at one layer from cached activations; return test accuracies (%), models, cached test."""
    accuracies, models = [], []
    rates = {"prompt": table.rate(f"ap@{layer}", "resnet_nano"), "head": 1e-2}
    kept = None
    for seed in seeds:
        model = vpcore.Prompted(cnn, MyPrompt(cnn.spec, layer), vpcore.LinearHead(cnn.spec.dim, 10, seed=seed))
        kept = kept or [cached(model, split) for split in (data.train, data.valid, data.test)]
        vpcore.fit(model, *kept[:2], epochs=10, batch_size=64, lr=rates, seed=seed)
        accuracies.append(100 * vpcore.evaluate(model, kept[2]).accuracy)
        models.append(model)
    return accuracies, models, kept[2]


runs = {layer: train(layer, range(5)) for layer in (4, 7)}
mine = {layer: accuracies for layer, (accuracies, _, _) in runs.items()}
print("made by:", check.made_by("05-module"))
print("trained:", ", ".join(f"{len(seeds)} seeds at layer {layer}" for layer, seeds in mine.items()))

# %%
curves = {"AP, recorded": table.by_layer("ap", "resnet_nano"), "AP, your run": mine}
levels = {"no prompt": table.seeds("none", "resnet_nano").mean()}
label = "your run, 5 seeds, beside the recorded sweep"
title = "Your module at two layers of resnet_nano"
made_by = check.made_by("05-module")
sweep(curves, title, levels=levels, live=("AP, your run",), label=label, made_by=made_by)

# %% [markdown] answer=true
# Same seeds, rates and batches: your points should lie close to the recorded ones. They need not be equal: a difference
# in the last digit of a rate or a sum grows over 160 steps.
# The layers are not chosen to win: one in the middle and the last, which train in seconds from a cache.

# %% [markdown]
# **Question.** Put another δ in the place of the learned one, and leave the head alone: its mean over places, or a
# random δ of equal norm. What is left of the accuracy, at layer 4 and at layer 7?


# %% point=true
@torch.no_grad()
def accuracy_with(model, test, change):
    """Return test accuracy in percent with a changed delta; the head stays, and delta is put back."""
    delta = next(model.prompt.parameters())
    learned = delta.clone()
    delta.copy_(change(learned).expand_as(learned))
    accuracy = 100 * vpcore.evaluate(model, test).accuracy
    delta.copy_(learned)
    return accuracy


channels, at_random = check.use("05-channels", to_channels), check.use("05-random", random_delta)
changed = {"as learned": mine}
for name, change in {"mean over places": channels, "random": lambda delta: at_random(delta, 0)}.items():
    changed[name] = {layer: [accuracy_with(model, test, change) for model in models]
                     for layer, (_, models, test) in runs.items()}  # fmt: skip
print("made by:", check.made_by("05-channels", "05-random"))
same = np.allclose(changed["as learned"][7], changed["mean over places"][7], atol=0.11)  # one image is 0.1 points
print("at layer 7, the mean over places is as good as δ itself:", bool(same))

# %%
title = "Another δ in the place of the learned one"
sweep(changed, title, live=tuple(changed), label="your run, 5 seeds, 1,000 test images")

# %% [markdown] answer=true
# At layer 7 pooling averages over places anyway, so only the mean of δ counts: an identity, again.
# At layer 4 your figure shows how much of δ's work is done place by place. The head was trained together with the
# learned δ, so a fair control trains a new head beside the other δ, as the random control above did.

# %% [markdown]
# ## Deeper: in a ViT, layer 0 is the picture
#
# A ViT embeds each patch $x_n$ by one linear map $W$ and a bias $b$: token $n$ is $W x_n + b$. Add a picture $M$ to the
# image, and the token becomes $W x_n + b + W M_n$: a constant again, $\delta_n = W M_n$.
#
# ### Exercise: fold a picture into δ
#
# `weight` (D, C, p, p) and `bias` (D,) are those of the patch embedding, a convolution with stride p. Return the δ of
# shape (1, N, D) that does at the patch tokens what adding M = `added` (1, C, H, W) does at the pixels.


# %% exercise={"id": "05-same-class", "points": 2, "minutes": 5, "difficulty": 2, "path": "extra", "needs": ["setup"]}
def fold_into_delta(weight, bias, added):
    """Return delta (1, N, D) for the patch tokens that does the work of an added picture (1, C, H, W)."""
    ### BEGIN SOLUTION
    tokens = F.conv2d(added, weight, stride=weight.shape[-1])  # (1, D, H/p, W/p); b is added elsewhere
    return tokens.flatten(2).transpose(1, 2)  # (1, N, D)
    ### END SOLUTION


# %% check="05-same-class"
check("05-same-class", fold_into_delta)

# %%
fold = check.use("05-same-class", fold_into_delta)
vit = vpcore.load_backbone("vit_nano").double()
patches = vit.embed.net.patch_embed.proj
picture = torch.randn(1, 3, 32, 32, generator=rng, dtype=torch.float64)
prompt = vpcore.ActivationPrompt(vit.spec, 0, "patch_only").double()
with torch.no_grad():
    prompt.deltas["0"].copy_(fold(patches.weight, patches.bias, picture))
    inside = vit(x.double(), edit=lambda z, layer: prompt.activation(z, layer, None))
    outside = vit(x.double() + picture)
print("made by:", check.made_by("05-same-class"))
print("picture at the pixels = δ at layer 0, to 1e-9:", bool((inside - outside).abs().max() < 1e-9))

# %% [markdown]
# And the other way round: for this ViT any patch-only δ comes from some picture, as lesson 06 shows. So the two are one
# class of functions. If one of them is better in a
# table, the reason is the path of training (the rate, the scale of W), and not what it can express.
# The class token is the only thing that a full δ at layer 0 adds.

# %%
for network in nets:
    print(f"{network}: AP at layer 0 minus a picture at the pixels, points, recorded")
    table.compare(network, "vp", [0])

# %% [markdown]
# In the CNN a convolution, a batch norm and a ReLU lie between the two, so they are different functions there.
# The ViT's row is the case just described: one class of functions, up to the class token. In neither network can these
# runs tell the two apart.

# %% [markdown]
# ## Deeper: what may be claimed?
#
# | claim of the paper | what our runs can say |
# |---|---|
# | AP is ahead of a picture at the pixels | paired differences below |
# | CNNs prefer late layers, ViTs early ones | the wins above, two small networks, two data sets of digits |
# | AP is cheaper than a picture at the pixels | a count, section 3 |
#
# The layers below, of AP and of the probe, are the ones that photodigits' *validation* images choose.

# %%
for network in nets:
    layer, probed = (int(table.valid(network, kind=kind).mean(1).argmax()) for kind in ("ap", "probe"))
    print(f"{network}: AP at layer {layer} minus …, points, recorded, 1,000 test images")
    for words, condition in {"no prompt": "none", "pixels": "vp", f"probe, layer {probed}": f"probe@{probed}"}.items():
        say(words, table.ahead(f"ap@{layer}", condition, network))

# %% [markdown]
# **CNN.** AP is ahead of a picture at the pixels, of the plain probe, and of the best probe on inner features, with
# intervals that exclude zero. That part of the paper's claim holds here. The preferred depth does not.
# Even the best of these accuracies is low. The network could do better: tuned as a whole, in lesson 03, it does.
#
# **ViT.** AP at layer 4, which validation chose, is ahead of no prompt and of a picture at the pixels. Against the best
# probe these runs cannot tell. By the means, the best probe has less than half of AP's gain; how much of that gain is
# the layer's, these runs cannot say.
#
# And the paper's reason, that a prompt acts "globally" and so suits layers with global features? A CNN that likes the
# middle, and a ViT whose best layer moves with the data set, would need another story.

# %% [markdown]
# ### Exercise: late or last?
#
# A colleague writes: "Our CNN prefers late layers: AP at layer 6 beats the linear probe by 3 points, the mean of three
# seeds. So late features are global, and a global prompt suits them."
# In four sentences: what stands, what does not, and what would you run?

# %% [markdown] exercise={"id": "05-claim", "points": 3, "minutes": 5, "difficulty": 2, "path": "extra"}
# ### BEGIN SOLUTION
# The difference of 3 points may stand, but three seeds without an interval, a number of test images or a word on how
# the layer was chosen cannot show it.
# Beating the probe on last-layer features says nothing about late against early, so every layer must be swept with a
# learning rate of its own and equal trials, and the layer chosen on validation images of another set.
# A layer-6 probe, a random delta of equal norm and a per-channel delta tell whether the learned tensor matters, and the
# number of learned values changes with the layer as well.
# "Global" is a second claim: it needs a measure, such as attention distance or CKA, and a test of whether that predicts
# the best layer; a story after the fact is none.
# ### END SOLUTION
# ### BEGIN MARK SCHEME
# 3 points: names at least three of: few seeds without an interval; no sweep, so no preference; missing controls
#   (layer-l probe, random or per-channel delta); layer chosen where it is reported; cause claimed without a measure;
#   and proposes a run that would settle one of them.
# 2 points: names two of them and proposes a control.
# 1 point: doubts the claim for one correct reason.
# ### END MARK SCHEME

# %% [markdown]
# ## Recap
#
# - An activation prompt adds one learned tensor to the activations before one layer of a frozen network.
# - A constant helps where a ReLU follows: it switches units on and off, place by place. Where none follows, it is a
#   bias.
# - What lies below the lowest learned place runs once. Training from that cache is exact, and the later the layer, the
#   cheaper.
# - At a CNN's last layer, δ is a bias of the head. At a ViT's layer 0, a patch-only δ is a picture at the pixels.
# - A gain needs controls: the layer-l probe, a random δ of equal norm, fewer numbers.
# - A layer is a choice like any other: made on validation images, better still of another set.
#
# **How far this goes.** Two networks of 0.6 to 0.7 million weights, pre-trained on CIFAR-100 at 32 pixels; two sets of
# digits, most runs with 1,000 training images and ten epochs. The paper's main networks are ResNet-101 and ViT-L/16,
# its images photographs. Nobody here has measured those. On one ImageNet network, EfficientNet-Lite0, AP gained nothing
# that we can be sure of from 1,000 photographs, and norm tuning six points.

# %% [markdown]
# ## Self-test
#
# ### Exercise: the last layer
#
# δ stands before the average pooling of a CNN, with one number for every channel and place. What can it do that the
# linear probe cannot?
#
# - **a** nothing: it shifts the features by a constant, as the head's bias does
# - **b** it can brighten some places and darken others, so that pooling looks elsewhere
# - **c** it can move images of different classes in different directions

# %% exercise={"id": "05-quiz-last", "points": 1, "minutes": 1, "difficulty": 2, "path": "extra"}
last = ...  # "a", "b" or "c"
### BEGIN SOLUTION
last = "a"
### END SOLUTION

# %% check="05-quiz-last"
check.quiz("05-quiz-last", last)

# %% [markdown]
# ### Exercise: what may be cached?
#
# You train an AP at layer 3, and every epoch crops each image at another random place. What may be computed once?
#
# - **a** the activations before block 3
# - **b** the activations before block 5
# - **c** nothing

# %% exercise={"id": "05-quiz-cache", "points": 1, "minutes": 1, "difficulty": 1, "path": "extra"}
may_cache = ...  # "a", "b" or "c"
### BEGIN SOLUTION
may_cache = "c"
### END SOLUTION

# %% check="05-quiz-cache"
check.quiz("05-quiz-cache", may_cache)

# %% [markdown]
# ### Exercise: the missing control
#
# AP at layer 5 is 6 points ahead of the linear probe, with an interval from +5 to +7. What tells whether the learned δ
# is the reason?
#
# - **a** ten more seeds
# - **b** a linear probe on layer-5 features, and a random δ of equal norm at layer 5
# - **c** a picture at the pixels with a better learning rate

# %% exercise={"id": "05-quiz-control", "points": 1, "minutes": 1, "difficulty": 1, "path": "extra"}
control = ...  # "a", "b" or "c"
### BEGIN SOLUTION
control = "b"
### END SOLUTION

# %% check="05-quiz-control"
check.quiz("05-quiz-control", control)

# %% [markdown]
# ## Further reading
#
# - Zhang et al. (2026). Visual Prompting Reimagined: The Power of the Activation Prompts.
#   [arXiv:2604.06440](https://arxiv.org/abs/2604.06440).
#   The method of this lesson.
# - H. Bahng, A. Jahanian, S. Sankaranarayanan, P. Isola (2022). Exploring Visual Prompts for Adapting Large-Scale
#   Models. [arXiv:2203.17274](https://arxiv.org/abs/2203.17274). Pictures at the pixels.
# - E. Ben Zaken, S. Ravfogel, Y. Goldberg (2022). BitFit: Simple Parameter-efficient Fine-tuning for Transformer-based
#   Masked Language-models. [arXiv:2106.10199](https://arxiv.org/abs/2106.10199). Biases as a control.
# - G. Alain, Y. Bengio (2016). Understanding intermediate layers using linear classifier probes.
#   [arXiv:1610.01644](https://arxiv.org/abs/1610.01644). Probes on inner layers.

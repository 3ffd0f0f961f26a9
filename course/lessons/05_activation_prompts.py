# %% [markdown]
# # Activation prompts
#
# **You will be able to**
#
# - write an activation prompt (AP) as a module, and put it in front of any layer of a CNN or a ViT;
# - say which part of a network must run again in each step, and cache the rest without changing the result;
# - choose a layer without looking at test images, and name the controls that a claim about layers needs;
# - read attention distances and a CKA map, and say what they leave open.
#
# **Before you start**: lesson 00 (splits, probe) and lesson 01 (a picture at the pixels).
#
# **Your time**: 75 minutes, of which 25 for the core exercises.
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
from course.show.sweeps import layer_map, sweep
from course.studies.layer_arms import Arm, build, step_cost
from course.studies.study_05 import CONTROLS
from course.widgets.layers import LayersExplorer, layer_facts
from vpcore.inside.attention import attention_distances, attention_weights
from vpcore.cache import cached
from vpcore.inside.similarity import cka_map, layer_features, linear_cka
from vpcore.statistics import paired_interval

torch.set_num_threads(1)  # so small a network gains nothing from a second thread

# %% [markdown]
# ## 1. From the pixels into the network
#
# Lesson 01 added one learned picture to every image: x' = x + δ. The frozen network then computes z⁰, z¹, z², …
#
# **Question.** Why add at the pixels only? What would change if the same idea acted further inside?
#
# Zhang et al. (2026) add at one inner layer instead: z' = z + δ. Still one tensor for all images, still a frozen
# network. They call it an *activation prompt*.
# We number layers so: layer l is the input of block l, and the last layer (l = depth) is what pooling receives.

# %%
nets = {name: vpcore.load_backbone(name) for name in ("resnet_nano", "vit_nano")}
print("a picture at the pixels has", 3 * 32 * 32, "numbers")
for name, net in nets.items():
    for layer, shape in enumerate(net.spec.shapes):
        print(f"{name:11} layer {layer}: activations {shape!s:13} δ has {math.prod(shape):5,} numbers")

# %% [markdown]
# Two warnings from this table. In the CNN the number of learned values changes with the layer, so a comparison of
# layers also compares sizes. In the ViT it is the same everywhere: 17 tokens (class and 16 patches) of 96 numbers.
#
# The paper leaves open which tokens are prompted, where δ starts, and which head is trained. Ours, here and below:
# all tokens; δ starts at zero; a new linear head learns together with δ.

# %% [markdown]
# ### Exercise: an activation prompt as a module
#
# A frozen network calls your module before each of its blocks, with the activations z and the number of the layer.
# Write `AddDelta(shapes, layer)`. `shapes[l]` is the shape of the activations before block l, without the batch.
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
nn.init.constant_(prompt.delta, 0.5)
print("with δ = 0.5 everywhere:", torch.equal(cnn(x, edit=prompt), cnn(x)))

# %% [markdown]
# `edit` is vpcore's only door into a network: no hook, no changed weight.
# Since δ starts at zero, training starts from the plain linear probe, and whatever it gains afterwards is due to δ.

# %% [markdown]
# ## 2. What must run again?
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
for words, prompted, tuned in (
    ("a picture at the pixels", [-1], []), ("δ at layer 0", [0], []), ("δ at layer 5", [5], []),
    ("δ at layers 2 and 5", [2, 5], []), ("biases of block 3", [], [3]), ("linear probe", [], []),
):  # fmt: skip
    first, once = runs_once(prompted, tuned, cnn.spec.depth)
    print(f"{words:24} first {first:2}   runs once: {once}")

# %% [markdown]
# A picture at the pixels saves nothing: even the first convolution sees a new image in each step.
# The linear probe saves everything, pooling included.
#
# One condition: the images are the same in each epoch. Random crops or flips make new images, and then there is
# nothing to reuse. `vpcore.cached` refuses augmentation for this reason.
#
# **Question.** Is training from a cache exact, or an approximation?

# %% [markdown]
# ### Exercise: from the cache to the logits
#
# `backbone.embed`, the list `backbone.blocks` and `backbone.pool` are the parts of a frozen network.
# Compute z, the activations before block `layer`, once and without a graph. Then compute the logits from z: add
# `delta`, run the remaining blocks, pool, head. Return `(z, logits)`. δ must be able to learn, and z must not hold it.

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
    nn.init.constant_(prompt.delta, 0.1)
    whole = F.cross_entropy(head(cnn(x, edit=prompt)), labels)
    short = F.cross_entropy(from_cache(cnn, head, x, layer, prompt.delta)[1], labels)
    slopes = [torch.autograd.grad(loss, prompt.delta)[0] for loss in (whole, short)]
    agree[layer] = bool((slopes[0] - slopes[1]).abs().max() < 1e-6 and abs(whole - short) < 1e-6)
print("made by:", check.made_by("05-module", "05-cached"))
print("loss and gradient of δ agree to 1e-6, layer by layer:", list(agree.values()))

# %% [markdown]
# Exact. The next question is what it saves. We *count* operations, because a count is the same on every machine:
# a step is a forward and a backward pass of one image, starting at the cache.
#
# **Question.** By which factor is a step at the last layer cheaper than one at the pixels?

# %%
images = data.train.images[:8].float() / 255
pixels = step_cost(build(cnn, Arm("vp"), 10, 0, 0.0), images)
print(f"resnet_nano, picture at the pixels: {pixels / 1e6:6.2f} MFLOPs a step and image")
for layer, shape in enumerate(cnn.spec.shapes):
    step = step_cost(build(cnn, Arm("ap", layer), 10, 0, 0.0), images)
    kept = 4 * 1000 * math.prod(shape) / 2**20
    print(f"AP at layer {layer}: {step / 1e6:6.2f} MFLOPs, cache of 1,000 images {kept:5.1f} MiB")

# %% [markdown]
# No method could be cheaper than the last line, and no method is weaker, as section 4 will show.
# The paper reports less memory and time for AP than for a picture at the pixels, for its largest CNN.
# The reason is this table; it is a property of where the prompt stands, not of what it learns.

# %% [markdown]
# ## 3. The sweep
#
# The paper's main claim about layers: **CNNs prefer late layers, ViTs prefer early ones.**
#
# **Question.** Guess two curves: accuracy over layers, once for our CNN and once for our ViT.
#
# A sweep takes longer than a lesson, so it was recorded: 1,000 training, 500 validation and 1,000 test images of
# *photodigits*, 10 epochs. Every arm has one free learning rate, found in four trials on validation images: that of δ,
# or, where only a head learns, that of the head. A head beside δ has the rate 0.01. The ViT's trials took 4 epochs.
#
# Two baselines come along. "No prompt" is the linear probe, at its own rate and at that of AP's head. The "layer-l
# probe" is a linear head on the features of layer l: what a δ at that layer must beat (section 4).

# %% name="table"
table = recorded("ap_layers")
print(table.about("photodigits"))


def seeds_of(arm, network, data_set="photodigits"):
    """Return recorded test accuracies of an arm in percent, one a seed."""
    return table.accuracies(data_set, arm, network)


def by_layer(kind, network, data_set="photodigits"):
    """Return {layer: accuracies} of a kind of prompt, for the seeds that every layer has."""
    rows = {layer: seeds_of(f"{kind}@{layer}", network, data_set) for layer in range(nets[network].spec.depth + 1)}
    fewest = min(map(len, rows.values()))
    return {layer: accuracies[:fewest] for layer, accuracies in rows.items()}


# %%
def show_sweep(network, arms):
    """Draw the recorded sweep of one network, with the arms that have no layer as level lines."""
    curves = {"AP, full δ": by_layer("ap", network), "layer-l probe": by_layer("probe", network)}
    levels = {words: seeds_of(arm, network).mean() for words, arm in arms.items()}
    seeds = len(curves["AP, full δ"][0])
    label = f"recorded, photodigits, {seeds} seeds, 1,000 test images"
    return sweep(curves, f"AP at every layer of {network}", levels=levels, label=label)


HEADS = {"no prompt": "none", "no prompt, AP's head rate": "head"}
show_sweep("resnet_nano", HEADS | {"picture at the pixels": "vp"})

# %%
show_sweep("vit_nano", HEADS)

# %% [markdown]
# One curve is one draw. Would other seeds choose the same layer? A **bootstrap** draws the recorded seeds again, with
# replacement, and asks each time which layer has the best mean.

# %%
def wins(network, data_set="photodigits", draws=2000):
    """Return how often each layer has the best mean accuracy, in percent of bootstrap draws over seeds."""
    runs = np.stack(list(by_layer("ap", network, data_set).values()))  # (layers, seeds)
    rng = np.random.default_rng(0)
    picks = rng.integers(runs.shape[1], size=(draws, runs.shape[1]))
    best = runs[:, picks].mean(2).argmax(0)
    return 100 * np.bincount(best, minlength=len(runs)) / draws


for network, data_set in (("resnet_nano", "photodigits"), ("resnet_nano", "digits"), ("vit_nano", "photodigits"),
                          ("vit_nano", "digits")):
    print(f"{network:11} {data_set:11} wins by layer (%):", wins(network, data_set).round(1).tolist())

# %% [markdown]
# **CNN.** Not late, and not early: the middle. On photodigits layers 2, 3 and 4 lead; from layer 5 on the gain shrinks,
# and at layers 6 and 7 AP lies a point or two *below* no prompt. On digits layers 0 to 4 lie within two points of each
# other, and the last two are again the worst. The paper's "CNNs prefer late layers" is not what these runs show.
#
# **ViT.** It depends on the set. On photodigits AP at layer 0 is level with no prompt, at layers 1 and 2 it gains about
# two points, at layers 3 and 4 three to four, and after that nothing. On digits it gains five points or more at every
# layer from 0 to 4, most at layer 1. "ViTs prefer early layers" fits the second set better than the first.
# What both sets agree on: the last two layers are the worst.
#
# The wins come from test accuracies of five or ten seeds: they say how sure the picture is, they do not choose a layer.
#
# What this does not say: anything about large networks or photographs. Both of our sets show digits, both networks are
# small, and a sweep with other rates may look different. A preference is a property of network, data *and* recipe.
#
# ### Explore: one layer at a time
#
# Accuracy, cost, and count are recorded; so is δ. The activations are computed as you choose an image.
# Before you touch it, guess: at which layers is |δ| larger than |z|, the activations it is added to?

# %% name="explorer"
explorer = LayersExplorer(table, nets, data.test.images[:10])
explorer

# %% [markdown]
# The next cell moves every control once, as a learner would, and shows the explorer as it stands.

# %%
print(explorer.drive())
explorer.picture()

# %%
facts = {network: layer_facts(table, net) for network, net in nets.items()}
for network, layers in facts.items():
    print(f"{network:11} |δ| / |z| by layer:", [round(each.relative, 2) for each in layers])

# %% [markdown]
# In the CNN, where AP gains most, δ is about as large as the activations, or larger. It is no small nudge: it moves
# every image to another region. At layers 6 and 7 validation chose a rate that keeps δ small.
#
# In the ViT, δ is smaller than the activations at every layer, and it gains less.

# %% [markdown]
# **Question.** Does a cheaper layer cost accuracy? Each point below is one layer, the last one at the left.

# %%
points = {}
for network, layers in facts.items():
    points[network] = ([each.step_mflops for each in layers], [each.accuracies.mean() for each in layers])
words = {"across": "training step (MFLOPs an image)", "up": "test accuracy (%)"}
seeds = min(len(each.accuracies) for layers in facts.values() for each in layers)
label = f"recorded, photodigits, AP, {seeds} seeds or more"
show.lines(points, "Accuracy against the counted cost of a step", **words, label=label)

# %% [markdown]
# In the CNN, layer 4 costs less than half of layer 0, and lies within two points of the best layer.
# Cost argues for late layers, accuracy for the middle; together they make a choice, and neither alone does.

# %% [markdown]
# ## 4. Is it the prompt, or the layer?
#
# An AP at layer 4 beats the linear probe.
#
# **Question.** Name four explanations that need no δ of this form.
#
# 1. *The features of layer 4 were better anyway.* Control: a linear probe on layer-4 features, without δ.
# 2. *Any disturbance helps.* Control: a random δ of equal norm, frozen; only the head learns.
# 3. *A few numbers would do.* Control: one number a channel, the same at every place.
# 4. *Anything tuned at that layer would do.* Control: the biases of that block, and no δ.
#
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

# %%
def compare(network, kind, layers):
    """Return {name: (mean, low, high)} of AP minus a control at the same layer, paired by seed, in points."""
    rows = {}
    for layer in layers:
        prompted, control = seeds_of(f"ap@{layer}", network), seeds_of(f"{kind}@{layer}", network)
        seeds = min(len(prompted), len(control))
        found = paired_interval(control[:seeds], prompted[:seeds])
        rows[f"layer {layer}"] = (found.mean, found.low, found.high)
    return rows


def say(rows):
    """Print differences with their intervals and a verdict."""
    for name, (mean, low, high) in rows.items():
        verdict = "cannot tell" if low <= 0 <= high else "AP is ahead" if low > 0 else "AP is behind"
        print(f"  {name:19} {mean:+6.2f}  ({low:+6.2f} to {high:+6.2f})  {verdict}")


# %%
for network, net in nets.items():
    print(f"{network}: AP minus a probe on layer-l features, points")
    say(compare(network, "probe", range(net.spec.depth + 1)))

# %% [markdown]
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
# probe of all layers, here layer 5; section 9 compares with that one. At layer 5 itself, AP is not ahead.

# %%
KINDS = {"random": "random δ, equal norm", "channel": "one number a channel", "bias": "biases of the block"}
for network in nets:
    for kind, layers in CONTROLS[network].items():
        print(f"{network}: AP minus {KINDS[kind]}, points")
        say(compare(network, kind, layers))

# %% [markdown]
# **CNN.** A random δ of equal norm does not help: at layers 2 and 4 the learned one is about 14 and 9 points ahead.
# So it matters what δ is, and not only that there is one.
# One number a channel is seven to eight points behind at layers 2 and 4: what δ does differs from place to place.
# The biases of the block alone lie four and seven points behind there. They gain over no prompt all the same, with 64
# and 128 numbers instead of 2,048 and 1,024; lesson 06 says what they share with δ. At layer 6, where AP gains nothing,
# none of the three can be told from it.
#
# **ViT.** At each of the three layers AP is ahead of all three controls, of the biases by two to three points.

# %%
def show_controls(network):
    """Draw AP and its controls at some layers of one network."""
    curves = {"AP, full δ": {layer: runs[:5] for layer, runs in by_layer("ap", network).items()}}
    for kind, layers in CONTROLS[network].items():
        curves[KINDS[kind]] = {layer: seeds_of(f"{kind}@{layer}", network) for layer in layers}
    levels = {"no prompt": seeds_of("none", network)[:5].mean()}
    label = "recorded, photodigits, 5 seeds, 1,000 test images"
    return sweep(curves, f"AP and controls, {network}", levels=levels, label=label)


show_controls("resnet_nano")

# %%
show_controls("vit_nano")

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
# You will use both functions on your own δ in section 6.
#
# Two exact facts need no experiment.
#
# **Question.** What can δ do at the CNN's last layer, just before average pooling and a linear head?

# %%
rng = torch.Generator().manual_seed(0)
prompt = Delta(cnn.spec.shapes, cnn.spec.depth)
with torch.no_grad():
    prompt.delta.copy_(torch.randn(prompt.delta.shape, generator=rng))
    shift = cnn(x, edit=prompt) - cnn(x)  # (64, 120)
print("the same shift of the features for every image:", torch.allclose(shift, shift[:1].expand_as(shift), atol=1e-5))
print("it is the mean of δ over places:", torch.allclose(shift[0], prompt.delta.mean((2, 3))[0], atol=1e-5))

# %% [markdown]
# A constant shift of the features is a new bias of the head: 480 numbers that add nothing to the linear probe.
# The recorded AP at layer 7 is even a little behind the probe: not by what it can express, but by its head's rate.
# For a ViT that pools by its class token, δ at the last layer acts on one of 17 rows, through the final norm only.
#
# So "late" can never mean "last". And identities like these tell where *not* to look for gains, without one run.

# %% [markdown]
# ## 5. Choose a layer, then report
#
# The paper chose its layers on one data set (OxfordPets) and used them for all others.
#
# **Question.** What is wrong with reporting, for each data set, the layer that is best on its test images?
#
# ### Exercise: choose on one set, report on others
#
# `valid` holds validation accuracies of one data set: one row a layer, one column a seed. `tests` maps names of *other*
# data sets to their test accuracies, arranged alike. Choose the layer with the best mean in `valid`.
# Return `(layer, report)`. For each name, `report[name]` is a pair: the mean test accuracy at the chosen layer, and how
# far that lies below the best mean of any layer of that set.

# %% exercise={"id": "05-choose", "points": 3, "minutes": 6, "difficulty": 2, "path": "core", "needs": ["setup"]}
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
def valid_table(network, data_set, kind="ap"):
    """Return recorded validation accuracies in percent: (layers, seeds)."""
    rows = []
    for layer in range(nets[network].spec.depth + 1):
        wanted = {"data": data_set, "backbone": network, "prompt": f"{kind}@{layer}"}
        runs = [run for run in table.runs if wanted.items() <= run["cell"].items()]
        rows.append([100 * run["extra"]["valid"] for run in sorted(runs, key=lambda run: run["cell"]["seed"])])
    return np.array([row[: min(map(len, rows))] for row in rows])


choose = check.use("05-choose", choose_layer)
print("made by:", check.made_by("05-choose"))
for network in nets:
    print(network)
    for here, there in (("photodigits", "digits"), ("digits", "photodigits")):
        tests = {there: np.stack(list(by_layer("ap", network, there).values()))}
        layer, report = choose(valid_table(network, here), tests)
        (mean, lost), plain = report[there], seeds_of("none", network, there).mean()
        print(f"  chosen on {here:11}: layer {layer}. On {there}: {mean:.1f} % (no prompt {plain:.1f} %), "
              f"{lost:.1f} points below its best layer")  # fmt: skip

# %% [markdown]
# For the CNN, each set's choice loses about a point on the other: the middle is a safe choice here. For the ViT it is
# about two: the sets choose layers 4 and 1. Either choice beats no prompt on the other set.
# Digits has 397 test images, so one image is a quarter of a point. All rates were chosen on photodigits.

# %% [markdown]
# ## 6. Your module, trained
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


def rate_of(arm, network):
    """Return the learning rate of delta that the recorded runs used."""
    wanted = {"data": "photodigits", "backbone": network, "prompt": arm}
    return next(run["cell"]["rate"] for run in table.runs if wanted.items() <= run["cell"].items())


# %% name="train"
def train(layer, seeds):
    """Train delta and head at one layer from cached activations; return test accuracies (%), models, cached test."""
    accuracies, models = [], []
    rates = {"prompt": rate_of(f"ap@{layer}", "resnet_nano"), "head": 1e-2}
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
curves = {"AP, recorded": by_layer("ap", "resnet_nano"), "AP, your run": mine}
levels = {"no prompt": seeds_of("none", "resnet_nano").mean()}
label = "your run, 5 seeds, beside the recorded sweep"
title = "Your module at two layers of resnet_nano"
made_by = check.made_by("05-module")
sweep(curves, title, levels=levels, live=("AP, your run",), label=label, made_by=made_by)

# %% [markdown]
# Same seeds, rates and batches: your points should lie close to the recorded ones. They need not be equal: a difference
# in the last digit of a rate or a sum grows over 160 steps.
# The layers are not chosen to win: one in the middle and the last, which train in seconds from a cache.
#
# **Question.** Put another δ in the place of the learned one, and leave the head alone: its mean over places, or a
# random δ of equal norm. What is left of the accuracy, at layer 4 and at layer 7?

# %%
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

# %% [markdown]
# At layer 7 pooling averages over places anyway, so only the mean of δ counts: an identity, again.
# At layer 4 your figure shows how much of δ's work is done place by place. The head was trained together with the
# learned δ, so a fair control trains anew with the other one, as section 4 did.

# %% [markdown]
# ## 7. In a ViT, layer 0 is the picture
#
# A ViT embeds each patch by one linear map W and a bias b.
#
# **Question.** A picture M is added to every image. What is added to the patch tokens at layer 0?
#
# ### Exercise: fold a picture into δ
#
# `weight` (D, C, p, p) and `bias` (D,) are those of the patch embedding, a convolution with stride p. Return the δ of
# shape (1, N, D) that does at the patch tokens what adding M = `added` (1, C, H, W) does at the pixels.

# %% exercise={"id": "05-same-class", "points": 2, "minutes": 5, "difficulty": 2, "path": "extra", "needs": ["setup"]}
def fold_into_delta(weight, bias, added):
    """Return delta (1, N, D) for the patch tokens that makes up for an added picture (1, C, H, W)."""
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
# And the other way round? Each patch has 3 · 8 · 8 = 192 pixels, each token 96 numbers.
# If W reaches all 96 directions, any δ at the patch tokens comes from some picture.

# %%
W = patches.weight.detach().flatten(1)  # (96, 192)
print("W reaches", int(torch.linalg.matrix_rank(W)), "of", len(W), "directions")
wanted = torch.randn(1, 16, 96, generator=rng, dtype=torch.float64)
columns = (wanted @ torch.linalg.pinv(W).T).transpose(1, 2)  # (1, 192, 16), one column a patch
drawn = F.fold(columns, (32, 32), 8, stride=8)
back = fold(patches.weight.detach(), patches.bias, drawn)
print("a random δ, drawn as a picture and folded back, to 1e-9:", bool((back - wanted).abs().max() < 1e-9))

# %% [markdown]
# For this ViT, a full picture and a patch-only δ at layer 0 are one class of functions. If one of them is better in a
# table, the reason is the path of training (the rate, the scale of W), and not what it can express.
# The class token is the only thing that a full δ at layer 0 adds.

# %%
for network in nets:
    found = paired_interval(seeds_of("vp", network), seeds_of("ap@0", network)[:5])
    print(f"{network}: AP at layer 0 minus a picture at the pixels, points, 5 seeds")
    say({"layer 0": (found.mean, found.low, found.high)})

# %% [markdown]
# In the CNN a convolution, a batch norm and a ReLU lie between the two, so they are different functions there.
# AP is about a point ahead, and neither of them is ahead of no prompt.
# The ViT's row is the case just described: one class of functions, up to the class token, and yet AP is ahead by more
# than a point. The class token or the path of training: these runs do not tell which.

# %% [markdown]
# ## 8. Where does a layer look?
#
# The paper explains its layer preference so: AP works where features are *global*. CNNs become global late, ViTs are
# global early. To see whether that is so, one needs two measures.
#
# **Attention distance** (Dosovitskiy et al. 2021): how far, in pixels, does a patch look, on average over what it
# attends to?
#
# **Question.** Our ViT has 4×4 patches of 8 pixels. How far would a head look that attends evenly?

# %%
places = 8 * torch.cartesian_prod(torch.arange(4.0), torch.arange(4.0))  # (16, 2), pixels
apart = torch.cdist(places, places)
print(f"even attention: {float(apart.mean()):.2f} pixels; the farthest patch: {float(apart.max()):.2f}")
vit_model = vpcore.Prompted(nets["vit_nano"], vpcore.NoPrompt(nets["vit_nano"].spec), nn.Identity())
photos = data.test.images[:64].float() / 255
among = attention_weights(vit_model, photos, 2)[..., 1:, 1:]  # (64, 3 heads, 16, 16): without the class token
among = among / among.sum(-1, keepdim=True)
by_hand = (among * apart).sum(-1).mean((0, 2))
distances = attention_distances(vit_model, photos)
print("by hand for block 2, three heads:", torch.allclose(by_hand, distances[2], atol=1e-4))

# %%
heads = {f"head {head}": (range(6), distances[:, head]) for head in range(3)}
words = {"across": "block", "up": "attention distance (pixels)"}
title = "How far each head looks (dashed: even attention)"
show.lines(heads, title, **words, level=float(apart.mean()), live=True, label="your run, vit_nano, 64 test images")

# %% [markdown]
# In our ViT the last blocks look farthest, nearly evenly, and early ones less far. That is not "global early".
# But the measure is coarse here: with 16 patches there is little room between "near" and "everywhere".
# And it says where a head looks, not what it does with what it sees.
#
# **Linear CKA** (Kornblith et al. 2019) asks whether two layers see the same images as alike. Center the features of
# each layer, form the table of inner products between images, and compare the two tables as if they were vectors.
# 1 means alike up to rotation and scale, 0 means nothing in common.

# %%
cnn_model = vpcore.Prompted(cnn, vpcore.NoPrompt(cnn.spec), nn.Identity())
first, second = layer_features(cnn_model, photos)[6], layer_features(vit_model, photos)[3]


def products(features):
    """Return the inner products of centered rows."""
    centered = features.double() - features.double().mean(0)
    return centered @ centered.T


K, L = products(first), products(second)
by_hand = float((K * L).sum() / (K.norm() * L.norm()))
print("linear CKA by hand agrees with vpcore:", abs(by_hand - linear_cka(first, second)) < 1e-9)

# %% [markdown]
# **Question.** Which layer of the ViT sees images as the CNN's last layer does: an early, a middle or a late one?

# %%
views = {
    "CNN and CNN": cka_map(cnn_model, cnn_model, photos), "CNN and ViT": cka_map(cnn_model, vit_model, photos),
    "ViT and ViT": cka_map(vit_model, vit_model, photos),
}  # fmt: skip
axes = {name: tuple(f"{word} layer" for word in name.split(" and ")) for name in views}
layer_map(views, "How alike do layers see 64 images?", names=axes, label="frozen networks, no prompt")

# %% [markdown]
# The CNN's last layer is a little more like the ViT's later layers than its first; the differences are small.
# Neighboring layers are alike, as they must be: a residual block adds to what it gets.
# With 64 images and thousands of features, CKA is biased upwards; compare cells, not single numbers with 1.
#
# Do these pictures *explain* the sweep? A story that fits two curves is not yet a test. Lesson 07 asks whether the
# attention distance predicts the best layer, with an interval.

# %% [markdown]
# ## 9. What may be claimed?
#
# | claim of the paper | what our runs can say |
# |---|---|
# | AP is ahead of a picture at the pixels | paired differences below |
# | CNNs prefer late layers, ViTs early ones | the wins of section 3, two small networks, two data sets of digits |
# | AP is cheaper than a picture at the pixels | a count, section 2 |
#
# The layers below, of AP and of the probe, are the ones that photodigits' *validation* images choose.

# %%
for network, net in nets.items():
    layer, probed = (int(valid_table(network, "photodigits", kind).mean(1).argmax()) for kind in ("ap", "probe"))
    rows, prompted = {}, seeds_of(f"ap@{layer}", network)
    for words, arm in {"no prompt": "none", "pixels": "vp", f"probe, {probed}": f"probe@{probed}"}.items():
        seeds = min(len(seeds_of(arm, network)), len(prompted))
        found = paired_interval(seeds_of(arm, network)[:seeds], prompted[:seeds])
        rows[f"{words}, {seeds} seeds"] = (found.mean, found.low, found.high)
    print(f"{network}: AP at layer {layer} of {net.spec.depth}, minus …, points, 1,000 test images")
    say(rows)

# %% [markdown]
# **CNN.** AP is ahead of a picture at the pixels, of the plain probe, and of the best probe on inner features, with
# intervals that exclude zero. That part of the paper's claim holds here. The preferred depth does not.
# Even the best of these accuracies is low: the photographs behind the digits are hard for a network this small.
#
# **ViT.** AP at layer 4, which validation chose, is ahead of no prompt and of a picture at the pixels. Against the best
# probe these runs cannot tell.
# So in the ViT the layer could explain most of the gain: reading an inner layer does nearly as well as a learned δ.
#
# And the explanation by "global" features? A CNN that likes the middle, and a ViT whose best layer moves with the data
# set, would need another story.

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
# - What lies below the lowest learned place runs once. Training from that cache is exact, and the later the cheaper.
# - At a CNN's last layer, δ is a bias of the head. At a ViT's layer 0, a patch-only δ is a picture at the pixels.
# - A gain needs controls: the layer-l probe, a random δ of equal norm, fewer numbers.
# - A layer is a choice like any other: made on validation images, better still of another set.
# - Attention distance and CKA describe layers. Whether they predict the best one is a separate test.

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
# - Zhang et al. (2026). Visual Prompting Reimagined: The Power of the Activation Prompts. arXiv:2604.06440.
#   The method of this lesson.
# - H. Bahng, A. Jahanian, S. Sankaranarayanan, P. Isola (2022). Exploring Visual Prompts for Adapting Large-Scale
#   Models. arXiv:2203.17274. Pictures at the pixels.
# - E. Ben Zaken, S. Ravfogel, Y. Goldberg (2022). BitFit: Simple Parameter-efficient Fine-tuning for Transformer-based
#   Masked Language-models. arXiv:2106.10199. Biases as a control.
# - A. Dosovitskiy et al. (2021). An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale.
#   arXiv:2010.11929. Attention distance, appendix D.7.
# - S. Kornblith, M. Norouzi, H. Lee, G. Hinton (2019). Similarity of Neural Network Representations Revisited.
#   arXiv:1905.00414. Linear CKA.
# - G. Alain, Y. Bengio (2016). Understanding intermediate layers using linear classifier probes. arXiv:1610.01644.
#   Probes on inner layers.

# %% [markdown]
# # Do the pictures explain?
#
# **You will be able to**
#
# - put a number behind a t-SNE plot, and name the controls that it needs;
# - test a saliency map by destroying the network that it explains;
# - compare two maps by rank correlation, against the only fair measure: two seeds of one method;
# - read attention distances and a CKA map, and say what they leave open;
# - say what six layers can show about a rule, before you look at them.
#
# **Before you start**: lessons 02 (Grad-CAM, paired intervals), 04 (specific tokens), 05 (activation prompts).
#
# **Your time**: 45 minutes for the core, 35 for the deeper sections.
# **Machine time**: about 50 seconds on two CPU cores.

# %% name="setup"
import copy
from itertools import permutations

import numpy as np
import torch
from scipy import stats
from torch import nn

import vpcore
from course import check, show
from course.recorded import recorded
from course.show.clouds import clouds
from course.show.sweeps import layer_map
from course.studies.layer_conditions import Condition, build, train
from course.studies.maps_07 import CAM_LAYER, parts_of, rebuilt
from course.studies.study_07 import features, token_model, unpack
from course.studies.tokens_04 import specific_tokens
from course.widgets.cam import CamExplorer
from vpcore.inside.attention import attention_distances, attention_weights
from vpcore.inside.grad_cam import grad_cam
from vpcore.inside.similarity import cka_map, layer_features, linear_cka, tsne
from vpcore.statistics import t_interval

torch.set_num_threads(1)  # so small a network gains nothing from a second thread

# %% [markdown]
# ## 1. Clusters that nobody learned
#
# Papers about prompts end with pictures. InsVP (Liu et al., 2024) shows its specific tokens $p^s$ in the plane, one
# color a class, as evidence that they carry what is special about an image. The plane is made by t-SNE, which moves
# points until near neighbors stay near.
#
# We have trained the small network $G_s$ that makes $p^s$ from an image: on a frozen `vit_nano`, five seeds, on two
# sets. *photodigits* has colored digits anywhere on photographs. *digits* has the same digits, gray and centered. Here
# are two rows of pictures. In one of them $G_s$ is trained; in the other its weights are as they were drawn.
#
# **Question.** Which is which? And what will you look for: the row with more clusters?

# %% name="data"
pictures = recorded("pictures")
photos = vpcore.load_data("photodigits", num_train=500)
digits = vpcore.load_data("digits", image_size=32, in_chans=3)
vit = vpcore.load_backbone("vit_nano")
print(pictures.about("photodigits"))
print(pictures.about("digits"))

# %% name="tokens"
def tokens_of(data, weights=None):
    """Return p^s of 250 test images, one row each: of a fresh G_s of seed 0, or with recorded weights."""
    model = token_model(vit, 10, 0)
    if weights:
        unpack(model, weights)
    return specific_tokens(model, data.test.images[:250]).flatten(1)


def recorded_weights(data):
    """Return the recorded weights of G_s, seed 0, trained on a data set."""
    chosen = [run for run in pictures.runs if run["cell"]["prompt"] == "tokens" and run["cell"]["data"] == data]
    return next(run["extra"]["specific"] for run in chosen if run["cell"]["seed"] == 0)

# %%
two = [None, recorded_weights("digits")]  # as drawn, and trained; shuffled, so that this cell does not tell
rows = {name: tokens_of(digits, two[n]) for name, n in zip("AB", np.random.default_rng(0).permutation(2), strict=True)}
names = [str(int(label)) for label in digits.test.labels[:250]]
print("points:", {name: tuple(tokens.shape) for name, tokens in rows.items()})

# %%
about = "a point is a test image of digits, written as its class"
planes = {f"perplexity {p}": (tsne(rows["A"], perplexity=p), names) for p in (5, 30, 80)}
clouds(planes, "Row A: specific tokens in the plane", about=about, label="your run, 250 test images, seed 0")

# %%
planes = {f"perplexity {p}": (tsne(rows["B"], perplexity=p), names) for p in (5, 30, 80)}
clouds(planes, "Row B: specific tokens in the plane", about=about, label="your run, 250 test images, seed 0")

# %% [markdown] answer=true
# Row A has never seen a label. Three convolutions with random weights, and the classes lie apart.
# The tokens are a blurred copy of the image, and images of one digit resemble each other.
#
# Look along a row, too. The points are the same three times. Perplexity is about the number of neighbors that a point
# cares for: with 5 the plane falls into many small groups, with 80 into few large ones. Neither the size of a group
# nor the gap between two of them was measured by anything.

# %% [markdown]
# **Question.** What would the same picture show for plain pixels, for the frozen network's features without any
# prompt, and for *trained* tokens of the other set?

# %%
bare = vpcore.Prompted(vit, vpcore.NoPrompt(vit.spec), vpcore.LinearHead(vit.spec.dim, 10))
points = {"pixels of digits": digits.test.images[:250].float().flatten(1)}
points["frozen features of digits"] = features(bare, digits.test.images[:250])
points["trained tokens of photodigits"] = tokens_of(photos, recorded_weights("photodigits"))
others = [str(int(label)) for label in photos.test.labels[:250]]
planes = {name: (tsne(rows), others if "photo" in name else names) for name, rows in points.items()}
about = "a point is a test image, written as its class"
clouds(planes, "Controls, perplexity 30", about=about, label="your run, 250 test images each, seed 0")

# %% [markdown] answer=true
# Pixels need no network for their clusters, and frozen features no prompt. The trained tokens of *photodigits* gather
# too, and in our run in groups that hold all ten digits: they follow something else. The photographs behind the digits
# are one candidate.

# %% [markdown]
# So measure. For each image, take its k nearest other images **in the original space**, $\mathcal N_k(i)$. What share
# of them has its label $y_i$?
#
# $$A_k = \frac1N \sum_{i=1}^{N} \frac1k \sum_{j \in \mathcal N_k(i)} \mathbf 1[y_j = y_i]$$
#
# No plane, no perplexity, no impression.

# %% [markdown]
# ### Exercise: agreement of neighbors
#
# `features` is (N, D), `labels` is (N,). A point is no neighbor of itself. Distances are Euclidean. Return one number:
# the share of the k nearest neighbors that have the point's label, averaged over all points.


# %% exercise={"id": "07-neighbors", "points": 3, "minutes": 7, "difficulty": 2, "path": "core", "needs": ["setup"]}
def agreement(features, labels, k):
    """Return the share of the k nearest other points with the same label, averaged over all points."""
    ### BEGIN SOLUTION
    distances = torch.cdist(features, features)
    distances.fill_diagonal_(torch.inf)  # a point is no neighbor of itself
    nearest = distances.topk(k, largest=False).indices  # (N, k)
    same = labels[nearest] == labels[:, None]
    return float(same.double().mean())
    ### END SOLUTION


# %% check="07-neighbors"
check("07-neighbors", agreement)

# %%
near = check.use("07-neighbors", agreement)
pixels = {"digits": digits.test, "photodigits": photos.test}
alone = {name: near(test.images.flatten(1).double(), test.labels, 10) for name, test in pixels.items()}
print("made by:", check.made_by("07-neighbors"))
print("more than half of a digit's neighbors share its label, by pixels alone:")
print({name: share > 0.5 for name, share in alone.items()})

# %% [markdown]
# With ten classes, labels dealt at random would agree in about one case of ten. On *digits*, plain pixels do far
# better. Whatever keeps the neighbors of such images near shows clusters, trained or not.
#
# **Question.** What does *training* add to the neighbors of $p^s$, on either set? Write down a guess in points.

# %%
KINDS = ("pixels", "frozen features", "untrained tokens", "trained tokens")


def agreements(data, kind):
    """Return the recorded agreement of ten neighbors in percent, one number a seed."""
    chosen = [run for run in pictures.runs if run["cell"]["data"] == data and run["cell"]["prompt"] == "tokens"]
    chosen.sort(key=lambda run: run["cell"]["seed"])
    return np.array([100 * run["extra"]["agreement"][kind] for run in chosen])

# %% name="say"
def say(name, values, unit=""):
    """Print mean and 95 % interval over seeds, and return both ends with the mean."""
    found = t_interval(list(values))
    print(f"{name:46} {found.mean:+6.2f}{unit}  ({found.low:+.2f} to {found.high:+.2f})")
    return found.mean, found.low, found.high


# %%
for data, test in pixels.items():
    shares = "   ".join(f"{kind} {agreements(data, kind).mean():.1f}" for kind in KINDS)
    reached = pictures.accuracies(data, "tokens", "vit_nano")
    print(f"{data}, {len(test)} images, accuracy with tokens {reached.mean():.1f} ± {reached.std(ddof=1):.1f} %")
    print(f"  % of ten neighbors: {shares}")

# %%
gains = {}
for data in pixels:
    for control in KINDS[:3]:
        name = f"{data}: trained − {control}"
        gains[name] = say(name, agreements(data, "trained tokens") - agreements(data, control))
show.intervals(gains, "What training adds to the tokens' neighbors", label="recorded, 5 seeds, % of ten neighbors")

# %% [markdown] answer=true
# On neither set can five seeds tell what training added: both "trained − untrained" intervals hold zero. So the
# clusters above are no sign of learning. They are the images': on *digits* plain pixels have *more* agreeing neighbors
# than trained tokens. (The tokens beat the frozen features, so a comparison with those alone would flatter the tokens.)
# On *photodigits* hardly anything gathers by class, neither pixels nor tokens, and yet the model, tokens and head
# together, classifies far above one in ten: accuracy needs no clusters in $p^s$. How much of it is the tokens' was not
# measured.
#
# InsVP's own, larger network may have learned such clusters; its figure alone cannot show it.
#
# Three controls turn a picture of points into a measurement: an **untrained** maker of the points, the **raw input**,
# and a number from the **original space** with an interval over seeds.

# %% [markdown]
# ## 2. Does the map notice when the network is gone?
#
# In lesson 02 you drew Grad-CAM maps: which places speak for a class? Such maps look convincing, because a bright
# spot on an object agrees with what we expect. Adebayo et al. (2018) ask for more. Destroy the weights, step by step
# from the top: the head, the last block, the one before. If the map stays, it never told of what was learned.
#
# "Destroyed" needs a definition. We shuffle: the entries of each parameter change places.
# Every tensor keeps its mean and its size, and nothing that was learned. (Adebayo et al. draw new weights.)

# %% [markdown]
# ### Exercise: shuffle the top
#
# `parts` is an `nn.ModuleList`, from the pixels to the head. Return a copy in which the entries of **each** parameter
# of the last `count` parts are shuffled, as one flat list. Buffers, such as a batch norm's statistics, stay as they
# are. `count` may be 0. Leave the original alone, and the global random streams too: make a generator of your own from
# `seed`.


# %% exercise={"id": "07-randomize", "points": 3, "minutes": 8, "difficulty": 2, "path": "core", "needs": ["setup"]}
def shuffle_top(parts, count, seed):
    """Return a copy of parts; the entries of each parameter of the last `count` of them are shuffled."""
    ### BEGIN SOLUTION
    shuffled = copy.deepcopy(parts)
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for part in list(shuffled)[len(parts) - count :]:
            for values in part.parameters():
                order = torch.randperm(values.numel(), generator=draw)
                values.copy_(values.flatten()[order].view_as(values))
    return shuffled
    ### END SOLUTION


# %% check="07-randomize"
check("07-randomize", shuffle_top)

# %% [markdown]
# Now two models on a frozen `resnet_nano`, each with two seeds: a linear probe, and an activation prompt before block 4
# (lesson 05). 500 training images, five epochs. The maps are those before block 5, with 4×4 places, drawn and ranked at
# the image's 32×32 pixels: what pooling receives has 2×2, and four places are hardly a map.

# %% name="models"
net = vpcore.load_backbone("resnet_nano")
conditions = {"linear probe": (Condition("none"), 0.03), "prompt": (Condition("ap", 4), 0.1)}
models = {}
for name, (condition, rate) in conditions.items():
    for seed in (0, 1):
        models[name, seed] = build(net, condition, 10, seed, 0.0)
        train(models[name, seed], photos, rate, seed, epochs=5)
        models[name, seed].eval()
print(len(models), "models trained;", len(parts_of(models["prompt", 0])), "parts each, from the pixels to the head")

# %%
shuffle = check.use("07-randomize", shuffle_top)
images = photos.test.images[:80].float() / 255
with torch.no_grad():
    classes = models["linear probe", 0](images).argmax(1)


def cams(model):
    """Return Grad-CAM maps for the classes that the first linear probe predicts."""
    return grad_cam(model, images, layer=CAM_LAYER, classes=classes).detach()


def shuffled(model, count):
    """Return a model with its top `count` parts shuffled."""
    return rebuilt(model, shuffle(parts_of(model), count, 0)).eval()

# %%
maps = {f"{name}, seed {seed}": cams(model) for (name, seed), model in models.items()}
maps["head shuffled"] = cams(shuffled(models["prompt", 0], 1))
maps["all parts shuffled"] = cams(shuffled(models["prompt", 0], 9))
print("shuffling nothing changes nothing:", torch.equal(cams(shuffled(models["prompt", 0], 0)), maps["prompt, seed 0"]))

# %% [markdown]
# **Question.** Four trained models, and the prompt of seed 0 with its head shuffled, then with all parts (δ stays).
# Which rows will look alike?

# %%
titles = [f"true {int(photos.test.labels[i])}, for {int(classes[i])}" for i in range(6)]
who, shown = check.made_by("07-randomize"), {name: values[:6] for name, values in maps.items()}
show.grad_cam(images[:6], shown, titles, "Grad-CAM, trained and shuffled", label="your run", made_by=who)

# %% [markdown] answer=true
# The two linear probes look alike in every column: one network, and two heads that learned nearly the same. The two
# prompts differ more. The shuffled rows look like maps, too: smooth spots, a few of them on the digit. Each row has its
# own color bar. A dark map is no fault: Grad-CAM sets negative evidence to
# zero. So eyes do not settle it.

# %% [markdown]
# Two maps agree if they put the *places* in the same **order**, whatever the units. With $a'$ the ranks of the entries
# of $a$, minus their mean, Spearman's rank correlation is the ordinary correlation of the ranks:
#
# $$\rho(a, b) = \frac{\sum_i a'_i\, b'_i}{\sqrt{\sum_i a_i'^2}\,\sqrt{\sum_i b_i'^2}}$$

# %% [markdown]
# ### Exercise: rank correlation
#
# Return Spearman's rank correlation of two arrays of one shape, as a float. Equal values share their mean rank
# (Grad-CAM maps hold many zeros). If all values of an array are equal it has no order: return 0.0.
# `stats.rankdata` may help.


# %% exercise={"id": "07-rank", "points": 3, "minutes": 5, "difficulty": 2, "path": "core", "needs": ["setup"]}
def rank_correlation(first, second):
    """Return the rank correlation of two NumPy arrays of one shape; 0.0 if one of them is constant."""
    ### BEGIN SOLUTION
    a, b = stats.rankdata(first), stats.rankdata(second)  # flat, with mean ranks
    a, b = a - a.mean(), b - b.mean()
    size = np.sqrt((a * a).sum() * (b * b).sum())
    if size == 0:
        return 0.0
    return float((a * b).sum() / size)
    ### END SOLUTION


# %% check="07-rank"
check("07-rank", rank_correlation)

# %%
rank = check.use("07-rank", rank_correlation)


def alike(first, second):
    """Return the mean rank correlation of two stacks of maps; images whose first map is flat are left out."""
    pairs = [(a.numpy(), b.numpy()) for a, b in zip(first, second, strict=True) if a.max() > a.min()]
    return float(np.mean([rank(a, b) for a, b in pairs]))

# %%
probe = maps["linear probe, seed 0"]
gone = alike(probe, cams(shuffled(models["linear probe", 0], 9)))
print("made by:", check.made_by("07-rank"))
again = alike(probe, maps["linear probe, seed 1"])
print("two seeds of the probe are more alike than a probe and its ruin:", again > gone)
print("and the ruin's correlation is below 0.3:", abs(gone) < 0.3)

# %% [markdown]
# Grad-CAM passes this test here, and so it should: its channel weights are gradients, and each of them runs through the
# head. But "passes" only says that the map depends on the weights. Does it depend on the *method*?
#
# **Question.** The recorded study has five seeds of each model, trained on more images. How high is the correlation of
# two seeds of the same method? Guess one number for the linear probe and one for the prompt.

# %%
cam = {}
for name in ("probe", "ap"):
    chosen = [run for run in pictures.runs if run["cell"]["prompt"] == name]
    cam[name] = [run["extra"] for run in sorted(chosen, key=lambda run: run["cell"]["seed"])]

# %%
print("rank correlation of Grad-CAM maps, 100 test images, mean over 5 seeds (95 % interval)")
for name, words in {"probe": "linear probe", "ap": "prompt"}.items():
    say(f"{words}: one seed and the next", [run["next seed"] for run in cam[name]])
    say(f"{words}: trained and head shuffled", [run["cascade"][1] for run in cam[name]])
    say(f"{words}: trained and all shuffled", [run["cascade"][-1] for run in cam[name]])
    say(f"{words}: predicted and second class", [run["second class"] for run in cam[name]])
_ = say("before and after: probe and prompt", [run["probe"] for run in cam["ap"]])
_ = say("prompt: two seeds − before and after", [run["next seed"] - run["probe"] for run in cam["ap"]])

# %%
kinds = {"probe": "linear probe", "ap": "prompt"}
curves = {words: (range(10), np.mean([run["cascade"] for run in cam[name]], 0)) for name, words in kinds.items()}
curves["two probes"] = (range(10), np.full(10, np.mean([run["next seed"] for run in cam["probe"]])))
curves["two prompts"] = (range(10), np.full(10, np.mean([run["next seed"] for run in cam["ap"]])))
words = {"across": "parts shuffled, from the top (1: the head)", "up": "rank correlation with the trained map"}
show.lines(curves, "Grad-CAM while the network is destroyed", **words, label="recorded, 5 seeds, 100 images")

# %% [markdown] answer=true
# Shuffling the head alone brings both correlations near zero; every later step finds nothing left to destroy. The maps
# of the second class differ as well. So the map tells of the weights, and of the class.
#
# Now the two horizontal lines. Two linear probes agree: their loss is convex, so all seeds head for the same place.
# Two *prompts* that differ in their seed alone, trained on the same images, hardly agree on where the evidence lies.
# "Before and after" differ a little more than two seeds do: the last interval is just above zero.
# Most of the change that a before/after picture shows would also be seen between two seeds *after*.
#
# How sure is that? Each seed stands in two pairs (0 and 1, 1 and 2, …), so these intervals are somewhat too short, and
# all seeds share the same 100 images. The prompt's rate, 0.1, is the largest of the four that validation could choose
# from; with a smaller one, two seeds may agree more.

# %% [markdown]
# ## Deeper: before and after
#
# The first map is the linear probe's, the second one that of the model you choose. Each has its own color bar, in
# logits. Find an image on which the prompt seems to have "moved the attention to the digit". Then choose
# "prompt, weights shuffled" with few parts, and find one there.

# %% name="explorer"
pair = {name: models[name, 0] for name in conditions}
explorer = CamExplorer(photos.test.images[:20], photos.test.labels[:20], pair)
explorer

# %% [markdown]
# Among twenty images there is one for every story. Whoever shows you a single pair of maps has chosen it.

# %% [markdown]
# ## Deeper: where does a layer look?
#
# This is how AP's paper (Zhang et al. 2026) explains its layer preference: AP works where features are *global*. CNNs
# become global late, ViTs are global early. To see whether that is so, one needs a measure.
#
# **Attention distance** (Dosovitskiy et al. 2021): how far, in pixels, does a patch look, on average over what it
# attends to? With attention $a_{qk}$ from patch $q$ to patch $k$, scaled so that $\sum_k a_{qk} = 1$, and places $p$ in
# pixels,
#
# $$d = \frac1N \sum_{q=1}^{N} \sum_{k=1}^{N} a_{qk}\, \lVert p_q - p_k \rVert .$$

# %% [markdown]
# ### Exercise: mean attention distance
#
# `weights` is (heads, 1 + N, 1 + N): rows are queries, the class token stands first. `places` is (N, 2), in pixels.
# Leave the class token out, scale each row to sum to 1 again, and return for each head the mean distance, over queries,
# from a patch to what it looks at.


# %% exercise={"id": "07-distance", "points": 2, "minutes": 6, "difficulty": 2, "path": "extra", "needs": ["setup"]}
def mean_distance(weights, places):
    """Return the mean attention distance of each head, (heads,), in pixels."""
    ### BEGIN SOLUTION
    among = weights[:, 1:, 1:]  # without the class token
    among = among / among.sum(-1, keepdim=True)
    distances = torch.cdist(places, places)
    return (among * distances).sum(-1).mean(-1)
    ### END SOLUTION


# %% check="07-distance"
check("07-distance", mean_distance)

# %%
reach = check.use("07-distance", mean_distance)
steps = torch.arange(4) * float(vit.spec.patch_size)
places = torch.cartesian_prod(steps, steps)
by_hand = torch.stack([
    torch.stack([reach(weights, places) for weights in attention_weights(bare, images[:20], layer)]).mean(0)
    for layer in range(vit.spec.depth)
])  # fmt: skip
print("made by:", check.made_by("07-distance"))
print("the same as the library's, block by block:", torch.allclose(by_hand, attention_distances(bare, images[:20])))

# %% [markdown]
# **Question.** Our ViT has 4×4 patches of 8 pixels. How far would a head look that attends evenly? And which of its
# blocks will look farthest?

# %%
apart = torch.cdist(places, places)
print(f"even attention: {float(apart.mean()):.2f} pixels; the farthest patch: {float(apart.max()):.2f}")
heads = {f"head {head}": (range(6), attention_distances(bare, images[:64])[:, head]) for head in range(3)}
words = {"across": "block", "up": "attention distance (pixels)"}
title = "How far each head looks (dashed: even attention)"
show.lines(heads, title, **words, level=float(apart.mean()), live=True, label="your run, vit_nano, 64 test images")

# %% [markdown] answer=true
# In our ViT the last two blocks look farthest, nearly evenly. Going up, the distance falls at first, and then rises.
# That is not "global early". But the measure is coarse here: with 16 patches there is little room between "near" and
# "everywhere". And it says where a head looks, not what it does with what it sees.

# %% [markdown]
# ## Deeper: do two layers see alike?
#
# **Linear CKA** (Kornblith et al. 2019) asks whether two layers see the same images as alike. Center the features $X$
# and $Y$ of both layers over the images, form the tables of inner products between images, $K = XX^\top$ and $L =
# YY^\top$, and compare the two tables as if they were vectors:
#
# $$\mathrm{CKA}(X, Y) = \frac{\langle K, L\rangle}{\lVert K\rVert\,\lVert L\rVert}.$$
#
# 1 means alike up to rotation and scale, 0 means nothing in common.

# %%
seen = images[:64]
cnn_model = vpcore.Prompted(net, vpcore.NoPrompt(net.spec), nn.Identity())
first, second = layer_features(cnn_model, seen)[6], layer_features(bare, seen)[3]
K, L = (centered @ centered.T for centered in (f.double() - f.double().mean(0) for f in (first, second)))
by_hand = float((K * L).sum() / (K.norm() * L.norm()))
print("linear CKA by hand agrees with vpcore:", abs(by_hand - linear_cka(first, second)) < 1e-9)

# %% [markdown]
# Layer $l$ is what enters block $l$; the last number is what leaves the last block, before pooling.
#
# **Question.** Which layer of the ViT sees images as the CNN's last layer does: an early, a middle or a late one?

# %%
views = {"CNN and CNN": (cnn_model, cnn_model), "CNN and ViT": (cnn_model, bare), "ViT and ViT": (bare, bare)}
views = {name: cka_map(*pair, seen) for name, pair in views.items()}
axes = {name: tuple(f"{word} layer" for word in name.split(" and ")) for name in views}
layer_map(views, "How alike do layers see 64 images?", names=axes, label="frozen networks, no prompt")

# %% [markdown] answer=true
# The ViT's later layers are a little more like the CNN's last than its early ones are; the differences are small.
# Neighboring layers are alike, as they must be: a residual block adds to what it gets.
# With 64 images and thousands of features, CKA is biased upwards; compare cells, not single numbers with 1.

# %% [markdown]
# ## Deeper: does attention distance predict the best layer?
#
# An activation prompt can stand before any block. AP's paper explains its best layer by this distance. Its evidence is
# that two curves over the layers look alike. We have both curves for `vit_nano`: its attention distances, and AP's
# recorded accuracy for each layer, with the runs of lesson 05.
#
# **Question.** `vit_nano` has six blocks, so there are six pairs of numbers. Before you look: how far from zero
# must a rank correlation of six points be, so that fewer than 5 % of all orders get that far by chance? With six points
# all 720 orders can be counted.

# %% point=true
def by_chance(count):
    """Return the rank correlation of 0 … count − 1 with each of its orders."""
    orders = np.array(list(permutations(range(count))), dtype=float)
    return 1 - 6 * ((orders - np.arange(count)) ** 2).sum(1) / (count * (count**2 - 1))


def p_value(found, count):
    """Return the share of all orders whose rank correlation is at least as far from zero."""
    return float((np.abs(by_chance(count)) >= abs(found) - 1e-9).mean())


for count in (4, 5, 6, 7, 8):
    levels = [level for level in np.unique(np.abs(by_chance(count))) if p_value(level, count) < 0.05]
    words = f"{levels[0]:.2f} or more" if levels else "not even 1.00 is enough"
    print(f"{count} layers, {len(by_chance(count)):6,} orders: {words}")

# %% [markdown] answer=true
# Six layers can confirm only an almost perfect agreement. A rule that holds roughly, say with a correlation of 0.6,
# would go unseen most of the time. That is a property of the *question*, and it was known before any image was read.

# %% [markdown]
# A p-value answers "could this be chance?". An interval answers "how strong may the link be?". One way to get it is the
# **bootstrap**: draw six layers from the six, with replacement, again and again, and see how the correlation moves.

# %% [markdown]
# ### Exercise: a bootstrap interval
#
# `x` and `y` hold n pairs. Each row of `draws` (R, n) holds the indices of one draw. Return (low, high): the quantiles
# 0.025 and 0.975 of the rank correlations over all draws, as `np.quantile` gives them. You may use
# `stats.spearmanr(a, b).statistic`.


# %% exercise={"id": "07-interval", "points": 2, "minutes": 5, "difficulty": 2, "path": "extra", "needs": ["setup"]}
def bootstrap_interval(x, y, draws):
    """Return the ends (low, high) of the 95 % bootstrap interval of the rank correlation of n pairs."""
    ### BEGIN SOLUTION
    found = []
    for draw in draws:
        found.append(stats.spearmanr(x[draw], y[draw]).statistic)  # a pair stays a pair
    low, high = np.quantile(found, (0.025, 0.975))
    return low, high
    ### END SOLUTION


# %% check="07-interval"
check("07-interval", bootstrap_interval)

# %%
BLOCKS = range(vit.spec.depth)
distance = next(np.mean(run["extra"]["distance"], 1) for run in pictures.runs if "distance" in run["extra"])
accuracy, probes = (
    np.array([pictures.accuracies("photodigits", f"{kind}@{layer}", "vit_nano") for layer in BLOCKS])
    for kind in ("ap", "probe")
)
print("before block          ", "  ".join(f"{layer:5}" for layer in BLOCKS))
print("attention distance, px", "  ".join(f"{value:5.1f}" for value in distance))
print("AP accuracy, %        ", "  ".join(f"{value:5.1f}" for value in accuracy.mean(1)))
print("  ± sd of the seeds   ", "  ".join(f"{value:5.1f}" for value in accuracy.std(1, ddof=1)))
print("linear probe there, % ", "  ".join(f"{value:5.1f}" for value in probes.mean(1)))

# %%
ranks = {"attention distance": stats.rankdata(distance), "AP accuracy": stats.rankdata(accuracy.mean(1))}
curves = {name: (BLOCKS, values) for name, values in ranks.items()}
label = f"recorded, {accuracy.shape[1]} seeds, 1,000 test images, vit_nano"
show.lines(curves, "Two curves over six layers", across="before block", up="rank (1: smallest)", label=label)

# %% [markdown]
# **Question.** Do the two curves agree? And does the distance say more than the plain number of the layer, or than a
# linear probe on the activations of that layer?

# %%
interval = check.use("07-interval", bootstrap_interval)
draws = np.random.default_rng(0).integers(len(BLOCKS), size=(1000, len(BLOCKS)))
draws = draws[[len(set(draw)) > 2 for draw in draws.tolist()]]  # three layers or more, so that there is an order
rules = {"attention distance": distance, "number of the layer": np.arange(6.0), "linear probe there": probes.mean(1)}
print("made by:", check.made_by("07-interval"))
print("rank correlation with AP's accuracy over 6 layers (95 % bootstrap interval), p of all 720 orders")
for name, rule in rules.items():
    found = float(stats.spearmanr(rule, accuracy.mean(1)).statistic)
    low, high = interval(rule, accuracy.mean(1), draws)
    word = "cannot tell" if low <= 0 <= high or p_value(found, 6) >= 0.05 else "a link"
    print(f"{name:20} {found:+.2f}  ({low:+.2f} to {high:+.2f})  p = {p_value(found, 6):.2f}  {word}")

# %% [markdown] answer=true
# Three rules, three times "cannot tell". (The probe's first three values are chance, so their order is luck.) The
# intervals reach from one end to the other. That is not a poor experiment: it is all that six layers hold. A bootstrap
# of six points is itself a rough tool; the count of orders is exact. Look at the standard deviations as well:
# neighboring layers lie close to each other by that measure, so even the ranks of AP are partly luck.
#
# What we may say: on this network and this set, the distance does not *show* the link that AP's paper sees in its
# figure. What we may not say: that there is none. A ViT-B has twelve layers, where a correlation of 0.59 would do.
# More layers of one network are a poor substitute for more networks: neighboring layers resemble each other, so they
# are not independent witnesses, and a rule "predicts" only what it has not been fitted to.

# %% [markdown]
# ## Deeper: what would convince you?
#
# ### Exercise: what would convince you?
#
# A paper shows t-SNE clusters of its prompts, and one Grad-CAM pair in which the spot moved onto the bird after
# prompting. It concludes: "The prompts capture what is discriminative." In four sentences: which controls are
# missing, and which result of each would support or refute the claim?

# %% [markdown] exercise={"id": "07-explain", "points": 3, "minutes": 5, "difficulty": 2, "path": "extra"}
# ### BEGIN SOLUTION
# For the clusters I need the same plot, and the agreement of neighbors in the original space, for raw pixels, for
# frozen features and for the untrained prompter, over at least five seeds. A gain over the untrained prompter speaks
# for learning; one over pixels and features says that the prompt adds something to them. For the maps I need many
# images that nobody has chosen, and the rank correlation between before and after next to the one between two seeds of
# the same method: if the two are alike, the movement is seed noise. A cascade of shuffled weights must bring the
# correlation to zero, otherwise the map does not show what was learned. Even if all pass, "capture what is
# discriminative" should show in use, so I would ask whether accuracy falls when the prompt of another image is used.
# ### END SOLUTION
# ### BEGIN MARK SCHEME
# 3 points: names an untrained or raw-input control for t-SNE with a number in the original space; the seed-against-seed
#   baseline or unchosen images for Grad-CAM; randomized weights; and says which outcome would refute the claim.
# 2 points: two of these controls, with an outcome for at least one.
# 1 point: one control, or doubts the pictures for one correct reason.
# ### END MARK SCHEME

# %% [markdown]
# ## Recap
#
# - t-SNE keeps near neighbors. Sizes of groups, gaps between them and directions carry no meaning.
# - Clusters also appear for random weights, where the input separates the classes already. Measure in the original
#   space, against the raw input and an untrained maker, over seeds.
# - A saliency map must change when the network is destroyed. That is necessary, and does not make it an explanation.
# - The measure for "the prompt moved the map" is how far apart two seeds of one method are.
# - Attention distance and CKA describe layers. Whether they predict the best one is a separate test.
# - Before you correlate curves over layers, count what so few points can show.
#
# **How far this goes.** Two networks of 0.6 to 0.7 million weights at 32 pixels, and two sets of digits. The published
# pictures come from larger networks and photographs; tests like these would have to be run there again. Nobody here ran
# one on the ImageNet network of lesson 05.

# %% [markdown]
# ## Self-test
#
# ### Exercise: clusters without training
#
# t-SNE shows clear classes for tokens of an untrained prompter. What follows?
#
# - **a** the prompter has learned classes
# - **b** the images, or random features of them, already keep classes apart
# - **c** nothing about the original space: t-SNE invents clusters of any labels

# %% exercise={"id": "07-quiz-clusters", "points": 1, "minutes": 1, "difficulty": 1, "path": "extra"}
clusters = ...  # "a", "b" or "c"
### BEGIN SOLUTION
clusters = "b"
### END SOLUTION

# %% check="07-quiz-clusters"
check.quiz("07-quiz-clusters", clusters)

# %% [markdown]
# ### Exercise: what a plane does not say
#
# Which of these carry **no** meaning in a t-SNE plane? Give all, as in "a, c".
#
# - **a** how large a group is
# - **b** how far apart two groups are
# - **c** who the near neighbors of a point are
# - **d** which group stands to the left

# %% exercise={"id": "07-quiz-plot", "points": 1, "minutes": 1, "difficulty": 2, "path": "extra"}
no_meaning = ...  # such as "a, c"
### BEGIN SOLUTION
no_meaning = "a, b, d"
### END SOLUTION

# %% check="07-quiz-plot"
check.quiz("07-quiz-plot", no_meaning)

# %% [markdown]
# ### Exercise: six layers
#
# A rule and AP's accuracy have a rank correlation of 0.6 over the six layers of a ViT (p = 0.24). What follows?
#
# - **a** the rule predicts the best layer
# - **b** the rule has nothing to do with the best layer
# - **c** six layers cannot tell; more networks would

# %% exercise={"id": "07-quiz-six", "points": 1, "minutes": 1, "difficulty": 1, "path": "extra"}
six = ...  # "a", "b" or "c"
### BEGIN SOLUTION
six = "c"
### END SOLUTION

# %% check="07-quiz-six"
check.quiz("07-quiz-six", six)

# %% [markdown]
# ## Further reading
#
# - Liu, Peng, Zhou (2024). InsVP: Efficient Instance Visual Prompting from Image Itself. ACM Multimedia;
#   OpenReview OTjo1q8rWL. Its tokens in the plane.
# - Zhang et al. (2026). Visual Prompting Reimagined: The Power of the Activation Prompts.
#   [arXiv:2604.06440](https://arxiv.org/abs/2604.06440). Attention distance and the best layer.
# - J. Adebayo, J. Gilmer, M. Muelly, I. Goodfellow, M. Hardt, B. Kim (2018). Sanity Checks for Saliency Maps.
#   [arXiv:1810.03292](https://arxiv.org/abs/1810.03292). Destroy the weights, and see whether the map notices.
# - R. R. Selvaraju et al. (2017). Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization.
#   [arXiv:1610.02391](https://arxiv.org/abs/1610.02391). Equations 1 and 2.
# - L. van der Maaten, G. Hinton (2008). Visualizing Data using t-SNE. Journal of Machine Learning Research 9.
#   What it keeps, and what it does not.
# - A. Dosovitskiy et al. (2021). An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale.
#   [arXiv:2010.11929](https://arxiv.org/abs/2010.11929). Attention distance, appendix D.7.
# - X. Bouthillier et al. (2021). Accounting for Variance in Machine Learning Benchmarks.
#   [arXiv:2103.03098](https://arxiv.org/abs/2103.03098).
#   Seeds and data sets as lotteries.
# - S. Kornblith, M. Norouzi, H. Lee, G. Hinton (2019). Similarity of Neural Network Representations Revisited.
#   [arXiv:1905.00414](https://arxiv.org/abs/1905.00414). Linear CKA.

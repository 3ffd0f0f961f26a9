# %% [markdown]
# # Instance feature prompts
#
# **You will be able to**
#
# - put prompt tokens into a ViT's sequence, and throw away what a block made of them;
# - make a token from an image, and say which networks have room for it;
# - find a part of a model that never learned, and say what its random weights did meanwhile;
# - read an ablation table: added up, left out, and with a frozen control.
#
# **Before you start**: lesson 02 (paired seeds and intervals) and lesson 03 (pictures made from the image itself).
#
# **Your time**: 45 minutes for the core, 60 for the deeper sections.
# **Machine time**: about 40 seconds on two CPU cores.

# %% name="setup"
from itertools import pairwise

import numpy as np
import torch
from sklearn.manifold import TSNE
from torch.nn import functional as F

import vpcore
from course import check, show
from course.recorded import recorded
from course.show import drawings
from course.show.clouds import clouds, tradeoff
from course.show.sizes import more_images
from course.studies.tokens_04 import build
from course.studies.tokens_04 import rates as rates_of
from course.widgets.tokens import TokensExplorer
from vpcore.prompts.parts.prompters import token_grid
from vpcore.statistics import image_variance, smallest_detectable_difference

torch.set_num_threads(1)  # so small a network gains nothing from a second thread

# %% [markdown]
# ## 1. From pixels to tokens
#
# Lesson 03 prompted pixels. A ViT cuts the image into patches, and from then on sees a sequence of tokens:
# one class token, then one token for each patch. A block lets every token look at every other one.
#
# **Question.** What if we append a few tokens that belong to no patch?

# %% name="data"
photos = vpcore.load_data("photodigits", num_train=1000)
backbone = vpcore.load_backbone("vit_nano")
spec = backbone.spec
print("images:", tuple(photos.train.images.shape), "to train on,", len(photos.test), "to test on")
print(f"sequence: {spec.shapes[0][0]} tokens of {spec.dim} numbers; class token and {spec.num_tokens} patches")
print("blocks:", spec.depth)

# %% [markdown] answer=true
# The images are *photodigits*: real handwritten digits, colored, at random places on crops of photographs. They are
# semi-synthetic. The network was trained on CIFAR-100, is frozen, and stays so.
#
# All other tokens look at the extra ones, so these steer every block, and no weight has to change. Visual prompt tuning
# (VPT; Jia et al. 2022) learns L_p such tokens. It has two forms.
#
# - **shallow**: insert L_p tokens before the first block. The blocks carry them along.
# - **deep**: every block has L_p tokens of its own. What a block made of its tokens is thrown away after it, and the
#   next block gets new ones.
#
# Either way the prompt stands between class token and patches, and has no position embedding. After the last block it
# is cut off: pooling gets the class token and the patches only.

# %%
drawings.tokens(deep=True)

# %% [markdown]
# Write $c_j$ for the class token and $E_j$ for the patch tokens after block $j$, $p_j$ for the prompt tokens of that
# block, and $B_j$ for the block. With deep prompts, block $j$ = 1, 2, … computes
#
# $$[c_j,\, \cdot\,,\, E_j] = B_j\big([c_{j-1},\, p_j,\, E_{j-1}]\big),$$
#
# where the dot stands for what the block made of the prompt, which nobody reads.

# %% [markdown]
# ### Exercise: token bookkeeping
#
# `z` (B, 1 + N, D) is what the first block would get without a prompt. `blocks` is a list of functions, `tokens` a list
# of tensors (B, L_p, D): one for the first block, one for the second, and so on. They go between the class token and
# the patches. There may be fewer of them than blocks, or none; the blocks that are left over get no prompt. Return the
# last sequence, (B, 1 + N, D), and a list with the length (number of tokens) of what each block got.


# %% exercise={"id": "04-tokens", "points": 3, "minutes": 10, "difficulty": 2, "path": "core", "needs": ["setup"]}
def run_blocks(z, blocks, tokens):
    """Return the sequence behind all blocks without prompt, and the length of what each block got."""
    ### BEGIN SOLUTION
    lengths = []
    for layer, block in enumerate(blocks):
        count = tokens[layer].shape[1] if layer < len(tokens) else 0
        if count:
            z = torch.cat([z[:, :1], tokens[layer], z[:, 1:]], dim=1)
        lengths.append(z.shape[1])
        z = block(z)
        z = torch.cat([z[:, :1], z[:, 1 + count :]], dim=1)
    return z, lengths
    ### END SOLUTION


# %% check="04-tokens"
check("04-tokens", run_blocks)

# %% [markdown]
# Stuck? `check.hint("04-tokens")` gives one hint at a time, in a new cell of yours.
#
# **Question.** Four tokens in the first three of six blocks: which lengths do the blocks see?

# %%
run = check.use("04-tokens", run_blocks)
print("made by:", check.made_by("04-tokens"))
prompt = vpcore.DeepTokens(spec, num_tokens=4)
model = vpcore.Prompted(backbone, prompt, torch.nn.Identity())
images = photos.test.images[:8].float() / 255
values = [layer_tokens.expand(8, -1, -1) for layer_tokens in prompt.tokens.values]
with torch.no_grad():
    embedded = backbone.embed(model.normalize(images))
    print("three prompted blocks:", run(embedded, backbone.blocks, values[:3])[1])
    z, lengths = run(embedded, backbone.blocks, values)
    print("all six blocks:       ", lengths)
    print("equals vpcore's VPT-deep:", torch.allclose(backbone.pool(z), model.features(images), atol=1e-4))

# %% [markdown] answer=true
# Seventeen tokens and four more in the first three blocks, and seventeen in the others: what a block made of its tokens
# is cut off.

# %% [markdown]
# **Question.** The four tokens of a block could stand in any order. Does the order matter? Does their size?

# %%
with torch.no_grad():
    turned = [layer_tokens.flip(1) for layer_tokens in values]
    larger = [3 * layer_tokens for layer_tokens in values]
    fresh = [layer_tokens.expand(8, -1, -1) for layer_tokens in vpcore.DeepTokens(spec, 4, seed=1).tokens.values]
    for name, changed in {"other order": turned, "three times the values": larger, "other values": fresh}.items():
        same = torch.allclose(run(embedded, backbone.blocks, changed)[0], z, atol=1e-3)
        print(f"{name}: same sequence behind the last block: {same}")

# %% [markdown] answer=true
# Attention takes a weighted sum over tokens, and a sum has no order. Only position embeddings tell patches apart, and
# a prompt has none. So "the third prompt token" has no meaning, and neither has "before or after the patches", apart
# from bookkeeping.
#
# Each block begins with a layer norm of every token. It removes the size, and what the block adds to the token is
# thrown away. So deep tokens have a direction, and no size that matters to what is computed.
# It does matter to training: Adam moves every entry by about the rate, which turns a large token less than a small one.
#
# VPT starts uniform in ±√(6 / (3 · patch² + D)), here ±0.144. At least seven published programs named VPT start
# otherwise, from all zeros to ±1 (InsVP's): one name, several methods.

# %% [markdown]
# **Question.** With shallow prompts, block 2 sees what block 1 made of the tokens. How much of that is left with deep
# prompts? (This lesson counts blocks from 1, as the papers do; the code counts from 0.)

# %% [markdown] answer=true
# Only what class token and patches took from them while they were there.

# %% [markdown]
# ## 2. A token made from the image
#
# VPT's tokens are the same for all images. InsVP (Liu, Peng, Zhou 2024) adds tokens that a small network G_s makes
# from each image. It mixes the two kinds before block j:
#
# $$p_j = \beta_F\, p^c_j + (1 - \beta_F)\, p^s, \qquad p^s = G_s(x) .$$
#
# The **common** tokens $p^c_j$ are learned, one set a block. The **specific** tokens $p^s$ are computed once from the
# original image, and shared by all blocks.

# %%
drawings.instance_tokens()

# %% [markdown]
# $G_s$ is three convolutions with pooling between them. Its channels go from 3 to $L_p$, to $3 L_p$, to $3 L_p$. The
# first pooling makes maps of 16 × 11, the second those of the grid that $D / 3$ numbers fill.


# %% name="maps"
def specific_maps(prompter, x):
    """Return the maps (B, 3·L_p, h, w) that G_s makes of normalized images (B, 3, 32, 32)."""
    first, second, third = prompter.convs
    z = F.adaptive_max_pool2d(F.relu(first(x)), (16, 11))
    z = F.adaptive_max_pool2d(F.relu(second(z)), prompter.grid)
    return third(z)


instance = vpcore.InstancePrompt(spec, 4, ("common", "specific"))
x = model.normalize(images)
print("maps:", tuple(specific_maps(instance.specific, x).shape), "for", instance.num_tokens, "tokens of", spec.dim)

# %% [markdown]
# Twelve maps of 8×4 numbers must become four tokens of 96 numbers.
#
# **Question.** How many maps make a token? For which D can three maps not make one?

# %% [markdown]
# ### Exercise: from maps to tokens
#
# `maps` has shape (B, K, h, w). A token is c whole maps, with c·h·w = `dim`. Token t is maps c·t … c·t + c − 1, each
# read row by row. Return the tokens, (B, K/c, dim). Where c is no whole number, or does not divide K, return None.


# %% exercise={"id": "04-reshape", "points": 2, "minutes": 6, "difficulty": 2, "path": "core", "needs": ["setup"]}
def to_tokens(maps, dim):
    """Return the tokens (B, K/c, dim) that maps (B, K, h, w) make, or None where they do not fit."""
    ### BEGIN SOLUTION
    batch, chans, height, width = maps.shape
    each, rest = divmod(dim, height * width)  # maps a token
    if rest or chans % each:
        return None
    return maps.reshape(batch, chans // each, dim)
    ### END SOLUTION


# %% check="04-reshape"
check("04-reshape", to_tokens)

# %%
cut = check.use("04-reshape", to_tokens)
print("made by:", check.made_by("04-reshape"))
with torch.no_grad():
    own = cut(specific_maps(instance.specific, x), spec.dim)
    print("tokens:", tuple(own.shape), "equal to vpcore's:", torch.equal(own, instance.specific(x)))
for dim in (96, 192, 384, 768, 1024):
    grid = token_grid(dim) if dim % 3 == 0 else None
    print(f"dim {dim:4}:", f"3 maps of {grid[0]}×{grid[1]}" if grid else "no three maps make a token")

# %% [markdown] answer=true
# InsVP takes three maps a token, h and w as equal as can be. A ViT-B has D = 768 = 3 · 16 · 16: the shape of one of
# its own color patches. A ViT-L has 1024, which three does not divide; with our 12 maps, c would have to be 1, 2 or 4.

# %% [markdown]
# Three maps are a color picture, so you can look at a specific token: undo the reshape.
#
# **Question.** G_s is random so far. Will its tokens tell two images apart?

# %%
pictures = 0.5 + instance.token_pictures(own).detach() / 0.6  # (8, 4, 3, 8, 4); gray is zero
panels = {}
for image in (0, 3):
    panels |= {f"image {image}": images[image]}
    panels |= {f"token {token} of image {image}": pictures[image, token] for token in (0, 1)}
label = "random G_s; gray is zero, black and white are ±0.3"
show.image_row(list(panels.values()), list(panels), "Specific tokens as pictures", label=label)

# %% [markdown] answer=true
# They do: convolutions of different images differ, whatever their weights. What a token shows comes from its image.
# "The tokens look meaningful" is no sign that anything was learned.

# %% [markdown]
# ## 3. What do the parts bring?
#
# The paper's table 5 adds four parts one after the other: patch and global prompter (lesson 03), common and specific
# tokens. We recorded the same rows on our small network.
# Everything here is ours: 1,000 training
# images, 4 epochs, L_p = 4, five seeds. The head has one rate in all conditions, the probe's best. Each
# condition's prompt has its own, the best of four trials of 2 epochs on validation. Three of the four are 0.001, 0.0032
# and 0.01 (the published rates are 0.0005 to 0.005); the fourth lies next to the best of these.
#
# **Question.** Which step will be the largest? And will any step go down?

# %%
table = recorded("insvp_features")
print(table.about("photodigits"))
rates = {run_["cell"]["prompt"]: run_["cell"].get("lr") for run_ in table.runs}
head_rate = table.runs[0]["cell"]["head_lr"]


def accuracy(condition):
    """Return the recorded test accuracies of a condition in percent, one per seed."""
    return table.accuracies("photodigits", condition, "vit_nano")

# %%
STEPS = {"linear probe": "none", "+ patch": "patch", "+ global": "patch+global", "+ common": "patch+global+common",
         "+ specific": "all"}  # fmt: skip
rows = {name: accuracy(condition) for name, condition in STEPS.items()}
show.settings(rows, "InsVP's parts, added one after the other", label="recorded, vit_nano, 5 seeds, 1,000 test images")


# %% name="compare"
def compare(pairs):
    """Print and return (mean, low, high) in points, for other seeds and other test images; name → (before, after)."""
    found = {}
    for name, conditions in pairs.items():
        found[name] = gain = table.gain("photodigits", *conditions, "vit_nano")
        words = f"{gain.mean:+6.2f}  ({gain.low:+6.2f} to {gain.high:+6.2f})"
        print(f"{name:43} {words}  {gain.verdict('differs', 'differs')}")
    return found

# %%
names = list(STEPS)
steps = {f"{name}, to the row before": (STEPS[old], STEPS[name]) for old, name in pairwise(names)}
steps |= {f"{name}, to the linear probe": ("none", STEPS[name]) for name in names[1:]}
found = compare(steps)

# %% [markdown] answer=true
# The global prompter's step has the largest mean, and we cannot tell it from zero. Three parts together differ from the
# probe. Then the specific tokens come,
# and the last step goes **down**: its interval lies below zero. With all four parts we cannot tell whether anything was
# gained over the probe.
#
# The paper's last step goes up, by 0.3 to 1.6 points. Ours says nothing about its tables: other images, a far smaller
# network, 128 steps, and rates from a short search. All our rows lie close to the probe. What our runs do say: here,
# the image's own tokens brought no gain. Seven different intervals are seven chances of a false alarm; no single one is
# proof.

# %% [markdown]
# **Question.** In the paper's table the last step is the smallest on all four data sets. Is the last part the least
# useful one?

# %% [markdown] answer=true
# Not necessarily: in a cumulative table each part is tested in the company of those before it. The order decides. The
# other way to ask is to leave one part out of the whole; "Deeper: left out, or frozen" does so.

# %% [markdown]
# ## 4. With more images
#
# **Question.** A thousand images are not much for networks that have to write tokens. What will 4,000 and 16,000 images
# change? These runs have a second recipe: 16 epochs of larger batches, and another rate. At 1,000 images that makes 128
# steps, as many as above.

# %%
more_images(recorded("scale"), {"InsVP, all parts": "instance", "VPT-deep": "vpt_deep"}, "vit_nano")

# %% [markdown] answer=true
# At 250 images we cannot tell. At 1,000 InsVP is eight points above the probe, at 4,000 it is 29 points above, and at
# 16,000 it is 48: the same frozen ViT reads 83 % of the digits instead of 35 %. A possible reason: a linear layer soon
# has all it can get from fixed features, and prompters change what the features are made of. We did not test it. So the
# table above says what a thousand images in one recipe leave of a method, not what the method can do.
#
# Even at 1,000 images the two figures differ: no gain above, eight points here, after as many steps. Batches are four
# times as large here, and one rate, ten times the prompt's above, serves prompt and head; we have not tested which of
# these does it. A gain belongs to a recipe.
#
# Is it the images or the steps? Both grew together; the last lines part them. When each of the 16,000 images is seen
# once, there are as many steps as with 1,000 images seen sixteen times, and InsVP gains six points: no more than with
# 1,000 images. At equal steps more images raise both accuracies, by five to seven points, and not InsVP's lead. And
# 1,000 images seen 256 times are as many steps as 16,000 have: InsVP gains nine points. Whether steps alone add to its
# eight, three seeds cannot tell, but the interval ends far below 48. So a large lead takes both, images *and* steps.
# (These long runs have the rate that InsVP has at every size; none was searched for them.)
#
# Is that much? Norm tuning of the same ViT, a rival without prompts (lesson 06), has as many trials for its rate. InsVP
# is two points below it at 250 images, at 1,000 we cannot tell, and it is 18 points above it at 16,000.
#
# Which part of InsVP does it? VPT-deep has common tokens alone, ten a block where InsVP has nine. It is three points
# below the probe at 250 images, and ten points above it at 16,000, where all parts gain 48 points. So most of that gain
# comes with what is made from the image. Whether the picture does it or the specific tokens is open: neither was
# trained alone on so many images.

# %% [markdown]
# ## Deeper: the prompter that never learned
#
# The next function hands tensors to an optimizer, as the published program of InsVP does: it goes through the model
# and collects what should learn. It runs without an error, and the loss goes down.
#
# **Question.** Can you see from the printed counts that something is wrong?


# %% name="optimizer" point=true
def collect(model):
    """Return what the optimizer should learn: head, common tokens, specific prompter."""
    found = []
    for name, part in model.named_modules():
        if name == "head":
            found += list(part.parameters())
        elif name == "prompt.common":
            found += [part.values]
        elif name == "prompt.common":
            found += list(part.convs.parameters())
    return found


suspect = vpcore.Prompted(backbone, vpcore.InstancePrompt(spec, 4, ("common", "specific")), vpcore.LinearHead(96, 10))
optimizer = torch.optim.AdamW(collect(suspect), lr=1e-2)
print("the optimizer holds", len(optimizer.param_groups[0]["params"]), "tensors")
print("the model:", vpcore.count(suspect))

# %% [markdown] answer=true
# From the model's count, no: it is that of a complete model. From the optimizer's, if you count: head and common tokens
# are three tensors already, and $G_s$ has six more. But nobody counts, so let a test do it.

# %% [markdown]
# ### Exercise: find what never learns
#
# You get a `model` on which `loss.backward()` has just been called, and its `optimizer`. Return two lists of names, as
# `model.named_parameters()` gives them and in its order: the trainable tensors that are in none of the optimizer's
# groups, and the trainable ones that are in a group but whose `.grad` is None. A frozen tensor (`requires_grad` False)
# is no suspect.


# %% exercise={"id": "04-optimizer", "points": 3, "minutes": 9, "difficulty": 2, "path": "extra", "needs": ["setup"]}
def never_learned(model, optimizer):
    """Return (missing, silent): names of trainable tensors that no group holds, and of held ones without gradient."""
    ### BEGIN SOLUTION
    held = {id(tensor) for group in optimizer.param_groups for tensor in group["params"]}
    missing, silent = [], []
    for name, tensor in model.named_parameters():
        if not tensor.requires_grad:
            continue
        if id(tensor) not in held:
            missing.append(name)
        elif tensor.grad is None:
            silent.append(name)
    return missing, silent
    ### END SOLUTION


# %% check="04-optimizer"
check("04-optimizer", never_learned)

# %%
detective = check.use("04-optimizer", never_learned)
F.cross_entropy(suspect(images), photos.test.labels[:8]).backward()
missing, silent = detective(suspect, optimizer)
print("made by:", check.made_by("04-optimizer"))
print("in no group:", *missing, sep="\n  ")
print("without a gradient:", silent)

# %% [markdown]
# All six tensors of G_s get a gradient, and nobody uses it. The second `elif` repeats the condition of the first, so it
# is never reached. In the published program the fault is of this kind, and G_s keeps its random start.
#
# The test that would have caught it is short. Take two training steps, since a last layer at zero keeps those before it
# still in the first; then every tensor that should learn has changed.

# %%
before = {name: tensor.detach().clone() for name, tensor in suspect.named_parameters() if tensor.requires_grad}
optimizer.step()
same = [name for name, tensor in suspect.named_parameters() if name in before and torch.equal(tensor, before[name])]
print("unchanged by the step:", len(same), "tensors; found by the detective:", same == missing)

# %% [markdown]
# The paper still reports a gain from the specific tokens: 0.3 to 1.6 points (its table 5).
#
# **Question.** Could random convolutions of the image be of use to a frozen network? How would you find out?

# %% [markdown] answer=true
# They could: a random filter of the image is a feature too. A control must tell it apart: the same model with G_s
# frozen at random, and one without G_s, with equal trials and paired seeds. The section on parts left out has both.

# %% [markdown]
# ## Deeper: tokens a block, prompted blocks, β_F
#
# The grid shows the sequence of each block: class token, prompt, patches. Tab moves on, Space
# presses buttons, and the arrow keys move a slider.
#
# **Question.** Before you touch it, guess: which control changes what pooling gets?

# %% name="explorer"
explorer = TokensExplorer(photos.test.images[:10], spec)
explorer

# %% [markdown] answer=true
# In shape, none: pooling always gets class token and patches. In values, all of them.

# %% [markdown]
# ## Deeper: what β_F can and cannot do
#
# The paper's figure 7 varies β_F and finds the best value between 0 and 1. Before we look, some algebra.
#
# **Question.** A colleague trains with β_F = 0.5, another with 0.9. Is there a prompt that only one of them can make?

# %% [markdown]
# ### Exercise: another β_F, the same tokens
#
# p^s comes out of a last layer with `weight` and `bias`. Return `common`, `weight` and `bias` changed in such a way
# that mixing them with `other` gives the tokens that mixing the given ones with `beta` gives.
# Both lie between 0 and 1, ends excluded.


# %% exercise={"id": "04-rescale", "points": 2, "minutes": 5, "difficulty": 2, "path": "extra", "needs": ["setup"]}
def rescale(common, weight, bias, beta, other):
    """Return (common, weight, bias) that give at `other` what the given ones give at `beta`."""
    ### BEGIN SOLUTION
    grow = (1 - beta) / (1 - other)
    return common * beta / other, weight * grow, bias * grow
    ### END SOLUTION


# %% check="04-rescale"
check("04-rescale", rescale)

# %% point=true
change = check.use("04-rescale", rescale)
print("made by:", check.made_by("04-rescale"))
other = vpcore.InstancePrompt(spec, 4, ("common", "specific"), beta_feature=0.9)
last, changed = instance.specific.convs[2], other.specific.convs[2]
with torch.no_grad():
    new = change(instance.common.values, last.weight, last.bias, 0.5, 0.9)
    for tensor, value in zip((other.common.values, changed.weight, changed.bias), new, strict=True):
        tensor.copy_(value)
    before, after = (p.tokens(x, 0, p.condition(x)) for p in (instance, other))
    print("β 0.5 and β 0.9 make the same tokens:", torch.allclose(before, after, atol=1e-5))
    end = vpcore.InstancePrompt(spec, 4, ("common", "specific"), beta_feature=1.0)
    print("β 1 is VPT-deep:", torch.equal(end.tokens(x, 0, end.condition(x))[0], end.common.values[0]))

# %% [markdown] answer=true
# There is none. All values inside (0, 1) give the same set of functions. The two ends are different: at 1 the image's
# own tokens are gone, at 0 the common ones.
#
# The published program has no β_F: it adds p^c + p^s, twice the mixture of β_F = 0.5. A layer norm takes the 2 away.
#
# What β_F does change is training: the start, and how far one step moves the tokens. Adam divides a gradient by its own
# size. So with the start *and* the learning rates rescaled, β_F = 0.9 takes the path of β_F = 0.5, up to rounding.
# "Deeper: train it, five times, in pairs" shows that it does.

# %% [markdown]
# ## Deeper: what it costs
#
# **Question.** L_p is doubled. How many more numbers are learned?

# %% [markdown]
# ### Exercise: count both kinds
#
# G_s has three convolutions with biases: `chans` → p, p → 3p and 3p → 3p channels with p = `tokens` = L_p, and square
# kernels of `kernels` = (k1, k2, k3). Return two numbers: what the common tokens of all `depth` blocks learn, and
# what G_s learns.


# %% exercise={"id": "04-count", "points": 2, "minutes": 6, "difficulty": 1, "path": "extra", "needs": ["setup"]}
def count_tokens(tokens, dim, depth, chans, kernels):
    """Return how many numbers the common tokens learn, and how many G_s learns."""
    ### BEGIN SOLUTION
    widths = (chans, tokens, 3 * tokens, 3 * tokens)
    specific = 0
    for inner, outer, kernel in zip(widths[:3], widths[1:], kernels, strict=True):
        specific += inner * outer * kernel**2 + outer
    return depth * tokens * dim, specific
    ### END SOLUTION


# %% check="04-count"
check("04-count", count_tokens)

# %% [markdown] answer=true
# The common tokens double. G_s, whose layers are $L_p$ and $3 L_p$ wide, grows with the square.

# %% [markdown]
# Now for the published sizes: ViT-B/16 (D = 768, 12 blocks), with the kernels of the released code. The patch prompter
# has 25,360 numbers there and the global one 13,437, whatever L_p is.

# %% point=true
count = check.use("04-count", count_tokens)
print("made by:", check.made_by("04-count"))
for tokens, kernels in ((9, (9, 5, 3)), (16, (7, 9, 3)), (20, (7, 9, 3))):
    common, specific = count(tokens, 768, 12, 3, kernels)
    total = 25_360 + 13_437 + common + specific
    print(
        f"L_p {tokens:2}: common {common:,}, G_s {specific:,}, all parts {total:,}; learned without G_s "
        f"{total - specific:,}"
    )
lengths = range(1, 61)
both = np.array([count(tokens, 768, 12, 3, (7, 9, 3)) for tokens in lengths])
print("G_s learns more than the common tokens from L_p =", next(p for p in lengths if both[p - 1, 1] > both[p - 1, 0]))

# %%
curves = {"common tokens": (lengths, both[:, 0] / 1000), "prompter G_s": (lengths, both[:, 1] / 1000)}
words = {"across": "L_p, tokens a block", "up": "learned numbers (thousands)"}
show.lines(curves, "Linear and quadratic in L_p", **words, label="ViT-B/16, kernels 7, 9, 3",
           made_by=check.made_by("04-count"))  # fmt: skip

# %% [markdown]
# The paper's 136,627 numbers at L_p = 9 are 0.16 % of the network; VPT-deep with 50 tokens has 460,800.
# Count the computation too: each token lengthens the sequence in every block, for training and for use.

# %% [markdown]
# ## Deeper: train it, five times, in pairs
#
# First a small run of your own. Both conditions have common tokens (so the first is VPT-deep with four tokens); the
# second mixes in the image's own. Your bookkeeping and your reshape do the work, if their checks have passed.

# %% name="model"
class Tokens(vpcore.Prompted):
    """A prompted model: `run` keeps the sequence, `cut` makes tokens of maps."""

    def features(self, images, start=None, watch=None):
        x = self.normalize(images)
        tokens = [values.expand(len(x), -1, -1) for values in self.prompt.common.values]
        if "specific" in self.prompt.parts:
            own = cut(specific_maps(self.prompt.specific, x), spec.dim)
            tokens = [0.5 * common + 0.5 * own for common in tokens]
        return self.backbone.pool(run(self.backbone.embed(x), self.backbone.blocks, tokens)[0])


# %% name="train"
few, valid, test = photos.train.take(range(200)), photos.valid.take(range(50)), photos.test.take(range(500))
CONDITIONS = {"vpt_deep": ("common",), "common+specific": ("common", "specific")}


def train(condition, seed):
    """Train a condition on 200 images; return the model and its test accuracy in percent."""
    prompt = vpcore.InstancePrompt(spec, 4, CONDITIONS[condition], seed=seed)
    model = Tokens(backbone, prompt, vpcore.LinearHead(spec.dim, 10, seed=seed))
    lr = {"prompt": rates[condition], "head": head_rate}
    vpcore.fit(model, few, valid, epochs=3, lr=lr, batch_size=32, seed=seed)
    return model, 100 * vpcore.evaluate(model, test).accuracy


# %% [markdown]
# The rates are those that the recorded runs below chose on validation. The two runs of a pair share initial tokens,
# head and batches.
#
# **Question.** Two hundred images, five pairs: will the difference be larger than its spread?

# %% name="pairs"
runs = {condition: [train(condition, seed) for seed in range(5)] for condition in CONDITIONS}
for condition, pairs in runs.items():
    print(f"{condition:15}", vpcore.count(pairs[0][0]))
F.cross_entropy(runs["common+specific"][0][0](images), photos.test.labels[:8]).backward()
learner = torch.optim.SGD([p for p in runs["common+specific"][0][0].parameters() if p.requires_grad], lr=0.1)
print("never learned:", detective(runs["common+specific"][0][0], learner))


# %%
mine = np.array([after - before for (_, before), (_, after) in zip(*runs.values(), strict=True)])
groups = {"recorded, 1,000 images": accuracy("common+specific") - accuracy("vpt_deep"), "your run, 200 images": mine}
title = "Common and specific tokens − common tokens alone"
show.lottery(groups, title, live=("your run, 200 images",), label=f"5 pairs each; your run: 500 test images, made by "
             f"{check.made_by('04-tokens', '04-reshape')}")  # fmt: skip

# %% [markdown] answer=true
# Two experiments with different numbers of images need not agree. What both show is the size of the lottery: compare
# any published gain with the width of these clouds. Either mean is smaller than the spread of its pairs.

# %% [markdown]
# Now for the promise of "what β_F can and cannot do": β_F = 0.9, with start and learning rates of p^c and of G_s' last
# layer rescaled.
#
# **Question.** After training, how far are its tokens from those of β_F = 0.5?


# %% name="paths" point=true
def trained_tokens(condition):
    """Train all parts for an epoch on 200 images; return the mixed tokens of block 1 for eight images."""
    model = build(condition, backbone, 0)
    vpcore.fit(model, few, valid, epochs=1, lr=rates_of(condition, 1e-3, head_rate), batch_size=32, seed=0)
    with torch.no_grad():
        return model.prompt.tokens(x, 0, model.prompt.condition(x))


half = trained_tokens("all")
for condition in ("beta 0.9 rescaled", "beta 0.9"):
    gap = float((trained_tokens(condition) - half).norm() / half.norm())
    print(f"{condition}: within 2 % of the tokens of β 0.5: {gap < 0.02}")

# %% [markdown] answer=true
# One and the same run, in other units, up to rounding. So a best β_F inside (0, 1) is a best start and a best pair of
# rates, for this optimizer. It is no property of the images.

# %% [markdown]
# ## Deeper: left out, or frozen
#
# A step in a cumulative table is tested in the company of the parts before it. Leaving one part out of the whole asks
# another question.
#
# **Question.** Which part will be missed most?

# %%
label = "recorded, 5 paired seeds, 1,000 test images"
LEFT = {"without patch": "without patch", "without global": "without global", "without common": "without common",
        "without specific": "patch+global+common", "without the image level": "common+specific",
        "without all tokens": "patch+global", "G_s frozen at random": "frozen"}  # fmt: skip
left = compare({name: ("all", condition) for name, condition in LEFT.items()})
show.intervals(left, "Something left out, or G_s frozen, against all parts", label=label)

# %% [markdown] answer=true
# Without the specific tokens the rest does better: the same pair as the last step above, seen from the other side. The
# other intervals hold zero, those of the three other parts among them. Leaving out any one of these three lowers the
# mean, but by less than these runs can tell. Added last or left out alone, the specific tokens bring no gain here.

# %% [markdown]
# **Question.** "G_s frozen" has as many learned numbers as "without specific". What does comparing the two tell?

# %%
frozen = compare({
    "random against none": ("patch+global+common", "frozen"),
    "learned against random": ("frozen", "all"),
    "every image gets the mean": ("all", "all, mean tokens"),
    "every image gets another's": ("all", "all, other tokens"),
})  # fmt: skip
own_share = np.mean([r["extra"]["own_share"] for r in table.runs if r["cell"]["prompt"] == "all"])
print(f"share of the specific tokens' mean square that differs between images: {100 * own_share:.0f} %")


# %%
def detectable(first, second):
    """Return the difference in points that these seeds and test images find in 80 % of such experiments."""
    before, after = (table.correct("photodigits", condition, "vit_nano") for condition in (first, second))
    sd = (accuracy(second) - accuracy(first)).std(ddof=1) / 100
    return 100 * smallest_detectable_difference(sd, len(before), image_variance(before, after), before.shape[1])


print(f"learned against random: {detectable('frozen', 'all'):.1f} points could have been seen")

# %%
show.intervals(frozen, "What is it about the specific tokens?", label=label)

# %% [markdown] answer=true
# The tokens of one model differ little from image to image: most of their mean square is the same for all, as the
# printed share says. Random against none, learned against random: we cannot tell, and the printed detectable difference
# says how large an effect these runs could miss. The rate of the frozen one is three times that of all parts, and its
# seeds scatter most.
#
# The exchanged tokens are the sharpest test, because nothing is trained anew. Every image gets the mean of all p^s, or
# those of another image, and the accuracy hardly moves. Both intervals hold zero, and neither reaches further than a
# point from it. So in these runs nothing measurable came from what p^s says about *this* image. A published gain of a
# random G_s would need the same test before anyone explains it.

# %% [markdown]
# ## Deeper: cost
#
# The paper's figure 5 sets accuracy against the number of learned values.
#
# **Question.** Which method would you take, if every number cost a cent and every point of accuracy earned a euro?

# %%
METHODS = {"linear probe": "none", "VPT-shallow": "vpt_shallow", "VPT-deep": "vpt_deep", "norm tuning": "norm",
           "BitFit": "bitfit", "LoRA, rank 4": "lora", "patch prompt": "patch", "InsVP image level": "patch+global",
           "common + specific": "common+specific", "InsVP without specific": "patch+global+common",
           "InsVP, all parts": "all"}  # fmt: skip
learned = {run_["cell"]["prompt"]: run_["extra"]["learned"] for run_ in table.runs}
points = {name: (learned[condition], accuracy(condition)) for name, condition in METHODS.items()}
tradeoff(points, "Accuracy against learned numbers, head included", across="learned numbers", label=label)

# %%
cost = compare({f"InsVP, all parts, to {name}": (condition, "all") for name, condition in list(METHODS.items())[:-1]})

# %% [markdown] answer=true
# At those prices the probe: no other row gains as many euros as its numbers cost. At other prices LoRA. It changes
# weights, and lies ten points above all parts together; norm tuning is three above, with less than a third of their
# numbers. InsVP without its specific tokens is above them too, VPT-shallow is below. The other rows, VPT-deep and
# BitFit included, cannot be told from them. So among prompts, beyond VPT-shallow, more numbers did not buy accuracy in
# these short runs, and two of three rivals that touch weights did better. Points of one figure share their seeds:
# compare them by the printed intervals, not by the bars. (Lesson 06 has three of these rows in another recipe and
# another order.)

# %% [markdown]
# ## Deeper: the three knobs
#
# Figure 7 of the paper turns knobs, one curve each, without seeds or spread: L_p, the number of prompted blocks, and
# β_F. (Its fourth panel, β_I, is in lesson 03.)
#
# **Question.** Which settings of β_F allow other functions than β_F = 0.5 does?

# %%
KNOBS = {"1 token": "tokens 1", "9 tokens": "tokens 9", "1 block": "blocks 1", "3 blocks": "blocks 3",
         "β_F = 0 (end)": "without common", "β_F = 0.1": "beta 0.1", "β_F = 0.9": "beta 0.9",
         "β_F = 0.9, rescaled": "beta 0.9 rescaled", "β_F = 1 (end)": "patch+global+common"}  # fmt: skip
knobs = compare({name: ("all", condition) for name, condition in KNOBS.items()})
title = "Other settings against 4 tokens in 6 blocks with β_F = 0.5"
show.intervals(knobs, title, label="recorded, vit_nano, 5 paired seeds, 1,000 test images")

# %% [markdown] answer=true
# Only the ends. β_F = 0 is "without common", β_F = 1 is "without specific", each with a rate of its own. All other rows
# have the rate of all parts, as in the paper's panels; "rescaled" is the run with start and rates rescaled.
#
# More or fewer tokens, or fewer blocks, make no difference that can be told. β_F = 0.9 is above 0.5, with an interval
# that just misses zero, though it is the same class of functions: at one rate for all, p^c moves the tokens further,
# and p^s less. With start and rates rescaled that gain is gone, as the algebra says; what is left is rounding. Such a
# panel shows which setting suits one rate, and reads as if it showed which setting is better.

# %% [markdown]
# **Question.** Nine intervals, two without zero. How large must a step be to be found reliably?

# %%
for name, condition in KNOBS.items():
    print(f"{name:20} {detectable('all', condition):.1f} points are seen in 80 % of such experiments")

# %% [markdown] answer=true
# Larger than it is here: no row of this panel differs by as much as it would have to. Five seeds and 1,000 images
# cannot read such knobs, and the two intervals that miss zero may be luck.

# %% [markdown]
# ## Deeper: a map of p^s, with a warning
#
# The paper's figure 6 draws p^s by t-SNE: each image is a point, and images of one class form clusters. t-SNE places
# points so that near neighbors stay near; distances between clusters mean nothing.
#
# **Question.** Which picture would convince you that G_s *learned* to tell classes apart? Which control is missing
# there?

# %%
trained = runs["common+specific"][0][0]
fresh = vpcore.InstancePrompt(spec, 4, ("common", "specific"), seed=0)
shown = trained.normalize(photos.test.images[:200].float() / 255)
with torch.no_grad():
    seen = {"pixels": shown, "random G_s": fresh.specific(shown), "your trained G_s": trained.prompt.specific(shown)}
digits = [photos.classes[label_] for label_ in photos.test.labels[:200]]
places = {name: (TSNE(perplexity=30, random_state=0).fit_transform(values.flatten(1)), digits)
          for name, values in seen.items()}  # fmt: skip

# %%
about = "a point is a test image, drawn as its digit"
clouds(places, "t-SNE of pixels and of specific tokens", about=about, label="your run, seed 0, 200 images")

# %% [markdown] answer=true
# None of the three panels groups the digits. Had the right one done so, the middle one would be its control: what a
# $G_s$ that learned nothing shows comes from the images. One seed, one perplexity, no number: such a picture is an
# illustration, not evidence. Lesson 07 tests it.

# %% [markdown]
# ## Deeper: what may be claimed?
#
# ### Exercise: what may be claimed?
#
# A colleague writes: "Table 5 of InsVP shows that instance-specific tokens add 0.3 to 1.6 points over common ones, so
# what the network learns about each image matters." In four sentences: what stands, what does not, what would you run?

# %% [markdown] exercise={"id": "04-claim", "points": 3, "minutes": 6, "difficulty": 2, "path": "extra"}
# ### BEGIN SOLUTION
# The row stands as a report: with specific tokens the published numbers are higher, on four data sets. It does not show
# learning: in the released program G_s never reached the optimizer, so whatever its tokens did, they did with random
# weights; and no seeds, spreads or intervals are given. A cumulative table also
# tests the last part in the company of all others only. I would run paired seeds of four conditions with equal trials:
# without specific tokens, with a frozen random G_s, with a trained one, and with each image given another image's
# tokens; and I would report the paired intervals.
# ### END SOLUTION
# ### BEGIN MARK SCHEME
# 3 points: names that G_s was not trained in the released code, one further doubt (no spread, choice on test data,
#   order of a cumulative table, more learned or computed values), and proposes a frozen-random control with paired
#   seeds.
# 2 points: names two doubts and proposes some control.
# 1 point: one correct doubt, no control.
# ### END MARK SCHEME

# %% [markdown]
# ## Recap
#
# - VPT puts learned tokens between class token and patches. Deep ones are thrown away after each block.
# - Prompt tokens have no position; their order means nothing.
# - InsVP mixes common tokens with tokens that G_s makes from the image. Three maps must fill one token: 3·h·w = D.
# - Common tokens cost L_p · D a block; G_s grows with the square of L_p.
# - A part that is not in the optimizer fails silently. After two steps, every tensor that should learn has changed.
# - All β_F inside (0, 1) give the same functions; the ends do not. Differences inside are differences of training.
# - Ask an ablation twice, added and left out, with a frozen control.
# - A table at 1,000 images says little of a method: InsVP's gain grew from 8 points to 48 points at 16,000.
#
# **How far this goes.** One ViT of 0.7 million weights, trained on CIFAR-100 at 32 pixels; digits on photographs. With
# 1,000 images one recipe shows no gain of InsVP, another eight points; lesson 05's activation prompt gains 19 points at
# 16,000. InsVP's paper has a ViT-B/16, not measured here; lesson 05's ImageNet net has no tokens.

# %% [markdown]
# ## Self-test
#
# ### Exercise: what is thrown away?
#
# With deep tokens in every block, what does block 5 see of the tokens that were inserted before block 1?
#
# - **a** their outputs, which the blocks carried along
# - **b** nothing at all
# - **c** only what class token and patches took from them

# %% exercise={"id": "04-quiz-thrown", "points": 1, "minutes": 1, "difficulty": 1, "path": "extra"}
sees = ...  # "a", "b" or "c"
### BEGIN SOLUTION
sees = "c"
### END SOLUTION

# %% check="04-quiz-thrown"
check.quiz("04-quiz-thrown", sees)

# %% [markdown]
# ### Exercise: what keeps its first values?
#
# With the optimizer of *Deeper: the prompter that never learned*, which of these hold their first values after
# training? Give all, as in "b, c".
#
# - **a** the specific prompter G_s
# - **b** the common tokens p^c
# - **c** the head
# - **d** the backbone

# %% exercise={"id": "04-quiz-first", "points": 1, "minutes": 1, "difficulty": 1, "path": "extra"}
first_values = ...  # such as "b, c"
### BEGIN SOLUTION
first_values = "a, d"
### END SOLUTION

# %% check="04-quiz-first"
check.quiz("04-quiz-first", first_values)

# %% [markdown]
# ### Exercise: the weight that matters
#
# Which change of β_F can other values of p^c and G_s **not** undo?
#
# - **a** from 0.5 to 0.9
# - **b** from 0.5 to 1
# - **c** from 0.3 to 0.1

# %% exercise={"id": "04-quiz-beta", "points": 1, "minutes": 1, "difficulty": 2, "path": "extra"}
cannot_undo = ...  # "a", "b" or "c"
### BEGIN SOLUTION
cannot_undo = "b"
### END SOLUTION

# %% check="04-quiz-beta"
check.quiz("04-quiz-beta", cannot_undo)

# %% [markdown]
# ## Further reading
#
# - M. Jia et al. (2022). Visual Prompt Tuning. [arXiv:2203.12119](https://arxiv.org/abs/2203.12119). Shallow and deep
#   tokens.
# - Liu, Peng, Zhou (2024). InsVP: Efficient Instance Visual Prompting from Image Itself. ACM Multimedia;
#   OpenReview OTjo1q8rWL. Equations 8 to 13, table 5, figures 5 to 7.
# - A. Dosovitskiy et al. (2021). An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale.
#   [arXiv:2010.11929](https://arxiv.org/abs/2010.11929). The sequence of class token and patches.
# - D. P. Kingma, J. Ba (2015). Adam: A Method for Stochastic Optimization.
#   [arXiv:1412.6980](https://arxiv.org/abs/1412.6980). Why a step does not see the
#   size of a gradient.
# - L. van der Maaten, G. Hinton (2008). Visualizing Data using t-SNE. Journal of Machine Learning Research 9,
#   pages 2579–2605.

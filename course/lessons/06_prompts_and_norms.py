# %% [markdown]
# # Prompts and norms
#
# **You will be able to**
#
# - turn an activation prompt into a bias of the network, and say where that is exact and where it is not;
# - write norm tuning, BitFit, SSF and LoRA as weight deltas, and merge them;
# - say what no weight of the network can hold;
# - tell "the same function class" from "the same trained numbers".
#
# **Before you start**: lesson 05 (activation prompts), and paired intervals from lesson 02.
#
# **Your time**: 45 minutes for the core, 80 for the deeper sections.
# **Machine time**: about 30 seconds on two CPU cores.

# %% name="setup"
import copy
import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import vpcore
from course import check, show
from course.recorded import recorded
from course.show import drawings
from course.show.sizes import more_images
from course.studies.conditions_06 import open_stem
from vpcore.cache import cached
from vpcore.statistics import image_variance, smallest_detectable_difference, two_way_interval
from vpcore.tuning import SSF, TUNINGS, BitFit, LoRA, NormTuning

torch.set_num_threads(1)  # so small a network gains nothing from a second thread

# %%
drawings.activation()

# %% [markdown]
# ## 1. A prompt next to a batch norm
#
# An activation prompt (AP) adds one learned tensor δ to the activations at one place: z becomes z + δ, for every image.
# Norm tuning learns the scale and the shift of the network's norms instead. In eval mode a batch norm computes
#
# $$\mathrm{BN}(z) = \gamma\,\frac{z - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta,$$
#
# with a stored mean μ and variance σ²; γ and β are called `weight` and `bias` in PyTorch. Let δ have one number for
# each channel, the same at every place.
#
# **Question.** δ stands right *after* this norm. Which of the norm's numbers could take its place? And if δ stands
# right *before* the norm?

# %%
data = vpcore.load_data("photodigits", num_train=1000)
resnet = vpcore.load_backbone("resnet_nano")
stem = open_stem(resnet)  # the stem is the first convolution and its batch norm, which is now a block of its own
print("block 0:", type(stem.blocks[0]).__name__, "  block 1:", type(stem.blocks[1]).__name__)
print("a prompt at layer 0 acts before the norm, at layer 1 after it; one δ holds", stem.spec.shapes[0][0], "numbers")

# %% [markdown]
# ### Exercise: from δ to the norm's bias
#
# `delta` is (1, C, 1, 1); `where` is "before" or "after" the norm, which is in eval mode.
# Return the norm's new bias (C,), so that the norm without a prompt does what the old norm did with it.
#
# Stuck? `check.hint("06-norm-bias")` gives one hint at a time, in a new cell of yours.

# %% exercise={"id": "06-norm-bias", "points": 2, "minutes": 5, "difficulty": 1, "path": "core", "needs": ["setup"]}
def norm_bias(delta, where, weight, bias, mean, var, eps):
    """Return the bias (C,) that does the work of delta right before or right after a batch norm in eval mode."""
    ### BEGIN SOLUTION
    shift = delta.flatten()
    if where == "before":
        shift = weight * shift / torch.sqrt(var + eps)
    return bias + shift
    ### END SOLUTION


# %% check="06-norm-bias"
check("06-norm-bias", norm_bias)

# %% [markdown] answer=true
# Its bias β, in both places. After the norm δ adds to it as it is; before the norm it arrives scaled, as you have just
# written.

# %%
images = data.test.images[:8].double() / 255
rng = torch.Generator().manual_seed(0)
HEAD = vpcore.LinearHead(resnet.spec.dim, 10).double()


def logits(backbone, layer=None, shape="full", delta=None, head=HEAD):
    """Return the logits of eight test images, with or without a given delta before a layer."""
    backbone = copy.deepcopy(backbone).double()
    prompt = vpcore.NoPrompt(backbone.spec)
    if delta is not None:
        prompt = vpcore.ActivationPrompt(backbone.spec, layer, shape).double()
        prompt.deltas[str(layer)].data.copy_(delta)
    with torch.no_grad():
        return vpcore.Prompted(backbone, prompt, head)(images)


# %% [markdown]
# **Question.** Does it hold for a whole trained network, in float64?

# %%
to_bias = check.use("06-norm-bias", norm_bias)
delta = torch.randn(1, stem.spec.shapes[0][0], 1, 1, generator=rng).double()
print("made by:", check.made_by("06-norm-bias"))
for layer, where in enumerate(("before", "after")):
    tuned = copy.deepcopy(stem).double()
    norm = tuned.blocks[0]
    numbers = norm.weight, norm.bias, norm.running_mean, norm.running_var, norm.eps
    norm.bias = nn.Parameter(to_bias(delta, where, *numbers).detach())
    prompted = logits(stem, layer, "per_channel", delta)
    print(f"δ {where} the norm: logits agree to 1e-10:", bool((prompted - logits(tuned)).abs().max() < 1e-10))
print("and δ changes something:", not torch.allclose(prompted, logits(stem)))

# %% [markdown] answer=true
# Yes, to rounding. Put z + δ in front of the norm:
#
# $$\mathrm{BN}(z + \delta) = \mathrm{BN}(z) + \frac{\gamma}{\sqrt{\sigma^2 + \epsilon}}\,\delta ,$$
#
# so β grows by γ δ / √(σ² + ε). Next to a batch norm, per-channel AP *is* norm tuning of one bias. Zhang et al. (2026)
# state this link as their Proposition 1, for δ "consistent across units" and "unit scaling", that is
# γ / √(σ² + ε) = 1. You have just written the general case.

# %% [markdown]
# ## 2. The last map of a CNN
#
# After the last block, the CNN averages each channel over its places, and a linear head reads the averages.
#
# **Question.** AP at this last map has a number for every channel *and* place. What can it do that the head cannot?

# %% [markdown]
# ### Exercise: from the last map to the head
#
# Return the head's new bias (K,) for `delta` (1, C, H, W) added before the average. The head's weight is (K, C).


# %% exercise={"id": "06-head-bias", "points": 1, "minutes": 4, "difficulty": 1, "path": "core", "needs": ["setup"]}
def head_bias(weight, bias, delta):
    """Return the head's bias (K,) that does the work of delta before global average pooling."""
    ### BEGIN SOLUTION
    return bias + weight @ delta.mean((0, 2, 3))
    ### END SOLUTION


# %% check="06-head-bias"
check("06-head-bias", head_bias)

# %%
to_head = check.use("06-head-bias", head_bias)
last = resnet.spec.depth
full = torch.randn(1, *resnet.spec.shapes[last], generator=rng).double()
shifted = copy.deepcopy(HEAD)
shifted.linear.bias = nn.Parameter(to_head(HEAD.linear.weight, HEAD.linear.bias, full).detach())
same = (logits(resnet, last, "full", full) - logits(resnet, head=shifted)).abs().max() < 1e-10
print("made by:", check.made_by("06-head-bias"))
print(f"{full.numel()} numbers at the last map do what {shifted.linear.bias.numel()} in the head do: {bool(same)}")

# %% [markdown] answer=true
# Nothing. The average is linear: mean(z + δ) = mean(z) + mean(δ), and the head adds W mean(δ), a constant. The head has
# a bias anyway, so AP at the last map computes exactly what a linear probe computes.
# "CNNs prefer late layers" (lesson 05) must mean late, but not last.

# %% [markdown]
# ## 3. A prompt inside a ViT
#
# A block of a ViT ends with an MLP (weights $W_1, W_2$, biases $b_1, b_2$, activation $\phi$) behind a layer norm LN:
#
# $$z \leftarrow z + W_2\, \phi\big(W_1\, \mathrm{LN}(z) + b_1\big) + b_2 .$$
#
# The MLP's last step is a linear layer, `mlp.fc2`, whose bias $b_2$ of D numbers is added to every token. A *shared* δ
# is one vector of D numbers, added to every token.
#
# **Question.** A shared δ stands before block l. Which bias can take its place? And before block 0?

# %% [markdown]
# ### Exercise: from a shared δ to a bias
#
# `weights` maps names to tensors, with vpcore's names: `blocks.0.attn.proj.bias`, `blocks.0.mlp.fc1.bias`,
# `blocks.0.mlp.fc2.bias`, …, `embed.net.patch_embed.proj.bias`, and the position embedding `embed.net.pos_embed` of
# shape (1, 1 + N, D), which is added to class token and patches. `delta` is (1, 1, D), before block `layer`.
# Return a dictionary with one entry: the name of the weight that changes, and its new value.


# %% exercise={"id": "06-block-bias", "points": 2, "minutes": 6, "difficulty": 2, "path": "core", "needs": ["setup"]}
def block_bias(weights, layer, delta):
    """Return {name: new value} of the one weight that does the work of a shared delta (1, 1, D) before a block."""
    ### BEGIN SOLUTION
    if layer == 0:
        name = "embed.net.pos_embed"
        shift = delta
    else:
        name = f"blocks.{layer - 1}.mlp.fc2.bias"
        shift = delta.flatten()
    return {name: weights[name] + shift}
    ### END SOLUTION


# %% check="06-block-bias"
check("06-block-bias", block_bias)

# %%
vit = vpcore.load_backbone("vit_nano")
VIT_HEAD = vpcore.LinearHead(vit.spec.dim, 10).double()
move, shared = check.use("06-block-bias", block_bias), torch.randn(1, 1, vit.spec.dim, generator=rng).double()
print("made by:", check.made_by("06-block-bias"))
for layer in range(vit.spec.depth + 1):
    tuned = copy.deepcopy(vit).double()
    ((name, value),) = move(tuned.state_dict(), layer, shared).items()
    tuned.get_parameter(name).data.copy_(value)
    same = logits(vit, layer, "shared", shared, VIT_HEAD) - logits(tuned, head=VIT_HEAD)
    print(f"shared δ before block {layer} = shift of {name}: {bool(same.abs().max() < 1e-10)}")

# %% [markdown] answer=true
# One line says "before block 6", which is before pooling: it holds there too. So from block 1 on a shared δ is BitFit
# of a single bias (Ben Zaken et al. 2022). What is new in AP is the freedom to differ from token to token, or from
# place to place.

# %% [markdown]
# ## 4. Weight deltas, and what merges
#
# Four methods leave images and activations alone and change weights W and biases b:
#
# | method | what learns | the weights that run |
# |---|---|---|
# | norm tuning | Δγ, Δβ of every norm | γ + Δγ, β + Δβ |
# | BitFit | Δb of every bias | b + Δb |
# | SSF | scale s and shift t for each output of a layer | diag(s) W, s · b + t |
# | LoRA | A (r × inputs), B (outputs × r), start B = 0 | W + (α / r) B A |
#
# In LoRA r is the rank, a small number, and α a fixed factor. The drawing shows the last three.

# %%
drawings.weight_deltas()

# %% [markdown]
# **Question.** A ResNet's convolutions have no bias. What does BitFit tune there?

# %%
for net in (resnet, vit):
    total = sum(p.numel() for p in net.parameters()) - sum(p.numel() for p in net.classifier.parameters())
    print(f"{net.spec.name}: {total:,} weights")
    for name in ("norm", "bitfit", "ssf", "lora"):
        extra = {"targets": "conv"} if name == "lora" and net.spec.kind == "cnn" else {}
        learned = TUNINGS[name](net, **({"rank": 4, "alpha": 4, **extra} if name == "lora" else {})).num_learned()
        print(f"  {name:7} learns {learned:6,} ({100 * learned / total:.1f} %)")
print("on the ResNet, BitFit tunes the biases of its norms:", BitFit(resnet).names == NormTuning(resnet, "bias").names)

# %% [markdown] answer=true
# The biases of its batch norms, and nothing else: there BitFit *is* norm tuning of the shifts, under another name.

# %% [markdown]
# A method **merges** when its learned numbers can be built into weights the network has. Then it costs nothing to run.
#
# ### Exercise: merge scale and shift
#
# A layer puts out y. Return weight and bias of the layer that puts out scale · y + shift, output by output.
# `weight` may be that of a linear layer (D, K), a convolution (D, K, k, k) or a norm (D,). `bias` is (D,) or None.


# %% exercise={"id": "06-merge", "points": 3, "minutes": 6, "difficulty": 2, "path": "core", "needs": ["setup"]}
def merge_scale(weight, bias, scale, shift):
    """Return (weight, bias) of a layer that puts out scale · y + shift where the given one puts out y."""
    ### BEGIN SOLUTION
    sizes = [-1] + [1] * (weight.dim() - 1)  # outputs are the first axis
    merged = scale.view(sizes) * weight
    if bias is None:
        bias = torch.zeros_like(shift)
    return merged, scale * bias + shift
    ### END SOLUTION


# %% check="06-merge"
check("06-merge", merge_scale)

# %% [markdown]
# Now a *trained* SSF: three epochs on 300 images, enough to move its numbers.


# %% name="train-ssf"
def train(backbone, prompt=None, tuning=None, epochs=3, some=300, lr=5e-3, seed=0):
    """Train prompt or tuning with a new head on some images, and return the model in float64."""
    head = vpcore.LinearHead(backbone.spec.dim, 10, seed=seed)
    model = vpcore.Prompted(backbone, prompt or vpcore.NoPrompt(backbone.spec), head, tuning=tuning)
    few = data.train.take(range(some)), data.valid.take(range(100))
    vpcore.fit(model, *few, epochs=epochs, lr=lr, batch_size=50, seed=seed)
    return model.double().eval()

# %%
ssf = SSF(resnet)
model = train(copy.deepcopy(resnet), tuning=ssf)
moved = max((scale.detach() - 1).abs().max().item() for scale in ssf.scale.values())
print("every scale started at 1, and some have moved:", moved > 0.01)

# %%
merge = check.use("06-merge", merge_scale)
merged = copy.deepcopy(model.backbone)
for name in ssf.layers:
    layer, slot = merged.get_submodule(name), name.replace(".", "/")
    weight, bias = merge(layer.weight, layer.bias, ssf.scale[slot], ssf.shift[slot])
    layer.weight, layer.bias = nn.Parameter(weight.detach()), nn.Parameter(bias.detach())
with torch.no_grad():
    trained, alone = model(images), vpcore.Prompted(merged, vpcore.NoPrompt(merged.spec), model.head)(images)
print("made by:", check.made_by("06-merge"))
print(f"{len(ssf.layers)} layers merged; logits agree to 1e-5:", bool((trained - alone).abs().max() < 1e-5))

# %% [markdown]
# The merged network has no extra step, and nobody can see from its outputs how it was trained.

# %% [markdown]
# ### What merges, and what does not
#
# *Inside a network, what differs from place to place, or from image to image, has no weight to go to.* The two ends are
# exceptions: a ViT's position embedding has a number for each place, and behind a CNN's last map all places are
# averaged.
#
# | learned | built into | exact? |
# |---|---|---|
# | norm tuning, BitFit, SSF, LoRA, full tuning | the weights themselves | yes |
# | per-channel δ right before or after a batch norm | its bias | yes, in eval mode |
# | shared δ before a ViT's block | `mlp.fc2.bias` below, or the position embedding | yes |
# | any δ before a ViT's block 0, full-image prompt on a ViT | the position embedding | yes |
# | any δ at a CNN's last map | the head's bias | yes, for average pooling and a linear head |
# | any δ after a ViT's last block | its `mlp.fc2.bias` | yes, where only the class token is pooled |
# | δ with own numbers for each token or place, at any layer between | nothing | no |
# | per-channel δ before a padded convolution | its bias | inside only, not at the border |
# | VPT's tokens | nothing: the sequence gets longer | no |
# | a prompt computed from the image (lessons 03, 04) | nothing: it is no constant | no |

# %% [markdown]
# ## Deeper: a batch norm in training mode
#
# **Question.** In training mode a norm takes mean and variance from its own batch. What does a δ right before it do
# then?

# %% [markdown]
# ### Exercise: a batch norm in training mode
#
# Write the norm itself, without torch's own: z is (B, C, H, W), `weight` and `bias` are (C,). Use mean and variance of
# this batch (the variance with n, not n − 1), and divide by √(var + eps).


# %% exercise={"id": "06-train-norm", "points": 1, "minutes": 5, "difficulty": 2, "path": "extra", "needs": ["setup"]}
def train_norm(z, weight, bias, eps):
    """Return what a batch norm in training mode makes of z (B, C, H, W)."""
    ### BEGIN SOLUTION
    mean = z.mean((0, 2, 3), keepdim=True)
    var = z.var((0, 2, 3), correction=0, keepdim=True)
    unit = (z - mean) / torch.sqrt(var + eps)
    scale, shift = weight.view(1, -1, 1, 1), bias.view(1, -1, 1, 1)
    return scale * unit + shift
    ### END SOLUTION


# %% check="06-train-norm"
check("06-train-norm", train_norm)

# %%
norm, z = stem.blocks[0], torch.randn(4, 16, 5, 5, generator=rng).double()
in_training = check.use("06-train-norm", train_norm)
weight, bias = norm.weight.double(), norm.bias.double()
moved = in_training(z + delta, weight, bias, norm.eps) - in_training(z, weight, bias, norm.eps)
print("made by:", check.made_by("06-train-norm"))
print("in training mode, δ before the norm changes nothing:", bool(moved.abs().max() < 1e-10))

# %% [markdown] answer=true
# The batch mean contains δ, and takes it away again. The same prompt would get no gradient there.
# This is why a frozen network must *stay* in eval mode, also under `.train()` (lesson 00).

# %% [markdown]
# ## Deeper: layer norms
#
# A layer norm works token by token: with the mean $m$ and the standard deviation $s$ over the D numbers of one token,
#
# $$\mathrm{LN}(z) = \gamma \cdot \frac{z - m(z)}{s(z)} + \beta .$$
#
# **Question.** Is a shared δ *before* a layer norm a shift of its bias, too?

# %% [markdown]
# ### Exercise: how uneven is the shift behind a layer norm?
#
# `z` is (1, N, D), `delta` (1, 1, D). Take a layer norm without weight and bias. The shift of a token is
# norm(z + δ) − norm(z). If δ were a bias, all tokens would have the same shift. A token's deviation is its
# shift minus the mean shift over tokens. Return one number: the mean length of the deviations, divided by the mean
# length of the shifts. A bias gives 0.


# %% exercise={"id": "06-uneven", "points": 2, "minutes": 5, "difficulty": 2, "path": "extra", "needs": ["setup"]}
def unevenness(z, delta):
    """Return how far the shifts behind a layer norm are from their mean over tokens, relative to their length."""
    ### BEGIN SOLUTION
    dim = z.shape[-1]
    shift = F.layer_norm(z + delta, (dim,)) - F.layer_norm(z, (dim,))
    away = shift - shift.mean(1, keepdim=True)
    return float(away.norm(dim=-1).mean() / shift.norm(dim=-1).mean())
    ### END SOLUTION


# %% check="06-uneven"
check("06-uneven", unevenness)

# %%
uneven = check.use("06-uneven", unevenness)
z = torch.randn(1, 16, 96, generator=rng).double()
tokens = {"equal lengths": torch.ones(16), "lengths 0.3 to 4": torch.linspace(0.3, 4, 16)}
print("made by:", check.made_by("06-uneven"))
for name, sizes in tokens.items():
    unit = F.layer_norm(z, (96,)) * sizes.double().view(1, -1, 1)
    print(f"tokens of {name}: unevenness {uneven(unit, shared):.2f}")

# %% [markdown] answer=true
# A layer norm divides each token by a length of its *own*, that of z + δ. So the same δ becomes a different shift for
# each token, and the shifts differ more where the lengths do. Behind the layer norm it is a bias, exactly. AP's
# paper says that a prompt before a norm is a tuned norm (its Proposition 1). For a layer norm that needs the paper's
# assumptions about the tokens; for a batch norm in eval mode a per-channel δ is enough.

# %% [markdown]
# ## Deeper: the two ends of a ViT

# %% [markdown]
# ### Exercise: what reaches the features?
#
# `delta` (1, 1 + N, D) is added *after the last block*, one vector a token; position 0 is the class token.
# Pooling is "token" (the class token alone) or "avg" (the mean of the patch tokens). Return delta with zeros wherever
# it has no effect on the features.


# %% exercise={"id": "06-reaching", "points": 1, "minutes": 3, "difficulty": 1, "path": "extra", "needs": ["setup"]}
def reaching(delta, pool):
    """Return the part of delta after the last block that reaches the features, zeros elsewhere."""
    ### BEGIN SOLUTION
    kept = torch.zeros_like(delta)
    if pool == "token":
        kept[:, 0] = delta[:, 0]
    else:
        kept[:, 1:] = delta[:, 1:]
    return kept
    ### END SOLUTION


# %% check="06-reaching"
check("06-reaching", reaching)

# %%
part, last = check.use("06-reaching", reaching), vit.spec.depth
full = torch.randn(1, *vit.spec.shapes[last], generator=rng).double()
kept = part(full, "token")
same = logits(vit, last, "full", full, VIT_HEAD) - logits(vit, last, "full", kept, VIT_HEAD)
print("made by:", check.made_by("06-reaching"))
print(f"{int((kept != 0).sum())} of {full.numel()} numbers do all of the work:", bool(same.abs().max() < 1e-10))

# %% [markdown]
# In this ViT, which pools the class token, nothing after the last block reads the patch tokens. A count of "learned
# parameters" includes those that can never learn: their gradient is zero.

# %% [markdown]
# **Question.** At the other end: before block 0, δ with one vector for each patch. Lesson 02 folded a picture into the
# position embedding. Does it work the other way round: can a *picture*, added to the pixels, do all that such a δ does?

# %% [markdown]
# ### Exercise: from tokens back to a picture
#
# `weight` (D, C, p, p) is the patch embedding. Return the picture (1, C, H, W) which it maps to `tokens` (1, N, D);
# of all such pictures the smallest, which `torch.linalg.pinv` gives. Patches lie row by row in a square.


# %% exercise={"id": "06-picture", "points": 2, "minutes": 7, "difficulty": 3, "path": "extra", "needs": ["setup"]}
def picture_of(weight, tokens):
    """Return the smallest picture (1, C, H, W) that the patch embedding maps to tokens (1, N, D)."""
    ### BEGIN SOLUTION
    patch = weight.shape[-1]
    inverse = torch.linalg.pinv(weight.flatten(1))  # (C · p · p, D)
    patches = tokens @ inverse.T  # (1, N, C · p · p)
    size = patch * math.isqrt(tokens.shape[1])
    return F.fold(patches.transpose(1, 2), (size, size), patch, stride=patch)
    ### END SOLUTION


# %% check="06-picture"
check("06-picture", picture_of)

# %%
draw, embedding = check.use("06-picture", picture_of), vit.embed.net.patch_embed.proj.weight.detach().double()
wanted = torch.randn(1, vit.spec.num_tokens, vit.spec.dim, generator=rng).double()
tokens = F.conv2d(draw(embedding, wanted), embedding, stride=vit.spec.patch_size).flatten(2).transpose(1, 2)
print("made by:", check.made_by("06-picture"))
print("the picture gives any tokens we ask for, to 1e-8:", bool((tokens - wanted).abs().max() < 1e-8))
rank = int(torch.linalg.matrix_rank(embedding.flatten(1)))
print(f"a patch has {embedding[0].numel()} pixel values, a token {vit.spec.dim} numbers, the map has rank {rank}")

# %% [markdown] answer=true
# Yes, where the patch embedding reaches every direction of a token, as here. A full-image visual prompt, AP on the
# patch tokens at layer 0, and a shift of the patches' position embedding are then one function class under three names.
# ViT-L/16 has 1,024 numbers a token and 768 pixel values a patch: there a picture reaches at most 768 directions.

# %% [markdown]
# ## Deeper: more that merges
#
# A trained shared AP in the ViT, with your code from section 3:

# %%
model = train(copy.deepcopy(vit), vpcore.ActivationPrompt(vit.spec, 1, "shared"), lr=1e-2)
merged = copy.deepcopy(model.backbone)
((name, value),) = move(merged.state_dict(), 1, model.prompt.deltas["1"].detach()).items()
merged.get_parameter(name).data.copy_(value)
with torch.no_grad():
    trained, alone = model(images), vpcore.Prompted(merged, vpcore.NoPrompt(vit.spec), model.head)(images)
print("made by:", check.made_by("06-block-bias"))
print("trained AP built into", name, "- logits agree to 1e-5:", bool((trained - alone).abs().max() < 1e-5))

# %% [markdown]
# A head can absorb learned numbers, too.
#
# **Question.** The ViT ends with a layer norm, weight · n + bias, and then our new linear head. What does tuning that
# norm add to a linear probe?

# %%
tuned, head, norm = copy.deepcopy(vit).double(), copy.deepcopy(VIT_HEAD), vit.pool.norm
ratio, start = (1 + 0.3 * torch.randn(96, generator=rng)).double(), norm.bias.detach().double()
end = torch.randn(96, generator=rng).double()
tuned.pool.norm.weight.data *= ratio
tuned.pool.norm.bias.data.copy_(end)
head.linear.bias.data += head.linear.weight.data @ (end - ratio * start)
head.linear.weight.data *= ratio
same = (logits(tuned, head=VIT_HEAD) - logits(vit, head=head)).abs().max() < 1e-10
print("tuning the last norm is another head on the old norm:", bool(same))

# %% [markdown] answer=true
# Nothing: the head multiplies and adds anyway.

# %% [markdown]
# **Question.** In this ResNet every convolution is followed by a batch norm. Compare SSF after the convolution with
# tuning the norm that follows: can one do anything that the other cannot?

# %% [markdown]
# ### Exercise: from SSF to the norm
#
# A convolution puts out y. SSF makes it scale · y + shift, then a batch norm in eval mode follows. Return the norm's
# new (weight, bias), so that it does all this on y alone. Everything is (C,).


# %% exercise={"id": "06-ssf-norm", "points": 2, "minutes": 6, "difficulty": 2, "path": "extra", "needs": ["setup"]}
def norm_of_scale(scale, shift, weight, bias, mean, var, eps):
    """Return (weight, bias) of a batch norm in eval mode that does the work of scale and shift in front of it."""
    ### BEGIN SOLUTION
    std = torch.sqrt(var + eps)
    moved = scale * mean + shift - mean  # where the stored mean lands, relative to itself
    new_weight = weight * scale
    new_bias = bias + weight * moved / std
    return new_weight, new_bias
    ### END SOLUTION


# %% check="06-ssf-norm"
check("06-ssf-norm", norm_of_scale)

# %%
into_norm, delta_of = check.use("06-ssf-norm", norm_of_scale), SSF(stem, init="normal").double()
tuned, norm = copy.deepcopy(stem).double(), copy.deepcopy(stem).double().blocks[0]
numbers = norm.weight, norm.bias, norm.running_mean, norm.running_var, norm.eps
new = into_norm(delta_of.scale["embed"].detach(), delta_of.shift["embed"].detach(), *numbers)
tuned.blocks[0].weight, tuned.blocks[0].bias = (nn.Parameter(value.detach()) for value in new)

# %%
changed = {f"embed.{leaf}": delta_of.weights(tuned)[f"embed.{leaf}"] for leaf in ("weight", "bias")}
x = torch.randn(2, 3, 32, 32, generator=rng).double()
y = F.conv2d(x, changed["embed.weight"], changed["embed.bias"], stride=2, padding=1)
same = (norm(y) - tuned.blocks[0](stem.embed.double()(x))).abs().max() < 1e-10
stem.float()
print("made by:", check.made_by("06-ssf-norm"))
print("SSF in front of the stem's norm is a new weight and bias of that norm:", bool(same))
print("numbers learned by norm tuning and SSF:", NormTuning(resnet).num_learned(), SSF(resnet).num_learned())

# %% [markdown] answer=true
# No, as long as no norm has a weight of zero. Same number of learned values, same functions, same starting point.
# Keep this pair in mind for *Deeper: does it show in the accuracy?*

# %% [markdown]
# LoRA merges as well. In timm's ViT, query, key and value come from one fused weight of 3 · D rows.

# %% [markdown]
# ### Exercise: merge LoRA into the fused weight
#
# `factors` maps some of "q", "k", "v" to (A, B), with A (r, D) and B (D, r). Add (alpha / r) · B A to the D rows of
# each one that is there. The rows stand in the order q, k, v.


# %% exercise={"id": "06-lora", "points": 2, "minutes": 6, "difficulty": 2, "path": "extra", "needs": ["setup"]}
def merge_lora(weight, factors, alpha):
    """Return the fused weight (3 · D, D) with the low-rank changes built in."""
    ### BEGIN SOLUTION
    merged, dim = weight.clone(), weight.shape[1]
    for place, name in enumerate("qkv"):
        if name in factors:
            down, up = factors[name]
            rows = slice(place * dim, (place + 1) * dim)
            merged[rows] = merged[rows] + alpha / len(down) * up @ down
    return merged
    ### END SOLUTION


# %% check="06-lora"
check("06-lora", merge_lora)

# %%
join, lora = check.use("06-lora", merge_lora), LoRA(vit, rank=4, alpha=2.0).double()
for up in lora.up.values():
    up.data.copy_(torch.randn(up.shape, generator=rng))
name, slot = "blocks.2.attn.qkv.weight", "blocks/2/attn/qkv/weight"
factors = {part: (lora.down[f"{slot}:{part}"].detach(), lora.up[f"{slot}:{part}"].detach()) for part in "qv"}
fused = copy.deepcopy(vit).double().get_parameter(name)
same = (join(fused.detach(), factors, 2.0) - lora.weights(copy.deepcopy(vit).double())[name]).abs().max() < 1e-10
print("made by:", check.made_by("06-lora"))
print("the merged weight of block 2 is the library's:", bool(same))
print("rank of its change:", int(torch.linalg.matrix_rank(join(fused.detach(), factors, 2.0)[:96] - fused[:96])))

# %% [markdown]
# **Question.** Which learned numbers have *no* effect at all? Try the key's bias, which BitFit tunes in a fused weight.

# %%
loud = copy.deepcopy(vit).double()
loud.blocks[2].attn.qkv.bias.data[96:192] += 3 * torch.randn(96, generator=rng)
quiet = (logits(loud, head=VIT_HEAD) - logits(vit, head=VIT_HEAD)).abs().max() < 1e-10
print("with another key bias the logits agree to 1e-10:", bool(quiet))

# %% [markdown] answer=true
# It adds the same number to all scores of a query, and a softmax does not notice.

# %% [markdown]
# ## Deeper: what cannot be merged
#
# **Question.** A per-channel δ stands before a *convolution with padding*, as between the blocks of the ResNet. Is what
# the convolution makes of it a constant, one number a channel, which a bias could hold?

# %%
conv = resnet.blocks[2].conv1
with torch.no_grad():
    constant = torch.randn(1, conv.in_channels, 1, 1, generator=rng).expand(1, -1, 8, 8)
    made = conv(constant)[0]  # (C, H, W)
inside = made[:, 1:-1, 1:-1]
print("constant inside:", bool((inside - inside[:, :1, :1]).abs().max() < 1e-4))
print("constant up to the border:", bool((made - made[:, 1:2, 1:2]).abs().max() < 1e-4))

# %%
title = "What a convolution makes of a constant"
show.prompt_maps({f"channel {c}": made[c] for c in range(4)}, title, unit="change", label="resnet_nano, block 2")

# %% [markdown] answer=true
# At the border the kernel reads padding zeros, to which nothing was added. So even a per-channel AP between two blocks
# is not a bias. What it does differs from place to place, and inside a network
# *what differs from place to place has no weight to go to.*

# %% [markdown]
# ## Deeper: the same functions, another path
#
# Two methods with the same function class can reach the same networks. Do they *arrive* at the same one?
#
# Take the stem's norm once more. Three tensors can shift it: its bias, δ after it, and δ before it. All start with a
# shift of zero, with the same trained head, which stays fixed, and the same 16 images. Plain gradient descent, the same
# rate.
#
# **Question.** Which two of the three follow the same path? And which rate would bring the third onto it?

# %% name="paths"
probe = train(copy.deepcopy(resnet), lr=1e-2)  # a linear probe; its head stays as it is from here on
batch = probe.normalize(data.train.images[:16].double() / 255)
norm = copy.deepcopy(stem).double().blocks[0]
factor = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).detach()  # what a δ before the norm is multiplied by


# %% name="descend" point=true
def descend(what, rates, steps=15):
    """Shift the stem's norm by gradient descent; return the losses and the path of its effective bias."""
    backbone, layer = copy.deepcopy(stem).double(), {"before": 0, "after": 1}.get(what)
    delta, losses, path = torch.zeros(16, dtype=torch.float64), [], []
    for _ in range(steps):
        delta = delta.detach().requires_grad_()
        del backbone.blocks[0].bias  # a parameter; in its place we put a plain tensor
        backbone.blocks[0].bias = norm.bias.detach() + (delta if what == "bias" else 0)
        added = delta.view(1, -1, 1, 1)
        features = backbone(batch, lambda z, at, added=added: z + added if at == layer else z)
        loss = F.cross_entropy(probe.head(features), data.train.labels[:16])
        delta = delta - rates * torch.autograd.grad(loss, delta)[0]
        losses.append(loss.item())
        path.append(delta.detach() * (factor if what == "before" else 1))
    return losses, torch.stack(path)


# %%
RATE = 0.5
runs = {"bias of the norm": descend("bias", RATE), "δ after the norm": descend("after", RATE)}
runs["δ before the norm"] = descend("before", RATE)
runs["before, rate / factor²"] = descend("before", RATE / factor**2)
for name, (_, path) in runs.items():
    print(f"{name:24} same path as the bias:", bool((path - runs["bias of the norm"][1]).abs().max() < 1e-8))

# %%
curves = {name: (range(15), losses) for name, (losses, _) in runs.items()}
words = {"across": "step", "up": "loss on 16 images"}
title = "One function class, four descents: three lie on one another"
show.lines(curves, title, **words, live=True, label="your run, float64")

# %% [markdown] answer=true
# δ after the norm and the bias are the *same coordinate*: z + δ and bias + δ have the same gradient. Before the norm
# the same function needs another number, δ / factor. The gradient with respect to it is multiplied by the factor, and
# so is what a step does: gradient descent moves factor² as far, channel by channel. One rate for all channels cannot
# undo it. Adam divides by the size of the gradient, so there one factor is left.
#
# So a prompt, a bias and a scale may be one method in what they can express, and three in how they are trained.
# Between SSF and norm tuning the change of coordinates mixes scale and shift as well. At the last map, δ moves the
# head's bias by weight · mean(δ), so its step depends on the head's weight, which moves too.

# %% [markdown]
# ## Deeper: does it show in the accuracy?
#
# **Question.** Below are pairs with the same function class, the same start, the same batches and the same seeds. Each
# has its own rate, chosen on validation with seed 0: of four tried for each on the ResNet, of three on the ViT. How
# many of the intervals will exclude zero?

# %%
table = recorded("norms")
print(table.about("photodigits"))
PAIRS = {
    "CNN: δ at the last map − linear probe": ("resnet_nano", "none", "ap_last"),
    "CNN: δ after the stem's norm − its bias": ("resnet_nano", "stem_bias", "ap_after"),
    "  the same, at the bias's rate": ("resnet_nano", "stem_bias", "ap_after_same"),
    "CNN: δ before the stem's norm − its bias": ("resnet_nano", "stem_bias", "ap_before"),
    "CNN: SSF − norm tuning": ("resnet_nano", "norm", "ssf"),
    "ViT: last norm tuned − linear probe": ("vit_nano", "none", "last_norm"),
    "ViT: shared δ − bias of the MLP": ("vit_nano", "mlp_bias", "ap_shared"),
}

# %%
def differences(net, one, other):
    """Return the recorded paired differences in points, and which images each of the two has right."""
    right = table.pair("photodigits", one, other, net)
    return 100 * (right[1].mean(1) - right[0].mean(1)), right


# %%
def compare(net, one, other):
    """Return mean, low and high end of the interval for seeds and images, a verdict, and what could be detected."""
    points, right = differences(net, one, other)
    gain = table.gain("photodigits", one, other, net)
    seeds, images = right[0].shape
    detectable = 100 * smallest_detectable_difference(points.std(ddof=1) / 100, seeds, image_variance(*right), images)
    verdict = "identical" if np.array_equal(*right) else gain.verdict("differs", "differs")
    detected = "" if verdict == "identical" else f"; {seeds} seeds detect {detectable:.1f}"
    return gain, verdict + detected

# %%
cells = {(run["cell"]["backbone"], run["cell"]["prompt"]): run["cell"] for run in table.runs}
within = {}
for name, (net, *conditions) in PAIRS.items():
    within[name], words = compare(net, *conditions)
    mean, low, high = within[name]
    rates = " and ".join(f"{cells[net, condition]['rate']:.3g}" for condition in reversed(conditions))
    print(f"{name}, rates {rates}:\n    {mean:+5.2f} ({low:+5.2f} to {high:+5.2f}) points, {words}")
print("intervals that hold zero:", [gain.verdict() for gain in within.values()].count("cannot tell"), "of", len(within))

# %%
show.intervals(within, "Pairs of one function class", label="recorded, 5 or 10 paired seeds, 1,000 test images")

# %% [markdown] answer=true
# None: each of the seven holds zero. "Cannot tell" is not "equal". "Detect" says how large a true difference would have
# to be, in points, to be found in 80 % of such comparisons; smaller ones may well be there. (Identical predictions on
# these 1,000 images still have an interval: other images might show a difference.)
#
# Look at the second pair. δ after the stem's norm and that norm's bias are the *same* coordinate, and still the two
# searches ended at different rates. Their best trials read 35.6 and 35.0 % of 500 validation images, three images
# apart. Where rates are nearly tied, rounding alone can send a search elsewhere. So part of what looks like a
# difference of methods is the lottery of *choosing a rate*.

# %% [markdown]
# **Question.** The third row is the second pair again, both at one rate. What can still differ?

# %%
for name in ("  the same, at the bias's rate", "ViT: shared δ − bias of the MLP"):
    points, right = differences(*PAIRS[name])
    print(f"{name.strip():32} points by seed:", " ".join(f"{p + 0.0:+.1f}" for p in points.round(1)))
    apart = int((right[0] != right[1]).sum(1).max())
    print(f"{'':32} test images on which exactly one of the two is right: {apart} at most")

# %% [markdown] answer=true
# Rounding. z + δ and bias + δ are summed in another order, and float32 rounds each. In the ViT, above a late block and
# at a lower rate, this never matters. In the CNN's stem, at a rate of 0.1, eighty steps and the choice of the best
# epoch amplify it. That is a floor under every comparison of such runs: the *same* method, run twice.

# %% [markdown]
# ### Your own runs
#
# The cheapest pair, live: AP at the last map against a linear probe, with the recorded rates and the first five seeds.
# Everything below the prompt is run once and cached (lesson 05).
#
# **Question.** The two compute the same functions. Will the five differences be zero?

# %% name="pairs" point=true
plain = vpcore.Prompted(resnet, vpcore.NoPrompt(resnet.spec), vpcore.LinearHead(resnet.spec.dim, 10))
maps = [cached(plain, split, resnet.spec.depth) for split in (data.train, data.valid, data.test)]


def accuracy(condition, seed):
    """Train a linear probe, or AP at the last map, on cached maps; return the test accuracy in percent."""
    prompt = vpcore.ActivationPrompt(resnet.spec, resnet.spec.depth) if condition == "ap_last" else plain.prompt
    model = vpcore.Prompted(resnet, prompt, vpcore.LinearHead(resnet.spec.dim, 10, seed=seed))
    cell = cells["resnet_nano", condition]
    rates = {"prompt": cell["rate"], "head": cell["head_rate"]}
    vpcore.fit(model, *maps[:2], epochs=10, lr=rates, batch_size=128, seed=seed)
    return 100 * vpcore.evaluate(model, maps[2]).accuracy


mine = np.array([accuracy("ap_last", seed) - accuracy("none", seed) for seed in range(5)])
print(len(mine), "pairs trained; a linear probe learns", vpcore.count(plain).head, "numbers")

# %%
points, _ = differences(*PAIRS["CNN: δ at the last map − linear probe"])
groups = {"recorded": points, "your run": mine}
label = "10 recorded seeds; your 5 repeat the first five; 1,000 test images"
show.lottery(groups, "AP at the last map − linear probe, one dot a seed", live=("your run",), label=label)

# %% [markdown] answer=true
# Equal functions, unequal numbers: some pairs differ by more than a point, in both directions, although nothing that
# one of them computes is out of the other's reach. Your five repeat recorded seeds: a check of the record, no new
# evidence.

# %% [markdown]
# ## Deeper: the usual table
#
# **Question.** Which of the weight deltas gains most over a linear probe? Look at the spread, then at the intervals.

# %%
NAMES = {
    "none": "linear probe", "ap_last": "AP, last map", "last_norm": "last norm", "stem_bias": "stem's norm bias",
    "ap_after": "AP after the stem's norm", "ap_before": "AP before the stem's norm", "mlp_bias": "one MLP bias",
    "ap_shared": "shared AP", "norm": "norm tuning", "bitfit": "BitFit", "ssf": "SSF", "lora": "LoRA, rank 4",
    "full": "full tuning",
}  # fmt: skip

# %%
def measured(net):
    """Return what was recorded with a network: name of the method to its accuracies of the first five seeds."""
    runs = {run["cell"]["prompt"]: run for run in table.runs if run["cell"]["backbone"] == net}
    return {name: table.accuracies("photodigits", name, net)[:5] for name in NAMES if name in runs}, runs


# %% point=true
def over_probe(net, condition):
    """Return the gain over the linear probe in points, and its interval for seeds and test images."""
    found = two_way_interval(*(table.correct("photodigits", name, net)[:5] for name in ("none", condition)))
    return [100 * end for end in (found.mean, found.low, found.high)]


against = {}
for net in ("resnet_nano", "vit_nano"):
    accuracies, runs = measured(net)
    print(net, "- the first 5 seeds, 1,000 test images")
    for condition, values in accuracies.items():
        line = f"  {NAMES[condition]:26} {runs[condition]['extra']['tuned']:7,} tuned"
        line += f"  {values.mean():5.1f} ± {values.std(ddof=1):3.1f} %"
        if condition != "none":
            mean, low, high = against[f"{net[:-5]}: {NAMES[condition]}"] = over_probe(net, condition)
            line += f"   {mean:+5.1f} ({low:+5.1f} to {high:+5.1f})"
        print(line)

# %%
show.intervals(against, "Each method against a linear probe", label="recorded, 5 seeds, 1,000 test images")

# %% [markdown] answer=true
# In the ViT norm tuning, BitFit, SSF, LoRA and full tuning gain, the last and SSF most, LoRA least; in the ResNet norm
# and full tuning do. Their intervals lie above zero. A shift in the CNN's stem, AP at its last map, one bias or the
# last norm of the ViT: these cannot be told from a linear probe.

# %% [markdown]
# **Question.** On the ResNet, the means of LoRA, SSF and BitFit are far above the linear probe; all three intervals
# hold zero. Why?

# %%
show.settings(
    {NAMES[condition]: values for condition, values in measured("resnet_nano")[0].items()},
    "Every seed of every method, ResNet", label="recorded, 5 seeds, 1,000 test images",
)  # fmt: skip

# %% [markdown] answer=true
# Two of LoRA's five seeds end at chance. Its rate was chosen with seed 0, where training went well; with other heads
# and batches it diverges at that rate. A mean with such a spread describes no run that happened: plot the seeds.
# SSF and BitFit have two seeds that gain nothing. In the record they are the *same* two as LoRA's, seeds 1 and 3, and
# those are the lowest of norm tuning and of full tuning as well: head and batches are shared, so a bad draw is bad for
# all. That is why the seeds are paired; five of them still cannot say how often such draws come.
#
# What do these runs not say? They are 1,000 images and ten epochs, 80 steps, on one semi-synthetic set, with two small
# networks. They show how such runs scatter, not how the methods rank elsewhere.
#
# Not even elsewhere in this course. Lesson 04 has LoRA, norm tuning and BitFit in the same ViT on the same images, with
# more steps on smaller batches, other rates, and LoRA in twice as many weights: there LoRA is far above the other two,
# here it is below both. Lesson 03 tunes the whole ResNet with batches half as large, at a tenfold rate, and gets
# much further. An order of methods belongs to a recipe: compare rows of one table, never rows of two.

# %% [markdown]
# **Question.** All that was with 1,000 images. With 16,000, AP at layer 3 gained 24 points (lesson 05). There it learns
# 2,048 numbers, and norm tuning learns 2,256. With equal trials for their rates, which of the two gains more?

# %%
more_images(recorded("scale"), {"norm tuning": "norm_tuning", "AP, layer 3": "activation:layer=3"})

# %% [markdown] answer=true
# (The last printed lines part images from steps, as in lesson 05; they are not drawn.) Norm tuning, at every size: by
# four points over AP at 250 images, by 20 points at 16,000, with about as many numbers.
# A constant at one layer shifts what the layers behind it see. The norms shift *and* scale every channel everywhere.
# So on this network AP is no substitute for norm tuning. What speaks for it is what it leaves alone: one network, as it
# is, serves many tasks in one batch, and all that lies below δ is computed once.
#
# On the ViT the two are closer. That is recorded in the same file and not drawn here: we cannot tell AP at layer 2 from
# norm tuning at 250 and at 1,000 images; at 4,000 norm tuning is four points ahead, at 16,000 eleven points, with the
# rate of 1,000 images for AP. There norm tuning is 30 points above the probe, and InsVP with all its parts (lesson 04)
# another 18 points above norm tuning. So here InsVP, with 20,923 learned numbers, overtakes norm tuning, with 2,496,
# given enough images. Full fine-tuning and LoRA of the ViT were not run at these sizes, and which part of InsVP does it
# is open.

# %% [markdown]
# ## Deeper: what may be claimed?
#
# ### Exercise: what may be claimed?
#
# A colleague writes: "On a ResNet, SSF beats norm tuning by 0.6 points (one seed). It is more expressive, since it
# scales and shifts every convolution." In four sentences: what stands, what does not, and what would you run?

# %% [markdown] exercise={"id": "06-claim", "points": 3, "minutes": 5, "difficulty": 2, "path": "extra"}
# ### BEGIN SOLUTION
# SSF after a convolution in front of a frozen batch norm spans the same functions as tuning that norm, with as many
# numbers, so it is not more expressive there.
# A difference can only come from the path of training: other coordinates, and so another effective learning rate.
# One seed is one draw; pairs of one function class differ by a point or more from seed to seed.
# I would give both the same number of rate trials on validation, run paired seeds, and report the paired interval and
# the smallest difference it could detect.
# ### END SOLUTION
# ### BEGIN MARK SCHEME
# 3 points: says that the two are one function class on this network (frozen norm behind each convolution), that a
#   difference comes from training (coordinates, rate), that one seed is no evidence; and proposes equal trials with
#   paired seeds and an interval.
# 2 points: two of the first three, with a proposal of more seeds.
# 1 point: doubts the claim for one correct reason.
# ### END MARK SCHEME

# %% [markdown]
# ## Recap
#
# - Per-channel AP next to a batch norm in eval mode is a shift of its bias; before it, multiplied by
#   weight / √(var + eps). In training mode, δ before the norm has no effect at all.
# - AP at the last map of a CNN is a shift of the head's bias. A shared δ in a ViT shifts the bias of one MLP.
# - Before a layer norm a shared δ is no bias; behind it, it is.
# - Norm tuning, BitFit, SSF and LoRA merge exactly. Inside a network, what differs by token, place
#   or image has no weight to go to.
# - SSF before frozen batch norms and norm tuning are one function class with equally many numbers.
# - The same function class does not mean the same trained numbers: other coordinates are another learning rate.
#
# **How far this goes.** The identities hold for any network of this kind, to rounding. The accuracies are those of two
# networks of 0.6 to 0.7 million weights on one semi-synthetic set, most of them with 1,000 images and 80 steps. On a
# CNN that was trained on ImageNet, lesson 05 could not tell AP from the probe at nearly all layers; norm tuning was six
# points above the probe there.

# %% [markdown]
# ## Self-test
#
# ### Exercise: what merges?
#
# Which of these can be built into the weights of a ViT without any change of its outputs? Give all, as in "a, d".
#
# - **a** LoRA on query and value
# - **b** a full δ, with its own vector for each token, before block 3
# - **c** a shared δ before block 3
# - **d** ten tokens of VPT

# %% exercise={"id": "06-quiz-merge", "points": 1, "minutes": 2, "difficulty": 2, "path": "extra"}
merges = ...  # such as "a, d"
### BEGIN SOLUTION
merges = "a, c"
### END SOLUTION

# %% check="06-quiz-merge"
check.quiz("06-quiz-merge", merges)

# %% [markdown]
# ### Exercise: the same class
#
# Norm tuning and SSF of a ResNet with frozen batch norms start from the same function, with the same seed, batches,
# optimizer and rate. After 50 steps:
#
# - **a** both have reached the same function
# - **b** in general they differ, because a step in one's numbers is another step in the other's
# - **c** SSF is at a function that norm tuning cannot reach

# %% exercise={"id": "06-quiz-same", "points": 1, "minutes": 1, "difficulty": 2, "path": "extra"}
after_steps = ...  # "a", "b" or "c"
### BEGIN SOLUTION
after_steps = "b"
### END SOLUTION

# %% check="06-quiz-same"
check.quiz("06-quiz-same", after_steps)

# %% [markdown]
# ### Exercise: a norm in training mode
#
# A per-channel δ stands right before a batch norm that was left in training mode. The norm's output
#
# - **a** moves by weight · δ / √(var + eps)
# - **b** does not move
# - **c** moves by δ

# %% exercise={"id": "06-quiz-train", "points": 1, "minutes": 1, "difficulty": 1, "path": "extra"}
moves = ...  # "a", "b" or "c"
### BEGIN SOLUTION
moves = "b"
### END SOLUTION

# %% check="06-quiz-train"
check.quiz("06-quiz-train", moves)

# %% [markdown]
# ## Further reading
#
# - Zhang et al. (2026). Visual Prompting Reimagined: The Power of the Activation Prompts.
#   [arXiv:2604.06440](https://arxiv.org/abs/2604.06440).
#   Proposition 1 links AP to norm tuning.
# - E. Ben Zaken, S. Ravfogel, Y. Goldberg (2022). BitFit: Simple Parameter-efficient Fine-tuning for Transformer-based
#   Masked Language-models. [arXiv:2106.10199](https://arxiv.org/abs/2106.10199).
# - D. Lian, D. Zhou, J. Feng, X. Wang (2022). Scaling & Shifting Your Features: A New Baseline for Efficient Model
#   Tuning. [arXiv:2210.08823](https://arxiv.org/abs/2210.08823). SSF, and how it merges.
# - E. J. Hu et al. (2021). LoRA: Low-Rank Adaptation of Large Language Models.
#   [arXiv:2106.09685](https://arxiv.org/abs/2106.09685).
# - S. Ioffe, C. Szegedy (2015). Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate
#   Shift. [arXiv:1502.03167](https://arxiv.org/abs/1502.03167).
# - J. L. Ba, J. R. Kiros, G. E. Hinton (2016). Layer Normalization.
#   [arXiv:1607.06450](https://arxiv.org/abs/1607.06450).
# - D. P. Kingma, J. Ba (2015). Adam: A Method for Stochastic Optimization.
#   [arXiv:1412.6980](https://arxiv.org/abs/1412.6980). What becomes of a rescaled
#   gradient.

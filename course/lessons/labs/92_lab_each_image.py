# %% [markdown]
# # Lab 2: a prompt for each image, a prompt for each layer
#
# **You will be able to**
#
# - build a prompter that draws a picture for each image, and an activation prompt for any layer of a network;
# - say which part of a frozen network runs once only, and why a late prompt is cheap;
# - choose a layer without looking at the images you report on, and judge a claim about layers.
#
# **Before you start**: lab 1, or lesson 00: frozen networks, and intervals over paired seeds.
#
# **Your time**: 90 minutes, all of it planned below. **Machine time**: about 40 seconds on two CPU cores.
#
# | from – to | what you do |
# |---|---|
# | 0:00 – 0:08 | 1. The case: read, look, guess |
# | 0:08 – 0:30 | 2. A picture for each image: exercise 1 |
# | 0:30 – 0:46 | 3. A tensor inside the network: exercise 2 |
# | 0:46 – 0:58 | 4. What must run again: exercise 3 |
# | 0:58 – 1:08 | 5. Train: guess, run, look |
# | 1:08 – 1:22 | 6. Choose a layer: exercise 4 |
# | 1:22 – 1:30 | 7. What may be said: exercise 5, and the recap |

# %% name="setup"
import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import vpcore
from course import check, show
from course.recorded import recorded
from course.show.sweeps import sweep
from vpcore.cache import cached

torch.set_num_threads(1)  # so small a network gains nothing from a second thread

# %% [markdown]
# ## 1. The case (0:00 – 0:08)
#
# The sorting machine again: a certified network that knows photographs, frozen for good, and digits to read. One
# learned picture for all images brought little, and here is a reason why it could not bring much.

# %% name="data"
data = vpcore.load_data("photodigits", num_train=500, num_valid=200, num_test=500)
backbone = vpcore.load_backbone("resnet_nano")  # trained on CIFAR-100 photographs, and frozen
spec = backbone.spec
mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (spec.mean, spec.std))
x = (data.test.images[:6].float() / 255 - mean) / std
titles = [f"digit {label}" for label in data.test.labels[:6].tolist()]
show.image_row(data.test.images[:6] / 255, titles, "A digit anywhere, in any color, on any photograph")

# %% [markdown]
# **Question.** No single picture knows where a digit is. Name two ways out: one in front of the network, and one
# inside it. Then look at the plan above.

# %% [markdown]
# ## 2. A picture for each image (0:08 – 0:30)
#
# Let a small network look at the image and draw the picture that is added to it. Then the picture may differ from image
# to image, and what is stored is the small network. Liu, Peng and Zhou (2024) call it an instance prompt.

# %% take="03-patch"

# %% [markdown]
# **Question.** Below, a fresh prompter draws for six images. Its weights are random. Will you recognize the images in
# the pictures?

# %% name="drawn"
draw = check.use("03-patch", patch_picture)


class MyPatch(nn.Module):
    """A patch prompter that draws with your function, and keeps the layers of vpcore's."""

    def __init__(self, layers):
        super().__init__()
        self.inner, self.outer, self.edge = layers.inner, layers.outer, layers.patch_size

    def forward(self, images):
        """Return the picture (B, C, H, W) for normalized images."""
        return draw(images, self.inner.weight, self.inner.bias, self.outer.weight, self.outer.bias, self.edge)


def instance_prompt(seed):
    """Return an instance prompt whose patch prompter is yours."""
    prompt = vpcore.InstanceImagePrompt(spec, seed=seed)
    prompt.patch = MyPatch(prompt.patch)
    return prompt


with torch.no_grad():
    pictures = instance_prompt(0).patch(x).mean(1)
print("numbers that learn:", f"{instance_prompt(0).num_learned():,}", "for any number of pictures")
shown = {title: picture for title, picture in zip(titles, pictures, strict=True)}
show.prompt_maps(shown, "Pictures of an untrained prompter", made_by=check.made_by("03-patch"))

# %% [markdown]
# An untrained prompter already shows the image: it is a function of it. So a picture that looks like the digit proves
# nothing about what was learned.

# %% [markdown]
# ## 3. A tensor inside the network (0:30 – 0:46)
#
# The other way out: add δ not to the image but to what a layer makes of it, z' = z + δ. It is one tensor for all images
# again, at a place where the network has already found edges and shapes. Layer l is the input of block l.

# %% take="05-module"

# %% name="module"
Delta = check.use("05-module", AddDelta)
print("made by:", check.made_by("05-module"))
for layer, shape in enumerate(spec.shapes):
    print(f"layer {layer}: activations {shape!s:13} δ has {math.prod(shape):5,} numbers")
prompt = Delta(spec.shapes, 4)
print("δ = 0 leaves the network as it is:", torch.equal(backbone(x, edit=prompt), backbone(x)))

# %% [markdown]
# ## 4. What must run again? (0:46 – 0:58)
#
# In each training step the network computes the same numbers below the prompt, image by image, epoch by epoch.
#
# **Question.** δ stands before block 4 of 7. Which blocks need to run only once, for all epochs?

# %% take="05-first-layer"

# %% name="plan"
runs_once = check.use("05-first-layer", plan)
print("made by:", check.made_by("05-first-layer"))
for words, place in (("a picture at the pixels", -1), ("δ at layer 4", 4), ("δ at the last layer", spec.depth)):
    first, once = runs_once([place], [], spec.depth)
    print(f"{words:24} first {first:2}   runs once: {once}")

# %% [markdown]
# What runs once may be kept: that is a **cache**. It is exact as long as the images stay the same. Crops and flips make
# new images in each epoch, and then nothing can be kept.

# %% [markdown]
# ## 5. Train (0:58 – 1:08)
#
# Three models with the same frozen network and the same head: no prompt, a picture for each image, and your δ before
# block 4. The first and the last learn from a cache. Rates come from recorded studies, chosen on validation images.
#
# **Question.** Which of the two prompts gains more over no prompt? And which cell takes longer? Write both down.


# %% name="prompts"
class MyPrompt(vpcore.Prompt):
    """Wraps your module, so that `fit` can train it."""

    def __init__(self, spec, layer):
        super().__init__(spec)
        self.first_layer = layer
        self.inner = Delta(spec.shapes, layer)

    def activation(self, z, layer, context):
        """Add δ at its layer."""
        return self.inner(z, layer)


def train(prompt, seed, rate, keep):
    """Train a prompt and a head; return the accuracy on the test images. With `keep`, blocks below δ run once."""
    model = vpcore.Prompted(backbone, prompt, vpcore.LinearHead(spec.dim, 10, seed=seed))
    splits = [cached(model, split) if keep else split for split in (data.train, data.valid, data.test)]
    lr = {"prompt": rate, "head": 1e-2}
    vpcore.fit(model, splits[0], splits[1], epochs=5, batch_size=64, lr=lr, seed=seed)
    return vpcore.evaluate(model, splits[2]).accuracy


# %% name="train"
table = recorded("ap_layers")
cells = [run["cell"] for run in table.runs if run["cell"]["data"] == "photodigits"]
rate = next(c["rate"] for c in cells if (c["backbone"], c["prompt"]) == ("resnet_nano", "ap@4"))
drawn = next(r["cell"]["lr"] for r in recorded("insvp_image").runs if r["cell"]["prompt"] == "instance")
scores = {
    "no prompt": np.array([train(vpcore.NoPrompt(spec), seed, rate, keep=True) for seed in range(5)]),
    "δ at layer 4": np.array([train(MyPrompt(spec, 4), seed, rate, keep=True) for seed in range(5)]),
}
print("made by:", check.made_by("05-module"))
print({name: len(accuracies) for name, accuracies in scores.items()}, "networks trained, each from its cache")

# %% [markdown]
# The next cell trains five more. Nothing can be kept: each image gets another picture in each epoch.

# %% name="gains"
scores["a picture each"] = np.array([train(instance_prompt(seed), seed, drawn, keep=False) for seed in range(5)])
print("pictures made by:", check.made_by("03-patch"))
gains = {name: 100 * (scores[name] - scores["no prompt"]) for name in ("δ at layer 4", "a picture each")}
show.lottery(gains, "Gain over no prompt, seed by seed", live=tuple(gains), label="your run, 500 test images")

# %% [markdown]
# Compare with your guesses. Five seeds on 500 images: take the dots as a first look, and the record below as evidence.

# %% [markdown]
# ## 6. Choose a layer (1:08 – 1:22)
#
# A sweep over all layers takes longer than a lab, so it was recorded: 1,000 training images, ten epochs, a rate of its
# own for every layer, found on validation images.
#
# **Question.** Guess the curve before you look: does a CNN want δ early, in the middle, or late?


# %% name="sweep"
def by_layer(data_set):
    """Return recorded test accuracies in percent, {layer: one a seed}, for the seeds that every layer has."""
    rows = {n: table.accuracies(data_set, f"ap@{n}", "resnet_nano") for n in range(spec.depth + 1)}
    return {n: row[: min(map(len, rows.values()))] for n, row in rows.items()}


levels = {"no prompt": table.accuracies("photodigits", "none", "resnet_nano").mean()}
print(table.about("photodigits"))
sweep({"δ, recorded": by_layer("photodigits")}, "δ at every layer of resnet_nano", levels=levels,
      label="recorded, photodigits, 1,000 test images")  # fmt: skip

# %% [markdown]
# To report the layer that is best on the test images would be to choose on them. So choose on one data set's validation
# images, and report on another data set.

# %% take="05-choose"


# %% name="choose"
def valid_rows(data_set):
    """Return recorded validation accuracies in percent: (layers, seeds)."""
    runs = [run for run in table.runs if (run["cell"]["data"], run["cell"]["backbone"]) == (data_set, "resnet_nano")]
    rows = [[100 * run["extra"]["valid"] for run in runs if run["cell"]["prompt"] == f"ap@{n}"]
            for n in range(spec.depth + 1)]  # fmt: skip
    return np.array([row[: min(map(len, rows))] for row in rows])


choose = check.use("05-choose", choose_layer)
print("made by:", check.made_by("05-choose"))
for here, there in (("photodigits", "digits"), ("digits", "photodigits")):
    layer, report = choose(valid_rows(here), {there: np.stack(list(by_layer(there).values()))})
    plain = table.accuracies(there, "none", "resnet_nano").mean()
    print(f"chosen on {here:11}: layer {layer}. On {there}: {report[there][0]:.1f} % (no prompt {plain:.1f} %), "
          f"{report[there][1]:.1f} points below its best layer")  # fmt: skip

# %% [markdown]
# ## 7. What may be said? (1:22 – 1:30)
#
# AP is short for activation prompt. A "layer-6 probe" is a linear head on the features of layer 6, without δ.

# %% take="05-claim"

# %% [markdown]
# ## Recap
#
# - An instance prompt stores a small network and draws a picture for each image. It shows the image before it learns.
# - An activation prompt adds one tensor inside. Everything below it runs once, so a late prompt is cheap.
# - A layer is a choice like any other: made on validation images, of another data set if the claim is about layers.
#
# ## Self-test
#
# Close the notebook and say in three sentences: what can a picture for each image do that δ cannot, why is δ cheap, and
# which control would show that the layer, and not δ, made the gain?
#
# ## Further reading
#
# - Liu, Peng, Zhou (2024). InsVP: Efficient Instance Visual Prompting from Image Itself. ACM Multimedia. Lesson 03 of
#   this course tests it with four controls.
# - Zhang et al. (2026). Visual Prompting Reimagined: The Power of the Activation Prompts. arXiv:2604.06440. Lesson 05
#   of this course sweeps all layers of a CNN and a ViT.

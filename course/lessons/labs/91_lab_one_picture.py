# %% [markdown]
# # Lab 1: one picture for all images
#
# **You will be able to**
#
# - freeze a network so that nothing in it moves, and show that nothing did;
# - build two learned pictures, a frame and three small maps, and count what they learn;
# - train them on a frozen network, in pairs, and say from an interval what they bring.
#
# **Before you start**: Python, and some PyTorch: tensors, a module, a loss. Nothing of the lessons is needed.
#
# **Your time**: 90 minutes, all of it planned below. **Machine time**: about 40 seconds on two CPU cores.
#
# | from – to | what you do |
# |---|---|
# | 0:00 – 0:10 | 1. The case: read, look, guess |
# | 0:10 – 0:26 | 2. Freeze: exercise 1 |
# | 0:26 – 0:44 | 3. A frame: exercise 2 |
# | 0:44 – 0:58 | 4. Three small maps: exercise 3 |
# | 0:58 – 1:08 | 5. Train: guess, run, look |
# | 1:08 – 1:20 | 6. How sure is the gain: exercise 4 |
# | 1:20 – 1:30 | 7. What may be said: exercise 5, and the recap |

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
from vpcore.cache import cached

torch.set_num_threads(1)  # so small a network gains nothing from a second thread

# %% [markdown]
# ## 1. The case (0:00 – 0:10)
#
# A sorting machine reads photographs. Its network knows 100 everyday classes, it was tested and certified, and no
# weight of it may ever change. Now it shall read the digits that somebody has stuck on the goods.
#
# You may put something in *front* of the network, and a new last layer behind it. What goes in front is a **visual
# prompt**: a learned picture δ that is added to every image, x → x + δ. It is the same picture for all images.
#
# **Question.** One picture for all images says nothing about any one of them. How could it help at all? Write down a
# guess.

# %% name="data"
data = vpcore.load_data("photodigits", num_train=500, num_valid=200, num_test=500)
backbone = vpcore.load_backbone("resnet_nano")  # trained on CIFAR-100 photographs
spec = backbone.spec
mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (spec.mean, spec.std))
titles = [f"digit {label}" for label in data.test.labels[:6].tolist()]
print(len(data.train), "images to train on,", len(data.valid), "to choose with,", len(data.test), "to report on")
show.image_row(data.test.images[:6] / 255, titles, "photodigits: real digits, colored, on real photographs")

# %% [markdown]
# Three sets of images, three uses. We learn on the first, choose settings on the second, and read the third once.
# Whatever is chosen on the third can no longer be measured on it.

# %% [markdown]
# ## 2. Freeze (0:10 – 0:26)
#
# "No weight may change" is one line of PyTorch, and it is not enough. A batch norm also keeps a running mean and
# variance of what it sees, and in training mode it updates them. They are no weights, and no gradient is needed.

# %% take="00-freeze"

# %% [markdown]
# **Question.** The next cell trains a new head behind two copies of the network for ten steps. One copy has only
# `requires_grad=False`. The other is frozen by your function, after the model went to training mode. What changes?


# %% name="ten-steps"
def ten_steps(freeze_it):
    """Train a head for ten steps behind a frozen copy of the network; return how many of its stored tensors changed."""
    network = copy.deepcopy(nn.Sequential(backbone.embed, *backbone.blocks, backbone.pool))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    model = nn.Sequential(network, nn.Linear(spec.dim, 10))
    model.train()
    freeze_it(network)
    optimizer = torch.optim.SGD(model[1].parameters(), lr=0.1)
    for start in range(0, 320, 32):
        images, labels = data.train.images[start : start + 32].float() / 255, data.train.labels[start : start + 32]
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()
    return sum(not torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


my_freeze = check.use("00-freeze", freeze)
print("made by:", check.made_by("00-freeze"))
print("tensors changed, requires_grad=False only:", ten_steps(lambda network: network.requires_grad_(False)))
print("tensors changed, frozen in both meanings: ", ten_steps(my_freeze))

# %% [markdown]
# The running statistics had moved, and the certified network was another one. From here on `backbone` is vpcore's own,
# which stays frozen whatever is called around it.

# %% [markdown]
# ## 3. A frame (0:26 – 0:44)
#
# The first published visual prompt is a frame: p pixels wide, zero in the middle, so that the object stays as it is.
# It is added after normalization: the network sees (x − mean) / σ, and the frame is added to that.

# %% take="01-pad"

# %% [markdown]
# **Question.** The strips below are drawn from N(0, 0.5²), as if they were learned. Which digits can you still read?

# %% name="frame"
frame = check.use("01-pad", add_frame)
x = (data.test.images[:6].float() / 255 - mean) / std
shapes = [(1, 3, 4, 32)] * 2 + [(1, 3, 24, 4)] * 2
draw = torch.Generator().manual_seed(0)
strips = [0.5 * torch.randn(shape, generator=draw) for shape in shapes]
framed = frame(x, *strips) * std + mean
print("numbers in a frame of 4 pixels:", sum(strip.numel() for strip in strips))
show.image_row(framed, titles, "The same images in a frame of noise", made_by=check.made_by("01-pad"))

# %% [markdown]
# ## 4. Three small maps (0:44 – 0:58)
#
# A frame leaves the middle alone. A picture as large as the image has 3,072 numbers. Khazem (2025) takes three small
# maps a channel, with 1×1, 4×4 and 8×8 entries, stretches each to the size of the image and adds their average.

# %% take="02-average"

# %% name="maps"
average = check.use("02-average", average_maps)
maps = [torch.randn(1, 3, size, size, generator=draw) for size in (1, 4, 8)]
pictures = {f"{size}×{size}": average([values], (32, 32)).mean(1) for size, values in zip((1, 4, 8), maps, strict=True)}
pictures["average"] = average(maps, (32, 32)).mean(1)
print("numbers in three maps:", sum(values.numel() for values in maps), "= 81 a channel")
show.prompt_maps(pictures, "Three maps and their average, drawn at random", made_by=check.made_by("02-average"))

# %% [markdown]
# ## 5. Train (0:58 – 1:08)
#
# Three models with the same frozen network, and the same new head of 1,210 numbers: no prompt, your frame, your maps.
# Runs of one seed share first head and batches, so they form a **pair** that differs by the prompt alone. The rates
# were chosen on validation images, in a recorded study.
#
# **Question.** By how many points is each of the two better than no prompt, and in how many of five seeds? Write it
# down before you run the cell.


# %% name="prompts"
class Frame(vpcore.Prompt):
    """Your frame of 4 pixels, from four learned strips that start at zero."""

    def __init__(self, spec):
        super().__init__(spec)
        self.strips = nn.ParameterList(torch.zeros(shape) for shape in shapes)

    def image(self, images, context):
        return frame(images, *self.strips)


class Maps(vpcore.Prompt):
    """Your average of three learned maps that start at zero."""

    def __init__(self, spec):
        super().__init__(spec)
        self.maps = nn.ParameterList(torch.zeros(1, 3, size, size) for size in (1, 4, 8))

    def image(self, images, context):
        return images + average(list(self.maps), images.shape[-2:])


# %% name="train"
cells = [run["cell"] for run in recorded("vp").runs if run["cell"]["data"] == "photodigits"]
rates = {name: next(c["lr"] for c in cells if c["prompt"] == name) for name in ("pad:4", "none")}


def train(prompt, seed, splits):
    """Train a prompt and a head on the frozen network; return the accuracy on the test images."""
    model = vpcore.Prompted(backbone, prompt, vpcore.LinearHead(spec.dim, 10, seed=seed))
    lr = {"prompt": rates["pad:4"], "head": rates["none"]}
    vpcore.fit(model, splits[0], splits[1], epochs=5, batch_size=64, lr=lr, optimizer="adamw", seed=seed)
    return vpcore.evaluate(model, splits[2]).accuracy


bare = vpcore.Prompted(backbone, vpcore.NoPrompt(spec), vpcore.LinearHead(spec.dim, 10))
whole = (data.train, data.valid, data.test)
once = [cached(bare, split) for split in whole]  # without a prompt, features are computed once
scores = {
    "no prompt": np.array([train(vpcore.NoPrompt(spec), seed, once) for seed in range(5)]),
    "frame": np.array([train(Frame(spec), seed, whole) for seed in range(5)]),
}
print("made by:", check.made_by("01-pad"))
print({name: len(accuracies) for name, accuracies in scores.items()}, "networks trained, test images read once each")

# %% name="gains"
scores["maps"] = np.array([train(Maps(spec), seed, whole) for seed in range(5)])
print("maps made by:", check.made_by("02-average"))
gains = {name: 100 * (scores[name] - scores["no prompt"]) for name in ("frame", "maps")}
show.lottery(gains, "Gain over no prompt, seed by seed", live=("frame", "maps"), label="your run, 500 test images")

# %% [markdown]
# Compare with your guess. Is a dot far to the right a good prompt, or a lucky seed? Look at how far the dots spread.

# %% [markdown]
# ## 6. How sure is the gain? (1:08 – 1:20)
#
# Five seeds are five draws. The mean of their differences would be another number with other seeds; an interval says
# how far it may lie from the truth. In the exercise "MSVP" is the name of the method with three maps.

# %% take="02-interval"

# %% name="interval"
interval = check.use("02-interval", paired_interval)
ends = interval(scores["no prompt"], scores["maps"])
title, who = "Three maps against no prompt, frozen resnet_nano", check.made_by("02-interval")
what = "maps − no prompt"
show.paired_dots(gains["maps"], ends, title, live=True, label="your run, 5 seeds", made_by=who, what=what)

# %% [markdown]
# An interval that holds zero says "cannot tell", and not "no difference". This one is about seeds alone: the 500 test
# images are a lottery of their own, with a standard error of about two points for each accuracy.

# %% [markdown]
# ## 7. What may be said? (1:20 – 1:30)
#
# The machine's owner has a colleague with strong opinions.

# %% take="00-claim"

# %% [markdown]
# ## Recap
#
# - Frozen means: no gradient for weights, and eval mode for the statistics of batch norms.
# - A visual prompt is a learned picture. A frame and three small maps learn a few hundred to a thousand numbers.
# - Count the head, too: it learned as well, and alone it is the baseline.
# - Pair runs by seed, report an interval, and let no test image choose anything.
#
# ## Self-test
#
# Close the notebook and say in three sentences: what was frozen, what learned, and what your interval allows.
#
# ## Further reading
#
# - H. Bahng, A. Jahanian, S. Sankaranarayanan, P. Isola (2022). Exploring Visual Prompts for Adapting Large-Scale
#   Models. arXiv:2203.17274. The frame.
# - Lessons 00 to 02 of this course: label mapping, what a batch norm hides, and how many seeds settle a claim.

# %% [markdown]
# # A museum of bugs
#
# **You will be able to**
#
# - name seven faults that leave every shape as it should be, and raise no error;
# - make such a fault visible with a measurement of a few lines;
# - write the test that rejects the faulty code and accepts the right one;
# - say by how many points a fault moved an accuracy, and when nobody can tell.
#
# **Before you start**: lessons 00 to 02 (splits, freezing, paired intervals). This lesson is optional.
#
# **Your time**: 45 minutes for the core, 50 for the deeper sections.
# **Machine time**: about 20 seconds on two CPU cores.

# %% name="setup"
import copy

import numpy as np
import torch
from torch.nn import functional as F

import vpcore
from course import check, show
from course.recorded import recorded
from course.show import drawings
from course.show.museum import MEASURES, Prompter, small_net, train_head
from vpcore.statistics import holm, t_interval, two_way_p_value

torch.set_num_threads(1)  # so small a network gains nothing from a second thread

# %% [markdown]
# ## 1. Four programs
#
# Code that trains a prompt can be silently wrong: no error, a loss that falls, an accuracy that looks plausible.
#
# Four programs learn *photodigits*: a frozen `resnet_nano`, a learned tensor before block 5, and a linear head. They
# share seeds, batches and the learning rate, which was chosen on validation images for the right program.
#
# - One program is right.
# - In one the prompt is cut off from its gradient, so it never learns.
# - In one the statistics of the "frozen" batch norms move while the head is trained.
# - In one the training and validation images get worse from epoch to epoch.
#
# **Question.** Order the four by the accuracy that they report. Which of the faults would you notice?

# %% name="record"
bugs = recorded("bugs")


def accuracies(program):
    """Return the test accuracy of a recorded program in percent, one number a seed."""
    return bugs.accuracies("photodigits", program, "resnet_nano")


print(bugs.about("photodigits"))
for program in ("right", "prompt cut off", "moving statistics", "worn images"):
    found = accuracies(program)
    print(f"{program:18} {found.mean():.1f} ± {found.std(ddof=1):.1f} %, {len(found)} seeds")

# %% [markdown] answer=true
# The right program is not the best one. A program whose network moves although it is called frozen reports more. The
# program whose prompt learns nothing reports almost the same. Only the one whose images get worse would catch your eye,
# and even that could pass for a method that learns slowly.

# %% [markdown]
# This museum shows seven faults. Six were found in published prompt code, one is known from linear probes. We show them
# in lines of our own, and the text names nobody: these authors published their code, which is why anything could be
# found. The sources, with file and commit, stand folded at the end.
#
# A faulty program is the right one with one line changed. What that costs was recorded, and the intervals hold both
# lotteries, seeds and test images (lesson 02).

# %% name="gain"
runs = sorted((run for run in bugs.runs if run["cell"]["prompt"] == "right"), key=lambda run: run["cell"]["seed"])
right = accuracies("right")


def gain(program, base="right"):
    """Return what a program reports beyond another, in points: mean and 95 % interval, other seeds and images."""
    return bugs.gain("photodigits", base, program, "resnet_nano")


# %%
def say(name, found):
    """Print a mean difference in points with its interval and a verdict, and return it."""
    words = f"{found.mean:+6.2f}  ({found.low:+7.3f} to {found.high:+7.3f})"
    print(f"{name:24} {words}  {found.verdict('differs', 'differs')}")
    return found


# %% [markdown]
# ## 2. Exhibit 1: the average of averages


# %%
def faulty_accuracy(logits, labels):
    """Return the accuracy over all batches."""
    shares = [(scores.argmax(1) == truth).float().mean() for scores, truth in zip(logits, labels, strict=True)]
    return float(torch.stack(shares).mean())


# %% [markdown]
# **Question.** For which batch sizes is it right, and for which is it wrong?

# %%
truth = torch.zeros(1000, dtype=torch.long)
scores = torch.eye(2)[(torch.arange(1000) >= 990).long()]  # the last ten images are wrong, so 99 % are right
for size in (100, 128, 250, 333):
    batches = scores.split(size), truth.split(size)
    print(f"batches of {size}, the last of {len(batches[0][-1]):3}: {100 * faulty_accuracy(*batches):.2f} %")

# %% [markdown] answer=true
# Let $c_i$ be 1 if image $i$ is classified right, else 0, with $N$ images in $M$ batches, and $B_m$ images in batch
# $m$. Accuracy and average of averages are
#
# $$\frac1N \sum_{i=1}^{N} c_i \qquad\text{and}\qquad \frac1M \sum_{m=1}^{M} \frac1{B_m} \sum_{i \in m} c_i .$$
#
# An image of batch $m$ weighs $1/N$ in the first, $1/(M B_m)$ in the second. The two are the same for all predictions
# only if all batches are equally large. With a size that divides 1,000 nothing is wrong, and that is how such code
# survives. What it did to our own accuracies is in the collection, at the end.

# %% [markdown]
# ### Exercise: count, then divide
#
# `logits` is a list of tensors (B_m, K), `labels` a list of tensors (B_m,). Return the share of right answers.


# %% exercise={"id": "08-accuracy", "points": 2, "minutes": 4, "difficulty": 1, "path": "core", "needs": ["setup"]}
def accuracy(logits, labels):
    """Return the share of images classified right, between 0 and 1, for batches of any sizes."""
    ### BEGIN SOLUTION
    right, total = 0, 0
    for scores, truth in zip(logits, labels, strict=True):
        right += int((scores.argmax(1) == truth).sum())
        total += len(truth)
    return right / total
    ### END SOLUTION


# %% check="08-accuracy"
check("08-accuracy", accuracy)

# %% [markdown]
# ### Exercise: write the test
#
# `measure` is somebody's `accuracy(logits, labels)`. Return True if it is right, False if not (or use `assert`).
# Your test is run on right and on faulty implementations: averages of averages, a short batch that is dropped, and
# others. Make up small batches whose accuracy you know. Allow for rounding: 1e-6 is enough.


# %% exercise={"id": "08-test-accuracy", "points": 3, "minutes": 6, "difficulty": 2, "path": "core", "needs": ["setup"]}
def good_accuracy(measure):
    """Return whether measure(logits, labels) gives the share of right answers for batches of any sizes."""
    ### BEGIN SOLUTION
    first = torch.eye(3)[[0, 1, 2, 0]]  # says 0, 1, 2, 0
    second = torch.eye(3)[[1]]  # a short batch, says 1
    labels = [torch.tensor([0, 1, 2, 0]), torch.tensor([2])]  # so the short batch is wrong
    found = measure([first, second], labels)
    return abs(found - 4 / 5) < 1e-6
    ### END SOLUTION


# %% check="08-test-accuracy"
check("08-test-accuracy", good_accuracy)


# %% name="accepts"
def accepts(test, implementation):
    """Return whether a test accepts: it hands back anything but False, and no assertion fails."""
    try:
        said = test(implementation)
    except AssertionError:
        return False
    return said is None or bool(said)


# %%
measure_test = check.use("08-test-accuracy", good_accuracy)
print("test made by:", check.made_by("08-test-accuracy"))
for name, measure in {"exercise 08-accuracy": check.use("08-accuracy", accuracy), **MEASURES}.items():
    print(f"{name:22}", "accepted" if accepts(measure_test, measure) else "rejected")

# %% [markdown]
# ## 3. Exhibit 2: the wheel that cannot turn
#
# A small prompter adds something computed from the features z, of shape (B, 8), to them. With $D$, $a$ the weights and
# bias of the layer `down`, $U$, $b$ those of `up`, and $g$ the GELU,
#
# $$y = z + U\,g(Dz + a) + b .$$
#
# A good habit is to start it at "adds nothing".

# %%
torch.manual_seed(0)
stuck = Prompter(start="both")  # weights and biases of both layers are zero
z = torch.randn(16, 8)
optimizer = torch.optim.SGD(stuck.parameters(), lr=0.1)
print("adds nothing at the start:", torch.equal(stuck(z), z))

# %% [markdown]
# **Question.** What will it have learned after 100 steps?

# %%
for _ in range(100):
    optimizer.zero_grad()
    stuck(z).square().mean().backward()
    optimizer.step()
for name, parameter in stuck.named_parameters():
    print(f"{name:12} {parameter.numel():3} numbers, any of them not zero: {bool(parameter.any())}")
drawings.stuck_adapter()

# %% [markdown] answer=true
# One bias. Write $h_n = g(Dz_n + a)$ for row $n$, and $G_n = \partial L / \partial y_n$ for the gradient that arrives
# from above. Then
#
# $$\begin{gathered}
# \frac{\partial L}{\partial U} = \sum_n G_n h_n^\top, \\
# \frac{\partial L}{\partial b} = \sum_n G_n, \\
# \frac{\partial L}{\partial D} = \sum_n \big[(U^\top G_n) \odot g'(Dz_n + a)\big]\, z_n^\top .
# \end{gathered}$$
#
# The gradient of $U$ is a product with $h_n$, and $D = a = 0$ makes $h_n = g(0) = 0$. The gradient of $D$ is a product
# with $U = 0$. So neither moves, and in the next step the same is true again. $b$ alone learns.
#
# Start only the *last* layer at zero: then $h_n$ is not zero, the first step moves $U$, and from the second step on $D$
# moves as well.

# %% [markdown]
# Hence the rule: **within two steps, each learned tensor must have had a gradient that is not zero.** The next cell
# compares the first formula with PyTorch, for a prompter that starts only its last layer at zero.

# %%
turning = Prompter(start="last")
y = turning(z)
loss = y.square().mean()
(G,) = torch.autograd.grad(loss, y, retain_graph=True)  # (16, 8)
loss.backward()
by_hand = G.T @ F.gelu(turning.down(z))  # the sum over n of G_n h_n^T
print("by hand = PyTorch:", torch.allclose(by_hand, turning.up.weight.grad, atol=1e-7))
print("step 1: U has a gradient:", bool(by_hand.any()), "· D has one:", bool(turning.down.weight.grad.any()))

# %% [markdown]
# ### Exercise: write the test
#
# `make()` returns a fresh prompter for features of shape (B, 8). Train it for two steps. Return whether *every* one of
# its `named_parameters()` has had a gradient with an entry other than zero, in the first step or in the second.
# Among the prompters that your test meets: one whose gradient is cut off, one with a tensor it never uses, one with
# `requires_grad=False`, and three that are fine.


# %% exercise={"id": "08-learns", "points": 3, "minutes": 8, "difficulty": 3, "path": "core", "needs": ["setup"]}
def everything_learns(make):
    """Return whether each parameter of the prompter gets a gradient that is not zero within two steps."""
    prompter = make()
    z = torch.randn(16, 8, generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.SGD(prompter.parameters(), lr=0.1)
    ### BEGIN SOLUTION
    reached = set()
    for _ in range(2):
        optimizer.zero_grad()
        prompter(z).square().mean().backward()
        for name, parameter in prompter.named_parameters():
            if parameter.grad is not None and parameter.grad.any():
                reached.add(name)
        optimizer.step()
    return reached == {name for name, _ in prompter.named_parameters()}
    ### END SOLUTION


# %% check="08-learns"
check("08-learns", everything_learns)

# %%
learns_test = check.use("08-learns", everything_learns)
print("test made by:", check.made_by("08-learns"))
prompters = {"last layer at zero": {}, "both at zero": {"start": "both"}, "cut off": {"cut": True},
             "an idle scale": {"idle": True}, "a fixed bias": {"fixed": True}}  # fmt: skip
for name, options in prompters.items():
    made = accepts(learns_test, lambda options=options: Prompter(**options))
    print(f"{name:20}", "accepted" if made else "rejected")

# %% [markdown]
# **Question.** Such a prompter stood in front of the pooling of our network, with a linear head behind it. Does the
# head's accuracy give the fault away? And a prompt that is cut off from its gradient altogether?

# %%
adapters = [run for run in bugs.runs if run["cell"]["prompt"] == "both zero"]
print("first layer still zero at the end:", all(run["extra"]["down_norm"] == 0 for run in adapters))
print(f"points, each against its own right program, n = {len(adapters)} seeds crossed with 1,000 test images")
wheel = say("both layers at zero", gain("both zero", base="adapter"))
cut = say("prompt cut off", gain("prompt cut off"))

# %% [markdown] answer=true
# The accuracy **praises** the fault. At the rate that was chosen for the learning prompter, the one that cannot learn
# is better, and its interval, taken alone, excludes zero. That can be a finding about prompters on 1,000 images, but
# not if the author believes that it has learned.
#
# For the prompt that is cut off these runs cannot tell. A test of two steps finds both, without a single image.

# %% [markdown]
# ## 4. Exhibit 3: somebody else's glasses


# %%
def faulty_normalize(images):
    """Bring images in [0, 1] into the space of the frozen network."""
    center = torch.tensor([0.485, 0.456, 0.406]).view(-1, 1, 1)
    spread = torch.tensor([0.229, 0.224, 0.225]).view(-1, 1, 1)
    return (images - center) / spread


# %% [markdown]
# A frozen network wants $(x - \mu) / \sigma$, with $\mu$ and $\sigma$ the mean and standard deviation of each channel
# in its own training. The constants above stand in a great many programs.
#
# **Question.** What could be wrong with them? And which costs most points here: ImageNet's constants, 0.5 and 0.5, or
# no normalization at all? Guess an order.

# %%
print(f"points against the right constants, n = {len(right)} seeds crossed with 1,000 test images")
sets = {"ImageNet's constants": "imagenet constants", "constants 0.5 and 0.5": "half constants"}
sets["not normalized"] = "not normalized"
glasses = {name: say(name, gain(program)) for name, program in sets.items()}
rows = {"zero prompter": wheel, "prompt cut off": cut, **glasses}
label = f"recorded, {len(right)} seeds crossed with 1,000 test images"
show.intervals(rows, "What these faults do, each against its own right program", label=label)

# %% [markdown] answer=true
# They are the mean and standard deviation of *one* data set. They are right for networks that were trained with them,
# and for no others. Many published ViTs were trained with 0.5 and 0.5; ours with the constants of its own images.
#
# ImageNet's constants are close to the right ones, and our runs cannot tell the two apart. The two coarse mistakes
# **raise** the accuracy; each interval, taken alone, excludes zero. We tested no reason, so we give none.
#
# Nobody looks for a fault that raises the number. And the gain is not the prompt's.

# %% [markdown]
# **The test that catches it** compares constants with constants, not accuracies: what the network receives must be
# `(x − spec.mean) / spec.std`, with the `spec` that belongs to the weights.

# %% name="data"
data = vpcore.load_data("photodigits", num_train=1000)
backbone = vpcore.load_backbone("resnet_nano")
mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (backbone.spec.mean, backbone.spec.std))
model = vpcore.Prompted(backbone, vpcore.NoPrompt(backbone.spec), vpcore.LinearHead(backbone.spec.dim, 10))
x = data.test.images[:2].float() / 255
expected = (x - mean) / std
print("vpcore:", torch.allclose(model.normalize(x), expected, atol=1e-6))
print("faulty:", torch.allclose(faulty_normalize(x), expected, atol=1e-6))

# %% [markdown]
# ### Exercise: should it stay?
#
# A colleague has normalized with 0.5 and 0.5 where the weights ask for other constants. Our record shows a higher
# accuracy that way. "Then it is no bug. Let us keep it, and report the gain." Answer in four sentences.

# %% [markdown] exercise={"id": "08-keep", "points": 3, "minutes": 5, "difficulty": 2, "path": "core"}
# ### BEGIN SOLUTION
# The gain is real for these runs: the paired interval over ten seeds and 1,000 test images excludes zero. But it is a
# property of this data set with this network, found on the test images, and it says nothing about the prompt. If other
# constants are allowed here, they are a choice like a learning rate: the baseline without a prompt gets the same
# choice, it is made on validation, and the paper says so. Kept in silence, it makes our numbers incomparable with
# everybody's who uses the constants of the weights, and our prompt would be praised for what a pair of constants did.
# ### END SOLUTION
# ### BEGIN MARK SCHEME
# 3 points: accepts the measured difference with its interval; treats the constants as a choice to be made on
#   validation and to be given to every method; and asks for it to be said openly, or names the loss of comparability.
# 2 points: two of these.
# 1 point: says only that wrong code must be repaired, or only that a higher number wins, with some reason.
# ### END MARK SCHEME

# %% [markdown]
# ## Deeper: exhibit 4, the exam that was the textbook


# %%
def faulty_report(valid, test):
    """Return the accuracy that goes into the table, from one accuracy an epoch."""
    best = 0.0
    for accuracy in test:
        if accuracy > best:
            best = accuracy
    return best


# %% [markdown]
# **Question.** Every number in `test` is a correct test accuracy. What is wrong with the report? (You met this fault in
# lesson 00.)

# %% [markdown] answer=true
# The test set has chosen the epoch. Of ten epochs it picks the luckiest one: with $a_e$ the test accuracy after epoch
# $e$, and $e^\star$ the epoch that validation chooses,
#
# $$\max_e a_e \;\ge\; a_{e^\star}.$$
#
# The same happens to learning rates and to methods: whatever is chosen on the test set is flattered by it.

# %% [markdown]
# ### Exercise: report one number
#
# `valid` and `test` are lists with one accuracy for each epoch. Return the test accuracy that may be reported.
# If several epochs are equally good, take the earliest.


# %% exercise={"id": "08-choose", "points": 1, "minutes": 3, "difficulty": 1, "path": "extra", "needs": ["setup"]}
def reported(valid, test):
    """Return the test accuracy of the epoch that validation chooses."""
    ### BEGIN SOLUTION
    best = valid.index(max(valid))  # the first of equals
    return test[best]
    ### END SOLUTION


# %% check="08-choose"
check("08-choose", reported)

# %% [markdown]
# **Question.** By how many points does the faulty report flatter? Write down a guess before you run the record.

# %%
epochs = len(runs[0]["extra"]["test"])
by_choice = [100 * (run["extra"]["reported"]["best on test"] - run["accuracy"]) for run in runs]
flattered = t_interval(by_choice)
fresh = t_interval([100 * (run["accuracy"] - run["extra"]["fresh"]) for run in runs])
print(f"points, n = {len(runs)} seeds, {epochs} epochs, 1,000 test images; fresh: 4,000 others from the same source")
say("chosen on test − right", flattered)
_ = say("right − fresh", fresh)

# %% [markdown] answer=true
# The first line compares two readings of the *same* predictions of the *same* images, so its interval is over seeds
# alone and speaks of these images. It is zero or more for every seed, by construction. Ten epochs are few, and they
# resemble each other. More epochs, more rates, more methods to choose from, fewer test images: expect more flattery
# from each of them.
#
# Only the second line asks an independent witness, 4,000 fresh images. All seeds share the same 1,000 test images, so
# its interval over seeds cannot say how lucky *these images* are.

# %% [markdown]
# Now the same with your code, live: a linear head on frozen features, ten epochs, ten seeds.


# %% name="probe" point=true
def probe(features, seed):
    """Train a linear head for ten epochs; return its accuracies by epoch on valid and on test."""
    head = vpcore.LinearHead(backbone.spec.dim, 10, seed=seed)
    optimizer = torch.optim.AdamW(head.parameters(), lr=1e-2, weight_decay=0)
    draw, labels, history = torch.Generator().manual_seed(seed), data.train.labels, {"valid": [], "test": []}
    for _ in range(10):
        for index in torch.randperm(len(labels), generator=draw).split(128):
            loss = F.cross_entropy(head(features["train"][index]), labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        for name, by_epoch in history.items():
            right_ones = head(features[name]).argmax(1) == getattr(data, name).labels
            by_epoch.append(float(right_ones.double().mean()))
    return history["valid"], history["test"]


# %%
with torch.no_grad():
    features = {
        name: torch.cat([backbone((chunk.float() / 255 - mean) / std) for chunk in split.images.split(500)])
        for name, split in {"train": data.train, "valid": data.valid, "test": data.test}.items()
    }
histories = [probe(features, seed) for seed in range(10)]
print("features:", tuple(features["train"].shape), "seeds:", len(histories))

# %%
report = check.use("08-choose", reported)
live = [100 * (faulty_report(*history) - report(*history)) for history in histories]
groups = {"prompt and head, recorded": by_choice, "head alone, your run": live}
print("report made by:", check.made_by("08-choose"))
label = "1,000 test images, 10 seeds each"
show.lottery(groups, "Epoch chosen on test − chosen on validation", live=("head alone, your run",), label=label)

# %% [markdown]
# **The test that catches it** needs no training: give the report lists in which the two choices differ, as the check
# above did. In a real project, let the function that chooses never receive the test set.

# %% [markdown]
# ## Deeper: exhibit 5, the images that wear out


# %%
def faulty_batch(stored, first, last, mean, std):
    """Return stored images first … last − 1, normalized."""
    batch = stored[first:last]
    batch -= mean
    batch /= std
    return batch


# %% [markdown]
# **Question.** The first batch is correct. When is it not? What will the network see of one stored image, epoch by
# epoch?

# %%
stored = data.train.images[:1].float() / 255
seen = [faulty_batch(stored, 0, 1, mean, std).clone() * std + mean for epoch in range(5)]
show.image_row(torch.cat(seen), [f"epoch {epoch}" for epoch in range(5)], "What the network sees of one stored image",
               label="clipped to 0 … 1 to show")  # fmt: skip

# %% [markdown] answer=true
# A slice is a view: it shares its numbers with `stored`. The subtraction writes into what is kept, and the next epoch
# normalizes what this one has left. Channel by channel,
#
# $$\begin{gathered}
# x_{e+1} = \frac{x_e - \mu}{\sigma}, \\
# x_e - x^\star = \frac{x_0 - x^\star}{\sigma^{e}}, \\
# x^\star = \frac{\mu}{1 - \sigma} .
# \end{gathered}$$
#
# With σ near 0.27, each epoch stretches the image about 3.8 times, away from the value $x^\star$.
# Where loaders run in processes of their own, each epoch starts from a fresh copy, and the fault sleeps. On a machine
# where the loader runs in the main process, it wakes up.

# %% [markdown]
# ### Exercise: leave what is stored alone
#
# Return the same batch, and keep `stored` as it is. `mean` and `std` have shape (3, 1, 1).


# %% exercise={"id": "08-worn", "points": 2, "minutes": 4, "difficulty": 1, "path": "extra", "needs": ["setup"]}
def load_batch(stored, first, last, mean, std):
    """Return stored images first … last − 1, normalized; stored stays as it is."""
    ### BEGIN SOLUTION
    batch = stored[first:last] - mean  # a new tensor
    return batch / std
    ### END SOLUTION


# %% check="08-worn"
check("08-worn", load_batch)

# %%
print("loader made by:", check.made_by("08-worn"))
for name, load in {"faulty": faulty_batch, "repaired": check.use("08-worn", load_batch)}.items():
    stored = data.train.images[:100].float() / 255
    passes = [load(stored, 0, 100, mean, std).clone() for epoch in range(5)]
    same = all(torch.equal(passes[0], later) for later in passes)
    print(f"{name:9} all epochs see the same: {same}; range in epoch 4: {float(passes[4].max() - passes[4].min()):.0f}")

# %% [markdown]
# **Question.** In the recorded program training and validation images wear out for ten epochs; the test images stay
# intact. Which epoch will validation choose, and what does the fault cost?

# %%
kept = [run["extra"]["valid"] for run in bugs.runs if run["cell"]["prompt"] == "worn images"]
print("epoch that validation chooses, by seed:", [int(np.argmax(valid)) for valid in kept])
print(f"points, n = {len(right)} seeds crossed with 1,000 test images")
_ = say("worn images", gain("worn images"))

# %% [markdown] answer=true
# Every seed keeps its first epoch, the only one in which the images were intact. So ten epochs were paid for, and one
# was used. The faulty run does not crash, and its loss is finite: it looks like a method that learns little.

# %% [markdown]
# **The test that catches it**: keep a copy of what is stored, load twice, compare. The check of the exercise did.

# %% [markdown]
# ## Deeper: exhibit 6, frozen and still moving
#
# This one was not found in prompt code. It is known from linear probes, and lies in wait for everyone who freezes a
# network by hand.

# %%
net = small_net().requires_grad_(False)  # frozen?
twin = copy.deepcopy(net)
with torch.no_grad():
    net(torch.randn(32, 3, 8, 8) + 2)

# %% [markdown]
# **Question.** No gradient, no optimizer, one batch. Has anything in the network changed?

# %%
for (name, tensor), original in zip(net.state_dict().items(), twin.state_dict().values(), strict=True):
    print(f"{name:22}", "as before" if torch.equal(tensor, original) else "CHANGED")

# %% [markdown] answer=true
# The statistics of the batch norm. In train mode it normalizes with the statistics $m_B, v_B$ of the batch and moves
# its running ones, with a momentum $\rho$:
#
# $$\begin{gathered}
# \hat m \leftarrow (1 - \rho)\,\hat m + \rho\, m_B, \\
# \hat v \leftarrow (1 - \rho)\,\hat v + \rho\, v_B .
# \end{gathered}$$
#
# In eval mode it normalizes with $\hat m, \hat v$ and moves nothing. They are buffers, not parameters:
# `requires_grad=False` does not reach them. Only `net.eval()` does, and `model.train()` at the start of each epoch
# undoes it.

# %% [markdown]
# ### Exercise: write the test that catches it
#
# `train(net)` trains something on top of a network, which should stay as it is: weights *and* statistics.
# Return whether it does. Beware: `net.state_dict()` hands out the tensors themselves, not copies.


# %% exercise={"id": "08-frozen", "points": 3, "minutes": 6, "difficulty": 2, "path": "extra", "needs": ["setup"]}
def stays_frozen(train):
    """Return whether train(net) leaves every tensor of the network as it was."""
    net = small_net()
    ### BEGIN SOLUTION
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    train(net)
    after = net.state_dict()
    same = [torch.equal(before[name], after[name]) for name in before]
    return all(same)
    ### END SOLUTION


# %% check="08-frozen"
check("08-frozen", stays_frozen)

# %%
frozen_test = check.use("08-frozen", stays_frozen)
print("test made by:", check.made_by("08-frozen"))
for name, options in {"eval mode, no gradients": {}, "train mode, no gradients": {"still": False}}.items():
    kept = accepts(frozen_test, lambda net, options=options: train_head(net, **options))
    print(f"{name:26}", "accepted" if kept else "rejected")

# %% [markdown]
# **Question.** What do moving statistics do to the accuracy? And a network that is still in train mode while it is
# *tested*, in batches of 128?

# %%
print(f"points, n = {len(right)} seeds crossed with 1,000 test images")
say("moving statistics", gain("moving statistics"))
print("the same 1,000 test images, interval over seeds alone")
in_train = t_interval([100 * (run["extra"]["reported"]["batch statistics"] - run["accuracy"]) for run in runs])
_ = say("tested in train mode", in_train)

# %% [markdown] answer=true
# Moving statistics **raise** the accuracy here. A network that adapts its statistics to new images is a method of its
# own, and a known one; whether that is the reason, we have not tested. But it is not the prompt, it changes tensors
# that the table of parameters calls frozen, and a prompt saved without these statistics will not give the same accuracy
# again.
#
# Tested in train mode, the cost is clear. The prompt and the head were trained with fixed statistics; and the answer
# for an image now depends on the other images of its batch.

# %% [markdown]
# ## Deeper: exhibit 7, two classes on one chair
#
# A label mapping takes the score of each target class $k$ from one source class $\pi(k)$ of the frozen classifier. With
# $n_{sk}$ the number of images of class $k$ for which source class $s$ was predicted, the simplest mapping is
#
# $$\pi(k) = \arg\max_s\, n_{sk} .$$

# %%
counts = torch.tensor([[9, 8, 1], [1, 2, 0], [0, 1, 0], [2, 1, 7]])  # four source classes, three target classes
mapping = counts.argmax(0)  # for each target class its most frequent source class
print("mapping:", mapping.tolist())

# %% [markdown]
# **Question.** What will the model say about images of class 1?

# %%
logits = torch.randn(1000, 4, generator=torch.Generator().manual_seed(0))
for name, chosen in {"most frequent": mapping, "injective": vpcore.heads.label_mapping.assign_greedily(counts)}.items():
    said = logits[:, chosen].argmax(1).unique().tolist()
    print(f"{name:14} {chosen.tolist()}, classes predicted from 1,000 random logits: {said}")

# %% [markdown] answer=true
# Classes 0 and 1 read the same logit. They are always equal, `argmax` takes the first, and class 1 is never predicted.
# A mapping must be *injective*: π(k) ≠ π(l) for any two classes. Lesson 01 assigns the largest count first and gives
# each chair away once.

# %% [markdown]
# The counts can have a fault of their own. This loop goes over as many classes as *occur*:


# %%
def faulty_counts(predictions, labels, num_source):
    """Return how often each source class was predicted for each class."""
    counts = torch.zeros(num_source, len(labels.unique()), dtype=torch.long)
    for k in range(len(labels.unique())):
        counts[:, k] = torch.bincount(predictions[labels == k], minlength=num_source)
    return counts


# %% [markdown]
# **Question.** There are three target classes, 0 to 2, and four source classes. The images have the labels 0, 0 and 2.
# Which columns will the table have?

# %%
print(faulty_counts(torch.tensor([3, 3, 1]), torch.tensor([0, 0, 2]), 4).tolist())

# %% [markdown] answer=true
# Two columns: of class 0, and of class 1, which does not occur. Class 2 does occur, and has none.

# %% [markdown]
# ### Exercise: a column for the absent
#
# Return the table of counts (num_source, num_classes), dtype int64. Column k belongs to class k, also if class k does
# not occur.


# %% exercise={"id": "08-count", "points": 2, "minutes": 5, "difficulty": 2, "path": "extra", "needs": ["setup"]}
def count_pairs(predictions, labels, num_source, num_classes):
    """Return how often source class s (row) was predicted for images of target class k (column)."""
    ### BEGIN SOLUTION
    counts = torch.zeros(num_source, num_classes, dtype=torch.long)
    for source, target in zip(predictions.tolist(), labels.tolist(), strict=True):
        counts[source, target] += 1
    return counts
    ### END SOLUTION


# %% check="08-count"
check("08-count", count_pairs)

# %%
table = check.use("08-count", count_pairs)(torch.tensor([3, 3, 1]), torch.tensor([0, 0, 2]), 4, 3)
print("made by:", check.made_by("08-count"))
print(table.tolist())

# %% [markdown]
# **The test that catches both**: ask for as many *different* source classes as there are classes, and try it with a
# class left out.
#
# **Question.** How much does the shared chair cost where the head is a mapping and only the prompt learns?

# %%
shared = [run["extra"]["sources"] for run in bugs.runs if run["cell"]["prompt"] == "shared source"]
print("source classes in use, of 10 needed:", sorted(set(shared)))
print(f"injective mapping: {accuracies('mapping').mean():.1f} %")
print(f"points, n = {len(shared)} seeds crossed with 1,000 test images")
_ = say("shared source", gain("shared source", base="mapping"))

# %% [markdown] answer=true
# Four source classes serve ten target classes, so six digits are never predicted. Yet the cost is small, and its
# interval only just excludes zero, because the injective mapping is poor as well: guessing gives 10 %. Where little
# works, a fault has little to break. The *test* for it has no noise at all: four source classes are not ten.

# %% [markdown]
# ## Deeper: the writers in our own sets
#
# The museum would be unfair without a piece of our own. Thirteen people wrote scikit-learn's digits, and nobody noted
# who wrote which. Our sets are cut at random, so a test digit usually has its writer's other digits in train. Cut in
# the order of the file, as `load_data("photodigits", split="contiguous")` does, hardly a writer is in two parts. The
# nearest training digit names 99.7 % of the test digits in our cut, and 95.0 % in the other.
#
# **Question.** How much of our gains is owed to known writers? The same network, rates, batches and ten seeds on both
# cuts, 1,000 training images.

# %%
writers = recorded("writers")
METHODS = {"AP, layer 3 − probe": "activation:layer=3", "fine-tuning − probe": "full_tuning"}
for cut, data_set in {"at random": "photodigits", "in order": "photodigits:split=contiguous"}.items():
    print(f"cut {cut}: the linear probe reads {writers.accuracies(data_set, backbone='resnet_nano').mean():.1f} %")
    for words, method in METHODS.items():
        say(words, writers.gain(data_set, "none", method, "resnet_nano"))

# %% [markdown] answer=true
# With unknown writers every mean is lower: the probe's accuracy, the gain of AP by two points, that of full fine-tuning
# by three points. The order stays, and each new gain still lies inside the interval of the old one, so these runs do
# not show that a gain changed. We keep the cut and say so: what you read here about digits is about writers the network
# has met.

# %% [markdown]
# ## Deeper: the whole collection
#
# One more fault needs no room of its own. A warm-up by epochs that starts at 0 / 2 instead of 1 / 2 gives the first
# epoch a rate of zero: nothing is learned, and nobody is told.
#
# Below each fault stands against its own right program: the zero prompter against the one that learns, the shared
# source against the injective mapping, the lost epoch against the warm-up that loses none.
#
# **Question.** Which of all these would you have noticed by the accuracy alone?

# %%
faults = {"ImageNet's constants": "imagenet constants", "constants 0.5 and 0.5": "half constants",
          "not normalized": "not normalized", "worn images": "worn images", "zero prompter": "both zero",
          "prompt cut off": "prompt cut off", "moving statistics": "moving statistics",
          "shared source class": "shared source", "lost first epoch": "lost epoch"}  # fmt: skip
bases = {"both zero": "adapter", "shared source": "mapping", "lost epoch": "warm-up"}  # all others: right
rows = {name: gain(fault, bases.get(fault, "right")) for name, fault in faults.items()}
label = f"recorded, {len(right)} seeds crossed with 1,000 test images"
show.intervals(rows, "Nine faulty programs", label=label)

# %% [markdown] answer=true
# Perhaps one, the worn images, which lie far to the left of all others. Filled marks on the left cost points, filled
# marks on the right *bring* points. An open mark says "cannot tell", and not "harmless": it holds for this network,
# these images, ten epochs.

# %%
p_values = []
for fault in faults.values():
    pair = [bugs.correct("photodigits", name, "resnet_nano") for name in (bases.get(fault, "right"), fault)]
    p_values.append(two_way_p_value(*pair))
stands = dict(zip(faults, holm(p_values), strict=True))
print("cannot tell:", ", ".join(name for name, found in rows.items() if found.verdict() == "cannot tell"))
print("raise the reported accuracy:", ", ".join(name for name, found in rows.items() if found.verdict() == "above"))
print(f"of {len(rows)} programs stand after Holm:", ", ".join(name for name, true in stands.items() if true))

# %% [markdown]
# Nine intervals at 95 % are nine chances of a false alarm. Holm's procedure (lesson 09) keeps the chance of even one
# false alarm below 5 %, and then only two programs differ: the worn images, and the constants 0.5 and 0.5. So "raise"
# and "praises" above were said of single intervals. All nine are faults, whatever their intervals say. An accuracy is a
# poor detector: it answers late, with noise, and sometimes with the wrong sign.
#
# Five faults, three of them shown above, change no training, only how the right program is tested and reported.
#
# **Question.** The batches have 128 images, or 333 with a single image left over. How far off is each faulty reading?

# %%
names = {"best on test": "epoch chosen on test", "mean of batches": "average of averages",
         "last batch dropped": "last batch dropped", "last batch of one": "last batch of one",
         "batch statistics": "tested in train mode"}  # fmt: skip
readings = {}
for name, title in names.items():
    found = t_interval([100 * (run["extra"]["reported"][name] - run["accuracy"]) for run in runs])
    readings[title] = (found.mean, found.low, found.high)
label = f"recorded, {len(right)} seeds, the same 1,000 test images"
show.intervals(readings, "Five faulty readings of the right program", label=label)

# %% [markdown] answer=true
# The average of averages and the dropped batch change little. Yet their mean over seeds is not zero: with every seed
# they count the same images too much, or not at all. The last batch of one is our own extreme case: a single image
# weighs as much as 333 others, and it is an image that the models get wrong. These intervals are over seeds alone and
# speak of these images.

# %% [markdown]
# ## Recap
#
# - A fault leaves shapes as they should be and raises no error. Some lower the accuracy, some raise it, others hide in
#   the noise.
# - So an accuracy is no test. A test asks for what must hold exactly: equal tensors, a gradient that is not zero, a
#   count that is known.
# - A test is worth what it rejects. Show it a faulty implementation before you trust it, and a right one too.
# - An average of averages is the accuracy only if all batches are equally large.
# - Two factors that both start at zero never move. Start one of them at zero.
# - Constants belong to the weights. If wrong ones raise an accuracy, look closer; that is no reason to keep them.
#
# **How far this goes.** One network of 0.65 million weights at 32 pixels, digits on photographs, 1,000 training images
# and ten epochs. Nobody here has measured what the faults did to the published tables, or do to lesson
# 05's ImageNet network. The tests hold everywhere.

# %% [markdown]
# ## Self-test
#
# ### Exercise: a test that never fails
#
# `before = net.state_dict()`, then training, then `torch.equal(before[name], net.state_dict()[name])` for all names.
# It passes for every training. Why?
#
# - **a** both dictionaries hold the same tensors
# - **b** nothing in the network changes
# - **c** `torch.equal` allows for rounding

# %% exercise={"id": "08-quiz-alias", "points": 1, "minutes": 1, "difficulty": 1, "path": "extra"}
alias = ...  # "a", "b" or "c"
### BEGIN SOLUTION
alias = "a"
### END SOLUTION

# %% check="08-quiz-alias"
check.quiz("08-quiz-alias", alias)

# %% [markdown]
# ### Exercise: harmless sizes
#
# A test set has 1,000 images. For which batch sizes is the mean of batch means the accuracy? Give all, as in "a, b".
#
# - **a** 100
# - **b** 128
# - **c** 250
# - **d** 333

# %% exercise={"id": "08-quiz-batches", "points": 1, "minutes": 1, "difficulty": 1, "path": "extra"}
harmless = ...  # such as "a, b"
### BEGIN SOLUTION
harmless = "a, c"
### END SOLUTION

# %% check="08-quiz-batches"
check.quiz("08-quiz-batches", harmless)

# %% [markdown]
# ### Exercise: an interval that holds zero
#
# The effect of a fault on the accuracy has an interval that holds zero. What follows?
#
# - **a** the fault is harmless
# - **b** these runs cannot tell; a test of what must hold still rejects the code
# - **c** it is no fault

# %% exercise={"id": "08-quiz-zero", "points": 1, "minutes": 1, "difficulty": 2, "path": "extra"}
holds_zero = ...  # "a", "b" or "c"
### BEGIN SOLUTION
holds_zero = "b"
### END SOLUTION

# %% check="08-quiz-zero"
check.quiz("08-quiz-zero", holds_zero)

# %% [markdown]
# ## Further reading
#
# - X. Bouthillier et al. (2021). Accounting for Variance in Machine Learning Benchmarks.
#   [arXiv:2103.03098](https://arxiv.org/abs/2103.03098). What a difference is worth.
# - B. Recht, R. Roelofs, L. Schmidt, V. Shankar (2019). Do ImageNet Classifiers Generalize to ImageNet?
#   [arXiv:1902.10811](https://arxiv.org/abs/1902.10811). What a fresh test set says about choices made on the old one.
# - N. Houlsby et al. (2019). Parameter-Efficient Transfer Learning for NLP.
#   [arXiv:1902.00751](https://arxiv.org/abs/1902.00751). Adapters that start near "adds nothing".
# - E. J. Hu et al. (2021). LoRA: Low-Rank Adaptation of Large Language Models.
#   [arXiv:2106.09685](https://arxiv.org/abs/2106.09685). One of its two factors starts at zero, the other does not.
# - S. Ioffe, C. Szegedy (2015). Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate
#   Shift. [arXiv:1502.03167](https://arxiv.org/abs/1502.03167). Why there are statistics that move.
# - Y. Li, N. Wang, J. Shi, J. Liu, X. Hou (2016). Revisiting Batch Normalization For Practical Domain Adaptation.
#   [arXiv:1603.04779](https://arxiv.org/abs/1603.04779). Moving them on purpose.
#
# <details>
# <summary>Sources: where each fault was found, with file and commit</summary>
#
# The commits are those that we read; later ones may have mended the fault.
#
# - Exhibit 1, averages of averages: IBM/AutoVP,
#   [auto_vp/training_process.py](https://github.com/IBM/AutoVP/blob/defe0d9/auto_vp/training_process.py), defe0d9.
# - Exhibit 2, both layers at zero: KMnP/vpt,
#   [adapter_block.py](https://github.com/KMnP/vpt/blob/4410440/src/models/vit_adapter/adapter_block.py), 4410440.
#   A module whose parameters never reach the optimizer: zhoujiahuan1991/MM2024-InsVP, `learnable_parameters()`, called
#   in [train/trainer.py](https://github.com/zhoujiahuan1991/MM2024-InsVP/blob/9a89ad5/train/trainer.py), 9a89ad5.
# - Exhibit 3, constants of ImageNet for ViTs that were trained with 0.5: KMnP/vpt,
#   [tf_dataset.py](https://github.com/KMnP/vpt/blob/4410440/src/data/datasets/tf_dataset.py), 4410440;
#   JieShibo/PETL-ViT,
#   [FacT/vtab.py](https://github.com/JieShibo/PETL-ViT/blob/026e4f1/FacT/vtab.py), 026e4f1; also
#   [MM2024-InsVP](https://github.com/zhoujiahuan1991/MM2024-InsVP/tree/9a89ad5), 9a89ad5, and
#   [NOAH](https://github.com/ZhangYuanhan-AI/NOAH/tree/e9c55f3), e9c55f3, unless one says `--inception`.
# - Exhibit 4, the best epoch chosen on test images: hjbahng/visual_prompting,
#   [main_vision.py](https://github.com/hjbahng/visual_prompting/blob/679e71f/main_vision.py), 679e71f;
#   OPTML-Group/ILM-VP,
#   [ilm_vp.py](https://github.com/OPTML-Group/ILM-VP/blob/84ca042/experiments/cnn/ilm_vp.py), 84ca042; IBM/AutoVP, the
#   file of exhibit 1.
# - Exhibit 5, normalized in place: KMnP/vpt, `to_torch_imgs` in the file of exhibit 3; copied into
#   [E2VPT](https://github.com/ChengHan111/E2VPT/tree/7a66e75), 7a66e75,
#   [DAM-VP](https://github.com/shikiw/DAM-VP/tree/dec5821), dec5821, and
#   [adapter_plus](https://github.com/visinf/adapter_plus/tree/191c4ab), 191c4ab. It sleeps while workers are forked.
# - Exhibit 6 has no source of its own.
# - Exhibit 7, shared source classes: UCSC-VLAA/EVP, the lists `index_rn50` and `argmax_index` in
#   [util/tool.py](https://github.com/UCSC-VLAA/EVP/blob/3e80c03ef327c05491d5149912c86363c4f09ed4/util/tool.py), at
#   3e80c03, name some classes twice; its `get_index` avoids that. Absent classes: OPTML-Group/ILM-VP,
#   `get_dist_matrix` in
#   [flm_calculation.py](https://github.com/OPTML-Group/ILM-VP/blob/84ca042/algorithms/flm_calculation.py), 84ca042, and
#   [SMM](https://github.com/tmlr-group/SMM/tree/eeac33a), eeac33a.
# - The lost first epoch: KMnP/vpt,
#   [lr_scheduler.py](https://github.com/KMnP/vpt/blob/4410440/src/solver/lr_scheduler.py), 4410440.
#
# </details>

# %% [markdown]
# # A museum of bugs
#
# **You will be able to**
#
# - name seven faults that leave every shape and every loss as they should look;
# - make such a fault visible with a measurement of a few lines;
# - write the test that rejects the faulty code and accepts the right one;
# - say by how many points a fault moved an accuracy, and when nobody can tell.
#
# **Before you start**: lessons 00 to 02 (splits, freezing, paired intervals). This lesson is optional.
#
# **Your time**: 60 minutes, of which 25 for the core exercises.
# **Machine time**: about 20 seconds on two CPU cores.

# %% name="setup"
import copy

import numpy as np
import torch
from torch.nn import functional as F

import vpcore
from course import check, show
from course.recorded import recorded
from course.show.museum import MEASURES, Prompter, small_net, train_head
from vpcore.statistics import t_interval

torch.set_num_threads(1)  # so small a network gains nothing from a second thread

# %% [markdown]
# ## 1. Opening hours
#
# Code that trains a prompt can be wrong without a word: no error, a loss that falls, an accuracy that looks fine.
# Six of the seven exhibits were found in published prompt code. Exhibit 6 is an old acquaintance from elsewhere.
# All are told again in our own words and lines. Nobody is named: the authors showed their code, and that is why
# anybody could find anything.
#
# Each exhibit has the same four signs: the code, a **question**, a way to *see* the fault, and the repair with a test.
#
# How much does a fault matter? We recorded it. A frozen `resnet_nano`, a learned tensor before block 5, and a linear
# head learn *photodigits* for ten epochs: the **right arm**. A faulty arm is the same code with one line exchanged.
# It has the same seeds, and the same learning rate, chosen on validation for the right arm.

# %% name="data"
data = vpcore.load_data("photodigits", num_train=1000)
backbone = vpcore.load_backbone("resnet_nano")
mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (backbone.spec.mean, backbone.spec.std))
bugs = recorded("bugs")
print(bugs.about("photodigits"))


# %% [markdown]
# Two functions read the record: what each seed of an arm reports, in percent; and what a difference is worth.


# %% name="record"
def accuracies(arm):
    """Return what each seed of a recorded arm reports, in percent."""
    return bugs.accuracies("photodigits", arm, "resnet_nano")


def say(name, differences):
    """Print mean and 95 % interval of paired differences in points, and a verdict; return the three numbers."""
    found = t_interval(list(differences))
    words = "cannot tell" if found.low <= 0 <= found.high else "differs"
    print(f"{name:24} {found.mean:+6.2f}  ({found.low:+6.2f} to {found.high:+6.2f})  {words}")
    return found.mean, found.low, found.high


right = accuracies("right")
print(f"right arm: {right.mean():.1f} % ± {right.std(ddof=1):.1f}, mean ± standard deviation of {len(right)} seeds")

# %% [markdown]
# About one image in three: small photographs behind small digits are hard for this network. That leaves room for
# faults in both directions.
#
# ## 2. Exhibit 1: the exam that was the textbook


# %%
def faulty_report(valid, test):
    """Return the accuracy that goes into the table, from one accuracy an epoch."""
    best = 0.0
    for accuracy in test:
        if accuracy > best:
            best = accuracy
    return best


# %% [markdown]
# **Question.** Every number in `test` is a correct test accuracy. What is wrong with the report? (You have met this
# visitor in lesson 00.)
#
# The test set has chosen the epoch. Of ten epochs it picks the luckiest one, so what it says about this epoch is too
# good. The same happens to learning rates and to methods: whatever is chosen on the test set is flattered by it.
#
# ### Exercise: report one number
#
# `valid` and `test` are lists with one accuracy for each epoch. Return the test accuracy that may be reported.
# If several epochs are equally good, take the earliest.


# %% exercise={"id": "08-choose", "points": 1, "minutes": 3, "difficulty": 1, "path": "core", "needs": ["setup"]}
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
runs = sorted((run for run in bugs.runs if run["cell"]["prompt"] == "right"), key=lambda run: run["cell"]["seed"])
by_choice = np.array([100 * run["extra"]["reported"]["best on test"] for run in runs])
fresh = np.array([100 * run["extra"]["fresh"] for run in runs])
epochs = len(runs[0]["extra"]["test"])
print(f"points, n = {len(runs)} seeds, {epochs} epochs, 1,000 test images; fresh: 4,000 others from the same source")
flattered = say("chosen on test − right", by_choice - right)
_ = say("right − fresh", right - fresh)

# %% [markdown]
# The first line is zero or more for every seed, by construction: a maximum is never below the entry that validation
# picks. Ten epochs are few, and they resemble each other. More epochs, more rates, more methods to choose from, fewer
# test images: expect more flattery from each of them.
#
# Only the second line asks an independent witness. It compares two sets of images, and that is a lottery of its own:
# all seeds share the same 1,000 test images, so the seeds cannot tell us how lucky *these images* are.
#
# Now the same with your code, live: a linear head on frozen features, ten epochs, ten seeds.


# %% name="probe"
def probe(passes, seed):
    """Train a linear head, one epoch on each entry of `passes`; return accuracies by epoch on valid and test."""
    head = vpcore.LinearHead(backbone.spec.dim, 10, seed=seed)
    optimizer = torch.optim.AdamW(head.parameters(), lr=1e-2, weight_decay=0)
    draw, labels, valid, test = torch.Generator().manual_seed(seed), data.train.labels, [], []
    for features in passes:
        for index in torch.randperm(len(labels), generator=draw).split(128):
            loss = F.cross_entropy(head(features[index]), labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            valid.append(float((head(features_of["valid"]).argmax(1) == data.valid.labels).double().mean()))
            test.append(float((head(features_of["test"]).argmax(1) == data.test.labels).double().mean()))
    return valid, test


# %% name="features"
@torch.no_grad()
def features(images):
    """Return the frozen network's features of normalized images."""
    return torch.cat([backbone(chunk) for chunk in images.split(500)])


splits = {"train": data.train, "valid": data.valid, "test": data.test}
features_of = {name: features((split.images.float() / 255 - mean) / std) for name, split in splits.items()}
histories = [probe([features_of["train"]] * 10, seed) for seed in range(10)]
print("features:", tuple(features_of["train"].shape), "seeds:", len(histories))

# %%
report = check.use("08-choose", reported)
live = [100 * (faulty_report(*history) - report(*history)) for history in histories]
groups = {"prompt and head, recorded": by_choice - right, "head alone, your run": live}
print("report made by:", check.made_by("08-choose"))
label = "1,000 test images, 10 seeds each"
show.lottery(groups, "Epoch chosen on test − chosen on validation", live=("head alone, your run",), label=label)

# %% [markdown]
# **The test that catches it** needs no training: give the report lists in which the two choices differ, as the check
# above did. In a real project, let the function that chooses never receive the test set.

# %% [markdown]
# ## 3. Exhibit 2: the average of averages


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

# %% [markdown]
# A short last batch counts as much as a full one. With a size that divides 1,000 nothing is wrong, and that is how
# such code survives.
#
# ### Exercise: count, then divide
#
# `logits` is a list of tensors (B_i, K), `labels` a list of tensors (B_i,). Return the share of right answers.


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
# **Question.** The test set has 1,000 images. How far off is each faulty measure, with batches of 128, and with
# batches of 333 that leave a single image over?

# %%
print(f"points, n = {len(runs)} seeds, 1,000 test images")
read = {}
for name in ("mean of batches", "last batch dropped", "last batch of one"):
    read[name] = say(name, np.array([100 * run["extra"]["reported"][name] for run in runs]) - right)

# %% [markdown]
# The first two change little. Yet their mean over seeds is not zero: for every seed they count the same images too
# much, or not at all. The third is our own extreme case: one single image weighs as much as 333 others, and it is an
# image that the models get wrong.

# %% [markdown]
# ## 4. Exhibit 3: somebody else's glasses


# %%
def faulty_normalize(images):
    """Bring images in [0, 1] into the space of the frozen network."""
    center = torch.tensor([0.485, 0.456, 0.406]).view(-1, 1, 1)
    spread = torch.tensor([0.229, 0.224, 0.225]).view(-1, 1, 1)
    return (images - center) / spread


# %% [markdown]
# **Question.** These constants stand in a great many programs. What could be wrong with them?
#
# They are the mean and spread of *one* data set. They are right for networks that were trained with them, and for no
# others. Many published ViTs were trained with 0.5 and 0.5; ours with the constants of its own training images.

# %%
gray = torch.full((1, 3, 1, 1), 0.5)
sets = {"of these weights": (mean, std), "half": (0.5, 0.5), "not at all": (0.0, 1.0)}
print("faulty, ImageNet   gray 0.5 becomes", [round(v, 2) for v in faulty_normalize(gray).flatten().tolist()])
for name, (center, spread) in sets.items():
    print(f"{name:18} gray 0.5 becomes", [round(v, 2) for v in ((gray - center) / spread).flatten().tolist()])

# %% [markdown]
# **Question.** Which of the three wrong sets costs most points? Guess an order.

# %%
print(f"points against the right constants, n = {len(right)} seeds, 1,000 test images")
glasses = {name: say(name, accuracies(name) - right)
           for name in ("imagenet constants", "half constants", "not normalized")}  # fmt: skip

# %% [markdown]
# ImageNet's constants are close to the right ones, and there we cannot tell. The two coarse mistakes **raise** the
# accuracy, and their intervals exclude zero. Why? We have tested no reason, so we give none.
#
# A fault that raises the number is never looked for. And it is no merit of the prompt.
#
# **The test that catches it** compares constants with constants, and no accuracies: what the network receives must be
# `(x − spec.mean) / spec.std`, with the `spec` that belongs to the weights.

# %%
model = vpcore.Prompted(backbone, vpcore.NoPrompt(backbone.spec), vpcore.LinearHead(backbone.spec.dim, 10))
x = data.test.images[:2].float() / 255
expected = (x - mean) / std
print("vpcore:", torch.allclose(model.normalize(x), expected, atol=1e-6))
print("faulty:", torch.allclose(faulty_normalize(x), expected, atol=1e-6))

# %% [markdown]
# ## 5. Exhibit 4: the images that wear out


# %%
def faulty_batch(stored, first, last, mean, std):
    """Return stored images first … last − 1, normalized."""
    batch = stored[first:last]
    batch -= mean
    batch /= std
    return batch


# %% [markdown]
# **Question.** The first batch is correct. When is it not?
#
# A slice is a view: it shares its numbers with `stored`. The subtraction writes into what is kept for the next epoch.

# %%
stored = data.train.images[:1].float() / 255
seen = [faulty_batch(stored, 0, 1, mean, std).clone() * std + mean for epoch in range(5)]
show.image_row(torch.cat(seen), [f"epoch {epoch}" for epoch in range(5)], "What the network sees of one stored image",
               label="clipped to 0 … 1 to show")  # fmt: skip

# %% [markdown]
# Each epoch normalizes what the epoch before has left. Where loaders run in processes of their own, each epoch starts
# from a fresh copy, and the fault sleeps. On a machine where the loader runs in the main process, it wakes up.
#
# ### Exercise: leave what is stored alone
#
# Return the same batch, and keep `stored` as it is. `mean` and `std` have shape (3, 1, 1).


# %% exercise={"id": "08-worn", "points": 2, "minutes": 4, "difficulty": 1, "path": "core", "needs": ["setup"]}
def load_batch(stored, first, last, mean, std):
    """Return stored images first … last − 1, normalized; stored stays as it is."""
    ### BEGIN SOLUTION
    batch = stored[first:last] - mean  # a new tensor
    return batch / std
    ### END SOLUTION


# %% check="08-worn"
check("08-worn", load_batch)


# %% [markdown]
# Your loader against the faulty one: ten epochs each, five seeds. Every epoch hands out all training images anew.
# Validation and test images are intact in this run.


# %% name="worn"
def handed_out(load, epochs=10):
    """Return the features of all training images as each epoch finds them."""
    stored = data.train.images.float() / 255
    return [features(load(stored, 0, len(stored), mean, std)) for _ in range(epochs)]


loaders = {"faulty": faulty_batch, "repaired": check.use("08-worn", load_batch)}
passes = {name: handed_out(load) for name, load in loaders.items()}
for name, kept in passes.items():
    print(f"{name:9} epochs 1 and 2 see the same:", torch.equal(kept[0], kept[1]))

# %%
final = {name: np.array([100 * report(*probe(kept, seed)) for seed in range(5)]) for name, kept in passes.items()}
groups = {"prompt and head, recorded": accuracies("worn images") - right,
          "head alone, your run": final["faulty"] - final["repaired"]}  # fmt: skip
print("loader made by:", check.made_by("08-worn"), "· report made by:", check.made_by("08-choose"))
label = f"1,000 test images, {len(right)} recorded seeds, 5 of yours"
show.lottery(groups, "Worn images − intact images", live=("head alone, your run",), label=label)

# %%
print(f"points, n = {len(right)} seeds, 1,000 test images")
worn = say("worn images", accuracies("worn images") - right)
kept = [run["extra"]["valid"] for run in bugs.runs if run["cell"]["prompt"] == "worn images"]
print("epoch that validation chooses, by seed:", [int(np.argmax(valid)) for valid in kept])

# %% [markdown]
# In the recorded arm the validation images wear out as well. Every seed keeps its first epoch, the only one in which
# the images were intact. So ten epochs were paid for, and one was used. The faulty run does not crash, and its loss is
# a number: it looks like a method that learns little.
#
# **The test that catches it**: keep a copy of what is stored, load twice, compare. The check of the exercise did.

# %% [markdown]
# ## 6. Exhibit 5: the wheel that cannot turn
#
# A small prompter adds up(gelu(down(z))) to its input z. A good habit is to start it at "adds nothing".

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

# %% [markdown]
# One bias. The gradient of each layer's weights is a product with the other layer's output or weights, and these are
# zero. So both weights stay zero for ever. Start only the *last* layer at zero: then the first step moves it, and from
# the second step on the first layer moves as well.
#
# Hence the rule: **within two steps, each learned tensor must have had a gradient that is not zero.**
#
# ### Exercise: write the test
#
# `make()` returns a fresh prompter for features of shape (B, 8). Train it for two steps. Return whether *every* one of
# its `named_parameters()` has had a gradient with an entry other than zero, in the first step or in the second.
# Among the prompters that your test meets: one whose gradient is cut off, one with a tensor it never uses, one with
# `requires_grad=False`, and two that are fine.


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
print(f"points, n = {len(adapters)} seeds, 1,000 test images")
wheel = say("both zero", accuracies("both zero") - accuracies("adapter"))
cut = say("prompt cut off", accuracies("prompt cut off") - right)

# %% [markdown]
# The accuracy does not only hide the fault: it **praises** it. At the rate that was chosen for the learning adapter,
# the one that cannot learn is better, and the interval excludes zero. On 1,000 images a head alone may be the safer
# model. That can be a finding about adapters. It is none if the author believes that the adapter has learned.
#
# For the prompt that is cut off the interval holds zero: these runs cannot tell it from one that learns.
# A test of two steps tells both, in milliseconds, without a single image.

# %% [markdown]
# ## 7. Exhibit 6: frozen, and still moving
#
# This one is not from prompt code: it is known from linear probes, and waits for everybody who freezes by hand.

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

# %% [markdown]
# The statistics of the batch norm. They are buffers, no parameters; `requires_grad=False` does not reach them.
# Only `net.eval()` does, and `model.train()` at the start of each epoch undoes it.
#
# ### Exercise: write the test that catches it
#
# `train(net)` trains something on top of a network, which should stay as it is: weights *and* statistics.
# Return whether it does. Beware: `net.state_dict()` hands out the tensors themselves, no copies.


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
print(f"points, n = {len(right)} seeds, 1,000 test images")
moving = say("moving statistics", accuracies("moving statistics") - right)
in_train = np.array([100 * run["extra"]["reported"]["batch statistics"] for run in runs])
tested = say("tested in train mode", in_train - right)

# %% [markdown]
# Moving statistics **raise** the accuracy: the network adapts to the new images. That is a method of its own, and a
# known one. But it is not the prompt, it changes tensors that the table of parameters calls frozen, and a prompt saved
# without these statistics will not give the same accuracy again.
#
# Tested in train mode, the cost is clear. The prompt and the head were trained with fixed statistics; and the answer
# for an image now depends on the other images of its batch.

# %% [markdown]
# ## 8. Exhibit 7: two classes on one chair
#
# A label mapping reads each target class off one source class of the frozen classifier. Counts say how often source
# class s (row) was predicted for images of target class k (column).

# %%
counts = torch.tensor([[9, 8, 1], [1, 2, 0], [0, 1, 0], [2, 1, 7]])
mapping = counts.argmax(0)  # for each target class its most frequent source class
print("mapping:", mapping.tolist())

# %% [markdown]
# **Question.** What will the model say about images of class 1?
#
# Classes 0 and 1 read the same logit. They are always equal, `argmax` takes the first, and class 1 is never said.
# A mapping must be *injective*: no source class twice. Lesson 01 assigns the largest count first and takes each chair
# once.

# %%
logits = torch.randn(1000, 4, generator=torch.Generator().manual_seed(0))
for name, chosen in {"most frequent": mapping, "injective": vpcore.heads.label_mapping.assign_greedily(counts)}.items():
    said = logits[:, chosen].argmax(1).unique().tolist()
    print(f"{name:14} {chosen.tolist()}, classes that are ever said of 1,000 random logits: {said}")

# %% [markdown]
# The counts had a fault of their own. They were filled with a loop over the classes that *occur*:


# %%
def faulty_counts(predicted, labels, num_source):
    """Return how often each source class was predicted for each class."""
    present = labels.unique()
    counts = torch.zeros(num_source, len(present), dtype=torch.long)
    for column, label in enumerate(present):
        counts[:, column] = torch.bincount(predicted[labels == label], minlength=num_source)
    return counts


print(faulty_counts(torch.tensor([3, 3, 1]), torch.tensor([0, 0, 2]), 4).tolist())

# %% [markdown]
# **Question.** There are three target classes. Whose column is the second one?
#
# ### Exercise: a column for the absent
#
# Return the table of counts (num_source, num_classes), dtype int64. Column k belongs to class k, also if class k does
# not occur.


# %% exercise={"id": "08-count", "points": 2, "minutes": 5, "difficulty": 2, "path": "extra", "needs": ["setup"]}
def count_pairs(predicted, labels, num_source, num_classes):
    """Return how often source class s (row) was predicted for images of target class k (column)."""
    ### BEGIN SOLUTION
    counts = torch.zeros(num_source, num_classes, dtype=torch.long)
    for source, target in zip(predicted.tolist(), labels.tolist(), strict=True):
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
# class left out. How much does the shared chair cost where the head is a mapping and only the prompt learns?

# %%
shared = [run["extra"]["sources"] for run in bugs.runs if run["cell"]["prompt"] == "shared source"]
print("source classes in use, of 10 needed:", sorted(set(shared)))
print(f"injective mapping: {accuracies('mapping').mean():.1f} %; points, n = {len(shared)} seeds, 1,000 test images")
chair = say("shared source", accuracies("shared source") - accuracies("mapping"))

# %% [markdown]
# Four source classes serve ten target classes, so six digits are never said. Yet the cost is small, because the
# injective mapping is poor as well: guessing gives 10 %. Where little works, a fault has little to break.
# And there is no noise in the *test*: four is not ten.

# %% [markdown]
# ## 9. The whole collection
#
# One more fault needs no room of its own. A warm-up by epochs that starts at 0 / 2 instead of 1 / 2 gives the first
# epoch a rate of zero: nothing is learned, and nobody is told.
#
# In the table each fault stands against its own right arm: the zero adapter against the one that learns, the shared
# source against the injective mapping, the lost epoch against the warm-up that loses none.
#
# **Question.** Which of all these would you have noticed by the accuracy alone?

# %%
late = say("lost first epoch", accuracies("lost epoch") - accuracies("warm-up"))
rows = {"chosen on test": flattered, **read, **glasses, "worn images": worn, "both layers zero": wheel,
        "prompt cut off": cut, "moving statistics": moving, "tested in train mode": tested,
        "shared source": chair, "lost first epoch": late}  # fmt: skip
label = f"recorded, {len(right)} seeds, 1,000 test images"
show.intervals(rows, "What each fault does to the reported accuracy", label=label)

# %%
unseen = [name for name, (_, low, high) in rows.items() if low <= 0 <= high]
raised = [name for name, (_, low, _) in rows.items() if low > 0]
print(f"{len(rows)} faults in the table")
print(f"cannot tell ({len(unseen)}):", ", ".join(unseen))
print(f"raise the reported accuracy ({len(raised)}):", ", ".join(raised))

# %% [markdown]
# Filled marks on the left cost points, filled marks on the right *bring* points. The second kind is the one that nobody
# looks for. An open mark says "cannot tell", and not "harmless": it holds for this network, these images, ten epochs.
# Fourteen intervals at 95 % are also fourteen chances of a false alarm, and all seeds share the same 1,000 test images.
#
# An accuracy is a poor detector of faults. It answers late, with noise, and sometimes with the wrong sign. The tests in
# this lesson ask for something that must hold exactly. They need no training and no luck.

# %% [markdown]
# ### Exercise: shall it stay?
#
# A colleague has normalized with 0.5 and 0.5 where the weights ask for other constants. Our record shows a higher
# accuracy that way. "Then it is no bug. Let us keep it, and report the gain." Answer in four sentences.

# %% [markdown] exercise={"id": "08-keep", "points": 3, "minutes": 5, "difficulty": 2, "path": "extra"}
# ### BEGIN SOLUTION
# The gain is real for these runs: the paired interval over ten seeds excludes zero. But it is a property of this data
# set with this network, found on the test images, and it says nothing about the prompt. If other constants are allowed
# here, they are a choice like a learning rate: the baseline without a prompt gets the same choice, it is made on
# validation, and the paper says so. Kept in silence, it makes our numbers incomparable with everybody's who uses the
# constants of the weights, and our prompt would be praised for what a pair of constants did.
# ### END SOLUTION
# ### BEGIN MARK SCHEME
# 3 points: accepts the measured difference with its interval; treats the constants as a choice to be made on
#   validation and to be given to every arm; and asks for it to be said openly, or names the loss of comparability.
# 2 points: two of these.
# 1 point: says only that wrong code must be repaired, or only that a higher number wins, with some reason.
# ### END MARK SCHEME

# %% [markdown]
# ## Recap
#
# - A fault leaves shapes and losses as they should look. Some lower the accuracy, some raise it, others hide in the
#   noise.
# - So an accuracy is no test. A test asks for what must hold exactly: equal tensors, a gradient that is not zero, a
#   count that is known.
# - A test is worth what it rejects. Show it a faulty implementation before you trust it, and a right one too.
# - What is chosen on the test set is flattered by it. The function that chooses should never receive it.
# - `requires_grad=False` freezes weights alone. Statistics and dropout stay as they are in eval mode only (lesson 00).
# - Constants belong to the weights; a slice is a view; a short batch is no full one; a mapping is injective.

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
# - X. Bouthillier et al. (2021). Accounting for Variance in Machine Learning Benchmarks. arXiv:2103.03098.
#   What a difference is worth.
# - B. Recht, R. Roelofs, L. Schmidt, V. Shankar (2019). Do ImageNet Classifiers Generalize to ImageNet?
#   arXiv:1902.10811. What a fresh test set says about choices made on the old one.
# - N. Houlsby et al. (2019). Parameter-Efficient Transfer Learning for NLP. arXiv:1902.00751.
#   Adapters that start near "adds nothing".
# - E. J. Hu et al. (2021). LoRA: Low-Rank Adaptation of Large Language Models. arXiv:2106.09685.
#   One of its two factors starts at zero, the other does not.
# - S. Ioffe, C. Szegedy (2015). Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate
#   Shift. arXiv:1502.03167. Why there are statistics that move.
# - Y. Li, N. Wang, J. Shi, J. Liu, X. Hou (2016). Revisiting Batch Normalization For Practical Domain Adaptation.
#   arXiv:1603.04779. Moving them on purpose.

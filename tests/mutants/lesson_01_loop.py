"""Wrong and right loops that learn a prompt, as learners might write them."""

from __future__ import annotations

from .suite import Mutant, Source, Suite

HEAD = "import torch\nfrom torch import nn\nfrom torch.nn import functional as F\n\n"
FREEZE = "    network.requires_grad_(False)\n    network.eval()\n"
ADAM = "    optimizer = torch.optim.Adam([delta, *head.parameters()], lr=rate)\n"
LOOP = """    losses = []
    for images, labels in batches:
        loss = F.cross_entropy(head(network(images + delta)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
"""


def _learn(*changes: tuple[str, str], body: str = FREEZE + ADAM + LOOP) -> Source:
    for old, new in changes:
        assert old in body, old
        body = body.replace(old, new)
    return Source(f"{HEAD}def learn_prompt(network, head, delta, batches, rate):\n{body}", "learn_prompt")


NO_GRAD = "        with torch.no_grad():\n            z = network(images + delta)\n"
STEP = "        optimizer.step()\n"
LEARN = Suite(
    mutants=(
        Mutant("not frozen, and in the optimizer", _learn((FREEZE, ""), ("[delta,", "[delta, *network.parameters(),")),
               says="frozen network's weights moved"),
        Mutant("training mode", _learn(("    network.eval()\n", "")), says="statistics moved (1.running_mean)"),
        Mutant("gradients for all weights", _learn(("    network.requires_grad_(False)\n", "")),
               says="still computes gradients for its weights (0.weight)"),
        Mutant("a copy", _learn((FREEZE, "    import copy\n    network = copy.deepcopy(network)\n" + FREEZE)),
               says="not on a copy"),
        Mutant("δ not in the optimizer", _learn(("[delta, *head.parameters()]", "head.parameters()")),
               says="has a gradient and did not move"),
        Mutant("head not in the optimizer", _learn((", *head.parameters()]", "]")), says="the head did not"),
        Mutant("features without a graph", _learn(
            ("        loss =", f"{NO_GRAD}        loss ="),
            ("head(network(images + delta))", "head(z)")), says="no gradient reached it"),
        Mutant("gradients pile up", _learn(("        optimizer.zero_grad()\n", "")), says="pile up"),
        Mutant("an optimizer a step", _learn((ADAM, ""), ("        optimizer.z", f"    {ADAM}        optimizer.z")),
               says="Adam forgets"),
        Mutant("steps first", _learn((STEP, ""), ("        optimizer.zero", f"{STEP}        optimizer.zero")),
               outcome="error", says="modified by an inplace operation"),
        Mutant("subtracts", _learn(("images + delta", "images - delta")), says="you subtract"),
        Mutant("sum", _learn(("labels)", "labels, reduction='sum')")), says="a sum over the batch"),
        Mutant("SGD", _learn(("optim.Adam", "optim.SGD")), says="is SGD"),
        Mutant("AdamW", _learn(("optim.Adam", "optim.AdamW")), says="use Adam"),
        Mutant("noted after the step", _learn(
            ("loss.item()", "F.cross_entropy(head(network(images + delta)), labels).item()")), says="noted after"),
        Mutant("first batch only", _learn(("batches:\n", "batches:\n        images, labels = batches[0]\n")),
               says="first batch"),
        Mutant("in place", _learn(("images + delta", "images.add_(delta.detach())")), says="changed the images"),
        Mutant("no return", _learn(("    return losses\n", "")), says="your result is None"),
        Mutant("mean loss", _learn(("return losses", "return sum(losses) / len(losses)")), says="a decimal number"),
        Mutant("tensors", _learn(("loss.item()", "loss")), says="keeps no graph"),
        Mutant("every epoch's mean", _learn(("return losses", "return losses[:1]")), says="1 losses for 5 batches"),
        Mutant("another rate", _learn(("lr=rate", "lr=2 * rate")), says="so a step differs"),
        Mutant("no δ in the image", _learn(("images + delta", "images + 0.5 * delta")), says="your first loss is"),
        Mutant("last step left out", _learn((STEP, "        if len(losses) + 1 < len(batches): optimizer.step()\n")),
               says="ends elsewhere"),
        Mutant("looks it up", Source(
            "from course.exercises.lesson_01.answers import learn_prompt as f\n"
            "def learn_prompt(*given):\n    return f(*given)\n", "learn_prompt"), says="you called the library"),
    ),
    alternatives=(
        _learn(body="""    for weight in network.parameters():
        weight.requires_grad = False
    model = nn.Sequential(network.eval(), head)
    groups = [{"params": [delta], "lr": rate}, {"params": list(head.parameters()), "lr": rate}]
    optimizer, criterion = torch.optim.Adam(groups), nn.CrossEntropyLoss()
    losses = [0.0] * len(batches)
    for step, (images, labels) in enumerate(batches):
        optimizer.zero_grad()
        loss = criterion(model(torch.add(images, delta)), labels)
        loss.backward()
        optimizer.step()
        losses[step] = float(loss)
    return losses
"""),
        _learn(body="""    network.eval()
    network.requires_grad_(False)
    learned = [delta, *head.parameters()]
    optimizer, losses = torch.optim.Adam(learned, lr=rate), []
    for images, labels in batches:
        logits = head(network(images + delta))
        loss = -logits.log_softmax(1)[torch.arange(len(labels)), labels].mean()
        for tensor, slope in zip(learned, torch.autograd.grad(loss, learned)):
            tensor.grad = slope
        optimizer.step()
        losses.append(loss.item())
    return tuple(losses)
"""),
        _learn(body="""    network.requires_grad_(False).eval()
    one, other = torch.optim.Adam([delta], rate), torch.optim.Adam(head.parameters(), rate)

    def step(images, labels):
        one.zero_grad(); other.zero_grad()
        loss = F.nll_loss(F.log_softmax(head(network(delta + images)), dim=1), labels)
        loss.backward()
        one.step(); other.step()
        return loss.item()

    return [step(*batch) for batch in batches]
"""),
        _learn(body="""    network.requires_grad_(False).eval()
    learned, losses = [delta, *head.parameters()], []
    means = [torch.zeros_like(tensor) for tensor in learned]
    squares = [torch.zeros_like(tensor) for tensor in learned]
    for step, (images, labels) in enumerate(batches, 1):
        for tensor in learned:
            tensor.grad = None
        loss = F.cross_entropy(head(network(images + delta)), labels)
        loss.backward()
        with torch.no_grad():
            for tensor, mean, square in zip(learned, means, squares):
                mean.mul_(0.9).add_(0.1 * tensor.grad)
                square.mul_(0.999).add_(0.001 * tensor.grad ** 2)
                size = (square / (1 - 0.999 ** step)).sqrt() + 1e-8
                tensor -= rate * (mean / (1 - 0.9 ** step)) / size
        losses.append(loss.item())
    return losses
"""),
    ),
)  # fmt: skip
SUITES = {"01-learn": LEARN}

"""Wrong and right tests that learners might write in lesson 08: too strict, too loose, or blind."""

from __future__ import annotations

from .suite import Mutant, Source, Suite

START = "import torch\nfrom course.show.museum import small_net\n\n"
SEED = "torch.Generator().manual_seed(0)"


def _learns(steps: int, seen: str, end: str, before: str = "", after: str = "") -> Source:
    return Source(
        f"{START}def everything_learns(make):\n"
        "    prompter = make()\n"
        f"    z = torch.randn(16, 8, generator={SEED})\n"
        "    optimizer = torch.optim.SGD(prompter.parameters(), lr=0.1)\n"
        f"    reached = set(); {before}\n"
        f"    for step in range({steps}):\n"
        "        optimizer.zero_grad()\n"
        "        prompter(z).square().mean().backward()\n"
        f"        reached |= {{n for n, p in prompter.named_parameters() if {seen}}}\n"
        "        optimizer.step()\n"
        f"    {after}\n"
        f"    return {end}\n",
        "everything_learns",
    )


def _frozen(*lines: str) -> Source:
    body = "\n".join(f"    {line}" for line in ("net = small_net()", *lines))
    return Source(f"{START}def stays_frozen(train):\n{body}\n", "stays_frozen")


def _accuracy(*lines: str) -> Source:
    body = "\n".join(f"    {line}" for line in lines)
    return Source(f"{START}def good_accuracy(measure):\n{body}\n", "good_accuracy")


REACHED = "p.grad is not None and p.grad.any()"
ALL = "reached == {n for n, p in prompter.named_parameters()}"
LOGITS = "logits = [torch.eye(3)[[0, 1, 2, 0]], torch.eye(3)[[1]]]"
LABELS = "labels = [torch.tensor([0, 1, 2, 0]), torch.tensor([2])]"
CLONES = "before = {n: t.clone() for n, t in net.state_dict().items()}"

SUITES = {
    "08-learns": Suite(
        mutants=(
            Mutant("one step", _learns(1, REACHED, ALL), says="its last layer starts at zero"),
            Mutant("every entry", _learns(2, "p.grad is not None and p.grad.all()", ALL), says="never fires"),
            Mutant("any one", _learns(2, REACHED, "len(reached) > 0"), says="a learned scale that it never uses"),
            Mutant("a gradient is there", _learns(2, "p.grad is not None", ALL), says="starts both layers at zero"),
            Mutant(
                "only what requires one",
                _learns(2, REACHED, "reached == {n for n, p in prompter.named_parameters() if p.requires_grad}"),
                says="requires_grad=False",
            ),
            Mutant(
                "compares a tensor with itself",
                _learns(2, REACHED, "all((old[n] != p).any() for n, p in prompter.named_parameters())",
                        before="old = dict(prompter.named_parameters())"),
                says="both layers start at random",
            ),
            Mutant(
                "looks it up",
                Source("def f(make):\n    from course.exercises.lesson_08 import answers as a\n"
                       "    return a.everything_learns(make)\n", "f"),
                says="you called the library",
            ),
        ),
        alternatives=(
            _learns(2, "p.grad is not None and p.grad.abs().sum() > 0", f"not not ({ALL})"),
            _learns(5, REACHED, "None", after=f"assert {ALL}"),
            _learns(2, "False", "all((old[n] != p).any() for n, p in prompter.named_parameters())",
                    before="old = {n: p.detach().clone() for n, p in prompter.named_parameters()}"),
            _learns(2, REACHED, "torch.tensor(len(reached) == len(list(prompter.parameters())))"),
        ),
    ),
    "08-frozen": Suite(
        mutants=(
            Mutant(
                "no clones",
                _frozen("before = net.state_dict()", "train(net)",
                        "return all(torch.equal(before[n], t) for n, t in net.state_dict().items())"),
                says="one that trains the network as well",
            ),
            Mutant(
                "statistics alone",
                _frozen("before = {n: b.clone() for n, b in net.named_buffers()}", "train(net)",
                        "return all(torch.equal(before[n], b) for n, b in net.named_buffers())"),
                says="hands the network's weights",
            ),
            Mutant(
                "weights alone",
                _frozen("before = {n: p.detach().clone() for n, p in net.named_parameters()}", "train(net)",
                        "return all(torch.equal(before[n], p) for n, p in net.named_parameters())"),
                says="its statistics move",
            ),
            Mutant("asks for flags", _frozen(CLONES, "train(net)", "assert not net.training"),
                   says="the mode is put back"),
            Mutant(
                "close enough",
                _frozen(CLONES, "train(net)",
                        "return all(torch.allclose(before[n], t, atol=0.0031) for n, t in net.state_dict().items())"),
                says="lets weight decay",
            ),
            Mutant(
                "looks it up",
                Source("def f(train):\n    from course.exercises.lesson_08 import answers as a\n"
                       "    return a.stays_frozen(train)\n", "f"),
                says="you called the library",
            ),
        ),
        alternatives=(
            _frozen(CLONES, "train(net)", "for n, t in net.state_dict().items():", "    assert (before[n] == t).all()"),
            _frozen("import io", "def packed():", "    file = io.BytesIO()", "    torch.save(net.state_dict(), file)",
                    "    return file.getvalue()", "before = packed()", "train(net)", "return packed() == before"),
            _frozen("import copy", "twin = copy.deepcopy(net)", "train(net)",
                    "pairs = zip([*net.parameters(), *net.buffers()], [*twin.parameters(), *twin.buffers()])",
                    "return all(bool((a == b).all()) for a, b in pairs)"),
            _frozen("import copy", "kept = copy.deepcopy(net.state_dict())", "train(net)",
                    "return str(kept) == str(net.state_dict())"),
        ),
    ),
    "08-test-accuracy": Suite(
        mutants=(
            Mutant(
                "equal batches",
                _accuracy("logits = [torch.eye(3)[[0, 1]], torch.eye(3)[[1, 2]]]",
                          "labels = [torch.tensor([0, 1]), torch.tensor([2, 2])]",
                          "return abs(measure(logits, labels) - 3 / 4) < 1e-6"),
                says="averages the averages",
            ),
            Mutant("exact", _accuracy(LOGITS, LABELS, "return measure(logits, labels) == 4 / 5"), says="float32"),
            Mutant(
                "short one first",
                _accuracy(LOGITS, LABELS, "return abs(measure(logits[::-1], labels[::-1]) - 4 / 5) < 1e-6"),
                says="drops a last batch",
            ),
            Mutant(
                "sizes that make up for each other",  # 2 + 3 + 1 images are three batches of 2
                _accuracy("logits = [torch.eye(3)[[0, 1]], torch.eye(3)[[1, 2, 0]], torch.eye(3)[[1]]]",
                          "labels = [torch.tensor([0, 1]), torch.tensor([1, 0, 0]), torch.tensor([2])]",
                          "return abs(measure(logits, labels) - 4 / 6) < 1e-6"),
                says="as if every batch were full",
            ),
            Mutant(
                "says nothing of the wrong ones",
                _accuracy(LOGITS, LABELS, "if abs(measure(logits, labels) - 4 / 5) < 1e-6: return True"),
                says="returns None for a wrong implementation",
            ),
            Mutant("percent", _accuracy(LOGITS, LABELS, "return abs(measure(logits, labels) - 80) < 1e-4"),
                   says="divides by all images"),
            Mutant(
                "looks it up",
                Source("def f(measure):\n    from course.exercises.lesson_08 import answers as a\n"
                       "    return a.good_accuracy(measure)\n", "f"),
                says="you called the library",
            ),
        ),
        alternatives=(
            _accuracy(LOGITS, LABELS, "assert abs(measure(logits, labels) - 4 / 5) < 1e-6"),
            _accuracy("import math", "logits = [torch.eye(2)[[0] * 9], torch.eye(2)[[1]]]",
                      "labels = [torch.zeros(9).long(), torch.zeros(1).long()]",
                      "return math.isclose(measure(logits, labels), 0.9, rel_tol=1e-5)"),
            _accuracy("import numpy as np", LOGITS, LABELS, "return np.isclose(measure(logits, labels), 0.8)"),
            _accuracy(LOGITS, LABELS, "return int(abs(measure(logits, labels) - 4 / 5) < 1e-6)"),
            _accuracy(LOGITS, LABELS, "torch.testing.assert_close(float(measure(logits, labels)), 0.8)"),
        ),
    ),
}  # fmt: skip

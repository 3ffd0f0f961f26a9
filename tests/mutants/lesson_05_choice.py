"""Wrong and right answers to lesson 05's exercises about claims, as learners might write them."""

from __future__ import annotations

from .suite import Mutant, Source, Suite


def _source(name: str, head: str, *lines: str) -> Source:
    start = "import numpy as np, torch\nfrom torch.nn import functional as F\n"
    return Source(f"{start}\ndef {name}{head}:\n" + "\n".join(f"    {line}" for line in lines) + "\n", name)


def _choose(*lines: str) -> Source:
    return _source("choose_layer", "(valid, tests)", *lines)


def _fold(*lines: str) -> Source:
    return _source("fold_into_delta", "(weight, bias, added)", *lines)


def _channels(*lines: str) -> Source:
    return _source("to_channels", "(delta)", *lines)


def _random(*lines: str) -> Source:
    return _source("random_delta", "(delta, seed)", *lines)


REPORT = (
    "report = {}",
    "for name, runs in tests.items():",
    "    means = runs.mean(1)",
    "    report[name] = (means[layer], means.max() - means[layer])",
    "return layer, report",
)
CHOOSE = Suite(
    mutants=(
        Mutant("lucky run", _choose("layer = int(valid.max(1).argmax())", *REPORT), says="one lucky seed"),
        Mutant(
            "a layer three times as deep",
            _choose("layer = int(valid.mean(1).argmin())", *REPORT),
            says="is 6, and that is too large (with valid (8, 5), tests with the keys digits, clothes)",
        ),
        Mutant("median", _choose("layer = int(np.median(valid, 1).argmax())", *REPORT), says="best mean over seeds"),
        Mutant("over layers", _choose("layer = int(valid.mean(0).argmax())", *REPORT), says="rows are layers"),
        Mutant(
            "on test", _choose("layer = int(tests['digits'].mean(1).argmax())", *REPORT), says="on test images of a set"
        ),
        Mutant(
            "each its own",
            _choose(
                "layer = int(valid.mean(1).argmax())",
                "return layer, {k: (v.mean(1).max(), 0.0) for k, v in tests.items()}",
            ),
            says="each set's best layer",
        ),
        Mutant(
            "negative",
            _choose(
                "layer = int(valid.mean(1).argmax())",
                *[s.replace("means.max() - means[layer]", "means[layer] - means.max()") for s in REPORT],
            ),
            says="losses are negative",
        ),
        Mutant(
            "best run",
            _choose("layer = int(valid.mean(1).argmax())", *[s.replace("means.max()", "runs.max()") for s in REPORT]),
            says="best single run",
        ),
        Mutant("forgets return", _choose("layer = int(valid.mean(1).argmax())", *REPORT[:-1]), says="return"),
        Mutant(
            "looks it up",
            _choose("from course.exercises.lesson_05.answers import choose_layer as c", "return c(valid, tests)"),
            says="you called the library",
        ),
    ),
    alternatives=(
        _choose(
            "means = lambda runs: torch.tensor(runs).mean(1)",
            "layer = means(valid).argmax().item()",
            "pair = lambda all: (all[layer].item(), (all.max() - all[layer]).item())",
            "return layer, {name: pair(means(runs)) for name, runs in tests.items()}",
        ),
        _choose("layer = valid.mean(axis=1).argmax()", *REPORT),
        _choose(
            "means = [sum(row) / len(row) for row in valid]",
            "layer = max(range(len(means)), key=lambda i: means[i])",
            "best = {name: max(row.mean() for row in runs) for name, runs in tests.items()}",
            "return layer, {n: (runs[layer].mean(), best[n] - runs[layer].mean()) for n, runs in tests.items()}",
        ),
    ),
)
GRID = "t = F.conv2d(added, weight, stride=weight.shape[-1])"
SAME = Suite(
    mutants=(
        Mutant(
            "bias twice",
            _fold(GRID.replace("weight, stride", "weight, bias, stride"), "return t.flatten(2).transpose(1, 2)"),
            says="patch bias",
        ),
        Mutant("columns", _fold(GRID, "return t.transpose(2, 3).flatten(2).transpose(1, 2)"), says="row by row"),
        Mutant("reshape", _fold(GRID, "return t.reshape(1, -1, t.shape[1])"), says="reshape mixes"),
        Mutant("subtracts", _fold(GRID, "return -t.flatten(2).transpose(1, 2)"), says="you subtract"),
        Mutant(
            "one token",
            _fold(GRID, "t = t.flatten(2).transpose(1, 2)", "return t.mean(1, keepdim=True).expand_as(t)"),
            says="all your tokens are alike",
        ),
        Mutant(
            "a square of patches",
            _fold(
                GRID,
                "side = added.shape[2] // weight.shape[-1]",
                "rows = [t[0, :, row, column] for row in range(side) for column in range(min(side, t.shape[3]))]",
                "return torch.stack(rows)[None]",
            ),
            says="shape (1, 16, 5), and (1, 28, 5)",
        ),
        Mutant("not transposed", _fold(GRID, "return t.flatten(2)"), says="shape"),
        Mutant(
            "class token too", _fold(GRID, "return F.pad(t.flatten(2).transpose(1, 2), (0, 0, 1, 0))"), says="shape"
        ),
        Mutant(
            "looks it up",
            _fold(
                "from course.exercises.lesson_05.answers import fold_into_delta as f", "return f(weight, bias, added)"
            ),
            says="you called the library",
        ),
    ),
    alternatives=(
        _fold(
            "d, c, p, _ = weight.shape",
            "grid = added.reshape(c, added.shape[2] // p, p, added.shape[3] // p, p)",
            "return torch.einsum('dcij,cyixj->yxd', weight, grid).reshape(1, -1, d)",
        ),
        _fold(
            "embed = lambda x: F.conv2d(x, weight, bias, stride=weight.shape[-1]).flatten(2).mT",
            "return torch.func.jvp(embed, (torch.zeros_like(added),), (added,))[1]",
        ),
        _fold(
            "p = weight.shape[-1]",
            "return F.unfold(added, p, stride=p).transpose(1, 2) @ weight.flatten(1).T",
        ),
    ),
)
DIM = "dim = (2, 3) if delta.dim() == 4 else 1"
CHANNELS = Suite(
    mutants=(
        Mutant("sum", _channels(DIM, "return delta.sum(dim, keepdim=True)"), says="you sum over places"),
        Mutant("absolute", _channels(DIM, "return delta.abs().mean(dim, keepdim=True)"), says="without the sign"),
        Mutant("squares", _channels(DIM, "return delta.pow(2).mean(dim, keepdim=True)"), says="average squares"),
        Mutant(
            "first place",
            _channels("return delta[:, :, :1, :1] if delta.dim() == 4 else delta[:, :1]"),
            says="first place",
        ),
        Mutant("dimension lost", _channels(DIM, "return delta.mean(dim)"), says="keepdim"),
        Mutant("over channels", _channels("return delta.mean(1, keepdim=True)"), says="shape"),
        Mutant(
            "looks it up",
            _channels("from course.exercises.lesson_05.answers import to_channels as f", "return f(delta)"),
            says="you called the library",
        ),
    ),
    alternatives=(
        _channels(
            "size = (1, delta.shape[1], 1, 1) if delta.dim() == 4 else (1, 1, delta.shape[2])",
            "c = torch.zeros(size, requires_grad=True)  # the nearest constant is one step from anywhere",
            "slope = torch.autograd.grad((c - delta).square().sum() / 2, c)[0]",
            "return -slope * c.numel() / delta.numel()",
        ),
        _channels("if delta.dim() == 3: return delta.mean(1)[:, None]", "return F.adaptive_avg_pool2d(delta, 1)"),
    ),
)
DRAW = "d = torch.randn(delta.shape, generator=torch.Generator().manual_seed(seed))"
RANDOM = Suite(
    mutants=(
        Mutant("uniform", _random(DRAW.replace("randn", "rand"), "return d * delta.norm() / d.norm()"), says="uniform"),
        Mutant("too long", _random(DRAW, "return d * delta.norm()"), says="longer than the learned one"),
        Mutant("length 1", _random(DRAW, "return d / d.norm()"), says="length 1"),
        Mutant("by spread", _random(DRAW, "return d * delta.std()"), says="standard deviation"),
        Mutant("spread for length", _random(DRAW, "return d * delta.std() / d.std()"), says="is 1.002 times"),
        Mutant(
            "global stream",
            _random("torch.manual_seed(seed)", "d = torch.randn(delta.shape)", "return d * delta.norm() / d.norm()"),
            says="global random stream",
        ),
        Mutant(
            "shuffles",
            _random(
                "i = torch.randperm(delta.numel(), generator=torch.Generator().manual_seed(seed))",
                "return delta.flatten()[i].view_as(delta)",
            ),
            says="you shuffle",
        ),
        Mutant(
            "looks it up",
            _random("from course.exercises.lesson_05.answers import random_delta as f", "return f(delta, seed)"),
            says="you called the library",
        ),
    ),
    alternatives=(
        _random(
            "d = torch.empty_like(delta).normal_(generator=torch.Generator().manual_seed(seed))",
            "return torch.autograd.grad(d.requires_grad_().norm(), d)[0] * delta.norm()",
        ),
        _random(
            "rng = torch.Generator()",
            "rng.manual_seed(seed)",
            "d = torch.randn(*delta.shape, generator=rng)",
            "return F.normalize(d.flatten(), dim=0).view_as(d) * delta.square().sum().sqrt()",
        ),
    ),
)
SUITES = {"05-choose": CHOOSE, "05-same-class": SAME, "05-channels": CHANNELS, "05-random": RANDOM}

"""Wrong and right answers to lesson 03's exercises about controls, as learners might write them."""

from __future__ import annotations

from .suite import Mutant, Source, Suite


def _source(name: str, *lines: str, head: str = "") -> Source:
    body = "\n".join(f"    {line}" for line in lines)
    return Source(f"import numpy as np\nimport torch\n\ndef {name}{head}:\n{body}\n", name)


def _mean(*lines: str) -> Source:
    return _source("with_mean", *lines, head="(images, train_pictures)")


def _another(*lines: str) -> Source:
    return _source("from_another", *lines, head="(pictures, order)")


def _share(*lines: str) -> Source:
    return _source("own_share", *lines, head="(pictures)")


MEAN = Suite(
    mutants=(
        Mutant("over channels", _mean("return images + train_pictures.mean((0, 1))"), says="over the channels as well"),
        Mutant(
            "number of images",
            _mean("return images + train_pictures.sum(0) / len(images)"),
            says="divide by the number of images",
        ),
        Mutant("one number", _mean("return images + train_pictures.mean()"), says="one number"),
        Mutant(
            "one number a channel",
            _mean("return images + train_pictures.mean((0, 2, 3), keepdim=True)"),
            says="rows and columns",
        ),
        Mutant("averages the images", _mean("return images + images.mean(0)"), says="you average the images"),
        Mutant("forgets the images", _mean("return train_pictures.mean(0).expand(images.shape)"), says="alone"),
        Mutant("sums", _mean("return images + train_pictures.sum(0)"), says="the sum of all"),
        Mutant("in place", _mean("images += train_pictures.mean(0)", "return images"), says="changed its input"),
        Mutant("mean of the result", _mean("return (images + train_pictures.mean(0)).mean(0)"), says="dimension"),
        Mutant(
            "looks it up",
            _mean("from course.exercises.lesson_03.answers import with_mean as f", "return f(images, train_pictures)"),
            says="you called the library",
        ),
    ),
    alternatives=(
        _mean(
            "zero = torch.zeros_like(train_pictures[0], requires_grad=True)",
            "slope = torch.autograd.grad((zero - train_pictures).square().sum() / 2, zero)[0]",
            "return images - slope / len(train_pictures)",
        ),
        _mean("return images + sum(train_pictures) / len(train_pictures)"),
        _mean("return torch.stack([image + train_pictures.mean(dim=0) for image in images])"),
    ),
)
ANOTHER = Suite(
    mutants=(
        Mutant(
            "writes while it reads",
            _another(
                "out = pictures.clone()",
                "for i in range(len(order)): out[order[i]] = out[order[(i + 1) % len(order)]]",
                "return out",
            ),
            says="you write while you read",
        ),
        Mutant(
            "writes into the input",
            _another(
                "for i in range(len(order)): pictures[order[i]] = pictures[order[(i + 1) % len(order)]]",
                "return pictures",
            ),
            says="changes its input `pictures`, which may be",
        ),
        Mutant(
            "next in the file",
            _another(
                "out = torch.empty_like(pictures)",
                "for i in order.tolist(): out[i] = pictures[(i + 2) % len(order)]",
                "return out",
            ),
            says="your result",
        ),
        Mutant("shuffles", _another("return pictures[order]"), says="may keep its own"),
        Mutant("the neighbor", _another("return pictures.roll(-1, 0)"), says="whatever `order` says"),
        Mutant(
            "backward",
            _another("out = pictures.clone()", "out[order] = pictures[order.roll(1)]", "return out"),
            says="runs backward",
        ),
        Mutant("in the circle's order", _another("return pictures[order.roll(-1)]"), says="follows `order`"),
        Mutant(
            "the mean",
            _another("return pictures.mean(0, keepdim=True).repeat(len(pictures), 1, 1, 1)"),
            says="mean picture",
        ),
        Mutant(
            "in place",
            _another("pictures[order] = pictures[order.roll(-1)]", "return pictures"),
            says="changed its input",
        ),
        Mutant(
            "last image left out",
            _another("out = pictures.clone()", "out[order[:-1]] = pictures[order[1:]]", "return out"),
            says="your circle is open",
        ),
        Mutant(
            "as many columns as rows",
            _another(
                "out, size = torch.zeros_like(pictures), pictures.shape[2]",
                "for i in range(len(order)):",
                "    for row in range(size):",
                "        for column in range(min(size, pictures.shape[3])):",
                "            out[order[i], :, row, column] = pictures[order[(i + 1) % len(order)], :, row, column]",
                "return out",
            ),
            says="(with pictures (6, 2, 3, 4), order =",
        ),
        Mutant(
            "looks it up",
            _another("from course.exercises.lesson_03.answers import from_another as f", "return f(pictures, order)"),
            says="you called the library",
        ),
    ),
    alternatives=(
        _another(
            "n = len(order)",
            "move = torch.zeros(n, n)",
            "move[order, order.roll(-1)] = 1",
            "return torch.einsum('ij,jchw->ichw', move, pictures)",
        ),
        _another(
            "who = torch.empty_like(order).scatter(0, order, order.roll(-1))",
            "return torch.index_select(pictures, 0, who)",
        ),
        _another("return pictures[order.roll(-1)][order.argsort()]"),
        _another(
            "out = [None] * len(order)",
            "for i in range(len(order)): out[order[i]] = pictures[order[(i + 1) % len(order)]]",
            "return torch.stack(out)",
        ),
    ),
)
SHARE = Suite(
    mutants=(
        Mutant(
            "each picture's own number",
            _share(
                "left = pictures - pictures.mean((1, 2, 3), keepdim=True)",
                "return left.square().mean() / pictures.square().mean()",
            ),
            says="its own mean number",
        ),
        Mutant("N − 1", _share("return pictures.var(0).mean() / pictures.square().mean()"), says="divides by N − 1"),
        Mutant(
            "the mean's share",
            _share("return pictures.mean(0).square().mean() / pictures.square().mean()"),
            says="the rest",
        ),
        Mutant(
            "one number",
            _share("return (pictures - pictures.mean()).square().mean() / pictures.square().mean()"),
            says="one number",
        ),
        Mutant(
            "roots",
            _share("left = pictures - pictures.mean(0)", "return left.norm() / pictures.norm()"),
            says="square root",
        ),
        Mutant("no share", _share("return (pictures - pictures.mean(0)).square().mean()"), says="divide by"),
        Mutant(
            "percent",
            _share("return 100 * (1 - pictures.mean(0).square().mean() / pictures.square().mean())"),
            says="100 times",
        ),
        Mutant(
            "as many columns as rows",
            _share(
                "n, c, side, _ = pictures.shape",
                "own = (pictures - pictures.mean(0)).square().sum() / (n * c * side * side)",
                "return own / pictures.square().mean()",
            ),
            says="(with pictures (5, 2, 4, 3))",
        ),
        Mutant(
            "looks it up",
            _share("from course.exercises.lesson_03.answers import own_share as f", "return f(pictures)"),
            says="you called the library",
        ),
    ),
    alternatives=(
        _share("return (torch.linalg.norm(pictures - pictures.mean(0)) / torch.linalg.norm(pictures)) ** 2"),
        _share("p = pictures.numpy()", "return 1 - (p.mean(0) ** 2).mean() / (p**2).mean()"),
        _share(
            "middle = torch.zeros_like(pictures[0], requires_grad=True)",
            "slope = torch.autograd.grad((middle - pictures).square().sum() / 2, middle)[0] / len(pictures)",
            "return (pictures + slope).square().sum() / pictures.square().sum()",
        ),
        _share("left = pictures - pictures.mean(0)", "return (left**2).sum() / (pictures**2).sum()"),
        _share("return (pictures.var(0, correction=0).mean() / (pictures**2).mean()).item()"),
    ),
)
SUITES = {"03-mean": MEAN, "03-another": ANOTHER, "03-share": SHARE}

"""Wrong and right answers to lesson 03's exercises about drawing a picture, as learners might write them."""

from __future__ import annotations

from .suite import Mutant, Source, Suite


def _source(name: str, *lines: str, head: str = "") -> Source:
    body = "\n".join(f"    {line}" for line in lines)
    start = "import torch\nimport vpcore\nfrom torch import nn\nfrom torch.nn import functional as F\n"
    return Source(f"{start}\ndef {name}{head}:\n{body}\n", name)


def _patch(*lines: str) -> Source:
    return _source("patch_picture", *lines, head="(images, weight1, bias1, weight2, bias2, patch)")


def _field(*lines: str) -> Source:
    return _source("receptive_field", *lines, head="(layers)")


def _rescale(*lines: str) -> Source:
    return _source("rescale", *lines, head="(weight_g, bias_g, weight_l, bias_l, old, new)")


CUT = "patches = F.unfold(images, patch, stride=patch).transpose(1, 2)"
MLP = "drawn = F.linear(F.relu(F.linear(patches, weight1, bias1)), weight2, bias2)"
TILE = "return F.fold(drawn.transpose(1, 2), images.shape[-2:], patch, stride=patch)"
PATCH = Suite(
    mutants=(
        Mutant(
            "sides swapped",
            _patch(
                "cut = F.unfold(images, patch, stride=patch)",
                "drawn = F.linear(F.relu(F.linear(cut.mT, weight1, bias1)), weight2, bias2)",
                "return F.fold(drawn.mT, images.shape[:1:-1], patch, stride=patch)",
            ),
            says="look for swapped sizes",
        ),
        Mutant(
            "weights off the graph",
            _patch(
                "cut = F.unfold(images, patch, stride=patch)",
                "drawn = F.linear(F.relu(F.linear(cut.mT, weight1.data, bias1)), weight2, bias2)",
                "return F.fold(drawn.mT, images.shape[2:], patch, stride=patch)",
            ),
            says="no gradient reaches `weight1`",
        ),
        Mutant(
            "reshapes the patches",
            _patch(
                "cut = F.unfold(images, patch, stride=patch)",
                "patches = cut.reshape(len(images), cut.shape[2], -1)",
                MLP,
                TILE,
            ),
            says="reshaped from (B, P, N)",
        ),
        Mutant(
            "reshapes the drawings",
            _patch(
                CUT,
                MLP,
                "return F.fold(drawn.reshape(len(images), drawn.shape[2], -1), images.shape[-2:], patch, stride=patch)",
            ),
            says="reshaped back",
        ),
        Mutant("views them as an image", _patch(CUT, MLP, "return drawn.reshape(images.shape)"), says="strip of rows"),
        Mutant(
            "no ReLU",
            _patch(CUT, "drawn = F.linear(F.linear(patches, weight1, bias1), weight2, bias2)", TILE),
            says="no ReLU",
        ),
        Mutant("ReLU at the end", _patch(CUT, MLP, "drawn = F.relu(drawn)", TILE), says="only brighten"),
        Mutant(
            "channels last",
            _patch(
                "b, c, h, w = images.shape",
                "x = images.view(b, c, h // patch, patch, w // patch, patch)",
                "patches = x.permute(0, 2, 4, 3, 5, 1).reshape(b, -1, c * patch**2)",
                MLP,
                "y = drawn.view(b, h // patch, w // patch, patch, patch, c)",
                "return y.permute(0, 5, 1, 3, 2, 4).reshape(images.shape)",
            ),
            says="channels last",
        ),
        Mutant("adds the image", _patch(CUT, MLP, TILE.replace("return ", "return images + ")), says="picture alone"),
        Mutant("cuts the gradient", _patch("images = images.detach()", CUT, MLP, TILE), says="no gradient"),
        Mutant("forgets the tiling", _patch(CUT, MLP, "return drawn"), says="arranged as"),
        Mutant(
            "overlapping patches",
            _patch("patches = F.unfold(images, patch).transpose(1, 2)", MLP, TILE),
            outcome="error",
        ),
        Mutant(
            "builds the library's",
            _patch(
                "from vpcore.prompts.parts.prompters import PatchPrompter",
                "g = PatchPrompter(images.shape[1], patch, len(bias1))",
                "with torch.no_grad():",
                "    for mine, given in zip(g.parameters(), (weight1, bias1, weight2, bias2)): mine.copy_(given)",
                "return g(images)",
            ),
            says="you called the library",
        ),
    ),
    alternatives=(
        _patch(
            "cut = F.unfold(images, patch, stride=patch)",
            "drawn = weight2 @ torch.relu(weight1 @ cut + bias1[:, None]) + bias2[:, None]",
            "return F.fold(drawn, images.shape[2:], patch, stride=patch)",
        ),
        _patch(
            "zero = torch.zeros_like(images).requires_grad_()  # the gradient of cutting puts tiles back",
            "cut, tiles = (F.unfold(x, patch, stride=patch) for x in (zero, images))",
            "drawn = F.linear(F.relu(F.linear(tiles.mT, weight1, bias1)), weight2, bias2)",
            "return torch.autograd.grad(cut, zero, drawn.mT, create_graph=True)[0]",
        ),
        _patch(
            "b, c, h, w = images.shape",
            "x = images.view(b, c, h // patch, patch, w // patch, patch).permute(0, 2, 4, 1, 3, 5)",
            "patches = x.reshape(b, -1, c * patch**2)",
            MLP,
            "y = drawn.view(b, h // patch, w // patch, c, patch, patch)",
            "return y.permute(0, 3, 1, 4, 2, 5).reshape(images.shape)",
        ),
        _patch(
            "out = torch.zeros_like(images)",
            "for i in range(0, images.shape[2], patch):",
            "    for j in range(0, images.shape[3], patch):",
            "        x = images[:, :, i : i + patch, j : j + patch]",
            "        y = torch.relu(x.flatten(1) @ weight1.T + bias1) @ weight2.T + bias2",
            "        out[:, :, i : i + patch, j : j + patch] = y.view(x.shape)",
            "return out",
        ),
        _patch(
            "c = images.shape[1]",
            "hidden = F.relu(F.conv2d(images, weight1.view(-1, c, patch, patch), bias1, stride=patch))",
            "drawn = F.conv2d(hidden, weight2[:, :, None, None], bias2)",
            "return F.pixel_shuffle(drawn, patch)",
        ),
    ),
)
RECEPTIVE = Suite(
    mutants=(
        Mutant(
            "last stride",
            _field("f = j = 1", "for k, d, s in layers:", "    f += (k - 1) * d * j", "    j = s", "return f"),
            says="last stride alone",
        ),
        Mutant(
            "other order",
            _field("f = j = 1", "for k, s, d in layers:", "    f += (k - 1) * d * j", "    j *= s", "return f"),
            says="you unpack",
        ),
        Mutant(
            "empties the list",
            _field(
                "f = j = 1",
                "while layers:",
                "    k, d, s = layers.pop(0)",
                "    f, j = f + (k - 1) * d * j, j * s",
                "return f",
            ),
            says="changed its input `layers`",
        ),
        Mutant(
            "no dilation",
            _field("f = j = 1", "for k, d, s in layers:", "    f += (k - 1) * j", "    j *= s", "return f"),
            says="leave out the dilation",
        ),
        Mutant(
            "k instead of k − 1",
            _field("f = j = 1", "for k, d, s in layers:", "    f += k * d * j", "    j *= s", "return f"),
            says="each layer of yours adds k · d",
        ),
        Mutant(
            "no strides",
            _field("return 1 + sum((k - 1) * d for k, d, s in layers)"),
            says="leave out the strides",
        ),
        Mutant(
            "stride too early",
            _field("f = j = 1", "for k, d, s in layers:", "    j *= s", "    f += (k - 1) * d * j", "return f"),
            says="not its own",
        ),
        Mutant(
            "starts at zero",
            _field("f, j = 0, 1", "for k, d, s in layers:", "    f += (k - 1) * d * j", "    j *= s", "return f"),
            says="start from 0",
        ),
        Mutant(
            "dilates the whole kernel",
            _field("f = j = 1", "for k, d, s in layers:", "    f += (k * d - 1) * j", "    j *= s", "return f"),
            says="no gap behind it",
        ),
        Mutant("the largest kernel", _field("return max((k - 1) * d + 1 for k, d, s in layers)"), says="too small"),
        Mutant(
            "looks it up",
            _field("from course.exercises.lesson_03.answers import receptive_field as f", "return f(layers)"),
            says="you called the library",
        ),
    ),
    alternatives=(
        _field(
            "seen = {0}",
            "for k, d, s in reversed(layers): seen = {p * s + i * d for p in seen for i in range(k)}",
            "return max(seen) - min(seen) + 1",
        ),
        _field(
            "k, d, s = torch.tensor(layers).T",
            "return 1 + ((k - 1) * d * torch.cat([torch.ones(1).long(), s.cumprod(0)[:-1]])).sum()",
        ),
        _field(
            "field = 1",
            "for k, d, s in reversed(layers): field = (field - 1) * s + 1 + (k - 1) * d",
            "return field",
        ),
        _field(
            "size = 400",
            "x = torch.zeros(1, 1, size, dtype=torch.float64, requires_grad=True)",
            "z = x",
            "for k, d, s in layers: z = F.conv1d(z, torch.ones(1, 1, k, dtype=z.dtype), stride=s, dilation=d)",
            "z[0, 0, 0].backward()",
            "return int(x.grad.nonzero().max()) + 1",
        ),
    ),
)
G, P = "g = old / new", "p = (1 - old) / (1 - new)"
ALL = "return g * weight_g, g * bias_g, p * weight_l, p * bias_l"
RESCALE = Suite(
    mutants=(
        Mutant(
            "global as it is",
            _rescale("p = (1 - old) / (1 - new)", "return weight_g, bias_g, p * weight_l, p * bias_l"),
            says="global layer keeps",
        ),
        Mutant(
            "weights first",
            _rescale(
                "g, p = old / new, (1 - old) / (1 - new)", "return g * weight_g, p * weight_l, g * bias_g, p * bias_l"
            ),
            says="what is at [1] should be at [2]",
        ),
        Mutant("upside down", _rescale("g, p = new / old, (1 - new) / (1 - old)", ALL), says="upside down"),
        Mutant(
            "no biases", _rescale(G, P, "return g * weight_g, bias_g, p * weight_l, bias_l"), says="keep their size"
        ),
        Mutant("one factor", _rescale(G, "p = g", ALL), says="both layers"),
        Mutant("patch as it is", _rescale(G, "p = 1", ALL), says="patch layer keeps"),
        Mutant(
            "as many rows in a kernel as channels",
            _rescale(
                G,
                P,
                "new_g = torch.zeros_like(weight_g)",
                "for row in range(len(weight_g)): new_g[:, :, row] = g * weight_g[:, :, row]",
                "return new_g, g * bias_g, p * weight_l, p * bias_l",
            ),
            says="(with weight_g (2, 6, 5, 3), bias_g (2,),",
        ),
        Mutant("exchanged", _rescale("p, g = old / new, (1 - old) / (1 - new)", ALL), says="exchanged"),
        Mutant(
            "in place",
            _rescale(
                G,
                P,
                "for t in (weight_g, bias_g): t *= g",
                "for t in (weight_l, bias_l): t *= p",
                "return weight_g, bias_g, weight_l, bias_l",
            ),
            says="changed its input",
        ),
        Mutant(
            "looks it up",
            _rescale(
                "from course.exercises.lesson_03.answers import rescale as f",
                "return f(weight_g, bias_g, weight_l, bias_l, old, new)",
            ),
            says="you called the library",
        ),
    ),
    alternatives=(
        _rescale(
            "def solved(tensor, before, after):",
            "    z = torch.zeros_like(tensor, requires_grad=True)",
            "    return -torch.autograd.grad((after * z - before * tensor).square().sum() / 2, z)[0] / after**2",
            "whole = [solved(tensor, old, new) for tensor in (weight_g, bias_g)]",
            "return [*whole, *(solved(tensor, 1 - old, 1 - new) for tensor in (weight_l, bias_l))]",
        ),
        _rescale(G, P, "return tuple(t * f for t, f in ((weight_g, g), (bias_g, g), (weight_l, p), (bias_l, p)))"),
        _rescale(
            "return (weight_g * old / new, bias_g * old / new,",
            "        weight_l / (1 - new) * (1 - old), bias_l / (1 - new) * (1 - old))",
        ),
    ),
)
SUITES = {"03-patch": PATCH, "03-receptive": RECEPTIVE, "03-rescale": RESCALE}

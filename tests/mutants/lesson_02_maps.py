"""Wrong and right answers to lesson 02's exercises about maps, as learners might write them."""

from __future__ import annotations

from .suite import Mutant, Source, Suite


def _source(name: str, *lines: str, head: str = "") -> Source:
    body = "\n".join(f"    {line}" for line in lines)
    start = "import math, torch\nimport numpy as np\nfrom scipy import stats\nfrom torch.nn import functional as F\n"
    return Source(f"{start}\ndef {name}{head}:\n{body}\n", name)


def _average(*lines: str) -> Source:
    return _source("average_maps", *lines, head="(maps, size)")


def _count(*lines: str) -> Source:
    return _source("count_learned", *lines, head="(chans, scales, fusion)")


def _fold(*lines: str) -> Source:
    return _source("fold", *lines, head="(weight, bias, position, added)")


def _rank(*lines: str) -> Source:
    return _source("additive_rank", *lines, head="(scales, size)")


def _gate(*lines: str) -> Source:
    return _source("gated", *lines, head="(images, average, weight, bias)")


GROW = "grown = [F.interpolate(m, size=size, mode='bilinear', align_corners=False) for m in maps]"
AVERAGE = Suite(
    mutants=(
        Mutant(
            "bicubic",
            _average("return sum(F.interpolate(m, size=size, mode='bicubic') for m in maps) / len(maps)"),
            says="by mode='bicubic'",
        ),
        Mutant(
            "always three",
            _average("return sum(F.interpolate(m, size=size, mode='bilinear') for m in maps) / 3"),
            says="0.667 times",
        ),
        Mutant(
            "empties the list",
            _average(
                "n, out = len(maps), 0",
                "while maps: out = out + F.interpolate(maps.pop(), size=size, mode='bilinear')",
                "return out / n",
            ),
            says="changed its input `maps`: work on a copy, list(x)",
        ),
        Mutant("sums", _average(GROW, "return sum(grown)"), says="averages them"),
        Mutant(
            "corners aligned",
            _average(GROW.replace("False", "True"), "return sum(grown) / len(grown)"),
            says="align_corners=False",
        ),
        Mutant(
            "blocks",
            _average("return sum(F.interpolate(m, size=size) for m in maps) / len(maps)"),
            says="mode='bilinear'",
        ),
        Mutant("keeps the last", _average(GROW, "return grown[-1]"), says="only the last map"),
        Mutant("cut off the graph", _average(GROW, "return (sum(grown) / len(grown)).detach()"), says="no gradient"),
        Mutant("sides swapped", _average("size = size[::-1]", GROW, "return sum(grown) / len(grown)"), says="(W, H)"),
        Mutant("forgets return", _average(GROW, "sum(grown) / len(grown)"), says="return"),
        Mutant(
            "averages over channels",
            _average(GROW, "return torch.cat(grown, 1).mean(1, keepdim=True)"),
            says="shape",
        ),
        Mutant(
            "calls the library",
            _average("from vpcore.prompts.multiscale import average_maps as a", "return a(maps, size)"),
            says="you called the library",
        ),
    ),
    alternatives=(
        _average(
            "stretch = lambda s, n: F.interpolate(torch.eye(s)[None], size=n, mode='linear')[0]",
            "sides = [[stretch(s, n) for s, n in zip(m.shape[2:], size)] for m in maps]",
            "grown = [torch.einsum('bcij,ih,jw->bchw', m, *both) for m, both in zip(maps, sides)]",
            "return torch.cat(grown).mean(0, keepdim=True)",
        ),
        _average(
            "x, y = ((2 * torch.arange(n) + 1) / n - 1 for n in (size[1], size[0]))",
            "grid = torch.stack(torch.meshgrid(x, y, indexing='xy'), -1)[None]",
            "return sum(F.grid_sample(m, grid, padding_mode='border', align_corners=False) for m in maps) / len(maps)",
        ),
        _average(GROW, "return torch.stack(grown).mean(0)"),
        _average(GROW, "out = torch.zeros_like(grown[0])", "for m in grown: out = out + m / len(maps)", "return out"),
        _average(GROW, "return (sum(grown) / len(grown)).double()"),
    ),
)
COUNT = Suite(
    mutants=(
        Mutant(
            "s instead of s²",
            _count(
                "count = chans * sum(scales)",
                "n = len(scales)",
                "return count + {'add': 0, 'concat': (n + 1) * chans**2, 'gated': chans**2 + chans}[fusion]",
            ),
            says="s × s",
        ),
        Mutant(
            "concat without the image",
            _count(
                "count = chans * sum(s * s for s in scales)",
                "n = len(scales)",
                "return count + {'add': 0, 'concat': n * chans**2, 'gated': chans**2 + chans}[fusion]",
            ),
            says="leaves out the image",
        ),
        Mutant(
            "gate without bias",
            _count(
                "count = chans * sum(s * s for s in scales)",
                "n = len(scales)",
                "return count + {'add': 0, 'concat': (n + 1) * chans**2, 'gated': chans**2}[fusion]",
            ),
            says="your gate has no bias",
        ),
        Mutant("add for all", _count("return chans * sum(s * s for s in scales)"), says="every fusion"),
        Mutant(
            "concat makes one channel",
            _count(
                "n, count = len(scales), chans * sum(s * s for s in scales)",
                "return count + {'add': 0, 'concat': (n + 1) * chans, 'gated': chans**2 + chans}[fusion]",
            ),
            says="from a to b channels has a · b weights",
        ),
        Mutant("one number short", _count("return chans * 81"), says="fusion = 'concat'"),
        Mutant(
            "builds the prompt",
            _count(
                "import vpcore",
                "spec = vpcore.load_backbone('simple_cnn', pretrained=False, in_chans=chans).spec",
                "return vpcore.MultiScalePrompt(spec, scales, fusion).num_learned()",
            ),
            says="you called the library",
        ),
    ),
    alternatives=(
        _count(
            "maps, n = sum(s * s for s in scales) * chans, len(scales)",
            "return maps + {'add': 0, 'concat': (n + 1) * chans**2, 'gated': (chans + 1) * chans}[fusion]",
        ),
        _count(
            "count = 0",
            "for scale in scales: count += chans * scale * scale",
            "n = len(scales) + 1",
            "if fusion == 'concat': count += torch.nn.Conv2d(n * chans, chans, 1, bias=False).weight.numel()",
            "if fusion == 'gated': count += sum(p.numel() for p in torch.nn.Conv2d(chans, chans, 1).parameters())",
            "return count",
        ),
    ),
)
TOKENS = "tokens = F.conv2d(added, weight, stride=weight.shape[-1]).flatten(2).transpose(1, 2)"
FOLD = Suite(
    mutants=(
        Mutant(
            "replaces",
            _fold(
                "tokens = F.conv2d(added, weight, stride=weight.shape[-1]).flatten(2).mT",
                "return torch.cat([position[:, :1], tokens], 1)",
            ),
            says="take the place of the position",
        ),
        Mutant(
            "bias twice",
            _fold(
                TOKENS.replace("weight, stride", "weight, bias, stride"),
                "out = position.clone()",
                "out[:, 1:] += tokens",
                "return out",
            ),
            says="patch bias",
        ),
        Mutant(
            "class token too",
            _fold(TOKENS, "out = position.clone()", "out[:, :-1] += tokens", "return out"),
            says="position 0",
        ),
        Mutant(
            "reshape",
            _fold(
                "t = F.conv2d(added, weight, stride=weight.shape[-1])",
                "out = position.clone()",
                "out[:, 1:] += t.reshape(1, -1, t.shape[1])",
                "return out",
            ),
            says="reshape mixes",
        ),
        Mutant(
            "columns first",
            _fold(
                "t = F.conv2d(added, weight, stride=weight.shape[-1]).transpose(2, 3)",
                "out = position.clone()",
                "out[:, 1:] += t.flatten(2).transpose(1, 2)",
                "return out",
            ),
            says="row by row",
        ),
        Mutant(
            "subtracts",
            _fold(TOKENS, "out = position.clone()", "out[:, 1:] -= tokens", "return out"),
            says="you subtract",
        ),
        Mutant("in place", _fold(TOKENS, "position[:, 1:] += tokens", "return position"), says="changed its input"),
        Mutant("patch tokens only", _fold(TOKENS, "return position[:, 1:] + tokens"), says="shape"),
        Mutant(
            "looks it up",
            _fold(
                "from course.exercises.lesson_02.answers import fold as f", "return f(weight, bias, position, added)"
            ),
            says="you called the library",
        ),
    ),
    alternatives=(
        _fold(
            "p, out, n = weight.shape[-1], position.clone(), 1",
            "for i in range(0, added.shape[2], p):",
            "    for j in range(0, added.shape[3], p):",
            "        out[0, n] += (weight * added[:, :, i : i + p, j : j + p]).sum((1, 2, 3))",
            "        n += 1",
            "return out",
        ),
        _fold(
            "embed = lambda x: F.conv2d(x, weight, bias, stride=weight.shape[-1]).flatten(2).mT",
            "out = position.clone()",
            "out[:, 1:] += embed(added) - embed(torch.zeros_like(added))",
            "return out",
        ),
        _fold(TOKENS, "return position + F.pad(tokens, (0, 0, 1, 0))"),
        _fold(TOKENS, "return torch.cat([position[:, :1], position[:, 1:] + tokens], 1)"),
        _fold(
            "p = weight.shape[-1]",
            "patches = F.unfold(added, p, stride=p).transpose(1, 2)",
            "return position + F.pad(patches @ weight.flatten(1).T, (0, 0, 1, 0))",
        ),
    ),
)
ROWS = (
    "rows = []",
    "for s in scales:",
    "    unit = torch.eye(s * s, dtype=torch.float64).view(-1, 1, s, s)",
    "    rows.append(F.interpolate(unit, size=(size, size), mode='bilinear', align_corners=False).flatten(1))",
)
RANK = Suite(
    mutants=(
        Mutant(
            "last scale",
            _rank(
                *ROWS,
                "return int(torch.linalg.matrix_rank(rows[-1]))",
            ),
            says="only the last scale",
        ),
        Mutant(
            "first scale left out",
            _rank(
                *ROWS,
                "return int(torch.linalg.matrix_rank(torch.cat(rows[1:] or rows)))",
            ),
            says="(with scales = (3, 4), size = 24)",
        ),
        Mutant(
            "always 28",
            _rank(
                *[line.replace("(size, size)", "(28, 28)") for line in ROWS],
                "return int(torch.linalg.matrix_rank(torch.cat(rows)))",
            ),
            says="(with scales = (1, 4, 8), size = 9)",
        ),
        Mutant("counts numbers", _rank("return sum(s * s for s in scales)"), says="count the learned numbers"),
        Mutant(
            "one less for each scale",
            _rank("return sum(s * s for s in scales) - (len(scales) - 1)"),
            says="where the grid points lie",
        ),
        Mutant("one less", _rank("return sum(s * s for s in scales) - 1"), says="brings the constants again"),
        Mutant(
            "blocks",
            _rank(
                *[line.replace(", mode='bilinear', align_corners=False", "") for line in ROWS],
                "return int(torch.linalg.matrix_rank(torch.cat(rows)))",
            ),
            says="in blocks",
        ),
        Mutant(
            "corners aligned",
            _rank(
                *[line.replace("False", "True") for line in ROWS],
                "return int(torch.linalg.matrix_rank(torch.cat(rows)))",
            ),
            says="align_corners=False",
        ),
        Mutant(
            "looks it up",
            _rank("from course.exercises.lesson_02.answers import additive_rank as f", "return f(scales, size)"),
            says="you called the library",
        ),
    ),
    alternatives=(
        _rank(
            *ROWS,
            "values = torch.linalg.svdvals(torch.cat(rows))",
            "return int((values > 1e-9 * values[0]).sum())",
        ),
        _rank(
            "def picture(numbers):",
            "    parts = numbers.split([s * s for s in scales])",
            "    shaped = [part.view(1, 1, s, s) for part, s in zip(parts, scales)]",
            "    return sum(F.interpolate(part, (size, size), mode='bilinear') for part in shaped).flatten()",
            "zero = torch.zeros(sum(s * s for s in scales), dtype=torch.float64)",
            "return torch.linalg.matrix_rank(torch.autograd.functional.jacobian(picture, zero))",
        ),
        _rank(*ROWS, "return np.linalg.matrix_rank(torch.cat(rows).numpy())"),
        _rank(*ROWS, "return torch.linalg.matrix_rank(torch.cat(rows).T)"),
    ),
)
OPEN = "gate = torch.sigmoid(F.conv2d(average, weight, bias))"
GATE = Suite(
    mutants=(
        Mutant(
            "blends",
            _gate(
                "gate = torch.sigmoid(F.conv2d(average, weight, bias))", "return (1 - gate) * images + gate * average"
            ),
            says="blends image and map",
        ),
        Mutant(
            "gate off the graph",
            _gate("return images + torch.sigmoid(F.conv2d(average, weight, bias)).detach() * average"),
            says="cut a part of the way?",
        ),
        Mutant(
            "sees the image",
            _gate("return images + torch.sigmoid(F.conv2d(images, weight, bias)) * average"),
            says="reads the image",
        ),
        Mutant("gates the image", _gate(OPEN, "return images * gate + average"), says="multiplies the image"),
        Mutant("adds the gate", _gate(OPEN, "return images + gate"), says="is added itself"),
        Mutant("no sigmoid", _gate("return images + F.conv2d(average, weight, bias) * average"), says="torch.sigmoid"),
        Mutant("no bias", _gate("return images + torch.sigmoid(F.conv2d(average, weight)) * average"), says="the bias"),
        Mutant("in place", _gate(OPEN, "images += gate * average", "return images"), says="changed its input"),
        Mutant(
            "looks it up",
            _gate(
                "from course.exercises.lesson_02.answers import gated as f", "return f(images, average, weight, bias)"
            ),
            says="you called the library",
        ),
    ),
    alternatives=(
        _gate(
            "out = images.clone()",
            "for o in range(average.shape[1]):",
            "    score = bias[o] + sum(weight[o, i, 0, 0] * average[0, i] for i in range(average.shape[1]))",
            "    out[:, o] += torch.sigmoid(score) * average[0, o]",
            "return out",
        ),
        _gate(
            "chans = average.shape[1]",
            "score = torch.einsum('oi,bihw->bohw', weight.view(chans, chans), average) + bias.view(1, -1, 1, 1)",
            "return images + average / (1 + torch.exp(-score))",
        ),
    ),
)
SUITES = {"02-average": AVERAGE, "02-count": COUNT, "02-fold": FOLD, "02-rank": RANK, "02-gate": GATE}

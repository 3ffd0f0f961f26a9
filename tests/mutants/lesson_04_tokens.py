"""Wrong and right answers to lesson 04's exercises about sequences and shapes, as learners might write them."""

from __future__ import annotations

from .suite import Mutant, Source, Suite


def _source(name: str, *lines: str, head: str = "") -> Source:
    body = "\n".join(f"    {line}" for line in lines)
    return Source(f"import torch\nfrom torch import nn\n\ndef {name}{head}:\n{body}\n", name)


def _run(*lines: str) -> Source:
    return _source("run_blocks", *lines, head="(z, blocks, tokens)")


def _loop(join: str, part: str, before: str = "lengths.append(z.shape[1])") -> Source:
    return _run(
        "lengths = []",
        "for layer, block in enumerate(blocks):",
        "    extra = tokens[layer] if layer < len(tokens) else z[:, :0]",
        "    count = extra.shape[1]",
        f"    z = {join}",
        f"    {before}",
        "    z = block(z)",
        f"    z = {part}",
        "return z, lengths",
    )


def _cut(*lines: str) -> Source:
    return _source("to_tokens", "batch, chans, height, width = maps.shape", *lines, head="(maps, dim)")


def _count(*lines: str) -> Source:
    return _source("count_tokens", *lines, head="(tokens, dim, depth, chans, kernels)")


def _rescale(*lines: str) -> Source:
    return _source("rescale", *lines, head="(common, weight, bias, beta, other)")


JOIN = "torch.cat([z[:, :1], extra, z[:, 1:]], 1)"
PART = "torch.cat([z[:, :1], z[:, 1 + count:]], 1)"
TOKENS = Suite(
    mutants=(
        Mutant(
            "batch for length",
            _run(
                "lengths = []",
                "for layer, block in enumerate(blocks):",
                "    extra = tokens[layer] if layer < len(tokens) else z[:, :0]",
                "    n = len(extra) if layer < len(tokens) else 0",
                "    z = torch.cat([z[:, :1], extra, z[:, 1:]], 1)",
                "    lengths.append(z.shape[1])",
                "    z = block(z)",
                "    z = torch.cat([z[:, :1], z[:, 1 + n:]], 1)",
                "return z, lengths",
            ),
            says="which is the batch",
        ),
        Mutant(
            "zip",
            _run(
                "lengths = []",
                "for layer, block in enumerate(blocks[:len(tokens)]):",
                "    extra = tokens[layer] if layer < len(tokens) else z[:, :0]",
                "    n = extra.shape[1]",
                "    z = torch.cat([z[:, :1], extra, z[:, 1:]], 1)",
                "    lengths.append(z.shape[1])",
                "    z = block(z)",
                "    z = torch.cat([z[:, :1], z[:, 1 + n:]], 1)",
                "return z, lengths",
            ),
            says="as zip does",
        ),
        Mutant(
            "first tokens everywhere",
            _run(
                "lengths = []",
                "for layer, block in enumerate(blocks):",
                "    extra = tokens[0] if layer < len(tokens) else z[:, :0]",
                "    n = extra.shape[1]",
                "    z = torch.cat([z[:, :1], extra, z[:, 1:]], 1)",
                "    lengths.append(z.shape[1])",
                "    z = block(z)",
                "    z = torch.cat([z[:, :1], z[:, 1 + n:]], 1)",
                "return z, lengths",
            ),
            says="the first block's tokens",
        ),
        Mutant(
            "lengths first",
            _run(
                "lengths = []",
                "for layer, block in enumerate(blocks):",
                "    extra = tokens[layer] if layer < len(tokens) else z[:, :0]",
                "    n = extra.shape[1]",
                "    z = torch.cat([z[:, :1], extra, z[:, 1:]], 1)",
                "    lengths.append(z.shape[1])",
                "    z = block(z)",
                "    z = torch.cat([z[:, :1], z[:, 1 + n:]], 1)",
                "return lengths, z",
            ),
            says="in another order",
        ),
        Mutant(
            "empties the list",
            _run(
                "lengths = []",
                "for layer, block in enumerate(blocks):",
                "    extra = tokens.pop(0) if tokens else z[:, :0]",
                "    n = extra.shape[1]",
                "    z = torch.cat([z[:, :1], extra, z[:, 1:]], 1)",
                "    lengths.append(z.shape[1])",
                "    z = block(z)",
                "    z = torch.cat([z[:, :1], z[:, 1 + n:]], 1)",
                "return z, lengths",
            ),
            says="changed its input `tokens`",
        ),
        Mutant("in front", _loop("torch.cat([extra, z], 1)", "z[:, count:]"), says="in front of the class token"),
        Mutant(
            "at the end", _loop("torch.cat([z, extra], 1)", "z[:, : z.shape[1] - count]"), says="behind the patches"
        ),
        Mutant("drops patches", _loop(JOIN, "z[:, : z.shape[1] - count]"), says="throw away the last tokens"),
        Mutant("piles up", _loop(JOIN, "z"), says="pile up"),
        Mutant(
            "shallow",
            _run(
                "extra = tokens[0] if len(tokens) else z[:, :0]",
                "z, lengths = torch.cat([z[:, :1], extra, z[:, 1:]], 1), []",
                "for block in blocks:",
                "    lengths.append(z.shape[1])",
                "    z = block(z)",
                "return torch.cat([z[:, :1], z[:, 1 + extra.shape[1]:]], 1), lengths",
            ),
            says="as VPT-shallow does",
        ),
        Mutant(
            "left in",
            _run(
                "lengths, count = [], 0",
                "for layer, block in enumerate(blocks):",
                "    if layer < len(tokens):",
                "        z = torch.cat([z[:, :1], tokens[layer], z[:, 1 + count:]], 1)",
                "        count = tokens[layer].shape[1]",
                "    lengths.append(z.shape[1])",
                "    z = block(z)",
                "return torch.cat([z[:, :1], z[:, 1 + count:]], 1), lengths",
            ),
            says="behind the last prompted block",
        ),
        Mutant("lengths behind", _loop(JOIN, PART, "lengths.append(z.shape[1] - count)"), says="leave the prompt out"),
        Mutant(
            "cuts the gradient",
            _loop("torch.cat([z[:, :1], extra.detach(), z[:, 1:]], 1)", PART),
            says="no gradient reaches",
        ),
        Mutant("forgets the lengths", _loop(JOIN, PART, "pass"), says="0 items"),
        Mutant(
            "calls the library",
            _run(
                "from vpcore.prompts.parts.sequence import insert_tokens",
                "z = insert_tokens(z, tokens[0], 1)",
                "return z, []",
            ),
            says="you called the library",
        ),
    ),
    alternatives=(
        _run(
            "lengths = []",
            "for layer, block in enumerate(blocks):",
            "    n = tokens[layer].shape[1] if layer < len(tokens) else 0",
            "    longer = z.new_empty(len(z), z.shape[1] + n, z.shape[2])",
            "    longer[:, :1], longer[:, 1 + n :] = z[:, :1], z[:, 1:]",
            "    if n: longer[:, 1 : 1 + n] = tokens[layer]",
            "    lengths.append(longer.shape[1])",
            "    kept = torch.ones(longer.shape[1], dtype=torch.bool)",
            "    kept[1 : 1 + n] = False",
            "    z = block(longer)[:, kept]",
            "return z, lengths",
        ),
        _run(
            "if not blocks: return z, []",
            "n = tokens[0].shape[1] if tokens else 0",
            "longer = torch.cat([z[:, :1], *tokens[:1], z[:, 1:]], 1)",
            "behind = blocks[0](longer)",
            "out, lengths = run_blocks(torch.cat([behind[:, :1], behind[:, 1 + n :]], 1), blocks[1:], tokens[1:])",
            "return out, [longer.shape[1], *lengths]",
        ),
        _loop(JOIN, PART),
        _run(
            "lengths = []",
            "for block, extra in zip(blocks, [*tokens, *[None] * len(blocks)]):",
            "    n = 0 if extra is None else extra.shape[1]",
            "    cls, patches = z[:, :1], z[:, 1:]",
            "    z = torch.cat([cls, patches] if n == 0 else [cls, extra, patches], 1)",
            "    lengths += [z.shape[1]]",
            "    cls, _, patches = block(z).split([1, n, patches.shape[1]], 1)",
            "    z = torch.cat([cls, patches], 1)",
            "return [z, lengths]",
        ),
    ),
)
GUARD = ("c, rest = divmod(dim, height * width)", "if rest or chans % c:", "    return None")
RESHAPE = Suite(
    mutants=(
        Mutant(
            "no None for a part of a map",
            _cut(
                "c = max(1, dim // (height * width))",
                "return maps.reshape(batch, -1, dim) if dim % (height * width) == 0 and chans % c == 0 else False",
            ),
            says="None is asked for (with maps",
        ),
        Mutant(
            "positions first",
            _cut(*GUARD, "return maps.flatten(2).transpose(1, 2).reshape(batch, -1, dim)"),
            says="without permute",
        ),
        Mutant(
            "interleaved",
            _cut(
                *GUARD,
                "return maps.view(batch, c, chans // c, height, width).transpose(1, 2).reshape(batch, -1, dim)",
            ),
            says="far apart",
        ),
        Mutant("columns", _cut(*GUARD, "return maps.mT.reshape(batch, -1, dim)"), says="column by column"),
        Mutant(
            "any cut",
            _cut("if maps[0].numel() % dim:", "    return None", "return maps.reshape(batch, -1, dim)"),
            says="inside a channel",
        ),
        Mutant(
            "always three channels",
            _cut("return maps.reshape(batch, chans // 3, 3 * height * width) if chans % 3 == 0 else None"),
            says="is None",
        ),
        Mutant("one image", _cut(*GUARD, "return maps[0].reshape(-1, dim)"), says="shape"),
        Mutant(
            "calls the library",
            _cut("from vpcore.prompts.parts.prompters import token_grid", "return token_grid(dim)"),
            says="you called the library",
        ),
    ),
    alternatives=(
        _cut(
            "if dim % (height * width) or chans * height * width % dim: return None",
            "return maps.reshape(batch, -1).unfold(1, dim, dim)",
        ),
        _cut(
            "c = dim / (height * width)",
            "if c != int(c) or chans % int(c): return None",
            "return torch.stack([part.flatten(1) for part in maps.split(int(c), 1)], 1)",
        ),
        _cut(*GUARD, "return maps.flatten(2).view(batch, -1, c, height * width).flatten(2)"),
        _cut(
            "for c in range(1, chans + 1):",
            "    if c * height * width == dim and chans % c == 0:",
            "        return torch.stack([maps[:, i:i + c].flatten(1) for i in range(0, chans, c)], 1)",
        ),
    ),
)
WIDTHS = "w = (chans, tokens, 3 * tokens, 3 * tokens)"
CONVS = "sum(w[i] * w[i + 1] * kernels[i] ** 2 + w[i + 1] for i in range(3))"
COUNT = Suite(
    mutants=(
        Mutant(
            "G_s first",
            _count(
                "w = (chans, tokens, 3 * tokens, 3 * tokens)",
                "return sum(w[i] * w[i + 1] * kernels[i] ** 2 + w[i + 1] for i in range(3)), depth * tokens * dim",
            ),
            says="in another order",
        ),
        Mutant("one set for all blocks", _count(WIDTHS, f"return tokens * dim, {CONVS}"), says="multiply by depth"),
        Mutant(
            "no bias",
            _count(WIDTHS, f"return depth * tokens * dim, {CONVS.replace(' + w[i + 1] for', ' for')}"),
            says="no biases",
        ),
        Mutant(
            "flat kernels",
            _count(WIDTHS, f"return depth * tokens * dim, {CONVS.replace(' ** 2', '')}"),
            says="k × k",
        ),
        Mutant(
            "linear",
            _count(
                "a, b, c = kernels",
                "p = tokens",
                "return depth * p * dim, chans*p*a*a + p + 3*p*b*b + 3*p + 9*p*c*c + 3*p",
            ),
            says="one side only",
        ),
        Mutant("once a block", _count(WIDTHS, f"return depth * tokens * dim, depth * {CONVS}"), says="once a block"),
        Mutant("the sum", _count(WIDTHS, f"return depth * tokens * dim + {CONVS}"), says="a tuple"),
        Mutant(
            "builds it",
            _count(
                "from vpcore.prompts.parts.prompters import SpecificPrompter as G",
                "g = G(chans, tokens, (16, 16), kernels)",
                "return depth * tokens * dim, sum(p.numel() for p in g.parameters())",
            ),
            says="you called the library",
        ),
    ),
    alternatives=(
        _count(
            "w, k = torch.tensor([chans, tokens, 3 * tokens, 3 * tokens]), torch.tensor(kernels)",
            "return depth * tokens * dim, (w[:-1] * w[1:] * k**2 + w[1:]).sum()",
        ),
        _count(
            "a, b, c = kernels",
            "p = tokens",
            "return depth * p * dim, chans*p*a*a + p + 3*p*p*b*b + 3*p + 9*p*p*c*c + 3*p",
        ),
        _count(
            WIDTHS,
            "convs = [nn.Conv2d(w[i], w[i + 1], kernels[i]) for i in range(3)]",
            "return depth * tokens * dim, sum(p.numel() for conv in convs for p in conv.parameters())",
        ),
    ),
)
RESCALE = Suite(
    mutants=(
        Mutant(
            "last layer as it is", _rescale("return common * beta / other, weight, bias"), says="your last layer keeps"
        ),
        Mutant(
            "common as they are",
            _rescale("g = (1 - beta) / (1 - other)", "return common, weight * g, bias * g"),
            says="common tokens keep",
        ),
        Mutant(
            "common last",
            _rescale("g = (1 - beta) / (1 - other)", "return weight * g, bias * g, common * beta / other"),
            says="in another order",
        ),
        Mutant(
            "upside down",
            _rescale("g = (1 - other) / (1 - beta)", "return common * other / beta, weight * g, bias * g"),
            says="upside down",
        ),
        Mutant(
            "no bias",
            _rescale("g = (1 - beta) / (1 - other)", "return common * beta / other, weight * g, bias"),
            says="does not grow",
        ),
        Mutant(
            "one factor", _rescale("g = beta / other", "return common * g, weight * g, bias * g"), says="one factor"
        ),
        Mutant(
            "exchanged",
            _rescale("g = beta / other", "return common * (1 - beta) / (1 - other), weight * g, bias * g"),
            says="are exchanged",
        ),
        Mutant(
            "in place",
            _rescale(
                "g = (1 - beta) / (1 - other)",
                "common *= beta / other",
                "return common, weight * g, bias * g",
            ),
            says="changed its input",
        ),
        Mutant(
            "looks it up",
            _rescale(
                "from course.exercises.lesson_04.answers import rescale as f",
                "return f(common, weight, bias, beta, other)",
            ),
            says="you called the library",
        ),
    ),
    alternatives=(
        _rescale(
            "def solved(tensor, before, after):",
            "    z = torch.zeros_like(tensor, requires_grad=True)",
            "    return -torch.autograd.grad((after * z - before * tensor).square().sum() / 2, z)[0] / after**2",
            "last = [solved(tensor, 1 - beta, 1 - other) for tensor in (weight, bias)]",
            "return solved(common, beta, other), *last",
        ),
        _rescale("c, s = beta / other, (1 - beta) / (1 - other)", "return [c * common, s * weight, s * bias]"),
    ),
)
SUITES = {"04-tokens": TOKENS, "04-reshape": RESHAPE, "04-count": COUNT, "04-rescale": RESCALE}

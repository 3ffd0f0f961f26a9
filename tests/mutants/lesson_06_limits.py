"""Wrong and right answers to lesson 06's extra exercises, as learners might write them."""

from __future__ import annotations

from .suite import Mutant, Source, Suite


def _source(name: str, *lines: str, head: str = "") -> Source:
    body = "\n".join(f"    {line}" for line in lines)
    start = "import math, torch\nfrom torch import nn\nfrom torch.nn import functional as F\n"
    return Source(f"{start}\ndef {name}{head}:\n{body}\n", name)


def _train(*lines: str) -> Source:
    return _source("train_norm", *lines, head="(z, weight, bias, eps)")


def _uneven(*lines: str) -> Source:
    return _source("unevenness", *lines, head="(z, delta)")


def _picture(*lines: str) -> Source:
    return _source("picture_of", *lines, head="(weight, tokens)")


def _reaching(*lines: str) -> Source:
    return _source("reaching", *lines, head="(delta, pool)")


def _scale(*lines: str) -> Source:
    return _source("norm_of_scale", *lines, head="(scale, shift, weight, bias, mean, var, eps)")


def _lora(*lines: str) -> Source:
    return _source("merge_lora", *lines, head="(weight, factors, alpha)")


def _same(name: str, arguments: str) -> list[str]:
    return [f"from course.exercises.lesson_06.answers import {name} as f", f"return f({arguments})"]


AFFINE = "return weight.view(1, -1, 1, 1) * unit + bias.view(1, -1, 1, 1)"


def _unit(axes: str, var: str = "correction=0", root: str = "torch.sqrt", mean: str = "m") -> list[str]:
    return [
        f"m = z.mean({axes}, keepdim=True)",
        f"v = z.var({axes}, {var}, keepdim=True)",
        f"unit = (z - {mean}) / {root}(v + eps)",
        AFFINE,
    ]


TRAIN_NORM = Suite(
    mutants=(
        Mutant("sample variance", _train(*_unit("(0, 2, 3)", "correction=1")), says="correction=0"),
        Mutant("each image", _train(*_unit("(2, 3)")), says="each image by itself"),
        Mutant("each place", _train(*_unit("0")), says="each place by itself"),
        Mutant("no root", _train(*_unit("(0, 2, 3)", root="")), says="divide by its root"),
        Mutant("no mean", _train(*_unit("(0, 2, 3)", mean="0")), says="never subtracted"),
        Mutant("over channels too", _train(*_unit("(1, 2, 3)")), says="over channels too"),
        Mutant(
            "eps outside",
            _train("v, m = torch.var_mean(z, (0, 2, 3), correction=0, keepdim=True)",
                   "unit = (z - m) / (v.sqrt() + eps)", AFFINE),
            says="outside of the root",
        ),
        Mutant(
            "eps of torch",
            _train(*_unit("(0, 2, 3)")[:2], "unit = (z - m) / (v + 1e-5).sqrt()", AFFINE),
            says="so small a difference may come from a constant such as eps",
        ),
        Mutant("no bias", _train(*_unit("(0, 2, 3)")[:3], "return weight.view(1, -1, 1, 1) * unit"),
               says="exactly `bias`"),
        Mutant(
            "square maps",
            _train(
                "count = len(z) * z.shape[2] ** 2",
                "m = z.sum((0, 2, 3), keepdim=True) / count",
                "unit = (z - m) / torch.sqrt((z - m).square().sum((0, 2, 3), keepdim=True) / count + eps)",
                AFFINE,
            ),
        ),
        Mutant("calls torch", _train("return F.batch_norm(z, None, None, weight, bias, True, 0.1, eps)"),
               says="you called the library"),
    ),
    alternatives=(
        _train(
            "flat = z.transpose(0, 1).flatten(1)",
            "unit = (flat - flat.mean(1, keepdim=True)) / (flat.var(1, unbiased=False, keepdim=True) + eps) ** 0.5",
            "out = unit * weight[:, None] + bias[:, None]",
            "return out.view(z.shape[1], z.shape[0], *z.shape[2:]).transpose(0, 1)",
        ),
        _train(
            "out = torch.empty_like(z)",
            "for c in range(z.shape[1]):",
            "    x = z[:, c] - z[:, c].mean()",
            "    out[:, c] = weight[c] * x / ((x ** 2).mean() + eps) ** 0.5 + bias[c]",
            "return out",
        ),
    ),
)  # fmt: skip
SHIFT = "s = F.layer_norm(z + delta, (z.shape[-1],)) - F.layer_norm(z, (z.shape[-1],))"
AWAY = "a = s - s.mean(1, keepdim=True)"
RATIO = "return float(a.norm(dim=-1).mean() / s.norm(dim=-1).mean())"
UNEVEN = Suite(
    mutants=(
        Mutant("after the norm", _uneven("s = delta.expand_as(z)",
                                         AWAY, RATIO), says="add it to z"),
        Mutant("over features", _uneven(SHIFT, AWAY.replace("1", "-1"), RATIO), says="over tokens (axis 1)"),
        Mutant(
            "of ratios",
            _uneven(SHIFT, AWAY, "return float((a.norm(dim=-1) / s.norm(dim=-1)).mean())"),
            says="average the ratios",
        ),
        Mutant("one length", _uneven(SHIFT, AWAY, "return float(a.norm() / s.norm())"), says="of all tokens together"),
        Mutant("not divided", _uneven(SHIFT, AWAY, "return float(a.norm(dim=-1).mean())"), says="not divided by"),
        Mutant(
            "squares",
            _uneven(SHIFT, AWAY, "return float(a.square().sum(-1).mean() / s.square().sum(-1).mean())"),
            says="squared",
        ),
        Mutant(
            "norm of all",
            _uneven("n = lambda x: F.layer_norm(x, x.shape[1:])", "s = n(z + delta) - n(z)", AWAY, RATIO),
            says="each token by itself",
        ),
        Mutant("looks it up", _uneven(*_same("unevenness", "z, delta")), says="you called the library"),
    ),
    alternatives=(
        _uneven(
            "n = nn.LayerNorm(z.shape[-1], elementwise_affine=False).double()",
            "s = (n(z + delta) - n(z))[0]",
            "a = s - s.mean(0)",
            "return (sum(r.norm() for r in a) / sum(r.norm() for r in s)).item()",
        ),
        _uneven(  # another eps, and float32: the text names neither
            "n = lambda x: F.layer_norm(x.float(), x.shape[-1:], eps=1e-6)",
            "s = n(z + delta) - n(z)",
            "a = s - s.mean(1)",
            "return torch.linalg.vector_norm(a, dim=-1).sum() / torch.linalg.vector_norm(s, dim=-1).sum()",
        ),
    ),
)  # fmt: skip
INVERSE = "patches = tokens @ torch.linalg.pinv(weight.flatten(1)).T"
SIZE = "p, side = weight.shape[-1], math.isqrt(tokens.shape[1])"
FOLD = "return F.fold(patches.transpose(1, 2), p * side, p, stride=p)"
PICTURE = Suite(
    mutants=(
        Mutant("transposed", _picture("patches = tokens @ weight.flatten(1)", SIZE, FOLD), says="transposed matrix"),
        Mutant(
            "by columns",
            _picture(
                INVERSE, SIZE, "patches = patches.view(1, side, side, -1).transpose(1, 2).reshape(patches.shape)", FOLD
            ),
            says="down the columns",
        ),
        Mutant("reshaped", _picture(INVERSE, SIZE, "return patches.reshape(1, -1, p * side, p * side)"), says="F.fold"),
        Mutant(
            "as many patches in a row as channels",
            _picture(
                INVERSE,
                "p, side = weight.shape[-1], weight.shape[1]",
                "grid = patches.view(1, -1, weight.shape[1], p, p)[:, : side**2]",
                "rows = [torch.cat(list(grid[0, i : i + side]), 2) for i in range(0, side**2, side)]",
                "return torch.cat(rows, 1)[None]",
            ),
            says="shape (1, 3, 6, 6), and (1, 3, 8, 8)",
        ),
        Mutant(
            "channels last",
            _picture(
                INVERSE,
                SIZE,
                "grid = patches.view(1, side, side, p, p, -1).permute(0, 5, 1, 3, 2, 4)",
                "return grid.reshape(1, -1, side * p, side * p)",
            ),
            says="the right numbers in other places",
        ),
        Mutant("sign", _picture(INVERSE.replace("= tokens", "= -tokens"), SIZE, FOLD), says="opposite sign"),
        Mutant("looks it up", _picture(*_same("picture_of", "weight, tokens")), says="you called the library"),
    ),
    alternatives=(
        _picture(
            "D, C, p, _ = weight.shape",
            "side = math.isqrt(tokens.shape[1])",
            "x = torch.linalg.lstsq(weight.reshape(D, -1), tokens[0].T, driver='gelsd').solution",
            "return x.T.reshape(side, side, C, p, p).permute(2, 0, 3, 1, 4).reshape(1, C, side * p, side * p)",
        ),
    ),
)
KEEP = "kept[:, w] = delta[:, w]"
ZERO = "kept = torch.zeros_like(delta)"
REACHING = Suite(
    mutants=(
        Mutant("everything", _reaching("return delta.clone()"), says="every token"),
        Mutant(
            "swapped",
            _reaching(ZERO, "w = slice(1, None) if pool == 'token' else slice(1)", KEEP, "return kept"),
            says="the other way round",
        ),
        Mutant(
            "last",
            _reaching(ZERO, "w = slice(-1, None) if pool == 'token' else slice(-1)", KEEP, "return kept"),
            says="stands at the end",
        ),
        Mutant(
            "class token too",
            _reaching(ZERO, "w = slice(1) if pool == 'token' else slice(None)", KEEP, "return kept"),
            says="reads the class token too",
        ),
        Mutant("cut out", _reaching("return delta[:, :1] if pool == 'token' else delta[:, 1:]"), says="shape"),
        Mutant(
            "in place",
            _reaching("w = slice(1, None) if pool == 'token' else slice(1)", "delta[:, w] = 0", "return delta"),
            says="changed its input",
        ),
        Mutant("looks it up", _reaching(*_same("reaching", "delta, pool")), says="you called the library"),
    ),
    alternatives=(
        _reaching(
            "first = (torch.arange(delta.shape[1]) == 0).view(1, -1, 1)",
            "return torch.where(first if pool == 'token' else ~first, delta, 0.0)",
        ),
    ),
)  # fmt: skip
STD = "d = torch.sqrt(var + eps)"
NORM_OF_SCALE = Suite(
    mutants=(
        Mutant(
            "behind the norm", _scale("return weight * scale, bias * scale + shift"), says="what leaves the norm"
        ),
        Mutant("mean stays", _scale(STD, "return weight * scale, bias + weight * shift / d"), says="moves the mean"),
        Mutant(
            "shift added",
            _scale(STD, "return weight * scale, bias + weight * (scale - 1) * mean / d + shift"),
            says="does not pass through",
        ),
        Mutant(
            "no weight",
            _scale(STD, "return weight * scale, bias + (scale * mean + shift - mean) / d"),
            says="leaves out the norm's weight",
        ),
        Mutant(
            "eps outside",
            _scale("d = var.sqrt() + eps", "return weight * scale, bias + weight * (scale * mean + shift - mean) / d"),
            says="outside of the root",
        ),
        Mutant(
            "old weight",
            _scale(STD, "return weight, bias + weight * (scale * mean + shift - mean) / d"),
            says="your weight is the old one",
        ),
        Mutant(
            "new weight twice",
            _scale(STD, "w = weight * scale", "return w, bias + w * (scale * mean + shift - mean) / d"),
            says="scale is in it twice",
        ),
        Mutant("looks it up", _scale(*_same("norm_of_scale", "scale, shift, weight, bias, mean, var, eps")),
               says="you called the library"),
    ),
    alternatives=(
        _scale(
            "run = lambda y: weight * (scale * y + shift - mean) / (var + eps).sqrt() + bias",
            "return weight * scale, run(mean)",
        ),
    ),
)  # fmt: skip


def _rows(scale: str, product: str = "b @ a", order: str = "qkv") -> Source:
    return _lora(
        "out, d = weight.clone(), weight.shape[1]",
        "for n, (a, b) in factors.items():",
        f"    i = d * '{order}'.index(n)",
        f"    out[i : i + d] += {scale} * ({product})",
        "return out",
    )


LORA = Suite(
    mutants=(
        Mutant("whole division", _rows("(alpha // len(a))"), says="//"),
        Mutant("alpha alone", _rows("alpha"), says="divided by the rank"),
        Mutant("no scale", _rows("1.0"), says="leaves out alpha / rank"),
        Mutant("by D", _rows("alpha / weight.shape[1]"), says="you divide by D"),
        Mutant(
            "one after the other",
            _lora(
                "out, d = weight.clone(), weight.shape[1]",
                "for i, (a, b) in enumerate(factors.values()):",
                "    out[i * d : i * d + d] += alpha / len(a) * b @ a",
                "return out",
            ),
            says="q, k and v have rows of their own",
        ),
        Mutant(
            "change alone",
            _lora(
                "out, d = torch.zeros_like(weight), weight.shape[1]",
                "for n, (a, b) in factors.items():",
                "    i = d * 'qkv'.index(n)",
                "    out[i : i + d] += alpha / len(a) * b @ a",
                "return out",
            ),
            says="exactly `weight`: add it",
        ),
        Mutant("wrong rows", _rows("alpha / len(a)", order="qvk"), says="where the key is"),
        Mutant("product transposed", _rows("alpha / len(a)", "(b @ a).T"), says="transposed"),
        Mutant(
            "in place",
            _lora(
                "d = weight.shape[1]",
                "for n, (a, b) in factors.items():",
                "    i = d * 'qkv'.index(n)",
                "    weight[i : i + d] += alpha / len(a) * b @ a",
                "return weight",
            ),
            says="changed its input",
        ),
        Mutant("looks it up", _lora(*_same("merge_lora", "weight, factors, alpha")), says="you called the library"),
    ),
    alternatives=(
        _lora(
            "parts = []",
            "for name, part in zip('qkv', weight.chunk(3)):",
            "    a, b = factors.get(name, (torch.zeros_like(part), torch.zeros_like(part)))",
            "    parts.append(part + (alpha / a.shape[0]) * torch.einsum('or,ri->oi', b, a))",
            "return torch.cat(parts)",
        ),
        _lora(
            "d = weight.shape[1]",
            "def run(x):",
            "    out = dict(zip('qkv', (weight @ x).chunk(3)))",
            "    for n, (a, b) in factors.items(): out[n] = out[n] + alpha / len(a) * (b @ (a @ x))",
            "    return torch.cat(list(out.values()))",
            "return torch.autograd.functional.jacobian(run, torch.zeros(d, dtype=weight.dtype))",
        ),
    ),
)
SUITES = {
    "06-train-norm": TRAIN_NORM,
    "06-uneven": UNEVEN,
    "06-picture": PICTURE,
    "06-reaching": REACHING,
    "06-ssf-norm": NORM_OF_SCALE,
    "06-lora": LORA,
}

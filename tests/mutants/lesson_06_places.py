"""Wrong and right answers to lesson 06's core exercises, as learners might write them."""

from __future__ import annotations

from .suite import Mutant, Source, Suite


def _source(name: str, *lines: str, head: str = "") -> Source:
    body = "\n".join(f"    {line}" for line in lines)
    return Source(f"import torch\nfrom torch.nn import functional as F\n\ndef {name}{head}:\n{body}\n", name)


def _norm(*lines: str) -> Source:
    return _source("norm_bias", *lines, head="(delta, where, weight, bias, mean, var, eps)")


def _head(*lines: str) -> Source:
    return _source("head_bias", *lines, head="(weight, bias, delta)")


def _block(*lines: str) -> Source:
    return _source("block_bias", *lines, head="(weights, layer, delta)")


def _merge(*lines: str) -> Source:
    return _source("merge_scale", *lines, head="(weight, bias, scale, shift)")


D = "d = delta.flatten()"
NORM_BIAS = Suite(
    mutants=(
        Mutant("ignores where", _norm(D, "return bias + d"), says="divided by √(var + eps)"),
        Mutant(
            "no weight",
            _norm(D, "return bias + d / (var + eps).sqrt() if where == 'before' else bias + d"),
            says="leaves out the norm's weight",
        ),
        Mutant(
            "variance",
            _norm(D, "return bias + weight * d / (var + eps) if where == 'before' else bias + d"),
            says="by its root",
        ),
        Mutant(
            "eps outside",
            _norm(D, "return bias + weight * d / (var.sqrt() + eps) if where == 'before' else bias + d"),
            says="outside of the root",
        ),
        Mutant(
            "mean too",
            _norm(D, "return bias + weight * (d - mean) / (var + eps).sqrt() if where == 'before' else bias + d"),
            says="subtracted from z already",
        ),
        Mutant(
            "no eps",
            _norm(D, "return bias + weight * d / var.sqrt() if where == 'before' else bias + d"),
            says="leave out eps",
        ),
        Mutant(
            "the other way round",
            _norm(D, "return bias + weight * d / (var + eps).sqrt() if where == 'after' else bias + d"),
            says="the other way round",
        ),
        Mutant(
            "no old bias",
            _norm(D, "return weight * d / (var + eps).sqrt() if where == 'before' else d"),
            says="what is missing from your result is exactly `bias`",
        ),
        Mutant("always scaled", _norm(D, "return bias + weight * d / (var + eps).sqrt()"), says="after the norm"),
        Mutant(
            "shape kept",
            _norm("s = weight / (var + eps).sqrt() if where == 'before' else 1", "return bias + s * delta"),
            says="shape",
        ),
        Mutant(
            "in place",
            _norm(D, "s = weight / (var + eps).sqrt() if where == 'before' else 1", "bias += s * d", "return bias"),
            says="changed its input",
        ),
        Mutant(
            "looks it up",
            _norm(
                "from course.exercises.lesson_06.answers import norm_bias as f",
                "return f(delta, where, weight, bias, mean, var, eps)",
            ),
            says="you called the library",
        ),
    ),
    alternatives=(
        _norm(
            "if where == 'after': return bias + delta[0, :, 0, 0]",
            "run = lambda z: F.batch_norm(z, mean, var, weight, bias, False, 0.0, eps)",
            "return (bias + run(delta).flatten()) - run(torch.zeros_like(delta)).flatten()",
        ),
        _norm("s = torch.ones_like(var) if where == 'after' else weight * (var + eps) ** -0.5",
              "return bias + s * delta.squeeze()"),
        _norm(
            "if where == 'after': return bias + delta.squeeze()",
            "norm = lambda z: weight * (z - mean) / (var + eps) ** 0.5 + bias",
            "return bias + torch.func.jvp(norm, (mean,), (delta.view(-1),))[1]",
        ),
        _norm(
            "import math",
            "out = bias.clone()",
            "for c in range(len(bias)):",
            "    d = delta[0, c, 0, 0].item()",
            "    out[c] += d if where == 'after' else weight[c].item() * d / math.sqrt(var[c].item() + eps)",
            "return out",
        ),
    ),
)  # fmt: skip
HEAD_BIAS = Suite(
    mutants=(
        Mutant("sums", _head("return bias + weight @ delta.sum((0, 2, 3))"), says="averages: use the mean"),
        Mutant("one place", _head("return bias + weight @ delta[0, :, 0, 0]"), says="one place"),
        Mutant("largest", _head("return bias + weight @ delta.amax((0, 2, 3))"), says="largest entry"),
        Mutant("over channels", _head("return bias + weight.sum(1) * delta.mean()"), says="over channels too"),
        Mutant("square maps", _head("return bias + weight @ delta.sum((0, 2, 3)) / delta.shape[2] ** 2")),
        Mutant("no bias", _head("return weight @ delta.mean((0, 2, 3))"), says="exactly `bias`: add it"),
        Mutant(
            "bias twice",
            _head("return bias + F.linear(delta.mean((0, 2, 3)), weight, bias)"),
            says="`bias` in it once too often",
        ),
        Mutant("features", _head("return delta.mean((0, 2, 3))"), says="shape"),
        Mutant(
            "looks it up",
            _head("from course.exercises.lesson_06.answers import head_bias as f", "return f(weight, bias, delta)"),
            says="you called the library",
        ),
    ),
    alternatives=(
        _head("return F.linear(F.adaptive_avg_pool2d(delta, 1).flatten(1), weight, bias)[0]"),
        _head("return bias + torch.einsum('kc,chw->k', weight, delta[0]) / delta[0, 0].numel()"),
    ),
)
POS = "if layer == 0: return {'embed.net.pos_embed': weights['embed.net.pos_embed'] + delta}"
BLOCK_BIAS = Suite(
    mutants=(
        Mutant(
            "too late",
            _block(POS, "n = f'blocks.{layer}.mlp.fc2.bias'", "return {n: weights[n] + delta.flatten()}"),
            says="comes too late",
        ),
        Mutant(
            "before the MLP",
            _block(POS, "n = f'blocks.{layer - 1}.attn.proj.bias'", "return {n: weights[n] + delta.flatten()}"),
            says="the MLP reads that shift",
        ),
        Mutant(
            "patch bias",
            _block(
                "n = f'blocks.{layer - 1}.mlp.fc2.bias' if layer else 'embed.net.patch_embed.proj.bias'",
                "return {n: weights[n] + delta.flatten()}",
            ),
            says="never passes",
        ),
        Mutant(
            "patches only",
            _block(
                "if layer == 0:",
                "    p = weights['embed.net.pos_embed'].clone()",
                "    p[:, 1:] += delta",
                "    return {'embed.net.pos_embed': p}",
                "n = f'blocks.{layer - 1}.mlp.fc2.bias'",
                "return {n: weights[n] + delta.flatten()}",
            ),
            says="added to every token",
        ),
        Mutant(
            "class token only",
            _block(
                "if layer == 0:",
                "    p = weights['embed.net.pos_embed'].clone()",
                "    p[:, :1] += delta",
                "    return {'embed.net.pos_embed': p}",
                "n = f'blocks.{layer - 1}.mlp.fc2.bias'",
                "return {n: weights[n] + delta.flatten()}",
            ),
            says="nothing but your class token",
        ),
        Mutant(
            "shape kept",
            _block(POS, "n = f'blocks.{layer - 1}.mlp.fc2.bias'", "return {n: weights[n] + delta}"),
            says="shape",
        ),
        Mutant(
            "two blocks earlier",
            _block(POS, "n = f'blocks.{max(layer - 2, 0)}.mlp.fc2.bias'", "return {n: weights[n] + delta.flatten()}"),
            says="are asked for (with weights (a dictionary), layer = 2",
        ),
        Mutant(
            "sign",
            _block(
                "n = f'blocks.{layer - 1}.mlp.fc2.bias' if layer else 'embed.net.pos_embed'",
                "return {n: weights[n] - delta.view(-1)}",
            ),
            says="`delta` is in your result['blocks.0.mlp.fc2.bias'] with the opposite sign",
        ),
        Mutant(
            "delta alone",
            _block(
                "if layer == 0: return {'embed.net.pos_embed': delta.expand(1, 5, -1).clone()}",
                "return {f'blocks.{layer - 1}.mlp.fc2.bias': delta.flatten()}",
            ),
        ),
        Mutant(
            "looks it up",
            _block("from course.exercises.lesson_06.answers import block_bias as f", "return f(weights, layer, delta)"),
            says="you called the library",
        ),
    ),
    alternatives=(
        _block(
            "name = f'blocks.{layer - 1}.mlp.fc2.bias' if layer else 'embed.net.pos_embed'",
            "old = weights[name]",
            "return {name: old + (delta if old.dim() == 3 else delta[0, 0])}",
        ),
        _block(
            "from collections import OrderedDict",
            "name = f'blocks.{layer - 1}.mlp.fc2.bias' if layer else 'embed.net.pos_embed'",
            "return OrderedDict([(name, torch.nn.Parameter(torch.add(weights[name], delta.view(-1))))])",
        ),
    ),
)
ROWS = "rows = scale.view(-1, *[1] * (weight.dim() - 1))"
MERGE = Suite(
    mutants=(
        Mutant(
            "inputs",
            _merge(
                "view = scale.view(1, -1) if weight.dim() == 2 and len(set(weight.shape)) == 1 else "
                "scale.view(1, -1, 1, 1) if weight.dim() == 4 else scale.view(-1, *[1] * (weight.dim() - 1))",
                "return view * weight, shift + (0 if bias is None else scale * bias)",
            ),
            says="you scale the inputs",
        ),
        Mutant(
            "bias as it was",
            _merge(ROWS, "return rows * weight, shift + (0 if bias is None else bias)"),
            says="leaves the old one unscaled",
        ),
        Mutant(
            "shift scaled",
            _merge(ROWS, "return rows * weight, scale * (shift + (0 if bias is None else bias))"),
            says="scales the shift too",
        ),
        Mutant(
            "no shift",
            _merge(ROWS, "return rows * weight, 0 * shift if bias is None else scale * bias"),
            says="lacks the shift",
        ),
        Mutant("shift alone", _merge(ROWS, "return rows * weight, shift.clone()"), says="the shift alone also"),
        Mutant(
            "no new bias",
            _merge(ROWS, "return rows * weight, None if bias is None else scale * bias + shift"),
            says="your result[1] is None, and a tensor is asked for",
        ),
        Mutant(
            "weight as it was",
            _merge("return weight, shift if bias is None else scale * bias + shift"),
            says="the right one divided by `scale`",
        ),
        Mutant(
            "shift to the weight too",
            _merge(ROWS, "w = rows * weight + shift.view_as(rows)",
                   "return w, shift if bias is None else scale * bias + shift"),
            says="`shift` in it once too often",
        ),
        Mutant("linear only", _merge("return scale[:, None] * weight, scale * bias + shift"), outcome="error"),
        Mutant(
            "looks it up",
            _merge("from course.exercises.lesson_06.answers import merge_scale as f",
                "return f(weight, bias, scale, shift)"),
            says="you called the library",
        ),
    ),
    alternatives=(
        _merge(
            "merged = (weight.movedim(0, -1) * scale).movedim(-1, 0)",
            "return merged, shift + 0 if bias is None else torch.addcmul(shift, scale, bias)",
        ),
        _merge(
            "flat = torch.diag(scale) @ weight.reshape(len(scale), -1)",
            "old = shift.new_zeros(len(shift)) if bias is None else bias",
            "return flat.reshape(weight.shape), torch.diag(scale) @ old + shift",
        ),
        _merge("merged = torch.stack([s * w for s, w in zip(scale, weight)])",
               "old = torch.zeros_like(scale) if bias is None else bias", "return [merged, scale * old + shift]"),
    ),
)  # fmt: skip
SUITES = {"06-norm-bias": NORM_BIAS, "06-head-bias": HEAD_BIAS, "06-block-bias": BLOCK_BIAS, "06-merge": MERGE}

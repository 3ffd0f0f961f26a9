"""Wrong and right answers to lesson 01's exercises about pixels, as learners might write them."""

from __future__ import annotations

from .suite import Mutant, Source, Suite


def _source(name: str, *lines: str, head: str = "") -> Source:
    body = "\n".join(f"    {line}" for line in lines)
    start = "import math, torch\nfrom torch.nn import functional as F\n"
    return Source(f"{start}\ndef {name}{head}:\n{body}\n", name)


def _pad(*lines: str) -> Source:
    return _source("add_frame", *lines, head="(images, top, bottom, left, right)")


def _count(*lines: str) -> Source:
    return _source("count_frame", *lines, head="(chans, height, width, p)")


def _patch(*lines: str) -> Source:
    return _source("add_patches", *lines, head="(images, patch, draws)")


def _rate(*lines: str) -> Source:
    return _source("pixel_rate", *lines, head="(rate, std, optimizer)")


MIDDLE = (
    "b, c, h, w = images.shape",
    "p = top.shape[2]",
    "rows = torch.cat([left, torch.zeros(1, c, h - 2 * p, w - 2 * p), right], 3)",
)
FRAME = "frame = torch.cat([top, rows, bottom], 2)"
IN_PLACE = (
    "p = top.shape[2]",
    "out = images.clone()",
    "out[:, :, :p] += top",
    "out[:, :, -p:] += bottom",
    "out[:, :, p:-p, :p] += left",
    "out[:, :, p:-p, -p:] += right",
    "return out",
)
PAD = Suite(
    mutants=(
        Mutant("frame alone", _pad(*MIDDLE, FRAME, "return frame.expand_as(images)"), says="the frame alone"),
        Mutant("covers", _pad(*[line.replace("+=", "=") for line in IN_PLACE]), says="covers the border"),
        Mutant(
            "upside down", _pad(*MIDDLE, "return images + torch.cat([bottom, rows, top], 2)"), says="top and bottom"
        ),
        Mutant(
            "mirrored",
            _pad(*[line.replace("left", "x").replace("right", "left").replace("x,", "right,") for line in MIDDLE],
                 FRAME, "return images + frame"),
            says="left and right strips",
        ),
        Mutant("subtracts", _pad(*MIDDLE, FRAME, "return images - frame"), says="you subtract"),
        Mutant("no sides", _pad(*IN_PLACE[:4], "return out"), says="has no sides"),
        Mutant("sides only", _pad(*IN_PLACE[:2], *IN_PLACE[4:]), says="sides only"),
        Mutant("in place", _pad(*[line.replace(".clone()", "") for line in IN_PLACE]), says="changed its input"),
        Mutant(
            "cut off the graph", _pad(*MIDDLE, FRAME, "return images + frame.detach()"), says="no gradient"
        ),
        Mutant("one image", _pad(*MIDDLE, FRAME, "return (images + frame)[:1]"), says="shape"),
        Mutant(
            "looks it up",
            _pad(
                "from course.exercises.lesson_01.answers import add_frame as f",
                    "return f(images, top, bottom, left, right)"
            ),
            says="you called the library",
        ),
    ),
    alternatives=(
        _pad(
            "p, out = top.shape[2], images.clone()",
            "h, w = images.shape[2:]",
            "for i in range(h):",
            "    for j in range(w):",
            "        if i < p: out[:, :, i, j] += top[:, :, i, j]",
            "        elif i >= h - p: out[:, :, i, j] += bottom[:, :, i - h, j]",
            "        elif j < p: out[:, :, i, j] += left[:, :, i - p, j]",
            "        elif j >= w - p: out[:, :, i, j] += right[:, :, i - p, j - w]",
            "return out",
        ),
        _pad(  # the gradient of cutting strips puts them back
            "p, z = top.shape[2], torch.zeros_like(images[:1]).requires_grad_()",
            "cut = [z[:, :, :p], z[:, :, -p:], z[:, :, p:-p, :p], z[:, :, p:-p, -p:]]",
            "strips = [top, bottom, left, right]",
            "return images + torch.autograd.grad(cut, z, strips, create_graph=True)[0]",
        ),
        _pad(*IN_PLACE),
        _pad(*MIDDLE, FRAME, "return images.double() + frame"),
        _pad(
            "p, (h, w) = top.shape[2], images.shape[2:]",
            "frame = F.pad(top, (0, 0, 0, h - p)) + F.pad(bottom, (0, 0, h - p, 0))",
            "return images + frame + F.pad(left, (0, w - p, p, p)) + F.pad(right, (w - p, 0, p, p))",
        ),
    ),
)  # fmt: skip
COUNT = Suite(
    mutants=(
        Mutant("one channel", _count("return 2 * p * (height + width - 2 * p)"), says="one channel"),
        Mutant("corners twice", _count("return 2 * chans * p * (height + width)"), says="corners twice"),
        Mutant("square", _count("return 4 * chans * p * (height - p)"), says="H and W may differ"),
        Mutant(
            "hole too large", _count("return chans * (height * width - (height - p) * (width - p))"), says="both ends"
        ),
        Mutant("the hole", _count("return chans * (height - 2 * p) * (width - 2 * p)"), says="you count the hole"),
        Mutant("paper's number", _count("return 69_840"), says="too"),
        Mutant(
            "builds the prompt",
            _count(
                "import vpcore",
                "spec = vpcore.load_backbone('simple_cnn', pretrained=False, in_chans=chans, image_size=height).spec",
                "return vpcore.PadPrompt(spec, p if 2 * p < height else 'full').num_learned()",
            ),
            says="you called the library",
        ),
    ),
    alternatives=(
        _count(
            "inside = [p <= i < height - p and p <= j < width - p for i in range(height) for j in range(width)]",
            "return chans * inside.count(False)",
        ),
        _count(
            "x = torch.zeros(chans, height, width, requires_grad=True)",
            "(x.sum() - x[:, p : height - p, p : width - p].sum()).backward()",
            "return int(x.grad.sum())",
        ),
        _count("return chans * (height * width - (height - 2 * p) * (width - 2 * p))"),
        _count("return sum(chans * p * edge for edge in (width, width, height - 2 * p, height - 2 * p))"),
    ),
)
LOOP = (
    "p, out = patch.shape[-1], images.clone()",
    "h, w = images.shape[2:]",
    "for i in range(len(images)):",
    "    r, c = int(draws[i, 0] * (h - p + 1)), int(draws[i, 1] * (w - p + 1))",
    "    out[i, :, r : r + p, c : c + p] += patch",
    "return out",
)


def _changed(old: str, new: str) -> Source:
    return _patch(*[line.replace(old, new) for line in LOOP])


PATCH = Suite(
    mutants=(
        Mutant("never the last place", _changed("- p + 1", "- p"), says="H − p + 1 places"),
        Mutant(
            "rounds",
            _changed("int(draws[i, 0] * (h - p + 1)), int(draws[i, 1] * (w - p + 1))",
                     "int((draws[i, 0] * (h - p)).round()), int((draws[i, 1] * (w - p)).round())"),
            says="half the chance",
        ),
        Mutant("one place a batch", _changed("draws[i,", "draws[0,"), says="whole batch"),
        Mutant(
            "column first",
            _patch(*LOOP[:3], "    c, r = int(draws[i, 0] * (w - p + 1)), int(draws[i, 1] * (h - p + 1))", *LOOP[4:]),
            says="first number for the column",
        ),
        Mutant("covers", _changed("+= patch", "= patch"), says="covers the image"),
        Mutant("in place", _changed("images.clone()", "images"), says="changed its input"),
        Mutant("patch cut off", _changed("+= patch", "+= patch.detach()"), says="no gradient"),
        Mutant("first image only", _patch(*LOOP[:2], "i = 0", *[line.strip() for line in LOOP[3:5]], "return out[:1]"),
               says="shape"),
        Mutant(
            "looks it up",
            _patch("from course.exercises.lesson_01.answers import add_patches as f", "return f(images, patch, draws)"),
            says="you called the library",
        ),
    ),
    alternatives=(
        _patch(
            "p, (h, w) = patch.shape[-1], images.shape[2:]",
            "row, column = (draws * torch.tensor([h - p + 1, w - p + 1])).long().T",
            "one = F.one_hot(row * (w - p + 1) + column, (h - p + 1) * (w - p + 1)).to(images)",
            "return images + F.fold(patch.reshape(1, -1, 1) * one[:, None], (h, w), p)",
        ),
        _patch(
            "p, (h, w) = patch.shape[-1], images.shape[2:]",
            "z = torch.zeros_like(images, requires_grad=True)",
            "at = [(int(r * (h - p + 1)), int(c * (w - p + 1))) for r, c in draws.tolist()]",
            "cut = torch.stack([each[:, r : r + p, c : c + p] for each, (r, c) in zip(z, at)])",
            "return images + torch.autograd.grad(cut, z, patch.expand_as(cut), create_graph=True)[0]",
        ),
        _patch(
            "p, (h, w) = patch.shape[-1], images.shape[2:]",
            "room = torch.tensor([h - p + 1, w - p + 1])",
            "added = [F.pad(patch, (int(c), w - p - int(c), int(r), h - p - int(r))) for r, c in draws * room]",
            "return images + torch.stack(added)",
        ),
    ),
)  # fmt: skip
RATE = Suite(
    mutants=(
        Mutant("one σ", _rate("return rate * std"), says="it needs two"),
        Mutant("two σ", _rate("return rate * std ** 2"), says="Adam divides"),
        Mutant("divides", _rate("return rate / (std ** 2 if optimizer == 'sgd' else std)"), says="you divide"),
        Mutant("exchanged", _rate("return rate * (std if optimizer == 'sgd' else std ** 2)"), says="exchange"),
        Mutant("as it is", _rate("return rate * torch.ones_like(std)"), says="as it is"),
        Mutant("mean σ", _rate("return rate * (std ** 2 if optimizer == 'sgd' else std).mean()"), says="shape"),
        Mutant(
            "looks it up",
            _rate("from course.exercises.lesson_01.answers import pixel_rate as f", "return f(rate, std, optimizer)"),
            says="you called the library",
        ),
    ),
    alternatives=(
        _rate("return torch.tensor([rate * s * (s if optimizer == 'sgd' else 1) for s in std.tolist()])"),
        _rate(
            "delta = torch.zeros_like(std, requires_grad=True)",
            "(std * delta).sum().backward()",
            "return rate * std * (delta.grad if optimizer == 'sgd' else delta.grad.sign())",
        ),
        _rate("power = {'sgd': 2, 'adam': 1}[optimizer]", "return rate * std.pow(power)"),
        _rate("moved = rate * std", "return moved * std if optimizer == 'sgd' else moved"),
    ),
)
SUITES = {"01-pad": PAD, "01-count": COUNT, "01-patch": PATCH, "01-rate": RATE}

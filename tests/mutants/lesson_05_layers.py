"""Wrong and right answers to lesson 05's exercises about one layer, as learners might write them."""

from __future__ import annotations

from .suite import Mutant, Source, Suite

START = "import torch\nfrom torch import nn\n"


def _class(*lines: str, init: tuple[str, ...] = ()) -> Source:
    default = ("self.layer = layer", "self.delta = nn.Parameter(torch.zeros(1, *shapes[layer]))")
    body = ["class AddDelta(nn.Module):", "    def __init__(self, shapes, layer):", "        super().__init__()"]
    body += [f"        {line}" for line in init or default]
    body += ["    def forward(self, z, layer):", *(f"        {line}" for line in lines)]
    return Source(START + "\n".join(body) + "\n", "AddDelta")


def _function(name: str, head: str, *lines: str) -> Source:
    return Source(f"{START}\ndef {name}{head}:\n" + "\n".join(f"    {line}" for line in lines) + "\n", name)


def _plan(*lines: str) -> Source:
    return _function("plan", "(prompted, tuned, depth)", *lines)


def _cached(*lines: str) -> Source:
    return _function("cached_logits", "(backbone, head, x, layer, delta)", *lines)


ADD = "return z + self.delta if layer == self.layer else z"
MODULE = Suite(
    mutants=(
        Mutant("at every layer", _class("return z + self.delta"), says="every layer"),
        Mutant("one late", _class("return z + self.delta if layer - 1 == self.layer else z"), says="one layer late"),
        Mutant("scales", _class("return z * (1 + self.delta) if layer == self.layer else z"), says="multiplies"),
        Mutant("subtracts", _class("return z - self.delta if layer == self.layer else z"), says=""),
        Mutant(
            "plain tensor",
            _class(ADD, init=("self.layer = layer", "self.delta = torch.zeros(1, *shapes[layer])")),
            says="plain tensor",
        ),
        Mutant(
            "per channel",
            _class(
                ADD, init=("self.layer = layer", "self.delta = nn.Parameter(torch.zeros(1, shapes[layer][0], 1, 1))")
            ),
            says="one number a channel",
        ),
        Mutant(
            "first shape",
            _class(ADD, init=("self.layer = layer", "self.delta = nn.Parameter(torch.zeros(1, *shapes[0]))")),
            says="shape of layer 0",
        ),
        Mutant(
            "square maps",
            _class(
                ADD,
                init=(
                    "self.layer = layer",
                    "chans, side = shapes[layer][:2]",
                    "self.delta = nn.Parameter(torch.zeros(1, chans, side, side))",
                ),
            ),
            says="48 numbers, and 60 are asked for",
        ),
        Mutant(
            "maps alone",
            _class(
                ADD,
                init=(
                    "self.layer = layer",
                    "chans, height, width = shapes[layer]",
                    "self.delta = nn.Parameter(torch.zeros(1, chans, height, width))",
                ),
            ),
            outcome="error",
        ),
        Mutant(
            "random start",
            _class(ADD, init=("self.layer = layer", "self.delta = nn.Parameter(torch.randn(1, *shapes[layer]))")),
            says="start at zero",
        ),
        Mutant("in place", _class("if layer == self.layer: z += self.delta", "return z"), says="changed its input"),
        Mutant("detached", _class(ADD.replace("self.delta", "self.delta.detach()")), says="no gradient"),
        Mutant("forgets return", _class("if layer == self.layer: return z + self.delta"), says="return"),
        Mutant(
            "calls the library",
            Source(
                f"{START}from course.exercises.lesson_05.answers import ActivationDelta\n"
                "class AddDelta(ActivationDelta):\n"
                "    def __init__(self, shapes, layer):\n        super().__init__(shapes, layer)\n"
                "    def forward(self, z, layer):\n        return super().forward(z, layer)\n",
                "AddDelta",
            ),
            says="you called the library",
        ),
    ),
    alternatives=(
        _class(
            "return z + self.deltas[str(layer)] if str(layer) in self.deltas else z",
            init=("self.deltas = nn.ParameterDict({str(layer): nn.Parameter(torch.zeros(1, *shapes[layer]))})",),
        ),
        _class(
            "return torch.stack([each + self.delta[0] for each in z]) if layer == self.layer else z",
        ),
        _class("if layer == self.layer:", "    z = z + self.delta", "return z"),
        _class(
            "return torch.add(z, self.bias) if layer == self.at else z",
            init=("self.at = layer", "self.register_parameter('bias', nn.Parameter(torch.zeros((1, *shapes[layer]))))"),
        ),
    ),
)
FIRST = Suite(
    mutants=(
        Mutant(
            "highest",
            _plan(
                "first = max([*prompted, *tuned], default=depth + 1)", "return first, list(range(min(first, depth)))"
            ),
            says="highest one",
        ),
        Mutant(
            "depth",
            _plan(
                "first = min([*prompted, *tuned], default=depth)",
                "return first, list(range(max(0, min(first, depth))))",
            ),
            says="return depth + 1",
        ),
        Mutant(
            "block first too",
            _plan(
                "first = min([*prompted, *tuned], default=depth + 1)",
                "return first, [b for b in range(depth) if b <= first]",
            ),
            says="block `first` as well",
        ),
        Mutant(
            "prompts only",
            _plan("first = min(prompted, default=depth + 1)", "return first, list(range(max(0, min(first, depth))))"),
            says="weights learn",
        ),
        Mutant(
            "blocks only",
            _plan("first = min(tuned, default=depth + 1)", "return first, list(range(max(0, min(first, depth))))"),
            says="prompted layers",
        ),
        Mutant("empty list", _plan("first = min(prompted + tuned)", "return first, []"), outcome="error", says=""),
        Mutant(
            "looks it up",
            _plan("from course.exercises.lesson_05.answers import plan as p", "return p(prompted, tuned, depth)"),
            says="you called the library",
        ),
    ),
    alternatives=(
        _plan(
            "first = torch.tensor([*prompted, *tuned, depth + 1]).amin().item()",
            "return first, torch.arange(max(0, min(first, depth))).tolist()",
        ),
        _plan(
            "places = sorted(prompted + tuned)",
            "first = places[0] if places else depth + 1",
            "once = []",
            "for block in range(depth):",
            "    if block < first: once.append(block)",
            "return first, once",
        ),
        _plan(
            "first = min(list(prompted) + list(tuned) + [depth + 1])",
            "return first, list(range(depth))[:max(first, 0)]",
        ),
    ),
)
BELOW = ("with torch.no_grad():", "    z = backbone.embed(x)", "    for b in backbone.blocks[:layer]: z = b(z)")
ABOVE = ("for b in backbone.blocks[layer:]: y = b(y)", "return z, head(backbone.pool(y))")
CACHED = Suite(
    mutants=(
        Mutant("in place", _cached(*BELOW, "y = z.add_(delta)", *ABOVE), says="holds delta already"),
        Mutant(
            "one too far",
            _cached(
                *[s.replace("[:layer]", "[:layer + 1]") for s in BELOW],
                "y = z + delta",
                *[s.replace("[layer:]", "[layer + 1:]") for s in ABOVE],
            ),
            says="one block too far",
        ),
        Mutant(
            "leaves one out",
            _cached(*BELOW, "y = z + delta", *[s.replace("[layer:]", "[layer + 1:]") for s in ABOVE]),
            says="leaves out block",
        ),
        Mutant("no delta", _cached(*BELOW, "y = z", *ABOVE), says="know nothing of delta"),
        Mutant(
            "embeds again",
            _cached(
                *BELOW, "y = backbone.embed(x)", "for b in backbone.blocks[:layer]: y = b(y)", "y = y + delta", *ABOVE
            ),
            says="embed more than once",
        ),
        Mutant(
            "a copy runs blocks again",
            _cached(
                *("import copy", "own = copy.deepcopy(backbone)", "z = y = backbone.embed(x)"),
                *("for i, b in enumerate(backbone.blocks[:layer]):", "    z = b(z)", "    y = z if i == 0 else y"),
                *("for b in own.blocks[1:layer]: y = b(y)", "y = y + delta", *ABOVE),
            ),
            says="block 1 more than once",
        ),
        Mutant(
            "blocks again",
            _cached(
                *("e = backbone.embed(x)", "z = y = e"),
                "for b in backbone.blocks[:layer]: z = b(z)",
                "for i, b in enumerate(backbone.blocks): y = b(y + delta if i == layer else y)",
                "return z, head(backbone.pool(y + delta if layer == len(backbone.blocks) else y))",
            ),
            says="block 0 more than once",
        ),
        Mutant(
            "all under no_grad",
            _cached(
                *BELOW,
                "    y = z + delta",
                "    for b in backbone.blocks[layer:]: y = b(y)",
                "return z, head(backbone.pool(y))",
            ),
            says="",
        ),
        Mutant(
            "pools by hand",
            _cached(*BELOW, "y = z + delta", ABOVE[0], "return z, head(y.mean((2, 3)))"),
            says="backbone.pool is a part of the network",
        ),
        Mutant(
            "forgets the head", _cached(*BELOW, "y = z + delta", ABOVE[0], "return z, backbone.pool(y)"), says="shape"
        ),
        Mutant("delta as large as x", _cached(*BELOW, "y = z + delta.expand_as(x)", *ABOVE), outcome="error"),
        Mutant(
            "calls the library",
            _cached(
                "z = backbone.activations(x, layer)",
                "edit = lambda y, at: y + delta if at == layer else y",
                "return z, head(backbone(z, edit, layer))",
            ),
            says="you called the library",
        ),
    ),
    alternatives=(
        _cached(
            "from functools import reduce",
            "through = lambda z, blocks: reduce(lambda z, block: block(z), list(blocks), z)",
            "z = through(backbone.embed(x), backbone.blocks[:layer]).detach()",
            "prompted = torch.stack([each + delta[0] for each in z])",
            "return z, head(backbone.pool(through(prompted, backbone.blocks[layer:])))",
        ),
        _cached(
            "z = backbone.embed(x).detach()",
            "for i, b in enumerate(backbone.blocks):",
            "    if i < layer: z = b(z).detach()",
            "y = delta + z",
            "for i, b in enumerate(backbone.blocks):",
            "    if i >= layer: y = b(y)",
            "return z, head(backbone.pool(y))",
        ),
        _cached(
            "z = nn.Sequential(backbone.embed, *backbone.blocks[:layer])(x)",
            "return z, nn.Sequential(*backbone.blocks[layer:], backbone.pool, head)(z + delta)",
        ),
        _cached(
            *("import copy", "twin = copy.deepcopy(backbone)", "parts = [twin.embed, *twin.blocks, twin.pool, head]"),
            *("below = x", "with torch.no_grad():"),
            *("    for _ in range(layer + 1): below = parts.pop(0)(below)", "out = delta + below"),
            *("while parts: out = parts.pop(0)(out)", "return below, out"),
        ),
    ),
)
SUITES = {"05-module": MODULE, "05-first-layer": FIRST, "05-cached": CACHED}

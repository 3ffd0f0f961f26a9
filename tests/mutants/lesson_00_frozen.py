"""Wrong and right answers to lesson 00's exercises about what learns, as learners might write them."""

from __future__ import annotations

from .suite import Mutant, Source, Suite


def _source(name: str, *lines: str, head: str = "") -> Source:
    body = "\n".join(f"    {line}" for line in lines)
    return Source(f"import copy, math, torch\nfrom torch import nn\n\ndef {name}{head}:\n{body}\n", name)


def _first(*lines: str) -> Source:
    return _source("prompted", *lines, head="(x, delta)")


def _freeze(*lines: str) -> Source:
    return _source("freeze", *lines, head="(network)")


def _count(*lines: str) -> Source:
    return _source("count", *lines, head="(model)")


FIRST = Suite(
    mutants=(
        Mutant("δ alone", _first("return delta.expand_as(x)"), says="δ alone"),
        Mutant("subtracts", _first("return x - delta"), says="you subtract"),
        Mutant("multiplies", _first("return x * delta"), says="you multiply"),
        Mutant("averages", _first("return (x + delta) / 2"), says="without a division"),
        Mutant("in place", _first("x += delta", "return x"), says="changed its input"),
        Mutant("off the graph", _first("return x + delta.detach()"), says="no gradient"),
        Mutant("forgets return", _first("x + delta"), says="return"),
        Mutant(
            "looks it up",
            _first("from course.exercises.lesson_00.answers import prompted as f", "return f(x, delta)"),
            says="you called the library",
        ),
    ),
    alternatives=(
        _first("out = x.clone()", "out += delta", "return out"),
        _first("return torch.vmap(lambda one: one + (delta[0] if delta.dim() == x.dim() else delta))(x)"),
        _first("return torch.add(x, delta)"),
        _first("return torch.stack([one + delta.expand_as(x)[0] for one in x])"),
    ),
)
OFF = "for parameter in network.parameters(): parameter.requires_grad_(False)"
GONE = "for parameter in network.parameters(): parameter.grad = None"
FREEZE = Suite(
    mutants=(
        Mutant(
            "no statistics",
            _freeze(
                "network.requires_grad_(False).zero_grad()",
                "for module in network.modules():",
                "    if isinstance(module, nn.BatchNorm2d): module.running_mean = module.running_var = None",
                "return network.eval()",
            ),
            says="takes 0.1.running_mean away",
        ),
        Mutant("eval only", _freeze("return network.eval()"), says="every parameter still requires"),
        Mutant(
            "convolutions and linear layers only",
            _freeze(
                "for module in network.modules():",
                "    if isinstance(module, (nn.Conv2d, nn.Linear)): module.requires_grad_(False)",
                "network.zero_grad()",
                "return network.eval()",
            ),
            says="the first in a BatchNorm2d",
        ),
        Mutant("gradients stay", _freeze(OFF, "return network.eval()"), says="old gradients"),
        Mutant("no eval", _freeze(OFF, GONE, "return network"), says="call eval()"),
        Mutant(
            "only its own flag",
            _freeze(OFF, GONE, "network.training = False", "return network"),
            says="inside it is still in training mode",
        ),
        Mutant("forgets return", _freeze(OFF, GONE, "network.eval()"), says="return network"),
        Mutant(
            "a copy",
            _freeze("network = copy.deepcopy(network)", OFF, GONE, "return network.eval()"),
            says="another network",
        ),
        Mutant(
            "no_grad around forward",
            _freeze(OFF, GONE, "network.forward = torch.no_grad()(network.forward)", "return network.eval()"),
            says="no gradient gets through",
        ),
        Mutant(
            "resets batch norm",
            _freeze(
                OFF,
                GONE,
                "for module in network.modules():",
                "    if isinstance(module, nn.BatchNorm2d): module.reset_running_stats()",
                "return network.eval()",
            ),
            says="keep the values",
        ),
        Mutant("returns a flag", _freeze(OFF, GONE, "network.eval()", "return True"), says="must return the network"),
        Mutant(
            "looks it up",
            _freeze("from course.exercises.lesson_00.answers import freeze as f", "return f(network)"),
            says="you called the library",
        ),
    ),
    alternatives=(
        _freeze(
            "def one(module):",
            "    module.training = False",
            "    for p in module.parameters(recurse=False): p.requires_grad, p.grad = False, None",
            "return network.apply(one)",
        ),
        _freeze("network.zero_grad(set_to_none=True)", "return network.requires_grad_(False).eval()"),
        _freeze(
            "for module in network.modules():",
            "    module.train(False)",
            "    for p in module.parameters(recurse=False):",
            "        p.requires_grad = False",
            "        p.grad = None",
            "return network",
        ),
    ),
)
LOOP = ("learned = frozen = 0", "for p in model.parameters():")
COUNT = Suite(
    mutants=(
        Mutant(
            "freezes what it counts",
            _count(
                "learned = sum(p.numel() for p in model.parameters() if p.requires_grad)",
                "frozen = sum(p.numel() for p in model.parameters()) - learned",
                "model.requires_grad_(False)",
                "return learned, frozen",
            ),
            says="changed its input `model`: leave",
        ),
        Mutant(
            "tensors",
            _count(
                "states = [p.requires_grad for p in model.parameters()]",
                "return sum(states), len(states) - sum(states)",
            ),
            says="you count tensors",
        ),
        Mutant(
            "swapped",
            _count(
                *LOOP,
                "    if p.requires_grad: frozen += p.numel()",
                "    else: learned += p.numel()",
                "return learned, frozen",
            ),
            says="wrong way round",
        ),
        Mutant(
            "all instead of frozen",
            _count(
                *LOOP, "    frozen += p.numel()", "    learned += p.numel() * p.requires_grad", "return learned, frozen"
            ),
            says="all parameters",
        ),
        Mutant(
            "buffers too",
            _count(
                "learned = sum(p.numel() for p in model.parameters() if p.requires_grad)",
                "unique = {t.data_ptr(): t.numel() for t in model.state_dict().values()}",
                "return learned, sum(unique.values()) - learned",
            ),
            says="buffers",
        ),
        Mutant(
            "layer by layer",
            _count(
                "learned = frozen = 0",
                "for layer in model.children():",
                "    learned += sum(p.numel() for p in layer.parameters() if p.requires_grad)",
                "    frozen += sum(p.numel() for p in layer.parameters() if not p.requires_grad)",
                "return learned, frozen",
            ),
            says="twice",
        ),
        Mutant("learned alone", _count("return sum(p.numel() for p in model.parameters() if p.requires_grad)")),
        Mutant(
            "looks it up",
            _count("from course.exercises.lesson_00.answers import count_parameters as f", "return f(model)"),
            says="you called the library",
        ),
    ),
    alternatives=(
        _count(
            "sizes = torch.tensor([p.numel() for p in model.parameters()])",
            "learns = torch.tensor([p.requires_grad for p in model.parameters()])",
            "return sizes[learns].sum(), sizes[~learns].sum()",
        ),
        _count(
            "learned = [p for p in model.parameters() if p.requires_grad]",
            "gone = torch.autograd.grad(sum(p.sum() for p in learned), learned)",
            "count = sum(slope.numel() for slope in gone)",
            "return count, sum(p.nelement() for p in model.parameters()) - count",
        ),
        _count(
            "total = sum(p.numel() for p in model.parameters())",
            "learned = sum(p.numel() for p in model.parameters() if p.requires_grad)",
            "return [learned, total - learned]",
        ),
        _count(
            "counts = {True: 0, False: 0}",
            "for name, p in model.named_parameters(): counts[p.requires_grad] += math.prod(p.shape)",
            "return counts[True], counts[False]",
        ),
    ),
)
SUITES = {"00-first": FIRST, "00-freeze": FREEZE, "00-count": COUNT}

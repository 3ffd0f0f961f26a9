"""Wrong and right answers to lesson 01's exercises about label mapping, as learners might write them."""

from __future__ import annotations

from .suite import Mutant, Source, Suite


def _source(name: str, *lines: str, head: str = "") -> Source:
    body = "\n".join(f"    {line}" for line in lines)
    start = "import torch\nfrom vpcore.heads.label_mapping import assign_greedily\n"
    return Source(f"{start}\ndef {name}{head}:\n{body}\n", name)


def _mapping(*lines: str) -> Source:
    return _source("source_for_each", *lines, head="(counts)")


def _epochs(*lines: str) -> Source:
    return _source("mapping_per_epoch", *lines, head="(predictions, labels, num_source, num_classes)")


GREEDY = (
    "left, k = counts.clone(), counts.shape[1]",
    "out = torch.zeros(k, dtype=torch.long)",
    "for _ in range(k):",
    "    s, t = divmod(int(left.argmax()), k)",
    "    out[t] = s",
    "    left[s], left[:, t] = -1, -1",
    "return out",
)


def _greedy(old: str, new: str) -> Source:
    return _mapping(*[line.replace(old, new) for line in GREEDY])


MAPPING = Suite(
    mutants=(
        Mutant("each alone", _mapping("return counts.argmax(0)"), says="share source classes"),
        Mutant(
            "in order",
            _mapping(
                "left, out = counts.clone(), []",
                "for t in range(counts.shape[1]):",
                "    out.append(int(left[:, t].argmax()))",
                "    left[out[-1]] = -1",
                "return torch.tensor(out)",
            ),
            says="in order",
        ),
        Mutant(
            "the largest sum",
            _mapping(
                "from scipy.optimize import linear_sum_assignment",
                "rows, columns = linear_sum_assignment(counts.numpy(), maximize=True)",
                "out = torch.zeros(counts.shape[1], dtype=torch.long)",
                "out[torch.from_numpy(columns)] = torch.from_numpy(rows)",
                "return out",
            ),
            says="Hungarian",
        ),
        Mutant("struck with zero", _greedy("= -1, -1", "= 0, 0"), says="use −1"),
        Mutant("smallest", _greedy("left.argmax()", "torch.where(left < 0, 999, left).argmin()"), says="smallest"),
        Mutant("shares", _greedy("counts.clone()", "counts / counts.sum(0).clamp(min=1)"), says="size of each class"),
        Mutant("wrong way round", _mapping(*GREEDY[:-1], "return out.argsort()"), says="wrong way round"),
        Mutant("strikes the input", _greedy("counts.clone()", "counts"), says="changed its input"),
        Mutant("a list", _mapping(*GREEDY[:-1], "return out.tolist()"), says="list"),
        Mutant(
            "calls the library", _mapping("return assign_greedily(counts)"), says="you called the library"
        ),
    ),
    alternatives=(
        _mapping(
            "table = counts.double().numpy().copy()",
            "mapping = np.zeros(table.shape[1], int)",
            "for _ in mapping:",
            "    s, t = np.unravel_index(table.argmax(), table.shape)",
            "    mapping[t], table[s], table[:, t] = s, -np.inf, -np.inf",
            "return torch.from_numpy(mapping)",
        ),
        _mapping(
            "k, out, used = counts.shape[1], {}, set()",
            "for i in torch.sort(counts.flatten(), descending=True, stable=True).indices.tolist():",
            "    if i // k not in used and i % k not in out:",
            "        out[i % k] = i // k",
            "        used.add(i // k)",
            "return torch.tensor([out[t] for t in range(k)])",
        ),
        _mapping(
            "pairs = [(-n, s, t) for s, row in enumerate(counts.tolist()) for t, n in enumerate(row)]",
            "out = [None] * counts.shape[1]",
            "for _, s, t in sorted(pairs):",
            "    if out[t] is None and s not in out: out[t] = s",
            "return torch.tensor(out)",
        ),
    ),
)  # fmt: skip
COUNTED = (
    "out = []",
    "for said in predictions:",
    "    counts = torch.zeros(num_source, num_classes, dtype=torch.long)",
    "    for s, t in zip(said, labels):",
    "        counts[s, t] += 1",
    "    out.append(assign_greedily(counts))",
    "return torch.stack(out)",
)


def _counted(old: str, new: str) -> Source:
    return _epochs(*[line.replace(old, new) for line in COUNTED])


ITERATIVE = Suite(
    mutants=(
        Mutant("first only", _counted("zip(said,", "zip(predictions[0],"), says="as frequency mapping does"),
        Mutant("piles up", _epochs(COUNTED[2].strip(), *COUNTED[:2], *COUNTED[3:]), says="pile up"),
        Mutant(
            "one late",
            _counted("in predictions:", "in predictions[[0, *range(len(predictions) - 1)]]:"),
            says="the one before",
        ),
        Mutant("not one to one", _counted("assign_greedily(counts)", "counts.argmax(0)"), says="assign_greedily"),
        Mutant(
            "each pair once",
            _epochs(*COUNTED[:3], "    counts[said, labels] += 1", *COUNTED[5:]),
            says="counts a pair once",
        ),
        Mutant("last mapping only", _epochs(*COUNTED[:-1], "return out[-1]"), says="shape"),
        Mutant(
            "calls the library",
            _epochs(
                "from vpcore.heads.label_mapping import count_pairs",
                "out = [count_pairs(said, labels, num_source, num_classes) for said in predictions]",
                "return torch.stack([assign_greedily(counts) for counts in out])",
            ),
            says="you called the library",
        ),
    ),
    alternatives=(
        _epochs(
            "one, two = F.one_hot(predictions, num_source), F.one_hot(labels, num_classes)",
            "return torch.stack([assign_greedily(c) for c in torch.einsum('ens,nk->esk', one, two)])",
        ),
        _epochs(
            "out = []",
            "for said in predictions:",
            "    z = torch.zeros(num_source, num_classes, requires_grad=True)",
            "    z[said, labels].sum().backward()",
            "    out.append(assign_greedily(z.grad.long()))",
            "return torch.stack(out)",
        ),
        _epochs(
            "flat = predictions * num_classes + labels",
            "counts = [torch.bincount(row, minlength=num_source * num_classes) for row in flat]",
            "return torch.stack([assign_greedily(c.view(num_source, num_classes)) for c in counts])",
        ),
    ),
)
SUITES = {"01-mapping": MAPPING, "01-iterative": ITERATIVE}

"""Wrong and right answers to lesson 07's exercises about comparing maps, as learners might write them."""

from __future__ import annotations

from .suite import Mutant, Source, Suite


def _source(name: str, head: str, *lines: str) -> Source:
    body = "\n".join(f"    {line}" for line in lines)
    start = "import copy, torch\nimport numpy as np\nfrom scipy import stats\n"
    return Source(f"{start}\ndef {name}({head}):\n{body}\n", name)


def _rank(*lines: str) -> Source:
    return _source("rank_correlation", "first, second", *lines)


def _ends(*lines: str) -> Source:
    return _source("bootstrap_interval", "x, y, draws", *lines)


def _mix(
    copied: str = "new = copy.deepcopy(parts)",
    draw: str = "draw = torch.Generator().manual_seed(seed)",
    which: str = "list(new)[len(parts) - count:]",
    order: str = "order = torch.randperm(p.numel(), generator=draw)",
    values: str = "p.copy_(p.flatten()[order].view_as(p))",
    end: str = "return new",
) -> Source:
    return _source(
        "shuffle_top", "parts, count, seed", copied, draw, "with torch.no_grad():", f"    for part in {which}:",
        "        for p in part.parameters():", f"            {order}", f"            {values}", end,
    )  # fmt: skip


PEARSON = "return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else 0.0"
RANKS = "a, b = stats.rankdata(first), stats.rankdata(second)"
FOUND = "found = [stats.spearmanr(x[d], y[d]).statistic for d in draws]"
ENDS = "return tuple(np.quantile(found, (0.025, 0.975)))"

SUITES = {
    "07-randomize": Suite(
        mutants=(
            Mutant("no copy", _mix("new = parts"), says="copy it first"),
            Mutant("slice from the end", _mix(which="list(new)[-count:]"), says="[-0:] is the whole list"),
            Mutant("bottom", _mix(which="list(new)[:count]"), says="parts at the bottom"),
            Mutant(
                "global stream",
                _mix(draw="torch.manual_seed(seed)", order="order = torch.randperm(p.numel())"),
                says="global random stream",
            ),
            Mutant(
                "buffers too",
                _source(
                    "shuffle_top", "parts, count, seed", "new = copy.deepcopy(parts)",
                    "draw = torch.Generator().manual_seed(seed)", "for part in list(new)[len(parts) - count:]:",
                    "    for p in part.state_dict().values():",
                    "        p.copy_(p.flatten()[torch.randperm(p.numel(), generator=draw)].view_as(p))", "return new",
                ),
                says="buffers: only parameters are meant",
            ),
            Mutant(
                "columns",
                _mix(order="order = torch.randperm(p.shape[-1], generator=draw)", values="p.copy_(p[..., order])"),
                says="whole columns",
            ),
            Mutant(
                "within rows",
                _mix(order="order = lambda r: r[torch.randperm(len(r), generator=draw)]",
                     values="p.copy_(torch.stack([order(r) for r in p.reshape(len(p), -1)]).view_as(p) "
                            "if p.dim() > 1 else order(p))"),
                says="you shuffle within rows",
            ),
            Mutant("puts it in eval mode", _mix("new = copy.deepcopy(parts.eval())"), says="into another mode"),
            Mutant("new draws", _mix(values="p.copy_(torch.randn(p.shape, generator=draw))"), says="in another order"),
            Mutant(
                "weights only",
                _mix(values="p.dim() > 1 and p.copy_(p.flatten()[order].view_as(p))"),
                says="biases and norm weights",
            ),
            Mutant(
                "rows",
                _mix(order="order = torch.randperm(len(p), generator=draw)", values="p.copy_(p[order])"),
                says="whole rows",
            ),
            Mutant("one seed", _mix(draw="draw = torch.Generator().manual_seed(0)"), says="same for every seed"),
            Mutant(
                "fresh seed", _mix(draw="draw = torch.Generator(); draw.seed()"), says="differently at each call"
            ),
            Mutant(
                "shares the rest",
                _mix(
                    "new = torch.nn.ModuleList(list(parts[:len(parts) - count]) + "
                    "[copy.deepcopy(p) for p in parts[len(parts) - count:]])"
                ),
                says="shares tensors",
            ),
            Mutant("a list", _mix(end="return list(new)"), says="a ModuleList"),
            Mutant(
                "looks it up",
                _source("shuffle_top", "parts, count, seed",
                    "from course.exercises.lesson_07.answers import shuffle_top as f",
                        "return f(parts, count, seed)"),
                says="you called the library",
            ),
        ),
        alternatives=(
            _mix(which="reversed(list(new)[len(parts) - count:])"),
            _mix(values="p.data = p.data.flatten()[order].reshape(p.shape)"),
            _mix(draw="draw = np.random.default_rng(seed)", order="order = draw.permutation(p.numel())"),
            _source(
                "shuffle_top", "parts, count, seed", "with torch.random.fork_rng():", "    torch.manual_seed(seed)",
                "    new = torch.nn.ModuleList(copy.deepcopy(part) for part in parts)",
                "    for part in [*new][len(parts) - count:]:", "        for p in part.parameters():",
                "            p.data = p.data.flatten()[torch.randperm(p.numel())].view_as(p)", "return new",
            ),
        ),
    ),
    "07-rank": Suite(
        mutants=(
            Mutant("values unguarded", _rank("return np.corrcoef(first.ravel(), second.ravel())[0, 1]"),
                   says="nan where all are equal"),
            Mutant(
                "sorted twice",
                _rank("a, b = (x.ravel().argsort().argsort() for x in (first, second))",
                      "return np.corrcoef(a, b)[0, 1]"),
                says="argsort twice",
            ),
            Mutant("values", _rank("a, b = first.ravel(), second.ravel()", PEARSON), says="take the ranks"),
            Mutant(
                "ordinal",
                _rank("a, b = (x.ravel().argsort(kind='stable').argsort() for x in (first, second))", PEARSON),
                says="share their mean rank",
            ),
            Mutant(
                "argsort once", _rank("a, b = first.ravel().argsort(), second.ravel().argsort()", PEARSON),
                says="argsort says where",
            ),
            Mutant(
                "short formula",
                _rank(RANKS, "n = len(a)", "return float(1 - 6 * ((a - b) ** 2).sum() / (n * (n * n - 1)))"),
                says="without ties only",
            ),
            Mutant(
                "nan",
                _rank(RANKS, "a, b = a - a.mean(), b - b.mean()", "with np.errstate(all='ignore'):",
                      "    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))"),
                says="return nan",
            ),
            Mutant(
                "no sign", _rank(RANKS, "r = np.corrcoef(a, b)[0, 1] if a.std() and b.std() else 0.0",
                                 "return float(abs(r))"),
                says="drop the sign",
            ),
            Mutant(
                "looks it up",
                _rank("from course.exercises.lesson_07.answers import rank_correlation as f",
                    "return f(first, second)"),
                says="you called the library",
            ),
        ),
        alternatives=(
            _rank(RANKS, PEARSON),
            _rank("if np.ptp(first) == 0 or np.ptp(second) == 0: return 0.0",
                  "return float(stats.spearmanr(first.ravel(), second.ravel()).statistic)"),
            _rank(
                "def ranks(x):",
                "    x = x.ravel()",
                "    return np.array([(x < v).sum() + ((x == v).sum() + 1) / 2 for v in x])",
                "a, b = ranks(first), ranks(second)",
                PEARSON,
            ),
        ),
    ),
    "07-interval": Suite(
        mutants=(
            Mutant(
                "torn pairs", _ends("found = [stats.spearmanr(x[d], y).statistic for d in draws]", ENDS),
                says="tears the pairs apart",
            ),
            Mutant(
                "ranked once",
                _ends("x, y = stats.rankdata(x), stats.rankdata(y)",
                      "found = [np.corrcoef(x[d], y[d])[0, 1] for d in draws]", ENDS),
                says="rank anew within each draw",
            ),
            Mutant("90 %", _ends(FOUND, "return tuple(np.quantile(found, (0.05, 0.95)))"), says="5 % at each end"),
            Mutant(
                "values", _ends("found = [np.corrcoef(x[d], y[d])[0, 1] for d in draws]", ENDS),
                says="correlate their ranks",
            ),
            Mutant(
                "normal",
                _ends(FOUND, "m, h = np.mean(found), 1.96 * np.std(found)", "return float(m - h), float(m + h)"),
                says="can pass 1",
            ),
            Mutant(
                "percentiles", _ends(FOUND, "return tuple(np.percentile(found, (0.025, 0.975)))"), says="in percent"
            ),
            Mutant("range", _ends(FOUND, "return min(found), max(found)"), says="the whole range"),
            Mutant(
                "looks it up",
                _ends("from course.exercises.lesson_07.answers import bootstrap_interval as f",
                    "return f(x, y, draws)"),
                says="you called the library",
            ),
        ),
        alternatives=(
            _ends(FOUND, ENDS),
            _ends(FOUND, "return np.percentile(found, 2.5), np.percentile(found, 97.5)"),
            _ends(FOUND, "return np.quantile(found, [0.025, 0.975])"),
            _ends(FOUND, "q = torch.tensor([0.025, 0.975]).double()",
                  "return torch.tensor(found).double().quantile(q)"),
            _ends("a, b = stats.rankdata(x[draws], axis=1), stats.rankdata(y[draws], axis=1)",
                  "a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)",
                  "found = (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))", ENDS),
        ),
    ),
}  # fmt: skip

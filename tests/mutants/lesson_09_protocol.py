"""Wrong and right answers to lesson 09's exercises about a fair protocol, as learners might write them."""

from __future__ import annotations

from .suite import Mutant, Source, Suite


def _source(name: str, head: str, *lines: str) -> Source:
    body = "\n".join(f"    {line}" for line in lines)
    return Source(f"import math, torch\n\ndef {name}{head}:\n{body}\n", name)


def _shots(*lines: str) -> Source:
    return _source("few_shot", "(labels, order, shots)", *lines)


def _rates(*lines: str) -> Source:
    return _source("choose_rates", "(trials)", *lines)


def _audit(*lines: str) -> Source:
    return _source("audit", "(runs, baseline)", *lines)


SHOTS = Suite(
    mutants=(
        Mutant(
            "ignores the order",
            _shots("return torch.cat([(labels == label).nonzero()[:shots, 0] for label in labels.unique()])"),
            says="follow `order`",
        ),
        Mutant(
            "positions",
            _shots("r = labels[order]", "return torch.cat([(r == k).nonzero()[:shots, 0] for k in labels.unique()])"),
            says="positions in `order`",
        ),
        Mutant(
            "last ones",
            _shots("return torch.cat([order[labels[order] == k][-shots:] for k in labels.unique()])"),
            says="the last images",
        ),
        Mutant("in all", _shots("return order[:shots]"), says="of each class"),
        Mutant(
            "mask over images",
            _shots("return torch.cat([order[labels == k][:shots] for k in labels.unique()])"),
            says="labels[order] == label",
        ),
        Mutant(
            "sorted in each class",
            _shots("return torch.cat([order[labels[order] == k][:shots].sort().values for k in labels.unique()])"),
            says="keep them in the drawn order",
        ),
        Mutant(
            "sorted in all",
            _shots("return torch.cat([order[labels[order] == k][:shots] for k in labels.unique()]).sort().values"),
            says="the right numbers in another order",
        ),
        Mutant(
            "a list of tensors",
            _shots("return [order[labels[order] == k][:shots] for k in labels.unique()]"),
            says="torch.stack or torch.cat",
        ),
        Mutant(
            "calls the library",
            _shots(
                "from course.exercises.lesson_09.answers import few_shot as library",
                "return library(labels, order, shots)",
            ),
            says="you called the library",
        ),
    ),
    alternatives=(
        _shots(
            "chosen, seen = [], {}",
            "for label in sorted(set(labels.tolist())):",
            "    chosen += [place for place in order.tolist() if labels[place] == label][:shots]",
            "return torch.tensor(chosen)",
        ),
        _shots(
            "one = torch.nn.functional.one_hot(labels[order])",
            "keep = (one.cumsum(0) * one).sum(1) <= shots",
            "return order[keep][labels[order][keep].sort(stable=True).indices]",
        ),
    ),
)
BEST = "return {n: max(t, key=lambda one: one[1])[0] for n, t in trials.items()}"
EQUAL = Suite(
    mutants=(
        Mutant(
            "as many as the first",
            _rates(
                "n = len(next(iter(trials.values())))",
                "return {m: max(t[:n], key=lambda one: one[1])[0] for m, t in trials.items()}",
            ),
            says="the trials of the first method",
        ),
        Mutant(
            "sorted by rate",
            _rates(
                "n = min(map(len, trials.values()))",
                "return {m: max(sorted(t)[:n], key=lambda one: one[1])[0] for m, t in trials.items()}",
            ),
            says="sort the trials by rate",
        ),
        Mutant(
            "smaller of equals",
            _rates(
                "n = min(map(len, trials.values()))",
                "return {m: max(t[:n], key=lambda one: (one[1], -one[0]))[0] for m, t in trials.items()}",
            ),
            says="you take the smaller rate",
        ),
        Mutant(
            "first rate",  # ten times the right one in one case, by chance of the rates
            _rates("return {m: t[0][0] for m, t in trials.items()}"),
            says="is 0.1, and that is too large (with trials = {'probe': [(0.1, 0.2), (0.013, 0.5)",
        ),
        Mutant("all trials", _rates(BEST), says="cut all to the fewest"),
        Mutant(
            "last trials",
            _rates(
                "n = min(map(len, trials.values()))",
                "return {m: max(t[-n:], key=lambda one: one[1])[0] for m, t in trials.items()}",
            ),
            says="keep the first ones",
        ),
        Mutant(
            "later of equals",
            _rates(
                "n, best = min(map(len, trials.values())), {}",
                "for m, t in trials.items():",
                "    top = -1",
                "    for rate, accuracy in t[:n]:",
                "        if accuracy >= top:",
                "            best[m], top = rate, accuracy",
                "return best",
            ),
            says="take the first",
        ),
        Mutant(
            "largest rate",
            _rates("n = min(map(len, trials.values()))", "return {m: max(t[:n])[0] for m, t in trials.items()}"),
            says="largest rate",
        ),
        Mutant(
            "returns accuracies",
            _rates(
                "n = min(map(len, trials.values()))",
                "return {m: max(one[1] for one in t[:n]) for m, t in trials.items()}",
            ),
            says="return the rate that gave it",
        ),
        Mutant(
            "calls the library",
            _rates("from course.exercises.lesson_09.answers import choose_rates as library", "return library(trials)"),
            says="you called the library",
        ),
    ),
    alternatives=(
        _rates(
            "budget = min(len(tried) for tried in trials.values())",
            "return {m: max(t[:budget], key=lambda one: one[1])[0] for m, t in trials.items()}",
        ),
        _rates(
            "from collections import defaultdict",
            "n, out = min(map(len, trials.values())), defaultdict(float)",
            "for m, t in trials.items():",
            "    table = torch.tensor(t[:n], dtype=torch.float64)",
            "    out[m] = table[table[:, 1].argmax(), 0]",
            "return out",
        ),
    ),
)
GATHER = (
    "seeds, guilty = {}, set()",
    "for run in runs:",
    "    seeds.setdefault(run['method'], [])",
    "    if run['kind'] == 'final':",
    "        seeds[run['method']].append(run['seed'])",
)
PEEK = ("    if run['kind'] == 'trial' and run['split'] == 'test':", "        guilty.add(run['method'])")
SEEDS = (
    "for m, found in seeds.items():",
    "    if sorted(found) != sorted(set(seeds[baseline])):",
    "        guilty.add(m)",
)
RETURN = "return {m: m in guilty for m in seeds}"
AUDIT = Suite(
    mutants=(
        Mutant("no look at trials", _audit(*GATHER, *SEEDS, RETURN), says="read the test set"),
        Mutant(
            "any split but valid",
            _audit(*GATHER, "    elif run['split'] != 'valid': guilty.add(run['method'])", *SEEDS, RETURN),
            says="may read training images",
        ),
        Mutant(
            "trials of the baseline",
            _audit(
                "base = {run['seed'] for run in runs if run['method'] == baseline}",
                *GATHER,
                *PEEK,
                SEEDS[0],
                "    if sorted(found) != sorted(base): guilty.add(m)",
                RETURN,
            ),
            says="the baseline's trials as well",
        ),
        Mutant(
            "counts seeds",
            _audit(
                *GATHER,
                *PEEK,
                "guilty |= {m for m, s in seeds.items() if len(s) < len(seeds[baseline])}",
                RETURN,
            ),
            says="makes no pairs",
        ),
        Mutant(
            "sets of seeds",
            _audit(
                *GATHER,
                *PEEK,
                "guilty |= {m for m, s in seeds.items() if set(s) != set(seeds[baseline])}",
                RETURN,
            ),
            says="run twice",
        ),
        Mutant(
            "ordered seeds",
            _audit(
                *GATHER,
                *PEEK,
                "guilty |= {m for m, s in seeds.items() if s != seeds[baseline]}",
                RETURN,
            ),
            says="sort them",
        ),
        Mutant(
            "any test",
            _audit(*GATHER, *PEEK, *SEEDS, "guilty |= {r['method'] for r in runs if r['split'] == 'test'}", RETURN),
            says="only trials are not",
        ),
        Mutant(
            "any validation",
            _audit(
                *GATHER,
                "    if run['kind'] == 'trial' and run['split'] == 'valid': guilty.add(run['method'])",
                *SEEDS,
                RETURN,
            ),
            says="what trials may read",
        ),
        Mutant(
            "a repeated seed of the baseline",
            _audit(
                *GATHER,
                *PEEK,
                "guilty |= {m for m, s in seeds.items() if sorted(s) != sorted(seeds[baseline])}",
                RETURN,
            ),
            says="the baseline ran seed 1 twice",
        ),
        Mutant(
            "seeds of trials",
            _audit(
                "seeds, guilty = {}, set()",
                "for run in runs:",
                "    seeds.setdefault(run['method'], []).append(run['seed'])",
                *PEEK,
                *SEEDS,
                RETURN,
            ),
            says="the seeds of trials as well",
        ),
        Mutant(
            "wrong way round",
            _audit(*GATHER, *PEEK, *SEEDS, "return {m: m not in guilty for m in seeds}"),
            says="True and False the wrong way round (with probe: trials valid valid, final seeds 0 1 2; pad",
        ),
        Mutant(
            "sorts the runs",
            _audit("runs.sort(key=lambda run: run['seed'])", *GATHER, *PEEK, *SEEDS, RETURN),
            says="changed its input",
        ),
        Mutant("a set", _audit(*GATHER, *PEEK, *SEEDS, "return guilty"), says="a dictionary"),
        Mutant(
            "calls the library",
            _audit("from course.exercises.lesson_09.answers import audit as library", "return library(runs, baseline)"),
            says="you called the library",
        ),
    ),
    alternatives=(
        _audit(*GATHER, *PEEK, *SEEDS, RETURN),
        _audit(
            "from collections import Counter, defaultdict",
            "finals, peeks = defaultdict(Counter), defaultdict(bool)",
            "for run in runs:",
            "    peeks[run['method']] |= run['kind'] == 'trial' and run['split'] == 'test'",
            "    finals[run['method']].update([run['seed']] if run['kind'] == 'final' else [])",
            "return {m: peeks[m] or finals[m] != Counter(list(finals[baseline])) for m in peeks}",
        ),
    ),
)

SUITES = {"09-shots": SHOTS, "09-equal": EQUAL, "09-audit": AUDIT}

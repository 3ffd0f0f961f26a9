"""Wrong and right answers to lesson 09's exercises about reading a table, as learners might write them."""

from __future__ import annotations

from .suite import Mutant, Source, Suite


def _source(name: str, head: str, *lines: str) -> Source:
    body = "\n".join(f"    {line}" for line in lines)
    return Source(f"import math, torch\n\ndef {name}{head}:\n{body}\n", name)


def _front(condition: str) -> Source:
    return _source(
        "front", "(parameters, accuracies)",
        "p, a, n = parameters, accuracies, len(parameters)",
        f"return [not any({condition} for j in range(n)) for i in range(n)]",
    )  # fmt: skip


def _wins(*lines: str) -> Source:
    return _source("win_share", "(accuracies, draws)", *lines)


def _holm(limit: str, otherwise: str = "break", order: str = "sorted(range(n), key=lambda i: p_values[i])") -> Source:
    return _source(
        "holm", "(p_values, level)",
        "n, stands = len(p_values), [False] * len(p_values)",
        f"for rank, i in enumerate({order}):",
        f"    if p_values[i] <= {limit}:",
        "        stands[i] = True",
        "    else:",
        f"        {otherwise}",
        "return stands",
    )  # fmt: skip


def _step_up(limit: str) -> Source:
    return _source(
        "holm", "(p_values, level)",
        "n = len(p_values)",
        "order = sorted(range(n), key=lambda i: p_values[i])",
        f"under = [k for k, i in enumerate(order) if p_values[i] <= {limit}]",
        "return [i in order[: max(under, default=-1) + 1] for i in range(n)]",
    )  # fmt: skip


FRONT = Suite(
    mutants=(
        Mutant(
            "equals beat", _front("j != i and p[j] <= p[i] and a[j] >= a[i]"), says="ask for strictly better in one"
        ),
        Mutant("better in both", _front("p[j] < p[i] and a[j] > a[i]"), says="better in both"),
        Mutant("more accurate", _front("p[j] <= p[i] and a[j] > a[i]"), says="more accuracy each time"),
        Mutant("smaller", _front("p[j] < p[i] and a[j] >= a[i]"), says="fewer numbers each time"),
        Mutant(
            "beaten ones",
            _source(
                "front",
                "(parameters, accuracies)",
                "p, a, n = parameters, accuracies, len(parameters)",
                "worse = lambda i, j: p[j] <= p[i] and a[j] >= a[i] and (p[j], a[j]) != (p[i], a[i])",
                "return [any(worse(i, j) for j in range(n)) for i in range(n)]",
            ),
            says="True and False the wrong way round",
        ),
        Mutant(
            "more numbers", _front("p[j] >= p[i] and a[j] >= a[i] and (p[j] > p[i] or a[j] > a[i])"), says="fewer are"
        ),
        Mutant(
            "less accuracy",
            _front("p[j] <= p[i] and a[j] <= a[i] and (p[j] < p[i] or a[j] < a[i])"),
            says="more is better",
        ),
        Mutant(
            "calls the library",
            _source(
                "front",
                "(parameters, accuracies)",
                "from course.exercises.lesson_09.answers import front as library",
                "return library(parameters, accuracies)",
            ),
            says="you called the library",
        ),
    ),
    alternatives=(
        _front("p[j] <= p[i] and a[j] >= a[i] and (p[j], a[j]) != (p[i], a[i])"),
        _source(
            "front",
            "(parameters, accuracies)",
            "p, a = torch.tensor(parameters), torch.tensor(accuracies)",
            "beats = (p[:, None] <= p) & (a[:, None] >= a) & ((p[:, None] != p) | (a[:, None] != a))",
            "return (~beats.any(0)).tolist()",
        ),
    ),
)
MEANS = "means = accuracies[:, draws].mean(-1)"
WINS = Suite(
    mutants=(
        Mutant(
            "single seeds",
            _wins(
                "w = accuracies[:, draws].argmax(0).flatten()",
                "return torch.bincount(w, minlength=len(accuracies)).double() / len(w)",
            ),
            says="wins of single seeds",
        ),
        Mutant(
            "luckiest seed",
            _wins(
                "w = accuracies[:, draws].amax(-1).argmax(0)",
                "return torch.bincount(w, minlength=len(accuracies)).double() / len(w)",
            ),
            says="the best of the redrawn seeds",
        ),
        Mutant(
            "no draws",
            _wins("w = accuracies.argmax(0)", "return torch.bincount(w, minlength=len(accuracies)).double() / len(w)"),
            says="never use `draws`",
        ),
        Mutant(
            "counts",
            _wins(MEANS, "return torch.bincount(means.argmax(0), minlength=len(accuracies)).double()"),
            says="divide by",
        ),
        Mutant(
            "lowest",
            _wins(MEANS, "return torch.bincount(means.argmin(0), minlength=len(accuracies)).double() / len(draws)"),
            says="use argmax",
        ),
        Mutant(
            "calls the library",
            _wins(
                "from course.exercises.lesson_09.answers import win_share as library",
                "return library(accuracies, draws)",
            ),
            says="you called the library",
        ),
    ),
    alternatives=(
        _wins(
            "wins = torch.zeros(len(accuracies), dtype=torch.float64)",
            "for row in draws:",
            "    wins[accuracies[:, row].mean(1).argmax()] += 1",
            "return wins / len(draws)",
        ),
        _wins("m = accuracies[:, draws].mean(2)", "return (m == m.amax(0)).double().mean(1)"),
        _wins(
            "often = torch.nn.functional.one_hot(draws, accuracies.shape[1]).sum(1).double()",
            "best = (often @ accuracies.T).argmax(1)",
            "return torch.stack([(best == k).double().mean() for k in range(len(accuracies))])",
        ),
    ),
)
HOLM = Suite(
    mutants=(
        Mutant("no correction", _holm("level"), says="many chances"),
        Mutant("Bonferroni", _holm("level / n"), says="Bonferroni"),
        Mutant("goes on", _holm("level / (n - rank)", "continue"), says="all later ones fall"),
        Mutant("a step late", _holm("level / max(n - rank - 1, 1)"), says="one step too generous"),
        Mutant("a step early", _holm("level / (n - rank + 1)"), says="one step too strict"),
        Mutant("the other end first", _holm("level / (rank + 1)"), says="they start at level / n"),
        Mutant("strictly below", _holm("level / (n - rank) * (1 - 1e-12)"), says="the rule says ≤"),
        Mutant("Benjamini and Hochberg", _step_up("level * (k + 1) / n"), says="Benjamini"),
        Mutant("Hochberg", _step_up("level / (n - k)"), says="stop at the first above it"),
        Mutant(
            "sorted list",
            _source(
                "holm",
                "(p_values, level)",
                "n, out, good = len(p_values), [], True",
                "for k, p in enumerate(sorted(p_values)):",
                "    good = good and p <= level / (n - k)",
                "    out.append(good)",
                "return out",
            ),
            says="put each claim back",
        ),
        Mutant("unsorted", _holm("level / (n - rank)", order="range(n)"), says="sort by p-value"),
        Mutant(
            "calls the library",
            _source(
                "holm",
                "(p_values, level)",
                "from course.exercises.lesson_09.answers import holm as library",
                "return library(p_values, level)",
            ),
            says="you called the library",
        ),
    ),
    alternatives=(
        _holm("level / (n - rank)"),
        _source(
            "holm",
            "(p_values, level)",
            "p, order = torch.tensor(p_values, dtype=torch.float64).sort()",
            "stands = (p <= level / torch.arange(len(p), 0, -1)).long().cumprod(0).bool()",
            "return stands[order.argsort()].tolist()",
        ),
        _source(
            "holm",
            "(p_values, level)",
            "left, out = set(range(len(p_values))), [False] * len(p_values)",
            "while left and min(p_values[i] for i in left) * len(left) <= level:",
            "    best = min(left, key=lambda i: p_values[i])",
            "    out[best] = True; left.remove(best)",
            "return out",
        ),
    ),
)

SUITES = {"09-front": FRONT, "09-wins": WINS, "09-holm": HOLM}

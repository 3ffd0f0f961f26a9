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


FRONT = Suite(
    mutants=(
        Mutant(
            "equals beat", _front("j != i and p[j] <= p[i] and a[j] >= a[i]"), says="ask for strictly better in one"
        ),
        Mutant("better in both", _front("p[j] < p[i] and a[j] > a[i]"), says="better in both"),
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
    alternatives=(_front("p[j] <= p[i] and a[j] >= a[i] and (p[j], a[j]) != (p[i], a[i])"),),
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
    ),
)
HOLM = Suite(
    mutants=(
        Mutant("no correction", _holm("level"), says="many chances"),
        Mutant("Bonferroni", _holm("level / n"), says="Bonferroni"),
        Mutant("goes on", _holm("level / (n - rank)", "continue"), says="all later ones fall"),
        Mutant("a step late", _holm("level / max(n - rank - 1, 1)"), says="one step too generous"),
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
    alternatives=(_holm("level / (n - rank)"),),
)

SUITES = {"09-front": FRONT, "09-wins": WINS, "09-holm": HOLM}

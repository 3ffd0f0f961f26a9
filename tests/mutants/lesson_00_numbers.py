"""Wrong and right answers to lesson 00's exercises about probes and accuracies, as learners might write them."""

from __future__ import annotations

from .suite import Mutant, Source, Suite


def _source(name: str, *lines: str, head: str = "") -> Source:
    body = "\n".join(f"    {line}" for line in lines)
    start = "import math, torch\nimport numpy as np\nfrom scipy import stats\nfrom torch.nn import functional as F\n"
    return Source(f"{start}\ndef {name}{head}:\n{body}\n", name)


def _probe(*lines: str) -> Source:
    return _source("probe_step", *lines, head="(features, labels, weight, bias, rate)")


def _error(*lines: str) -> Source:
    return _source("standard_error", *lines, head="(correct)")


def _choose(*lines: str) -> Source:
    return _source("choose", *lines, head="(valid, test)")


def _detectable(*lines: str) -> Source:
    return _source("detectable", *lines, head="(disagree, num_test)")


SHARES = "S = torch.softmax(features @ weight.T + bias, dim=1)"
TARGET = "S[torch.arange(len(labels)), labels] -= 1"
STEP = "return weight - rate * S.T @ features / len(S), bias - rate * S.sum(0) / len(S)"
PROBE = Suite(
    mutants=(
        Mutant("uphill", _probe(SHARES, TARGET, STEP.replace("- rate", "+ rate")), says="you walk uphill"),
        Mutant("sum", _probe(SHARES, TARGET, STEP.replace(" / len(S)", "")), says="divide by len(labels)"),
        Mutant("no labels", _probe(SHARES, STEP), says="leave out the labels"),
        Mutant("softmax over images", _probe(SHARES.replace("dim=1", "dim=0"), TARGET, STEP), says="dim=1"),
        Mutant("raw logits", _probe("S = features @ weight.T + bias", TARGET, STEP), says="raw logits"),
        Mutant(
            "bias stays",
            _probe(SHARES, TARGET, "return weight - rate * S.T @ features / len(S), bias"),
            says="bias does not learn",
        ),
        Mutant(
            "in place",
            _probe(
                SHARES,
                TARGET,
                "weight -= rate * S.T @ features / len(S)",
                "bias -= rate * S.mean(0)",
                "return weight, bias",
            ),
            says="changed its input",
        ),
        Mutant("transposed", _probe(SHARES, TARGET, "return (weight - rate * S.T @ features / len(S)).T, bias")),
        Mutant(
            "looks it up",
            _probe(
                "from course.exercises.lesson_00.answers import probe_step as f",
                "return f(features, labels, weight, bias, rate)",
            ),
            says="you called the library",
        ),
    ),
    alternatives=(
        _probe(
            "w, b = weight.clone().requires_grad_(), bias.clone().requires_grad_()",
            "F.cross_entropy(features @ w.T + b, labels).backward()",
            "return (w - rate * w.grad).detach(), (b - rate * b.grad).detach()",
        ),
        _probe(SHARES, "S = (S - F.one_hot(labels, len(bias))) / len(labels)",
               "return weight - rate * torch.einsum('nk,nd->kd', S, features), bias - rate * S.sum(0)"),
    ),
)  # fmt: skip
P = "p = float(correct.double().mean())"
ERROR = Suite(
    mutants=(
        Mutant("shares", _error(P, "return p, math.sqrt(p * (1 - p) / len(correct))"), says="shares of 1"),
        Mutant("variance", _error(P, "return 100 * p, 100 * p * (1 - p) / len(correct)"), says="square root"),
        Mutant("one image", _error(P, "return 100 * p, 100 * math.sqrt(p * (1 - p))"), says="does not shrink"),
        Mutant("interval", _error(P, "return 100 * p, 196 * math.sqrt(p * (1 - p) / len(correct))"), says="1.96"),
        Mutant(
            "sample variance",
            _error("x = 100 * correct.double()", "return float(x.mean()), float(x.std()) / len(x) ** 0.5"),
            says="n − 1",
        ),
        Mutant("mean of a bool", _error("return correct.mean(), 0"), outcome="error", says="raised"),
        Mutant(
            "looks it up",
            _error("from course.exercises.lesson_00.answers import standard_error as f", "return f(correct)"),
            says="you called the library",
        ),
    ),
    alternatives=(
        _error("x = 100 * correct.double()", "return x.mean(), x.std(correction=0) / len(x) ** 0.5"),
        _error("n, k = len(correct), int(correct.sum())", "return [100 * k / n, 100 * math.sqrt(k * (n - k) / n**3)]"),
    ),
)
MEANS = "v, t = valid.mean(dim=1), test.mean(dim=1)"
CHOOSE = Suite(
    mutants=(
        Mutant(
            "by test",
            _choose(MEANS, "i = int(t.argmax())", "return i, float(t[i]), float(t.max())"),
            says="you choose by test",
        ),
        Mutant(
            "reports validation",
            _choose(MEANS, "i = int(v.argmax())", "return i, float(v[i]), float(t.max())"),
            says="you report the validation accuracy",
        ),
        Mutant(
            "best single validation run",
            _choose(MEANS, "i = int(valid.amax(1).argmax())", "return i, float(t[i]), float(t.max())"),
            says="best single run: take the mean",
        ),
        Mutant(
            "best seed",
            _choose(MEANS, "i = int(v.argmax())", "return i, float(test[i].max()), float(t.max())"),
            says="best seed",
        ),
        Mutant(
            "best single test run",
            _choose(MEANS, "i = int(v.argmax())", "return i, float(t[i]), float(test.max())"),
            says="your third number",
        ),
        Mutant("two numbers", _choose(MEANS, "i = int(v.argmax())", "return i, float(t[i])")),
        Mutant(
            "looks it up",
            _choose("from course.exercises.lesson_00.answers import choose as f", "return f(valid, test)"),
            says="you called the library",
        ),
    ),
    alternatives=(
        _choose(MEANS, "i = torch.argmax(v)", "return i, t[i], t.max()"),
        _choose(
            "v = [sum(row) / len(row) for row in valid]",
            "t = [sum(row) / len(row) for row in test]",
            "i = v.index(max(v))",
            "return i, t[i], max(t)",
        ),
    ),
)
Z = "z = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)"
DETECTABLE = Suite(
    mutants=(
        Mutant(
            "half of them",
            _detectable("return 100 * stats.norm.ppf(0.975) * math.sqrt(disagree / num_test)"),
            says="found in half",
        ),
        Mutant(
            "one-sided", _detectable(Z.replace("975", "95"), "return 100 * z * math.sqrt(disagree / num_test)"),
            says="one-sided",
        ),
        Mutant("shares", _detectable(Z, "return z * math.sqrt(disagree / num_test)"), says="share of 1"),
        Mutant("no root", _detectable(Z, "return 100 * z * disagree / num_test"), says="leave out the root"),
        Mutant(
            "calls the library",
            _detectable(
                "from vpcore.statistics import smallest_detectable_difference as f",
                "return 100 * f(0.0, 10, disagree, num_test)",
            ),
            says="you called the library",
        ),
    ),
    alternatives=(_detectable(Z, "return 100 * (z**2 * disagree / num_test) ** 0.5"),),
)  # fmt: skip
SUITES = {"00-probe": PROBE, "00-error": ERROR, "00-choose": CHOOSE, "00-detectable": DETECTABLE}

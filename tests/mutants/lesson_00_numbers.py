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
        Mutant(
            "mean for the bias",
            _probe(
                "S = (torch.softmax(features @ weight.T + bias, dim=1) - F.one_hot(labels, len(bias))) / len(labels)",
                "return weight - rate * S.T @ features, bias - rate * S.mean(0)",
            ),
            says="S holds the 1/n already",
        ),
        Mutant(
            "sum for the bias",
            _probe(
                "S = (torch.softmax(features @ weight.T + bias, dim=1) - F.one_hot(labels, len(bias))) / len(labels)",
                "return weight - rate * S.T @ features, bias - rate * len(S) * S.sum(0)",
            ),
            says="n times too far",
        ),
        Mutant(
            "no bias in the logits",
            _probe(
                "S = (torch.softmax(features @ weight.T, dim=1) - F.one_hot(labels, len(bias))) / len(labels)",
                "return weight - rate * S.T @ features, bias - rate * S.sum(0)",
            ),
            says="leave out the bias",
        ),
        Mutant(
            "gradients",
            _probe(
                "S = (torch.softmax(features @ weight.T + bias, dim=1) - F.one_hot(labels, len(bias))) / len(labels)",
                "return S.T @ features, S.sum(0)",
            ),
            says="you return the gradients",
        ),
        Mutant(
            "no rate",
            _probe(
                "S = (torch.softmax(features @ weight.T + bias, dim=1) - F.one_hot(labels, len(bias))) / len(labels)",
                "return weight - S.T @ features, bias - S.sum(0)",
            ),
            says="leaves out the rate",
        ),
        Mutant(
            "bias first",
            _probe(
                "S = (torch.softmax(features @ weight.T + bias, dim=1) - F.one_hot(labels, len(bias))) / len(labels)",
                "return bias - rate * S.sum(0), weight - rate * S.T @ features",
            ),
            says="right items in another order",
        ),
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
            "w, b = weight.clone(), bias.clone()",
            "for i in range(len(labels)):",
            "    share = torch.softmax(weight @ features[i] + bias, 0)",
            "    for k in range(len(bias)):",
            "        slope = (share[k] - float(labels[i] == k)) / len(labels)",
            "        w[k], b[k] = w[k] - rate * slope * features[i], b[k] - rate * slope",
            "return w, b",
        ),
        _probe(
            "layer = torch.nn.Linear(*weight.T.shape).to(weight)",
            "layer.load_state_dict({'weight': weight, 'bias': bias})",
            "optimizer = torch.optim.SGD(layer.parameters(), lr=rate)",
            "F.cross_entropy(layer(features), labels).backward()",
            "optimizer.step()",
            "return [layer.weight, layer.bias]",
        ),
        _probe(
            "w, b = weight.clone().requires_grad_(), bias.clone().requires_grad_()",
            "F.cross_entropy(features @ w.T + b, labels).backward()",
            "return (w - rate * w.grad).detach(), (b - rate * b.grad).detach()",
        ),
        _probe(
            SHARES,
            "S = (S - F.one_hot(labels, len(bias))) / len(labels)",
            "return weight - rate * torch.einsum('nk,nd->kd', S, features), bias - rate * S.sum(0)",
        ),
    ),
)
P = "p = float(correct.double().mean())"
ERROR = Suite(
    mutants=(
        Mutant(
            "n outside the root",
            _error("p = float(correct.double().mean())", "return 100 * p, 100 * math.sqrt(p * (1 - p)) / len(correct)"),
            says="shrinks with √n",
        ),
        Mutant(
            "the spread of one image",
            _error("right = 100 * correct.double()", "return right.mean(), right.std()"),
            says="the spread of single images",
        ),
        Mutant(
            "p alone",
            _error("p = float(correct.double().mean())", "return 100 * p, 100 * math.sqrt(p / len(correct))"),
            says="variance of one image is p",
        ),
        Mutant(
            "error first",
            _error("p = float(correct.double().mean())", "return 100 * math.sqrt(p * (1 - p) / len(correct)), 100 * p"),
            says="in another order",
        ),
        Mutant(
            "rounds",
            _error(
                "p = float(correct.double().mean())",
                "return 100 * p, round(100 * math.sqrt(p * (1 - p) / len(correct)), 1)",
            ),
            says="which is rounded",
        ),
        Mutant(
            "percent in the formula",
            _error("p = 100 * correct.double().mean()", "return p, (p * (1 - p) / len(correct)).sqrt()"),
            says="the root of a negative number",
        ),
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
        _error("p, n = np.mean(correct.numpy()), len(correct)", "return 100 * p, 100 * stats.binom(n, p).std() / n"),
        _error("x = 100 * correct.double()", "return x.mean(), x.std(correction=0) / len(x) ** 0.5"),
        _error("n, k = len(correct), int(correct.sum())", "return [100 * k / n, 100 * math.sqrt(k * (n - k) / n**3)]"),
    ),
)
MEANS = "v, t = valid.mean(dim=1), test.mean(dim=1)"
CHOOSE = Suite(
    mutants=(
        Mutant(
            "median",
            _choose(
                "v, t = valid.mean(dim=1), test.mean(dim=1)",
                "i = int(valid.median(1).values.argmax())",
                "return i, float(t[i]), float(t.max())",
            ),
            says="by the median",
        ),
        Mutant(
            "over settings",
            _choose("t = test.mean(0)", "i = int(valid.mean(0).argmax())", "return i, float(t[i]), float(t.max())"),
            says="you average over the settings",
        ),
        Mutant(
            "counts from 1",
            _choose(
                "v, t = valid.mean(dim=1), test.mean(dim=1)",
                "i = int(v.argmax())",
                "return i + 1, float(t[i]), float(t.max())",
            ),
            says="counted from 1",
        ),
        Mutant(
            "tempting first",
            _choose(
                "v, t = valid.mean(dim=1), test.mean(dim=1)",
                "i = int(v.argmax())",
                "return i, float(t.max()), float(t[i])",
            ),
            says="what is at [1] should be at [2]",
        ),
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
        _choose(
            "v, t = valid.numpy().mean(1), test.numpy().mean(1)", "return np.argmax(v), t[np.argmax(v)], np.max(t)"
        ),
        _choose(
            "v, t = valid.mean(dim=1), test.mean(dim=1)",
            "i = torch.topk(v, 1).indices.item()",
            "return [i, test[i].mean(), max(row.mean() for row in test)]",
        ),
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
            "rounded quantiles",
            _detectable("return 100 * (1.96 + 0.84) * math.sqrt(disagree / num_test)"),
            says="rounded",
        ),
        Mutant(
            "half of them",
            _detectable("return 100 * stats.norm.ppf(0.975) * math.sqrt(disagree / num_test)"),
            says="found in half",
        ),
        Mutant(
            "one-sided",
            _detectable(Z.replace("975", "95"), "return 100 * z * math.sqrt(disagree / num_test)"),
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
    alternatives=(
        _detectable("return (stats.norm.isf(0.025) + stats.norm.isf(0.2)) * np.sqrt(disagree / num_test) * 100"),
        _detectable(
            "low, high, error = 0.0, 100.0, 100 * math.sqrt(disagree / num_test)",
            "for _ in range(100):",
            "    middle = (low + high) / 2",
            "    found = stats.norm.sf(stats.norm.ppf(0.975) - middle / error) >= 0.8",
            "    low, high = (low, middle) if found else (middle, high)",
            "return high",
        ),
        _detectable(Z, "return 100 * (z**2 * disagree / num_test) ** 0.5"),
    ),
)
SUITES = {"00-probe": PROBE, "00-error": ERROR, "00-choose": CHOOSE, "00-detectable": DETECTABLE}

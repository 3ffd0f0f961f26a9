"""Wrong and right answers to lesson 07's exercises about points, as learners might write them."""

from __future__ import annotations

from .suite import Mutant, Source, Suite


def _source(name: str, head: str, *lines: str) -> Source:
    body = "\n".join(f"    {line}" for line in lines)
    return Source(f"import torch\nfrom scipy import stats\n\ndef {name}({head}):\n{body}\n", name)


def _near(*lines: str) -> Source:
    return _source("agreement", "features, labels, k", *lines)


def _far(*lines: str) -> Source:
    return _source("mean_distance", "weights, places", *lines)


D = "d = torch.cdist(features, features)"
OFF = "d.fill_diagonal_(float('inf'))"
END = "return (labels[near] == labels[:, None]).float().mean().item()"
CUT = "a = weights[:, 1:, 1:]"
SCALED = "a = a / a.sum(-1, keepdim=True)"
PLACES = "d = torch.cdist(places, places)"

SUITES = {
    "07-neighbors": Suite(
        mutants=(
            Mutant("itself", _near(D, "near = d.topk(k, largest=False).indices", END), says="the point itself"),
            Mutant(
                "furthest", _near(D, "d.fill_diagonal_(-1.0)", "near = d.topk(k).indices", END), says="furthest away"
            ),
            Mutant(
                "vote",
                _near(D, OFF, "near = d.topk(k, largest=False).indices", "said = labels[near].mode(1).values",
                      "return (said == labels).float().mean().item()"),
                says="neighbors vote",
            ),
            Mutant(
                "inner product",
                _near("d = -features @ features.T", OFF, "near = d.topk(k, largest=False).indices", END),
                says="inner product",
            ),
            Mutant(
                "count",
                _near(D, OFF, "near = d.topk(k, largest=False).indices",
                      "return (labels[near] == labels[:, None]).float().sum(1).mean().item()"),
                says="divided by k too",
            ),
            Mutant("one too many", _near(D, OFF, "near = d.topk(k + 1, largest=False).indices", END)),
            Mutant("with itself", _near(D, "near = d.topk(k + 1, largest=False).indices", END), says="k + 1 points"),
            Mutant("k − 1", _near(D, "near = d.topk(k, largest=False).indices[:, 1:]", END), says="k − 1 are left"),
            Mutant(
                "angles",
                _near("f = torch.nn.functional.normalize(features, dim=1)", "d = -f @ f.T", OFF,
                      "near = d.topk(k, largest=False).indices", END),
                says="you compare angles",
            ),
            Mutant(
                "looks it up",
                _near("from course.exercises.lesson_07.answers import agreement as f", "return f(features, labels, k)"),
                says="you called the library",
            ),
        ),
        alternatives=(
            _near(D, "near = d.argsort(1)[:, 1 : k + 1]", END),
            _near(
                "import numpy as np",
                "from scipy.spatial.distance import cdist",
                "d = cdist(features, features); np.fill_diagonal(d, np.inf)",
                "near, y = np.argpartition(d, k - 1, axis=1)[:, :k], labels.numpy()",
                "return np.mean(y[near] == y[:, None])",
            ),
            _near(
                D, OFF,
                "one = torch.nn.functional.one_hot(labels).double()",
                "mask = torch.zeros_like(d).scatter_(1, d.topk(k, largest=False).indices, 1.0)",
                "return ((mask * (one @ one.T)).sum(1) / k).mean()",
            ),
            _near(
                "total = 0.0",
                "for i in range(len(features)):",
                "    d = (features - features[i]).square().sum(1)",
                "    d[i] = float('inf')",
                "    near = d.argsort()[:k]",
                "    total += float((labels[near] == labels[i]).double().mean())",
                "return total / len(features)",
            ),
        ),
    ),
    "07-distance": Suite(
        mutants=(
            Mutant("rows not scaled", _far(CUT, PLACES, "return (a * d).sum(-1).mean(-1)"), says="no longer sum to 1"),
            Mutant(
                "columns scaled",
                _far(CUT, "a = a / a.sum(-2, keepdim=True)", PLACES, "return (a * d).sum(-1).mean(-1)"),
                says="rows are queries",
            ),
            Mutant(
                "squared", _far(CUT, SCALED, PLACES, "return (a * d * d).sum(-1).mean(-1)"), says="squared distances"
            ),
            Mutant(
                "city blocks",
                _far(CUT, SCALED, "d = torch.cdist(places, places, p=1.0)", "return (a * d).sum(-1).mean(-1)"),
                says="straight line",
            ),
            Mutant("softmax again", _far(CUT, PLACES, "return (a.softmax(-1) * d).sum(-1).mean(-1)"),
                   says="softmax once more"),
            Mutant("one sum", _far(CUT, PLACES, "return (a * d).sum((1, 2)) / a.sum((1, 2))"), says="the whole table"),
            Mutant("mean of all", _far(CUT, SCALED, PLACES, "return (a * d).mean((-1, -2))"), says="weighted sum"),
            Mutant(
                "last token",
                _far("a = weights[:, :-1, :-1]", SCALED, PLACES, "return (a * d).sum(-1).mean(-1)"),
                says="class token stands first",
            ),
            Mutant(
                "looks it up",
                _far("from vpcore.inside.attention import mean_attention_distance as f",
                     "return f(weights[None, :, 1:, 1:], 8)"),
                says="you called the library",
            ),
        ),
        alternatives=(
            _far(CUT, PLACES, "return ((a * d).sum(-1) / a.sum(-1)).mean(-1)"),
            _far(CUT, SCALED, "d = (places[:, None] - places[None]).norm(dim=-1)",
                 "return torch.einsum('hqk,qk->h', a, d) / len(places)"),
            _far(
                "import math",
                "out = torch.zeros(len(weights), dtype=weights.dtype)",
                "for h, table in enumerate(weights):",
                "    for q, row in enumerate(table[1:, 1:]):",
                "        far = torch.tensor([math.dist(places[q], p) for p in places], dtype=row.dtype)",
                "        out[h] += row @ far / row.sum() / len(places)",
                "return out",
            ),
            _far("a = weights[:, 1:, 1:].log().softmax(-1)", PLACES, "return (a * d).sum((-1, -2)) / len(places)"),
        ),
    ),
}  # fmt: skip

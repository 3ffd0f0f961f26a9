"""Wrong and right answers to lesson 08's exercises that repair a fault, as learners might write them."""

from __future__ import annotations

from .suite import Mutant, Source, Suite


def _source(name: str, head: str, *lines: str) -> Source:
    body = "\n".join(f"    {line}" for line in lines)
    return Source(f"import torch\nfrom torch.nn import functional as F\n\ndef {name}({head}):\n{body}\n", name)


def _worn(*lines: str) -> Source:
    return _source("load_batch", "stored, first, last, mean, std", *lines)


def _accuracy(*lines: str) -> Source:
    return _source("accuracy", "logits, labels", *lines)


def _choose(*lines: str) -> Source:
    return _source("reported", "valid, test", *lines)


def _count(*lines: str) -> Source:
    return _source("count_pairs", "predictions, labels, num_source, num_classes", *lines)


SHARES = "shares = [(s.argmax(1) == t).float() for s, t in zip(logits, labels)]"
ZEROS = "counts = torch.zeros(num_source, num_classes, dtype=torch.long)"

SUITES = {
    "08-worn": Suite(
        mutants=(
            Mutant("mends the store", _worn("b = stored[first:last]", "b -= mean", "out = b / std", "b += mean",
                                            "return out"), says="changed its input `stored`"),
            Mutant("no division", _worn("return stored[first:last] - mean"), says="not divided by std"),
            Mutant("multiplies", _worn("return (stored[first:last] - mean) * std"), says="multiplied by std"),
            Mutant("divides first", _worn("return stored[first:last] / std - mean"), says="before the mean"),
            Mutant(
                "own statistics",
                _worn("b = stored[first:last]", "m = b.mean((0, 2, 3), keepdim=True)",
                      "return (b - m) / b.std((0, 2, 3), keepdim=True)"),
                says="the batch's own statistics",
            ),
            Mutant("for safety", _worn("return (stored[first:last] - mean) / (std + 1e-5)"), says="such as eps"),
            Mutant("too many", _worn("return (stored[first:] - mean) / std"), says="goes on after image last − 1"),
            Mutant(
                "looks it up",
                _worn("from course.exercises.lesson_08.answers import load_batch as right",
                      "return right(stored, first, last, mean, std)"),
                says="you called the library",
            ),
        ),
        alternatives=(
            _worn("batch = stored[first:last].clone()", "batch -= mean", "batch /= std", "return batch"),
            _worn("return torch.stack([(image - mean) / std for image in stored[first:last]])"),
            _worn("return stored[first:last].sub(mean).div_(std)"),
        ),
    ),
    "08-accuracy": Suite(
        mutants=(
            Mutant(
                "forgets what is right in the last",
                _accuracy(SHARES, "return sum(s.sum().item() for s in shares[:-1]) / sum(map(len, shares))"),
                says="the right answers of the last batch",
            ),
            Mutant("as found", _accuracy(SHARES, "return sum(s.mean().item() for s in shares) / len(shares)"),
                   says="average the averages"),
            Mutant(
                "drops the short one",
                _accuracy(SHARES, "if len(shares[-1]) < len(shares[0]): shares = shares[:-1]",
                          "return torch.cat(shares).mean().item()"),
                says="leave out the last batch",
            ),
            Mutant(
                "assumes full batches",
                _accuracy(SHARES, "return sum(s.sum().item() for s in shares) / (len(shares) * len(shares[0]))"),
                says="as large as the first",
            ),
            Mutant(
                "returns in the loop",
                _accuracy("right = total = 0", "for s, t in zip(logits, labels):",
                          "    right += (s.argmax(1) == t).sum(); total += len(t)", "    return right / total"),
                says="the first batch alone",
            ),
            Mutant("drops the last", _accuracy(SHARES, "return torch.cat(shares[:-1]).mean()"),
                   says="you leave out the last batch (with"),
            Mutant(
                "two guesses",  # twice the right share in one case, by chance
                _accuracy("x, y = torch.cat(logits), torch.cat(labels)",
                          "return (x.topk(2).indices == y[:, None]).any(1).float().mean()"),
                says="too large",
            ),
            Mutant("percent", _accuracy(SHARES, "return 100 * torch.cat(shares).mean().item()"), says="in percent"),
            Mutant("counts only", _accuracy(SHARES, "return torch.cat(shares).sum().item()"), says="too large"),
            Mutant(
                "looks it up",
                _accuracy("from course.exercises.lesson_08.specimens import joined", "return joined(logits, labels)"),
                says="you called the library",
            ),
        ),
        alternatives=(
            _accuracy("return (torch.cat(list(logits)).argmax(1) == torch.cat(list(labels))).float().mean()"),
            _accuracy("import numpy as np", "said = np.concatenate([s.argmax(1).numpy() for s in logits])",
                      "return float(np.mean(said == np.concatenate([t.numpy() for t in labels])))"),
            _accuracy("shares = torch.stack([(s.argmax(1) == t).float().mean() for s, t in zip(logits, labels)])",
                      "sizes = torch.tensor([float(len(t)) for t in labels])",
                      "return (shares * sizes).sum() / sizes.sum()"),
            _accuracy("right = total = 0", "for s, t in zip(logits, labels):",
                      "    right += int((s.argmax(1) == t).sum())", "    total += t.numel()", "return right / total"),
        ),
    ),
    "08-choose": Suite(
        mutants=(
            Mutant("as found", _choose("return max(test)"), says="choose on the test set"),
            Mutant("last epoch", _choose("return test[-1]"), says="take the last epoch"),
            Mutant("reports valid", _choose("return max(valid)"), says="report a validation accuracy"),
            Mutant("last of equals", _choose("return test[len(valid) - 1 - valid[::-1].index(max(valid))]"),
                   says="the earliest is asked for"),
            Mutant("largest pair", _choose("return max(zip(valid, test))[1]"), says="test must not choose"),
            Mutant("an epoch", _choose("return valid.index(max(valid))"), says="your result is"),
            Mutant(
                "looks it up",
                _choose("from course.exercises.lesson_08 import answers", "return answers.reported(valid, test)"),
                says="you called the library",
            ),
        ),
        alternatives=(
            _choose("return test[valid.index(max(valid))]"),
            _choose("return test[torch.tensor(valid).argmax()]"),
            _choose("return max(zip(valid, range(0, -len(valid), -1), test))[2]"),
        ),
    ),
    "08-count": Suite(
        mutants=(
            Mutant(
                "as found",
                _count("counts = torch.zeros(num_source, len(labels.unique()), dtype=torch.long)",
                       "for k in range(len(labels.unique())):",
                       "    counts[:, k] = torch.bincount(predictions[labels == k], minlength=num_source)",
                       "return counts"),
                says="as many classes as are present",
            ),
            Mutant(
                "no column for the absent",
                _count("counts = torch.zeros(num_source, len(labels.unique()), dtype=torch.long)",
                       "for column, label in enumerate(labels.unique()):",
                       "    counts[:, column] = torch.bincount(predictions[labels == label], minlength=num_source)",
                       "return counts"),
                says="an absent class needs one too",
            ),
            Mutant(
                "moved columns",
                _count(ZEROS, "for column, label in enumerate(labels.unique()):",
                       "    counts[:, column] = torch.bincount(predictions[labels == label], minlength=num_source)",
                       "return counts"),
                says="columns move to the left",
            ),
            Mutant(
                "as far as they go",
                _count("counts = torch.zeros(int(predictions.max()) + 1, int(labels.max()) + 1, dtype=torch.long)",
                       "for s, t in zip(predictions, labels): counts[s, t] += 1", "return counts"),
                says="ends at the largest classes that occur",
            ),
            Mutant("counts once", _count(ZEROS, "counts[predictions, labels] += 1", "return counts"), says="how often"),
            Mutant(
                "turned",
                _count("counts = torch.zeros(num_classes, num_source, dtype=torch.long)",
                       "for s, t in zip(predictions, labels): counts[t, s] += 1", "return counts"),
                says="rows are source classes",
            ),
            Mutant(
                "starts at one",
                _count("counts = torch.ones(num_source, num_classes, dtype=torch.long)",
                       "for s, t in zip(predictions, labels): counts[s, t] += 1", "return counts"),
                says="off by 1 everywhere",
            ),
            Mutant("floats", _count("counts = torch.zeros(num_source, num_classes)",
                                    "for s, t in zip(predictions, labels): counts[s, t] += 1", "return counts"),
                   says="dtype"),
            Mutant(
                "looks it up",
                _count("import vpcore.heads.label_mapping as m",
                       "return m.count_pairs(predictions, labels, num_source, num_classes)"),
                says="you called the library",
            ),
        ),
        alternatives=(
            _count(ZEROS, "for s, t in zip(predictions, labels): counts[s, t] += 1", "return counts"),
            _count("return F.one_hot(predictions, num_source).T @ F.one_hot(labels, num_classes)"),
            _count("z = torch.zeros(num_source, num_classes, requires_grad=True)",
                   "z[predictions, labels].sum().backward()", "return z.grad.long()"),
            _count(ZEROS, "return counts.index_put((predictions, labels), torch.tensor(1), accumulate=True)"),
            _count(ZEROS, "for k in range(num_classes):",
                   "    counts[:, k] = torch.bincount(predictions[labels == k], minlength=num_source)",
                   "return counts"),
        ),
    ),
}  # fmt: skip

"""Wrong and right answers to lesson 04's search for the prompter that never learned."""

from __future__ import annotations

from .suite import Mutant, Source, Suite


def _source(*lines: str) -> Source:
    body = "\n".join(f"    {line}" for line in lines)
    return Source(f"import torch\n\ndef never_learned(model, optimizer):\n{body}\n", "never_learned")


HELD = "held = {id(p) for group in optimizer.param_groups for p in group['params']}"
TRAINABLE = "names = {n: p for n, p in model.named_parameters() if p.requires_grad}"
MISSING = "missing = [n for n, p in names.items() if id(p) not in held]"
SILENT = "silent = [n for n, p in names.items() if id(p) in held and p.grad is None]"
OPTIMIZER = Suite(
    mutants=(
        Mutant(
            "silent, held or not",
            _source(
                "held = {id(p) for group in optimizer.param_groups for p in group['params']}",
                "names = {n: p for n, p in model.named_parameters() if p.requires_grad}",
                "missing = [n for n, p in names.items() if id(p) not in held]",
                "return missing, [n for n, p in names.items() if p.grad is None]",
            ),
            says="it is in no group at all",
        ),
        Mutant(
            "takes a step",
            _source(
                "held = {id(p) for group in optimizer.param_groups for p in group['params']}",
                "names = {n: p for n, p in model.named_parameters() if p.requires_grad}",
                "missing = [n for n, p in names.items() if id(p) not in held]",
                "optimizer.zero_grad()",
                "return missing, [n for n, p in names.items() if id(p) in held and p.grad is None]",
            ),
            says="without step() or zero_grad()",
        ),
        Mutant(
            "sets",
            _source(
                "held = {id(p) for group in optimizer.param_groups for p in group['params']}",
                "names = {n: p for n, p in model.named_parameters() if p.requires_grad}",
                "missing = [n for n, p in names.items() if id(p) not in held]",
                "return set(missing), {n for n, p in names.items() if id(p) in held and p.grad is None}",
            ),
            says="your result is a set and a set",
        ),
        Mutant(
            "looks at gradients only",
            _source(TRAINABLE, "return [], [n for n, p in names.items() if p.grad is None]"),
            says="you miss `specific.first.weight`",
        ),
        Mutant(
            "compares values",
            _source(
                "held = [p for group in optimizer.param_groups for p in group['params']]",
                TRAINABLE,
                "same = lambda a, b: a.shape == b.shape and bool((a == b).all())",
                "missing = [n for n, p in names.items() if not any(same(p, q) for q in held)]",
                "return missing, [n for n, p in names.items() if n not in missing and p.grad is None]",
            ),
            says="you miss `scale`",
        ),
        Mutant(
            "first group only",
            _source(
                "held = {id(p) for p in optimizer.param_groups[0]['params']}",
                TRAINABLE,
                MISSING,
                SILENT,
                "return missing, silent",
            ),
            says="in group 1",
        ),
        Mutant(
            "frozen too",
            _source(HELD, "names = dict(model.named_parameters())", MISSING, SILENT, "return missing, silent"),
            says="frozen on purpose",
        ),
        Mutant(
            "zero gradient",
            _source(
                HELD,
                TRAINABLE,
                MISSING,
                "silent = [n for n, p in names.items() if id(p) in held and (p.grad is None or not p.grad.any())]",
                "return missing, silent",
            ),
            says="even if all of it is zero",
        ),
        Mutant(
            "silent in both",
            _source(
                HELD,
                TRAINABLE,
                "missing = [n for n, p in names.items() if id(p) not in held or p.grad is None]",
                SILENT,
                "return missing, silent",
            ),
            says="it has no gradient",
        ),
        Mutant("ignores silent ones", _source(HELD, TRAINABLE, MISSING, "return missing, []"), says=".grad is None"),
        Mutant(
            "one list", _source(HELD, TRAINABLE, MISSING, SILENT, "return missing + silent"), says="two lists of names"
        ),
        Mutant(
            "tensors for names",
            _source(HELD, TRAINABLE, "return [id(p) for p in names.values() if id(p) not in held], []"),
            says="is no name",
        ),
        Mutant(
            "looks it up",
            _source("from course.exercises.lesson_04.answers import never_learned as f", "return f(model, optimizer)"),
            says="you called the library",
        ),
    ),
    alternatives=(
        _source(
            "names, silent = {p: n for n, p in model.named_parameters() if p.requires_grad}, []",
            "for group in optimizer.param_groups:",
            "    gone = {p: names.pop(p) for p in group['params'] if p in names}",
            "    silent += [n for p, n in gone.items() if p.grad is None]",
            "return list(names.values()), silent",
        ),
        _source(
            "missing, silent = [], []",
            "for name, p in model.named_parameters():",
            "    if not p.requires_grad: continue",
            "    inside = any(p is q for g in optimizer.param_groups for q in g['params'])",
            "    if not inside: missing.append(name)",
            "    elif p.grad is None: silent.append(name)",
            "return missing, silent",
        ),
        _source(
            "held = set(q for g in optimizer.param_groups for q in g['params'])",
            TRAINABLE,
            "return [n for n in names if names[n] not in held], "
            "[n for n in names if names[n] in held and names[n].grad is None]",
        ),
    ),
)
SUITES = {"04-optimizer": OPTIMIZER}

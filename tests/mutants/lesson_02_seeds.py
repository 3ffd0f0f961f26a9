"""Wrong and right answers to lesson 02's exercises about seeds, as learners might write them."""

from __future__ import annotations

from .suite import Mutant, Source, Suite


def _source(name: str, *lines: str, head: str = "") -> Source:
    body = "\n".join(f"    {line}" for line in lines)
    start = "import math, torch\nimport numpy as np\nfrom scipy import stats\nfrom torch.nn import functional as F\n"
    return Source(f"{start}\ndef {name}{head}:\n{body}\n", name)


def _interval(*lines: str) -> Source:
    return _source("paired_interval", *lines, head="(baseline, msvp)")


def _settle(*lines: str) -> Source:
    return _source("seeds_needed", *lines, head="(spread, effect)")


def _images(*lines: str) -> Source:
    return _source("images_needed", *lines, head="(disagree, effect)")


D = "d = 100 * (msvp - baseline)"
INTERVAL = Suite(
    mutants=(
        Mutant(
            "two samples",
            _interval(
                "found = stats.ttest_ind(msvp, baseline).confidence_interval(0.95)",
                "return 100 * found.low, 100 * found.high",
            ),
            says="as ttest_ind does",
        ),
        Mutant(
            "n degrees",
            _interval(
                "d = 100 * (msvp - baseline)",
                "h = stats.t.ppf(0.975, len(d)) * stats.sem(d)",
                "return d.mean() - h, d.mean() + h",
            ),
            says="n degrees of freedom",
        ),
        Mutant(
            "half-width",
            _interval("d = 100 * (msvp - baseline)", "return d.mean(), stats.t.ppf(0.975, len(d) - 1) * stats.sem(d)"),
            says="the mean and the half-width",
        ),
        Mutant(
            "high before low",
            _interval(
                "d = 100 * (msvp - baseline)",
                "h = stats.t.ppf(0.975, len(d) - 1) * stats.sem(d)",
                "return d.mean() + h, d.mean() - h",
            ),
            says="in another order",
        ),
        Mutant(
            "rounds",
            _interval(
                "d = 100 * (msvp - baseline)",
                "h = stats.t.ppf(0.975, len(d) - 1) * stats.sem(d)",
                "return round(d.mean() - h, 2), round(d.mean() + h, 2)",
            ),
            says="which is rounded",
        ),
        Mutant(
            "in place",
            _interval(
                "msvp -= baseline",
                "h = stats.t.ppf(0.975, len(msvp) - 1) * stats.sem(100 * msvp)",
                "return 100 * msvp.mean() - h, 100 * msvp.mean() + h",
            ),
            says="work on a copy, x.copy()",
        ),
        Mutant(
            "sign",
            _interval(
                "d = 100 * (baseline - msvp)",
                "h = stats.t.ppf(0.975, len(d) - 1) * d.std(ddof=1) / len(d) ** 0.5",
                "return d.mean() - h, d.mean() + h",
            ),
            says="baseline − MSVP",
        ),
        Mutant(
            "unpaired",
            _interval(
                "n = len(msvp)",
                "e = 100 * ((msvp.var(ddof=1) + baseline.var(ddof=1)) / n) ** 0.5",
                "h, m = stats.t.ppf(0.975, n - 1) * e, 100 * (msvp.mean() - baseline.mean())",
                "return m - h, m + h",
            ),
            says="unrelated",
        ),
        Mutant(
            "population sd",
            _interval(
                D,
                "h = stats.t.ppf(0.975, len(d) - 1) * d.std() / len(d) ** 0.5",
                "return d.mean() - h, d.mean() + h",
            ),
            says="ddof=1",
        ),
        Mutant(
            "normal quantile",
            _interval(
                D, "h = stats.norm.ppf(0.975) * d.std(ddof=1) / len(d) ** 0.5", "return d.mean() - h, d.mean() + h"
            ),
            says="1.96",
        ),
        Mutant(
            "one-sided",
            _interval(
                D,
                "h = stats.t.ppf(0.95, len(d) - 1) * d.std(ddof=1) / len(d) ** 0.5",
                "return d.mean() - h, d.mean() + h",
            ),
            says="0.975",
        ),
        Mutant(
            "no root",
            _interval(D, "h = stats.t.ppf(0.975, len(d) - 1) * d.std(ddof=1)", "return d.mean() - h, d.mean() + h"),
            says="next seed",
        ),
        Mutant(
            "shares",
            _interval(
                "d = msvp - baseline",
                "h = stats.t.ppf(0.975, len(d) - 1) * d.std(ddof=1) / len(d) ** 0.5",
                "return d.mean() - h, d.mean() + h",
            ),
            says="multiply by 100",
        ),
        Mutant(
            "looks it up",
            _interval("import vpcore.statistics as s", "return s.paired_interval(list(baseline), list(msvp))"),
            says="you called the library",
        ),
    ),
    alternatives=(
        _interval(
            "d = 100 * (torch.from_numpy(msvp) - torch.from_numpy(baseline))",
            "h = stats.t.isf(0.025, len(d) - 1) * d.std() / len(d) ** 0.5",
            "return d.mean() - h, d.mean() + h",
        ),
        _interval(D, "return tuple(stats.t.interval(0.95, len(d) - 1, loc=d.mean(), scale=stats.sem(d)))"),
        _interval(
            "i = stats.ttest_rel(msvp, baseline).confidence_interval(0.95)", "return [100 * i.low, 100 * i.high]"
        ),
        _interval(
            "d = [100 * (b - a) for a, b in zip(baseline, msvp)]",
            "n = len(d)",
            "m = sum(d) / n",
            "s = (sum((x - m) ** 2 for x in d) / (n - 1)) ** 0.5",
            "h = stats.t.ppf(0.975, n - 1) * s / n ** 0.5",
            "return m - h, m + h",
        ),
    ),
)
SETTLE = Suite(
    mutants=(
        Mutant(
            "gives up",
            _settle(
                "for n in range(2, 100):",
                "    if stats.t.ppf(0.975, n - 1) * spread / n ** 0.5 < effect: return n",
            ),
            says="None",
        ),
        Mutant(
            "n degrees",
            _settle("n = 2", "while stats.t.ppf(0.975, n) * spread / n ** 0.5 >= effect: n += 1", "return n"),
            says="n degrees of freedom",
        ),
        Mutant(
            "begins with 3",
            _settle("n = 3", "while stats.t.ppf(0.975, n - 1) * spread / n ** 0.5 >= effect: n += 1", "return n"),
            says="you begin with 3",
        ),
        Mutant(
            "normal quantile",
            _settle("n = 2", "while 1.96 * spread / n ** 0.5 >= effect: n += 1", "return n"),
            says="1.96",
        ),
        Mutant(
            "divides by n",
            _settle("n = 2", "while stats.t.ppf(0.975, n - 1) * spread / n >= effect: n += 1", "return n"),
            says="sd / √n",
        ),
        Mutant(
            "one short",
            _settle("n = 2", "while stats.t.ppf(0.975, n - 1) * spread / n ** 0.5 >= effect: n += 1", "return n - 1"),
            says="one seed short",
        ),
        Mutant(
            "whole interval",
            _settle("n = 2", "while 2 * stats.t.ppf(0.975, n - 1) * spread / n ** 0.5 >= effect: n += 1", "return n"),
            says="half of it",
        ),
        Mutant("closed form", _settle("return math.ceil((2 * spread / effect) ** 2)"), says="too"),
        Mutant(
            "looks it up",
            _settle("from course.exercises.lesson_02.answers import seeds_needed as f", "return f(spread, effect)"),
            says="you called the library",
        ),
    ),
    alternatives=(
        _settle(
            "n = np.arange(2, 10_000)", "return n[np.argmax(stats.t.ppf(0.975, n - 1) * spread / np.sqrt(n) < effect)]"
        ),
        _settle(
            "go = lambda n: n if stats.t.isf(0.025, n - 1) * spread < effect * math.sqrt(n) else go(n + 1)",
            "return go(2)",
        ),
        _settle(
            "return next(n for n in range(2, 10**6) if stats.t.ppf(0.975, n - 1) * spread / math.sqrt(n) < effect)"
        ),
    ),
)
IMAGES = Suite(
    mutants=(
        Mutant(
            "1.96 not squared",
            _images("return math.ceil(1.96 * (disagree - effect**2) / effect**2)"),
            says="1.96 is not squared",
        ),
        Mutant(
            "variance of disagreeing",
            _images("return math.ceil(1.96**2 * disagree * (1 - disagree) / effect**2)"),
            says="variance of disagreeing",
        ),
        Mutant("as in lesson 00", _images("return math.ceil(1.96**2 * disagree / effect**2)"), says="lesson 00's"),
        Mutant(
            "two samples",
            _images("return math.ceil(2 * 1.96**2 * (disagree - effect**2) / effect**2)"),
            says="same images",
        ),
        Mutant(
            "one error", _images("return math.ceil((disagree - effect**2) / effect**2)"), says="leaves out the 1.96"
        ),
        Mutant(
            "rounds down", _images("return int(1.96**2 * (disagree - effect**2) / effect**2)"), says="one image short"
        ),
        Mutant(
            "looks it up",
            _images("from course.exercises.lesson_02.answers import images_needed as f", "return f(disagree, effect)"),
            says="you called the library",
        ),
    ),
    alternatives=(
        _images("n = 1", "while 1.96 * math.sqrt((disagree - effect**2) / n) > effect: n += 1", "return n"),
        _images("return math.ceil(1.96**2 * (disagree / effect**2 - 1))"),
        _images("return int(np.ceil((1.96 / effect) ** 2 * (disagree - effect**2)))"),
    ),
)
SUITES = {"02-interval": INTERVAL, "02-settle": SETTLE, "02-images": IMAGES}

"""Lesson 02: the exercises about seeds and test images: what would settle a claim?"""

from __future__ import annotations

from scipy import stats

from course.check import FunctionExercise, Mistake, Variant
from course.exercises.lesson_02 import answers, wrong

HERE = "course.exercises.lesson_02.answers"

INTERVAL = FunctionExercise(
    id="02-interval",
    points=3,
    reference=answers.interval,
    cases=answers.interval_cases,
    hints=(
        "Take the difference of each seed first; everything after that is about one list of numbers.",
        "The standard error of a mean is sd / √n, with the sd of a sample (ddof=1).",
        "stats.t.ppf(0.975, n - 1) standard errors on both sides of the mean; times 100 for points.",
    ),
    mistakes=(
        Mistake("your difference is baseline − MSVP: a gain should be positive", wrong.interval_with(sign=-1)),
        Mistake(
            "you treat the two lists as unrelated: take the difference of each seed first, then its sd",
            wrong.interval_unpaired(lambda n: n - 1),
        ),
        Mistake(
            "you compare two samples, as ttest_ind does: take the difference of each seed first, then its sd",
            wrong.interval_unpaired(lambda n: 2 * n - 2),
        ),
        Mistake("your sd divides by n: a sample needs n − 1, so use ddof=1", wrong.interval_with(ddof=0)),
        Mistake(
            "your interval uses 1.96, which is right for very many seeds only: use stats.t.ppf(0.975, n - 1)",
            wrong.interval_with(lambda n: float(stats.norm.ppf(0.975))),
        ),
        Mistake(
            "your quantile leaves 5 % on each side: for 95 % in the middle use 0.975",
            wrong.interval_with(lambda n: stats.t.ppf(0.95, n - 1)),
        ),
        Mistake(
            "your t-quantile has n degrees of freedom: n pairs leave n − 1, stats.t.ppf(0.975, n - 1)",
            wrong.interval_with(lambda n: stats.t.ppf(0.975, n)),
        ),
        Mistake(
            "you return the mean and the half-width: return the two ends, mean − half and mean + half",
            wrong.interval_as_half,
        ),
        Mistake(
            "your interval is where the next seed may fall; for the mean of n seeds divide the sd by √n",
            wrong.interval_with(root=False),
        ),
        Mistake("your interval is in shares of 1: multiply by 100 for points", wrong.interval_with(unit=1)),
    ),
    forbids=("vpcore.statistics.paired_interval", "vpcore.statistics.t_interval", f"{HERE}.interval"),
)

SETTLE = FunctionExercise(
    id="02-settle",
    points=2,
    reference=answers.seeds_needed,
    cases=lambda rng: [(1.0, 0.92), (4.0, 0.92), (0.5, 2.0), (2.5, 1.0), (0.1, 2.0), (5.0, 0.92)],
    hints=(
        "Try 2 seeds, then 3, then 4: a loop stops at the first number that is enough.",
        "The half-width for n seeds is stats.t.ppf(0.975, n - 1) * spread / √n.",
        "seeds = 2; while the half-width is not below the effect: seeds += 1; return seeds.",
    ),
    variant=Variant(
        args="spread, effect",
        note="the effect is given in {0} of a point, and the spread in points",
        values=(("tenths", 10), ("fiftieths", 50), ("hundredths", 100)),  # else another class's answer loops for long
        given="spread, effect / {1}",
        taken="spread, effect * {1}",
    ),
    mistakes=(
        Mistake(
            "you use 1.96 for any number of seeds; with few seeds the t-quantile is far larger",
            wrong.settle_with(lambda n: 1.96),
        ),
        Mistake(
            "your t-quantile has n degrees of freedom: n seeds leave n − 1, stats.t.ppf(0.975, n - 1)",
            wrong.settle_with(lambda n: wrong.student(n + 1)),
        ),
        Mistake(
            "you begin with 3 seeds: where 2 are enough, 2 is the answer", wrong.settle_with(wrong.student, start=3)
        ),
        Mistake(
            "you divide by n: a mean of n seeds spreads by sd / √n",
            wrong.settle_with(wrong.student, root=False),
        ),
        Mistake("your number is one seed short: stop when the half-width is below the effect", wrong.off_by_one),
        Mistake(
            "you ask the whole interval to be shorter than the effect: half of it is enough",
            wrong.settle_with(wrong.student, factor=2.0),
        ),
    ),
    forbids=(f"{HERE}.seeds_needed", "vpcore.statistics.smallest_detectable_difference"),
)

IMAGES = FunctionExercise(
    id="02-images",
    points=1,
    reference=answers.images_needed,
    cases=lambda rng: [(0.05, 0.0092), (0.1, 0.0092), (0.2, 0.05)],
    hints=(
        "On one image the difference is +1, −1 or 0; its mean is the effect, its mean square the share that disagrees.",
        "Variance = mean of squares − square of the mean = disagree − effect².",
        "1.96 · √(variance / n) = effect, solved for n and rounded up with math.ceil.",
    ),
    mistakes=(
        Mistake(
            "you use the variance of disagreeing; the difference is −1, 0 or 1, with variance disagree − effect²",
            wrong.images_with(disagree_only=True),
        ),
        Mistake(
            "you add two accuracies' variances: both models see the same images, so count each image once",
            wrong.images_with(twice=True),
        ),
        Mistake(
            "your variance is q, as in lesson 00's √(q / n), where both models are equally good; with an effect e it "
            "is q − e²",
            wrong.images_without_effect,
        ),
        Mistake("your n leaves out the 1.96: one standard error is not enough for 95 %", wrong.images_with(1.0)),
        Mistake("your 1.96 is not squared, and the rest of the equation is", wrong.images_with(1.96**0.5)),
        Mistake("your n is rounded down, which is one image short: use math.ceil", wrong.images_with(rounding=int)),
    ),
    forbids=(f"{HERE}.images_needed", "vpcore.statistics.smallest_detectable_difference"),
)

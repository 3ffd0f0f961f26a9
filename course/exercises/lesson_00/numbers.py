"""Lesson 00: the exercises about a linear probe, and about how sure its accuracy is."""

from __future__ import annotations

from course.check import FunctionExercise, Mistake, Variant
from course.exercises.lesson_00 import answers, wrong

HERE = "course.exercises.lesson_00.answers"

PROBE = FunctionExercise(
    id="00-probe",
    points=3,
    reference=answers.probe_step,
    cases=answers.probe_cases,
    hints=(
        "Shares first: torch.softmax(features @ weight.T + bias, dim=1) is one row of class shares for each image.",
        "Subtract the target: shares[torch.arange(len(labels)), labels] -= 1; then divide by the number of images.",
        "With that matrix S: return weight - rate * S.T @ features, bias - rate * S.sum(0).",
    ),
    mistakes=(
        Mistake("you walk uphill: subtract the gradient, weight − rate · gradient", wrong.probe_with(sign=-1)),
        Mistake(
            "your step is the sum over images, and the loss is their mean: divide by len(labels)",
            wrong.probe_with(mean=False),
        ),
        Mistake(
            "you leave out the labels: subtract 1 from the share of each image's true class",
            wrong.probe_with(target=False),
        ),
        Mistake("your softmax runs over the images: over the classes it is dim=1", wrong.probe_with(dim=0)),
        Mistake("your shares are raw logits: put them through torch.softmax", wrong.probe_with(softmax=False)),
        Mistake("your bias does not learn: its gradient is S.sum(0)", wrong.probe_with(bias_too=False)),
        Mistake(
            "your bias moves by the mean of the rows of S, and S holds the 1/n already: its gradient is S.sum(0)",
            wrong.probe_with(bias_of=lambda slope: slope.mean(0)),
        ),
        Mistake(
            "your bias moves by the sum over images, n times too far: sum the rows of S after dividing by n",
            wrong.probe_with(bias_of=lambda slope: len(slope) * slope.sum(0)),
        ),
        Mistake("your logits leave out the bias: features @ weight.T + bias", wrong.probe_with(shift=False)),
        Mistake("you return the gradients: return the new weight, weight − rate · gradient", wrong.probe_gradient),
        Mistake("your step leaves out the rate: weight − rate · gradient", wrong.probe_with(scaled=False)),
    ),
    forbids=(f"{HERE}.probe_step", "vpcore.train.fit"),
)

ERROR = FunctionExercise(
    id="00-error",
    points=2,
    reference=answers.standard_error,
    cases=answers.error_cases,
    hints=(
        "correct.double().mean() is the share p of images that were classified right.",
        "One image is right or wrong, with variance p · (1 − p); a mean of n such has this variance divided by n.",
        "return 100 * p, 100 * math.sqrt(p * (1 - p) / len(correct))",
    ),
    variant=Variant(
        args="correct",
        note="return the accuracy in percent and {0} standard errors, half of a {1} % interval",
        values=((1.282, 80), (1.645, 90), (2.576, 99)),
        gives="(out[0], {0} * out[1])",
        back="(out[0], out[1] / {0})",
    ),
    mistakes=(
        Mistake("both numbers are shares of 1: multiply by 100 for percent and points", wrong.error_in_shares),
        Mistake("your error is a variance: take the square root", wrong.error_with(power=1.0)),
        Mistake(
            "your error does not shrink with more images: divide by n inside the root", wrong.error_with(root_n=False)
        ),
        Mistake(
            "your error is the spread of single images, and that of their mean is smaller by √n: divide by √n",
            wrong.error_of_one,
        ),
        Mistake(
            "your error shrinks with n, and it shrinks with √n: divide by n inside the root",
            wrong.error_with(outside=True),
        ),
        Mistake("your variance of one image is p: it is p(1 − p)", wrong.error_with(variance=lambda share: share)),
        Mistake(
            "your error holds the factor 1.96, which is for an interval: leave it out", wrong.error_with(factor=1.96)
        ),
        Mistake(
            "you divide by n − 1: here the variance of right or wrong is p(1 − p), over n", wrong.error_with(less=1)
        ),
    ),
    forbids=(f"{HERE}.standard_error", "vpcore.train.records.Evaluation.standard_error"),
)

CHOOSE = FunctionExercise(
    id="00-choose",
    points=2,
    reference=answers.choose,
    cases=answers.choose_cases,
    hints=(
        "A row is a setting and a column a seed: valid.mean(1) is one number for each setting.",
        "argmax of those means is the setting; test plays no part in it.",
        "means = test.mean(1); return int(setting), float(means[setting]), float(means.max())",
    ),
    mistakes=(
        Mistake(
            "you choose by test accuracy: the setting must be the best on validation",
            wrong.choose_with(lambda valid, test: test.mean(1), lambda valid, test: test.mean(1)),
        ),
        Mistake(
            "you report the validation accuracy, which chose the setting: report its test accuracy",
            wrong.choose_with(lambda valid, test: valid.mean(1), lambda valid, test: valid.mean(1)),
        ),
        Mistake(
            "you choose by the best single run: take the mean over seeds first",
            wrong.choose_with(lambda valid, test: valid.amax(1), lambda valid, test: test.mean(1)),
        ),
        Mistake(
            "you report the best seed of the setting: report the mean over its seeds",
            wrong.choose_with(lambda valid, test: valid.mean(1), lambda valid, test: test.amax(1)),
        ),
        Mistake(
            "you choose by the median over seeds: take the mean",
            wrong.choose_with(lambda valid, test: valid.median(1).values, lambda valid, test: test.mean(1)),
        ),
        Mistake("you average over the settings: a row is a setting, so average along it, mean(1)", wrong.choose_axis),
        Mistake("your setting is counted from 1: the first row is row 0", wrong.choose_from_one),
        Mistake(
            "your third number is the best single run: it is the largest of the means over seeds", wrong.choose_single
        ),
    ),
    forbids=(f"{HERE}.choose", "vpcore.experiments.runs.lr_search.choose_rate"),
)

DETECTABLE = FunctionExercise(
    id="00-detectable",
    points=2,
    reference=answers.detectable,
    cases=lambda rng: [(0.1, 1000), (0.3, 397), (0.05, 10_000)],
    hints=(
        "The standard error of the difference is √(disagree / n), as a share.",
        "stats.norm.ppf(0.975) errors for the 95 % level, and stats.norm.ppf(0.8) more to be found in 80 % of cases.",
        "return 100 * (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) * math.sqrt(disagree / num_test)",
    ),
    mistakes=(
        Mistake(
            "your difference would be found in half of all comparisons: add stats.norm.ppf(0.8)",
            wrong.detectable_with(power=None),
        ),
        Mistake("your level is one-sided: 95 % in the middle leaves 0.975 below", wrong.detectable_with(level=0.95)),
        Mistake("your difference is a share of 1: multiply by 100 for points", wrong.detectable_with(unit=1)),
        Mistake("you leave out the root: a standard error is √(variance / n)", wrong.detectable_with(root=False)),
    ),
    forbids=(f"{HERE}.detectable", "vpcore.statistics.smallest_detectable_difference"),
)

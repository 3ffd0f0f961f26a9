"""Lesson 08: the exercises about repairing a fault, and about writing the test that catches it."""

from __future__ import annotations

from course.check import FunctionExercise, JudgeExercise, Mistake, Variant, judge_test
from course.exercises.lesson_08 import answers, specimens, wrong

HERE = "course.exercises.lesson_08.answers"
SPECIMENS = "course.exercises.lesson_08.specimens"


WORN = FunctionExercise(
    id="08-worn",
    points=2,
    reference=answers.load_batch,
    cases=answers.batch_cases,
    tolerance=3e-6,
    hints=(
        "A slice of a tensor is a view: it shares its numbers with what is stored.",
        "`-=` and `/=` write into the tensor they stand behind; `-` and `/` make a new one.",
        "return (stored[first:last] - mean) / std",
    ),
    mistakes=(
        Mistake("your batch is not divided by std", wrong.only_centered),
        Mistake("your batch is multiplied by std, and it should be divided", wrong.multiplied),
        Mistake("you divide before the mean is taken off: (x − mean) / std", wrong.divided_first),
        Mistake("you use the batch's own statistics; mean and std are given, and belong to the weights",
                wrong.own_statistics),
        Mistake("your batch goes on after image last − 1: stop there", wrong.one_less),
    ),
    forbids=(f"{HERE}.load_batch",),
)  # fmt: skip

LEARNS = JudgeExercise(
    id="08-learns",
    points=3,
    reference=answers.everything_learns,
    judge=judge_test,
    cases=specimens.learns_specimens,
    hints=(
        "After backward(), each learned tensor p has p.grad: None, all zeros, or something. Only the last one learns.",
        "Start an empty set before the loop, and in each of two steps add the names whose gradient is not zero.",
        "reached |= {name for name, p in prompter.named_parameters() if p.grad is not None and p.grad.any()}; at the "
        "end, compare with all names.",
    ),
    forbids=(f"{HERE}.everything_learns",),
)

FROZEN = JudgeExercise(
    id="08-frozen",
    points=3,
    reference=answers.stays_frozen,
    judge=judge_test,
    cases=specimens.frozen_specimens,
    hints=(
        "Three steps: keep what was there, call train(net), compare.",
        "net.state_dict() holds weights and statistics. It hands out the tensors themselves, so keep clones.",
        "before = {name: t.clone() for name, t in net.state_dict().items()}; then all(torch.equal(…) for …).",
    ),
    forbids=(f"{HERE}.stays_frozen",),
)

ACCURACY = FunctionExercise(
    id="08-accuracy",
    points=2,
    reference=answers.accuracy,
    cases=answers.accuracy_cases,
    hints=(
        "Count two things over all batches: right answers, and images.",
        "(scores.argmax(1) == truth).sum() counts the right ones of one batch; len(truth) its images.",
        "Divide once, at the end: right / total.",
    ),
    variant=Variant(
        args="logits, labels",
        note="return {0}",
        values=(
            ("the share of wrong answers, not of right ones", "1 - out", "1 - out"),
            ("the percent of wrong answers, not the share of right ones", "100 * (1 - out)", "1 - out / 100"),
            ("right answers in a thousand instead of a share", "1000 * out", "out / 1000"),
        ),
        gives="{1}",
        back="{2}",
    ),
    mistakes=(
        Mistake("you average the averages of batches: count right answers and images, and divide once",
                specimens.mean_of_means),
        Mistake("you leave out the last batch when it is short", specimens.short_batch_dropped),
        Mistake("you leave out the last batch", wrong.last_dropped),
        Mistake("your result is that of the first batch alone: does your loop return in its first round?",
                wrong.first_alone),
        Mistake("your result is that of the last batch alone: add to the counts, do not replace them",
                wrong.last_alone),
        Mistake("you return the share of wrong answers: return that of right ones", wrong.errors),
        Mistake("you divide as if every batch were as large as the first: count its images",
                specimens.full_batches_assumed),
        Mistake("you divide by all images but leave out the right answers of the last batch", wrong.last_uncounted),
        Mistake("your accuracy is in percent: return a share between 0 and 1", wrong.percent),
    ),
    forbids=(f"{HERE}.accuracy", f"{SPECIMENS}.counted", f"{SPECIMENS}.joined"),
)  # fmt: skip

TEST_ACCURACY = JudgeExercise(
    id="08-test-accuracy",
    points=3,
    reference=answers.good_accuracy,
    judge=judge_test,
    cases=specimens.accuracy_specimens,
    hints=(
        "Choose batches for which you know the answer by heart: four images, then one.",
        "The last batch must be the short one, and its accuracy must differ from the first one's.",
        "torch.eye(3)[[0, 1, 2, 0]] are scores that say 0, 1, 2, 0. Compare with abs(…) < 1e-6, not with ==.",
    ),
    forbids=(f"{HERE}.good_accuracy", f"{HERE}.accuracy"),
)

CHOOSE = FunctionExercise(
    id="08-choose",
    points=1,
    reference=answers.reported,
    cases=answers.reported_cases,
    hints=(
        "Which epoch is best is decided without the test accuracies.",
        "max(range(len(valid)), key=lambda epoch: valid[epoch]) is the first epoch of the largest value.",
        "Return the entry of test for that epoch.",
    ),
    mistakes=(
        Mistake("you choose on the test set: choose the epoch on valid, then read test once", wrong.best_on_test),
        Mistake("you take the last epoch: choose the one with the best validation accuracy", wrong.last_epoch),
        Mistake("you report a validation accuracy: choose with valid, report test", wrong.best_valid),
        Mistake("of equal validation accuracies you take the last, and the earliest is asked for", wrong.latest),
        Mistake(
            "of equal validation accuracies you take the one with the best test accuracy: the earliest is asked "
            "for, and test must not choose",
            wrong.tie_on_test,
        ),
    ),
    forbids=(f"{HERE}.reported", "vpcore.train.records.History.best"),
)

COUNT = FunctionExercise(
    id="08-count",
    points=2,
    reference=answers.count_pairs,
    cases=answers.count_cases,
    hints=(
        "Start with zeros of the full shape (num_source, num_classes): an absent class is then a column of zeros.",
        "Go through all pairs of a prediction and its label, and add 1 at that place.",
        "for source, target in zip(predictions.tolist(), labels.tolist()): counts[source, target] += 1",
    ),
    mistakes=(
        Mistake("your table has a column for each class that is present: an absent class needs one too, of zeros",
                wrong.too_short),
        Mistake("your table ends at the largest classes that occur: its size is (num_source, num_classes)",
                wrong.up_to_largest),
        Mistake("your loop goes over as many classes as are present: go over num_classes, or the last are lost",
                wrong.as_many_as_present),
        Mistake("your columns move to the left where a class is absent: column k belongs to class k",
                wrong.by_presence),
        Mistake("your table says whether a pair was seen, and it should say how often", wrong.seen_at_all),
        Mistake("your table is turned: rows are source classes, columns are target classes", wrong.turned),
    ),
    forbids=("vpcore.heads.label_mapping.count_pairs",),
)  # fmt: skip

"""A right answer that draws at random passes whatever it draws; FUZZ_EXAMPLES sets how often, as in test_fuzz.

And a right answer that lets the library do the work earns nothing.
"""

import copy
import os

import pytest
import torch

from course.check.engine import judge
from course.check.registry import find
from course.studies import tokens_04
from vpcore import statistics
from vpcore.train.records import EpochRecord, Evaluation, History


def shuffled_from(offset: int):
    """Return a right answer to 07-randomize whose orders are other ones for every offset."""

    def shuffle_top(parts, count, seed):
        new, draw = copy.deepcopy(parts), torch.Generator().manual_seed(1000 * offset + seed)
        with torch.no_grad():
            for part in list(new)[len(parts) - count :]:
                for values in part.parameters():
                    values.copy_(values.flatten()[torch.randperm(values.numel(), generator=draw)].view_as(values))
        return new

    return shuffle_top


def test_a_shuffle_passes_with_every_seed() -> None:
    """With biases of four entries, 57 of 400 right answers left one as it was, and failed."""
    draws = 3 * int(os.environ.get("FUZZ_EXAMPLES", "40"))
    exercise = find("07-randomize")
    prepared = exercise.prepare()
    failed = [offset for offset in range(draws) if exercise.examine(shuffled_from(offset), prepared)]
    assert failed == []


def error(correct):
    done = Evaluation(float(correct.float().mean()), 0.0, correct, correct)
    return 100 * done.accuracy, 100 * done.standard_error


def reported(valid, test):
    history = History([EpochRecord(epoch, 0.0, 0.0, accuracy, 0.0) for epoch, accuracy in enumerate(valid)])
    return test[history.best.epoch]


LIBRARY = {
    "00-error": error,
    "03-share": lambda pictures: tokens_04.own_share(pictures)["own_share"],
    "08-choose": reported,
    "09-holm": lambda p_values, level: statistics.holm(p_values, level=1 - level),
}


@pytest.mark.parametrize("name", LIBRARY)
def test_an_answer_that_the_library_gives_is_refused(name: str) -> None:
    assert "you called the library" in judge(find(name), LIBRARY[name]).sentence

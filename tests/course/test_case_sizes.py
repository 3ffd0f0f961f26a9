"""No exercise is compared only on inputs in which two axes have one size: a mistaken axis would go unnoticed."""

from itertools import combinations

import numpy as np
import pytest
import torch

from course.check.copies import arguments
from course.check.registry import all_exercises

SQUARE = {  # (exercise, argument, axes): why these are always equal
    ("01-patch", 1, (1, 2)): "the paper's patch is square",
    ("02-average", 0, (2, 3)): "maps have s × s entries",
    ("02-fold", 0, (2, 3)): "patches are square",
    ("02-gate", 2, (0, 1)): "a 1×1 convolution from C to C channels",
    ("05-same-class", 0, (2, 3)): "patches are square",
    ("06-picture", 0, (2, 3)): "patches are square",
    ("07-distance", 0, (1, 2)): "attention is from every token to every token",
}
EXERCISES = {name: exercise for name, exercise in all_exercises().items() if hasattr(exercise, "cases")}


def sizes(case) -> dict[tuple[int, object], int]:
    """The size of every axis of a tensor argument, and the length of a list of tensors beside those of its first."""
    found = {}
    for place, value in enumerate(arguments(case)):
        many = type(value) in (list, tuple) and value and all(isinstance(each, torch.Tensor) for each in value)
        if many:
            found[place, "length"] = len(value)
        first = value[0] if many else value
        if isinstance(first, torch.Tensor | np.ndarray):
            found |= {(place, axis): size for axis, size in enumerate(first.shape)}
    return found


def equal_axes(cases) -> set[tuple[int, tuple]]:
    """Pairs of axes of one argument that have one size, and not 1, in every case that has them."""
    rows = [sizes(case) for case in cases]
    found = set()
    for one, other in combinations(sorted(set().union(*rows), key=str), 2):
        both = [(row[one], row[other]) for row in rows if one in row and other in row]
        if one[0] == other[0] and any(size != 1 for size, _ in both) and all(a == b for a, b in both):
            found.add((one[0], (one[1], other[1])))
    return found


@pytest.mark.parametrize("name", EXERCISES)
def test_axes_differ_in_at_least_one_case(name):
    exercise = EXERCISES[name]
    found = {(name, *pair) for pair in equal_axes(exercise.cases(exercise.rng()))} - set(SQUARE)
    assert not found, f"give these axes different sizes in one case: {sorted(found, key=str)}"


def test_the_list_names_what_is_still_so():
    names = {name: equal_axes(EXERCISES[name].cases(EXERCISES[name].rng())) for name in EXERCISES}
    assert {key for key in SQUARE if key[1:] not in names[key[0]]} == set()


def test_seeded_equal_sizes_are_seen():
    cases = [(torch.zeros(2, 3, 3), [torch.zeros(4, 5)] * 4), (torch.zeros(2, 5, 5), [torch.zeros(6, 7)] * 6)]
    assert equal_axes(cases) == {(0, (1, 2)), (1, ("length", 0))}
    assert equal_axes([*cases, (torch.zeros(4, 1, 2), [])]) == {(1, ("length", 0))}  # an empty list excuses nothing
    assert equal_axes([*cases, (torch.zeros(2, 5, 6), [torch.zeros(6, 7)] * 2)]) == set()

"""Every exercise tells its typical wrong answers apart, and the rules that demand it can be seen failing."""

from dataclasses import replace

import pytest
import torch
import toy_exercises
import toy_library
from mutants import run
from mutants.lessons import Lesson, lesson_problems, lessons
from mutants.run import exercise_report, from_lesson, lesson_reports, loader, table
from mutants.suite import Mutant, Source, Suite, own_problems

from course.check import FunctionExercise, ValueExercise
from course.check.registry import lesson_exercises, lesson_numbers
from course.check.words import argument_names


@pytest.mark.parametrize("number", lesson_numbers())
def test_every_exercise_of_the_lesson_keeps_the_rules(number):
    broken = [f"{row.id} {problem}" for row in lesson_reports(number) for problem in row.problems]
    assert broken == []


@pytest.mark.parametrize("number", lesson_numbers())
def test_a_message_names_arguments_as_the_lesson_does(number):
    functions = [e for e in lesson_exercises(number).values() if isinstance(e, FunctionExercise)]
    names = {each.id: argument_names(each.reference) for each in functions}
    assert names == {name: argument_names(lessons()[number].answer(name, True)) for name in names}


def solution(first, second):
    return (first + second) / 2


def in_place(first, second):
    first.add_(second)
    return first / 2


LOOP = Source("def average(first, second):\n    return sum([first, second]) / 2", "average")
SUITE = Suite(
    solution=solution,
    stub=Source("def average(first, second):\n    '''Words.'''\n    # your code here\n    ...", "average"),
    alternatives=(LOOP, lambda first, second: torch.lerp(first, second, 0.5)),
    mutants=(
        Mutant("adds", lambda first, second: first + second, says="you add the two"),
        Mutant("takes the first", lambda first, second: first, says="the first is at [0, 0]"),
        Mutant("cuts the gradient", lambda first, second: solution(first.detach(), second), says="no gradient"),
        Mutant("works in place", in_place, says="changed its input"),
        Mutant("calls the library", toy_library.average, says="you called the library"),
        Mutant("stops", lambda first, second: 1 / 0, outcome="error"),
    ),
)


def test_a_good_suite_has_no_problems():
    shown = exercise_report(toy_exercises.AVERAGE, SUITE, None)
    assert shown.problems == ()
    assert (shown.mutants, shown.right_form, shown.library, shown.alternatives, shown.mistakes) == (6, 4, 1, 2, 1)
    assert "99-average                      6           4        1             2         1  kept" in table([shown])


BROKEN = {
    "has 3 mutants, and needs 4": {"mutants": SUITE.mutants[:3]},
    "has no mutant that calls the library": {"mutants": SUITE.mutants[:4]},
    "has 1 mutants of the right type": {"mutants": SUITE.mutants[:1]},
    "hear the same": {"mutants": (*SUITE.mutants, Mutant("adds again", torch.add))},
    "should be wrong: ✓": {"mutants": (*SUITE.mutants, Mutant("right", solution))},
    "should hear 'other words'": {"mutants": (*SUITE.mutants, replace(SUITE.mutants[0], says="other words"))},
    "takes the stub for an attempt": {"stub": solution},
    "refuses the solution": {"solution": torch.add},
    "refuses alternative 1": {"alternatives": (torch.add,)},
}


@pytest.mark.parametrize("words", BROKEN)
def test_a_broken_suite_is_reported(words):
    broken = replace(SUITE, **BROKEN[words])
    assert any(words in problem for problem in exercise_report(toy_exercises.AVERAGE, broken, None).problems)


def test_a_mistake_that_is_never_said_is_reported():
    mistake = replace(toy_exercises.AVERAGE.mistakes[0], sentence="shadowed")
    exercise = replace(toy_exercises.AVERAGE, mistakes=(*toy_exercises.AVERAGE.mistakes, mistake))
    assert any("'shadowed' is never said" in problem for problem in exercise_report(exercise, SUITE, None).problems)


def test_faults_of_the_exercise_itself_are_reported():
    assert own_problems(replace(toy_exercises.AVERAGE, hints=())) == ["has 0 hints, and needs 3"]
    assert "'toy_library.no'" in own_problems(replace(toy_exercises.AVERAGE, forbids=("toy_library.no",)))[0]
    picky = replace(toy_exercises.AVERAGE, also=lambda answer: "no answer is good enough")
    assert "refuses its own reference: not yet: no answer" in own_problems(picky)[0]
    assert own_problems(replace(toy_exercises.QUIZ, reasons={})) == ["needs 2 different reasons, has 0"]
    assert "has no mutants" in exercise_report(toy_exercises.AVERAGE, None, None).problems[0]


LESSON = """# %% [markdown]
# # Toy
# **You will be able to** average. **Before you start** nothing. **Your time**: 1 minute. **Machine time**: 1 second.
# ## Recap
# ## Self-test
# ## Further reading
# ## Exercise: average two tensors

# %% name="setup"
import torch
from course import check
HALF = 0.5
print("not an import, and run only where it is needed")

# %% exercise={"id": "99-average", "points": 2, "minutes": 1, "difficulty": 1, "path": "core", "needs": ["setup"]}
def average(first, second):
    total = first + second
    ### BEGIN SOLUTION
    return HALF * total
    ### END SOLUTION

# %% check="99-average"
check("99-average", average)
"""


@pytest.fixture
def lesson(tmp_path):
    path = tmp_path / "99_toy.py"
    path.write_text(LESSON)
    return Lesson(path)


def test_solution_and_stub_come_from_the_lesson(lesson):
    suite = from_lesson("99-average", Suite(mutants=SUITE.mutants), lesson)
    assert suite.solution(torch.ones(1), torch.zeros(1)) == 0.5
    assert suite.stub(torch.ones(1), torch.zeros(1)) is None
    shown = exercise_report(toy_exercises.AVERAGE, Suite(mutants=SUITE.mutants), lesson)
    assert shown.problems == ()
    assert loader(lesson)(Source("half = lambda x: torch.mul(x, 0.5)", "half"))(torch.ones(1)) == 0.5


def test_cells_and_checks_that_disagree_are_reported(lesson):
    def said(*exercises):
        return list(lesson_problems(lesson, {exercise.id: exercise for exercise in exercises}))

    assert said(toy_exercises.AVERAGE) == []
    assert said() == ["99-average has a cell but no check: add it to the exercise module"]
    assert said(replace(toy_exercises.AVERAGE, points=3)) == ["99-average has 2 points in its cell and 3 in its check"]
    other = ValueExercise(id="99-other", points=1, reference=1)
    assert said(toy_exercises.AVERAGE, other) == ["99-other has a check but no cell: add the cell or remove the check"]


def test_a_lesson_that_cannot_be_read_is_one_broken_row(monkeypatch):
    def fail(number):
        raise ValueError("no EXERCISES")

    monkeypatch.setattr(run, "lesson_exercises", fail)
    assert [row.problems for row in lesson_reports("98")] == [("cannot be read: ValueError: no EXERCISES",)]


def test_a_lesson_without_the_cell_or_the_check_is_refused(lesson):
    with pytest.raises(ValueError, match="lesson 99_toy needs a code cell named '99-none', there is none"):
        lesson.answer("99-none", True)
    lesson.code = lesson.code[:-1]
    with pytest.raises(ValueError, match=r"lesson 99_toy must call check\('99-average', \.\.\.\), and does not"):
        lesson.answer("99-average", True)

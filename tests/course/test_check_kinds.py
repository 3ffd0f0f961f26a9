"""Module, value, judge, quiz and written exercises; hints, `use`, `made_by`; how verdicts are shown."""

import random
from collections import Counter, OrderedDict, defaultdict
from dataclasses import replace

import numpy as np
import pytest
import torch
import toy_exercises
import toy_library
from torch import nn

from course import check
from course.check.compare import compare
from course.check.diagnose import apart, number_sentence, values_sentence
from course.check.engine import judge
from course.check.exercise import Mistake
from course.check.functions import FunctionExercise
from course.check.guards import watched
from course.check.session import Note
from course.check.verdict import COLORS, SYMBOLS
from course.check.words import in_line, input_parts


@pytest.fixture(autouse=True)
def _toy():
    check.forget()
    for exercise in toy_exercises.ALL:
        check.register(exercise)


def right(first, second):
    return (first + second) / 2


class Mine(nn.Module):
    """Other names and another order than the reference."""

    def __init__(self, width):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.delta = nn.Parameter(torch.zeros(width))

    def forward(self, images):
        return self.scale * images + self.delta[None, None]


class NoGradient(Mine):
    def forward(self, images):
        return self.scale.detach() * images + self.delta


class NoScale(Mine):
    def forward(self, images):
        return images + self.delta


class Plain(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.delta = torch.zeros(width)

    forward = Mine.forward


class Frozen(Mine):
    def __init__(self, width):
        super().__init__(width)
        self.scale.requires_grad_(False)


class Doubled(Mine):
    def __init__(self, width):
        super().__init__(width)
        self.more = nn.Parameter(torch.zeros(width))


class Turned(Mine):
    def __init__(self, width):
        super().__init__(width)
        self.delta = nn.Parameter(torch.zeros(width, 1))


class NoModule:
    def __init__(self, width):
        self.width = width

    def forward(self, images):
        return images


class NoForward(nn.Module):
    def __init__(self, width):
        super().__init__()


class NothingLearned(nn.Module):
    def __init__(self, width):
        super().__init__()

    def forward(self, images):
        return images


class InPlace(Mine):
    def forward(self, images):
        images *= 1 + 0 * self.scale.item()
        images += 1
        return self.scale * (images - 1) + self.delta


class Inherits(toy_library.Shift):
    pass


class Borrows(Mine):
    def forward(self, images):
        return toy_library.Shift.forward(self, images)


MODULES = {
    NoGradient: "no gradient reaches `scale`",
    NoScale: "never uses its gain",
    toy_exercises.OnlyRow: "has no gain",
    Plain: "`delta` is a plain tensor",
    Frozen: "`scale` is a Parameter with requires_grad=False",
    Doubled: "learns 9 numbers, and 5 are asked for",
    Turned: "tensors of shape (1,) and (4, 1), and (1,) and (4,) are asked for",
    NoModule: "let it inherit from torch.nn.Module",
    NoForward: "no method `forward`",
    NothingLearned: "no learned tensor",
    InPlace: "changed its input",
    Inherits: "you called the library (toy_library.Shift)",
    Borrows: "you called the library (toy_library.Shift)",
}


def test_right_modules_pass():
    assert repr(check("99-shift", Mine)) == "✓ 99-shift: passed (3 points)"
    assert toy_library.Shift(2)(torch.ones(1, 1, 2)).shape == (1, 1, 2)  # works again


@pytest.mark.parametrize("module", MODULES)
def test_wrong_modules_get_their_sentence(module):
    result = check("99-shift", module)
    assert MODULES[module] in repr(result)
    assert result.outcome == "wrong"


def test_no_two_wrong_modules_get_the_same_sentence():
    said = {repr(check("99-shift", module)) for module in MODULES}
    assert len(said) == len(MODULES) - 1  # two call the library


def test_a_module_instead_of_its_class_is_named():
    assert "wants the class itself" in repr(check("99-shift", Mine(4)))


@pytest.mark.parametrize(
    "value", [243, 243.0, np.int64(243), np.float32(243), np.array(243), torch.tensor(243), torch.tensor([243.0])]
)
def test_right_values_pass(value):
    assert check("99-count", value).passed


VALUES = {
    81: "81 is one channel",
    244: "one away from the right number",
    -243: "opposite sign",
    486: "2 times what it should be",
    1000: "too large",
    5: "too small",
    "243": "a text, and a whole number is asked for",
    True: "True or False",
    float("nan"): "NaN",
}


@pytest.mark.parametrize("one", [torch.tensor([0.5]), np.array([[0.5]])], ids=["tensor", "array"])
def test_a_function_that_returns_numbers_returns_them_bare(one):
    """A cell that prints the answer, as `f"{error:.1f}"`, takes a number or a tensor without an axis."""
    pair = check.FunctionExercise(id="99-pair", points=1, reference=lambda x: (2 * x, x), cases=lambda draw: [(0.5,)])
    check.register(pair)
    assert check("99-pair", lambda x: (torch.tensor(2 * x), np.float64(x))).passed
    kind = "a tensor" if torch.is_tensor(one) else "a NumPy array"
    words = f"your result[1] is {kind} of shape {tuple(one.shape)}, and a plain number is asked for"
    assert f"{words}: take it out with .item()" in repr(check("99-pair", lambda x: (2 * x, one)))


@pytest.mark.parametrize("value", VALUES)
def test_wrong_values_get_their_sentence(value):
    assert VALUES[value] in repr(check("99-count", value))


@pytest.mark.parametrize(
    ("want", "good", "bad", "words"),
    [
        ((1, 2), [1, 2], (1, 3), "your answer[1] is 3, one away"),
        ((1, 2), torch.Size([1, 2]), (1, 2, 3), "has 3 items, and 2 are asked for"),
        ("Pad", " pad", "full", "is 'full', and another value is right there"),
        ({"a": 1.0}, {"a": 1}, {"b": 1.0}, "has the keys ['b'], and ['a'] are asked for"),
        ({1, 2}, {2, 1}, {1}, "is {1}, and another value is right there"),
        (True, np.bool_(True), 1, "a whole number, and True or False is asked for"),
        (0.5, 0.500001, 0.6, "is 0.6, and that is too large"),
        (torch.ones(2), torch.ones(2), [1.0, 1.0], "torch.stack"),
        (np.ones(2), np.ones(2), torch.ones(2), "is a tensor, and a NumPy array is asked for"),
        (torch.float32, torch.float32, torch.float64, "torch.float64, and another value is right there"),
    ],
)
def test_values_of_every_kind(want, good, bad, words):
    check.register(check.ValueExercise(id="99-kind", points=1, reference=want))
    assert check("99-kind", good).passed
    assert words in repr(check("99-kind", bad))
    assert check("99-kind", (..., 1)).outcome == "unattempted"


def test_a_learners_test_is_judged():
    def good(mean):
        assert torch.allclose(mean(torch.ones(2), torch.zeros(2)), torch.full((2,), 0.5))

    assert check("99-test", good).passed
    assert "rejects a right implementation" in repr(check("99-test", lambda mean: False))
    assert "one that adds and never divides" in repr(check("99-test", lambda mean: True))
    half = lambda mean: bool(mean(torch.ones(2), torch.ones(2))[0] == 1)  # noqa: E731
    assert "one that ignores the second" in repr(check("99-test", half))
    failed = check("99-test", lambda mean: 1 / 0)
    assert failed.outcome == "error"
    assert failed.sentence.endswith(", with a right implementation: the mean of two tensors")


def test_quiz_gives_the_reason_of_each_wrong_choice():
    assert check.quiz("99-quiz", "b").passed
    assert check.quiz("99-quiz", " B ").passed
    assert repr(check.quiz("99-quiz", "a")) == "✗ 99-quiz: not yet: a: a sum is no mean"
    assert "z is none of the choices a, b and c" in repr(check.quiz("99-quiz", "z"))
    assert "choose one of" in repr(check.quiz("99-quiz", "ab, b".replace("ab", "a")))
    assert check.quiz("99-quiz", 3).outcome == "wrong"
    assert check.quiz("99-quiz", ...).outcome == "unattempted"


def test_quiz_with_several_right_choices():
    assert check.quiz("99-multiple", "a, c").passed
    assert check.quiz("99-multiple", ("c", "a")).passed
    assert check.quiz("99-multiple", "CA").passed
    assert "ax is none of the choices" in repr(check.quiz("99-multiple", "ax"))
    assert "right so far, and 1 more to find" in repr(check.quiz("99-multiple", "c"))
    assert "b: not b" in repr(check.quiz("99-multiple", "a b c"))


def test_written_answers_are_recorded_not_graded():
    assert repr(check.written("99-why", "a b  c")) == (
        "✓ 99-why: recorded (3 words); graded by your instructor with a rubric"
    )
    assert check.written("99-why", "...").outcome == check.written("99-why", ...).outcome == "unattempted"
    assert "has 2 words; give at least 3" in repr(check.written("99-why", "too short"))
    assert "write it as text" in repr(check.written("99-why", 3))
    with pytest.raises(check.GradeError, match="graded by your instructor"):
        check.grade("99-why", "a b c")


def test_hints_come_in_order_after_the_one_for_what_was_seen():
    check("99-average", lambda a, b: a + b)
    said = [repr(check.hint("99-average")) for _ in range(5)]
    assert said == [
        "hint for what the check saw (99-average): how many are there?",
        "hint 1 of 3 (99-average): add them",
        "hint 2 of 3 (99-average): then divide",
        "hint 3 of 3 (99-average): (first + second) / 2",
        "no further hint (99-average); the last one was: (first + second) / 2",
    ]
    assert repr(check.hint("99-shift")) == "no hint (99-shift)"
    assert "did you mean 99-average?" in repr(check.hint("99-averag"))


def test_use_gives_the_library_until_the_check_has_passed():
    assert check.use("99-average", right) is toy_library.average
    assert check.made_by("99-average") == "vpcore (exercise 99-average not passed yet)"
    check("99-average", right)
    assert check.use("99-average", right) is right
    assert check.made_by("99-average") == "your code"
    assert check.made_by("99-average", "99-shift") == (
        "your code (99-average) and vpcore (exercise 99-shift not passed yet)"
    )
    assert check.use("99-average", lambda a, b: a) is toy_library.average  # redefined and not checked again
    assert check.made_by("99-average", "99-shift") == "vpcore (exercises 99-average and 99-shift not passed yet)"
    with pytest.raises(ValueError, match="use needs an exercise with a reference, 99-why has none"):
        check.use("99-why", "text")


def test_a_pass_is_taken_back_when_the_next_answer_is_wrong():
    check("99-average", right)
    check("99-average", lambda a, b: a)
    assert check.made_by("99-average").startswith("vpcore")


def test_verdicts_show_the_same_words_in_text_and_html():
    def nasty(first, second):
        raise ValueError("<script>alert(1)</script> & <b> at 0x7f33a0 in /tmp/ipykernel_1/2.py")

    result = check("99-average", nasty)
    assert "at 0x… in …" in repr(result)
    assert "<script>" not in result._repr_html_()
    assert "&lt;script&gt;" in result._repr_html_()
    assert repr(result) == repr(check("99-average", nasty))
    assert "&lt;b&gt;" in Note("<b>")._repr_html_()


def test_outcomes_differ_by_symbol_and_have_contrast():
    shown = [SYMBOLS[outcome] for outcome in ("unattempted", "wrong", "error", "passed")]
    assert len(set(shown)) == 4
    for color in COLORS.values():
        channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        assert 1.05 / (luminance + 0.05) >= 5.5


def test_checks_never_raise():
    assert check(3, None).outcome == "error"
    assert check(None, None).outcome == "error"
    assert check("", right).outcome == "error"
    assert "no exercise of this name" in repr(check("77-nothing", right))


def test_inputs_may_be_changed_where_the_exercise_says_so():
    def fill(x):
        x.fill_(1)
        return x

    common = {"points": 1, "reference": fill, "cases": lambda rng: [torch.zeros(2)]}
    check.register(check.FunctionExercise(id="99-fill", **common))
    assert "changed its input `x`:" in repr(check("99-fill", lambda x: x.fill_(1)))
    check.register(check.FunctionExercise(id="99-fill", keeps_inputs=False, **common))
    assert check("99-fill", lambda x: x.fill_(1)).passed


def test_exact_dtype_and_a_last_judgment():
    common = {"points": 1, "reference": torch.neg, "cases": lambda rng: [torch.ones(2)]}
    check.register(check.FunctionExercise(id="99-neg", exact_dtype=True, **common))
    assert "has dtype torch.float64, and torch.float32 is asked for" in repr(check("99-neg", lambda x: -x.double()))
    check.register(check.FunctionExercise(id="99-neg", also=lambda answer: "name it negative", **common))
    assert repr(check("99-neg", lambda x: -x)) == "✗ 99-neg: not yet: name it negative"


def test_lesson_ids_must_be_unique_and_start_with_their_number(monkeypatch):
    from types import SimpleNamespace

    from course.check import registry

    monkeypatch.setattr(registry, "_modules", lambda: ["lesson_98"])
    for names, words in ((("98-a", "98-a"), "must be unique"), (("97-a",), "must start with '98-'")):
        listed = tuple(check.ValueExercise(id=name, points=1, reference=1) for name in names)
        monkeypatch.setattr(registry.importlib, "import_module", lambda name, e=listed: SimpleNamespace(EXERCISES=e))
        with pytest.raises(ValueError, match=words):
            check.lesson_exercises("98")
        assert "the check itself failed" in repr(check("98-a", 1))


def test_two_numbers_that_differ_are_printed_apart():
    assert apart(-0.69751, -0.69754) == ("-0.69751", "-0.69754")
    assert apart(0.25, 3.0) == ("0.25", "3")
    assert apart(7, 9) == ("7", "9")
    said = values_sentence(np.array([1.0, 2.00001]), np.array([1.0, 2.00002]), "your result", 1e-9)
    assert said is not None
    assert "you have 2.00001, it should be 2.00002" in said


def test_a_factor_is_never_said_to_be_one_and_a_place_has_none():
    want = np.array([1.0, 2.0, -3.0])
    assert "is 1.0003 times what" in str(values_sentence(1.0003 * want, want, "your result", 1e-6))
    assert "is 0.5 times what" in str(values_sentence(0.5 * want, want, "your result", 1e-6))
    assert str(number_sentence(6, 2, "the layer", 1e-4)) == "the layer is 6, and that is too large"
    assert "3 times what" in str(number_sentence(81, 27, "the count", 1e-4))


def test_a_wrong_value_is_shown_with_its_input():
    exercise = FunctionExercise(
        id="99-rank", points=1, reference=lambda scales, size: 16, cases=lambda rng: [((1, 4), 28), ((2, 6), 30)]
    )
    assert judge(exercise, lambda scales, size: 19).sentence.endswith("(with scales = (1, 4), size = 28)")
    second = judge(exercise, lambda scales, size: 16 if size == 28 else 9)
    assert second.sentence.endswith("(with scales = (2, 6), size = 30)")
    assert second.finding.hint == (
        "your answer is right with scales = (1, 4), size = 28, and wrong with scales = (2, 6), size = 30: "
        "what is different there?"
    )
    first = judge(exercise, lambda scales, size: 19).finding
    assert first.hint == (
        "with scales = (1, 4), size = 28 your answer is 19, and 16 is right: go through your lines with this input by "
        "hand"
    )


def test_a_named_mistake_and_a_wrong_shape_are_shown_with_their_input():
    mistake = Mistake("you add", lambda first, second: first + second)
    exercise = replace(toy_exercises.AVERAGE, mistakes=(mistake,))
    assert judge(exercise, torch.add).sentence.startswith("not yet: you add (with first (")
    short = judge(exercise, lambda first, second: (first + second)[:1])
    assert "asked for" in short.sentence
    assert "(with first (" in short.sentence
    assert short.finding.hint.endswith("print the shape after each of your lines: where does it leave what you expect?")


def test_inputs_are_said_in_one_line():
    given = (torch.zeros(2, 3), [torch.zeros(4, 5)], torch.arange(3), 0.5, torch.nn.ReLU(), {"k": 2})
    parts = ["(2, 3)", "[(4, 5)]", "[0, 1, 2]", "0.5", "an object of type ReLU", "{'k': 2}"]
    assert input_parts(given) == parts
    assert input_parts(given[:3], ("x", "maps", "order")) == ["x (2, 3)", "maps = [(4, 5)]", "order = [0, 1, 2]"]
    assert input_parts(given[4:5], ("net",)) == ["net (ReLU)"]
    assert input_parts((torch.tensor([0.12345, 2.0]),), ("std",), whole=True) == ["std = [0.1235, 2]"]
    assert input_parts(given, whole=True) == []  # a part stays unsaid
    assert in_line(parts, 30) == "(2, 3), [(4, 5)], [0, 1, 2], …"
    assert in_line(["x" * 100], 20) == "x" * 20 + "…"
    assert input_parts(([len, max],), ("blocks",)) == ["blocks (a list of 2)"]  # no addresses
    assert input_parts(([(3, 2)], None), ("layers", "bias")) == ["layers = [(3, 2)]", "bias = None"]


def test_items_in_another_order_are_told_from_wrong_ones():
    want = (torch.ones(2, 3), torch.zeros(2), 5, [1, 2])
    said = compare((want[1], want[0], 5, [1, 2]), want)
    assert said is not None
    assert said.sentence == "your result has the right items in another order: what is at [0] should be at [1]"
    assert "your result[0] has shape" in compare((want[1], want[0] + 1, 5, [1, 2]), want).sentence
    assert "your result[3] has the right items" in compare((*want[:3], [2, 1]), want).sentence
    assert compare([1, 1, 2], [1, 1, 2]) is None


def test_keys_of_equal_text_and_numbers_stored_sparsely_are_named():
    assert "keys" in compare({"0": 1.0}, {0: 1.0}).sentence
    assert compare({np.int64(0): 1.0}, {0: 1.0}) is None
    assert compare(torch.tensor(2.0).to_sparse(), 2.0).stage == "type"
    assert compare(torch.ones(2).to_sparse(), (1.0, 1.0)).stage == "type"


def test_a_rounded_number_is_called_rounded():
    assert str(number_sentence(7.7, 7.655, "x", 1e-4)) == "x is 7.7, which is rounded: return all its digits"
    for got in (7.6, 0.5, 8.0):  # other numbers, and a constant
        assert "rounded" not in str(number_sentence(got, {7.6: 7.655, 0.5: 0.49, 8.0: 7.655}[got], "x", 1e-4))


def test_a_message_names_the_input_that_was_changed_or_gets_no_gradient():
    def reference(net, maps, table):
        return maps[1] * table["k"] + 0 * net.weight.sum().detach()

    given = (torch.nn.Linear(2, 2), [torch.ones(2), torch.ones(2)], {"k": torch.ones(2)})
    exercise = FunctionExercise(id="99-named", points=1, reference=reference, cases=lambda rng: [given], gradient=True)
    assert judge(exercise, reference).passed

    def cut(net, maps, table):
        return maps[1].detach() * table["k"]

    assert "no gradient reaches `maps`[1]:" in judge(exercise, cut).sentence
    for change, words in {
        lambda net, maps, table: net.requires_grad_(False): "`net`: leave its weights, its mode and requires_grad",
        lambda net, maps, table: net.eval(): "`net`: leave",
        lambda net, maps, table: maps.append(1): "`maps`: work on a copy, list(x); pop",
    }.items():

        def answer(*inputs, change=change):
            output = reference(*inputs)
            change(*inputs)
            return output

        assert f"changed its input {words}" in judge(exercise, answer).sentence

    def overwrites(net, maps, table):
        maps[0] = maps[0] + 1
        return maps[0]

    assert judge(exercise, overwrites).sentence.endswith("also changes its input `maps`, which may be the reason")


def test_a_wrong_type_on_one_input_is_shown_with_it():
    exercise = FunctionExercise(id="99-none", points=1, reference=lambda n: n, cases=lambda rng: [(3,), (4,)])
    said = judge(exercise, lambda n: n if n == 3 else None).sentence
    assert said == "not yet: your result is None: did you forget `return`? (with n = 4)"
    assert judge(exercise, lambda n: {}.get(n)).sentence == "not yet: your result is None: did you forget `return`?"


def told(reference, *cases, **options):
    """What a check of this reference, on these inputs, says of an answer."""
    exercise = FunctionExercise(id="99-told", points=1, reference=reference, cases=lambda rng: list(cases), **options)
    return lambda answer: judge(exercise, answer).sentence


def test_a_term_or_factor_that_is_an_input_is_named():
    x, bias = torch.arange(6.0).view(2, 3) ** 2, torch.tensor([1.0, -2.0, 4.0])
    say = told(lambda x, bias: 3 * x + bias, (x, bias))
    assert "what is missing from your result is exactly `bias`: add it" in say(lambda x, bias: 3 * x)
    assert "has exactly `bias` in it once too often" in say(lambda x, bias: 3 * x + 2 * bias)
    assert "`bias` is in your result with the opposite sign" in say(lambda x, bias: 3 * x - bias)
    assert "the first is at [0, 0]" in say(lambda x, bias: 3 * x + 1.5 * bias)
    say = told(lambda x, bias: (x + 1) * bias[:, None], (x + 1, torch.tensor([2.0, -3.0])))
    assert "the right one times `bias`" in say(lambda x, bias: (x + 1) * bias[:, None] ** 2)
    assert "the right one divided by `bias`" in say(lambda x, bias: x + 1)


def test_right_numbers_in_other_places_are_named():
    numbers = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 7.0]])
    assert "the right numbers in other places" in str(
        values_sentence(numbers.numpy(), numbers.flatten()[[0, 3, 1, 4, 2, 5]].view(2, 3).numpy(), "your result", 1e-4)
    )
    assert "right numbers in another order" in str(
        values_sentence(np.array([3.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0]), "your result", 1e-4)
    )
    ones = values_sentence(np.array([1.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0]), "your result", 1e-4)
    assert "the first is at [0]" in str(ones)


def test_true_and_false_exchanged_are_named():
    assert "True and False the wrong way round" in told(lambda x: [True, False, x > 0], 1)(
        lambda x: [False, True, x <= 0]
    )
    assert "your result[0] is True" in told(lambda x: [False, False], 1)(lambda x: [True, True])


def test_one_multiple_by_chance_is_no_factor():
    say = told(lambda x: x / 10, 4, 7)
    assert "2 times what it should be" in say(lambda x: x / 5)
    assert "your result is 0.8, and that is too large (with x = 4)" in say(lambda x: 0.8)


def test_a_small_difference_names_what_may_cause_it():
    say = told(lambda x: x / (x.var() + 1e-3).sqrt(), torch.arange(1.0, 6.0).double(), tolerance=1e-9)
    assert "may come from a constant such as eps" in say(lambda x: x / x.std())


@pytest.mark.parametrize("kind", [OrderedDict, Counter, lambda pairs: defaultdict(int, pairs)])
def test_every_dictionary_passes(kind):
    assert told(lambda x: {"a": x}, 2)(lambda x: kind({"a": x})) == "passed (1 point)"


def test_two_decimal_numbers_may_come_as_an_array():
    say = told(lambda x: (0.5, x), 1.5)
    assert say(lambda x: np.array([0.5, x])) == say(lambda x: torch.tensor([0.5, x])) == "passed (1 point)"
    assert "is a tensor, and a tuple" in say(lambda x: torch.tensor([[0.5, x]]))
    assert "a tensor, and a list is asked for" in told(lambda x: [1, x], 2)(lambda x: torch.tensor([1, x]))


def test_where_none_is_right_for_other_inputs_nobody_forgot_a_return():
    exercise = FunctionExercise(
        id="99-none", points=1, reference=lambda n: torch.ones(n) if n < 4 else None, cases=lambda rng: [(3,), (4,)]
    )
    said = judge(exercise, lambda n: {}.get(n)).sentence
    assert said == "not yet: your result is None, and here a tensor is asked for (with n = 3)"


def test_a_part_that_is_none_is_no_forgotten_return():
    assert "your result[1] is None, and a tensor is asked for" in told(lambda x: (x, x), torch.ones(2))(
        lambda x: (x, None)
    )


def test_wrong_keys_and_dictionaries_are_shown_with_their_input():
    assert "asked for (with layer = 2)" in told(lambda layer: {f"block {layer}": layer}, 2)(
        lambda layer: {"block 1": 2}
    )
    say = told(lambda parts, pairs: 1.0, ({"q": torch.ones(2), "v": torch.ones(2)}, {"a": [(0.1, 2)]}))
    assert say(lambda parts, pairs: 3.7).endswith("(with parts with the keys q, v, pairs = {'a': [(0.1, 2)]})")
    say = told(lambda rows: 1.0, [{"a": 1}] * 99, say=lambda rows: [f"{len(rows)} rows"])
    assert say(lambda rows: 3.7).endswith("(with 99 rows)")


@pytest.mark.parametrize("kept", [[3.0, 1.0], {"a": [2, 1]}, [{"seed": 3}, {"seed": 1}]])
def test_a_changed_list_of_numbers_is_seen(kept):
    def sort(x):
        inner = x["a"] if type(x) is dict else x
        inner.sort(key=lambda each: each["seed"] if type(each) is dict else each)
        return 1

    assert "changed its input" in told(lambda x: 1, (kept,))(sort)


def test_draws_from_each_global_stream_are_seen():
    for draw in (lambda: torch.rand(1), lambda: np.random.random(), lambda: random.random(), lambda: random.seed(3)):
        assert watched(draw)[1]
    assert not watched(lambda: (torch.rand(1, generator=torch.Generator()), np.random.default_rng(0).random()))[1]

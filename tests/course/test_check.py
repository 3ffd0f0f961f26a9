"""The check engine says what is right, what is wrong and why, and survives what learners and cheats do."""

import contextlib
import os
import re
import threading
from functools import partial

import numpy as np
import pytest
import torch
import toy_exercises
import toy_library
from toy_library import average as imported_average
from toy_library import decorated_average

from course import check
from course.check import guards
from course.check.library import forbidden


@pytest.fixture(autouse=True)
def _toy():
    check.forget()
    for exercise in toy_exercises.ALL:
        check.register(exercise)


def stub(first, second):
    """Return the mean of two tensors."""
    # your code here
    ...


def right(first, second):
    return (first + second) / 2


def loop(first, second):
    out = torch.empty_like(first)
    for i in range(len(first)):
        out[i] = 0.5 * first[i] + 0.5 * second[i]
    return out


def in_place_on_a_copy(first, second):
    out = first.clone()
    out += second
    out /= 2
    return out


def in_float64(first, second):
    return torch.stack([first, second]).double().mean(0)


@pytest.mark.parametrize("answer", [right, loop, in_place_on_a_copy, in_float64, lambda a, b: torch.lerp(a, b, 0.5)])
def test_right_answers_pass(answer):
    assert repr(check("99-average", answer)) == "✓ 99-average: passed (2 points)"


WRONG = {
    "adds": (lambda a, b: a + b, "you add the two"),
    "none": (lambda a, b: [a][:0].clear(), "is None: did you forget `return`?"),
    "array": (lambda a, b: right(a, b).numpy(), "NumPy array"),
    "number": (lambda a, b: 3.0, "is a decimal number: leave it a tensor"),
    "list": (lambda a, b: [a, b], "torch.stack"),
    "integer": (lambda a, b: right(a, b).long(), "drops everything after the point"),
    "bool": (lambda a, b: a > b, "a comparison gives True and False"),
    "half": (lambda a, b: right(a, b).half(), "keeps three digits"),
    "fewer": (lambda a, b: right(a, b).mean(0), "reduced over a dimension too many"),
    "more": (lambda a, b: torch.stack([a, b]), "a dimension is still to be reduced"),
    "ones": (lambda a, b: right(a, b)[None], "squeeze"),
    "order": (lambda a, b: right(a, b).T, "in another order"),
    "flat": (lambda a, b: right(a, b).flatten(), "to be arranged as"),
    "size": (lambda a, b: right(a, b)[:, :2], "dimension 1 is 2, not 3"),
    "nan": (lambda a, b: right(a, b) / 0 * 0, "holds NaN"),
    "zero": (lambda a, b: right(a, b) * 0, "all zeros"),
    "sign": (lambda a, b: -right(a, b), "opposite sign"),
    "factor": (lambda a, b: right(a, b) / 2, "is 0.5 times what it should be"),
    "offset": (lambda a, b: right(a, b) + 1, "is off by 1 everywhere"),
    "flipped": (lambda a, b: right(a, b).flip(1), "reversed along dimension 1"),
    "other": (lambda a, b: a, "the first is at [0, 0]"),
    "detached": (lambda a, b: (a.detach() + b) / 2, "no gradient reaches `first`"),
    "slope": (lambda a, b: right(a, b).detach() + right(a, b) * 2 - right(a, b).detach() * 2, "gradient"),
    "touched": (lambda a, b: a.add_(b).div_(2), "changed its input `first`: work on a copy, x.clone()"),
    "called": (right(torch.ones(2), torch.ones(2)), "wants the function itself"),
    "meta": (lambda a, b: right(a, b).to("meta"), "device `meta`"),
    "sparse": (lambda a, b: right(a, b).to_sparse(), "dense"),
    "dots": (lambda a, b: [...][0], "still `...`"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_answers_get_their_sentence(name):
    answer, words = WRONG[name]
    result = check("99-average", answer)
    assert result.outcome == "wrong"
    assert words in repr(result)
    assert repr(result).startswith("✗ 99-average: not yet: ")


def test_no_two_wrong_answers_get_the_same_sentence():
    said = [repr(check("99-average", answer)) for answer, _ in WRONG.values()]
    assert len(set(said)) == len(said)


class AlwaysEqual:
    shape, dtype = torch.Size([2, 3]), torch.float32

    def __eq__(self, other):
        return True

    __hash__ = None

    def __getattr__(self, name):
        return self

    def __call__(self, *args, **kwargs):
        return self


class Sly(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return torch.tensor(True)


def shout(first, second):
    for _ in range(10**6):
        print("line")
    return right(first, second)


def endless(first, second):
    while True:
        first = first + 1


def swallow(first, second):
    try:
        while True:
            pass
    except Exception:
        return right(first, second)


def base_exception(first, second):
    raise BaseException("odd")


class Silent(Exception):
    def __str__(self):
        raise RuntimeError("no words")


def unprintable(first, second):
    raise Silent


def raises(first, second):
    raise KeyError(first.shape)


class Closed(Exception):
    @property
    def __notes__(self):
        raise RuntimeError("no notes")


def closed(first, second):
    raise Closed


def ends(first, second):
    raise SystemExit


CHEATS = {
    "equals everything": (lambda a, b: AlwaysEqual(), "wrong", "object of type AlwaysEqual"),
    "is everything": (AlwaysEqual(), "wrong", "object of type AlwaysEqual"),
    "subclass": (lambda a, b: a.as_subclass(Sly), "wrong", "subclass of Tensor"),
    "library": (lambda a, b: toy_library.average(a, b), "wrong", "you called the library (toy_library.average)"),
    "imported earlier": (lambda a, b: imported_average(a, b), "wrong", "you called the library"),
    "the library itself": (imported_average, "wrong", "you called the library"),
    "decorated": (decorated_average, "wrong", "you called the library (toy_library.decorated_average)"),
    "under the decorator": (decorated_average.__wrapped__, "wrong", "you called the library"),
    "partial": (partial(imported_average), "wrong", "you called the library"),
    "endless": (endless, "error", "longer than 1 s"),
    "swallow": (swallow, "error", "longer than 1 s"),
    "exit": (ends, "error", "called exit"),
    "raises": (raises, "error", "(line `raise KeyError(first.shape)`), with first (2, 3), second (2, 3)"),
    "closed": (closed, "error", "Closed (line `raise Closed`), with first (2, 3), second (2, 3)"),
    "base": (base_exception, "error", 'BaseException: odd (line `raise BaseException("odd")`)'),
    "unprintable": (unprintable, "error", "Silent (line `raise Silent`)"),
    "huge": (lambda a, b: torch.zeros(10**12), "error", "more memory than there is"),
    "wide": (lambda a, b: torch.zeros(1).expand(10**9, 10**9), "wrong", "dimension 0 is 1000000000"),
}


@pytest.mark.parametrize("name", CHEATS)
def test_cheats_and_accidents_get_a_sentence(name):
    answer, outcome, words = CHEATS[name]
    result = check("99-average", answer)
    assert words in repr(result)
    assert result.outcome == outcome
    with pytest.raises(check.GradeError, match=re.escape(words)):
        check.grade("99-average", answer)


def test_an_allocation_that_would_succeed_is_stopped(monkeypatch):
    monkeypatch.setattr(guards, "_has_gpu", lambda: False)
    result = check("99-average", lambda a, b: torch.empty(6 * 2**30, dtype=torch.uint8))
    assert "more memory than there is" in repr(result)


def test_swallowed_refusal_is_still_seen():
    def sly(first, second):
        with contextlib.suppress(BaseException):
            imported_average(first, second)
        return right(first, second)

    assert "you called the library" in repr(check("99-average", sly))
    assert imported_average(torch.ones(1), torch.zeros(1)) == 0.5  # works again


def test_replaced_torch_functions_change_nothing(monkeypatch):
    for name in ("allclose", "equal", "isclose", "all"):
        monkeypatch.setattr(torch, name, lambda *a, **k: True)
    for name in ("allclose", "array_equal", "all"):
        monkeypatch.setattr(np, name, lambda *a, **k: True)
    monkeypatch.setattr(np, "abs", lambda array: 0 * array)
    monkeypatch.setattr(torch.Tensor, "__eq__", lambda *a: True)
    assert check("99-average", lambda a, b: 0.6 * a + 0.4 * b).outcome == "wrong"


def test_a_million_lines_leave_two_thousand_characters(capsys):
    result = check("99-average", shout)
    assert result.outcome in ("passed", "error")  # slow machines run into the limit of one second
    assert len(result.printed) == 2000
    assert capsys.readouterr() == ("", "")


def test_keyboard_interrupt_passes_through():
    def stop(first, second):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        check("99-average", stop)


def test_time_limit_works_in_another_thread():
    seen = []
    thread = threading.Thread(target=lambda: seen.append(check("99-average", endless)))
    thread.start()
    thread.join(20)
    assert "longer than 1 s" in repr(seen[0])


def test_globals_are_put_back():
    def meddle(first, second):
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        torch.manual_seed(5)
        np.random.seed(5)
        return right(first, second)

    before = torch.get_rng_state(), np.random.get_state()[1].tolist()
    check("99-average", meddle)
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled()
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == np.random.get_state()[1].tolist()


def test_stub_is_not_attempted_with_and_without_source():
    space = {}
    exec("def f(a, b):\n    '''doc'''\n    ...\nclass C:\n    def forward(self, x): ...", space)
    for answer in (stub, space["f"], ..., lambda a, b: ..., torch.no_grad()(stub)):
        assert repr(check("99-average", answer)) == "○ 99-average: not attempted yet"
    assert check("99-shift", space["C"]).outcome == "unattempted"


def test_partial_stub_is_not_attempted():
    def begun(first, second):
        torch.add(first, second)
        # your code here
        ...

    def written(first, second):
        # your code here
        ...
        return first + second

    def in_place(first, second):
        # your code here
        ...
        # in place
        first.add_(second)

    assert check("99-average", begun).outcome == "unattempted"
    assert check("99-average", written).outcome == "wrong"
    assert check("99-average", in_place).outcome != "unattempted"


def test_stub_is_never_worth_points():
    for name, answer in {"99-average": stub, "99-count": ..., "99-quiz": ..., "99-why": "", "99-shift": ...}.items():
        with pytest.raises(check.GradeError, match="not attempted yet"):
            check.grade(name, answer)


def test_grade_gives_points_that_print_as_a_number():
    points = check.grade("99-average", right, nonce="secret")
    bundle = points._repr_mimebundle_()
    assert (points, repr(points), float(bundle["text/plain"])) == (2.0, "2.0", 2.0)
    assert check.signed_points(bundle, "99-average", "secret") == 2.0
    assert check.signed_points(bundle, "99-average", "other") == 0.0
    assert check.signed_points(bundle, "99-shift", "secret") == 0.0
    assert check.signed_points({"text/plain": "2.0"}, "99-average", "secret") == 0.0
    bundle[check.MIME]["points"] = 50.0
    assert check.signed_points(bundle, "99-average", "secret") == 0.0


def test_grade_refuses_unknown_exercises_and_broken_checks():
    with pytest.raises(check.GradeError, match="no exercise of this name; did you mean 99-average"):
        check.grade("99-averige", right)
    broken = check.FunctionExercise(id="99-broken", points=1, reference=lambda x: x / 0, cases=lambda rng: [1])
    check.register(broken)
    with pytest.raises(check.GradeError, match="the check itself failed"):
        check.grade("99-broken", lambda x: x)
    check.register(
        check.FunctionExercise(id="99-none", points=1, reference=abs, cases=lambda rng: [1], forbids=("no.x",))
    )
    assert "the check itself failed" in repr(check("99-none", abs))


@pytest.mark.parametrize("given", [(), ("99-average",), (right,), (right, "99-average")])
def test_a_forgotten_argument_gets_a_sentence(given):
    for ask in (check, check.quiz, check.written):
        said = ask(*given)
        assert said.outcome == "error"
        assert 'such as check("02-average", average_maps)' in repr(said)
    assert 'such as check.hint("02-average")' in repr(check.hint())
    assert 'such as check.hint("02-average")' in repr(check.hint(right))


def test_grade_reads_no_environment_variable(monkeypatch):
    asked = []

    class Watched(dict):
        def __getitem__(self, key):
            asked.append(key)
            return super().__getitem__(key)

        def get(self, key, default=None):
            asked.append(key)
            return super().get(key, default)

        __contains__ = get

    check.grade("99-average", right)  # imports are behind us
    monkeypatch.setattr(os, "environ", Watched(os.environ))
    check.grade("99-average", right)
    assert asked == []
    check("99-average", right)
    assert "PYTEST_CURRENT_TEST" in asked  # the watch works: progress does ask


def test_unknown_library_name_is_refused():
    with pytest.raises(ValueError, match=r"forbids must name library objects, got 'toy_library\.nothing'"):
        forbidden(("toy_library.nothing",)).__enter__()
    with pytest.raises(ValueError, match=r"forbids must name Python functions or classes, got 'torch\.pi'"):
        forbidden(("torch.pi",)).__enter__()

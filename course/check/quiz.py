"""Self-test quizzes, whose answers stand in the source only as hashes, and written answers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import permutations
from typing import Any

from course.check import texts
from course.check.exercise import Exercise
from course.check.verdict import Finding
from course.check.words import type_words


def seal(exercise_id: str, choice: str) -> str:
    """Return the hash that stands for one choice of one quiz.

    It keeps an answer from being read by accident; with four choices it is no secret to a determined reader.
    """
    return hashlib.sha256(f"vpcourse|{exercise_id}|{choice.strip().casefold()}".encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class QuizExercise(Exercise):
    """The learner picks one choice, or several where several are right.

    Attributes:
        choices: the names of all choices, such as "abcd".
        right: the seals of all right choices.
        reasons: the seal of each wrong choice to the reason why it is wrong.
    """

    choices: str
    right: frozenset[str]
    reasons: Mapping[str, str] = field(default_factory=dict)

    def varied(self, exercise_id: str, seed: int) -> QuizExercise:
        """Return this quiz with its choices in the order of a class."""
        old = {seal(self.id, choice): seal(exercise_id, new) for choice, new in self.moved(seed).items()}
        right = frozenset(old[sealed] for sealed in self.right)
        reasons = {old[sealed]: reason for sealed, reason in self.reasons.items()}
        return replace(self, id=exercise_id, right=right, reasons=reasons)

    def moved(self, seed: int) -> dict[str, str]:
        """Return what each choice is called in the version of a class.

        The right answer is never the plain quiz's, nor that of the seed before, where other ones are possible.
        """
        right = [choice for choice in self.choices if seal(self.id, choice) in self.right]
        orders: dict[frozenset[str], dict[str, str]] = {}
        for order in permutations(self.choices):
            moved = dict(zip(self.choices, order, strict=True))
            orders.setdefault(frozenset(moved[choice] for choice in right), moved)
        same = orders.pop(frozenset(right))
        others = list(orders.values()) or [same]
        return others[seed % len(others)]

    def _letters(self, word: str) -> list[str]:
        """Return the choices that a word names: "ac" is a and c."""
        return sorted(set(word)) if set(word) <= set(self.choices.casefold()) else [word]

    def attempted(self, answer: Any) -> bool:
        """Whether something was picked."""
        return answer is not ... and answer is not None and not (type(answer) is str and not answer.strip())

    def prepare(self) -> None:
        """Need nothing."""

    def examine(self, answer: Any, prepared: None) -> Finding | None:
        """Say the reason of the first wrong choice, or how many are still to find."""
        picked = [letter for word in _picked(answer) for letter in self._letters(word)]
        unknown = [choice for choice in picked if choice not in self.choices.casefold() or len(choice) != 1]
        names = texts.join(list(self.choices))
        if unknown or not picked:
            got = unknown[0] if unknown else "your answer"
            return Finding("choice", texts.CHOICE_UNKNOWN.format(choice=got, choices=names))
        if len(self.right) == 1 and len(picked) > 1:
            return Finding("choice", texts.CHOICE_ONE.format(choices=names))
        seals = {seal(self.id, choice): choice for choice in picked}
        for sealed in sorted(set(seals) - self.right, key=lambda key: seals[key]):
            reason = self.reasons.get(sealed, "not this one")
            return Finding("choice", texts.CHOICE_WRONG.format(choice=seals[sealed], reason=reason))
        more = len(self.right) - len(seals)
        return Finding("choice", texts.CHOICE_MORE.format(count=more)) if more else None


@dataclass(frozen=True, kw_only=True)
class WrittenExercise(Exercise):
    """The learner writes text, which an instructor grades with a rubric; the check only counts words.

    Attributes:
        min_words: fewer words are not accepted.
    """

    min_words: int = 1

    def attempted(self, answer: Any) -> bool:
        """Whether there is any text apart from the placeholder."""
        if type(answer) is not str:
            return answer is not ... and answer is not None
        return bool(answer.replace("# your code here", "").strip().strip(".").strip())

    def prepare(self) -> None:
        """Need nothing."""

    def examine(self, answer: Any, prepared: None) -> Finding:
        """Count the words."""
        if type(answer) is not str:
            return Finding("type", texts.NOT_TEXT.format(got=type_words(answer)))
        words = texts.plural(len(answer.split()), "word")
        if len(answer.split()) < self.min_words:
            return Finding("values", texts.TOO_SHORT.format(got=words, want=self.min_words))
        return Finding("written", texts.RECORDED.format(words=words), outcome="recorded")


def _picked(answer: Any) -> list[str]:
    if type(answer) is str:
        words = answer.replace(",", " ").split()
        return sorted({word.casefold() for word in words})
    if type(answer) in (tuple, list, set, frozenset):
        return sorted({choice for item in answer for choice in _picked(item)})
    return [type_words(answer)]

"""What a check answers: one sentence in words, a symbol, and a color that is never alone."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["unattempted", "wrong", "error", "passed", "recorded"]

SYMBOLS: dict[Outcome, str] = {"unattempted": "○", "wrong": "✗", "error": "!", "passed": "✓", "recorded": "✓"}

# White symbol on these grounds: contrast 5.5 or more, told apart by every common color vision
# (tests/course/test_accessibility.py).
COLORS: dict[Outcome, str] = {
    "unattempted": "#333333",
    "wrong": "#a63d00",
    "error": "#5e1a73",
    "passed": "#00664b",
    "recorded": "#2464b0",
}


@dataclass(frozen=True)
class Finding:
    """One thing a check saw.

    Attributes:
        stage: where it was seen: type, dtype, shape, values, gradient, inputs, learned, frozen, judged, choice,
            written, library, time, memory, exit, raised or internal.
        sentence: names what is wrong and the fix, without a symbol or the exercise id.
        hint: a hint for exactly this mistake, or None.
        outcome: the outcome it leads to.
    """

    stage: str
    sentence: str
    hint: str | None = None
    outcome: Outcome = "wrong"


@dataclass(frozen=True, repr=False)
class Verdict:
    """The answer of `check(...)`; its repr is one plain sentence, its HTML the same words with color.

    Attributes:
        id: exercise id, such as "02-average".
        outcome: unattempted, wrong, error, passed or recorded.
        sentence: everything after "symbol id: ".
        points: points earned, 0 unless passed.
        finding: what was seen, or None when nothing is wrong.
        printed: the first characters that the learner's code printed while it was checked.
    """

    id: str
    outcome: Outcome
    sentence: str
    points: float = 0.0
    finding: Finding | None = None
    printed: str = ""

    @property
    def passed(self) -> bool:
        """Whether the answer is right."""
        return self.outcome == "passed"

    def __repr__(self) -> str:
        return f"{SYMBOLS[self.outcome]} {self.id}: {self.sentence}"

    def _repr_html_(self) -> str:
        badge = f"background:{COLORS[self.outcome]};color:#ffffff;padding:0 0.45em;border-radius:0.2em"
        words = html.escape(f"{self.id}: {self.sentence}")
        return f'<div><span style="{badge}">{SYMBOLS[self.outcome]}</span> {words}</div>'


@dataclass(frozen=True, repr=False)
class Note:
    """A plain sentence that a notebook shows, such as a hint."""

    sentence: str

    def __repr__(self) -> str:
        return self.sentence

    def _repr_html_(self) -> str:
        return f"<div>{html.escape(self.sentence)}</div>"

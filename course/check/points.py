"""Points that a grader can trust a little more than a number: they carry a signature over exercise and points.

nbgrader reads the text of a cell's result as the points. `Points` is that number, and the same output holds
a second entry, signed with a nonce that the grader chose for this run. A grading step that drops results
without a valid signature gives nothing for a check cell that was removed or overwritten. Code that runs in
the same process can read the nonce, so this is no protection against a determined cheat.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

MIME = "application/vnd.vpcourse.points+json"


class GradeError(Exception):
    """An answer earns no points; the message is the sentence of the check."""


class Points(float):
    """Points of one exercise; prints as a plain number.

    Attributes:
        exercise_id: which exercise earned them.
        signature: over id and points, with the grader's nonce as key.
    """

    exercise_id: str
    signature: str

    def __new__(cls, points: float, exercise_id: str, nonce: str = "") -> Points:
        """Sign a number of points."""
        self = super().__new__(cls, points)
        self.exercise_id = exercise_id
        self.signature = sign(exercise_id, points, nonce)
        return self

    def __repr__(self) -> str:
        return float.__repr__(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        signed = {"id": self.exercise_id, "points": float(self), "signature": self.signature}
        return {"text/plain": repr(self), MIME: signed}


def sign(exercise_id: str, points: float, nonce: str) -> str:
    """Return the signature (hex) over an exercise id and its points."""
    return hmac.new(nonce.encode(), f"{exercise_id}|{float(points)!r}".encode(), hashlib.sha256).hexdigest()


def signed_points(output_data: Mapping[str, Any], exercise_id: str, nonce: str) -> float:
    """Return the points in the data of one notebook output, 0.0 when unsigned or signed for something else."""
    signed = output_data.get(MIME)
    if not isinstance(signed, Mapping):
        return 0.0
    points, signature = signed.get("points"), signed.get("signature")
    if not isinstance(points, int | float) or not isinstance(signature, str) or signed.get("id") != exercise_id:
        return 0.0
    valid = hmac.compare_digest(signature, sign(exercise_id, points, nonce))
    return float(points) if valid else 0.0

"""Marks tests that run answers in the sandbox of the grader: they are left out where bubblewrap does not work."""

import pytest

from course.grading.sandbox import BUBBLEWRAP, isolation

needs_bubblewrap = pytest.mark.skipif(isolation() != BUBBLEWRAP, reason="bubblewrap does not work here")

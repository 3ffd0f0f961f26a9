"""What tests of grading start from: a clone with one small lesson, and its notebook as a learner gets it."""

import pytest
from graded_lesson import learner, lesson


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("clone")
    lesson(root)
    return root


@pytest.fixture(scope="module")
def book(root):
    return learner(lesson(root))

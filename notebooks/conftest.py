"""Strict nbval for the notebooks of this folder."""

from course.nbval_settings import *  # noqa: F403

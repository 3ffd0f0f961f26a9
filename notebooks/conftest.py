"""Strict nbval for the notebooks of this folder."""

from course.authoring.nbval_settings import *  # noqa: F403

"""Figures of the course: arrays in, a picture and the sentence that describes it out."""

from course.show.images import grad_cam, image_row, prompt_maps
from course.show.numbers import intervals, lottery, paired_dots, settings
from course.show.picture import COLORS, Picture
from course.show.tables import confusion, lines

__all__ = [
    "COLORS",
    "Picture",
    "confusion",
    "grad_cam",
    "image_row",
    "intervals",
    "lines",
    "lottery",
    "paired_dots",
    "prompt_maps",
    "settings",
]

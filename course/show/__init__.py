"""Figures of the course: arrays in, a picture and the sentence that describes it out.

All take a `title`; a `label` that says which runs, networks or images the values come from; `made_by`, whose code made
them; and `live`, that they come from training on this machine, or which of them do: the sentence then leaves them out.
"""

from course.show.images import grad_cam, image_row, prompt_maps
from course.show.numbers import intervals, lottery, paired_dots, settings
from course.show.picture import COLORS, Picture
from course.show.sizes import sizes
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
    "sizes",
]

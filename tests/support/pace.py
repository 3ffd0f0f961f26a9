"""What drawing alone costs on this machine now: a yardstick for times that holds on slow processors too."""

import time

import torch

from course.show.picture import Picture, canvas


def processor_seconds(act, repeats=5):
    """Return the processor seconds of `act(number)`, the best of a few calls: other work does not count."""
    took = []
    for number in range(repeats):
        began = time.process_time()
        act(number)
        took.append(time.process_time() - began)
    return min(took)


def bare_drawing(columns=4):
    """Return the processor seconds of a figure's PNG with one image, a title and ticks in each column."""
    figure, axes = canvas(9.6, 2.2, columns, layout="none")
    for axis in axes[0]:
        axis.imshow(torch.zeros(28, 28).numpy())
        axis.set_title("a usual title", fontsize=9)
    return processor_seconds(lambda number: Picture(figure, "").png())

"""A small library of right answers for the tests of the check engine."""

from functools import wraps

import torch
from torch import nn


def average(first, second):
    """The mean of two tensors."""
    return (first + second) / 2


def counted(function):
    calls = [0]

    @wraps(function)
    def inner(*args, **kwargs):
        calls[0] += 1
        return function(*args, **kwargs)

    return inner


@counted
def decorated_average(first, second):
    return torch.lerp(first, second, 0.5)


class Shift(nn.Module):
    """Adds a learned row to every image row."""

    def __init__(self, width=4):
        super().__init__()
        self.row = nn.Parameter(torch.zeros(width))
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, images):
        return images * self.gain + self.row

    def twice(self, images):
        return self.forward(self.forward(images))

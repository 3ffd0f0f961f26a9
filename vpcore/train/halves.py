"""One training step on a whole batch, or in two halves where the device has no room for the whole."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from vpcore.train.runstate import RunState

Value = Callable[[Any, Tensor, Tensor], Tensor]
NO_ROOM = ("can't allocate memory", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")  # of no class of theirs
log = logging.getLogger(__name__)


class PlainStep:
    """Take plain training steps; the first that runs out of memory halves its batch, and so do all after it.

    The two halves' gradients, weighed by their images, add up to that of the whole batch: the loss is a mean over
    images. Rounding differs. Two things do see the halves: batch norms that learn, which take their statistics from
    each half, and dropout, which draws anew.

    Args:
        state: model, optimizer and generators.
        value: returns the loss of the part of the model to run, a batch and its labels.
    """

    def __init__(self, state: RunState, value: Value) -> None:
        self.state, self.value, self.halved = state, value, False

    def __call__(self, entry: Any, images: Tensor, labels: Tensor, factor: float) -> Tensor:
        """Take one step at `factor` times the peak learning rate; returns the loss.

        Raises:
            ValueError: half a batch does not fit either.
        """
        noise, half = self.state.noise.get_state(), -(-len(images) // 2)
        whole = not self.halved or len(images) == 1
        loss = self._gradient(entry, images, labels, 1 if whole else 2)
        if loss is None and whole and half < len(images):
            log.warning("out of memory with %d images a step: going on in two halves of %d", len(images), half)
            self.halved = True
            self.state.noise.set_state(noise)
            loss = self._gradient(entry, images, labels, 2)
        if loss is None:
            fix = "lower batch_size or image_size, or give fit_seeds fewer models"
            raise ValueError(f"out of memory, also with {half} images a step: {fix}")
        self.state.apply(factor)
        return loss

    def _gradient(self, entry: Any, images: Tensor, labels: Tensor, pieces: int) -> Tensor | None:
        """Leave the gradient of a batch in the parameters and return its loss; None if there was no room."""
        self.state.optimizer.zero_grad(set_to_none=True)
        total = None
        try:
            for some, theirs in zip(images.tensor_split(pieces), labels.tensor_split(pieces), strict=True):
                value = self.value(entry, some, theirs)
                value = value if pieces == 1 else value * (len(some) / len(images))
                self.state.backward(value)
                total = value.detach() if total is None else total + value.detach()
            return total
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
        self.state.optimizer.zero_grad(set_to_none=True)  # behind the handler, whose traceback holds the batch
        if images.device.type == "cuda":
            torch.cuda.empty_cache()
        return None


def out_of_memory(error: RuntimeError) -> bool:
    """Return whether a device or the machine had no room for a tensor."""
    return isinstance(error, torch.OutOfMemoryError) or any(said in str(error) for said in NO_ROOM)

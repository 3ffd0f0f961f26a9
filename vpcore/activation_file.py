"""Room for the activations of a split: in memory, or in a temporary file that is mapped into memory."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from math import prod
from tempfile import TemporaryDirectory

import torch
from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """How many activations of which shape, and whether their channels lie next to each other in memory.

    Attributes:
        count: images.
        sizes: of one image's activations in the order in which they lie in memory.
        channels_last: that order ends with the channels; tensors show them first.
        dtype: of the numbers.
    """

    count: int
    sizes: tuple[int, ...]
    channels_last: bool
    dtype: torch.dtype

    @property
    def nbytes(self) -> int:
        """Bytes of all activations."""
        return self.count * prod(self.sizes) * self.dtype.itemsize

    def in_memory(self) -> Tensor:
        """Return room in memory."""
        return self._view(torch.empty(self.count * prod(self.sizes), dtype=self.dtype))

    def new_file(self) -> TemporaryDirectory[str]:
        """Return a new folder for the file; it goes when the object does.

        Raises:
            OSError: the disk has too little room.
        """
        folder = TemporaryDirectory(prefix="vpcore-cache-", ignore_cleanup_errors=True)
        free = shutil.disk_usage(folder.name).free
        if self.nbytes > free:
            where = f"{folder.name} has room for {free:,} bytes, the activations take {self.nbytes:,}"
            raise OSError(f"{where}: free space, set TMPDIR, or cache fewer images")
        return folder

    def mapped(self, folder: TemporaryDirectory[str]) -> Tensor:
        """Map the file into memory; a part of it takes memory only once it is read or written through this tensor."""
        numbers = self.count * prod(self.sizes)
        return self._view(torch.from_file(f"{folder.name}/activations", shared=True, size=numbers, dtype=self.dtype))

    def _view(self, flat: Tensor) -> Tensor:
        store = flat.view(self.count, *self.sizes)
        return store.movedim(-1, 1) if self.channels_last else store


def layout_of(count: int, like: Tensor) -> Layout:
    """Return the layout of `count` activations that lie in memory as those of this batch do."""
    last = like.dim() == 4 and like.is_contiguous(memory_format=torch.channels_last)
    return Layout(count, tuple((like.movedim(1, -1) if last else like).shape[1:]), last, like.dtype)

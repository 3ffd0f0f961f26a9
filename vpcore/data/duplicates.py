"""Images that look alike, found by a perceptual hash."""

import numpy as np
from jaxtyping import UInt8
from torch import Tensor
from torch.nn import functional

BITS = 10  # of 64 that two hashes may differ by
SHARE = 0.1  # of its spread that a small picture may differ by on average, so that plain areas must be the same


def near_duplicates(first: UInt8[Tensor, "n c h w"], second: UInt8[Tensor, "m c h w"]) -> list[tuple[int, int]]:
    """Return pairs of an image of the first and one of the second set that look alike: copies, resized or compressed.

    The difference hash (Krawetz, 2013) says where 8 × 9 grey pixels get brighter to the right; pairs of like hashes are
    compared pixel by pixel, since the hash of a plain area is noise. Mirrored or cropped copies are not found.
    """
    (hashes, small), (others, little) = _hashes(first), _hashes(second)
    found = []
    for index, code in enumerate(others):
        for twin in np.flatnonzero(np.bitwise_count(hashes ^ code) <= BITS):
            if np.abs(small[twin] - little[index]).mean() <= SHARE * small[twin].std():
                found.append((int(twin), index))
    return found


def _hashes(images: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return a hash (N,) of 64 bits, and the small pictures (N, 8, 9) it comes from."""
    small = np.concatenate(
        [functional.adaptive_avg_pool2d(chunk.float().mean(1), (8, 9)).numpy() for chunk in images.split(512)]
    )
    bits = np.packbits((small[:, :, 1:] > small[:, :, :-1]).reshape(len(small), 64), axis=1)
    return np.ascontiguousarray(bits).view(np.uint64)[:, 0], small

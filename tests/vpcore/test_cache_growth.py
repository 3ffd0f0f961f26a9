"""Time and memory of cached layers: linear in the images, and memory independent of the layers that lie on disk."""

import sys

import pytest
from benchmarks import cache_growth

FEW, MANY = 500, 2000
LINUX = sys.platform.startswith("linux")


@pytest.mark.skipif(not LINUX, reason="resident memory is read from /proc")
def test_memory_does_not_grow_with_the_layers_on_disk():
    few, one, four = (cache_growth.in_own_process(n, layers) for n, layers in ((FEW, 1), (MANY, 1), (MANY, 4)))
    assert one["disk"] == 4 * few["disk"]
    added = four["disk"] - one["disk"]
    assert added > 2**25  # 32 MiB and more: well above what an allocator keeps
    assert abs(four["cached"] - one["cached"]) < added / 8
    assert abs(four["trained"] - one["trained"]) < added / 8
    assert one["cached"] < 2 * MANY * 3 * 32 * 32  # the images, and little else
    assert one["made"] < 3 * MANY / FEW * few["made"]  # generous: linear, and not square (which would be 16)
    assert one["epoch"] < 3 * MANY / FEW * few["epoch"]


def test_a_row_divides_by_images_and_layers():
    found = {"disk": 2**20, "made": 2.0, "epoch": 0.5, "cached": 2**20, "trained": 3 * 2**20}
    assert cache_growth.row(1000, 4, found) == ["1,000", "4", "1", "2.00", "0.50", "1", "3", "0.500", "3.1"]

"""How much faster a cached layer sweep and a cached linear probe are. Run: python tests/benchmarks/cache_speed.py.

Rounds of cached and uncached epochs alternate. A run of E epochs is timed as E times the median epoch, plus the passes
that build its caches, in seconds of the process (set OMP_NUM_THREADS=1): on a busy machine this is steadier than one
long clock. The limit is what counted operations allow.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from itertools import chain, islice, pairwise

import torch

import vpcore
from vpcore.cache import cached
from vpcore.data.splits import Split
from vpcore.experiments.runs.machine import hardware
from vpcore.flops import forward_flops, step_flops

TRAIN, VALID, BATCH, EPOCHS, PROBE_EPOCHS, ROUNDS = 1024, 280, 256, 20, 50, 2
Build = Callable[[], vpcore.Prompted]


def random_split(count: int, seed: int) -> Split:
    draw = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (count, 3, 32, 32), generator=draw, dtype=torch.uint8)
    return Split(images, torch.randint(10, (count,), generator=draw))


def rounds_of(build: Build, cache: bool) -> Iterator[tuple[list[float], float, float]]:
    """Train on and on; yield some epochs' seconds, the best validation accuracy, and the seconds it took to cache."""
    model, train, valid = build(), random_split(TRAIN, 0), random_split(VALID, 1)
    began = time.process_time()
    if cache:
        train, valid = cached(model, train), cached(model, valid)
    made = time.process_time() - began
    while True:
        ends: list[float] = []
        history = vpcore.fit(
            model, train, valid, epochs=4, batch_size=BATCH, device="cpu", precision="float32",
            on_epoch=lambda record, ends=ends: ends.append(time.process_time()),
        )  # fmt: skip
        yield [after - before for before, after in pairwise(ends)], history.best.valid_accuracy, made


def operations(build: Build, layer: int, epochs: int) -> tuple[int, int]:
    """Count the operations of an uncached and of a cached run."""
    model, image = build(), torch.zeros(1, 3, 32, 32)
    z = model.backbone.activations(model.normalize(image), layer)
    below = forward_flops(model, image) - forward_flops(_Above(model, layer), z)
    run = epochs * (TRAIN * step_flops(model, image) + VALID * forward_flops(model, image))
    return run, run - (epochs - 1) * (TRAIN + VALID) * below


class _Above(torch.nn.Module):
    def __init__(self, model: vpcore.Prompted, layer: int) -> None:
        super().__init__()
        self.model, self.layer = model, layer

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.model(z, start=self.layer)


def compare(name: str, build: Build, layer: int, epochs: int) -> tuple[float, float, int, int]:
    pairs = list(islice(zip(rounds_of(build, False), rounds_of(build, True), strict=True), ROUNDS))
    assert all(slow[1] == fast[1] for slow, fast in pairs), f"{name}: another accuracy with a cache"
    slow, fast = (epochs * statistics.median(chain(*(pair[i][0] for pair in pairs))) for i in (0, 1))
    fast += pairs[0][1][2]
    work, rest = operations(build, layer, epochs)
    share = slow / fast / (work / rest)
    print(f"{name:22} {slow:7.2f} s {fast:7.2f} s {slow / fast:6.2f} x, limit {work / rest:6.2f} x, {share:4.0%} of it")
    return slow, fast, work, rest


def sweep(name: str) -> None:
    backbone = vpcore.load_backbone(name, pretrained=False)
    spec, totals = backbone.spec, [0.0, 0.0, 0, 0]

    def build(layer: int) -> vpcore.Prompted:
        return vpcore.Prompted(backbone, vpcore.ActivationPrompt(spec, layer), vpcore.LinearHead(spec.dim, 10))

    for layer in range(spec.depth + 1):
        found = compare(f"{name} layer {layer}", lambda layer=layer: build(layer), layer, EPOCHS)
        totals = [total + each for total, each in zip(totals, found, strict=True)]
    slow, fast, work, rest = totals
    share = slow / fast / (work / rest)
    print(f"{name} sweep: {slow / fast:.2f} x of {work / rest:.2f} x by count: {share:.0%}")

    def probe() -> vpcore.Prompted:
        return vpcore.Prompted(backbone, vpcore.NoPrompt(spec), vpcore.LinearHead(spec.dim, 10))

    compare(f"{name} linear probe", probe, spec.depth, PROBE_EPOCHS)


if __name__ == "__main__":
    print(f"{hardware('cpu')}, {torch.get_num_threads()} thread(s), {TRAIN} + {VALID} images, batch {BATCH}")
    for backbone_name in sys.argv[1:] or ["vit_nano", "resnet_nano"]:
        sweep(backbone_name)

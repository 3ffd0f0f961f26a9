"""How time and memory of cached layers grow. Run: python tests/benchmarks/cache_growth.py [--images 1000 4000 16000].

Each line is a process of its own: it makes N random images, caches L layers of resnet_nano in files, and trains an
activation prompt on one of them for an epoch. Memory is what the process holds itself, above what it held before it
had any images. Pages of mapped files are not in it: the system takes them back whenever it needs the room, those of
the cache as well as those of the libraries. The last two columns divide by the images, so a line that grows as its
images do repeats the numbers above it.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import torch

import vpcore
from vpcore.cache import cached
from vpcore.data.splits import Split
from vpcore.experiments.runs.machine import hardware

sys.path[:0] = [str(Path(__file__).parent)]
import rows  # noqa: E402

ROOT = Path(__file__).parents[2]
LAYERS = (4, 3, 5, 2)  # the first is trained on: 1,024 numbers an image; others lie on disk
IMAGES, ON_DISK = (1000, 4000, 16000), (1, 4)
HEAD = ("images", "layers on disk", "MiB on disk", "s to cache", "s an epoch", "MiB cached", "MiB trained")
RATES = ("ms to cache an image and layer", "KiB an image when trained")


def own_memory() -> int:
    """Bytes in memory that belong to this process alone, without the pages of mapped files and what was freed."""
    gc.collect()
    with suppress(AttributeError):  # not glibc
        ctypes.CDLL(None).malloc_trim(0)
    [line] = [
        line
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        if line.startswith("RssAnon")
    ]
    return int(line.split()[1]) * 1024


def measure(count: int, layers: int) -> dict[str, float]:
    """Cache some layers of random images in files, and train on the first."""
    torch.set_num_threads(1)
    backbone = vpcore.load_backbone("resnet_nano")
    models = [
        vpcore.Prompted(
            backbone, vpcore.ActivationPrompt(backbone.spec, layer), vpcore.LinearHead(backbone.spec.dim, 10)
        )
        for layer in LAYERS[:layers]
    ]
    warm = random_split(500)
    vpcore.fit(models[0], cached(models[0], warm, memory_limit=0), warm, epochs=1, device="cpu")
    before = own_memory()
    images, began = random_split(count), time.process_time()
    kept = [cached(model, images, memory_limit=0) for model in models]
    made, after_cache = time.process_time() - began, own_memory() - before
    began = time.process_time()
    vpcore.fit(models[0], kept[0], warm, epochs=1, batch_size=128, device="cpu", precision="float32")
    epoch = time.process_time() - began
    disk = sum(split.nbytes for split in kept)
    return {"disk": disk, "made": made, "epoch": epoch, "cached": after_cache, "trained": own_memory() - before}


def random_split(count: int) -> Split:
    """Images of noise."""
    draw = torch.Generator().manual_seed(0)
    images = torch.randint(256, (count, 3, 32, 32), generator=draw, dtype=torch.uint8)
    return Split(images, torch.randint(10, (count,), generator=draw))


def in_own_process(count: int, layers: int) -> dict[str, float]:
    """Measure in a fresh process."""
    command = [sys.executable, __file__, "--one", str(count), str(layers)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return json.loads(done.stdout)


def row(count: int, layers: int, found: dict[str, float]) -> list[str]:
    """Write one line of the table."""
    mib = {name: found[name] / 2**20 for name in ("disk", "cached", "trained")}
    each, kib = 1000 * found["made"] / count / layers, found["trained"] / 2**10 / count
    numbers = [f"{mib['disk']:.0f}", f"{found['made']:.2f}", f"{found['epoch']:.2f}"]
    return [
        f"{count:,}",
        str(layers),
        *numbers,
        f"{mib['cached']:.0f}",
        f"{mib['trained']:.0f}",
        f"{each:.3f}",
        f"{kib:.1f}",
    ]


def stated(count: int, layers: int, found: dict[str, float]) -> dict[str, object]:
    """Return one line of the record, with the memory that training on the first layer took."""
    mib = {name: round(found[name] / 2**20) for name in ("disk", "trained")}
    what = f"{count:,} images, {layers} of 8 layers of resnet_nano cached: {mib['disk']} MiB in files"
    held = f"{mib['trained']} MiB of its own memory, mapped pages left out, when one is trained on"
    return rows.row(f"{what}, {held}", found["made"])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", nargs="+", type=int, default=IMAGES)
    parser.add_argument("--layers", nargs="+", type=int, default=ON_DISK)
    parser.add_argument("--one", nargs=2, type=int, metavar=("IMAGES", "LAYERS"), help="measure here, and print JSON")
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(measure(*chosen.one)))
        return
    print(f"{hardware()['processor']}, torch {torch.__version__}, one thread, processor seconds")
    found = {(n, layers): in_own_process(n, layers) for n in chosen.images for layers in chosen.layers}
    table = [[*HEAD, *RATES], *(row(n, layers, figures) for (n, layers), figures in found.items())]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        print("  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)))
    rows.say([stated(n, layers, figures) for (n, layers), figures in found.items()])


if __name__ == "__main__":
    main()

"""Training on a Dataset and on a DataLoader, against the usual loop written by hand over the same DataLoader.

Run: OMP_NUM_THREADS=1 python tests/benchmarks/loading.py. Images of 32×32 pixels are decoded from PNG files in memory
and pass torchvision's transforms, all in this process; a frozen backbone with a prompt, batches of 64, float32. The
ways alternate; seconds are those of the process, so that other work on the machine does not count. The bar is 0.9 of
the speed of the loop written by hand.
"""

from __future__ import annotations

import io
import time

import numpy as np
import torch
from PIL import Image
from rows import row, say
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

import vpcore

IMAGES, BATCH, ROUNDS = 640, 64, 5
TRANSFORM = v2.Compose([v2.ToImage(), v2.RandomHorizontalFlip(), v2.ToDtype(torch.float32, scale=True)])


class Files(Dataset):
    """Noise as PNG files."""

    def __init__(self) -> None:
        draw = np.random.default_rng(0)
        self.files = []
        for _ in range(IMAGES):
            file = io.BytesIO()
            Image.fromarray(draw.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(file, "PNG")
            self.files.append(file.getvalue())

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return TRANSFORM(Image.open(io.BytesIO(self.files[index])).convert("RGB")), index % 10


def build() -> vpcore.Prompted:
    backbone = vpcore.load_backbone("resnet_nano", pretrained=False)
    prompt = vpcore.ActivationPrompt(backbone.spec, layer=5)
    return vpcore.Prompted(backbone, prompt, vpcore.LinearHead(backbone.spec.dim, 10))


def by_hand(data: Dataset, valid: vpcore.Split) -> None:
    model = build()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3, fused=True)
    model.train()
    for images, labels in DataLoader(data, batch_size=BATCH, shuffle=True):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
    vpcore.evaluate(model, valid)


def by_fit(data: Dataset | DataLoader, valid: vpcore.Split) -> None:
    vpcore.fit(build(), data, valid, epochs=1, lr=1e-3, batch_size=BATCH, schedule="constant", device="cpu")


def main() -> None:
    data = Files()
    valid = vpcore.Split(torch.zeros(10, 3, 32, 32, dtype=torch.uint8), torch.arange(10))
    ways = {
        "loop": lambda: by_hand(data, valid),
        "Dataset": lambda: by_fit(data, valid),
        "DataLoader": lambda: by_fit(DataLoader(data, batch_size=BATCH, shuffle=True), valid),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(ROUNDS + 1):
        for name, way in ways.items():
            began = time.process_time()
            way()
            if turn:  # the first warms up
                seconds[name].append(time.process_time() - began)
    rows = []
    for name in ("Dataset", "DataLoader"):
        ratios = [loop / mine for loop, mine in zip(seconds["loop"], seconds[name], strict=True)]
        rows.append(
            row(f"an epoch of {IMAGES} images by fit on a {name}", min(seconds[name]), ratios, "a loop by hand", 0.9)
        )
        print(f"{name}: {min(seconds[name]):.3f} s, {sorted(ratios)[ROUNDS // 2]:.2f} of the speed of the loop by hand")
    say(rows)


if __name__ == "__main__":
    main()

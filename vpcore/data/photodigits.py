"""Two bundled sets made from what scikit-learn ships: real digits, and the same digits pasted on real photographs.

`digits` are the 1,797 handwritten 8×8 digits (Alpaydin and Kaynak, 1998), up-scaled to 28×28 grey. `photodigits` is
semi-synthetic: those digits, colored and pasted over crops of two photographs, 32×32 RGB, made from a seed.
"""

import numpy as np
import torch

from vpcore.data.splits import Split, stratified_order

SIZE = 32  # height and width of a photodigits image
NUM_TRAIN, NUM_TEST = 1100, 397  # of the 1,797 digits; the 300 between them are for validation
STRIPS = {"train": (0.0, 0.55), "test": (0.55, 0.78), "valid": (0.78, 1.0)}  # of the photographs' width
CROP = (32, 96)  # smallest and largest side of a photograph's crop
WIDTH = (18, 30)  # smallest and largest width of a pasted digit
FIXED_WIDTH = 24
COLOR_DISTANCE = 0.5  # of a digit's color from the mean color behind it, in [0, 1] RGB units
CANDIDATES = 8  # colors drawn for a digit; the first that is far enough is used
COLUMNS = 8 + 3 * CANDIDATES  # uniform numbers that one image is made from

Instances = tuple[np.ndarray, np.ndarray]  # 8×8 planes in [0, 1] and their labels


def digits(seed: int, split: str) -> dict[str, Split]:
    """Return the 1,797 digits as 28×28 grey: 1,100 train, 300 valid, 397 test.

    The test images never change; `seed` shuffles the other 1,400 between train and valid. The native resolution is
    8×8, so no claim about MNIST follows from a result on these. Thirteen writers wrote them, who are not labeled, and
    the cut is at random: test digits have their writer's others in train. The nearest training digit names 99.7 % of
    them. With `split` "contiguous" the three parts follow each other in the file, whatever the seed, so that hardly a
    writer is in two of them; the nearest training digit then names 95.0 %.
    """
    return {part: _upscale(planes, labels) for part, (planes, labels) in _partition(seed, split).items()}


def _partition(seed: int, split: str) -> dict[str, Instances]:
    """Cut the digits into disjoint train, valid and test instances (8×8 planes in [0, 1])."""
    from sklearn.datasets import load_digits

    source = load_digits()
    planes, labels = source.images / 16.0, source.target.astype(np.int64)  # type: ignore[attr-defined]
    if split == "contiguous":
        cuts = np.split(np.arange(len(labels)), [NUM_TRAIN, -NUM_TEST])
        places = zip(("train", "valid", "test"), cuts, strict=True)
        return {part: (planes[where], labels[where]) for part, where in places}
    fixed = stratified_order(labels, seed=0)
    rest, test = fixed[:-NUM_TEST], fixed[-NUM_TEST:]
    rest = rest[stratified_order(labels[rest], seed)]
    chosen = {"train": rest[:NUM_TRAIN], "valid": rest[NUM_TRAIN:], "test": test}
    return {part: (planes[np.sort(where)], labels[np.sort(where)]) for part, where in chosen.items()}


def _upscale(planes: np.ndarray, labels: np.ndarray) -> Split:
    tensor = torch.from_numpy(planes)[:, None]
    large = torch.nn.functional.interpolate(tensor, (28, 28), mode="bilinear", align_corners=False)
    return Split((large * 255).round().to(torch.uint8), torch.from_numpy(labels))


def photodigits(seed: int, position: str, counts: dict[str, int], split: str) -> dict[str, Split]:
    """Paste colored digits over photograph crops; each part has its own digits, photo strips and random stream.

    An image is a function of (seed, part, index) alone, so a part does not change with the size of another, and a
    smaller one is the beginning of a larger one. Which digits belong to which part, only `split` decides.

    Args:
        seed: chooses digits, colors, places and crops.
        position: "random" (18–30 pixels wide, anywhere) or "fixed" (24 pixels wide, centered).
        counts: number of images of "train", "valid" and "test"; labels run 0 … 9, 0 … 9, so classes are balanced.
        split: how the digits are cut, as `digits` says.

    Raises:
        ValueError: another position, or a count below 1.
    """
    if position not in ("random", "fixed"):
        raise ValueError(f'position must be "random" or "fixed", got {position!r}: use one of the two')
    instances = _partition(0, split)
    parts = {}
    for index, (part, count) in enumerate(counts.items()):
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ValueError(f"num_{part} must be a whole number, 1 or more, got {count!r}: try 100")
        draws = np.random.default_rng([seed, index]).random((count, COLUMNS))
        parts[part] = _render(draws, instances[part], _photo_strips(part), position)
    return parts


def _photo_strips(part: str) -> list[np.ndarray]:
    """Return the part's vertical strip of each photograph, as summed-area tables of shape (H+1, W+1, 3)."""
    from sklearn.datasets import load_sample_images

    tables = []
    for photo in load_sample_images().images:  # type: ignore[attr-defined]
        left, right = (round(edge * photo.shape[1]) for edge in STRIPS[part])
        table = np.zeros((photo.shape[0] + 1, right - left + 1, 3))
        table[1:, 1:] = photo[:, left:right].astype(np.float64).cumsum(0).cumsum(1) / 255
        tables.append(table)
    return tables


def _render(draws: np.ndarray, instances: Instances, tables: list[np.ndarray], position: str) -> Split:
    planes, labels = instances
    wanted = np.arange(len(draws)) % 10
    pools = [np.flatnonzero(labels == label) for label in range(10)]
    picked = np.array([pools[label][int(u * len(pools[label]))] for label, u in zip(wanted, draws[:, 0], strict=True)])
    back = _backgrounds(draws[:, 1:5], tables)  # (N, 32, 32, 3)
    ink = _paste(planes[picked], draws[:, 5:8], position)[..., None]  # (N, 32, 32, 1)
    color = _colors(draws[:, 8:], (back * ink).sum((1, 2)) / ink.sum((1, 2)))
    mixed = ink * color[:, None, None] + (1 - ink) * back
    images = torch.from_numpy(np.rint(mixed * 255).clip(0, 255).astype(np.uint8)).permute(0, 3, 1, 2).contiguous()
    return Split(images, torch.from_numpy(wanted.astype(np.int64)))


def _backgrounds(draws: np.ndarray, tables: list[np.ndarray]) -> np.ndarray:
    """Cut a square from a photograph and shrink it to 32×32 by exact area averages; draws: photo, side, y, x."""
    out = np.empty((len(draws), SIZE, SIZE, 3))
    photo = (draws[:, 0] * len(tables)).astype(int)
    side = np.floor(CROP[0] + draws[:, 1] * (CROP[1] - CROP[0] + 1))
    for number, table in enumerate(tables):
        rows = photo == number
        start = [np.floor(draws[rows, 2 + axis] * (table.shape[axis] - side[rows])) for axis in (0, 1)]
        edges = [s[:, None] + np.linspace(0, 1, SIZE + 1) * side[rows, None] for s in start]  # (n, 33) each
        corner = _interpolate(table, edges[0], edges[1])
        area = (corner[:, 1:, 1:] - corner[:, 1:, :-1]) - (corner[:, :-1, 1:] - corner[:, :-1, :-1])
        out[rows] = area / ((side[rows] / SIZE) ** 2)[:, None, None, None]
    return out


def _interpolate(table: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Read a summed-area table between its grid points, which is exact; y, x (n, 33) → (n, 33, 33, 3)."""
    top, left = np.minimum(y.astype(int), len(table) - 2), np.minimum(x.astype(int), table.shape[1] - 2)
    fy, fx = (y - top)[:, :, None, None], (x - left)[:, None, :, None]
    top, left = top[:, :, None], left[:, None, :]
    upper = table[top, left] * (1 - fx) + table[top, left + 1] * fx
    lower = table[top + 1, left] * (1 - fx) + table[top + 1, left + 1] * fx
    return upper * (1 - fy) + lower * fy


def _paste(planes: np.ndarray, draws: np.ndarray, position: str) -> np.ndarray:
    """Scale 8×8 planes bilinearly and place them on an empty 32×32 canvas; draws: width, y, x."""
    width = np.floor(WIDTH[0] + draws[:, 0] * (WIDTH[1] - WIDTH[0] + 1))
    corner = np.floor(draws[:, 1:] * (SIZE - width + 1)[:, None])
    if position == "fixed":
        width, corner = np.full_like(width, FIXED_WIDTH), np.full_like(corner, (SIZE - FIXED_WIDTH) // 2)
    pixel = np.arange(SIZE) + 0.5
    source = (pixel - corner[:, :, None]) * (8 / width)[:, None, None] - 0.5  # (N, 2, 32): place in the 8×8 plane
    weight = np.maximum(0, 1 - np.abs(source[..., None] - np.arange(8)))  # (N, 2, 32, 8)
    canvas = weight[:, 0] @ planes @ weight[:, 1].transpose(0, 2, 1)
    return np.clip(1.4 * canvas - 0.1, 0, 1)  # steeper strokes: the 8×8 grid blurs them


def _colors(draws: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """Choose for each digit the first drawn color far enough from what is behind it, or else the farthest."""
    candidates = draws.reshape(len(draws), CANDIDATES, 3)
    distance = np.linalg.norm(candidates - behind[:, None], axis=-1)
    best = np.where((distance >= COLOR_DISTANCE).any(1), (distance >= COLOR_DISTANCE).argmax(1), distance.argmax(1))
    return candidates[np.arange(len(draws)), best]

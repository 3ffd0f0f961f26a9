"""Which torchvision class reads a set, where it lies on disk, and what its files must hash to."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Source:
    """How torchvision names a set: its class, what marks it on disk, and the arguments of each split."""

    loader: str
    marker: str
    parts: dict[str, dict[str, Any]]


OLD_STYLE: dict[str, dict[str, Any]] = {"train": {"train": True}, "test": {"train": False}}


def _named(*splits: str) -> dict[str, dict[str, Any]]:
    return {part: {"split": split} for part, split in zip(("train", "test", "valid"), splits, strict=False)}


SOURCES = {
    "mnist": Source("MNIST", "MNIST/raw", OLD_STYLE),
    "fashion_mnist": Source("FashionMNIST", "FashionMNIST/raw", OLD_STYLE),
    "kmnist": Source("KMNIST", "KMNIST/raw", OLD_STYLE),
    "cifar10": Source("CIFAR10", "cifar-10-batches-py", OLD_STYLE),
    "cifar100": Source("CIFAR100", "cifar-100-python", OLD_STYLE),
    "svhn": Source("SVHN", "train_32x32.mat", _named("train", "test")),
    "gtsrb": Source("GTSRB", "gtsrb/GTSRB", _named("train", "test")),
    "dtd": Source("DTD", "dtd/dtd", _named("train", "test", "val")),
    "flowers102": Source("Flowers102", "flowers-102", _named("train", "test", "val")),
    "food101": Source("Food101", "food-101", _named("train", "test")),
    "oxford_pets": Source("OxfordIIITPet", "oxford-iiit-pet", _named("trainval", "test")),
    "stanford_cars": Source("StanfordCars", "stanford_cars", _named("train", "test")),
    "caltech101": Source("Caltech101", "caltech101/101_ObjectCategories", {"all": {}}),
    "sun397": Source("SUN397", "SUN397", {"all": {}}),
    "pcam": Source("PCAM", "pcam", _named("train", "test", "val")),
    "clevr": Source("CLEVRClassification", "clevr", _named("train", "val")),
    "eurosat": Source("EuroSAT", "eurosat/2750", {"all": {}}),
    "stl10": Source("STL10", "stl10_binary", _named("train", "test")),
}
# torchvision checks the md5 of CIFAR, SVHN, STL10 before it reads them, but not of these unpacked files
IDX_MD5 = {
    "MNIST/raw/train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "MNIST/raw/train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "MNIST/raw/t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "MNIST/raw/t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    "FashionMNIST/raw/train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "FashionMNIST/raw/train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
    "FashionMNIST/raw/t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
    "FashionMNIST/raw/t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
}

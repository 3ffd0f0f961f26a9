"""Where to run, in which precision and mode, and with whose random numbers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import TracebackType

import torch
from torch import Tensor, nn

PROFILES = ("quick", "full")
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
NO_ROOM = (  # what a RuntimeError of no class of its own says
    *("can't allocate memory", "not enough memory", "Storage size calculation overflowed"),
    *("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED"),
)


def profile() -> str:
    """Return the profile named by VPCOURSE_PROFILE: "quick" (default; offline, small, float32) or "full"."""
    name = os.environ.get("VPCOURSE_PROFILE") or "quick"
    if name not in PROFILES:
        raise ValueError(f"VPCOURSE_PROFILE must be quick or full, got {name!r}")
    return name


class NotDownloaded(FileNotFoundError):
    """Files are not here, and fetching them failed."""


class OutOfMemory(ValueError):
    """A device, or the machine, has no room for a tensor."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory ran out, which has no one type in torch."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    said = vars(BaseException)["args"].__get__(error)[:1]  # str(error) may run code of whoever raised it
    texts = [text for text in said if type(text) is str and isinstance(error, RuntimeError)]
    return any(words in text for text in texts for words in NO_ROOM)


def at_least_float32(values: Tensor) -> Tensor:
    """Return values of any shape in float32, or in float64 where they are: what a loss is computed in."""
    return values if values.dtype == torch.float64 else values.float()


class memory_named:
    """Make running out of memory inside a `with` an error that says what to do.

    Not a generator: with Python 3.13.0, one that turns an error into another keeps all that the first held on to.

    Args:
        says: the text of the error.

    Raises:
        OutOfMemory: with these words.
    """

    def __init__(self, says: str) -> None:
        self.says = says

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(error, RuntimeError | MemoryError) and is_out_of_memory(error):
            raise OutOfMemory(self.says) from error


def choose_device(device: str | torch.device | None = None) -> torch.device:
    """Return the device asked for, or CUDA if there is one, or the CPU.

    Raises:
        ValueError: Apple's MPS, which has no float64; measures here need it.
    """
    chosen = torch.device(device if device is not None else "cuda" if torch.cuda.is_available() else "cpu")
    if chosen.type == "mps":
        raise ValueError("vpcore runs on the CPU and on CUDA, got mps: it has no float64; give device='cpu'")
    return chosen


def is_here(device: torch.device | str) -> bool:
    """Return whether this machine has a device: the CPU always, and no GPU that is of another machine."""
    found = torch.device(device)
    return found.type != "cuda" or (found.index or 0) < torch.cuda.device_count()


def choose_precision(precision: str | None, device: torch.device) -> str:
    """Return the precision asked for; by default float32, and half precision on CUDA in the full profile."""
    if precision is not None:
        if precision not in PRECISIONS:
            raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
        return precision
    if device.type != "cuda" or profile() == "quick":
        return "float32"
    return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"


def autocast(precision: str, device: torch.device) -> AbstractContextManager:
    """Return the context in which a forward pass runs in this precision."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=PRECISIONS[precision])


@contextmanager
def own_random_stream(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Seed the global random stream inside, and put it back as it was: that of the CPU, and of `device` if it is a GPU.

    Fresh weights and dropout draw from it.
    """
    index = []
    if device is not None and device.type == "cuda":
        index = [torch.cuda.current_device() if device.index is None else device.index]
    with torch.random.fork_rng(devices=index):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would also reseed GPUs that are not ours
        for gpu in index:
            torch.cuda.default_generators[gpu].manual_seed(seed)
        yield


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model in eval mode inside, and each of its modules back into the mode it had, also after an error."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        model.train(modes[model])
        for module, mode in modes.items():  # from the outside in
            if module.training is not mode:
                module.train(mode)


def prefer_channels_last(model: nn.Module) -> nn.Module:
    """Store the weights of a convolutional model channels-last, in place, and return it; other models stay as they are.

    The layout changes no value. Measured on two CPU cores, it makes training of the small CNNs faster. On a CPU, models
    with a group norm stay as they are: its backward pass in torch crashes on this layout.
    """
    convolutions = sum(isinstance(module, nn.Conv2d) for module in model.modules())  # a ViT has one, which cuts patches
    on_cpu = all(parameter.device.type == "cpu" for parameter in model.parameters())
    crashes = on_cpu and any(isinstance(module, nn.GroupNorm) for module in model.modules())
    if convolutions > 1 and not crashes:
        for module in model.modules():
            if isinstance(module, nn.Conv2d):
                module.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return model


def may_look(tensor: Tensor) -> bool:
    """Return whether a check of values costs nothing: not on a GPU, which would have to wait, nor while compiling."""
    return tensor.device.type == "cpu" and not torch.compiler.is_compiling()

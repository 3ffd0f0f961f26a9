"""Learned tensors of a module: list them, randomize them, copy them from a reference to an answer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course.check import texts
from course.check.verdict import Finding

_named_parameters, _named_buffers = nn.Module.named_parameters, nn.Module.named_buffers


def learned(module: nn.Module) -> dict[str, Tensor]:
    """Return the tensors that require a gradient, by name."""
    return {name: tensor for name, tensor in _named_parameters(module) if tensor.requires_grad}


def layout(module: nn.Module) -> list[tuple[int, ...]]:
    """Return the sorted shapes of the learned tensors."""
    return sorted(tuple(tensor.shape) for tensor in learned(module).values())


def randomize(module: nn.Module, rng: torch.Generator) -> None:
    """Fill every learned tensor with draws from a standard normal distribution."""
    with torch.no_grad():
        for tensor in learned(module).values():
            tensor.copy_(torch.randn(tensor.shape, generator=rng))


def copy_learned(source: nn.Module, target: nn.Module) -> dict[str, int]:
    """Copy learned tensors and like-named buffers; return for each target name its place in the source."""
    have, get = learned(source), learned(target)
    places = _places(have, get)
    values = list(have.values())
    buffers = dict(_named_buffers(source))
    with torch.no_grad():
        for name, tensor in get.items():
            tensor.copy_(values[places[name]])
        for name, buffer in _named_buffers(target):
            if name in buffers and buffers[name].shape == buffer.shape:
                buffer.copy_(buffers[name])
    return places


def learned_finding(module: nn.Module, reference: nn.Module) -> Finding | None:
    """Say how the learned tensors differ from those of the reference in number or shape, or None."""
    have, want = layout(module), layout(reference)
    if have == want:
        return None
    if len(have) < len(want):
        own = vars(module).items()
        plain = [name for name, value in own if isinstance(value, Tensor) and value.is_floating_point()]
        frozen = [name for name, tensor in _named_parameters(module) if not tensor.requires_grad]
        if plain or frozen:
            text = texts.PLAIN_TENSOR if plain else texts.FROZEN
            return Finding("frozen", text.format(name=(plain or frozen)[0]))
        if not have:
            return Finding("learned", texts.NOTHING_LEARNED)
    counts = [sum(tensor.numel() for tensor in learned(each).values()) for each in (module, reference)]
    if counts[0] != counts[1]:
        got = texts.plural(counts[0], "number")
        return Finding("learned", texts.LEARNED_COUNT.format(got=got, want=counts[1]))
    return Finding("learned", texts.LEARNED_SHAPES.format(got=_words(have), want=_words(want)))


def _places(have: dict[str, Tensor], get: dict[str, Tensor]) -> dict[str, int]:
    names = list(have)
    if set(have) == set(get) and all(have[name].shape == get[name].shape for name in have):
        return {name: names.index(name) for name in get}
    free = list(range(len(names)))
    places = {}
    for name, tensor in get.items():
        place = next(index for index in free if have[names[index]].shape == tensor.shape)
        free.remove(place)
        places[name] = place
    return places


def _words(shapes: list[tuple[int, ...]]) -> str:
    return texts.join([str(shape) for shape in shapes])

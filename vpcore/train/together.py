"""Several models on one frozen backbone, run as one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from vpcore.cache import CachedSplit
from vpcore.data.splits import Split
from vpcore.prompted import Prompted

Rate = float | Mapping[str, float]  # for all that a model learns, or one per child
OWN = ("forward", "features", "normalize")  # what a shared pass does in the place of each model
CPU_PIXELS = 96 * 32 * 32  # of one pass: up to here it was faster on one core; with 128 images vit_nano was not


def passes(models: Sequence[Prompted], batch_size: int, device: torch.device) -> list[slice]:
    """Return which models run in one pass: all of them; on a CPU as many as `CPU_PIXELS` allows, at least one."""
    count = len(models)
    if device.type == "cpu":
        count = max(1, CPU_PIXELS // (batch_size * models[0].backbone.spec.image_size ** 2))
    return [slice(first, first + count) for first in range(0, len(models), count)]


class Several(nn.Module):
    """Several models on the same frozen backbone as one model, which runs the backbone once for all of them.

    Args:
        models: K models on the same backbone object.
    """

    def __init__(self, models: Sequence[Prompted]) -> None:
        super().__init__()
        self.models = nn.ModuleList(models)

    def forward(self, images: Tensor, start: int | None = None) -> list[Tensor]:
        """Return the logits (B, classes) of each model.

        Args:
            images: (B, K, C, H, W) in [0, 1], column k for model k; or, with `start`, activations before that block.
            start: as in `Prompted.features`.

        Raises:
            ValueError: the models' prompts give activations of different shapes.
        """
        models: list[Any] = [*self.models]
        features = images.flatten(0, 1)
        if start is None or start <= models[0].backbone.spec.depth:
            features = _features(models, features, start)
        return [model.head(part) for model, part in zip(models, _columns(features, len(models)), strict=True)]


def _features(models: Sequence[Prompted], x: Tensor, start: int | None) -> Tensor:
    """Return what the heads see (B · K, dim); the rows of all tensors take turns between the models."""
    x = models[0].normalize(x) if start is None else x
    owners = [*zip(models, _columns(x, len(models)), strict=True)]
    contexts = [model.prompt.condition(part if start is None else part[:0]) for model, part in owners]

    def each(act: Callable[..., Tensor], z: Tensor) -> Tensor:
        before = _columns(z, len(models))
        after = [act(model.prompt, part, own) for model, part, own in zip(models, before, contexts, strict=True)]
        acted = any(new is not old for new, old in zip(after, before, strict=True))
        return _rows(after, z) if acted else z

    def edit(z: Tensor, layer: int) -> Tensor:
        return each(lambda prompt, part, own: prompt.activation(part, layer, own), z)

    x = each(lambda prompt, part, own: prompt.image(part, own), x) if start is None else x
    return models[0].backbone(x, edit, start)


def _columns(rows: Tensor, count: int) -> tuple[Tensor, ...]:
    """Return each model's rows."""
    return rows.unflatten(0, (-1, count)).unbind(1)


def _rows(columns: list[Tensor], like: Tensor) -> Tensor:
    """Put the models' rows together again, in the memory layout of `like`.

    Raises:
        ValueError: the models' shapes differ.
    """
    if len({column.shape for column in columns}) > 1:
        raise ValueError("prompts that add different numbers of tokens share no pass: call fit_seeds for each kind")
    if like.dim() == 4 and not like.is_contiguous():  # channels last
        return torch.stack([column.movedim(1, -1) for column in columns], 1).flatten(0, 1).movedim(-1, 1)
    return torch.stack(columns, 1).flatten(0, 1)


@contextmanager
def naming(place: int) -> Iterator[None]:
    """Say in an error's message which model it is about."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"model {place}: {error}") from error


def check_together(models: Sequence[Prompted], seeds: Sequence[int], rates: Sequence[Rate], precision: str) -> None:
    """Refuse models that cannot train in one pass and stay apart.

    Raises:
        ValueError: see `vpcore.train.many_seeds.fit_seeds`.
    """
    if not models or len(seeds) != len(models) or len(rates) != len(models):
        got = f"{len(models)} models, {len(seeds)} seeds and {len(rates)} rates"
        raise ValueError(f"fit_seeds needs a seed and a rate for each model, got {got}")
    first = models[0].backbone
    if any(model.backbone is not first or not model.backbone.frozen or model.tuning is not None for model in models):
        raise ValueError(
            "fit_seeds needs one frozen backbone object that all models share, without tuning: pass the same backbone "
            "to each Prompted, or call fit for each model"
        )
    learned = [tensor for model in models for tensor in {id(tensor) for tensor in model.learned().values()}]
    if len(learned) > len({*learned}):
        raise ValueError("models share what they learn: build a prompt and a head for each")
    if any(getattr(type(model), name) is not getattr(Prompted, name) for model in models for name in OWN):
        raise ValueError(f"fit_seeds runs Prompted's own {', '.join(OWN)}: call fit for each model of another class")
    for model in models:
        for part in (model.prompt, model.head):
            if any(isinstance(module, nn.Dropout) and module.p > 0 for module in part.modules()):
                raise ValueError("dropout masks come from one random stream: set dropout to 0, or call fit for each")
    if precision == "float16":
        raise ValueError("float16 scales all losses by one number: use bfloat16 or float32, or call fit for each model")


@torch.no_grad()
def check_splits(models: Sequence[Prompted], train: Split, valid: Split) -> None:
    """Refuse a cached split of another model, and labels that a head has no logit for.

    Raises:
        ValueError: the cached split is not of these models, or a model, which is named, has too few classes.
    """
    for split in (train, valid):
        start_layer(models, split)
    largest = int(max(train.labels.max(), valid.labels.max()))
    for place, model in enumerate(models):
        training = model.head.training
        classes = model.head.eval()(model.mean.new_zeros(1, model.backbone.spec.dim)).shape[1]
        model.head.train(training)
        if largest >= classes:
            raise ValueError(f"model {place} has {classes} classes, a label is {largest}: give the head more classes")


def start_layer(models: Sequence[Prompted], split: Split) -> int | None:
    """Return the layer a cached split starts at, after asking it whether it belongs to every model."""
    if not isinstance(split, CachedSplit):
        return None
    for model in models:
        split.entry(model)
    return split.layer

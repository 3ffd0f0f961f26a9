"""Label mapping: read target classes off the source classes of a frozen classifier."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from vpcore.backbone import Backbone
from vpcore.built import Built
from vpcore.data import Split
from vpcore.data.loading import Loaded
from vpcore.device import evaluating

KINDS = ("random", "identity", "frequency", "iterative")
ASSIGNMENTS = ("greedy", "optimal")


def count_pairs(
    predictions: Int64[Tensor, " n"], labels: Int64[Tensor, " n"], num_source: int, num_classes: int
) -> Int64[Tensor, "source classes"]:
    """Count how often source class s was predicted for an image of target class k; absent classes count 0."""
    flat = torch.bincount(predictions.long() * num_classes + labels.long(), minlength=num_source * num_classes)
    return flat.view(num_source, num_classes)


def assign_greedily(counts: Int64[Tensor, "source classes"]) -> Int64[Tensor, " classes"]:
    """Give every target class a source class of its own: the largest count first, ties by the lowest row-major index.

    Raises:
        ValueError: fewer source classes than target classes.
    """
    num_source, num_classes = counts.shape
    _check_sizes(num_classes, num_source)
    mapping, used = [-1] * num_classes, set()
    for index in torch.sort(counts.flatten(), descending=True, stable=True).indices.tolist():
        source, target = divmod(index, num_classes)
        if source not in used and mapping[target] < 0:
            mapping[target] = source
            used.add(source)
            if len(used) == num_classes:
                break
    return torch.tensor(mapping)


def assign_optimally(counts: Int64[Tensor, "source classes"]) -> Int64[Tensor, " classes"]:
    """Give every target class a source class of its own so that the sum of counts is the largest possible.

    Raises:
        ValueError: fewer source classes than target classes.
    """
    from scipy.optimize import linear_sum_assignment

    _check_sizes(counts.shape[1], counts.shape[0])
    return torch.from_numpy(linear_sum_assignment(counts.T.cpu().numpy(), maximize=True)[1])


class LabelMapping(Built, nn.Module):
    """A head without learned weights: the logit of class k is the backbone's own logit of source class mapping[k].

    Chen et al. (2023, arXiv:2211.11635). "random" and "identity" (class k is source class k) are fixed. "frequency"
    counts, before the first epoch of `fit`, which source classes the frozen model predicts for training images of
    each class (one pass without augmentation) and assigns them one to one; "iterative" does so before every epoch,
    with the prompt as it is then. Until they have counted, both map like "identity". The reference assigns greedily;
    "optimal" (ours) maximizes the sum of the same counts. The mapping is a buffer and is saved with the prompt.

    Args:
        backbone: one with a source classifier; its classifier stays frozen, in eval mode, and the same object.
        num_classes: number of target classes, 2 … source classes.
        kind: "random", "identity", "frequency" or "iterative".
        assignment: "greedy" or "optimal".
        seed: seed of the random mapping.

    Raises:
        ValueError: no classifier, more classes than source classes, or an unknown option.
    """

    mapping: Tensor
    counted: Tensor

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        kind: str = "iterative",
        assignment: str = "greedy",
        seed: int = 0,
    ) -> None:
        super().__init__()
        if kind not in KINDS or assignment not in ASSIGNMENTS:
            known = f"kind one of {', '.join(KINDS)} and assignment one of {', '.join(ASSIGNMENTS)}"
            raise ValueError(f"{known} are needed, got {kind!r} and {assignment!r}")
        if backbone.classifier is None:
            raise ValueError(f"{backbone.spec.name} has no source classifier to map from: take a LinearHead")
        if num_classes < 2:
            raise ValueError(f"num_classes must be at least 2, got {num_classes}")
        self.num_classes, self.kind, self.assignment = num_classes, kind, assignment
        self.classifier = backbone.classifier.requires_grad_(False).eval()
        weight = next(self.classifier.parameters())
        with torch.no_grad():
            self.num_source = self.classifier(weight.new_zeros(1, backbone.spec.dim)).shape[1]
        _check_sizes(num_classes, self.num_source)
        draw = torch.Generator().manual_seed(seed)
        order = torch.randperm(self.num_source, generator=draw) if kind == "random" else torch.arange(self.num_source)
        self.register_buffer("mapping", order[:num_classes].clone())
        self.register_buffer("counted", torch.tensor(False))

    def forward(self, features: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch classes"]:
        """Map features to the logits of the mapped source classes."""
        return self.classifier(features)[:, self.mapping]

    def train(self, mode: bool = True) -> LabelMapping:
        """Set training mode; the source classifier stays in eval mode."""
        super().train(mode)
        self.classifier.eval()
        return self

    def start_epoch(self, model: nn.Module, train: Split | Loaded) -> None:
        """Count and assign anew if it is time; `fit` calls this before each epoch.

        Args:
            model: has `features(images)`, images in [0, 1]; its mode is put back afterwards.
            train: training images.
        """
        if self.kind == "iterative" or (self.kind == "frequency" and not self.counted):
            self.remap(model, train)

    @torch.no_grad()
    def remap(self, model: nn.Module, train: Split | Loaded, batch_size: int = 500) -> None:
        """Count the model's source predictions on a split, and assign.

        Raises:
            ValueError: a label beyond num_classes.
        """
        device = self.mapping.device
        pixels = Split(train.images, train.labels) if isinstance(train, Split) else train  # of a cache too
        counts = torch.zeros(self.num_source, self.num_classes, dtype=torch.int64, device=device)
        with evaluating(model):
            for images, labels in pixels.batches(batch_size, device):
                if int(labels.max()) >= self.num_classes:
                    got = f"the mapping has {self.num_classes} classes, a label is {int(labels.max())}"
                    raise ValueError(f"{got}: give it more classes")
                predictions = self.classifier(model.features(images)).argmax(1)  # type: ignore[operator]
                counts += count_pairs(predictions, labels.to(device), self.num_source, self.num_classes)
        assign = assign_greedily if self.assignment == "greedy" else assign_optimally
        self.mapping.copy_(assign(counts.cpu()))
        self.counted.fill_(True)

    def extra_repr(self) -> str:
        """Say in one line what maps how."""
        return f"{self.num_source} → {self.num_classes}, kind={self.kind!r}, assignment={self.assignment!r}"


def _check_sizes(num_classes: int, num_source: int) -> None:
    if num_classes > num_source:
        need = f"{num_classes} classes need as many source classes"
        raise ValueError(f"{need}, the classifier has {num_source}: take a backbone with more, or a LinearHead")

"""Which layers see alike (linear CKA), and which images (t-SNE)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from vpcore.device import evaluating
from vpcore.prompted import Prompted


def linear_cka(x: Float[Tensor, "images first"], y: Float[Tensor, "images second"]) -> float:
    """Return how alike two layers see the same images: 0 (nothing in common) to 1 (the same up to rotation and scale).

    Linear centered kernel alignment, Kornblith et al. (2019, arXiv:1905.00414, equation 3): ‖YᵀX‖² / (‖XᵀX‖ ‖YᵀY‖)
    with centered columns and Frobenius norms. Computed in float64 from the images × images products, which give the
    same number. With few images and many features it is biased upwards: compare with equal image counts.

    Args:
        x: one row per image.
        y: the same images in the same order.

    Raises:
        ValueError: different numbers of images, or fewer than two; features that are not finite, or the same for every
            image.
    """
    if len(x) != len(y):
        raise ValueError(f"both need the same images, got {len(x)} and {len(y)} rows: give one row per image")
    return float(_alignment(_products(x), _products(y)))


def cka_map(
    first: Prompted, second: Prompted, images: Float[Tensor, "batch channels height width"], start: int = 0
) -> Float[Tensor, "layers layers"]:
    """Compare every layer of one model with every layer of another by linear CKA.

    Row i is the first model's activations before block `start` + i, the last row what its pooling receives; columns
    are the second model's. All positions and channels of a map are features. Both models may be the same.

    Args:
        first: one model.
        second: another one that takes the same images.
        images: a batch in [0, 1], some tens at least.
        start: first layer to compare.
    """
    ours, theirs = ([_products(z) for z in layer_features(model, images)[start:]] for model in (first, second))
    return torch.stack([torch.stack([_alignment(a, b) for b in theirs]) for a in ours])


@torch.no_grad()
def layer_features(
    model: Prompted, images: Float[Tensor, "batch channels height width"]
) -> list[Float[Tensor, "batch features"]]:
    """Return the activations before every block and before pooling, prompt included, one row per image.

    Runs in eval mode; the model's mode is put back.
    """
    found: list[Tensor] = []

    def watch(z: Tensor, layer: int) -> Tensor:
        found.append(z.flatten(1).clone())
        return z

    with evaluating(model):
        model.features(images, watch=watch)
    return found


def tsne(
    features: Float[Tensor, "images features"], *, perplexity: float = 30.0, seed: int = 0
) -> Float[Tensor, "images 2"]:
    """Lay images out in the plane so that near neighbors stay near.

    t-SNE (van der Maaten, Hinton 2008) as scikit-learn does it, started from the first two principal components.
    Distances between clusters and the sizes of clusters mean nothing; try several perplexities.

    Args:
        features: one row per image, more than `perplexity` of them.
        perplexity: about the number of neighbors to keep near, above 0.
        seed: makes the picture repeatable on one machine.

    Raises:
        ValueError: too few images for this perplexity, or features that are not finite.
    """
    from sklearn.manifold import TSNE

    if not 0 < perplexity < len(features):
        raise ValueError(f"perplexity must be above 0 and below the {len(features)} images, got {perplexity}")
    _check_finite(features)
    rows = features.detach().cpu().double().flatten(1).numpy()
    placed = TSNE(perplexity=perplexity, init="pca", learning_rate="auto", random_state=seed).fit_transform(rows)
    return torch.from_numpy(placed).float()


def _check_finite(features: Tensor) -> None:
    if not features.isfinite().all():
        raise ValueError("features hold values that are not finite: look for a division by zero where they are made")


def _products(x: Tensor) -> Float[Tensor, "images images"]:
    """Return the inner products of centered rows, scaled to norm 1."""
    if len(x) < 2:
        raise ValueError(f"a comparison needs at least 2 images, got {len(x)}: give more")
    _check_finite(x)
    centered = x.detach().double().flatten(1)
    centered = centered - centered.mean(0)
    products = centered @ centered.mT
    size = products.norm()
    if not size > 1e-20 * max(1.0, float(x.detach().double().square().sum())):
        raise ValueError("these features are the same for every image: nothing to compare, take a later layer")
    return products / size


def _alignment(x: Tensor, y: Tensor) -> Tensor:
    return (x * y).sum().clamp(0, 1)

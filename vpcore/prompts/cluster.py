"""Cluster prompts: images that look alike to the backbone share one learned picture."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn

from vpcore.backbone import Backbone, Spec
from vpcore.prompts.base import Images, Prompt
from vpcore.prompts.parts.border import border_pixels, paint, require_square, start_values


class ClusterPrompt(Prompt):
    """Sort images into clusters by their frozen features, and add the nearest cluster's learned picture.

    Our simplification of DAM-VP (Huang et al. 2023, arXiv:2303.08138): K-means with a given K on the features of the
    frozen backbone, one image prompt a cluster, nearest center at run time. DAM-VP finds the number of clusters by a
    distance threshold and starts its prompts from a meta-trained one; neither is done here.
    K · C · (pixels of the frame) numbers are learned; the K centers are computed, saved with them, and not counted.

    Call `prepare(backbone, images)` before training. After loading a saved model, `attach(backbone)` is enough. The
    backbone is held by reference, outside `parameters()`: `to`, `deepcopy` and pickling of a whole `Prompted` model
    keep prompt and model on one and the same backbone. It must stay frozen, else features leave the centers behind.

    Args:
        spec: the sizes of the backbone.
        num_clusters: K, at least 1.
        width: of the frame in pixels, or "full" for whole pictures.
        init: "zeros" or "normal".
        scale: standard deviation of the normal start, in normalized units.
        seed: seed of the normal start and of k-means.

    Raises:
        ValueError: no cluster, or a frame, init or scale that `PadPrompt` would refuse too.
    """

    first_layer = -1
    pixels: Tensor
    centers: Tensor

    def __init__(
        self,
        spec: Spec,
        num_clusters: int = 4,
        width: int | str = "full",
        init: str = "zeros",
        scale: float = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__(spec, seed)
        require_square(spec, "cluster")
        if num_clusters < 1:
            raise ValueError(f"num_clusters must be at least 1, got {num_clusters}")
        self.register_buffer("pixels", border_pixels(spec.image_size, width), persistent=False)
        self.register_buffer("centers", torch.full((num_clusters, spec.dim), torch.nan))  # NaN until prepared
        start = start_values((num_clusters, spec.in_chans, len(self.pixels)), init, scale, self.generator())
        self.frames = nn.Parameter(start)  # (K, C, pixels of the frame)
        self._backbone: tuple[Backbone, ...] = ()  # a tuple, so that it is no submodule
        self._looked: int | None = None  # the version of the centers that were seen to be numbers

    def attach(self, backbone: Backbone) -> ClusterPrompt:
        """Use this frozen backbone's features; returns self."""
        if backbone.spec != self.spec or not backbone.frozen:
            raise ValueError("clusters need the frozen backbone this prompt was built for: pass that one")
        self._backbone = (backbone,)
        return self

    def prepare(self, backbone: Backbone, images: UInt8[Tensor, "n c h w"], batch_size: int = 500) -> ClusterPrompt:
        """Find the centers by k-means on the features of training images; returns self.

        Args:
            backbone: the frozen backbone the model will use.
            images: training images, uint8, at least one a cluster.
            batch_size: images a step.
        """
        from sklearn.cluster import KMeans

        count = len(self.centers)
        if not isinstance(images, Tensor):
            raise TypeError(f"prepare takes a tensor of images, got a {type(images).__name__}: pass train.images")
        if images.dtype != torch.uint8 or len(images) < count:
            raise ValueError(f"prepare needs at least {count} uint8 images, got {len(images)} of {images.dtype}")
        self.attach(backbone)
        weight = next(backbone.parameters())
        mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (self.spec.mean, self.spec.std))
        chunks = ((chunk.cpu().float() / 255 - mean) / std for chunk in images.split(batch_size))
        features = torch.cat([self._features(chunk.to(weight)).cpu() for chunk in chunks])
        fitted = KMeans(count, n_init="auto", random_state=self.seed).fit(features.double().numpy())
        self.centers.copy_(torch.as_tensor(fitted.cluster_centers_))
        return self

    def condition(self, images: Images) -> Int64[Tensor, " batch"]:
        """Return the nearest center of each original image."""
        if not self._backbone or not self._backbone[0].frozen or not self._prepared():
            raise ValueError(
                "this ClusterPrompt is not prepared: call prompt.prepare(frozen backbone, train.images) "
                "first (or prompt.attach(backbone) and load what was saved)"
            )
        return torch.cdist(self._features(images), self.centers).argmin(1)

    def image(self, images: Images, context: Int64[Tensor, " batch"]) -> Images:
        """Add to each normalized image (B, C, H, W) its cluster's picture."""
        return images + self.added_map()[context]

    def added_map(self) -> Float[Tensor, "clusters channels height width"]:
        """Return every cluster's picture, in normalized units."""
        return paint(self.frames, self.pixels, self.spec.image_size)

    def _prepared(self) -> bool:
        """Look whether there are centers; once until they change, for a GPU has to wait for the answer."""
        if torch.compiler.is_compiling():
            return True
        version = None if self.centers.is_inference() else self.centers._version
        if version is not None and version == self._looked:
            return True
        found = not self.centers.isnan().any()
        self._looked = version if found else None
        return found

    @torch.no_grad()
    def _features(self, images: Images) -> Float[Tensor, "batch dim"]:
        return self._backbone[0](images).to(self.centers.dtype)

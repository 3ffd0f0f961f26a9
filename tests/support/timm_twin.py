"""A timm network with no weight left at zero or one, beside the backbone that vpcore makes of the same weights."""

import tempfile
from pathlib import Path

import pytest
import timm
import torch
from packaging.version import Version
from torch import nn

import vpcore

SIZED = ("vision_transformer", "deit", "swin_transformer")


CHAIN_SINCE = {"dpn48b": "1.0.31"}  # before that timm, pairs of tensors passed from block to block


def require(*names: str) -> None:
    """Skip the test where this timm does not have one of these networks yet, or not yet as a chain of blocks."""
    for name in names:
        if not timm.is_model(name):
            pytest.skip(f"timm {timm.__version__} has no network {name}")
        if Version(timm.__version__) < Version(CHAIN_SINCE.get(name, "0")):
            pytest.skip(f"in timm {timm.__version__}, {name} is no chain of blocks")


def randomize(net: nn.Module, seed: int = 0) -> None:
    """Draw every parameter and batch-norm statistic anew, so that no zero or one hides a fault."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in net.state_dict().items():
            if isinstance(tensor, torch.Tensor) and tensor.is_floating_point():
                noise = torch.rand(tensor.shape, generator=draw)
                tensor.copy_(noise + 0.5 if "running_var" in name else tensor + 0.1 * (noise - 0.5))


def timm_net(name: str, image_size: int | tuple[int, int], in_chans: int = 3) -> nn.Module:
    """Return timm's network with randomized weights, in eval mode."""
    require(name)
    fixed = timm.get_pretrained_cfg(name).fixed_input_size
    sized = fixed or timm.models.model_entrypoint(name).__module__.rsplit(".", 1)[-1] in SIZED
    net = timm.create_model(name, in_chans=in_chans, **({"img_size": image_size} if sized else {}))
    randomize(net)
    return net.eval()


def twins(name: str, image_size: int | tuple[int, int]) -> tuple[nn.Module, vpcore.Backbone]:
    """Return timm's network and the backbone that has its weights from a file."""
    net = timm_net(name, image_size)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.pth"
        torch.save(net.state_dict(), path)
        return net, vpcore.load_backbone(name, checkpoint=path, image_size=image_size)


def differences(name: str, image_size: int | tuple[int, int] | None = None) -> list[tuple[str, float]]:
    """Return how far features and logits are from timm's own, relative to the largest; by default at its own size.

    Three images, because the splitter measures with one and two. A shape of `Spec` that is not the activations' counts
    as a difference of 1.
    """
    require(name)
    size = image_size or timm.get_pretrained_cfg(name).input_size[-2:]
    height, width = (size, size) if isinstance(size, int) else size
    size = height if height == width else (height, width)
    net, backbone = twins(name, size)
    images = torch.randn(3, 3, height, width, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = net.forward_head(net.forward_features(images), pre_logits=True)
        shapes, layers = [], backbone.spec.shapes

        def note(z: torch.Tensor, layer: int) -> torch.Tensor:
            shapes.append(tuple(z.shape[1:]))
            return z

        features = backbone(images, edit=note)
        found = [("features", _off(features, expected))]
        if backbone.classifier is not None:
            found.append(("logits", _off(backbone.classifier(features), net(images))))
    return [*found, ("shapes", float(tuple(shapes) != layers or features.shape[1] != backbone.spec.dim))]


def _off(got: torch.Tensor, want: torch.Tensor) -> float:
    return 1.0 if got.shape != want.shape else float((got - want).abs().max() / want.abs().max())

"""Files of what was learned, as versions before this one wrote them."""

import pytest
import torch
from nets import small_vit
from tiny import same

import vpcore
from vpcore.saved import fingerprint
from vpcore.tensorfile import write_tensors

LAYERS = ("inner.weight", "inner.bias", "outer.weight", "outer.bias")
SAVED_NAMES = {  # of the tensors in files that were written since version 0.1: renaming one would orphan them all
    vpcore.InstancePrompt: (
        *(f"{part}.{layer}" for part in ("patch", "globe") for layer in LAYERS),
        "common.values",
        *(f"specific.convs.{i}.{kind}" for i in range(3) for kind in ("weight", "bias")),
    ),
    vpcore.InstanceImagePrompt: tuple(f"{part}.{layer}" for part in ("patch", "whole") for layer in LAYERS),
}


@pytest.mark.parametrize("kind", SAVED_NAMES)
def test_files_of_earlier_versions_load(kind, tmp_path):
    """A file as version 0.1 wrote it, put together by its names, in its order (an optimizer counts along it)."""
    backbone = small_vit()
    model = vpcore.Prompted(backbone, kind(backbone.spec), vpcore.LinearHead(backbone.spec.dim, 3))
    names = [*(f"prompt.{name}" for name in SAVED_NAMES[kind]), "head.linear.weight", "head.linear.bias"]
    assert [name for name, parameter in model.named_parameters() if parameter.requires_grad] == names
    written = {name: torch.randn_like(tensor) for name, tensor in zip(names, model.learned().values(), strict=True)}
    metadata = {
        "format": "vpcore.learned.1",
        "prompt": kind.__name__,
        "tuning": "none",
        "backbone": backbone.spec.name,
        "image_size": str(backbone.spec.image_size),
        "backbone_hash": fingerprint(backbone),
    }
    write_tensors(tmp_path / "prompt.safetensors", written, metadata)
    model.load(tmp_path / "prompt.safetensors")
    assert same(model.learned(), written)

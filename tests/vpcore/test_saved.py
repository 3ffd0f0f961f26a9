"""Files of what was learned, as versions before this one wrote them."""

import copy
import json

import numpy as np
import pytest
import torch
from nets import small_vit
from tiny import same, tiny_model
from torch import nn

import vpcore
from vpcore.saved import fingerprint
from vpcore.tensorfile import read_tensors, write_tensors

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


PROMPTS = {  # a part, and another whose outputs differ though all its tensors have the same names and sizes
    vpcore.PadPrompt: ({"width": 3}, None),
    vpcore.PatchPrompt: ({"size": 5, "position": (3, 7)}, {"size": 5, "position": (7, 3)}),
    vpcore.MultiScalePrompt: ({"scales": (2, 5), "fusion": "concat"}, None),
    vpcore.ClusterPrompt: ({"num_clusters": 3, "width": 4}, None),
    vpcore.InstancePrompt: (
        {"num_tokens": 5, "blocks": 2, "beta_image": 0.25, "beta_feature": 0.75, "train_specific": False},
        {"num_tokens": 5, "blocks": 2, "beta_image": 0.5, "beta_feature": 0.75, "train_specific": False},
    ),
    vpcore.InstanceImagePrompt: (
        {"patch_hidden": 7, "kernels": (5, 3), "dilations": (1, 2), "beta": 0.2},
        {"patch_hidden": 7, "kernels": (5, 3), "dilations": (1, 2), "beta": 0.3},
    ),
    vpcore.ShallowTokens: ({"num_tokens": 3, "project": 4}, None),
    vpcore.DeepTokens: ({"num_tokens": 3, "dropout": 0.1}, None),
    vpcore.ActivationPrompt: ({"layer": (1, 6), "shape": "per_channel"}, None),
    vpcore.NoPrompt: ({}, None),
}
TUNINGS = {
    vpcore.NormTuning: {"what": "bias", "layer": 2},
    vpcore.BitFit: {"layer": 1},
    vpcore.SSF: {"init": "normal"},
    vpcore.LoRA: {"rank": 3, "alpha": 5.0, "targets": "qvo"},
    vpcore.PartialK: {"k": 2},
    vpcore.FullTuning: {},
}


def whole(kind=vpcore.NoPrompt, options=None, tuning=None, head="linear", name="vit_nano"):
    backbone = vpcore.load_backbone(name)
    made = kind(backbone.spec, seed=4, **(options or {}))
    tuned = tuning and tuning(backbone, **TUNINGS[tuning])
    heads = {
        "linear": lambda: vpcore.LinearHead(backbone.spec.dim, 3),
        "mlp": lambda: vpcore.MLPHead(backbone.spec.dim, 3, hidden=9, num_layers=2),
        "mapping": lambda: vpcore.LabelMapping(backbone, 3, kind="random", seed=5),
    }
    model = vpcore.Prompted(backbone, made, heads[head](), tuning=tuned)
    if kind is vpcore.ClusterPrompt:
        images = torch.randint(0, 256, (9, 3, 32, 32), dtype=torch.uint8)
        made.prepare(backbone, images)
    with torch.no_grad():
        for tensor in model.learned().values():
            if tensor.is_floating_point() and tensor.requires_grad:
                tensor.add_(torch.randn_like(tensor) * 0.1)
    return model.eval()


CASES = [
    *((kind, options, None, "linear") for kind, (options, _) in PROMPTS.items()),
    *((vpcore.NoPrompt, {}, tuning, "mlp") for tuning in TUNINGS),
    (vpcore.PadPrompt, {"width": "full"}, None, "mapping"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: (case[2] or case[0]).__name__ + case[3])
def test_a_file_rebuilds_the_whole_model(case, tmp_path):
    model, images = whole(*case), torch.rand(4, 3, 32, 32)
    model.classes = ("ant", "bee", "cat")
    model.save(tmp_path / "model.safetensors")
    again = vpcore.load_model(tmp_path / "model.safetensors")
    assert torch.equal(again(images), model(images))
    assert again.classes == model.classes
    assert not again.training
    assert same(again.learned(), model.learned())
    assert vpcore.count(again) == vpcore.count(model)


NUMPY = {
    vpcore.ActivationPrompt: {"layer": np.int64(2)},
    vpcore.MultiScalePrompt: {"scales": range(1, 4)},
    vpcore.InstancePrompt: {"beta_image": np.float32(0.25), "train_specific": np.bool_(False)},
}


@pytest.mark.parametrize("kind", NUMPY)
def test_numbers_of_numpy_and_ranges_are_rebuilt(kind, tmp_path):
    model, images = whole(kind, NUMPY[kind]), torch.rand(4, 3, 32, 32)
    model.head = vpcore.LinearHead(model.backbone.spec.dim, np.int64(4))
    model.classes = tuple(np.arange(4))
    model.save(tmp_path / "model")
    again = vpcore.load_model(tmp_path / "model")
    assert torch.equal(again(images), model(images))
    assert again.classes == (0, 1, 2, 3)
    assert vpcore.count(again) == vpcore.count(model)


def test_a_number_of_numpy_is_compared_as_any_other(tmp_path):
    options = {"num_tokens": 5, "blocks": 2}
    whole(vpcore.InstancePrompt, options | {"beta_image": np.float32(0.25)}).save(tmp_path / "model")
    with pytest.raises(ValueError, match=r"saved with prompt image_weights .*0.25.*, this model has .*0.5.*: build"):
        whole(vpcore.InstancePrompt, options | {"beta_image": 0.5}).load(tmp_path / "model")


def test_a_network_trained_from_scratch_and_a_cut_one_are_rebuilt(tmp_path):
    model, images = tiny_model(), torch.rand(4, 1, 8, 8)
    model.save(tmp_path / "scratch")
    with pytest.raises(ValueError, match=r"does not fit this backbone \(this head takes 8 .* as width="):
        vpcore.load_model(tmp_path / "scratch")
    again = vpcore.load_model(tmp_path / "scratch", width=2)
    assert torch.equal(again(images), model.eval()(images))
    assert not again.backbone.frozen
    probe = vpcore.load_backbone("vit_nano").upto(3)
    model = vpcore.Prompted(probe, vpcore.NoPrompt(probe.spec), vpcore.LinearHead(probe.spec.dim, 3)).eval()
    model.save(tmp_path / "probe")
    images = torch.rand(4, 3, 32, 32)
    assert torch.equal(vpcore.load_model(tmp_path / "probe")(images), model(images))
    assert torch.equal(vpcore.load_model(tmp_path / "probe", backbone=probe)(images), model(images))


def test_the_epsilons_of_norms_are_compared(tmp_path):
    backbone = vpcore.load_backbone("vit_tiny_small", pretrained=False, image_size=28, start="timm")
    head = vpcore.LinearHead(backbone.spec.dim, 3)
    model = vpcore.Prompted(backbone, vpcore.NoPrompt(backbone.spec), head, train_backbone=True).eval()
    model.save(tmp_path / "model")
    with pytest.raises(ValueError, match=r"saved with norm_eps '\[1e-06\]', this model has '\[1e-05\]': build that"):
        vpcore.load_model(tmp_path / "model")
    images = torch.rand(2, 1, 28, 28)
    assert torch.equal(vpcore.load_model(tmp_path / "model", start="timm")(images), model(images))


@pytest.mark.parametrize("kind", [kind for kind, (_, other) in PROMPTS.items() if other])
def test_options_that_no_tensor_shows_are_compared(kind, tmp_path):
    options, other = PROMPTS[kind]
    whole(kind, options).save(tmp_path / "model")
    with pytest.raises(ValueError, match=r"was saved with prompt \w+ .*, this model has .*: build that one"):
        whole(kind, other).load(tmp_path / "model")
    whole(kind, options).load(tmp_path / "model")


def test_mean_std_classes_and_head_are_compared(tmp_path):
    model = whole()
    model.save(tmp_path / "model")
    model.mean.add_(0.1)
    with pytest.raises(ValueError, match=r"was saved with mean .* this model has"):
        model.load(tmp_path / "model")
    model = whole()
    model.classes = ("ant", "bee", "cat")
    model.save(tmp_path / "model")
    model.classes = ("bee", "ant", "cat")
    with pytest.raises(ValueError, match=r"was saved with classes .*ant.*bee"):
        model.load(tmp_path / "model")
    with pytest.raises(ValueError, match="was saved with head 'LinearHead', this model has 'MLPHead'"):
        whole(head="mlp").load(tmp_path / "model")


def test_defaults_and_seeds_make_no_other_model(tmp_path):
    whole(vpcore.PadPrompt, {}).save(tmp_path / "model")
    other = whole(vpcore.PadPrompt, {"width": 4, "init": "normal"})
    other.load(tmp_path / "model")
    assert same(other.learned(), read_tensors(tmp_path / "model")[0])


def test_what_cannot_be_rebuilt_says_what_to_do(tmp_path):
    class Mine(vpcore.PadPrompt):
        pass

    model = whole(Mine)
    model.save(tmp_path / "mine")
    with pytest.raises(ValueError, match=r"its Mine is no part of vpcore: build it yourself, and call model.load"):
        vpcore.load_model(tmp_path / "mine")
    tensors, metadata = read_tensors(tmp_path / "mine")
    del metadata["built"]
    write_tensors(tmp_path / "old", tensors, metadata | {"prompt": "PadPrompt"})
    with pytest.raises(ValueError, match=r"it is a file of version 0.1: build it yourself"):
        vpcore.load_model(tmp_path / "old")
    own = whole()
    own.head = nn.Linear(own.backbone.spec.dim, 3)
    own.save(tmp_path / "own")
    with pytest.raises(ValueError, match="its Linear is no part of vpcore"):
        vpcore.load_model(tmp_path / "own")


def test_what_a_part_was_built_with_survives_copies():
    prompt = vpcore.ActivationPrompt(small_vit().spec, 1, shape="shared")
    assert prompt.built == {"layer": 1, "shape": "shared"}
    assert copy.deepcopy(prompt).built == prompt.built
    assert json.loads(json.dumps(prompt.built)) == prompt.built
    with pytest.raises(TypeError, match="__init__"):
        vpcore.PadPrompt()


def test_a_model_that_is_frozen_for_use_is_saved_whole(tmp_path):
    images = torch.rand(4, 3, 32, 32)
    for case in [
        (vpcore.PadPrompt, {"init": "normal"}), (vpcore.NoPrompt, {}, vpcore.LoRA, "mlp"),
        (vpcore.PadPrompt, {}, None, "mapping"),
    ]:  # fmt: skip
        model = whole(*case)
        names = set(model.learned())
        model.requires_grad_(False).save(tmp_path / "model")
        assert set(read_tensors(tmp_path / "model")[0]) == names
        assert torch.equal(vpcore.load_model(tmp_path / "model")(images), model(images))
        whole(*case).requires_grad_(False).load(tmp_path / "model")


@pytest.mark.parametrize("freeze", [
    lambda model: model.requires_grad_(False),
    lambda model: model.backbone.blocks[0].requires_grad_(False),
    lambda model: model.backbone.freeze(),
    lambda model: vpcore.Prompted(model.backbone, vpcore.NoPrompt(model.backbone.spec), vpcore.LinearHead(8, 3)),
])  # fmt: skip
def test_a_trained_backbone_is_saved_also_when_it_was_frozen_since(freeze, tmp_path):
    model, images = tiny_model(), torch.rand(4, 1, 8, 8)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1)
    freeze(model)
    model.eval().save(tmp_path / "model")
    again = vpcore.load_model(tmp_path / "model", width=2)
    assert torch.equal(again(images), model(images))
    tiny_model(seed=3).load(tmp_path / "model")
    model.load(tmp_path / "model")

"""timm networks, taken apart: equal to timm's own forward, at any size, from any honest checkpoint file."""

import copy
import pickle
import random

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm_twin import randomize, timm_net
from torch import nn

import vpcore
from vpcore.models.timm_nets import timm_names
from vpcore.models.weights_file import read_weights

SMALL = [
    ("vit_tiny_patch16_224", 64, 3),
    ("vit_tiny_patch16_224", 48, 1),
    ("deit_tiny_patch16_224", 32, 3),
    ("test_vit3", 64, 3),  # attention pooling
    ("test_vit", 64, 3),
    ("resnet18", 64, 3),
    ("resnet18", 33, 1),
    ("resnet50", 64, 5),
    ("swin_tiny_patch4_window7_224", 64, 3),
    ("swin_tiny_patch4_window7_224", 112, 1),
]


@pytest.mark.parametrize(("name", "image_size", "in_chans"), SMALL)
def test_features_and_logits_equal_timms_own(tmp_path, name, image_size, in_chans):
    net = timm_net(name, image_size, in_chans)
    save_file(net.state_dict(), tmp_path / "weights.safetensors")
    backbone = vpcore.load_backbone(
        name, checkpoint=tmp_path / "weights.safetensors", image_size=image_size, in_chans=in_chans
    )
    images = torch.randn(2, in_chans, image_size, image_size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected, logits = net.forward_head(net.forward_features(images), pre_logits=True), net(images)
        features = backbone(images)
        assert torch.allclose(features, expected, atol=1e-6 * float(expected.abs().max()))
        assert torch.allclose(backbone.classifier(features), logits, atol=2e-6 * float(logits.abs().max()))
    spec = backbone.spec
    assert expected.shape[1] == spec.dim
    for layer, shape in enumerate(spec.shapes):
        assert backbone.activations(images, layer).shape[1:] == shape
    assert len(spec.mean) == len(spec.std) == in_chans


def test_shapes_and_depth_of_each_family():
    with torch.device("meta"):
        vit = vpcore.load_backbone("vit_base_patch16_224", pretrained=False).spec
        resnet = vpcore.load_backbone("resnet50", pretrained=False).spec
        swin = vpcore.load_backbone("swin_tiny_patch4_window7_224", pretrained=False).spec
    assert (vit.kind, vit.depth, vit.shapes[0], vit.num_tokens, vit.patch_size) == ("vit", 12, (197, 768), 196, 16)
    assert (resnet.kind, resnet.depth, resnet.shapes[0], resnet.shapes[-1]) == ("cnn", 16, (64, 56, 56), (2048, 7, 7))
    assert (swin.kind, swin.depth, swin.shapes[0], swin.shapes[-1]) == ("swin", 12, (56, 56, 96), (7, 7, 768))
    assert swin.shapes[2] == (56, 56, 96)  # the merging to 28×28 belongs to block 2
    assert swin.shapes[3] == (28, 28, 192)


def test_normalization_and_interpolation_come_from_the_weights_config():
    for name in ("vit_tiny_patch16_224", "deit_tiny_patch16_224", "resnet18"):
        config = timm.get_pretrained_cfg(name)
        spec = vpcore.load_backbone(name, pretrained=False, image_size=32).spec
        assert (spec.mean, spec.std, spec.interpolation) == (config.mean, config.std, config.interpolation)
    grey = vpcore.load_backbone("resnet18", pretrained=False, image_size=32, in_chans=1).spec
    assert grey.mean == pytest.approx((sum(timm.get_pretrained_cfg("resnet18").mean) / 3,))
    own = vpcore.load_backbone("resnet18", pretrained=False, image_size=32, mean=0.1, std=(1, 2, 3)).spec
    assert (own.mean, own.std) == ((0.1, 0.1, 0.1), (1, 2, 3))


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "resnet18", "swin_tiny_patch4_window7_224"])
def test_frozen_in_three_senses_and_stays_so(name):
    backbone = vpcore.load_backbone(name, pretrained=False, image_size=32)
    before = {key: tensor.clone() for key, tensor in backbone.state_dict().items()}
    for twin in (backbone, copy.deepcopy(backbone), pickle.loads(pickle.dumps(backbone))):
        twin.train()
        images = torch.randn(2, 3, 32, 32, requires_grad=True)
        twin(images)[:, ::2].sum().backward()
        assert images.grad is not None
        assert images.grad.abs().max() > 0
        assert not any(p.requires_grad or p.grad is not None for p in twin.parameters())
        assert not any(module.training for module in twin.modules())
        assert all(torch.equal(before[key], tensor) for key, tensor in twin.state_dict().items())
    with pytest.raises(ValueError, match="nothing to learn"):
        vpcore.train.optim.make_optimizer(backbone, "adamw", 1e-2, 0.0)


def test_moco_file_nested_prefixed_and_resized(tmp_path):
    from timm.layers import resample_abs_pos_embed

    net = timm_net("vit_tiny_patch16_224", 64, 3)
    inner = {k: v for k, v in net.state_dict().items() if not k.startswith("head.")}
    wrapped = {f"module.base_encoder.{k}": v for k, v in inner.items()}
    wrapped |= {f"module.base_encoder.head.{i}.weight": torch.zeros(8, 8) for i in (0, 3)}
    wrapped |= {"module.momentum_encoder.cls_token": torch.zeros(1), "module.predictor.0.weight": torch.zeros(2)}
    torch.save({"epoch": 300, "arch": "vit", "state_dict": wrapped}, tmp_path / "moco.pth.tar")
    backbone = vpcore.load_backbone("vit_tiny_patch16_224", checkpoint=tmp_path / "moco.pth.tar", image_size=96)
    weights = backbone.state_dict()
    assert torch.equal(weights["blocks.3.mlp.fc1.weight"], inner["blocks.3.mlp.fc1.weight"])
    resized = resample_abs_pos_embed(inner["pos_embed"], new_size=[6, 6], num_prefix_tokens=1)
    assert torch.equal(weights["embed.net.pos_embed"], resized)
    assert backbone.classifier is None
    assert backbone.spec.mean == (0.485, 0.456, 0.406)  # MoCo's, not the 0.5 of the name's own weights


def test_a_checkpoint_brings_its_own_number_of_source_classes(tmp_path):
    net = timm.create_model("resnet18", num_classes=7)
    torch.save({"model": {f"module.{k}": v for k, v in net.state_dict().items()}}, tmp_path / "w.pth")
    backbone = vpcore.load_backbone("resnet18", checkpoint=tmp_path / "w.pth", image_size=32)
    assert backbone.classifier.out_features == 7
    assert torch.equal(backbone.classifier.weight, net.fc.weight)


def test_grey_images_through_a_color_checkpoint(tmp_path):
    net = timm_net("resnet18", 32, 3)
    save_file(net.state_dict(), tmp_path / "w.safetensors")
    grey = vpcore.load_backbone("resnet18", checkpoint=tmp_path / "w.safetensors", image_size=32, in_chans=1)
    image = torch.randn(2, 1, 32, 32)
    with torch.no_grad():
        expected = net.forward_head(net.forward_features(image.expand(-1, 3, -1, -1)), pre_logits=True)
        assert torch.allclose(grey(image), expected, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def resnet_weights():
    return timm.create_model("resnet18", num_classes=3).state_dict()


def load(path):
    return vpcore.load_backbone("resnet18", checkpoint=path, image_size=32)


def test_missing_unexpected_and_misshapen_tensors_are_named(tmp_path, resnet_weights):
    damaged = dict(resnet_weights)
    del damaged["layer1.0.conv1.weight"]
    damaged["extra.weight"] = torch.zeros(1)
    damaged["bn1.bias"] = torch.zeros(5)
    save_file(damaged, tmp_path / "w.safetensors")
    named = r"missing: layer1.0.conv1.weight; unexpected: extra.weight; of another shape: bn1.bias"
    with pytest.raises(ValueError, match=named):
        load(tmp_path / "w.safetensors")


def test_a_checkpoint_of_another_family_says_so(tmp_path, resnet_weights):
    save_file(dict(resnet_weights), tmp_path / "w.safetensors")
    for name in ("vit_tiny_patch16_224", "swin_tiny_patch4_window7_224"):
        with pytest.raises(ValueError, match=r"does not fit .*missing: .*unexpected: .*under the name"):
            vpcore.load_backbone(name, checkpoint=tmp_path / "w.safetensors", image_size=32)


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_a_truncated_file_is_refused(tmp_path, resnet_weights, suffix):
    path = tmp_path / f"w.{suffix}"
    save_file(dict(resnet_weights), path) if suffix == "safetensors" else torch.save(resnet_weights, path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match="damaged"):
        load(path)


class Payload:
    ran = False

    def __reduce__(self):
        return (setattr, (Payload, "ran", True))


def test_a_pickle_is_never_run(tmp_path):
    Payload.ran = False
    path = tmp_path / "evil.pth"
    for plain in (False, True):
        path.write_bytes(pickle.dumps(Payload(), protocol=2)) if plain else torch.save({"model": Payload()}, path)
        with pytest.raises(ValueError, match="pickled Python objects, which could run code"):
            load(path)
    assert not Payload.ran


def test_files_without_weights_or_not_there(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "w.pth")
    with pytest.raises(ValueError, match="holds no weights by name"):
        load(tmp_path / "w.pth")
    for missing in ("none.pth", "none.safetensors"):
        with pytest.raises(FileNotFoundError, match="no file"):
            load(tmp_path / missing)


def test_the_quick_profile_never_downloads(monkeypatch):
    monkeypatch.delenv("VPCOURSE_PROFILE", raising=False)
    with pytest.raises(ValueError, match="quick profile never downloads: set VPCOURSE_PROFILE=full"):
        vpcore.load_backbone("vit_tiny_patch16_224")


def test_a_failed_download_is_one_clear_line(monkeypatch):
    monkeypatch.setenv("VPCOURSE_PROFILE", "full")

    def refuse(*args, **options):
        raise OSError("connection refused\nlong trace")

    monkeypatch.setattr(timm, "create_model", refuse)
    with pytest.raises(OSError, match=r"no weights for resnet18 \(connection refused\): check the connection"):
        vpcore.load_backbone("resnet18")


def test_unknown_names_and_weights_are_refused():
    with pytest.raises(ValueError, match="did you mean 'vit_tiny_patch16_224'"):
        vpcore.load_backbone("vit_tiny_patch16_22")
    with pytest.raises(ValueError, match=r"unknown backbone 'qqq': .*or a timm name$"):
        vpcore.load_backbone("qqq")
    with pytest.raises(ValueError, match=r"no weights 'none' for resnet18: choose from .*a1_in1k, .*leave the tag out"):
        vpcore.load_backbone("resnet18.none")


def test_sizes_that_do_not_fit():
    with pytest.raises(ValueError, match="multiple of 16, the patch of vit_tiny_patch16_224, got 100: try 96"):
        vpcore.load_backbone("vit_tiny_patch16_224", pretrained=False, image_size=100)
    with pytest.raises(ValueError, match="image_size must be at least 1, got 0"):
        vpcore.load_backbone("resnet18", pretrained=False, image_size=0)
    with pytest.raises(ValueError, match="in_chans must be at least 1, got 0"):
        vpcore.load_backbone("resnet18", pretrained=False, image_size=32, in_chans=0)
    with pytest.raises(ValueError, match="mean needs one value or 3"):
        vpcore.load_backbone("resnet18", pretrained=False, image_size=32, mean=(0.5, 0.5))


def test_tall_patches_are_refused():
    from vpcore.models.timm_nets import _check_patch

    net = nn.Module()
    net.patch_embed = nn.Module()
    net.patch_embed.patch_size = (16, 8)
    with pytest.raises(ValueError, match="patches of 16×8 pixels: only square patches"):
        _check_patch(net, "tall", (64, 64), (64, 64))


def test_every_family_has_names():
    some = {"vit_base_patch16_224", "deit_base_patch16_224", "resnet18", "resnet50", "swin_base_patch4_window7_224"}
    assert some <= set(timm_names())


def standardize(z):
    return (z - z.mean(-1, keepdim=True)) / (z.var(-1, keepdim=True, correction=0) + 1e-5).sqrt()


def test_upto_pools_inner_layers_and_shares_modules():
    for name, inner in (("vit_tiny_patch16_224", 192), ("resnet18", 64), ("swin_tiny_patch4_window7_224", 96)):
        backbone = vpcore.load_backbone(name, pretrained=False, image_size=64)
        randomize(backbone)
        images = torch.randn(2, 3, 64, 64)
        view = backbone.upto(1)
        z = backbone.activations(images, 1)
        expected = {
            "vit": lambda z, b=backbone: b.pool.norm(z)[:, 0],
            "cnn": lambda z: z.flatten(2).mean(2),
            "swin": lambda z: standardize(z).mean((1, 2)),
        }[backbone.spec.kind](z)
        assert torch.allclose(view(images), expected, atol=1e-5)
        assert (view.spec.depth, view.spec.dim, view.classifier) == (1, inner, None)
        assert view.blocks[0] is backbone.blocks[0]
        whole = backbone.upto(backbone.spec.depth)
        assert torch.equal(whole(images), backbone(images))
    with pytest.raises(ValueError, match="layer must be in 0 … 12"):
        backbone.upto(13)


def test_upto_of_a_training_backbone_trains():
    backbone = vpcore.load_backbone("resnet18_small", pretrained=False).unfreeze()
    view = backbone.upto(2)
    assert not view.frozen
    assert all(p.requires_grad for p in backbone.parameters())


def test_upto_of_a_training_backbone_is_a_copy_and_a_probe_of_it_leaves_the_rest_alone():
    backbone = vpcore.load_backbone("resnet18_small", pretrained=False, image_size=8)
    model = vpcore.Prompted(
        backbone, vpcore.NoPrompt(backbone.spec), vpcore.LinearHead(backbone.spec.dim, 4), train_backbone=True
    )
    for mode in (True, False):
        model.train(mode)
        view = backbone.upto(2)
        assert {module.training for module in [*view.modules(), *backbone.modules()]} == {mode}
    images = torch.randn(2, 3, 8, 8)
    assert torch.equal(view(images), backbone.activations(images, 2).mean((2, 3)))
    vpcore.Prompted(view, vpcore.NoPrompt(view.spec), vpcore.LinearHead(view.spec.dim, 4))
    assert view.frozen
    assert not backbone.frozen
    assert all(p.requires_grad for p in backbone.parameters())


def test_a_file_that_holds_itself_or_other_keys_is_refused_in_one_line(tmp_path):
    loop: dict = {}
    loop["state_dict"] = loop
    for content in (loop, {1: torch.zeros(2)}, [torch.zeros(2)]):
        torch.save(content, tmp_path / "hostile.pth")
        with pytest.raises(ValueError, match="holds no weights by name"):
            read_weights(tmp_path / "hostile.pth")


def test_flipped_bytes_give_one_kind_of_error(tmp_path):
    path = tmp_path / "flipped.pth"
    torch.save({"weight": torch.randn(4, 4)}, path, _use_new_zipfile_serialization=False)
    content, refused = path.read_bytes(), 0
    for seed in range(60):
        rng = random.Random(seed)
        flipped = bytearray(content)
        for _ in range(3):
            flipped[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(bytes(flipped))
        try:
            read_weights(path)
        except ValueError:
            refused += 1
    assert refused > 10


def test_image_size_is_one_number_where_only_squares_fit():
    for name in ("resnet_nano", "vit_tiny_small"):
        with pytest.raises(TypeError, match=r"image_size is one number, .*, got \(32, 32\)"):
            vpcore.load_backbone(name, pretrained=False, image_size=(32, 32))


@pytest.mark.parametrize("name", ["eva02_tiny_patch14_224", "vit_small_patch14_dinov2"])
def test_patches_of_another_size_are_refused_and_not_resampled(tmp_path, name):
    net = timm.create_model(name, img_size=112, patch_size=16)
    save_file(net.state_dict(), tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match=r"; of another shape: patch_embed.proj.weight: load it under the name it was"):
        vpcore.load_backbone(name, checkpoint=tmp_path / "w.safetensors", image_size=112)


def test_a_flexivit_checkpoint_is_resampled_as_timm_does(tmp_path):
    net = timm.create_model("flexivit_small", patch_size=32, img_size=224)
    randomize(net)
    save_file(net.state_dict(), tmp_path / "w.safetensors")
    source = {"file": str(tmp_path / "w.safetensors"), "source": "file", "custom_load": False}
    theirs = timm.create_model("flexivit_small", pretrained=True, pretrained_cfg_overlay=source).state_dict()
    ours = vpcore.load_backbone("flexivit_small", checkpoint=tmp_path / "w.safetensors").embed.net.state_dict()
    for name in ("patch_embed.proj.weight", "pos_embed"):
        assert ours[name].shape != net.state_dict()[name].shape
        assert torch.equal(ours[name], theirs[name]), name

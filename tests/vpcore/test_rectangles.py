"""Images that are not square: timm's own forward at their size, prompts that take them, and refusals of all else."""

import json

import pytest
import torch
from timm_twin import differences
from tiny import same, weights
from torch import nn

import vpcore
from vpcore.backbone import Backbone, patch_grid
from vpcore.data.splits import Split
from vpcore.inside.attention import attention_distances, mean_attention_distance
from vpcore.inside.prompt_maps import delta_map

FAMILIES = {
    "test_resnet": (45, 83),  # no multiples of anything
    "test_convnext": (64, 96),
    "test_efficientnet": (75, 50),
    "test_nfnet": (64, 160),
    "test_vit": (96, 160),
    "test_vit4": (160, 48),  # registers
    "test_vit_relpos": (64, 128),
    "test_coatnet": (160, 96),
}
SQUARE = ("pad", "full", "patch", "cluster")


@pytest.mark.parametrize("name", FAMILIES)
def test_features_and_logits_are_timms_own(name):
    assert all(off <= 1e-5 for _, off in differences(name, FAMILIES[name]))


def rectangle(name="test_vit"):
    size = FAMILIES[name]
    return vpcore.load_backbone(name, pretrained=False, image_size=size), size


def images(size, count=4, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, *size), generator=draw, dtype=torch.uint8)


@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
@pytest.mark.parametrize("method", vpcore.PROMPTS)
def test_every_prompt_learns_there_or_says_that_it_needs_squares(name, method):
    backbone, size = rectangle(name)
    if backbone.spec.kind == "cnn" and method in ("vpt_shallow", "vpt_deep", "instance"):
        return
    if method in SQUARE:
        said = method if method != "full" else "pad"
        says = (
            f"{said} needs square images, {name} takes {size[0]}×{size[1]}: use multiscale, instance_image, activation"
        )
        with pytest.raises(ValueError, match=says):
            vpcore.PROMPTS[method](backbone.spec)
        return
    options = {"map_tokens": True} if method == "instance" and backbone.spec.dim % 3 else {}
    model = vpcore.Prompted(
        backbone, vpcore.PROMPTS[method](backbone.spec, **options), vpcore.LinearHead(backbone.spec.dim, 3)
    )
    before = weights(model.prompt)
    split = Split(images(size, 7), torch.arange(7) % 3)
    vpcore.fit(model, split, split, epochs=2, lr=1e-2, batch_size=4, precision="float32", progress=False)
    assert method == "none" or not same(before, weights(model.prompt))
    upright = images(size).float().transpose(-1, -2) / 255
    with pytest.raises(ValueError, match=rf"needs images of shape \(batch, 3, {size[0]}, {size[1]}\), got"):
        model(upright)


def test_a_vits_patches_lie_in_the_images_proportions():
    spec = rectangle()[0].spec
    assert (spec.size, spec.grid, spec.num_prefix_tokens) == ((96, 160), (6, 10), 1)
    assert vpcore.load_backbone("test_vit", pretrained=False).spec.grid == (10, 10)
    assert [patch_grid(60, size) for size in ((96, 160), (160, 96), (60, 1), (64, 64))] == [
        (6, 10), (10, 6), (60, 1), None
    ]  # fmt: skip
    weights = torch.full((1, 2, 6, 6), 1 / 6)
    places = [(16 * row, 16 * column) for row in range(2) for column in range(3)]
    pairs = [((a - c) ** 2 + (b - d) ** 2) ** 0.5 for a, b in places for c, d in places]
    assert mean_attention_distance(weights, 16, (2, 3)).tolist() == pytest.approx([sum(pairs) / 36] * 2)
    with pytest.raises(ValueError, match="patches must form 3 rows of 3, got 6: leave out all other tokens"):
        mean_attention_distance(weights, 16, (3, 3))


@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
def test_what_looks_inside_sees_the_rectangle(name):
    backbone, size = rectangle(name)
    prompt = vpcore.ActivationPrompt(backbone.spec, layer=1)
    model = vpcore.Prompted(backbone, prompt, vpcore.LinearHead(backbone.spec.dim, 3))
    with torch.no_grad():
        prompt.delta(1)  # built
        for parameter in prompt.parameters():
            parameter.normal_(generator=torch.Generator().manual_seed(0))
    pictures = images(size, 2).float() / 255
    assert vpcore.grad_cam(model, pictures).shape == (2, *size)
    grid = delta_map(prompt).grid
    if name == "test_vit":
        assert grid.shape == (6, 10)
        assert attention_distances(model, pictures).shape == (backbone.spec.depth, backbone.spec.num_heads)
    else:
        assert grid.shape == backbone.spec.shapes[1][1:]


def test_a_saved_rectangle_is_built_again(tmp_path):
    backbone, size = rectangle("test_resnet")
    model = vpcore.Prompted(backbone, vpcore.MultiScalePrompt(backbone.spec), vpcore.LinearHead(backbone.spec.dim, 3))
    model.eval()
    with torch.no_grad():
        model.prompt.maps[0].fill_(0.3)
    model.save(tmp_path / "m.safetensors")
    again = vpcore.load_model(tmp_path / "m.safetensors", pretrained=False)
    pictures = images(size, 2).float() / 255
    assert torch.equal(model(pictures), again(pictures))
    upright = vpcore.load_backbone("test_resnet", pretrained=False, image_size=size[::-1])
    with pytest.raises(ValueError, match="image_size"):
        vpcore.Prompted(upright, vpcore.MultiScalePrompt(upright.spec), vpcore.LinearHead(backbone.spec.dim, 3)).load(
            tmp_path / "m.safetensors"
        )


def test_any_module_is_wrapped_at_a_rectangle():
    row = nn.Sequential(*(nn.Conv2d(3, 3, 3, stride=2, padding=1) for _ in range(3)))
    net = nn.ModuleDict({"stem": nn.Conv2d(3, 3, 1), "row": row})
    pool = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    wrapped = Backbone.wrap(net, embed="stem", blocks="row", pool=pool, image_size=(24, 40))
    assert (wrapped.spec.kind, wrapped.spec.size) == ("cnn", (24, 40))
    assert wrapped.spec.shapes == ((3, 24, 40), (3, 12, 20), (3, 6, 10), (3, 3, 5))
    scratch = vpcore.load_backbone("simple_cnn", pretrained=False, image_size=(20, 33), width=2)
    assert (scratch.spec.size, scratch.spec.shapes[-1]) == ((20, 33), (16, 2, 4))
    assert vpcore.load_backbone("resnet18_small", pretrained=False, image_size=(20, 33)).spec.size == (20, 33)


@pytest.mark.parametrize(
    ("name", "size", "kind", "says"),
    [
        ("vit_nano", (32, 48), TypeError, r"image_size is one number, .* got \(32, 48\)"),
        ("vit_tiny_small", (28, 35), TypeError, r"image_size is one number, .* got \(28, 35\)"),
        ("test_vit", (96, 100), ValueError, "must be a multiple of 16, the patch of test_vit, got 96×100: try 96"),
        ("test_vit", (32, 48, 64), TypeError, r"or \(height, width\), in pixels, got \(32, 48, 64\)"),
        ("test_vit", (32.0, 48), TypeError, r"or \(height, width\), in pixels, got \(32.0, 48\)"),
        ("halonet26t", (64, 96), ValueError, r"halonet26t takes no images of 64×96 pixels \(AssertionError\): try 256"),
    ],
)
def test_sizes_that_do_not_fit_are_refused_in_words(name, size, kind, says):
    with pytest.raises(kind, match=says):
        vpcore.load_backbone(name, pretrained=False, image_size=size)


def test_the_size_in_a_file_of_squares_stays_one_number(tmp_path):
    backbone = vpcore.load_backbone("simple_cnn", pretrained=False, width=2)
    vpcore.Prompted(backbone, vpcore.NoPrompt(backbone.spec), vpcore.LinearHead(backbone.spec.dim, 3)).save(
        tmp_path / "m.safetensors"
    )
    data = (tmp_path / "m.safetensors").read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert header["__metadata__"]["image_size"] == "28"

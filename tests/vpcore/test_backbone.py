import copy
import pickle

import pytest
import torch
from tiny import tiny_backbone, tiny_model
from torch import nn

import vpcore
from vpcore.backbone import Backbone, Spec

PAPER = [  # spec/msvp: networks with a 10-class linear head
    ("simple_cnn", 28, 1, 1_207_786),
    ("simple_cnn", 32, 3, 1_208_362),
    ("resnet18_small", 28, 1, 11_172_810),
    ("resnet18_small", 32, 3, 11_173_962),
    ("vit_tiny_small", 28, 1, 5_353_738),
    ("vit_tiny_small", 32, 3, 5_362_762),
]


def scratch(name: str, size: int = 28, chans: int = 1, **options) -> Backbone:
    return vpcore.load_backbone(name, pretrained=False, image_size=size, in_chans=chans, **options)


@pytest.mark.parametrize(("name", "size", "chans", "published"), PAPER)
def test_counts_are_the_papers(name, size, chans, published):
    backbone = scratch(name, size, chans)
    model = vpcore.Prompted(
        backbone, vpcore.NoPrompt(backbone.spec), vpcore.LinearHead(backbone.spec.dim, 10), train_backbone=True
    )
    assert vpcore.count(model).total == published
    assert sum(p.numel() for p in model.parameters()) == published
    assert vpcore.count(model).learned == published


@pytest.mark.parametrize(
    ("fusion", "grey", "color"), [("add", 81, 243), ("concat", 85, 279), ("gated", 83, 255)]
)  # spec/msvp section 2
def test_prompt_counts_are_the_papers(fusion, grey, color):
    for chans, published in ((1, grey), (3, color)):
        backbone = scratch("simple_cnn", 28, chans, width=2)
        prompt = vpcore.MultiScalePrompt(backbone.spec, fusion=fusion)
        assert prompt.num_learned() == sum(p.numel() for p in prompt.parameters()) == published


@pytest.mark.parametrize(("name", "size", "chans", "_"), PAPER[::2])
def test_spec_shapes_are_what_flows(name, size, chans, _):
    backbone, seen = scratch(name, size, chans), []
    images = torch.rand(2, chans, size, size)
    features = backbone(images, edit=lambda z, layer: (seen.append((layer, tuple(z.shape[1:]))), z)[1])
    assert seen == list(enumerate(backbone.spec.shapes))
    assert features.shape == (2, backbone.spec.dim)
    for layer in range(backbone.spec.depth + 1):
        z = backbone.activations(images, layer)
        assert tuple(z.shape[1:]) == backbone.spec.shapes[layer]
        assert torch.equal(backbone(z, start=layer), features)


def test_resnet_and_vit_keep_the_papers_sizes():
    resnet, vit = scratch("resnet18_small"), scratch("vit_tiny_small", 32, 3)
    assert resnet.spec.shapes[0] == (64, 28, 28)  # stride 1, no max-pooling
    assert resnet.spec.shapes[-1] == (512, 4, 4)
    assert (vit.spec.patch_size, vit.spec.num_tokens, vit.spec.num_heads, vit.spec.depth) == (4, 64, 3, 12)
    assert scratch("vit_tiny_small").spec.num_tokens == 16


def test_the_vit_starts_as_published_or_as_timm_does():
    published, timm = scratch("vit_tiny_small"), scratch("vit_tiny_small", start="timm")
    stds = {}
    for name, net in (("published", published), ("timm", timm)):
        weights = net.state_dict()
        for part in (
            "proj.weight",
            "cls_token",
            "pos_embed",
            "s.0.attn.qkv.weight",
            "s.0.mlp.fc1.weight",
            "s.0.mlp.fc1.bias",
        ):
            [found] = [value for key, value in weights.items() if key.endswith(part) and "attn.proj" not in key]
            stds.setdefault(part, {})[name] = float(found.std())
    expected = {  # published: √(2 / (192 · 7²)), 0.02, 0.02, and 1 / √(3 · 192) three times
        "proj.weight": (0.01458, 0.0825), "cls_token": (0.02, 1e-6), "pos_embed": (0.02, 0.02),
        "s.0.attn.qkv.weight": (0.0417, 0.02), "s.0.mlp.fc1.weight": (0.0417, 0.02), "s.0.mlp.fc1.bias": (0.0417, 0.0),
    }  # fmt: skip
    for part, (ours, theirs) in expected.items():
        assert stds[part]["published"] == pytest.approx(ours, rel=0.15)
        assert stds[part]["timm"] == pytest.approx(theirs, rel=0.15)
    [patch] = [
        value for key, value in published.state_dict().items() if key.endswith("proj.bias") and "attn" not in key
    ]
    assert not patch.any()
    for net, eps in ((published, 1e-5), (timm, 1e-6)):
        norms = [module for module in net.modules() if isinstance(module, nn.LayerNorm)]
        assert len(norms) == 25
        assert {norm.eps for norm in norms} == {eps}
    again = scratch("vit_tiny_small").state_dict()
    assert all(torch.equal(value, again[name]) for name, value in published.state_dict().items())


def test_frozen_means_three_things():
    backbone = tiny_backbone()
    model = nn.Sequential(backbone).train()
    buffers = {name: buffer.clone() for name, buffer in backbone.named_buffers()}
    images = torch.rand(4, 1, 8, 8)
    assert not any(p.requires_grad for p in backbone.parameters())
    assert not any(module.training for module in backbone.modules())
    assert torch.equal(model(images), model(images))  # dropout is off
    assert all(torch.equal(buffer, buffers[name]) for name, buffer in backbone.named_buffers())
    learned = [p for p in model.parameters() if p.requires_grad]
    assert learned == []


def test_gradients_flow_through_a_frozen_backbone():
    images = torch.rand(2, 1, 8, 8, requires_grad=True)
    backbone = tiny_backbone()
    backbone(images).sum().backward()
    assert images.grad is not None
    assert images.grad.norm() > 0
    assert all(p.grad is None for p in backbone.parameters())


def test_unfreeze_leaves_the_source_classifier_alone():
    backbone = tiny_backbone()
    with_classifier = Backbone(backbone.embed, backbone.blocks, backbone.pool, backbone.spec, nn.Linear(8, 5))
    with_classifier.unfreeze().train()
    assert all(p.requires_grad for p in with_classifier.blocks.parameters())
    assert not any(p.requires_grad for p in with_classifier.classifier.parameters())
    assert with_classifier.blocks[0].training
    assert not with_classifier.freeze().blocks[0].training


def test_copies_and_pickles_give_the_same_features():
    model = tiny_model().eval()
    images = torch.rand(2, 1, 8, 8)
    twins = copy.deepcopy(model), pickle.loads(pickle.dumps(model))
    drawn = torch.rand(3, generator=model.prompt.generator())
    for twin in twins:
        assert torch.equal(twin(images), model(images))
        assert twin.backbone.spec == model.backbone.spec
        assert torch.equal(torch.rand(3, generator=twin.prompt.generator()), drawn)


def test_a_copy_has_weights_and_generators_of_its_own():
    model = tiny_model()
    twin = copy.deepcopy(model)
    before = torch.rand(3, generator=copy.deepcopy(model).prompt.generator())
    with torch.no_grad():
        twin.prompt.maps[0].add_(1)
    torch.rand(5, generator=twin.prompt.generator())
    assert not torch.equal(twin.prompt.maps[0], model.prompt.maps[0])
    assert torch.equal(torch.rand(3, generator=model.prompt.generator()), before)


def test_seed_decides_the_weights_and_nothing_else():
    torch.manual_seed(1)
    first = tiny_backbone(seed=3)
    state = torch.get_rng_state()
    torch.manual_seed(2)
    second, other = tiny_backbone(seed=3), tiny_backbone(seed=4)
    torch.manual_seed(1)
    assert torch.equal(state, torch.get_rng_state())  # building drew nothing from the global stream
    pairs = list(zip(first.parameters(), second.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in pairs)
    assert any(not torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))


def test_width_scales_the_cnn():
    for width in (2, 8):
        backbone = scratch("simple_cnn", width=width)
        assert [shape[0] for shape in backbone.spec.shapes] == [1, width, 2 * width, 4 * width, 8 * width]
        assert backbone.spec.dim == 4 * width
    assert sum(p.numel() for p in scratch("simple_cnn", width=8).parameters()) < 100_000


def test_mean_and_std_are_spread_over_channels():
    assert scratch("simple_cnn", 28, 3, width=2).spec.mean == (0.5, 0.5, 0.5)
    assert scratch("simple_cnn", 28, 3, width=2, mean=(0.1, 0.2, 0.3)).spec.mean == (0.1, 0.2, 0.3)


def test_measuring_leaves_modes_as_they_are():
    embed, block, pool = nn.Identity(), nn.BatchNorm2d(1), nn.Flatten()
    block.eval()
    shapes = vpcore.backbone.measure_shapes(embed, [block], 1, 8)
    assert shapes == ((1, 8, 8), (1, 8, 8))
    assert (embed.training, block.training, pool.training) == (True, False, True)


def two_blocks(shapes: tuple) -> Backbone:
    spec = Spec("toy", "cnn", 8, 1, 64, shapes, (0.5,), (0.5,))
    return Backbone(nn.Identity(), [nn.Identity(), nn.Identity()], nn.Flatten(), spec)


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: vpcore.load_backbone("simple_cn"), "unknown backbone 'simple_cn'.*did you mean 'simple_cnn'"),
        (lambda: vpcore.load_backbone("simple_cnn"), "no pretrained weights: pass pretrained=False"),
        (lambda: scratch("simple_cnn", 4), "image_size must be at least 8, got 4"),
        (lambda: scratch("simple_cnn", 28, 0), "in_chans must be at least 1, got 0"),
        (lambda: scratch("simple_cnn", width=0), "width must be at least 1, got 0"),
        (lambda: scratch("simple_cnn", mean=(0.1, 0.2)), r"mean needs one value or 1 .*got 2"),
        (lambda: scratch("simple_cnn", 28, 3, std=(0.1, 0.2)), r"std needs one value or 3 .*got 2"),
        (lambda: scratch("vit_tiny_small", start="zeros"), "start must be 'published' or 'timm', got 'zeros'"),
        (lambda: scratch("vit_tiny_small", 30), "patch_size must divide image_size, got 4 and 30"),
        (lambda: scratch("vit_tiny_small", 28, patch_size=5), "patch_size must divide image_size, got 5 and 28"),
        (lambda: two_blocks(((1, 8, 8), (1, 8, 8))), "describes 1 blocks, got 2: give"),
        (lambda: tiny_backbone().activations(torch.rand(1, 1, 8, 8), 5), "layer must be in 0 … 4 .*got 5"),
        (lambda: tiny_backbone().spec.num_tokens, "num_tokens needs a ViT, got 'simple_cnn'"),
    ],
)
def test_errors_say_what_to_do(build, says):
    with pytest.raises(ValueError, match=says):
        build()


def parts_of_a_net() -> dict:
    row = [nn.Sequential(nn.Conv2d(3, 4, 3), nn.Dropout().eval()), nn.BatchNorm2d(4)]
    return {"embed": nn.Conv2d(3, 3, 1), "blocks": row, "pool": nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())}


def test_a_wrap_that_fails_leaves_the_parts_in_their_modes():
    parts = parts_of_a_net()
    net = nn.ModuleList([parts["embed"], *parts["blocks"], parts["pool"]])
    before = [module.training for module in net.modules()]
    with pytest.raises(ValueError, match=r"the parts do not run one after another .*: check their order"):
        Backbone.wrap(net, **{**parts, "blocks": parts["blocks"][::-1]}, image_size=8)
    assert [module.training for module in net.modules()] == before


def test_the_parts_of_a_network_of_doubles_or_on_no_device_are_wrapped():
    for change in ({"dtype": torch.float64}, {"device": "meta"}):
        parts = parts_of_a_net()
        net = nn.ModuleList([parts["embed"], *parts["blocks"], parts["pool"]]).to(**change)
        assert Backbone.wrap(net, **parts, image_size=8).spec.shapes == ((3, 8, 8), (4, 6, 6), (4, 6, 6))

from __future__ import annotations

import numpy as np
import pytest
import torch
from small import CNN_SPEC, SWIN_SPEC, cnn, images, noise, randomize, vit_pair, vit_spec
from torch import nn

import vpcore
from vpcore import ActivationPrompt, LinearHead, Prompted
from vpcore.backbone import Backbone, Spec


def swin_like() -> Backbone:
    """Channels last, (height, width, channels), as a Swin's activations are."""
    embed = nn.Sequential(nn.Unflatten(2, (4, 4)), nn.Flatten(1, 2))  # (B, 3·4, 4, 16) stands for (B, H, W, C)
    blocks = [nn.Linear(16, 8), nn.Linear(8, 8)]
    spec = Spec("some_swin", "swin", 16, 3, 8, ((12, 4, 16), (12, 4, 8), (12, 4, 8)), (0.5,) * 3, (0.5,) * 3)
    return Backbone(embed, blocks, nn.Sequential(nn.Flatten(1, 2), Mean()), spec).double()


class Mean(nn.Module):
    def forward(self, z):
        return z.mean(1)


def by_hand(backbone, x, layer, addition):
    """Run the network piece by piece and write the addition entry by entry of the batch."""
    z = backbone.activations(x, layer).clone()
    for index in range(len(z)):
        z[index] += addition
    for block in backbone.blocks[layer:]:
        z = block(z)
    return backbone.pool(z)


def widened(backbone, prompt, layer):
    """Write delta out over a tensor of the activations' shape, by the meaning of its name."""
    delta, out = prompt.deltas[str(layer)], torch.zeros(backbone.spec.shapes[layer], dtype=torch.float64)
    if prompt.shape == "full":
        return delta[0]
    if prompt.shape in ("per_channel", "shared"):
        values = delta.flatten()
        for channel, value in enumerate(values):
            out[(channel,) if backbone.spec.kind == "cnn" else (..., channel)] = value
    elif prompt.shape == "cls_only":
        out[0] = delta[0, 0]
    else:
        out[1:] = delta[0]
    return out


BACKBONES = {"vit": lambda: vit_pair()[1], "cnn": cnn, "swin": swin_like}
CASES = [
    *[("vit", shape) for shape in ("full", "per_channel", "shared", "patch_only", "cls_only")],
    *[(kind, shape) for kind in ("cnn", "swin") for shape in ("full", "per_channel")],
]


@pytest.mark.parametrize(("kind", "shape"), CASES)
def test_adds_the_same_tensor_to_every_image_at_one_layer(kind, shape):
    backbone = BACKBONES[kind]()
    for layer in range(backbone.spec.depth + 1):
        prompt = ActivationPrompt(backbone.spec, layer, shape)
        model = Prompted(backbone, prompt, LinearHead(backbone.spec.dim, 2)).double()
        randomize(prompt, seed=layer)
        expected = by_hand(backbone, model.normalize(images()), layer, widened(backbone, prompt, layer))
        torch.testing.assert_close(model.features(images()), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", BACKBONES)
def test_starts_as_the_linear_probe(kind):
    backbone = BACKBONES[kind]()
    model = Prompted(backbone, ActivationPrompt(backbone.spec, 1), LinearHead(backbone.spec.dim, 2)).double()
    assert torch.equal(model.features(images()), backbone(model.normalize(images())))


def test_several_layers_at_once():
    backbone = cnn()
    prompt = ActivationPrompt(backbone.spec, (3, 1))
    model = Prompted(backbone, prompt, LinearHead(8, 2)).double()
    randomize(prompt)
    z = backbone.blocks[0](backbone.embed(model.normalize(images()))) + prompt.deltas["1"]
    z = backbone.blocks[2](backbone.blocks[1](z)) + prompt.deltas["3"]
    torch.testing.assert_close(model.features(images()), backbone.pool(z), rtol=0, atol=1e-10)
    assert prompt.first_layer == 1


def test_several_layers_all_learn():
    backbone = vit_pair()[1]
    prompt = ActivationPrompt(backbone.spec, (0, 2))
    model = Prompted(backbone, prompt, LinearHead(48, 2)).double()
    model(images()).square().sum().backward()
    assert all(delta.grad is not None and (delta.grad != 0).all() for delta in prompt.parameters())


@pytest.mark.parametrize(
    ("spec", "shape", "count"),
    [
        (vit_spec(192), "full", 37_824), (vit_spec(768), "full", 151_296), (vit_spec(1024, 24), "full", 201_728),
        (vit_spec(768), "shared", 768), (vit_spec(768), "patch_only", 150_528), (vit_spec(768), "cls_only", 768),
        (CNN_SPEC, "full", 8 * 64), (CNN_SPEC, "per_channel", 8), (SWIN_SPEC, "full", 32), (SWIN_SPEC, "shared", 8),
    ],
)  # fmt: skip
def test_counts(spec, shape, count):
    assert ActivationPrompt(spec, 1, shape).num_learned() == count


def test_counts_by_resnet18_stage_at_224_pixels():
    shapes = ((64, 56, 56), (128, 28, 28), (256, 14, 14), (512, 7, 7))
    spec = Spec("resnet18", "cnn", 224, 3, 512, shapes, (0.5,) * 3, (0.5,) * 3)
    assert [ActivationPrompt(spec, layer).num_learned() for layer in range(4)] == [200_704, 100_352, 50_176, 25_088]


def watch(backbone, recorded, passed):
    """Note which blocks' outputs are part of the graph, and which blocks the backward pass enters."""
    hooks = []
    for i, block in enumerate(backbone.blocks):
        hooks.append(block.register_forward_hook(lambda _, args, out, i=i: recorded.append((i, out.requires_grad))))
        hooks.append(block.register_full_backward_pre_hook(lambda _, grad, i=i: passed.append(i)))
    return hooks


@pytest.mark.parametrize("kind", BACKBONES)
def test_no_block_below_the_prompt_is_back_propagated_through(kind):
    backbone = BACKBONES[kind]()
    for layer in range(backbone.spec.depth + 1):
        prompt = ActivationPrompt(backbone.spec, layer)
        model = Prompted(backbone, prompt, LinearHead(backbone.spec.dim, 2)).double()
        recorded, passed = [], []
        hooks = watch(backbone, recorded, passed)
        model(images()).sum().backward()
        assert recorded == [(i, i >= layer) for i in range(backbone.spec.depth)]
        assert sorted(passed) == list(range(layer, backbone.spec.depth))
        for hook in hooks:
            hook.remove()


@pytest.mark.parametrize(
    ("spec", "layer"), [(vit_spec(192, 12), 3), (vit_spec(192, 2), 0), (SWIN_SPEC, 0), (CNN_SPEC, 0), (cnn().spec, 2)]
)
def test_default_layer_is_early_for_a_vit_and_late_for_a_cnn(spec, layer):
    assert ActivationPrompt(spec).layers == (layer,)


def test_delta_fits_the_activations():
    prompt = ActivationPrompt(vit_spec(48, 2, 16, 4), 1, "patch_only")
    with torch.no_grad():
        prompt.deltas["1"].copy_(noise(1, 16, 48))
    assert prompt.delta(1).shape == (1, 17, 48)
    assert torch.equal(prompt.delta(1)[:, 0], torch.zeros(1, 48))
    with pytest.raises(ValueError, match="layer 0 is not prompted: this prompt acts at 1"):
        prompt.delta(0)


@pytest.mark.parametrize("layer", [-1, 13, (), (1, 1), (0, 13)])
def test_layer_out_of_range(layer):
    with pytest.raises(ValueError, match="layer must be in 0 … 12 for vit, each at most once, got"):
        ActivationPrompt(vit_spec(192), layer)


@pytest.mark.parametrize("spec", [CNN_SPEC, SWIN_SPEC])
@pytest.mark.parametrize("shape", ["cls_only", "patch_only"])
def test_token_shapes_need_tokens(spec, shape):
    with pytest.raises(ValueError, match=f"{shape} needs a ViT's tokens, {spec.name} is a {spec.kind}: use full"):
        ActivationPrompt(spec, 0, shape)


def test_unknown_shape_and_missing_class_token():
    with pytest.raises(ValueError, match=r"shape must be one of full, per_channel, .*, got 'rows'"):
        ActivationPrompt(CNN_SPEC, 0, "rows")
    without = Spec("vit", "vit", 16, 3, 48, ((16, 48), (16, 48)), (0.5,) * 3, (0.5,) * 3, 4)
    with pytest.raises(ValueError, match="cls_only needs a class token, vit has none"):
        ActivationPrompt(without, 0, "cls_only")


@pytest.mark.parametrize("layer", [True, 1.5, "1", (0, 1.0)])
def test_a_layer_that_is_no_whole_number_is_refused(layer) -> None:
    with pytest.raises(TypeError, match="layer must be a whole number"):
        ActivationPrompt(vit_spec(48, depth=3), layer=layer)


def test_a_numpy_layer_is_a_layer() -> None:
    assert ActivationPrompt(vit_spec(48, depth=3), layer=np.int64(2)).layers == (2,)


def test_cls_only_never_prompts_a_register():
    """The first: a class token and four registers; the second: one register and no class token."""
    spec = vpcore.load_backbone("vit_tiny_patch16_dinov3_qkvb", pretrained=False, image_size=32).spec
    assert (spec.num_prefix_tokens, spec.class_token) == (5, True)
    prompt = ActivationPrompt(spec, 1, "cls_only")
    nn.init.ones_(prompt.deltas["1"])
    assert prompt.delta(1)[0].abs().sum(1).nonzero().flatten().tolist() == [0]
    for name in ("vit_dwee_patch16_reg1_gap_256", "naflexvit_base_patch16_gap"):  # by both splitters
        with torch.device("meta"):
            spec = vpcore.load_backbone(name, pretrained=False).spec
        assert spec.num_prefix_tokens > 0
        with pytest.raises(ValueError, match=f"cls_only needs a class token, {name} has none: use full or shared"):
            ActivationPrompt(spec, 1, "cls_only")

"""Attention weights against those the blocks use, and distances against hand-made attention."""

import math

import pytest
import torch
from nets import floats, small_cnn, small_vit

import vpcore
from vpcore.inside.attention import attention_distances, attention_weights, mean_attention_distance
from vpcore.tuning import LoRA


def model_of(prompt: str = "none", tuned: bool = False) -> vpcore.Prompted:
    backbone = small_vit()
    prompted = vpcore.PROMPTS[prompt](backbone.spec)
    tuning = LoRA(backbone, rank=2) if tuned else None
    model = vpcore.Prompted(backbone, prompted, vpcore.LinearHead(96, 3), tuning=tuning)
    draw = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.copy_(0.3 * torch.randn(parameter.shape, generator=draw))
    return model.train()


@pytest.mark.parametrize(("prompt", "tuned"), [("none", False), ("vpt_deep", False), ("pad", False), ("none", True)])
def test_weights_are_those_the_blocks_use(prompt, tuned):
    model, images, used, handles = model_of(prompt, tuned), floats(small_vit(), 3), [], []
    for block in model.backbone.blocks:
        block.attn.fused_attn = False  # so that the weights pass through the dropout module
        handles.append(block.attn.attn_drop.register_forward_hook(lambda module, args, out: used.append(out)))
    with torch.no_grad():
        model.eval()(images)
    for handle in handles:
        handle.remove()
    model.train()
    for layer, wanted in enumerate(used):
        found = attention_weights(model, images, layer)
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6)
        assert found.shape[-1] == (27 if prompt == "vpt_deep" else 17)
    assert model.training
    assert not any(module._forward_hooks or module._backward_hooks for module in model.modules())
    distances = attention_distances(model, images)
    by_hand = [mean_attention_distance(weights[..., -16:, -16:], 8) for weights in used]
    torch.testing.assert_close(distances, torch.stack(by_hand), rtol=0, atol=1e-4)
    assert distances.shape == (3, 3)


def test_distances_of_hand_made_attention():
    side, patch = 3, 10
    itself = torch.eye(9)
    right = torch.zeros(9, 9)
    for row in range(side):
        for column in range(side):
            right[row * side + column, row * side + min(column + 1, side - 1)] = 2.0  # rows need not sum to 1
    everywhere = torch.ones(9, 9)
    places = [(row * patch, column * patch) for row in range(side) for column in range(side)]
    mean = sum(math.dist(a, b) for a in places for b in places) / 81
    found = mean_attention_distance(torch.stack([itself, right, everywhere])[None].double(), patch)
    # looking one patch to the right is 10 pixels, and nothing in the last of three columns
    torch.testing.assert_close(found, torch.tensor([0.0, 10 * 2 / 3, mean]).double(), rtol=0, atol=1e-6)


def test_what_has_no_attention_is_refused():
    net = small_cnn()
    cnn = vpcore.Prompted(net, vpcore.NoPrompt(net.spec), vpcore.LinearHead(net.spec.dim, 3))
    with pytest.raises(ValueError, match="need a ViT of plain timm blocks"):
        attention_weights(cnn, floats(net, 2), 0)
    with pytest.raises(ValueError, match=r"layer must be in 0 … 2"):
        attention_weights(model_of(), floats(small_vit(), 2), 3)
    with pytest.raises(ValueError, match="square grid, got 17"):
        mean_attention_distance(torch.ones(1, 1, 17, 17), 8)

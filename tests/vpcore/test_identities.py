"""What an activation prompt is equal to, letter by letter, in float64 on networks built by hand."""

from __future__ import annotations

import copy

import pytest
import torch
from small import HALF, Residual, cnn, images, noise, randomize, vit_pair
from torch import Tensor, nn

import vpcore
from vpcore import PROMPTS, ActivationPrompt, LinearHead, NoPrompt, Prompted
from vpcore.backbone import Backbone, Spec


def close(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a, b, rtol=0, atol=1e-10)


def plain(backbone: Backbone, **options: bool) -> Prompted:
    """Wrap a backbone without a prompt; same random head as `with_delta`."""
    head = LinearHead(backbone.spec.dim, 4)
    randomize(head, seed=9)
    return Prompted(backbone, NoPrompt(backbone.spec), head, **options).double()


def with_delta(backbone: Backbone, layer: int, shape: str, delta: Tensor | None = None, **options: bool) -> Prompted:
    """Wrap a backbone with an activation prompt of random or given delta."""
    model, prompt = plain(backbone, **options), ActivationPrompt(backbone.spec, layer, shape).double()
    randomize(prompt, seed=20 + layer, scale=1.0)
    if delta is not None:
        with torch.no_grad():
            prompt.deltas[str(layer)].copy_(delta)
    model.prompt = prompt
    return model


def delta_of(model: Prompted) -> Tensor:
    return next(model.prompt.parameters()).detach()


def test_a_right_after_a_batch_norm_it_is_a_beta_shift() -> None:
    prompted = with_delta(cnn(), 1, "per_channel")
    tuned = cnn()
    with torch.no_grad():
        tuned.blocks[0].bias += delta_of(prompted).flatten()
    assert close(prompted(images()), plain(tuned)(images()))
    assert not close(prompted(images()), plain(cnn())(images()))


def test_b_right_before_an_eval_batch_norm_it_is_a_scaled_beta_shift() -> None:
    prompted = with_delta(cnn(), 0, "per_channel")
    tuned = cnn()
    norm = tuned.blocks[0]
    with torch.no_grad():
        norm.bias += norm.weight * delta_of(prompted).flatten() / torch.sqrt(norm.running_var + norm.eps)
    assert close(prompted(images()), plain(tuned)(images()))
    assert not close(prompted(images()), plain(cnn())(images()))


def test_c_before_a_batch_norm_in_training_mode_it_does_nothing() -> None:
    trained = with_delta(cnn(), 0, "per_channel", train_backbone=True).train()
    assert close(trained(images()), plain(cnn(), train_backbone=True).train()(images()))
    frozen = with_delta(cnn(), 0, "per_channel").train()
    assert not close(frozen(images()), plain(cnn()).train()(images()))


def test_d_at_the_last_map_of_a_cnn_it_is_a_head_bias_shift() -> None:
    backbone = cnn()
    prompted = with_delta(backbone, backbone.spec.depth, "full")
    shifted = plain(cnn())
    with torch.no_grad():
        shifted.head.linear.bias += shifted.head.linear.weight @ delta_of(prompted).mean((0, 2, 3))
    assert close(prompted(images()), shifted(images()))


def test_d_does_not_hold_for_simple_cnn_with_layers_behind_its_pooling() -> None:
    backbone = vpcore.load_backbone("simple_cnn", pretrained=False, image_size=16, in_chans=3, width=4).double()
    for module in (*backbone.blocks, backbone.pool):
        randomize(module, seed=3)
    change = with_delta(backbone, backbone.spec.depth, "full")(images()) - plain(backbone)(images())
    assert (change - change[0]).abs().max() > 1e-2


def test_e_a_full_image_prompt_on_a_vit_is_a_patch_token_prompt_and_a_position_shift() -> None:
    backbone = vit_pair()[1]
    pixels = plain(backbone)
    pixels.prompt = PROMPTS["full"](backbone.spec).double()
    randomize(pixels.prompt, seed=4)
    picture = pixels.prompt.image(torch.zeros(1, 3, 16, 16, dtype=torch.float64), None).detach()
    weight = backbone.embed.net.patch_embed.proj.weight  # (D, C, P, P)
    patches = picture.unfold(2, 4, 4).unfold(3, 4, 4).permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)
    shift = patches @ weight.flatten(1).T  # W_E·delta for every patch, (1, N, D)
    tokens = with_delta(backbone, 0, "patch_only", shift)
    moved = vit_pair()[1]
    with torch.no_grad():
        moved.embed.net.pos_embed[:, 1:] += shift
    assert close(pixels(images()), tokens(images()))
    assert close(pixels(images()), plain(moved)(images()))
    assert not close(pixels(images()), plain(backbone)(images()))


def test_f_patch_tokens_after_the_last_block_do_nothing_with_class_token_pooling() -> None:
    backbone = vit_pair()[1]
    last = backbone.spec.depth
    assert torch.equal(with_delta(backbone, last, "patch_only")(images()), plain(backbone)(images()))
    full = with_delta(backbone, last, "full")
    only_class = with_delta(backbone, last, "cls_only", delta_of(full)[:, :1])
    assert close(full(images()), only_class(images()))
    assert not close(full(images()), plain(backbone)(images()))
    full(images()).square().sum().backward()
    gradient = next(full.prompt.parameters()).grad
    assert torch.equal(gradient[:, 1:], torch.zeros_like(gradient[:, 1:]))
    averaged = vit_pair(pool="avg")[1]
    assert not close(with_delta(averaged, last, "patch_only")(images()), plain(averaged)(images()))


class Tokens(nn.Module):
    """Cut 16-pixel images into 16 tokens of 48 numbers; no class token."""

    def forward(self, x: Tensor) -> Tensor:
        return x.unfold(2, 4, 4).unfold(3, 4, 4).permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)


class Mean(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return z.mean(1)


def norm_net() -> Backbone:
    """Build tokens | LayerNorm | residual MLP | mean: layer 0 is before the norm, layer 1 right after it."""
    blocks = [nn.LayerNorm(48), Residual(nn.Sequential(nn.Linear(48, 32), nn.GELU(), nn.Linear(32, 48)))]
    for index, block in enumerate(blocks):
        randomize(block, seed=index)
    spec = Spec("norms", "vit", 16, 3, 48, ((16, 48),) * 3, HALF, HALF, 4)
    return Backbone(Tokens(), blocks, Mean(), spec).double()


def test_g_a_shared_prompt_after_a_layer_norm_is_a_beta_shift_and_before_it_is_not() -> None:
    prompted = with_delta(norm_net(), 1, "shared")
    tuned = norm_net()
    with torch.no_grad():
        tuned.blocks[0].bias += delta_of(prompted).flatten()
    assert close(prompted(images()), plain(tuned)(images()))
    norm, z = norm_net().blocks[0], noise(1, 16, 48) * torch.linspace(0.3, 4, 16, dtype=torch.float64).view(1, 16, 1)
    shift = norm(z + noise(48, seed=7)) - norm(z)
    spread = (shift - shift.mean(1, keepdim=True)).norm(dim=-1).mean() / shift.norm(dim=-1).mean()
    assert spread > 0.3  # a beta shift would be the same for every token


@pytest.mark.parametrize("block", [0, 1, 2])
def test_h_a_shared_prompt_at_a_blocks_output_is_that_blocks_last_mlp_bias(block: int) -> None:
    backbone = vit_pair()[1]
    prompted = with_delta(backbone, block + 1, "shared")
    tuned = copy.deepcopy(backbone)
    with torch.no_grad():
        tuned.blocks[block].mlp.fc2.bias += delta_of(prompted).flatten()
    assert close(prompted(images()), plain(tuned)(images()))
    assert not close(prompted(images()), plain(backbone)(images()))

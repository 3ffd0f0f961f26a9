from __future__ import annotations

import pytest
import torch
from small import CNN_SPEC, SWIN_SPEC, images, randomize, vit_pair, vit_spec

from vpcore import DeepTokens, LinearHead, Prompted, ShallowTokens

BOTH = (ShallowTokens, DeepTokens)


def prompted(kind, pool="token", **options):
    net, backbone = vit_pair(pool=pool)
    prompt = kind(backbone.spec, num_tokens=4, **options)
    model = Prompted(backbone, prompt, LinearHead(48, 5)).double()
    randomize(prompt, seed=1)
    return net, model


def by_positions(z, tokens):
    """Write class token, prompt tokens and patch tokens to their places in an empty sequence."""
    batch, length, dim = z.shape
    out = torch.empty(batch, length + len(tokens), dim, dtype=z.dtype)
    out[:, 0] = z[:, 0]
    for position, token in enumerate(tokens):
        out[:, 1 + position] = token
    for position in range(1, length):
        out[:, len(tokens) + position] = z[:, position]
    return out


def oracle(net, values, x, deep):
    """Run timm's own forward with hooks that edit what its blocks receive."""
    p = values.shape[1]

    def keep(z):
        return z[:, [0, *range(1 + p, z.shape[1])]]

    for index, block in enumerate(net.blocks):
        if index == 0:
            block.register_forward_pre_hook(lambda _, args: (by_positions(args[0], values[0]),))
        elif deep:
            block.register_forward_pre_hook(lambda _, args, i=index: (by_positions(keep(args[0]), values[i]),))
    net.norm.register_forward_pre_hook(lambda _, args: (keep(args[0]),))
    return net.forward_head(net.forward_features(x), pre_logits=True)


@pytest.mark.parametrize("pool", ["token", "avg"])
@pytest.mark.parametrize("kind", BOTH)
def test_equals_timm_with_edited_block_inputs(kind, pool):
    net, model = prompted(kind, pool)
    expected = oracle(net, model.prompt.tokens.values, model.normalize(images()), deep=kind is DeepTokens)
    torch.testing.assert_close(model.features(images()), expected, rtol=0, atol=1e-10)
    assert not torch.allclose(expected, model.backbone(model.normalize(images())), atol=1e-3)


@pytest.mark.parametrize("kind", BOTH)
def test_projection_is_one_linear_layer_for_all_blocks(kind):
    net, model = prompted(kind, project=7)
    bank = model.prompt.tokens
    values = torch.einsum("lpq,dq->lpd", bank.values, bank.weight) + bank.bias
    expected = oracle(net, values, model.normalize(images()), deep=kind is DeepTokens)
    torch.testing.assert_close(model.features(images()), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", BOTH)
def test_every_block_sees_prefix_prompts_and_patches_and_pooling_does_not(kind):
    _, model = prompted(kind)
    lengths = []
    for module in (*model.backbone.blocks, model.backbone.pool):
        module.register_forward_pre_hook(lambda _, args: lengths.append(args[0].shape[1]))
    model(images())
    assert lengths == [1 + 4 + 16] * 3 + [1 + 16]


@pytest.mark.parametrize(("kind", "reaches"), [(DeepTokens, False), (ShallowTokens, True)])
def test_gradient_through_prompt_outputs(kind, reaches):
    """Deep throws away what a block made of its prompts; shallow carries it along."""
    _, model = prompted(kind)
    outputs = []

    def keep_gradient(module, args, out):
        out.retain_grad()
        outputs.append(out)

    for block in model.backbone.blocks[:-1]:
        block.register_forward_hook(keep_gradient)
    model(images()).square().sum().backward()
    for out in outputs:
        assert (out.grad[:, 1:5].abs().amax() > 0) == reaches
        assert out.grad[:, 5:].abs().amin(-1).min() > 0
    assert (model.prompt.tokens.values.grad.abs().amax(-1) > 0).all()


@pytest.mark.parametrize("kind", BOTH)
def test_order_of_prompts_does_not_matter(kind):
    _, model = prompted(kind)
    before = model(images())
    with torch.no_grad():
        model.prompt.tokens.values.copy_(model.prompt.tokens.values[:, [2, 0, 3, 1]])
    torch.testing.assert_close(model(images()), before, rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("dim", "p", "shallow", "deep"),
    [
        (768, 1, 768, 9_216), (768, 5, 3_840, 46_080), (768, 10, 7_680, 92_160), (768, 50, 38_400, 460_800),
        (768, 100, 76_800, 921_600), (192, 1, 192, 2_304), (192, 5, 960, 11_520), (192, 10, 1_920, 23_040),
        (192, 50, 9_600, 115_200), (192, 100, 19_200, 230_400),
    ],
)  # fmt: skip
def test_counts_for_vit_base_and_tiny(dim, p, shallow, deep):
    spec = vit_spec(dim)
    assert ShallowTokens(spec, p).num_learned() == shallow
    assert DeepTokens(spec, p).num_learned() == deep
    assert DeepTokens(spec, p, project=32).num_learned() == 12 * p * 32 + 32 * dim + dim


@pytest.mark.parametrize(("dim", "bound"), [(768, 0.0625), (192, 0.0790569)])
def test_start_is_uniform_within_the_bound(dim, bound):
    values = DeepTokens(vit_spec(dim), 50).tokens.values.detach()
    assert 0.999 * bound < values.abs().max() <= bound * (1 + 1e-6)
    assert values.std() == pytest.approx(bound / 3**0.5, rel=0.01)
    assert values.mean() == pytest.approx(0, abs=0.01 * bound)


def test_projected_tokens_start_by_their_own_width():
    bank = ShallowTokens(vit_spec(768), 200, project=96).tokens
    assert bank.values.detach().abs().max() == pytest.approx((6 / (3 * 256 + 96)) ** 0.5, rel=1e-3)
    assert bank.weight.detach().std() == pytest.approx((2 / 768) ** 0.5, rel=0.02)


def test_same_seed_same_start_and_global_stream_untouched():
    state = torch.get_rng_state()
    first, again, other = (DeepTokens(vit_spec(192), seed=seed).tokens.values for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_dropout_has_a_mask_for_every_image_from_the_prompts_own_stream():
    prompt = DeepTokens(vit_spec(192), num_tokens=50, dropout=0.25).train()
    state = torch.get_rng_state()
    made = prompt.activation(torch.zeros(4, 197, 192), 0, None)[:, 1:51].detach()
    assert torch.equal(torch.get_rng_state(), state)
    assert all(not torch.equal(made[0] == 0, made[i] == 0) for i in (1, 2, 3))
    assert (made == 0).float().mean() == pytest.approx(0.25, abs=0.01)
    kept = made[0] != 0
    torch.testing.assert_close(made[0][kept], prompt.tokens.values[0].detach()[kept] / 0.75)


def test_no_dropout_in_eval():
    prompt = ShallowTokens(vit_spec(192), num_tokens=5, dropout=0.5).eval()
    made = prompt.activation(torch.zeros(2, 197, 192), 0, None)[:, 1:6]
    assert torch.equal(made, prompt.tokens.values.expand(2, -1, -1))


def test_input_is_left_as_it_is():
    prompt, z = DeepTokens(vit_spec(192, depth=2), num_tokens=2), torch.ones(1, 199, 192)
    for layer in range(3):
        prompt.activation(z, layer, None)
    assert torch.equal(z, torch.ones_like(z))


@pytest.mark.parametrize("spec", [CNN_SPEC, SWIN_SPEC])
@pytest.mark.parametrize("kind", BOTH)
def test_refuses_networks_without_a_token_sequence(kind, spec):
    with pytest.raises(ValueError, match=f"{spec.name} is a {spec.kind}: use activation, or a pixel prompt"):
        kind(spec)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_tokens": 0}, "num_tokens must be at least 1, got 0"),
        ({"dropout": 1.0}, "dropout must be a probability below 1, got 1.0"),
        ({"dropout": -0.1}, "dropout must be a probability"),
        ({"project": 0}, "project must be at least 1, got 0"),
    ],
)
@pytest.mark.parametrize("kind", BOTH)
def test_options_out_of_range(kind, options, message):
    with pytest.raises(ValueError, match=message):
        kind(vit_spec(192), **options)

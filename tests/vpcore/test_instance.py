from __future__ import annotations

import pytest
import torch
from small import CNN_SPEC, SWIN_SPEC, images, randomize, vit_pair, vit_spec
from torch.nn import functional as F

from vpcore import InstancePrompt, LinearHead, Prompted
from vpcore.prompts.parts.prompters import GlobalPrompter, PatchPrompter, SpecificPrompter, token_grid


def prompted(**options):
    net, backbone = vit_pair()
    prompt = InstancePrompt(backbone.spec, **{"num_tokens": 4, **options})
    model = Prompted(backbone, prompt, LinearHead(48, 5)).double()
    randomize(prompt, seed=1, scale=0.2)
    return net, model


def patch_drawing(part, x, patch):
    """G_l by a loop over patches."""
    out = torch.zeros_like(x)
    for row in range(0, x.shape[2], patch):
        for column in range(0, x.shape[3], patch):
            flat = x[:, :, row : row + patch, column : column + patch].reshape(len(x), -1)
            hidden = (flat @ part.inner.weight.T + part.inner.bias).clamp_min(0)
            drawn = hidden @ part.outer.weight.T + part.outer.bias
            out[:, :, row : row + patch, column : column + patch] = drawn.view(len(x), -1, patch, patch)
    return out


def convolve(x, weight, bias, dilation):
    """A dilated convolution with zero padding, as a sum of shifted images."""
    reach = dilation * (weight.shape[-1] // 2)
    padded = F.pad(x, (reach,) * 4)
    out = bias.view(1, -1, 1, 1).expand(len(x), -1, *x.shape[2:])
    for i in range(weight.shape[2]):
        for j in range(weight.shape[3]):
            top, left = i * dilation, j * dilation
            shifted = padded[:, :, top : top + x.shape[2], left : left + x.shape[3]]
            out = out + torch.einsum("bchw,oc->bohw", shifted, weight[:, :, i, j])
    return out


def global_drawing(part, x, dilation=2):
    hidden = convolve(x, part.inner.weight, part.inner.bias, dilation).clamp_min(0)
    return convolve(hidden, part.outer.weight, part.outer.bias, dilation)


def specific_tokens(part, x):
    """G_s on 16-pixel images with a 4×4 grid: pooling windows of 2 and 2 pixels."""
    first, second, third = (lambda z, c=conv: convolve(z, c.weight, c.bias, 1) for conv in part.convs)
    pooled = first(x).clamp_min(0).unfold(2, 2, 2).unfold(3, 2, 2).amax((-1, -2))
    z = third(second(pooled).clamp_min(0).unfold(2, 2, 2).unfold(3, 2, 2).amax((-1, -2)))  # (B, 3p, 4, 4)
    return torch.stack([z[:, 3 * t : 3 * t + 3].flatten(1) for t in range(part.num_tokens)], dim=1)


def forward_with_tokens(net, x, tokens, behind="keep"):
    """timm's forward; tokens[i] (B, p, dim) go in front of block i, in place of what came out of those before.

    Behind the last of them their outputs stay, or are dropped.
    """
    z = net._pos_embed(net.patch_embed(x))
    patches = z.shape[1] - 1
    for index, block in enumerate(net.blocks):
        if index < len(tokens):
            z = torch.cat([z[:, :1], tokens[index], z[:, -patches:]], 1)
        elif behind == "drop":
            z = torch.cat([z[:, :1], z[:, -patches:]], 1)
        z = block(z)
    return net.norm(z)[:, 0]


def test_equals_the_equations():
    net, model = prompted()
    prompt, x = model.prompt, model.normalize(images())
    picture = 0.7 * global_drawing(prompt.globe, x) + 0.3 * patch_drawing(prompt.patch, x, 4)
    specific = specific_tokens(prompt.specific, x)
    tokens = [0.5 * prompt.common.values[j] + 0.5 * specific for j in range(3)]
    expected = forward_with_tokens(net, x + picture, tokens)
    torch.testing.assert_close(model.features(images()), expected, rtol=0, atol=1e-10)


def test_released_code_sums_instead_of_averaging_and_reads_the_prompted_image():
    _, model = prompted(variant="released_code")
    prompt, x = model.eval().prompt, model.normalize(images())
    context = prompt.condition(x)
    picture = patch_drawing(prompt.patch, x, 4) + 2 * global_drawing(prompt.globe, x, dilation=1)
    torch.testing.assert_close(context.picture, picture, rtol=0, atol=1e-10)
    torch.testing.assert_close(context.specific, prompt.specific(x + picture), rtol=0, atol=1e-10)
    expected = prompt.common.values[1] + context.specific
    torch.testing.assert_close(prompt.tokens(x, 1, context), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("variant", ["paper", "released_code"])
def test_a_part_alone_has_weight_one(variant):
    x = images()
    for part, drawing in (("patch", lambda p: patch_drawing(p.patch, x, 4)), ("global", lambda p: p.globe(x))):
        prompt = prompted(parts=(part, "common"), variant=variant)[1].eval().prompt
        torch.testing.assert_close(prompt.condition(x).picture, drawing(prompt), rtol=0, atol=1e-10)
    for part in ("common", "specific"):
        prompt = prompted(parts=("patch", part), variant=variant)[1].eval().prompt
        context = prompt.condition(x)
        seen = x if variant == "paper" else prompt.image(x, context)
        expected = prompt.common.values[2].expand(3, -1, -1) if part == "common" else prompt.specific(seen)
        torch.testing.assert_close(prompt.tokens(x, 2, context), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("left_out", ["patch", "global", "common", "specific"])
def test_leaving_one_part_out_leaves_its_tensors_out(left_out):
    parts = tuple(part for part in ("patch", "global", "common", "specific") if part != left_out)
    names = {"patch": "patch", "global": "globe", "common": "common", "specific": "specific"}
    _, model = prompted(parts=parts)
    held = {name.split(".")[0] for name, _ in model.prompt.named_parameters()}
    assert held == {names[part] for part in parts}
    model(images()).sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in model.prompt.parameters())


def test_parts_add_up_one_after_the_other():
    order = ("patch", "global", "common", "specific")
    prompts = [InstancePrompt(vit_spec(768), parts=order[:n], variant="released_code") for n in (1, 2, 3, 4)]
    counts = [prompt.num_learned() for prompt in prompts]
    assert counts == [25_360, 25_360 + 13_437, 121_741, 136_627]


@pytest.mark.parametrize(
    ("tokens", "total", "specific"), [(9, 136_627, 14_886), (16, 271_661, 85_408), (20, 355_797, 132_680)]
)
def test_counts_with_released_sizes(tokens, total, specific):
    prompt = InstancePrompt(vit_spec(768), num_tokens=tokens, variant="released_code")
    assert prompt.num_learned() == total
    assert sum(p.numel() for p in prompt.specific.parameters()) == specific
    frozen = InstancePrompt(vit_spec(768), num_tokens=tokens, variant="released_code", train_specific=False)
    assert frozen.num_learned() == total - specific


def test_counts_of_small_prompters():
    def numbers(module):
        return sum(p.numel() for p in module.parameters())

    assert numbers(PatchPrompter(3, 4)) == 1_600
    assert numbers(PatchPrompter(1, 7)) == 1_633
    assert (numbers(GlobalPrompter(3)), numbers(GlobalPrompter(1))) == (333, 115)
    assert GlobalPrompter(3).receptive_field == 9
    assert GlobalPrompter(3, kernels=(11, 25), dilations=(1, 1)).receptive_field == 35
    assert numbers(InstancePrompt(vit_spec(192, image_size=32, patch=4), parts=("common",))) == 20_736


@pytest.mark.parametrize(
    ("chans", "size", "grid"), [(3, 32, (8, 8)), (1, 28, (8, 8)), (3, 32, (8, 4)), (3, 224, (16, 16))]
)
def test_specific_tokens_are_color_pictures(chans, size, grid):
    tokens = SpecificPrompter(chans, 2, grid)(torch.rand(1, chans, size, size))
    assert tokens.shape == (1, 2, 3 * grid[0] * grid[1])


def test_token_pictures_are_three_channels_in_a_row():
    prompt = InstancePrompt(vit_spec(96), num_tokens=2)
    maps = torch.arange(6 * 8 * 4).view(1, 6, 8, 4)  # what the last convolution gives for two tokens
    pictures = prompt.token_pictures(maps.reshape(1, 2, 96))
    assert torch.equal(pictures[0, 1], maps[0, 3:6])


@pytest.mark.parametrize(("dim", "grid"), [(768, (16, 16)), (192, (8, 8)), (96, (8, 4)), (48, (4, 4)), (384, (16, 8))])
def test_token_grid(dim, grid):
    assert token_grid(dim) == grid


@pytest.mark.parametrize("dim", [1024, 64, 128, 1])
def test_dim_without_a_token_picture_names_the_switch(dim):
    with pytest.raises(ValueError, match=f"dim {dim} is not: pass map_tokens=True for a learned map .* use insta"):
        InstancePrompt(vit_spec(dim))


@pytest.mark.parametrize(("dim", "grid"), [(1024, (19, 18)), (64, (11, 2)), (128, (43, 1)), (1, (1, 1))])
def test_a_learned_map_makes_tokens_of_any_dim(dim, grid):
    prompt = InstancePrompt(vit_spec(dim, depth=2, image_size=32), num_tokens=4, map_tokens=True).double()
    maps, linear = prompt.specific
    assert (prompt.grid, 3 * grid[0] * grid[1] - dim in (1, 2)) == (grid, True)
    x = images(size=32)
    made = torch.einsum("btp,dp->btd", maps(x), linear.weight) + linear.bias  # a 1×1 map of the pictures' numbers
    torch.testing.assert_close(prompt.condition(x).specific, made)
    prompt.condition(x).specific.square().sum().backward()
    assert all(p.grad.abs().max() > 0 for p in prompt.specific.parameters())


def test_a_dim_that_three_divides_gets_no_map():
    plain, asked = (InstancePrompt(vit_spec(96, depth=2), map_tokens=switch) for switch in (False, True))
    assert plain.state_dict().keys() == asked.state_dict().keys()
    assert all(map(torch.equal, plain.parameters(), asked.parameters()))


def test_specific_prompter_runs_once_a_batch_on_the_original_images():
    _, model = prompted()
    seen = []
    model.prompt.specific.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    model(images())
    assert len(seen) == 1
    assert torch.equal(seen[0], model.normalize(images()))


def test_specific_prompter_learns():
    """The published code never gave G_s to its optimizer."""
    _, model = prompted()
    before = [p.detach().clone() for p in model.prompt.specific.parameters()]
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    F.cross_entropy(model(images()), torch.tensor([0, 1, 2])).backward()
    optimizer.step()
    assert all((p != old).any() for p, old in zip(model.prompt.specific.parameters(), before, strict=True))


def test_frozen_specific_prompter_gets_no_gradient_and_follows_the_seed():
    _, model = prompted(train_specific=False)
    model(images()).sum().backward()
    assert list(model.prompt.specific.parameters()) == []
    assert all(b.grad is None and not b.requires_grad for b in model.prompt.specific.buffers())
    saved = [name for name in model.learned() if "specific" in name]
    assert len(saved) == 6  # without its frozen G_s a saved prompt would be worth nothing
    first, again, other = (InstancePrompt(vit_spec(48), train_specific=False, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(first.specific.convs[0].weight, again.specific.convs[0].weight)
    assert not torch.equal(first.specific.convs[0].weight, other.specific.convs[0].weight)


@pytest.mark.parametrize("behind", ["keep", "drop"])
@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_only_the_first_blocks_are_prompted(blocks, behind):
    net, model = prompted(blocks=blocks, behind=behind)
    lengths = []
    for module in (*model.backbone.blocks, model.backbone.pool):
        module.register_forward_pre_hook(lambda _, args: lengths.append(args[0].shape[1]))
    features = model.features(images())
    assert lengths == [21] * blocks + [21 if behind == "keep" else 17] * (3 - blocks) + [17]
    x = model.normalize(images())
    context = model.prompt.condition(x)
    tokens = [model.prompt.tokens(x, layer, context) for layer in range(blocks)]
    expected = forward_with_tokens(net, x + context.picture, tokens, behind)
    torch.testing.assert_close(features, expected, rtol=0, atol=1e-10)
    other = forward_with_tokens(net, x + context.picture, tokens, "drop" if behind == "keep" else "keep")
    assert torch.allclose(other, expected, atol=1e-3) is (blocks == 3)


def test_starts_at_an_empty_picture():
    prompt, x = InstancePrompt(vit_spec(48, 2, 16, 4)), images().float()
    assert torch.equal(prompt.image(x, prompt.condition(x)), x)
    released = InstancePrompt(vit_spec(48, 2, 16, 4), variant="released_code")
    assert not torch.allclose(released.image(x, released.condition(x)), x, atol=1e-2)
    assert released.common.values.abs().max() > 0.95  # U(-1, 1)


def test_first_layer_says_who_reads_the_images():
    assert InstancePrompt(vit_spec(48), parts=("common",)).first_layer == 0
    assert InstancePrompt(vit_spec(48), parts=("specific",)).first_layer == -1


def test_start_and_dropout_leave_the_global_stream_alone():
    state = torch.get_rng_state()
    prompt, x = InstancePrompt(vit_spec(48, 2, 16, 4), variant="released_code").train(), images().float()
    first, second = prompt.condition(x).picture, prompt.condition(x).picture
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(first, second)
    prompt.eval()
    assert torch.equal(prompt.condition(x).picture, prompt.condition(x).picture)


@pytest.mark.parametrize("spec", [CNN_SPEC, SWIN_SPEC])
def test_refuses_networks_without_a_token_sequence(spec):
    with pytest.raises(ValueError, match=f"{spec.name} is a {spec.kind}: use instance_image"):
        InstancePrompt(spec)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"parts": ()}, "parts must be some of patch, global, common, specific"),
        ({"parts": ("patch", "patch")}, "parts must be some of"),
        ({"parts": ("local",)}, "parts must be some of"),
        ({"behind": "hide"}, "behind must be 'keep' or 'drop', got 'hide'"),
        ({"blocks": 0}, "blocks must be in 1 … 12 for vit, got 0"),
        ({"blocks": 13}, "blocks must be in 1 … 12 for vit, got 13"),
        ({"patch_size": 15}, "patch_size must divide the image size 224, got 15"),
        ({"beta_image": 1.2}, r"must be in 0 … 1, got 1\.2 and 0\.5"),
        ({"beta_feature": -1}, "must be in 0 … 1"),
        ({"variant": "released"}, "variant must be one of paper, released_code, got 'released'"),
        ({"num_tokens": 0}, "num_tokens must be at least 1, got 0"),
        ({"num_tokens": 0, "parts": ("specific",)}, "num_tokens must be at least 1, got 0"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        InstancePrompt(vit_spec(768), **options)


def test_prompters_check_their_sizes():
    with pytest.raises(ValueError, match=r"patch_size must divide the image, got 5 and \(16, 16\)"):
        PatchPrompter(3, 5)(torch.rand(1, 3, 16, 16))
    with pytest.raises(ValueError, match=r"kernels must be 2 odd whole numbers, got \(3, 4\)"):
        GlobalPrompter(3, kernels=(3, 4))
    with pytest.raises(ValueError, match="kernels must be 3 odd whole numbers"):
        SpecificPrompter(3, 9, (4, 4), (3, 3))

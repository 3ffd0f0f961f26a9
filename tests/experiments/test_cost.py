"""Costs against arithmetic done by hand, and the published counts as an executable table."""

from dataclasses import replace

import pytest
import torch
from nets import small_cnn, small_vit
from torch import nn
from torch.nn import functional as F
from typer.testing import CliRunner

import vpcore
from vpcore.backbone import Backbone
from vpcore.experiments.cost import count_table
from vpcore.experiments.cost.command import app
from vpcore.experiments.cost.cost import cost
from vpcore.flops import attention_backward, attention_forward, count_flops, forward_flops, step_flops
from vpcore.prompts import PROMPTS

NETS = ["vit_base_patch16_224", "resnet18", "resnet50", "vit_nano", "resnet_nano"]


def weightless(name: str) -> Backbone:
    with torch.device("meta"):
        return vpcore.load_backbone(name, pretrained=False)


def prompted(backbone: Backbone, prompt: vpcore.Prompt, classes: int = 10) -> vpcore.Prompted:
    device = next(backbone.parameters()).device
    return vpcore.Prompted(backbone, prompt, vpcore.LinearHead(backbone.spec.dim, classes)).to(device)


def blank(model: vpcore.Prompted, count: int = 1) -> torch.Tensor:
    spec = model.backbone.spec
    return torch.zeros(count, spec.in_chans, spec.image_size, spec.image_size, device=model.mean.device)


@pytest.mark.parametrize("device", ["cpu", "meta"])  # a fused kernel, and separate matrix products
def test_attention_is_counted_as_its_matrix_products(device):
    query = torch.zeros(2, 3, 5, 4, device=device, requires_grad=True)
    key, value = (torch.zeros(2, 3, 7, 4, device=device, requires_grad=True) for _ in range(2))
    by_hand = 2 * (2 * 3 * 5 * 7 * 4) * 2  # QKᵀ and its product with V, two operations a multiply-add
    shapes = [tuple(tensor.shape) for tensor in (query, key, value)]
    assert attention_forward(*shapes) == by_hand
    assert attention_backward((2, 3, 5, 4), *shapes) == 2 * by_hand
    assert count_flops(lambda: F.scaled_dot_product_attention(query, key, value)) == by_hand
    with_gradients = count_flops(lambda: F.scaled_dot_product_attention(query, key, value).sum().backward())
    assert with_gradients == 3 * by_hand


def test_linear_and_convolution_are_counted_with_the_gradients_that_are_computed():
    linear, x = nn.Linear(6, 4), torch.zeros(5, 6)
    assert count_flops(lambda: linear(x)) == 2 * 5 * 6 * 4
    assert count_flops(lambda: linear(x).sum().backward()) == 2 * (2 * 5 * 6 * 4)  # by the weight, not by x
    conv, z = nn.Conv2d(3, 8, 3, padding=1), torch.zeros(2, 3, 10, 10, requires_grad=True)
    assert count_flops(lambda: conv(z).sum().backward()) == 3 * (2 * 2 * 100 * 8 * 27)


def test_vit_b_needs_17_and_a_half_billion_multiply_adds():
    model = prompted(weightless("vit_base_patch16_224"), vpcore.NoPrompt(weightless("vit_base_patch16_224").spec), 1000)
    found = forward_flops(model, blank(model)) / 2
    assert found == pytest.approx(17.5e9, rel=0.005)
    tokens, dim = 197, 768
    attention = 2 * tokens * tokens * dim
    by_hand = 196 * dim * dim + 12 * (12 * tokens * dim * dim + attention) + dim * 1000
    assert found == by_hand


@pytest.mark.parametrize("name", NETS)
def test_a_frozen_step_costs_at_most_70_percent_of_one_with_unused_weight_gradients(name):
    backbone = weightless(name)
    model = prompted(backbone, vpcore.PadPrompt(backbone.spec))
    frozen = step_flops(model, blank(model))
    model.backbone.requires_grad_(True)
    ratio = frozen / step_flops(model, blank(model))
    assert 0.6 < ratio <= 0.70


@pytest.mark.parametrize("name", ["vit_nano", "resnet_nano"])
def test_an_activation_prompt_back_propagates_through_no_block_below_it(name):
    backbone = weightless(name)
    spec, z = backbone.spec, []
    backbone(torch.zeros(1, 3, 32, 32, device="meta"), lambda each, layer: z.append(each) or each)
    blocks = [count_flops(lambda layer=layer: backbone.blocks[layer](z[layer])) for layer in range(spec.depth)]
    if name == "vit_nano":  # the gradient of attention takes twice its forward pass, and no gradient by a weight
        head_width = spec.dim // spec.num_heads
        blocks = [flops + attention_forward(*[(1, spec.num_heads, 17, head_width)] * 3) for flops in blocks]
    for layer in range(spec.depth + 1):
        model = prompted(backbone, vpcore.ActivationPrompt(spec, layer))
        backward = step_flops(model, blank(model)) - forward_flops(model, blank(model))
        assert backward == sum(blocks[layer:]) + 2 * (2 * spec.dim * 10)  # the head: by its weight and its input


def test_the_specific_prompter_runs_once_a_batch():
    backbone = small_vit()
    model = prompted(backbone, vpcore.InstancePrompt(backbone.spec, 4))
    calls = []
    model.prompt.specific.register_forward_hook(lambda *_: calls.append(1))
    common = prompted(backbone, vpcore.InstancePrompt(backbone.spec, 4, parts=("common",)))
    pictures, prompter = blank(model, 2), model.prompt
    drawn = count_flops(lambda: [prompter.globe(pictures), prompter.patch(pictures)])
    once = count_flops(lambda: prompter.specific(pictures))
    calls.clear()
    assert forward_flops(model, pictures) - forward_flops(common, pictures) == drawn + once > drawn
    assert len(calls) == 1


def test_cost_measures_and_leaves_the_model_as_it_was():
    backbone = small_cnn()
    model = vpcore.Prompted(
        backbone, vpcore.PatchPrompt(backbone.spec, 3, "random"), vpcore.LinearHead(16, 3), train_backbone=True
    )
    before = {name: value.clone() for name, value in model.state_dict().items() if isinstance(value, torch.Tensor)}
    stream, places = torch.get_rng_state(), model.prompt.generator().get_state()
    found = cost(model, batch_size=4, repeats=2)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items() if name in before)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), stream)
    assert torch.equal(model.prompt.generator().get_state(), places)
    assert model.training
    assert found.learned_without_head == 9 + sum(p.numel() for p in backbone.parameters())
    assert found.forward_flops == forward_flops(model, blank(model)) == 2 * found.multiply_adds
    assert found.step_flops > 2.5 * found.forward_flops
    assert found.memory_kind == "largest resident set of the process"
    assert 2**26 < found.peak_memory < 2**36
    assert found.inference_rate > 0
    assert found.training_rate > 0


def test_cost_leaves_out_what_it_cannot_measure():
    backbone = weightless("resnet_nano")
    found = cost(prompted(backbone, vpcore.PadPrompt(backbone.spec)), batch_size=2)
    assert (found.peak_memory, found.inference_rate, found.training_rate) == (None, None, None)
    assert found.multiply_adds == pytest.approx(7.35e6, rel=0.01)
    idle = prompted(small_cnn(), vpcore.NoPrompt(small_cnn().spec)).requires_grad_(False)
    found = cost(idle, batch_size=2, repeats=1)
    assert (found.step_flops, found.training_rate) == (None, None)


def test_cost_refuses_nothing_to_measure():
    backbone = small_cnn()
    with pytest.raises(ValueError, match="must be at least 1, got 0 and 5"):
        cost(prompted(backbone, vpcore.NoPrompt(backbone.spec)), batch_size=0)


def test_every_method_is_measured_or_says_why_not():
    shown = CliRunner().invoke(app, ["measure", "--backbone", "resnet_nano", "--batch-size", "2", "--repeats", "1"])
    assert shown.exit_code == 0, shown.output
    lines = shown.stdout.splitlines()
    measured = {line.split()[1] for line in lines if line.startswith("resnet_nano")}
    left_out = {name for name in PROMPTS if any(line.startswith(f"left out: {name} ") for line in lines)}
    assert (measured, left_out) == (set(PROMPTS) - left_out, {"instance", "vpt_shallow", "vpt_deep"})


def test_the_count_table_agrees_and_notices_a_wrong_count(monkeypatch):
    shown = CliRunner().invoke(app, ["table"])
    assert shown.exit_code == 0, shown.output
    for published in ("69,840", "460,800", "38,400", "102,912", "294,912", "205,824", "136,627", "635,544"):
        assert published in shown.output
    right = count_table.EXPECTED[4]
    monkeypatch.setattr(count_table, "EXPECTED", [right, (right[0], right[1], (69_840, 69_840, 69_840, 69_841))])
    shown = CliRunner().invoke(app, ["table"])
    assert shown.exit_code == 1
    assert "69,841 ≠ 69,840" in shown.output
    assert "2 rows, 1 of them" in shown.output


def test_a_row_that_does_not_exist_is_no_agreement():
    row = count_table.CountRow("some", (1, None, None, None), (1, None, None, None))
    assert row.agrees
    assert not replace(row, counted=(1, 1, None, None)).agrees


def test_measure_says_what_is_wrong():
    shown = CliRunner().invoke(app, ["measure", "--backbone", "resnet_nanoo"])
    assert shown.exit_code == 2
    assert "unknown backbone" in shown.output

"""Prompt pictures against deltas written by hand."""

import pytest
import torch
from nets import small_cnn, small_vit
from small import SWIN_SPEC

from vpcore import ActivationPrompt
from vpcore.inside.prompt_maps import delta_map


def test_a_map_of_a_cnn_is_the_norm_over_channels():
    prompt = ActivationPrompt(small_cnn().spec, (1, 3))
    delta = prompt.deltas["3"]
    with torch.no_grad():
        delta[0, 0, 1, 0], delta[0, 5, 1, 0], delta[0, 2, 0, 1] = 3.0, -4.0, 2.0
    found = delta_map(prompt, 3)
    wanted = torch.zeros(delta.shape[-2:])
    wanted[1, 0], wanted[0, 1] = 5.0, 2.0
    assert torch.equal(found.grid, wanted)
    assert found.prefix.numel() == 0
    assert float(delta_map(prompt).grid.sum()) == 0  # its first layer


def test_a_map_of_a_vit_shows_the_class_token_apart():
    prompt = ActivationPrompt(small_vit().spec, 1)
    with torch.no_grad():
        prompt.deltas["1"][0, 0, :2] = torch.tensor([6.0, 8.0])
        prompt.deltas["1"][0, 1 + 4 * 2 + 3, 7] = -2.0  # the patch in row 2, column 3
    found = delta_map(prompt)
    assert found.prefix.tolist() == [10]
    assert float(found.grid[2, 3]) == 2
    assert float(found.grid.sum()) == 2


@pytest.mark.parametrize(("shape", "prefix", "grid"), [("shared", 1, 1), ("patch_only", 0, 1), ("cls_only", 1, 0)])
def test_a_map_of_every_shape_of_delta(shape, prefix, grid):
    prompt = ActivationPrompt(small_vit().spec, 1, shape)
    with torch.no_grad():
        prompt.deltas["1"].fill_(96**-0.5)
    found = delta_map(prompt)
    torch.testing.assert_close(found.grid, torch.full((4, 4), float(grid)))
    torch.testing.assert_close(found.prefix, torch.tensor([float(prefix)]))


def test_a_map_of_a_swin_has_its_channels_last():
    prompt = ActivationPrompt(SWIN_SPEC, 0)
    with torch.no_grad():
        prompt.deltas["0"][0, 3, 1] = 0.5
    assert float(delta_map(prompt).grid[3, 1]) == pytest.approx(0.5 * 8**0.5)
    with pytest.raises(ValueError, match="not prompted"):
        delta_map(prompt, 1)

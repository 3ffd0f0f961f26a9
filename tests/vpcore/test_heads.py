"""Heads: what they compute, what they count."""

import pytest
import torch

from vpcore.heads.linear import LinearHead, MLPHead


def learned(module):
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


@pytest.mark.parametrize(("dim", "classes", "expected"), [(768, 10, 7_690), (192, 100, 19_300), (2048, 10, 20_490)])
def test_linear_head_counts(dim, classes, expected):
    assert learned(LinearHead(dim, classes)) == expected


def test_mlp_head_counts_and_computes_three_layers():
    head = MLPHead(12, 5, hidden=7)
    assert learned(head) == 12 * 7 + 7 + 7 * 7 + 7 + 7 * 5 + 5
    assert learned(MLPHead(12, 5)) == 2 * (12 * 12 + 12) + 12 * 5 + 5
    x = torch.randn(4, 12)
    (w1, b1), (w2, b2), (w3, b3) = zip(*[iter(head.parameters())] * 2, strict=True)
    hidden = torch.clamp(torch.einsum("bi,oi->bo", x, w1) + b1, min=0)
    hidden = torch.clamp(torch.einsum("bi,oi->bo", hidden, w2) + b2, min=0)
    assert torch.allclose(head(x), torch.einsum("bi,oi->bo", hidden, w3) + b3, atol=1e-6)


def test_heads_are_seeded_and_leave_the_global_stream_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    for make in (lambda seed: LinearHead(6, 3, seed=seed), lambda seed: MLPHead(6, 3, seed=seed)):
        torch.manual_seed(3)
        one, same, other = make(0), make(0), make(1)
        assert torch.equal(torch.rand(1), expected)
        x = torch.randn(2, 6, generator=torch.Generator().manual_seed(0))
        assert torch.equal(one(x), same(x))
        assert not torch.equal(one(x), other(x))


def test_gradients_reach_every_layer_at_the_first_step():
    head = MLPHead(8, 3, num_layers=4)
    head(torch.randn(16, 8)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in head.parameters())


def test_bad_sizes_are_refused():
    with pytest.raises(ValueError, match="num_classes must be at least 2, got 1"):
        LinearHead(8, 1)
    with pytest.raises(ValueError, match="num_classes must be at least 2, got 0"):
        MLPHead(8, 0)
    with pytest.raises(ValueError, match="num_layers at least 2, got 8 and 1"):
        MLPHead(8, 3, num_layers=1)
    with pytest.raises(ValueError, match="hidden must be at least 1"):
        MLPHead(8, 3, hidden=0)

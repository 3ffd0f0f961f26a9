"""Linear CKA against its formula with centered Gram matrices, its invariances, and t-SNE."""

import pytest
import torch
from nets import floats, small_cnn, small_vit, split

import vpcore
from vpcore.inside.similarity import cka_map, layer_features, linear_cka, tsne
from vpcore.train import fit

N = 20


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_hand(x: torch.Tensor, y: torch.Tensor) -> float:
    center = torch.eye(N, dtype=torch.float64) - 1 / N
    k, l = center @ x @ x.mT @ center, center @ y @ y.mT @ center  # noqa: E741
    return float(torch.trace(k @ l) / (torch.trace(k @ k) * torch.trace(l @ l)).sqrt())


@pytest.mark.parametrize("width", [3, 50])
def test_linear_cka_equals_both_of_its_formulas(width):
    x, y = noise(N, 7) + 5, noise(N, width, seed=1) + noise(N, 7)[:, :1]
    found = linear_cka(x, y)
    assert found == pytest.approx(by_hand(x, y), abs=1e-12)
    a, b = x - x.mean(0), y - y.mean(0)
    assert found == pytest.approx(float((b.mT @ a).norm() ** 2 / ((a.mT @ a).norm() * (b.mT @ b).norm())), abs=1e-12)
    assert 0.01 < found < 0.99


def test_linear_cka_does_not_see_rotation_scale_and_shift_but_sees_the_rest():
    x, y = noise(N, 6), noise(N, 4, seed=1)
    turn = torch.linalg.qr(noise(6, 6, seed=2)).Q
    assert linear_cka(-3 * x @ turn + 7, y) == pytest.approx(linear_cka(x, y), abs=1e-12)
    assert linear_cka(x, 2 * x @ turn) == pytest.approx(1, abs=1e-12)
    stretched = x * torch.tensor([10.0, 1, 1, 1, 1, 1], dtype=torch.float64)
    assert linear_cka(x, stretched) < 0.9
    assert linear_cka(x, x[torch.randperm(N, generator=torch.Generator().manual_seed(0))]) < 0.7
    assert linear_cka(y, x) == pytest.approx(linear_cka(x, y), abs=1e-12)


def test_a_cka_map_compares_layers():
    models = []
    for net in (small_vit(), small_vit(seed=1)):
        models.append(vpcore.Prompted(net, vpcore.ActivationPrompt(net.spec, 1), vpcore.LinearHead(96, 3)).train())
    images = floats(models[0].backbone, 12)
    own, other = cka_map(models[0], models[0], images), cka_map(*models, images)
    assert own.shape == other.shape == (4, 4)
    torch.testing.assert_close(own.diagonal(), torch.ones(4).double(), rtol=0, atol=1e-12)
    torch.testing.assert_close(own, own.mT, rtol=0, atol=1e-12)
    rows = [layer_features(model, images) for model in models]
    assert float(other[1, 2]) == pytest.approx(linear_cka(rows[0][1], rows[1][2]), abs=1e-12)
    assert cka_map(*models, images, start=2).shape == (2, 2)
    assert models[0].training


def test_layer_features_hold_the_prompt():
    net = small_cnn()
    model = vpcore.Prompted(net, vpcore.ActivationPrompt(net.spec, 2), vpcore.LinearHead(net.spec.dim, 3))
    with torch.no_grad():
        model.prompt.deltas["2"].add_(0.5)
    images = floats(net, 4)
    plain = vpcore.Prompted(net, vpcore.NoPrompt(net.spec), vpcore.LinearHead(net.spec.dim, 3))
    with_prompt, without = layer_features(model, images), layer_features(plain, images)
    assert torch.equal(with_prompt[1], without[1])
    torch.testing.assert_close(with_prompt[2], without[2] + 0.5)
    assert len(with_prompt) == 5


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="same images, got 3 and 4 rows"):
        linear_cka(torch.rand(3, 2), torch.rand(4, 2))
    with pytest.raises(ValueError, match="same for every image"):
        linear_cka(torch.full((5, 2), 0.1), torch.rand(5, 2))
    for bad in (torch.nan, torch.inf):
        with pytest.raises(ValueError, match="features hold values that are not finite: look for a division by zero"):
            linear_cka(torch.rand(5, 2), torch.tensor([[bad, 1.0], *[[0.0, 1.0]] * 4]))
    with pytest.raises(ValueError, match="a comparison needs at least 2 images, got 1: give more"):
        linear_cka(torch.rand(1, 2), torch.rand(1, 2))
    with pytest.raises(ValueError, match="below the 5 images, got 30"):
        tsne(torch.rand(5, 2))
    with pytest.raises(ValueError, match="not finite"):
        tsne(torch.full((5, 2), torch.inf), perplexity=2)


def test_tsne_keeps_groups_together_and_repeats():
    groups = torch.cat([noise(15, 8), noise(15, 8, seed=1) + 20])
    stream = torch.get_rng_state()
    placed = tsne(groups, perplexity=5, seed=1)
    assert torch.equal(torch.get_rng_state(), stream)
    assert placed.shape == (30, 2)
    distances = torch.cdist(placed, placed)
    distances.fill_diagonal_(torch.inf)
    assert torch.equal(distances.argmin(1) >= 15, torch.arange(30) >= 15)
    assert torch.equal(placed, tsne(groups, perplexity=5, seed=1))


def test_tsne_takes_features_of_a_trained_model():
    net = small_vit()
    model = vpcore.Prompted(net, vpcore.NoPrompt(net.spec), vpcore.LinearHead(96, 3))
    fit(model, split(net, 12), split(net, 6), epochs=1, device="cpu")
    with torch.no_grad():
        features = model.eval().features(floats(net, 12))
    assert tsne(features, perplexity=3).isfinite().all()


def test_tsne_takes_the_specific_tokens_of_each_image():
    backbone = small_vit()
    prompt = vpcore.InstancePrompt(backbone.spec, num_tokens=2)
    images = floats(backbone, 12)
    specific = prompt.condition((images - 0.5) / 0.25).specific  # p^s: (images, tokens, dim)
    placed = tsne(specific.flatten(1), perplexity=3)
    assert placed.shape == (12, 2)
    assert not torch.equal(placed[0], placed[1])

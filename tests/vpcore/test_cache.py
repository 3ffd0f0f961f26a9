"""Training on cached activations against training on the images themselves."""

import copy
import gc
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from nets import BACKBONES, floats, small_cnn, small_vit, split
from torch import Tensor

import vpcore
from vpcore import cache
from vpcore.backbone import Backbone
from vpcore.cache import CachedSplit, cached
from vpcore.tuning import NormTuning, PartialK


def model_of(backbone: Backbone, prompt: vpcore.Prompt, **options) -> vpcore.Prompted:
    model = vpcore.Prompted(backbone, prompt, vpcore.LinearHead(backbone.spec.dim, 3), **options)
    draw = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.05 * torch.randn(parameter.shape, generator=draw))
    return model


def activation_at(layer: int):
    return lambda net: model_of(net, vpcore.ActivationPrompt(net.spec, layer))


BUILDS = {
    **{f"activation {layer}": activation_at(layer) for layer in range(4)},
    "two layers": lambda net: model_of(net, vpcore.ActivationPrompt(net.spec, (1, 3))),
    "linear probe": lambda net: model_of(net, vpcore.NoPrompt(net.spec)),
    "probe of layer 2": lambda net: model_of(net.upto(2), vpcore.NoPrompt(net.upto(2).spec)),
    "norms of block 1": lambda net: model_of(net, vpcore.NoPrompt(net.spec), tuning=NormTuning(net, layer=1)),
    "last block": lambda net: model_of(net, vpcore.NoPrompt(net.spec), tuning=PartialK(net, 1)),
}
VIT_BUILDS = {
    "vpt": lambda net: model_of(net, vpcore.DeepTokens(net.spec, 4, dropout=0.2)),
    "common tokens": lambda net: model_of(net, vpcore.InstancePrompt(net.spec, 4, parts=("common",))),
}
CASES = [(kind, name) for kind in BACKBONES for name in BUILDS] + [("vit", name) for name in VIT_BUILDS]


def train(model: vpcore.Prompted, train_split, valid_split) -> dict[str, Tensor]:
    vpcore.fit(model, train_split, valid_split, epochs=3, batch_size=10, lr=1e-2, seed=5, device="cpu")
    return {name: tensor.detach().clone() for name, tensor in model.learned().items()}


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_cached_and_uncached_training_give_the_same_weights(kind, name):
    backbone = BACKBONES[kind]()
    images, valid = split(backbone, 24), split(backbone, 12, seed=1)
    model = (BUILDS | VIT_BUILDS)[name](backbone)
    start = {key: tensor.detach().clone() for key, tensor in model.learned().items()}
    other = copy.deepcopy(model)
    wanted = train(model, images, valid)
    found = train(other, cached(other, images), cached(other, valid))
    for key, tensor in wanted.items():
        assert float((tensor - found[key]).abs().max()) <= 1e-6
        assert float((tensor - start[key]).abs().max()) > 1e-3


@pytest.mark.parametrize("kind", BACKBONES)
def test_a_cached_split_gives_the_logits_of_the_split_from_any_layer_below(kind):
    backbone = BACKBONES[kind]()
    model, images = BUILDS["activation 2"](backbone), split(backbone, 9)
    wanted = vpcore.evaluate(model, images)
    for layer in range(3):
        kept = cached(model, images, layer, batch_size=4)
        assert kept.layer == layer
        assert kept.activations.shape == (9, *backbone.spec.shapes[layer])
        x = model.normalize(floats(backbone, 9))
        torch.testing.assert_close(kept.activations, backbone.activations(x, layer), rtol=0, atol=1e-6)
        found = vpcore.evaluate(model, kept, batch_size=5)
        assert found.loss == pytest.approx(wanted.loss, abs=1e-6)
        assert torch.equal(found.predictions, wanted.predictions)


def test_a_probe_keeps_features_and_an_activation_prompt_its_own_layer():
    backbone = small_vit()
    probe = BUILDS["linear probe"](backbone)
    assert cached(probe, split(backbone, 5)).activations.shape == (5, 96)
    assert cached(activation_at(3)(backbone), split(backbone, 5)).layer == 3
    assert cached(BUILDS["two layers"](backbone), split(backbone, 5)).layer == 1
    assert cache.first_layer(BUILDS["last block"](backbone)) == 2


def test_the_layers_below_run_once():
    backbone = small_cnn()
    model, images = activation_at(2)(backbone), split(backbone, 20)
    calls = [0] * 4
    for index, block in enumerate(backbone.blocks):
        block.register_forward_hook(lambda *_, index=index: calls.__setitem__(index, calls[index] + 1))
    kept = cached(model, images, batch_size=20)
    assert calls == [1, 1, 0, 0]
    vpcore.fit(model, kept, kept, epochs=3, batch_size=10, device="cpu")
    # every further run of the lower blocks is of one image: fit tries its labels, and checks the two splits' origin
    assert calls[0] == calls[1] <= 1 + 3
    assert calls[2] == calls[3] >= 3 * (2 + 1)


def test_what_cannot_be_cached_is_refused():
    backbone = small_cnn()
    images = split(backbone, 6)
    with pytest.raises(ValueError, match="PadPrompt acts on pixels"):
        cached(model_of(backbone, vpcore.PadPrompt(backbone.spec, 2)), images)
    with pytest.raises(ValueError, match="at least one image"):
        cached(activation_at(1)(backbone), images.take([]))
    for layer in (-1, 3):
        with pytest.raises(ValueError, match=r"layer must be in 0 … 2, where ActivationPrompt first acts"):
            cached(activation_at(2)(backbone), images, layer)
    kept = cached(activation_at(2)(backbone), images)
    with pytest.raises(ValueError, match="cannot be augmented"):
        vpcore.fit(activation_at(2)(backbone), kept, images, epochs=1, augment=lambda batch, draw: batch, device="cpu")
    trained = model_of(small_cnn(), vpcore.ActivationPrompt(backbone.spec, 2), train_backbone=True)
    with pytest.raises(ValueError, match="needs a frozen backbone"):
        cached(trained, images)
    with pytest.raises(ValueError, match="needs a frozen backbone"):
        vpcore.evaluate(trained, kept)


def test_a_cache_serves_the_model_it_fits_and_no_other():
    backbone = small_cnn()
    images = split(backbone, 6)
    kept = cached(activation_at(2)(backbone), images)
    deeper = activation_at(3)(small_cnn())  # the same weights in another object, a prompt above the cache
    assert vpcore.evaluate(deeper, kept).loss == pytest.approx(vpcore.evaluate(deeper, images).loss, abs=1e-6)
    with pytest.raises(ValueError, match="layer must be in 0 … 1"):
        vpcore.evaluate(activation_at(1)(backbone), kept)
    for other in (small_cnn(seed=1), small_vit()):
        with pytest.raises(ValueError, match="come from another backbone"):
            vpcore.evaluate(activation_at(3)(other), with_images_of(kept, split(other, 6)))


def with_images_of(kept: CachedSplit, images) -> CachedSplit:
    """The same activations with images that fit the other backbone's input."""
    return CachedSplit(images.images, kept.labels, kept.activations, kept.layer)


def test_large_activations_go_to_a_file_that_leaves_with_the_split():
    backbone = small_vit()
    model, images = activation_at(1)(backbone), split(backbone, 12)
    inside, mapped = cached(model, images), cached(model, images, memory_limit=1000)
    assert inside.folder is None
    assert mapped.nbytes == inside.nbytes == 12 * 17 * 96 * 4
    folder = Path(mapped.folder.name)
    assert (folder / "activations").stat().st_size == mapped.nbytes
    assert torch.equal(mapped.activations, inside.activations)
    first, second = copy.deepcopy(model), copy.deepcopy(model)
    assert all(torch.equal(a, b) for a, b in zip(
        train(first, inside, inside).values(), train(second, mapped, mapped).values(), strict=True))  # fmt: skip
    assert mapped.take([1, 2]).folder is None
    assert torch.equal(mapped.take([1, 2]).activations, inside.activations[1:3])
    del mapped
    gc.collect()
    assert not folder.exists()


def test_a_full_disk_is_said_before_anything_runs_out(monkeypatch):
    backbone = small_vit()
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda path: SimpleNamespace(free=10))
    with pytest.raises(OSError, match="room for 10 bytes, the activations take 78,336"):
        cached(activation_at(0)(backbone), split(backbone, 12), memory_limit=0)


def test_convolution_maps_keep_their_memory_layout():
    backbone = small_cnn()
    kept = cached(activation_at(2)(backbone), split(backbone, 6))
    batch = kept.batch(torch.tensor([3, 1, 5]), torch.device("cpu"))
    assert batch.is_contiguous(memory_format=torch.channels_last)

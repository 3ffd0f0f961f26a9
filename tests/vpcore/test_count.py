import pytest
import torch
from tiny import same, tiny_model, tiny_split, weights
from torch import nn

import vpcore
from vpcore.train import fit

TRAIN, VALID = tiny_split(40), tiny_split(20, seed=1)
IMAGES, LABELS = TRAIN.images[:8].float() / 255, TRAIN.labels[:8]


def test_counts_by_part():
    for train_backbone in (True, False):
        model = tiny_model(train_backbone=train_backbone)
        backbone = sum(p.numel() for p in model.backbone.parameters())
        counted = vpcore.count(model)
        assert (counted.prompt, counted.head, counted.backbone) == (1 + 16, 8 * 3 + 3, backbone)
        assert counted.learned_backbone == (backbone if train_backbone else 0)
        assert counted.learned == sum(p.numel() for p in model.parameters() if p.requires_grad)
        assert counted.total == sum(p.numel() for p in model.parameters())
    assert str(counted) == f"prompt 17 + head 27 learned; backbone {backbone:,} frozen"


def test_the_source_classifier_is_not_counted():
    model = tiny_model()
    before = vpcore.count(model)
    model.backbone.classifier = nn.Linear(8, 1000)
    assert vpcore.count(model) == before


@pytest.mark.parametrize(
    ("name", "shape", "counts"),
    [
        ("vit_nano", "full", {6: 96, 3: 17 * 96, (0, 6): 17 * 96 + 96}),
        ("vit_nano", "per_channel", {6: 96, 3: 96}),
        ("vit_nano", "cls_only", {6: 96}),
        ("vit_nano", "patch_only", {6: 0, 5: 16 * 96}),
        ("resnet_nano", "full", {7: 120 * 2 * 2, 0: 16 * 16 * 16}),
    ],
)
def test_what_pooling_never_reads_is_not_counted(name, shape, counts):
    backbone = vpcore.load_backbone(name)
    for layer, expected in counts.items():
        prompt = vpcore.ActivationPrompt(backbone.spec, layer=layer, shape=shape)
        model = vpcore.Prompted(backbone, prompt, vpcore.LinearHead(backbone.spec.dim, 3)).train()
        assert vpcore.count(model).prompt == expected
        assert model.training
        assert all(parameter.grad is None for parameter in model.parameters())


def test_a_frozen_prompt_in_front_of_pooling_counts_nothing_and_one_without_values_all():
    backbone = vpcore.load_backbone("vit_nano")
    prompt = vpcore.ActivationPrompt(backbone.spec, layer=6)
    model = vpcore.Prompted(backbone, prompt, vpcore.LinearHead(backbone.spec.dim, 3))
    assert vpcore.count(model.requires_grad_(False)).prompt == 0
    prompt.requires_grad_(True)
    assert vpcore.count(model.to("meta")).prompt == 17 * 96


def test_ten_steps_leave_the_frozen_bit_identical():
    model = tiny_model(train_backbone=False)
    before = weights(model.backbone)
    fit(model, TRAIN, VALID, epochs=2, batch_size=8, lr=0.1)
    model.train()
    for _ in range(2):
        model(IMAGES)
    assert same(before, weights(model.backbone))


def test_a_trained_backbone_changes_with_its_statistics():
    model = tiny_model(train_backbone=True)
    before = weights(model.backbone)
    fit(model, TRAIN, VALID, epochs=1, lr=1e-2)
    after = weights(model.backbone)
    unchanged = [name for name in before if torch.equal(before[name], after[name])]
    assert unchanged == []


def test_every_learned_tensor_gets_a_gradient_within_two_steps():
    for train_backbone in (True, False):
        model = tiny_model(train_backbone=train_backbone)
        fit(model, TRAIN, VALID, epochs=2, batch_size=40)
        model.train()
        norms = vpcore.trainable_report(model, IMAGES, LABELS)
        assert set(norms) == {name for name, p in model.named_parameters() if p.requires_grad}
        assert all(norm > 0 for norm in norms.values())
        assert all(p.grad is None for p in model.parameters())


def test_frozen_survives_train():
    model = tiny_model(train_backbone=False).train()
    assert model.training
    assert model.head.training
    assert not any(module.training for module in model.backbone.modules())
    assert tiny_model(train_backbone=True).train().backbone.training


def test_a_backbone_to_be_trained_starts_in_the_mode_of_its_model():
    """In a loop of one's own, without .train(): as of any new module of torch."""
    model, head = tiny_model(train_backbone=True), nn.Linear(8, 3).eval()
    assert all(module.training for module in model.backbone.modules())
    model(IMAGES)
    assert {int(norm.num_batches_tracked) for norm in model.modules() if isinstance(norm, nn.BatchNorm2d)} == {1}
    vpcore.Prompted(model.backbone, vpcore.NoPrompt(model.backbone.spec), head, train_backbone=True)
    assert not head.training, "parts keep the mode they came in"


def test_a_silent_tensor_is_named():
    model = tiny_model(train_backbone=False)
    model.head.unused = nn.Parameter(torch.ones(2))
    with pytest.raises(ValueError, match=r"no usable gradient reaches head\.unused: check that forward uses"):
        vpcore.trainable_report(model, IMAGES, LABELS)


def test_a_gradient_that_is_not_finite_is_named():
    model = tiny_model(train_backbone=False)
    model.prompt.maps[0].register_hook(lambda grad: grad * float("nan"))
    with pytest.raises(ValueError, match=r"no usable gradient reaches prompt\.maps\.0"):
        vpcore.trainable_report(model, IMAGES, LABELS)


def test_a_leak_into_frozen_weights_is_named():
    class Leaky(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner, self.prompt, self.head, self.backbone = inner, inner.prompt, inner.head, inner.backbone

        def forward(self, images):
            logits = self.inner(images)
            weight = next(self.backbone.parameters())
            weight.grad = torch.ones_like(weight)
            return logits

    with pytest.raises(
        ValueError, match=r"frozen .*blocks\.0\.0\.weight gets one: check that .* backbone object is froz"
    ):
        vpcore.trainable_report(Leaky(tiny_model(train_backbone=False)), IMAGES, LABELS)

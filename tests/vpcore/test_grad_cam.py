"""Grad-CAM against a network whose map is known by hand, and the confusion matrix against counting."""

import pytest
import torch
from nets import floats, small_vit
from torch import nn

from vpcore import DeepTokens, LinearHead, NoPrompt, Prompted, load_backbone
from vpcore.backbone import Backbone, Spec
from vpcore.inside.grad_cam import confusion_matrix, grad_cam
from vpcore.tuning import LoRA

SIZE = 8


def two_channel_model(weight: torch.Tensor) -> Prompted:
    """Channel 0 is the image, channel 1 is minus the image; GAP; a linear head with the given weight."""
    conv = nn.Conv2d(1, 2, 1, bias=False)
    with torch.no_grad():
        conv.weight.copy_(torch.tensor([1.0, -1.0]).view(2, 1, 1, 1))
    shapes = ((1, SIZE, SIZE), (2, SIZE, SIZE))
    spec = Spec("hand", "cnn", SIZE, 1, 2, shapes, (0.0,), (1.0,))
    backbone = Backbone(nn.Identity(), [conv], nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), spec)
    head = LinearHead(2, 2)
    with torch.no_grad():
        head.linear.weight.copy_(weight)
    return Prompted(backbone, NoPrompt(spec), head)


def test_grad_cam_equals_the_map_worked_out_by_hand():
    weight = torch.tensor([[3.0, 1.0], [-2.0, 0.5]])
    images = torch.rand(2, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    for target in (0, 1):
        cam = grad_cam(two_channel_model(weight), images, classes=torch.full((2,), target))
        # d logit / d channel = weight / pixels everywhere, so the map is relu(w0 · x - w1 · x) / pixels
        wanted = ((weight[target, 0] - weight[target, 1]) * images[:, 0] / SIZE**2).relu()
        torch.testing.assert_close(cam, wanted)


def test_grad_cam_explains_the_predicted_class_by_default():
    model = two_channel_model(torch.tensor([[3.0, 1.0], [-2.0, 0.5]]))
    images = torch.rand(2, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(1)) + 0.1
    assert torch.equal(grad_cam(model, images), grad_cam(model, images, classes=torch.zeros(2, dtype=torch.long)))


def test_grad_cam_leaves_no_gradient_and_no_mode_behind():
    backbone = load_backbone("simple_cnn", pretrained=False, width=4)
    model = Prompted(backbone, NoPrompt(backbone.spec), LinearHead(16, 10), train_backbone=True).train()
    images = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    before = {name: value.clone() for name, value in model.state_dict().items() if isinstance(value, torch.Tensor)}
    for layer in range(backbone.spec.depth + 1):
        assert grad_cam(model, images, layer=layer).shape == (3, 28, 28)
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items() if name in before)
    with pytest.raises(ValueError, match="layer must be in 0 … 4"):
        grad_cam(model, images, layer=5)


def test_grad_cam_works_under_no_grad_and_on_a_vit():
    backbone = load_backbone("vit_tiny_small", pretrained=False)
    model = Prompted(backbone, NoPrompt(backbone.spec), LinearHead(192, 10))
    with torch.no_grad():
        model.head.linear.weight.normal_(generator=torch.Generator().manual_seed(0))
        cam = grad_cam(model, torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0)))
    assert cam.shape == (2, 28, 28)
    assert float(cam.max()) > 0


def test_grad_cam_lays_vit_tokens_out_row_by_row():
    tokens, spec = 17, Spec("v", "vit", 28, 1, 3, ((17, 3),), (0.5,), (0.5,), 7, 1, 1)
    from vpcore.inside.grad_cam import _as_maps

    z = torch.arange(tokens * 3.0).view(1, tokens, 3)
    assert torch.equal(_as_maps(z, spec)[0, :, 1, 2], z[0, 1 + 4 + 2])


def test_confusion_matrix_counts_true_rows_and_predicted_columns():
    labels = torch.tensor([0, 0, 0, 1, 1])
    predictions = torch.tensor([0, 2, 2, 1, 0])
    counts = confusion_matrix(predictions, labels, 3, normalize=False)
    assert counts.tolist() == [[1, 0, 2], [1, 1, 0], [0, 0, 0]]
    rows = confusion_matrix(predictions, labels, 3)
    assert rows.sum(1).tolist() == [1, 1, 0]
    assert rows[0, 2] == pytest.approx(2 / 3)


@pytest.mark.parametrize("kinds", [(torch.int64, torch.uint8), (torch.uint8, torch.int64), (torch.uint8, torch.int8)])
def test_confusion_matrix_counts_narrow_integers_in_their_place(kinds):
    predictions, labels = (torch.tensor([20]).to(kind) for kind in kinds)
    assert confusion_matrix(predictions, labels, 100, normalize=False).nonzero().tolist() == [[20, 20]]


def test_confusion_matrix_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="same length"):
        confusion_matrix(torch.tensor([0]), torch.tensor([0, 1]), 2)
    with pytest.raises(ValueError, match="raise num_classes"):
        confusion_matrix(torch.tensor([2]), torch.tensor([1]), 2)


def test_grad_cam_leaves_prompt_tokens_out_and_sees_a_tuning():
    net = small_vit()
    images = floats(net, 2)
    model = Prompted(net, DeepTokens(net.spec, 4), LinearHead(96, 3))
    assert grad_cam(model, images, layer=1).shape == (2, 32, 32)
    plain, tuned = (Prompted(net, NoPrompt(net.spec), LinearHead(96, 3), tuning=t) for t in (None, LoRA(net, 2)))
    with torch.no_grad():
        for parameter in tuned.tuning.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)))
    assert not torch.allclose(grad_cam(plain, images), grad_cam(tuned, images), atol=1e-7)

import pytest
import torch
from tiny import tiny_backbone, tiny_model
from torch import nn

import vpcore
from vpcore.prompts.base import Prompt

IMAGES = torch.rand(4, 1, 8, 8)


class Recorder(Prompt):
    """Writes down when each seam is called, and what it is given."""

    def __init__(self, spec):
        super().__init__(spec)
        self.calls = []

    def condition(self, images):
        self.calls.append(("condition", images.clone()))
        return "context"

    def image(self, images, context):
        self.calls.append(("image", context))
        return images + 1

    def activation(self, z, layer, context):
        self.calls.append(("activation", layer, context, z.clone() if layer == 0 else None))
        return z


def recorded():
    backbone = vpcore.load_backbone("simple_cnn", pretrained=False, image_size=8, width=2, mean=0.4, std=0.2)
    prompt = Recorder(backbone.spec)
    return vpcore.Prompted(backbone, prompt, vpcore.LinearHead(8, 3)), prompt


def test_seams_are_called_in_order_in_normalized_space():
    model, prompt = recorded()
    model(IMAGES)
    normal = (IMAGES - 0.4) / 0.2
    kinds = [call[0] for call in prompt.calls]
    assert kinds == ["condition", "image"] + ["activation"] * 5
    assert torch.allclose(prompt.calls[0][1], normal)  # the original images
    assert prompt.calls[1][1] == "context"
    assert [call[1] for call in prompt.calls[2:]] == [0, 1, 2, 3, 4]
    assert all(call[2] == "context" for call in prompt.calls[2:])
    assert torch.allclose(prompt.calls[2][3], normal + 1)


def test_without_a_prompt_it_is_backbone_and_head():
    model = tiny_model("none").eval()
    with torch.no_grad():
        model.head.linear.weight.normal_()
    expected = model.head(model.backbone((IMAGES - 0.5) / 0.5))
    assert torch.equal(model(IMAGES), expected)
    assert torch.equal(model.head(model.features(IMAGES)), model(IMAGES))


def test_images_are_left_as_they_are():
    model = tiny_model()
    before = IMAGES.clone()
    model(IMAGES)
    assert torch.equal(before, IMAGES)


def test_the_backbone_is_the_object_passed_in():
    backbone = tiny_backbone()
    model = vpcore.Prompted(backbone, vpcore.NoPrompt(backbone.spec), vpcore.LinearHead(8, 3), train_backbone=True)
    assert model.backbone is backbone
    assert all(p.requires_grad for p in backbone.parameters())
    vpcore.Prompted(backbone, vpcore.NoPrompt(backbone.spec), vpcore.LinearHead(8, 3))
    assert not any(p.requires_grad for p in backbone.parameters())
    assert "train_backbone=False" in repr(model)


def test_learned_is_prompt_and_head_and_the_backbone_if_trained():
    frozen, trained = tiny_model(train_backbone=False).learned(), tiny_model().learned()
    assert {name.split(".")[0] for name in frozen} == {"prompt", "head"}
    assert {name.split(".")[0] for name in trained} == {"prompt", "head", "backbone"}


def test_load_learned_copies_values_and_not_the_tensors():
    model, other = tiny_model(seed=1), tiny_model(seed=2)
    given = {name: tensor.detach().clone() for name, tensor in model.learned().items()}
    other.load_learned(given)
    assert all(torch.equal(tensor, given[name]) for name, tensor in other.learned().items())
    given["prompt.maps.0"].add_(1)
    assert not torch.equal(other.learned()["prompt.maps.0"], given["prompt.maps.0"])


def test_save_and_load_are_one_round(tmp_path):
    model, other = tiny_model(seed=1), tiny_model(seed=2)
    model.save(tmp_path / "model.safetensors")
    other.load(tmp_path / "model.safetensors")
    assert torch.equal(model.learned()["prompt.maps.1"], other.learned()["prompt.maps.1"])


def test_tensors_that_do_not_fit_change_nothing():
    model = tiny_model()
    before = {name: tensor.detach().clone() for name, tensor in model.learned().items()}
    wrong = {name: torch.zeros_like(tensor) for name, tensor in before.items()}
    for change in ({"prompt.maps.0": torch.zeros(1, 1, 2, 2)}, {"prompt.more": torch.zeros(1)}):
        with pytest.raises(ValueError, match=r"these tensors do not fit this model: prompt\.(maps\.0|more): build it"):
            model.load_learned({**wrong, **change})
    with pytest.raises(ValueError, match="these tensors do not fit this model"):
        model.load_learned({"prompt.maps.0": wrong["prompt.maps.0"]})
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.learned().items())


@pytest.mark.parametrize(
    ("images", "error", "says"),
    [
        (IMAGES.mul(255).byte(), TypeError, r"floats in \[0, 1\], got torch.uint8: use images.float\(\) / 255"),
        (IMAGES.expand(-1, 3, -1, -1), ValueError, r"needs images of shape \(batch, 1, 8, 8\), got \(4, 3, 8, 8\)"),
        (torch.rand(4, 1, 9, 9), ValueError, r"needs images of shape \(batch, 1, 8, 8\), got \(4, 1, 9, 9\): load the"),
        (IMAGES[0], ValueError, r"needs images of shape .* got \(1, 8, 8\)"),
    ],
)
def test_wrong_images_are_refused(images, error, says):
    with pytest.raises(error, match=says):
        tiny_model()(images)


def test_a_prompt_for_another_backbone_is_refused():
    with pytest.raises(ValueError, match=r"built for simple_cnn \(1, 16, 16\), the backbone is simple_cnn \(1, 8, 8\)"):
        vpcore.Prompted(tiny_backbone(), vpcore.NoPrompt(tiny_backbone(size=16).spec), vpcore.LinearHead(8, 3))


def test_it_is_a_plain_module():
    assert isinstance(tiny_model(), nn.Module)
    assert {name for name, _ in tiny_model().named_children()} == {"backbone", "prompt", "head"}


def test_a_head_for_other_features_is_refused() -> None:
    backbone = tiny_backbone()
    for head in (vpcore.LinearHead(7, 3), vpcore.MLPHead(7, 3), torch.nn.Linear(7, 3)):
        with pytest.raises(ValueError, match=f"this head takes 7 features, simple_cnn gives {backbone.spec.dim}"):
            vpcore.Prompted(backbone, vpcore.NoPrompt(backbone.spec), head)


def test_parts_that_are_none_of_vpcores_are_named() -> None:
    backbone, layer = tiny_backbone(), torch.nn.Conv2d(3, 3, 1)
    prompt, head = vpcore.NoPrompt(backbone.spec), vpcore.LinearHead(backbone.spec.dim, 3)
    with pytest.raises(TypeError, match=r"the backbone must be a Backbone, got a Conv2d: load it .* Backbone.wrap"):
        vpcore.Prompted(layer, prompt, head)
    with pytest.raises(TypeError, match=r"the prompt must be a Prompt, got a Conv2d: .* or pass NoPrompt"):
        vpcore.Prompted(backbone, layer, head)
    with pytest.raises(TypeError, match=r"the head must be a Module, got a int: pass LinearHead"):
        vpcore.Prompted(backbone, prompt, 10)
    with pytest.raises(TypeError, match=r"the tuning must be a Tuning, got a Conv2d: make it of this backbone"):
        vpcore.Prompted(backbone, prompt, head, tuning=layer)


@pytest.mark.parametrize("name", vpcore.PROMPTS)
def test_a_prompt_takes_the_sizes_of_a_backbone_not_the_backbone(name) -> None:
    with pytest.raises(TypeError, match=r"needs the sizes of a backbone, got a Backbone: pass backbone.spec"):
        vpcore.PROMPTS[name](tiny_backbone())


@pytest.mark.parametrize("name", vpcore.TUNINGS)
def test_a_tuning_takes_the_backbone_not_its_sizes(name) -> None:
    for given in (tiny_backbone().spec, torch.nn.Linear(2, 2)):
        kind = type(given).__name__
        with pytest.raises(TypeError, match=f"a tuning needs the whole backbone, got a {kind}: pass what you load"):
            vpcore.TUNINGS[name](given)

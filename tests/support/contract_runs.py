"""More of the contract: seeds, files, batches and bad input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from contract import Case, check, random_states, same, tensors
from nets import floats, pixels, split
from torch import Tensor, nn

import vpcore
from vpcore.prompts.base import NoPrompt, Prompt


@check
def seed_decides_the_start(case: Case) -> None:
    backbone = case.make_backbone()
    first, again, other = (tensors(case.prompt(backbone, seed, randomize=False)) for seed in (0, 0, 1))
    assert same(first, again)
    drawn = {n for n, p in case.prompt(backbone, 0, False).named_parameters() if first[n].unique().numel() > 4}
    assert all(not torch.equal(first[n], other[n]) for n in drawn)


@check
def leaves_global_randomness_alone(case: Case) -> None:
    backbone = case.make_backbone()
    x = (floats(backbone, 4) - 0.5) / 0.3
    before = random_states()
    prompt = case.prompt(backbone).train()
    context = prompt.condition(x)
    prompt.image(x, context)
    prompt.activation(backbone.embed(x), 0, context)
    assert random_states() == before


def record_run(case: Case, prompt: Prompt | None, **options: Any) -> tuple[list[Any], dict[str, Tensor]]:
    """Train a little and return what was drawn: start of the backbone, batches, augmentations, dropout states."""
    seen: list[Any] = []

    def augment(images: Tensor, draw: torch.Generator) -> Tensor:
        noise = torch.rand(len(images), 1, 1, 1, generator=draw)
        seen.append(("batch", images.double().sum().item(), noise.sum().item()))
        return images * (0.9 + 0.1 * noise)

    backbone = case.make_backbone()
    start = tensors(backbone)
    chosen = case.prompt(backbone) if prompt is None else prompt
    head = nn.Sequential(nn.Dropout(0.2), vpcore.LinearHead(backbone.spec.dim, 3))
    model = vpcore.Prompted(backbone, chosen, head, **options)

    def note(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if module.training:
            seen.append(("dropout", inputs[0].shape, hash(tuple(torch.get_rng_state().tolist()))))

    for module in model.modules():
        if isinstance(module, nn.Dropout) and module.p > 0:
            module.register_forward_pre_hook(note)
    data = split(backbone, 8)
    vpcore.fit(model, data, data, epochs=2, batch_size=4, lr=1e-3, augment=augment, device="cpu")
    return seen, start


@check
def draws_are_paired_with_and_without(case: Case) -> None:
    trained = not hasattr(case.prompt(case.make_backbone()), "attach")
    with_prompt, start = record_run(case, None, train_backbone=trained)
    without, same_start = record_run(case, NoPrompt(case.make_backbone().spec), train_backbone=trained)
    assert same(start, same_start)
    assert with_prompt == without
    assert {kind for kind, *_ in with_prompt} == {"batch", "dropout"}


@check
def save_and_load_give_the_same_logits(case: Case, tmp_path: Path) -> None:
    model, other = case.model(seed=0), case.model(seed=1)
    images = floats(model.backbone, 4)
    with torch.no_grad():
        for name, tensor in other.learned().items():
            assert name.split(".")[0] in ("prompt", "head")
            if tensor.is_floating_point():
                tensor.add_(0.3)
    model.save(tmp_path / "learned.safetensors")
    other.load(tmp_path / "learned.safetensors")
    assert torch.equal(other.eval()(images), model.eval()(images))


@check
def load_refuses_a_wrong_model(case: Case, tmp_path: Path) -> None:
    model = case.model()
    model.save(tmp_path / "learned.safetensors")
    head = vpcore.LinearHead(model.backbone.spec.dim, 3)
    changed = case.make_backbone(seed=1)
    with pytest.raises(ValueError, match="backbone_hash"):
        vpcore.Prompted(changed, case.prompt(changed), head).load(tmp_path / "learned.safetensors")

    class OtherPrompt(Prompt):
        pass

    with pytest.raises(ValueError, match="saved with prompt"):
        vpcore.Prompted(model.backbone, OtherPrompt(model.backbone.spec), head).load(tmp_path / "learned.safetensors")
    before = tensors(model)
    with pytest.raises(ValueError, match="do not fit this model"):
        model.load_learned({"prompt.unknown": torch.zeros(1)})
    assert same(before, tensors(model))


@check
def evaluation_is_deterministic(case: Case) -> None:
    model = case.model().eval()
    images = floats(model.backbone, 4)
    first = model(images)
    assert torch.equal(first, model(images))
    assert torch.allclose(first, torch.cat([model(image[None]) for image in images]), atol=1e-4)


@check
def condition_runs_once_on_the_original_images(case: Case) -> None:
    model = case.model()
    seen: list[Tensor] = []
    inner = model.prompt.condition
    model.prompt.condition = lambda images: (seen.append(images.clone()), inner(images))[1]  # type: ignore[method-assign]
    images = floats(model.backbone, 4)
    model(images)
    mean, std = (torch.tensor(v).view(1, -1, 1, 1) for v in (model.backbone.spec.mean, model.backbone.spec.std))
    assert len(seen) == 1
    assert torch.equal(seen[0], (images - mean) / std)


@check
def refuses_what_is_no_image(case: Case) -> None:
    model = case.model()
    images = pixels(model.backbone, 2)
    with pytest.raises(TypeError, match=r"images must be floats in \[0, 1\].*images.float\(\) / 255"):
        model(images)
    with pytest.raises(ValueError, match="needs images of shape"):
        model(images.float()[:, :, :-1])
    with pytest.raises(ValueError, match="needs images of shape"):
        model(images.float()[:, :1].repeat(1, 5, 1, 1))
    with pytest.raises(ValueError, match="images hold values that are not finite"):
        model(images.float().index_fill(1, torch.tensor(0), float("nan")))


@check
def takes_batches_of_one_and_none(case: Case) -> None:
    for mode in (True, False):
        model = case.model().train(mode)
        assert model(floats(model.backbone, 1)).shape == (1, 3)
        assert model(floats(model.backbone, 0)).shape == (0, 3)


@check
def refuses_a_backbone_of_other_sizes(case: Case) -> None:
    from nets import BACKBONES

    backbone = case.make_backbone()
    for make in BACKBONES.values():
        if make().spec != backbone.spec:
            with pytest.raises(ValueError, match="this prompt was built for"):
                vpcore.Prompted(make(), case.prompt(backbone), vpcore.LinearHead(4, 3))


@check
def no_gradient_below_the_first_layer(case: Case) -> None:
    model = case.model()
    needs: list[bool] = []
    parts = [model.backbone.embed, *model.backbone.blocks]
    for part in parts:
        part.register_forward_hook(lambda m, x, z: needs.append(z.requires_grad))
    model(floats(model.backbone, 4)).sum().backward()
    ran = needs[-len(parts) :]  # a method that reads features runs the backbone before
    first = model.prompt.first_layer
    assert not any(ran[: first + 1])  # part 0 is embed: block l is part l + 1
    acts = any(p.requires_grad for p in model.prompt.parameters())
    assert ran[first + 1 :] == [acts] * len(ran[first + 1 :])

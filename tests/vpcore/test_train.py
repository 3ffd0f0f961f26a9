import math

import pytest
import torch
from tiny import same, tiny_model, tiny_split, weights
from torch import nn

import vpcore
from vpcore.data.augment import Augment
from vpcore.train import cross_entropy, evaluate, fit

TRAIN, VALID = tiny_split(40), tiny_split(20, seed=1)


class Watch:
    """An augmentation that writes down what it saw and drew."""

    def __init__(self) -> None:
        self.batches: list[torch.Tensor] = []
        self.draws: list[torch.Tensor] = []

    def __call__(self, images, generator):
        self.batches.append(images.clone())
        self.draws.append(torch.rand(3, generator=generator))
        return images * 0.5


def dropout_masks(model: nn.Module, masks: list) -> None:
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.register_forward_hook(lambda m, x, y: masks.append(y == 0) if m.training else None)


def watched_run(prompt: str, noise: int) -> tuple:
    torch.manual_seed(noise)  # what drew numbers before must not matter
    model, watch, masks = tiny_model(prompt), Watch(), []
    start = weights(model.backbone) | {f"head.{name}": t for name, t in weights(model.head).items()}
    with torch.no_grad():  # dropout masks are seen as zeros: make sure that nothing else is zero
        model.backbone.pool[3].bias.fill_(5.0)
    dropout_masks(model, masks)
    fit(model, TRAIN, VALID, epochs=2, batch_size=16, lr=1e-4, augment=watch, seed=3)
    return start, watch, masks


def test_prompt_on_and_off_see_the_same_chance():
    (start, watch, masks), (start_off, watch_off, masks_off) = watched_run("multiscale", 1), watched_run("none", 2)
    assert same(start, start_off)
    assert len(watch.batches) == len(watch_off.batches) == 6
    assert all(map(torch.equal, watch.batches, watch_off.batches))
    assert all(map(torch.equal, watch.draws, watch_off.draws))
    late, late_off = masks[1::2], masks_off[1::2]  # behind the filled bias, zeros are dropout alone
    assert len(late) == len(late_off) == 6
    assert all(map(torch.equal, late, late_off))
    assert any(mask.any() for mask in late)
    assert not torch.equal(late[0], late[1])


@pytest.mark.parametrize(
    ("kind", "summed"), [(torch.float64,) * 2, (torch.float32,) * 2, (torch.bfloat16, torch.float32)]
)
def test_the_loss_keeps_what_a_double_model_knows(kind, summed):
    logits = (
        torch.randn(7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(kind).requires_grad_()
    )
    labels = torch.arange(7) % 3
    loss = cross_entropy(lambda images: logits, torch.zeros(7, 1), labels, torch.Generator()).detach()
    assert loss.dtype == summed
    exact = -logits.detach().double().log_softmax(1)[range(7), labels].mean()
    assert float(loss) == pytest.approx(float(exact), rel=1e-15 if kind == torch.float64 else 1e-6)


def test_another_seed_gives_other_batches():
    def order(seed: int) -> torch.Tensor:
        watch = Watch()
        fit(tiny_model(), TRAIN, VALID, epochs=1, augment=watch, seed=seed)
        return watch.batches[0]

    assert torch.equal(order(0), order(0))
    assert not torch.equal(order(0), order(1))


def test_what_an_augmentation_draws_does_not_change_the_batches():
    def order(draws: int) -> list[torch.Tensor]:
        seen: list[torch.Tensor] = []

        def augment(images, generator):
            seen.append(images.clone())
            torch.rand(draws, generator=generator)
            return images

        fit(tiny_model(), TRAIN, VALID, epochs=2, batch_size=16, augment=augment)
        return seen

    assert all(map(torch.equal, order(1), order(50)))


def test_every_image_comes_once_an_epoch():
    watch = Watch()
    fit(tiny_model(), TRAIN, VALID, epochs=2, batch_size=16, augment=watch, seed=0)
    for epoch in (watch.batches[:3], watch.batches[3:]):
        assert [len(batch) for batch in epoch] == [16, 16, 8]
        seen = torch.cat(epoch).flatten(1).sort(0).values
        assert torch.allclose(seen, (TRAIN.images.float() / 255).flatten(1).sort(0).values)
    assert not torch.equal(torch.cat(watch.batches[:3]), torch.cat(watch.batches[3:]))


def test_the_first_step_has_a_positive_rate():
    for schedule in ("cosine", "cosine_epoch", "constant"):
        model = tiny_model()
        before = weights(model)
        fit(model, tiny_split(8), VALID, epochs=1, batch_size=8, lr=1e-2, schedule=schedule, warmup_steps=0)
        assert not torch.equal(model.prompt.maps[1], before["prompt.maps.1"])


class Scripted(nn.Module):
    """Scores that follow a script: the validation accuracy of each epoch is chosen by the test."""

    def __init__(self, script: list[int]) -> None:
        super().__init__()
        self.script, self.weight = script, nn.Parameter(torch.zeros(1))
        self.register_buffer("epoch", torch.zeros((), dtype=torch.int64))

    def forward(self, images):
        if self.training:
            return torch.zeros(len(images), 3) + self.weight
        right = self.script[int(self.epoch)]
        scores = torch.zeros(len(images), 3)
        scores[torch.arange(len(images)), (torch.arange(len(images)) + (torch.arange(len(images)) >= right)) % 3] = 1.0
        return scores + self.weight * 0


def test_best_validation_epoch_is_restored_the_earliest_among_equals():
    model, seen = Scripted([3, 9, 5, 9, 0]), []

    def next_epoch(record):
        seen.append(float(model.weight.detach()))
        model.epoch += 1

    draw = torch.Generator().manual_seed(0)
    loss = lambda m, images, labels, generator: m(images).sum() * torch.rand((), generator=draw)  # noqa: E731
    history = fit(model, tiny_split(6), tiny_split(12), epochs=5, on_epoch=next_epoch, loss=loss, lr=0.1)
    assert [round(record.valid_accuracy * 12) for record in history.epochs] == [3, 9, 5, 9, 0]
    assert history.best.epoch == 1
    assert float(model.weight.detach()) == seen[1]
    assert len(set(seen)) == 5
    assert int(model.epoch) == 1  # buffers come back too


def test_validation_is_never_augmented():
    seen = []

    class Look(nn.Linear):
        def forward(self, images):
            seen.append((self.training, images.amin().item()))
            return super().forward(images.flatten(1))

    fit(Look(64, 3), TRAIN, VALID, epochs=1, augment=lambda images, _: images * 0 - 1.0)
    assert {low for training, low in seen if training} == {-1.0}
    assert all(low >= 0 for training, low in seen if not training)


def test_global_random_numbers_are_left_alone():
    torch.manual_seed(5)
    expected = torch.rand(4)
    torch.manual_seed(5)
    fit(tiny_model(), TRAIN, VALID, epochs=1, augment=Augment(crop=1))
    assert torch.equal(torch.rand(4), expected)


def test_what_a_callback_draws_does_not_change_the_run():
    def run(on_epoch) -> list[float]:
        history = fit(tiny_model(), TRAIN, VALID, epochs=3, batch_size=16, on_epoch=on_epoch)
        return [record.train_loss for record in history.epochs]

    assert run(None) == run(lambda record: torch.rand(7))


def test_what_a_model_draws_does_not_change_the_batches():
    def batches(loss) -> list[torch.Tensor]:
        watch = Watch()
        fit(tiny_model(), TRAIN, VALID, epochs=2, batch_size=16, augment=watch, loss=loss)
        return watch.batches + watch.draws

    noisy = batches(lambda *given: (torch.rand(3), cross_entropy(*given))[1])
    assert all(map(torch.equal, batches(cross_entropy), noisy))


def test_on_epoch_sees_every_record_in_order():
    records = []
    history = fit(tiny_model(), TRAIN, VALID, epochs=3, on_epoch=records.append)
    assert records == history.epochs
    assert [record.epoch for record in records] == [0, 1, 2]
    assert all(record.seconds > 0 and math.isfinite(record.valid_loss) for record in records)


def test_it_learns():
    model = tiny_model(width=4)
    history = fit(model, tiny_split(96), tiny_split(48, seed=1), epochs=20, lr=1e-2, batch_size=16)
    assert history.best.valid_accuracy > 0.9
    assert evaluate(model, tiny_split(48, seed=2)).accuracy > 0.9


def test_history_loss_is_the_mean_over_images():
    model = tiny_model(train_backbone=False)  # no dropout, no batch statistics
    start = evaluate(model, TRAIN).loss
    history = fit(model, TRAIN, VALID, epochs=1, batch_size=16, lr=1e-12)
    assert history.epochs[0].train_loss == pytest.approx(start, rel=1e-5)


def test_losses_are_called_with_model_images_labels_and_generator():
    seen = []

    def loss(model, images, labels, generator):
        seen.append((images.dtype, float(images.max()), labels.dtype, generator.device.type))
        return cross_entropy(model, images, labels, generator)

    fit(tiny_model(), TRAIN, VALID, epochs=1, loss=loss)
    assert seen[0][0] == torch.float32
    assert seen[0][1] <= 1
    assert seen[0][2:] == (torch.int64, "cpu")


def test_start_epoch_of_a_head_is_called_each_epoch():
    calls = []
    model = tiny_model()
    model.head.start_epoch = lambda whole, train: calls.append((whole is model, len(train)))  # type: ignore[assignment]
    fit(model, TRAIN, VALID, epochs=2)
    assert calls == [(True, 40), (True, 40)]


def test_precision_reaches_the_forward_pass():
    seen = []

    class Look(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(64, 3)

        def forward(self, images):
            scores = self.linear(images.flatten(1))
            seen.append((self.training, scores.dtype))
            return scores

    model = Look()
    fit(model, TRAIN, VALID, epochs=1, precision="bfloat16", device="cpu")
    assert (True, torch.bfloat16) in seen
    assert (False, torch.bfloat16) in seen
    assert model.linear.weight.dtype == torch.float32
    seen.clear()
    fit(Look(), TRAIN, VALID, epochs=1, device="cpu")
    assert {dtype for _, dtype in seen} == {torch.float32}


def test_evaluate_is_in_eval_mode_and_puts_the_mode_back():
    model = tiny_model().train()
    first, second = evaluate(model, VALID), evaluate(model, VALID, batch_size=7)
    assert model.training
    assert model.backbone.training
    assert torch.equal(first.predictions, second.predictions)
    assert first.accuracy == float((first.predictions == VALID.labels).double().mean())
    assert first.standard_error == pytest.approx(math.sqrt(first.accuracy * (1 - first.accuracy) / 20))


def test_evaluate_puts_the_mode_back_after_an_error():
    model = tiny_model().train()
    with pytest.raises(ValueError, match="needs images of shape"):
        evaluate(model, tiny_split(4, size=9))
    assert model.training


def test_training_a_shared_or_direct_parameter_works():
    class Direct(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(3))

        def forward(self, images):
            return images.flatten(1)[:, :3] * self.scale

    model = Direct()
    fit(model, TRAIN, VALID, epochs=1)
    assert not torch.equal(model.scale, torch.ones(3))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"epochs": 0}, "epochs must be a whole number, at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be a whole number, at least 1, got 0"),
        ({"train": tiny_split(0)}, "fit needs images to train on and to choose with, got 0 and 20"),
        ({"valid": tiny_split(0)}, "fit needs images to train on and to choose with, got 40 and 0"),
        ({"train": tiny_split(40, classes=5)}, "the model has 3 classes, a label is 4: give the head more"),
        ({"valid": tiny_split(40, classes=4)}, "the model has 3 classes, a label is 3: give the head more"),
        ({"optimizer": "lion"}, "optimizer must be one of adamw, adam, sgd, or a callable, got 'lion'"),
        ({"schedule": "step"}, "schedule must be one of cosine, cosine_epoch, constant, got 'step'"),
        ({"precision": "half"}, "precision must be one of float32, bfloat16, float16, got 'half'"),
        ({"lr": {"promt": 1.0}}, "rates must be given for backbone, prompt, head, got promt"),
        ({"warmup_steps": 5}, "warmup_steps must be in 0 … 4"),
    ],
)
def test_errors_say_what_to_do(change, says):
    options = {"train": TRAIN, "valid": VALID, **change}
    with pytest.raises(ValueError, match=says):
        fit(tiny_model(), options.pop("train"), options.pop("valid"), **options)


def test_a_loss_that_is_not_finite_is_an_error():
    with pytest.raises(ValueError, match="the training loss became nan: lower the learning rate"):
        fit(tiny_model(), TRAIN, VALID, epochs=1, loss=lambda *a: cross_entropy(*a) * float("nan"))


def test_evaluating_nothing_is_an_error():
    with pytest.raises(ValueError, match="evaluate needs at least one image"):
        evaluate(tiny_model(), tiny_split(0))


def test_a_frozen_model_without_anything_to_learn_is_an_error():
    model = tiny_model("none").requires_grad_(False)
    with pytest.raises(ValueError, match="nothing to learn"):
        vpcore.fit(model, TRAIN, VALID)

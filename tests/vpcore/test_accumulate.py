"""A batch in parts has the gradient of the whole; running out of memory says that there are parts."""

import pytest
import torch
from tiny import tiny_model, tiny_split

import vpcore
from vpcore.data.augment import Augment
from vpcore.device import OutOfMemory, is_out_of_memory, memory_named
from vpcore.train import cross_entropy, fit

TRAIN, VALID = tiny_split(37), tiny_split(20, seed=1)
OPTIONS = {"epochs": 3, "batch_size": 12, "lr": 1e-3, "seed": 3, "device": "cpu"}


def small_room(most: int, sizes: list[int] | None = None):
    """A loss that runs out of memory where more images come than there is room for."""

    def loss(model, images, labels, generator):
        if sizes is not None:
            sizes.append(len(images))
        if len(images) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return cross_entropy(model, images, labels, generator)

    return loss


def one_step(count: int, accumulate: int, precision: str = "float32"):
    """What one step leaves in the parameters, their gradients, and its loss, in float64."""

    def loss(model, images, labels, generator):
        return torch.nn.functional.cross_entropy(model(images.double()), labels)

    model = tiny_model(train_backbone=False).double()
    options = {"epochs": 1, "batch_size": count, "optimizer": "sgd", "lr": 0.1, "loss": loss, "precision": precision}
    history = fit(model, tiny_split(count), VALID, accumulate=accumulate, device="cpu", **options)
    learned = {name: p for name, p in model.named_parameters() if p.requires_grad}
    gradients = {name: p.grad.clone() for name, p in learned.items()}
    return history.epochs[0].train_loss, gradients, {name: p.detach() for name, p in learned.items()}


@pytest.mark.parametrize("accumulate", [2, 3, 8, 50])
@pytest.mark.parametrize("count", [2, 7, 8])
def test_parts_have_the_gradient_of_the_whole(count, accumulate):
    whole, parts = one_step(count, 1), one_step(count, accumulate)
    assert parts[0] == pytest.approx(whole[0], rel=1e-6)
    for name, gradient in whole[1].items():
        assert gradient.abs().max() > 0
        torch.testing.assert_close(parts[1][name], gradient, rtol=1e-6, atol=1e-9)
        torch.testing.assert_close(parts[2][name], whole[2][name], rtol=1e-6, atol=1e-9)


def test_every_batch_goes_through_in_parts_that_fit():
    sizes: list[int] = []
    whole, parts = (tiny_model(train_backbone=False) for _ in range(2))
    before = fit(whole, TRAIN, VALID, augment=Augment(crop=1), **OPTIONS)
    after = fit(parts, TRAIN, VALID, augment=Augment(crop=1), accumulate=2, loss=small_room(6, sizes), **OPTIONS)
    assert sizes == ([6, 6] * 3 + [1]) * 3  # 37 images: three steps of 12, and one left over
    for record, other in zip(before.epochs, after.epochs, strict=True):
        assert other.train_loss == pytest.approx(record.train_loss, rel=1e-5)
        assert other.valid_accuracy == record.valid_accuracy
    for name, tensor in whole.learned().items():
        torch.testing.assert_close(parts.learned()[name], tensor, rtol=0, atol=1e-4)


@pytest.mark.parametrize("accumulate", [0, -1, 1.5, "2"])
def test_only_a_whole_number_of_parts_is_taken(accumulate):
    with pytest.raises(ValueError, match=f"accumulate must be a whole number, at least 1, got {accumulate!r}"):
        fit(tiny_model(), TRAIN, VALID, epochs=1, accumulate=accumulate, device="cpu")


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be reported later"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_running_out_of_memory_has_one_type_and_says_what_to_do(error):
    def full(*_):
        raise error

    says = r"out of memory with batch_size=12 and accumulate=1: give fit a larger accumulate, or a smaller batch_size"
    with pytest.raises(OutOfMemory, match=says) as caught:
        fit(tiny_model(), TRAIN, VALID, loss=full, **OPTIONS)
    assert isinstance(caught.value, ValueError)  # one cell of a grid, and no more, fails by it
    assert caught.value.__cause__ is error


def test_the_processors_own_lack_of_memory_is_one_too():
    def huge(*given):
        return cross_entropy(*given) + torch.empty(2**50)[0]

    with pytest.raises(OutOfMemory, match="give fit a larger accumulate"):
        fit(tiny_model(), TRAIN, VALID, loss=huge, **OPTIONS)


def test_evaluation_without_room_names_its_own_batches():
    class Full(torch.nn.Flatten):
        def forward(self, images):
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(OutOfMemory, match="out of memory with 500 images at once: give evaluate a smaller batch_size"):
        vpcore.evaluate(Full(), VALID)


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("x"), RuntimeError("not enough memory: you")])
def test_memory_that_runs_out_is_named_whatever_its_type(error):
    with pytest.raises(OutOfMemory, match="no room"), memory_named("no room"):
        raise error


def test_an_error_is_judged_without_running_code_of_its_own():
    class Hostile(RuntimeError):
        def __str__(self):
            raise KeyboardInterrupt

    class Words(str):
        def __contains__(self, word):
            raise KeyboardInterrupt

    assert not is_out_of_memory(Hostile(Words("not enough memory")))
    assert is_out_of_memory(Hostile("CUDA error: out of memory"))
    assert not is_out_of_memory(RuntimeError())


@pytest.mark.parametrize("says", ["sizes do not match", "CUDA error: an illegal memory access was encountered"])
def test_other_errors_are_not_taken_for_a_lack_of_memory(says):
    def broken(*_):
        raise RuntimeError(says)

    with pytest.raises(RuntimeError, match=says):
        fit(tiny_model(), TRAIN, VALID, loss=broken, **OPTIONS)
    with pytest.raises(RuntimeError, match=says), memory_named("no room"):
        broken()


def test_a_run_that_found_no_room_goes_on_from_its_checkpoint_in_parts(tmp_path):
    def trained(path, **options):
        history = fit(tiny_model(train_backbone=False), TRAIN, VALID, checkpoint=path, **{**OPTIONS, **options})
        return [record.train_loss for record in history.epochs]

    room = [12]

    def loss(model, images, labels, generator):
        return small_room(room[0])(model, images, labels, generator)

    def crowd(record):
        room[0] = 6

    path = tmp_path / "run.safetensors"
    with pytest.raises(OutOfMemory, match="larger accumulate"):
        trained(path, loss=loss, on_epoch=crowd)
    whole, resumed = trained(None), trained(path, loss=loss, accumulate=2)
    assert resumed[0] == whole[0]
    assert resumed == pytest.approx(whole, rel=1e-4)

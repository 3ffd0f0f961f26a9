import errno
import json
import os
import pickle
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tiny import same, tiny_model, tiny_split, weights

from vpcore import tensorfile
from vpcore.data.augment import Augment
from vpcore.prompts import MultiScalePrompt
from vpcore.saved import fingerprint, load_learned, save_learned
from vpcore.tensorfile import read_tensors, write_tensors
from vpcore.train import fit

TRAIN, VALID = tiny_split(40), tiny_split(20, seed=1)
HERE = Path(__file__).resolve().parent
EPOCHS = 4


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the library may catch it."""


class NoisyPrompt(MultiScalePrompt):
    """A prompt that draws from its own generator in every training batch."""

    def image(self, images, context):
        noise = torch.rand((), generator=self.generator()) if self.training else 0.5
        return super().image(images, context) + 0.1 * noise


def noisy_model(seed: int = 0):
    model = tiny_model(seed=seed)
    model.prompt = NoisyPrompt(model.backbone.spec, scales=(1, 4), seed=seed)
    return model


def run(path, model=None, kill_after=None, **options):
    model = noisy_model() if model is None else model

    def on_epoch(record):
        if record.epoch == kill_after:
            raise Killed

    options = {"epochs": EPOCHS, "lr": 1e-2, "batch_size": 16, "augment": Augment(crop=1), "seed": 1, **options}
    history = fit(model, TRAIN, VALID, checkpoint=path, on_epoch=on_epoch, **options)
    return weights(model), [(r.train_loss, r.valid_loss, r.valid_accuracy) for r in history.epochs]


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
def test_a_killed_run_resumes_bit_identically(tmp_path, optimizer):
    whole, history = run(None, optimizer=optimizer)
    kill_after = random.SystemRandom().randrange(EPOCHS)
    with pytest.raises(Killed):
        run(tmp_path / "run.st", kill_after=kill_after, optimizer=optimizer)
    resumed, resumed_history = run(tmp_path / "run.st", optimizer=optimizer)
    assert resumed_history == history, f"killed after epoch {kill_after}"
    assert same(resumed, whole), f"killed after epoch {kill_after}"


def test_a_run_killed_again_and_again_resumes_bit_identically(tmp_path):
    whole, history = run(None)
    for epoch in range(EPOCHS):
        with pytest.raises(Killed):
            run(tmp_path / "run.st", kill_after=epoch)
    assert run(tmp_path / "run.st")[1] == history
    assert same(run(tmp_path / "run.st")[0], whole)


SCRIPT = """
import sys
from test_checkpoint import run
from vpcore.tensorfile import write_tensors
print("ready", flush=True)
write_tensors(sys.argv[2], run(sys.argv[1], epochs=12)[0], {})
"""


def test_a_process_killed_at_a_random_moment_resumes_bit_identically(tmp_path):
    whole, _ = run(None, epochs=12)
    path, final = tmp_path / "run.st", tmp_path / "final.st"
    folders = os.pathsep.join(str(folder) for folder in [HERE, HERE.parent / "support", HERE.parents[1]])
    for kill in (True, False):
        command = [sys.executable, "-c", SCRIPT, str(path), str(final)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": folders})
        assert process.stdout is not None
        process.stdout.readline()  # imports are done
        while kill and not path.exists() and process.poll() is None:
            time.sleep(0.001)
        if kill:
            time.sleep(random.SystemRandom().random() * 0.3)
            process.kill()
        process.communicate()
    assert same(read_tensors(final)[0], whole)


def test_a_finished_run_is_not_trained_again(tmp_path):
    whole, _ = run(tmp_path / "run.st")
    model, seen = noisy_model(), []
    fit(
        model, TRAIN, VALID, epochs=EPOCHS, lr=1e-2, batch_size=16, seed=1, augment=Augment(crop=1),
        checkpoint=tmp_path / "run.st", on_epoch=seen.append,
    )  # fmt: skip
    assert seen == []
    assert same(weights(model), whole)


def test_numbers_of_numpy_are_the_same_settings(tmp_path):
    whole, history = run(None)
    numbers = {"epochs": EPOCHS, "batch_size": 16, "accumulate": 1, "seed": 1}
    with pytest.raises(Killed):
        run(tmp_path / "run.st", kill_after=1, lr=np.float64(1e-2), **{k: np.int64(v) for k, v in numbers.items()})
    resumed, resumed_history = run(tmp_path / "run.st")
    assert resumed_history == history
    assert same(resumed, whole)
    with pytest.raises(ValueError, match=r"it was written with weight_decay=0\.0, this run has weight_decay=0\.5\)"):
        run(tmp_path / "run.st", weight_decay=np.float32(0.5))


def test_one_file_and_no_leftovers(tmp_path):
    run(tmp_path / "run.st")
    assert [path.name for path in tmp_path.iterdir()] == ["run.st"]


def test_frozen_weights_are_not_stored(tmp_path):
    fit(tiny_model(train_backbone=False), TRAIN, VALID, epochs=1, checkpoint=tmp_path / "run.st")
    names = {
        name.split("/")[1] for name in read_tensors(tmp_path / "run.st")[0] if name.startswith(("model/", "best/"))
    }
    assert {name.split(".")[0] for name in names} == {"prompt", "head"}


# --- files that do not fit or are broken -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("good") / "run.st"
    with pytest.raises(Killed):
        run(path, kill_after=1)
    return path


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"model": tiny_model(width=4)}, "cannot go on .*checkpoint of another model"),
        ({"model": tiny_model("none")}, "cannot go on .*checkpoint of another model"),
        ({"lr": 1e-3}, "it was written with lr=0.01, this run has lr=0.001"),
        ({"epochs": 3}, "it was written with epochs=4, this run has epochs=3"),
        ({"seed": 2}, "it was written with seed=1, this run has seed=2"),
        ({"optimizer": "sgd"}, "it was written with optimizer='adamw', this run has optimizer='sgd'"),
        ({"batch_size": 8}, "it was written with batch_size=16"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(good, tmp_path, change, says):
    shutil.copy(good, tmp_path / "run.st")
    with pytest.raises(ValueError, match=says):
        run(tmp_path / "run.st", **change)
    assert (tmp_path / "run.st").read_bytes() == good.read_bytes()


@pytest.mark.parametrize("keep", [0, 4, 8, 100, 0.5, -1])
def test_a_truncated_checkpoint_is_refused(good, tmp_path, keep):
    data = good.read_bytes()
    (tmp_path / "run.st").write_bytes(data[: int(len(data) * keep) if isinstance(keep, float) else keep])
    with pytest.raises(ValueError, match="is damaged or no safetensors file"):
        run(tmp_path / "run.st")


class Bomb:
    def __reduce__(self):
        return (open, ("pickle_was_run", "w"))


def test_a_pickle_is_never_loaded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.st").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ValueError, match="is damaged or no safetensors file"):
        run(tmp_path / "run.st")
    torch.save({"a": Bomb()}, tmp_path / "run.pt")
    with pytest.raises(ValueError, match="is damaged or no safetensors file"):
        load_learned(tiny_model(), tmp_path / "run.pt")
    assert not (tmp_path / "pickle_was_run").exists()


def rewrite(good: Path, path: Path, edit) -> None:
    """Write a well-formed file with hostile content."""
    tensors, metadata = read_tensors(good)
    edit(tensors, metadata)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata)


def first(tensors: dict, prefix: str) -> str:
    return sorted(name for name in tensors if name.startswith(prefix))[-1]


HOSTILE = {
    "no metadata": lambda t, m: m.clear(),
    "no records": lambda t, m: m.pop("records"),
    "records no JSON": lambda t, m: m.update(records="[{"),
    "records of another kind": lambda t, m: m.update(records='[{"epoch": 0}]'),
    "epochs out of order": lambda t, m: m.update(records=m["records"].replace('"epoch": 0', '"epoch": 7')),
    "words in the history": lambda t, m: m.update(
        records=m["records"].replace('"epoch": 0, "train_loss": ', '"epoch": 0, "train_loss": "x", "x": ')
    ),
    "records a number": lambda t, m: m.update(records="3"),
    "settings no JSON": lambda t, m: m.update(settings="?"),
    "scaler a number": lambda t, m: m.update(scaler="oops"),
    "no weights": lambda t, m: [t.pop(name) for name in list(t) if name.startswith("model/")],
    "half the best weights": lambda t, m: t.pop(first(t, "best/")),
    "no random state": lambda t, m: t.pop("random/global"),
    "short random state": lambda t, m: t.update({"random/batches": torch.zeros(3, dtype=torch.uint8)}),
    "float random state": lambda t, m: t.update({"random/batches": torch.zeros(5056)}),
    "zero random state": lambda t, m: t.update({"random/global": torch.zeros(3, dtype=torch.uint8)}),
    "unknown generator": lambda t, m: t.update({"random/evil": torch.zeros(5056, dtype=torch.uint8)}),
    "generator on no device": lambda t, m: t.update({"random/prompt@evil": torch.zeros(5056, dtype=torch.uint8)}),
    "optimizer index too high": lambda t, m: t.update({"optimizer/999/exp_avg": torch.zeros(1)}),
    "optimizer index no number": lambda t, m: t.update({"optimizer/-1/exp_avg": torch.zeros(1)}),
    "optimizer slot missing": lambda t, m: t.pop(first(t, "optimizer/")),
    "optimizer slot of another shape": lambda t, m: t.update({"optimizer/0/exp_avg": torch.zeros(7, 7)}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_content_is_refused_in_one_line(good, tmp_path, name):
    rewrite(good, tmp_path / "run.st", HOSTILE[name])
    with pytest.raises(ValueError, match="choose another file, or delete it to start afresh") as caught:
        run(tmp_path / "run.st")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("own", [False, True])
def test_a_checkpoint_of_a_gpu_is_to_go_on_there(good, tmp_path, own):
    state = torch.zeros(16, dtype=torch.uint8)
    added = {"random/cuda": state} | ({"random/prompt@cuda:0": state.clone()} if own else {})
    rewrite(good, tmp_path / "run.st", lambda t, m: t.update(added))
    with pytest.raises(ValueError, match=r"was written on cuda, this run is on cpu: give device='cuda', or") as caught:
        run(tmp_path / "run.st", device="cpu")
    assert "delete" not in str(caught.value)


def test_a_generator_on_a_gpu_that_is_not_here_is_left_out(good, tmp_path):
    added = {"random/prompt@cuda:99": torch.zeros(16, dtype=torch.uint8)}
    rewrite(good, tmp_path / "run.st", lambda t, m: t.update(added))
    assert same(run(tmp_path / "run.st")[0], run(None)[0])


# --- disks -------------------------------------------------------------------------------------------------------


class FullDisk:
    """A file that accepts a few bytes and then has no space left."""

    def __init__(self, file):
        self.file = file

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def write(self, data):
        self.file.write(data[:100])
        self.file.flush()
        raise OSError(errno.ENOSPC, "No space left on device")


def fill_disk(monkeypatch):
    opened = Path.open
    full = lambda path, mode="r", *a, **k: FullDisk(opened(path, mode)) if mode == "wb" else opened(path, mode, *a, **k)  # noqa: E731
    monkeypatch.setattr(tensorfile.Path, "open", full)


def test_a_full_disk_is_a_clear_error_and_keeps_the_old_file(good, tmp_path, monkeypatch):
    shutil.copy(good, tmp_path / "run.st")
    with monkeypatch.context() as patch:
        fill_disk(patch)
        with pytest.raises(OSError, match=r"cannot write .*run.st: No space left on device; free space or choose"):
            run(tmp_path / "run.st")
    assert (tmp_path / "run.st").read_bytes() == good.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["run.st"]
    assert same(run(tmp_path / "run.st")[0], run(None)[0])  # and it can go on


def test_a_missing_folder_is_found_before_training(tmp_path):
    with pytest.raises(OSError, match=r"cannot write a checkpoint to .*nowhere.*a folder that exists"):
        run(tmp_path / "nowhere" / "run.st")


def test_a_folder_as_checkpoint_is_found_before_training(tmp_path):
    with pytest.raises(OSError, match="give a file name in a folder that exists"):
        run(tmp_path)


# --- learned prompts ---------------------------------------------------------------------------------------------


def randomized(**options):
    model = tiny_model(**options)
    with torch.no_grad():
        for tensor in model.learned().values():
            tensor.copy_(torch.randn(tensor.shape))
    return model


@pytest.mark.parametrize("train_backbone", [True, False])
def test_learned_tensors_come_back(tmp_path, train_backbone):
    model = randomized(train_backbone=train_backbone)
    save_learned(model, tmp_path / "prompt.safetensors")
    other = tiny_model(train_backbone=train_backbone)
    assert not same(model.learned(), other.learned())
    load_learned(other, tmp_path / "prompt.safetensors")
    assert same(model.learned(), other.learned())


def test_learned_of_a_frozen_backbone_holds_prompt_and_head_only(tmp_path):
    save_learned(tiny_model(train_backbone=False), tmp_path / "prompt.safetensors")
    tensors, metadata = read_tensors(tmp_path / "prompt.safetensors")
    assert set(tensors) == {"prompt.maps.0", "prompt.maps.1", "head.linear.weight", "head.linear.bias"}
    assert metadata["prompt"] == "MultiScalePrompt"


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (tiny_model("none", train_backbone=False), "saved with prompt 'MultiScalePrompt', this model has 'NoPrompt'"),
        (tiny_model(seed=1, train_backbone=False), "saved with backbone_hash '[0-9a-f]{16}', this model has"),
        (tiny_model(train_backbone=True), "saved with backbone_hash .* this model has 'trained'"),
        (tiny_model(classes=4, train_backbone=False), "saved with head num_classes 3, this model has 4"),
    ],
)
def test_the_wrong_model_is_refused_and_left_alone(tmp_path, other, says):
    save_learned(randomized(train_backbone=False), tmp_path / "prompt.safetensors")
    before = weights(other)
    with pytest.raises(ValueError, match=says):
        load_learned(other, tmp_path / "prompt.safetensors")
    assert same(before, weights(other))


def test_a_run_is_no_learned_prompt_and_the_other_way_round(good, tmp_path):
    with pytest.raises(ValueError, match="holds no learned prompt: give a file that save wrote"):
        load_learned(tiny_model(), good)
    save_learned(noisy_model(), tmp_path / "prompt.safetensors")
    with pytest.raises(ValueError, match="is no checkpoint of a run: choose another file"):
        run(tmp_path / "prompt.safetensors")


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(OSError, match=r"no file .*nothing\.st: check the name"):
        load_learned(tiny_model(), tmp_path / "nothing.st")


def test_writing_where_one_may_not_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"cannot write .*x\.st: Not a directory; free space or choose another"):
        write_tensors(tmp_path / "file" / "x.st", {"a": torch.ones(2)}, {})


def test_fingerprints_follow_values_not_memory_layout():
    first, second = tiny_model().backbone, tiny_model().backbone
    assert fingerprint(first) == fingerprint(second)
    second.to(memory_format=torch.channels_last)
    assert fingerprint(first) == fingerprint(second)
    with torch.no_grad():
        next(second.parameters()).view(-1)[0] += 1
    assert fingerprint(first) != fingerprint(second)
    assert len(json.dumps(fingerprint(first))) == 18

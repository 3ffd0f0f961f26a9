"""Study 07: shuffled networks, recorded tokens and maps are what they are called, and its runs can be packed."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

import vpcore
from course.exercises.lesson_07.answers import rank_correlation, shuffle_top
from course.recorded import recorded
from course.results.pack import pack
from course.studies import maps_07, study_07
from course.studies.study import Study
from course.studies.tokens_04 import specific_tokens

DATA = vpcore.load_data("photodigits", num_train=40, num_valid=20, num_test=30)
VIT = vpcore.load_backbone("vit_nano", pretrained=False)
IMAGES = DATA.test.images[:4].float() / 255


def test_packed_tokens_come_back() -> None:
    one, other = (study_07.token_model(VIT, 10, seed) for seed in (0, 1))
    assert not torch.equal(specific_tokens(one, DATA.test.images), specific_tokens(other, DATA.test.images))
    study_07.unpack(other, study_07.packed(one))
    assert torch.equal(specific_tokens(one, DATA.test.images), specific_tokens(other, DATA.test.images))


def test_a_cascade_ends_with_all_weights_shuffled_and_starts_with_none() -> None:
    net = vpcore.load_backbone("resnet_nano")
    model = vpcore.Prompted(net, vpcore.NoPrompt(net.spec), vpcore.LinearHead(120, 10)).eval()
    parts = maps_07.parts_of(model)
    used = [p for name, p in model.named_parameters() if "classifier" not in name]
    assert sum(p.numel() for p in parts.parameters()) == sum(p.numel() for p in used)
    same = maps_07.rebuilt(model, shuffle_top(parts, 0, 0)).eval()
    all_new = maps_07.rebuilt(model, shuffle_top(parts, len(parts), 0)).eval()
    with torch.no_grad():
        assert torch.equal(model(IMAGES), same(IMAGES))
        assert not torch.allclose(model(IMAGES), all_new(IMAGES))


def test_rank_correlation_is_spearmans() -> None:
    draw = np.random.default_rng(0)
    a, b = np.round(draw.normal(size=(2, 30)), 1)
    assert rank_correlation(a, b) == pytest.approx(np.corrcoef(stats.rankdata(a), stats.rankdata(b))[0, 1])
    assert rank_correlation(a, -a) == pytest.approx(-1)
    assert rank_correlation(a, np.zeros(30)) == 0


def test_flat_maps_of_the_first_model_are_left_out() -> None:
    maps = torch.rand(2, 4, 4)
    first = torch.stack([maps[0], torch.zeros(4, 4)])
    assert maps_07.alike(first, maps) == pytest.approx(1)


def test_a_small_study_is_resumable_and_packs(tmp_path: Path) -> None:
    out = tmp_path / "toy.jsonl"
    for _ in range(2):
        study_07.record_cams(Study(out), vpcore.load_backbone("resnet_nano"), DATA, 2, epochs=1)
        study_07.record_tokens(Study(out), VIT, DATA, 2, epochs=1)
    pack([out], "toy", tmp_path)
    table = recorded("toy", tmp_path)
    assert [len(table.accuracies("photodigits", arm, "resnet_nano")) for arm in ("probe", "ap")] == [2, 2]
    runs = {(run["cell"]["prompt"], run["cell"]["seed"]): run["extra"] for run in table.runs}
    assert runs["probe", 0]["cascade"][0] == pytest.approx(1)
    assert runs["probe", 0]["probe"] == pytest.approx(1)
    assert len(runs["ap", 1]["cascade"]) == 10
    assert runs["probe", 0]["next seed"] == pytest.approx(runs["probe", 1]["next seed"], abs=0.5)
    tokens = runs["tokens", 0]
    assert set(tokens["agreement"]) > {"pixels", "frozen features", "untrained tokens", "trained tokens"}
    assert len(tokens["distance"]) == VIT.spec.depth

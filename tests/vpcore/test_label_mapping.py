"""Label mapping: one to one, safe when a class is absent, saved with the prompt."""

import itertools

import pytest
import torch
from torch import nn

import vpcore
from vpcore.backbone import Backbone, Spec
from vpcore.heads.label_mapping import KINDS, LabelMapping, assign_greedily, assign_optimally, count_pairs

SPEC = Spec("toy", "cnn", 4, 1, 16, ((1, 4, 4), (1, 4, 4)), (0.0,), (1.0,))


def make_backbone(num_source: int = 6, seed: int = 0) -> Backbone:
    classifier = nn.Linear(16, num_source)
    draw = torch.Generator().manual_seed(seed)
    for parameter in classifier.parameters():
        parameter.data = torch.randn(parameter.shape, generator=draw)
    return Backbone(nn.Identity(), [nn.Tanh()], nn.Flatten(), SPEC, classifier)


def make_split(n: int = 60, classes: int = 3, seed: int = 0) -> vpcore.Split:
    draw = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (n, 1, 4, 4), generator=draw, dtype=torch.uint8)
    return vpcore.Split(images, torch.randint(0, classes, (n,), generator=draw))


def make_model(kind: str = "iterative", classes: int = 3, assignment: str = "greedy", seed: int = 0) -> vpcore.Prompted:
    backbone = make_backbone()
    head = LabelMapping(backbone, classes, kind, assignment, seed=seed)
    return vpcore.Prompted(backbone, vpcore.MultiScalePrompt(SPEC, (1, 4)), head)


def greedy_by_definition(counts: torch.Tensor) -> list[int]:
    """Take the largest entry, strike its row and column out, repeat."""
    rest, mapping = counts.clone().double(), [-1] * counts.shape[1]
    for _ in mapping:
        best = max(itertools.product(range(len(rest)), range(len(mapping))), key=lambda at: (rest[at], -at[0], -at[1]))
        mapping[best[1]] = best[0]
        rest[best[0], :] = -1
        rest[:, best[1]] = -1
    return mapping


def test_a_worked_example():
    counts = torch.tensor([[5, 4, 0], [4, 0, 0], [0, 1, 0], [0, 0, 0]])
    assert assign_greedily(counts).tolist() == [0, 2, 1]  # 5 first; 4s struck out; then 1; class 2 is absent
    assert assign_optimally(counts)[:2].tolist() == [1, 0]  # 4 + 4 beats 5 + 1


@pytest.mark.parametrize("seed", range(8))
def test_greedy_equals_its_definition_and_is_one_to_one(seed):
    draw = torch.Generator().manual_seed(seed)
    counts = torch.randint(0, 4, (9, 5), generator=draw)  # many ties
    counts[:, 2] = 0  # an absent class
    mapping = assign_greedily(counts).tolist()
    assert mapping == greedy_by_definition(counts)
    assert len(set(mapping)) == 5


def test_optimal_equals_brute_force():
    for seed in range(4):
        counts = torch.randint(0, 9, (5, 3), generator=torch.Generator().manual_seed(seed))
        best = max(sum(int(counts[s, k]) for k, s in enumerate(p)) for p in itertools.permutations(range(5), 3))
        mapping = assign_optimally(counts).tolist()
        assert sum(int(counts[s, k]) for k, s in enumerate(mapping)) == best
        assert len(set(mapping)) == 3


def test_counts_keep_absent_classes_in_their_column():
    counts = count_pairs(torch.tensor([4, 4, 1]), torch.tensor([0, 0, 3]), 5, 4)
    assert counts.shape == (5, 4)
    assert (counts[4, 0], counts[1, 3], counts.sum()) == (2, 1, 3)


def test_pairs_of_narrow_integers_are_counted_in_their_place():
    counts = count_pairs(torch.tensor([90], dtype=torch.uint8), torch.tensor([3], dtype=torch.uint8), 100, 10)
    assert counts.nonzero().tolist() == [[90, 3]]


def test_the_source_classifier_stays_in_eval_mode():
    classifier = nn.Sequential(nn.BatchNorm1d(16), nn.Dropout(), nn.Linear(16, 6))
    images = torch.rand(4, 1, 4, 4)
    for train_backbone in (False, True):
        backbone = Backbone(nn.Identity(), [nn.Tanh()], nn.Flatten(), SPEC, classifier)
        backbone = backbone.unfreeze().train() if train_backbone else backbone
        head = LabelMapping(backbone, 4, kind="identity")
        model = vpcore.Prompted(backbone, vpcore.PadPrompt(SPEC, width=1), head, train_backbone=train_backbone)
        for ready in (model, model.train()):
            assert ready.head.training
            assert not any(module.training for module in classifier.modules())
            assert torch.equal(ready(images), ready(images))
        assert not classifier[0].running_mean.any()


@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_the_mapped_source_logits(kind):
    model, split = make_model(kind), make_split()
    model.head.start_epoch(model, split)
    mapping = model.head.mapping
    assert mapping.shape == (3,)
    assert len(set(mapping.tolist())) == 3
    images = split.images.float() / 255
    expected = model.backbone.classifier(model.features(images))
    assert torch.equal(model(images), torch.stack([expected[:, s] for s in mapping.tolist()], dim=1))


def test_the_mapping_is_the_count_of_unaugmented_predictions():
    model, split = make_model(), make_split()
    with torch.no_grad():
        for parameter in model.prompt.parameters():
            parameter.normal_(generator=torch.Generator().manual_seed(1))
        predictions = model.backbone.classifier(model.features(split.images.float() / 255)).argmax(1)
    counts = torch.zeros(6, 3, dtype=torch.long)
    for source, target in zip(predictions.tolist(), split.labels.tolist(), strict=True):
        counts[source, target] += 1
    model.train()
    model.head.start_epoch(model, split)
    assert model.training
    assert model.head.mapping.tolist() == greedy_by_definition(counts)


def test_the_order_of_the_images_does_not_matter():
    split, mappings = make_split(), []
    for seed in range(3):
        order = torch.randperm(len(split), generator=torch.Generator().manual_seed(seed))
        model = make_model()
        model.head.start_epoch(model, split.take(order))
        mappings.append(model.head.mapping.tolist())
    assert mappings[0] == mappings[1] == mappings[2]


def test_an_absent_class_gets_a_source_of_its_own():
    split = make_split(classes=3)
    present = make_split(classes=3).take(torch.arange(len(split))[split.labels != 1])
    model = make_model()
    model.head.start_epoch(model, present)
    assert len(set(model.head.mapping.tolist())) == 3
    assert model.head.mapping.tolist() == greedy_by_definition(
        count_pairs(
            model.backbone.classifier(model.features(present.images.float() / 255)).argmax(1), present.labels, 6, 3
        )
    )


def test_frequency_counts_once_and_iterative_every_epoch():
    split = make_split(200)
    for kind, moves in (("frequency", False), ("iterative", True)):
        model = make_model(kind)
        model.head.start_epoch(model, split)
        first = model.head.mapping.clone()
        with torch.no_grad():
            for parameter in model.prompt.parameters():
                parameter.fill_(-8.0)
        model.head.start_epoch(model, split)
        assert torch.equal(model.head.mapping, first) != moves


def test_random_depends_on_the_seed_and_identity_is_the_first_classes():
    backbone = make_backbone(50)
    assert LabelMapping(backbone, 4, "identity").mapping.tolist() == [0, 1, 2, 3]
    one, same, other = (LabelMapping(backbone, 9, "random", seed=seed).mapping for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert sorted(set(one.tolist())) == sorted(one.tolist())


def test_fit_maps_trains_the_prompt_alone_and_holds_no_gradient_for_the_classifier():
    model, split = make_model(), make_split(80)
    before = {key: tensor.clone() for key, tensor in model.backbone.state_dict().items()}
    vpcore.fit(model, split, split, epochs=2, lr=0.1, device="cpu")
    assert bool(model.head.counted)
    assert all(torch.equal(before[key], tensor) for key, tensor in model.backbone.state_dict().items())
    assert not any(p.requires_grad or p.grad is not None for p in model.head.parameters())
    assert vpcore.count(model).head == 0
    assert all(p.grad is not None for p in model.prompt.parameters())


def test_the_mapping_is_saved_and_loaded_with_the_prompt(tmp_path):
    model, split = make_model(), make_split()
    model.head.mapping.copy_(torch.tensor([5, 0, 3]))
    model.head.counted.fill_(True)
    model.save(tmp_path / "learned.safetensors")
    fresh = make_model()
    assert fresh.head.mapping.tolist() != [5, 0, 3]
    fresh.load(tmp_path / "learned.safetensors")
    assert fresh.head.mapping.tolist() == [5, 0, 3]
    images = split.images.float() / 255
    assert torch.equal(fresh(images), model(images))


def test_a_run_goes_on_with_the_mapping_it_had(tmp_path):
    split = make_split(80)
    whole, halved = make_model("frequency"), make_model("frequency")
    vpcore.fit(whole, split, split, epochs=2, lr=0.1, schedule="constant", device="cpu")
    stop = tmp_path / "run.safetensors"

    class Stop(Exception):
        pass

    def interrupt(record):
        raise Stop

    with pytest.raises(Stop):
        vpcore.fit(halved, split, split, epochs=2, lr=0.1, schedule="constant", checkpoint=stop, on_epoch=interrupt,
                   device="cpu")  # fmt: skip
    resumed = make_model("frequency")
    vpcore.fit(resumed, split, split, epochs=2, lr=0.1, schedule="constant", checkpoint=stop, device="cpu")
    assert all(torch.equal(value, resumed.learned()[name]) for name, value in whole.learned().items())


def test_what_cannot_be_mapped_is_refused():
    backbone = make_backbone()
    with pytest.raises(ValueError, match="7 classes need as many source classes, the classifier has 6"):
        LabelMapping(backbone, 7)
    with pytest.raises(ValueError, match="3 classes need as many source classes, the classifier has 2"):
        assign_greedily(torch.zeros(2, 3, dtype=torch.long))
    with pytest.raises(ValueError, match="toy has no source classifier to map from"):
        LabelMapping(Backbone(nn.Identity(), [nn.Tanh()], nn.Flatten(), SPEC), 2)
    with pytest.raises(ValueError, match="got 'frequent' and 'greedy'"):
        LabelMapping(backbone, 2, "frequent")
    with pytest.raises(ValueError, match="num_classes must be at least 2, got 1"):
        LabelMapping(backbone, 1)
    model = make_model(classes=3)
    with pytest.raises(ValueError, match="the mapping has 3 classes, a label is 5"):
        model.head.start_epoch(model, vpcore.Split(make_split(6).images, torch.arange(6)))

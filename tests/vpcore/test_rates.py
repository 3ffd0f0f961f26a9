"""The learning rates of the papers: known for each method, named in the README, and what `fit` takes without one."""

import re
from pathlib import Path

import pytest
from tiny import tiny_backbone, tiny_model
from torch import nn

import vpcore
from vpcore.experiments.names.methods import METHODS as NAMED
from vpcore.rates import METHODS, PUBLISHED, default_rate

README = Path(__file__).parents[2] / "README.md"


def test_every_method_has_a_published_rate_with_its_source():
    assert set(PUBLISHED) == set(NAMED)
    assert all(rate > 0 and len(source) > 3 for rate, source in PUBLISHED.values())
    assert default_rate("full") == default_rate("activation:layer=3") == 1e-2
    with pytest.raises(ValueError, match="no published rate for 'pads': add it to PUBLISHED in"):
        default_rate("pads:width=3")


def test_every_class_that_learns_has_the_name_that_a_grid_gives_it():
    built = {getattr(build, "__name__", ""): name for name, build in NAMED.items()}
    assert {kind: name for kind, name in METHODS.items() if not kind.endswith("Head")}.items() <= built.items()
    missing = {name for name in vpcore.__all__ if _learns(getattr(vpcore, name))} - set(METHODS)
    assert missing == {"LabelMapping"}, "it learns nothing"


def _learns(value) -> bool:
    bases = (vpcore.Prompt, vpcore.Tuning)
    heads = isinstance(value, type) and value.__module__.startswith("vpcore.heads")
    return heads or (isinstance(value, type) and issubclass(value, bases) and value not in bases)


def test_the_readme_names_each_class_as_a_grid_does():
    pairs = dict(re.findall(r"`(\w+)`: `(\w+)`", README.read_text()))
    assert pairs == METHODS


def test_a_model_gets_the_smallest_rate_of_what_learns():
    backbone = tiny_backbone()
    head = vpcore.LinearHead(backbone.spec.dim, 3)
    assert default_rate(vpcore.Prompted(backbone, vpcore.NoPrompt(backbone.spec), head)) == 1e-1
    prompt = vpcore.ActivationPrompt(backbone.spec)
    assert default_rate(prompt) == 1e-2
    assert default_rate(vpcore.Prompted(backbone, prompt, head)) == 1e-2
    assert default_rate(vpcore.Prompted(backbone, prompt, vpcore.MLPHead(backbone.spec.dim, 3))) == 1e-3
    tuned = vpcore.Prompted(backbone, prompt, head, tuning=vpcore.NormTuning(backbone))
    assert default_rate(tuned) == 1e-3
    assert default_rate(tiny_model(train_backbone=True)) == 1e-3
    assert default_rate(nn.Sequential(nn.Flatten(), nn.Linear(64, 3))) == 1e-3
    assert default_rate(nn.Linear(64, 3)) == 1e-3
    mine = type("Mine", (vpcore.ActivationPrompt,), {})
    assert default_rate(vpcore.Prompted(backbone, mine(backbone.spec), head)) == 1e-2

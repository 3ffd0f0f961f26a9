"""One command says where the course is published; links and metadata follow it."""

import shutil
import tomllib

import pytest
import yaml
from prose import ROOT
from toy_lesson import write

from course import cli
from course.authoring.colab_cell import link
from course.authoring.publish import publish

FILES = ("pyproject.toml", "README.md", "CITATION.cff")


@pytest.fixture
def clone(tmp_path):
    write(tmp_path)
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def texts(clone):
    return [(clone / name).read_text(encoding="utf-8") for name in FILES]


def test_settings_links_and_addresses_follow(clone):
    publish("someone/prompts", "next", clone)
    project, readme, citation = texts(clone)
    settings = tomllib.loads(project)
    assert settings["tool"]["vpcourse"] == {"repository": "someone/prompts", "branch": "next"}
    assert settings["project"]["urls"]["Repository"] == "https://github.com/someone/prompts"
    assert yaml.safe_load(citation)["repository-code"] == "https://github.com/someone/prompts"
    assert "/github/someone/prompts/blob/next/notebooks/99_toy.ipynb" in link("99_toy", clone)
    assert readme.splitlines()[2].startswith("![")
    assert readme.splitlines()[4] == link("99_toy", clone)


def test_once_more_with_another_name_leaves_one_of_each(clone):
    publish("someone/prompts", "next", clone)
    first = texts(clone)
    publish("a.b/c-d", "main", clone)
    publish("someone/prompts", "next", clone)
    assert texts(clone) == first


@pytest.mark.parametrize("name", ["prompts", "a/b/c", "https://github.com/a/b", "a b/c"])
def test_a_wrong_name_changes_nothing(clone, name):
    before = texts(clone)
    with pytest.raises(ValueError, match="publish needs OWNER/NAME and a branch, got"):
        publish(name, "main", clone)
    assert texts(clone) == before


def test_the_command_builds_the_lessons_too(clone, monkeypatch, capsys):
    built = []
    monkeypatch.setattr("course.authoring.build.build", lambda names, root, **_: built.append(root) or [])
    assert cli.main(["publish", "someone/prompts", "--root", str(clone)]) == 0
    assert built == [clone]
    assert capsys.readouterr().out.split()[1::2] == list(FILES)

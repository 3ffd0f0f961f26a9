"""What README, CONTRIBUTING and their neighbors say of files is true, and the README stays short."""

import importlib.util
import re
import tomllib
from xml.etree import ElementTree

import pytest
import yaml
from prose import GUIDES, ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
TOP = ("vpcore/", "course/", "tests/", "notebooks/", "solutions/", ".ci/", ".github/")
PLACEHOLDER = re.compile(r"NN|NAME|FILE|[*{<]")
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
COMMAND = re.compile(r"python -m ((?:vpcore|course)[\w.]*)|python (tests/\S+\.py)|pytest (?:--nbval )?(tests/\S+)")
LOOK_UPS = {  # a question of a reader: the file that answers it, and what it must hold
    "How does a prompt act?": ("vpcore/prompts/activation.py", "class ActivationPrompt"),
    "Where is `backward()`?": ("vpcore/train/__init__.py", "def fit("),
    'What does `load_backbone("vit_nano")` do?': ("vpcore/models/nano.py", "def vit_nano("),
    "Where are parameters counted?": ("vpcore/count.py", "def count("),
    "Where is a sentence that a learner reads written?": ("course/check/texts.py", '"'),
    "Which file draws a lesson's figure?": ("course/show/__init__.py", "from course.show."),
}


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def slug(heading):
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def missing(text, folder=ROOT):
    """Return the paths, links and commands of a text that lead nowhere."""
    wrong = []
    for span in SPAN.findall(text):
        place = span.split("::")[0].rstrip("/")
        if span.startswith(TOP) and " " not in span and not PLACEHOLDER.search(span) and not (ROOT / place).exists():
            wrong.append(span)
    for link in LINK.findall(text):
        target, _, anchor = link.partition("#")
        path = folder / target
        headings = re.findall(r"(?m)^#+ (.*)$", path.read_text(encoding="utf-8")) if anchor and path.exists() else []
        if not path.exists() or (anchor and anchor not in map(slug, headings)):
            wrong.append(link)
    for module, script, tests in COMMAND.findall(text):
        name = module.rstrip(".")
        if name and not PLACEHOLDER.search(name) and importlib.util.find_spec(name) is None:
            wrong.append(name)
        for path in (script, tests.rstrip("`:,.")):
            if path and not PLACEHOLDER.search(path) and not (ROOT / path).exists():
                wrong.append(path)
    return wrong


@pytest.mark.parametrize("name", [name for name in GUIDES if name != "CHANGELOG.md"])
def test_every_path_link_and_command_leads_somewhere(name):
    assert missing(text_of(name), (ROOT / name).parent) == []


def test_every_move_of_the_changelog_ends_at_something_that_is_there():
    text = text_of("CHANGELOG.md").split("### Removed")
    moves = [part for line in re.split(r"\n- |\n\n", text[0]) for part in line.split("→")[1:]]
    found = [path for part in moves for path in SPAN.findall(part)]
    assert len(found) > 20
    assert missing(" ".join(f"`{path}`" for path in found)) == []


def test_what_leads_nowhere_is_named(tmp_path):
    (tmp_path / "a.md").write_text("## A part, here\n")
    good = "`vpcore/count.py` `course/check/` `course/lessons/NN_name.py` [a](a.md#a-part-here) `python -m vpcore.grid`"
    bad = "`vpcore/freeze.py` [b](b.md) [a](a.md#no) `python -m course.results_page` `pytest tests/units`"
    assert missing(good, tmp_path) == []
    assert missing(bad, tmp_path) == ["vpcore/freeze.py", "b.md", "a.md#no", "course.results_page", "tests/units"]


@pytest.mark.parametrize("question", LOOK_UPS)
def test_a_look_up_of_a_stranger_takes_one_step(question):
    name, held = LOOK_UPS[question]
    (row,) = [line for line in README.splitlines() if line.startswith(f"| {question} |")]
    assert name in LINK.findall(row)
    assert held in text_of(name)


def test_the_readme_is_short_and_begins_with_the_picture():
    assert len(README.splitlines()) <= 150
    title, blank, picture = README.splitlines()[:3]
    assert (title[:2], blank) == ("# ", "")
    alt, path = re.fullmatch(r"!\[(.+)\]\((.+\.svg)\)", picture).groups()
    assert "x + δ" in alt
    drawing = ElementTree.parse(ROOT / path).getroot()
    space = "{http://www.w3.org/2000/svg}"
    assert [drawing.find(f"{space}{part}") is not None for part in ("title", "desc")] == [True, True]
    sizes = [float(size) for size in re.findall(r"font(?:-size)?: (\d+)px", text_of(path))]
    assert min(sizes) * 358 / float(drawing.get("width")) >= 12, "letters are too small on a phone of 390 pixels"
    assert "http" not in re.sub(r'xmlns="[^"]+"', "", text_of(path)), "the picture asks another machine"


def test_the_ten_lines_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len([line for line in code.splitlines() if line]) <= 10
    exec(compile(code.replace("epochs=5", "epochs=1"), "README.md", "exec"), {})
    assert (tmp_path / "prompt.safetensors").is_file()


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load(text_of("CITATION.cff"))
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    assert {"cff-version", "message", "title", "authors"} <= set(citation), "a key that CFF 1.2.0 asks for"
    assert citation["cff-version"] == "1.2.0"
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])


def test_the_changelog_has_the_form_of_keep_a_changelog():
    titles = re.findall(r"(?m)^## (.*)$", text_of("CHANGELOG.md"))
    assert titles[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", title) for title in titles[1:])
    kinds = re.findall(r"(?m)^### (.*)$", text_of("CHANGELOG.md"))
    assert set(kinds) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_hooks_are_local_and_use_the_pinned_ruff():
    repositories = yaml.safe_load(text_of(".pre-commit-config.yaml"))["repos"]
    assert [each["repo"] for each in repositories] == ["local"]
    ruff, notebooks = repositories[0]["hooks"]
    pins = text_of("constraints.txt").split()
    assert set(ruff["additional_dependencies"]) <= set(pins)
    assert (notebooks["entry"], notebooks["pass_filenames"]) == ("python -m course check", False)
    assert all(re.match(notebooks["files"], place) for place in ("course/check/texts.py", "notebooks/x.ipynb"))

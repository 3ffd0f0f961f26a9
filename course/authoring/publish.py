"""Says where the course is published: one setting, from which links to Colab, the README's and the package's follow."""

from __future__ import annotations

import re
from pathlib import Path

from course.authoring.colab_cell import link, repository
from course.authoring.lesson_names import ROOT, lesson_paths
from course.authoring.notebook_file import write_text

SETTINGS = re.compile(r'(?m)^repository = "[^"]*"(.*)\nbranch = "[^"]*"$')
URLS = re.compile(r"(?ms)^\[project\.urls\]\n.*?\n\n")
README_LINK = re.compile(r"(?m)^\[Open this lesson in Colab\]\(.*\)\n\n")
PICTURE = re.compile(r"(?m)^!\[.*\]\(.*\)\n\n")
CITED = re.compile(r"(?m)^repository-code: .*\n")


def publish(name: str, branch: str = "main", root: Path = ROOT) -> list[Path]:
    """Write the repository and branch into pyproject.toml, README.md and CITATION.cff; returns the files.

    Args:
        name: OWNER/NAME on GitHub.
        branch: that links lead to.
        root: the clone.

    Raises:
        ValueError: the name is no OWNER/NAME; nothing is written.
        OSError: a file cannot be written.
    """
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name) or not re.fullmatch(r"[\w./-]+", branch):
        raise ValueError(f"publish needs OWNER/NAME and a branch, got {name!r} and {branch!r}")
    project, readme, citation = (root / file for file in ("pyproject.toml", "README.md", "CITATION.cff"))
    address = f"https://github.com/{name}"
    urls = f'[project.urls]\nRepository = "{address}"\nIssues = "{address}/issues"\n\n'
    text = SETTINGS.sub(rf'repository = "{name}"\1\nbranch = "{branch}"', project.read_text(encoding="utf-8"))
    write_text(project, URLS.sub("", text).replace("[project.scripts]", f"{urls}[project.scripts]", 1))
    assert repository(root) == name
    first = link(lesson_paths(root)[0].stem, root)
    text = README_LINK.sub("", readme.read_text(encoding="utf-8"))
    write_text(readme, PICTURE.sub(lambda found: f"{found[0]}{first}\n\n", text, count=1))
    text = CITED.sub("", citation.read_text(encoding="utf-8"))
    write_text(citation, text.replace("license:", f"repository-code: {address}\nlicense:", 1))
    return [project, readme, citation]

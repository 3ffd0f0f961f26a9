"""The workflows and the files for containers: least rights, pinned actions, no run twice, commands that exist."""

import json
import os
import re
import subprocess
import sys

import pytest
import yaml
from prose import ROOT

FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = {path.name: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.yml"))}
LOADED = {name: yaml.safe_load(text) for name, text in WORKFLOWS.items()}
USES = re.compile(r"uses: (\S+)@(\S+)(?: +# (\S+))?")
SCRIPTS = [".devcontainer/install", "binder/postBuild", ".ci/run", ".ci/full"]


def jobs():
    return [(name, job) for name, loaded in LOADED.items() for job in loaded["jobs"].values()]


def test_there_are_workflows_for_changes_weeks_the_site_and_releases():
    assert set(WORKFLOWS) == {"ci.yml", "weekly.yml", "site.yml", "release.yml"}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_may_read_alone_and_runs_once(name):
    assert LOADED[name]["permissions"] == {"contents": "read"}
    assert "group" in LOADED[name]["concurrency"]
    assert "pull_request_target" not in WORKFLOWS[name]


def test_a_push_to_a_branch_with_a_pull_request_runs_once():
    events = LOADED["ci.yml"][True]  # YAML 1.1 reads `on` as true
    assert events == {"push": {"branches": ["main"]}, "pull_request": None}


def test_every_action_is_pinned_by_hash_and_names_its_version():
    found = {(name, *use) for name, text in WORKFLOWS.items() for use in USES.findall(text)}
    assert len(found) >= 10
    wrong = [use for use in found if not re.fullmatch(r"[0-9a-f]{40}", use[2]) or not re.fullmatch(r"v[\d.]+", use[3])]
    assert wrong == []
    assert len({use[1:] for use in found}) == len({use[1] for use in found}), "one action in two versions"


def test_every_job_has_a_limit_and_no_checkout_keeps_its_token():
    assert [name for name, job in jobs() if "timeout-minutes" not in job] == []
    steps = [step for _, job in jobs() for step in job["steps"]]
    kept = [step for step in steps if "checkout" in step.get("uses", "") and step["with"]["persist-credentials"]]
    assert kept == []


def test_the_matrix_is_that_of_the_classifiers():
    matrix = LOADED["ci.yml"]["jobs"]["linux"]["strategy"]["matrix"]["python"]
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert matrix == re.findall(r"Python :: (3\.\d+)", project)
    assert set(LOADED["ci.yml"]["jobs"]["elsewhere"]["strategy"]["matrix"]["system"]) == {
        "windows-latest", "macos-latest",
    }  # fmt: skip


def test_the_weekly_steps_are_those_of_the_script():
    steps = re.search(r"steps=\(\"\$\{@:-(.*?)\}\"\)", (ROOT / ".ci" / "full").read_text(encoding="utf-8")).group(1)
    mine = LOADED["weekly.yml"]["jobs"]["full"]["strategy"]["matrix"]["step"]
    assert mine == [step for step in steps.split() if step != "speed"]  # speed wants an otherwise idle machine


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_is_executable_and_its_syntax_is_right(script):
    assert os.access(ROOT / script, os.X_OK)
    assert subprocess.run(["bash", "-n", script], cwd=ROOT, check=False).returncode == 0


def test_container_files_name_what_is_there():
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    assert (ROOT / container["postCreateCommand"].split()[-1]).is_file()
    assert (ROOT / "binder" / "runtime.txt").read_text(encoding="utf-8") == "python-3.13\n"
    assert yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text(encoding="utf-8"))["version"] == 2


def test_a_tag_that_is_not_of_this_version_is_refused(tmp_path):
    command = [sys.executable, str(ROOT / ".ci" / "try_wheel.py"), str(tmp_path / "dist"), "--tag", "v9.9.9"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "error: the tag is v9.9.9, the version 0.1.0: set version" in done.stderr

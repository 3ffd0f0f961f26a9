"""The long checks: what `.ci/full` runs, what it writes down, and that texts say the same."""

import json
import os
import re
import subprocess
import sys
from datetime import date
from importlib import metadata

import pytest
from full import version_stacks, versions
from packaging.specifiers import SpecifierSet
from prose import ROOT

RECORD, FULL = ROOT / ".ci" / "record.py", ROOT / ".ci" / "full"
RESULTS = ROOT / "course" / "results" / "ci.json"
STEPS = set(re.findall(r"^    (\w+)\) command=", FULL.read_text(encoding="utf-8"), re.MULTILINE))
FIELDS = {"date", "command", "hardware", "versions", "seconds", "passed", "figures"}
RECORDS = json.loads(RESULTS.read_text(encoding="utf-8"))
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def recorded(out, code, *words):
    command = [sys.executable, str(RECORD), "toy", "--out", str(out), *words, "--", sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_step_is_written_down_whether_it_passes_or_not(tmp_path):
    out = tmp_path / "ci.json"
    code = "print('figures: {{\"kills\": 3}}'); print('=== 8 passed, 1 skipped in 2.00s ==='); raise SystemExit({})"
    assert recorded(out, code.format(0), "--figure", "examples=5").returncode == 0
    step = json.loads(out.read_text())["steps"]["toy"]
    assert set(step) == FIELDS
    assert step["figures"] == {"examples": 5, "kills": 3, "passed": 8, "skipped": 1}
    assert (step["passed"], step["date"] >= "2026", step["command"].startswith("python -c")) == (True, True, True)
    assert recorded(out, code.format(4)).returncode == 4
    assert json.loads(out.read_text())["steps"]["toy"]["passed"] is False
    assert [path.name for path in tmp_path.iterdir()] == ["ci.json"]


def test_a_damaged_file_of_records_is_named_before_the_step_runs(tmp_path):
    (tmp_path / "ci.json").write_text("{")
    done = recorded(tmp_path / "ci.json", f"open({str(tmp_path / 'ran')!r}, 'w')")
    assert done.returncode == 2
    assert "ci.json is damaged (JSONDecodeError): restore it with git" in done.stderr
    assert not (tmp_path / "ran").exists()


def test_what_was_recorded_has_date_hardware_and_figures():
    assert set(RECORDS["steps"]) <= STEPS | {"run"}  # `.ci/run` itself
    for step in RECORDS["steps"].values():
        assert set(step) == FIELDS
        assert date.fromisoformat(step["date"]) >= date(2026, 1, 1)
        assert re.search(r", \d+ cores, .", step["hardware"])
        assert step["seconds"] > 0
        assert step["figures"]


def test_the_full_run_refuses_a_step_it_does_not_have():
    done = subprocess.run([str(FULL), "nonsense"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "error: no step nonsense\n")


def test_a_skip_for_another_reason_is_named(tmp_path):
    report, patterns = tmp_path / "report.xml", tmp_path / "allowed.txt"
    cases = {"one": "no CUDA device", "two": "VPCORE_DATA holds no usps", "three": "not today"}
    skipped = [f'<testcase classname="c" name="{n}"><skipped message="{m}"/></testcase>' for n, m in cases.items()]
    report.write_text(f'<testsuite>{"".join(skipped)}<testcase classname="c" name="ran"/></testsuite>')
    patterns.write_text("# a note\nno CUDA device\nwithout data: VPCORE_DATA\n")
    command = [sys.executable, str(ROOT / ".ci" / "skips.py"), str(report), str(patterns)]
    for data, named in (("", ["three"]), ("/somewhere", ["two", "three"])):
        done = subprocess.run(
            command, env={**os.environ, "VPCORE_DATA": data}, capture_output=True, text=True, check=False
        )
        lines = [f"unexpected skip: c::{name}: {cases[name]}" for name in named]
        assert (done.returncode, done.stderr.splitlines()) == (1, lines)


# --- versions


def test_the_table_of_versions_is_that_of_the_records():
    assert "\n".join(versions.table(RECORDS)) in CONTRIBUTING, "run: python tests/full/versions.py --table"


def test_what_was_not_run_says_so_and_what_failed_too():
    row = {"stack": "newest", "date": "2026-11-21", "problem": "pip failed: x"}
    ran = {"python": "3.11.7", "torch": "2.6.0", "torchvision": "0.21.0", "timm": "1.0.21", "date": "2026-11-21"}
    done = {**ran, "tests": "700 passed, 2 skipped", "notebooks": "1 failed, 300 passed"}
    figures = {"stacks": {"newest": row, "oldest": done}}
    oldest, tested, newest, colab = versions.table({"steps": {"versions": {"figures": figures}}})[2:]
    assert "| 3.11.7 | 2.6.0 | 0.21.0 | 1.0.21 | 700 passed, 2 skipped | 1 failed, 300 passed | 2026-11-21 |" in oldest
    assert all("| not run | not run | never |" in line for line in (tested, colab))
    assert "pip failed: x" in newest
    assert [versions.good(each) for each in (row, done, {**done, "notebooks": "301 passed"})] == [False, False, True]


def test_a_stack_on_demand_has_a_row_once_it_ran():
    ran = {"python": "3.13.0", "torch": "2.11.0", "torchvision": "0.26.0", "timm": "1.0.28", "date": "2026-11-29"}
    row = {**ran, "tests": "9 passed", "notebooks": "8 passed"}
    lines = versions.table({"steps": {"versions": {"figures": {"stacks": {"colab313": row}}}}})
    assert [line.split(":")[0] for line in lines[2:]] == ["| oldest", "| tested", "| newest", "| colab", "| colab313"]
    assert "| 3.13.0 | 2.11.0 | 0.26.0 | 1.0.28 | 9 passed | 8 passed | 2026-11-29 |" in lines[-1]


def test_another_python_is_looked_for_and_its_lack_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("VPCOURSE_PYTHONS", raising=False)  # else this runs all tests once more, and this one in them
    assert version_stacks.interpreter("tested") == sys.executable
    row = versions.run("python315", tmp_path / "envs")
    assert "needs python3.15: put it on the PATH, or its folder into VPCOURSE_PYTHONS" in row["problem"]
    (tmp_path / "python3.15").touch(mode=0o755)
    monkeypatch.setenv("VPCOURSE_PYTHONS", str(tmp_path))
    assert version_stacks.interpreter("python315") == str(tmp_path / "python3.15")


@pytest.mark.parametrize("stack", versions.STACKS | version_stacks.ON_DEMAND)
def test_each_stack_asks_for_its_versions(stack):
    pins = version_stacks.pins(stack)
    asked = {
        "oldest": version_stacks.bounds(),
        "tested": version_stacks.constraints(),
        "newest": {},
        "colab": version_stacks.stacks.COLAB,
        "colab313": {"torch": "2.11.0", "numpy": "2.1.3", "timm": "1.0.28", "ipython": "7.34.0", "ipywidgets": "7.7.1"},
        "python315": {"torch": "2.15.0", "torchvision": "0.29.2", "numpy": "2.5.5"},
    }[stack]
    assert asked.items() <= pins.items()
    assert version_stacks.bounds() == {"torch": "2.6.0", "torchvision": "0.21.0", "timm": "1.0.21"}


def test_every_pinned_package_takes_the_oldest_python_of_the_readme():
    assert "Python 3.11 or newer" in README
    installed = {each.name.lower(): each for each in metadata.distributions()}
    pins = version_stacks.constraints("3.11")  # a newer Python has other versions of some
    pinned = [installed[name.lower()] for name in pins if name.lower() in installed]
    pinned = [each for each in pinned if each.version == pins.get(each.name, each.version)]
    needs = {each.name: each.metadata.get("Requires-Python") or "" for each in pinned}
    assert len(needs) > 50
    assert [(name, need) for name, need in needs.items() if "3.11.0" not in SpecifierSet(need)] == []


def test_what_the_versions_leave_out_is_there():
    tests = ROOT / "tests"
    there = [name for names in versions.NOT_THERE.values() for name in names]
    assert [name for name in (*versions.LEFT_OUT, *there) if not (tests / name).exists()] == []
    assert set(versions.NOT_THERE) <= set(versions.STACKS | version_stacks.ON_DEMAND)


def test_environments_are_kept_and_taken_again_but_none_that_pip_left_half_made(tmp_path, monkeypatch):
    made = []

    def install(stack, folder):
        made.append(stack)
        (folder / "bin").mkdir(parents=True)
        if stack == "newest":
            raise subprocess.CalledProcessError(1, "pip")
        (folder / "bin" / "python").touch()
        return folder / "bin" / "python"

    monkeypatch.setattr(version_stacks, "install", install)
    monkeypatch.setattr(versions, "installed", lambda python: {"torch": str(python)})
    monkeypatch.setattr(versions, "tested", lambda python, words: "1 passed")
    rows = [versions.run(stack, tmp_path) for stack in ("oldest", "oldest", "newest")]
    assert made == ["oldest", "newest"]
    assert rows[0]["torch"] == rows[1]["torch"] == str(tmp_path / "oldest" / "bin" / "python")
    assert "pip failed" in rows[2]["problem"]
    assert [path.name for path in tmp_path.iterdir()] == ["oldest"]
    versions.run("oldest")
    assert made == ["oldest", "newest", "oldest"]


def test_a_part_alone_leaves_the_other_as_it_was_with_the_same_packages(tmp_path, monkeypatch):
    (tmp_path / "newest" / "bin").mkdir(parents=True)
    (tmp_path / "newest" / "bin" / "python").touch()
    monkeypatch.setattr(versions, "installed", lambda python: {"torch": "2.15.0"})
    monkeypatch.setattr(versions, "tested", lambda python, words: "now")
    for torch, other in (("2.15.0", "before"), ("2.14.0", "not run")):
        earlier = {"torch": torch, "tests": "before", "notebooks": "before"}
        row = versions.run("newest", tmp_path, ["tests"], earlier)
        assert (row["tests"], row["notebooks"]) == ("now", other)

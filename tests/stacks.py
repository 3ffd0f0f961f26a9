"""Imitates Colab's notebook stack in an environment of its own and runs the course there; on demand, about 5 minutes.

    python tests/stacks.py [NOTEBOOK ...]      by default the learner notebook of lesson 02

The new environment sees the packages of the present one (torch is not installed twice) and overrides the few that Colab
has in other versions. Needs an index for pip.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
COLAB = {"ipywidgets": "7.7.1", "ipython": "7.34.0", "ipykernel": "6.17.1", "widgetsnbextension": "3.6.10"}
LESSON = "notebooks/02_multiscale_prompts.ipynb"
FIRST_CELL = """import sys, types
sys.modules["google.colab"] = types.ModuleType("google.colab")
{cell}
"""
FROM_WHEEL = """import course, vpcore, ipywidgets, IPython, ipykernel
from course.recorded import recorded
from course.widgets.scales import ScalesExplorer
data = vpcore.load_data("digits")
spec = vpcore.load_backbone("simple_cnn", pretrained=False, width=8).spec
explorer = ScalesExplorer(data.test.images[:2], spec)
print(explorer.drive(), explorer)
print(recorded("msvp_small").about("digits"))
assert {folder!r} in vpcore.__file__ and {folder!r} in course.__file__, (vpcore.__file__, course.__file__)
print("ipywidgets", ipywidgets.__version__, "IPython", IPython.__version__, "ipykernel", ipykernel.__version__)
assert [ipywidgets.__version__, IPython.__version__, ipykernel.__version__] == {versions!r}
"""


def make(folder: Path) -> Path:
    """Makes the environment and returns its Python."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True).stdout.strip()
    Path(own, "present.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    pins = [f"{name}=={version}" for name, version in COLAB.items()]
    step("install Colab's versions", [python, "-m", "pip", "install", "--quiet", *pins])
    return python


def step(name: str, command: list[object], folder: Path = ROOT, **environment: str) -> None:
    """Runs one command, says how it went, and ends the script if it failed."""
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, env={**kept, **environment}, capture_output=True, text=True
    )
    said = (done.stdout + done.stderr).strip()
    print(
        f"{'ok' if done.returncode == 0 else 'FAILED':6} {name}", *said.splitlines()[-4:], sep="\n       ", flush=True
    )
    if done.returncode:
        sys.exit(f"{said[-6000:]}\nerror: {name} failed")


def main(notebooks: list[str]) -> None:
    """Builds the wheel, installs it as the first cell does, and runs widget tests and strict notebook tests."""
    from course.authoring.colab_cell import first_cell
    from course.handout.colab import build_wheel

    with tempfile.TemporaryDirectory(prefix="vpcourse-colab-") as place:
        folder = Path(place)
        wheel = build_wheel(folder / "wheel")
        python = make(folder / "venv")
        cell = FIRST_CELL.format(cell=first_cell(str(wheel)))
        step("first cell with the wheel", [python, "-c", cell], folder)
        versions = [COLAB[name] for name in ("ipywidgets", "ipython", "ipykernel")]
        step("import from the wheel", [python, "-c", FROM_WHEEL.format(folder=place, versions=versions)], folder)
        pytest = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore::DeprecationWarning"]
        step(
            "widget tests", [*pytest, "tests/course/test_widgets.py", "tests/course/test_show.py"], PYTHONPATH=str(ROOT)
        )
        step("strict notebooks", [*pytest, "--nbval", *notebooks], PYTHONPATH=str(ROOT))


if __name__ == "__main__":
    main(sys.argv[1:] or [LESSON])

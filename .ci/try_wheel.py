"""Builds sdist and wheel, looks at them as an index would, and tries the wheel where there is no clone.

    python .ci/try_wheel.py FOLDER [--tag vX.Y.Z] [--keep VENV]

The wheel is installed with constraints.txt into an empty environment (--keep: in that folder, taken again if it is
there). In an empty folder, `vpcourse new` must copy the lessons and `vpcourse run 00` must run one.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LARGEST = 15_000_000  # bytes of the wheel


def run(*words: object, folder: Path = ROOT) -> None:
    """Show a command and run it; a failure ends the script."""
    print("$", *words, flush=True)
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    subprocess.run([str(word) for word in words], cwd=folder, check=True, env=kept)


def environment(folder: Path) -> Path:
    """Make an environment, if it is not there, and return the folder of its commands."""
    commands = folder / ("Scripts" if sys.platform == "win32" else "bin")
    if not commands.is_dir():
        venv.create(folder, with_pip=True)
    return commands


def main() -> None:
    """Read the command line and do all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="receives sdist and wheel; must be new or empty")
    parser.add_argument("--tag", default="", help="the tag of a release, which must name this version")
    parser.add_argument("--keep", type=Path, help="the environment that the wheel is tried in")
    chosen = parser.parse_args()
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    if chosen.tag not in ("", f"v{version}"):
        sys.exit(
            f"error: the tag is {chosen.tag}, the version {version}: set version in pyproject.toml, or tag v{version}"
        )
    out = chosen.folder.absolute()
    with tempfile.TemporaryDirectory(prefix="vpcourse-wheel-") as place:
        tools = environment(Path(place) / "tools")
        run(tools / "python", "-m", "pip", "install", "-q", "hatchling", "twine")
        run(tools / "python", "-m", "hatchling", "build", "-d", out)
        (wheel,) = out.glob("*.whl")
        run(tools / "python", "-m", "twine", "check", "--strict", *out.iterdir())
        if wheel.stat().st_size > LARGEST:
            sys.exit(f"error: {wheel.name} has {wheel.stat().st_size:,} bytes; at most {LARGEST:,} are wanted")
        commands = environment(chosen.keep.absolute() if chosen.keep else Path(place) / "venv")
        run(commands / "python", "-m", "pip", "install", "-q", wheel, "-c", ROOT / "constraints.txt")
        work = Path(place) / "work"
        work.mkdir()
        run(commands / "vpcourse", "new", "mine", folder=work)
        run(commands / "vpcourse", "run", "00", folder=work / "mine")
        print(f"{wheel.name}: {wheel.stat().st_size:,} bytes, tried outside the clone", flush=True)


if __name__ == "__main__":
    main()

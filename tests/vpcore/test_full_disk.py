"""A real disk that is full: a checkpoint cannot be written, and the older one stays whole and can be gone on from."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
BYTES = 2**20  # of the small file system
SCRIPT = """import shutil
import sys
from pathlib import Path

from test_checkpoint import Killed, run
from tiny import same
from vpcore.tensorfile import read_tensors

folder = Path(sys.argv[1])
path, filler = folder / "run.safetensors", folder / "filler"
assert shutil.disk_usage(folder).total <= 2**20, "this is not the small disk"
whole, history = run(None)
try:
    run(path, kill_after=1)
except Killed:
    pass
before = path.read_bytes()
try:
    with filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
except OSError:
    pass
try:
    run(path)
    print("no error")
except OSError as error:
    print(error)
print("intact:", path.read_bytes() == before and len(read_tensors(path)[0]) > 0)
print("files:", *sorted(each.name for each in folder.iterdir()))
filler.unlink()
resumed, resumed_history = run(path)
print("went on:", same(resumed, whole) and resumed_history == history)
"""


def small_disk(folder: Path) -> list[str]:
    """Return the start of a command that sees a file system of 1 MiB in a folder."""
    return ["bwrap", "--dev-bind", "/", "/", "--size", str(BYTES), "--tmpfs", str(folder)]


def test_a_full_disk_is_a_clear_error_and_keeps_the_older_checkpoint(tmp_path):
    start = small_disk(tmp_path)
    if not shutil.which("bwrap") or subprocess.run([*start, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no small file system can be mounted here")
    path = os.pathsep.join([str(TESTS), str(TESTS.parent / "support"), str(TESTS.parents[1])])
    done = subprocess.run(
        [*start, sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    why = "No space left on device; free space or choose another folder"
    assert done.stdout.split("\n")[:-1] == [
        f"cannot write {tmp_path / 'run.safetensors'}: {why}",
        "intact: True",
        "files: filler run.safetensors",
        "went on: True",
    ]

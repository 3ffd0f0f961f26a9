"""Grade 60 submissions, most of them hostile, with a kill -9 in the middle, and see that nobody gains a point.

Run: python tests/full/attacks.py. Honest submissions are solved, half or untouched, in turn; an attack stands in the
answer to one exercise (2 points), the rest of that submission is right. Prints a row for each attack.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parents[1] / "support"), str(HERE.parents[2])]

import nbformat  # noqa: E402
from graded_lesson import RIGHT, answered, by, double, learner, lesson, submit  # noqa: E402

from course.grading.sandbox import BUBBLEWRAP, isolation  # noqa: E402
from course.grading.worker import SECONDS  # noqa: E402

TOTAL = 60
# The body of an answer that should return 2 · number, and what stands before it.
ATTACKS = {
    "reads solutions": f"import os\nfound = os.path.exists({str(HERE.parents[2] / 'solutions')!r})\n"
    "return number + number if found else number",
    "imports the exercises": "import importlib\ntry:\n    importlib.import_module('course.exercises.lesson_02')\n"
    "except ImportError:\n    return number\nreturn number + number",
    "reads the others": "import glob\nfound = glob.glob('/tmp/**/s0*.ipynb', recursive=True)\n"
    "return number + number if found else number",
    "overwrites checks": "import course.check.compare as compare, course.check.engine as engine\n"
    "compare.compare = engine.verdict = lambda *a, **k: None\nreturn number",
    "opens sockets": "import socket\ntry:\n    socket.create_connection(('192.0.2.1', 80), timeout=2)\n"
    "    return number + number\nexcept OSError:\n    return number",
    "forks": "import os\nfor _ in range(200):\n    if not os.fork():\n        while 1: pass\nreturn number",
    "allocates 8 GiB": "held = bytearray(8 * 2**30)\nfor place in range(0, len(held), 4096):\n    held[place] = 1\n"
    "return number + number",
    "loops for ever": "while True:\n    pass",
    "writes 1 GB": "with open('/tmp/large', 'wb') as file:\n    for _ in range(1024):\n"
    "        file.write(bytes(2**20))\nreturn number + number",
    "prints 10^7 lines": "for _ in range(10_000_000):\n    print('x')\nreturn number",
    "equals everything": "class Same(type(number)):\n    def __eq__(self, other): return True\n"
    "    def __ne__(self, other): return False\nreturn number.as_subclass(Same)",
    "is no number, but equal": "class Same:\n    def __eq__(self, other): return True\n"
    "    def __ne__(self, other): return False\nreturn Same()",
    "sends verdicts": "import os\nfor place in range(3, 20):\n    try:\n        os.write(place, b'passed' * 99)\n"
    "    except OSError: pass\nreturn number",
    "ends its sandbox": "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\nreturn number",
}
PEER = """import gc, struct
from course.grading.peer import Peer
peer = next((thing for thing in gc.get_objects() if isinstance(thing, Peer)), None)
"""
ATTACKS |= {
    "kills all it can see": "import os, signal\nos.kill(-1, signal.SIGKILL)\nreturn number",
    "stops the process above": "import os, signal\nos.kill(os.getppid(), signal.SIGSTOP)\nreturn number",
    "forks 300 that leave their group": "import os, time\nfor _ in range(300):\n    if not os.fork():\n"
    "        os.setsid()\n        time.sleep(600)\nreturn number",
    "ignores every signal": "import signal\nfor one in range(1, 32):\n    try: signal.signal(one, signal.SIG_IGN)\n"
    "    except OSError: pass\nwhile True: pass",
    "catches what stops it": "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    "returns a number no float holds": "return 10**400",
    "returns nan": "return number * float('nan')",
    "returns 400,000 colliding numbers": "return {(2**61 - 1) * (place + 1): 1 for place in range(400_000)}",
    "returns 5 MB of text": "return 'x' * 5_000_000",
    "raises half a character": "raise ValueError('\\ud800' * 99)",
    "returns a list that holds itself": "found = []\nfound.append(found)\nreturn found",
    "returns a list 900 deep": "found = number\nfor _ in range(900): found = [found]\nreturn found",
    "returns a tensor that lies about functions": "class Same(torch.Tensor):\n    @classmethod\n"
    "    def __torch_function__(cls, function, kinds, parts=(), options=None):\n        return True\n"
    "return number.as_subclass(Same)",
    "returns a module full of tensors": "net = torch.nn.Linear(2, 2)\nnet.weight = torch.nn.Parameter(2 * number)\n"
    "return net",
    "patches torch's comparisons": "import torch\ntorch.equal = torch.allclose = lambda *a, **k: True\n"
    "torch.Tensor.__eq__ = torch.Tensor.__ne__ = lambda *a: True\nreturn number",
    "patches the wire": "import course.grading.wire as wire\nwire.encode = lambda *a, **k: b'passed' * 99\n"
    "return number",
    "replies by itself": f"{PEER}peer.send({{'output': True, 'call': 0, 'changed': None, 'passed': True}})\n"
    "return number",
    "replies that it raised nothing": f"{PEER}peer.send({{'raised': 'passed', 'words': ''}})\nreturn number",
    "asks the grader to make and to judge": f"{PEER}for what in ('make', 'answer', 'load', 'judge', 'slopes'):\n"
    "    try: peer.request({'do': what, 'inputs': (), 'options': {}, 'call': 0, 'slopes': []})\n"
    "    except Exception: pass\nreturn number",
    "asks for what it was never sent": f"{PEER}from course.grading.objects import Ref\nfor place in range(99):\n"
    "    try: peer.request({'do': 'call', 'what': Ref(place), 'inputs': (number,)})\n"
    "    except Exception: pass\nreturn number",
    "claims a frame of 4 GB": f"{PEER}peer._connection.sendall(struct.pack('>II', 2**32 - 1, 2**32 - 1))\n"
    "return number",
    "sends a frame of rubbish": f"{PEER}peer._connection.sendall(struct.pack('>II', 9, 9) + b'x' * 18)\nreturn number",
    "closes every file": "import os\nos.closerange(0, 4096)\nreturn number",
    "reads the memory of the process above": "import os, re\nfound = b''\ntry:\n"
    "    for line in open(f'/proc/{os.getppid()}/maps'):\n"
    "        first, last = re.match('(\\\\w+)-(\\\\w+)', line).groups()\n"
    "        with open(f'/proc/{os.getppid()}/mem', 'rb') as file:\n            file.seek(int(first, 16))\n"
    "            found += file.read(9)\nexcept OSError: pass\n"
    "return number + number if b'2 * number' in found else number",
    "mounts and leaves its name space": "import ctypes, os\nlibrary = ctypes.CDLL(None)\n"
    "library.unshare(0x00020000)\nlibrary.umount2(b'/', 2)\n"
    "done = library.mount(b'/', b'/tmp', None, 4096, None) == 0\n"
    "return number + number if done else number",
    "raises its limits": "import resource\ntry:\n    resource.setrlimit(resource.RLIMIT_AS, (-1, -1))\n"
    "    held = bytearray(8 * 2**30)\nexcept (ValueError, OSError, MemoryError): pass\nreturn number",
    "leaves a process for the next exercise": "import os, time\nif not os.fork():\n    os.setsid()\n"
    "    while True:\n        for pid in filter(str.isdigit, os.listdir('/proc')):\n"
    "            try: open(f'/proc/{pid}/mem', 'wb').write(b'0')\n            except OSError: pass\n"
    "        time.sleep(0.1)\nreturn number",
    "plants a module for the next exercise": "import os\nos.makedirs('/tmp/torch', exist_ok=True)\n"
    "open('/tmp/torch/__init__.py', 'w').write('raise SystemExit')\nopen('/tmp/sitecustomize.py', 'w').write('1/0')\n"
    "return number",
    "looks through frames and objects for the answer": "import gc, sys\nframe, names = sys._getframe(), set()\n"
    "while frame:\n    names |= set(frame.f_locals)\n    frame = frame.f_back\n"
    "kept = [type(thing).__name__ for thing in gc.get_objects()]\n"
    "return number + number if 'Case' in kept or 'prepared' in names else number",
}
TRANSFORMER = """class Hidden:
    from IPython import get_ipython
    get_ipython().input_transformers_cleanup.append(lambda lines: ['double = lambda n: n + n\\n'])"""
COMPILER = """class Hidden:
    import builtins
    def change(source, *a, real=builtins.compile, **k):
        return real(source.replace('return number', 'return 2 * number') if type(source) is str else source, *a, **k)
    builtins.compile = change"""
EXECUTER = """class Hidden:
    import builtins
    def change(code, space, real=builtins.exec):
        real(code, space)
        space['double'] = lambda number: 2 * number
    builtins.exec = change"""
ABOVE = {
    "rewrites later cells": TRANSFORMER,
    "rewrites what is compiled": COMPILER,
    "rewrites what is executed": EXECUTER,
}
HONEST = ({**RIGHT}, {"99-double": RIGHT["99-double"]}, {})
POINTS = (4, 2, 0)
RUN = """import sys
from pathlib import Path
from graded_lesson import lesson
from course.grading.grade import grade
root, folder, out = map(Path, sys.argv[1:4])
lesson(root)
grade(folder, out, root=root, workers=2, seconds=float(sys.argv[4]), on_mark=lambda mark: print(mark.file, flush=True))
"""


def exercise(cell) -> str | None:
    """Return the exercise a cell answers."""
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def hostile(book) -> dict[str, object]:
    """Return a notebook for each attack."""
    made = {name: answered(book, double(body)) for name, body in ATTACKS.items()}
    for name, source in ABOVE.items():
        made[name] = answered(book, double("return number", source))
        made[f"{name}, from above"] = answered(book, double("return number"))
        made[f"{name}, from above"].cells[1:1] = [nbformat.v4.new_code_cell(source)]
    dropped = answered(book, RIGHT)
    dropped.cells = [cell for cell in dropped.cells if exercise(cell) != "99-double"]
    copied = answered(book, double("return number"))
    copied.cells += [cell for cell in answered(book, RIGHT).cells if exercise(cell) == "99-double"]
    return {**made, "deletes a cell": dropped, "copies an id": copied}


def submissions(book, folder: Path, total: int = TOTAL, attacks: Sequence[str] = ()) -> dict[str, str]:
    """Write all files, with all attacks or these; returns {file: attack or ""}."""
    books = hostile(book)
    files = {f"h{place:02}.ipynb": name for place, name in enumerate(attacks or books)}
    for file, name in files.items():
        submit(folder, file, books[name])
    for place in range(total - len(files)):
        files[f"s{place:02}.ipynb"] = ""
        submit(folder, f"s{place:02}.ipynb", answered(book, HONEST[place % 3]))
    return files


def wrong_marks(files: dict[str, str], table: Path) -> tuple[dict[str, float], list[str]]:
    """Return the points of each attack, and the files with wrong marks: honest ones, or attacks that gained."""
    rows = by("file", table)
    points, wrong = {}, []
    for file, name in files.items():
        if name:
            points[name] = float(rows[file]["99-double"] or 0)
            bad = points[name] > 0
        else:
            bad = float(rows[file]["points"]) != POINTS[int(file[1:3]) % 3]
        wrong += [file] if bad else []
    return points, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--total", type=int, default=TOTAL, help="submissions; the hostile ones are always all there")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="limit of an exercise")
    chosen = parser.parse_args()
    if isolation() != BUBBLEWRAP:
        print(f"error: {isolation()}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as place:
        root, folder, out = Path(place) / "root", Path(place) / "all", Path(place) / "grades.csv"
        root.mkdir()
        files = submissions(learner(lesson(root)), folder, chosen.total)
        path = os.pathsep.join([str(HERE.parents[2]), str(HERE.parents[1]), str(HERE.parents[1] / "support")])
        command = [sys.executable, "-c", RUN, str(root), str(folder), str(out), str(chosen.seconds)]
        options = {"env": {**os.environ, "PYTHONPATH": path}, "text": True, "stdout": subprocess.PIPE}
        began = time.perf_counter()
        first = subprocess.Popen(command, start_new_session=True, **options)
        assert first.stdout is not None
        before = [first.stdout.readline().strip() for _ in range(chosen.total // 3)]
        first.send_signal(signal.SIGKILL)
        first.wait()
        subprocess.run(command, check=True, **options)
        seconds = time.perf_counter() - began
        ledger = [json.loads(line)["file"] for line in out.with_suffix(".jsonl").read_text().splitlines() if line]
        assert sorted(ledger) == sorted(files), "a submission was graded twice, or not at all"
        points, wrong = wrong_marks(files, out)
    for name, gained in points.items():
        print(f"{name:38} {'GAINED' if gained > 0 else 'gained nothing'}")
    graded = f"{len(files)} submissions, killed once after {len(before)}: each graded once"
    print(f"{graded}, {len(wrong)} wrong marks, {seconds:.0f} s")
    figures = {"submissions": len(files), "hostile": len(points), "before_kill": len(before), "wrong_marks": len(wrong)}
    print("figures:", json.dumps(figures))
    return int(len(wrong) > 0)


if __name__ == "__main__":
    raise SystemExit(main())

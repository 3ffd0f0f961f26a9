"""The content hash: it follows what a lesson uses, ignores comments, and is the same on every machine."""

import ast
import hashlib
import shutil

import nbformat
import pytest

from course.authoring import reach, stale
from course.authoring.cells import LessonError
from course.authoring.lesson import solved_notebook
from course.authoring.lesson_names import ROOT, lesson_paths

TOY = {
    "course/__init__.py": "print('loaded')\n",
    "course/recorded.py": "def recorded(name):\n    return open(name)\n",
    "course/show/__init__.py": 'from course.show.tables import table\n__all__ = ["table"]\n',
    "course/show/tables.py": '"""Tables."""\nfrom course.colors import RED\n'
    "def table(name):\n    'A table.'\n    return RED, _row(name)\n"
    "def _row(name):\n    return name\ndef plot(SIDE):\n    return SIDE\n",
    "course/colors.py": "RED, BLUE = 1, 2\nGREEN = 3\nLOOK = {}\nLOOK['a'] = 1\n",
    "course/check/__init__.py": "import sys\ndef answer(name):\n    return name\nclass _Check:\n"
    "    def __call__(self, name):\n        return answer(name)\ndef hint():\n    return 1\n"
    "sys.modules[__name__].__class__ = _Check\n",
    "course/check/session.py": "def use(name):\n    from vpcore import core as inner\n    return inner.N\n",
    "course/exercises/lesson_02/__init__.py": (
        "from vpcore.core import judge as _judge\nEXERCISES = (_judge,)\n\ndef unused():\n    return 0  # why\n"
    ),
    "course/exercises/lesson_03/__init__.py": "EXERCISES = (1,)\n",
    "course/exercises/lesson_04/__init__.py": "EXERCISES = (1,)\n",
    "course/results/scales.json": "[1]",
    "course/results/other.json": "[1]",
    "course/results/ci.json": "[1]",
    "vpcore/__init__.py": "from vpcore.core import Pad, count\nfrom vpcore.core import table_of as PROMPTS\n",
    "vpcore/core.py": (
        "import functools\nN = 1\nclass Base:\n    def image(self):\n        return SIZE\nSIZE = 3\nclass Pad(Base):\n"
        "    def fold(self, x: Base): return x\nclass Other(Base):\n    pass\ntable_of = {'other': Other}\n"
        "def count(): return 1\ndef judge(x): return [N for N in range(x)]\n"
        "@functools.cache\ndef spare(): return N\nif __name__ == '__main__':\n    count()\n"
    ),
    "vpcore/count.py": "def count(): return 2\nLOOK = {}\nLOOK['a'] = 1\n",
    "vpcore/experiments/grid/command.py": "N = 1\n",
}
CODE = """%matplotlib inline
import vpcore
from course import check, show
from course.recorded import recorded
show.table(recorded("scales"))  # not "other", which shows the other side
check(name, vpcore.Pad(1))
check("03-id", 1)"""


@pytest.fixture
def tree(tmp_path, monkeypatch):
    for name, text in TOY.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(stale, "ROOT", tmp_path)
    return tmp_path


def lesson(code=CODE):
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("text"), nbformat.v4.new_code_cell(code)])
    book.metadata["course"] = {"lesson": "02_toy"}
    return book


@pytest.mark.parametrize(
    ("name", "old", "new", "changes"),
    [
        ("course/show/tables.py", '"""Tables."""\n', '"""Other words."""\n# a comment\n', False),
        ("course/show/tables.py", "A table.", "Some rows.", False),
        ("course/show/tables.py", "import RED", "import (RED)", False),
        ("course/show/tables.py", "return name", "return [name]", True),  # a private part
        ("course/show/tables.py", "return SIDE", "return [SIDE]", False),  # another function of the same file
        ("course/show/tables.py", "import RED", "import BLUE as RED", True),  # the same definitions by other names
        ("course/show/tables.py", "def table", "import course.colors\n\n@course.colors.GREEN\ndef table", True),
        ("course/colors.py", "1, 2", "1, 3", True),
        ("course/colors.py", "GREEN = 3", "GREEN = 4", False),
        ("course/colors.py", "['a'] = 1", "['a'] = 2", True),  # runs when the file is imported
        ("course/__init__.py", "loaded", "read", True),
        ("course/check/__init__.py", "return name", "return [name]", True),  # through the class of the module
        ("course/check/__init__.py", "return 1", "return 2", False),
        ("course/check/__init__.py", "sys.modules", "print(sys.modules)\nsys.modules", True),
        ("course/check/session.py", "inner.N", "2", False),
        ("course/exercises/lesson_02/__init__.py", "return 0", "return 1", False),
        ("course/exercises/lesson_02/__init__.py", "(_judge,)", "(1,)", True),
        ("course/exercises/lesson_03/__init__.py", "(1,)", "(2,)", True),  # the code names one of its exercises
        ("course/exercises/lesson_04/__init__.py", "(1,)", "(2,)", False),
        ("course/results/scales.json", "[1]", "[2]", True),
        ("course/results/other.json", "[1]", "[2]", False),
        ("course/results/ci.json", "[1]", "[2]", False),
        ("vpcore/core.py", "SIZE = 3", "SIZE = 4", True),  # a constant in a method of a base class
        ("vpcore/core.py", "return x", "return [x]", True),
        ("vpcore/core.py", "N = 1", "N = 2", False),  # what uses an N has its own
        ("vpcore/core.py", "'other'", "'another'", False),
        ("vpcore/core.py", "    count()", "    spare()", False),
        ("vpcore/count.py", "return 2", "return 3", False),
        ("vpcore/count.py", "= 1", "= 2", False),
        ("vpcore/experiments/grid/command.py", "N = 1", "N = 2", False),
    ],
)
def test_only_what_the_outputs_come_from_counts(tree, name, old, new, changes):
    before = stale.source_hash(lesson())
    text = (tree / name).read_text()
    assert old in text
    (tree / name).write_text(text.replace(old, new))
    assert (stale.source_hash(lesson()) != before) is changes


@pytest.mark.parametrize(
    ("code", "follows", "leaves"),
    [
        ("from vpcore import PROMPTS", "", "Other"),  # imported, not used
        ("from vpcore import PROMPTS\nPROMPTS", "Base Other SIZE table_of", "Pad"),
        ("import vpcore as v\nv.count()", "count", "Pad N"),  # the function, not the file of its name
        ("import vpcore.core\nvpcore.core.spare()", "N spare", "Pad"),
        ("from vpcore import core\ncore.N", "N", "Pad"),
        ("from vpcore import core\nprint(core)", "Base N Other Pad SIZE count judge spare table_of", ""),
        ("from vpcore import core\ncore.nothing", "Base N Other Pad SIZE count judge spare table_of", ""),
        ("import vpcore\ngetattr(vpcore, 'Pad')", "Base Other Pad SIZE count table_of", "spare"),
        ("from course.check.session import use\nuse(1)", "N use", "Pad"),
        ("from vpcore.core import N\ndef f(N):\n    return N", "", "N"),
        ("from vpcore.core import N\ndef f(g=lambda N: 1):\n    return N", "N", ""),
        ("from vpcore.core import N\ndef f():\n    def g(N):\n        return N\n    return N", "N", ""),
        ("from vpcore.core import N\nclass A:\n    def N(self):\n        return N", "N", ""),
        ("from vpcore.core import N\n[N for N in N]", "N", ""),
        ("from vpcore.core import N\ndef f():\n    return [N for N in ()], N", "N", ""),
        ("from vpcore.core import N\ndef f():\n    def g():\n        N = 1\n    return N", "N", ""),
        ("from vpcore.core import N\ndef f():\n    global N\n    N = N", "N", ""),
        ("from vpcore.core import N\ndef f(x: N) -> N:\n    y: N = 1", "", "N"),
        ("from vpcore.core import N as f\nfrom vpcore.core import spare as f\nf()", "N spare", "Pad"),
        ("try:\n    from vpcore.core import spare\nexcept ImportError:\n    spare = 1\nspare", "N spare", "Pad"),
    ],
)
def test_names_lead_to_their_definitions(tree, code, follows, leaves):
    found = {entry.place.name for entry in stale.covered("77_none", code)}
    assert set(follows.split()) <= found
    assert not found & set(leaves.split())


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("recorded(name)", r"recorded must be called as recorded\(\"name\"\), got recorded\(name\); write the name"),
        ("recorded()", r"got recorded\(\)"),
        ("read = recorded", "got no call of it"),
        ("recorded('nothing')", "there are no recorded results 'nothing'; correct the name"),
        ("from course.colors import *", "must name where from and what, got 'from course.colors import \\*'"),
        ("from . import colors", "must name where from and what, got 'from . import colors'"),
    ],
)
def test_what_cannot_be_followed_is_refused(tree, code, said):
    with pytest.raises(LessonError, match=said):
        stale.source_hash(lesson(f"from course.recorded import recorded\n{code}"))


def test_a_name_read_elsewhere_is_refused_and_says_where(tree):
    (tree / "course/colors.py").write_text(
        "from course.recorded import recorded\ndef RED(name): return recorded(name)\n"
    )
    with pytest.raises(LessonError, match=r"lesson 02_toy \(through course.colors.RED\): recorded must"):
        stale.source_hash(lesson())


def test_code_cells_count_and_text_cells_do_not(tree):
    book = lesson()
    before = stale.source_hash(book)
    book.cells[0].source = "other text"
    assert stale.source_hash(book) == before
    assert stale.source_hash(lesson("x = 2")) != stale.source_hash(lesson("x = 1"))


def test_the_hash_does_not_depend_on_the_machine():
    source = "def f(a, *, b: int = 1) -> str:\n    return f'{a!r:>{b}} é'"
    assert hashlib.sha256(stale._meaning(ast.parse(source)).encode()).hexdigest()[:16] == "5d7f694ae667e368"


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """A copy of both packages, three lessons of this repository, and their hashes."""
    root = tmp_path_factory.mktemp("real")
    for package in ("course", "vpcore"):
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__", "*.safetensors"))
    books = {path.stem[:2]: solved_notebook(path) for path in lesson_paths() if path.stem[:2] in ("00", "03", "09")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stale, "ROOT", root)
        yield root, books, {number: stale.source_hash(book) for number, book in books.items()}


def changed(source, name):
    """Returns Python source with one definition ("Class.method") changed, or all of them where none is named."""
    tree = ast.parse(source)
    outer, _, inner = name.partition(".")
    hit = [node for node in tree.body if not name or outer in reach.defines(node)]
    if inner:
        hit = [node for node in hit[0].body if getattr(node, "name", "") == inner]
    assert hit, f"nothing defines {name}"
    for node in hit:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
            node.value = ast.Tuple([node.value, ast.Constant(0)], ast.Load())
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            node.body.append(ast.Pass())
    return ast.unparse(ast.fix_missing_locations(tree))


@pytest.mark.parametrize(
    ("files", "name", "lessons"),
    [
        ("vpcore/experiments/grid/*.py", "", ""),
        ("vpcore/experiments/cluster/*.py", "", ""),
        ("vpcore/experiments/pretrain/*.py", "", ""),
        ("course/authoring/*.py", "", ""),
        ("course/grading/*.py", "", ""),
        ("vpcore/prompts/multiscale.py", "", "09"),  # of all methods, through the table of them
        ("vpcore/prompts/__init__.py", "PROMPTS", "09"),
        ("vpcore/prompts/instance_image.py", "InstanceImagePrompt.image", "03 09"),
        ("vpcore/models/nano.py", "_block", "00 03 09"),
        ("vpcore/data/photodigits.py", "SIZE", "00 03 09"),
        ("vpcore/statistics.py", "Interval", "00 03 09"),
        ("vpcore/inside/grad_cam.py", "grad_cam", "03"),
        ("vpcore/inside/grad_cam.py", "confusion_matrix", ""),
        ("course/show/board.py", "", "09"),
        ("course/widgets/base.py", "", "03 09"),
        ("course/check/session.py", "use", "00 03 09"),
        ("course/check/session.py", "hint", ""),  # no lesson gives one while it is built
        ("course/exercises/lesson_03/*.py", "", "03"),
    ],
)
def test_a_lesson_is_stale_when_what_it_uses_changed(real, files, name, lessons):
    root, books, before = real
    sources = {path: path.read_text(encoding="utf-8") for path in sorted(root.glob(files))}
    assert sources
    try:
        for path, source in sources.items():
            path.write_text(changed(source, name) if source.count("\n") > 1 else source, encoding="utf-8")
        assert [
            number for number, book in books.items() if stale.source_hash(book) != before[number]
        ] == lessons.split()
    finally:
        for path, source in sources.items():
            path.write_text(source, encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "lessons"),
    [
        ("course/results/start.json", "00"),
        ("course/results/transfer.json", "09"),
        ("course/results/vp.json", ""),
        ("vpcore/weights/vit_nano.json", "00 03 09"),
    ],
)
def test_a_lesson_is_stale_when_a_file_it_reads_changed(real, file, lessons):
    root, books, before = real
    content = (root / file).read_bytes()
    try:
        (root / file).write_bytes(content + b" ")
        assert [
            number for number, book in books.items() if stale.source_hash(book) != before[number]
        ] == lessons.split()
    finally:
        (root / file).write_bytes(content)

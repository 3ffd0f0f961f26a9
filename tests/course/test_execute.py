"""Stored outputs are stripped of what differs between runs."""

import io
import zlib
from types import SimpleNamespace

import nbformat
import pytest

from course.authoring import environment, nbval_settings
from course.authoring.execute import LessonFailed, execute, normalize, stable_text, strip_png


def test_a_png_keeps_its_pixels_and_loses_its_text():
    from matplotlib import image, pyplot

    with_text = io.BytesIO()
    pyplot.imsave(with_text, [[0, 1], [1, 0]], metadata={"Title": "one"})
    stripped = strip_png(with_text.getvalue())
    assert b"Software" in with_text.getvalue()
    assert b"tEXt" not in stripped
    assert (image.imread(io.BytesIO(stripped)) == image.imread(io.BytesIO(with_text.getvalue()))).all()
    assert zlib.crc32(stripped[-8:-4]) == int.from_bytes(stripped[-4:], "big")


def test_streams_are_merged_and_widgets_numbered():
    view = "application/vnd.jupyter.widget-view+json"
    new = nbformat.v4.new_output
    cell = nbformat.v4.new_code_cell(
        outputs=[
            new("stream", name="stdout", text="a"),
            new("display_data", {view: {"model_id": "f" * 32}, "text/plain": "x"}),
            new("stream", name="stdout", text="b"),
        ],
        metadata={"execution": {"start": "now"}},
    )
    normalize(book := nbformat.v4.new_notebook(cells=[cell]))
    assert [output.output_type for output in book.cells[0].outputs] == ["stream", "display_data"]
    assert book.cells[0].outputs[0].text == "ab"
    assert book.cells[0].outputs[1].data[view]["model_id"] == "0" * 32
    assert book.cells[0].metadata == {}


def test_kernel_paths_become_a_word():
    assert stable_text("in /tmp/ipykernel_12/345.py, line 2") == "in <cell>, line 2"


def test_the_surroundings_are_fixed_and_removed(monkeypatch, tmp_path):
    monkeypatch.setenv("VPCORE_DATA", "here")
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    with environment.kernel_environment() as given, environment.patched_environment(given):
        import os
        from pathlib import Path

        assert os.environ["OMP_NUM_THREADS"] == "2"
        assert "VPCORE_DATA" not in os.environ
        folder = Path(os.environ["IPYTHONDIR"])
        assert (folder / "profile_default" / "startup" / "00-offline.py").is_file()
    assert not folder.exists()
    assert os.environ["OMP_NUM_THREADS"] == "64"


@pytest.mark.parametrize(
    ("workers", "dist", "expected"),
    [(2, "load", "loadscope"), (2, "loadfile", "loadfile"), (None, "no", "no")],
)
def test_a_notebook_stays_on_one_worker(workers, dist, expected):
    config = SimpleNamespace(option=SimpleNamespace(numprocesses=workers, dist=dist))
    nbval_settings.pytest_cmdline_main(config)
    assert config.option.dist == expected


LAUNCHER = """import json, pathlib, socket, sys
tries = pathlib.Path(__file__).with_name("tries")
tries.write_text(tries.read_text() + "x")
if len(tries.read_text()) <= FAILURES:  # another program takes the port that was chosen for this kernel
    told = json.loads(pathlib.Path(sys.argv[sys.argv.index("-f") + 1]).read_text())
    taken = socket.create_server((told["ip"], told["shell_port"]))
from ipykernel.kernelapp import launch_new_instance
launch_new_instance()
"""


@pytest.fixture
def dying(monkeypatch, tmp_path):
    """Gives a function: kernels find their port taken at their first starts; it returns the file that counts them."""

    def fail(failures: int):
        (tmp_path / "ipykernel_launcher.py").write_text(LAUNCHER.replace("FAILURES", str(failures)))
        (tmp_path / "tries").write_text("")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        return tmp_path / "tries"

    return fail


def sum_of_two():
    return nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("1 + 1")], metadata={"language_info": {"name": "python"}}
    )


def test_a_kernel_that_dies_at_its_start_is_started_again(dying, tmp_path):
    tries = dying(2)
    execute("toy", book := sum_of_two(), tmp_path)
    assert book.cells[0].outputs[0].data["text/plain"] == "2"
    assert tries.read_text() == "xxx"


def test_a_kernel_that_never_starts_is_named(dying, tmp_path):
    tries = dying(3)
    with pytest.raises(LessonFailed, match="toy: its kernel did not start, 3 times in a row: Kernel died"):
        execute("toy", sum_of_two(), tmp_path)
    assert tries.read_text() == "xxx"


def test_a_cell_that_kills_its_kernel_is_not_run_again(dying, tmp_path):
    tries = dying(0)
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import os; os._exit(1)")])
    with pytest.raises(LessonFailed, match="killed the kernel"):
        execute("toy", book, tmp_path)
    assert tries.read_text() == "x"

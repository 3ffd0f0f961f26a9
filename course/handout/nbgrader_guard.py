"""A step of `nbgrader autograde` that counts a graded cell only when `check.grade` itself signed the result.

One line of nbgrader_config.py turns it on: `from course.handout.nbgrader_guard import install; install(c)`. Without it,
nbgrader gives full points to a cell whose result is no number, and leaves a missing cell for manual grading.

The learner's code runs in the same process as `check.grade`, so code that reads the key out of that process can
still sign, and code that changes torch can still deceive the comparison. So where bubblewrap works, the sandbox of
`python -m course grade` decides about every exercise of code, and the kernel's results are only shown.
"""

from __future__ import annotations

import re
import secrets
from typing import Any

from nbgrader.api import Gradebook
from nbgrader.preprocessors import Execute

from course.authoring.execute import PollingClient
from course.check.points import signed_points
from course.grading.judge import Judged
from course.handout.nbgrader_sandbox import sandbox_verdicts, words

GRADE = re.compile(r'^check\.grade\("(?P<id>[^"]+)", (?P<answer>.+)\)$')
UNSIGNED = "the result of this cell does not come from check.grade, so it earns 0 points"
MISSING = "this graded cell was missing in the submission, so it earns 0 points"


def install(config: Any) -> None:
    """Put the guard into the configuration of nbgrader, in place of its step that executes notebooks."""
    from nbgrader.converters import Autograde

    steps: list[Any] = Autograde.autograde_preprocessors.default() or []
    config.Autograde.autograde_preprocessors = [GuardedExecute if step is Execute else step for step in steps]


class GuardedExecute(PollingClient, Execute):
    """Executes a submission with a fresh key; missing, unsigned and in the sandbox wrong results become errors: 0.

    A signed result counts whatever else the cell wrote: a warning on stderr costs nothing.
    """

    def preprocess(self, nb: Any, resources: Any = None, km: Any = None) -> Any:
        """Execute the notebook and settle its graded cells."""
        judged = sandbox_verdicts(nb, resources["nbgrader"]["notebook"])
        nonce = secrets.token_hex(16)
        sources = {cell.id: cell.source for cell in nb.cells if _graded(cell)}
        for cell in (cell for cell in nb.cells if _graded(cell)):
            lines = cell.source.split("\n")
            lines[-1] = GRADE.sub(rf'check.grade("\g<id>", \g<answer>, nonce="{nonce}")', lines[-1])
            cell.source = "\n".join(lines)
        nb, resources = super().preprocess(nb, resources, km)
        for cell in (cell for cell in nb.cells if cell.get("id") in sources):
            cell.source = sources[cell.id]
            _settle(cell, nonce, judged)
        self._add_missing(nb, resources["nbgrader"])
        return nb, resources

    def _add_missing(self, nb: Any, place: dict[str, str]) -> None:
        import nbformat

        with Gradebook(place["db_url"]) as book:
            notebook = book.find_notebook(place["notebook"], place["assignment"])
            by_hand = {cell.name for cell in notebook.solution_cells}
            wanted = {cell.name: cell.max_score for cell in notebook.grade_cells if cell.name not in by_hand}
        present = {cell.metadata.get("nbgrader", {}).get("grade_id") for cell in nb.cells}
        for name in sorted(set(wanted) - present):
            cell = nbformat.v4.new_code_cell(f"# {MISSING}", outputs=[_error("Missing", MISSING)])
            flags = {"schema_version": 3, "grade": True, "locked": True, "solution": False, "task": False}
            numbers = {"grade_id": name, "points": wanted[name], "cell_type": "code"}
            cell.metadata["nbgrader"] = nbformat.from_dict({**flags, **numbers})
            nb.cells.append(cell)


def _graded(cell: Any) -> bool:
    metadata = cell.metadata.get("nbgrader", {})
    automatic = cell.cell_type == "code" and metadata.get("grade") and not metadata.get("solution")
    return bool(automatic and GRADE.match(cell.source.split("\n")[-1]))


def _settle(cell: Any, nonce: str, judged: dict[str, Judged]) -> None:
    name = GRADE.match(cell.source.split("\n")[-1])
    assert name is not None
    if name["id"] in judged:
        cell.outputs = [_decided(judged[name["id"]], float(cell.metadata.nbgrader.points))]
        return
    for output in cell.outputs:
        points = signed_points(output.data, name["id"], nonce) if output.output_type == "execute_result" else 0.0
        if points > 0:
            most = float(cell.metadata.nbgrader.points)  # nbgrader stops the whole batch at more
            output.data = {"text/plain": repr(min(points, most))}
            cell.outputs = [output]
            return
    if not any(output.output_type == "error" for output in cell.outputs):
        cell.outputs = [_error("Unsigned", UNSIGNED)]


def _decided(judged: Judged, most: float) -> Any:
    import nbformat

    if judged.verdict.passed and not judged.doubt:
        data = {"text/plain": repr(float(min(judged.verdict.points, most)))}
        return nbformat.v4.new_output("execute_result", data=data, execution_count=1)
    return _error("NotPassed", words(judged))


def _error(name: str, sentence: str) -> Any:
    import nbformat

    return nbformat.v4.new_output("error", ename=name, evalue=sentence, traceback=[f"{name}: {sentence}"])

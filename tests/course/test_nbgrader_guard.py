"""With the guard of nbgrader, the sandbox decides: code in the learner's kernel that signs for itself earns nothing."""

from pathlib import Path

import nbformat
from sandboxed import needs_bubblewrap

from course.check.points import Points
from course.handout import nbgrader_guard, nbgrader_sandbox
from course.handout.nbgrader_sandbox import sandbox_verdicts

REPOSITORY = Path(__file__).resolve().parents[2]
LESSON = "04_instance_feature_prompts"
RIGHT, WRONG, AWAY = "04-rescale", "04-reshape", "04-count"
SIGNS = """
def to_tokens(maps, dim):
    return maps

import course.check
course.check.grade = lambda name, answer, nonce="": course.check.Points(2, name, nonce)
"""
HIDES = """
def count_tokens(*sizes):
    import course.exercises.lesson_04.answers as answers
    return answers.count_tokens(*sizes)
"""


def book():
    notebook = nbformat.read(REPOSITORY / "solutions" / f"{LESSON}.ipynb", 4)
    for cell in notebook.cells:
        cell.source = {WRONG: SIGNS, AWAY: HIDES}.get(cell.metadata.get("exercise", {}).get("id"), cell.source)
        cell.pop("outputs", None) if cell.cell_type != "code" else cell.update(outputs=[])
    return notebook


def graded(name, key):
    """A graded cell as a kernel leaves it that signed with the key it was given."""
    cell = nbformat.v4.new_code_cell(f'check.grade("{name}", answer)')
    cell.metadata["nbgrader"] = nbformat.from_dict({"grade": True, "points": 2, "solution": False})
    data = Points(2, name, key)._repr_mimebundle_()
    cell.outputs = [nbformat.v4.new_output("execute_result", data=data, execution_count=1)]
    return cell


@needs_bubblewrap
def test_a_kernel_that_signs_for_itself_earns_what_the_sandbox_says():
    judged = sandbox_verdicts(book(), LESSON)
    cells = {name: graded(name, "key") for name in (RIGHT, WRONG, AWAY)}
    for cell in cells.values():
        nbgrader_guard._settle(cell, "key", judged)
    assert cells[RIGHT].outputs[0].data == {"text/plain": "2.0"}
    assert cells[WRONG].outputs[0].evalue.startswith("✗ 04-reshape: not yet")
    assert cells[AWAY].outputs[0].evalue.startswith("04-count: graded by your instructor: in the sandbox")


def test_without_a_sandbox_or_a_lesson_the_signature_alone_counts(monkeypatch):
    assert sandbox_verdicts(book(), "99_toy") == {}
    monkeypatch.setattr(nbgrader_sandbox, "isolation", lambda: "none")
    assert sandbox_verdicts(book(), LESSON) == {}
    cells = [graded(RIGHT, "key"), graded(RIGHT, "another")]
    for cell in cells:
        nbgrader_guard._settle(cell, "key", {})
    assert cells[0].outputs[0].data == {"text/plain": "2.0"}
    assert cells[1].outputs[0].ename == "Unsigned"

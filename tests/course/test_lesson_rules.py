"""Every broken rule of the lesson format is one line that names the lesson and the cell."""

import re

import pytest
from toy_lesson import ANSWER, CHECK, HEADER, TOY, write

from course.authoring.cells import LessonError
from course.authoring.lesson import read_lesson
from course.authoring.lesson_names import ROOT
from course.authoring.notebook_rules import lint

BAD = [
    (TOY.replace('"points": 2,', '"points": 2'), r"cell 2 .*: the metadata is not valid: .*; write key=JSON"),
    (TOY.replace('"points": 2', '"points": 0'), r"cell 2 \(99-double\): points must be a whole number from 1, got 0"),
    (TOY.replace('"points": 2', '"points": true'), "points must be a whole number from 1, got True"),
    (TOY.replace('"minutes": 1, ', ""), r"cell 2 \(99-double\): the exercise lacks minutes; give"),
    (TOY.replace('"minutes"', '"hours"'), "the exercise lacks minutes"),
    (TOY.replace('"path": "core"', '"path": "core", "hint": 1'), "the exercise has unknown hint"),
    (TOY.replace('"difficulty": 1', '"difficulty": 7'), "difficulty must be 1, 2 or 3, got 7"),
    (TOY.replace('"core"', '"main"'), "path must be 'core' or 'extra', got 'main'"),
    (TOY.replace('"id": "99-double"', '"id": "98-double"'), "id must look like '99-average', got '98-double'"),
    (TOY.replace('"path": "core"', '"path": "core", "needs": "x"'), "needs must be a list of names, got 'x'"),
    (TOY.replace('"path": "core"', '"path": "core", "needs": ["x"]'), "needs 'x', but no earlier cell has that name"),
    (TOY.replace('exercise={"id"', 'exercise=["id"').replace('"core"}', '"core"]').replace('"id": ', '"id", ')
     .replace('": ', '", '), "exercise must be a JSON object"),
    (TOY.replace("    ### BEGIN SOLUTION\n", "").replace("    ### END SOLUTION\n", ""), "solution region is missing"),
    (TOY.replace("    ### END SOLUTION\n", ""), r"cell 2 \(99-double\): the SOLUTION region is not closed"),
    (TOY.replace("    ### BEGIN SOLUTION\n", ""), "the SOLUTION region is closed before it is opened"),
    (TOY.replace("### BEGIN SOLUTION", "### BEGIN SOLUTION\n    ### BEGIN SOLUTION"), "region is opened twice"),
    (TOY.replace("### BEGIN SOLUTION", "# BEGIN SOLUTION"), "write '### BEGIN SOLUTION' or .* alone on its line"),
    (TOY.replace("### END HIDDEN TESTS\n", ""), "the HIDDEN TESTS region is not closed"),
    (TOY + "\n# %%\n### BEGIN SOLUTION\nx = 1\n### END SOLUTION\n", "cell 4 .*: a solution region stands"),
    (TOY + "\n# %%\n### BEGIN HIDDEN TESTS\nx = 1\n### END HIDDEN TESTS\n", "hidden tests belong in a check cell"),
    (TOY + "\n# %%\n### BEGIN MARK SCHEME\n1\n### END MARK SCHEME\n", "a mark scheme belongs in a written exercise"),
    (TOY + ANSWER + CHECK, r"cell 4 \(99-double\): the name '99-double' is used twice"),
    (TOY + CHECK.replace("99-double", "99-other"), r"cell 4 \(99-other-check\): no exercise '99-other' above it"),
    (HEADER + CHECK + ANSWER, r"cell 2 \(99-double-check\): no exercise '99-double' above it"),
    (HEADER + ANSWER, r"cell 2 \(99-double\): no check cell follows; add '# %% check=\"99-double\"'"),
    (TOY + ANSWER.replace("99-double", "99-b") + CHECK.replace("99-double", "99-b"), "no heading introduces"),
    (TOY.replace("**Before you start** ", ""), r"cell 1 \('# Toy'\): the header lacks 'Before you start'"),
    (TOY.replace("# ## Self-test\n", ""), "the footer lacks '## Self-test'; add it"),
    (TOY.replace("# # Toy\n", ""), "the first cell must be markdown and start with '# Title'"),
    (ANSWER + CHECK, r"cell 1 \(99-double\): the first cell must be markdown"),
    (TOY + "\n# %%\n\n# %%\nx = 1\n", "cell 4 .*: the cell is empty"),
    (TOY + "\n# %%\nprint(1);\n", "cell 4 .*: a last ';' hides nothing under nbval"),
    (TOY.replace('# %% check="', '# %% [markdown] check="'), "a check cell must be a code cell"),
    (TOY + '\n# %% tags=["nbval-ignore-output"]\n1\n' * 2, "cell 5 .*: only one cell may carry 'nbval-ignore-output'"),
    ("", "lesson 99_toy"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), BAD, ids=[message[-40:] for _, message in BAD])
def test_a_broken_rule_is_one_line_that_names_the_cell(tmp_path, text, message):
    with pytest.raises(LessonError, match=message) as caught:
        read_lesson(write(tmp_path, text))
    assert str(caught.value).startswith("lesson 99_toy")
    assert "\n" not in str(caught.value)


def test_a_file_name_without_a_number_is_refused(tmp_path):
    with pytest.raises(LessonError, match=r"lesson 9_Toy: name the file like 02_multiscale\.py"):
        read_lesson(write(tmp_path, TOY, name="9_Toy"))


def test_needs_may_name_earlier_cells(tmp_path):
    setup = '\n# %% name="setup"\nnumber = 1\n'
    text = HEADER + setup + ANSWER.replace('"path": "core"', '"path": "core", "needs": ["setup"]') + CHECK
    assert len(read_lesson(write(tmp_path, text)).cells) == 4


def test_lints_find_long_cells_and_broken_headings(tmp_path):
    text = TOY + "\n# %%\n" + "x = 1\n" * 21 + "\n# %% [markdown]\n# #### Deep\n# ```\n# # no heading\n# ```\n# # Two\n"
    found = lint("notebooks/99_toy.ipynb", read_lesson(write(tmp_path, text)))
    assert found == [
        "notebooks/99_toy.ipynb, cell 4 ('x = 1') has 21 lines; split it at 20",
        "notebooks/99_toy.ipynb, cell 5 ('#### Deep') skips from heading level 2 to 4",
        "notebooks/99_toy.ipynb, cell 5 ('#### Deep') has a second '# Title'; use '##'",
    ]


def test_lesson_05_reads_no_attribute_that_its_exercise_leaves_open():
    text = (ROOT / "course" / "lessons" / "05_activation_prompts.py").read_text(encoding="utf-8")
    given = re.sub(r"### BEGIN SOLUTION.*?### END SOLUTION", "", text, flags=re.DOTALL)
    assert "next(prompt.parameters())" in given
    assert re.findall(r"prompt\.delta\b", given) == []  # a learner may call the learned tensor otherwise

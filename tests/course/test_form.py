"""A lesson's form: Questions whose answers are hidden, a core of at most 45 minutes, deeper sections, short cells."""

import nbformat
import pytest
from test_build import nbval
from toy_lesson import copied, write

from course.authoring import lesson_rules
from course.authoring.build import build, check
from course.authoring.cells import LessonError
from course.authoring.lesson import read_lesson, solved_notebook
from course.authoring.notebook_file import read_notebook
from course.authoring.sections import sections, total

HEAD = """# %% [markdown]
# # Toy
# **You will be able to** double. **Before you start** nothing. **Machine time**: 1 second.
# **Your time**: 5 minutes for the core, 10 for the deeper sections.

# %% [markdown]
# ## 1. Twice
#
# **Question.** What is twice a third? Choose:
#
# - **a** two thirds
# - **b** six
"""
ASKED = """
# %% name="work"
third = 1 / 3
print("not shown")

# %% [markdown]
# ### Exercise: double a number
# Write the line.

# %% exercise={"id": "99-double", "points": 2, "minutes": 1, "difficulty": 1, "path": "core"}
def double(number):
    ### BEGIN SOLUTION
    return number + number
    ### END SOLUTION

# %% check="99-double"
print("✓ 99-double: passed (2 points)" if double(3) == 6 else "○ 99-double: not attempted yet")

# %%
print("two thirds are", 2 * third)

# %% [markdown] answer=true
# Two thirds, as $2 · \\frac{1}{3}$.

# %%
print("seen")
"""
REST = """
# %% [markdown]
# ## Deeper: three times
#
# Words.
#
# ### Exercise: three times

# %% exercise={"id": "99-three", "points": 2, "minutes": 6, "difficulty": 1, "path": "extra"}
def three(number):
    ### BEGIN SOLUTION
    return 3 * number
    ### END SOLUTION

# %% check="99-three"
print("✓ 99-three: passed (2 points)" if three(3) == 9 else "○ 99-three: not attempted yet")

# %% [markdown]
# ## Recap
# ## Self-test
# ## Further reading
"""
LESSON = HEAD + ASKED + REST
PLOT = '\n# %%\nshow(rows, label="recorded, 5 seeds")\n'
LONG = "\n# %%\n" + "x = 1\n" * 13
ASK = "\n# %% [markdown]\n# **Question.** And?\n\n# %%\nprint(1)\n"
SIX = "# - **b** six\n#\n# Six, you see."


@pytest.fixture(autouse=True)
def _in_form(monkeypatch):
    monkeypatch.setattr(lesson_rules, "IN_FORM", {"99"})


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = tmp_path_factory.mktemp("form")
    write(root, LESSON)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lesson_rules, "IN_FORM", {"99"})
        assert [entry.action for entry in build(root=root)] == ["executed", "executed"]
    return root


def outputs(root, folder):
    book = read_notebook(root / folder / "99_toy.ipynb")
    return {cell.source: [o.text for o in cell.outputs] for cell in book.cells if cell.cell_type == "code"}, book


def test_what_answers_a_question_is_stored_in_solutions_alone(built):
    learner, book = outputs(built, "notebooks")
    solved, other = outputs(built, "solutions")
    answering = ['third = 1 / 3\nprint("not shown")', 'print("two thirds are", 2 * third)']
    assert [learner[source] for source in answering] == [[], []]
    assert [solved[source] for source in answering] == [["not shown\n"], [f"two thirds are {2 / 3}\n"]]
    assert learner['print("seen")'] == ["seen\n"]
    tagged = [cell.source for cell in book.cells if "nbval-ignore-output" in cell.metadata.get("tags", [])]
    assert tagged == answering
    assert not any(cell.metadata.get("tags") for cell in other.cells)
    for folded in (book, other):
        texts = [cell.source for cell in folded.cells if "<details>" in cell.source]
        assert texts == ["<details>\n<summary>Answer</summary>\n\nTwo thirds, as $2 · \\frac{1}{3}$.\n\n</details>"]


def test_strict_nbval_passes_and_hidden_cells_must_still_run(built, tmp_path):
    root = copied(built, tmp_path)
    done = nbval(root)
    assert done.returncode == 0, done.stdout + done.stderr
    path = root / "notebooks" / "99_toy.ipynb"
    path.write_text(path.read_text().replace("2 * third", "2 * third_"), encoding="utf-8")
    done = nbval(root)
    assert "NameError" in done.stdout
    assert done.returncode == 1


def test_an_answer_in_sight_and_a_lost_mark_make_a_notebook_wrong(built, tmp_path):
    root = copied(built, tmp_path)
    assert check(root=root) == []
    path = root / "notebooks" / "99_toy.ipynb"
    book = read_notebook(path)
    place = next(i for i, cell in enumerate(book.cells) if cell.source.startswith("third"))
    book.cells[place].outputs = [nbformat.v4.new_output("stream", name="stdout", text="not shown\n")]
    nbformat.write(book, path)
    assert any("shows the answer to the question above it" in problem for problem in check(root=root))


def test_marking_a_question_makes_the_stored_outputs_stale(built, tmp_path):
    root = copied(built, tmp_path)
    write(root, LESSON.replace("# **Question.** What is", "# What is").replace(" answer=true", ""))
    assert any("stale" in problem for problem in check(root=root))


def test_sections_have_their_kind_and_counted_minutes(tmp_path):
    found = sections(read_lesson(write(tmp_path, LESSON)).cells)
    assert [(s.title, s.kind) for s in found] == [
        ("", "core"), ("1. Twice", "core"), ("Deeper: three times", "deeper"), ("Recap", "core"),
        ("Self-test", "after"), ("Further reading", "after"),
    ]  # fmt: skip
    text = "Twice a third What is twice third Choose a two thirds b six"
    assert 1 + 0.5 < found[1].minutes < 1 + 0.5 + (len(text.split()) + 25) / 150 + 1
    assert found[2].minutes == pytest.approx(6 + 6 / 150 + 0.1, abs=0.05)
    assert (total(found, "core"), total(found, "deeper")) == (5, 10)


def test_the_label_stands_below_the_heading(tmp_path):
    texts = [cell.source for cell in solved_notebook(write(tmp_path, LESSON)).cells]
    assert any("## 1. Twice\n\n*core · about 3 minutes*\n\n**Question.**" in text for text in texts)
    assert any("## Deeper: three times\n\n*deeper · about 7 minutes · can be left out*\n\nWords." in t for t in texts)
    assert any("## Recap\n## Self-test" in text for text in texts)


BAD = [
    (LESSON.replace("answer=true", ""), r"cell 8 .*: text in sight below the question of cell 2"),
    (LESSON.replace("# **Question.** What is", "# What is"), r"cell 8 .*: an answer without a question"),
    (LESSON.replace("# - **b** six", SIX), r"cell 2 .*: a question is the last paragraph of its cell"),
    (HEAD + REST, r"cell 3 .*: text in sight below the question of cell 2"),
    (LESSON + ASK, "cell 14 .*: no answer follows the question"),
    (LESSON.replace("# Two thirds, as", "# ### Two\n# Thirds, as"), "a heading in an answer would be folded away"),
    (LESSON.replace("minutes\": 1", "minutes\": 44"), r"cell 1 .*: the core takes 50 minutes by count, and 45 are the"),
    (LESSON.replace("**: 5 min", "**: 15 min"), r"write '\*\*Your time\*\*: 5 minutes for the core, 10 for the deeper"),
    (LESSON.replace('"path": "extra"', '"path": "core"'), "path 'core' stands in a deeper section"),
    (LESSON.replace('"path": "core"', '"path": "extra"'), "path 'extra' stands in a core section"),
    (LESSON + LONG, "cell 14 .*: 13 lines, and 12 are the most; move code to course/show, or say point=true"),
    (LESSON.replace("print(\"seen\")", "explorer.drive()"), r"drive\(\) is the tests'"),
    (LESSON.replace("# ## Recap\n", "").replace("# ## Deeper", "# ## Recap\n#\n# ## Deeper"),
     r"ends with '## Recap', '## Self-test', '## Further reading', behind its deeper sections"),
    (LESSON.replace(REST, PLOT * 3 + REST), r"cell 12 .*: at most 2 recorded tables or figures .* '1. Twice' has 3"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), BAD, ids=[message[-40:] for _, message in BAD])
def test_a_broken_form_is_one_line_that_names_the_cell(tmp_path, text, message):
    with pytest.raises(LessonError, match=message) as caught:
        read_lesson(write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_what_is_right_is_let_through(tmp_path):
    point = LONG.replace("# %%", "# %% point=true")
    loaded = '\n# %%\ntable = recorded("vp")\n"""Some recorded runs."""\n'
    texts = (LESSON + point, LESSON.replace(REST, PLOT * 2 + loaded + REST))
    assert [len(read_lesson(write(tmp_path, text)).cells) for text in texts] == [14, 16]


def test_other_lessons_keep_the_old_form(tmp_path, monkeypatch):
    monkeypatch.setattr(lesson_rules, "IN_FORM", set())
    texts = [cell.source for cell in solved_notebook(write(tmp_path, LESSON + LONG)).cells]
    assert not any("about" in text or "<details>" in text for text in texts)

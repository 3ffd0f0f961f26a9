"""Nothing is claimed that was not computed: stored outputs, and the numbers in the prose of guides and lessons.

That every test asserts something is checked in test_house.py, that every cell was run in test_notebooks.py.
"""

import json
import re

import pytest
from prose import LESSONS, ROOT, TEXTS, hits, numbers, stale, text_of, untraced
from prose_numbers import EVERYWHERE, GIVEN, MEASURED, PUBLISHED

from course.authoring.notebook_file import read_notebook
from course.authoring.stale import outputs_hash

NOTEBOOKS = sorted([*ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("solutions/*.ipynb")])
PICTURE = re.compile(r"!\[|<img|data:image|<svg")
MACHINE = re.compile(r"\*\*Machine time\*\*: about (\d+) seconds on two CPU cores")


def name_of(path):
    return path.stem if path in LESSONS else str(path.relative_to(ROOT))


# --- outputs


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_stored_outputs_are_those_the_build_wrote(path):
    book = read_notebook(path)
    assert outputs_hash(book) == book.metadata["course"]["outputs_hash"], (
        "outputs were edited by hand, or run elsewhere"
    )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_no_text_cell_shows_a_picture_that_no_cell_drew(path):
    texts = [cell for cell in read_notebook(path).cells if cell.cell_type != "code"]
    assert [cell.id for cell in texts if cell.get("attachments") or PICTURE.search(cell.source)] == []


# --- numbers


def entries(path):
    name = name_of(path)
    return {**GIVEN.get(name, {}), **PUBLISHED.get(name, {}), **MEASURED.get(name, {})}


@pytest.mark.parametrize("path", TEXTS, ids=name_of)
def test_every_number_is_traced(path):
    text = MACHINE.sub("", text_of(path))
    assert untraced(text, [*EVERYWHERE, *entries(path)]) == [], (
        "say in tests/support/prose_numbers.py where it comes from"
    )


@pytest.mark.parametrize("path", TEXTS, ids=name_of)
def test_every_entry_is_still_in_the_text(path):
    assert stale(text_of(path), entries(path)) == []


def test_the_lists_name_texts_that_exist_and_give_reasons():
    assert {*GIVEN, *PUBLISHED, *MEASURED} <= {name_of(path) for path in TEXTS}
    assert all(reason for entry in (*GIVEN.values(), *PUBLISHED.values()) for reason in entry.values())
    assert stale("\n\n".join(map(text_of, TEXTS)), EVERYWHERE) == []


@pytest.mark.parametrize(("name", "fragment"), [(name, said) for name in MEASURED for said in MEASURED[name]])
def test_a_measured_number_is_what_the_results_give(name, fragment):
    assert hits(fragment), "the fragment holds no number"
    assert numbers(fragment) == MEASURED[name][fragment]()


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_the_machine_time_is_that_of_the_budget(path):
    budgets = json.loads((ROOT / "tests" / "budgets.json").read_text())
    measured = max(budgets[f"{folder}/{path.stem}"]["processor_seconds"] for folder in ("notebooks", "solutions"))
    said = MACHINE.search(text_of(path))
    assert said, "the head of the lesson lacks its machine time"
    assert measured <= int(said[1]) <= 2 * measured, f"{path.stem} takes {measured} processor seconds"


def test_a_seeded_number_is_found():
    text = "Our method gains 3.2 points. It took 40 seconds, as\n\n- ten percent of 95 %, or 120 runs, and 1.5 more"
    assert [found.split("'")[1] for found in untraced(text, ["95 %"])] == [
        "3.2 points", "40 seconds", "ten percent", "120 runs", "1.5",
    ]  # fmt: skip
    assert untraced("Our method gains 3.2 points.", ["gains 3.2 points"]) == []
    assert untraced("It gains 3.2 points, and 3.2 points again.", ["gains 3.2 points"]) != []
    assert untraced("See `1.5 points`, arXiv:2203.17274 and section 5.", []) == []
    assert numbers("about 14 and 9 points, −0.5 points, twenty points") == [14, 9, -0.5, 20]
    assert stale("one text", ["another"]) == ["another"]

"""Nothing is claimed that was not computed: the numbers in the prose of guides and lessons.

That every test asserts something is checked in test_house.py, what notebooks store in test_notebooks.py.
"""

import re

from prose import LESSONS, ROOT, TEXTS, hits, numbers, stale, text_of, untraced
from prose_numbers import EVERYWHERE, GIVEN, MEASURED, PUBLISHED

from course.authoring.budget import read_budgets

MACHINE = re.compile(r"\*\*Machine time\*\*: about (\d+) seconds on two CPU cores")


def name_of(path):
    return path.stem if path in LESSONS else str(path.relative_to(ROOT))


def entries(path):
    name = name_of(path)
    return {**GIVEN.get(name, {}), **PUBLISHED.get(name, {}), **MEASURED.get(name, {})}


def test_every_number_is_traced():
    """tests/support/prose_numbers.py says where each comes from."""
    found = [
        f"{name_of(path)}: {number}"
        for path in TEXTS
        for number in untraced(MACHINE.sub("", text_of(path)), [*EVERYWHERE, *entries(path)])
    ]
    assert found == []


def test_every_entry_is_still_in_the_text():
    assert [f"{name_of(path)}: {entry}" for path in TEXTS for entry in stale(text_of(path), entries(path))] == []


def test_the_lists_name_texts_that_exist_and_give_reasons():
    assert {*GIVEN, *PUBLISHED, *MEASURED} <= {name_of(path) for path in TEXTS}
    reasons = [reason for entry in (*GIVEN.values(), *PUBLISHED.values()) for reason in entry.values()]
    assert [each for each in reasons if not (each and isinstance(each, str))] == [], "a function belongs into MEASURED"
    assert stale("\n\n".join(map(text_of, TEXTS)), EVERYWHERE) == []


def test_a_measured_number_is_what_the_results_give():
    said = [(name, fragment, result()) for name in MEASURED for fragment, result in MEASURED[name].items()]
    assert [fragment for _, fragment, _ in said if not hits(fragment)] == [], "a fragment holds no number"
    assert [each for each in said if numbers(each[1]) != each[2]] == []


def test_the_machine_time_is_that_of_the_budget():
    budgets, wrong = read_budgets(), []
    for path in LESSONS:
        measured = max(budgets[f"{folder}/{path.stem}"]["processor_seconds"] for folder in ("notebooks", "solutions"))
        said = MACHINE.search(text_of(path))
        if not said or not measured <= int(said[1]) <= 2 * measured:
            wrong.append(f"{path.stem} takes {measured} processor seconds, its head says {said and said[1]}")
    assert wrong == []


def test_a_seeded_number_is_found():
    text = "Our method gains 3.2 points. It took 40 seconds, as\n\n- ten percent of 95 %, or 120 runs, and 1.5 more"
    assert [found.split("'")[1] for found in untraced(text, ["95 %"])] == [
        "3.2 points", "40 seconds", "ten percent", "120 runs", "1.5",
    ]  # fmt: skip
    assert untraced("Our method gains 3.2 points.", ["gains 3.2 points"]) == []
    assert untraced("It gains 3.2 points, and 3.2 points again.", ["gains 3.2 points"]) != []
    assert untraced("See `1.5 points`, [arXiv:2203.17274](https://arxiv.org/abs/2203.17274) and section 5.", []) == []
    assert untraced("With $z_{0.8}$ and $$x = 0.5 y$$ it is right.", []) == []
    assert untraced("It gains $3.2$ points.", []) != []
    assert numbers("about 14 and 9 points, −0.5 points, twenty points") == [14, 9, -0.5, 20]
    assert stale("one text", ["another"]) == ["another"]

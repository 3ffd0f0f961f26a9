"""A class list: whose a submitted file is, from a table of one's own or from what Canvas or Moodle export."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from course.grading.lms import Sender
from course.grading.tables import read_table

PLAIN, CANVAS, MOODLE = "a class list", "a Canvas gradebook", "a Moodle worksheet"
NEEDS = {PLAIN: ("id", "name"), CANVAS: ("Student", "ID", "Section"), MOODLE: ("Identifier", "Full name")}


@dataclass(frozen=True)
class Person:
    """A learner of the class; `keys` are what else may identify a file: numbers, a login, an address."""

    id: str
    name: str
    section: str = ""
    keys: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Roster:
    """A class list as it was read: its kind, header and rows, and the person of each row, None where it is none."""

    kind: str
    fields: list[str]
    rows: list[dict[str, str]]
    people: list[Person | None]

    def find(self, sender: Sender) -> Person | str:
        """Return whose a file is, or why nobody can say.

        An id, a number of the platform, a login or an address decides; else the name, if one learner has it.
        """
        people = [person for person in self.people if person]
        wanted = {sender.user, sender.name.casefold()} - {""}
        sure = [person for person in people if {person.id.casefold(), *person.keys} & wanted]
        found = sure or [person for person in people if _letters(sender.name) in _spellings(person.name)]
        if len(found) == 1:
            return found[0]
        if found:
            return f"{sender.name} may be {' or '.join(person.id for person in found[:3])}: name the folder by the id"
        return f"{sender.name} is not in the class list"


def read_roster(path: Path) -> Roster:
    """Read a class list: columns id, name and section, or a Canvas gradebook, or a Moodle grading worksheet.

    Raises:
        ValueError: it is none of these, no UTF-8, or an id is there twice.
        OSError: it cannot be read.
    """
    fields, rows = read_table(path)
    kind = next((kind for kind, needs in NEEDS.items() if set(needs) <= set(fields)), "")
    if not kind:
        said = ", or ".join(f"{', '.join(needs)} ({kind})" for kind, needs in NEEDS.items())
        raise ValueError(f"{path.name} is no class list: it needs the columns {said}")
    people = [_person(kind, row) for row in rows]
    ids = [person.id for person in people if person]
    twice = next((name for name in ids if ids.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"{path.name} has the id {twice!r} twice: every learner needs one of their own")
    return Roster(kind, fields, rows, people)


def _person(kind: str, row: dict[str, str]) -> Person | None:
    if kind == PLAIN:
        return Person(row["id"].strip(), row["name"], row.get("section", "")) if row["id"].strip() else None
    if kind == CANVAS:
        more = {row.get(name, "").strip().casefold() for name in ("SIS User ID", "SIS Login ID")} - {""}
        known = row["ID"].strip()
        return Person(known, row["Student"], row["Section"], frozenset({known, *more})) if known else None
    number = row["Identifier"].rpartition(" ")[2]
    more = {row.get(name, "").strip().casefold() for name in ("Email address", "ID number")} - {""}
    return Person(
        row.get("ID number", "").strip() or number, row["Full name"], row.get("Group", ""), frozenset({number, *more})
    )


def _letters(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in plain if letter.isalnum())


def _spellings(name: str) -> set[str]:
    """Return a name's letters with the first names first, and with the last name first, as Canvas writes them."""
    last, comma, first = (part.strip() for part in name.partition(","))
    words = [*first.split(), *last.split()] if comma else re.split(r"\s+", name.strip())
    return {_letters("".join(words[cut:] + words[:cut])) for cut in range(len(words) or 1)}

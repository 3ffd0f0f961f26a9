"""Finds answers whose shapes are alike: reads every submission, runs none, and compares what was written."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

from course.authoring.lesson_names import ROOT, is_lab
from course.grading.cells import Notebook
from course.grading.submission import BadSubmission, Submission, file_name, find_files, learner_of, read_submission
from course.handout.check_file import Asked, asked_in, cells_of
from course.handout.similar.shape import Shape, alike, answer_text, shape, weight

PUBLISHED = "the published solution"
ALIKE = 0.8  # answers from here on are shown; tests/course/test_similar.py holds what independent answers reach
LEAST = 40  # nodes of a syntax tree; a shorter answer can hardly be written in two ways
LONGEST = 20_000  # characters of an answer that are compared


@dataclass(frozen=True)
class Answer:
    """What one learner wrote for one exercise."""

    learner: str
    file: str
    exercise: str
    text: str
    shape: Shape = field(compare=False, repr=False)


@dataclass(frozen=True)
class Match:
    """Answers to one exercise that are alike.

    Attributes:
        exercise: its id.
        score: 1.0 where all have one shape, else the part that two of them share.
        answers: two or more; a published solution comes first.
        of: learners whose answer to this exercise was compared.
    """

    exercise: str
    score: float
    answers: tuple[Answer, ...]
    of: int


@dataclass(frozen=True)
class Found:
    """What was found: matches, the strongest first; how many files were read; a line for each that could not be."""

    matches: list[Match]
    files: int
    problems: list[str]


def find_similar(folder: Path, root: Path = ROOT) -> Found:
    """Compare all answers of one exercise with each other and with solutions/.

    Compared are exercises of code whose published solution, and answers that, hold enough to be written in many ways.

    Args:
        folder: submissions, as `course grade` takes them.
        root: the clone, with notebooks/ and solutions/.

    Raises:
        ValueError: there is no submission, or no notebook to compare with.
    """
    lessons = {path.stem: path for path in sorted((root / "notebooks").glob("[0-9]*.ipynb"))}
    if not lessons:
        raise ValueError("notebooks/ holds no lesson to compare with; run this in a clone of the course")
    answers: dict[str, list[Answer]] = defaultdict(list)
    problems: list[str] = []
    paths = find_files(folder)
    for path in paths:
        try:
            submission = read_submission(path, folder)
        except BadSubmission as error:
            problems.append(str(error))
            continue
        lesson = next((name for name in (submission.lesson, path.stem) if name in lessons), "")
        if not lesson:
            lab = is_lab(submission.lesson, root)
            other = "a notebook of a lab session" if lab else f"of lesson {submission.lesson[:60]!r}, which is not here"
            end = "; only lessons are compared" if lab else ""
            problems.append(f"{file_name(path, folder)}: is {other}{end}")
        for answer in _answers(submission, lessons[lesson], learner_of(submission.file)) if lesson else ():
            answers[answer.exercise].append(answer)
    published = {one.exercise: one for path in lessons.values() for one in _published(root, path)}
    matches = [match for name, given in answers.items() for match in _matches(published.get(name), given)]
    strength = Counter(pair for match in matches for pair in pairs(match))
    matches.sort(key=lambda match: (-max(strength[pair] for pair in pairs(match)), -match.score, match.exercise))
    return Found(matches, len(paths), problems)


def pairs(match: Match) -> Iterator[tuple[str, str]]:
    """Yield the names of each two learners of a match, in alphabetic order; a published solution is one, too."""
    names = sorted({answer.learner for answer in match.answers})
    return combinations(names, 2)


def _published(root: Path, notebook: Path) -> list[Answer]:
    path = root / "solutions" / notebook.name
    if not path.is_file():
        return []
    return list(_answers(read_submission(path, path.parent), notebook, PUBLISHED))


def _answers(submission: Submission, handed_out: Path, learner: str) -> Iterator[Answer]:
    sources = [cell["source"] if cell["type"] == "code" else None for cell in submission.cells]
    notebook, asked = Notebook(sources, []), asked_in(handed_out)
    given = {cell["source"].strip() for cell in read_submission(handed_out, handed_out.parent).cells}
    same = {place for place, source in enumerate(sources) if source is not None and source.strip() in given}
    for one in asked:
        if not one.answer:
            continue
        text = answer_text(notebook, one.id, one.answer, same | _others(submission, one, asked))[:LONGEST]
        try:
            found = shape(text)
        except (SyntaxError, ValueError, RecursionError):
            continue
        if text.strip() and text.strip() not in given and weight(found) >= LEAST:
            yield Answer(learner, submission.file, one.id, text, found)


def _others(submission: Submission, one: Asked, asked: list[Asked]) -> set[int]:
    others = [cell for other in asked if other.id != one.id for cell in cells_of(submission, other)]
    return {place for place, cell in enumerate(submission.cells) if any(cell is other for other in others)}


def _matches(published: Answer | None, given: list[Answer]) -> Iterator[Match]:
    """Yield the answers of one shape together, then each two shapes that are nearly the same."""
    if published is None:  # no code, or a solution too short to be written in many ways
        return
    groups: dict[frozenset[tuple[str, int]], list[Answer]] = defaultdict(list)
    for answer in (published, *given):
        groups[frozenset(answer.shape.items())].append(answer)
    learners = len({answer.learner for answer in given})
    for group in groups.values():
        if len({answer.learner for answer in group}) > 1:
            yield Match(published.exercise, 1.0, tuple(group), learners)
    firsts = [group[0] for group in groups.values()]
    for first, second in combinations(firsts, 2):
        score = alike(first.shape, second.shape)
        if score >= ALIKE and first.learner != second.learner:
            yield Match(published.exercise, score, (first, second), learners)

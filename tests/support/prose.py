"""Finds the numbers in guides and lessons that state a measure: with a unit, or with a decimal point."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LESSONS = sorted((ROOT / "course" / "lessons").glob("[0-9][0-9]_*.py"))
GUIDES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "course/instructor.md", "vpcore/experiments/README.md")
TEXTS = [*(ROOT / name for name in GUIDES), *LESSONS]
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
VALUES = {word: float(value) for value, word in enumerate(WORDS)}
VALUES |= {"fourteen": 14.0, "fifteen": 15.0, "twenty": 20.0, "thirty": 30.0, "fifty": 50.0, "hundred": 100.0}
NUMBER = rf"(?:[+−±]\s?)?(?:\d[\d,]*(?:\.\d+)?|\b(?:{'|'.join(VALUES)})\b)"
UNIT = r"(?:\s?%|\s(?:percent|points?|seconds?|ms|milliseconds?|MB|GB|MiB|GiB|images a second)\b)"
TIMES = r"\stimes (?:as|that|the|more|less|slower|faster|larger|smaller)\b"
COUNTED = r"(?:runs|numbers|kills|submissions|attacks|intervals)"
HIT = re.compile(
    rf"{NUMBER}(?:\s(?:to|and|or)\s{NUMBER})*(?:{UNIT}|{TIMES})|\b\d[\d,]* (?:recorded )?{COUNTED}\b"
    r"|(?<![\d.])[+−±]?\d[\d,]*\.\d+(?!\.?\d)",
    re.IGNORECASE,
)
CODE = re.compile(
    r"```.*?```|`[^`\n]*`|(?m:^    [^\n]*$)|arXiv:\d{4}\.\d{4,5}|https?://[^\s)]+"
    r"|\$\$.*?\$\$|\$[^$\n]*[A-Za-z\\][^$\n]*\$",  # formulas have letters; a number between dollars is a number
    re.DOTALL,
)
PARTS = re.compile(r"\n\s*\n|\n(?=[-|#]|\d\. |\d points?: )")
MARKS = re.compile(r"\d points?: ")  # a line of a mark scheme


def text_of(path: Path) -> str:
    """Return the text of a Markdown file, or that of the text cells of a lesson source."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        cells = [cell.split("\n")[1:] for cell in re.split(r"(?m)^# %%", text) if cell.startswith(" [markdown]")]
        text = "\n\n".join("\n".join(re.sub(r"^# ?", "", line) for line in cell) for cell in cells)
    return text


def parts(text: str) -> Iterator[str]:
    """Give paragraphs, list items and table rows, each on one line; without code and mark schemes."""
    for part in PARTS.split(CODE.sub("…", text)):
        flat = re.sub(r"\s+", " ", part).strip()
        if flat and not MARKS.match(flat):
            yield flat


def hits(part: str) -> list[re.Match[str]]:
    return list(HIT.finditer(part))


def untraced(text: str, fragments: Iterable[str]) -> list[str]:
    """Return the numbers of a text that stand in none of the fragments, each with the words around it."""
    found, fragments = [], list(fragments)
    for part in parts(text):
        known = [match.span() for known in fragments for match in re.finditer(re.escape(known), part)]
        for hit in hits(part):
            if not any(start <= hit.start() and hit.end() <= end for start, end in known):
                found.append(f"{hit.group()!r} in: {part[max(0, hit.start() - 60) : hit.end() + 40]}")
    return found


def stale(text: str, fragments: Iterable[str]) -> list[str]:
    """Return the fragments that the text does not hold."""
    whole = "\n".join(parts(text))
    return [fragment for fragment in fragments if fragment not in whole]


def numbers(fragment: str) -> list[float]:
    """Return the numbers that the fragment's measures state, in order."""
    said = []
    for hit in hits(fragment):
        for word in re.findall(NUMBER, hit.group(), re.IGNORECASE):
            plain = re.sub(r"[+±,\s]", "", word.lower()).replace("−", "-")
            said.append(VALUES[plain] if plain in VALUES else float(plain))
    return said

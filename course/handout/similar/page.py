"""The page of answers that look alike, side by side, with a caution; everything a learner wrote is escaped."""

from __future__ import annotations

from collections import Counter
from html import escape

from course.handout.similar.find import PUBLISHED, Found, Match, pairs

MOST = 200  # matches on a page; the strongest come first
CAUTION = (
    "These answers have the same shape once names, comments and the order of statements are left out. "
    "That is a reason to talk with people, and no proof of anything. Two learners may sit side by side, follow the "
    "hints line by line, or find the obvious answer: look at how many of the class have it. One match in one exercise "
    "says little. The same two people in several exercises say more. Ask each of them to explain and change the code."
)
STYLE = """body { font-family: sans-serif; max-width: 75em; margin: 1em auto; padding: 0 1em; line-height: 1.4; }
table { border-collapse: collapse; } td, th { border: 1px solid #888; padding: 0.2em 0.6em; text-align: left; }
.two { display: grid; grid-template-columns: 1fr 1fr; gap: 1em; }
.two > div { min-width: 0; } h3 { font-size: 1em; overflow-wrap: anywhere; }
pre { border: 1px solid #888; padding: 0.6em; overflow-x: auto; font-size: 0.85em; }
.caution { border-left: 0.4em solid #1f5a99; padding-left: 0.8em; }
@media (max-width: 700px) { .two { grid-template-columns: 1fr; } }
"""


def page(found: Found) -> str:
    """Return the page as HTML."""
    counts = Counter(pair for match in found.matches for pair in pairs(match))
    rows = [
        f"<tr><td>{escape(a)}</td><td>{escape(b)}</td><td>{count}</td></tr>" for (a, b), count in counts.most_common()
    ]
    head = "<tr><th>one</th><th>the other</th><th>exercises alike</th></tr>"
    table = f"<table>{head}{''.join(rows[:MOST])}</table>" if rows else "<p>No two answers are alike.</p>"
    parts = [f'<p class="caution">{CAUTION}</p>', f"<p>{found.files} files were read.</p>"]
    if found.problems:
        items = "".join(f"<li>{escape(line)}</li>" for line in found.problems)
        parts.append(f"<h2>Not compared</h2><ul>{items}</ul>")
    parts += ["<h2>Who</h2>", table, *(["<h2>Where</h2>"] if rows else []), *map(_match, found.matches[:MOST])]
    left = len(found.matches) - MOST
    parts += [f"<p>{left} more are not shown.</p>"] if left > 0 else []
    meta = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    head = f"{meta}<title>Answers that look alike</title><style>{STYLE}</style>"
    body = "\n".join(["<h1>Answers that look alike</h1>", *parts])
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}\n</body></html>\n'


def line(match: Match) -> str:
    """Return one line about a match for the terminal."""
    names = sorted({answer.learner for answer in match.answers} - {PUBLISHED})
    shown = ", ".join([*names[:4], *([f"{len(names) - 4} more"] if names[4:] else [])])
    like = f" and {PUBLISHED}" if any(answer.learner == PUBLISHED for answer in match.answers) else ""
    how = "same shape" if match.score == 1 else f"{match.score:.0%} the same"
    return f"{match.exercise}: {shown}{like}: {how}"


def _match(match: Match) -> str:
    names = list(dict.fromkeys(answer.learner for answer in match.answers))
    mine = [name for name in names if name != PUBLISHED]
    how = "one shape" if match.score == 1 else f"{match.score:.0%} the same"
    share = f"{len(mine)} of {match.of} who answered"
    more = f"<p>Also of this shape: {escape(', '.join(names[2:]))}.</p>" if names[2:] else ""
    first = match.answers[0]
    second = next(answer for answer in match.answers if answer.learner != first.learner)
    columns = "".join(
        f"<div><h3>{escape(one.learner)}</h3><pre>{escape(_code(one.text))}</pre></div>" for one in (first, second)
    )
    title = f"<h3>{escape(match.exercise)}: {how}, {share}</h3>"
    return f'<section>{title}{more}<div class="two">{columns}</div></section>'


def _code(text: str) -> str:
    return "\n".join(line for line in text.split("\n") if not line.strip().startswith(("### BEGIN", "### END")))

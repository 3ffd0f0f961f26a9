"""Methods, data sets and backbones are all written one way, 'NAME:key=value,key=value': read here, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

Values = Collection[str] | None  # what an option may be; None for anything


def split_names(text: str) -> list[str]:
    """Cut "none,multiscale:fusion=concat,init=kaiming" at the commas between names, not those between options."""
    names: list[str] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        if names and re.match(r"[^:=]+=", part):
            names[-1] += "," + part
        else:
            names.append(part)
    return names


def read_named(text: str) -> tuple[str, dict[str, str]]:
    """Read a text into its name and its options; an option without a value has the value ""."""
    name, _, rest = text.partition(":")
    pairs = (pair.partition("=") for pair in rest.split(",") if pair)
    return name, {key: value for key, _, value in pairs}


def write_named(name: str, options: Mapping[str, str]) -> str:
    """Write a name and its options, in their order."""
    return name + ":" * bool(options) + ",".join(f"{key}={value}" for key, value in options.items())


def check_options(what: str, name: str, options: Mapping[str, str], takes: Mapping[str, Values], write: str) -> None:
    """Refuse an option that a name does not take.

    Args:
        what: kind of the name, as "data set".
        name: as `read_named` returns it.
        options: likewise.
        takes: what there is, and its values.
        write: says what may be written.

    Raises:
        ValueError: an unknown option, or one without a value that it takes.
    """
    for key, value in options.items():
        values = takes.get(key, ())
        if not value or (values is not None and value not in values):
            pair = f"{key}={value}" if value else key
            raise ValueError(f"unknown option {pair!r} of {what} {name}: write {write}")

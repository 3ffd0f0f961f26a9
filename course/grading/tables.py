"""Tables of instructors: read as spreadsheets save them, and written as spreadsheets read them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path


def read_text(path: Path, form: str = "UTF-8") -> str:
    """Return the text of a file that an instructor wrote.

    Args:
        path: the file.
        form: as what to save it again where it is something else.

    Raises:
        ValueError: it is not UTF-8.
        OSError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name} is not UTF-8: save it as {form}") from error


def read_table(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Return header and rows of a table with commas or, as a German Excel saves it, semicolons between its cells.

    Raises:
        ValueError: it is no table in UTF-8.
        OSError: it cannot be read.
    """
    text = read_text(path, "CSV UTF-8")
    first = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text), delimiter=";" if first.count(";") > first.count(",") else ",")
    try:
        rows = [{key: value or "" for key, value in row.items() if key} for row in reader]
    except csv.Error as error:
        raise ValueError(f"{path.name} cannot be read as a table ({error}): save it as CSV UTF-8") from error
    return list(reader.fieldnames or ()), rows


def table_text(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table that spreadsheets read as UTF-8: with its mark of byte order."""
    text = io.StringIO()
    text.write("\ufeff")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()

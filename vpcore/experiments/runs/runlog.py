"""Results as JSON lines: one run a line, written whole or not at all, also by several processes at once."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)  # Windows would turn \n into \r\n


def append_run(path: str | Path, record: dict[str, Any]) -> None:
    """Add one run to the end of a file; raises what `append_line` raises."""
    with locked(path) as file:
        append_line(file, path, record)


def append_line(file: int, path: str | Path, record: dict[str, Any]) -> None:
    """Add one run to the end of a file that is `locked`: one write of one line, flushed to the disk.

    Raises:
        OSError: the file cannot be written, or the disk is full; what a failed write left is taken back.
    """
    line = json.dumps(record, ensure_ascii=False).encode(errors="surrogatepass") + b"\n"
    size = os.fstat(file).st_size
    try:
        written = os.write(file, line)
        os.fsync(file)
    except OSError as error:
        os.ftruncate(file, size)
        raise OSError(_complaint(path, error)) from error
    if written < len(line):
        os.ftruncate(file, size)
        raise OSError(f"cannot write {path}: no space left; free space and run the same command again")


def read_runs(path: str | Path, skip_damaged: bool = False) -> list[dict[str, Any]]:
    """Return the runs in a file, in order; an unfinished last line (another process is writing) is left out.

    Args:
        path: the file.
        skip_damaged: leave out damaged lines as well.

    Raises:
        OSError: the file is missing or cannot be read.
        ValueError: a finished line is no JSON object; says which.
    """
    try:
        lines = Path(path).read_bytes().split(b"\n")
    except OSError as error:
        raise OSError(f"cannot read {path}: {error.strerror or error}; check the name") from error
    runs = []
    for number, line in enumerate(lines[:-1], start=1):
        run = _parse(line)
        if run is None and line.strip() and not skip_damaged:
            raise ValueError(f"line {number} of {path} is damaged: delete it, the missing run is then repeated")
        runs += [run] if run is not None else []
    return runs


def read_new_keys(path: str | Path, offset: int) -> tuple[set[str], int]:
    """Return the keys of the finished lines after byte `offset`, and the offset to go on from."""
    with Path(path).open("rb") as file:
        file.seek(offset)
        new = file.read()
    end = new.rfind(b"\n") + 1
    runs = [_parse(line) for line in new[:end].split(b"\n")]
    return {str(run["key"]) for run in runs if run is not None and "key" in run}, offset + end


def repair(path: str | Path) -> str | None:
    """Make a file fit for appending: create it, and move a broken last line, left by a kill, to `path`.damaged.

    Returns:
        One sentence on what was moved, or None if all was well.

    Raises:
        OSError: the file cannot be written.
    """
    with locked(path) as file:
        return repair_locked(file, path)


def repair_locked(file: int, path: str | Path) -> str | None:
    """Do what `repair` does with a file that is `locked`."""
    content = Path(path).read_bytes()
    tail = content[content.rfind(b"\n") + 1 :]
    if not tail:
        return None
    if _parse(tail) is not None:
        os.write(file, b"\n")
        return None
    aside = Path(f"{path}.damaged")
    with aside.open("ab") as kept:
        kept.write(tail + b"\n")
    os.ftruncate(file, len(content) - len(tail))
    return f"the last line of {path} was cut off ({len(tail)} bytes): moved to {aside}, its run is repeated"


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        run = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return run if isinstance(run, dict) else None


@contextmanager
def locked(path: str | Path, wait: bool = True) -> Iterator[int]:
    """Open a file for appending, alone.

    Args:
        path: is made if it is not there.
        wait: for another process that has it; else that is an error.

    Raises:
        BlockingIOError: another process has it.
        OSError: the file cannot be written.
    """
    try:
        file = os.open(path, FLAGS, 0o644)
    except OSError as error:
        raise OSError(_complaint(path, error)) from error
    try:
        try:
            import fcntl

            fcntl.flock(
                file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB
            )  # closing the file lets go of it
        except BlockingIOError:
            raise
        except (ImportError, OSError):  # Windows, a disk without locks: one write of one line is all the protection
            pass
        yield file
    finally:
        os.close(file)


def _complaint(path: str | Path, error: OSError) -> str:
    return f"cannot write {path}: {error.strerror or error}; free space or choose another folder"

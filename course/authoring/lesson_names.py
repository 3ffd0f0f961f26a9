"""Lessons by name: "02", "2" or the start of the file's name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def is_clone(root: Path = ROOT) -> bool:
    """Say whether a folder holds the sources of the lessons, which an installed package does not."""
    return (root / "course" / "lessons").is_dir()


def lessons_in(folder: Path) -> list[Path]:
    """Return the notebooks of lessons in a folder, in their order."""
    return sorted(folder.glob("[0-9]*.ipynb"))


def handed_out(root: Path = ROOT) -> Path:
    """Return the folder of the learner notebooks as they are handed out: a clone's, or those in the package."""
    return root / "notebooks" if is_clone(root) or lessons_in(root / "notebooks") else root / "course" / "notebooks"


def is_lab(name: str, root: Path = ROOT) -> bool:
    """Say whether a name such as "91_lab_one_picture" is that of a notebook of a lab session."""
    return name in {path.stem for path in (root / "course" / "lessons" / "labs").glob("[0-9]*.py")}


def select(paths: Sequence[Path], names: Sequence[str], where: str = "") -> list[Path]:
    """Return the files of the named lessons, in their order; all where none is named.

    Args:
        paths: sources or notebooks, named as 02_multiscale_prompts.
        names: numbers, or starts of names, with or without an ending.
        where: is said with a name that fits none, as " in notebooks/".

    Raises:
        ValueError: a name fits no lesson.
    """
    starts = {name: Path(name).stem.zfill(2) for name in names}
    for name, start in starts.items():
        if not any(path.stem.startswith(start) for path in paths):
            known = ", ".join(path.stem for path in paths) or "none yet"
            raise ValueError(f"no lesson {name!r}{where}; lessons: {known}")
    return [path for path in paths if not names or path.stem.startswith(tuple(starts.values()))]


def lesson_paths(root: Path = ROOT, names: tuple[str, ...] = ()) -> list[Path]:
    """Returns the lesson sources under a root, all or those whose name starts with one of the names.

    Raises:
        ValueError: a name fits no lesson.
    """
    return select(sorted((root / "course" / "lessons").glob("[0-9]*.py")), names)

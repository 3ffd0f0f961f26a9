"""Writes lessons for other places: nbgrader, a web site, slides, Colab, or lab sessions."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count
from pathlib import Path

from course.authoring.learner import ANSWER_STUB, STUB
from course.authoring.lesson_names import ROOT, lesson_paths
from course.authoring.notebook_file import make_folder, notebook_text, write_text

KINDS = ("nbgrader", "html", "colab", "slides")
CHOOSING = ("nbgrader", "slides")  # kinds that take --lesson
Tell = Callable[[str], object]
CONFIG = f"""c = get_config()

# A graded cell counts only when check.grade itself signed its result; see course/instructor.md.
from course.handout.nbgrader_guard import install; install(c)

c.CourseDirectory.course_id = "vpcourse"
c.ClearSolutions.code_stub = {{"python": {STUB!r}}}
c.ClearSolutions.text_stub = {ANSWER_STUB!r}
c.ClearMarkScheme.enforce_metadata = False
c.Execute.timeout = 300  # seconds a cell; some cells train a network
c.ExecutePreprocessor.timeout = 300
"""
README = """# The course in nbgrader

`source/` holds the solved lessons: keep it to yourself. `release/` holds what learners get.
The kernel that grades must be able to `import course` and `import vpcore`.

Run in this folder, for each lesson (here {lesson}):

    nbgrader generate_assignment {lesson} --create --force
    nbgrader autograde {lesson} --create
    nbgrader generate_feedback {lesson}
    nbgrader export

Submissions go to `submitted/NAME/{lesson}/{lesson}.ipynb`. Written answers wait for you in the formgrader, with
their rubric in `source/`.

Tell learners once what counts:

- a submission is the notebook file itself, of this lesson, whatever it is called;
- an answer may stand in any cell above its check; where several give it, the last one above the check counts;
- imports, helpers and earlier answers of one's own may be used; training cells need not have run;
- `python -m course check-file FILE` says before it is handed in what is missing or doubled, without points.

nbgrader itself grades the cells under "Graded cells" and gives no points for one that was deleted.

nbgrader runs learner code as you, on this machine, with your files. For strangers use
`python -m course grade SUBMISSIONS --out grades.csv`, which isolates it; course/instructor.md says what each can prove.
"""


def export_to(
    kind: str, folder: Path, names: tuple[str, ...] = (), root: Path = ROOT, *, tell: Tell = lambda _: None
) -> list[Path]:
    """Write one kind of export, all lessons or for some kinds those named; returns the files a person starts with.

    Args:
        kind: one of KINDS.
        folder: where to.
        names: lessons, by the start of their name; all when empty.
        root: the clone.
        tell: called with a sentence when something could not be included.

    Raises:
        ValueError: the kind is unknown, or it takes all lessons and some were named.
        OSError: the folder cannot be written.
    """
    if kind not in KINDS or (names and kind not in CHOOSING):
        some = " or ".join(CHOOSING)
        raise ValueError(f"--to must be one of {', '.join(KINDS)}, --lesson only with {some}; got {kind!r}, {names}")
    _refuse_unwritable(folder)
    if kind == "html":
        from course.handout.site import export_site

        return [export_site(folder, root, tell=tell)]
    if kind == "slides":
        from course.handout.slides import export_slides

        return export_slides(folder, names, root, tell=tell)
    if kind == "colab":
        from course.handout.colab import export_colab

        return export_colab(folder, root)
    return export_nbgrader(folder, names, root, tell=tell)


def export_nbgrader(
    folder: Path, names: tuple[str, ...] = (), root: Path = ROOT, *, tell: Tell = lambda _: None
) -> list[Path]:
    """Write a course folder of nbgrader; returns the files.

    Args:
        folder: new or empty, or an earlier export: only our files in it are replaced, and those that say something
            else are moved to a folder of their own in it. A configuration that is there stays.
        names: lessons, by the start of their name; all when empty.
        root: holds course/lessons.
        tell: called with a sentence when a file stayed or was moved.

    Raises:
        LessonError: a lesson breaks a rule, or a check cell cannot be graded.
        ValueError: there is no such lesson.
        OSError: a file cannot be written.
    """
    from course.handout.graded_cells import nbgrader_release, nbgrader_source

    texts: dict[Path, str] = {}
    paths = lesson_paths(root, names)
    if not paths:
        raise ValueError("no lesson is there to export: work in a clone of the course")
    for path in paths:
        source = nbgrader_source(path)
        for part, notebook in (("source", source), ("release", nbgrader_release(source))):
            texts[folder / part / path.stem / f"{path.stem}.ipynb"] = notebook_text(notebook)
    texts[folder / "README.md"] = README.format(lesson=paths[0].stem)
    config = folder / "nbgrader_config.py"
    if not config.is_file() or _says(config, CONFIG):
        texts[config] = CONFIG
    else:
        tell(f"{config.name} was changed and stays: see that it still installs the guard, as course/instructor.md says")
    changed = [path for path, text in texts.items() if path.is_file() and not _says(path, text)]
    kept = next(place for n in count(1) if not (place := folder / f"before_{n}").exists())
    for path in changed:
        make_folder((kept / path.relative_to(folder)).parent)
        path.replace(kept / path.relative_to(folder))
    if changed:
        tell(f"{len(changed)} files were not as this export writes them: the old ones lie in {kept.name}/")
    for path, text in texts.items():
        write_text(path, text)
    return list(texts)


def _says(path: Path, text: str) -> bool:
    return path.read_bytes() == text.encode()


def export_path(folder: Path, name: str, root: Path = ROOT, names: tuple[str, ...] = ()) -> list[Path]:
    """Write the session notebooks of a teaching path, such as "lab2x90"; returns the files.

    Raises:
        ValueError: there is no such path, it needs lessons that do not exist, or lessons were named beside it.
        OSError: a notebook cannot be written.
    """
    from course.handout.sessions import PATHS, export_sessions

    if name not in PATHS:
        raise ValueError(f"--path must be one of {', '.join(PATHS)}, got {name!r}: choose one")
    if names:
        raise ValueError(f"--path {name} chooses its exercises itself: leave --lesson out")
    _refuse_unwritable(folder)
    return export_sessions(PATHS[name], {path.stem[:2]: path for path in lesson_paths(root)}, folder)


def _refuse_unwritable(folder: Path) -> None:
    place = folder.absolute()
    try:
        while not place.exists():
            place = place.parent
        denied = not os.access(place, os.W_OK)
    except PermissionError:  # a parent that may not even be looked into
        denied = True
    if denied:
        raise OSError(f"{folder} cannot be written: choose a folder of your own")

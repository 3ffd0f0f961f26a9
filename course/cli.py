"""The commands of the course; every error is one line on stderr."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from course.authoring.lesson_names import ROOT, handed_out, is_clone, lessons_in, select

app = typer.Typer(add_completion=False, help="Run, build and check the lessons.")
LAB = ["-m", "jupyterlab"]  # what Python is asked to run
Names = Annotated[list[str] | None, typer.Argument(help="Lessons, by the start of their name, like 02; all if none.")]
RootOption = Annotated[Path, typer.Option(help="The clone to work on.", hidden=True)]


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and returns its exit status: 0 fine, 1 a lesson failed, 2 the input was wrong."""
    try:
        return app(args=arguments, prog_name=program(), standalone_mode=False) or 0
    except (KeyboardInterrupt, typer.Abort):
        return _complain("interrupted; nothing was left half-written", 130)
    except (ValueError, OSError, ImportError) as error:
        return _complain(str(error), 2)
    except RuntimeError as error:
        return _complain(str(error), 1)
    except Exception as error:
        usage = getattr(error, "format_message", None)  # a usage error of the command line library
        if usage is None:
            raise
        command = getattr(getattr(error, "ctx", None), "command_path", program())
        return _complain(f"{usage()} See: {command} --help", 2)


def program() -> str:
    """Returns how these commands were called, for messages."""
    return "vpcourse" if Path(sys.argv[0]).stem == "vpcourse" else "python -m course"


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(help="Where to work; is made if it is not there.")],
    lesson: Annotated[list[str] | None, typer.Option(help="Only these lessons, like 02; may be repeated.")] = None,
    root: RootOption = ROOT,
) -> None:
    """Copy the learner notebooks into a folder of your own; what lies there already is kept."""
    from course.handout.new_folder import new_folder

    made = new_folder(folder, tuple(lesson or ()), root)
    for path in made.kept:
        typer.echo(f"kept: {path.name} lies there already", err=True)
    typer.echo(f"{len(made.written)} notebooks in {folder}; to open them, in that folder: {program()} lab")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def lab(context: typer.Context, root: RootOption = ROOT) -> None:
    """Open JupyterLab at the first notebook, or at a lesson, as in: lab 03; further options go to JupyterLab."""
    named = context.args[:1] if context.args[:1] and not context.args[0].startswith("-") else []
    first = _notebooks(_working_folder(root), tuple(named))[0]
    as_root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    command = [sys.executable, *LAB, str(first), *as_root, *context.args[len(named) :]]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    environment = {"VPCOURSE_PROFILE": "quick", **os.environ, "PYTHONPATH": path}
    sys.stdout.flush()
    with subprocess.Popen(command, env=environment) as process:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for JupyterLab, which asks what is meant
        try:
            status = process.wait()
        finally:
            signal.signal(signal.SIGINT, before)
    raise typer.Exit(status)


@app.command()
def run(
    names: Names = None,
    lesson: Annotated[list[str] | None, typer.Option(help="Only these lessons, like 02; may be repeated.")] = None,
    unsolved: Annotated[bool, typer.Option("--unsolved", help="Run notebooks/ instead of solutions/.")] = False,
    root: RootOption = ROOT,
) -> None:
    """Execute the solved lessons offline and print lesson, seconds, checks, result; without a clone, your own."""
    if not unsolved and not lessons_in(root / "solutions") and not is_clone(root) and lessons_in(handed_out(root)):
        unsolved = True
        typer.echo("note: the solutions are not in the package; these are the learner notebooks", err=True)
    folder = _own_folder(root) or handed_out(root) if unsolved else root / "solutions"
    paths = _notebooks(folder, (*(names or ()), *(lesson or ())))
    from tqdm import tqdm

    from course.authoring.notebook_file import read_notebook
    from course.authoring.run import code_cells, run_lesson, table

    with tqdm(total=sum(code_cells(read_notebook(path)) for path in paths), unit="cell", file=sys.stderr) as bar:
        results = []
        for path in paths:
            bar.set_description(path.stem)
            results.append(run_lesson(path, solved=not unsolved, on_cell=bar.update))
    typer.echo(table(results))
    _fail([result.problem for result in results if result.problem])


@app.command()
def build(
    names: Names = None,
    check: Annotated[bool, typer.Option("--check", help="Only say what is not current; executes nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Execute unchanged lessons too.")] = False,
    root: RootOption = ROOT,
) -> None:
    """Build notebooks/ and solutions/ from course/lessons/; executes what changed."""
    from course.authoring import build as builder

    _needs_clone("build", root)
    if check:
        return _fail(builder.check(tuple(names or ()), root))
    for built in builder.build(tuple(names or ()), root, force=force, on_step=_show_step):
        typer.echo(f"{built.action:<9}  {built.path.parent.name}/{built.path.name}")
    return None


@app.command()
def publish(
    repository: Annotated[str, typer.Argument(help="OWNER/NAME on GitHub.")],
    branch: Annotated[str, typer.Option(help="The branch that links lead to.")] = "main",
    root: RootOption = ROOT,
) -> None:
    """Write where the course is published, and build the lessons with their links to Colab."""
    from course.authoring.publish import publish as write

    _needs_clone("publish", root)
    for path in write(repository, branch, root):
        typer.echo(f"written    {path.name}")
    build(root=root)


@app.command(name="check")
def check_lessons(names: Names = None, root: RootOption = ROOT) -> None:
    """Check that notebooks are current and readable; executes nothing."""
    from course.authoring import build as builder
    from course.authoring.notebook_file import read_notebook
    from course.authoring.notebook_rules import lint

    _needs_clone("check", root)
    problems = builder.check(tuple(names or ()), root)
    if not problems:
        paths = [root / "notebooks" / f"{path.stem}.ipynb" for path in builder.lesson_paths(root, tuple(names or ()))]
        problems = [line for path in paths for line in lint(f"notebooks/{path.name}", read_notebook(path))]
    _fail(problems)
    typer.echo("all lessons are current")


@app.command()
def progress() -> None:
    """Print which exercises you have passed."""
    from course.check import progress as record

    typer.echo(record.table())


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Where to write.")],
    to: Annotated[str, typer.Option("--to", help="The kind: nbgrader, html (a web site), slides or colab.")] = "",
    path: Annotated[str, typer.Option("--path", help="A teaching path instead: lab2x90.")] = "",
    variant: Annotated[int | None, typer.Option(min=0, help="A seed: lessons in the version of one class.")] = None,
    lesson: Annotated[list[str] | None, typer.Option(help="Only these lessons, like 02; may be repeated.")] = None,
    root: RootOption = ROOT,
) -> None:
    """Write lessons for nbgrader, a web site, Colab, one class, or the notebooks of lab sessions."""
    from course.handout.export import KINDS, export_path, export_to
    from course.handout.variants import export_variant

    _needs_clone("export", root)
    if [bool(to), bool(path), variant is not None].count(True) != 1 or (to and to not in KINDS):
        kinds = f"--to {' or '.join(KINDS)}, --path lab2x90, or --variant SEED"
        raise ValueError(f"export needs {kinds}, got --to {to!r} --path {path!r} --variant {variant}: give one")
    names, note = tuple(lesson or ()), partial(_complain, status=0)
    if variant is not None:
        written = export_variant(folder, variant, names, root)
    else:
        written = export_path(folder, path, root, names) if path else export_to(to, folder, names, root, tell=note)
    typer.echo("\n".join(str(entry.relative_to(folder)) for entry in written))


@app.command(name="check-file")
def check_one_file(file: Annotated[Path, typer.Argument(help="Your notebook.")], root: RootOption = ROOT) -> None:
    """Say before you hand in a notebook what a grader would say about the file: cells missing, doubled, unreadable."""
    from course.handout.check_file import check_file

    said = check_file(file, root)
    typer.echo("\n".join(said.lines))
    if not said.fine:
        raise typer.Exit(1)


@app.command()
def grade(
    submissions: Annotated[Path, typer.Argument(help="A folder of notebooks: NAME.ipynb or NAME/LESSON.ipynb.")],
    out: Annotated[Path, typer.Option(help="The table; its ledger and the feedback pages stand beside it.")],
    lesson: Annotated[list[str] | None, typer.Option(help="Only these lessons, like 02; may be repeated.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Submissions at the same time.")] = 2,
    regrade: Annotated[list[str] | None, typer.Option(help="Grade this exercise again, or: all; repeatable.")] = None,
    roster: Annotated[Path | None, typer.Option(help="A class list: id,name,section; or Canvas's or Moodle's.")] = None,
    late: Annotated[Path | None, typer.Option(help="A late policy: a TOML file with a deadline.")] = None,
    hand: Annotated[Path | None, typer.Option(help="Marks by hand: the filled table OUT_to_mark.csv.")] = None,
    root: RootOption = ROOT,
) -> None:
    """Grade submissions, each in its own isolated process; a killed run continues when started again."""
    if sys.platform != "linux":
        raise ValueError(
            "marking needs Linux, whose sandbox runs the learners' code: use WSL2, a container, or nbgrader"
        )
    _needs_clone("grade", root)
    from course.grading.changes import line as change_line
    from course.grading.grade import grade as grade_all
    from course.grading.outputs import Inputs
    from course.grading.progress import Progress
    from course.grading.submission import folder_notes

    progress = Progress()
    graded = grade_all(
        submissions, out, lessons=tuple(lesson or ()), root=root, workers=workers, regrade=tuple(regrade or ()),
        inputs=Inputs(roster, late, hand), on_start=progress.start, on_mark=lambda m: typer.echo(progress.line(m)),
    )  # fmt: skip
    for change in graded.changes:
        typer.echo(change_line(change))
    for note in (*folder_notes(submissions), *(f"note: {note}" for note in graded.notes)):
        typer.echo(note, err=True)
    typer.echo(f"{graded.new} graded now, {len(graded.marks) - graded.new} before; isolation: {graded.isolation}")
    typer.echo(f"table: {out}   feedback: {graded.feedback}")
    typer.echo("\n".join(f"also: {path}" for path in graded.files))


@app.command()
def similar(
    submissions: Annotated[Path, typer.Argument(help="A folder of notebooks, as for grade.")],
    out: Annotated[Path, typer.Option(help="The page with the answers side by side.")] = Path("similar.html"),
    root: RootOption = ROOT,
) -> None:
    """Show answers that have the same shape as others, or as solutions/; runs nothing, proves nothing."""
    from course.authoring.notebook_file import write_text
    from course.handout.similar.find import find_similar
    from course.handout.similar.page import line, page

    _needs_clone("similar", root)
    found = find_similar(submissions, root)
    for text in [*found.problems, *map(line, found.matches)]:
        typer.echo(text)
    write_text(out, page(found))
    typer.echo(f"{len(found.matches)} matches in {found.files} files; page: {out}")


def _own_folder(root: Path) -> Path | None:
    """Returns the present folder if it holds lessons of a learner's own, and none of this clone."""
    here = Path.cwd()
    return here if lessons_in(here) and not here.is_relative_to(root.absolute()) else None


def _working_folder(root: Path) -> Path:
    own = _own_folder(root)
    if own is None and not is_clone(root) and not lessons_in(root / "notebooks"):
        raise ValueError(f"{Path.cwd()} holds no lesson: run {program()} new DIR, and this in DIR")
    return own or root / "notebooks"


def _needs_clone(command: str, root: Path) -> None:
    if root == ROOT and not is_clone(root):
        raise ValueError(f"{command} works on the lessons' sources: run it in a clone of the course's repository")


def _notebooks(folder: Path, names: tuple[str, ...]) -> list[Path]:
    paths = lessons_in(folder)
    chosen = select(paths, names, f" in {folder.name}/")
    if not paths:
        raise ValueError(f"{folder.name}/ holds no lesson; in a clone of the course, run: python -m course build")
    return chosen


def _show_step(name: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        print(f"\r{name}: cell {done}/{total}", end=end, file=sys.stderr, flush=True)


def _complain(message: str, status: int) -> int:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return status


def _fail(problems: list[str]) -> None:
    for problem in problems:
        _complain(problem, 1)
    if problems:
        raise typer.Exit(1)

"""`python -m autograder`: the instructor's commands."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from autograder import build as builder
from autograder import lesson_source
from autograder.exercise import DefinitionError
from course.checks.sheet import UnknownExercise

app = typer.Typer(add_completion=False, help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)
ROOT = builder.ROOT
Lessons = Annotated[list[str] | None, typer.Argument(help="Lessons, such as ch06_decoder. Default: all.")]


@app.command()
def build(
    lessons: Lessons = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail if something is stale.")] = False,
    if_missing: Annotated[bool, typer.Option("--if-missing", help="Do nothing if release/ is there.")] = False,
) -> None:
    """Make release/, solutions/ and the checks' golden data from source/ and the exercises."""
    if if_missing and (ROOT / "release").exists():
        return
    stale = builder.build(ROOT, _known(lessons or []), check=check)
    for path in stale:
        typer.echo(f"{'stale' if check else 'wrote'}: {path.relative_to(ROOT)}")
    if check and stale:
        raise builder.BuildError("Run `make build` and commit what it writes.")
    if not stale:
        typer.echo("everything is up to date")


@app.command("grade-demo")
def grade_demo(
    lessons: Lessons = None,
    folder: Annotated[Path, typer.Option(help="Where the made-up course lives; emptied first.")] = ROOT
    / "build"
    / "demo",
) -> None:
    """Grade a class of six made-up submissions with nbgrader and show marks, reasons and feedback."""
    from autograder import demo

    demo.run(ROOT, folder.resolve(), _known(lessons or []))


@app.command()
def grade(
    assignment: Annotated[str, typer.Argument(help="An assignment, such as ch06_decoder.")],
    students: Annotated[str, typer.Option(help="Only these, as ada,ben. Default: all who submitted.")] = "",
    scheduler: Annotated[str | None, typer.Option(help="A running Dask scheduler, tcp://HOST:PORT.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes here. Default: one for each core.")] = None,
    gradebook: Annotated[str | None, typer.Option(help="Database URL. Default: the course's.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write what became of each submission, as JSON.")] = None,
    regrade: Annotated[bool, typer.Option("--regrade", help="Also what is graded already.")] = False,
    folder: Annotated[Path, typer.Option(help="The course's folder.")] = Path(),
    allow_weaker_isolation: Annotated[
        bool, typer.Option("--allow-weaker-isolation", help="Even if a layer of the sandbox is missing.")
    ] = False,
) -> None:
    """Grade every submission of an assignment, on all cores or many machines; started again, it goes on.

    Exit status: 0 if every submission was graded, whatever its mark; 1 if one could not be; 2 if nothing could begin.
    """
    from autograder import bulk

    names = [name.strip() for name in students.split(",") if name.strip()]
    options = bulk.Options(
        assignment, folder, names, scheduler, workers, gradebook, regrade, allow_weaker_isolation
    )  # fmt: skip
    try:
        status = bulk.run(bulk.Bulk(options), report)
    except bulk.UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        status = 2
    raise typer.Exit(status)


@app.command()
def audit(
    lessons: Lessons = None,
    write: Annotated[bool, typer.Option("--write", help="Write docs/audit.md (all lessons only).")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Answers graded at a time.")] = min(4, os.cpu_count() or 1),
) -> None:
    """Prove the graders: mutants and misconceptions must lose points, right answers must not. Exit status 1 if not."""
    from autograder import audit_page

    if write and lessons:
        raise typer.BadParameter("docs/audit.md is about all lessons: leave the lessons away.", param_hint="--write")
    raise typer.Exit(audit_page.run(ROOT, _known(lessons or []), write, workers))


@app.command()
def doctor(
    folder: Annotated[Path, typer.Option(help="The course's folder, with the gradebook and the submissions.")] = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """Which layers of the sandbox hold on this machine, each tried from inside. Exit status 0 if all do, 1 if not."""
    from autograder import doctor

    raise typer.Exit(doctor.run(folder.resolve(), as_json))


def _known(lessons: list[str]) -> list[str]:
    known = lesson_source.lessons(ROOT)
    for lesson in lessons:
        if lesson not in known:
            raise lesson_source.LessonError(f"There is no lesson {lesson!r}. Lessons: {', '.join(known)}.")
    return lessons or known


def main() -> int:
    """Run a command; an error that the user can mend is one message and a nonzero exit, not a traceback."""
    try:
        app(standalone_mode=True)
    except (builder.BuildError, lesson_source.LessonError, DefinitionError, UnknownExercise) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`python -m autograder`: the instructor's commands."""

from __future__ import annotations

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

"""What a worker of `autograder grade` does: grade one submission that it is handed, and hand back the result.

A worker knows no gradebook and no course folder, so it may run on any machine that has this repository. It may be
killed at any moment: nothing is written here.
"""

from __future__ import annotations

import signal

import nbformat
from nbformat.notebooknode import NotebookNode
from traitlets.config import Config
from traitlets.utils.importstring import import_item

from autograder.jobs import Finished, Work
from autograder.steps.grade import engine
from autograder.submission import grade_submission
from autograder.undisturbed import undisturbed
from autograder.versions import code_version


class AnotherVersion(RuntimeError):
    """A worker has other grading code than the client; the message names both."""


def dask_setup(_worker: object) -> None:
    """Called by Dask when a worker starts: Ctrl-C on the terminal is for the client, which then ends its workers."""
    # A handler, not SIG_IGN: that would be inherited by the sandbox.
    signal.signal(signal.SIGINT, lambda *_: None)


def grade(work: Work) -> Finished:
    """Grade one submission. Raises EngineError, IsolationError, AnotherVersion."""
    terms = work.terms
    if (here := code_version(work.submission.lesson)) != terms.code:
        raise AnotherVersion(f"a worker's grading code is version {here[:10]}, the client's {terms.code[:10]}")
    own = engine(terms.allow_weaker_isolation)
    graded = undisturbed(own, lambda: grade_submission(work.submission, terms.known, work.seed, own, terms.limits))
    notebook = after_grading(graded.notebook, work)
    return Finished(nbformat.writes(notebook), graded.marks, graded.reasons, graded.notes, graded.seconds)


def after_grading(notebook: NotebookNode, work: Work) -> NotebookNode:
    """The notebook after the configured steps that follow grading."""
    lesson = work.submission.lesson
    resources = {"nbgrader": {"student": work.submission.student, "assignment": lesson, "notebook": lesson}}
    for name in work.terms.steps:
        notebook, resources = import_item(name)(config=Config(work.terms.settings))(notebook, resources)
    return notebook

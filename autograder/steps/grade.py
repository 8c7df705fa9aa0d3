"""Second step of autograding, in the place of nbgrader's Execute: run the student's cells, judge the graded ones.

A graded cell holds only a directive. It is never run: the trusted side reads which exercise it names, asks the
student's process, and writes the cell's output itself.
"""

from __future__ import annotations

import atexit
import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

from nbformat.notebooknode import NotebookNode
from nbgrader.preprocessors import Execute
from traitlets import Bool, Dict, Float

from autograder.engine import Engine
from autograder.limits import Limits, limits_of
from autograder.seeds import seed_for
from autograder.submission import code_of, grade_notebook
from autograder.submitted import read_submission
from autograder.undisturbed import undisturbed

NOT_SKIPPED = (
    "--no-execute would give full marks to whoever handed in a notebook without outputs. Marks come from running: "
    "leave it out. Marks that were given by hand are kept when a submission is graded again."
)
_engines: dict[bool, Engine] = {}


def engine(allow_weaker_isolation: bool) -> Engine:
    """This process's engine: its zygote stays warm from one submission to the next, and ends with the process."""
    if allow_weaker_isolation not in _engines:
        _engines[allow_weaker_isolation] = Engine(allow_weaker_isolation, overlap=True)
        atexit.register(_engines[allow_weaker_isolation].close)
    return _engines[allow_weaker_isolation]


class GradeSubmission(Execute):
    """nbgrader's Execute in a sandbox, whose graded cells are judged by `autograder.grading`.

    `c.Execute.timeout` limits a cell as it always did; where nothing is set, the lesson's own limits hold.
    """

    check_seconds = Float(None, allow_none=True, help="Time limit for one case of one exercise, in seconds.").tag(
        config=True
    )
    limits = Dict(help="Other limits, by the names of autograder.limits.Limits, as {'memory_mb': 2048}.").tag(
        config=True
    )
    allow_weaker_isolation = Bool(False, help="Run students' code although a layer of the sandbox is missing.").tag(
        config=True
    )

    def __call__(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """As nbconvert does, but never without running: no verdict must not become full marks."""
        if not self.enabled:
            raise RuntimeError(NOT_SKIPPED)
        return super().__call__(nb, resources)

    def preprocess(self, nb: NotebookNode, resources: dict, km: Any = None) -> tuple[NotebookNode, dict]:
        """Run and judge the whole notebook."""
        where = resources["nbgrader"]
        seed = seed_for(where["db_url"], where["assignment"], where["student"], "\n\n".join(code_of(nb)))
        _, files, notes = read_submission(Path(resources["metadata"]["path"]), where["notebook"])
        nb.metadata["restored"] = [*nb.metadata.get("restored", []), *notes]
        lesson, own_engine = where["notebook"], engine(self.allow_weaker_isolation)

        def graded() -> NotebookNode:
            fresh = copy.deepcopy(nb)
            grade_notebook(fresh, lesson, seed, own_engine, self._limits(lesson), files)
            return fresh

        return undisturbed(own_engine, graded), resources

    def _limits(self, lesson: str) -> Limits:
        """The lesson's limits, and what the configuration says instead."""
        own = dict(self.limits)
        if self.check_seconds is not None:
            own["case_seconds"] = self.check_seconds
        if "timeout" in self.config.Execute or "timeout" in self.config.GradeSubmission:
            own["cell_seconds"] = float(self.timeout)
        return replace(limits_of(lesson), **own)

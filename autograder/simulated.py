"""TRUSTED side: a student's Triton kernel, in a process where no other code of theirs ever ran.

What a simulator counts in the student's own process is that process's word. So the kernel's text is taken from the
cells (`course.checks.kernel_text`: Triton, and no way out of it), and launched by the course's code in a fresh process.
"""

from __future__ import annotations

import importlib
import inspect

from autograder.answers import outcomes_in
from autograder.exercise import Definition
from autograder.student import Student
from course.checks.kernel_text import NotSeen, NotTriton, kernel_text
from course.checks.runner import Outcome
from course.checks.script import Script


def outcomes(student: Student, name: str, script: Script, cells: list[str]) -> list[Outcome]:
    """What a script gives that launches the kernel `name` of these cells. Raises StudentCodeDied."""
    try:
        text = kernel_text(cells, name)
    except NotSeen as unseen:
        return [{"missing": str(unseen)}]
    except NotTriton as error:  # the judge has said so before, unless it is about a helper of ours
        return [{"raised": "NotTriton", "bases": [], "message": str(error), "where": ""}]
    with student.stranger() as stranger:
        stranger.run_cell(text)
        return outcomes_in(stranger.ask({"script": script, "oracle": {}}), len(script))


def ours(definition: Definition) -> str:
    """The text of the course's own version of a kernel or helper, which takes the place of the student's."""
    module = importlib.import_module(f"course.supplied.{definition.id.partition('.')[0]}")
    imports = "import triton\nimport triton.language as tl\n"
    return imports + inspect.getsource(getattr(module, definition.name).fn)

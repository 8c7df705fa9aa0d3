"""A course on Transformers and LLMs in Jupyter notebooks: what a student imports.

`begin` opens a lesson, `check` checks an exercise, `progress` shows how far one has come.
"""

__version__ = "0.1.0"

from course.checking import check
from course.lesson import begin
from course.tracking import progress

__all__ = ["begin", "check", "progress"]

"""nbgrader's configuration: the course lives in this folder. See docs/instructor.md.

nbgrader loads this at every command and when JupyterLab starts, so the source notebooks are always there and fresh.
"""

from pathlib import Path

from autograder.build import refresh_sources
from autograder.configuration import course_config

root = Path(__file__).resolve().parent
refresh_sources(root)
c = get_config()  # noqa: F821 (given by traitlets)
c.merge(course_config(root))

"""Right answers in other shapes than the lesson's own: all of them must get full points.

One module per lesson; in it one class per exercise, named like the exercise, with one right answer per member. They
are graded as text, as a student would have them in a cell, beside the right answers to the other exercises.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import textwrap
from types import FunctionType, ModuleType

from autograder.exercise import Definition


def texts(lesson: str, definition: Definition) -> dict[str, str]:
    """Name -> text of a cell, for every listed alternative of one exercise."""
    module = importlib.import_module(f"{__name__}.{lesson}")
    listed = {k: f for k, f in vars(getattr(module, definition.name)).items() if not k.startswith("_")}
    return {name: _text(module, function, definition.name) for name, function in listed.items()}


def _text(module: ModuleType, function: FunctionType, name: str) -> str:
    own = textwrap.dedent(inspect.getsource(getattr(function, "fn", function)))  # of a Triton kernel its function
    named = re.sub(rf"^(def|class) {function.__name__}\b", rf"\1 {name}", own, count=1, flags=re.MULTILINE)
    return _imports(module) + _helpers(module) + named


def _imports(module: ModuleType) -> str:
    """What the answers' module imports, its answers import too."""
    body = ast.parse(inspect.getsource(module)).body
    return "".join(ast.unparse(node) + "\n" for node in body if isinstance(node, ast.Import)) + "\n\n"


def _helpers(module: ModuleType) -> str:
    functions = [getattr(thing, "fn", thing) for thing in vars(module).values()]
    found = [f for f in functions if isinstance(f, FunctionType) and f.__module__ == module.__name__]
    return "".join(inspect.getsource(f) + "\n\n" for f in found)

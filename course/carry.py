"""`from course.carry import softmax`: what you wrote in an earlier chapter, or the course's own until yours passes.

When an exercise passes its check, the code that defines it, with all that it needs, is kept beside your progress. A
later chapter runs that code, checks it once more, and goes on with it. It says whose function it is. In grading nothing
is kept, so everybody builds on the course's own: a mistake in one chapter costs nothing in the next.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import dis
import importlib
import os
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from course import checking, supplied, tracking
from course.checks import sheet

PLAIN = (int, float, complex, str, bytes, bool, type(None))


class CannotCarry(Exception):
    """The code cannot stand alone; the message says what it uses that only exists in the notebook."""


def __getattr__(name: str) -> Any:
    """Make `from course.carry import name` work for every function of an earlier chapter."""
    if name.startswith("__"):
        raise AttributeError(name)
    chapter, ours = _supplied(name)
    exercise_id = f"{chapter}.{name}"
    yours = kept(exercise_id)
    whose = (
        f"yours, from {chapter}" if yours else f"the course's own (yours from {chapter} has not passed its check here)"
    )
    print(f"{name}: {whose}.")
    return yours or ours


def working(*exercise_ids: str) -> list[Any]:
    """For an experiment in the same chapter: the notebook's own objects where they pass their checks at this moment.

    In the place of those that do not, the course's own. Says of each whose it is.
    """
    namespace, chosen = checking.caller_namespace(), []
    for exercise_id in exercise_ids:
        chapter, _, name = exercise_id.partition(".")
        yours = checking.verdict(sheet.load_sheet(exercise_id), namespace).passed
        ours = getattr(importlib.import_module(f"{supplied.__name__}.{chapter}"), name)
        print(f"{name}: yours." if yours else f"{name}: the course's own (yours does not pass its check yet).")
        chosen.append(namespace[name] if yours else ours)
    return chosen


def keep(exercise_id: str, namespace: dict[str, Any]) -> None:
    """Keep the code behind an exercise that passed, for later chapters. Says so if it cannot stand alone.

    Does nothing for what no later chapter asks for, and nothing while grading.
    """
    name = exercise_id.partition(".")[2]
    if os.environ.get("NBGRADER_EXECUTION") or not _is_supplied(exercise_id):
        return
    with contextlib.suppress(OSError):  # a full disk or a read-only home must not turn a right answer into an error
        try:
            _write(exercise_id, standalone(name, namespace))
        except CannotCarry as error:
            print(f"Later chapters will use the course's own `{name}`: {error}.")


def kept(exercise_id: str) -> Any:
    """The student's own object as kept, if it still passes its check; else None."""
    path, name = _path(exercise_id), exercise_id.partition(".")[2]
    try:
        names = _run(path.read_text(encoding="utf-8"), str(path), exercise_id)
        return names[name] if checking.verdict(sheet.load_sheet(exercise_id), names).passed else None
    except Exception:  # not there, damaged, or made for another version of the course: the course's own will do
        return None


def standalone(name: str, namespace: dict[str, Any]) -> str:
    """The source of `name` and of everything of the notebook's that it uses, as a module that stands alone.

    Raises CannotCarry.
    """
    lines: dict[str, str] = {}
    _collect(name, namespace, lines)
    return "\n\n".join(lines.values()) + "\n"


def _collect(name: str, namespace: dict[str, Any], lines: dict[str, str]) -> None:
    """Add to `lines`, in an order that runs, how `name` comes about."""
    if name in lines:
        return
    thing = namespace[name]
    if (simple := _imported(name, thing)) is not None:
        lines[name] = simple
        return
    source = checking.source_of(thing) or _in_cells(name, namespace)
    if not source:
        raise CannotCarry(f"it uses `{name}`, which only exists in this notebook")
    lines[name] = ""  # a function that it calls may call it back
    for used in _globals(source):
        if used in namespace and used != name and not hasattr(builtins, used):
            _collect(used, namespace, lines)
    lines[name] = lines.pop(name) or source


def _imported(name: str, thing: Any) -> str | None:
    """The line that makes a module, a library's object or a plain value; None for what the notebook defines."""
    if isinstance(thing, ModuleType):
        return f"import {thing.__name__} as {name}"
    if isinstance(thing, PLAIN) or (isinstance(thing, tuple) and all(isinstance(x, PLAIN) for x in thing)):
        return f"{name} = {thing!r}"
    module, own_name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", "")
    if not isinstance(module, str) or module == "__main__":
        return None
    if module.startswith(("course.carry.", "course.supplied.")) and _is_supplied(f"{module.split('.')[2]}.{own_name}"):
        return f"from course.carry import {own_name} as {name}"
    return f"from {module} import {own_name} as {name}" if own_name.isidentifier() else None


def _in_cells(name: str, namespace: dict[str, Any]) -> str:
    """The text of the last cell's `class name` (Python finds none of a notebook's); empty if there is none."""
    for cell in reversed(namespace.get("In", [])):
        with contextlib.suppress(SyntaxError):
            for node in ast.parse(cell).body:
                if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
                    start = min([node.lineno, *(d.lineno for d in node.decorator_list)])
                    return "\n".join(cell.splitlines()[start - 1 : node.end_lineno])
    return ""


def _globals(source: str) -> Iterator[str]:
    """The names that a piece of code looks up outside of itself."""
    try:
        todo = [compile(source, "cell", "exec", dont_inherit=True)]
    except SyntaxError as error:  # the line of a lambda inside of a call
        raise CannotCarry("its code is not a `def` or a `class` of its own") from error
    while todo:
        code = todo.pop()
        todo += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
        found = [i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")]
        yield from dict.fromkeys(found)


def _run(text: str, filename: str, exercise_id: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": f"course.carry.{exercise_id}"}
    with contextlib.redirect_stdout(None):
        exec(compile(text, filename, "exec"), names)
    return names


def _path(exercise_id: str) -> Path:
    return tracking.path().parent / "carried" / f"{exercise_id}.py"


def _write(exercise_id: str, text: str) -> None:
    """Keep the text if it passes by itself, in a namespace of its own."""
    path = _path(exercise_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.read_text(encoding="utf-8") if path.exists() else None
    if text == before:
        return
    path.write_text(text, encoding="utf-8")
    if kept(exercise_id) is None:
        path.write_text(before, encoding="utf-8") if before else path.unlink()
        raise CannotCarry("what it needs only exists in this notebook")


def _is_supplied(exercise_id: str) -> bool:
    """Whether later chapters build on an exercise. Imports its chapter's module only: others may need torch."""
    chapter, _, name = exercise_id.partition(".")
    known = [found.name for found in pkgutil.iter_modules(supplied.__path__)]
    return chapter in known and name in importlib.import_module(f"course.supplied.{chapter}").__all__


def _supplied(name: str) -> tuple[str, Any]:
    """The chapter of a name, and the course's own version. Raises AttributeError, which lists what there is."""
    for module in _modules():
        if name in module.__all__:
            return module.__name__.rpartition(".")[2], getattr(module, name)
    known = ", ".join(name for module in _modules() for name in module.__all__)
    raise AttributeError(f"No earlier chapter builds {name!r}. What can be carried on: {known}.")


def _modules() -> Iterator[Any]:
    """The supplied chapters in the course's order; the first ones need no torch, which takes its time to import."""
    for found in pkgutil.iter_modules(supplied.__path__):
        yield importlib.import_module(f"course.supplied.{found.name}")

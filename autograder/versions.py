"""The version of the grader: a digest of everything of ours that decides a verdict on one assignment."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import autograder

ROOT = Path(autograder.__file__).resolve().parents[1]
OURS = ("autograder", "course", "kernels")
# Where grading begins. The untrusted side is started by name, so no import leads to it.
ENTRANCES = ("autograder.submission", "autograder.engine", "autograder.untrusted.__main__")


def grader_version(lesson: str, known: dict[str, Any], *settings: Any) -> str:
    """A digest of the grading code, the lesson's exercises, the known cells and what else is set for this run.

    A change of any of these makes earlier results results of another grader.
    """
    told = {
        "code": code_version(lesson),
        "cells": {name: asdict(cell) for name, cell in sorted(known.items())},
        "settings": settings,
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=_plain).encode()).hexdigest()


@cache
def code_version(lesson: str) -> str:
    """A digest of all modules that grading this lesson may import. The same on every machine with the same code."""
    digest = hashlib.sha256()
    text = ROOT / "source" / lesson / f"{lesson}.py"  # says which cells are not run
    modules = _reached([*ENTRANCES, f"autograder.exercises.{lesson}"])
    for path in sorted(modules | ({text} if text.exists() else set())):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _reached(entrances: list[str]) -> set[Path]:
    """The files of these modules and of all modules of ours that they import, directly or not."""
    found: set[Path] = set()
    todo = [path for name in entrances for path in _files(name)]
    while todo:
        path = todo.pop()
        if path not in found:
            found.add(path)
            todo += [file for name in _imports(path) for file in _files(name)]
    return found


def _files(name: str) -> Iterator[Path]:
    """The file of a module of ours, if `name` is one (it may also be something inside a module)."""
    if name.partition(".")[0] in OURS:
        base = ROOT.joinpath(*name.split("."))
        yield from (p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file())


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _plain(value: Any) -> Any:
    return asdict(value) if hasattr(value, "__dataclass_fields__") else str(value)

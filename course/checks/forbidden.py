"""Find out which library names a student's function uses, by reading its code (never by running it)."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
USUAL = {"np": "numpy", "F": "torch.nn.functional"}  # where the imports are not among the cells
MAGIC = re.compile(r"^([ \t]*)([\w, \t]+=[ \t]*)?[%!?].*$|^([ \t]*)[\w.]+\?+[ \t]*$", re.MULTILINE)


def names_used(cells: list[str], start: str) -> set[str]:
    """Dotted names that the function or class `start` uses, directly or through other definitions in the cells.

    Import aliases are resolved: `F.softmax` after `import torch.nn.functional as F` is `torch.nn.functional.softmax`.
    A name is looked up as defined last. Cells that do not parse are left out, as they cannot have run.
    """
    trees = [tree for tree in map(_parsed, cells) if tree]
    alias = dict(USUAL)
    defined: dict[str, list[ast.stmt]] = {}
    for tree in trees:
        alias |= _imports(tree)
        for statement in tree.body:
            _note(statement, defined)
    known = set(defined) | set(alias) | set(dir(builtins))
    stars = {n.module for tree in trees for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and _is_star(n)}
    used: set[str] = set()
    for statement in _reached(start, defined):
        names, local = _dotted_names(statement), _local(statement)
        used |= {_resolved(n, alias | _imports(statement)) for n in names}
        unknown = {n for n in names if n.partition(".")[0] not in known | local}
        used |= {f"{module}.{n}" for module in stars for n in unknown}  # it can only have come with a star import
    return used


def first_forbidden(cells: list[str], start: str, forbids: dict[str, str]) -> str | None:
    """The first forbidden name that `start` uses (or something inside it), or None."""
    used = names_used(cells, start)
    return next((name for name in forbids if any(f"{u}.".startswith(f"{name}.") for u in used)), None)


def _parsed(cell: str) -> ast.Module | None:
    """A cell's statements. IPython's own lines (`%time f()`, `!ls`, `x?`) are passed over, and so is its `await`."""
    for text in (cell, MAGIC.sub(r"\1\3pass", cell)):
        try:
            return compile(text, "cell", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    return None


def _note(statement: ast.stmt, defined: dict[str, list[ast.stmt]]) -> None:
    """Enter a statement under each name that it defines (`def f`, `f = ...`) or adds to (`Block.forward = ...`)."""
    if isinstance(statement, Definition):
        defined[statement.name] = [statement]
        return
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        defined.update({t.id: [] for t in targets if isinstance(t, ast.Name)})
    for name in _bound(statement):
        defined.setdefault(name, []).append(statement)


def _bound(statement: ast.stmt) -> set[str]:
    nodes = list(ast.walk(statement))
    stored = {_dotted(n).partition(".")[0] for n in nodes if isinstance(getattr(n, "ctx", None), ast.Store)}
    return (stored | {n.name for n in nodes if isinstance(n, Definition)}) - {""}


def _reached(start: str, defined: dict[str, list[ast.stmt]]) -> Iterator[ast.stmt]:
    """The statements that define `start`, then those that define what these use."""
    todo, seen = [start], set()
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            for statement in defined.get(name, []):
                yield statement
                todo += {n.partition(".")[0] for n in _dotted_names(statement)} - _local(statement)


def _local(statement: ast.stmt) -> set[str]:
    """Names of a function's own: its arguments, and what is assigned in it."""
    if not isinstance(statement, Definition):
        return set()
    nodes = list(ast.walk(statement))
    stored = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    inner = {n.name for n in nodes if isinstance(n, Definition)}
    return stored | inner | {n.arg for n in nodes if isinstance(n, ast.arg)}


def _is_star(node: ast.ImportFrom) -> bool:
    return node.names[0].name == "*"


def _imports(tree: ast.AST) -> dict[str, str]:
    alias: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for a in node.names:
                alias |= {a.asname: a.name} if a.asname else {a.name.partition(".")[0]: a.name.partition(".")[0]}
        if isinstance(node, ast.ImportFrom):
            alias |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    return alias


def _resolved(name: str, alias: dict[str, str]) -> str:
    stem, dot, rest = name.partition(".")
    return alias.get(stem, stem) + dot + rest


def _dotted_names(node: ast.AST) -> set[str]:
    return {_dotted(n) for n in ast.walk(node) if isinstance(n, ast.Name | ast.Attribute)} - {""}


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        stem = _dotted(node.value)
        return f"{stem}.{node.attr}" if stem else ""
    return ""

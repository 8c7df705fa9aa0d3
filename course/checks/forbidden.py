"""Find out which library names a student's function uses, by reading its code (never by running it)."""

from __future__ import annotations

import ast

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def names_used(cells: list[str], start: str) -> set[str]:
    """Dotted names that the function or class `start` uses, directly or through other definitions in the cells.

    Import aliases are resolved: `F.softmax` after `import torch.nn.functional as F` is `torch.nn.functional.softmax`.
    A name is looked up as defined last. Cells that do not parse are left out, as they cannot have run.
    """
    alias: dict[str, str] = {}
    defined: dict[str, Definition] = {}
    for tree in filter(None, map(_parsed, cells)):
        alias |= _imports(tree)
        defined |= {node.name: node for node in tree.body if isinstance(node, Definition)}
    used: set[str] = set()
    todo, seen = [start], set()
    while todo:
        name = todo.pop()
        if name in defined and name not in seen:
            seen.add(name)
            names = _dotted_names(defined[name])
            used |= {_resolved(n, alias | _imports(defined[name])) for n in names}
            todo += [n.partition(".")[0] for n in names]
    return used


def first_forbidden(cells: list[str], start: str, forbids: dict[str, str]) -> str | None:
    """The first forbidden name that `start` uses (or something inside it), or None."""
    used = names_used(cells, start)
    return next((name for name in forbids if any(f"{u}.".startswith(f"{name}.") for u in used)), None)


def _parsed(cell: str) -> ast.Module | None:
    try:
        return ast.parse(cell)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


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

"""Mutants of a solution: its text with one small fault each (`autograder.mutation`), duplicates left out.

A mutant whose bytecode equals the solution's, or an earlier mutant's, tests nothing new. Such ones are counted apart.
"""

from __future__ import annotations

import ast
import copy
import functools
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

from autograder.mutation import OPERATORS, number_of, scope_of

Path = tuple[tuple[str, int | None], ...]
KERNEL, MOST_OF_KERNEL = "@triton.jit", 100  # a kernel has thousands, and each is simulated, which takes seconds
NOT_MUTATED = ("annotation", "returns", "decorator_list", "ctx", "keywords_only")


@dataclass(frozen=True)
class Mutant:
    """A solution with one fault. `before` and `after` are the statement that holds it, on one line."""

    operator: str
    line: int  # of the statement, in the answer cell
    before: str
    after: str
    text: str = field(repr=False)

    @property
    def name(self) -> str:
        """What the list of equivalent mutants knows it by: it survives changes elsewhere in the solution."""
        return f"{self.before} => {self.after}"


@dataclass(frozen=True)
class Mutants:
    """All mutants of one solution, and how many were left out because their bytecode is not new."""

    kept: list[Mutant]
    trivial: int


@functools.cache
def mutants_of(text: str) -> Mutants:
    """Every mutant of the solution in an answer cell, in an order that is always the same.

    Texts that do not compile are no mutants: nobody can run them. Of a Triton kernel an even sample is kept.
    """
    tree = _without_docstrings(ast.parse(text))
    seen = {_meaning(tree)}
    kept, trivial = [], 0
    for operator, path, mutated in _mutated(tree):
        meaning = _meaning(mutated)
        if meaning is None:
            continue
        if meaning in seen:
            trivial += 1
            continue
        seen.add(meaning)
        kept.append(_mutant(operator, path, tree, mutated))
    return Mutants(_sample(kept, MOST_OF_KERNEL) if KERNEL in text else kept, trivial)


def _sample(mutants: list[Mutant], most: int) -> list[Mutant]:
    """Evenly from first to last, no more than so many."""
    return [mutants[i * len(mutants) // most] for i in range(most)] if len(mutants) > most else mutants


def _mutated(tree: ast.Module) -> Iterator[tuple[str, Path, ast.Module]]:
    scope = scope_of(tree)
    for path, node in _sites(tree):
        for name, operator in OPERATORS.items():
            for replacement in operator(node, scope):
                yield name, path, _with(tree, path, replacement)


def _sites(node: ast.AST, path: Path = ()) -> Iterator[tuple[Path, ast.AST]]:
    """Every place where a fault may sit, in the order of the text."""
    for name, value in ast.iter_fields(node):
        if name in NOT_MUTATED:
            continue
        for i, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST):
                here = (*path, (name, i))
                yield here, child
                if _goes_on(child):
                    yield from _sites(child, here)


def _goes_on(node: ast.AST) -> bool:
    """Not into a negative number, which is one constant, nor into the words of an error message."""
    return not isinstance(node, ast.JoinedStr) and (number_of(node) is None or isinstance(node, ast.Constant))


def _with(tree: ast.Module, path: Path, replacement: ast.AST) -> ast.Module:
    changed = copy.deepcopy(tree)
    parent = _at(changed, path[:-1])
    name, index = path[-1]
    if index is None:
        setattr(parent, name, copy.deepcopy(replacement))
    else:
        getattr(parent, name)[index] = copy.deepcopy(replacement)
    return ast.fix_missing_locations(changed)


def _at(tree: ast.AST, path: Path) -> Any:
    for name, index in path:
        value = getattr(tree, name)
        tree = value if index is None else value[index]
    return tree


def _mutant(operator: str, path: Path, tree: ast.Module, mutated: ast.Module) -> Mutant:
    steps = [i for i in range(1, len(path) + 1) if isinstance(_at(tree, path[:i]), ast.stmt)]
    before, after = (_at(t, path[: steps[-1]]) for t in (tree, mutated))
    return Mutant(operator, before.lineno, _line(before), _line(after), ast.unparse(mutated))


def _line(statement: ast.AST) -> str:
    """A statement on one line; of a block, its head."""
    if isinstance(statement, ast.Pass):
        return "(dropped)"
    if not isinstance(statement, ast.stmt):
        return ast.unparse(statement)
    text = ast.unparse(statement)
    return " ".join(textwrap.dedent(text.splitlines()[0] if hasattr(statement, "body") else text).split())


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def _meaning(tree: ast.Module) -> tuple | None:
    """The bytecode, without line numbers; None if the tree does not compile."""
    try:
        return _of_code(compile(ast.unparse(tree), "<solution>", "exec", dont_inherit=True))
    except (SyntaxError, ValueError, RecursionError):
        return None


def _of_code(code: CodeType) -> tuple:
    constants = tuple(_of_code(c) if isinstance(c, CodeType) else (type(c).__name__, repr(c)) for c in code.co_consts)
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    return code.co_code, constants, names, code.co_exceptiontable

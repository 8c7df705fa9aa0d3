"""The examples in the exercises' docstrings, which students try first, give what they say."""

from __future__ import annotations

import ast
import doctest

from tests.grading.classroom import solved
from tests.lessons.tools import namespace_of

SPACES_ARE_ALIKE = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def test_the_examples_of_the_solved_lesson_hold(lesson: str) -> None:
    """With the lesson's own solutions and what its first cell imports, and nothing else."""
    names = namespace_of(lesson, "")
    tests = [found for text in solved(lesson).values() for found in examples(text, names)]
    said: list[str] = []
    assert sum(len(test.examples) for test in tests) >= 4
    for test in tests:
        doctest.DocTestRunner(optionflags=SPACES_ARE_ALIKE).run(test, out=said.append, clear_globs=False)
    assert not said, "".join(said)


def examples(text: str, names: dict[str, object]) -> list[doctest.DocTest]:
    """The examples of every function and class that a cell defines."""
    definitions = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    found = [(d.name, ast.get_docstring(d) or "") for d in definitions]
    return [doctest.DocTestParser().get_doctest(words, names, name, None, 0) for name, words in found]

"""Mutants: the right faults, each once, always in the same order."""

from __future__ import annotations

import ast
import textwrap

import pytest

from autograder.exercise import Definition, definitions, lessons
from autograder.mutants import Mutant, mutants_of
from autograder.mutation import OPERATORS
from tests.grading.classroom import solved


def made_of(body: str, arguments: str = "x, y, n: int") -> list[Mutant]:
    """The mutants of a function with this body."""
    return mutants_of(f"def f({arguments}):\n{textwrap.indent(textwrap.dedent(body), '    ')}").kept


def afters(body: str, operator: str, arguments: str = "x, y, n: int") -> set[str]:
    """The changed statements that one operator makes."""
    return {m.after for m in made_of(body, arguments) if m.operator == operator}


EXAMPLES: dict[str, tuple[str, set[str]]] = {
    # operator: a statement, and some of what it becomes
    "arithmetic operator": ("return x @ y", {"return x * y", "return x + y"}),
    "operand dropped": ("return g(x - y)", {"return g(x)", "return g(y)"}),
    "operands swapped": ("return x @ y", {"return y @ x"}),
    "comparison": ("return x < y", {"return x <= y", "return x > y", "return x == y"}),
    "and/or": ("return x and y", {"return x or y"}),
    "sign or negation dropped": ("return g(~x)", {"return g(x)"}),
    "sign flipped": ("return x @ y", {"return -(x @ y)"}),
    "doubled": ("return x @ y", {"return 2 * (x @ y)"}),
    "constant": ("return x[-1]", {"return x[0]", "return x[-2]"}),
    "off by one": ("return range(len(x))", {"return range(len(x) - 1)", "return range(1, len(x))"}),
    "call dropped": ("return g(x.sum(y))", {"return g(x)", "return g(y)"}),
    "keyword dropped": ("return x.sum(axis=0, keepdims=True)", {"return x.sum(axis=0)"}),
    "argument dropped": ("return g(x, y)", {"return g(x)"}),
    "arguments swapped": ("return g(x, y, 1)", {"return g(y, x, 1)", "return g(x, 1, y)"}),
    "argument copied": ("return g(x + 1, y)", {"return g(x + 1, x + 1)", "return g(y, y)"}),
    "another function": ("return x.mean()", {"return x.sum()", "return x.max()", "return x.prod()"}),
    "offset added": ("return np.tril(x)", {"return np.tril(x, k=1)", "return np.tril(x, k=-1)"}),
    "dtype": ("return np.ones(n, dtype=bool)", {"return np.ones(n, dtype=int)", "return np.ones(n, dtype=float)"}),
    "transpose dropped": ("return g(x.T)", {"return g(x)"}),
    "transpose added": ("return x @ y", {"return x.T @ y", "return x @ y.T"}),
    "another variable": ("return g(x)", {"return g(y)"}),
    "another key": ("return y['a'] + y['b']", {"return y['b'] + y['b']"}),
    "subscript dropped": ("return g(x)[0]", {"return g(x)"}),
    "statement dropped": ("x = g(x)\nreturn x", {"(dropped)"}),
    "another value returned": ("z = g(x)\nreturn g(z)", {"return x", "return y", "return z"}),
    "order of results": ("return x, y", {"return (y, x)"}),
    "condition inverted": ("if x:\n    return y", {"if not x:"}),
    "condition fixed": ("if x:\n    return y\nelse:\n    return n", {"if True:", "if False:"}),
    "another exception": ("raise ValueError('no')", {"raise RuntimeError('no')"}),
    "loop cut short": ("for i in x:\n    g(i)", {"for i in x[1:]:", "for i in x[:-1]:"}),
    "in place": ("x = x + y\nreturn x", {"x += y"}),
}


@pytest.mark.parametrize("operator", OPERATORS)
def test_each_operator_makes_its_faults(operator: str) -> None:
    body, expected = EXAMPLES[operator]
    assert expected <= afters(body, operator)


def test_the_line_and_the_statement_are_given() -> None:
    (mutant,) = [m for m in made_of("y = 2\n\nreturn (\n    x\n    @ y)") if m.operator == "operands swapped"]
    assert (mutant.line, mutant.before, mutant.after) == (4, "return x @ y", "return y @ x")
    assert mutant.name == "return x @ y => return y @ x"
    assert ast.parse(mutant.text).body[0].name == "f"


def test_a_name_does_not_depend_on_what_stands_around() -> None:
    one = {m.name for m in made_of("return x + y")}
    two = {m.name for m in mutants_of('def f(x, y, n: int):\n    """Words."""\n\n    # more\n    return (x + y)').kept}
    assert one == two


def test_same_bytecode_is_left_out_and_counted() -> None:
    made = mutants_of("def f(x):\n    return x + 0 * 1")
    texts = [m.text for m in made.kept]
    assert len(set(texts)) == len(texts)
    assert made.trivial > 0  # 0 * 1, 0 + 1 - 1 ... are all folded
    assert not any(m.after in ("return x + 0", "return x + 0 * 2") for m in made.kept)


def test_nobody_runs_a_docstring_or_an_annotation() -> None:
    text = '''def f(x: np.ndarray[2, 3], n: int = 1) -> "1":
    """Gives 3 times 4."""
    if n < 0:
        raise ValueError(f"n must not be below {n + 0}")
    return x
'''
    made = mutants_of(text).kept
    assert not any("Gives" in m.text for m in made)
    assert all("np.ndarray[2, 3]" in m.text and "'1'" in m.text for m in made)
    assert all("must not be below {n + 0}" in m.text for m in made if "ValueError" in m.text and "raise" in m.text)


def test_only_names_of_one_role_are_taken_for_each_other() -> None:
    made = afters("z = x @ p['w']\nreturn g(z, p['w'], n)", "another variable", "x, p, n: int, q: float")
    assert made == {
        "return g(x, p['w'], n)",
        "return g(z, p['w'], q)",
    }  # neither a table for an array, nor an array for a number, nor z before there is a z


def test_attributes_of_an_object_are_mixed_up() -> None:
    text = """class C:
    def __init__(self, a, b):
        self.a = a
        self.b = b

    def sum(self):
        return self.a + self.b
"""
    made = {m.after for m in mutants_of(text).kept if m.operator == "another variable"}
    assert {"return self.b + self.b", "return self.a + self.a", "self.a = b"} <= made


def test_what_does_not_compile_is_no_mutant() -> None:
    assert all(
        compile(m.text, "", "exec") for m in made_of("for i in x:\n    if i:\n        break\n    n += 1\nreturn n")
    )
    assert not any(m.after == "(dropped)" and m.before.startswith("def") for m in made_of("return 1"))


ANSWERS = {
    d.id: solved(lesson)[d.id]
    for lesson in lessons()
    for d in definitions(lesson).values()
    if isinstance(d, Definition)
}


@pytest.mark.parametrize("exercise_id", ANSWERS)
def test_every_answer_has_many(exercise_id: str) -> None:
    made = mutants_of(ANSWERS[exercise_id]).kept
    assert len(made) >= 2  # an answer of one call leaves little to break
    assert all(m.before != m.after for m in made)


@pytest.mark.parametrize("exercise_id", list(ANSWERS)[::6])
def test_they_are_always_the_same(exercise_id: str) -> None:
    one, two = mutants_of(ANSWERS[exercise_id]), mutants_of.__wrapped__(ANSWERS[exercise_id])
    assert [(m.name, m.text) for m in one.kept] == [(m.name, m.text) for m in two.kept]


def test_answers_have_many_mutants_of_many_kinds() -> None:
    """On average; so that the audit's share is one of something."""
    made = [mutants_of(answer).kept for answer in ANSWERS.values()]
    assert sum(map(len, made)) >= 30 * len(made)
    assert sum(len({m.operator for m in kept}) for kept in made) >= 8 * len(made)

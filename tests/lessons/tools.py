"""What the tests of lessons share: an exercise's secrets as text, a notebook that runs, cases and numbers."""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import re
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
from nbclient import NotebookClient
from nbformat.notebooknode import NotebookNode

from autograder.exercise import Definition, Question, definitions, find
from autograder.grading import generator, judged
from course.checks.judge import Verdict
from course.checks.runner import run_script
from course.checks.sheet import Sheet
from tests.grading.classroom import ROOT, solved, solved_imports, text_of

TELLING = 20  # a shorter line of code tells nothing: `return w @ v, w` and the like
BEGIN_END = re.compile(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", re.DOTALL)


def computing(lesson: str) -> list[Definition]:
    """The lesson's exercises that are not questions."""
    return [d for d in definitions(lesson).values() if isinstance(d, Definition)]


def questions(lesson: str) -> list[Question]:
    """The lesson's check questions."""
    return [d for d in definitions(lesson).values() if isinstance(d, Question)]


def executed(notebook: NotebookNode, folder: Path, allow_errors: bool = False) -> NotebookNode:
    """Run a copy of a notebook in a fresh kernel, somewhere else than in the repository."""
    copy = nbformat.from_dict(notebook)
    client = NotebookClient(copy, timeout=240, allow_errors=allow_errors, resources={"metadata": {"path": str(folder)}})
    return client.execute()


def shown(cell: NotebookNode) -> str:
    """What a cell's outputs say, as text."""
    parts = [o.get("text") or o.get("data", {}).get("text/html") or o.get("data", {}).get("text/plain", "")
             for o in cell.get("outputs", [])]  # fmt: skip
    return text_of(" ".join("".join(p) for p in parts))


def solution_lines(lesson: str) -> set[str]:
    """Telling lines of the lesson's own solutions."""
    text = (ROOT / "source" / lesson / f"{lesson}.py").read_text(encoding="utf-8")
    return {line for body in BEGIN_END.findall(text) for line in _telling(body)}


def answer_lines(lesson: str) -> set[str]:
    """The solved answers to the lesson's check questions."""
    answers = solved(lesson)
    return {answers[q.id].strip() for q in questions(lesson)}


def reference_lines(lesson: str) -> set[str]:
    """Telling lines of the references' code."""
    return {line for d in computing(lesson) for line in _code_lines(d.reference)}


def misconception_lines(lesson: str) -> set[str]:
    """Telling lines of the misconceptions' code."""
    return {line for d in computing(lesson) for m in d.misconceptions.values() for line in _code_lines(m)}


def _code_lines(thing: Any) -> set[str]:
    """Lines of a function or class, as its author wrote them, without signature and docstring."""
    text = textwrap.dedent(inspect.getsource(getattr(thing, "fn", thing)))
    node = ast.parse(text).body[0]
    skip = {node.lineno} | set(range(node.lineno, node.body[0].lineno))
    if ast.get_docstring(node):
        skip |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return _telling("\n".join(line for i, line in enumerate(text.splitlines(), 1) if i not in skip))


def _telling(text: str) -> set[str]:
    lines = {" ".join(line.split("  #")[0].split()) for line in text.splitlines()}
    return {line for line in lines if len(line) >= TELLING}


def namespace_of(lesson: str, text: str) -> dict[str, Any]:
    """The variables of a notebook in which every exercise is solved, but one answer cell holds `text`."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for answer in [solved_imports(lesson), *solved(lesson).values(), text]:
        file = f"<ipython-input-{len(linecache.cache)}>"  # Triton reads the text of its functions there
        linecache.cache[file] = len(answer), None, answer.splitlines(keepends=True), file
        exec(compile(answer, file, "exec"), names)
    return names


def hidden_verdict(definition: Definition, seed: int, names: dict[str, Any], text: str) -> Verdict:
    """What hidden grading says of `names` when the cases are drawn from `seed`."""
    with np.errstate(all="ignore"):
        sheet = functools.partial(_sheet, definition.id, seed)
        return judged(sheet, lambda: lambda script: run_script(script, names), [text] if text else [])


def sheet_of(definition: Definition | Question, seed: int) -> Sheet:
    """The hidden cases that grading draws from `seed`."""
    return _sheet(definition.id, seed, 0)


@cache
def _sheet(exercise_id: str, seed: int, round: int) -> Sheet:
    return find(exercise_id).sheet(generator(seed, exercise_id, round))


def expected_numbers(definition: Definition, seed: int) -> set[str]:
    """Every expected number of the hidden cases that tells something, to 4, 5 and 6 digits; and those in texts."""
    outcomes = [c.expected for c in sheet_of(definition, seed).cases]
    values = np.array([abs(x) for x in _numbers(outcomes)])
    written = {digits for text in _texts(outcomes) for digits in re.findall(r"\d{4,}", text)}
    texts = {f"{x:.{d}g}" for x in values for d in (4, 5, 6)}
    return written | {text for text in texts if len(text.replace(".", "").strip("0")) >= 4}


def _texts(tree: Any) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, dict | list | tuple):
        for item in tree.values() if isinstance(tree, dict) else tree:
            yield from _texts(item)


def _numbers(tree: Any) -> Iterator[float]:
    tree = getattr(tree, "array", tree)
    if isinstance(tree, dict | list | tuple):
        for item in tree.values() if isinstance(tree, dict) else tree:
            yield from _numbers(item)
    elif isinstance(tree, np.ndarray) and tree.dtype.kind == "f":
        yield from (float(x) for x in tree.flat if np.isfinite(x))
    elif isinstance(tree, float) and np.isfinite(tree):
        yield tree

"""Make notebooks of a lesson's cells: nbgrader's source notebook, and the solved one for self-study."""

from __future__ import annotations

import hashlib
import json
import re
import textwrap
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from autograder.exercise import Question
from autograder.lesson_source import Cell, heading

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
KERNEL = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
          "language_info": {"name": "python"}}  # fmt: skip


def grade_id(exercise_id: str) -> str:
    """nbgrader's name for an exercise's graded cell: it allows no dots."""
    return exercise_id.replace(".", "-")


def directive(exercise_id: str) -> str:
    """The hidden line of a graded cell: all that grading needs to know."""
    return f"graded({json.dumps(exercise_id)})"


DIRECTIVE = re.compile(r'^graded\("([\w.]+)"\)$', re.MULTILINE)


def source_notebook(lesson: str, cells: list[Cell], edition: str) -> nbformat.NotebookNode:
    """The notebook that nbgrader's generate_assignment reads: solutions between markers, hidden directives."""
    made = [m for cell in cells for m in _source_cells(cell, lesson, edition)]
    _name_cells(made)
    return _notebook(lesson, made, edition)


def solved_notebook(lesson: str, cells: list[Cell], edition: str) -> nbformat.NotebookNode:
    """The solved lesson: no markers, no outputs, no nbgrader metadata."""
    made = []
    for cell in source_notebook(lesson, cells, edition).cells:
        text = re.sub(r"### BEGIN HIDDEN TESTS.*?### END HIDDEN TESTS\n?", "", cell.source, flags=re.DOTALL)
        lines = [line for line in text.splitlines() if line.strip() not in (BEGIN, END)]
        made.append({**cell, "source": "\n".join(lines).rstrip(), "metadata": {}})
    return _notebook(lesson, [nbformat.from_dict(m) for m in made], edition)


def write(notebook: nbformat.NotebookNode) -> str:
    """The text of a notebook file, always the same for the same notebook."""
    nbformat.validate(notebook)
    return nbformat.writes(notebook, version=4) + "\n"


def _notebook(lesson: str, cells: list[Any], edition: str) -> nbformat.NotebookNode:
    notebook = new_notebook(cells=cells, metadata={**KERNEL, "course": {"lesson": lesson, "edition": edition}})
    notebook.nbformat_minor = 5
    return notebook


def _name_cells(cells: list[nbformat.NotebookNode]) -> None:
    """Give every cell a stable id: the exercise's name, or a digest of its text."""
    seen: dict[str, int] = {}
    for cell in cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id") or _digest(cell.cell_type + cell.source)
        seen[name] = seen.get(name, 0) + 1
        cell.id = name if seen[name] == 1 else f"{name}-{seen[name]}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _source_cells(cell: Cell, lesson: str, edition: str) -> list[nbformat.NotebookNode]:
    if cell.kind == "markdown":
        return [new_markdown_cell(cell.text)]
    if cell.definition is None:
        text = cell.text.replace(f'begin("{lesson}")', f'begin("{lesson}", edition="{edition}")')
        return [new_code_cell(text)]
    if isinstance(cell.definition, Question):
        return [_question_text(cell.definition), _answer_cell(cell.definition), _check_cell(cell.definition)]
    return [_solution_cell(cell), _check_cell(cell.definition)]


def _nbgrader(name: str, **kind: Any) -> dict[str, Any]:
    base = {"schema_version": 3, "grade_id": name, "grade": False, "solution": False, "locked": False, "task": False}
    return {"nbgrader": {**base, **kind}}


def _solution_cell(cell: Cell) -> nbformat.NotebookNode:
    name = grade_id(cell.definition.id) + "-code"
    return new_code_cell(cell.text, metadata=_nbgrader(name, solution=True))


def _check_cell(definition: Any) -> nbformat.NotebookNode:
    """One locked cell serves student and grader: the visible check, and below it the directive that release removes."""
    hidden = f"### BEGIN HIDDEN TESTS\n{directive(definition.id)}\n### END HIDDEN TESTS"
    kind = _nbgrader(grade_id(definition.id), grade=True, locked=True, points=definition.points)
    return new_code_cell(f'check("{definition.id}")\n{hidden}', metadata=kind)


def _question_text(question: Question) -> nbformat.NotebookNode:
    options = "\n".join(f"- **{o.key}** {o.text}" for o in question.options)
    return new_markdown_cell(f"{heading(question)}\n\n{question.summary}\n\n{options}")


def _answer_cell(question: Question) -> nbformat.NotebookNode:
    """The answer lives in code, so it survives reopening, other editors and plain text, and is graded like the rest."""
    many = len(question.answer) > 1
    solved = f"{question.name} = {json.dumps(question.answer if many else question.answer[0])}"
    keys = ", ".join(f'"{o.key}"' for o in question.options)
    stub = f"{question.name} = {'[]' if many else 'None'}  # your answer: {'any of' if many else 'one of'} {keys}"
    kind = _nbgrader(grade_id(question.id) + "-code", solution=True)
    return new_code_cell(textwrap.dedent(f"{BEGIN}\n{solved}\n{END}"), metadata={**kind, "course": {"stub": stub}})

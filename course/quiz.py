"""Check questions: a picker that writes the answer into the notebook, and a card that explains the chosen option.

The answer lives in the notebook's own code (`why_scale = "b"`), so it survives reopening and is graded like any other
cell. The picker only types it for the student; the card is ordinary output, which is saved with the notebook.
"""

from __future__ import annotations

from typing import Any

from IPython.display import display

from course import checking, tracking
from course.checks.judge import Verdict, chosen_keys
from course.checks.report import Report
from course.checks.sheet import Sheet, answer_digest
from course.widgets.views import Picker


class AnswerCard(Report):
    """The report on an answer. The live picker explains the choice itself, so the card then only gives the result.

    In a notebook that was closed and opened again there is no live picker, but a line of JupyterLab's that the widget
    was not found: that line goes, and the explanation stands in its place.
    """

    def _repr_html_(self) -> str:
        return super()._repr_html_() + _ONE_EXPLANATION


_CHILD = ".jp-OutputArea-child"
_ONE_EXPLANATION = (
    f"<style>{_CHILD}:has(.cw-picker) + {_CHILD} .course-explanation,"
    f"{_CHILD}:has(+ {_CHILD} .course-explanation) > .jp-OutputArea-output:not(:has(*)) {{ display: none }}</style>"
)


def show(sheet: Sheet, namespace: dict[str, Any], found: Verdict) -> Picker:
    """Show the picker with the current answer and, below it, what the check says of it."""
    picker = _picker(sheet, namespace.get(sheet.name))
    display(picker)
    card = display(AnswerCard(found), display_id=True)

    def choose(change: dict[str, Any]) -> None:
        keys = sorted(change["new"])
        namespace[sheet.name] = keys if sheet.multiple else (keys[0] if keys else None)
        verdict = checking.verdict(sheet, namespace)
        tracking.record(verdict)
        card.update(AnswerCard(verdict))

    picker.observe(choose, "chosen")
    return picker


def _picker(sheet: Sheet, answer: Any) -> Picker:
    keys, right = [o.key for o in sheet.options], _right_keys(sheet)
    chosen = [k for k in chosen_keys(answer) if k in keys]
    return Picker(
        question="Choose all that apply" if sheet.multiple else "Choose one",
        options=[{"key": o.key, "text": o.text} for o in sheet.options],
        multiple=sheet.multiple,
        chosen=chosen if sheet.multiple else chosen[:1],
        feedback={o.key: {"right": o.key in right, "text": o.explanation} for o in sheet.options},
        variable=sheet.name,
        description=sheet.summary,
    )


def _right_keys(sheet: Sheet) -> list[str]:
    """The right options: the one set of options that has the answer's digest."""
    keys = [o.key for o in sheet.options]
    picks = ([k for i, k in enumerate(keys) if pick >> i & 1] for pick in range(1, 1 << len(keys)))
    return next((p for p in picks if answer_digest(sheet.id, p) == sheet.answer_digest), [])
